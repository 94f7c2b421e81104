//! Runs and what tells where in them a key is: the mutable table, and the immutable one that a seal makes of it.

use std::sync::Arc;

use crate::key_hash::{HashedKey, key_hash};
use crate::touch::touch_all;

use super::locator::{Locator, NUMBER_MAX};
use super::run::{Key, Run, Usage};
use super::tiers::{first_merged, long};

/// Values that share a number if they come in shorter runs: so many, and this part of the table. Numbers last for
/// some million values then, if the table grows so far.
const NUMBERED_MIN: usize = 16;
const NUMBERED_PART: usize = 24;

/// Keys that are looked up together: what was touched for them is still in the processor's cache when it
/// is read.
pub(crate) const BATCH: usize = 128;

/// A value: its run, and where it is in that.
pub(crate) type Located<'a, const K: usize> = (&'a Run<K>, usize);

/// The mutable table of a tree at some op, or an immutable one.
#[derive(Debug, Clone)]
pub(crate) struct MemoryTable<const K: usize> {
    /// Oldest first.
    runs: Vec<Arc<Run<K>>>,
    /// The number of each run: that of the oldest values in it.
    numbers: Vec<u64>,
    /// The number that values are added under, and how many have it.
    number: u64,
    numbered: usize,
    /// Of map trees, once keys do not ascend.
    locator: Option<Arc<Locator>>,
    /// No key is higher.
    highest: Option<Key<K>>,
}

impl<const K: usize> Default for MemoryTable<K> {
    fn default() -> Self {
        MemoryTable {
            runs: Vec::new(),
            numbers: Vec::new(),
            number: 0,
            numbered: 0,
            locator: None,
            highest: None,
        }
    }
}

impl<const K: usize> MemoryTable<K> {
    /// The runs, oldest first.
    pub(crate) fn runs(&self) -> &[Arc<Run<K>>] {
        &self.runs
    }

    /// The same values under new numbers, if numbers have come to their end: where a few keys are changed again and
    /// again, the table stays as small as it is. Other versions keep their numbers, and the locator that has these.
    fn renumbered(&self) -> Option<Self> {
        if self.number < NUMBER_MAX {
            return None;
        }
        let numbers: Vec<u64> = (0..).take(self.runs.len()).collect();
        let number = numbers.len() as u64;
        assert!(number < NUMBER_MAX, "there are few runs");
        let mut table = MemoryTable { numbers, number, numbered: 0, ..self.clone() };
        table.locator = table.locator.map(|_| self.located(&table.numbers, 0));
        Some(table)
    }

    /// A locator of all keys, with room for others.
    fn located(&self, numbers: &[u64], others: usize) -> Arc<Locator> {
        let count = self.runs.iter().map(|run| run.len()).sum::<usize>();
        let locator = Locator::with_room(count + others);
        for (run, number) in self.runs.iter().zip(numbers) {
            locator.add(run.keys(), *number);
        }
        Arc::new(locator)
    }

    /// This table and a run, merged with those before it that [`first_merged`] names; `turn` is the tree's number.
    pub(crate) fn with_run(&self, run: Run<K>, usage: Usage, turn: usize) -> Self {
        if let Some(table) = self.renumbered() {
            return table.with_run(run, usage, turn);
        }
        let locator = match usage {
            Usage::Map => self.locator_with(&run),
            Usage::Set => None,
        };
        let lengths: Vec<usize> = self.runs.iter().map(|run| run.len()).collect();
        let first = first_merged(&lengths, run.len(), turn);
        let highest = self.highest.max(run.keys().last().copied());
        let (mut number, mut numbered) = (self.number, self.numbered + run.len());
        let merged = lengths[first..].iter().sum::<usize>() + run.len();
        let shared = NUMBERED_MIN + lengths.iter().sum::<usize>() / NUMBERED_PART;
        // What stays a run of its own shares no number with the next.
        if numbered >= shared || merged >= long(&lengths) {
            (number, numbered) = (number + 1, 0);
        }
        let run = Arc::new(run);
        let run = match &self.runs[first..] {
            [] => run,
            merged => {
                let mut merged: Vec<_> = merged.iter().cloned().chain([run]).collect();
                if defect!(RunsMergedInReverse) {
                    merged.reverse();
                }
                Arc::new(Run::merge(merged, usage))
            }
        };
        let mut runs = Vec::with_capacity(first + 1);
        let mut numbers = Vec::with_capacity(first + 1);
        runs.extend(self.runs[..first].iter().cloned());
        numbers.extend(&self.numbers[..first]);
        if !run.is_empty() {
            runs.push(run);
            numbers.push(self.numbers.get(first).copied().unwrap_or(self.number));
        }
        MemoryTable { runs, numbers, number, numbered, locator, highest }
    }

    /// The locator of the table with one more run: none if all keys ascend.
    fn locator_with(&self, added: &Run<K>) -> Option<Arc<Locator>> {
        let first = added.keys().first()?;
        let locator = match &self.locator {
            Some(locator) if locator.has_room(added.len()) => locator.clone(),
            None if self.highest.is_none_or(|highest| highest < *first) => return None,
            _ => self.located(&self.numbers, added.len()),
        };
        locator.add(added.keys(), self.number);
        Some(locator)
    }

    /// Without the newest run: what a defect of the proof does.
    pub(crate) fn without_newest(&self) -> Self {
        let mut table = self.clone();
        table.runs.pop();
        table.numbers.pop();
        table
    }

    /// Whether there are keys from `key` on: none, as a rule, if keys ascend and somebody asks whether one is new.
    #[inline]
    fn reaches(&self, key: &Key<K>) -> bool {
        self.highest.is_some_and(|highest| *key <= highest)
    }

    /// How many runs may have a key: all up to the newest that may.
    #[inline]
    fn candidates(&self, locator: &Locator, hash: u64) -> usize {
        let Some(number) = locator.find(hash) else { return 0 };
        // A reader's version is maybe older than the number. All are compared: which one it is cannot be predicted.
        self.numbers.iter().filter(|first| **first <= number).count()
    }

    /// Touches what [`MemoryTable::find`] reads first.
    #[inline]
    pub(crate) fn touch(&self, key: &HashedKey<'_, K>) {
        if let Some(locator) = self.locator.as_ref().filter(|_| self.reaches(key.key)) {
            locator.touch(key.hash());
        }
    }

    /// The newest value of a key, or its tombstone.
    #[inline]
    pub(crate) fn find(&self, key: &HashedKey<'_, K>) -> Option<Located<'_, K>> {
        if !self.reaches(key.key) {
            return None;
        }
        let candidates = match &self.locator {
            Some(locator) => self.candidates(locator, key.hash()),
            None => self.runs.len(),
        };
        find_newest(&self.runs[..candidates], key.key)
    }

    /// The same for those keys of a batch that are not located yet.
    pub(crate) fn find_batch<'a>(&'a self, batch: &mut Batch<'a, K>) {
        match &self.locator {
            Some(locator) => self.find_located(locator, batch),
            None => self.find_guessed(batch),
        }
    }

    /// What each step reads is touched for all keys by the step before.
    fn find_located<'a>(&'a self, locator: &Locator, batch: &mut Batch<'a, K>) {
        batch.hash();
        let Batch { keys, hashes, located, .. } = batch;
        let mut asked = [0; BATCH];
        let mut length = 0;
        for (at, (key, located)) in keys.iter().zip(&*located).enumerate() {
            if located.is_none() && self.reaches(key) {
                locator.touch(hashes[at]);
                asked[length] = at;
                length += 1;
            }
        }
        let mut found = [(0, 0); BATCH];
        let mut count = 0;
        for at in &asked[..length] {
            let candidates = self.candidates(locator, hashes[*at]);
            if candidates > 0 {
                self.runs[candidates - 1].touch_bucket(&keys[*at]);
                found[count] = (*at, candidates);
                count += 1;
            }
        }
        for (at, candidates) in &found[..count] {
            self.runs[candidates - 1].touch_key(&keys[*at]);
        }
        for (at, candidates) in &found[..count] {
            let value = find_newest(&self.runs[..*candidates], &keys[*at]);
            if let Some((run, position)) = value {
                touch_all(run.payload(position));
                located[*at] = value;
            }
        }
    }

    /// Without a locator runs do not interleave.
    fn find_guessed<'a>(&'a self, batch: &mut Batch<'a, K>) {
        for guess in self.runs.iter().filter_map(|run| run.guess()) {
            batch.keys.iter().filter_map(|key| guess.payload(key)).for_each(touch_all);
        }
        for (key, located) in batch.keys.iter().zip(&mut batch.located) {
            if located.is_none() && self.reaches(key) {
                *located = find_newest(&self.runs, key);
            }
        }
    }

    /// Bytes of memory in runs, and what belongs to them.
    pub(crate) fn memory(&self) -> usize {
        self.runs.iter().map(|run| run.memory()).sum::<usize>()
            + self.locator.as_ref().map_or(0, |locator| locator.memory())
    }
}

/// The newest value of a key, or its tombstone, in runs of which the oldest is the first.
#[inline]
pub(crate) fn find_newest<'a, const K: usize>(
    runs: &'a [Arc<Run<K>>],
    key: &Key<K>,
) -> Option<Located<'a, K>> {
    runs.iter().rev().find_map(|run| Some((&**run, run.find(key)?)))
}

/// Keys that are looked up together, and where the newest values of those are that were found so far.
pub(crate) struct Batch<'a, const K: usize> {
    keys: &'a [Key<K>],
    /// Of all keys, or of none.
    hashes: [u64; BATCH],
    is_hashed: bool,
    located: [Option<Located<'a, K>>; BATCH],
}

impl<'a, const K: usize> Batch<'a, K> {
    /// Of [`BATCH`] keys at the most.
    pub(crate) fn new(keys: &'a [Key<K>]) -> Self {
        assert!(keys.len() <= BATCH, "there is room for no more");
        Batch { keys, hashes: [0; BATCH], is_hashed: false, located: [None; BATCH] }
    }

    fn hash(&mut self) {
        if !self.is_hashed {
            self.hashes.iter_mut().zip(self.keys).for_each(|(hash, key)| *hash = key_hash(key));
            self.is_hashed = true;
        }
    }

    /// Looks for those that are not located yet in a few runs, the oldest first.
    pub(crate) fn find_in(&mut self, runs: &'a [Arc<Run<K>>]) {
        if runs.is_empty() {
            return;
        }
        for (key, located) in self.keys.iter().zip(&mut self.located) {
            *located = located.or_else(|| find_newest(runs, key));
        }
    }

    /// In the order of the keys.
    pub(crate) fn located(&self) -> &[Option<Located<'a, K>>] {
        &self.located[..self.keys.len()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(table: &MemoryTable<1>, model: &BTreeMap<u64, (bool, u16)>, keys: &[Key<1>]) {
        for keys in keys.chunks(BATCH) {
            let mut batch = Batch::new(keys);
            table.find_batch(&mut batch);
            for (key, located) in keys.iter().zip(batch.located()) {
                let value = |(run, at): Located<'_, 1>| {
                    let payload = run.payload(at).try_into().expect("two bytes");
                    (run.is_tombstone(at), u16::from_le_bytes(payload))
                };
                let expected = model.get(&key[0]).copied();
                assert_eq!(located.map(value), expected, "{key:?} of a batch");
                assert_eq!(table.find(&HashedKey::new(key)).map(value), expected, "{key:?}");
            }
        }
    }

    /// Older versions share the locator, which tells them of runs that they do not have, and so does a commit that
    /// failed.
    #[test]
    fn each_version_of_a_table_finds_the_newest_value_that_it_has() {
        let mut state = 20_261_130_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % end
        };
        let (mut table, mut model) = (MemoryTable::default(), BTreeMap::new());
        let mut versions = Vec::new();
        let mut renumbered = 0;
        for commit in 0..1_200_u16 {
            let length = [3, 20, 300][random(3) as usize];
            // At first keys ascend, with gaps.
            let ascends = commit < 20;
            let mut keys: Vec<u64> = match commit {
                ..20 => (0..length).map(|n| 1_000 * u64::from(commit) + n * 3).collect(),
                1_100 => (0..70_000).map(|_| random(1 << 17)).collect(),
                _ => (0..length).map(|_| random(1 << 11) * 7).collect(),
            };
            keys.sort_unstable();
            keys.dedup();
            let tombstones: Vec<bool> = keys.iter().map(|_| random(4) == 0).collect();
            let payload: Vec<u8> = keys.iter().flat_map(|_| commit.to_le_bytes()).collect();
            let fails = commit % 9 == 8;
            if !fails {
                let values = tombstones.iter().map(|tombstone| (*tombstone, commit));
                model.extend(keys.iter().copied().zip(values));
            }
            let keys = keys.into_iter().map(|key| [key]).collect();
            let run = Run::from_sorted(keys, tombstones, payload, 2);
            let next = table.with_run(run, Usage::Map, 0);
            if fails {
                continue;
            }
            renumbered += usize::from(next.number < table.number);
            table = next;
            assert_eq!(table.locator.is_none(), ascends);
            if commit % 16 == 7 {
                versions.push((table.clone(), model.clone()));
            }
            if let Some((table, model)) = versions.get(random(75) as usize) {
                let asked: Vec<Key<1>> = (0..200).map(|_| [random(1 << 17)]).collect();
                check(table, model, &asked);
            }
        }
        assert!(renumbered > 0, "numbers did not come to their end");
        let all: Vec<Key<1>> = (0..1 << 17).map(|key| [key]).collect();
        versions.iter().rev().step_by(8).for_each(|(table, model)| check(table, model, &all));
    }

    /// Numbers came to their end where a few keys were changed often, and most of what was added later was searched
    /// in each run.
    #[test]
    fn keys_that_are_changed_often_are_found_in_the_first_run_that_is_searched() {
        let mut table = MemoryTable::default();
        for commit in 0..6_000_u64 {
            let mut keys: Vec<Key<1>> = (0..16)
                .map(|n| [(commit * 16 + n).wrapping_mul(0x9e37_79b9) >> 7 & 1_023])
                .collect();
            keys.sort_unstable();
            keys.dedup();
            let length = keys.len();
            let run = Run::from_sorted(keys, vec![false; length], Vec::new(), 0);
            table = table.with_run(run, Usage::Map, 0);
        }
        let locator = table.locator.as_ref().expect("keys do not ascend");
        let (mut searched, mut found) = (0, 0);
        for key in (0..1_024).map(|key| [key]) {
            let candidates = table.candidates(locator, key_hash(&key));
            if let Some(at) =
                table.runs[..candidates].iter().rposition(|run| run.find(&key).is_some())
            {
                (searched, found) = (searched + candidates - at, found + 1);
            }
        }
        assert!(found > 1_000 && searched < found * 5 / 4, "{searched} runs for {found} keys");
    }
}
