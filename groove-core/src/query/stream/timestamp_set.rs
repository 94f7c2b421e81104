//! The timestamps of ranges of keys, collected and sorted.

use crate::error::QueryError;
use crate::query::plan::COLLECTED_BYTES;
use crate::tree::Direction;

use super::{Entries, Stream, Window, rank};

/// The timestamps of some entries that are not in timestamp order: several keys of an index tree, or
/// a unique tree.
///
/// Entries to collect, and the budget that they must fit into.
pub(crate) struct Collected {
    pub(crate) entries: Entries,
    /// The names of the groove and the index, for the error.
    pub(crate) groove: &'static str,
    pub(crate) index: &'static str,
    /// Bytes.
    pub(crate) budget: u64,
}

/// Collected at the first [`Stream::seek`], from its target on; a part of an intersection whose
/// smaller parts are empty is never collected.
pub(crate) struct TimestampSet {
    direction: Direction,
    state: State,
}

enum State {
    Unread(Collected, Window),
    /// The ranks, ascending, and how many lie before the last target.
    Collected(Vec<u64>, usize),
}

impl TimestampSet {
    pub(crate) fn new(collected: Collected, window: Window, direction: Direction) -> TimestampSet {
        TimestampSet { direction, state: State::Unread(collected, window) }
    }
}

impl Stream for TimestampSet {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if let State::Unread(Collected { entries, groove, index, budget }, window) = &self.state {
            let mut ranks = Vec::new();
            let window = window.rest(self.direction, target);
            entries.for_each(window, |timestamp| {
                if ranks.len() as u64 >= *budget / COLLECTED_BYTES {
                    let (groove, index, budget) = (*groove, *index, *budget);
                    return Err(QueryError::OutOfMemory { groove, index, budget });
                }
                ranks.push(rank(self.direction, timestamp));
                Ok(())
            })?;
            ranks.sort_unstable();
            self.state = State::Collected(ranks, 0);
        }
        let State::Collected(ranks, position) = &mut self.state else { return Ok(None) };
        *position += gallop(&ranks[*position..], target);
        Ok(ranks.get(*position).copied())
    }
}

/// How many of `ranks` lie before `target`: in steps that double, then between the last two, since
/// most targets are near.
fn gallop(ranks: &[u64], target: u64) -> usize {
    let mut step = 1;
    while step < ranks.len() && ranks[step - 1] < target {
        step *= 2;
    }
    let start = step / 2;
    let end = step.min(ranks.len());
    start + ranks[start..end].partition_point(|&rank| rank < target)
}
