//! Two writers and two readers, who all hold snapshots, a checkpointer, and up to two compaction
//! workers. In some orders a sync or a write fails.
//!
//! Each scope inserts a left and a right, counts itself in a tally, and removes an old pair: so
//! tables are merged in each bar, and their space is used again by the next one.

use std::sync::Arc;

use groove::{Forest, Groove, Options, Predicate, WriteError};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};

use crate::device::{Device, MARKER};

const WRITERS: u64 = 2;
const SCOPES: u64 = 9;
const READERS: usize = 2;
const LOOKS: usize = 3;
/// Others that go first before a look, at most: without them most readers are done before the first commit.
const WAITS: usize = 50;
const CHECKPOINTS: usize = 2;
/// About as many as there are.
const SYNCS: u64 = 30;
const WRITES: u64 = 90;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Left {
    #[index(primary)]
    marker: u64,
    #[groove(ignore)]
    weight: [u64; 60],
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Right {
    #[index]
    marker: u64,
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Tally {
    #[index(primary)]
    id: u8,
    #[index]
    scopes: u64,
    #[groove(ignore)]
    pairs: u64,
    timestamp: u64,
}

#[derive(Forest)]
struct Scales {
    lefts: Groove<Left>,
    rights: Groove<Right>,
    tallies: Groove<Tally>,
}

pub(crate) fn scenario() {
    // Part of the order: it is repeated with it.
    let mut rng = thread_rng();
    let device = Arc::new(Device::default());
    // The smallest log: a bar is four scopes.
    let options = Options::default()
        .block_size(4096)
        .table_size(4096)
        .wal_size(8 * 4096)
        .growth_factor(2)
        .cache_size(0)
        .compaction_threads(rng.gen_range(0..=2))
        .file_id([1; 16]);
    let forest = Forest::<Scales>::open_storage(device.clone(), options).unwrap();
    let tally = Tally { id: 0, scopes: 0, pairs: 0, timestamp: 0 };
    forest.write(|tx| Ok(tx.tallies.insert(tally)?)).unwrap();
    let kind = rng.gen_range(0..8);
    let fails = kind < 2;
    match kind {
        0 => device.fail_sync_after(rng.gen_range(0..SYNCS)),
        1 => device.fail_write_after(rng.gen_range(0..WRITES)),
        _ => {}
    }
    let mut holders: Vec<JoinHandle<Vec<Held>>> = Vec::new();
    for writer in 0..WRITERS {
        let (forest, device) = (forest.clone(), device.clone());
        holders.push(thread::spawn(move || {
            let mut held = Vec::new();
            let written = write(&forest, &device, writer, &mut held);
            assert!(fails || written.is_ok(), "{written:?}");
            held
        }));
    }
    for _ in 0..READERS {
        let (forest, device) = (forest.clone(), device.clone());
        holders.push(thread::spawn(move || read(&forest, &device)));
    }
    for _ in 0..CHECKPOINTS {
        let made = forest.checkpoint();
        assert!(fails || made.is_ok(), "{made:?}");
    }
    for (snapshot, lefts) in holders.into_iter().flat_map(|holder| holder.join().unwrap()) {
        assert_eq!(check(&snapshot), lefts, "a snapshot has changed");
    }
    let snapshot = forest.snapshot();
    check(&snapshot);
    let committed = snapshot.tallies.op() == 1 + WRITERS * SCOPES;
    assert!(fails || committed, "every scope was committed");
}

fn write(
    forest: &Forest<Scales>,
    device: &Device,
    writer: u64,
    held: &mut Vec<Held>,
) -> Result<(), WriteError> {
    for scope in 0..SCOPES {
        let marker = MARKER | writer << 16 | scope;
        let weight = [scope; 60];
        let op = forest.write(|tx| {
            tx.lefts.insert(Left { marker, weight, timestamp: 0 })?;
            tx.rights.insert(Right { marker, timestamp: 0 })?;
            let mut pairs = 1;
            if let Some(old) = scope.checked_sub(3).map(|old| MARKER | writer << 16 | old) {
                let left = tx.lefts.remove(old)?.expect("three scopes ago it was inserted");
                let right = tx.rights.remove(left.timestamp + 1)?.expect("with its left");
                assert_eq!((left.marker, right.marker), (old, old));
                pairs = 0;
            }
            Ok(tx.tallies.modify(0, |tally| {
                tally.scopes += 1;
                tally.pairs += pairs;
                tally.scopes
            })?)
        })? + 1;
        assert!(device.is_synced(marker), "op {op} was acknowledged before it was on disk");
        let snapshot = forest.snapshot();
        let seen = snapshot.tallies.op();
        assert!(seen >= op, "op {op} was acknowledged, and readers see {seen}");
        if scope % 3 == 1 {
            let lefts = check(&snapshot);
            held.push((snapshot, lefts));
        }
    }
    Ok(())
}

/// A snapshot, and what it held.
type Held = (ScalesSnapshot, Vec<Left>);

/// Takes snapshots, which are to be looked at again when all is over.
fn read(forest: &Forest<Scales>, device: &Device) -> Vec<Held> {
    let mut held = Vec::new();
    let mut newest = 0;
    for _ in 0..LOOKS {
        (0..thread_rng().gen_range(0..WAITS)).for_each(|_| thread::yield_now());
        let snapshot = forest.snapshot();
        // Before it is read: that takes long enough for a sync.
        let synced = device.synced();
        let op = snapshot.tallies.op();
        assert!(op >= newest, "op {op} after {newest}");
        newest = op;
        let lefts = check(&snapshot);
        let lost = lefts.iter().find(|left| !synced.contains(&left.marker));
        assert_eq!(lost, None, "readers see what a crash would take back");
        held.push((snapshot, lefts));
    }
    held
}

/// A snapshot is what some op left, in all grooves and indexes, and can be read whole.
fn check(snapshot: &ScalesSnapshot) -> Vec<Left> {
    let tally = snapshot.tallies.get(0).unwrap().expect("it is there from op 1 on");
    assert_eq!(tally.scopes + 1, snapshot.tallies.op(), "the tally of another op");
    assert_eq!(snapshot.tallies.count(Tally::SCOPES.eq(tally.scopes)).unwrap(), 1);
    let lefts = snapshot.lefts.query(Predicate::all()).collect().unwrap().into_vec();
    let rights = snapshot.rights.query(Predicate::all()).collect().unwrap().into_vec();
    assert_eq!(lefts.len() as u64, tally.pairs, "lefts of another op");
    assert!(lefts.iter().map(|left| left.marker).eq(rights.iter().map(|right| right.marker)));
    for left in &lefts {
        assert_eq!(snapshot.lefts.get(left.marker).unwrap().as_ref(), Some(left));
        assert_eq!(snapshot.rights.count(Right::MARKER.eq(left.marker)).unwrap(), 1);
    }
    lefts
}
