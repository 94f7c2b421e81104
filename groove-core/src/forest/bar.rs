//! The end of a bar.
//!
//! A bar is the span between two seals of the memory tables: as many commits as half the log takes, or as
//! have twice the log's size as their weight, whichever are fewer. The first bounds the log, which holds two
//! bars: the one whose values are being written to tables, and the current one. The second bounds memory and the
//! time that merges and replay take. The weight of a change is its length before it is packed, and 64 at the least.
//! At the end of a bar, in this order:
//!
//! 1. The last bar's compactions are waited for and installed.
//! 2. A checkpoint makes them durable; it covers everything up to the last seal, and the log's
//!    entries up to there are free.
//! 3. The memory tables are sealed.
//! 4. New compactions are chosen, their space is reserved, and they start.
//!
//! Steps 1 and 2 come with the commit that takes the last eighth of the bar, so that no commit waits for all
//! four; only if the disk was too full for the compactions do they come at the end.
//!
//! Where a bar ends depends on the sizes of the entries alone, so that replay and repetition seal
//! at the same ops.

use std::sync::Arc;

use crate::compaction::{CompactionJob, JobError, JobOutput, JobPlan, Space};
use crate::constants::SECTOR_SIZE;
use crate::error::CommitError;
use crate::grid::{Extent, sectors};
use crate::table::TableRecord;
use crate::tree::{Demand, LevelEdit};
use crate::wal::{WalWriter, entry_slots};

use super::compactor::Failure;
use super::engine::{Engine, Writer, visit_grooves};
use super::grooves::Grooves;
use super::publish::Dead;
use super::trim::TrimJob;

/// What an entry takes of a bar, in slots of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntrySlots {
    /// Those that it has in the log.
    pub(super) log: u64,
    /// As many as its weight would have.
    pub(super) weight: u64,
}

impl EntrySlots {
    /// Of an entry whose body has that many bytes and that weight.
    pub(super) fn new(body: usize, weight: usize) -> EntrySlots {
        EntrySlots { log: entry_slots(body as u64), weight: entry_slots(weight as u64) }
    }
}

/// Where the current bar stands.
pub(super) struct Bar {
    /// What the entries of a bar may have as their weight, and [`PACKED_WEIGHT`] times of what they may take
    /// in the log.
    slots: u64,
    log: u64,
    weight: u64,
    /// What was sealed and is not in a durable checkpoint yet.
    sealed: Option<Sealed>,
    /// What the running jobs and the moves beside them do, tree by tree.
    plans: Vec<Vec<JobPlan>>,
}

/// How many slots a bar may take plainly for each that it may take in the log.
pub(super) const PACKED_WEIGHT: u64 = 4;
/// Bytes of a block of the manifest log at the most.
const MANIFEST_BLOCK_BYTES: u64 = 128 << 10;
/// Free extents of so many blocks or more are given back to the device: of 128 KiB by default.
const TRIM_BLOCKS: u64 = 8;

/// The state of the forest at a seal.
struct Sealed {
    op: u64,
    timestamp_max: u64,
    object_counts: Vec<u64>,
}

impl Bar {
    /// The first bar after a checkpoint.
    pub(super) fn new(wal_slots: u32) -> Self {
        let slots = PACKED_WEIGHT * u64::from(wal_slots / 2);
        Bar { slots, log: 0, weight: 0, sealed: None, plans: Vec::new() }
    }

    /// What of the bar is used with one entry more.
    fn used(&self, entry: EntrySlots) -> u64 {
        (PACKED_WEIGHT * (self.log + entry.log)).max(self.weight + entry.weight)
    }

    /// How far the bar is with one entry more, and how far it may be until the compactions have to be done.
    pub(super) fn progress(&self, entry: EntrySlots) -> (u64, u64) {
        (self.used(entry), self.slots - self.slots / 8)
    }

    /// Whether an entry still belongs to the current bar.
    pub(super) fn has_room(&self, entry: EntrySlots) -> bool {
        self.used(entry) <= self.slots
    }

    pub(super) fn add(&mut self, entry: EntrySlots) {
        self.log += entry.log;
        self.weight += entry.weight;
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Makes the memory tables immutable, and begins the next bar. Writes nothing. All arguments are
    /// as of the newest committed op, without the open scope.
    pub(super) fn seal<S: Grooves>(
        &mut self,
        grooves: &mut S::Write,
        op: u64,
        checkpoint_op: u64,
        timestamp_max: u64,
    ) {
        assert!(!self.is_sealed(), "the last seal is on disk by now");
        (self.log, self.weight) = (0, 0);
        if op == checkpoint_op {
            return;
        }
        let mut object_counts = Vec::new();
        visit_grooves::<S>(grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| tree.seal());
            object_counts.push(groove.committed_count());
        });
        self.sealed = Some(Sealed { op, timestamp_max, object_counts });
    }
}

impl<S: Grooves> Writer<S> {
    /// Ends the bar. On [`CommitError::NoSpace`] nothing was changed, and the next attempt may
    /// succeed; any other error is final.
    pub(super) fn end_bar(&mut self) -> Result<(), CommitError> {
        if self.engine.bar.is_sealed() {
            if !self.engine.compactor.is_busy() {
                self.start_compactions()?;
            }
            self.install()?;
            self.checkpoint_sealed()?;
        }
        self.seal();
        if self.engine.bar.is_sealed() {
            match self.start_compactions() {
                // The bar has ended all the same: the next one tries again.
                Ok(()) | Err(CommitError::NoSpace { .. }) => {}
                Err(error) => return Err(error),
            }
        } else {
            self.engine.trim();
        }
        Ok(())
    }

    /// Makes the last seal durable if the bar is in its last eighth with one entry more.
    pub(super) fn checkpoint_early(&mut self, entry: EntrySlots) -> Result<(), CommitError> {
        let engine = &self.engine;
        let (used, due) = engine.bar.progress(entry);
        if used > due && engine.bar.is_sealed() && engine.compactor.is_busy() {
            self.install()?;
            self.checkpoint_sealed()?;
        }
        Ok(())
    }

    /// Puts everything that is committed into tables and makes a checkpoint of it.
    pub(super) fn checkpoint(&mut self) -> Result<(), CommitError> {
        self.engine.publisher.check()?;
        // The first ends the bar before and seals the current one, the second installs it.
        for _ in 0..2 {
            self.end_bar()?;
            if !self.engine.bar.is_sealed() {
                break;
            }
        }
        self.engine.is_doubtful = false;
        Ok(())
    }

    fn seal(&mut self) {
        let engine = &mut self.engine;
        let checkpoint_op = engine.superblock.checkpoint.op;
        let timestamp_max = engine.timestamp_max;
        engine.bar.seal::<S>(&mut self.grooves, engine.op, checkpoint_op, timestamp_max);
    }

    /// Chooses compactions for all trees, reserves the space for their output, and starts them.
    pub(super) fn start_compactions(&mut self) -> Result<(), CommitError> {
        let growth = u64::from(self.engine.superblock.options.growth_factor);
        let sealed = self.engine.bar.sealed.as_ref().expect("compactions follow a seal");
        let op = sealed.op;
        let mut chosen: Vec<Vec<JobPlan>> = Vec::new();
        let mut demands: Vec<Demand> = Vec::new();
        let (mut live_tables, mut new_tables) = (0, 0);
        self.visit_trees(&mut |tree| {
            let plans = tree.choose(growth);
            for plan in plans.iter().filter(|plan| !plan.is_move()) {
                demands.push(tree.demand(plan));
                new_tables += tree.meta().layout.split(plan.rows).count();
            }
            live_tables += tree.records().len();
            chosen.push(plans);
        });
        let reserved = self.engine.reserve(&demands, live_tables + new_tables);
        if reserved.is_err() {
            self.engine.trim();
        }
        let (spaces, trim) = reserved?;
        let mut spaces = spaces.into_iter();
        let mut jobs: Vec<Box<dyn CompactionJob>> = Vec::new();
        let mut plans = chosen.iter();
        self.visit_trees(&mut |tree| {
            let plans = plans.next().expect("a list per tree");
            for plan in plans.iter().filter(|plan| !plan.is_move()) {
                let space = spaces.next().expect("space per plan");
                jobs.push(tree.start(plan, space, op));
            }
        });
        jobs.push(Box::new(trim));
        self.engine.bar.plans = chosen;
        self.engine.compactor.start(jobs);
        Ok(())
    }

    /// Waits for the compactions and puts their results into the levels and the manifest log.
    fn install(&mut self) -> Result<(), CommitError> {
        let engine = &mut self.engine;
        let mut outputs: Vec<JobOutput> = Vec::new();
        for outcome in engine.compactor.finish() {
            match outcome {
                Ok(output) => outputs.push(output),
                Err(failure) => {
                    let dead = match failure {
                        Failure::Job(JobError::Read(error)) => Dead::Read(error),
                        Failure::Job(JobError::Write(error)) => Dead::Io(Arc::new(error)),
                        Failure::Panicked => Dead::Panicked,
                    };
                    return Err(engine.publisher.kill(dead));
                }
            }
        }
        let mut outputs = outputs.into_iter();
        let mut plans = std::mem::take(&mut engine.bar.plans).into_iter();
        let mut edits = Vec::new();
        self.visit_trees(&mut |tree| {
            let plans = plans.next().expect("a list per tree");
            let edit = tree_edit(&plans, &tree.records(), &mut outputs);
            let (handles, moved) = tree.install(&edit);
            edits.push((edit, handles, moved));
        });
        let engine = &mut self.engine;
        for (edit, handles, moved) in edits {
            for (_, address) in edit.removed.iter().skip(defect!(TableRemovalForgotten).into()) {
                engine.manifest.remove(*address);
            }
            let added = edit.added.iter().map(|added| &added.record);
            for record in moved.iter().chain(added).skip(defect!(TableEventLost).into()) {
                engine.manifest.insert(*record);
            }
            engine.unused.extend(edit.unused);
            if defect!(FreedBeforeCheckpoint) {
                handles.iter().for_each(|handle| engine.free_set.release(handle.extent()));
                continue;
            }
            engine.retired.extend(handles);
        }
        Ok(())
    }

    /// Makes the state of the last seal durable, and frees what only older states refer to.
    fn checkpoint_sealed(&mut self) -> Result<(), CommitError> {
        let mut records = Vec::new();
        self.visit_trees(&mut |tree| records.extend(tree.records()));
        let engine = &mut self.engine;
        let sealed = engine.bar.sealed.take().expect("a seal comes before its checkpoint");
        let publisher = engine.publisher.clone();
        let released = publisher.exclusively(|| engine.write_checkpoint(&sealed, records))?;
        // The syncs covered every entry that was appended so far.
        engine.publisher.synced(engine.op);
        let version = self.version();
        let engine = &mut self.engine;
        engine.publisher.republish(version);
        for extent in released.into_iter().chain(engine.unused.drain(..)) {
            engine.free_set.release(extent);
            engine.freed.push(extent);
        }
        engine.release_retired();
        Ok(())
    }
}

/// What a bar changes in one tree: its moves, and the outputs of its jobs.
fn tree_edit(
    plans: &[JobPlan],
    records: &[TableRecord],
    outputs: &mut impl Iterator<Item = JobOutput>,
) -> LevelEdit {
    let mut edit = LevelEdit::default();
    for plan in plans {
        if plan.is_move() {
            for record in plan.source_tables(records) {
                let level = record.level as usize;
                let target = u32::try_from(plan.target_level).expect("few levels");
                edit.moved.push((level, record.address, target));
            }
            continue;
        }
        let output = outputs.next().expect("an output per job");
        edit.removed.extend(output.removed);
        edit.added.extend(output.added);
        edit.unused.extend(output.unused);
        edit.flushed |= output.flushed;
    }
    edit
}

impl Engine {
    /// Takes an extent for what each demand is likely to need, in the lowest gaps, and reserves it on the
    /// device, as well as what the manifest log takes with `tables` tables at the most. For what they need at
    /// the most there are addresses behind all. If the disk is full nothing is taken. Space that stays free is
    /// to be given back by the job that is returned too.
    fn reserve(
        &mut self,
        demands: &[Demand],
        tables: usize,
    ) -> Result<(Vec<Space>, TrimJob), CommitError> {
        let mut free_set = self.free_set.clone();
        if defect!(ExtentsByCacheState) && self.grid.counters().1 % 2 == 1 {
            free_set.acquire(1);
        }
        let likely: Vec<Extent> =
            demands.iter().map(|demand| free_set.acquire(demand.likely)).collect();
        let mut ranges: Vec<(u64, u64)> =
            likely.iter().map(|extent| (extent.address, extent.end())).collect();
        let spaces = likely.into_iter().zip(demands).map(|(likely, demand)| {
            let is_all = demand.likely == demand.most;
            Space { likely, more: (!is_all).then(|| free_set.acquire_last(demand.most)) }
        });
        let spaces: Vec<Space> = spaces.collect();
        // The blocks of the manifest log go into the lowest gaps that take them.
        let sector = SECTOR_SIZE as u64;
        let mut spare = ((tables + 64) * 3 * size_of::<TableRecord>()) as u64;
        let mut kept_until = 0;
        for (from, to) in free_set.gaps() {
            if spare == 0 {
                break;
            }
            spare = spare.next_multiple_of(sector);
            kept_until = to.min(from + spare + MANIFEST_BLOCK_BYTES);
            ranges.push((from, kept_until));
            spare = spare.saturating_sub((to - from).saturating_sub(MANIFEST_BLOCK_BYTES));
        }
        // The file is as long as the grid, whatever is reserved of it.
        let spare = spare.next_multiple_of(sector);
        ranges.push((free_set.end() - sector, free_set.end() + spare));
        for (from, to) in ranges {
            let allocated = self.storage.allocate(from, to - from);
            if !defect!(NoSpaceIgnored) {
                allocated.map_err(|source| self.no_space(source))?;
            }
        }
        self.free_set = free_set;
        Ok((spaces, self.trim_job(kept_until)))
    }

    /// The job that gives space back to the device that nothing refers to, from `start` on: gaps in which
    /// something became free since the last such job.
    fn trim_job(&mut self, start: u64) -> TrimJob {
        let freed = std::mem::take(&mut self.freed);
        let is_new = |from: u64, to: u64| {
            freed.iter().any(|extent| extent.address < to && from < extent.end())
        };
        let gaps = self.free_set.gaps().map(|(from, to)| (from.max(start), to));
        let least = TRIM_BLOCKS * u64::from(self.superblock.options.block_size);
        let gaps = gaps.filter(|(from, to)| to.saturating_sub(*from) >= least);
        let mut gaps: Vec<(u64, u64)> = gaps.filter(|(from, to)| is_new(*from, *to)).collect();
        if defect!(TrimmedWhileHeld) {
            let held = self.retired.iter().map(|table| table.extent());
            gaps.extend(held.map(|extent| (extent.address, extent.end())));
        }
        TrimJob::new(self.storage.clone(), gaps)
    }

    /// Gives space back at once.
    fn trim(&mut self) {
        self.trim_job(0).run();
    }

    /// Writes manifest log and superblock; returns what is free once that is durable, which it is.
    fn write_checkpoint(
        &mut self,
        sealed: &Sealed,
        records: Vec<TableRecord>,
    ) -> std::io::Result<Vec<Extent>> {
        let live = records.len();
        let tables_end = records.iter().map(|record| record.extent().end()).max();
        let grid = self.grid.clone();
        let flushed =
            self.manifest.flush(&grid, &mut self.free_set, sealed.op, move || records, live)?;
        let grid_end = self.grid_end(tables_end);
        // Tables and manifest log are on disk before anything refers to them.
        if !defect!(SuperblockBeforeTables) {
            self.storage.sync()?;
        }
        let mut superblock = self.superblock.successor();
        let op = if defect!(CheckpointTooNew) { self.op } else { sealed.op };
        superblock.checkpoint = position(&self.wal, op);
        if !defect!(TimestampMaxForgotten) {
            superblock.timestamp_max = sealed.timestamp_max;
        }
        superblock.manifest = self.manifest.head();
        superblock.manifest_block_count = self.manifest.block_count() as u64;
        superblock.grid_end = grid_end;
        for (count, sealed) in superblock.object_counts.iter_mut().zip(&sealed.object_counts) {
            *count = if defect!(ObjectCountForgotten) { *count } else { *sealed };
        }
        superblock.write(&*self.storage)?;
        self.superblock = superblock;
        self.wal.release(sealed.op);
        Ok(flushed.released)
    }

    /// Where the last block ends that the next superblock refers to. All up to there was written and
    /// synced, so the file is that long after any crash. Of what is reserved behind, that is not
    /// certain: a sync that failed may have lost the growth of the file, and the process after it
    /// still sees it.
    fn grid_end(&self, tables_end: Option<u64>) -> u64 {
        let schema = self.superblock.schema.expect("from the beginning on");
        let schema_end =
            schema.address + sectors(schema.length as usize) as u64 * SECTOR_SIZE as u64;
        let manifest_end = self.manifest.extents().iter().map(Extent::end).max();
        schema_end.max(tables_end.unwrap_or(0)).max(manifest_end.unwrap_or(0))
    }

    fn release_retired(&mut self) {
        let (held, free): (Vec<_>, Vec<_>) =
            self.retired.drain(..).partition(|handle| handle.is_held() && !defect!(FreedWhileHeld));
        self.retired = held;
        for handle in free {
            self.free_set.release(handle.extent());
            self.freed.push(handle.extent());
        }
    }
}

fn position(wal: &WalWriter, op: u64) -> crate::superblock::WalPosition {
    wal.position_of(op).expect("the entries since the last checkpoint are live")
}
