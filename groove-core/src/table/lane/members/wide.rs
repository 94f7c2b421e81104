//! Eight values at a time, on processors with AVX-512.
//!
//! The steps are those for one value ([`Frames::members`]); what one computes stands in one of eight places of a
//! vector. All that is read of a block is read by [`gather`], which leaves out what lies elsewhere, and what is rare is
//! left to the functions for one value.
#![expect(unsafe_code, reason = "not every processor can run it, and vectors are read from memory")]

use std::arch::x86_64::*;
use std::array;
use std::ops::Range;

use crate::touch::touch;

use super::{
    super::FRAME_UNIT, ABOVE_BASE_MAX, FRAME_ROWS, FRAME_SIZE, Frames, Place, SEARCHED,
    SLOPE_FRACTION,
};

/// Values in a vector.
const WIDTH: usize = 8;

/// Only processors that can do it have one.
#[derive(Clone, Copy)]
pub(super) struct Wide(());

impl Wide {
    #[inline]
    pub(super) fn detect() -> Option<Wide> {
        let can = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
        can.then_some(Wide(()))
    }

    /// As [`Frames::members`].
    pub(super) fn members(
        self,
        bytes: &[u8],
        frames: &Frames<'_>,
        positions: Range<usize>,
        values: &[u64],
        found: impl FnMut(usize, usize, Place),
    ) {
        // SAFETY: who has a `Wide` got it from `detect`, which found that the processor has both features.
        unsafe { members(bytes, frames, positions, values, found) };
    }
}

#[target_feature(enable = "avx512f,avx512dq")]
fn members(
    bytes: &[u8],
    frames: &Frames<'_>,
    positions: Range<usize>,
    values: &[u64],
    mut found: impl FnMut(usize, usize, Place),
) {
    let mut windows = [Windows::none(); SEARCHED / WIDTH];
    for (values, begin) in values.chunks(SEARCHED).zip((0..).step_by(SEARCHED)) {
        let vectors = values.chunks(WIDTH);
        for (windows, values) in windows.iter_mut().zip(vectors.clone()) {
            *windows = Windows::of(frames, &positions, values);
            windows.touch(bytes);
        }
        for (windows, begin) in windows[..vectors.len()].iter().zip((begin..).step_by(WIDTH)) {
            windows.search(bytes, |number, at, place| found(begin + number, at, place));
        }
    }
}

/// Up to eight values, and where each is searched.
#[derive(Clone, Copy)]
struct Windows {
    value: __m512i,
    /// Which places of the vectors stand for a value.
    used: __mmask8,
    frame: FrameOfEach,
    /// The first position of its frame.
    begin: __m512i,
    /// Where in the frame the window begins.
    start: __m512i,
    length: __m512i,
}

/// As [`super::Frame`], of eight.
#[derive(Clone, Copy)]
struct FrameOfEach {
    base: __m512i,
    slope: __m512i,
    exponent: __m512i,
    bits: __m512i,
    /// Where its residuals begin.
    place: __m512i,
}

impl Windows {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn none() -> Windows {
        let zero = _mm512_setzero_si512();
        let frame =
            FrameOfEach { base: zero, slope: zero, exponent: zero, bits: zero, place: zero };
        Windows { value: zero, used: 0, frame, begin: zero, start: zero, length: zero }
    }

    /// As [`super::Frame::window`].
    #[target_feature(enable = "avx512f,avx512dq")]
    #[inline]
    fn of(frames: &Frames<'_>, positions: &Range<usize>, values: &[u64]) -> Windows {
        let (zero, one) = (_mm512_setzero_si512(), all(1));
        let (value, used) = match values.first_chunk::<WIDTH>() {
            Some(values) => (bytemuck::cast(*values), __mmask8::MAX),
            // Places that are left over repeat the last one, which is looked for anyway.
            None => {
                let last = values.len() - 1;
                let values: [u64; WIDTH] = array::from_fn(|at| values[at.min(last)]);
                (bytemuck::cast(values), __mmask8::MAX >> (WIDTH - 1 - last))
            }
        };
        let number = frames.of_each(value);
        let frame = FrameOfEach::of(frames, number);
        let begin = _mm512_slli_epi64::<{ FRAME_ROWS.trailing_zeros() }>(number);
        let start = _mm512_max_epi64(_mm512_sub_epi64(all(positions.start as u64), begin), zero);
        let end = _mm512_sub_epi64(all(positions.end as u64), begin);
        let end = _mm512_min_epu64(end, all(FRAME_ROWS as u64));

        let spread = frame.spread();
        let above = _mm512_sub_epi64(value, frame.base);
        let is_above = _mm512_cmple_epu64_mask(above, all(ABOVE_BASE_MAX));
        let above = _mm512_maskz_mov_epi64(is_above, above);
        let low = frame.steps(_mm512_sub_epi64(_mm512_max_epu64(above, spread), spread));
        let high = _mm512_add_epi64(above, _mm512_sllv_epi64(one, frame.exponent));
        let high = frame.steps(_mm512_min_epu64(high, all(ABOVE_BASE_MAX)));
        let low = less_one(low);
        let low = _mm512_min_epu64(_mm512_max_epu64(low, start), _mm512_sub_epi64(end, one));
        let high = _mm512_min_epu64(_mm512_add_epi64(high, all(2)), end);
        let high = _mm512_max_epu64(high, _mm512_add_epi64(low, one));

        let has_no_line = _mm512_cmpeq_epu64_mask(frame.slope, zero)
            | _mm512_cmpeq_epu64_mask(frame.bits, all(64));
        let start = _mm512_mask_mov_epi64(low, has_no_line, start);
        let end = _mm512_mask_mov_epi64(high, has_no_line, end);
        Windows { value, used, frame, begin, start, length: _mm512_sub_epi64(end, start) }
    }

    /// Touches both ends of each.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn touch(&self, bytes: &[u8]) {
        let last = less_one(_mm512_add_epi64(self.start, self.length));
        for position in [self.start, last] {
            let places: [u64; WIDTH] = bytemuck::cast(self.frame.place_of(position).0);
            places.into_iter().for_each(|place| touch(bytes, place as usize));
        }
    }

    /// Searches all by halves.
    #[target_feature(enable = "avx512f,avx512dq")]
    #[inline]
    fn search(&self, bytes: &[u8], mut found: impl FnMut(usize, usize, Place)) {
        let wanted = _mm512_sub_epi64(self.value, self.frame.base);
        let (mut at, mut length) = (self.start, self.length);
        // As often as the longest takes. A window of one position stays what it is.
        let longest = _mm512_reduce_max_epu64(length);
        for _ in 0..longest.next_power_of_two().trailing_zeros() {
            let half = _mm512_srli_epi64::<1>(length);
            let second = _mm512_add_epi64(at, half);
            let above = self.frame.above_base(bytes, less_one(second));
            let is_before = _mm512_cmplt_epu64_mask(above, wanted);
            at = _mm512_mask_mov_epi64(at, is_before, second);
            length = _mm512_sub_epi64(length, half);
        }
        let near = _mm512_add_epi64(self.frame.base, self.frame.above_base(bytes, at));
        let is_there = self.used & _mm512_cmpeq_epu64_mask(near, self.value);
        let is_beyond = self.used & _mm512_cmpgt_epu64_mask(near, self.value);
        let is_before = is_beyond & _mm512_cmpeq_epu64_mask(at, _mm512_setzero_si512());
        if is_there | is_before == 0 {
            return;
        }
        let at: [u64; WIDTH] = bytemuck::cast(_mm512_add_epi64(self.begin, at));
        for (number, at) in at.into_iter().enumerate() {
            if is_there >> number & 1 == 1 {
                found(number, at as usize, Place::There);
            } else if is_before >> number & 1 == 1 {
                found(number, at as usize, Place::Before);
            }
        }
    }
}

impl FrameOfEach {
    /// As [`super::Frame::of`].
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn of(frames: &Frames<'_>, number: __m512i) -> FrameOfEach {
        let base = frames.base_of(number);
        let header = frames.word_of::<8>(number);
        let slope = _mm512_and_si512(header, all(u64::from(u32::MAX)));
        let place = _mm512_srli_epi64::<32>(header);
        let exponent = _mm512_and_si512(_mm512_srli_epi64::<20>(place), all(31));
        let bits = _mm512_srli_epi64::<25>(place);
        let at = _mm512_and_si512(place, all(0xf_ffff));
        let at = _mm512_slli_epi64::<{ FRAME_UNIT.trailing_zeros() }>(at);
        let place = _mm512_add_epi64(at, all(frames.data as u64));
        FrameOfEach { base, slope, exponent, bits, place }
    }

    /// The widest residual. A shift by 64 gives 0.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn spread(&self) -> __m512i {
        _mm512_srlv_epi64(all(u64::MAX), _mm512_sub_epi64(all(64), self.bits))
    }

    /// At which position the line has risen so far; at most the length of a frame.
    ///
    /// A quotient of doubles, and yet that of integers: one of at most 128, by a divisor of 32 bits, is not so near
    /// to the next integer that a double is rounded to it, and greater ones are cut.
    #[target_feature(enable = "avx512f,avx512dq")]
    #[inline]
    fn steps(&self, rise: __m512i) -> __m512i {
        let rise = _mm512_srlv_epi64(_mm512_slli_epi64::<SLOPE_FRACTION>(rise), self.exponent);
        let steps = _mm512_div_pd(_mm512_cvtepu64_pd(rise), _mm512_cvtepu64_pd(self.slope));
        _mm512_min_epu64(_mm512_cvttpd_epu64(steps), all(FRAME_ROWS as u64))
    }

    /// The byte in which the residual of the value at a position begins, and its first bit there.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn place_of(&self, position: __m512i) -> (__m512i, __m512i) {
        let bit = _mm512_mul_epu32(position, self.bits);
        let place = _mm512_add_epi64(self.place, _mm512_srli_epi64::<3>(bit));
        (place, _mm512_and_si512(bit, all(7)))
    }

    /// As [`super::Frame::above_base`].
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn above_base(&self, bytes: &[u8], position: __m512i) -> __m512i {
        let (place, bit) = self.place_of(position);
        let word = _mm512_srlv_epi64(gather(bytes, place), bit);
        let residual = _mm512_and_si512(word, self.spread());
        let line = _mm512_sllv_epi64(_mm512_mul_epu32(self.slope, position), self.exponent);
        _mm512_add_epi64(_mm512_srli_epi64::<SLOPE_FRACTION>(line), residual)
    }
}

impl Frames<'_> {
    /// As [`Frames::of_value`], of eight.
    #[target_feature(enable = "avx512f,avx512dq")]
    #[inline]
    fn of_each(&self, value: __m512i) -> __m512i {
        let (one, first, last) = (all(1), all(self.first as u64), all(self.last as u64));
        let base = all(self.base);
        let above = _mm512_sub_epi64(_mm512_max_epi64(value, base), base);
        let per_value = self.density as f64 / u64::MAX as f64;
        let guess = _mm512_mul_pd(_mm512_cvtepu64_pd(above), _mm512_set1_pd(per_value));
        let guess = _mm512_min_epu64(_mm512_cvttpd_epu64(guess), _mm512_sub_epi64(last, first));
        let guess = _mm512_add_epi64(first, guess);
        let next = |number| _mm512_min_epu64(_mm512_add_epi64(number, one), last);
        let begins = |number| _mm512_cmple_epi64_mask(self.base_of(number), value);
        let number = _mm512_mask_add_epi64(guess, begins(guess), guess, one);
        let number = _mm512_mask_add_epi64(number, begins(next(guess)), number, one);
        let number = _mm512_min_epu64(_mm512_max_epu64(less_one(number), first), last);
        let has_begun = _mm512_cmpeq_epu64_mask(number, first) | begins(number);
        let goes_on = _mm512_cmpeq_epu64_mask(number, last) | !begins(next(number));
        let is_missed = !(has_begun & goes_on);
        if is_missed == 0 {
            return number;
        }
        let mut numbers: [u64; WIDTH] = bytemuck::cast(number);
        let values: [u64; WIDTH] = bytemuck::cast(value);
        for (at, (number, value)) in numbers.iter_mut().zip(values).enumerate() {
            if is_missed >> at & 1 == 1 {
                *number = self.by_halves(value) as u64;
            }
        }
        bytemuck::cast(numbers)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn base_of(&self, number: __m512i) -> __m512i {
        self.word_of::<0>(number)
    }

    /// The word that begins at a byte of each frame's entry.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn word_of<const AT: u64>(&self, number: __m512i) -> __m512i {
        let place = _mm512_slli_epi64::<{ FRAME_SIZE.trailing_zeros() }>(number);
        gather(self.entries.as_flattened(), _mm512_add_epi64(place, all(AT)))
    }
}

/// The 8 bytes that begin at each of eight places; 0 where they do not all lie in `bytes`.
#[target_feature(enable = "avx512f")]
#[inline]
fn gather(bytes: &[u8], places: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let Some(last) = bytes.len().checked_sub(size_of::<u64>()) else { return zero };
    let is_inside = _mm512_cmple_epu64_mask(places, all(last as u64));
    // SAFETY: 8 bytes are read at the places in the mask, and nowhere else. Each of these is at most `last`, so its 8
    // bytes lie in the slice; and less than 2^63, as slices are shorter, so that none is taken for a negative one. The
    // instruction asks for no alignment.
    unsafe { _mm512_mask_i64gather_epi64::<1>(zero, is_inside, places, bytes.as_ptr().cast()) }
}

/// One less than each, 0 for 0.
#[target_feature(enable = "avx512f")]
#[inline]
fn less_one(numbers: __m512i) -> __m512i {
    _mm512_sub_epi64(_mm512_max_epu64(numbers, all(1)), all(1))
}

/// Eight times the same.
#[target_feature(enable = "avx512f")]
#[inline]
fn all(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_lie_in_the_bytes_is_not_gathered() {
        let Some(_) = Wide::detect() else { return };
        let memory: Vec<u8> = (1..=64).collect();
        for length in [0, 1, 7, 8, 9, 40] {
            let bytes = &memory[..length];
            let end = length as u64;
            let places =
                [0, 1, end.wrapping_sub(8), end.wrapping_sub(7), end, 32, 1 << 63, u64::MAX];
            // SAFETY: the processor has what both functions need.
            let words = unsafe { gather(bytes, bytemuck::cast(places)) };
            let words: [u64; WIDTH] = bytemuck::cast(words);
            let expected = places.map(|place| {
                let word =
                    usize::try_from(place).ok().and_then(|at| bytes.get(at..at.checked_add(8)?));
                word.map_or(0, |word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
            });
            assert_eq!(words, expected, "{length} bytes");
        }
    }
}
