//! A scan over a range of one tree: the runs in memory and the levels, merged.
//!
//! 1. Each source (a run, or a level, whose tables are disjoint) stands at its next key.
//! 2. The lowest of these keys (the highest, if descending) is next; of a map tree the newest
//!    source's value counts, of a set tree the sum of puts and tombstones.
//! 3. Sources are few (a run per power of two, a level per power of eight), so the next key is found
//!    by looking at all of them.
//! 4. Values of one source that no other has a say in are a [`Stretch`], of one value if sources are interleaved: its
//!    payload stays where it is, and is read as far as somebody asks for it.
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

mod source;

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use crate::error::{Damage, ReadError};
use crate::memory::{Key, Usage, limbs_to_key};
use crate::table::PayloadLane;

use super::read::{Direction, Scan};
use super::removed::{Removed, SKIPPED_MIN, predecessor, successor};
use super::stretch::Stretch;
use super::version::TreeVersion;
use source::{BlockNumber, Source};

struct Head<const K: usize> {
    source: Source<K>,
    /// The key that the source stands at; `None` at its end.
    key: Option<Key<K>>,
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

/// The merged scan.
pub(super) struct MergeScan<const K: usize> {
    version: Arc<TreeVersion<K>>,
    min: Key<K>,
    max: Key<K>,
    direction: Direction,
    /// Newest first.
    heads: Vec<Head<K>>,
    state: State,
    /// The key of the current value, if that is in no stretch: it has no payload then.
    key: Key<K>,
    stretch: Stretch<K>,
    /// The number of the head that stands at the last value of the stretch, and is to go on from there.
    lead: Option<usize>,
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
            state: State::New,
            key: [0; K],
            stretch: Stretch::new(payload_width, direction),
            lead: None,
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
                self.heads.push(Head { source, key, asked: None });
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

    fn step(&mut self) -> Result<bool, ReadError> {
        if let Some(lead) = self.lead.take() {
            self.step_head(lead)?;
        }
        loop {
            let Some(next) = self.next_key() else { return Ok(false) };
            if !self.wanted.is_empty() && self.leave_out_from(&next)? {
                self.removed.end();
                continue;
            }
            if let Some(values) = self.stretch.next_values()
                && self.begin_stretch(&next, values)
            {
                self.removed.end();
                return Ok(true);
            }
            // Newest first: the first value is the one that counts in a map tree.
            let usage = self.version.meta().usage;
            let (mut newest, mut net) = (None, 0);
            for at in 0..self.heads.len() {
                if self.heads[at].key != Some(next) {
                    continue;
                }
                let tombstone = self.heads[at].source.is_tombstone();
                net += if tombstone { -1 } else { 1 };
                if newest.is_none() {
                    newest = Some((at, tombstone));
                    if usage == Usage::Map && !tombstone {
                        // It stays there: its payload is read if somebody asks for it.
                        continue;
                    }
                }
                self.step_head(at)?;
            }
            match (usage, newest) {
                (Usage::Map, Some((lead, false))) => {
                    self.removed.end();
                    self.heads[lead].source.fill_one(&mut self.stretch);
                    self.lead = Some(lead);
                    return Ok(true);
                }
                (Usage::Set, _) if net == 1 => {
                    self.removed.end();
                    self.key = next;
                    return Ok(true);
                }
                (Usage::Set, _) if net != 0 => {
                    let what = "entry, which was put or removed twice in a row,";
                    return Err(self.version.damaged_at(&next, Damage::Invalid { what }));
                }
                _ => {}
            }
            if self.removed.add() {
                self.skip_removed()?;
            }
        }
    }

    /// Has the head with this number go to its next value.
    fn step_head(&mut self, number: usize) -> Result<(), ReadError> {
        let source = &mut self.heads[number].source;
        let key = source.next(&self.version, self.direction, &mut self.blocks)?;
        self.heads[number].key = self.within(key);
        Ok(())
    }

    /// The nearest of the keys that the heads stand at.
    fn next_key(&self) -> Option<Key<K>> {
        let keys = self.heads.iter().filter_map(|head| head.key);
        match self.direction {
            Direction::Ascending => keys.min(),
            Direction::Descending => keys.max(),
        }
    }

    /// Goes on as far as nothing lives, or as far as that is easily told.
    #[cold]
    #[inline(never)]
    fn skip_removed(&mut self) -> Result<(), ReadError> {
        let mut attempt = self.removed.attempt();
        while let Some(distance) = attempt.distance() {
            let Some(from) = self.next_key() else { break };
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

    /// The number of the newest head that stands at `next`, and the nearest key of the others.
    fn lead(&self, next: &Key<K>) -> Option<(usize, Option<Key<K>>)> {
        let (mut lead, mut bound) = (None, None);
        for (number, head) in self.heads.iter().enumerate() {
            match head.key {
                Some(key) if key == *next && lead.is_none() => lead = Some(number),
                Some(key) => {
                    let first = bound.get_or_insert(key);
                    *first = match self.direction {
                        Direction::Ascending => key.min(*first),
                        Direction::Descending => key.max(*first),
                    };
                }
                None => {}
            }
        }
        lead.map(|lead| (lead, bound))
    }

    /// Goes beyond the values from `next` on, as far as no other source has a say in them, if their block has nothing
    /// that is wanted.
    fn leave_out_from(&mut self, next: &Key<K>) -> Result<bool, ReadError> {
        let Some((number, bound)) = self.lead(next) else { return Ok(false) };
        let head = &mut self.heads[number];
        if !head.is_left_out(&self.wanted) {
            return Ok(false);
        }
        let (min, max) = (&self.min, &self.max);
        let all = head.source.len();
        let positions = head.source.stretch(self.direction, all, (min, max), bound.as_ref());
        if positions.is_empty() {
            return Ok(false);
        }
        head.source.stand_at_last(&positions, self.direction);
        self.step_head(number)?;
        Ok(true)
    }

    /// Unpacks up to so many values, of which `next` is the first; `false` if it is to be unpacked alone.
    fn begin_stretch(&mut self, next: &Key<K>, values: usize) -> bool {
        let Some((number, bound)) = self.lead(next) else { return false };
        let (min, max) = (&self.min, &self.max);
        let source = &mut self.heads[number].source;
        let positions = source.stretch(self.direction, values, (min, max), bound.as_ref());
        if positions.len() < 2 {
            self.stretch.fail();
            return false;
        }
        let last = source.fill(&mut self.stretch, positions, self.direction);
        self.heads[number].key = Some(last);
        self.lead = Some(number);
        true
    }

    fn try_seek(&mut self, key: &Key<K>) -> Result<(), ReadError> {
        match self.direction {
            Direction::Ascending => self.min = self.min.max(*key),
            Direction::Descending => self.max = self.max.min(*key),
        }
        if matches!(self.state, State::New) || self.stretch.seek(key) {
            return Ok(());
        }
        let lead = self.lead.take();
        for at in 0..self.heads.len() {
            let behind = match (self.heads[at].key, self.direction) {
                (Some(head), Direction::Ascending) => head < *key,
                (Some(head), Direction::Descending) => head > *key,
                (None, _) => false,
            };
            if !behind && lead == Some(at) {
                // It stands at the last value of the stretch, which was given.
                self.step_head(at)?;
            } else if behind {
                let source = &mut self.heads[at].source;
                let found = source.seek(&self.version, key, self.direction, &mut self.blocks)?;
                self.heads[at].key = self.within(found);
            }
        }
        Ok(())
    }
}

impl<const K: usize> Scan for MergeScan<K> {
    #[inline]
    fn advance(&mut self) -> Result<bool, ReadError> {
        // A scan that failed has no stretch.
        if self.stretch.advance() {
            return Ok(true);
        }
        self.advance_beyond()
    }

    fn seek(&mut self, key: &[u64]) -> Result<(), ReadError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let result = self.try_seek(&limbs_to_key(key));
        result.inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    fn key(&self) -> &[u64] {
        self.stretch.key().unwrap_or(&self.key)
    }

    fn value(&mut self) -> (&[u64], &[u8]) {
        let source = self.lead.map(|lead| &self.heads[lead].source);
        let (key, payload) =
            source.and_then(|source| self.stretch.value(source)).unwrap_or((&self.key, &[]));
        (key, payload)
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        self.stretch.test(parts);
    }

    fn tested(&mut self) -> &[u8] {
        let source = self.lead.map(|lead| &self.heads[lead].source);
        source.and_then(|source| self.stretch.tested(source)).unwrap_or(&[])
    }

    fn at_hand(&self) -> &[u64] {
        self.stretch.at_hand().unwrap_or(slice::from_ref(&self.key)).as_flattened()
    }

    fn tested_at_hand(&mut self) -> &[u8] {
        let source = self.lead.map(|lead| &self.heads[lead].source);
        source.and_then(|source| self.stretch.tested_at_hand(source)).unwrap_or(&[])
    }

    fn numbers_at_hand(&mut self, lane: PayloadLane, numbers: &mut Vec<u64>) -> Option<u64> {
        let lead = self.lead.expect("a row is a value of a source");
        self.stretch.numbers(lane, &self.heads[lead].source, numbers)
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
