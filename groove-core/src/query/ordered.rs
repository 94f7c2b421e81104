//! Answers in the order of an index: the entries of the index, of which those are kept whose object is
//! in the answer.
//!
//! 1. If the query says which keys of this very index it wants, only they are walked.
//! 2. Whether an entry's object is in the answer is decided in one of three ways: it always is; the
//!    timestamps of the answer are collected first; or rows are looked up, a batch of entries at a time,
//!    and tested. The latter two go by cost: few timestamps are collected, of many the first entries
//!    have enough.
//! 3. Batches double, so that little is read for the first `n`.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::vec;

use crate::constants::KEY_LIMBS_MAX;
use crate::error::{Damage, QueryError};
use crate::object::Object;
use crate::tree::{Direction, Scan};

use super::explain::{Explanation, Walked};
use super::key_range::{EncodedKey, KeyRange};
use super::plan::{COLLECTED_BYTES, Goal, Keep, Meters};
use super::request::Request;
use super::row_key::RowKey;
use super::rows::{BATCH_ROWS_MAX, Row};
use super::stream::Window;
use crate::schema::IndexKind;

/// Entries of the first batch of an iterator whose end is not known.
const FIRST_BATCH_ENTRIES: usize = 16;

/// A query whose answer comes in the order of an index, made by
/// [`Query::order_by`](super::Query::order_by): lowest key first, and of one key the oldest object
/// first; or, [`descending`](Ordered::descending), all the other way round.
///
/// Cost, for the first `n`: the entries up to the `n`th whose object is in the answer, with their rows;
/// or, if that is less, the timestamps of the whole answer and the entries without rows.
#[must_use = "a query reads nothing until it is asked: by `collect`, `iter` or `first`"]
pub struct Ordered<O: Object> {
    request: Request,
    ordinal: usize,
    direction: Direction,
    object: PhantomData<fn() -> O>,
}

impl<O: Object> Ordered<O> {
    pub(super) fn new(request: Request, ordinal: usize) -> Ordered<O> {
        Ordered { request, ordinal, direction: Direction::Ascending, object: PhantomData }
    }

    /// Gives the highest key first.
    pub fn descending(mut self) -> Ordered<O> {
        self.direction = Direction::Descending;
        self
    }

    /// Gives the lowest key first, as is the default.
    pub fn ascending(mut self) -> Ordered<O> {
        self.direction = Direction::Ascending;
        self
    }

    /// Gives at most `n` objects.
    pub fn limit(mut self, n: usize) -> Ordered<O> {
        self.request.limit = Some(n);
        self
    }

    /// The objects, read as the iterator goes on.
    ///
    /// # Errors
    /// Of the iterator, as last item: [`QueryError::Read`], or [`QueryError::OutOfMemory`].
    pub fn iter(&self) -> OrderedObjects<O> {
        OrderedObjects {
            remaining: self.request.limit(),
            ordered: self.clone(),
            walk: None,
            batch: Vec::new().into_iter(),
            entries: self.request.limit().clamp(1, FIRST_BATCH_ENTRIES),
        }
    }

    /// All objects up to the limit.
    ///
    /// # Errors
    /// [`QueryError::Read`] if the file cannot be read, [`QueryError::OutOfMemory`] if what is to be
    /// collected does not fit into the budget; never a shorter answer instead.
    pub fn collect(&self) -> Result<Vec<O>, QueryError> {
        self.iter().collect()
    }

    /// Asks the query, as [`Ordered::collect`] would, and tells how.
    ///
    /// # Errors
    /// As of [`Ordered::collect`].
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        let meters = Meters::new(2);
        let mut request = self.request.clone();
        let mut trees = request.view.index_trees.to_vec();
        trees[self.ordinal] = meters.tree(0, trees[self.ordinal].clone());
        request.view.index_trees = trees.into();
        request.view.object_tree = meters.tree(1, request.view.object_tree.clone());
        let mut objects = Ordered { request, ..self.clone() }.iter();
        let mut found = 0;
        for object in objects.by_ref() {
            object?;
            found += 1;
        }
        let plan = plain(&self.request);
        let (members, walked) = match &objects.walk {
            Some(Walk { members: Members::Set(_), entries, .. }) => {
                (Some(Explanation::of(&plan)?), entries.walked)
            }
            Some(walk) => (None, walk.entries.walked),
            None => (None, 0),
        };
        let tested = matches!(&objects.walk, Some(Walk { members: Members::Test(_), .. }));
        Ok(Explanation::of_ordered(Walked {
            schema: self.request.view.schema,
            index: self.request.view.schema.indexes[self.ordinal].name,
            direction: self.direction,
            limit: self.request.limit,
            found,
            walked,
            index_blocks: meters.read(0).1,
            row_blocks: meters.read(1).1,
            tested: tested.then(|| format!("{:?}", self.request.node)),
            members,
        }))
    }

    /// The first object, if there is one.
    ///
    /// # Errors
    /// As of [`Ordered::collect`].
    pub fn first(&self) -> Result<Option<O>, QueryError> {
        self.clone().limit(self.request.limit().min(1)).iter().next().transpose()
    }
}

impl<O: Object> Clone for Ordered<O> {
    fn clone(&self) -> Ordered<O> {
        let (request, ordinal, direction) = (self.request.clone(), self.ordinal, self.direction);
        Ordered { request, ordinal, direction, object: PhantomData }
    }
}

impl<O: Object> fmt::Debug for Ordered<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.request.view.schema;
        formatter
            .debug_struct("Ordered")
            .field("groove", &schema.name)
            .field("predicate", &self.request.node)
            .field("index", &schema.indexes[self.ordinal].name)
            .field("direction", &self.direction)
            .field("limit", &self.request.limit)
            .finish()
    }
}

/// The objects of an [`Ordered`] query, read as the iterator goes on. After an error it ends for good.
pub struct OrderedObjects<O: Object> {
    ordered: Ordered<O>,
    /// Nothing is planned or read before the first object is asked for.
    walk: Option<Walk>,
    /// Timestamps and rows that are read already.
    batch: vec::IntoIter<Found>,
    /// Entries of the next batch.
    entries: usize,
    /// How many more objects to give.
    remaining: usize,
}

impl<O: Object> OrderedObjects<O> {
    fn read(&mut self) -> Result<Option<O>, QueryError> {
        let Ordered { request, ordinal, direction, .. } = &self.ordered;
        let walk = match &mut self.walk {
            Some(walk) => walk,
            None => self.walk.insert(Walk::new(request, *ordinal, *direction)?),
        };
        let (timestamp, row) = loop {
            if let Some(next) = self.batch.next() {
                break next;
            }
            let Some(batch) = walk.next(request, self.entries, self.remaining)? else {
                return Ok(None);
            };
            self.entries = BATCH_ROWS_MAX.min(self.entries * 2);
            self.batch = batch.into_iter();
        };
        O::read_row(timestamp, &row)
            .map(Some)
            .map_err(|_| request.damaged(timestamp, Damage::Invalid { what: "row" }))
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

/// A timestamp and its row.
type Found = (u64, Vec<u8>);

/// How it is known which objects are in the answer.
enum Members {
    /// All within the window are.
    All,
    /// Those with these timestamps, ascending.
    Set(Vec<u64>),
    /// Those that meet a test.
    Test(Keep),
}

/// The request without what does not count: timestamps are not the order.
fn plain(request: &Request) -> Request {
    Request { direction: Direction::Ascending, limit: None, after: None, ..request.clone() }
}

/// A walk over the entries of an index, in key order.
struct Walk {
    entries: IndexWalk,
    window: Window,
    members: Members,
}

impl Walk {
    fn new(request: &Request, ordinal: usize, direction: Direction) -> Result<Walk, QueryError> {
        let plain = plain(request);
        let plan = plain.plan();
        let window = plain.window;
        let index = &request.view.schema.indexes[ordinal];
        let full = KeyRange::full(index.key_width);
        let ranges = plan.keys_of(ordinal).map_or_else(|| vec![full], |set| set.ranges().to_vec());
        let entries = IndexWalk::new(request, ordinal, ranges, direction);
        let members = if plan.is_keys_of(ordinal) && plain.shared.is_empty() {
            Members::All
        } else {
            let all = request.view.object_count;
            // All sizes are wanted: how many objects there are decides.
            let chosen = plain.choose(window, Goal { limit: u64::MAX, rows: false }, true)?;
            let found = chosen.own.rows().max(1);
            let limit = u64::try_from(request.limit()).unwrap_or(u64::MAX).min(found);
            let rows = u128::from(limit) * u128::from(all) / u128::from(found);
            let collecting = u128::from(chosen.own.cost(u64::MAX, false)) + u128::from(found);
            let budget = request.view.object_tree.query_memory() / COLLECTED_BYTES;
            let keep =
                if plain.shared.is_empty() { plan.keep(&request.view, window)? } else { None };
            match keep.filter(|_| found > budget || rows * u128::from(Goal::ROW_COST) < collecting)
            {
                Some(keep) => Members::Test(keep),
                None => {
                    let mut answer = plain.open(&chosen, window, None);
                    let mut set = Vec::new();
                    while let Some(timestamp) = answer.next()? {
                        if set.len() as u64 >= budget {
                            let (groove, index) = (request.view.schema.name, index.name);
                            let budget = request.view.object_tree.query_memory();
                            return Err(QueryError::OutOfMemory { groove, index, budget });
                        }
                        set.push(timestamp);
                    }
                    Members::Set(set)
                }
            }
        };
        Ok(Walk { entries, window, members })
    }

    /// The next objects: what is left of the next `entries` entries, with their rows; `None` at the
    /// end.
    fn next(
        &mut self,
        request: &Request,
        entries: usize,
        wanted: usize,
    ) -> Result<Option<Vec<Found>>, QueryError> {
        let mut timestamps = Vec::new();
        let most = match self.members {
            Members::Test(_) => entries,
            _ => entries.min(wanted),
        };
        while timestamps.len() < most {
            let Some(timestamp) = self.entries.next()? else { break };
            let member = match &self.members {
                Members::Set(set) => set.binary_search(&timestamp).is_ok(),
                _ => true,
            };
            if member && self.window.contains(timestamp) {
                timestamps.push(timestamp);
            }
        }
        if timestamps.is_empty() {
            return Ok(None);
        }
        if let Members::Test(keep) = &self.members {
            return keep.of(&request.view, &timestamps).map(Some);
        }
        let tree = &request.view.object_tree;
        let rows = tree.lookup_batch(&timestamps)?;
        let width = tree.payload_width();
        let mut batch = Vec::with_capacity(timestamps.len());
        for (at, timestamp) in timestamps.into_iter().enumerate() {
            if !rows.found[at] {
                return Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }));
            }
            batch.push((timestamp, rows.payload[at * width..(at + 1) * width].to_vec()));
        }
        Ok(Some(batch))
    }
}

/// The entries of some ranges of an index, in key order.
struct IndexWalk {
    view: crate::groove::GrooveView,
    ordinal: usize,
    unique: bool,
    /// The ranges still to walk, the next one last.
    ranges: Vec<KeyRange>,
    direction: Direction,
    scan: Option<Box<dyn Scan>>,
    /// Entries so far.
    walked: u64,
}

impl IndexWalk {
    fn new(
        request: &Request,
        ordinal: usize,
        mut ranges: Vec<KeyRange>,
        direction: Direction,
    ) -> IndexWalk {
        if direction == Direction::Ascending {
            ranges.reverse();
        }
        let view = request.view.clone();
        let unique = view.schema.indexes[ordinal].kind != IndexKind::NonUnique;
        IndexWalk { view, ordinal, unique, ranges, direction, scan: None, walked: 0 }
    }

    /// The timestamp of the next entry.
    fn next(&mut self) -> Result<Option<u64>, QueryError> {
        loop {
            if let Some(scan) = &mut self.scan
                && scan.advance()?
            {
                self.walked += 1;
                let timestamp = match self.unique {
                    true => {
                        scan.payload().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
                    }
                    false => *scan.key().last().expect("a key has limbs"),
                };
                return Ok(Some(timestamp));
            }
            let Some(range) = self.ranges.pop() else { return Ok(None) };
            let tree = &self.view.index_trees[self.ordinal];
            let limbs = tree.limbs();
            let (mut min, mut max) = ([0; KEY_LIMBS_MAX], [u64::MAX; KEY_LIMBS_MAX]);
            let prefix = if self.unique { limbs } else { limbs - 1 };
            min[..prefix].copy_from_slice(range.min.limbs(prefix));
            max[..prefix].copy_from_slice(range.max.limbs(prefix));
            self.scan = Some(tree.clone().scan(&min[..limbs], &max[..limbs], self.direction));
        }
    }

    /// The key of the entry that the walk stands at.
    fn key(&self) -> EncodedKey {
        let limbs = self.scan.as_ref().expect("the walk stands at an entry").key();
        EncodedKey::from_limbs(if self.unique { limbs } else { &limbs[..limbs.len() - 1] })
    }
}

/// The keys that the objects of the answer have in an index.
pub(super) fn keys(request: &Request, ordinal: usize) -> Result<Vec<EncodedKey>, QueryError> {
    let schema = request.view.schema;
    let mut keys = Vec::new();
    if let Some(row_key) = RowKey::of_index(schema, ordinal) {
        let mut rows = request.rows(BATCH_ROWS_MAX, request.limit())?;
        while let Some(row) = rows.next()? {
            match row {
                Row::Missing(timestamp) => {
                    return Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }));
                }
                Row::Found(timestamp, row) => {
                    let damage = Damage::Invalid { what: "row" };
                    let damaged = |_| request.damaged(timestamp, damage);
                    keys.extend(row_key.read(row).map_err(damaged)?);
                }
            }
        }
        return Ok(keys);
    }
    let mut answer = request.timestamps(request.limit())?;
    let mut set = Vec::new();
    while set.len() < request.limit()
        && let Some(timestamp) = answer.next()?
    {
        set.push(timestamp);
    }
    set.sort_unstable();
    let full = KeyRange::full(schema.indexes[ordinal].key_width);
    let mut walk = IndexWalk::new(request, ordinal, vec![full], Direction::Ascending);
    while let Some(timestamp) = walk.next()? {
        if set.binary_search(&timestamp).is_ok() {
            keys.push(walk.key());
        }
    }
    Ok(keys)
}
