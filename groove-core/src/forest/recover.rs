//! Brings a forest from its last checkpoint to its last op.
//!
//! 1. The log is replayed into memory tables, with a seal where the writer sealed. Nothing is
//!    written: if the log turns out to be damaged, the file is as it was.
//! 2. The superblock gets the next epoch, before anything else is written: from here on the log can
//!    be continued, and what recovery cut off never follows it.
//! 3. The compactions that were under way start again. If the log ends with entries of which nothing
//!    says that they were on disk, a checkpoint makes them so: after a failed sync of an earlier
//!    process they may be in the system's cache only, where no later sync picks them up, and writing
//!    them again in place could tear the only copy.

use std::path::Path;
use std::sync::Arc;

use crate::error::{CommitError, OpenError};
use crate::storage::Storage;
use crate::superblock::WalPosition;
use crate::wal::{self, Recovered, WalWriter, Written};

use super::bar::{Bar, EntrySize};
use super::committer::Committer;
use super::compactor::Compactor;
use super::engine::{Engine, SECTION_HEADER_SIZE, Writer, visit_grooves};
use super::grooves::Grooves;
use super::handle::Forest;
use super::open::{Checked, commit_error, invalid_entry, io_error, read_error};
use super::options::{Durability, Options};
use super::publish::Publisher;
use super::syncer::Syncer;
use super::version::ForestVersion;

/// Replays the log after the checkpoint, and opens the forest for writing.
pub(super) fn recover<S: Grooves>(
    path: &Path,
    checked: Checked<S>,
    options: &Options,
) -> Result<Forest<S>, OpenError> {
    let (replayed, recovered) = replay(path, checked, options.compaction_threads)?;
    let Replayed { checked, bar, committer, op, .. } = replayed;
    let Checked { grid, superblock, manifest, free_set, grooves, timestamps } = checked;
    let storage: Arc<dyn Storage> = grid.storage().clone();

    let is_doubtful =
        recovered.last().op > recovered.synced_op() && !defect!(DoubtfulEntriesTrusted);
    let mut superblock = superblock.successor();
    superblock.epoch += 1;
    if !defect!(EpochNotWritten) {
        superblock.write(&*storage).map_err(|error| io_error(path, error))?;
    }

    let synced_op = recovered.synced_op().min(op);
    let version = ForestVersion::new(op, Vec::new(), Vec::new());
    let mut wal = WalWriter::resume(&superblock, recovered);
    let is_synced = options.durability == Durability::Sync;
    // What nobody waits for the disk for is written by the commit itself.
    let group = wal.begin_groups(if is_synced { Written::BySync } else { Written::AtOnce });
    let publisher = Arc::new(Publisher::new(storage.clone(), Some(group), version, synced_op));
    let is_ahead = is_synced && options.compaction_threads > 0;
    let engine = Engine {
        wal,
        unused: Vec::new(),
        freed: Vec::new(),
        storage,
        grid,
        publisher: publisher.clone(),
        superblock,
        manifest,
        free_set,
        committer,
        compactor: Compactor::new(options.compaction_threads),
        syncer: is_ahead.then(|| Syncer::new(&publisher)),
        bar,
        retired: Vec::new(),
        timestamp_max: timestamps.highest(),
        timestamps,
        op,
        is_doubtful,
    };
    let mut writer = Writer::<S> { grooves, engine };
    let version = writer.version_parts().version();
    publisher.republish(version);
    let result = match is_doubtful {
        true => writer.checkpoint(),
        false if writer.engine.bar.is_sealed() => writer.start_compactions(),
        false => Ok(()),
    };
    match result {
        // On a full disk reads go on; the next commit or end of the bar tries again and reports it.
        Ok(()) | Err(CommitError::NoSpace { .. }) => {}
        // A table cannot be read that a compaction needs: the handle takes no writes, and reads of
        // all other blocks go on.
        Err(CommitError::Read(_)) => {}
        Err(error) => return Err(commit_error(path, error)),
    }
    Ok(Forest::new(writer, options.durability))
}

/// Replays the log after the checkpoint into memory tables, with so many threads, the caller's among them; with
/// one besides it if it is 1. Writes nothing.
pub(super) fn replay<S: Grooves>(
    path: &Path,
    checked: Checked<S>,
    threads: usize,
) -> Result<(Replayed<S>, Recovered), OpenError> {
    let storage = checked.grid.storage().clone();
    let superblock = checked.superblock.clone();
    let bar = Bar::new(superblock.options.wal_slots, superblock.checkpoint.slot);
    // The one that reads the log is at work too, and helps where it has to wait.
    let committer = Committer::new(if threads > 1 { threads - 1 } else { threads });
    let op = superblock.checkpoint.op;
    let mut replayed = Replayed { checked, bar, committer, op, uncommitted: 0 };
    replayed.set_replay(true);
    let entry = |after: WalPosition, offset, body: &[u8]| {
        replayed.entry(after, body).map_err(|what| invalid_entry(offset, what))
    };
    let recovered = wal::recover(&*storage, &superblock, entry);
    let recovered = recovered.map_err(|error| read_error(path, error))?;
    replayed.commit();
    replayed.install();
    replayed.set_replay(false);
    Ok((replayed, recovered))
}

/// A forest as of its last op, in memory.
pub(super) struct Replayed<S: Grooves> {
    pub(super) checked: Checked<S>,
    bar: Bar,
    committer: Committer,
    pub(super) op: u64,
    /// The weight of the entries since the last call of `commit`.
    uncommitted: u64,
}

/// Runs are made of entries of this weight. Larger ones take longer to sort, because the processor's cache does not
/// hold them; what of several runs is to be merged, compactions do in the background.
const RUN_WEIGHT: u64 = 12 << 20;

impl<S: Grooves> Replayed<S> {
    /// An error says what no writer writes.
    fn entry(&mut self, after: WalPosition, body: &[u8]) -> Result<(), &'static str> {
        let sections = sections(body, S::GROOVES.len())?;
        let headers = sections.iter().filter(|section| section.weight > 0).count();
        let weight: usize = sections.iter().map(|section| section.weight).sum();
        let entry = EntrySize::new(body.len(), weight + headers * SECTION_HEADER_SIZE);
        // The writer sealed before the entry that had no room in its bar. The log holds two bars,
        // so this happens once; a second time would only make the memory tables larger.
        let mut early = entry;
        if defect!(ReplaySealsElsewhere) {
            early.slots += 1;
        }
        if !self.bar.has_room(early) && !self.bar.is_sealed() {
            self.commit();
            self.install();
            let (op, checkpoint_op) = (self.op, self.checked.superblock.checkpoint.op);
            let timestamp_max = self.checked.timestamps.highest();
            self.bar.seal::<S>(&mut self.checked.grooves, op, checkpoint_op, timestamp_max);
        }
        self.bar.add(entry, after.slot);
        self.replay(sections)?;
        self.op = after.op;
        self.uncommitted = self.uncommitted.saturating_add(entry.weight);
        if self.uncommitted >= RUN_WEIGHT {
            self.commit();
        }
        Ok(())
    }

    fn set_replay(&mut self, is_replay: bool) {
        visit_grooves::<S>(&mut self.checked.grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| tree.set_replay(is_replay));
        });
    }

    /// Lets everything that was replayed since the last call become one run per tree.
    fn commit(&mut self) {
        self.install();
        self.uncommitted = 0;
        let mut changes = Vec::new();
        visit_grooves::<S>(&mut self.checked.grooves, &mut |groove| {
            groove.commit();
            groove.visit_trees(&mut |tree| changes.push(tree.begin_commit()));
        });
        self.committer.begin(changes);
    }

    /// Waits for these runs.
    fn install(&mut self) {
        let mut committed = self.committer.finish().into_iter();
        visit_grooves::<S>(&mut self.checked.grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| {
                if let Some(committed) = committed.next() {
                    tree.end_commit(committed);
                }
            });
        });
    }

    fn replay(&mut self, sections: Vec<Section<'_>>) -> Result<(), &'static str> {
        let mut result = Ok(());
        let mut sections = sections.into_iter();
        visit_grooves::<S>(&mut self.checked.grooves, &mut |groove| {
            let changes = sections.next().expect("a section per groove");
            if result.is_ok() {
                result = groove.replay(changes.bytes);
            }
        });
        result
    }
}

/// A groove's part of an entry.
#[derive(Clone, Copy, Default)]
struct Section<'a> {
    bytes: &'a [u8],
    /// What they count in a bar.
    weight: usize,
}

/// The sections of an entry, by groove; empty for grooves that it does not change.
fn sections(mut body: &[u8], grooves: usize) -> Result<Vec<Section<'_>>, &'static str> {
    let mut sections = vec![Section::default(); grooves];
    while !body.is_empty() {
        let (header, rest) = body.split_first_chunk::<SECTION_HEADER_SIZE>().ok_or("length")?;
        let number = |at: usize| {
            let bytes = header[at..at + 4].try_into().expect("4 bytes");
            u32::from_le_bytes(bytes) as usize
        };
        let (groove, length, weight) = (number(0), number(4), number(8));
        let (bytes, rest) = rest.split_at_checked(length).ok_or("length of a section")?;
        // Less would let a bar take more of the log than it has.
        if weight < length {
            return Err("weight of a section");
        }
        let section = sections.get_mut(groove).ok_or("groove")?;
        if section.weight > 0 {
            return Err("groove, which comes twice,");
        }
        *section = Section { bytes, weight };
        body = rest;
    }
    Ok(sections)
}
