//! Asks the questions, and prints the answers as tables.

use std::io::{Write, stdout};

use groove::{Explanation, Forest, QueryError, Text};

use super::Result;
use super::calendar::Date;
use super::questions::{self, Landing, Tally};
use super::stopwatch::Stopwatch;
use super::table::{Align, Table, thousands};
use super::year::{Flight, Year, YearSnapshot};

const JULY: Date = date(2013, 7, 1);
const DECEMBER: Date = date(2013, 12, 1);
const CHRISTMAS_EVE: Date = date(2013, 12, 24);
const MAY_30: Date = date(2013, 5, 30);
const JFK_TO_SFO: (&str, &str) = ("JFK", "SFO");
const AIRCRAFT: Text<6> = text("N725MQ");
const HAWAIIAN_51: (&str, u16) = ("HA", 51);

const fn date(year: u16, month: u8, day: u8) -> Date {
    Date::new(year, month, day).expect("a day of the calendar")
}

const fn text<const N: usize>(text: &str) -> Text<N> {
    match Text::new(text) {
        Ok(text) => text,
        Err(_) => panic!("the text is too long"),
    }
}

/// Asks everything of the forest as it is now; with `explains`, prints how each query was answered.
pub(crate) fn print_all(forest: &Forest<Year>, explains: bool) -> Result<()> {
    let mut asker = Asker { forest, year: forest.snapshot(), asked: 0, explains };
    asker.ask(
        "Which Virgin America flights from JFK to SFO left over an hour late in July?",
        "route & carrier & departure delay, within timestamps",
        |year| {
            let july = questions::month(JULY);
            questions::late_on_route(year, "VX", JFK_TO_SFO, july, 60)
        },
        |found| flights(found),
        |year| {
            let july = questions::month(JULY);
            let query = questions::late_on_route_query(year, "VX", JFK_TO_SFO, july, 60);
            Ok(vec![query.explain()?])
        },
    )?;
    asker.ask(
        "Which ten flights out of Newark left with the longest delays?",
        "origin & departure delay, in the order of the delays, limit 10",
        |year| questions::longest_delays(year, "EWR", 10),
        |found| flights(found),
        |year| Ok(vec![questions::longest_delays_query(year, "EWR", 10).explain()?]),
    )?;
    asker.ask(
        &format!("What did the aircraft {AIRCRAFT} do on {MAY_30}?"),
        "tail number, within timestamps",
        |year| questions::aircraft_on(year, AIRCRAFT, MAY_30),
        |found| flights(found),
        |year| Ok(vec![questions::aircraft_on_query(year, AIRCRAFT, MAY_30).explain()?]),
    )?;
    asker.ask(
        "Which flights went to airports above 5,000 feet in December?",
        "airports: altitude; flights: their keys as destinations, within timestamps",
        |year| questions::to_airports_above(year, 5_000, questions::month(DECEMBER)),
        |found| landings(found),
        |year| {
            let december = questions::month(DECEMBER);
            let flights = questions::to_airports_above_query(year, 5_000, december)?;
            Ok(vec![questions::high_airports_query(year, 5_000).explain()?, flights.explain()?])
        },
    )?;
    asker.ask(
        "How many flights did each airline plan, and how many did it cancel?",
        "count of carrier, and of carrier & departure delay; no flight is read",
        questions::tallies,
        |found| tallies(found),
        |year| Ok(vec![questions::cancelled_query(year, "UA").explain()?]),
    )?;
    let first = asker.ask(
        "When did Hawaiian 51 leave for Honolulu? The last five days",
        "designator, newest first, limit 5",
        |year| questions::departures(year, HAWAIIAN_51, None, 5),
        |page| flights(page),
        |year| Ok(vec![questions::departures_query(year, HAWAIIAN_51, None, 5).explain()?]),
    )?;
    asker.ask(
        "And the five days before? The next page, by the cursor of the first",
        "designator, newest first, limit 5, after the cursor",
        |year| questions::departures(year, HAWAIIAN_51, first.next, 5),
        |page| flights(page),
        |year| {
            let query = questions::departures_query(year, HAWAIIAN_51, first.next, 5);
            Ok(vec![query.explain()?])
        },
    )?;
    asker.ask(
        "Which flights over 2,400 miles left JFK or EWR on Christmas Eve, without United's?",
        "(origin | origin) & distance & !carrier, within timestamps",
        |year| {
            let origins = ["JFK", "EWR"];
            questions::long_flights_of_others(year, origins, 2_400, "UA", CHRISTMAS_EVE)
        },
        |found| flights(found),
        |year| {
            let origins = ["JFK", "EWR"];
            let query = questions::long_flights_query(year, origins, 2_400, "UA", CHRISTMAS_EVE);
            Ok(vec![query.explain()?])
        },
    )?;
    asker.ask(
        "Which were the first five flights to Hawaii with over 670 minutes in the air?",
        "prefix of the destination, time in the air on rows, limit 5",
        |year| questions::long_in_the_air_query(year, 670, 5).collect(),
        |found| flights(found),
        |year| Ok(vec![questions::long_in_the_air_query(year, 670, 5).explain()?]),
    )?;
    Ok(())
}

struct Asker<'a> {
    forest: &'a Forest<Year>,
    year: YearSnapshot,
    asked: u32,
    explains: bool,
}

impl Asker<'_> {
    /// Prints the question, the answer and what it cost, and how its queries were answered.
    fn ask<T>(
        &mut self,
        title: &str,
        how: &str,
        question: impl FnOnce(&YearSnapshot) -> std::result::Result<T, QueryError>,
        table: impl FnOnce(&T) -> Table,
        explain: impl FnOnce(&YearSnapshot) -> std::result::Result<Vec<Explanation>, QueryError>,
    ) -> Result<T> {
        let before = self.forest.statistics();
        let stopwatch = Stopwatch::start();
        let answer = question(&self.year)?;
        let elapsed = stopwatch.elapsed();
        let after = self.forest.statistics();

        self.asked += 1;
        let table = table(&answer);
        let mut out = stdout();
        writeln!(out, "\n{}. {title}\n   [{how}]\n\n{table}", self.asked)?;
        writeln!(
            out,
            "    {} rows in {elapsed}, {} blocks read, {} found in the cache",
            thousands(table.row_count() as u64),
            thousands(after.blocks_read - before.blocks_read),
            thousands(after.cache_hits - before.cache_hits),
        )?;
        if self.explains {
            for explanation in explain(&self.year)? {
                let text = explanation.to_string();
                writeln!(out)?;
                for line in text.lines() {
                    writeln!(out, "    {line}")?;
                }
            }
        }
        Ok(answer)
    }
}

const FLIGHT_COLUMNS: [(&str, Align); 9] = [
    ("date", Align::Left),
    ("flight", Align::Left),
    ("aircraft", Align::Left),
    ("from", Align::Left),
    ("to", Align::Left),
    ("planned", Align::Right),
    ("left", Align::Right),
    ("delay", Align::Right),
    ("miles", Align::Right),
];

fn flights(flights: &[Flight]) -> Table {
    let mut table = Table::new(FLIGHT_COLUMNS);
    for flight in flights {
        table.push(flight_cells(flight));
    }
    table
}

fn landings(landings: &[Landing]) -> Table {
    let of_airport = [("airport", Align::Left), ("feet", Align::Right)];
    let mut table = Table::new(FLIGHT_COLUMNS.into_iter().chain(of_airport));
    for Landing { flight, airport } in landings {
        let of_airport = [airport.name.to_string(), airport.altitude.to_string()];
        table.push(flight_cells(flight).into_iter().chain(of_airport));
    }
    table
}

fn tallies(tallies: &[Tally]) -> Table {
    let mut table = Table::new([
        ("airline", Align::Left),
        ("planned", Align::Right),
        ("cancelled", Align::Right),
        ("", Align::Right),
    ]);
    for tally in tallies {
        let share = 100.0 * tally.cancelled as f64 / tally.flights.max(1) as f64;
        table.push([
            tally.airline.name.to_string(),
            thousands(tally.flights),
            thousands(tally.cancelled),
            format!("{share:.1} %"),
        ]);
    }
    table
}

fn flight_cells(flight: &Flight) -> [String; 9] {
    fn shown(value: Option<impl ToString>) -> String {
        value.map_or_else(|| "–".into(), |value| value.to_string())
    }
    [
        flight.date().to_string(),
        format!("{} {}", flight.carrier, flight.number),
        shown(flight.tail_number),
        flight.origin.to_string(),
        flight.destination.to_string(),
        flight.scheduled_departure().to_string(),
        shown(flight.departure),
        shown(flight.departure_delay),
        flight.distance.to_string(),
    ]
}
