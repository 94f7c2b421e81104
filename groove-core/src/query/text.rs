//! Conditions as texts, with the names and values that the schema knows.

use std::fmt;

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::schema::Schema;

use super::handle::all_timestamps;
use super::key_range::{EncodedKey, KeyRange};
use super::predicate::Node;
use super::stream::Window;

/// Keys of an index that are printed one by one.
pub(super) const PRINTED_RANGES_MAX: usize = 4;

/// What has a key.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Index(usize),
    Field(usize),
}

/// A name, and the keys that are wanted of it: `code = 3 or 7`.
pub(super) fn keys(schema: &Schema, column: Column, ranges: &[KeyRange]) -> String {
    let name = match column {
        Column::Index(index) => schema.indexes[index].name,
        Column::Field(field) => schema.fields[field].name,
    };
    let printed = &ranges[..ranges.len().min(PRINTED_RANGES_MAX)];
    let mut texts: Vec<String> = printed.iter().map(|range| text(schema, column, range)).collect();
    for at in (1..texts.len()).rev() {
        // One sign is enough for several single keys.
        if ranges[at - 1].is_point() && ranges[at].is_point() {
            texts[at] = texts[at].trim_start_matches("= ").to_owned();
        }
    }
    if printed.len() < ranges.len() {
        texts.push(format!("{} more", ranges.len() - printed.len()));
    }
    format!("{name} {}", texts.join(" or "))
}

/// As [`keys`], of a single key.
pub(super) fn key(schema: &Schema, index: usize, key: EncodedKey) -> String {
    keys(schema, Column::Index(index), &[KeyRange { min: key, max: key }])
}

fn text(schema: &Schema, column: Column, range: &KeyRange) -> String {
    let width = match column {
        Column::Index(index) => schema.indexes[index].key_width,
        Column::Field(field) => schema.fields[field].width.min(INDEX_KEY_WIDTH_MAX),
    };
    let (mut min, mut max) = ([0; INDEX_KEY_WIDTH_MAX], [0; INDEX_KEY_WIDTH_MAX]);
    range.min.to_bytes(&mut min);
    range.max.to_bytes(&mut max);
    let from = INDEX_KEY_WIDTH_MAX - width;
    match column {
        Column::Index(index) => schema.describe_index_range(index, &min[from..], &max[from..]),
        Column::Field(field) => schema.describe_field_range(field, &min[from..], &max[from..]),
    }
}

/// The timestamps of a window: `timestamps 3..=7`; `None` if it is all.
pub(super) fn timestamps(window: Window) -> Option<String> {
    match (window.min <= Window::ALL.min, window.max >= Window::ALL.max) {
        (true, true) => None,
        (true, false) => Some(format!("timestamps <= {}", window.max)),
        (false, true) => Some(format!("timestamps >= {}", window.min)),
        (false, false) if window.min == window.max => Some(format!("timestamp = {}", window.min)),
        (false, false) => Some(format!("timestamps {}..={}", window.min, window.max)),
    }
}

/// A predicate with the names of its schema.
pub(super) struct Named<'a> {
    pub(super) schema: &'static Schema,
    pub(super) node: &'a Node,
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named { schema, node } = *self;
        let (operator, nodes) = match node {
            Node::All => return formatter.write_str("all"),
            Node::None => return formatter.write_str("none"),
            Node::Keys { index, range } => {
                return formatter.write_str(&keys(schema, Column::Index(*index), &[*range]));
            }
            Node::Present { index } => {
                return write!(formatter, "{} is some", schema.indexes[*index].name);
            }
            Node::Field { field, range, .. } => {
                return formatter.write_str(&keys(schema, Column::Field(*field), &[*range]));
            }
            Node::Timestamps(range) => {
                let range = range.intersection(&all_timestamps());
                let window = range.map_or(Window::EMPTY, |range| Window {
                    min: range.min.low(),
                    max: range.max.low(),
                });
                let text = timestamps(window).unwrap_or_else(|| "all timestamps".to_owned());
                return formatter.write_str(&text);
            }
            Node::Not(node) => {
                if let Node::Present { index } = **node {
                    return write!(formatter, "{} is none", schema.indexes[index].name);
                }
                formatter.write_str("!")?;
                let brackets = !matches!(**node, Node::And(_) | Node::Or(_) | Node::Not(_));
                let node = Named { schema, node };
                return match brackets {
                    true => write!(formatter, "({node:?})"),
                    false => node.fmt(formatter),
                };
            }
            Node::And(nodes) => (" & ", nodes),
            Node::Or(nodes) => (" | ", nodes),
        };
        for (at, node) in nodes.iter().enumerate() {
            formatter.write_str(if at == 0 { "(" } else { operator })?;
            Named { schema, node }.fmt(formatter)?;
        }
        formatter.write_str(")")
    }
}
