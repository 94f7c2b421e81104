//! Loads the flights in durable batches.
//!
//! The airlines and airports come with the last batch: a file that has airlines is complete. A load
//! that was interrupted goes on behind the last flight that is there, as flights are loaded in the
//! order of their timestamps.

use groove::{Forest, WriteError};

use super::Result;
use super::source::Source;
use super::year::{Year, YearSnapshot};

/// How much of a load a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many flights, and no airlines yet.
    Flights(usize),
    Complete,
}

impl Progress {
    pub(crate) fn of(year: &YearSnapshot) -> Progress {
        match year.airlines.is_empty() {
            true => Progress::Flights(usize::try_from(year.flights.len()).unwrap_or(usize::MAX)),
            false => Progress::Complete,
        }
    }
}

/// Refuses to mix the flights of a file with those of another CSV. Looks at the number of flights,
/// and at the last one.
pub(crate) fn check_same_source(year: &YearSnapshot, source: &Source) -> Result<()> {
    let stored = usize::try_from(year.flights.len())?;
    let expected = match Progress::of(year) {
        Progress::Flights(_) => source.flights.get(..stored),
        Progress::Complete => {
            source.flights.get(..stored).filter(|all| all.len() == source.flights.len())
        }
    };
    let last = match expected.and_then(<[_]>::last) {
        Some(last) => year.flights.get_by_timestamp(last.timestamp)?.filter(|found| found == last),
        None => None,
    };
    if expected.is_some_and(|flights| flights.is_empty() || last.is_some()) {
        return Ok(());
    }
    Err("it holds the flights of another CSV: remove it, or name another file with --file".into())
}

/// Inserts what is missing; each batch is on disk when `acknowledge` is called with the number of
/// flights there are.
pub(crate) fn load(
    forest: &Forest<Year>,
    source: &Source,
    batch_size: usize,
    mut acknowledge: impl FnMut(usize),
) -> std::result::Result<(), WriteError> {
    let mut stored = match Progress::of(&forest.snapshot()) {
        Progress::Flights(stored) => stored,
        Progress::Complete => return Ok(()),
    };
    loop {
        let (batch, rest) = source.flights[stored..]
            .split_at_checked(batch_size)
            .unwrap_or((&source.flights[stored..], &[]));
        forest.write(|year| {
            for flight in batch {
                year.flights.insert(*flight)?;
            }
            if rest.is_empty() {
                for airport in &source.airports {
                    year.airports.insert(*airport)?;
                }
                for airline in &source.airlines {
                    year.airlines.insert(*airline)?;
                }
            }
            Ok(())
        })?;
        stored += batch.len();
        acknowledge(stored);
        if rest.is_empty() {
            return Ok(());
        }
    }
}
