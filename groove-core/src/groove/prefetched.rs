//! What a prefetch read in one tree, to be found by key until the scope ends.
//!
//! Keys are mostly asked for in the order in which they were enqueued, so the answer to the next question
//! is looked for behind the last one. Only a key that is not there needs a hash table, which is built
//! then.

use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::memory::Key;
use crate::tree::LookupBatch;

/// So many answers behind the last one are looked at: keys may have been asked for less often than they
/// were enqueued.
const AHEAD: usize = 4;

/// Answers of a tree: for each key its payload, or that there is none.
#[derive(Debug)]
pub(super) struct Prefetched<const K: usize> {
    width: usize,
    keys: Vec<Key<K>>,
    found: Vec<bool>,
    payload: Vec<u8>,
    /// Behind the last answer that was asked for.
    next: AtomicUsize,
    /// Positions by key.
    table: OnceLock<HashTable<u32>>,
    hasher: FixedState,
}

impl<const K: usize> Prefetched<K> {
    /// For payloads of `width` bytes.
    pub(super) fn new(width: usize) -> Self {
        Prefetched {
            width,
            keys: Vec::new(),
            found: Vec::new(),
            payload: Vec::new(),
            next: AtomicUsize::new(0),
            table: OnceLock::new(),
            hasher: FixedState::default(),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.width);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes answers in the order of their keys.
    pub(super) fn add(&mut self, keys: &[Key<K>], mut answers: LookupBatch) {
        assert_eq!(keys.len(), answers.found.len(), "an answer per key");
        assert_eq!(keys.len() * self.width, answers.payload.len(), "payloads of the tree");
        self.table = OnceLock::new();
        self.keys.extend_from_slice(keys);
        self.found.append(&mut answers.found);
        match self.payload.is_empty() {
            true => self.payload = answers.payload,
            false => self.payload.append(&mut answers.payload),
        }
    }

    /// The answer for a key: `None` if it was not prefetched, `Some(None)` if nothing has it.
    #[inline]
    pub(super) fn get(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        let next = self.next.load(Ordering::Relaxed);
        let ahead = self.keys.get(next..self.keys.len().min(next + AHEAD)).unwrap_or_default();
        let at = match ahead.iter().position(|other| other == key) {
            Some(steps) => next + steps,
            None => self.find(key)?,
        };
        self.next.store(at + 1, Ordering::Relaxed);
        Some(self.found[at].then(|| &self.payload[at * self.width..(at + 1) * self.width]))
    }

    fn find(&self, key: &Key<K>) -> Option<usize> {
        if self.keys.is_empty() {
            return None;
        }
        let table = self.table.get_or_init(|| self.build());
        let is_it = |at: &u32| self.keys[*at as usize] == *key;
        table.find(self.hasher.hash_one(key), is_it).map(|at| *at as usize)
    }

    /// Of a key that was enqueued several times, one position: the answers are equal.
    fn build(&self) -> HashTable<u32> {
        let mut table = HashTable::with_capacity(self.keys.len());
        for (key, at) in self.keys.iter().zip(0_u32..) {
            let is_it = |other: &u32| self.keys[*other as usize] == *key;
            let hash = |other: &u32| self.hasher.hash_one(self.keys[*other as usize]);
            if let Entry::Vacant(place) = table.entry(self.hasher.hash_one(key), is_it, hash) {
                place.insert(at);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: &[Key<1>]) -> LookupBatch {
        let found: Vec<bool> = keys.iter().map(|key| !key[0].is_multiple_of(3)).collect();
        let payload = keys.iter().zip(&found);
        let payload =
            payload.flat_map(|(key, found)| if *found { key[0] } else { 0 }.to_le_bytes());
        LookupBatch { payload: payload.collect(), found, blocks: 0 }
    }

    fn check(prefetched: &Prefetched<1>, key: u64) {
        let expected = (!key.is_multiple_of(3)).then(|| key.to_le_bytes());
        let found = prefetched.get(&[key]).expect("it was prefetched");
        assert_eq!(found, expected.as_ref().map(|bytes| &bytes[..]), "{key}");
    }

    #[test]
    fn answers_are_found_in_any_order_whichever_prefetch_read_them() {
        let keys: Vec<Key<1>> = [5, 1, 9, 9, 2, 1, 30, 31, 32, 33, 34, 35].map(|key| [key]).into();
        let more: Vec<Key<1>> = [100, 2, 101, 6].map(|key| [key]).into();
        let mut prefetched = Prefetched::new(8);
        assert_eq!(prefetched.get(&[5]), None);
        prefetched.add(&keys, batch(&keys));
        let in_order = keys.iter().map(|key| key[0]);
        in_order.clone().for_each(|key| check(&prefetched, key));
        assert!(prefetched.table.get().is_none(), "in order there is nothing to search");
        in_order.clone().rev().for_each(|key| check(&prefetched, key));
        assert_eq!(prefetched.get(&[7]), None);
        prefetched.add(&more, batch(&more));
        in_order.chain([6, 100, 2, 101]).for_each(|key| check(&prefetched, key));
        assert_eq!(prefetched.get(&[7]), None);
        prefetched.clear();
        assert_eq!(prefetched.get(&[5]), None);
    }
}
