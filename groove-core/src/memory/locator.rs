//! Where in a memory table the newest value of a key is.
//!
//! A mutable table whose keys do not ascend has a dozen runs whose keys interleave. Each gets a number when it is added,
//! and a hash table says of each key under which number it came last: so a key that is not there is asked for
//! once, and one that is there is searched in one run, as a rule, instead of in each, newest first. (Short runs that
//! were added one after the other share a number.)
//!
//! An entry is two bytes: a tag of the key's hash, and the number. Now and then two keys share an entry, which
//! has the number of the newer one then: an entry says that no newer run has the key, and that it may be there at all.
//! So it does not matter that the writer adds keys while readers ask, nor that a commit may fail whose keys were
//! added: entries tell of runs then that a version does not have, which costs a search.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::key_hash::key_hash;
use crate::touch::touch_shared;

use super::run::Key;

/// Bits of an entry.
const ENTRY_BITS: u32 = 16;
/// Those of them that are the number, and those above that are the tag.
const NUMBER_BITS: u32 = 8;
const TAG_BITS: u32 = ENTRY_BITS - NUMBER_BITS;
/// The highest number.
pub(super) const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

/// A 1 for each entry of a word.
const EACH: u64 = 0x0001_0001_0001_0001;
/// Entries of a word.
const ENTRIES: usize = (u64::BITS / ENTRY_BITS) as usize;
/// Of so many entries so many are taken at the most: then a search seldom ends behind the second word.
const PLACES: usize = 10;
const TAKEN: usize = 6;
/// Keys that the first locator of a table has room for.
const ROOM_MIN: usize = 1 << 12;
/// Words that are searched for a key at the most, whatever keys somebody may find that have the same.
const PROBES_MAX: usize = 16;
/// Keys whose words are touched before the first is entered.
const TOUCHED: usize = 32;

/// The number under which each key was added last: in the word that its hash names or, as long as words are full, in
/// one of the next.
#[derive(Debug)]
pub(super) struct Locator {
    /// Entries of a word are taken from the lowest bits on; 0 is no entry.
    words: Vec<AtomicU64>,
    /// How many entries are taken.
    taken: AtomicUsize,
}

/// What an entry of a key has above its number. It is not 0.
#[inline]
fn tag(hash: u64) -> u64 {
    // Of another product than the word, which uses the high bits up.
    let bits = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> u32::BITS;
    let tags = (1 << TAG_BITS) - 1;
    (1 + ((bits * tags) >> u32::BITS)) << NUMBER_BITS
}

/// By how many bits the entry with this tag is shifted, if the word has one.
#[inline]
fn shift_of(word: u64, tag: u64) -> Option<u32> {
    // What agrees is 0, and the lowest 0 borrows from its highest bit.
    let other = word & (EACH * ((1 << ENTRY_BITS) - 1 - NUMBER_MAX)) ^ (EACH * tag);
    let equal = other.wrapping_sub(EACH) & !other & (EACH << (ENTRY_BITS - 1));
    (equal != 0).then(|| equal.trailing_zeros() / ENTRY_BITS * ENTRY_BITS)
}

/// Whether all entries of a word are taken.
#[inline]
fn is_full(word: u64) -> bool {
    word >> (u64::BITS - ENTRY_BITS) != 0
}

impl Locator {
    /// With room for twice as many keys.
    pub(super) fn with_room(keys: usize) -> Self {
        let places = (2 * keys).max(ROOM_MIN) * PLACES / TAKEN;
        let words = (0..=places / ENTRIES).map(|_| AtomicU64::new(0)).collect();
        Locator { words, taken: AtomicUsize::new(0) }
    }

    /// Whether so many more keys can be added.
    pub(super) fn has_room(&self, keys: usize) -> bool {
        let room = self.words.len() * ENTRIES * TAKEN / PLACES;
        self.taken.load(Ordering::Relaxed) + keys <= room
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.words.len() as u128) >> 64) as usize
    }

    /// The words where an entry of a key may be, in turn.
    #[inline]
    fn places(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let (before, from) = self.words.split_at(self.place(hash));
        from.iter().chain(before).take(PROBES_MAX)
    }

    /// Enters keys that were added under `number`, which is not below any before. There is room for them.
    pub(super) fn add<const K: usize>(&self, keys: &[Key<K>], number: u64) {
        for keys in keys.chunks(TOUCHED) {
            let mut hashes = [0; TOUCHED];
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = key_hash(key);
                self.touch(*hash);
            }
            let taken =
                hashes[..keys.len()].iter().filter(|hash| self.enter(**hash, number)).count();
            self.taken.fetch_add(taken, Ordering::Relaxed);
        }
    }

    /// Enters a key; gives whether that took an entry more.
    fn enter(&self, hash: u64, number: u64) -> bool {
        let tag = tag(hash);
        for place in self.places(hash) {
            // Only the writer adds, and versions are published after that.
            let word = place.load(Ordering::Relaxed);
            let known = shift_of(word, tag);
            let shift = match known {
                Some(_) if defect!(LocatorKeepsOldest) => return false,
                Some(shift) => shift,
                None if is_full(word) => continue,
                None => (u64::BITS - word.leading_zeros()).next_multiple_of(ENTRY_BITS),
            };
            let others = word & !(((1 << ENTRY_BITS) - 1) << shift);
            place.store(others | (tag | number) << shift, Ordering::Relaxed);
            return known.is_none();
        }
        false
    }

    /// The highest number under which the key may have been added; `None` if it was not.
    #[inline]
    pub(super) fn find(&self, hash: u64) -> Option<u64> {
        let tag = tag(hash);
        for place in self.places(hash) {
            let word = place.load(Ordering::Relaxed);
            if let Some(shift) = shift_of(word, tag) {
                return Some(word >> shift & NUMBER_MAX);
            }
            if !is_full(word) {
                return None;
            }
        }
        // It was maybe not entered.
        Some(NUMBER_MAX)
    }

    /// Touches the first word of a key.
    #[inline]
    pub(super) fn touch(&self, hash: u64) {
        touch_shared(&self.words, self.place(hash));
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<AtomicU64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_keys_that_have_the_same_place_those_that_find_no_room_may_be_anywhere() {
        // High bits name the word: the first, or the last, behind which is the first.
        for hashes in [0..1_000, u64::MAX - 1_000..u64::MAX] {
            let locator = Locator::with_room(1_000);
            let taken = hashes.clone().filter(|hash| locator.enter(*hash, 5)).count();
            assert_eq!(taken, PROBES_MAX * ENTRIES);
            let found: Vec<_> = hashes.map(|hash| locator.find(hash).expect("maybe")).collect();
            assert!(found.iter().all(|number| [5, NUMBER_MAX].contains(number)));
            let entered = found.iter().filter(|number| **number == 5).count();
            assert!(entered >= taken && found.contains(&NUMBER_MAX), "{entered} of {taken}");
        }
    }

    #[test]
    fn the_entry_of_a_tag_is_found_in_any_place_beside_any_others() {
        let mut state = 20_261_130_u64;
        for round in 0..100_000_u64 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let random = state >> 33;
            let tag = (1 + random % NUMBER_MAX) << NUMBER_BITS;
            // Some are near the tag, or 0.
            let entries: [u64; ENTRIES] =
                std::array::from_fn(|at| match random >> (8 + 3 * at) & 7 {
                    0 => 0,
                    1 => tag | round & NUMBER_MAX,
                    2 => (tag - 1) & 0xffff,
                    3 => (tag ^ 0x8000) | 1,
                    kind => round.wrapping_mul(0x9e37_79b9 + kind) >> 7 & 0xffff,
                });
            let word =
                (0..ENTRIES).fold(0, |word, at| word | entries[at] << (at as u32 * ENTRY_BITS));
            let expected = entries.iter().position(|entry| entry & !NUMBER_MAX == tag);
            let found = shift_of(word, tag).map(|shift| (shift / ENTRY_BITS) as usize);
            assert_eq!(found, expected, "{tag:x} in {word:x}");
        }
    }

    #[test]
    fn each_key_has_the_number_of_its_last_time_or_a_higher_one_and_few_others_have_any() {
        let spread = |n: u64| [n.wrapping_mul(0x5851_f42d_4c95_7f2d), n];
        let counting = |n: u64| [0, n];
        let high = |n: u64| [n << 40, 7];
        for key in [spread, counting, high] {
            let keys: Vec<Key<2>> = (0..50_000).map(key).collect();
            let locator = Locator::with_room(keys.len() / 2);
            assert!(locator.has_room(keys.len()));
            locator.add(&keys[..40_000], 3);
            locator.add(&keys[30_000..], NUMBER_MAX);
            assert!(locator.has_room(0) && !locator.has_room(keys.len()));
            let mut higher = 0;
            for (at, key) in keys.iter().enumerate() {
                let expected = if at < 30_000 { 3 } else { NUMBER_MAX };
                let number = locator.find(key_hash(key)).expect("it was added");
                assert!(number >= expected, "key {at}");
                higher += usize::from(number > expected);
            }
            let found =
                (50_000..150_000).filter(|n| locator.find(key_hash(&key(*n))).is_some()).count();
            // As often as its tag agrees with one of those in two words.
            let shared = |keys: usize| (8 * keys) >> TAG_BITS;
            assert!(higher < shared(30_000), "{higher} of 30,000 keys have the number of others");
            assert!(found < shared(100_000), "{found} of 100,000 keys that are not there");
        }
    }
}
