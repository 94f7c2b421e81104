//! Entries and marks as they are on disk, and what makes one valid.
//!
//! The header has a checksum of its own, which covers the body's: one sector suffices to know that
//! a header is genuine and to believe what it says, even if its body is torn. This keeps the search
//! for evidence linear in the ring, whatever lengths its bytes pretend.

use bytemuck::{Pod, Zeroable};

use super::CELL_SIZE;
use super::group::Place;
use crate::checksum::{Domain, checksum};
use crate::constants::SECTOR_SIZE;
use crate::superblock::COUNTER_MAX;

const ENTRY_MAGIC: u64 = u64::from_le_bytes(*b"grvWalE1");
const MARK_MAGIC: u64 = u64::from_le_bytes(*b"grvWalM1");
pub(super) const HEADER_SIZE: usize = size_of::<EntryHeader>();

/// The beginning of an entry; the body follows at once, then zeros up to the end of the sector.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct EntryHeader {
    /// Over the rest of the header, and so over the body too: the entry's name in the chain.
    pub(super) checksum: u128,
    pub(super) body_checksum: u128,
    /// The checksum of the entry of the op before; 0 in that of op 1.
    pub(super) parent: u128,
    pub(super) file_id: [u8; 16],
    /// The superblock's epoch when this was written.
    ///
    /// An opener makes a higher epoch durable in the superblock before it appends. Entries that a
    /// recovery has cut off stay in the ring, valid, until they are overwritten. One of them may
    /// lie just where the chain goes on, with the very op that is expected; yet it never follows a
    /// new entry: its epoch is lower, and its `parent` is an entry of that lower epoch, from which
    /// the new one differs by the epoch even if their bodies are equal.
    pub(super) epoch: u64,
    pub(super) op: u64,
    pub(super) body_length: u64,
    /// The highest op that was known to be on disk when this was written; less than `op`.
    pub(super) synced_op: u64,
    magic: u64,
    /// Where this was written: an entry that is found elsewhere is none.
    pub(super) slot: u32,
    /// The cell of the slot, behind the entry before, if no sync began in between; else 0. The entry
    /// lies in no more slots than if it began in the first.
    pub(super) cell: u32,
    reserved: [u32; 4],
}

/// Says that the log is on disk up to an op. Written after the sync, durable with the next one.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Mark {
    /// Over the rest of the mark.
    checksum: u128,
    /// The checksum of the entry of `synced_op`.
    pub(super) entry_checksum: u128,
    pub(super) file_id: [u8; 16],
    pub(super) epoch: u64,
    pub(super) synced_op: u64,
    magic: u64,
    reserved: [u64; 7],
}

const _: () = {
    assert!(size_of::<EntryHeader>() == 128);
    assert!(size_of::<Mark>() == 128);
    assert!(HEADER_SIZE < CELL_SIZE); // the header is in the first cell, whole
};

/// Slots that an entry with a body of so many bytes takes.
pub(crate) fn entry_slots(body_length: u64) -> u64 {
    body_length.saturating_add(HEADER_SIZE as u64).div_ceil(SECTOR_SIZE as u64)
}

/// The longest body in bytes: its entry takes at most half the ring.
pub(crate) fn body_length_max(wal_slots: u32) -> u64 {
    u64::from(wal_slots / 2) * SECTOR_SIZE as u64 - HEADER_SIZE as u64
}

/// What an entry says besides its body.
pub(super) struct EntryFields {
    pub(super) parent: u128,
    pub(super) file_id: [u8; 16],
    pub(super) epoch: u64,
    pub(super) op: u64,
    pub(super) synced_op: u64,
    pub(super) place: Place,
}

impl EntryHeader {
    pub(super) fn new(fields: EntryFields, body: &[u8]) -> EntryHeader {
        let EntryFields { parent, file_id, epoch, op, synced_op, place } = fields;
        assert!(synced_op < op);
        let mut header = EntryHeader {
            checksum: 0,
            body_checksum: checksum(Domain::WalBody, body),
            parent,
            file_id,
            epoch,
            op,
            body_length: body.len() as u64,
            synced_op,
            magic: ENTRY_MAGIC,
            slot: place.slot,
            cell: place.cell,
            reserved: [0; 4],
        };
        header.checksum = header.compute_checksum();
        header
    }

    /// The header in these bytes, if one was written there, in this place of this ring of this file.
    /// Its body may be torn.
    pub(super) fn read(
        bytes: &[u8],
        place: Place,
        file_id: &[u8; 16],
        wal_slots: u32,
    ) -> Option<EntryHeader> {
        let header: EntryHeader = bytemuck::pod_read_unaligned(bytes.get(..HEADER_SIZE)?);
        let genuine = header.magic == ENTRY_MAGIC
            && header.file_id == *file_id
            && (header.slot, header.cell) == (place.slot, place.cell)
            && header.op <= COUNTER_MAX
            && header.synced_op < header.op
            && header.body_length <= body_length_max(wal_slots)
            && u64::from(header.slots()) == entry_slots(header.body_length)
            && header.reserved == [0; 4]
            && header.checksum == header.compute_checksum();
        genuine.then_some(header)
    }

    pub(super) fn body_is_valid(&self, body: &[u8]) -> bool {
        body.len() as u64 == self.body_length
            && checksum(Domain::WalBody, body) == self.body_checksum
    }

    /// Slots that the entry lies in, the one included that it shares with the entry before.
    pub(super) fn slots(&self) -> u32 {
        let bytes = self.body_length + (self.cell as usize * CELL_SIZE) as u64;
        u32::try_from(entry_slots(bytes)).expect("the length of a header is bounded")
    }

    fn compute_checksum(&self) -> u128 {
        let bytes = bytemuck::bytes_of(self);
        checksum(Domain::WalEntry, &bytes[size_of::<u128>()..])
    }
}

impl Mark {
    pub(super) fn new(file_id: [u8; 16], epoch: u64, synced_op: u64, entry_checksum: u128) -> Mark {
        let (magic, reserved) = (MARK_MAGIC, [0; 7]);
        let mut mark =
            Mark { checksum: 0, entry_checksum, file_id, epoch, synced_op, magic, reserved };
        mark.checksum = mark.compute_checksum();
        mark
    }

    /// The mark in a sector, if one was written there for this file.
    pub(super) fn read(sector: &[u8], file_id: &[u8; 16]) -> Option<Mark> {
        let mark: Mark = bytemuck::pod_read_unaligned(sector.get(..size_of::<Mark>())?);
        let genuine = mark.magic == MARK_MAGIC
            && mark.file_id == *file_id
            && mark.synced_op <= COUNTER_MAX
            && mark.reserved == [0; 7]
            && mark.checksum == mark.compute_checksum();
        genuine.then_some(mark)
    }

    /// The whole sector that the mark is written as.
    pub(super) fn to_sector(self) -> [u8; SECTOR_SIZE] {
        let mut sector = [0; SECTOR_SIZE];
        sector[..size_of::<Mark>()].copy_from_slice(bytemuck::bytes_of(&self));
        sector
    }

    fn compute_checksum(&self) -> u128 {
        let bytes = bytemuck::bytes_of(self);
        checksum(Domain::WalMark, &bytes[size_of::<u128>()..])
    }
}
