//! Random predicates.

use std::collections::BTreeMap;
use std::rc::Rc;

use groove::{Object, Predicate, Timestamps};

use crate::column::{Column, Condition, Holds, bound, within};
use crate::rng::Rng;
use crate::tally::{OPERATORS, Operator, Tally};

pub(crate) type Columns<O> = Vec<Box<dyn Column<O>>>;

/// A random predicate of at most this depth.
pub(crate) fn condition<O: Object>(
    rng: &mut Rng,
    tally: &mut Tally,
    columns: &Columns<O>,
    objects: &BTreeMap<u64, O>,
    depth: u64,
) -> Condition<O> {
    let kind = if depth == 0 { 0 } else { rng.below(14) };
    if kind < 4 {
        return leaf(rng, columns, objects);
    }
    let inner =
        |rng: &mut Rng, tally: &mut Tally| condition(rng, tally, columns, objects, depth - 1);
    match kind {
        4 | 5 => {
            let a = inner(rng, tally);
            let (predicate, holds) = (!a.predicate, a.holds);
            Condition { predicate, holds: Rc::new(move |o| !holds(o)), operator: Operator::Not }
        }
        6..10 => {
            let (a, b) = (inner(rng, tally), inner(rng, tally));
            let combinator = if kind < 8 { Operator::And } else { Operator::Or };
            tally.siblings(combinator, &[a.operator, b.operator]);
            both(combinator, a, b)
        }
        // Built at run time, of a list.
        _ => {
            let parts: Vec<Condition<O>> = (0..rng.below(5)).map(|_| inner(rng, tally)).collect();
            let operators: Vec<Operator> = parts.iter().map(|part| part.operator).collect();
            let (predicates, tests): (Vec<Predicate<O>>, Vec<Holds<O>>) =
                parts.into_iter().map(|part| (part.predicate, part.holds)).unzip();
            if kind < 12 {
                tally.siblings(Operator::And, &operators);
                let holds = Rc::new(move |o: &O| tests.iter().all(|holds| holds(o)));
                let predicate = Predicate::all_of(predicates);
                Condition { predicate, holds, operator: Operator::And }
            } else {
                tally.siblings(Operator::Or, &operators);
                let holds = Rc::new(move |o: &O| tests.iter().any(|holds| holds(o)));
                let predicate = Predicate::any_of(predicates);
                Condition { predicate, holds, operator: Operator::Or }
            }
        }
    }
}

const LEAVES: usize = OPERATORS.len() - 3;

fn leaf<O: Object>(
    rng: &mut Rng,
    columns: &Columns<O>,
    objects: &BTreeMap<u64, O>,
) -> Condition<O> {
    let operator = OPERATORS[rng.below(LEAVES as u64) as usize];
    of_operator(rng, columns, objects, operator)
}

/// A small condition of this operator.
pub(crate) fn of_operator<O: Object>(
    rng: &mut Rng,
    columns: &Columns<O>,
    objects: &BTreeMap<u64, O>,
    operator: Operator,
) -> Condition<O> {
    match operator {
        Operator::Timestamp => on_timestamps(rng, objects),
        Operator::Constant => {
            let all = rng.chance(50);
            let predicate = if all { Predicate::all() } else { Predicate::none() };
            Condition { predicate, holds: Rc::new(move |_| all), operator }
        }
        Operator::Not => {
            let Condition { predicate, holds, .. } = leaf(rng, columns, objects);
            Condition { predicate: !predicate, holds: Rc::new(move |o| !holds(o)), operator }
        }
        Operator::And | Operator::Or => {
            let (a, b) = (leaf(rng, columns, objects), leaf(rng, columns, objects));
            both(operator, a, b)
        }
        _ => {
            let able: Vec<_> = columns.iter().filter(|column| column.has(operator)).collect();
            able[rng.below(able.len() as u64) as usize].condition(rng, operator, objects)
        }
    }
}

/// Two conditions under `&` or `|`.
pub(crate) fn both<O: Object>(
    combinator: Operator,
    a: Condition<O>,
    b: Condition<O>,
) -> Condition<O> {
    let (one, other) = (a.holds, b.holds);
    let (predicate, holds): (_, Holds<O>) = match combinator {
        Operator::And => (a.predicate & b.predicate, Rc::new(move |o: &O| one(o) && other(o))),
        _ => (a.predicate | b.predicate, Rc::new(move |o: &O| one(o) || other(o))),
    };
    Condition { predicate, holds, operator: combinator }
}

fn on_timestamps<O: Object>(rng: &mut Rng, objects: &BTreeMap<u64, O>) -> Condition<O> {
    let handle = Timestamps::<O>::new();
    let at = timestamp(rng, objects);
    let other = timestamp(rng, objects);
    let (predicate, holds): (_, Holds<O>) = match rng.below(8) {
        0 => (handle.eq(at), Rc::new(move |o| o.timestamp() == at)),
        1 => (handle.ne(at), Rc::new(move |o| o.timestamp() != at)),
        2 => (handle.lt(at), Rc::new(move |o| o.timestamp() < at)),
        3 => (handle.le(at), Rc::new(move |o| o.timestamp() <= at)),
        4 => (handle.gt(at), Rc::new(move |o| o.timestamp() > at)),
        5 => (handle.ge(at), Rc::new(move |o| o.timestamp() >= at)),
        6 => {
            let range = (bound(rng, at), bound(rng, other));
            (handle.range(range), Rc::new(move |o| within(&range, &o.timestamp(), u64::cmp)))
        }
        _ => {
            let list = [at, other, 0, u64::MAX];
            (handle.one_of(list), Rc::new(move |o| list.contains(&o.timestamp())))
        }
    };
    Condition { predicate, holds, operator: Operator::Timestamp }
}

/// A timestamp at or beside that of an object.
pub(crate) fn timestamp<O>(rng: &mut Rng, objects: &BTreeMap<u64, O>) -> u64 {
    let highest = objects.last_key_value().map_or(0, |(timestamp, _)| *timestamp);
    match rng.below(20) {
        0 => 0,
        1 => u64::MAX,
        2 => highest + 1,
        _ => {
            let from = rng.below(highest + 1);
            let found = objects.range(from..).next().map_or(highest, |(timestamp, _)| *timestamp);
            (found + rng.below(3)).saturating_sub(1)
        }
    }
}
