//! The rows of a stream, looked up in batches ahead of who asks for them.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Damage, QueryError};
use crate::tree::{Direction, LookupBatch, TreeRead};

use super::{BoxStream, Filter, rank};

/// Rows of the first batch; each batch is twice as large as the one before.
const FIRST_BATCH_ROWS: usize = 16;
/// Rows that are looked up together at the most.
const BATCH_ROWS_MAX: usize = 1024;

/// Looks the rows of a stream's timestamps up, many together, which reads their blocks side by side.
pub(crate) struct RowReader {
    tree: Arc<dyn TreeRead>,
    /// The bytes of rows that are read, if not all.
    parts: Option<Vec<Range<usize>>>,
    /// The ranks of the batch, ascending.
    ranks: Vec<u64>,
    batch: LookupBatch,
    /// Where in the batch the last answer is.
    position: usize,
    batch_rows: usize,
}

impl RowReader {
    /// Rows of the object tree.
    pub(crate) fn new(tree: Arc<dyn TreeRead>) -> RowReader {
        RowReader::with(tree, None)
    }

    /// Of rows of the object tree the bytes that `filter` tests.
    pub(crate) fn tested(tree: Arc<dyn TreeRead>, filter: &Filter) -> RowReader {
        RowReader::with(tree, Some(filter.parts()))
    }

    fn with(tree: Arc<dyn TreeRead>, parts: Option<Vec<Range<usize>>>) -> RowReader {
        RowReader {
            tree,
            parts,
            ranks: Vec::new(),
            batch: LookupBatch::default(),
            position: 0,
            batch_rows: FIRST_BATCH_ROWS,
        }
    }

    /// The lowest rank of `stream` that is `target` or beyond; its row is at hand then. So many may still be asked
    /// for.
    pub(super) fn seek(
        &mut self,
        stream: &mut BoxStream,
        target: u64,
        direction: Direction,
        most: usize,
    ) -> Result<Option<u64>, QueryError> {
        let ahead = &self.ranks[self.position..];
        self.position += ahead.iter().take_while(|&&rank| rank < target).count();
        if self.position == self.ranks.len() {
            let target = self.ranks.last().map_or(target, |last| target.max(last + 1));
            self.ranks.clear();
            self.position = 0;
            stream.fill(target, self.batch_rows.min(most), &mut self.ranks)?;
            self.batch_rows = BATCH_ROWS_MAX.min(self.batch_rows * 2);
            let timestamps: Vec<u64> =
                self.ranks.iter().map(|&found| rank(direction, found)).collect();
            if timestamps.is_empty() {
                return Ok(None);
            }
            self.batch = self.tree.lookup_batch(&timestamps, self.parts.as_deref())?;
        }
        if !self.batch.found[self.position] {
            let timestamp = rank(direction, self.ranks[self.position]);
            let damage = Damage::EntryForeign { timestamp };
            return Err(QueryError::Read(self.tree.damaged(&[timestamp], damage)));
        }
        Ok(Some(self.ranks[self.position]))
    }

    /// The row of the last answer, if whole rows are read.
    pub(super) fn row(&self) -> Option<&[u8]> {
        self.row_as_read().filter(|_| self.parts.is_none())
    }

    /// What was read of the row of the last answer.
    pub(super) fn row_as_read(&self) -> Option<&[u8]> {
        let width = self.tree.payload_width();
        self.batch.payload.get(self.position * width..(self.position + 1) * width)
    }
}
