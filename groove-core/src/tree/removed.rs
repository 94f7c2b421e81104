//! When a scan tries to skip what was removed, and how far.
//!
//! What was removed stands in a tree as long as no compaction has brought it and its tombstone together. Whoever
//! removes the oldest of many, as a queue does, leaves a long stretch of both where scans begin. Trees can tell of
//! a stretch that nothing in it lives, without a look at each value of it (see `scan` and `key_scan`), but that
//! costs more than to walk over a few. So a scan tries it only after some removed values in a row, then farther each
//! time, and waits longer after an attempt that found nothing to skip.

use crate::memory::Key;

/// Removed values in a row before the first attempt, and before any later one at the most. An attempt takes as long as
/// to walk over some hundred, with a dozen sources. (With fewer small histories meet it, too.)
const PATIENCE_MIN: usize = if cfg!(any(test, feature = "proof")) { 32 } else { 128 };
const PATIENCE_MAX: usize = 1 << 12;
/// Fewer values are not skipped: to walk over them costs less.
pub(super) const SKIPPED_MIN: usize = 32;
/// How many values the first step of an attempt is to skip.
const FIRST_DISTANCE: usize = 4 * SKIPPED_MIN;
/// How many values any step is to skip at the most.
const DISTANCE_MAX: usize = FIRST_DISTANCE << 14;
/// How many times more the next one is to, as long as all succeed, or less, if one has failed.
const GROWTH: usize = 4;

/// What a scan has met.
#[derive(Debug)]
pub(super) struct Removed {
    in_a_row: usize,
    patience: usize,
}

impl Removed {
    pub(super) fn new() -> Self {
        Removed { in_a_row: 0, patience: PATIENCE_MIN }
    }

    /// The scan has met a value that lives.
    #[inline]
    pub(super) fn end(&mut self) {
        self.in_a_row = 0;
    }

    /// The scan has met a removed value; gives whether there were so many that it should try to skip some.
    #[inline]
    pub(super) fn add(&mut self) -> bool {
        self.in_a_row += 1;
        self.in_a_row >= self.patience
    }

    pub(super) fn attempt(&mut self) -> Attempt {
        self.in_a_row = 0;
        Attempt { distance: FIRST_DISTANCE, has_skipped: false, has_failed: false }
    }

    pub(super) fn finish(&mut self, attempt: &Attempt) {
        self.patience = match attempt.has_skipped {
            true => PATIENCE_MIN,
            false => PATIENCE_MAX.min(2 * self.patience),
        };
    }
}

/// Some steps, of which each skips values or fails.
#[derive(Debug)]
pub(super) struct Attempt {
    distance: usize,
    has_skipped: bool,
    has_failed: bool,
}

impl Attempt {
    /// How many values the next step is to skip; `None` if that is enough.
    pub(super) fn distance(&self) -> Option<usize> {
        (self.distance >= SKIPPED_MIN).then_some(self.distance)
    }

    pub(super) fn skipped(&mut self) {
        self.has_skipped = true;
        if !self.has_failed {
            self.distance = DISTANCE_MAX.min(GROWTH * self.distance);
        }
    }

    /// Something lives there, or nothing is known of so many.
    pub(super) fn failed(&mut self) {
        self.has_failed = true;
        self.distance /= GROWTH;
    }

    /// No step will skip anything more.
    pub(super) fn stop(&mut self) {
        self.distance = 0;
    }
}

/// The key behind `key`; `None` behind the last.
pub(super) fn successor<const K: usize>(key: &Key<K>) -> Option<Key<K>> {
    let mut next = *key;
    for limb in next.iter_mut().rev() {
        *limb = limb.wrapping_add(1);
        if *limb != 0 {
            return Some(next);
        }
    }
    None
}

/// The key before `key`; `None` before the first.
pub(super) fn predecessor<const K: usize>(key: &Key<K>) -> Option<Key<K>> {
    let mut before = *key;
    for limb in before.iter_mut().rev() {
        *limb = limb.wrapping_sub(1);
        if *limb != u64::MAX {
            return Some(before);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many steps it takes to get over so many removed values.
    fn steps(removed: usize) -> usize {
        let (mut left, mut steps) = (removed, 0);
        let mut attempt = Removed::new().attempt();
        while let Some(distance) = attempt.distance() {
            steps += 1;
            if distance <= left {
                left -= distance;
                attempt.skipped();
            } else {
                attempt.failed();
            }
        }
        assert!(left < SKIPPED_MIN, "{left} of {removed} are left");
        steps
    }

    #[test]
    fn the_steps_over_many_removed_values_grow_with_their_logarithm() {
        for removed in [0_usize, 100, 12_345, 1 << 20, (1 << 40) - 1] {
            let bits = removed.checked_ilog2().unwrap_or(0) as usize;
            let far = removed / DISTANCE_MAX;
            assert!(steps(removed) <= 3 + 3 * bits + far, "{} for {removed}", steps(removed));
        }
    }

    #[test]
    fn attempts_become_seldom_where_they_find_nothing_and_frequent_where_they_do() {
        let mut removed = Removed::new();
        let mut attempts = 0;
        for _ in 0..100_000 {
            if removed.add() {
                attempts += 1;
                let attempt = removed.attempt();
                removed.finish(&attempt);
            }
        }
        assert!(attempts < 40, "{attempts} attempts");
        let mut attempt = removed.attempt();
        attempt.skipped();
        removed.finish(&attempt);
        let walked = (1..).find(|_| removed.add());
        assert_eq!(walked, Some(PATIENCE_MIN));
        removed.end();
        assert!(!removed.add(), "one that lives was in between");
    }
}
