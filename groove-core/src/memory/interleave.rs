//! The order of two sorted sequences of keys, without a branch that depends on them: which of two keys comes
//! next is a coin's toss, and a processor that guesses wrong loses as much time as ten keys need.
//!
//! Each step of a merge waits for the one before. So the merge is cut into [`CHAINS`] of equal length,
//! and the processor works on all of them at the same time. Where to cut is found by the searches of Odeh,
//! Green, Mwassi, Shmueli and Birk, "Merge Path" (2012).

use std::hint::select_unpredictable;

use super::run::Key;

/// Merges that go on side by side.
const CHAINS: usize = 4;

/// A value of one of two sequences: its place, and a bit that says in which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick(u32);

impl Pick {
    const OLDER: u32 = 1 << 31;

    #[inline]
    pub(crate) fn newer(at: usize) -> Pick {
        Pick(at as u32)
    }

    #[inline]
    pub(crate) fn older(at: usize) -> Pick {
        Pick(at as u32 | Pick::OLDER)
    }

    pub(crate) fn is_newer(self) -> bool {
        self.0 & Pick::OLDER == 0
    }

    #[inline]
    pub(crate) fn of<T: Copy>(self, newer: &[T], older: &[T]) -> T {
        let at = (self.0 & !Pick::OLDER) as usize;
        select_unpredictable(self.is_newer(), newer, older)[at]
    }
}

/// Appends the order of `newer` and `older`, which are not empty, as far as one of them goes; gives how far
/// each was taken. `None`, and nothing appended, if both have the same key.
///
/// Places count from `newer_at` and `older_at` on.
pub(crate) fn interleave<const K: usize>(
    newer: &[Key<K>],
    older: &[Key<K>],
    (newer_at, older_at): (usize, usize),
    picks: &mut Vec<Pick>,
) -> Option<(usize, usize)> {
    // Of the sequence that goes on longer, what comes before the end of the other one. What follows it there
    // is higher than all that is merged, so neither is ever asked for a key behind its end.
    let (newer_last, older_last) = (newer.last()?, older.last()?);
    let (newer_end, older_end) = match newer_last < older_last {
        true => (newer.len(), older.partition_point(|key| key <= newer_last)),
        false => (newer.partition_point(|key| key < older_last), older.len()),
    };
    let begin = picks.len();
    let count = newer_end + older_end;
    picks.resize(begin + count, Pick(0));
    let merge = Merge { newer, older, newer_at, older_at };
    let length = count / CHAINS;
    let heads = std::array::from_fn(|number| merge.cut(number * length, newer_end, older_end));
    // The high limbs of small numbers are all the same.
    let firsts = newer[0].iter().zip(&older[0]).zip(newer_last.iter().zip(older_last));
    let common = firsts.take_while(|((a, b), (c, d))| a == b && a == c && a == d).count();
    let picked = &mut picks[begin..];
    let is_equal = match common.min(K - 1) {
        0 => merge.all::<0>(heads, picked),
        1 => merge.all::<1>(heads, picked),
        _ => merge.all::<2>(heads, picked),
    };
    if is_equal {
        picks.truncate(begin);
        return None;
    }
    Some((newer_end, older_end))
}

/// Positions in both sequences.
type Head = (usize, usize);

struct Merge<'a, const K: usize> {
    newer: &'a [Key<K>],
    older: &'a [Key<K>],
    newer_at: usize,
    older_at: usize,
}

impl<const K: usize> Merge<'_, K> {
    /// How many keys of each are among the first `count`.
    fn cut(&self, count: usize, newer_end: usize, older_end: usize) -> Head {
        let (mut low, mut high) = (count.saturating_sub(older_end), count.min(newer_end));
        while low < high {
            let middle = low.midpoint(high);
            if self.newer[middle] < self.older[count - 1 - middle] {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low, count - low)
    }

    /// Fills `picks`, a chain from each head on and behind the last what is left. `COMMON` limbs of all keys are
    /// the same. Gives whether two keys are equal; what is picked is useless then.
    fn all<const COMMON: usize>(&self, heads: [Head; CHAINS], picks: &mut [Pick]) -> bool {
        let [mut a, mut b, mut c, mut d] = heads;
        let length = picks.len() / CHAINS;
        let (chains, rest) = picks.split_at_mut(CHAINS * length);
        let (front, back) = chains.split_at_mut(2 * length);
        let (front, back) = (front.split_at_mut(length), back.split_at_mut(length));
        let mut is_equal = false;
        for (((to_a, to_b), to_c), to_d) in front.0.iter_mut().zip(front.1).zip(back.0).zip(back.1)
        {
            *to_a = self.next::<COMMON>(&mut a, &mut is_equal);
            *to_b = self.next::<COMMON>(&mut b, &mut is_equal);
            *to_c = self.next::<COMMON>(&mut c, &mut is_equal);
            *to_d = self.next::<COMMON>(&mut d, &mut is_equal);
        }
        for pick in rest {
            *pick = self.next::<COMMON>(&mut d, &mut is_equal);
        }
        is_equal
    }

    #[inline(always)]
    fn next<const COMMON: usize>(&self, head: &mut Head, is_equal: &mut bool) -> Pick {
        let (newer, older) = (&self.newer[head.0], &self.older[head.1]);
        let (is_less, is_more) = if COMMON + 2 == K {
            let number = |key: &Key<K>| u128::from(key[COMMON]) << 64 | u128::from(key[K - 1]);
            (number(newer) < number(older), number(older) < number(newer))
        } else {
            let (mut is_less, mut is_more) = (false, false);
            for (newer, older) in newer[COMMON..].iter().zip(&older[COMMON..]).rev() {
                is_less = (newer < older) | ((newer == older) & is_less);
                is_more = (older < newer) | ((newer == older) & is_more);
            }
            (is_less, is_more)
        };
        *is_equal |= !(is_less | is_more);
        let newer = Pick::newer(self.newer_at + head.0);
        let older = Pick::older(self.older_at + head.1);
        head.0 += usize::from(is_less);
        head.1 += usize::from(!is_less);
        select_unpredictable(is_less, newer, older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sequences_are_ordered_as_a_sort_orders_them() {
        let mut state = 20_261_127_u64;
        println!("the seed is {state}");
        let mut random = |end: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) * 0x8000_0001 % end
        };
        let mut equal = 0;
        for round in 0..3000 {
            // Some keys are the highest that there are.
            let (end, offset) = ([30, 3000, 1 << 40][random(3) as usize], random(2) * u64::MAX);
            let high = [1, 3][random(2) as usize];
            let mut keys = |apart: u64| {
                let length = [1, 2, 3, 5, 40, 300][random(6) as usize];
                let key = |_| {
                    let low = apart + random(end);
                    [7, random(high), if offset > 0 { offset - low } else { low }]
                };
                let keys: std::collections::BTreeSet<Key<3>> = (0..length).map(key).collect();
                keys.into_iter().collect::<Vec<Key<3>>>()
            };
            let (newer, older) = (keys(0), keys([0, 0, 20][round % 3]));
            let mut picks = vec![Pick::older(7)];
            let taken = interleave(&newer, &older, (0, 0), &mut picks);
            assert_eq!(picks.remove(0), Pick::older(7));
            let last = newer[newer.len() - 1].min(older[older.len() - 1]);
            let mut expected: Vec<Key<3>> = newer.iter().chain(&older).copied().collect();
            expected.sort_unstable();
            expected.retain(|key| *key <= last);
            if expected.windows(2).any(|pair| pair[0] == pair[1]) {
                equal += 1;
                assert!(taken.is_none() && picks.is_empty(), "round {round}");
                continue;
            }
            let found: Vec<Key<3>> = picks.iter().map(|pick| pick.of(&newer, &older)).collect();
            assert_eq!(found, expected, "round {round}");
            let of = |keys: &[Key<3>]| keys.iter().filter(|key| **key <= last).count();
            assert_eq!(taken, Some((of(&newer), of(&older))), "round {round}");
        }
        assert!((300..2700).contains(&equal), "{equal} rounds with equal keys");
    }
}
