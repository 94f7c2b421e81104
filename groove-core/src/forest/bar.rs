//! How far a bar is.
//!
//! A bar is the span between two seals of the memory tables: as many commits as half the log takes, or as
//! have twice the log's size as their weight, whichever are fewer. The first bounds the log, which holds two
//! bars: the one whose values are being written to tables, and the current one. The second bounds memory and the
//! time that merges and replay take. The weight of a change is its length before it is packed, and 64 at the least.
//! What is to be compacted runs beside the bar, in two stages, each of which has a part of it (see `stages`).
//!
//! Where a bar ends depends on the sizes of the entries and on where they lie in the log, so that replay seals at
//! the same ops, and repetition, too, if one thread writes. What entries have in the log is what they took of it,
//! since a slot holds up to eight between two syncs: were each counted as a slot, writers that share syncs would have
//! their memory tables merged into the levels eight times as often.

use crate::compaction::JobPlan;
use crate::constants::SECTOR_SIZE;
use crate::wal::{entry_slots, slot_distance};

use super::engine::visit_grooves;
use super::grooves::Grooves;

/// What an entry takes of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntrySize {
    /// Slots that it has in the log at the most: fewer if it shares one.
    pub(super) slots: u64,
    /// Bytes.
    pub(super) weight: u64,
}

impl EntrySize {
    /// Of an entry whose body has that many bytes and that weight.
    pub(super) fn new(body: usize, weight: usize) -> EntrySize {
        EntrySize { slots: entry_slots(body as u64), weight: weight as u64 }
    }
}

/// Where the current bar stands.
pub(super) struct Bar {
    wal_slots: u32,
    /// The slot after the newest entry.
    slot: u32,
    /// Slots that its entries have in the log; one that the last bar's last entry has as well is none of them.
    slots: u64,
    /// That of its entries, in bytes.
    weight: u64,
    /// What was sealed and is not in a durable checkpoint yet.
    pub(super) sealed: Option<Sealed>,
    /// What of it was used when the compactions beside it began: nothing, but after a reopen.
    begun: u64,
    pub(super) stage: Stage,
    /// What the running jobs and the moves beside them do, tree by tree.
    pub(super) plans: Vec<Vec<JobPlan>>,
}

/// The compactions that are under way, if any, and which part of the bar they have, in bytes of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Tables go down the levels.
    Levels { until: u64 },
    /// The sealed memory tables go to level 0.
    Flush { from: u64 },
}

/// What a bar's entries may weigh, for each byte that they may take in the log.
pub(super) const PACKED_WEIGHT: u64 = 4;

/// The state of the forest at a seal.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) op: u64,
    pub(super) timestamp_max: u64,
    pub(super) object_counts: Vec<u64>,
}

/// What a bar counts for slots of the log.
fn weight_of(slots: u64) -> u64 {
    PACKED_WEIGHT * SECTOR_SIZE as u64 * slots
}

impl Bar {
    /// The first bar after a checkpoint, whose entries begin at that slot of the log.
    pub(super) fn new(wal_slots: u32, slot: u32) -> Self {
        Bar {
            wal_slots,
            slot,
            slots: 0,
            weight: 0,
            sealed: None,
            begun: 0,
            stage: Stage::Flush { from: 0 },
            plans: Vec::new(),
        }
    }

    /// What the entries may weigh.
    fn size(&self) -> u64 {
        weight_of(u64::from(self.wal_slots / 2))
    }

    /// What of the bar is used with one entry more.
    fn used(&self, entry: EntrySize) -> u64 {
        weight_of(self.slots + entry.slots).max(self.weight + entry.weight)
    }

    /// Notes that the compactions beside it begin here.
    pub(super) fn begin_compactions(&mut self) {
        self.begun = self.used(EntrySize { slots: 0, weight: 0 });
    }

    /// How far the stage's part of the bar, or what was left of it when the compactions began, is used with one
    /// entry more, and how long it is.
    pub(super) fn progress(&self, entry: EntrySize) -> (u64, u64) {
        let (from, until) = match self.stage {
            Stage::Levels { until } => (0, until),
            Stage::Flush { from } => (from, self.due()),
        };
        let from = from.max(self.begun);
        (self.used(entry).saturating_sub(from), until.saturating_sub(from))
    }

    /// Where the compactions have to be done.
    pub(super) fn due(&self) -> u64 {
        self.size() - self.size() / 8
    }

    /// Whether an entry still belongs to the current bar.
    pub(super) fn has_room(&self, entry: EntrySize) -> bool {
        self.used(entry) <= self.size()
    }

    /// Adds an entry that was appended, with the slot after it.
    pub(super) fn add(&mut self, entry: EntrySize, slot: u32) {
        let slots = u64::from(slot_distance(self.slot, slot, self.wal_slots));
        assert!(slots <= entry.slots, "an entry has {} slots, not {slots}", entry.slots);
        self.slots += slots;
        self.slot = slot;
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
        (self.slots, self.weight) = (0, 0);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry counted as a slot at the least, and weighed as much as a slot, so that a bar ended after 1,024
    /// of 8,192 short commits that had shared their slots, and all trees were merged eight times as often. Now
    /// an entry counts as what it took of the log.
    #[test]
    fn a_bar_takes_as_many_entries_as_fit_half_the_log_in_the_slots_that_they_share() {
        let wal_slots = 2048;
        for shared in [1, 8] {
            let first = 2000;
            let mut bar = Bar::new(wal_slots, first);
            let entry = EntrySize::new(200, 150);
            let mut entries = 0;
            while bar.has_room(entry) {
                entries += 1;
                bar.add(entry, (first + u32::div_ceil(entries, shared)) % wal_slots);
            }
            // The last slot is begun, and whether the next entry shares it is not known before.
            assert_eq!(entries, 1023 * shared + 1, "{shared} to a slot");
        }
    }

    /// After a reopen compactions begin anew, and if that was in the middle of a stage's part of the bar, the first
    /// commit waited for all that they would have done by then. Now what is left of the part is theirs.
    #[test]
    fn compactions_that_begin_in_the_middle_of_a_part_of_a_bar_have_what_is_left_of_it() {
        let entry = EntrySize::new(100, 64);
        let one = weight_of(1);
        for used in [0, 300, 600, 1000] {
            let mut bar = Bar::new(2048, 0);
            (1..=used).for_each(|slot| bar.add(entry, slot));
            bar.begin_compactions();
            let (begun, due) = (u64::from(used) * one, bar.due());
            bar.stage = Stage::Levels { until: 512 * one };
            let (done, all) = bar.progress(entry);
            assert_eq!((done, all), (one, (512 * one).saturating_sub(begun)));
            assert_eq!(done <= all, used < 512, "it ends where it would without a reopen");
            bar.stage = Stage::Flush { from: 512 * one };
            let (done, all) = bar.progress(entry);
            assert_eq!(done, (begun + one).saturating_sub(begun.max(512 * one)));
            assert_eq!(all, due.saturating_sub(begun.max(512 * one)));
        }
    }

    #[test]
    fn a_bar_takes_entries_of_twice_the_weight_of_the_log() {
        let wal_slots = 2048;
        let mut bar = Bar::new(wal_slots, 0);
        let (entry, mut entries) = (EntrySize::new(100, 16 << 10), 0);
        while bar.has_room(entry) {
            entries += 1;
            bar.add(entry, entries);
        }
        assert_eq!(
            u64::from(entries) * entry.weight,
            2 * u64::from(wal_slots) * SECTOR_SIZE as u64
        );
    }
}
