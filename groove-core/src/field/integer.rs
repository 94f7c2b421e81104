//! Integers, and the two types that are stored as one: `bool` and `char`.

use std::fmt;

use super::{Field, IndexKey, InvalidValue, OptionalKey};
use crate::schema::FieldType;

macro_rules! integers {
    ($($integer:ty => $kind:ident, $key:expr;)*) => {$(
        impl Field for $integer {
            const WIDTH: usize = size_of::<$integer>();
            const TYPE: FieldType = FieldType::$kind(<$integer>::BITS as u16);

            #[inline]
            fn write(&self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
                match bytes.try_into() {
                    Ok(bytes) => Ok(<$integer>::from_le_bytes(bytes)),
                    Err(_) => Err(InvalidValue::of::<Self>()),
                }
            }

            fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl IndexKey for $integer {
            const KEY_WIDTH: usize = size_of::<$integer>();

            #[inline]
            fn write_key(&self, out: &mut [u8]) {
                let ordered: fn($integer) -> $integer = $key;
                out.copy_from_slice(&ordered(*self).to_be_bytes());
            }
        }

        impl OptionalKey for $integer {
            #[inline]
            fn is_absent(&self) -> bool {
                *self == 0
            }
        }
    )*};
}

// The sign bit flipped, negative numbers come before the others and keep their order.
integers! {
    u8 => Unsigned, |value| value;
    u16 => Unsigned, |value| value;
    u32 => Unsigned, |value| value;
    u64 => Unsigned, |value| value;
    u128 => Unsigned, |value| value;
    i8 => Signed, |value| value ^ i8::MIN;
    i16 => Signed, |value| value ^ i16::MIN;
    i32 => Signed, |value| value ^ i32::MIN;
    i64 => Signed, |value| value ^ i64::MIN;
    i128 => Signed, |value| value ^ i128::MIN;
}

impl Field for bool {
    const WIDTH: usize = 1;
    const TYPE: FieldType = FieldType::Bool;

    #[inline]
    fn write(&self, out: &mut [u8]) {
        u8::from(*self).write(out);
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        match bytes {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(InvalidValue::of::<Self>()),
        }
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl IndexKey for bool {
    const KEY_WIDTH: usize = 1;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        u8::from(*self).write_key(out);
    }
}

impl Field for char {
    const WIDTH: usize = 4;
    const TYPE: FieldType = FieldType::Char;

    #[inline]
    fn write(&self, out: &mut [u8]) {
        u32::from(*self).write(out);
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        let scalar = u32::read(bytes).ok().and_then(char::from_u32);
        scalar.ok_or(InvalidValue::of::<Self>())
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl IndexKey for char {
    const KEY_WIDTH: usize = 4;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        u32::from(*self).write_key(out);
    }
}
