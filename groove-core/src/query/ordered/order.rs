//! An ordered query without the type of its objects.

use crate::error::QueryError;
use crate::query::request::Request;
use crate::query::rows::BATCH_ROWS_MAX;
use crate::tree::Direction;

use super::method::Choice;
use super::source::Source;

/// A request whose answer comes in the order of an index.
#[derive(Clone)]
pub(in crate::query) struct Order {
    pub(in crate::query) request: Request,
    /// Of the index.
    pub(in crate::query) ordinal: usize,
    pub(in crate::query) direction: Direction,
}

impl Order {
    /// The request without what does not count: timestamps are not the order.
    pub(super) fn plain(&self) -> Request {
        let (direction, request) = (Direction::Ascending, self.request.clone());
        Request { direction, limit: None, after: None, ..request }
    }

    /// The objects, of which about `wanted` are, read in batches that begin with `batch` entries.
    pub(super) fn open(&self, batch: usize, wanted: usize) -> Result<Source, QueryError> {
        self.source(batch, wanted, false)
    }

    /// If more is collected than was expected, and than fits, nothing is collected that rows can tell.
    fn source(&self, batch: usize, wanted: usize, explains: bool) -> Result<Source, QueryError> {
        let choice = |frugal| Choice::new(self, wanted, explains, frugal);
        match Source::open(self, choice(false)?, batch, explains) {
            Err(refused @ QueryError::OutOfMemory { .. }) => {
                match Source::open(self, choice(true)?, batch, explains) {
                    Err(QueryError::OutOfMemory { .. }) => Err(refused),
                    opened => opened,
                }
            }
            opened => opened,
        }
    }

    /// Asks for all objects up to the limit, and measures what that takes; and how many there were.
    pub(in crate::query) fn measure(&self) -> Result<(Source, u64), QueryError> {
        let limit = self.request.limit();
        let mut source = self.source(BATCH_ROWS_MAX, limit.saturating_add(1), true)?;
        let mut found = 0;
        while let wanted @ 1.. = limit - found
            && source.next(wanted)?.is_some()
        {
            found += 1;
        }
        if found == limit {
            source.has_more()?;
        }
        Ok((source, found as u64))
    }

    /// The name of the index.
    pub(in crate::query) fn index(&self) -> &'static str {
        self.request.view.schema.indexes[self.ordinal].name
    }

    pub(super) fn out_of_memory(&self) -> QueryError {
        let view = &self.request.view;
        let (groove, index) = (view.schema.name, self.index());
        QueryError::OutOfMemory { groove, index, budget: view.object_tree.query_memory() }
    }
}
