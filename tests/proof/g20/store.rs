//! The forest of the hunts, what it must hold, and random changes to both.

use std::collections::{BTreeMap, BTreeSet};

use groove::{Abort, Forest, Groove, InsertError, Lookup, Scope, WriteError};

use crate::model::rng::Rng;

/// Ids that orders may have: few, so that keys are removed and come back.
pub(super) const IDS: u64 = 400;
pub(super) const REFERENCES: u64 = 120;
pub(super) const SHELVES: u64 = 5;
pub(super) const TAGS: u64 = 40;

pub(super) type Id = [u8; 32];

/// Rows and keys are wide, so that a few hundred orders take three levels of tables.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids)]
pub(super) struct Order {
    #[index(primary)]
    pub(super) id: Id,
    #[index(unique, optional)]
    pub(super) reference: u64,
    #[index]
    pub(super) shelf: u8,
    #[index(optional)]
    pub(super) tag: Id,
    #[groove(ignore)]
    amount: u64,
    #[groove(ignore)]
    note: [u64; 24],
    pub(super) timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    #[index]
    pub(super) kind: u16,
    #[groove(ignore)]
    payload: u64,
    pub(super) timestamp: u64,
}

#[derive(Forest)]
pub(super) struct Store {
    pub(super) orders: Groove<Order>,
    pub(super) events: Groove<Event>,
}

/// What a forest holds after an op.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) orders: BTreeMap<u64, Order>,
    pub(super) ids: BTreeMap<Id, u64>,
    pub(super) references: BTreeMap<u64, u64>,
    pub(super) orphans: BTreeSet<Id>,
    pub(super) events: BTreeMap<u64, Event>,
    /// The highest timestamp that was ever given.
    timestamp_max: u64,
}

/// Numbers as keys that do not ascend and do not pack.
pub(super) fn id(number: u64) -> Id {
    let mut id = [0; 32];
    let mut words = Rng::new(number);
    id.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&words.next().to_be_bytes()));
    id
}

fn random_id(rng: &mut Rng) -> Id {
    id(rng.below(IDS))
}

/// A tag, or none.
fn random_tag(rng: &mut Rng) -> Id {
    if rng.chance(15) { [0; 32] } else { id(rng.below(TAGS)) }
}

fn fill(order: &mut Order, rng: &mut Rng) {
    order.amount = rng.next();
    order.note.iter_mut().for_each(|word| *word = rng.next());
}

impl Model {
    fn take_timestamp(&mut self) -> u64 {
        self.timestamp_max += 1;
        self.timestamp_max
    }

    fn order(&self, id: &Id) -> Option<Order> {
        self.ids.get(id).map(|timestamp| self.orders[timestamp])
    }

    fn put(&mut self, order: Order) {
        self.ids.insert(order.id, order.timestamp);
        if order.reference != 0 {
            self.references.insert(order.reference, order.timestamp);
        }
        self.orders.insert(order.timestamp, order);
    }

    fn remove(&mut self, order: &Order) {
        self.orders.remove(&order.timestamp);
        self.ids.remove(&order.id);
        self.references.remove(&order.reference);
    }
}

type Tx<'a> = Scope<'a, Store>;

/// Runs one scope of random changes. Gives what the forest holds if it was committed, and the error
/// if the device failed.
pub(super) fn scope(
    forest: &Forest<Store>,
    model: &Model,
    rng: &mut Rng,
) -> (Model, Result<(), WriteError>) {
    let mut next = model.clone();
    let given_up = rng.chance(6);
    let result = forest.write(|tx| {
        if rng.chance(30) {
            prefetch(tx, rng)?;
        }
        for _ in 0..=rng.below(9) {
            change(tx, &mut next, rng)?;
        }
        if given_up { Err(Abort::new("given up")) } else { Ok(()) }
    });
    match result {
        Err(WriteError::Aborted(_)) if given_up => (model.clone(), Ok(())),
        result => (next, result),
    }
}

fn prefetch(tx: &mut Tx<'_>, rng: &mut Rng) -> Result<(), Abort> {
    for _ in 0..8 {
        tx.orders.prefetch_enqueue(random_id(rng));
        tx.orders.prefetch_enqueue_unique(Order::REFERENCE, 1 + rng.below(REFERENCES));
    }
    Ok(tx.orders.prefetch().wait()?)
}

fn change(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    match rng.below(24) {
        0..9 => insert(tx, model, rng),
        9..14 => modify(tx, model, rng),
        14..18 => remove(tx, model, rng),
        18 => orphan(tx, model, rng),
        19..22 => event(tx, model, rng),
        _ => savepoint(tx, model, rng),
    }
}

fn insert(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    let mut order = Order {
        id: random_id(rng),
        reference: if rng.chance(30) { 0 } else { 1 + rng.below(REFERENCES) },
        shelf: rng.below(SHELVES) as u8,
        tag: random_tag(rng),
        amount: 0,
        note: [0; 24],
        timestamp: 0,
    };
    fill(&mut order, rng);
    let refused = model.ids.contains_key(&order.id)
        || model.orphans.contains(&order.id)
        || model.references.contains_key(&order.reference);
    match tx.orders.insert(order) {
        Ok(timestamp) => {
            assert!(!refused, "an order was inserted twice");
            assert_eq!(timestamp, model.take_timestamp(), "timestamps count up");
            model.put(Order { timestamp, ..order });
        }
        Err(InsertError::Duplicate { .. } | InsertError::Orphaned { .. }) => {
            assert!(refused, "an order was refused");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn modify(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    let id = random_id(rng);
    let Some(mut order) = model.order(&id) else {
        let expected = if model.orphans.contains(&id) { Lookup::Orphaned } else { Lookup::Absent };
        assert_eq!(tx.orders.lookup(id)?, expected);
        return Ok(());
    };
    assert_eq!(tx.orders.get(id)?, Some(order));
    match rng.below(3) {
        0 => order.shelf = rng.below(SHELVES) as u8,
        1 => order.tag = random_tag(rng),
        _ => fill(&mut order, rng),
    }
    tx.orders.modify(id, |stored| *stored = order)?;
    model.put(order);
    Ok(())
}

fn remove(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    // Half of them are among the oldest, whose tables are deepest.
    let oldest = model.orders.values().nth(rng.below(20) as usize).map(|order| order.id);
    let id = oldest.filter(|_| rng.chance(50)).unwrap_or_else(|| random_id(rng));
    let expected = model.order(&id);
    assert_eq!(tx.orders.remove(id)?, expected);
    if let Some(order) = expected {
        model.remove(&order);
    }
    Ok(())
}

fn orphan(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    let id = id(rng.below(10 * IDS));
    let refused = model.ids.contains_key(&id) || model.orphans.contains(&id);
    match tx.orders.insert_orphaned_id(id) {
        Ok(()) => assert!(!refused && model.orphans.insert(id), "an id was orphaned twice"),
        Err(InsertError::Read(error)) => return Err(error.into()),
        Err(_) => assert!(refused, "an orphan was refused"),
    }
    Ok(())
}

fn event(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    let mut event = Event { kind: rng.below(7) as u16, payload: rng.next(), timestamp: 0 };
    let old = model.events.values().nth(rng.below(40) as usize).copied();
    match (rng.below(3), old) {
        (1, Some(old)) => {
            event.timestamp = old.timestamp;
            tx.events.update(&old, &event)?;
            model.events.insert(event.timestamp, event);
        }
        (2, Some(old)) => {
            assert_eq!(tx.events.remove(old.timestamp)?, Some(old));
            model.events.remove(&old.timestamp);
        }
        _ => {
            event.timestamp = tx.events.insert(event)?;
            assert_eq!(event.timestamp, model.take_timestamp(), "timestamps count up");
            model.events.insert(event.timestamp, event);
        }
    }
    Ok(())
}

/// Changes that are kept or taken back.
fn savepoint(tx: &mut Tx<'_>, model: &mut Model, rng: &mut Rng) -> Result<(), Abort> {
    let mut next = model.clone();
    let discard = rng.chance(50);
    let result = tx.savepoint(|tx| {
        insert(tx, &mut next, rng)?;
        modify(tx, &mut next, rng)?;
        remove(tx, &mut next, rng)?;
        if discard { Err(Abort::new("taken back")) } else { Ok(()) }
    });
    match result {
        Ok(()) => *model = next,
        Err(_) if discard => {}
        Err(abort) => return Err(abort),
    }
    Ok(())
}
