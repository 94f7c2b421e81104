//! The phases of the workload on one engine, a line of JSON for each.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::{Change, Engine};
use crate::measure::{Digest, Latencies, Meter, Report};
use crate::workload::{self, Ids, Transfer};
use crate::{Arguments, Result};

/// Records of one batch.
pub(crate) const BATCH: u64 = 8190;
const GETS: u64 = 1_000_000;
const LATEST_QUERIES: u64 = 20_000;
const AND_QUERIES: u64 = 2_000;
const UPDATES: u64 = 500_000;
/// Transactions of one record, of one thread.
const COMMITS: u64 = 1_000;
const COMMIT_THREADS: u64 = 16;

/// The first phases of a process, which ends by SIGKILL.
pub(crate) const FIRST: &str = "w1,r1,r2,r3,r4,mixed,c1,c16,w2,kill";
/// The phases of the process after it.
pub(crate) const SECOND: &str = "o1,r1,r3,r4";

/// Runs the phases of the command line.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let engine = arguments.engines[0];
    let (records, ids) = (arguments.records, arguments.ids);
    let directory = &arguments.dir;
    let version = engine.version();
    let report = Report {
        engine: engine.as_str(),
        version: &version,
        records,
        ids,
        path: directory.clone(),
    };
    let mut open: Option<Box<dyn Engine>> = None;
    for phase in &arguments.phases {
        if phase == "o1" {
            drop(open.take());
            let meter = Meter::start();
            let store = engine.open(directory)?;
            get_first(&*store, ids)?;
            report.print(phase, 1, &meter, None, 0)?;
            open = Some(store);
            continue;
        }
        let store = match open.take() {
            Some(store) => store,
            None => engine.open(directory)?,
        };
        phase_of(phase, arguments, &report, &*store)?;
        open = Some(store);
    }
    Ok(())
}

fn phase_of(
    phase: &str,
    arguments: &Arguments,
    report: &Report<'_>,
    store: &dyn Engine,
) -> Result<()> {
    let (records, ids) = (arguments.records, arguments.ids);
    let mut digest = 0;
    let meter = Meter::start();
    let (ops, latencies) = match phase {
        "w1" => {
            let latencies = load(store, records, ids)?;
            let seconds: Vec<f64> = latencies.0.iter().map(Duration::as_secs_f64).collect();
            std::fs::write(batches_path(&arguments.dir), serde_json::to_string(&seconds)?)?;
            (records, Some(latencies))
        }
        "r1" => {
            store.read(&mut |reader| {
                let mut answer = Digest::default();
                for j in 0..GETS {
                    let wanted = workload::record(workload::mix(j) % records, ids);
                    let found = reader.get(wanted.id)?.ok_or("a record is lost")?;
                    if found.amount != wanted.amount {
                        return Err("the wrong record was found".into());
                    }
                    answer.add(&found);
                }
                digest = answer.value();
                Ok(())
            })?;
            (GETS, None)
        }
        "r2" => {
            store.read(&mut |reader| {
                for j in 0..GETS {
                    let i = records + 1 + workload::mix(j) % records;
                    if reader.get(workload::id(i, ids))?.is_some() {
                        return Err("an id was found that is not there".into());
                    }
                }
                Ok(())
            })?;
            (GETS, None)
        }
        "r3" => {
            store.read(&mut |reader| {
                digest = latest(reader)?;
                Ok(())
            })?;
            (LATEST_QUERIES, None)
        }
        "r4" => {
            store.read(&mut |reader| {
                digest = account_and_code(reader)?;
                Ok(())
            })?;
            (AND_QUERIES, None)
        }
        "w2" => (UPDATES, Some(update(store, records, ids)?)),
        "mixed" => return mixed(arguments, report, store),
        "c1" => (COMMITS, Some(commits(store, records + 1_000_000, COMMITS, 1, ids)?)),
        "c16" => {
            let first = records + 2_000_000;
            let latencies = commits(store, first, COMMITS, COMMIT_THREADS, ids)?;
            (COMMITS * COMMIT_THREADS, Some(latencies))
        }
        "kill" => {
            let pid = std::process::id().to_string();
            std::process::Command::new("kill").args(["-9", &pid]).status()?;
            unreachable!("the process was killed")
        }
        _ => return Err(format!("unknown phase {phase}").into()),
    };
    report.print(phase, ops, &meter, latencies.as_ref(), digest)
}

/// Where w1 leaves the seconds of its batches, for the plot.
pub(crate) fn batches_path(directory: &Path) -> PathBuf {
    directory.join("batches.json")
}

fn get_first(store: &dyn Engine, ids: Ids) -> Result<()> {
    let wanted = workload::record(0, ids);
    store.read(&mut |reader| {
        let found = reader.get(wanted.id)?.ok_or("the first record is lost")?;
        if found.amount == wanted.amount { Ok(()) } else { Err("the wrong record".into()) }
    })
}

fn batch(from: u64, to: u64, ids: Ids) -> Vec<Transfer> {
    (from..to).map(|i| workload::record(i, ids)).collect()
}

/// W1: all records in order, each batch one durable transaction. Making the records is not timed:
/// it is the same for all.
fn load(store: &dyn Engine, records: u64, ids: Ids) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut next = 0;
    while next < records {
        let end = (next + BATCH).min(records);
        let batch = batch(next, end, ids);
        latencies.time(|| store.insert(&batch))?;
        next = end;
    }
    Ok(latencies)
}

/// R3: the newest 100 transfers of an account.
fn latest(reader: &dyn crate::engine::Reader) -> Result<u64> {
    let mut digest = Digest::default();
    let mut page = Vec::new();
    for j in 0..LATEST_QUERIES {
        let account = 1 + u128::from(workload::mix(j) % 10_000);
        page.clear();
        reader.latest(account, 100, &mut page)?;
        if !page.is_sorted_by(|a, b| a.timestamp > b.timestamp) {
            return Err("not newest first".into());
        }
        page.iter().for_each(|transfer| digest.add(transfer));
    }
    Ok(digest.value())
}

/// R4: all transfers of an account with a code, newest first.
fn account_and_code(reader: &dyn crate::engine::Reader) -> Result<u64> {
    let mut digest = Digest::default();
    let (mut found, mut all) = (Vec::new(), Vec::new());
    for j in 0..AND_QUERIES {
        let account = 1 + u128::from(workload::mix(j) % 10_000);
        let code = 1 + (workload::mix(j + 1) % 100) as u16;
        found.clear();
        reader.account_and_code(account, code, &mut found)?;
        found.iter().for_each(|transfer| digest.add(transfer));
        if j % 100 == 0 {
            all.clear();
            reader.latest(account, usize::MAX >> 1, &mut all)?;
            if found.len() != all.iter().filter(|transfer| transfer.code == code).count() {
                return Err("the intersection lost records".into());
            }
        }
    }
    Ok(digest.value())
}

/// W2: read, modify, write; each batch one durable transaction.
fn update(store: &dyn Engine, records: u64, ids: Ids) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut next = 0;
    while next < UPDATES {
        let end = (next + BATCH).min(UPDATES);
        let batch: Vec<Change> = (next..end)
            .map(|j| Change {
                id: workload::id(workload::mix(j) % records, ids),
                code: 1 + (workload::mix(j + 2) % 100) as u16,
                user_data_64: 1 + workload::mix(j + 3) % 1_000_000,
            })
            .collect();
        latencies.time(|| store.update(&batch))?;
        next = end;
    }
    Ok(latencies)
}

/// Transactions of one new record each, by several threads.
fn commits(
    store: &dyn Engine,
    first: u64,
    count: u64,
    threads: u64,
    ids: Ids,
) -> Result<Latencies> {
    let next = AtomicU64::new(first);
    let parts: Vec<Result<Latencies>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut latencies = Latencies::default();
                    for _ in 0..count {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let record = workload::record(i, ids);
                        latencies.time(|| store.insert(&[record]))?;
                    }
                    Ok(latencies)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let mut all = Latencies::default();
    for part in parts {
        all.0.extend(part?.0);
    }
    Ok(all)
}

/// R1 in one thread while a tenth of W1 runs in another; each also alone, before, as `mixed-r1-alone`
/// and `mixed-w1-alone`.
fn mixed(arguments: &Arguments, report: &Report<'_>, store: &dyn Engine) -> Result<()> {
    let (records, ids) = (arguments.records, arguments.ids);
    let count = (records / 10).max(BATCH);
    let first = records + 3_000_000;
    let write = |first: u64| -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let mut next = first;
        while next < first + count {
            let end = (next + BATCH).min(first + count);
            let batch = batch(next, end, ids);
            latencies.time(|| store.insert(&batch))?;
            next = end;
        }
        Ok(latencies)
    };
    // Each batch of gets on a new view, as a server would.
    let gets = |stop: &dyn Fn() -> bool| -> Result<u64> {
        let mut done = 0;
        while !stop() {
            store.read(&mut |reader| {
                for j in done..done + 1_000 {
                    let id = workload::id(workload::mix(j) % records, ids);
                    reader.get(id)?.ok_or("a record is lost")?;
                }
                Ok(())
            })?;
            done += 1_000;
        }
        Ok(done)
    };
    let meter = Meter::start();
    let latencies = write(first)?;
    report.print("mixed-w1-alone", count, &meter, Some(&latencies), 0)?;
    let meter = Meter::start();
    let begin = Instant::now();
    let done = gets(&|| begin.elapsed() > Duration::from_secs(1))?;
    report.print("mixed-r1-alone", done, &meter, None, 0)?;

    let ended = AtomicBool::new(false);
    let meter = Meter::start();
    let (written, read) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| gets(&|| ended.load(Ordering::Acquire)));
        let written = write(first + count);
        ended.store(true, Ordering::Release);
        (written, reader.join().expect("no panic"))
    });
    report.print("mixed-w1", count, &meter, Some(&written?), 0)?;
    report.print("mixed-r1", read?, &meter, None, 0)
}
