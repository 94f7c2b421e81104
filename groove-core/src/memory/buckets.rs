//! Where the keys of a run begin that agree in their leading bits.
//!
//! Keys that are spread evenly at random, ids or the timestamps of objects that were updated, are a hundred places
//! off of where a straight line has them in a run of some ten thousand. A search from there waits for memory three
//! times or four; with a number for each few keys it waits once for that and once for the key.

use std::ops::Range;

use super::run::Key;
use crate::search;
use crate::touch::touch;

/// Keys of a bucket, about.
const KEYS: usize = 4;

#[derive(Debug)]
pub(super) struct Buckets {
    /// All keys agree in the limbs before this one.
    limb: usize,
    /// The lowest key has this there.
    first: u64,
    /// By how many bits a limb, less the first, is cut.
    shift: u32,
    /// Where the keys of each bucket begin, and their end.
    begins: Box<[u32]>,
}

impl Buckets {
    /// Of keys that ascend; `None` of none, or of more than can be.
    pub(super) fn of<const K: usize>(keys: &[Key<K>]) -> Option<Self> {
        let (first, last) = (keys.first()?, keys.last()?);
        let length = u32::try_from(keys.len()).ok()?;
        let limb = (0..K).find(|limb| first[*limb] != last[*limb])?;
        let width = last[limb] - first[limb];
        let bits = (keys.len() / KEYS).max(2).ilog2();
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(bits);
        let mut begins = Vec::with_capacity((width >> shift) as usize + 2);
        for (key, at) in keys.iter().zip(0..) {
            let bucket = ((key[limb] - first[limb]) >> shift) as usize;
            while begins.len() <= bucket {
                begins.push(at);
            }
        }
        begins.push(length);
        Some(Buckets { limb, first: first[limb], shift, begins: begins.into() })
    }

    /// The first position whose key is at least `key`, which is not below the lowest nor above the highest.
    #[inline]
    pub(super) fn lower_bound<const K: usize>(&self, keys: &[Key<K>], key: &Key<K>) -> usize {
        let range = self.range(key);
        search::by_halves(range.start, range.end, |at| keys[at] < *key)
    }

    /// The positions that such a key may have.
    #[inline]
    pub(super) fn range<const K: usize>(&self, key: &Key<K>) -> Range<usize> {
        let bucket = self.bucket(key);
        self.begins[bucket] as usize..self.begins[bucket + 1] as usize
    }

    /// Touches what [`Buckets::range`] reads.
    #[inline]
    pub(super) fn touch<const K: usize>(&self, key: &Key<K>) {
        touch(&self.begins, self.bucket(key));
    }

    fn bucket<const K: usize>(&self, key: &Key<K>) -> usize {
        ((key[self.limb] - self.first) >> self.shift) as usize
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_a_search_by_halves_finds_them() {
        let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let shapes: [fn(u64, u64) -> Key<2>; 6] = [
            |n, mixed| [mixed, n],
            |_, mixed| [7, mixed],
            |n, _| [7, n],
            |n, mixed| [n / 100, mixed],
            |n, _| [n % 2 * u64::MAX, n],
            |n, _| [n * n * n, n],
        ];
        for shape in shapes {
            for length in [2, 3, 257, 5_000] {
                let mut keys: Vec<Key<2>> = (0..length).map(|n| shape(n, mixed(n))).collect();
                keys.sort_unstable();
                keys.dedup();
                let Some(buckets) = Buckets::of(&keys) else { panic!("keys differ") };
                assert!(buckets.begins.len() <= keys.len().max(2) + 1);
                let (first, last) = (keys[0], keys[keys.len() - 1]);
                let beside = |key: &Key<2>| {
                    let [high, low] = *key;
                    [
                        *key,
                        [high, low.wrapping_add(1)],
                        [high, low.wrapping_sub(1)],
                        [high ^ 1, low],
                    ]
                };
                for key in keys.iter().flat_map(beside).filter(|key| (first..=last).contains(key)) {
                    let expected = keys.partition_point(|other| *other < key);
                    assert_eq!(buckets.lower_bound(&keys, &key), expected, "{key:?}");
                }
            }
        }
        assert!(Buckets::of::<2>(&[]).is_none() && Buckets::of(&[[1, 2]]).is_none());
    }
}
