//! What a scan goes through: the values of a run, or of a level, one block at a time.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use crate::error::ReadError;
use crate::memory::{Key, Run};
use crate::search;
use crate::table::{PayloadLane, TableIndex, ValueBlock};
use crate::tree::read::Direction;
use crate::tree::removed::SKIPPED_MIN;
use crate::tree::version::TreeVersion;

/// The number of a table in its level, and of a block in the table.
pub(super) type BlockNumber = (usize, usize);

/// A run, or a level: values in order.
pub(super) enum Source<const K: usize> {
    Run { run: Arc<Run<K>>, at: usize },
    Level { level: usize, table: usize, block: usize, values: Option<ValueBlock<K>>, at: usize },
}

/// Where a source stands behind values that were passed.
pub(super) enum Passed<const K: usize> {
    At(Key<K>),
    /// At the last of them: [`Source::next`] reads the next block, if there is one.
    EndOfBlock,
    End,
}

impl<const K: usize> Source<K> {
    pub(super) fn is_tombstone(&self) -> bool {
        match self {
            Source::Run { at, .. } | Source::Level { at, .. } => self.is_tombstone_at(*at),
        }
    }

    /// The positions of up to so many values, from that on where it stands, which is no tombstone, that nothing stands
    /// between: no tombstone, no key of another source, which has `bound` next, and no end of the range.
    pub(super) fn stretch(
        &self,
        direction: Direction,
        values: usize,
        (min, max): (&Key<K>, &Key<K>),
        bound: Option<&Key<K>>,
    ) -> Range<usize> {
        let (length, at) = self.place();
        match direction {
            Direction::Ascending => {
                let is_within = |at: usize| {
                    let key = self.key(at);
                    key <= *max && bound.is_none_or(|end| key < *end)
                };
                let end = length.min(at + values);
                let end = match end == at + 1 || is_within(end - 1) {
                    true => end,
                    // Where sources are interleaved, it is near.
                    false => search::gallop(at + 1, end - 1, 1, is_within),
                };
                if !self.has_tombstones() {
                    return at..end;
                }
                at..(at..end).find(|at| self.is_tombstone_at(*at)).unwrap_or(end)
            }
            Direction::Descending => {
                let is_behind = |at: usize| {
                    let key = self.key(at);
                    key < *min || bound.is_some_and(|end| key <= *end)
                };
                let begin = (at + 1).saturating_sub(values);
                let begin = match begin == at || !is_behind(begin) {
                    true => begin,
                    false => search::gallop_back(begin + 1, at, 1, is_behind),
                };
                if !self.has_tombstones() {
                    return begin..at + 1;
                }
                let tombstone = (begin..at + 1).rev().find(|at| self.is_tombstone_at(*at));
                tombstone.map_or(begin, |tombstone| tombstone + 1)..at + 1
            }
        }
    }

    /// Appends the keys at these positions, with memory to use again.
    pub(super) fn append_keys(
        &self,
        positions: Range<usize>,
        keys: &mut Vec<Key<K>>,
        scratch: &mut Vec<u64>,
    ) {
        match self {
            Source::Run { run, .. } => keys.extend_from_slice(&run.keys()[positions]),
            Source::Level { .. } if positions.len() == 1 => keys.push(self.key(positions.start)),
            Source::Level { values, .. } => {
                let values = values.as_ref().expect("the source stands at a value");
                values.unpack_keys(positions, keys, scratch);
            }
        }
    }

    /// Goes beyond these positions, as far as nothing has to be read for that.
    pub(super) fn pass(&mut self, positions: &Range<usize>, direction: Direction) -> Passed<K> {
        let length = self.len();
        let (last, next) = match direction {
            Direction::Ascending => {
                (positions.end - 1, Some(positions.end).filter(|next| *next < length))
            }
            Direction::Descending => (positions.start, positions.start.checked_sub(1)),
        };
        let is_run = matches!(self, Source::Run { .. });
        match self {
            Source::Run { at, .. } | Source::Level { at, .. } => *at = next.unwrap_or(last),
        }
        match next {
            Some(next) => Passed::At(self.key(next)),
            None if is_run => Passed::End,
            None => Passed::EndOfBlock,
        }
    }

    /// The position where it stands.
    pub(super) fn at(&self) -> usize {
        self.place().1
    }

    /// The block at hand, and which one of the level it is; `None` of a run.
    pub(super) fn block(&self) -> Option<(BlockNumber, &ValueBlock<K>)> {
        match self {
            Source::Run { .. } => None,
            Source::Level { table, block, values, .. } => {
                values.as_ref().map(|values| ((*table, *block), values))
            }
        }
    }

    /// How many values the run or block at hand has.
    pub(super) fn len(&self) -> usize {
        self.place().0
    }

    pub(super) fn key(&self, at: usize) -> Key<K> {
        match self {
            Source::Run { run, .. } => run.keys()[at],
            Source::Level { values, .. } => {
                values.as_ref().expect("the source stands at a value").key(at)
            }
        }
    }

    /// The key so many values ahead, or about as many, if it goes on for a while: within the run or table.
    pub(super) fn key_ahead(
        &self,
        version: &TreeVersion<K>,
        direction: Direction,
        distance: usize,
    ) -> Option<Key<K>> {
        let (length, at) = self.place();
        let here = match direction {
            Direction::Ascending => length - 1 - at,
            Direction::Descending => at,
        };
        if let Source::Level { level, .. } = self
            && here < distance
            && let Some(key) =
                version.levels().key_ahead(*level, &self.key(at), direction, distance)
        {
            return Some(key);
        }
        let steps = distance.min(here);
        (steps >= SKIPPED_MIN).then(|| match direction {
            Direction::Ascending => self.key(at + steps),
            Direction::Descending => self.key(at - steps),
        })
    }

    /// The last key up to which there are tombstones only, each by one from the one before; within the run or block.
    pub(super) fn end_of_tombstones(&self, direction: Direction) -> Option<Key<K>> {
        let (length, at) = self.place();
        let from = self.key(at);
        let is_removed = |steps: usize| {
            let (positions, key) = match direction {
                Direction::Ascending => (at..at + steps + 1, self.key(at + steps)),
                Direction::Descending => (at - steps..at + 1, self.key(at - steps)),
            };
            let off = match direction {
                Direction::Ascending => key[K - 1].checked_sub(from[K - 1]),
                Direction::Descending => from[K - 1].checked_sub(key[K - 1]),
            };
            key[..K - 1] == from[..K - 1]
                && off == Some(steps as u64)
                && self.net_count(positions) == -(steps as i64 + 1)
        };
        let most = match direction {
            Direction::Ascending => length - 1 - at,
            Direction::Descending => at,
        };
        let steps = search::gallop(0, most + 1, 1, is_removed).checked_sub(1)?;
        Some(match direction {
            Direction::Ascending => self.key(at + steps),
            Direction::Descending => self.key(at - steps),
        })
    }

    /// How many values the run or block at hand has, and the position of the current one.
    fn place(&self) -> (usize, usize) {
        match self {
            Source::Run { run, at } => (run.len(), *at),
            Source::Level { values, at, .. } => (values.as_ref().map_or(0, ValueBlock::len), *at),
        }
    }

    /// Puts minus tombstones at these positions.
    fn net_count(&self, positions: Range<usize>) -> i64 {
        match self {
            Source::Run { run, .. } => run.net_count(positions),
            Source::Level { values, .. } => {
                values.as_ref().expect("the source stands at a value").net_count(positions)
            }
        }
    }

    fn has_tombstones(&self) -> bool {
        match self {
            Source::Run { run, .. } => run.has_tombstones(),
            Source::Level { values, .. } => {
                values.as_ref().expect("the source stands at a value").has_tombstones()
            }
        }
    }

    fn is_tombstone_at(&self, at: usize) -> bool {
        match self {
            Source::Run { run, .. } => run.is_tombstone(at),
            Source::Level { values, .. } => {
                values.as_ref().expect("the source stands at a value").is_tombstone(at)
            }
        }
    }

    /// Goes to the first key at or beyond `key` in the scan's direction.
    pub(super) fn seek(
        &mut self,
        version: &TreeVersion<K>,
        key: &Key<K>,
        direction: Direction,
        blocks: &mut u64,
    ) -> Result<Option<Key<K>>, ReadError> {
        match self {
            Source::Run { run, at } => {
                let found = match direction {
                    Direction::Ascending => Some(run.lower_bound(key)),
                    Direction::Descending => run.upper_bound(key).checked_sub(1),
                };
                let found = found.filter(|found| *found < run.len());
                *at = found.unwrap_or(run.len());
                Ok(found.map(|found| run.keys()[found]))
            }
            Source::Level { level, table, block, values, at } => {
                let tables = version.levels().level(*level);
                // Within the block at hand the answer needs no other one.
                if let Some(held) = values {
                    let inside = held.key(0) <= *key && *key <= held.key(held.len() - 1);
                    if inside {
                        let found = match direction {
                            Direction::Ascending => Some(held.lower_bound(key)),
                            Direction::Descending => last_at_most(held, key),
                        };
                        *at = found.unwrap_or(0).min(held.len() - 1);
                        return Ok(Some(held.key(*at)));
                    }
                }
                *values = None;
                let target = match direction {
                    Direction::Ascending => tables.partition_point(|table| table.key_max < *key),
                    Direction::Descending => {
                        match tables.partition_point(|table| table.key_min <= *key).checked_sub(1) {
                            Some(target) => target,
                            None => return Ok(None),
                        }
                    }
                };
                let Some(found) = tables.get(target) else { return Ok(None) };
                let index = found.index(version.grid(), version.meta())?;
                // The last block, if a descending scan comes from beyond the table's end.
                let target_block = index.block_at(key).min(index.blocks.len() - 1);
                let held = read_block(version, index, target_block)?;
                *blocks += 1;
                let position = match direction {
                    Direction::Ascending => Some(held.lower_bound(key)),
                    Direction::Descending => last_at_most(&held, key),
                };
                *table = target;
                *block = target_block;
                match position {
                    Some(position) if position < held.len() => {
                        let found = held.key(position);
                        *at = position;
                        *values = Some(held);
                        Ok(Some(found))
                    }
                    // Descending into the gap before a block: the block before ends below the key.
                    _ => {
                        *at = 0;
                        *values = Some(held);
                        self.next(version, direction, blocks)
                    }
                }
            }
        }
    }

    /// Goes one value on.
    pub(super) fn next(
        &mut self,
        version: &TreeVersion<K>,
        direction: Direction,
        blocks: &mut u64,
    ) -> Result<Option<Key<K>>, ReadError> {
        match self {
            Source::Run { run, at } => {
                let next = match direction {
                    Direction::Ascending => Some(*at + 1).filter(|next| *next < run.len()),
                    Direction::Descending => at.checked_sub(1),
                };
                *at = next.unwrap_or(run.len());
                Ok(next.map(|next| run.keys()[next]))
            }
            Source::Level { level, table, block, values, at } => {
                let held = values.as_ref().expect("the source stands at a value");
                let next = match direction {
                    Direction::Ascending => Some(*at + 1).filter(|next| *next < held.len()),
                    Direction::Descending => at.checked_sub(1),
                };
                if let Some(next) = next {
                    *at = next;
                    return Ok(Some(held.key(next)));
                }
                let tables = version.levels().level(*level);
                let index = tables[*table].index(version.grid(), version.meta())?;
                let within = match direction {
                    Direction::Ascending => Some(*block + 1).filter(|at| *at < index.blocks.len()),
                    Direction::Descending => block.checked_sub(1),
                };
                *values = None;
                let index = match within {
                    Some(next) => {
                        *block = next;
                        index
                    }
                    None => {
                        let next = match direction {
                            Direction::Ascending => *table + 1,
                            Direction::Descending => match table.checked_sub(1) {
                                Some(next) => next,
                                None => return Ok(None),
                            },
                        };
                        let Some(found) = tables.get(next) else { return Ok(None) };
                        let index = found.index(version.grid(), version.meta())?;
                        *table = next;
                        *block = match direction {
                            Direction::Ascending => 0,
                            Direction::Descending => index.blocks.len() - 1,
                        };
                        index
                    }
                };
                let held = read_block(version, index, *block)?;
                *blocks += 1;
                *at = match direction {
                    Direction::Ascending => 0,
                    Direction::Descending => held.len() - 1,
                };
                if defect!(DescendingScanSkips) && direction == Direction::Descending {
                    *at = at.saturating_sub(1);
                }
                let key = held.key(*at);
                *values = Some(held);
                Ok(Some(key))
            }
        }
    }
}

/// What [`MergeScan::count`](super::MergeScan::count) asks of a source.
impl<const K: usize> Source<K> {
    /// From the end of a block to the next one that has a key at or behind `bound`, or behind `max`, in ascending order;
    /// and how many values of those in between are no tombstones. Blocks are passed by what their index says, and tables
    /// by their records.
    pub(super) fn next_block_not_before(
        &mut self,
        version: &TreeVersion<K>,
        bound: Option<&Key<K>>,
        max: &Key<K>,
        blocks: &mut u64,
    ) -> Result<(u64, Option<Key<K>>), ReadError> {
        let Source::Level { level, table, block, values, at } = self else {
            unreachable!("a run has no blocks")
        };
        let is_before = |last: &Key<K>| last <= max && bound.is_none_or(|bound| last < bound);
        let puts = |count: u64, tombstones: u64| count.saturating_sub(tombstones);
        let tables = version.levels().level(*level);
        let (mut passed, mut next) = (0_u64, *block + 1);
        *values = None;
        while let Some(found) = tables.get(*table) {
            if next == 0 && found.key_min > *max {
                break;
            }
            // All of a table only from its beginning on.
            if next == 0 && is_before(&found.key_max) {
                let count = puts(found.record.count, found.record.tombstone_count);
                passed = passed.saturating_add(count);
                *table += 1;
                continue;
            }
            let index = found.index(version.grid(), version.meta())?;
            while let Some(entry) = index.blocks.get(next)
                && is_before(&index.last_keys[next])
            {
                let count = puts(entry.count.into(), entry.tombstone_count.into());
                passed = passed.saturating_add(count);
                next += 1;
            }
            if next < index.blocks.len() {
                let held = read_block(version, index, next)?;
                *blocks += 1;
                let key = held.key(0);
                (*block, *at, *values) = (next, 0, Some(held));
                return Ok((passed, Some(key)));
            }
            *table += 1;
            next = 0;
        }
        Ok((passed, None))
    }
}

/// What [`ReadPayloads`](crate::tree::stretch::ReadPayloads) asks of a source.
impl<const K: usize> Source<K> {
    pub(super) fn read_payloads(
        &self,
        positions: Range<usize>,
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    ) {
        match self {
            Source::Run { run, .. } => {
                let width = payloads.len() / positions.len();
                if width == 0 {
                    return;
                }
                let whole = 0..width;
                let parts = parts.unwrap_or(slice::from_ref(&whole));
                for (at, payload) in positions.zip(payloads.chunks_exact_mut(width)) {
                    for part in parts {
                        payload[part.clone()].copy_from_slice(&run.payload(at)[part.clone()]);
                    }
                }
            }
            Source::Level { values, .. } => {
                let values = values.as_ref().expect("the source stands at a value");
                values.unpack_payloads(positions, parts, payloads, scratch);
            }
        }
    }

    pub(super) fn read_numbers(
        &self,
        positions: Range<usize>,
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        match self {
            Source::Run { run, .. } => {
                run.each_payload(positions, |payload| numbers.push(lane.read(payload)));
                None
            }
            Source::Level { values, .. } => {
                let values = values.as_ref().expect("the source stands at a value");
                values.unpack_numbers(positions, lane, numbers)
            }
        }
    }

    pub(super) fn read_payload(&self, at: usize, payload: &mut [u8]) {
        match self {
            Source::Run { run, .. } => payload.copy_from_slice(run.payload(at)),
            Source::Level { values, .. } => {
                values.as_ref().expect("the source stands at a value").read_payload(at, payload);
            }
        }
    }
}

fn read_block<const K: usize>(
    version: &TreeVersion<K>,
    index: &TableIndex<K>,
    block: usize,
) -> Result<ValueBlock<K>, ReadError> {
    index.block(block).hold(version.grid(), version.meta())
}

/// The last position whose key is at most `key`.
fn last_at_most<const K: usize>(values: &ValueBlock<K>, key: &Key<K>) -> Option<usize> {
    let at = values.lower_bound(key);
    if at < values.len() && values.key(at) == *key { Some(at) } else { at.checked_sub(1) }
}
