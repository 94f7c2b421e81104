use super::{
    bytes_from_limbs, index_key, index_limbs, limbs_from_bytes, tree_limbs, unique_key,
    unique_limbs,
};
use crate::constants::{INDEX_KEY_WIDTH_MAX, KEY_LIMBS_MAX};
use crate::schema::{FieldType, IndexSchema};

#[test]
fn a_key_takes_as_few_limbs_as_hold_it() {
    let widths = [0, 1, 8, 9, 16, 17, 24, 25, 32];
    assert_eq!(widths.map(unique_limbs), [1, 1, 1, 2, 2, 3, 3, 4, 4]);
    assert_eq!(widths.map(index_limbs), [2, 2, 2, 3, 3, 4, 4, 5, 5]);
    assert_eq!(index_limbs(INDEX_KEY_WIDTH_MAX), KEY_LIMBS_MAX);
}

#[test]
fn a_key_is_right_aligned_in_its_limbs() {
    assert_eq!(unique_key::<[u8; 0], 1>(&[]), [0]);
    assert_eq!(unique_key::<[u8; 3], 1>(&[1, 2, 3]), [0x01_02_03]);
    assert_eq!(unique_key::<u64, 1>(&u64::MAX), [u64::MAX]);
    assert_eq!(unique_key::<[u8; 9], 2>(&[1, 0, 0, 0, 0, 0, 0, 0, 2]), [1, 2]);
    assert_eq!(unique_key::<u128, 2>(&(3 << 64 | 4)), [3, 4]);
    assert_eq!(index_key::<u128, 3>(&(3 << 64 | 4)), [3, 4, 0]);
    assert_eq!(index_key::<[u64; 4], 5>(&[1, 2, 3, 4]), [1, 2, 3, 4, 0]);
    assert_eq!(index_key::<(&u8, &u16), 2>(&(&1, &2)), [0x01_00_02, 0]);
}

#[test]
fn limbs_of_any_width_are_written_and_read_back() {
    for width in 1..=INDEX_KEY_WIDTH_MAX {
        for first in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes: Vec<u8> = (0..width as u8).map(|at| at.wrapping_mul(83) ^ 5).collect();
            bytes[0] = first;
            for limb_count in unique_limbs(width)..=KEY_LIMBS_MAX {
                let mut limbs = vec![0xaaaa; limb_count];
                limbs_from_bytes(&bytes, &mut limbs);

                let mut wide = vec![0; limb_count * 8 - width];
                wide.extend(&bytes);
                let (expected, _) = wide.as_chunks();
                let expected: Vec<_> =
                    expected.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
                assert_eq!(limbs, expected, "{width} bytes in {limb_count} limbs");

                let mut again = vec![0xaa; width];
                bytes_from_limbs(&limbs, &mut again);
                assert_eq!(again, bytes, "{width} bytes in {limb_count} limbs");
            }
        }
    }
    limbs_from_bytes(&[], &mut []);
    bytes_from_limbs(&[0], &mut []);
}

#[test]
fn limbs_are_those_of_the_key_itself() {
    fn check<const W: usize, const K: usize>() {
        let value: [u8; W] = std::array::from_fn(|at| 200 - at as u8);
        let mut limbs = [0; K];
        limbs_from_bytes(&value, &mut limbs);
        assert_eq!(unique_key::<_, K>(&value), limbs);
    }
    macro_rules! check_widths {
        ($($width:literal)*) => { $(check::<$width, { unique_limbs($width) }>();)* };
    }
    check_widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    check_widths!(17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

#[test]
#[should_panic(expected = "wider than its limbs")]
fn a_key_wider_than_its_limbs_is_a_mistake() {
    limbs_from_bytes(&[0; 9], &mut [0]);
}

#[test]
fn the_trees_of_an_object_have_the_limbs_of_their_keys() {
    const INDEXES: &[IndexSchema] = &[
        IndexSchema::primary("id", 16, &["id"]),
        IndexSchema::unique("name", 9, &["name"]).optional(),
        IndexSchema::non_unique("code", 2, &["code"]),
        IndexSchema::derived("day", 32, FieldType::Text(32), 1),
    ];
    const LIMBS: [usize; 4] = tree_limbs(INDEXES);
    assert_eq!(LIMBS, [2, 2, 2, 5]);
}
