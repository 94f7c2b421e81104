//! Types that derive `Field`, as columns and as keys: what holds for the types of `groove` itself
//! (`groove-core/src/field/tests.rs`) holds for enums and newtypes.

use std::fmt::Debug;

use groove::{Field, IndexKey, OptionalKey, Text};

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Small {
    A,
    B = 127,
    C = 128,
    D = 255,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Signed {
    A = -129,
    B = -1,
    C = 0,
    D = 128,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
enum Wide {
    A = 3,
    B = 256,
    C = 65536,
    D = u32::MAX,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i64)]
enum Widest {
    A = i64::MIN,
    B = -1,
    C = 1,
    D = i64::MAX,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Only {
    One = 7,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cents(i64);

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    text: Text<5>,
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Level(Option<Signed>);

/// A generator whose seed is printed by the assertion that fails.
struct Random(u64);

const SEED: u64 = 6;

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }
}

/// Round trips, refusals and the order of keys, over all pairs of `values`, which are ascending.
fn check<F: Field + IndexKey + Copy + Debug + PartialEq>(values: &[F]) {
    let rows: Vec<_> = values.iter().map(row).collect();
    let keys: Vec<_> = values.iter().map(key).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "{}: {keys:02x?}", F::TYPE);
    for (value, bytes) in values.iter().zip(&rows) {
        assert_eq!(F::read(bytes).as_ref(), Ok(value), "{}", F::TYPE);
        assert!(F::read(&bytes[1..]).is_err() && F::read(&[bytes, &[0][..]].concat()).is_err());
    }
    let mut random = Random(SEED);
    for _ in 0..5_000 {
        let mut bytes = rows[random.next() as usize % rows.len()].clone();
        let position = random.next() as usize % bytes.len();
        bytes[position] ^= random.next() as u8;
        if let Ok(value) = F::read(&bytes) {
            assert_eq!(row(&value), bytes, "{} has two encodings, seed {SEED}", F::TYPE);
        }
    }
}

fn row<F: Field>(value: &F) -> Vec<u8> {
    let mut bytes = vec![0xAA; F::WIDTH];
    value.write(&mut bytes);
    bytes
}

fn key<F: IndexKey>(value: &F) -> Vec<u8> {
    let mut bytes = vec![0xAA; F::KEY_WIDTH];
    value.write_key(&mut bytes);
    bytes
}

#[test]
fn enums_are_read_back_and_order_by_discriminant() {
    check(&[Small::A, Small::B, Small::C, Small::D]);
    check(&[Signed::A, Signed::B, Signed::C, Signed::D]);
    check(&[Wide::A, Wide::B, Wide::C, Wide::D]);
    check(&[Widest::A, Widest::B, Widest::C, Widest::D]);
    check(&[Only::One]);
    let widths = [Small::WIDTH, Signed::WIDTH, Wide::WIDTH, Widest::WIDTH, Only::WIDTH];
    assert_eq!(widths, [1, 2, 4, 8, 1]);
}

#[test]
fn bytes_that_are_no_discriminant_are_refused() {
    for byte in 0..=u8::MAX {
        let known = [0, 127, 128, 255].contains(&byte);
        assert_eq!(Small::read(&[byte]).is_ok(), known, "{byte}");
        assert_eq!(Only::read(&[byte]).is_ok(), byte == 7, "{byte}");
    }
}

#[test]
fn newtypes_are_read_back_and_order_as_what_is_inside() {
    let mut random = Random(SEED);
    let mut cents: Vec<_> = (0..200).map(|_| Cents(random.next() as i64 - (1 << 39))).collect();
    cents.extend([i64::MIN, -1, 0, 1, i64::MAX].map(Cents));
    cents.sort();
    cents.dedup();
    check(&cents);
    let texts = ["", "a", "ab", "abcde", "b", "\u{e9}"];
    check(&texts.map(|text| Name { text: Text::new(text).expect("it fits") }));
    check(&[None, Some(Signed::A), Some(Signed::B), Some(Signed::C), Some(Signed::D)].map(Level));
}

#[test]
fn enums_and_newtypes_are_parts_of_keys() {
    let ascending = [
        (Signed::A, Cents(9)),
        (Signed::B, Cents(-1)),
        (Signed::B, Cents(0)),
        (Signed::D, Cents(i64::MIN)),
    ];
    assert!(ascending.map(|pair| key(&pair)).is_sorted_by(|a, b| a < b));
    check(&[[Small::A, Small::D], [Small::B, Small::A], [Small::B, Small::C]]);
    check(&[None, Some(Small::A), Some(Small::D)]);
}

#[test]
fn a_newtype_is_absent_where_its_value_is() {
    assert!(Cents(0).is_absent() && !Cents(1).is_absent());
    assert!(Level(None).is_absent() && !Level(Some(Signed::C)).is_absent());
    assert!(Name { text: Text::default() }.is_absent());
}
