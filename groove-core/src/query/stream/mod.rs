//! Streams of timestamps: what a plan is made of.
//!
//! A stream gives the timestamps of the objects that meet a condition, each once, in one direction.
//! What it can do is [`Stream::seek`], and its targets never go back; "the next one" is a seek to just
//! beyond the last. Skipping is therefore the same thing as going on, at every level: an intersection
//! seeks its parts to each other's timestamps, the others pass targets down, and a scan of an index
//! passes them to the tree, which skips blocks and tables.
//!
//! Many timestamps cost less together than one after the other. [`Stream::fill`] and [`Stream::retain`] say
//! nothing that seeks would not say; scans of an index have ways of their own for them.
//!
//! Timestamps travel as *ranks*: the timestamp itself if the stream ascends, its complement if it
//! descends. Ranks always grow, so only the leaves know of directions.
//!
//! | stream | answers | memory |
//! |---|---|---|
//! | [`EntryScan`], [`ObjectScan`] | one key of an index tree; all objects | a scan |
//! | [`TimestampSet`] | ranges of an index, keys of a unique tree | 8 bytes per entry |
//! | [`Bounds`] | any timestamp in given ranges, beside another stream only | its ranges |
//! | [`Intersection`], [`Union`] | and, or | their parts |
//! | [`Filtered`] | and, and not: a stream and a [`Filter`] that decides about each timestamp, or about its row | both, and a batch of rows |
//!
//! A stream that failed is not asked again: [`Answer`], which owns the outermost, gives the first
//! failure on every later call.

mod answer;
mod bounds;
mod entries;
mod entry_scan;
mod filter;
mod intersection;
mod listed;
mod object_scan;
mod row_reader;
mod timestamp_set;
mod union;

pub(crate) use answer::Answer;
pub(crate) use bounds::Bounds;
pub(crate) use entries::Entries;
pub(crate) use entry_scan::EntryScan;
pub(crate) use filter::{Filter, Filtered, Place};
pub(crate) use intersection::Intersection;
pub(crate) use listed::Listed;
pub(crate) use object_scan::ObjectScan;
pub(crate) use row_reader::RowReader;
pub(crate) use timestamp_set::{Collected, TimestampSet};
pub(crate) use union::Union;

use std::ops::Range;

use crate::constants::TIMESTAMP_MAX;
use crate::error::QueryError;
use crate::tree::{Direction, seeks};

/// The timestamps of a condition, in one direction.
pub(crate) trait Stream: Send {
    /// The lowest rank that is `target` or beyond; `None` if there is none, and from then on.
    ///
    /// Targets never go back. A target at or before the last answer gives that answer again.
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError>;

    /// Appends the lowest ranks that are `target` or beyond: `count` of them, or fewer if these are all.
    /// The last of them is the last answer.
    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        seeks::fill(|target| self.seek(target), target, count, out)
    }

    /// Keeps, of `ranks`, which ascend, those that the stream has. The last of them was a target.
    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        seeks::retain(|target| self.seek(target), ranks)
    }

    /// About how many ranks there are per number, to be compared with that of other streams; `None` if it
    /// does not know. Infinite if it has ranges of numbers, which are no objects and cost nothing.
    fn density(&self) -> Option<f64> {
        None
    }

    /// The row of the last answer, if the stream has it at hand, and if it was a seek's.
    fn row(&mut self) -> Option<&[u8]> {
        None
    }

    /// The lowest rank that is `target` or beyond and meets `filter`, whose parts of rows are tested
    /// ([`Stream::test`]) and at hand.
    ///
    /// Rows may be tested ahead of it: what fails there is an error although nobody came so far. After it the stream
    /// is asked for what lies behind the answer. Who asks so once goes on so, with the same filter: rows that do not meet
    /// it may be left out from then on. If `at` says how many may be tested, `None` may mean that these are not enough.
    fn seek_where(
        &mut self,
        target: u64,
        filter: &mut Filter,
        at: &Place<'_>,
    ) -> Result<Option<u64>, QueryError> {
        let mut target = target;
        while at.test_up_to(1) > 0
            && let Some(found) = self.seek(target)?
        {
            if filter.contains(found, self.tested(), at)? {
                return Ok(Some(found));
            }
            target = found + 1;
        }
        Ok(None)
    }

    /// Appends the lowest ranks that are `target` or beyond and meet `filter`: `count` of them, or fewer if these are
    /// all. Otherwise as [`Stream::seek_where`].
    fn fill_where(
        &mut self,
        target: u64,
        count: usize,
        filter: &mut Filter,
        at: &Place<'_>,
        out: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        seeks::fill(|target| self.seek_where(target, filter, at), target, count, out)
    }

    /// Says that conditions on these bytes of rows will be tested too: [`Stream::tested`].
    fn test(&mut self, _parts: &[Range<usize>]) {}

    /// As [`Stream::row`]; but only the bytes that are tested are sure to be those of the row.
    fn tested(&mut self) -> Option<&[u8]> {
        self.row()
    }
}

/// A stream of any kind.
pub(crate) type BoxStream = Box<dyn Stream>;

/// The rank of a timestamp, or the timestamp of a rank.
pub(crate) fn rank(direction: Direction, timestamp: u64) -> u64 {
    direction.rank(timestamp)
}

/// Removes those of `numbers` that are in `others`; both ascend.
fn without<T: Ord>(numbers: &mut Vec<T>, others: &[T]) {
    let mut others = others.iter().peekable();
    numbers.retain(|number| {
        while others.next_if(|other| *other < number).is_some() {}
        others.peek() != Some(&number)
    });
}

/// The timestamps from `min` to `max`, both included, that a query looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Window {
    /// All timestamps that an object can have.
    pub(crate) const ALL: Window = Window { min: 1, max: TIMESTAMP_MAX };
    /// No timestamp.
    pub(crate) const EMPTY: Window = Window { min: 1, max: 0 };

    pub(crate) fn is_empty(&self) -> bool {
        self.min > self.max
    }

    pub(crate) fn contains(&self, timestamp: u64) -> bool {
        self.min <= timestamp && timestamp <= self.max
    }

    /// The timestamps in both.
    pub(crate) fn intersection(&self, other: &Window) -> Window {
        let window = Window { min: self.min.max(other.min), max: self.max.min(other.max) };
        if window.is_empty() { Window::EMPTY } else { window }
    }

    /// What is left of it for a stream whose next target is `target`.
    pub(crate) fn rest(&self, direction: Direction, target: u64) -> Window {
        let timestamp = rank(direction, target);
        self.intersection(&match direction {
            Direction::Ascending => Window { min: timestamp, max: u64::MAX },
            Direction::Descending => Window { min: 0, max: timestamp },
        })
    }

    /// The lowest rank, where a stream begins.
    pub(crate) fn first_rank(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Ascending => self.min,
            Direction::Descending => rank(direction, self.max),
        }
    }
}
