//! G13: fuzz targets, run on inputs that follow from seeds: the corpus in `fuzz/corpus`, changed. The
//! same targets are driven by libFuzzer, which sees what code an input reaches: `fuzz/README.md`.
//!
//! `GROOVE_PROOF_CORPUS=1` writes the sound inputs, which the engine itself makes, to the corpus.

use std::path::PathBuf;

use groove_core::proof::fuzz;
use libtest_mimic::Trial;

use crate::allocations::bounded;
use crate::mutate::{Random, mutate};
use crate::run::{Goal, trial};
use crate::tally::{self, Count};
use crate::whole_file;

/// Runs of each target.
const EXECS: u64 = 100_000;
/// Bytes of an input at the most.
const INPUT_MAX: usize = 40_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g13_fuzz_superblock", |goal| run(goal, "superblock", fuzz::superblock)),
        trial("g13_fuzz_wal", |goal| run(goal, "wal", fuzz::wal)),
        trial("g13_fuzz_changes", |goal| run(goal, "changes", fuzz::changes)),
        trial("g13_fuzz_manifest", |goal| run(goal, "manifest", fuzz::manifest)),
        trial("g13_fuzz_index_block", |goal| run(goal, "index_block", fuzz::index_block)),
        trial("g13_fuzz_value_block", |goal| run(goal, "value_block", fuzz::value_block)),
        trial("g13_fuzz_free_set", |goal| run(goal, "free_set", fuzz::free_set)),
        trial("g13_fuzz_whole_file", |goal| run(goal, "whole_file", whole_file::whole_file)),
    ]
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    if target == "whole_file" { whole_file::seeds() } else { fuzz::seeds(target) }
}

/// The inputs in the repository, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    if std::env::var_os("GROOVE_PROOF_CORPUS").is_some() {
        std::fs::create_dir_all(&directory).expect("the corpus can be written");
        for (number, seed) in seeds(target).iter().enumerate() {
            let name = directory.join(format!("sound-{number}"));
            std::fs::write(name, seed).expect("the corpus can be written");
        }
    }
    let entries = std::fs::read_dir(&directory).expect("the corpus is in the repository");
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    names.sort();
    let corpus: Vec<_> = names.iter().map(|name| std::fs::read(name).expect("readable")).collect();
    assert!(!corpus.is_empty(), "{} is empty", directory.display());
    corpus
}

fn run(goal: &Goal, target: &str, case: fn(&[u8])) {
    let corpus = corpus(target);
    for input in &corpus {
        bounded(|| case(input));
    }
    goal.seeds(EXECS, |seed| {
        let mut random = Random::new(seed);
        let pick = |random: &mut Random| random.below(corpus.len() as u64) as usize;
        let (input, other) = (pick(&mut random), pick(&mut random));
        let mut input = corpus[input].clone();
        mutate(&mut random, &mut input, &corpus[other], INPUT_MAX);
        bounded(|| case(&input));
        tally::add(Count::Execs, 1);
    });
}
