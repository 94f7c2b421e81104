//! What happens within a scope: every operation of a groove, and scopes within scopes.

use std::panic::resume_unwind;

use groove::{Groove, Scope, ScopeEnd};

use super::counts::Counts;
use super::index::IndexModel;
use super::objects::{Event, Item, Kind, Order, Shop};
use super::oracle::{Conflict, Fault, ForestModel, GrooveModel, Shared, TIMESTAMP_MAX};
use super::query::ask;
use super::reader::{Finder, Reader};
use super::rng::Rng;
use super::verify::verify;

/// What a scope that is to panic panics with.
pub(crate) struct PlannedPanic;

/// The indexes of all grooves.
pub(crate) struct AllIndexes {
    pub(crate) orders: Vec<Box<dyn IndexModel<Order>>>,
    pub(crate) events: Vec<Box<dyn IndexModel<Event>>>,
    pub(crate) items: Vec<Box<dyn IndexModel<Item>>>,
}

impl Default for AllIndexes {
    fn default() -> Self {
        AllIndexes { orders: Order::indexes(), events: Event::indexes(), items: Item::indexes() }
    }
}

/// What the generator carries along.
pub(crate) struct Context {
    pub(crate) rng: Rng,
    pub(crate) counts: Counts,
    pub(crate) indexes: AllIndexes,
    /// The open scope is going to be taken back.
    pub(crate) doomed: bool,
    /// Steps until the open scope panics.
    pub(crate) panic_in: Option<u64>,
}

impl Context {
    pub(crate) fn new(seed: u64) -> Context {
        Context {
            rng: Rng::new(seed),
            counts: Counts::default(),
            indexes: AllIndexes::default(),
            doomed: false,
            panic_in: None,
        }
    }
}

/// Some steps in the open scope, and in scopes within it.
pub(crate) fn steps(
    context: &mut Context,
    scope: &mut Scope<'_, Shop>,
    model: &mut ForestModel,
    count: u64,
    depth: u64,
) {
    for _ in 0..count {
        if let Some(left) = &mut context.panic_in {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => resume_unwind(Box::new(PlannedPanic)),
            }
        }
        if depth < 4 && context.rng.chance(4) {
            inner_scope(context, scope, model, depth);
            continue;
        }
        let shared = &mut model.shared;
        match context.rng.below(9) {
            0..4 => {
                let indexes = std::mem::take(&mut context.indexes.orders);
                step(context, &mut scope.orders, &mut model.orders, shared, &indexes);
                context.indexes.orders = indexes;
            }
            4 | 5 => {
                let indexes = std::mem::take(&mut context.indexes.events);
                step(context, &mut scope.events, &mut model.events, shared, &indexes);
                context.indexes.events = indexes;
            }
            _ => {
                let indexes = std::mem::take(&mut context.indexes.items);
                step(context, &mut scope.items, &mut model.items, shared, &indexes);
                context.indexes.items = indexes;
            }
        }
    }
}

/// A scope within the scope, by closure or by open and close, that ends either way.
fn inner_scope(
    context: &mut Context,
    scope: &mut Scope<'_, Shop>,
    model: &mut ForestModel,
    depth: u64,
) {
    let mark = model.mark();
    let persist = context.rng.chance(50);
    let count = context.rng.below(8);
    let doomed = context.doomed;
    context.doomed |= !persist;
    if context.rng.chance(50) {
        let result = scope.savepoint(|inner| {
            steps(context, inner, model, count, depth + 1);
            if persist { Ok(count) } else { Err("given up") }
        });
        assert_eq!(result, if persist { Ok(count) } else { Err("given up") });
        context.counts.add(if persist { "savepoint: ok" } else { "savepoint: error" });
    } else {
        scope.scope_open();
        steps(context, scope, model, count, depth + 1);
        scope.scope_close(if persist { ScopeEnd::Persist } else { ScopeEnd::Discard });
        context.counts.add(if persist { "scope_close: persist" } else { "scope_close: discard" });
    }
    context.doomed = doomed;
    if !persist {
        model.rollback(&mark);
    }
}

fn step<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
    indexes: &[Box<dyn IndexModel<O>>],
) {
    let full = model.objects.map().len() >= 1_000;
    match context.rng.below(100) {
        0..30 if !full => insert(context, groove, model, shared),
        30..38 => update(context, groove, model, shared),
        38..52 => modify(context, groove, model, shared),
        0..30 | 52..67 if context.rng.below(30) == 0 => {
            remove_stretch(context, groove, model, shared);
        }
        0..30 | 52..67 => remove(context, groove, model, shared),
        67..69 => orphan(context, groove, model, shared),
        69..88 => read(&mut context.rng, &mut context.counts, groove, model, shared.highest),
        88..93 => prefetch(context, groove, model, shared.highest),
        93..98 => {
            context.counts.add("query in a scope");
            let objects = model.objects.map();
            ask(&mut context.rng, &mut context.counts, groove, indexes, objects);
        }
        98 => {
            context.counts.add("reset");
            groove.reset();
        }
        _ => {
            if context.rng.chance(3) {
                context.counts.add("verify in a scope");
                verify(&mut context.rng, groove, model);
            }
        }
    }
}

/// An object of the model, if there is one.
fn existing<O: Kind>(rng: &mut Rng, model: &GrooveModel<O>) -> Option<O> {
    let objects = model.objects.map();
    let (highest, _) = objects.last_key_value()?;
    let from = rng.below(*highest) + 1;
    objects.range(from..).next().map(|(_, object)| *object)
}

fn insert<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    let rng = &mut context.rng;
    let mut object = O::random(rng);
    let timestamp = match rng.below(40) {
        0..4 => shared.highest + 1 + rng.below(4),
        4..8 => 1 + rng.below(shared.highest + 1),
        8 => existing(rng, model).map_or(7, |object| object.timestamp()),
        9 if rng.chance(50) => [TIMESTAMP_MAX + 1, u64::MAX][rng.below(2) as usize],
        // After it no timestamp can be assigned any more.
        10 if context.doomed => TIMESTAMP_MAX,
        _ => 0,
    };
    object.set_timestamp(timestamp);
    let (assigned, conflicts) = model.insert_conflicts(&object, shared);
    match groove.insert(object) {
        Ok(given) => {
            assert_eq!(given, assigned);
            assert!(conflicts.is_empty(), "{object:?} should be refused: {conflicts:?}");
            object.set_timestamp(given);
            model.insert(object, shared);
            context.counts.add(if timestamp == 0 { "insert" } else { "insert: timestamp given" });
        }
        Err(error) => {
            let reported = Conflict::of(&error);
            assert!(conflicts.contains(&reported), "{error}: {object:?}, {conflicts:?}");
            context.counts.add(match reported {
                Conflict::OutOfRange(_) => "insert: timestamp out of range",
                Conflict::TimestampTaken(_) => "insert: timestamp taken",
                Conflict::Duplicate(name, _) if name == O::UNIQUE_NAMES[0] => {
                    "insert: duplicate primary"
                }
                Conflict::Duplicate(..) => "insert: duplicate unique",
                Conflict::Orphaned(_) => "insert: orphaned",
            });
        }
    }
}

fn update<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    let rng = &mut context.rng;
    let Some(mut old) = existing(rng, model) else { return };
    if rng.chance(5) {
        old.set_timestamp(1 + rng.below(shared.highest + 3));
    }
    let mut new = old;
    new.change(rng);
    match rng.below(20) {
        0 => new.set_timestamp(1 + rng.below(shared.highest + 3)),
        1 => new.change_primary(rng),
        2 => new.change_secondary(rng),
        3 => old.change(rng),
        _ => {}
    }
    let faults = model.update_faults(&old, &new);
    match groove.update(&old, &new) {
        Ok(()) => {
            assert!(faults.is_empty(), "{old:?} to {new:?} should be refused: {faults:?}");
            model.update(new, shared);
            context.counts.add("update");
        }
        Err(error) => {
            let reported = Fault::of(&error);
            assert!(faults.contains(&reported), "{error}: {old:?} to {new:?}, {faults:?}");
            context.counts.add(match reported {
                Fault::NotFound => "update: not found",
                Fault::UniqueChanged(_) => "update: unique changed",
                Fault::TimestampChanged(..) => "update: timestamp changed",
                Fault::Stale(_) => "update: stale",
            });
        }
    }
}

/// A primary key: mostly that of an object.
fn some_primary<O: Kind>(rng: &mut Rng, model: &GrooveModel<O>, highest: u64) -> O::Primary {
    match existing(rng, model) {
        Some(object) if rng.chance(70) => object.primary(),
        _ => O::random_primary(rng, highest),
    }
}

fn modify<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    let rng = &mut context.rng;
    let primary = some_primary(rng, model, shared.highest);
    let stored = model.get(primary);
    let mut changed = None;
    let result = groove.modify(primary, |object| {
        assert_eq!(Some(*object), stored, "modify gives the stored object");
        object.change(rng);
        match rng.below(24) {
            0 => object.change_primary(rng),
            1 => object.change_secondary(rng),
            2 => object.set_timestamp(rng.below(shared.highest + 2)),
            _ => {}
        }
        changed = Some(*object);
        "changed"
    });
    let faults = match (&stored, &changed) {
        (Some(old), Some(new)) => model.update_faults(old, new),
        (None, None) => vec![Fault::NotFound],
        _ => panic!("modify calls its closure if the object is there: {stored:?}, {changed:?}"),
    };
    match result {
        Ok(value) => {
            assert_eq!(value, "changed");
            assert!(faults.is_empty(), "{stored:?} to {changed:?} should be refused: {faults:?}");
            model.update(changed.expect("checked above"), shared);
            context.counts.add("modify");
        }
        Err(error) => {
            let reported = Fault::of(&error);
            assert!(faults.contains(&reported), "{error}: {stored:?} to {changed:?}, {faults:?}");
            context.counts.add(match reported {
                Fault::NotFound => "modify: not found",
                Fault::UniqueChanged(_) => "modify: unique changed",
                Fault::TimestampChanged(..) => "modify: timestamp changed",
                Fault::Stale(_) => panic!("modify reads the object itself"),
            });
        }
    }
}

fn remove<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    let primary = some_primary(&mut context.rng, model, shared.highest);
    let expected = model.get(primary);
    assert_eq!(groove.remove(primary).expect("readable"), expected, "removed by {primary:?}");
    match expected {
        Some(object) => {
            model.remove(&object, shared);
            context.counts.add("remove");
        }
        None => context.counts.add("remove: not found"),
    }
}

/// Removes some neighbours, most of them: scans skip what is removed in long stretches.
fn remove_stretch<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    let Some(first) = existing(&mut context.rng, model) else { return };
    // Often enough there are many.
    if model.objects.map().len() < 100 {
        return;
    }
    let count = 40 + context.rng.below(80) as usize;
    let spared = [0, 2, 30][context.rng.below(3) as usize];
    let from = if context.rng.chance(50) { 0 } else { first.timestamp() };
    let objects = model.objects.map().range(from..).take(count).map(|(_, object)| *object);
    for object in objects.collect::<Vec<O>>() {
        if context.rng.chance(spared) {
            continue;
        }
        assert_eq!(groove.remove(object.primary()).expect("readable"), Some(object));
        model.remove(&object, shared);
    }
    context.counts.add("remove: a stretch");
}

fn orphan<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &mut GrooveModel<O>,
    shared: &mut Shared,
) {
    if !O::ORPHANED_IDS {
        return;
    }
    let orphans = model.primaries.map().values().filter(|entry| entry.is_none()).count();
    // Orphans stay for ever: a few, and beyond them only attempts on keys that are taken.
    let primary = some_primary(&mut context.rng, model, shared.highest);
    let conflict = model.primary_conflict(primary);
    if conflict.is_none() && orphans >= 60 && !context.doomed {
        return;
    }
    match (groove.insert_orphaned_id(primary), conflict) {
        (Ok(()), None) => {
            model.orphan(primary, shared);
            context.counts.add("insert_orphaned_id");
        }
        (Err(error), Some(conflict)) => {
            assert_eq!(Conflict::of(&error), conflict);
            context.counts.add("insert_orphaned_id: refused");
        }
        (result, conflict) => panic!("orphan {primary:?}: {result:?}, expected {conflict:?}"),
    }
}

/// One look-up, of any kind.
pub(crate) fn read<O: Kind>(
    rng: &mut Rng,
    counts: &mut Counts,
    reader: &mut dyn Finder<O>,
    model: &GrooveModel<O>,
    highest: u64,
) {
    let primary = some_primary(rng, model, highest);
    let stored = model.get(primary);
    match rng.below(7) {
        0 => {
            counts.add("get");
            assert_eq!(reader.get(primary), stored, "get {primary:?}");
        }
        1 => {
            counts.add("lookup");
            super::snapshot::assert_lookup(reader, model, primary);
        }
        2 => {
            counts.add("exists");
            assert_eq!(reader.exists(primary), stored.is_some(), "exists {primary:?}");
        }
        3 => {
            counts.add("get_by_timestamp");
            let timestamp = stored.map_or(rng.below(highest + 2), |object| object.timestamp());
            let expected = model.objects.map().get(&timestamp).copied();
            assert_eq!(reader.get_by_timestamp(timestamp), expected, "get at {timestamp}");
        }
        4 => {
            counts.add("find: primary");
            assert!(reader.find_primary(primary).is_none_or(|found| found == stored));
        }
        5 => {
            counts.add("find: unique");
            let key = stored.and_then(|object| object.secondary());
            let key = key.unwrap_or_else(|| O::random_secondary(rng));
            let timestamp = model.secondaries.map().get(&key);
            let expected = timestamp.map(|timestamp| model.objects.map()[timestamp]);
            let found = reader.find_secondary(key);
            assert!(found.is_none_or(|found| found == expected), "find {key:?}: {found:?}");
        }
        _ => {
            counts.add("len");
            let length = model.objects.map().len() as u64;
            assert_eq!(reader.length(), (length, length == 0));
        }
    }
}

/// Enqueues keys in all four ways, loads them, and asks for them.
fn prefetch<O: Kind>(
    context: &mut Context,
    groove: &mut Groove<O>,
    model: &GrooveModel<O>,
    highest: u64,
) {
    let rng = &mut context.rng;
    let mut primaries = Vec::new();
    for _ in 0..rng.below(12) {
        let primary = some_primary(rng, model, highest);
        let stored = model.get(primary);
        match rng.below(4) {
            0 => groove.prefetch_enqueue(primary),
            1 => groove.prefetch_exists_enqueue(primary),
            2 => {
                let timestamp = stored.map_or(rng.below(highest + 1), |o| o.timestamp());
                groove.prefetch_enqueue_timestamp(timestamp);
            }
            _ => {
                let key = stored.and_then(|object| object.secondary());
                let key = key.unwrap_or_else(|| O::random_secondary(rng));
                if let Some(index) = O::secondary_index() {
                    groove.prefetch_enqueue_unique(index, key);
                }
            }
        }
        primaries.push(primary);
    }
    match rng.below(20) {
        0 => {
            context.counts.add("prefetch: dropped");
            drop(groove.prefetch());
        }
        1 => {
            context.counts.add("prefetch: awaited");
            super::snapshot::block_on(groove.prefetch()).expect("readable");
        }
        2 => context.counts.add("prefetch: only enqueued"),
        _ => {
            context.counts.add("prefetch: waited for");
            groove.prefetch().wait().expect("readable");
        }
    }
    for primary in primaries {
        super::snapshot::assert_lookup(groove, model, primary);
        assert_eq!(Reader::exists(groove, primary), model.get(primary).is_some());
    }
}
