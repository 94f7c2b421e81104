//! Counts what was proved, over all goals of a run.

use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of thing that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    /// Files as a crash may leave them, each opened and compared.
    Images,
    /// Calls of the device at which a crash or a failure was put.
    CrashPoints,
    /// Damaged places of a file: bytes flipped, blocks swapped, files cut.
    Flips,
    /// Changes and questions that were compared with a model.
    Ops,
    /// Inputs given to a fuzz target.
    Execs,
    /// Orders in which threads ran.
    Schedules,
    /// Seeded defects that the goal named for them has found.
    Defects,
}

const NAMES: [&str; 7] =
    ["images", "crash points", "flips", "ops", "execs", "schedules", "defects found"];

static COUNTS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

/// Adds to a count.
pub(crate) fn add(count: Count, number: u64) {
    COUNTS[count as usize].fetch_add(number, Ordering::Relaxed);
}

/// What was counted so far.
#[cfg(shuttle)]
pub(crate) fn count(count: Count) -> u64 {
    COUNTS[count as usize].load(Ordering::Relaxed)
}

/// Prints the line of the run.
pub(crate) fn print(failures: u64) {
    let counts = NAMES.iter().zip(&COUNTS);
    let counts: Vec<String> = counts
        .map(|(name, count)| format!("{} {name}", grouped(count.load(Ordering::Relaxed))))
        .collect();
    println!("proof: {} / {failures} failures", counts.join(" / "));
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
