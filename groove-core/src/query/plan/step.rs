//! A plan: where timestamps come from, and what decides about them. Pure data.

use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::query::stream::Window;

use super::cost::{KEPT_PART, ROW_COST, TESTED_ROW_COST};
use super::normal::Subject;

/// A source of timestamps, with what it is thought to cost.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The number of the step in its plan, by which it is metered.
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    /// About how many timestamps it has.
    pub(super) rows: u64,
    /// What it costs before the first timestamp, in entries read.
    pub(super) fixed: u64,
    /// What all timestamps cost on top.
    pub(super) variable: u64,
}

/// The kinds of sources.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// No timestamps.
    Nothing,
    /// All objects, with their rows.
    Objects(Window),
    /// Any timestamp of these ranges; only beside another source.
    Timestamps(Vec<Window>),
    /// The entries of one key of an index, in the order of their timestamps.
    Entries {
        index: usize,
        key: EncodedKey,
        window: Window,
    },
    /// Entries of several keys of an index, or of a unique index: collected and sorted.
    Collected {
        index: usize,
        ranges: Vec<KeyRange>,
        window: Window,
    },
    Union(Vec<Step>),
    /// By zig-zag.
    Intersection(Vec<Step>),
    Filtered {
        source: Box<Step>,
        tests: Vec<Test>,
        rows: RowUse,
    },
    /// The timestamps of a step, with their rows.
    Rows(Box<Step>),
    /// A bet, and what to do if it is lost: the timestamps of `source` that meet `tests`, as long as no
    /// more than `tested_max` are tested; from there on those of `other`, which are the same.
    Hedged {
        source: Box<Step>,
        tests: Vec<Test>,
        rows: RowUse,
        tested_max: u64,
        other: Box<Step>,
    },
}

/// What is read of rows that have to be looked up for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowUse {
    /// What is tested: few rows are wanted, or none. Those are looked up again.
    Tested,
    /// All: most rows are wanted, and are at hand then.
    Kept,
}

/// A condition on a timestamp that a source gave.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// The source has it.
    Member(Step),
    /// The row has a key of the set.
    Row(RowTest),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
}

/// A condition on the key that a row tells.
#[derive(Debug, Clone)]
pub(crate) struct RowTest {
    pub(super) subject: Subject,
    pub(crate) key: RowKey,
    pub(crate) set: RangeSet,
}

impl RowTest {
    /// The index whose key is tested, or the field, if no index is on it.
    pub(crate) fn index(&self) -> Result<usize, usize> {
        match self.subject {
            Subject::Index(ordinal) => Ok(ordinal),
            Subject::Field(ordinal) => Err(ordinal),
            Subject::Timestamp => unreachable!("rows have no timestamps"),
        }
    }
}

impl Step {
    /// One more than the highest number of a step in it.
    pub(crate) fn steps(&self) -> usize {
        let inner = match &self.kind {
            Kind::Union(parts) | Kind::Intersection(parts) => {
                parts.iter().map(Step::steps).max().unwrap_or(0)
            }
            Kind::Filtered { source, tests, .. } => {
                tests.iter().map(Test::steps).fold(source.steps(), usize::max)
            }
            Kind::Hedged { source, tests, other, .. } => {
                let steps = source.steps().max(other.steps());
                tests.iter().map(Test::steps).fold(steps, usize::max)
            }
            Kind::Rows(source) => source.steps(),
            _ => 0,
        };
        inner.max(self.id + 1)
    }

    /// Whether the row of each timestamp is at hand.
    pub(crate) fn carries_rows(&self) -> bool {
        match &self.kind {
            Kind::Objects(_) | Kind::Rows(_) => true,
            Kind::Filtered { source, rows, .. } => source.carries_rows() || *rows == RowUse::Kept,
            Kind::Hedged { source, rows, other, .. } => {
                (source.carries_rows() || *rows == RowUse::Kept) && other.carries_rows()
            }
            _ => false,
        }
    }

    /// Whether rows are looked up to be tested: nobody knows how many for each timestamp that it gives.
    pub(crate) fn tests_rows(&self) -> bool {
        match &self.kind {
            Kind::Union(parts) => parts.iter().any(Step::tests_rows),
            Kind::Filtered { source, tests, .. } | Kind::Hedged { source, tests, .. } => {
                !source.carries_rows() && tests.iter().any(Test::reads_rows)
            }
            _ => false,
        }
    }

    /// As it is where no rows are wanted after all.
    pub(crate) fn without_rows(mut self) -> Step {
        if let Kind::Hedged { other, .. } = &mut self.kind
            && let Kind::Rows(source) = &other.kind
        {
            *other = source.clone();
        }
        if let Kind::Filtered { source, rows, .. } | Kind::Hedged { source, rows, .. } =
            &mut self.kind
            && *rows == RowUse::Kept
        {
            *rows = RowUse::Tested;
            let kept = source.rows.saturating_mul(ROW_COST - TESTED_ROW_COST);
            self.variable = self.variable.saturating_sub(kept);
        }
        self
    }

    /// Has whole rows looked up for tests that most of them are thought to meet.
    pub(super) fn with_whole_rows(mut self) -> Step {
        let expected = self.rows;
        if let Kind::Filtered { source, tests, rows } = &mut self.kind
            && tests.iter().any(Test::reads_rows)
            // How many of these are met is not counted.
            && !tests.iter().any(|test| matches!(test, Test::Not(_)))
            && !source.carries_rows()
            && source.rows <= expected.saturating_mul(KEPT_PART)
        {
            *rows = RowUse::Kept;
            let more = source.rows.saturating_mul(ROW_COST - TESTED_ROW_COST);
            self.variable = self.variable.saturating_add(more);
        }
        self
    }

    /// Whether anything in it is collected before the first timestamp, or may be later.
    pub(crate) fn collects(&self) -> bool {
        match &self.kind {
            Kind::Collected { .. } => true,
            Kind::Union(parts) | Kind::Intersection(parts) => parts.iter().any(Step::collects),
            Kind::Filtered { source, tests, .. } => {
                source.collects() || tests.iter().any(Test::collects)
            }
            Kind::Hedged { source, tests, other, .. } => {
                source.collects() || other.collects() || tests.iter().any(Test::collects)
            }
            Kind::Rows(source) => source.collects(),
            _ => false,
        }
    }

    /// Whether it tests each object of `window`.
    pub(super) fn tests_all_of(&self, window: Window) -> bool {
        match &self.kind {
            Kind::Filtered { source, .. } => {
                matches!(source.kind, Kind::Objects(objects) if objects == window)
                    || source.tests_all_of(window)
            }
            _ => false,
        }
    }

    /// What the first `limit` timestamps cost, and their rows, if `rows`.
    pub(crate) fn cost(&self, limit: u64, rows: bool) -> u64 {
        let mut variable = self.variable;
        if rows && !self.carries_rows() {
            variable = variable.saturating_add(self.rows.saturating_mul(ROW_COST));
        }
        if limit < self.rows {
            variable = (u128::from(variable) * u128::from(limit) / u128::from(self.rows)) as u64;
        }
        self.fixed.saturating_add(variable)
    }
}

impl Test {
    pub(super) fn steps(&self) -> usize {
        match self {
            Test::Member(step) => step.steps(),
            Test::Row(_) => 0,
            Test::All(tests) | Test::Any(tests) => tests.iter().map(Test::steps).max().unwrap_or(0),
            Test::Not(test) => test.steps(),
        }
    }

    /// Whether it looks at the row.
    pub(crate) fn reads_rows(&self) -> bool {
        match self {
            Test::Member(_) => false,
            Test::Row(_) => true,
            Test::All(tests) | Test::Any(tests) => tests.iter().any(Test::reads_rows),
            Test::Not(test) => test.reads_rows(),
        }
    }

    /// Whether anything is collected for it.
    pub(super) fn collects(&self) -> bool {
        match self {
            Test::Member(step) => step.collects(),
            Test::Row(_) => false,
            Test::All(tests) | Test::Any(tests) => tests.iter().any(Test::collects),
            Test::Not(test) => test.collects(),
        }
    }

    /// What it costs before the first timestamp.
    pub(super) fn fixed(&self) -> u64 {
        match self {
            Test::Member(step) => step.fixed,
            Test::Row(_) => 0,
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().map(Test::fixed).fold(0, u64::saturating_add)
            }
            Test::Not(test) => test.fixed(),
        }
    }

    /// How many scans or rows it asks for one timestamp.
    pub(super) fn parts(&self) -> u64 {
        match self {
            Test::Member(_) | Test::Row(_) => 1,
            Test::All(tests) | Test::Any(tests) => tests.iter().map(Test::parts).sum(),
            Test::Not(test) => test.parts(),
        }
    }
}
