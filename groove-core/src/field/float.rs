//! Floats, in the total order of IEEE 754: every bit pattern is a value of its own.
//!
//! `-NaN < -∞ < … < -0.0 < 0.0 < … < ∞ < NaN`, as `total_cmp` has it. No value means "absent".

use std::fmt;

use super::{Field, IndexKey, InvalidValue};
use crate::schema::FieldType;

macro_rules! floats {
    ($($float:ty, $bits:ty;)*) => {$(
        impl Field for $float {
            const WIDTH: usize = size_of::<$float>();
            const TYPE: FieldType = FieldType::Float(<$bits>::BITS as u16);

            #[inline]
            fn write(&self, out: &mut [u8]) {
                self.to_bits().write(out);
            }

            #[inline]
            fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
                match <$bits>::read(bytes) {
                    Ok(bits) => Ok(<$float>::from_bits(bits)),
                    Err(_) => Err(InvalidValue::of::<Self>()),
                }
            }

            fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, formatter)
            }
        }

        impl IndexKey for $float {
            const KEY_WIDTH: usize = size_of::<$float>();

            #[inline]
            fn write_key(&self, out: &mut [u8]) {
                const SIGN: $bits = 1 << (<$bits>::BITS - 1);
                let bits = self.to_bits();
                // Of negative numbers the larger magnitude is the lesser one: all bits flip.
                let ordered = if bits & SIGN == 0 { bits ^ SIGN } else { !bits };
                ordered.write_key(out);
            }
        }
    )*};
}

floats! {
    f32, u32;
    f64, u64;
}
