//! Starts a process per engine and round, in turn, and collects the lines they print.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::engine::Name;
use crate::phases;
use crate::workload::Ids;
use crate::{Arguments, Result};

/// A line of JSON, as `measure` prints it.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Line {
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) phase: String,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) digest: String,
    pub(crate) written_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) peak_rss_kib: u64,
}

/// What a run of all engines gave.
pub(crate) struct Lines {
    pub(crate) lines: Vec<Line>,
    /// Seconds of the batches of w1, in the last round, by engine.
    pub(crate) batches: BTreeMap<&'static str, Vec<f64>>,
}

/// Runs all engines, round by round.
pub(crate) fn run(arguments: &Arguments) -> Result<Lines> {
    let mut all = Lines { lines: Vec::new(), batches: BTreeMap::new() };
    for round in 1..=arguments.rounds {
        for engine in &arguments.engines {
            eprintln!("round {round} of {}: {engine}", arguments.rounds);
            let directory = arguments.dir.join(engine.as_str());
            if directory.exists() {
                std::fs::remove_dir_all(&directory)?;
            }
            std::fs::create_dir_all(&directory)?;
            let first = process(arguments, *engine, &directory, phases::FIRST, true)?;
            let second = process(arguments, *engine, &directory, phases::SECOND, false)?;
            check_digests(&all.lines, &first)?;
            all.lines.extend(first);
            // After the kill; the digests are those of the updated records.
            let after: Vec<Line> = second
                .into_iter()
                .map(|line| Line { phase: format!("{}-after", line.phase), ..line })
                .collect();
            check_digests(&all.lines, &after)?;
            all.lines.extend(after);
            let batches = std::fs::read(phases::batches_path(&directory))?;
            all.batches.insert(engine.as_str(), serde_json::from_slice(&batches)?);
            std::fs::remove_dir_all(&directory)?;
        }
    }
    Ok(all)
}

fn process(
    arguments: &Arguments,
    engine: Name,
    directory: &PathBuf,
    phases: &str,
    is_killed: bool,
) -> Result<Vec<Line>> {
    let ids = if arguments.ids == Ids::Ordered { "ordered" } else { "random" };
    let output = Command::new(std::env::current_exe()?)
        .args(["--engines", engine.as_str(), "--phases", phases, "--ids", ids])
        .args(["--records", &arguments.records.to_string()])
        .arg("--dir")
        .arg(directory)
        .stderr(Stdio::inherit())
        .output()?;
    if !is_killed && !output.status.success() {
        return Err(format!("{engine} failed in {phases}").into());
    }
    let text = String::from_utf8(output.stdout)?;
    let lines: std::result::Result<Vec<Line>, _> = text.lines().map(serde_json::from_str).collect();
    let lines = lines?;
    // A process that ends itself by a signal is told from one that failed by its last phase.
    let last = phases.trim_end_matches(",kill").rsplit(',').next();
    if lines.last().map(|line| line.phase.as_str()) != last {
        return Err(format!("{engine} failed in {phases}").into());
    }
    Ok(lines)
}

/// All engines answer a phase with the same records.
fn check_digests(known: &[Line], new: &[Line]) -> Result<()> {
    for line in new {
        let same_phase = known.iter().find(|other| other.phase == line.phase);
        if let Some(other) = same_phase.filter(|other| other.digest != line.digest) {
            let Line { engine, phase, digest, .. } = line;
            return Err(format!(
                "{engine} answers {phase} with {digest}, {} with {}",
                other.engine, other.digest
            )
            .into());
        }
    }
    Ok(())
}
