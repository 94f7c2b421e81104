//! Entries that are written together.

use std::io;

use super::*;

/// Entries with bodies of so many bytes each, written as one group.
fn group(storage: &dyn Storage, writer: &mut WalWriter, group: &LogGroup, lengths: &[usize]) {
    for length in lengths {
        let op = writer.last().op + 1;
        writer.append(storage, op, 0, &[&body(op, 0, *length)]).unwrap();
    }
    group.write(storage).unwrap();
}

#[test]
fn entries_of_a_group_share_sectors_and_are_written_with_one_write() {
    let recorder = Recorder::new(Vec::new());
    let superblock = create(&recorder, 16);
    let mut writer = WalWriter::new(&superblock);
    let groups = writer.begin_groups(Written::BySync);
    group(&recorder, &mut writer, &groups, &[100]);
    let before = recorder.event_count();
    // Five of a cell, one of two, and one that fills the sector; three cells of the next.
    group(&recorder, &mut writer, &groups, &[300, 300, 384, 0, 1, 385, 100, 900]);
    assert_eq!(recorder.writes_since(before).len(), 1);
    assert_eq!((writer.last().slot, writer.used_slots()), (3, 3));
    // The next group has a slot of its own. Behind a cell there is room for 11, of two slots, and for one,
    // but not for all of a slot, nor for six behind three.
    group(&recorder, &mut writer, &groups, &[100, 5000, full(1), 100, 1300, 3000, 10]);
    assert_eq!((writer.last().slot, writer.used_slots()), (8, 8));
    let (_, _, ops) = reopen(&recorder);
    assert!(ops.len() == 16 && ops[5].1 == body(6, 0, 1), "{} ops", ops.len());
}

/// Without waiting for a sync each entry had a slot of its own: eight times as many bars, and as much of the log.
/// Now it goes behind the one before, until a sync begins, which brings the sector to the disk that they share.
#[test]
fn entries_that_wait_for_no_sync_share_sectors_until_one_begins() {
    let recorder = Recorder::new(Vec::new());
    let superblock = create(&recorder, 64);
    let mut writer = WalWriter::new(&superblock);
    let groups = writer.begin_groups(Written::AtOnce);
    let append = |writer: &mut WalWriter, length: usize| -> (Vec<(u64, usize)>, u32) {
        let before = recorder.event_count();
        let op = writer.last().op + 1;
        writer.append(&recorder, op, 0, &[&body(op, 0, length)]).unwrap();
        let (_, ops) = replay(&recorder, &superblock).unwrap();
        assert_eq!(ops.last(), Some(&(op, body(op, 0, length))), "it is in the file at once");
        (recorder.writes_since(before), writer.last().slot)
    };
    // The first makes its part of the ring ready, too.
    assert_eq!(append(&mut writer, 100).1, 1);
    let at = |slot: u32| slot_offset(slot);
    assert_eq!(append(&mut writer, 100), (vec![(at(0), SECTOR_SIZE)], 1));
    // Into a second sector, which alone is written with the next one.
    assert_eq!(append(&mut writer, 5000), (vec![(at(0), 2 * SECTOR_SIZE)], 2));
    assert_eq!(append(&mut writer, 100), (vec![(at(1), SECTOR_SIZE)], 2));
    // None goes behind a longer one, which is written alone.
    assert_eq!(append(&mut writer, 33_000).1, 11);
    assert_eq!(append(&mut writer, 100), (vec![(at(11), SECTOR_SIZE)], 12));
    assert_eq!(append(&mut writer, 100), (vec![(at(11), SECTOR_SIZE)], 12));
    groups.write(&recorder).unwrap();
    recorder.sync().unwrap();
    assert_eq!(append(&mut writer, 100), (vec![(at(12), SECTOR_SIZE)], 13));
    assert_eq!(append(&mut writer, full(1) - CELL_SIZE), (vec![(at(12), SECTOR_SIZE)], 13));
    assert_eq!(append(&mut writer, 100), (vec![(at(13), SECTOR_SIZE)], 14));
}

/// What of an entry lies behind the last one in its slot, without being the next link, ends the log there.
#[test]
fn a_torn_entry_of_a_group_ends_the_log_and_the_next_one_begins_in_a_slot_of_its_own() {
    for torn in 1..=6 {
        let storage = MemoryStorage::new();
        let superblock = create(&storage, 8);
        let mut writer = WalWriter::new(&superblock);
        let groups = writer.begin_groups(Written::BySync);
        group(&storage, &mut writer, &groups, &[200; 6]);
        let cell = slot_offset(0) + (torn - 1) * CELL_SIZE as u64;
        storage.write_at(cell + 200, &[0x55; 100]).unwrap();
        for round in 0..3 {
            let (_, mut writer, ops) = reopen(&storage);
            assert_eq!(ops.len() as u64, torn - 1 + round);
            // The same bodies again: what was cut off does not follow.
            let groups = writer.begin_groups(Written::BySync);
            group(&storage, &mut writer, &groups, &[200]);
            assert_eq!(writer.last().slot, u32::from(torn > 1) + 1 + round as u32);
        }
    }
}

/// A checkpoint in the middle of a group: the entries behind it are live, and so is the slot that they share.
#[test]
fn a_checkpoint_within_a_group_keeps_the_slot_of_the_entries_behind_it() {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 8);
    let mut writer = WalWriter::new(&superblock);
    for round in 0..40 {
        let groups = writer.begin_groups(Written::BySync);
        let first = writer.last().op + 1;
        group(&storage, &mut writer, &groups, &[200, 200, 200]);
        checkpoint(&storage, &mut superblock, &mut writer, first + round % 3);
        assert_eq!(writer.used_slots(), u32::from(round % 3 < 2));
        // Up to the very slot: the ring is full then.
        let free = writer.free_slots();
        group(&storage, &mut writer, &groups, &vec![full(1); free as usize]);
        assert_eq!(writer.free_slots(), 0);
        let (recovered, ops) = replay(&storage, &superblock).unwrap();
        assert_eq!(recovered.last(), writer.last());
        assert!(ops.iter().all(|(op, found)| *found == body(*op, 0, found.len())));
        let (next, resumed, _) = reopen(&storage);
        assert_eq!(resumed.used_slots(), writer.used_slots());
        superblock = next;
        writer = resumed;
        let last = writer.last().op;
        checkpoint(&storage, &mut superblock, &mut writer, last);
    }
}

/// A bar has room for an entry if it has room for the slots that it would take alone, whatever group it comes to be
/// in and whichever of its entries a checkpoint covers. And no group writes to a slot that is in use.
#[test]
fn a_group_takes_no_more_slots_than_its_entries_alone_and_none_that_is_in_use() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let wal_slots = 8 + random.below(20) as u32;
        let recorder = Recorder::new(Vec::new());
        let mut superblock = create(&recorder, wal_slots);
        let mut writer = WalWriter::new(&superblock);
        let written = [Written::BySync, Written::AtOnce][seed as usize % 2];
        let mut groups = writer.begin_groups(written);
        let mut live: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
        let (mut before, mut last, mut free) = (recorder.event_count(), 0, wal_slots);
        for _ in 0..300 {
            let alone: u64 = live.iter().map(|(_, body)| entry_slots(body.len() as u64)).sum();
            assert!(u64::from(writer.used_slots()) <= alone, "seed {seed}");
            let newest = writer.last().op;
            match random.below(12) {
                0..8 => {
                    let longest = [200, 700, full(1), full(2)][random.below(4) as usize];
                    let body = body(newest + 1, seed, random.below(longest as u64 + 1) as usize);
                    if alone + entry_slots(body.len() as u64) <= u64::from(wal_slots) {
                        writer.append(&recorder, newest + 1, 0, &[&body]).unwrap();
                        live.push_back((newest + 1, body));
                    }
                    continue;
                }
                8..10 => groups.write(&recorder).unwrap(),
                10 => {
                    groups.write(&recorder).unwrap();
                    let op = newest - random.below(live.len() as u64 + 1);
                    checkpoint(&recorder, &mut superblock, &mut writer, op);
                    live.retain(|(live_op, _)| *live_op > op);
                }
                _ => {
                    groups.write(&recorder).unwrap();
                    let ops;
                    (superblock, writer, ops) = reopen(&recorder);
                    groups = writer.begin_groups(written);
                    assert!(live.iter().eq(&ops), "seed {seed}");
                }
            }
            // What was free when the last group had been written, in the order of the ring.
            for (offset, length) in recorder.writes_since(before) {
                let Some(begin) = offset.checked_sub(WAL_OFFSET) else { continue };
                for at in 0..length.div_ceil(SECTOR_SIZE) as u64 {
                    let slot = (begin / SECTOR + at) as u32;
                    let distance = (slot + wal_slots - last) % wal_slots;
                    assert!(distance < free, "seed {seed}: slot {slot} is in use");
                }
            }
            (before, last, free) =
                (recorder.event_count(), writer.last().slot, writer.free_slots());
        }
    }
}

/// Once in a group, an entry is on disk by the write of the group alone.
#[test]
fn an_error_of_the_write_is_that_of_the_group() {
    struct Full;
    impl Storage for Full {
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            unreachable!("a group is not read")
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
        fn length(&self) -> io::Result<u64> {
            Ok(0)
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            Ok(())
        }
    }
    let storage = MemoryStorage::new();
    let mut writer = WalWriter::new(&create(&storage, 8));
    let groups = writer.begin_groups(Written::BySync);
    writer.append(&storage, 1, 0, &[b"one"]).unwrap();
    writer.append(&storage, 2, 0, &[b"two"]).unwrap();
    assert_eq!(groups.write(&Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
}
