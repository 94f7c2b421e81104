//! The schema as people read it: types as in Rust, objects as a table.

use std::fmt::{self, Write as _};

use super::{FieldType, IndexKind, IndexSchema, IndexSource, Schema, TIMESTAMP_WIDTH};

/// Rust-like: `u128`, `[u8; 4]`, `Option<u32>`, `Text<8>`, `enum Side { Buy = 0, Sell = 1 }`,
/// `AccountId(u64)`. Always one line.
impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Unsigned(bits) => write!(formatter, "u{bits}"),
            FieldType::Signed(bits) => write!(formatter, "i{bits}"),
            FieldType::Float(bits) => write!(formatter, "f{bits}"),
            FieldType::Bool => formatter.write_str("bool"),
            FieldType::Char => formatter.write_str("char"),
            FieldType::Array(element, length) => write!(formatter, "[{element}; {length}]"),
            FieldType::NonZero(integer) => write!(formatter, "NonZero<{integer}>"),
            FieldType::Option(inner) => write!(formatter, "Option<{inner}>"),
            FieldType::Text(length_max) => write!(formatter, "Text<{length_max}>"),
            FieldType::Enum(name, variants) => {
                write!(formatter, "enum {} {{", Name(name))?;
                for (position, (variant, discriminant)) in variants.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "," };
                    write!(formatter, "{separator} {} = {discriminant}", Name(variant))?;
                }
                formatter.write_str(" }")
            }
            FieldType::Newtype(name, inner) => write!(formatter, "{}({inner})", Name(name)),
            FieldType::Foreign(name, _) => write!(formatter, "{}", Name(name)),
        }
    }
}

/// A name as it is, or quoted and escaped if it is no path of identifiers: a schema text has one
/// meaning whatever the names are.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |character: char| character.is_alphanumeric() || "_:#".contains(character);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            formatter.write_str(self.0)
        } else {
            fmt::Debug::fmt(self.0, formatter)
        }
    }
}

/// What the key of an index is made from.
pub(super) struct Source<'a>(pub(super) &'a IndexSource);

impl fmt::Display for Source<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IndexSource::Fields([field]) => write!(formatter, "{}", Name(field)),
            IndexSource::Fields(fields) => {
                formatter.write_str("(")?;
                for (position, field) in fields.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(formatter, "{separator}{}", Name(field))?;
                }
                formatter.write_str(")")
            }
            IndexSource::Derived { field_type, version } => {
                write!(formatter, "derived {field_type}, version {version}")
            }
        }
    }
}

/// Primary, unique or not, and whether optional.
pub(super) struct Kind<'a>(pub(super) &'a IndexSchema);

impl fmt::Display for Kind<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0.kind {
            IndexKind::Primary => "primary",
            IndexKind::Unique => "unique",
            IndexKind::NonUnique => "non-unique",
        })?;
        formatter.write_str(if self.0.optional { " optional" } else { "" })
    }
}

/// `1 byte`, `2 bytes`.
pub(super) struct Count(pub(super) usize, pub(super) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(formatter, "{} {}{plural}", self.0, self.1)
    }
}

/// A table of the fields, a table of the trees, and what an insert costs.
impl fmt::Display for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let orphaned = if self.orphaned_ids { ", orphaned ids" } else { "" };
        let fields = Count(self.fields.len(), "field");
        let row = Count(self.row_width(), "byte");
        let name = Name(self.name);
        writeln!(formatter, "{name}: {fields} in a row of {row}{orphaned}\n")?;

        // The timestamp is the row's key: a line of its own, without an offset.
        let mut fields = Table::new(["<field", ">offset", ">bytes", "<type"]);
        fields.row([
            Name(self.timestamp).to_string(),
            "key".to_owned(),
            TIMESTAMP_WIDTH.to_string(),
            FieldType::Unsigned(64).to_string(),
        ]);
        for field in self.fields {
            fields.row([
                Name(field.name).to_string(),
                field.offset.to_string(),
                field.width.to_string(),
                field.field_type.to_string(), // at the end: that of an enum can be long
            ]);
        }
        writeln!(formatter, "{fields}")?;

        let head = ["<tree", "<kind", "<key", ">key bytes", ">bytes per entry"];
        let mut trees = Table::new(head);
        trees.row([
            "(objects)".to_owned(),
            "objects".to_owned(),
            Name(self.timestamp).to_string(),
            TIMESTAMP_WIDTH.to_string(),
            (TIMESTAMP_WIDTH + self.row_width()).to_string(),
        ]);
        for index in self.indexes {
            trees.row([
                Name(index.name).to_string(),
                Kind(index).to_string(),
                Source(&index.source).to_string(),
                index.key_width.to_string(),
                index.bytes_per_entry().to_string(),
            ]);
        }
        writeln!(formatter, "{trees}")?;

        let bytes = Count(self.bytes_per_insert(), "byte");
        let trees = Count(1 + self.indexes.len(), "tree");
        write!(formatter, "{bytes} per insert in {trees}, before packing")
    }
}

/// Columns as wide as their widest cell.
struct Table<const N: usize> {
    /// Of each column, whether its cells are aligned to the right.
    right: [bool; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with the head `head`; a `<` or `>` before each name says how its column is aligned.
    fn new(head: [&str; N]) -> Self {
        let right = head.map(|name| name.starts_with('>'));
        Table { right, rows: vec![head.map(|name| name[1..].to_owned())] }
    }

    fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(widths).zip(self.right) {
                if right {
                    write!(line, "  {cell:>width$}")?;
                } else {
                    write!(line, "  {cell:width$}")?;
                }
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
