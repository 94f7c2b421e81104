//! Memory tables: the changes of the open scope, and sorted runs of committed values.

mod pending;
mod run;

pub(crate) use pending::{Pending, PendingMark};
pub(crate) use run::{Key, Run, Usage, limbs_to_key};
