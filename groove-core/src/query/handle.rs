//! The handles that the derive generates as associated constants (`Transfer::CODE`): their methods
//! make [`Predicate`]s.
//!
//! All comparisons are encoded here into ranges of keys, so that everything below is free of the
//! types of fields. No value makes these methods fail: what no object can have matches nothing.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use crate::constants::{INDEX_KEY_WIDTH_MAX, TIMESTAMP_MAX};
use crate::field::{Field, IndexKey};
use crate::schema::FieldType;

use super::key_bounds::KeyBounds;
use super::key_range::{EncodedKey, KeyRange, Place};
use super::key_set::KeySet;
use super::operand::Operand;
use super::predicate::{Node, Predicate};
use super::prefix::Prefix;
use super::row_key::ReadKey;

/// A non-unique index of `O` over keys of type `F`, as an associated constant of `O`.
pub struct Index<O, F> {
    pub(crate) ordinal: usize,
    types: PhantomData<fn() -> (O, F)>,
}

/// A unique index of `O` over keys of type `F`, as an associated constant of `O`.
pub struct UniqueIndex<O, F> {
    pub(crate) ordinal: usize,
    types: PhantomData<fn() -> (O, F)>,
}

/// A field of `O` of type `F` that no index is on, as an associated constant of `O`.
///
/// Its conditions are tested on the rows of the objects that the other conditions of a query leave.
/// Alone, or in an `|`, such a condition walks all objects of the query's range of timestamps:
/// [`Query::explain`](crate::Query::explain) shows it. But if the field is the first of a compound index, or if `eq` and
/// `one_of` say what the fields before it are (in not more than 256 combinations), the entries of that index are read
/// instead where that is less. Types of other crates are not known well enough for that.
pub struct Unindexed<O, F> {
    pub(crate) ordinal: usize,
    types: PhantomData<fn() -> (O, F)>,
}

/// The timestamps of `O`, as an associated constant of `O`; where `O` is a parameter, which has no constants
/// by name, [`Timestamps::new`].
pub struct Timestamps<O> {
    object: PhantomData<fn() -> O>,
}

macro_rules! index_handle {
    (
        $handle:ident: $bound:path,
        eq: $eq_cost:literal,
        range: $range_cost:literal,
        none: $none_cost:literal
    ) => {
        impl<O, F> $handle<O, F> {
            /// The handle of what is number `ordinal` of the schema. For the derive only.
            #[doc(hidden)]
            pub const fn new(ordinal: usize) -> $handle<O, F> {
                $handle { ordinal, types: PhantomData }
            }
        }

        impl<O, F: $bound> $handle<O, F> {
            /// Objects whose key is `value`. The value that stands for "absent" is no key of an
            /// `optional` index, so nothing has it: ask for [`is_none`](Self::is_none) instead.
            ///
            #[doc = $eq_cost]
            pub fn eq(self, value: impl Operand<F>) -> Predicate<O> {
                let place = place(&value);
                self.within(Bound::Included(place), Bound::Included(place))
            }

            /// Objects whose key is not `value`, those without a key in an optional index included:
            /// the same as `!eq(value)`.
            ///
            /// Cheap beside a positive condition; alone it walks all objects, or the other keys if every
            /// object is in the index and that is less.
            pub fn ne(self, value: impl Operand<F>) -> Predicate<O> {
                !self.eq(value)
            }

            /// Objects whose key is less than `value`. `None` of an index on an `Option` is less than
            /// every value, so it is among these, and in each range without a start, unless the index is
            /// `optional` and has no key for it: [`is_some`](Self::is_some) leaves it out.
            ///
            #[doc = $range_cost]
            pub fn lt(self, value: impl Operand<F>) -> Predicate<O> {
                self.within(Bound::Unbounded, Bound::Excluded(place(&value)))
            }

            /// Objects whose key is `value` or less; of `None` see [`lt`](Self::lt).
            ///
            #[doc = $range_cost]
            pub fn le(self, value: impl Operand<F>) -> Predicate<O> {
                self.within(Bound::Unbounded, Bound::Included(place(&value)))
            }

            /// Objects whose key is greater than `value`.
            ///
            #[doc = $range_cost]
            pub fn gt(self, value: impl Operand<F>) -> Predicate<O> {
                self.within(Bound::Excluded(place(&value)), Bound::Unbounded)
            }

            /// Objects whose key is `value` or greater.
            ///
            #[doc = $range_cost]
            pub fn ge(self, value: impl Operand<F>) -> Predicate<O> {
                self.within(Bound::Included(place(&value)), Bound::Unbounded)
            }

            /// Objects whose key is in `range`, whose ends are what [`eq`](Self::eq) takes; none if its
            /// start is beyond its end. Of `None` see [`lt`](Self::lt).
            ///
            #[doc = $range_cost]
            pub fn range(self, range: impl KeyBounds<F>) -> Predicate<O> {
                let (lower, upper) = range.into_bounds();
                self.within(lower.map(|value| place(&value)), upper.map(|value| place(&value)))
            }

            /// Objects whose key is one of `values`: the `IN` of SQL. None if there are no values.
            ///
            /// Cost: that of `eq` for each value; the answers are merged.
            pub fn one_of<V: Operand<F>>(
                self,
                values: impl IntoIterator<Item = V>,
            ) -> Predicate<O> {
                Predicate::any_of(values.into_iter().map(|value| self.eq(value)))
            }

            /// Objects whose key is in `keys`: a semi-join with the query that they are of
            /// ([`Query::keys`](crate::Query::keys)).
            ///
            /// Cost: that of `eq` for each key.
            pub fn one_of_keys(self, keys: &KeySet<F>) -> Predicate<O> {
                let node = |range: &KeyRange| Predicate::new(self.node(*range));
                Predicate::any_of(keys.ranges().iter().map(node))
            }

            /// Objects whose key begins with `prefix`: a text or bytes with the first ones, a compound
            /// key with a tuple of the first values.
            ///
            #[doc = $range_cost]
            pub fn prefix(self, prefix: impl Prefix<F>) -> Predicate<O> {
                let (mut min, mut max) = ([0; INDEX_KEY_WIDTH_MAX], [0xff; INDEX_KEY_WIDTH_MAX]);
                const { crate::key::assert_index_key::<F>() };
                let (min, max) = (&mut min[..F::KEY_WIDTH], &mut max[..F::KEY_WIDTH]);
                let Some(length) = prefix.write_prefix(min) else { return Predicate::none() };
                max[..length].copy_from_slice(&min[..length]);
                let range = KeyRange::new(EncodedKey::from_bytes(min), EncodedKey::from_bytes(max));
                range.map_or_else(Predicate::none, |range| Predicate::new(self.node(range)))
            }

            /// Objects that have a value in this index: not those that an optional index leaves out,
            /// not those for which a derived index gives `None`, not `None` in an index on an
            /// `Option`. All objects, if the index is of no such kind.
            ///
            #[doc = $range_cost]
            pub fn is_some(self) -> Predicate<O> {
                self.present()
            }

            /// Objects that have no value in this index: the same as `!is_some()`.
            ///
            #[doc = $none_cost]
            pub fn is_none(self) -> Predicate<O> {
                !self.is_some()
            }

            fn within(self, lower: Bound<Place>, upper: Bound<Place>) -> Predicate<O> {
                match KeyRange::within(lower, upper, F::KEY_WIDTH) {
                    Some(range) => Predicate::new(self.node(range)),
                    None => Predicate::none(),
                }
            }
        }

        impl<O, F> Clone for $handle<O, F> {
            fn clone(&self) -> $handle<O, F> {
                *self
            }
        }

        impl<O, F> Copy for $handle<O, F> {}

        impl<O, F> fmt::Debug for $handle<O, F> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($handle)).field(&self.ordinal).finish()
            }
        }
    };
}

index_handle!(
    Index: IndexKey,
    eq: "Cost: a scan of the entries of this key only, in timestamp order, as far as it is asked for.",
    range: "Cost: reads all entries in the range and sorts their timestamps; or tests the rows of \
            what other conditions leave, or of all objects as far as the limit, if that is less.",
    none: "Cost: walks the objects that other conditions leave; alone, all objects, or the entries of \
            `None` in an index on an `Option`."
);
index_handle!(
    UniqueIndex: IndexKey,
    eq: "Cost: one look-up.",
    range: "Cost: reads all entries in the range and sorts their timestamps; or tests the rows of \
            what other conditions leave, or of all objects as far as the limit, if that is less.",
    none: "Cost: walks the objects that other conditions leave; alone, all objects, or the entries of \
            `None` in an index on an `Option`."
);
index_handle!(
    Unindexed: FieldKey,
    eq: "Cost: tests the row of each object that other conditions or a compound index leave; else of all objects.",
    range: "Cost: tests the row of each object that other conditions or a compound index leave; else of all objects.",
    none: "Cost: tests the row of each object that other conditions or a compound index leave; else of all objects."
);

/// A type of field that can be compared: both a [`Field`] and an [`IndexKey`].
#[diagnostic::on_unimplemented(
    message = "fields of type `{Self}` cannot be compared",
    label = "no order is known of its values",
    note = "conditions take fields of every type that an index can have (`IndexKey`); test others on the objects that the query gives"
)]
pub trait FieldKey: Field + IndexKey {}

impl<F: Field + IndexKey> FieldKey for F {}

/// The handle of an index, unique or not: what [`Query::order_by`](crate::Query::order_by) and
/// [`Query::keys`](crate::Query::keys) take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the handle of an index of `{O}`",
    note = "the handles of `Index` and `UniqueIndex` are; a field without an index has no order to walk"
)]
pub trait IndexHandle<O>: sealed::Sealed {
    /// The type of the keys.
    type Key: IndexKey;
    /// The number of the index in the schema.
    #[doc(hidden)]
    fn ordinal(&self) -> usize;
}

mod sealed {
    pub trait Sealed {}

    impl<O, F> Sealed for super::Index<O, F> {}
    impl<O, F> Sealed for super::UniqueIndex<O, F> {}
}

impl<O, F: IndexKey> IndexHandle<O> for Index<O, F> {
    type Key = F;

    fn ordinal(&self) -> usize {
        self.ordinal
    }
}

impl<O, F: IndexKey> IndexHandle<O> for UniqueIndex<O, F> {
    type Key = F;

    fn ordinal(&self) -> usize {
        self.ordinal
    }
}

impl<O, F> Index<O, F> {
    fn node(self, range: KeyRange) -> Node {
        Node::Keys { index: self.ordinal, range }
    }

    fn present(self) -> Predicate<O> {
        Predicate::new(Node::Present { index: self.ordinal })
    }
}

impl<O, F> UniqueIndex<O, F> {
    fn node(self, range: KeyRange) -> Node {
        Node::Keys { index: self.ordinal, range }
    }

    fn present(self) -> Predicate<O> {
        Predicate::new(Node::Present { index: self.ordinal })
    }
}

impl<O, F: FieldKey> Unindexed<O, F> {
    fn node(self, range: KeyRange) -> Node {
        Node::Field { field: self.ordinal, range, read: ReadKey::of::<F>() }
    }

    fn present(self) -> Predicate<O> {
        let mut field_type = F::TYPE;
        while let FieldType::Newtype(_, inner) = field_type {
            field_type = *inner;
        }
        if !matches!(field_type, FieldType::Option(_)) {
            return Predicate::all();
        }
        // `None` is all zeros, `Some` begins with a byte of 1.
        let mut first = [0; INDEX_KEY_WIDTH_MAX];
        first[0] = 1;
        let min = EncodedKey::from_bytes(&first[..F::KEY_WIDTH]);
        Predicate::new(self.node(KeyRange { min, ..KeyRange::full(F::KEY_WIDTH) }))
    }
}

impl<O> Timestamps<O> {
    /// The handle of the timestamps, as a function over any `O: Object` needs it.
    pub const fn new() -> Timestamps<O> {
        Timestamps { object: PhantomData }
    }

    /// The object whose timestamp is `timestamp`.
    ///
    /// Cost: as for all conditions on timestamps, no more than what lies in the range is read, and
    /// beside conditions on indexes nothing at all.
    pub fn eq(self, timestamp: u64) -> Predicate<O> {
        self.range(timestamp..=timestamp)
    }

    /// All objects but the one whose timestamp is `timestamp`.
    pub fn ne(self, timestamp: u64) -> Predicate<O> {
        !self.eq(timestamp)
    }

    /// Objects before `timestamp`.
    pub fn lt(self, timestamp: u64) -> Predicate<O> {
        self.range(..timestamp)
    }

    /// Objects at or before `timestamp`.
    pub fn le(self, timestamp: u64) -> Predicate<O> {
        self.range(..=timestamp)
    }

    /// Objects after `timestamp`.
    pub fn gt(self, timestamp: u64) -> Predicate<O> {
        self.range((Bound::Excluded(timestamp), Bound::Unbounded))
    }

    /// Objects at or after `timestamp`.
    pub fn ge(self, timestamp: u64) -> Predicate<O> {
        self.range(timestamp..)
    }

    /// Objects whose timestamp is in `range`; none if its start is beyond its end.
    pub fn range(self, range: impl RangeBounds<u64>) -> Predicate<O> {
        match timestamp_range(range) {
            Some(range) => Predicate::new(Node::Timestamps(range)),
            None => Predicate::none(),
        }
    }

    /// Objects whose timestamp is one of `timestamps`. None if there are none.
    pub fn one_of(self, timestamps: impl IntoIterator<Item = u64>) -> Predicate<O> {
        Predicate::any_of(timestamps.into_iter().map(|timestamp| self.eq(timestamp)))
    }
}

impl<O> Clone for Timestamps<O> {
    fn clone(&self) -> Timestamps<O> {
        *self
    }
}

impl<O> Copy for Timestamps<O> {}

impl<O> Default for Timestamps<O> {
    fn default() -> Timestamps<O> {
        Timestamps::new()
    }
}

impl<O> fmt::Debug for Timestamps<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Timestamps")
    }
}

/// All timestamps that an object can have.
pub(crate) fn all_timestamps() -> KeyRange {
    KeyRange { min: EncodedKey::from_u64(1), max: EncodedKey::from_u64(TIMESTAMP_MAX) }
}

/// The timestamps of `range` that an object can have; `None` if there are none.
pub(crate) fn timestamp_range(range: impl RangeBounds<u64>) -> Option<KeyRange> {
    let place = |&number: &u64| Place { key: EncodedKey::from_u64(number), exact: true };
    KeyRange::within(range.start_bound().map(place), range.end_bound().map(place), 8)?
        .intersection(&all_timestamps())
}

/// Where `value` lies among the encoded keys.
fn place<F: IndexKey>(value: &(impl Operand<F> + ?Sized)) -> Place {
    const { crate::key::assert_index_key::<F>() };
    let mut buffer = [0; INDEX_KEY_WIDTH_MAX];
    let bytes = &mut buffer[..F::KEY_WIDTH];
    let exact = value.write_operand(bytes);
    Place { key: EncodedKey::from_bytes(bytes), exact }
}
