//! What the manifest log says of a table.

use bytemuck::{Pod, Zeroable};

use crate::constants::{KEY_LIMBS_MAX, SECTOR_SIZE};
use crate::grid::{BlockRef, Extent};
use crate::memory::Key;

use super::index::{checksum_from_words, checksum_words};

/// A table: its tree, its place, its keys. Read from disk as it stands, so checked before use.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub(crate) struct TableRecord {
    pub(crate) tree: u32,
    pub(crate) level: u32,
    pub(crate) address: u64,
    pub(crate) sectors: u32,
    /// Sectors before the index block.
    pub(crate) index_at: u32,
    /// Bytes of the index block.
    pub(crate) index_length: u32,
    pub(crate) reserved: u32,
    pub(crate) index_checksum: [u64; 2],
    pub(crate) key_min: [u64; KEY_LIMBS_MAX],
    pub(crate) key_max: [u64; KEY_LIMBS_MAX],
    /// Values, tombstones included.
    pub(crate) count: u64,
    pub(crate) tombstone_count: u64,
}

const _: () = assert!(size_of::<TableRecord>() == 144);

impl TableRecord {
    pub(super) fn new<const K: usize>(
        tree: u32,
        extent: Extent,
        index: BlockRef,
        key_min: &Key<K>,
        key_max: &Key<K>,
    ) -> TableRecord {
        let mut record = TableRecord::zeroed();
        record.tree = tree;
        record.address = extent.address;
        record.sectors = extent.sectors;
        record.index_at = u32::try_from((index.address - extent.address) / SECTOR_SIZE as u64)
            .expect("a table is below 2^32 sectors");
        record.index_length = index.length;
        record.index_checksum = checksum_words(index.checksum);
        record.key_min[..K].copy_from_slice(key_min);
        record.key_max[..K].copy_from_slice(key_max);
        record
    }

    pub(crate) fn extent(&self) -> Extent {
        Extent { address: self.address, sectors: self.sectors }
    }

    pub(crate) fn index_block(&self) -> BlockRef {
        BlockRef {
            address: self.address + u64::from(self.index_at) * SECTOR_SIZE as u64,
            length: self.index_length,
            checksum: checksum_from_words(self.index_checksum),
        }
    }

    pub(crate) fn key_min_limbs<const K: usize>(&self) -> Key<K> {
        std::array::from_fn(|at| self.key_min[at])
    }

    pub(crate) fn key_max_limbs<const K: usize>(&self) -> Key<K> {
        std::array::from_fn(|at| self.key_max[at])
    }

    /// Whether a key has more limbs than its tree.
    pub(crate) fn key_limbs_beyond(&self, limbs: usize) -> bool {
        let beyond = self.key_min[limbs..].iter().chain(&self.key_max[limbs..]);
        beyond.copied().any(|limb| limb != 0)
    }

    /// What of a record read from disk cannot be, if anything.
    pub(crate) fn check(&self, grid_start: u64, grid_end: u64) -> Result<(), &'static str> {
        let sector = SECTOR_SIZE as u64;
        let bytes = u64::from(self.sectors) * sector;
        if self.sectors == 0
            || !self.address.is_multiple_of(sector)
            || self.address < grid_start
            || self.address.checked_add(bytes).is_none_or(|end| end > grid_end)
        {
            return Err("address");
        }
        let extent = self.extent();
        if self.index_at >= self.sectors
            || !self.index_block().is_plausible(extent.address, extent.end())
        {
            return Err("index block");
        }
        if self.key_min > self.key_max {
            return Err("key range");
        }
        if self.count == 0 || self.tombstone_count > self.count {
            return Err("count");
        }
        Ok(())
    }
}
