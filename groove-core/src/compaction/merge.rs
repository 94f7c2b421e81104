//! One input of a merge: values in order, from runs or from neighbouring tables, unpacked a block at a
//! time.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{BlockRef, Grid, corrupt};
use crate::memory::{Key, Run};
use crate::table::{
    BlockPlace, Chunk, IndexedBlock, Table, TableIndex, TreeMeta, ValueBlock, parse_block,
};

use super::runs::RunSource;

/// Bytes of value blocks that are read at once.
const READ_AHEAD: usize = 256 * 1024;
/// Bytes of blocks in memory that are read again between others: one read costs less than two.
const READ_OVER: usize = 64 * 1024;

/// An input, and the values of it that are at hand.
pub(super) struct Input<const K: usize> {
    source: Source<K>,
    pub(super) chunk: Chunk<K>,
    /// The first value of the chunk that is not merged yet.
    pub(super) at: usize,
}

enum Source<const K: usize> {
    Runs(RunSource<K>),
    Tables(TableSource<K>),
}

/// The values of neighbouring tables; blocks that are not in memory are read ahead, past the cache.
struct TableSource<const K: usize> {
    tables: Vec<Arc<Table<K>>>,
    table: usize,
    /// The next block of the table to read.
    next_block: usize,
    /// Blocks that were read, the next one last.
    read: Vec<ReadBlock<K>>,
    /// The last key of the block at hand, and where the block is.
    at_hand: Option<(Key<K>, u64)>,
}

/// A block that was read, and what its index block says of it.
struct ReadBlock<const K: usize> {
    values: ValueBlock<K>,
    address: u64,
    count: u32,
    last_key: Key<K>,
}

impl<const K: usize> ReadBlock<K> {
    fn new(place: &BlockPlace<'_, K>, values: ValueBlock<K>) -> Self {
        let IndexedBlock { reference, count, .. } = place.index.blocks[place.number];
        let last_key = place.index.last_keys[place.number];
        ReadBlock { values, address: reference.address, count, last_key }
    }
}

impl<const K: usize> Input<K> {
    pub(super) fn runs(runs: Vec<Arc<Run<K>>>, meta: &TreeMeta) -> Self {
        let source = Source::Runs(RunSource::new(runs, meta.usage));
        Input { source, chunk: Chunk::new(meta), at: 0 }
    }

    pub(super) fn tables(tables: Vec<Arc<Table<K>>>, meta: &TreeMeta) -> Self {
        let source = Source::Tables(TableSource {
            tables,
            table: 0,
            next_block: 0,
            read: Vec::new(),
            at_hand: None,
        });
        Input { source, chunk: Chunk::new(meta), at: 0 }
    }

    /// The keys at hand; the next ones are read if there are none. Empty at the end.
    pub(super) fn fill(&mut self, grid: &Grid, meta: &TreeMeta) -> Result<(), ReadError> {
        if self.at < self.chunk.len() {
            return Ok(());
        }
        self.at = 0;
        match &mut self.source {
            Source::Runs(source) => {
                source.fill(meta, &mut self.chunk);
                Ok(())
            }
            Source::Tables(source) => source.fill(grid, meta, &mut self.chunk),
        }
    }

    /// Where the block of the values at hand is; `None` if they are in memory.
    pub(super) fn address(&self) -> Option<u64> {
        match &self.source {
            Source::Runs(_) => None,
            Source::Tables(source) => source.at_hand.map(|(_, address)| address),
        }
    }

    /// The keys of the chunk that are not merged yet.
    pub(super) fn keys(&self) -> &[Key<K>] {
        &self.chunk.keys[self.at..]
    }
}

impl<const K: usize> TableSource<K> {
    fn fill(
        &mut self,
        grid: &Grid,
        meta: &TreeMeta,
        chunk: &mut Chunk<K>,
    ) -> Result<(), ReadError> {
        if self.read.is_empty() {
            self.read_on(grid, meta)?;
        }
        let Some(ReadBlock { values, address, count, last_key }) = self.read.pop() else {
            chunk.clear();
            return Ok(());
        };
        let checked = values.unpack(meta, chunk).and_then(|()| {
            // What the index block says was believed when the merge was planned: the space that is
            // reserved is for as many values, and the tables beside it have the other keys.
            let follows = self.at_hand.is_none_or(|(last, _)| last < chunk.keys[0]);
            let ends = chunk.keys.last() == Some(&last_key);
            match (follows && ends, chunk.len() == count as usize) {
                (true, true) => Ok(()),
                (false, _) => Err("order of keys"),
                (true, false) => Err("number of values"),
            }
        });
        self.at_hand = Some((last_key, address));
        checked.map_err(|what| {
            let damage = Damage::Invalid { what };
            corrupt(address, BlockKind::Value, Some(&meta.name), damage)
        })
    }

    /// Takes the next block if it is in memory, and reads on up to several that are if not.
    fn read_on(&mut self, grid: &Grid, meta: &TreeMeta) -> Result<(), ReadError> {
        let Some(table) = self.tables.get(self.table) else { return Ok(()) };
        let index = table.index(grid, meta)?;
        let first = index.block(self.next_block);
        if let Some(values) = first.peek() {
            self.read.push(ReadBlock::new(&first, values));
        } else {
            let missing = missing(index, self.next_block);
            let references: Vec<BlockRef> =
                missing.clone().map(|number| index.blocks[number].reference).collect();
            let bytes = grid.read_consecutive(&references, BlockKind::Value, &meta.name)?;
            let mut rest = &bytes[..];
            for (reference, number) in references.iter().zip(missing) {
                let (bytes, behind) = rest.split_at(reference.length as usize);
                let values = parse_block(bytes, reference, meta)?;
                self.read.push(ReadBlock::new(&index.block(number), values));
                rest = behind;
            }
            self.read.reverse();
        }
        self.next_block += self.read.len();
        if self.next_block == index.blocks.len() {
            self.table += 1;
            self.next_block = 0;
        }
        Ok(())
    }
}

/// The blocks to read at once from `first` on, which is not in memory: up to the last that is not.
fn missing<const K: usize>(index: &TableIndex<K>, first: usize) -> Range<usize> {
    let shelf = index.block(first).look();
    let (mut length, mut over, mut end) = (0, 0, first + 1);
    for (number, block) in index.blocks.iter().enumerate().skip(first) {
        let bytes = block.reference.length as usize;
        length += bytes;
        over = if shelf.get(number).is_some() { over + bytes } else { 0 };
        if length > READ_AHEAD || over > READ_OVER {
            break;
        }
        if over == 0 {
            end = number + 1;
        }
    }
    first..end
}
