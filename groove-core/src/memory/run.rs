//! A sorted, immutable sequence of values: what a memory table consists of.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::buckets::Buckets;
use super::directory::Directory;
use super::merge::{Merged, RunMerge};
use super::payloads::Payloads;
use super::tombstones::Tombstones;
use crate::search;
use crate::touch::{touch, touch_all};

/// The key of a value: limbs, most significant first.
pub(crate) type Key<const K: usize> = [u64; K];

/// Copies limbs of a type-erased key.
///
/// # Panics
/// If the number of limbs is not `K`: a caller's mistake.
pub(crate) fn limbs_to_key<const K: usize>(limbs: &[u64]) -> Key<K> {
    limbs.try_into().expect("a key has as many limbs as its tree")
}

/// With fewer timestamps of a batch each is searched.
const MERGED_MIN: usize = 32;
/// Keys per timestamp of a batch up to which all of both are gone through. Where there are more, to search each
/// timestamp is faster.
const MERGED_MAX: usize = 4;

/// Lengths from which on keys are found by their leading bits.
const BUCKETS_LENGTH_MIN: usize = 256;

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
    tombstones: Tombstones,
    payloads: Payloads,
    /// Built by the first look-up that has to search: runs of ascending keys seldom need it.
    buckets: OnceLock<Option<Buckets>>,
    /// Built by the first search for entries of a value.
    directory: OnceLock<Option<Directory<K>>>,
}

impl<const K: usize> Run<K> {
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
        let tombstones = Tombstones::new(tombstones);
        let payloads = Payloads::new(payload, payload_width);
        let (buckets, directory) = (OnceLock::new(), OnceLock::new());
        Run { keys, tombstones, payloads, buckets, directory }
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
        self.tombstones.is(at)
    }

    pub(crate) fn payload(&self, at: usize) -> &[u8] {
        self.payloads.get(at)
    }

    /// Payloads of `count` values from `from` on, which lie next to each other.
    pub(crate) fn payloads(&self, from: usize, count: usize) -> &[u8] {
        self.payloads.range(from, count)
    }

    /// Calls with the payload of each of these values, in their order.
    pub(crate) fn each_payload(&self, positions: Range<usize>, mut call: impl FnMut(&[u8])) {
        let (mut at, width) = (positions.start, self.payloads.width());
        while at < positions.end && width > 0 {
            let end = positions.end.min(self.stretch_end(at));
            self.payloads(at, end - at).chunks_exact(width).for_each(&mut call);
            at = end;
        }
    }

    /// The end of the values from `at` on whose payloads lie next to each other.
    pub(crate) fn stretch_end(&self, at: usize) -> usize {
        self.payloads.segment_end(at).unwrap_or(self.len())
    }

    /// The first position whose key is at least `key`.
    pub(crate) fn lower_bound(&self, key: &Key<K>) -> usize {
        let (Some(first), Some(last)) = (self.keys.first(), self.keys.last()) else { return 0 };
        if let Some(at) = self.dense_position(key) {
            return at;
        }
        // All keys agree in the limbs before the first that differs.
        let begin = (0..K).find(|limb| first[*limb] != last[*limb]).unwrap_or(0);
        let (mut low, mut high) = (0, self.keys.len());
        // Timestamps are close to evenly spread, whatever their unit; random ids are too.
        let get = |at: usize| self.keys[at][begin];
        let is_guessed = K == 1
            || search::is_dense(low, high, get)
            || search::even_guess(low, high, key[begin], get).is_some();
        if !is_guessed {
            return self.keys.partition_point(|other| other < key);
        }
        // The first limb decides but among equals.
        for (limb, value) in key.iter().enumerate() {
            let get = |at: usize| self.keys[at][limb];
            low = match limb == begin {
                true => search::by_guesses(low, high, *value, get),
                false => search::lower_bound(low, high, *value, get),
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

    /// As [`Run::lower_bound`], if the keys are numbers without a gap, as the timestamps of a load are.
    fn dense_position(&self, key: &Key<K>) -> Option<usize> {
        let (first, last) = (self.keys.first()?, self.keys.last()?);
        let is_dense = K == 1 && last[0] - first[0] == self.len() as u64 - 1;
        let at = key[0].saturating_sub(first[0]).min(self.len() as u64);
        is_dense.then_some(at as usize)
    }

    /// The first position whose key is over `key`.
    pub(crate) fn upper_bound(&self, key: &Key<K>) -> usize {
        let at = self.lower_bound(key);
        at + usize::from(self.keys.get(at) == Some(key))
    }

    /// Where the entries of each value begin, if that was asked for and all values are near each other.
    pub(super) fn directory(&self) -> Option<&Directory<K>> {
        self.directory.get()?.as_ref()
    }

    /// Makes the directory if there is none and values are near each other.
    pub(super) fn make_directory(&self) {
        self.directory.get_or_init(|| Directory::of(&self.keys));
    }

    /// Calls with each of `timestamps`, which are last limbs, that a key in `positions` has, where keys
    /// agree in all other limbs: with its number and its position. Timestamps ascend or descend. Near guesses; of
    /// many timestamps beside few keys all of both are gone through.
    #[inline]
    pub(crate) fn members(
        &self,
        positions: Range<usize>,
        timestamps: &[u64],
        guess: (impl Fn(u64) -> usize, f64),
        found: impl FnMut(usize, usize),
    ) {
        if let Some(few) = self.few_between(&positions, timestamps, (&guess.0, guess.1)) {
            return self.common(few, timestamps, found);
        }
        if let Some(Some(directory)) = self.directory.get() {
            return directory.members(&self.keys, positions, timestamps, guess, found);
        }
        let keys = &self.keys[..positions.end];
        let (from, to) = (positions.start, keys.len());
        let read = (|at| touch(keys, at), |at: usize| keys[at][K - 1]);
        search::members((from, to), timestamps, guess, read, found);
    }

    /// Touches what [`Run::members`] reads near guesses.
    #[inline]
    pub(crate) fn touch_members(
        &self,
        timestamps: &[u64],
        (guess, density): (impl Fn(u64) -> usize, f64),
    ) {
        if expects_few(timestamps, density) {
            let (low, high) = ends(timestamps);
            let keys = &self.keys[guess(low)..=guess(high)];
            touch_all(bytemuck::cast_slice(keys.as_flattened()));
            return;
        }
        match self.directory.get() {
            Some(Some(directory)) => {
                timestamps.iter().for_each(|timestamp| directory.touch_member(guess(*timestamp)));
            }
            _ => timestamps.iter().for_each(|timestamp| touch(&self.keys, guess(*timestamp))),
        }
    }

    /// Where in `positions` the keys from the first to the last of `timestamps` are, if these are many beside them.
    fn few_between(
        &self,
        positions: &Range<usize>,
        timestamps: &[u64],
        (guess, density): (impl Fn(u64) -> usize, f64),
    ) -> Option<Range<usize>> {
        if !expects_few(timestamps, density) {
            return None;
        }
        let (low, high) = ends(timestamps);
        // What stands there makes a better guess.
        let near = |timestamp: u64| {
            let at = guess(timestamp);
            let off = timestamp.wrapping_sub(self.keys[at][K - 1]) as i64 as f64 * density;
            at.saturating_add_signed(off as isize).clamp(positions.start, positions.end - 1)
        };
        let (near_low, near_high) = (near(low), near(high));
        let start = self.first_from(positions.clone(), near_low, low);
        let end = self.first_over(positions.clone(), near_high, high);
        // There may be many all the same, if timestamps are not spread evenly.
        (end - start <= MERGED_MAX * timestamps.len()).then_some(start..end)
    }

    /// Calls with each of `timestamps` that a key in `positions` has, by going through all of both.
    fn common(
        &self,
        positions: Range<usize>,
        timestamps: &[u64],
        mut found: impl FnMut(usize, usize),
    ) {
        let Range { start, end } = positions;
        let keys = &self.keys[start..end];
        let (length, last) = (timestamps.len(), timestamps.len() - 1);
        let key = |at: usize| keys[at][K - 1];
        if timestamps[0] <= timestamps[last] {
            search::common(
                (length, |number| timestamps[number]),
                (keys.len(), key),
                |number, at| {
                    found(number, start + at);
                },
            );
        } else {
            let timestamp = |number| timestamps[last - number];
            search::common((length, timestamp), (keys.len(), key), |number, at| {
                found(last - number, start + at);
            });
        }
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
        self.tombstones.count() > 0
    }

    /// For guesses where keys are; `None` if the first limb does not tell, or if most keys are not there.
    pub(crate) fn guess(&self) -> Option<Guess<'_, K>> {
        if !search::is_dense(0, self.keys.len(), |at| self.keys[at][0]) {
            return None;
        }
        let (first, last) = (self.keys.first()?[0], self.keys.last()?[0]);
        let density = (self.keys.len() - 1) as f64 / (last - first) as f64;
        (first < last).then_some(Guess { run: self, first, last, density })
    }

    /// Touches what [`Run::find`] reads first.
    #[inline]
    pub(super) fn touch_bucket(&self, key: &Key<K>) {
        if let Some(buckets) = self.buckets_for(key) {
            buckets.touch(key);
        }
    }

    /// Touches where [`Run::find`] searches then.
    #[inline]
    pub(super) fn touch_key(&self, key: &Key<K>) {
        if let Some(buckets) = self.buckets_for(key) {
            touch(&self.keys, buckets.range(key).start);
        }
    }

    /// If there are any, and the key is not below the lowest nor above the highest.
    fn buckets_for(&self, key: &Key<K>) -> Option<&Buckets> {
        let buckets = self.buckets.get()?.as_ref()?;
        let (first, last) = (self.keys.first()?, self.keys.last()?);
        (first <= key && key <= last).then_some(buckets)
    }

    pub(crate) fn find(&self, key: &Key<K>) -> Option<usize> {
        match (self.keys.first(), self.keys.last()) {
            (Some(first), Some(last)) if first <= key && key <= last => {}
            _ => return None,
        }
        if let Some(at) = self.dense_position(key) {
            return Some(at);
        }
        let at = match self.len() < BUCKETS_LENGTH_MIN {
            true => self.lower_bound(key),
            false => match self.buckets.get_or_init(|| Buckets::of(&self.keys)) {
                Some(buckets) => buckets.lower_bound(&self.keys, key),
                None => self.lower_bound(key),
            },
        };
        (self.keys.get(at) == Some(key)).then_some(at)
    }

    /// Puts minus tombstones among the positions.
    pub(crate) fn net_count(&self, positions: Range<usize>) -> i64 {
        positions.len() as i64 - 2 * self.tombstones.count_in(positions) as i64
    }

    /// Merges runs, oldest first, into one; see [`RunMerge`].
    pub(crate) fn merge(runs: Vec<Arc<Run<K>>>, usage: Usage) -> Run<K> {
        let mut by_key: Vec<&Run<K>> = runs.iter().map(|run| &**run).collect();
        by_key.retain(|run| !run.is_empty());
        by_key.sort_unstable_by_key(|run| run.keys[0]);
        // Runs that do not interleave keep their payloads: ascending keys, the common case of
        // timestamps and ordered ids, merge at the speed of memory.
        if by_key.is_sorted_by(|a, b| a.keys[a.len() - 1] < b.keys[0]) {
            return Run::concatenated(&by_key);
        }
        let (length, width) =
            (by_key.iter().map(|run| run.len()).sum(), by_key[0].payloads.width());
        let mut keys = Vec::with_capacity(length);
        let mut tombstones = Vec::with_capacity(length);
        let mut payload = Vec::with_capacity(length * width);
        let mut places = Vec::new();
        let mut merge = RunMerge::new(runs, usage);
        while let Some(next) = merge.next(&mut keys, &mut places) {
            match next {
                Merged::Stretch { run, at, count } => {
                    keys.extend_from_slice(&run.keys[at..at + count]);
                    tombstones.extend_from_slice(&run.tombstones.flags()[at..at + count]);
                    payload.extend_from_slice(run.payloads(at, count));
                }
                Merged::Window => {
                    if merge.is_plain() {
                        tombstones.resize(keys.len(), false);
                    }
                    for place in places.drain(..) {
                        let (tombstone, bytes) = merge.value(place);
                        tombstones.push(tombstone);
                        payload.extend_from_slice(bytes);
                    }
                }
            }
        }
        Run::from_sorted(keys, tombstones, payload, width)
    }

    /// Runs of which each begins behind the end of the one before.
    fn concatenated(runs: &[&Run<K>]) -> Run<K> {
        let keys: Vec<&[Key<K>]> = runs.iter().map(|run| &run.keys[..]).collect();
        let tombstones: Vec<&[bool]> = runs.iter().map(|run| run.tombstones.flags()).collect();
        Run {
            keys: keys.concat(),
            tombstones: Tombstones::new(tombstones.concat()),
            payloads: Payloads::concatenated(runs.iter().map(|run| (&run.payloads, run.len()))),
            buckets: OnceLock::new(),
            directory: OnceLock::new(),
        }
    }

    /// Whether values are their keys: no payloads and no tombstones.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_tombstones() && self.payloads.width() == 0
    }

    /// Bytes of memory that the run holds.
    pub(crate) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<Key<K>>()
            + self.tombstones.memory()
            + self.payloads.memory()
            + self.buckets.get().and_then(Option::as_ref).map_or(0, Buckets::memory)
            + self.directory.get().and_then(Option::as_ref).map_or(0, Directory::memory)
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

impl<'a, const K: usize> Guess<'a, K> {
    /// The payload at the guess; touches the key there, unless all keys are there, whose
    /// payloads are found without.
    #[inline]
    pub(crate) fn payload(&self, key: &Key<K>) -> Option<&'a [u8]> {
        if key[0] < self.first || key[0] > self.last {
            return None;
        }
        if let Some(at) = self.run.dense_position(key) {
            return Some(self.run.payload(at));
        }
        let at = ((key[0] - self.first) as f64 * self.density) as usize;
        let at = at.min(self.run.keys.len() - 1);
        touch(&self.run.keys, at);
        Some(self.run.payload(at))
    }
}

/// Whether there are likely to be few keys from the first to the last of `timestamps`, and these are many.
#[inline]
fn expects_few(timestamps: &[u64], density: f64) -> bool {
    if timestamps.len() < MERGED_MIN {
        return false;
    }
    let (low, high) = ends(timestamps);
    (high - low) as f64 * density < (MERGED_MAX * timestamps.len()) as f64
}

/// The lowest and the highest of timestamps that ascend or descend.
#[inline]
fn ends(timestamps: &[u64]) -> (u64, u64) {
    let (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
    (first.min(last), first.max(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread evenly, in bursts and with one far from all others; searched, and gone through together; in runs with a
    /// directory and without one.
    #[test]
    fn members_are_those_that_a_search_by_halves_finds() {
        let even: Vec<u64> = (0..3_000).map(|n| 5_000 + 3 * n + n * n % 3).collect();
        let bursts: Vec<u64> = (0..3_000).map(|n| n / 100 * 900_000 + n % 100 * 2).collect();
        let outlier: Vec<u64> = (0..3_000).map(|n| 7 * n).chain([1 << 61]).collect();
        let mut merged = [0; 2];
        for (times, has_directory) in [even, bursts, outlier].iter().zip([true, false, true]) {
            let others = (0..40).map(|n| [8, n]).chain((0..40).map(|n| [10, n]));
            let mut keys: Vec<Key<2>> = times.iter().map(|time| [9, *time]).chain(others).collect();
            keys.sort_unstable();
            let run = Run::from_sorted(keys.clone(), vec![false; keys.len()], Vec::new(), 0);
            if has_directory {
                run.make_directory();
                assert!(run.directory().is_some());
            }
            let span = 40..40 + times.len();
            let (low, high) = (times[0], times[times.len() - 1]);
            let density = (times.len() - 1) as f64 / (high - low) as f64;
            let guess = |time: u64| {
                let before = (time.saturating_sub(low) as f64 * density) as usize;
                span.start.saturating_add(before).min(span.end - 1)
            };
            for step in [1, 2, 3, 7, 40, 6_001] {
                for count in [1, 2, 31, 32, 33, 256] {
                    for begin in [low, times[500], times[2_000], high.saturating_sub(40)] {
                        let ascending = (0..count).map(|n| begin + n * step);
                        let descending = ascending.clone().rev().collect::<Vec<_>>();
                        for wanted in [ascending.collect::<Vec<_>>(), descending] {
                            let mut found = Vec::new();
                            run.touch_members(&wanted, (guess, density));
                            run.members(span.clone(), &wanted, (guess, density), |number, at| {
                                found.push((number, at));
                            });
                            found.sort_unstable();
                            let find = |(number, time): (usize, &u64)| {
                                Some((number, keys.binary_search(&[9, *time]).ok()?))
                            };
                            let expected: Vec<_> =
                                wanted.iter().enumerate().filter_map(find).collect();
                            assert_eq!(found, expected, "{count} by {step} from {begin} on");
                            let few = run.few_between(&span, &wanted, (guess, density));
                            merged[usize::from(few.is_some())] += 1;
                        }
                    }
                }
            }
        }
        assert!(merged.iter().all(|count| *count > 100), "searched, gone through: {merged:?}");
    }

    /// The density tells of few keys between timestamps, and there are most of them: they are searched.
    #[test]
    fn a_batch_in_a_burst_of_keys_is_searched() {
        let keys: Vec<Key<1>> = (0..9_000).map(|n| [n]).chain([[1 << 60]]).collect();
        let run = Run::from_sorted(keys.clone(), vec![false; keys.len()], Vec::new(), 0);
        let density = keys.len() as f64 / (1_u64 << 60) as f64;
        let few = |step: usize| {
            let wanted: Vec<u64> = (0..9_000).step_by(step).collect();
            run.few_between(&(0..keys.len()), &wanted, (|_| 0, density)).map(|few| few.len())
        };
        assert_eq!((few(4), few(5)), (Some(8_997), None));
    }

    #[test]
    fn timestamps_are_found_where_a_search_by_halves_finds_them() {
        let dense: Vec<u64> = (1..500).collect();
        let even: Vec<u64> = (1..500).map(|n| 3 * n).collect();
        for numbers in [dense, even, vec![7], Vec::new(), (0..17).collect()] {
            let keys: Vec<Key<1>> = numbers.iter().map(|number| [*number]).collect();
            let run = Run::from_sorted(keys.clone(), vec![false; keys.len()], Vec::new(), 0);
            let beside = numbers.iter().flat_map(|n| [n.wrapping_sub(1), *n, n.wrapping_add(1)]);
            for number in beside.chain([0, u64::MAX, 1 << 39]) {
                let expected = keys.partition_point(|key| *key < [number]);
                assert_eq!(run.lower_bound(&[number]), expected, "{number} in {numbers:?}");
                let expected = keys.binary_search(&[number]).ok();
                assert_eq!(run.find(&[number]), expected, "{number} in {numbers:?}");
            }
        }
    }

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
