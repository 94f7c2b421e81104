//! Pages and cursors.

use std::sync::atomic::Ordering::Relaxed;

use crate::constants::TIMESTAMP_MAX;
use crate::error::QueryError;
use crate::query::cursor::CursorKey;
use crate::query::key_range::EncodedKey;
use crate::query::{Cursor, Ordered, Predicate, Query};
use crate::schema::Schema;

use super::item::{Item, Trees, view_of};
use super::random::pages;

fn items() -> Vec<Item> {
    let item = |n: u64| Item {
        id: u128::from(n),
        tiny: (n % 3) as u8,
        small: (n % 5) as u16,
        timestamp: n * 10,
        ..Item::default()
    };
    (1..=100).map(item).collect()
}

fn query(predicate: Predicate<Item>) -> Query<Item> {
    Query::new(Trees::new(&items()).view(), predicate)
}

fn cursor(query: &Query<Item>) -> Cursor {
    let page = query.clone().limit(3).collect().expect("no read fails");
    page.next.expect("there is more")
}

#[test]
fn pages_one_after_the_other_are_the_whole() {
    for predicate in [Item::TINY.eq(1), Item::TINY.ne(1), Predicate::all(), Item::ID.le(50)] {
        let whole = query(predicate.clone()).collect().expect("no read fails");
        assert_eq!(whole.next, None);
        for limit in [1, 7, 33, 100, 1000] {
            assert_eq!(pages(&query(predicate.clone()), limit), whole[..], "pages of {limit}");
        }
    }
}

#[test]
fn newest_first_is_oldest_first_reversed() {
    let query = query(Item::TINY.eq(1) & Item::SMALL.ne(2));
    let mut newest = query.clone().newest_first().collect().expect("no read fails").into_vec();
    newest.reverse();
    assert_eq!(newest, query.clone().collect().expect("no read fails")[..]);
    assert_eq!(newest, query.newest_first().oldest_first().collect().expect("no read fails")[..]);
}

#[test]
fn a_last_page_that_is_full_has_no_cursor() {
    let all = query(Predicate::all()).limit(100).collect().expect("no read fails");
    assert_eq!((all.len(), all.next), (100, None));
    let some = query(Item::ID.le(10)).limit(10).collect().expect("no read fails");
    assert_eq!((some.len(), some.next), (10, None));
}

#[test]
fn a_page_is_a_slice_and_iterates() {
    let page = query(Item::ID.le(2)).collect().expect("no read fails");
    assert_eq!(page[0].timestamp, 10);
    assert_eq!((&page).into_iter().count(), 2);
    assert_eq!(page.iter().map(|item| item.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(page.into_iter().map(|item| item.id).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_limit_of_zero_hands_the_cursor_on() {
    let query = query(Item::TINY.eq(1));
    let page = query.clone().limit(0).collect().expect("no read fails");
    assert_eq!((page.len(), page.next), (0, None));
    let cursor = cursor(&query);
    let page = query.clone().after(cursor).limit(0).collect().expect("no read fails");
    assert_eq!((page.len(), page.next), (0, Some(cursor)));
    let none = query.limit(0);
    assert_eq!(none.iter().count() + none.iter_timestamps().count(), 0);
    assert_eq!(none.first().expect("no read fails"), None);
    assert!(!none.exists().expect("no read fails"));
    assert_eq!(none.count().expect("no read fails"), 0);
}

/// With a limit of 0 most ends of a query had nothing to do with its cursor, and did not look at it.
#[test]
fn a_cursor_of_another_query_is_refused_whatever_the_limit() {
    let foreign = query(Item::TINY.eq(1)).after(cursor(&query(Item::TINY.eq(2)))).limit(0);
    let is_refused = |error| matches!(error, QueryError::ForeignCursor { .. });
    assert!(foreign.collect().is_err_and(is_refused));
    assert!(foreign.first().is_err_and(is_refused));
    assert!(foreign.exists().is_err_and(is_refused));
    assert!(foreign.count().is_err_and(is_refused));
    let one = |results: Vec<Option<QueryError>>| match &results[..] {
        [Some(QueryError::ForeignCursor { .. })] => {}
        other => panic!("{other:?}"),
    };
    one(foreign.iter().map(Result::err).collect());
    one(foreign.iter_timestamps().map(Result::err).collect());
    let ordered = foreign.order_by(Item::WIDE);
    assert!(ordered.collect().is_err_and(is_refused));
    assert!(ordered.first().is_err_and(is_refused));
    one(ordered.iter().map(Result::err).collect());
}

#[test]
fn a_cursor_counts_for_every_end_of_a_query() {
    let query = query(Item::TINY.eq(1));
    let rest = query.clone().after(cursor(&query));
    assert_eq!(query.count().expect("no read fails"), 34);
    assert_eq!(rest.count().expect("no read fails"), 31);
    assert_eq!(rest.iter_timestamps().count(), 31);
    assert_eq!(rest.first().expect("no read fails").map(|item| item.timestamp), Some(100));
    assert_eq!(rest.clone().after(None).count().expect("no read fails"), 34);
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let query_of = query;
    let query = query_of(Item::TINY.eq(1) & Item::SMALL.eq(2));
    let cursor = cursor(&query);
    let refused = |query: Query<Item>| {
        let query = query.after(cursor).limit(2);
        let foreign = |error: QueryError| match error {
            QueryError::ForeignCursor { groove } => groove == "Item",
            _ => false,
        };
        assert!(query.collect().is_err_and(foreign), "{query:?}");
        assert!(query.first().is_err_and(foreign));
        assert!(query.exists().is_err_and(foreign));
        assert!(query.count().is_err_and(foreign));
        let mut iter = query.iter();
        assert!(
            iter.next().is_some_and(|first| first.is_err_and(foreign)) && iter.next().is_none()
        );
        let mut iter = query.iter_timestamps();
        assert!(
            iter.next().is_some_and(|first| first.is_err_and(foreign)) && iter.next().is_none()
        );
    };
    refused(query.clone().timestamps(..500));
    refused(query_of(Item::TINY.eq(1) & Item::SMALL.eq(3)));
    refused(query_of(Item::TINY.eq(1) | Item::SMALL.eq(2)));
    refused(query_of(Item::SMALL.eq(1) & Item::TINY.eq(2)));
    refused(query_of(!(Item::TINY.eq(1) & Item::SMALL.eq(2))));
    refused(query_of(Item::TINY.eq(1)));
    refused(query_of(Predicate::all()));

    static OTHER: Schema = Schema { name: "Other", ..*<Item as crate::object::Object>::SCHEMA };
    let mut view = Trees::new(&items()).view();
    view.schema = &OTHER;
    let other = Query::new(view, Item::TINY.eq(1) & Item::SMALL.eq(2)).after(cursor);
    let error = other.collect().expect_err("another groove");
    assert!(error.to_string().starts_with("Other: the cursor belongs to another query"));

    let same = query_of(Item::SMALL.eq(2) & Item::TINY.eq(1)).after(cursor);
    assert!(same.collect().is_ok(), "the order of the terms makes no difference");
}

#[test]
fn a_cursor_is_stable_while_objects_come_and_go() {
    let mut trees = Trees::new(&items());
    let ask = |trees: &Trees| Query::new(trees.view(), Item::TINY.eq(1)).limit(3);
    let first = ask(&trees).collect().expect("no read fails");
    trees.insert(&Item { id: 900, tiny: 1, timestamp: 35, ..Item::default() });
    trees.insert(&Item { id: 901, tiny: 1, timestamp: 75, ..Item::default() });
    let next = ask(&trees).after(first.next).collect().expect("no read fails");
    let timestamps: Vec<u64> = first.iter().chain(&next).map(|item| item.timestamp).collect();
    assert_eq!(timestamps, [10, 40, 70, 75, 100, 130]);
}

/// Users keep cursors: these bytes never change.
#[test]
fn the_bytes_of_a_cursor_are_pinned() {
    let cursor = cursor(&query((Item::TINY.eq(1) | !Item::TEXT.ge("B")) & Item::TIMESTAMP.gt(20)));
    let bytes = cursor.to_bytes();
    let printed: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(printed, "3200000000000000c1e001e5096be6c202000000406c0cc8");
    assert_eq!(Cursor::from_bytes(&bytes), Some(cursor));
    assert_eq!(cursor.timestamp(), 50);
}

#[test]
fn bytes_that_are_no_cursor_give_none() {
    let bytes = cursor(&query(Predicate::all())).to_bytes();
    assert_eq!(Cursor::from_bytes(&bytes[..23]), None);
    assert_eq!(Cursor::from_bytes(&[&bytes[..], &[0]].concat()), None);
    assert_eq!(Cursor::from_bytes(&[0; 24]), None);
    for bit in 0..24 * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Cursor::from_bytes(&damaged), None, "bit {bit}");
    }
}

#[test]
fn a_cursor_leads_in_both_directions() {
    let query = query(Item::TINY.eq(1));
    let page = query.clone().limit(3).collect().expect("no read fails");
    let timestamps = |query: Query<Item>| -> Vec<u64> {
        query.iter_timestamps().collect::<Result<_, _>>().expect("no read fails")
    };
    assert_eq!(timestamps(query.clone().after(page.next).limit(2)), [100, 130]);
    assert_eq!(timestamps(query.clone().newest_first().after(page.next)), [40, 10]);
    let second = query.clone().after(page.next).limit(3).collect().expect("no read fails");
    assert_eq!(timestamps(query.newest_first().after(second.previous)), [70, 40, 10]);
}

/// The items of a query in the order of an index, page by page, each read with the cursor of the one
/// before, as bytes in between.
fn ordered_pages(ordered: &Ordered<Item>, limit: usize) -> Vec<Item> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = ordered.clone().limit(limit).after(cursor).collect().expect("no read fails");
        assert!(page.next.is_none() || page.len() == limit, "a page before the last is full");
        assert!(cursor.is_none() || !page.is_empty(), "a cursor promises more");
        all.extend_from_slice(&page);
        match page.next {
            None => return all,
            Some(next) => cursor = Some(Cursor::from_bytes(&next.to_bytes()).expect("its bytes")),
        }
    }
}

fn ids(items: &[Item]) -> Vec<u128> {
    items.iter().map(|item| item.id).collect()
}

#[test]
fn pages_in_the_order_of_an_index_are_the_whole_in_both_directions() {
    let conditions = [
        Predicate::all(),
        Item::TINY.eq(1),
        Item::TINY.ge(1) & Item::SMALL.ne(2),
        Item::ID.le(9),
        Item::DEPTH.is_some(),
        Item::TINY.one_of([0, 2]) & Item::ID.gt(3),
        Predicate::none(),
    ];
    for predicate in conditions {
        let query = query(predicate);
        let orders =
            [query.clone().order_by(Item::TINY), query.clone().order_by(Item::ID)].into_iter();
        let orders = orders.chain([query.clone().order_by(Item::DEPTH)]);
        for ascending in orders {
            let whole = ascending.collect().expect("no read fails").into_vec();
            let mut reversed = whole.clone();
            reversed.reverse();
            for limit in [1, 3, 7, 34, 100, 1000] {
                assert_eq!(ordered_pages(&ascending, limit), whole, "{limit} of {ascending:?}");
                let descending = ascending.clone().descending();
                assert_eq!(
                    ordered_pages(&descending, limit),
                    reversed,
                    "{limit} of {descending:?}"
                );
            }
        }
    }
}

#[test]
fn a_cursor_in_the_order_of_an_index_leads_in_both_directions() {
    // 33 items with each of 0, 1 and 2, and another one of 1: the place is among equal keys.
    let ordered = query(Predicate::all()).order_by(Item::TINY);
    let first = ordered.clone().limit(40).collect().expect("no read fails");
    let second = ordered.clone().after(first.next).limit(3).collect().expect("no read fails");
    assert_eq!(ids(&first[37..]), [13, 16, 19]);
    assert_eq!(ids(&second), [22, 25, 28]);
    let back = ordered.clone().descending();
    let before = back.clone().after(second.previous).limit(2).collect().expect("no read fails");
    assert_eq!(ids(&before), [19, 16]);
    let before = back.after(first.next).limit(2).collect().expect("no read fails");
    assert_eq!(ids(&before), [16, 13]);
    assert_eq!(first.next.map(|cursor| cursor.timestamp()), Some(190));
    let mut walked = Vec::new();
    for item in &ordered.clone().limit(40) {
        walked.push(item.expect("no read fails"));
    }
    assert_eq!(walked, first[..]);
    let walked: Result<Vec<Item>, _> = ordered.limit(40).into_iter().collect();
    assert_eq!(walked.expect("no read fails"), first[..]);
}

/// By each of the ways in which an answer comes into an order.
#[test]
fn a_page_in_the_order_of_an_index_costs_the_page_and_not_what_lies_before_it() {
    let item = |n: u64| Item {
        id: u128::from(n),
        code: n,
        tiny: (n % 2) as u8,
        wide: n / 4,
        timestamp: n,
        ..Item::default()
    };
    let (view, device) = view_of(&(1..=10_000).map(item).collect::<Vec<_>>());
    for (predicate, entries) in [
        (Predicate::all(), 11),
        (Item::WIDE.gt(5), 12),
        (Item::ROW_WIDE.gt(5), 12),
        (Item::TINY.eq(1), 23),
        (Item::CODE.ne(7) & Item::TINY.ne(0), 23),
    ] {
        for (index, descends) in [(0, false), (1, false), (0, true), (1, true)] {
            let query = Query::new(view.clone(), predicate.clone());
            let ordered = match index {
                0 => query.order_by(Item::WIDE),
                _ => query.order_by(Item::ID),
            };
            let ordered = if descends { ordered.descending() } else { ordered };
            let far = ordered.clone().limit(4_000).collect().expect("no read fails");
            device.reset(0);
            let page = ordered.limit(10).after(far.next).collect().expect("no read fails");
            assert_eq!(page.len(), 10);
            let rows = device.looked_up.load(Relaxed).max(device.tested.load(Relaxed));
            let scanned = device.scanned.load(Relaxed);
            assert!(
                scanned <= entries + 1 && rows <= entries,
                "{scanned} entries and {rows} rows for ten of {predicate:?} in the order of {index}"
            );
        }
    }
}

#[test]
fn an_item_whose_key_changes_between_pages_is_where_its_key_is_now() {
    let item = |id: u64, tiny: u8| Item { id: id.into(), tiny, timestamp: id, ..Item::default() };
    let ask = |items: &[Item]| {
        Query::new(Trees::new(items).view(), Predicate::all()).order_by(Item::TINY).limit(3)
    };
    let mut items = [item(1, 1), item(2, 2), item(3, 3), item(4, 4), item(5, 5), item(6, 6)];
    let first = ask(&items).collect().expect("no read fails");
    assert_eq!(ids(&first), [1, 2, 3]);
    items[0].tiny = 9; // from before the place to behind it: it is given again
    items[2].tiny = 5; // so is the one that the cursor is at
    items[5].tiny = 0; // from behind the place to before it: it is not given at all
    let next = ask(&items).after(first.next).collect().expect("no read fails");
    assert_eq!(ids(&next), [4, 3, 5]);
    let last = ask(&items).after(next.next).collect().expect("no read fails");
    assert_eq!(ids(&last), [1]);
    assert_eq!(last.next, None);
    let back = ask(&items).descending().after(next.previous).collect().expect("no read fails");
    assert_eq!(ids(&back), [2, 6]);
    // The object at the cursor may be gone.
    let rest = ask(&[items[0], items[1], items[4]]).after(first.next).collect();
    assert_eq!(ids(&rest.expect("no read fails")), [5, 1]);
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let query = query(Item::TINY.eq(1));
    let ordered = query.clone().order_by(Item::SMALL);
    let cursor = ordered.clone().limit(3).collect().expect("no read fails").next.expect("more");
    let foreign = |error: QueryError| matches!(error, QueryError::ForeignCursor { groove: "Item" });
    let refused = |ordered: Ordered<Item>, cursor: Cursor| {
        let ordered = ordered.after(cursor).limit(2);
        assert!(ordered.collect().is_err_and(foreign), "{ordered:?}");
        assert!(ordered.first().is_err_and(foreign));
        assert!(ordered.explain().is_err_and(foreign));
        let mut iter = ordered.iter();
        assert!(iter.next().is_some_and(|first| first.is_err_and(foreign)));
        assert!(iter.next().is_none());
    };
    refused(query.clone().order_by(Item::WIDE), cursor);
    refused(query.clone().order_by(Item::ID), cursor);
    refused(query.clone().timestamps(..500).order_by(Item::SMALL), cursor);
    refused(self::query(Item::TINY.eq(0)).order_by(Item::SMALL), cursor);
    assert!(query.clone().after(cursor).collect().is_err_and(foreign), "not in the order of time");
    let of_time = self::cursor(&query);
    refused(ordered.clone(), of_time);
    // As if somebody had made it up: never a panic.
    let key = cursor.key.expect("it has a key");
    for width in [1, 3, 32] {
        refused(ordered.clone(), Cursor { key: Some(CursorKey { width, ..key }), ..cursor });
    }
    refused(ordered.clone(), Cursor { key: None, ..cursor });
    for (number, timestamp) in [(0, 1), (u64::MAX, TIMESTAMP_MAX), (0, TIMESTAMP_MAX)] {
        let key = CursorKey { key: EncodedKey::from_u64(number), ..key };
        let made_up = ordered.clone().after(Cursor { timestamp, key: Some(key), ..cursor });
        assert!(made_up.collect().is_ok() && made_up.descending().collect().is_ok());
    }

    assert!(ordered.clone().descending().after(cursor).collect().is_ok(), "the other direction");
    let same = query.after(cursor).order_by(Item::SMALL).limit(2).collect();
    let other = ordered.after(cursor).limit(2).collect();
    assert_eq!(same.expect("no read fails"), other.expect("no read fails"), "before or behind");
}

/// Users keep cursors: these bytes never change.
#[test]
fn the_bytes_of_a_cursor_in_the_order_of_an_index_are_pinned() {
    let ordered = query(Item::TINY.eq(1)).order_by(Item::TINY_SMALL).limit(4);
    let cursor = ordered.collect().expect("no read fails").next.expect("there is more");
    let bytes = cursor.to_bytes();
    let printed: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(printed, "2602000000000000d8e0757aa2f3e9d303030000010000dc285e49");
    assert_eq!(Cursor::from_bytes(&bytes), Some(cursor));
    let widest = query(Predicate::all()).order_by(Item::HASH).limit(1).collect();
    let widest = widest.expect("no read fails").next.expect("there is more");
    assert_eq!(widest.to_bytes().len(), 24 + 32);

    for cursor in [cursor, widest] {
        let bytes = cursor.to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Cursor::from_bytes(&bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(Cursor::from_bytes(&[&bytes[..], &[0]].concat()), None);
        for (at, byte) in (0..bytes.len()).flat_map(|at| (1..=255).map(move |byte| (at, byte))) {
            let mut damaged = bytes.clone();
            damaged[at] ^= byte;
            assert_eq!(Cursor::from_bytes(&damaged), None, "byte {at} by {byte}");
        }
    }
}
