//! Blocks that were read lately, within a budget of bytes.
//!
//! The key is the block's address and half of its checksum: a sector that is freed and written
//! again has another key, so the cache never has to be told.

use std::sync::Arc;

use foldhash::fast::FixedState;
use quick_cache::{Weighter, sync::Cache};

use super::block::BlockRef;

type CacheKey = (u64, u64);

#[derive(Clone)]
struct Bytes;

impl Weighter<CacheKey, Arc<[u8]>> for Bytes {
    fn weight(&self, _: &CacheKey, block: &Arc<[u8]>) -> u64 {
        block.len() as u64
    }
}

/// A cache of blocks.
pub(crate) struct BlockCache {
    cache: Cache<CacheKey, Arc<[u8]>, Bytes, FixedState>,
}

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
        }
    }

    pub(crate) fn get(&self, reference: &BlockRef) -> Option<Arc<[u8]>> {
        self.cache.get(&key(reference))
    }

    pub(crate) fn insert(&self, reference: &BlockRef, block: Arc<[u8]>) {
        self.cache.insert(key(reference), block);
    }
}

fn key(reference: &BlockRef) -> CacheKey {
    (reference.address, reference.checksum as u64)
}
