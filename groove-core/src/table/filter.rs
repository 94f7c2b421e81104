//! The filter of a table: a split-block Bloom filter, the variant of Putze, Sanders and Singler
//! ("Cache-, Hash- and Space-Efficient Bloom Filters", 2007) that the Parquet format specifies: a
//! key sets one bit in each of the eight words of one 32-byte block, so a lookup touches one cache
//! line. With 12 bits per key about one absent key in 200 passes.

use crate::constants::SECTOR_SIZE;
use crate::grid::{BLOCK_HEADER_SIZE, BlockHeader};
use crate::touch::touch;

const BITS_PER_KEY: usize = 12;
const BLOCK_BYTES: usize = 32;

/// The odd multipliers of the Parquet specification, one per word.
const SALT: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

fn filter_blocks(keys: usize) -> usize {
    (keys * BITS_PER_KEY).div_ceil(8 * BLOCK_BYTES).max(1)
}

/// A filter in memory: the block as it was read.
#[derive(Debug)]
pub(crate) struct Filter {
    bytes: Vec<u8>,
    blocks: usize,
}

impl Filter {
    /// Bytes of the block that holds the filter of `keys` keys, padding included.
    pub(crate) fn block_bytes(keys: usize) -> usize {
        (BLOCK_HEADER_SIZE + filter_blocks(keys) * BLOCK_BYTES).next_multiple_of(SECTOR_SIZE)
    }

    /// Appends the block (its header still empty) for keys with these hashes to `bytes`, and gives
    /// the count for the header.
    pub(crate) fn build(hashes: &[u64], bytes: &mut Vec<u8>) -> u32 {
        let blocks = filter_blocks(hashes.len());
        let start = bytes.len();
        bytes.resize(start + Self::block_bytes(hashes.len()), 0);
        let body = &mut bytes[start + BLOCK_HEADER_SIZE..];
        for hash in hashes {
            let (block, words) = position(*hash, blocks);
            for (at, bit) in words.into_iter().enumerate() {
                let word = block * BLOCK_BYTES + at * 4;
                body[word + (bit >> 3) as usize] |= 1 << (bit & 7);
            }
        }
        u32::try_from(blocks).expect("a table has less than 2^32 keys")
    }

    /// Takes a filter block whose checksum agreed.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Filter, &'static str> {
        let blocks = BlockHeader::read(&bytes).count as usize;
        if blocks == 0 || blocks > (bytes.len() - BLOCK_HEADER_SIZE) / BLOCK_BYTES {
            return Err("count");
        }
        Ok(Filter { bytes, blocks })
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.len()
    }

    /// Touches what [`Filter::may_contain`] reads.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) {
        touch(&self.bytes, BLOCK_HEADER_SIZE + block(hash, self.blocks) * BLOCK_BYTES);
    }

    /// `false` if the key is certainly not in the table.
    #[inline]
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        let (block, words) = position(hash, self.blocks);
        let start = BLOCK_HEADER_SIZE + block * BLOCK_BYTES;
        let body = self.bytes[start..start + BLOCK_BYTES].as_chunks::<4>().0;
        // All bits and not until one is missing: which one that is is a coin's toss, whether one is can be
        // foreseen.
        let missing = body
            .iter()
            .zip(words)
            .fold(0, |missing, (word, bit)| missing | !u32::from_le_bytes(*word) & 1_u32 << bit);
        missing == 0
    }
}

/// The block of a key.
#[inline]
fn block(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize
}

/// The block of a key, and the bit in each of its words.
#[inline]
fn position(hash: u64, blocks: usize) -> (usize, [u32; 8]) {
    (block(hash, blocks), SALT.map(|salt| (hash as u32).wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::BlockKind;
    use crate::grid::{BlockInfo, seal_block};
    use crate::key_hash::key_hash;

    #[test]
    fn every_key_passes_and_few_others_do() {
        let hashes: Vec<u64> = (0..10_000_u64).map(|key| key_hash(&[key])).collect();
        let mut bytes = Vec::new();
        let count = Filter::build(&hashes, &mut bytes);
        assert_eq!(bytes.len(), Filter::block_bytes(hashes.len()));
        let info = BlockInfo { count, ..BlockInfo::default() };
        seal_block(&mut bytes, BlockKind::Filter, 4096, [0; 16], info);
        let filter = Filter::parse(bytes).unwrap();
        assert!(hashes.iter().all(|hash| filter.may_contain(*hash)));
        let passed = (10_000..110_000_u64).filter(|key| filter.may_contain(key_hash(&[*key])));
        let passed = passed.count();
        assert!(passed < 1_000, "{passed} of 100,000 absent keys passed");
    }
}
