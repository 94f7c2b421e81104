//! One body for both storages: what holds for a file holds for bytes in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{io, mem, thread};

use super::{FileStorage, MemoryStorage, ReadSpan, Storage};

/// What a batch brings, in the order of its spans.
pub(super) fn read_batch(storage: &dyn Storage, spans: &[ReadSpan]) -> Vec<io::Result<Vec<u8>>> {
    let taken: Arc<Mutex<BTreeMap<usize, io::Result<Vec<u8>>>>> = Arc::default();
    let results = Arc::clone(&taken);
    let take = move |number: usize, result: io::Result<&[u8]>| {
        let old = results.lock().unwrap().insert(number, result.map(<[u8]>::to_vec));
        assert!(old.is_none(), "read {number} was taken twice");
    };
    storage.read_batch(spans, Arc::new(take));
    let taken = mem::take(&mut *taken.lock().unwrap());
    assert!(taken.keys().copied().eq(0..spans.len()), "each read is taken");
    taken.into_values().collect()
}

fn spans(indexes: Range<usize>, shape: impl Fn(usize) -> (u64, usize)) -> Vec<ReadSpan> {
    indexes.map(shape).map(|(offset, length)| ReadSpan { offset, length }).collect()
}

fn on_each_storage(check: impl Fn(&dyn Storage)) {
    check(&MemoryStorage::new());
    let directory = tempfile::tempdir().unwrap();
    check(&FileStorage::create_new(directory.path().join("a.groove")).unwrap());
}

fn read(storage: &dyn Storage, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0xee; length];
    storage.read_at(offset, &mut buffer)?;
    Ok(buffer)
}

fn byte_at(offset: u64) -> u8 {
    (offset.wrapping_mul(31) >> 3) as u8
}

fn fill(storage: &dyn Storage, length: u64) {
    let bytes: Vec<u8> = (0..length).map(byte_at).collect();
    storage.write_at(0, &bytes).unwrap();
}

#[test]
fn what_is_written_is_read_and_a_gap_is_zeros() {
    on_each_storage(|storage| {
        assert_eq!(storage.length().unwrap(), 0);
        storage.write_at(10, b"later").unwrap();
        storage.write_at(2, b"early").unwrap();
        storage.write_at(4, b"R").unwrap();
        assert_eq!(storage.length().unwrap(), 15);
        storage.sync().unwrap();
        storage.sync().unwrap();
        assert_eq!(read(storage, 0, 15).unwrap(), b"\0\0eaRly\0\0\0later");
    });
}

#[test]
fn a_read_past_the_end_is_an_error_of_its_own_kind() {
    on_each_storage(|storage| {
        storage.write_at(0, &[1; 100]).unwrap();
        for (offset, length) in [(99, 2), (100, 1), (5000, 10), (u64::MAX, 1), (u64::MAX - 4, 9)] {
            let error = read(storage, offset, length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{offset} {length}: {error}");
        }
        assert_eq!(read(storage, 99, 1).unwrap(), [1]);
    });
}

#[test]
fn nothing_is_read_or_written_by_empty_buffers_wherever_they_are() {
    on_each_storage(|storage| {
        for offset in [0, 7, u64::MAX] {
            storage.write_at(offset, &[]).unwrap();
            storage.allocate(offset, 0).unwrap();
            assert_eq!(read(storage, offset, 0).unwrap(), []);
        }
        assert_eq!(storage.length().unwrap(), 0);
    });
}

#[test]
fn a_write_where_no_file_can_reach_is_an_error() {
    on_each_storage(|storage| {
        storage.write_at(0, b"kept").unwrap();
        for offset in [u64::MAX, u64::MAX - 1] {
            assert!(storage.write_at(offset, &[1, 2, 3]).is_err());
            assert!(storage.allocate(offset, 3).is_err());
        }
        assert!(storage.allocate(1 << 62, 1 << 61).is_err(), "no device has that much space");
        assert_eq!(read(storage, 0, 4).unwrap(), b"kept");
    });
}

#[test]
fn allocating_grows_with_zeros_and_never_shortens_or_overwrites() {
    on_each_storage(|storage| {
        storage.write_at(0, &[9; 10_000]).unwrap();
        storage.allocate(4096, 4096).unwrap();
        assert_eq!(storage.length().unwrap(), 10_000);
        storage.allocate(8192, 8192).unwrap();
        assert_eq!(storage.length().unwrap(), 16_384);
        assert_eq!(read(storage, 0, 10_000).unwrap(), [9; 10_000]);
        assert_eq!(read(storage, 10_000, 6384).unwrap(), [0; 6384]);
        storage.write_at(16_000, &[8; 384]).unwrap();
        storage.sync().unwrap();
        assert_eq!(storage.length().unwrap(), 16_384);
    });
}

#[test]
fn each_read_of_a_batch_has_its_own_bytes_and_its_own_end() {
    on_each_storage(|storage| {
        fill(storage, 100_000);
        for count in [0, 1, 2, 4, 5, 9, 10, 64, 300] {
            // Descending, so that the order on the device is not the order of the batch; every
            // seventh lies past the end.
            let shape = |index: usize| {
                let offset = if index % 7 == 6 { 99_990 } else { 90_000 - 300 * index as u64 };
                (offset, 1 + index * 13 % 500)
            };
            let results = read_batch(storage, &spans(0..count, shape));
            for (index, result) in results.into_iter().enumerate() {
                let (offset, length) = shape(index);
                if offset + length as u64 > 100_000 {
                    let error = result.unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                } else {
                    let expected = (offset..offset + length as u64).map(byte_at);
                    assert!(result.unwrap().into_iter().eq(expected), "read {index}");
                }
            }
        }
    });
}

/// Near spans are read together: gaps of any width, overlaps, and a tail that is past the end.
#[test]
fn spans_near_each_other_have_their_own_bytes_whatever_lies_between() {
    on_each_storage(|storage| {
        let length = 3_000_000;
        fill(storage, length);
        for gap in [0, 1, 4096, 32 << 10, (32 << 10) + 1, 100_000] {
            for overlap in [0, 1, 5000] {
                let shape = |index: usize| {
                    let offset = (index as u64 * (9000 + gap)).saturating_sub(overlap);
                    (offset, 9000 + 100_000 * usize::from(index % 11 == 10))
                };
                let batch = spans(0..40, shape);
                for (span, result) in batch.iter().zip(read_batch(storage, &batch)) {
                    let end = span.offset + span.length as u64;
                    if end > length {
                        let error = result.unwrap_err();
                        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                    } else {
                        let expected = (span.offset..end).map(byte_at);
                        assert!(result.unwrap().into_iter().eq(expected), "{span:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn spans_that_no_storage_has_are_errors_and_cost_no_memory() {
    on_each_storage(|storage| {
        fill(storage, 10_000);
        let ends = [(u64::MAX - 10, 5), (u64::MAX - 5, 100), (u64::MAX, 0), (5000, 100)];
        let batch = spans(0..ends.len(), |index| ends[index]);
        let results = read_batch(storage, &batch);
        for result in &results[..2] {
            assert_eq!(result.as_ref().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        assert!(results[2].as_ref().unwrap().is_empty());
        assert_eq!(results[3].as_ref().unwrap().len(), 100);
    });
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::create_new(directory.path().join("a.groove")).unwrap();
    let endless = spans(0..2, |index| (u64::MAX - 5, if index == 0 { usize::MAX } else { 1 }));
    assert!(read_batch(&storage, &endless).iter().all(Result::is_err));
}

/// Distant reads, as those of a cold query with a small limit, wait for the device together.
#[test]
fn a_few_distant_reads_are_shared_by_as_many_threads() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::create_new(directory.path().join("a.groove")).unwrap();
    fill(&storage, 4 << 20);
    let distant = spans(0..8, |index| (index as u64 * (512 << 10), 4096));
    let begun = (Mutex::new(0), Condvar::new());
    let count = distant.len();
    let take = move |_: usize, result: io::Result<&[u8]>| {
        assert_eq!(result.unwrap().len(), 4096);
        let (lock, changed) = &begun;
        let mut begun = lock.lock().unwrap();
        *begun += 1;
        changed.notify_all();
        let wait =
            changed.wait_timeout_while(begun, Duration::from_secs(20), |begun| *begun < count);
        assert!(!wait.unwrap().1.timed_out(), "none ends before all have begun");
    };
    storage.read_batch(&distant, Arc::new(take));
}

#[test]
fn a_taker_that_panics_does_so_in_the_calling_thread_and_the_next_batch_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::create_new(directory.path().join("a.groove")).unwrap();
    fill(&storage, 100_000);
    let batch = spans(0..64, |index| (index as u64 * 1000, 1000));
    for panicking in [0, 20, 63] {
        let take = move |number: usize, _: io::Result<&[u8]>| {
            assert_ne!(number, panicking, "on purpose");
        };
        let read = AssertUnwindSafe(|| storage.read_batch(&batch, Arc::new(take)));
        let panic = catch_unwind(read).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("on purpose"));
        assert!(read_batch(&storage, &batch).iter().all(Result::is_ok));
    }
}

#[test]
fn batches_of_many_threads_do_not_mix() {
    on_each_storage(|storage| {
        fill(storage, 200_000);
        thread::scope(|scope| {
            for reader in 0..12_usize {
                scope.spawn(move || {
                    for round in 0..60_usize {
                        let shape = |index: usize| {
                            let place = (index * 7919 + reader * 104_729 + round * 31) % 199_000;
                            (place as u64, 1 + (index + round) % 700)
                        };
                        let batch = spans(0..(round * 5 + reader) % 90, shape);
                        for (index, result) in read_batch(storage, &batch).into_iter().enumerate() {
                            let (offset, length) = shape(index);
                            let expected = (offset..offset + length as u64).map(byte_at);
                            assert!(result.unwrap().into_iter().eq(expected));
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn writers_that_grow_the_storage_at_once_lose_nothing() {
    on_each_storage(|storage| {
        thread::scope(|scope| {
            for writer in 0..4_u64 {
                scope.spawn(move || {
                    for round in 0..50 {
                        let place = (round * 4 + writer) * 100;
                        storage.write_at(place, &[writer as u8 + 1; 100]).unwrap();
                        storage.allocate(place, 200).unwrap();
                        storage.sync().unwrap();
                    }
                });
            }
        });
        let bytes = read(storage, 0, 20_000).unwrap();
        for (index, piece) in bytes.chunks(100).enumerate() {
            assert!(piece.iter().all(|&byte| byte == (index % 4) as u8 + 1), "piece {index}");
        }
        assert_eq!(storage.length().unwrap(), 20_100);
    });
}

#[test]
fn clones_of_a_storage_in_memory_share_its_bytes_and_snapshots_do_not() {
    let storage = MemoryStorage::from_bytes(b"first".to_vec());
    let clone = storage.clone();
    let snapshot = storage.snapshot_bytes();
    clone.write_at(0, b"again").unwrap();
    assert_eq!(storage.snapshot_bytes(), b"again");
    assert_eq!(snapshot, b"first");
    assert_eq!(format!("{storage:?}"), "MemoryStorage { length: 5 }");
}
