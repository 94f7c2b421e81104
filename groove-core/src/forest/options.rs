//! How a forest is created and opened.

use std::fmt;
use std::sync::Arc;

use crate::constants::SECTOR_SIZE;
use crate::error::OpenError;
use crate::superblock::FormatOptions;

/// When a committed scope is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When `write` returns. Writers that wait at the same time share one sync.
    #[default]
    Sync,
    /// At the latest when the next checkpoint or [`Forest::sync`](crate::Forest::sync) returns. A
    /// power loss may take the last scopes away, from the end backwards, never a part of one; the
    /// end of the process takes nothing away.
    Buffered,
}

/// A source of timestamps for objects that are inserted with timestamp 0.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now`, from 1 to 2^63 - 1. It may stand still or go back: timestamps
    /// ascend all the same.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub(super) fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// How a forest is created and opened.
///
/// ```
/// use groove_core::{Durability, Options};
///
/// let options = Options::default().cache_size(256 << 20).durability(Durability::Buffered);
/// # let _ = options;
/// ```
///
/// `block_size`, `table_size`, `wal_size`, `growth_factor` and `file_id` are fixed when the file is
/// created; for a file that exists, what it was created with counts.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) block_size: u32,
    pub(super) table_size: u32,
    pub(super) wal_size: u64,
    pub(super) growth_factor: u32,
    pub(super) cache_size: u64,
    pub(super) query_memory: u64,
    pub(super) compaction_threads: usize,
    pub(super) durability: Durability,
    pub(super) clock: Option<Clock>,
    pub(super) file_id: Option<[u8; 16]>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            block_size: 16 << 10,
            table_size: 4 << 20,
            wal_size: 32 << 20,
            growth_factor: 8,
            cache_size: 64 << 20,
            query_memory: 64 << 20,
            compaction_threads: std::thread::available_parallelism()
                .map_or(1, |count| count.get().min(4)),
            durability: Durability::Sync,
            clock: None,
            file_id: None,
        }
    }
}

impl Options {
    /// The most bytes of a value block: a power of two from 4 KiB to 16 MiB, 16 KiB by default. A
    /// look-up reads one block per level at the most; larger blocks pack better.
    #[must_use]
    pub fn block_size(mut self, bytes: u32) -> Self {
        self.block_size = bytes;
        self
    }

    /// The most bytes of the value blocks of a table: 4 MiB by default.
    #[must_use]
    pub fn table_size(mut self, bytes: u32) -> Self {
        self.table_size = bytes;
        self
    }

    /// Bytes of the write-ahead log: a multiple of 4 KiB, 32 MiB by default. One scope takes at most half of
    /// it, and at most all of it before its changes are packed. Memory tables hold, twice, what half of it
    /// logs or what twice of it would log if nothing was packed, whichever is less: with 32 MiB at most
    /// 128 MiB of rows, and their index entries. A change counts 64 bytes at the least.
    #[must_use]
    pub fn wal_size(mut self, bytes: u64) -> Self {
        self.wal_size = bytes;
        self
    }

    /// How many times larger each level is than the one above: 2 to 64, 8 by default.
    #[must_use]
    pub fn growth_factor(mut self, factor: u32) -> Self {
        self.growth_factor = factor;
        self
    }

    /// Bytes that caches of blocks and objects may take: 64 MiB by default.
    #[must_use]
    pub fn cache_size(mut self, bytes: u64) -> Self {
        self.cache_size = bytes;
        self
    }

    /// Bytes that each query may hold in memory for what it has to collect before it can answer: 8 per
    /// entry of a range of an index, 64 MiB by default. A query that needs more tests rows instead, or,
    /// if it cannot, fails with [`QueryError::OutOfMemory`](crate::error::QueryError::OutOfMemory).
    #[must_use]
    pub fn query_memory(mut self, bytes: u64) -> Self {
        self.query_memory = bytes;
        self
    }

    /// Threads that compact, and that sort what an open replays and, beside its writer, what a large scope
    /// changes: by default one per core, at most 4. With 0 the writers and the opener do so themselves. What
    /// reaches the disk does not depend on it.
    #[must_use]
    pub fn compaction_threads(mut self, threads: usize) -> Self {
        self.compaction_threads = threads;
        self
    }

    /// When a committed scope is on disk: [`Durability::Sync`] by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Where the timestamps of objects that are inserted with timestamp 0 come from. By default
    /// they count up from 1.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The identity of a file that is created, which each of its blocks repeats; random by default.
    /// The same operations on files of the same identity give the same blocks at the same addresses,
    /// as long as no snapshot is held.
    #[must_use]
    pub fn file_id(mut self, file_id: [u8; 16]) -> Self {
        self.file_id = Some(file_id);
        self
    }

    /// What a new file is created with.
    pub(super) fn format(&self) -> Result<FormatOptions, OpenError> {
        let sector = SECTOR_SIZE as u64;
        let refuse = |option, value, allowed| Err(OpenError::Options { option, value, allowed });
        let wal_sizes = "a multiple of 4096 from 32768 to 17179869184";
        if !self.wal_size.is_multiple_of(sector) {
            return refuse("wal_size", self.wal_size, wal_sizes);
        }
        let mut parameters = [0; 8];
        parameters[0] = u64::from(self.table_size / self.block_size.max(1));
        let format = FormatOptions {
            block_size: self.block_size,
            wal_slots: u32::try_from(self.wal_size / sector).unwrap_or(u32::MAX),
            growth_factor: self.growth_factor,
            parameters,
        };
        match format.check() {
            Ok(()) => {}
            Err(("block size", allowed)) => {
                return refuse("block_size", self.block_size.into(), allowed);
            }
            Err(("growth factor", allowed)) => {
                return refuse("growth_factor", self.growth_factor.into(), allowed);
            }
            Err(_) => return refuse("wal_size", self.wal_size, wal_sizes),
        }
        if !(1..=TABLE_BLOCKS_MAX).contains(&parameters[0]) {
            return refuse("table_size", self.table_size.into(), "1 to 65536 times the block size");
        }
        Ok(format)
    }
}

/// Value blocks of a table at most.
pub(super) const TABLE_BLOCKS_MAX: u64 = 65_536;
