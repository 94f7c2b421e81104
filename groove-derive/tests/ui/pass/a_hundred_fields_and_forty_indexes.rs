use std::num::NonZeroU16;

use groove::{Groove, Object, Text};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Wide {
    #[index]
    field_0: u8,
    #[index]
    field_1: u16,
    #[index]
    field_2: u32,
    #[index(primary)]
    field_3: u64,
    #[index]
    field_4: u128,
    #[index]
    field_5: i8,
    #[index]
    field_6: i16,
    #[index]
    field_7: i32,
    #[index]
    field_8: i64,
    #[index]
    field_9: i128,
    #[index]
    field_10: bool,
    #[index]
    field_11: char,
    #[index]
    field_12: f32,
    #[index]
    field_13: f64,
    #[index]
    field_14: [u8; 20],
    #[index]
    field_15: Option<u32>,
    #[index]
    field_16: Text<7>,
    #[index]
    field_17: NonZeroU16,
    #[index]
    field_18: u8,
    #[index]
    field_19: u16,
    #[index]
    field_20: u32,
    #[index]
    field_21: u64,
    #[index]
    field_22: u128,
    #[index]
    field_23: i8,
    #[index]
    field_24: i16,
    #[index]
    field_25: i32,
    #[index]
    field_26: i64,
    #[index]
    field_27: i128,
    #[index]
    field_28: bool,
    #[index]
    field_29: char,
    #[index]
    field_30: f32,
    #[index]
    field_31: f64,
    #[index]
    field_32: [u8; 20],
    #[index]
    field_33: Option<u32>,
    #[index]
    field_34: Text<7>,
    #[index]
    field_35: NonZeroU16,
    #[index]
    field_36: u8,
    #[index]
    field_37: u16,
    #[index]
    field_38: u32,
    #[index]
    field_39: u64,
    #[groove(ignore)]
    field_40: u128,
    #[groove(ignore)]
    field_41: i8,
    #[groove(ignore)]
    field_42: i16,
    #[groove(ignore)]
    field_43: i32,
    #[groove(ignore)]
    field_44: i64,
    #[groove(ignore)]
    field_45: i128,
    #[groove(ignore)]
    field_46: bool,
    #[groove(ignore)]
    field_47: char,
    #[groove(ignore)]
    field_48: f32,
    #[groove(ignore)]
    field_49: f64,
    #[groove(ignore)]
    field_50: [u8; 20],
    #[groove(ignore)]
    field_51: Option<u32>,
    #[groove(ignore)]
    field_52: Text<7>,
    #[groove(ignore)]
    field_53: NonZeroU16,
    #[groove(ignore)]
    field_54: u8,
    #[groove(ignore)]
    field_55: u16,
    #[groove(ignore)]
    field_56: u32,
    #[groove(ignore)]
    field_57: u64,
    #[groove(ignore)]
    field_58: u128,
    #[groove(ignore)]
    field_59: i8,
    #[groove(ignore)]
    field_60: i16,
    #[groove(ignore)]
    field_61: i32,
    #[groove(ignore)]
    field_62: i64,
    #[groove(ignore)]
    field_63: i128,
    #[groove(ignore)]
    field_64: bool,
    #[groove(ignore)]
    field_65: char,
    #[groove(ignore)]
    field_66: f32,
    #[groove(ignore)]
    field_67: f64,
    #[groove(ignore)]
    field_68: [u8; 20],
    #[groove(ignore)]
    field_69: Option<u32>,
    #[groove(ignore)]
    field_70: Text<7>,
    #[groove(ignore)]
    field_71: NonZeroU16,
    #[groove(ignore)]
    field_72: u8,
    #[groove(ignore)]
    field_73: u16,
    #[groove(ignore)]
    field_74: u32,
    #[groove(ignore)]
    field_75: u64,
    #[groove(ignore)]
    field_76: u128,
    #[groove(ignore)]
    field_77: i8,
    #[groove(ignore)]
    field_78: i16,
    #[groove(ignore)]
    field_79: i32,
    #[groove(ignore)]
    field_80: i64,
    #[groove(ignore)]
    field_81: i128,
    #[groove(ignore)]
    field_82: bool,
    #[groove(ignore)]
    field_83: char,
    #[groove(ignore)]
    field_84: f32,
    #[groove(ignore)]
    field_85: f64,
    #[groove(ignore)]
    field_86: [u8; 20],
    #[groove(ignore)]
    field_87: Option<u32>,
    #[groove(ignore)]
    field_88: Text<7>,
    #[groove(ignore)]
    field_89: NonZeroU16,
    #[groove(ignore)]
    field_90: u8,
    #[groove(ignore)]
    field_91: u16,
    #[groove(ignore)]
    field_92: u32,
    #[groove(ignore)]
    field_93: u64,
    #[groove(ignore)]
    field_94: u128,
    #[groove(ignore)]
    field_95: i8,
    #[groove(ignore)]
    field_96: i16,
    #[groove(ignore)]
    field_97: i32,
    #[groove(ignore)]
    field_98: i64,
    timestamp: u64,
}

fn main() {
    let wide = Wide {
        field_0: 0,
        field_1: 1,
        field_2: 2,
        field_3: 3,
        field_4: 4,
        field_5: 5,
        field_6: 6,
        field_7: 7,
        field_8: 8,
        field_9: 9,
        field_10: true,
        field_11: 'x',
        field_12: 0.5,
        field_13: -0.5,
        field_14: [7; 20],
        field_15: Some(7),
        field_16: Text::new("seven").expect("it fits"),
        field_17: NonZeroU16::MAX,
        field_18: 18,
        field_19: 19,
        field_20: 20,
        field_21: 21,
        field_22: 22,
        field_23: 23,
        field_24: 24,
        field_25: 25,
        field_26: 26,
        field_27: 27,
        field_28: true,
        field_29: 'x',
        field_30: 0.5,
        field_31: -0.5,
        field_32: [7; 20],
        field_33: Some(7),
        field_34: Text::new("seven").expect("it fits"),
        field_35: NonZeroU16::MAX,
        field_36: 36,
        field_37: 37,
        field_38: 38,
        field_39: 39,
        field_40: 40,
        field_41: 41,
        field_42: 42,
        field_43: 43,
        field_44: 44,
        field_45: 45,
        field_46: true,
        field_47: 'x',
        field_48: 0.5,
        field_49: -0.5,
        field_50: [7; 20],
        field_51: Some(7),
        field_52: Text::new("seven").expect("it fits"),
        field_53: NonZeroU16::MAX,
        field_54: 54,
        field_55: 55,
        field_56: 56,
        field_57: 57,
        field_58: 58,
        field_59: 59,
        field_60: 60,
        field_61: 61,
        field_62: 62,
        field_63: 63,
        field_64: true,
        field_65: 'x',
        field_66: 0.5,
        field_67: -0.5,
        field_68: [7; 20],
        field_69: Some(7),
        field_70: Text::new("seven").expect("it fits"),
        field_71: NonZeroU16::MAX,
        field_72: 72,
        field_73: 73,
        field_74: 74,
        field_75: 75,
        field_76: 76,
        field_77: 77,
        field_78: 78,
        field_79: 79,
        field_80: 80,
        field_81: 81,
        field_82: true,
        field_83: 'x',
        field_84: 0.5,
        field_85: -0.5,
        field_86: [7; 20],
        field_87: Some(7),
        field_88: Text::new("seven").expect("it fits"),
        field_89: NonZeroU16::MAX,
        field_90: 90,
        field_91: 91,
        field_92: 92,
        field_93: 93,
        field_94: 94,
        field_95: 95,
        field_96: 96,
        field_97: 97,
        field_98: 98,
        timestamp: 9,
    };
    assert_eq!((Wide::SCHEMA.fields.len(), Wide::SCHEMA.indexes.len()), (99, 40));
    let mut row = [0xAA; Wide::ROW_WIDTH];
    wide.write_row(&mut row);
    assert_eq!(Wide::read_row(9, &row), Ok(wide));
    let _ = (Wide::FIELD_3, Wide::FIELD_39, Wide::TIMESTAMP);
}
