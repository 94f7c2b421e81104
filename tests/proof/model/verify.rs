//! Compares a groove with its model in both directions, through every tree.

use groove::{Lookup, Predicate};

use super::index::IndexModel;
use super::objects::{Kind, ShopSnapshot};
use super::oracle::{ForestModel, GrooveModel};
use super::reader::Finder;
use super::rng::Rng;

/// Everything in the model is in the store, and everything in the store is in the model.
pub(crate) fn verify_forest(rng: &mut Rng, snapshot: &mut ShopSnapshot, model: &ForestModel) {
    let verified = snapshot.verify().expect("sound");
    let grooves = [model.orders.objects.map().len(), model.events.objects.map().len()];
    let objects = grooves.iter().sum::<usize>() + model.items.objects.map().len();
    assert_eq!((verified.objects, verified.op), (objects as u64, model.op));
    assert_eq!(snapshot.orders.op(), model.op);
    assert_eq!(snapshot.events.op(), model.op);
    assert_eq!(snapshot.items.op(), model.op);
    verify(rng, &mut snapshot.orders, &model.orders);
    verify(rng, &mut snapshot.events, &model.events);
    verify(rng, &mut snapshot.items, &model.items);
}

/// Everything in the store is in the model and the reverse, as one scan of each tree shows it: every
/// block of values is read, and no key is looked up. A tenth of the time of [`verify_forest`].
pub(crate) fn scan_forest(snapshot: &mut ShopSnapshot, model: &ForestModel) {
    scan(&mut snapshot.orders, &model.orders);
    scan(&mut snapshot.events, &model.events);
    scan(&mut snapshot.items, &model.items);
}

fn scan<O: Kind>(reader: &mut dyn Finder<O>, model: &GrooveModel<O>) {
    let objects = model.objects.map();
    assert_eq!(reader.length(), (objects.len() as u64, objects.is_empty()));
    let query = reader.query(Predicate::all());
    let stored = query.iter().map(|object| object.expect("readable"));
    assert!(stored.eq(objects.values().copied()), "objects of a scan");
    let indexes: Vec<Box<dyn IndexModel<O>>> = O::indexes();
    indexes.iter().for_each(|index| index.scan(reader, objects));
}

/// As [`verify_forest`], for one groove in a scope or in a snapshot.
pub(crate) fn verify<O: Kind>(rng: &mut Rng, reader: &mut dyn Finder<O>, model: &GrooveModel<O>) {
    let objects = model.objects.map();
    assert_eq!(reader.length(), (objects.len() as u64, objects.is_empty()));
    for (timestamp, object) in objects {
        let found = Some(*object);
        assert_eq!(reader.get_by_timestamp(*timestamp), found, "by timestamp {timestamp}");
        assert_eq!(reader.get(object.primary()), found, "by primary key");
        assert!(reader.exists(object.primary()));
        if let Some(by_primary) = reader.find_primary(object.primary()) {
            assert_eq!(by_primary, found, "through the primary index");
        }
        if let Some(key) = object.secondary() {
            assert_eq!(reader.find_secondary(key), Some(found), "through {key:?}");
        }
    }
    for (primary, entry) in model.primaries.map() {
        if entry.is_none() {
            assert_eq!(reader.lookup(*primary), Lookup::Orphaned, "{primary:?}");
            assert!(!reader.exists(*primary) && reader.get(*primary).is_none());
            assert_eq!(reader.find_primary(*primary), Some(None), "{primary:?} is orphaned");
        }
    }
    // The reverse, through the object tree …
    let query = reader.query(Predicate::all());
    let mut stored = objects.values();
    for object in query.iter() {
        assert_eq!(object.expect("readable"), *stored.next().expect("no more than the model"));
    }
    assert!(stored.next().is_none());
    let descending = query.newest_first().collect().expect("readable");
    assert!(descending.iter().eq(objects.values().rev()));
    assert_eq!(reader.count(Predicate::all()), objects.len() as u64);
    // … and through every index.
    let indexes: Vec<Box<dyn IndexModel<O>>> = O::indexes();
    for index in &indexes {
        index.verify(rng, reader, objects);
    }
}
