//! What the steps of a plan did: counted only for `explain`, by wrappers around trees and streams.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::{Damage, QueryError, ReadError};
use crate::query::stream::{BoxStream, Stream};
use crate::table::PayloadLane;
use crate::tree::{Direction, KeyScan, LookupBatch, Scan, TablesVerified, TreeRead};

/// What one step did.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Timestamps that it gave, or was asked for together with others; each once.
    rows: AtomicU64,
    /// Blocks that it looked into.
    blocks: AtomicU64,
    /// Entries that scans of it gave, unless these are of one key.
    entries: AtomicU64,
}

/// A meter for each step of a plan.
#[derive(Debug, Default)]
pub(crate) struct Meters(Vec<Arc<Meter>>);

impl Meters {
    /// Meters for so many steps.
    pub(crate) fn new(steps: usize) -> Meters {
        Meters((0..steps).map(|_| Arc::default()).collect())
    }

    /// Timestamps that the step gave, and blocks that it looked into.
    pub(crate) fn read(&self, step: usize) -> (u64, u64) {
        (self.0[step].rows.load(Relaxed), self.0[step].blocks.load(Relaxed))
    }

    /// Entries that the step read, if it collects them.
    pub(crate) fn entries(&self, step: usize) -> u64 {
        self.0[step].entries.load(Relaxed)
    }

    pub(crate) fn stream(&self, step: usize, stream: BoxStream) -> BoxStream {
        Box::new(MeteredStream { stream, meter: self.0[step].clone(), last: None })
    }

    pub(crate) fn tree(&self, step: usize, tree: Arc<dyn TreeRead>) -> Arc<dyn TreeRead> {
        Arc::new(MeteredTree { tree, meter: self.0[step].clone() })
    }
}

struct MeteredStream {
    stream: BoxStream,
    meter: Arc<Meter>,
    last: Option<u64>,
}

impl MeteredStream {
    fn count(&mut self, ranks: &[u64]) {
        let Some(last) = ranks.last() else { return };
        let again = ranks.first().copied() == self.last;
        self.last = Some(*last);
        self.meter.rows.fetch_add(ranks.len() as u64 - u64::from(again), Relaxed);
    }
}

impl Stream for MeteredStream {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let found = self.stream.seek(target)?;
        if found.is_some() && found != self.last {
            self.last = found;
            self.meter.rows.fetch_add(1, Relaxed);
        }
        Ok(found)
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        let begin = out.len();
        self.stream.fill(target, count, out)?;
        self.count(&out[begin..]);
        Ok(())
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        self.count(ranks);
        self.stream.retain(ranks)
    }

    fn density(&self) -> Option<f64> {
        self.stream.density()
    }

    fn row(&mut self) -> Option<&[u8]> {
        self.stream.row()
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        self.stream.test(parts);
    }

    fn tested(&mut self) -> Option<&[u8]> {
        self.stream.tested()
    }
}

struct MeteredTree {
    tree: Arc<dyn TreeRead>,
    meter: Arc<Meter>,
}

impl TreeRead for MeteredTree {
    fn name(&self) -> &Arc<str> {
        self.tree.name()
    }

    fn limbs(&self) -> usize {
        self.tree.limbs()
    }

    fn payload_width(&self) -> usize {
        self.tree.payload_width()
    }

    fn lookup(&self, key: &[u64], payload: &mut [u8]) -> Result<bool, ReadError> {
        self.tree.lookup(key, payload)
    }

    fn lookup_batch(
        &self,
        keys: &[u64],
        parts: Option<&[Range<usize>]>,
    ) -> Result<LookupBatch, ReadError> {
        let batch = self.tree.lookup_batch(keys, parts)?;
        self.meter.blocks.fetch_add(batch.blocks, Relaxed);
        Ok(batch)
    }

    fn scan(self: Arc<Self>, min: &[u64], max: &[u64], direction: Direction) -> Box<dyn Scan> {
        let scan = self.tree.clone().scan(min, max, direction);
        Box::new(MeteredScan { scan, meter: self.meter.clone(), counted: 0 })
    }

    fn scan_key(
        self: Arc<Self>,
        prefix: &[u64],
        window: (u64, u64),
        direction: Direction,
    ) -> Box<dyn KeyScan> {
        let scan = self.tree.clone().scan_key(prefix, window, direction);
        Box::new(MeteredKeyScan { scan, meter: self.meter.clone(), counted: 0 })
    }

    fn count(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        self.tree.count(min, max)
    }

    fn estimate(&self, min: &[u64], max: &[u64]) -> Result<u64, ReadError> {
        self.tree.estimate(min, max)
    }

    fn query_memory(&self) -> u64 {
        self.tree.query_memory()
    }

    fn verify_tables(&self) -> Result<TablesVerified, ReadError> {
        self.tree.verify_tables()
    }

    fn damaged(&self, key: &[u64], damage: Damage) -> ReadError {
        self.tree.damaged(key, damage)
    }
}

struct MeteredScan {
    scan: Box<dyn Scan>,
    meter: Arc<Meter>,
    counted: u64,
}

impl MeteredScan {
    fn count(&mut self) {
        let blocks = self.scan.blocks();
        self.meter.blocks.fetch_add(blocks - self.counted, Relaxed);
        self.counted = blocks;
    }
}

impl Scan for MeteredScan {
    fn advance(&mut self) -> Result<bool, ReadError> {
        let advanced = self.scan.advance();
        self.count();
        self.meter.entries.fetch_add(u64::from(*advanced.as_ref().unwrap_or(&false)), Relaxed);
        advanced
    }

    fn seek(&mut self, key: &[u64]) -> Result<(), ReadError> {
        let sought = self.scan.seek(key);
        self.count();
        sought
    }

    fn key(&self) -> &[u64] {
        self.scan.key()
    }

    fn value(&mut self) -> (&[u64], &[u8]) {
        self.scan.value()
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        self.scan.test(parts);
    }

    fn tested(&mut self) -> &[u8] {
        self.scan.tested()
    }

    fn at_hand(&self) -> &[u64] {
        self.scan.at_hand()
    }

    fn tested_at_hand(&mut self) -> &[u8] {
        self.scan.tested_at_hand()
    }

    fn numbers_at_hand(&mut self, lane: PayloadLane, numbers: &mut Vec<u64>) -> Option<u64> {
        self.scan.numbers_at_hand(lane, numbers)
    }

    fn skip(&mut self, rows: usize) {
        self.scan.skip(rows);
    }

    fn leave_out(&mut self, lane: PayloadLane, wanted: Arc<[(u64, u64)]>) {
        self.scan.leave_out(lane, wanted);
    }

    fn blocks(&self) -> u64 {
        self.scan.blocks()
    }
}

struct MeteredKeyScan {
    scan: Box<dyn KeyScan>,
    meter: Arc<Meter>,
    counted: u64,
}

impl MeteredKeyScan {
    fn count(&mut self) {
        let blocks = self.scan.blocks();
        self.meter.blocks.fetch_add(blocks - self.counted, Relaxed);
        self.counted = blocks;
    }
}

impl KeyScan for MeteredKeyScan {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, ReadError> {
        let found = self.scan.seek(target);
        self.count();
        found
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), ReadError> {
        let filled = self.scan.fill(target, count, out);
        self.count();
        filled
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), ReadError> {
        let retained = self.scan.retain(ranks);
        self.count();
        retained
    }

    fn density(&self) -> Option<f64> {
        self.scan.density()
    }

    fn blocks(&self) -> u64 {
        self.scan.blocks()
    }
}
