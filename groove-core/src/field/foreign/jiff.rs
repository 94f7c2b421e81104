//! `jiff`: points in time and durations as nanoseconds, civil dates as year, month and day.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use super::{
    clock_of_nanoseconds, join_day, nanoseconds_of_clock, seconds_and_nanoseconds, split_day,
    stored_as_integer,
};

stored_as_integer!(
    Timestamp,
    "jiff::Timestamp",
    i128,
    |timestamp| timestamp.as_nanosecond(),
    |nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok()
);

stored_as_integer!(
    SignedDuration,
    "jiff::SignedDuration",
    i128,
    SignedDuration::as_nanos,
    |nanoseconds| {
        let (seconds, nanoseconds) = seconds_and_nanoseconds(nanoseconds)?;
        Some(SignedDuration::new(seconds, nanoseconds))
    }
);

stored_as_integer!(Date, "jiff::civil::Date", i32, date_bits, date_from_bits);

stored_as_integer!(Time, "jiff::civil::Time", u64, time_nanoseconds, time_from_nanoseconds);

stored_as_integer!(
    DateTime,
    "jiff::civil::DateTime",
    i128,
    |datetime| join_day(date_bits(&datetime.date()), time_nanoseconds(&datetime.time())),
    |joined| {
        let (bits, nanoseconds) = split_day(joined)?;
        Some(date_from_bits(bits)?.to_datetime(time_from_nanoseconds(nanoseconds)?))
    }
);

/// The year in the upper half, then a byte of month and one of day.
fn date_bits(date: &Date) -> i32 {
    i32::from(date.year()) << 16 | i32::from(date.month()) << 8 | i32::from(date.day())
}

fn date_from_bits(bits: i32) -> Option<Date> {
    let [day, month, year @ ..] = bits.to_le_bytes();
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(i16::from_le_bytes(year), month, day).ok()
}

fn time_nanoseconds(time: &Time) -> u64 {
    let part = |value: i8| value.unsigned_abs();
    nanoseconds_of_clock(
        part(time.hour()),
        part(time.minute()),
        part(time.second()),
        time.subsec_nanosecond().unsigned_abs(),
    )
}

fn time_from_nanoseconds(nanoseconds: u64) -> Option<Time> {
    let (hour, minute, second, nanosecond) = clock_of_nanoseconds(nanoseconds)?;
    let part = |value: u8| i8::try_from(value).ok();
    let nanosecond = i32::try_from(nanosecond).ok()?;
    Time::new(part(hour)?, part(minute)?, part(second)?, nanosecond).ok()
}
