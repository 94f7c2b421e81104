//! A prefetch loads what was enqueued, and nothing is read afterwards.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use groove::storage::{MemoryStorage, ReadSpan, ReadTaker, Storage};
use groove::{Forest, Groove, InsertError, Lookup, Options};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids)]
struct Order {
    #[index(primary)]
    id: u64,
    #[index(unique, optional)]
    ticket: u64,
    #[groove(ignore)]
    amount: u64,
    timestamp: u64,
}

fn order(id: u64) -> Order {
    Order { id, ticket: id + 1_000_000, amount: id * 3, timestamp: 0 }
}

/// Counts the reads of the memory under it.
struct Counting {
    memory: MemoryStorage,
    reads: Arc<AtomicU64>,
}

impl Storage for Counting {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.memory.read_at(offset, buffer)
    }

    fn read_batch(&self, spans: &[ReadSpan], take: Arc<ReadTaker>) {
        self.reads.fetch_add(spans.len() as u64, Ordering::Relaxed);
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
        self.memory.allocate(offset, length)
    }
}

/// 10,000 orders in tables, reopened with empty caches; the count of reads.
fn cold_forest() -> (Forest<Order>, Arc<AtomicU64>) {
    let options = || Options::default().block_size(4096).table_size(1 << 16).wal_size(1 << 20);
    let memory = MemoryStorage::new();
    let forest = Forest::<Order>::open_storage(Arc::new(memory.clone()), options()).unwrap();
    for batch in 0..10 {
        let ids = batch * 1000..(batch + 1) * 1000;
        let insert = |orders: &mut groove::Scope<'_, Order>| {
            for id in ids {
                orders.insert(order(id * 7 % 10_000))?;
            }
            Ok(())
        };
        forest.write(insert).unwrap();
    }
    forest.write(|orders| Ok(orders.insert_orphaned_id(20_000)?)).unwrap();
    forest.checkpoint().unwrap();
    forest.close().unwrap();
    let reads = Arc::new(AtomicU64::new(0));
    let counting = Counting { memory, reads: reads.clone() };
    (Forest::open_storage(Arc::new(counting), options()).unwrap(), reads)
}

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

fn use_all_keys(orders: &mut Groove<Order>) {
    for id in (0..500).chain(9_500..9_700) {
        assert_eq!(orders.get(id).unwrap().unwrap().amount, id * 3);
        assert!(orders.exists(id).unwrap());
    }
    for id in 15_000..15_100 {
        assert_eq!(orders.lookup(id).unwrap(), Lookup::Absent);
    }
    assert_eq!(orders.lookup(20_000).unwrap(), Lookup::Orphaned);
    assert_eq!(orders.get_by_timestamp(77).unwrap().unwrap().timestamp, 77);
    assert_eq!(orders.find(Order::TICKET, 1_000_123).unwrap().unwrap().id, 123);
    let error = orders.insert(Order { id: 3, ..order(30_000) }).unwrap_err();
    assert!(matches!(error, InsertError::Duplicate { field: "id", .. }), "{error}");
}

fn enqueue_all_keys(orders: &mut Groove<Order>) {
    for id in (0..500).chain(9_500..9_700) {
        orders.prefetch_enqueue(id);
    }
    for id in (15_000..15_100).chain([20_000, 3]) {
        orders.prefetch_exists_enqueue(id);
    }
    orders.prefetch_enqueue_timestamp(77);
    orders.prefetch_enqueue_unique(Order::TICKET, 1_000_123);
}

#[test]
fn nothing_is_read_after_a_prefetch() {
    let (forest, reads) = cold_forest();
    let script = |orders: &mut groove::Scope<'_, Order>| {
        enqueue_all_keys(orders);
        let before = reads.load(Ordering::Relaxed);
        orders.prefetch().wait()?;
        let loaded = reads.load(Ordering::Relaxed);
        assert!(loaded > before, "a cold forest reads");
        use_all_keys(orders);
        assert_eq!(reads.load(Ordering::Relaxed), loaded, "a look-up after the prefetch read");
        Ok(())
    };
    forest.write(script).unwrap();
}

#[test]
fn a_prefetch_can_be_awaited() {
    let (forest, reads) = cold_forest();
    let script = |orders: &mut groove::Scope<'_, Order>| {
        enqueue_all_keys(orders);
        block_on(orders.prefetch())?;
        let loaded = reads.load(Ordering::Relaxed);
        use_all_keys(orders);
        assert_eq!(reads.load(Ordering::Relaxed), loaded, "a look-up after the prefetch read");
        Ok(())
    };
    forest.write(script).unwrap();
}

#[test]
fn changes_of_the_scope_come_before_what_was_prefetched() {
    let (forest, _) = cold_forest();
    let script = |orders: &mut groove::Scope<'_, Order>| {
        orders.remove(4)?;
        orders.modify(5, |order| order.amount = 1)?;
        (4..8).for_each(|id| orders.prefetch_enqueue(id));
        orders.prefetch().wait()?;
        orders.modify(6, |order| order.amount = 2)?;
        orders.remove(7)?;
        assert_eq!(orders.get(4)?, None);
        assert_eq!(orders.get(5)?.map(|order| order.amount), Some(1));
        assert_eq!(orders.get(6)?.map(|order| order.amount), Some(2));
        assert_eq!(orders.get(7)?, None);
        Ok(())
    };
    forest.write(script).unwrap();
    // The next scope begins without the last one's prefetch.
    let script = |orders: &mut groove::Scope<'_, Order>| {
        assert_eq!(orders.get(7)?, None);
        assert_eq!(orders.get(6)?.map(|order| order.amount), Some(2));
        Ok(())
    };
    forest.write(script).unwrap();
}
