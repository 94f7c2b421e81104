//! The objects of an answer in the order of an index, one after the other.

use std::mem::{replace, take};
use std::sync::Arc;
use std::vec;

use crate::error::{Damage, QueryError};
use crate::groove::GrooveView;
use crate::query::key_range::KeyRange;
use crate::query::plan::{COLLECTED_BYTES, Meters};
use crate::query::request::{Chosen, ChosenMeters};
use crate::query::row_key::RowKey;
use crate::query::rows::{BATCH_ROWS_MAX, Row, Rows};
use crate::query::stream::{Answer, Listed, Window};
use crate::tree::{Direction, TreeRead};

use super::index_walk::{IndexWalk, Position, ranges_after};
use super::method::{Choice, Known, Method, sorting_cost};
use super::order::Order;

/// Entries of a batch behind the first one that are tested together, at the least, if there are so many.
const BATCH_TESTED_MIN: usize = 16;

/// An object: where it is in the order, and its row.
pub(super) struct Found {
    pub(super) at: Position,
    pub(super) row: Vec<u8>,
}

/// Bytes of memory for each object that is sorted.
pub(super) fn sorted_bytes(view: &GrooveView) -> u64 {
    (size_of::<Found>() + view.object_tree.payload_width()) as u64
}

/// Meters of all that an ordered answer reads.
pub(in crate::query) struct OrderMeters {
    /// The walk over the index.
    pub(in crate::query) entries: Meters,
    /// The rows of what is found on it.
    pub(in crate::query) rows: Meters,
    /// The plan that is collected or sorted.
    pub(in crate::query) chosen: Option<ChosenMeters>,
    /// What a test asks.
    pub(in crate::query) test: Option<Meters>,
}

impl OrderMeters {
    fn new(method: &Method) -> OrderMeters {
        let (chosen, test) = match method {
            Method::Entries => (None, None),
            Method::Test(keep) => (None, Some(keep.meters())),
            Method::Collect(chosen, _) | Method::Sort(chosen, _) => (Some(chosen.meters()), None),
        };
        OrderMeters { entries: Meters::new(1), rows: Meters::new(1), chosen, test }
    }
}

/// The objects, the next one first.
pub(in crate::query) struct Source {
    order: Order,
    pub(super) known: Known,
    pub(in crate::query) method: Method,
    /// The methods that are left if this one takes too long.
    others: Vec<Method>,
    /// The last entry that was walked.
    last: Option<Position>,
    /// The walk that took too long, if it is to be explained.
    pub(in crate::query) abandoned: Option<Box<Source>>,
    /// If it is to be explained.
    pub(in crate::query) meters: Option<OrderMeters>,
    /// What was read already.
    batch: vec::IntoIter<Found>,
    /// Entries of the next batch.
    batch_entries: usize,
    /// Of the last batch that was tested, how many objects met the conditions, and of how many.
    kept: Option<(usize, usize)>,
    /// `None` if nothing is left but the batch.
    walk: Option<IndexWalk>,
    /// Entries that were walked before the rows of what was collected were sorted in the place of that.
    walked_before: u64,
    /// The timestamps of the answer, ascending, if they were collected.
    timestamps: Vec<u64>,
    /// The object tree.
    objects: Arc<dyn TreeRead>,
    /// Objects of the answer that were collected or sorted.
    pub(in crate::query) answered: u64,
    /// Objects that it gave.
    pub(in crate::query) given: u64,
}

impl Source {
    /// The objects of `order`, by the first of the methods whose memory fits into the budget. Batches
    /// begin with `batch` entries, or with less if that is enough.
    pub(super) fn open(
        order: &Order,
        Choice { methods, known }: Choice,
        batch: usize,
        explains: bool,
    ) -> Result<Source, QueryError> {
        let mut methods = methods.into_iter();
        let mut refused = None;
        while let Some(method) = methods.next() {
            match Source::by(method, order, &known, batch, explains) {
                Ok(source) => return Ok(Source { others: methods.collect(), ..source }),
                Err(error @ QueryError::OutOfMemory { .. }) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.expect("there is a method"))
    }

    fn by(
        method: Method,
        order: &Order,
        known: &Known,
        batch: usize,
        explains: bool,
    ) -> Result<Source, QueryError> {
        let meters = explains.then(|| OrderMeters::new(&method));
        let chosen_meters = meters.as_ref().and_then(|meters| meters.chosen.as_ref());
        let (mut sorted, mut timestamps, mut answered) = (Vec::new(), Vec::new(), 0);
        let (mut walks, mut walked_max) = (true, known.walked_max);
        let mut view = order.request.view.clone();
        if let Some(meters) = &meters {
            let mut trees = view.index_trees.to_vec();
            let walked = known.index.ordinal;
            trees[walked] = meters.entries.tree(0, trees[walked].clone());
            view.index_trees = trees.into();
            view.object_tree = meters.rows.tree(0, view.object_tree.clone());
        }
        let objects = view.object_tree.clone();
        let mut batch_entries = batch.min(BATCH_ROWS_MAX);
        match &method {
            Method::Entries => {}
            Method::Test(_) => {
                let first = usize::try_from(known.batch).unwrap_or(usize::MAX);
                batch_entries = batch_entries.min(first.max(1));
            }
            Method::Collect(chosen, row_key) => {
                timestamps = collect_timestamps(order, chosen, chosen_meters)?;
                answered = timestamps.len() as u64;
                if let Some(row_key) = row_key {
                    let sorting = sorting_cost(answered);
                    // As much in vain, and no more.
                    walked_max = walked_max.min(sorting);
                    if sorting <= known.cost_of_walk(answered)
                        && fits_sorted(order, answered, known.wanted)
                    {
                        walks = false;
                        let timestamps = take(&mut timestamps);
                        sorted = sort_collected(order, known, timestamps, row_key, &objects)?;
                    }
                }
            }
            Method::Sort(chosen, row_key) => {
                let mut best = Best::new(known.after, known.wanted);
                let plain = order.plain();
                let rows = plain.open_rows(chosen, plain.window, BATCH_ROWS_MAX, chosen_meters);
                answered = best.read(order, rows, row_key)?;
                sorted = best.sorted(order.direction);
                walks = false;
            }
        }
        let Known { index, ranges, after, .. } = known;
        let (window, direction) = (order.request.window, order.direction);
        let walk = walks.then(|| {
            IndexWalk::new(view, *index, ranges, *after, window, direction).up_to(walked_max)
        });
        Ok(Source {
            order: order.clone(),
            known: known.clone(),
            method,
            others: Vec::new(),
            last: None,
            abandoned: None,
            meters,
            batch: sorted.into_iter(),
            batch_entries,
            kept: None,
            walk,
            walked_before: 0,
            timestamps,
            objects,
            answered,
            given: 0,
        })
    }

    /// The next object; `wanted` are, this one included.
    pub(super) fn next(&mut self, wanted: usize) -> Result<Option<Found>, QueryError> {
        loop {
            if let Some(next) = self.batch.next() {
                self.given += 1;
                return Ok(Some(next));
            }
            if !self.read_batch(wanted)? {
                return Ok(None);
            }
        }
    }

    /// Whether there is another object. It is not given any more.
    pub(super) fn has_more(&mut self) -> Result<bool, QueryError> {
        let is_known = !matches!(self.method, Method::Test(_));
        if self.batch.len() > 0 || is_known && self.next_entry()?.is_some() {
            return Ok(true);
        }
        let more = self.next(1)?.is_some();
        self.given -= u64::from(more);
        Ok(more)
    }

    /// About how many objects the whole answer has, before the cursor as well.
    pub(in crate::query) fn expected(&self) -> u64 {
        self.known.expected
    }

    /// About how many entries are walked.
    pub(in crate::query) fn expected_walk(&self) -> u64 {
        self.known.walked
    }

    /// Of the index whose entries are walked.
    pub(in crate::query) fn walked_ordinal(&self) -> usize {
        self.known.index.ordinal
    }

    /// The keys of the entries that are walked, ascending.
    pub(in crate::query) fn ranges_left(&self) -> Vec<KeyRange> {
        let Known { index, ranges, after, .. } = &self.known;
        let left = ranges_after(ranges, *after, self.order.direction);
        left.iter().map(|range| index.range(range)).collect()
    }

    /// Entries that were walked.
    pub(in crate::query) fn walked(&self) -> u64 {
        self.walk.as_ref().map_or(self.walked_before, IndexWalk::walked)
    }

    /// Whether rows are sorted, and nothing is walked, or nothing more.
    pub(in crate::query) fn is_sorted(&self) -> bool {
        self.walk.is_none()
    }

    /// The next entry whose object is in the answer, or may be, if rows are to be tested; `None` as well
    /// if the walk takes too long.
    fn next_entry(&mut self) -> Result<Option<Position>, QueryError> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        let collected = matches!(self.method, Method::Collect(..));
        while let Some(at) = walk.next()? {
            self.last = Some(at);
            if !collected || self.timestamps.binary_search(&at.timestamp).is_ok() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Goes on from the last entry: by the next of the other methods whose memory fits into the budget; if
    /// there is none, as before, however long it takes.
    fn change_over(&mut self, wanted: usize) -> Result<(), QueryError> {
        // One more, to know whether there is more.
        let wanted = wanted.saturating_add(1);
        let after = self.last.or(self.known.after);
        if let Method::Collect(_, Some(row_key)) = &self.method
            && fits_sorted(&self.order, self.answered, wanted)
        {
            let known = Known { after, wanted, ..self.known.clone() };
            let timestamps = take(&mut self.timestamps);
            let sorted = sort_collected(&self.order, &known, timestamps, row_key, &self.objects)?;
            self.batch = sorted.into_iter();
            self.walked_before = self.walked();
            self.walk = None;
            return Ok(());
        }
        let methods = take(&mut self.others);
        if methods.is_empty() {
            return Ok(());
        }
        let walked_max = u64::MAX;
        let known = Known { after, wanted, walked_max, ..self.known.clone() };
        let (explains, choice) = (self.meters.is_some(), Choice { methods, known });
        match Source::open(&self.order, choice, BATCH_ROWS_MAX, explains) {
            Ok(source) => {
                let abandoned = replace(self, source);
                self.abandoned = explains.then(|| Box::new(abandoned));
                Ok(())
            }
            Err(QueryError::OutOfMemory { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads the objects of the next batch of entries, of which there may be none; `false` at the end.
    fn read_batch(&mut self, wanted: usize) -> Result<bool, QueryError> {
        let most = match (&self.method, self.kept) {
            // As many as are likely to give what is still wanted.
            (Method::Test(_), Some((kept, tested))) => {
                let likely = wanted.saturating_mul(tested).div_ceil(kept.max(1));
                self.batch_entries.min(likely.max(BATCH_TESTED_MIN))
            }
            (Method::Test(_), None) => self.batch_entries,
            _ => self.batch_entries.min(wanted),
        };
        self.batch_entries = BATCH_ROWS_MAX.min(most * 2);
        let mut places = Vec::with_capacity(most);
        while places.len() < most
            && let Some(at) = self.next_entry()?
        {
            places.push(at);
        }
        if places.is_empty() {
            return match self.walk.as_mut().filter(|walk| walk.is_stopped()) {
                Some(walk) => {
                    walk.go_on();
                    self.change_over(wanted)?;
                    Ok(true)
                }
                None => Ok(false),
            };
        }
        let request = &self.order.request;
        let timestamps: Vec<u64> = places.iter().map(|at| at.timestamp).collect();
        let mut batch = Vec::with_capacity(places.len());
        if let Method::Test(keep) = &self.method {
            let meters = self.meters.as_ref().and_then(|meters| meters.test.as_ref());
            let kept = keep.of(&request.view, &self.objects, &timestamps, meters)?;
            let mut places = places.into_iter();
            for (timestamp, row) in kept {
                let at = places.find(|at| at.timestamp == timestamp);
                batch.push(Found { at: at.expect("it is one of the batch"), row });
            }
            self.kept = Some((batch.len(), timestamps.len()));
        } else {
            let rows = self.objects.lookup_batch(&timestamps, None)?;
            let width = self.objects.payload_width();
            for (i, at) in places.into_iter().enumerate() {
                if !rows.found[i] {
                    let timestamp = at.timestamp;
                    return Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }));
                }
                batch.push(Found { at, row: rows.payload[i * width..(i + 1) * width].to_vec() });
            }
        }
        self.batch = batch.into_iter();
        Ok(true)
    }
}

/// The timestamps of the answer, ascending.
fn collect_timestamps(
    order: &Order,
    chosen: &Chosen,
    meters: Option<&ChosenMeters>,
) -> Result<Vec<u64>, QueryError> {
    let plain = order.plain();
    let budget = plain.view.object_tree.query_memory() / COLLECTED_BYTES;
    let mut answer = plain.open(chosen, plain.window, meters);
    let mut timestamps = Vec::new();
    loop {
        let length = timestamps.len();
        answer.fill(BATCH_ROWS_MAX, &mut timestamps)?;
        if timestamps.len() as u64 > budget {
            return Err(order.out_of_memory());
        }
        if timestamps.len() < length + BATCH_ROWS_MAX {
            return Ok(timestamps);
        }
    }
}

/// Whether the budget has room for so many timestamps, and for the rows that are kept while the first `wanted` of them are
/// found.
fn fits_sorted(order: &Order, timestamps: u64, wanted: usize) -> bool {
    let view = &order.request.view;
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let rows = timestamps.min(wanted.saturating_mul(2)).saturating_mul(sorted_bytes(view));
    let memory = rows.saturating_add(timestamps.saturating_mul(COLLECTED_BYTES));
    memory <= view.object_tree.query_memory()
}

/// The first of the objects with these timestamps, by their rows.
fn sort_collected(
    order: &Order,
    known: &Known,
    timestamps: Vec<u64>,
    row_key: &RowKey,
    objects: &Arc<dyn TreeRead>,
) -> Result<Vec<Found>, QueryError> {
    let (direction, listed) = (Direction::Ascending, Box::new(Listed::new(timestamps)));
    let answer = Answer::new(listed, Window::ALL, direction);
    let mut best = Best::new(known.after, known.wanted);
    best.read(order, Rows::lookup(objects.clone(), answer, BATCH_ROWS_MAX, usize::MAX), row_key)?;
    Ok(best.sorted(order.direction))
}

/// The first objects behind a place, of those that come in any order.
struct Best {
    after: Option<Position>,
    /// How many are kept.
    length: usize,
    objects: Vec<Found>,
    /// What is no better than this is none of them.
    worst: Option<Position>,
}

impl Best {
    fn new(after: Option<Position>, length: usize) -> Best {
        Best { after, length, objects: Vec::new(), worst: None }
    }

    /// Reads the objects of these rows; returns how many there are.
    fn read(&mut self, order: &Order, mut rows: Rows, row_key: &RowKey) -> Result<u64, QueryError> {
        let mut read = 0;
        let (plain, direction) = (order.plain(), order.direction);
        let budget = plain.view.object_tree.query_memory() / sorted_bytes(&plain.view);
        while let Some(row) = rows.next()? {
            read += 1;
            let (timestamp, row) = match row {
                Row::Found(timestamp, row) => (timestamp, row),
                Row::Missing(timestamp) => {
                    return Err(plain.damaged(timestamp, Damage::EntryForeign { timestamp }));
                }
            };
            let damaged = |_| plain.damaged(timestamp, Damage::Invalid { what: "row" });
            let Some(key) = row_key.read(row).map_err(damaged)? else { continue };
            let at = Position { key, timestamp };
            let wanted = self.after.is_none_or(|after| at.is_behind(&after, direction))
                && self.worst.is_none_or(|worst| worst.is_behind(&at, direction));
            if !wanted {
                continue;
            }
            if self.objects.len() as u64 >= budget {
                return Err(order.out_of_memory());
            }
            self.objects.push(Found { at, row: row.to_vec() });
            if self.objects.len() / 2 >= self.length {
                let last = self.length - 1;
                let compare = |one: &Found, other: &Found| one.at.compare(&other.at, direction);
                self.objects.select_nth_unstable_by(last, compare);
                self.worst = Some(self.objects[last].at);
                self.objects.truncate(self.length);
            }
        }
        Ok(read)
    }

    /// What was kept, in order.
    fn sorted(mut self, direction: Direction) -> Vec<Found> {
        self.objects.sort_unstable_by(|one, other| one.at.compare(&other.at, direction));
        self.objects.truncate(self.length);
        self.objects
    }
}
