//! Which of many values a lane has: what an intersection asks of its larger side.
//!
//! A framed lane is asked in two passes over some values at a time, none with a branch that depends on
//! them:
//!
//! 1. The frame of each value is guessed, and the window of positions in it where its line leaves room for the
//!    value is computed. Both ends of the window are touched.
//! 2. Each window, a dozen positions, is searched by halves.
//!
//! Both are computation more than they are waiting, so processors that have vectors of eight values take eight at a
//! time ([`Wide`]).

#[cfg_attr(not(all(target_arch = "x86_64", not(miri))), path = "members/no_wide.rs")]
mod wide;

use std::hint::select_unpredictable;
use std::ops::Range;

use crate::search::{self, SEARCHED};
use crate::touch::{CACHE_LINE, touch};

use super::{FRAME_ROWS, FRAME_SIZE, FRAMED, Frame, Lane, PROGRESSION, SLOPE_FRACTION};

use wide::Wide;

/// As many lines of headers are read before the searches: about those of one search by halves.
const HEADERS_PER_VALUE: usize = 8;

/// What a value in a frame with a slope is more than the frame's base, at the most: the values of one that was
/// built rise by less than half of it, and none lies further below the line.
const ABOVE_BASE_MAX: u64 = u64::MAX >> SLOPE_FRACTION;

/// Positions of one frame, as the frame counts them: at least one.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The frame.
    number: usize,
    start: usize,
    length: usize,
}

impl Lane {
    /// Calls with each of `values` that stands in `from..to`, where the lane ascends: with its number and
    /// its position. What a lane does not tell itself is searched near a guess.
    pub(in crate::table) fn members(
        &self,
        bytes: &[u8],
        count: usize,
        (from, to): (usize, usize),
        values: &[u64],
        guess: (impl Fn(u64) -> usize, f64),
        mut found: impl FnMut(usize, usize),
    ) {
        match self.kind {
            PROGRESSION => {
                for (number, value) in values.iter().enumerate() {
                    let at = self.lower_bound(bytes, count, from, to, *value);
                    if at < to && self.progress(at) == *value {
                        found(number, at);
                    }
                }
            }
            FRAMED => {
                self.framed_members(bytes, count, (from, to), values, Wide::detect(), found);
            }
            _ => {
                let (place, bits) = (self.place as usize, usize::from(self.bits));
                let touch = |at: usize| touch(bytes, place + at * bits / 8);
                let get = |at| self.unpacked(bytes, at);
                search::members((from, to), values, guess, (touch, get), found);
            }
        }
    }

    fn framed_members(
        &self,
        bytes: &[u8],
        count: usize,
        (from, to): (usize, usize),
        values: &[u64],
        wide: Option<Wide>,
        mut found: impl FnMut(usize, usize),
    ) {
        let offset = self.place as usize;
        let data = offset + count.div_ceil(FRAME_ROWS) * FRAME_SIZE;
        let entries = bytes[offset..data].as_chunks::<FRAME_SIZE>().0;
        let (first, last) = (from / FRAME_ROWS, (to - 1) / FRAME_ROWS);
        // Every search by halves would wait for some of them in turn.
        let headers = entries[first..=last].iter().step_by(CACHE_LINE / FRAME_SIZE);
        if headers.len() <= HEADERS_PER_VALUE * values.len() {
            headers.for_each(|entry| touch(entry, 0));
        }
        let frames = Frames::new(entries, data, first, last);
        let found = |number, at: usize, place| match place {
            Place::There => found(number, at),
            Place::Before if at == from => {}
            Place::Before => {
                // Mostly it lies between the last value there and this frame's first one.
                let (value, get) = (values[number], |at| self.get(bytes, at, count));
                let last = get(at - 1);
                if last >= value {
                    let before = search::near(from, at, at - 1, |at| get(at) < value);
                    if before < at && get(before) == value {
                        found(number, before);
                    }
                }
            }
        };
        match wide {
            Some(wide) => wide.members(bytes, &frames, from..to, values, found),
            None => frames.members(bytes, from..to, values, found),
        }
    }
}

/// Where a value is that was searched in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At this position.
    There,
    /// Before it, in another frame, if anywhere: it is the first position of the frame, whose base is at most its
    /// first value.
    Before,
}

/// Whether a frame's base is not above a value. A line that values begin below may begin below zero; what is
/// asked for, timestamps, is less than 2^63.
#[inline]
fn is_at_most(base: u64, value: u64) -> bool {
    base as i64 <= value as i64
}

/// Neighbouring frames of a lane that ascends there.
struct Frames<'a> {
    entries: &'a [[u8; FRAME_SIZE]],
    /// Where the residuals of all frames begin.
    data: usize,
    first: usize,
    last: usize,
    /// The base of the first.
    base: u64,
    /// Frames per number, times 2^64.
    density: u64,
}

impl<'a> Frames<'a> {
    fn new(entries: &'a [[u8; FRAME_SIZE]], data: usize, first: usize, last: usize) -> Self {
        let base = Frame::of(&entries[first]).base;
        let span = Frame::of(&entries[last]).base.wrapping_sub(base);
        let density = (last - first) as f64 / span.max(1) as f64 * (u64::MAX as f64);
        Frames { entries, data, first, last, base, density: density as u64 }
    }

    /// Calls with each of `values` that is at one of `positions`, or perhaps before: with its number and the position.
    fn members(
        &self,
        bytes: &[u8],
        positions: Range<usize>,
        values: &[u64],
        mut found: impl FnMut(usize, usize, Place),
    ) {
        let mut windows = [Window::default(); SEARCHED];
        for (values, begin) in values.chunks(SEARCHED).zip((0..).step_by(SEARCHED)) {
            for (window, value) in windows.iter_mut().zip(values) {
                let number = self.of_value(*value);
                let frame = Frame::of(&self.entries[number]);
                *window = frame.window(number, (positions.start, positions.end), *value);
                touch(bytes, frame.place_of(self.data, window.start));
                touch(bytes, frame.place_of(self.data, window.start + window.length - 1));
            }
            for (number, (&value, window)) in values.iter().zip(&windows).enumerate() {
                let Window { number: frame_number, start: mut i, mut length } = *window;
                let frame = Frame::of(&self.entries[frame_number]);
                let wanted = value.wrapping_sub(frame.base);
                while length > 1 {
                    let half = length / 2;
                    let is_before = frame.above_base(bytes, self.data, i + half - 1) < wanted;
                    i = select_unpredictable(is_before, i + half, i);
                    length -= half;
                }
                let near = frame.get(bytes, self.data, i);
                let at = frame_number * FRAME_ROWS + i;
                if near == value {
                    found(begin + number, at, Place::There);
                } else if near > value && i == 0 {
                    found(begin + number, at, Place::Before);
                }
            }
        }
    }

    #[inline(always)]
    fn begins_at_or_below(&self, number: usize, value: u64) -> bool {
        is_at_most(Frame::of(&self.entries[number]).base, value)
    }

    /// The last frame that begins at or below `value`; the first if none does. Where values are spread evenly it
    /// is next to a guess: the frames there tell which it is, and whether it is.
    #[inline(always)]
    fn of_value(&self, value: u64) -> usize {
        let above = match is_at_most(self.base, value) {
            true => value.wrapping_sub(self.base),
            false => 0,
        };
        let guess = (u128::from(above) * u128::from(self.density)) >> 64;
        let guess = self.first.saturating_add(guess as usize).min(self.last);
        let behind = (guess + 1).min(self.last);
        let below = usize::from(self.begins_at_or_below(guess, value))
            + usize::from(self.begins_at_or_below(behind, value));
        let number = (guess + below).saturating_sub(1).clamp(self.first, self.last);
        let begins = number == self.first || self.begins_at_or_below(number, value);
        let ends = number == self.last || !self.begins_at_or_below(number + 1, value);
        if begins && ends { number } else { self.by_halves(value) }
    }

    #[cold]
    #[inline(never)]
    fn by_halves(&self, value: u64) -> usize {
        let (mut number, mut length) = (self.first, self.last + 1 - self.first);
        while length > 1 {
            let half = length / 2;
            let begins_below = self.begins_at_or_below(number + half, value);
            number = select_unpredictable(begins_below, number + half, number);
            length -= half;
        }
        number
    }
}

impl Frame {
    /// The positions of this frame, and within `from..to`, at which `value` can be: where the line and the
    /// widest residual leave room for it. They have one position more at both ends.
    #[inline]
    fn window(&self, number: usize, (from, to): (usize, usize), value: u64) -> Window {
        let begin = number * FRAME_ROWS;
        let (start, end) = (from.saturating_sub(begin), (to - begin).min(FRAME_ROWS));
        if self.slope == 0 || self.bits == 64 {
            return Window { number, start, length: end - start };
        }
        let spread = u64::MAX.checked_shr(64 - u32::from(self.bits)).unwrap_or(0);
        // Below the base, or above all values: any window will do.
        let above = value.wrapping_sub(self.base);
        let above = select_unpredictable(above <= ABOVE_BASE_MAX, above, 0);
        let slope = u64::from(self.slope);
        let steps = |rise: u64| {
            let steps = (rise << SLOPE_FRACTION >> self.exponent) / slope;
            steps.min(FRAME_ROWS as u64) as usize
        };
        let low = steps(select_unpredictable(above < spread, 0, above.wrapping_sub(spread)));
        let high = steps((above + (1 << self.exponent)).min(ABOVE_BASE_MAX));
        let low = low.saturating_sub(1).clamp(start, end - 1);
        let high = (high + 2).clamp(low + 1, end);
        Window { number, start: low, length: high - low }
    }

    /// Where the residual of value `i` lies.
    #[inline]
    fn place_of(&self, data: usize, i: usize) -> usize {
        data + self.at + i * usize::from(self.bits) / 8
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DESCRIPTOR_SIZE, LanePlan, SLACK};
    use super::*;

    fn lane(values: &[u64]) -> (Lane, Vec<u8>) {
        let mut plan = LanePlan::default();
        plan.clear();
        for frame in values.chunks(FRAME_ROWS) {
            let stats = plan.look(frame);
            plan.take(&stats, frame[frame.len() - 1], frame.len());
        }
        let mut bytes = vec![0; DESCRIPTOR_SIZE];
        plan.write(values, &mut bytes, 0);
        bytes.resize(bytes.len() + SLACK, 0);
        let (lane, _) =
            Lane::parse(&bytes, 0, DESCRIPTOR_SIZE, values.len()).expect("a lane that was built");
        (lane, bytes)
    }

    /// The members of a lane, in the order of their numbers: eight at a time, if this processor can, or one by one.
    fn members(
        lane: &Lane,
        (bytes, values): (&[u8], &[u64]),
        range: (usize, usize),
        wanted: &[u64],
        is_wide: bool,
    ) -> Vec<(usize, usize)> {
        let mut members = Vec::new();
        let found = |number, at| members.push((number, at));
        let count = values.len();
        match lane.kind {
            FRAMED => {
                let wide = Wide::detect().filter(|_| is_wide);
                lane.framed_members(bytes, count, range, wanted, wide, found);
            }
            _ => lane.members(bytes, count, range, wanted, (|_| range.0, 0.0), found),
        }
        members.sort_unstable();
        members
    }

    fn mixed(number: u64) -> u64 {
        (number ^ (number >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }

    /// Lanes of every kind, whole and in part, and ranges within larger lanes, whose first and last frames have
    /// values of other keys in them.
    #[test]
    fn members_of_a_lane_are_those_that_a_search_by_halves_finds() {
        let even: Vec<u64> = (0..1_000).map(|n| 3 * n + 7).collect();
        let spread_from = |start: u64, seed: u64, step: u64| -> Vec<u64> {
            let next = |at: &mut u64, n| {
                *at += 1 + mixed(n + seed) % step;
                Some(*at)
            };
            (0..1_500).scan(start, next).collect()
        };
        let spread = |seed, step| spread_from(1 << 40, seed, step);
        let bursts: Vec<u64> = (0..1_500)
            .scan(5, |at, n| {
                *at += if n % 90 == 0 { 1 << 33 } else { 1 };
                Some(*at)
            })
            .collect();
        let squares: Vec<u64> = (0..1_500).map(|n| n * n).collect();
        let huge: Vec<u64> = (0..300).map(|n| n << 54).collect();
        // The last value lies 2^55 and a quarter above the base of its frame.
        let steep: Vec<u64> = (0..128).map(|n| n * n * (((1 << 55) - 1) / (127 * 127))).collect();
        let below_zero = spread_from(0, 4, 200);
        // The line of the second frame begins far below the first frame, whose base is above zero.
        let sinking: Vec<u64> =
            (1..256).chain([1 << 20]).chain((0..300).map(|n| (2 << 20) + 90 * n)).collect();
        let (dense, sparse, wide) = (spread(1, 2), spread(2, 200), spread(3, 1 << 40));
        let lanes = [even, dense, sparse, wide, below_zero, sinking, bursts, squares, steep, huge];
        let mut kinds = [0; 3];
        let mut begin_below_zero = [false; 2];
        for ascending in &lanes {
            // As they are, and between other values, not aligned to frames.
            for (before, behind) in [(0, 0), (70, 100), (300, 1)] {
                let around = |n: usize| (0..n as u64).map(mixed).collect::<Vec<u64>>();
                let values = [around(before), ascending.clone(), around(behind)].concat();
                let (from, to) = (before, before + ascending.len());
                let (lane, bytes) = lane(&values);
                kinds[usize::from(lane.kind)] += 1;
                if lane.kind == FRAMED {
                    for (number, begins_below_zero) in begin_below_zero.iter_mut().enumerate() {
                        let at = (number * FRAME_ROWS).min(values.len() - 1);
                        *begins_below_zero |=
                            lane.frame(&bytes, at, values.len()).0.base >> 63 == 1;
                    }
                }
                let beside = |value: &u64| [value.saturating_sub(1), *value, value + 1];
                let mut wanted: Vec<u64> = ascending.iter().flat_map(beside).collect();
                wanted.extend([0, u64::MAX]);
                for descends in [false, true] {
                    if descends {
                        wanted.reverse();
                    }
                    let find = |(number, value): (usize, &u64)| {
                        Some((number, from + ascending.binary_search(value).ok()?))
                    };
                    let expected: Vec<_> = wanted.iter().enumerate().filter_map(find).collect();
                    for is_wide in [true, false] {
                        let members =
                            members(&lane, (&bytes, &values), (from, to), &wanted, is_wide);
                        assert_eq!(members, expected, "{ascending:?} behind {before} others");
                    }
                }
            }
        }
        assert!(kinds.iter().all(|lanes| *lanes > 0), "progression, packed, framed: {kinds:?}");
        assert_eq!(begin_below_zero, [true; 2], "the line of a frame begins below zero");
    }

    /// Of values that do not ascend, as in forged blocks, the answer is some of them, at their positions.
    #[test]
    fn values_that_do_not_ascend_are_asked_to_an_end() {
        let values: Vec<u64> = (0..1_000).map(mixed).collect();
        for shift in [0, 20, 33] {
            let values: Vec<u64> = values.iter().map(|value| value << shift).collect();
            let (lane, bytes) = lane(&values);
            for is_wide in [true, false] {
                let members = members(&lane, (&bytes, &values), (10, 990), &values, is_wide);
                assert!(members.iter().all(|(number, at)| values[*number] == values[*at]));
            }
        }
    }

    /// Forged: bases a step apart, as low as any, and values as high as any. The guess was beyond all numbers, and
    /// the number of the first frame was added to it.
    #[test]
    fn frames_that_begin_as_low_as_any_are_asked_for_values_as_high_as_any() {
        let values: Vec<u64> = (0..1_000).map(|n| n * 100 + mixed(n) % 100).collect();
        let (lane, mut bytes) = lane(&values);
        assert_eq!(lane.kind, FRAMED);
        let entries = lane.place as usize;
        let last = values.len().div_ceil(FRAME_ROWS) - 1;
        for number in 0..=last {
            let base = (1 << 63) + u64::from(number == last);
            bytes[entries + number * FRAME_SIZE..][..8].copy_from_slice(&base.to_le_bytes());
        }
        let wanted = [0, 5, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX];
        for is_wide in [true, false] {
            for (number, at) in members(&lane, (&bytes, &values), (300, 990), &wanted, is_wide) {
                assert_eq!(wanted[number], lane.get(&bytes, at, values.len()));
            }
        }
    }

    /// Vectors of eight, and what is left over of them: every number of values.
    #[test]
    fn as_few_members_are_found_as_are_asked_for() {
        let values: Vec<u64> = (0..2_000).map(|n| n * 100 + mixed(n) % 100).collect();
        let (lane, bytes) = lane(&values);
        assert_eq!(lane.kind, FRAMED);
        for count in 0..=70 {
            let wanted = &values[700..700 + count];
            for is_wide in [true, false] {
                let members = members(&lane, (&bytes, &values), (300, 1_990), wanted, is_wide);
                let expected = (0..count).map(|number| (number, 700 + number));
                assert!(members.into_iter().eq(expected), "{count} of them");
            }
        }
    }

    /// Forged: bases and lines of any kind. Where bases ascend there is one frame for each value, and both search it
    /// alike.
    #[test]
    fn frames_of_any_bytes_are_asked_to_an_end_by_eights_and_one_by_one() {
        let values: Vec<u64> = (0..1_000).map(|n| n * 100 + mixed(n) % 100).collect();
        let (mut read, mut ascending) = (0, 0);
        for seed in 0..5_000 {
            let (lane, mut bytes) = lane(&values);
            let entries = lane.place as usize;
            for n in 0..1 + seed % 4 {
                let at = entries + mixed(seed * 8 + n) as usize % (8 * FRAME_SIZE);
                bytes[at] = mixed(seed * 8 + n + 4) as u8;
            }
            let parsed = Lane::parse(&bytes, 0, DESCRIPTOR_SIZE, values.len());
            let Ok((lane, _)) = parsed else { continue };
            read += 1;
            let mut both = [true, false]
                .map(|is_wide| members(&lane, (&bytes, &values), (10, 990), &values, is_wide));
            both.iter().flatten().for_each(|(number, at)| {
                assert_eq!(values[*number], lane.get(&bytes, *at, values.len()), "seed {seed}");
            });
            both.iter_mut().for_each(|members| members.sort_unstable());
            let last = values.len().div_ceil(FRAME_ROWS) - 1;
            let base = |number: usize| lane.frame(&bytes, number * FRAME_ROWS, values.len()).0.base;
            if (1..=last).all(|number| is_at_most(base(number - 1), base(number))) {
                ascending += 1;
                assert_eq!(both[0], both[1], "seed {seed}");
            }
        }
        assert!(
            read > 500 && ascending > 200,
            "{read} of these blocks can be read, {ascending} ascend"
        );
    }
}
