//! What an index means, in terms of the objects alone: random conditions, and a full comparison.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Bound;

use groove::{Index, IndexKey, Object, Ordered, Predicate, Query, UniqueIndex};

use super::reader::Reader;
use super::rng::Rng;

/// A predicate, and what it should mean.
pub(crate) struct Condition<O> {
    pub(crate) predicate: Predicate<O>,
    pub(crate) holds: Holds<O>,
}

pub(crate) type Holds<O> = Box<dyn Fn(&O) -> bool>;

/// An index without its key type.
pub(crate) trait IndexModel<O: Object> {
    /// A random comparison; its values are often those of `objects`.
    fn condition(&self, rng: &mut Rng, objects: &BTreeMap<u64, O>) -> Condition<O>;
    /// The query in the order of the index.
    fn ordered(&self, query: Query<O>) -> Ordered<O>;
    /// Leaves the objects that have a key, in the order of keys and timestamps.
    fn sort(&self, objects: &mut Vec<O>);
    /// Compares all entries of the index with `objects`, in one scan.
    fn scan(&self, reader: &mut dyn Reader<O>, objects: &BTreeMap<u64, O>);
    /// Compares the whole index with `objects`, key by key, in both directions.
    fn verify(&self, rng: &mut Rng, reader: &mut dyn Reader<O>, objects: &BTreeMap<u64, O>);
}

/// The methods that both kinds of handle have.
pub(crate) trait Handle<O: Object, F>: Copy {
    fn eq(self, value: F) -> Predicate<O>;
    fn ne(self, value: F) -> Predicate<O>;
    fn lt(self, value: F) -> Predicate<O>;
    fn le(self, value: F) -> Predicate<O>;
    fn gt(self, value: F) -> Predicate<O>;
    fn ge(self, value: F) -> Predicate<O>;
    fn range(self, range: (Bound<F>, Bound<F>)) -> Predicate<O>;
    fn one_of(self, values: Vec<F>) -> Predicate<O>;
    fn is_some(self) -> Predicate<O>;
    fn is_none(self) -> Predicate<O>;
    fn ordered(self, query: Query<O>) -> Ordered<O>;
}

macro_rules! handle {
    ($handle:ident) => {
        impl<O: Object, F: IndexKey> Handle<O, F> for $handle<O, F> {
            fn eq(self, value: F) -> Predicate<O> {
                self.eq(value)
            }
            fn ne(self, value: F) -> Predicate<O> {
                self.ne(value)
            }
            fn lt(self, value: F) -> Predicate<O> {
                self.lt(value)
            }
            fn le(self, value: F) -> Predicate<O> {
                self.le(value)
            }
            fn gt(self, value: F) -> Predicate<O> {
                self.gt(value)
            }
            fn ge(self, value: F) -> Predicate<O> {
                self.ge(value)
            }
            fn range(self, range: (Bound<F>, Bound<F>)) -> Predicate<O> {
                self.range(range)
            }
            fn one_of(self, values: Vec<F>) -> Predicate<O> {
                self.one_of(values)
            }
            fn is_some(self) -> Predicate<O> {
                self.is_some()
            }
            fn is_none(self) -> Predicate<O> {
                self.is_none()
            }
            fn ordered(self, query: Query<O>) -> Ordered<O> {
                query.order_by(self)
            }
        }
    };
}

handle!(Index);
handle!(UniqueIndex);

/// An index over keys of type `F`.
pub(crate) struct Typed<O, F, H> {
    name: &'static str,
    handle: H,
    /// The entry that an object has.
    key: fn(&O) -> Option<F>,
    value: fn(&mut Rng) -> F,
    present: fn(&F) -> bool,
}

/// The index `name`: which key an object has in it, and random values.
pub(crate) fn typed<O: Object, F, H: Handle<O, F>>(
    name: &'static str,
    handle: H,
    key: fn(&O) -> Option<F>,
    value: fn(&mut Rng) -> F,
) -> Box<Typed<O, F, H>> {
    Box::new(Typed { name, handle, key, value, present: |_| true })
}

impl<O, F, H> Typed<O, F, H> {
    /// For keys that are `Option`s: which of them are values.
    pub(crate) fn present(mut self: Box<Self>, present: fn(&F) -> bool) -> Box<Self> {
        self.present = present;
        self
    }

    fn random(&self, rng: &mut Rng, objects: &BTreeMap<u64, O>) -> F {
        if rng.chance(50)
            && let Some((highest, _)) = objects.last_key_value()
            && let Some((_, object)) = objects.range(rng.below(*highest + 1)..).next()
            && let Some(key) = (self.key)(object)
        {
            return key;
        }
        (self.value)(rng)
    }
}

fn bound<F>(rng: &mut Rng, value: F) -> Bound<F> {
    match rng.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(value),
        _ => Bound::Excluded(value),
    }
}

fn within<F: Ord>(range: &(Bound<F>, Bound<F>), key: &F) -> bool {
    let above = match &range.0 {
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
        Bound::Unbounded => true,
    };
    let below = match &range.1 {
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
        Bound::Unbounded => true,
    };
    above && below
}

impl<O, F, H> IndexModel<O> for Typed<O, F, H>
where
    O: Object + PartialEq + Debug,
    F: IndexKey + Ord + Copy + Debug + 'static,
    H: Handle<O, F>,
{
    fn condition(&self, rng: &mut Rng, objects: &BTreeMap<u64, O>) -> Condition<O> {
        let (handle, key, present) = (self.handle, self.key, self.present);
        let value = self.random(rng, objects);
        let keys = move |test: Box<dyn Fn(&F) -> bool>| {
            Box::new(move |object: &O| key(object).is_some_and(|key| test(&key)))
        };
        let (predicate, holds): (_, Holds<O>) = match rng.below(12) {
            0..3 => (handle.eq(value), keys(Box::new(move |key| *key == value))),
            3 => (handle.ne(value), Box::new(move |object| key(object) != Some(value))),
            4 => (handle.lt(value), keys(Box::new(move |key| *key < value))),
            5 => (handle.le(value), keys(Box::new(move |key| *key <= value))),
            6 => (handle.gt(value), keys(Box::new(move |key| *key > value))),
            7 => (handle.ge(value), keys(Box::new(move |key| *key >= value))),
            8 => {
                let other = self.random(rng, objects);
                let range = (bound(rng, value), bound(rng, other));
                (handle.range(range), keys(Box::new(move |key| within(&range, key))))
            }
            9 => {
                let values: Vec<F> = (0..rng.below(5)).map(|_| self.random(rng, objects)).collect();
                let predicate = handle.one_of(values.clone());
                (predicate, keys(Box::new(move |key| values.contains(key))))
            }
            10 => (handle.is_some(), keys(Box::new(present))),
            _ => (
                handle.is_none(),
                Box::new(move |object| !key(object).is_some_and(|k| present(&k))),
            ),
        };
        Condition { predicate, holds }
    }

    fn ordered(&self, query: Query<O>) -> Ordered<O> {
        self.handle.ordered(query)
    }

    fn sort(&self, objects: &mut Vec<O>) {
        objects.retain(|object| (self.key)(object).is_some());
        objects.sort_by_key(|object| ((self.key)(object), object.timestamp()));
    }

    fn scan(&self, reader: &mut dyn Reader<O>, objects: &BTreeMap<u64, O>) {
        let with_key = objects.iter().filter(|(_, object)| (self.key)(object).is_some());
        let with_key: Vec<u64> = with_key.map(|(timestamp, _)| *timestamp).collect();
        let all = (Bound::Unbounded, Bound::Unbounded);
        let found = reader.timestamps(self.handle.range(all));
        assert_eq!(found, with_key, "index {}: all keys", self.name);
    }

    fn verify(&self, rng: &mut Rng, reader: &mut dyn Reader<O>, objects: &BTreeMap<u64, O>) {
        let mut entries: BTreeMap<F, Vec<u64>> = BTreeMap::new();
        for (timestamp, object) in objects {
            if let Some(key) = (self.key)(object) {
                entries.entry(key).or_default().push(*timestamp);
            }
        }
        let name = self.name;
        let mut total = 0;
        for (key, timestamps) in &entries {
            let found = reader.timestamps(self.handle.eq(*key));
            assert_eq!(&found, timestamps, "index {name}: objects of key {key:?}");
            let count = reader.count(self.handle.eq(*key));
            assert_eq!(count, timestamps.len() as u64, "index {name}: count of key {key:?}");
            total += count;
        }
        // The reverse: no entry but these.
        let all = (Bound::Unbounded, Bound::Unbounded);
        assert_eq!(reader.count(self.handle.range(all)), total, "index {name}: all entries");
        self.scan(reader, objects);
        let present = |key: &F| (self.present)(key);
        let some = entries.iter().filter(|(key, _)| present(key)).map(|(_, list)| list.len());
        let some = some.sum::<usize>() as u64;
        assert_eq!(reader.count(self.handle.is_some()), some, "index {name}: is_some");
        let none = objects.len() as u64 - some;
        assert_eq!(reader.count(self.handle.is_none()), none, "index {name}: is_none");
        for _ in 0..8 {
            let value = (self.value)(rng);
            let expected = entries.get(&value).map_or(0, Vec::len) as u64;
            assert_eq!(reader.count(self.handle.eq(value)), expected, "index {name}: {value:?}");
            let below = entries.range(..value).map(|(_, list)| list.len() as u64).sum::<u64>();
            assert_eq!(reader.count(self.handle.lt(value)), below, "index {name}: < {value:?}");
        }
    }
}
