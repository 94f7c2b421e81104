//! Encoded keys as error messages and plans show them, where only the schema knows the type.

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

/// As [`describe`], or as hex digits.
pub(super) fn describe_or_hex(field_type: &FieldType, key: &[u8]) -> String {
    describe(field_type, key).unwrap_or_else(|| hex(key))
}

/// The value of an encoded key; `None` if it is none of the type.
pub(super) fn describe(field_type: &FieldType, key: &[u8]) -> Option<String> {
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
        FieldType::Float(bits @ (32 | 64)) => {
            // All bits of a negative number were flipped, of others the sign bit.
            let sign = 1 << (bits - 1);
            let number = u64::try_from(number()?).ok()?;
            let number = if number & sign == 0 { !number } else { number ^ sign };
            Some(match bits {
                32 => format!("{:?}", f32::from_bits(number as u32)),
                _ => format!("{:?}", f64::from_bits(number)),
            })
        }
        FieldType::Bool => match key {
            [0] => Some("false".to_owned()),
            [1] => Some("true".to_owned()),
            _ => None,
        },
        FieldType::Char => {
            let char = char::from_u32(u32::try_from(number()?).ok()?)?;
            Some(format!("{char:?}"))
        }
        FieldType::NonZero(inner) | FieldType::Newtype(_, inner) => describe(inner, key),
        FieldType::Option(inner) => match key.split_first()? {
            (0, _) => Some("None".to_owned()),
            (_, key) => describe(inner, key),
        },
        FieldType::Enum(_, variants) => {
            // Keys order as discriminants: the sign bit is flipped if there are negative ones.
            let bits = 8 * u32::try_from(key.len()).ok()?;
            let signed = variants.iter().any(|(_, discriminant)| *discriminant < 0);
            let unused = 128_u32.checked_sub(bits)?;
            let discriminant = match signed {
                true => (((number()? ^ (1 << (bits - 1))) << unused) as i128) >> unused,
                false => i128::try_from(number()?).ok()?,
            };
            let variant = variants.iter().find(|(_, other)| *other == discriminant);
            variant.map(|(name, _)| (*name).to_owned())
        }
        FieldType::Text(_) => {
            let end = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
            Some(format!("{:?}", str::from_utf8(&key[..end]).ok()?))
        }
        _ => None,
    }
}

pub(super) fn hex(key: &[u8]) -> String {
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
        assert_eq!(describe(&FieldType::Bool, &[1]).unwrap(), "true");
        assert_eq!(describe(&FieldType::Bool, &[2]), None);
        let array = FieldType::Array(&FieldType::Unsigned(8), 2);
        assert_eq!((describe(&array, &[1, 2]), hex(&[1, 2])), (None, "0x0102".to_owned()));
        let mut key = [0; 4];
        'ÿ'.write_key(&mut key);
        assert_eq!(describe(&FieldType::Char, &key).unwrap(), "'ÿ'");
        for float in [0.25_f64, -0.0, -1e300, f64::INFINITY] {
            let mut key = [0; 8];
            float.write_key(&mut key);
            assert_eq!(describe(&FieldType::Float(64), &key).unwrap(), format!("{float:?}"));
        }
        let mut key = [0; 4];
        (-1.5_f32).write_key(&mut key);
        assert_eq!(describe(&FieldType::Float(32), &key).unwrap(), "-1.5");
        let option = FieldType::Option(&FieldType::Unsigned(16));
        assert_eq!(describe(&option, &[1, 1, 2]).unwrap(), "258");
        assert_eq!(describe(&option, &[0, 0, 0]).unwrap(), "None");
        let signed = FieldType::Enum("State", &[("Lost", -1), ("New", 0)]);
        assert_eq!(describe(&signed, &[0x7f]).unwrap(), "Lost");
        assert_eq!(describe(&signed, &[0x80]).unwrap(), "New");
        assert_eq!(hex(&[1, 0xab]), "0x01ab");
    }
}
