//! Kills a loading process at a random moment, and looks at what is left.
//!
//! 1. A child process loads into a file of its own and writes a line to its standard output for each
//!    batch that is on disk.
//! 2. The seed decides after how many lines, and how long after the last of them, it gets SIGKILL.
//! 3. The lines that it still wrote are read: so many flights were acknowledged.
//! 4. The file is opened and compared with the CSV: there are the acknowledged flights, or those and
//!    the one batch whose acknowledgement did not get out, and nothing else, in every index.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use groove::{Forest, Options};

use super::Result;
use super::load::{self, Progress};
use super::source::Source;
use super::stopwatch::{Elapsed, Stopwatch};
use super::verify::{Checked, verify};
use super::year::Year;

/// Flights of a batch; small ones, so that there are many moments to be killed at.
pub(crate) const BATCH: usize = 1_000;
/// The longest wait after the last line, before the child is killed.
const WAIT_MAX: Duration = Duration::from_millis(30);
/// What each line of the child begins with; the number of flights follows.
const ACKNOWLEDGED: &str = "acknowledged ";

/// When the child is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Lines that are awaited; the first says that the child is about to open the file.
    pub(crate) lines: usize,
    pub(crate) wait: Duration,
}

impl Moment {
    /// A moment of a load of so many batches.
    pub(crate) fn new(seed: u64, batches: usize) -> Moment {
        // SplitMix64: neighbouring seeds have nothing in common.
        let number = |at: u64| {
            let mut mixed = seed.wrapping_add(at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let lines = 1 + number(1) % (batches as u64 + 1);
        let wait = number(2) % u64::try_from(WAIT_MAX.as_nanos()).expect("some milliseconds");
        Moment { lines: lines as usize, wait: Duration::from_nanos(wait) }
    }
}

/// What was found after the crash.
pub(crate) struct Outcome {
    pub(crate) acknowledged: usize,
    pub(crate) stored: usize,
    /// How long it took to open the file, with recovery.
    pub(crate) opened: Elapsed,
    pub(crate) indexes: Vec<Checked>,
}

/// What the child does: loads into `file` and says so.
pub(crate) fn load_and_say(file: &Path, source: &Source) -> Result<()> {
    println!("{ACKNOWLEDGED}0");
    let forest = Year::open(file, Options::default())?;
    Ok(load::load(&forest, source, BATCH, |flights| println!("{ACKNOWLEDGED}{flights}"))?)
}

/// Starts `child`, which calls [`load_and_say`], kills it, and compares what it left.
pub(crate) fn crash(
    mut child: Command,
    file: &Path,
    source: &Source,
    moment: Moment,
) -> Result<Outcome> {
    if file.exists() {
        fs::remove_file(file)?;
    }
    let acknowledged = run_and_kill(&mut child, moment)?;

    let stopwatch = Stopwatch::start();
    let forest = Year::open(file, Options::default())?;
    let opened = stopwatch.elapsed();
    let (stored, indexes) = compare(&forest, source, acknowledged)?;
    Ok(Outcome { acknowledged, stored, opened, indexes })
}

/// Returns how many flights the child said to be on disk.
fn run_and_kill(child: &mut Command, moment: Moment) -> Result<usize> {
    let mut child = child.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("the child has no standard output")?;
    let mut acknowledgements = BufReader::new(output).lines().filter_map(|line| {
        line.map(|line| line.strip_prefix(ACKNOWLEDGED)?.parse::<usize>().ok()).transpose()
    });
    let mut acknowledged = None;
    for line in acknowledgements.by_ref().take(moment.lines) {
        acknowledged = Some(line?);
    }
    std::thread::park_timeout(moment.wait);
    child.kill()?; // SIGKILL
    for line in acknowledgements {
        acknowledged = Some(line?);
    }
    let status = child.wait()?;
    if status.code().is_some_and(|code| code != 0) {
        return Err(format!("the child failed by itself: {status}").into());
    }
    acknowledged.ok_or_else(|| "the child did not begin".into())
}

fn compare(
    forest: &Forest<Year>,
    source: &Source,
    acknowledged: usize,
) -> Result<(usize, Vec<Checked>)> {
    let year = forest.snapshot();
    let stored = usize::try_from(year.flights.len())?;
    let with_next = (acknowledged + BATCH).min(source.flights.len());
    if stored != acknowledged && stored != with_next {
        return Err(format!("{acknowledged} flights were acknowledged, {stored} are there").into());
    }
    let indexes = verify(&year.flights, &source.flights[..stored])?;
    // Airports and airlines are in the last batch, and in no other.
    let complete = stored == source.flights.len();
    if complete != (Progress::of(&year) == Progress::Complete) {
        return Err("the last batch is there in part".into());
    }
    let airports = if complete { source.airports.len() } else { 0 };
    if year.airports.len() != airports as u64 {
        return Err(format!("{} airports instead of {airports}", year.airports.len()).into());
    }
    Ok((stored, indexes))
}
