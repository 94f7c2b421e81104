//! The tree of a non-unique index: encoded key and timestamp, no payload.

use std::fmt;

use crate::tree::Tree;

/// The tree of a non-unique index, on the writer's side. `K`: limbs of the key, the timestamp
/// included.
///
/// Part of what the derive generates; see [`Object`](crate::Object).
pub struct IndexTree<const K: usize> {
    tree: Tree<K>,
}

impl<const K: usize> fmt::Debug for IndexTree<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.tree.meta().name;
        formatter.debug_struct("IndexTree").field("name", name).finish_non_exhaustive()
    }
}

impl<const K: usize> IndexTree<K> {
    pub(super) fn new(tree: Tree<K>) -> Self {
        IndexTree { tree }
    }

    pub(super) fn tree_mut(&mut self) -> &mut Tree<K> {
        &mut self.tree
    }

    /// Puts the entry of an object that has a key.
    pub fn insert(&mut self, key: Option<[u64; K]>, timestamp: u64) {
        if let Some(mut key) = key {
            key[K - 1] = timestamp;
            self.tree.put(key, &[]);
        }
    }

    /// Removes the entry of an object that has a key.
    pub fn remove(&mut self, key: Option<[u64; K]>, timestamp: u64) {
        if let Some(mut key) = key {
            key[K - 1] = timestamp;
            self.tree.remove(key);
        }
    }

    /// Moves the entry if the key changed, and does nothing otherwise.
    pub fn update(&mut self, old: Option<[u64; K]>, new: Option<[u64; K]>, timestamp: u64) {
        if old != new {
            if !defect!(UpdateLeavesEntry) {
                self.remove(old, timestamp);
            }
            self.insert(new, timestamp);
        }
    }
}
