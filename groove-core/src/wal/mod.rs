//! The write-ahead log: a ring of sectors that holds every op since the last checkpoint.
//!
//! An entry begins at a slot (a sector), or, if no sync began since the entry before, in the
//! cell behind that one, an eighth of a slot. It takes as many bytes as it needs and may wrap
//! around the end of the ring. Each entry names its op, place, file and epoch and the checksum of
//! the entry before it, so that the entries after a checkpoint form one chain; whatever else lies
//! in the ring, such as older entries in slots not written again, is not part of it.
//!
//! 1. [`WalWriter::append`] hands an entry over to the group that is written next ([`LogGroup`]), or
//!    writes it; it does not sync: several may be under way.
//! 2. The forest writes the group and syncs; the ops written before are durable then and may be acknowledged.
//! 3. The next entry, and a mark beside the ring, say how far the log was synced: [`recover`] tells
//!    by them a torn tail (never acknowledged, cut) from a damaged entry (an error).
//! 4. After a checkpoint has become durable, [`WalWriter::release`] frees the slots up to its op.
//!
//! One hole is left: the newest acknowledged op, damaged before a later write has said that it was
//! synced, looks like a torn tail. The forest writes a mark after each sync, which the system brings
//! to the disk in its own time, and a mark and a sync when it is closed.
//!
//! Called by [`crate::forest`] alone. See ARCHITECTURE.md, "Write-ahead log".

mod entry;
mod group;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::ops::Range;

#[cfg(test)]
use entry::body_length_max;
pub(crate) use entry::entry_slots;
pub(crate) use group::{LogGroup, Written, is_short};
pub(crate) use recovery::{Recovered, recover};
pub(crate) use writer::{AppendError, WalWriter};

use crate::constants::SECTOR_SIZE;
use crate::storage::Storage;
use crate::superblock::{
    WAL_MARK_OFFSET, WAL_MARKS, WAL_OFFSET, WAL_SLOTS_MAX, WAL_SLOTS_MIN, WalPosition,
};

/// An entry since the last checkpoint.
#[derive(Debug, Clone, Copy)]
struct Live {
    /// The log after it.
    after: WalPosition,
    /// It begins in the slot where the entry before ends.
    joined: bool,
}

/// Lays out an empty log in a new file: no marks, and a ring of holes. The file is as long as the
/// ring from then on, so that one that was cut off is told by its length. Does not sync.
pub(crate) fn format(storage: &dyn Storage, wal_slots: u32) -> io::Result<()> {
    assert!((WAL_SLOTS_MIN..=WAL_SLOTS_MAX).contains(&wal_slots));
    let zeros = [0; SECTOR_SIZE];
    for mark in 0..WAL_MARKS {
        storage.write_at(mark_offset(mark), &zeros)?;
    }
    storage.write_at(slot_offset(wal_slots - 1), &zeros)
}

/// Where in the file a slot is.
fn slot_offset(slot: u32) -> u64 {
    WAL_OFFSET + u64::from(slot) * SECTOR_SIZE as u64
}

/// An entry begins at a multiple of this in a slot.
const CELL_SIZE: usize = 512;
const CELLS: u32 = (SECTOR_SIZE / CELL_SIZE) as u32;

/// Where in the file a mark is.
fn mark_offset(mark: usize) -> u64 {
    assert!(mark < WAL_MARKS);
    WAL_MARK_OFFSET + (mark * SECTOR_SIZE) as u64
}

/// The slot that comes `count` slots after `slot`.
fn slot_after(slot: u32, count: u32, wal_slots: u32) -> u32 {
    assert!(slot < wal_slots && count <= wal_slots);
    (slot + count) % wal_slots
}

/// How many slots there are from one to the next place where another one begins; none if they are the same.
pub(crate) fn slot_distance(from: u32, to: u32, wal_slots: u32) -> u32 {
    assert!(from < wal_slots && to < wal_slots);
    (to + wal_slots - from) % wal_slots
}

/// Consecutive slots: one range, or two where they wrap around the end of the ring.
fn pieces(slot: u32, count: u32, wal_slots: u32) -> impl Iterator<Item = Range<u32>> {
    assert!(count > 0 && count <= wal_slots && slot < wal_slots);
    let first = slot..(slot + count).min(wal_slots);
    let second = 0..count - (first.end - first.start);
    [first, second].into_iter().filter(|piece| !piece.is_empty())
}
