//! The timestamps that the forest assigns.

use std::sync::atomic::{AtomicU64, Ordering};

use super::options::Clock;

/// The highest timestamp so far, and the clock.
pub(crate) struct Timestamps {
    highest: AtomicU64,
    clock: Option<Clock>,
}

impl Timestamps {
    pub(crate) fn new(highest: u64, clock: Option<Clock>) -> Self {
        Timestamps { highest: AtomicU64::new(highest), clock }
    }

    /// The timestamp of the next object that has none: above all earlier ones.
    pub(crate) fn next(&self) -> u64 {
        let next = self.highest() + 1;
        self.clock.as_ref().map_or(next, |clock| next.max(clock.now()))
    }

    pub(crate) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    /// Notes a timestamp that is in use.
    pub(crate) fn note(&self, timestamp: u64) {
        self.highest.fetch_max(timestamp, Ordering::Relaxed);
    }

    /// Goes back to what it was when a scope began.
    pub(super) fn restore(&self, highest: u64) {
        self.highest.store(highest, Ordering::Relaxed);
    }
}
