//! Properties that every field type has, over edge values and random ones.
//!
//! A failed test prints its seed; `GROOVE_SEED=… cargo test -p groove-core field` runs it again.

mod sample;

use std::any::type_name;
use std::collections::HashSet;
use std::num::NonZero;

use self::sample::{Random, Sample, samples};
use super::{Describe, Described, Field, IndexKey, OptionalKey, Text, TextError};
use crate::key::{index_key, index_limbs, unique_key, unique_limbs};
use crate::schema::{FieldType, has_row_key, write_row_key};

/// Calls `$check::<T>(&mut $random)` for every `T` that can be a field.
macro_rules! for_every_field {
    ($check:ident, $random:expr) => {{
        for_every_field!(@ $check, $random;
            u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, bool, char, f32, f64,
            NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>, NonZero<u128>,
            NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>, NonZero<i128>,
            [u8; 0], [u8; 1], [u8; 20], [u8; 32], [u8; 64], [i16; 3], [f64; 3], [bool; 4],
            [[char; 2]; 2], [Option<i32>; 3], [Text<3>; 2], [u128; 5],
            Option<u8>, Option<i64>, Option<bool>, Option<f32>, Option<char>,
            Option<NonZero<i16>>, Option<Option<i8>>, Option<[i8; 3]>, Option<Text<4>>,
            Text<0>, Text<1>, Text<2>, Text<8>, Text<31>, Text<32>, Text<100>);
        #[cfg(feature = "bytemuck")]
        for_every_field!(@ $check, $random;
            super::Pod<u64>, super::Pod<[u16; 3]>, Option<super::Pod<i8>>);
        #[cfg(feature = "jiff")]
        for_every_field!(@ $check, $random;
            jiff::Timestamp, jiff::SignedDuration, jiff::civil::Date, jiff::civil::Time,
            jiff::civil::DateTime, Option<jiff::Timestamp>);
        #[cfg(feature = "rust_decimal")]
        for_every_field!(@ $check, $random;
            rust_decimal::Decimal, Option<rust_decimal::Decimal>);
        #[cfg(feature = "time")]
        for_every_field!(@ $check, $random;
            time::UtcDateTime, time::OffsetDateTime, time::PrimitiveDateTime, time::Date,
            time::Time, time::Duration, Option<time::Date>);
        #[cfg(feature = "uuid")]
        for_every_field!(@ $check, $random; uuid::Uuid, [uuid::Uuid; 2], Option<uuid::Uuid>);
    }};
    (@ $check:ident, $random:expr; $($type:ty),*) => { $($check::<$type>($random);)* };
}

/// Calls `$check` for every `T` that can be a key, with the limbs that its keys take.
macro_rules! for_every_key {
    ($check:ident, $random:expr) => {{
        for_every_key!(@ $check, $random;
            u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, bool, char, f32, f64,
            NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>, NonZero<u128>,
            NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>, NonZero<i128>,
            [u8; 0], [u8; 1], [u8; 20], [u8; 32], [i16; 3], [f64; 3], [bool; 4], [[char; 2]; 2],
            [Option<i32>; 3], [Text<3>; 2],
            Option<u8>, Option<i64>, Option<bool>, Option<f32>, Option<char>,
            Option<NonZero<i16>>, Option<Option<i8>>, Option<[i8; 3]>, Option<Text<4>>,
            Text<0>, Text<1>, Text<2>, Text<8>, Text<31>, Text<32>,
            (u32, u16), (i8, bool), (Option<u8>, Text<3>), (u128, i128), (Text<4>, f32, [i8; 3]),
            (bool, Option<i16>, char, u64), ((i8, u8), Option<(u8, i16)>), Option<(bool, i8)>,
            [(i8, bool); 3]);
        #[cfg(feature = "jiff")]
        for_every_key!(@ $check, $random;
            jiff::Timestamp, jiff::SignedDuration, jiff::civil::Date, jiff::civil::Time,
            jiff::civil::DateTime, (Option<jiff::civil::Date>, u8));
        #[cfg(feature = "rust_decimal")]
        for_every_key!(@ $check, $random;
            rust_decimal::Decimal, (Option<rust_decimal::Decimal>, i8));
        #[cfg(feature = "time")]
        for_every_key!(@ $check, $random;
            time::UtcDateTime, time::OffsetDateTime, time::PrimitiveDateTime, time::Date,
            time::Time, time::Duration, (time::Date, Option<i8>));
        #[cfg(feature = "uuid")]
        for_every_key!(@ $check, $random; uuid::Uuid, [uuid::Uuid; 2], (u8, uuid::Uuid));
    }};
    (@ $check:ident, $random:expr; $($type:ty),*) => {
        $($check::<
            $type,
            { unique_limbs(<$type as IndexKey>::KEY_WIDTH) },
            { index_limbs(<$type as IndexKey>::KEY_WIDTH) },
        >($random);)*
    };
}

fn written<F: Field>(value: &F) -> Vec<u8> {
    let mut bytes = vec![0xaa; F::WIDTH]; // whatever was there before is overwritten
    value.write(&mut bytes);
    bytes
}

fn key<F: IndexKey + ?Sized>(value: &F) -> Vec<u8> {
    let mut bytes = vec![0xaa; F::KEY_WIDTH];
    value.write_key(&mut bytes);
    bytes
}

#[test]
fn a_written_value_is_read_back_as_the_same_value() {
    fn check<F: Field + Sample>(random: &mut Random) {
        for value in samples::<F>(random) {
            let bytes = written(&value);
            let read = F::read(&bytes).expect("what was written is readable");
            let shown = Described(&value);
            assert!(value.order(&read).is_eq(), "{}: {shown}", type_name::<F>());
            assert_eq!(shown.to_string(), Described(&read).to_string(), "{}", type_name::<F>());
            assert_eq!(bytes, written(&read), "{}: {shown}", type_name::<F>());
        }
    }
    for_every_field!(check, &mut Random::new());
}

#[test]
fn any_bytes_are_refused_or_read_as_a_value_that_writes_them() {
    fn check<F: Field + Sample>(random: &mut Random) {
        let samples = samples::<F>(random);
        let mut accepted = 0;
        for round in 0..1500 {
            let mut bytes = written(&samples[random.below(samples.len())]);
            match round % 4 {
                0 => bytes.fill_with(|| random.next() as u8),
                1 if !bytes.is_empty() => {
                    let position = random.below(bytes.len());
                    bytes[position] = random.next() as u8;
                }
                2 if !bytes.is_empty() => {
                    let position = random.below(bytes.len());
                    bytes[position] ^= 1 << random.below(8);
                }
                _ => bytes.iter_mut().for_each(|byte| *byte &= random.next() as u8),
            }
            match F::read(&bytes) {
                Ok(value) => {
                    accepted += 1;
                    assert_eq!(bytes, written(&value), "{} accepts two encodings", F::TYPE);
                    assert!(!Described(&value).to_string().is_empty());
                }
                Err(error) => {
                    assert_eq!(error.expected, F::TYPE);
                    assert!(error.to_string().ends_with(&F::TYPE.to_string()));
                }
            }
        }
        assert!(accepted > 0, "{}: not one read succeeded", F::TYPE);
    }
    for_every_field!(check, &mut Random::new());
}

#[test]
fn bytes_of_another_length_are_refused() {
    fn check<F: Field + Sample>(random: &mut Random) {
        for value in samples::<F>(random) {
            let bytes = written(&value);
            assert!(F::read(&[&bytes[..], &[0]].concat()).is_err(), "{}", F::TYPE);
            for length in 0..bytes.len() {
                assert!(F::read(&bytes[..length]).is_err(), "{} of {length} bytes", F::TYPE);
            }
        }
    }
    for_every_field!(check, &mut Random::new());
}

#[test]
fn keys_order_as_values_order() {
    fn check<F: IndexKey + Sample, const U: usize, const I: usize>(random: &mut Random) {
        const { assert!(U + 1 == I) };
        let samples = samples::<F>(random);
        let keys: Vec<_> = samples
            .iter()
            .map(|value| (key(value), unique_key::<F, U>(value), index_key::<F, I>(value)))
            .collect();
        for (a, (a_bytes, a_unique, a_index)) in samples.iter().zip(&keys) {
            assert_eq!(a_index[..U], a_unique[..], "{}", type_name::<F>());
            assert_eq!(a_index[U], 0, "{}: the timestamp is 0", type_name::<F>());
            assert_eq!(key(&a), *a_bytes, "the key of a reference is the key");
            for (b, (b_bytes, b_unique, b_index)) in samples.iter().zip(&keys) {
                let order = a.order(b);
                assert_eq!(a_bytes.cmp(b_bytes), order, "{}: bytes", type_name::<F>());
                assert_eq!(a_unique.cmp(b_unique), order, "{}: unique limbs", type_name::<F>());
                assert_eq!(a_index.cmp(b_index), order, "{}: index limbs", type_name::<F>());
            }
        }
    }
    for_every_key!(check, &mut Random::new());
}

#[test]
fn the_key_of_a_tuple_begins_with_the_keys_of_its_elements() {
    let random = &mut Random::new();
    for _ in 0..1000 {
        let (a, b, c, d) = <(i16, Text<3>, Option<u8>, f32)>::random(random);
        let whole = [key(&a), key(&b), key(&c), key(&d)].concat();
        assert_eq!(key(&(&a, &b, &c, &d)), whole);
        assert_eq!(key(&(a, b, c, d)), whole);
        assert!(whole.starts_with(&key(&(&a, &b))));
        assert!(whole.starts_with(&key(&(&a, &b, &c))));
    }
}

#[test]
fn rows_are_little_endian() {
    assert_eq!(written(&0x0102_0304u32), [4, 3, 2, 1]);
    assert_eq!(written(&-2i16), [0xfe, 0xff]);
    assert_eq!(written(&1.0f32), 0x3f80_0000u32.to_le_bytes());
    assert_eq!(written(&'é'), [0xe9, 0, 0, 0]);
    assert_eq!(written(&Some(0x0102u16)), [1, 2, 1]);
    assert_eq!(written(&None::<u16>), [0, 0, 0]);
    assert_eq!(written(&[0x0102u16, 3]), [2, 1, 3, 0]);
    assert_eq!(written(&Text::<4>::new("é!").unwrap()), [0xc3, 0xa9, b'!', 0]);
}

#[test]
fn keys_have_the_bytes_that_the_format_says() {
    assert_eq!(key(&0x0102u16), [1, 2]);
    assert_eq!([key(&i16::MIN), key(&-1i16), key(&0i16)], [[0, 0], [0x7f, 0xff], [0x80, 0]]);
    assert_eq!([key(&-0.0f32), key(&0.0f32)], [[0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]]);
    assert_eq!([key(&None::<u8>), key(&Some(0u8)), key(&Some(7u8))], [[0, 0], [1, 0], [1, 7]]);
    assert_eq!(key(&(1u8, 2u16)), [1, 0, 2]);
}

#[test]
fn an_absent_option_has_no_payload() {
    assert_eq!(Option::<u16>::read(&[0, 0, 0]), Ok(None));
    assert_eq!(Option::<u16>::read(&[0, 0, 1]).unwrap_err().expected, Option::<u16>::TYPE);
    assert!(Option::<u16>::read(&[2, 0, 0]).is_err());
    assert_eq!(Option::<bool>::read(&[1, 2]).unwrap_err().expected, Option::<bool>::TYPE);
    assert_eq!(Option::<Option<u8>>::read(&[1, 0, 0]), Ok(Some(None)));
}

#[test]
fn a_non_zero_is_never_zero() {
    assert_eq!(NonZero::<i32>::read(&[0; 4]).unwrap_err().expected, NonZero::<i32>::TYPE);
    assert_eq!(NonZero::<i32>::read(&[1, 0, 0, 0]), Ok(NonZero::new(1).unwrap()));
}

#[test]
fn a_char_is_no_surrogate_and_not_beyond_unicode() {
    for scalar in [0xd800u32, 0xdfff, 0x11_0000, u32::MAX] {
        assert!(char::read(&scalar.to_le_bytes()).is_err());
    }
    assert_eq!(char::read(&0x10_ffffu32.to_le_bytes()), Ok(char::MAX));
}

#[test]
fn zero_none_and_nothing_are_absent() {
    assert!(0u8.is_absent() && 0i128.is_absent() && !(-1i32).is_absent());
    assert!(None::<f32>.is_absent() && !Some(0.0f32).is_absent() && !Some(None::<u8>).is_absent());
    assert!([0u8; 20].is_absent() && ![0u8, 1].is_absent() && [0u8; 0].is_absent());
    assert!(Text::<0>::default().is_absent() && !Text::<1>::new(" ").unwrap().is_absent());
    assert!((&&0u8).is_absent());
    #[cfg(feature = "uuid")]
    assert!(uuid::Uuid::nil().is_absent() && !uuid::Uuid::max().is_absent());
}

#[test]
fn values_are_shown_as_in_rust() {
    let shown = |value: &dyn Describe| Described(value).to_string();
    assert_eq!(shown(&-7i8), "-7");
    assert_eq!(shown(&true), "true");
    assert_eq!(shown(&1.0f64), "1.0");
    assert_eq!(shown(&'\n'), "'\\n'");
    assert_eq!(shown(&NonZero::new(7u16).unwrap()), "7");
    assert_eq!(shown(&[Some(1u8), None]), "[Some(1), None]");
    assert_eq!(shown(&Text::<8>::new("a\"b").unwrap()), "\"a\\\"b\"");
    assert_eq!(shown(&(&700u32, &'x', &None::<u8>)), "(700, 'x', None)");
    assert_eq!(shown(&(&1u8, &2u8, &3u8, &4u8)), "(1, 2, 3, 4)");
}

#[test]
fn every_type_says_its_name() {
    let types = [
        (u128::TYPE, "u128"),
        (i8::TYPE, "i8"),
        (f32::TYPE, "f32"),
        (bool::TYPE, "bool"),
        (char::TYPE, "char"),
        (<[[u8; 4]; 2]>::TYPE, "[[u8; 4]; 2]"),
        (NonZero::<u64>::TYPE, "NonZero<u64>"),
        (Option::<NonZero<i16>>::TYPE, "Option<NonZero<i16>>"),
        (Text::<8>::TYPE, "Text<8>"),
    ];
    for (field_type, name) in types {
        assert_eq!(field_type.to_string(), name);
    }
    #[cfg(feature = "bytemuck")]
    assert_eq!(super::Pod::<[u16; 3]>::TYPE, FieldType::Foreign("Pod", 6));
    #[cfg(feature = "uuid")]
    assert_eq!(uuid::Uuid::TYPE, FieldType::Foreign("uuid::Uuid", 16));
    assert_eq!(FieldType::Foreign("uuid::Uuid", 16).to_string(), "uuid::Uuid");
}

#[test]
fn a_text_holds_as_many_bytes_as_it_says() {
    assert_eq!(Text::<4>::new("").unwrap(), "");
    assert_eq!(Text::<4>::new("four").unwrap().as_str(), "four");
    assert_eq!(Text::<4>::new("five!"), Err(TextError::TooLong { length: 5, length_max: 4 }));
    assert_eq!(Text::<4>::new("ééé"), Err(TextError::TooLong { length: 6, length_max: 4 }));
    assert_eq!(Text::<0>::new("").unwrap().as_str(), "");
    assert_eq!(Text::<0>::new("x"), Err(TextError::TooLong { length: 1, length_max: 0 }));
}

#[test]
fn a_text_has_no_nul() {
    assert_eq!(Text::<4>::new("\0"), Err(TextError::Nul { position: 0 }));
    assert_eq!(Text::<4>::new("ab\0"), Err(TextError::Nul { position: 2 }));
    assert!(Text::<4>::read(b"a\0b\0").is_err(), "bytes behind the end");
    assert!(Text::<4>::read(b"\0\0\0b").is_err(), "bytes behind the end");
    assert_eq!(
        TextError::Nul { position: 2 }.to_string(),
        "the text has a NUL character at byte 2"
    );
}

#[test]
fn a_text_is_never_cut_inside_a_character() {
    assert!(Text::<2>::read(&[0xc3, 0]).is_err());
    assert!(Text::<2>::read(&[b'a', 0xc3]).is_err());
    assert_eq!(Text::<2>::read(&[0xc3, 0xa9]).unwrap(), "é");
}

#[test]
fn of_all_pairs_of_bytes_those_that_are_text_are_accepted() {
    for pair in 0..=u16::MAX {
        let bytes = pair.to_be_bytes();
        let text = match bytes {
            [0, 0] => Some(""),
            [_, 0] => str::from_utf8(&bytes[..1]).ok(),
            [0, _] => None,
            [_, _] => str::from_utf8(&bytes).ok(),
        };
        let read = Text::<2>::read(&bytes).ok();
        assert_eq!(read.as_deref(), text, "{bytes:02x?}");
    }
}

#[test]
fn a_text_behaves_as_the_str_in_it() {
    let text: Text<8> = "grün".parse().unwrap();
    assert_eq!(text, *"grün");
    assert_eq!("grün", text);
    assert_eq!(*"grün", text);
    assert_eq!(text, Text::try_from("grün").unwrap());
    assert_eq!(text.as_ref(), "grün");
    assert_eq!(text.chars().count(), 4);
    assert_eq!(format!("{text:>6}|{text:?}"), "  grün|\"grün\"");
    assert!(Text::<8>::new("a").unwrap() < Text::new("ab").unwrap());
    assert!(Text::<8>::new("ab").unwrap() < Text::new("b").unwrap());
    let texts: HashSet<Text<8>> = [text, text, Text::default()].into();
    assert_eq!(texts.len(), 2);
}

#[cfg(feature = "rust_decimal")]
#[test]
fn decimals_of_another_scale_are_one_key_and_two_rows() {
    use rust_decimal::Decimal;

    let (short, long) = (Decimal::new(10, 1), Decimal::new(100, 2));
    assert_eq!(key(&short), key(&long));
    assert_ne!(written(&short), written(&long));
    let mut zero = Decimal::new(0, 3);
    let positive = key(&zero);
    zero.set_sign_negative(true);
    assert_eq!(key(&zero), positive);
    assert!(Decimal::read(&[&[0; 12][..], &[29, 0]].concat()).is_err(), "a scale of 29");
}

#[cfg(any(feature = "jiff", feature = "time"))]
#[test]
fn a_time_of_day_is_before_midnight() {
    let day = 24 * 60 * 60 * 1_000_000_000u64;
    let [last, first_after] = [day - 1, day].map(u64::to_le_bytes);
    #[cfg(feature = "jiff")]
    {
        assert_eq!(jiff::civil::Time::read(&last), Ok(jiff::civil::Time::MAX));
        assert!(jiff::civil::Time::read(&first_after).is_err());
    }
    #[cfg(feature = "time")]
    {
        assert_eq!(time::Time::read(&last), Ok(time::Time::MAX));
        assert!(time::Time::read(&first_after).is_err());
    }
}

#[cfg(feature = "time")]
#[test]
fn an_offset_is_in_the_row_and_not_in_the_key() {
    use time::{OffsetDateTime, UtcOffset};

    let here = OffsetDateTime::UNIX_EPOCH.to_offset(UtcOffset::from_hms(-3, -30, 0).unwrap());
    assert_eq!(OffsetDateTime::read(&written(&here)).unwrap().offset(), here.offset());
    assert_eq!(key(&here), key(&OffsetDateTime::UNIX_EPOCH));
}

/// What a query tests on rows is what the index holds.
#[test]
fn keys_read_from_rows_are_those_of_the_index() {
    fn check<F: Field + IndexKey + Sample>(random: &mut Random) {
        let (mut row, mut expected, mut key) =
            (vec![0; F::WIDTH], vec![0; F::KEY_WIDTH], vec![0; F::KEY_WIDTH]);
        for value in samples::<F>(random) {
            value.write(&mut row);
            value.write_key(&mut expected);
            assert!(has_row_key(&F::TYPE), "{}", type_name::<F>());
            assert!(write_row_key(&F::TYPE, &row, &mut key), "{}", type_name::<F>());
            assert_eq!(key, expected, "{}: row {row:?}", type_name::<F>());
        }
    }
    let random = &mut Random::new();
    macro_rules! check_all {
        ($($type:ty),*) => { $(check::<$type>(random);)* };
    }
    check_all!(
        u8,
        u16,
        u32,
        u64,
        u128,
        i8,
        i16,
        i32,
        i64,
        i128,
        bool,
        char,
        f32,
        f64,
        NonZero<u16>,
        NonZero<i64>,
        [u8; 0],
        [u8; 20],
        [i16; 3],
        [f64; 3],
        [bool; 4],
        [[char; 2]; 2],
        [Option<i32>; 3],
        [Text<3>; 2],
        Option<u8>,
        Option<i64>,
        Option<bool>,
        Option<f32>,
        Option<char>,
        Option<NonZero<i16>>,
        Option<Option<i8>>,
        Option<[i8; 3]>,
        Option<Text<4>>,
        Text<0>,
        Text<1>,
        Text<8>,
        Text<32>
    );
}
