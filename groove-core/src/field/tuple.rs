//! Keys of compound indexes: tuples of 2 to 4 keys, and references to keys, so that the fields of
//! an object need not be copied into a tuple.
//!
//! The key of a tuple begins with the keys of its first elements: a range of the index is found by
//! a prefix.

use std::fmt;

use super::{Describe, Described, IndexKey, OptionalKey};

impl<T: IndexKey + ?Sized> IndexKey for &T {
    const KEY_WIDTH: usize = T::KEY_WIDTH;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        T::write_key(self, out);
    }
}

impl<T: OptionalKey + ?Sized> OptionalKey for &T {
    #[inline]
    fn is_absent(&self) -> bool {
        T::is_absent(self)
    }
}

macro_rules! tuples {
    ($($last:literal: $($element:ident $at:tt),*;)*) => {$(
        impl<$($element: IndexKey),*> IndexKey for ($($element,)*) {
            const KEY_WIDTH: usize = 0 $(+ $element::KEY_WIDTH)*;

            #[inline]
            fn write_key(&self, out: &mut [u8]) {
                assert_eq!(out.len(), Self::KEY_WIDTH, "a key is written to its width");
                let rest = out;
                $(
                    let (out, rest) = rest.split_at_mut($element::KEY_WIDTH);
                    self.$at.write_key(out);
                )*
                debug_assert!(rest.is_empty());
            }
        }

        impl<$($element: Describe),*> Describe for ($(&$element,)*) {
            fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("(")?;
                $(
                    write!(formatter, "{}", Described(self.$at))?;
                    formatter.write_str(if $at == $last { ")" } else { ", " })?;
                )*
                Ok(())
            }
        }
    )*};
}

tuples! {
    1: A 0, B 1;
    2: A 0, B 1, C 2;
    3: A 0, B 1, C 2, D 3;
}
