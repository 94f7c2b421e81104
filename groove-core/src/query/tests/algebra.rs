//! Encoded keys, ranges and sets of them.

use std::ops::Bound;

use crate::query::Predicate;
use crate::query::key_range::{EncodedKey, KeyRange, Place, RangeSet};

use super::Random;
use super::item::Item;

fn key(number: u64) -> EncodedKey {
    EncodedKey::from_u64(number)
}

fn members(set: &RangeSet) -> Vec<u64> {
    (0..40).filter(|&n| set.ranges().iter().any(|r| r.min <= key(n) && key(n) <= r.max)).collect()
}

fn assert_ordered(set: &RangeSet) {
    assert!(set.ranges().iter().all(|range| range.min <= range.max), "{set:?}");
    assert!(set.ranges().windows(2).all(|pair| pair[0].max < pair[1].min), "{set:?}");
}

fn random_set(random: &mut Random) -> RangeSet {
    let ranges = (0..random.below(6)).filter_map(|_| {
        let min = random.below(40);
        KeyRange::new(key(min), key(min + random.of(&[0, 0, 0, 1, 5, 20]).min(39 - min)))
    });
    RangeSet::from_ranges(ranges.collect())
}

#[test]
fn sets_of_ranges_combine_as_sets_of_keys_do() {
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let (a, b) = (random_set(&mut random), random_set(&mut random));
        let (in_a, in_b) = (members(&a), members(&b));
        let all: Vec<u64> = (0..40).collect();
        let pick = |holds: &dyn Fn(&u64) -> bool| -> Vec<u64> {
            all.iter().copied().filter(|n| holds(n)).collect()
        };
        let (both, only_a) = (a.intersection(&b), a.difference(&b));
        let either = RangeSet::from_ranges([a.ranges(), b.ranges()].concat());
        for set in [&a, &b, &both, &either, &only_a] {
            assert_ordered(set);
        }
        assert_eq!(members(&both), pick(&|n| in_a.contains(n) && in_b.contains(n)), "{seed}");
        assert_eq!(members(&only_a), pick(&|n| in_a.contains(n) && !in_b.contains(n)), "{seed}");
        assert_eq!(members(&either), pick(&|n| in_a.contains(n) || in_b.contains(n)), "{seed}");
        let full = KeyRange::new(key(0), key(39)).expect("not inverted");
        assert_eq!(either.covers(&full), members(&either) == all, "{seed}");

        let joined = either.joined();
        assert_ordered(&joined);
        assert_eq!(members(&joined), members(&either), "{seed}");
        let is_apart = |pair: &[KeyRange]| pair[0].max.successor() < Some(pair[1].min);
        assert!(joined.ranges().windows(2).all(is_apart), "{seed}: {joined:?}");

        let is_points = a.ranges().iter().all(KeyRange::is_point);
        let apart = a.apart(8);
        assert_eq!(apart.is_some(), !is_points && in_a.len() <= 8, "{seed}: {a:?}");
        if let Some(keys) = apart {
            assert_eq!(members(&keys), in_a, "{seed}");
            assert_eq!(keys.ranges().len(), in_a.len(), "{seed}: each on its own");
        }
    }
}

#[test]
fn the_last_key_of_all_is_taken_apart_from_those_before_it() {
    let last = EncodedKey::max_of_width(32);
    let first = last.predecessor().and_then(EncodedKey::predecessor).expect("not zero");
    let set = RangeSet::from_ranges(vec![KeyRange::new(first, last).expect("not inverted")]);
    assert_eq!(set.apart(2), None);
    let keys = set.apart(3).expect("three keys");
    assert_eq!((keys.ranges().len(), keys.joined()), (3, set));
}

#[test]
fn adjacent_single_keys_stay_scans_of_their_own() {
    let point = |n| KeyRange::new(key(n), key(n)).expect("not inverted");
    let set = RangeSet::from_ranges(vec![point(2), point(1), point(2)]);
    assert_eq!(set.ranges(), [point(1), point(2)]);
}

#[test]
fn successor_and_predecessor_carry_over_limbs_and_end_at_both_ends() {
    let high = EncodedKey::from_bytes(&[1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(key(u64::MAX).successor(), Some(high));
    assert_eq!(high.predecessor(), Some(key(u64::MAX)));
    assert_eq!(EncodedKey::ZERO.predecessor(), None);
    assert_eq!(EncodedKey::max_of_width(32).successor(), None);
    assert_eq!(EncodedKey::max_of_width(2), key(0xffff));
}

#[test]
fn exclusive_bounds_at_the_ends_of_a_key_leave_nothing() {
    let exact = |key| Place { key, exact: true };
    for width in [1, 2, 8, 16, 32] {
        let (first, last) = (EncodedKey::ZERO, EncodedKey::max_of_width(width));
        let below = KeyRange::within(Bound::Unbounded, Bound::Excluded(exact(first)), width);
        let above = KeyRange::within(Bound::Excluded(exact(last)), Bound::Unbounded, width);
        assert_eq!((below, above), (None, None), "width {width}");
        let all = KeyRange::within(Bound::Unbounded, Bound::Unbounded, width);
        assert_eq!(all, Some(KeyRange::full(width)));
    }
}

#[test]
fn chains_are_one_level_and_double_negations_vanish() {
    let [a, b, c] = [1, 2, 3].map(|tiny| Item::TINY.eq(tiny));
    let left = (a.clone() & b.clone()) & c.clone();
    let right = a.clone() & (b.clone() & c.clone());
    assert_eq!(left.node, right.node);
    assert_eq!(left.node, Predicate::all_of([a.clone(), b, c]).node);
    assert_eq!((!!a.clone()).node, a.node);
    assert_eq!((a.clone() & Predicate::all()).node, a.node);
    assert_eq!((a.clone() | Predicate::none()).node, a.node);
    assert_eq!(Predicate::<Item>::all_of([]).node, Predicate::<Item>::all().node);
    assert_eq!(Predicate::<Item>::any_of([]).node, Predicate::<Item>::none().node);
}

#[test]
fn a_predicate_prints_names_and_values() {
    let predicate = Item::TINY.ge(3) & (Item::SMALL.is_none() | Item::TIMESTAMP.eq(9));
    let printed = "(tiny >= 3 & (small is none | timestamp = 9))";
    assert_eq!(format!("{predicate:?}"), printed);
}
