//! The payloads of a scan's stretch of values, unpacked when and as far as somebody asks for them.
//!
//! - Who counts, or takes timestamps, never asks.
//! - Who tests conditions says beforehand which bytes they are on, and gets the lanes that these are in, of
//!   all values together.
//! - Of the values that meet the conditions whole payloads are asked for: few are unpacked one by one, and many
//!   together, as all are where nothing is tested.

use std::ops::Range;

use crate::table::PayloadLane;

/// If a payload is asked for of one value in so many, or of more, all are unpacked together.
const ASKED_MIN: usize = 8;

/// What payloads are read from.
pub(in crate::tree) trait ReadPayloads {
    /// Writes the payloads at these positions, or at least those `parts` of them; what they have elsewhere is
    /// anything then. `scratch` is memory to use again.
    fn read_payloads(
        &self,
        positions: Range<usize>,
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    );
    /// Writes the payload at a position.
    fn read_payload(&self, at: usize, payload: &mut [u8]);
    /// Appends what one lane of payloads has at these positions; if it is sure to be the same at all of them, gives
    /// it instead.
    fn read_numbers(
        &self,
        positions: Range<usize>,
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64>;
}

/// The payloads of values that lie next to each other in one source. Its memory is used again.
pub(super) struct StretchPayloads {
    width: usize,
    /// Where the values are in their source.
    positions: Range<usize>,
    all: Unpacked,
    tested: Unpacked,
    /// The bytes that conditions are on.
    parts: Vec<Range<usize>>,
    /// A payload that was unpacked alone, and the number of its value.
    alone: (Option<usize>, Vec<u8>),
    /// How often a whole payload was asked for.
    asked: usize,
    /// Whether, of the values before, many were.
    many_asked: bool,
    scratch: Vec<u64>,
}

/// Payloads one behind the other, once they were asked for.
#[derive(Default)]
struct Unpacked {
    bytes: Vec<u8>,
    is_done: bool,
}

impl StretchPayloads {
    pub(super) fn new(width: usize) -> StretchPayloads {
        StretchPayloads {
            width,
            positions: 0..0,
            all: Unpacked::default(),
            tested: Unpacked::default(),
            parts: Vec::new(),
            alone: (None, vec![0; width]),
            asked: 0,
            many_asked: false,
            scratch: Vec::new(),
        }
    }

    /// Conditions on these bytes will be tested too.
    pub(super) fn test(&mut self, parts: &[Range<usize>]) {
        self.parts.extend_from_slice(parts);
        self.tested.is_done = false;
    }

    /// Forgets all payloads: the next ones are those at these positions of a source.
    pub(super) fn restart(&mut self, positions: Range<usize>) {
        // A single value says nothing of many.
        if self.positions.len() > 1 {
            self.many_asked = self.are_many_asked();
        }
        self.asked = 0;
        self.positions = positions;
        self.all.is_done = false;
        self.tested.is_done = false;
        self.alone.0 = None;
    }

    fn are_many_asked(&self) -> bool {
        self.asked * ASKED_MIN >= self.positions.len()
    }

    /// The payload of a value, by its number. `source` is what has it.
    #[inline]
    pub(super) fn get(&mut self, number: usize, source: &impl ReadPayloads) -> &[u8] {
        if !self.all.is_done {
            let many = self.parts.is_empty() || self.many_asked || self.are_many_asked();
            if many && self.positions.len() > 1 {
                self.all.fill(self.width, source, &self.positions, None, &mut self.scratch);
            } else if self.alone.0 != Some(number) {
                source.read_payload(self.positions.start + number, &mut self.alone.1);
                self.alone.0 = Some(number);
            }
        }
        self.asked += 1;
        match self.all.is_done {
            true => self.all.get(number..number + 1, self.width),
            false => &self.alone.1,
        }
    }

    /// As [`StretchPayloads::get`], of which only the bytes that are tested hold.
    #[inline]
    pub(super) fn tested(&mut self, number: usize, source: &impl ReadPayloads) -> &[u8] {
        self.tested_of(number..number + 1, source)
    }

    /// The same of several values, one behind the other.
    #[inline]
    pub(super) fn tested_of(&mut self, numbers: Range<usize>, source: &impl ReadPayloads) -> &[u8] {
        if self.all.is_done {
            return self.all.get(numbers, self.width);
        }
        if !self.tested.is_done {
            let parts = Some(&self.parts[..]);
            self.tested.fill(self.width, source, &self.positions, parts, &mut self.scratch);
        }
        self.tested.get(numbers, self.width)
    }
}

impl StretchPayloads {
    /// What one lane has in the payloads of several values, as [`ReadPayloads::read_numbers`] has it: straight from
    /// the source, and no payload is unpacked.
    pub(super) fn numbers_of(
        &self,
        values: Range<usize>,
        lane: PayloadLane,
        source: &impl ReadPayloads,
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        let first = self.positions.start;
        source.read_numbers(first + values.start..first + values.end, lane, numbers)
    }
}

impl Unpacked {
    fn fill(
        &mut self,
        width: usize,
        source: &impl ReadPayloads,
        positions: &Range<usize>,
        parts: Option<&[Range<usize>]>,
        scratch: &mut Vec<u64>,
    ) {
        self.bytes.resize(positions.len() * width, 0);
        source.read_payloads(positions.clone(), parts, &mut self.bytes, scratch);
        self.is_done = true;
    }

    #[inline]
    fn get(&self, numbers: Range<usize>, width: usize) -> &[u8] {
        &self.bytes[numbers.start * width..numbers.end * width]
    }
}
