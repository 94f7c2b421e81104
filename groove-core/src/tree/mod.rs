//! One LSM tree: the changes of the open scope, sorted runs in memory, and levels of tables on disk.
//!
//! The writer owns the [`Tree`]. What readers see is a [`TreeVersion`]: immutable, made anew by each
//! commit that touches the tree. Values go from the open scope to a run (commit), to the immutable
//! table (seal), to level 0 and deeper (compaction); a lookup asks in that order and stops at the
//! first answer.

mod any;
mod key_part;
mod key_scan;
mod levels;
mod read;
mod scan;
pub(crate) mod seeks;
mod verify;
mod version;

use std::sync::Arc;

pub(crate) use any::{AnyTree, Demand, LevelEdit, TableHandle, Uncommitted};
pub(crate) use levels::{LEVELS_MAX, Levels};
pub(crate) use read::{Direction, KeyScan, LookupBatch, Scan, TablesVerified, TreeRead};
pub(crate) use version::TreeVersion;

use crate::grid::Grid;
use crate::memory::{Key, Pending};
use crate::table::TreeMeta;

/// The writer's side of a tree.
pub(crate) struct Tree<const K: usize> {
    meta: Arc<TreeMeta>,
    grid: Arc<Grid>,
    pending: Pending<K>,
    /// The newest state, commits included that are not published yet.
    tip: Arc<TreeVersion<K>>,
    /// The tip with the changes of the open scope on top, and how many changes that were.
    scope_view: Option<(usize, Arc<TreeVersion<K>>)>,
}

impl<const K: usize> Tree<K> {
    pub(crate) fn new(meta: Arc<TreeMeta>, grid: Arc<Grid>) -> Self {
        let tip = Arc::new(TreeVersion::empty(meta.clone(), grid.clone()));
        let pending = Pending::new(meta.usage, meta.payload_width);
        Tree { meta, grid, pending, tip, scope_view: None }
    }

    pub(crate) fn meta(&self) -> &Arc<TreeMeta> {
        &self.meta
    }

    pub(crate) fn put(&mut self, key: Key<K>, payload: &[u8]) {
        self.scope_view = None;
        self.pending.push(key, false, payload);
    }

    pub(crate) fn remove(&mut self, key: Key<K>) {
        self.scope_view = None;
        let zeros = [0; 8];
        if self.meta.payload_width <= zeros.len() {
            self.pending.push(key, true, &zeros[..self.meta.payload_width]);
        } else {
            self.pending.push(key, true, &vec![0; self.meta.payload_width]);
        }
    }

    /// What the open scope says of a key: `None` if nothing. Map trees only.
    pub(crate) fn lookup_pending(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        self.pending.lookup(key)
    }

    /// The keys that the open scope changed, in the order of the calls.
    pub(crate) fn pending_keys(&self) -> &[Key<K>] {
        self.pending.keys()
    }

    /// The newest committed state.
    pub(crate) fn tip(&self) -> &Arc<TreeVersion<K>> {
        &self.tip
    }

    /// The newest committed state with the changes of the open scope on top.
    pub(crate) fn scope_version(&mut self) -> Arc<TreeVersion<K>> {
        if self.pending.is_empty() {
            return self.tip.clone();
        }
        match &self.scope_view {
            Some((length, version)) if *length == self.pending.len() => version.clone(),
            _ => {
                let version = Arc::new(self.tip.with_scope(self.pending.sorted_run()));
                self.scope_view = Some((self.pending.len(), version.clone()));
                version
            }
        }
    }

    fn seal_runs(&mut self) {
        assert!(self.tip.immutable().is_empty(), "the last immutable table is on disk by now");
        self.tip = Arc::new(self.tip.sealed());
    }
}

/// Makes the changes of a scope a part of the version that they are committed on; none are left.
fn commit_pending<const K: usize>(pending: &mut Pending<K>, tip: &mut Arc<TreeVersion<K>>) {
    if pending.is_empty() {
        return;
    }
    let run = pending.take_run();
    if !run.is_empty() {
        *tip = Arc::new(tip.with_run(run));
    }
}
