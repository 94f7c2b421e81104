//! The flights example: its answers against those of plain filtering, its crash, its bad input.
//!
//! What is expected is computed here from the text of the CSV, field by field, and shares no code
//! with the example. Flights are compared by their line in the CSV.

#[path = "../examples/flights/calendar.rs"]
mod calendar;
#[path = "../examples/flights/crash.rs"]
#[expect(dead_code, reason = "times are not tested")]
mod crash;
#[path = "../examples/flights/load.rs"]
mod load;
#[path = "../examples/flights/questions.rs"]
mod questions;
#[path = "../examples/flights/source.rs"]
mod source;
#[path = "../examples/flights/stopwatch.rs"]
#[expect(dead_code, reason = "times are not tested")]
mod stopwatch;
#[path = "../examples/flights/verify.rs"]
mod verify;
#[path = "../examples/flights/year.rs"]
mod year;

use std::io::Read;
use std::path::Path;
use std::process::Command;

use groove::{Options, Predicate};

use calendar::Date;
use crash::Moment;
use load::Progress;
use source::Source;
use year::{Flight, Year, YearSnapshot};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[test]
fn answers_are_those_of_the_csv_also_after_reopen() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("flights.groove");
    let (source, text) = (Source::read(None)?, flights_csv()?);
    let raw = Raw::new(&text);
    assert_eq!((raw.lines.len(), text.len()), (336_776, 22_145_343));
    assert_eq!(source.flights_bytes, text.len() as u64);

    let forest = Year::open(&file, Options::default())?;
    let mut acknowledged = 0;
    load::load(&forest, &source, 8_190, |flights| acknowledged = flights)?;
    assert_eq!(acknowledged, raw.lines.len());
    compare_all(&forest.snapshot(), &raw)?;
    forest.close()?;

    let forest = Year::open(&file, Options::default())?;
    let year = forest.snapshot();
    assert_eq!(Progress::of(&year), Progress::Complete);
    compare_all(&year, &raw)?;
    verify::verify(&year.flights, &source.flights)?;
    load::check_same_source(&year, &source)?;
    load::load(&forest, &source, 8_190, |_| panic!("a complete file has nothing to load"))?;
    Ok(())
}

#[test]
fn a_killed_load_leaves_whole_batches_and_can_go_on() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let csv = directory.path().join("part.csv");
    let text = flights_csv()?;
    let end = text.match_indices('\n').nth(20_500).ok_or("the CSV is longer than that")?.0;
    std::fs::write(&csv, &text[..=end])?;
    let source = Source::read(Some(&csv))?;
    assert_eq!(source.flights.len(), 20_500);

    for seed in 1..=6 {
        let file = directory.path().join(format!("crash-{seed}.groove"));
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["--exact", "load_until_killed", "--ignored", "--nocapture"]);
        child.env(CSV, &csv).env(FILE, &file);
        let moment = Moment::new(seed, source.flights.len().div_ceil(crash::BATCH));
        let outcome = crash::crash(child, &file, &source, moment)
            .map_err(|error| format!("seed {seed}, {moment:?}: {error}"))?;
        assert_eq!(outcome.indexes.len(), Flight::SCHEMA.indexes.len());
        assert!(outcome.acknowledged + crash::BATCH > (moment.lines - 1) * crash::BATCH);

        let forest = Year::open(&file, Options::default())?;
        let mut at = outcome.stored;
        load::check_same_source(&forest.snapshot(), &source)?;
        load::load(&forest, &source, 3_000, |flights| at = flights)?;
        assert_eq!(at, source.flights.len(), "seed {seed}");
        let year = forest.snapshot();
        verify::verify(&year.flights, &source.flights)?;
        assert_eq!(year.airlines.len(), 16);
    }
    Ok(())
}

const CSV: &str = "GROOVE_FLIGHTS_CRASH_CSV";
const FILE: &str = "GROOVE_FLIGHTS_CRASH_FILE";

#[test]
#[ignore = "what the test above runs as a child and kills"]
fn load_until_killed() -> Result<()> {
    let (Some(csv), Some(file)) = (std::env::var_os(CSV), std::env::var_os(FILE)) else {
        return Ok(());
    };
    println!(); // the test harness has written the name of the test, without a line break
    crash::load_and_say(Path::new(&file), &Source::read(Some(Path::new(&csv)))?)
}

#[test]
fn a_file_of_another_csv_is_refused() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let forest = Year::open(directory.path().join("one.groove"), Options::default())?;
    let mut source = Source::read(None)?;
    source.flights.truncate(1_000);
    load::check_same_source(&forest.snapshot(), &source)?; // empty: nothing to disagree with
    load::load(&forest, &source, 400, |_| {})?;
    load::check_same_source(&forest.snapshot(), &source)?;

    source.flights[999].distance += 1;
    let error = load::check_same_source(&forest.snapshot(), &source).map_err(|e| e.to_string());
    assert!(error.is_err_and(|error| error.contains("another CSV") && error.contains("--file")));
    source.flights.truncate(999);
    assert!(load::check_same_source(&forest.snapshot(), &source).is_err());
    Ok(())
}

#[test]
fn a_malformed_line_is_named_with_its_column() {
    const HEADER: &str = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,\
        sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance\n";
    const GOOD: &str = "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400\n";
    let message = |text: &str| match source::parse_flights(text.as_bytes()) {
        Ok(flights) => format!("{} flights", flights.len()),
        Err(malformed) => malformed.to_string(),
    };
    assert_eq!(message(&format!("{HEADER}{GOOD}{GOOD}")), "2 flights");
    assert_eq!(message(&format!("{HEADER}{GOOD}").replace('\n', "\r\n")), "1 flights");
    assert_eq!(message(HEADER), "0 flights");

    let cases = [
        (",2,830", ",x7,830", "line 3, column dep_delay: \"x7\" is not a number"),
        (",2,830", ",,830", "line 3, column dep_delay: \"\" is not a number"),
        (",2,830", ",32768,830", "line 3, column dep_delay: 32768 is out of range"),
        (",1400", ",NA", "line 3, column distance: \"NA\" is not a number"),
        (",1400", ",-1", "line 3, column distance: -1 is out of range"),
        (",517,", ",560,", "line 3, column dep_time: \"560\" is not a time such as 517 or 2359"),
        (
            ",515,",
            ",2401,",
            "line 3, column sched_dep_time: \"2401\" is not a time such as 517 or 2359",
        ),
        ("2013,1,1", "2013,2,29", "line 3, column day: there is no day 2013-02-29 since 1970"),
        ("2013,1,1", "2013,13,1", "line 3, column day: there is no day 2013-13-01 since 1970"),
        ("UA,", "UAL,", "line 3, column carrier: \"UAL\": the text has 3 bytes, the most is 2"),
        (",227", "", "line 3: it has 15 columns instead of 16"),
        (",227", ",227,227", "line 3: it has 17 columns instead of 16"),
    ];
    for (good, bad, expected) in cases {
        let line = GOOD.replacen(good, bad, 1);
        assert_ne!(line, GOOD);
        assert_eq!(message(&format!("{HEADER}{GOOD}{line}{GOOD}")), expected);
    }
    assert_eq!(message(""), "line 1: there is no header");
    assert_eq!(
        message(&HEADER.replace("dep_delay", "delay")),
        "line 1, column dep_delay: the header says \"delay\" in its place"
    );
    assert_eq!(message("year,month\n"), "line 1, column day: the header ends before it");
    let mut text = format!("{HEADER}{GOOD}").into_bytes();
    text.extend_from_slice(b"2013,1,1,\xff\n");
    let error = source::parse_flights(&text).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(error, Err("line 3: it is not UTF-8".into()));
}

#[test]
fn days_are_counted_as_the_calendar_does() {
    let mut date = Date::new(1970, 1, 1).expect("a day");
    for days in 0..200_000 {
        assert_eq!(date.days_since_1970(), days);
        assert_eq!(Date::from_days_since_1970(days), date);
        date = date.next();
    }
    assert_eq!(date, Date::new(2517, 8, 1).expect("a day"));
    assert_eq!(Date::new(2013, 1, 1).map(Date::days_since_1970), Some(15_706));
}

/// The flights of the repository, as text.
fn flights_csv() -> Result<String> {
    let packed = include_bytes!("../data/flights.csv.zst");
    let mut text = String::new();
    ruzstd::decoding::StreamingDecoder::new(packed.as_slice())?.read_to_string(&mut text)?;
    Ok(text)
}

/// The CSV, split into fields and no more.
struct Raw<'a> {
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    number: u64,
    fields: Vec<&'a str>,
}

const COLUMNS: [&str; 16] = [
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

impl<'a> Raw<'a> {
    fn new(text: &'a str) -> Raw<'a> {
        let line =
            |(number, line): (u64, &'a str)| Line { number, fields: line.split(',').collect() };
        Raw { lines: (1..).zip(text.lines()).skip(1).map(line).collect() }
    }

    /// The lines that meet the condition, ordered by scheduled departure, then as in the CSV.
    fn filter(&self, condition: impl Fn(&Line<'a>) -> bool) -> Vec<&Line<'a>> {
        let mut lines: Vec<_> = self.lines.iter().filter(|line| condition(line)).collect();
        lines.sort_by_key(|line| {
            let number = |column| line.number(column).expect("each flight is scheduled");
            (number("month"), number("day"), number("sched_dep_time"), line.number)
        });
        lines
    }
}

impl<'a> Line<'a> {
    fn text(&self, column: &str) -> &'a str {
        self.fields[COLUMNS.iter().position(|name| *name == column).expect("a column")]
    }

    /// `None`: `NA`.
    fn number(&self, column: &str) -> Option<i64> {
        self.text(column).parse().ok()
    }

    fn is(&self, column: &str, value: &str) -> bool {
        self.text(column) == value
    }
}

fn numbers(lines: &[&Line<'_>]) -> Vec<u64> {
    lines.iter().map(|line| line.number).collect()
}

fn lines_of<'f>(flights: impl IntoIterator<Item = &'f Flight>) -> Vec<u64> {
    flights.into_iter().map(|flight| flight.timestamp & Flight::LINE_MAX).collect()
}

fn compare_all(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    each_flight_is_its_line(year, raw)?;
    each_airport_is_its_line(year)?;
    late_on_route(year, raw)?;
    longest_delays(year, raw)?;
    aircraft_on(year, raw)?;
    to_airports_above(year, raw)?;
    long_in_the_air(year, raw)?;
    tallies(year, raw)?;
    departures(year, raw)?;
    long_flights_of_others(year, raw)
}

fn each_flight_is_its_line(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    fn shown(value: Option<impl ToString>) -> String {
        value.map_or_else(|| "NA".into(), |value| value.to_string())
    }
    fn hhmm(time: year::Time) -> u64 {
        time.to_string().replace(':', "").parse().expect("hours and minutes")
    }
    let mut flights = 0;
    for flight in &year.flights.query(Predicate::all()) {
        let flight = flight?;
        let line = &raw.lines[usize::try_from(flight.timestamp & Flight::LINE_MAX)? - 2];
        let date = flight.date().to_string();
        let number = |part: &str| part.trim_start_matches('0').to_owned();
        let date: Vec<String> = date.split('-').map(number).collect();
        let fields = [
            date[0].clone(),
            date[1].clone(),
            date[2].clone(),
            shown(flight.departure.map(hhmm)),
            hhmm(flight.scheduled_departure()).to_string(),
            shown(flight.departure_delay),
            shown(flight.arrival.map(hhmm)),
            hhmm(flight.scheduled_arrival).to_string(),
            shown(flight.arrival_delay),
            flight.carrier.to_string(),
            flight.number.to_string(),
            shown(flight.tail_number),
            flight.origin.to_string(),
            flight.destination.to_string(),
            shown(flight.air_time),
            flight.distance.to_string(),
        ];
        assert_eq!(fields.as_slice(), line.fields, "line {}", line.number);
        flights += 1;
    }
    assert_eq!(flights, raw.lines.len());
    Ok(())
}

fn each_airport_is_its_line(year: &YearSnapshot) -> Result<()> {
    let text = include_str!("../data/airports.csv");
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let airport = year.airports.get(fields[0])?.ok_or_else(|| format!("{line} is missing"))?;
        assert_eq!([airport.code.as_str(), airport.name.as_str()], fields[..2]);
        assert_eq!([airport.latitude, airport.longitude], [fields[2].parse()?, fields[3].parse()?]);
        assert_eq!(airport.altitude.to_string(), fields[4]);
        assert_eq!(airport.time_zone.as_deref().unwrap_or("NA"), fields[7]);
    }
    assert_eq!(year.airports.len(), text.lines().count() as u64 - 1);
    Ok(())
}

fn late_on_route(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    let routes = [("JFK", "SFO"), ("EWR", "SFO"), ("LGA", "ORD"), ("LGA", "XXX")];
    for ((origin, destination), month) in routes.into_iter().zip([7, 12, 1, 2]) {
        let first = Date::new(2013, month, 1).ok_or("a day")?;
        for (carrier, delay) in [("VX", 60), ("UA", 0), ("UA", -10), ("B6", 60), ("none", 0)] {
            let route = (origin, destination);
            let timestamps = questions::month(first);
            let found = questions::late_on_route(year, carrier, route, timestamps, delay)?;
            let expected = raw.filter(|line| {
                line.is("carrier", carrier)
                    && line.is("origin", origin)
                    && line.is("dest", destination)
                    && line.number("month") == Some(i64::from(month))
                    && line.number("dep_delay").is_some_and(|found| found > i64::from(delay))
            });
            assert_eq!(lines_of(&found), numbers(&expected), "{carrier} {origin} {destination}");
        }
    }
    Ok(())
}

fn longest_delays(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    for (origin, n) in [("EWR", 10), ("JFK", 1), ("LGA", 333), ("EWR", 0), ("XXX", 10)] {
        let found = questions::longest_delays(year, origin, n)?;
        let mut expected =
            raw.filter(|line| line.is("origin", origin) && line.number("dep_delay").is_some());
        expected.reverse(); // of equal delays the latest flight
        expected.sort_by_key(|line| -line.number("dep_delay").expect("filtered"));
        expected.truncate(n);
        assert_eq!(lines_of(&found), numbers(&expected), "{n} of {origin}");
    }
    Ok(())
}

fn aircraft_on(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    let some = raw.lines.iter().step_by(9_973).map(|line| (line, line.text("tailnum")));
    for (line, tail_number) in some.filter(|(_, tail_number)| *tail_number != "NA") {
        let [month, day] = ["month", "day"].map(|column| line.text(column));
        let date = Date::new(2013, month.parse()?, day.parse()?).ok_or("a day")?;
        let found = questions::aircraft_on(year, tail_number.parse()?, date)?;
        let expected = raw.filter(|line| {
            line.is("tailnum", tail_number) && line.is("month", month) && line.is("day", day)
        });
        assert!(!expected.is_empty());
        assert_eq!(lines_of(&found), numbers(&expected), "{tail_number} on {date}");
    }
    Ok(())
}

fn to_airports_above(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    let airports = include_str!("../data/airports.csv").lines().skip(1);
    let airports: Vec<Vec<&str>> = airports.map(|line| line.split(',').collect()).collect();
    for (altitude, month) in [(5_000, "12"), (1_000, "3"), (i16::MAX, "12"), (6_000, "8")] {
        let first = Date::new(2013, month.parse()?, 1).ok_or("a day")?;
        let found = questions::to_airports_above(year, altitude, questions::month(first))?;
        let high = airports
            .iter()
            .filter(|fields| fields[4].parse::<i16>().is_ok_and(|found| found > altitude));
        let high: Vec<&str> = high.map(|fields| fields[0]).collect();
        let expected =
            raw.filter(|line| line.is("month", month) && high.contains(&line.text("dest")));
        let found_lines = lines_of(found.iter().map(|landing| &landing.flight));
        assert_eq!(found_lines, numbers(&expected), "above {altitude} in month {month}");
        assert!(found.iter().all(|landing| landing.airport.code == landing.flight.destination));
    }
    Ok(())
}

fn long_in_the_air(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    for (minutes, n) in [(670, 5), (600, 100), (0, 3), (u16::MAX, 5), (640, 1_000)] {
        let found = questions::long_in_the_air_query(year, minutes, n).collect()?;
        let mut expected = raw.filter(|line| {
            let long = line.number("air_time").is_some_and(|found| found > minutes.into());
            long && line.text("dest").starts_with('H')
        });
        expected.truncate(n);
        assert_eq!(lines_of(&found), numbers(&expected), "{n} of over {minutes} minutes");
    }
    Ok(())
}

fn tallies(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    let tallies = questions::tallies(year)?;
    assert_eq!(tallies.len(), 16);
    for tally in &tallies {
        let flights = raw.filter(|line| line.is("carrier", &tally.airline.carrier));
        let cancelled = flights.iter().filter(|line| line.is("dep_delay", "NA")).count();
        let expected = (flights.len() as u64, cancelled as u64);
        assert_eq!((tally.flights, tally.cancelled), expected, "{}", tally.airline.name);
    }
    Ok(())
}

fn departures(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    for (carrier, flight, limit) in [("HA", "51", 5), ("UA", "15", 100), ("DL", "9999", 5)] {
        let mut expected =
            raw.filter(|line| line.is("carrier", carrier) && line.is("flight", flight));
        expected.reverse();
        let designator = (carrier, flight.parse()?);
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = questions::departures(year, designator, cursor, limit)?;
            assert_eq!(page.len(), limit.min(expected.len() - found.len()));
            found.extend(lines_of(&page));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, numbers(&expected), "{carrier} {flight}");
    }
    Ok(())
}

fn long_flights_of_others(year: &YearSnapshot, raw: &Raw<'_>) -> Result<()> {
    for (month, day) in [(12, 24), (1, 1), (7, 4)] {
        let date = Date::new(2013, month, day).ok_or("a day")?;
        for (distance, carrier) in [(2_400, "UA"), (0, "B6"), (5_000, "HA")] {
            let origins = ["JFK", "EWR"];
            let found = questions::long_flights_of_others(year, origins, distance, carrier, date)?;
            let expected = raw.filter(|line| {
                origins.contains(&line.text("origin"))
                    && !line.is("carrier", carrier)
                    && line.number("distance") >= Some(i64::from(distance))
                    && line.is("month", &month.to_string())
                    && line.is("day", &day.to_string())
            });
            assert_eq!(lines_of(&found), numbers(&expected), "{distance} miles, not {carrier}");
        }
    }
    Ok(())
}
