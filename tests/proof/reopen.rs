//! What an open after a crash costs, and what it needs of the file.

use std::sync::Arc;

use groove::{Durability, Forest, Groove, Options};
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
    let options = || {
        let options = Options::default().wal_size(wal_size).compaction_threads(0);
        options.durability(Durability::Buffered)
    };
    let forest = Forest::<Reading>::open_storage(Arc::new(storage.clone()), options()).unwrap();
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
    forest.sync().unwrap();
    let tables = forest.statistics().table_bytes;
    drop(forest);
    let crashed = SimulatedStorage::from_image(storage.crash(1, &mut random), 3);
    let forest = Forest::<Reading>::open_storage(Arc::new(crashed.clone()), options()).unwrap();
    let counters = crashed.counters();
    assert!(!forest.snapshot().is_empty());
    (counters, tables)
}
