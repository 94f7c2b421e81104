//! A goal that must fail: whoever runs the proof sees that a failure is reported.

use std::process::Command;

use libtest_mimic::Trial;

use crate::run::{Goal, trial};

/// Set for the child, which fails on purpose.
const FAIL: &str = "GROOVE_PROOF_CANARY";
const NAME: &str = "canary";
const SEED: u64 = 3;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(NAME, canary)]
}

fn canary(goal: &Goal) {
    if std::env::var_os(FAIL).is_some() {
        return goal.seeds(1_000, |seed| assert_ne!(seed, SEED, "the canary fails"));
    }
    let itself = std::env::current_exe().expect("a running program has a path");
    let mut child = Command::new(itself);
    child.args(["--exact", NAME]).env(FAIL, "1").env("GROOVE_PROOF_SCALE", "1");
    let output = child.env_remove("GROOVE_PROOF_SEED").output().expect("it runs again");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!output.status.success(), "a failure was not reported: {text}");
    for expected in ["/ 1 failures", "GROOVE_PROOF_SEED=3 cargo test", "--exact canary"] {
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }
}
