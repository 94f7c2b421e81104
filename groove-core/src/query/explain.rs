//! [`Explanation`]: how a query is answered, and what that took.

use std::fmt;

use crate::error::QueryError;
use crate::schema::Schema;
use crate::tree::Direction;

use super::key_range::{KeyRange, RangeSet};
use super::plan::{Goal, Kind, Meters, RowTest, Step, Test};
use super::request::{ChosenMeters, Request};
use super::rows::BATCH_ROWS_MAX;
use super::stream::Window;

/// Parts of a union that are printed one by one.
const PRINTED_PARTS_MAX: usize = 8;

/// The line of the rows of an answer.
const LOOKED_UP: &str = "rows, looked up in batches";

/// What a walk in the order of an index did.
pub(super) struct Walked {
    pub(super) schema: &'static Schema,
    pub(super) index: &'static str,
    pub(super) direction: Direction,
    pub(super) limit: Option<usize>,
    /// Objects that were given, entries that were walked, blocks that were looked into.
    pub(super) found: u64,
    pub(super) walked: u64,
    pub(super) index_blocks: u64,
    pub(super) row_blocks: u64,
    /// The condition, if it was tested on rows.
    pub(super) tested: Option<String>,
    /// How the timestamps of the answer were found, if they were collected first.
    pub(super) members: Option<Explanation>,
}

/// Keys of an index that are printed one by one.
const PRINTED_RANGES_MAX: usize = 4;

/// The plan of a query, with what was expected and what there was. Prints as a tree: a line per step,
/// with the rows (timestamps) that it was expected to give, those that it gave, and the value blocks
/// that it looked into, in the cache or on disk.
///
/// A step gives rows only as far as it is asked: under a limit or beside a smaller step, fewer than it
/// has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    title: String,
    lines: Vec<Line>,
    rows: u64,
    estimated: u64,
    blocks: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    depth: usize,
    text: String,
    /// Expected rows, rows, blocks; steps that read nothing themselves have no blocks.
    figures: Option<(u64, u64, u64)>,
}

impl Explanation {
    pub(super) fn of(request: &Request) -> Result<Explanation, QueryError> {
        let schema = request.view.schema;
        let window = request.window_after()?;
        let limit = u64::try_from(request.limit()).unwrap_or(u64::MAX);
        let goal = Goal { limit: limit.saturating_add(1), rows: true };
        let chosen = request.choose(window, goal, true)?;
        let meters = ChosenMeters {
            own: Meters::new(chosen.own.steps()),
            shared: chosen.shared.iter().map(|(_, step)| Meters::new(step.steps())).collect(),
            rows: Meters::new(1),
        };
        let mut found = 0;
        if limit > 0 {
            let mut rows = request.open_rows(&chosen, window, BATCH_ROWS_MAX, Some(&meters));
            while rows.next()?.is_some() {
                found += 1;
            }
            rows.has_more()?;
        }
        let estimated = chosen.shared.iter().map(|(_, step)| step.rows());
        let estimated = estimated.fold(chosen.own.rows(), u64::min);
        let mut printer = Printer { schema, meters: &meters.own, lines: Vec::new() };
        if chosen.carries_rows() {
            printer.step(&chosen.own, 0);
        } else {
            let (_, blocks) = meters.rows.read(0);
            let figures = Some((estimated.min(limit), found, blocks));
            let text = LOOKED_UP.to_owned();
            printer.lines.push(Line { depth: 0, text, figures });
            if chosen.shared.is_empty() {
                printer.step(&chosen.own, 1);
            } else {
                let text = format!("timestamps of {} that others share", schema.name);
                printer.lines.push(Line { depth: 1, text, figures: Some((estimated, found, 0)) });
                printer.step(&chosen.own, 2);
                for ((view, step), meters) in chosen.shared.iter().zip(&meters.shared) {
                    let text = format!("of {}", view.schema.name);
                    let lines = std::mem::take(&mut printer.lines);
                    printer = Printer { schema: view.schema, meters, lines };
                    printer.lines.push(Line { depth: 2, text, figures: None });
                    printer.step(step, 3);
                }
            }
        }
        let lines = printer.lines;
        let direction = match request.direction {
            Direction::Ascending => "oldest first",
            Direction::Descending => "newest first",
        };
        let mut title = format!("{}, {direction}", schema.name);
        if let Some(limit) = request.limit {
            title += &format!(", limit {limit}");
        }
        if let Some(after) = request.after {
            title += &format!(", after {}", after.timestamp());
        }
        let blocks = lines.iter().filter_map(|line| Some(line.figures?.2)).sum();
        Ok(Explanation { title, lines, rows: found, estimated, blocks })
    }

    pub(super) fn of_ordered(walked: Walked) -> Explanation {
        let Walked { schema, index, direction, found, .. } = walked;
        let from = match direction {
            Direction::Ascending => "lowest",
            Direction::Descending => "highest",
        };
        let mut title = format!("{}, {from} {index} first", schema.name);
        if let Some(limit) = walked.limit {
            title += &format!(", limit {limit}");
        }
        let estimated = walked.members.as_ref().map_or(found, |members| members.estimated);
        let rows = match &walked.tested {
            Some(test) => format!("rows, looked up in batches, that have {test}"),
            None => "rows, looked up in batches".to_owned(),
        };
        let entries = format!("entries of {index} from the {from} key on");
        let mut lines = vec![
            Line { depth: 0, text: rows, figures: Some((estimated, found, walked.row_blocks)) },
            Line {
                depth: 1,
                text: entries,
                figures: Some((walked.walked, walked.walked, walked.index_blocks)),
            },
        ];
        if let Some(members) = walked.members {
            let text = "of these timestamps, collected first".to_owned();
            lines.push(Line { depth: 1, text, figures: None });
            // What would look the rows up is not part of it.
            let inner = members.lines.into_iter().filter(|line| line.text != LOOKED_UP);
            lines.extend(inner.map(|line| Line { depth: line.depth + 1, ..line }));
        }
        let blocks = lines.iter().filter_map(|line| Some(line.figures?.2)).sum();
        Explanation { title, lines, rows: found, estimated, blocks }
    }

    /// Objects that the query gave.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Objects that were expected to meet the conditions, whatever the limit.
    pub fn estimated_rows(&self) -> u64 {
        self.estimated
    }

    /// Value blocks that were looked into, in the cache or on disk; those that were counted to choose
    /// the plan are not among them.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |line: &Line| format!("{}{}", "  ".repeat(line.depth), line.text);
        let width = self.lines.iter().map(|line| text(line).chars().count());
        let width = width.chain([self.title.chars().count()]).max().unwrap_or(0);
        writeln!(formatter, "{:width$}  expected      rows    blocks", self.title)?;
        for (at, line) in self.lines.iter().enumerate() {
            if at > 0 {
                writeln!(formatter)?;
            }
            match line.figures {
                None => write!(formatter, "{}", text(line))?,
                Some((estimated, rows, blocks)) => {
                    write!(formatter, "{:width$}", text(line))?;
                    write!(formatter, "{estimated:>10}{rows:>10}{blocks:>10}")?;
                }
            }
        }
        Ok(())
    }
}

struct Printer<'a> {
    schema: &'static Schema,
    meters: &'a Meters,
    lines: Vec<Line>,
}

impl Printer<'_> {
    fn step(&mut self, step: &Step, depth: usize) {
        let (rows, blocks) = self.meters.read(step.id);
        let text = match &step.kind {
            Kind::Nothing => "nothing".to_owned(),
            Kind::Objects(window) => format!("all objects, in one scan{}", within(*window)),
            Kind::Timestamps(windows) => {
                format!("timestamps in {} ranges, no reads", windows.len())
            }
            Kind::Entries { index, key, window } => {
                let keys = self.keys(*index, &[KeyRange { min: *key, max: *key }]);
                format!("{keys}, scanned{}", within(*window))
            }
            Kind::Collected { index, ranges, window } => {
                let keys = self.keys(*index, ranges);
                format!("{keys}, collected and sorted{}", within(*window))
            }
            Kind::Union(_) => "any of, merged".to_owned(),
            Kind::Intersection(_) => "all of, by zig-zag".to_owned(),
            Kind::Filtered { tests, .. } => {
                let tests: Vec<String> = tests.iter().map(|test| self.test(test, false)).collect();
                format!("that have {}", tests.join(" and "))
            }
        };
        let figures = Some((step.rows(), rows, blocks));
        self.lines.push(Line { depth, text, figures });
        match &step.kind {
            Kind::Union(parts) if parts.len() > PRINTED_PARTS_MAX => {
                parts[..PRINTED_PARTS_MAX].iter().for_each(|part| self.step(part, depth + 1));
                self.rest(&parts[PRINTED_PARTS_MAX..], depth + 1);
            }
            Kind::Union(parts) | Kind::Intersection(parts) => {
                parts.iter().for_each(|part| self.step(part, depth + 1));
            }
            Kind::Filtered { source, tests } => {
                self.step(source, depth + 1);
                tests.iter().for_each(|test| self.members(test, depth + 1));
            }
            _ => {}
        }
    }

    /// Many parts of a union in one line.
    fn rest(&mut self, parts: &[Step], depth: usize) {
        let mut printer = Printer { schema: self.schema, meters: self.meters, lines: Vec::new() };
        parts.iter().for_each(|part| printer.step(part, 0));
        let blocks = printer.lines.iter().filter_map(|line| Some(line.figures?.2)).sum();
        let expected = parts.iter().map(Step::rows).fold(0, u64::saturating_add);
        let rows = parts.iter().map(|part| self.meters.read(part.id).0).sum();
        let text = format!("… and {} more", parts.len());
        self.lines.push(Line { depth, text, figures: Some((expected, rows, blocks)) });
    }

    /// The steps that tests ask.
    fn members(&mut self, test: &Test, depth: usize) {
        match test {
            Test::Member(Step { kind: Kind::Timestamps(_), .. }) | Test::Row(_) => {}
            Test::Member(step) => {
                self.step(step, depth);
                if let Some(line) = self.lines.iter_mut().rfind(|line| line.depth == depth) {
                    line.text = format!("asked: {}", line.text);
                }
            }
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().for_each(|test| self.members(test, depth));
            }
            Test::Not(test) => self.members(test, depth),
        }
    }

    /// A condition as a text; in brackets if `inner` and of several parts.
    fn test(&self, test: &Test, inner: bool) -> String {
        let join = |tests: &[Test], operator: &str| {
            let tests: Vec<String> = tests.iter().map(|test| self.test(test, true)).collect();
            let text = tests.join(operator);
            if inner { format!("({text})") } else { text }
        };
        match test {
            Test::Member(step) => self.member(step),
            Test::Row(test) => self.row_test(test),
            Test::All(tests) => join(tests, " and "),
            Test::Any(tests) => join(tests, " or "),
            Test::Not(test) => format!("not {}", self.test(test, true)),
        }
    }

    fn member(&self, step: &Step) -> String {
        match &step.kind {
            Kind::Entries { index, key, .. } => {
                self.keys(*index, &[KeyRange { min: *key, max: *key }])
            }
            Kind::Collected { index, ranges, .. } => self.keys(*index, ranges),
            Kind::Timestamps(windows) => match windows[..] {
                [window] => format!("a timestamp of {}..={}", window.min, window.max),
                _ => format!("a timestamp of {} ranges", windows.len()),
            },
            Kind::Union(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.member(part)).collect();
                match parts.len() {
                    0..=PRINTED_RANGES_MAX => format!("({})", parts.join(" or ")),
                    length => format!("({} or … of {length})", parts[0]),
                }
            }
            _ => "what is asked below".to_owned(),
        }
    }

    fn keys(&self, index: usize, ranges: &[KeyRange]) -> String {
        ranges_text(self.schema, Column::Index(index), ranges)
    }

    fn row_test(&self, test: &RowTest) -> String {
        let column = match test.index() {
            Ok(index) => Column::Index(index),
            Err(field) => Column::Field(field),
        };
        let set: &RangeSet = &test.set;
        format!("{} in the row", ranges_text(self.schema, column, set.ranges()))
    }
}

#[derive(Clone, Copy)]
enum Column {
    Index(usize),
    Field(usize),
}

/// A name and the keys that are wanted of it.
fn ranges_text(schema: &Schema, column: Column, ranges: &[KeyRange]) -> String {
    let (name, width) = match column {
        Column::Index(index) => (schema.indexes[index].name, schema.indexes[index].key_width),
        Column::Field(field) => (schema.fields[field].name, schema.fields[field].width),
    };
    let value = |key: &super::key_range::EncodedKey| {
        let mut bytes = [0; crate::constants::INDEX_KEY_WIDTH_MAX];
        key.to_bytes(&mut bytes);
        let width = width.min(bytes.len());
        let bytes = &bytes[bytes.len() - width..];
        match column {
            Column::Index(index) => schema.describe_key(index, bytes),
            Column::Field(field) => schema.describe_field(field, bytes),
        }
    };
    let full = KeyRange::full(width.min(crate::constants::INDEX_KEY_WIDTH_MAX));
    let text = |range: &KeyRange| match (range.min == full.min, range.max == full.max) {
        _ if range.is_point() => format!("= {}", value(&range.min)),
        (true, true) => "of any value".to_owned(),
        (true, false) => format!("<= {}", value(&range.max)),
        (false, true) => format!(">= {}", value(&range.min)),
        (false, false) => format!("{} to {}", value(&range.min), value(&range.max)),
    };
    let mut texts: Vec<String> = ranges.iter().take(PRINTED_RANGES_MAX).map(text).collect();
    if ranges.len() > PRINTED_RANGES_MAX {
        texts.push(format!("… of {}", ranges.len()));
    }
    format!("{name} {}", texts.join(" or "))
}

fn within(window: Window) -> String {
    match (window.min == Window::ALL.min, window.max == Window::ALL.max) {
        (true, true) => String::new(),
        (true, false) => format!(", up to {}", window.max),
        (false, true) => format!(", from {}", window.min),
        (false, false) => format!(", {}..={}", window.min, window.max),
    }
}
