//! What users write on the right-hand side of a comparison.

use std::ops::Bound;

use crate::constants::TIMESTAMP_MAX;
use crate::field::Text;
use crate::query::{Predicate, Query};

use super::item::{Item, view_of};

fn timestamps(items: &[Item], predicate: Predicate<Item>) -> Vec<u64> {
    let query = Query::new(view_of(items).0, predicate);
    query.iter_timestamps().collect::<Result<_, _>>().expect("no read fails")
}

fn item(timestamp: u64) -> Item {
    Item { id: u128::from(timestamp), timestamp, ..Item::default() }
}

#[test]
fn literals_take_the_type_of_the_index() {
    let items = [
        Item { huge: 7, maybe: Some(-7), ..item(1) },
        Item { huge: 8, maybe: None, small: 3, ..item(2) },
        Item { huge: 9, maybe: Some(0), ..item(3) },
    ];
    assert_eq!(timestamps(&items, Item::HUGE.eq(7)), [1]);
    assert_eq!(timestamps(&items, Item::HUGE.ge(8)), [2, 3]);
    assert_eq!(timestamps(&items, Item::HUGE.range(7..=8)), [1, 2]);
    assert_eq!(timestamps(&items, Item::HUGE.range(..9)), [1, 2]);
    assert_eq!(timestamps(&items, Item::HUGE.range(..)), [1, 2, 3]);
    assert_eq!(timestamps(&items, Item::HUGE.one_of([9, 7])), [1, 3]);
    assert_eq!(timestamps(&items, Item::MAYBE.eq(-7)), [1]);
    assert_eq!(timestamps(&items, Item::MAYBE.eq(Some(0))), [3]);
    assert_eq!(timestamps(&items, Item::MAYBE.eq(None)), [2]);
    assert_eq!(timestamps(&items, Item::TINY_SMALL.eq((0, 3))), [2]);
    let values = vec![9];
    assert_eq!(timestamps(&items, Item::HUGE.one_of(&values)), [3]);
    let value = &values[0];
    assert_eq!(timestamps(&items, Item::HUGE.eq(value)), [3]);
}

#[test]
fn text_is_compared_with_any_str() {
    let text = |text: &str| Text::new(text).expect("it fits");
    let items = [
        Item { text: text("UA"), ..item(1) },
        Item { text: text("UAL"), ..item(2) },
        Item { text: text("UB"), ..item(3) },
    ];
    assert_eq!(timestamps(&items, Item::TEXT.eq("UA")), [1]);
    assert_eq!(timestamps(&items, Item::TEXT.eq(String::from("UB"))), [3]);
    assert_eq!(timestamps(&items, Item::TEXT.eq(text("UAL"))), [2]);
    assert_eq!(timestamps(&items, Item::TEXT.one_of(["UB", "UA"])), [1, 3]);
    // Too long for the index: equal to nothing, between "UAL" and "UB" in order.
    assert_eq!(timestamps(&items, Item::TEXT.eq("UALX")), []);
    assert_eq!(timestamps(&items, Item::TEXT.ne("UALX")), [1, 2, 3]);
    assert_eq!(timestamps(&items, Item::TEXT.lt("UALX")), [1, 2]);
    assert_eq!(timestamps(&items, Item::TEXT.le("UALX")), [1, 2]);
    assert_eq!(timestamps(&items, Item::TEXT.gt("UALX")), [3]);
    assert_eq!(timestamps(&items, Item::TEXT.ge("UALX")), [3]);
    assert_eq!(timestamps(&items, Item::TEXT.ge("UA\0")), [2, 3]);
    assert_eq!(timestamps(&items, Item::TEXT.gt("\u{10ffff}\u{10ffff}")), []);
}

/// Strings, values for options, references, and tuples of strings, in every kind of range.
#[test]
fn ends_of_a_range_are_whatever_keys_are_compared_with() {
    let text = |text: &str| Text::new(text).expect("it fits");
    let items = [
        Item { text: text("UA"), maybe: Some(3), tiny: 1, small: 10, ..item(1) },
        Item { text: text("UAL"), maybe: None, tiny: 1, small: 20, ..item(2) },
        Item { text: text("UB"), maybe: Some(5), tiny: 2, small: 10, ..item(3) },
    ];
    let found = |predicate| timestamps(&items, predicate);
    assert_eq!(found(Item::TEXT.range("UA".."UB")), [1, 2]);
    assert_eq!(found(Item::TEXT.range("UA"..="UB")), [1, 2, 3]);
    assert_eq!(found(Item::TEXT.range("UAA"..)), [2, 3]);
    assert_eq!(found(Item::TEXT.range(.."UAL")), [1]);
    assert_eq!(found(Item::TEXT.range(..=String::from("UAL"))), [1, 2]);
    assert_eq!(found(Item::TEXT.range(text("UAL")..text("UB"))), [2]);
    // Too long for the index: between "UAL" and "UB" in order.
    assert_eq!(found(Item::TEXT.range("UALX".."UB")), []);
    assert_eq!(found(Item::TEXT.range("UA".."UALX")), [1, 2]);
    assert_eq!(found(Item::TEXT.range("UALX"..="UALX")), []);
    assert_eq!(found(Item::TEXT.range("UB".."UA")), []);
    assert_eq!(found(Item::ROW_TEXT.range("UB"..)), [3]);
    assert_eq!(found(Item::MAYBE.range(3..5)), [1]);
    assert_eq!(found(Item::MAYBE.range(3..=5)), [1, 3]);
    assert_eq!(found(Item::MAYBE.range(4..)), [3]);
    assert_eq!(found(Item::MAYBE.range(..4)), [1, 2], "`None` comes before all values");
    assert_eq!(found(Item::MAYBE.range(Some(4)..)), [3]);
    assert_eq!(found(Item::TINY_SMALL.range((1, 11)..(2, 11))), [2, 3]);
    let (low, high) = (10, 20);
    assert_eq!(found(Item::SMALL.range(&low..&high)), [1, 3]);
    assert_eq!(found(Item::SMALL.range((Bound::Excluded(low), Bound::Unbounded))), [2]);
    assert_eq!(found(Item::SMALL.range((Bound::Unbounded, Bound::Included(&low)))), [1, 3]);
}

#[test]
fn a_range_that_was_walked_to_its_end_has_nothing_in_it() {
    let items = [Item { tiny: 3, ..item(1) }];
    let mut range = 2..=3_u8;
    assert_eq!(timestamps(&items, Item::TINY.range(range.clone())), [1]);
    assert_eq!(range.by_ref().last(), Some(3));
    assert!(range.is_empty());
    assert_eq!(timestamps(&items, Item::TINY.range(range)), []);
}

#[test]
fn an_object_without_a_key_is_not_equal_to_any_key() {
    let items = [Item { small: 3, ..item(1) }, item(2)];
    assert_eq!(timestamps(&items, Item::SMALL.ne(3)), [2]);
    assert_eq!(timestamps(&items, Item::SMALL.ne(4)), [1, 2]);
    assert_eq!(timestamps(&items, Item::SMALL.lt(3)), []);
    assert_eq!(timestamps(&items, Item::SMALL.is_some()), [1]);
    assert_eq!(timestamps(&items, Item::SMALL.is_none()), [2]);
}

#[test]
fn none_in_an_index_on_an_option_is_a_key_and_no_value() {
    let items = [Item { maybe: Some(i16::MIN), ..item(1) }, item(2)];
    assert_eq!(timestamps(&items, Item::MAYBE.range(..)), [1, 2]);
    assert_eq!(timestamps(&items, Item::MAYBE.is_some()), [1]);
    assert_eq!(timestamps(&items, Item::MAYBE.is_none()), [2]);
}

#[test]
fn values_that_no_object_can_have_match_nothing() {
    let items = [item(1), Item { tiny: 255, ..item(TIMESTAMP_MAX) }];
    let (low, high) = (1u8, 5u64);
    for nothing in [
        Item::TINY.lt(0),
        Item::TINY.gt(255),
        Item::TINY.range(2..low),
        Item::TINY.range(low..low),
        Item::TINY.one_of([0u8; 0]),
        Item::HASH.gt([255; 32]),
        Item::HASH.lt([0; 32]),
        Item::TIMESTAMP.eq(0),
        Item::TIMESTAMP.lt(1),
        Item::TIMESTAMP.gt(TIMESTAMP_MAX),
        Item::TIMESTAMP.eq(u64::MAX),
        Item::TIMESTAMP.gt(u64::MAX),
        Item::TIMESTAMP.range(high..low.into()),
    ] {
        assert_eq!(timestamps(&items, nothing.clone()), [], "{nothing:?}");
        assert_eq!(timestamps(&items, !nothing), [1, TIMESTAMP_MAX]);
    }
    let query = Query::<Item>::new(view_of(&items).0, Predicate::all());
    assert_eq!(query.clone().timestamps(7..7).count().expect("no read fails"), 0);
    assert_eq!(query.clone().timestamps(TIMESTAMP_MAX + 1..).count().expect("no read fails"), 0);
    assert_eq!(query.clone().timestamps(2..).timestamps(..2).count().expect("no read fails"), 0);
    assert_eq!(query.timestamps(..=u64::MAX).count().expect("no read fails"), 2);
}

#[test]
fn predicates_and_queries_go_to_other_threads() {
    fn assert_send<T: Send + 'static>(value: T) -> T {
        value
    }
    let query = assert_send(Query::new(view_of(&[item(1)]).0, assert_send(Item::TINY.eq(0))));
    assert_send(query.iter_timestamps());
    let items = assert_send(query.iter());
    assert_eq!(std::thread::spawn(move || items.count()).join().expect("no panic"), 1);
}

/// Also under AddressSanitizer, whose frames are larger: the locals of all kinds of steps once lay in the frame of
/// `Opener::stream`, which recurs, and 2 MiB were too few. Each kind has a function of its own now.
#[test]
fn a_thousand_alternating_levels_fit_a_small_stack() {
    let items: Vec<Item> = (1..=8).map(|n| Item { tiny: n as u8, ..item(n) }).collect();
    let ask = move || {
        let mut predicate = Item::TINY.eq(5);
        for level in 0..500 {
            predicate = Item::WIDE.eq(level) | predicate;
            predicate = !(Item::SMALL.eq(7) | !predicate);
        }
        let printed = format!("{predicate:?}");
        assert!(printed.len() > 500);
        timestamps(&items, predicate.clone() & Item::TINY.ne(6))
    };
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(ask).expect("a thread");
    assert_eq!(small.join().expect("the stack is large enough"), [1, 2, 3, 4, 5, 7, 8]);
}

#[test]
fn a_long_chain_is_one_level() {
    let items: Vec<Item> = (1..=8).map(|n| Item { tiny: n as u8, ..item(n) }).collect();
    let wide = (1_000..50_000).fold(Item::TINY.eq(3), |any, wide| any | Item::WIDE.eq(wide));
    assert_eq!(timestamps(&items, wide), [3]);
    let narrow = (1_000..50_000).fold(Item::TINY.eq(3), |all, wide| all & Item::WIDE.ne(wide));
    assert_eq!(timestamps(&items, narrow), [3]);
}
