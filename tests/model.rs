//! A whole forest against `BTreeMap`s, with every public operation in the generator.
//!
//! All that is random comes from one seed, which a failure prints with the command that repeats it.
//! `GROOVE_SEED` replaces the seeds below, `GROOVE_OPERATIONS` the number of operations.

#[path = "model/counts.rs"]
mod counts;
#[path = "model/index.rs"]
mod index;
#[path = "model/objects.rs"]
mod objects;
#[path = "model/oracle.rs"]
mod oracle;
#[path = "model/query.rs"]
mod query;
#[path = "model/reader.rs"]
mod reader;
#[path = "model/rng.rs"]
mod rng;
#[path = "model/scope.rs"]
mod scope;
#[path = "model/snapshot.rs"]
mod snapshot;
#[path = "model/verify.rs"]
mod verify;
#[path = "model/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Durability, Forest, Options};

use objects::{Event, Kind, Shop};
use rng::{Rng, seed_or};
use scope::Context;
use world::{Backing, Sizes, World};

/// What every long run has to meet.
const OPERATIONS: &[&str] = &[
    "checkpoint",
    "close",
    "count",
    "drop",
    "exists",
    "find: primary",
    "find: unique",
    "foreign cursor",
    "get",
    "get_by_timestamp",
    "get_many",
    "held snapshot",
    "held snapshot verified",
    "hold a snapshot",
    "insert",
    "insert: duplicate primary",
    "insert: duplicate unique",
    "insert: orphaned",
    "insert: timestamp given",
    "insert: timestamp out of range",
    "insert: timestamp taken",
    "insert_orphaned_id",
    "insert_orphaned_id: refused",
    "len",
    "lookup",
    "modify",
    "modify: not found",
    "modify: timestamp changed",
    "modify: unique changed",
    "open",
    "prefetch: awaited",
    "prefetch: dropped",
    "prefetch: only enqueued",
    "prefetch: waited for",
    "query in a scope",
    "query of a snapshot",
    "query: collect",
    "query: count",
    "query: exists",
    "query: first",
    "query: iter",
    "query: iter_timestamps",
    "query: pages",
    "read of a snapshot",
    "remove",
    "remove: not found",
    "reset",
    "savepoint: error",
    "savepoint: ok",
    "scope: commit",
    "scope: error",
    "scope: nothing to commit",
    "scope: panic",
    "scope_close: discard",
    "scope_close: persist",
    "statistics",
    "sync",
    "update",
    "update: not found",
    "update: stale",
    "update: timestamp changed",
    "update: unique changed",
    "verify",
    "verify in a scope",
];

/// 4 KiB blocks, tables of four, a log of 16 slots: a few hundred operations reach everything.
const TINY: Sizes = Sizes {
    block_size: 4096,
    table_size: 16384,
    wal_size: 64 << 10,
    growth_factor: 2,
    compaction_threads: 0,
    cache_size: 1 << 20,
    durability: Durability::Sync,
    clock: false,
    scope_steps: 24,
};

/// Runs one configuration: `also` happens beside [`OPERATIONS`].
fn run(test: &str, seed: u64, operations: u64, sizes: Sizes, file: bool, also: &[&str]) {
    let seed = seed_or(seed);
    let set = std::env::var("GROOVE_OPERATIONS");
    let operations =
        set.map_or(operations, |operations| operations.parse().expect("a decimal number"));
    let rerun = format!("GROOVE_SEED={seed} cargo test --test model -- --exact {test}");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let backing = match file {
        true => Backing::File(directory.path().join("model.groove")),
        false => Backing::Memory(MemoryStorage::new()),
    };
    let mut world = World::new(Context::new(seed), backing, sizes);
    let result = catch_unwind(AssertUnwindSafe(|| world.run(operations)));
    let counts = &world.context.counts;
    println!("{} operations of {test}, seed {seed}", counts.total());
    counts.print();
    if let Err(panic) = result {
        eprintln!("failed at operation {}; again by: {rerun}", counts.total());
        // What is left of the forest may not be fit to be dropped.
        std::mem::forget(world);
        resume_unwind(panic);
    }
    if operations >= 100_000 {
        counts.assert_all(OPERATIONS);
        counts.assert_all(also);
    }
}

#[test]
fn tiny_forest_equals_its_model() {
    let test = "tiny_forest_equals_its_model";
    run(test, 1, 150_000, TINY, false, &["scope: too large", "statistics: three levels"]);
}

#[test]
fn forest_that_compacts_in_threads_equals_its_model() {
    let test = "forest_that_compacts_in_threads_equals_its_model";
    let sizes = Sizes { wal_size: 256 << 10, compaction_threads: 2, ..TINY };
    run(test, 2, 300_000, sizes, false, &[]);
}

#[test]
fn forest_of_large_blocks_and_scopes_equals_its_model() {
    let test = "forest_of_large_blocks_and_scopes_equals_its_model";
    let sizes = Sizes {
        block_size: 8192,
        table_size: 65536,
        wal_size: 1 << 20,
        growth_factor: 4,
        compaction_threads: 1,
        scope_steps: 60,
        ..TINY
    };
    run(test, 3, 350_000, sizes, false, &[]);
}

#[test]
fn forest_with_a_clock_and_no_cache_equals_its_model() {
    let test = "forest_with_a_clock_and_no_cache_equals_its_model";
    let sizes = Sizes { wal_size: 32 << 10, cache_size: 0, clock: true, ..TINY };
    run(test, 4, 100_000, sizes, false, &["scope: too large", "statistics: three levels"]);
}

#[test]
fn forest_in_a_file_equals_its_model() {
    let test = "forest_in_a_file_equals_its_model";
    let sizes = Sizes {
        wal_size: 128 << 10,
        growth_factor: 3,
        compaction_threads: 1,
        durability: Durability::Buffered,
        ..TINY
    };
    run(test, 5, 150_000, sizes, true, &["open: locked", "open_read_only"]);
}

/// The harness itself: a forest that differs from the model by one object is reported, both ways.
#[test]
fn verify_reports_an_object_too_many_and_an_object_too_few() {
    for lose in [true, false] {
        let backing = Backing::Memory(MemoryStorage::new());
        let mut world = World::new(Context::new(6), backing, TINY);
        world.run(3_000);
        world.falsify(lose);
        let result = catch_unwind(AssertUnwindSafe(|| world.verify()));
        assert!(result.is_err(), "nobody noticed");
    }
}

/// Seeds of the generator hardly get here: a whole bar without an insert, sealed by a recovery.
#[test]
fn assigned_timestamps_go_on_where_they_were_after_a_recovery_that_seals() {
    let storage = MemoryStorage::new();
    let open = || {
        let options = Options::default().block_size(4096).table_size(16384).wal_size(32 << 10);
        Forest::<Shop>::open_storage(Arc::new(storage.clone()), options.compaction_threads(0))
    };
    let mut rng = Rng::new(7);
    let forest = open().expect("a new forest");
    let (kept, highest) = forest
        .write(|tx| {
            let kept = tx.events.insert(Event::random(&mut rng))?;
            let highest = tx.events.insert(Event::random(&mut rng))?;
            tx.events.remove(highest)?;
            Ok((kept, highest))
        })
        .expect("no conflict");
    drop(forest);
    for entries in [6, 6, 3, 6, 5] {
        // A bar is four entries.
        let forest = open().expect("a forest");
        for _ in 0..entries {
            let changed = forest.write(|tx| Ok(tx.events.modify(kept, |e| e.change(&mut rng))?));
            changed.expect("the event is there");
        }
    }
    let forest = open().expect("a forest");
    let next = forest.write(|tx| Ok(tx.events.insert(Event::random(&mut rng))?));
    assert_eq!(next.expect("no conflict"), highest + 1);
}
