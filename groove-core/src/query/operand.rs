//! What the right-hand side of a comparison can be: [`Operand`].

use crate::field::{IndexKey, Text};

/// A value that keys of type `F` are compared with: an `F` or a reference to one; a `T` where keys
/// are `Option<T>`; a `str` where keys are [`Text`] or
/// `Option<Text>`.
///
/// Literals take the type of the index: `Transfer::DEBIT_ACCOUNT_ID.eq(7)` compares a `u128`,
/// `Flight::CARRIER.eq("UA")` a `Text`. A `str` that is too long for the index is not an error: no
/// key equals it, and it orders among the keys as `str` does.
#[diagnostic::on_unimplemented(
    message = "keys of type `{F}` cannot be compared with `{Self}`",
    note = "convert the value to `{F}` first"
)]
pub trait Operand<F: IndexKey> {
    /// Writes the greatest key that is not above the value, most significant byte first, to `out`,
    /// which is [`IndexKey::KEY_WIDTH`] long; returns whether that key is the value itself.
    fn write_operand(&self, out: &mut [u8]) -> bool;
}

impl<F: IndexKey> Operand<F> for F {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        self.write_key(out);
        true
    }
}

impl<F: IndexKey> Operand<F> for &F {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        F::write_key(self, out);
        true
    }
}

impl<T> Operand<Option<T>> for T
where
    T: Copy,
    Option<T>: IndexKey,
{
    fn write_operand(&self, out: &mut [u8]) -> bool {
        Some(*self).write_key(out);
        true
    }
}

/// As the greatest `Text<N>` that is not above it: what fits of it, as far as its first NUL.
impl<const N: usize> Operand<Text<N>> for &str {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        let text = self.as_bytes();
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len()).min(N);
        out.fill(0);
        out[..end].copy_from_slice(&text[..end]);
        end == text.len()
    }
}

impl<const N: usize> Operand<Option<Text<N>>> for &str {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        let (tag, text) = out.split_at_mut(1);
        tag[0] = 1;
        Operand::<Text<N>>::write_operand(self, text)
    }
}

impl<const N: usize> Operand<Text<N>> for String {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        Operand::<Text<N>>::write_operand(&self.as_str(), out)
    }
}

impl<const N: usize> Operand<Text<N>> for &String {
    fn write_operand(&self, out: &mut [u8]) -> bool {
        Operand::<Text<N>>::write_operand(&self.as_str(), out)
    }
}
