//! Values that a scan gives one after the other out of one source, unpacked together.
//!
//! Value by value, a scan asks each lane of a block for its kind and its frame, and each source whether it is
//! the next. Lane by lane, for as many values as no other source has a say in, both are asked once. Who wants one
//! value should not pay for many, so the first value after a search is unpacked alone, and each
//! stretch is larger than the one before. Keys are unpacked at once, [`StretchPayloads`] when they are asked for.

mod payloads;

use std::ops::Range;

use crate::memory::Key;
use crate::table::PayloadLane;

use super::read::Direction;

pub(super) use payloads::ReadPayloads;
use payloads::StretchPayloads;

/// Values of the first stretch after a search; fewer are unpacked one by one, which costs less.
pub(super) const VALUES_MIN: usize = 8;
/// How many times more values the next stretch has.
const GROWTH: usize = 4;
/// Values of a stretch at the most.
const VALUES_MAX: usize = 128;
/// Bytes of a stretch at the most: what is unpacked should stay in the processor's nearest cache.
const BYTES_MAX: usize = 16 << 10;
/// Values that are unpacked alone, at the most, before the next attempt, where sources are interleaved.
const PAUSE_MAX: usize = 32;

/// Some values, unpacked, and which of them is the current one. Its memory is used again.
pub(super) struct Stretch<const K: usize> {
    /// Ascending, whatever the direction.
    keys: Vec<Key<K>>,
    payloads: StretchPayloads,
    scratch: Vec<u64>,
    /// The current value and those behind it, in the scan's direction. None: there is no current value.
    left: Range<usize>,
    direction: Direction,
    /// Values of the next stretch.
    next_values: usize,
    values_max: usize,
    /// Values that are still to be unpacked alone, and how many are after the next failure.
    pause: usize,
    next_pause: usize,
}

impl<const K: usize> Stretch<K> {
    pub(super) fn new(payload_width: usize, direction: Direction) -> Self {
        Stretch {
            keys: Vec::new(),
            payloads: StretchPayloads::new(payload_width),
            scratch: Vec::new(),
            left: 0..0,
            direction,
            next_values: VALUES_MIN,
            values_max: (BYTES_MAX / (payload_width + size_of::<Key<K>>()))
                .clamp(VALUES_MIN, VALUES_MAX),
            pause: 1,
            next_pause: 1,
        }
    }

    /// After a search: forgets all values, and begins small again.
    pub(super) fn restart(&mut self) {
        self.left = 0..0;
        self.next_values = VALUES_MIN;
        (self.pause, self.next_pause) = (1, 1);
    }

    /// How many values to unpack next, if there are as many; `None` if the next one is to be unpacked alone.
    pub(super) fn next_values(&mut self) -> Option<usize> {
        match self.pause.checked_sub(1) {
            Some(pause) => {
                self.pause = pause;
                None
            }
            None => Some(self.next_values),
        }
    }

    /// Fewer values than [`VALUES_MIN`] come one after the other: the next ones are unpacked alone, more each time.
    pub(super) fn fail(&mut self) {
        self.pause = self.next_pause;
        self.next_pause = PAUSE_MAX.min(2 * self.next_pause);
        self.next_values = VALUES_MIN;
    }

    /// Conditions on these bytes of payloads will be tested too.
    pub(super) fn test(&mut self, parts: &[Range<usize>]) {
        self.payloads.test(parts);
    }

    /// Takes the values at these positions of a source, whose keys `append_keys` appends, with memory to use
    /// again; the first of them in the scan's direction is current.
    pub(super) fn fill(
        &mut self,
        positions: Range<usize>,
        append_keys: impl FnOnce(Range<usize>, &mut Vec<Key<K>>, &mut Vec<u64>),
    ) {
        let values = positions.len();
        self.next_values = match values < self.next_values {
            // So many came before another source.
            true => values.max(VALUES_MIN),
            false => self.values_max.min(GROWTH * values),
        };
        self.next_pause = 1;
        self.keys.clear();
        append_keys(positions.clone(), &mut self.keys, &mut self.scratch);
        self.payloads.restart(positions);
        self.left = 0..values;
    }

    /// Takes one value alone, at this position of its source, which says nothing of those that follow.
    pub(super) fn fill_one(&mut self, position: usize, key: Key<K>) {
        self.keys.clear();
        self.keys.push(key);
        self.payloads.restart(position..position + 1);
        self.left = 0..1;
    }

    /// The current value's place; `None` if there is none.
    #[inline]
    fn at(&self) -> Option<usize> {
        match self.direction {
            _ if self.left.is_empty() => None,
            Direction::Ascending => Some(self.left.start),
            Direction::Descending => Some(self.left.end - 1),
        }
    }

    /// Goes to the next value; `false` if there is none.
    #[inline]
    pub(super) fn advance(&mut self) -> bool {
        match self.direction {
            _ if self.left.is_empty() => {}
            Direction::Ascending => self.left.start += 1,
            Direction::Descending => self.left.end -= 1,
        }
        !self.left.is_empty()
    }

    /// Makes the value before `key`'s place current, so that the next one is the first at or behind it;
    /// `false`, and no value is current, if all lie before it.
    pub(super) fn seek(&mut self, key: &Key<K>) -> bool {
        let Some(at) = self.at() else {
            self.restart();
            return false;
        };
        let keys = &self.keys[self.left.clone()];
        match self.direction {
            // The current value has been given: of those behind it one is next.
            Direction::Ascending if keys[1..].last().is_some_and(|last| last >= key) => {
                self.left.start += keys[1..].partition_point(|before| before < key);
                true
            }
            Direction::Descending
                if keys[..keys.len() - 1].first().is_some_and(|first| first <= key) =>
            {
                let behind = keys[..keys.len() - 1].iter().rev().take_while(|before| *before > key);
                self.left.end = at + 1 - behind.count();
                true
            }
            _ => {
                self.restart();
                false
            }
        }
    }

    /// The current value's key.
    #[inline]
    pub(super) fn key(&self) -> Option<&Key<K>> {
        self.at().map(|at| &self.keys[at])
    }

    /// The current value's key and its payload, which is in `source`; `None` if there is no current value.
    #[inline]
    pub(super) fn value(&mut self, source: &impl ReadPayloads) -> Option<(&Key<K>, &[u8])> {
        self.at().map(|at| (&self.keys[at], self.payloads.get(at, source)))
    }

    /// The keys of the current value and of those behind it; `None` if there is no current value.
    pub(super) fn at_hand(&self) -> Option<&[Key<K>]> {
        (!self.left.is_empty()).then(|| &self.keys[self.left.clone()])
    }

    /// Their payloads, of which only the bytes that are tested hold.
    pub(super) fn tested_at_hand(&mut self, source: &impl ReadPayloads) -> Option<&[u8]> {
        let left = self.left.clone();
        (!left.is_empty()).then(|| self.payloads.tested_of(left, source))
    }

    /// Appends what they have in one lane, or gives it if all have the same.
    pub(super) fn numbers(
        &self,
        lane: PayloadLane,
        source: &impl ReadPayloads,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        self.payloads.numbers_of(self.left.clone(), lane, source, numbers)
    }

    /// Goes so many values further; there are more.
    pub(super) fn skip(&mut self, values: usize) {
        assert!(values < self.left.len(), "values that are at hand are skipped");
        match self.direction {
            Direction::Ascending => self.left.start += values,
            Direction::Descending => self.left.end -= values,
        }
    }

    /// The current value's payload, of which only the bytes that are tested hold.
    #[inline]
    pub(super) fn tested(&mut self, source: &impl ReadPayloads) -> Option<&[u8]> {
        self.at().map(|at| self.payloads.tested(at, source))
    }
}
