//! The CSV files that the forest is loaded from: in the repository, or the caller's own.
//!
//! They are read as a whole before anything is loaded, so that a malformed line changes nothing.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;
use groove::Text;
use ruzstd::decoding::StreamingDecoder;

use super::calendar::Date;
use super::year::{Airline, Airport, Flight, Time};

const FLIGHTS: &[u8] = include_bytes!("../../data/flights.csv.zst");
const AIRPORTS: &[u8] = include_bytes!("../../data/airports.csv");
const AIRLINES: &[u8] = include_bytes!("../../data/airlines.csv");

/// The first four bytes of what zstd compressed.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

const FLIGHT_COLUMNS: &[&str] = &[
    "year",
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "sched_arr_time",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "air_time",
    "distance",
];
const AIRPORT_COLUMNS: &[&str] = &["faa", "name", "lat", "lon", "alt", "tz", "dst", "tzone"];
const AIRLINE_COLUMNS: &[&str] = &["carrier", "name"];

/// All objects to load.
pub(crate) struct Source {
    /// In the order of their timestamps.
    pub(crate) flights: Vec<Flight>,
    pub(crate) airports: Vec<Airport>,
    pub(crate) airlines: Vec<Airline>,
    /// Bytes of the flights as CSV.
    pub(crate) flights_bytes: u64,
}

/// Where a CSV file is not what it should be.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) line: u64,
    /// `None`: the line as a whole.
    pub(crate) column: Option<&'static str>,
    pub(crate) problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(formatter, ", column {column}")?;
        }
        write!(formatter, ": {}", self.problem)
    }
}

impl Error for Malformed {}

impl Source {
    /// Reads the flights of `csv`, plain or compressed by zstd; for `None` those of the repository.
    pub(crate) fn read(csv: Option<&Path>) -> Result<Source, Box<dyn Error + Send + Sync>> {
        let (name, packed) = match csv {
            Some(path) => {
                let read = fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
                (path.display().to_string(), read?)
            }
            None => ("flights.csv.zst".into(), FLIGHTS.to_vec()),
        };
        let text = unzip(packed).map_err(|error| format!("{name}: {error}"))?;
        let flights = parse_flights(&text).map_err(|error| format!("{name}: {error}"))?;
        Ok(Source {
            flights,
            airports: parse(AIRPORTS, AIRPORT_COLUMNS, airport)?,
            airlines: parse(AIRLINES, AIRLINE_COLUMNS, airline)?,
            flights_bytes: text.len() as u64,
        })
    }
}

fn unzip(bytes: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    if !bytes.starts_with(&ZSTD_MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::with_capacity(6 * bytes.len());
    StreamingDecoder::new(bytes.as_slice())
        .map_err(|error| error.to_string())?
        .read_to_end(&mut text)?;
    Ok(text)
}

/// The flights of a CSV file, in the order in which they should have left.
pub(crate) fn parse_flights(text: &[u8]) -> Result<Vec<Flight>, Malformed> {
    let mut flights = parse(text, FLIGHT_COLUMNS, flight)?;
    flights.sort_unstable_by_key(|flight| flight.timestamp);
    Ok(flights)
}

fn flight(fields: &mut Fields<'_>) -> Result<Flight, Malformed> {
    let (year, month, day) = (fields.number()?, fields.number()?, fields.number()?);
    let date = Date::new(year, month, day).ok_or_else(|| {
        fields.malformed(format!("there is no day {year}-{month:02}-{day:02} since 1970"))
    })?;
    let departure = fields.optional(Fields::time)?;
    let scheduled_departure = fields.time()?;
    if fields.line > Flight::LINE_MAX {
        let problem = format!("no more than {} lines can be loaded", Flight::LINE_MAX);
        return Err(Malformed { line: fields.line, column: None, problem });
    }
    Ok(Flight {
        timestamp: Flight::timestamp_of(date, scheduled_departure, fields.line),
        departure,
        departure_delay: fields.optional(Fields::number)?,
        arrival: fields.optional(Fields::time)?,
        scheduled_arrival: fields.time()?,
        arrival_delay: fields.optional(Fields::number)?,
        carrier: fields.text()?,
        number: fields.number()?,
        tail_number: fields.optional(Fields::text)?,
        origin: fields.text()?,
        destination: fields.text()?,
        air_time: fields.optional(Fields::number)?,
        distance: fields.number()?,
    })
}

fn airport(fields: &mut Fields<'_>) -> Result<Airport, Malformed> {
    Ok(Airport {
        code: fields.text()?,
        name: fields.text()?,
        latitude: fields.decimal()?,
        longitude: fields.decimal()?,
        altitude: fields.number()?,
        utc_offset: fields.number()?,
        daylight_saving: fields.text()?,
        time_zone: fields.optional(Fields::text)?,
        timestamp: 0,
    })
}

fn airline(fields: &mut Fields<'_>) -> Result<Airline, Malformed> {
    Ok(Airline { carrier: fields.text()?, name: fields.text()?, timestamp: 0 })
}

/// Reads all lines of a file that begins with `columns`; others may follow them.
fn parse<T>(
    text: &[u8],
    columns: &'static [&'static str],
    object: impl Fn(&mut Fields<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let (mut record, mut objects, mut width) = (StringRecord::new(), Vec::new(), None);
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                return Err(Malformed { line, column: None, problem: "it is not UTF-8".into() });
            }
        }
        let line = record.position().map_or(1, csv::Position::line);
        match width {
            None => {
                check_header(&record, columns)?;
                width = Some(record.len());
            }
            Some(width) if record.len() != width => {
                let problem = format!("it has {} columns instead of {width}", record.len());
                return Err(Malformed { line, column: None, problem });
            }
            Some(_) => {
                objects.push(object(&mut Fields { record: &record, line, columns, next: 0 })?)
            }
        }
    }
    match width {
        Some(_) => Ok(objects),
        None => Err(Malformed { line: 1, column: None, problem: "there is no header".into() }),
    }
}

fn check_header(header: &StringRecord, columns: &[&'static str]) -> Result<(), Malformed> {
    for (at, column) in columns.iter().enumerate() {
        let problem = match header.get(at) {
            Some(found) if found == *column => continue,
            Some(found) => format!("the header says {found:?} in its place"),
            None => "the header ends before it".into(),
        };
        return Err(Malformed { line: 1, column: Some(column), problem });
    }
    Ok(())
}

/// The fields of one line, from left to right.
struct Fields<'a> {
    record: &'a StringRecord,
    line: u64,
    columns: &'static [&'static str],
    next: usize,
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> &'a str {
        self.next += 1;
        &self.record[self.next - 1]
    }

    /// `None` for `NA`.
    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if &self.record[self.next] == "NA" {
            self.next += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    fn number<N: TryFrom<i64>>(&mut self) -> Result<N, Malformed> {
        let field = self.field();
        let number: i64 = self.parsed(field, "a number")?;
        number.try_into().map_err(|_| self.malformed(format!("{field} is out of range")))
    }

    fn decimal(&mut self) -> Result<f64, Malformed> {
        let field = self.field();
        self.parsed(field, "a number")
    }

    fn time(&mut self) -> Result<Time, Malformed> {
        let field = self.field();
        let time = field.parse().ok().and_then(Time::from_hhmm);
        time.ok_or_else(|| self.malformed(format!("{field:?} is not a time such as 517 or 2359")))
    }

    fn text<const N: usize>(&mut self) -> Result<Text<N>, Malformed> {
        let field = self.field();
        field.parse().map_err(|error| self.malformed(format!("{field:?}: {error}")))
    }

    fn parsed<T: FromStr>(&self, field: &str, what: &str) -> Result<T, Malformed> {
        field.parse().map_err(|_| self.malformed(format!("{field:?} is not {what}")))
    }

    /// What is wrong with the field that was read last.
    fn malformed(&self, problem: String) -> Malformed {
        Malformed { line: self.line, column: Some(self.columns[self.next - 1]), problem }
    }
}
