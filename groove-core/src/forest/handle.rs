//! [`Forest`]: the handle that a user holds.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::error::{CommitError, OpenError};
use crate::groove::SnapshotOpener;
use crate::storage::Storage;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Mutex, MutexGuard};

use super::engine::{Committed, Writer};
use super::grooves::Grooves;
use super::options::{Durability, Options};
use super::publish::{Dead, Publisher};
use super::scope::{Abort, Scope, WriteError};
use super::verify::Verified;
use super::version::ForestVersion;
use super::{create, open, verify};

/// How often a writer lets others go first before it sleeps until the writer's lock is free.
const LOCK_YIELDS: u32 = 10;

/// An open forest: one file with all grooves of `S`.
///
/// Cheap to clone; every clone is the same forest, on any thread. The file is closed when the last
/// one is dropped, and the last snapshot, query and prefetch that reads from it: until then another
/// open is refused, for a new writer could reuse the blocks that they read.
pub struct Forest<S: Grooves> {
    inner: Arc<Inner<S>>,
}

pub(super) struct Inner<S: Grooves> {
    pub(super) writer: Mutex<Writer<S>>,
    pub(super) publisher: Arc<Publisher>,
    pub(super) durability: Durability,
    /// The thread whose scope is open.
    pub(super) scope_thread: Mutex<Option<ThreadId>>,
}

/// Notes that this thread has a scope open, until it is dropped.
struct ScopeThread<'a>(&'a Mutex<Option<ThreadId>>);

impl<'a> ScopeThread<'a> {
    fn note(thread: &'a Mutex<Option<ThreadId>>) -> Self {
        *unpoisoned(thread) = Some(thread::current().id());
        ScopeThread(thread)
    }
}

impl Drop for ScopeThread<'_> {
    fn drop(&mut self) {
        *unpoisoned(self.0) = None;
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A scope that panicked was discarded; a commit that panicked made the handle dead.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Grooves> Clone for Forest<S> {
    fn clone(&self) -> Self {
        Forest { inner: self.inner.clone() }
    }
}

impl<S: Grooves> fmt::Debug for Forest<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Forest")
            .field("op", &self.inner.publisher.current().op())
            .finish_non_exhaustive()
    }
}

/// What a forest is made of at the moment, for tuning and for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// The newest committed op: scopes that changed something are ops, numbered from 1 on.
    pub op: u64,
    /// The op that the last checkpoint covers: what comes after it is replayed at the next open.
    pub checkpoint_op: u64,
    /// Blocks read from the storage since the forest was opened.
    pub blocks_read: u64,
    /// Blocks found in the cache since the forest was opened.
    pub cache_hits: u64,
    /// Tables of all trees.
    pub tables: u64,
    /// The deepest level that has tables, counted from 1; 0 if there are none.
    pub levels: u32,
    /// Bytes of all tables on disk.
    pub table_bytes: u64,
    /// Bytes of the file that are free for new tables.
    pub free_bytes: u64,
    /// Bytes of memory tables.
    pub memory_bytes: u64,
    /// Bytes of index blocks and filters in memory; part of the cache's budget.
    pub index_bytes: u64,
    /// Blocks of the manifest log.
    pub manifest_blocks: u64,
}

impl<S: Grooves> Forest<S> {
    /// Opens the forest at `path`, or creates it there if there is no file. Takes the file for
    /// itself: a second handle, of this process or another, is refused.
    ///
    /// What was committed since the last checkpoint is replayed from the log. The time that takes is
    /// bounded by the size of the log, whatever the size of the file.
    ///
    /// # Errors
    /// [`OpenError`]: the file is unchanged.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        open::open_file(path.as_ref(), &options)
    }

    /// Opens the forest that `storage` holds, or creates it there if `storage` is empty. For
    /// memory, and for devices of the caller's own.
    ///
    /// A storage is not locked as a file is: the caller sees to it that it has one forest at a time, until the
    /// last handle, snapshot, query and iterator of that is dropped. Two would overwrite each other.
    ///
    /// # Errors
    /// [`OpenError`], with `<storage>` in place of the path.
    pub fn open_storage(storage: Arc<dyn Storage>, options: Options) -> Result<Self, OpenError> {
        let path = Path::new("<storage>");
        match storage.length() {
            Ok(0) => create::create_storage(path, storage, &options),
            Ok(_) => open::open_storage(path, storage, &options),
            Err(source) => Err(OpenError::Io { path: path.into(), source }),
        }
    }

    /// Looks at the last checkpoint of the forest at `path` without changing or locking it: what was
    /// committed later is not seen. A writer that goes on may reuse what the checkpoint refers to;
    /// reads then fail with a checksum error, and never give wrong objects.
    ///
    /// # Errors
    /// [`OpenError`], also if there is no file.
    pub fn open_read_only(
        path: impl AsRef<Path>,
        options: Options,
    ) -> Result<S::Snapshot, OpenError> {
        open::open_read_only::<S>(path.as_ref(), &options)
    }

    /// Checks the file at `path` completely, without changing anything: each block is read and
    /// compared with the checksum that refers to it, each address is in use once or free, tables and
    /// their index blocks and filters agree, the log is whole, and in the state that an open would
    /// give each object has precisely its entries in every index and each entry its object.
    ///
    /// Reads the file about twice. Takes the memory that an open takes. Keeps writers out meanwhile.
    ///
    /// ```
    /// # use groove_core::{Forest, Grooves, Options};
    /// # fn example<S: Grooves>() -> Result<(), groove_core::error::OpenError> {
    /// let verified = Forest::<S>::verify("ledger.groove", Options::default())?;
    /// println!("{verified}"); // op 12: 1000 objects and 3000 index entries in 4 tables …
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]: as an open, and [`OpenError::Corrupt`] with offset, kind and tree of the first
    /// block that is not as it must be; [`OpenError::Locked`] while somebody has it open to write.
    ///
    /// # Panics
    /// If the function of a derived index does.
    pub fn verify(path: impl AsRef<Path>, options: Options) -> Result<Verified, OpenError> {
        open::verify_file::<S>(path.as_ref(), &options)
    }

    /// As [`Forest::verify`], for a storage of the caller's own, which nobody writes to meanwhile.
    ///
    /// # Errors
    /// [`OpenError`], with `<storage>` in place of the path.
    pub fn verify_storage(
        storage: Arc<dyn Storage>,
        options: Options,
    ) -> Result<Verified, OpenError> {
        verify::verify::<S>(Path::new("<storage>"), storage, &options)
    }

    pub(super) fn new(writer: Writer<S>, durability: Durability) -> Self {
        let publisher = writer.engine.publisher.clone();
        let scope_thread = Mutex::new(None);
        let writer = Mutex::new(writer);
        Forest { inner: Arc::new(Inner { writer, publisher, durability, scope_thread }) }
    }

    /// Runs `scope` and commits what it changed: in all trees or, if it returns an error or panics,
    /// in none. Durable when this returns, unless the options say [`Durability::Buffered`].
    ///
    /// One scope is open at a time; other writers wait.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use groove_core::{Forest, Grooves, Scope, WriteError};
    /// # fn example<S: Grooves>(forest: &Forest<S>) -> Result<(), WriteError> {
    /// // A scope returns `Ok` of what `write` is to return; `?` works on errors of all kinds.
    /// let answer = forest.write(|scope| Ok(42))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WriteError`]: nothing was changed, except that after [`CommitError::Dead`] a reopen may
    /// find the scope committed, if it reached the disk.
    ///
    /// # Panics
    /// If `scope` calls `write`, `sync`, `checkpoint`, `statistics` or `close` of the same forest, which
    /// would wait for the scope to end; or if it leaves a scope open that it opened by
    /// [`Scope::scope_open`]. Nothing is changed.
    pub fn write<T>(
        &self,
        scope: impl FnOnce(&mut Scope<'_, S>) -> Result<T, Abort>,
    ) -> Result<T, WriteError> {
        /// What `try_write` converts commit errors to.
        enum Failed {
            Abort(Abort),
            Commit(CommitError),
        }
        impl From<CommitError> for Failed {
            fn from(error: CommitError) -> Self {
                Failed::Commit(error)
            }
        }
        self.try_write(|open| scope(open).map_err(Failed::Abort)).map_err(|failed| match failed {
            Failed::Abort(abort) => abort.into(),
            Failed::Commit(error) => error.into(),
        })
    }

    /// As [`Forest::write`], with an error type of the caller's own.
    ///
    /// # Errors
    /// What `scope` returns, or a [`CommitError`].
    pub fn try_write<T, E: From<CommitError>>(
        &self,
        scope: impl FnOnce(&mut Scope<'_, S>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, committed) = {
            let _arrival = self.inner.publisher.arrive();
            let mut writer = self.lock();
            self.inner.publisher.check()?;
            let _thread = ScopeThread::note(&self.inner.scope_thread);
            let mut open = Scope::open(&mut writer);
            let value = scope(&mut open)?;
            (value, open.commit()?)
        };
        if let Some(Committed { op, superseded }) = committed {
            drop(superseded);
            self.acknowledge(op)?;
        }
        Ok(value)
    }

    fn acknowledge(&self, op: u64) -> Result<(), CommitError> {
        match self.inner.durability {
            Durability::Buffered => {
                self.inner.publisher.publish_unsynced();
                Ok(())
            }
            Durability::Sync => {
                // Who comes after marks what was synced here too.
                if self.inner.publisher.sync_to(op)? && !self.inner.publisher.is_waiting() {
                    self.mark_synced();
                }
                Ok(())
            }
        }
    }

    /// Says in the file how far the log is on disk, if no other writer is about to do the same.
    fn mark_synced(&self) {
        if let Ok(mut writer) = self.inner.writer.try_lock() {
            // The scope is durable whether or not the mark can be written; if not, the handle is
            // dead, and the next writer is told.
            let _ = writer.mark_synced();
        }
    }

    /// The state after the newest op that is on disk (with [`Durability::Buffered`]: after the newest
    /// op). Never waits for a writer.
    pub fn snapshot(&self) -> S::Snapshot {
        snapshot::<S>(&self.inner.publisher.current())
    }

    /// Returns when everything that was committed is on disk.
    ///
    /// # Errors
    /// [`CommitError`] if the device failed, now or before.
    pub fn sync(&self) -> Result<(), CommitError> {
        let op = {
            let mut writer = self.lock();
            writer.dispel_doubt()?;
            writer.engine.op
        };
        self.inner.publisher.sync_to(op)?;
        self.inner.publisher.check()
    }

    /// Writes everything that is committed into tables and makes a checkpoint: the next open has
    /// nothing to replay. Checkpoints come by themselves; this is for a planned end.
    ///
    /// # Errors
    /// [`CommitError`] as for a commit.
    pub fn checkpoint(&self) -> Result<(), CommitError> {
        let mut writer = self.lock();
        let publisher = self.inner.publisher.clone();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.checkpoint()));
        result.unwrap_or_else(|_| Err(publisher.kill(Dead::Panicked)))
    }

    /// Waits until everything is on disk and closes this handle. If it is the last one, and no
    /// snapshot is left, the file is closed and may be opened again.
    ///
    /// # Errors
    /// [`CommitError`] if the device failed, now or before.
    pub fn close(self) -> Result<(), CommitError> {
        self.sync()?;
        self.lock().mark_synced()?;
        self.lock().engine.sync()
    }

    /// What the forest is made of at the moment. Walks the list of tables.
    pub fn statistics(&self) -> Statistics {
        self.lock().statistics()
    }

    #[cfg(feature = "proof")]
    pub(crate) fn verify_open(&self) -> Result<Verified, crate::error::ReadError> {
        self.lock().verify()
    }

    fn lock(&self) -> MutexGuard<'_, Writer<S>> {
        let here = Some(thread::current().id());
        let within = *unpoisoned(&self.inner.scope_thread) == here;
        assert!(
            !within,
            "a forest was asked to write, sync or count from within a scope of its own"
        );
        // A commit holds the lock for some microseconds: to sleep and be woken takes longer.
        for _ in 0..LOCK_YIELDS {
            if let Ok(writer) = self.inner.writer.try_lock() {
                return writer;
            }
            thread::yield_now();
        }
        unpoisoned(&self.inner.writer)
    }
}

pub(super) fn snapshot<S: Grooves>(version: &Arc<ForestVersion>) -> S::Snapshot {
    S::snapshot(&mut SnapshotOpener::new(version, S::GROOVES))
}

impl<S: Grooves> Writer<S> {
    /// Makes a checkpoint if the log's newest entries may be in the system's cache only.
    fn dispel_doubt(&mut self) -> Result<(), CommitError> {
        if self.engine.is_doubtful { self.checkpoint() } else { Ok(()) }
    }

    fn mark_synced(&mut self) -> Result<(), CommitError> {
        if self.engine.is_doubtful {
            return Ok(());
        }
        let engine = &mut self.engine;
        engine.publisher.check()?;
        let op = engine.publisher.synced_op().min(engine.op);
        engine
            .wal
            .write_mark(&*engine.storage, op)
            .map_err(|error| engine.publisher.kill(Dead::Io(Arc::new(error))))
    }

    fn statistics(&mut self) -> Statistics {
        let (mut tables, mut levels, mut table_bytes, mut memory_bytes) = (0, 0, 0, 0);
        self.visit_trees(&mut |tree| {
            for record in tree.records() {
                tables += 1;
                levels = levels.max(record.level + 1);
                let extent = record.extent();
                table_bytes += extent.end() - extent.address;
            }
            memory_bytes += tree.memory() as u64;
        });
        let engine = &self.engine;
        let (blocks_read, cache_hits) = engine.grid.counters();
        Statistics {
            op: engine.op,
            checkpoint_op: engine.superblock.checkpoint.op,
            blocks_read,
            cache_hits,
            tables,
            levels,
            table_bytes,
            free_bytes: engine.free_set.free_sectors() * crate::constants::SECTOR_SIZE as u64,
            memory_bytes,
            index_bytes: engine.grid.pinned(),
            manifest_blocks: engine.manifest.block_count() as u64,
        }
    }
}

impl super::engine::Engine {
    fn sync(&self) -> Result<(), CommitError> {
        self.publisher.exclusively(|| self.storage.sync())
    }
}
