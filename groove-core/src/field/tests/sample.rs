//! Values of every type: those at the edges, and random ones.

use std::array;
use std::cmp::Ordering;
use std::num::NonZero;

use crate::field::Text;

/// A generator that prints its seed (which a passed test does not show).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Random {
        let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(20_240_517);
        println!("run again with GROOVE_SEED={seed}");
        Random(seed)
    }

    /// SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

/// A type of which there are values to test with.
pub(super) trait Sample: Clone {
    /// Values where something ends or begins.
    fn edges() -> Vec<Self>;
    /// Any value.
    fn random(random: &mut Random) -> Self;
    /// How values order.
    fn order(&self, other: &Self) -> Ordering;
}

/// Edges (64 of them if there are more) and as many random values.
pub(super) fn samples<S: Sample>(random: &mut Random) -> Vec<S> {
    let mut samples = S::edges();
    while samples.len() > 64 {
        samples.swap_remove(random.below(samples.len()));
    }
    for _ in 0..64 {
        samples.push(some(random));
    }
    samples
}

/// An edge or any value, half of the time each.
fn some<S: Sample>(random: &mut Random) -> S {
    if random.below(2) == 0 {
        return S::random(random);
    }
    let mut edges = S::edges();
    edges.swap_remove(random.below(edges.len()))
}

macro_rules! samples_in_order {
    ($($type:ty: $edges:expr, $random:expr;)*) => {$(
        impl Sample for $type {
            fn edges() -> Vec<Self> {
                $edges.into()
            }

            fn random(random: &mut Random) -> Self {
                let value: fn(&mut Random) -> $type = $random;
                value(random)
            }

            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}

macro_rules! samples_of_integers {
    ($($integer:ty),*) => {
        samples_in_order! {$(
            $integer: [
                <$integer>::MIN, <$integer>::MIN + 1, <$integer>::MIN / 2, 0, 1, 2, 10, 100, 127,
                (0 as $integer).wrapping_sub(1), (0 as $integer).wrapping_sub(2),
                <$integer>::MAX / 2, <$integer>::MAX / 2 + 1, <$integer>::MAX - 1, <$integer>::MAX,
            ], |random| (random.wide() >> random.below(128)) as $integer;

            NonZero<$integer>: [
                NonZero::<$integer>::MIN, NonZero::<$integer>::MAX, NonZero::new(1).unwrap(),
                NonZero::new((0 as $integer).wrapping_sub(1)).unwrap(),
            ], |random| NonZero::new(random.wide() as $integer).unwrap_or(NonZero::<$integer>::MAX);
        )*}
    };
}

samples_of_integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

samples_in_order! {
    bool: [false, true], |random| random.below(2) == 1;
    char: ['\0', 'a', '\u{7f}', '\u{80}', '\u{ff}', '\u{100}', '\u{d7ff}', '\u{e000}', char::MAX],
        |random| char::from_u32(random.below(0x11_0000) as u32).unwrap_or('-');
}

macro_rules! samples_of_floats {
    ($($float:ident),*) => {$(
        impl Sample for $float {
            fn edges() -> Vec<Self> {
                let positive = [
                    0.0, $float::from_bits(1), $float::MIN_POSITIVE, $float::EPSILON, 0.5, 1.0,
                    1.5, 2.0, $float::MAX, $float::INFINITY, $float::NAN,
                    $float::from_bits($float::INFINITY.to_bits() + 1), // a signalling NaN
                    $float::from_bits($float::NAN.to_bits() | 7),
                ];
                let negative = positive.map(|value| -value);
                [positive, negative].concat()
            }

            fn random(random: &mut Random) -> Self {
                $float::from_bits(random.next() as _)
            }

            fn order(&self, other: &Self) -> Ordering {
                self.total_cmp(other)
            }
        }
    )*};
}

samples_of_floats!(f32, f64);

impl<S: Sample> Sample for Option<S> {
    fn edges() -> Vec<Self> {
        S::edges().into_iter().map(Some).chain([None]).collect()
    }

    fn random(random: &mut Random) -> Self {
        (random.below(8) > 0).then(|| some(random))
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Some(a), Some(b)) => a.order(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
}

impl<S: Sample, const N: usize> Sample for [S; N] {
    fn edges() -> Vec<Self> {
        let edges = S::edges();
        let all_alike = edges.iter().map(|edge| array::from_fn(|_| edge.clone()));
        let shifted = (0..edges.len())
            .map(|shift| array::from_fn(|index| edges[(shift + index) % edges.len()].clone()));
        all_alike.chain(shifted).collect()
    }

    fn random(random: &mut Random) -> Self {
        array::from_fn(|_| some(random))
    }

    fn order(&self, other: &Self) -> Ordering {
        let elements = self.iter().zip(other);
        elements.map(|(a, b)| a.order(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl<const N: usize> Sample for Text<N> {
    fn edges() -> Vec<Self> {
        let texts =
            ["", "\u{1}", " ", "a", "ab", "b", "B", "aaaa", "é", "éa", "~", "\u{ffff}", "😀"];
        let full = ["a", "~", "\u{1}"].map(|text| text.repeat(N));
        let fits = |text: &str| Text::new(text).ok();
        let full = full.iter().filter_map(|text| fits(text));
        texts.iter().filter_map(|text| fits(text)).chain(full).collect()
    }

    fn random(random: &mut Random) -> Self {
        let mut text = String::new();
        for _ in 0..random.below(N + 1) {
            let scalar = random.next() >> (42 + random.below(22));
            text.extend(char::from_u32(scalar as u32).filter(|character| *character != '\0'));
        }
        while text.len() > N {
            text.pop();
        }
        Text::new(&text).unwrap()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

macro_rules! samples_of_tuples {
    ($($($element:ident $at:tt),*;)*) => {$(
        impl<$($element: Sample),*> Sample for ($($element,)*) {
            fn edges() -> Vec<Self> {
                let mut random = Random(7);
                (0..64).map(|_| Self::random(&mut random)).collect()
            }

            fn random(random: &mut Random) -> Self {
                ($(some::<$element>(random),)*)
            }

            fn order(&self, other: &Self) -> Ordering {
                Ordering::Equal $(.then_with(|| self.$at.order(&other.$at)))*
            }
        }
    )*};
}

samples_of_tuples! {
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
}

#[cfg(feature = "bytemuck")]
impl<S: Sample> Sample for crate::field::Pod<S> {
    fn edges() -> Vec<Self> {
        S::edges().into_iter().map(crate::field::Pod).collect()
    }

    fn random(random: &mut Random) -> Self {
        crate::field::Pod(S::random(random))
    }

    fn order(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

#[cfg(feature = "uuid")]
mod uuids {
    use uuid::Uuid;

    use super::*;

    samples_in_order! {
        Uuid: [Uuid::nil(), Uuid::max(), Uuid::from_u128(1), Uuid::from_u128(1 << 64)],
            |random| Uuid::from_u128(random.wide());
    }
}

#[cfg(feature = "jiff")]
mod jiffs {
    use jiff::civil::{Date, DateTime, Time};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    samples_in_order! {
        Timestamp: [
            Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH,
            Timestamp::from_nanosecond(-1).unwrap(), Timestamp::from_nanosecond(1).unwrap(),
            Timestamp::from_second(-1).unwrap(),
        ], |random| Timestamp::from_nanosecond(i128::from(random.next() as i64)).unwrap();
        SignedDuration: [
            SignedDuration::MIN, SignedDuration::MAX, SignedDuration::ZERO,
            SignedDuration::from_nanos(-1), SignedDuration::from_secs(i64::MAX),
        ], |random| SignedDuration::new(random.next() as i64 / 2, random.next() as i32);
        Date: [
            Date::MIN, Date::MAX, Date::ZERO, Date::new(2024, 2, 29).unwrap(),
            Date::new(-1, 12, 31).unwrap(), Date::new(0, 12, 31).unwrap(),
        ], |random| {
            let year = random.below(19_999) as i16 - 9_999;
            let (month, day) = (random.below(12) as i8 + 1, random.below(28) as i8 + 1);
            Date::new(year, month, day).unwrap()
        };
        Time: [Time::MIN, Time::MAX, Time::midnight(), Time::constant(12, 0, 0, 1)],
            |random| Time::constant(
                random.below(24) as i8,
                random.below(60) as i8,
                random.below(60) as i8,
                random.below(1_000_000_000) as i32,
            );
        DateTime: [DateTime::MIN, DateTime::MAX, DateTime::ZERO],
            |random| some::<Date>(random).to_datetime(some(random));
    }
}

#[cfg(feature = "time")]
mod times {
    use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcDateTime, UtcOffset};

    use super::*;

    samples_in_order! {
        UtcDateTime: [UtcDateTime::MIN, UtcDateTime::MAX, UtcDateTime::UNIX_EPOCH],
            |random| {
                let nanoseconds = i128::from(random.next() as i64);
                UtcDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap()
            };
        OffsetDateTime: [
            OffsetDateTime::UNIX_EPOCH, PrimitiveDateTime::MIN.assume_utc(),
            PrimitiveDateTime::MAX.assume_utc(),
        ], |random| {
            let nanoseconds = i128::from(random.next() as i64);
            let offset = random.below(2 * 93_600) as i32 - 93_600;
            let offset = UtcOffset::from_whole_seconds(offset).unwrap_or(UtcOffset::UTC);
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap().to_offset(offset)
        };
        PrimitiveDateTime: [PrimitiveDateTime::MIN, PrimitiveDateTime::MAX],
            |random| PrimitiveDateTime::new(some(random), some(random));
        Date: [
            Date::MIN, Date::MAX, Date::from_julian_day(0).unwrap(),
            Date::from_julian_day(-1).unwrap(),
        ], |random| Date::from_julian_day(random.below(4_000_000) as i32 - 1_000_000).unwrap();
        Time: [Time::MIDNIGHT, Time::MAX, Time::from_hms_nano(12, 0, 0, 1).unwrap()],
            |random| Time::from_hms_nano(
                random.below(24) as u8,
                random.below(60) as u8,
                random.below(60) as u8,
                random.below(1_000_000_000) as u32,
            ).unwrap();
        Duration: [
            Duration::MIN, Duration::MAX, Duration::ZERO, Duration::nanoseconds(-1),
            Duration::seconds(i64::MIN),
        ], |random| Duration::new(random.next() as i64 / 2, random.next() as i32);
    }
}

#[cfg(feature = "rust_decimal")]
mod decimals {
    use rust_decimal::Decimal;

    use super::*;

    samples_in_order! {
        Decimal: [
            Decimal::MIN, Decimal::MAX, Decimal::ZERO, Decimal::ONE, Decimal::NEGATIVE_ONE,
            Decimal::new(10, 1), Decimal::new(-100, 2), Decimal::new(1, 28), Decimal::new(-1, 28),
            Decimal::new(0, 28), -Decimal::new(0, 5), Decimal::new(i64::MAX, 28),
            Decimal::from_parts(u32::MAX, u32::MAX, u32::MAX, false, 28),
            Decimal::from_parts(u32::MAX, u32::MAX, u32::MAX, true, 28),
            Decimal::from_parts(u32::MAX, u32::MAX, u32::MAX, true, 0),
        ], |random| {
            let [low, middle, high] = array::from_fn(|_| random.next() as u32);
            let [middle, high] = [middle, high].map(|part| part >> random.below(32));
            Decimal::from_parts(low, middle, high, random.below(2) == 1, random.below(29) as u32)
        };
    }
}
