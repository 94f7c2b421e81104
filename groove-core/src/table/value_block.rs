//! A value block, row by row: each value is its key, most significant byte first, and its payload;
//! a bitmap of the tombstones follows if there are any.

use std::sync::Arc;

use crate::grid::{BLOCK_HEADER_SIZE, BlockHeader};
use crate::key::{bytes_from_limbs, limbs_from_bytes};
use crate::memory::Key;

use super::TreeMeta;

/// A value block in memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ValueBlock<const K: usize> {
    bytes: Arc<[u8]>,
    count: usize,
    stride: usize,
    key_width: usize,
    tombstones: bool,
}

impl<const K: usize> ValueBlock<K> {
    pub(super) fn parse(bytes: Arc<[u8]>, meta: &TreeMeta) -> Result<Self, &'static str> {
        let header = BlockHeader::read(&bytes);
        if header.tree != meta.id {
            return Err("tree");
        }
        if header.encoding != 0 {
            return Err("encoding");
        }
        let count = header.count as usize;
        let tombstones = header.tombstone_count > 0;
        if count == 0
            || count > meta.layout.block_rows
            || bytes.len() != meta.layout.block_bytes(count, tombstones)
        {
            return Err("count");
        }
        Ok(ValueBlock {
            bytes,
            count,
            stride: meta.layout.stride,
            key_width: meta.key_width,
            tombstones,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    fn row(&self, at: usize) -> &[u8] {
        let start = BLOCK_HEADER_SIZE + at * self.stride;
        &self.bytes[start..start + self.stride]
    }

    #[inline]
    pub(crate) fn key(&self, at: usize) -> Key<K> {
        let mut key = [0; K];
        limbs_from_bytes(&self.row(at)[..self.key_width], &mut key);
        key
    }

    #[inline]
    pub(crate) fn payload(&self, at: usize) -> &[u8] {
        &self.row(at)[self.key_width..]
    }

    #[inline]
    pub(crate) fn is_tombstone(&self, at: usize) -> bool {
        assert!(at < self.count, "beyond the block's end");
        let bitmap = BLOCK_HEADER_SIZE + self.count * self.stride;
        self.tombstones && self.bytes[bitmap + at / 8] & (1 << (at % 8)) != 0
    }

    /// The first position whose key is at least `key`. Encoded keys compare as bytes.
    pub(crate) fn lower_bound(&self, key: &Key<K>) -> usize {
        let mut encoded = [0; crate::constants::KEY_LIMBS_MAX * 8];
        let encoded = &mut encoded[..self.key_width];
        bytes_from_limbs(key, encoded);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.row(middle)[..self.key_width] < *encoded {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(crate) fn find(&self, key: &Key<K>) -> Option<usize> {
        let at = self.lower_bound(key);
        (at < self.count && self.key(at) == *key).then_some(at)
    }

    /// Puts minus tombstones among the positions.
    pub(crate) fn net_count(&self, positions: std::ops::Range<usize>) -> i64 {
        let length = positions.len() as i64;
        if !self.tombstones {
            return length;
        }
        let tombstones = positions.filter(|at| self.is_tombstone(*at)).count();
        length - 2 * tombstones as i64
    }
}
