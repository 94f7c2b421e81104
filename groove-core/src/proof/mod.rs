//! What the tests of this repository need of the engine's inside. No part of the public interface:
//! it is compiled with the feature `proof` alone, and may change at any time.

mod defect;

pub(crate) use defect::is_seeded;
pub use defect::{Defect, SeededDefect};
