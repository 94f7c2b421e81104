//! What `#[derive(Forest)]` implements, and every object type on its own.

use crate::groove::{Groove, GrooveOpener, GrooveVisitor, Snapshot, SnapshotOpener};
use crate::object::Object;
use crate::schema::GrooveSchema;

/// The grooves of one file. Implemented by `#[derive(Forest)]`, and by each object type for a forest
/// of that one groove.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a forest nor an object type",
    note = "add `#[derive(Forest)]` to a struct of `Groove<…>` fields, or `#[derive(Groove)]` to an object"
)]
pub trait Grooves: Sized + 'static {
    /// What a scope of [`Forest::write`](crate::Forest::write) works on.
    type Write: Send;
    /// What [`Forest::snapshot`](crate::Forest::snapshot) gives.
    type Snapshot: Send + Sync;
    /// Names and descriptions, in declaration order.
    const GROOVES: &'static [GrooveSchema];

    /// Makes the grooves, in declaration order.
    fn open(opener: &mut GrooveOpener<'_>) -> Self::Write;
    /// Shows each groove to `visitor`, in declaration order.
    fn visit(write: &mut Self::Write, visitor: &mut GrooveVisitor<'_>);
    /// Makes the snapshots, in declaration order.
    fn snapshot(opener: &mut SnapshotOpener<'_>) -> Self::Snapshot;
}

impl<O: Object> Grooves for O {
    type Write = Groove<O>;
    type Snapshot = Snapshot<O>;
    const GROOVES: &'static [GrooveSchema] =
        &[GrooveSchema { name: O::SCHEMA.name, schema: O::SCHEMA }];

    fn open(opener: &mut GrooveOpener<'_>) -> Groove<O> {
        opener.groove()
    }

    fn visit(write: &mut Groove<O>, visitor: &mut GrooveVisitor<'_>) {
        visitor.groove(write);
    }

    fn snapshot(opener: &mut SnapshotOpener<'_>) -> Snapshot<O> {
        opener.groove()
    }
}
