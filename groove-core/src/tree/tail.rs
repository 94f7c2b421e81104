//! The tail of a tree: what short commits changed and is no run of the mutable table yet.
//!
//! A run, a merge with others and a version cost a commit of one record several times what its log entry
//! costs, in each tree that it touches. So its changes are put down only, and whoever publishes makes one
//! version for all commits that one sync brought to the disk. When it becomes a run depends on the commits alone:
//! on their changes and on the lengths of their entries, and not on who published what of it.

use std::sync::{Arc, PoisonError};

use crate::memory::Pending;
use crate::sync::{Mutex, MutexGuard};

use super::read::TreeRead;
use super::version::TreeVersion;

/// A tail has fewer changes: what would not fit makes it a run. Each version sorts it anew, so it is to be short: with 64 a
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

    /// Adds the changes of a commit.
    pub(super) fn extend(&self, pending: &Pending<K>) {
        self.lock().changes.extend(pending);
    }

    /// The tree with the first changes.
    pub(super) fn version_of(&self, mut length: usize) -> Arc<TreeVersion<K>> {
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

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // A panic in here makes the handle dead, and what is there stays right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const K: usize> TreeParts for Tail<K> {
    fn version(self: Arc<Self>, length: usize) -> Arc<dyn TreeRead> {
        self.version_of(length)
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

    fn tree(usage: Usage, payload_width: usize) -> Tree<1> {
        let meta = TreeMeta {
            id: 1,
            name: "items.id".into(),
            usage,
            key_width: 8,
            payload_width,
            lanes: crate::table::plain_lanes(payload_width),
            filter: false,
            layout: TableLayout::new(8, payload_width, 1, false, 4096, 4).unwrap(),
            template: Default::default(),
        };
        let grid = Arc::new(Grid::new(Arc::new(MemoryStorage::new()), [0; 16], 1 << 20));
        Tree::new(Arc::new(meta), grid)
    }

    /// What a version is made of stays what it is while the writer adds to the tail, makes it a run, seals
    /// it, gives changes to another thread, and discards scopes.
    #[test]
    fn a_version_is_that_of_its_op_whenever_it_is_made() {
        let mut state = 20_261_128_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % end
        };
        for usage in [Usage::Map, Usage::Set] {
            let width = if usage == Usage::Map { 8 } else { 0 };
            let mut tree = tree(usage, width);
            let mut model: BTreeMap<u64, u64> = BTreeMap::new();
            let mut versions = Vec::new();
            let (mut tails, mut given, mut is_sealed) = (0, 0, false);
            for op in 0..2_000_u64 {
                let mark = tree.mark();
                let mut changed = model.clone();
                let lengths = [1, 1, 1, 3, TAIL_LENGTH as u64 + 9];
                for _ in 0..lengths[random(5) as usize / (1 + op as usize % 2)] {
                    let key = random(90);
                    // An index entry is removed if it is there, and put if it is not.
                    let remove = match usage {
                        Usage::Map => random(4) == 0,
                        Usage::Set => changed.contains_key(&key),
                    };
                    if remove {
                        tree.remove([key]);
                        changed.remove(&key);
                    } else {
                        tree.put([key], &op.to_le_bytes()[..width]);
                        changed.insert(key, op);
                    }
                    if usage == Usage::Map {
                        let recent = tree.lookup_recent(&[key]).expect("it was changed");
                        assert_eq!(recent.is_some(), changed.contains_key(&key));
                    }
                }
                if random(4) == 0 {
                    check(&*AnyTree::scope_version(&mut tree), usage, &changed);
                }
                if !is_sealed && random(400) == 0 {
                    // As the end of a bar does, before the scope is committed.
                    tree.seal();
                    is_sealed = true;
                }
                match random(10) {
                    0 | 1 => tree.discard(mark),
                    2 => {
                        let mut count = 0;
                        let expected = tree.change_count();
                        tree.drain_pending(&mut |_, _| count += 1);
                        assert_eq!(count, expected);
                    }
                    3 => {
                        // The log could not be written, before or behind the end of the others' work.
                        let changes = tree.begin_commit();
                        if random(2) == 0 {
                            drop(changes.commit());
                        }
                        tree.discard(mark);
                    }
                    4 => {
                        given += 1;
                        let changes = tree.begin_commit();
                        tree.end_commit(changes.commit());
                        model = changed;
                    }
                    kind => {
                        tree.commit(kind > 5);
                        model = changed;
                    }
                }
                versions.push((tree.parts(), model.clone()));
                tails += usize::from(tree.tail.is_some());
                if versions.len() > 3 {
                    let at = random(versions.len() as u64) as usize;
                    let ((parts, length), model) = versions.swap_remove(at);
                    check(&*parts.version(length), usage, &model);
                }
            }
            assert!(tails > 100 && given > 100 && is_sealed, "{tails} {given}");
        }
    }

    fn check(version: &dyn TreeRead, usage: Usage, model: &BTreeMap<u64, u64>) {
        for key in 0..90 {
            let found = match usage {
                Usage::Map => {
                    let mut payload = [0; 8];
                    let found = version.lookup(&[key], &mut payload).unwrap();
                    assert!(!found || u64::from_le_bytes(payload) == model[&key]);
                    u64::from(found)
                }
                Usage::Set => version.count(&[key], &[key]).unwrap(),
            };
            assert_eq!(found, u64::from(model.contains_key(&key)), "key {key}");
        }
        if usage == Usage::Set {
            assert_eq!(version.count(&[0], &[u64::MAX]).unwrap(), model.len() as u64);
        }
    }

    /// Short commits made runs with a large one if no threads were there to take that, and runs of their own
    /// if there were; trees that the large one left alone kept their tails in the one case only. So the file
    /// depended on the number of threads. Now every commit that is not short ends the tails of all trees.
    #[test]
    fn a_commit_that_is_not_short_ends_the_tail_whether_it_changes_the_tree_or_not() {
        let lengths = |tree: &Tree<1>| -> Vec<usize> {
            tree.tip().runs_newest_first().map(|run| run.len()).collect()
        };
        for changes in [0, 40] {
            let trees = [false, true].map(|is_given| {
                let mut tree = tree(Usage::Map, 8);
                for key in 0..3_u64 {
                    tree.put([key], &[0; 8]);
                    tree.commit(true);
                }
                assert!(tree.tail.is_some() && lengths(&tree).is_empty());
                (0..changes).for_each(|key| tree.put([key], &[1; 8]));
                if is_given {
                    let changes = tree.begin_commit();
                    tree.end_commit(changes.commit());
                } else {
                    tree.commit(false);
                }
                assert!(tree.tail.is_none());
                lengths(&tree)
            });
            assert_eq!(trees[0], trees[1]);
        }
    }
}
