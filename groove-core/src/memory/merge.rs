//! Several runs in key order, a few hundred values at a time: what is merged stays in the processor's cache,
//! and nothing is copied more than once between where it was and where it goes.
//!
//! 1. If one run goes on alone for a while, its values are a stretch: ascending keys.
//! 2. Otherwise a window of keys is chosen that holds no more than a few hundred values of each run, and the
//!    runs' parts of it are merged in pairs of neighbours in age.
//!
//! Where runs have the same key, the newest value counts ([`Usage::Map`]), or two values cancel out
//! ([`Usage::Set`]). Tombstones stay: what they delete is deeper down.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use super::interleave::{Pick, interleave};
use super::run::{Key, Run, Usage};

/// Values that are taken at once.
const ROWS: usize = 512;
/// Values of one run that come before all others and are worth taking alone.
const ALONE_MIN: usize = 64;
/// Runs, oldest first, and how far each was merged.
pub(crate) struct RunMerge<const K: usize> {
    runs: Vec<(Arc<Run<K>>, usize)>,
    usage: Usage,
    /// Values are their keys: no payloads and no tombstones.
    is_plain: bool,
}

/// A run and a position in it.
pub(crate) type Place = (u32, u32);

/// What comes next.
pub(crate) enum Merged<'a, const K: usize> {
    /// `count` values of a run, from a position on, whose payloads lie next to each other.
    Stretch { run: &'a Run<K>, at: usize, count: usize },
    /// Keys that were appended, perhaps none, and the place of each value; no places if values are their keys.
    Window,
}

/// A run's part of a window, or several merged.
struct Part<'a, const K: usize> {
    keys: Cow<'a, [Key<K>]>,
    places: Vec<Place>,
}

impl<const K: usize> Part<'_, K> {
    fn copy(&self, range: Range<usize>, keys: &mut Vec<Key<K>>, places: &mut Vec<Place>) {
        keys.extend_from_slice(&self.keys[range.clone()]);
        places.extend_from_slice(self.places.get(range).unwrap_or_default());
    }
}

impl<const K: usize> RunMerge<K> {
    pub(crate) fn new(runs: Vec<Arc<Run<K>>>, usage: Usage) -> Self {
        let is_plain = runs.iter().all(|run| run.is_plain());
        let runs = runs.into_iter().map(|run| (run, 0)).collect();
        RunMerge { runs, usage, is_plain }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.runs.iter().all(|(run, at)| *at == run.len())
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The value at a place: its tombstone flag and its payload.
    pub(crate) fn value(&self, (number, at): Place) -> (bool, &[u8]) {
        let run = &self.runs[number as usize].0;
        (run.is_tombstone(at as usize), run.payload(at as usize))
    }

    /// The next values; `None` at the end. Keys of a window, and their places, are appended to `keys` and
    /// `places`.
    pub(crate) fn next(
        &mut self,
        keys: &mut Vec<Key<K>>,
        places: &mut Vec<Place>,
    ) -> Option<Merged<'_, K>> {
        let mut first: Option<(Key<K>, usize)> = None;
        let mut next: Option<Key<K>> = None;
        for (number, (run, at)) in self.runs.iter().enumerate() {
            let Some(key) = run.keys().get(*at).copied() else { continue };
            match first {
                Some((lowest, _)) if lowest <= key => {
                    next = Some(next.map_or(key, |next| next.min(key)));
                }
                _ => {
                    next = first.map(|(lowest, _)| lowest);
                    first = Some((key, number));
                }
            }
        }
        let (_, number) = first?;
        let (run, at) = &mut self.runs[number];
        let from = *at;
        let stretch = &run.keys()[from..run.stretch_end(from).min(from + ROWS)];
        let count = next.map_or(stretch.len(), |next| stretch.partition_point(|key| *key < next));
        if next.is_none() || count >= ALONE_MIN {
            *at += count;
            let run = &*self.runs[number].0;
            return Some(Merged::Stretch { run, at: from, count });
        }
        self.window(keys, places);
        Some(Merged::Window)
    }

    fn window(&mut self, keys: &mut Vec<Key<K>>, places: &mut Vec<Place>) {
        // Up to the lowest key that is so many values ahead in its run.
        let ahead = (ROWS * 2 / self.runs.len()).max(ALONE_MIN);
        let last = self.runs.iter().filter_map(|(run, at)| run.keys().get(*at + ahead - 1)).min();
        let last = last.copied().unwrap_or([u64::MAX; K]);
        let mut begins = Vec::with_capacity(self.runs.len());
        for (run, at) in &mut self.runs {
            begins.push(*at);
            let rest = &run.keys()[*at..run.len().min(*at + ahead)];
            *at += rest.partition_point(|key| *key <= last);
        }
        let runs = self.runs.iter().zip(&begins).zip(0..);
        let parts = runs.filter(|(((_, end), begin), _)| begin < &end);
        let mut parts: Vec<Part<'_, K>> = parts
            .map(|(((run, end), begin), number)| {
                let places = match self.is_plain {
                    true => Vec::new(),
                    false => (*begin..*end).map(|at| (number, at as u32)).collect(),
                };
                Part { keys: Cow::Borrowed(&run.keys()[*begin..*end]), places }
            })
            .collect();
        while parts.len() > 2 {
            let mut merged = Vec::with_capacity(parts.len().div_ceil(2));
            let mut pairs = parts.into_iter();
            while let Some(older) = pairs.next() {
                merged.push(match pairs.next() {
                    Some(newer) => {
                        let length = newer.keys.len() + older.keys.len();
                        let mut keys = Vec::with_capacity(length);
                        let room = if self.is_plain { 0 } else { length };
                        let mut places = Vec::with_capacity(room);
                        self.pair(&newer, &older, &mut keys, &mut places);
                        Part { keys: Cow::Owned(keys), places }
                    }
                    None => older,
                });
            }
            parts = merged;
        }
        match &parts[..] {
            [older, newer] => self.pair(newer, older, keys, places),
            [part] => part.copy(0..part.keys.len(), keys, places),
            _ => unreachable!("a run has the lowest key"),
        }
    }

    fn pair(
        &self,
        newer: &Part<'_, K>,
        older: &Part<'_, K>,
        keys: &mut Vec<Key<K>>,
        places: &mut Vec<Place>,
    ) {
        if self.is_plain {
            return merge_parts(newer, older, keys, places, |_, _| true);
        }
        // Two puts or two tombstones in a row: only a forged log says so. They stay
        // one value, and the compaction that misses the other one reports it.
        let keeps = |a: usize, b: usize| {
            let of = |place| self.value(place).0;
            self.usage == Usage::Map || of(newer.places[a]) == of(older.places[b])
        };
        merge_parts(newer, older, keys, places, keeps);
    }
}

/// Appends the merged keys and places of two parts to `keys` and `places`. Of a key that both have, the newer
/// value is taken if `keeps` says so of the two positions, and none otherwise.
fn merge_parts<const K: usize>(
    newer: &Part<'_, K>,
    older: &Part<'_, K>,
    keys: &mut Vec<Key<K>>,
    places: &mut Vec<Place>,
    keeps: impl Fn(usize, usize) -> bool,
) {
    let mut picks = Vec::with_capacity(newer.keys.len() + older.keys.len());
    let (mut a, mut b) = (0, 0);
    match interleave(&newer.keys, &older.keys, (0, 0), &mut picks) {
        Some(taken) => (a, b) = taken,
        None => {
            while a < newer.keys.len() && b < older.keys.len() {
                let order = newer.keys[a].cmp(&older.keys[b]);
                match order {
                    Ordering::Less => picks.push(Pick::newer(a)),
                    Ordering::Greater => picks.push(Pick::older(b)),
                    Ordering::Equal if keeps(a, b) => picks.push(Pick::newer(a)),
                    Ordering::Equal => {}
                }
                a += usize::from(order.is_le());
                b += usize::from(order.is_ge());
            }
        }
    }
    keys.extend(picks.iter().map(|pick| pick.of(&newer.keys[..], &older.keys[..])));
    if !newer.places.is_empty() {
        places.extend(picks.iter().map(|pick| pick.of(&newer.places[..], &older.places[..])));
    }
    newer.copy(a..newer.keys.len(), keys, places);
    older.copy(b..older.keys.len(), keys, places);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Value = (Key<2>, (bool, Vec<u8>));

    fn values(run: &Run<2>) -> Vec<Value> {
        let value = |at| (run.keys()[at], (run.is_tombstone(at), run.payload(at).to_vec()));
        (0..run.len()).map(value).collect()
    }

    /// What a merge is to give: key by key, through a map.
    fn expected(runs: &[Arc<Run<2>>], usage: Usage) -> Vec<Value> {
        let mut merged = std::collections::BTreeMap::new();
        for (key, value) in runs.iter().flat_map(|run| values(run)) {
            let cancels = merged.get(&key).is_some_and(|older: &(bool, _)| older.0 != value.0);
            match usage == Usage::Set && cancels {
                true => drop(merged.remove(&key)),
                false => drop(merged.insert(key, value)),
            }
        }
        merged.into_iter().collect()
    }

    #[test]
    fn merged_runs_hold_what_a_map_of_their_values_holds() {
        let mut state = 20_261_126_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) * 0x8000_0001 % end
        };
        for round in 0..400 {
            let (usage, width) = [(Usage::Set, 0), (Usage::Map, 0), (Usage::Map, 300)][round % 3];
            // Few high limbs give long stretches of one run, few low ones equal keys.
            let (high, low) = ([1, 3, 1000][random(3) as usize], [40, 1 << 50][random(2) as usize]);
            let tombstones = [1_000_000, 3][random(2) as usize];
            // Some rounds have runs that lie behind each other, of one or of two of the rest.
            let apart = [0, 0, 1 << 51, 10][random(4) as usize];
            let mut runs: Vec<Arc<Run<2>>> = Vec::new();
            for number in 0..1 + random(7) {
                let length = [0, 1, 60, 700, 1500][random(5) as usize];
                let keys: std::collections::BTreeSet<Key<2>> =
                    (0..length).map(|_| [random(high), number * apart + random(low)]).collect();
                let payload = (0..keys.len() * width).map(|_| random(256) as u8).collect();
                let tombstones = keys.iter().map(|_| random(tombstones) == 0).collect();
                let keys = keys.into_iter().collect();
                runs.push(Arc::new(Run::from_sorted(keys, tombstones, payload, width)));
            }
            let wanted = expected(&runs, usage);
            let merged = Run::merge(runs.clone(), usage);
            assert_eq!(values(&merged), wanted, "round {round}");
            if runs.len() > 3 {
                // Neighbours first.
                let behind = runs.split_off(2);
                let halves = [runs, behind].map(|half| Arc::new(Run::merge(half, usage)));
                assert_eq!(values(&Run::merge(halves.into(), usage)), wanted, "round {round}");
            }
        }
    }
}
