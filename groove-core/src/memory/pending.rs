//! The changes of the open scope in one tree: a list in the order of the calls, cut back when a
//! scope is discarded and sorted into a [`Run`] when it is committed.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::run::{Key, Run, Usage};

/// No earlier change of the same key.
const NONE: u32 = u32::MAX;

/// Keys are sorted byte by byte if there are so many, and not more than so many bytes to sort by: each takes
/// a pass over all keys, a sort by comparisons takes as many as the logarithm of their number.
const RADIX_LENGTH_MIN: usize = 128;
const RADIX_PASSES_MAX: usize = 5;

/// A position in the list of changes, to cut back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingMark(usize);

/// The changes of the open scope in one tree.
pub(crate) struct Pending<const K: usize> {
    usage: Usage,
    keys: Vec<Key<K>>,
    tombstones: Vec<bool>,
    payload: Vec<u8>,
    payload_width: usize,
    /// For [`Usage::Map`]: the newest change of each key, and for each change the one of the same
    /// key before it, so that cutting the list back restores the table.
    newest: HashTable<u32>,
    previous: Vec<u32>,
    hasher: FixedState,
}

impl<const K: usize> Pending<K> {
    pub(crate) fn new(usage: Usage, payload_width: usize) -> Self {
        Pending {
            usage,
            keys: Vec::new(),
            tombstones: Vec::new(),
            payload: Vec::new(),
            payload_width,
            newest: HashTable::new(),
            previous: Vec::new(),
            hasher: FixedState::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn keys(&self) -> &[Key<K>] {
        &self.keys
    }

    /// Keys and payloads, in the order of the calls.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Key<K>, &[u8])> {
        let payload = |at: usize| &self.payload[at * self.payload_width..][..self.payload_width];
        self.keys.iter().enumerate().map(move |(at, key)| (key, payload(at)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn push(&mut self, key: Key<K>, tombstone: bool, payload: &[u8]) {
        assert_eq!(payload.len(), self.payload_width, "a payload has its tree's width");
        if self.usage == Usage::Map {
            let at = u32::try_from(self.keys.len()).expect("a scope has less than 2^32 changes");
            let hash = self.hasher.hash_one(key);
            match self.newest.find_mut(hash, |other| self.keys[*other as usize] == key) {
                Some(newest) => self.previous.push(std::mem::replace(newest, at)),
                None => {
                    self.previous.push(NONE);
                    let (keys, hasher) = (&self.keys, &self.hasher);
                    self.newest
                        .insert_unique(hash, at, |other| hasher.hash_one(keys[*other as usize]));
                }
            }
        }
        self.keys.push(key);
        self.tombstones.push(tombstone);
        self.payload.extend_from_slice(payload);
    }

    /// The newest change of a key: its payload, or `Some(None)` if it was removed. Map trees only.
    pub(crate) fn lookup(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        assert_eq!(self.usage, Usage::Map, "index entries are scanned, not looked up");
        if self.keys.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let at = *self.newest.find(hash, |other| self.keys[*other as usize] == *key)? as usize;
        Some(
            (!self.tombstones[at])
                .then(|| &self.payload[at * self.payload_width..(at + 1) * self.payload_width]),
        )
    }

    pub(crate) fn mark(&self) -> PendingMark {
        PendingMark(self.keys.len())
    }

    /// Takes all changes since `mark` back.
    pub(crate) fn truncate(&mut self, mark: PendingMark) {
        assert!(mark.0 <= self.keys.len(), "scopes are closed in reverse order");
        if self.usage == Usage::Map {
            for at in (mark.0..self.keys.len()).rev() {
                let hash = self.hasher.hash_one(self.keys[at]);
                let entry = self
                    .newest
                    .find_entry(hash, |other| *other as usize == at)
                    .expect("the last change of a key is its newest one");
                match self.previous[at] {
                    NONE => {
                        entry.remove();
                    }
                    previous => *entry.into_mut() = previous,
                }
            }
            self.previous.truncate(mark.0);
        }
        self.keys.truncate(mark.0);
        self.tombstones.truncate(mark.0);
        self.payload.truncate(mark.0 * self.payload_width);
    }

    /// The net effect of all changes, sorted; the list is empty afterwards.
    pub(crate) fn take_run(&mut self) -> Run<K> {
        let run = if self.keys.is_sorted_by(|a, b| a < b) {
            Run::from_sorted(
                std::mem::take(&mut self.keys),
                std::mem::take(&mut self.tombstones),
                std::mem::take(&mut self.payload),
                self.payload_width,
            )
        } else {
            self.sorted_run()
        };
        self.clear();
        run
    }

    /// The net effect of all changes, sorted; the list stays.
    pub(crate) fn sorted_run(&self) -> Run<K> {
        let order = self.sorted_order();
        let mut run = Run::with_capacity(self.payload_width, order.len());
        let key = |at: &u32| &self.keys[*at as usize];
        for changes in order.chunk_by(|a, b| key(a) == key(b)) {
            // An index entry that was put and removed (or removed and put) is as it was before.
            if self.usage == Usage::Set && changes.len() % 2 == 0 {
                continue;
            }
            let at = changes[if defect!(FirstChangeWins) { 0 } else { changes.len() - 1 }] as usize;
            let payload = &self.payload[at * self.payload_width..(at + 1) * self.payload_width];
            run.push(self.keys[at], self.tombstones[at], payload);
        }
        run
    }

    /// The positions of the changes, by key; those of one key in the order of the calls.
    fn sorted_order(&self) -> Vec<u32> {
        let digits = self.digits();
        if self.keys.len() < RADIX_LENGTH_MIN || digits.len() > RADIX_PASSES_MAX {
            let mut order: Vec<(Key<K>, u32)> =
                self.keys.iter().zip(0..).map(|(key, at)| (*key, at)).collect();
            order.sort_unstable();
            return order.into_iter().map(|(_, at)| at).collect();
        }
        let mut order: Vec<u32> = (0..).take(self.keys.len()).collect();
        let mut sorted = order.clone();
        for (limb, shift) in digits {
            let digit = |at: u32| (self.keys[at as usize][limb] >> shift & 255) as usize;
            let mut ends = [0; 256];
            order.iter().for_each(|at| ends[digit(*at)] += 1);
            let mut begin = 0;
            for end in &mut ends {
                begin += std::mem::replace(end, begin);
            }
            for at in &order {
                let place = &mut ends[digit(*at)];
                sorted[*place] = *at;
                *place += 1;
            }
            std::mem::swap(&mut order, &mut sorted);
        }
        order
    }

    /// The bytes by which the keys are to be sorted, limb and shift, the least significant first: those in
    /// which they differ. A last limb that ascends in the order of the calls, as timestamps do, needs
    /// no sorting.
    fn digits(&self) -> Vec<(usize, u32)> {
        let Some(first) = self.keys.first() else { return Vec::new() };
        let mut digits = Vec::new();
        for limb in (0..K).rev() {
            if limb + 1 == K && self.keys.is_sorted_by_key(|key| key[limb]) {
                continue;
            }
            let differ = self.keys.iter().fold(0, |bits, key| bits | (key[limb] ^ first[limb]));
            let shifts = (differ.trailing_zeros()..64 - differ.leading_zeros()).step_by(8);
            digits.extend(shifts.map(|shift| (limb, shift)));
        }
        digits
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.tombstones.clear();
        self.payload.clear();
        self.previous.clear();
        self.newest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The net effect of changes, found by a stable sort.
    fn expected(usage: Usage, changes: &[(Key<2>, bool)]) -> Vec<(Key<2>, bool)> {
        let mut sorted = changes.to_vec();
        sorted.sort_by_key(|(key, _)| *key);
        let groups = sorted.chunk_by(|a, b| a.0 == b.0);
        let odd = groups.filter(|group| usage == Usage::Map || group.len() % 2 == 1);
        odd.map(|group| group[group.len() - 1]).collect()
    }

    #[test]
    fn runs_are_sorted_alike_by_bytes_and_by_comparisons() {
        let mut state = 20_261_125_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) * 0x8000_0001 % end
        };
        for round in 0..60 {
            let length = [3, 127, 128, 1000, 3000][round % 5];
            let high = [1, 300, 1 << 20, 1 << 40, u64::MAX][random(5) as usize];
            let (low, counting) = ([1, 2, 900, u64::MAX][random(4) as usize], random(2) == 0);
            for usage in [Usage::Map, Usage::Set] {
                let mut pending = Pending::<2>::new(usage, 0);
                let mut changes = Vec::new();
                for at in 0..length {
                    let low = if counting { at / 2 } else { random(low) };
                    let change = ([random(high), low], random(3) == 0);
                    pending.push(change.0, change.1, &[]);
                    changes.push(change);
                }
                let run = pending.take_run();
                let found: Vec<_> =
                    (0..run.len()).map(|at| (run.keys()[at], run.is_tombstone(at))).collect();
                assert_eq!(found, expected(usage, &changes), "{high} {low} {counting}");
            }
        }
    }
}
