//! The keys that a query of another groove found: one side of a semi-join.

use std::fmt;
use std::marker::PhantomData;

use super::key_range::{EncodedKey, KeyRange, RangeSet};

/// Keys of type `F`, each once. Made by [`Query::keys`](crate::Query::keys), used by `one_of_keys` of
/// the handles of another groove whose keys have the same type.
///
/// It holds the keys and no snapshot: 64 bytes each.
pub struct KeySet<F> {
    set: RangeSet,
    key: PhantomData<fn() -> F>,
}

impl<F> KeySet<F> {
    pub(crate) fn new(keys: Vec<EncodedKey>) -> KeySet<F> {
        let ranges = keys.into_iter().map(|key| KeyRange { min: key, max: key }).collect();
        KeySet { set: RangeSet::from_ranges(ranges), key: PhantomData }
    }

    /// The keys, ascending, each as a range.
    pub(crate) fn ranges(&self) -> &[KeyRange] {
        self.set.ranges()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.set.ranges().len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

impl<F> Clone for KeySet<F> {
    fn clone(&self) -> KeySet<F> {
        KeySet { set: self.set.clone(), key: PhantomData }
    }
}

impl<F> fmt::Debug for KeySet<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(formatter)
    }
}
