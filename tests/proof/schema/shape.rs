//! What the driver needs of a struct, written out by one macro for each.

use groove::{Object, Predicate};
use groove_core::proof::Random;

/// A predicate, and a plain test of the objects that it should find.
pub(crate) type Asked<O> = (Predicate<O>, Box<dyn Fn(&O) -> bool>);
/// Makes a question about one field or index from an object.
pub(crate) type Question<O> = fn(&O, &mut Random) -> Asked<O>;

/// A struct that can be filled, changed and asked at random.
pub(crate) trait Shape: Object + Clone + std::fmt::Debug {
    /// Any object, without a timestamp.
    fn random(random: &mut Random) -> Self;
    /// Changes fields that may change.
    fn change(&mut self, random: &mut Random);
    /// Whether a unique index cannot have both.
    fn clashes(&self, other: &Self) -> bool;
    /// One per index and field.
    fn questions() -> &'static [Question<Self>];
    /// The key that `get` takes.
    fn primary(&self) -> Self::Primary;
}

/// `unique` and `fields` are all fields but the timestamp: those that an update leaves, and others. A
/// key is `Handle: what the index has of an object`.
macro_rules! shape {
    (
        $name:ident, primary $primary:ident,
        unique [$($unique:ident: $unique_key:expr),*],
        fixed [$($fixed:ident),*],
        fields [$($field:ident),*],
        keys [$($handle:ident: $key:expr),* $(,)?]
    ) => {
        impl Shape for $name {
            fn random(random: &mut Random) -> $name {
                $name {
                    timestamp: 0,
                    $($fixed: Domain::any(random),)*
                    $($field: Domain::any(random),)*
                }
            }

            fn change(&mut self, random: &mut Random) {
                $(if random.chance(30) {
                    self.$field = Domain::any(random);
                })*
                let _ = random.next();
            }

            fn clashes(&self, other: &$name) -> bool {
                let _ = other;
                false $(|| same_key(self.key($unique_key), other.key($unique_key)))*
            }

            fn questions() -> &'static [Question<$name>] {
                &[
                    $(question!($name, $unique, $unique_key),)*
                    $(question!($name, $handle, $key),)*
                ]
            }

            fn primary(&self) -> <$name as Object>::Primary {
                self.$primary
            }
        }

        impl $name {
            fn key<K>(&self, key: fn(&$name) -> Option<K>) -> Option<K> {
                key(self)
            }
        }
    };
}

macro_rules! question {
    ($name:ident, $handle:ident, $key:expr) => {
        |sample, random| {
            let condition = Condition::any(sample.key($key), random);
            let handle = $name::$handle;
            let predicate = match condition {
                Condition::Eq(value) => handle.eq(value),
                Condition::Ne(value) => handle.ne(value),
                Condition::Lt(value) => handle.lt(value),
                Condition::Le(value) => handle.le(value),
                Condition::Gt(value) => handle.gt(value),
                Condition::Ge(value) => handle.ge(value),
                Condition::Range(from, to) => handle.range(from..=to),
                Condition::OneOf(one, other) => handle.one_of([one, other]),
                Condition::Present => handle.is_some(),
                Condition::Absent => handle.is_none(),
            };
            (predicate, Box::new(move |object| condition.is_met(object.key($key))))
        }
    };
}

pub(super) use {question, shape};
