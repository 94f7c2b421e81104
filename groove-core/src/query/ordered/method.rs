//! How an answer comes into the order of an index.
//!
//! Whether the object of an entry is in the answer is known in one of three ways: it always is; its row
//! is tested; or the timestamps of the answer are collected first. Or no entry is walked: the rows of
//! the answer tell their keys and are sorted. If few of many entries are in the answer, the latter two
//! cost less, since many entries are walked to find one; if many are, the first few are soon found. That is
//! a bet on an answer that is spread evenly over the index: when a walk has cost as much as the other method
//! would have, that one goes on where the walk stands. And how many there are is known once their timestamps are
//! collected: then it is decided anew whether to walk, and for how long, or to sort their rows.

use crate::error::{QueryError, ReadError};
use crate::query::key_range::KeyRange;
use crate::query::plan::{COLLECTED_BYTES, Goal, Keep, Plan, Walk, WalkedIndex};
use crate::query::request::{Chosen, Request};
use crate::query::row_key::RowKey;
use crate::query::stream::Window;

use super::index_walk::{Position, ranges_after};
use super::order::Order;
use super::source::sorted_bytes;

/// How it is known which objects are in the answer.
pub(in crate::query) enum Method {
    /// All objects of the entries are.
    Entries,
    /// Those that meet a test.
    Test(Keep),
    /// Those with one of the timestamps of this plan, which are collected first; or their rows are sorted by this key.
    Collect(Chosen, Option<RowKey>),
    /// The rows of this plan are sorted by their keys.
    Sort(Chosen, RowKey),
}

/// The methods that an answer can be found by, and what is known of it.
pub(super) struct Choice {
    /// What is thought to cost the least first; there is one at least.
    pub(super) methods: Vec<Method>,
    pub(super) known: Known,
}

/// What is known of an answer.
#[derive(Clone)]
pub(super) struct Known {
    /// The index whose entries are walked.
    pub(super) index: WalkedIndex,
    /// The keys that the answer has in the order, ascending.
    pub(super) ranges: Vec<KeyRange>,
    pub(super) after: Option<Position>,
    /// How many objects are wanted.
    pub(super) wanted: usize,
    /// About how many objects the whole answer has, before the cursor as well.
    pub(super) expected: u64,
    /// About how many entries are walked for what is wanted.
    pub(super) walked: u64,
    /// How many entries there are, and how many of them lie behind the cursor.
    pub(super) all: u64,
    pub(super) left: u64,
    /// How many are read at once at first.
    pub(super) batch: u64,
    /// Once so many entries were walked, the next method would have cost less.
    pub(super) walked_max: u64,
}

/// About how many of `all` entries are walked for `wanted` objects, of `found` that are spread evenly over them.
fn entries_walked(all: u64, found: u64, wanted: u64) -> u64 {
    let walked = (u128::from(wanted) * u128::from(all)).div_ceil(u128::from(found.max(1)));
    u64::try_from(walked).unwrap_or(u64::MAX)
}

impl Known {
    /// What it costs to walk the entries up to the last object that is wanted, if the answer has so many.
    pub(super) fn cost_of_walk(&self, found: u64) -> u64 {
        let wanted = u64::try_from(self.wanted).unwrap_or(u64::MAX).min(found);
        let entries = entries_walked(self.all, found, wanted).min(self.left);
        entries.saturating_add(wanted.saturating_mul(Goal::APART_ROW_COST))
    }
}

/// What it costs to sort the rows of objects whose timestamps are at hand.
pub(super) fn sorting_cost(objects: u64) -> u64 {
    objects.saturating_mul(Goal::ROW_COST + 1)
}

impl Choice {
    /// The methods for the first `wanted` objects, more than none. If `frugal`, nothing is collected that
    /// rows can tell.
    pub(super) fn new(
        order: &Order,
        wanted: usize,
        explains: bool,
        frugal: bool,
    ) -> Result<Choice, QueryError> {
        let Order { request, ordinal, direction } = order;
        let after = request.position_after(*ordinal)?;
        let (plain, limit) = (order.plain(), u64::try_from(wanted).unwrap_or(u64::MAX));
        let (plan, window) = (plain.plan(), plain.window);
        let full = KeyRange::full(request.view.schema.indexes[*ordinal].key_width);
        let schema = request.view.schema;
        let Walk { index, keys, is_all } = plan.walk(schema, *ordinal);
        let ranges = keys.map_or_else(|| vec![full], |set| set.ranges().to_vec());
        let entries_alone = |ranges, expected, walked| {
            let (all, left, batch, walked_max) = (walked, walked, walked, u64::MAX);
            let known = Known {
                index,
                ranges,
                after,
                wanted,
                expected,
                walked,
                all,
                left,
                batch,
                walked_max,
            };
            Ok(Choice { methods: vec![Method::Entries], known })
        };
        if window.is_empty() {
            return entries_alone(Vec::new(), 0, 0);
        }
        let left = ranges_after(&ranges, after, *direction);
        let entries = |ranges: &[KeyRange]| {
            let ranges: Vec<KeyRange> = ranges.iter().map(|range| index.range(range)).collect();
            Plan::entries(&request.view, index.ordinal, &ranges)
        };
        let is_entries = is_all && plain.shared.is_empty();
        if is_entries && window == Window::ALL {
            let (expected, walked) = match explains {
                true => (entries(&ranges)?, entries(&left)?.min(limit)),
                false => (0, 0),
            };
            return entries_alone(ranges, expected, walked);
        }
        let (all, left) = (entries(&ranges)?.max(1), entries(&left)?);
        // All sizes are wanted: how many objects there are decides.
        let chosen = plain.choose(window, Goal { limit: u64::MAX, rows: true, frugal }, true)?;
        let expected = chosen.expected();
        let found = expected.clamp(1, all);
        let limit = limit.min(found);
        let walked = entries_walked(all, found, limit).min(left);
        let sizes = Sizes { is_entries, found, limit, walked, left };
        let (methods, walked_max) = methods(order, &plain, chosen, sizes, explains)?;
        let batch = if plan.is_guess() { limit } else { walked };
        let known =
            Known { index, ranges, after, wanted, expected, walked, all, left, batch, walked_max };
        Ok(Choice { methods, known })
    }
}

/// About how many there are.
struct Sizes {
    /// Whether the objects of the entries that are walked are the answer, as far as the range of timestamps has them.
    is_entries: bool,
    /// Objects in the answer, and how many of them are wanted.
    found: u64,
    limit: u64,
    /// Entries that are walked for them, and at the most.
    walked: u64,
    left: u64,
}

/// A method, and what it is thought to cost.
struct Candidate {
    method: Method,
    /// If the answer is spread evenly over the index.
    expected: u64,
    /// If it is all at its end.
    most: u64,
    /// For each entry that is walked.
    each: u64,
}

/// The methods: first what is thought to cost the least, then what costs the least however the answer is
/// spread. And how many entries the first one may walk before the second would have cost less.
fn methods(
    order: &Order,
    plain: &Request,
    chosen: Chosen,
    Sizes { is_entries, found, limit, walked, left }: Sizes,
    explains: bool,
) -> Result<(Vec<Method>, u64), ReadError> {
    let view = &plain.view;
    let budget = view.object_tree.query_memory();
    let each = |count: u64, cost: u64| count.saturating_mul(cost);
    let mut candidates = Vec::with_capacity(3);
    if is_entries {
        // The walk leaves out what lies outside of the range of timestamps: entries tell theirs.
        let cost = |walked: u64| walked.saturating_add(each(limit, Goal::APART_ROW_COST));
        let (expected, most) = (cost(walked), cost(left));
        candidates.push(Candidate { method: Method::Entries, expected, most, each: 1 });
    }
    let keep = match plain.shared.is_empty() && !is_entries {
        true => plain.plan().keep(view, order.ordinal, plain.window, (limit, walked), explains)?,
        false => None,
    };
    if let Some(keep) = keep {
        let cost = |walked: u64| walked.saturating_add(keep.cost(walked, limit));
        let (expected, most, each) = (cost(walked), cost(left), 1 + keep.cost(1, 0));
        candidates.push(Candidate { method: Method::Test(keep), expected, most, each });
    }
    let row_key = RowKey::of_index(view.schema, order.ordinal)
        .filter(|_| each(limit.saturating_mul(2), sorted_bytes(view)) <= budget);
    if let Some(row_key) = row_key.clone() {
        let cost = chosen.cost(true).saturating_add(found);
        let method = Method::Sort(chosen.clone(), row_key);
        candidates.push(Candidate { method, expected: cost, most: cost, each: 0 });
    }
    let rows = each(limit, Goal::APART_ROW_COST);
    let sorting = if row_key.is_some() { sorting_cost(found) } else { u64::MAX };
    let cost = |walk: u64| match each(found, COLLECTED_BYTES) <= budget {
        true => chosen.cost(false).saturating_add(found).saturating_add(walk),
        // It is tried if nothing else is left: there may be fewer.
        false => u64::MAX,
    };
    let expected = cost(rows.saturating_add(walked).min(sorting));
    let most = cost(rows.saturating_add(left).min(each(sorting, 2)));
    let method = Method::Collect(chosen.without_rows(), row_key);
    candidates.push(Candidate { method, expected, most, each: 1 });

    candidates.sort_by_key(|candidate| candidate.expected);
    candidates[1..].sort_by_key(|candidate| candidate.most);
    let walked_max = match &candidates[..] {
        // Half of it walked in vain, and the other method: no less than all of it.
        [bet, other, ..] if bet.most / 2 > other.most => other.most / bet.each.max(1),
        _ => u64::MAX,
    };
    Ok((candidates.into_iter().map(|candidate| candidate.method).collect(), walked_max))
}
