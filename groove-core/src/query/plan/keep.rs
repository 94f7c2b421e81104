//! A predicate as a test of single objects, in any order: for answers in the order of an index.

use crate::error::QueryError;
use crate::groove::GrooveView;
use crate::query::stream::{Filter, Filtered, Listed, RowReader, Stream};
use crate::tree::Direction;

use super::open::Opener;
use super::step::Test;

/// The condition that objects must meet.
pub(crate) struct Keep {
    pub(super) test: Test,
}

impl Keep {
    /// Those of `timestamps`, which are of objects, that meet the condition, in the order given, with
    /// their rows.
    pub(crate) fn of(
        &self,
        view: &GrooveView,
        timestamps: &[u64],
    ) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        let direction = Direction::Ascending;
        let opener = Opener { view, direction, meters: None };
        let filter = Filter::All(vec![opener.filter(&self.test)]);
        let listed = Box::new(Listed::new(timestamps.to_vec()));
        let rows = RowReader::new(view.object_tree.clone());
        let mut kept =
            Filtered::new(listed, filter, Some(rows), direction, view.object_tree.clone());
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
