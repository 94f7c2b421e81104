//! How many values fit into a block and into a table at least: a function of the widths alone, so that
//! the space for a merge can be reserved before the merge runs. How far values pack is not known then;
//! what they do not need is given back.

use crate::constants::SECTOR_SIZE;
use crate::grid::{BLOCK_HEADER_SIZE, sectors};

use super::filter::Filter;
use super::index::index_block_size;

/// Values in a packed block at most, unless as many fit as rows: a merge unpacks a block at a time.
const PACKED_ROWS_MAX: usize = 16 * 1024;

/// The shape of the tables of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableLayout {
    /// Bytes of a value: its key and its payload.
    pub(crate) stride: usize,
    /// Limbs of a key.
    pub(crate) limbs: usize,
    /// Values in a full value block of rows: a block has at least as many, unless it is the last.
    pub(crate) block_rows: usize,
    /// Values in a value block at most, however well they pack.
    pub(crate) block_rows_max: usize,
    /// Values in a full table.
    pub(crate) table_rows: usize,
    /// Whether there is a filter.
    pub(crate) filter: bool,
}

impl TableLayout {
    /// `None` if not even one value fits into a block.
    pub(crate) fn new(
        key_width: usize,
        payload_width: usize,
        limbs: usize,
        filter: bool,
        block_size: usize,
        table_blocks: usize,
    ) -> Option<TableLayout> {
        let stride = key_width + payload_width;
        // Beside the values there must be room for a bit each: the tombstones.
        let block_rows = (block_size - BLOCK_HEADER_SIZE) * 8 / (stride * 8 + 1);
        let block_rows = block_rows.min(u32::MAX as usize / table_blocks);
        if block_rows == 0 {
            return None;
        }
        Some(TableLayout {
            stride,
            limbs,
            block_rows,
            block_rows_max: block_rows.max(PACKED_ROWS_MAX),
            table_rows: block_rows * table_blocks,
            filter,
        })
    }

    /// Bytes of the largest value block.
    pub(crate) fn block_bytes_max(&self) -> usize {
        self.block_bytes(self.block_rows, true)
    }

    /// Bytes of a value block of rows with `rows` values, padding included.
    pub(crate) fn block_bytes(&self, rows: usize, tombstones: bool) -> usize {
        let bitmap = if tombstones { rows.div_ceil(8) } else { 0 };
        (BLOCK_HEADER_SIZE + rows * self.stride + bitmap).next_multiple_of(SECTOR_SIZE)
    }

    /// Sectors that a table with at most `rows` values takes at the most: a block that is not the last
    /// has [`TableLayout::block_rows`] values or more, and no block takes more than as rows.
    pub(crate) fn table_sectors(&self, rows: usize) -> u32 {
        assert!(0 < rows && rows <= self.table_rows, "a table has values, and not too many");
        let full = rows / self.block_rows;
        let rest = rows % self.block_rows;
        let mut bytes = full * self.block_bytes(self.block_rows, true);
        if rest > 0 {
            bytes += self.block_bytes(rest, true);
        }
        if self.filter {
            bytes += Filter::block_bytes(rows);
        }
        bytes += index_block_size(self.limbs, full + usize::from(rest > 0));
        sectors(bytes)
    }

    /// The sizes of the tables that hold `rows` values, largest first.
    pub(crate) fn split(&self, rows: usize) -> impl Iterator<Item = u32> + use<> {
        let layout = *self;
        let full = rows / layout.table_rows;
        let rest = rows % layout.table_rows;
        std::iter::repeat_n(layout.table_rows, full)
            .chain((rest > 0).then_some(rest))
            .map(move |rows| layout.table_sectors(rows))
    }
}
