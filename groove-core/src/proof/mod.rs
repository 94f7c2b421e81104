//! What the tests of this repository need of the engine's inside. No part of the public interface:
//! it is compiled with the feature `proof` alone, and may change at any time.

pub mod anatomy;
mod defect;
pub mod fuzz;

use crate::error::ReadError;
use crate::forest::{Forest, Grooves, Verified};
pub use crate::storage::simulated::{
    Call, Counters, CrashImages, Event, Fault, Image, Journal, Random, SimulatedStorage,
    crash_image,
};
pub(crate) use defect::is_seeded;
pub use defect::{Defect, SeededDefect};

/// Verifies an open forest: the newest committed state, and that of the free set nothing is in use and,
/// between two bars, everything that is not in use is free.
pub fn verify_open<S: Grooves>(forest: &Forest<S>) -> Result<Verified, ReadError> {
    forest.verify_open()
}
