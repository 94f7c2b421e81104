//! The model: `BTreeMap`s with an undo journal for scopes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use groove::{InsertError, UpdateError};

use super::objects::{Event, Item, Kind, Order};

pub(crate) const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

/// A map that can go back to where it was.
#[derive(Clone)]
pub(crate) struct Journaled<K, V> {
    map: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Journaled<K, V> {
    fn default() -> Self {
        Journaled { map: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Copy, V: Copy> Journaled<K, V> {
    pub(crate) fn map(&self) -> &BTreeMap<K, V> {
        &self.map
    }

    fn set(&mut self, key: K, value: Option<V>) {
        let before = match value {
            Some(value) => self.map.insert(key, value),
            None => self.map.remove(&key),
        };
        self.undo.push((key, before));
    }

    fn rollback(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let (key, before) = self.undo.pop().expect("longer than the mark");
            match before {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }
}

/// The model of one groove.
#[derive(Clone)]
pub(crate) struct GrooveModel<O: Kind> {
    pub(crate) objects: Journaled<u64, O>,
    /// The object's timestamp; `None` if the key is orphaned.
    pub(crate) primaries: Journaled<O::Primary, Option<u64>>,
    pub(crate) secondaries: Journaled<O::Secondary, u64>,
}

impl<O: Kind> Default for GrooveModel<O> {
    fn default() -> Self {
        let (primaries, secondaries) = (Journaled::default(), Journaled::default());
        GrooveModel { objects: Journaled::default(), primaries, secondaries }
    }
}

/// What all grooves of the forest share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) highest: u64,
    /// Changes of the open scope: a scope without any is no op.
    pub(crate) changes: u64,
    pub(crate) clock: Option<Arc<AtomicU64>>,
}

impl Shared {
    fn next(&self) -> u64 {
        let now = self.clock.as_ref().map_or(0, |clock| clock.load(Ordering::Relaxed));
        now.max(self.highest + 1)
    }
}

/// A reason to refuse an insert.
#[derive(Debug, PartialEq)]
pub(crate) enum Conflict {
    OutOfRange(u64),
    TimestampTaken(u64),
    Duplicate(&'static str, u64),
    Orphaned(&'static str),
}

impl Conflict {
    pub(crate) fn of(error: &InsertError) -> Conflict {
        match *error {
            InsertError::Duplicate { field, timestamp, .. } => {
                Conflict::Duplicate(field, timestamp)
            }
            InsertError::Orphaned { field, .. } => Conflict::Orphaned(field),
            InsertError::TimestampTaken { timestamp, .. } => Conflict::TimestampTaken(timestamp),
            InsertError::TimestampOutOfRange { timestamp, .. } => Conflict::OutOfRange(timestamp),
            InsertError::TimestampsExhausted { .. } => Conflict::OutOfRange(TIMESTAMP_MAX + 1),
            ref error => panic!("no read fails: {error}"),
        }
    }
}

/// A reason to refuse an update.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    NotFound,
    UniqueChanged(&'static str),
    TimestampChanged(u64, u64),
    Stale(u64),
}

impl Fault {
    pub(crate) fn of(error: &UpdateError) -> Fault {
        match *error {
            UpdateError::NotFound { .. } => Fault::NotFound,
            UpdateError::UniqueChanged { field, .. } => Fault::UniqueChanged(field),
            UpdateError::TimestampChanged { old, new, .. } => Fault::TimestampChanged(old, new),
            UpdateError::Stale { timestamp, .. } => Fault::Stale(timestamp),
            ref error => panic!("no read fails: {error}"),
        }
    }
}

/// Whether the struct has a primary key of its own.
fn has_primary<O: Kind>() -> bool {
    O::primary_index().is_some()
}

impl<O: Kind> GrooveModel<O> {
    /// The object with this primary key.
    pub(crate) fn get(&self, primary: O::Primary) -> Option<O> {
        let timestamp = self.primaries.map().get(&primary).copied().flatten()?;
        Some(self.objects.map()[&timestamp])
    }

    /// The timestamp that `object` is to get, and the reasons to refuse it: any may be reported.
    pub(crate) fn insert_conflicts(&self, object: &O, shared: &Shared) -> (u64, Vec<Conflict>) {
        let timestamp = match object.timestamp() {
            0 => shared.next(),
            timestamp => timestamp,
        };
        let mut conflicts = Vec::new();
        if timestamp > TIMESTAMP_MAX {
            conflicts.push(Conflict::OutOfRange(timestamp));
        }
        if self.objects.map().contains_key(&timestamp) {
            conflicts.push(Conflict::TimestampTaken(timestamp));
        }
        if has_primary::<O>() {
            conflicts.extend(self.primary_conflict(object.primary()));
        }
        if let Some(other) = object.secondary().and_then(|key| self.secondaries.map().get(&key)) {
            conflicts.push(Conflict::Duplicate(O::UNIQUE_NAMES[1], *other));
        }
        (timestamp, conflicts)
    }

    /// Why `primary` cannot be used any more.
    pub(crate) fn primary_conflict(&self, primary: O::Primary) -> Option<Conflict> {
        let name = O::UNIQUE_NAMES[0];
        self.primaries.map().get(&primary).map(|entry| match entry {
            Some(timestamp) => Conflict::Duplicate(name, *timestamp),
            None => Conflict::Orphaned(name),
        })
    }

    /// `object` has its timestamp.
    pub(crate) fn insert(&mut self, object: O, shared: &mut Shared) {
        let timestamp = object.timestamp();
        shared.highest = shared.highest.max(timestamp);
        shared.changes += 1;
        self.objects.set(timestamp, Some(object));
        self.primaries.set(object.primary(), Some(Some(timestamp)));
        if let Some(key) = object.secondary() {
            self.secondaries.set(key, Some(timestamp));
        }
    }

    /// The reasons to refuse an update of `old` to `new`: any may be reported.
    pub(crate) fn update_faults(&self, old: &O, new: &O) -> Vec<Fault> {
        let (timestamp, changed) = (old.timestamp(), new.timestamp());
        let mut faults = Vec::new();
        if timestamp != changed {
            faults.push(Fault::TimestampChanged(timestamp, changed));
        }
        match self.objects.map().get(&timestamp) {
            None => faults.push(Fault::NotFound),
            Some(stored) if stored != old => faults.push(Fault::Stale(timestamp)),
            Some(_) => {}
        }
        if has_primary::<O>() && old.primary() != new.primary() {
            faults.push(Fault::UniqueChanged(O::UNIQUE_NAMES[0]));
        }
        if old.secondary() != new.secondary() {
            faults.push(Fault::UniqueChanged(O::UNIQUE_NAMES[1]));
        }
        faults
    }

    pub(crate) fn update(&mut self, new: O, shared: &mut Shared) {
        shared.changes += 1;
        self.objects.set(new.timestamp(), Some(new));
    }

    pub(crate) fn remove(&mut self, object: &O, shared: &mut Shared) {
        shared.changes += 1;
        self.objects.set(object.timestamp(), None);
        self.primaries.set(object.primary(), None);
        if let Some(key) = object.secondary() {
            self.secondaries.set(key, None);
        }
    }

    pub(crate) fn orphan(&mut self, primary: O::Primary, shared: &mut Shared) {
        shared.changes += 1;
        self.primaries.set(primary, Some(None));
    }

    fn mark(&self) -> [usize; 3] {
        [self.objects.undo.len(), self.primaries.undo.len(), self.secondaries.undo.len()]
    }

    fn rollback(&mut self, mark: [usize; 3]) {
        self.objects.rollback(mark[0]);
        self.primaries.rollback(mark[1]);
        self.secondaries.rollback(mark[2]);
    }

    fn commit(&mut self) {
        self.objects.undo.clear();
        self.primaries.undo.clear();
        self.secondaries.undo.clear();
    }
}

/// The model of the forest.
#[derive(Clone, Default)]
pub(crate) struct ForestModel {
    pub(crate) orders: GrooveModel<Order>,
    pub(crate) events: GrooveModel<Event>,
    pub(crate) items: GrooveModel<Item>,
    pub(crate) shared: Shared,
    pub(crate) op: u64,
}

/// Where a scope began.
pub(crate) struct Mark {
    grooves: [[usize; 3]; 3],
    highest: u64,
    changes: u64,
}

impl ForestModel {
    pub(crate) fn mark(&self) -> Mark {
        let grooves = [self.orders.mark(), self.events.mark(), self.items.mark()];
        Mark { grooves, highest: self.shared.highest, changes: self.shared.changes }
    }

    pub(crate) fn rollback(&mut self, mark: &Mark) {
        self.orders.rollback(mark.grooves[0]);
        self.events.rollback(mark.grooves[1]);
        self.items.rollback(mark.grooves[2]);
        self.shared.highest = mark.highest;
        self.shared.changes = mark.changes;
    }

    /// How many objects there are.
    pub(crate) fn objects(&self) -> u64 {
        let (orders, events) = (self.orders.objects.map(), self.events.objects.map());
        (orders.len() + events.len() + self.items.objects.map().len()) as u64
    }

    /// The end of a scope that is kept.
    pub(crate) fn commit(&mut self) {
        self.orders.commit();
        self.events.commit();
        self.items.commit();
        self.op += u64::from(self.shared.changes > 0);
        self.shared.changes = 0;
    }
}
