//! G8: the same ops give the same file, byte for byte, whatever threads and caches there are; and the same
//! tables whenever it is opened again.

use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Abort, Durability, Forest, Groove, Options, Predicate, Statistics};
use libtest_mimic::Trial;

use crate::model::rng::Rng;
use crate::run::{Goal, trial};
use crate::tally::{Count, add};

const WAL_SIZE: usize = 64 << 10;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, index(by_lane_speed = (lane, speed)))]
struct Car {
    #[index(primary)]
    plate: u128,
    #[index]
    lane: u16,
    #[index(optional)]
    speed: u32,
    #[index(unique, optional)]
    tag: u64,
    #[groove(ignore)]
    payload: [u8; 24],
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Toll {
    #[index]
    lane: u16,
    #[groove(ignore)]
    amount: i64,
    timestamp: u64,
}

#[derive(Forest)]
struct Road {
    cars: Groove<Car>,
    tolls: Groove<Toll>,
}

/// How a forest is run. Of this only the durability may reach the file.
#[derive(Clone, Copy, Debug)]
struct Setting {
    threads: usize,
    cache_size: u64,
    durability: Durability,
    /// Whether the forest is closed before it is opened again, or only dropped.
    close: bool,
}

const BASE: Setting =
    Setting { threads: 0, cache_size: 4 << 20, durability: Durability::Sync, close: false };

fn open(storage: &MemoryStorage, setting: Setting) -> Forest<Road> {
    let options = Options::default()
        .block_size(4096)
        .table_size(16384)
        .wal_size(WAL_SIZE as u64)
        .growth_factor(2)
        .file_id(*b"the same file id")
        .compaction_threads(setting.threads)
        .cache_size(setting.cache_size)
        .durability(setting.durability);
    Forest::open_storage(Arc::new(storage.clone()), options).expect("the forest opens")
}

/// One scope, kept or not.
fn scope(rng: &mut Rng, forest: &Forest<Road>) {
    let keep = rng.chance(90);
    let count = if rng.chance(5) { 120 } else { 1 + rng.below(10) };
    let result = forest.write(|tx| {
        for _ in 0..count {
            let plate = u128::from(rng.below(1_500)) << 50;
            let (lane, speed) = (rng.below(5) as u16, rng.below(4) as u32);
            let toll = Toll { lane, amount: rng.next() as i64, timestamp: 0 };
            match rng.below(10) {
                0..5 => {
                    let tag = if rng.chance(50) { 0 } else { plate as u64 | 1 };
                    let payload = [rng.next() as u8; 24];
                    // Refused if the car is there: it changes nothing.
                    let car = Car { plate, lane, speed, tag, payload, timestamp: 0 };
                    let _ = tx.cars.insert(car);
                }
                5 | 6 => {
                    let _ = tx.cars.modify(plate, |car| (car.lane, car.speed) = (lane, speed));
                }
                7 => drop(tx.cars.remove(plate)?),
                8 => drop(tx.tolls.insert(toll)?),
                _ if rng.chance(5) => {
                    let _ = tx.cars.insert_orphaned_id(plate | 1);
                }
                _ => {
                    let query = tx.tolls.query(Predicate::all()).limit(2);
                    for toll in query.collect()? {
                        tx.tolls.remove(toll.timestamp)?;
                    }
                }
            }
        }
        if keep { Ok(()) } else { Err(Abort::new("given up")) }
    });
    assert_eq!(result.is_ok(), keep);
}

/// The files after each checkpoint of one history.
fn history(seed: u64, setting: Setting) -> (Vec<Vec<u8>>, Statistics) {
    let mut rng = Rng::new(seed);
    let storage = MemoryStorage::new();
    let mut forest = open(&storage, setting);
    let mut files = Vec::new();
    for round in 0..30 {
        for _ in 0..10 + rng.below(50) {
            scope(&mut rng, &forest);
        }
        forest.checkpoint().expect("the device is sound");
        files.push(storage.snapshot_bytes());
        if round % 5 == 4 {
            // Beyond the checkpoint there is something to replay, in any case.
            scope(&mut rng, &forest);
            match setting.close {
                true => forest.close().expect("the device is sound"),
                false => drop(forest),
            }
            forest = open(&storage, setting);
        }
    }
    let statistics = forest.statistics();
    add(Count::Ops, statistics.op);
    (files, statistics)
}

/// Fails with the first sector that differs.
fn assert_same(one: &[Vec<u8>], other: &[Vec<u8>], from: usize, what: &str) {
    assert_eq!(one.len(), other.len(), "{what}: checkpoints");
    for (checkpoint, (one, other)) in one.iter().zip(other).enumerate() {
        let (one, other) = (&one[from..], &other[from..]);
        let sectors = one.chunks(4096).zip(other.chunks(4096));
        let first = sectors.enumerate().find(|(_, (one, other))| one != other);
        if let Some((sector, _)) = first {
            let offset = from + sector * 4096;
            panic!("{what}: checkpoint {checkpoint}: the files differ at byte {offset}");
        }
        assert_eq!(one.len(), other.len(), "{what}: checkpoint {checkpoint}: length");
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g8_threads", |goal: &Goal| goal.seeds(17, threads)),
        trial("g8_large_commits", |goal: &Goal| goal.seeds(2, large_commits)),
        trial("g8_short_commits", |goal: &Goal| goal.seeds(6, short_commits)),
        trial("g8_caches", |goal: &Goal| goal.seeds(17, caches)),
        trial("g8_buffered", |goal: &Goal| goal.seeds(16, buffered)),
        trial("g8_reopens", |goal: &Goal| goal.seeds(20, reopens)),
        trial("g8_other_ops_give_another_file", |_| other_ops()),
    ]
}

/// One history with another cache, and one that is closed and opened again.
pub(crate) fn hunt(seed: u64) {
    let (files, _) = history(seed, BASE);
    let (other, _) = history(seed, Setting { cache_size: 0, ..BASE });
    assert_same(&files, &other, 0, "without a cache");
    reopens(seed);
}

/// The same tables, in other places, whenever a forest is closed and opened again.
fn reopens(seed: u64) {
    let steps = |reopen: bool| -> Vec<[u64; 5]> {
        let (mut rng, mut moments) = (Rng::new(seed), Rng::new(!seed));
        let storage = MemoryStorage::new();
        let mut forest = open(&storage, BASE);
        let mut steps = Vec::new();
        for _ in 0..300 {
            scope(&mut rng, &forest);
            steps.push(tables(&forest.statistics()));
            if reopen && moments.chance(8) {
                forest.close().expect("the device is sound");
                forest = open(&storage, BASE);
            }
        }
        add(Count::Ops, forest.statistics().op);
        steps
    };
    assert_eq!(steps(true), steps(false), "reopened, and other tables");
}

/// Not how much is free: replay sorts the changes of a bar once, so it reserves less for them.
fn tables(statistics: &Statistics) -> [u64; 5] {
    let Statistics { op, checkpoint_op, tables, levels, table_bytes, .. } = *statistics;
    [op, checkpoint_op, tables, u64::from(levels), table_bytes]
}

fn threads(seed: u64) {
    let (files, statistics) = history(seed, BASE);
    assert!(statistics.levels >= 2 && statistics.tables >= 15, "{statistics:?}");
    for threads in [1, 2] {
        let (other, _) = history(seed, Setting { threads, ..BASE });
        assert_same(&files, &other, 0, &format!("{threads} threads"));
    }
}

/// Scopes whose trees are committed on several threads, if there are any.
fn large_commits(seed: u64) {
    let history = |threads: usize| -> Vec<Vec<u8>> {
        let mut rng = Rng::new(seed);
        let storage = MemoryStorage::new();
        let options = Options::default()
            .wal_size(4 << 20)
            .file_id(*b"the same file id")
            .compaction_threads(threads);
        let forest: Forest<Road> =
            Forest::open_storage(Arc::new(storage.clone()), options).expect("the forest opens");
        let mut files = Vec::new();
        for round in 0..8 {
            let plates: Vec<u128> =
                (0..4_000).map(|_| u128::from(rng.below(20_000)) << 50).collect();
            let written = forest.write(|tx| {
                for plate in &plates {
                    let (lane, speed) = (rng.below(50) as u16, rng.next() as u32);
                    let (tag, payload) = ((*plate >> 50) as u64 + 1, [rng.next() as u8; 24]);
                    let car = Car { plate: *plate, lane, speed, tag, payload, timestamp: 0 };
                    match tx.cars.exists(*plate)? {
                        false => drop(tx.cars.insert(car)?),
                        true if rng.chance(20) => drop(tx.cars.remove(*plate)?),
                        true => tx.cars.modify(*plate, |car| {
                            (car.lane, car.speed) = (lane, speed);
                        })?,
                    }
                }
                // A part of them is taken back.
                let discarded = tx.savepoint(|tx| {
                    plates.iter().try_for_each(|plate| tx.cars.remove(*plate).map(drop))?;
                    Err::<(), _>(Abort::new("given up"))
                });
                assert!(discarded.is_err());
                Ok(())
            });
            written.expect("the device is sound");
            if round % 3 == 2 {
                forest.checkpoint().expect("the device is sound");
            }
            files.push(storage.snapshot_bytes());
        }
        add(Count::Ops, forest.statistics().op);
        files
    };
    let files = history(0);
    for threads in [1, 3] {
        assert_same(&files, &history(threads), 0, &format!("large commits on {threads} threads"));
    }
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Truck {
    #[index(primary)]
    plate: u64,
    #[index]
    lane: u16,
    /// So much that it shows in the file how many rows were reserved for.
    #[groove(ignore)]
    load: [u64; 120],
    timestamp: u64,
}

#[derive(Forest)]
struct Yard {
    trucks: Groove<Truck>,
    tolls: Groove<Toll>,
}

/// Short scopes that change the same rows, and between them large ones that leave these alone. What was several
/// times in memory is reserved for as often, so the runs that commits made show in the file.
fn short_commits(seed: u64) {
    let history = |threads: usize, durability: Durability| -> Vec<Vec<u8>> {
        let mut rng = Rng::new(seed);
        let storage = MemoryStorage::new();
        let options = Options::default()
            .block_size(4096)
            .table_size(64 << 10)
            .wal_size(1 << 20)
            .file_id(*b"the same file id")
            .durability(durability)
            .compaction_threads(threads);
        let forest: Forest<Yard> =
            Forest::open_storage(Arc::new(storage.clone()), options).expect("the forest opens");
        let mut files = Vec::new();
        for _ in 0..6 {
            for _ in 0..40 {
                let large = rng.chance(8);
                let written = forest.write(|tx| {
                    let (tolls, trucks) = if large { (17_000, 0) } else { (1, 1 + rng.below(6)) };
                    for _ in 0..tolls {
                        let (lane, amount) = (rng.below(5) as u16, rng.next() as i64);
                        tx.tolls.insert(Toll { lane, amount, timestamp: 0 })?;
                    }
                    for _ in 0..trucks {
                        let (plate, lane) = (rng.below(30), rng.below(9) as u16);
                        let load = [rng.next(); 120];
                        let truck = Truck { plate, lane, load, timestamp: 0 };
                        match tx.trucks.exists(plate)? {
                            false => drop(tx.trucks.insert(truck)?),
                            true if rng.chance(10) => drop(tx.trucks.remove(plate)?),
                            true => tx.trucks.modify(plate, |old| {
                                (old.lane, old.load) = (lane, load);
                            })?,
                        }
                    }
                    Ok(())
                });
                written.expect("the device is sound");
            }
            forest.checkpoint().expect("the device is sound");
            files.push(storage.snapshot_bytes());
        }
        add(Count::Ops, forest.statistics().op);
        files
    };
    for durability in [Durability::Sync, Durability::Buffered] {
        let files = history(0, durability);
        for threads in [1, 2] {
            let what = format!("short commits beside {threads} threads, {durability:?}");
            assert_same(&files, &history(threads, durability), 0, &what);
        }
    }
}

fn caches(seed: u64) {
    let (files, _) = history(seed, BASE);
    for cache_size in [0, 40 << 10, 1 << 20] {
        let (other, _) = history(seed, Setting { threads: 1, cache_size, ..BASE });
        assert_same(&files, &other, 0, &format!("cache of {cache_size}"));
    }
}

/// With durability given up for a while. Entries lie closer in the log then, so bars are longer, and the tables
/// are others than with a sync per scope.
fn buffered(seed: u64) {
    // Closed each time: a log whose end may never have been on disk is put into tables at once.
    let setting = Setting { durability: Durability::Buffered, close: true, ..BASE };
    let (files, _) = history(seed, setting);
    for (threads, cache_size) in [(1, 0), (2, 4 << 20)] {
        let (other, _) = history(seed, Setting { threads, cache_size, ..setting });
        assert_same(&files, &other, 0, &format!("buffered, {threads} threads"));
    }
}

fn other_ops() {
    let (files, _) = history(31, BASE);
    let (other, _) = history(32, BASE);
    assert!(files.iter().zip(&other).all(|(one, other)| one != other));
}
