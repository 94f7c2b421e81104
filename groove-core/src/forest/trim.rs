//! Gives free space back to the device, beside the compactions of a bar.
//!
//! A device that discards at once takes milliseconds for each extent, so this is done by the threads that
//! compact. The gaps are free from the reservation of the bar's space until its end, when the job has
//! ended, and nothing is written into them meanwhile.

use std::sync::Arc;

use crate::compaction::{CompactionJob, JobError, JobOutput};
use crate::storage::Storage;

/// Gaps that are given back one at a step.
pub(super) struct TrimJob {
    storage: Arc<dyn Storage>,
    /// Address and end.
    gaps: Vec<(u64, u64)>,
}

impl TrimJob {
    pub(super) fn new(storage: Arc<dyn Storage>, gaps: Vec<(u64, u64)>) -> Self {
        TrimJob { storage, gaps }
    }

    /// Gives everything back.
    pub(super) fn run(mut self) {
        while self.next() {}
    }

    /// Gives a gap back; `false` if there was none.
    fn next(&mut self) -> bool {
        let gap = self.gaps.pop();
        if let Some((from, to)) = gap {
            self.storage.release(from, to - from);
        }
        gap.is_some()
    }
}

impl CompactionJob for TrimJob {
    fn step(&mut self, _work: u64) -> Result<bool, JobError> {
        Ok(!self.next())
    }

    fn work(&self) -> u64 {
        0
    }

    /// No tables: whoever installs the outputs takes none of this job.
    fn finish(self: Box<Self>) -> JobOutput {
        JobOutput::default()
    }
}
