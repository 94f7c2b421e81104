//! A sorted, immutable sequence of values: what a memory table consists of.

/// The key of a value: limbs, most significant first.
pub(crate) type Key<const K: usize> = [u64; K];

/// Copies limbs of a type-erased key.
///
/// # Panics
/// If the number of limbs is not `K`: a caller's mistake.
pub(crate) fn limbs_to_key<const K: usize>(limbs: &[u64]) -> Key<K> {
    limbs.try_into().expect("a key has as many limbs as its tree")
}

/// Guesses at where a timestamp is in a run, before the rest is searched by halves.
const GUESSES: usize = 3;
/// Lengths that are searched by halves at once.
const GUESSED_LENGTH_MIN: usize = 16;

/// How values of the same key relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The newest value counts (object trees and unique trees).
    Map,
    /// A key is put once and removed once in turn (index trees). A put and a tombstone of one key
    /// cancel out wherever they meet, in either order: the sum over all values of a key tells
    /// whether it is there.
    Set,
}

/// A sorted sequence of values with different keys, column by column.
#[derive(Debug, Default)]
pub(crate) struct Run<const K: usize> {
    keys: Vec<Key<K>>,
    tombstones: Vec<bool>,
    tombstone_count: usize,
    payload: Vec<u8>,
    payload_width: usize,
}

impl<const K: usize> Run<K> {
    pub(crate) fn with_capacity(payload_width: usize, capacity: usize) -> Self {
        Run {
            keys: Vec::with_capacity(capacity),
            tombstones: Vec::with_capacity(capacity),
            tombstone_count: 0,
            payload: Vec::with_capacity(capacity * payload_width),
            payload_width,
        }
    }

    /// Takes columns that are sorted already.
    pub(crate) fn from_sorted(
        keys: Vec<Key<K>>,
        tombstones: Vec<bool>,
        payload: Vec<u8>,
        payload_width: usize,
    ) -> Self {
        assert_eq!(keys.len(), tombstones.len(), "columns of different length");
        assert_eq!(keys.len() * payload_width, payload.len(), "columns of different length");
        debug_assert!(keys.is_sorted_by(|a, b| a < b), "a run is sorted and without duplicates");
        let tombstone_count = tombstones.iter().filter(|tombstone| **tombstone).count();
        Run { keys, tombstones, tombstone_count, payload, payload_width }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn keys(&self) -> &[Key<K>] {
        &self.keys
    }

    pub(crate) fn is_tombstone(&self, at: usize) -> bool {
        self.tombstones[at]
    }

    pub(crate) fn payload(&self, at: usize) -> &[u8] {
        &self.payload[at * self.payload_width..(at + 1) * self.payload_width]
    }

    /// Payloads of `count` values from `from` on.
    pub(crate) fn payloads(&self, from: usize, count: usize) -> &[u8] {
        &self.payload[from * self.payload_width..(from + count) * self.payload_width]
    }

    pub(crate) fn push(&mut self, key: Key<K>, tombstone: bool, payload: &[u8]) {
        debug_assert!(self.keys.last().is_none_or(|last| *last < key), "a run is ascending");
        debug_assert_eq!(payload.len(), self.payload_width);
        self.keys.push(key);
        self.tombstones.push(tombstone);
        self.tombstone_count += usize::from(tombstone);
        self.payload.extend_from_slice(payload);
    }

    /// The first position whose key is at least `key`.
    pub(crate) fn lower_bound(&self, key: &Key<K>) -> usize {
        let (mut low, mut high) = (0, self.keys.len());
        if K == 1 {
            // Timestamps are close to evenly spread: a guess or two replace most of a binary search,
            // whose every step is a cache miss in a long run.
            for _ in 0..GUESSES {
                if high - low < GUESSED_LENGTH_MIN {
                    break;
                }
                let (first, last) = (self.keys[low][0], self.keys[high - 1][0]);
                if key[0] <= first {
                    return low;
                }
                if key[0] > last {
                    return high;
                }
                let offset = u128::from(key[0] - first) * (high - 1 - low) as u128;
                let guess = low + (offset / u128::from(last - first)) as usize;
                match self.keys[guess].cmp(key) {
                    std::cmp::Ordering::Less => low = guess + 1,
                    std::cmp::Ordering::Equal => return guess,
                    std::cmp::Ordering::Greater => high = guess,
                }
            }
        }
        low + self.keys[low..high].partition_point(|other| other < key)
    }

    /// The first position whose key is over `key`.
    pub(crate) fn upper_bound(&self, key: &Key<K>) -> usize {
        self.keys.partition_point(|other| other <= key)
    }

    pub(crate) fn find(&self, key: &Key<K>) -> Option<usize> {
        match (self.keys.first(), self.keys.last()) {
            (Some(first), Some(last)) if first <= key && key <= last => {}
            _ => return None,
        }
        let at = self.lower_bound(key);
        (self.keys.get(at) == Some(key)).then_some(at)
    }

    /// Puts minus tombstones among the positions.
    pub(crate) fn net_count(&self, positions: std::ops::Range<usize>) -> i64 {
        let length = positions.len() as i64;
        if self.tombstone_count == 0 {
            return length;
        }
        let tombstones = self.tombstones[positions].iter().filter(|tombstone| **tombstone).count();
        length - 2 * tombstones as i64
    }

    /// Merges two runs; where both have a key, `newer` wins ([`Usage::Map`]) or the two values
    /// cancel out ([`Usage::Set`]). Tombstones stay: what they delete is deeper down.
    pub(crate) fn merge(newer: &Run<K>, older: &Run<K>, usage: Usage) -> Run<K> {
        assert_eq!(newer.payload_width, older.payload_width, "runs of one tree");
        let mut merged = Run::with_capacity(newer.payload_width, newer.len() + older.len());
        let (mut a, mut b) = (0, 0);
        while a < newer.len() && b < older.len() {
            // Stretches that do not interleave are copied whole: ascending keys, the common case of
            // timestamps and ordered ids, merge at the speed of memory.
            if newer.keys[a] > older.keys[older.len() - 1] {
                break;
            }
            if older.keys[b] > newer.keys[newer.len() - 1] {
                break;
            }
            match newer.keys[a].cmp(&older.keys[b]) {
                std::cmp::Ordering::Less => {
                    merged.push(newer.keys[a], newer.tombstones[a], newer.payload(a));
                    a += 1;
                }
                std::cmp::Ordering::Greater => {
                    merged.push(older.keys[b], older.tombstones[b], older.payload(b));
                    b += 1;
                }
                std::cmp::Ordering::Equal => {
                    // Two puts or two tombstones in a row: only a forged log says so. They stay
                    // one value, and the compaction that misses the other one reports it.
                    let in_turn = newer.tombstones[a] != older.tombstones[b];
                    if usage == Usage::Map || !in_turn {
                        merged.push(newer.keys[a], newer.tombstones[a], newer.payload(a));
                    }
                    a += 1;
                    b += 1;
                }
            }
        }
        // At most one of the two rests precedes the other; both may be left only if disjoint.
        if a < newer.len() && b < older.len() {
            if newer.keys[a] < older.keys[b] {
                merged.extend(newer, a);
                merged.extend(older, b);
            } else {
                merged.extend(older, b);
                merged.extend(newer, a);
            }
        } else {
            merged.extend(newer, a);
            merged.extend(older, b);
        }
        merged
    }

    /// Appends the values of `other` from `from` on.
    fn extend(&mut self, other: &Run<K>, from: usize) {
        if from == other.len() {
            return;
        }
        debug_assert!(self.keys.last().is_none_or(|last| *last < other.keys[from]));
        self.keys.extend_from_slice(&other.keys[from..]);
        self.tombstones.extend_from_slice(&other.tombstones[from..]);
        self.tombstone_count +=
            other.tombstones[from..].iter().filter(|tombstone| **tombstone).count();
        self.payload.extend_from_slice(&other.payload[from * other.payload_width..]);
    }

    /// Bytes of memory that the run holds.
    pub(crate) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<Key<K>>()
            + self.tombstones.capacity()
            + self.payload.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread, with gaps, and all in one corner: a guess must never change the answer.
    #[test]
    fn timestamps_are_found_where_a_search_by_halves_finds_them() {
        let even: Vec<u64> = (1..500).collect();
        let gaps: Vec<u64> = (1..500).map(|n| n * n * n).collect();
        let corner: Vec<u64> = (1..400).chain([1 << 40, u64::MAX - 1, u64::MAX]).collect();
        for numbers in [even, gaps, corner, vec![7], Vec::new(), (0..17).collect()] {
            let keys: Vec<Key<1>> = numbers.iter().map(|number| [*number]).collect();
            let run = Run::from_sorted(keys.clone(), vec![false; keys.len()], Vec::new(), 0);
            let beside = numbers.iter().flat_map(|n| [n.wrapping_sub(1), *n, n.wrapping_add(1)]);
            for number in beside.chain([0, u64::MAX, 1 << 39]) {
                let expected = keys.partition_point(|key| *key < [number]);
                assert_eq!(run.lower_bound(&[number]), expected, "{number} in {numbers:?}");
            }
        }
    }
}
