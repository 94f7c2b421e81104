//! Queries over the indexes of one groove.
//!
//! | module | owns |
//! |---|---|
//! | `handle`, `operand` | `Transfer::CODE` and its comparisons |
//! | `predicate` | the conditions that they make, and `&`, `\|`, `!` |
//! | `prefix`, `key_set` | beginnings of keys, keys that another query found |
//! | `key_range`, `row_key` | encoded keys, ranges and sets of them; keys as rows tell them |
//! | `plan` | the normal form of a predicate; plans, streams and counts made of it |
//! | `stream` | timestamps in one direction, with seek |
//! | `request`, `rows` | a query without the type of its objects; its rows in batches |
//! | `builder`, `objects`, `page`, `cursor` | what users see of a query |
//! | `ordered` | answers in the order of an index |
//! | `explain`, `text` | a plan and what it did, and conditions, as texts |
//!
//! Only handles, [`Query`] and its results know the object type; all else is compiled once. Nothing
//! here knows tables or levels: trees are read through `TreeRead`.

mod builder;
mod cursor;
mod explain;
mod handle;
mod key_bounds;
mod key_range;
mod key_set;
mod number_set;
mod objects;
mod operand;
mod ordered;
mod page;
mod plan;
mod predicate;
mod prefix;
mod request;
mod row_key;
mod rows;
mod stream;
mod text;

#[cfg(test)]
mod tests;

pub use builder::Query;
pub use cursor::Cursor;
pub use explain::Explanation;
pub use handle::{FieldKey, Index, IndexHandle, Timestamps, Unindexed, UniqueIndex};
pub use key_bounds::KeyBounds;
pub use key_set::KeySet;
pub use objects::{ObjectTimestamps, Objects};
pub use operand::Operand;
pub use ordered::{Ordered, OrderedObjects};
pub use page::Page;
pub use predicate::Predicate;
pub use prefix::Prefix;
