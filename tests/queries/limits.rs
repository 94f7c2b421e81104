//! Keys and timestamps at the ends of their types: nothing wraps around, in no state of storage.
//!
//! Every key is at an end of its type, or beside one, in each of its limbs; every range between any two of
//! them, with its ends and without, is asked for in all ways and compared with a plain filter.

use std::fmt::Debug;
use std::ops::Bound;
use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Forest, Groove, Index, IndexKey, Object, Options, Predicate, Snapshot, UniqueIndex};

/// The highest timestamp that there is.
const NEWEST: u64 = i64::MAX as u64;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(index(by_high_low = (high, low)))]
struct Edge {
    #[index(primary)]
    wide: u128,
    #[index]
    high: u64,
    #[index]
    low: i64,
    #[index]
    byte: u8,
    timestamp: u64,
}

const WORDS: [u64; 8] = [0, 1, 2, i64::MAX as u64, 1 << 63, (1 << 63) + 1, u64::MAX - 1, u64::MAX];

/// Of every pair of words one object, the first and the last timestamp among them.
fn edges() -> Vec<Edge> {
    let pairs = WORDS.iter().flat_map(|high| WORDS.map(|low| (*high, low)));
    let edge = |(at, (high, low)): (u64, (u64, u64))| Edge {
        wide: u128::from(high) << 64 | u128::from(low),
        high,
        low: low as i64,
        byte: high as u8,
        // Some together, some far apart; neither in the order of the keys.
        timestamp: match at % 4 {
            0 => 1 + at,
            1 => NEWEST - 63 + at,
            _ => (at * 37 % 64 + 1) << 40,
        },
    };
    (0..).zip(pairs).map(edge).collect()
}

type Bounds<F> = (Bound<F>, Bound<F>);

/// Every range between two of the keys, and from or to one of them.
fn ranges<F: Copy>(keys: &[F]) -> Vec<Bounds<F>> {
    let ends = |key: &F| [Bound::Included(*key), Bound::Excluded(*key)];
    let ends: Vec<Bound<F>> = keys.iter().flat_map(ends).chain([Bound::Unbounded]).collect();
    ends.iter().flat_map(|lower| ends.iter().map(move |upper| (*lower, *upper))).collect()
}

fn holds<F: Ord>((lower, upper): &Bounds<F>, key: &F) -> bool {
    let above = match lower {
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
        Bound::Unbounded => true,
    };
    let below = match upper {
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
        Bound::Unbounded => true,
    };
    above && below
}

/// Asks for what `predicate` means in all ways; `expected` is in the order of timestamps.
fn ask(
    snapshot: &Snapshot<Edge>,
    predicate: &Predicate<Edge>,
    expected: &[u64],
    about: &dyn Debug,
) {
    let query = snapshot.query(predicate.clone());
    let timestamps = |query: groove::Query<Edge>| -> Vec<u64> {
        query.iter_timestamps().map(Result::unwrap).collect()
    };
    assert_eq!(timestamps(query.clone()), expected, "{about:?}");
    let newest_first: Vec<u64> = expected.iter().rev().copied().collect();
    assert_eq!(timestamps(query.clone().newest_first()), newest_first, "{about:?}");
    assert_eq!(snapshot.count(predicate.clone()).unwrap(), expected.len() as u64, "{about:?}");
    assert_eq!(query.exists().unwrap(), !expected.is_empty(), "{about:?}");
    // Page by page: a cursor stands at the first and at the last timestamp.
    for (query, expected) in [(query.clone(), expected), (query.newest_first(), &newest_first)] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = query.clone().limit(3).after(after).collect().unwrap();
            after = page.next;
            found.extend(page.into_vec().iter().map(Object::timestamp));
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "in pages: {about:?}");
    }
}

/// All ranges of one index.
fn check<F: IndexKey + Ord + Copy + Debug>(
    snapshot: &Snapshot<Edge>,
    edges: &[Edge],
    range: impl Fn(Bounds<F>) -> Predicate<Edge>,
    key: impl Fn(&Edge) -> F,
    keys: &[F],
) {
    for bounds in ranges(keys) {
        let expected: Vec<u64> = edges
            .iter()
            .filter(|edge| holds(&bounds, &key(edge)))
            .map(|edge| edge.timestamp)
            .collect();
        ask(snapshot, &range(bounds), &expected, &bounds);
    }
}

fn check_all(snapshot: &Snapshot<Edge>, edges: &[Edge], state: &str) {
    println!("{state}: {} objects", edges.len());
    let mut edges = edges.to_vec();
    edges.sort_by_key(|edge| edge.timestamp);
    let index = |index: Index<Edge, u64>| move |bounds| index.range(bounds);
    check(snapshot, &edges, index(Edge::HIGH), |edge| edge.high, &WORDS);
    let words = WORDS.map(|word| word as i64);
    check(snapshot, &edges, |bounds| Edge::LOW.range(bounds), |edge| edge.low, &words);
    let bytes = [0, 1, 2, 127, 254, 255];
    check(snapshot, &edges, |bounds| Edge::BYTE.range(bounds), |edge| edge.byte, &bytes);
    let wide: UniqueIndex<Edge, u128> = Edge::WIDE;
    let word = u128::from(u64::MAX);
    let numbers = [0, 1, word, word + 1, word << 64, u128::MAX - 1, u128::MAX];
    check(snapshot, &edges, |bounds| wide.range(bounds), |edge| edge.wide, &numbers);
    let pairs = [0, 1, u64::MAX].map(|high| [0, -1, i64::MIN, i64::MAX].map(|low| (high, low)));
    let pair = |edge: &Edge| (edge.high, edge.low);
    check(snapshot, &edges, |b| Edge::BY_HIGH_LOW.range(b), pair, pairs.as_flattened());
    let timestamps = [1, 2, 1 << 40, NEWEST - 1, NEWEST];
    let times = |bounds| Edge::TIMESTAMP.range(bounds) & Edge::HIGH.range(..);
    check(snapshot, &edges, times, |edge| edge.timestamp, &timestamps);
    for edge in &edges {
        assert_eq!(snapshot.get(edge.wide).unwrap().as_ref(), Some(edge));
        assert_eq!(snapshot.get_by_timestamp(edge.timestamp).unwrap().as_ref(), Some(edge));
        // A point of the index at both ends of time.
        let at = Edge::HIGH.eq(edge.high) & Edge::TIMESTAMP.eq(edge.timestamp);
        ask(snapshot, &at, &[edge.timestamp], edge);
    }
    let mut by_key = edges.clone();
    by_key.sort_by_key(|edge| (edge.low, edge.timestamp));
    let ordered = snapshot.query(Predicate::all()).order_by(Edge::LOW).collect().unwrap();
    assert!(ordered.iter().eq(by_key.iter()), "in the order of an index");
}

#[test]
fn keys_and_timestamps_at_the_ends_of_their_types_are_found_in_every_state_of_storage() {
    let storage = Arc::new(MemoryStorage::new());
    let options = || Options::default().block_size(4096).table_size(4096).wal_size(64 << 10);
    let open = || Forest::<Edge>::open_storage(storage.clone(), options()).unwrap();
    let forest = open();
    let (first, second): (Vec<Edge>, Vec<Edge>) =
        edges().into_iter().partition(|edge| edge.wide.count_ones() % 2 == 0);
    let insert = |edges: &[Edge]| {
        let inserted = forest.write(|tx| {
            edges.iter().try_for_each(|edge| tx.insert(*edge).map(drop))?;
            Ok(())
        });
        inserted.unwrap();
    };
    insert(&first);
    check_all(&forest.snapshot(), &first, "in memory");
    forest.checkpoint().unwrap();
    check_all(&forest.snapshot(), &first, "in tables");
    insert(&second);
    check_all(&forest.snapshot(), &edges(), "in memory over tables");
    forest.checkpoint().unwrap();
    let (removed, kept): (Vec<Edge>, Vec<Edge>) =
        edges().into_iter().partition(|edge| edge.timestamp % 3 == 1);
    let scope = forest.write(|tx| {
        removed.iter().try_for_each(|edge| tx.remove(edge.wide).map(drop))?;
        Ok(())
    });
    scope.unwrap();
    check_all(&forest.snapshot(), &kept, "removed in memory");
    forest.checkpoint().unwrap();
    check_all(&forest.snapshot(), &kept, "removed in tables");
    forest.close().unwrap();
    check_all(&open().snapshot(), &kept, "reopened");
}
