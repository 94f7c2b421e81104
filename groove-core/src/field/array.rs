//! `[T; N]`: the elements one after the other.

use std::array;
use std::fmt;

use super::{Described, Field, IndexKey, InvalidValue, OptionalKey};
use crate::schema::FieldType;

impl<T: Field, const N: usize> Field for [T; N] {
    const WIDTH: usize = N * T::WIDTH;
    const TYPE: FieldType = FieldType::Array(&T::TYPE, N);

    #[inline]
    fn write(&self, out: &mut [u8]) {
        assert_eq!(out.len(), Self::WIDTH, "an array is written to its width");
        for (index, element) in self.iter().enumerate() {
            element.write(&mut out[index * T::WIDTH..(index + 1) * T::WIDTH]);
        }
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        if bytes.len() != Self::WIDTH {
            return Err(InvalidValue::of::<Self>());
        }
        // Read twice, for checking and for keeping: where reading cannot fail (`[u8; N]`) the first
        // pass is compiled to nothing and the second to a copy.
        let element = |index: usize| T::read(&bytes[index * T::WIDTH..(index + 1) * T::WIDTH]);
        for index in 0..N {
            if element(index).is_err() {
                return Err(InvalidValue::of::<Self>());
            }
        }
        Ok(array::from_fn(|index| element(index).expect("what was read once is read again")))
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = self.iter().map(|element| Described(element));
        formatter.debug_list().entries(elements).finish()
    }
}

impl<T: IndexKey, const N: usize> IndexKey for [T; N] {
    const KEY_WIDTH: usize = N * T::KEY_WIDTH;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        assert_eq!(out.len(), Self::KEY_WIDTH, "a key is written to its width");
        for (index, element) in self.iter().enumerate() {
            element.write_key(&mut out[index * T::KEY_WIDTH..(index + 1) * T::KEY_WIDTH]);
        }
    }
}

impl<const N: usize> OptionalKey for [u8; N] {
    #[inline]
    fn is_absent(&self) -> bool {
        self.iter().all(|byte| *byte == 0)
    }
}
