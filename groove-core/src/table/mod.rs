//! Tables: sorted, immutable values on disk.
//!
//! ```text
//! extent  | value block | value block | … | filter | index block |
//! ```
//!
//! A table is one extent of consecutive sectors, written once from front to back. The index block
//! holds, per value block, its last key, its checksum and its counts; the filter (of unique trees)
//! tells most absent keys apart without a read. The [`TableRecord`] in the manifest log refers to
//! the index block, the index block to all others.

mod batch;
mod builder;
mod chunk;
mod columns;
mod filter;
mod gather;
mod index;
mod lane;
mod layout;
mod record;
mod shape;
mod value_block;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub(crate) use batch::Batch;
pub(crate) use builder::TableBuilder;
pub(crate) use chunk::Chunk;
pub(crate) use columns::LastTemplate;
pub(crate) use filter::Filter;
pub(crate) use gather::Gather;
pub(crate) use index::{IndexedBlock, TableIndex, checksum_from_words, checksum_words};
pub(crate) use layout::TableLayout;
pub(crate) use record::TableRecord;
pub(crate) use shape::{PayloadLane, plain_lanes, row_lanes};
pub(crate) use value_block::ValueBlock;

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{BlockBytes, BlockRef, Extent, Grid, Pinned, Shelf, ShelfGuard, corrupt};
use crate::memory::{Key, Usage};

/// What all tables of one tree share.
#[derive(Debug)]
pub(crate) struct TreeMeta {
    /// The tree, numbered through the forest from 1 on.
    pub(crate) id: u32,
    /// `groove.tree`, for errors.
    pub(crate) name: Arc<str>,
    /// How values of one key relate.
    pub(crate) usage: Usage,
    /// Bytes of an encoded key: the last bytes of its limbs.
    pub(crate) key_width: usize,
    /// Bytes of a payload.
    pub(crate) payload_width: usize,
    /// The lanes of a payload.
    pub(crate) lanes: Vec<PayloadLane>,
    /// Whether tables carry a filter.
    pub(crate) filter: bool,
    /// How values are packed into blocks and tables.
    pub(crate) layout: TableLayout,
    /// What the constant lanes of its blocks are, as far as they agree.
    pub(crate) template: LastTemplate,
}

impl TreeMeta {
    /// Lanes of a value whose key has `limbs`.
    pub(crate) fn lane_count(&self, limbs: usize) -> usize {
        limbs + self.lanes.len()
    }
}

/// A table of a level; which one, the level knows, so that a moved table is still the same table to
/// readers that hold it. Its index block and filter are read at first use and stay in memory.
pub(crate) struct Table<const K: usize> {
    pub(crate) record: TableRecord,
    pub(crate) key_min: Key<K>,
    pub(crate) key_max: Key<K>,
    index: OnceLock<(TableIndex<K>, Pinned)>,
}

impl<const K: usize> Table<K> {
    /// A table whose record was checked by [`TableRecord::check`].
    pub(crate) fn new(record: TableRecord) -> Self {
        let key_min = record.key_min_limbs::<K>();
        let key_max = record.key_max_limbs::<K>();
        assert!(key_min <= key_max, "the key range of a table is inverted");
        Table { record, key_min, key_max, index: OnceLock::new() }
    }

    /// A table that was just written, of these bytes: its index block and filter stay in memory, and with
    /// `blocks` its value blocks.
    pub(crate) fn written(
        record: TableRecord,
        bytes: &[u8],
        grid: &Grid,
        meta: &TreeMeta,
        blocks: bool,
    ) -> Result<Self, ReadError> {
        let table = Table::new(record);
        let at = |reference: &BlockRef| {
            let begin = (reference.address - record.address) as usize;
            &bytes[begin..begin + reference.length as usize]
        };
        let index = table.parse_index(at(&record.index_block()), grid, meta, |reference| {
            Ok(at(reference).to_vec())
        })?;
        for number in (0..index.blocks.len()).filter(|_| blocks) {
            let place = index.block(number);
            place.keep(grid, meta, at(place.reference()))?;
        }
        Ok(table)
    }

    /// Whether a quarter of its blocks is in memory.
    pub(crate) fn is_warm(&self) -> bool {
        let index = self.index.get().map(|(index, _)| index);
        index.is_some_and(|index| index.blocks.len() <= 4 * index.shelf.look().count())
    }

    /// Whether a key from `min` to `max` can be in it.
    pub(crate) fn overlaps(&self, min: &Key<K>, max: &Key<K>) -> bool {
        self.key_min <= *max && *min <= self.key_max
    }

    pub(crate) fn extent(&self) -> Extent {
        self.record.extent()
    }

    /// The parsed index block and filter.
    pub(crate) fn index(&self, grid: &Grid, meta: &TreeMeta) -> Result<&TableIndex<K>, ReadError> {
        if let Some((index, _)) = self.index.get() {
            return Ok(index);
        }
        let bytes =
            grid.read_uncached(&self.record.index_block(), BlockKind::Index, Some(&meta.name))?;
        self.parse_index(&bytes, grid, meta, |reference| {
            grid.read_uncached(reference, BlockKind::Filter, Some(&meta.name))
        })
    }

    /// As [`Table::index`], if they are in memory.
    pub(crate) fn index_at_hand(&self) -> Option<&TableIndex<K>> {
        self.index.get().map(|(index, _)| index)
    }

    /// Takes an index block whose checksum agreed, and the filter block that `filter` gives.
    fn parse_index(
        &self,
        bytes: &[u8],
        grid: &Grid,
        meta: &TreeMeta,
        filter: impl FnOnce(&BlockRef) -> Result<Vec<u8>, ReadError>,
    ) -> Result<&TableIndex<K>, ReadError> {
        let invalid = |address, kind, what| {
            corrupt(address, kind, Some(&meta.name), Damage::Invalid { what })
        };
        let mut index = TableIndex::parse(bytes, &self.record, meta)
            .map_err(|what| invalid(self.record.index_block().address, BlockKind::Index, what))?;
        if let Some(reference) = &index.filter_block {
            let parsed = Filter::parse(filter(reference)?);
            index.filter =
                Some(parsed.map_err(|what| invalid(reference.address, BlockKind::Filter, what))?);
        }
        let pinned = grid.pin(index.memory());
        Ok(&self.index.get_or_init(|| (index, pinned)).0)
    }
}

impl<const K: usize> Drop for Table<K> {
    /// Nobody has the table any more: the cache need not come to its blocks to find that out.
    fn drop(&mut self) {
        let Some((index, pinned)) = self.index.get() else { return };
        let shelf = index.shelf.look();
        let held: Vec<usize> =
            (0..index.blocks.len()).filter(|number| shelf.get(*number).is_some()).collect();
        drop(shelf);
        let references = held.iter().map(|number| &index.blocks[*number].reference);
        pinned.forget(&index.shelf, references);
    }
}

/// A value block of a table, by its number: where it is found, in memory or on disk.
#[derive(Clone, Copy)]
pub(crate) struct BlockPlace<'a, const K: usize> {
    pub(crate) index: &'a TableIndex<K>,
    pub(crate) number: usize,
}

impl<'a, const K: usize> BlockPlace<'a, K> {
    pub(crate) fn reference(&self) -> &'a BlockRef {
        &self.index.blocks[self.number].reference
    }

    /// Whether it is the block of `other`.
    pub(crate) fn is(&self, other: &BlockPlace<'_, K>) -> bool {
        self.number == other.number && self.is_beside(other)
    }

    /// Whether both are of one table.
    pub(crate) fn is_beside(&self, other: &BlockPlace<'_, K>) -> bool {
        std::ptr::eq(self.index, other.index)
    }

    /// What is in memory of the table's blocks.
    pub(crate) fn look(&self) -> ShelfGuard<'a, ValueBlock<K>> {
        self.index.shelf.look()
    }

    /// Asks the block something, where it stands.
    #[inline]
    pub(crate) fn ask<R>(
        &self,
        grid: &Grid,
        meta: &TreeMeta,
        question: impl FnOnce(&ValueBlock<K>) -> R,
    ) -> Result<R, ReadError> {
        let shelf = self.look();
        if let Some(block) = shelf.get(self.number) {
            let answer = question(block);
            let is_new = shelf.is_new(self.number);
            drop(shelf);
            grid.hit(is_new, || *self.reference());
            return Ok(answer);
        }
        drop(shelf);
        Ok(question(&self.read(grid, meta)?))
    }

    /// The block, to be held.
    pub(crate) fn hold(&self, grid: &Grid, meta: &TreeMeta) -> Result<ValueBlock<K>, ReadError> {
        let shelf = self.look();
        if let Some(block) = shelf.get(self.number) {
            let block = block.clone();
            let is_new = shelf.is_new(self.number);
            drop(shelf);
            grid.hit(is_new, || *self.reference());
            return Ok(block);
        }
        drop(shelf);
        self.read(grid, meta)
    }

    /// The block if it is in memory, for a merge: not counted, it will not be asked for again.
    pub(crate) fn peek(&self) -> Option<ValueBlock<K>> {
        self.look().get(self.number).cloned()
    }

    /// Reads the block from the storage, and keeps it in memory.
    #[cold]
    fn read(&self, grid: &Grid, meta: &TreeMeta) -> Result<ValueBlock<K>, ReadError> {
        let bytes = grid.read_uncached(self.reference(), BlockKind::Value, Some(&meta.name))?;
        self.keep(grid, meta, &bytes)
    }

    /// Takes the bytes of the block, whose checksum agreed, and keeps it in memory.
    pub(crate) fn keep(
        &self,
        grid: &Grid,
        meta: &TreeMeta,
        bytes: &[u8],
    ) -> Result<ValueBlock<K>, ReadError> {
        self.shelf_place().keep(grid, meta, bytes)
    }

    /// Where the block is kept, for another thread.
    pub(crate) fn shelf_place(&self) -> ShelfPlace<K> {
        let shelf = self.index.shelf.clone();
        ShelfPlace { shelf, number: self.number, reference: *self.reference() }
    }
}

/// Where a value block is kept when it is read.
pub(crate) struct ShelfPlace<const K: usize> {
    shelf: Arc<Shelf<ValueBlock<K>>>,
    number: usize,
    pub(crate) reference: BlockRef,
}

impl<const K: usize> ShelfPlace<K> {
    /// Takes the bytes of the block, whose checksum agreed, and keeps it in memory.
    pub(crate) fn keep(
        &self,
        grid: &Grid,
        meta: &TreeMeta,
        bytes: &[u8],
    ) -> Result<ValueBlock<K>, ReadError> {
        let block = ValueBlock::parse(bytes, meta, |block, behind| grid.hold(block, behind))
            .map_err(|what| invalid(&self.reference, meta, what))?;
        grid.keep(&self.reference, &self.shelf, self.number, block.clone(), block.memory());
        Ok(block)
    }
}

/// Parses a value block whose checksum agreed, to be read once.
pub(crate) fn parse_block<const K: usize>(
    bytes: &[u8],
    reference: &BlockRef,
    meta: &TreeMeta,
) -> Result<ValueBlock<K>, ReadError> {
    ValueBlock::parse(bytes, meta, BlockBytes::new).map_err(|what| invalid(reference, meta, what))
}

fn invalid(reference: &BlockRef, meta: &TreeMeta, what: &'static str) -> ReadError {
    corrupt(reference.address, BlockKind::Value, Some(&meta.name), Damage::Invalid { what })
}
