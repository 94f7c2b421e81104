//! All objects in a range of timestamps, straight from a scan of the object tree; or those that meet a filter, of
//! which all that are at hand are tested together.

use std::ops::Range;
use std::sync::Arc;

use crate::error::QueryError;
use crate::tree::{Direction, Scan, TreeRead};

use super::filter::AtHand;
use super::{Filter, Place, Stream, Window, rank};

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
    /// Of the rows that were tested together: those that meet the filter, and are still to be given.
    met: Met,
}

/// Rows that were tested together.
#[derive(Default)]
struct Met {
    /// How many steps it is to each that met the filter, from the first that was tested.
    steps: Vec<u32>,
    /// How many of these were given or passed.
    passed: usize,
    /// At which step the scan stands.
    at: usize,
    /// Rows that were tested.
    tested: usize,
    /// The rank of the first of them.
    from: u64,
    /// Memory to use again.
    numbers: Vec<u64>,
}

impl Met {
    fn clear(&mut self) {
        self.steps.clear();
        (self.passed, self.at, self.tested, self.from) = (0, 0, 0, 0);
    }
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
        let (parts, state, met) = (Vec::new(), State::Unopened, Met::default());
        ObjectScan { tree, window, direction, parts, state, met }
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

    /// Tests the row that the scan stands at and those that are at hand with it.
    fn test_at_hand(&mut self, filter: &mut Filter, at: &Place<'_>) -> Result<(), QueryError> {
        let State::At(scan, _) = &mut self.state else { return Ok(()) };
        let width = self.tree.payload_width();
        let mut at_hand = AtHand::new(&mut **scan, width, &mut self.met.numbers);
        let tested = at.test_up_to(at_hand.len());
        let mut steps = std::mem::take(&mut self.met.steps);
        steps.extend(0..tested as u32);
        filter.retain_rows(&mut steps, &mut at_hand, at)?;
        (self.met.steps, self.met.tested) = (steps, tested);
        Ok(())
    }

    /// Goes to the next of the rows that met the filter, from `target` on; `None` if there is none.
    fn next_met(&mut self, target: u64) -> Option<u64> {
        let State::At(scan, found) = &mut self.state else { return None };
        while let Some(step) = self.met.steps.get(self.met.passed) {
            self.met.passed += 1;
            scan.skip(*step as usize - self.met.at);
            self.met.at = *step as usize;
            let timestamp = scan.key()[0];
            let next = rank(self.direction, timestamp);
            if next >= target && self.window.contains(timestamp) {
                *found = next;
                return Some(next);
            }
        }
        None
    }

    /// Appends the ranks of the next rows that met the filter, from `target` on, until there are `end`, goes to the
    /// last of them, and gives the next target: ranks ascend also where those of a forged block do not.
    fn append_met(&mut self, target: u64, end: usize, out: &mut Vec<u64>) -> u64 {
        let State::At(scan, found) = &mut self.state else { return target };
        let Met { steps, passed, at, .. } = &mut self.met;
        let keys = scan.at_hand();
        let (mut target, mut last) = (target, *at);
        while out.len() < end
            && let Some(step) = steps.get(*passed)
        {
            *passed += 1;
            last = *step as usize;
            let timestamp = match self.direction {
                Direction::Ascending => keys[last - *at],
                Direction::Descending => keys[keys.len() - 1 - (last - *at)],
            };
            *found = rank(self.direction, timestamp);
            // What lies outside of the window is no object, and may have nothing behind it.
            if *found >= target && self.window.contains(timestamp) {
                out.push(*found);
                target = *found + 1;
            }
        }
        scan.skip(last - *at);
        *at = last;
        target
    }

    /// Tests rows behind those that were tested, from `target` on, and gives the rank of the first; `None` if there
    /// are none.
    fn test_next(
        &mut self,
        target: u64,
        filter: &mut Filter,
        at: &Place<'_>,
    ) -> Result<Option<u64>, QueryError> {
        let mut target = target;
        if matches!(self.state, State::Unopened) {
            self.state = match self.open(target) {
                Some(mut scan) => {
                    // What is left out is not tested, and a bet is to end: how far it is to the next that is not left
                    // out, nobody knows.
                    if at.tests_left.is_none() {
                        filter.each_wanted(&mut |lane, set| {
                            scan.leave_out(lane, set.ranges().clone());
                        });
                    }
                    State::At(scan, 0)
                }
                None => State::Ended,
            };
        }
        let tested_from = self.met.from;
        if let Some(last) = self.pass_tested() {
            // In a forged block there may be a key that no object can have, and keys may go back, but what was tested is
            // not tested again.
            let Some(behind) = last.max(tested_from).checked_add(1) else {
                self.state = State::Ended;
                return Ok(None);
            };
            target = target.max(behind);
        }
        if !at.has_tests_left() {
            return Ok(None);
        }
        let Some(next) = self.seek(target)? else { return Ok(None) };
        self.test_at_hand(filter, at)?;
        self.met.from = next;
        Ok(Some(target.max(next)))
    }

    /// Goes to the last of the rows that were tested, if there are any, and gives its rank.
    fn pass_tested(&mut self) -> Option<u64> {
        let State::At(scan, found) = &mut self.state else { return None };
        let steps = self.met.tested.checked_sub(1)? - self.met.at;
        scan.skip(steps);
        *found = rank(self.direction, scan.key()[0]);
        Some(*found)
    }
}

/// Advances `scan` and gives the rank of its new object.
#[inline]
fn advance(scan: &mut Box<dyn Scan>, direction: Direction) -> Result<Option<u64>, QueryError> {
    Ok(scan.advance()?.then(|| rank(direction, scan.key()[0])))
}

impl Stream for ObjectScan {
    fn seek_where(
        &mut self,
        target: u64,
        filter: &mut Filter,
        at: &Place<'_>,
    ) -> Result<Option<u64>, QueryError> {
        let mut target = target;
        loop {
            if let Some(next) = self.next_met(target) {
                return Ok(Some(next));
            }
            match self.test_next(target, filter, at)? {
                Some(next) => target = next,
                None => return Ok(None),
            }
        }
    }

    fn fill_where(
        &mut self,
        target: u64,
        count: usize,
        filter: &mut Filter,
        at: &Place<'_>,
        out: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        let end = out.len() + count;
        let mut target = target;
        loop {
            target = self.append_met(target, end, out);
            if out.len() == end {
                return Ok(());
            }
            match self.test_next(target, filter, at)? {
                Some(next) => target = next,
                None => return Ok(()),
            }
        }
    }

    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        self.met.clear();
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
        // In a forged block keys may go back, and be none that an object can have.
        let next = next
            .filter(|next| *next >= target && self.window.contains(rank(self.direction, *next)));
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
