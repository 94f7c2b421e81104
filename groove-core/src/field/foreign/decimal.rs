//! `rust_decimal::Decimal`: the 96 bits of the mantissa, then a byte of scale and one of sign.
//!
//! `1.0` and `1.00` are equal and have the same key, but not the same row: the scale is kept.

use std::fmt;

use rust_decimal::Decimal;

use crate::field::{Field, IndexKey, InvalidValue};
use crate::schema::FieldType;

const MANTISSA_WIDTH: usize = 12;

impl Field for Decimal {
    const WIDTH: usize = MANTISSA_WIDTH + 2;
    const TYPE: FieldType = FieldType::Foreign("rust_decimal::Decimal", Self::WIDTH);

    #[inline]
    fn write(&self, out: &mut [u8]) {
        let mantissa = self.mantissa().unsigned_abs().to_le_bytes();
        let (out, rest) = out.split_at_mut(MANTISSA_WIDTH);
        out.copy_from_slice(&mantissa[..MANTISSA_WIDTH]);
        rest.copy_from_slice(&[self.scale() as u8, u8::from(self.is_sign_negative())]);
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        let read = || {
            let bytes: &[u8; Self::WIDTH] = bytes.try_into().ok()?;
            let (limbs, _) = bytes[..MANTISSA_WIDTH].as_chunks();
            let [low, middle, high] = *limbs else { return None };
            let [scale, sign] = [bytes[MANTISSA_WIDTH], bytes[MANTISSA_WIDTH + 1]];
            if u32::from(scale) > Decimal::MAX_SCALE || sign > 1 {
                return None;
            }
            let mut decimal = Decimal::from_parts(
                u32::from_le_bytes(low),
                u32::from_le_bytes(middle),
                u32::from_le_bytes(high),
                false,
                u32::from(scale),
            );
            decimal.set_sign_negative(sign == 1); // there is a negative zero
            Some(decimal)
        };
        read().ok_or(InvalidValue::of::<Self>())
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The value times 10^28 as an integer of 192 bits: 96 of the mantissa, fewer than 94 of the power,
/// and the sign.
impl IndexKey for Decimal {
    const KEY_WIDTH: usize = 24;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        const SIGN: u64 = 1 << 63;
        let mantissa = self.mantissa();
        let power = 10u128.pow(Decimal::MAX_SCALE - self.scale());
        let (low, high) = mantissa.unsigned_abs().carrying_mul(power, 0);
        let high = high as u64;
        assert!(high < SIGN, "190 bits hold every decimal");
        let (high, low) = if mantissa < 0 {
            let carry = u64::from(low == 0); // of two's complement
            ((!high).wrapping_add(carry), low.wrapping_neg())
        } else {
            (high, low)
        };
        let (out_high, out_low) = out.split_at_mut(8);
        out_high.copy_from_slice(&(high ^ SIGN).to_be_bytes());
        out_low.copy_from_slice(&low.to_be_bytes());
    }
}
