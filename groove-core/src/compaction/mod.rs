//! Compaction: keeps the levels of a tree in shape.
//!
//! 1. [`choose`] (pure) decides after each seal: the immutable table is merged into level 0; of each
//!    level over its size the tables that overlap the next level least go one level down.
//! 2. [`Job`] merges its two inputs into new tables, a few rows at a time, on any thread; its only
//!    side effect is to write into extents that were reserved for it.
//! 3. The forest installs the results of all jobs at the end of the bar, in a fixed order.
//!
//! All jobs of a bar read disjoint tables, so they run side by side. Within a bar the tables that
//! leave a level are taken out first: the merge into that level does not read them.

mod choose;
mod job;
mod merge;
mod runs;

pub(crate) use choose::{FullTable, JobPlan, JobSource, choose};
pub(crate) use job::{AddedTable, CompactionJob, Job, JobError, JobInput, JobOutput, Space};
