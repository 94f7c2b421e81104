//! One lane of a column block: up to 8 bytes of each value, packed.
//!
//! A lane is one of three, whichever takes the fewest bytes:
//!
//! | kind | value `i` | bytes beside the descriptor |
//! |---|---|---|
//! | progression | `base + step * i`; a constant has the step 0 | none |
//! | packed | `base + residual[i]` | `bits` per value, in whole words |
//! | framed | per frame of 128 values: `base + line(i) + residual[i]` | 16 per frame, and its residuals |
//!
//! All sums wrap, so every sequence of words has an encoding and all bytes decode to something. A raw
//! lane is a packed one of 64 bits. Residuals of 58 to 63 bits are stored in 64, so that each can be read
//! with one load of 8 bytes; the block keeps [`SLACK`] bytes behind its last lane for that.
//!
//! [`LanePlan`] finds the kind while values arrive, a frame at a time; [`Lane`] is the checked reader:
//! what [`Lane::parse`] accepted can be read at every position without a panic.

mod members;
mod unpack;

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::search;

/// Values of a frame.
pub(super) const FRAME_ROWS: usize = 128;
/// Bytes that a block has behind its last lane.
pub(super) const SLACK: usize = 8;

pub(super) const DESCRIPTOR_SIZE: usize = size_of::<Descriptor>();
const FRAME_SIZE: usize = size_of::<FrameEntry>();
/// Residuals of a frame begin at a multiple of this.
const FRAME_UNIT: usize = 16;
/// A slope has this many fractional bits.
const SLOPE_FRACTION: u32 = 8;

const PROGRESSION: u8 = 0;
const PACKED: u8 = 1;
const FRAMED: u8 = 2;

/// A lane, as the block's head describes it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Descriptor {
    base: u64,
    /// Of a progression; 0 otherwise.
    step: u32,
    kind: u8,
    /// Of a packed lane; 0 otherwise.
    bits: u8,
    reserved: u16,
}

/// A frame of a framed lane.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct FrameEntry {
    base: u64,
    slope: u32,
    /// From the lowest bit on: 20 bits of where the residuals begin, in units of 16 bytes behind the
    /// frame entries; 5 bits of the slope's exponent; 7 bits of the residuals' width.
    place: u32,
}

const _: () = assert!(DESCRIPTOR_SIZE == 16 && FRAME_SIZE == 16);

/// Bits that residuals from 0 to `range` are stored in.
fn bits_for(range: u64) -> u8 {
    match 64 - range.leading_zeros() {
        58..=64 => 64,
        bits => bits as u8,
    }
}

fn packed_bytes(count: usize, bits: u8) -> usize {
    (count * usize::from(bits)).div_ceil(64) * 8
}

/// Where a frame expects its value `i`, less its base.
#[inline]
fn line(slope: u32, exponent: u32, i: usize) -> u64 {
    ((u64::from(slope) * i as u64) << exponent) >> SLOPE_FRACTION
}

/// How one frame is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct FramePlan {
    base: u64,
    slope: u32,
    exponent: u32,
    bits: u8,
}

/// What the values of one frame have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameStats {
    first: u64,
    min: u64,
    max: u64,
    /// The progression of the whole lane goes on to the end of this frame.
    step: Option<u32>,
    plan: FramePlan,
}

impl FrameStats {
    fn of(values: &[u64], continued: Option<&LanePlan>) -> FrameStats {
        let (first, last) = (values[0], values[values.len() - 1]);
        // Constant lanes are the most frequent ones.
        if values.len() > 1 && values.iter().fold(0, |differ, value| differ | (value ^ first)) == 0
        {
            let step = match continued {
                Some(lane) => lane.step.filter(|step| *step == 0 && first == lane.last),
                None => Some(0),
            };
            let plan = FramePlan { base: first, slope: 0, exponent: 0, bits: bits_for(0) };
            return FrameStats { first, min: first, max: first, step, plan };
        }
        let (min, max) = extremes(values, |_, value| value);
        let step = match continued {
            Some(lane) => lane.step.and_then(|step| {
                let goes_on = first == lane.last.wrapping_add(u64::from(step));
                (goes_on && is_progression(values, step)).then_some(step)
            }),
            None => first_step(values).filter(|step| is_progression(values, *step)),
        };
        let mut plan = FramePlan { base: min, slope: 0, exponent: 0, bits: bits_for(max - min) };
        // Values that ascend on the whole lie near a line.
        let rise = last.wrapping_sub(first);
        if min == first && max == last && values.len() > 2 && plan.bits > 1 && rise >> 55 == 0 {
            let slope = (rise << SLOPE_FRACTION) / (values.len() as u64 - 1);
            let exponent = (64 - slope.leading_zeros()).saturating_sub(32);
            let slope = (slope >> exponent) as u32;
            // Of the first value nothing is off, so there are low ones and high ones.
            let off = |i, value: u64| {
                value.wrapping_sub(line(slope, exponent, i)).wrapping_sub(first) as i64
            };
            let (low, high) = extremes(values, off);
            let bits = bits_for(high.wrapping_sub(low) as u64);
            if bits < plan.bits {
                plan = FramePlan { base: first.wrapping_add(low as u64), slope, exponent, bits };
            }
        }
        FrameStats { first, min, max, step, plan }
    }
}

/// The lowest and the highest of what `of` makes of positions and values: four at a time, none of which
/// waits for another.
#[inline(always)]
fn extremes<T: Copy + Ord>(values: &[u64], of: impl Fn(usize, u64) -> T) -> (T, T) {
    let first = of(0, values[0]);
    let (mut lows, mut highs) = ([first; 4], [first; 4]);
    let (fours, rest) = values.as_chunks::<4>();
    for (number, four) in fours.iter().enumerate() {
        for (at, value) in four.iter().enumerate() {
            let it = of(4 * number + at, *value);
            lows[at] = lows[at].min(it);
            highs[at] = highs[at].max(it);
        }
    }
    for (at, value) in rest.iter().enumerate() {
        let it = of(4 * fours.len() + at, *value);
        lows[at] = lows[at].min(it);
        highs[at] = highs[at].max(it);
    }
    let [a, b, c, d] = lows;
    let [e, f, g, h] = highs;
    (a.min(b).min(c.min(d)), e.max(f).max(g.max(h)))
}

/// The step from the first value to the second; 0 if there is one value only.
fn first_step(values: &[u64]) -> Option<u32> {
    match values {
        [first, second, ..] => u32::try_from(second.wrapping_sub(*first)).ok(),
        _ => Some(0),
    }
}

fn is_progression(values: &[u64], step: u32) -> bool {
    values.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(u64::from(step)))
}

/// A lane that is being filled: what it takes, kept up to date frame by frame.
#[derive(Debug, Clone, Default)]
pub(super) struct LanePlan {
    first: u64,
    last: u64,
    min: u64,
    max: u64,
    step: Option<u32>,
    frames: Vec<FramePlan>,
    frame_bytes: usize,
}

impl LanePlan {
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.frame_bytes = 0;
    }

    /// Looks at a frame that would come next.
    pub(super) fn look(&self, values: &[u64]) -> FrameStats {
        FrameStats::of(values, (!self.frames.is_empty()).then_some(self))
    }

    /// Bytes of the lane's data if the frame came next and were the last; `count` with it.
    pub(super) fn bytes_with(&self, frame: &FrameStats, values: &[u64], count: usize) -> usize {
        let (min, max) = match self.frames.is_empty() {
            true => (frame.min, frame.max),
            false => (self.min.min(frame.min), self.max.max(frame.max)),
        };
        if frame.step.is_some() {
            return 0;
        }
        let packed = packed_bytes(count, bits_for(max - min));
        let frames = self.frame_bytes + frame_bytes(values.len(), frame.plan.bits);
        packed.min(frames)
    }

    /// Takes a frame that was looked at; `last` is its last value.
    pub(super) fn take(&mut self, frame: &FrameStats, last: u64, rows: usize) {
        if self.frames.is_empty() {
            self.first = frame.first;
            (self.min, self.max) = (frame.min, frame.max);
        } else {
            self.min = self.min.min(frame.min);
            self.max = self.max.max(frame.max);
        }
        self.step = frame.step;
        self.last = last;
        self.frames.push(frame.plan);
        self.frame_bytes += frame_bytes(rows, frame.plan.bits);
    }

    /// Appends the lane's data to `out` and writes its descriptor; `values` are all that were taken.
    pub(super) fn write(&self, values: &[u64], out: &mut Vec<u8>, descriptor_at: usize) {
        let mut descriptor =
            Descriptor { base: self.min, step: 0, kind: PACKED, bits: 0, reserved: 0 };
        let bits = bits_for(self.max - self.min);
        let packed = packed_bytes(values.len(), bits);
        if let Some(step) = self.step {
            descriptor.base = self.first;
            descriptor.kind = PROGRESSION;
            // A single value has no step.
            descriptor.step = if values.len() > 1 { step } else { 0 };
        } else if packed <= self.frame_bytes {
            descriptor.bits = bits;
            let start = out.len();
            out.resize(start + packed, 0);
            pack(values, self.min, bits, &mut out[start..]);
        } else {
            descriptor.base = 0;
            descriptor.kind = FRAMED;
            self.write_frames(values, out);
        }
        out[descriptor_at..descriptor_at + DESCRIPTOR_SIZE]
            .copy_from_slice(bytemuck::bytes_of(&descriptor));
    }

    fn write_frames(&self, values: &[u64], out: &mut Vec<u8>) {
        let entries = out.len();
        let data = entries + self.frames.len() * FRAME_SIZE;
        out.resize(entries + self.frame_bytes, 0);
        let mut at = 0;
        let mut residuals = [0; FRAME_ROWS];
        for (number, (plan, frame)) in self.frames.iter().zip(values.chunks(FRAME_ROWS)).enumerate()
        {
            let unit = u32::try_from(at / FRAME_UNIT).expect("a block is at most 16 MiB");
            let place = unit | plan.exponent << 20 | u32::from(plan.bits) << 25;
            let entry = FrameEntry { base: plan.base, slope: plan.slope, place };
            let entry_at = entries + number * FRAME_SIZE;
            out[entry_at..entry_at + FRAME_SIZE].copy_from_slice(bytemuck::bytes_of(&entry));
            for (i, (residual, value)) in residuals.iter_mut().zip(frame).enumerate() {
                *residual = value.wrapping_sub(line(plan.slope, plan.exponent, i));
            }
            pack(&residuals[..frame.len()], plan.base, plan.bits, &mut out[data + at..]);
            at += residual_bytes(frame.len(), plan.bits);
        }
    }
}

/// Bytes of a frame's residuals.
fn residual_bytes(rows: usize, bits: u8) -> usize {
    (rows * usize::from(bits)).div_ceil(8 * FRAME_UNIT) * FRAME_UNIT
}

fn frame_bytes(rows: usize, bits: u8) -> usize {
    FRAME_SIZE + residual_bytes(rows, bits)
}

/// Writes the lowest `bits` bits of each value less `base`, from the lowest bit of the first byte on.
fn pack(values: &[u64], base: u64, bits: u8, out: &mut [u8]) {
    if bits == 0 {
        return;
    }
    let bits = u32::from(bits);
    let mut words = out.as_chunks_mut::<8>().0.iter_mut();
    let mut word = 0;
    let mut filled = 0;
    for value in values {
        let residual = value.wrapping_sub(base);
        word |= residual << filled;
        filled += bits;
        if filled >= 64 {
            *words.next().expect("the lane has room") = u64::to_le_bytes(word);
            filled -= 64;
            word = if filled == 0 { 0 } else { residual >> (bits - filled) };
        }
    }
    if filled > 0 {
        *words.next().expect("the lane has room") = u64::to_le_bytes(word);
    }
}

/// Value `i` of those that are `bits` wide from `offset` on.
#[inline]
fn load(bytes: &[u8], offset: usize, i: usize, bits: u8) -> u64 {
    let bit = i * usize::from(bits);
    let at = offset + bit / 8;
    let word: [u8; 8] = bytes[at..at + 8].try_into().expect("8 bytes");
    (u64::from_le_bytes(word) >> (bit % 8)) & (u64::MAX >> (64 - bits))
}

/// A lane of a block, checked. Small: what a look-up in a cold block waits for is memory. All zeros
/// are a lane of zeros.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Lane {
    base: u64,
    /// Of a progression, the step. Else where the data begins in the block.
    place: u32,
    kind: u8,
    /// Of a packed lane.
    bits: u8,
    reserved: u16,
}

impl Lane {
    /// Reads the lane whose descriptor is at `descriptor_at` and whose data begins at `offset`; gives
    /// the end of the data too. All of it lies in the block, with [`SLACK`] behind it.
    pub(super) fn parse(
        bytes: &[u8],
        descriptor_at: usize,
        offset: usize,
        count: usize,
    ) -> Result<(Lane, usize), &'static str> {
        let raw = bytes.get(descriptor_at..descriptor_at + DESCRIPTOR_SIZE).ok_or("length")?;
        let Descriptor { base, step, kind, bits, reserved } = bytemuck::pod_read_unaligned(raw);
        if reserved != 0 || (kind != PROGRESSION && step != 0) || (kind != PACKED && bits != 0) {
            return Err("lane");
        }
        let room = bytes.len().saturating_sub(SLACK);
        let end = match kind {
            PROGRESSION => offset,
            PACKED if (1..=57).contains(&bits) || bits == 64 => offset + packed_bytes(count, bits),
            FRAMED => Self::check_frames(bytes, offset, count, room)?,
            _ => return Err("lane"),
        };
        if end > room {
            return Err("lane length");
        }
        let place = match kind {
            PROGRESSION => step,
            _ => u32::try_from(offset).map_err(|_| "lane length")?,
        };
        Ok((Lane { base, place, kind, bits, reserved }, end))
    }

    /// Checks the frames of a framed lane, and gives the end of their residuals.
    fn check_frames(
        bytes: &[u8],
        offset: usize,
        count: usize,
        room: usize,
    ) -> Result<usize, &'static str> {
        let frames = count.div_ceil(FRAME_ROWS);
        let data = offset + frames * FRAME_SIZE;
        let entries = bytes.get(offset..data).ok_or("lane length")?;
        let mut at = 0;
        for (number, entry) in entries.chunks_exact(FRAME_SIZE).enumerate() {
            let frame = Frame::of(entry);
            let rows = FRAME_ROWS.min(count - number * FRAME_ROWS);
            if frame.at != at || (frame.bits > 57 && frame.bits != 64) {
                return Err("frame");
            }
            at += residual_bytes(rows, frame.bits);
            if data + at > room {
                return Err("lane length");
            }
        }
        Ok(data + at)
    }

    /// Two values between which, both included, all `count` are: what is known without a look at residuals; `None`
    /// where that is nothing, as values may wrap around.
    pub(super) fn bounds(&self, bytes: &[u8], count: usize) -> Option<(u64, u64)> {
        let residuals = |bits: u8| u64::MAX.checked_shr(64 - u32::from(bits)).unwrap_or(0);
        match self.kind {
            PROGRESSION => {
                let rise = u64::from(self.place).checked_mul(count as u64 - 1)?;
                Some((self.base, self.base.checked_add(rise)?))
            }
            PACKED => Some((self.base, self.base.checked_add(residuals(self.bits))?)),
            _ => (0..count).step_by(FRAME_ROWS).try_fold((u64::MAX, 0), |(min, max), at| {
                let (frame, _) = self.frame(bytes, at, count);
                // Beyond the last value the line may wrap around, in a forged block before it.
                let last = (count - at).min(FRAME_ROWS) - 1;
                let steepest = u64::from(frame.slope) * last as u64;
                if steepest.leading_zeros() < frame.exponent {
                    return None;
                }
                let rise = line(frame.slope, frame.exponent, last);
                let highest = frame.base.checked_add(rise)?.checked_add(residuals(frame.bits))?;
                Some((min.min(frame.base), max.max(highest)))
            }),
        }
    }

    /// The value if it is the same at every position.
    pub(super) fn constant(&self) -> Option<u64> {
        (self.kind == PROGRESSION && self.place == 0).then_some(self.base)
    }

    /// Value `at` of a progression.
    #[inline]
    fn progress(&self, at: usize) -> u64 {
        self.base.wrapping_add(u64::from(self.place).wrapping_mul(at as u64))
    }

    /// Value `at` of a packed lane.
    #[inline]
    fn unpacked(&self, bytes: &[u8], at: usize) -> u64 {
        self.base.wrapping_add(load(bytes, self.place as usize, at, self.bits))
    }

    /// The frame of a framed lane that has value `at`, and where the residuals of all frames begin.
    #[inline]
    fn frame(&self, bytes: &[u8], at: usize, count: usize) -> (Frame, usize) {
        let offset = self.place as usize;
        let entry = offset + at / FRAME_ROWS * FRAME_SIZE;
        let data = offset + count.div_ceil(FRAME_ROWS) * FRAME_SIZE;
        (Frame::of(&bytes[entry..entry + FRAME_SIZE]), data)
    }

    /// Value `at` of the `count` that the lane was parsed for.
    #[inline(always)] // a call would cost as much: rows are read lane by lane
    pub(super) fn get(&self, bytes: &[u8], at: usize, count: usize) -> u64 {
        match self.kind {
            PROGRESSION => self.progress(at),
            PACKED => self.unpacked(bytes, at),
            _ => {
                let (frame, data) = self.frame(bytes, at, count);
                frame.get(bytes, data, at % FRAME_ROWS)
            }
        }
    }

    /// Where in the block value `at` lies; `None` if it lies nowhere.
    #[inline]
    pub(super) fn place_of(&self, bytes: &[u8], at: usize, count: usize) -> Option<usize> {
        match self.kind {
            PROGRESSION => None,
            PACKED => Some(self.place as usize + at * usize::from(self.bits) / 8),
            _ => {
                let (frame, data) = self.frame(bytes, at, count);
                Some(data + frame.at + at % FRAME_ROWS * usize::from(frame.bits) / 8)
            }
        }
    }

    /// Appends the values at these of the `count` positions to `out`.
    pub(super) fn unpack(
        &self,
        bytes: &[u8],
        positions: Range<usize>,
        count: usize,
        out: &mut Vec<u64>,
    ) {
        assert!(positions.end <= count, "beyond the block's end");
        match self.kind {
            PROGRESSION if self.place == 0 => out.resize(out.len() + positions.len(), self.base),
            PROGRESSION => out.extend(positions.map(|i| self.progress(i))),
            PACKED => {
                let start = out.len();
                unpack::append(bytes, self.place as usize, positions, self.bits, out);
                out[start..].iter_mut().for_each(|value| *value = value.wrapping_add(self.base));
            }
            _ => {
                let mut at = positions.start;
                while at < positions.end {
                    let begin = at / FRAME_ROWS * FRAME_ROWS;
                    let end = positions.end.min(begin + FRAME_ROWS);
                    let (frame, data) = self.frame(bytes, at, count);
                    frame.unpack(bytes, data, at - begin..end - begin, out);
                    at = end;
                }
            }
        }
    }

    /// Where in `from..to`, of a framed lane whose values ascend there, `value` is likely to be: the
    /// frames tell without their residuals.
    #[inline]
    fn guess(&self, bytes: &[u8], from: usize, to: usize, value: u64) -> usize {
        let offset = self.place as usize;
        let frame = |number: usize| {
            let entry = offset + number * FRAME_SIZE;
            Frame::of(&bytes[entry..entry + FRAME_SIZE])
        };
        // The last frame that begins below, of those that begin in the range.
        let (first, last) = (from / FRAME_ROWS, (to - 1) / FRAME_ROWS);
        let begins_below = |number: usize| frame(number).base <= value;
        let even = search::even_guess(first, last + 1, value, |number| frame(number).base);
        let number = match even {
            Some(guess) => search::nearer(first, last + 1, guess, 1, begins_below),
            None => search::by_halves(first, last + 1, begins_below),
        };
        let number = number.saturating_sub(1).max(first);
        let frame = frame(number);
        let spread = u64::MAX.checked_shr(65 - u32::from(frame.bits)).unwrap_or(0);
        let beyond = value.saturating_sub(frame.base).saturating_sub(spread) >> frame.exponent;
        let steps = (beyond << SLOPE_FRACTION) as f64 / f64::from(frame.slope.max(1));
        let steps = (steps as usize).min(FRAME_ROWS - 1);
        (number * FRAME_ROWS + steps).clamp(from, to - 1)
    }

    /// The first position in `from..to` whose value is at least `value`, if the values ascend.
    #[inline]
    pub(super) fn lower_bound(
        &self,
        bytes: &[u8],
        count: usize,
        from: usize,
        to: usize,
        value: u64,
    ) -> usize {
        match self.kind {
            PROGRESSION if self.place == 0 => {
                if self.base < value {
                    to
                } else {
                    from
                }
            }
            PROGRESSION => {
                // The lane as a whole may wrap around and start anew, where the limbs before it differ;
                // from `from` on it ascends as far as `to`.
                let beyond =
                    value.saturating_sub(self.progress(from)).div_ceil(u64::from(self.place));
                usize::try_from(beyond).map_or(to, |beyond| from.saturating_add(beyond).min(to))
            }
            PACKED => search::lower_bound(from, to, value, |at| self.unpacked(bytes, at)),
            _ => {
                let is_before = |at| self.get(bytes, at, count) < value;
                if to - from < FRAME_ROWS / 4 {
                    return search::by_halves(from, to, is_before);
                }
                search::near(from, to, self.guess(bytes, from, to, value), is_before)
            }
        }
    }

    /// The first position in `from..to` whose value `is_before` denies, if the values ascend; near a guess
    /// in that range.
    #[inline]
    pub(super) fn near(
        &self,
        bytes: &[u8],
        count: usize,
        (from, to): (usize, usize),
        guess: usize,
        is_before: impl Fn(u64) -> bool,
    ) -> usize {
        match self.kind {
            PROGRESSION => search::near(from, to, guess, |at| is_before(self.progress(at))),
            PACKED => search::near(from, to, guess, |at| is_before(self.unpacked(bytes, at))),
            _ => search::near(from, to, guess, |at| is_before(self.get(bytes, at, count))),
        }
    }
}

/// A frame, unpacked.
struct Frame {
    base: u64,
    slope: u32,
    exponent: u32,
    bits: u8,
    at: usize,
}

impl Frame {
    #[inline]
    fn of(entry: &[u8]) -> Frame {
        let FrameEntry { base, slope, place } = bytemuck::pod_read_unaligned(entry);
        Frame {
            base,
            slope,
            exponent: place >> 20 & 31,
            bits: (place >> 25) as u8,
            at: (place & 0xf_ffff) as usize * FRAME_UNIT,
        }
    }

    #[inline]
    fn get(&self, bytes: &[u8], data: usize, i: usize) -> u64 {
        let expected = self.expected(i);
        match self.bits {
            0 => expected,
            bits => expected.wrapping_add(load(bytes, data + self.at, i, bits)),
        }
    }

    /// What value `i` is more than the base.
    #[inline]
    fn above_base(&self, bytes: &[u8], data: usize, i: usize) -> u64 {
        let line = line(self.slope, self.exponent, i);
        match self.bits {
            0 => line,
            bits => line.wrapping_add(load(bytes, data + self.at, i, bits)),
        }
    }

    #[inline]
    fn expected(&self, i: usize) -> u64 {
        self.base.wrapping_add(line(self.slope, self.exponent, i))
    }

    /// Appends the values at these positions of the frame.
    fn unpack(&self, bytes: &[u8], data: usize, positions: Range<usize>, out: &mut Vec<u64>) {
        let start = out.len();
        unpack::append(bytes, data + self.at, positions.clone(), self.bits, out);
        for (value, i) in out[start..].iter_mut().zip(positions) {
            *value = value.wrapping_add(self.expected(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_a_forged_frame_whose_line_wraps_around_are_not_known() {
        let descriptor = Descriptor { base: 0, step: 0, kind: FRAMED, bits: 0, reserved: 0 };
        let entry = FrameEntry { base: 0, slope: 1 << 31, place: 31 << 20 };
        let mut bytes = bytemuck::bytes_of(&descriptor).to_vec();
        bytes.extend_from_slice(bytemuck::bytes_of(&entry));
        bytes.resize(bytes.len() + SLACK, 0);
        let (lane, _) = Lane::parse(&bytes, 0, DESCRIPTOR_SIZE, 5).expect("it has all it needs");
        assert!(lane.get(&bytes, 2, 5) > lane.get(&bytes, 4, 5), "the line wraps around");
        assert_eq!(lane.bounds(&bytes, 5), None);
        assert_eq!(lane.bounds(&bytes, 2), Some((0, 1 << 54)));
    }
}
