//! The root of the file: what a checkpoint refers to, and what was fixed when the file was created.
//!
//! ```text
//! 0          16 KiB     24 KiB                        grid_offset
//! | 4 copies | 2 marks  | ring of wal_slots sectors   | grid: blocks ...
//! ```
//!
//! The superblock is stored four times, each in a sector of its own. [`Superblock::write`] writes
//! two copies, syncs, writes the other two, and syncs: at each moment two copies of the old or of
//! the new superblock are whole. [`Superblock::read`] takes the highest sequence number that two
//! equal valid copies have:
//!
//! - Crash in the first half: at most one whole new copy and two old ones, the old one wins; or two
//!   new copies, and the new one wins. Both are sound: nothing that the old one refers to is freed
//!   or overwritten before `write` has returned.
//! - Crash in the second half: the new copies of the first half win.
//! - A single copy never wins, however new: one misdirected read would hide the newest.
//!
//! After a crash only two copies may be left, whichever they are. The next write therefore begins
//! with the copies that do not hold what was read.
//!
//! A copy of a write that was cut off may stay behind alone, and a torn one may even become whole
//! again when the next write over it is torn too. The next superblock therefore takes a sequence
//! number above all that were seen, valid or not; so two different valid copies of one sequence
//! number are never the work of one writer, and are an error.
//!
//! Invariants for [`crate::forest`], the only caller: before `write`, everything that the new
//! superblock refers to is synced. The first thing that an opener writes is a [`successor`] with
//! the next epoch. It repairs odd copies: only when four agree again is anything else overwritten,
//! and until then even a lost superblock that became whole again refers to what is there.
//!
//! [`successor`]: Superblock::successor

use std::io;

use crate::constants::{GROOVES_MAX, SECTOR_SIZE, TIMESTAMP_MAX};
use crate::error::{BlockKind, Corruption, Damage};
use crate::grid::BlockRef;
use crate::storage::Storage;
use sector::{Copy, SuperblockSector};

mod sector;
#[cfg(test)]
mod tests;

/// The format that this release writes, and the only one that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// Copies of the superblock.
pub(crate) const SUPERBLOCK_COPIES: usize = 4;
/// Bytes at the beginning of the file that the copies take.
pub(crate) const SUPERBLOCK_ZONE_SIZE: u64 = (SUPERBLOCK_COPIES * SECTOR_SIZE) as u64;
/// Where the two mark sectors of the log begin.
pub(crate) const WAL_MARK_OFFSET: u64 = SUPERBLOCK_ZONE_SIZE;
/// Sectors that marks are written to in turn.
pub(crate) const WAL_MARKS: usize = 2;
/// Where slot 0 of the log's ring begins.
pub(crate) const WAL_OFFSET: u64 = WAL_MARK_OFFSET + (WAL_MARKS * SECTOR_SIZE) as u64;

/// The fewest and the most slots (sectors) of the log's ring.
pub(crate) const WAL_SLOTS_MIN: u32 = 8;
/// See [`WAL_SLOTS_MIN`].
pub(crate) const WAL_SLOTS_MAX: u32 = 1 << 22;
/// The largest block size in bytes; the smallest is a sector.
pub(crate) const BLOCK_SIZE_MAX: u32 = 16 << 20;
/// The least factor by which levels grow.
pub(crate) const GROWTH_FACTOR_MIN: u32 = 2;
/// The greatest factor by which levels grow.
pub(crate) const GROWTH_FACTOR_MAX: u32 = 64;
/// No op, epoch or sequence number that is read exceeds this: adding to one never overflows.
pub(crate) const COUNTER_MAX: u64 = 1 << 62;

/// How far above the newest superblock's a damaged copy's sequence number is believed.
const SEQUENCES_LOST_MAX: u64 = 1 << 16;

// Headers and blocks are cast from and to bytes, so the machine's byte order is the file's.
const _: () = assert!(cfg!(target_endian = "little"), "groove needs a little-endian machine");
const _: () = {
    assert!(SUPERBLOCK_COPIES == 4); // two halves of two: a quorum in each
    assert!(WAL_OFFSET.is_multiple_of(SECTOR_SIZE as u64));
    assert!(WAL_SLOTS_MIN >= 2 && WAL_SLOTS_MIN < WAL_SLOTS_MAX);
};

/// What is fixed when a file is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormatOptions {
    /// Bytes of a block, a power of two.
    pub(crate) block_size: u32,
    /// Sectors of the log's ring.
    pub(crate) wal_slots: u32,
    /// By how much each level is larger than the one above it.
    pub(crate) growth_factor: u32,
    /// Whatever else the layers above fix; stored, not interpreted.
    pub(crate) parameters: [u64; 8],
}

/// The log directly after one of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WalPosition {
    /// The op of the entry; 0 before the first.
    pub(crate) op: u64,
    /// The checksum of the entry, which the next one repeats; 0 before the first.
    pub(crate) checksum: u128,
    /// The slot behind the entry. The next one begins there, or in a cell of the slot before.
    pub(crate) slot: u32,
}

/// The root of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Superblock {
    sequence: u64,
    /// The highest sequence number that was seen in the file, kept or not. Not stored.
    sequence_highest: u64,
    /// The copies in the order in which the next superblock is written: last, two that hold this
    /// one. Not stored.
    write_order: [usize; SUPERBLOCK_COPIES],
    parent: u128,
    /// Drawn at creation; each block and log entry repeats it.
    pub(crate) file_id: [u8; 16],
    /// Counts the times that the file was opened to be written; log entries carry it.
    pub(crate) epoch: u64,
    /// What was fixed at creation.
    pub(crate) options: FormatOptions,
    /// The newest op whose effects the manifest refers to; the log is replayed from here.
    pub(crate) checkpoint: WalPosition,
    /// The highest timestamp of any object, of the checkpoint or before.
    pub(crate) timestamp_max: u64,
    /// The newest block of the manifest log.
    pub(crate) manifest: Option<BlockRef>,
    /// Blocks of the manifest log; 0 exactly if there is no newest one.
    pub(crate) manifest_block_count: u64,
    /// The schema.
    pub(crate) schema: Option<BlockRef>,
    /// Where the last byte that the checkpoint refers to ends; a multiple of the sector size and at
    /// least [`Superblock::grid_offset`]. The file is at least this long.
    pub(crate) grid_end: u64,
    /// Grooves of the forest.
    pub(crate) groove_count: u32,
    /// Objects of each groove; 0 from `groove_count` on.
    pub(crate) object_counts: [u64; GROOVES_MAX],
}

/// Why no superblock could be read. The file is unchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuperblockError {
    #[error("the file is empty")]
    Empty,
    #[error("the file was not written by groove")]
    NotGroove,
    #[error("the file has {length} bytes and needs {needed}")]
    Truncated { length: u64, needed: u64 },
    #[error("the file has format {found}, this release reads {FORMAT_VERSION}")]
    Format { found: u32 },
    #[error("the file was written in another byte order")]
    Endianness,
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    #[error("cannot read the superblock")]
    Io(#[from] io::Error),
}

impl FormatOptions {
    /// The first option that is out of range, if any: its name and what is allowed.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let block_sizes = SECTOR_SIZE as u32..=BLOCK_SIZE_MAX;
        if !self.block_size.is_power_of_two() || !block_sizes.contains(&self.block_size) {
            return Err(("block size", "a power of two from 4096 to 16777216"));
        }
        if !(WAL_SLOTS_MIN..=WAL_SLOTS_MAX).contains(&self.wal_slots) {
            return Err(("number of log slots", "from 8 to 4194304"));
        }
        if !(GROWTH_FACTOR_MIN..=GROWTH_FACTOR_MAX).contains(&self.growth_factor) {
            return Err(("growth factor", "from 2 to 64"));
        }
        Ok(())
    }

    /// Where the grid begins: at the end of the log's ring.
    pub(crate) fn grid_offset(&self) -> u64 {
        WAL_OFFSET + u64::from(self.wal_slots) * SECTOR_SIZE as u64
    }
}

impl Superblock {
    /// The first superblock of a file, of an empty forest in epoch 1.
    pub(crate) fn new(file_id: [u8; 16], options: FormatOptions) -> Superblock {
        Superblock {
            sequence: 1,
            sequence_highest: 1,
            write_order: [0, 1, 2, 3],
            parent: 0,
            file_id,
            epoch: 1,
            options,
            checkpoint: WalPosition::default(),
            timestamp_max: 0,
            manifest: None,
            manifest_block_count: 0,
            schema: None,
            grid_end: options.grid_offset(),
            groove_count: 0,
            object_counts: [0; GROOVES_MAX],
        }
    }

    /// A copy to be changed and written after this one: the next sequence number, chained to this.
    pub(crate) fn successor(&self) -> Superblock {
        assert!(self.sequence <= self.sequence_highest);
        let sequence = self.sequence_highest + 1;
        Superblock { sequence, sequence_highest: sequence, parent: self.checksum(), ..self.clone() }
    }

    /// Counts the superblocks of this file; not every number is used.
    #[cfg(test)]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The checksum of the superblock that this one was made from; 0 for the first.
    #[cfg(test)]
    pub(crate) fn parent(&self) -> u128 {
        self.parent
    }

    /// The checksum that all copies have.
    pub(crate) fn checksum(&self) -> u128 {
        SuperblockSector::encode(self).checksum
    }

    /// Where the grid begins: at the end of the log's ring.
    pub(crate) fn grid_offset(&self) -> u64 {
        self.options.grid_offset()
    }

    /// Writes all copies and returns when they are durable. After an error the file holds this
    /// superblock or the one before, and the caller must not write to it any more.
    ///
    /// # Panics
    /// If a field is out of range: a bug of the caller's, and nothing is written.
    pub(crate) fn write(&self, storage: &dyn Storage) -> io::Result<()> {
        assert_eq!(self.check(), Ok(()), "a superblock with an invalid field is never written");
        let mut sector = SuperblockSector::encode(self);
        for half in self.write_order.chunks(SUPERBLOCK_COPIES / 2) {
            for &copy in half {
                sector.copy = copy as u32;
                storage.write_at(copy_offset(copy), bytemuck::bytes_of(&sector))?;
                if defect!(SuperblockHalfWritten) {
                    break;
                }
            }
            if !defect!(SuperblockHalvesTogether) {
                storage.sync()?;
            }
        }
        if defect!(SuperblockHalvesTogether) {
            storage.sync()?;
        }
        Ok(())
    }

    /// Reads the newest superblock that a quorum of copies has, and validates it.
    ///
    /// A reader beside a writer may meet a write halfway and then find no quorum: read again.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Superblock, SuperblockError> {
        let length = storage.length()?;
        if length < SUPERBLOCK_ZONE_SIZE {
            return Err(read_short(storage, length)?);
        }
        let mut copies = Vec::with_capacity(SUPERBLOCK_COPIES);
        for index in 0..SUPERBLOCK_COPIES {
            let mut sector = bytemuck::Zeroable::zeroed();
            let read = storage.read_at(copy_offset(index), bytemuck::bytes_of_mut(&mut sector));
            copies.push(match read {
                Ok(()) => Copy::classify(sector, index),
                Err(error) => Copy::Unreadable(error),
            });
        }
        let superblock = choose(copies)?;
        let needed = superblock.grid_end.max(superblock.grid_offset());
        if length < needed {
            return Err(SuperblockError::Truncated { length, needed });
        }
        Ok(superblock)
    }

    /// How many copies hold this superblock, whole and in their places.
    pub(crate) fn count_copies(storage: &dyn Storage, superblock: &Superblock) -> io::Result<u32> {
        let expected = superblock.checksum();
        let mut count = 0;
        for index in 0..SUPERBLOCK_COPIES {
            let mut sector = bytemuck::Zeroable::zeroed();
            storage.read_at(copy_offset(index), bytemuck::bytes_of_mut(&mut sector))?;
            let copy = Copy::classify(sector, index);
            count += u32::from(matches!(copy, Copy::Valid(copy) if copy.checksum == expected));
        }
        Ok(count)
    }

    /// The first field that is out of range for one that was read, if any.
    fn check_read(&self) -> Result<(), &'static str> {
        if self.epoch > COUNTER_MAX {
            return Err("epoch");
        }
        if self.checkpoint.op > COUNTER_MAX {
            return Err("checkpoint op");
        }
        self.check()
    }

    /// The first field that is out of range, if any.
    fn check(&self) -> Result<(), &'static str> {
        let ensure = |holds, what| if holds { Ok(()) } else { Err(what) };
        self.options.check().map_err(|(option, _)| option)?;
        ensure(self.sequence > 0, "sequence number")?;
        ensure((self.sequence == 1) == (self.parent == 0), "parent")?;
        ensure(self.epoch > 0, "epoch")?;

        ensure(self.checkpoint.op > 0 || self.checkpoint.checksum == 0, "checkpoint checksum")?;
        ensure(self.checkpoint.slot < self.options.wal_slots, "checkpoint slot")?;
        ensure(self.timestamp_max <= TIMESTAMP_MAX, "highest timestamp")?;

        let (grid_offset, sector) = (self.grid_offset(), SECTOR_SIZE as u64);
        let grid_ends = grid_offset..=i64::MAX as u64;
        ensure(grid_ends.contains(&self.grid_end), "end of the grid")?;
        ensure(self.grid_end.is_multiple_of(sector), "end of the grid")?;
        for (reference, what) in
            [(&self.manifest, "manifest reference"), (&self.schema, "schema reference")]
        {
            let Some(reference) = reference else { continue };
            ensure(reference.is_plausible(grid_offset, self.grid_end), what)?;
        }
        let blocks_max = (self.grid_end - grid_offset) / sector;
        let blocks = self.manifest_block_count;
        ensure((blocks > 0) == self.manifest.is_some(), "number of manifest blocks")?;
        ensure(blocks <= blocks_max, "number of manifest blocks")?;

        let grooves = self.groove_count as usize;
        ensure(grooves <= GROOVES_MAX, "number of grooves")?;
        let (used, unused) = self.object_counts.split_at(grooves);
        ensure(used.iter().all(|&count| count <= TIMESTAMP_MAX), "number of objects")?;
        ensure(unused.iter().all(|&count| count == 0), "number of objects")
    }
}

/// Where in the file a copy is.
fn copy_offset(index: usize) -> u64 {
    assert!(index < SUPERBLOCK_COPIES);
    (index * SECTOR_SIZE) as u64
}

/// What is wrong with a file that ends before the copies do.
fn read_short(storage: &dyn Storage, length: u64) -> io::Result<SuperblockError> {
    if length == 0 {
        return Ok(SuperblockError::Empty);
    }
    let mut start = vec![0; sector::MAGIC.len().min(length as usize)];
    storage.read_at(0, &mut start)?;
    Ok(if sector::MAGIC.starts_with(&start) {
        SuperblockError::Truncated { length, needed: SUPERBLOCK_ZONE_SIZE }
    } else {
        SuperblockError::NotGroove
    })
}

/// The newest superblock that two copies agree on, validated; or what is wrong with all of them.
fn choose(copies: Vec<Copy>) -> Result<Superblock, SuperblockError> {
    let valid: Vec<(usize, &SuperblockSector)> = copies
        .iter()
        .enumerate()
        .filter_map(|(index, copy)| match copy {
            Copy::Valid(sector) => Some((index, &**sector)),
            _ => None,
        })
        .collect();
    let corrupt = |index: usize, damage| Corruption {
        offset: copy_offset(index),
        kind: BlockKind::Superblock,
        tree: None,
        damage,
    };

    let mut newest: Option<(usize, &SuperblockSector)> = None;
    for (nth, &(index, sector)) in valid.iter().enumerate() {
        for &(other_index, other) in &valid[..nth] {
            if other.sequence != sector.sequence {
                continue;
            }
            if other.checksum != sector.checksum {
                let what = "sequence number, which a copy with other contents has too,";
                return Err(corrupt(index, Damage::Invalid { what }).into());
            }
            if newest.is_none_or(|(_, newest)| newest.sequence < sector.sequence) {
                newest = Some((other_index, other));
            }
        }
    }
    if defect!(NewestSuperblockAlone) {
        newest = valid.iter().copied().max_by_key(|(_, sector)| sector.sequence);
    }
    let Some((index, sector)) = newest else {
        let valid_copies = valid.len() as u8;
        return Err(no_quorum(copies, corrupt(0, Damage::NoQuorum { valid_copies })));
    };
    let sequences_lost = sector.sequence..=sector.sequence + SEQUENCES_LOST_MAX;
    let sequences = copies.iter().filter_map(|copy| match copy {
        Copy::Valid(sector) => Some(sector.sequence),
        Copy::Damaged { sequence } => Some(*sequence).filter(|it| sequences_lost.contains(it)),
        _ => None,
    });
    let sequence_highest = sequences.max().expect("the newest copy is one of the valid ones");
    let mut superblock = sector
        .decode()
        .and_then(|superblock| superblock.check_read().map(|()| superblock))
        .map_err(|what| corrupt(index, Damage::Invalid { what }))?;
    superblock.sequence_highest = sequence_highest;
    let holds = |index: &usize| match &copies[*index] {
        Copy::Valid(copy) => copy.checksum == sector.checksum,
        _ => false,
    };
    superblock.write_order.sort_by_key(holds);
    assert!(superblock.write_order[2..].iter().all(holds), "two copies are a quorum");
    Ok(superblock)
}

/// Names what most likely keeps the copies from being valid. Here nothing can be verified, so
/// another format or byte order is believed only if two copies say so.
fn no_quorum(copies: Vec<Copy>, corruption: Corruption) -> SuperblockError {
    if copies.iter().all(|copy| matches!(copy, Copy::Foreign)) {
        return SuperblockError::NotGroove;
    }
    let mut other_order = 0;
    let mut newer: Vec<u32> = Vec::new();
    for copy in copies {
        match copy {
            Copy::Unreadable(error) => return SuperblockError::Io(error),
            Copy::OtherByteOrder => other_order += 1,
            Copy::Newer { version } if newer.contains(&version) => {
                return SuperblockError::Format { found: version };
            }
            Copy::Newer { version } => newer.push(version),
            Copy::Foreign | Copy::Damaged { .. } | Copy::Valid(_) => {}
        }
    }
    if other_order >= 2 { SuperblockError::Endianness } else { corruption.into() }
}
