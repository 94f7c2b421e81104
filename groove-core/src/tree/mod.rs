//! One LSM tree: the changes of the open scope, sorted runs in memory, and levels of tables on disk.
//!
//! The writer owns the [`Tree`]. What readers see is a [`TreeVersion`]: immutable, made anew for each
//! commit that touches the tree, or for those that one sync brought to the disk. Values go from the open
//! scope to a run (commit, or those of a few short commits together: [`tail`]), to the immutable table
//! (seal), to level 0 and deeper (compaction); a lookup asks in that order and stops at the first answer.

mod any;
mod key_part;
mod key_scan;
mod levels;
mod read;
mod removed;
mod scan;
pub(crate) mod seeks;
mod stretch;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod version;

use std::sync::Arc;

pub(crate) use any::{AnyTree, Demand, LevelEdit, TableHandle, Uncommitted};
pub(crate) use levels::{LEVELS_MAX, Levels};
pub(crate) use read::{Direction, KeyScan, LookupBatch, Scan, TablesVerified, TreeRead};
pub(crate) use tail::TreeParts;
pub(crate) use version::TreeVersion;

use crate::grid::Grid;
use crate::memory::{Key, Pending, Run};
use crate::table::TreeMeta;
use tail::{TAIL_LENGTH, Tail};

/// The writer's side of a tree.
pub(crate) struct Tree<const K: usize> {
    meta: Arc<TreeMeta>,
    grid: Arc<Grid>,
    /// The changes of the open scope.
    pending: Pending<K>,
    /// Those of short commits that are no run yet, below [`TAIL_LENGTH`] of them.
    short: Pending<K>,
    /// The same, for whoever makes versions of them; none if there are none.
    tail: Option<Arc<Tail<K>>>,
    /// The newest state without both, commits included that are not published yet.
    tip: Arc<TreeVersion<K>>,
    /// What is committed with the changes of the open scope on top, and how many these were.
    scope_view: Option<(usize, Arc<TreeVersion<K>>)>,
}

impl<const K: usize> Tree<K> {
    pub(crate) fn new(meta: Arc<TreeMeta>, grid: Arc<Grid>) -> Self {
        let tip = Arc::new(TreeVersion::empty(meta.clone(), grid.clone()));
        let pending = Pending::new(meta.usage, meta.payload_width);
        let mut short = Pending::new(meta.usage, meta.payload_width);
        // It has no hash table.
        short.set_replay(true);
        Tree { meta, grid, pending, short, tail: None, tip, scope_view: None }
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

    /// What the open scope says of a key, or what was committed and is not in [`Tree::tip`] yet: `None` if
    /// nothing. Map trees only.
    pub(crate) fn lookup_recent(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        self.pending.lookup(key).or_else(|| self.short.search(key))
    }

    /// The keys that the open scope changed, in the order of the calls.
    pub(crate) fn pending_keys(&self) -> &[Key<K>] {
        self.pending.keys()
    }

    /// The newest committed state, but for what [`Tree::lookup_recent`] tells.
    pub(crate) fn tip(&self) -> &Arc<TreeVersion<K>> {
        &self.tip
    }

    /// The newest committed state.
    fn committed(&self) -> Arc<TreeVersion<K>> {
        let tail = self.tail.as_ref().map(|tail| tail.version_of(self.short.len()));
        tail.unwrap_or_else(|| self.tip.clone())
    }

    /// The newest committed state with the changes of the open scope on top.
    pub(crate) fn scope_version(&mut self) -> Arc<TreeVersion<K>> {
        if self.pending.is_empty() {
            return self.committed();
        }
        match &self.scope_view {
            Some((length, version)) if *length == self.pending.len() => version.clone(),
            _ => {
                let run = self.pending.sorted_run(self.pending.len());
                let version = Arc::new(self.committed().with_changes(run));
                self.scope_view = Some((self.pending.len(), version.clone()));
                version
            }
        }
    }

    fn commit(&mut self, is_short: bool) {
        self.scope_view = None;
        if !is_short || self.short.len() + self.pending.len() >= TAIL_LENGTH {
            self.end_tail();
        }
        if self.pending.is_empty() {
            return;
        }
        if is_short && self.pending.len() < TAIL_LENGTH {
            let tail = self.tail.get_or_insert_with(|| Arc::new(Tail::new(self.tip.clone())));
            tail.extend(&self.pending);
            self.short.extend(&self.pending);
            self.pending.finish();
        } else {
            add_run(&mut self.tip, self.pending.take_run());
        }
    }

    /// Makes the changes of short commits a run.
    fn end_tail(&mut self) {
        if self.tail.take().is_some() {
            self.scope_view = None;
            add_run(&mut self.tip, self.short.take_run());
        }
    }

    fn seal_runs(&mut self) {
        self.end_tail();
        assert!(self.tip.immutable().is_empty(), "the last immutable table is on disk by now");
        self.tip = Arc::new(self.tip.sealed());
    }
}

/// Makes a run part of a version.
fn add_run<const K: usize>(tip: &mut Arc<TreeVersion<K>>, run: Run<K>) {
    if !run.is_empty() {
        *tip = Arc::new(tip.with_run(run));
    }
}
