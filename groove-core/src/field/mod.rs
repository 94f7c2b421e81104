//! What a field of an object is to the engine: a fixed number of bytes in a row ([`Field`]), and,
//! if it is indexed, a fixed number of bytes that order as its values order ([`IndexKey`]).
//!
//! | type | bytes in a row | as a key |
//! |---|---|---|
//! | `u8` … `u128`, `i8` … `i128` | little-endian | big-endian, the sign bit flipped |
//! | `bool` | 1: 0 or 1 | the same |
//! | `char` | 4: the scalar value | big-endian |
//! | `f32`, `f64` | the bits | ordered as `total_cmp` |
//! | `NonZero<T>` | as `T`, never zero | as `T` |
//! | `Option<T>` | a tag of 1 byte and `T`, zeros if absent | the same, `None` first |
//! | `[T; N]` | the elements | the elements' keys |
//! | [`Text<N>`](Text) | N: UTF-8, zeros behind it | the same |
//! | tuples of 2 to 4 keys, `&T` | (only keys) | the elements' keys |
//! | field-less enums, newtypes | `#[derive(Field)]` | `#[derive(Field)]` |
//! | types of other crates | see the crate's features | if the type has an order |
//!
//! Invariants, each with a property test over every type:
//! * a value that was written is read back as the same value;
//! * bytes that are read at all are what the value writes: a value has one encoding;
//! * encoded keys, compared byte by byte, order as the values order.

mod array;
#[doc(hidden)]
pub mod checked;
mod float;
mod foreign;
mod integer;
mod option;
mod text;
mod tuple;

#[cfg(test)]
mod tests;

use std::fmt;

#[cfg(feature = "bytemuck")]
pub use self::foreign::Pod;
pub use self::text::{Text, TextError};
use crate::schema::FieldType;

/// Bytes from disk that are no value of the field's type (a `bool` of 2, say).
///
/// ```
/// use groove_core::field::Field;
///
/// let error = bool::read(&[2]).unwrap_err();
/// assert_eq!(error.to_string(), "the stored bytes are no value of type bool");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are no value of type {expected}")]
pub struct InvalidValue {
    /// The type that was to be read.
    pub expected: FieldType,
}

impl InvalidValue {
    /// The error of a failed [`Field::read`] of an `F`.
    pub const fn of<F: Field>() -> InvalidValue {
        InvalidValue { expected: F::TYPE }
    }
}

/// A type that can be a field of an object: written and read at a fixed width.
///
/// Enums without fields and newtypes get it by `#[derive(Field)]`.
///
/// ```
/// use groove_core::field::Field;
///
/// let mut bytes = [0; u32::WIDTH];
/// 258u32.write(&mut bytes);
/// assert_eq!(bytes, [2, 1, 0, 0]);
/// assert_eq!(u32::read(&bytes), Ok(258));
/// ```
///
/// A type without a fixed width is none:
///
/// ```compile_fail
/// fn field<F: groove_core::field::Field>() {}
/// field::<String>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an object",
    label = "not a type of fixed width",
    note = "an enum without data or a newtype becomes one by `#[derive(Field)]`",
    note = "a field has a fixed width: for `String` or `&str` write `Text<N>` (up to N bytes, inline), for `Vec<T>` write `[T; N]`, for `usize` or `isize` write `u64` or `i64`",
    note = "field types are the integers, `bool`, `f32`, `f64`, `char`, `NonZero<_>`, `Option<T>`, `[T; N]` and `Text<N>`",
    note = "types of other crates need a feature: `uuid`, `jiff`, `time`, `rust_decimal`; any `bytemuck::Pod` type fits into `Pod<T>` (feature `bytemuck`)"
)]
pub trait Field: Sized {
    /// Bytes that a value takes in a row.
    const WIDTH: usize;
    /// The type as the schema in the file names it. Queries read keys from rows by it: a type whose bytes or whose
    /// order are not those of the type that it names is a [`FieldType::Foreign`].
    const TYPE: FieldType;
    /// Writes the value to `out`, little-endian; `out` is `WIDTH` bytes long.
    ///
    /// # Panics
    /// If `out` has another length.
    fn write(&self, out: &mut [u8]);
    /// Reads what `write` wrote; never panics, whatever the bytes.
    ///
    /// The answer depends on the bytes alone: the same bytes always give the same value.
    ///
    /// # Errors
    /// [`InvalidValue`] if no value writes these bytes, or if they are not [`Field::WIDTH`] many.
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue>;
    /// Writes the value as error messages show it.
    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The object-safe part of [`Field`] that error messages use.
///
/// Every field has it, and tuples of references to fields, as the keys of compound indexes are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown in an error message",
    note = "every `Field` can be shown, and tuples of 2 to 4 references to fields: `(&self.a, &self.b)`"
)]
pub trait Describe {
    /// Writes the value as error messages show it.
    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<F: Field> Describe for F {
    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Field::describe(self, formatter)
    }
}

/// Prints a value as error messages show it.
///
/// ```
/// use groove_core::field::Described;
///
/// assert_eq!(Described(&Some(7u32)).to_string(), "Some(7)");
/// assert_eq!(Described(&(&700u32, &'x')).to_string(), "(700, 'x')");
/// ```
#[derive(Clone, Copy)]
pub struct Described<'a>(pub &'a dyn Describe);

impl fmt::Display for Described<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(formatter)
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(formatter)
    }
}

/// A type that can be the key of an index: its encoded keys, compared byte by byte, order as its
/// values order.
///
/// Values that compare as equal have the same key (of `1.0` and `1.00` as decimals, say).
///
/// ```
/// use groove_core::field::IndexKey;
///
/// let key = |value: i16| {
///     let mut key = [0; i16::KEY_WIDTH];
///     value.write_key(&mut key);
///     key
/// };
/// assert!(key(-2) < key(-1) && key(-1) < key(0) && key(0) < key(300));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of an index",
    label = "not a type whose keys have an order",
    note = "an index key is an integer, `bool`, `f32`, `f64`, `char`, `NonZero<_>`, `Option<T>`, `[T; N]` or `Text<N>` of at most 32 bytes, a tuple of 2 to 4 of them, or your own field-less enum or newtype with `#[derive(Field)]`",
    note = "for `String` or `&str` write `Text<N>`, for `Vec<u8>` write `[u8; N]`, for `usize` or `isize` write `u64` or `i64`",
    note = "keep a field out of every index with `#[groove(ignore)]`, or index a function of it with `#[groove(derived(name: Type = path))]`"
)]
pub trait IndexKey {
    /// Bytes of the encoded key, at most 32.
    const KEY_WIDTH: usize;
    /// Writes the key to `out`, most significant byte first; `out` is `KEY_WIDTH` bytes long.
    ///
    /// # Panics
    /// If `out` has another length.
    fn write_key(&self, out: &mut [u8]);
}

/// An index key of which one value means "absent" and is left out of an `optional` index.
///
/// ```
/// use groove_core::field::{OptionalKey, Text};
///
/// assert!(0u64.is_absent() && !7u64.is_absent());
/// assert!(None::<bool>.is_absent() && !Some(false).is_absent());
/// assert!(Text::<8>::default().is_absent());
/// ```
#[diagnostic::on_unimplemented(
    message = "no value of `{Self}` means \"absent\"",
    label = "cannot be `optional`",
    note = "the key of an `optional` index is an integer (0 is absent), `Option<T>` (`None`), `Text<N>` (the empty text), `[u8; N]` (all zeros) or `uuid::Uuid` (nil)",
    note = "write `Option<{Self}>`, or leave `optional` away"
)]
pub trait OptionalKey: IndexKey {
    /// Whether this is the value that means "absent" (zero, `None`, the empty text).
    fn is_absent(&self) -> bool;
}
