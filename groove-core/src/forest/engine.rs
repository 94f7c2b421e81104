//! The writer: one commit after the other.

use std::io;
use std::sync::Arc;

use crate::constants::GROOVES_MAX;
use crate::error::CommitError;
use crate::grid::{Extent, FreeSet, Grid};
use crate::groove::{AnyGroove, GrooveVisitor};
use crate::manifest::ManifestLog;
use crate::storage::Storage;
use crate::superblock::{Superblock, WalPosition};
use crate::tree::{AnyTree, TableHandle};
use crate::wal::{self, AppendError, WalWriter};

use super::bar::{Bar, EntrySize, PACKED_WEIGHT};
use super::committer::Committer;
use super::compactor::Compactor;
use super::grooves::Grooves;
use super::publish::{Dead, Publisher};
use super::syncer::Syncer;
use super::timestamps::Timestamps;
use super::version::VersionParts;

/// Everything that only the holder of the writer's lock may touch.
pub(super) struct Writer<S: Grooves> {
    pub(super) grooves: S::Write,
    pub(super) engine: Engine,
}

/// A commit that was appended.
pub(super) struct Committed {
    pub(super) op: u64,
    /// What no version will be made of; to be dropped when the writer's lock is released.
    pub(super) superseded: Option<Arc<VersionParts>>,
}

/// The writer's state beside the grooves.
pub(super) struct Engine {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) grid: Arc<Grid>,
    pub(super) publisher: Arc<Publisher>,
    /// The newest durable superblock.
    pub(super) superblock: Superblock,
    pub(super) wal: WalWriter,
    pub(super) manifest: ManifestLog,
    pub(super) free_set: FreeSet,
    /// What compactions did not need of their extents; free after the next checkpoint, so that the
    /// manifest log goes where space is reserved for it.
    pub(super) unused: Vec<Extent>,
    /// What became free and may not have been given back to the device yet.
    pub(super) freed: Vec<Extent>,
    pub(super) committer: Committer,
    pub(super) compactor: Compactor,
    /// With threads, if scopes are to be durable at once.
    pub(super) syncer: Option<Syncer>,
    pub(super) bar: Bar,
    /// Tables that no level refers to; free once the checkpoint that says so is durable and no
    /// reader holds them.
    pub(super) retired: Vec<TableHandle>,
    pub(super) timestamps: Arc<Timestamps>,
    /// The newest committed op.
    pub(super) op: u64,
    /// The highest timestamp as of that op.
    pub(super) timestamp_max: u64,
    /// The log's newest entries may be in the system's cache only; see `recover`. A checkpoint comes
    /// before the next commit.
    pub(super) is_doubtful: bool,
}

/// A groove's part of a log entry: its number, the length of its changes, and what they count in a bar,
/// before the changes.
pub(super) const SECTION_HEADER_SIZE: usize = 12;

fn section_header(groove: usize, length: usize, weight: usize) -> [u8; SECTION_HEADER_SIZE] {
    assert!(length <= weight, "packed changes are not longer");
    // Of changes that fill a bar alone it makes no difference how many they are.
    let weight = weight.min(u32::MAX as usize);
    let mut header = [0; SECTION_HEADER_SIZE];
    for (bytes, number) in header.as_chunks_mut::<4>().0.iter_mut().zip([groove, length, weight]) {
        *bytes = u32::try_from(number).expect("a log entry is below 4 GiB").to_le_bytes();
    }
    header
}

impl<S: Grooves> Writer<S> {
    /// Shows each groove, in declaration order.
    pub(super) fn visit_grooves(&mut self, visit: &mut dyn FnMut(&mut dyn AnyGroove)) {
        visit_grooves::<S>(&mut self.grooves, visit);
    }

    /// Commits the open scope: appends it to the log and makes it part of the trees. `None` if the
    /// scope changed nothing. Durable and visible after [`Publisher::sync_to`].
    ///
    /// After an error nothing is changed, and the caller discards the scope: what its trees were to change may
    /// be gone already.
    pub(super) fn commit(&mut self) -> Result<Option<Committed>, CommitError> {
        self.engine.publisher.check()?;
        if self.engine.is_doubtful {
            self.checkpoint()?;
        }
        let mut lengths = [0; GROOVES_MAX];
        let mut weight = 0;
        let mut at = 0;
        let mut torn = false;
        self.visit_grooves(&mut |groove| {
            lengths[at] = groove.changes_length();
            weight += groove.changes_weight();
            torn |= groove.is_torn();
            at += 1;
        });
        if torn {
            return Err(CommitError::Panicked);
        }
        let sections = lengths.iter().filter(|length| **length > 0).count();
        if sections == 0 {
            return Ok(None);
        }
        let bytes = lengths.iter().sum::<usize>() + sections * SECTION_HEADER_SIZE;
        // What a scope takes plainly is bounded for the memory tables' sake; see `bar`.
        let packed_max = self.engine.wal.body_length_max().min(u64::from(u32::MAX));
        let plain_max = (packed_max * PACKED_WEIGHT / 2).min(u64::from(u32::MAX));
        let fits = |bytes: usize, bytes_max: u64| match bytes as u64 {
            bytes if bytes > bytes_max => Err(CommitError::ScopeTooLarge { bytes, bytes_max }),
            _ => Ok(()),
        };
        fits(bytes, plain_max)?;
        let body = self.body(&lengths, bytes);
        fits(body.len(), packed_max)?;
        let entry = EntrySize::new(body.len(), weight + sections * SECTION_HEADER_SIZE);
        if self.engine.bar.has_room(entry) {
            self.end_stages(entry)?;
        } else {
            self.end_bar()?;
        }
        // Two bars fit the log, but for a slot that the first has in common with what was released, and for what a
        // forged file says.
        if u64::from(self.engine.wal.free_slots()) < entry.slots {
            self.checkpoint()?;
        }
        self.engine.keep_pace(entry);
        self.visit_grooves(&mut |groove| groove.forget_changed());
        let is_large = self.is_large();
        let is_begun = is_large && self.begin_trees();
        let WalPosition { op, slot, .. } = match self.engine.append(&body) {
            Ok(position) => position,
            Err(error) => {
                // With the changes that were taken out of the trees.
                drop(self.engine.committer.finish());
                return Err(error);
            }
        };
        if let Some(syncer) = &self.engine.syncer {
            syncer.order(op, body.len());
        }
        self.engine.bar.add(entry, slot);
        self.engine.op = op;
        self.engine.timestamp_max = self.engine.timestamps.highest();
        let is_short = !is_large && wal::is_short(body.len());
        self.visit_grooves(&mut |groove| groove.commit());
        self.end_trees(is_begun, is_short);
        let parts = self.version_parts();
        let superseded = self.engine.publisher.appended(parts);
        Ok(Some(Committed { op, superseded }))
    }

    /// Whether the open scope changed so much that threads are of use.
    fn is_large(&mut self) -> bool {
        let mut length = 0;
        self.visit_trees(&mut |tree| length += tree.change_count());
        Committer::is_large(length)
    }

    /// Gives the open scope's changes to other threads, if there are any: whether there are. The log is written
    /// meanwhile.
    fn begin_trees(&mut self) -> bool {
        if !self.engine.committer.has_threads() {
            return false;
        }
        let mut changes = Vec::new();
        self.visit_trees(&mut |tree| changes.push(tree.begin_commit()));
        self.engine.committer.begin(changes);
        true
    }

    /// Makes the open scope's changes part of the trees.
    fn end_trees(&mut self, is_begun: bool, is_short: bool) {
        if !is_begun {
            return self.visit_trees(&mut |tree| tree.commit(is_short));
        }
        let mut committed = self.engine.committer.finish().into_iter();
        self.visit_trees(&mut |tree| tree.end_commit(committed.next().expect("one per tree")));
    }

    /// The body of the open scope's log entry, of grooves whose changes have these lengths before they are
    /// packed, and `bytes` together.
    fn body(&mut self, lengths: &[usize], bytes: usize) -> Vec<u8> {
        let mut body = Vec::with_capacity(bytes);
        let mut at = 0;
        visit_grooves::<S>(&mut self.grooves, &mut |groove| {
            if lengths[at] > 0 && !(defect!(SectionForgotten) && at == 1) {
                let header = body.len();
                body.resize(header + SECTION_HEADER_SIZE, 0);
                groove.pack_changes(&mut body);
                let length = body.len() - header - SECTION_HEADER_SIZE;
                body[header..header + SECTION_HEADER_SIZE].copy_from_slice(&section_header(
                    at,
                    length,
                    groove.changes_weight(),
                ));
            }
            at += 1;
        });
        body
    }

    /// What readers are to see of the newest committed op.
    pub(super) fn version_parts(&mut self) -> VersionParts {
        let tree_count = S::GROOVES.iter().map(|groove| 1 + groove.schema.indexes.len()).sum();
        let mut trees = Vec::with_capacity(tree_count);
        let mut counts = Vec::with_capacity(S::GROOVES.len());
        visit_grooves::<S>(&mut self.grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| trees.push(tree.parts()));
            counts.push(groove.committed_count());
        });
        VersionParts::new(self.engine.op, trees, counts)
    }

    /// Whether every groove is where the forest made it: code within a scope can swap two of a type.
    pub(super) fn is_in_place(&mut self) -> bool {
        let grid = self.engine.grid.clone();
        let mut ordinal = 0;
        let mut in_place = true;
        self.visit_grooves(&mut |groove| {
            in_place &= groove.is_made_as(ordinal, &grid);
            ordinal += 1;
        });
        in_place
    }

    /// Shows each tree of each groove, in declaration order.
    pub(super) fn visit_trees(&mut self, visit: &mut dyn FnMut(&mut dyn AnyTree)) {
        visit_grooves::<S>(&mut self.grooves, &mut |groove| groove.visit_trees(visit));
    }
}

pub(super) fn visit_grooves<S: Grooves>(
    grooves: &mut S::Write,
    visit: &mut dyn FnMut(&mut dyn AnyGroove),
) {
    S::visit(grooves, &mut GrooveVisitor::new(visit));
}

impl Engine {
    /// Why space could not be reserved: the disk is full, and nothing else is wrong, or it failed.
    pub(super) fn no_space(&self, source: io::Error) -> CommitError {
        let source = Arc::new(source);
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => CommitError::NoSpace { source },
            _ => self.publisher.kill(Dead::Io(source)),
        }
    }

    /// Appends the entry of the next op to the log.
    fn append(&mut self, body: &[u8]) -> Result<WalPosition, CommitError> {
        let op = self.op + 1;
        // What is synced by another writer's sync in this moment may be noted an entry later.
        let mut synced_op = self.publisher.synced_op().min(self.op);
        if defect!(SyncedOpAhead) {
            synced_op = self.op;
        }
        match self.wal.append(&*self.storage, op, synced_op, &[body]) {
            Ok(position) => {
                if defect!(MarkBeforeSync) {
                    let _ = self.wal.write_mark(&*self.storage, op);
                }
                Ok(position)
            }
            Err(AppendError::TooLarge { bytes, bytes_max }) => {
                Err(CommitError::ScopeTooLarge { bytes, bytes_max })
            }
            Err(AppendError::Reserve(source)) => Err(self.no_space(source)),
            Err(AppendError::Write(source)) => Err(self.publisher.kill(Dead::Io(Arc::new(source)))),
            Err(AppendError::Full { needed, free }) => {
                panic!("a bar has half the log, but {needed} slots are needed and {free} are free")
            }
        }
    }

    /// Pays a commit's share of the running compactions.
    fn keep_pace(&self, entry: EntrySize) {
        let (used, due) = self.bar.progress(entry);
        self.compactor.keep_pace(used, due);
    }
}
