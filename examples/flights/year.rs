//! What the forest holds: the flights of a year, and the airports and airlines they refer to.

use std::fmt;

use groove::{Field, Forest, Groove, Text};

use super::calendar::Date;

/// All grooves of the file.
#[derive(Forest)]
pub(crate) struct Year {
    pub(crate) flights: Groove<Flight>,
    pub(crate) airports: Groove<Airport>,
    pub(crate) airlines: Groove<Airline>,
}

/// One line of `flights.csv`. What is `NA` there is `None`; all times are local.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(index(route = (origin, destination)), index(designator = (carrier, number)))]
pub(crate) struct Flight {
    /// The minute of the scheduled departure and the line of the CSV ([`Flight::timestamp_of`]):
    /// flights are in the order in which they should have left.
    pub(crate) timestamp: u64,
    #[index]
    pub(crate) carrier: Text<2>,
    #[groove(ignore)]
    pub(crate) number: u16,
    #[index(optional)]
    pub(crate) tail_number: Option<Text<6>>,
    #[index]
    pub(crate) origin: Text<3>,
    #[index]
    pub(crate) destination: Text<3>,
    #[groove(ignore)]
    pub(crate) departure: Option<Time>,
    /// Minutes; negative: early; `None`: cancelled.
    #[index]
    pub(crate) departure_delay: Option<i16>,
    #[groove(ignore)]
    pub(crate) arrival: Option<Time>,
    #[groove(ignore)]
    pub(crate) scheduled_arrival: Time,
    #[groove(ignore)]
    pub(crate) arrival_delay: Option<i16>,
    /// Minutes.
    #[groove(ignore)]
    pub(crate) air_time: Option<u16>,
    /// Miles.
    #[index]
    pub(crate) distance: u16,
}

/// One line of `airports.csv`.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Airport {
    #[index(primary)]
    pub(crate) code: Text<3>,
    #[groove(ignore)]
    pub(crate) name: Text<56>,
    #[groove(ignore)]
    pub(crate) latitude: f64,
    #[groove(ignore)]
    pub(crate) longitude: f64,
    /// Feet above the sea.
    #[index]
    pub(crate) altitude: i16,
    /// Hours ahead of UTC.
    #[groove(ignore)]
    pub(crate) utc_offset: i8,
    /// When daylight saving time is in use: A (American), N (never), U (unknown).
    #[groove(ignore)]
    pub(crate) daylight_saving: Text<1>,
    #[groove(ignore)]
    pub(crate) time_zone: Option<Text<24>>,
    pub(crate) timestamp: u64, // 0 at insert: the forest assigns one
}

/// One line of `airlines.csv`.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Airline {
    #[index(primary)]
    pub(crate) carrier: Text<2>,
    #[groove(ignore)]
    pub(crate) name: Text<32>,
    pub(crate) timestamp: u64,
}

/// A local time of day, in minutes after midnight; 24:00 is at the end of the day.
#[derive(Field, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(u16);

/// Bits of a flight's timestamp that hold the line.
const LINE_BITS: u32 = 24;

impl Flight {
    /// The highest line that a timestamp can hold.
    pub(crate) const LINE_MAX: u64 = (1 << LINE_BITS) - 1;

    /// The minute since 1970 in the upper bits, the line below them: ordered by time, and unique.
    pub(crate) fn timestamp_of(date: Date, time: Time, line: u64) -> u64 {
        assert!(line <= Self::LINE_MAX);
        Self::midnight(date) + (u64::from(time.0) << LINE_BITS) + line
    }

    /// Where a day begins: `midnight(day)..midnight(day.next())` are the timestamps of its flights.
    pub(crate) fn midnight(date: Date) -> u64 {
        (u64::from(date.days_since_1970()) * 24 * 60) << LINE_BITS
    }

    /// The day of the scheduled departure.
    pub(crate) fn date(&self) -> Date {
        let days = (self.timestamp >> LINE_BITS) / (24 * 60);
        Date::from_days_since_1970(u32::try_from(days).expect("made from a date"))
    }

    pub(crate) fn scheduled_departure(&self) -> Time {
        let minutes = (self.timestamp >> LINE_BITS) % (24 * 60);
        Time(u16::try_from(minutes).expect("less than a day"))
    }
}

impl Time {
    /// From the CSV's hours and minutes without a colon: 517 is 05:17.
    pub(crate) fn from_hhmm(hhmm: u16) -> Option<Time> {
        let (hours, minutes) = (hhmm / 100, hhmm % 100);
        (minutes < 60 && hhmm <= 2400).then_some(Time(hours * 60 + minutes))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}
