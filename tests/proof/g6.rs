//! G6: a whole forest against its model, operation by operation.
//!
//! Every public operation is in the generator, and predicates are random. The seeds go through
//! configurations; each run of a configuration ends with a full comparison.

use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Durability, Forest, Options};
use libtest_mimic::Trial;

use crate::model::rng::Rng;
use crate::model::{Backing, Context, Event, Kind, Shop, Sizes, World};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};

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
    "query: pages in an order",
    "read of a snapshot",
    "remove",
    "remove: a stretch",
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

/// 4 KiB blocks, tables of one, a log of 16 slots: a few hundred operations reach everything.
pub(crate) const TINY: Sizes = Sizes {
    block_size: 4096,
    table_size: 4096,
    wal_size: 64 << 10,
    growth_factor: 2,
    compaction_threads: 0,
    cache_size: 1 << 20,
    durability: Durability::Sync,
    clock: false,
    scope_steps: 24,
};

/// A seed is so many operations.
const OPERATIONS_OF_A_SEED: u64 = 90_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g6_model_tiny", |goal| model(goal, 0)),
        trial("g6_model_other_sizes", |goal| model(goal, 1)),
        trial("g6_model_in_a_file", |goal| goal.seeds(10, in_a_file)),
        trial("g6_model_reports_what_differs", |_| reports_what_differs()),
        trial("g6_timestamps_after_a_sealing_recovery", |_| timestamps_after_recovery()),
    ]
}

/// The sizes of a seed: even and odd seeds are two goals, so that two cores are at work.
fn sizes(seed: u64) -> Sizes {
    match seed % 6 {
        0 | 4 => TINY,
        2 => Sizes { wal_size: 32 << 10, cache_size: 0, clock: true, ..TINY },
        1 => Sizes { wal_size: 256 << 10, compaction_threads: 2, ..TINY },
        3 => Sizes {
            block_size: 8192,
            table_size: 65536,
            wal_size: 1 << 20,
            growth_factor: 4,
            compaction_threads: 1,
            scope_steps: 60,
            ..TINY
        },
        _ => Sizes { durability: Durability::Buffered, ..TINY },
    }
}

fn model(goal: &Goal, part: u64) {
    let mut counts = crate::model::Counts::default();
    goal.seeds(50, |seed| {
        let seed = 2 * seed + part;
        let backing = Backing::Memory(MemoryStorage::new());
        let context = run(seed, backing, sizes(seed), OPERATIONS_OF_A_SEED);
        counts.merge(&context.counts);
    });
    counts.print();
    if counts.total() >= 20 * OPERATIONS_OF_A_SEED {
        counts.assert_all(OPERATIONS);
        counts.assert_all(&["scope: too large", "statistics: three levels"][part as usize..]);
    }
}

fn in_a_file(seed: u64) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let sizes = Sizes {
        wal_size: 128 << 10,
        growth_factor: 3,
        compaction_threads: 1,
        durability: Durability::Buffered,
        ..TINY
    };
    let backing = Backing::File(directory.path().join("model.groove"));
    let context = run(seed, backing, sizes, OPERATIONS_OF_A_SEED);
    context.counts.assert_all(&["open: locked", "open_read_only"]);
}

/// A short run.
pub(crate) fn hunt(seed: u64) {
    run(
        seed,
        Backing::Memory(MemoryStorage::new()),
        Sizes { compaction_threads: 0, ..TINY },
        5_000,
    );
}

/// Runs one configuration, and gives what was met.
pub(crate) fn run(seed: u64, backing: Backing, sizes: Sizes, operations: u64) -> Context {
    let mut world = World::new(Context::new(seed), backing, sizes);
    let world_run = std::panic::AssertUnwindSafe(|| world.run(operations));
    if let Err(panic) = std::panic::catch_unwind(world_run) {
        eprintln!("failed at operation {}", world.context.counts.total());
        // What is left of the forest may not be fit to be dropped.
        std::mem::forget(world);
        std::panic::resume_unwind(panic);
    }
    add(Count::Ops, world.context.counts.total());
    world.context
}

/// The harness itself: a forest that differs from the model by one object is reported, both ways.
fn reports_what_differs() {
    for lose in [true, false] {
        let backing = Backing::Memory(MemoryStorage::new());
        let mut world = World::new(Context::new(6), backing, TINY);
        world.run(3_000);
        world.falsify(lose);
        let verified = std::panic::AssertUnwindSafe(|| world.verify());
        assert!(std::panic::catch_unwind(verified).is_err(), "nobody noticed");
    }
}

/// Seeds of the generator hardly get here: a whole bar without an insert, sealed by a recovery.
fn timestamps_after_recovery() {
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
