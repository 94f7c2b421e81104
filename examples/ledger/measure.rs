//! Time, bytes and digests of a phase, as one line of JSON.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Result;
use crate::workload::{Ids, Transfer};

/// A digest over records in order, by which engines are compared.
#[derive(Default)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Adds the record's 16 words.
    pub(crate) fn add(&mut self, transfer: &Transfer) {
        let wide = [
            transfer.id,
            transfer.debit_account_id,
            transfer.credit_account_id,
            transfer.amount,
            transfer.pending_id,
            transfer.user_data_128,
        ];
        for value in wide {
            self.word(value as u64);
            self.word((value >> 64) as u64);
        }
        self.word(transfer.user_data_64);
        self.word(u64::from(transfer.user_data_32) | u64::from(transfer.timeout) << 32);
        self.word(
            u64::from(transfer.ledger)
                | u64::from(transfer.code) << 32
                | u64::from(transfer.flags) << 48,
        );
        self.word(transfer.timestamp);
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

/// How long the batches took.
#[derive(Default)]
pub(crate) struct Latencies(pub(crate) Vec<Duration>);

impl Latencies {
    /// Runs and times one batch.
    pub(crate) fn time<T>(&mut self, batch: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = batch();
        self.0.push(start.elapsed());
        result
    }

    fn milliseconds(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
        sorted[at].as_secs_f64() * 1e3
    }
}

/// What a phase starts from.
pub(crate) struct Meter {
    start: Instant,
    cpu: f64,
    written: u64,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter { start: Instant::now(), cpu: cpu_seconds(), written: written_bytes() }
    }
}

/// What all lines have in common.
pub(crate) struct Report<'a> {
    pub(crate) engine: &'a str,
    pub(crate) version: &'a str,
    pub(crate) records: u64,
    pub(crate) ids: Ids,
    pub(crate) path: PathBuf,
}

impl Report<'_> {
    /// Prints the line of a phase that has just ended.
    pub(crate) fn print(
        &self,
        phase: &str,
        ops: u64,
        meter: &Meter,
        latencies: Option<&Latencies>,
        digest: u64,
    ) -> Result<()> {
        let seconds = meter.start.elapsed().as_secs_f64();
        let cpu = cpu_seconds() - meter.cpu;
        let written = written_bytes() - meter.written;
        let [p50, p99, max] =
            [0.5, 0.99, 1.0].map(|share| latencies.map_or(0.0, |all| all.milliseconds(share)));
        println!(
            concat!(
                r#"{{"engine":"{}","version":"{}","n":{},"ids":"{}","phase":"{}","ops":{},"#,
                r#""seconds":{:.6},"rate":{:.0},"p50_ms":{:.3},"p99_ms":{:.3},"max_ms":{:.3},"#,
                r#""digest":"{:016x}","cpu_seconds":{:.2},"written_bytes":{},"disk_bytes":{},"#,
                r#""peak_rss_kib":{}}}"#
            ),
            self.engine,
            self.version,
            self.records,
            if self.ids == Ids::Ordered { "ordered" } else { "random" },
            phase,
            ops,
            seconds,
            ops as f64 / seconds,
            p50,
            p99,
            max,
            digest,
            cpu,
            written,
            disk_bytes(&self.path)?,
            peak_rss_kib(),
        );
        Ok(())
    }
}

/// Processor time of this process, from the kernel's count of ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn written_bytes() -> u64 {
    number_after("/proc/self/io", "write_bytes:")
}

fn peak_rss_kib() -> u64 {
    number_after("/proc/self/status", "VmHWM:")
}

fn number_after(path: &str, label: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Bytes that a file, or all files of a directory, take on disk, without their holes.
fn disk_bytes(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.blocks() * 512);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        bytes += disk_bytes(&entry?.path())?;
    }
    Ok(bytes)
}
