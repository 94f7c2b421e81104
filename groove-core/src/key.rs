//! Keys of trees as limbs: an encoded key, most significant limb first, in as few `u64` as hold it.
//!
//! A key of `width` bytes is right-aligned in its limbs, so the high bytes of the first limb are
//! zero unless the width is a multiple of 8. Arrays of limbs order as the encoded keys order, which
//! is how the values order ([`IndexKey`]).
//!
//! * A unique tree has the key alone: [`unique_limbs`], [`unique_key`].
//! * An index tree has one limb more, the last, for the timestamp: [`index_limbs`], [`index_key`].
//! * On disk a key takes its width and no padding: [`limbs_from_bytes`], [`bytes_from_limbs`].

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::field::IndexKey;
use crate::schema::{IndexKind, IndexSchema};

#[cfg(test)]
mod tests;

/// Bytes of a limb.
const LIMB_WIDTH: usize = size_of::<u64>();

/// Limbs of a unique key of `key_width` bytes: at least 1.
pub const fn unique_limbs(key_width: usize) -> usize {
    let limbs = key_width.div_ceil(LIMB_WIDTH);
    if limbs == 0 { 1 } else { limbs }
}

/// Limbs of an index key of `key_width` bytes: one more than of a unique key, for the timestamp.
pub const fn index_limbs(key_width: usize) -> usize {
    unique_limbs(key_width) + 1
}

/// Limbs of the keys of each index: what the types of the trees are made from. `N` is the number of
/// indexes.
pub const fn tree_limbs<const N: usize>(indexes: &[IndexSchema]) -> [usize; N] {
    assert!(indexes.len() == N, "there is one tree per index");
    let mut limbs = [0; N];
    let mut ordinal = 0;
    while ordinal < N {
        let width = indexes[ordinal].key_width;
        limbs[ordinal] = match indexes[ordinal].kind {
            IndexKind::Primary | IndexKind::Unique => unique_limbs(width),
            IndexKind::NonUnique => index_limbs(width),
        };
        ordinal += 1;
    }
    limbs
}

/// The key of `value` in a unique tree. `K` is [`unique_limbs`] of the key's width.
///
/// ```
/// use groove_core::key::unique_key;
///
/// assert_eq!(unique_key::<u16, 1>(&0x0102), [0x0102]);
/// assert_eq!(unique_key::<u128, 2>(&(7 << 64)), [7, 0]);
/// assert!(unique_key::<i64, 1>(&-1) < unique_key::<i64, 1>(&0));
/// ```
///
/// A key that is too wide does not compile:
///
/// ```compile_fail
/// groove_core::key::unique_key::<[u8; 33], 5>(&[0; 33]);
/// ```
#[inline]
pub fn unique_key<F: IndexKey + ?Sized, const K: usize>(value: &F) -> [u64; K] {
    const { assert_width_of::<F>() };
    const { assert!(K == unique_limbs(F::KEY_WIDTH), "a unique key takes `unique_limbs` limbs") };
    let mut limbs = [0; K];
    write_limbs(value, &mut limbs);
    limbs
}

/// The key of `value` in an index tree, the timestamp (the last limb) being 0. `K` is
/// [`index_limbs`] of the key's width.
///
/// ```
/// use groove_core::key::index_key;
///
/// assert_eq!(index_key::<u16, 2>(&0x0102), [0x0102, 0]);
/// assert_eq!(index_key::<(u64, u8), 3>(&(1, 2)), [0, 0x0102, 0]);
/// ```
#[inline]
pub fn index_key<F: IndexKey + ?Sized, const K: usize>(value: &F) -> [u64; K] {
    const { assert_width_of::<F>() };
    const { assert!(K == index_limbs(F::KEY_WIDTH), "an index key takes `index_limbs` limbs") };
    let mut limbs = [0; K];
    write_limbs(value, &mut limbs[..K - 1]);
    limbs
}

/// Writes the key to the right end of the widest key, and takes the limbs from there.
#[inline]
fn write_limbs<F: IndexKey + ?Sized>(value: &F, limbs: &mut [u64]) {
    let mut bytes = [0; INDEX_KEY_WIDTH_MAX];
    value.write_key(&mut bytes[INDEX_KEY_WIDTH_MAX - F::KEY_WIDTH..]);
    let aligned = &bytes[INDEX_KEY_WIDTH_MAX - limbs.len() * LIMB_WIDTH..];
    for (limb, bytes) in limbs.iter_mut().zip(aligned.as_chunks().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
}

/// Reads a key of `bytes.len()` bytes, most significant byte first, into `limbs`, right-aligned.
///
/// # Panics
/// If the limbs do not hold as many bytes.
#[inline]
pub fn limbs_from_bytes(bytes: &[u8], limbs: &mut [u64]) {
    assert!(bytes.len() <= limbs.len() * LIMB_WIDTH, "the key is wider than its limbs");
    let (high, chunks) = bytes.as_rchunks();
    let (high_limbs, chunk_limbs) = limbs.split_at_mut(limbs.len() - chunks.len());
    for (limb, chunk) in chunk_limbs.iter_mut().zip(chunks) {
        *limb = u64::from_be_bytes(*chunk);
    }
    high_limbs.fill(0);
    if let Some(limb) = high_limbs.last_mut() {
        *limb = high.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
}

/// Writes the low `bytes.len()` bytes of `limbs`, most significant byte first: the inverse of
/// [`limbs_from_bytes`].
///
/// # Panics
/// If `bytes` is wider than the limbs.
#[inline]
pub fn bytes_from_limbs(limbs: &[u64], bytes: &mut [u8]) {
    assert!(bytes.len() <= limbs.len() * LIMB_WIDTH, "the key is wider than its limbs");
    let (high, chunks) = bytes.as_rchunks_mut();
    let (high_limbs, chunk_limbs) = limbs.split_at(limbs.len() - chunks.len());
    for (limb, chunk) in chunk_limbs.iter().zip(chunks) {
        *chunk = limb.to_be_bytes();
    }
    let mut rest = high_limbs.last().copied().unwrap_or(0);
    for byte in high.iter_mut().rev() {
        *byte = rest as u8;
        rest >>= 8;
    }
    debug_assert!(rest == 0, "the key has more bytes");
}

/// Fails, as the value of a constant, with `message` for a key that no tree can hold.
///
/// ```compile_fail
/// const _: () = groove_core::key::assert_key_width(33, "too wide");
/// ```
#[track_caller] // the error is shown at the constant
pub const fn assert_key_width(key_width: usize, message: &str) {
    assert!(key_width <= INDEX_KEY_WIDTH_MAX, "{}", message);
}

/// Compiles, as the value of a constant, if `T` can be the key of an index and is not too wide.
///
/// ```compile_fail
/// const _: () = groove_core::key::assert_index_key::<[u64; 5]>();
/// ```
#[track_caller] // the error is shown at the constant
pub const fn assert_index_key<T: IndexKey + ?Sized>() {
    assert_width_of::<T>();
}

/// Fails at compile time for a key that no tree can hold.
#[track_caller]
const fn assert_width_of<F: IndexKey + ?Sized>() {
    assert!(F::KEY_WIDTH <= INDEX_KEY_WIDTH_MAX, "an index key is at most 32 bytes wide");
}

const _: () = assert!(INDEX_KEY_WIDTH_MAX == 32, "the message above names the limit");
