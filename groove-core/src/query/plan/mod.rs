//! From a predicate to streams.
//!
//! 1. [`normal`] brings the predicate into its normal form, in which everything that is said of one
//!    index in one conjunction or disjunction is a single set of keys, and in which a negation
//!    stands only beside something positive or outermost.
//! 2. [`choose`] makes a plan of it ([`step`]): what is walked, what is skipped through, what is
//!    tested on rows. It reads counts ([`size`]) where there is something to decide, and nothing else.
//! 3. [`open`] makes streams of the plan, and wraps them in meters ([`meter`]) for `explain`.
//! 4. [`keep`] makes a test of single objects of it, for answers in another order.
//! 5. [`count`] answers from the trees' own counts where the normal form is simple enough.
//!
//! The size of a plan is linear in the size of the predicate.

mod choose;
mod compound;
mod cost;
mod count;
mod keep;
mod meter;
mod normal;
mod open;
mod size;
mod step;
mod walked;

use std::collections::BTreeMap;

use crate::error::{QueryError, ReadError};
use crate::groove::GrooveView;
use crate::schema::Schema;
use crate::tree::Direction;

use super::key_range::{KeyRange, RangeSet};
use super::predicate::Node;
use super::row_key::ReadKey;
use super::stream::{BoxStream, Window};
use normal::{Normal, Term};
use walked::Walked;

pub(crate) use choose::Goal;
pub(crate) use cost::COLLECTED_BYTES;
pub(crate) use count::Count;
pub(crate) use keep::Keep;
pub(crate) use meter::Meters;
pub(crate) use step::{Kind, RowTest, Step, Test};
pub(crate) use walked::WalkedIndex;

/// The entries that are walked for an answer in the order of an index.
pub(crate) struct Walk {
    pub(crate) index: WalkedIndex,
    /// The keys that all objects of the answer have in the order; `None` if that is not said.
    pub(crate) keys: Option<RangeSet>,
    /// Whether the objects of the entries of these keys are the answer.
    pub(crate) is_all: bool,
}

/// What a predicate asks for, in normal form.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    normal: Normal,
    /// As the predicate says it: what an index does not have is counted by what it has.
    counted: Normal,
    readers: BTreeMap<usize, ReadKey>,
}

impl Plan {
    pub(crate) fn new(view: &GrooveView, node: &Node) -> Plan {
        let counted = Normal::new(view.schema, node);
        let normal = counted.complemented(view.schema).spread(view.schema);
        Plan { normal, counted, readers: normal::readers(node) }
    }

    /// Decides how the timestamps of `window` that meet the predicate are found. Reads counts of
    /// trees if there is something to decide, or if all of it is to be explained.
    pub(crate) fn choose(
        &self,
        view: &GrooveView,
        window: Window,
        goal: Goal,
        explains: bool,
    ) -> Result<Step, ReadError> {
        choose::Planner::new(view, &self.readers, explains).whole(&self.normal, window, goal)
    }

    /// The number of objects in `window` that meet the predicate, without a stream of them all; `None` if only that can
    /// tell, or if that is less where no more than a few are to be counted.
    pub(crate) fn count(
        &self,
        view: &GrooveView,
        window: Window,
        is_limited: bool,
    ) -> Result<Option<Count>, QueryError> {
        count::count(&self.counted, view, window, is_limited)
    }

    /// What streams have to count for a count, each with its range of timestamps.
    pub(crate) fn choose_streamed(
        &self,
        view: &GrooveView,
        count: &Count,
    ) -> Result<Vec<(Step, Window)>, ReadError> {
        let goal = Goal { limit: u64::MAX, rows: false, frugal: false };
        let choose = |(_, normal): &(_, Normal)| {
            let mut planner = choose::Planner::new(view, &self.readers, false);
            let normal = normal.clone().spread(view.schema);
            Ok((planner.whole(&normal, count.window, goal)?, count.window))
        };
        count.streamed.iter().map(choose).collect()
    }

    /// The predicate as a test of single objects whose entries are walked for the order of the index of this ordinal,
    /// of which about `kept` of `asked` are thought to meet it; `None` if something would be collected for it.
    pub(crate) fn keep(
        &self,
        view: &GrooveView,
        ordinal: usize,
        window: Window,
        (kept, asked): (u64, u64),
        explains: bool,
    ) -> Result<Option<Keep>, ReadError> {
        let mut normal = self.normal.clone();
        if let (Term::And { kept, .. }, false) = (&mut normal.term, normal.negative) {
            let used = Walked::new(view.schema, ordinal, kept).used;
            let is_left = |(at, _): &(usize, &Term)| !used.contains(at);
            *kept = kept.iter().enumerate().filter(is_left).map(|(_, term)| term.clone()).collect();
        }
        let test = choose::Planner::new(view, &self.readers, explains).keep(&normal, window)?;
        Ok(test.map(|test| Keep::new(test, kept, asked)))
    }

    /// About how many entries an index has in `ranges`.
    pub(crate) fn entries(
        view: &GrooveView,
        ordinal: usize,
        ranges: &[KeyRange],
    ) -> Result<u64, ReadError> {
        size::estimate_ranges(view, ordinal, ranges)
    }

    /// Whether nothing tells how many objects there are: sizes are guesses.
    pub(crate) fn is_guess(&self) -> bool {
        !self.readers.is_empty()
    }

    /// The entries that are walked for the order of the index of this ordinal.
    pub(crate) fn walk(&self, schema: &'static Schema, ordinal: usize) -> Walk {
        let kept = match (&self.normal.term, self.normal.negative) {
            (_, true) => &[][..],
            (Term::And { kept, .. }, false) => &kept[..],
            (term, false) => std::slice::from_ref(term),
        };
        let Walked { index, keys, used } = Walked::new(schema, ordinal, kept);
        let is_all = match (&self.normal.term, self.normal.negative) {
            (Term::Or(terms), true) => terms.is_empty(),
            (_, true) => false,
            (Term::And { removed, .. }, false) => removed.is_empty() && used.len() == kept.len(),
            (_, false) => used.len() == kept.len(),
        };
        Walk { index, keys: keys.as_ref().map(RangeSet::joined), is_all }
    }
}

impl Step {
    /// The timestamps of the plan. Reads nothing yet.
    pub(crate) fn open(
        &self,
        view: &GrooveView,
        direction: Direction,
        meters: Option<&Meters>,
    ) -> BoxStream {
        open::Opener { view, direction, meters }.stream(self)
    }

    /// About how many timestamps it has.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}
