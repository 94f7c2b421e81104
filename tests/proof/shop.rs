//! A small forest with every kind of tree, its model, and a reader of everything: what goals damage.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use groove::storage::Storage;
use groove::{
    CommitError, Forest, Groove, Lookup, Options, Predicate, QueryError, ReadError, WriteError,
};
use groove_core::proof::SimulatedStorage;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, index(by_customer_discount = (customer, discount)))]
pub(crate) struct Sale {
    #[index(primary)]
    pub(crate) id: u64,
    #[index(unique, optional)]
    receipt: u128,
    #[index]
    pub(crate) customer: u16,
    #[groove(ignore)]
    discount: u32,
    #[groove(ignore)]
    is_paid: bool,
    #[groove(ignore)]
    note: [u8; 40],
    pub(crate) timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Visit {
    #[groove(ignore)]
    customer: u16,
    timestamp: u64,
}

#[derive(Forest)]
pub(crate) struct Shop {
    pub(crate) sales: Groove<Sale>,
    pub(crate) visits: Groove<Visit>,
}

const CUSTOMERS: u16 = 7;
/// Customers change by updates beyond those of new sales.
const CUSTOMERS_MAX: u16 = CUSTOMERS + 1;
const DISCOUNTS: u32 = 5;
/// Orphaned ids are this and a number of a scope.
const ORPHANS: u64 = 1_000_000;

/// Blocks of a sector, tables of one block and a log of 32 KiB: a few hundred objects fill levels.
pub(crate) fn options() -> Options {
    // The default asks the system how many cores there are.
    static DEFAULT: OnceLock<Options> = OnceLock::new();
    let options = DEFAULT.get_or_init(Options::default).clone();
    options
        .block_size(4096)
        .table_size(4096)
        .wal_size(32 << 10)
        .growth_factor(2)
        .compaction_threads(0)
        .cache_size(1 << 20)
        .file_id(*b"a file of tests.")
}

pub(crate) fn open(storage: &SimulatedStorage) -> Forest<Shop> {
    Forest::open_storage(Arc::new(storage.clone()), options()).expect("the file is sound")
}

/// Ids all over the range, so that the tables of a level overlap those of the next.
fn id(number: u64) -> u64 {
    number * 7919 % 10_007
}

fn sale(id: u64) -> Sale {
    Sale {
        id,
        receipt: if id.is_multiple_of(3) { 0 } else { u128::from(id) << 70 },
        customer: (id % u64::from(CUSTOMERS)) as u16,
        discount: (id % u64::from(DISCOUNTS)) as u32,
        is_paid: id.is_multiple_of(2),
        note: [id as u8; 40],
        timestamp: 0,
    }
}

/// What the file must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) sales: BTreeMap<u64, Sale>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) orphans: Vec<u64>,
}

/// Commits scope number `scope` of the history: inserts, and from the third on an update, a removal
/// and an orphaned id.
pub(crate) fn commit(
    forest: &Forest<Shop>,
    scope: u64,
    model: &mut Model,
) -> Result<(), WriteError> {
    let mut next = model.clone();
    forest.write(|shop| {
        for number in scope * 10..scope * 10 + 10 {
            let sale = sale(id(number));
            let timestamp = shop.sales.insert(sale)?;
            next.sales.insert(sale.id, Sale { timestamp, ..sale });
        }
        let visit = Visit { customer: scope as u16 % CUSTOMERS_MAX, timestamp: 0 };
        let timestamp = shop.visits.insert(visit)?;
        next.visits.push(Visit { timestamp, ..visit });
        if scope > 2 {
            let (removed, changed) = (id(scope * 10 - 17), id(scope * 10 - 16));
            shop.sales.remove(removed)?;
            next.sales.remove(&removed);
            let change = |sale: &mut Sale| {
                sale.customer += 1;
                sale.discount = 0;
            };
            if next.sales.get_mut(&changed).map(change).is_some() {
                shop.sales.modify(changed, change)?;
            }
            shop.sales.insert_orphaned_id(ORPHANS + scope)?;
            next.orphans.push(ORPHANS + scope);
        }
        Ok(())
    })?;
    *model = next;
    Ok(())
}

/// A file with `scopes` scopes, open.
pub(crate) fn filled(scopes: u64) -> (SimulatedStorage, Forest<Shop>, Model) {
    let storage = SimulatedStorage::new(0);
    let forest = open(&storage);
    let mut model = Model::default();
    for scope in 0..scopes {
        commit(&forest, scope, &mut model).expect("memory is not full");
    }
    (storage, forest, model)
}

/// What came out of reading a forest back.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    /// Answers that are not the model's.
    pub(crate) wrong: Vec<String>,
    /// Reads that failed.
    pub(crate) errors: Vec<ReadError>,
}

fn read_error(error: QueryError) -> ReadError {
    match error {
        QueryError::Read(error) => error,
        other => panic!("{other}"),
    }
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
}

/// Everything that reads must give.
pub(crate) struct Expected {
    model: Model,
    all: Vec<Sale>,
    newest: Vec<Sale>,
    of_customer: Vec<Vec<Sale>>,
    unusual: Vec<Sale>,
    with_receipt: Vec<Sale>,
    /// All ids, those that were removed or orphaned too, and one that never was.
    ids: Vec<u64>,
    by_id: Vec<Option<Sale>>,
}

impl Expected {
    pub(crate) fn new(model: &Model) -> Expected {
        let mut all: Vec<Sale> = model.sales.values().copied().collect();
        all.sort_by_key(|sale| sale.timestamp);
        let only = |wanted: &dyn Fn(&Sale) -> bool| -> Vec<Sale> {
            all.iter().filter(|sale| wanted(sale)).copied().collect()
        };
        let absent = (0..20).map(id).filter(|id| !model.sales.contains_key(id));
        let absent = absent.chain(model.orphans.iter().copied()).chain([10_007]);
        let ids: Vec<u64> = model.sales.keys().copied().chain(absent).collect();
        Expected {
            newest: all.iter().rev().take(30).copied().collect(),
            of_customer: (0..CUSTOMERS_MAX).map(|at| only(&|sale| sale.customer == at)).collect(),
            unusual: only(&|sale| sale.customer < 3 && (sale.customer, sale.discount) != (1, 2)),
            with_receipt: only(&|sale| sale.receipt != 0),
            by_id: ids.iter().map(|id| model.sales.get(id).copied()).collect(),
            ids,
            all,
            model: model.clone(),
        }
    }

    /// Reads every tree once, and compares: a part of [`read_back`](Expected::read_back).
    pub(crate) fn read_trees(&self, shop: &ShopSnapshot) -> ReadBack {
        let mut result = ReadBack::default();
        let timestamps = |wanted: Predicate<Sale>| -> Result<Vec<u64>, ReadError> {
            let query = shop.sales.query(wanted);
            query.iter_timestamps().collect::<Result<_, _>>().map_err(read_error)
        };
        let of = |sales: &[Sale]| -> Vec<u64> { sales.iter().map(|sale| sale.timestamp).collect() };
        let all = shop.sales.query(Predicate::all()).iter().collect::<Result<_, _>>();
        result.compare("all", all.map_err(read_error), &self.all);
        result.compare("by id", shop.sales.get_many(self.ids.iter().copied()), &self.by_id);
        for (customer, expected) in (0..).zip(&self.of_customer) {
            let found = timestamps(Sale::CUSTOMER.eq(customer));
            result.compare("of customer", found, &of(expected));
            let found = timestamps(Sale::BY_CUSTOMER_DISCOUNT.prefix((customer,)));
            result.compare("of customer and any discount", found, &of(expected));
        }
        let found = timestamps(Sale::RECEIPT.gt(0));
        result.compare("with receipt", found, &of(&self.with_receipt));
        for sale in self.with_receipt.iter().step_by(7) {
            result.compare("find", shop.sales.find(Sale::RECEIPT, sale.receipt), &Some(*sale));
        }
        let visits = shop.visits.query(Predicate::all()).iter().collect::<Result<_, _>>();
        result.compare("visits", visits.map_err(read_error), &self.model.visits);
        result
    }

    /// Reads everything through every tree, and compares.
    pub(crate) fn read_back(&self, shop: &ShopSnapshot) -> ReadBack {
        let mut result = ReadBack::default();
        let sales = |wanted: Predicate<Sale>| -> Result<Vec<Sale>, ReadError> {
            shop.sales.query(wanted).iter().collect::<Result<_, _>>().map_err(read_error)
        };
        result.compare("length", Ok(shop.sales.len()), &(self.all.len() as u64));
        result.compare("all", sales(Predicate::all()), &self.all);
        let newest = shop.sales.query(Predicate::all()).newest_first().limit(30).collect();
        let newest = newest.map(groove::Page::into_vec).map_err(read_error);
        result.compare("newest", newest, &self.newest);
        result.compare("by id", shop.sales.get_many(self.ids.iter().copied()), &self.by_id);
        result.compare("with receipt", sales(Sale::RECEIPT.gt(0)), &self.with_receipt);
        let unusual = sales(Sale::CUSTOMER.lt(3) & !Sale::BY_CUSTOMER_DISCOUNT.eq((1, 2)));
        result.compare("unusual", unusual, &self.unusual);
        for (customer, expected) in (0..).zip(&self.of_customer) {
            let count = shop.sales.count(Sale::CUSTOMER.eq(customer)).map_err(read_error);
            result.compare("count of customer", count, &(expected.len() as u64));
            result.compare("of customer", sales(Sale::CUSTOMER.eq(customer)), expected);
            let expected = expected.iter().filter(|sale| sale.discount == 1).count() as u64;
            let both = Sale::BY_CUSTOMER_DISCOUNT.eq((customer, 1));
            let count = shop.sales.count(both).map_err(read_error);
            result.compare("count of customer and discount", count, &expected);
        }
        for (id, expected) in self.ids.iter().zip(&self.by_id).step_by(7) {
            result.compare("get", shop.sales.get(*id), expected);
            result.compare("exists", shop.sales.exists(*id), &expected.is_some());
        }
        for sale in self.with_receipt.iter().step_by(7) {
            result.compare("find", shop.sales.find(Sale::RECEIPT, sale.receipt), &Some(*sale));
        }
        for sale in self.all.iter().step_by(7) {
            let found = shop.sales.get_by_timestamp(sale.timestamp);
            result.compare("by timestamp", found, &Some(*sale));
        }
        for id in &self.model.orphans {
            result.compare("orphan", shop.sales.lookup(*id), &Lookup::Orphaned);
        }
        let visits = |wanted: Predicate<Visit>| -> Result<Vec<Visit>, ReadError> {
            shop.visits.query(wanted).iter().collect::<Result<_, _>>().map_err(read_error)
        };
        result.compare("visits", visits(Predicate::all()), &self.model.visits);
        result
    }

    /// Reads in a scope, ahead and then one by one, and compares.
    pub(crate) fn read_in_scope(&self, forest: &Forest<Shop>) -> ReadBack {
        let mut result = ReadBack::default();
        let scope = forest.try_write(|shop| -> Result<(), CommitError> {
            self.ids.iter().for_each(|id| shop.sales.prefetch_enqueue(*id));
            if let Err(error) = shop.sales.prefetch().wait() {
                result.errors.push(error);
            }
            for (id, expected) in self.ids.iter().zip(&self.by_id) {
                result.compare("get in a scope", shop.sales.get(*id), expected);
            }
            let count = shop.sales.count(Sale::CUSTOMER.eq(1)).map_err(read_error);
            result.compare("count in a scope", count, &(self.of_customer[1].len() as u64));
            Ok(())
        });
        match scope {
            Ok(()) => {}
            // A compaction met a damaged block: the handle takes no more writes.
            Err(CommitError::Read(error)) => result.errors.push(error),
            Err(other) => panic!("a scope that only read is committed: {other}"),
        }
        result
    }
}

/// A device that counts how often it is read, and stops a reader that does not end.
pub(crate) struct Counted {
    device: SimulatedStorage,
    reads: std::sync::atomic::AtomicU64,
}

/// Reads of one case at the most: everything is read back in some thousands.
const READS_MAX: u64 = 200_000;

impl Counted {
    pub(crate) fn new(device: &SimulatedStorage) -> Arc<Counted> {
        Arc::new(Counted { device: device.clone(), reads: Default::default() })
    }
}

impl Storage for Counted {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let reads = self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(reads < READS_MAX, "reading does not end");
        self.device.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> std::io::Result<()> {
        self.device.write_at(offset, buffer)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.device.sync()
    }

    fn length(&self) -> std::io::Result<u64> {
        self.device.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> std::io::Result<()> {
        self.device.allocate(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.device.release(offset, length);
    }
}
