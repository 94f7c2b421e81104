//! How many blocks were found in memory: a counter that threads do not take from each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads from here on share counters.
const COUNTERS: usize = 16;
/// One hit of so many of a thread is in the sample.
const SAMPLE: u64 = 64;

/// A counter, in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// Counts, and takes samples.
#[derive(Debug, Default)]
pub(super) struct Hits([Counter; COUNTERS]);

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The thread's counter.
    static COUNTER: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Hits {
    /// Counts hits; gives which of them are in the sample.
    #[inline]
    pub(super) fn add(&self, hits: usize) -> impl Iterator<Item = usize> + use<> {
        let at = COUNTER.get();
        let at = if at == usize::MAX { Self::enter() } else { at };
        let before = self.0[at % COUNTERS].0.fetch_add(hits as u64, Ordering::Relaxed);
        ((before.wrapping_neg() % SAMPLE) as usize..hits).step_by(SAMPLE as usize)
    }

    #[cold]
    fn enter() -> usize {
        let at = THREADS.fetch_add(1, Ordering::Relaxed) % COUNTERS;
        COUNTER.set(at);
        at
    }

    /// All hits.
    pub(super) fn sum(&self) -> u64 {
        self.0.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_64th_hit_is_in_the_sample_however_they_are_counted() {
        let hits = Hits::default();
        let mut counted = 0;
        for count in [1, 1, 62, 1, 100, 0, 200, 63, 64, 1] {
            let sample: Vec<usize> = hits.add(count).collect();
            let expected: Vec<usize> = (0..count).filter(|at| (counted + at) % 64 == 0).collect();
            assert_eq!(sample, expected, "{count} hits after {counted}");
            counted += count;
        }
        assert_eq!(hits.sum(), counted as u64);
    }
}
