//! Any timestamp in given ranges, whether or not an object has it.

use crate::error::QueryError;
use crate::tree::Direction;

use super::{Stream, Window, rank};

/// All numbers in some ranges of timestamps. Reads nothing; only for use beside a stream of objects:
/// as a part of an intersection or in a filter.
pub(crate) struct Bounds {
    /// First and last rank of each range, ascending.
    ranges: Vec<(u64, u64)>,
    /// Ranges before this one lie before the last target.
    position: usize,
}

impl Bounds {
    /// `windows` ascend and are disjoint.
    pub(crate) fn new(windows: &[Window], direction: Direction) -> Bounds {
        let ranks = |window: &Window| (rank(direction, window.min), rank(direction, window.max));
        let ranges = match direction {
            Direction::Ascending => windows.iter().map(ranks).collect(),
            Direction::Descending => {
                windows.iter().rev().map(ranks).map(|(min, max)| (max, min)).collect()
            }
        };
        Bounds { ranges, position: 0 }
    }
}

impl Stream for Bounds {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let ahead = &self.ranges[self.position..];
        self.position += ahead.partition_point(|&(_, last)| last < target);
        Ok(self.ranges.get(self.position).map(|&(first, _)| first.max(target)))
    }

    fn density(&self) -> Option<f64> {
        Some(f64::INFINITY)
    }
}
