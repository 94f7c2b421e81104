//! All objects in a range of timestamps, straight from a scan of the object tree.

use std::ops::Range;
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
    /// The bytes of rows that conditions are on.
    parts: Vec<Range<usize>>,
    state: State,
}

enum State {
    Unopened,
    /// The scan stands at the object with this rank; at none yet, if it is 0.
    At(Box<dyn Scan>, u64),
    Ended,
}

impl ObjectScan {
    /// The objects of an object tree with a timestamp in `window`.
    pub(crate) fn new(tree: Arc<dyn TreeRead>, window: Window, direction: Direction) -> ObjectScan {
        assert_eq!(tree.limbs(), 1, "the key of an object is its timestamp");
        ObjectScan { tree, window, direction, parts: Vec::new(), state: State::Unopened }
    }

    fn open(&self, target: u64) -> Option<Box<dyn Scan>> {
        let window = self.window.rest(self.direction, target);
        if window.is_empty() {
            return None;
        }
        let mut scan = self.tree.clone().scan(&[window.min], &[window.max], self.direction);
        scan.test(&self.parts);
        Some(scan)
    }
}

/// Advances `scan` and gives the rank of its new object.
#[inline]
fn advance(scan: &mut Box<dyn Scan>, direction: Direction) -> Result<Option<u64>, QueryError> {
    Ok(scan.advance()?.then(|| rank(direction, scan.key()[0])))
}

impl Stream for ObjectScan {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if matches!(self.state, State::Unopened) {
            self.state = match self.open(target) {
                // It stands before all of them.
                Some(scan) => State::At(scan, 0),
                None => State::Ended,
            };
        }
        let State::At(scan, found) = &mut self.state else { return Ok(None) };
        if *found >= target && *found > 0 {
            return Ok(Some(*found));
        }
        // Often the next object is far enough, and a step is cheaper than a seek.
        let mut next = advance(scan, self.direction)?;
        if next.is_some_and(|next| next < target) {
            scan.seek(&[rank(self.direction, target)])?;
            next = advance(scan, self.direction)?;
        }
        match next {
            Some(next) => *found = next,
            None => self.state = State::Ended,
        }
        Ok(next)
    }

    fn row(&mut self) -> Option<&[u8]> {
        match &mut self.state {
            State::At(scan, _) => Some(scan.payload()),
            _ => None,
        }
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        match &mut self.state {
            State::Unopened => self.parts.extend_from_slice(parts),
            State::At(scan, _) => scan.test(parts),
            State::Ended => {}
        }
    }

    fn tested(&mut self) -> Option<&[u8]> {
        match &mut self.state {
            State::At(scan, _) => Some(scan.tested()),
            _ => None,
        }
    }
}
