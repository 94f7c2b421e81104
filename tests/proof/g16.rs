//! G16: runs `tests/schedules`, which has to be built with `--cfg shuttle`, and so on its own.

use std::process::Command;

use libtest_mimic::Trial;

use crate::run::{Goal, trial};
use crate::tally::{Count, add};

pub(crate) fn trials() -> Vec<Trial> {
    // The build takes longer than what else a debug build runs of the proof.
    vec![trial("g16_schedules", schedules).with_ignored_flag(cfg!(debug_assertions))]
}

fn schedules(_: &Goal) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo);
    child.args(["test", "--release", "--test", "schedules", "--target-dir", "target/shuttle"]);
    child.env("RUSTFLAGS", "--cfg shuttle").current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = child.output().expect("cargo runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    let count = |name: &str| {
        let line = text.lines().find(|line| line.ends_with("/ 0 failures"));
        let mut words = line.into_iter().flat_map(|line| line.split(['/', ':']));
        let number = words.find_map(|part| part.trim().strip_suffix(name)?.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no number of {name} in: {text}"))
    };
    add(Count::Images, count("images"));
    add(Count::CrashPoints, count("crash points"));
    add(Count::Schedules, count("schedules"));
    add(Count::Defects, count("defects found"));
}
