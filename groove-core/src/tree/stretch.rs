//! Values that a scan gives one after the other, unpacked together.
//!
//! Value by value, a scan asks each lane of a block for its kind and its frame, and each source whether it is
//! the next. Lane by lane, for as many values as no other source has a say in, both are asked once. Such values are a
//! [`Piece`]; where sources are interleaved, as after updates, a stretch has many. Who wants one
//! value should not pay for many, so the first value after a search is unpacked alone, and each
//! stretch is larger than the one before. Keys are unpacked at once, [`StretchPayloads`] when they are asked for.

mod payloads;

use std::ops::Range;

use crate::memory::Key;
use crate::table::PayloadLane;

use super::read::Direction;

use payloads::StretchPayloads;
pub(super) use payloads::{Piece, ReadPayloads};

/// Values of a stretch at the least, unless it is the first, and how many times more the next one has.
const VALUES_MIN: usize = 8;
const GROWTH: usize = 2;
/// Values of a stretch at the most.
const VALUES_MAX: usize = 128;
/// Bytes of a stretch at the most: what is unpacked should stay in the processor's nearest cache.
const BYTES_MAX: usize = 16 << 10;

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
}

impl<const K: usize> Stretch<K> {
    pub(super) fn new(payload_width: usize, direction: Direction) -> Self {
        Stretch {
            keys: Vec::new(),
            payloads: StretchPayloads::new(payload_width),
            scratch: Vec::new(),
            left: 0..0,
            direction,
            next_values: 1,
            values_max: (BYTES_MAX / (payload_width + size_of::<Key<K>>()))
                .clamp(VALUES_MIN, VALUES_MAX),
        }
    }

    /// After a search: forgets all values, and begins small again.
    pub(super) fn restart(&mut self) {
        self.left = 0..0;
        self.next_values = 1;
    }

    /// Conditions on these bytes of payloads will be tested too.
    pub(super) fn test(&mut self, parts: &[Range<usize>]) {
        self.payloads.test(parts);
    }

    /// Forgets all values, and gives how many to add, if there are as many.
    pub(super) fn begin(&mut self) -> usize {
        self.left = 0..0;
        self.payloads.restart();
        self.next_values
    }

    /// How many values were added.
    pub(super) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Adds the values at these positions of a source: they lie behind those that were added, in the scan's direction.
    pub(super) fn add(&mut self, source: usize, positions: Range<usize>) {
        self.payloads.add(source, positions, self.direction);
    }

    /// Makes the first of the values that were added current; `false` if there are none. `append_keys` appends the keys
    /// of a piece, with memory to use again.
    pub(super) fn finish(
        &mut self,
        mut append_keys: impl FnMut(&Piece, &mut Vec<Key<K>>, &mut Vec<u64>),
    ) -> bool {
        self.next_values = (GROWTH * self.next_values).clamp(VALUES_MIN, self.values_max);
        self.keys.clear();
        for piece in self.payloads.finish(self.direction) {
            append_keys(piece, &mut self.keys, &mut self.scratch);
        }
        self.left = 0..self.keys.len();
        !self.left.is_empty()
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

    /// The current value's key and its payload, which is in `sources`; `None` if there is no current value.
    #[inline]
    pub(super) fn value(
        &mut self,
        sources: &(impl ReadPayloads + ?Sized),
    ) -> Option<(&Key<K>, &[u8])> {
        self.at().map(|at| (&self.keys[at], self.payloads.get(at, sources)))
    }

    /// The keys of the current value and of those behind it; `None` if there is no current value.
    pub(super) fn at_hand(&self) -> Option<&[Key<K>]> {
        (!self.left.is_empty()).then(|| &self.keys[self.left.clone()])
    }

    /// Their payloads, of which only the bytes that are tested hold.
    pub(super) fn tested_at_hand(
        &mut self,
        sources: &(impl ReadPayloads + ?Sized),
    ) -> Option<&[u8]> {
        let left = self.left.clone();
        (!left.is_empty()).then(|| self.payloads.tested_of(left, sources))
    }

    /// Appends what they have in one lane, or gives it if all have the same.
    pub(super) fn numbers(
        &self,
        lane: PayloadLane,
        sources: &(impl ReadPayloads + ?Sized),
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        self.payloads.numbers_of(self.left.clone(), lane, sources, numbers)
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
    pub(super) fn tested(&mut self, sources: &(impl ReadPayloads + ?Sized)) -> Option<&[u8]> {
        self.at().map(|at| self.payloads.tested(at, sources))
    }
}
