//! All trees of a forest as they were after some op.

use std::fmt;
use std::sync::Arc;

use crate::tree::TreeRead;

/// All trees of a forest as they were after some op. Nothing in it changes.
#[doc(hidden)]
pub struct ForestVersion {
    op: u64,
    /// Per groove the object tree, then its index trees.
    trees: Box<[Arc<dyn TreeRead>]>,
    object_counts: Box<[u64]>,
}

impl fmt::Debug for ForestVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ForestVersion").field("op", &self.op).finish_non_exhaustive()
    }
}

impl ForestVersion {
    pub(super) fn new(op: u64, trees: Vec<Arc<dyn TreeRead>>, object_counts: Vec<u64>) -> Self {
        ForestVersion { op, trees: trees.into(), object_counts: object_counts.into() }
    }

    pub(crate) fn op(&self) -> u64 {
        self.op
    }

    pub(crate) fn trees(&self) -> &[Arc<dyn TreeRead>] {
        &self.trees
    }

    pub(crate) fn object_count(&self, groove: usize) -> u64 {
        self.object_counts[groove]
    }
}
