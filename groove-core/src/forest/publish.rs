//! Makes commits durable and visible, in this order.
//!
//! A commit is appended to the log under the writer's lock and handed over here. Whoever needs it on
//! disk takes the turn: the first syncs for all that were appended by then, the others sleep until
//! it has (group commit; see [`super::turn`]). Of a large entry a thread has begun with that already
//! ([`super::syncer`]). With `Durability::Sync` a version is published only
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
use crate::sync::{ArcSwap, AtomicU64, Mutex, MutexGuard, Ordering};

use super::turn::Turn;
use super::version::ForestVersion;

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
    current: ArcSwap<ForestVersion>,
    /// Appended, not yet on disk; ascending.
    waiting: Mutex<VecDeque<Arc<ForestVersion>>>,
    /// What is on disk, published or not.
    on_disk: AtomicU64,
    /// What is on disk and published.
    synced_op: AtomicU64,
    /// Taken while one thread syncs for all.
    turn: Turn,
    dead: OnceLock<Dead>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks protect is whole at each moment: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Publisher {
    /// The state after recovery, of which everything up to `synced_op` is known to be on disk.
    pub(super) fn new(storage: Arc<dyn Storage>, version: ForestVersion, synced_op: u64) -> Self {
        Publisher {
            storage,
            on_disk: AtomicU64::new(synced_op),
            synced_op: AtomicU64::new(synced_op),
            current: ArcSwap::from_pointee(version),
            waiting: Mutex::new(VecDeque::new()),
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

    /// Takes a version over whose log entry was appended, under the writer's lock.
    pub(super) fn appended(&self, version: ForestVersion) {
        lock(&self.waiting).push_back(Arc::new(version));
    }

    /// Publishes everything that was appended without waiting for the disk.
    pub(super) fn publish_unsynced(&self) {
        self.publish(u64::MAX);
    }

    fn on_disk(&self) -> u64 {
        self.on_disk.load(Ordering::Acquire)
    }

    /// Syncs the entry of `op`, which was appended, without publishing it. A failure is noted for
    /// whoever waits for the op.
    pub(super) fn sync_ahead(&self, op: u64) {
        let on_disk = || self.on_disk();
        let Some(_turn) = self.turn.take(op, &on_disk) else { return };
        if self.check().is_err() {
            return;
        }
        let synced = if defect!(CommitNotSynced) { Ok(()) } else { self.storage.sync() };
        match synced {
            Err(error) if !defect!(SyncErrorIgnored) => {
                self.kill(Dead::Io(Arc::new(error)));
            }
            _ => {
                self.on_disk.fetch_max(op, Ordering::AcqRel);
            }
        }
    }

    /// Returns when `op` is on disk and published: whether this thread did the latter.
    pub(super) fn sync_to(&self, op: u64) -> Result<bool, CommitError> {
        if self.synced_op() >= op {
            return Ok(false);
        }
        if defect!(PublishedBeforeSync) {
            self.publish(op);
        }
        let on_disk = || self.on_disk();
        let Some(_turn) = self.turn.take(op, &on_disk) else { return Ok(self.synced(op)) };
        self.check()?;
        // Everything in the queue was appended before this sync begins.
        let newest = || lock(&self.waiting).back().map_or(op, |version| version.op().max(op));
        let mut target = newest();
        if !defect!(CommitNotSynced) {
            let synced = self.storage.sync();
            if !defect!(SyncErrorIgnored) {
                synced.map_err(|error| self.kill(Dead::Io(Arc::new(error))))?;
            }
        }
        if defect!(SyncTargetTooLate) {
            target = newest();
        }
        Ok(self.synced(target))
    }

    /// Whether anything that was appended is not on disk yet.
    pub(super) fn is_waiting(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// Runs what syncs the storage for other reasons than one commit. Its failure is final.
    pub(super) fn exclusively<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, CommitError> {
        let on_disk = || self.on_disk();
        let _turn = self.turn.take(u64::MAX, &on_disk);
        self.check()?;
        work().map_err(|error| self.kill(Dead::Io(Arc::new(error))))
    }

    /// Notes that everything up to `op` is on disk, and publishes it; whether there was something to
    /// publish.
    pub(super) fn synced(&self, op: u64) -> bool {
        if defect!(SyncedBeforePublished) {
            self.synced_op.fetch_max(op, Ordering::AcqRel);
        }
        self.on_disk.fetch_max(op, Ordering::AcqRel);
        // In this order: whoever sees its op synced finds it in the next snapshot.
        let is_new = self.publish(op);
        self.synced_op.fetch_max(op, Ordering::AcqRel);
        is_new
    }

    /// Publishes a version of an op that is published already: the same objects in other tables.
    pub(super) fn republish(&self, version: ForestVersion) {
        let mut waiting = lock(&self.waiting);
        assert!(waiting.is_empty(), "everything is on disk at a checkpoint");
        waiting.clear();
        self.current.store(Arc::new(version));
    }

    fn publish(&self, op: u64) -> bool {
        // The lock is held while storing: versions are published in ascending order.
        let mut waiting = lock(&self.waiting);
        let mut newest = None;
        while waiting.front().is_some_and(|version| version.op() <= op) {
            newest = waiting.pop_front();
        }
        let is_new = newest.is_some();
        if let Some(newest) = newest {
            self.current.store(newest);
        }
        is_new
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
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), version(0), 0);
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
    fn what_was_synced_ahead_is_published_by_the_first_that_waits_for_it() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), version(0), 0);
        publisher.sync_ahead(1);
        assert_eq!((publisher.synced_op(), publisher.current().op()), (0, 0));
        publisher.appended(version(1));
        publisher.appended(version(2));
        assert!(publisher.sync_to(1).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (1, 1));
        assert!(!publisher.sync_to(1).unwrap());
        assert!(publisher.sync_to(2).unwrap());
        publisher.sync_ahead(2);
        assert_eq!((publisher.synced_op(), publisher.current().op()), (2, 2));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_reported() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), version(0), 0);
        publisher.check().unwrap();
        publisher.kill(Dead::Io(Arc::new(io::Error::other("the first"))));
        publisher.kill(Dead::Panicked);
        let refused = publisher.exclusively(|| Ok(())).unwrap_err();
        assert!(
            matches!(refused, CommitError::Dead { source } if source.to_string() == "the first")
        );
    }
}
