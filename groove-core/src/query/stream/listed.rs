//! Timestamps that are known already.

use crate::error::QueryError;

use super::Stream;

/// A list of timestamps; ascends.
pub(crate) struct Listed {
    timestamps: Vec<u64>,
    position: usize,
}

impl Listed {
    /// In any order.
    pub(crate) fn new(mut timestamps: Vec<u64>) -> Listed {
        timestamps.sort_unstable();
        timestamps.dedup();
        Listed { timestamps, position: 0 }
    }
}

impl Stream for Listed {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let ahead = &self.timestamps[self.position..];
        self.position += ahead.partition_point(|&timestamp| timestamp < target);
        Ok(self.timestamps.get(self.position).copied())
    }
}
