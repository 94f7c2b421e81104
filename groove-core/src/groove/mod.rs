//! The trees of one object type: what a user calls in a scope ([`Groove`]) and on a snapshot
//! ([`Snapshot`]).

mod any;
mod index_tree;
mod log;
mod object_cache;
mod open;
mod prefetch;
mod prefetched;
mod snapshot;
mod store;
mod unique_tree;
mod verify;
mod view;
mod write;

pub use any::{GrooveField, GrooveOpener, GrooveVisitor, SnapshotOpener};
pub use index_tree::IndexTree;
pub use open::{TreeOpener, TreeVisitor};
pub use prefetch::Prefetch;
pub use snapshot::Snapshot;
pub use store::{Groove, Lookup};
pub use unique_tree::{AnyUniqueTree, UniqueEntry, UniqueTree};

pub(crate) use any::{AnyGroove, GrooveMark};
#[cfg(feature = "proof")]
pub(crate) use log::{fuzz_changes, seed_changes};
pub(crate) use open::TreeParameters;
pub(crate) use verify::GrooveVerified;
pub(crate) use view::GrooveView;
