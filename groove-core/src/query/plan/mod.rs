//! From a predicate to streams.
//!
//! 1. [`normal`] brings the predicate into its normal form, in which everything that is said of one
//!    index in one conjunction or disjunction is a single set of keys, and in which a negation
//!    stands only beside something positive or outermost.
//! 2. [`build`] makes streams of it, the smallest part of each intersection first.
//! 3. [`count`] answers from the trees' own counts where the normal form is simple enough.
//!
//! The size of a plan is linear in the size of the predicate. All steps are pure but for the reads of
//! counts that order intersections.

mod build;
mod count;
mod normal;

use crate::error::ReadError;
use crate::groove::GrooveView;
use crate::schema::Schema;
use crate::tree::Direction;

use super::predicate::Node;
use super::stream::{Answer, Window};
use normal::Normal;

/// What is to be read for a predicate.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    normal: Normal,
}

impl Plan {
    pub(crate) fn new(schema: &Schema, node: &Node) -> Plan {
        Plan { normal: Normal::new(schema, node) }
    }

    /// The timestamps of `window` that meet the predicate.
    ///
    /// Reads counts of index trees if there is an intersection to order, and nothing otherwise.
    pub(crate) fn answer(
        &self,
        view: &GrooveView,
        window: Window,
        direction: Direction,
    ) -> Result<Answer, ReadError> {
        let stream = build::stream(&self.normal, view, window, direction)?;
        Ok(Answer::new(stream, window, direction))
    }

    /// The window of objects that is all of the answer within `window`, if it is one: rows are then
    /// read in a single scan of the object tree.
    pub(crate) fn as_window(&self, window: Window) -> Option<Window> {
        build::as_window(&self.normal, window)
    }

    /// The number of objects in `window` that meet the predicate, without a stream; `None` if only a
    /// stream can tell.
    pub(crate) fn count(
        &self,
        view: &GrooveView,
        window: Window,
    ) -> Result<Option<u64>, ReadError> {
        count::count(&self.normal, view, window)
    }
}
