//! What a query gives: objects, or timestamps, one after the other.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use crate::error::Damage;
use crate::error::QueryError;
use crate::object::Object;

use super::request::Request;
use super::rows::{Row, Rows};
use super::stream::Answer;

/// Rows of the first batch of an iterator whose end is not known.
const FIRST_BATCH_ROWS: usize = 16;

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
        Objects { ended: request.limit() == 0, request, rows: None, object: PhantomData }
    }

    fn read(&mut self) -> Result<Option<O>, QueryError> {
        let rows = match &mut self.rows {
            Some(rows) => rows,
            None => self.rows.insert(self.request.rows(FIRST_BATCH_ROWS, self.request.limit())?),
        };
        read_object(&self.request, rows)
    }
}

impl<O: Object> Iterator for Objects<O> {
    type Item = Result<O, QueryError>;

    fn next(&mut self) -> Option<Result<O, QueryError>> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<O: Object> FusedIterator for Objects<O> {}

impl<O: Object> fmt::Debug for Objects<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Objects").finish_non_exhaustive()
    }
}

/// The object of the next row.
pub(super) fn read_object<O: Object>(
    request: &Request,
    rows: &mut Rows,
) -> Result<Option<O>, QueryError> {
    match rows.next()? {
        None => Ok(None),
        Some(Row::Missing(timestamp)) => {
            Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }))
        }
        Some(Row::Found(timestamp, bytes)) => match O::read_row(timestamp, bytes) {
            Ok(object) => Ok(Some(object)),
            Err(_) => Err(request.damaged(timestamp, Damage::Invalid { what: "row" })),
        },
    }
}

/// The timestamps of a query's answer, read as the iterator goes on.
///
/// Made by [`Query::iter_timestamps`](super::Query::iter_timestamps). After an error it ends for
/// good.
pub struct ObjectTimestamps {
    request: Request,
    /// Nothing is planned or read before the first timestamp is asked for.
    answer: Option<Answer>,
    /// How many more timestamps to give.
    remaining: usize,
}

impl ObjectTimestamps {
    pub(crate) fn new(request: Request) -> ObjectTimestamps {
        ObjectTimestamps { remaining: request.limit(), request, answer: None }
    }

    fn read(&mut self) -> Result<Option<u64>, QueryError> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            None => self.answer.insert(self.request.timestamps(self.request.limit())?),
        };
        answer.next()
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
