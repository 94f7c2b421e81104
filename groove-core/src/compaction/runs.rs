//! Runs in memory as one input of a merge.

use std::sync::Arc;

use crate::memory::{Merged, Place, Run, RunMerge, Usage};
use crate::table::{Chunk, TreeMeta};

/// Runs that are merged while they are read.
pub(super) struct RunSource<const K: usize> {
    merge: RunMerge<K>,
    places: Vec<Place>,
}

impl<const K: usize> RunSource<K> {
    /// Of runs, oldest first.
    pub(super) fn new(runs: Vec<Arc<Run<K>>>, usage: Usage) -> Self {
        RunSource { merge: RunMerge::new(runs, usage), places: Vec::new() }
    }

    /// Gives the next values; none at the end.
    pub(super) fn fill(&mut self, meta: &TreeMeta, chunk: &mut Chunk<K>) {
        chunk.clear();
        let is_plain = self.merge.is_plain();
        // All values of a window may cancel out.
        while chunk.len() == 0 {
            match self.merge.next(&mut chunk.keys, &mut self.places) {
                None => return,
                Some(Merged::Stretch { run, at, count }) => chunk.fill(meta, run, at, count),
                Some(Merged::Window) if is_plain => {
                    chunk.tombstones.resize(chunk.keys.len(), false);
                }
                Some(Merged::Window) => {
                    let values = self.places.iter().map(|place| self.merge.value(*place));
                    chunk.gather(meta, values);
                    self.places.clear();
                }
            }
        }
        if defect!(LastValueLost) && self.merge.is_at_end() && chunk.len() > 1 {
            let length = chunk.len() - 1;
            chunk.keys.truncate(length);
            chunk.tombstones.truncate(length);
            chunk.lanes.iter_mut().for_each(|lane| lane.truncate(length));
        }
    }
}
