//! The rows of a query's answer.

use std::sync::Arc;

use crate::error::QueryError;
use crate::tree::{LookupBatch, TreeRead};

use super::stream::Answer;

/// Rows that are looked up together at the most.
pub(crate) const BATCH_ROWS_MAX: usize = 1024;

/// The rows that a query gives, in its direction, up to its limit.
///
/// If the plan scans the object tree, or tests rows most of which are wanted, they are at hand.
/// Otherwise rows are looked up in batches, each twice as large as the one before, and none larger
/// than the limit needs.
pub(crate) struct Rows {
    source: Source,
    /// How many more rows to give.
    remaining: usize,
}

enum Source {
    Carried(Answer),
    Lookup(Box<Lookup>),
}

/// What stands under a timestamp of the answer.
pub(crate) enum Row<'a> {
    Found(u64, &'a [u8]),
    /// An index has an entry with this timestamp, and there is no such object.
    Missing(u64),
}

impl Rows {
    /// The rows of an answer that has them at hand.
    pub(crate) fn carried(answer: Answer, limit: usize) -> Rows {
        Rows { source: Source::Carried(answer), remaining: limit }
    }

    /// The rows of the timestamps in `answer`; the first batch has `batch_rows` of them.
    pub(crate) fn lookup(
        tree: Arc<dyn TreeRead>,
        answer: Answer,
        batch_rows: usize,
        limit: usize,
    ) -> Rows {
        let lookup = Lookup {
            tree,
            answer,
            batch_rows: batch_rows.clamp(1, BATCH_ROWS_MAX),
            timestamps: Vec::new(),
            batch: LookupBatch::default(),
            position: 0,
        };
        Rows { source: Source::Lookup(Box::new(lookup)), remaining: limit }
    }

    /// The next row; `None` at the limit or at the end of the answer.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, QueryError> {
        if self.remaining == usize::from(defect!(LimitTooSmall)) {
            return Ok(None);
        }
        let row = match &mut self.source {
            Source::Carried(answer) => match answer.next()? {
                Some(timestamp) => {
                    let row = answer.row().expect("the plan has rows at hand");
                    Some(Row::Found(timestamp, row))
                }
                None => None,
            },
            Source::Lookup(lookup) => lookup.next(self.remaining)?,
        };
        if row.is_some() {
            self.remaining -= 1;
        }
        Ok(row)
    }

    /// How many rows were read that are still to be given.
    pub(crate) fn at_hand(&self) -> usize {
        match &self.source {
            Source::Carried(_) => 0,
            Source::Lookup(lookup) => lookup.timestamps.len() - lookup.position,
        }
    }

    /// Whether the answer goes on behind the limit. Only after [`Rows::next`] gave `None`.
    pub(crate) fn has_more(&mut self) -> Result<bool, QueryError> {
        match &mut self.source {
            // A row is still to be given, so it was the answer that ended, not the limit.
            _ if self.remaining > 0 => Ok(false),
            Source::Carried(answer) => Ok(answer.next()?.is_some()),
            Source::Lookup(lookup) => Ok(lookup.answer.next()?.is_some()),
        }
    }
}

struct Lookup {
    tree: Arc<dyn TreeRead>,
    answer: Answer,
    /// Rows of the next batch.
    batch_rows: usize,
    /// The timestamps of the batch.
    timestamps: Vec<u64>,
    batch: LookupBatch,
    /// Rows of the batch that were given.
    position: usize,
}

impl Lookup {
    fn next(&mut self, remaining: usize) -> Result<Option<Row<'_>>, QueryError> {
        if self.position == self.timestamps.len() && !self.read_batch(remaining)? {
            return Ok(None);
        }
        let i = self.position;
        self.position += 1;
        if !self.batch.found[i] {
            return Ok(Some(Row::Missing(self.timestamps[i])));
        }
        let width = self.tree.payload_width();
        let bytes = &self.batch.payload[i * width..][..width];
        Ok(Some(Row::Found(self.timestamps[i], bytes)))
    }

    /// Reads the next batch; `false` if the answer is at its end.
    fn read_batch(&mut self, remaining: usize) -> Result<bool, QueryError> {
        self.timestamps.clear();
        self.position = 0;
        self.answer.fill(self.batch_rows.min(remaining), &mut self.timestamps)?;
        if self.timestamps.is_empty() {
            return Ok(false);
        }
        self.batch = self.tree.lookup_batch(&self.timestamps, None)?;
        self.batch_rows = BATCH_ROWS_MAX.min(self.batch_rows * 2);
        Ok(true)
    }
}
