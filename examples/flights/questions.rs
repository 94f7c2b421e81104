//! What the example asks: each question is a function from a snapshot to data.

use std::ops::Range;

use groove::{Ordered, Page, Query, QueryError, Text};

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
    route: (&str, &str),
    timestamps: Range<u64>,
    delay: i16,
) -> Result<Vec<Flight>, QueryError> {
    late_on_route_query(year, carrier, route, timestamps, delay).collect().map(Page::into_vec)
}

/// The query of [`late_on_route`].
pub(crate) fn late_on_route_query(
    year: &YearSnapshot,
    carrier: &str,
    route: (&str, &str),
    timestamps: Range<u64>,
    delay: i16,
) -> Query<Flight> {
    let on_route = Flight::ROUTE.eq(route) & Flight::CARRIER.eq(carrier);
    let late = Flight::DEPARTURE_DELAY.gt(delay);
    year.flights.query(on_route & late).timestamps(timestamps)
}

/// The `n` flights out of `origin` that left last, compared with their schedule; the longest delay
/// first, of equal delays the latest flight.
///
/// Either the index of delays is walked from its highest key, until `n` flights of this origin are found,
/// or the flights of this origin are sorted: counts decide.
pub(crate) fn longest_delays(
    year: &YearSnapshot,
    origin: &str,
    n: usize,
) -> Result<Vec<Flight>, QueryError> {
    longest_delays_query(year, origin, n).collect().map(Page::into_vec)
}

/// The query of [`longest_delays`].
pub(crate) fn longest_delays_query(year: &YearSnapshot, origin: &str, n: usize) -> Ordered<Flight> {
    let left = Flight::ORIGIN.eq(origin) & Flight::DEPARTURE_DELAY.is_some();
    year.flights.query(left).order_by(Flight::DEPARTURE_DELAY).descending().limit(n)
}

/// What one aircraft did on one day.
pub(crate) fn aircraft_on(
    year: &YearSnapshot,
    tail_number: Text<6>,
    date: Date,
) -> Result<Vec<Flight>, QueryError> {
    aircraft_on_query(year, tail_number, date).collect().map(Page::into_vec)
}

/// The query of [`aircraft_on`].
pub(crate) fn aircraft_on_query(
    year: &YearSnapshot,
    tail_number: Text<6>,
    date: Date,
) -> Query<Flight> {
    year.flights.query(Flight::TAIL_NUMBER.eq(tail_number)).timestamps(day(date))
}

/// Flights to airports above `altitude` feet.
///
/// A semi-join: one groove is asked for the airports, the other for the flights to any of them.
pub(crate) fn to_airports_above(
    year: &YearSnapshot,
    altitude: i16,
    timestamps: Range<u64>,
) -> Result<Vec<Landing>, QueryError> {
    let flights = to_airports_above_query(year, altitude, timestamps)?;
    let landing = |flight: Result<Flight, QueryError>| {
        let flight = flight?;
        let airport = year.airports.get(flight.destination)?;
        Ok(Landing { flight, airport: airport.expect("the query asked for these airports") })
    };
    flights.iter().map(landing).collect()
}

/// The flights of [`to_airports_above`].
pub(crate) fn to_airports_above_query(
    year: &YearSnapshot,
    altitude: i16,
    timestamps: Range<u64>,
) -> Result<Query<Flight>, QueryError> {
    let high = high_airports_query(year, altitude).keys(Airport::CODE)?;
    Ok(year.flights.query(Flight::DESTINATION.one_of_keys(&high)).timestamps(timestamps))
}

/// The airports of [`to_airports_above`].
pub(crate) fn high_airports_query(year: &YearSnapshot, altitude: i16) -> Query<Airport> {
    year.airports.query(Airport::ALTITUDE.gt(altitude))
}

/// How many flights each airline planned and cancelled.
///
/// Counts come from the indexes alone; no flight is read.
pub(crate) fn tallies(year: &YearSnapshot) -> Result<Vec<Tally>, QueryError> {
    let tally = |airline: Result<Airline, QueryError>| {
        let airline = airline?;
        let planned = Flight::CARRIER.eq(airline.carrier);
        let flights = year.flights.count(planned)?;
        let cancelled = cancelled_query(year, &airline.carrier).count()?;
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
    designator: (&str, u16),
    after: Option<groove::Cursor>,
    limit: usize,
) -> Result<Page<Flight>, QueryError> {
    departures_query(year, designator, after, limit).collect()
}

/// The query of [`departures`].
pub(crate) fn departures_query(
    year: &YearSnapshot,
    designator: (&str, u16),
    after: Option<groove::Cursor>,
    limit: usize,
) -> Query<Flight> {
    let departures = Flight::DESIGNATOR.eq(designator);
    year.flights.query(departures).newest_first().after(after).limit(limit)
}

/// Flights of at least `distance` miles out of any of `origins` that `carrier` did not make.
pub(crate) fn long_flights_of_others(
    year: &YearSnapshot,
    origins: [&str; 2],
    distance: u16,
    carrier: &str,
    date: Date,
) -> Result<Vec<Flight>, QueryError> {
    long_flights_query(year, origins, distance, carrier, date).collect().map(Page::into_vec)
}

/// The query of [`long_flights_of_others`].
pub(crate) fn long_flights_query(
    year: &YearSnapshot,
    origins: [&str; 2],
    distance: u16,
    carrier: &str,
    date: Date,
) -> Query<Flight> {
    let [one, other] = origins.map(|origin| Flight::ORIGIN.eq(origin));
    let long = Flight::DISTANCE.ge(distance);
    let predicate = (one | other) & long & !Flight::CARRIER.eq(carrier);
    year.flights.query(predicate).timestamps(day(date))
}

/// The flights that an airline cancelled, as [`tallies`] counts them.
pub(crate) fn cancelled_query(year: &YearSnapshot, carrier: &str) -> Query<Flight> {
    let cancelled = Flight::DEPARTURE_DELAY.eq(None);
    year.flights.query(Flight::CARRIER.eq(carrier) & cancelled)
}

/// Flights that took longer in the air than `minutes`, the first `n` of a year: no index is on the
/// time in the air.
pub(crate) fn long_in_the_air_query(year: &YearSnapshot, minutes: u16, n: usize) -> Query<Flight> {
    let long = Flight::AIR_TIME.gt(minutes) & Flight::DESTINATION.prefix("H");
    year.flights.query(long).limit(n)
}
