//! `time`: points in time and durations as nanoseconds, dates as Julian days.

use std::fmt;

use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcDateTime, UtcOffset};

use super::{
    clock_of_nanoseconds, join_day, nanoseconds_of_clock, seconds_and_nanoseconds, split_day,
    stored_as_integer,
};
use crate::field::{Field, IndexKey, InvalidValue};
use crate::schema::FieldType;

stored_as_integer!(
    UtcDateTime,
    "time::UtcDateTime",
    i128,
    |datetime| datetime.unix_timestamp_nanos(),
    |nanoseconds| UtcDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
);

stored_as_integer!(
    Duration,
    "time::Duration",
    i128,
    |duration| duration.whole_nanoseconds(),
    |nanoseconds| {
        let (seconds, nanoseconds) = seconds_and_nanoseconds(nanoseconds)?;
        Some(Duration::new(seconds, nanoseconds))
    }
);

stored_as_integer!(Date, "time::Date", i32, |date| date.to_julian_day(), |day| {
    Date::from_julian_day(day).ok()
});

stored_as_integer!(Time, "time::Time", u64, time_nanoseconds, time_from_nanoseconds);

stored_as_integer!(
    PrimitiveDateTime,
    "time::PrimitiveDateTime",
    i128,
    |datetime| join_day(datetime.date().to_julian_day(), time_nanoseconds(&datetime.time())),
    |joined| {
        let (day, nanoseconds) = split_day(joined)?;
        let date = Date::from_julian_day(day).ok()?;
        Some(PrimitiveDateTime::new(date, time_from_nanoseconds(nanoseconds)?))
    }
);

fn time_nanoseconds(time: &Time) -> u64 {
    let (hour, minute, second, nanosecond) = time.as_hms_nano();
    nanoseconds_of_clock(hour, minute, second, nanosecond)
}

fn time_from_nanoseconds(nanoseconds: u64) -> Option<Time> {
    let (hour, minute, second, nanosecond) = clock_of_nanoseconds(nanoseconds)?;
    Time::from_hms_nano(hour, minute, second, nanosecond).ok()
}

/// The point in time as nanoseconds, then the offset in seconds. Only the point in time orders, and
/// only it is the key.
impl Field for OffsetDateTime {
    const WIDTH: usize = i128::WIDTH + i32::WIDTH;
    const TYPE: FieldType = FieldType::Foreign("time::OffsetDateTime", Self::WIDTH);

    fn write(&self, out: &mut [u8]) {
        let (nanoseconds, offset) = out.split_at_mut(i128::WIDTH);
        self.unix_timestamp_nanos().write(nanoseconds);
        self.offset().whole_seconds().write(offset);
    }

    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        let read = || {
            let (nanoseconds, offset) = bytes.split_at_checked(i128::WIDTH)?;
            let nanoseconds = i128::read(nanoseconds).ok()?;
            let offset = UtcOffset::from_whole_seconds(i32::read(offset).ok()?).ok()?;
            let datetime = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
            datetime.checked_to_offset(offset)
        };
        read().ok_or(InvalidValue::of::<Self>())
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl IndexKey for OffsetDateTime {
    const KEY_WIDTH: usize = i128::KEY_WIDTH;

    #[inline]
    fn write_key(&self, out: &mut [u8]) {
        self.unix_timestamp_nanos().write_key(out);
    }
}
