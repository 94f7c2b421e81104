//! The object type of these tests, and a model to compare a forest with.

use std::collections::BTreeMap;
use std::sync::Arc;

use groove::storage::Storage;
use groove::{
    Corruption, Forest, Groove, OpenError, Options, Predicate, QueryError, ReadError, Snapshot,
};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids)]
pub(crate) struct Order {
    #[index(primary)]
    pub(crate) id: u64,
    #[index(unique, optional)]
    pub(crate) ticket: u32,
    #[index]
    pub(crate) customer: u16,
    #[groove(ignore)]
    pub(crate) amount: u64,
    pub(crate) timestamp: u64,
}

/// Order number `id`: every third has no ticket.
pub(crate) fn order(id: u64) -> Order {
    let ticket = if id.is_multiple_of(3) { 0 } else { 1000 + id as u32 };
    Order { id, ticket, customer: (id % CUSTOMERS) as u16, amount: id * 10, timestamp: 0 }
}

const CUSTOMERS: u64 = 3;

/// A small file: blocks of a sector, a log of 64 KiB, the same bytes on each run.
pub(crate) fn small() -> Options {
    Options::default()
        .block_size(4096)
        .table_size(32 << 10)
        .wal_size(64 << 10)
        .compaction_threads(0)
        .cache_size(1 << 20)
        .file_id(*b"a file of tests.")
}

pub(crate) fn open(storage: impl Storage, options: Options) -> Result<Forest<Order>, OpenError> {
    Forest::open_storage(Arc::new(storage), options)
}

/// The objects that a forest must have, by id.
pub(crate) type Model = BTreeMap<u64, Order>;

/// What came out of reading a forest back.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    /// Answers that are not the model's.
    pub(crate) wrong: Vec<String>,
    /// Reads that failed.
    pub(crate) errors: Vec<ReadError>,
}

impl ReadBack {
    fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        found: Result<T, ReadError>,
        expected: &T,
    ) {
        match found {
            Ok(found) if found == *expected => {}
            Ok(found) => self.wrong.push(format!("{what}: {found:?}, not {expected:?}")),
            Err(error) => self.errors.push(error),
        }
    }

    pub(crate) fn corruptions(&self) -> impl Iterator<Item = &Corruption> {
        self.errors.iter().map(|error| match error {
            ReadError::Corrupt(corruption) => corruption,
            other => panic!("no read failed on the device: {other}"),
        })
    }
}

fn read_error(error: QueryError) -> ReadError {
    match error {
        QueryError::Read(error) => error,
        other => panic!("{other}"),
    }
}

fn objects(
    snapshot: &Snapshot<Order>,
    matching: Predicate<Order>,
) -> Result<Vec<Order>, ReadError> {
    let objects: Result<Vec<Order>, QueryError> = snapshot.query(matching).iter().collect();
    objects.map_err(read_error)
}

/// What each read must give.
pub(crate) struct Expected {
    all: Vec<Order>,
    with_ticket: Vec<Order>,
    of_customer: Vec<Vec<Order>>,
    /// All ids, and some between them and behind.
    ids: Vec<u64>,
    by_id: Vec<Option<Order>>,
}

impl Expected {
    pub(crate) fn new(model: &Model) -> Expected {
        let mut all: Vec<Order> = model.values().copied().collect();
        all.sort_by_key(|order| order.timestamp);
        let only = |wanted: &dyn Fn(&Order) -> bool| {
            all.iter().filter(|order| wanted(order)).copied().collect::<Vec<Order>>()
        };
        let absent = [1, 1_000_000].into_iter().filter(|id| !model.contains_key(id));
        let ids: Vec<u64> = model.keys().copied().chain(absent).collect();
        Expected {
            with_ticket: only(&|order| order.ticket != 0),
            of_customer: (0..CUSTOMERS as u16)
                .map(|at| only(&|order| order.customer == at))
                .collect(),
            by_id: ids.iter().map(|id| model.get(id).copied()).collect(),
            ids,
            all,
        }
    }

    /// Reads all objects through the object tree and through each index, and compares.
    pub(crate) fn read_back(&self, snapshot: &Snapshot<Order>) -> ReadBack {
        let mut result = ReadBack::default();
        result.compare("length", Ok(snapshot.len()), &(self.all.len() as u64));
        result.compare("all", objects(snapshot, Predicate::all()), &self.all);
        result.compare("by id", snapshot.get_many(self.ids.iter().copied()), &self.by_id);
        result.compare("with ticket", objects(snapshot, Order::TICKET.gt(0)), &self.with_ticket);
        for (id, order) in self.ids.iter().zip(&self.by_id).step_by(29) {
            result.compare("get", snapshot.get(*id), order);
            result.compare("exists", snapshot.exists(*id), &order.is_some());
        }
        for order in self.with_ticket.iter().step_by(29) {
            result.compare("find", snapshot.find(Order::TICKET, order.ticket), &Some(*order));
        }
        for (customer, orders) in (0..).zip(&self.of_customer) {
            let count = snapshot.count(Order::CUSTOMER.eq(customer)).map_err(read_error);
            result.compare("count of customer", count, &(orders.len() as u64));
            let found = objects(snapshot, Order::CUSTOMER.eq(customer));
            result.compare("of customer", found, orders);
        }
        result
    }
}

/// The forest has exactly these objects, in all trees.
#[track_caller]
pub(crate) fn assert_holds(snapshot: &Snapshot<Order>, model: &Model) {
    let result = Expected::new(model).read_back(snapshot);
    assert!(result.wrong.is_empty() && result.errors.is_empty(), "{result:?}");
}

/// Inserts orders with these ids in one scope.
pub(crate) fn insert(
    forest: &Forest<Order>,
    ids: impl IntoIterator<Item = u64>,
    model: &mut Model,
) {
    let inserted = forest.write(|orders| {
        let mut inserted = Vec::new();
        for id in ids {
            let timestamp = orders.insert(order(id))?;
            inserted.push(Order { timestamp, ..order(id) });
        }
        Ok(inserted)
    });
    model.extend(inserted.unwrap().into_iter().map(|order| (order.id, order)));
}
