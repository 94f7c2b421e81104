//! [`Query`]: what users put together and ask.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use crate::error::QueryError;
use crate::field::IndexKey;
use crate::groove::GrooveView;
use crate::object::Object;
use crate::tree::Direction;

use super::cursor::Cursor;
use super::explain::Explanation;
use super::handle::{IndexHandle, timestamp_range};
use super::key_set::KeySet;
use super::objects::{ObjectTimestamps, Objects, invalid_row, next_row};
use super::ordered::{self, Ordered};
use super::page::Page;
use super::predicate::Predicate;
use super::request::{Request, Shared};
use super::rows::BATCH_ROWS_MAX;
use super::stream::Window;

/// A question to one groove at one op, a committed scope: to all objects as they were after it.
///
/// It owns a snapshot of the groove's trees: it can be kept, cloned, asked several times and moved
/// to other threads, and always answers from the same state. Nothing is read before one of the
/// methods that end it ([`iter`](Query::iter), [`collect`](Query::collect), [`first`](Query::first),
/// [`exists`](Query::exists), [`count`](Query::count), [`iter_timestamps`](Query::iter_timestamps))
/// is called.
///
/// What it costs, beside reading the rows that are given:
///
/// * one key of an index: its entries, as far as the limit;
/// * one key of a unique index: one look-up;
/// * a range of an index: all entries in the range, whose timestamps are held in memory (8 bytes
///   each, within `Options::query_memory`) and sorted; or, where that is less, a test of rows: of
///   those that the smaller parts of an `&` leave, or of all objects as far as the limit;
/// * a field without an index: a test of those rows;
/// * `a & b`: in proportion to the smaller one, the larger is skipped through;
/// * `a | b`: both, as far as the limit;
/// * `a & !b`: `a`, and `b` where `a` is;
/// * `!b` alone: all timestamps, as far as the limit; or, if every object is in the index of `b`, its
///   other keys;
/// * ranges of timestamps: nothing, they narrow what the other conditions read.
///
/// Counts of the trees decide between these ways, as if conditions had nothing to do with each other or with
/// time; where they have, and a way that was chosen for the sake of a limit takes too long, the other one
/// goes on from there. [`explain`](Query::explain) shows what was decided, and what became of it.
#[must_use = "a query reads nothing until it is asked: by `collect`, `iter`, `count`, …"]
pub struct Query<O: Object> {
    request: Request,
    object: PhantomData<fn() -> O>,
}

impl<O: Object> Query<O> {
    /// The objects of `view` that meet `predicate`, oldest first.
    pub(crate) fn new(view: GrooveView, predicate: Predicate<O>) -> Query<O> {
        Query::of(Request::new(view, predicate.node))
    }

    fn of(request: Request) -> Query<O> {
        Query { request, object: PhantomData }
    }

    /// Gives objects with the highest timestamp first. Costs the same as oldest first.
    pub fn newest_first(mut self) -> Query<O> {
        self.request.direction = Direction::Descending;
        self
    }

    /// Gives objects with the lowest timestamp first, as is the default.
    pub fn oldest_first(mut self) -> Query<O> {
        self.request.direction = Direction::Ascending;
        self
    }

    /// Gives at most `n` objects. `limit(0)` gives none and reads nothing.
    pub fn limit(mut self, n: usize) -> Query<O> {
        self.request.limit = Some(n);
        self
    }

    /// Begins behind the object where an earlier page ended ([`Page::next`]), or at the beginning for
    /// `None`.
    ///
    /// The cursor may be of the same query in the other direction: then what follows leads back
    /// ([`Page::previous`]). Costs nothing for what lies before it. The methods that end the query give
    /// [`QueryError::ForeignCursor`] if the cursor belongs to another groove, predicate or range of
    /// timestamps, or to one that shares timestamps with other queries; the limit may be another one.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Query<O> {
        self.request.after = cursor.into();
        self
    }

    /// Only objects with a timestamp in `range`; ranges of several calls are intersected. An empty
    /// range gives no objects.
    ///
    /// Costs nothing; what lies outside is not read.
    pub fn timestamps(mut self, range: impl RangeBounds<u64>) -> Query<O> {
        let window = match timestamp_range(range) {
            Some(range) => Window { min: range.min.low(), max: range.max.low() },
            None => Window::EMPTY,
        };
        self.request.window = self.request.window.intersection(&window);
        self
    }

    /// The objects, read as the iterator goes on: rows in batches, 16 at first and up to 1,024.
    ///
    /// # Errors
    /// Of the iterator: [`QueryError::ForeignCursor`] as first item, [`QueryError::Read`] as last.
    pub fn iter(&self) -> Objects<O> {
        Objects::new(self.request.clone())
    }

    /// The timestamps of the objects. Rows are read only to test what no index tells, or where that costs
    /// less than the index.
    ///
    /// # Errors
    /// Of the iterator: as of [`Query::iter`].
    pub fn iter_timestamps(&self) -> ObjectTimestamps {
        ObjectTimestamps::new(self.request.clone())
    }

    /// All objects up to the limit, and a cursor if there are more.
    ///
    /// Rows are read in batches of up to 1,024; behind the limit one timestamp is read to know
    /// whether there is more. With `limit(0)` the page is empty and hands the cursor of
    /// [`Query::after`] on.
    ///
    /// # Errors
    /// * [`QueryError::ForeignCursor`] if the cursor belongs to another query;
    /// * [`QueryError::Read`] if the file cannot be read; never a shorter page instead.
    pub fn collect(&self) -> Result<Page<O>, QueryError> {
        let request = &self.request;
        if request.limit() == 0 {
            request.window_after()?;
            return Ok(Page::new(Vec::new(), request.after, request.after));
        }
        let mut rows = request.rows(BATCH_ROWS_MAX, request.limit().saturating_add(1))?;
        let mut objects: Vec<O> = Vec::new();
        while let Some((timestamp, row)) = next_row(request, &mut rows)? {
            let Ok(object) = O::read_row(timestamp, row) else {
                return Err(invalid_row(request, timestamp));
            };
            if objects.len() == objects.capacity() {
                objects.reserve(1 + rows.at_hand());
            }
            objects.push(object);
        }
        let more = rows.has_more()?;
        let last = objects.last().filter(|_| more);
        let next = last.map(|last| request.cursor(last.timestamp()));
        let previous = objects.first().map(|first| request.cursor(first.timestamp()));
        Ok(Page::new(objects, next, previous))
    }

    /// The first object, if there is one.
    ///
    /// Cost: one timestamp of the answer and one row.
    ///
    /// # Errors
    /// As of [`Query::collect`].
    pub fn first(&self) -> Result<Option<O>, QueryError> {
        if self.request.limit() == 0 {
            self.request.window_after()?;
            return Ok(None);
        }
        let mut rows = self.request.rows(1, 1)?;
        let Some((timestamp, row)) = next_row(&self.request, &mut rows)? else { return Ok(None) };
        match O::read_row(timestamp, row) {
            Ok(object) => Ok(Some(object)),
            Err(_) => Err(invalid_row(&self.request, timestamp)),
        }
    }

    /// Whether there is an object.
    ///
    /// Cost: one timestamp of the answer; rows as of [`Query::iter_timestamps`].
    ///
    /// # Errors
    /// As of [`Query::collect`].
    pub fn exists(&self) -> Result<bool, QueryError> {
        self.request.exists()
    }

    /// The number of objects that the query gives; a limit and a cursor count.
    ///
    /// Cost: what is said of one non-unique index is counted by the index's tree, from tables'
    /// counts and the blocks at the edges of the range; so are all objects, or those of a range of timestamps, and ranges
    /// of unique keys: where updates lie beside what they take the place of, by a walk over the keys of both.
    /// `a | b` and `a & !c`, of which `a` and `b` are so, cost what `a & b` and `a & c` do, and a negation what its
    /// condition does. Everything else is counted one timestamp at a time; rows are read as of
    /// [`Query::iter_timestamps`].
    ///
    /// # Errors
    /// As of [`Query::collect`].
    pub fn count(&self) -> Result<u64, QueryError> {
        self.request.count()
    }
}

impl<O: Object> Query<O> {
    /// Only objects with a timestamp that an object of `other`'s answer has, too: an intersection of
    /// two grooves whose objects share timestamps. Take both queries from one snapshot of the forest.
    /// Of `other`, the conditions and the range of timestamps count, and not the limit, the cursor and the
    /// direction.
    ///
    /// Cost: as `&` of the conditions of both.
    pub fn sharing_timestamps<P: Object>(mut self, other: &Query<P>) -> Query<O> {
        let Request { view, node, window, shared, .. } = &other.request;
        let (view, node, window) = (view.clone(), node.clone(), *window);
        self.request.shared.push(Shared { view, node, window });
        self.request.shared.extend(shared.iter().cloned());
        self
    }

    /// The objects in the order of an index instead of that of their timestamps: the top `n` by
    /// `limit(n)`. Objects without a key in the index are left out.
    ///
    /// Where single values are wanted of the first fields of a compound index that goes on with this one's, its entries
    /// are walked: under `CUSTOMER.eq(7)` the order of `PRICE` is that of an index over customer and price.
    ///
    /// The query's limit and cursor are taken over, and its direction does not count.
    pub fn order_by(self, index: impl IndexHandle<O>) -> Ordered<O> {
        Ordered::new(self.request, index.ordinal())
    }

    /// The keys that the objects of the answer have in an index: what a semi-join from another groove
    /// asks for (`one_of_keys` of its handles). Limit, cursor and direction of the query count. `None` of an
    /// index on an `Option` is a key as any other, and joins with `None`; an `optional` index has no key for it.
    ///
    /// Reads the rows of the answer; or, for keys that rows do not tell, the whole index.
    ///
    /// # Errors
    /// As of [`Query::collect`].
    pub fn keys<F: IndexKey>(
        &self,
        index: impl IndexHandle<O, Key = F>,
    ) -> Result<KeySet<F>, QueryError> {
        ordered::keys(&self.request, index.ordinal()).map(KeySet::new)
    }

    /// Asks the query, as [`Query::collect`] would, and tells how: the plan, with the rows that were
    /// expected and that there were, and the blocks that were looked into. Under a limit a step gives one
    /// row more: that there is one says whether another page follows.
    ///
    /// # Errors
    /// As of [`Query::collect`].
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        Explanation::of(&self.request)
    }
}

impl<O: Object> Clone for Query<O> {
    fn clone(&self) -> Query<O> {
        Query::of(self.request.clone())
    }
}

impl<O: Object> fmt::Debug for Query<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Query")
            .field("groove", &self.request.view.schema.name)
            .field("predicate", &self.request.named())
            .field("timestamps", &self.request.window)
            .field("direction", &self.request.direction)
            .field("limit", &self.request.limit)
            .field("after", &self.request.after)
            .finish()
    }
}

impl<O: Object> IntoIterator for Query<O> {
    type Item = Result<O, QueryError>;
    type IntoIter = Objects<O>;

    fn into_iter(self) -> Objects<O> {
        Objects::new(self.request)
    }
}

impl<O: Object> IntoIterator for &Query<O> {
    type Item = Result<O, QueryError>;
    type IntoIter = Objects<O>;

    fn into_iter(self) -> Objects<O> {
        self.iter()
    }
}
