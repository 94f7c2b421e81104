//! Four readers against a writer: every snapshot equals the model at its op, in every index.
//!
//! The writer notes what each op leaves before it commits it; a snapshot's op says which note holds.
//! Readers keep some snapshots over many later writes and checkpoints and compare them again.

#[path = "proof/model/rng.rs"]
mod rng;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use groove::storage::MemoryStorage;
use groove::{Durability, Forest, Groove, Options, Predicate, Text};

use rng::Rng;

/// The seed of `GROOVE_SEED`, or `default`.
fn seed_or(default: u64) -> u64 {
    std::env::var("GROOVE_SEED").map_or(default, |seed| seed.parse().expect("a decimal number"))
}

const READERS: u64 = 4;
const ACCOUNTS: u64 = 60;
const CODES: u64 = 7;
const TRANSFERS_MAX: usize = 500;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Account {
    #[index(primary)]
    id: u64,
    #[index]
    branch: Text<4>,
    #[groove(ignore)]
    balance: i64,
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(index(by_code_from = (code, from)))]
struct Transfer {
    #[index(primary)]
    id: u128,
    #[index]
    from: u64,
    #[index(unique, optional)]
    reference: u64,
    #[index(optional)]
    code: u16,
    #[groove(ignore)]
    amount: i64,
    timestamp: u64,
}

#[derive(Forest)]
struct Bank {
    accounts: Groove<Account>,
    transfers: Groove<Transfer>,
}

/// What an op leaves.
#[derive(Clone, Default)]
struct Expected {
    accounts: u64,
    transfers: u64,
    /// Of all objects, whatever their order.
    digest: u64,
    per_code: [u64; CODES as usize],
    with_reference: u64,
    per_branch: BTreeMap<u64, u64>,
}

/// One word of an object, which no other object has.
fn word(numbers: &[u64]) -> u64 {
    numbers.iter().fold(7, |state, number| Rng::new(state ^ number).next())
}

fn account_word(account: &Account) -> u64 {
    let branch = account.branch.as_bytes().iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    word(&[1, account.id, branch, account.balance as u64, account.timestamp])
}

fn transfer_word(transfer: &Transfer) -> u64 {
    let Transfer { id, from, reference, code, amount, timestamp } = *transfer;
    word(&[2, id as u64, from, reference, u64::from(code), amount as u64, timestamp])
}

fn branch(number: u64) -> Text<4> {
    Text::new(&format!("b{number}")).expect("short enough")
}

/// The writer's objects.
#[derive(Default)]
struct Model {
    accounts: BTreeMap<u64, Account>,
    transfers: BTreeMap<u64, Transfer>,
}

impl Model {
    fn expected(&self) -> Expected {
        let mut expected = Expected {
            accounts: self.accounts.len() as u64,
            transfers: self.transfers.len() as u64,
            ..Expected::default()
        };
        for account in self.accounts.values() {
            expected.digest = expected.digest.wrapping_add(account_word(account));
            let branch = account.branch[1..].parse().expect("a number");
            *expected.per_branch.entry(branch).or_default() += 1;
        }
        for transfer in self.transfers.values() {
            expected.digest = expected.digest.wrapping_add(transfer_word(transfer));
            expected.per_code[usize::from(transfer.code)] += 1;
            expected.with_reference += u64::from(transfer.reference != 0);
        }
        expected
    }
}

/// What all threads share.
struct Shared {
    forest: Forest<Bank>,
    /// By op; noted before the op is committed.
    notes: Mutex<HashMap<u64, Arc<Expected>>>,
    finished: AtomicBool,
    compared: AtomicU64,
    compared_again: AtomicU64,
}

/// One scope: some transfers come, some go, balances follow.
fn write(rng: &mut Rng, shared: &Shared, model: &mut Model, op: u64) {
    let steps = 1 + rng.below(12);
    let committed = shared.forest.write(|tx| {
        for _ in 0..steps {
            match rng.below(10) {
                0..6 if model.transfers.len() < TRANSFERS_MAX => {
                    let number = rng.next() >> 1;
                    let mut transfer = Transfer {
                        id: u128::from(number) << 32,
                        from: rng.below(ACCOUNTS),
                        reference: if rng.chance(40) { number } else { 0 },
                        code: rng.below(CODES) as u16,
                        amount: rng.below(1_000) as i64,
                        timestamp: 0,
                    };
                    transfer.timestamp = tx.transfers.insert(transfer)?;
                    model.transfers.insert(transfer.timestamp, transfer);
                }
                8 => {
                    let id = rng.below(ACCOUNTS);
                    let number = rng.below(5);
                    tx.accounts.modify(id, |account| account.branch = branch(number))?;
                    let account = model.accounts.get_mut(&id).expect("accounts stay");
                    account.branch = branch(number);
                }
                9 => {
                    let amount = rng.below(100) as i64;
                    let id = rng.below(ACCOUNTS);
                    tx.accounts.modify(id, |account| account.balance += amount)?;
                    model.accounts.get_mut(&id).expect("accounts stay").balance += amount;
                }
                choice => {
                    let at = rng.below(model.transfers.len() as u64 + 1) as usize;
                    let Some((timestamp, old)) = model.transfers.iter().nth(at) else { continue };
                    let (timestamp, old) = (*timestamp, *old);
                    if choice == 7 {
                        let new = Transfer { code: rng.below(CODES) as u16, ..old };
                        tx.transfers.update(&old, &new)?;
                        model.transfers.insert(timestamp, new);
                    } else {
                        assert_eq!(tx.transfers.remove(old.id)?, Some(old));
                        model.transfers.remove(&timestamp);
                    }
                }
            }
        }
        // So that no scope is without a change.
        tx.accounts.modify(0, |account| account.balance += 1)?;
        model.accounts.get_mut(&0).expect("accounts stay").balance += 1;
        let note = Arc::new(model.expected());
        shared.notes.lock().expect("no thread panicked").insert(op, note);
        Ok(())
    });
    committed.expect("no conflict");
    assert_eq!(shared.forest.snapshot().accounts.op(), op);
}

fn open(storage: Option<MemoryStorage>, path: &std::path::Path, threads: usize) -> Forest<Bank> {
    let options = Options::default()
        .block_size(4096)
        .table_size(16384)
        .wal_size(64 << 10)
        .growth_factor(2)
        .cache_size(256 << 10)
        .durability(Durability::Buffered)
        .compaction_threads(threads);
    let forest = match storage {
        Some(storage) => Forest::<Bank>::open_storage(Arc::new(storage), options),
        None => Bank::open(path, options),
    };
    forest.expect("the forest opens")
}

/// Compares everything that a snapshot can be asked with the note of its op.
fn compare(rng: &mut Rng, snapshot: &BankSnapshot, notes: &Mutex<HashMap<u64, Arc<Expected>>>) {
    let op = snapshot.accounts.op();
    assert_eq!(snapshot.transfers.op(), op, "all grooves are of one op");
    let noted = notes.lock().expect("no thread panicked").get(&op).cloned();
    let expected = noted.unwrap_or_else(|| panic!("op {op} was never written"));
    assert_eq!(snapshot.accounts.len(), expected.accounts, "op {op}");
    assert_eq!(snapshot.transfers.len(), expected.transfers, "op {op}");
    let mut digest = 0u64;
    for account in snapshot.accounts.query(Predicate::all()) {
        digest = digest.wrapping_add(account_word(&account.expect("readable")));
    }
    let mut sample = None;
    for transfer in snapshot.transfers.query(Predicate::all()) {
        let transfer = transfer.expect("readable");
        digest = digest.wrapping_add(transfer_word(&transfer));
        if sample.is_none() || rng.chance(2) {
            sample = Some(transfer);
        }
    }
    assert_eq!(digest, expected.digest, "objects of op {op}");
    for code in 0..CODES as u16 {
        let of_code = expected.per_code[usize::from(code)];
        if code > 0 {
            let count = snapshot.transfers.count(Transfer::CODE.eq(code)).expect("readable");
            assert_eq!(count, of_code, "code {code} of op {op}");
        }
        let range = (code, 0)..(code + 1, 0);
        let count = snapshot.transfers.count(Transfer::BY_CODE_FROM.range(range));
        assert_eq!(count.expect("readable"), of_code, "compound code {code} of op {op}");
    }
    let count = snapshot.transfers.count(Transfer::REFERENCE.is_some()).expect("readable");
    assert_eq!(count, expected.with_reference, "references of op {op}");
    for (number, of_branch) in &expected.per_branch {
        let found = snapshot.accounts.query(Account::BRANCH.eq(branch(*number))).collect();
        assert_eq!(found.expect("readable").len() as u64, *of_branch, "branch of op {op}");
    }
    let Some(transfer) = sample else { return };
    assert_eq!(snapshot.transfers.get(transfer.id).expect("readable"), Some(transfer));
    if transfer.reference != 0 {
        let found = snapshot.transfers.find(Transfer::REFERENCE, transfer.reference);
        assert_eq!(found.expect("readable"), Some(transfer));
    }
    let from = snapshot.transfers.query(Transfer::FROM.eq(transfer.from)).newest_first();
    assert!(from.collect().expect("readable").contains(&transfer));
}

fn read(seed: u64, shared: &Shared) {
    let mut rng = Rng::new(seed);
    let mut held: Vec<BankSnapshot> = Vec::new();
    while !shared.finished.load(Ordering::Acquire) {
        let snapshot = shared.forest.snapshot();
        compare(&mut rng, &snapshot, &shared.notes);
        shared.compared.fetch_add(1, Ordering::Relaxed);
        if rng.chance(20) {
            held.push(snapshot);
        }
        // A few stay long: two at least over hundreds of ops.
        if held.len() > 6 || !held.is_empty() && rng.chance(10) {
            let at = rng.below(held.len() as u64) as usize;
            compare(&mut rng, &held[at], &shared.notes);
            shared.compared_again.fetch_add(1, Ordering::Relaxed);
            if held.len() > 6 {
                held.swap_remove(2 + at % 5);
            }
        }
    }
    for snapshot in held {
        compare(&mut rng, &snapshot, &shared.notes);
        shared.compared_again.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `ops` ops against four readers.
fn run(test: &str, seed: u64, forest: Forest<Bank>, ops: u64) {
    let seed = seed_or(seed);
    println!("seed {seed}; again by: GROOVE_SEED={seed} cargo test --test readers -- {test}");
    let mut rng = Rng::new(seed);
    let mut model = Model::default();
    let shared = Shared {
        forest,
        notes: Mutex::default(),
        finished: AtomicBool::new(false),
        compared: AtomicU64::new(0),
        compared_again: AtomicU64::new(0),
    };
    shared.notes.lock().expect("new").insert(0, Arc::new(model.expected()));
    let created = shared.forest.write(|tx| {
        for id in 0..ACCOUNTS {
            let mut account = Account { id, branch: branch(id % 5), balance: 0, timestamp: 0 };
            account.timestamp = tx.accounts.insert(account)?;
            model.accounts.insert(id, account);
        }
        shared.notes.lock().expect("new").insert(1, Arc::new(model.expected()));
        Ok(())
    });
    created.expect("no conflict");
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|at| (at, &shared))
            .map(|(at, shared)| scope.spawn(move || read(seed ^ (at + 1) << 32, shared)))
            .collect();
        for op in 2..=ops {
            write(&mut rng, &shared, &mut model, op);
            if rng.chance(1) {
                shared.forest.checkpoint().expect("the device is sound");
            }
            if readers.iter().any(|reader| reader.is_finished()) {
                break; // It panicked.
            }
        }
        shared.finished.store(true, Ordering::Release);
        for reader in readers {
            if let Err(panic) = reader.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let (compared, again) = (shared.compared.into_inner(), shared.compared_again.into_inner());
    let statistics = shared.forest.statistics();
    println!("{ops} ops, {compared} snapshots compared, {again} once more; {statistics:?}");
    assert!(compared >= 100 && again >= 50, "{compared} snapshots, {again} once more");
}

#[test]
fn snapshots_in_four_threads_equal_the_model_at_their_op_in_memory() {
    let test = "snapshots_in_four_threads_equal_the_model_at_their_op_in_memory";
    let forest = open(Some(MemoryStorage::new()), "".as_ref(), 2);
    run(test, 11, forest, 6_000);
}

#[test]
fn snapshots_in_four_threads_equal_the_model_at_their_op_in_a_file() {
    let test = "snapshots_in_four_threads_equal_the_model_at_their_op_in_a_file";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let forest = open(None, &directory.path().join("bank.groove"), 1);
    run(test, 12, forest, 3_000);
}

#[test]
fn snapshots_in_four_threads_equal_the_model_while_the_writer_compacts() {
    let test = "snapshots_in_four_threads_equal_the_model_while_the_writer_compacts";
    run(test, 13, open(Some(MemoryStorage::new()), "".as_ref(), 0), 3_000);
}
