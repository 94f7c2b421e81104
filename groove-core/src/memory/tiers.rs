//! Which runs of a mutable table a new one is merged with: a pure function of their lengths.
//!
//! Short runs are merged by twos, like the digits of a binary counter, so that a stream of small commits leaves
//! few of them. From [`SHORT`] on runs are merged by fours: a value is copied once where it would be
//! copied twice, and what is merged at once comes from the processor's cache. Long runs are left
//! alone, so that no commit merges all that is in memory.
//!
//! The trees of a forest get their runs by the same commits. They take turns, so that no commit merges
//! for all of them.

/// Runs from this length on are merged by fours.
const SHORT: usize = 1 << 12;
/// Runs of one tier that are merged together.
const FAN: usize = 4;
/// Runs of this length, or of this share of the table, are not merged any more.
const LONG: usize = 1 << 16;
const LONG_RUNS: usize = 8;

/// The first of the runs, oldest first, that are merged with a new run, from there on all; `turn` is the
/// tree's number.
pub(crate) fn first_merged(lengths: &[usize], new: usize, turn: usize) -> usize {
    let long = long(lengths);
    let mut first = lengths.len();
    let mut length = new;
    while first > 0 && lengths[first - 1] < SHORT.min(2 * length) {
        first -= 1;
        length += lengths[first];
    }
    let mut tier = SHORT;
    let mut turn = turn;
    while tier <= length && length < long {
        tier *= FAN;
        let early = 2 + turn % (FAN - 1);
        turn /= FAN - 1;
        if length >= tier {
            continue;
        }
        let longer = lengths[..first].iter().rposition(|length| *length >= tier.min(long));
        let start = longer.map_or(0, |at| at + 1);
        // The first time earlier than ever after, by which the turns begin.
        let is_first = start == 0 && lengths[..first].iter().all(|other| *other < 2 * length);
        let fan = if is_first { early } else { FAN };
        if first - start + 1 < fan {
            break;
        }
        length += lengths[start..first].iter().sum::<usize>();
        first = start;
    }
    first
}

/// Runs of this length are not merged any more when such a table gets another one.
pub(super) fn long(lengths: &[usize]) -> usize {
    LONG.max(lengths.iter().sum::<usize>() / LONG_RUNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of a table's runs after so many commits, and how many values were copied.
    fn after(commits: usize, length: usize, turn: usize) -> (Vec<usize>, usize) {
        let (mut lengths, mut copied) = (Vec::new(), 0);
        for _ in 0..commits {
            let first = first_merged(&lengths, length, turn);
            let merged = lengths.drain(first..).sum::<usize>() + length;
            copied += if merged > length { merged } else { 0 };
            lengths.push(merged);
        }
        (lengths, copied)
    }

    #[test]
    fn a_value_is_copied_seldom_and_runs_stay_few() {
        for (commits, length) in
            [(100_000, 1), (5_000, 100), (300, 1_000), (60, 8_190), (600, 8_190)]
        {
            for turn in 0..10 {
                let (lengths, copied) = after(commits, length, turn);
                let values = commits * length;
                assert_eq!(lengths.iter().sum::<usize>(), values);
                assert!(lengths.len() <= 36, "{lengths:?}");
                assert!(copied <= 16 * values, "{copied} of {values}");
                if length == 8_190 {
                    assert!(copied < 4 * values, "{copied} of {values}");
                }
            }
        }
    }

    #[test]
    fn no_commit_merges_for_all_trees_that_it_touches() {
        let merges = |commit, turn| {
            let (lengths, _) = after(commit, 8_190, turn);
            first_merged(&lengths, 8_190, turn) < lengths.len()
        };
        for commit in 0..56 {
            let trees = (1..=8).filter(|turn| merges(commit, *turn)).count();
            assert!(trees <= 3, "{trees} trees merge in commit {commit}");
        }
    }
}
