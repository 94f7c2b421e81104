//! Queries over the indexes of one groove.
//!
//! | module | owns |
//! |---|---|
//! | `handle`, `operand` | `Transfer::CODE` and its comparisons |
//! | `predicate` | the conditions that they make, and `&`, `\|`, `!` |
//! | `key_range` | encoded keys, ranges and sets of them |
//! | `plan` | the normal form of a predicate, streams and counts made of it |
//! | `stream` | timestamps in one direction, with seek |
//! | `request`, `rows` | a query without the type of its objects; its rows in batches |
//! | `builder`, `objects`, `page`, `cursor` | what users see of a query |
//!
//! Only handles, [`Query`] and its results know the object type; all else is compiled once. Nothing
//! here knows tables or levels: trees are read through `TreeRead`.

mod builder;
mod cursor;
mod handle;
mod key_range;
mod objects;
mod operand;
mod page;
mod plan;
mod predicate;
mod request;
mod rows;
mod stream;

#[cfg(test)]
mod tests;

pub use builder::Query;
pub use cursor::Cursor;
pub use handle::{Index, Timestamps, UniqueIndex};
pub use objects::{ObjectTimestamps, Objects};
pub use operand::Operand;
pub use page::Page;
pub use predicate::Predicate;
