//! The header that every block of the grid begins with, and the reference that its parent holds.

use bytemuck::{Pod, Zeroable};

use crate::checksum::checksum;
use crate::constants::SECTOR_SIZE;
use crate::error::BlockKind;

/// Where a block is, and what its bytes must sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRef {
    /// Byte offset in the file, a multiple of the sector size.
    pub(crate) address: u64,
    /// Bytes, a multiple of the sector size.
    pub(crate) length: u32,
    /// Checksum of all bytes, the header and the padding included.
    pub(crate) checksum: u128,
}

impl BlockRef {
    /// Whether address and length can be those of a block in a grid that ends at `grid_end`.
    pub(crate) fn is_plausible(&self, grid_start: u64, grid_end: u64) -> bool {
        let sector = SECTOR_SIZE as u64;
        self.length > 0
            && self.address.is_multiple_of(sector)
            && u64::from(self.length).is_multiple_of(sector)
            && self.address >= grid_start
            && self.address.checked_add(u64::from(self.length)).is_some_and(|end| end <= grid_end)
    }
}

const MAGIC: u32 = u32::from_le_bytes(*b"grvB");
/// The version of the layout of value, filter, index, manifest and schema blocks.
const VERSION: u16 = 1;
pub(crate) const BLOCK_HEADER_SIZE: usize = 64;

/// The header of a block. It repeats what the parent knows, so that a block can be named without
/// its parent; the parent's checksum covers it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct BlockHeader {
    magic: u32,
    version: u16,
    kind: u8,
    /// How the values are encoded; 0: row by row, 1: in columns.
    pub(crate) encoding: u8,
    file_id: [u8; 16],
    address: u64,
    length: u32,
    /// The tree, numbered through the forest; 0 in blocks of no tree.
    pub(crate) tree: u32,
    /// Values in a value block, entries in an index block, records in a manifest block.
    pub(crate) count: u32,
    /// How many of them are tombstones.
    pub(crate) tombstone_count: u32,
    /// The op of the seal that the block was written after.
    pub(crate) op: u64,
    reserved: [u8; 8],
}

const _: () = assert!(size_of::<BlockHeader>() == BLOCK_HEADER_SIZE);

fn kind_byte(kind: BlockKind) -> u8 {
    match kind {
        BlockKind::Superblock => 1,
        BlockKind::WalEntry => 2,
        BlockKind::WalMark => 3,
        BlockKind::Value => 4,
        BlockKind::Filter => 5,
        BlockKind::Index => 6,
        BlockKind::Manifest => 7,
        BlockKind::Schema => 8,
    }
}

impl BlockHeader {
    /// Reads the header of a block whose checksum agreed.
    pub(crate) fn read(bytes: &[u8]) -> BlockHeader {
        bytemuck::pod_read_unaligned(&bytes[..BLOCK_HEADER_SIZE])
    }

    /// What of the header disagrees with the reference, if anything.
    pub(super) fn check(
        bytes: &[u8],
        reference: &BlockRef,
        kind: BlockKind,
        file_id: &[u8; 16],
    ) -> Result<(), &'static str> {
        if bytes.len() < BLOCK_HEADER_SIZE {
            return Err("length");
        }
        let header = BlockHeader::read(bytes);
        if header.magic != MAGIC {
            return Err("magic");
        }
        if header.version != VERSION {
            return Err("version");
        }
        if header.kind != kind_byte(kind) {
            return Err("kind");
        }
        if header.file_id != *file_id {
            return Err("file id");
        }
        if header.address != reference.address {
            return Err("address");
        }
        if header.length != reference.length {
            return Err("length");
        }
        Ok(())
    }
}

/// What the writer of a block knows of it beside its kind and place.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BlockInfo {
    pub(crate) tree: u32,
    pub(crate) count: u32,
    pub(crate) tombstone_count: u32,
    pub(crate) op: u64,
    /// Of a value block.
    pub(crate) encoding: u8,
}

/// Writes the header over the first bytes of a block whose body is complete, and gives the
/// reference to it.
pub(crate) fn seal_block(
    bytes: &mut [u8],
    kind: BlockKind,
    address: u64,
    file_id: [u8; 16],
    info: BlockInfo,
) -> BlockRef {
    assert!(bytes.len().is_multiple_of(SECTOR_SIZE), "blocks are whole sectors");
    let header = BlockHeader {
        magic: MAGIC,
        version: VERSION,
        kind: kind_byte(kind),
        encoding: info.encoding,
        file_id,
        address,
        length: u32::try_from(bytes.len()).expect("a block is below 4 GiB"),
        tree: info.tree,
        count: info.count,
        tombstone_count: info.tombstone_count,
        op: info.op,
        reserved: [0; 8],
    };
    bytes[..BLOCK_HEADER_SIZE].copy_from_slice(bytemuck::bytes_of(&header));
    BlockRef { address, length: header.length, checksum: checksum(kind.into(), bytes) }
}
