//! What keys can begin with: [`Prefix`].

use crate::field::{IndexKey, Text};

use super::operand::Operand;

/// The beginning of keys of type `F`: a `str` where keys are [`Text`] or `Option<Text>`, bytes where
/// they are `[u8; N]`, and for the tuples of a compound index a tuple of the first elements.
///
/// A tuple of one element is written with a comma: `Flight::ROUTE.prefix(("JFK",))`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no beginning of keys of type `{F}`",
    note = "a `Text` or `Option<Text>` begins with a `str`, a `[u8; N]` with a `[u8]`, a key of several fields with a tuple of the first ones: `(a,)`, `(a, b)`"
)]
pub trait Prefix<F: IndexKey> {
    /// Writes the bytes that the encoded keys begin with to the front of `out`, which is
    /// [`IndexKey::KEY_WIDTH`] long, and returns how many they are; `None` if no key begins so.
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize>;
}

fn write(prefix: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..prefix.len())?.copy_from_slice(prefix);
    Some(prefix.len())
}

impl<const N: usize> Prefix<Text<N>> for &str {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        // A text has no NUL: zeros are what is behind it.
        (!self.contains('\0')).then(|| write(self.as_bytes(), out))?
    }
}

impl<const N: usize> Prefix<Text<N>> for &String {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        Prefix::<Text<N>>::write_prefix(&self.as_str(), out)
    }
}

impl<const N: usize> Prefix<Text<N>> for String {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        Prefix::<Text<N>>::write_prefix(&self.as_str(), out)
    }
}

impl<const N: usize, const M: usize> Prefix<Text<N>> for Text<M> {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        Prefix::<Text<N>>::write_prefix(&self.as_str(), out)
    }
}

impl<T, P> Prefix<Option<T>> for P
where
    T: IndexKey,
    P: Prefix<T>,
{
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        let (tag, out) = out.split_first_mut()?;
        *tag = 1;
        Some(1 + self.write_prefix(out)?)
    }
}

impl<const N: usize> Prefix<[u8; N]> for &[u8] {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        write(self, out)
    }
}

impl<const N: usize, const M: usize> Prefix<[u8; N]> for [u8; M] {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        write(self, out)
    }
}

impl<const N: usize, const M: usize> Prefix<[u8; N]> for &[u8; M] {
    fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
        write(*self, out)
    }
}

/// Writes one element; `None` if no key equals it.
fn element<F: IndexKey>(value: &impl Operand<F>, out: &mut [u8], at: usize) -> Option<usize> {
    value.write_operand(&mut out[at..at + F::KEY_WIDTH]).then_some(at + F::KEY_WIDTH)
}

macro_rules! tuples {
    ($($key:tt: $($element:ident $value:ident $at:tt),*;)*) => {$(
        tuples!(@ $key, $($element $value $at),*);
    )*};
    (@ ($($key:ident),*), $($element:ident $value:ident $at:tt),*) => {
        impl<$($key,)* $($value),*> Prefix<($($key,)*)> for ($($value,)*)
        where
            $($key: IndexKey,)*
            $($value: Operand<$element>,)*
        {
            fn write_prefix(&self, out: &mut [u8]) -> Option<usize> {
                let mut length = 0;
                $(length = element::<$element>(&self.$at, out, length)?;)*
                Some(length)
            }
        }
    };
}

tuples! {
    (A, B): A V 0;
    (A, B): A V 0, B W 1;
    (A, B, C): A V 0;
    (A, B, C): A V 0, B W 1;
    (A, B, C): A V 0, B W 1, C X 2;
    (A, B, C, D): A V 0;
    (A, B, C, D): A V 0, B W 1;
    (A, B, C, D): A V 0, B W 1, C X 2;
    (A, B, C, D): A V 0, B W 1, C X 2, D Y 3;
}
