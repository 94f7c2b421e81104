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
    /// What makes a stream with the same timestamps that collects nothing that it need not.
    frugal: Option<Frugal>,
    failure: Option<QueryError>,
}

type Frugal = Box<dyn FnOnce() -> Result<BoxStream, QueryError> + Send>;

impl Answer {
    pub(crate) fn new(stream: BoxStream, window: Window, direction: Direction) -> Answer {
        let target = window.first_rank(direction);
        Answer { stream, direction, target, frugal: None, failure: None }
    }

    /// Goes over to the stream that `frugal` makes, which has the same timestamps, if more is collected than
    /// fits.
    pub(crate) fn or(
        self,
        frugal: impl FnOnce() -> Result<BoxStream, QueryError> + Send + 'static,
    ) -> Answer {
        Answer { frugal: Some(Box::new(frugal)), ..self }
    }

    /// Whether to go on after this error, with another stream then.
    fn recovers(&mut self, error: &QueryError) -> Result<bool, QueryError> {
        if !matches!(error, QueryError::OutOfMemory { .. }) {
            return Ok(false);
        }
        let Some(frugal) = self.frugal.take() else { return Ok(false) };
        self.stream = frugal()?;
        Ok(true)
    }

    /// Keeps the error, unless there is another way.
    fn fail(&mut self, error: QueryError) -> Result<(), QueryError> {
        let failure = match self.recovers(&error) {
            Ok(true) => return Ok(()),
            Ok(false) => error,
            Err(error) => error,
        };
        self.failure = Some(failure.clone());
        Err(failure)
    }

    /// The row of the last timestamp, if it is at hand.
    pub(crate) fn row(&mut self) -> Option<&[u8]> {
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
            Err(error) => {
                self.fail(error)?;
                self.next()
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
        while let Err(error) = self.stream.fill(self.target, count, timestamps) {
            timestamps.truncate(begin);
            self.fail(error)?;
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
