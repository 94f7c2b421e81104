//! Checks the tables of one tree against everything that refers to them, and names the block of a
//! value that cannot be right.
//!
//! 1. Levels: the tables of each are disjoint and ascend.
//! 2. Tables: the index block, the filter and the value blocks are one after the other and fill the
//!    extent; all of them are read from the storage, whatever the caches hold.
//! 3. Values: keys ascend through the table, from its lowest to its highest; counts and tombstones of
//!    each block are those in the index block; the filter has every key.
//!
//! Memory: 256 KiB of blocks, and one table's index block and filter.

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{BlockRef, corrupt};
use crate::key_hash::key_hash;
use crate::memory::Key;
use crate::superblock::WAL_OFFSET;
use crate::table::{Table, TableIndex, ValueBlock, parse_block};

use super::read::TablesVerified;
use super::version::TreeVersion;

/// Bytes of value blocks that are read at once.
const READ_AHEAD: u64 = 256 * 1024;

impl<const K: usize> TreeVersion<K> {
    pub(super) fn verify_tables(&self) -> Result<TablesVerified, ReadError> {
        let mut verified = TablesVerified::default();
        for tables in self.levels().iter() {
            for pair in tables.windows(2) {
                if pair[0].key_max >= pair[1].key_min {
                    return Err(self.invalid(
                        BlockKind::Index,
                        &pair[1].record.index_block(),
                        "order of tables",
                    ));
                }
            }
            for table in tables {
                verified.tables += 1;
                verified.blocks += self.verify_table(table)?;
                verified.bytes += table.extent().end() - table.extent().address;
            }
        }
        Ok(verified)
    }

    /// Returns how many blocks the table has.
    fn verify_table(&self, table: &Table<K>) -> Result<u64, ReadError> {
        // The index block and the filter as they are on disk now, not as they were at their first use.
        let fresh = Table::<K>::new(table.record);
        let index = fresh.index(self.grid(), self.meta())?;
        let index_block = table.record.index_block();
        let mut end = table.extent().address;
        let values = index.blocks.iter().map(|block| block.reference);
        for reference in values.chain(index.filter_block).chain([index_block]) {
            if reference.address != end {
                return Err(self.invalid(BlockKind::Index, &index_block, "place"));
            }
            end += u64::from(reference.length);
        }
        if end != table.extent().end() {
            return Err(self.invalid(BlockKind::Index, &index_block, "extent"));
        }
        let mut last = None;
        let mut at = 0;
        while at < index.blocks.len() {
            let mut bytes = 0;
            let rest = index.blocks[at..].iter();
            let window = rest.take_while(|block| {
                bytes += u64::from(block.reference.length);
                bytes <= READ_AHEAD
            });
            let count = window.count().max(1);
            let references: Vec<BlockRef> =
                index.blocks[at..at + count].iter().map(|block| block.reference).collect();
            let name = &self.meta().name;
            let bytes = self.grid().read_consecutive(&references, BlockKind::Value, name)?;
            let mut rest = &bytes[..];
            for reference in &references {
                let (block, behind) = rest.split_at(reference.length as usize);
                rest = behind;
                let values = parse_block(block, reference, self.meta())?;
                self.verify_block(&fresh, index, at, &values, &mut last)?;
                at += 1;
            }
        }
        Ok(index.blocks.len() as u64 + u64::from(index.filter_block.is_some()) + 1)
    }

    /// `last` is the key before those of the block.
    fn verify_block(
        &self,
        table: &Table<K>,
        index: &TableIndex<K>,
        at: usize,
        values: &ValueBlock<K>,
        last: &mut Option<Key<K>>,
    ) -> Result<(), ReadError> {
        let block = &index.blocks[at];
        let damaged = |what| Err(self.invalid(BlockKind::Value, &block.reference, what));
        let mut tombstones = 0;
        for position in 0..values.len() {
            let key = values.key(position);
            if last.is_none() && key != table.key_min {
                return damaged("lowest key");
            }
            if last.is_some_and(|last| last >= key) {
                return damaged("order of keys");
            }
            *last = Some(key);
            tombstones += u32::from(values.is_tombstone(position));
            if let Some(filter) = &index.filter
                && !filter.may_contain(key_hash(&key))
            {
                let filter = index.filter_block.expect("a filter is read from its block");
                let what = "set of keys, which lacks one of the table,";
                return Err(self.invalid(BlockKind::Filter, &filter, what));
            }
        }
        if *last != Some(index.last_keys[at]) {
            return damaged("highest key");
        }
        if values.len() != block.count as usize || tombstones != block.tombstone_count {
            return damaged("number of values");
        }
        Ok(())
    }

    fn invalid(&self, kind: BlockKind, reference: &BlockRef, what: &'static str) -> ReadError {
        corrupt(reference.address, kind, Some(&self.meta().name), Damage::Invalid { what })
    }

    /// Names the newest block that has `key`, or else the deepest one that would have it. What is in
    /// memory came from the log.
    pub(super) fn damaged_at(&self, key: &Key<K>, damage: Damage) -> ReadError {
        let name = Some(&self.meta().name);
        let log = || corrupt(WAL_OFFSET, BlockKind::WalEntry, name, damage);
        if self.runs_newest_first().any(|run| run.find(key).is_some()) {
            return log();
        }
        let mut would_have = None;
        for tables in self.levels().iter() {
            let at = tables.partition_point(|table| table.key_max < *key);
            let Some(table) = tables.get(at).or(tables.last()) else { continue };
            let has = table.index(self.grid(), self.meta()).and_then(|index| {
                let at = index.block_at(key).min(index.blocks.len() - 1);
                let reference = index.blocks[at].reference;
                would_have = Some(reference);
                let has = index.block(at).ask(self.grid(), self.meta(), |values| values.find(key));
                Ok(has?.is_some())
            });
            match has {
                Ok(false) => {}
                Ok(true) => break,
                Err(error) => return error,
            }
        }
        would_have.map_or_else(log, |block| corrupt(block.address, BlockKind::Value, name, damage))
    }
}
