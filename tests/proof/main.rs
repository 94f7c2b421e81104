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

mod allocations;
mod canary;
mod g1;
mod g11;
mod g13;
mod g16;
mod g17;
mod g2;
mod g20;
mod g3;
mod g3_schemas;
mod g4;
mod g5;
mod g6;
mod g7;
mod g8;
mod g9;
mod model;
mod mutate;
mod post;
mod reopen;
mod run;
mod schema;
mod shop;
mod tally;
mod tape;
mod whole_file;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    g11::child();
    let goals = [
        canary::trials(),
        g1::trials(),
        g2::trials(),
        g3::trials(),
        g4::trials(),
        g5::trials(),
        g6::trials(),
        g7::trials(),
        g8::trials(),
        g9::trials(),
        g11::trials(),
        g13::trials(),
        g16::trials(),
        g17::trials(),
        g20::trials(),
        reopen::trials(),
    ];
    let trials: Vec<Trial> = goals.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    tally::print(conclusion.num_failed);
    conclusion.exit_code()
}
