//! Reads the log after a checkpoint, and decides what the first unreadable entry means.
//!
//! 1. The marks are read, then entries from the checkpoint's slot on, or from a cell of the slot before, as
//!    long as each is the next link of the chain: op, place, file, the checksum of the one before, an epoch
//!    not lower than that of the one before, header and body intact.
//! 2. At the first that is not, every cell of every other slot is searched for genuine headers. A header or
//!    a mark that says "on disk up to op S" is evidence, whichever epoch it is from: what was on disk once
//!    was recovered by every later opener, or was an error to it. (Entries behind the last one in its own
//!    slot are of the same group, and say nothing of it.)
//! 3. The unreadable op is S or less: it was acknowledged, and is an error. It is higher: nothing
//!    says that it was ever on disk, and the log ends before it. A later entry alone proves
//!    nothing: of several that were under way at a crash, any may be torn and any whole.
//! 4. A header or mark of an epoch above the superblock's proves that a newer superblock was
//!    durable, and that it is lost.
//!
//! The caller syncs the storage before: what is read here is relied upon. Nothing is written, so
//! that a second recovery sees what the first saw; what was cut off stays until it is overwritten.
//! Work and memory are bounded by the size of the ring, whatever bytes it holds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::{EntryHeader, HEADER_SIZE, Mark};
use super::group::Place;
use super::{CELL_SIZE, CELLS, Live, mark_offset, slot_after, slot_offset};
use crate::constants::SECTOR_SIZE;
use crate::error::{BlockKind, Corruption, Damage, ReadError};
use crate::storage::Storage;
use crate::superblock::{Superblock, WAL_MARKS, WalPosition};

/// Slots that are read at a time: 256 KiB.
const WINDOW_SLOTS: u32 = (256 << 10) / SECTOR_SIZE as u32;
const EPOCH_OF_LOST_SUPERBLOCK: Damage =
    Damage::Invalid { what: "epoch, which is above that of the superblock," };

/// The log as recovery found it: what [`super::WalWriter::resume`] continues.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(super) file_id: [u8; 16],
    /// That of the superblock that was recovered from.
    pub(super) epoch: u64,
    pub(super) wal_slots: u32,
    /// The checkpoint.
    pub(super) start: WalPosition,
    /// The entries that were read.
    pub(super) live: VecDeque<Live>,
    pub(super) mark_next: usize,
    synced_op: u64,
}

impl Recovered {
    /// The log after the newest entry that was read.
    pub(crate) fn last(&self) -> WalPosition {
        self.live.back().map_or(self.start, |entry| entry.after)
    }

    /// How many entries were read.
    pub(crate) fn entries(&self) -> u64 {
        self.live.len() as u64
    }

    /// The highest op that something in the file says was on disk; the checkpoint's at least.
    pub(crate) fn synced_op(&self) -> u64 {
        self.synced_op
    }
}

/// Calls `visit(after, offset, body)`, with the log after the entry and the file offset of it, for each op after the
/// superblock's checkpoint, in order, and returns the state of the log. Whatever was visited is void if the result is an
/// error: it may come last.
pub(crate) fn recover<E: From<ReadError>>(
    storage: &dyn Storage,
    superblock: &Superblock,
    mut visit: impl FnMut(WalPosition, u64, &[u8]) -> Result<(), E>,
) -> Result<Recovered, E> {
    let mut reader = Reader::new(storage, superblock);
    let marks = reader.read_marks()?;
    let mut body = Vec::new();
    while let Some(offset) = reader.read_entry(&mut body)? {
        visit(reader.last, offset, &body)?;
    }
    Ok(reader.decide(marks)?)
}

struct Reader<'a> {
    storage: &'a dyn Storage,
    superblock: &'a Superblock,
    window: Window,
    /// The log after the newest entry that was read.
    last: WalPosition,
    last_epoch: u64,
    live: VecDeque<Live>,
    used_slots: u32,
    /// Bytes of that entry in the slot where it ends, if an entry was read.
    tail: Option<usize>,
}

/// Consecutive slots in memory.
#[derive(Default)]
struct Window {
    first: u32,
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(storage: &'a dyn Storage, superblock: &'a Superblock) -> Reader<'a> {
        Reader {
            storage,
            superblock,
            window: Window::default(),
            last: superblock.checkpoint,
            last_epoch: 0,
            live: VecDeque::new(),
            used_slots: 0,
            tail: None,
        }
    }

    fn wal_slots(&self) -> u32 {
        self.superblock.options.wal_slots
    }

    fn read_marks(&self) -> Result<[Option<Mark>; WAL_MARKS], ReadError> {
        let mut marks = [None; WAL_MARKS];
        for (index, mark) in marks.iter_mut().enumerate() {
            let mut sector = [0; SECTOR_SIZE];
            read(self.storage, mark_offset(index), &mut sector, BlockKind::WalMark)?;
            *mark = Mark::read(&sector, &self.superblock.file_id);
            if mark.is_some_and(|mark| mark.epoch > self.superblock.epoch) {
                let (offset, kind) = (mark_offset(index), BlockKind::WalMark);
                return Err(corrupt(offset, kind, EPOCH_OF_LOST_SUPERBLOCK));
            }
        }
        Ok(marks)
    }

    /// Reads the next entry of the chain into `body` and says where in the file it is; `None` if there is
    /// none that is readable.
    fn read_entry(&mut self, body: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        let slot = self.last.slot;
        if defect!(ReplayEndsAtWrap) && slot == 0 && !self.live.is_empty() {
            return Ok(None);
        }
        // Behind the entry before, if no sync began in between, else in a slot of its own. Where the
        // checkpoint's own entry ends is not known.
        let before = slot_after(slot, self.wal_slots() - 1, self.wal_slots());
        let cells = match self.tail {
            Some(tail) => {
                let cell = tail.div_ceil(CELL_SIZE) as u32;
                cell..CELLS.min(cell + 1)
            }
            None => 1..CELLS,
        };
        let behind = cells.map(|cell| Place { slot: before, cell });
        for place in behind.chain([Place { slot, cell: 0 }]) {
            let Some(header) = self.read_header(place)? else { continue };
            if self.read_link(&header, body)? {
                return Ok(Some(slot_offset(place.slot) + place.cell as u64 * CELL_SIZE as u64));
            }
        }
        Ok(None)
    }

    /// Reads the rest of the entry with this header, if it is the next link of the chain.
    fn read_link(&mut self, header: &EntryHeader, body: &mut Vec<u8>) -> Result<bool, ReadError> {
        let joined = header.cell > 0;
        // A slot that it shares with the entry before is counted with that one, if that is live.
        let slots = header.slots() - u32::from(joined && !self.live.is_empty());
        let follows = header.op == self.last.op + 1
            && header.parent == self.last.checksum
            && header.epoch >= self.last_epoch
            // Ends the chain where it would meet its own beginning, at a full ring for certain.
            && slots <= self.wal_slots() - self.used_slots;
        if !follows {
            return Ok(false);
        }
        self.read_body(header, body)?;
        if !header.body_is_valid(body) && !defect!(TornBodyReplayed) {
            return Ok(false);
        }
        let slot = slot_after(header.slot, header.slots(), self.wal_slots());
        self.last = WalPosition { op: header.op, checksum: header.checksum, slot };
        self.last_epoch = header.epoch;
        self.live.push_back(Live { after: self.last, joined });
        self.used_slots += slots;
        let end = header.cell as usize * CELL_SIZE + HEADER_SIZE + body.len();
        self.tail = Some((end - 1) % SECTOR_SIZE + 1);
        Ok(true)
    }

    /// Tells whether the entry after the last one was ever on disk.
    fn decide(mut self, marks: [Option<Mark>; WAL_MARKS]) -> Result<Recovered, ReadError> {
        let start = self.superblock.checkpoint;
        let mut synced_op = start.op;
        for (index, mark) in marks.iter().enumerate() {
            let Some(mark) = mark else { continue };
            synced_op = synced_op.max(mark.synced_op);
            let entry = mark.synced_op.checked_sub(start.op + 1);
            let entry = entry.and_then(|index| self.live.get(usize::try_from(index).ok()?));
            if entry.is_some_and(|entry| entry.after.checksum != mark.entry_checksum) {
                let what = "entry, which has another checksum in the log,";
                let damage = Damage::Invalid { what };
                return Err(corrupt(mark_offset(index), BlockKind::WalMark, damage));
            }
        }
        for distance in 0..self.wal_slots() - self.used_slots {
            let slot = slot_after(self.last.slot, distance, self.wal_slots());
            for cell in 0..CELLS {
                if let Some(header) = self.read_header(Place { slot, cell })? {
                    synced_op = synced_op.max(header.synced_op);
                }
            }
        }
        if synced_op > self.last.op && !defect!(DamagedLogCut) {
            let damage = Damage::LostEntry { op: self.last.op + 1, synced_op };
            return Err(corrupt(self.lost_offset()?, BlockKind::WalEntry, damage));
        }
        Ok(Recovered {
            file_id: self.superblock.file_id,
            epoch: self.superblock.epoch,
            wal_slots: self.wal_slots(),
            start,
            live: self.live,
            mark_next: oldest(&marks),
            synced_op,
        })
    }

    /// The sector in which the entry after the last one began: that of the last one, if anything is
    /// written behind it there.
    fn lost_offset(&mut self) -> Result<u64, ReadError> {
        let slot = self.last.slot;
        let before = slot_after(slot, self.wal_slots() - 1, self.wal_slots());
        let is_joined = match self.tail {
            Some(tail) => self.sector(before)?[tail..].iter().any(|byte| *byte != 0),
            None => false,
        };
        Ok(slot_offset(if is_joined { before } else { slot }))
    }

    /// The genuine header in a place, if there is one.
    fn read_header(&mut self, place: Place) -> Result<Option<EntryHeader>, ReadError> {
        let (file_id, wal_slots) = (self.superblock.file_id, self.wal_slots());
        let bytes = &self.sector(place.slot)?[place.cell as usize * CELL_SIZE..];
        let header = EntryHeader::read(bytes, place, &file_id, wal_slots);
        if header.is_some_and(|header| header.epoch > self.superblock.epoch) {
            let (offset, kind) = (slot_offset(place.slot), BlockKind::WalEntry);
            return Err(corrupt(offset, kind, EPOCH_OF_LOST_SUPERBLOCK));
        }
        Ok(header)
    }

    fn read_body(&mut self, header: &EntryHeader, body: &mut Vec<u8>) -> Result<(), ReadError> {
        let begin = header.cell as usize * CELL_SIZE + HEADER_SIZE;
        let end = begin + header.body_length as usize; // less than the ring
        body.clear();
        for distance in 0..header.slots() {
            let before = distance as usize * SECTOR_SIZE;
            let from = begin.saturating_sub(before);
            let to = SECTOR_SIZE.min(end - before);
            let sector = self.sector(slot_after(header.slot, distance, self.wal_slots()))?;
            body.extend_from_slice(&sector[from..to]);
        }
        Ok(())
    }

    /// The bytes of a slot, read with those that follow it.
    fn sector(&mut self, slot: u32) -> Result<&[u8], ReadError> {
        let end = self.window.first + (self.window.bytes.len() / SECTOR_SIZE) as u32;
        if slot < self.window.first || slot >= end {
            let slots = WINDOW_SLOTS.min(self.wal_slots() - slot);
            self.window.first = slot;
            self.window.bytes.resize(slots as usize * SECTOR_SIZE, 0);
            read(self.storage, slot_offset(slot), &mut self.window.bytes, BlockKind::WalEntry)?;
        }
        let begin = (slot - self.window.first) as usize * SECTOR_SIZE;
        Ok(&self.window.bytes[begin..begin + SECTOR_SIZE])
    }
}

/// The mark to overwrite next: the newest one stays until a newer one is durable.
fn oldest(marks: &[Option<Mark>; WAL_MARKS]) -> usize {
    let synced_op = |index: &usize| marks[*index].map_or(0, |mark| mark.synced_op);
    (0..WAL_MARKS).min_by_key(synced_op).expect("there is a mark sector")
}

fn read(
    storage: &dyn Storage,
    offset: u64,
    buffer: &mut [u8],
    kind: BlockKind,
) -> Result<(), ReadError> {
    storage.read_at(offset, buffer).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            let file_length = storage.length().unwrap_or(0);
            return corrupt(offset, kind, Damage::Truncated { file_length });
        }
        ReadError::Io { offset, length: buffer.len(), source: Arc::new(error) }
    })
}

fn corrupt(offset: u64, kind: BlockKind, damage: Damage) -> ReadError {
    Corruption { offset, kind, tree: None, damage }.into()
}
