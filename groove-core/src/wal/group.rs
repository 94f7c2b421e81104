//! Short entries between two syncs: those of writers that wait for one sync, or for none.
//!
//! Writers add to it under the writer's lock; whoever syncs takes what is there and writes it with one
//! write. If nobody waits for the sync, an entry is written when it is added, together with what is before it in
//! its sector. Entries of a group follow each other within a sector: that sector is written before a sync that
//! is to bring any of them to the disk, and not after it has begun, so a torn write cannot harm one that was
//! acknowledged. The next group begins in a sector of its own. An entry shares a sector only if it lies in no more
//! of them than alone: how many it takes at the most is known before it has a place.

use std::io;
use std::sync::PoisonError;

use super::entry::HEADER_SIZE;
use super::{CELL_SIZE, pieces, slot_after, slot_offset};
use crate::constants::SECTOR_SIZE;
use crate::storage::Storage;
use crate::sync::{Mutex, MutexGuard};

/// Longer entries are written when they are appended, beside other writers' syncs.
const LENGTH_MAX: usize = if cfg!(shuttle) { 1000 } else { 32 << 10 };
/// Buffers that grew larger are given back.
const BUFFER_SIZE_KEPT: usize = 1 << 20;

/// When the entries of a group are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// By whoever syncs.
    BySync,
    /// When they are added, so that the end of the process takes nothing away.
    AtOnce,
}

/// What waits to be written, or to be synced.
#[derive(Debug)]
pub(crate) struct LogGroup {
    wal_slots: u32,
    pub(super) written: Written,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    stretches: Vec<Stretch>,
    /// The buffer of a stretch that was written, for the next one.
    spare: Vec<u8>,
}

/// Entries that follow each other, from the beginning of a slot on.
#[derive(Debug)]
struct Stretch {
    slot: u32,
    /// A multiple of cells long.
    bytes: Vec<u8>,
}

impl Stretch {
    fn slots(&self) -> u32 {
        self.bytes.len().div_ceil(SECTOR_SIZE) as u32
    }
}

/// Where an entry begins: in a cell of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: u32,
    pub(super) cell: u32,
}

/// Whether an entry with a body of so many bytes is short: written with others, if there is a group.
pub(crate) fn is_short(body: usize) -> bool {
    HEADER_SIZE + body <= LENGTH_MAX
}

impl LogGroup {
    pub(super) fn new(wal_slots: u32, written: Written) -> LogGroup {
        LogGroup { wal_slots, written, waiting: Mutex::default() }
    }

    /// Adds the entry of `length` bytes that comes next in the ring. It begins in `slot`, or in the slot
    /// before, behind the entry there, if that one waits here too. `encode` appends its bytes.
    pub(super) fn add<T>(
        &self,
        slot: u32,
        length: usize,
        encode: impl FnOnce(Place, &mut Vec<u8>) -> T,
    ) -> T {
        let mut waiting = self.lock();
        let follows = waiting.stretches.last().is_some_and(|stretch| {
            slot_after(stretch.slot, stretch.slots(), self.wal_slots) == slot
        });
        if !follows {
            let bytes = std::mem::take(&mut waiting.spare);
            waiting.stretches.push(Stretch { slot, bytes });
        }
        let stretch = waiting.stretches.last_mut().expect("at least one");
        let rest = stretch.bytes.len() % SECTOR_SIZE;
        if rest + length > length.next_multiple_of(SECTOR_SIZE) {
            stretch.bytes.resize(stretch.bytes.len().next_multiple_of(SECTOR_SIZE), 0);
        }
        let begin = stretch.bytes.len();
        let place = Place {
            slot: slot_after(stretch.slot, (begin / SECTOR_SIZE) as u32, self.wal_slots),
            cell: (begin % SECTOR_SIZE / CELL_SIZE) as u32,
        };
        let added = encode(place, &mut stretch.bytes);
        assert_eq!(stretch.bytes.len() - begin, length, "an entry is as long as was said");
        stretch.bytes.resize(stretch.bytes.len().next_multiple_of(CELL_SIZE), 0);
        added
    }

    /// Writes what was added since the last call, and keeps the sector in which it ends, if there is room in it: the
    /// next entry goes behind it, and the sector is written again. After an error what is on disk is unknown.
    pub(super) fn write_at_once(&self, storage: &dyn Storage) -> io::Result<()> {
        self.write_newest(&mut self.lock(), storage)
    }

    fn write_newest(&self, waiting: &mut Waiting, storage: &dyn Storage) -> io::Result<()> {
        // One that a longer entry came behind is written whole.
        let stretch = waiting.stretches.drain(..).next_back();
        let Some(Stretch { slot, mut bytes }) = stretch else { return Ok(()) };
        let length = bytes.len();
        bytes.resize(length.next_multiple_of(SECTOR_SIZE), 0);
        write_slots(storage, slot, &bytes, self.wal_slots)?;
        let whole = length / SECTOR_SIZE;
        bytes.truncate(length);
        bytes.drain(..whole * SECTOR_SIZE);
        if bytes.is_empty() {
            waiting.spare = bytes;
        } else {
            let slot = slot_after(slot, whole as u32, self.wal_slots);
            waiting.stretches.push(Stretch { slot, bytes });
        }
        Ok(())
    }

    /// Writes what was added before; no sync. After an error what is on disk is unknown. One thread at a
    /// time calls this, before a sync: no sector that it wrote is written again.
    pub(crate) fn write(&self, storage: &dyn Storage) -> io::Result<()> {
        if self.written == Written::AtOnce {
            // With the lock held: an entry that was added in between would never be written.
            let mut waiting = self.lock();
            self.write_newest(&mut waiting, storage)?;
            if defect!(EntryAddedToSynced) {
                drop(waiting);
                waiting = self.lock();
            }
            waiting.stretches.clear();
            return Ok(());
        }
        let stretches = std::mem::take(&mut self.lock().stretches);
        let mut spare = Vec::new();
        for Stretch { slot, mut bytes } in stretches {
            let rest = bytes.len() % SECTOR_SIZE;
            bytes.resize(bytes.len().next_multiple_of(SECTOR_SIZE), 0);
            write_slots(storage, slot, &bytes, self.wal_slots)?;
            if defect!(GroupContinuesSector) && rest > 0 {
                let last = bytes.len() - SECTOR_SIZE;
                let slot = slot_after(slot, (last / SECTOR_SIZE) as u32, self.wal_slots);
                let bytes = bytes[last..last + rest].to_vec();
                self.lock().stretches = vec![Stretch { slot, bytes }];
            }
            spare = bytes;
        }
        spare.clear();
        if spare.capacity() > 0 && spare.capacity() <= BUFFER_SIZE_KEPT {
            self.lock().spare = spare;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic within `encode` makes the handle dead: nothing is written any more.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes whole sectors from `slot` on, in two pieces if they wrap around.
pub(super) fn write_slots(
    storage: &dyn Storage,
    slot: u32,
    bytes: &[u8],
    wal_slots: u32,
) -> io::Result<()> {
    let count = (bytes.len() / SECTOR_SIZE) as u32;
    let mut rest = bytes;
    for piece in pieces(slot, count, wal_slots) {
        let (bytes, after) = rest.split_at(piece.len() * SECTOR_SIZE);
        storage.write_at(slot_offset(piece.start), bytes)?;
        rest = after;
    }
    assert!(rest.is_empty(), "the pieces of a stretch are all of it");
    Ok(())
}
