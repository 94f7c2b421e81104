//! Schemas for the runs of G3, of which a seed chooses one.
//!
//! - [`domain`]: values of fields at random, their order as Rust has it, and conditions on them.
//! - [`shape`]: a struct that the driver can fill, change and ask, whatever its fields are.
//! - [`shapes`]: seven structs, from 3 fields and one index to 40 fields and 20 indexes, and two forests
//!   of several.
//! - [`store`]: changes and questions at random, and a plain map of rows that knows the answers.

mod domain;
mod shape;
mod shapes;
mod store;

pub(crate) use shapes::{Bare, Depot, Ledger, Long, Named, Scored, Signed, Small, Wide};
pub(crate) use store::{Found, Store};
