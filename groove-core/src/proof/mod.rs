//! What the tests of this repository need of the engine's inside. No part of the public interface:
//! it is compiled with the feature `proof` alone, and may change at any time.

pub use crate::storage::simulated::{
    Call, Counters, CrashImages, Event, Fault, Image, Journal, Random, SimulatedStorage,
    crash_image,
};
