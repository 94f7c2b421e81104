//! The storage engine of [groove](https://docs.rs/groove): use that crate, which re-exports what is
//! public here and adds the derive.
//!
//! Read in the order of the layers: [`object`], [`field`] and [`schema`] are what the derive
//! implements; `forest` opens, commits and recovers; `groove` holds the trees of one object type;
//! `query` turns predicates into scans; `tree`, `memory`, `table` and `compaction` are one LSM tree;
//! `manifest`, `grid`, `wal` and `superblock` are the file; [`storage`] is the device.
//! ARCHITECTURE.md in the repository explains the decisions.

#[macro_use]
mod defect;

pub mod constants;
pub mod error;
pub mod field;
pub mod key;
pub mod object;
#[cfg(feature = "proof")]
#[doc(hidden)]
pub mod proof;
pub mod schema;
pub mod storage;

mod checksum;
mod compaction;
mod forest;
mod grid;
mod groove;
mod key_hash;
mod manifest;
mod memory;
mod query;
mod search;
mod superblock;
mod sync;
mod table;
mod touch;
mod tree;
mod wal;

pub use forest::{
    Abort, Clock, Durability, Forest, ForestVersion, Grooves, Options, Scope, ScopeEnd, Statistics,
    Verified, WriteError,
};
pub use groove::{
    AnyUniqueTree, Groove, GrooveField, GrooveOpener, GrooveVisitor, IndexTree, Lookup, Prefetch,
    Snapshot, SnapshotOpener, TreeOpener, TreeVisitor, UniqueEntry, UniqueTree,
};
pub use object::Object;
pub use query::{
    Cursor, Explanation, FieldKey, Index, IndexHandle, KeyBounds, KeySet, ObjectTimestamps,
    Objects, Operand, Ordered, OrderedObjects, Page, Predicate, Prefix, Query, Timestamps,
    Unindexed, UniqueIndex,
};
