//! Conditions on the fields of a compound index, which nobody names.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::query::{Predicate, Query};

use super::item::{Item, view_of};
use super::mock::Device;

/// 10,000 items in turn: each tiny from 0 to 9, and of one tiny each small from 0 to 99 ten times.
fn query(predicate: Predicate<Item>) -> (Query<Item>, Arc<Device>) {
    let item = |n: u64| Item {
        id: u128::from(n),
        code: n,
        tiny: (n % 10) as u8,
        small: (n / 10 % 100) as u16,
        wide: n << 8,
        timestamp: n,
        ..Item::default()
    };
    let items: Vec<Item> = (1..=10_000).map(item).collect();
    let (view, device) = view_of(&items);
    (Query::new(view, predicate), device)
}

/// Entries and rows that were read.
fn read(device: &Device) -> u64 {
    let (scanned, looked_up) = (&device.scanned, &device.looked_up);
    scanned.load(Relaxed) + looked_up.load(Relaxed) + device.tested.load(Relaxed)
}

#[test]
fn conditions_on_all_fields_are_one_scan_of_the_compound_index() {
    for tiny in [Item::TINY.eq(3), Item::ROW_TINY.eq(3)] {
        let (query, device) = query(Item::ROW_SMALL.eq(42) & tiny);
        assert_eq!(query.iter_timestamps().count(), 10);
        assert_eq!(read(&device), 10);
        let plan = query.explain().expect("no read fails").to_string();
        assert!(plan.contains("tiny_small = (3, 42), scanned"), "{plan}");
        assert!(!plan.contains("tested"), "{plan}");
    }
}

#[test]
fn a_few_values_of_each_field_are_as_many_scans() {
    let few = Item::TINY.one_of([3, 5]) & Item::ROW_SMALL.one_of([42, 43, 44]);
    let (query, device) = query(few);
    assert_eq!(query.iter_timestamps().count(), 60);
    assert_eq!(read(&device), 60);
}

#[test]
fn a_range_of_the_last_field_is_collected_if_that_is_less_than_to_test_rows() {
    let (query, device) = query(Item::TINY.eq(3) & Item::ROW_SMALL.lt(2));
    assert_eq!(query.collect().expect("no read fails").len(), 20);
    assert!(read(&device) <= 40, "{} entries and rows for 20", read(&device));

    // The first few are soon found where many meet the condition.
    let (query, device) = self::query(Item::TINY.eq(3) & Item::ROW_SMALL.lt(90));
    assert_eq!(query.limit(5).collect().expect("no read fails").len(), 5);
    assert!(read(&device) <= 100, "{} entries and rows for 5 of 900", read(&device));
}

#[test]
fn a_condition_on_the_first_field_alone_is_the_beginning_of_keys() {
    let (query, device) = query(Item::ROW_TINY.eq(3) & Item::WIDE.lt(9_000 << 8));
    let found = query.iter_timestamps().count();
    assert_eq!(found, 900);
    assert!(!query.explain().expect("no read fails").to_string().contains("all objects"));
    assert!(read(&device) < 10_000, "{} entries and rows", read(&device));
}

#[test]
fn counts_of_conditions_on_the_fields_come_from_the_tree() {
    let both = Item::TINY.eq(3) & Item::ROW_SMALL.eq(42);
    for (predicate, length, read_max) in [
        (both.clone(), 10, 0),
        (!both.clone(), 9_990, 0),
        (Item::ROW_TINY.eq(3), 1_000, 0),
        (Item::ROW_TINY.gt(7), 2_000, 0),
        (Item::ROW_TINY.gt(7) & Item::ROW_SMALL.eq(3), 20, 4_000),
        (Item::TINY.eq(3) & Item::ROW_SMALL.range(10..20), 100, 0),
        (both.clone() & Item::TIMESTAMP.le(5_000), 5, 0),
        (both.clone() & !Item::WIDE.eq(423 << 8), 9, 12),
        (both | Item::ROW_TINY.eq(4), 1_010, 20),
    ] {
        let about = format!("{predicate:?}");
        let (query, device) = query(predicate);
        assert_eq!(query.count().expect("no read fails"), length, "{about}");
        let read = read(&device);
        assert!(read <= read_max, "{read} entries and rows for {length}: {about}");
    }
}

#[test]
fn the_order_of_a_compound_index_is_walked_where_the_conditions_say() {
    let (query, device) = query(Item::TINY.eq(3) & Item::ROW_SMALL.ge(42));
    let ordered = query.order_by(Item::TINY_SMALL).limit(12);
    let found = ordered.collect().expect("no read fails");
    assert!(found.iter().all(|item| item.tiny == 3 && (42..44).contains(&item.small)));
    assert!(read(&device) <= 26, "{} entries and rows for 12", read(&device));

    // What the index does not say is tested on what it leaves.
    let (query, device) = self::query(Item::ROW_TINY.eq(3) & Item::ROW_WIDE.gt(5_000 << 8));
    let found = query.order_by(Item::TINY_SMALL).descending().limit(12).collect();
    let found = found.expect("no read fails");
    assert_eq!(found.len(), 12);
    assert!(found.iter().all(|item| item.tiny == 3 && item.small >= 97));
    assert!(read(&device) <= 120, "{} entries and rows for 12", read(&device));
}

/// An index that leaves out zero says nothing of the objects that have it, and a compound index has them.
#[test]
fn conditions_on_an_optional_index_are_not_those_of_the_compound_one() {
    let (query, _) = query(Item::TINY.eq(3) & Item::SMALL.eq(0));
    assert_eq!(query.count().expect("no read fails"), 0);
    let (query, _) = self::query(Item::TINY.eq(3) & Item::ROW_SMALL.eq(0));
    assert_eq!(query.count().expect("no read fails"), 10);
}
