//! The levels of a tree: per level tables that are disjoint and ascend.

use std::sync::Arc;

use crate::memory::Key;
use crate::table::Table;

use super::read::Direction;
use super::removed::successor;

/// Levels of a tree at most; with a growth factor of 8 that is more than any disk holds.
pub(crate) const LEVELS_MAX: usize = 16;

/// All tables of one tree.
#[derive(Clone)]
pub(crate) struct Levels<const K: usize> {
    levels: Vec<Vec<Arc<Table<K>>>>,
}

impl<const K: usize> Levels<K> {
    pub(crate) fn empty() -> Self {
        Levels { levels: Vec::new() }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &[Arc<Table<K>>]> {
        self.levels.iter().map(Vec::as_slice)
    }

    pub(crate) fn count(&self) -> usize {
        self.levels.len()
    }

    pub(crate) fn level(&self, level: usize) -> &[Arc<Table<K>>] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// The table that may hold `key`, if any.
    pub(crate) fn table_for<'a>(
        tables: &'a [Arc<Table<K>>],
        key: &Key<K>,
    ) -> Option<&'a Arc<Table<K>>> {
        let at = tables.partition_point(|table| table.key_max < *key);
        tables.get(at).filter(|table| table.key_min <= *key)
    }

    /// A key that lies about so many values of a level beyond `from`, which is one of them: where another block of
    /// the same table ends, as far as that goes. Nothing is read: `None` if it is not known so.
    pub(super) fn key_ahead(
        &self,
        level: usize,
        from: &Key<K>,
        direction: Direction,
        distance: usize,
    ) -> Option<Key<K>> {
        let index = Self::table_for(self.level(level), from)?.index_at_hand()?;
        let block = index.block_at(from);
        let mut ahead = 0;
        let is_enough = |number: &usize| {
            ahead += index.blocks[*number].count as usize;
            ahead >= distance
        };
        match direction {
            Direction::Ascending => {
                let blocks = block + 1..index.blocks.len();
                let last = blocks.clone().find(is_enough).or(blocks.last());
                last.map(|last| index.last_keys[last])
            }
            Direction::Descending => {
                let first = (1..block).rev().find(is_enough).or((block > 0).then_some(1));
                first.and_then(|first| successor(&index.last_keys[first - 1]))
            }
        }
    }

    /// Takes tables out by address.
    ///
    /// # Panics
    /// If one is not there: a compaction would remove what it did not read.
    pub(crate) fn remove(&mut self, level: usize, address: u64) -> Arc<Table<K>> {
        let tables = &mut self.levels[level];
        let at = tables.iter().position(|table| table.record.address == address);
        tables.remove(at.expect("a table that is removed is in its level"))
    }

    /// Puts a table into a level; `false` if it overlaps another one or there are too many levels.
    pub(crate) fn insert(&mut self, level: usize, table: Arc<Table<K>>) -> bool {
        if level >= LEVELS_MAX {
            return false;
        }
        while self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        let tables = &mut self.levels[level];
        let at = tables.partition_point(|other| other.key_max < table.key_min);
        if tables.get(at).is_some_and(|next| next.key_min <= table.key_max) {
            return false;
        }
        tables.insert(at, table);
        true
    }

    pub(crate) fn trim(&mut self) {
        while self.levels.last().is_some_and(Vec::is_empty) {
            self.levels.pop();
        }
    }
}
