//! Sizes and limits of the format, related to each other at compile time.

/// The unit of allocation and of addresses in the file: every block, copy and log entry begins at a
/// multiple of it.
pub const SECTOR_SIZE: usize = 4096;
/// The widest encoded key that an index can have.
pub const INDEX_KEY_WIDTH_MAX: usize = 32;
/// Timestamps are 1 to this, both included.
pub const TIMESTAMP_MAX: u64 = (1 << 63) - 1;
/// Limbs (u64) of the widest key of any tree: an index key and the timestamp.
pub const KEY_LIMBS_MAX: usize = INDEX_KEY_WIDTH_MAX / 8 + 1;
/// Grooves that one forest can hold.
pub const GROOVES_MAX: usize = 128;

const _: () = assert!(KEY_LIMBS_MAX == 5);
