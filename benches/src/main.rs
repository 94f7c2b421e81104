//! The ledger workload on groove and its peers, side by side.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml -- --records 1000000
//! cargo run --release --manifest-path benches/Cargo.toml -- --records 1000000 --report BENCHMARKS.md
//! ```
//!
//! Each engine runs in a process of its own, in turn, `--rounds` times over; the medians of the
//! rounds and their ratios to groove's are printed as a table. Engines that answer a phase with
//! other records than the rest end the run: none may win by a wrong answer.
//!
//! - `engine`: groove, the peers, and what all of them do;
//! - `phases`: the workload; `workload` and `measure` are those of the example `ledger`;
//! - `rounds`: starts the processes and collects their lines;
//! - `table`, `report`, `plot`: what is printed and written.

mod engine;
#[path = "../../examples/ledger/measure.rs"]
mod measure;
mod phases;
mod plot;
mod report;
mod rounds;
mod table;
#[path = "../../examples/ledger/workload.rs"]
mod workload;

use std::path::PathBuf;

use clap::Parser;

use engine::Name;
use workload::Ids;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The ledger workload on groove and its peers.
#[derive(Parser, Clone, Debug)]
struct Arguments {
    /// Records that are loaded.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// How ids follow each other: ordered or random.
    #[arg(long, default_value = "ordered")]
    ids: Ids,
    /// The engines, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = Name::all())]
    engines: Vec<Name>,
    /// How often each engine runs; medians are shown.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Where the engines put their files; a directory that may be filled and emptied.
    #[arg(long, default_value = "target/benches")]
    dir: PathBuf,
    /// Writes the table to this file too, and a plot beside it.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Runs these phases of the first engine in this process and prints a line of JSON for each;
    /// what the processes of a run are started with.
    #[arg(long, value_delimiter = ',')]
    phases: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.records == 0 || arguments.rounds == 0 || arguments.engines.is_empty() {
        return Err(
            "--records and --rounds are at least 1, and there is at least one engine".into()
        );
    }
    if !arguments.phases.is_empty() {
        return phases::run(&arguments);
    }
    let lines = rounds::run(&arguments)?;
    let table = table::Table::new(&arguments, &lines)?;
    println!("{table}");
    match &arguments.report {
        Some(path) => report::write(path, &arguments, &table, &lines),
        None => Ok(()),
    }
}
