//! One copy of the superblock as it is on disk.

use std::io;

use bytemuck::{Pod, Zeroable};

use super::{COUNTER_MAX, FORMAT_VERSION, FormatOptions, Superblock, WalPosition};
use crate::checksum::{Domain, checksum};
use crate::constants::{GROOVES_MAX, SECTOR_SIZE};
use crate::grid::BlockRef;

/// The first bytes of every file. Not valid UTF-8 in any part, ends as PNG's does: a transfer that
/// changes line ends or drops the eighth bit is seen.
pub(super) const MAGIC: [u8; 16] = *b"\x89groove\xff\xf0lsm\r\n\x1a\n";
const ENDIAN_MARK: u32 = 0x0102_0304;
/// XXH3-128, seeded by kind: see [`crate::checksum`].
const CHECKSUM_XXH3: u32 = 1;

/// The bytes of a copy. All copies are equal but for `copy`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct SuperblockSector {
    pub(super) magic: [u8; 16],
    /// Over the whole sector, with this and `copy` zero.
    pub(super) checksum: u128,
    pub(super) parent: u128,
    pub(super) file_id: [u8; 16],
    /// Which of the copies this is: a copy that was written or read elsewhere does not count.
    pub(super) copy: u32,
    pub(super) version: u32,
    pub(super) endian_mark: u32,
    pub(super) checksum_id: u32,
    pub(super) sequence: u64,
    pub(super) epoch: u64,
    pub(super) block_size: u32,
    pub(super) wal_slots: u32,
    pub(super) growth_factor: u32,
    pub(super) groove_count: u32,
    pub(super) parameters: [u64; 8],
    pub(super) checkpoint_checksum: u128,
    pub(super) checkpoint_op: u64,
    pub(super) checkpoint_slot: u32,
    pub(super) reserved_checkpoint: u32,
    pub(super) manifest: ReferenceBytes,
    pub(super) schema: ReferenceBytes,
    pub(super) manifest_block_count: u64,
    pub(super) grid_end: u64,
    pub(super) timestamp_max: u64,
    pub(super) reserved_word: u64,
    pub(super) object_counts: [u64; GROOVES_MAX],
    // In parts, as `Pod` is there for some lengths of arrays only.
    pub(super) reserved: [u64; 256],
    pub(super) reserved_more: [u64; 64],
    pub(super) reserved_rest: [u64; 26],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct ReferenceBytes {
    checksum: u128,
    /// 0 if there is no such block; then all is 0.
    address: u64,
    length: u32,
    reserved: u32,
}

const _: () = {
    assert!(size_of::<SuperblockSector>() == SECTOR_SIZE);
    assert!(size_of::<ReferenceBytes>() == 32);
    // What tells formats and byte orders apart stays where it is in every format.
    assert!(std::mem::offset_of!(SuperblockSector, magic) == 0);
    assert!(std::mem::offset_of!(SuperblockSector, version) == 68);
    assert!(std::mem::offset_of!(SuperblockSector, endian_mark) == 72);
    assert!(std::mem::offset_of!(SuperblockSector, checksum_id) == 76);
};

/// What was found where a copy belongs.
pub(super) enum Copy {
    Unreadable(io::Error),
    /// Not written by groove.
    Foreign,
    OtherByteOrder,
    Newer {
        version: u32,
    },
    /// Torn, rotten or in the wrong place; its sequence number is what it says.
    Damaged {
        sequence: u64,
    },
    /// As it was written; its fields are not validated but for the sequence number.
    Valid(Box<SuperblockSector>),
}

impl Copy {
    pub(super) fn classify(sector: SuperblockSector, index: usize) -> Copy {
        if sector.magic != MAGIC {
            Copy::Foreign
        } else if sector.endian_mark == ENDIAN_MARK.swap_bytes() {
            Copy::OtherByteOrder
        } else if sector.endian_mark == ENDIAN_MARK && sector.version > FORMAT_VERSION {
            Copy::Newer { version: sector.version }
        } else if sector.endian_mark == ENDIAN_MARK
            && sector.version == FORMAT_VERSION
            && sector.checksum_id == CHECKSUM_XXH3
            && sector.checksum == sector.compute_checksum()
            && sector.copy as usize == index
            && (1..=COUNTER_MAX).contains(&sector.sequence)
        {
            Copy::Valid(Box::new(sector))
        } else {
            Copy::Damaged { sequence: sector.sequence }
        }
    }
}

impl SuperblockSector {
    /// The bytes of copy 0.
    pub(super) fn encode(superblock: &Superblock) -> SuperblockSector {
        let mut sector = SuperblockSector {
            magic: MAGIC,
            parent: superblock.parent,
            file_id: superblock.file_id,
            version: FORMAT_VERSION,
            endian_mark: ENDIAN_MARK,
            checksum_id: CHECKSUM_XXH3,
            sequence: superblock.sequence,
            epoch: superblock.epoch,
            block_size: superblock.options.block_size,
            wal_slots: superblock.options.wal_slots,
            growth_factor: superblock.options.growth_factor,
            groove_count: superblock.groove_count,
            parameters: superblock.options.parameters,
            checkpoint_checksum: superblock.checkpoint.checksum,
            checkpoint_op: superblock.checkpoint.op,
            checkpoint_slot: superblock.checkpoint.slot,
            manifest: ReferenceBytes::encode(superblock.manifest),
            schema: ReferenceBytes::encode(superblock.schema),
            manifest_block_count: superblock.manifest_block_count,
            grid_end: superblock.grid_end,
            timestamp_max: superblock.timestamp_max,
            object_counts: superblock.object_counts,
            ..SuperblockSector::zeroed()
        };
        sector.checksum = sector.compute_checksum();
        sector
    }

    /// The value; fails on what a value cannot express, and checks nothing else.
    pub(super) fn decode(&self) -> Result<Superblock, &'static str> {
        let reserved_is_zero = self.reserved_checkpoint == 0
            && self.reserved_word == 0
            && self.reserved.iter().all(|&word| word == 0)
            && self.reserved_more.iter().all(|&word| word == 0)
            && self.reserved_rest.iter().all(|&word| word == 0);
        if !reserved_is_zero {
            return Err("reserved field");
        }
        Ok(Superblock {
            sequence: self.sequence,
            sequence_highest: self.sequence,
            write_order: [0, 1, 2, 3],
            parent: self.parent,
            file_id: self.file_id,
            epoch: self.epoch,
            options: FormatOptions {
                block_size: self.block_size,
                wal_slots: self.wal_slots,
                growth_factor: self.growth_factor,
                parameters: self.parameters,
            },
            checkpoint: WalPosition {
                op: self.checkpoint_op,
                checksum: self.checkpoint_checksum,
                slot: self.checkpoint_slot,
            },
            timestamp_max: self.timestamp_max,
            manifest: self.manifest.decode().ok_or("manifest reference")?,
            manifest_block_count: self.manifest_block_count,
            schema: self.schema.decode().ok_or("schema reference")?,
            grid_end: self.grid_end,
            groove_count: self.groove_count,
            object_counts: self.object_counts,
        })
    }

    pub(super) fn compute_checksum(&self) -> u128 {
        let bare = SuperblockSector { checksum: 0, copy: 0, ..*self };
        checksum(Domain::Superblock, bytemuck::bytes_of(&bare))
    }
}

impl ReferenceBytes {
    fn encode(reference: Option<BlockRef>) -> ReferenceBytes {
        match reference {
            Some(BlockRef { address, length, checksum }) => {
                assert!(address > 0, "address 0 is the superblock's");
                ReferenceBytes { checksum, address, length, reserved: 0 }
            }
            None => ReferenceBytes::zeroed(),
        }
    }

    fn decode(&self) -> Option<Option<BlockRef>> {
        let ReferenceBytes { checksum, address, length, reserved } = *self;
        match (address, length, checksum, reserved) {
            (0, 0, 0, 0) => Some(None),
            (0, ..) => None,
            (.., 0) => Some(Some(BlockRef { address, length, checksum })),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(super) fn with_address(self, address: u64) -> ReferenceBytes {
        ReferenceBytes { address, ..self }
    }
}
