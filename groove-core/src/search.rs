//! Searches in sequences that ascend, by positions. What ascends is read by a function, one value at a
//! time: a packed lane, a column of keys.
//!
//! If the values do not ascend, as in forged blocks, the answer is some position of the range.

use std::hint::select_unpredictable;

/// The first step away from a guess.
const NEAR: usize = 8;
/// Numbers per value up to which a sequence is dense.
const DENSE: u64 = 4;
/// The middle of values that are spread evenly is off by less than this part of them.
const EVEN: u64 = 16;
/// Guesses before the rest is searched in steps that double.
const GUESSES: usize = 3;
/// A sequence is few beside one that is more than so many times as long.
const FEW: usize = 8;
/// Lengths from which on guesses are less than halves.
const GUESSED_LENGTH_MIN: usize = 16;

/// The first position in `from..to` that `is_before` denies, by halves; `to` if there is none. For long
/// sequences: the processor goes ahead on a guess while it waits for memory.
#[inline]
pub(crate) fn by_halves(from: usize, to: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// As [`by_halves`], for the few that are left near a guess: they are at hand, and which half it is
/// cannot be predicted.
#[inline]
fn among_few(from: usize, to: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut length) = (from, to - from);
    if length == 0 {
        return from;
    }
    while length > 1 {
        let half = length / 2;
        low = select_unpredictable(is_before(low + half - 1), low + half, low);
        length -= half;
    }
    low + usize::from(is_before(low))
}

/// The first position in `from..to` that `is_before` denies; `to` if there is none. In steps that
/// double, from the beginning on and `step` at first: the cost is the logarithm of how far it is.
#[inline]
pub(crate) fn gallop(
    from: usize,
    to: usize,
    step: usize,
    is_before: impl Fn(usize) -> bool,
) -> usize {
    let (mut low, mut step) = (from, step);
    while step <= to - low && is_before(low + step - 1) {
        low += step;
        step *= 2;
    }
    among_few(low, to.min(low + step - 1), is_before)
}

/// As [`gallop`], from the end on.
#[inline]
pub(crate) fn gallop_back(
    from: usize,
    to: usize,
    step: usize,
    is_before: impl Fn(usize) -> bool,
) -> usize {
    let (mut high, mut step) = (to, step);
    while step <= high - from && !is_before(high - step) {
        high -= step;
        step *= 2;
    }
    among_few(from.max((high + 1).saturating_sub(step)), high, is_before)
}

/// The first position in `from..to` that `is_before` denies; `to` if there is none. In steps that
/// double, away from a guess in that range.
#[inline]
pub(crate) fn near(
    from: usize,
    to: usize,
    guess: usize,
    is_before: impl Fn(usize) -> bool,
) -> usize {
    nearer(from, to, guess, NEAR, is_before)
}

/// As [`near`]; the first step is `step`.
#[inline]
pub(crate) fn nearer(
    from: usize,
    to: usize,
    guess: usize,
    step: usize,
    is_before: impl Fn(usize) -> bool,
) -> usize {
    match is_before(guess) {
        true => gallop(guess + 1, to, step, is_before),
        false => gallop_back(from, guess, step, is_before),
    }
}

/// Where in `from..to` a value is likely to be, if the values are spread evenly: the middle is where it would be
/// then. `None` if they are not, or few.
#[inline]
pub(crate) fn even_guess(
    from: usize,
    to: usize,
    value: u64,
    get: impl Fn(usize) -> u64,
) -> Option<usize> {
    if to - from < GUESSED_LENGTH_MIN {
        return None;
    }
    let (first, last) = (get(from), get(to - 1));
    let spread = last.saturating_sub(first);
    let off = (first.saturating_add(spread / 2)).abs_diff(get(from.midpoint(to)));
    if off >= spread / EVEN {
        return None;
    }
    let share = value.saturating_sub(first) as f64 / spread as f64;
    Some(from + ((share * (to - from) as f64) as usize).min(to - from - 1))
}

/// Values that are searched together: what was touched for them is still in the processor's cache when it
/// is read.
pub(crate) const SEARCHED: usize = 32;

/// Calls with each of `values` that stands in `from..to`, where values ascend: with its number and its position.
/// Near a guess each; `density` is how many there are per number. The places of many guesses are touched before
/// the first search, and what stands there makes better ones.
#[inline]
pub(crate) fn members(
    (from, to): (usize, usize),
    values: &[u64],
    (guess, density): (impl Fn(u64) -> usize, f64),
    (touch, get): (impl Fn(usize), impl Fn(usize) -> u64),
    mut found: impl FnMut(usize, usize),
) {
    let mut guesses = [0; SEARCHED];
    for (values, first) in values.chunks(SEARCHED).zip((0..).step_by(SEARCHED)) {
        for (at, value) in guesses.iter_mut().zip(values) {
            *at = guess(*value).clamp(from, to - 1);
            touch(*at);
        }
        for (at, value) in guesses.iter_mut().zip(values) {
            let off = (value.wrapping_sub(get(*at)) as i64 as f64 * density) as isize;
            *at = at.saturating_add_signed(off).clamp(from, to - 1);
            for at in [from.max(at.saturating_sub(NEAR)), *at, (to - 1).min(*at + NEAR)] {
                touch(at);
            }
        }
        for (number, (value, guess)) in values.iter().zip(guesses).enumerate() {
            let at = near(from, to, guess, |at| get(at) < *value);
            if at < to && get(at) == *value {
                found(first + number, at);
            }
        }
    }
}

/// Calls with the numbers of each two values that two ascending sequences have in common. The first one has
/// `count` values, the other `others`.
///
/// If the others are few each of them is searched among the first ones, behind the one before. Else both are gone
/// through; which of them goes on is computed, without a branch that could be guessed wrong.
#[inline]
pub(crate) fn common(
    (count, get): (usize, impl Fn(usize) -> u64),
    (others, get_other): (usize, impl Fn(usize) -> u64),
    mut found: impl FnMut(usize, usize),
) {
    let (mut number, mut other) = (0, 0);
    if others * FEW < count {
        while number < count && other < others {
            let value = get_other(other);
            number = gallop(number, count, 1, |number| get(number) < value);
            if number < count && get(number) == value {
                found(number, other);
            }
            other += 1;
        }
        return;
    }
    while number < count && other < others {
        let (one, value) = (get(number), get_other(other));
        if one == value {
            found(number, other);
        }
        number += usize::from(one <= value);
        other += usize::from(value <= one);
    }
}

/// The first position in `from..to` whose value is at least `value`; `to` if there is none. By guesses if
/// most numbers between the first and the last value are there, as in dense ids; else by halves.
#[inline]
pub(crate) fn lower_bound(from: usize, to: usize, value: u64, get: impl Fn(usize) -> u64) -> usize {
    match is_dense(from, to, &get) {
        true => by_guesses(from, to, value, get),
        false => by_halves(from, to, |at| get(at) < value),
    }
}

/// Whether most numbers between the first and the last value of `from..to` are there.
#[inline]
pub(crate) fn is_dense(from: usize, to: usize, get: impl Fn(usize) -> u64) -> bool {
    let length = to - from;
    length >= GUESSED_LENGTH_MIN && get(to - 1).wrapping_sub(get(from)) / DENSE <= length as u64
}

/// The first position in `from..to` whose value is at least `value`; `to` if there is none.
///
/// If values are spread evenly, a guess by the values around is near: it saves most of a search by
/// halves, whose every step is a cache miss in a long sequence. If they are not, a few steps are lost.
#[inline]
pub(crate) fn by_guesses(from: usize, to: usize, value: u64, get: impl Fn(usize) -> u64) -> usize {
    if to - from < GUESSED_LENGTH_MIN {
        return by_halves(from, to, |at| get(at) < value);
    }
    let (mut first, mut last) = (get(from), get(to - 1));
    if value <= first {
        return from;
    }
    if value > last {
        return to;
    }
    // Between a value that is less and one that is not.
    let (mut low, mut high) = (from + 1, to - 1);
    let mut risen = true;
    for _ in 0..GUESSES {
        if high - low < GUESSED_LENGTH_MIN {
            break;
        }
        let share = (value - first) as f64 / (last - first) as f64;
        let guess =
            (low - 1 + (share * (high - low + 1) as f64 + 0.5) as usize).clamp(low, high - 1);
        let found = get(guess);
        if found == value && get(guess - 1) < value {
            return guess;
        }
        risen = found < value;
        if risen {
            (low, first) = (guess + 1, found);
        } else {
            (high, last) = (guess, found);
        }
    }
    let is_before = |at| get(at) < value;
    match risen {
        true => gallop(low, high, NEAR, is_before),
        false => gallop_back(low, high, NEAR, is_before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread, with gaps, all in one corner, and equal ones: a guess must never change the
    /// answer.
    #[test]
    fn every_search_finds_what_a_search_by_halves_finds() {
        let even: Vec<u64> = (1..500).collect();
        let gaps: Vec<u64> = (1..500).map(|n| n * n * n).collect();
        let corner: Vec<u64> = (1..400).chain([1 << 40, u64::MAX - 1, u64::MAX]).collect();
        let equal: Vec<u64> = (0..300).map(|n| n / 40 * 7).collect();
        let few: Vec<u64> = (0..17).collect();
        for values in [even, gaps, corner, equal, vec![9; 100], few, vec![7], Vec::new()] {
            let beside = values.iter().flat_map(|n| [n.wrapping_sub(1), *n, n.wrapping_add(1)]);
            for value in beside.chain([0, u64::MAX, 1 << 39]) {
                for (from, to) in [(0, values.len()), (values.len() / 3, values.len() * 2 / 3)] {
                    let expected = from + values[from..to].partition_point(|other| *other < value);
                    let is_before = |at: usize| values[at] < value;
                    let found = [
                        lower_bound(from, to, value, |at| values[at]),
                        by_guesses(from, to, value, |at| values[at]),
                        gallop(from, to, 1, is_before),
                        gallop_back(from, to, 3, is_before),
                        by_halves(from, to, is_before),
                    ];
                    assert_eq!(found, [expected; 5], "{value} in {from}..{to} of {values:?}");
                    let even = even_guess(from, to, value, |at| values[at]);
                    for guess in (from..to).step_by(17).chain(even) {
                        let found = near(from, to, guess, is_before);
                        assert_eq!(found, expected, "{value} in {from}..{to} from {guess} on");
                    }
                }
            }
        }
    }

    #[test]
    fn what_two_sequences_have_in_common_is_what_each_has_of_the_other() {
        let values: Vec<u64> = (0..300).map(|n| n * n / 3 + 5 * n).collect();
        let of_step = |step: usize| (0..40_000).step_by(step).collect::<Vec<u64>>();
        let some: Vec<u64> = values.iter().copied().step_by(60).chain([u64::MAX]).collect();
        for others in [of_step(1), of_step(90), of_step(900), of_step(30_000), some, Vec::new()] {
            for (one, other) in [(&values, &others), (&others, &values)] {
                let mut common = Vec::new();
                let found = |number, at| common.push((number, at));
                super::common((one.len(), |at| one[at]), (other.len(), |at| other[at]), found);
                let find = |(at, value): (usize, &u64)| Some((one.binary_search(value).ok()?, at));
                let expected: Vec<_> = other.iter().enumerate().filter_map(find).collect();
                assert_eq!(common, expected);
            }
        }
    }

    /// As candidates from forged blocks: there is an end, and what is found is found in order.
    #[test]
    fn sequences_that_do_not_ascend_are_gone_through_once() {
        let mixed = |count: u64| (0..count).map(|n| n * 7 % 64).collect::<Vec<u64>>();
        for (one, other) in [(mixed(200), mixed(150)), (mixed(200), mixed(9))] {
            let mut common = Vec::new();
            let found = |number, at| common.push((number, at));
            super::common((one.len(), |at| one[at]), (other.len(), |at| other[at]), found);
            assert!(common.is_sorted() && common.contains(&(0, 0)), "{common:?}");
        }
    }

    #[test]
    fn members_are_those_that_a_search_by_halves_finds() {
        let values: Vec<u64> = (0..900).map(|n| n * n / 3 + 5 * n).collect();
        let wanted: Vec<u64> = (0..400_000).step_by(11).collect();
        for (guess, density) in [(0, 0.0), (450, 0.003), (450, f64::NAN), (usize::MAX, 1e300)] {
            let (from, to) = (100, 850);
            let mut members = Vec::new();
            self::members(
                (from, to),
                &wanted,
                (|_| guess, density),
                (|_| {}, |at| values[at]),
                |which, at| members.push((which, at)),
            );
            let find =
                |(which, value)| Some((which, from + values[from..to].binary_search(value).ok()?));
            let expected: Vec<_> = wanted.iter().enumerate().filter_map(find).collect();
            assert_eq!(members, expected);
        }
    }

    #[test]
    fn values_that_do_not_ascend_are_searched_to_an_end_within_the_range() {
        let values: Vec<u64> =
            (0..200_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        for value in &values {
            let found = by_guesses(20, 180, *value, |at| values[at]);
            assert!((20..=180).contains(&found), "{found}");
        }
    }
}
