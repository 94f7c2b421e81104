//! A tree without its key width: what the forest does with all of them alike.

use std::any::Any;
use std::sync::Arc;

use crate::compaction::{
    AddedTable, CompactionJob, FullTable, Job, JobInput, JobPlan, JobSource, Space, choose_flush,
    choose_levels,
};
use crate::grid::{Extent, sectors};
use crate::memory::{Key, Pending, PendingMark, Usage};
use crate::table::{Table, TableRecord, TreeMeta};

use super::levels::Levels;
use super::read::TreeRead;
use super::{Tree, TreeParts, TreeVersion, add_run};

/// A table that no level refers to any more. Its sectors are free once nobody else holds it.
pub(crate) struct TableHandle {
    table: Arc<dyn Any + Send + Sync>,
    extent: Extent,
}

impl TableHandle {
    /// Whether a reader or a job still holds the table.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.table) > 1
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }
}

/// The space that a compaction is to be given, in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    /// What it is expected to take: space of the device that is reserved for it.
    pub(crate) likely: u32,
    /// What it takes if nothing packs: addresses that are kept free for it.
    pub(crate) most: u32,
}

/// What one bar changes in the levels of one tree.
#[derive(Debug, Default)]
pub(crate) struct LevelEdit {
    /// Level and address of tables that were merged into others.
    pub(crate) removed: Vec<(usize, u64)>,
    /// Tables that stay as they are in another level: level, address, new level.
    pub(crate) moved: Vec<(usize, u64, u32)>,
    /// Tables that were written.
    pub(crate) added: Vec<AddedTable>,
    /// Space that was reserved for tables and not needed.
    pub(crate) unused: Vec<Extent>,
    /// Whether the immutable table is in the levels now.
    pub(crate) flushed: bool,
}

/// Changes that were taken out of a tree, to be sorted and merged by whatever thread.
pub(crate) trait Uncommitted: Send {
    /// How many they are.
    fn len(&self) -> usize;
    /// What [`AnyTree::end_commit`] takes.
    fn commit(self: Box<Self>) -> Box<dyn Any + Send>;
}

/// A tree's changes, and the version that they are committed on.
struct Changes<const K: usize> {
    pending: Pending<K>,
    tip: Arc<TreeVersion<K>>,
}

impl<const K: usize> Uncommitted for Changes<K> {
    fn len(&self) -> usize {
        self.pending.len()
    }

    fn commit(mut self: Box<Self>) -> Box<dyn Any + Send> {
        add_run(&mut self.tip, self.pending.take_run());
        self
    }
}

/// What the forest does with a tree.
pub(crate) trait AnyTree: Send {
    fn meta(&self) -> &Arc<TreeMeta>;
    /// Says whether changes come from the log from now on, which looks for nothing and takes nothing back.
    fn set_replay(&mut self, is_replay: bool);
    /// The end of the open scope's changes.
    fn mark(&self) -> PendingMark;
    /// Takes the changes since `mark` back.
    fn discard(&mut self, mark: PendingMark);
    /// Shows key and payload of each change of the open scope, and takes all of them back.
    fn drain_pending(&mut self, visit: &mut dyn FnMut(&[u64], &[u8]));
    /// Makes the open scope's changes part of what is committed: as a run, or of a short commit maybe later with
    /// those of others.
    fn commit(&mut self, is_short: bool);
    /// How many changes there are since the last commit.
    fn change_count(&self) -> usize;
    /// Takes the changes since the last commit, so that another thread can commit them. Until it has, the tree
    /// is not sealed and gets no other levels.
    fn begin_commit(&mut self) -> Box<dyn Uncommitted>;
    /// Takes what the changes became that were taken last.
    fn end_commit(&mut self, committed: Box<dyn Any + Send>);
    /// What readers see after the last commit.
    fn version(&self) -> Arc<dyn TreeRead> {
        let (parts, length) = self.parts();
        parts.version(length)
    }
    /// What the same can be made of at any later time, with that length.
    fn parts(&self) -> (Arc<dyn TreeParts>, usize);
    /// What a query within the scope sees.
    fn scope_version(&mut self) -> Arc<dyn TreeRead>;
    /// Makes the mutable table immutable.
    fn seal(&mut self);
    /// Decides which tables go down a level, deepest level first.
    fn choose_levels(&self, growth: u64) -> Vec<JobPlan>;
    /// Decides what the immutable table is merged with, if there is one, after what goes down by plans that were
    /// just chosen.
    fn choose_flush(&self, level_plans: &[JobPlan]) -> Option<JobPlan>;
    /// The work of a chosen compaction, as [`JobPlan::work`] reckons it.
    fn work(&self, plan: &JobPlan) -> u64;
    /// The space for the output of a chosen compaction.
    fn demand(&self, plan: &JobPlan) -> Demand;
    /// Makes a chosen compaction ready to run, with the space for its output.
    fn start(&self, plan: &JobPlan, space: Space, op: u64) -> Box<dyn CompactionJob>;
    /// Applies the results of a bar; gives the tables that are no longer referred to, and the
    /// records of moved tables.
    fn install(&mut self, edit: &LevelEdit) -> (Vec<TableHandle>, Vec<TableRecord>);
    /// Takes tables from the manifest log; the record that does not fit, if any.
    fn restore(&mut self, records: &[TableRecord]) -> Result<(), Box<TableRecord>>;
    /// Records of all tables, level by level.
    fn records(&self) -> Vec<TableRecord>;
    /// Bytes of memory in memory tables.
    fn memory(&self) -> usize;
}

impl<const K: usize> AnyTree for Tree<K> {
    fn meta(&self) -> &Arc<TreeMeta> {
        &self.meta
    }

    fn set_replay(&mut self, is_replay: bool) {
        self.pending.set_replay(is_replay);
    }

    fn mark(&self) -> PendingMark {
        self.pending.mark()
    }

    fn discard(&mut self, mark: PendingMark) {
        self.scope_view = None;
        if defect!(DiscardSkipsIndexes) && self.meta.usage == Usage::Set {
            return;
        }
        self.pending.truncate(mark);
    }

    fn drain_pending(&mut self, visit: &mut dyn FnMut(&[u64], &[u8])) {
        self.scope_view = None;
        self.pending.values().for_each(|(key, payload)| visit(key, payload));
        self.pending.clear();
    }

    fn commit(&mut self, is_short: bool) {
        Tree::commit(self, is_short);
    }

    fn change_count(&self) -> usize {
        self.pending.len()
    }

    fn begin_commit(&mut self) -> Box<dyn Uncommitted> {
        self.end_tail();
        self.scope_view = None;
        Box::new(Changes { pending: self.pending.take(), tip: self.tip.clone() })
    }

    fn end_commit(&mut self, committed: Box<dyn Any + Send>) {
        let committed = committed.downcast::<Changes<K>>().expect("of this tree's changes");
        let Changes { pending, tip } = *committed;
        self.tip = tip;
        if self.pending.is_empty() && !pending.is_replay() {
            // With the memory that it has.
            self.pending = pending;
        }
    }

    fn parts(&self) -> (Arc<dyn TreeParts>, usize) {
        match &self.tail {
            Some(tail) => (tail.clone(), self.short.len()),
            None => (self.tip.clone(), 0),
        }
    }

    fn scope_version(&mut self) -> Arc<dyn TreeRead> {
        Tree::scope_version(self)
    }

    fn seal(&mut self) {
        self.seal_runs();
    }

    fn choose_levels(&self, growth: u64) -> Vec<JobPlan> {
        let layout = &self.meta.layout;
        let blocks = (layout.table_rows / layout.block_rows) as u64;
        let sectors = blocks * u64::from(sectors(layout.block_bytes_max()));
        let full = FullTable { rows: layout.table_rows as u64, sectors };
        choose_levels(self.tip.levels(), growth, full)
    }

    fn choose_flush(&self, level_plans: &[JobPlan]) -> Option<JobPlan> {
        let immutable = self.tip.immutable();
        if immutable.is_empty() {
            return None;
        }
        let (min, max) = JobInput::Runs(immutable.to_vec()).key_range();
        let rows = immutable.iter().map(|run| run.len()).sum();
        Some(choose_flush(self.tip.levels(), (min, max, rows), level_plans))
    }

    fn work(&self, plan: &JobPlan) -> u64 {
        plan.work(self.meta.lane_count(K))
    }

    fn demand(&self, plan: &JobPlan) -> Demand {
        let levels = self.tip.levels();
        let target = levels.level(plan.target_level);
        let source = match &plan.source {
            JobSource::Immutable => &[],
            JobSource::Level { level, tables } => &levels.level(*level)[tables.clone()],
        };
        let inputs = source.iter().chain(plan.older.iter().map(|at| &target[*at]));
        let (rows, sectors) = rows_and_sectors(inputs);
        let most: u64 = self.meta.layout.split(plan.rows).map(u64::from).sum();
        // Rows in memory are taken to pack as those of the tree's tables do.
        let rest = plan.rows as u64 - rows;
        let unpacked =
            if rest > 0 { self.meta.layout.split(rest as usize).map(u64::from).sum() } else { 0 };
        let rest = match rows_and_sectors((0..levels.count()).flat_map(|at| levels.level(at))) {
            (0, _) => unpacked,
            (rows, sectors) => unpacked.min((rest * sectors).div_ceil(rows)),
        };
        let likely = (sectors + rest).saturating_mul(33) / 32 + SPARE_SECTORS;
        let bounded = |sectors| u32::try_from(sectors).expect("a bar's output is below 16 TiB");
        Demand { most: bounded(most), likely: bounded(likely.min(most)) }
    }

    fn start(&self, plan: &JobPlan, space: Space, op: u64) -> Box<dyn CompactionJob> {
        let levels = self.tip.levels();
        let newer = match plan.source {
            JobSource::Immutable => JobInput::Runs(self.tip.immutable().to_vec()),
            JobSource::Level { level, ref tables } => {
                JobInput::Tables(levels.level(level)[tables.clone()].to_vec())
            }
        };
        let target = levels.level(plan.target_level);
        let older: Vec<_> = plan.older.iter().map(|at| target[*at].clone()).collect();
        // A key that a deeper table may hold keeps its tombstone. Tables that leave the target level
        // in this bar count as deeper: they hold older values and end up below.
        let hull = hull(&newer, &older);
        let leaving = plan.leaving.iter().map(|at| &target[*at]);
        let leaving = leaving.filter(|_| !defect!(LeavingTablesForgotten));
        let deeper = (plan.target_level + 1..levels.count()).flat_map(|level| levels.level(level));
        let keep_tombstones =
            leaving.chain(deeper).any(|table| table.key_min <= hull.1 && hull.0 <= table.key_max);
        let dropped = defect!(TombstoneDroppedEarly) && self.meta.usage == Usage::Map;
        Box::new(Job::new(
            self.meta.clone(),
            self.grid.clone(),
            newer,
            older,
            plan.clone(),
            space,
            keep_tombstones && !dropped,
            op,
        ))
    }

    fn install(&mut self, edit: &LevelEdit) -> (Vec<TableHandle>, Vec<TableRecord>) {
        self.end_tail();
        let mut levels = Levels::clone(self.tip.levels());
        let mut handles = Vec::new();
        for (level, address) in &edit.removed {
            let table = levels.remove(*level, *address);
            let extent = table.extent();
            handles.push(TableHandle { table, extent });
        }
        let moved: Vec<(Arc<Table<K>>, u32)> = edit
            .moved
            .iter()
            .map(|(level, address, to)| (levels.remove(*level, *address), *to))
            .collect();
        let mut records = Vec::new();
        for (table, level) in moved {
            let noted = if defect!(MovedTableKeepsLevel) { table.record.level } else { level };
            records.push(TableRecord { level: noted, ..table.record });
            assert!(levels.insert(level as usize, table), "a moved table overlaps nothing");
        }
        for AddedTable { record, table } in &edit.added {
            let table = table.clone().downcast::<Table<K>>();
            let table = table.expect("a job of the tree has its key width");
            let fits = levels.insert(record.level as usize, table);
            assert!(fits, "the outputs of a merge are disjoint");
        }
        levels.trim();
        self.scope_view = None;
        self.tip = Arc::new(match edit.flushed {
            true => self.tip.installed(levels),
            false => self.tip.with_levels(levels),
        });
        (handles, records)
    }

    fn restore(&mut self, records: &[TableRecord]) -> Result<(), Box<TableRecord>> {
        let mut levels = Levels::empty();
        for record in records {
            let level = record.level as usize;
            let layout = &self.meta.layout;
            let plausible = !record.key_limbs_beyond(K)
                && record.count <= layout.table_rows as u64
                && record.sectors <= layout.table_sectors(layout.table_rows);
            if !plausible || !levels.insert(level, Arc::new(Table::new(*record))) {
                return Err(Box::new(*record));
            }
        }
        self.tip = Arc::new(self.tip.with_levels(levels));
        Ok(())
    }

    fn records(&self) -> Vec<TableRecord> {
        let levels = self.tip.levels().iter().zip(0..);
        let records = levels.flat_map(|(tables, level)| {
            tables.iter().map(move |table| TableRecord { level, ..table.record })
        });
        records.collect()
    }

    fn memory(&self) -> usize {
        self.tip.memory()
    }
}

/// Sectors that a compaction is expected to take beside its values: the ends of its tables.
const SPARE_SECTORS: u64 = 16;

fn rows_and_sectors<'a, const K: usize>(
    tables: impl Iterator<Item = &'a Arc<Table<K>>>,
) -> (u64, u64) {
    tables.fold((0, 0), |(rows, sectors), table| {
        (rows + table.record.count, sectors + u64::from(table.record.sectors))
    })
}

/// The lowest and the highest key of a merge.
fn hull<const K: usize>(newer: &JobInput<K>, older: &[Arc<Table<K>>]) -> (Key<K>, Key<K>) {
    let (mut min, mut max) = newer.key_range();
    for table in older {
        min = min.min(table.key_min);
        max = max.max(table.key_max);
    }
    (min, max)
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;
    use crate::grid::Grid;
    use crate::storage::MemoryStorage;
    use crate::table::TableLayout;

    /// The counts of a record were believed until its index block was read; a forged one made the
    /// reservation of space for a merge overflow or take all memory. Now the layout bounds them.
    #[test]
    fn a_record_of_more_values_or_sectors_than_a_table_holds_is_refused() {
        let layout = TableLayout::new(8, 8, 1, false, 4096, 4).unwrap();
        let meta = TreeMeta {
            id: 1,
            name: "items.id".into(),
            usage: Usage::Map,
            key_width: 8,
            payload_width: 8,
            lanes: crate::table::plain_lanes(8),
            filter: false,
            layout,
            template: Default::default(),
        };
        let grid = Arc::new(Grid::new(Arc::new(MemoryStorage::new()), [0; 16], 1 << 20));
        let mut tree = Tree::<1>::new(Arc::new(meta), grid);
        let rows = layout.table_rows as u64;
        let sectors = layout.table_sectors(layout.table_rows);
        let largest = TableRecord { tree: 1, sectors, count: rows, ..TableRecord::zeroed() };
        tree.restore(&[largest]).unwrap();
        for forged in [
            TableRecord { count: rows + 1, ..largest },
            TableRecord { count: u64::MAX, ..largest },
            TableRecord { sectors: sectors + 1, ..largest },
        ] {
            assert_eq!(*tree.restore(&[forged]).unwrap_err(), forged);
        }
    }
}
