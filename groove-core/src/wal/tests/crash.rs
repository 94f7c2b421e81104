//! Crashes at each write, torn entries, and devices that refuse.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::storage::recorder::Recorder;

/// What a history of appends, syncs and checkpoints knows at some number of events.
#[derive(Clone, Copy)]
struct Known {
    appended: u64,
    acknowledged: u64,
}

/// Runs a random script of group commits on `initial`, and returns its knowledge by event count
/// and the bodies of all ops: those of `bodies` and the new ones.
fn script(
    recorder: &Recorder,
    seed: u64,
    bodies: &BTreeMap<u64, Vec<u8>>,
) -> (BTreeMap<usize, Known>, BTreeMap<u64, Vec<u8>>) {
    let mut random = Random(seed);
    let (mut superblock, mut writer, ops) = reopen(recorder);
    // Of some scripts the entries are written in groups, of some when they are added.
    let group = match seed / 10 % 3 {
        0 => None,
        1 => Some(writer.begin_groups(Written::BySync)),
        _ => Some(writer.begin_groups(Written::AtOnce)),
    };
    let write_group = || group.as_ref().map_or(Ok(()), |group| group.write(recorder));
    let mut bodies = bodies.clone();
    bodies.split_off(&(writer.last().op + 1));
    assert!(ops.iter().all(|(op, body)| bodies[op] == *body));
    let last = writer.last().op;
    // Recovery may find what was never acknowledged; found once, it stays.
    let mut known = Known { appended: last, acknowledged: last };
    let mut history = BTreeMap::from([(0, known)]);
    for _ in 0..14 {
        match random.below(8) {
            0..4 => {
                let op = writer.last().op + 1;
                let longest = if random.below(2) == 0 { full(3) } else { 700 };
                let body = body(op, seed, random.below(longest as u64) as usize);
                known.appended = op; // before the write: a crash within it may keep all of it
                history.insert(recorder.event_count(), known);
                if writer.append(recorder, op, known.acknowledged, &[&body]).is_ok() {
                    bodies.insert(op, body);
                } else {
                    known.appended = op - 1; // the ring is full
                    history.insert(recorder.event_count(), known);
                }
            }
            4 | 5 => {
                write_group().unwrap();
                recorder.sync().unwrap();
                known.acknowledged = known.appended;
            }
            6 => writer.write_mark(recorder, known.acknowledged).unwrap(),
            _ => {
                // A checkpoint makes its op durable by itself, synced in the log or not.
                let op = writer.last().op;
                write_group().unwrap();
                checkpoint(recorder, &mut superblock, &mut writer, op);
                known.acknowledged = op;
            }
        }
        history.insert(recorder.event_count(), known);
    }
    (history, bodies)
}

fn check(image: &[u8], known: Known, bodies: &BTreeMap<u64, Vec<u8>>) {
    let storage = MemoryStorage::from_bytes(image.to_vec());
    let superblock = Superblock::read(&storage).unwrap();
    let (recovered, ops) = replay(&storage, &superblock).unwrap();
    assert!(storage.snapshot_bytes() == image, "recovery writes nothing");
    let last = recovered.last().op;
    assert!(known.acknowledged <= last && last <= known.appended);
    assert!(ops.iter().all(|(op, body)| bodies[op] == *body));
}

#[test]
fn a_crash_at_any_point_keeps_each_acknowledged_op_and_no_op_in_part() {
    let mut images = 0;
    for seed in 0..18 {
        images += crash(seed, Vec::new(), &BTreeMap::new(), 3);
    }
    assert!(images > 10_000, "{images} images");
}

/// Crashes a script at each point, and goes on with some of the images.
fn crash(seed: u64, initial: Vec<u8>, bodies: &BTreeMap<u64, Vec<u8>>, depth: u32) -> u64 {
    let initial = if initial.is_empty() {
        let storage = MemoryStorage::new();
        create(&storage, 8);
        storage.snapshot_bytes()
    } else {
        initial
    };
    let recorder = Recorder::new(initial);
    let (history, bodies) = script(&recorder, seed * 10 + u64::from(depth), bodies);
    let mut random = Random(seed);
    let mut next = Vec::new();
    let mut images = recorder.crash_images(|events, image| {
        // What was acknowledged when the last of the events had returned, and what had been begun.
        let acknowledged = history.range(..=events).next_back().unwrap().1.acknowledged;
        let begun = history.range(..=events).map(|(_, known)| known.appended).max().unwrap();
        check(image, Known { appended: begun, acknowledged }, &bodies);
        if random.below(200) == 0 {
            next.push(image.to_vec());
        }
    });
    if depth > 1 {
        for image in next {
            images += crash(seed, image, &bodies, depth - 1);
        }
    }
    images
}

/// Three entries of two slots, of which none but the first was synced.
fn three_in_flight() -> (MemoryStorage, Superblock) {
    let storage = MemoryStorage::new();
    let superblock = create(&storage, 16);
    let mut writer = WalWriter::new(&superblock);
    writer.append(&storage, 1, 0, &[&body(1, 0, full(2))]).unwrap();
    for op in 2..=4 {
        writer.append(&storage, op, 1, &[&body(op, 0, full(2))]).unwrap();
    }
    (storage, superblock)
}

#[test]
fn the_log_ends_at_the_first_torn_entry_of_several_in_flight() {
    for torn in 2..=4 {
        for sector in 0..2 {
            let (storage, superblock) = three_in_flight();
            let slot = (torn as u32 - 1) * 2 + sector;
            storage.write_at(slot_offset(slot) + 512, &[0x55; 1024]).unwrap();
            storage.write_at(slot_offset(slot), &[0x55; 100]).unwrap();
            let (recovered, ops) = replay(&storage, &superblock).unwrap();
            assert_eq!((recovered.last().op, ops.len()), (torn - 1, torn as usize - 1));
        }
    }
}

#[test]
fn an_entry_that_was_cut_off_never_follows_a_new_one() {
    let (storage, superblock) = three_in_flight();
    // Op 2 is torn, ops 3 and 4 are whole.
    storage.write_at(slot_offset(2), &[0; 512]).unwrap();
    let (_, ops) = replay(&storage, &superblock).unwrap();
    assert_eq!(ops.len(), 1);
    let (superblock, mut writer, _) = reopen(&storage);
    // The same body again, of the same length: the old op 3 lies where a new one would.
    writer.append(&storage, 2, 1, &[&body(2, 0, full(2))]).unwrap();
    let (recovered, ops) = replay(&storage, &superblock).unwrap();
    assert_eq!(ops.len(), 2);
    assert_eq!(recovered.last(), writer.last());
}

#[test]
fn entries_of_an_earlier_round_are_not_read_again() {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 8);
    let mut writer = WalWriter::new(&superblock);
    for op in 1..=30 {
        writer.append(&storage, op, op - 1, &[&body(op, 0, 10)]).unwrap();
        if op % 5 == 0 {
            checkpoint(&storage, &mut superblock, &mut writer, op);
        }
        let (recovered, ops) = replay(&storage, &superblock).unwrap();
        assert_eq!(recovered.last().op, op);
        assert_eq!(ops.len() as u64, op % 5);
    }
}

/// Refuses to allocate or to write on demand.
struct Refusing {
    memory: MemoryStorage,
    allocate: AtomicBool,
    write: AtomicBool,
}

impl Storage for Refusing {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        if self.write.load(Ordering::SeqCst) {
            return Err(io::Error::other("refused"));
        }
        self.memory.write_at(offset, buffer)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn length(&self) -> io::Result<u64> {
        self.memory.length()
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        if self.allocate.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.memory.allocate(offset, length)
    }
}

fn refusing() -> Refusing {
    let no = || AtomicBool::new(false);
    Refusing { memory: MemoryStorage::new(), allocate: no(), write: no() }
}

#[test]
fn without_space_nothing_is_written_and_the_op_can_be_appended_later() {
    let storage = refusing();
    let superblock = create(&storage, 600);
    let mut writer = WalWriter::new(&superblock);
    // 600 slots are three chunks; entries of 200 slots reach the second and the third in turn.
    for op in 1..=3 {
        let before = (storage.memory.snapshot_bytes(), writer.last());
        storage.allocate.store(true, Ordering::SeqCst);
        let refused = writer.append(&storage, op, op - 1, &[&body(op, 0, full(200))]);
        assert!(matches!(refused, Err(AppendError::Reserve(_))), "{refused:?}");
        assert!(before == (storage.memory.snapshot_bytes(), writer.last()));
        storage.allocate.store(false, Ordering::SeqCst);
        writer.append(&storage, op, op - 1, &[&body(op, 0, full(200))]).unwrap();
    }
    storage.allocate.store(true, Ordering::SeqCst);
    writer.release(3);
    for op in 4..=20 {
        writer.append(&storage, op, op - 1, &[&body(op, 0, full(100))]).unwrap();
        writer.release(op);
    }
}

#[test]
fn without_space_for_zeros_the_op_can_be_appended_later() {
    let storage = refusing();
    let superblock = create(&storage, 600);
    let mut writer = WalWriter::new(&superblock);
    // Each long one reserves a chunk in which a short one comes next.
    for (op, slots) in (1..).zip([200, 1, 200, 1, 150, 1]) {
        let before = (storage.memory.snapshot_bytes(), writer.last());
        if slots == 1 {
            storage.write.store(true, Ordering::SeqCst);
            let refused = writer.append(&storage, op, op - 1, &[&body(op, 0, full(slots))]);
            assert!(matches!(refused, Err(AppendError::Reserve(_))), "op {op}: {refused:?}");
            assert!(before == (storage.memory.snapshot_bytes(), writer.last()));
            storage.write.store(false, Ordering::SeqCst);
        }
        writer.append(&storage, op, op - 1, &[&body(op, 0, full(slots))]).unwrap();
    }
    assert_eq!(replay(&storage, &superblock).unwrap().1.len(), 6);
}

#[test]
fn after_a_failed_write_nothing_is_written_any_more() {
    for by_mark in [false, true] {
        let storage = refusing();
        let superblock = create(&storage, 8);
        let mut writer = WalWriter::new(&superblock);
        writer.append(&storage, 1, 0, &[b"kept"]).unwrap();
        storage.write.store(true, Ordering::SeqCst);
        if by_mark {
            assert!(writer.write_mark(&storage, 1).is_err());
        } else {
            let failed = writer.append(&storage, 2, 1, &[b"lost"]);
            assert!(matches!(failed, Err(AppendError::Write(_))), "{failed:?}");
        }
        storage.write.store(false, Ordering::SeqCst);
        let before = storage.memory.snapshot_bytes();
        let failed = writer.append(&storage, 2, 1, &[b"again"]);
        assert!(matches!(failed, Err(AppendError::Write(_))), "{failed:?}");
        assert!(writer.write_mark(&storage, 1).is_err());
        assert!(before == storage.memory.snapshot_bytes());
        assert_eq!(writer.last().op, 1);
    }
}
