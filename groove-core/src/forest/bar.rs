//! How far a bar is.
//!
//! A bar is the span between two seals of the memory tables: as many commits as half the log takes, or as
//! have twice the log's size as their weight, whichever are fewer. The first bounds the log, which holds two
//! bars: the one whose values are being written to tables, and the current one. The second bounds memory and the
//! time that merges and replay take. The weight of a change is its length before it is packed, and 64 at the least.
//! What is to be compacted runs beside the bar, in two stages, each of which has a part of it (see `stages`).
//!
//! Where a bar ends depends on the sizes of the entries alone, so that replay and repetition seal
//! at the same ops.

use crate::compaction::JobPlan;
use crate::wal::entry_slots;

use super::engine::visit_grooves;
use super::grooves::Grooves;

/// What an entry takes of a bar, in slots of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntrySlots {
    /// Those that it has in the log.
    pub(super) log: u64,
    /// As many as its weight would have.
    pub(super) weight: u64,
}

impl EntrySlots {
    /// Of an entry whose body has that many bytes and that weight.
    pub(super) fn new(body: usize, weight: usize) -> EntrySlots {
        EntrySlots { log: entry_slots(body as u64), weight: entry_slots(weight as u64) }
    }
}

/// Where the current bar stands.
pub(super) struct Bar {
    /// What the entries of a bar may have as their weight, and [`PACKED_WEIGHT`] times of what they may take
    /// in the log.
    slots: u64,
    log: u64,
    weight: u64,
    /// What was sealed and is not in a durable checkpoint yet.
    pub(super) sealed: Option<Sealed>,
    pub(super) stage: Stage,
    /// What the running jobs and the moves beside them do, tree by tree.
    pub(super) plans: Vec<Vec<JobPlan>>,
}

/// The compactions that are under way, if any, and which part of the bar they have, in slots of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Tables go down the levels.
    Levels { until: u64 },
    /// The sealed memory tables go to level 0.
    Flush { from: u64 },
}

/// How many slots a bar may take plainly for each that it may take in the log.
pub(super) const PACKED_WEIGHT: u64 = 4;

/// The state of the forest at a seal.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) op: u64,
    pub(super) timestamp_max: u64,
    pub(super) object_counts: Vec<u64>,
}

impl Bar {
    /// The first bar after a checkpoint.
    pub(super) fn new(wal_slots: u32) -> Self {
        let slots = PACKED_WEIGHT * u64::from(wal_slots / 2);
        Bar {
            slots,
            log: 0,
            weight: 0,
            sealed: None,
            stage: Stage::Flush { from: 0 },
            plans: Vec::new(),
        }
    }

    /// What of the bar is used with one entry more.
    fn used(&self, entry: EntrySlots) -> u64 {
        (PACKED_WEIGHT * (self.log + entry.log)).max(self.weight + entry.weight)
    }

    /// How far the stage's part of the bar is used with one entry more, and how long it is.
    pub(super) fn progress(&self, entry: EntrySlots) -> (u64, u64) {
        match self.stage {
            Stage::Levels { until } => (self.used(entry), until),
            Stage::Flush { from } => (self.used(entry).saturating_sub(from), self.due() - from),
        }
    }

    /// Where the compactions have to be done.
    pub(super) fn due(&self) -> u64 {
        self.slots - self.slots / 8
    }

    /// Whether an entry still belongs to the current bar.
    pub(super) fn has_room(&self, entry: EntrySlots) -> bool {
        self.used(entry) <= self.slots
    }

    pub(super) fn add(&mut self, entry: EntrySlots) {
        self.log += entry.log;
        self.weight += entry.weight;
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Makes the memory tables immutable, and begins the next bar. Writes nothing. All arguments are
    /// as of the newest committed op, without the open scope.
    pub(super) fn seal<S: Grooves>(
        &mut self,
        grooves: &mut S::Write,
        op: u64,
        checkpoint_op: u64,
        timestamp_max: u64,
    ) {
        assert!(!self.is_sealed(), "the last seal is on disk by now");
        (self.log, self.weight) = (0, 0);
        if op == checkpoint_op {
            return;
        }
        let mut object_counts = Vec::new();
        visit_grooves::<S>(grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| tree.seal());
            object_counts.push(groove.committed_count());
        });
        self.sealed = Some(Sealed { op, timestamp_max, object_counts });
    }
}
