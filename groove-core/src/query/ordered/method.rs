//! How an answer comes into the order of an index.
//!
//! Whether the object of an entry is in the answer is known in one of three ways: it always is; its row
//! is tested; or the timestamps of the answer are collected first. Or no entry is walked: the rows of
//! the answer tell their keys and are sorted. If few of many entries are in the answer, the latter two
//! cost less, since many entries are walked to find one; if many are, the first few are soon found.

use crate::error::{QueryError, ReadError};
use crate::query::key_range::KeyRange;
use crate::query::plan::{COLLECTED_BYTES, Goal, Keep, Plan, REGRET_MAX};
use crate::query::request::{Chosen, Request};
use crate::query::row_key::RowKey;
use crate::tree::Direction;

use super::index_walk::{Position, ranges_after};
use super::order::Order;
use super::source::sorted_bytes;

/// How it is known which objects are in the answer.
pub(in crate::query) enum Method {
    /// All objects of the entries are.
    Entries,
    /// Those that meet a test.
    Test(Keep),
    /// Those with one of the timestamps of this plan, which are collected first.
    Collect(Chosen),
    /// The rows of this plan are sorted by their keys.
    Sort(Chosen, RowKey),
}

/// The methods that an answer can be found by, and what is known of it.
pub(super) struct Choice {
    /// What is thought to cost the least first; there is one at least.
    pub(super) methods: Vec<Method>,
    /// The keys that the answer has, ascending.
    pub(super) ranges: Vec<KeyRange>,
    pub(super) after: Option<Position>,
    /// How many objects are wanted.
    pub(super) wanted: usize,
    /// About how many objects the whole answer has, before the cursor as well.
    pub(super) expected: u64,
    /// About how many entries are walked for what is wanted.
    pub(super) walked: u64,
}

impl Choice {
    /// The methods for the first `wanted` objects, more than none.
    pub(super) fn new(order: &Order, wanted: usize, explains: bool) -> Result<Choice, QueryError> {
        let Order { request, ordinal, direction } = order;
        let after = request.position_after(*ordinal)?;
        let (plain, limit) = (order.plain(), u64::try_from(wanted).unwrap_or(u64::MAX));
        let (plan, window) = (plain.plan(), plain.window);
        let full = KeyRange::full(request.view.schema.indexes[*ordinal].key_width);
        let ranges = plan.keys_of(*ordinal).map_or_else(|| vec![full], |set| set.ranges().to_vec());
        if window.is_empty() {
            let (methods, ranges) = (vec![Method::Entries], Vec::new());
            return Ok(Choice { methods, ranges, after, wanted, expected: 0, walked: 0 });
        }
        let left = ranges_after(&ranges, after, *direction);
        let entries = |ranges: &[KeyRange]| Plan::entries(&request.view, *ordinal, ranges);
        if plan.is_keys_of(*ordinal) && plain.shared.is_empty() {
            let (expected, walked) = match explains {
                true => (entries(&ranges)?, entries(&left)?.min(limit)),
                false => (0, 0),
            };
            let methods = vec![Method::Entries];
            return Ok(Choice { methods, ranges, after, wanted, expected, walked });
        }
        let (all, left) = (entries(&ranges)?.max(1), entries(&left)?);
        // All sizes are wanted: how many objects there are decides.
        let chosen = plain.choose(window, Goal { limit: u64::MAX, rows: true }, true)?;
        let expected = chosen.expected();
        let found = expected.clamp(1, all);
        let limit = limit.min(found);
        let walked = (u128::from(limit) * u128::from(all)).div_ceil(u128::from(found));
        let walked = u64::try_from(walked).unwrap_or(u64::MAX).min(left);
        let methods =
            methods(order, &plain, chosen, Sizes { found, limit, walked, left }, explains)?;
        Ok(Choice { methods, ranges, after, wanted, expected, walked })
    }

    /// The keys of the entries that are walked, ascending.
    pub(super) fn ranges_left(&self, direction: Direction) -> Vec<KeyRange> {
        ranges_after(&self.ranges, self.after, direction)
    }
}

/// About how many there are.
struct Sizes {
    /// Objects in the answer, and how many of them are wanted.
    found: u64,
    limit: u64,
    /// Entries that are walked for them, and at the most.
    walked: u64,
    left: u64,
}

fn methods(
    order: &Order,
    plain: &Request,
    chosen: Chosen,
    Sizes { found, limit, walked, left }: Sizes,
    explains: bool,
) -> Result<Vec<Method>, ReadError> {
    let view = &plain.view;
    let budget = view.object_tree.query_memory();
    let each = |count: u64, cost: u64| count.saturating_mul(cost);
    let rows = each(limit, Goal::ROW_COST);
    let collects = chosen.cost(false).saturating_add(found).saturating_add(walked) + rows;
    let sorts = chosen.cost(true).saturating_add(found);
    let tests = |entries: u64| each(entries, 1 + Goal::ROW_COST);

    let sort = RowKey::of_index(view.schema, order.ordinal)
        .filter(|_| each(limit.saturating_mul(2), sorted_bytes(view)) <= budget);
    let collect = each(found, COLLECTED_BYTES) <= budget;
    let other = match (&sort, collect) {
        (Some(_), true) => sorts.min(collects),
        (Some(_), false) => sorts,
        (None, true) => collects,
        (None, false) => u64::MAX,
    };
    let keep = match plain.shared.is_empty() {
        true => plain.plan().keep(view, order.ordinal, plain.window, explains)?,
        false => None,
    };
    let test_first = tests(walked) <= other && tests(left) / REGRET_MAX <= other;

    let mut methods = vec![Method::Collect(chosen.clone())];
    if let Some(row_key) = sort {
        let at = usize::from(collect && collects < sorts);
        methods.insert(at, Method::Sort(chosen, row_key));
    }
    if let Some(keep) = keep {
        let at = if test_first { 0 } else { methods.len() };
        methods.insert(at, Method::Test(keep));
    }
    Ok(methods)
}
