//! What the right-hand side of a comparison can be: [`Operand`].

use crate::field::{IndexKey, Text};

/// A value that keys of type `F` are compared with: an `F` or a reference to one; a `T` where keys
/// are `Option<T>`; a `&str`, `String` or `&String` where keys are [`Text`] or `Option<Text>`, also
/// within the tuples of a compound index.
///
/// Literals take the type of the index: `Transfer::DEBIT_ACCOUNT_ID.eq(7)` compares a `u128`,
/// `Flight::CARRIER.eq("UA")` a `Text`, `Flight::DESIGNATOR.eq(("UA", 15))` a `(Text<2>, u16)`. A text
/// that is too long for the index is not an error: no key equals it, and it orders among the keys as
/// `str` does.
#[diagnostic::on_unimplemented(
    message = "keys of type `{F}` cannot be compared with `{Self}`",
    note = "convert the value to `{F}` first",
    note = "a text may be a `&str`, by itself or in a tuple; all else in a tuple has the very type of the index"
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

/// A type of keys that are text: [`Text`] and `Option<Text>`.
#[diagnostic::on_unimplemented(
    message = "keys of type `{Self}` cannot be compared with a string",
    note = "convert the value to `{Self}` first: a string stands for a `Text<N>` or an `Option<Text<N>>` only"
)]
pub trait TextKey: IndexKey {
    /// As [`Operand::write_operand`]: writes the greatest key that is not above `text`.
    #[doc(hidden)]
    fn write_text(text: &str, out: &mut [u8]) -> bool;
}

/// The greatest is what fits of the text, as far as its first NUL.
impl<const N: usize> TextKey for Text<N> {
    fn write_text(text: &str, out: &mut [u8]) -> bool {
        let text = text.as_bytes();
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len()).min(N);
        out.fill(0);
        out[..end].copy_from_slice(&text[..end]);
        end == text.len()
    }
}

impl<const N: usize> TextKey for Option<Text<N>> {
    fn write_text(text: &str, out: &mut [u8]) -> bool {
        let (tag, out) = out.split_at_mut(1);
        tag[0] = 1;
        Text::<N>::write_text(text, out)
    }
}

// By type of key, and not for every `TextKey`: so the compiler says what a number was compared with.
macro_rules! strings {
    ($($string:ty),*) => {$(
        impl<const N: usize> Operand<Text<N>> for $string {
            fn write_operand(&self, out: &mut [u8]) -> bool {
                Text::<N>::write_text(self, out)
            }
        }

        impl<const N: usize> Operand<Option<Text<N>>> for $string {
            fn write_operand(&self, out: &mut [u8]) -> bool {
                Option::<Text<N>>::write_text(self, out)
            }
        }
    )*};
}

strings!(&str, String, &String);

/// For each way in which some elements of a tuple are strings and the others have the types of the key:
/// an impl for all tuples of operands would also be one for the key itself, which has one already.
macro_rules! tuples {
    ($([$($element:ident $at:tt)*])*) => {
        $(tuples!(@ same [] [] [] [] [$($element $at)*]);)*
    };
    // The key itself.
    (@ same [$($bounds:tt)*] [$($keys:tt)*] [$($types:tt)*] [$($writes:tt)*] []) => {};
    (@ text [$($bounds:tt)*] [$($key:tt)*] [$($types:tt)*] [$(($element:ident $at:tt $how:ident))*] []) => {
        #[doc(hidden)] // some hundreds of a kind
        #[diagnostic::do_not_recommend]
        impl<$($bounds)*> Operand<($($key)*)> for ($($types)*) {
            fn write_operand(&self, out: &mut [u8]) -> bool {
                let rest = out;
                $(
                    let (out, rest) = rest.split_at_mut($element::KEY_WIDTH);
                    if !tuples!(@ write $how $element out self.$at) {
                        // Whatever follows: the key is below the value.
                        rest.fill(0xff);
                        return false;
                    }
                )*
                debug_assert!(rest.is_empty());
                true
            }
        }
    };
    (@ write key $element:ident $out:ident $value:expr) => {{
        $value.write_key($out);
        true
    }};
    (@ write text $element:ident $out:ident $value:expr) => {
        $element::write_text($value.as_ref(), $out)
    };
    (@ $kind:ident [$($bounds:tt)*] [$($keys:tt)*] [$($types:tt)*] [$($writes:tt)*]
        [$element:ident $at:tt $($rest:tt)*]) => {
        tuples!(@ $kind [$($bounds)* $element: IndexKey,] [$($keys)* $element,]
            [$($types)* $element,] [$($writes)* ($element $at key)] [$($rest)*]);
        tuples!(@ text [$($bounds)* $element: TextKey,] [$($keys)* $element,]
            [$($types)* &str,] [$($writes)* ($element $at text)] [$($rest)*]);
        tuples!(@ text [$($bounds)* $element: TextKey,] [$($keys)* $element,]
            [$($types)* String,] [$($writes)* ($element $at text)] [$($rest)*]);
        tuples!(@ text [$($bounds)* $element: TextKey,] [$($keys)* $element,]
            [$($types)* &String,] [$($writes)* ($element $at text)] [$($rest)*]);
    };
}

tuples! {
    [A 0 B 1]
    [A 0 B 1 C 2]
    [A 0 B 1 C 2 D 3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::key_range::{EncodedKey, KeyRange, Place};
    use std::ops::Bound::{Excluded, Included, Unbounded};

    type Key = (Text<2>, u8, Option<Text<3>>);

    fn place(value: &impl Operand<Key>) -> Place {
        let mut out = [0x55; Key::KEY_WIDTH];
        let exact = value.write_operand(&mut out);
        Place { key: EncodedKey::from_bytes(&out), exact }
    }

    fn text<const N: usize>(text: &str) -> Text<N> {
        text.parse().expect("it fits")
    }

    /// Also those that are too long or have a NUL, in any place of the tuple.
    #[test]
    fn a_tuple_of_strings_orders_among_the_keys_as_a_tuple_of_str_does() {
        let texts = ["", "A", "AA", "AB", "B"];
        let mut keys: Vec<Key> = Vec::new();
        for first in texts {
            for number in [0, 1, 255] {
                for last in texts {
                    keys.push((text(first), number, Some(text(last))));
                }
                keys.push((text(first), number, None));
            }
        }
        let strings = ["", "A", "AA", "AAA", "AAAA", "A\0", "AB", "ABCD", "B", "BB\0", "ÿÿÿ"];
        for first in strings {
            for number in [0, 1, 2, 255] {
                for last in strings {
                    let at = place(&(first, number, last));
                    assert_eq!(at, place(&(first.to_owned(), number, &last.to_owned())));
                    let within = |lower, upper| KeyRange::within(lower, upper, Key::KEY_WIDTH);
                    for key in &keys {
                        let shown = (key.0.as_str(), key.1, key.2.as_ref().map(Text::as_str));
                        let order = shown.cmp(&(first, number, Some(last)));
                        let has = |range: Option<KeyRange>| {
                            let key = place(key).key;
                            range.is_some_and(|range| range.min <= key && key <= range.max)
                        };
                        let context = format!("{shown:?} beside {:?}", (first, number, last));
                        assert_eq!(
                            has(within(Unbounded, Excluded(at))),
                            order.is_lt(),
                            "{context}"
                        );
                        assert_eq!(
                            has(within(Unbounded, Included(at))),
                            order.is_le(),
                            "{context}"
                        );
                        assert_eq!(
                            has(within(Excluded(at), Unbounded)),
                            order.is_gt(),
                            "{context}"
                        );
                        assert_eq!(
                            has(within(Included(at), Unbounded)),
                            order.is_ge(),
                            "{context}"
                        );
                        let equal = within(Included(at), Included(at));
                        assert_eq!(has(equal), order.is_eq(), "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_string_may_stand_beside_a_text() {
        let exact = place(&(text::<2>("UA"), 7, Some(text::<3>("JFK"))));
        assert_eq!(place(&("UA", 7, Some(text::<3>("JFK")))), exact);
        assert_eq!(place(&(text::<2>("UA"), 7, "JFK")), exact);
        assert_eq!(place(&(String::from("UA"), 7, "JFK")), exact);
        assert_eq!(place(&&(text::<2>("UA"), 7, Some(text::<3>("JFK")))), exact);
    }
}
