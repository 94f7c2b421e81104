//! Which values of a run are tombstones, and how many of a range.

use std::ops::Range;
use std::sync::OnceLock;

/// Flags between two sums.
const PART: usize = 256;

/// A flag per value.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    flags: Vec<bool>,
    count: usize,
    /// How many there are before each part; found out when somebody first asks for a range.
    before: OnceLock<Vec<u32>>,
}

impl Tombstones {
    pub(super) fn new(flags: Vec<bool>) -> Self {
        let count = count(&flags);
        Tombstones { flags, count, before: OnceLock::new() }
    }

    pub(super) fn flags(&self) -> &[bool] {
        &self.flags
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub(super) fn is(&self, at: usize) -> bool {
        self.count > 0 && self.flags[at]
    }

    /// How many there are at these positions. Costs the same however many these are: queries are planned by it.
    pub(super) fn count_in(&self, positions: Range<usize>) -> usize {
        if self.count == 0 {
            return 0;
        }
        if positions.len() <= PART {
            return count(&self.flags[positions]);
        }
        let before = self.before.get_or_init(|| {
            let sums = self.flags.chunks(PART).scan(0, |sum, part| {
                let before = *sum;
                *sum += count(part) as u32;
                Some(before)
            });
            sums.collect()
        });
        let up_to = |at: usize| match at / PART {
            part if part < before.len() => {
                before[part] as usize + count(&self.flags[part * PART..at])
            }
            _ => self.count,
        };
        up_to(positions.end) - up_to(positions.start)
    }

    pub(super) fn memory(&self) -> usize {
        let before = self.before.get().map_or(0, Vec::capacity);
        self.flags.capacity() + before * size_of::<u32>()
    }
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|flag| **flag).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_of_any_range_are_as_many_as_its_flags() {
        for length in [0, 1, PART - 1, PART, PART + 1, 5 * PART, 5 * PART + 3] {
            for every in [1, 3, 200, usize::MAX] {
                let flags: Vec<bool> = (0..length).map(|at| (at * at + 1) % every == 0).collect();
                let tombstones = Tombstones::new(flags.clone());
                let bounds: Vec<usize> = (0..=length)
                    .filter(|at| at % 97 < 2 || at % PART < 2 || length - at < 2)
                    .collect();
                for &from in &bounds {
                    for &to in bounds.iter().filter(|to| **to >= from) {
                        let expected = flags[from..to].iter().filter(|flag| **flag).count();
                        assert_eq!(
                            tombstones.count_in(from..to),
                            expected,
                            "{from}..{to} of {length}"
                        );
                    }
                }
            }
        }
    }
}
