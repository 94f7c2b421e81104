//! How often each operation was carried out.

use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Counts {
    counts: BTreeMap<&'static str, u64>,
    highest: BTreeMap<&'static str, u64>,
    total: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, operation: &'static str) {
        *self.counts.entry(operation).or_default() += 1;
        self.total += 1;
    }

    /// Counts what was met in an operation, which is counted by itself.
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Keeps the highest value of `what`.
    pub(crate) fn highest(&mut self, what: &'static str, value: u64) {
        let highest = self.highest.entry(what).or_default();
        *highest = value.max(*highest);
    }

    /// Adds what another run met.
    pub(crate) fn merge(&mut self, other: &Counts) {
        for (operation, count) in &other.counts {
            *self.counts.entry(operation).or_default() += count;
        }
        other.highest.iter().for_each(|(what, value)| self.highest(what, *value));
        self.total += other.total;
    }

    /// How often an operation was carried out.
    pub(crate) fn of(&self, operation: &str) -> u64 {
        self.counts.get(operation).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn print(&self) {
        for (operation, count) in self.highest.iter().chain(&self.counts) {
            println!("{count:>9} {operation}");
        }
    }

    /// Fails unless each of `operations` happened.
    pub(crate) fn assert_all(&self, operations: &[&str]) {
        for operation in operations {
            assert!(self.counts.contains_key(*operation), "`{operation}` never happened");
        }
    }
}
