//! Many residuals after each other: what scans and compaction ask of a lane.
//!
//! Eight residuals of `BITS` bits begin and end at whole bytes. With the width known when this is compiled,
//! so are the byte and the shift of each of the eight; that is half the work of a look at one residual. Hence a
//! function per width.

use std::ops::Range;

use super::load;

/// Residuals that end at a whole byte, whatever their width.
const GROUP: usize = 8;

/// Appends the residuals at these positions, of `bits` bits each, that begin at `offset`.
pub(super) fn append(
    bytes: &[u8],
    offset: usize,
    positions: Range<usize>,
    bits: u8,
    out: &mut Vec<u64>,
) {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match bits {
                0 => out.resize(out.len() + positions.len(), 0),
                $($width => append_groups::<$width>(bytes, offset, positions, out),)*
                _ => out.extend(positions.map(|i| load(bytes, offset, i, bits))),
            }
        };
    }
    by_width!(
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 64
    );
}

fn append_groups<const BITS: usize>(
    bytes: &[u8],
    offset: usize,
    positions: Range<usize>,
    out: &mut Vec<u64>,
) {
    let Range { start, end } = positions;
    let head = end.min(start.next_multiple_of(GROUP));
    let tail = head + (end - head) / GROUP * GROUP;
    let one = |i: usize| load(bytes, offset, i, BITS as u8);
    out.reserve(end - start);
    out.extend((start..head).map(one));
    for group in head / GROUP..tail / GROUP {
        let at = offset + group * BITS;
        // The last of the eight is read from the last of its bytes but seven, at the latest.
        let group = &bytes[at..at + BITS + size_of::<u64>() - 1];
        let values: [u64; GROUP] = std::array::from_fn(|i| {
            let word = group[i * BITS / 8..][..8].try_into().expect("8 bytes");
            (u64::from_le_bytes(word) >> (i * BITS % 8)) & (u64::MAX >> (64 - BITS))
        });
        out.extend_from_slice(&values);
    }
    out.extend((tail..end).map(one));
}

#[cfg(test)]
mod tests {
    use super::super::SLACK;
    use super::*;

    #[test]
    fn residuals_of_every_width_are_those_that_are_read_one_by_one() {
        let count = 70;
        for bits in (1..=57).chain([64]) {
            let length = 3 + (count * usize::from(bits)).div_ceil(8) + SLACK;
            let bytes: Vec<u8> = (0..length).map(|at| (at * 151 + at / 7) as u8).collect();
            for from in 0..20 {
                for to in from..=count {
                    let mut out = vec![7];
                    append(&bytes, 3, from..to, bits, &mut out);
                    let expected = (from..to).map(|i| load(&bytes, 3, i, bits));
                    assert!(out[1..].iter().copied().eq(expected), "{bits} bits, {from}..{to}");
                }
            }
        }
        let mut out = vec![7];
        append(&[], 0, 3..5, 0, &mut out);
        assert_eq!(out, [7, 0, 0]);
    }
}
