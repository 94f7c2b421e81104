//! All trees of a forest as they were after some op.

use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::sync::Mutex;
use crate::tree::{TreeParts, TreeRead};

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

/// What the version of an op can be made of. Of most ops none is made: one sync brings several to the disk, and
/// the newest of them is published.
pub(super) struct VersionParts {
    op: u64,
    /// As those of a version, with the length of their tails.
    trees: Vec<(Arc<dyn TreeParts>, usize)>,
    object_counts: Vec<u64>,
    made: Mutex<Option<Arc<ForestVersion>>>,
}

impl VersionParts {
    pub(super) fn new(
        op: u64,
        trees: Vec<(Arc<dyn TreeParts>, usize)>,
        object_counts: Vec<u64>,
    ) -> Self {
        VersionParts { op, trees, object_counts, made: Mutex::new(None) }
    }

    pub(super) fn op(&self) -> u64 {
        self.op
    }

    /// The version, made by the first call.
    pub(super) fn version(&self) -> Arc<ForestVersion> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let trees = self.trees.iter();
            let trees = trees.map(|(parts, length)| parts.clone().version(*length)).collect();
            Arc::new(ForestVersion::new(self.op, trees, self.object_counts.clone()))
        };
        made.get_or_insert_with(make).clone()
    }
}
