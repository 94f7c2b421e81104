//! Filters of what is in memory: they tell of most keys that are not there without a search.
//!
//! A Bloom filter in words of 64 bits: a key sets four bits of one word, so a question touches one cache
//! line. With 16 bits per key about one absent key in 100 passes.
//!
//! A mutable table whose keys do not ascend has one for all of its runs, which the writer goes on filling: a key
//! that is new is asked for once, and not of each run. A run has one of its own as soon as
//! somebody looks for a key that may be in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::touch::touch;

use super::run::{Key, Run};

const BITS_PER_KEY: usize = 16;

/// Which keys a run may have.
#[derive(Debug)]
pub(super) struct RunFilter(Vec<u64>);

impl RunFilter {
    pub(super) fn new<const K: usize>(keys: &[Key<K>]) -> Self {
        let mut words = vec![0_u64; (keys.len() * BITS_PER_KEY).div_ceil(64).max(1)];
        for key in keys {
            let (at, bits) = place(key, words.len());
            words[at] |= bits;
        }
        RunFilter(words)
    }

    /// `false` if the key is certainly not in the run.
    #[inline]
    pub(super) fn may_contain<const K: usize>(&self, key: &Key<K>) -> bool {
        let (at, bits) = place(key, self.0.len());
        self.0[at] & bits == bits
    }

    /// Touches a key's word.
    #[inline]
    pub(super) fn touch<const K: usize>(&self, key: &Key<K>) {
        touch(&self.0, place(key, self.0.len()).0);
    }

    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

/// Which keys a memory table may have. The writer adds keys while readers ask: for those of an older version
/// it tells of keys that they do not have, which costs them a search.
#[derive(Debug)]
pub(crate) struct MemoryFilter {
    words: Vec<AtomicU64>,
}

/// Keys that the first filter of a table has room for.
const ROOM_MIN: usize = 1 << 12;

impl MemoryFilter {
    /// The filter of a table that gets `added`: of all its runs, or none if keys ascend so far. `filter`
    /// is the one that the runs before have.
    pub(crate) fn with_run<const K: usize>(
        filter: Option<Arc<MemoryFilter>>,
        runs: &[Arc<Run<K>>],
        added: &Run<K>,
    ) -> Option<Arc<MemoryFilter>> {
        let first = added.keys().first()?;
        let count = runs.iter().map(|run| run.len()).sum::<usize>() + added.len();
        match filter {
            Some(filter) if count <= filter.room() => {
                filter.add(added.keys());
                Some(filter)
            }
            None if runs.iter().all(|run| run.keys().last().is_none_or(|last| last < first)) => {
                None
            }
            _ => {
                let words = (2 * count).max(ROOM_MIN) * BITS_PER_KEY / 64;
                let words = (0..words).map(|_| AtomicU64::new(0)).collect();
                let filter = MemoryFilter { words };
                runs.iter().for_each(|run| filter.add(run.keys()));
                filter.add(added.keys());
                Some(Arc::new(filter))
            }
        }
    }

    fn room(&self) -> usize {
        self.words.len() * 64 / BITS_PER_KEY
    }

    fn add<const K: usize>(&self, keys: &[Key<K>]) {
        for key in keys {
            let (at, bits) = place(key, self.words.len());
            // Only the writer adds, and versions are published after that.
            let word = self.words[at].load(Ordering::Relaxed);
            self.words[at].store(word | bits, Ordering::Relaxed);
        }
    }

    /// `false` if the key is certainly not in the table.
    #[inline]
    pub(crate) fn may_contain<const K: usize>(&self, key: &Key<K>) -> bool {
        let (at, bits) = place(key, self.words.len());
        self.words[at].load(Ordering::Relaxed) & bits == bits
    }

    /// Bytes of memory that the filter holds.
    pub(crate) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// The word of a key, and its bits.
#[inline]
fn place<const K: usize>(key: &Key<K>, words: usize) -> (usize, u64) {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for limb in key {
        // Both halves of the product: high bits of the limb reach low bits of the hash and back.
        let product = u128::from(hash ^ limb) * 0xd6e8_feb8_6659_fd93;
        hash = (product >> 64) as u64 ^ product as u64;
    }
    let at = (u128::from(hash) * words as u128) >> 64;
    // The bits are of another product than the word: its high bits are used up.
    let bits = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bit = |shift: u32| 1_u64 << (bits >> shift & 63);
    (at as usize, bit(40) | bit(46) | bit(52) | bit(58))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_filter_of_all_its_keys_once_they_do_not_ascend() {
        let run = |keys: Vec<Key<1>>| {
            let tombstones = vec![false; keys.len()];
            Arc::new(Run::from_sorted(keys, tombstones, Vec::new(), 0))
        };
        let (mut runs, mut filter) = (Vec::new(), None);
        for number in 0..300 {
            let (first, step) =
                if number < 10 { (1_000 * number, 1) } else { (7 * number, 1 << 20) };
            let added = run((0..100).map(|n| [first + step * n]).collect());
            filter = MemoryFilter::with_run(filter, &runs, &added);
            assert_eq!(filter.is_some(), number >= 10, "run {number}");
            runs.push(added);
        }
        let filter = filter.unwrap();
        let mut keys = runs.iter().flat_map(|run| run.keys());
        assert!(keys.all(|key| filter.may_contain(key)));
        let passed = (0..100_000).filter(|n| filter.may_contain(&[1 << 40 | n])).count();
        assert!(passed < 2_000, "{passed} of 100,000 absent keys passed");
    }

    #[test]
    fn every_key_of_a_run_passes_and_few_others_do() {
        let spread = |n: u64| [n.wrapping_mul(0x5851_f42d_4c95_7f2d), n];
        let counting = |n: u64| [0, n];
        let high = |n: u64| [n << 40, 7];
        for key in [spread, counting, high] {
            let keys: Vec<Key<2>> = (0..50_000).map(key).collect();
            let filter = RunFilter::new(&keys);
            assert!(keys.iter().all(|key| filter.may_contain(key)));
            let passed = (50_000..150_000).filter(|n| filter.may_contain(&key(*n))).count();
            assert!(passed < 2_000, "{passed} of 100,000 absent keys passed");
        }
    }
}
