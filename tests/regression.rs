//! Bugs that were found, each frozen: what went wrong, by what mechanism, and what mended it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use groove::storage::{MemoryStorage, ReadSpan, ReadTaker, Storage};
use groove::{CommitError, Durability, Forest, Groove, OpenError, Options, Predicate, WriteError};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(derived(lot: u64 = Item::lot))]
struct Item {
    #[index(primary)]
    id: u64,
    #[index]
    code: u16,
    #[groove(ignore)]
    note: [u8; 200],
    timestamp: u64,
}

/// An item with this code makes the derived index panic.
const POISON: u16 = 666;

impl Item {
    fn lot(&self) -> Option<u64> {
        assert_ne!(self.code, POISON, "the test asked for a panic");
        Some(self.id / 10)
    }
}

fn item(id: u64) -> Item {
    Item { id, code: (id % 7) as u16, note: [0; 200], timestamp: 0 }
}

#[derive(Forest)]
struct Two {
    first: Groove<Item>,
    second: Groove<Item>,
}

/// Memory that can be full, and notes how much is read at once.
struct Device {
    memory: MemoryStorage,
    is_full: AtomicBool,
    largest_batch: AtomicUsize,
}

impl Device {
    fn new(memory: &MemoryStorage) -> Arc<Device> {
        Arc::new(Device {
            memory: memory.clone(),
            is_full: AtomicBool::new(false),
            largest_batch: AtomicUsize::new(0),
        })
    }
}

impl Storage for Device {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, buffer)
    }

    fn read_batch(&self, spans: &[ReadSpan], take: Arc<ReadTaker>) {
        let bytes = spans.iter().map(|span| span.length).sum();
        self.largest_batch.fetch_max(bytes, Ordering::Relaxed);
        self.memory.read_batch(spans, take);
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.memory.write_at(offset, buffer)
    }

    fn sync(&self) -> io::Result<()> {
        self.memory.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.memory.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.memory.allocate(offset, length)
    }
}

fn open(storage: Arc<dyn Storage>) -> Forest<Item> {
    Forest::open_storage(storage, Options::default()).unwrap()
}

/// The seal at the end of a bar ran while the scope that ended the bar was still open, and counted
/// its objects; after a crash they were counted again by the replay. Now a groove keeps the count of
/// what is committed apart.
#[test]
fn objects_of_the_scope_that_ends_a_bar_are_counted_once_after_a_crash() {
    let memory = MemoryStorage::new();
    let options = || Options::default().block_size(4096).table_size(1 << 14).wal_size(1 << 17);
    let forest = Forest::<Item>::open_storage(Arc::new(memory.clone()), options()).unwrap();
    for scope in 0..60 {
        let insert = |items: &mut groove::Scope<'_, Item>| {
            (0..20).try_for_each(|at| items.insert(item(scope * 20 + at)).map(|_| ()))?;
            Ok(())
        };
        forest.write(insert).unwrap();
        let image = MemoryStorage::from_bytes(memory.snapshot_bytes());
        let reopened = Forest::<Item>::open_storage(Arc::new(image), options()).unwrap();
        assert_eq!(reopened.snapshot().len(), (scope + 1) * 20);
    }
    assert!(forest.statistics().checkpoint_op > 0, "bars have ended");
}

/// A derived index's function that panicked inside of `insert` left the object in some trees; a
/// caller that caught the panic could commit that, or leave it to the next scope. Now such a scope
/// is refused and taken back.
#[test]
fn a_panic_in_a_derived_index_cannot_be_committed() {
    let memory = MemoryStorage::new();
    let forest = open(Arc::new(memory.clone()));
    let caught = |items: &mut groove::Scope<'_, Item>| {
        let poison = Item { code: POISON, ..item(5) };
        catch_unwind(AssertUnwindSafe(|| items.insert(poison))).unwrap_err();
        Ok(())
    };
    let refused = forest.write(caught).unwrap_err();
    assert!(matches!(refused, WriteError::Commit(CommitError::Panicked)), "{refused}");
    forest.write(|items| Ok(items.insert(item(6))?)).unwrap();
    let check = |forest: &Forest<Item>| {
        let items = forest.snapshot();
        assert_eq!((items.len(), items.get(5).unwrap()), (1, None));
        assert_eq!(items.get(6).unwrap().unwrap().timestamp, 1);
        assert_eq!(items.count(Item::LOT.eq(0)).unwrap(), 1);
    };
    check(&forest);
    drop(forest);
    check(&open(Arc::new(memory)));
}

/// Log sections and counts go by a groove's place, and code in a scope can swap two grooves of a
/// type: the change was logged for the wrong one. Now the forest notices and takes no more writes.
#[test]
fn grooves_that_were_swapped_are_not_committed() {
    let memory = MemoryStorage::new();
    let two = |memory: &MemoryStorage| -> Forest<Two> {
        Forest::open_storage(Arc::new(memory.clone()), Options::default()).unwrap()
    };
    let forest = two(&memory);
    forest.write(|tx| Ok(tx.first.insert(item(1))?)).unwrap();
    let swap = |tx: &mut groove::Scope<'_, Two>| {
        let grooves = &mut **tx;
        std::mem::swap(&mut grooves.first, &mut grooves.second);
        grooves.first.insert(item(2))?;
        Ok(())
    };
    assert!(matches!(forest.write(swap), Err(WriteError::Commit(CommitError::Panicked))));
    assert!(forest.write(|tx| Ok(tx.first.insert(item(3))?)).is_err());
    assert_eq!((forest.snapshot().first.len(), forest.snapshot().second.len()), (1, 0));
    drop(forest);
    let snapshot = two(&memory).snapshot();
    assert_eq!((snapshot.first.len(), snapshot.second.len()), (1, 0));
}

/// `get_many` and `prefetch` read every block that their keys need on a level at once, whatever the
/// number of keys. Now they read 4 MiB at a time.
#[test]
fn many_keys_are_looked_up_in_a_bounded_amount_of_memory() {
    let device = Device::new(&MemoryStorage::new());
    let forest =
        Forest::<Item>::open_storage(device.clone(), Options::default().cache_size(1 << 20));
    let forest = forest.unwrap();
    let id = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for scope in 0..20 {
        let insert = |items: &mut groove::Scope<'_, Item>| {
            for at in scope * 2500..(scope + 1) * 2500 {
                // Notes that do not pack: few rows to a block.
                let note = std::array::from_fn(|byte| id(at + byte as u64 * 77).to_le_bytes()[7]);
                items.insert(Item { note, ..item(id(at)) })?;
            }
            Ok(())
        };
        forest.write(insert).unwrap();
    }
    forest.checkpoint().unwrap();
    let keys = || (0..50_000).step_by(40).map(id);
    let found = forest.snapshot().get_many(keys()).unwrap();
    assert!(found.iter().zip(keys()).all(|(found, id)| found.unwrap().id == id));
    let prefetch = |items: &mut groove::Scope<'_, Item>| {
        keys().for_each(|id| items.prefetch_enqueue(id));
        items.prefetch().wait()?;
        Ok(())
    };
    forest.write(prefetch).unwrap();
    let largest = device.largest_batch.load(Ordering::Relaxed);
    assert!((1 << 20..=4 << 20).contains(&largest), "{largest} bytes were read at once");
}

/// If the checkpoint that makes doubtful log entries safe found the disk full, `sync` and `close`
/// put it on record all the same that they were synced. Now these make the checkpoint first.
#[test]
fn entries_in_doubt_are_not_declared_synced_on_a_full_disk() {
    let memory = MemoryStorage::new();
    let buffered = || Options::default().durability(Durability::Buffered);
    let forest = Forest::<Item>::open_storage(Device::new(&memory), buffered()).unwrap();
    for id in 0..5 {
        forest.write(|items| Ok(items.insert(item(id))?)).unwrap();
    }
    drop(forest);

    let device = Device::new(&memory);
    device.is_full.store(true, Ordering::Relaxed);
    let forest = Forest::<Item>::open_storage(device, buffered()).unwrap();
    assert_eq!(forest.snapshot().len(), 5);
    assert!(matches!(forest.sync(), Err(CommitError::NoSpace { .. })));
    assert!(matches!(forest.clone().close(), Err(CommitError::NoSpace { .. })));
    assert!(forest.write(|items| Ok(items.insert(item(9))?)).is_err());
    drop(forest);

    let forest = Forest::<Item>::open_storage(Device::new(&memory), buffered()).unwrap();
    assert_eq!(forest.statistics().checkpoint_op, 5, "the doubt is still known");
    assert_eq!(forest.snapshot().len(), 5);
}

/// The documentation said that closing the last handle gives the file free. A snapshot still reads
/// from it, so it stays locked until the snapshot is dropped; now the documentation says so.
#[test]
fn a_snapshot_that_outlives_its_forest_keeps_the_file_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("items.groove");
    let forest = Forest::<Item>::open(&path, Options::default()).unwrap();
    forest.write(|items| Ok(items.insert(item(1))?)).unwrap();
    let snapshot = forest.snapshot();
    forest.close().unwrap();
    let refused = Forest::<Item>::open(&path, Options::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert_eq!(snapshot.len(), 1);
    drop(snapshot);
    assert_eq!(Forest::<Item>::open(&path, Options::default()).unwrap().snapshot().len(), 1);
}

/// A call of the forest from within its own scope waited for the scope to end, for ever. Now it
/// panics and says why; the scope is taken back and the forest goes on.
#[test]
fn a_forest_that_is_called_within_its_own_scope_panics_instead_of_waiting_for_ever() {
    let forest = open(Arc::new(MemoryStorage::new()));
    let calls: [fn(&Forest<Item>); 5] = [
        |forest| drop(forest.write(|items| Ok(items.insert(item(2))?))),
        |forest| drop(forest.sync()),
        |forest| drop(forest.checkpoint()),
        |forest| assert_eq!(forest.statistics().op, 0),
        |forest| drop(forest.clone().close()),
    ];
    for call in calls {
        let scope = AssertUnwindSafe(|| {
            forest.write(|items| {
                items.insert(item(1))?;
                call(&forest);
                Ok(())
            })
        });
        let panic = catch_unwind(scope).unwrap_err();
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap();
        assert!(message.contains("within a scope of its own"), "{message}");
        assert_eq!(forest.snapshot().len(), 0);
    }
    forest.write(|items| Ok(items.insert(item(1))?)).unwrap();
    assert_eq!(forest.statistics().op, 1);
}

/// A panic in a savepoint that was caught within the scope left the savepoint open: its changes
/// stayed, and the commit failed an assertion. Now a savepoint that panics is taken back, and so are
/// scopes that it left open when it returns an error.
#[test]
fn a_savepoint_that_panics_or_fails_halfway_is_taken_back() {
    let forest = open(Arc::new(MemoryStorage::new()));
    let script = |items: &mut groove::Scope<'_, Item>| {
        items.insert(item(1))?;
        let panics = AssertUnwindSafe(|| {
            items.savepoint(|items| -> Result<(), groove::Abort> {
                items.insert(item(2))?;
                panic!("the test asked for it")
            })
        });
        drop(catch_unwind(panics).unwrap_err());
        assert!(!items.exists(2)?);
        let fails = items.savepoint(|items| -> Result<(), groove::Abort> {
            items.insert(item(3))?;
            items.scope_open();
            items.insert(item(4))?;
            Err(groove::Abort::new("no"))
        });
        fails.unwrap_err();
        assert!(!items.exists(3)? && !items.exists(4)?);
        Ok(items.savepoint(|items| items.insert(item(5)))?)
    };
    forest.write(script).unwrap();
    let items = forest.snapshot();
    assert_eq!((items.len(), items.exists(1).unwrap(), items.exists(5).unwrap()), (2, true, true));
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Tick {
    timestamp: u64,
}

/// The bits of a timestamp, mixed.
fn mixed(beat: &Beat) -> Option<u64> {
    Some(beat.timestamp.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(derived(mixed: u64 = mixed))]
struct Beat {
    timestamp: u64,
}

/// Objects in the order of an index were looked up again once their rows had been tested, and rows without a byte
/// were cut out of what came back by their width of 0, which panics. Now they are not looked up again where no test
/// reads rows, and what comes back is cut by positions.
#[test]
fn objects_without_a_row_are_given_in_the_order_of_an_index() {
    let beats =
        Forest::<Beat>::open_storage(Arc::new(MemoryStorage::new()), Options::default()).unwrap();
    beats
        .write(|beats| {
            (0..4_000)
                .try_for_each(|_| beats.insert(Beat { timestamp: 0 }).map(|_| ()))
                .map_err(Into::into)
        })
        .unwrap();
    let beats = beats.snapshot();
    let all = beats.query(Predicate::all()).collect().unwrap();
    let end = all[1_500].timestamp;
    let mut expected: Vec<Beat> = all.into_iter().filter(|beat| beat.timestamp < end).collect();
    expected.sort_by_key(mixed);
    let lowest = beats.query(Beat::TIMESTAMP.lt(end)).order_by(Beat::MIXED).limit(5);
    assert_eq!(&lowest.collect().unwrap()[..], &expected[..5]);
}

/// Values without a payload (entries of an index, objects that are nothing but a timestamp) were cut out of the
/// payloads of a run in memory by a width of 0, which panics: many together, so only if two or more lie next to
/// each other. A file could not be verified, nor such objects be scanned. Now nothing is copied where nothing
/// is.
#[test]
fn what_has_no_payload_is_scanned_in_memory() {
    let ticks =
        Forest::<Tick>::open_storage(Arc::new(MemoryStorage::new()), Options::default()).unwrap();
    ticks
        .write(|ticks| {
            for _ in 0..40 {
                ticks.insert(Tick { timestamp: 0 })?;
            }
            Ok(())
        })
        .unwrap();
    let found = ticks.snapshot().query(Predicate::all()).collect().unwrap();
    assert_eq!(found.len(), 40);

    let items =
        Forest::<Item>::open_storage(Arc::new(MemoryStorage::new()), Options::default()).unwrap();
    items
        .write(|items| {
            for id in 1..=40 {
                items.insert(item(id))?;
            }
            Ok(())
        })
        .unwrap();
    items.snapshot().verify().unwrap();
}
