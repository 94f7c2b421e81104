//! Short text inside the row.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;

use super::{Field, IndexKey, InvalidValue, OptionalKey};
use crate::schema::FieldType;

/// Text of at most `N` bytes of UTF-8, stored inside the row.
///
/// The rest of the `N` bytes is zero, so the text itself has no NUL. It orders as `str` does. The
/// empty text is what an `optional` index leaves out. Text of any length is outside the model: give
/// a field the longest text that it may hold.
///
/// ```
/// use groove_core::field::{Text, TextError};
///
/// let currency: Text<4> = "EUR".parse()?;
/// assert_eq!(currency, "EUR");
/// assert_eq!(currency.to_lowercase(), "eur");
/// assert!(currency < Text::new("USD")?);
///
/// assert_eq!(Text::<4>::new("euros"), Err(TextError::TooLong { length: 5, length_max: 4 }));
/// # Ok::<(), TextError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<const N: usize> {
    // Zeros behind the text. NUL is before every other byte, and bytes of UTF-8 order as `str`
    // does: the derived order is that of `str`.
    bytes: [u8; N],
}

/// Why a `str` is no [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text has more bytes than fit. Cut it at a character, or declare a wider field.
    #[error("the text has {length} bytes, the most is {length_max}")]
    TooLong {
        /// Bytes of the text.
        length: usize,
        /// Bytes that fit.
        length_max: usize,
    },
    /// The text has a NUL character, which marks the end of a stored text. Leave it away.
    #[error("the text has a NUL character at byte {position}")]
    Nul {
        /// Where it is, in bytes.
        position: usize,
    },
}

impl<const N: usize> Text<N> {
    /// The text of `text`. Also for constants:
    ///
    /// ```
    /// use groove_core::field::Text;
    ///
    /// const EURO: Text<4> = match Text::new("EUR") {
    ///     Ok(text) => text,
    ///     Err(_) => panic!("a currency has at most 4 bytes"),
    /// };
    /// assert_eq!(EURO, "EUR");
    /// ```
    ///
    /// # Errors
    /// * [`TextError::TooLong`] if `text` has more than `N` bytes (not characters);
    /// * [`TextError::Nul`] if `text` has a NUL character.
    pub const fn new(text: &str) -> Result<Self, TextError> {
        let from = text.as_bytes();
        if from.len() > N {
            return Err(TextError::TooLong { length: from.len(), length_max: N });
        }
        let mut bytes = [0; N];
        let mut position = 0;
        while position < from.len() {
            if from[position] == 0 {
                return Err(TextError::Nul { position });
            }
            bytes[position] = from[position];
            position += 1;
        }
        Ok(Text { bytes })
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        let text = str::from_utf8(&self.bytes[..length(&self.bytes)]);
        text.expect("a text is made from UTF-8 only")
    }
}

/// Bytes before the first NUL.
#[inline]
fn length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())
}

impl<const N: usize> Field for Text<N> {
    const WIDTH: usize = N;
    const TYPE: FieldType = FieldType::Text(N);

    #[inline]
    fn write(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.bytes);
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue::of::<Self>();
        let (text, padding) = bytes.split_at(length(bytes));
        if padding.iter().any(|byte| *byte != 0) || str::from_utf8(text).is_err() {
            return Err(invalid);
        }
        Ok(Text { bytes: bytes.try_into().map_err(|_| invalid)? })
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl<const N: usize> IndexKey for Text<N> {
    const KEY_WIDTH: usize = N;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.bytes);
    }
}

impl<const N: usize> OptionalKey for Text<N> {
    #[inline]
    fn is_absent(&self) -> bool {
        self.bytes.first().is_none_or(|byte| *byte == 0)
    }
}

impl<const N: usize> Default for Text<N> {
    /// The empty text.
    fn default() -> Self {
        Text { bytes: [0; N] }
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> AsRef<str> for Text<N> {
    #[inline]
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;

    #[inline]
    fn from_str(text: &str) -> Result<Self, TextError> {
        Text::new(text)
    }
}

impl<const N: usize> TryFrom<&str> for Text<N> {
    type Error = TextError;

    #[inline]
    fn try_from(text: &str) -> Result<Self, TextError> {
        Text::new(text)
    }
}

impl<const N: usize> Hash for Text<N> {
    /// As `str` does.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl<const N: usize> PartialEq<str> for Text<N> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialEq<&str> for Text<N> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const N: usize> PartialEq<Text<N>> for str {
    #[inline]
    fn eq(&self, other: &Text<N>) -> bool {
        self == other.as_str()
    }
}

impl<const N: usize> PartialEq<Text<N>> for &str {
    #[inline]
    fn eq(&self, other: &Text<N>) -> bool {
        *self == other.as_str()
    }
}
