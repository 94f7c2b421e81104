//! A part of the entries of one key: those in a run, or in a block of a level.

use std::ops::Range;

use crate::table::ValueBlock;

use super::read::Direction;
use super::removed::SKIPPED_MIN;
use super::version::TreeVersion;

/// The rank of a part at its end: no timestamp has it.
pub(super) const ENDED: u64 = u64::MAX;

/// As many entries of a block are read together.
const READ_TOGETHER_MIN: usize = 16;

/// It stands at one of its entries, or at its end.
pub(super) struct KeyPart<const K: usize> {
    pub(super) place: Place<K>,
    /// Where the key is in the run or block. The part stands at the first position, or at the last if
    /// the scan descends.
    positions: Range<usize>,
    /// Of the entry that it stands at.
    pub(super) rank: u64,
    /// Of its last entry.
    pub(super) last: u64,
    /// Entries of the key per timestamp, to guess how far away a target is.
    pub(super) density: f64,
    has_tombstones: bool,
    direction: Direction,
}

pub(super) enum Place<const K: usize> {
    /// The number of the run.
    Run(usize),
    Block {
        level: usize,
        values: ValueBlock<K>,
    },
}

impl<const K: usize> Place<K> {
    #[inline]
    fn timestamp(&self, version: &TreeVersion<K>, at: usize) -> u64 {
        match self {
            Place::Run(number) => version.run(*number).keys()[at][K - 1],
            Place::Block { values, .. } => values.last_limb(at),
        }
    }
}

impl<const K: usize> KeyPart<K> {
    /// The part that stands at the first of the entries at `positions`; `None` if there are none.
    pub(super) fn new(
        version: &TreeVersion<K>,
        place: Place<K>,
        positions: Range<usize>,
        direction: Direction,
    ) -> Option<Self> {
        if positions.is_empty() {
            return None;
        }
        let has_tombstones = match &place {
            Place::Run(number) => version.run(*number).has_tombstones(),
            Place::Block { values, .. } => values.has_tombstones(),
        };
        let low = place.timestamp(version, positions.start);
        let high = place.timestamp(version, positions.end - 1);
        let (rank, last) = match direction {
            Direction::Ascending => (low, high),
            Direction::Descending => (direction.rank(high), direction.rank(low)),
        };
        let density = (positions.len() - 1) as f64 / high.saturating_sub(low).max(1) as f64;
        Some(KeyPart { place, positions, rank, last, density, has_tombstones, direction })
    }

    /// The position that it stands at.
    #[inline]
    fn at(&self) -> usize {
        match self.direction {
            Direction::Ascending => self.positions.start,
            Direction::Descending => self.positions.end - 1,
        }
    }

    /// Puts it at the first of the entries that are left.
    #[inline]
    fn stand(&mut self, version: &TreeVersion<K>) {
        self.rank = match self.positions.is_empty() {
            true => ENDED,
            false => self.direction.rank(self.place.timestamp(version, self.at())),
        };
    }

    /// Whether the last of its entries is at the block's edge: the next block may go on with the key.
    pub(super) fn ends_at_edge(&self) -> bool {
        match (&self.place, self.direction) {
            (Place::Run(_), _) => false,
            (Place::Block { values, .. }, Direction::Ascending) => {
                self.positions.end == values.len()
            }
            (Place::Block { .. }, Direction::Descending) => self.positions.start == 0,
        }
    }

    /// What the entry that it stands at adds to the sum of puts and tombstones.
    #[inline]
    pub(super) fn sign(&self, version: &TreeVersion<K>) -> i32 {
        if self.is_tombstone(version, self.at()) { -1 } else { 1 }
    }

    #[inline]
    fn is_tombstone(&self, version: &TreeVersion<K>, at: usize) -> bool {
        self.has_tombstones
            && match &self.place {
                Place::Run(number) => version.run(*number).is_tombstone(at),
                Place::Block { values, .. } => values.is_tombstone(at),
            }
    }

    /// How many entries beyond the one that it stands at one with this rank is likely to be.
    #[inline]
    fn steps(&self, rank: u64) -> usize {
        (rank.saturating_sub(self.rank) as f64 * self.density) as usize
    }

    /// Moves it, which stands before `rank`, to the first entry at or beyond it.
    pub(super) fn advance(&mut self, version: &TreeVersion<K>, rank: u64) {
        let steps = self.steps(rank);
        // It stands before the target: what is searched begins with the next one.
        match self.direction {
            Direction::Ascending => self.positions.start += 1,
            Direction::Descending => self.positions.end -= 1,
        }
        if steps <= 1 {
            self.stand(version);
            if self.rank >= rank {
                return;
            }
        }
        let Range { start, end } = self.positions;
        if start < end {
            let (timestamp, steps) = (self.direction.rank(rank), steps.min(end - start - 1));
            match self.direction {
                Direction::Ascending => {
                    let guess = start + steps;
                    self.positions.start = match &self.place {
                        Place::Run(number) => {
                            version.run(*number).first_from(start..end, guess, timestamp)
                        }
                        Place::Block { values, .. } => {
                            values.first_from(start..end, guess, timestamp)
                        }
                    };
                }
                Direction::Descending => {
                    let guess = end - 1 - steps;
                    self.positions.end = match &self.place {
                        Place::Run(number) => {
                            version.run(*number).first_over(start..end, guess, timestamp)
                        }
                        Place::Block { values, .. } => {
                            values.first_over(start..end, guess, timestamp)
                        }
                    };
                }
            }
        }
        self.stand(version);
    }

    /// Appends the ranks behind the one that it stands at, which are below `end`, and stands at the last
    /// of them; `count` at most. Not beyond a tombstone.
    pub(super) fn take_below(
        &mut self,
        version: &TreeVersion<K>,
        end: u64,
        count: usize,
        out: &mut Vec<u64>,
    ) {
        if self.has_tombstones {
            return;
        }
        let count = count.min(self.positions.len() - 1);
        let before = out.len();
        match &self.place {
            Place::Run(number) => {
                let keys = version.run(*number).keys();
                self.take(end, count, |at| keys[at][K - 1], out);
            }
            Place::Block { values, .. } => match self.positions_ahead(version, count, end) {
                Some(positions) => {
                    values.unpack_last_limbs(positions, out);
                    self.ranked(before, end, out);
                }
                None => self.take(end, count, |at| values.last_limb(at), out),
            },
        }
        let taken = out.len() - before;
        match self.direction {
            Direction::Ascending => self.positions.start += taken,
            Direction::Descending => self.positions.end -= taken,
        }
        if taken > 0 {
            self.rank = out[out.len() - 1];
        }
    }

    /// The positions of the next entries, `count` at most, if many are likely to be below `end`, and these are: they
    /// are read together.
    fn positions_ahead(
        &self,
        version: &TreeVersion<K>,
        count: usize,
        end: u64,
    ) -> Option<Range<usize>> {
        // Entries are not spread evenly; what is left of them comes next.
        let below = self.steps(end) / 8 * 7;
        let count = count.min(below);
        if count < READ_TOGETHER_MIN {
            return None;
        }
        let at = self.at();
        let (positions, last) = match self.direction {
            Direction::Ascending => (at + 1..at + 1 + count, at + count),
            Direction::Descending => (at - count..at, at - count),
        };
        let is_below = self.direction.rank(self.place.timestamp(version, last)) < end;
        is_below.then_some(positions)
    }

    /// Makes timestamps from `begin` on, in the order of positions, the ranks behind the one that it stands at. The
    /// last one is below `end`.
    fn ranked(&self, begin: usize, end: u64, timestamps: &mut Vec<u64>) {
        let ranks = &mut timestamps[begin..];
        if self.direction == Direction::Descending {
            ranks.reverse();
            ranks.iter_mut().for_each(|rank| *rank = self.direction.rank(*rank));
        }
        let ascends = ranks.first().is_some_and(|first| self.rank < *first)
            && ranks.is_sorted_by(|one, next| one < next);
        // What does not ascend, as in forged blocks, is left to seeks; before it anything may stand.
        if !ascends {
            let mut before = self.rank;
            let goes_on =
                |rank: &&u64| std::mem::replace(&mut before, **rank) < **rank && **rank < end;
            let ascending = ranks.iter().take_while(goes_on).count();
            timestamps.truncate(begin + ascending);
        }
    }

    #[inline]
    fn take(&self, end: u64, count: usize, timestamp: impl Fn(usize) -> u64, out: &mut Vec<u64>) {
        let at = self.at();
        let mut before = self.rank;
        // What does not ascend, as in forged blocks, is left to seeks.
        let mut is_next = |rank: &u64| std::mem::replace(&mut before, *rank) < *rank && *rank < end;
        match self.direction {
            Direction::Ascending => {
                let ranks = (at + 1..at + 1 + count).map(timestamp);
                out.extend(ranks.take_while(&mut is_next));
            }
            Direction::Descending => {
                let ranks = (at - count..at).rev().map(|at| !timestamp(at));
                out.extend(ranks.take_while(&mut is_next));
            }
        }
    }

    /// How many entries it has behind the one that it stands at.
    pub(super) fn left(&self) -> usize {
        self.positions.len().saturating_sub(1)
    }

    /// The rank of the entry so many ahead, or of its last one, if it goes on for a while.
    pub(super) fn rank_ahead(&self, version: &TreeVersion<K>, distance: usize) -> Option<u64> {
        let steps = distance.min(self.left());
        if steps < SKIPPED_MIN {
            return None;
        }
        let at = match self.direction {
            Direction::Ascending => self.positions.start + steps,
            Direction::Descending => self.positions.end - 1 - steps,
        };
        Some(self.direction.rank(self.place.timestamp(version, at)))
    }

    /// How many of `ranks`, which ascend, are at or before its last entry.
    pub(super) fn reach(&self, ranks: &[u64]) -> usize {
        match ranks.last() {
            Some(last) if *last <= self.last => ranks.len(),
            _ => ranks.partition_point(|rank| *rank <= self.last),
        }
    }

    /// About where the entry with a timestamp is, which does not lie before where it stands.
    #[inline]
    fn guess(&self, timestamp: u64) -> usize {
        let steps = self.steps(self.direction.rank(timestamp));
        let Range { start, end } = self.positions;
        match self.direction {
            Direction::Ascending => (end - 1).min(start.saturating_add(steps)),
            Direction::Descending => start.max((end - 1).saturating_sub(steps)),
        }
    }

    /// Touches where entries of a run with these timestamps are likely to be; a block does so itself when it is
    /// searched.
    #[inline]
    pub(super) fn touch(&self, version: &TreeVersion<K>, timestamps: &[u64]) {
        let Place::Run(number) = &self.place else { return };
        let run = version.run(*number);
        run.touch_members(timestamps, (|timestamp| self.guess(timestamp), self.density));
    }

    /// Adds to the sums of those `timestamps` of which it has an entry; none lies before where it stands.
    pub(super) fn add_members(
        &self,
        version: &TreeVersion<K>,
        timestamps: &[u64],
        sums: &mut [i8],
    ) {
        let Range { start, end } = self.positions;
        let guess = (|timestamp| self.guess(timestamp), self.density);
        let add = |number: usize, at| {
            let sign = if self.is_tombstone(version, at) { -1 } else { 1 };
            sums[number] = sums[number].saturating_add(sign);
        };
        match &self.place {
            Place::Run(number) => {
                version.run(*number).members(start..end, timestamps, guess, add);
            }
            Place::Block { values, .. } => values.members(start..end, timestamps, guess, add),
        }
    }
}
