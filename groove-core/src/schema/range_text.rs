//! Ranges of encoded keys as plans show them: `= 7`, `>= 7`, `in 3..=7`, `begins with "UA"`, `is some`, and
//! of a compound key its parts: `= ("JFK", …)`, `= ("HA", 51..=60)`.

use super::key_text::{describe as describe_value, describe_or_hex, hex};
use super::{FieldType, IndexSource, Schema};

/// The type and the width of a part of a key.
type Part = (FieldType, usize);

impl Schema {
    /// The keys from `min` to `max` of the index of this ordinal, both encoded and included.
    pub(crate) fn describe_index_range(&self, ordinal: usize, min: &[u8], max: &[u8]) -> String {
        let index = &self.indexes[ordinal];
        let parts: Vec<Part> = match index.source {
            IndexSource::Fields(names) => {
                let find = |name: &&str| self.fields.iter().find(|field| field.name == *name);
                let fields = names.iter().filter_map(find);
                fields.map(|field| (field.field_type, field.width)).collect()
            }
            IndexSource::Derived { field_type, .. } => vec![(field_type, index.key_width)],
        };
        describe(&parts, min, max)
    }

    /// The keys from `min` to `max` of the field of this ordinal, both encoded and included.
    pub(crate) fn describe_field_range(&self, ordinal: usize, min: &[u8], max: &[u8]) -> String {
        let field = &self.fields[ordinal];
        describe(&[(field.field_type, field.width)], min, max)
    }
}

fn describe(parts: &[Part], min: &[u8], max: &[u8]) -> String {
    let width: usize = parts.iter().map(|(_, width)| width).sum();
    if width != min.len() || width != max.len() {
        // Types of other crates may have keys of another width than their values.
        return match min == max {
            true => format!("= {}", hex(min)),
            false => format!("in {}..={}", hex(min), hex(max)),
        };
    }
    match parts {
        [(field_type, _)] => describe_part(field_type, min, max),
        _ if is_full(min, max) => "is some".to_owned(),
        _ => describe_tuple(parts, min, max),
    }
}

/// Whether it is all keys of this width.
fn is_full(min: &[u8], max: &[u8]) -> bool {
    min.iter().all(|byte| *byte == 0) && max.iter().all(|byte| *byte == 0xff)
}

/// The range of a compound key.
fn describe_tuple(parts: &[Part], min: &[u8], max: &[u8]) -> String {
    let (mut texts, mut at, mut ranged) = (Vec::new(), 0, false);
    for (field_type, width) in parts {
        let (min_part, max_part) = (&min[at..at + width], &max[at..at + width]);
        if is_full(&min[at..], &max[at..]) {
            texts.push("…".to_owned());
            break;
        }
        at += width;
        if !ranged && min_part == max_part {
            texts.push(describe_or_hex(field_type, min_part));
        } else if is_full(&min[at..], &max[at..]) && !ranged {
            ranged = true;
            let text = describe_part(field_type, min_part, max_part);
            texts.push(text.trim_start_matches("in ").to_owned());
        } else {
            // It begins and ends within keys of different parts.
            return format!("in {}..={}", tuple(parts, min), tuple(parts, max));
        }
    }
    format!("= ({})", texts.join(", "))
}

fn tuple(parts: &[Part], mut key: &[u8]) -> String {
    let mut texts = Vec::with_capacity(parts.len());
    for (field_type, width) in parts {
        let (part, rest) = key.split_at(*width);
        let is_end = key.iter().all(|byte| *byte == 0) || key.iter().all(|byte| *byte == 0xff);
        texts.push(if is_end { "…".to_owned() } else { describe_or_hex(field_type, part) });
        if is_end {
            break;
        }
        key = rest;
    }
    format!("({})", texts.join(", "))
}

/// The range of a key of one field.
fn describe_part(field_type: &FieldType, min: &[u8], max: &[u8]) -> String {
    let mut inner = field_type;
    while let FieldType::Newtype(_, field_type) | FieldType::NonZero(field_type) = inner {
        inner = field_type;
    }
    if min == max {
        return format!("= {}", describe_or_hex(field_type, min));
    }
    if let (FieldType::Option(inner), Some((1, min))) = (inner, min.split_first())
        && let [1 | 0xff, max @ ..] = max
    {
        return match is_full(min, max) {
            true => "is some".to_owned(),
            false => describe_part(inner, min, max),
        };
    }
    let is_lowest = min.iter().all(|byte| *byte == 0);
    let is_highest = max.iter().all(|byte| *byte == 0xff);
    let beginning = min.iter().zip(max).take_while(|(min, max)| min == max).count();
    if matches!(inner, FieldType::Text(_) | FieldType::Array(FieldType::Unsigned(8), _))
        && beginning > 0
        && is_full(&min[beginning..], &max[beginning..])
    {
        // Padded, since that is what a text is.
        let mut text = min[..beginning].to_vec();
        if let FieldType::Text(_) = inner {
            text.resize(min.len(), 0);
        }
        return format!("begins with {}", describe_or_hex(inner, &text));
    }
    if let (FieldType::Option(_), Some(0)) = (inner, max.first()) {
        return "= None".to_owned();
    }
    let none = if let FieldType::Option(_) = inner { " or None" } else { "" };
    let (last, max) = match end(field_type, max) {
        Some(end) => ("", end),
        None => ("=", describe_or_hex(field_type, max)),
    };
    match (is_lowest, is_highest) {
        (true, true) => "is some".to_owned(),
        (true, false) => format!("<{last} {max}{none}"),
        (false, true) => format!(">= {}", describe_or_hex(field_type, min)),
        (false, false) => format!("in {}..{last}{max}", describe_or_hex(field_type, min)),
    }
}

/// The first value behind `max`, if `max` itself is no value: what lies below a text is none.
fn end(field_type: &FieldType, max: &[u8]) -> Option<String> {
    if describe_value(field_type, max).is_some() {
        return None;
    }
    let mut end = max.to_vec();
    for byte in end.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return describe_value(field_type, &end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{IndexKey, Text};

    const TEXT: FieldType = FieldType::Text(3);
    const SHORT: FieldType = FieldType::Signed(16);

    fn key<F: IndexKey>(value: F) -> Vec<u8> {
        let mut key = vec![0; F::KEY_WIDTH];
        value.write_key(&mut key);
        key
    }

    #[test]
    fn ranges_of_one_field_are_shown_as_comparisons() {
        let short = |min: i16, max: i16| describe(&[(SHORT, 2)], &key(min), &key(max));
        assert_eq!(short(-3, -3), "= -3");
        assert_eq!(short(i16::MIN, 5), "<= 5");
        assert_eq!(short(5, i16::MAX), ">= 5");
        assert_eq!(short(-3, 5), "in -3..=5");
        assert_eq!(short(i16::MIN, i16::MAX), "is some");
        let text = |min: &[u8], max: &[u8]| describe(&[(TEXT, 3)], min, max);
        assert_eq!(text(b"UA\0", b"UA\xff"), "begins with \"UA\"");
        assert_eq!(text(b"UA\0", b"UB\0"), "in \"UA\"..=\"UB\"");
        assert_eq!(text(b"UA\0", b"UA\0"), "= \"UA\"");
        assert_eq!(text(b"UA\0", b"UB\xff"), "in \"UA\"..\"UC\"");
        assert_eq!(text(b"\0\0\0", b"TZ\xff"), "< \"T[\"");
        assert_eq!(text(b"UA\0", b"\xfe\xff\xff"), "in \"UA\"..=0xfeffff");
        let option = FieldType::Option(&SHORT);
        let option = |min: &[u8], max: &[u8]| describe(&[(option, 3)], min, max);
        assert_eq!(option(&key(Some(i16::MIN)), &[0xff; 3]), "is some");
        assert_eq!(option(&key(Some(7_i16)), &[0xff; 3]), ">= 7");
        assert_eq!(option(&key(Some(7_i16)), &key(Some(9_i16))), "in 7..=9");
        assert_eq!(option(&key(None::<i16>), &key(Some(9_i16))), "<= 9 or None");
        assert_eq!(option(&key(None::<i16>), &key(None::<i16>)), "= None");
        assert_eq!(option(&[0; 3], &[0, 0xff, 0xff]), "= None");
        // A key that is wider than its field.
        assert_eq!(describe(&[(SHORT, 2)], &[1, 2, 3], &[1, 2, 4]), "in 0x010203..=0x010204");
    }

    #[test]
    fn ranges_of_compound_keys_are_shown_by_their_parts() {
        let parts = [(TEXT, 3), (SHORT, 2), (FieldType::Unsigned(8), 1)];
        let make = |text: &str, number: i16, last: u8| {
            key((Text::<3>::new(text).expect("it fits"), number, last))
        };
        let range = |min: &[u8], max: &[u8]| describe(&parts, min, max);
        assert_eq!(range(&make("HA", 51, 7), &make("HA", 51, 7)), "= (\"HA\", 51, 7)");
        assert_eq!(range(&make("HA", 51, 0), &make("HA", 51, 255)), "= (\"HA\", 51, …)");
        assert_eq!(range(&make("HA", 51, 3), &make("HA", 51, 7)), "= (\"HA\", 51, 3..=7)");
        assert_eq!(range(&make("HA", 51, 0), &make("HA", 60, 255)), "= (\"HA\", 51..=60, …)");
        let highest = [0xff; 6];
        assert_eq!(
            range(&[b"HA\0", &[0; 3][..]].concat(), &[b"HA\0", &highest[..3]].concat()),
            "= (\"HA\", …)"
        );
        assert_eq!(
            range(&make("HA", 51, 1), &make("HA", 60, 9)),
            "in (\"HA\", 51, 1)..=(\"HA\", 60, 9)"
        );
        assert_eq!(range(&make("HA", 51, 0), &highest), "in (\"HA\", 51, …)..=(…)");
        assert_eq!(range(&[0; 6], &highest), "is some");
        assert_eq!(range(b"H\0\0\0\0\0", b"H\xff\xff\xff\xff\xff"), "= (begins with \"H\", …)");
    }
}
