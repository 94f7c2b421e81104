//! The end of a bar, and the compactions beside the next one.
//!
//! At the end of a bar the memory tables are sealed. What is to be compacted runs beside the next bar, in two
//! stages: tables go down the levels, then the sealed memory tables go to level 0. Each stage is
//!
//! 1. chosen, its space is reserved, and it starts;
//! 2. waited for and installed;
//! 3. made durable by a checkpoint, after which its inputs are free. That of the second covers everything up to
//!    the seal, and the log's entries up to there are free.
//!
//! A stage's outputs take the space of the inputs of the stage before. A bar that moves no values down has the
//! second stage only. The first ends with the commit that takes its share of the bar, the second with the one
//! that takes the last eighth, so that no commit waits for a stage and a seal; only if the disk was too full do
//! they come at the end.

use std::sync::Arc;

use crate::compaction::{CompactionJob, JobError, JobOutput, JobPlan};
use crate::error::CommitError;
use crate::table::TableRecord;
use crate::tree::{Demand, LevelEdit};

use super::bar::{EntrySize, Stage};
use super::compactor::Failure;
use super::engine::Writer;
use super::grooves::Grooves;
use super::publish::Dead;

impl<S: Grooves> Writer<S> {
    /// Ends the bar. After [`CommitError::NoSpace`] the next attempt may succeed; any other error is final.
    pub(super) fn end_bar(&mut self) -> Result<(), CommitError> {
        while self.engine.bar.is_sealed() {
            if !self.engine.compactor.is_busy() {
                self.start_compactions()?;
            }
            self.end_stage()?;
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

    /// Ends the stages whose part of the bar is over with one entry more.
    pub(super) fn end_stages(&mut self, entry: EntrySize) -> Result<(), CommitError> {
        while self.engine.compactor.is_busy() {
            let (used, due) = self.engine.bar.progress(entry);
            if used <= due {
                break;
            }
            match self.end_stage() {
                // The end of the bar tries again what could not start.
                Ok(()) | Err(CommitError::NoSpace { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for the stage that is under way, makes it durable, and starts the one after it.
    fn end_stage(&mut self) -> Result<(), CommitError> {
        self.install()?;
        match self.engine.bar.stage {
            Stage::Levels { until } => {
                let sealed = self.engine.bar.sealed.clone();
                self.checkpoint_stage(sealed.filter(|_| defect!(LevelsCoverSeal)))?;
                self.start_flush(until)
            }
            Stage::Flush { .. } => {
                let sealed = self.engine.bar.sealed.take();
                assert!(sealed.is_some(), "a seal comes before its checkpoint");
                self.checkpoint_stage(sealed)
            }
        }
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

    /// Starts the first stage of the bar's compactions.
    pub(super) fn start_compactions(&mut self) -> Result<(), CommitError> {
        self.engine.bar.begin_compactions();
        let growth = u64::from(self.engine.superblock.options.growth_factor);
        let mut chosen: Vec<Vec<JobPlan>> = Vec::new();
        let (mut level_work, mut flush_work) = (0, 0);
        self.visit_trees(&mut |tree| {
            let plans = tree.choose_levels(growth);
            let merges = plans.iter().filter(|plan| !plan.is_move());
            level_work += merges.map(|plan| tree.work(plan)).sum::<u64>();
            flush_work += tree.choose_flush(&plans).map_or(0, |plan| tree.work(&plan));
            chosen.push(plans);
        });
        if level_work == 0 {
            // Nothing is read or written to move tables.
            self.engine.bar.plans = chosen;
            self.install()?;
            return self.start_flush(0);
        }
        let part = u128::from(self.engine.bar.due()) * u128::from(level_work);
        let until = part / u128::from(level_work + flush_work);
        let until = u64::try_from(until).expect("a part of a bar");
        let op = self.engine.superblock.checkpoint.op;
        self.start_jobs(chosen, op)?;
        self.engine.bar.stage = Stage::Levels { until };
        Ok(())
    }

    /// Starts the second stage, whose part of the bar begins there.
    fn start_flush(&mut self, from: u64) -> Result<(), CommitError> {
        let sealed = self.engine.bar.sealed.as_ref().expect("compactions follow a seal");
        let op = sealed.op;
        let mut chosen: Vec<Vec<JobPlan>> = Vec::new();
        self.visit_trees(&mut |tree| chosen.push(tree.choose_flush(&[]).into_iter().collect()));
        self.start_jobs(chosen, op)?;
        self.engine.bar.stage = Stage::Flush { from };
        Ok(())
    }

    /// Reserves the space for the outputs of a stage that hold values up to an op, and starts it.
    fn start_jobs(&mut self, chosen: Vec<Vec<JobPlan>>, op: u64) -> Result<(), CommitError> {
        let mut demands: Vec<Demand> = Vec::new();
        let (mut live_tables, mut new_tables) = (0, 0);
        let mut plans = chosen.iter();
        self.visit_trees(&mut |tree| {
            let plans = plans.next().expect("a list per tree");
            for plan in plans.iter().filter(|plan| !plan.is_move()) {
                demands.push(tree.demand(plan));
                new_tables += tree.meta().layout.split(plan.rows).count();
            }
            live_tables += tree.records().len();
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
}

/// What a stage changes in one tree: its moves, and the outputs of its jobs.
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
