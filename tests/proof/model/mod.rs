//! A whole forest against `BTreeMap`s, with every public operation in the generator.

mod counts;
mod index;
mod objects;
mod oracle;
mod query;
mod reader;
pub(crate) mod rng;
mod scope;
mod snapshot;
mod verify;
mod world;

pub(crate) use counts::Counts;
pub(crate) use objects::{Event, Kind, Shop};
pub(crate) use scope::Context;
pub(crate) use world::{Backing, Sizes, World};
