//! Damaged, foreign and hostile bytes.

use std::io;

use bytemuck::{bytes_of, pod_read_unaligned};

use super::super::entry::{EntryFields, EntryHeader, Mark};
use super::*;
use crate::error::Corruption;

fn corruption<T>(result: Result<T, ReadError>) -> Corruption {
    match result {
        Err(ReadError::Corrupt(corruption)) => corruption,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the damage was not noticed"),
    }
}

/// A log in its second round, its checkpoint at op 4 and its last op 9: each was synced before the
/// next was appended. The ring's end lies within the entry of op 7.
fn second_round(mark: Option<u64>) -> (MemoryStorage, Superblock) {
    let storage = MemoryStorage::new();
    let mut superblock = create(&storage, 12);
    let mut writer = WalWriter::new(&superblock);
    for op in 1..=9 {
        let body = body(op, 0, if op % 2 == 1 { full(2) - 9 } else { 100 });
        writer.append(&storage, op, op - 1, &[&body]).unwrap();
        if op == 4 {
            checkpoint(&storage, &mut superblock, &mut writer, op);
        }
        if mark == Some(op) {
            writer.write_mark(&storage, op - 1).unwrap();
            writer.write_mark(&storage, op).unwrap();
        }
    }
    assert_eq!(writer.used_slots(), 8);
    (storage, superblock)
}

fn second_round_ops() -> Ops {
    (5..=9).map(|op| (op, body(op, 0, if op % 2 == 1 { full(2) - 9 } else { 100 }))).collect()
}

/// With a mark up to the last op each op is kept or missed; without, the last may be cut.
#[test]
fn a_flipped_bit_of_any_byte_gives_all_synced_ops_or_an_error() {
    for (mark, kept_at_least) in [(None, 8), (Some(9), 9)] {
        let (storage, superblock) = second_round(mark);
        let expected = second_round_ops();
        let bytes = storage.snapshot_bytes();
        let (mut right, mut cut, mut errors) = (0, 0, 0);
        for offset in WAL_MARK_OFFSET..superblock.grid_offset() {
            let byte = bytes[offset as usize];
            storage.write_at(offset, &[byte ^ (1 << (offset % 8))]).unwrap();
            match replay(&storage, &superblock) {
                Ok((recovered, ops)) => {
                    let last = recovered.last().op;
                    assert!(last >= kept_at_least, "byte {offset} lost op {}", last + 1);
                    assert!(expected.starts_with(&ops), "byte {offset}");
                    if last == 9 { right += 1 } else { cut += 1 }
                }
                Err(ReadError::Corrupt(found)) => {
                    assert!(found.offset.is_multiple_of(SECTOR), "{found}");
                    errors += 1;
                }
                Err(other) => panic!("byte {offset}: {other}"),
            }
            storage.write_at(offset, &[byte]).unwrap();
        }
        assert!(right > 0 && errors > 4 * 4096, "{right} right, {cut} cut, {errors} errors");
        assert_eq!(cut > 0, mark.is_none());
    }
}

#[test]
fn a_damaged_entry_before_the_last_is_an_error_that_names_it() {
    let slots = [(5, 6), (6, 8), (7, 9), (8, 11)];
    for (op, slot) in slots {
        let (storage, superblock) = second_round(None);
        storage.write_at(slot_offset(slot) + 130, &[0x55; 20]).unwrap();
        let found = corruption(replay(&storage, &superblock));
        assert_eq!(found.offset, slot_offset(slot));
        assert_eq!(found.kind, BlockKind::WalEntry);
        assert_eq!(found.damage, Damage::LostEntry { op, synced_op: 8 });
    }
}

#[test]
fn a_zeroed_ring_is_an_error_where_a_mark_is_left() {
    let (storage, superblock) = second_round(Some(9));
    storage.write_at(WAL_OFFSET, &vec![0; 12 * SECTOR_SIZE]).unwrap();
    let found = corruption(replay(&storage, &superblock));
    assert_eq!(found.damage, Damage::LostEntry { op: 5, synced_op: 9 });
}

#[test]
fn an_older_ring_put_back_is_noticed_by_the_mark() {
    let (older, _) = second_round(None);
    let (storage, superblock) = second_round(Some(9));
    // The same ops but for the last, which had another body in the copy.
    let mut ring = vec![0; 12 * SECTOR_SIZE];
    let mut found = superblock.clone();
    found.epoch += 1;
    let (recovered, _) = replay(&older, &superblock).unwrap();
    let mut other = WalWriter::resume(&found, recovered);
    other.append(&older, 10, 9, &[b"other"]).unwrap();
    older.read_at(WAL_OFFSET, &mut ring).unwrap();
    storage.write_at(WAL_OFFSET, &ring).unwrap();
    // An entry of an epoch that the superblock does not know.
    assert!(matches!(corruption(replay(&storage, &superblock)).damage, Damage::Invalid { .. }));
    // The mark names another entry than the one in the log.
    let (storage, superblock) = second_round(None);
    let mark = Mark::new(superblock.file_id, 1, 9, 1234).to_sector();
    storage.write_at(mark_offset(1), &mark).unwrap();
    let found = corruption(replay(&storage, &superblock));
    assert_eq!((found.kind, found.offset), (BlockKind::WalMark, mark_offset(1)));
}

#[test]
fn a_mark_or_an_entry_of_a_later_epoch_shows_that_the_superblock_is_lost() {
    let (storage, superblock) = second_round(None);
    let mark = Mark::new(superblock.file_id, 2, 1, 0).to_sector();
    storage.write_at(mark_offset(0), &mark).unwrap();
    assert_eq!(corruption(replay(&storage, &superblock)).kind, BlockKind::WalMark);

    let storage = MemoryStorage::new();
    let first = create(&storage, 8);
    let (_, mut writer, _) = reopen(&storage);
    writer.append(&storage, 1, 0, &[]).unwrap();
    let found = corruption(replay(&storage, &first));
    assert_eq!((found.kind, found.offset), (BlockKind::WalEntry, slot_offset(0)));
}

/// The chain alone excludes it already, as an entry of another epoch has another checksum; here
/// it is forged into the chain.
#[test]
fn an_entry_of_an_earlier_epoch_never_follows_one_of_a_later_epoch() {
    for (epoch, ops_read) in [(1, 1), (2, 2), (3, 2)] {
        let storage = MemoryStorage::new();
        create(&storage, 8);
        let (_, mut writer, _) = reopen(&storage);
        let first = writer.append(&storage, 1, 0, &[b"of epoch 2"]).unwrap();
        let (superblock, _, _) = reopen(&storage);
        let (parent, file_id, slot) = (first.checksum, superblock.file_id, first.slot);
        let place = Place { slot, cell: 0 };
        let fields = EntryFields { parent, file_id, epoch, op: 2, synced_op: 0, place };
        let header = EntryHeader::new(fields, b"");
        storage.write_at(slot_offset(slot), bytes_of(&header)).unwrap();
        assert_eq!(replay(&storage, &superblock).unwrap().1.len(), ops_read);
    }
}

#[test]
fn a_forged_chain_does_not_grow_over_its_own_beginning() {
    for (slots, ops_read) in [(1, 3), (2, 2), (4, 2)] {
        let storage = MemoryStorage::new();
        let superblock = create(&storage, 8);
        let mut writer = WalWriter::new(&superblock);
        writer.append(&storage, 1, 0, &[&body(1, 0, full(4))]).unwrap();
        let WalPosition { checksum: parent, slot, .. } =
            writer.append(&storage, 2, 1, &[&body(2, 0, full(3))]).unwrap();
        // The body may lie over the first entry: by then that one was read.
        let file_id = superblock.file_id;
        let place = Place { slot, cell: 0 };
        let fields = EntryFields { parent, file_id, epoch: 1, op: 3, synced_op: 0, place };
        let mut ring = vec![0; 8 * SECTOR_SIZE];
        storage.read_at(WAL_OFFSET, &mut ring).unwrap();
        let forged = [vec![7; full(1)], ring[..(slots - 1) * SECTOR_SIZE].to_vec()].concat();
        let header = EntryHeader::new(fields, &forged);
        storage.write_at(slot_offset(slot), bytes_of(&header)).unwrap();
        storage.write_at(slot_offset(slot) + HEADER_SIZE as u64, &forged[..full(1)]).unwrap();
        assert_eq!(replay(&storage, &superblock).unwrap().1.len(), ops_read, "{slots} slots");
    }
}

#[test]
fn entries_and_marks_of_another_file_are_nothing() {
    let (storage, superblock) = second_round(Some(9));
    let mut other = Superblock::new(*b"of another file ", superblock.options);
    other.checkpoint = superblock.checkpoint;
    let (recovered, ops) = replay(&storage, &other).unwrap();
    assert_eq!((recovered.last().op, ops.len()), (4, 0));
}

#[test]
fn an_entry_in_the_place_of_another_is_not_read() {
    let (original, superblock) = second_round(Some(9));
    let bytes = original.snapshot_bytes();
    for from in 0..12 {
        for to in 0..12 {
            let storage = MemoryStorage::from_bytes(bytes.clone());
            let moved = &bytes[slot_offset(from) as usize..][..SECTOR_SIZE];
            storage.write_at(slot_offset(to), moved).unwrap();
            match replay(&storage, &superblock) {
                // Slots 2 to 5 are free: what lies there is not read.
                Ok((_, ops)) => {
                    assert!((2..6).contains(&to) || from == to, "{from} to {to}");
                    assert!(ops == second_round_ops());
                }
                Err(error) => drop(corruption::<()>(Err(error))),
            }
        }
    }
}

#[test]
fn a_header_whose_fields_are_out_of_range_is_none() {
    let place = Place { slot: 3, cell: 2 };
    let fields = EntryFields { parent: 0, file_id: [1; 16], epoch: 1, op: 5, synced_op: 4, place };
    let header = EntryHeader::new(fields, b"body");
    let read = |bytes: &[u8]| EntryHeader::read(bytes, place, &[1; 16], 8);
    assert!(read(bytes_of(&header)).is_some());
    assert!(read(&bytes_of(&header)[..127]).is_none());
    for byte in 0..HEADER_SIZE {
        let mut flipped = bytes_of(&header).to_vec();
        flipped[byte] ^= 1 << (byte % 8);
        assert!(read(&flipped).is_none(), "byte {byte}");
    }
    for other in [Place { slot: 2, cell: 2 }, Place { slot: 3, cell: 0 }] {
        assert!(EntryHeader::read(bytes_of(&header), other, &[1; 16], 8).is_none());
    }
    assert!(EntryHeader::read(bytes_of(&header), place, &[2; 16], 8).is_none());
    for length in [body_length_max(8) + 1, 1 << 40, u64::MAX - 127, u64::MAX] {
        assert!(read(&forge(&header, |header| header.body_length = length)).is_none());
    }
    // In the third cell it may not be so long that it would lie in a slot more than in the first.
    let length_max = body_length_max(8) - 2 * CELL_SIZE as u64;
    assert!(read(&forge(&header, |header| header.body_length = length_max)).is_some());
    assert!(read(&forge(&header, |header| header.body_length = length_max + 1)).is_none());
    assert!(read(&forge(&header, |header| header.op = u64::MAX)).is_none());
    assert!(read(&forge(&header, |header| header.synced_op = 5)).is_none());
    assert!(read(&forge(&header, |header| header.op = 0)).is_none());
}

/// Changes a header and makes its checksum right again.
fn forge(header: &EntryHeader, change: impl Fn(&mut EntryHeader)) -> Vec<u8> {
    let mut header = *header;
    change(&mut header);
    header.checksum = checksum(&bytes_of(&header)[16..]);
    bytes_of(&header).to_vec()
}

fn checksum(bytes: &[u8]) -> u128 {
    crate::checksum::checksum(crate::checksum::Domain::WalEntry, bytes)
}

/// Sectors with right header checksums and random fields in every slot: whatever they pretend,
/// recovery ends, takes no more than the ring in memory, and gives what is chained or an error.
#[test]
fn forged_headers_in_every_slot_are_survived() {
    for seed in 0..3000 {
        let mut random = Random(seed);
        let (storage, superblock) = second_round(None);
        let bytes = storage.snapshot_bytes();
        for slot in 0..12 {
            let sector = &bytes[slot_offset(slot) as usize..];
            let original: EntryHeader = pod_read_unaligned(&sector[..HEADER_SIZE]);
            if random.below(3) > 0 || original.op == 0 {
                continue;
            }
            let extreme = [0, 1, 4, 5, 9, 100, 4096, body_length_max(12), 1 << 62, u64::MAX];
            let value = extreme[random.below(10) as usize];
            let change = random.below(6);
            let forged = forge(&original, |header| match change {
                0 => header.body_length = value,
                1 => header.op = value,
                2 => header.synced_op = value,
                3 => header.epoch = value,
                4 => header.parent = value.into(),
                _ => header.body_checksum = value.into(),
            });
            storage.write_at(slot_offset(slot), &forged).unwrap();
        }
        match replay(&storage, &superblock) {
            Ok((_, ops)) => assert!(second_round_ops().starts_with(&ops), "seed {seed}"),
            Err(error) => drop(corruption::<()>(Err(error))),
        }
    }
}

#[test]
fn random_bytes_hold_no_entry() {
    let mut random = Random(1);
    for _ in 0..200 {
        let (storage, superblock) = second_round(None);
        let noise: Vec<u8> = (0..14 * SECTOR_SIZE).map(|_| random.below(256) as u8).collect();
        storage.write_at(WAL_MARK_OFFSET, &noise).unwrap();
        assert_eq!(replay(&storage, &superblock).unwrap().1.len(), 0);
    }
}

#[test]
fn a_ring_that_is_cut_off_is_an_error() {
    let (storage, superblock) = second_round(None);
    let bytes = storage.snapshot_bytes();
    for length in (WAL_MARK_OFFSET as usize..bytes.len()).step_by(500) {
        let storage = MemoryStorage::from_bytes(bytes[..length].to_vec());
        let found = corruption(replay(&storage, &superblock));
        assert_eq!(found.damage, Damage::Truncated { file_length: length as u64 });
    }
}

#[test]
fn a_device_that_cannot_read_is_an_error_of_its_own() {
    struct Unreadable(MemoryStorage);
    impl Storage for Unreadable {
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Err(io::Error::other("bad sector"))
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
            unreachable!("recovery writes nothing")
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
        fn length(&self) -> io::Result<u64> {
            self.0.length()
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            unreachable!("recovery writes nothing")
        }
    }
    let (storage, superblock) = second_round(None);
    let found = replay(&Unreadable(storage), &superblock);
    assert!(matches!(found, Err(ReadError::Io { .. })));
}
