//! Writes a table: values in, an extent's bytes and the table's record out.

use std::sync::Arc;

use crate::error::BlockKind;
use crate::grid::{BLOCK_HEADER_SIZE, BlockInfo, BlockRef, Extent, seal_block, sectors};
use crate::key::bytes_from_limbs;
use crate::memory::Key;

use super::TreeMeta;
use super::filter::{Filter, filter_hash};
use super::index::{IndexedBlock, TableIndex};
use super::record::TableRecord;

/// A table that is being built, in memory, for a reserved extent.
pub(crate) struct TableBuilder<const K: usize> {
    meta: Arc<TreeMeta>,
    extent: Extent,
    file_id: [u8; 16],
    op: u64,
    bytes: Vec<u8>,
    block_start: usize,
    block_count: usize,
    block_tombstones: Vec<u32>,
    blocks: Vec<IndexedBlock>,
    last_keys: Vec<Key<K>>,
    hashes: Vec<u64>,
    key_min: Key<K>,
    key_max: Key<K>,
    count: usize,
    tombstone_count: usize,
}

/// What was built.
pub(crate) struct BuiltTable {
    pub(crate) record: TableRecord,
    /// To be written at the record's address.
    pub(crate) bytes: Vec<u8>,
}

impl<const K: usize> TableBuilder<K> {
    pub(crate) fn new(meta: Arc<TreeMeta>, extent: Extent, file_id: [u8; 16], op: u64) -> Self {
        TableBuilder {
            meta,
            extent,
            file_id,
            op,
            bytes: Vec::with_capacity(extent.sectors as usize * crate::constants::SECTOR_SIZE),
            block_start: 0,
            block_count: 0,
            block_tombstones: Vec::new(),
            blocks: Vec::new(),
            last_keys: Vec::new(),
            hashes: Vec::new(),
            key_min: [0; K],
            key_max: [0; K],
            count: 0,
            tombstone_count: 0,
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == self.meta.layout.table_rows
    }

    pub(crate) fn push(&mut self, key: &Key<K>, tombstone: bool, payload: &[u8]) {
        assert!(!self.is_full(), "a full table takes no more values");
        assert_eq!(payload.len(), self.meta.payload_width, "a payload has its tree's width");
        if self.count == 0 {
            self.key_min = *key;
        } else {
            assert!(self.key_max < *key, "the values of a table ascend");
        }
        self.key_max = *key;
        if self.block_count == 0 {
            self.block_start = self.bytes.len();
            self.bytes.resize(self.block_start + BLOCK_HEADER_SIZE, 0);
        }
        if tombstone {
            self.block_tombstones.push(self.block_count as u32);
            self.tombstone_count += 1;
        }
        let row = self.bytes.len();
        self.bytes.resize(row + self.meta.key_width, 0);
        bytes_from_limbs(key, &mut self.bytes[row..]);
        self.bytes.extend_from_slice(payload);
        if self.meta.filter {
            self.hashes.push(filter_hash(key));
        }
        self.count += 1;
        self.block_count += 1;
        if self.block_count == self.meta.layout.block_rows {
            self.finish_block();
        }
    }

    fn finish_block(&mut self) {
        if self.block_count == 0 {
            return;
        }
        let tombstones = !self.block_tombstones.is_empty();
        if tombstones {
            let bitmap = self.bytes.len();
            self.bytes.resize(bitmap + self.block_count.div_ceil(8), 0);
            for at in &self.block_tombstones {
                self.bytes[bitmap + *at as usize / 8] |= 1 << (at % 8);
            }
        }
        let length = self.meta.layout.block_bytes(self.block_count, tombstones);
        self.bytes.resize(self.block_start + length, 0);
        let count = self.block_count as u32;
        let tombstone_count = self.block_tombstones.len() as u32;
        let reference = self.seal(BlockKind::Value, self.block_start, count, tombstone_count);
        self.blocks.push(IndexedBlock { reference, count, tombstone_count });
        self.last_keys.push(self.key_max);
        self.block_count = 0;
        self.block_tombstones.clear();
    }

    fn seal(
        &mut self,
        kind: BlockKind,
        start: usize,
        count: u32,
        tombstone_count: u32,
    ) -> BlockRef {
        let address = self.extent.address + start as u64;
        let info = BlockInfo { tree: self.meta.id, count, tombstone_count, op: self.op };
        seal_block(&mut self.bytes[start..], kind, address, self.file_id, info)
    }

    /// Completes the table; `None` if it got no values.
    pub(crate) fn finish(mut self) -> Option<BuiltTable> {
        if self.count == 0 {
            return None;
        }
        self.finish_block();
        let filter = self.meta.filter.then(|| {
            let start = self.bytes.len();
            let count = Filter::build(&self.hashes, &mut self.bytes);
            self.seal(BlockKind::Filter, start, count, 0)
        });
        let start = self.bytes.len();
        TableIndex::build(&self.blocks, &self.last_keys, filter, &mut self.bytes);
        let index = self.seal(BlockKind::Index, start, self.blocks.len() as u32, 0);
        let sectors = sectors(self.bytes.len());
        assert!(sectors <= self.extent.sectors, "a table stays within its reserved extent");
        let extent = Extent { address: self.extent.address, sectors };
        let mut record =
            TableRecord::new(self.meta.id, extent, index, &self.key_min, &self.key_max);
        record.count = self.count as u64;
        record.tombstone_count = self.tombstone_count as u64;
        Some(BuiltTable { record, bytes: self.bytes })
    }
}
