//! Values of fields: few enough that they meet again, and the extreme ones among them.

use std::cmp::Ordering;

use groove::Text;
use groove_core::proof::Random;

/// The type of a field, or of the key of a compound index.
pub(crate) trait Domain: Copy + 'static {
    /// Any value.
    fn any(random: &mut Random) -> Self;
    /// The order that keys of this type are promised to have.
    fn order(&self, other: &Self) -> Ordering;
    /// Whether it is a value and no `None`.
    fn is_value(&self) -> bool {
        true
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl Domain for $type {
            fn any(random: &mut Random) -> $type {
                match random.below(10) {
                    0 => <$type>::MAX - random.below(2) as $type,
                    1 => <$type>::MIN,
                    2 => (random.next() as $type).rotate_left(<$type>::BITS / 2 + 1),
                    _ => random.below(40) as $type,
                }
            }

            fn order(&self, other: &$type) -> Ordering {
                self.cmp(other)
            }
        })*
    };
}

integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Domain for bool {
    fn any(random: &mut Random) -> bool {
        random.chance(50)
    }

    fn order(&self, other: &bool) -> Ordering {
        self.cmp(other)
    }
}

impl Domain for f64 {
    fn any(random: &mut Random) -> f64 {
        match random.below(8) {
            0 => -0.0,
            1 => f64::NEG_INFINITY,
            2 => f64::MAX,
            _ => random.below(40) as f64 / 4.0 - 5.0,
        }
    }

    fn order(&self, other: &f64) -> Ordering {
        self.total_cmp(other)
    }
}

impl<const N: usize> Domain for Text<N> {
    fn any(random: &mut Random) -> Text<N> {
        let length = random.below(N as u64 + 1) as usize;
        let letters = (0..length).map(|_| [b'a', b'b', b'~'][random.below(3) as usize]);
        let text: Vec<u8> = letters.collect();
        Text::new(str::from_utf8(&text).expect("letters")).expect("it fits")
    }

    fn order(&self, other: &Text<N>) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Domain, const N: usize> Domain for [T; N] {
    fn any(random: &mut Random) -> [T; N] {
        std::array::from_fn(|_| T::any(random))
    }

    fn order(&self, other: &[T; N]) -> Ordering {
        let orders = self.iter().zip(other).map(|(one, other)| one.order(other));
        orders.fold(Ordering::Equal, Ordering::then)
    }
}

impl<T: Domain> Domain for Option<T> {
    fn any(random: &mut Random) -> Option<T> {
        random.chance(70).then(|| T::any(random))
    }

    fn order(&self, other: &Option<T>) -> Ordering {
        match (self, other) {
            (Some(one), Some(other)) => one.order(other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        }
    }

    fn is_value(&self) -> bool {
        self.is_some()
    }
}

impl<A: Domain, B: Domain> Domain for (A, B) {
    fn any(random: &mut Random) -> (A, B) {
        (A::any(random), B::any(random))
    }

    fn order(&self, other: &(A, B)) -> Ordering {
        self.0.order(&other.0).then(self.1.order(&other.1))
    }
}

impl<A: Domain, B: Domain, C: Domain> Domain for (A, B, C) {
    fn any(random: &mut Random) -> (A, B, C) {
        (A::any(random), B::any(random), C::any(random))
    }

    fn order(&self, other: &(A, B, C)) -> Ordering {
        self.0.order(&other.0).then(self.1.order(&other.1)).then(self.2.order(&other.2))
    }
}

/// Whether both have a key, and it is one.
pub(crate) fn same_key<K: Domain>(one: Option<K>, other: Option<K>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.order(&other).is_eq())
}

/// A condition on keys of type `K`, as the methods of handles have it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<K> {
    Eq(K),
    Ne(K),
    Lt(K),
    Le(K),
    Gt(K),
    Ge(K),
    Range(K, K),
    OneOf(K, K),
    Present,
    Absent,
}

impl<K: Domain> Condition<K> {
    /// A condition that the key of a sample, if it has one, often meets.
    pub(crate) fn any(sample: Option<K>, random: &mut Random) -> Condition<K> {
        let value = sample.unwrap_or_else(|| K::any(random));
        let other = K::any(random);
        match random.below(12) {
            0..3 => Condition::Eq(value),
            3 => Condition::Ne(value),
            4 => Condition::Lt(value),
            5 => Condition::Le(value),
            6 => Condition::Gt(value),
            7 => Condition::Ge(value),
            8 => Condition::Range(value, other),
            9 => Condition::OneOf(value, other),
            10 => Condition::Present,
            _ => Condition::Absent,
        }
    }

    /// Whether an object meets it that has this key; `None` if it has none in the index.
    pub(crate) fn is_met(&self, key: Option<K>) -> bool {
        let Some(key) = key else {
            return matches!(self, Condition::Ne(_) | Condition::Absent);
        };
        match self {
            Condition::Eq(value) => key.order(value).is_eq(),
            Condition::Ne(value) => key.order(value).is_ne(),
            Condition::Lt(value) => key.order(value).is_lt(),
            Condition::Le(value) => key.order(value).is_le(),
            Condition::Gt(value) => key.order(value).is_gt(),
            Condition::Ge(value) => key.order(value).is_ge(),
            Condition::Range(from, to) => key.order(from).is_ge() && key.order(to).is_le(),
            Condition::OneOf(one, other) => key.order(one).is_eq() || key.order(other).is_eq(),
            Condition::Present => key.is_value(),
            Condition::Absent => !key.is_value(),
        }
    }
}
