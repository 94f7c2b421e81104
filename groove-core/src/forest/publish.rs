//! Makes commits durable and visible, in this order.
//!
//! A commit is appended to the log under the writer's lock and handed over here. Whoever needs it on
//! disk takes the turn: the first writes the entries that wait in the group ([`LogGroup`]) and syncs for
//! all that were appended by then, the others sleep until it has (group commit; see [`super::turn`]). Of a
//! large entry a thread has begun with that already ([`super::syncer`]). With `Durability::Sync` a version
//! is published only when its op is on disk, so no reader sees what a crash could take back.
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
use super::version::{ForestVersion, VersionParts};

/// How often a thread that is to sync lets others go first without one that appends, when all that were woken
/// run; and how often at most.
const PATIENCE: u32 = 8;
const ROUNDS: u32 = 1000;
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
    /// Log entries that are written by whoever syncs next, at the latest, if commits hand theirs over.
    group: Option<Arc<LogGroup>>,
    current: ArcSwap<ForestVersion>,
    waiting: Mutex<Waiting>,
    /// What is on disk, published or not.
    on_disk: AtomicU64,
    /// What is on disk and published.
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
    /// Appended, not published yet; ascending. Of those that are on disk together the newest is here.
    versions: VecDeque<Arc<VersionParts>>,
    /// Up to this op the sync reaches that is under way, or the last one did. Its version is here or
    /// published, unless it is still being made: so whoever waits for an op up to here finds a version
    /// that has it.
    target: u64,
}

impl Waiting {
    /// 0 if there is none.
    fn newest_op(&self) -> u64 {
        self.versions.back().map_or(0, |version| version.op())
    }

    fn newest_until(&self, op: u64) -> Option<Arc<VersionParts>> {
        self.versions.iter().take_while(|version| version.op() <= op).last().cloned()
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
            on_disk: AtomicU64::new(synced_op),
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

    /// Takes a version over whose log entry was appended, under the writer's lock. If the one before is no
    /// target of a sync yet it will never be published, and is returned: to drop it takes a while.
    pub(super) fn appended(&self, version: VersionParts) -> Option<Arc<VersionParts>> {
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
        // Whoever waits for the op is told of an error.
        let _ = self.sync_in_turn(op);
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
        let Some(turn) = self.turn.take(op, &on_disk) else {
            // Who synced publishes it as well, unless that was ahead of its version.
            return Ok(self.synced_op() < op && self.synced(self.on_disk()).is_new());
        };
        self.gather();
        let target = self.sync_in_turn(op)?;
        let expected = lock(&self.waiting).newest_op().saturating_sub(self.synced_op());
        self.expected.store(expected, Ordering::Relaxed);
        let published = self.synced(target);
        drop(turn);
        // Others go on by now, while what they do not see any more is dropped.
        Ok(published.is_new())
    }

    /// Brings everything that was appended to the disk, `op` at least, in whose turn this is: up to which
    /// op. Publishes nothing.
    fn sync_in_turn(&self, op: u64) -> Result<u64, CommitError> {
        self.check()?;
        // Everything in the queue was appended before: its entry is written, or in the group.
        let newest = || {
            let mut waiting = lock(&self.waiting);
            waiting.target = waiting.target.max(waiting.newest_op()).max(op);
            waiting.target
        };
        let mut target = newest();
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
        self.on_disk.fetch_max(target, Ordering::AcqRel);
        Ok(target)
    }

    fn write_group(&self) -> io::Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| group.write(&*self.storage))
    }

    /// Notes that a writer is on its way to the log, until what is returned is dropped.
    pub(super) fn arrive(&self) -> Arrival<'_> {
        self.arriving.fetch_add(1, Ordering::Relaxed);
        Arrival(&self.arriving)
    }

    /// Lets others go first whose ops can share the sync that comes: they were woken by the last one a
    /// moment ago. Until all of these run that takes a while, since one thread wakes them one by one. Then it
    /// gives up soon if nobody appends: they may do other things by now, or a scope takes long.
    fn gather(&self) {
        let expected = self.expected.load(Ordering::Relaxed);
        let synced_op = self.synced_op();
        let appended = || lock(&self.waiting).newest_op().saturating_sub(synced_op);
        let mut count = appended();
        let mut patience = PATIENCE;
        for _ in 0..ROUNDS {
            if count >= expected || patience == 0 {
                break;
            }
            let waking = self.turn.waking();
            if waking + self.arriving.load(Ordering::Relaxed) > 0 {
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
            }
            thread::yield_now();
            let now = appended();
            patience = if waking > 0 || now > count { PATIENCE } else { patience - 1 };
            count = now;
        }
    }

    /// Whether anything that was appended is not on disk yet.
    pub(super) fn is_waiting(&self) -> bool {
        !lock(&self.waiting).versions.is_empty()
    }

    /// Runs what syncs the storage for other reasons than one commit. What waits to be written is written
    /// before. A failure is final.
    pub(super) fn exclusively<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, CommitError> {
        let on_disk = || self.on_disk();
        let _turn = self.turn.take(u64::MAX, &on_disk);
        self.check()?;
        let worked = self.write_group().and_then(|()| work());
        worked.map_err(|error| self.kill(Dead::Io(Arc::new(error))))
    }

    /// Notes that everything up to `op` is on disk, and publishes it, as far as there are versions: that of an op
    /// that was synced ahead may still be made.
    pub(super) fn synced(&self, op: u64) -> Superseded {
        if defect!(SyncedBeforePublished) {
            self.synced_op.fetch_max(op, Ordering::AcqRel);
        }
        self.on_disk.fetch_max(op, Ordering::AcqRel);
        // In this order: whoever sees its op synced finds it in the next snapshot.
        let (published_op, superseded) = self.publish(op);
        let synced_op = if defect!(SyncedBeforeVersion) { op } else { op.min(published_op) };
        self.synced_op.fetch_max(synced_op, Ordering::AcqRel);
        superseded
    }

    /// Publishes a version of an op that is published already: the same objects in other tables.
    pub(super) fn republish(&self, version: Arc<ForestVersion>) {
        let mut waiting = lock(&self.waiting);
        assert!(waiting.versions.is_empty(), "everything is on disk at a checkpoint");
        waiting.versions.clear();
        self.current.store(version);
    }

    /// Publishes the newest version up to `op`; gives the op that readers see, too.
    fn publish(&self, op: u64) -> (u64, Superseded) {
        // Made before the lock is taken, which writers want.
        let newest = lock(&self.waiting).newest_until(op);
        newest.inspect(|parts| drop(parts.version()));
        // The lock is held while storing: versions are published in ascending order.
        let mut waiting = lock(&self.waiting);
        let count = waiting.versions.iter().take_while(|version| version.op() <= op).count();
        let mut parts: Vec<_> = waiting.versions.drain(..count).collect();
        match parts.pop() {
            Some(newest) => {
                let version = Some(self.current.swap(newest.version()));
                (newest.op(), Superseded { version, _parts: parts })
            }
            None => (self.current().op(), Superseded { version: None, _parts: parts }),
        }
    }
}

/// Versions that another one took the place of. To drop them takes a while, if nobody else holds them.
pub(super) struct Superseded {
    version: Option<Arc<ForestVersion>>,
    _parts: Vec<Arc<VersionParts>>,
}

impl Superseded {
    /// Whether something was published.
    pub(super) fn is_new(&self) -> bool {
        self.version.is_some()
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

    fn version(op: u64) -> VersionParts {
        VersionParts::new(op, Vec::new(), Vec::new())
    }

    fn first_version() -> ForestVersion {
        ForestVersion::new(0, Vec::new(), Vec::new())
    }

    /// The op was noted as synced before it was published: a writer that saw its op synced by
    /// another's sync returned, and its next snapshot did not have the op. Now it is published first.
    #[test]
    fn what_is_noted_as_synced_is_published_already() {
        const OPS: u64 = 200_000;
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, first_version(), 0);
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
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, first_version(), 0);
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

    /// A sync ahead of an entry reached its op alone. By then the version of that op may have been dropped
    /// for that of a later one, which was not on disk: the op was acknowledged, and the next snapshot did
    /// not have it. Now a sync reaches everything that was appended before it.
    #[test]
    fn what_was_synced_ahead_has_a_version_though_later_ops_were_appended() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, first_version(), 0);
        publisher.appended(version(1));
        assert_eq!(publisher.appended(version(2)).map(|version| version.op()), Some(1));
        publisher.sync_ahead(1);
        assert!(publisher.appended(version(3)).is_none(), "op 2 is on disk");
        assert!(publisher.sync_to(1).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (2, 2));
        assert!(!publisher.sync_to(2).unwrap() && publisher.sync_to(3).unwrap());
    }

    /// Who published an earlier op noted all as published that was on disk, and so a later one, too, whose entry was
    /// synced ahead and whose version was still being made: its writer found nothing left to do, and the next
    /// snapshot did not have its op. Now no op is noted before its version is published. Found by the scheduler
    /// of G16, when a commit got places to be interrupted between its entry and its version.
    #[test]
    fn what_was_synced_ahead_is_not_noted_as_published_by_who_publishes_an_earlier_op() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, first_version(), 0);
        publisher.appended(version(1));
        publisher.sync_ahead(2);
        assert!(publisher.sync_to(1).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (1, 1));
        publisher.appended(version(2));
        assert!(publisher.sync_to(2).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (2, 2));
        // The same if the turn was taken for the earlier op.
        publisher.appended(version(3));
        lock(&publisher.waiting).target = 4;
        assert!(publisher.sync_to(3).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (3, 3));
        publisher.appended(version(4));
        assert!(publisher.sync_to(4).unwrap());
        assert_eq!((publisher.synced_op(), publisher.current().op()), (4, 4));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_reported() {
        let publisher = Publisher::new(Arc::new(MemoryStorage::new()), None, first_version(), 0);
        publisher.check().unwrap();
        publisher.kill(Dead::Io(Arc::new(io::Error::other("the first"))));
        publisher.kill(Dead::Panicked);
        let refused = publisher.exclusively(|| Ok(())).unwrap_err();
        assert!(
            matches!(refused, CommitError::Dead { source } if source.to_string() == "the first")
        );
    }
}
