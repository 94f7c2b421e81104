//! G16: writers, readers, a checkpointer and a compaction worker in many orders; and the part of G1 and G2
//! that has compaction threads.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --release --test schedules --target-dir target/shuttle
//! ```
//!
//! [shuttle](https://docs.rs/shuttle) runs one thread at a time and chooses, at each lock, condition,
//! atomic and call of the device, which one goes on: half of the orders at random, half by priorities
//! that change at a few places (PCT), all from fixed seeds. An order in which something is wrong is
//! printed; `GROOVE_SCHEDULE=<it>` before the same command repeats it, as it says. Some defects are seeded too (see
//! `tests/proof/g20.rs`), and must be found. Atomics count as sequentially consistent: what weaker
//! orderings allow is not explored.
//!
//! In a part of the orders writers do not wait for the disk (`unsynced.rs`).
//!
//! A device that loses its power comes after that, with one committer and compaction threads (`crashes.rs`),
//! and with several committers whose log entries are written in groups (`groups.rs`).
//!
//! The power losses are those of the proof (`tests/proof/g1.rs`, `g2.rs`), judged by the same code; an
//! order follows from the seed of its script, and is long: `GROOVE_PROOF_SEED=<it>` repeats it.
//!
//! `GROOVE_PROOF_SCALE` multiplies the number of orders and scripts. Without `--cfg shuttle` there is nothing
//! to schedule, and nothing is run.

#[cfg(shuttle)]
mod bursts;
#[cfg(shuttle)]
mod crashes;
#[cfg(shuttle)]
mod device;
#[cfg(shuttle)]
mod groups;
#[cfg(shuttle)]
mod orders;
#[cfg(shuttle)]
mod scenario;
#[cfg(shuttle)]
mod unsynced;

/// Declares modules of the proof that are used here too.
#[cfg(shuttle)]
macro_rules! of_the_proof {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[allow(dead_code, reason = "the proof uses the rest")]
            #[path = $path]
            mod $name;
        )*
    };
}

#[cfg(shuttle)]
of_the_proof! {
    g1: "../proof/g1.rs",
    g2: "../proof/g2.rs",
    post: "../proof/post.rs",
    run: "../proof/run.rs",
    tally: "../proof/tally.rs",
    tape: "../proof/tape.rs",
}

#[cfg(shuttle)]
fn main() {
    orders::run();
}

#[cfg(not(shuttle))]
fn main() {
    println!("schedules: none, for this was built without --cfg shuttle");
}
