//! Values unpacked, column by column: what merges work on.

use crate::memory::{Key, Run};

use super::TreeMeta;
use super::shape::read_lanes;

/// Values in key order, column by column.
#[derive(Debug)]
pub(crate) struct Chunk<const K: usize> {
    pub(crate) keys: Vec<Key<K>>,
    pub(crate) tombstones: Vec<bool>,
    /// The payloads, lane by lane.
    pub(crate) lanes: Vec<Vec<u64>>,
    pub(super) scratch: Vec<u64>,
}

impl<const K: usize> Chunk<K> {
    pub(crate) fn new(meta: &TreeMeta) -> Self {
        Chunk {
            keys: Vec::new(),
            tombstones: Vec::new(),
            lanes: vec![Vec::new(); meta.lanes.len()],
            scratch: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.tombstones.clear();
        self.lanes.iter_mut().for_each(Vec::clear);
    }

    /// Appends tombstone flags and payloads, of values whose keys were taken.
    pub(crate) fn gather<'a>(
        &mut self,
        meta: &TreeMeta,
        values: impl Iterator<Item = (bool, &'a [u8])>,
    ) {
        let tombstones = &mut self.tombstones;
        let payloads = values.map(|(tombstone, payload)| {
            tombstones.push(tombstone);
            payload
        });
        read_lanes(&meta.lanes, payloads, &mut self.lanes);
    }

    /// Takes `rows` values of a run from `from` on, whose payloads lie next to each other.
    pub(crate) fn fill(&mut self, meta: &TreeMeta, run: &Run<K>, from: usize, rows: usize) {
        self.clear();
        self.keys.extend_from_slice(&run.keys()[from..from + rows]);
        self.tombstones.extend((from..from + rows).map(|at| run.is_tombstone(at)));
        if meta.payload_width > 0 {
            let payloads = run.payloads(from, rows).chunks_exact(meta.payload_width);
            read_lanes(&meta.lanes, payloads, &mut self.lanes);
        }
    }
}
