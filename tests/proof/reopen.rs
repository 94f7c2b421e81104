//! What an open after a crash costs, and what it needs of the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use groove::{Durability, Forest, Groove, Options, Statistics};
use groove_core::proof::{Counters, Random, SimulatedStorage};
use libtest_mimic::Trial;

use crate::run::{Goal, trial};
use crate::tally::{Count, add};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Reading {
    #[index]
    sensor: u32,
    #[groove(ignore)]
    values: [u8; 200],
    timestamp: u64,
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("reopen_with_a_full_log", full_log),
        trial("reopen_with_a_full_log_takes_less_than_a_second", full_log_on_a_disk),
        trial("reopen_without_what_was_reserved", |_| without_what_was_reserved()),
    ]
}

/// The superblock named the end of what was given out as the end of the grid. A sync that fails
/// may lose the growth of the file which the next process still sees; then what is reserved behind
/// the last block is not in the file after a power loss, and it was refused as truncated (G9, seed
/// 329). It names the end of the last block now, which is written and synced before.
fn without_what_was_reserved() {
    let storage = SimulatedStorage::new(1);
    let options = || Options::default().wal_size(64 << 10).compaction_threads(0);
    let forest = Forest::<Reading>::open_storage(Arc::new(storage.clone()), options()).unwrap();
    let (mut cut, mut random) = (0, Random::new(3));
    for op in 0..400_u32 {
        let scope = forest.write(|readings| {
            for _ in 0..=random.below(20) {
                let sensor = random.below(1000) as u32;
                readings.insert(Reading { sensor, values: [1; 200], timestamp: 0 })?;
            }
            Ok(())
        });
        scope.unwrap();
        if op % 7 != 0 {
            continue;
        }
        forest.checkpoint().unwrap();
        let mut image = storage.medium();
        let bytes = image.to_bytes();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(4096);
        cut += u64::from(end < bytes.len());
        image.set_length(end as u64);
        let image = Arc::new(SimulatedStorage::from_image(image, 2));
        let reopened = Forest::<Reading>::open_storage(image, options()).unwrap();
        assert_eq!(reopened.snapshot().len(), forest.snapshot().len());
        add(Count::Images, 1);
    }
    assert!(cut > 10, "most files have space behind their last block: {cut}");
}

/// The default log, full, in files of which one has more than twice the tables of the other.
fn full_log(goal: &Goal) {
    let wal_size = goal.scaled(64) << 20;
    let (small, small_tables) = open(wal_size, 1);
    let (large, large_tables) = open(wal_size, 4);
    println!("{small:?} with {small_tables} bytes of tables, {large:?} with {large_tables}");
    assert!(large_tables > 2 * small_tables, "{large_tables}, {small_tables}");
    for counters in [small, large] {
        // Twice the log: to replay it, and to look for what says that more was synced.
        assert!(counters.bytes_read > wal_size / 2, "the log was full: {counters:?}");
        assert!(counters.bytes_read < 2 * wal_size + (1 << 20), "{counters:?}");
    }
    // Nothing says that the newest scopes were synced, so the open merges them into level 0, which is
    // bounded; all deeper levels are left alone.
    assert!(large.bytes_read.abs_diff(small.bytes_read) < wal_size / 2, "{small:?}, {large:?}");
    add(Count::Images, 2);
}

/// Opens a file after a crash that came when `bars` bars had ended and the log was full. What the open
/// read and wrote, and the bytes of tables.
fn open(wal_size: u64, bars: u64) -> (Counters, u64) {
    let storage = SimulatedStorage::new(1);
    let options = || buffered(wal_size).compaction_threads(0);
    let forest = Forest::<Reading>::open_storage(Arc::new(storage.clone()), options()).unwrap();
    fill(&forest, wal_size, bars);
    forest.sync().unwrap();
    let tables = forest.statistics().table_bytes;
    drop(forest);
    let image = storage.crash(1, &mut Random::new(2));
    let crashed = SimulatedStorage::from_image(image, 3);
    let forest = Forest::<Reading>::open_storage(Arc::new(crashed.clone()), options()).unwrap();
    let counters = crashed.counters();
    assert!(!forest.snapshot().is_empty());
    (counters, tables)
}

fn buffered(wal_size: u64) -> Options {
    Options::default().wal_size(wal_size).durability(Durability::Buffered)
}

/// Writes until `bars` bars have ended and the log is full.
fn fill(forest: &Forest<Reading>, wal_size: u64, bars: u64) {
    let mut random = Random::new(2);
    let reading = |random: &mut Random| Reading {
        sensor: random.below(1000) as u32,
        values: [random.next() as u8; 200],
        timestamp: 0,
    };
    // A log holds so many scopes of 500 readings; half of them are a bar.
    let scopes = wal_size / (500 * 230);
    for _ in 0..scopes / 2 * (bars + 1) + scopes * 9 / 20 {
        let write = forest.write(|readings| {
            (0..500).try_for_each(|_| readings.insert(reading(&mut random)).map(|_| ()))?;
            Ok(())
        });
        write.unwrap();
    }
}

/// In a file, by the clock, with the default options: a process that writes ends without a word when
/// the log is full, and the next open takes less than a second, in a file of some ten MB and in one of
/// some hundreds.
fn full_log_on_a_disk(goal: &Goal) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let wal_size = goal.scaled(64) << 20;
    for bars in [1, 8] {
        let path = directory.path().join(format!("{bars}-bars.groove"));
        let forest = Forest::<Reading>::open(&path, buffered(wal_size)).expect("it is created");
        fill(&forest, wal_size, bars);
        let objects = forest.snapshot().len();
        let Statistics { op, checkpoint_op, table_bytes, .. } = forest.statistics();
        assert!(op - checkpoint_op > op / (bars + 1), "the log is nearly full");
        // As the end of the process: nothing is written any more.
        drop(forest);
        // Of three opens of such a file the one that was disturbed least.
        let times = [0, 1, 2].map(|_| {
            let crashed = directory.path().join("crashed.groove");
            std::fs::copy(&path, &crashed).expect("there is space");
            let (time, forest) =
                timed(|| Forest::<Reading>::open(&crashed, buffered(wal_size)).expect("it opens"));
            assert_eq!((forest.snapshot().len(), forest.statistics().op), (objects, op));
            time
        });
        println!("{objects} objects, {table_bytes} bytes of tables: opened in {times:?}");
        let least = times.iter().min().expect("three");
        assert!(*least < Duration::from_secs(1), "{table_bytes} bytes of tables: {times:?}");
        add(Count::Images, 3);
    }
}

#[expect(clippy::disallowed_methods, reason = "the time is what the test is about")]
fn timed<T>(case: impl FnOnce() -> T) -> (Duration, T) {
    let begin = Instant::now();
    let value = case();
    (begin.elapsed(), value)
}
