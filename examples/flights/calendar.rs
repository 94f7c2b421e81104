//! Days of the Gregorian calendar.

use std::fmt;

/// A day from 1970 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// `None` if there is no such day, or if it is before 1970 or after 9999.
    pub(crate) const fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        let date = Date { year, month, day };
        let exists = year >= 1970 && year <= 9999 && month >= 1 && month <= 12;
        if exists && day >= 1 && day <= date.days_of_month() { Some(date) } else { None }
    }

    pub(crate) const fn next(self) -> Date {
        if self.day < self.days_of_month() {
            return Date { day: self.day + 1, ..self };
        }
        Date { day: 1, ..self }.next_month()
    }

    /// The same day of the next month; for first days.
    pub(crate) const fn next_month(self) -> Date {
        match self.month {
            12 => Date { year: self.year + 1, month: 1, ..self },
            _ => Date { month: self.month + 1, ..self },
        }
    }

    pub(crate) fn days_since_1970(self) -> u32 {
        let years = u32::from(self.year) - 1970;
        let months = (1..self.month).map(|month| Date { month, ..self }.days_of_month());
        years * 365
            + leap_days_before(self.year)
            + months.map(u32::from).sum::<u32>()
            + u32::from(self.day)
            - 1
    }

    pub(crate) fn from_days_since_1970(days: u32) -> Date {
        // The year is this one, or the one before if leap days have pushed it over.
        let mut year = u16::try_from(1970 + days / 365).expect("before the year 10000");
        if (Date { year, month: 1, day: 1 }).days_since_1970() > days {
            year -= 1;
        }
        let mut date = Date { year, month: 1, day: 1 };
        let mut rest = days - date.days_since_1970();
        while rest >= u32::from(date.days_of_month()) {
            rest -= u32::from(date.days_of_month());
            date.month += 1;
        }
        date.day += u8::try_from(rest).expect("less than a month");
        date
    }

    const fn days_of_month(self) -> u8 {
        match self.month {
            2 if is_leap(self.year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Leap days from 1970 to the beginning of `year`.
fn leap_days_before(year: u16) -> u32 {
    let until = |year: u32| year / 4 - year / 100 + year / 400;
    until(u32::from(year) - 1) - until(1969)
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
