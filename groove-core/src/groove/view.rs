//! All trees of one groove at one op, for readers.

use std::sync::Arc;

use crate::schema::Schema;
use crate::tree::TreeRead;

/// The trees of one groove at one op. Cheap to clone; readers on any thread.
#[derive(Clone)]
pub(crate) struct GrooveView {
    /// The object type.
    pub(crate) schema: &'static Schema,
    /// Timestamp to row.
    pub(crate) object_tree: Arc<dyn TreeRead>,
    /// One per index, in the order of the schema.
    pub(crate) index_trees: Arc<[Arc<dyn TreeRead>]>,
    /// How many objects there are.
    pub(crate) object_count: u64,
}
