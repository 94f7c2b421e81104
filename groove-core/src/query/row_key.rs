//! Keys that are read from a row instead of an index: what a condition costs where the row is at hand.

use std::fmt;
use std::ops::Range;

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::field::{Field, IndexKey, InvalidValue};
use crate::schema::{FieldSchema, FieldType, IndexSource, Schema, has_row_key, write_row_key};
use crate::table::PayloadLane;

use super::key_range::EncodedKey;

/// How the key of a field without an index is read: by the field's own type, which only the handle
/// knows.
#[derive(Clone, Copy)]
pub(crate) struct ReadKey(fn(&[u8], &mut [u8]) -> Result<(), InvalidValue>, usize);

impl ReadKey {
    /// The key of fields of type `F`.
    pub(crate) fn of<F: Field + IndexKey>() -> ReadKey {
        let read = |row: &[u8], key: &mut [u8]| F::read(row).map(|value| value.write_key(key));
        ReadKey(read, F::KEY_WIDTH)
    }
}

/// The field that it stands beside says everything: of one field there is one.
impl PartialEq for ReadKey {
    fn eq(&self, _: &ReadKey) -> bool {
        true
    }
}

impl Eq for ReadKey {}

impl fmt::Debug for ReadKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReadKey")
    }
}

/// Where in a row a key is, and how it is read.
#[derive(Debug, Clone)]
pub(crate) enum RowKey {
    /// The key of an index: that of its fields, one after the other.
    Index {
        fields: Vec<&'static FieldSchema>,
        /// Whether a row whose field is all zeros, which is what "absent" looks like in a row, has no
        /// key.
        optional: bool,
    },
    /// The key of a field without an index.
    Field { field: &'static FieldSchema, read: ReadKey },
    /// The key of one field, with or without an index, that is a number of at most 8 bytes, as most are.
    Number {
        lane: PayloadLane,
        /// As of [`RowKey::Index`].
        optional: bool,
    },
}

impl RowKey {
    /// The key of the index of this ordinal; `None` if rows do not tell: it is computed by a function
    /// of the user's, or is of a type of another crate.
    pub(crate) fn of_index(schema: &'static Schema, ordinal: usize) -> Option<RowKey> {
        let index = &schema.indexes[ordinal];
        let IndexSource::Fields(names) = index.source else { return None };
        let find = |name: &&str| schema.fields.iter().find(|field| field.name == *name);
        let fields: Vec<_> = names.iter().map(find).collect::<Option<_>>()?;
        if let [field] = fields[..]
            && field.width == index.key_width
            && let Some(lane) = number_lane(field, inner_type(&field.field_type))
        {
            return Some(RowKey::Number { lane, optional: index.optional });
        }
        let width: usize = fields.iter().map(|field| field.width).sum();
        let readable = fields.iter().all(|field| has_row_key(&field.field_type));
        (readable && width == index.key_width)
            .then_some(RowKey::Index { fields, optional: index.optional })
    }

    /// The key of a field that no index is on.
    pub(crate) fn of_field(field: &'static FieldSchema, read: ReadKey) -> RowKey {
        match number_lane(field, &field.field_type) {
            Some(lane) => RowKey::Number { lane, optional: false },
            None => RowKey::Field { field, read },
        }
    }

    /// Appends the bytes of a row that it is read from.
    pub(crate) fn append_parts(&self, parts: &mut Vec<Range<usize>>) {
        let mut append = |offset: usize, width: usize| parts.push(offset..offset + width);
        match self {
            RowKey::Number { lane, .. } => append(lane.offset, lane.width),
            RowKey::Index { fields, .. } => {
                fields.iter().for_each(|field| append(field.offset, field.width));
            }
            RowKey::Field { field, .. } => append(field.offset, field.width),
        }
    }

    /// The key of a row; `None` if it has none in the index.
    ///
    /// # Errors
    /// If the bytes are no value of the field.
    pub(crate) fn read(&self, row: &[u8]) -> Result<Option<EncodedKey>, InvalidValue> {
        let mut buffer = [0; INDEX_KEY_WIDTH_MAX];
        match self {
            RowKey::Number { lane, optional } => {
                let number = lane.read(row);
                let absent = *optional && lane.is_zero(number);
                Ok((!absent).then(|| EncodedKey::from_u64(number)))
            }
            RowKey::Index { fields, optional } => {
                let mut width = 0;
                for field in fields {
                    let bytes = &row[field.offset..][..field.width];
                    if *optional && bytes.iter().all(|byte| *byte == 0) {
                        return Ok(None);
                    }
                    let out = &mut buffer[width..][..field.width];
                    if !write_row_key(&field.field_type, bytes, out) {
                        return Err(InvalidValue { expected: field.field_type });
                    }
                    width += field.width;
                }
                Ok(Some(EncodedKey::from_bytes(&buffer[..width])))
            }
            RowKey::Field { field, read: ReadKey(read, width) } => {
                let key = &mut buffer[..*width];
                read(&row[field.offset..][..field.width], key)?;
                Ok(Some(EncodedKey::from_bytes(key)))
            }
        }
    }
}

/// What a type is made of that has no more to say of a row's key.
fn inner_type(field_type: &'static FieldType) -> &'static FieldType {
    match field_type {
        FieldType::NonZero(inner) | FieldType::Newtype(_, inner) => inner_type(inner),
        field_type => field_type,
    }
}

/// Where the number is that a field of this type is, in the order of keys; `None` if it is none, or wider than 8
/// bytes.
fn number_lane(field: &FieldSchema, field_type: &FieldType) -> Option<PayloadLane> {
    let FieldSchema { offset, width, .. } = *field;
    let signed = match field_type {
        FieldType::Unsigned(_) => false,
        FieldType::Signed(_) => true,
        _ => return None,
    };
    matches!(width, 1..=8).then_some(PayloadLane { offset, width, signed })
}
