//! What was just written is in memory as long as the cache has room for it.

use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Forest, Groove, Options, Scope};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Reading {
    #[index(primary)]
    id: u64,
    #[index]
    sensor: u32,
    #[index]
    level: u64,
    timestamp: u64,
}

const READINGS: u64 = 20_000;
const SENSORS: u64 = 50;
const ROUNDS: u64 = 8;

/// Spread over all keys, so that each merge has something to do with all tables.
fn id(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn level(number: u64, round: u64) -> u64 {
    id(number + round * READINGS) >> 16
}

fn empty(cache_size: u64) -> Forest<Reading> {
    let options = Options::default()
        .block_size(4096)
        .table_size(64 << 10)
        .wal_size(128 << 10)
        .growth_factor(4)
        .cache_size(cache_size);
    Forest::open_storage(Arc::new(MemoryStorage::new()), options).unwrap()
}

/// Inserts all readings, and changes the level of each in every round but the first.
fn load(forest: &Forest<Reading>) {
    let numbers: Vec<u64> = (0..READINGS).collect();
    for round in 0..ROUNDS {
        for part in numbers.chunks(500) {
            let change = |readings: &mut Scope<'_, Reading>| {
                for &number in part {
                    let level = level(number, round);
                    if round == 0 {
                        let sensor = (number % SENSORS) as u32;
                        readings.insert(Reading { id: id(number), sensor, level, timestamp: 0 })?;
                    } else {
                        readings.modify(id(number), |reading| reading.level = level)?;
                    }
                }
                Ok(())
            };
            forest.write(change).unwrap();
        }
    }
}

/// Gets every reading and queries every sensor.
fn ask(forest: &Forest<Reading>) {
    let readings = forest.snapshot();
    for number in 0..READINGS {
        let reading = readings.get(id(number)).unwrap().expect("it was inserted");
        assert_eq!(reading.level, level(number, ROUNDS - 1));
    }
    for sensor in 0..SENSORS as u32 {
        let found = readings.query(Reading::SENSOR.eq(sensor)).collect().unwrap();
        assert_eq!(found.len() as u64, READINGS / SENSORS);
    }
}

/// Neither by the merges nor by gets and queries. What is written in all is several times what the cache holds:
/// the blocks of tables that are gone take no room.
#[test]
fn what_was_written_is_not_read_while_the_cache_has_room() {
    let forest = empty(4 << 20);
    let read_by_open = forest.statistics().blocks_read;
    load(&forest);
    ask(&forest);
    let statistics = forest.statistics();
    assert!(statistics.levels >= 2, "{statistics:?}");
    assert_eq!(statistics.blocks_read, read_by_open, "{statistics:?}");
}

/// The same history with a cache that holds a part of it, and with none.
#[test]
fn answers_do_not_depend_on_what_of_the_written_is_in_memory() {
    for cache_size in [0, 64 << 10, 512 << 10] {
        let forest = empty(cache_size);
        load(&forest);
        ask(&forest);
        let statistics = forest.statistics();
        assert!(statistics.blocks_read > 0, "{statistics:?}");
        forest.snapshot().verify().unwrap();
    }
}
