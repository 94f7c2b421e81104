//! A tree at one op: what readers hold. Nothing in it changes, but for what is only there to make look-ups faster.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{Grid, ShelfGuard};
use crate::key_hash::HashedKey;
use crate::memory::{
    BATCH, Batch, Key, Located, MemoryTable, Run, Usage, find_newest, limbs_to_key, spans_of_range,
};
use crate::table::{BlockPlace, Gather, ShelfPlace, Table, TableIndex, TreeMeta, ValueBlock};

use super::key_scan::MergeKeyScan;
use super::levels::Levels;
use super::read::{Direction, KeyScan, LookupBatch, Scan, TablesVerified, TreeRead};
use super::removed::successor;
use super::scan::MergeScan;

/// Blocks that a batch of look-ups reads together, in bytes: enough reads in flight for any device,
/// and a bound on memory whatever the number of keys.
const WINDOW_BYTES: usize = 4 << 20;

/// A tree at one op.
#[derive(Clone)]
pub(crate) struct TreeVersion<const K: usize> {
    meta: Arc<TreeMeta>,
    grid: Arc<Grid>,
    /// Changes that are no part of the mutable table and stay apart, oldest first: of short commits, of a scope.
    apart: Vec<Arc<Run<K>>>,
    mutable: Arc<MemoryTable<K>>,
    /// What was sealed at the last bar and is being merged into level 0.
    immutable: Arc<MemoryTable<K>>,
    levels: Arc<Levels<K>>,
}

/// A key of a batch, and which one it is.
type Asked<const K: usize> = (Key<K>, usize);

/// Where a value was found, or that its key was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Value,
    Tombstone,
}

impl<const K: usize> TreeVersion<K> {
    pub(super) fn empty(meta: Arc<TreeMeta>, grid: Arc<Grid>) -> Self {
        let levels = Arc::new(Levels::empty());
        TreeVersion {
            meta,
            grid,
            apart: Vec::new(),
            mutable: Arc::default(),
            immutable: Arc::default(),
            levels,
        }
    }

    pub(crate) fn meta(&self) -> &Arc<TreeMeta> {
        &self.meta
    }

    pub(crate) fn grid(&self) -> &Arc<Grid> {
        &self.grid
    }

    pub(crate) fn levels(&self) -> &Arc<Levels<K>> {
        &self.levels
    }

    /// The runs of the immutable table, oldest first.
    pub(crate) fn immutable(&self) -> &[Arc<Run<K>>] {
        self.immutable.runs()
    }

    /// The runs in memory, newest first.
    pub(crate) fn runs_newest_first(&self) -> impl Iterator<Item = &Arc<Run<K>>> {
        let tables = [&self.apart[..], self.mutable.runs(), self.immutable.runs()];
        tables.into_iter().flat_map(|runs| runs.iter().rev())
    }

    /// How many runs there are in memory.
    pub(super) fn run_count(&self) -> usize {
        self.apart.len() + self.mutable.runs().len() + self.immutable.runs().len()
    }

    /// A run in memory; the oldest first.
    pub(super) fn run(&self, number: usize) -> &Run<K> {
        let (immutable, mutable) = (self.immutable.runs(), self.mutable.runs());
        if let Some(run) = immutable.get(number) {
            return run;
        }
        let number = number - immutable.len();
        mutable.get(number).unwrap_or_else(|| &self.apart[number - mutable.len()])
    }

    /// This version and changes that stay apart: those of an open scope, or that were committed and are
    /// no run of the mutable table yet.
    pub(super) fn with_changes(&self, run: Run<K>) -> Self {
        let apart = self.apart.iter().cloned().chain([Arc::new(run)]).collect();
        TreeVersion { apart, ..self.clone() }
    }

    /// This version and a committed run as part of the mutable table.
    pub(super) fn with_run(&self, run: Run<K>) -> Self {
        assert!(self.apart.is_empty(), "what stays apart is not kept");
        let mutable = self.mutable.with_run(run, self.meta.usage, self.meta.id as usize);
        TreeVersion { mutable: Arc::new(mutable), ..self.clone() }
    }

    /// The mutable table made immutable.
    pub(super) fn sealed(&self) -> Self {
        assert!(self.apart.is_empty(), "what stays apart is not kept");
        let immutable = match defect!(SealLosesRun) && self.mutable.runs().len() > 1 {
            true => Arc::new(self.mutable.without_newest()),
            false => self.mutable.clone(),
        };
        TreeVersion { mutable: Arc::default(), immutable, ..self.clone() }
    }

    /// Without the immutable table, which is in `levels` now.
    pub(super) fn installed(&self, levels: Levels<K>) -> Self {
        TreeVersion { immutable: Arc::default(), levels: Arc::new(levels), ..self.clone() }
    }

    /// With other levels; the memory tables stay.
    pub(super) fn with_levels(&self, levels: Levels<K>) -> Self {
        let mut version = self.clone();
        version.levels = Arc::new(levels);
        version
    }

    /// Bytes of memory in runs, and what belongs to them.
    pub(super) fn memory(&self) -> usize {
        let apart: usize = self.apart.iter().map(|run| run.memory()).sum();
        apart + self.mutable.memory() + self.immutable.memory()
    }

    /// The newest value of a key in memory.
    fn find_in_memory(&self, key: &HashedKey<'_, K>) -> Option<Located<'_, K>> {
        find_newest(&self.apart, key.key)
            .or_else(|| self.mutable.find(key))
            .or_else(|| self.immutable.find(key))
    }

    /// The value block of a table that may hold `key`.
    fn block_for<'a>(
        &self,
        table: &'a Table<K>,
        key: &HashedKey<'_, K>,
    ) -> Result<Option<BlockPlace<'a, K>>, ReadError> {
        let index = table.index(&self.grid, &self.meta)?;
        if !may_contain(index, key) {
            return Ok(None);
        }
        let number = index.block_at(key.key);
        Ok((number < index.blocks.len()).then(|| index.block(number)))
    }

    /// Touches what tells whether there is such a key.
    pub(crate) fn touch(&self, key: &HashedKey<'_, K>) {
        self.mutable.touch(key);
        self.immutable.touch(key);
        if !self.meta.filter {
            return;
        }
        for tables in self.levels.iter() {
            let table = Levels::table_for(tables, key.key);
            if let Some(index) = table.and_then(|table| table.index_at_hand())
                && let Some(filter) = &index.filter
            {
                filter.touch(key.hash());
            }
        }
    }

    /// Looks a key up; `payload`, which has room for one, is filled with what it leads to.
    pub(crate) fn find(&self, key: &Key<K>, payload: &mut [u8]) -> Result<bool, ReadError> {
        let hashed = HashedKey::new(key);
        self.touch(&hashed);
        self.find_hashed(&hashed, payload)
    }

    /// The same.
    pub(crate) fn find_hashed(
        &self,
        hashed: &HashedKey<'_, K>,
        payload: &mut [u8],
    ) -> Result<bool, ReadError> {
        let key = hashed.key;
        assert_eq!(self.meta.usage, Usage::Map, "index entries are scanned, not looked up");
        if let Some((run, at)) = self.find_in_memory(hashed) {
            if !run.is_tombstone(at) {
                payload.copy_from_slice(run.payload(at));
            }
            return Ok(!run.is_tombstone(at));
        }
        for tables in self.levels.iter() {
            let Some(table) = Levels::table_for(tables, key) else { continue };
            let Some(place) = self.block_for(table, hashed)? else { continue };
            let found = place.ask(&self.grid, &self.meta, |block| {
                let at = block.find(key)?;
                if block.is_tombstone(at) {
                    return Some(Found::Tombstone);
                }
                block.fetch_payload(at, payload);
                Some(Found::Value)
            })?;
            match found {
                None => {}
                Some(Found::Tombstone) if defect!(TombstoneLookedThrough) => {}
                Some(found) => return Ok(found == Found::Value),
            }
        }
        Ok(false)
    }

    /// Looks many keys up, level by level: the blocks that one level needs are read together.
    fn find_batch(
        &self,
        keys: &[Key<K>],
        parts: Option<&[Range<usize>]>,
    ) -> Result<LookupBatch, ReadError> {
        assert_eq!(self.meta.usage, Usage::Map, "index entries are scanned, not looked up");
        let width = self.meta.payload_width;
        let mut batch = LookupBatch {
            found: vec![false; keys.len()],
            payload: vec![0; keys.len() * width],
            blocks: 0,
        };
        let mut missing: Vec<Asked<K>> = Vec::new();
        for (keys, first) in keys.chunks(BATCH).zip((0..).step_by(BATCH)) {
            let mut in_memory = Batch::new(keys);
            in_memory.find_in(&self.apart);
            self.mutable.find_batch(&mut in_memory);
            self.immutable.find_batch(&mut in_memory);
            for ((key, located), at) in keys.iter().zip(in_memory.located()).zip(first..) {
                match *located {
                    Some((run, value)) if !run.is_tombstone(value) => {
                        batch.found[at] = true;
                        batch.payload[at * width..][..width].copy_from_slice(run.payload(value));
                    }
                    Some(_) => {}
                    None => missing.push((*key, at)),
                }
            }
        }
        // Ascending keys ask each block once, and the device in ascending order.
        missing.sort_unstable();
        for tables in self.levels.iter() {
            let asked = std::mem::take(&mut missing);
            let mut rest = &asked[..];
            while !rest.is_empty() {
                let window = self.find_window(tables, rest, parts, &mut batch, &mut missing)?;
                rest = &rest[window..];
            }
        }
        Ok(batch)
    }

    /// Looks keys up in one level: of `asked`, which ascend, as many as need [`WINDOW_BYTES`] of
    /// blocks; returns how many that are. Those that are not there are added to `missing`.
    fn find_window(
        &self,
        tables: &[Arc<Table<K>>],
        asked: &[Asked<K>],
        parts: Option<&[Range<usize>]>,
        batch: &mut LookupBatch,
        missing: &mut Vec<Asked<K>>,
    ) -> Result<usize, ReadError> {
        let mut places: Vec<BlockPlace<'_, K>> = Vec::new();
        let mut slots: Vec<Option<u32>> = Vec::with_capacity(asked.len());
        let mut walk = Walk::new(self, tables);
        let mut bytes = 0;
        for (key, _) in asked {
            let place = walk.next(key)?;
            if let Some(place) = place
                && !places.last().is_some_and(|last| last.is(&place))
            {
                bytes += place.reference().length as usize;
                if !places.is_empty() && bytes > WINDOW_BYTES {
                    break;
                }
                places.push(place);
            }
            slots.push(place.map(|_| places.len() as u32 - 1));
        }
        batch.blocks += places.len() as u64;
        let found = Blocks::find(&places, &self.grid, &self.meta)?;
        let blocks = found.get(&places);
        let width = self.meta.payload_width;
        let mut gather = Gather::new(BATCH.min(slots.len()), parts);
        for (asked, slots) in asked.chunks(BATCH).zip(slots.chunks(BATCH)) {
            for (&(key, at), slot) in asked.iter().zip(slots) {
                let block = slot.map(|slot| blocks[slot as usize]);
                match block.and_then(|block| Some((block, block.find(&key)?))) {
                    Some((block, row)) if !block.is_tombstone(row) => {
                        batch.found[at] = true;
                        gather.add(block, row, &mut batch.payload, at * width);
                    }
                    Some(_) if defect!(BatchLooksThroughTombstone) => missing.push((key, at)),
                    Some(_) => {}
                    None => missing.push((key, at)),
                }
            }
            gather.finish(width, &mut batch.payload);
        }
        found.leave(&places, &self.grid);
        Ok(slots.len())
    }

    /// Counts the keys of a range in an index tree. A key is put once and removed once in turn, so
    /// puts minus tombstones over all runs and tables is the number of live keys; tables and blocks
    /// within the range are counted without being read.
    fn count_range(&self, min: &Key<K>, max: &Key<K>) -> Result<u64, ReadError> {
        let count = self.sum_range(min, max, |table| {
            let index = table.index(&self.grid, &self.meta)?;
            count_table(table, index, (min, max), |place| {
                place.ask(&self.grid, &self.meta, |values| {
                    values.net_count(values.positions(min, max))
                })
            })
        })?;
        // Less than none: the counts are damaged in a way that no checksum shows.
        u64::try_from(count).map_err(|_| {
            let damage = Damage::Invalid { what: "number of entries, with more removed than put," };
            self.damaged_at(min, damage)
        })
    }

    /// The same, if nothing needs to be read for it.
    pub(super) fn count_at_hand(&self, min: &Key<K>, max: &Key<K>) -> Option<u64> {
        let count: Result<i64, ()> = self.sum_range(min, max, |table| {
            let index = table.index_at_hand().ok_or(())?;
            count_table(table, index, (min, max), |place| {
                let shelf = place.look();
                let values = shelf.get(place.number).ok_or(())?;
                Ok(values.net_count(values.positions(min, max)))
            })
        });
        u64::try_from(count.ok()?).ok()
    }

    /// Puts minus tombstones of a range; `count_table` says how many there are of a table that lies in it in part.
    fn sum_range<E>(
        &self,
        min: &Key<K>,
        max: &Key<K>,
        mut count_table: impl FnMut(&Table<K>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        assert_eq!(self.meta.usage, Usage::Set, "only index entries are put and removed in turn");
        if min > max {
            return Ok(0);
        }
        let runs: Vec<&Run<K>> = self.runs_newest_first().map(|run| &**run).collect();
        let positions = spans_of_range(&runs, min, max);
        let mut count = runs.iter().zip(positions).map(|(run, at)| run.net_count(at)).sum();
        for tables in self.levels.iter() {
            let first = tables.partition_point(|table| table.key_max < *min);
            for table in tables[first..].iter().take_while(|table| table.key_min <= *max) {
                count += match *min <= table.key_min && table.key_max <= *max {
                    true => net(table.record.count, table.record.tombstone_count),
                    false => count_table(table)?,
                };
            }
        }
        Ok(count)
    }
}

/// Puts minus tombstones of a range in a table; `count_block` says how many there are of a block at its edge.
fn count_table<const K: usize, E>(
    table: &Table<K>,
    index: &TableIndex<K>,
    (min, max): (&Key<K>, &Key<K>),
    mut count_block: impl FnMut(BlockPlace<'_, K>) -> Result<i64, E>,
) -> Result<i64, E> {
    let mut count = 0;
    for at in index.block_at(min)..index.blocks.len() {
        let block = &index.blocks[at];
        let previous = at.checked_sub(1).map(|previous| &index.last_keys[previous]);
        if previous.is_some_and(|previous| previous >= max) {
            break;
        }
        let begins_inside = match previous {
            // What is behind one block and before the next is in neither.
            Some(previous) => previous >= min || successor(previous) == Some(*min),
            None => table.key_min >= *min,
        };
        count += match begins_inside && index.last_keys[at] <= *max {
            true => net(u64::from(block.count), u64::from(block.tombstone_count)),
            false => count_block(index.block(at))?,
        };
    }
    Ok(count)
}

impl<const K: usize> TreeVersion<K> {
    /// About how many keys of a range are live. A value block at an edge of the range counts half.
    fn estimate_range(&self, min: &Key<K>, max: &Key<K>) -> Result<u64, ReadError> {
        if min > max {
            return Ok(0);
        }
        let mut count = 0_i64;
        for run in self.runs_newest_first() {
            count += run.net_count(run.lower_bound(min)..run.upper_bound(max));
        }
        for tables in self.levels.iter() {
            let first = tables.partition_point(|table| table.key_max < *min);
            for table in tables[first..].iter().take_while(|table| table.key_min <= *max) {
                if *min <= table.key_min && table.key_max <= *max {
                    count += net(table.record.count, table.record.tombstone_count);
                    continue;
                }
                let index = table.index(&self.grid, &self.meta)?;
                let (from, to) = (index.block_at(min), index.block_at(max));
                for (at, block) in index.blocks.iter().enumerate().take(to + 1).skip(from) {
                    let live = net(u64::from(block.count), u64::from(block.tombstone_count));
                    count += if at == from || at == to { live / 2 } else { live };
                }
            }
        }
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Finds the blocks of keys that ascend: near the block of the key before.
struct Walk<'a, const K: usize> {
    version: &'a TreeVersion<K>,
    tables: &'a [Arc<Table<K>>],
    table: usize,
    index: Option<&'a TableIndex<K>>,
    block: usize,
}

impl<'a, const K: usize> Walk<'a, K> {
    fn new(version: &'a TreeVersion<K>, tables: &'a [Arc<Table<K>>]) -> Self {
        Walk { version, tables, table: 0, index: None, block: 0 }
    }

    /// The block that may hold `key`, which is not below the key before.
    fn next(&mut self, key: &Key<K>) -> Result<Option<BlockPlace<'a, K>>, ReadError> {
        if self.tables.get(self.table).is_some_and(|table| table.key_max < *key) {
            self.table += 1;
            let rest = &self.tables[self.table..];
            self.table += rest.partition_point(|table| table.key_max < *key);
            self.index = None;
            self.block = 0;
        }
        let Some(table) = self.tables.get(self.table) else { return Ok(None) };
        if *key < table.key_min {
            return Ok(None);
        }
        let index = match self.index {
            Some(index) => index,
            None => table.index(&self.version.grid, &self.version.meta)?,
        };
        self.index = Some(index);
        if !may_contain(index, &HashedKey::new(key)) {
            return Ok(None);
        }
        if index.last_keys.get(self.block).is_some_and(|last| last < key) {
            self.block += 1;
            self.block += index.last_keys[self.block..].partition_point(|last| last < key);
        }
        Ok((self.block < index.blocks.len()).then(|| index.block(self.block)))
    }
}

/// `false` if a filter says that the key is not in the table.
fn may_contain<const K: usize>(index: &TableIndex<K>, key: &HashedKey<'_, K>) -> bool {
    let Some(filter) = &index.filter else { return true };
    filter.may_contain(key.hash())
        && !(defect!(FilterDeniesKeys) && key.key[K - 1].is_multiple_of(8))
}

/// The blocks of a window of look-ups.
enum Blocks<'a, const K: usize> {
    /// All are in memory, and stay where they stand: nothing is written that another processor may
    /// have, and none waits for memory in turn. Per block the number of its table's guard.
    Standing {
        guards: Vec<ShelfGuard<'a, ValueBlock<K>>>,
        guard_of: Vec<usize>,
    },
    Held(Vec<ValueBlock<K>>),
}

impl<'a, const K: usize> Blocks<'a, K> {
    /// Finds or reads the blocks at `places`, which ascend.
    fn find(
        places: &[BlockPlace<'a, K>],
        grid: &Arc<Grid>,
        meta: &Arc<TreeMeta>,
    ) -> Result<Self, ReadError> {
        let mut guards: Vec<ShelfGuard<'a, ValueBlock<K>>> = Vec::new();
        let mut guard_of = Vec::with_capacity(places.len());
        let mut missing = 0;
        for (at, place) in places.iter().enumerate() {
            if at == 0 || !place.is_beside(&places[at - 1]) {
                guards.push(place.look());
            }
            missing += usize::from(guards[guards.len() - 1].get(place.number).is_none());
            guard_of.push(guards.len() - 1);
        }
        if missing == 0 {
            return Ok(Blocks::Standing { guards, guard_of });
        }
        let mut held: Vec<Option<ValueBlock<K>>> = Vec::with_capacity(places.len());
        for (place, guard) in places.iter().zip(guard_of) {
            held.push(guards[guard].get(place.number).cloned());
        }
        drop(guards);
        let absent: Vec<usize> = (0..places.len()).filter(|at| held[*at].is_none()).collect();
        grid.hits(places.len() - absent.len(), &[], |at| *places[at].reference());
        let shelved: Vec<ShelfPlace<K>> =
            absent.iter().map(|at| places[*at].shelf_place()).collect();
        let references = shelved.iter().map(|place| place.reference).collect();
        let (keeping, its_meta) = (grid.clone(), meta.clone());
        let keep = move |at: usize, bytes: &[u8]| shelved[at].keep(&keeping, &its_meta, bytes);
        let read = grid.read_batch(references, BlockKind::Value, &meta.name, keep)?;
        for (at, block) in absent.into_iter().zip(read) {
            held[at] = Some(block);
        }
        Ok(Blocks::Held(held.into_iter().map(|block| block.expect("found or read")).collect()))
    }

    fn get(&self, places: &[BlockPlace<'a, K>]) -> Vec<&ValueBlock<K>> {
        match self {
            Blocks::Standing { guards, guard_of } => {
                let block = |(place, guard): (&BlockPlace<'a, K>, &usize)| {
                    guards[*guard].get(place.number).expect("it stands there")
                };
                places.iter().zip(guard_of).map(block).collect()
            }
            Blocks::Held(held) => held.iter().collect(),
        }
    }

    /// Lets them go, and counts them as used.
    fn leave(self, places: &[BlockPlace<'a, K>], grid: &Grid) {
        let Blocks::Standing { guards, guard_of } = self else { return };
        let is_new = |at: &usize| guards[guard_of[*at]].is_new(places[*at].number);
        let new: Vec<usize> = (0..places.len()).filter(is_new).collect();
        drop(guards);
        grid.hits(places.len(), &new, |at| *places[at].reference());
    }
}

fn net(count: u64, tombstones: u64) -> i64 {
    count as i64 - if defect!(CountIgnoresTombstones) { 1 } else { 2 } * tombstones as i64
}

impl<const K: usize> TreeRead for TreeVersion<K> {
    fn name(&self) -> &Arc<str> {
        &self.meta.name
    }

    fn limbs(&self) -> usize {
        K
    }

    fn payload_width(&self) -> usize {
        self.meta.payload_width
    }

    fn lookup(&self, key: &[u64], payload: &mut [u8]) -> Result<bool, ReadError> {
        self.find(&limbs_to_key(key), payload)
    }

    fn lookup_batch(
        &self,
        keys: &[u64],
        parts: Option<&[Range<usize>]>,
    ) -> Result<LookupBatch, ReadError> {
        let (keys, rest) = keys.as_chunks::<K>();
        assert!(rest.is_empty(), "keys are whole");
        self.find_batch(keys, parts)
    }

    fn scan(self: Arc<Self>, min: &[u64], max: &[u64], direction: Direction) -> Box<dyn Scan> {
        let (min, max) = (limbs_to_key(min), limbs_to_key(max));
        Box::new(MergeScan::new(self, min, max, direction))
    }

    fn scan_key(
        self: Arc<Self>,
        prefix: &[u64],
        (min, max): (u64, u64),
        direction: Direction,
    ) -> Box<dyn KeyScan> {
        Box::new(MergeKeyScan::new(self, prefix, (min, max), direction))
    }

    fn count(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        let (min, max) = (limbs_to_key(min), limbs_to_key(max));
        match self.meta.usage {
            Usage::Set => self.count_range(&min, &max),
            Usage::Map => {
                MergeScan::new(Arc::new(self.clone()), min, max, Direction::Ascending).count()
            }
        }
    }

    fn verify_tables(&self) -> Result<TablesVerified, ReadError> {
        TreeVersion::verify_tables(self)
    }

    fn damaged(&self, key: &[u64], damage: Damage) -> ReadError {
        self.damaged_at(&limbs_to_key(key), damage)
    }

    fn estimate(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        self.estimate_range(&limbs_to_key(min), &limbs_to_key(max))
    }

    fn query_memory(&self) -> u64 {
        self.grid.query_memory()
    }
}
