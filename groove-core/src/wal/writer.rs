//! Appends entries to the log and keeps account of its slots.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::entry::{EntryFields, EntryHeader, HEADER_SIZE, Mark, body_length_max, entry_slots};
use super::group::{LogGroup, Place, Written, failed_before, is_short, write_slots};
use super::recovery::Recovered;
use super::{Live, mark_offset, pieces, slot_after, slot_distance, slot_offset};
use crate::constants::SECTOR_SIZE;
use crate::storage::Storage;
use crate::superblock::{Superblock, WAL_MARKS, WalPosition};

/// Slots that are made ready at a time: 1 MiB.
const CHUNK_SLOTS: u32 = (1 << 20) / SECTOR_SIZE as u32;
/// Slots whose bytes are read or written together when a chunk is made ready.
const PIECE_SLOTS: u32 = 64;
/// Entries of as many slots are written to space that is only reserved: 128 KiB.
const LONG_SLOTS: u32 = 32;
/// A buffer that grew larger for one entry is given back after it.
const BUFFER_SIZE_KEPT: usize = 1 << 20;

/// Why an entry was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// Nothing was written, and no checkpoint makes it fit.
    #[error("the entry has {bytes} bytes, the most is {bytes_max}")]
    TooLarge { bytes: u64, bytes_max: u64 },
    /// Nothing was written. Take a checkpoint, release, and append again.
    #[error("the entry takes {needed} slots of the log and {free} are free")]
    Full { needed: u32, free: u32 },
    /// Nothing was written: the disk has no space for the ring.
    #[error("cannot reserve space for the log")]
    Reserve(#[source] io::Error),
    /// What is on disk is unknown. The writer takes no more entries.
    #[error("cannot write to the log")]
    Write(#[source] io::Error),
}

/// What is known of a chunk of the ring, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chunk {
    Unknown,
    /// It has space on the disk.
    Reserved,
    /// From where the log has come to on, it has been written before.
    Written,
}

/// The end of the log: where the next entry goes, and which slots are in use.
///
/// The state is pure; the storage is passed to what writes, and never synced here.
#[derive(Debug)]
pub(crate) struct WalWriter {
    file_id: [u8; 16],
    epoch: u64,
    wal_slots: u32,
    /// The log after the newest released op: live entries begin in its slot.
    start: WalPosition,
    /// The live entries. Ops are consecutive from `start.op + 1` on.
    live: VecDeque<Live>,
    /// The mark sector that is written next: never the one with the newest mark.
    mark_next: usize,
    /// The op of the newest mark that was written here.
    marked_op: u64,
    /// The chunks of the ring.
    chunks: Vec<Chunk>,
    buffer: Vec<u8>,
    /// Short entries are handed over here, if there is one.
    group: Option<Arc<LogGroup>>,
    /// A write failed: what is on disk is unknown, and a second attempt might look like a success.
    failed: bool,
}

/// What of an entry's header depends on where and when it is appended.
struct EntryAt {
    op: u64,
    synced_op: u64,
    place: Place,
}

impl WalWriter {
    /// The log of a file that was just created.
    #[cfg(test)]
    pub(crate) fn new(superblock: &Superblock) -> WalWriter {
        assert_eq!(superblock.checkpoint, WalPosition::default(), "a new file has no ops");
        WalWriter::with(superblock, superblock.checkpoint, VecDeque::new(), 0)
    }

    /// Continues a log after recovery. `superblock` is the one that recovery read with a higher
    /// epoch, and durable: entries that were cut off never follow those written from now on.
    pub(crate) fn resume(superblock: &Superblock, recovered: Recovered) -> WalWriter {
        let Recovered { file_id, epoch, wal_slots, start, live, mark_next, .. } = recovered;
        assert_eq!(superblock.file_id, file_id);
        assert_eq!(superblock.options.wal_slots, wal_slots);
        assert!(superblock.epoch > epoch, "the epoch is raised before the log is continued");
        let mut writer = WalWriter::with(superblock, start, live, mark_next);
        writer.release(superblock.checkpoint.op);
        assert_eq!(writer.start, superblock.checkpoint, "the checkpoint is a place in the log");
        writer
    }

    fn with(
        superblock: &Superblock,
        start: WalPosition,
        live: VecDeque<Live>,
        mark_next: usize,
    ) -> WalWriter {
        let wal_slots = superblock.options.wal_slots;
        WalWriter {
            file_id: superblock.file_id,
            epoch: superblock.epoch,
            wal_slots,
            start,
            live,
            mark_next,
            marked_op: 0,
            chunks: vec![Chunk::Unknown; wal_slots.div_ceil(CHUNK_SLOTS) as usize],
            buffer: Vec::new(),
            group: None,
            failed: false,
        }
    }

    /// Hands short entries over to the group that is returned from now on: whoever syncs is to write it
    /// before.
    pub(crate) fn begin_groups(&mut self, written: Written) -> Arc<LogGroup> {
        let group = Arc::new(LogGroup::new(self.wal_slots, written));
        self.group = Some(group.clone());
        group
    }

    /// The log after its newest entry: its op, its checksum, and where the next one begins.
    pub(crate) fn last(&self) -> WalPosition {
        self.live.back().map_or(self.start, |entry| entry.after)
    }

    /// Slots in all.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> u32 {
        self.wal_slots
    }

    /// Slots of live entries.
    pub(crate) fn used_slots(&self) -> u32 {
        let (Some(first), Some(last)) = (self.live.front(), self.live.back()) else { return 0 };
        match slot_distance(self.start.slot, last.after.slot, self.wal_slots) {
            // The slot before the start is in use too.
            slots if first.joined => slots + 1,
            // An entry takes a slot at least: where both ends meet, the ring is full.
            0 => self.wal_slots,
            slots => slots,
        }
    }

    /// Slots that entries can be appended in.
    pub(crate) fn free_slots(&self) -> u32 {
        self.wal_slots - self.used_slots()
    }

    /// The longest body in bytes.
    pub(crate) fn body_length_max(&self) -> u64 {
        body_length_max(self.wal_slots)
    }

    /// The log after the entry of `op`: what a superblock refers to. Known for live entries and for
    /// the newest released one.
    pub(crate) fn position_of(&self, op: u64) -> Option<WalPosition> {
        if op == self.start.op {
            return Some(self.start);
        }
        let index = usize::try_from(op.checked_sub(self.start.op + 1)?).ok()?;
        let position = self.live.get(index)?.after;
        assert_eq!(position.op, op, "ops of live entries are consecutive");
        Some(position)
    }

    /// The checksum of the entry of `op`; see [`WalWriter::position_of`].
    pub(crate) fn checksum_of(&self, op: u64) -> Option<u128> {
        Some(self.position_of(op)?.checksum)
    }

    /// Writes the entry of the next op, whose body is the concatenation of `body`, or hands it over to the
    /// group; no sync.
    ///
    /// `synced_op` is the highest op up to which the caller knows the log to be on disk: a sync
    /// that began after its entry was appended has returned, or recovery has found it after a sync.
    ///
    /// # Panics
    /// If `op` is not the next one or `synced_op` not an earlier one: a bug of the caller's.
    pub(crate) fn append(
        &mut self,
        storage: &dyn Storage,
        op: u64,
        synced_op: u64,
        body: &[&[u8]],
    ) -> Result<WalPosition, AppendError> {
        let last = self.last();
        assert_eq!(op, last.op + 1, "ops are appended in order, each once");
        assert!(synced_op <= last.op, "op {synced_op} is not written yet, so not synced either");
        if self.failed {
            return Err(AppendError::Write(failed_before()));
        }
        let bytes = body.iter().map(|part| part.len() as u64).sum();
        let bytes_max = self.body_length_max();
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let needed = entry_slots(bytes) as u32; // at most half the ring
        let free = self.free_slots();
        if needed > free {
            return Err(AppendError::Full { needed, free });
        }
        self.make_ready(storage, last.slot, needed).map_err(AppendError::Reserve)?;

        let length = HEADER_SIZE + bytes as usize;
        let group = self.group.as_ref().filter(|_| is_short(bytes as usize));
        let header = match group {
            Some(group) => {
                let header = group.add(last.slot, length, |place, out| {
                    self.encode(&last, EntryAt { op, synced_op, place }, body, out)
                });
                if group.written == Written::AtOnce {
                    group.write_at_once(storage).map_err(|error| {
                        self.failed = true;
                        AppendError::Write(error)
                    })?;
                }
                header
            }
            None => {
                let place = Place { slot: last.slot, cell: 0 };
                let mut out = std::mem::take(&mut self.buffer);
                out.clear();
                let header = self.encode(&last, EntryAt { op, synced_op, place }, body, &mut out);
                out.resize(out.len().next_multiple_of(SECTOR_SIZE), 0);
                write_slots(storage, last.slot, &out, self.wal_slots).map_err(|error| {
                    self.failed = true;
                    AppendError::Write(error)
                })?;
                if out.capacity() <= BUFFER_SIZE_KEPT {
                    self.buffer = out;
                }
                header
            }
        };
        let slot = slot_after(header.slot, header.slots(), self.wal_slots);
        let after = WalPosition { op, checksum: header.checksum, slot };
        self.live.push_back(Live { after, joined: header.cell > 0 });
        assert!(self.free_slots() >= free - needed);
        Ok(after)
    }

    /// Frees the slots up to and including the entry of `checkpoint_op`. The superblock that refers
    /// to this op is durable: the entries may be overwritten from now on. Releasing less than was
    /// released before changes nothing.
    ///
    /// # Panics
    /// If the op was not appended yet.
    pub(crate) fn release(&mut self, checkpoint_op: u64) {
        assert!(checkpoint_op <= self.last().op, "op {checkpoint_op} is not in the log yet");
        while self.start.op < checkpoint_op {
            self.start = self.live.pop_front().expect("a later entry is live").after;
        }
    }

    /// Says beside the ring that the log is on disk up to `synced_op`; no sync, the next one makes
    /// it durable. Ops that are released need no mark, and nothing is written.
    ///
    /// # Panics
    /// If the op was not appended yet.
    pub(crate) fn write_mark(&mut self, storage: &dyn Storage, synced_op: u64) -> io::Result<()> {
        assert!(synced_op <= self.last().op, "op {synced_op} is not in the log yet");
        if self.failed {
            return Err(failed_before());
        }
        // The same mark in both sectors, with no sync between, could be torn in both.
        if synced_op <= self.start.op || synced_op <= self.marked_op {
            return Ok(());
        }
        let checksum = self.checksum_of(synced_op).expect("the entry is live");
        let sector = Mark::new(self.file_id, self.epoch, synced_op, checksum).to_sector();
        storage
            .write_at(mark_offset(self.mark_next), &sector)
            .inspect_err(|_| self.failed = true)?;
        self.mark_next = (self.mark_next + 1) % WAL_MARKS;
        self.marked_op = synced_op;
        Ok(())
    }

    /// Makes `count` slots from `slot` on ready to be written, up to the ends of their chunks: their
    /// space is reserved and, for entries that are not long, has been written before.
    ///
    /// What was only reserved has no contents as far as the file system is concerned, and the first
    /// sync after a write there has to put on record that it has some: of short entries about twice as
    /// slow as one that only overwrites. So zeros are written once to what is left of a chunk, if it holds
    /// nothing else, and the next sync settles that for all of its entries. A long one takes less time than
    /// the zeros that it would replace at once.
    fn make_ready(&mut self, storage: &dyn Storage, slot: u32, count: u32) -> io::Result<()> {
        for piece in pieces(slot, count, self.wal_slots) {
            for chunk in piece.start / CHUNK_SLOTS..=(piece.end - 1) / CHUNK_SLOTS {
                let wanted = if count < LONG_SLOTS { Chunk::Written } else { Chunk::Reserved };
                let state = &mut self.chunks[chunk as usize];
                if *state >= wanted {
                    continue;
                }
                let begin = chunk * CHUNK_SLOTS;
                let end = self.wal_slots.min(begin + CHUNK_SLOTS);
                let is_unknown = *state == Chunk::Unknown;
                if is_unknown {
                    let length = u64::from(end - begin) * SECTOR_SIZE as u64;
                    storage.allocate(slot_offset(begin), length)?;
                    *state = Chunk::Reserved;
                }
                if wanted == Chunk::Written {
                    // What is before belongs to entries. If they were there before a reopen, most likely
                    // the zeros were, too: forests that are opened for a few commits each wrote them each time.
                    let left = begin.max(piece.start)..end;
                    let looked_at = if is_unknown { begin..end } else { left.clone() };
                    if is_empty(storage, looked_at)? {
                        write_zeros(storage, left)?;
                    }
                    *state = Chunk::Written;
                }
            }
        }
        Ok(())
    }

    /// Appends an entry to `out` and returns its header.
    fn encode(
        &self,
        last: &WalPosition,
        entry: EntryAt,
        body: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> EntryHeader {
        let begin = out.len();
        out.resize(begin + HEADER_SIZE, 0);
        for part in body {
            out.extend_from_slice(part);
        }
        let fields = EntryFields {
            parent: if defect!(EntryParentWrong) { 0 } else { last.checksum },
            file_id: self.file_id,
            epoch: self.epoch,
            op: entry.op,
            synced_op: entry.synced_op,
            place: entry.place,
        };
        let header = EntryHeader::new(fields, &out[begin + HEADER_SIZE..]);
        out[begin..begin + HEADER_SIZE].copy_from_slice(bytemuck::bytes_of(&header));
        header
    }
}

/// Whether nothing but zeros is in these slots: then zeros are all that can be lost there.
fn is_empty(storage: &dyn Storage, slots: Range<u32>) -> io::Result<bool> {
    let mut bytes = Vec::new();
    for begin in slots.clone().step_by(PIECE_SLOTS as usize) {
        let count = PIECE_SLOTS.min(slots.end - begin);
        bytes.resize(count as usize * SECTOR_SIZE, 0);
        storage.read_at(slot_offset(begin), &mut bytes)?;
        // Not byte by byte: a commit waits for it.
        let sectors = bytes.as_chunks::<SECTOR_SIZE>().0;
        if sectors.iter().any(|sector| *sector != [0; SECTOR_SIZE]) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write_zeros(storage: &dyn Storage, slots: Range<u32>) -> io::Result<()> {
    let zeros = vec![0; PIECE_SLOTS as usize * SECTOR_SIZE];
    for begin in slots.clone().step_by(PIECE_SLOTS as usize) {
        let count = PIECE_SLOTS.min(slots.end - begin);
        storage.write_at(slot_offset(begin), &zeros[..count as usize * SECTOR_SIZE])?;
    }
    Ok(())
}
