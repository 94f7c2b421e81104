//! Changes of one tree that are no run yet: a list in the order of the calls, cut back when a scope is
//! discarded and sorted into a [`Run`] when it is committed, alone or, if it is short, with a few others.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::run::{Key, Run, Usage};

/// No earlier change of the same key.
const NONE: u32 = u32::MAX;

/// From so many keys on they are distributed by their leading bits, so many at a pass, before what these
/// leave in one place is sorted by comparisons.
const RADIX_LENGTH_MIN: usize = 128;
const RADIX_BITS: u32 = 11;
const RADIX_PASSES: u32 = 2;
/// Changes that a new list has room for, if the last one had as many.
const ROOM_MAX: usize = 1 << 17;

/// A short list keeps memory for so many times its changes, or for this squared.
const KEPT_TIMES: usize = 64;

/// A position in the list of changes, to cut back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingMark(usize);

/// Changes of one tree that are no run yet: those of the open scope, or of short ones that were committed.
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
    /// Each key so far is higher than the one before. Then a search by halves takes the place of the
    /// hash table, which is empty.
    ascends: bool,
    /// Changes that the last list had.
    last_length: usize,
    /// Nobody looks for keys, so there is no hash table.
    is_replay: bool,
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
            ascends: true,
            last_length: 0,
            is_replay: false,
        }
    }

    /// Says whether changes come from the log from now on: then no key is looked up, and nothing is
    /// taken back.
    pub(crate) fn set_replay(&mut self, is_replay: bool) {
        assert!(self.is_empty(), "between two scopes");
        self.is_replay = is_replay;
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// All changes; the list is empty afterwards.
    pub(crate) fn take(&mut self) -> Pending<K> {
        let mut rest = Pending::new(self.usage, self.payload_width);
        (rest.last_length, rest.is_replay) = (self.keys.len(), self.is_replay);
        std::mem::replace(self, rest)
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
        match self.keys.last() {
            Some(last) if self.ascends && *last >= key => {
                self.ascends = false;
                if self.is_looked_up() {
                    (0..self.keys.len()).for_each(|at| self.enter(at, self.keys[at]));
                }
            }
            Some(_) => {}
            None => self.make_room(),
        }
        if !self.ascends && self.is_looked_up() {
            self.enter(self.keys.len(), key);
        }
        self.keys.push(key);
        self.tombstones.push(tombstone);
        self.payload.extend_from_slice(payload);
    }

    fn is_looked_up(&self) -> bool {
        self.usage == Usage::Map && !self.is_replay
    }

    /// Enters the change at a position into the hash table: the newest one of its key.
    fn enter(&mut self, at: usize, key: Key<K>) {
        let at = u32::try_from(at).expect("a scope has less than 2^32 changes");
        let hash = self.hasher.hash_one(key);
        let (keys, hasher) = (&self.keys, &self.hasher);
        let entry = self.newest.entry(
            hash,
            |other| keys[*other as usize] == key,
            |other| hasher.hash_one(keys[*other as usize]),
        );
        match entry {
            Entry::Occupied(mut newest) => {
                self.previous.push(std::mem::replace(newest.get_mut(), at));
            }
            Entry::Vacant(place) => {
                self.previous.push(NONE);
                place.insert(at);
            }
        }
    }

    fn make_room(&mut self) {
        let length = self.last_length.min(ROOM_MAX);
        self.keys.reserve(length);
        self.tombstones.reserve(length);
        self.payload.reserve(length * self.payload_width);
    }

    /// The position of the newest change of a key.
    fn find(&self, key: &Key<K>) -> Option<usize> {
        if !self.ascends {
            let hash = self.hasher.hash_one(key);
            return self
                .newest
                .find(hash, |other| self.keys[*other as usize] == *key)
                .map(|at| *at as usize);
        }
        match self.keys.last() {
            Some(last) if key <= last => self.keys.binary_search(key).ok(),
            _ => None,
        }
    }

    /// The newest change of a key: its payload, or `Some(None)` if it was removed. Map trees only.
    pub(crate) fn lookup(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        assert!(self.is_looked_up(), "index entries are scanned, and replay looks for nothing");
        let at = self.find(key)?;
        Some((!self.tombstones[at]).then(|| self.payload_of(at)))
    }

    /// As [`Pending::lookup`], for a short list that is not made for it: asks one change after the other, the
    /// newest first.
    pub(crate) fn search(&self, key: &Key<K>) -> Option<Option<&[u8]>> {
        let at = self.keys.iter().rposition(|other| other == key)?;
        Some((!self.tombstones[at]).then(|| self.payload_of(at)))
    }

    fn payload_of(&self, at: usize) -> &[u8] {
        &self.payload[at * self.payload_width..(at + 1) * self.payload_width]
    }

    /// Adds all changes of another list.
    pub(crate) fn extend(&mut self, other: &Pending<K>) {
        for at in 0..other.len() {
            self.push(other.keys[at], other.tombstones[at], other.payload_of(at));
        }
    }

    pub(crate) fn mark(&self) -> PendingMark {
        PendingMark(self.keys.len())
    }

    /// Takes all changes since `mark` back.
    pub(crate) fn truncate(&mut self, mark: PendingMark) {
        assert!(mark.0 <= self.keys.len(), "scopes are closed in reverse order");
        assert!(!self.is_replay, "what was committed is not taken back");
        if self.usage == Usage::Map && !self.ascends {
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
        self.last_length = self.keys.len();
        let run = if self.ascends {
            Run::from_sorted(
                std::mem::take(&mut self.keys),
                std::mem::take(&mut self.tombstones),
                std::mem::take(&mut self.payload),
                self.payload_width,
            )
        } else {
            self.sorted_run(self.keys.len())
        };
        self.clear();
        run
    }

    /// The net effect of the first changes, sorted; the list stays.
    pub(crate) fn sorted_run(&self, count: usize) -> Run<K> {
        let order = self.sorted_order(count);
        // Brought together first, which the processor does for many at a time: what follows decides by them.
        let mut keys: Vec<Key<K>> = order.iter().map(|at| self.keys[*at as usize]).collect();
        let is_plain = self.payload_width == 0 && !self.tombstones[..count].contains(&true);
        if is_plain && !defect!(FirstChangeWins) && keys.is_sorted_by(|a, b| a < b) {
            return Run::from_sorted(keys, vec![false; order.len()], Vec::new(), 0);
        }
        let (width, length) = (self.payload_width, order.len());
        let mut tombstones = Vec::with_capacity(length);
        let mut payload = Vec::with_capacity(length * width);
        let mut next = 0;
        while next < length {
            let (first, key) = (next, keys[next]);
            while next < length && keys[next] == key {
                next += 1;
            }
            // An index entry that was put and removed (or removed and put) is as it was before.
            if self.usage == Usage::Set && (next - first) % 2 == 0 {
                continue;
            }
            let at = order[if defect!(FirstChangeWins) { first } else { next - 1 }] as usize;
            keys[tombstones.len()] = key;
            tombstones.push(self.tombstones[at]);
            payload.extend_from_slice(self.payload_of(at));
        }
        keys.truncate(tombstones.len());
        Run::from_sorted(keys, tombstones, payload, width)
    }

    /// The positions of the first changes, by key; those of one key in the order of the calls.
    fn sorted_order(&self, count: usize) -> Vec<u32> {
        let key = |at: u32| &self.keys[at as usize];
        let mut order: Vec<u32> = (0..).take(count).collect();
        if count < RADIX_LENGTH_MIN {
            order.sort_unstable_by_key(|at| (key(*at), *at));
            return order;
        }
        let Some((limb, shift, bits)) = self.leading_bits(count) else { return order };
        let prefix = |at: u32| (self.keys[at as usize][limb] >> shift) as u32;
        let low = (0..).take(count).map(prefix).min().expect("there are keys");
        // Prefix and position side by side: a pass reads and writes them in turn.
        let mut words: Vec<(u32, u32)> = order.iter().map(|at| (prefix(*at) - low, *at)).collect();
        let mut sorted = words.clone();
        for shift in (0..bits).step_by(RADIX_BITS as usize) {
            let digit = |word: &(u32, u32)| (word.0 >> shift) as usize & ((1 << RADIX_BITS) - 1);
            let mut places = [0_u32; 1 << RADIX_BITS];
            words.iter().for_each(|word| places[digit(word)] += 1);
            let mut begin = 0;
            for place in &mut places {
                begin += std::mem::replace(place, begin);
            }
            for word in &words {
                let place = &mut places[digit(word)];
                sorted[*place as usize] = *word;
                *place += 1;
            }
            std::mem::swap(&mut words, &mut sorted);
        }
        order.clear();
        for alike in words.chunk_by(|a, b| a.0 == b.0) {
            let start = order.len();
            order.extend(alike.iter().map(|word| word.1));
            // Timestamps ascend in the order of the calls, so there is seldom something to do.
            if !order[start..].is_sorted_by_key(|at| key(*at)) {
                order[start..].sort_unstable_by_key(|at| (key(*at), *at));
            }
        }
        order
    }

    /// The leading bits in which keys differ: limb, shift and how many; `None` if all keys are equal.
    fn leading_bits(&self, count: usize) -> Option<(usize, u32, u32)> {
        let keys = &self.keys[..count];
        let first = keys.first()?;
        (0..K).find_map(|limb| {
            let differ = keys.iter().fold(0, |bits, key| bits | (key[limb] ^ first[limb]));
            let high = 64 - differ.leading_zeros();
            let bits = high.min(RADIX_BITS * RADIX_PASSES);
            (differ != 0).then_some((limb, high - bits, bits))
        })
    }

    /// Empties the list, whose changes are elsewhere. What a much longer one has left is given back: to empty a hash
    /// table takes as long as it is large.
    pub(crate) fn finish(&mut self) {
        self.last_length = self.keys.len();
        let most = KEPT_TIMES * self.last_length.max(KEPT_TIMES);
        if self.newest.capacity() > most {
            self.newest = HashTable::new();
        }
        if self.keys.capacity() > most {
            (self.keys, self.tombstones, self.payload) = (Vec::new(), Vec::new(), Vec::new());
        }
        self.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.tombstones.clear();
        self.payload.clear();
        self.previous.clear();
        self.newest.clear();
        self.ascends = true;
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
