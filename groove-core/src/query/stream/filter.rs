//! What decides about single timestamps of a stream: the timestamps that one stream has and others
//! have too, or have not, and those whose row has a key of some set.

use std::sync::Arc;

use crate::error::{Damage, QueryError};
use crate::query::key_range::RangeSet;
use crate::query::row_key::RowKey;
use crate::tree::{Direction, TreeRead};

use super::row_reader::RowReader;
use super::{BoxStream, Stream};

/// A condition on a timestamp that is known to be one of an object.
///
/// Asked for ranks that never go back. Each part is asked for the rank itself and never looks for
/// the next one beyond it.
pub(crate) enum Filter {
    /// Met by the timestamps of the stream. It may be [`Bounds`](super::Bounds).
    Member(BoxStream),
    /// Met by objects in whose row there is a key of the set.
    Row(RowKey, RangeSet),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    /// Whether the timestamp with this rank meets the condition, and its row, which is there if any
    /// part asks for it.
    fn contains(
        &mut self,
        rank: u64,
        row: Option<&[u8]>,
        direction: Direction,
        objects: &dyn TreeRead,
    ) -> Result<bool, QueryError> {
        match self {
            Filter::Member(stream) => Ok(stream.seek(rank)? == Some(rank)),
            Filter::Row(key, set) => {
                let row = row.expect("the plan has rows where it tests them");
                let damage = Damage::Invalid { what: "row" };
                let timestamp = super::rank(direction, rank);
                let damaged = |_| objects.damaged(&[timestamp], damage);
                let key = key.read(row).map_err(damaged)?;
                Ok(key.is_some_and(|key| set.contains(&key)))
            }
            Filter::All(parts) => {
                for part in parts {
                    if !part.contains(rank, row, direction, objects)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(parts) => {
                for part in parts {
                    if part.contains(rank, row, direction, objects)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(part) => {
                Ok(!part.contains(rank, row, direction, objects)? || defect!(NegationIgnored))
            }
        }
    }
}

/// The timestamps of a stream that meet a condition. With [`Filter::Not`] it is the difference of
/// two streams.
///
/// Rows that the condition needs come from the stream, if it has them at hand, or are looked up in
/// batches, ahead of the targets.
pub(crate) struct Filtered {
    stream: BoxStream,
    filter: Filter,
    rows: Option<RowReader>,
    hedge: Option<Hedge>,
    /// The last answer.
    given: Option<u64>,
    ended: bool,
    direction: Direction,
    /// The object tree, which names the block of a row that is damaged.
    objects: Arc<dyn TreeRead>,
}

/// Another stream with the same timestamps, in case that too many are tested.
struct Hedge {
    /// How many timestamps may still be tested.
    tests_left: u64,
    stream: BoxStream,
}

impl Filtered {
    /// `rows` are given if a part of the filter asks for rows and `stream` has them not at hand.
    pub(crate) fn new(
        stream: BoxStream,
        filter: Filter,
        rows: Option<RowReader>,
        direction: Direction,
        objects: Arc<dyn TreeRead>,
    ) -> Filtered {
        let (hedge, given, ended) = (None, None, false);
        Filtered { stream, filter, rows, hedge, given, ended, direction, objects }
    }

    /// Goes over to `other`, which has the same timestamps, once `tested_max` were tested.
    pub(crate) fn hedged(self, tested_max: u64, other: BoxStream) -> Filtered {
        Filtered { hedge: Some(Hedge { tests_left: tested_max, stream: other }), ..self }
    }

    /// Counts a timestamp that is to be tested; if it is one too many, what is left comes from the other
    /// stream.
    fn count_test(&mut self) {
        let Some(hedge) = &mut self.hedge else { return };
        if hedge.tests_left > 0 {
            hedge.tests_left -= 1;
        } else if let Some(hedge) = self.hedge.take() {
            self.stream = hedge.stream;
            self.filter = Filter::All(Vec::new());
            self.rows = None;
        }
    }
}

impl Stream for Filtered {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if self.ended {
            return Ok(None);
        }
        // The row at hand is that of the last answer: it must not be left for the same answer.
        if self.given.is_some_and(|given| given >= target) {
            return Ok(self.given);
        }
        let mut target = target;
        loop {
            self.count_test();
            let found = match &mut self.rows {
                Some(rows) => rows.seek(&mut self.stream, target, self.direction)?,
                None => self.stream.seek(target)?,
            };
            let Some(found) = found else {
                self.ended = true;
                return Ok(None);
            };
            let row = match &self.rows {
                Some(rows) => rows.row(),
                None => self.stream.row(),
            };
            if self.filter.contains(found, row, self.direction, &*self.objects)? {
                self.given = Some(found);
                return Ok(Some(found));
            }
            target = found + 1;
        }
    }

    fn row(&self) -> Option<&[u8]> {
        match &self.rows {
            Some(rows) => rows.row(),
            None => self.stream.row(),
        }
    }
}
