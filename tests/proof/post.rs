//! A forest whose every op follows from a seed and its number, and its model.
//!
//! Whoever knows the seeds of the ops knows what a file must hold after any of them: a child process
//! and its parent, a history and the images of its crashes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use groove::{
    Abort, Durability, Forest, Groove, Index, IndexKey, Lookup, Object, Options, Predicate, Scope,
    Snapshot,
};
use groove_core::proof::Random;

/// Ids of parcels.
const PARCELS: u64 = 150;
/// Ids that may be orphaned, behind those of parcels.
const ORPHANS: u64 = 60;
/// Scans at most; beyond, half of them are removed.
const SCANS: usize = 120;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, index(by_depot_weight = (depot, weight)))]
pub(crate) struct Parcel {
    #[index(primary)]
    id: u64,
    #[index]
    depot: u16,
    #[index(optional)]
    weight: u32,
    #[index(unique, optional)]
    label: u128,
    #[groove(ignore)]
    content: [u8; 80],
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scan {
    #[index]
    parcel: u64,
    #[groove(ignore)]
    op: u64,
    timestamp: u64,
}

#[derive(Forest)]
pub(crate) struct Post {
    pub(crate) parcels: Groove<Parcel>,
    pub(crate) scans: Groove<Scan>,
}

/// A part of an op, which means the same whatever is stored.
enum Change {
    /// Insert, or change in place if it is there.
    Put(Parcel),
    Remove(u64),
    Orphan(u64),
    Scan(u64),
    /// Insert a scan with a timestamp of its own, so far behind the newest.
    Late(u64),
    /// Insert, change and remove in a scope within the scope that is taken back.
    Discard(Parcel),
    /// Remove all scans up to this timestamp behind the oldest.
    Forget(u64),
}

/// What op number `op` does.
fn script(seed: u64, op: u64) -> Vec<Change> {
    let mut rng = Random::new(seed ^ op << 20);
    // Most ops are small; some take several slots of the log.
    let count = if rng.chance(4) { 70 } else { 1 + rng.below(6) };
    let mut changes = vec![Change::Scan(op)];
    for _ in 0..count {
        let id = rng.below(PARCELS);
        let parcel = Parcel {
            id,
            depot: rng.below(6) as u16,
            weight: rng.below(4) as u32,
            label: if id.is_multiple_of(3) { 0 } else { u128::from(id) << 64 | 5 },
            content: [rng.next() as u8; 80],
            timestamp: 0,
        };
        changes.push(match rng.below(20) {
            0..10 => Change::Put(parcel),
            10..14 => Change::Remove(id),
            14 => Change::Orphan(PARCELS + rng.below(ORPHANS)),
            15 => Change::Discard(parcel),
            16 => Change::Forget(rng.below(12)),
            17 => Change::Late(1 + rng.below(3)),
            _ => Change::Scan(id),
        });
    }
    changes
}

/// What the file holds after an op.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) op: u64,
    highest: u64,
    parcels: BTreeMap<u64, Parcel>,
    orphans: Vec<u64>,
    scans: BTreeMap<u64, Scan>,
}

impl Model {
    fn next(&mut self) -> u64 {
        self.highest += 1;
        self.highest
    }

    /// Entries of all indexes.
    fn entries(&self) -> usize {
        let of_parcel = |parcel: &Parcel| {
            let some = usize::from(parcel.weight > 0) + usize::from(parcel.label != 0);
            // Id, depot, and depot with weight.
            3 + some
        };
        let of_parcels: usize = self.parcels.values().map(of_parcel).sum();
        of_parcels + self.orphans.len() + self.scans.len()
    }

    /// Carries out the next op.
    pub(crate) fn apply(&mut self, seed: u64) {
        self.op += 1;
        for change in script(seed, self.op) {
            match change {
                Change::Put(parcel) => {
                    let old = self.parcels.get(&parcel.id).map(|old| old.timestamp);
                    let timestamp = old.unwrap_or_else(|| self.next());
                    self.parcels.insert(parcel.id, Parcel { timestamp, ..parcel });
                }
                Change::Remove(id) => drop(self.parcels.remove(&id)),
                Change::Orphan(id) if self.orphans.contains(&id) => {}
                Change::Orphan(id) => self.orphans.push(id),
                Change::Scan(parcel) => {
                    let (op, timestamp) = (self.op, self.next());
                    self.scans.insert(timestamp, Scan { parcel, op, timestamp });
                }
                Change::Late(behind) => {
                    if let Some((newest, _)) = self.scans.last_key_value() {
                        let (op, timestamp) = (self.op, newest + behind);
                        self.scans.insert(timestamp, Scan { parcel: behind, op, timestamp });
                        self.highest = self.highest.max(timestamp);
                    }
                }
                Change::Discard(_) => {}
                Change::Forget(behind) => {
                    let oldest = self.scans.first_key_value().map_or(0, |(oldest, _)| *oldest);
                    self.scans = self.scans.split_off(&(oldest + behind + 1));
                }
            }
        }
        if self.scans.len() > SCANS {
            let keep = *self.scans.keys().rev().nth(SCANS / 2).expect("more than that");
            self.scans = self.scans.split_off(&keep);
        }
    }
}

/// The forest's side of [`Model::apply`].
pub(crate) fn apply(tx: &mut Scope<'_, Post>, seed: u64, op: u64) -> Result<(), Abort> {
    for change in script(seed, op) {
        match change {
            Change::Put(parcel) => put(&mut tx.parcels, parcel)?,
            Change::Remove(id) => drop(tx.parcels.remove(id)?),
            Change::Orphan(id) if tx.parcels.lookup(id)? == Lookup::Orphaned => {}
            Change::Orphan(id) => tx.parcels.insert_orphaned_id(id)?,
            Change::Scan(parcel) => drop(tx.scans.insert(Scan { parcel, op, timestamp: 0 })?),
            Change::Late(behind) => {
                if let Some(newest) = tx.scans.query(Predicate::all()).newest_first().first()? {
                    let timestamp = newest.timestamp + behind;
                    tx.scans.insert(Scan { parcel: behind, op, timestamp })?;
                }
            }
            Change::Discard(parcel) => {
                let discarded = tx.savepoint(|tx| Err::<(), _>(scrap(tx, parcel, op).err()));
                if let Err(Some(failed)) = discarded {
                    return Err(failed);
                }
            }
            Change::Forget(behind) => {
                if let Some(oldest) = tx.scans.query(Predicate::all()).first()? {
                    let end = oldest.timestamp + behind;
                    let query = tx.scans.query(Scan::TIMESTAMP.le(end));
                    for scan in query.collect()? {
                        tx.scans.remove(scan.timestamp)?;
                    }
                }
            }
        }
    }
    if tx.scans.len() > SCANS as u64 {
        let query = tx.scans.query(Predicate::all()).newest_first().limit(SCANS);
        let keep = query.collect()?[SCANS / 2].timestamp;
        for scan in tx.scans.query(Scan::TIMESTAMP.lt(keep)).collect()? {
            tx.scans.remove(scan.timestamp)?;
        }
    }
    Ok(())
}

/// Changes that are taken back.
fn scrap(tx: &mut Scope<'_, Post>, parcel: Parcel, op: u64) -> Result<(), Abort> {
    put(&mut tx.parcels, parcel)?;
    tx.scans.insert(Scan { parcel: parcel.id, op, timestamp: 0 })?;
    tx.parcels.remove(parcel.id ^ 1)?;
    tx.parcels.remove(parcel.id)?;
    Ok(())
}

/// Inserts a parcel, or changes the one that has its id.
fn put(parcels: &mut Groove<Parcel>, parcel: Parcel) -> Result<(), Abort> {
    if parcels.exists(parcel.id)? {
        parcels.modify(parcel.id, |stored| {
            *stored = Parcel { timestamp: stored.timestamp, ..parcel };
        })?;
    } else {
        parcels.insert(parcel)?;
    }
    Ok(())
}

/// Compares the objects of a snapshot with its model, and gives them.
fn compare_objects(
    snapshot: &PostSnapshot,
    model: &Model,
) -> Result<(Vec<Parcel>, Vec<Scan>), Abort> {
    assert_eq!(snapshot.parcels.op(), model.op);
    let mut parcels: Vec<Parcel> = model.parcels.values().copied().collect();
    parcels.sort_by_key(|parcel| parcel.timestamp);
    let stored = snapshot.parcels.query(Predicate::all()).collect()?;
    assert_eq!(stored[..], parcels, "parcels of op {}", model.op);
    let scans: Vec<Scan> = model.scans.values().copied().collect();
    let stored = snapshot.scans.query(Predicate::all()).collect()?;
    assert_eq!(stored[..], scans, "scans of op {}", model.op);
    let lengths = (snapshot.parcels.len() as usize, snapshot.scans.len() as usize);
    assert_eq!(lengths, (parcels.len(), scans.len()));
    Ok((parcels, scans))
}

/// The trees of a snapshot agree on how many objects there are, whichever it is.
///
/// # Errors
/// A read that failed, or what does not agree.
pub(crate) fn compare_counts(snapshot: &PostSnapshot) -> Result<(), Abort> {
    let parcels = snapshot.parcels.query(Predicate::all()).collect()?;
    let scans = snapshot.scans.query(Predicate::all()).collect()?;
    let (parcels, scans) = (parcels.len() as u64, scans.len() as u64);
    let agree = snapshot.parcels.len() == parcels
        && snapshot.parcels.count(Parcel::ID.is_some())? == parcels
        && snapshot.parcels.count(Parcel::DEPOT.range(..))? == parcels
        && snapshot.scans.len() == scans
        && snapshot.scans.count(Scan::PARCEL.range(..))? == scans;
    if agree { Ok(()) } else { Err(Abort::new("the trees do not agree")) }
}

/// The forest holds the objects of its model: not all of [`verify`], and a tenth of its time.
pub(crate) fn verify_objects(forest: &Forest<Post>, model: &Model) {
    let compared = compare_objects(&forest.snapshot(), model);
    compared.unwrap_or_else(|error| panic!("op {}: unreadable: {error:?}", model.op));
}

/// Compares a whole snapshot with its model: each tree both ways.
///
/// # Errors
/// The first read that failed. What differs is a panic.
pub(crate) fn compare(snapshot: &PostSnapshot, model: &Model) -> Result<(), Abort> {
    let (parcels, scans) = compare_objects(snapshot, model)?;
    for id in 0..PARCELS {
        let parcel = model.parcels.get(&id).copied();
        assert_eq!(snapshot.parcels.get(id)?, parcel);
        let label = u128::from(id) << 64 | 5;
        let labelled = parcel.filter(|parcel| parcel.label != 0);
        assert_eq!(snapshot.parcels.find(Parcel::LABEL, label)?, labelled, "label {label}");
    }
    for id in PARCELS..PARCELS + ORPHANS {
        let is_orphaned = snapshot.parcels.lookup(id)? == Lookup::Orphaned;
        assert_eq!(is_orphaned, model.orphans.contains(&id), "orphan {id}");
    }
    let some = |weight: u32| (weight > 0).then_some(weight);
    index(&snapshot.parcels, Parcel::DEPOT, &parcels, |parcel| Some(parcel.depot))?;
    index(&snapshot.parcels, Parcel::WEIGHT, &parcels, |parcel| some(parcel.weight))?;
    index(&snapshot.parcels, Parcel::BY_DEPOT_WEIGHT, &parcels, |parcel| {
        Some((parcel.depot, parcel.weight))
    })?;
    index(&snapshot.scans, Scan::PARCEL, &scans, |scan| Some(scan.parcel))?;
    let labels = parcels.iter().filter(|parcel| parcel.label != 0).count() as u64;
    assert_eq!(snapshot.parcels.count(Parcel::LABEL.is_some())?, labels);
    assert_eq!(snapshot.parcels.count(Parcel::ID.is_some())?, parcels.len() as u64);
    Ok(())
}

/// Every entry of an index, key by key, and no other.
fn index<O: Object, F: IndexKey + Ord + Copy>(
    snapshot: &Snapshot<O>,
    index: Index<O, F>,
    objects: &[O],
    key: impl Fn(&O) -> Option<F>,
) -> Result<(), Abort> {
    let mut entries: BTreeMap<F, Vec<u64>> = BTreeMap::new();
    for object in objects {
        if let Some(key) = key(object) {
            entries.entry(key).or_default().push(object.timestamp());
        }
    }
    let mut total = 0;
    for (key, timestamps) in entries {
        let found: Result<Vec<u64>, _> = snapshot.query(index.eq(key)).iter_timestamps().collect();
        assert_eq!(found?, timestamps);
        total += timestamps.len() as u64;
    }
    assert_eq!(snapshot.count(index.range(..))?, total);
    Ok(())
}

/// The whole forest is as its model, in every tree and in every block of the file, and whatever is
/// looked up.
pub(crate) fn verify(forest: &Forest<Post>, model: &Model) {
    let compared = compare(&forest.snapshot(), model);
    compared.unwrap_or_else(|error| panic!("op {}: unreadable: {error:?}", model.op));
    check(forest, model);
}

/// Every object is the model's, and the full check shows that the entries of all trees are those of the
/// objects: [`verify`] without look-ups.
pub(crate) fn verify_trees(forest: &Forest<Post>, model: &Model) {
    verify_objects(forest, model);
    check(forest, model);
}

/// The full check of an open forest.
fn check(forest: &Forest<Post>, model: &Model) {
    let verified = groove_core::proof::verify_open(forest);
    let verified = verified.unwrap_or_else(|error| panic!("op {}: {error:?}", model.op));
    let objects = model.parcels.len() + model.scans.len();
    assert_eq!(verified.objects, objects as u64, "op {}", model.op);
    assert_eq!(verified.entries, model.entries() as u64, "op {}", model.op);
}

/// How a forest is run, and what it is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) threads: usize,
    pub(crate) cache_size: u64,
    pub(crate) durability: Durability,
}

impl Setting {
    /// The least sizes: tables of one block, and a bar every few ops.
    pub(crate) fn options(self) -> Options {
        // The default asks the system how many cores there are.
        static DEFAULT: OnceLock<Options> = OnceLock::new();
        let options = DEFAULT.get_or_init(Options::default).clone();
        options
            .block_size(4096)
            .table_size(4096)
            .wal_size(64 << 10)
            .growth_factor(3)
            .file_id(*b"a file of proofs")
            .compaction_threads(self.threads)
            .cache_size(self.cache_size)
            .durability(self.durability)
    }
}
