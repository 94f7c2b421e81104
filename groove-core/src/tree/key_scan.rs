//! The entries of one key of an index tree: the runs in memory and the levels, merged.
//!
//! All entries of a key agree in all limbs but the last, the timestamp. So what is searched and compared
//! are single numbers, and in a block of columns a single lane:
//!
//! 1. Each part (a run, or a block of a level) knows which of its positions have the key, and stands at
//!    one of them.
//! 2. A seek moves the parts that stand before its target: in steps that double from where they are.
//! 3. The nearest timestamp is the answer, if of the parts that stand there one more puts the entry than
//!    removes it. Parts move on when the next target comes.
//!
//! Of a long stretch of entries that were removed most are skipped ([`Removed`]): where there are as many puts as
//! tombstones, nothing else is.
//!
//! Many timestamps are read together where one part alone has them, and many are looked up together in one
//! part after the other, so that the processor waits for memory for many at a time.

use std::sync::Arc;

use crate::error::{Damage, ReadError};
use crate::memory::{Key, Run, Usage, spans};

use super::key_part::{ENDED, KeyPart, Place};
use super::read::{Direction, KeyScan};
use super::removed::Removed;
use super::version::TreeVersion;

pub(super) struct MergeKeyScan<const K: usize> {
    version: Arc<TreeVersion<K>>,
    /// The entry with the lowest timestamp, and the one with the highest.
    min: Key<K>,
    max: Key<K>,
    direction: Direction,
    parts: Vec<KeyPart<K>>,
    begun: bool,
    removed: Removed,
    /// Value blocks that were looked into.
    blocks: u64,
}

impl<const K: usize> MergeKeyScan<K> {
    pub(super) fn new(
        version: Arc<TreeVersion<K>>,
        prefix: &[u64],
        (min, max): (u64, u64),
        direction: Direction,
    ) -> Self {
        assert_eq!(version.meta().usage, Usage::Set, "only an index tree has entries of a key");
        let key = |timestamp| {
            let mut key = [timestamp; K];
            key[..K - 1].copy_from_slice(prefix);
            key
        };
        let (min, max) = (key(min), key(max));
        let (parts, removed) = (Vec::new(), Removed::new());
        MergeKeyScan { version, min, max, direction, parts, begun: false, removed, blocks: 0 }
    }

    /// The first and the last key of what lies at or beyond `rank`. A part that goes on leaves out what is before
    /// its own next target; others may not have come that far.
    fn range_from(&self, rank: u64) -> (Key<K>, Key<K>) {
        let timestamp = self.direction.rank(rank);
        let (mut min, mut max) = (self.min, self.max);
        match self.direction {
            Direction::Ascending => min[K - 1] = min[K - 1].max(timestamp),
            Direction::Descending => max[K - 1] = max[K - 1].min(timestamp),
        }
        (min, max)
    }

    fn begin(&mut self, target: u64) -> Result<(), ReadError> {
        self.begun = true;
        let range = self.range_from(target);
        if range.0 > range.1 {
            return Ok(());
        }
        let version = self.version.clone();
        let levels = version.levels().count();
        let runs: Vec<&Run<K>> = (0..version.run_count()).map(|at| version.run(at)).collect();
        self.parts.reserve_exact(runs.len() + levels);
        let positions = spans(&runs, &range.0, &range.1);
        for (number, positions) in positions.into_iter().enumerate() {
            let part = KeyPart::new(&version, Place::Run(number), positions, self.direction);
            self.parts.extend(part);
        }
        for level in 0..levels {
            let part = self.enter(level, range)?;
            self.parts.extend(part);
        }
        Ok(())
    }

    /// The part of a level that begins at the first entry from `min` to `max`.
    fn enter(
        &mut self,
        level: usize,
        (min, max): (Key<K>, Key<K>),
    ) -> Result<Option<KeyPart<K>>, ReadError> {
        let version = self.version.clone();
        let tables = version.levels().level(level);
        let table = match self.direction {
            Direction::Ascending => tables.partition_point(|table| table.key_max < min),
            Direction::Descending => {
                match tables.partition_point(|table| table.key_min <= max).checked_sub(1) {
                    Some(table) => table,
                    None => return Ok(None),
                }
            }
        };
        let Some(found) = tables.get(table).filter(|table| table.overlaps(&min, &max)) else {
            return Ok(None);
        };
        let index = found.index(version.grid(), version.meta())?;
        let block = match self.direction {
            Direction::Ascending => index.block_at(&min),
            Direction::Descending => index.block_at(&max).min(index.blocks.len() - 1),
        };
        if let Some(part) = self.read((level, table, block), &min, &max)? {
            return Ok(Some(part));
        }
        // Beyond the last key of the block before, and before the first of this one: a scan that
        // descends goes on there. The key that it ends with tells whether there is anything.
        match (self.direction, block.checked_sub(1)) {
            (Direction::Descending, Some(before)) if index.last_keys[before] >= min => {
                self.read((level, table, before), &min, &max)
            }
            _ => Ok(None),
        }
    }

    /// The entries of the range in a block; `None` if there are none.
    fn read(
        &mut self,
        (level, table, block): (usize, usize, usize),
        min: &Key<K>,
        max: &Key<K>,
    ) -> Result<Option<KeyPart<K>>, ReadError> {
        let (grid, meta) = (self.version.grid(), self.version.meta());
        let found = &self.version.levels().level(level)[table];
        let values = found.index(grid, meta)?.block(block).hold(grid, meta)?;
        self.blocks += 1;
        let mut positions = values.positions(min, max);
        if defect!(DescendingScanSkips)
            && self.direction == Direction::Descending
            && positions.end == values.len()
        {
            positions.end = positions.end.saturating_sub(1).max(positions.start);
        }
        let place = Place::Block { level, values };
        Ok(KeyPart::new(&self.version, place, positions, self.direction))
    }

    /// Moves a part to the first entry at or beyond `rank`.
    fn move_part(&mut self, number: usize, rank: u64) -> Result<(), ReadError> {
        let part = &mut self.parts[number];
        let ends_at_edge = part.ends_at_edge();
        part.advance(&self.version, rank);
        // Further entries of the key, if there are any, begin in the next block.
        if part.rank == ENDED
            && ends_at_edge
            && let Place::Block { level, .. } = part.place
        {
            let range = self.range_from(rank);
            if let Some(next) = self.enter(level, range)? {
                self.parts[number] = next;
            }
        }
        Ok(())
    }

    /// The rank at or behind `target` before which nothing lives, as far as that is easily told.
    #[cold]
    #[inline(never)]
    fn skip_removed(&mut self, target: u64) -> Result<u64, ReadError> {
        let mut target = target;
        let mut attempt = self.removed.attempt();
        while let Some(distance) = attempt.distance() {
            let mut nearest = ENDED;
            for number in 0..self.parts.len() {
                if self.parts[number].rank < target {
                    self.move_part(number, target)?;
                }
                nearest = nearest.min(self.parts[number].rank);
            }
            if nearest == ENDED {
                break;
            }
            let there = self.parts.iter().filter(|part| part.rank == nearest);
            let ahead = there.filter_map(|part| self.rank_ahead(part, distance)).max();
            // In a forged block timestamps may go back.
            match ahead.filter(|ahead| nearest < *ahead && *ahead < ENDED) {
                Some(ahead) if self.nothing_lives(nearest, ahead) => {
                    target = ahead + 1;
                    attempt.skipped();
                }
                _ => attempt.failed(),
            }
        }
        self.removed.finish(&attempt);
        Ok(target)
    }

    /// A rank about so many entries ahead of where a part stands.
    fn rank_ahead(&self, part: &KeyPart<K>, distance: usize) -> Option<u64> {
        if let Place::Block { level, .. } = &part.place
            && part.left() < distance
            && part.ends_at_edge()
        {
            let levels = self.version.levels();
            let here = self.key_of(part.rank);
            if let Some(ahead) = levels.key_ahead(*level, &here, self.direction, distance) {
                // Not beyond the entries of the key.
                let timestamp = ahead.clamp(self.min, self.max)[K - 1].clamp(1, u64::MAX >> 1);
                return Some(self.direction.rank(timestamp));
            }
        }
        part.rank_ahead(&self.version, distance)
    }

    /// The entry with a rank.
    fn key_of(&self, rank: u64) -> Key<K> {
        let mut key = self.min;
        key[K - 1] = self.direction.rank(rank);
        key
    }

    /// Whether no entry from one rank to another lives; `false` if blocks would have to be read to know.
    fn nothing_lives(&self, from: u64, to: u64) -> bool {
        let (from, to) = (self.key_of(from), self.key_of(to));
        let live = self.version.count_at_hand(&from.min(to), &from.max(to));
        live == Some(0) || defect!(LiveEntriesSkipped)
    }

    /// The error of an entry that was put or removed twice in a row.
    #[cold]
    fn not_in_turn(&self, rank: u64) -> ReadError {
        let mut key = self.min;
        key[K - 1] = self.direction.rank(rank);
        let what = "entry, which was put or removed twice in a row,";
        self.version.damaged_at(&key, Damage::Invalid { what })
    }

    /// Behind the rank `found`, where it stands: appends those that one part alone has before any other
    /// part comes, `count` at most.
    fn take_stretch(&mut self, found: u64, count: usize, out: &mut Vec<u64>) {
        let (mut nearest, mut end) = (None, ENDED);
        for (number, part) in self.parts.iter().enumerate() {
            match nearest {
                None if part.rank == found => nearest = Some(number),
                _ => end = end.min(part.rank),
            }
        }
        if let Some(nearest) = nearest.filter(|_| end > found + 1) {
            self.parts[nearest].take_below(&self.version, end, count, out);
        }
    }

    /// Entries per timestamp where it goes on. Parts that begin behind the one that it stands in, as those of stretches of
    /// time do, have nothing there.
    fn density_ahead(&self) -> f64 {
        let (mut nearest, mut end_of_nearest, mut end, mut entries) = (ENDED, 0, 0, 0_usize);
        for part in self.parts.iter().filter(|part| part.rank != ENDED) {
            if part.rank < nearest {
                (nearest, end_of_nearest) = (part.rank, part.last);
            }
            end = end.max(part.last);
            entries += part.left() + 1;
        }
        let here = self.parts.iter().filter(|part| part.rank <= end_of_nearest);
        let here: f64 = here.map(|part| part.density).sum();
        // A single entry tells nothing, but they all have at least this together.
        here.max(entries.saturating_sub(1) as f64 / end.saturating_sub(nearest).max(1) as f64)
    }

    /// Of `ranks`, how often each was put less how often it was removed.
    fn sums(&mut self, ranks: &[u64]) -> Result<Vec<i8>, ReadError> {
        let mut sums = vec![0; ranks.len()];
        let timestamps: Vec<u64> = ranks.iter().map(|rank| self.direction.rank(*rank)).collect();
        for part in &self.parts {
            let from = ranks.partition_point(|rank| *rank < part.rank);
            let to = from + part.reach(&ranks[from..]);
            part.touch(&self.version, &timestamps[from..to]);
        }
        for number in 0..self.parts.len() {
            let mut from = 0;
            loop {
                let part = &self.parts[number];
                from += ranks[from..].partition_point(|rank| *rank < part.rank);
                let to = from + part.reach(&ranks[from..]);
                if from < to {
                    part.add_members(&self.version, &timestamps[from..to], &mut sums[from..to]);
                }
                from = to;
                if from == ranks.len() {
                    break;
                }
                self.move_part(number, ranks[from])?;
            }
        }
        Ok(sums)
    }
}

impl<const K: usize> KeyScan for MergeKeyScan<K> {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, ReadError> {
        if !self.begun {
            self.begin(target)?;
        }
        let mut target = target;
        loop {
            let (mut nearest, mut net) = (ENDED, 0);
            for number in 0..self.parts.len() {
                if self.parts[number].rank < target {
                    self.move_part(number, target)?;
                }
                let part = &self.parts[number];
                if part.rank <= nearest && part.rank != ENDED {
                    let sign = part.sign(&self.version);
                    net = if part.rank < nearest { sign } else { net + sign };
                    nearest = part.rank;
                }
            }
            match net {
                1 => {
                    self.removed.end();
                    return Ok(Some(nearest));
                }
                0 if nearest == ENDED => return Ok(None),
                0 => {
                    target = nearest + 1;
                    if self.removed.add() {
                        target = self.skip_removed(target)?;
                    }
                }
                _ => return Err(self.not_in_turn(nearest)),
            }
        }
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), ReadError> {
        let end = out.len() + count;
        let mut target = target;
        while out.len() < end {
            let Some(found) = self.seek(target)? else { break };
            out.push(found);
            self.take_stretch(found, end - out.len(), out);
            target = out[out.len() - 1] + 1;
        }
        Ok(())
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), ReadError> {
        let Some(first) = ranks.first() else { return Ok(()) };
        if !self.begun {
            self.begin(*first)?;
        }
        let sums = self.sums(ranks)?;
        if let Some(at) = sums.iter().position(|sum| !matches!(sum, 0 | 1)) {
            return Err(self.not_in_turn(ranks[at]));
        }
        let mut sums = sums.into_iter();
        ranks.retain(|_| sums.next() == Some(1));
        Ok(())
    }

    fn density(&self) -> Option<f64> {
        self.begun.then(|| self.density_ahead())
    }

    fn blocks(&self) -> u64 {
        self.blocks
    }
}
