//! G11: child processes that are killed with SIGKILL at random moments, twenty times on one file.
//!
//! This binary starts itself again with `GROOVE_KILL_FILE` set: the child opens the file, carries out
//! op after op while two threads read, and says on its standard output which ops are acknowledged.
//! The parent kills it, while it opens (so during recovery and creation too) or while it writes, and
//! opens the file: precisely the acknowledged ops are there, and at most the one that was under way,
//! whole, in every index. Then the next child goes on with the same file, at times without the parent
//! in between.
//!
//! What an op does follows from the seed and its number, so both sides know it. This proves what a
//! crash of the process leaves; a loss of power is what G1 and G2 simulate.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use groove::{Durability, Forest};
use groove_core::proof::Random;
use libtest_mimic::Trial;

use crate::post::{Model, Post, Setting, apply, compare_counts, verify};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};

/// Kills on one file.
const KILLS: u64 = 20;
const FILE: &str = "GROOVE_KILL_FILE";
const RUN: &str = "GROOVE_KILL_RUN";
const SEED: &str = "GROOVE_KILL_SEED";

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("g11_kills", |goal: &Goal| goal.seeds(10, kills))]
}

fn open(path: &Path, run: u64) -> Forest<Post> {
    let setting = Setting {
        threads: (run % 3) as usize,
        cache_size: 1 << 20,
        durability: if run.is_multiple_of(2) { Durability::Sync } else { Durability::Buffered },
    };
    let opened = Forest::open(path, setting.options());
    opened.unwrap_or_else(|error| panic!("run {run}: {error:?}"))
}

/// The whole life of a child, if this process is one.
pub(crate) fn child() {
    let Ok(path) = std::env::var(FILE) else { return };
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let (seed, run) = (number(SEED).expect("set"), number(RUN).expect("set"));
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        // Without a parent there is nobody to tell.
        let told = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        told.unwrap_or_else(|_| std::process::exit(1));
    };
    say("opening 0\n".to_owned());
    let forest = open(path.as_ref(), run);
    let mut op = forest.snapshot().scans.op();
    say(format!("opened {op}\n"));
    for _ in 0..2 {
        let forest = forest.clone();
        std::thread::spawn(move || {
            let mut last = 0;
            loop {
                let snapshot = forest.snapshot();
                let op = snapshot.parcels.op();
                if op < last || compare_counts(&snapshot).is_err() {
                    std::process::abort();
                }
                last = op;
            }
        });
    }
    let mut random = Random::new(seed ^ run);
    loop {
        op += 1;
        forest.write(|tx| apply(tx, seed, op)).unwrap_or_else(|error| panic!("op {op}: {error}"));
        say(format!("acknowledged {op}\n"));
        if random.chance(2) {
            forest.checkpoint().expect("the device is sound");
        }
    }
}

/// A child, killed at the end of this value's life whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a child said before it was killed.
#[derive(Default)]
struct Said {
    opening: bool,
    opened: Option<u64>,
    acknowledged: Option<u64>,
    acknowledgements: u64,
}

impl Said {
    /// Takes one line.
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [.., word, number] = words[..] else { return };
        let Ok(number) = number.parse::<u64>() else { return };
        if word.ends_with("opening") {
            self.opening = true;
        } else if word == "opened" {
            self.opened = Some(number);
        } else if word == "acknowledged" {
            let before = self.acknowledged.or(self.opened);
            assert_eq!(before.map(|op| op + 1), Some(number), "ops come one after the other");
            self.acknowledged = Some(number);
            self.acknowledgements += 1;
        }
    }
}

/// Starts a child, kills it at a random moment, and returns what it said.
fn run_child(random: &mut Random, path: &Path, seed: u64, run: u64) -> Said {
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command.env(FILE, path).env(RUN, run.to_string()).env(SEED, seed.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running(command.spawn().expect("this test can be started"));
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut said = Said::default();
    let early = random.chance(35);
    let wanted = 1 + random.below(150);
    let reached = |said: &Said| match early {
        true => said.opening,
        false => said.acknowledgements >= wanted,
    };
    while !reached(&said) {
        match lines.next() {
            Some(line) => said.note(&line.expect("text")),
            None => panic!("run {run}: the child ended by itself: {}", errors(child)),
        }
    }
    // Opening takes a fraction of a millisecond on one machine and ten on another: each scale gets
    // its share of the kills.
    let longest = if early { [300, 1_500, 12_000][random.below(3) as usize] } else { 2_000 };
    pause(Duration::from_micros(random.below(longest)));
    child.0.kill().expect("a child of ours");
    child.0.wait().expect("a child of ours");
    rest(lines, &mut said);
    said
}

/// What was in the pipe when the child died.
fn rest(lines: std::io::Lines<BufReader<ChildStdout>>, said: &mut Said) {
    for line in lines {
        said.note(&line.expect("text"));
    }
}

fn errors(mut child: Running) -> String {
    let stderr = child.0.stderr.take().expect("piped");
    std::io::read_to_string(stderr).expect("text")
}

#[expect(clippy::disallowed_methods, reason = "the moment of the kill is what the test is about")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A file, and twenty children that are killed over it.
fn kills(seed: u64) {
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("killed.groove");
    let mut model = Model::default();
    // Ops since the parent looked last: acknowledged, and acknowledged or under way.
    let (mut least, mut most) = (0, 0);
    for run in 0..KILLS {
        let said = run_child(&mut random, &path, seed, run);
        add(Count::CrashPoints, 1);
        if let Some(opened) = said.opened {
            assert!((least..=most).contains(&opened), "{opened} is not of {least}..={most}");
            least = said.acknowledged.unwrap_or(opened);
            most = least + 1;
        }
        if random.chance(35) && run + 1 < KILLS {
            continue; // The next child recovers what this one left.
        }
        let forest = open(&path, run + 1);
        let op = forest.snapshot().parcels.op();
        assert!((least..=most).contains(&op), "{op} is not of {least}..={most}");
        while model.op < op {
            model.apply(seed);
        }
        verify(&forest, &model);
        (least, most) = (op, op);
        if random.chance(30) {
            forest.checkpoint().expect("the device is sound");
            verify(&forest, &model);
        }
        add(Count::Images, 1);
    }
}
