//! A query without the type of its objects.

use std::sync::Arc;

use crate::error::{Damage, QueryError};
use crate::groove::GrooveView;
use crate::tree::Direction;

use super::cursor::{Cursor, query_hash};
use super::plan::Plan;
use super::predicate::Node;
use super::rows::Rows;
use super::stream::{Answer, Window};

/// What is asked for: all but the type that rows are read as.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) view: GrooveView,
    pub(crate) node: Arc<Node>,
    pub(crate) window: Window,
    pub(crate) direction: Direction,
    /// The most objects to give.
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<Cursor>,
}

impl Request {
    pub(crate) fn new(view: GrooveView, node: Node) -> Request {
        let direction = Direction::Ascending;
        Request {
            view,
            node: Arc::new(node),
            window: Window::ALL,
            direction,
            limit: None,
            after: None,
        }
    }

    /// The most objects to give.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The part of the window behind the cursor.
    fn window_after(&self) -> Result<Window, QueryError> {
        let Some(cursor) = self.after else { return Ok(self.window) };
        if cursor.direction != self.direction || cursor.query != self.hash() {
            return Err(QueryError::ForeignCursor { groove: self.view.schema.name });
        }
        let behind = match self.direction {
            Direction::Ascending if defect!(CursorRepeats) => {
                Window { min: cursor.timestamp, ..Window::ALL }
            }
            Direction::Ascending => Window { min: cursor.timestamp + 1, ..Window::ALL },
            Direction::Descending => Window { max: cursor.timestamp - 1, ..Window::ALL },
        };
        Ok(self.window.intersection(&behind))
    }

    fn hash(&self) -> u64 {
        query_hash(self.view.schema, &self.node, self.window, self.direction)
    }

    /// The cursor behind the object with this timestamp.
    pub(crate) fn cursor(&self, timestamp: u64) -> Cursor {
        Cursor { timestamp, direction: self.direction, query: self.hash() }
    }

    /// The timestamps of the answer, without regard to the limit.
    pub(crate) fn timestamps(&self) -> Result<Answer, QueryError> {
        let window = self.window_after()?;
        Ok(self.plan().answer(&self.view, window, self.direction)?)
    }

    /// The rows of the answer, read in batches that begin with `batch` rows, up to the limit.
    pub(crate) fn rows(&self, batch: usize) -> Result<Rows, QueryError> {
        let window = self.window_after()?;
        let (plan, tree) = (self.plan(), self.view.object_tree.clone());
        Ok(match plan.as_window(window) {
            Some(window) => Rows::scan(tree, window, self.direction, self.limit()),
            None => {
                let answer = plan.answer(&self.view, window, self.direction)?;
                Rows::lookup(tree, answer, batch, self.limit())
            }
        })
    }

    /// The number of objects in the answer.
    pub(crate) fn count(&self) -> Result<u64, QueryError> {
        let window = self.window_after()?;
        let limit = u64::try_from(self.limit()).unwrap_or(u64::MAX);
        let plan = self.plan();
        if let Some(count) = plan.count(&self.view, window)? {
            return Ok(count.min(limit));
        }
        let mut answer = plan.answer(&self.view, window, self.direction)?;
        let mut count = 0;
        while count < limit && answer.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Whether the answer has an object.
    pub(crate) fn exists(&self) -> Result<bool, QueryError> {
        let mut answer = self.timestamps()?;
        Ok(self.limit() > 0 && answer.next()?.is_some())
    }

    fn plan(&self) -> Plan {
        Plan::new(self.view.schema, &self.node)
    }

    /// The error of an object, or of one that should be there: names the block of its row.
    pub(crate) fn damaged(&self, timestamp: u64, damage: Damage) -> QueryError {
        QueryError::Read(self.view.object_tree.damaged(&[timestamp], damage))
    }
}
