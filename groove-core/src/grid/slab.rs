//! Memory of blocks, in pages of 2 MiB.
//!
//! A get is a dozen places in memory that are far from each other, and for each of them the processor
//! finds the page first: with pages of 4 KiB, half a gigabyte of blocks has more of them than it
//! remembers. So full blocks lie in chunks of 2 MiB, which the system is asked to back with one page each. A
//! chunk is cut into slots of one size. The lowest chunk that has a free slot gives the next one, and
//! chunks without blocks are given back, but for one.
//!
//! Who fills a slot has it alone and shares it afterwards; what lies in it does not change any more. It is
//! free again when the last who shared it is gone.
//!
//! Elsewhere than on Linux blocks are left to the allocator, and so they are where caches are small.
#![expect(unsafe_code, reason = "memory that the system backs with large pages")]

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use large_page::CHUNK_SIZE;

/// Slots of a chunk: as many as a mask has bits, and so many that little is left over.
const SLOTS: std::ops::RangeInclusive<usize> = 16..=128;
/// What a slot has beside a block, for what a reader puts behind it.
const BEHIND: usize = 256;
/// Of a cache with a smaller budget the chunk that is being filled would be too much.
const BUDGET_MIN: u64 = 32 * CHUNK_SIZE as u64;

/// Gives memory to full blocks.
#[derive(Debug)]
pub(super) struct Slab(Option<Arc<Slots>>);

#[derive(Debug)]
struct Slots {
    /// Bytes of a slot.
    size: usize,
    /// The chunks that have free slots, by address: a bit for each free slot.
    free: Mutex<BTreeMap<Place, u128>>,
}

/// Where a chunk or a slot begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(NonNull<u8>);

// SAFETY: chunks belong to the process and not to a thread. Who has a place alone may write there, and who
// shares it reads, which is for the users of places to see to.
unsafe impl Send for Place {}
// SAFETY: as above; a place itself is a number.
unsafe impl Sync for Place {}

impl Slab {
    /// For blocks of up to `block_size` bytes, in a cache with a budget.
    pub(super) fn new(block_size: usize, budget: u64) -> Slab {
        let size = (block_size + BEHIND).next_multiple_of(64);
        let is_fit = budget >= BUDGET_MIN && SLOTS.contains(&(CHUNK_SIZE / size));
        Slab(is_fit.then(|| Arc::new(Slots { size, free: Mutex::default() })))
    }

    /// Memory with these bytes: a block and what is put behind it.
    pub(super) fn hold(&self, block: &[u8], behind: &[u8]) -> BlockBytes {
        let length = block.len() + behind.len();
        // A short block is left to the allocator: a slot would be half empty.
        let slots = self.0.as_ref().filter(|slots| (slots.size / 2..=slots.size).contains(&length));
        match slots.and_then(Slots::take) {
            Some(mut slot) => {
                slot.fill(block, behind);
                BlockBytes(Memory::Slot {
                    start: slot.start,
                    length: length as u32,
                    slot: Arc::new(slot),
                })
            }
            None => BlockBytes::new(block, behind),
        }
    }
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, u128>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bits of a chunk all of whose slots are free.
    fn all(&self) -> u128 {
        u128::MAX >> (*SLOTS.end() - CHUNK_SIZE / self.size)
    }

    /// A slot that nobody else has; `None` if the system has no memory of this kind.
    fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut free = self.lock();
        let (chunk, bits) = match free.pop_first() {
            Some(chunk) => chunk,
            None => (Place(large_page::map()?), self.all()),
        };
        let number = bits.trailing_zeros() as usize;
        let rest = bits & (bits - 1);
        if rest != 0 {
            free.insert(chunk, rest);
        }
        // SAFETY: a number of a free slot is below the number of slots, all of which are within the chunk.
        let start = unsafe { chunk.0.add(number * self.size) };
        Some(Slot { start: Place(start), slots: self.clone() })
    }

    fn give_back(&self, start: Place) {
        let offset = start.0.addr().get() % CHUNK_SIZE;
        // SAFETY: chunks begin at multiples of their size, and `start` is within one.
        let chunk = Place(unsafe { start.0.sub(offset) });
        let mut free = self.lock();
        let bits = free.entry(chunk).or_default();
        *bits |= 1 << (offset / self.size);
        if *bits != self.all() {
            return;
        }
        // One stays, so that a block that comes and goes does not take a chunk each time.
        let mut empty =
            free.iter().filter(|(_, bits)| **bits == self.all()).map(|(chunk, _)| *chunk);
        if let (Some(_), Some(second)) = (empty.next(), empty.next()) {
            free.remove(&second);
            drop(free);
            // SAFETY: it is a chunk, all its slots are free, and nobody finds it any more.
            unsafe { large_page::unmap(second.0) };
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Each slot in use has a reference to this.
        for (chunk, bits) in std::mem::take(&mut *self.lock()) {
            assert_eq!(bits, self.all(), "a slot is in use");
            // SAFETY: it is a chunk, all its slots are free, and nobody finds it any more.
            unsafe { large_page::unmap(chunk.0) };
        }
    }
}

/// A slot in use.
struct Slot {
    start: Place,
    slots: Arc<Slots>,
}

impl Slot {
    /// Fills it with a block and what is put behind it.
    fn fill(&mut self, block: &[u8], behind: &[u8]) {
        assert!(block.len() + behind.len() <= self.slots.size, "a slot has room");
        // SAFETY: the slot has room, as was just seen, and nobody else has it, so what is copied lies elsewhere.
        unsafe {
            self.start.0.copy_from_nonoverlapping(NonNull::from(block).cast(), block.len());
            let end = self.start.0.add(block.len());
            end.copy_from_nonoverlapping(NonNull::from(behind).cast(), behind.len());
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.give_back(self.start);
    }
}

/// The bytes of a block in memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BlockBytes(Memory);

#[derive(Clone)]
enum Memory {
    Heap(Arc<[u8]>),
    /// The first `length` bytes of the slot were filled.
    Slot {
        start: Place,
        length: u32,
        slot: Arc<Slot>,
    },
}

impl Deref for BlockBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap(bytes) => bytes,
            // SAFETY: so many bytes of the slot were filled before it was shared, nobody changes them as
            // long as it is in use, and it is as long as `self` lives.
            Memory::Slot { start, length, .. } => unsafe {
                slice::from_raw_parts(start.0.as_ptr(), *length as usize)
            },
        }
    }
}

impl BlockBytes {
    /// With these bytes: a block and what is put behind it.
    pub(crate) fn new(block: &[u8], behind: &[u8]) -> BlockBytes {
        BlockBytes(Memory::Heap(match behind.is_empty() {
            true => block.into(),
            false => [block, behind].concat().into(),
        }))
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        match &self.0 {
            Memory::Heap(bytes) => bytes.len(),
            Memory::Slot { slot, .. } => slot.slots.size,
        }
    }
}

impl fmt::Debug for BlockBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BlockBytes").field(&self.len()).finish()
    }
}

/// Chunks, from the system.
#[cfg(all(target_os = "linux", not(miri)))]
mod large_page {
    use std::ptr::{self, NonNull};

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    pub(super) const CHUNK_SIZE: usize = 2 << 20;

    /// Memory of [`CHUNK_SIZE`] bytes that begins at a multiple of that; zeros. `None` if there is none.
    pub(super) fn map() -> Option<NonNull<u8>> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new private mapping, wherever the system puts it, touches nothing that exists.
        let mapped = unsafe {
            mmap_anonymous(ptr::null_mut(), 2 * CHUNK_SIZE, protection, MapFlags::PRIVATE)
        };
        let mapped = mapped.ok()?.cast::<u8>();
        let before = mapped.addr().next_multiple_of(CHUNK_SIZE) - mapped.addr();
        // SAFETY: the chunk and what is before and behind it are parts of the mapping, of whole pages,
        // and nothing has a reference into it yet. The advice changes nothing that could be read.
        unsafe {
            let chunk = mapped.add(before);
            if before > 0 {
                let _ = munmap(mapped.cast(), before);
            }
            let _ = munmap(chunk.add(CHUNK_SIZE).cast(), CHUNK_SIZE - before);
            let _ = madvise(chunk.cast(), CHUNK_SIZE, Advice::LinuxHugepage);
            NonNull::new(chunk)
        }
    }

    /// Gives a chunk back.
    ///
    /// # Safety
    /// It is one that [`map`] gave, and nothing refers to it any more.
    pub(super) unsafe fn unmap(chunk: NonNull<u8>) {
        // SAFETY: the caller's promise.
        let _ = unsafe { munmap(chunk.as_ptr().cast(), CHUNK_SIZE) };
    }
}

/// Where there are none, the allocator has all blocks.
#[cfg(not(all(target_os = "linux", not(miri))))]
mod large_page {
    use std::ptr::NonNull;

    pub(super) const CHUNK_SIZE: usize = 2 << 20;

    pub(super) fn map() -> Option<NonNull<u8>> {
        None
    }

    /// # Safety
    /// None is needed: there is no chunk.
    pub(super) unsafe fn unmap(_: NonNull<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (number * 31 + at) as u8).collect()
    }

    fn chunks(slab: &Slab) -> usize {
        slab.0.as_ref().unwrap().lock().len()
    }

    #[test]
    fn blocks_keep_their_bytes_while_others_come_and_go() {
        let slab = Slab::new(16 << 10, 1 << 30);
        let mut held: Vec<(usize, BlockBytes)> = Vec::new();
        for number in 0..2_000 {
            let length = 4096 * (1 + number % 4);
            let bytes = block(number, length);
            let behind = block(number + 1, number % 3 * 128);
            let memory = slab.hold(&bytes, &behind);
            assert_eq!(*memory, [bytes, behind].concat());
            assert!(memory.memory() >= memory.len());
            held.push((number, memory));
            if held.len() > 500 {
                held.swap_remove(number * 7 % 500);
            }
        }
        for (number, memory) in &held {
            let length = 4096 * (1 + number % 4);
            assert_eq!(memory[..length], block(*number, length));
        }
        let kept = held[0].1.clone();
        let expected = kept.to_vec();
        drop(held);
        if cfg!(all(target_os = "linux", not(miri))) {
            assert!(chunks(&slab) <= 2, "chunks without blocks are given back, but for one");
        }
        drop(slab);
        assert_eq!(*kept, expected, "a block outlives the cache");
    }

    #[test]
    fn threads_share_blocks_and_the_last_one_gives_back() {
        let slab = Slab::new(64 << 10, 1 << 30);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let slab = &slab;
                scope.spawn(move || {
                    for number in 0..300 {
                        let bytes = block(thread * 1000 + number, 60 << 10);
                        let memory = slab.hold(&bytes, &[]);
                        let shared = memory.clone();
                        drop(memory);
                        assert_eq!(*shared, bytes);
                    }
                });
            }
        });
        assert!(chunks(&slab) <= 1);
    }

    #[test]
    fn small_caches_and_odd_sizes_are_left_to_the_allocator() {
        for (block_size, budget) in [(16 << 10, 1 << 20), (4 << 10, 1 << 30), (1 << 20, 1 << 30)] {
            let slab = Slab::new(block_size, budget);
            assert!(slab.0.is_none(), "{block_size} in {budget}");
            let bytes = block(1, block_size);
            assert_eq!(slab.hold(&bytes, &[7; 32])[..block_size], bytes[..]);
        }
    }
}
