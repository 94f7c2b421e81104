//! The schema as the file stores it, and what differs between two of them.
//!
//! A line per groove, and below it, indented, a line per field and per index:
//!
//! ```text
//! groove transfers: Transfer, timestamp timestamp, orphaned ids, row of 18 bytes
//!   field id: u128, 16 bytes at 0
//!   field code: u16, 2 bytes at 16
//!   index id: primary on id, key of 16 bytes
//!   index code: non-unique optional on code, key of 2 bytes
//! ```
//!
//! Two schemas are the same precisely if their texts are. A text read from a file is compared and
//! shown, never trusted: any bytes of UTF-8 give a difference, in bounded time and length.

use std::fmt::{self, Write as _};

use super::display::{Count, Kind, Name, Source};
use super::{FieldSchema, IndexSchema, Schema};

/// A groove of a forest: an object type under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrooveSchema {
    /// The groove's name in the forest.
    pub name: &'static str,
    /// The type of its objects.
    pub schema: &'static Schema,
}

/// The text of `grooves`, in their order, that the file stores.
///
/// It changes if, and only if, objects or trees mean something else: a name, a type with its
/// variants and discriminants, a width, an offset, an index with its kind, its fields or its version.
pub fn canonical(grooves: &[GrooveSchema]) -> String {
    let mut text = String::new();
    for groove in grooves {
        write_groove(&mut text, groove).expect("writing to a string does not fail");
    }
    text
}

fn write_groove(text: &mut String, groove: &GrooveSchema) -> fmt::Result {
    let schema = groove.schema;
    let orphaned = if schema.orphaned_ids { ", orphaned ids" } else { "" };
    writeln!(
        text,
        "{GROOVE}{}: {}, timestamp {}{orphaned}, row of {}",
        Name(groove.name),
        Name(schema.name),
        Name(schema.timestamp),
        Count(schema.row_width(), "byte"),
    )?;
    for FieldSchema { name, field_type, width, offset } in schema.fields {
        let width = Count(*width, "byte");
        writeln!(text, "  field {}: {field_type}, {width}{AT}{offset}", Name(name))?;
    }
    for index @ IndexSchema { name, key_width, source, .. } in schema.indexes {
        let (kind, source, width) = (Kind(index), Source(source), Count(*key_width, "byte"));
        writeln!(text, "  index {}: {kind} on {source}, key of {width}", Name(name))?;
    }
    Ok(())
}

/// What the line of a groove begins with.
const GROOVE: &str = "groove ";
/// What the offset of a field, the end of its line, begins with.
const AT: &str = " at ";

/// Cells of the table that finds the longest common lines: 4 MiB. Grooves of some hundred lines fit
/// several times over.
const CELLS_MAX: usize = 1 << 20;
/// Lines of a difference; the others are counted.
const LINES_MAX: usize = 200;
/// Characters of a line of a difference.
const CHARACTERS_MAX: usize = 400;

/// What differs between two texts of [`canonical`], a line each: `- ` as stored, `+ ` as in this
/// program, under the name of their groove; empty if nothing does.
///
/// A field that only begins elsewhere, because one before it was added or removed, is not listed.
///
/// ```
/// use groove_core::schema::difference;
///
/// let stored = "groove orders: Order\n  field price: u32, 4 bytes at 0\n";
/// let current = "groove orders: Order\n  field price: u64, 8 bytes at 0\n";
/// assert_eq!(
///     difference(stored, current),
///     "in groove orders:\n- field price: u32, 4 bytes at 0\n+ field price: u64, 8 bytes at 0\n"
/// );
/// ```
pub fn difference(stored: &str, current: &str) -> String {
    if stored == current {
        return String::new();
    }
    let (stored, current) = (Line::all(stored), Line::all(current));
    let mut changes = changes(&stored, &current, Line::is_same_but_offset);
    if changes.is_empty() {
        changes = self::changes(&stored, &current, |a, b| a.content == b.content);
    }
    if changes.is_empty() {
        return "the texts differ in white space only\n".to_owned();
    }
    show(&changes)
}

/// A line of a text, and the groove it belongs to.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    groove: &'a str,
    content: &'a str,
}

impl<'a> Line<'a> {
    fn all(text: &'a str) -> Vec<Line<'a>> {
        let mut groove = "";
        let mut lines = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix(GROOVE) {
                groove = name.split_once(": ").map_or(name, |(name, _)| name);
            }
            lines.push(Line { groove, content: line.trim() });
        }
        lines
    }

    fn is_same_but_offset(&self, other: &Line<'_>) -> bool {
        (self.groove, self.without_offset()) == (other.groove, other.without_offset())
    }

    fn without_offset(&self) -> &'a str {
        match self.content.rsplit_once(AT) {
            Some((before, offset)) if offset.bytes().all(|byte| byte.is_ascii_digit()) => before,
            _ => self.content,
        }
    }
}

/// A line that only one of the texts has.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Removed(Line<'a>),
    Added(Line<'a>),
}

/// The lines outside the longest common subsequence, removed ones first where both meet.
fn changes<'a>(
    stored: &[Line<'a>],
    current: &[Line<'a>],
    same: impl Fn(&Line<'a>, &Line<'a>) -> bool,
) -> Vec<Change<'a>> {
    let before = stored.iter().zip(current).take_while(|(a, b)| same(a, b)).count();
    let (stored, current) = (&stored[before..], &current[before..]);
    let pairs = stored.iter().rev().zip(current.iter().rev());
    let after = pairs.take_while(|(a, b)| same(a, b)).count();
    let stored = &stored[..stored.len() - after];
    let current = &current[..current.len() - after];

    let row = current.len() + 1;
    let mut changes = Vec::new();
    if (stored.len() + 1).saturating_mul(row) > CELLS_MAX {
        changes.extend(stored.iter().map(|line| Change::Removed(*line)));
        changes.extend(current.iter().map(|line| Change::Added(*line)));
        return changes;
    }
    // common[i * row + j]: the most lines that stored[i..] and current[j..] have in common.
    let mut common = vec![0u32; (stored.len() + 1) * row];
    for (i, a) in stored.iter().enumerate().rev() {
        for (j, b) in current.iter().enumerate().rev() {
            common[i * row + j] = if same(a, b) {
                common[(i + 1) * row + j + 1] + 1
            } else {
                common[(i + 1) * row + j].max(common[i * row + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < stored.len() || j < current.len() {
        if i < stored.len() && j < current.len() && same(&stored[i], &current[j]) {
            (i, j) = (i + 1, j + 1);
        } else if j == current.len()
            || i < stored.len() && common[(i + 1) * row + j] >= common[i * row + j + 1]
        {
            changes.push(Change::Removed(stored[i]));
            i += 1;
        } else {
            changes.push(Change::Added(current[j]));
            j += 1;
        }
    }
    changes
}

/// The changes under the names of their grooves; lines and their number are cut to their limits.
fn show(changes: &[Change<'_>]) -> String {
    let mut text = String::new();
    let mut groove_before = None;
    for change in changes.iter().take(LINES_MAX) {
        let (sign, line) = match change {
            Change::Removed(line) => ('-', line),
            Change::Added(line) => ('+', line),
        };
        let is_head = line.content.starts_with(GROOVE);
        if !is_head && groove_before != Some(line.groove) && !line.groove.is_empty() {
            text.extend(["in groove ", &cut(line.groove), ":\n"]);
        }
        groove_before = Some(line.groove);
        text.extend([sign.encode_utf8(&mut [0; 4]), " ", &cut(line.content), "\n"]);
    }
    if changes.len() > LINES_MAX {
        text.extend(["… and ", &(changes.len() - LINES_MAX).to_string(), " lines more\n"]);
    }
    text
}

/// At most [`CHARACTERS_MAX`] characters, those that would disturb a terminal left out.
fn cut(line: &str) -> String {
    let mut characters = line.chars().filter(|character| !character.is_control());
    let mut cut: String = characters.by_ref().take(CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        cut.push('…');
    }
    cut
}
