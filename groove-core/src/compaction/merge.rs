//! One input of a merge: values in order, from a run or from neighbouring tables.

use std::sync::Arc;

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{BlockRef, Grid, corrupt};
use crate::memory::{Key, Run};
use crate::table::{Table, TreeMeta, ValueBlock, parse_block};

/// Bytes of value blocks that are read at once.
const READ_AHEAD: usize = 256 * 1024;

/// The values of an input, one at a time.
pub(super) enum Stream<const K: usize> {
    /// Runs, oldest first; merged into one when the first value is asked for, so that the work is
    /// the compaction's and not the seal's.
    Runs {
        runs: Vec<Arc<Run<K>>>,
        merged: Option<Arc<Run<K>>>,
        at: usize,
    },
    Tables(TableStream<K>),
}

/// The values of neighbouring tables; blocks are read ahead, past the cache.
pub(super) struct TableStream<const K: usize> {
    tables: Vec<Arc<Table<K>>>,
    table: usize,
    /// The next block of the table to read.
    next_block: usize,
    /// Blocks that were read and where they are, the next one last.
    read: Vec<(u64, ValueBlock<K>)>,
    at: usize,
    /// The key before the one at hand.
    last: Option<Key<K>>,
}

impl<const K: usize> Stream<K> {
    pub(super) fn tables(tables: Vec<Arc<Table<K>>>) -> Self {
        let (read, last) = (Vec::new(), None);
        Stream::Tables(TableStream { tables, table: 0, next_block: 0, read, at: 0, last })
    }

    /// Where the block of the value at hand is; `None` if it is in memory. Only after `peek` gave a
    /// key.
    pub(super) fn address(&self) -> Option<u64> {
        match self {
            Stream::Runs { .. } => None,
            Stream::Tables(stream) => stream.read.last().map(|(address, _)| *address),
        }
    }

    /// The key at hand, read first if need be; `None` at the end.
    pub(super) fn peek(
        &mut self,
        grid: &Grid,
        meta: &TreeMeta,
    ) -> Result<Option<Key<K>>, ReadError> {
        match self {
            Stream::Runs { runs, merged, at } => {
                let run = merged.get_or_insert_with(|| {
                    let newest_first = std::mem::take(runs).into_iter().rev();
                    let merge = |newer: Arc<Run<K>>, older: Arc<Run<K>>| {
                        Arc::new(Run::merge(&newer, &older, meta.usage))
                    };
                    newest_first.reduce(merge).expect("an input has runs")
                });
                let lost = defect!(LastValueLost) && *at > 0 && *at + 1 == run.len();
                Ok(run.keys().get(*at).filter(|_| !lost).copied())
            }
            Stream::Tables(stream) => stream.peek(grid, meta),
        }
    }

    /// Whether the value at hand is a tombstone. Only after `peek` gave a key.
    pub(super) fn is_tombstone(&self) -> bool {
        match self {
            Stream::Runs { merged, at, .. } => peeked(merged).is_tombstone(*at),
            Stream::Tables(stream) => stream.block().is_tombstone(stream.at),
        }
    }

    /// The payload at hand. Only after `peek` gave a key.
    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Stream::Runs { merged, at, .. } => peeked(merged).payload(*at),
            Stream::Tables(stream) => stream.block().payload(stream.at),
        }
    }

    /// Goes one value on. Only after `peek` gave a key.
    pub(super) fn skip(&mut self) {
        match self {
            Stream::Runs { at, .. } => *at += 1,
            Stream::Tables(stream) => {
                stream.last = Some(stream.block().key(stream.at));
                stream.at += 1;
                if stream.at == stream.block().len() {
                    stream.read.pop();
                    stream.at = 0;
                }
            }
        }
    }
}

fn peeked<const K: usize>(merged: &Option<Arc<Run<K>>>) -> &Run<K> {
    merged.as_ref().expect("peek merged the runs")
}

fn invalid(offset: u64, meta: &TreeMeta, what: &'static str) -> ReadError {
    corrupt(offset, BlockKind::Value, Some(&meta.name), Damage::Invalid { what })
}

impl<const K: usize> TableStream<K> {
    fn block(&self) -> &ValueBlock<K> {
        &self.read.last().expect("peek read a block").1
    }

    fn peek(&mut self, grid: &Grid, meta: &TreeMeta) -> Result<Option<Key<K>>, ReadError> {
        if self.read.is_empty() && !self.read_on(grid, meta)? {
            return Ok(None);
        }
        let key = self.block().key(self.at);
        if self.last.is_some_and(|last| last >= key) {
            let offset = self.read.last().expect("peek read a block").0;
            return Err(invalid(offset, meta, "order of keys"));
        }
        Ok(Some(key))
    }

    fn read_on(&mut self, grid: &Grid, meta: &TreeMeta) -> Result<bool, ReadError> {
        let Some(table) = self.tables.get(self.table) else { return Ok(false) };
        let index = table.index(grid, meta)?;
        let rest = &index.blocks[self.next_block..];
        let mut length = 0;
        let fitting = rest.iter().take_while(|block| {
            length += block.reference.length as usize;
            length <= READ_AHEAD
        });
        let count = fitting.count().max(1);
        let blocks = &rest[..count];
        let references: Vec<BlockRef> = blocks.iter().map(|block| block.reference).collect();
        let bytes = grid.read_consecutive(&references, BlockKind::Value, &meta.name)?;
        let mut rest = &bytes[..];
        for block in blocks {
            let (bytes, behind) = rest.split_at(block.reference.length as usize);
            let values = parse_block(bytes.into(), &block.reference, meta)?;
            let address = block.reference.address;
            // The space that is reserved is for as many values as the index blocks say.
            if values.len() != block.count as usize {
                return Err(invalid(address, meta, "number of values"));
            }
            self.read.push((address, values));
            rest = behind;
        }
        self.read.reverse();
        self.next_block += count;
        if self.next_block == index.blocks.len() {
            self.table += 1;
            self.next_block = 0;
        }
        Ok(true)
    }
}
