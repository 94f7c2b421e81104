//! The table as a file, with the machine, the versions and the date, and a plot beside it.

use std::path::Path;
use std::process::Command;

use crate::engine::Name;
use crate::rounds::Lines;
use crate::table::Table;
use crate::workload::Ids;
use crate::{Arguments, Result, plot};

/// Writes `path` and, with the ending `svg`, the plot.
pub(crate) fn write(
    path: &Path,
    arguments: &Arguments,
    table: &Table,
    lines: &Lines,
) -> Result<()> {
    let ids = if arguments.ids == Ids::Ordered { "ordered" } else { "random" };
    let plot_path = path.with_extension("svg");
    let plot_name = plot_path.file_name().unwrap_or_default().to_string_lossy();
    let engines = match arguments.engines == Name::all() {
        true => String::new(),
        false => {
            let names: Vec<&str> = arguments.engines.iter().map(|name| name.as_str()).collect();
            format!(" --engines {}", names.join(","))
        }
    };
    let text = format!(
        "# The ledger workload, side by side\n\n\
         {} records of 128 bytes, {ids} ids, batches of 8190, each durable on return; 1 GiB of \
         cache per engine; {} round(s), medians; in brackets how many times as good the first \
         engine is. All engines gave the same answers, compared by digest.\n\n\
         | | |\n|---|---|\n| date | {} |\n| processor | {} |\n| system | {} |\n| compiler | {} |\n\
         | command | `cargo run --release --manifest-path benches/Cargo.toml -- --records {} --ids \
         {ids} --rounds {}{engines} --report {}` |\n\n{table}\n\
         Records loaded per second over the course of w1:\n\n![rate over records loaded]({plot_name})\n",
        arguments.records,
        arguments.rounds,
        output("date", &["-u", "+%Y-%m-%d"]),
        processor(),
        output("uname", &["-sr"]),
        output("rustc", &["--version"]),
        arguments.records,
        arguments.rounds,
        path.display(),
    );
    std::fs::write(path, text)?;
    std::fs::write(&plot_path, plot::svg(arguments, lines))?;
    Ok(())
}

fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.unwrap_or_else(|_| "unknown".into())
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{model}, {cores} cores")
}
