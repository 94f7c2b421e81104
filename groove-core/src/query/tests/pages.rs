//! Pages and cursors.

use crate::error::QueryError;
use crate::query::{Cursor, Predicate, Query};
use crate::schema::Schema;

use super::item::{Item, Trees};
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
        let mut damaged = bytes;
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
