//! What `#[derive(Groove)]` implements: the row, the timestamp, and the trees of one struct.

use crate::error::{InsertError, UpdateError};
use crate::field::{IndexKey, InvalidValue};
use crate::groove::{AnyUniqueTree, TreeOpener, TreeVisitor};
use crate::schema::Schema;

/// An object type. Implemented by `#[derive(Groove)]`, not by hand.
///
/// What is documented here is the row. The rest are functions over the trees of the indexes: flat
/// lists of calls, one per index in declaration order; every decision is taken in this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an object type",
    note = "add `#[derive(Groove)]` to `{Self}`"
)]
pub trait Object: Sized + 'static {
    /// The description of the struct.
    const SCHEMA: &'static Schema;
    /// Bytes of a row: all fields but the timestamp.
    const ROW_WIDTH: usize;
    /// The type of the primary key; `u64`, the timestamp, if no field is marked primary.
    type Primary: IndexKey;
    /// One tree per index, in declaration order.
    #[doc(hidden)]
    type IndexTrees: Send;

    /// The object's timestamp; 0 if none is assigned yet.
    fn timestamp(&self) -> u64;
    /// Assigns the timestamp.
    fn set_timestamp(&mut self, timestamp: u64);
    /// Writes all fields but the timestamp to `row`, which is `ROW_WIDTH` long.
    fn write_row(&self, row: &mut [u8]);
    /// Reads an object back; never panics, whatever the bytes.
    fn read_row(timestamp: u64, row: &[u8]) -> Result<Self, InvalidValue>;

    /// Opens the trees in declaration order.
    #[doc(hidden)]
    fn open_trees(opener: &mut TreeOpener<'_>) -> Self::IndexTrees;
    /// Shows each tree to `visitor`, in declaration order.
    #[doc(hidden)]
    fn visit_trees(trees: &mut Self::IndexTrees, visitor: &mut TreeVisitor<'_>);
    /// The tree of the unique index that is number `ordinal` of the schema.
    #[doc(hidden)]
    fn unique_tree(trees: &mut Self::IndexTrees, ordinal: usize) -> Option<&mut dyn AnyUniqueTree>;
    /// Checks that no unique key of the object is taken.
    #[doc(hidden)]
    fn check_insert(&self, trees: &Self::IndexTrees) -> Result<(), InsertError>;
    /// Puts one entry per index that has a key for this object.
    #[doc(hidden)]
    fn insert_entries(&self, trees: &mut Self::IndexTrees, timestamp: u64);
    /// Removes one entry per index that has a key for this object.
    #[doc(hidden)]
    fn remove_entries(&self, trees: &mut Self::IndexTrees, timestamp: u64);
    /// Checks that no unique key differs between `old` and `new`.
    #[doc(hidden)]
    fn check_update(old: &Self, new: &Self, trees: &Self::IndexTrees) -> Result<(), UpdateError>;
    /// Touches the indexes whose key differs between `old` and `new`, and no others.
    #[doc(hidden)]
    fn update_entries(old: &Self, new: &Self, trees: &mut Self::IndexTrees, timestamp: u64);
}
