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
//! Timestamps are compared as ranks: complemented if the scan descends, so that ranks always grow.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Damage, ReadError};
use crate::memory::{Key, Usage};
use crate::table::ValueBlock;

use super::read::{Direction, KeyScan};
use super::version::TreeVersion;

/// The rank of a part at its end: no timestamp has it.
const ENDED: u64 = u64::MAX;

pub(super) struct MergeKeyScan<const K: usize> {
    version: Arc<TreeVersion<K>>,
    /// The entry with the lowest timestamp, and the one with the highest.
    min: Key<K>,
    max: Key<K>,
    direction: Direction,
    parts: Vec<Part<K>>,
    begun: bool,
    /// Value blocks that were looked into.
    blocks: u64,
}

struct Part<const K: usize> {
    place: Place<K>,
    /// Where the key is in the run or block. The part stands at the first position, or at the last if
    /// the scan descends.
    positions: Range<usize>,
    /// Of the entry that it stands at.
    rank: u64,
    /// Entries of the key per timestamp, to guess how far away a target is.
    density: f64,
    has_tombstones: bool,
}

enum Place<const K: usize> {
    /// The number of the run.
    Run(usize),
    Block {
        level: usize,
        values: ValueBlock<K>,
    },
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
        let parts = Vec::new();
        MergeKeyScan { version, min, max, direction, parts, begun: false, blocks: 0 }
    }

    /// Leaves out what lies before `rank`, of parts that are not positioned yet.
    fn narrow(&mut self, rank: u64) {
        let timestamp = self.direction.rank(rank);
        match self.direction {
            Direction::Ascending => self.min[K - 1] = self.min[K - 1].max(timestamp),
            Direction::Descending => self.max[K - 1] = self.max[K - 1].min(timestamp),
        }
    }

    fn begin(&mut self) -> Result<(), ReadError> {
        if self.min > self.max {
            return Ok(());
        }
        let version = self.version.clone();
        let levels = version.levels().count();
        self.parts.reserve_exact(version.run_count() + levels);
        for number in 0..version.run_count() {
            let run = version.run(number);
            let positions = run.positions(&self.min, &self.max);
            if !positions.is_empty() {
                let place = Place::Run(number);
                let has_tombstones = run.has_tombstones();
                let get = |at: usize| run.keys()[at][K - 1];
                self.parts.push(Part::new(place, positions, has_tombstones, self.direction, get));
            }
        }
        for level in 0..levels {
            let part = self.enter(level)?;
            self.parts.extend(part);
        }
        Ok(())
    }

    /// The part of a level that begins at the first entry of the range.
    fn enter(&mut self, level: usize) -> Result<Option<Part<K>>, ReadError> {
        let version = self.version.clone();
        let tables = version.levels().level(level);
        let table = match self.direction {
            Direction::Ascending => tables.partition_point(|table| table.key_max < self.min),
            Direction::Descending => {
                match tables.partition_point(|table| table.key_min <= self.max).checked_sub(1) {
                    Some(table) => table,
                    None => return Ok(None),
                }
            }
        };
        let Some(found) = tables.get(table).filter(|table| table.overlaps(&self.min, &self.max))
        else {
            return Ok(None);
        };
        let index = found.index(version.grid(), version.meta())?;
        let block = match self.direction {
            Direction::Ascending => index.block_at(&self.min),
            Direction::Descending => index.block_at(&self.max).min(index.blocks.len() - 1),
        };
        if let Some(part) = self.read(level, table, block)? {
            return Ok(Some(part));
        }
        // Beyond the last key of the block before, and before the first of this one: a scan that
        // descends goes on there. The key that it ends with tells whether there is anything.
        match (self.direction, block.checked_sub(1)) {
            (Direction::Descending, Some(before)) if index.last_keys[before] >= self.min => {
                self.read(level, table, before)
            }
            _ => Ok(None),
        }
    }

    /// The entries of the range in a block; `None` if there are none.
    fn read(
        &mut self,
        level: usize,
        table: usize,
        block: usize,
    ) -> Result<Option<Part<K>>, ReadError> {
        let (grid, meta) = (self.version.grid(), self.version.meta());
        let found = &self.version.levels().level(level)[table];
        let values = found.index(grid, meta)?.block(block).hold(grid, meta)?;
        self.blocks += 1;
        let mut positions = values.positions(&self.min, &self.max);
        if defect!(DescendingScanSkips)
            && self.direction == Direction::Descending
            && positions.end == values.len()
        {
            positions.end = positions.end.saturating_sub(1).max(positions.start);
        }
        let has_tombstones = values.has_tombstones();
        Ok((!positions.is_empty()).then(|| {
            let get = |at| values.last_limb(at);
            let place = Place::Block { level, values: values.clone() };
            Part::new(place, positions, has_tombstones, self.direction, get)
        }))
    }

    /// Moves a part to the first entry at or beyond `rank`.
    fn move_part(&mut self, number: usize, rank: u64) -> Result<(), ReadError> {
        let direction = self.direction;
        let timestamp = direction.rank(rank);
        let part = &mut self.parts[number];
        // It stands before the target: what is searched begins with the next one.
        let (start, end) = match direction {
            Direction::Ascending => (part.positions.start + 1, part.positions.end),
            Direction::Descending => (part.positions.start, part.positions.end - 1),
        };
        part.positions = start..end;
        if start < end {
            let steps = ((rank - part.rank) as f64 * part.density) as usize;
            let run = |number: usize| self.version.run(number);
            if steps <= 1 {
                part.rank = part.rank_here(&self.version, direction);
                if part.rank >= rank {
                    return Ok(());
                }
            }
            let steps = steps.min(end - start - 1);
            match direction {
                Direction::Ascending => {
                    let guess = start + steps;
                    part.positions.start = match &part.place {
                        Place::Run(at) => run(*at).first_from(start..end, guess, timestamp),
                        Place::Block { values, .. } => {
                            values.first_from(start..end, guess, timestamp)
                        }
                    };
                }
                Direction::Descending => {
                    let guess = end - 1 - steps;
                    part.positions.end = match &part.place {
                        Place::Run(at) => run(*at).first_over(start..end, guess, timestamp),
                        Place::Block { values, .. } => {
                            values.first_over(start..end, guess, timestamp)
                        }
                    };
                }
            }
        }
        if !part.positions.is_empty() {
            part.rank = part.rank_here(&self.version, direction);
            return Ok(());
        }
        part.rank = ENDED;
        if let Place::Block { level, values, .. } = &part.place {
            let edge = match self.direction {
                Direction::Ascending => part.positions.end == values.len(),
                Direction::Descending => part.positions.start == 0,
            };
            // Further entries of the key, if there are any, begin in the next block.
            if edge {
                let level = *level;
                self.narrow(rank);
                if let Some(next) = self.enter(level)? {
                    self.parts[number] = next;
                }
            }
        }
        Ok(())
    }

    /// The error of an entry that was put or removed twice in a row.
    #[cold]
    fn not_in_turn(&self, rank: u64) -> ReadError {
        let mut key = self.min;
        key[K - 1] = self.direction.rank(rank);
        let what = "entry, which was put or removed twice in a row,";
        self.version.damaged_at(&key, Damage::Invalid { what })
    }

    fn seek_rank(&mut self, target: u64) -> Result<Option<u64>, ReadError> {
        if !self.begun {
            self.begun = true;
            self.narrow(target);
            self.begin()?;
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
                    let sign =
                        if part.is_tombstone(&self.version, self.direction) { -1 } else { 1 };
                    net = if part.rank < nearest { sign } else { net + sign };
                    nearest = part.rank;
                }
            }
            match net {
                1 => return Ok(Some(nearest)),
                0 if nearest == ENDED => return Ok(None),
                0 => target = nearest + 1,
                _ => return Err(self.not_in_turn(nearest)),
            }
        }
    }
}

impl<const K: usize> Part<K> {
    /// A part that stands at the first of its entries, of which there is one at least.
    fn new(
        place: Place<K>,
        positions: Range<usize>,
        has_tombstones: bool,
        direction: Direction,
        timestamp: impl Fn(usize) -> u64,
    ) -> Self {
        let (first, last) = (timestamp(positions.start), timestamp(positions.end - 1));
        let rank = match direction {
            Direction::Ascending => first,
            Direction::Descending => direction.rank(last),
        };
        let density = (positions.len() - 1) as f64 / last.saturating_sub(first).max(1) as f64;
        Part { place, positions, rank, density, has_tombstones }
    }

    /// The rank of the entry at the position where it stands.
    #[inline]
    fn rank_here(&self, version: &TreeVersion<K>, direction: Direction) -> u64 {
        let at = self.at(direction);
        direction.rank(match &self.place {
            Place::Run(number) => version.run(*number).keys()[at][K - 1],
            Place::Block { values, .. } => values.last_limb(at),
        })
    }

    /// The position that it stands at.
    #[inline]
    fn at(&self, direction: Direction) -> usize {
        match direction {
            Direction::Ascending => self.positions.start,
            Direction::Descending => self.positions.end - 1,
        }
    }

    #[inline]
    fn is_tombstone(&self, version: &TreeVersion<K>, direction: Direction) -> bool {
        self.has_tombstones
            && match &self.place {
                Place::Run(number) => version.run(*number).is_tombstone(self.at(direction)),
                Place::Block { values, .. } => values.is_tombstone(self.at(direction)),
            }
    }
}

impl<const K: usize> KeyScan for MergeKeyScan<K> {
    fn seek(&mut self, timestamp: u64) -> Result<Option<u64>, ReadError> {
        let found = self.seek_rank(self.direction.rank(timestamp))?;
        Ok(found.map(|rank| self.direction.rank(rank)))
    }

    fn blocks(&self) -> u64 {
        self.blocks
    }
}
