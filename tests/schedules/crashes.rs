//! G1 and G2 with compaction threads: a power loss between any two calls of a committer and of the
//! threads that merge tables beside it.
//!
//! A script is recorded while a scheduler by the seed decides who goes on, so the seed repeats every
//! call of every thread. Then images of its crashes are judged as G1 judges them, and chains of crashes
//! as G2 does, whose recoveries have compaction threads too.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use groove::Durability;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::bursts::Bursts;
use crate::post::Setting;
use crate::tape::Script;
use crate::{g1, g2};

/// Scripts, each of some lives of a forest.
const SCRIPTS: f64 = 24.0;
const LIVES: u64 = 2;
const OPS: u64 = 60;
/// A power loss comes after one of so many calls.
const CALLS: usize = 5;
/// Chains of a script, each three crashes deep.
const CHAINS: u64 = 20;
/// Crashes that are judged in one run of the scheduler.
const CRASHES_OF_A_RUN: usize = 50;

/// Runs all scripts, or that of `GROOVE_PROOF_SEED`.
pub(crate) fn run(scale: f64, command: &str) {
    let scripts = ((SCRIPTS * scale) as u64).max(1);
    let one = std::env::var("GROOVE_PROOF_SEED").ok();
    let one: Option<u64> = one.map(|seed| seed.parse().expect("GROOVE_PROOF_SEED is a number"));
    for seed in one.map_or(0..scripts, |seed| seed..seed + 1) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| crashes(seed))) {
            eprintln!("again by: GROOVE_PROOF_SEED={seed} {command}");
            resume_unwind(panic);
        }
    }
}

fn crashes(seed: u64) {
    let setting = Setting {
        threads: 1 + (seed % 2) as usize,
        cache_size: 64 << 10,
        durability: [Durability::Sync, Durability::Buffered][(seed / 2 % 2) as usize],
    };
    let script = scheduled(seed, move || Script::record(seed, LIVES, OPS, setting));
    let script = Arc::new(script);
    let points: Vec<usize> = (seed as usize % CALLS..script.points()).step_by(CALLS).collect();
    for points in points.chunks(CRASHES_OF_A_RUN) {
        let (script, points) = (script.clone(), points.to_vec());
        scheduled(seed, move || {
            points.iter().for_each(|point| g1::crash(&script, *point, seed ^ *point as u64));
        });
    }
    scheduled(seed, move || (0..CHAINS).for_each(|chain| g2::chain(&script, seed << 32 | chain)));
}

/// Runs `case` in the order of threads that follows from the seed.
pub(crate) fn scheduled<T: Send + 'static>(
    seed: u64,
    case: impl Fn() -> T + Send + Sync + 'static,
) -> T {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::None;
    // The seed repeats it; the schedule has a million steps.
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let result = Arc::new(Mutex::new(None));
    let place = result.clone();
    Runner::new(Bursts::new(seed), config).run(move || {
        let value = case();
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    });
    let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.expect("one run")
}
