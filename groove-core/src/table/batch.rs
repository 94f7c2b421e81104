//! Rows packed as lanes outside of a table: the inserts of a scope in the write-ahead log.
//!
//! ```text
//! a descriptor per lane | data per lane | slack
//! ```
//!
//! The first lane is the timestamps, the others are the row's.

use super::lane::{DESCRIPTOR_SIZE, FRAME_ROWS, Lane, LanePlan, SLACK};
use super::shape::{PayloadLane, read_lanes};

/// Timestamps and rows, lane by lane.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    lanes: Vec<Vec<u64>>,
    plan: LanePlan,
}

impl Batch {
    /// Packs rows of equal width, each behind its timestamp of 8 bytes; appends to `out`.
    pub(crate) fn pack<'a>(
        &mut self,
        places: &[PayloadLane],
        rows: impl Iterator<Item = &'a [u8]> + Clone,
        out: &mut Vec<u8>,
    ) {
        const TIMESTAMP: PayloadLane = PayloadLane { offset: 0, width: 8, signed: false };
        self.lanes.resize_with(1 + places.len(), Vec::new);
        self.lanes.iter_mut().for_each(Vec::clear);
        let (timestamps, lanes) = self.lanes.split_first_mut().expect("at least one");
        timestamps.extend(rows.clone().map(|row| TIMESTAMP.read(row)));
        read_lanes(places, rows.map(|row| &row[8..]), lanes);
        let start = out.len();
        out.resize(start + self.lanes.len() * DESCRIPTOR_SIZE, 0);
        for (number, lane) in self.lanes.iter().enumerate() {
            self.plan.clear();
            for frame in lane.chunks(FRAME_ROWS) {
                let stats = self.plan.look(frame);
                self.plan.take(&stats, frame[frame.len() - 1], frame.len());
            }
            self.plan.write(lane, out, start + number * DESCRIPTOR_SIZE);
        }
        out.resize(out.len() + SLACK, 0);
    }

    /// Unpacks `count` rows of `width` bytes into `rows`, each behind its timestamp.
    pub(crate) fn unpack(
        &mut self,
        bytes: &[u8],
        places: &[PayloadLane],
        (count, width): (usize, usize),
        rows: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        self.lanes.resize_with(1, Vec::new);
        let mut at = (1 + places.len()) * DESCRIPTOR_SIZE;
        rows.clear();
        rows.resize(count * (8 + width), 0);
        for number in 0..=places.len() {
            let (lane, end) = Lane::parse(bytes, number * DESCRIPTOR_SIZE, at, count)?;
            at = end;
            let place = number.checked_sub(1).map(|place| places[place]);
            // As the rows are: fields that are not used, bits in which an old row does not differ.
            if lane.constant().is_some_and(|value| place.is_some_and(|place| place.is_zero(value)))
            {
                continue;
            }
            self.lanes[0].clear();
            lane.unpack(bytes, 0..count, count, &mut self.lanes[0]);
            let rows = rows.chunks_exact_mut(8 + width).zip(&self.lanes[0]);
            match place {
                None => rows.for_each(|(row, value)| {
                    row[..8].copy_from_slice(&value.to_le_bytes());
                }),
                Some(place) => rows.for_each(|(row, value)| place.write(*value, &mut row[8..])),
            }
        }
        if at + SLACK == bytes.len() { Ok(()) } else { Err("length of packed rows") }
    }
}
