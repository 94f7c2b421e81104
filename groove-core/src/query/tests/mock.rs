//! [`TreeRead`] over a `BTreeMap`.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::corrupt;
use crate::table::PayloadLane;
use crate::tree::{Direction, KeyScan, LookupBatch, Scan, TablesVerified, TreeRead};

/// Where every block of every tree is.
pub(super) const TREE_OFFSET: u64 = 8192;

/// What all trees of a view have in common: the calls that were made, and which of them fails.
#[derive(Debug)]
pub(super) struct Device {
    name: Arc<str>,
    /// All calls that may read.
    pub(super) calls: AtomicU64,
    /// The number of the call that fails; 0: none.
    pub(super) failing_call: AtomicU64,
    /// Entries that scans gave, in index trees and the object tree.
    pub(super) scanned: AtomicU64,
    /// Rows that were looked up whole, and those of which only parts were.
    pub(super) looked_up: AtomicU64,
    pub(super) tested: AtomicU64,
    /// Calls of `count`.
    pub(super) counts: AtomicU64,
    /// Bytes that a query may not hold: subtracted from all that there are.
    pub(super) withheld_memory: AtomicU64,
    /// Rows that a scan has at hand at the most, beside the one where it stands.
    pub(super) more_at_hand: AtomicU64,
    /// Conditions by which scans were told to leave rows out. They do not.
    pub(super) left_out_by: AtomicU64,
    /// Whether scans give what lies outside of their ranges, as forged blocks would have them: 0 or 1.
    pub(super) is_forged: AtomicU64,
}

impl Default for Device {
    fn default() -> Self {
        let [calls, failing_call, scanned, looked_up, tested, counts] = Default::default();
        let [withheld_memory, more_at_hand, left_out_by, is_forged] = Default::default();
        let name = "Item.objects".into();
        Device {
            name,
            calls,
            failing_call,
            scanned,
            looked_up,
            tested,
            counts,
            withheld_memory,
            more_at_hand,
            left_out_by,
            is_forged,
        }
    }
}

impl Device {
    fn call(&self) -> Result<(), ReadError> {
        let call = self.calls.fetch_add(1, Relaxed) + 1;
        if call != self.failing_call.load(Relaxed) {
            return Ok(());
        }
        let source = Arc::new(io::Error::other("injected"));
        Err(ReadError::Io { offset: 4096, length: 4096, source })
    }

    pub(super) fn reset(&self, failing_call: u64) {
        for counter in [&self.calls, &self.scanned, &self.looked_up, &self.tested, &self.counts] {
            counter.store(0, Relaxed);
        }
        self.failing_call.store(failing_call, Relaxed);
    }
}

#[derive(Clone)]
pub(super) struct MockTree {
    pub(super) limbs: usize,
    pub(super) payload_width: usize,
    pub(super) entries: BTreeMap<Vec<u64>, Vec<u8>>,
    pub(super) device: Arc<Device>,
}

impl MockTree {
    fn assert_range(&self, min: &[u64], max: &[u64]) {
        assert_eq!((min.len(), max.len()), (self.limbs, self.limbs), "keys have all limbs");
        assert!(min <= max, "the range is inverted");
    }
}

impl TreeRead for MockTree {
    fn name(&self) -> &Arc<str> {
        &self.device.name
    }

    fn limbs(&self) -> usize {
        self.limbs
    }

    fn payload_width(&self) -> usize {
        self.payload_width
    }

    fn lookup(&self, key: &[u64], payload: &mut [u8]) -> Result<bool, ReadError> {
        self.device.call()?;
        let found = self.entries.get(key);
        if let Some(found) = found {
            payload.copy_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn lookup_batch(
        &self,
        keys: &[u64],
        parts: Option<&[Range<usize>]>,
    ) -> Result<LookupBatch, ReadError> {
        self.device.call()?;
        let mut batch = LookupBatch::default();
        for key in keys.chunks(self.limbs) {
            match parts {
                None => self.device.looked_up.fetch_add(1, Relaxed),
                Some(_) => self.device.tested.fetch_add(1, Relaxed),
            };
            let found = self.entries.get(key);
            batch.found.push(found.is_some());
            let mut payload = found.cloned().unwrap_or_else(|| vec![0; self.payload_width]);
            for (at, byte) in payload.iter_mut().enumerate() {
                // What nobody asked for is anything.
                if parts.is_some_and(|parts| !parts.iter().any(|part| part.contains(&at))) {
                    *byte = !*byte;
                }
            }
            batch.payload.extend(payload);
        }
        Ok(batch)
    }

    fn scan(self: Arc<Self>, min: &[u64], max: &[u64], direction: Direction) -> Box<dyn Scan> {
        self.assert_range(min, max);
        let next = match self.device.is_forged.load(Relaxed) {
            0 => (Bound::Included(min.to_vec()), Bound::Included(max.to_vec())),
            _ => (Bound::Unbounded, Bound::Unbounded),
        };
        let (current, failure) = (None, None);
        let (parts, tested, keys) = (Vec::new(), Vec::new(), Vec::new());
        Box::new(MockScan { tree: self, direction, next, current, keys, parts, tested, failure })
    }

    fn scan_key(
        self: Arc<Self>,
        prefix: &[u64],
        (min, max): (u64, u64),
        direction: Direction,
    ) -> Box<dyn KeyScan> {
        let key = |timestamp| [prefix, &[timestamp]].concat();
        let (min, max) = (key(min), key(max));
        let density = self.entries.range(min.clone()..=max.clone()).count() as f64;
        let scan = self.scan(&min, &max, direction);
        Box::new(MockKeyScan { scan, key: min, direction, at: None, density, target: 0 })
    }

    fn count(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        self.assert_range(min, max);
        self.device.call()?;
        self.device.counts.fetch_add(1, Relaxed);
        Ok(self.entries.range(min.to_vec()..=max.to_vec()).count() as u64)
    }

    fn verify_tables(&self) -> Result<TablesVerified, ReadError> {
        Ok(TablesVerified::default())
    }

    fn damaged(&self, _: &[u64], damage: Damage) -> ReadError {
        corrupt(TREE_OFFSET, BlockKind::Value, Some(self.name()), damage)
    }

    fn estimate(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        self.assert_range(min, max);
        self.device.call()?;
        Ok(self.entries.range(min.to_vec()..=max.to_vec()).count() as u64)
    }

    fn query_memory(&self) -> u64 {
        u64::MAX - self.device.withheld_memory.load(Relaxed)
    }
}

struct MockScan {
    tree: Arc<MockTree>,
    direction: Direction,
    /// What is still to be scanned.
    next: (Bound<Vec<u64>>, Bound<Vec<u64>>),
    current: Option<(Vec<u64>, Vec<u8>)>,
    /// The limbs of the keys at hand, ascending.
    keys: Vec<u64>,
    parts: Vec<Range<usize>>,
    tested: Vec<u8>,
    failure: Option<ReadError>,
}

impl MockScan {
    /// The key where it stands and those behind it that are at hand, in the direction of the scan.
    fn hand(&self) -> Vec<Vec<u64>> {
        let more = self.tree.device.more_at_hand.load(Relaxed) as usize;
        let mut hand = vec![self.key().to_vec()];
        if !is_inverted(&self.next) {
            let range = self.tree.entries.range(self.next.clone()).map(|(key, _)| key.clone());
            match self.direction {
                Direction::Ascending => hand.extend(range.take(more)),
                Direction::Descending => hand.extend(range.rev().take(more)),
            }
        }
        hand
    }

    /// A payload; bytes that are not tested are not those of the row.
    fn tested_part(&self, key: &[u64]) -> Vec<u8> {
        let payload = &self.tree.entries[key];
        let mut tested: Vec<u8> = payload.iter().map(|byte| !byte).collect();
        for part in &self.parts {
            tested[part.clone()].copy_from_slice(&payload[part.clone()]);
        }
        tested
    }

    /// Notes what is at hand.
    fn take_in_hand(&mut self) {
        let mut hand = self.hand();
        hand.sort_unstable();
        self.keys = hand.concat();
    }

    fn call(&mut self) -> Result<(), ReadError> {
        if self.failure.is_none() {
            self.failure = self.tree.device.call().err();
        }
        self.failure.clone().map_or(Ok(()), Err)
    }
}

fn is_inverted(range: &(Bound<Vec<u64>>, Bound<Vec<u64>>)) -> bool {
    match range {
        (Bound::Included(min), Bound::Included(max)) => min > max,
        (
            Bound::Included(min) | Bound::Excluded(min),
            Bound::Included(max) | Bound::Excluded(max),
        ) => min >= max,
        _ => false,
    }
}

impl Scan for MockScan {
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.call()?;
        if is_inverted(&self.next) {
            self.current = None;
            return Ok(false);
        }
        let mut range = self.tree.entries.range(self.next.clone());
        let entry = match self.direction {
            Direction::Ascending => range.next(),
            Direction::Descending => range.next_back(),
        };
        self.current = entry.map(|(key, payload)| (key.clone(), payload.clone()));
        let Some((key, _)) = &self.current else { return Ok(false) };
        match self.direction {
            Direction::Ascending => self.next.0 = Bound::Excluded(key.clone()),
            Direction::Descending => self.next.1 = Bound::Excluded(key.clone()),
        }
        self.tree.device.scanned.fetch_add(1, Relaxed);
        self.take_in_hand();
        Ok(true)
    }

    fn seek(&mut self, key: &[u64]) -> Result<(), ReadError> {
        self.call()?;
        assert_eq!(key.len(), self.tree.limbs, "keys have all limbs");
        let (bound, ascends) = match self.direction {
            Direction::Ascending => (&mut self.next.0, true),
            Direction::Descending => (&mut self.next.1, false),
        };
        let forward = match bound {
            Bound::Included(at) | Bound::Excluded(at) if ascends => key > &at[..],
            Bound::Included(at) | Bound::Excluded(at) => key < &at[..],
            Bound::Unbounded => unreachable!("ranges are bounded"),
        };
        if forward {
            *bound = Bound::Included(key.to_vec());
            self.keys.clear();
        }
        Ok(())
    }

    fn at_hand(&self) -> &[u64] {
        &self.keys
    }

    fn tested_at_hand(&mut self) -> &[u8] {
        let keys = self.keys.chunks(self.tree.limbs);
        self.tested = keys.flat_map(|key| self.tested_part(key)).collect();
        &self.tested
    }

    fn numbers_at_hand(&mut self, lane: PayloadLane, numbers: &mut Vec<u64>) -> Option<u64> {
        let keys = self.keys.chunks(self.tree.limbs);
        let all: Vec<u64> = keys.map(|key| lane.read(&self.tested_part(key))).collect();
        if all.iter().all(|number| *number == all[0]) {
            return Some(all[0]);
        }
        numbers.extend(all);
        None
    }

    fn skip(&mut self, rows: usize) {
        for _ in 0..rows {
            let (calls, at_hand) = (self.tree.device.calls.load(Relaxed), self.keys.len());
            assert!(at_hand > self.tree.limbs, "rows that are at hand are skipped");
            let keys = std::mem::take(&mut self.keys);
            assert!(self.advance().expect("what is at hand needs no call"), "it is at hand");
            self.tree.device.calls.store(calls, Relaxed);
            // Nothing comes into the hand by it.
            self.keys = match self.direction {
                Direction::Ascending => keys[self.tree.limbs..].to_vec(),
                Direction::Descending => keys[..at_hand - self.tree.limbs].to_vec(),
            };
        }
    }

    fn key(&self) -> &[u64] {
        &self.current.as_ref().expect("`advance` gave a row").0
    }

    fn value(&mut self) -> (&[u64], &[u8]) {
        let (key, payload) = self.current.as_ref().expect("`advance` gave a row");
        (key, payload)
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        self.parts.extend_from_slice(parts);
    }

    fn tested(&mut self) -> &[u8] {
        self.tested = self.tested_part(self.key());
        &self.tested
    }

    fn leave_out(&mut self, _: PayloadLane, _: Arc<[(u64, u64)]>) {
        self.tree.device.left_out_by.fetch_add(1, Relaxed);
    }

    fn blocks(&self) -> u64 {
        0
    }
}

struct MockKeyScan {
    scan: Box<dyn Scan>,
    /// The prefix, and room for a timestamp.
    key: Vec<u64>,
    direction: Direction,
    /// The timestamp that the scan stands at.
    at: Option<u64>,
    /// Entries within the whole range, to be compared with those of other keys.
    density: f64,
    /// Targets never go back.
    target: u64,
}

impl KeyScan for MockKeyScan {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, ReadError> {
        assert!(self.target <= target, "a target went back");
        self.target = target;
        let rank = |timestamp| self.direction.rank(timestamp);
        if self.at.is_none_or(|at| rank(at) < target) {
            *self.key.last_mut().unwrap() = rank(target);
            self.scan.seek(&self.key)?;
            self.at = self.scan.advance()?.then(|| *self.scan.key().last().unwrap());
        }
        Ok(self.at.map(rank))
    }

    fn density(&self) -> Option<f64> {
        Some(self.density)
    }

    fn blocks(&self) -> u64 {
        self.scan.blocks()
    }
}
