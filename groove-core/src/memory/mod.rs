//! Memory tables: the changes of the open scope, and sorted runs of committed values.

mod buckets;
mod directory;
mod interleave;
mod locator;
mod merge;
mod payloads;
mod pending;
mod run;
mod spans;
mod table;
mod tiers;
mod tombstones;

pub(crate) use interleave::{Pick, interleave};
pub(crate) use merge::{Merged, Place, RunMerge};
pub(crate) use pending::{Pending, PendingMark};
pub(crate) use run::{Key, Run, Usage, limbs_to_key};
pub(crate) use spans::{spans, spans_of_range};
pub(crate) use table::{BATCH, Batch, Located, MemoryTable, find_newest};
