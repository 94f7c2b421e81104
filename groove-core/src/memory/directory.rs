//! Where the entries of each value begin in a run of an index tree, and their timestamps in few bytes.
//!
//! An index has far fewer values than entries: accounts, codes, days. A search for the entries of one value
//! waits for memory at each step; here it looks once, in one number per value. Which timestamps are among those
//! entries is asked of a column with 4 bytes for each, a quarter or a sixth of a key: where an intersection looks
//! lies in one line of the processor's cache, and much of the column in the cache itself.
//!
//! Runs whose values are not numbers near each other have no directory.

use std::cmp::Ordering;
use std::ops::Range;

use super::run::Key;
use crate::search::{self, SEARCHED};
use crate::touch::touch;

/// Runs with fewer keys are searched.
const LENGTH_MIN: usize = 256;

#[derive(Debug)]
pub(super) struct Directory<const K: usize> {
    /// The first key: its value is the lowest.
    first: Key<K>,
    /// Where the entries of each value from there on begin, and their end.
    starts: Box<[u32]>,
    /// The lowest timestamp.
    lowest: u64,
    /// By how many bits timestamps, less the lowest, are cut.
    shift: u32,
    /// What is left of them.
    times: Box<[u32]>,
}

impl<const K: usize> Directory<K> {
    /// Of keys that ascend: the value is the limb before the last; `None` if keys differ in a limb before that, if
    /// it would have more numbers than there are keys, and of few keys.
    pub(super) fn of(keys: &[Key<K>]) -> Option<Self> {
        if K < 2 || keys.len() < LENGTH_MIN {
            return None;
        }
        let (first, last) = (keys[0], keys[keys.len() - 1]);
        let width = last[K - 2].checked_sub(first[K - 2])?;
        let length = u32::try_from(keys.len()).ok()?;
        if first[..K - 2] != last[..K - 2] || width >= u64::from(length) {
            return None;
        }
        let mut starts = Vec::with_capacity(width as usize + 2);
        for (key, at) in keys.iter().zip(0..) {
            let value = (key[K - 2] - first[K - 2]) as usize;
            while starts.len() <= value {
                starts.push(at);
            }
        }
        starts.push(length);
        let timestamps = || keys.iter().map(|key| key[K - 1]);
        let (lowest, highest) = (timestamps().min()?, timestamps().max()?);
        let shift = (u64::BITS - (highest - lowest).leading_zeros()).saturating_sub(u32::BITS);
        let times = timestamps().map(|timestamp| ((timestamp - lowest) >> shift) as u32).collect();
        Some(Directory { first, starts: starts.into(), lowest, shift, times })
    }

    /// Calls with each of `timestamps` that an entry at `positions` has, where they ascend: with its number and its
    /// position. Near guesses; `keys` are those that this is of.
    #[inline]
    pub(super) fn members(
        &self,
        keys: &[Key<K>],
        Range { start, end }: Range<usize>,
        timestamps: &[u64],
        (guess, density): (impl Fn(u64) -> usize, f64),
        mut found: impl FnMut(usize, usize),
    ) {
        let times = &self.times[..end];
        let guess = |time: u64| guess(self.lowest.saturating_add(time << self.shift));
        let density = density * (1_u64 << self.shift) as f64;
        let mut wanted = [0; SEARCHED];
        for (timestamps, first) in timestamps.chunks(SEARCHED).zip((0..).step_by(SEARCHED)) {
            for (wanted, timestamp) in wanted.iter_mut().zip(timestamps) {
                *wanted = timestamp.saturating_sub(self.lowest) >> self.shift;
            }
            let wanted = &wanted[..timestamps.len()];
            let read = (|at| touch(times, at), |at: usize| u64::from(times[at]));
            search::members((start, end), wanted, (guess, density), read, |number, at| {
                // Of those that were cut alike: many, if one timestamp is far from the others.
                let wanted = timestamps[number];
                let at = search::gallop(at, end, 1, |at| keys[at][K - 1] < wanted);
                if at < end && keys[at][K - 1] == wanted {
                    found(first + number, at);
                }
            });
        }
    }

    /// Touches what [`Directory::members`] reads near a guess.
    #[inline]
    pub(super) fn touch_member(&self, guess: usize) {
        touch(&self.times, guess);
    }

    /// Where the entries of a key's value are, or would be.
    #[inline]
    pub(super) fn span(&self, key: &Key<K>) -> Range<usize> {
        let start = self.number(key);
        let is_before = key[..K - 1] < self.first[..K - 1];
        let end = if is_before { 0 } else { start + 1 }.min(self.starts.len() - 1);
        self.starts[start] as usize..self.starts[end] as usize
    }

    /// Touches what [`Directory::span`] reads.
    #[inline]
    pub(super) fn touch(&self, key: &Key<K>) {
        touch(&self.starts, self.number(key));
    }

    /// Which of the starts is that of a key's value; the last if it is higher than all.
    #[inline]
    fn number(&self, key: &Key<K>) -> usize {
        let end = self.starts.len() as u64 - 1;
        match key[..K - 2].cmp(&self.first[..K - 2]) {
            Ordering::Less => 0,
            Ordering::Equal => key[K - 2].saturating_sub(self.first[K - 2]).min(end) as usize,
            Ordering::Greater => end as usize,
        }
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_values_within_beside_and_beyond_are_those_of_a_search() {
        let of = |gap: u64| (0..2_000_u64).map(move |n| [5, 40 + n / 9 / gap * gap, 3 * n]);
        for gap in [1, 4, 9] {
            let keys: Vec<Key<3>> = of(gap).collect();
            let directory = Directory::of(&keys).expect("few values");
            for value in (30..300).chain([0, u64::MAX]) {
                for before in [4, 5, 6] {
                    let wanted = [before, value];
                    let expected = keys.partition_point(|key| key[..2] < wanted[..])
                        ..keys.partition_point(|key| key[..2] <= wanted[..]);
                    let wanted = [before, value, 17];
                    assert_eq!(directory.span(&wanted), expected, "{wanted:?}");
                    directory.touch(&wanted);
                }
            }
        }
    }

    /// Timestamps that fit into 4 bytes, and some that are cut: then several look alike.
    #[test]
    fn members_are_those_that_a_search_by_halves_finds() {
        for (step, shift) in [(1, 0), (977, 0), (1 << 23, 3), ((1 << 48) + 1, 28)] {
            let at = |n: u64| 1_000 + (n + n * n % 5) * step + n % 3;
            let mut keys: Vec<Key<2>> = (0..3_000).map(|n| [70 + n % 7, at(n)]).collect();
            keys.sort_unstable();
            let directory = Directory::of(&keys).expect("few values");
            assert_eq!(directory.shift, shift);
            for value in 70..77 {
                let span = directory.span(&[value, 0]);
                let mut wanted: Vec<u64> =
                    (0..3_000).map(at).flat_map(|at| [at - 1, at, at + 1]).collect();
                wanted.extend([0, 999, u64::MAX]);
                wanted.sort_unstable();
                wanted.dedup();
                let mut found = Vec::new();
                let density = span.len() as f64 / (3_000 * step) as f64;
                let guess = |time: u64| {
                    let before = (time.saturating_sub(1_000) as f64 * density) as usize;
                    (span.start + before).min(span.end - 1)
                };
                let note = |number, at| found.push((number, at));
                directory.members(&keys, span.clone(), &wanted, (guess, density), note);
                let expected: Vec<(usize, usize)> = (0..wanted.len())
                    .filter_map(|n| Some((n, keys.binary_search(&[value, wanted[n]]).ok()?)))
                    .collect();
                assert_eq!(found, expected, "steps of {step}");
                directory.touch_member(0);
            }
        }
    }

    /// One timestamp far from the others takes all their bits: then all of them look alike, and each that was asked
    /// for was looked for among all, one after the other. Now that is a search; here 10^10 steps would not end.
    #[test]
    fn timestamps_that_all_look_alike_are_found_without_a_look_at_each() {
        let mut keys: Vec<Key<2>> = (0..200_000).map(|n| [7, 3 * n + 1]).collect();
        keys.push([8, 1 << 62]);
        let directory = Directory::of(&keys).expect("few values");
        assert_eq!(directory.times.iter().max(), directory.times.last());
        assert!(directory.times[..200_000].iter().all(|time| *time == 0));
        let span = directory.span(&[7, 0]);
        let wanted: Vec<u64> = (0..600_000).collect();
        let mut found = 0;
        let density = (|time: u64| (time as usize / 3).min(199_999), 1.0 / 3.0);
        directory.members(&keys, span, &wanted, density, |number, at| {
            assert_eq!(keys[at][1], number as u64);
            found += 1;
        });
        assert_eq!(found, 200_000);
    }

    #[test]
    fn keys_that_are_few_or_far_apart_or_differ_before_the_value_have_none() {
        let few: Vec<Key<2>> = (0..200).map(|n| [n / 5, n]).collect();
        assert!(Directory::of(&few).is_none());
        let far: Vec<Key<2>> = (0..2_000).map(|n| [n * n, n]).collect();
        assert!(Directory::of(&far).is_none());
        let apart: Vec<Key<3>> = (0..2_000).map(|n| [n / 1_000, 7, n]).collect();
        assert!(Directory::of(&apart).is_none());
        let alone: Vec<Key<1>> = (0..2_000).map(|n| [n]).collect();
        assert!(Directory::of(&alone).is_none());
        let whole: Vec<Key<2>> = (0..2_000).map(|n| [u64::MAX / 2_000 * n, n]).collect();
        assert!(Directory::of(&whole).is_none());
    }
}
