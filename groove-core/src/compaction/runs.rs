//! Runs in memory as one input of a merge.

use std::sync::Arc;

use crate::memory::{Merged, Run, RunMerge, Usage};
use crate::table::{Chunk, TreeMeta};

/// Runs that are merged while they are read.
pub(super) struct RunSource<const K: usize>(RunMerge<K>);

impl<const K: usize> RunSource<K> {
    /// Of runs, oldest first.
    pub(super) fn new(runs: Vec<Arc<Run<K>>>, usage: Usage) -> Self {
        RunSource(RunMerge::new(runs, usage))
    }

    /// Gives the next values; none at the end.
    pub(super) fn fill(&mut self, meta: &TreeMeta, chunk: &mut Chunk<K>) {
        chunk.clear();
        // All values of a window may cancel out.
        while chunk.len() == 0 {
            match self.0.next() {
                None => return,
                Some(Merged::Stretch { run, at, count }) => chunk.fill(meta, run, at, count),
                Some(Merged::Window { keys, places }) => {
                    chunk.keys.extend_from_slice(&keys);
                    if self.0.is_plain() {
                        chunk.tombstones.resize(chunk.keys.len(), false);
                    } else {
                        let values = places.iter().map(|place| self.0.value(*place));
                        chunk.gather(meta, values);
                    }
                }
            }
        }
        if defect!(LastValueLost) && self.0.is_at_end() && chunk.len() > 1 {
            let length = chunk.len() - 1;
            chunk.keys.truncate(length);
            chunk.tombstones.truncate(length);
            chunk.lanes.iter_mut().for_each(|lane| lane.truncate(length));
        }
    }
}
