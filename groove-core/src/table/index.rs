//! The index block of a table: where its value blocks are, what they sum up to, and their last keys.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use crate::constants::SECTOR_SIZE;
use crate::grid::{BLOCK_HEADER_SIZE, BlockHeader, BlockRef, Shelf};
use crate::memory::Key;
use crate::search;

use super::filter::Filter;
use super::record::TableRecord;
use super::value_block::ValueBlock;
use super::{BlockPlace, TreeMeta};

/// The filter's place; behind the block's header.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct FilterEntry {
    checksum: [u64; 2],
    /// 0: the table has no filter.
    length: u32,
    reserved: [u8; 12],
}

/// A value block's place; its last key follows, limb by limb.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct BlockEntry {
    checksum: [u64; 2],
    length: u32,
    count: u32,
    tombstone_count: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<FilterEntry>() == 32 && size_of::<BlockEntry>() == 32);

pub(super) fn index_block_size(limbs: usize, blocks: usize) -> usize {
    let entry = size_of::<BlockEntry>() + 8 * limbs;
    (BLOCK_HEADER_SIZE + size_of::<FilterEntry>() + blocks * entry).next_multiple_of(SECTOR_SIZE)
}

pub(crate) fn checksum_words(checksum: u128) -> [u64; 2] {
    [checksum as u64, (checksum >> 64) as u64]
}

pub(crate) fn checksum_from_words(words: [u64; 2]) -> u128 {
    u128::from(words[0]) | u128::from(words[1]) << 64
}

/// A value block, as the index block describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexedBlock {
    pub(crate) reference: BlockRef,
    pub(crate) count: u32,
    pub(crate) tombstone_count: u32,
}

/// A parsed index block.
#[derive(Debug)]
pub(crate) struct TableIndex<const K: usize> {
    pub(crate) last_keys: Vec<Key<K>>,
    pub(crate) blocks: Vec<IndexedBlock>,
    pub(crate) filter_block: Option<BlockRef>,
    pub(crate) filter: Option<Filter>,
    /// The value blocks that are in memory.
    pub(super) shelf: Arc<Shelf<ValueBlock<K>>>,
}

impl<const K: usize> TableIndex<K> {
    /// Appends the index block (its header still empty) to `bytes`.
    pub(super) fn build(
        blocks: &[IndexedBlock],
        last_keys: &[Key<K>],
        filter: Option<BlockRef>,
        bytes: &mut Vec<u8>,
    ) {
        let start = bytes.len();
        bytes.resize(start + BLOCK_HEADER_SIZE, 0);
        let filter = FilterEntry {
            checksum: checksum_words(filter.map_or(0, |filter| filter.checksum)),
            length: filter.map_or(0, |filter| filter.length),
            reserved: [0; 12],
        };
        bytes.extend_from_slice(bytemuck::bytes_of(&filter));
        for (block, last_key) in blocks.iter().zip(last_keys) {
            let entry = BlockEntry {
                checksum: checksum_words(block.reference.checksum),
                length: block.reference.length,
                count: block.count,
                tombstone_count: block.tombstone_count,
                reserved: 0,
            };
            bytes.extend_from_slice(bytemuck::bytes_of(&entry));
            for limb in last_key {
                bytes.extend_from_slice(&limb.to_le_bytes());
            }
        }
        bytes.resize(start + index_block_size(K, blocks.len()), 0);
    }

    /// Reads an index block whose checksum agreed. Everything in it is checked against the record.
    pub(super) fn parse(
        bytes: &[u8],
        record: &TableRecord,
        meta: &TreeMeta,
    ) -> Result<Self, &'static str> {
        let header = BlockHeader::read(bytes);
        if header.tree != meta.id {
            return Err("tree");
        }
        let count = header.count as usize;
        let entry_size = size_of::<BlockEntry>() + 8 * K;
        let entries = BLOCK_HEADER_SIZE + size_of::<FilterEntry>();
        if count == 0 || bytes.len() < entries || count > (bytes.len() - entries) / entry_size {
            return Err("count");
        }
        let filter: FilterEntry = bytemuck::pod_read_unaligned(&bytes[BLOCK_HEADER_SIZE..entries]);
        let mut index = TableIndex {
            last_keys: Vec::with_capacity(count),
            blocks: Vec::with_capacity(count),
            filter_block: None,
            filter: None,
            shelf: Shelf::new(count),
        };
        let extent = record.extent();
        let mut address = extent.address;
        let (mut values, mut tombstones) = (0_u64, 0_u64);
        for entry_bytes in bytes[entries..entries + count * entry_size].chunks_exact(entry_size) {
            let (fixed, limbs) = entry_bytes.split_at(size_of::<BlockEntry>());
            let entry: BlockEntry = bytemuck::pod_read_unaligned(fixed);
            let mut key = [0; K];
            for (limb, bytes) in key.iter_mut().zip(limbs.as_chunks::<8>().0) {
                *limb = u64::from_le_bytes(*bytes);
            }
            let checksum = checksum_from_words(entry.checksum);
            let reference = BlockRef { address, length: entry.length, checksum };
            if !reference.is_plausible(extent.address, extent.end()) {
                return Err("block length");
            }
            if index.last_keys.last().is_some_and(|last| *last >= key) {
                return Err("order of keys");
            }
            if entry.count == 0
                || entry.count as usize > meta.layout.block_rows_max
                || entry.tombstone_count > entry.count
            {
                return Err("block count");
            }
            address += u64::from(entry.length);
            values += u64::from(entry.count);
            tombstones += u64::from(entry.tombstone_count);
            index.last_keys.push(key);
            index.blocks.push(IndexedBlock {
                reference,
                count: entry.count,
                tombstone_count: entry.tombstone_count,
            });
        }
        if values != record.count || tombstones != record.tombstone_count {
            return Err("sum of counts");
        }
        if index.last_keys.last() != Some(&record.key_max_limbs::<K>()) {
            return Err("last key");
        }
        if meta.filter != (filter.length != 0) {
            return Err("filter length");
        }
        if filter.length != 0 {
            let checksum = checksum_from_words(filter.checksum);
            let reference = BlockRef { address, length: filter.length, checksum };
            if !reference.is_plausible(extent.address, extent.end()) {
                return Err("filter length");
            }
            index.filter_block = Some(reference);
        }
        Ok(index)
    }

    /// Bytes of memory that the index and the filter hold, without blocks.
    pub(super) fn memory(&self) -> usize {
        let entry = size_of::<IndexedBlock>() + size_of::<Key<K>>();
        let shelf = Shelf::<ValueBlock<K>>::memory(self.blocks.len());
        self.blocks.len() * entry + shelf + self.filter.as_ref().map_or(0, Filter::memory)
    }

    /// A value block, by its number.
    #[inline]
    pub(crate) fn block(&self, number: usize) -> BlockPlace<'_, K> {
        BlockPlace { index: self, number }
    }

    /// The first block that can hold keys at or over `key`; the number of blocks if none can.
    pub(crate) fn block_at(&self, key: &Key<K>) -> usize {
        let keys = &self.last_keys;
        let (first, last) = (keys[0], keys[keys.len() - 1]);
        // All of them agree in the limbs before the first that differs.
        let limb = (0..K).find(|limb| first[*limb] != last[*limb]).unwrap_or(0);
        match search::even_guess(0, keys.len(), key[limb], |at| keys[at][limb]) {
            Some(guess) => search::nearer(0, keys.len(), guess, 1, |at| keys[at] < *key),
            None => keys.partition_point(|last| last < key),
        }
    }
}
