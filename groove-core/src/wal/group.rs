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
    /// A write failed, which may have been that of entries that somebody else has added: nothing is written any more.
    failed: bool,
}

/// Entries that follow each other, from the beginning of a slot on.
#[derive(Debug)]
struct Stretch {
    slot: u32,
    /// A multiple of cells long.
    bytes: Vec<u8>,
    /// How many of them are written, if that is done at once.
    written: usize,
}

impl Stretch {
    fn slots(&self) -> u32 {
        self.bytes.len().div_ceil(SECTOR_SIZE) as u32
    }
}

impl Waiting {
    /// An error if a write has failed before.
    fn check(&self) -> io::Result<()> {
        if self.failed { Err(failed_before()) } else { Ok(()) }
    }

    /// Notes that a write has failed.
    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.failed |= result.is_err();
        result
    }
}

pub(super) fn failed_before() -> io::Error {
    io::Error::other("an earlier write to the log failed")
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
            waiting.stretches.push(Stretch { slot, bytes, written: 0 });
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
        waiting.check()?;
        // One that a longer entry came behind is written whole.
        let Some(newest) = waiting.stretches.pop() else { return Ok(()) };
        waiting.stretches.clear();
        let Stretch { slot, mut bytes, written } = newest;
        let length = bytes.len();
        if written == length {
            waiting.stretches.push(Stretch { slot, bytes, written });
            return Ok(());
        }
        bytes.resize(length.next_multiple_of(SECTOR_SIZE), 0);
        let result = write_slots(storage, slot, &bytes, self.wal_slots);
        waiting.note(result)?;
        let whole = length / SECTOR_SIZE;
        bytes.truncate(length);
        bytes.drain(..whole * SECTOR_SIZE);
        if bytes.is_empty() {
            waiting.spare = bytes;
        } else {
            let slot = slot_after(slot, whole as u32, self.wal_slots);
            let written = bytes.len();
            waiting.stretches.push(Stretch { slot, bytes, written });
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
            if !defect!(GroupContinuesSector) {
                waiting.stretches.clear();
            }
            return Ok(());
        }
        let stretches = {
            let mut waiting = self.lock();
            waiting.check()?;
            std::mem::take(&mut waiting.stretches)
        };
        let mut spare = Vec::new();
        for Stretch { slot, mut bytes, .. } in stretches {
            let rest = bytes.len() % SECTOR_SIZE;
            bytes.resize(bytes.len().next_multiple_of(SECTOR_SIZE), 0);
            let result = write_slots(storage, slot, &bytes, self.wal_slots);
            self.lock().note(result)?;
            if defect!(GroupContinuesSector) && rest > 0 {
                let last = bytes.len() - SECTOR_SIZE;
                let slot = slot_after(slot, (last / SECTOR_SIZE) as u32, self.wal_slots);
                let bytes = bytes[last..last + rest].to_vec();
                self.lock().stretches = vec![Stretch { slot, bytes, written: 0 }];
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
        // A panic within `encode` makes the handle dead; what it left has no header that is believed.
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
