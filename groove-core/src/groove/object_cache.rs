//! Rows of committed objects that the writer read lately, within a budget of bytes.
//!
//! Changes of the open scope are not in here: they lie above, in the object tree's list of pending
//! changes, which a discarded scope cuts back. So the cache needs no roll-back of its own; a commit
//! drops what it changed.

use foldhash::fast::FixedState;
use quick_cache::{Weighter, unsync::Cache};

#[derive(Clone)]
struct Bytes;

impl Weighter<u64, Box<[u8]>> for Bytes {
    fn weight(&self, _: &u64, row: &Box<[u8]>) -> u64 {
        (row.len() + ENTRY_OVERHEAD) as u64
    }
}

/// What an entry takes beside its row.
const ENTRY_OVERHEAD: usize = 64;

/// Rows by timestamp.
pub(super) struct ObjectCache {
    cache: Cache<u64, Box<[u8]>, Bytes, FixedState>,
}

impl ObjectCache {
    pub(super) fn new(size: u64, row_width: usize) -> Self {
        let items = usize::try_from(size).unwrap_or(usize::MAX) / (row_width + ENTRY_OVERHEAD);
        let lifecycle = quick_cache::unsync::DefaultLifecycle::default();
        ObjectCache {
            cache: Cache::with(items.max(16), size, Bytes, FixedState::default(), lifecycle),
        }
    }

    pub(super) fn get(&self, timestamp: u64) -> Option<&[u8]> {
        self.cache.get(&timestamp).map(|row| &**row)
    }

    pub(super) fn insert(&mut self, timestamp: u64, row: &[u8]) {
        self.cache.insert(timestamp, row.into());
    }

    pub(super) fn remove(&mut self, timestamp: u64) {
        self.cache.remove(&timestamp);
    }

    pub(super) fn clear(&mut self) {
        self.cache.clear();
    }
}
