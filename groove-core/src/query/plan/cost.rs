//! What things cost, in entries that are read one after the other: measured ratios, rounded.

/// A row that is looked up.
pub(super) const ROW_COST: u64 = 12;
/// A row of which only what is tested is read.
pub(super) const TESTED_ROW_COST: u64 = 5;
/// A row that is looked up in the order of an index: such rows lie anywhere, and those in the order of timestamps near
/// each other.
pub(super) const APART_ROW_COST: u64 = 24;
/// Of such a row what is tested.
pub(super) const APART_TESTED_ROW_COST: u64 = 16;
/// If one of so many rows is wanted, it costs no more to read all of them whole at once.
pub(super) const KEPT_PART: u64 = 2;
/// A row of a scan of the object tree.
pub(super) const SCANNED_ROW_COST: u64 = 2;
/// An entry that is collected and sorted.
pub(super) const COLLECTED_COST: u64 = 2;
/// A seek in a scan of one key.
pub(super) const SEEK_COST: u64 = 4;
/// The beginning of a scan of one key or range: about four rows.
pub(super) const BEGIN_COST: u64 = 48;
/// The look-up of a unique key.
pub(super) const LOOK_UP_COST: u64 = ROW_COST;

/// Bytes of memory for each entry that is collected.
pub(crate) const COLLECTED_BYTES: u64 = 8;
