//! Random predicates over random items, against a filter over all items.

use std::ops::{Bound, RangeBounds};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use crate::constants::TIMESTAMP_MAX;
use crate::error::QueryError;
use crate::field::Text;
use crate::query::{Cursor, Ordered, Predicate, Query};

use super::Random;
use super::item::{Item, Trees};

/// A predicate, and what it means.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) predicate: Predicate<Item>,
    pub(super) holds: Rc<dyn Fn(&Item) -> bool>,
}

const NUMBERS: [u64; 7] = [0, 1, 2, 3, 1 << 32, u64::MAX - 1, u64::MAX];

fn tiny(random: &mut Random) -> u8 {
    random.of(&[0, 0, 1, 1, 1, 2, 254, 255])
}

fn small(random: &mut Random) -> u16 {
    random.of(&[0, 0, 0, 1, 2, 300, u16::MAX])
}

fn wide(random: &mut Random) -> u64 {
    random.of(&NUMBERS)
}

fn huge(random: &mut Random) -> u128 {
    u128::from(random.of(&NUMBERS)) << 64 | u128::from(random.of(&NUMBERS))
}

fn hash(random: &mut Random) -> [u8; 32] {
    let mut hash = [random.of(&[0, 1, 255]); 32];
    hash[random.of(&[0, 15, 16, 31])] = random.of(&[0, 1, 255]);
    hash
}

fn maybe(random: &mut Random) -> Option<i16> {
    random.of(&[None, None, Some(i16::MIN), Some(-1), Some(0), Some(1), Some(i16::MAX)])
}

fn text(random: &mut Random) -> Text<3> {
    Text::new(random.of(&["", "A", "AA", "AB", "ABC", "B", "ÿ"])).expect("it fits")
}

fn bound<F>(random: &mut Random, value: F) -> Bound<F> {
    match random.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(value),
        _ => Bound::Excluded(value),
    }
}

/// Whether `value` is in `range`; a range of its own, since that of the standard library must not be
/// inverted in some uses.
fn within<F: PartialOrd>(range: &(Bound<F>, Bound<F>), value: &F) -> bool {
    range.contains(value)
}

/// A random comparison on one index. `$key` gives the key of an item in the index; `$present`
/// whether that stands for a value.
macro_rules! comparison {
    ($random:expr, $handle:expr, $value:expr, $key:expr, $present:expr) => {{
        let random: &mut Random = $random;
        let handle = $handle;
        let (a, b) = ($value(random), $value(random));
        let key = $key;
        match random.below(11) {
            0 | 1 => case(handle.eq(a), move |item| key(item) == Some(a)),
            2 => case(handle.ne(a), move |item| key(item) != Some(a)),
            3 => case(handle.lt(a), move |item| key(item).is_some_and(|key| key < a)),
            4 => case(handle.le(a), move |item| key(item).is_some_and(|key| key <= a)),
            5 => case(handle.gt(a), move |item| key(item).is_some_and(|key| key > a)),
            6 => case(handle.ge(a), move |item| key(item).is_some_and(|key| key >= a)),
            7 => {
                let range = (bound(random, a), bound(random, b));
                let holds = move |item: &Item| key(item).is_some_and(|key| within(&range, &key));
                case(handle.range(range), holds)
            }
            8 => {
                let values: Vec<_> = (0..random.below(6)).map(|_| $value(random)).collect();
                let one_of = handle.one_of(&values);
                case(one_of, move |item| key(item).is_some_and(|key| values.contains(&key)))
            }
            9 => case(handle.is_some(), $present),
            _ => case(handle.is_none(), move |item| !$present(item)),
        }
    }};
}

fn case(predicate: Predicate<Item>, holds: impl Fn(&Item) -> bool + 'static) -> Case {
    Case { predicate, holds: Rc::new(holds) }
}

fn timestamp_near(random: &mut Random, items: &[Item]) -> u64 {
    if items.is_empty() || random.one_in(8) {
        return random.of(&[0, 1, 2, TIMESTAMP_MAX - 1, TIMESTAMP_MAX, 1 << 63, u64::MAX]);
    }
    let item = items[random.below(items.len() as u64) as usize];
    item.timestamp.wrapping_add(random.of(&[0, 0, 0, 1, u64::MAX]))
}

fn on_timestamps(random: &mut Random, items: &[Item]) -> Case {
    let handle = Item::TIMESTAMP;
    let (a, b) = (timestamp_near(random, items), timestamp_near(random, items));
    match random.below(8) {
        0 => case(handle.eq(a), move |item| item.timestamp == a),
        1 => case(handle.ne(a), move |item| item.timestamp != a),
        2 => case(handle.lt(a), move |item| item.timestamp < a),
        3 => case(handle.le(a), move |item| item.timestamp <= a),
        4 => case(handle.gt(a), move |item| item.timestamp > a),
        5 => case(handle.ge(a), move |item| item.timestamp >= a),
        6 => {
            let range = (bound(random, a), bound(random, b));
            case(handle.range(range), move |item| within(&range, &item.timestamp))
        }
        _ => {
            let some: Vec<_> =
                (0..random.below(6)).map(|_| timestamp_near(random, items)).collect();
            case(handle.one_of(some.clone()), move |item| some.contains(&item.timestamp))
        }
    }
}

fn leaf(random: &mut Random, items: &[Item]) -> Case {
    match random.below(17) {
        14 => comparison!(random, Item::ROW_WIDE, wide, |i: &Item| Some(i.wide), |_: &Item| true),
        15 => {
            let present = |item: &Item| item.maybe.is_some();
            comparison!(random, Item::ROW_MAYBE, maybe, |item: &Item| Some(item.maybe), present)
        }
        16 => {
            let text = |random: &mut Random| text(random);
            comparison!(random, Item::ROW_TEXT, text, |i: &Item| Some(i.text), |_: &Item| true)
        }
        0 => case(Predicate::all(), |_| true),
        1 => case(Predicate::none(), |_| false),
        2 => on_timestamps(random, items),
        3 => {
            let value = |random: &mut Random| u128::from(random.below(64)) << random.of(&[0, 64]);
            comparison!(random, Item::ID, value, |item: &Item| Some(item.id), |_: &Item| true)
        }
        4 => {
            let value = |random: &mut Random| random.below(64);
            let present = |item: &Item| item.code().is_some();
            comparison!(random, Item::CODE, value, |item: &Item| item.code(), present)
        }
        5 => comparison!(random, Item::TINY, tiny, |item: &Item| Some(item.tiny), |_: &Item| true),
        6 => {
            let present = |item: &Item| item.small().is_some();
            comparison!(random, Item::SMALL, small, |item: &Item| item.small(), present)
        }
        7 => comparison!(random, Item::WIDE, wide, |item: &Item| Some(item.wide), |_: &Item| true),
        8 => comparison!(random, Item::HUGE, huge, |item: &Item| Some(item.huge), |_: &Item| true),
        9 => comparison!(random, Item::HASH, hash, |item: &Item| Some(item.hash), |_: &Item| true),
        10 => {
            let present = |item: &Item| item.maybe.is_some();
            comparison!(random, Item::MAYBE, maybe, |item: &Item| Some(item.maybe), present)
        }
        11 => comparison!(random, Item::TEXT, text, |item: &Item| Some(item.text), |_: &Item| true),
        12 => {
            let value = |random: &mut Random| (tiny(random), small(random));
            let key = |item: &Item| Some((item.tiny, item.small));
            comparison!(random, Item::TINY_SMALL, value, key, |_: &Item| true)
        }
        _ => {
            let value = |random: &mut Random| random.of(&[-2, -1, 0, 1, 2, i32::MIN, i32::MAX]);
            let present = |item: &Item| item.depth().is_some();
            comparison!(random, Item::DEPTH, value, |item: &Item| item.depth(), present)
        }
    }
}

/// Conditions on the first field of a compound index, or on both.
fn on_compound(random: &mut Random) -> Case {
    let first = match random.one_in(2) {
        true => comparison!(random, Item::TINY, tiny, |i: &Item| Some(i.tiny), |_: &Item| true),
        false => {
            comparison!(random, Item::ROW_TINY, tiny, |i: &Item| Some(i.tiny), |_: &Item| true)
        }
    };
    if random.one_in(4) {
        return first;
    }
    let key = |item: &Item| Some(item.small);
    let second = comparison!(random, Item::ROW_SMALL, small, key, |_: &Item| true);
    case(first.predicate & second.predicate, move |i| (first.holds)(i) && (second.holds)(i))
}

/// A random predicate of at most this depth.
pub(super) fn predicate(random: &mut Random, items: &[Item], depth: u64) -> Case {
    if depth == 0 || random.one_in(4) {
        return leaf(random, items);
    }
    let part = |random: &mut Random| predicate(random, items, depth - 1);
    match random.below(8) {
        7 => {
            // What a compound index is on, and something else.
            let parts = (on_compound(random), part(random), random.one_in(2));
            let (Case { predicate, holds }, other, alone) = parts;
            match alone {
                true => Case { predicate, holds },
                false => case(predicate & other.predicate, move |i| holds(i) && (other.holds)(i)),
            }
        }
        0 | 1 => {
            let (a, b) = (part(random), part(random));
            case(a.predicate & b.predicate, move |item| (a.holds)(item) && (b.holds)(item))
        }
        2 | 3 => {
            let (a, b) = (part(random), part(random));
            case(a.predicate | b.predicate, move |item| (a.holds)(item) || (b.holds)(item))
        }
        4 => {
            let a = part(random);
            case(!a.predicate, move |item| !(a.holds)(item))
        }
        kind => {
            let parts: Vec<Case> = (0..random.below(5)).map(|_| part(random)).collect();
            let predicates: Vec<_> = parts.iter().map(|part| part.predicate.clone()).collect();
            if kind == 5 {
                let holds = move |item: &Item| parts.iter().all(|part| (part.holds)(item));
                case(Predicate::all_of(predicates), holds)
            } else {
                let holds = move |item: &Item| parts.iter().any(|part| (part.holds)(item));
                case(Predicate::any_of(predicates), holds)
            }
        }
    }
}

/// Random items in timestamp order.
pub(super) fn items(random: &mut Random) -> Vec<Item> {
    let length = random.of(&[0, 1, 5, 20, 60]);
    let mut timestamp = 0;
    let mut items = Vec::new();
    for i in 0..length {
        timestamp += 1 + random.of(&[0, 0, 0, 1, 7, 1 << 40]);
        items.push(Item {
            id: u128::from(i) << random.of(&[0, 64]) | u128::from(i),
            code: if random.one_in(2) { i } else { 0 },
            tiny: tiny(random),
            small: small(random),
            wide: wide(random),
            huge: huge(random),
            hash: hash(random),
            maybe: maybe(random),
            text: text(random),
            timestamp,
        });
    }
    if let Some(last) = items.last_mut().filter(|_| random.one_in(8)) {
        last.timestamp = TIMESTAMP_MAX;
    }
    items
}

/// All pages of `query`, each read with the cursor of the one before, as bytes in between.
pub(super) fn pages(query: &Query<Item>, limit: usize) -> Vec<Item> {
    let mut all = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = query.clone().limit(limit).after(cursor).collect().expect("no read fails");
        assert!(page.len() <= limit);
        assert!(page.next.is_none() || page.len() == limit, "a page before the last is full");
        assert!(cursor.is_none() || !page.is_empty(), "a cursor promises more");
        all.extend_from_slice(&page);
        match page.next {
            None => return all,
            Some(next) => cursor = Some(Cursor::from_bytes(&next.to_bytes()).expect("its bytes")),
        }
    }
}

/// Orders a query by a random index, in a random direction.
pub(super) fn in_order(random: &mut Random, query: Query<Item>) -> Ordered<Item> {
    let ordered = match random.below(11) {
        0 => query.order_by(Item::ID),
        1 => query.order_by(Item::CODE),
        2 => query.order_by(Item::TINY),
        3 => query.order_by(Item::SMALL),
        4 => query.order_by(Item::WIDE),
        5 => query.order_by(Item::HUGE),
        6 => query.order_by(Item::HASH),
        7 => query.order_by(Item::MAYBE),
        8 => query.order_by(Item::TEXT),
        9 => query.order_by(Item::TINY_SMALL),
        _ => query.order_by(Item::DEPTH),
    };
    if random.one_in(2) { ordered.descending() } else { ordered }
}

fn check(random: &mut Random, trees: &Trees, items: &[Item], seed: u64) {
    let depth = random.below(6);
    let Case { predicate, holds } = predicate(random, items, depth);
    let newest_first = random.one_in(2);
    let window = random.one_in(3).then(|| {
        let (a, b) = (timestamp_near(random, items), timestamp_near(random, items));
        (bound(random, a), bound(random, b))
    });
    let mut expected: Vec<Item> = items.iter().filter(|item| holds(item)).copied().collect();
    let mut query = Query::new(trees.view(), predicate.clone());
    let context =
        || format!("seed {seed}: {predicate:?} in {window:?}, newest first {newest_first}");
    if let Some(window) = window {
        query = query.timestamps(window);
        expected.retain(|item| within(&window, &item.timestamp));
    }
    if newest_first {
        query = query.newest_first();
        expected.reverse();
    }
    let timestamps: Vec<u64> = expected.iter().map(|item| item.timestamp).collect();

    let found: Result<Vec<Item>, _> = query.iter().collect();
    assert_eq!(found.expect("no read fails"), expected, "{}", context());
    let found: Result<Vec<u64>, _> = query.iter_timestamps().collect();
    assert_eq!(found.expect("no read fails"), timestamps, "{}", context());
    assert_eq!(query.count().expect("no read fails"), expected.len() as u64, "{}", context());
    assert_eq!(query.exists().expect("no read fails"), !expected.is_empty(), "{}", context());
    assert_eq!(query.first().expect("no read fails"), expected.first().copied(), "{}", context());

    let limit = random.of(&[1, 2, 3, 10, 100]);
    assert_eq!(pages(&query, limit), expected, "pages of {limit}, {}", context());
    let limited = query.limit(limit);
    let first = &expected[..limit.min(expected.len())];
    let found: Result<Vec<Item>, _> = limited.iter().collect();
    assert_eq!(found.expect("no read fails"), first, "{limit} of {}", context());
    let found: Result<Vec<u64>, _> = limited.iter_timestamps().collect();
    assert_eq!(found.expect("no read fails"), timestamps[..first.len()], "{}", context());
    assert_eq!(limited.count().expect("no read fails"), first.len() as u64, "{}", context());
}

#[test]
fn random_predicates_give_what_a_filter_over_all_objects_gives() {
    let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = match seed {
        Some(seed) => seed..seed + 1,
        None => 1..401,
    };
    println!("a seed alone: GROOVE_SEED=… cargo test random_predicates");
    for seed in seeds {
        let mut random = Random(seed);
        let items = items(&mut random);
        let mut trees = Trees::new(&items);
        trees.put(0, &u128::MAX.to_be_bytes(), 0); // an orphaned id
        trees.put(0, &60u128.to_be_bytes(), 0);
        for _ in 0..60 {
            check(&mut random, &trees, &items, seed);
        }
    }
}

#[test]
fn conjunction_commutes_and_de_morgan_holds() {
    for seed in 1..200 {
        let mut random = Random(seed);
        let items = items(&mut random);
        let view = Trees::new(&items).view();
        let depth = random.below(4);
        let a = predicate(&mut random, &items, depth).predicate;
        let b = predicate(&mut random, &items, depth).predicate;
        let ask = |predicate: Predicate<Item>| {
            Query::new(view.clone(), predicate).collect().expect("no read fails").into_vec()
        };
        let same = |left: Predicate<Item>, right: Predicate<Item>| {
            assert_eq!(ask(left.clone()), ask(right.clone()), "seed {seed}: {left:?}, {right:?}");
        };
        same(a.clone() & b.clone(), b.clone() & a.clone());
        same(a.clone() | b.clone(), b.clone() | a.clone());
        same(!(a.clone() & b.clone()), !a.clone() | !b.clone());
        same(!(a.clone() | b.clone()), !a.clone() & !b.clone());
        same(!!a.clone(), a.clone());
        same(a.clone() & !a.clone(), Predicate::none());
        same(a.clone() | !a.clone(), Predicate::all());
        same(a.clone(), a.clone() & b.clone() | a & !b);
    }
}

/// With a budget that hardly anything fits into, an answer is whole or refused.
#[test]
fn a_tight_budget_gives_the_same_answers_or_none() {
    let (mut answers, mut refusals) = (0, 0);
    for seed in 1..400 {
        let mut random = Random(seed);
        let items = items(&mut random);
        let trees = Trees::new(&items);
        let budget = 8 * random.below(20);
        trees.device.withheld_memory.store(u64::MAX - budget, Relaxed);
        for _ in 0..10 {
            let depth = random.below(4);
            let Case { predicate, holds } = predicate(&mut random, &items, depth);
            let expected: Vec<Item> = items.iter().filter(|item| holds(item)).copied().collect();
            match Query::new(trees.view(), predicate.clone()).collect() {
                Ok(page) => {
                    assert_eq!(page[..], expected, "seed {seed}: {predicate:?}");
                    answers += 1;
                }
                Err(QueryError::OutOfMemory { budget: told, .. }) => {
                    assert_eq!(told, budget);
                    refusals += 1;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
    assert!(answers > 1_000 && refusals > 20, "{answers} answers, {refusals} refusals");
}
