//! All objects in a range of timestamps, straight from a scan of the object tree.

use std::sync::Arc;

use crate::error::QueryError;
use crate::tree::{Direction, Scan, TreeRead};

use super::{Stream, Window, rank};

/// The timestamps of all objects; their rows are at hand.
///
/// Nothing is read before the first [`Stream::seek`], and nothing before its target.
pub(crate) struct ObjectScan {
    tree: Arc<dyn TreeRead>,
    window: Window,
    direction: Direction,
    state: State,
}

enum State {
    Unopened,
    /// The scan stands at the object with this rank.
    At(Box<dyn Scan>, u64),
    Ended,
}

impl ObjectScan {
    /// The objects of an object tree with a timestamp in `window`.
    pub(crate) fn new(tree: Arc<dyn TreeRead>, window: Window, direction: Direction) -> ObjectScan {
        assert_eq!(tree.limbs(), 1, "the key of an object is its timestamp");
        ObjectScan { tree, window, direction, state: State::Unopened }
    }

    fn open(&self, target: u64) -> Option<Box<dyn Scan>> {
        let window = self.window.rest(self.direction, target);
        (!window.is_empty())
            .then(|| self.tree.clone().scan(&[window.min], &[window.max], self.direction))
    }

    /// Advances `scan` and gives the rank of its new object.
    fn advance(&self, scan: &mut Box<dyn Scan>) -> Result<Option<u64>, QueryError> {
        Ok(scan.advance()?.then(|| rank(self.direction, scan.key()[0])))
    }
}

impl Stream for ObjectScan {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let (mut scan, mut found) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Ok(None),
            State::Unopened => match self.open(target) {
                None => return Ok(None),
                Some(mut scan) => {
                    let found = self.advance(&mut scan)?;
                    (scan, found)
                }
            },
            State::At(scan, found) if found >= target => {
                self.state = State::At(scan, found);
                return Ok(Some(found));
            }
            // Often the next object is far enough, and a step is cheaper than a seek.
            State::At(mut scan, _) => {
                let found = self.advance(&mut scan)?;
                (scan, found)
            }
        };
        if found.is_some_and(|found| found < target) {
            scan.seek(&[rank(self.direction, target)])?;
            found = self.advance(&mut scan)?;
        }
        if let Some(found) = found {
            self.state = State::At(scan, found);
        }
        Ok(found)
    }

    fn row(&self) -> Option<&[u8]> {
        match &self.state {
            State::At(scan, _) => Some(scan.payload()),
            _ => None,
        }
    }
}
