//! The medians of all rounds as a table, with ratios to groove's.

use std::fmt;

use crate::rounds::{Line, Lines};
use crate::{Arguments, Result};

/// A column: its heading, the phase it is of, the figure, and whether more is better.
struct Column {
    heading: &'static str,
    phase: &'static str,
    figure: fn(&Line) -> f64,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    /// Per second; more is better.
    Rate,
    /// Less is better.
    Milliseconds,
    Seconds,
    Megabytes,
}

const COLUMNS: [Column; 22] = {
    const fn column(
        heading: &'static str,
        phase: &'static str,
        figure: fn(&Line) -> f64,
        unit: Unit,
    ) -> Column {
        Column { heading, phase, figure, unit }
    }
    const RATE: fn(&Line) -> f64 = |line| line.rate;
    const P50: fn(&Line) -> f64 = |line| line.p50_ms;
    const P99: fn(&Line) -> f64 = |line| line.p99_ms;
    const MAX: fn(&Line) -> f64 = |line| line.max_ms;
    const WRITTEN: fn(&Line) -> f64 = |line| line.written_bytes as f64;
    const DISK: fn(&Line) -> f64 = |line| line.disk_bytes as f64;
    const RSS: fn(&Line) -> f64 = |line| line.peak_rss_kib as f64 * 1024.0;
    const SECONDS: fn(&Line) -> f64 = |line| line.seconds;
    [
        column("w1 records", "w1", RATE, Unit::Rate),
        column("w1 batch p50", "w1", P50, Unit::Milliseconds),
        column("w1 batch p99", "w1", P99, Unit::Milliseconds),
        column("w1 batch max", "w1", MAX, Unit::Milliseconds),
        column("w1 written", "w1", WRITTEN, Unit::Megabytes),
        column("disk after w1", "w1", DISK, Unit::Megabytes),
        column("r1 gets", "r1", RATE, Unit::Rate),
        column("r2 misses", "r2", RATE, Unit::Rate),
        column("r3 queries", "r3", RATE, Unit::Rate),
        column("r4 queries", "r4", RATE, Unit::Rate),
        column("w1 alone", "mixed-w1-alone", RATE, Unit::Rate),
        column("w1 beside r1", "mixed-w1", RATE, Unit::Rate),
        column("r1 alone", "mixed-r1-alone", RATE, Unit::Rate),
        column("r1 beside w1", "mixed-r1", RATE, Unit::Rate),
        column("commits, 1 thread", "c1", RATE, Unit::Rate),
        column("commits, 16 threads", "c16", RATE, Unit::Rate),
        column("w2 updates", "w2", RATE, Unit::Rate),
        column("w2 batch p99", "w2", P99, Unit::Milliseconds),
        column("disk after w2", "w2", DISK, Unit::Megabytes),
        column("o1 reopen", "o1-after", SECONDS, Unit::Seconds),
        column("r1 after o1", "r1-after", RATE, Unit::Rate),
        column("peak memory", "w2", RSS, Unit::Megabytes),
    ]
};

/// A row per figure, a column per engine.
pub(crate) struct Table {
    engines: Vec<String>,
    rows: Vec<(&'static str, Unit, Vec<f64>)>,
}

impl Table {
    pub(crate) fn new(arguments: &Arguments, lines: &Lines) -> Result<Table> {
        let version = |name: &str| {
            let line = lines.lines.iter().find(|line| line.engine == name);
            line.map_or(name.to_string(), |line| format!("{name} {}", line.version))
        };
        let engines = arguments.engines.iter().map(|engine| version(engine.as_str())).collect();
        let mut rows = Vec::new();
        for column in &COLUMNS {
            let figures: Result<Vec<f64>> = arguments
                .engines
                .iter()
                .map(|engine| median(&lines.lines, engine.as_str(), column))
                .collect();
            rows.push((column.heading, column.unit, figures?));
        }
        Ok(Table { engines, rows })
    }
}

fn median(lines: &[Line], engine: &str, column: &Column) -> Result<f64> {
    let of_engine = lines.iter().filter(|line| line.engine == engine && line.phase == column.phase);
    let mut figures: Vec<f64> = of_engine.map(column.figure).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.get(figures.len() / 2).copied();
    middle.ok_or_else(|| format!("{engine} gave no line of {}", column.phase).into())
}

fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Rate if value >= 100_000.0 => format!("{:.0} k/s", value / 1e3),
        Unit::Rate => format!("{value:.0}/s"),
        Unit::Milliseconds => format!("{value:.1} ms"),
        Unit::Seconds => format!("{value:.3} s"),
        Unit::Megabytes => format!("{:.1} MB", value / 1e6),
    }
}

impl fmt::Display for Table {
    /// As Markdown. A ratio says how many times as good the first engine is.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| | {} |", self.engines.join(" | "))?;
        writeln!(formatter, "|---|{}", "---|".repeat(self.engines.len()))?;
        for (heading, unit, figures) in &self.rows {
            write!(formatter, "| {heading} |")?;
            let first = figures[0];
            for (at, value) in figures.iter().enumerate() {
                let times = match unit {
                    Unit::Rate => first / value,
                    _ => value / first,
                };
                write!(formatter, " {}", figure(*value, *unit))?;
                if at > 0 && times.is_finite() {
                    write!(formatter, " ({times:.2} ×)")?;
                }
                write!(formatter, " |")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}
