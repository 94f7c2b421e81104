//! Encoded keys as numbers, ranges of them, and sets of ranges: what a predicate says of one index.
//!
//! A [`EncodedKey`] is an encoded index key (most significant byte first) right-aligned in as many limbs as
//! the widest index has; it orders as the values order. A [`RangeSet`] is the normal form of every
//! combination of comparisons on one index: sorted, disjoint ranges. Adjacent single keys stay apart,
//! because each of them is a scan in timestamp order and their union as a range is not.

use std::cmp::{max, min};
use std::fmt;
use std::ops::{BitAnd, BitOr, Bound};
use std::sync::Arc;

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::key::limbs_from_bytes;

/// Limbs of a [`EncodedKey`].
const LIMBS: usize = INDEX_KEY_WIDTH_MAX / 8;

/// An encoded index key, or a timestamp, as one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EncodedKey([u64; LIMBS]);

impl EncodedKey {
    /// The lowest key.
    pub(crate) const ZERO: EncodedKey = EncodedKey([0; LIMBS]);

    /// The key of `bytes`, most significant first; at most [`INDEX_KEY_WIDTH_MAX`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> EncodedKey {
        let mut limbs = [0; LIMBS];
        limbs_from_bytes(bytes, &mut limbs);
        EncodedKey(limbs)
    }

    /// The key of at most as many limbs as the widest key has, most significant first.
    pub(crate) fn from_limbs(limbs: &[u64]) -> EncodedKey {
        let mut key = [0; LIMBS];
        key[LIMBS - limbs.len()..].copy_from_slice(limbs);
        EncodedKey(key)
    }

    /// Writes all bytes, most significant first.
    pub(crate) fn to_bytes(self, bytes: &mut [u8; INDEX_KEY_WIDTH_MAX]) {
        for (bytes, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *bytes = limb.to_be_bytes();
        }
    }

    /// The last `width` bytes, most significant first.
    pub(crate) fn to_vec(self, width: usize) -> Vec<u8> {
        let mut bytes = [0; INDEX_KEY_WIDTH_MAX];
        self.to_bytes(&mut bytes);
        bytes[INDEX_KEY_WIDTH_MAX - width..].to_vec()
    }

    /// The key that is this number.
    pub(crate) fn from_u64(number: u64) -> EncodedKey {
        let mut limbs = [0; LIMBS];
        limbs[LIMBS - 1] = number;
        EncodedKey(limbs)
    }

    /// The lowest 64 bits.
    pub(crate) fn low(&self) -> u64 {
        self.0[LIMBS - 1]
    }

    /// The highest key of `width` bytes.
    pub(crate) fn max_of_width(width: usize) -> EncodedKey {
        assert!(width <= INDEX_KEY_WIDTH_MAX, "an index key of {width} bytes");
        EncodedKey::from_bytes(&[u8::MAX; INDEX_KEY_WIDTH_MAX][..width])
    }

    /// The next key; `None` after the last.
    pub(crate) fn successor(mut self) -> Option<EncodedKey> {
        for limb in self.0.iter_mut().rev() {
            *limb = limb.wrapping_add(1);
            if *limb != 0 {
                return Some(self);
            }
        }
        None
    }

    /// The key before; `None` before zero.
    pub(crate) fn predecessor(mut self) -> Option<EncodedKey> {
        for limb in self.0.iter_mut().rev() {
            *limb = limb.wrapping_sub(1);
            if *limb != u64::MAX {
                return Some(self);
            }
        }
        None
    }

    /// The key in the last `count` limbs. The limbs before are zero in a key of that tree.
    pub(crate) fn limbs(&self, count: usize) -> &[u64] {
        assert!(count <= LIMBS, "an index key of {count} limbs");
        &self.0[LIMBS - count..]
    }

    /// All limbs, most significant first.
    pub(crate) fn all_limbs(&self) -> &[u64; LIMBS] {
        &self.0
    }
}

impl BitAnd for EncodedKey {
    type Output = EncodedKey;

    fn bitand(self, other: EncodedKey) -> EncodedKey {
        EncodedKey(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }
}

impl BitOr for EncodedKey {
    type Output = EncodedKey;

    fn bitor(self, other: EncodedKey) -> EncodedKey {
        EncodedKey(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }
}

impl fmt::Debug for EncodedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.iter().position(|&limb| limb != 0).unwrap_or(LIMBS - 1);
        write!(formatter, "0x{:x}", self.0[first])?;
        self.0[first + 1..].iter().try_for_each(|limb| write!(formatter, "{limb:016x}"))
    }
}

/// A value beside the keys of an index: on a key, or in the gap after it (a text that is too long
/// for the index lies between two keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The key at or next below the value.
    pub(crate) key: EncodedKey,
    /// Whether the value is that key.
    pub(crate) exact: bool,
}

/// The keys from `min` to `max`, both included; never empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) min: EncodedKey,
    pub(crate) max: EncodedKey,
}

impl KeyRange {
    /// The keys from `min` to `max`, both included; `None` if there are none.
    pub(crate) fn new(min: EncodedKey, max: EncodedKey) -> Option<KeyRange> {
        (min <= max).then_some(KeyRange { min, max })
    }

    /// All keys of `width` bytes.
    pub(crate) fn full(width: usize) -> KeyRange {
        KeyRange { min: EncodedKey::ZERO, max: EncodedKey::max_of_width(width) }
    }

    /// The keys of `width` bytes within two bounds; `None` if there are none.
    pub(crate) fn within(
        lower: Bound<Place>,
        upper: Bound<Place>,
        width: usize,
    ) -> Option<KeyRange> {
        let min = match lower {
            Bound::Unbounded => EncodedKey::ZERO,
            Bound::Included(place) if place.exact => place.key,
            Bound::Included(place) | Bound::Excluded(place) => place.key.successor()?,
        };
        let max = match upper {
            Bound::Unbounded => EncodedKey::max_of_width(width),
            Bound::Excluded(place) if place.exact => place.key.predecessor()?,
            Bound::Included(place) | Bound::Excluded(place) => place.key,
        };
        KeyRange::new(min, max.min(EncodedKey::max_of_width(width)))
    }

    /// Whether it is a single key.
    pub(crate) fn is_point(&self) -> bool {
        self.min == self.max
    }

    /// The keys in both.
    pub(crate) fn intersection(&self, other: &KeyRange) -> Option<KeyRange> {
        KeyRange::new(max(self.min, other.min), min(self.max, other.max))
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_point() {
            write!(formatter, "{:?}", self.min)
        } else {
            write!(formatter, "{:?}..={:?}", self.min, self.max)
        }
    }
}

/// A set of keys: ranges in ascending order that have no key in common. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(Arc<[KeyRange]>);

impl RangeSet {
    /// The keys of any of `ranges`.
    pub(crate) fn from_ranges(mut ranges: Vec<KeyRange>) -> RangeSet {
        ranges.sort_unstable_by_key(|range| (range.min, range.max));
        let mut set: Vec<KeyRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match set.last_mut() {
                Some(last) if joins(last, &range) => last.max = max(last.max, range.max),
                _ => set.push(range),
            }
        }
        RangeSet(set.into())
    }

    /// The ranges, ascending.
    pub(crate) fn ranges(&self) -> &[KeyRange] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `key` is in the set.
    pub(crate) fn contains(&self, key: &EncodedKey) -> bool {
        if let [range] = &self.0[..] {
            return range.min <= *key && *key <= range.max;
        }
        let at = self.0.partition_point(|range| range.max < *key);
        self.0.get(at).is_some_and(|range| range.min <= *key)
    }

    /// Whether every key of `full` is in the set.
    pub(crate) fn covers(&self, full: &KeyRange) -> bool {
        self.0.first().is_some_and(|first| first.min == full.min)
            && self.0.last().is_some_and(|last| last.max == full.max)
            && self.0.windows(2).all(|pair| pair[0].max.successor() == Some(pair[1].min))
    }

    /// The same keys, each as a range of its own, if they are not more than `most`; `None` if they are, or if each is
    /// one already.
    pub(crate) fn apart(&self, most: usize) -> Option<RangeSet> {
        if self.0.len() > most || self.0.iter().all(KeyRange::is_point) {
            return None;
        }
        let mut keys = Vec::with_capacity(most);
        for range in self.ranges() {
            let mut next = Some(range.min);
            while let Some(key) = next.filter(|key| *key <= range.max) {
                if keys.len() == most {
                    return None;
                }
                keys.push(KeyRange { min: key, max: key });
                next = key.successor();
            }
        }
        Some(RangeSet(keys.into()))
    }

    /// The same keys in as few ranges as there can be.
    pub(crate) fn joined(&self) -> RangeSet {
        let mut set: Vec<KeyRange> = Vec::with_capacity(self.0.len());
        for range in self.ranges() {
            match set.last_mut() {
                Some(last) if last.max.successor() == Some(range.min) => last.max = range.max,
                _ => set.push(*range),
            }
        }
        RangeSet(set.into())
    }

    /// The keys in both sets.
    pub(crate) fn intersection(&self, other: &RangeSet) -> RangeSet {
        let mut set = Vec::new();
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
            set.extend(left.intersection(right));
            if left.max < right.max {
                a.next();
            } else {
                b.next();
            }
        }
        RangeSet(set.into())
    }

    /// The keys of this set that are not in `other`.
    pub(crate) fn difference(&self, other: &RangeSet) -> RangeSet {
        let mut set = Vec::new();
        for range in self.ranges() {
            let first = other.0.partition_point(|cut| cut.max < range.min);
            let mut min = Some(range.min);
            for cut in other.0[first..].iter().take_while(|cut| cut.min <= range.max) {
                if let (Some(min), Some(max)) = (min, cut.min.predecessor()) {
                    set.extend(KeyRange::new(min, max));
                }
                min = cut.max.successor();
            }
            set.extend(min.and_then(|min| KeyRange::new(min, range.max)));
        }
        RangeSet(set.into())
    }
}

/// Whether two ranges, the first one beginning no later, become one in a [`RangeSet`].
fn joins(first: &KeyRange, second: &KeyRange) -> bool {
    second.min <= first.max
        || (!(first.is_point() && second.is_point()) && first.max.successor() == Some(second.min))
}
