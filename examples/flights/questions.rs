//! What the example asks: each question is a function from a snapshot to data.

use std::ops::Range;

use groove::{Page, QueryError, Text};

use super::calendar::Date;
use super::year::{Airline, Airport, Flight, YearSnapshot};

/// A flight and the airport it went to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Landing {
    pub(crate) flight: Flight,
    pub(crate) airport: Airport,
}

/// What an airline planned, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tally {
    pub(crate) airline: Airline,
    pub(crate) flights: u64,
    pub(crate) cancelled: u64,
}

/// The timestamps of all flights of a month.
pub(crate) fn month(first: Date) -> Range<u64> {
    Flight::midnight(first)..Flight::midnight(first.next_month())
}

/// The timestamps of all flights of a day.
pub(crate) fn day(date: Date) -> Range<u64> {
    Flight::midnight(date)..Flight::midnight(date.next())
}

/// Flights of one airline on one route that left more than `delay` minutes late.
///
/// Three indexes are intersected, within a range of timestamps.
pub(crate) fn late_on_route(
    year: &YearSnapshot,
    carrier: &str,
    (origin, destination): (Text<3>, Text<3>),
    timestamps: Range<u64>,
    delay: i16,
) -> Result<Vec<Flight>, QueryError> {
    let on_route = Flight::ROUTE.eq((origin, destination)) & Flight::CARRIER.eq(carrier);
    let late = Flight::DEPARTURE_DELAY.gt(delay);
    Ok(year.flights.query(on_route & late).timestamps(timestamps).collect()?.into())
}

/// The `n` flights out of `origin` that left last, compared with their schedule; the longest delay
/// first.
///
/// Queries answer in the order of timestamps, not of delays. So the delay that at least `n` flights
/// exceed is looked for by counting, which reads no flight; then those flights are read and sorted.
pub(crate) fn longest_delays(
    year: &YearSnapshot,
    origin: &str,
    n: usize,
) -> Result<Vec<Flight>, QueryError> {
    const DAY: i16 = 24 * 60;
    let delayed = |minutes: i16| {
        let late = Flight::DEPARTURE_DELAY.ge(minutes);
        year.flights.query(Flight::ORIGIN.eq(origin) & late)
    };
    let mut minutes = DAY;
    while minutes > 0 && delayed(minutes).limit(n).count()? < n as u64 {
        minutes /= 2;
    }
    // Fewer than `n` were late at all: those that left early count, too.
    let minutes = if minutes > 0 { minutes } else { i16::MIN };
    let mut flights: Vec<Flight> = delayed(minutes).collect()?.into();
    flights.sort_by_key(|flight| (std::cmp::Reverse(flight.departure_delay), flight.timestamp));
    flights.truncate(n);
    Ok(flights)
}

/// What one aircraft did on one day.
pub(crate) fn aircraft_on(
    year: &YearSnapshot,
    tail_number: Text<6>,
    date: Date,
) -> Result<Vec<Flight>, QueryError> {
    let aircraft = Flight::TAIL_NUMBER.eq(tail_number);
    Ok(year.flights.query(aircraft).timestamps(day(date)).collect()?.into())
}

/// Flights to airports above `altitude` feet.
///
/// One groove is asked for the airports, the other for the flights to any of them.
pub(crate) fn to_airports_above(
    year: &YearSnapshot,
    altitude: i16,
    timestamps: Range<u64>,
) -> Result<Vec<Landing>, QueryError> {
    let airports = year.airports.query(Airport::ALTITUDE.gt(altitude)).collect()?;
    let there = Flight::DESTINATION.one_of(airports.iter().map(|airport| airport.code));
    let landing = |flight: Result<Flight, QueryError>| {
        let flight = flight?;
        let airport = airports.iter().find(|airport| airport.code == flight.destination);
        Ok(Landing { flight, airport: *airport.expect("the query asked for these airports") })
    };
    year.flights.query(there).timestamps(timestamps).iter().map(landing).collect()
}

/// How many flights each airline planned and cancelled.
///
/// Counts come from the indexes alone; no flight is read.
pub(crate) fn tallies(year: &YearSnapshot) -> Result<Vec<Tally>, QueryError> {
    let tally = |airline: Result<Airline, QueryError>| {
        let airline = airline?;
        let planned = Flight::CARRIER.eq(airline.carrier);
        let cancelled = planned.clone() & Flight::DEPARTURE_DELAY.eq(None);
        let (flights, cancelled) = (year.flights.count(planned)?, year.flights.count(cancelled)?);
        Ok(Tally { airline, flights, cancelled })
    };
    let mut tallies = year
        .airlines
        .query(groove::Predicate::all())
        .iter()
        .map(tally)
        .collect::<Result<Vec<Tally>, QueryError>>()?;
    tallies.sort_by_key(|tally| std::cmp::Reverse(tally.flights));
    Ok(tallies)
}

/// A page of one flight number's departures, the latest first; `after` is the cursor that the page
/// before it ended with.
pub(crate) fn departures(
    year: &YearSnapshot,
    designator: (Text<2>, u16),
    after: Option<groove::Cursor>,
    limit: usize,
) -> Result<Page<Flight>, QueryError> {
    let departures = Flight::DESIGNATOR.eq(designator);
    year.flights.query(departures).newest_first().after(after).limit(limit).collect()
}

/// Flights of at least `distance` miles out of any of `origins` that `carrier` did not make.
pub(crate) fn long_flights_of_others(
    year: &YearSnapshot,
    origins: [&str; 2],
    distance: u16,
    carrier: &str,
    date: Date,
) -> Result<Vec<Flight>, QueryError> {
    let [one, other] = origins.map(|origin| Flight::ORIGIN.eq(origin));
    let long = Flight::DISTANCE.ge(distance);
    let predicate = (one | other) & long & !Flight::CARRIER.eq(carrier);
    Ok(year.flights.query(predicate).timestamps(day(date)).collect()?.into())
}
