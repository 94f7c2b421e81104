//! Makes commits durable and visible, in this order.
//!
//! A commit is appended to the log under the writer's lock and handed over here. Whoever needs it on
//! disk takes the turn: the first writes the entries of all that were appended by then and syncs, the
//! others sleep until it has (group commit; see [`super::turn`]). With `Durability::Sync` a version is published only
//! when its op is on disk, so no reader sees what a crash could take back.
//!
//! Every sync of an open forest runs in a turn, after a look whether an earlier one failed: the
//! system reports a failed sync once, and a later one that succeeds says nothing about what the
//! failed one lost.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError};

use crate::error::{CommitError, ReadError};
use crate::storage::Storage;
use crate::sync::thread;
use crate::sync::{ArcSwap, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::wal::LogGroup;

use super::turn::Turn;
use super::version::ForestVersion;

/// How often a thread that is to sync lets others go first without one that appends.
const PATIENCE: u32 = 8;
/// Turns of a loop that waits while others are about to append: some microseconds.
const PAUSES: u32 = 50;

/// Why the handle writes no more.
#[derive(Debug, Clone)]
pub(super) enum Dead {
    Io(Arc<io::Error>),
    Read(ReadError),
    Panicked,
}

impl From<Dead> for CommitError {
    fn from(dead: Dead) -> Self {
        match dead {
            Dead::Io(source) => CommitError::Dead { source },
            Dead::Read(error) => CommitError::Read(error),
            Dead::Panicked => CommitError::Panicked,
        }
    }
}

/// What writers and readers of a forest share.
pub(super) struct Publisher {
    storage: Arc<dyn Storage>,
    /// Log entries that are written by whoever syncs next, if commits hand theirs over.
    group: Option<Arc<LogGroup>>,
    current: ArcSwap<ForestVersion>,
    waiting: Mutex<Waiting>,
    synced_op: AtomicU64,
    /// Writers that wait for the writer's lock or have a scope open.
    arriving: AtomicU64,
    /// Ops that the last sync brought to the disk, and those that were appended meanwhile: the next one
    /// may be shared by as many, if their writers go on.
    expected: AtomicU64,
    /// Taken while one thread syncs for all.
    turn: Turn,
    dead: OnceLock<Dead>,
}

/// Versions that are not published yet.
#[derive(Default)]
struct Waiting {
    /// Appended, not yet on disk; ascending.
    versions: VecDeque<Arc<ForestVersion>>,
    /// Up to this op the sync reaches that is under way, or the last one did.
    target: u64,
}

impl Waiting {
    /// 0 if there is none.
    fn newest_op(&self) -> u64 {
        self.versions.back().map_or(0, |version| version.op())
    }

    /// Takes those up to `op` off the queue: the newest is to be published, the others are not needed.
    fn take(&mut self, op: u64) -> Vec<Arc<ForestVersion>> {
        let count = self.versions.iter().take_while(|version| version.op() <= op).count();
        self.versions.drain(..count).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks protect is whole at each moment: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Publisher {
    /// The state after recovery, of which everything up to `synced_op` is known to be on disk.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        group: Option<Arc<LogGroup>>,
        version: ForestVersion,
        synced_op: u64,
    ) -> Self {
        Publisher {
            storage,
            group,
            synced_op: AtomicU64::new(synced_op),
            current: ArcSwap::from_pointee(version),
            waiting: Mutex::default(),
            arriving: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            turn: Turn::default(),
            dead: OnceLock::new(),
        }
    }

    pub(super) fn current(&self) -> Arc<ForestVersion> {
        self.current.load_full()
    }

    pub(super) fn synced_op(&self) -> u64 {
        self.synced_op.load(Ordering::Acquire)
    }

    /// The first failure counts; returns it.
    pub(super) fn kill(&self, dead: Dead) -> CommitError {
        if defect!(FailureForgotten) {
            return dead.into();
        }
        self.dead.get_or_init(|| dead).clone().into()
    }

    pub(super) fn check(&self) -> Result<(), CommitError> {
        self.dead.get().map_or(Ok(()), |dead| Err(dead.clone().into()))
    }

    /// Takes a version over whose log entry was appended, under the writer's lock. If the one before is
    /// no target of a sync yet, it will never be published, and is returned: to drop it takes a while.
    pub(super) fn appended(&self, version: ForestVersion) -> Option<Arc<ForestVersion>> {
        let version = Arc::new(version);
        let mut waiting = lock(&self.waiting);
        let target = waiting.target;
        match waiting.versions.back_mut() {
            Some(newest) if newest.op() > target => Some(std::mem::replace(newest, version)),
            _ => {
                waiting.versions.push_back(version);
                None
            }
        }
    }

    /// Publishes everything that was appended without waiting for the disk.
    pub(super) fn publish_unsynced(&self) {
        drop(self.publish(u64::MAX));
    }

    /// Returns when `op` is on disk and published: whether this thread synced it.
    pub(super) fn sync_to(&self, op: u64) -> Result<bool, CommitError> {
        let synced_op = || self.synced_op();
        if synced_op() >= op {
            return Ok(false);
        }
        let Some(turn) = self.turn.take(op, &synced_op) else { return Ok(false) };
        self.check()?;
        self.gather();
        // Everything in the queue was appended before this sync begins.
        let newest = || {
            let mut waiting = lock(&self.waiting);
            waiting.target = waiting.newest_op().max(op);
            waiting.target
        };
        let mut target = newest();
        if defect!(PublishedBeforeSync) {
            drop(self.publish(target));
        }
        // So its entry is written, or in the group.
        self.write_group().map_err(|error| self.kill(Dead::Io(Arc::new(error))))?;
        if !defect!(CommitNotSynced) {
            let synced = self.storage.sync();
            if !defect!(SyncErrorIgnored) {
                synced.map_err(|error| self.kill(Dead::Io(Arc::new(error))))?;
            }
        }
        if defect!(SyncTargetTooLate) {
            target = newest();
        }
        let expected = lock(&self.waiting).newest_op().saturating_sub(self.synced_op());
        self.expected.store(expected, Ordering::Relaxed);
        let superseded = self.publish_synced(target);
        drop(turn);
        // Others go on by now.
        drop(superseded);
        Ok(true)
    }

    /// Notes that a writer is on its way to the log, until what is returned is dropped.
    pub(super) fn arrive(&self) -> Arrival<'_> {
        self.arriving.fetch_add(1, Ordering::Relaxed);
        Arrival(&self.arriving)
    }

    /// Lets others go first whose ops can share the sync that comes: they were woken by the last one a
    /// moment ago. Gives up soon if nobody appends: they may do other things by now, or a scope takes long.
    fn gather(&self) {
        let expected = self.expected.load(Ordering::Relaxed);
        let synced_op = self.synced_op();
        let appended = || lock(&self.waiting).newest_op().saturating_sub(synced_op);
        let mut count = appended();
        let mut patience = PATIENCE;
        while count < expected && patience > 0 {
            if self.arriving.load(Ordering::Relaxed) > 0 {
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
            }
            thread::yield_now();
            let now = appended();
            patience = if now > count { PATIENCE } else { patience - 1 };
            count = now;
        }
    }

    /// Whether anything that was appended is not on disk yet.
    pub(super) fn is_waiting(&self) -> bool {
        !lock(&self.waiting).versions.is_empty()
    }

    /// Runs what syncs the storage for other reasons than one commit. Its failure is final.
    pub(super) fn exclusively<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, CommitError> {
        let synced_op = || self.synced_op();
        let _turn = self.turn.take(u64::MAX, &synced_op);
        self.check()?;
        self.write_group()
            .and_then(|()| work())
            .map_err(|error| self.kill(Dead::Io(Arc::new(error))))
    }

    fn write_group(&self) -> io::Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| group.write(&*self.storage))
    }

    /// Notes that everything up to `op` is on disk, and publishes it.
    pub(super) fn synced(&self, op: u64) {
        drop(self.publish_synced(op));
    }

    fn publish_synced(&self, op: u64) -> Vec<Arc<ForestVersion>> {
        if defect!(SyncedBeforePublished) {
            self.synced_op.fetch_max(op, Ordering::AcqRel);
        }
        // In this order: whoever sees its op synced finds it in the next snapshot.
        let superseded = self.publish(op);
        self.synced_op.fetch_max(op, Ordering::AcqRel);
        superseded
    }

    /// Publishes a version of an op that is published already: the same objects in other tables.
    pub(super) fn republish(&self, version: ForestVersion) {
        let mut waiting = lock(&self.waiting);
        assert!(waiting.versions.is_empty(), "everything is on disk at a checkpoint");
        waiting.versions.clear();
        self.current.store(Arc::new(version));
    }

    /// Publishes the newest version up to `op`, and returns those that it supersedes.
    fn publish(&self, op: u64) -> Vec<Arc<ForestVersion>> {
        // The lock is held while storing: versions are published in ascending order.
        let mut waiting = lock(&self.waiting);
        let mut taken = waiting.take(op);
        if let Some(newest) = taken.pop() {
            taken.push(self.current.swap(newest));
        }
        taken
    }
}

/// A writer on its way to the log.
pub(super) struct Arrival<'a>(&'a AtomicU64);

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    fn version(op: u64) -> ForestVersion {
        ForestVersion::new(op, Vec::new(), Vec::new())
    }

    /// The op was noted as synced before it was published: a writer that saw its op synced by
    /// another's sync returned, and its next snapshot did not have the op. Now it is published first.
    #[test]
    fn what_is_noted_as_synced_is_published_already() {
        const OPS: u64 = 200_000;
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, version(0), 0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                loop {
                    let synced_op = publisher.synced_op();
                    let published_op = publisher.current().op();
                    assert!(published_op >= synced_op, "{published_op} is behind {synced_op}");
                    if synced_op == OPS {
                        break;
                    }
                }
            });
            for op in 1..=OPS {
                publisher.appended(version(op));
                publisher.synced(op);
            }
        });
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_reported() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, version(0), 0);
        publisher.check().unwrap();
        publisher.kill(Dead::Io(Arc::new(io::Error::other("the first"))));
        publisher.kill(Dead::Panicked);
        let refused = publisher.exclusively(|| Ok(())).unwrap_err();
        assert!(
            matches!(refused, CommitError::Dead { source } if source.to_string() == "the first")
        );
    }
}
