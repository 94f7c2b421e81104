//! Compares a forest with what should be in it: all objects, and all entries of every index.

use std::collections::BTreeMap;

use groove::{Index, IndexKey, Predicate, Snapshot};

use super::Result;
use super::year::Flight;

/// What one index was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) index: &'static str,
    /// Different keys.
    pub(crate) keys: usize,
    pub(crate) entries: u64,
}

/// Compares the stored flights with `expected`, which are in the order of their timestamps: object
/// by object, and through each index.
///
/// # Errors
/// The first difference, or a failed read.
pub(crate) fn verify(flights: &Snapshot<Flight>, expected: &[Flight]) -> Result<Vec<Checked>> {
    if flights.len() != expected.len() as u64 {
        return Err(format!("{} flights instead of {}", flights.len(), expected.len()).into());
    }
    let mut expected_flights = expected.iter();
    for flight in &flights.query(Predicate::all()) {
        let (found, expected) = (flight?, expected_flights.next());
        if Some(&found) != expected {
            return Err(format!("found {found:?} instead of {expected:?}").into());
        }
    }
    if let Some(missing) = expected_flights.next() {
        return Err(format!("{missing:?} is missing").into());
    }
    let indexes = Indexes { flights, expected };
    Ok(vec![
        indexes.verify("carrier", Flight::CARRIER, |flight| Some(flight.carrier))?,
        indexes.verify("tail_number", Flight::TAIL_NUMBER, |flight| {
            flight.tail_number.map(Some) // without one, it is not in the index
        })?,
        indexes.verify("origin", Flight::ORIGIN, |flight| Some(flight.origin))?,
        indexes.verify("destination", Flight::DESTINATION, |flight| Some(flight.destination))?,
        indexes.verify("departure_delay", Flight::DEPARTURE_DELAY, |flight| {
            Some(flight.departure_delay)
        })?,
        indexes.verify("distance", Flight::DISTANCE, |flight| Some(flight.distance))?,
        indexes
            .verify("route", Flight::ROUTE, |flight| Some((flight.origin, flight.destination)))?,
        indexes.verify("designator", Flight::DESIGNATOR, |flight| {
            Some((flight.carrier, flight.number))
        })?,
    ])
}

struct Indexes<'a> {
    flights: &'a Snapshot<Flight>,
    expected: &'a [Flight],
}

impl Indexes<'_> {
    /// Asks for each key that should be there, and counts all entries, so that none can be left over.
    fn verify<K: IndexKey + Copy + Ord>(
        &self,
        name: &'static str,
        index: Index<Flight, K>,
        key: impl Fn(&Flight) -> Option<K>,
    ) -> Result<Checked> {
        let mut timestamps = BTreeMap::<K, Vec<u64>>::new();
        for flight in self.expected {
            if let Some(key) = key(flight) {
                timestamps.entry(key).or_default().push(flight.timestamp);
            }
        }
        let wrong = |what: &str, found: u64, expected: usize| {
            Err(format!("index {name}: {found} {what} instead of {expected}").into())
        };
        let mut entries = 0;
        for (key, expected) in &timestamps {
            let query = self.flights.query(index.eq(*key));
            let found = query.iter_timestamps().collect::<std::result::Result<Vec<u64>, _>>()?;
            if found != *expected {
                return wrong("flights of a key", found.len() as u64, expected.len());
            }
            let counted = query.count()?;
            if counted != expected.len() as u64 {
                return wrong("counted of a key", counted, expected.len());
            }
            entries += counted;
        }
        let all = self.flights.count(index.range(..))?;
        if all != entries {
            return wrong("entries", all, usize::try_from(entries)?);
        }
        Ok(Checked { index: name, keys: timestamps.len(), entries })
    }
}
