//! The hash of a key: what filters of tables are made of, and locators of memory tables.

use std::cell::OnceCell;

use crate::memory::Key;

/// The 64-bit finalizer of MurmurHash3 over each limb in turn. Part of the file format.
#[inline]
pub(crate) fn key_hash(limbs: &[u64]) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for limb in limbs {
        let mut z = hash ^ limb;
        z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash = (z ^ (z >> 33)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    hash
}

/// A key, and its hash as soon as somebody asks for it.
pub(crate) struct HashedKey<'a, const K: usize> {
    pub(crate) key: &'a Key<K>,
    hash: OnceCell<u64>,
}

impl<'a, const K: usize> HashedKey<'a, K> {
    pub(crate) fn new(key: &'a Key<K>) -> Self {
        HashedKey { key, hash: OnceCell::new() }
    }

    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| key_hash(self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_part_of_the_format() {
        assert_ne!(key_hash(&[0, 1]), key_hash(&[1, 0]));
        assert_eq!(key_hash(&[1, 2]), 0x2eaf4876b9484392);
    }
}
