//! What queries read: as little as the method's documentation says.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::QueryError;
use crate::query::{Predicate, Query};

use super::item::{Item, view_of};
use super::mock::Device;

/// 10,000 items: every second has tiny 1, every hundredth small 7, every thousandth wide 3.
fn query(predicate: Predicate<Item>) -> (Query<Item>, Arc<Device>) {
    let item = |n: u64| Item {
        id: u128::from(n),
        code: n,
        tiny: u8::from(n.is_multiple_of(2)),
        small: if n.is_multiple_of(100) { 7 } else { 1 },
        wide: if n.is_multiple_of(1000) { 3 } else { n << 8 },
        timestamp: n,
        ..Item::default()
    };
    let items: Vec<Item> = (1..=10_000).map(item).collect();
    let (view, device) = view_of(&items);
    (Query::new(view, predicate), device)
}

/// Rows that were looked up, whole or in part.
fn rows(device: &Device) -> u64 {
    device.looked_up.load(Relaxed) + device.tested.load(Relaxed)
}

#[test]
fn an_intersection_costs_what_its_smallest_side_does() {
    let parts = [Item::TINY.eq(1), Item::SMALL.eq(7), Item::WIDE.eq(3)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (query, device) = query(Predicate::all_of(order.map(|i| parts[i].clone())));
        assert_eq!(query.iter_timestamps().count(), 10);
        let scanned = device.scanned.load(Relaxed);
        assert!(scanned <= 60, "{scanned} entries for 10 of 10, 100 and 5,000, in order {order:?}");
    }
}

#[test]
fn a_limit_stops_the_scan() {
    let (query, device) = query(Item::TINY.eq(1));
    assert_eq!(query.clone().limit(5).newest_first().collect().expect("no read fails").len(), 5);
    assert_eq!(device.scanned.load(Relaxed), 6, "one more, to know whether there is more");
    assert_eq!(device.looked_up.load(Relaxed), 5);

    device.reset(0);
    assert!(query.first().expect("no read fails").is_some());
    assert_eq!((device.scanned.load(Relaxed), device.looked_up.load(Relaxed)), (1, 1));

    device.reset(0);
    assert!(query.exists().expect("no read fails"));
    assert_eq!((device.scanned.load(Relaxed), device.looked_up.load(Relaxed)), (1, 0));
}

#[test]
fn an_iterator_begins_with_small_batches_and_reads_nothing_before() {
    let (query, device) = query(Item::TINY.eq(1));
    let mut iter = query.iter();
    assert_eq!(device.calls.load(Relaxed), 0);
    assert!(iter.next().is_some_and(|first| first.is_ok()));
    assert_eq!(device.looked_up.load(Relaxed), 16);
    assert_eq!(iter.by_ref().take(16).count(), 16);
    assert_eq!(device.looked_up.load(Relaxed), 16 + 32);
    assert_eq!(iter.count(), 5000 - 17);
    assert_eq!(device.looked_up.load(Relaxed), 5000);
}

#[test]
fn all_objects_are_one_scan_of_the_object_tree() {
    for predicate in [Predicate::all(), Item::TIMESTAMP.gt(9_000), Item::TINY.range(..)] {
        let (query, device) = query(predicate);
        let length = query.collect().expect("no read fails").len() as u64;
        assert_eq!(device.scanned.load(Relaxed), length);
        assert_eq!(device.looked_up.load(Relaxed), 0);
    }
}

#[test]
fn conditions_on_timestamps_read_nothing_beside_an_index() {
    let window = Item::TIMESTAMP.range(5_000..5_010) & Item::TIMESTAMP.ne(5_004);
    let (query, device) = query(Item::TINY.eq(1) & window & Item::SMALL.ne(7));
    assert_eq!(query.iter_timestamps().count(), 3);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 8, "{scanned} entries");
}

/// A range of a few keys was collected: all entries of these keys, of whatever time.
#[test]
fn a_range_of_a_few_keys_is_read_where_the_answer_is() {
    let few = Item::SMALL.range(2..=9);
    let (query, device) = query(few.clone() & Item::TIMESTAMP.range(5_000..5_200));
    assert_eq!(query.iter_timestamps().count(), 2);
    assert!(device.scanned.load(Relaxed) <= 16, "{} entries", device.scanned.load(Relaxed));

    let (query, device) = self::query(few & Item::WIDE.eq(3));
    assert_eq!(query.iter_timestamps().count(), 10);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 60, "{scanned} entries of 100 beside 10");
}

/// A condition on another index was looked for there, though the row that another part of the same disjunction looks at
/// tells.
#[test]
fn parts_of_a_disjunction_are_tested_on_the_row_that_one_of_them_looks_at() {
    let either = Item::CODE.range(..5_000) | Item::SMALL.range(7..=8);
    let (query, device) = query(Item::WIDE.eq(3) & either);
    assert_eq!(query.iter_timestamps().count(), 10);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 12, "{scanned} entries for 10");
    assert_eq!(rows(&device), 10);
}

#[test]
fn a_count_on_one_index_scans_nothing() {
    let (query, device) = query(Item::TINY.eq(1));
    assert_eq!(query.count().expect("no read fails"), 5000);
    assert_eq!(query.clone().timestamps(..=100).count().expect("no read fails"), 50);
    assert_eq!((device.scanned.load(Relaxed), device.counts.load(Relaxed)), (0, 2));
    let (view, device) = view_of(&[]);
    for predicate in [
        Item::WIDE.range(3..),
        Item::SMALL.is_none(),
        Item::TINY.ne(1),
        Item::TINY.one_of([0, 1, 5]),
        Predicate::all(),
        Item::WIDE.ge(3) & Item::WIDE.lt(700),
    ] {
        let query = Query::new(view.clone(), predicate);
        assert_eq!(query.count().expect("no read fails"), 0);
    }
    assert_eq!(device.scanned.load(Relaxed), 0);
}

/// Of objects, and of other keys than those of an index, trees know how many there are, too.
#[test]
fn a_count_of_all_objects_of_a_window_scans_nothing() {
    let window = Item::TIMESTAMP.range(1_001..=2_000);
    let two_windows = Item::TIMESTAMP.range(5..4_001) | Item::TIMESTAMP.range(5_001..);
    for (predicate, length) in [
        (window.clone(), 1_000),
        (window.clone() & !Item::TINY.eq(1), 500),
        (window.clone() & !(Item::TINY.eq(1) | Item::SMALL.eq(7)), 500),
        (!window.clone(), 9_000),
        (!Item::TINY.eq(1) & Item::TIMESTAMP.one_of([5, 6, 7]), 2),
        (two_windows.clone(), 8_996),
        (Item::CODE.range(101..=300), 200),
        (Item::CODE.range(101..=300) | Item::TINY.eq(1), 5_100),
    ] {
        let about = format!("{predicate:?}");
        let (query, device) = query(predicate.clone());
        assert_eq!(query.count().expect("no read fails"), length, "{about}");
        let scanned = device.scanned.load(Relaxed) + rows(&device);
        assert!(scanned <= 310, "{scanned} entries and rows for {length}: {about}");
        assert_eq!(query.iter_timestamps().count() as u64, length, "{about}");
        // A few are soon met.
        let (query, device) = self::query(predicate);
        assert_eq!(query.limit(3).count().expect("no read fails"), 3.min(length));
        let scanned = device.scanned.load(Relaxed) + rows(&device);
        assert!(scanned <= 210, "{scanned} entries and rows for 3: {about}");
    }
    // For a few objects their number is not asked for, which may be a scan.
    let (limited, device) = query(two_windows);
    assert_eq!(limited.limit(3).count().expect("no read fails"), 3);
    assert_eq!(device.counts.load(Relaxed), 0);
    let (query, device) = query(Predicate::all());
    assert_eq!(query.timestamps(101..=9_900).count().expect("no read fails"), 9_800);
    assert_eq!((device.scanned.load(Relaxed), device.counts.load(Relaxed)), (0, 1));
}

#[test]
fn a_count_of_a_union_or_of_a_negation_scans_what_is_common_to_its_parts() {
    let (tiny, small) = (Item::TINY.eq(1), Item::SMALL.eq(7));
    let wide = Item::WIDE.ge(9_990 << 8);
    for (predicate, length, scanned_max) in [
        (tiny.clone() | small.clone() | wide.clone(), 5_005, 240),
        (!(tiny.clone() | small.clone() | wide.clone()), 4_995, 240),
        (!(tiny.clone() & small.clone() & Item::CODE.ne(100)), 9_901, 220),
        (tiny.clone() & !wide.clone(), 4_995, 30),
        (tiny.clone() & !(small & wide), 5_000, 30),
        (tiny.clone() & !Item::WIDE.one_of([3, 9 << 8]), 4_990, 60),
        // A range of timestamps is one for all of it.
        (tiny & Item::TIMESTAMP.range(1_001..=2_000), 500, 0),
    ] {
        let about = format!("{predicate:?}");
        let (query, device) = query(predicate);
        assert_eq!(query.count().expect("no read fails"), length, "{about}");
        let scanned = device.scanned.load(Relaxed) + rows(&device);
        assert!(scanned <= scanned_max, "{scanned} entries and rows for {length}: {about}");
        assert_eq!(query.iter_timestamps().count() as u64, length, "{about}");
        assert_eq!(query.clone().limit(100).count().expect("no read fails"), 100.min(length));
    }
}

#[test]
fn several_keys_beside_one_are_looked_for_in_the_smaller_side_whatever_comes_first() {
    for predicate in [
        Item::TINY.one_of([0, 1]) & Item::WIDE.eq(3),
        Item::TINY.one_of([0, 1]) & Item::SMALL.eq(7),
        Item::TINY.eq(1) & Item::WIDE.one_of([3, 5, 7]),
        // The union knows how dense it is only when it has begun.
        Item::TINY.one_of([0, 1]) & Item::SMALL.one_of([7, 9]),
    ] {
        let about = format!("{predicate:?}");
        let (query, device) = query(predicate);
        let found = query.collect().expect("no read fails").len() as u64;
        assert!((10..=100).contains(&found), "{about}: {found}");
        let scanned = device.scanned.load(Relaxed);
        assert!(scanned <= 4 * found + 40, "{scanned} entries for {found}: {about}");
    }
}

#[test]
fn what_is_taken_away_of_an_index_leaves_its_other_keys_if_they_are_few() {
    // All but ten have another key.
    let rare = !Item::WIDE.ge(11) & Item::ROW_WIDE.eq(3);
    let (query, device) = query(rare & !Item::TINY.eq(3));
    assert_eq!(query.collect().expect("no read fails").len(), 10);
    let read = device.scanned.load(Relaxed) + rows(&device);
    assert!(read <= 40, "{read} entries and rows for 10");
    let plan = query.explain().expect("no read fails").to_string();
    assert!(!plan.contains("all objects"), "{plan}");
}

/// The other keys are not read where they are many, or more ranges than are counted: 200 of 10,000 less two thirds of
/// the keys are no reason to read the last third.
#[test]
fn what_is_taken_away_by_many_keys_is_asked_for() {
    let third = |n: u64| !n.is_multiple_of(3);
    let keys: Vec<u64> = (1..=10_000).filter(|n| third(*n)).map(|n| n << 8).take(64).collect();
    for removed in [Item::WIDE.one_of(&keys), Item::WIDE.range(200 << 8..7_000 << 8)] {
        let (query, device) = query(Item::SMALL.eq(7) & !removed);
        assert!(query.collect().expect("no read fails").len() >= 30);
        let read = device.scanned.load(Relaxed) + rows(&device);
        assert!(read <= 500, "{read} entries and rows for less than a hundred");
    }
}

#[test]
fn what_is_taken_away_may_leave_more_than_fits_into_the_budget() {
    let (query, device) = query(Item::TINY.eq(1) & !Item::WIDE.ge(11));
    device.withheld_memory.store(u64::MAX - 16, Relaxed);
    assert_eq!(query.collect().expect("rows are tested").len(), 10);
}

#[test]
fn a_limit_counts_for_what_is_taken_away_and_for_alternatives() {
    for predicate in [
        Item::TINY.eq(1) & !Item::WIDE.ge(9_000 << 8),
        Item::TINY.eq(1) & (Item::WIDE.lt(9_000 << 8) | Item::ID.lt(5_000)),
    ] {
        let (query, device) = query(predicate);
        assert_eq!(query.limit(10).collect().expect("no read fails").len(), 10);
        let read = device.scanned.load(Relaxed) + rows(&device);
        assert!(read <= 100, "{read} entries and rows for 10");
    }
}

#[test]
fn an_order_within_a_narrow_range_of_timestamps_walks_not_the_whole_index() {
    for predicate in [Predicate::all(), Item::WIDE.ge(5)] {
        let (query, device) = query(predicate);
        let narrow = query.clone().timestamps(5_001..=5_020);
        let first = narrow.order_by(Item::WIDE).descending().limit(3);
        let top = first.collect().expect("no read fails");
        assert_eq!(
            top.iter().map(|item| item.timestamp).collect::<Vec<_>>(),
            [5_020, 5_019, 5_018]
        );
        let read = device.scanned.load(Relaxed) + rows(&device);
        assert!(read <= 60, "{read} entries and rows for 20");
        // Of a wide one the first are soon met on the index.
        device.reset(0);
        let first = query.timestamps(5_001..).order_by(Item::WIDE).descending().limit(3);
        let top = first.collect().expect("no read fails");
        let timestamps: Vec<u64> = top.iter().map(|item| item.timestamp).collect();
        assert_eq!(timestamps, [9_999, 9_998, 9_997]);
        let read = device.scanned.load(Relaxed) + rows(&device);
        assert!(read <= 60, "{read} entries and rows for three of a half");
    }
}

#[test]
fn many_pairs_of_an_index_and_a_field_are_tested_in_one_scan() {
    let pair = |n: u64| Item::TINY.eq(u8::from(n.is_multiple_of(2))) & Item::ROW_WIDE.eq(n << 8);
    let (query, device) = query(Predicate::any_of((1..=50).map(pair)));
    assert_eq!(query.collect().expect("no read fails").len(), 50);
    let read = device.scanned.load(Relaxed) + rows(&device);
    assert!(read <= 10_100, "{read} entries and rows of 10,000");
}

#[test]
fn a_count_of_two_keys_scans_what_is_in_both() {
    let (all, both) = (Item::TINY.eq(1), Item::SMALL.eq(7));
    for (predicate, length) in [
        (all.clone() | both.clone(), 5_000),
        (!(all.clone() | both.clone()), 5_000),
        (all.clone() & !both.clone(), 4_900),
        (both.clone() & !all.clone(), 0),
        (!all | both, 5_100),
    ] {
        let (query, device) = query(predicate.clone());
        assert_eq!(query.count().expect("no read fails"), length, "{predicate:?}");
        let scanned = device.scanned.load(Relaxed);
        assert!(scanned <= 202, "{scanned} entries for {predicate:?}");
        let limited = query.limit(3).count().expect("no read fails");
        assert_eq!(limited, length.min(3), "{predicate:?}");
    }
}

#[test]
fn a_count_of_a_range_within_a_narrow_range_of_timestamps_walks_the_objects() {
    let (query, device) = query(Item::WIDE.gt(0));
    assert_eq!(query.timestamps(5_000..5_100).count().expect("no read fails"), 100);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 110, "{scanned} entries and rows within a hundred timestamps");
}

#[test]
fn unique_keys_are_looked_up_together() {
    let (query, device) = query(Item::CODE.one_of(1..=500) & Item::TINY.eq(1));
    assert_eq!(query.iter_timestamps().count(), 250);
    assert_eq!(device.looked_up.load(Relaxed), 500);
}

#[test]
fn a_range_is_not_read_if_a_smaller_part_is_empty() {
    let (query, device) = query(Item::CODE.eq(77_777) & Item::WIDE.gt(0));
    assert!(!query.exists().expect("no read fails"));
    assert_eq!((device.scanned.load(Relaxed), device.counts.load(Relaxed)), (0, 0));
}

#[test]
fn comparisons_on_one_index_become_one_range() {
    let (query, device) =
        query(Item::WIDE.ge(100 << 8) & Item::WIDE.lt(110 << 8) & Item::WIDE.ne(0));
    assert_eq!(query.iter_timestamps().count(), 10);
    assert_eq!(device.scanned.load(Relaxed), 10);
}

#[test]
fn many_keys_of_one_index_are_collected_instead_of_scanned_side_by_side() {
    for keys in [0..200u64, 0..2_000] {
        let length = keys.end;
        let (query, device) = query(Item::WIDE.one_of(keys.map(|n| (n + 1_001) << 8)));
        assert!(query.exists().expect("no read fails"));
        let scanned = device.scanned.load(Relaxed);
        assert!(scanned <= 1_100, "{scanned} entries or rows to find one of many");
        let expected = (1_001..1_001 + length).filter(|n| n % 1000 != 0).count();
        assert_eq!(query.iter_timestamps().count(), expected);
        assert_eq!(query.newest_first().collect().expect("no read fails").len(), expected);
    }
    let (query, device) = query(Item::CODE.one_of(1..=1_000) & Item::ID.ne(7));
    assert_eq!(query.iter_timestamps().count(), 999);
    assert_eq!(device.looked_up.load(Relaxed), 1_001);
    // A third of all is found sooner by a look at each.
    let (query, device) = self::query(Item::CODE.one_of(1..=3_000) & Item::ID.ne(7));
    assert_eq!(query.iter_timestamps().count(), 2_999);
    assert_eq!((device.scanned.load(Relaxed), rows(&device)), (10_000, 0));
}

/// What was not counted for want of a decision was taken for all objects where there was one: a range that a single
/// key was to be without, and more than 256 keys beside a rare one, were collected, or all objects were walked.
/// `explain` counts everything, and printed the plan that should have been. Now both decide by the same counts.
#[test]
fn what_is_asked_for_is_found_as_explain_says() {
    let many = || Item::WIDE.one_of((0..300).map(|n| n << 8));
    let some = || Item::WIDE.one_of((0..30).map(|n| n << 8));
    let predicates = [
        (Item::WIDE.eq(3) & !Item::ID.lt(9_000), 100),
        (Item::WIDE.eq(3) & !(Item::ID.lt(9_000) | Item::TINY.eq(1)), 100),
        (Item::WIDE.eq(3) & !Item::ID.lt(9_000) & Item::TIMESTAMP.lt(8_000), 100),
        (many() & Item::ID.eq(1_003), 10),
        (some() & Item::ID.eq(1_003), 10),
        (many(), 20_000),
        (!many() & Item::WIDE.eq(3), 100),
        (Item::WIDE.eq(3) | Item::ID.lt(20), 100),
    ];
    for (predicate, most) in predicates {
        let (query, device) = query(predicate);
        let effort = || device.scanned.load(Relaxed) + rows(&device);
        let found = query.collect().expect("no read fails").len();
        let asked = effort();
        device.reset(0);
        let plan = query.explain().expect("no read fails");
        assert_eq!(asked, effort(), "{found} found, but not so:\n{plan}");
        assert!(asked <= most, "{asked} entries and rows for {found}:\n{plan}");
    }
}

#[test]
fn a_disjunction_beside_something_smaller_only_decides() {
    let either = Item::TINY.eq(1) & Item::TIMESTAMP.gt(100) | Item::TIMESTAMP.le(2_000);
    let (query, device) = query(either & Item::WIDE.eq(3));
    assert_eq!(query.iter_timestamps().count(), 10);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 40, "{scanned} entries for 10 objects");
}

#[test]
fn a_range_beside_something_narrow_is_tested_on_rows_and_not_collected() {
    let (query, device) = query(Item::SMALL.eq(7) & Item::WIDE.gt(0));
    assert_eq!(query.collect().expect("no read fails").len(), 100);
    assert_eq!((device.scanned.load(Relaxed), device.looked_up.load(Relaxed)), (100, 100));
    // The other way round the range is the narrow side.
    let (query, device) = self::query(Item::TINY.eq(1) & Item::WIDE.range((9_990 << 8)..));
    assert_eq!(query.iter_timestamps().count(), 5);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 40, "{scanned} entries for the ten of a range");
    assert_eq!(rows(&device), 0);
}

#[test]
fn rows_are_read_whole_at_once_if_most_that_are_tested_are_wanted() {
    for (condition, (found, tested, whole)) in
        [(Item::WIDE.lt(1_000 << 8), (19, 100, 19)), (Item::WIDE.lt(6_000 << 8), (64, 0, 100))]
    {
        let (query, device) = query(Item::SMALL.eq(7) & condition);
        let read = || (device.tested.load(Relaxed), device.looked_up.load(Relaxed));
        assert_eq!(query.collect().expect("no read fails").len(), found);
        assert_eq!(read(), (tested, whole));
        device.reset(0);
        assert_eq!(query.iter_timestamps().count(), found);
        assert_eq!(read(), (100, 0), "no row is wanted");
    }
}

#[test]
fn a_wide_range_with_a_limit_walks_objects_until_there_are_enough() {
    let (query, device) = query(Item::WIDE.gt(2_000 << 8));
    assert_eq!(query.clone().limit(5).newest_first().collect().expect("no read fails").len(), 5);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 10, "{scanned} rows for six");
    device.reset(0);
    assert!(query.exists().expect("no read fails"));
    assert!(device.scanned.load(Relaxed) <= 2_010);
}

#[test]
fn a_narrow_range_of_timestamps_is_walked_instead_of_an_index() {
    let conditions = Item::WIDE.gt(0) & Item::TINY.eq(1) & Item::TIMESTAMP.range(5_000..5_010);
    let (query, device) = query(conditions);
    assert_eq!(query.collect().expect("no read fails").len(), 5);
    let scanned = device.scanned.load(Relaxed);
    assert!(scanned <= 20, "{scanned} entries and rows within ten timestamps");
}

#[test]
fn a_field_without_an_index_is_tested_on_what_the_index_leaves() {
    let (query, device) = query(Item::SMALL.eq(7) & Item::ROW_WIDE.eq(3));
    assert_eq!(query.collect().expect("no read fails").len(), 10);
    assert_eq!((device.scanned.load(Relaxed), device.tested.load(Relaxed)), (100, 100));
    assert_eq!(device.looked_up.load(Relaxed), 10, "whole rows of the answer only");
    let (query, device) = self::query(Item::ROW_WIDE.eq(3));
    assert_eq!(query.count().expect("no read fails"), 10);
    assert_eq!((device.scanned.load(Relaxed), rows(&device)), (10_000, 0));
}

#[test]
fn the_first_of_an_iterator_waits_for_no_other_that_meets_a_test_on_rows() {
    let (query, device) = query(Item::SMALL.eq(7) & Item::ROW_WIDE.eq(3));
    let mut items = query.iter();
    assert_eq!(items.next().expect("there are ten").expect("no read fails").timestamp, 1_000);
    assert_eq!((device.tested.load(Relaxed), device.looked_up.load(Relaxed)), (16, 1));
    assert_eq!(items.count(), 9);
    assert_eq!((device.tested.load(Relaxed), device.looked_up.load(Relaxed)), (100, 10));
}

#[test]
fn rows_in_the_order_of_an_index_are_read_once_or_tested_and_read_if_few_are_wanted() {
    let top = |query: Query<Item>| {
        let top = query.order_by(Item::ID).limit(10).collect().expect("no read fails");
        top.iter().map(|item| item.id).collect::<Vec<_>>()
    };
    // A timestamp needs no row. About 28 entries have ten of four in ten.
    let (query, device) = query(Item::TIMESTAMP.lt(4_000));
    assert_eq!(top(query), (1..=10).collect::<Vec<_>>());
    assert_eq!((device.tested.load(Relaxed), device.looked_up.load(Relaxed)), (0, 28));

    let (query, device) = self::query(Item::ROW_WIDE.eq(3));
    assert_eq!(top(query), (1..=10).map(|n| n * 1_000).collect::<Vec<_>>());
    let (tested, whole) = (device.tested.load(Relaxed), device.looked_up.load(Relaxed));
    // Until the walk has taken too long, and the rest is sorted.
    assert_eq!((tested, whole), (1_235, 1));
}

#[test]
fn the_first_of_an_index_are_a_few_entries_and_their_rows() {
    let (query, device) = query(Predicate::all());
    let top = query.clone().order_by(Item::WIDE).descending().limit(3);
    let top = top.collect().expect("no read fails");
    assert_eq!(top.iter().map(|item| item.timestamp).collect::<Vec<_>>(), [9_999, 9_998, 9_997]);
    let (scanned, rows) = (device.scanned.load(Relaxed), device.looked_up.load(Relaxed));
    assert_eq!((scanned, rows), (4, 3), "an entry more, to know whether there is more");
}

#[test]
fn the_first_few_of_many_are_found_on_the_index_and_those_of_few_are_sorted() {
    let ids = |query: Query<Item>| {
        let lowest = query.order_by(Item::ID).limit(3).collect().expect("no read fails");
        lowest.iter().map(|item| item.id).collect::<Vec<_>>()
    };
    let (query, device) = query(Item::TINY.eq(1));
    assert_eq!(ids(query), [2, 4, 6]);
    let (scanned, rows) = (device.scanned.load(Relaxed), device.looked_up.load(Relaxed));
    assert_eq!((scanned, rows), (8, 8), "every other one is in the answer, and four are wanted");

    let (query, device) = self::query(Item::WIDE.eq(3) & Item::TINY.eq(1));
    assert_eq!(ids(query), [1_000, 2_000, 3_000]);
    let (scanned, rows) = (device.scanned.load(Relaxed), device.looked_up.load(Relaxed));
    assert!(scanned <= 60 && rows == 10, "{scanned} entries and {rows} rows, of ten of the answer");

    // A row does not tell what a function computes: the timestamps are collected, entries walked.
    let (query, device) = self::query(Item::WIDE.eq(3));
    let deepest = query.order_by(Item::DEPTH).limit(3).collect().expect("no read fails");
    assert_eq!(deepest.iter().map(|item| item.id).collect::<Vec<_>>(), [1_000, 2_000, 3_000]);
    assert_eq!(device.looked_up.load(Relaxed), 3, "the rows of the answer only");
}

/// Sorted rows and collected timestamps are within the budget, or tests take their place.
#[test]
fn an_order_that_does_not_fit_into_the_budget_is_found_by_tests_or_refused_by_name() {
    let (query, device) = query(Item::SMALL.eq(7));
    let ordered = query.order_by(Item::ID);
    let whole = ordered.collect().expect("no read fails");
    assert_eq!(device.scanned.load(Relaxed), 100, "sorted");
    for budget in [0, 100, 8 * 100, 64 * 100] {
        device.withheld_memory.store(u64::MAX - budget, Relaxed);
        assert_eq!(ordered.collect().expect("no read fails"), whole, "within {budget} bytes");
    }
    // What other grooves share is no test of a row.
    let (view, device) = view_of(&whole);
    let query = Query::new(view, Predicate::all());
    let shared = query.clone().sharing_timestamps(&query).order_by(Item::ID);
    assert_eq!(shared.collect().expect("no read fails")[..], whole[..]);
    device.withheld_memory.store(u64::MAX - 100, Relaxed);
    let refused = shared.collect().expect_err("it does not fit");
    assert!(matches!(refused, QueryError::OutOfMemory { index: "id", budget: 100, .. }));
    let first = shared.first().expect_err("the timestamps do not fit either");
    assert!(matches!(first, QueryError::OutOfMemory { .. }), "{first}");
}

#[test]
fn what_does_not_fit_into_the_budget_is_tested_on_rows_or_refused_by_name() {
    let (query, device) = query(Item::WIDE.gt(5_000 << 8));
    device.withheld_memory.store(u64::MAX - 1_000, Relaxed);
    assert_eq!(query.iter_timestamps().count(), 4_995);
    assert_eq!(device.scanned.load(Relaxed), 10_000, "rows, since the entries do not fit");

    // A row does not tell what a function computes.
    let (query, device) = self::query(Item::DEPTH.gt(0));
    device.withheld_memory.store(u64::MAX - 1_000, Relaxed);
    let refused = query.collect().expect_err("it does not fit");
    assert!(
        matches!(refused, QueryError::OutOfMemory { index: "depth", budget: 1_000, .. }),
        "{refused}"
    );
    let message = "Item: the query collects more than 1000 bytes, its budget; ask for a smaller range of \
         index `depth`, or raise `Options::query_memory`";
    assert_eq!(refused.to_string(), message);
    device.withheld_memory.store(0, Relaxed);
    assert!(query.collect().is_ok());
}

#[test]
fn explain_shows_what_was_expected_and_what_there_was() {
    let (query, _) = query(Item::TINY.eq(1) & Item::SMALL.eq(7) & Item::WIDE.gt(0));
    let explanation = query.newest_first().limit(20).explain().expect("no read fails");
    assert_eq!((explanation.rows(), explanation.estimated_rows()), (20, 50));
    let printed = "\
Item, newest first, limit 20                    expected      rows    blocks
where wide >= 1, tested on rows                       50        21         0
  all of, by zig-zag                                 100        48         0
    small = 7, scanned                               100        48         0
    tiny = 1, scanned                              5000        48         0";
    let squeeze = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(squeeze(&explanation.to_string()), squeeze(printed), "{explanation}");
}
