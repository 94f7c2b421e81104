//! The ledger workload: how fast groove loads, finds, updates and reopens a ledger of transfers.
//!
//! ```text
//! cargo run --release --example ledger -- --records 1000000 --ids ordered --dir target/ledger
//! ```
//!
//! prints one JSON line per phase: w1 (load in durable batches), r1 (get by id), r2 (look for ids that
//! are not there), r3 (the newest 100 of an account), r4 (account and code), w2 (update), o1 (reopen
//! to the first get). `--phases w1,r1,kill` ends with SIGKILL; `--phases o1,r1` in the next process
//! then measures recovery. `--phases w1,r1-cold,r1-cold-batched` reads a file of which nothing is in
//! memory, record by record and a prefetch for each batch.

mod measure;
mod workload;

use std::path::{Path, PathBuf};

use groove::{Abort, Forest, Options, Snapshot};

use measure::{Digest, Latencies, Meter, Report};
use workload::{Ids, Transfer};

/// Records of one scope.
const BATCH: u64 = 8190;
/// All caches together.
const CACHE_SIZE: u64 = 1 << 30;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the command line asks for.
struct Arguments {
    records: u64,
    ids: Ids,
    dir: PathBuf,
    phases: Vec<String>,
    wal_size: Option<u64>,
    compaction_threads: Option<usize>,
}

impl Arguments {
    fn parse() -> Result<Arguments> {
        let mut parsed = Arguments {
            records: 1_000_000,
            ids: Ids::Ordered,
            dir: "target/ledger".into(),
            phases: ["w1", "r1", "r2", "r3", "r4", "w2", "o1"].map(String::from).into(),
            wal_size: None,
            compaction_threads: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--records" => parsed.records = value()?.replace('_', "").parse()?,
                "--ids" => parsed.ids = value()?.parse()?,
                "--dir" => parsed.dir = value()?.into(),
                "--phases" => parsed.phases = value()?.split(',').map(String::from).collect(),
                "--wal-size" => parsed.wal_size = Some(value()?.parse()?),
                "--compaction-threads" => parsed.compaction_threads = Some(value()?.parse()?),
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        if parsed.records == 0 {
            return Err("--records is at least 1".into());
        }
        Ok(parsed)
    }

    fn options(&self) -> Options {
        let mut options = Options::default().cache_size(CACHE_SIZE);
        if let Some(bytes) = self.wal_size {
            options = options.wal_size(bytes);
        }
        if let Some(threads) = self.compaction_threads {
            options = options.compaction_threads(threads);
        }
        options
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    std::fs::create_dir_all(&arguments.dir)?;
    let path = arguments.dir.join("ledger.groove");
    let first = arguments.phases.first().map(String::as_str);
    if first == Some("w1") && path.exists() {
        std::fs::remove_file(&path)?;
    }
    let report = Report {
        engine: "groove",
        version: env!("CARGO_PKG_VERSION"),
        records: arguments.records,
        ids: arguments.ids,
        path: path.clone(),
    };
    let mut open: Option<Forest<Transfer>> = None;
    for phase in &arguments.phases {
        if phase == "o1" {
            // Whatever was open is closed as it stands: the time is that of a reopen.
            drop(open.take());
            let meter = Meter::start();
            let ledger = Forest::<Transfer>::open(&path, arguments.options())?;
            let wanted = workload::record(0, arguments.ids);
            let found = ledger.snapshot().get(wanted.id)?.ok_or("the first record is lost")?;
            assert_eq!(found.amount, wanted.amount);
            report.print(phase, 1, &meter, None, 0)?;
            open = Some(ledger);
            continue;
        }
        if phase.starts_with("r1-cold") {
            if let Some(ledger) = open.take() {
                ledger.checkpoint()?;
                ledger.close()?;
            }
            forget(&path)?;
        }
        let ledger = match open.take() {
            Some(ledger) => ledger,
            None => Forest::open(&path, arguments.options())?,
        };
        run_phase(phase, &arguments, &report, &ledger)?;
        open = Some(ledger);
    }
    Ok(())
}

fn run_phase(
    phase: &str,
    arguments: &Arguments,
    report: &Report<'_>,
    ledger: &Forest<Transfer>,
) -> Result<()> {
    let (records, ids) = (arguments.records, arguments.ids);
    let meter = Meter::start();
    match phase {
        "w1" => {
            let latencies = load(ledger, records, ids)?;
            report.print(phase, records, &meter, Some(&latencies), 0)
        }
        "r1" => {
            let digest = get(&ledger.snapshot(), records, ids)?;
            report.print(phase, GETS, &meter, None, digest)
        }
        "r1-cold" => {
            let digest = get_cold(ledger, records, ids, false)?;
            report.print(phase, COLD_GETS, &meter, None, digest)
        }
        "r1-cold-batched" => {
            let digest = get_cold(ledger, records, ids, true)?;
            report.print(phase, COLD_GETS, &meter, None, digest)
        }
        "r2" => {
            miss(&ledger.snapshot(), records, ids)?;
            report.print(phase, GETS, &meter, None, 0)
        }
        "r3" => {
            let digest = latest(&ledger.snapshot())?;
            report.print(phase, LATEST_QUERIES, &meter, None, digest)
        }
        "r4" => {
            let digest = account_and_code(&ledger.snapshot())?;
            report.print(phase, AND_QUERIES, &meter, None, digest)
        }
        "w2" => {
            let latencies = update(ledger, records, ids)?;
            report.print(phase, UPDATES, &meter, Some(&latencies), 0)
        }
        "kill" => {
            let pid = std::process::id().to_string();
            std::process::Command::new("kill").args(["-9", &pid]).status()?;
            unreachable!("the process was killed")
        }
        _ => Err(format!("unknown phase {phase}").into()),
    }
}

const GETS: u64 = 1_000_000;
const COLD_GETS: u64 = 4 * BATCH;
const LATEST_QUERIES: u64 = 20_000;
const AND_QUERIES: u64 = 2_000;
const UPDATES: u64 = 500_000;

/// W1: all records in order, each batch one durable scope; duplicate ids are refused.
fn load(ledger: &Forest<Transfer>, records: u64, ids: Ids) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut next = 0;
    while next < records {
        let end = (next + BATCH).min(records);
        latencies.time(|| {
            ledger.write(|transfers| {
                for i in next..end {
                    transfers.insert(workload::record(i, ids))?;
                }
                Ok(())
            })
        })?;
        next = end;
    }
    Ok(latencies)
}

/// R1: gets by id.
fn get(transfers: &Snapshot<Transfer>, records: u64, ids: Ids) -> Result<u64> {
    let mut digest = Digest::default();
    for j in 0..GETS {
        let wanted = workload::record(workload::mix(j) % records, ids);
        let found = transfers.get(wanted.id)?.ok_or("a record is lost")?;
        assert_eq!(found.amount, wanted.amount, "the wrong record was found");
        digest.add(&found);
    }
    Ok(digest.value())
}

/// Has the system forget what it has of a file that is on disk: the pages, not the bytes.
fn forget(path: &Path) -> Result<()> {
    let file = format!("of={}", path.display());
    let arguments = ["if=/dev/null", &file, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"];
    let output = std::process::Command::new("dd").args(arguments).output()?;
    if output.status.success() { Ok(()) } else { Err("dd cannot drop the cache of a file".into()) }
}

/// R1 in batches, in a scope as a state machine has it: get by get, or with a prefetch for each batch.
fn get_cold(ledger: &Forest<Transfer>, records: u64, ids: Ids, is_prefetched: bool) -> Result<u64> {
    let mut digest = Digest::default();
    for batch in 0..COLD_GETS / BATCH {
        let batch = batch * BATCH..(batch + 1) * BATCH;
        let wanted: Vec<Transfer> =
            batch.map(|j| workload::record(workload::mix(j) % records, ids)).collect();
        ledger.write(|transfers| {
            if is_prefetched {
                wanted.iter().for_each(|record| transfers.prefetch_enqueue(record.id));
                transfers.prefetch().wait()?;
            }
            for record in &wanted {
                let found = transfers.get(record.id)?.ok_or(Abort::new("a record is lost"))?;
                assert_eq!(found.amount, record.amount, "the wrong record was found");
                digest.add(&found);
            }
            Ok(())
        })?;
    }
    Ok(digest.value())
}

/// R2: look-ups of ids that are not there.
fn miss(transfers: &Snapshot<Transfer>, records: u64, ids: Ids) -> Result<()> {
    for j in 0..GETS {
        let i = records + 1 + workload::mix(j) % records;
        assert!(
            transfers.get(workload::id(i, ids))?.is_none(),
            "an id was found that is not there"
        );
    }
    Ok(())
}

/// R3: the newest 100 transfers of an account.
fn latest(transfers: &Snapshot<Transfer>) -> Result<u64> {
    let mut digest = Digest::default();
    for j in 0..LATEST_QUERIES {
        let account = 1 + u128::from(workload::mix(j) % 10_000);
        let page = transfers
            .query(Transfer::DEBIT_ACCOUNT_ID.eq(account))
            .newest_first()
            .limit(100)
            .collect()?;
        assert!(page.is_sorted_by(|a, b| a.timestamp > b.timestamp), "newest first");
        for transfer in &page {
            assert_eq!(transfer.debit_account_id, account, "another account's transfer");
            digest.add(transfer);
        }
    }
    Ok(digest.value())
}

/// R4: all transfers of an account with a code, newest first.
fn account_and_code(transfers: &Snapshot<Transfer>) -> Result<u64> {
    let mut digest = Digest::default();
    for j in 0..AND_QUERIES {
        let account = 1 + u128::from(workload::mix(j) % 10_000);
        let code = 1 + (workload::mix(j + 1) % 100) as u16;
        let found = transfers
            .query(Transfer::DEBIT_ACCOUNT_ID.eq(account) & Transfer::CODE.eq(code))
            .newest_first()
            .collect()?;
        for transfer in &found {
            assert_eq!((transfer.debit_account_id, transfer.code), (account, code));
            digest.add(transfer);
        }
        // On a sample, against all of the account's transfers.
        if j % 100 == 0 {
            let all = transfers.query(Transfer::DEBIT_ACCOUNT_ID.eq(account)).collect()?;
            let count = all.iter().filter(|transfer| transfer.code == code).count();
            assert_eq!(found.len(), count, "the intersection lost records");
        }
    }
    Ok(digest.value())
}

/// W2: read, modify, write; each batch one durable scope.
fn update(ledger: &Forest<Transfer>, records: u64, ids: Ids) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut next = 0;
    while next < UPDATES {
        let end = (next + BATCH).min(UPDATES);
        latencies.time(|| {
            ledger.write(|transfers| {
                let id = |j| workload::id(workload::mix(j) % records, ids);
                (next..end).for_each(|j| transfers.prefetch_enqueue(id(j)));
                transfers.prefetch().wait()?;
                for j in next..end {
                    transfers.modify(id(j), |transfer| {
                        transfer.code = 1 + (workload::mix(j + 2) % 100) as u16;
                        transfer.user_data_64 = 1 + workload::mix(j + 3) % 1_000_000;
                    })?;
                }
                Ok(())
            })
        })?;
        next = end;
    }
    Ok(latencies)
}
