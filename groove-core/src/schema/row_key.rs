//! Keys of fields as they lie in a row, where only the schema knows their types.

use super::FieldType;

/// Writes the key of a field that lies in a row as `bytes` to `out`, which is as long: the same bytes
/// that [`IndexKey::write_key`](crate::field::IndexKey::write_key) writes. `false` if the schema does
/// not say how: types of other crates encode their keys themselves.
pub(crate) fn write_row_key(field_type: &FieldType, bytes: &[u8], out: &mut [u8]) -> bool {
    match field_type {
        FieldType::Unsigned(_) | FieldType::Char => reverse(bytes, out),
        FieldType::Signed(_) => {
            reverse(bytes, out);
            flip_sign(out);
        }
        FieldType::Float(_) => {
            reverse(bytes, out);
            if out.first().is_some_and(|first| first & 0x80 != 0) {
                out.iter_mut().for_each(|byte| *byte = !*byte);
            } else {
                flip_sign(out);
            }
        }
        FieldType::Bool | FieldType::Text(_) => out.copy_from_slice(bytes),
        FieldType::Enum(_, variants) => {
            reverse(bytes, out);
            if variants.iter().any(|(_, discriminant)| *discriminant < 0) {
                flip_sign(out);
            }
        }
        FieldType::NonZero(inner) | FieldType::Newtype(_, inner) => {
            return write_row_key(inner, bytes, out);
        }
        FieldType::Option(inner) => {
            let (Some((tag, bytes)), Some((out_tag, out))) =
                (bytes.split_first(), out.split_first_mut())
            else {
                return false;
            };
            *out_tag = *tag;
            if *tag != 0 {
                return write_row_key(inner, bytes, out);
            }
            out.fill(0);
        }
        FieldType::Array(_, 0) => {}
        FieldType::Array(inner, length) => {
            let width = (bytes.len() / length).max(1);
            let mut elements = bytes.chunks_exact(width).zip(out.chunks_exact_mut(width));
            return elements.all(|(bytes, out)| write_row_key(inner, bytes, out));
        }
        FieldType::Foreign(..) => return false,
    }
    true
}

/// Whether [`write_row_key`] can encode values of this type.
pub(crate) fn has_row_key(field_type: &FieldType) -> bool {
    match field_type {
        FieldType::Foreign(..) => false,
        FieldType::NonZero(inner)
        | FieldType::Newtype(_, inner)
        | FieldType::Option(inner)
        | FieldType::Array(inner, _) => has_row_key(inner),
        _ => true,
    }
}

fn reverse(bytes: &[u8], out: &mut [u8]) {
    out.iter_mut().zip(bytes.iter().rev()).for_each(|(out, byte)| *out = *byte);
}

fn flip_sign(out: &mut [u8]) {
    if let Some(first) = out.first_mut() {
        *first ^= 0x80;
    }
}
