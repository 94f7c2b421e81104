//! Encoded keys as error messages show them, where only the schema knows the type.

use std::fmt::Write;

use super::{FieldType, IndexSource, Schema};

impl Schema {
    /// The value of an encoded primary key: as its type shows it for numbers and texts, else as hex
    /// digits. Without a primary index the key is the timestamp.
    pub(crate) fn describe_primary(&self, key: &[u8]) -> String {
        let field_type = match self.primary() {
            Some((_, index)) => match index.source {
                IndexSource::Fields([name]) => {
                    self.fields.iter().find(|field| field.name == *name).map(|f| f.field_type)
                }
                _ => None,
            },
            None => Some(FieldType::Unsigned(64)),
        };
        field_type.and_then(|field_type| describe(&field_type, key)).unwrap_or_else(|| hex(key))
    }
}

fn describe(field_type: &FieldType, key: &[u8]) -> Option<String> {
    let number = || {
        let bytes = key.len().checked_sub(1).is_some_and(|length| length < 16);
        bytes.then(|| key.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte)))
    };
    match field_type {
        FieldType::Unsigned(_) => Some(number()?.to_string()),
        FieldType::Signed(bits) => {
            // The sign bit was flipped so that keys order as values: flip it back, extend it.
            let unused = 128_u32.checked_sub(u32::from(*bits))?;
            let flipped = number()? ^ (1 << (bits - 1));
            Some((((flipped << unused) as i128) >> unused).to_string())
        }
        FieldType::NonZero(inner) | FieldType::Newtype(_, inner) => describe(inner, key),
        FieldType::Text(_) => {
            let end = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
            Some(format!("{:?}", str::from_utf8(&key[..end]).ok()?))
        }
        _ => None,
    }
}

fn hex(key: &[u8]) -> String {
    key.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::IndexKey;

    #[test]
    fn numbers_and_texts_are_shown_as_such_and_others_as_hex_digits() {
        let mut key = [0; 4];
        (-7_i32).write_key(&mut key);
        assert_eq!(describe(&FieldType::Signed(32), &key).unwrap(), "-7");
        assert_eq!(describe(&FieldType::Unsigned(16), &[1, 2]).unwrap(), "258");
        assert_eq!(describe(&FieldType::Text(4), b"UA\0\0").unwrap(), "\"UA\"");
        let mut key = [0; 16];
        i128::MIN.write_key(&mut key);
        assert_eq!(describe(&FieldType::Signed(128), &key).unwrap(), i128::MIN.to_string());
        assert_eq!(describe(&FieldType::Bool, &[1]), None);
        assert_eq!(hex(&[1, 0xab]), "0x01ab");
    }
}
