//! The proof that nothing is lost and nothing is wrong: goals by number, each of them many cases.
//!
//! ```sh
//! cargo test --release --test proof            # all goals
//! cargo test --release --test proof -- g4      # those with `g4` in their name
//! GROOVE_PROOF_SCALE=100 cargo test --release --test proof   # a night
//! ```
//!
//! A failure prints the command that repeats it. The last line says what was done:
//! images / crash points / flips / ops / execs / schedules / defects found / failures.
//! ARCHITECTURE.md, "Reliability", says what is promised and which goal proves it.

mod canary;
mod g16;
mod g20;
mod run;
mod tally;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials: Vec<Trial> =
        [canary::trials(), g16::trials(), g20::trials()].into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    tally::print(conclusion.num_failed);
    conclusion.exit_code()
}
