//! `Option<T>`: a tag byte and the value, zeros if there is none; and `NonZero<T>`, stored as `T`.

use std::fmt;
use std::num::NonZero;

use super::{Described, Field, IndexKey, InvalidValue, OptionalKey};
use crate::schema::FieldType;

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

impl<T: Field> Field for Option<T> {
    const WIDTH: usize = 1 + T::WIDTH;
    const TYPE: FieldType = FieldType::Option(&T::TYPE);

    #[inline]
    fn write(&self, out: &mut [u8]) {
        let (tag, payload) = split_tag(out, Self::WIDTH);
        match self {
            Some(value) => {
                *tag = PRESENT;
                value.write(payload);
            }
            None => {
                *tag = ABSENT;
                payload.fill(0);
            }
        }
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        match bytes {
            [PRESENT, payload @ ..] => match T::read(payload) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(InvalidValue::of::<Self>()),
            },
            [ABSENT, payload @ ..]
                if payload.len() == T::WIDTH && payload.iter().all(|byte| *byte == 0) =>
            {
                Ok(None)
            }
            _ => Err(InvalidValue::of::<Self>()),
        }
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => write!(formatter, "Some({})", Described(value)),
            None => formatter.write_str("None"),
        }
    }
}

impl<T: IndexKey> IndexKey for Option<T> {
    const KEY_WIDTH: usize = 1 + T::KEY_WIDTH;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        let (tag, payload) = split_tag(out, Self::KEY_WIDTH);
        match self {
            Some(value) => {
                *tag = PRESENT;
                value.write_key(payload);
            }
            None => {
                *tag = ABSENT;
                payload.fill(0);
            }
        }
    }
}

impl<T: IndexKey> OptionalKey for Option<T> {
    #[inline]
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

#[inline]
fn split_tag(out: &mut [u8], width: usize) -> (&mut u8, &mut [u8]) {
    assert_eq!(out.len(), width, "an option is written to its width");
    out.split_first_mut().expect("an option is at least its tag")
}

macro_rules! non_zero {
    ($($integer:ty),*) => {$(
        impl Field for NonZero<$integer> {
            const WIDTH: usize = <$integer>::WIDTH;
            const TYPE: FieldType = FieldType::NonZero(&<$integer>::TYPE);

            #[inline]
            fn write(&self, out: &mut [u8]) {
                self.get().write(out);
            }

            #[inline]
            fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
                let value = <$integer>::read(bytes).ok().and_then(NonZero::new);
                value.ok_or(InvalidValue::of::<Self>())
            }

            fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl IndexKey for NonZero<$integer> {
            const KEY_WIDTH: usize = <$integer>::KEY_WIDTH;

            #[inline]
            fn write_key(&self, out: &mut [u8]) {
                self.get().write_key(out);
            }
        }
    )*};
}

non_zero!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);
