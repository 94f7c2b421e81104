//! All grooves of one file: the unit of commit, checkpoint and recovery.
//!
//! - [`handle`]: what a user holds; `write`, `snapshot`.
//! - [`scope`]: the open scope, its savepoints, how it ends.
//! - [`engine`]: one commit: log, memory tables, pace; [`committer`]: a large one on several threads; [`bar`]: how
//!   far a bar is.
//! - [`stages`]: the end of a bar, and its compactions: choose, install; [`space`]: where they write;
//!   [`checkpoint`]: what makes them durable; [`compactor`]: who runs them.
//! - [`publish`]: sync and publication of what was committed, shared by waiting writers; [`turn`]: who
//!   of them syncs; [`syncer`]: a thread that begins before they wait.
//! - [`open`]: create, check, recover; [`recover`]: the log is replayed; [`verify`]: the full check.

mod bar;
mod checkpoint;
mod committer;
mod compactor;
mod create;
mod engine;
mod grooves;
mod handle;
mod open;
mod options;
mod publish;
mod recover;
mod scope;
mod space;
mod stages;
mod syncer;
mod timestamps;
mod trim;
mod turn;
mod verify;
mod version;

pub use grooves::Grooves;
pub use handle::{Forest, Statistics};
pub use options::{Clock, Durability, Options};
pub use scope::{Abort, Scope, ScopeEnd, WriteError};
pub use verify::Verified;
pub use version::ForestVersion;

pub(crate) use timestamps::Timestamps;
