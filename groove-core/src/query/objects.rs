//! What a query gives: objects, or timestamps, one after the other.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::vec;

use crate::error::Damage;
use crate::error::QueryError;
use crate::object::Object;

use super::request::Request;
use super::rows::{BATCH_ROWS_MAX, Row, Rows};
use super::stream::Answer;

/// The objects of a query's answer, read as the iterator goes on.
///
/// Made by [`Query::iter`](super::Query::iter). It owns what it needs: it may outlive the query and
/// the snapshot and move to another thread. After an error it ends for good.
pub struct Objects<O: Object> {
    request: Request,
    /// Nothing is planned or read before the first object is asked for.
    rows: Option<Rows>,
    ended: bool,
    object: PhantomData<fn() -> O>,
}

impl<O: Object> Objects<O> {
    pub(crate) fn new(request: Request) -> Objects<O> {
        // A cursor of another query is an error, whatever the limit.
        let ended = request.limit() == 0 && request.window_after().is_ok();
        Objects { ended, request, rows: None, object: PhantomData }
    }

    fn next_row(&mut self) -> Result<Option<(u64, &[u8])>, QueryError> {
        if self.rows.is_none() {
            self.rows = Some(self.request.rows_one_by_one()?);
        }
        match &mut self.rows {
            Some(rows) => next_row(&self.request, rows),
            None => Ok(None),
        }
    }
}

impl<O: Object> Iterator for Objects<O> {
    type Item = Result<O, QueryError>;

    fn next(&mut self) -> Option<Result<O, QueryError>> {
        if self.ended {
            return None;
        }
        // Objects are large, and every hand that one goes through copies it: this one gives it on as it is.
        let end = match self.next_row() {
            Ok(Some((timestamp, row))) => match O::read_row(timestamp, row) {
                Ok(object) => return Some(Ok(object)),
                Err(_) => Some(Err(invalid_row(&self.request, timestamp))),
            },
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        };
        self.ended = true;
        end
    }
}

impl<O: Object> FusedIterator for Objects<O> {}

impl<O: Object> fmt::Debug for Objects<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Objects").finish_non_exhaustive()
    }
}

/// The timestamp and the row of the next object; `None` at the end.
pub(super) fn next_row<'a>(
    request: &Request,
    rows: &'a mut Rows,
) -> Result<Option<(u64, &'a [u8])>, QueryError> {
    match rows.next()? {
        None => Ok(None),
        Some(Row::Found(timestamp, row)) => Ok(Some((timestamp, row))),
        Some(Row::Missing(timestamp)) => {
            Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }))
        }
    }
}

/// The error of a row that is no object.
#[cold]
pub(super) fn invalid_row(request: &Request, timestamp: u64) -> QueryError {
    request.damaged(timestamp, Damage::Invalid { what: "row" })
}

/// The timestamps of a query's answer, read as the iterator goes on.
///
/// Made by [`Query::iter_timestamps`](super::Query::iter_timestamps). After an error it ends for
/// good.
pub struct ObjectTimestamps {
    request: Request,
    /// Nothing is planned or read before the first timestamp is asked for.
    answer: Option<Answer>,
    /// What was read together and is still to be given.
    batch: vec::IntoIter<u64>,
    /// How many timestamps were read together.
    batch_length: usize,
    /// How many more timestamps to give, or errors.
    remaining: usize,
}

impl ObjectTimestamps {
    pub(crate) fn new(request: Request) -> ObjectTimestamps {
        let errors = usize::from(request.window_after().is_err());
        let (remaining, batch) = (request.limit().max(errors), Vec::new().into_iter());
        ObjectTimestamps { request, answer: None, batch, batch_length: 0, remaining }
    }

    fn read(&mut self) -> Result<Option<u64>, QueryError> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            None => self.answer.insert(self.request.timestamps(self.request.limit())?),
        };
        if self.batch.len() == 0 {
            // Little is read for the first one.
            self.batch_length = (2 * self.batch_length).clamp(1, BATCH_ROWS_MAX);
            let mut batch = Vec::new();
            answer.fill(self.batch_length.min(self.remaining), &mut batch)?;
            self.batch = batch.into_iter();
        }
        Ok(self.batch.next())
    }
}

impl Iterator for ObjectTimestamps {
    type Item = Result<u64, QueryError>;

    fn next(&mut self) -> Option<Result<u64, QueryError>> {
        if self.remaining == 0 {
            return None;
        }
        let next = self.read().transpose();
        self.remaining = if matches!(next, Some(Ok(_))) { self.remaining - 1 } else { 0 };
        next
    }
}

impl FusedIterator for ObjectTimestamps {}

impl fmt::Debug for ObjectTimestamps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ObjectTimestamps").finish_non_exhaustive()
    }
}
