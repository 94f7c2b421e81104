//! How a payload is cut into lanes: by the fields of the schema.

use std::ops::Range;

use crate::schema::{FieldType, Schema};

/// Elements of an array that get lanes of their own at most; longer ones are cut every 8 bytes.
const ARRAY_LANES_MAX: usize = 16;

/// Up to 8 bytes of a payload that are one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct PayloadLane {
    pub(crate) offset: usize,
    pub(crate) width: usize,
    /// The bytes are a signed integer: its sign bit is flipped in the lane, so that small numbers of
    /// either sign are near each other.
    pub(crate) signed: bool,
}

impl PayloadLane {
    fn sign(self) -> u64 {
        if self.signed { 1 << (8 * self.width - 1) } else { 0 }
    }

    /// The lane's value of a payload.
    #[inline]
    pub(crate) fn read(self, payload: &[u8]) -> u64 {
        let bytes = &payload[self.offset..self.offset + self.width];
        // The usual widths without a call to copy them.
        let value = match *bytes {
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(word)
            }
        };
        value ^ self.sign()
    }

    /// Puts the lane's value into a payload; what is beyond its width is lost.
    #[inline]
    pub(crate) fn write(self, value: u64, payload: &mut [u8]) {
        let bytes = (value ^ self.sign()).to_le_bytes();
        let out = &mut payload[self.offset..self.offset + self.width];
        match out {
            [a] => *a = bytes[0],
            [_, _] => *out.first_chunk_mut().expect("2 bytes") = [bytes[0], bytes[1]],
            [_, _, _, _] => {
                *out.first_chunk_mut().expect("4 bytes") = [bytes[0], bytes[1], bytes[2], bytes[3]];
            }
            [_, _, _, _, _, _, _, _] => *out.first_chunk_mut().expect("8 bytes") = bytes,
            _ => out.copy_from_slice(&bytes[..self.width]),
        }
    }

    /// Appends the lane's value of each of some payloads.
    #[inline]
    fn read_all(self, payloads: &[&[u8]], values: &mut Vec<u64>) {
        let PayloadLane { offset, width, .. } = self;
        // A loop for each of the usual widths, as in [`PayloadLane::write_all`].
        macro_rules! read {
            ($number:ty) => {{
                let sign = self.sign();
                values.extend(payloads.iter().map(|payload| {
                    let bytes = payload[offset..].first_chunk().expect("a payload has its lanes");
                    u64::from(<$number>::from_le_bytes(*bytes)) ^ sign
                }));
            }};
        }
        match width {
            1 => read!(u8),
            2 => read!(u16),
            4 => read!(u32),
            8 => read!(u64),
            _ => values.extend(payloads.iter().map(|payload| self.read(payload))),
        }
    }

    /// Puts a value of the lane into each of some payloads.
    pub(crate) fn write_all<'a>(
        self,
        values: &[u64],
        payloads: impl Iterator<Item = &'a mut [u8]>,
    ) {
        let Range { start, end } = self.offset..self.offset + self.width;
        let sign = self.sign();
        let each = values.iter().map(|value| (value ^ sign).to_le_bytes()).zip(payloads);
        // A loop for each of the usual widths: a store without a call.
        match self.width {
            1 => each.for_each(|(value, payload)| payload[start] = value[0]),
            2 => each.for_each(|(value, payload)| {
                payload[start..end].copy_from_slice(&value[..2]);
            }),
            4 => each.for_each(|(value, payload)| {
                payload[start..end].copy_from_slice(&value[..4]);
            }),
            8 => each.for_each(|(value, payload)| payload[start..end].copy_from_slice(&value)),
            width => each.for_each(|(value, payload)| {
                payload[start..end].copy_from_slice(&value[..width]);
            }),
        }
    }

    /// The lane's value of zeros.
    pub(crate) fn zero(self) -> u64 {
        self.sign()
    }

    /// How many of the bytes `part` of a payload are the lane's.
    pub(crate) fn overlap(self, part: &Range<usize>) -> usize {
        (self.offset + self.width).min(part.end).saturating_sub(self.offset.max(part.start))
    }

    /// Whether a payload that has the lane's value has zeros there.
    pub(crate) fn is_zero(self, value: u64) -> bool {
        (value ^ self.sign()).to_le_bytes()[..self.width] == [0; 8][..self.width]
    }
}

/// So many payloads are read lane by lane at a time: they stay in the processor's nearest cache from one lane to
/// the next.
const STRIP_ROWS: usize = 32;

/// Appends the values of payloads to their lanes.
pub(super) fn read_lanes<'a>(
    places: &[PayloadLane],
    mut payloads: impl Iterator<Item = &'a [u8]>,
    lanes: &mut [Vec<u64>],
) {
    loop {
        let mut strip = [&[][..]; STRIP_ROWS];
        let rows = strip.iter_mut().zip(&mut payloads).map(|(place, payload)| *place = payload);
        let rows = rows.count();
        for (lane, place) in lanes.iter_mut().zip(places) {
            place.read_all(&strip[..rows], lane);
        }
        if rows < STRIP_ROWS {
            return;
        }
    }
}

/// The lanes of a payload of `width` bytes of which nothing is known.
pub(crate) fn plain_lanes(width: usize) -> Vec<PayloadLane> {
    let mut lanes = Vec::new();
    push_plain(&mut lanes, 0, width);
    lanes
}

/// The lanes of the rows of an object type, field by field.
pub(crate) fn row_lanes(schema: &Schema) -> Vec<PayloadLane> {
    let mut lanes = Vec::new();
    for field in schema.fields {
        push_field(&mut lanes, &field.field_type, field.offset, field.width);
    }
    lanes
}

fn push_field(lanes: &mut Vec<PayloadLane>, field: &FieldType, offset: usize, width: usize) {
    match field {
        FieldType::Signed(_) if matches!(width, 1..=8) => {
            lanes.push(PayloadLane { offset, width, signed: true });
        }
        FieldType::Option(inner) if width > 0 => {
            lanes.push(PayloadLane { offset, width: 1, signed: false });
            push_field(lanes, inner, offset + 1, width - 1);
        }
        FieldType::NonZero(inner) | FieldType::Newtype(_, inner) => {
            push_field(lanes, inner, offset, width);
        }
        FieldType::Array(inner, length)
            if (1..=ARRAY_LANES_MAX).contains(length) && width / length > 1 =>
        {
            let element = width / length;
            for at in 0..*length {
                push_field(lanes, inner, offset + at * element, element);
            }
        }
        _ => push_plain(lanes, offset, width),
    }
}

fn push_plain(lanes: &mut Vec<PayloadLane>, offset: usize, width: usize) {
    for at in (0..width).step_by(8) {
        let width = (width - at).min(8);
        lanes.push(PayloadLane { offset: offset + at, width, signed: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_payloads_are_read_lane_by_lane_as_each_is_read() {
        let mut places = Vec::new();
        let mut offset = 0;
        for signed in [false, true] {
            for width in 1..=8 {
                places.push(PayloadLane { offset, width, signed });
                offset += width;
            }
        }
        for rows in [0, 1, STRIP_ROWS - 1, STRIP_ROWS, STRIP_ROWS + 1, 5 * STRIP_ROWS + 7] {
            let bytes: Vec<u8> = (0..rows * offset).map(|at| (at * at / 7) as u8).collect();
            let payloads = bytes.chunks_exact(offset);
            let mut lanes = vec![vec![5]; places.len()];
            read_lanes(&places, payloads.clone(), &mut lanes);
            for (place, lane) in places.iter().zip(&lanes) {
                let expected = payloads.clone().map(|payload| place.read(payload));
                assert!(lane[1..].iter().copied().eq(expected), "{rows} rows, {place:?}");
            }
        }
    }
    use crate::schema::FieldSchema;

    const FIELDS: &[FieldSchema] = &[
        FieldSchema { name: "a", field_type: FieldType::Unsigned(128), width: 16, offset: 0 },
        FieldSchema { name: "b", field_type: FieldType::Signed(16), width: 2, offset: 16 },
        FieldSchema {
            name: "c",
            field_type: FieldType::Option(&FieldType::Signed(64)),
            width: 9,
            offset: 18,
        },
        FieldSchema { name: "d", field_type: FieldType::Text(11), width: 11, offset: 27 },
        FieldSchema {
            name: "e",
            field_type: FieldType::Array(&FieldType::Unsigned(16), 2),
            width: 4,
            offset: 38,
        },
        FieldSchema {
            name: "f",
            field_type: FieldType::Array(&FieldType::Unsigned(8), 9),
            width: 9,
            offset: 42,
        },
        FieldSchema {
            name: "g",
            field_type: FieldType::Array(&FieldType::Bool, 0),
            width: 0,
            offset: 51,
        },
    ];

    #[test]
    fn lanes_follow_the_fields_and_cover_the_row_once() {
        let schema = Schema {
            name: "Sample",
            timestamp: "timestamp",
            fields: FIELDS,
            indexes: &[],
            orphaned_ids: false,
        };
        let lanes = row_lanes(&schema);
        let cuts: Vec<(usize, usize, bool)> =
            lanes.iter().map(|lane| (lane.offset, lane.width, lane.signed)).collect();
        let expected = [
            (0, 8, false),
            (8, 8, false),
            (16, 2, true),
            (18, 1, false),
            (19, 8, true),
            (27, 8, false),
            (35, 3, false),
            (38, 2, false),
            (40, 2, false),
            (42, 8, false),
            (50, 1, false),
        ];
        assert_eq!(cuts, expected);
    }

    #[test]
    fn a_lane_reads_what_it_wrote_and_orders_signed_numbers() {
        for width in 1..=8 {
            for signed in [false, true] {
                let lane = PayloadLane { offset: 3, width, signed };
                let mut payload = [0xaa; 12];
                payload[3..3 + width]
                    .copy_from_slice(&0x8182_8384_8586_8788_u64.to_le_bytes()[..width]);
                let before = payload;
                let value = lane.read(&payload);
                lane.write(0, &mut payload);
                lane.write(value, &mut payload);
                assert_eq!(payload, before);
            }
        }
        let lane = PayloadLane { offset: 0, width: 2, signed: true };
        assert_eq!(lane.read(&1_i16.to_le_bytes()) - lane.read(&(-1_i16).to_le_bytes()), 2);
    }
}
