//! A snapshot against what it must hold: every object, every index, random questions.

use std::collections::BTreeMap;

use groove::{Cursor, Lookup, Page, Predicate, Query, Timestamps};

use super::store::{Event, IDS, Id, Model, Order, REFERENCES, SHELVES, StoreSnapshot, TAGS, id};
use crate::model::rng::Rng;

/// Compares everything, and asks `questions` random questions.
pub(super) fn compare(snapshot: &StoreSnapshot, model: &Model, rng: &mut Rng, questions: u32) {
    let orders = snapshot.orders.query(Predicate::all()).collect().unwrap().into_vec();
    assert!(orders.iter().eq(model.orders.values()), "the orders differ");
    let events = snapshot.events.query(Predicate::all()).collect().unwrap().into_vec();
    assert!(events.iter().eq(model.events.values()), "the events differ");
    assert_eq!(snapshot.orders.len(), model.orders.len() as u64);
    assert_eq!(snapshot.events.len(), model.events.len() as u64);
    look_up(snapshot, model);
    indexes(snapshot, model);
    for _ in 0..questions {
        ask(snapshot, model, rng);
    }
}

fn look_up(snapshot: &StoreSnapshot, model: &Model) {
    for number in 0..IDS {
        let id = id(number);
        let expected = match model.ids.get(&id) {
            Some(timestamp) => Lookup::Found(model.orders[timestamp]),
            None if model.orphans.contains(&id) => Lookup::Orphaned,
            None => Lookup::Absent,
        };
        assert_eq!(snapshot.orders.lookup(id).unwrap(), expected, "order {number}");
    }
    let ids: Vec<Id> = (0..IDS).map(id).collect();
    let found = snapshot.orders.get_many(ids.iter()).unwrap();
    let expected = ids.iter().map(|id| model.ids.get(id).map(|timestamp| model.orders[timestamp]));
    assert!(found.into_iter().eq(expected), "orders that are looked up together differ");
    for reference in 1..=REFERENCES {
        let expected = model.references.get(&reference).map(|timestamp| model.orders[timestamp]);
        assert_eq!(snapshot.orders.find(Order::REFERENCE, reference).unwrap(), expected);
    }
}

/// Each index against the objects: the entries of each key, and how many there are.
fn indexes(snapshot: &StoreSnapshot, model: &Model) {
    let mut shelves: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
    let mut tags: BTreeMap<Id, Vec<u64>> = BTreeMap::new();
    for order in model.orders.values() {
        shelves.entry(order.shelf).or_default().push(order.timestamp);
        tags.entry(order.tag).or_default().push(order.timestamp);
    }
    for shelf in 0..SHELVES as u8 {
        let expected = shelves.remove(&shelf).unwrap_or_default();
        entries(snapshot, Order::SHELF.eq(shelf), &expected);
    }
    for tag in (0..TAGS).map(id) {
        let expected = tags.remove(&tag).unwrap_or_default();
        entries(snapshot, Order::TAG.eq(tag), &expected);
    }
    let tagged = model.orders.values().filter(|order| order.tag != [0; 32]).count();
    assert_eq!(snapshot.orders.count(Order::TAG.is_some()).unwrap(), tagged as u64);
    let referred = model.references.len() as u64;
    assert_eq!(snapshot.orders.count(Order::REFERENCE.is_some()).unwrap(), referred);
    for kind in 0..7 {
        let expected = model.events.values().filter(|event| event.kind == kind);
        let found = snapshot.events.query(Event::KIND.eq(kind)).collect().unwrap().into_vec();
        assert!(found.iter().eq(expected), "events of kind {kind} differ");
    }
}

fn entries(snapshot: &StoreSnapshot, predicate: Predicate<Order>, expected: &[u64]) {
    assert_eq!(snapshot.orders.count(predicate.clone()).unwrap(), expected.len() as u64);
    let mut query = snapshot.orders.query(predicate);
    let found: Vec<u64> = query.iter_timestamps().map(Result::unwrap).collect();
    assert_eq!(found, expected, "the entries of a key");
    query = query.newest_first();
    let found: Vec<u64> = query.iter_timestamps().map(Result::unwrap).collect();
    assert!(found.iter().eq(expected.iter().rev()), "the entries of a key, descending");
}

type Holds = Box<dyn Fn(&Order) -> bool>;

fn condition(rng: &mut Rng, model: &Model, depth: u32) -> (Predicate<Order>, Holds) {
    match rng.below(if depth == 0 { 5 } else { 12 }) {
        0 => {
            let shelf = rng.below(SHELVES) as u8;
            (Order::SHELF.eq(shelf), Box::new(move |order| order.shelf == shelf))
        }
        1 => {
            let range = rng.below(SHELVES) as u8..=rng.below(SHELVES) as u8;
            (Order::SHELF.range(range.clone()), Box::new(move |o| range.contains(&o.shelf)))
        }
        2 => {
            let tag = id(rng.below(TAGS));
            (Order::TAG.ge(tag), Box::new(move |o| o.tag != [0; 32] && o.tag >= tag))
        }
        3 => {
            let reference = 1 + rng.below(REFERENCES);
            let holds = move |o: &Order| o.reference != 0 && o.reference <= reference;
            (Order::REFERENCE.le(reference), Box::new(holds))
        }
        4 => {
            let highest = model.orders.last_key_value().map_or(1, |(timestamp, _)| *timestamp);
            let from = rng.below(highest + 1);
            let handle = Timestamps::<Order>::new();
            (handle.gt(from), Box::new(move |order| order.timestamp > from))
        }
        5 | 6 => {
            let (a, b) = (condition(rng, model, depth - 1), condition(rng, model, depth - 1));
            (a.0 | b.0, Box::new(move |order| a.1(order) || b.1(order)))
        }
        7 | 8 => {
            let a = condition(rng, model, depth - 1);
            (!a.0, Box::new(move |order| !a.1(order)))
        }
        _ => {
            let (a, b) = (condition(rng, model, depth - 1), condition(rng, model, depth - 1));
            (a.0 & b.0, Box::new(move |order| a.1(order) && b.1(order)))
        }
    }
}

/// A random predicate, in either direction, whole and in pages.
fn ask(snapshot: &StoreSnapshot, model: &Model, rng: &mut Rng) {
    let (predicate, holds) = condition(rng, model, 3);
    let mut expected: Vec<Order> =
        model.orders.values().filter(|order| holds(order)).copied().collect();
    let shown = format!("{predicate:?}");
    let count = snapshot.orders.count(predicate.clone()).unwrap();
    assert_eq!(count, expected.len() as u64, "the count of {shown}");
    let mut query = snapshot.orders.query(predicate);
    let limit = 1 + rng.below(60) as usize;
    if rng.chance(30) {
        return ask_in_order(query, expected, limit, rng, &shown);
    }
    if rng.chance(50) {
        query = query.newest_first();
        expected.reverse();
    }
    pages(
        |cursor| query.clone().limit(limit).after(cursor).collect().unwrap(),
        &expected,
        limit,
        &shown,
    );
}

/// In the order of an index, in pages.
fn ask_in_order(
    query: Query<Order>,
    mut expected: Vec<Order>,
    limit: usize,
    rng: &mut Rng,
    shown: &str,
) {
    let mut ordered = if rng.chance(50) {
        expected.retain(|order| order.tag != [0; 32]);
        expected.sort_by_key(|order| (order.tag, order.timestamp));
        query.order_by(Order::TAG)
    } else {
        expected.sort_by_key(|order| (order.shelf, order.timestamp));
        query.order_by(Order::SHELF)
    };
    if rng.chance(50) {
        ordered = ordered.descending();
        expected.reverse();
    }
    pages(
        |cursor| ordered.clone().limit(limit).after(cursor).collect().unwrap(),
        &expected,
        limit,
        shown,
    );
}

/// Page by page it is the whole answer.
fn pages(
    page: impl Fn(Option<Cursor>) -> Page<Order>,
    expected: &[Order],
    limit: usize,
    shown: &str,
) {
    let mut found: Vec<Order> = Vec::new();
    let mut cursor = None;
    loop {
        let page = page(cursor);
        cursor = page.next;
        let page = page.into_vec();
        assert!(page.len() == limit || cursor.is_none(), "a page is full or the last of {shown}");
        found.extend(page);
        if cursor.is_none() {
            break;
        }
        assert!(found.len() < expected.len(), "a page too many of {shown}");
    }
    assert!(found == expected, "the answer to {shown}");
}
