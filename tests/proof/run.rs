//! How much of a goal is run, and with which seeds.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;

use libtest_mimic::{Failed, Trial};

/// One goal, or a part of it that runs beside the others.
pub(crate) struct Goal {
    name: &'static str,
}

/// A goal's test. `goal` panics or not.
pub(crate) fn trial(name: &'static str, goal: impl FnOnce(&Goal) + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let goal_of_name = Goal { name };
        catch_unwind(AssertUnwindSafe(|| goal(&goal_of_name))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Failed::from(format!("{text}\nagain by: {}", goal_of_name.command("")))
        })
    })
}

impl Goal {
    /// The command that runs this goal alone, with variables of the environment before it.
    fn command(&self, variables: &str) -> String {
        let release = if cfg!(debug_assertions) { "" } else { "--release " };
        format!("{variables}cargo test {release}--test proof -- --exact {}", self.name)
    }

    /// `number` of cases, times `GROOVE_PROOF_SCALE`: 1 in release builds, a hundredth in debug
    /// builds unless it is set. At least one.
    pub(crate) fn scaled(&self, number: u64) -> u64 {
        ((number as f64 * scale()) as u64).max(1)
    }

    /// Runs `case` with each seed from 0 on, `number` scaled of them; with `GROOVE_PROOF_SEED`
    /// that one alone. A case that panics names its seed.
    pub(crate) fn seeds(&self, number: u64, mut case: impl FnMut(u64)) {
        let one = variable::<u64>("GROOVE_PROOF_SEED");
        let seeds = one.map_or(0..self.scaled(number), |seed| seed..seed + 1);
        for seed in seeds {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(seed))) {
                let scale = if scale() == default_scale() {
                    String::new()
                } else {
                    format!("GROOVE_PROOF_SCALE={} ", scale())
                };
                let variables = format!("{scale}GROOVE_PROOF_SEED={seed} ");
                eprintln!("{} failed; again by: {}", self.name, self.command(&variables));
                resume_unwind(panic);
            }
        }
    }
}

fn default_scale() -> f64 {
    if cfg!(debug_assertions) { 0.01 } else { 1.0 }
}

fn scale() -> f64 {
    variable("GROOVE_PROOF_SCALE").unwrap_or(default_scale())
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}
