//! The manifest log: which tables there are, as a chain of blocks of events.
//!
//! Each checkpoint appends one block with what its bar changed; the superblock refers to the newest
//! block and each block to the one before, so all of them are reached by checksummed references.
//! When the log holds more than twice as many events as there are tables, or its chain gets long,
//! the checkpoint writes the live tables as a new chain instead and the old blocks become free with
//! it: its size and the time to read it stay proportional to the number of tables.

use std::collections::BTreeMap;
use std::io;

use bytemuck::{Pod, Zeroable};

use crate::constants::SECTOR_SIZE;
use crate::error::{BlockKind, Damage, ReadError};
use crate::grid::{
    BLOCK_HEADER_SIZE, BlockHeader, BlockInfo, BlockRef, Extent, FreeSet, Grid, corrupt,
    seal_block, sectors,
};
use crate::table::TableRecord;

/// Events in one block at most.
const BLOCK_EVENTS_MAX: usize = 512;
/// Blocks of a chain at most, before it is compacted: opening reads them one after the other.
const CHAIN_BLOCKS_MAX: usize = 64;
/// Events that are not worth a compaction.
const EVENTS_SLACK: usize = 64;

const EVENT_INSERT: u32 = 1;
const EVENT_REMOVE: u32 = 2;

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Event {
    kind: u32,
    reserved: u32,
    record: TableRecord,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Previous {
    checksum: [u64; 2],
    address: u64,
    length: u32,
    reserved: u32,
}

const PREFIX: usize = BLOCK_HEADER_SIZE + size_of::<Previous>();
const _: () = assert!(size_of::<Event>() == 152 && size_of::<Previous>() == 32);

/// The writer's side of the manifest log.
#[derive(Debug, Default)]
pub(crate) struct ManifestLog {
    /// The newest block.
    head: Option<BlockRef>,
    /// All blocks of the chain, oldest first.
    blocks: Vec<Extent>,
    event_count: usize,
    pending: Vec<Event>,
}

/// What a flush of the log changed.
pub(crate) struct Flushed {
    /// Blocks that are free once the checkpoint is durable.
    pub(crate) released: Vec<Extent>,
}

impl ManifestLog {
    /// Notes that a table is in a level now: a new one, or one that was moved.
    pub(crate) fn insert(&mut self, record: TableRecord) {
        self.pending.push(Event { kind: EVENT_INSERT, reserved: 0, record });
    }

    /// Notes that a table is in no level any more.
    pub(crate) fn remove(&mut self, address: u64) {
        let record = TableRecord { address, ..TableRecord::zeroed() };
        self.pending.push(Event { kind: EVENT_REMOVE, reserved: 0, record });
    }

    pub(crate) fn head(&self) -> Option<BlockRef> {
        self.head
    }

    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn extents(&self) -> &[Extent] {
        &self.blocks
    }

    /// Writes what was noted since the last flush, without a sync; compacts the log if that pays.
    /// `live` gives the records of all tables.
    pub(crate) fn flush(
        &mut self,
        grid: &Grid,
        free_set: &mut FreeSet,
        op: u64,
        live: impl FnOnce() -> Vec<TableRecord>,
        live_count: usize,
    ) -> io::Result<Flushed> {
        let mut released = Vec::new();
        if self.pending.is_empty() {
            return Ok(Flushed { released });
        }
        let events = self.event_count + self.pending.len();
        let too_many = events > 2 * live_count + EVENTS_SLACK;
        let too_long = self.blocks.len() >= CHAIN_BLOCKS_MAX + live_count / BLOCK_EVENTS_MAX;
        let events = if too_many || too_long {
            released.append(&mut self.blocks);
            if defect!(ManifestFreedEarly) {
                released.drain(..).for_each(|extent| free_set.release(extent));
            }
            self.head = None;
            self.event_count = 0;
            self.pending.clear();
            let insert = |record| Event { kind: EVENT_INSERT, reserved: 0, record };
            live().into_iter().map(insert).collect()
        } else {
            std::mem::take(&mut self.pending)
        };
        for events in events.chunks(BLOCK_EVENTS_MAX) {
            let length = PREFIX + size_of_val(events);
            let extent = free_set.acquire(sectors(length));
            let mut bytes = vec![0; extent.sectors as usize * SECTOR_SIZE];
            let previous = Previous {
                checksum: crate::table::checksum_words(self.head.map_or(0, |head| head.checksum)),
                address: self.head.map_or(0, |head| head.address),
                length: self.head.map_or(0, |head| head.length),
                reserved: 0,
            };
            bytes[BLOCK_HEADER_SIZE..PREFIX].copy_from_slice(bytemuck::bytes_of(&previous));
            bytes[PREFIX..length].copy_from_slice(bytemuck::cast_slice(events));
            let count = u32::try_from(events.len()).expect("few events");
            let info = BlockInfo { count, op, ..BlockInfo::default() };
            let kind = BlockKind::Manifest;
            let head = seal_block(&mut bytes, kind, extent.address, grid.file_id(), info);
            grid.write(extent.address, &bytes)?;
            self.head = Some(head);
            self.blocks.push(extent);
            self.event_count += events.len();
        }
        Ok(Flushed { released })
    }

    /// Reads the log from its newest block back; gives all tables by address.
    pub(crate) fn restore(
        grid: &Grid,
        head: Option<BlockRef>,
        block_count: usize,
        grid_start: u64,
        grid_end: u64,
    ) -> Result<(ManifestLog, BTreeMap<u64, TableRecord>), ReadError> {
        let mut blocks: Vec<(BlockRef, Vec<Event>)> = Vec::new();
        let mut next = head;
        while let Some(reference) = next {
            let damaged = |what| {
                corrupt(reference.address, BlockKind::Manifest, None, Damage::Invalid { what })
            };
            if !reference.is_plausible(grid_start, grid_end) {
                return Err(damaged("address"));
            }
            if blocks.len() == block_count {
                return Err(damaged("chain length"));
            }
            let bytes = grid.read_uncached(&reference, BlockKind::Manifest, None)?;
            let count = BlockHeader::read(&bytes).count as usize;
            if bytes.len() < PREFIX || count > (bytes.len() - PREFIX) / size_of::<Event>() {
                return Err(damaged("count"));
            }
            let events = bytes[PREFIX..].chunks_exact(size_of::<Event>()).take(count);
            let events: Vec<Event> = events.map(bytemuck::pod_read_unaligned).collect();
            for event in &events {
                if event.kind == EVENT_INSERT {
                    // A table that is gone may have been behind the present end of the grid: what
                    // is left is checked against it with the free set.
                    event.record.check(grid_start, u64::MAX).map_err(damaged)?;
                }
            }
            let previous: Previous =
                bytemuck::pod_read_unaligned(&bytes[BLOCK_HEADER_SIZE..PREFIX]);
            next = (previous.address != 0).then(|| BlockRef {
                address: previous.address,
                length: previous.length,
                checksum: crate::table::checksum_from_words(previous.checksum),
            });
            blocks.push((reference, events));
        }
        if blocks.len() != block_count {
            let offset = head.map_or(0, |head| head.address);
            let damage = Damage::Invalid { what: "chain length" };
            return Err(corrupt(offset, BlockKind::Manifest, None, damage));
        }
        let mut log = ManifestLog { head, ..ManifestLog::default() };
        let mut tables = BTreeMap::new();
        for (reference, events) in blocks.into_iter().rev() {
            log.event_count += events.len();
            let sectors = sectors(reference.length as usize);
            log.blocks.push(Extent { address: reference.address, sectors });
            for event in events {
                match event.kind {
                    EVENT_INSERT => {
                        tables.insert(event.record.address, event.record);
                    }
                    EVENT_REMOVE if tables.remove(&event.record.address).is_some() => {}
                    _ => {
                        let damage = Damage::Invalid { what: "event" };
                        return Err(corrupt(reference.address, BlockKind::Manifest, None, damage));
                    }
                }
            }
        }
        Ok((log, tables))
    }
}
