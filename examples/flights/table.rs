//! Tables of text with aligned columns.

use std::fmt;

/// Rows that are printed at most; of the others only the number.
const ROWS_SHOWN: usize = 12;

#[derive(Clone, Copy)]
pub(crate) enum Align {
    Left,
    Right,
}

pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        let row: Vec<String> = row.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "a row has a cell per column");
        self.rows.push(row);
    }

    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.rows[..self.rows.len().min(ROWS_SHOWN)];
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = shown.iter().map(|row| row[at].chars().count());
                cells.chain([self.columns[at].0.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::from("  ");
            for ((cell, (_, align)), &width) in cells.zip(&self.columns).zip(&widths) {
                text += &match align {
                    Align::Left => format!("  {cell:<width$}"),
                    Align::Right => format!("  {cell:>width$}"),
                };
            }
            writeln!(formatter, "{}", text.trim_end())
        };
        line(&mut self.columns.iter().map(|(name, _)| *name))?;
        let rules: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        line(&mut rules.iter().map(String::as_str))?;
        for row in shown {
            line(&mut row.iter().map(String::as_str))?;
        }
        match self.rows.len() - shown.len() {
            0 => Ok(()),
            more => writeln!(formatter, "    … and {} more", thousands(more as u64)),
        }
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
