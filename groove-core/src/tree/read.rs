//! What queries and lookups see of one tree at one op: [`TreeRead`], and [`Scan`] over a key range.
//!
//! Both are object-safe and take keys as slices of limbs (most significant first), so that nothing
//! above the trees is compiled once per key width.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Damage, ReadError};
use crate::table::PayloadLane;

use super::seeks;

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Direction {
    /// From the lowest key to the highest.
    Ascending,
    /// From the highest key to the lowest.
    Descending,
}

impl Direction {
    /// The rank of a timestamp, or the timestamp of a rank: ranks grow in this direction.
    #[inline]
    pub(crate) fn rank(self, timestamp: u64) -> u64 {
        match self {
            Direction::Ascending => timestamp,
            Direction::Descending => !timestamp,
        }
    }
}

/// The result of looking several keys up: for each key whether it was found, and its payload.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct LookupBatch {
    /// One per key, in the order of the keys.
    pub found: Vec<bool>,
    /// One payload per key, in the order of the keys; zeros where nothing was found.
    pub payload: Vec<u8>,
    /// Blocks that were looked into.
    pub blocks: u64,
}

/// How much of a tree was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct TablesVerified {
    pub tables: u64,
    /// Value, filter and index blocks.
    pub blocks: u64,
    pub bytes: u64,
}

/// One tree at one op. Keys are `limbs()` limbs long.
///
/// An index tree has keys of the encoded index key, right-aligned, with the timestamp as last limb
/// and no payload. A unique tree has the encoded key and, as payload, the timestamp in 8 bytes
/// little-endian (0: the key is orphaned). An object tree has the timestamp and, as payload, the row.
#[doc(hidden)]
pub trait TreeRead: Send + Sync {
    /// `groove.tree`, for errors.
    fn name(&self) -> &Arc<str>;
    /// Limbs of a key.
    fn limbs(&self) -> usize;
    /// Bytes of a payload.
    fn payload_width(&self) -> usize;
    /// Looks one key up; on `true` its payload is in `payload`, which has room for precisely one.
    fn lookup(&self, key: &[u64], payload: &mut [u8]) -> Result<bool, ReadError>;
    /// Looks many keys up, with as many reads in flight as the device takes. `keys` holds the limbs
    /// of one key after the other, in any order.
    ///
    /// If only some `parts` of the payloads are wanted, what is elsewhere in them is anything: that costs less than
    /// whole payloads.
    fn lookup_batch(
        &self,
        keys: &[u64],
        parts: Option<&[Range<usize>]>,
    ) -> Result<LookupBatch, ReadError>;
    /// Scans the keys from `min` to `max`, both included.
    fn scan(self: Arc<Self>, min: &[u64], max: &[u64], direction: Direction) -> Box<dyn Scan>;
    /// The timestamps from `window.0` to `window.1`, both included, under which an index tree has the key that is
    /// `prefix`. Reads nothing yet.
    fn scan_key(
        self: Arc<Self>,
        prefix: &[u64],
        window: (u64, u64),
        direction: Direction,
    ) -> Box<dyn KeyScan>;
    /// Counts the keys from `min` to `max`, both included. In an index tree, whose keys are put once and removed once,
    /// that reads the tables' metadata and the blocks at the two edges; in another tree the blocks where runs or levels
    /// are interleaved, too.
    fn count(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError>;
    /// Reads every block of every table, past the caches, and checks each against what refers to it.
    fn verify_tables(&self) -> Result<TablesVerified, ReadError>;
    /// The error of a value that cannot be what was written, or of one that should be there: names
    /// the block that has the key or would have it. Costs as a look-up.
    fn damaged(&self, key: &[u64], damage: Damage) -> ReadError;
    /// About how many keys there are from `min` to `max`, both included: from the tables' metadata
    /// and index blocks, without a value block.
    fn estimate(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError>;
    /// Bytes that one query may hold in memory for what it collects.
    fn query_memory(&self) -> u64;
}

/// A scan stands before its first row until [`Scan::advance`] is called. Once it has failed it
/// fails again on each call.
#[doc(hidden)]
pub trait Scan: Send {
    /// Goes to the next row; `false` at the end.
    fn advance(&mut self) -> Result<bool, ReadError>;
    /// Goes forward (in the scan's direction) so that the next [`Scan::advance`] gives the first row
    /// at or beyond `key`. Never goes back.
    fn seek(&mut self, key: &[u64]) -> Result<(), ReadError>;
    /// The key of the current row. Only after `advance` returned `true`.
    fn key(&self) -> &[u64];
    /// The key of the current row and its payload. Only after `advance` returned `true`.
    fn value(&mut self) -> (&[u64], &[u8]);
    /// The payload of the current row. Only after `advance` returned `true`.
    fn payload(&mut self) -> &[u8] {
        self.value().1
    }
    /// Says that conditions on these bytes of payloads will be tested too: [`Scan::tested`].
    fn test(&mut self, parts: &[Range<usize>]);
    /// As [`Scan::payload`]; but only the bytes that are tested are sure to be those of the row. Costs less than
    /// a whole payload.
    fn tested(&mut self) -> &[u8];
    /// The keys of the current row and of those behind it that are at hand with it; they ascend, whatever the
    /// direction. Only after `advance` returned `true`.
    fn at_hand(&self) -> &[u64];
    /// The payloads of the rows at hand, in the order of [`Scan::at_hand`], as [`Scan::tested`] has them.
    fn tested_at_hand(&mut self) -> &[u8];
    /// Appends what one lane of payloads has in each of the rows at hand, in the order of [`Scan::at_hand`]; if all
    /// have the same there, it may give that instead. Costs less than payloads of which only that lane is tested.
    fn numbers_at_hand(&mut self, lane: PayloadLane, numbers: &mut Vec<u64>) -> Option<u64>;
    /// Goes so many rows further; all of them are at hand ([`Scan::at_hand`]).
    fn skip(&mut self, rows: usize);
    /// Says that of rows whose number in a lane of payloads is in none of these ranges, which ascend and have both
    /// ends, none is wanted: it leaves out those of which whole blocks tell. To be called before the first `advance`.
    fn leave_out(&mut self, lane: PayloadLane, wanted: Arc<[(u64, u64)]>);
    /// Value blocks that were looked into so far.
    fn blocks(&self) -> u64;
}

/// The timestamps under one key of an index tree, as ranks, which grow in the scan's direction
/// ([`Direction::rank`]). The ranks that it is asked for never go back. After an error it may not be asked
/// again.
#[doc(hidden)]
pub trait KeyScan: Send {
    /// The lowest rank at or beyond `target`; `None` if there is none, and from then on.
    fn seek(&mut self, target: u64) -> Result<Option<u64>, ReadError>;

    /// Appends the lowest ranks at or beyond `target`: `count` of them, or fewer if these are all.
    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), ReadError> {
        seeks::fill(|target| self.seek(target), target, count, out)
    }

    /// Keeps, of `ranks`, which ascend, those that it has.
    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), ReadError> {
        seeks::retain(|target| self.seek(target), ranks)
    }

    /// About how many timestamps there are per number, to be compared with that of other scans; `None` if it
    /// does not know, as before the first call.
    fn density(&self) -> Option<f64> {
        None
    }

    /// Value blocks that were looked into so far.
    fn blocks(&self) -> u64;
}
