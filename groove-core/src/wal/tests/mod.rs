//! Tests of the log: what they share, and what a sound log does. Crashes and damage are beside.

mod crash;
mod damage;
mod groups;

use std::collections::VecDeque;

use super::entry::HEADER_SIZE;
use super::group::Place;
use super::*;
use crate::error::{BlockKind, Damage, ReadError};
use crate::storage::MemoryStorage;
use crate::storage::recorder::Recorder;
use crate::superblock::{FormatOptions, Superblock, WalPosition};

const SECTOR: u64 = SECTOR_SIZE as u64;

/// A deterministic stream of numbers.
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// A file with an empty log and its superblock.
fn create(storage: &dyn Storage, wal_slots: u32) -> Superblock {
    let options =
        FormatOptions { block_size: 4096, wal_slots, growth_factor: 4, parameters: [0; 8] };
    let superblock = Superblock::new(*b"file of the test", options);
    format(storage, wal_slots).unwrap();
    superblock.write(storage).unwrap();
    superblock
}

/// The body of an op, different for each op and `branch`.
fn body(op: u64, branch: u64, length: usize) -> Vec<u8> {
    let mut random = Random(op << 20 | branch);
    (0..length).map(|_| random.below(256) as u8).collect()
}

/// The longest body whose entry takes so many slots.
fn full(slots: usize) -> usize {
    slots * SECTOR_SIZE - HEADER_SIZE
}

type Ops = Vec<(u64, Vec<u8>)>;

fn replay(storage: &dyn Storage, superblock: &Superblock) -> Result<(Recovered, Ops), ReadError> {
    let mut ops = Vec::new();
    let recovered = recover(storage, superblock, |after, _, body| {
        ops.push((after.op, body.to_vec()));
        Ok::<(), ReadError>(())
    })?;
    assert_eq!(recovered.last().op, superblock.checkpoint.op + ops.len() as u64);
    assert!(recovered.synced_op() <= recovered.last().op);
    Ok((recovered, ops))
}

/// Opens the file as the forest does: recovers, raises the epoch, continues.
fn reopen(storage: &dyn Storage) -> (Superblock, WalWriter, Ops) {
    storage.sync().unwrap();
    let found = Superblock::read(storage).unwrap();
    let (recovered, ops) = replay(storage, &found).unwrap();
    let mut superblock = found.successor();
    superblock.epoch += 1;
    superblock.write(storage).unwrap();
    let writer = WalWriter::resume(&superblock, recovered);
    (superblock, writer, ops)
}

/// Takes a checkpoint at `op`: writes the superblock and releases.
fn checkpoint(storage: &dyn Storage, superblock: &mut Superblock, writer: &mut WalWriter, op: u64) {
    *superblock = superblock.successor();
    superblock.checkpoint = writer.position_of(op).unwrap();
    superblock.write(storage).unwrap();
    writer.release(op);
}

#[test]
fn entries_come_back_in_order_whatever_their_lengths() {
    let storage = MemoryStorage::new();
    let superblock = create(&storage, 64);
    let mut writer = WalWriter::new(&superblock);
    let lengths = [0, 1, full(1) - 1, full(1), full(1) + 1, full(2), full(2) + 1, 20_000, 3];
    for (op, length) in (1..).zip(lengths) {
        let body = body(op, 0, length);
        let (front, back) = body.split_at(length / 3);
        let before = writer.last();
        let position = writer.append(&storage, op, op - 1, &[front, &[], back]).unwrap();
        assert_eq!(position, writer.last());
        assert_eq!(position.slot - before.slot, entry_slots(length as u64) as u32);
        assert_eq!(writer.checksum_of(op), Some(position.checksum));
    }
    let (_, writer, ops) = reopen(&storage);
    let expected: Ops = (1..).zip(lengths).map(|(op, len)| (op, body(op, 0, len))).collect();
    assert!(ops == expected);
    assert_eq!(writer.last().op, 9);
    assert_eq!((writer.checksum_of(10), writer.checksum_of(0)), (None, Some(0)));
}

#[test]
fn an_empty_log_has_nothing_to_replay() {
    let storage = MemoryStorage::new();
    let superblock = create(&storage, 8);
    assert_eq!(storage.length().unwrap(), superblock.grid_offset());
    let (recovered, ops) = replay(&storage, &superblock).unwrap();
    assert_eq!((recovered.last(), ops.len()), (WalPosition::default(), 0));
}

#[test]
fn entries_wrap_around_the_end_of_the_ring() {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 9);
    let mut writer = WalWriter::new(&superblock);
    // Entries of 4 slots in a ring of 9 begin at every slot in turn.
    for op in 1..=40 {
        let body = body(op, 0, full(4) - op as usize);
        writer.append(&storage, op, op - 1, &[&body]).unwrap();
        let (_, ops) = replay(&storage, &superblock).unwrap();
        assert!(ops.last() == Some(&(op, body)));
        checkpoint(&storage, &mut superblock, &mut writer, op - op % 2);
    }
    assert_eq!(storage.length().unwrap(), superblock.grid_offset(), "nothing beyond the ring");
}

/// Zeros were written to each megabyte of the ring, and then the long entries that filled it: twice the bytes, and
/// a tenth of the time of a load of a million records.
#[test]
fn zeros_are_written_before_short_entries_and_where_nothing_was_written() {
    let recorder = Recorder::new(Vec::new());
    let (mut superblock, chunk) = (create(&recorder, 1024), 256);
    let mut writer = WalWriter::new(&superblock);
    // Slots that an entry of so many writes: the zeros and itself.
    let append = |writer: &mut WalWriter, slots: usize| -> Vec<(u32, u32)> {
        let before = recorder.event_count();
        let op = writer.last().op + 1;
        writer.append(&recorder, op, 0, &[&body(op, 0, full(slots))]).unwrap();
        let slot_of = |offset: u64| ((offset - slot_offset(0)) / SECTOR) as u32;
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (offset, bytes) in recorder.writes_since(before) {
            let (start, end) = (slot_of(offset), slot_of(offset + bytes as u64));
            match ranges.last_mut().filter(|last| last.1 == start) {
                Some(last) => last.1 = end,
                None => ranges.push((start, end)),
            }
        }
        ranges
    };
    assert_eq!(append(&mut writer, 1), [(0, chunk), (0, 1)]);
    assert_eq!(append(&mut writer, 100), [(1, 101)]);
    // Into the next chunk, of which 45 slots are long.
    assert_eq!(append(&mut writer, 200), [(101, 301)]);
    assert_eq!(append(&mut writer, 40), [(301, 341)]);
    assert_eq!(append(&mut writer, 31), [(341, 2 * chunk), (341, 372)]);
    assert_eq!(append(&mut writer, 1), [(372, 373)]);
    // From the one chunk into the next.
    assert_eq!(append(&mut writer, 137), [(373, 510)]);
    assert_eq!(append(&mut writer, 5), [(2 * chunk, 3 * chunk), (510, 515)]);
    let op = writer.last().op;
    checkpoint(&recorder, &mut superblock, &mut writer, op);
    assert_eq!(append(&mut writer, 509), [(515, 1024)]);
    // Around: there it was written before.
    assert_eq!(append(&mut writer, 3), [(0, 3)]);
    let (_, mut writer, ops) = reopen(&recorder);
    assert_eq!(ops.len(), 2);
    // What was written before a reopen is not written anew, nor is it overwritten with zeros.
    assert_eq!(append(&mut writer, 7), [(3, 10)]);
    assert_eq!(reopen(&recorder).2.len(), 3);
}

/// A forest that is opened for one commit after the other wrote zeros to the rest of a megabyte each time.
#[test]
fn zeros_are_not_written_again_after_a_reopen() {
    let recorder = Recorder::new(Vec::new());
    create(&recorder, 1024);
    for op in 1..=20 {
        let (_, mut writer, ops) = reopen(&recorder);
        assert_eq!(ops.len() as u64, op - 1);
        let before = recorder.event_count();
        writer.append(&recorder, op, 0, &[&body(op, 0, 100)]).unwrap();
        let bytes: usize = recorder.writes_since(before).iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(bytes, if op == 1 { 257 } else { 1 } * SECTOR_SIZE);
    }
}

/// Random appends, releases, marks and reopens against a list of what is live.
#[test]
fn the_account_of_slots_agrees_with_a_model_through_reopens() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let wal_slots = 8 + random.below(20) as u32;
        let storage = MemoryStorage::new();
        let mut superblock = create(&storage, wal_slots);
        let mut writer = WalWriter::new(&superblock);
        let mut live: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
        for _ in 0..200 {
            let used: u64 = live.iter().map(|(_, body)| entry_slots(body.len() as u64)).sum();
            assert_eq!(u64::from(writer.used_slots()), used, "seed {seed}");
            assert_eq!(writer.free_slots() + writer.used_slots(), writer.slots());
            let last = writer.last().op;
            match random.below(10) {
                0..6 => {
                    let length = random.below(writer.body_length_max() + 1) as usize;
                    let body = body(last + 1, seed, length / (1 + random.below(8) as usize));
                    let needed = entry_slots(body.len() as u64) as u32;
                    match writer.append(&storage, last + 1, last, &[&body]) {
                        Ok(position) => {
                            assert_eq!(position.op, last + 1);
                            live.push_back((last + 1, body));
                        }
                        Err(AppendError::Full { needed: n, free }) => {
                            assert!(n == needed && n > free && free == writer.free_slots());
                        }
                        Err(other) => panic!("seed {seed}: {other}"),
                    }
                }
                6 | 7 => {
                    let op = last - random.below(live.len() as u64 + 1);
                    checkpoint(&storage, &mut superblock, &mut writer, op);
                    live.retain(|(live_op, _)| *live_op > op);
                }
                8 => writer.write_mark(&storage, last).unwrap(),
                _ => {
                    let ops;
                    (superblock, writer, ops) = reopen(&storage);
                    assert!(live.iter().eq(&ops), "seed {seed}");
                }
            }
        }
    }
}

#[test]
fn a_full_ring_refuses_and_writes_nothing_until_slots_are_released() {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 8);
    let mut writer = WalWriter::new(&superblock);
    for op in 1..=2 {
        writer.append(&storage, op, op - 1, &[&body(op, 0, full(4))]).unwrap();
    }
    assert_eq!((writer.used_slots(), writer.free_slots()), (8, 0));
    let before = storage.snapshot_bytes();
    let refused = writer.append(&storage, 3, 2, &[]);
    assert!(matches!(refused, Err(AppendError::Full { needed: 1, free: 0 })), "{refused:?}");
    assert!(storage.snapshot_bytes() == before);
    let (mut reopened, mut resumed, ops) = reopen(&storage);
    assert_eq!((ops.len(), resumed.free_slots()), (2, 0), "a full ring is not an empty one");

    checkpoint(&storage, &mut reopened, &mut resumed, 1);
    assert_eq!(resumed.free_slots(), 4);
    resumed.append(&storage, 3, 2, &[&body(3, 0, full(4))]).unwrap();
    superblock = reopened;
    let (_, ops) = replay(&storage, &superblock).unwrap();
    assert!(ops == [(2, body(2, 0, full(4))), (3, body(3, 0, full(4)))]);
}

#[test]
fn a_body_takes_half_the_ring_at_most() {
    for wal_slots in [8, 9, 15] {
        let storage = MemoryStorage::new();
        let superblock = create(&storage, wal_slots);
        let mut writer = WalWriter::new(&superblock);
        let most = writer.body_length_max() as usize;
        assert_eq!(most, full(wal_slots as usize / 2));
        let refused = writer.append(&storage, 1, 0, &[&vec![0; most + 1]]);
        assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
        writer.append(&storage, 1, 0, &[&vec![0; most]]).unwrap();
        assert_eq!(writer.used_slots(), wal_slots / 2);
    }
    assert_eq!(entry_slots(u64::MAX), 1 << 52);
}

#[test]
fn marks_are_written_in_turn_and_only_for_live_entries() {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 16);
    let mut writer = WalWriter::new(&superblock);
    let marks = || {
        let bytes = storage.snapshot_bytes();
        let mark = |index: usize| {
            let sector = &bytes[mark_offset(index) as usize..][..SECTOR_SIZE];
            entry::Mark::read(sector, b"file of the test").map(|mark| mark.synced_op)
        };
        [mark(0), mark(1)]
    };
    writer.write_mark(&storage, 0).unwrap();
    assert_eq!(marks(), [None, None]);
    for op in 1..=4 {
        writer.append(&storage, op, op - 1, &[]).unwrap();
        writer.write_mark(&storage, op).unwrap();
    }
    assert_eq!(marks(), [Some(3), Some(4)]);
    checkpoint(&storage, &mut superblock, &mut writer, 4);
    writer.write_mark(&storage, 4).unwrap();
    assert_eq!(marks(), [Some(3), Some(4)]);
    // A new writer overwrites the older mark, whichever came first in the old one.
    let (_, mut writer, _) = reopen(&storage);
    writer.append(&storage, 5, 4, &[]).unwrap();
    writer.write_mark(&storage, 5).unwrap();
    assert_eq!(marks(), [Some(5), Some(4)]);
}

#[test]
fn what_a_visitor_refuses_ends_recovery_with_its_error() {
    let storage = MemoryStorage::new();
    let superblock = create(&storage, 8);
    let mut writer = WalWriter::new(&superblock);
    for op in 1..=3 {
        writer.append(&storage, op, op - 1, &[]).unwrap();
    }
    let refused = recover(&storage, &superblock, |WalPosition { op, .. }, _, _| {
        let corruption = crate::error::Corruption {
            offset: op,
            kind: BlockKind::WalEntry,
            tree: None,
            damage: Damage::Invalid { what: "test" },
        };
        if op == 2 { Err(ReadError::from(corruption)) } else { Ok(()) }
    });
    assert!(matches!(refused, Err(ReadError::Corrupt(found)) if found.offset == 2));
}

#[test]
#[should_panic(expected = "ops are appended in order, each once")]
fn an_op_is_not_skipped() {
    let storage = MemoryStorage::new();
    let mut writer = WalWriter::new(&create(&storage, 8));
    let _ = writer.append(&storage, 2, 0, &[]);
}

#[test]
#[should_panic(expected = "not written yet, so not synced either")]
fn an_op_is_not_synced_before_it_is_written() {
    let storage = MemoryStorage::new();
    let mut writer = WalWriter::new(&create(&storage, 8));
    let _ = writer.append(&storage, 1, 1, &[]);
}

#[test]
#[should_panic(expected = "the epoch is raised before the log is continued")]
fn a_log_is_not_continued_in_the_same_epoch() {
    let storage = MemoryStorage::new();
    let superblock = create(&storage, 8);
    let (recovered, _) = replay(&storage, &superblock).unwrap();
    WalWriter::resume(&superblock, recovered);
}

/// Writers that shared a sync each wrote the mark of the same op, so that with no sync between both
/// mark sectors could be torn at once. Now an op is marked once.
#[test]
fn an_op_is_marked_in_one_sector_only() {
    let storage = MemoryStorage::new();
    let mut writer = WalWriter::new(&create(&storage, 8));
    writer.append(&storage, 1, 0, &[b"op"]).unwrap();
    writer.write_mark(&storage, 1).unwrap();
    let marked = storage.snapshot_bytes();
    writer.write_mark(&storage, 1).unwrap();
    assert!(storage.snapshot_bytes() == marked, "the second call writes nothing");
    writer.append(&storage, 2, 1, &[b"op"]).unwrap();
    let appended = storage.snapshot_bytes();
    writer.write_mark(&storage, 2).unwrap();
    assert!(storage.snapshot_bytes() != appended, "another op is marked");
}
