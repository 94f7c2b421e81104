//! The filter of a run in memory: tells of most keys that are not there without a search.
//!
//! A Bloom filter in words of 64 bits: a key sets four bits of one word, so a question touches one cache
//! line. With 16 bits per key about one absent key in 100 passes.

use super::run::Key;

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

    /// Reads a byte of a key's word, so that it is near afterwards.
    #[inline]
    pub(super) fn touch<const K: usize>(&self, key: &Key<K>) -> u8 {
        self.0[place(key, self.0.len()).0] as u8
    }

    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
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
