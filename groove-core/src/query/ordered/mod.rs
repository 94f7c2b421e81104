//! Answers in the order of an index.
//!
//! | module | owns |
//! |---|---|
//! | `order` | the query without the type of its objects |
//! | `method` | the decision how the answer comes into the order |
//! | `source` | the objects, by that method |
//! | `index_walk` | places in the order, and the entries behind one |
//! | `keys` | the keys of an answer in an index |
//!
//! 1. If the query says which keys of this very index it wants, or does so by conditions on the fields of a
//!    compound index, only they are walked; behind a cursor,
//!    only what lies behind its key and timestamp.
//! 2. Entries whose objects are not in the answer are passed over; or, if few of many are in it, the
//!    rows of the answer are sorted instead.
//! 3. Batches double, so that little is read for the first `n`.

mod index_walk;
mod keys;
mod method;
mod order;
mod source;

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use crate::error::{Damage, QueryError};
use crate::object::Object;
use crate::tree::Direction;

use super::cursor::Cursor;
use super::explain::Explanation;
use super::page::Page;
use super::request::Request;
use super::rows::BATCH_ROWS_MAX;
use source::Found;

pub(crate) use index_walk::Position;
pub(super) use keys::keys;
pub(super) use method::Method;
pub(super) use order::Order;
pub(super) use source::Source;

/// Entries of the first batch of an iterator whose end is not known.
const FIRST_BATCH_ENTRIES: usize = 16;

/// A query whose answer comes in the order of an index, made by
/// [`Query::order_by`](super::Query::order_by): lowest key first, and of one key the oldest object
/// first; or, [`descending`](Ordered::descending), all the other way round.
///
/// Cost, for the first `n`, or the `n` behind a cursor: the entries up to the `n`th whose object is in
/// the answer, with their rows; or, if that is less, the whole answer, of which the first `n` are kept. If
/// the first of these turns out to cost more than the second would have, the second goes on from there.
/// What lies before a cursor is not read.
#[must_use = "a query reads nothing until it is asked: by `collect`, `iter` or `first`"]
pub struct Ordered<O: Object> {
    order: Order,
    object: PhantomData<fn() -> O>,
}

impl<O: Object> Ordered<O> {
    pub(super) fn new(request: Request, ordinal: usize) -> Ordered<O> {
        Ordered::of(Order { request, ordinal, direction: Direction::Ascending })
    }

    fn of(order: Order) -> Ordered<O> {
        Ordered { order, object: PhantomData }
    }

    /// Gives the highest key first.
    pub fn descending(mut self) -> Ordered<O> {
        self.order.direction = Direction::Descending;
        self
    }

    /// Gives the lowest key first, as is the default.
    pub fn ascending(mut self) -> Ordered<O> {
        self.order.direction = Direction::Ascending;
        self
    }

    /// Gives at most `n` objects.
    pub fn limit(mut self, n: usize) -> Ordered<O> {
        self.order.request.limit = Some(n);
        self
    }

    /// Begins behind the object where an earlier page ended ([`Page::next`]), or at the beginning for
    /// `None`.
    ///
    /// The cursor stands for a place: the key and the timestamp of that object. What is given is what
    /// has its key behind that place now. So an object whose key was updated between two pages is given
    /// by both of them if it moved from before the place to behind it, and by neither if it moved the
    /// other way; all others are given once, whatever became of the object at the place. Pages of one
    /// snapshot are parts of one answer.
    ///
    /// The cursor may be of the same query in the other direction: then what follows leads back
    /// ([`Page::previous`]). The methods that end the query give [`QueryError::ForeignCursor`] if the
    /// cursor belongs to another query, or to another order of this one; the limit may be another one.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Ordered<O> {
        self.order.request.after = cursor.into();
        self
    }

    /// The objects, read as the iterator goes on.
    ///
    /// # Errors
    /// Of the iterator: [`QueryError::ForeignCursor`] as first item, [`QueryError::Read`] or
    /// [`QueryError::OutOfMemory`] as last.
    pub fn iter(&self) -> OrderedObjects<O> {
        let Order { request, ordinal, .. } = &self.order;
        // A cursor of another query is an error, whatever the limit.
        let errors = usize::from(request.position_after(*ordinal).is_err());
        let remaining = request.limit().max(errors);
        OrderedObjects { ordered: self.clone(), source: None, remaining }
    }

    /// All objects up to the limit, and a cursor if there are more.
    ///
    /// With `limit(0)` the page is empty and hands the cursor of [`Ordered::after`] on.
    ///
    /// # Errors
    /// * [`QueryError::ForeignCursor`] if the cursor belongs to another query or order;
    /// * [`QueryError::Read`] if the file cannot be read;
    /// * [`QueryError::OutOfMemory`] if what is to be collected does not fit into the budget; never a
    ///   shorter page instead.
    pub fn collect(&self) -> Result<Page<O>, QueryError> {
        let Order { request, ordinal, .. } = &self.order;
        let limit = request.limit();
        if limit == 0 {
            request.position_after(*ordinal)?;
            return Ok(Page::new(Vec::new(), request.after, request.after));
        }
        let mut source = self.order.open(BATCH_ROWS_MAX, limit.saturating_add(1))?;
        let (mut objects, mut ends) = (Vec::new(), None);
        while let wanted @ 1.. = limit - objects.len()
            && let Some(found) = source.next(wanted)?
        {
            objects.push(self.read(&found)?);
            let (first, _) = ends.unwrap_or((found.at, found.at));
            ends = Some((first, found.at));
        }
        let Some((first, last)) = ends else { return Ok(Page::new(objects, None, None)) };
        let more = objects.len() == limit && source.has_more()?;
        let next = more.then(|| request.ordered_cursor(*ordinal, last));
        Ok(Page::new(objects, next, Some(request.ordered_cursor(*ordinal, first))))
    }

    /// Asks the query, as [`Ordered::collect`] would, and tells how.
    ///
    /// # Errors
    /// As of [`Ordered::collect`].
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        Explanation::of_order(&self.order)
    }

    /// The first object, if there is one.
    ///
    /// # Errors
    /// As of [`Ordered::collect`].
    pub fn first(&self) -> Result<Option<O>, QueryError> {
        let Order { request, ordinal, .. } = &self.order;
        if request.limit() == 0 {
            request.position_after(*ordinal)?;
            return Ok(None);
        }
        let found = self.order.open(1, 1)?.next(1)?;
        found.map(|found| self.read(&found)).transpose()
    }

    fn read(&self, Found { at, row }: &Found) -> Result<O, QueryError> {
        let damaged = |_| self.order.request.damaged(at.timestamp, Damage::Invalid { what: "row" });
        O::read_row(at.timestamp, row).map_err(damaged)
    }
}

impl<O: Object> IntoIterator for Ordered<O> {
    type Item = Result<O, QueryError>;
    type IntoIter = OrderedObjects<O>;

    fn into_iter(self) -> OrderedObjects<O> {
        self.iter()
    }
}

impl<O: Object> IntoIterator for &Ordered<O> {
    type Item = Result<O, QueryError>;
    type IntoIter = OrderedObjects<O>;

    fn into_iter(self) -> OrderedObjects<O> {
        self.iter()
    }
}

impl<O: Object> Clone for Ordered<O> {
    fn clone(&self) -> Ordered<O> {
        Ordered::of(self.order.clone())
    }
}

impl<O: Object> fmt::Debug for Ordered<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Order { request, direction, .. } = &self.order;
        formatter
            .debug_struct("Ordered")
            .field("groove", &request.view.schema.name)
            .field("predicate", &request.named())
            .field("index", &self.order.index())
            .field("direction", direction)
            .field("limit", &request.limit)
            .field("after", &request.after)
            .finish()
    }
}

/// The objects of an [`Ordered`] query, read as the iterator goes on. After an error it ends for good.
pub struct OrderedObjects<O: Object> {
    ordered: Ordered<O>,
    /// Nothing is planned or read before the first object is asked for.
    source: Option<Source>,
    /// How many more objects to give.
    remaining: usize,
}

impl<O: Object> OrderedObjects<O> {
    fn read(&mut self) -> Result<Option<O>, QueryError> {
        let source = match &mut self.source {
            Some(source) => source,
            None => {
                let opened = self.ordered.order.open(FIRST_BATCH_ENTRIES, self.remaining)?;
                self.source.insert(opened)
            }
        };
        let found = source.next(self.remaining)?;
        found.map(|found| self.ordered.read(&found)).transpose()
    }
}

impl<O: Object> Iterator for OrderedObjects<O> {
    type Item = Result<O, QueryError>;

    fn next(&mut self) -> Option<Result<O, QueryError>> {
        if self.remaining == 0 {
            return None;
        }
        let next = self.read().transpose();
        self.remaining = if matches!(next, Some(Ok(_))) { self.remaining - 1 } else { 0 };
        next
    }
}

impl<O: Object> FusedIterator for OrderedObjects<O> {}

impl<O: Object> fmt::Debug for OrderedObjects<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OrderedObjects").finish_non_exhaustive()
    }
}
