//! Blocks that were read lately, within a budget of bytes.
//!
//! A block that is in memory stands in its table's [`Shelf`], at the place that the index block gives it:
//! who has the table finds it without a hash table, and the lock is the table's own. The
//! [`BlockCache`] knows what stands where and how often it is asked for, and clears the places of what
//! does not fit into the budget.
//!
//! It is told of the first hits of a block and of a sample of all others. Its key is the block's address
//! and half of its checksum: a sector that is freed and written again has another key. A table that is gone
//! tells it what of its blocks is to be forgotten; what a late reader shelves counts until the cache comes
//! to it.
//!
//! Index blocks and filters stay in memory as long as their table: they are pinned, and what is
//! pinned is taken off the budget that is left for blocks.
//!
//! Locks: whoever holds guards of several shelves took them in the order of the tables' keys, and asks
//! the cache nothing meanwhile. The cache clears places when it has released its own locks.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use foldhash::fast::FixedState;
use quick_cache::{Lifecycle, Weighter, sync::Cache};

use super::block::BlockRef;

type CacheKey = (u64, u64);

/// Where a block stands, and what it takes.
#[derive(Clone)]
struct Shelved {
    shelf: Weak<dyn Clear>,
    place: usize,
    bytes: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<CacheKey, Shelved> for Bytes {
    fn weight(&self, _: &CacheKey, shelved: &Shelved) -> u64 {
        shelved.bytes
    }
}

/// Blocks that have to leave: their places are cleared when the cache's locks are released.
#[derive(Default)]
struct Leaving(Vec<Shelved>);

impl Drop for Leaving {
    fn drop(&mut self) {
        for shelved in &self.0 {
            if let Some(shelf) = shelved.shelf.upgrade() {
                shelf.clear(shelved.place);
            }
        }
    }
}

#[derive(Clone)]
struct Evictions;

impl Lifecycle<CacheKey, Shelved> for Evictions {
    type RequestState = Leaving;

    fn on_evict(&self, leaving: &mut Leaving, _: CacheKey, shelved: Shelved) {
        leaving.0.push(shelved);
    }
}

/// A shelf of any kind of block.
trait Clear: Send + Sync {
    fn clear(&self, place: usize);
}

/// The blocks of one table that are in memory.
#[derive(Debug)]
pub(crate) struct Shelf<T>(RwLock<Box<[Place<T>]>>);

#[derive(Debug)]
struct Place<T> {
    block: Option<T>,
    /// How often it was asked for, up to [`HITS_TOLD`].
    hits: AtomicU8,
}

/// The cache is told of so many hits of a block, and then of some of them.
const HITS_TOLD: u8 = 2;

impl<T> Shelf<T> {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        let place = || Place { block: None, hits: AtomicU8::new(0) };
        Arc::new(Shelf(RwLock::new(std::iter::repeat_with(place).take(places).collect())))
    }

    /// Bytes of memory that a shelf takes, without its blocks.
    pub(crate) fn memory(places: usize) -> usize {
        places * size_of::<Place<T>>()
    }

    /// What stands there; nothing leaves as long as the guard lives.
    #[inline]
    pub(crate) fn look(&self) -> ShelfGuard<'_, T> {
        ShelfGuard(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self) -> RwLockWriteGuard<'_, Box<[Place<T>]>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a block there if there is none.
    fn fill(&self, place: usize, block: T) -> bool {
        let mut places = self.change();
        let place = &mut places[place];
        if place.block.is_some() {
            return false;
        }
        *place = Place { block: Some(block), hits: AtomicU8::new(0) };
        true
    }
}

impl<T: Send + Sync> Clear for Shelf<T> {
    fn clear(&self, place: usize) {
        let old = self.change()[place].block.take();
        // Freed when the lock is released.
        drop(old);
    }
}

/// The blocks of one table that are in memory, held there.
pub(crate) struct ShelfGuard<'a, T>(RwLockReadGuard<'a, Box<[Place<T>]>>);

impl<T> ShelfGuard<'_, T> {
    /// The block at a place, if it is in memory.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.0[place].block.as_ref()
    }

    /// How many blocks are in memory.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().filter(|place| place.block.is_some()).count()
    }

    /// Whether the cache is still to be told of each hit at a place.
    #[inline]
    pub(crate) fn is_new(&self, place: usize) -> bool {
        let hits = &self.0[place].hits;
        let before = hits.load(Ordering::Relaxed);
        if before < HITS_TOLD {
            hits.store(before + 1, Ordering::Relaxed);
        }
        before < HITS_TOLD
    }
}

/// A cache of blocks.
pub(crate) struct BlockCache {
    shared: Arc<Shared>,
}

struct Shared {
    cache: Cache<CacheKey, Shelved, Bytes, FixedState, Evictions>,
    /// The whole budget.
    size: u64,
    pinned: AtomicU64,
    /// What blocks may take at the moment.
    capacity: Mutex<u64>,
}

impl Shared {
    /// Gives blocks what is not pinned, but for a step or two: each change of the capacity costs the cache a part
    /// of what it remembers of blocks that left.
    fn fit(&self) {
        let mut capacity = self.capacity.lock().unwrap_or_else(PoisonError::into_inner);
        let step = self.size / CAPACITY_STEPS;
        let most = self.size.saturating_sub(self.pinned.load(Ordering::Relaxed));
        if *capacity > most || *capacity + 2 * step < most {
            let next = most.saturating_sub(step).max(self.size / BLOCKS_SHARE_MIN);
            if next != *capacity {
                *capacity = next;
                self.cache.set_capacity(next);
            }
        }
    }
}

/// Memory of a table that is taken off the budget as long as this lives.
pub(crate) struct Pinned {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Pinned {
    /// Forgets blocks of the table that stand on its shelf, which nobody will ask for any more. The caller
    /// holds no guard of a shelf.
    pub(crate) fn forget<'a, T>(
        &self,
        shelf: &Arc<Shelf<T>>,
        references: impl Iterator<Item = &'a BlockRef>,
    ) {
        let own = Arc::as_ptr(shelf).cast::<()>();
        for reference in references {
            let is_own = |shelved: &Shelved| shelved.shelf.as_ptr().cast::<()>() == own;
            drop(self.shared.cache.remove_if(&key(reference), is_own));
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.shared.pinned.fetch_sub(self.bytes, Ordering::Relaxed);
        self.shared.fit();
    }
}

/// Parts of the budget that blocks get or lose at a time, as more or less is pinned.
const CAPACITY_STEPS: u64 = 64;

/// The part of the budget that blocks keep, whatever is pinned.
const BLOCKS_SHARE_MIN: u64 = 8;

/// The part of the budget that is not for what nobody asked for yet. The cache's own parts fill up unevenly:
/// the first that is full gives blocks up while others still have room.
const FREE_SHARE: u64 = 8;

/// What a block is expected to take, to size the cache's own tables.
const BLOCK_SIZE_ESTIMATE: u64 = 16 * 1024;

impl BlockCache {
    pub(crate) fn new(size: u64) -> Self {
        let items = usize::try_from(size / BLOCK_SIZE_ESTIMATE).unwrap_or(usize::MAX).max(16);
        let cache = Cache::with(items, size, Bytes, FixedState::default(), Evictions);
        let (pinned, capacity) = (AtomicU64::new(0), Mutex::new(size));
        BlockCache { shared: Arc::new(Shared { cache, size, pinned, capacity }) }
    }

    /// The whole budget.
    pub(crate) fn size(&self) -> u64 {
        self.shared.size
    }

    /// Takes memory off the budget; blocks make room for it at once.
    pub(crate) fn pin(&self, bytes: usize) -> Pinned {
        let bytes = bytes as u64;
        self.shared.pinned.fetch_add(bytes, Ordering::Relaxed);
        self.shared.fit();
        Pinned { shared: self.shared.clone(), bytes }
    }

    /// Bytes that are taken off the budget at the moment.
    pub(crate) fn pinned(&self) -> u64 {
        self.shared.pinned.load(Ordering::Relaxed)
    }

    /// Whether blocks of so many bytes fit beside all that is there, and a share of the budget stays free.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let cache = &self.shared.cache;
        cache.weight() + bytes as u64 <= cache.capacity() / FREE_SHARE * (FREE_SHARE - 1)
    }

    /// Notes that a block was asked for.
    pub(crate) fn touch(&self, reference: &BlockRef) {
        let _ = self.shared.cache.get(&key(reference));
    }

    /// Puts a block on its shelf, if it fits into the budget and is not there; it takes `bytes`.
    pub(crate) fn insert<T: Send + Sync + 'static>(
        &self,
        reference: &BlockRef,
        shelf: &Arc<Shelf<T>>,
        place: usize,
        block: T,
        bytes: usize,
    ) {
        let place = if defect!(BlockKeptBeside) { place.saturating_sub(1) } else { place };
        // Another reader was faster, and the block has its entry. A second one would evict the first, and that
        // would clear the place.
        if !shelf.fill(place, block) {
            return;
        }
        // In this order: whatever is evicted from here on clears the place.
        let shelf: Weak<Shelf<T>> = Arc::downgrade(shelf);
        self.shared.cache.insert(key(reference), Shelved { shelf, place, bytes: bytes as u64 });
    }
}

fn key(reference: &BlockRef) -> CacheKey {
    (reference.address, reference.checksum as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn reference(number: usize) -> BlockRef {
        BlockRef { address: 4096 * number as u64, length: 4096, checksum: number as u128 }
    }

    fn there(shelf: &Shelf<usize>) -> Vec<usize> {
        let guard = shelf.look();
        (0..guard.0.len()).filter_map(|place| guard.get(place).copied()).collect()
    }

    #[test]
    fn blocks_leave_their_shelves_as_the_budget_demands() {
        let cache = BlockCache::new(1 << 20);
        let shelves = [Shelf::new(500), Shelf::new(500)];
        for number in 0..1000 {
            let shelf = &shelves[number % 2];
            cache.insert(&reference(number), shelf, number / 2, number, 4096);
            let there = there(&shelves[0]).len() + there(&shelves[1]).len();
            assert!(there <= 256, "{there} blocks of 4096 bytes are more than a megabyte");
        }
        assert!(there(&shelves[0]).len() + there(&shelves[1]).len() >= 128);
        let _pinned = cache.pin(1 << 19);
        let left = there(&shelves[0]).len() + there(&shelves[1]).len();
        assert!((1..=128).contains(&left), "{left} blocks are left in half a megabyte");
    }

    #[test]
    fn a_cache_without_room_leaves_shelves_empty() {
        let cache = BlockCache::new(0);
        let shelf = Shelf::new(2);
        cache.insert(&reference(1), &shelf, 1, 1, 4096);
        assert_eq!(there(&shelf), []);
    }

    #[test]
    fn blocks_that_are_asked_for_outlive_those_that_are_not() {
        let cache = BlockCache::new(1 << 20);
        let shelf = Shelf::new(4000);
        for number in 0..4000 {
            cache.insert(&reference(number), &shelf, number, number, 4096);
            for wanted in 0..20 {
                let is_told = {
                    let guard = shelf.look();
                    guard.get(wanted).is_some() && (guard.is_new(wanted) || number % 64 == 0)
                };
                if is_told {
                    cache.touch(&reference(wanted));
                }
            }
        }
        let kept = there(&shelf).iter().filter(|number| **number < 20).count();
        assert!(kept >= 18, "{kept} of 20 are there");
    }

    #[test]
    fn there_is_room_until_most_of_the_budget_is_taken_and_again_when_a_table_is_gone() {
        let cache = BlockCache::new(16 << 20);
        let pinned = cache.pin(0);
        let shelf = Shelf::new(8192);
        let take_all = |first: usize| {
            let numbers = (first..8192).take_while(|number| {
                let has_room = cache.has_room(4096);
                if has_room {
                    cache.insert(&reference(*number), &shelf, *number, *number, 4096);
                }
                has_room
            });
            numbers.count()
        };
        let taken = take_all(0);
        assert!((3500..=3584).contains(&taken), "{taken} blocks of 4096 are seven eighths");
        assert_eq!(there(&shelf).len(), taken, "none had to leave");
        let references: Vec<BlockRef> = (0..1000).map(reference).collect();
        // Of another table with these blocks nothing stands there.
        pinned.forget(&Shelf::<usize>::new(8192), references.iter());
        assert_eq!(take_all(taken), 0);
        pinned.forget(&shelf, references.iter());
        assert_eq!(take_all(taken), 1000);
        assert!(!cache.has_room(15 << 20), "more than there ever is");
    }

    /// Two readers missed the same block, and both kept it: the second entry took the first one's place in the
    /// cache, which cleared the shelf as for any that leaves. The block counted, and was missed and read again by
    /// all who asked for it from then on.
    #[test]
    fn a_block_that_two_readers_missed_stays() {
        let cache = BlockCache::new(1 << 20);
        let shelf = Shelf::new(2);
        for _ in 0..3 {
            cache.insert(&reference(1), &shelf, 1, 7, 4096);
            assert_eq!(there(&shelf), [7]);
        }
        assert_eq!(cache.shared.cache.weight(), 4096);
    }

    /// As many tables come and go as a large load writes. Each used to change the capacity, and the cache forgot
    /// at each change a part of which blocks had left, until it could not tell any more what is asked for often.
    #[test]
    fn tables_that_come_and_go_do_not_change_the_capacity_each_time() {
        let cache = BlockCache::new(64 << 20);
        let capacity = || cache.shared.cache.capacity();
        let mut changes = 0;
        let mut pinned = VecDeque::new();
        for table in 0..10_000 {
            let before = capacity();
            pinned.push_back(cache.pin(4096 + table % 100));
            if pinned.len() > 1000 {
                pinned.pop_front();
            }
            changes += usize::from(capacity() != before);
            assert!(capacity() + cache.pinned() <= 64 << 20, "the budget holds");
        }
        assert!((2..=8).contains(&changes), "{changes} changes");
        pinned.clear();
        assert!(capacity() >= 60 << 20, "{} bytes are free again", capacity());
    }

    #[test]
    fn a_shelf_that_is_gone_is_passed_over() {
        let cache = BlockCache::new(1 << 16);
        for table in 0..20 {
            let shelf = Shelf::new(10);
            for place in 0..10 {
                let number = table * 10 + place;
                cache.insert(&reference(number), &shelf, place, number, 4096);
            }
            assert!(!there(&shelf).is_empty());
        }
    }
}
