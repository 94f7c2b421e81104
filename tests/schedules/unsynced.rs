//! Writers that wait for no sync, beside a thread that syncs now and then: their log entries share sectors until a
//! sync begins. In some orders a write fails. When all is over and the handle is gone, the log has every scope that
//! was committed.

use std::sync::Arc;

use groove::{Durability, Forest, Groove, Options};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::device::{Device, MARKER};

const WRITERS: u64 = 2;
const SCOPES: u64 = 4;
const SYNCS: usize = 3;
/// About as many as there are after the file was created.
const WRITES: u64 = 20;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Line {
    #[index(primary)]
    marker: u64,
    timestamp: u64,
}

fn open(device: &Arc<Device>) -> Forest<Line> {
    let options = Options::default()
        .block_size(4096)
        .table_size(4096)
        .wal_size(8 * 4096)
        .cache_size(0)
        .compaction_threads(0)
        .durability(Durability::Buffered)
        .file_id([1; 16]);
    Forest::open_storage(device.clone(), options).unwrap()
}

pub(crate) fn scenario() {
    let device = Arc::new(Device::default());
    let forest = open(&device);
    let fails = thread_rng().gen_range(0..3) == 0;
    if fails {
        device.fail_write_after(thread_rng().gen_range(0..WRITES));
    }
    let mut threads = Vec::new();
    for writer in 0..WRITERS {
        let (forest, device) = (forest.clone(), device.clone());
        threads.push(thread::spawn(move || {
            let mut committed = Vec::new();
            for scope in 0..SCOPES {
                let marker = MARKER | writer << 16 | scope;
                let written = forest.write(|tx| Ok(tx.insert(Line { marker, timestamp: 0 })?));
                if written.is_err() {
                    break;
                }
                committed.push(marker);
                if scope + 1 == SCOPES && forest.sync().is_ok() {
                    assert!(device.is_synced(marker), "a sync returned before it was on disk");
                }
            }
            assert!(fails || committed.len() as u64 == SCOPES, "the device is sound");
            committed
        }));
    }
    for _ in 0..SYNCS {
        let synced = forest.sync();
        assert!(fails || synced.is_ok(), "{synced:?}");
    }
    let committed: Vec<u64> =
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    drop(forest);
    device.repair();
    let snapshot = open(&device).snapshot();
    for marker in committed {
        assert!(snapshot.exists(marker).unwrap(), "{marker:x} was committed, and is not there");
    }
}
