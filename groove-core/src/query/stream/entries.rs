//! The entries of one tree within ranges of keys, in the order of the tree.

use std::sync::Arc;

use crate::constants::KEY_LIMBS_MAX;
use crate::error::QueryError;
use crate::query::key_range::KeyRange;
use crate::tree::{Direction, TreeRead};

use super::Window;

/// Keys that are looked up at a time.
const LOOKUP_KEYS_MAX: usize = 1024;

/// Ranges of keys of an index tree or a unique tree.
pub(crate) struct Entries {
    tree: Arc<dyn TreeRead>,
    unique: bool,
    /// Ascending and disjoint.
    ranges: Vec<KeyRange>,
}

impl Entries {
    pub(crate) fn new(tree: Arc<dyn TreeRead>, unique: bool, ranges: Vec<KeyRange>) -> Entries {
        Entries { tree, unique, ranges }
    }

    /// Calls `each` with the timestamp of every entry that lies in `window`. Single keys of a unique
    /// tree are looked up together, everything else is scanned.
    pub(crate) fn for_each(
        &self,
        window: Window,
        mut each: impl FnMut(u64) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        // Orphaned keys have timestamp 0, which no window contains.
        let mut visit = |timestamp| match window.contains(timestamp) {
            true => each(timestamp),
            false => Ok(()),
        };
        if window.is_empty() {
            return Ok(());
        }
        if !self.unique {
            return self.ranges.iter().try_for_each(|range| self.scan(range, window, &mut visit));
        }
        let (points, wide): (Vec<&KeyRange>, Vec<_>) =
            self.ranges.iter().partition(|range| range.is_point());
        for points in points.chunks(LOOKUP_KEYS_MAX) {
            self.lookup(points, &mut visit)?;
        }
        wide.into_iter().try_for_each(|range| self.scan(range, window, &mut visit))
    }

    fn lookup(
        &self,
        points: &[&KeyRange],
        visit: &mut impl FnMut(u64) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let limbs = self.tree.limbs();
        let keys: Vec<u64> =
            points.iter().flat_map(|range| range.min.limbs(limbs)).copied().collect();
        let batch = self.tree.lookup_batch(&keys, None)?;
        let payloads = batch.payload.chunks_exact(self.tree.payload_width());
        for (payload, _) in payloads.zip(&batch.found).filter(|&(_, &found)| found) {
            visit(timestamp_of(payload))?;
        }
        Ok(())
    }

    fn scan(
        &self,
        range: &KeyRange,
        window: Window,
        visit: &mut impl FnMut(u64) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let limbs = self.tree.limbs();
        let (mut min, mut max) = ([0; KEY_LIMBS_MAX], [0; KEY_LIMBS_MAX]);
        let prefix = if self.unique { limbs } else { limbs - 1 };
        min[..prefix].copy_from_slice(range.min.limbs(prefix));
        max[..prefix].copy_from_slice(range.max.limbs(prefix));
        if !self.unique {
            min[prefix] = window.min;
            max[prefix] = window.max;
        }
        let mut scan = self.tree.clone().scan(&min[..limbs], &max[..limbs], Direction::Ascending);
        while scan.advance()? {
            visit(if self.unique { timestamp_of(scan.payload()) } else { scan.key()[prefix] })?;
        }
        Ok(())
    }
}

/// The timestamp in the payload of a unique tree.
fn timestamp_of(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().expect("a unique tree has a timestamp as payload"))
}
