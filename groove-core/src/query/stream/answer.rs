//! The outermost stream: timestamps one after the other, and an error that stays.

use crate::error::QueryError;
use crate::tree::Direction;

use super::{BoxStream, Window, rank};

/// The timestamps of a query, in its direction.
///
/// Once a read has failed, every later call gives the same error: an answer that was cut short never
/// looks complete.
pub(crate) struct Answer {
    stream: BoxStream,
    direction: Direction,
    /// Beyond the last timestamp that was given.
    target: u64,
    failure: Option<QueryError>,
}

impl Answer {
    pub(crate) fn new(stream: BoxStream, window: Window, direction: Direction) -> Answer {
        Answer { stream, direction, target: window.first_rank(direction), failure: None }
    }

    /// The row of the last timestamp, if it is at hand.
    pub(crate) fn row(&self) -> Option<&[u8]> {
        self.stream.row()
    }

    /// The next timestamp; `None` at the end, and from then on.
    pub(crate) fn next(&mut self) -> Result<Option<u64>, QueryError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        match self.stream.seek(self.target) {
            Ok(Some(found)) => {
                debug_assert!(found >= self.target, "a stream went back");
                // Timestamps end before 2^63 and begin at 1: neither rank is the last u64.
                self.target = found + 1;
                Ok(Some(rank(self.direction, found)))
            }
            Ok(None) => Ok(None),
            Err(failure) => {
                self.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Appends the next timestamps: `count` of them, or fewer if these are all.
    pub(crate) fn fill(
        &mut self,
        count: usize,
        timestamps: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let begin = timestamps.len();
        if let Err(failure) = self.stream.fill(self.target, count, timestamps) {
            self.failure = Some(failure.clone());
            return Err(failure);
        }
        let found = &mut timestamps[begin..];
        debug_assert!(found.is_sorted_by(|a, b| a < b), "a stream went back");
        if let Some(last) = found.last() {
            self.target = last + 1;
        }
        found.iter_mut().for_each(|found| *found = rank(self.direction, *found));
        Ok(())
    }
}
