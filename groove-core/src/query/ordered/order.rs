//! An ordered query without the type of its objects.

use crate::error::QueryError;
use crate::query::key_range::KeyRange;
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

/// What an ordered answer took.
pub(in crate::query) struct Measured {
    pub(in crate::query) source: Source,
    /// Objects that were given.
    pub(in crate::query) found: u64,
    /// About how many objects the whole answer has.
    pub(in crate::query) expected: u64,
    /// About how many entries are walked.
    pub(in crate::query) walked: u64,
    /// The keys of those entries.
    pub(in crate::query) ranges: Vec<KeyRange>,
}

impl Order {
    /// The request without what does not count: timestamps are not the order.
    pub(super) fn plain(&self) -> Request {
        let (direction, request) = (Direction::Ascending, self.request.clone());
        Request { direction, limit: None, after: None, ..request }
    }

    /// The objects, of which about `wanted` are, read in batches that begin with `batch` entries.
    pub(super) fn open(&self, batch: usize, wanted: usize) -> Result<Source, QueryError> {
        Source::open(self, Choice::new(self, wanted, false)?, batch, false)
    }

    /// Asks for all objects up to the limit, and measures what that takes.
    pub(in crate::query) fn measure(&self) -> Result<Measured, QueryError> {
        let limit = self.request.limit();
        let choice = Choice::new(self, limit.saturating_add(1), true)?;
        let (expected, walked) = (choice.expected, choice.walked);
        let ranges = choice.ranges_left(self.direction);
        let mut source = Source::open(self, choice, BATCH_ROWS_MAX, true)?;
        let mut found = 0;
        while let wanted @ 1.. = limit - found
            && source.next(wanted)?.is_some()
        {
            found += 1;
        }
        if found == limit {
            source.has_more()?;
        }
        Ok(Measured { source, found: found as u64, expected, walked, ranges })
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
