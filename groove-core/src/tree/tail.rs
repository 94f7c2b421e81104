//! The tail of a tree: what short commits changed and is no run of the mutable table yet.
//!
//! A run, a merge with others and a version cost a commit of one record several times what its log entry
//! costs, in each tree that it touches. So its changes are put down only, and whoever publishes makes one
//! version for all commits that one sync brought to the disk. How long a tail gets depends on the commits
//! alone: when it becomes a run is the same whoever published what of it.

use std::sync::{Arc, PoisonError};

use crate::memory::Pending;
use crate::sync::{Mutex, MutexGuard};

use super::read::TreeRead;
use super::version::TreeVersion;

/// From so many changes on a tail is made a run. Each version sorts it anew, so it is to be short: with 64 a
/// commit of a single thread took 6 µs more.
pub(super) const TAIL_LENGTH: usize = if cfg!(shuttle) { 6 } else { 16 };

/// What a version of a tree can be made of.
pub(crate) trait TreeParts: Send + Sync {
    /// The tree with the first `length` changes of its tail.
    fn version(self: Arc<Self>, length: usize) -> Arc<dyn TreeRead>;
}

impl<const K: usize> TreeParts for TreeVersion<K> {
    fn version(self: Arc<Self>, length: usize) -> Arc<dyn TreeRead> {
        assert_eq!(length, 0, "there is no tail");
        self
    }
}

/// A tree's version before the tail, and the tail: the writer adds to it while others make versions.
pub(super) struct Tail<const K: usize> {
    before: Arc<TreeVersion<K>>,
    state: Mutex<State<K>>,
}

struct State<const K: usize> {
    changes: Pending<K>,
    /// The version that was made last, and of how many changes: a tree that the next commits leave alone
    /// keeps it.
    made: Option<(usize, Arc<TreeVersion<K>>)>,
}

impl<const K: usize> Tail<K> {
    pub(super) fn new(before: Arc<TreeVersion<K>>) -> Self {
        let meta = before.meta();
        let mut changes = Pending::new(meta.usage, meta.payload_width);
        changes.set_replay(true);
        Tail { before, state: Mutex::new(State { changes, made: None }) }
    }

    /// Adds the pending changes from a position on.
    pub(super) fn extend(&self, pending: &Pending<K>, from: usize) {
        self.lock().changes.extend(pending, from);
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // A panic in here makes the handle dead, and what is there stays right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const K: usize> TreeParts for Tail<K> {
    fn version(self: Arc<Self>, mut length: usize) -> Arc<dyn TreeRead> {
        let mut state = self.lock();
        if defect!(TailTooNew) {
            length = state.changes.len();
        }
        if defect!(TailForgotten) {
            length = 0;
        }
        match &state.made {
            Some((made, version)) if *made == length => version.clone(),
            _ => {
                let run = state.changes.sorted_run(length);
                let version = Arc::new(self.before.with_changes(run));
                state.made = Some((length, version.clone()));
                version
            }
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::grid::Grid;
    use crate::memory::Usage;
    use crate::storage::MemoryStorage;
    use crate::table::{TableLayout, TreeMeta};
    use crate::tree::{AnyTree, Tree};

    /// What a version is made of stays what it is while the writer adds to the tail, makes it a run, seals
    /// it, and discards scopes.
    #[test]
    fn a_version_is_that_of_its_op_whenever_it_is_made() {
        let meta = TreeMeta {
            id: 1,
            name: "items.id".into(),
            usage: Usage::Map,
            key_width: 8,
            payload_width: 8,
            lanes: crate::table::plain_lanes(8),
            filter: false,
            layout: TableLayout::new(8, 8, 1, false, 4096, 4).unwrap(),
            template: Default::default(),
        };
        let grid = Arc::new(Grid::new(Arc::new(MemoryStorage::new()), [0; 16], 1 << 20));
        let mut tree = Tree::<1>::new(Arc::new(meta), grid);
        let mut state = 20_261_128_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % end
        };
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let mut versions = Vec::new();
        let (mut tails, mut is_sealed) = (0, false);
        for op in 0..2_000 {
            let mark = tree.mark();
            let mut changed = model.clone();
            for _ in 0..[1, 1, 1, 3, TAIL_LENGTH as u64 + 9][random(5) as usize / (1 + op % 2)] {
                let key = random(90);
                if random(4) == 0 {
                    tree.remove([key]);
                    changed.remove(&key);
                } else {
                    tree.put([key], &(op as u64).to_le_bytes());
                    changed.insert(key, op as u64);
                }
                let pending = tree.lookup_pending(&[key]).expect("it was changed a moment ago");
                assert_eq!(pending.is_some(), changed.contains_key(&key));
            }
            if !is_sealed && random(400) == 0 {
                // As the end of a bar does, before the scope is committed.
                tree.seal();
                is_sealed = true;
            }
            if random(5) == 0 {
                tree.discard(mark);
            } else {
                tree.commit(random(9) > 0);
                model = changed;
            }
            versions.push((tree.parts(), model.clone()));
            tails += usize::from(tree.tail.is_some());
            if versions.len() > 3 {
                let ((parts, length), model) =
                    versions.swap_remove(random(versions.len() as u64) as usize);
                let version = parts.version(length);
                for key in 0..90 {
                    let mut payload = [0; 8];
                    let found = version.lookup(&[key], &mut payload).unwrap();
                    let found = found.then(|| u64::from_le_bytes(payload));
                    assert_eq!(found, model.get(&key).copied(), "key {key}");
                }
            }
        }
        assert!(tails > 100 && is_sealed, "{tails}");
    }
}
