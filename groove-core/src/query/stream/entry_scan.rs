//! The timestamps under one key of an index tree, straight from a scan.

use std::sync::Arc;

use crate::error::QueryError;
use crate::tree::{Direction, KeyScan, TreeRead};

use super::{Stream, Window};

/// The entries of one key of an index tree: the last limb of an entry is its timestamp, so the order of
/// the tree is the order of the stream.
///
/// Nothing is read before the first [`Stream::seek`], and nothing before its target.
pub(crate) struct EntryScan {
    scan: Box<dyn KeyScan>,
}

impl EntryScan {
    /// The entries of `tree` whose key is `prefix` and a timestamp in `window`.
    pub(crate) fn new(
        tree: Arc<dyn TreeRead>,
        prefix: &[u64],
        window: Window,
        direction: Direction,
    ) -> EntryScan {
        let limbs = tree.limbs();
        assert_eq!(prefix.len() + 1, limbs, "the timestamp is the last limb of the key");
        let scan = tree.scan_key(prefix, (window.min, window.max), direction);
        EntryScan { scan }
    }
}

impl Stream for EntryScan {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        Ok(self.scan.seek(target)?)
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        Ok(self.scan.fill(target, count, out)?)
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        Ok(self.scan.retain(ranks)?)
    }

    fn density(&self) -> Option<f64> {
        self.scan.density()
    }
}
