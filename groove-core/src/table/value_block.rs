//! A value block in memory, as rows or as columns.
//!
//! As rows each value is its key, most significant byte first, and its payload; a bitmap of the
//! tombstones follows if there are any. For columns see [`super::columns`].
//!
//! A block is checked once, when it is read; what was found stays with its bytes.

use std::ops::Range;

use crate::grid::{BLOCK_HEADER_SIZE, BlockBytes, BlockHeader};
use crate::key::{bytes_from_limbs, limbs_from_bytes};
use crate::memory::Key;
use crate::search;
use crate::touch::touch;

use super::TreeMeta;
use super::columns::Columns;
use super::shape::PayloadLane;

/// The encodings of the block header.
pub(super) const ENCODING_ROWS: u8 = 0;
pub(super) const ENCODING_COLUMNS: u8 = 1;

/// A value block in memory, checked. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ValueBlock<const K: usize> {
    /// The block, and behind it what [`Columns`] puts there.
    bytes: BlockBytes,
    count: u32,
    payload_width: u32,
    /// Where the bitmap is; 0 if there are no tombstones.
    bitmap: u32,
    encoding: Encoding<K>,
}

#[derive(Debug, Clone)]
enum Encoding<const K: usize> {
    Rows { stride: u32, key_width: u32 },
    Columns(Columns<K>),
}

impl<const K: usize> ValueBlock<K> {
    /// Takes a block whose checksum agreed; `hold` gives memory with its bytes and others behind them.
    pub(super) fn parse(
        bytes: &[u8],
        meta: &TreeMeta,
        hold: impl FnOnce(&[u8], &[u8]) -> BlockBytes,
    ) -> Result<Self, &'static str> {
        let header = BlockHeader::read(bytes);
        if header.tree != meta.id {
            return Err("tree");
        }
        let count = header.count as usize;
        let tombstones = header.tombstone_count > 0;
        if count == 0 || count > meta.layout.block_rows_max {
            return Err("count");
        }
        let narrow = |number: usize| u32::try_from(number).map_err(|_| "length");
        let mut far = Vec::new();
        let (encoding, bitmap) = match header.encoding {
            ENCODING_ROWS => {
                if count > meta.layout.block_rows
                    || bytes.len() != meta.layout.block_bytes(count, tombstones)
                {
                    return Err("count");
                }
                let (stride, key_width) = (narrow(meta.layout.stride)?, narrow(meta.key_width)?);
                let bitmap = BLOCK_HEADER_SIZE + count * meta.layout.stride;
                (Encoding::Rows { stride, key_width }, bitmap)
            }
            ENCODING_COLUMNS => {
                let checked = Columns::parse(bytes, count, tombstones, meta)?;
                far = checked.far;
                (Encoding::Columns(checked.columns), checked.bitmap)
            }
            _ => return Err("encoding"),
        };
        Ok(ValueBlock {
            bytes: hold(bytes, bytemuck::cast_slice(&far)),
            count: header.count,
            payload_width: narrow(meta.payload_width)?,
            bitmap: if tombstones { narrow(bitmap)? } else { 0 },
            encoding,
        })
    }

    /// Bytes of memory that it takes, but for itself.
    pub(super) fn memory(&self) -> usize {
        self.bytes.memory()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// A value of a block of rows.
    #[inline]
    fn row(&self, at: usize, stride: u32) -> &[u8] {
        let start = BLOCK_HEADER_SIZE + at * stride as usize;
        &self.bytes[start..start + stride as usize]
    }

    #[inline]
    pub(crate) fn key(&self, at: usize) -> Key<K> {
        assert!(at < self.len(), "beyond the block's end");
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                let mut key = [0; K];
                limbs_from_bytes(self.row(at, *stride).split_at(*key_width as usize).0, &mut key);
                key
            }
            Encoding::Columns(columns) => columns.key(&self.bytes, at, self.len()),
        }
    }

    #[inline]
    pub(super) fn payload_width(&self) -> usize {
        self.payload_width as usize
    }

    /// If it is a block of columns: these, its bytes, and how many values there are.
    #[inline]
    pub(super) fn columns(&self) -> Option<(&Columns<K>, &[u8], usize)> {
        match &self.encoding {
            Encoding::Rows { .. } => None,
            Encoding::Columns(columns) => Some((columns, &self.bytes, self.len())),
        }
    }

    /// Fills `out` with a payload that is likely to be far: waits for all places where it lies at once.
    #[inline]
    pub(crate) fn fetch_payload(&self, at: usize, out: &mut [u8]) {
        assert!(at < self.len(), "beyond the block's end");
        if let Encoding::Columns(columns) = &self.encoding {
            columns.each_place(&self.bytes, at, self.len(), |place| touch(&self.bytes, place));
        }
        self.read_payload(at, out);
    }

    /// Fills `out` with a payload.
    #[inline]
    pub(crate) fn read_payload(&self, at: usize, out: &mut [u8]) {
        assert!(at < self.len(), "beyond the block's end");
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                out.copy_from_slice(&self.row(at, *stride)[*key_width as usize..]);
            }
            Encoding::Columns(columns) => columns.payload(&self.bytes, at, self.len(), out),
        }
    }

    #[inline]
    pub(crate) fn is_tombstone(&self, at: usize) -> bool {
        assert!(at < self.len(), "beyond the block's end");
        self.bitmap != 0 && self.bytes[self.bitmap as usize + at / 8] & (1 << (at % 8)) != 0
    }

    /// The first position whose key is at least `key`.
    pub(crate) fn lower_bound(&self, key: &Key<K>) -> usize {
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                // Encoded keys compare as bytes.
                let mut encoded = [0; crate::constants::KEY_LIMBS_MAX * 8];
                let encoded = &mut encoded[..*key_width as usize];
                bytes_from_limbs(key, encoded);
                let (mut low, mut high) = (0, self.len());
                while low < high {
                    let middle = low.midpoint(high);
                    if self.row(middle, *stride)[..encoded.len()] < *encoded {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                low
            }
            Encoding::Columns(columns) => columns.lower_bound(&self.bytes, self.len(), key),
        }
    }

    #[inline]
    pub(crate) fn find(&self, key: &Key<K>) -> Option<usize> {
        let at = self.lower_bound(key);
        (at < self.len() && self.key(at) == *key).then_some(at)
    }

    /// The positions whose keys are `min`, `max` or between them.
    pub(crate) fn positions(&self, min: &Key<K>, max: &Key<K>) -> Range<usize> {
        if let Encoding::Columns(columns) = &self.encoding
            && K > 1
            && min[..K - 1] == max[..K - 1]
        {
            return columns.span(&self.bytes, self.len(), min, max);
        }
        let from = self.lower_bound(min);
        let to = self.lower_bound(max);
        let last = to < self.len() && self.key(to) == *max;
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
        assert!(start <= guess && guess < end && end <= self.len(), "positions of the block");
        match &self.encoding {
            Encoding::Rows { .. } => {
                search::near(start, end, guess, |at| is_before(self.last_limb(at)))
            }
            Encoding::Columns(columns) => {
                let lane = columns.last_limb();
                lane.near(&self.bytes, self.len(), (start, end), guess, is_before)
            }
        }
    }

    /// Calls with each of `timestamps`, which are last limbs, that a key in `positions` has, where keys
    /// agree in all other limbs: with its number and its position. Near guesses, if need be.
    pub(crate) fn members(
        &self,
        Range { start, end }: Range<usize>,
        timestamps: &[u64],
        guess: (impl Fn(u64) -> usize, f64),
        found: impl FnMut(usize, usize),
    ) {
        assert!(start < end && end <= self.len(), "positions of the block");
        match &self.encoding {
            Encoding::Columns(columns) if K > 1 => {
                let lane = columns.last_limb();
                lane.members(&self.bytes, self.len(), (start, end), timestamps, guess, found);
            }
            _ => {
                let get = |at| self.last_limb(at);
                search::members((start, end), timestamps, guess, (|_| {}, get), found);
            }
        }
    }

    /// The last limb of a key.
    #[inline]
    pub(crate) fn last_limb(&self, at: usize) -> u64 {
        match &self.encoding {
            Encoding::Columns(columns) if K > 1 => {
                columns.last_limb().get(&self.bytes, at, self.len())
            }
            _ => self.key(at)[K - 1],
        }
    }

    /// Appends the last limbs at these positions: faster than one after the other.
    pub(crate) fn unpack_last_limbs(&self, positions: Range<usize>, limbs: &mut Vec<u64>) {
        match &self.encoding {
            Encoding::Columns(columns) if K > 1 => {
                columns.last_limb().unpack(&self.bytes, positions, self.len(), limbs);
            }
            _ => limbs.extend(positions.map(|at| self.last_limb(at))),
        }
    }

    /// Whether there is a tombstone in it.
    pub(crate) fn has_tombstones(&self) -> bool {
        self.bitmap != 0
    }

    /// Puts minus tombstones among the positions.
    pub(crate) fn net_count(&self, positions: Range<usize>) -> i64 {
        let length = positions.len() as i64;
        if !self.has_tombstones() {
            return length;
        }
        assert!(positions.end <= self.len(), "beyond the block's end");
        let bits = &self.bytes[self.bitmap as usize..];
        let is_set = |at: &usize| bits[at / 8] & (1 << (at % 8)) != 0;
        // Whole bytes in between.
        let (begin, end) = (positions.start.next_multiple_of(8), positions.end / 8 * 8);
        let tombstones = if begin < end {
            let whole = &bits[begin / 8..end / 8];
            whole.iter().map(|bits| bits.count_ones() as usize).sum::<usize>()
                + (positions.start..begin).chain(end..positions.end).filter(is_set).count()
        } else {
            positions.filter(is_set).count()
        };
        length - 2 * tombstones as i64
    }

    /// Appends the keys at these positions: faster than one after the other. `scratch` is memory to use again.
    pub(crate) fn unpack_keys(
        &self,
        positions: Range<usize>,
        keys: &mut Vec<Key<K>>,
        scratch: &mut Vec<u64>,
    ) {
        assert!(positions.end <= self.len(), "beyond the block's end");
        match &self.encoding {
            Encoding::Rows { .. } => keys.extend(positions.map(|at| self.key(at))),
            Encoding::Columns(columns) => {
                columns.unpack_keys(&self.bytes, positions, self.len(), keys, scratch);
            }
        }
    }

    /// Writes the payloads at these positions into `payloads`, one behind the other, or at least those `parts` of
    /// them; what they have elsewhere is anything then.
    pub(crate) fn unpack_payloads(
        &self,
        positions: Range<usize>,
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    ) {
        assert!(positions.end <= self.len(), "beyond the block's end");
        let width = self.payload_width();
        assert_eq!(payloads.len(), positions.len() * width, "room for the payloads");
        if width == 0 {
            return;
        }
        match &self.encoding {
            Encoding::Rows { .. } => {
                let payloads = payloads.chunks_exact_mut(width);
                positions.zip(payloads).for_each(|(at, payload)| self.read_payload(at, payload));
            }
            Encoding::Columns(columns) => {
                let place = (positions, self.len());
                columns.unpack_payloads(&self.bytes, place, width, parts, payloads, scratch);
            }
        }
    }

    /// Appends what one lane of payloads has at these positions; if the block says that it is the same at all of
    /// them, gives it instead.
    pub(crate) fn unpack_numbers(
        &self,
        positions: Range<usize>,
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        assert!(positions.end <= self.len(), "beyond the block's end");
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                let payload = |at| &self.row(at, *stride)[*key_width as usize..];
                numbers.extend(positions.map(|at| lane.read(payload(at))));
                None
            }
            Encoding::Columns(columns) => {
                columns.unpack_numbers(&self.bytes, (positions, self.len()), lane, numbers)
            }
        }
    }

    /// Two numbers between which, both included, one lane of all payloads is: what the head of the block tells;
    /// `None` if it does not.
    pub(crate) fn lane_bounds(&self, lane: PayloadLane) -> Option<(u64, u64)> {
        let (columns, bytes, count) = self.columns()?;
        columns.lane_bounds(bytes, count, lane)
    }

    /// Puts all values into `chunk`; an error if the keys do not ascend.
    pub(crate) fn unpack(
        &self,
        meta: &TreeMeta,
        chunk: &mut super::Chunk<K>,
    ) -> Result<(), &'static str> {
        chunk.clear();
        let count = self.len();
        match &self.encoding {
            Encoding::Rows { stride, key_width } => {
                let (stride, key_width) = (*stride as usize, *key_width as usize);
                let rows = &self.bytes[BLOCK_HEADER_SIZE..BLOCK_HEADER_SIZE + count * stride];
                for row in rows.chunks_exact(stride) {
                    let mut key = [0; K];
                    limbs_from_bytes(&row[..key_width], &mut key);
                    chunk.keys.push(key);
                }
                for (lane, place) in chunk.lanes.iter_mut().zip(&meta.lanes) {
                    lane.extend(rows.chunks_exact(stride).map(|row| place.read(&row[key_width..])));
                }
            }
            Encoding::Columns(columns) => {
                let super::Chunk { keys, lanes, scratch, .. } = chunk;
                columns.unpack(&self.bytes, count, &meta.lanes, keys, lanes, scratch);
            }
        }
        if self.has_tombstones() {
            chunk.tombstones.extend((0..count).map(|at| self.is_tombstone(at)));
        } else {
            chunk.tombstones.resize(count, false);
        }
        if chunk.keys.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err("order of keys") }
    }
}
