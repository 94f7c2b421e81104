//! The tree of a unique index: encoded key to timestamp.

use std::fmt;
use std::sync::Arc;

use crate::error::{InsertError, ReadError, UpdateError};
use crate::field::{Describe, Described};
use crate::key_hash::HashedKey;
use crate::memory::{Key, limbs_to_key};
use crate::tree::{LookupBatch, Tree, TreeRead};

use super::prefetched::Prefetched;

/// The timestamp that stands for "orphaned": no object ever has it.
const ORPHAN: u64 = 0;

/// What a unique key leads to.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueEntry {
    /// The object with this timestamp.
    Object(u64),
    /// The key can never be used.
    Orphaned,
}

/// The tree of a unique index, on the writer's side. `K`: limbs of the key.
///
/// Part of what the derive generates; see [`Object`](crate::Object).
pub struct UniqueTree<const K: usize> {
    tree: Tree<K>,
    groove: &'static str,
    index: &'static str,
    /// Answers that a prefetch read from [`Tree::tip`]; what is asked before that comes before them, too.
    prefetched: Prefetched<K>,
}

impl<const K: usize> fmt::Debug for UniqueTree<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UniqueTree").field("index", &self.index).finish_non_exhaustive()
    }
}

impl UniqueEntry {
    /// Reads the payload of a unique tree.
    pub(crate) fn decode(payload: &[u8]) -> UniqueEntry {
        match u64::from_le_bytes(payload.try_into().expect("a unique tree holds timestamps")) {
            ORPHAN => UniqueEntry::Orphaned,
            timestamp => UniqueEntry::Object(timestamp),
        }
    }
}

impl<const K: usize> UniqueTree<K> {
    pub(super) fn new(tree: Tree<K>, groove: &'static str, index: &'static str) -> Self {
        UniqueTree { tree, groove, index, prefetched: Prefetched::new(8) }
    }

    pub(super) fn tree_mut(&mut self) -> &mut Tree<K> {
        &mut self.tree
    }

    fn entry(&self, key: &Key<K>) -> Result<Option<UniqueEntry>, ReadError> {
        let hashed = HashedKey::new(key);
        if self.prefetched.is_empty() {
            // It comes while the open scope is asked.
            self.tree.tip().touch(&hashed);
        }
        if let Some(recent) = self.tree.lookup_recent(key) {
            return Ok(recent.map(UniqueEntry::decode));
        }
        if let Some(prefetched) = self.prefetched.get(key) {
            return Ok(prefetched.map(UniqueEntry::decode));
        }
        let mut payload = [0; 8];
        Ok(self
            .tree
            .tip()
            .find_hashed(&hashed, &mut payload)?
            .then(|| UniqueEntry::decode(&payload)))
    }

    /// Checks that `key` is not taken; `value` is shown in the error.
    ///
    /// # Errors
    /// [`InsertError::Duplicate`] or [`InsertError::Orphaned`] if it is taken.
    pub fn check_insert(
        &self,
        key: Option<[u64; K]>,
        value: &dyn Describe,
    ) -> Result<(), InsertError> {
        let Some(key) = key else { return Ok(()) };
        let (groove, field) = (self.groove, self.index);
        match self.entry(&key)? {
            None => Ok(()),
            Some(UniqueEntry::Object(timestamp)) => {
                let value = Described(value).to_string();
                Err(InsertError::Duplicate { groove, field, value, timestamp })
            }
            Some(UniqueEntry::Orphaned) => {
                let value = Described(value).to_string();
                Err(InsertError::Orphaned { groove, field, value })
            }
        }
    }

    /// Checks that an update leaves the key as it is.
    ///
    /// # Errors
    /// [`UpdateError::UniqueChanged`] if `old` and `new` differ.
    pub fn check_update(
        &self,
        old: Option<[u64; K]>,
        new: Option<[u64; K]>,
        old_value: &dyn Describe,
        new_value: &dyn Describe,
    ) -> Result<(), UpdateError> {
        if old == new {
            return Ok(());
        }
        Err(UpdateError::UniqueChanged {
            groove: self.groove,
            field: self.index,
            old: Described(old_value).to_string(),
            new: Described(new_value).to_string(),
        })
    }

    /// Puts the entry of an object that has a key.
    pub fn insert(&mut self, key: Option<[u64; K]>, timestamp: u64) {
        if let Some(key) = key {
            self.tree.put(key, &timestamp.to_le_bytes());
        }
    }

    /// Removes the entry of an object that has a key.
    pub fn remove(&mut self, key: Option<[u64; K]>, _timestamp: u64) {
        if let Some(key) = key.filter(|_| !defect!(RemovedKeyStays)) {
            self.tree.remove(key);
        }
    }
}

/// A unique tree without its key width: for look-ups by a key given at run time.
#[doc(hidden)]
pub trait AnyUniqueTree: Send {
    fn lookup(&self, key: &[u64]) -> Result<Option<UniqueEntry>, ReadError>;
    fn orphan(&mut self, key: &[u64]);
    /// Takes answers that were read ahead: keys (limbs one after the other) and what was found.
    fn remember(&mut self, keys: &[u64], answers: LookupBatch);
    fn forget_remembered(&mut self);
    /// See [`Tree::tip`].
    fn tip(&self) -> Arc<dyn TreeRead>;
}

impl<const K: usize> AnyUniqueTree for UniqueTree<K> {
    fn lookup(&self, key: &[u64]) -> Result<Option<UniqueEntry>, ReadError> {
        self.entry(&limbs_to_key(key))
    }

    fn orphan(&mut self, key: &[u64]) {
        self.tree.put(limbs_to_key(key), &ORPHAN.to_le_bytes());
    }

    fn remember(&mut self, keys: &[u64], answers: LookupBatch) {
        self.prefetched.add(keys.as_chunks::<K>().0, answers);
    }

    fn forget_remembered(&mut self) {
        self.prefetched.clear();
    }

    fn tip(&self) -> Arc<dyn TreeRead> {
        self.tree.tip().clone()
    }
}
