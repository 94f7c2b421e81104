//! A value block in memory, as rows or as columns.
//!
//! As rows each value is its key, most significant byte first, and its payload; a bitmap of the
//! tombstones follows if there are any. For columns see [`super::columns`].
//!
//! A block is checked once, when it is first used; the cache keeps what was found.

use std::ops::Range;
use std::sync::Arc;

use crate::grid::{BLOCK_HEADER_SIZE, Block, BlockHeader};
use crate::key::{bytes_from_limbs, limbs_from_bytes};
use crate::memory::Key;
use crate::search;

use super::TreeMeta;
use super::columns::Columns;

/// The encodings of the block header.
pub(super) const ENCODING_ROWS: u8 = 0;
pub(super) const ENCODING_COLUMNS: u8 = 1;

/// A value block in memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ValueBlock<const K: usize> {
    block: Arc<Block>,
}

/// What the check of a block found.
#[derive(Debug)]
struct Parsed {
    count: usize,
    payload_width: usize,
    /// Where the bitmap is, if there are tombstones.
    bitmap: Option<usize>,
    encoding: Encoding,
}

#[derive(Debug)]
enum Encoding {
    Rows { stride: usize, key_width: usize },
    Columns(Columns),
}

impl Parsed {
    fn of(bytes: &[u8], limbs: usize, meta: &TreeMeta) -> Result<Parsed, &'static str> {
        let header = BlockHeader::read(bytes);
        if header.tree != meta.id {
            return Err("tree");
        }
        let count = header.count as usize;
        let tombstones = header.tombstone_count > 0;
        if count == 0 || count > meta.layout.block_rows_max {
            return Err("count");
        }
        let (encoding, bitmap) = match header.encoding {
            ENCODING_ROWS => {
                if count > meta.layout.block_rows
                    || bytes.len() != meta.layout.block_bytes(count, tombstones)
                {
                    return Err("count");
                }
                let stride = meta.layout.stride;
                let rows = Encoding::Rows { stride, key_width: meta.key_width };
                (rows, BLOCK_HEADER_SIZE + count * stride)
            }
            ENCODING_COLUMNS => {
                let (columns, bitmap) = Columns::parse(bytes, count, tombstones, limbs, meta)?;
                (Encoding::Columns(columns), bitmap)
            }
            _ => return Err("encoding"),
        };
        let bitmap = tombstones.then_some(bitmap);
        Ok(Parsed { count, payload_width: meta.payload_width, bitmap, encoding })
    }

    #[inline]
    fn key<const K: usize>(&self, bytes: &[u8], at: usize) -> Key<K> {
        assert!(at < self.count, "beyond the block's end");
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                let start = BLOCK_HEADER_SIZE + at * stride;
                let mut key = [0; K];
                limbs_from_bytes(&bytes[start..start + key_width], &mut key);
                key
            }
            Encoding::Columns(columns) => columns.key(bytes, at, self.count),
        }
    }

    /// The last limb of a key.
    #[inline]
    fn last_limb<const K: usize>(&self, bytes: &[u8], at: usize) -> u64 {
        match &self.encoding {
            Encoding::Columns(columns) if K > 1 => {
                columns.last_limb::<K>().get(bytes, at, self.count)
            }
            _ => self.key::<K>(bytes, at)[K - 1],
        }
    }

    fn lower_bound<const K: usize>(&self, bytes: &[u8], key: &Key<K>) -> usize {
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                // Encoded keys compare as bytes.
                let mut encoded = [0; crate::constants::KEY_LIMBS_MAX * 8];
                let encoded = &mut encoded[..*key_width];
                bytes_from_limbs(key, encoded);
                let (mut low, mut high) = (0, self.count);
                while low < high {
                    let middle = low.midpoint(high);
                    let start = BLOCK_HEADER_SIZE + middle * stride;
                    if bytes[start..start + key_width] < *encoded {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                low
            }
            Encoding::Columns(columns) => columns.lower_bound(bytes, self.count, key),
        }
    }

    #[inline]
    fn is_tombstone(&self, bytes: &[u8], at: usize) -> bool {
        assert!(at < self.count, "beyond the block's end");
        self.bitmap.is_some_and(|bitmap| bytes[bitmap + at / 8] & (1 << (at % 8)) != 0)
    }
}

impl<const K: usize> ValueBlock<K> {
    pub(super) fn parse(block: Arc<Block>, meta: &TreeMeta) -> Result<Self, &'static str> {
        block.parsed_with(|bytes| Parsed::of(bytes, K, meta))?;
        Ok(ValueBlock { block })
    }

    #[inline]
    fn parts(&self) -> (&Parsed, &[u8]) {
        (self.block.parsed().expect("checked when it was made"), self.block.bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.parts().0.count
    }

    #[inline]
    pub(crate) fn key(&self, at: usize) -> Key<K> {
        let (parsed, bytes) = self.parts();
        parsed.key(bytes, at)
    }

    /// Appends a payload to `out`.
    pub(crate) fn append_payload(&self, at: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.parts().0.payload_width, 0);
        self.read_payload(at, &mut out[start..]);
    }

    pub(super) fn payload_width(&self) -> usize {
        self.parts().0.payload_width
    }

    /// If it is a block of columns: these, its bytes, and how many values there are.
    pub(super) fn columns(&self) -> Option<(&Columns, &[u8], usize)> {
        let (parsed, bytes) = self.parts();
        match &parsed.encoding {
            Encoding::Rows { .. } => None,
            Encoding::Columns(columns) => Some((columns, bytes, parsed.count)),
        }
    }

    /// Fills `out` with a payload.
    pub(crate) fn read_payload(&self, at: usize, out: &mut [u8]) {
        let (parsed, bytes) = self.parts();
        assert!(at < parsed.count, "beyond the block's end");
        match &parsed.encoding {
            Encoding::Rows { stride, key_width } => {
                let start = BLOCK_HEADER_SIZE + at * stride;
                out.copy_from_slice(&bytes[start + key_width..start + stride]);
            }
            Encoding::Columns(columns) => columns.payload(bytes, at, parsed.count, out),
        }
    }

    #[inline]
    pub(crate) fn is_tombstone(&self, at: usize) -> bool {
        let (parsed, bytes) = self.parts();
        parsed.is_tombstone(bytes, at)
    }

    /// The first position whose key is at least `key`.
    pub(crate) fn lower_bound(&self, key: &Key<K>) -> usize {
        let (parsed, bytes) = self.parts();
        parsed.lower_bound(bytes, key)
    }

    pub(crate) fn find(&self, key: &Key<K>) -> Option<usize> {
        let (parsed, bytes) = self.parts();
        let at = parsed.lower_bound(bytes, key);
        (at < parsed.count && parsed.key(bytes, at) == *key).then_some(at)
    }

    /// The positions whose keys are `min`, `max` or between them.
    pub(crate) fn positions(&self, min: &Key<K>, max: &Key<K>) -> Range<usize> {
        let (parsed, bytes) = self.parts();
        let from = parsed.lower_bound(bytes, min);
        let to = parsed.lower_bound(bytes, max);
        let last = to < parsed.count && parsed.key(bytes, to) == *max;
        from..from.max(to + usize::from(last))
    }

    /// Of keys that agree in all limbs but the last: the first position in `positions` with at least
    /// `last` as last limb; near a guess in that range.
    pub(crate) fn first_from(&self, positions: Range<usize>, guess: usize, last: u64) -> usize {
        self.near(positions, guess, |value| value < last)
    }

    /// Of keys that agree in all limbs but the last: the first position in `positions` with more than
    /// `last` as last limb; near a guess in that range.
    pub(crate) fn first_over(&self, positions: Range<usize>, guess: usize, last: u64) -> usize {
        self.near(positions, guess, |value| value <= last)
    }

    #[inline]
    fn near(
        &self,
        Range { start, end }: Range<usize>,
        guess: usize,
        is_before: impl Fn(u64) -> bool,
    ) -> usize {
        let (parsed, bytes) = self.parts();
        assert!(start <= guess && guess < end && end <= parsed.count, "positions of the block");
        match &parsed.encoding {
            Encoding::Rows { .. } => {
                search::near(start, end, guess, |at| is_before(parsed.last_limb::<K>(bytes, at)))
            }
            Encoding::Columns(columns) => {
                let lane = columns.last_limb::<K>();
                lane.near(bytes, parsed.count, (start, end), guess, is_before)
            }
        }
    }

    /// The last limb of a key.
    #[inline]
    pub(crate) fn last_limb(&self, at: usize) -> u64 {
        let (parsed, bytes) = self.parts();
        parsed.last_limb::<K>(bytes, at)
    }

    /// Whether there is a tombstone in it.
    pub(crate) fn has_tombstones(&self) -> bool {
        self.parts().0.bitmap.is_some()
    }

    /// Puts minus tombstones among the positions.
    pub(crate) fn net_count(&self, positions: Range<usize>) -> i64 {
        let (parsed, bytes) = self.parts();
        let length = positions.len() as i64;
        if parsed.bitmap.is_none() {
            return length;
        }
        let tombstones = positions.filter(|at| parsed.is_tombstone(bytes, *at)).count();
        length - 2 * tombstones as i64
    }

    /// Puts all values into `chunk`; an error if the keys do not ascend.
    pub(crate) fn unpack(
        &self,
        meta: &TreeMeta,
        chunk: &mut super::Chunk<K>,
    ) -> Result<(), &'static str> {
        let (parsed, bytes) = self.parts();
        chunk.clear();
        match &parsed.encoding {
            Encoding::Rows { stride, key_width } => {
                let rows = &bytes[BLOCK_HEADER_SIZE..BLOCK_HEADER_SIZE + parsed.count * stride];
                for row in rows.chunks_exact(*stride) {
                    let mut key = [0; K];
                    limbs_from_bytes(&row[..*key_width], &mut key);
                    chunk.keys.push(key);
                }
                for (lane, place) in chunk.lanes.iter_mut().zip(&meta.lanes) {
                    lane.extend(
                        rows.chunks_exact(*stride).map(|row| place.read(&row[*key_width..])),
                    );
                }
            }
            Encoding::Columns(columns) => {
                let super::Chunk { keys, lanes, scratch, .. } = chunk;
                columns.unpack(bytes, parsed.count, keys, lanes, scratch);
            }
        }
        match parsed.bitmap {
            None => chunk.tombstones.resize(parsed.count, false),
            Some(_) => {
                let tombstones = (0..parsed.count).map(|at| parsed.is_tombstone(bytes, at));
                chunk.tombstones.extend(tombstones);
            }
        }
        if chunk.keys.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err("order of keys") }
    }
}
