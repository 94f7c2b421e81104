use std::io;

use bytemuck::{bytes_of, bytes_of_mut};

use super::sector::SuperblockSector;
use super::*;
use crate::storage::MemoryStorage;
use crate::storage::recorder::Recorder;

const OPTIONS: FormatOptions =
    FormatOptions { block_size: 4096, wal_slots: 8, growth_factor: 4, parameters: [7; 8] };

/// A superblock with something in each field.
fn sample() -> Superblock {
    let mut first = Superblock::new(*b"sample file id 0", OPTIONS);
    first.timestamp_max = 1;
    let mut superblock = first.successor();
    superblock.epoch = 3;
    superblock.checkpoint = WalPosition { op: 90, checksum: 0xabc << 100, slot: 5 };
    superblock.timestamp_max = 1234;
    superblock.grid_end = superblock.grid_offset() + 16 * 4096;
    let address = superblock.grid_offset();
    superblock.manifest = Some(BlockRef { address, length: 8192, checksum: 11 });
    superblock.manifest_block_count = 2;
    superblock.schema = Some(BlockRef { address: address + 8192, length: 4096, checksum: 12 });
    superblock.groove_count = 2;
    superblock.object_counts[..2].copy_from_slice(&[1000, 2]);
    superblock
}

/// A file that ends where its superblock says.
fn file_of(superblock: &Superblock) -> MemoryStorage {
    let storage = MemoryStorage::new();
    superblock.write(&storage).unwrap();
    storage.allocate(0, superblock.grid_end).unwrap();
    storage
}

/// A file with these four copies; `None` leaves zeros.
fn file_with(copies: [Option<&Superblock>; 4]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    storage.allocate(0, sample().grid_end).unwrap();
    for (index, superblock) in copies.into_iter().enumerate() {
        if let Some(superblock) = superblock {
            put(&storage, index, |sector| *sector = SuperblockSector::encode(superblock));
        }
    }
    storage
}

/// Changes a copy on disk and makes its index and checksum right again.
fn put(storage: &dyn Storage, index: usize, change: impl Fn(&mut SuperblockSector)) {
    put_raw(storage, index, |sector| {
        change(sector);
        sector.copy = index as u32;
        sector.checksum = sector.compute_checksum();
    });
}

fn put_raw(storage: &dyn Storage, index: usize, change: impl Fn(&mut SuperblockSector)) {
    let mut sector: SuperblockSector = bytemuck::Zeroable::zeroed();
    storage.read_at(copy_offset(index), bytes_of_mut(&mut sector)).unwrap();
    change(&mut sector);
    storage.write_at(copy_offset(index), bytes_of(&sector)).unwrap();
}

fn damage(result: Result<Superblock, SuperblockError>) -> Damage {
    match result {
        Err(SuperblockError::Corrupt(corruption)) => {
            assert_eq!(corruption.kind, BlockKind::Superblock);
            corruption.damage
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_in_all_fields() {
    for superblock in [sample(), Superblock::new([9; 16], OPTIONS)] {
        assert_eq!(Superblock::read(&file_of(&superblock)).unwrap(), superblock);
    }
}

#[test]
fn each_successor_names_its_parent() {
    let parent = sample();
    let child = parent.successor();
    assert_eq!(child.sequence(), parent.sequence() + 1);
    assert_eq!(child.parent(), parent.checksum());
    assert_ne!(child.checksum(), parent.checksum());
    assert_eq!(Superblock::new([0; 16], OPTIONS).parent(), 0);
}

#[test]
fn the_bytes_of_a_superblock_never_change() {
    let checksum = sample().checksum();
    assert_eq!(checksum, 0x385c2c14153aa579df53a018f7ca02d3, "found {checksum:#034x}");
}

#[test]
fn a_write_syncs_between_its_halves() {
    let recorder = Recorder::new(Vec::new());
    sample().write(&recorder).unwrap();
    assert_eq!((recorder.event_count(), recorder.sync_count()), (6, 2));
}

#[test]
fn a_crash_at_any_point_of_a_write_leaves_the_old_or_the_new_superblock() {
    let first = Superblock::new([1; 16], OPTIONS);
    let images = crash(&file_of(&first).snapshot_bytes(), &[], 3);
    assert!(images > 10_000, "{images} images");
}

/// Writes a successor, crashes at each point, and goes on with each image. A superblock whose write
/// a crash has cut off since the last complete write is `lost`, and may come back.
fn crash(initial: &[u8], lost: &[u128], depth: u64) -> u64 {
    let recorder = Recorder::new(initial.to_vec());
    let old = Superblock::read(&recorder).unwrap();
    let mut new = old.successor();
    new.epoch += depth; // differs from what was lost in the crash before
    new.write(&recorder).unwrap();
    assert_eq!(Superblock::read(&recorder).unwrap().checksum(), new.checksum());

    let (mut kept, mut written) = (0, 0);
    let mut images = Vec::new();
    let mut count = recorder.crash_images(|events, image| {
        let found = Superblock::read(&MemoryStorage::from_bytes(image.to_vec())).unwrap();
        if found.checksum() == new.checksum() {
            written += 1;
        } else {
            let lost = lost.contains(&found.checksum()) && found.sequence() > old.sequence();
            assert!(found.checksum() == old.checksum() || lost);
            assert!(events < 3, "the first half is durable after three events");
            kept += 1;
        }
        images.push(image.to_vec());
    });
    assert!(kept > 0 && written > 0 && kept + written == count);
    images.sort();
    images.dedup();
    let lost = [lost, &[new.checksum()]].concat();
    if depth > 1 {
        // Each image at the first crash, every tenth at the second.
        let step = if lost.len() > 1 { 10 } else { 1 };
        let next = images.iter().step_by(step).map(|image| crash(image, &lost, depth - 1));
        count += next.sum::<u64>();
    }
    count
}

/// Found by the test above. After a crash in the second half of a write two copies may be all that
/// is left; a next write that began with these could lose them both.
#[test]
fn the_only_two_good_copies_are_overwritten_last() {
    let (old, new) = (sample(), sample().successor());
    for good in [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]] {
        let mut copies = [Some(&old), None, Some(&old), None];
        good.into_iter().for_each(|index| copies[index] = Some(&new));
        crash(&file_with(copies).snapshot_bytes(), &[], 2);
    }
}

/// Found by the test of crashes. A write of sequence 3 tears copy 0 at its end, and the next opener
/// writes another superblock. Is that torn too, so that only the end of copy 0 is written, then
/// copy 0 is the lost superblock again, whole: were the other one's sequence number 3 as well, the
/// file would look forked. The damaged copy's number is therefore not used again.
#[test]
fn a_lost_superblock_that_becomes_whole_again_is_no_fork() {
    let old = sample();
    let lost = old.successor();
    let storage = file_with([Some(&lost), Some(&old), Some(&old), Some(&old)]);
    put_raw(&storage, 0, |sector| sector.reserved_rest = [u64::MAX; 26]);

    let mut new = Superblock::read(&storage).unwrap().successor();
    new.epoch += 1;
    put_raw(&storage, 0, |sector| sector.reserved_rest = [0; 26]);
    put(&storage, 1, |sector| *sector = SuperblockSector::encode(&new));
    assert_eq!(Superblock::read(&storage).unwrap().checksum(), old.checksum());
}

#[test]
fn a_damaged_sequence_number_does_not_use_up_the_others() {
    let storage = file_of(&sample());
    put_raw(&storage, 2, |sector| sector.sequence |= 1 << 61);
    let next = Superblock::read(&storage).unwrap().successor();
    assert_eq!(next.sequence(), sample().sequence() + 1);
}

#[test]
fn a_flipped_bit_of_any_byte_of_any_copy_changes_nothing() {
    let superblock = sample();
    let storage = file_of(&superblock);
    for offset in 0..SUPERBLOCK_ZONE_SIZE {
        let restore = flip(&storage, offset);
        let found = Superblock::read(&storage).unwrap();
        assert_eq!(found.checksum(), superblock.checksum(), "byte {offset}");
        restore();
    }
}

#[test]
fn a_flipped_bit_after_a_crash_gives_the_new_or_the_old_superblock_or_an_error() {
    let old = sample();
    let new = old.successor();
    let mut errors = 0;
    for copies in [
        [Some(&new), Some(&new), Some(&old), Some(&old)],
        [Some(&new), None, Some(&old), Some(&old)],
        [Some(&new), Some(&new), None, None],
    ] {
        let storage = file_with(copies);
        for offset in 0..SUPERBLOCK_ZONE_SIZE {
            let restore = flip(&storage, offset);
            match Superblock::read(&storage) {
                Ok(found) => {
                    let checksum = found.checksum();
                    assert!(checksum == new.checksum() || checksum == old.checksum());
                }
                Err(SuperblockError::Corrupt(_)) => errors += 1,
                Err(other) => panic!("byte {offset}: {other}"),
            }
            restore();
        }
    }
    assert!(errors >= 2 * 2 * 4096, "without a quorum a flip is an error: {errors}");
}

fn flip(storage: &MemoryStorage, offset: u64) -> impl FnOnce() {
    let mut byte = [0];
    storage.read_at(offset, &mut byte).unwrap();
    storage.write_at(offset, &[byte[0] ^ (1 << (offset % 8))]).unwrap();
    let storage = storage.clone();
    move || storage.write_at(offset, &byte).unwrap()
}

#[test]
fn the_highest_sequence_with_two_equal_copies_wins() {
    let a = sample();
    let b = a.successor();
    let c = b.successor();
    let read = |copies| Superblock::read(&file_with(copies));
    let wins = |copies, winner: &Superblock, highest: &Superblock| {
        let found = read(copies).unwrap();
        assert_eq!(found.checksum(), winner.checksum());
        assert_eq!(found.successor().sequence(), highest.sequence() + 1);
    };
    let (a_, b_, c_) = (Some(&a), Some(&b), Some(&c));
    wins([a_, a_, a_, a_], &a, &a);
    wins([b_, a_, a_, a_], &a, &b);
    wins([b_, b_, a_, a_], &b, &b);
    wins([b_, None, a_, a_], &a, &b);
    wins([a_, a_, b_, b_], &b, &b);
    wins([a_, None, None, a_], &a, &a);
    wins([c_, b_, b_, a_], &b, &c);
    for copies in [[a_, None, None, None], [a_, b_, c_, None]] {
        let valid_copies = copies.iter().flatten().count() as u8;
        assert_eq!(damage(read(copies)), Damage::NoQuorum { valid_copies });
    }
}

#[test]
fn two_contents_of_one_sequence_number_are_an_error_even_beside_a_quorum() {
    let a = sample();
    let b = a.successor();
    let mut other = a.successor();
    other.timestamp_max += 1;
    for copies in [
        [Some(&b), Some(&b), Some(&b), Some(&other)],
        [Some(&other), Some(&b), Some(&a), Some(&a)],
        [Some(&b), Some(&b), Some(&other), Some(&other)],
    ] {
        assert!(matches!(damage(Superblock::read(&file_with(copies))), Damage::Invalid { .. }));
    }
}

#[test]
fn a_copy_in_the_place_of_another_does_not_count() {
    let superblock = sample();
    let storage = file_with([Some(&superblock), None, None, None]);
    for index in 1..4 {
        put_raw(&storage, index, |sector| *sector = SuperblockSector::encode(&superblock));
    }
    assert_eq!(damage(Superblock::read(&storage)), Damage::NoQuorum { valid_copies: 1 });
}

#[test]
fn a_newer_format_is_named_if_two_copies_say_so() {
    let storage = file_of(&sample());
    let newer = |sector: &mut SuperblockSector| sector.version = 9;
    put_raw(&storage, 0, newer);
    assert!(Superblock::read(&storage).is_ok(), "one copy says nothing against three");
    for index in 1..4 {
        put_raw(&storage, index, newer);
    }
    let error = Superblock::read(&storage).unwrap_err();
    assert!(matches!(error, SuperblockError::Format { found: 9 }), "{error}");
    for index in 1..4 {
        put_raw(&storage, index, |sector| sector.version = 10 + sector.copy);
    }
    assert_eq!(damage(Superblock::read(&storage)), Damage::NoQuorum { valid_copies: 0 });
}

#[test]
fn another_byte_order_is_named_if_two_copies_say_so() {
    let storage = file_of(&sample());
    for index in 0..4 {
        put_raw(&storage, index, |sector| {
            sector.endian_mark = sector.endian_mark.swap_bytes();
            sector.version = sector.version.swap_bytes();
        });
        let found = Superblock::read(&storage);
        match index {
            0 | 1 => assert!(found.is_ok()),
            _ => assert!(matches!(found, Err(SuperblockError::Endianness)), "{found:?}"),
        }
    }
}

#[test]
fn a_file_that_ends_early_is_empty_or_truncated_or_not_groove() {
    let bytes = file_of(&sample()).snapshot_bytes();
    let needed_in_all = bytes.len() as u64;
    for length in (0..40).chain((4000..bytes.len()).step_by(97)).chain([16383, 16384, 16385]) {
        let found = Superblock::read(&MemoryStorage::from_bytes(bytes[..length].to_vec()));
        match found.unwrap_err() {
            SuperblockError::Empty => assert_eq!(length, 0),
            SuperblockError::Truncated { length: found, needed } => {
                assert_eq!(found, length as u64);
                let zone = SUPERBLOCK_ZONE_SIZE;
                assert_eq!(needed, if found < zone { zone } else { needed_in_all });
            }
            other => panic!("{other}"),
        }
    }
    for other in [&b"x"[..], b"SQLite format 3\0", &[0; 5000], &[0; 40_000], &[0xff; 16384]] {
        let found = Superblock::read(&MemoryStorage::from_bytes(other.to_vec()));
        assert!(matches!(found, Err(SuperblockError::NotGroove)), "{found:?}");
    }
}

#[test]
fn a_file_with_an_empty_grid_is_as_long_as_its_log() {
    let superblock = Superblock::new([1; 16], OPTIONS);
    let storage = MemoryStorage::new();
    superblock.write(&storage).unwrap();
    storage.allocate(0, superblock.grid_offset() - 1).unwrap();
    let found = Superblock::read(&storage);
    assert!(matches!(found, Err(SuperblockError::Truncated { .. })), "{found:?}");
    storage.allocate(0, superblock.grid_offset()).unwrap();
    assert_eq!(Superblock::read(&storage).unwrap(), superblock);
}

#[test]
fn a_field_that_no_writer_writes_is_an_error_although_the_checksum_is_right() {
    type Change = fn(&mut SuperblockSector);
    let bytes = |sector: &mut SuperblockSector, offset: usize| bytes_of_mut(sector)[offset] = 1;
    let changes: [(&str, Change); 27] = [
        ("block size", |s| s.block_size = 2048),
        ("block size", |s| s.block_size = 5000),
        ("block size", |s| s.block_size = 1 << 31),
        ("number of log slots", |s| s.wal_slots = 0),
        ("number of log slots", |s| s.wal_slots = WAL_SLOTS_MAX + 1),
        ("growth factor", |s| s.growth_factor = 1),
        ("growth factor", |s| s.growth_factor = u32::MAX),
        ("parent", |s| s.parent = 0),
        ("epoch", |s| s.epoch = 0),
        ("epoch", |s| s.epoch = u64::MAX),
        ("checkpoint op", |s| s.checkpoint_op = u64::MAX),
        ("checkpoint checksum", |s| s.checkpoint_op = 0),
        ("checkpoint slot", |s| s.checkpoint_slot = 8),
        ("highest timestamp", |s| s.timestamp_max = 1 << 63),
        ("end of the grid", |s| s.grid_end = 0),
        ("end of the grid", |s| s.grid_end += 1),
        ("end of the grid", |s| s.grid_end = u64::MAX - 4095),
        ("manifest reference", |s| s.manifest = s.schema.with_address(4096)),
        ("manifest reference", |s| s.manifest = s.manifest.with_address(u64::MAX - 4095)),
        ("schema reference", |s| s.schema = s.schema.with_address(s.grid_end)),
        ("schema reference", |s| s.schema = s.schema.with_address(0)),
        ("number of manifest blocks", |s| s.manifest_block_count = 0),
        ("number of manifest blocks", |s| s.manifest_block_count = 17),
        ("number of grooves", |s| s.groove_count = 129),
        ("number of objects", |s| s.groove_count = 1),
        ("number of objects", |s| s.object_counts[0] = u64::MAX),
        ("reserved field", |s| s.reserved[255] = 1),
    ];
    let original = sample();
    for (expected, change) in changes {
        let storage = file_of(&original);
        (0..4).for_each(|index| put(&storage, index, change));
        assert_eq!(damage(Superblock::read(&storage)), Damage::Invalid { what: expected });
    }
    // Every byte after the last field that is used.
    let storage = file_of(&original);
    for offset in size_of::<SuperblockSector>() - 2768..size_of::<SuperblockSector>() {
        (0..4).for_each(|index| put(&storage, index, |sector| bytes(sector, offset)));
        assert_eq!(damage(Superblock::read(&storage)), Damage::Invalid { what: "reserved field" });
        (0..4).for_each(|index| put(&storage, index, |sector| bytes_of_mut(sector)[offset] = 0));
    }
    assert!(Superblock::read(&storage).is_ok());
}

#[test]
fn a_sequence_number_out_of_range_makes_a_copy_invalid() {
    for sequence in [0, COUNTER_MAX + 1, u64::MAX] {
        let storage = file_of(&sample());
        (0..2).for_each(|index| put(&storage, index, |sector| sector.sequence = sequence));
        assert_eq!(Superblock::read(&storage).unwrap(), sample());
    }
}

#[test]
fn any_bytes_with_a_right_checksum_give_a_sound_superblock_or_an_error() {
    let original = SuperblockSector::encode(&sample());
    let mut state = 7_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let (mut sound, storage) = (0, file_of(&sample()));
    for _ in 0..20_000 {
        let mut sector = original;
        for _ in 0..1 + random() % 3 {
            // Behind what tells formats apart, before the reserved rest.
            let place = 80 + random() % (1328 - 80);
            bytes_of_mut(&mut sector)[place] =
                [0, 1, 0x7f, 0x80, 0xff, random() as u8][random() % 6];
        }
        (0..4).for_each(|index| put(&storage, index, |copy| *copy = sector));
        if let Ok(superblock) = Superblock::read(&storage) {
            superblock.successor().write(&MemoryStorage::new()).unwrap();
            sound += 1;
        }
    }
    assert!((1000..19_000).contains(&sound), "{sound} of 20000 were sound");
}

/// Some sectors cannot be read, as on a disk with bad sectors.
struct BadSectors(MemoryStorage, &'static [u64]);

impl Storage for BadSectors {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let touched = offset / 4096..(offset + buffer.len() as u64).div_ceil(4096);
        if self.1.iter().any(|sector| touched.contains(sector)) {
            return Err(io::Error::other("bad sector"));
        }
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, buffer)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.allocate(offset, length)
    }
}

#[test]
fn two_unreadable_copies_are_survived_and_three_are_an_error_of_the_device() {
    let superblock = sample();
    let read = |bad| Superblock::read(&BadSectors(file_of(&superblock), bad));
    for bad in [&[][..], &[0], &[3], &[0, 1], &[2, 3], &[1, 2]] {
        assert_eq!(read(bad).unwrap().checksum(), superblock.checksum());
    }
    assert!(matches!(read(&[0, 1, 3]), Err(SuperblockError::Io(_))));
}

#[test]
#[should_panic(expected = "a superblock with an invalid field is never written")]
fn an_invalid_superblock_is_not_written() {
    let mut superblock = sample();
    superblock.checkpoint.slot = 8;
    let _ = superblock.write(&MemoryStorage::new());
}
