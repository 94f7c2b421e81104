//! The payloads of a scan's stretch of values, unpacked when and as far as somebody asks for them.
//!
//! - Who counts, or takes timestamps, never asks.
//! - Who tests conditions says beforehand which bytes they are on, and gets the lanes that these are in, of
//!   all values together.
//! - Of the values that meet the conditions whole payloads are asked for: few are unpacked one by one, and many
//!   together, as all are where nothing is tested.

use std::ops::Range;

use crate::table::PayloadLane;
use crate::tree::read::Direction;

/// If a payload is asked for of one value in so many, or of more, all are unpacked together.
const ASKED_MIN: usize = 8;

/// Values that lie next to each other in one source, and follow each other in the scan.
pub(in crate::tree) struct Piece {
    /// The number of the source.
    pub(in crate::tree) source: usize,
    /// Where they are in it; they ascend.
    pub(in crate::tree) positions: Range<usize>,
    /// How many values of the stretch have lower keys.
    first: usize,
}

/// What payloads are read from, by the number of the source.
pub(in crate::tree) trait ReadPayloads {
    /// Writes the payloads at these positions of a source, or at least those `parts` of them; what they have elsewhere
    /// is anything then. `scratch` is memory to use again.
    fn read_payloads(
        &self,
        piece: (usize, Range<usize>),
        parts: Option<&[Range<usize>]>,
        payloads: &mut [u8],
        scratch: &mut Vec<u64>,
    );
    /// Writes the payload at a position of a source.
    fn read_payload(&self, source: usize, at: usize, payload: &mut [u8]);
    /// Appends what one lane of payloads has at these positions of a source; if it is sure to be the same at all of
    /// them, gives it instead.
    fn read_numbers(
        &self,
        piece: (usize, Range<usize>),
        lane: PayloadLane,
        numbers: &mut Vec<u64>,
    ) -> Option<u64>;
}

/// The payloads of the values of a stretch. Its memory is used again.
pub(super) struct StretchPayloads {
    width: usize,
    /// Where the values are; in the order of keys, once all were added.
    pieces: Vec<Piece>,
    /// How many values they are.
    values: usize,
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
            pieces: Vec::new(),
            values: 0,
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

    /// Forgets all values.
    pub(super) fn restart(&mut self) {
        // A single value says nothing of many.
        if self.values > 1 {
            self.many_asked = self.are_many_asked();
        }
        self.asked = 0;
        self.pieces.clear();
        self.values = 0;
        self.all.is_done = false;
        self.tested.is_done = false;
        self.alone.0 = None;
    }

    /// How many values were added.
    pub(super) fn len(&self) -> usize {
        self.values
    }

    /// Adds values at these positions of a source, behind those that were added, in a direction.
    #[inline]
    pub(super) fn add(&mut self, source: usize, positions: Range<usize>, direction: Direction) {
        self.values += positions.len();
        if let Some(last) = self.pieces.last_mut().filter(|last| last.source == source) {
            match direction {
                Direction::Ascending if last.positions.end == positions.start => {
                    last.positions.end = positions.end;
                    return;
                }
                Direction::Descending if last.positions.start == positions.end => {
                    last.positions.start = positions.start;
                    return;
                }
                _ => {}
            }
        }
        self.pieces.push(Piece { source, positions, first: 0 });
    }

    /// All values were added: gives their pieces in the order of keys.
    pub(super) fn finish(&mut self, direction: Direction) -> &[Piece] {
        if direction == Direction::Descending {
            self.pieces.reverse();
        }
        let mut first = 0;
        for piece in &mut self.pieces {
            piece.first = first;
            first += piece.positions.len();
        }
        &self.pieces
    }

    fn are_many_asked(&self) -> bool {
        self.asked * ASKED_MIN >= self.values
    }

    /// The piece that has the value of this number.
    #[inline]
    fn piece_of(&self, number: usize) -> usize {
        self.pieces.partition_point(|piece| piece.first <= number) - 1
    }

    /// The payload of a value, by its number. `sources` are what has them.
    #[inline]
    pub(super) fn get(&mut self, number: usize, sources: &(impl ReadPayloads + ?Sized)) -> &[u8] {
        if !self.all.is_done {
            let many = self.parts.is_empty() || self.many_asked || self.are_many_asked();
            if many && self.values > 1 {
                self.all.fill(self.width, sources, &self.pieces, None, &mut self.scratch);
            } else if self.alone.0 != Some(number) {
                let piece = &self.pieces[self.piece_of(number)];
                let at = piece.positions.start + number - piece.first;
                sources.read_payload(piece.source, at, &mut self.alone.1);
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
    pub(super) fn tested(
        &mut self,
        number: usize,
        sources: &(impl ReadPayloads + ?Sized),
    ) -> &[u8] {
        self.tested_of(number..number + 1, sources)
    }

    /// The same of several values, one behind the other.
    #[inline]
    pub(super) fn tested_of(
        &mut self,
        numbers: Range<usize>,
        sources: &(impl ReadPayloads + ?Sized),
    ) -> &[u8] {
        if self.all.is_done {
            return self.all.get(numbers, self.width);
        }
        if !self.tested.is_done {
            let parts = Some(&self.parts[..]);
            self.tested.fill(self.width, sources, &self.pieces, parts, &mut self.scratch);
        }
        self.tested.get(numbers, self.width)
    }

    /// What one lane has in the payloads of several values, of which there is one at least, as
    /// [`ReadPayloads::read_numbers`] has it: straight from the sources, and no payload is unpacked.
    pub(super) fn numbers_of(
        &self,
        values: Range<usize>,
        lane: PayloadLane,
        sources: &(impl ReadPayloads + ?Sized),
        numbers: &mut Vec<u64>,
    ) -> Option<u64> {
        for piece in &self.pieces[self.piece_of(values.start)..] {
            let from = values.start.max(piece.first) - piece.first;
            let end = values.end.min(piece.first + piece.positions.len());
            if end <= piece.first {
                break;
            }
            let first = piece.positions.start;
            let positions = first + from..first + end - piece.first;
            let count = positions.len();
            if let Some(number) = sources.read_numbers((piece.source, positions), lane, numbers) {
                if count == values.len() {
                    return Some(number);
                }
                numbers.resize(numbers.len() + count, number);
            }
        }
        None
    }
}

impl Unpacked {
    fn fill(
        &mut self,
        width: usize,
        sources: &(impl ReadPayloads + ?Sized),
        pieces: &[Piece],
        parts: Option<&[Range<usize>]>,
        scratch: &mut Vec<u64>,
    ) {
        let values = pieces.last().map_or(0, |last| last.first + last.positions.len());
        self.bytes.resize(values * width, 0);
        for piece in pieces {
            let bytes = piece.first * width..(piece.first + piece.positions.len()) * width;
            let place = (piece.source, piece.positions.clone());
            sources.read_payloads(place, parts, &mut self.bytes[bytes], scratch);
        }
        self.is_done = true;
    }

    #[inline]
    fn get(&self, numbers: Range<usize>, width: usize) -> &[u8] {
        &self.bytes[numbers.start * width..numbers.end * width]
    }
}
