//! Child processes that are killed with SIGKILL at random moments, more than fifty times on one file.
//!
//! This binary starts itself again with `GROOVE_KILL_FILE` set: the child opens the file, carries out
//! op after op, and says on its standard output which ops are acknowledged. The parent kills it,
//! while it opens (so during recovery and creation too) or while it writes, and opens the file:
//! precisely the acknowledged ops are there, and at most the one that was under way, whole, in every
//! index. Then the next child goes on with the same file, at times without the parent in between.
//!
//! What an op does follows from the seed and its number, so both sides know it. This proves what a
//! crash of the process leaves; a loss of power is simulated elsewhere.
#![cfg(unix)]

#[path = "model/rng.rs"]
mod rng;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use groove::{Durability, Forest, Groove, Index, IndexKey, Lookup, Options, Predicate, Scope};

use rng::{Rng, seed_or};

const KILLS: u64 = 60;
const TIME: Duration = Duration::from_secs(32);
const FILE: &str = "GROOVE_KILL_FILE";
const RUN: &str = "GROOVE_KILL_RUN";
/// The test that is a child's whole life.
const CHILD: &str = "a_child_writes_until_it_is_killed";
const PARCELS: u64 = 150;

/// Small sizes: the end of a bar every eight slots or so.
fn open(path: &Path, run: u64) -> Forest<Post> {
    let options = Options::default()
        .block_size(4096)
        .table_size(16384)
        .wal_size(64 << 10)
        .growth_factor(2)
        .cache_size(1 << 20)
        .compaction_threads((run % 3) as usize)
        .durability(if run.is_multiple_of(2) { Durability::Sync } else { Durability::Buffered });
    Forest::open(path, options).unwrap_or_else(|error| panic!("run {run}: {error:?}"))
}

#[test]
fn a_child_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(FILE) else { return };
    let (seed, run) = (seed_or(0), std::env::var(RUN).expect("set with the file"));
    let run: u64 = run.parse().expect("a decimal number");
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
    let mut rng = Rng::new(seed ^ run);
    loop {
        op += 1;
        forest.write(|tx| apply(tx, seed, op)).unwrap_or_else(|error| panic!("op {op}: {error}"));
        say(format!("acknowledged {op}\n"));
        if rng.chance(2) {
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
    /// Takes one line; those of the test harness mean nothing.
    fn note(&mut self, line: &str) {
        // The harness may have begun the line.
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
fn run_child(rng: &mut Rng, path: &Path, seed: u64, run: u64) -> Said {
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command.args(["--exact", CHILD, "--nocapture", "--test-threads", "1"]);
    command.env(FILE, path).env(RUN, run.to_string()).env("GROOVE_SEED", seed.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running(command.spawn().expect("this test can be started"));
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut said = Said::default();
    let early = rng.chance(35);
    let wanted = 1 + rng.below(250);
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
    let longest = if early { [300, 1_500, 12_000][rng.below(3) as usize] } else { 2_000 };
    pause(Duration::from_micros(rng.below(longest)));
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

#[expect(clippy::disallowed_methods, reason = "the test bounds its own time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn every_acknowledged_op_survives_a_kill_whole_and_nothing_else_does() {
    if std::env::var(FILE).is_ok() {
        return; // A child.
    }
    let seed = seed_or(21);
    println!("seed {seed}; again by: GROOVE_SEED={seed} cargo test --test kill");
    let mut rng = Rng::new(seed);
    let begin = now();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut path = directory.path().join("0.groove");
    let mut model = Model::default();
    // Ops since the parent looked last: acknowledged, and acknowledged or under way.
    let (mut least, mut most) = (0, 0);
    let (mut early, mut in_flight, mut looks, mut ops) = (0, 0, 0, 0);
    let mut kills = 0;
    while kills < KILLS || early < 5 && kills < 2 * KILLS && begin.elapsed() < TIME / 2 {
        kills += 1;
        assert!(begin.elapsed() < TIME, "only {kills} kills in {:?}", begin.elapsed());
        if kills % 20 == 0 {
            // A new file: the next child may be killed while it creates it.
            path = directory.path().join(format!("{kills}.groove"));
            model = Model::default();
            (least, most) = (0, 0);
        }
        let said = run_child(&mut rng, &path, seed, kills);
        early += u64::from(said.opened.is_none());
        ops += said.acknowledgements;
        if let Some(opened) = said.opened {
            assert!((least..=most).contains(&opened), "{opened} is not of {least}..={most}");
            least = said.acknowledged.unwrap_or(opened);
            most = least + 1;
        }
        if rng.chance(35) {
            continue; // The next child recovers what this one left.
        }
        looks += 1;
        let forest = open(&path, kills + 1);
        let op = forest.snapshot().parcels.op();
        assert!((least..=most).contains(&op), "{op} is not of {least}..={most}");
        in_flight += u64::from(op > least);
        while model.op < op {
            model.apply(seed);
        }
        verify(&forest, &model);
        (least, most) = (op, op);
        if rng.chance(30) {
            forest.checkpoint().expect("the device is sound");
            verify(&forest, &model);
        }
    }
    println!(
        "{kills} kills ({early} before the forest was open), {looks} looks, {ops} ops, \
         {in_flight} in flight were kept, {:?}",
        begin.elapsed()
    );
    // How many kills come before the file is open is the machine's choice: printed, not asserted.
    assert!(kills >= 50 && looks >= 15, "{kills}, {looks}");
}
