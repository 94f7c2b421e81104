//! Writers that wait for no sync, beside a thread that syncs now and then: their log entries share sectors until a
//! sync begins. When all is over and the handle is gone, the log has every scope.

use std::sync::Arc;

use groove::{Durability, Forest, Groove, Options};
use shuttle::thread;

use crate::device::{Device, MARKER};

const WRITERS: u64 = 2;
const SCOPES: u64 = 4;
const SYNCS: usize = 3;

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
    let mut threads = Vec::new();
    for writer in 0..WRITERS {
        let (forest, device) = (forest.clone(), device.clone());
        threads.push(thread::spawn(move || {
            for scope in 0..SCOPES {
                let marker = MARKER | writer << 16 | scope;
                forest.write(|tx| Ok(tx.insert(Line { marker, timestamp: 0 })?)).unwrap();
                if scope + 1 == SCOPES {
                    forest.sync().unwrap();
                    assert!(device.is_synced(marker), "a sync returned before it was on disk");
                }
            }
        }));
    }
    for _ in 0..SYNCS {
        forest.sync().unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(forest);
    assert_eq!(open(&device).snapshot().op(), WRITERS * SCOPES, "scopes that the log has");
}
