//! A predicate as a test of single objects, in any order: for answers in the order of an index.

use std::sync::Arc;

use crate::error::QueryError;
use crate::groove::GrooveView;
use crate::query::stream::{Filter, Filtered, Listed, RowReader, Stream};
use crate::tree::{Direction, TreeRead};

use super::cost::{APART_ROW_COST, APART_TESTED_ROW_COST, KEPT_PART};
use super::meter::Meters;
use super::open::Opener;
use super::step::{RowUse, Test};

/// The condition that objects must meet.
pub(crate) struct Keep {
    pub(crate) test: Test,
    rows: RowUse,
}

impl Keep {
    /// The condition, of which it is thought that about `kept` of `asked` objects meet it.
    pub(super) fn new(test: Test, kept: u64, asked: u64) -> Keep {
        // Without tests of rows only the rows of what is kept are read.
        let rows = match !test.reads_rows() || asked <= kept.saturating_mul(KEPT_PART) {
            true => RowUse::Kept,
            false => RowUse::Tested,
        };
        Keep { test, rows }
    }

    /// What it costs to ask about so many objects, in the order of an index, and to have the rows of so many of them, in
    /// entries that are read one after the other.
    pub(crate) fn cost(&self, asked: u64, kept: u64) -> u64 {
        match self.rows {
            RowUse::Kept => asked.saturating_mul(APART_ROW_COST),
            RowUse::Tested => {
                let rows = kept.saturating_mul(APART_ROW_COST);
                asked.saturating_mul(APART_TESTED_ROW_COST).saturating_add(rows)
            }
        }
    }

    /// A meter for each step that the condition asks.
    pub(crate) fn meters(&self) -> Meters {
        Meters::new(self.test.steps())
    }

    /// Those of `timestamps`, which are of objects, that meet the condition, in the order given, with
    /// their rows. The rows are those of `objects`, the object tree.
    pub(crate) fn of(
        &self,
        view: &GrooveView,
        objects: &Arc<dyn TreeRead>,
        timestamps: &[u64],
        meters: Option<&Meters>,
    ) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        let direction = Direction::Ascending;
        let opener = Opener { view, direction, meters };
        let tests = match &self.test {
            Test::All(tests) => &tests[..],
            test => std::slice::from_ref(test),
        };
        // What needs no row decides first: of what it leaves rows are read.
        let filter = |reads: bool| {
            let tests = tests.iter().filter(|test| test.reads_rows() == reads);
            Filter::All(tests.map(|test| opener.filter(test)).collect())
        };
        let listed = Box::new(Listed::new(timestamps.to_vec()));
        let left = Filtered::new(listed, filter(false), None, direction, objects.clone());
        let filter = filter(true);
        let rows = match self.rows {
            RowUse::Tested => RowReader::tested(objects.clone(), &filter),
            RowUse::Kept => RowReader::new(objects.clone()),
        };
        let mut kept =
            Filtered::new(Box::new(left), filter, Some(rows), direction, objects.clone());
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut target = 0;
        while let Some(timestamp) = kept.seek(target)? {
            found.push((timestamp, kept.row().unwrap_or_default().to_vec()));
            target = timestamp + 1;
        }
        if self.rows == RowUse::Tested {
            let timestamps: Vec<u64> = found.iter().map(|(timestamp, _)| *timestamp).collect();
            let batch = objects.lookup_batch(&timestamps, None)?;
            let width = objects.payload_width();
            for (at, (_, row)) in found.iter_mut().enumerate() {
                *row = batch.payload[at * width..(at + 1) * width].to_vec();
            }
        }
        let kept = |timestamp: &u64| {
            let at = found.binary_search_by_key(timestamp, |(found, _)| *found).ok()?;
            Some((*timestamp, std::mem::take(&mut found[at].1)))
        };
        Ok(timestamps.iter().filter_map(kept).collect())
    }
}
