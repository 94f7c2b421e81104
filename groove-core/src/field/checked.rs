//! A type that is taken for a key, as far as it is one. What generated code makes of a type that it
//! knows by name only: if the type is no field or no key, the compiler says so in one place and not
//! wherever it is mentioned.
//!
//! 1. [`Is`] tells as constants whether a type has the traits; a type without them is no error.
//! 2. [`Checked`] picks, by these constants, the type itself or a stand-in that has every trait.
//! 3. A type that is no field is complained of as such; one that is a field and no key where its
//!    key's width is asked for ([`Check::Asked`]). Everything else speaks of [`Check::Key`].

use std::marker::PhantomData;

use super::{Field, IndexKey};

/// Whether `T` has the traits: `Is::<T>::FIELD`, `Is::<T>::KEY`, with [`IsNot`] in scope.
#[derive(Debug)]
pub struct Is<T>(PhantomData<T>);

/// The answers for a type without the traits. Those of [`Is`] itself come first where they apply.
pub trait IsNot {
    /// Not a field.
    const FIELD: bool = false;
    /// Not a key.
    const KEY: bool = false;
}

impl<T> IsNot for Is<T> {}

impl<T: Field> Is<T> {
    /// A field.
    pub const FIELD: bool = true;
}

impl<T: IndexKey> Is<T> {
    /// A key.
    pub const KEY: bool = true;
}

/// `T` with the answers of [`Is`].
#[derive(Debug)]
pub struct Checked<T, const FIELD: bool, const KEY: bool>(PhantomData<T>);

/// The type that stands for `T` where a key is asked for.
pub trait Check {
    /// `T`.
    type Value;
    /// `T` if it is a field and a key.
    type Key;
    /// `T` if it is a field, whether or not it is a key.
    type Asked;

    /// The value as a key.
    fn key(value: &Self::Value) -> &Self::Key;
}

impl<T> Check for Checked<T, true, true> {
    type Value = T;
    type Key = T;
    type Asked = T;

    #[inline]
    fn key(value: &T) -> &T {
        value
    }
}

impl<T> Check for Checked<T, true, false> {
    type Value = T;
    type Key = u64;
    type Asked = T;

    fn key(_: &T) -> &u64 {
        unreachable!("a type that is no key does not compile")
    }
}

impl<T, const KEY: bool> Check for Checked<T, false, KEY> {
    type Value = T;
    type Key = u64;
    type Asked = u64;

    fn key(_: &T) -> &u64 {
        unreachable!("a type that is no field does not compile")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Text;

    struct Neither;

    #[test]
    fn a_type_is_told_apart_by_its_traits() {
        assert_eq!([Is::<Text<4>>::FIELD, Is::<Text<4>>::KEY], [true, true]);
        assert_eq!([Is::<(u8, u8)>::FIELD, Is::<(u8, u8)>::KEY], [false, true]);
        assert_eq!([Is::<Neither>::FIELD, Is::<Neither>::KEY], [false, false]);
        assert_eq!([Is::<Option<Neither>>::FIELD, Is::<[Neither; 2]>::KEY], [false, false]);
    }

    #[test]
    fn a_key_is_the_value_itself() {
        type Bool = Checked<bool, { Is::<bool>::FIELD }, { Is::<bool>::KEY }>;
        let value = true;
        assert!(std::ptr::eq(<Bool as Check>::key(&value), &value));
    }
}
