//! G3: the whole engine on a device that loses its power and is full at times, against the model.
//!
//! Each seed chooses block, table and log size, growth, caches, threads and durability, anew at each
//! open, and then everything of G6: scopes, savepoints, snapshots, queries with random predicates;
//! beside it power losses, at once and in the midst of a commit, and full disks. This is a forest of
//! three grooves that have every kind of index among them; [`crate::g3_schemas`] has schemas by the
//! seed, failing calls and damage.

use groove::Durability;
use groove_core::proof::SimulatedStorage;
use libtest_mimic::Trial;

use crate::g3_schemas::{Met, storm};
use crate::g6::run;
use crate::model::rng::Rng;
use crate::model::{Backing, Counts, Sizes};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};

const OPERATIONS_OF_A_SEED: u64 = 10_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g3_whole_engine_1", |goal| whole_engine(goal, 0)),
        trial("g3_whole_engine_2", |goal| whole_engine(goal, 1)),
        trial("g3_schemas_1", |goal| schemas(goal, 0)),
        trial("g3_schemas_2", |goal| schemas(goal, 1)),
    ]
}

/// A short run.
pub(crate) fn hunt(seed: u64) {
    run(seed, Backing::Simulated(SimulatedStorage::new(seed)), sizes(seed), 3_000);
}

fn sizes(seed: u64) -> Sizes {
    let mut rng = Rng::new(seed);
    let mut one_of = |sizes: &[u64]| sizes[rng.below(sizes.len() as u64) as usize];
    let block_size = one_of(&[4096, 4096, 8192, 16384]);
    Sizes {
        block_size: block_size as u32,
        table_size: (block_size * one_of(&[1, 1, 4, 16])) as u32,
        wal_size: one_of(&[32 << 10, 64 << 10, 64 << 10, 256 << 10]),
        growth_factor: one_of(&[2, 2, 3, 8]) as u32,
        compaction_threads: one_of(&[0, 0, 1, 2]) as usize,
        cache_size: one_of(&[0, 64 << 10, 1 << 20]),
        durability: [Durability::Sync, Durability::Buffered][one_of(&[0, 1]) as usize],
        clock: one_of(&[0, 0, 1]) == 1,
        scope_steps: one_of(&[8, 24, 60]),
    }
}

fn whole_engine(goal: &Goal, part: u64) {
    let mut counts = Counts::default();
    goal.seeds(100, |seed| {
        let seed = 2 * seed + part;
        let backing = Backing::Simulated(SimulatedStorage::new(seed));
        let context = run(seed, backing, sizes(seed), OPERATIONS_OF_A_SEED);
        counts.merge(&context.counts);
    });
    counts.print();
    let losses = counts.of("power loss");
    add(Count::Images, losses);
    add(Count::CrashPoints, counts.of("scope: device failed"));
    if counts.total() >= 50 * OPERATIONS_OF_A_SEED {
        let met =
            ["scope: device failed", "scope: no space", "power loss", "held snapshot verified"];
        assert!(met.iter().all(|what| counts.of(what) >= 100), "not met often enough");
        counts.assert_all(&["statistics: three levels", "savepoint: error", "query: pages"]);
    }
}

fn schemas(goal: &Goal, part: u64) {
    let (mut met, mut seeds) = (Met::default(), 0);
    goal.seeds(100, |seed| {
        let seed = 2 * seed + part;
        storm(seed, sizes(seed), &mut met);
        seeds += 1;
    });
    println!("{met:?}");
    add(Count::Ops, met.ops + met.answers);
    add(Count::Images, met.losses);
    add(Count::Flips, met.damaged);
    if seeds >= 50 {
        assert!(met.losses > 3 * seeds && met.failed_calls > seeds, "{met:?}");
        assert!(met.damaged > 3 * seeds && met.detected > seeds, "{met:?}");
        assert!(met.levels >= 3, "{met:?}");
    }
}
