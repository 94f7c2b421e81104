//! Types of other crates, each behind the feature of the crate's name.

#[cfg(feature = "rust_decimal")]
mod decimal;
#[cfg(feature = "jiff")]
mod jiff;
#[cfg(feature = "bytemuck")]
mod pod;
#[cfg(feature = "time")]
mod time;
#[cfg(feature = "uuid")]
mod uuid;

#[cfg(feature = "bytemuck")]
pub use self::pod::Pod;

/// Implements [`super::Field`] and [`super::IndexKey`] for a type that is stored as an integer of
/// the same order: `$to` is the integer of a value, `$from` its inverse, `None` where there is no
/// such value.
#[cfg(any(feature = "jiff", feature = "time", feature = "uuid"))]
macro_rules! stored_as_integer {
    ($type:ty, $name:literal, $integer:ty, $to:expr, $from:expr) => {
        impl $crate::field::Field for $type {
            const WIDTH: usize = size_of::<$integer>();
            const TYPE: $crate::schema::FieldType =
                $crate::schema::FieldType::Foreign($name, size_of::<$integer>());

            #[inline]
            fn write(&self, out: &mut [u8]) {
                let to: fn(&$type) -> $integer = $to;
                $crate::field::Field::write(&to(self), out);
            }

            #[inline]
            fn read(bytes: &[u8]) -> Result<Self, $crate::field::InvalidValue> {
                let from: fn($integer) -> Option<$type> = $from;
                let value = <$integer as $crate::field::Field>::read(bytes).ok().and_then(from);
                value.ok_or($crate::field::InvalidValue::of::<Self>())
            }

            fn describe(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, formatter)
            }
        }

        impl $crate::field::IndexKey for $type {
            const KEY_WIDTH: usize = size_of::<$integer>();

            #[inline]
            fn write_key(&self, out: &mut [u8]) {
                let to: fn(&$type) -> $integer = $to;
                $crate::field::IndexKey::write_key(&to(self), out);
            }
        }
    };
}
#[cfg(any(feature = "jiff", feature = "time", feature = "uuid"))]
use stored_as_integer;

/// Nanoseconds of a second.
#[cfg(any(feature = "jiff", feature = "time"))]
const NANOSECONDS: i128 = 1_000_000_000;

/// Whole seconds and the rest, both of the sign of `nanoseconds`; `None` if an `i64` is too narrow.
#[cfg(any(feature = "jiff", feature = "time"))]
fn seconds_and_nanoseconds(nanoseconds: i128) -> Option<(i64, i32)> {
    let seconds = i64::try_from(nanoseconds / NANOSECONDS).ok()?;
    let rest = i32::try_from(nanoseconds % NANOSECONDS).ok()?;
    Some((seconds, rest))
}

/// Hour, minute, second and nanosecond of a time of day in nanoseconds; `None` if the hours, which
/// can be more than a day has, do not fit.
#[cfg(any(feature = "jiff", feature = "time"))]
fn clock_of_nanoseconds(nanoseconds: u64) -> Option<(u8, u8, u8, u32)> {
    let second_of_day = u32::try_from(nanoseconds / 1_000_000_000).ok()?;
    let nanosecond = u32::try_from(nanoseconds % 1_000_000_000).ok()?;
    let hour = u8::try_from(second_of_day / 3600).ok()?;
    let minute = u8::try_from(second_of_day / 60 % 60).ok()?;
    let second = u8::try_from(second_of_day % 60).ok()?;
    Some((hour, minute, second, nanosecond))
}

/// The inverse of [`clock_of_nanoseconds`].
#[cfg(any(feature = "jiff", feature = "time"))]
fn nanoseconds_of_clock(hour: u8, minute: u8, second: u8, nanosecond: u32) -> u64 {
    let second_of_day = (u64::from(hour) * 60 + u64::from(minute)) * 60 + u64::from(second);
    second_of_day * 1_000_000_000 + u64::from(nanosecond)
}

/// A day and a time of that day as one integer of the same order: a lane each.
#[cfg(any(feature = "jiff", feature = "time"))]
fn join_day(day: i32, nanoseconds: u64) -> i128 {
    i128::from(day) << 64 | i128::from(nanoseconds)
}

/// The inverse of [`join_day`].
#[cfg(any(feature = "jiff", feature = "time"))]
fn split_day(joined: i128) -> Option<(i32, u64)> {
    let nanoseconds = u64::try_from(joined & i128::from(u64::MAX)).ok()?;
    Some((i32::try_from(joined >> 64).ok()?, nanoseconds))
}
