//! The grid: the region of the file that holds tables, the manifest log and the schema.
//!
//! A block is addressed by a [`BlockRef`], which its parent holds: where it is, how long, and the
//! checksum of its bytes. No byte of a block is interpreted before the checksum agrees, so a rotten,
//! stale or misplaced block is an error and never data. Blocks are immutable once they are referred to.

mod block;
mod cache;
mod free_set;
mod hits;
mod slab;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use block::{BLOCK_HEADER_SIZE, BlockHeader, BlockInfo, BlockRef, seal_block};
use cache::BlockCache;
pub(crate) use cache::{Pinned, Shelf, ShelfGuard};
pub(crate) use free_set::{Extent, FreeSet};
use hits::Hits;
pub(crate) use slab::BlockBytes;
use slab::Slab;

use crate::checksum::checksum;
use crate::error::{BlockKind, Corruption, Damage, ReadError};
use crate::storage::{ReadSpan, Storage};

/// Sectors that `bytes` take.
pub(crate) fn sectors(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(crate::constants::SECTOR_SIZE)).expect("a block is below 4 GiB")
}

/// Reads and writes blocks, through a cache.
pub(crate) struct Grid {
    storage: Arc<dyn Storage>,
    cache: BlockCache,
    /// Where what the cache has lies.
    slab: Slab,
    file_id: [u8; 16],
    blocks_read: AtomicU64,
    hits: Hits,
    /// Bytes that one query may hold for what it collects.
    query_memory: u64,
}

impl Grid {
    pub(crate) fn new(storage: Arc<dyn Storage>, file_id: [u8; 16], cache_size: u64) -> Self {
        Grid {
            storage,
            cache: BlockCache::new(cache_size),
            slab: Slab::new(0, cache_size),
            file_id,
            blocks_read: AtomicU64::new(0),
            hits: Hits::default(),
            query_memory: u64::MAX,
        }
    }

    /// With memory for blocks of up to so many bytes.
    pub(crate) fn with_block_size(mut self, block_size: usize) -> Self {
        self.slab = Slab::new(block_size, self.cache.size());
        self
    }

    /// Memory for a block that is to be kept, and for what is put behind it.
    pub(crate) fn hold(&self, block: &[u8], behind: &[u8]) -> BlockBytes {
        self.slab.hold(block, behind)
    }

    /// With a limit to the memory of a query.
    pub(crate) fn with_query_memory(mut self, bytes: u64) -> Self {
        self.query_memory = bytes;
        self
    }

    pub(crate) fn query_memory(&self) -> u64 {
        self.query_memory
    }

    pub(crate) fn file_id(&self) -> [u8; 16] {
        self.file_id
    }

    /// Blocks read from the storage so far, and blocks found in the cache.
    pub(crate) fn counters(&self) -> (u64, u64) {
        (self.blocks_read.load(Ordering::Relaxed), self.hits.sum())
    }

    /// Takes memory off the cache's budget.
    pub(crate) fn pin(&self, bytes: usize) -> Pinned {
        self.cache.pin(bytes)
    }

    /// Bytes of index blocks and filters in memory.
    pub(crate) fn pinned(&self) -> u64 {
        self.cache.pinned()
    }

    /// Whether blocks of so many bytes fit into the cache beside all that is there.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.cache.has_room(bytes)
    }

    /// Counts a block that was found on its shelf; `is_new` as the shelf says. The caller holds no
    /// guard of a shelf.
    #[inline]
    pub(crate) fn hit(&self, is_new: bool, reference: impl FnOnce() -> BlockRef) {
        if self.hits.add(1).next().is_some() || is_new {
            self.cache.touch(&reference());
        }
    }

    /// Counts so many blocks as [`Grid::hit`] does; `new` are the numbers of those that are new.
    pub(crate) fn hits(&self, count: usize, new: &[usize], reference: impl Fn(usize) -> BlockRef) {
        for number in self.hits.add(count).chain(new.iter().copied()) {
            self.cache.touch(&reference(number));
        }
    }

    /// Puts a block on its shelf, if the cache has room for it; it takes `bytes`.
    pub(crate) fn keep<T: Send + Sync + 'static>(
        &self,
        reference: &BlockRef,
        shelf: &Arc<Shelf<T>>,
        place: usize,
        block: T,
        bytes: usize,
    ) {
        self.cache.insert(reference, shelf, place, block, bytes);
    }

    /// Reads a block past the cache.
    pub(crate) fn read_uncached(
        &self,
        reference: &BlockRef,
        kind: BlockKind,
        tree: Option<&Arc<str>>,
    ) -> Result<Vec<u8>, ReadError> {
        let mut bytes = vec![0; reference.length as usize];
        let result = self.storage.read_at(reference.address, &mut bytes);
        self.blocks_read.fetch_add(1, Ordering::Relaxed);
        result.map_err(|error| self.io_error(reference, kind, tree, error))?;
        self.check(reference, kind, tree, &bytes)?;
        Ok(bytes)
    }

    /// Reads many blocks past the cache, with as many reads in flight as the device takes, and gives what
    /// `take` makes of each: by its number, of its bytes, on the thread that read it.
    pub(crate) fn read_batch<T: Send + 'static>(
        self: &Arc<Self>,
        references: Vec<BlockRef>,
        kind: BlockKind,
        tree: &Arc<str>,
        take: impl Fn(usize, &[u8]) -> Result<T, ReadError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, ReadError> {
        let span = |reference: &BlockRef| ReadSpan {
            offset: reference.address,
            length: reference.length as usize,
        };
        let spans: Vec<ReadSpan> = references.iter().map(span).collect();
        let taken: Arc<[Taken<T>]> = spans.iter().map(|_| Taken::default()).collect();
        let (grid, of, places) = (self.clone(), tree.clone(), taken.clone());
        let checked = references.clone();
        let taker = move |number: usize, result: io::Result<&[u8]>| {
            let value = result.map(|bytes| {
                grid.check(&checked[number], kind, Some(&of), bytes)?;
                take(number, bytes)
            });
            *lock(&places[number]) = Some(value);
        };
        self.storage.read_batch(&spans, Arc::new(taker));
        self.blocks_read.fetch_add(spans.len() as u64, Ordering::Relaxed);
        let taken = references.iter().zip(&*taken).map(|(reference, place)| {
            let read = lock(place).take().expect("each block is read");
            read.unwrap_or_else(|error| Err(self.io_error(reference, kind, Some(tree), error)))
        });
        taken.collect()
    }

    /// Reads consecutive blocks with one read, past the cache: for merges, which read all of a
    /// table once.
    pub(crate) fn read_consecutive(
        &self,
        references: &[BlockRef],
        kind: BlockKind,
        tree: &Arc<str>,
    ) -> Result<Vec<u8>, ReadError> {
        let length = references.iter().map(|reference| reference.length as usize).sum();
        let mut bytes = vec![0; length];
        let result = self.storage.read_at(references[0].address, &mut bytes);
        if let Err(error) = result {
            return Err(self.io_error(&references[0], kind, Some(tree), error));
        }
        self.blocks_read.fetch_add(references.len() as u64, Ordering::Relaxed);
        let mut rest = &bytes[..];
        let mut address = references[0].address;
        for reference in references {
            assert_eq!(address, reference.address, "the blocks are consecutive");
            address += u64::from(reference.length);
            let (block, behind) = rest.split_at(reference.length as usize);
            self.check(reference, kind, Some(tree), block)?;
            rest = behind;
        }
        Ok(bytes)
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(address.is_multiple_of(crate::constants::SECTOR_SIZE as u64), "misaligned write");
        self.storage.write_at(address, bytes)
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    fn io_error(
        &self,
        reference: &BlockRef,
        kind: BlockKind,
        tree: Option<&Arc<str>>,
        error: io::Error,
    ) -> ReadError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let file_length = self.storage.length().unwrap_or(0);
            return corrupt(reference.address, kind, tree, Damage::Truncated { file_length });
        }
        ReadError::Io {
            offset: reference.address,
            length: reference.length as usize,
            source: Arc::new(error),
        }
    }

    fn check(
        &self,
        reference: &BlockRef,
        kind: BlockKind,
        tree: Option<&Arc<str>>,
        bytes: &[u8],
    ) -> Result<(), ReadError> {
        let found = checksum(kind.into(), bytes);
        if found != reference.checksum && !defect!(ChecksumIgnored) {
            let damage = Damage::Checksum { expected: reference.checksum, found };
            return Err(corrupt(reference.address, kind, tree, damage));
        }
        if let Err(what) = BlockHeader::check(bytes, reference, kind, &self.file_id) {
            return Err(corrupt(reference.address, kind, tree, Damage::Invalid { what }));
        }
        Ok(())
    }
}

/// What a block of a batch became, once it was read.
type Taken<T> = Mutex<Option<io::Result<Result<T, ReadError>>>>;

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A damaged block, as an error.
pub(crate) fn corrupt(
    offset: u64,
    kind: BlockKind,
    tree: Option<&Arc<str>>,
    damage: Damage,
) -> ReadError {
    ReadError::Corrupt(Corruption { offset, kind, tree: tree.cloned(), damage })
}
