//! Blocks that were read lately, within a budget of bytes.
//!
//! The key is the block's address and half of its checksum: a sector that is freed and written
//! again has another key, so the cache never has to be told.
//!
//! Index blocks and filters stay in memory as long as their table: they are pinned, and what is
//! pinned is taken off the budget that is left for blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::FixedState;
use quick_cache::{Weighter, sync::Cache};

use super::block::{Block, BlockRef};

type CacheKey = (u64, u64);

#[derive(Clone)]
struct Bytes;

impl Weighter<CacheKey, Arc<Block>> for Bytes {
    fn weight(&self, _: &CacheKey, block: &Arc<Block>) -> u64 {
        (block.bytes().len() + PARSED_SIZE_ESTIMATE) as u64
    }
}

/// A cache of blocks.
pub(crate) struct BlockCache {
    cache: Cache<CacheKey, Arc<Block>, Bytes, FixedState>,
    /// The whole budget.
    size: u64,
    pinned: Arc<AtomicU64>,
}

/// Memory that is taken off the budget as long as this lives.
#[derive(Debug)]
pub(crate) struct Pinned {
    pinned: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.pinned.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The part of the budget that blocks keep, whatever is pinned.
const BLOCKS_SHARE_MIN: u64 = 8;

/// What the parsed lanes of a block are expected to take beside its bytes.
const PARSED_SIZE_ESTIMATE: usize = 1024;

/// What a block is expected to take, to size the cache's own tables.
const BLOCK_SIZE_ESTIMATE: u64 = 16 * 1024;

impl BlockCache {
    pub(crate) fn new(size: u64) -> Self {
        let items = usize::try_from(size / BLOCK_SIZE_ESTIMATE).unwrap_or(usize::MAX).max(16);
        BlockCache {
            cache: Cache::with(
                items,
                size,
                Bytes,
                FixedState::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            size,
            pinned: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Takes memory off the budget; blocks make room for it at once.
    pub(crate) fn pin(&self, bytes: usize) -> Pinned {
        let bytes = bytes as u64;
        let pinned = self.pinned.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let blocks = self.size.saturating_sub(pinned).max(self.size / BLOCKS_SHARE_MIN);
        self.cache.set_capacity(blocks);
        Pinned { pinned: self.pinned.clone(), bytes }
    }

    /// Bytes that are taken off the budget at the moment.
    pub(crate) fn pinned(&self) -> u64 {
        self.pinned.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, reference: &BlockRef) -> Option<Arc<Block>> {
        self.cache.get(&key(reference))
    }

    pub(crate) fn insert(&self, reference: &BlockRef, block: Arc<Block>) {
        self.cache.insert(key(reference), block);
    }
}

fn key(reference: &BlockRef) -> CacheKey {
    let checksum = if defect!(BlocksCachedByAddress) { 0 } else { reference.checksum as u64 };
    (reference.address, checksum)
}
