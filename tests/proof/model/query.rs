//! Random queries against a filter over all objects.

use std::collections::BTreeMap;
use std::ops::Bound;

use groove::{Cursor, Ordered, Predicate, Query, QueryError, Timestamps};

use super::counts::Counts;
use super::index::{Condition, Holds, IndexModel};
use super::objects::Kind;
use super::reader::Reader;
use super::rng::Rng;

type Indexes<O> = [Box<dyn IndexModel<O>>];

/// A random predicate and its meaning.
pub(crate) fn condition<O: Kind>(
    rng: &mut Rng,
    indexes: &Indexes<O>,
    objects: &BTreeMap<u64, O>,
    depth: u64,
) -> Condition<O> {
    let mut inner = |rng: &mut Rng| condition(rng, indexes, objects, depth - 1);
    match if depth == 0 { 0 } else { rng.below(12) } {
        0..4 => {
            if rng.chance(12) {
                return plain(rng, objects);
            }
            indexes[rng.below(indexes.len() as u64) as usize].condition(rng, objects)
        }
        4..7 => {
            let (a, b) = (inner(rng), inner(rng));
            let holds = Box::new(move |object: &O| (a.holds)(object) && (b.holds)(object));
            Condition { predicate: a.predicate & b.predicate, holds }
        }
        7 | 8 => {
            let (a, b) = (inner(rng), inner(rng));
            let holds = Box::new(move |object: &O| (a.holds)(object) || (b.holds)(object));
            Condition { predicate: a.predicate | b.predicate, holds }
        }
        9 => {
            let a = inner(rng);
            Condition { predicate: !a.predicate, holds: Box::new(move |o: &O| !(a.holds)(o)) }
        }
        10 => {
            let (predicates, all) = several(rng, &mut inner);
            let holds = Box::new(move |object: &O| all.iter().all(|holds| holds(object)));
            Condition { predicate: Predicate::all_of(predicates), holds }
        }
        _ => {
            let (predicates, any) = several(rng, &mut inner);
            let holds = Box::new(move |object: &O| any.iter().any(|holds| holds(object)));
            Condition { predicate: Predicate::any_of(predicates), holds }
        }
    }
}

fn several<O: Kind>(
    rng: &mut Rng,
    inner: &mut dyn FnMut(&mut Rng) -> Condition<O>,
) -> (Vec<Predicate<O>>, Vec<Holds<O>>) {
    (0..rng.below(4)).map(|_| inner(rng)).map(|c| (c.predicate, c.holds)).unzip()
}

/// Conditions that need no index.
fn plain<O: Kind>(rng: &mut Rng, objects: &BTreeMap<u64, O>) -> Condition<O> {
    let handle = Timestamps::<O>::new();
    let at = timestamp(rng, objects);
    let (predicate, holds): (_, Holds<O>) = match rng.below(10) {
        0 => (Predicate::all(), Box::new(|_| true)),
        1 => (Predicate::none(), Box::new(|_| false)),
        2 => (handle.eq(at), Box::new(move |o| o.timestamp() == at)),
        3 => (handle.ne(at), Box::new(move |o| o.timestamp() != at)),
        4 => (handle.lt(at), Box::new(move |o| o.timestamp() < at)),
        5 => (handle.le(at), Box::new(move |o| o.timestamp() <= at)),
        6 => (handle.gt(at), Box::new(move |o| o.timestamp() > at)),
        7 => (handle.ge(at), Box::new(move |o| o.timestamp() >= at)),
        8 => {
            let end = timestamp(rng, objects);
            (handle.range(at..end), Box::new(move |o| (at..end).contains(&o.timestamp())))
        }
        _ => {
            let list = [at, timestamp(rng, objects), 0, u64::MAX];
            (handle.one_of(list), Box::new(move |o| list.contains(&o.timestamp())))
        }
    };
    Condition { predicate, holds }
}

/// A timestamp at or beside that of an object.
fn timestamp<O>(rng: &mut Rng, objects: &BTreeMap<u64, O>) -> u64 {
    let highest = objects.last_key_value().map_or(0, |(timestamp, _)| *timestamp);
    match rng.below(20) {
        0 => 0,
        1 => u64::MAX,
        2 => highest + 1,
        _ => {
            let from = rng.below(highest + 1);
            let found = objects.range(from..).next().map_or(highest, |(timestamp, _)| *timestamp);
            (found + rng.below(3)).saturating_sub(1)
        }
    }
}

/// Asks one random query in one of the ways to end it, page by page too.
pub(crate) fn ask<O: Kind>(
    rng: &mut Rng,
    counts: &mut Counts,
    reader: &mut dyn Reader<O>,
    indexes: &Indexes<O>,
    objects: &BTreeMap<u64, O>,
) {
    let depth = rng.below(4);
    let Condition { predicate, holds } = condition(rng, indexes, objects, depth);
    let shown = format!("{predicate:?}");
    if rng.chance(25) {
        counts.add("count");
        let expected = objects.values().filter(|object| holds(object)).count() as u64;
        assert_eq!(reader.count(predicate), expected, "count of {shown}");
        return;
    }
    let mut query = reader.query(predicate);
    let mut expected: Vec<O> = objects.values().filter(|object| holds(object)).copied().collect();
    if rng.chance(25) {
        let (lower, upper) = (timestamp(rng, objects), timestamp(rng, objects));
        let range = match rng.below(3) {
            0 => (Bound::Included(lower), Bound::Excluded(upper)),
            1 => (Bound::Unbounded, Bound::Included(upper)),
            _ => (Bound::Excluded(lower), Bound::Unbounded),
        };
        query = query.timestamps(range);
        expected.retain(|object| match range {
            (Bound::Included(lower), _) => (lower..upper).contains(&object.timestamp()),
            (Bound::Unbounded, _) => object.timestamp() <= upper,
            _ => object.timestamp() > lower,
        });
    }
    match rng.below(3) {
        0 => {
            query = query.newest_first();
            expected.reverse();
        }
        1 => query = query.oldest_first(),
        _ => {}
    }
    if rng.chance(20) {
        let index = &indexes[rng.below(indexes.len() as u64) as usize];
        index.sort(&mut expected);
        let mut ordered = index.ordered(query);
        if rng.chance(50) {
            ordered = ordered.descending();
            expected.reverse();
        }
        ordered_pages(rng, counts, ordered, &expected, &shown);
        return;
    }
    if rng.chance(35) {
        pages(rng, counts, query, &expected, &shown);
        return;
    }
    if rng.chance(30) {
        let limit = rng.below(20) as usize;
        query = query.limit(limit);
        expected.truncate(limit);
    }
    end(rng, counts, &query, &expected, &shown);
}

/// Ends a query in a random way.
fn end<O: Kind>(rng: &mut Rng, counts: &mut Counts, query: &Query<O>, expected: &[O], shown: &str) {
    match rng.below(6) {
        0 => {
            counts.add("query: collect");
            assert_eq!(&query.collect().expect("readable")[..], expected, "{shown}");
        }
        1 => {
            counts.add("query: iter");
            let found: Result<Vec<O>, QueryError> = query.iter().collect();
            assert_eq!(found.expect("readable"), expected, "{shown}");
        }
        2 => {
            counts.add("query: iter_timestamps");
            let found: Result<Vec<u64>, QueryError> = query.iter_timestamps().collect();
            let expected: Vec<u64> = expected.iter().map(O::timestamp).collect();
            assert_eq!(found.expect("readable"), expected, "{shown}");
        }
        3 => {
            counts.add("query: first");
            assert_eq!(query.first().expect("readable").as_ref(), expected.first(), "{shown}");
        }
        4 => {
            counts.add("query: exists");
            assert_eq!(query.exists().expect("readable"), !expected.is_empty(), "{shown}");
        }
        _ => {
            counts.add("query: count");
            let count = query.count().expect("readable");
            assert_eq!(count, expected.len() as u64, "{shown}");
        }
    }
}

/// Walks through all pages; a cursor survives as bytes, and no other query takes it.
fn pages<O: Kind>(
    rng: &mut Rng,
    counts: &mut Counts,
    query: Query<O>,
    mut expected: &[O],
    shown: &str,
) {
    counts.add("query: pages");
    let mut cursor: Option<Cursor> = None;
    loop {
        let limit = if rng.chance(5) { 0 } else { 1 + rng.below(60) as usize };
        let page = query.clone().after(cursor).limit(limit).collect().expect("readable");
        let (head, rest) = expected.split_at(limit.min(expected.len()));
        assert_eq!(&page[..], head, "page of {shown}");
        if limit == 0 {
            assert_eq!(page.next, cursor, "an empty page hands the cursor on");
            continue;
        }
        assert_eq!(page.next.is_some(), !rest.is_empty(), "end of {shown}");
        expected = rest;
        let Some(next) = page.next else { return };
        assert_eq!(next.timestamp(), head[head.len() - 1].timestamp());
        assert_eq!(Cursor::from_bytes(&next.to_bytes()), Some(next));
        if rng.chance(5) {
            counts.add("foreign cursor");
            let other = query.clone().timestamps(next.timestamp() + 1..);
            let refused = other.after(next).collect();
            assert!(matches!(refused, Err(QueryError::ForeignCursor { .. })), "{refused:?}");
        }
        cursor = Some(next);
        if rng.chance(10) {
            return;
        }
    }
}

/// As [`pages`], in the order of an index.
fn ordered_pages<O: Kind>(
    rng: &mut Rng,
    counts: &mut Counts,
    ordered: Ordered<O>,
    mut expected: &[O],
    shown: &str,
) {
    counts.add("query: pages in an order");
    if rng.chance(20) {
        assert_eq!(ordered.first().expect("readable").as_ref(), expected.first(), "{shown}");
    }
    let mut cursor: Option<Cursor> = None;
    loop {
        let limit = 1 + rng.below(60) as usize;
        let page = ordered.clone().after(cursor).limit(limit).collect().expect("readable");
        let (head, rest) = expected.split_at(limit.min(expected.len()));
        assert_eq!(&page[..], head, "page of {ordered:?}, {shown}");
        assert_eq!(page.next.is_some(), !rest.is_empty(), "end of {ordered:?}, {shown}");
        expected = rest;
        let Some(next) = page.next else { return };
        assert_eq!(Cursor::from_bytes(&next.to_bytes()), Some(next));
        cursor = Some(next);
        if rng.chance(10) {
            return;
        }
    }
}
