//! A year of flights: loaded once into one file, then asked.
//!
//! ```text
//! cargo run --release --example flights            # loads, if needed, and asks
//! cargo run --release --example flights -- crash   # kills a load, and looks at what is left
//! cargo run --release --example flights -- --help
//! ```
//!
//! Read `year` first: it is what the forest holds. `load` writes, `questions` reads.

mod answers;
mod arguments;
mod calendar;
mod crash;
mod load;
mod questions;
mod source;
mod stopwatch;
mod table;
mod verify;
mod year;

use std::error::Error;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write, stdout};
use std::path::Path;
use std::process::{Command, ExitCode};

use groove::{Forest, Options};
use indicatif::{ProgressBar, ProgressStyle};

use arguments::{Arguments, HELP, Task};
use crash::Moment;
use load::Progress;
use source::Source;
use stopwatch::Stopwatch;
use table::{Align, Table, thousands};
use year::Year;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Flights of a scope.
const BATCH: usize = 8_190;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output, `head` for example, has seen enough.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("flights: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run() -> Result<()> {
    let arguments = Arguments::parse(std::env::args_os().skip(1))?;
    let file = arguments.file();
    if let Some(directory) = file.parent().filter(|_| arguments.task != Task::Help) {
        fs::create_dir_all(directory)?;
    }
    match arguments.task {
        Task::Help => writeln!(stdout(), "{HELP}")?,
        Task::Ask => load_and_ask(&file, &arguments)?,
        Task::Crash => crash_and_compare(&file, &arguments)?,
        Task::CrashChild => {
            crash::load_and_say(&file, &Source::read(arguments.csv.as_deref())?)?;
        }
    }
    Ok(())
}

fn load_and_ask(file: &Path, arguments: &Arguments) -> Result<()> {
    // The caller's own CSV is read first: if a line is malformed, there is not even a file.
    let own = arguments.csv.as_deref().map(|csv| Source::read(Some(csv))).transpose()?;
    let existed = file.exists();
    let stopwatch = Stopwatch::start();
    let forest = Year::open(file, Options::default())?;
    let (year, opened) = (forest.snapshot(), stopwatch.elapsed());
    let progress = Progress::of(&year);
    if existed {
        let flights = thousands(year.flights.len());
        writeln!(stdout(), "{} opened in {opened}: {flights} flights", file.display())?;
    }
    if let Some(own) = &own {
        load::check_same_source(&year, own)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Progress::Flights(stored) = progress {
        let source = match own {
            Some(own) => own,
            None => Source::read(None)?,
        };
        if stored > 0 {
            load::check_same_source(&year, &source)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            writeln!(stdout(), "The load was interrupted; it goes on behind the last flight.")?;
        }
        load_with_progress(&forest, &source, stored, file)?;
    }
    drop(year);
    answers::print_all(&forest, arguments.explain)?;
    Ok(forest.close()?)
}

fn load_with_progress(
    forest: &Forest<Year>,
    source: &Source,
    stored: usize,
    file: &Path,
) -> Result<()> {
    let style = "{elapsed_precise} {bar:40} {human_pos} of {human_len} flights, {per_sec}";
    let bar = ProgressBar::new(source.flights.len() as u64); // draws only on a terminal
    bar.set_style(ProgressStyle::with_template(style)?);
    bar.set_position(stored as u64);

    let stopwatch = Stopwatch::start();
    load::load(forest, source, BATCH, |flights| bar.set_position(flights as u64))?;
    let elapsed = stopwatch.elapsed();
    bar.finish_and_clear();
    let stopwatch = Stopwatch::start();
    forest.checkpoint()?; // a planned end: nothing is left to replay at the next open
    let checkpoint = stopwatch.elapsed();

    let loaded = (source.flights.len() - stored) as u64;
    writeln!(
        stdout(),
        "{} flights in durable batches of {}, {} airports and {} airlines in {elapsed}: {} flights/s\n\
         A checkpoint wrote what was in memory into tables: {checkpoint}",
        thousands(loaded),
        thousands(BATCH as u64),
        thousands(source.airports.len() as u64),
        source.airlines.len(),
        thousands(elapsed.rate(loaded)),
    )?;
    let disk = bytes_on_disk(file)?;
    writeln!(
        stdout(),
        "{}: {} bytes on disk, {} of them tables; the CSV has {}; {:.1} bytes per flight, with {} indexes",
        file.display(),
        thousands(disk),
        thousands(forest.statistics().table_bytes),
        thousands(source.flights_bytes),
        disk as f64 / source.flights.len().max(1) as f64,
        year::Flight::SCHEMA.indexes.len(),
    )?;
    Ok(())
}

/// What the file's blocks take: less than its length, if it has holes.
fn bytes_on_disk(file: &Path) -> Result<u64> {
    let metadata = fs::metadata(file)?;
    #[cfg(unix)]
    let bytes = 512 * std::os::unix::fs::MetadataExt::blocks(&metadata);
    #[cfg(not(unix))]
    let bytes = metadata.len();
    Ok(bytes)
}

fn crash_and_compare(file: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.names_file() && file.exists() {
        let file = file.display();
        return Err(format!("{file} exists: crash loads into a new file, remove it first").into());
    }
    let source = Source::read(arguments.csv.as_deref())?;
    let seed = arguments.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let moment = Moment::new(seed, source.flights.len().div_ceil(crash::BATCH));
    writeln!(
        stdout(),
        "--seed {seed}: SIGKILL {:?} after batch {} of the load into {} is acknowledged",
        moment.wait,
        moment.lines - 1,
        file.display(),
    )?;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(arguments.of_child());
    let outcome = crash::crash(child, file, &source, moment)?;

    let unacknowledged = outcome.stored - outcome.acknowledged;
    writeln!(
        stdout(),
        "{} flights were acknowledged, and {}",
        thousands(outcome.acknowledged as u64),
        match unacknowledged {
            0 => "exactly these are there".into(),
            _ => format!("these are there and the {unacknowledged} of the batch in flight"),
        },
    )?;
    writeln!(
        stdout(),
        "Opened in {}; each flight is as in the CSV. The indexes:\n",
        outcome.opened
    )?;
    let columns = [("index", Align::Left), ("keys", Align::Right), ("entries", Align::Right)];
    let mut table = Table::new(columns);
    for index in outcome.indexes {
        let counts = [thousands(index.keys as u64), thousands(index.entries)];
        table.push([index.index.to_string()].into_iter().chain(counts));
    }
    write!(stdout(), "{table}")?;
    Ok(())
}
