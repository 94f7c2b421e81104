//! One compaction at work: two inputs merged into new tables.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::constants::SECTOR_SIZE;
use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{Extent, Grid, corrupt};
use crate::memory::{Key, Pick, Run, Usage, interleave};
use crate::superblock::WAL_OFFSET;
use crate::table::{Table, TableBuilder, TableRecord, TreeMeta};

use super::choose::{JobPlan, JobSource};
use super::merge::Input;

/// Values of each input that are merged at once if they interleave.
const WINDOW_ROWS: usize = 1024;

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

/// The space for the output of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    /// What it is expected to take; reserved on the device.
    pub(crate) likely: Extent,
    /// What it takes at the most, if that is more; addresses only.
    pub(crate) more: Option<Extent>,
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

/// A table that a job wrote.
#[derive(Clone)]
pub(crate) struct AddedTable {
    pub(crate) record: TableRecord,
    /// A [`Table`] of the tree's own key width.
    pub(crate) table: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for AddedTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(formatter)
    }
}

/// What a job did.
#[derive(Debug, Default)]
pub(crate) struct JobOutput {
    /// The level and addresses of the tables that were merged.
    pub(crate) removed: Vec<(usize, u64)>,
    pub(crate) added: Vec<AddedTable>,
    /// What of the space was not needed.
    pub(crate) unused: Vec<Extent>,
    pub(crate) flushed: bool,
}

/// A job without its key width.
pub(crate) trait CompactionJob: Send {
    /// Does about so much of its work; `true` when done.
    fn step(&mut self, work: u64) -> Result<bool, JobError>;
    /// All of its work, as [`JobPlan::work`] reckons it.
    fn work(&self) -> u64;
    /// The results, once done.
    fn finish(self: Box<Self>) -> JobOutput;
}

/// A compaction of one tree.
pub(crate) struct Job<const K: usize> {
    meta: Arc<TreeMeta>,
    grid: Arc<Grid>,
    newer: Input<K>,
    older: Input<K>,
    /// What of the values at hand is written, in order.
    picks: Vec<Pick>,
    plan: JobPlan,
    /// What is left of the space for the output.
    space: Extent,
    /// Sectors of it that are reserved on the device, from its beginning on.
    reserved: u32,
    /// Where the output goes on with the first table that does not fit there.
    more: Option<Extent>,
    /// The table that is being filled.
    current: Option<TableBuilder<K>>,
    keep_tombstones: bool,
    /// Much of what is merged was in memory: so is the output.
    is_warm: bool,
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
        space: Space,
        keep_tombstones: bool,
        op: u64,
    ) -> Self {
        let mut removed: Vec<(usize, u64)> =
            older.iter().map(|table| (plan.target_level, table.record.address)).collect();
        if let (JobInput::Tables(tables), JobSource::Level { level, .. }) = (&newer, &plan.source) {
            removed.extend(tables.iter().map(|table| (*level, table.record.address)));
        }
        let sources = match &newer {
            JobInput::Runs(_) => &[][..],
            JobInput::Tables(tables) => tables,
        };
        let tables = sources.iter().chain(&older);
        let (warm, all) = tables
            .fold((0, 0), |(warm, all), table| (warm + usize::from(table.is_warm()), all + 1));
        let is_warm = 0 < all && all <= 2 * warm;
        let flushed = plan.source == JobSource::Immutable;
        let newer = match newer {
            JobInput::Runs(runs) => Input::runs(runs, &meta),
            JobInput::Tables(tables) => Input::tables(tables, &meta),
        };
        let older = Input::tables(older, &meta);
        Job {
            meta,
            grid,
            newer,
            older,
            picks: Vec::new(),
            plan,
            space: space.likely,
            reserved: space.likely.sectors,
            more: space.more,
            current: None,
            keep_tombstones,
            is_warm,
            op,
            output: JobOutput { removed, added: Vec::new(), unused: Vec::new(), flushed },
            done: false,
        }
    }

    /// Writes what was picked.
    fn emit(&mut self) -> Result<(), JobError> {
        let picks = std::mem::take(&mut self.picks);
        let mut rest = &picks[..];
        while !rest.is_empty() {
            let table = match &mut self.current {
                Some(table) => table,
                None => {
                    let (meta, file_id) = (self.meta.clone(), self.grid.file_id());
                    self.current.insert(TableBuilder::new(meta, self.space, file_id, self.op))
                }
            };
            let (now, later) = rest.split_at(rest.len().min(table.room()));
            table.append(&self.newer.chunk, &self.older.chunk, now);
            rest = later;
            if table.room() == 0 {
                self.write_table()?;
            }
        }
        self.picks = picks;
        Ok(())
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
        let mut table = builder.finish(self.more).expect("a table is begun with its first value");
        let used = table.record.sectors;
        if table.record.address != self.space.address {
            // The values pack worse than those before them did.
            self.leave_space();
            self.space = self.more.take().expect("the table is there");
        }
        if used > self.reserved {
            let length = u64::from(used) * SECTOR_SIZE as u64;
            let allocated = self.grid.storage().allocate(self.space.address, length);
            allocated.map_err(JobError::Write)?;
        }
        let written = self.grid.write(table.record.address, &table.bytes);
        if !defect!(TableWriteErrorIgnored) {
            written.map_err(JobError::Write)?;
        }
        table.record.level = u32::try_from(self.plan.target_level).expect("few levels");
        let address = table.record.extent().end();
        self.space = Extent { address, sectors: self.space.sectors - used };
        self.reserved = self.reserved.saturating_sub(used);
        let record = table.record;
        let table = Arc::new(self.take_table(record, &table.bytes)?);
        self.output.added.push(AddedTable { record, table });
        Ok(())
    }

    /// The table of this record, with what of its bytes stays in memory: all of it if the cache has room, so
    /// that what was just written need not be read to be asked for or merged again; if it has none, what
    /// was there of the inputs, whose place it takes. The writer asks unique trees for each new key.
    fn take_table(&self, record: TableRecord, bytes: &[u8]) -> Result<Table<K>, ReadError> {
        let keeps_blocks = self.is_warm || self.grid.has_room(bytes.len());
        if !keeps_blocks && !self.meta.filter {
            return Ok(Table::new(record));
        }
        Table::written(record, bytes, &self.grid, &self.meta, keeps_blocks)
    }

    /// Notes what is left of the space as unused.
    fn leave_space(&mut self) {
        if self.space.sectors > 0 {
            let sectors = self.space.sectors + u32::from(defect!(UnusedExtentTooLong));
            self.output.unused.push(Extent { sectors, ..self.space });
        }
        self.reserved = 0;
    }

    /// Gives what was reserved and is not needed back to the device at once if it is more than what was
    /// written: the first tables of a tree, of which nobody knew how well they pack. Less is given back
    /// when the extent is free.
    fn give_back(&self) {
        let written: u64 =
            self.output.added.iter().map(|table| u64::from(table.record.sectors)).sum();
        if u64::from(self.reserved) > written {
            let length = u64::from(self.reserved) * SECTOR_SIZE as u64;
            self.grid.storage().release(self.space.address, length);
        }
    }

    /// Merges `rows` values of the inputs; `true` when there are no more.
    fn merge(&mut self, mut rows: usize) -> Result<bool, JobError> {
        while rows > 0 {
            self.newer.fill(&self.grid, &self.meta)?;
            match self.older.fill(&self.grid, &self.meta) {
                Err(_) if defect!(ReadErrorEndsMerge) => {
                    self.older = Input::tables(Vec::new(), &self.meta);
                }
                filled => filled?,
            }
            if self.newer.keys().is_empty() && self.older.keys().is_empty() {
                self.write_table()?;
                self.give_back();
                self.leave_space();
                self.output.unused.extend(self.more.take());
                return Ok(true);
            }
            self.picks.clear();
            rows = rows.saturating_sub(self.pick(rows)?);
            self.emit()?;
        }
        Ok(false)
    }

    /// Picks among the values at hand until one input has no more of them, or `rows` were looked at;
    /// gives how many were. At least one input has values.
    fn pick(&mut self, rows: usize) -> Result<usize, JobError> {
        let (newer, older) = (self.newer.keys(), self.older.keys());
        let (mut a, mut b) = (0, 0);
        let mut fault = None;
        // Stretches that do not interleave, the common case of timestamps and ordered ids, need no
        // comparisons.
        match (newer.last(), older.first()) {
            (_, None) => a = newer.len().min(rows),
            (None, _) => b = older.len().min(rows),
            (Some(last), Some(first)) if last < first => a = newer.len().min(rows),
            (Some(_), Some(_)) if older[older.len() - 1] < newer[0] => b = older.len().min(rows),
            _ => {}
        }
        if a + b > 0 {
            let (newer_at, older_at) = (self.newer.at, self.older.at);
            self.picks.extend((newer_at..newer_at + a).map(Pick::newer));
            self.picks.extend((older_at..older_at + b).map(Pick::older));
        } else if let Some(taken) = interleave(
            &newer[..newer.len().min(WINDOW_ROWS)],
            &older[..older.len().min(WINDOW_ROWS)],
            (self.newer.at, self.older.at),
            &mut self.picks,
        ) {
            (a, b) = taken;
        } else {
            let rows = rows.min(WINDOW_ROWS);
            while a < newer.len() && b < older.len() && a + b < rows {
                let (newer_at, older_at) = (self.newer.at + a, self.older.at + b);
                match newer[a].cmp(&older[b]) {
                    Ordering::Less => {
                        self.picks.push(Pick::newer(newer_at));
                        a += 1;
                    }
                    Ordering::Greater => {
                        self.picks.push(Pick::older(older_at));
                        b += 1;
                    }
                    Ordering::Equal => {
                        let tombstones = &self.newer.chunk.tombstones;
                        let in_turn = tombstones[newer_at] != self.older.chunk.tombstones[older_at];
                        match self.meta.usage {
                            Usage::Map if defect!(OlderValueWins) => {
                                self.picks.push(Pick::older(older_at));
                            }
                            Usage::Map => self.picks.push(Pick::newer(newer_at)),
                            Usage::Set if in_turn => {}
                            Usage::Set => {
                                fault = Some("entry, which was put or removed twice in a row,");
                                break;
                            }
                        }
                        a += 1;
                        b += usize::from(!defect!(EqualKeyKeptTwice));
                    }
                }
            }
        }
        self.newer.at += a;
        self.older.at += b;
        if let Some(what) = fault {
            return Err(self.lost_entry(self.older.address(), what));
        }
        if !self.keep_tombstones {
            let picked = self.picks.len();
            let (newer, older) = (&self.newer.chunk.tombstones, &self.older.chunk.tombstones);
            if !newer.contains(&true) && !older.contains(&true) {
                return Ok(a + b);
            }
            let lost = self.picks.iter().find(|pick| pick.of(newer, older)).copied();
            self.picks.retain(|pick| !pick.of(newer, older));
            if self.picks.len() < picked && self.meta.usage == Usage::Set {
                let is_newer = lost.is_some_and(Pick::is_newer);
                let address = if is_newer { self.newer.address() } else { self.older.address() };
                return Err(self.lost_entry(address, "tombstone of an entry that is not there"));
            }
        }
        // Both sides of a pair count.
        Ok(a + b)
    }
}

impl<const K: usize> CompactionJob for Job<K> {
    fn step(&mut self, work: u64) -> Result<bool, JobError> {
        if !self.done {
            let rows = work.div_ceil(self.meta.lane_count(K) as u64);
            self.done = self.merge(usize::try_from(rows).unwrap_or(usize::MAX))?;
        }
        Ok(self.done)
    }

    fn work(&self) -> u64 {
        self.plan.work(self.meta.lane_count(K))
    }

    fn finish(self: Box<Self>) -> JobOutput {
        assert!(self.done, "a job is finished when it is done");
        self.output
    }
}
