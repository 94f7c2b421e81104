//! Forests of shapes: changes and questions at random, beside plain maps of rows.

use std::collections::BTreeMap;

use groove::{
    Abort, Forest, Groove, Grooves, InsertError, Predicate, QueryError, ReadError, Scope, Snapshot,
};
use groove_core::proof::Random;

use super::shape::{Asked, Shape};
use super::shapes::{Depot, DepotSnapshot, Ledger, LedgerSnapshot};

type Rows<O> = BTreeMap<u64, O>;

/// A groove's rows stay about so many.
const ROWS: usize = 220;

/// What reading a forest gave besides right answers. Wrong ones panic.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) answers: u64,
    pub(crate) errors: Vec<ReadError>,
}

impl Found {
    fn is<T: std::fmt::Debug>(
        &mut self,
        what: &str,
        found: Result<T, ReadError>,
        is_right: impl FnOnce(&T) -> bool,
    ) {
        match found {
            Ok(found) => assert!(is_right(&found), "{what}: {found:?}"),
            Err(error) => self.errors.push(error),
        }
        self.answers += 1;
    }
}

/// A forest whose every groove is of a shape.
pub(crate) trait Store: Grooves {
    /// Rows by timestamp, of each groove.
    type Model: Clone + Default;

    /// Some changes, to the scope and the model alike.
    fn change(
        scope: &mut Scope<'_, Self>,
        model: &mut Self::Model,
        random: &mut Random,
    ) -> Result<(), Abort>;

    /// Compares all rows, some keys, and some questions.
    fn compare(
        snapshot: &Self::Snapshot,
        model: &Self::Model,
        random: &mut Random,
        found: &mut Found,
    );

    /// The op of a snapshot.
    fn op(forest: &Forest<Self>) -> u64 {
        forest.statistics().op
    }
}

impl<O: Shape> Store for O {
    type Model = Rows<O>;

    fn change(
        scope: &mut Scope<'_, O>,
        model: &mut Rows<O>,
        random: &mut Random,
    ) -> Result<(), Abort> {
        change(scope, model, random)
    }

    fn compare(snapshot: &Snapshot<O>, model: &Rows<O>, random: &mut Random, found: &mut Found) {
        compare(snapshot, model, random, found);
    }
}

macro_rules! store {
    ($name:ident, $snapshot:ident: $($at:tt $groove:ident),*; $model:ty) => {
        impl Store for $name {
            type Model = $model;

            fn change(
                scope: &mut Scope<'_, $name>,
                model: &mut $model,
                random: &mut Random,
            ) -> Result<(), Abort> {
                $(change(&mut scope.$groove, &mut model.$at, random)?;)*
                Ok(())
            }

            fn compare(
                snapshot: &$snapshot,
                model: &$model,
                random: &mut Random,
                found: &mut Found,
            ) {
                $(compare(&snapshot.$groove, &model.$at, random, found);)*
            }
        }
    };
}

store!(Depot, DepotSnapshot: 0 named, 1 bare; (
    Rows<super::shapes::Named>,
    Rows<super::shapes::Bare>
));
store!(Ledger, LedgerSnapshot: 0 long, 1 first, 2 second, 3 small; (
    Rows<super::shapes::Long>,
    Rows<super::shapes::Signed>,
    Rows<super::shapes::Signed>,
    Rows<super::shapes::Small>
));

/// A row of the model, at random; `None` if there is none.
fn any_of<'a, O>(rows: &'a Rows<O>, random: &mut Random) -> Option<&'a O> {
    let (first, last) = (*rows.keys().next()?, *rows.keys().next_back()?);
    let at = first + random.below(last - first + 1);
    rows.range(at..).next().map(|(_, object)| object)
}

fn same<O: Shape>(one: &O, other: &O) -> bool {
    let row = |object: &O| {
        let mut row = vec![0; O::ROW_WIDTH];
        object.write_row(&mut row);
        row
    };
    one.timestamp() == other.timestamp() && row(one) == row(other)
}

fn change<O: Shape>(
    groove: &mut Groove<O>,
    rows: &mut Rows<O>,
    random: &mut Random,
) -> Result<(), Abort> {
    for _ in 0..1 + random.below(14) {
        let sample = any_of(rows, random).cloned();
        match (random.below(10), sample) {
            (0..2, Some(mut object)) => {
                object.change(random);
                groove.modify(object.primary(), |stored| *stored = object.clone())?;
                rows.insert(object.timestamp(), object);
            }
            (2..10, Some(object)) if random.chance(if rows.len() > ROWS { 60 } else { 20 }) => {
                let removed = groove.remove(object.primary())?.expect("the model has it");
                assert!(same(&removed, &object), "{removed:?} was removed, not {object:?}");
                rows.remove(&object.timestamp());
            }
            _ => {
                let mut object = O::random(random);
                let clashes = rows.values().any(|other| object.clashes(other));
                match groove.insert(object.clone()) {
                    Ok(timestamp) => {
                        assert!(!clashes, "a second object of a unique key: {object:?}");
                        object.set_timestamp(timestamp);
                        let before = rows.insert(timestamp, object);
                        assert!(before.is_none(), "timestamp {timestamp} was given out before");
                    }
                    Err(InsertError::Duplicate { .. }) => assert!(clashes, "refused: {object:?}"),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

fn read<T>(result: Result<T, QueryError>) -> Result<T, ReadError> {
    result.map_err(|error| match error {
        QueryError::Read(error) => error,
        other => panic!("{other}"),
    })
}

/// One to three questions, joined and negated at random.
fn ask<O: Shape>(rows: &Rows<O>, random: &mut Random) -> Asked<O> {
    let one = |random: &mut Random| -> Asked<O> {
        let questions = O::questions();
        let question = questions[random.below(questions.len() as u64) as usize];
        let sample = any_of(rows, random).cloned().unwrap_or_else(|| O::random(random));
        let (predicate, test) = question(&sample, random);
        match random.chance(15) {
            true => (!predicate, Box::new(move |object| !test(object))),
            false => (predicate, test),
        }
    };
    let (mut predicate, mut test) = one(random);
    for _ in 0..random.below(3) {
        let (other, other_test) = one(random);
        let before = test;
        if random.chance(60) {
            predicate = predicate & other;
            test = Box::new(move |object| before(object) && other_test(object));
        } else {
            predicate = predicate | other;
            test = Box::new(move |object| before(object) || other_test(object));
        }
    }
    (predicate, test)
}

fn compare<O: Shape>(
    snapshot: &Snapshot<O>,
    rows: &Rows<O>,
    random: &mut Random,
    found: &mut Found,
) {
    let equal = |found: &[O], expected: &[&O]| {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| same(a, b))
    };
    assert_eq!(snapshot.len(), rows.len() as u64, "the number of objects");
    let all: Vec<&O> = rows.values().collect();
    let objects = snapshot.query(Predicate::all()).iter().collect::<Result<Vec<O>, _>>();
    found.is("all objects", read(objects), |objects| equal(objects, &all));
    for _ in 0..8 {
        let Some(object) = any_of(rows, random) else { break };
        let is_it = |found: &Option<O>| found.as_ref().is_some_and(|found| same(found, object));
        found.is("by key", snapshot.get(object.primary()), is_it);
        found.is("by timestamp", snapshot.get_by_timestamp(object.timestamp()), is_it);
        let absent = O::random(random);
        if O::SCHEMA.primary().is_some() && !rows.values().any(|other| absent.clashes(other)) {
            found.is("absent", snapshot.get(absent.primary()), Option::is_none);
        }
    }
    for _ in 0..6 {
        let (predicate, test) = ask(rows, random);
        let expected: Vec<&O> = rows.values().filter(|object| test(object)).collect();
        let objects = snapshot.query(predicate.clone()).iter().collect::<Result<Vec<O>, _>>();
        let what = format!("{predicate:?}");
        found.is(&what, read(objects), |objects| equal(objects, &expected));
        let count = read(snapshot.count(predicate.clone()));
        found.is(&format!("count of {what}"), count, |count| *count == expected.len() as u64);
        let limit = 1 + random.below(20) as usize;
        let newest = snapshot.query(predicate).newest_first().limit(limit).collect();
        let expected: Vec<&O> = expected.into_iter().rev().take(limit).collect();
        found.is(&what, read(newest.map(groove::Page::into_vec)), |objects| {
            equal(objects, &expected)
        });
    }
}
