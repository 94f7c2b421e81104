//! Conditions on the fields of a compound index, which nobody names.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use crate::groove::GrooveView;
use crate::object::Object;
use crate::query::{Predicate, Query};
use crate::schema::{IndexKind, IndexSchema, IndexSource, Schema};

use super::item::{Item, view_of};
use super::mock::{Device, MockTree};

/// So many items in turn: each tiny from 0 to 9, and of one tiny each small from 0 to 99 again and again.
fn items(length: u64) -> Vec<Item> {
    let item = |n: u64| Item {
        id: u128::from(n),
        code: n,
        tiny: (n % 10) as u8,
        small: (n / 10 % 100) as u16,
        wide: n << 8,
        timestamp: n,
        ..Item::default()
    };
    (1..=length).map(item).collect()
}

/// Asks 10,000 of them.
fn query(predicate: Predicate<Item>) -> (Query<Item>, Arc<Device>) {
    query_of(&items(10_000), predicate)
}

fn query_of(items: &[Item], predicate: Predicate<Item>) -> (Query<Item>, Arc<Device>) {
    let (view, device) = view_of(items);
    (Query::new(view, predicate), device)
}

/// Schemas are there for ever: AddressSanitizer sees here that nobody forgot them.
static SCHEMAS: Mutex<Vec<&'static Schema>> = Mutex::new(Vec::new());

/// A view with so many more compound indexes, all over tiny and wide.
fn view_with_more(items: &[Item], more: usize) -> (GrooveView, Arc<Device>) {
    let (mut view, device) = view_of(items);
    let index = IndexSchema {
        name: "tiny_wide",
        kind: IndexKind::NonUnique,
        optional: false,
        key_width: 9,
        source: IndexSource::Fields(&["tiny", "wide"]),
    };
    let entry = |item: &Item| (vec![item.tiny.into(), item.wide, item.timestamp], Vec::new());
    let entries: BTreeMap<Vec<u64>, Vec<u8>> = items.iter().map(entry).collect();
    let tree = MockTree { limbs: 3, payload_width: 0, entries, device: device.clone() };
    let mut indexes = Item::SCHEMA.indexes.to_vec();
    let mut trees = view.index_trees.to_vec();
    for _ in 0..more {
        indexes.push(index);
        trees.push(Arc::new(tree.clone()));
    }
    view.index_trees = trees.into();
    let indexes = Box::leak(indexes.into_boxed_slice());
    let schema: &'static Schema = Box::leak(Box::new(Schema { indexes, ..*Item::SCHEMA }));
    SCHEMAS.lock().expect("no test panics there").push(schema);
    view.schema = schema;
    (view, device)
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

/// A view of items of ten tinies, whose wides come in no order and more than once, with an index over both.
fn ten_tinies() -> (Vec<Item>, GrooveView, Arc<Device>) {
    let mixed = |item: Item| Item {
        tiny: (item.timestamp % 10) as u8,
        wide: (item.timestamp * 7_919 % 1_000) << 40,
        ..item
    };
    let items: Vec<Item> = items(10_000).into_iter().map(mixed).collect();
    let (view, device) = view_with_more(&items, 1);
    (items, view, device)
}

/// The order of an index is that of a compound one which ends with its fields, where the others have one value.
#[test]
fn the_order_of_an_index_is_walked_in_a_compound_one_that_ends_with_it() {
    let (items, view, device) = ten_tinies();
    type Case = (Predicate<Item>, fn(&Item) -> bool, u64);
    let cases: [Case; 3] = [
        (Predicate::all(), |_| true, 2),
        (Item::WIDE.ge(500 << 40), |item| item.wide >= 500 << 40, 2),
        (Item::ROW_SMALL.lt(50), |item| item.small < 50, 8),
    ];
    for (more, meets, each) in cases {
        for tiny in [Item::TINY.eq(1), Item::ROW_TINY.eq(1)] {
            let about = format!("{tiny:?} and {more:?}");
            device.reset(u64::MAX);
            let ordered = Query::new(view.clone(), tiny & more.clone()).order_by(Item::WIDE);
            let page = ordered.clone().limit(20).collect().expect("no read fails");
            let read = read(&device);
            assert!(read <= 20 * each + 40, "{read} entries and rows for 20: {about}");

            let is_expected = |item: &&Item| item.tiny == 1 && meets(item);
            let mut expected: Vec<Item> = items.iter().filter(is_expected).copied().collect();
            expected.sort_by_key(|item| (item.wide, item.timestamp));
            assert_eq!(page[..], expected[..20], "{about}");
            // Cursors are those of the order, whatever is walked for it; behind one nothing is read again.
            device.reset(u64::MAX);
            let second = ordered.clone().after(page.next).limit(20).collect().unwrap();
            assert!(self::read(&device) <= 20 * each + 40, "{about}");
            assert_eq!(second[..], expected[20..40], "{about}");
            let back = ordered.clone().descending().after(second.previous).collect().unwrap();
            let rest = expected[..20].iter().rev().copied().collect::<Vec<_>>();
            assert_eq!(back[..], rest, "{about}");
            let last = ordered.descending().first().expect("no read fails");
            assert_eq!(last, expected.last().copied(), "{about}");
        }
    }
}

/// An index over two fields is in the order of its second one for a single value of the first one, and for no more.
#[test]
fn the_order_of_an_index_is_not_that_of_a_compound_one_for_several_values() {
    let (mut items, view, _) = ten_tinies();
    items.sort_by_key(|item| (item.wide, item.timestamp));
    type Case = (Predicate<Item>, fn(&Item) -> bool);
    let cases: [Case; 3] = [
        (Item::TINY.one_of([0, 1]), |item| item.tiny <= 1),
        (Item::TINY.le(1), |item| item.tiny <= 1),
        (!Item::TINY.eq(7), |item| item.tiny != 7),
    ];
    for (predicate, meets) in cases {
        let ordered = Query::new(view.clone(), predicate).order_by(Item::WIDE).limit(100);
        let expected: Vec<Item> = items.iter().filter(|item| meets(item)).copied().collect();
        assert_eq!(ordered.collect().expect("no read fails")[..], expected[..100]);
    }
}

/// An index that leaves out zero says nothing of the objects that have it, and a compound index has them.
#[test]
fn conditions_on_an_optional_index_are_not_those_of_the_compound_one() {
    let (query, _) = query(Item::TINY.eq(3) & Item::SMALL.eq(0));
    assert_eq!(query.count().expect("no read fails"), 0);
    let (query, _) = self::query(Item::TINY.eq(3) & Item::ROW_SMALL.eq(0));
    assert_eq!(query.count().expect("no read fails"), 10);
}

#[test]
fn many_values_of_the_first_field_are_as_many_ranges() {
    let few_of_many = |item: Item| Item {
        tiny: (item.timestamp % 100) as u8,
        small: (item.timestamp / 100) as u16,
        ..item
    };
    let items: Vec<Item> = items(10_000).into_iter().map(few_of_many).collect();
    let many = || (0..20).map(|n: u8| 3 * n);
    for tiny in [Item::TINY.one_of(many()), Item::ROW_TINY.one_of(many())] {
        let (query, device) = query_of(&items, tiny.clone() & Item::ROW_SMALL.eq(42));
        assert_eq!(query.iter_timestamps().count(), 20);
        assert_eq!(read(&device), 20);
        let (query, device) = query_of(&items, tiny);
        assert_eq!(query.count().expect("no read fails"), 2_000);
        assert_eq!(query.order_by(Item::TINY_SMALL).limit(10).collect().unwrap().len(), 10);
        assert!(read(&device) <= 21, "{} entries and rows", read(&device));
    }
}

/// Bugs of a first version, with what each read: an index on one field was given up for the beginning of a compound one,
/// which has the same entries, not in the order of timestamps (10,000 for 5,000 that are counted in the tree); a range of
/// a compound index was walked for a few timestamps (8,903 for 280), and collected for a limit in a union (1,850 for 50).
/// The first is needless now, the second left to the plan, and the third has to be less for the limit, too.
#[test]
fn a_compound_index_is_left_alone_where_something_else_is_less() {
    let apart = |item: Item| match item.timestamp <= 5_000 {
        true => Item { tiny: 3, ..item },
        false => Item { tiny: 4, wide: 7, ..item },
    };
    let items_apart: Vec<Item> = items(10_000).into_iter().map(apart).collect();
    for (window, length) in [(Predicate::all(), 5_000), (Item::TIMESTAMP.le(2_000), 2_000)] {
        let (query, device) = query_of(&items_apart, Item::TINY.eq(3) & !Item::WIDE.eq(7) & window);
        assert_eq!(query.count().expect("no read fails"), length);
        assert!(read(&device) <= 20, "{} entries and rows", read(&device));
    }

    let window = Item::TIMESTAMP.range(5_000..5_300);
    let (query, device) = self::query(Item::TINY.eq(3) & Item::ROW_SMALL.lt(90) & window);
    assert_eq!(query.count().expect("no read fails"), 30);
    assert!(read(&device) <= 70, "{} entries and rows", read(&device));

    let sparse = |item: Item| Item {
        tiny: (item.timestamp % 100) as u8,
        small: (item.timestamp / 100) as u16,
        ..item
    };
    let items_sparse: Vec<Item> = items(100_000).into_iter().map(sparse).collect();
    let branch = |tiny: u8| Item::TINY.eq(tiny) & Item::ROW_SMALL.lt(900);
    let (query, device) = query_of(&items_sparse, branch(3) | branch(4));
    assert_eq!(query.limit(50).collect().expect("no read fails").len(), 50);
    assert!(read(&device) <= 400, "{} entries and rows for 50", read(&device));
}

#[test]
fn several_compound_indexes_are_asked_side_by_side() {
    // Small 42 is frequent where tiny is 3, and the last of these are few.
    let frequent = |item: Item| match item.tiny {
        3 => Item { small: 42, ..item },
        _ => item,
    };
    let items: Vec<Item> = items(10_000).into_iter().map(frequent).collect();
    let (view, device) = view_with_more(&items, 1);
    let late = Item::TINY.eq(3) & Item::ROW_SMALL.eq(42) & Item::ROW_WIDE.gt(9_950 << 8);
    let query = Query::new(view, late);
    assert_eq!(query.collect().expect("no read fails").len(), 5);
    assert!(read(&device) <= 20, "{} entries and rows for 5", read(&device));
}

/// Each way to say a conjunction is planned, and those of the conjunctions in it.
#[test]
fn planning_costs_no_more_with_more_compound_indexes_of_the_same_fields() {
    let items = items(1_000);
    let calls = |more: usize| {
        let (view, device) = view_with_more(&items, more);
        let branch = |n: u64| Item::ROW_TINY.lt(5) & Item::WIDE.eq(n << 8) & !Item::TEXT.eq("x");
        let branches = Predicate::any_of((1..=100).map(branch));
        let query = Query::new(view, Item::ROW_TINY.gt(2) & branches);
        assert_eq!(query.first().expect("no read fails").map(|item| item.timestamp), Some(3));
        device.calls.load(Relaxed)
    };
    let one = calls(1);
    assert!(one < 3_000, "{one} calls");
    assert!(calls(20) <= one, "{} calls instead of {one}", calls(20));
}
