//! Payloads of many values, out of many blocks.

use std::ops::Range;

use crate::touch::touch;

use super::columns::{Columns, LaneChoice};
use super::value_block::ValueBlock;

/// The values whose payloads are wanted, and where the payloads go.
///
/// In a file that is larger than the processor's caches, what a look-up costs is to wait for memory: a
/// value of columns lies in as many places as it has lanes. So all places are touched first.
pub(crate) struct Gather<'a, const K: usize> {
    columns: Vec<Wanted<'a, K>>,
    /// What is wanted of payloads, if not all.
    parts: Option<&'a [Range<usize>]>,
}

struct Wanted<'a, const K: usize> {
    columns: &'a Columns<K>,
    bytes: &'a [u8],
    /// The position in the block, and how many values that has.
    position: usize,
    count: usize,
    /// Where the payload begins.
    out: usize,
}

impl<'a, const K: usize> Gather<'a, K> {
    /// Room for so many values. If only some `parts` of payloads are wanted, what is elsewhere in them is anything.
    pub(crate) fn new(values: usize, parts: Option<&'a [Range<usize>]>) -> Self {
        Gather { columns: Vec::with_capacity(values), parts }
    }

    /// Notes the value at `position` of a block, whose payload goes to `out[at..]`. In a block of rows
    /// it is copied at once.
    pub(crate) fn add(
        &mut self,
        block: &'a ValueBlock<K>,
        position: usize,
        out: &mut [u8],
        at: usize,
    ) {
        match block.columns() {
            Some((columns, bytes, count)) => {
                assert!(position < count, "beyond the block's end");
                let out = at;
                self.columns.push(Wanted { columns, bytes, position, count, out });
            }
            None => block.read_payload(position, &mut out[at..at + block.payload_width()]),
        }
    }

    /// Puts the payloads that were noted into `out`, and forgets them.
    pub(crate) fn finish(&mut self, payload_width: usize, out: &mut [u8]) {
        if let Some(parts) = self.parts {
            return self.finish_parts(parts, payload_width, out);
        }
        for wanted in &self.columns {
            wanted.columns.touch_lanes(wanted.bytes);
        }
        for Wanted { columns, bytes, position, count, .. } in &self.columns {
            columns.each_place(bytes, *position, *count, |place| touch(bytes, place));
        }
        for wanted in self.columns.drain(..) {
            let out = &mut out[wanted.out..wanted.out + payload_width];
            wanted.columns.payload(wanted.bytes, wanted.position, wanted.count, out);
        }
    }

    fn finish_parts(&mut self, parts: &[Range<usize>], payload_width: usize, out: &mut [u8]) {
        let mut choice = LaneChoice::new(parts);
        for wanted in &self.columns {
            wanted.columns.touch_lanes(wanted.bytes);
        }
        for Wanted { columns, bytes, position, count, .. } in &self.columns {
            columns.each_chosen_place(&mut choice, bytes, *position, *count, |place| {
                touch(bytes, place);
            });
        }
        for Wanted { columns, bytes, position, count, out: at } in self.columns.drain(..) {
            let out = &mut out[at..at + payload_width];
            columns.read_chosen(&mut choice, bytes, position, count, out);
        }
    }
}
