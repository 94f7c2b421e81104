//! [`Explanation`]: how a query is answered, and what that took.

use std::fmt;

use crate::error::QueryError;
use crate::schema::{IndexKind, Schema};
use crate::tree::Direction;

use super::key_range::KeyRange;
use super::ordered::{Method, Order, Source};
use super::plan::{Goal, Kind, Meters, RowTest, Step, Test};
use super::request::{Chosen, ChosenMeters, Request};
use super::rows::BATCH_ROWS_MAX;
use super::stream::Window;
use super::text::{self, Column, PRINTED_RANGES_MAX};

/// Parts of a union that are printed one by one.
const PRINTED_PARTS_MAX: usize = 8;

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
        let measure = |frugal| {
            let goal = Goal { limit: limit.saturating_add(1), rows: true, frugal };
            let chosen = request.choose(window, goal, true)?;
            let meters = chosen.meters();
            let mut found = 0;
            if limit > 0 {
                let mut rows = request.open_rows(&chosen, window, BATCH_ROWS_MAX, Some(&meters));
                while rows.next()?.is_some() {
                    found += 1;
                }
                rows.has_more()?;
            }
            Ok((chosen, meters, found))
        };
        let (chosen, meters, found) = match measure(false) {
            Err(QueryError::OutOfMemory { .. }) => measure(true)?,
            measured => measured?,
        };
        let estimated = chosen.expected();
        let mut lines = Vec::new();
        print_chosen(request, &chosen, &meters, (estimated.min(limit), found), 0, &mut lines);
        let direction = match request.direction {
            Direction::Ascending => "oldest first",
            Direction::Descending => "newest first",
        };
        let mut title = format!("{}, {direction}", schema.name);
        if let Some(limit) = request.limit {
            title += &format!(", limit {limit}");
        }
        if let Some(after) = request.after {
            title += &format!(", after timestamp {}", after.timestamp());
        }
        let blocks = lines.iter().filter_map(|line| Some(line.figures?.2)).sum();
        Ok(Explanation { title, lines, rows: found, estimated, blocks })
    }

    /// Of an answer in the order of an index.
    pub(super) fn of_order(order: &Order) -> Result<Explanation, QueryError> {
        let Order { request, ordinal, direction } = order;
        let schema = request.view.schema;
        let (index, end) = (order.index(), end(*direction));
        let mut title = format!("{}, {end} {index} first", schema.name);
        if let Some(limit) = request.limit {
            title += &format!(", limit {limit}");
        }
        if let Some(at) = request.position_after(*ordinal)? {
            let key = text::key(schema, *ordinal, at.key);
            title += &format!(", after {key} at timestamp {}", at.timestamp);
        }
        if request.limit == Some(0) {
            let lines =
                vec![Line { depth: 0, text: "nothing".to_owned(), figures: Some((0, 0, 0)) }];
            return Ok(Explanation { title, lines, rows: 0, estimated: 0, blocks: 0 });
        }
        let (source, found) = order.measure()?;
        let mut lines = Vec::new();
        print_source(order, &source, 0, &mut lines);
        if let Some(abandoned) = &source.abandoned {
            let text = "after a walk that took too long:".to_owned();
            lines.push(Line { depth: 0, text, figures: None });
            print_source(order, abandoned, 1, &mut lines);
        }
        let blocks = lines.iter().filter_map(|line| Some(line.figures?.2)).sum();
        Ok(Explanation { title, lines, rows: found, estimated: source.expected(), blocks })
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

/// The line of rows that are looked up.
const LOOKED_UP: &str = "rows, looked up in batches";

/// Which end of an index comes first.
fn end(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "lowest",
        Direction::Descending => "highest",
    }
}

/// Prints how objects come into the order of an index.
fn print_source(order: &Order, source: &Source, depth: usize, lines: &mut Vec<Line>) {
    let Order { request, direction, .. } = order;
    let (schema, index, end) = (request.view.schema, order.index(), end(*direction));
    let meters = source.meters.as_ref().expect("it was measured");
    let limit = u64::try_from(request.limit()).unwrap_or(u64::MAX);
    let expected = source.expected();
    let (figures, row_blocks) = ((expected.min(limit), source.given), meters.rows.read(0).1);
    let entries = entries_text(schema, source.walked_ordinal(), &source.ranges_left());
    let entries = format!("{entries}, {end} first");
    let sorted = format!("sorted by {index}, {end} first");
    let entries_figures = Some((source.expected_walk(), source.walked(), meters.entries.read(0).1));
    let mut line = |depth, text: &str, (expected, rows): (u64, u64), blocks| {
        let text = text.to_owned();
        lines.push(Line { depth, text, figures: Some((expected, rows, blocks)) });
    };
    match &source.method {
        Method::Entries => {
            line(depth, LOOKED_UP, figures, row_blocks);
            lines.push(Line { depth: depth + 1, text: entries, figures: entries_figures });
        }
        Method::Test(keep) => {
            let tests = meters.test.as_ref().expect("it was measured");
            let mut printer = Printer { schema, meters: tests, lines: Vec::new() };
            let text = printer.filter(std::slice::from_ref(&keep.test));
            line(depth, &text, figures, row_blocks);
            lines.push(Line { depth: depth + 1, text: entries, figures: entries_figures });
            printer.members(&keep.test, depth + 1);
            lines.append(&mut printer.lines);
        }
        Method::Collect(chosen, _) => {
            let walk = format!("{entries}, with one of these timestamps");
            if source.is_sorted() {
                line(depth, &sorted, figures, 0);
                line(depth + 1, LOOKED_UP, (expected, source.answered), row_blocks);
            } else {
                line(depth, LOOKED_UP, figures, row_blocks);
                lines.push(Line { depth: depth + 1, text: walk.clone(), figures: entries_figures });
            }
            let meters = meters.chosen.as_ref().expect("it was measured");
            print_timestamps(request, chosen, meters, source.answered, depth + 2, lines);
            if source.is_sorted() && source.walked() > 0 {
                let text = "after a walk that took too long:".to_owned();
                lines.push(Line { depth, text, figures: None });
                lines.push(Line { depth: depth + 1, text: walk, figures: entries_figures });
            }
        }
        Method::Sort(chosen, _) => {
            line(depth, &sorted, figures, 0);
            let meters = meters.chosen.as_ref().expect("it was measured");
            print_chosen(request, chosen, meters, (expected, source.answered), depth + 1, lines);
        }
    }
}

/// Prints how rows are found, of which so many were expected and so many there were.
fn print_chosen(
    request: &Request,
    chosen: &Chosen,
    meters: &ChosenMeters,
    (expected, rows): (u64, u64),
    depth: usize,
    lines: &mut Vec<Line>,
) {
    if chosen.carries_rows() {
        return print_timestamps(request, chosen, meters, rows, depth, lines);
    }
    let figures = Some((expected, rows, meters.rows.read(0).1));
    lines.push(Line { depth, text: LOOKED_UP.to_owned(), figures });
    print_timestamps(request, chosen, meters, rows, depth + 1, lines);
}

/// Prints how timestamps are found, of which there were `rows`.
fn print_timestamps(
    request: &Request,
    chosen: &Chosen,
    meters: &ChosenMeters,
    rows: u64,
    mut depth: usize,
    lines: &mut Vec<Line>,
) {
    let schema = request.view.schema;
    let print = |schema, meters, step, depth| {
        let mut printer = Printer { schema, meters, lines: Vec::new() };
        printer.step(step, depth);
        printer.lines
    };
    if !chosen.shared.is_empty() {
        let text = format!("timestamps of {} that are shared", schema.name);
        lines.push(Line { depth, text, figures: Some((chosen.expected(), rows, 0)) });
        depth += 1;
    }
    lines.extend(print(schema, &meters.own, &chosen.own, depth));
    for ((view, step), meters) in chosen.shared.iter().zip(&meters.shared) {
        let text = format!("shared with {}", view.schema.name);
        lines.push(Line { depth, text, figures: None });
        lines.extend(print(view.schema, meters, step, depth + 1));
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
            Kind::Timestamps(windows) => format!("{}, no reads", timestamps_text(windows)),
            Kind::Entries { index, key, window } => {
                let key = text::key(self.schema, *index, *key);
                format!("{key}, scanned{}", within(*window))
            }
            Kind::Collected { index, ranges, window } => {
                let keys = self.keys(*index, ranges);
                let is_lookup = self.schema.indexes[*index].kind != IndexKind::NonUnique
                    && ranges.iter().all(KeyRange::is_point);
                let how = match (is_lookup, &ranges[..]) {
                    (true, [_]) => "looked up".to_owned(),
                    (true, _) => "looked up and sorted".to_owned(),
                    (false, _) => {
                        format!("{} collected and sorted", self.meters.entries(step.id))
                    }
                };
                format!("{keys}, {how}{}", within(*window))
            }
            Kind::Union(_) => "any of, merged".to_owned(),
            Kind::Intersection(_) => "all of, by zig-zag".to_owned(),
            Kind::Filtered { tests, .. } => self.filter(tests),
            Kind::Rows(_) => LOOKED_UP.to_owned(),
            Kind::Hedged { tests, tested_max, .. } => {
                format!("{}, {tested_max} at the most", self.filter(tests))
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
            Kind::Filtered { source, tests, .. } => {
                self.step(source, depth + 1);
                tests.iter().for_each(|test| self.members(test, depth + 1));
            }
            Kind::Hedged { source, tests, other, .. } => {
                self.step(source, depth + 1);
                tests.iter().for_each(|test| self.members(test, depth + 1));
                self.named_step("then", other, depth + 1);
            }
            Kind::Rows(source) => self.step(source, depth + 1),
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

    /// A step, and what it is for.
    fn named_step(&mut self, name: &str, step: &Step, depth: usize) {
        self.step(step, depth);
        if let Some(line) = self.lines.iter_mut().rfind(|line| line.depth == depth) {
            line.text = format!("{name}: {}", line.text);
        }
    }

    /// The steps that tests ask.
    fn members(&mut self, test: &Test, depth: usize) {
        match test {
            Test::Member(Step { kind: Kind::Timestamps(_), .. }) | Test::Row(_) => {}
            Test::Member(step) => self.named_step("asked", step, depth),
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().for_each(|test| self.members(test, depth));
            }
            Test::Not(test) => self.members(test, depth),
        }
    }

    /// What objects are tested for, and how.
    fn filter(&self, tests: &[Test]) -> String {
        let tests = match tests {
            [Test::All(tests)] => tests,
            tests => tests,
        };
        let alone = tests.len() == 1;
        let texts: Vec<String> = tests.iter().map(|test| self.test(test, !alone)).collect();
        let reads = tests.iter().any(Test::reads_rows);
        let how = if reads { "tested on rows" } else { "each asked for" };
        format!("where {}, {how}", texts.join(" and "))
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
            Test::Row(test) => self.row_test(test, inner),
            Test::All(tests) => join(tests, " and "),
            Test::Any(tests) => join(tests, " or "),
            Test::Not(test) => {
                let text = self.test(test, true);
                match text.strip_suffix(" is some") {
                    Some(name) if matches!(**test, Test::Row(_) | Test::Member(_)) => {
                        format!("{name} is none")
                    }
                    _ => format!("not {text}"),
                }
            }
        }
    }

    fn member(&self, step: &Step) -> String {
        match &step.kind {
            Kind::Entries { index, key, .. } => text::key(self.schema, *index, *key),
            Kind::Collected { index, ranges, .. } => self.keys(*index, ranges),
            Kind::Timestamps(windows) => timestamps_text(windows),
            Kind::Union(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.member(part)).collect();
                match parts.len() {
                    0..=PRINTED_RANGES_MAX => format!("({})", parts.join(" or ")),
                    length => format!("({} or {} more)", parts[0], length - 1),
                }
            }
            _ => "what is asked below".to_owned(),
        }
    }

    fn keys(&self, index: usize, ranges: &[KeyRange]) -> String {
        text::keys(self.schema, Column::Index(index), ranges)
    }

    fn row_test(&self, test: &RowTest, inner: bool) -> String {
        let column = test.index().map_or_else(Column::Field, Column::Index);
        let keys = text::keys(self.schema, column, test.set.ranges());
        if inner && test.set.ranges().len() > 1 { format!("({keys})") } else { keys }
    }
}

/// Which timestamps lie in `windows`.
fn timestamps_text(windows: &[Window]) -> String {
    match windows {
        [window] => text::timestamps(*window).unwrap_or_else(|| "any timestamp".to_owned()),
        _ => format!("timestamps of {} ranges", windows.len()),
    }
}

/// The entries of an index with these keys.
fn entries_text(schema: &'static Schema, index: usize, ranges: &[KeyRange]) -> String {
    let full = KeyRange::full(schema.indexes[index].key_width);
    match ranges {
        [range] if *range == full => format!("entries of {}", schema.indexes[index].name),
        _ => format!("entries of {}", text::keys(schema, Column::Index(index), ranges)),
    }
}

fn within(window: Window) -> String {
    text::timestamps(window).map_or_else(String::new, |text| format!(", {text}"))
}
