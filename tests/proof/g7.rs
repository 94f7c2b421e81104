//! G7: one history under eleven configurations, with the same answers.
//!
//! The history is that of G6: all operations and their answers follow from the seed, and each answer
//! is compared with the model. What is left when it ends is the same under each configuration.

use groove::Durability;
use groove::storage::MemoryStorage;
use libtest_mimic::Trial;

use crate::g6::TINY;
use crate::model::{Backing, Context, Sizes, World};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};

const OPERATIONS: u64 = 4_000;

/// The log's size decides which scopes are refused: it is the same in all.
const CONFIGURATIONS: [(Sizes, bool); 11] = [
    (TINY, false),
    (Sizes { cache_size: 0, ..TINY }, false),
    (Sizes { cache_size: 8 << 10, ..TINY }, false),
    (Sizes { cache_size: 64 << 20, ..TINY }, false),
    (Sizes { compaction_threads: 1, ..TINY }, false),
    (Sizes { compaction_threads: 2, ..TINY }, false),
    (Sizes { compaction_threads: 8, ..TINY }, false),
    (Sizes { block_size: 16384, table_size: 262_144, ..TINY }, false),
    (Sizes { table_size: 4096, growth_factor: 8, ..TINY }, false),
    (Sizes { durability: Durability::Buffered, ..TINY }, false),
    (Sizes { compaction_threads: 1, ..TINY }, true),
];

pub(crate) fn trials() -> Vec<Trial> {
    let history = |seed| history(seed, OPERATIONS, &CONFIGURATIONS);
    vec![trial("g7_configurations", move |goal: &Goal| goal.seeds(20, history))]
}

/// A short history under the configurations that have other caches.
pub(crate) fn hunt(seed: u64) {
    history(seed, OPERATIONS / 2, &CONFIGURATIONS[..4]);
}

fn history(seed: u64, operations: u64, configurations: &[(Sizes, bool)]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut ends: Vec<String> = Vec::new();
    for (sizes, in_file) in configurations {
        let backing = match *in_file {
            true => Backing::File(directory.path().join("configured.groove")),
            false => Backing::Memory(MemoryStorage::new()),
        };
        ends.push(end(seed, backing, *sizes, operations));
    }
    for (end, (sizes, _)) in ends.iter().zip(configurations) {
        assert!(*end == ends[0], "the history ended differently: {sizes:?}");
    }
}

/// What there is at the end of the history.
fn end(seed: u64, backing: Backing, sizes: Sizes, operations: u64) -> String {
    let mut world = World::new(Context::new(seed), backing, sizes);
    world.keeps_settings = true;
    world.run(operations);
    add(Count::Ops, world.context.counts.total());
    world.contents()
}
