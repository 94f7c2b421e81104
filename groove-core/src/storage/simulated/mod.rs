//! A device in memory that crashes, fails and rots as it is told: what the proofs put under the
//! engine instead of a file.
//!
//! - [`image`]: the bytes of a device in shared sectors: a copy of a whole file costs a list.
//! - [`storage`]: the device: what is cached over what is durable, and what was done to it.
//! - [`fault`]: calls that fail, once or from the n-th on.
//! - [`damage`]: rot and misdirected reads and writes, kept apart from the sound bytes.
//! - [`crash`]: what a crash leaves of the writes that were not synced.
//! - [`journal`]: everything that was done, and the device at any point of it.
//!
//! All that is random comes from a [`Random`] that the caller seeds. Nothing sleeps: the time that
//! a device would take is counted.

mod crash;
mod damage;
mod fault;
mod image;
mod journal;
mod random;
mod storage;
#[cfg(test)]
mod tests;

pub use crash::{CrashImages, crash_image};
pub use fault::{Call, Fault};
pub use image::Image;
pub use journal::{Event, Journal};
pub use random::Random;
pub use storage::{Counters, SimulatedStorage};
