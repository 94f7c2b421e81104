//! Reads that fail, and files whose blocks contradict each other.

use std::sync::atomic::Ordering::Relaxed;

use crate::error::{BlockKind, Damage, QueryError, ReadError};
use crate::query::{Predicate, Query};

use super::Random;
use super::item::{Item, Trees};
use super::mock::TREE_OFFSET;
use super::random::{in_order, items, predicate};

fn is_injected(error: &QueryError) -> bool {
    matches!(error, QueryError::Read(ReadError::Io { offset: 4096, .. }))
}

/// Fails each call of a query in turn: the answer is whole or an error, and an iterator gives the
/// true beginning of the answer before the error and nothing after it.
#[test]
fn a_failed_read_is_an_error_and_never_a_short_answer() {
    let mut failures = 0;
    for seed in 1..150 {
        let mut random = Random(seed);
        let items = items(&mut random);
        let trees = Trees::new(&items);
        let predicate = predicate(&mut random, &items, 3).predicate;
        let mut query = Query::new(trees.view(), predicate);
        if random.one_in(2) {
            query = query.newest_first();
        }
        let whole = query.collect().expect("no read fails yet").into_vec();
        trees.device.reset(0);
        query.iter().for_each(drop);
        let calls = trees.device.calls.load(Relaxed);
        for call in 1..=calls + 2 {
            trees.device.reset(call);
            let mut iter = query.iter();
            let given: Vec<Item> = iter.by_ref().map_while(Result::ok).collect();
            assert!(whole.starts_with(&given), "seed {seed}, call {call}: {query:?}");
            assert!(iter.next().is_none(), "it ended for good");
            let failed = trees.device.calls.load(Relaxed) >= call;
            assert_eq!(given.len() == whole.len(), !failed || given.len() == whole.len());
            assert!(failed || given == whole);

            trees.device.reset(call);
            let errors = query.iter().filter_map(Result::err).collect::<Vec<_>>();
            assert_eq!(errors.len(), usize::from(failed), "seed {seed}, call {call}: {query:?}");
            assert!(errors.iter().all(is_injected));
            failures += errors.len();

            trees.device.reset(call);
            match query.collect() {
                Ok(page) => assert_eq!(page[..], whole[..], "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
            trees.device.reset(call);
            match query.count() {
                Ok(count) => assert_eq!(count, whole.len() as u64, "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
            trees.device.reset(call);
            match query.exists() {
                Ok(exists) => assert_eq!(exists, !whole.is_empty(), "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
            trees.device.reset(call);
            match query.first() {
                Ok(first) => assert_eq!(first, whole.first().copied(), "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
        }
    }
    assert!(failures > 1_000, "only {failures} reads failed");
}

/// As above, in the order of an index: by walks, tests, collected timestamps and sorted rows.
#[test]
fn a_failed_read_of_an_order_is_an_error_and_never_a_short_answer() {
    let mut failures = 0;
    for seed in 1..150 {
        let mut random = Random(seed);
        let items = items(&mut random);
        let trees = Trees::new(&items);
        let query = Query::new(trees.view(), predicate(&mut random, &items, 2).predicate);
        let ordered = in_order(&mut random, query).limit(random.of(&[1, 5, 1000]));
        let whole = ordered.collect().expect("no read fails yet");
        trees.device.reset(0);
        ordered.iter().for_each(drop);
        let calls = trees.device.calls.load(Relaxed);
        for call in 1..=calls + 2 {
            trees.device.reset(call);
            let mut iter = ordered.iter();
            let given: Vec<Item> = iter.by_ref().map_while(Result::ok).collect();
            assert!(whole.starts_with(&given), "seed {seed}, call {call}: {ordered:?}");
            assert!(iter.next().is_none(), "it ended for good");
            let failed = trees.device.calls.load(Relaxed) >= call;
            assert!(failed || given == whole[..]);

            trees.device.reset(call);
            let errors = ordered.iter().filter_map(Result::err).collect::<Vec<_>>();
            assert_eq!(errors.len(), usize::from(failed), "seed {seed}, call {call}: {ordered:?}");
            assert!(errors.iter().all(is_injected));
            failures += errors.len();

            trees.device.reset(call);
            match ordered.collect() {
                Ok(page) => assert_eq!(page, whole, "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
            trees.device.reset(call);
            match ordered.first() {
                Ok(first) => assert_eq!(first, whole.first().copied(), "seed {seed}, call {call}"),
                Err(error) => assert!(is_injected(&error)),
            }
            trees.device.reset(call);
            match ordered.explain() {
                Ok(explanation) => assert_eq!(explanation.rows(), whole.len() as u64),
                Err(error) => assert!(is_injected(&error)),
            }
        }
    }
    assert!(failures > 1_000, "only {failures} reads failed");
}

#[test]
fn a_failed_stream_gives_its_error_again() {
    use crate::query::plan::{Goal, Plan};
    use crate::query::stream::{Answer, Window};
    use crate::tree::Direction;

    let items: Vec<Item> =
        (1..=9).map(|n| Item { id: n.into(), timestamp: n, ..Item::default() }).collect();
    let trees = Trees::new(&items);
    let view = trees.view();
    let plan = Plan::new(&view, &(Item::TINY.eq(0) & !Item::WIDE.eq(7)).node);
    let goal = Goal { limit: u64::MAX, rows: false, frugal: false };
    let step = plan.choose(&view, Window::ALL, goal, false).expect("no read fails yet");
    let stream = step.open(&view, Direction::Ascending, None);
    let mut answer = Answer::new(stream, Window::ALL, Direction::Ascending);
    assert!(matches!(answer.next(), Ok(Some(1))));
    trees.device.reset(1);
    for _ in 0..3 {
        assert!(matches!(answer.next(), Err(QueryError::Read(ReadError::Io { .. }))));
    }
}

/// Who tests what a filter gives goes beyond its last answer to its end, and may be asked again for what lies
/// before: the filter gave its last answer anew, without a row, and a test of rows panicked. It has ended.
#[test]
fn a_filter_that_has_ended_gives_nothing_any_more() {
    use crate::query::stream::{Filter, Filtered, Listed, Stream};
    use crate::tree::Direction;

    let objects = Trees::new(&[]).view().object_tree;
    let listed = Box::new(Listed::new(vec![5, 9]));
    let all = Filter::All(Vec::new());
    let mut stream = Filtered::new(listed, all, None, Direction::Ascending, objects);
    assert!(matches!(stream.seek(1), Ok(Some(5))));
    assert!(matches!(stream.seek(6), Ok(Some(9))));
    assert!(matches!(stream.seek(10), Ok(None)));
    assert!(matches!(stream.seek(7), Ok(None)));
}

fn damage(query: &Query<Item>) -> Damage {
    let errors: Vec<QueryError> = query.iter().filter_map(Result::err).collect();
    let [QueryError::Read(ReadError::Corrupt(corruption))] = &errors[..] else {
        panic!("{errors:?} is not one corruption");
    };
    assert!(query.collect().is_err() && query.first().is_err());
    assert_eq!((corruption.kind, corruption.offset), (BlockKind::Value, TREE_OFFSET));
    assert_eq!(corruption.tree.as_deref(), Some("Item.objects"));
    corruption.damage
}

#[test]
fn an_index_entry_without_an_object_is_corruption() {
    let mut trees = Trees::new(&[]);
    trees.put(2, &[5], 77);
    let query = Query::new(trees.view(), Item::TINY.eq(5));
    assert_eq!(damage(&query), Damage::EntryForeign { timestamp: 77 });
}

#[test]
fn a_row_that_is_no_object_is_corruption() {
    let mut trees = Trees::new(&[]);
    trees.insert(&Item { tiny: 5, timestamp: 77, ..Item::default() });
    trees.objects.entries.get_mut(&vec![77]).expect("it is there")[83] = 9;
    for predicate in [Item::TINY.eq(5), Predicate::all()] {
        assert_eq!(damage(&Query::new(trees.view(), predicate)), Damage::Invalid { what: "row" });
    }
}

#[test]
fn a_timestamp_that_no_object_can_have_is_passed_over() {
    let mut trees = Trees::new(&[]);
    for timestamp in [0, 1 << 63, u64::MAX] {
        trees.put(2, &[5], timestamp);
    }
    for predicate in [Item::TINY.eq(5), Item::TINY.gt(1)] {
        let query = Query::new(trees.view(), predicate);
        assert_eq!(query.collect().expect("no read fails").len(), 0);
        let ordered = query.clone().order_by(Item::TINY);
        assert_eq!(query.newest_first().collect().expect("no read fails").len(), 0);
        assert_eq!(ordered.collect().expect("no read fails").len(), 0);
    }
}

/// Bug: a forged block may have keys that no object can have. Behind the rank of one, which is as high as any, there is
/// none, so what came next was taken for the first, for ever.
#[test]
fn objects_with_timestamps_that_there_cannot_be_are_none() {
    let items: Vec<Item> = (1..=50)
        .map(|n| Item { timestamp: n, id: n.into(), code: n, wide: n, ..Item::default() })
        .collect();
    for key in [0, u64::MAX] {
        let mut trees = Trees::new(&items);
        let row = trees.objects.entries[&vec![7]].clone();
        trees.objects.entries.insert(vec![key], row);
        trees.device.is_forged.store(1, Relaxed);
        for (more_at_hand, newest_first) in [(0, false), (0, true), (7, false), (7, true)] {
            trees.device.more_at_hand.store(more_at_hand, Relaxed);
            for predicate in [Predicate::all(), Item::ROW_WIDE.gt(5), !Item::ROW_TEXT.eq("x")] {
                let mut query = Query::new(trees.view(), predicate.clone());
                if newest_first {
                    query = query.newest_first();
                }
                let timestamps: Result<Vec<u64>, _> = query.iter_timestamps().take(1_000).collect();
                let timestamps = timestamps.expect("no read fails");
                assert!(timestamps.iter().all(|at| (1..=50).contains(at)), "{timestamps:?}");
                assert!(timestamps.len() >= 45, "{predicate:?}, {key}: {timestamps:?}");
                // Not by the number of all objects, which has these, too.
                let count = query.clone().timestamps(..1_000).count().expect("no read fails");
                assert_eq!(count, timestamps.len() as u64, "{predicate:?}");
                let found = query.limit(1_000).collect().expect("no read fails");
                assert_eq!(found.len(), timestamps.len(), "{predicate:?}");
            }
        }
    }
}
