//! A scan over a range of one tree: the runs in memory and the levels, merged.
//!
//! 1. Each source (a run, or a level, whose tables are disjoint) stands at its next key.
//! 2. The lowest of these keys (the highest, if descending) is next; of a map tree the newest
//!    source's value counts, of a set tree the sum of puts and tombstones.
//! 3. Sources are few (a run per power of two, a level per power of eight), so the next key is found
//!    by looking at all of them.
//! 4. Values of one source that no other has a say in are passed together. They are a piece of a [`Stretch`], which
//!    has as many pieces as it takes to have some values: a handful after a search, a hundred soon after. Payloads stay
//!    where they are, and are read as far as somebody asks for them; so a stretch ends where a source would have to
//!    let its block go.
//! 5. Of a long stretch of removed values most are skipped ([`Removed`]). In a set tree a range of as many puts as
//!    tombstones has nothing else in it. In a map tree that is not certain, since a put may have taken the place of
//!    another one; but where a source has a tombstone for each number, as after the removal of objects whose
//!    timestamps count up, nothing older lives there.
//!
//! 6. Who tests conditions on rows may say which numbers are wanted. A block whose head tells that it has none of
//!    them ([`ValueBlock::lane_bounds`](crate::table::ValueBlock::lane_bounds)) is left as far as it is a stretch.
//!    What is left out there is the newest of its key, so nothing older comes in its place.
//!
//! A level reads one block at a time, when the scan gets there.

mod count;
mod source;

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Damage, ReadError};
use crate::memory::{Key, Usage, limbs_to_key};
use crate::table::PayloadLane;

use super::read::{Direction, Scan};
use super::removed::{Removed, SKIPPED_MIN, predecessor, successor};
use super::stretch::{ReadPayloads, Stretch};
use super::version::TreeVersion;
use source::{BlockNumber, Passed, Source};

struct Head<const K: usize> {
    source: Source<K>,
    /// The key that the source stands at; `None` at its end, and at the end of a block.
    key: Option<Key<K>>,
    /// Whether it stands at the last value of a block, which was passed: what is behind it is to be read.
    is_behind_block: bool,
    /// The block that was last asked whether it has anything that is wanted, and the answer.
    asked: Option<(BlockNumber, bool)>,
}

impl<const K: usize> Head<K> {
    /// Whether the values that the source stands in have the numbers that are wanted in none of their payloads.
    fn is_left_out(&mut self, wanted: &[Wanted]) -> bool {
        let Some((number, values)) = self.source.block() else { return false };
        if let Some((_, is_left_out)) = self.asked.filter(|(asked, _)| *asked == number) {
            return is_left_out;
        }
        let is_left_out = wanted.iter().any(|Wanted { lane, ranges }| {
            let within = |(min, max)| {
                let at = ranges.partition_point(|range| range.1 < min);
                ranges.get(at).is_some_and(|range| range.0 <= max)
            };
            !values.lane_bounds(*lane).is_none_or(within)
        });
        self.asked = Some((number, is_left_out));
        is_left_out
    }
}

/// What is wanted of a lane of payloads: a number in one of the ranges.
struct Wanted {
    lane: PayloadLane,
    /// In ascending order, both ends included.
    ranges: Arc<[(u64, u64)]>,
}

/// Where a scan goes on.
struct Nearest<const K: usize> {
    /// The number of the newest head that stands there.
    lead: usize,
    key: Key<K>,
    /// The nearest key of the others.
    bound: Option<Key<K>>,
}

/// What is promised by who asks for a value.
const STANDS: &str = "a scan is asked for a value where it stands at one";

/// The merged scan.
pub(super) struct MergeScan<const K: usize> {
    version: Arc<TreeVersion<K>>,
    min: Key<K>,
    max: Key<K>,
    direction: Direction,
    /// Newest first.
    heads: Vec<Head<K>>,
    /// Whether any head is behind a block.
    is_behind_block: bool,
    state: State,
    stretch: Stretch<K>,
    removed: Removed,
    wanted: Vec<Wanted>,
    /// Value blocks that were looked into.
    blocks: u64,
}

#[derive(Clone)]
enum State {
    /// The sources are not positioned yet.
    New,
    Running,
    Failed(ReadError),
}

impl<const K: usize> MergeScan<K> {
    pub(super) fn new(
        version: Arc<TreeVersion<K>>,
        min: Key<K>,
        max: Key<K>,
        direction: Direction,
    ) -> Self {
        let payload_width = version.meta().payload_width;
        MergeScan {
            version,
            min,
            max,
            direction,
            heads: Vec::new(),
            is_behind_block: false,
            state: State::New,
            stretch: Stretch::new(payload_width, direction),
            removed: Removed::new(),
            wanted: Vec::new(),
            blocks: 0,
        }
    }

    fn start(&mut self) -> Result<(), ReadError> {
        self.state = State::Running;
        if self.min > self.max {
            return Ok(());
        }
        let from = match self.direction {
            Direction::Ascending => self.min,
            Direction::Descending => self.max,
        };
        let version = self.version.clone();
        let runs = version.runs_newest_first();
        let runs = runs.map(|run| Source::Run { run: run.clone(), at: 0 });
        let levels = (0..version.levels().count()).map(|level| Source::Level {
            level,
            table: 0,
            block: 0,
            values: None,
            at: 0,
        });
        for mut source in runs.chain(levels) {
            let key = source.seek(&version, &from, self.direction, &mut self.blocks)?;
            let key = self.within(key);
            if key.is_some() {
                self.heads.push(Head { source, key, is_behind_block: false, asked: None });
            }
        }
        Ok(())
    }

    /// Nothing outside of the range.
    fn within(&self, key: Option<Key<K>>) -> Option<Key<K>> {
        key.filter(|key| self.min <= *key && *key <= self.max)
    }

    /// Goes to the value behind the stretch.
    fn advance_beyond(&mut self) -> Result<bool, ReadError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let result = match self.state {
            State::New => self.start().and_then(|()| self.step()),
            _ => self.step(),
        };
        result.inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// Makes the next values the stretch; `false` if there are none.
    fn step(&mut self) -> Result<bool, ReadError> {
        let wanted = self.stretch.begin();
        let mut is_removed = false;
        while self.stretch.len() < wanted {
            // What stands in the stretch is read later, so the blocks that have it stay.
            if self.is_behind_block || is_removed {
                if self.stretch.len() > 0 {
                    break;
                }
                self.read_next_blocks()?;
                if std::mem::take(&mut is_removed) {
                    self.skip_removed()?;
                }
            }
            let Some(Nearest { lead, key, bound }) = self.nearest() else { break };
            let head = &mut self.heads[lead];
            if bound == Some(key) || head.source.is_tombstone() {
                match self.add_one(lead, &key) {
                    Ok(lives) => is_removed = !lives && self.removed.add(),
                    // What lies before it is given first.
                    Err(error) if self.stretch.len() > 0 => {
                        self.state = State::Failed(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
                continue;
            }
            let left_out = !self.wanted.is_empty() && head.is_left_out(&self.wanted);
            let values = match left_out {
                true => head.source.len(),
                false => wanted - self.stretch.len(),
            };
            let range = (&self.min, &self.max);
            let positions = head.source.stretch(self.direction, values, range, bound.as_ref());
            self.pass(lead, &positions);
            if !left_out {
                self.stretch.add(lead, positions);
            }
            self.removed.end();
        }
        let heads = &self.heads;
        Ok(self.stretch.finish(|piece, keys, scratch| {
            heads[piece.source].source.append_keys(piece.positions.clone(), keys, scratch);
        }))
    }

    /// Adds what the sources have together under a key, of which `lead` is the newest, to the stretch, unless it is left
    /// out; `false` if that is nothing.
    fn add_one(&mut self, lead: usize, key: &Key<K>) -> Result<bool, ReadError> {
        let left_out = !self.wanted.is_empty() && self.heads[lead].is_left_out(&self.wanted);
        let place = self.heads[lead].source.at();
        let lives = self.pass_key(lead, key)?;
        if lives {
            self.removed.end();
            if !left_out {
                self.stretch.add(lead, place..place + 1);
            }
        }
        Ok(lives)
    }

    /// Goes beyond a key, of which `lead` is the newest source; whether it lives.
    fn pass_key(&mut self, lead: usize, key: &Key<K>) -> Result<bool, ReadError> {
        let is_tombstone = self.heads[lead].source.is_tombstone();
        let mut net = 0;
        for at in lead..self.heads.len() {
            let head = &self.heads[at];
            if head.key == Some(*key) {
                net += if head.source.is_tombstone() { -1 } else { 1 };
                let place = head.source.at();
                self.pass(at, &(place..place + 1));
            }
        }
        match self.version.meta().usage {
            // The newest is what counts.
            Usage::Map => Ok(!is_tombstone),
            Usage::Set if net != 0 && net != 1 => {
                let what = "entry, which was put or removed twice in a row,";
                Err(self.version.damaged_at(key, Damage::Invalid { what }))
            }
            Usage::Set => Ok(net == 1),
        }
    }

    /// Has a head go beyond values at these positions.
    fn pass(&mut self, number: usize, positions: &Range<usize>) {
        let passed = self.heads[number].source.pass(positions, self.direction);
        let key = match passed {
            Passed::At(key) => self.within(Some(key)),
            Passed::EndOfBlock | Passed::End => None,
        };
        let head = &mut self.heads[number];
        head.key = key;
        head.is_behind_block = matches!(passed, Passed::EndOfBlock);
        self.is_behind_block |= head.is_behind_block;
    }

    /// Reads what is behind the blocks that were passed.
    fn read_next_blocks(&mut self) -> Result<(), ReadError> {
        for number in 0..self.heads.len() {
            let head = &mut self.heads[number];
            if head.is_behind_block {
                let key = head.source.next(&self.version, self.direction, &mut self.blocks)?;
                head.is_behind_block = false;
                self.heads[number].key = self.within(key);
            }
        }
        self.is_behind_block = false;
        Ok(())
    }

    /// Where the scan goes on; `None` at its end. No head is behind a block.
    fn nearest(&self) -> Option<Nearest<K>> {
        let mut nearest: Option<Nearest<K>> = None;
        let is_before = |one: &Key<K>, other: &Key<K>| match self.direction {
            Direction::Ascending => one < other,
            Direction::Descending => one > other,
        };
        for (number, head) in self.heads.iter().enumerate() {
            let Some(key) = head.key else { continue };
            match &mut nearest {
                Some(first) if !is_before(&key, &first.key) => {
                    if first.bound.is_none_or(|bound| is_before(&key, &bound)) {
                        first.bound = Some(key);
                    }
                }
                _ => {
                    let bound = nearest.map(|first| first.key);
                    nearest = Some(Nearest { lead: number, key, bound });
                }
            }
        }
        nearest
    }

    /// Goes on as far as nothing lives, or as far as that is easily told.
    #[cold]
    #[inline(never)]
    fn skip_removed(&mut self) -> Result<(), ReadError> {
        let mut attempt = self.removed.attempt();
        while let Some(distance) = attempt.distance() {
            let Some(Nearest { key: from, .. }) = self.nearest() else { break };
            let usage = self.version.meta().usage;
            let end = match usage {
                Usage::Set => self.end_of_pairs(&from, distance),
                Usage::Map => self.end_of_tombstones(&from),
            };
            match end {
                Some(end) => {
                    self.go_beyond(&end)?;
                    attempt.skipped();
                }
                None if usage == Usage::Set => attempt.failed(),
                None => attempt.stop(),
            }
        }
        self.removed.finish(&attempt);
        Ok(())
    }

    /// A key of a set tree, about so many values ahead, up to which nothing lives; `None` if something does, or if
    /// blocks would have to be read to know.
    fn end_of_pairs(&self, from: &Key<K>, distance: usize) -> Option<Key<K>> {
        let there = self.heads.iter().filter(|head| head.key == Some(*from));
        let ahead =
            there.filter_map(|head| head.source.key_ahead(&self.version, self.direction, distance));
        let (end, low, high) = match self.direction {
            Direction::Ascending => {
                let end = ahead.max()?.min(self.max);
                (end, *from, end)
            }
            Direction::Descending => {
                let end = ahead.min()?.max(self.min);
                (end, end, *from)
            }
        };
        // In a forged block keys may go back.
        let goes_on = low < high;
        let live = goes_on.then(|| self.version.count_at_hand(&low, &high)).flatten()?;
        (live == 0 || defect!(LiveEntriesSkipped)).then_some(end)
    }

    /// The key of a map tree up to which the newest of the sources that stand at `from` has a tombstone for each
    /// number, and no newer source has anything; `None` if that is near.
    fn end_of_tombstones(&self, from: &Key<K>) -> Option<Key<K>> {
        let newest = self.heads.iter().position(|head| head.key == Some(*from))?;
        let mut end = self.heads[newest].source.end_of_tombstones(self.direction)?;
        for key in self.heads[..newest].iter().filter_map(|head| head.key) {
            // All of them have other keys than `from`, and share its limbs but the last if they lie before `end`.
            end = match self.direction {
                Direction::Ascending if key <= end => predecessor(&key)?,
                Direction::Descending if key >= end => successor(&key)?,
                _ => end,
            };
        }
        (end[K - 1].abs_diff(from[K - 1]) >= SKIPPED_MIN as u64).then_some(end)
    }

    /// Has all heads go to what lies behind `end`. None goes back afterwards, whatever a forged block says, so that
    /// scans of it end.
    fn go_beyond(&mut self, end: &Key<K>) -> Result<(), ReadError> {
        let target = match self.direction {
            Direction::Ascending => successor(end),
            Direction::Descending => predecessor(end),
        };
        match (&target, self.direction) {
            (Some(target), Direction::Ascending) => self.min = self.min.max(*target),
            (Some(target), Direction::Descending) => self.max = self.max.min(*target),
            (None, _) => {}
        }
        for at in 0..self.heads.len() {
            let is_behind = match (self.heads[at].key, self.direction) {
                (Some(key), Direction::Ascending) => key > *end,
                (Some(key), Direction::Descending) => key < *end,
                (None, _) => true,
            };
            if is_behind {
                continue;
            }
            let source = &mut self.heads[at].source;
            let found = match &target {
                Some(target) => {
                    source.seek(&self.version, target, self.direction, &mut self.blocks)?
                }
                None => None,
            };
            self.heads[at].key = self.within(found);
        }
        Ok(())
    }

    fn try_seek(&mut self, key: &Key<K>) -> Result<(), ReadError> {
        match self.direction {
            Direction::Ascending => self.min = self.min.max(*key),
            Direction::Descending => self.max = self.max.min(*key),
        }
        if matches!(self.state, State::New) || self.stretch.seek(key) {
            return Ok(());
        }
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        for at in 0..self.heads.len() {
            let head = &mut self.heads[at];
            let last = match head.is_behind_block {
                // It does not go back: what was passed may have been removed or left out.
                true => Some(head.source.key(head.source.at())),
                false => head.key,
            };
            let is_before = last.is_some_and(|last| match self.direction {
                Direction::Ascending => last < *key,
                Direction::Descending => last > *key,
            });
            if is_before {
                let found =
                    head.source.seek(&self.version, key, self.direction, &mut self.blocks)?;
                head.is_behind_block = false;
                self.heads[at].key = self.within(found);
            }
        }
        self.is_behind_block = self.heads.iter().any(|head| head.is_behind_block);
        Ok(())
    }
}

/// Payloads of the values of all heads.
impl<const K: usize> ReadPayloads for [Head<K>] {
    fn read_payloads(
        &self,
        (source, positions): (usize, Range<usize>),
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    ) {
        self[source].source.read_payloads(positions, parts, payloads, scratch);
    }

    fn read_payload(&self, source: usize, at: usize, payload: &mut [u8]) {
        self[source].source.read_payload(at, payload);
    }

    fn read_numbers(
        &self,
        (source, positions): (usize, Range<usize>),
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        self[source].source.read_numbers(positions, lane, numbers)
    }
}

impl<const K: usize> Scan for MergeScan<K> {
    #[inline]
    fn advance(&mut self) -> Result<bool, ReadError> {
        // A scan that failed may have values that lie before the failure.
        if self.stretch.advance() {
            return Ok(true);
        }
        self.advance_beyond()
    }

    fn seek(&mut self, key: &[u64]) -> Result<(), ReadError> {
        let result = self.try_seek(&limbs_to_key(key));
        result.inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    fn key(&self) -> &[u64] {
        self.stretch.key().expect(STANDS)
    }

    fn value(&mut self) -> (&[u64], &[u8]) {
        let (key, payload) = self.stretch.value(&self.heads[..]).expect(STANDS);
        (key, payload)
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        self.stretch.test(parts);
    }

    fn tested(&mut self) -> &[u8] {
        self.stretch.tested(&self.heads[..]).expect(STANDS)
    }

    fn at_hand(&self) -> &[u64] {
        self.stretch.at_hand().expect(STANDS).as_flattened()
    }

    fn tested_at_hand(&mut self) -> &[u8] {
        self.stretch.tested_at_hand(&self.heads[..]).expect(STANDS)
    }

    fn numbers_at_hand(&mut self, lane: PayloadLane, numbers: &mut Vec<u64>) -> Option<u64> {
        self.stretch.numbers(lane, &self.heads[..], numbers)
    }

    fn skip(&mut self, rows: usize) {
        if rows > 0 {
            self.stretch.skip(rows);
        }
    }

    fn leave_out(&mut self, lane: PayloadLane, wanted: Arc<[(u64, u64)]>) {
        self.wanted.push(Wanted { lane, ranges: wanted });
    }

    fn blocks(&self) -> u64 {
        self.blocks
    }
}
