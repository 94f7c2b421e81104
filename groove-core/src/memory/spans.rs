//! Where the entries of one key, or of a range of keys, lie in many runs of an index tree.
//!
//! A run is large and mostly cold: each step of a search by halves waits for another page of memory, and
//! runs are a dozen. So all runs are asked together.
//!
//! Runs with a [`Directory`](super::directory::Directory) tell themselves. The others are searched:
//!
//! 1. The place of the key in each run is guessed from its first and last keys, and read.
//! 2. What stands there tells how far off the guess was; the place of a better guess, and what is around it,
//!    is read.
//! 3. Each run is searched near its guess.
//!
//! Between two reads of the first steps there is so little that the processor waits for many at a time.

use std::ops::Range;

use super::run::{Key, Run};
use crate::search;
use crate::touch::touch;

/// Keys around the second guess that are read, too.
const NEAR: usize = 8;
/// Runs that are searched together.
const GUESSED: usize = 32;

/// The positions of each run whose keys are `min`, `max` or between them; both agree in all limbs but the
/// last. From the first time on, runs have directories.
pub(crate) fn spans<const K: usize>(
    runs: &[&Run<K>],
    min: &Key<K>,
    max: &Key<K>,
) -> Vec<Range<usize>> {
    runs.iter().for_each(|run| run.make_directory());
    spans_of_range(runs, min, max)
}

/// The positions of each run whose keys are `min`, `max` or between them.
pub(crate) fn spans_of_range<const K: usize>(
    runs: &[&Run<K>],
    min: &Key<K>,
    max: &Key<K>,
) -> Vec<Range<usize>> {
    let mut spans = vec![0..0; runs.len()];
    let mut wanted = Vec::new();
    let mut told = Vec::with_capacity(runs.len());
    for (run, span) in runs.iter().zip(&mut spans).filter(|(run, _)| !run.is_empty()) {
        match run.directory() {
            Some(directory) => told.push((run.keys(), directory, span)),
            None => wanted.push((run.keys(), span)),
        }
    }
    for (_, directory, _) in &told {
        directory.touch(min);
        directory.touch(max);
    }
    for (keys, directory, span) in &mut told {
        **span = directory.span(min).start..directory.span(max).end;
        touch(keys, span.start);
        touch(keys, span.end);
    }
    for (keys, directory, span) in told {
        let from = search::gallop(span.start, directory.span(min).end, 1, |at| keys[at] < *min);
        let start = from.max(directory.span(max).start);
        let to = search::gallop_back(start, span.end, 1, |at| keys[at] <= *max);
        *span = from..to;
    }
    for wanted in wanted.chunks_mut(GUESSED) {
        let mut guesses = [[0; 2]; GUESSED];
        let scales: Vec<Scale<K>> = wanted.iter().map(|(keys, _)| Scale::of(keys)).collect();
        for (guesses, scale) in guesses.iter_mut().zip(&scales) {
            *guesses = [min, max].map(|key| scale.position(scale.place(key)));
        }
        touch_all(wanted, &guesses);
        for ((guesses, scale), (keys, _)) in guesses.iter_mut().zip(&scales).zip(&*wanted) {
            for (guess, key) in guesses.iter_mut().zip([min, max]) {
                let off = scale.place(key) - scale.place(&keys[*guess]);
                *guess = scale.position(*guess as f64 / scale.density + off);
            }
        }
        for beside in [0, NEAR, 2 * NEAR] {
            touch_all(
                wanted,
                &guesses.map(|guesses| guesses.map(|guess| (guess + beside).saturating_sub(NEAR))),
            );
        }
        for ((keys, span), guesses) in wanted.iter_mut().zip(guesses) {
            let from = search::near(0, keys.len(), guesses[0], |at| keys[at] < *min);
            let guess = guesses[1].max(from);
            let to = match guess < keys.len() {
                true => search::near(from, keys.len(), guess, |at| keys[at] <= *max),
                false => from,
            };
            **span = from..to;
        }
    }
    spans
}

/// Touches what stands at the guesses.
#[inline]
fn touch_all<const K: usize>(
    wanted: &[(&[Key<K>], &mut Range<usize>)],
    guesses: &[[usize; 2]; GUESSED],
) {
    for ((keys, _), [low, high]) in wanted.iter().zip(guesses) {
        touch(keys, *low);
        touch(keys, *high);
    }
}

/// How a run's keys are spread, as far as its first and its last key tell: by the first limb that is not
/// the same in all, and among equals by the timestamp.
struct Scale<const K: usize> {
    first: Key<K>,
    limb: usize,
    /// Values of that limb.
    width: f64,
    /// From timestamps to parts of a value of that limb.
    per_timestamp: f64,
    /// Keys per value of that limb.
    density: f64,
    length: usize,
}

impl<const K: usize> Scale<K> {
    /// Of keys that are not none.
    fn of(keys: &[Key<K>]) -> Self {
        let (first, last) = (keys[0], keys[keys.len() - 1]);
        let limb =
            (0..K - 1).find(|limb| first[*limb] != last[*limb]).unwrap_or(K.saturating_sub(2));
        let width = last[limb].saturating_sub(first[limb]) as f64 + 1.0;
        let timestamps = last[K - 1].saturating_sub(first[K - 1]).max(1);
        let (per_timestamp, density) = (1.0 / timestamps as f64, keys.len() as f64 / width);
        Scale { first, limb, width, per_timestamp, density, length: keys.len() }
    }

    /// How far behind the first key, in values of the limb.
    #[inline]
    fn place(&self, key: &Key<K>) -> f64 {
        if key[self.limb] < self.first[self.limb] {
            return 0.0;
        }
        let values = (key[self.limb] - self.first[self.limb]) as f64;
        let timestamps = key[K - 1].saturating_sub(self.first[K - 1]) as f64;
        (values + (timestamps * self.per_timestamp).min(1.0)).min(self.width)
    }

    /// The position at a place.
    #[inline]
    fn position(&self, place: f64) -> usize {
        ((place * self.density) as usize).min(self.length - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<const K: usize>(mut keys: Vec<Key<K>>) -> Run<K> {
        keys.sort_unstable();
        keys.dedup();
        let tombstones = vec![false; keys.len()];
        Run::from_sorted(keys, tombstones, Vec::new(), 0)
    }

    fn mixed(number: u64) -> u64 {
        let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (z ^ (z >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    /// Many entries of few keys, few of many, skewed ones, keys of random limbs, a single key; and runs
    /// without entries.
    #[test]
    fn spans_are_those_that_a_search_by_halves_finds() {
        let of = |shape: u64, n: u64| match shape {
            0 => [0, mixed(n) % 7, n],
            1 => [0, mixed(n) % 400, n],
            2 => [0, (mixed(n) % 30).pow(5), n],
            3 => [mixed(n), mixed(n + 1), n],
            4 => [3, 3, n * n],
            _ => [u64::MAX - n % 3, mixed(n), u64::MAX - n],
        };
        for shape in 0..6 {
            let runs: Vec<Run<3>> = (0..40_u64)
                .map(|number| {
                    let length = [0, 1, 3, 900, 2_000][(mixed(number) % 5) as usize];
                    run((0..length).map(|n| of(shape, 5_000 * number + n)).collect())
                })
                .collect();
            let keys: Vec<Key<3>> = runs.iter().flat_map(|run| run.keys()).copied().collect();
            let runs: Vec<&Run<3>> = runs.iter().collect();
            for key in keys.iter().step_by(97) {
                let ([first, second, timestamp], other) = (*key, mixed(key[2]) % 200_000);
                for (low, high) in [(0, u64::MAX), (timestamp, other), (other, timestamp), (1, 1)] {
                    for second in [second.wrapping_sub(1), second, second.wrapping_add(1)] {
                        let (min, max) = ([first, second, low], [first, second, high.max(low)]);
                        assert_found(&runs, spans(&runs, &min, &max), (min, max));
                    }
                }
            }
        }
    }

    /// The same of ranges of keys, of runs with and without directories.
    #[test]
    fn spans_of_ranges_are_those_that_a_search_by_halves_finds() {
        let of = |shape: u64, n: u64| match shape {
            0 => [0, mixed(n) % 7, n],
            1 => [0, 5 + mixed(n) % 400, n],
            2 => [0, (mixed(n) % 30).pow(5), n],
            _ => [mixed(n) % 3, mixed(n), n],
        };
        for shape in 0..4 {
            let runs: Vec<Run<3>> = (0..30_u64)
                .map(|number| {
                    let length = [0, 1, 3, 900, 2_000][(mixed(number) % 5) as usize];
                    let run = run((0..length).map(|n| of(shape, 5_000 * number + n)).collect());
                    if number % 3 > 0 {
                        run.make_directory();
                    }
                    run
                })
                .collect();
            let has_directory = runs.iter().any(|run| run.directory().is_some());
            assert_eq!(has_directory, shape < 2, "few values have one");
            let mut keys: Vec<Key<3>> = runs.iter().flat_map(|run| run.keys()).copied().collect();
            keys.extend([[0; 3], [0, 0, 1], [0, 4, 9], [0, 500, 0], [9; 3], [u64::MAX; 3]]);
            let runs: Vec<&Run<3>> = runs.iter().collect();
            for n in 0..3_000 {
                let any = |seed: u64| keys[mixed(3 * n + seed) as usize % keys.len()];
                // Whole values, one of them, and single keys.
                let (one, other) = match n % 4 {
                    0 => (any(0), any(1)),
                    1 => ([any(0)[0], any(0)[1], 0], [any(1)[0], any(1)[1], u64::MAX]),
                    2 => ([any(0)[0], any(0)[1], 0], [any(0)[0], any(0)[1], u64::MAX]),
                    _ => (any(0), any(0)),
                };
                let range = (one.min(other), one.max(other));
                assert_found(&runs, spans_of_range(&runs, &range.0, &range.1), range);
            }
        }
    }

    fn assert_found(runs: &[&Run<3>], spans: Vec<Range<usize>>, (min, max): (Key<3>, Key<3>)) {
        assert_eq!(spans.len(), runs.len());
        for (run, span) in runs.iter().zip(spans) {
            let from = run.keys().partition_point(|key| *key < min);
            let to = run.keys().partition_point(|key| *key <= max);
            assert_eq!(span, from..to, "{min:?} to {max:?}");
        }
    }
}
