//! How field-less enums are stored and ordered: by their discriminants. What `#[derive(Field)]`
//! calls; the derive itself sees expressions, the compiler sees their values.

/// The variants of an enum: names and discriminants, as in the schema.
pub type Variants = &'static [(&'static str, i128)];

/// Bytes that hold every discriminant: 1, 2, 4 or 8.
pub const fn discriminant_width(variants: Variants) -> usize {
    let signed = any_negative(variants);
    let mut width = 1;
    let mut position = 0;
    while position < variants.len() {
        let discriminant = variants[position].1;
        while !fits(discriminant, width, signed) {
            width *= 2;
        }
        position += 1;
    }
    assert!(width <= 8, "a discriminant takes 8 bytes at most");
    width
}

/// Writes a discriminant, little-endian, to `out`, which is `width` long.
///
/// # Panics
/// If `out` has another length.
#[inline]
pub fn write_discriminant(discriminant: i128, width: usize, out: &mut [u8]) {
    out.copy_from_slice(&discriminant.to_le_bytes()[..width]);
}

/// The position of the variant that [`write_discriminant`] wrote; `None` if there is none.
#[inline]
pub fn variant_position(bytes: &[u8], width: usize, variants: Variants) -> Option<usize> {
    variants.iter().position(|(_, discriminant)| discriminant.to_le_bytes()[..width] == *bytes)
}

/// Writes a discriminant so that keys, compared byte by byte, order as discriminants do:
/// big-endian, the sign bit flipped if one of them is negative. `out` is `width` long.
///
/// # Panics
/// If `out` has another length.
#[inline]
pub fn write_discriminant_key(
    discriminant: i128,
    width: usize,
    variants: Variants,
    out: &mut [u8],
) {
    let bytes = discriminant.to_be_bytes();
    out.copy_from_slice(&bytes[bytes.len() - width..]);
    if any_negative(variants) {
        out[0] ^= 0x80;
    }
}

const fn any_negative(variants: Variants) -> bool {
    let mut position = 0;
    while position < variants.len() {
        if variants[position].1 < 0 {
            return true;
        }
        position += 1;
    }
    false
}

const fn fits(discriminant: i128, width: usize, signed: bool) -> bool {
    let bits = 8 * width as u32;
    match signed {
        true => -(1 << (bits - 1)) <= discriminant && discriminant < 1 << (bits - 1),
        false => 0 <= discriminant && discriminant < 1 << bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(discriminant: i128, variants: Variants) -> Vec<u8> {
        let width = discriminant_width(variants);
        let mut key = vec![0; width];
        write_discriminant_key(discriminant, width, variants, &mut key);
        key
    }

    #[test]
    fn width_is_the_smallest_that_holds_every_discriminant() {
        assert_eq!(discriminant_width(&[("A", 0), ("B", 255)]), 1);
        assert_eq!(discriminant_width(&[("A", 0), ("B", 256)]), 2);
        assert_eq!(discriminant_width(&[("A", -1), ("B", 127)]), 1);
        assert_eq!(discriminant_width(&[("A", -1), ("B", 128)]), 2);
        assert_eq!(discriminant_width(&[("A", 1 << 16)]), 4);
        assert_eq!(discriminant_width(&[("A", u64::MAX as i128)]), 8);
        assert_eq!(discriminant_width(&[("A", i64::MIN as i128)]), 8);
    }

    #[test]
    fn what_was_written_is_found_and_nothing_else_is() {
        const VARIANTS: Variants = &[("A", -300), ("B", 0), ("C", 700)];
        for (position, (_, discriminant)) in VARIANTS.iter().enumerate() {
            let mut bytes = [0; 2];
            write_discriminant(*discriminant, 2, &mut bytes);
            assert_eq!(variant_position(&bytes, 2, VARIANTS), Some(position));
        }
        assert_eq!(variant_position(&[1, 0], 2, VARIANTS), None);
        assert_eq!(variant_position(&[0; 17], 2, VARIANTS), None);
    }

    #[test]
    fn keys_order_as_discriminants_do() {
        const SIGNED: Variants = &[("A", -300), ("B", -1), ("C", 0), ("D", 700)];
        const UNSIGNED: Variants = &[("A", 0), ("B", 127), ("C", 128), ("D", 255)];
        for variants in [SIGNED, UNSIGNED] {
            assert!(variants.iter().is_sorted_by_key(|(_, value)| key(*value, variants)));
        }
    }
}
