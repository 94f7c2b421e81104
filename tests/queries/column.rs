//! A field or an index as the oracle sees it: what key an object has, and what conditions mean.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Bound;
use std::rc::Rc;

use groove::{
    FieldKey, Index, IndexKey, Object, Ordered, Predicate, Query, QueryError, Unindexed,
    UniqueIndex,
};

use crate::rng::Rng;
use crate::tally::Operator;

/// A predicate, and what it means.
pub(crate) struct Condition<O> {
    pub(crate) predicate: Predicate<O>,
    pub(crate) holds: Holds<O>,
    pub(crate) operator: Operator,
}

impl<O> Clone for Condition<O> {
    fn clone(&self) -> Self {
        let (predicate, holds) = (self.predicate.clone(), self.holds.clone());
        Condition { predicate, holds, operator: self.operator }
    }
}

pub(crate) type Holds<O> = Rc<dyn Fn(&O) -> bool>;

/// A column without the type of its keys.
pub(crate) trait Column<O: Object> {
    /// Whether there are conditions of this operator.
    fn has(&self, operator: Operator) -> bool;
    /// A random condition; its values are often those of `objects`.
    fn condition(
        &self,
        rng: &mut Rng,
        operator: Operator,
        objects: &BTreeMap<u64, O>,
    ) -> Condition<O>;
    /// The query in the order of the column; `None` if no index is on it.
    fn ordered(&self, query: Query<O>) -> Option<Ordered<O>>;
    /// Leaves the objects that have a key, in the order of keys and timestamps.
    fn sort(&self, objects: &mut Vec<O>);
    /// The objects with a key that an object of the query has; `None` if no index is on the column.
    fn joined(&self, query: &Query<O>) -> Option<Result<Predicate<O>, QueryError>>;
    /// Whether the keys of both objects are the same.
    fn same_key(&self, one: &O, other: &O) -> bool;
    /// The order of the keys of two objects that have one.
    fn compare(&self, one: &O, other: &O) -> Ordering;
}

/// The methods that all handles have.
pub(crate) trait Handle<O: Object, F>: Copy + 'static {
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
    fn ordered(self, query: Query<O>) -> Option<Ordered<O>>;
    fn joined(self, query: &Query<O>) -> Option<Result<Predicate<O>, QueryError>>;
}

macro_rules! handle {
    ($handle:ident: $bound:path, |$this:ident, $query:ident| $ordered:expr, $joined:expr) => {
        impl<O: Object, F: $bound + 'static> Handle<O, F> for $handle<O, F> {
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
            fn ordered(self, $query: Query<O>) -> Option<Ordered<O>> {
                let $this = self;
                $ordered
            }
            fn joined(self, $query: &Query<O>) -> Option<Result<Predicate<O>, QueryError>> {
                let $this = self;
                $joined
            }
        }
    };
}

handle!(
    Index: IndexKey,
    |this, query| Some(query.order_by(this)),
    Some(query.keys(this).map(|keys| this.one_of_keys(&keys)))
);
handle!(
    UniqueIndex: IndexKey,
    |this, query| Some(query.order_by(this)),
    Some(query.keys(this).map(|keys| this.one_of_keys(&keys)))
);
handle!(
    Unindexed: FieldKey,
    |this, query| {
        let _ = (this, query);
        None
    },
    {
        let _ = (this, query);
        None
    }
);

/// A predicate on beginnings of keys, and which keys begin so.
type Prefixed<O, F> = (Predicate<O>, Rc<dyn Fn(&F) -> bool>);

/// Makes a predicate on the beginning of a key.
type Prefixing<O, F> = fn(&mut Rng, F) -> Prefixed<O, F>;

/// A column of keys of type `F`.
pub(crate) struct Typed<O, F, H> {
    handle: H,
    /// The key that an object has.
    key: fn(&O) -> Option<F>,
    value: fn(&mut Rng) -> F,
    compare: fn(&F, &F) -> Ordering,
    present: fn(&F) -> bool,
    prefix: Option<Prefixing<O, F>>,
}

/// The column of `handle`: which key an object has, and random values.
pub(crate) fn typed<O: Object, F: Ord, H: Handle<O, F>>(
    handle: H,
    key: fn(&O) -> Option<F>,
    value: fn(&mut Rng) -> F,
) -> Box<Typed<O, F, H>> {
    compared(handle, key, value, F::cmp)
}

/// A column of keys whose order is another one than that of `Ord`.
pub(crate) fn compared<O: Object, F, H: Handle<O, F>>(
    handle: H,
    key: fn(&O) -> Option<F>,
    value: fn(&mut Rng) -> F,
    compare: fn(&F, &F) -> Ordering,
) -> Box<Typed<O, F, H>> {
    Box::new(Typed { handle, key, value, compare, present: |_| true, prefix: None })
}

impl<O, F, H> Typed<O, F, H> {
    /// For keys that are `Option`s: which of them are values.
    pub(crate) fn present(mut self: Box<Self>, present: fn(&F) -> bool) -> Box<Self> {
        self.present = present;
        self
    }

    /// For keys that have beginnings.
    pub(crate) fn prefix(mut self: Box<Self>, prefix: Prefixing<O, F>) -> Box<Self> {
        self.prefix = Some(prefix);
        self
    }

    fn random(&self, rng: &mut Rng, objects: &BTreeMap<u64, O>) -> F {
        if rng.chance(60)
            && let Some((highest, _)) = objects.last_key_value()
            && let Some((_, object)) = objects.range(rng.below(*highest + 1)..).next()
            && let Some(key) = (self.key)(object)
        {
            return key;
        }
        (self.value)(rng)
    }
}

pub(crate) fn bound<F>(rng: &mut Rng, value: F) -> Bound<F> {
    match rng.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(value),
        _ => Bound::Excluded(value),
    }
}

pub(crate) fn within<F>(
    range: &(Bound<F>, Bound<F>),
    key: &F,
    compare: fn(&F, &F) -> Ordering,
) -> bool {
    let above = match &range.0 {
        Bound::Included(lower) => compare(key, lower).is_ge(),
        Bound::Excluded(lower) => compare(key, lower).is_gt(),
        Bound::Unbounded => true,
    };
    let below = match &range.1 {
        Bound::Included(upper) => compare(key, upper).is_le(),
        Bound::Excluded(upper) => compare(key, upper).is_lt(),
        Bound::Unbounded => true,
    };
    above && below
}

impl<O, F, H> Column<O> for Typed<O, F, H>
where
    O: Object,
    F: Copy + Debug + 'static,
    H: Handle<O, F>,
{
    fn has(&self, operator: Operator) -> bool {
        operator != Operator::Prefix || self.prefix.is_some()
    }

    fn condition(
        &self,
        rng: &mut Rng,
        operator: Operator,
        objects: &BTreeMap<u64, O>,
    ) -> Condition<O> {
        let (handle, key, present, compare) = (self.handle, self.key, self.present, self.compare);
        let value = self.random(rng, objects);
        let keys = |test: Rc<dyn Fn(&F) -> bool>| -> Holds<O> {
            Rc::new(move |object: &O| key(object).is_some_and(|key| test(&key)))
        };
        let test =
            |test: fn(Ordering) -> bool| keys(Rc::new(move |key| test(compare(key, &value))));
        let (predicate, holds): (_, Holds<O>) = match operator {
            Operator::Eq => (handle.eq(value), test(Ordering::is_eq)),
            Operator::Ne => {
                let equal = test(Ordering::is_eq);
                (handle.ne(value), Rc::new(move |object| !equal(object)))
            }
            Operator::Lt => (handle.lt(value), test(Ordering::is_lt)),
            Operator::Le => (handle.le(value), test(Ordering::is_le)),
            Operator::Gt => (handle.gt(value), test(Ordering::is_gt)),
            Operator::Ge => (handle.ge(value), test(Ordering::is_ge)),
            Operator::Range => {
                let other = self.random(rng, objects);
                let range = (bound(rng, value), bound(rng, other));
                (handle.range(range), keys(Rc::new(move |key| within(&range, key, compare))))
            }
            Operator::OneOf => {
                let values: Vec<F> = (0..rng.below(5)).map(|_| self.random(rng, objects)).collect();
                let predicate = handle.one_of(values.clone());
                let any = move |key: &F| values.iter().any(|value| compare(key, value).is_eq());
                (predicate, keys(Rc::new(any)))
            }
            Operator::Prefix => {
                let prefix = self.prefix.expect("asked for columns with prefixes only");
                let (predicate, begins) = prefix(rng, value);
                (predicate, keys(begins))
            }
            Operator::IsSome => (handle.is_some(), keys(Rc::new(present))),
            Operator::IsNone => {
                let some = keys(Rc::new(present));
                (handle.is_none(), Rc::new(move |object| !some(object)))
            }
            _ => unreachable!("no operator of columns"),
        };
        Condition { predicate, holds, operator }
    }

    fn ordered(&self, query: Query<O>) -> Option<Ordered<O>> {
        self.handle.ordered(query)
    }

    fn sort(&self, objects: &mut Vec<O>) {
        objects.retain(|object| (self.key)(object).is_some());
        objects.sort_by(|one, other| {
            Column::compare(self, one, other).then(one.timestamp().cmp(&other.timestamp()))
        });
    }

    fn joined(&self, query: &Query<O>) -> Option<Result<Predicate<O>, QueryError>> {
        self.handle.joined(query)
    }

    fn same_key(&self, one: &O, other: &O) -> bool {
        match ((self.key)(one), (self.key)(other)) {
            (Some(one), Some(other)) => (self.compare)(&one, &other).is_eq(),
            _ => false,
        }
    }

    fn compare(&self, one: &O, other: &O) -> Ordering {
        let keys = ((self.key)(one), (self.key)(other));
        let (one, other) = (keys.0.expect("it has a key"), keys.1.expect("it has a key"));
        (self.compare)(&one, &other)
    }
}
