//! The description of an object type that the derive emits as a constant and the file stores.
//!
//! `display` prints it for people, as a table with the bytes of each tree; `canonical` prints it for
//! the file, a line per groove, field and index, and lists what differs between two such texts.

mod canonical;
mod display;
mod key_text;
mod range_text;
mod row_key;

#[cfg(test)]
mod tests;

pub use self::canonical::{GrooveSchema, canonical, difference};
pub(crate) use self::row_key::{has_row_key, write_row_key};

/// The type of a field, as it is stored in the file's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// `u8` … `u128` / `i8` … `i128`, width in bits.
    Unsigned(u16),
    /// Two's complement integers, width in bits.
    Signed(u16),
    /// IEEE 754 floats in total order, width in bits.
    Float(u16),
    /// `bool`.
    Bool,
    /// `char`.
    Char,
    /// `[T; N]`.
    Array(&'static FieldType, usize),
    /// `NonZero<T>`.
    NonZero(&'static FieldType),
    /// `Option<T>`.
    Option(&'static FieldType),
    /// `Text<N>`.
    Text(usize),
    /// A field-less enum: name and variants with their discriminants.
    Enum(&'static str, &'static [(&'static str, i128)]),
    /// A newtype: its name and the type inside.
    Newtype(&'static str, &'static FieldType),
    /// A type of another crate, by name and width in bytes (`uuid`, `bytemuck` wrappers).
    Foreign(&'static str, usize),
}

/// A field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSchema {
    /// The field's name.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// Bytes in the row.
    pub width: usize,
    /// Where in the row it begins. The timestamp is the row's key and not part of the row: the
    /// offsets of the other fields follow each other in declaration order.
    pub offset: usize,
}

/// What an index promises about its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Unique, and the key that `get`, `modify` and `remove` take.
    Primary,
    /// At most one object per key.
    Unique,
    /// Any number of objects per key, in timestamp order.
    NonUnique,
}

/// Where the key of an index comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexSource {
    /// One field, or several for a compound index.
    Fields(&'static [&'static str]),
    /// A function of the object; a change of what it computes is a new version.
    Derived {
        /// The type that the function returns (inside its `Option`).
        field_type: FieldType,
        /// The version given in the attribute; 1 if none is.
        version: u32,
    },
}

/// An index of an object, in declaration order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSchema {
    /// The index's name: that of the field unless `name = "…"` says otherwise.
    pub name: &'static str,
    /// Unique or not.
    pub kind: IndexKind,
    /// Whether absent values are left out.
    pub optional: bool,
    /// Bytes of the encoded key, without the timestamp.
    pub key_width: usize,
    /// What the key is made from.
    pub source: IndexSource,
}

/// An object type: what the derive knows of the struct.
///
/// Prints as a table: fields with their bytes, trees with the bytes of their entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The groove's name: that of the struct unless `name = "…"` says otherwise.
    pub name: &'static str,
    /// The name of the timestamp field.
    pub timestamp: &'static str,
    /// All other fields, in declaration order.
    pub fields: &'static [FieldSchema],
    /// All indexes: those on fields in declaration order, then compound ones, then derived ones.
    pub indexes: &'static [IndexSchema],
    /// Whether ids can be orphaned.
    pub orphaned_ids: bool,
}

/// Bytes of a timestamp, wherever one is stored.
const TIMESTAMP_WIDTH: usize = size_of::<u64>();

impl Schema {
    /// Bytes of a row: all fields but the timestamp.
    pub const fn row_width(&self) -> usize {
        let mut width = 0;
        let mut field = 0;
        while field < self.fields.len() {
            width += self.fields[field].width;
            field += 1;
        }
        width
    }

    /// The primary index and its position among the indexes; `None` if the timestamp is the primary
    /// key.
    pub fn primary(&self) -> Option<(usize, &IndexSchema)> {
        self.indexes.iter().enumerate().find(|(_, index)| index.kind == IndexKind::Primary)
    }

    /// Bytes that an insert adds to all trees together, before any are packed: the object, and an
    /// entry in every index, also in the optional ones. What the write-ahead log takes is not in it.
    ///
    /// A test of yours can hold the price of an object down:
    ///
    /// ```
    /// # use groove_core::schema::{FieldSchema, FieldType, IndexKind, IndexSchema, IndexSource, Schema};
    /// # struct Order;
    /// # impl Order {
    /// #     const SCHEMA: &Schema = &Schema {
    /// #         name: "Order",
    /// #         timestamp: "timestamp",
    /// #         fields: &[FieldSchema {
    /// #             name: "id", field_type: FieldType::Unsigned(64), width: 8, offset: 0,
    /// #         }],
    /// #         indexes: &[IndexSchema {
    /// #             name: "id", kind: IndexKind::Primary, optional: false, key_width: 8,
    /// #             source: IndexSource::Fields(&["id"]),
    /// #         }],
    /// #         orphaned_ids: false,
    /// #     };
    /// # }
    /// assert!(Order::SCHEMA.bytes_per_insert() <= 32);
    /// ```
    pub const fn bytes_per_insert(&self) -> usize {
        let mut bytes = TIMESTAMP_WIDTH + self.row_width();
        let mut index = 0;
        while index < self.indexes.len() {
            bytes += self.indexes[index].bytes_per_entry();
            index += 1;
        }
        bytes
    }
}

/// What generated code calls.
#[doc(hidden)]
impl FieldSchema {
    /// The fields of a row, one after the other: name, type and width of each.
    pub const fn row<const N: usize>(
        fields: [(&'static str, FieldType, usize); N],
    ) -> [FieldSchema; N] {
        const NONE: FieldSchema =
            FieldSchema { name: "", field_type: FieldType::Bool, width: 0, offset: 0 };
        let mut row = [NONE; N];
        let mut offset = 0;
        let mut field = 0;
        while field < N {
            let (name, field_type, width) = fields[field];
            row[field] = FieldSchema { name, field_type, width, offset };
            offset += width;
            field += 1;
        }
        row
    }

    /// Where each field begins, and as the last the width of the row. `M` is `N + 1`.
    pub const fn offsets<const N: usize, const M: usize>(fields: &[FieldSchema; N]) -> [usize; M] {
        const { assert!(M == N + 1, "there is one offset more than there are fields") };
        let mut offsets = [0; M];
        let mut field = 0;
        while field < N {
            offsets[field + 1] = fields[field].offset + fields[field].width;
            field += 1;
        }
        offsets
    }
}

/// What generated code calls.
#[doc(hidden)]
impl IndexSchema {
    /// The primary index.
    pub const fn primary(
        name: &'static str,
        key_width: usize,
        fields: &'static [&'static str],
    ) -> IndexSchema {
        let source = IndexSource::Fields(fields);
        IndexSchema { name, kind: IndexKind::Primary, optional: false, key_width, source }
    }

    /// A unique index.
    pub const fn unique(
        name: &'static str,
        key_width: usize,
        fields: &'static [&'static str],
    ) -> IndexSchema {
        let source = IndexSource::Fields(fields);
        IndexSchema { name, kind: IndexKind::Unique, optional: false, key_width, source }
    }

    /// An index that is not unique, on one field or several.
    pub const fn non_unique(
        name: &'static str,
        key_width: usize,
        fields: &'static [&'static str],
    ) -> IndexSchema {
        let source = IndexSource::Fields(fields);
        IndexSchema { name, kind: IndexKind::NonUnique, optional: false, key_width, source }
    }

    /// An index on what a function computes, or does not.
    pub const fn derived(
        name: &'static str,
        key_width: usize,
        field_type: FieldType,
        version: u32,
    ) -> IndexSchema {
        let source = IndexSource::Derived { field_type, version };
        IndexSchema { name, kind: IndexKind::NonUnique, optional: true, key_width, source }
    }

    /// The same, with absent values left out.
    pub const fn optional(mut self) -> IndexSchema {
        self.optional = true;
        self
    }
}

impl IndexSchema {
    /// Bytes of an entry before it is packed: the key and the timestamp of the object.
    pub const fn bytes_per_entry(&self) -> usize {
        self.key_width + TIMESTAMP_WIDTH
    }
}
