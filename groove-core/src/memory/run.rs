//! A sorted, immutable sequence of values: what a memory table consists of.

use std::ops::Range;

use crate::search;

/// The key of a value: limbs, most significant first.
pub(crate) type Key<const K: usize> = [u64; K];

/// Copies limbs of a type-erased key.
///
/// # Panics
/// If the number of limbs is not `K`: a caller's mistake.
pub(crate) fn limbs_to_key<const K: usize>(limbs: &[u64]) -> Key<K> {
    limbs.try_into().expect("a key has as many limbs as its tree")
}

/// Bytes that a processor takes from memory at a time.
const CACHE_LINE: usize = 64;

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
        self.tombstone_count > 0 && self.tombstones[at]
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
        let (Some(first), Some(last)) = (self.keys.first(), self.keys.last()) else { return 0 };
        // All keys agree in the limbs before the first that differs.
        let begin = (0..K).find(|limb| first[*limb] != last[*limb]).unwrap_or(0);
        let (mut low, mut high) = (0, self.keys.len());
        // Timestamps are close to evenly spread, whatever their unit.
        if K > 1 && !search::is_dense(low, high, |at| self.keys[at][begin]) {
            return self.keys.partition_point(|other| other < key);
        }
        // The first limb decides but among equals.
        for (limb, value) in key.iter().enumerate() {
            let get = |at: usize| self.keys[at][limb];
            low = match K {
                1 => search::by_guesses(low, high, *value, get),
                _ => search::lower_bound(low, high, *value, get),
            };
            if limb + 1 == K || low == high || get(low) != *value {
                break;
            }
            if get(high - 1) != *value {
                high = search::gallop(low, high, 1, |at| get(at) == *value);
            }
        }
        low
    }

    /// The first position whose key is over `key`.
    pub(crate) fn upper_bound(&self, key: &Key<K>) -> usize {
        let at = self.lower_bound(key);
        at + usize::from(self.keys.get(at) == Some(key))
    }

    /// The positions whose keys are `min`, `max` or between them: `max` is near `min`.
    pub(crate) fn positions(&self, min: &Key<K>, max: &Key<K>) -> Range<usize> {
        let from = self.lower_bound(min);
        from..search::gallop(from, self.keys.len(), 1, |at| self.keys[at] <= *max)
    }

    /// Of keys that agree in all limbs but the last: the first position in `positions` with at least
    /// `last` as last limb; near a guess in that range.
    pub(crate) fn first_from(&self, positions: Range<usize>, guess: usize, last: u64) -> usize {
        let keys = &self.keys[..positions.end];
        search::near(positions.start, keys.len(), guess, |at| keys[at][K - 1] < last)
    }

    /// Of keys that agree in all limbs but the last: the first position in `positions` with more than
    /// `last` as last limb; near a guess in that range.
    pub(crate) fn first_over(&self, positions: Range<usize>, guess: usize, last: u64) -> usize {
        let keys = &self.keys[..positions.end];
        search::near(positions.start, keys.len(), guess, |at| keys[at][K - 1] <= last)
    }

    pub(crate) fn has_tombstones(&self) -> bool {
        self.tombstone_count > 0
    }

    /// For guesses where keys are; `None` if the first limb does not tell.
    pub(crate) fn guess(&self) -> Option<Guess<'_, K>> {
        if K > 1 && !search::is_dense(0, self.keys.len(), |at| self.keys[at][0]) {
            return None;
        }
        let (first, last) = (self.keys.first()?[0], self.keys.last()?[0]);
        let density = (self.keys.len() - 1) as f64 / (last - first) as f64;
        (first < last).then_some(Guess { run: self, first, last, density })
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
    pub(crate) fn net_count(&self, positions: Range<usize>) -> i64 {
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

/// Where a key of a run is, if their first limbs are spread evenly.
pub(crate) struct Guess<'a, const K: usize> {
    run: &'a Run<K>,
    first: u64,
    last: u64,
    /// Keys per number that the first limb rises by.
    density: f64,
}

impl<const K: usize> Guess<'_, K> {
    /// Reads a byte of the key at the guess and of each part of its payload, so that they are near
    /// afterwards.
    #[inline]
    pub(crate) fn touch(&self, key: &Key<K>) -> u8 {
        if key[0] < self.first || key[0] > self.last {
            return 0;
        }
        let at = ((key[0] - self.first) as f64 * self.density) as usize;
        let at = at.min(self.run.keys.len() - 1);
        let payload = self.run.payload(at);
        let lines = payload.iter().step_by(CACHE_LINE).chain(payload.last());
        lines.fold(self.run.keys[at][K - 1] as u8, |touched, byte| touched ^ byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_several_limbs_are_found_where_a_search_by_halves_finds_them() {
        let of = |n: u64| [[0, n / 50, n % 7 * 3], [n / 100, n / 9 % 3, n], [7, 7, n * n]];
        for shape in 0..3 {
            let mut keys: Vec<Key<3>> = (0..700).map(|n| of(n)[shape]).collect();
            keys.sort_unstable();
            keys.dedup();
            let run = Run::from_sorted(keys.clone(), vec![false; keys.len()], Vec::new(), 0);
            let beside = |key: &Key<3>| {
                (0..9)
                    .map(|n| {
                        let mut key = *key;
                        key[n / 3] = key[n / 3].wrapping_add((n % 3) as u64).wrapping_sub(1);
                        key
                    })
                    .collect::<Vec<_>>()
            };
            for key in keys.iter().flat_map(beside) {
                let expected = keys.partition_point(|other| *other < key);
                assert_eq!(run.lower_bound(&key), expected, "{key:?} in shape {shape}");
                let expected = keys.partition_point(|other| *other <= key);
                assert_eq!(run.upper_bound(&key), expected, "{key:?} in shape {shape}");
            }
        }
    }
}
