//! A predicate as a test of single objects, in any order: for answers in the order of an index.

use std::sync::Arc;

use crate::error::QueryError;
use crate::groove::GrooveView;
use crate::query::stream::{Filter, Filtered, Listed, RowReader, Stream};
use crate::tree::{Direction, TreeRead};

use super::meter::Meters;
use super::open::Opener;
use super::step::Test;

/// The condition that objects must meet.
pub(crate) struct Keep {
    pub(crate) test: Test,
}

impl Keep {
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
        let rows = RowReader::new(objects.clone());
        let mut kept =
            Filtered::new(Box::new(left), filter(true), Some(rows), direction, objects.clone());
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut target = 0;
        while let Some(timestamp) = kept.seek(target)? {
            found.push((timestamp, kept.row().unwrap_or_default().to_vec()));
            target = timestamp + 1;
        }
        let kept = |timestamp: &u64| {
            let at = found.binary_search_by_key(timestamp, |(found, _)| *found).ok()?;
            Some((*timestamp, std::mem::take(&mut found[at].1)))
        };
        Ok(timestamps.iter().filter_map(kept).collect())
    }
}
