//! Writes a table: values in, an extent's bytes and the table's record out.
//!
//! Values are staged as columns. A [`ColumnPlan`] follows them, a frame of 128 at a time, and knows what
//! a block of columns would take; when the next frame does not fit any more, the block ends within it. A
//! block that would have fewer values than fit as rows is written as rows.

use std::sync::Arc;

use crate::error::BlockKind;
use crate::grid::{
    BLOCK_HEADER_SIZE, BlockHeader, BlockInfo, BlockRef, Extent, seal_block, sectors,
};
use crate::key::bytes_from_limbs;
use crate::key_hash::key_hash;
use crate::memory::{Key, Pick};

use super::TreeMeta;
use super::chunk::Chunk;
use super::columns::{ColumnPlan, Staged, write_bitmap};
use super::filter::Filter;
use super::index::{IndexedBlock, TableIndex, index_block_size};
use super::lane::FRAME_ROWS;
use super::record::TableRecord;
use super::value_block::{ENCODING_COLUMNS, ENCODING_ROWS};

/// Values between two looks at where in a frame a block ends.
const CUT_ROWS: usize = 8;
/// Written values that are staged before the rest is moved to the front.
const STAGED_ROWS: usize = 8192;

/// A table that is being built, in memory, for a reserved extent.
pub(crate) struct TableBuilder<const K: usize> {
    meta: Arc<TreeMeta>,
    extent: Extent,
    file_id: [u8; 16],
    op: u64,
    bytes: Vec<u8>,
    /// Values that are not all in a block yet: the limbs of the keys, then the lanes of the payloads.
    lanes: Vec<Vec<u64>>,
    tombstones: Vec<bool>,
    /// The first of them that is not in a block.
    begin: usize,
    plan: ColumnPlan,
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
        let lanes = meta.lane_count(K);
        TableBuilder {
            meta,
            extent,
            file_id,
            op,
            bytes: Vec::new(),
            lanes: vec![Vec::new(); lanes],
            tombstones: Vec::new(),
            begin: 0,
            plan: ColumnPlan::new(lanes),
            blocks: Vec::new(),
            last_keys: Vec::new(),
            hashes: Vec::new(),
            key_min: [0; K],
            key_max: [0; K],
            count: 0,
            tombstone_count: 0,
        }
    }

    /// Values that the table still takes.
    pub(crate) fn room(&self) -> usize {
        self.meta.layout.table_rows - self.count
    }

    /// Appends values of two chunks, whose keys must ascend.
    pub(crate) fn append(&mut self, newer: &Chunk<K>, older: &Chunk<K>, picks: &[Pick]) {
        assert!(picks.len() <= self.room(), "a full table takes no more values");
        let (Some(first), Some(last)) = (picks.first(), picks.last()) else { return };
        let first = first.of(&newer.keys, &older.keys);
        if self.count == 0 {
            self.key_min = first;
        } else {
            assert!(self.key_max < first, "the values of a table ascend");
        }
        self.key_max = last.of(&newer.keys, &older.keys);
        let (limbs, payload) = self.lanes.split_at_mut(K);
        let limbs = limbs.first_chunk_mut::<K>().expect("a lane per limb");
        gather_limbs(picks, &newer.keys, &older.keys, limbs);
        for (number, lane) in payload.iter_mut().enumerate() {
            let (newer, older) = (&newer.lanes[number][..], &older.lanes[number][..]);
            lane.extend(picks.iter().map(|pick| pick.of(newer, older)));
        }
        let staged = self.tombstones.len();
        let tombstones = picks.iter().map(|pick| pick.of(&newer.tombstones, &older.tombstones));
        self.tombstones.extend(tombstones);
        self.tombstone_count += self.tombstones[staged..].iter().filter(|is| **is).count();
        if self.meta.filter {
            let keys = picks.iter().map(|pick| pick.of(&newer.keys, &older.keys));
            self.hashes.extend(keys.map(|key| key_hash(&key)));
        }
        self.count += picks.len();
        self.write_blocks(false);
        if self.begin >= STAGED_ROWS {
            self.lanes.iter_mut().for_each(|lane| drop(lane.drain(..self.begin)));
            self.tombstones.drain(..self.begin);
            self.begin = 0;
        }
    }

    /// Writes the blocks that are full; with `all`, also the last one.
    fn write_blocks(&mut self, all: bool) {
        let layout = self.meta.layout;
        loop {
            let planned = self.plan.rows();
            let staged = self.tombstones.len() - self.begin;
            let rest = staged.min(layout.block_rows_max) - planned;
            // Whether what is staged ends the block at the latest.
            let ends = all || staged >= layout.block_rows_max;
            let rows = rest.min(FRAME_ROWS);
            if rows == 0 {
                if planned == 0 || !ends {
                    return;
                }
                self.write_columns();
                continue;
            }
            // Only the last frame of a block is not full.
            if rows < FRAME_ROWS && !ends {
                return;
            }
            if self.look(rows) <= layout.block_bytes_max() {
                self.take(rows);
                continue;
            }
            let cut = self.cut(rows);
            if planned + cut >= layout.block_rows {
                if cut > 0 {
                    self.look(cut);
                    self.take(cut);
                }
                self.write_columns();
            } else if staged >= layout.block_rows || all {
                self.write_rows(layout.block_rows.min(staged));
            } else {
                return;
            }
        }
    }

    fn look(&mut self, rows: usize) -> usize {
        let (lanes, tombstones) = (&self.lanes, &self.tombstones);
        self.plan.look(&Staged { lanes, tombstones, begin: self.begin }, rows)
    }

    fn take(&mut self, rows: usize) {
        let (lanes, tombstones) = (&self.lanes, &self.tombstones);
        self.plan.take(&Staged { lanes, tombstones, begin: self.begin }, rows);
    }

    /// How many of the next `rows` values still fit into the block, of which not all do.
    fn cut(&mut self, rows: usize) -> usize {
        let limit = self.meta.layout.block_bytes_max();
        let (mut fit, mut over) = (0, rows.div_ceil(CUT_ROWS));
        while over - fit > 1 {
            let middle = fit.midpoint(over);
            if self.look(middle * CUT_ROWS) <= limit {
                fit = middle;
            } else {
                over = middle;
            }
        }
        fit * CUT_ROWS
    }

    /// Writes what the plan took as a block.
    fn write_columns(&mut self) {
        let count = self.plan.rows();
        let start = self.bytes.len();
        let (lanes, tombstones) = (&self.lanes, &self.tombstones);
        self.plan.write(&Staged { lanes, tombstones, begin: self.begin }, &mut self.bytes);
        let layout = &self.meta.layout;
        let tombstones = self.tombstones[self.begin..self.begin + count].contains(&true);
        if count <= layout.block_rows
            && layout.block_bytes(count, tombstones) < self.bytes.len() - start
        {
            self.bytes.truncate(start);
            self.write_rows(count);
            return;
        }
        self.end_block(start, count, ENCODING_COLUMNS);
    }

    /// Writes the next `count` values as a block of rows.
    fn write_rows(&mut self, count: usize) {
        let start = self.bytes.len();
        let TreeMeta { key_width, payload_width, layout, .. } = *self.meta;
        let range = self.begin..self.begin + count;
        let tombstones = self.tombstones[range.clone()].contains(&true);
        self.bytes.resize(start + layout.block_bytes(count, tombstones), 0);
        let body = &mut self.bytes[start + BLOCK_HEADER_SIZE..];
        let (rows, bitmap) = body.split_at_mut(count * (key_width + payload_width));
        for (row, at) in rows.chunks_exact_mut(key_width + payload_width).zip(range.clone()) {
            let key: Key<K> = std::array::from_fn(|limb| self.lanes[limb][at]);
            let (encoded, payload) = row.split_at_mut(key_width);
            bytes_from_limbs(&key, encoded);
            for (lane, place) in self.lanes[K..].iter().zip(&self.meta.lanes) {
                place.write(lane[at], payload);
            }
        }
        if tombstones {
            write_bitmap(&self.tombstones[range], bitmap);
        }
        self.end_block(start, count, ENCODING_ROWS);
    }

    fn end_block(&mut self, start: usize, count: usize, encoding: u8) {
        let range = self.begin..self.begin + count;
        let last = range.end - 1;
        self.last_keys.push(std::array::from_fn(|limb| self.lanes[limb][last]));
        let tombstone_count = self.tombstones[range].iter().filter(|is| **is).count() as u32;
        let info = BlockInfo {
            tree: self.meta.id,
            count: u32::try_from(count).expect("a block has fewer values"),
            tombstone_count,
            op: self.op,
            encoding,
        };
        let reference = self.seal(BlockKind::Value, start, info);
        self.blocks.push(IndexedBlock { reference, count: info.count, tombstone_count });
        self.begin += count;
        self.plan.clear();
    }

    fn seal(&mut self, kind: BlockKind, start: usize, info: BlockInfo) -> BlockRef {
        let address = self.extent.address + start as u64;
        seal_block(&mut self.bytes[start..], kind, address, self.file_id, info)
    }

    /// Moves the value blocks to another extent: their addresses are in their headers.
    fn move_to(&mut self, extent: Extent) {
        self.extent = extent;
        let mut address = extent.address;
        let mut rest = &mut self.bytes[..];
        for block in &mut self.blocks {
            let (bytes, behind) = rest.split_at_mut(block.reference.length as usize);
            let BlockHeader { tree, op, encoding, count, tombstone_count, .. } =
                BlockHeader::read(bytes);
            let info = BlockInfo { tree, count, tombstone_count, op, encoding };
            block.reference = seal_block(bytes, BlockKind::Value, address, self.file_id, info);
            address += u64::from(block.reference.length);
            rest = behind;
        }
    }

    /// Completes the table, in the extent `more` if it does not fit into its own; `None` if it got no
    /// values.
    pub(crate) fn finish(mut self, more: Option<Extent>) -> Option<BuiltTable> {
        if self.count == 0 {
            return None;
        }
        self.write_blocks(true);
        let filter = if self.meta.filter { Filter::block_bytes(self.count) } else { 0 };
        let length = self.bytes.len() + filter + index_block_size(K, self.blocks.len());
        if let Some(more) = more.filter(|_| sectors(length) > self.extent.sectors) {
            self.move_to(more);
        }
        let info = BlockInfo { tree: self.meta.id, op: self.op, ..BlockInfo::default() };
        let filter = self.meta.filter.then(|| {
            let start = self.bytes.len();
            let count = Filter::build(&self.hashes, &mut self.bytes);
            self.seal(BlockKind::Filter, start, BlockInfo { count, ..info })
        });
        let start = self.bytes.len();
        TableIndex::build(&self.blocks, &self.last_keys, filter, &mut self.bytes);
        let count = self.blocks.len() as u32;
        let index = self.seal(BlockKind::Index, start, BlockInfo { count, ..info });
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

/// Appends the limbs of the keys that were picked to a lane each.
fn gather_limbs<const K: usize>(
    picks: &[Pick],
    newer: &[Key<K>],
    older: &[Key<K>],
    limbs: &mut [Vec<u64>; K],
) {
    // Few enough that they stay in the processor's cache between one lane and the next.
    let mut keys = [[0; K]; FRAME_ROWS];
    for picks in picks.chunks(FRAME_ROWS) {
        for (key, pick) in keys.iter_mut().zip(picks) {
            *key = pick.of(newer, older);
        }
        for (number, limb) in limbs.iter_mut().enumerate() {
            limb.extend(keys[..picks.len()].iter().map(|key| key[number]));
        }
    }
}
