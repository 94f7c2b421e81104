//! One compaction at work: two inputs merged into new tables.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{Extent, Grid, corrupt};
use crate::memory::{Key, Run, Usage};
use crate::superblock::WAL_OFFSET;
use crate::table::{Table, TableBuilder, TableRecord, TreeMeta};

use super::choose::{JobPlan, JobSource};
use super::merge::Stream;

/// The newer input of a job.
pub(crate) enum JobInput<const K: usize> {
    /// Runs of the immutable table, oldest first; at least one, none of them empty.
    Runs(Vec<Arc<Run<K>>>),
    /// Neighbouring tables; at least one.
    Tables(Vec<Arc<Table<K>>>),
}

impl<const K: usize> JobInput<K> {
    pub(crate) fn key_range(&self) -> (Key<K>, Key<K>) {
        match self {
            JobInput::Runs(runs) => {
                let min = runs.iter().map(|run| run.keys()[0]).min();
                let max = runs.iter().map(|run| run.keys()[run.len() - 1]).max();
                min.zip(max).expect("an input has runs")
            }
            JobInput::Tables(tables) => (tables[0].key_min, tables[tables.len() - 1].key_max),
        }
    }
}

/// Why a job stopped.
#[derive(Debug)]
pub(crate) enum JobError {
    Read(ReadError),
    Write(io::Error),
}

impl From<ReadError> for JobError {
    fn from(error: ReadError) -> Self {
        JobError::Read(error)
    }
}

/// What a job did.
#[derive(Debug)]
pub(crate) struct JobOutput {
    /// The level and addresses of the tables that were merged.
    pub(crate) removed: Vec<(usize, u64)>,
    pub(crate) added: Vec<TableRecord>,
    /// What was reserved and not needed.
    pub(crate) unused: Vec<Extent>,
    pub(crate) flushed: bool,
}

/// A job without its key width.
pub(crate) trait CompactionJob: Send {
    /// Merges about `rows` values; `true` when done.
    fn step(&mut self, rows: usize) -> Result<bool, JobError>;
    /// Values in all inputs.
    fn rows(&self) -> usize;
    /// The results, once done.
    fn finish(self: Box<Self>) -> JobOutput;
}

/// A compaction of one tree.
pub(crate) struct Job<const K: usize> {
    meta: Arc<TreeMeta>,
    grid: Arc<Grid>,
    newer: Stream<K>,
    older: Stream<K>,
    plan: JobPlan,
    extents: std::vec::IntoIter<Extent>,
    /// The table that is being filled.
    current: Option<TableBuilder<K>>,
    keep_tombstones: bool,
    op: u64,
    output: JobOutput,
    done: bool,
}

impl<const K: usize> Job<K> {
    #[expect(clippy::too_many_arguments, reason = "one caller, which names each of them")]
    pub(crate) fn new(
        meta: Arc<TreeMeta>,
        grid: Arc<Grid>,
        newer: JobInput<K>,
        older: Vec<Arc<Table<K>>>,
        plan: JobPlan,
        extents: Vec<Extent>,
        keep_tombstones: bool,
        op: u64,
    ) -> Self {
        let mut removed: Vec<(usize, u64)> =
            older.iter().map(|table| (plan.target_level, table.record.address)).collect();
        if let (JobInput::Tables(tables), JobSource::Level { level, .. }) = (&newer, &plan.source) {
            removed.extend(tables.iter().map(|table| (*level, table.record.address)));
        }
        let flushed = plan.source == JobSource::Immutable;
        let newer = match newer {
            JobInput::Runs(runs) => Stream::Runs { runs, merged: None, at: 0 },
            JobInput::Tables(tables) => Stream::tables(tables),
        };
        Job {
            meta,
            grid,
            newer,
            older: Stream::tables(older),
            plan,
            extents: extents.into_iter(),
            current: None,
            keep_tombstones,
            op,
            output: JobOutput { removed, added: Vec::new(), unused: Vec::new(), flushed },
            done: false,
        }
    }

    /// `address`: of the block that the value is from.
    fn emit(
        &mut self,
        key: Key<K>,
        tombstone: bool,
        payload: &[u8],
        address: Option<u64>,
    ) -> Result<(), JobError> {
        if tombstone && !self.keep_tombstones {
            return match self.meta.usage {
                Usage::Map => Ok(()),
                Usage::Set => {
                    Err(self.lost_entry(address, "tombstone of an entry that is not there"))
                }
            };
        }
        let table = match &mut self.current {
            Some(table) => table,
            None => {
                let extent = self.extents.next().expect("space is reserved for all values");
                let (meta, file_id) = (self.meta.clone(), self.grid.file_id());
                self.current.insert(TableBuilder::new(meta, extent, file_id, self.op))
            }
        };
        table.push(&key, tombstone, payload);
        if table.is_full() { self.write_table() } else { Ok(()) }
    }

    /// Index entries that do not come in turns: the inputs are damaged in a way that no checksum
    /// shows. Nothing of this merge is installed. What is in memory came from the log.
    fn lost_entry(&self, address: Option<u64>, what: &'static str) -> JobError {
        let (offset, kind) = match address {
            Some(address) => (address, BlockKind::Value),
            None => (WAL_OFFSET, BlockKind::WalEntry),
        };
        let damage = Damage::Invalid { what };
        JobError::Read(corrupt(offset, kind, Some(&self.meta.name), damage))
    }

    fn write_table(&mut self) -> Result<(), JobError> {
        let Some(builder) = self.current.take() else { return Ok(()) };
        let extent = builder.extent();
        let mut table = builder.finish().expect("a table is begun with its first value");
        let written = self.grid.write(table.record.address, &table.bytes);
        if !defect!(TableWriteErrorIgnored) {
            written.map_err(JobError::Write)?;
        }
        table.record.level = u32::try_from(self.plan.target_level).expect("few levels");
        let used = table.record.sectors - u32::from(defect!(UnusedExtentTooLong));
        if used < extent.sectors {
            self.output.unused.push(Extent {
                address: table.record.extent().end(),
                sectors: extent.sectors - used,
            });
        }
        self.output.added.push(table.record);
        Ok(())
    }

    fn merge(&mut self, mut rows: usize) -> Result<bool, JobError> {
        let mut payload = vec![0; self.meta.payload_width];
        while rows > 0 {
            rows -= 1;
            let newer = self.newer.peek(&self.grid, &self.meta)?;
            let older = match self.older.peek(&self.grid, &self.meta) {
                Err(_) if defect!(ReadErrorEndsMerge) => {
                    self.older = Stream::tables(Vec::new());
                    None
                }
                older => older?,
            };
            let order = match (newer, older) {
                (None, None) => {
                    self.write_table()?;
                    self.output.unused.extend(self.extents.by_ref());
                    return Ok(true);
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(newer), Some(older)) => newer.cmp(&older),
            };
            let (key, from) = match order {
                Ordering::Less | Ordering::Equal => (newer, &mut self.newer),
                Ordering::Greater => (older, &mut self.older),
            };
            let key = key.expect("the side that is first has a key");
            let (tombstone, address) = (from.is_tombstone(), from.address());
            payload.copy_from_slice(from.payload());
            from.skip();
            if order == Ordering::Equal {
                let older_is_tombstone = self.older.is_tombstone();
                let older_address = self.older.address();
                if defect!(OlderValueWins) {
                    payload.copy_from_slice(self.older.payload());
                }
                if !defect!(EqualKeyKeptTwice) {
                    self.older.skip();
                }
                if self.meta.usage == Usage::Set {
                    if older_is_tombstone == tombstone {
                        let what = "entry, which was put or removed twice in a row,";
                        return Err(self.lost_entry(older_address, what));
                    }
                    continue;
                }
            }
            self.emit(key, tombstone, &payload, address)?;
        }
        Ok(false)
    }
}

impl<const K: usize> CompactionJob for Job<K> {
    fn step(&mut self, rows: usize) -> Result<bool, JobError> {
        if !self.done {
            self.done = self.merge(rows)?;
        }
        Ok(self.done)
    }

    fn rows(&self) -> usize {
        self.plan.rows
    }

    fn finish(self: Box<Self>) -> JobOutput {
        assert!(self.done, "a job is finished when it is done");
        self.output
    }
}
