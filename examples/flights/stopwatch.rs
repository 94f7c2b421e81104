//! How long something took.
#![expect(clippy::disallowed_methods, reason = "an example reads the clock; the engine does not")]

use std::fmt;
use std::time::{Duration, Instant};

pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// Prints as `2.31 s` or `1.20 ms`.
#[derive(Clone, Copy)]
pub(crate) struct Elapsed(pub(crate) Duration);

impl Elapsed {
    /// How many of `count` there were each second.
    pub(crate) fn rate(self, count: u64) -> u64 {
        (count as f64 / self.0.as_secs_f64().max(1e-9)) as u64
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds < 1.0 => write!(formatter, "{:.2} ms", seconds * 1e3),
            seconds => write!(formatter, "{seconds:.2} s"),
        }
    }
}
