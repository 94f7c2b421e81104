//! The timestamps under one prefix of a tree, straight from a scan.

use std::sync::Arc;

use crate::constants::KEY_LIMBS_MAX;
use crate::error::QueryError;
use crate::tree::{Direction, Scan, TreeRead};

use super::{Stream, Window, rank};

/// The entries of one key of an index tree, or, with an empty prefix, of the object tree: the last
/// limb of the key is the timestamp, so the order of the tree is the order of the stream.
///
/// Nothing is read before the first [`Stream::seek`], and nothing before its target.
pub(crate) struct TimestampScan {
    tree: Arc<dyn TreeRead>,
    /// The prefix, then room for the timestamp.
    key: [u64; KEY_LIMBS_MAX],
    limbs: usize,
    window: Window,
    direction: Direction,
    state: State,
}

enum State {
    Unopened,
    /// The scan stands at the entry with this rank.
    At(Box<dyn Scan>, u64),
    Ended,
}

impl TimestampScan {
    /// The entries of `tree` whose key is `prefix` and a timestamp in `window`.
    pub(crate) fn new(
        tree: Arc<dyn TreeRead>,
        prefix: &[u64],
        window: Window,
        direction: Direction,
    ) -> TimestampScan {
        let limbs = tree.limbs();
        assert_eq!(prefix.len() + 1, limbs, "the timestamp is the last limb of the key");
        let mut key = [0; KEY_LIMBS_MAX];
        key[..prefix.len()].copy_from_slice(prefix);
        TimestampScan { tree, key, limbs, window, direction, state: State::Unopened }
    }

    /// The key of the prefix and this timestamp.
    fn key(&self, timestamp: u64) -> [u64; KEY_LIMBS_MAX] {
        let mut key = self.key;
        key[self.limbs - 1] = timestamp;
        key
    }

    fn open(&self, target: u64) -> Option<Box<dyn Scan>> {
        let window = self.window.rest(self.direction, target);
        (!window.is_empty()).then(|| {
            let (min, max) = (self.key(window.min), self.key(window.max));
            self.tree.clone().scan(&min[..self.limbs], &max[..self.limbs], self.direction)
        })
    }

    /// Advances `scan` and gives the rank of its new entry.
    fn advance(&self, scan: &mut Box<dyn Scan>) -> Result<Option<u64>, QueryError> {
        Ok(scan.advance()?.then(|| rank(self.direction, scan.key()[self.limbs - 1])))
    }
}

impl Stream for TimestampScan {
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
            // Often the next entry is far enough, and a step is cheaper than a seek.
            State::At(mut scan, _) => {
                let found = self.advance(&mut scan)?;
                (scan, found)
            }
        };
        if found.is_some_and(|found| found < target) {
            let key = self.key(rank(self.direction, target));
            scan.seek(&key[..self.limbs])?;
            found = self.advance(&mut scan)?;
        }
        if let Some(found) = found {
            self.state = State::At(scan, found);
        }
        Ok(found)
    }

    fn row(&self) -> Option<&[u8]> {
        match &self.state {
            State::At(scan, _) if self.limbs == 1 => Some(scan.payload()),
            _ => None,
        }
    }
}
