//! The device itself: that its faults are what they say, and no more.

use std::io;

use super::*;
use crate::storage::Storage;

fn written() -> SimulatedStorage {
    let storage = SimulatedStorage::new(1);
    storage.write_at(0, &[1; 8192]).unwrap();
    storage.sync().unwrap();
    storage
}

fn read(storage: &SimulatedStorage, offset: u64, length: usize) -> Vec<u8> {
    let mut buffer = vec![0; length];
    storage.read_at(offset, &mut buffer).unwrap();
    buffer
}

#[test]
fn copies_of_an_image_do_not_see_each_other_change() {
    let one = Image::from_bytes(&[7; 10_000]);
    let mut other = one.clone();
    other.write(4_000, &[8; 200]);
    assert_eq!(one.to_bytes(), [7; 10_000]);
    assert_eq!(one.differences(&other), [0, 1]);
    other.set_length(4_050);
    other.set_length(10_000);
    let bytes = other.to_bytes();
    assert!(bytes[..4_000] == [7; 4_000] && bytes[4_000..4_050] == [8; 50]);
    assert!(bytes[4_050..].iter().all(|byte| *byte == 0), "what was cut off is gone");
}

#[test]
fn a_crash_keeps_what_was_synced_and_mixes_what_was_not() {
    let storage = written();
    storage.write_at(4096, &[2; 8192]).unwrap();
    let mut random = Random::new(3);
    let images: Vec<Image> = (0..400).map(|nth| storage.crash(nth, &mut random)).collect();
    assert_eq!(images[0], storage.cached());
    assert_eq!(images[1], storage.medium());
    assert_eq!(images[2].length(), 8192);
    let mut torn = [0; 3];
    for image in &images {
        let bytes = image.to_bytes();
        assert!(bytes[..4096] == [1; 4096]);
        for piece in bytes[4096..].chunks(512) {
            let old = piece.iter().all(|byte| [0, 1].contains(byte));
            let new = piece.iter().all(|byte| *byte == 2);
            torn[usize::from(new) + 2 * usize::from(!old && !new)] += 1;
        }
    }
    assert!(torn.iter().all(|count| *count > 100), "{torn:?}");
}

#[test]
fn a_journal_gives_the_device_at_each_point() {
    let storage = written();
    storage.record();
    storage.write_at(0, &[3; 512]).unwrap();
    storage.allocate(0, 20_000).unwrap();
    storage.sync().unwrap();
    storage.write_at(512, &[4; 512]).unwrap();
    let (cached, medium) = (storage.cached(), storage.medium());
    let journal = storage.take_journal();
    assert_eq!(journal.events().len(), 4);
    assert_eq!(journal.at(2).0.length(), 8192);
    assert_eq!(journal.at(2).1.len(), 2);
    assert_eq!((journal.at(4).0, journal.at(4).1.len()), (&medium, 1));
    assert_eq!(journal.cached(4), cached);
    assert_eq!(journal.cached(0).to_bytes(), [1; 8192]);
}

#[test]
fn a_failed_sync_loses_pages_that_no_later_sync_brings_back() {
    let mut lost = 0;
    for seed in 0..50 {
        let storage = SimulatedStorage::from_image(Image::from_bytes(&[1; 8192]), seed);
        storage.write_at(0, &[2; 4096]).unwrap();
        let kind = io::ErrorKind::Other;
        storage.fail(Fault { calls: &[Call::Sync], after: 0, for_good: false, kind });
        assert!(storage.sync().is_err());
        storage.write_at(4096, &[3; 4096]).unwrap();
        storage.sync().unwrap();
        assert_eq!(storage.repair(), 1);
        assert_eq!(read(&storage, 0, 4096), [2; 4096], "it is still in the cache");
        let medium = storage.medium().to_bytes();
        assert_eq!(medium[4096..], [3; 4096]);
        lost += u32::from(medium[..4096] != [2; 4096]);
    }
    assert!((20..50).contains(&lost), "{lost}");
}

#[test]
fn damage_is_read_until_it_is_healed_or_written_over() {
    let storage = written();
    storage.write_at(4096, &[5; 4096]).unwrap();
    storage.rot(10, 0x80);
    assert_eq!(read(&storage, 8, 4), [1, 1, 0x81, 1]);
    storage.misdirect(0, 4096, 4096);
    assert_eq!(read(&storage, 0, 4096), [5; 4096]);
    storage.heal();
    assert_eq!(read(&storage, 0, 4096), [1; 4096]);
    storage.rot(4097, 1);
    storage.write_at(4096, &[6; 512]).unwrap();
    assert_eq!(read(&storage, 4096, 513), [[6; 512].as_slice(), &[5]].concat());
}

#[test]
fn what_is_given_back_is_lost_at_once_and_for_good_after_a_sync() {
    let storage = written();
    storage.release(1000, 5000);
    let expected = [[1; 1000].as_slice(), &[0; 5000], &[1; 2192]].concat();
    assert_eq!(read(&storage, 0, 8192), expected);
    let mut random = Random::new(5);
    let before = (0..100).filter(|nth| storage.crash(*nth, &mut random).to_bytes() == [1; 8192]);
    assert!((10..90).contains(&before.count()), "some crashes come before it, some after");
    storage.sync().unwrap();
    assert_eq!(storage.medium().to_bytes(), expected);
    storage.release(0, u64::MAX);
    assert_eq!(storage.length().unwrap(), 8192, "the length stays");
    assert_eq!(read(&storage, 0, 8192), [0; 8192]);
}

#[test]
fn a_full_device_refuses_to_grow_and_takes_what_has_its_place() {
    let storage = written();
    storage.set_capacity(8192);
    let full = io::ErrorKind::StorageFull;
    assert_eq!(storage.allocate(8192, 1).unwrap_err().kind(), full);
    assert_eq!(storage.write_at(8000, &[2; 500]).unwrap_err().kind(), full);
    assert_eq!(storage.length().unwrap(), 8192);
    storage.write_at(0, &[2; 8192]).unwrap();
    storage.set_capacity(1 << 20);
    storage.allocate(8192, 1).unwrap();
}

#[test]
fn time_is_counted_and_not_spent() {
    let storage = written();
    let before = storage.counters();
    read(&storage, 0, 8192);
    let counters = storage.counters();
    assert_eq!((counters.reads - before.reads, counters.bytes_read), (1, 8192));
    assert_eq!((counters.time - before.time).as_nanos(), 88_192);
}
