//! The orders in which the scenario is run, and what they must find; then the power losses.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use groove_core::proof::Defect;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

use crate::tally::{Count, count};
use crate::{crashes, groups, scenario, unsynced};

const COMMAND: &str = "RUSTFLAGS='--cfg shuttle' \
    cargo test --release --test schedules --target-dir target/shuttle";
/// Of each kind.
const ORDERS: f64 = 10_000.0;
/// Orders in which a defect must be found: as many as of one kind. `SyncedBeforeVersion` takes most; each change of
/// the code makes other orders of the same seed, and it was found in the 707th and in the 2,744th.
const ORDERS_OF_DEFECT: usize = ORDERS as usize;
/// Of writers that wait for no sync.
const UNSYNCED_ORDERS: f64 = 4_000.0;
/// Those that only another order shows, and some that the scenario has to show too.
const DEFECTS: [(Defect, Scenario); 8] = [
    (Defect::SyncTargetTooLate, Scenario::Synced),
    (Defect::SyncedBeforePublished, Scenario::Synced),
    (Defect::SyncedBeforeVersion, Scenario::Synced),
    (Defect::TailTooNew, Scenario::Synced),
    (Defect::EntryAddedToSynced, Scenario::Unsynced),
    (Defect::PublishedBeforeSync, Scenario::Synced),
    (Defect::SyncErrorIgnored, Scenario::Synced),
    (Defect::FreedWhileHeld, Scenario::Synced),
];
/// Places where priorities change.
const PRIORITY_CHANGES: usize = 3;
const SEED: u64 = 0x6772_6f6f_7665;

/// What is run in many orders.
#[derive(Debug, Clone, Copy)]
enum Scenario {
    /// Of `scenario.rs`: writers that wait for the disk, readers, a checkpointer.
    Synced,
    /// Of `unsynced.rs`: writers that do not, and a thread that syncs.
    Unsynced,
}

impl Scenario {
    fn run(self) {
        match self {
            Scenario::Synced => scenario::scenario(),
            Scenario::Unsynced => unsynced::scenario(),
        }
    }
}

pub(crate) fn run() {
    if let Ok(schedule) = std::env::var("GROOVE_SCHEDULE") {
        let is_unsynced = std::env::var("GROOVE_SCENARIO").is_ok_and(|name| name == "Unsynced");
        let scenario = if is_unsynced { Scenario::Unsynced } else { Scenario::Synced };
        shuttle::replay(move || scenario.run(), &schedule);
        return;
    }
    let scale = std::env::var("GROOVE_PROOF_SCALE").map_or(1.0, |scale| {
        scale.parse().unwrap_or_else(|_| panic!("GROOVE_PROOF_SCALE is no number: {scale}"))
    });
    let orders = ((ORDERS * scale) as usize).max(1);
    let mut done = explore(Scenario::Synced, RandomScheduler::new_from_seed(SEED, orders), true);
    let changes = PRIORITY_CHANGES;
    done += explore(Scenario::Synced, PctScheduler::new_from_seed(SEED, changes, orders), true);
    let orders = ((UNSYNCED_ORDERS * scale) as usize).max(1);
    done += explore(Scenario::Unsynced, RandomScheduler::new_from_seed(SEED, orders), true);
    for (defect, scenario) in DEFECTS {
        println!("schedules: {defect:?} is seeded, a failure has to follow");
        let _seeded = defect.seed();
        let orders = RandomScheduler::new_from_seed(SEED, ORDERS_OF_DEFECT);
        let sound = catch_unwind(|| explore(scenario, orders, false));
        assert!(sound.is_err(), "{defect:?} was not found in {ORDERS_OF_DEFECT} orders");
    }
    // The others count where the goal named for them finds them.
    let found = DEFECTS.iter().filter(|(defect, _)| defect.goal() == "G16").count();
    crashes::run(scale, COMMAND);
    groups::run(scale);
    let (images, points) = (count(Count::Images), count(Count::CrashPoints));
    println!(
        "schedules: {images} images / {points} crash points / {done} schedules / \
         {found} defects found / 0 failures"
    );
}

/// Runs a scenario in the orders that `scheduler` chooses; returns how many those were.
fn explore(scenario: Scenario, scheduler: impl Scheduler + 'static, print: bool) -> usize {
    let mut config = Config::new();
    // Opening a forest takes more than a model usually does.
    config.stack_size = 512 << 10;
    // It warns that atomics are taken for sequentially consistent.
    config.silence_warnings = true;
    if !print {
        config.failure_persistence = FailurePersistence::None;
    }
    let explored = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config).run(move || scenario.run())
    }));
    explored.unwrap_or_else(|panic| {
        if print {
            eprintln!(
                "again by: GROOVE_SCENARIO={scenario:?} \
                GROOVE_SCHEDULE='the failing schedule above' {COMMAND}"
            );
        }
        resume_unwind(panic)
    })
}
