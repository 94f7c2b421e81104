//! What the derive costs who uses it: `cargo bench -p groove-derive`.
//!
//! 1. The time of the derive itself, for a struct of 20 fields and 10 indexes: tokens in, tokens out.
//! 2. What such a struct adds to `cargo check`: a crate of [`STRUCTS`] of them is checked with and
//!    without the derive, in turn; the difference of the fastest runs, per struct.
//!
//! Ends with an error if a struct is over its budget.

#![allow(clippy::disallowed_methods, reason = "what is measured is time")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use proc_macro2::TokenStream;

#[allow(dead_code, reason = "one of the three derives is measured")]
#[path = "../src/pipeline/mod.rs"]
mod pipeline;

/// Structs in the crate that is checked: enough to stand out from the start of the compiler.
const STRUCTS: usize = 20;
/// Runs of the derive and of the compiler of which the fastest counts.
const RUNS: usize = 7;

const DERIVE_BUDGET: Duration = Duration::from_millis(10);
const CHECK_BUDGET: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let derive = derive_time();
    println!("the derive itself:   {derive:>10.1?} per struct of 20 fields and 10 indexes");
    let check = check_time();
    println!("added to cargo check: {check:>9.1?} per struct, of {STRUCTS} in a crate");
    match derive < DERIVE_BUDGET && check < CHECK_BUDGET {
        true => ExitCode::SUCCESS,
        false => {
            println!("over the budget of {DERIVE_BUDGET:?} or of {CHECK_BUDGET:?}");
            ExitCode::FAILURE
        }
    }
}

/// The fastest of several runs over one struct.
fn derive_time() -> Duration {
    let input: TokenStream = object("Trade", true).parse().expect("the struct is tokens");
    let run = || {
        let begin = Instant::now();
        let expansion = pipeline::groove(input.clone());
        let elapsed = begin.elapsed();
        assert!(expansion.mistakes.is_none(), "the struct has no mistakes");
        assert!(!expansion.code.is_empty(), "the struct has impls");
        elapsed
    };
    (0..RUNS * 10).map(|_| run()).min().expect("there are runs")
}

/// What the derive adds to the fastest `cargo check` of a crate, per struct.
fn check_time() -> Duration {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("derive-cost");
    let (with, without) = (write_crate(&target, true), write_crate(&target, false));
    let run = |crate_folder: &Path| {
        let source = crate_folder.join("src/lib.rs");
        let text = fs::read(&source).expect("the source was written");
        fs::write(&source, text).expect("the source is writable"); // newer: it is checked again
        let begin = Instant::now();
        let status = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--offline"])
            .current_dir(crate_folder)
            .env("CARGO_TARGET_DIR", target.join("target"))
            .stdin(Stdio::null())
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the crate in {} does not compile", crate_folder.display());
        begin.elapsed()
    };
    let (mut fastest_with, mut fastest_without) = (Duration::MAX, Duration::MAX);
    run(&with); // compiles the dependencies
    run(&without);
    for _ in 0..RUNS {
        fastest_without = fastest_without.min(run(&without));
        fastest_with = fastest_with.min(run(&with));
    }
    fastest_with.saturating_sub(fastest_without) / STRUCTS as u32
}

/// A crate of structs that are alike but for their names.
fn write_crate(target: &Path, derives: bool) -> PathBuf {
    let name = if derives { "with" } else { "without" };
    let folder = target.join(name);
    fs::create_dir_all(folder.join("src")).expect("the target folder is writable");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let manifest = format!(
        "[package]\nname = \"derive-cost-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\ngroove = {{ path = {root:?} }}\n[workspace]\n"
    );
    let mut source = String::new();
    for number in 0..STRUCTS {
        let derive = if derives { "#[derive(groove::Groove)] " } else { "" };
        let object = object(&format!("Trade{number}"), derives);
        writeln!(source, "{derive}{object}").expect("a String takes everything");
    }
    fs::write(folder.join("Cargo.toml"), manifest).expect("the folder is writable");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the folder is writable");
    fs::write(folder.join("src/lib.rs"), source).expect("the folder is writable");
    folder
}

/// A struct of 20 fields; with `marks`, 10 of them are indexed.
fn object(name: &str, marks: bool) -> String {
    const TYPES: [&str; 10] =
        ["u128", "u64", "u32", "u16", "i64", "i32", "[u8; 20]", "Option<u32>", "bool", "f64"];
    let mut fields = String::new();
    for position in 0..19 {
        let mark = match position {
            _ if !marks => "",
            0 => "#[index(primary)] ",
            1..=7 => "#[index] ",
            8 => "#[index(unique)] ",
            9 => "#[index(unique)] ",
            _ => "#[groove(ignore)] ",
        };
        let field_type = TYPES[position % TYPES.len()];
        write!(fields, "{mark}pub field_{position}: {field_type}, ").expect("a String grows");
    }
    format!("pub struct {name} {{ {fields} pub timestamp: u64 }}")
}
