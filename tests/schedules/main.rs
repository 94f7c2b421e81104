//! G16: writers, readers, a checkpointer and a compaction worker in many orders.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --release --test schedules --target-dir target/shuttle
//! ```
//!
//! [shuttle](https://docs.rs/shuttle) runs one thread at a time and chooses, at each lock, condition,
//! atomic and call of the device, which one goes on: half of the orders at random, half by priorities
//! that change at a few places (PCT), all from fixed seeds. An order in which something is wrong is
//! printed; `GROOVE_SCHEDULE=<it>` before the same command repeats it. Some defects are seeded too (see
//! `tests/proof/g20`), and must be found. Atomics count as sequentially consistent: what weaker
//! orderings allow is not explored.
//!
//! `GROOVE_PROOF_SCALE` multiplies the number of orders. Without `--cfg shuttle` there is nothing
//! to schedule, and nothing is run.

#[cfg(shuttle)]
mod device;
#[cfg(shuttle)]
mod orders;
#[cfg(shuttle)]
mod scenario;

#[cfg(shuttle)]
fn main() {
    orders::run();
}

#[cfg(not(shuttle))]
fn main() {
    println!("schedules: none, for this was built without --cfg shuttle");
}
