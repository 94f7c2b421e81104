//! G9: every call of a script fails in its turn: once, or it and all after it.
//!
//! The script is cut in stretches that each begin with an open. Within a stretch the n-th call fails,
//! for every n: a read (in one of twelve stretches, where each read of a reader fails too), a write
//! that is torn, a sync after which what it should have written is lost, a reservation. Asserted: the
//! error reaches the caller; what a reader has seen is not lost; a handle that may have lost something takes
//! no writes any more and goes on reading; a reopen, and a power loss before or after it, give a state
//! that was promised, in which nothing that was refused is. Then the disk is full, with each number of
//! sectors left: it refuses without harm, and takes writes again when it has space.

use std::io::ErrorKind;
use std::sync::Arc;

use groove::{
    CommitError, Durability, Forest, InsertError, OpenError, ReadError, UpdateError, WriteError,
};
use groove_core::proof::{Call, Fault, Image, Random, SimulatedStorage};
use libtest_mimic::Trial;

use crate::g1::{BUFFERED, SYNCED, found};
use crate::post::{Post, Setting, apply, compare, verify, verify_objects};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};
use crate::tape::{History, Known, open};

/// Reads fail in one of so many stretches, all other calls in each.
const READS_EVERY: usize = 12;
/// The disk is full in one of so many stretches.
const FULL_EVERY: usize = 6;
const SECTOR: u64 = 4096;
/// How a device is opened that fails no more: with a cache, since no read is to reach it.
const SOUND: Setting = Setting { cache_size: 4 << 20, ..SYNCED };
/// Ops of a stretch.
const OPS: u64 = 12;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g9_failing_calls_synced", |goal| each_call(goal, 5, SYNCED)),
        trial("g9_failing_calls_buffered", |goal| each_call(goal, 6, BUFFERED)),
    ]
}

/// What is put at each call.
const FAULTS: &[(&[Call], ErrorKind, bool)] = &[
    (&[Call::Write], ErrorKind::Other, false),
    (&[Call::Write], ErrorKind::Other, true),
    (&[Call::Write], ErrorKind::StorageFull, false),
    (&[Call::Sync], ErrorKind::Other, false),
    (&[Call::Sync], ErrorKind::Other, true),
    (&[Call::Allocate], ErrorKind::StorageFull, false),
    (&[Call::Allocate, Call::Write], ErrorKind::StorageFull, true),
    (&[Call::Read], ErrorKind::Other, false),
    (&[Call::Read], ErrorKind::Other, true),
    (Call::ALL, ErrorKind::Interrupted, true),
];

/// A few stretches with each fault at each call.
pub(crate) fn hunt(seed: u64) {
    let setting = if seed.is_multiple_of(2) { SYNCED } else { BUFFERED };
    let stretches = stretches(seed, 4, setting);
    for (fault, stretch) in stretches.iter().flat_map(at_each_fault) {
        fail_each_call(stretch, fault, setting, seed);
    }
    fill_the_disk(&stretches[3], setting, seed);
}

fn at_each_fault(stretch: &Stretch) -> impl Iterator<Item = (usize, &Stretch)> {
    (0..FAULTS.len()).map(move |fault| (fault, stretch))
}

fn each_call(goal: &Goal, seed: u64, setting: Setting) {
    let setting = Setting { cache_size: 0, ..setting };
    // A stretch is a twelfth of a second or so.
    let count = goal.scaled(84);
    let stretches = stretches(seed, count, setting);
    goal.seeds(84 * FAULTS.len() as u64, |seed| {
        let (stretch, fault) = (seed as usize / FAULTS.len(), seed as usize % FAULTS.len());
        // A stretch has a hundred calls that change something and up to two thousand reads.
        if FAULTS[fault].0.contains(&Call::Read) && !stretch.is_multiple_of(READS_EVERY) {
            return;
        }
        let of_seed = &stretches[stretch % stretches.len()];
        fail_each_call(of_seed, fault, setting, seed);
        if fault == 0 && stretch.is_multiple_of(FULL_EVERY) {
            fill_the_disk(of_seed, setting, seed);
        }
    });
}

/// A device, and what is on it.
struct Stretch {
    image: Image,
    history: History,
}

/// The beginnings of stretches of one history: after a close or a power loss.
fn stretches(seed: u64, count: u64, setting: Setting) -> Vec<Stretch> {
    let mut random = Random::new(seed);
    let mut storage = SimulatedStorage::new(seed);
    let mut history = History::new();
    drop(open(&storage, setting));
    let mut stretches = Vec::new();
    for _ in 0..count {
        let image = storage.medium();
        stretches.push(Stretch { image: image.clone(), history: history.clone() });
        storage = SimulatedStorage::from_image(image, seed);
        let forest = open(&storage, setting);
        for _ in 0..OPS {
            let (seed, op) = (random.next(), history.op() + 1);
            forest.write(|tx| apply(tx, seed, op)).unwrap_or_else(|error| panic!("{error:?}"));
            history.push(seed);
        }
        if random.chance(50) {
            forest.close().expect("the device is sound");
        } else {
            drop(forest);
            storage = SimulatedStorage::from_image(storage.cached(), seed);
        }
    }
    stretches
}

/// Runs a stretch until it has no call of the fault's kinds that did not fail.
fn fail_each_call(stretch: &Stretch, fault: usize, setting: Setting, seed: u64) {
    let (calls, kind, for_good) = FAULTS[fault];
    for after in 0.. {
        let storage = SimulatedStorage::from_image(stretch.image.clone(), seed ^ after);
        storage.fail(Fault { calls, after, for_good, kind });
        let mut run = Run::new(storage, stretch.history.clone(), setting, seed);
        run.run();
        add(Count::CrashPoints, 1);
        let failed = run.storage.failed();
        // What was written is the same whichever read of a reader fails: they need no run each.
        if failed == 0 && calls == [Call::Read] && !for_good {
            run.fail_each_read_of_a_reader(kind);
        }
        run.judge(kind);
        if failed == 0 {
            break;
        }
    }
}

/// Runs a stretch on a disk with room for some sectors more, from none on until it needs no more. Nothing
/// is reserved behind the last block.
fn fill_the_disk(stretch: &Stretch, setting: Setting, seed: u64) {
    let mut image = stretch.image.clone();
    let mut grid_end = [0; 8];
    assert!(image.read(280, &mut grid_end), "a superblock is in the file");
    image.set_length(u64::from_le_bytes(grid_end));
    for sectors in 0.. {
        let storage = SimulatedStorage::from_image(image.clone(), seed ^ sectors);
        storage.set_capacity(image.length() + sectors * SECTOR);
        let mut run = Run::new(storage, stretch.history.clone(), setting, seed);
        run.run();
        add(Count::CrashPoints, 1);
        assert!(!matches!(run.end, End::Dead(_)), "{sectors} sectors: refused with harm");
        let is_refused = run.is_refused || matches!(run.end, End::Refused(_));
        run.judge(ErrorKind::StorageFull);
        if !is_refused {
            break;
        }
    }
}

/// A stretch on a device that fails.
struct Run {
    storage: SimulatedStorage,
    history: History,
    known: Known,
    /// Whether an op was refused for want of space.
    is_refused: bool,
    setting: Setting,
    random: Random,
    end: End,
}

enum End {
    Open(Forest<Post>),
    Dead(Forest<Post>),
    Refused(OpenError),
}

fn try_open(storage: &SimulatedStorage, setting: Setting) -> Result<Forest<Post>, OpenError> {
    Forest::open_storage(Arc::new(storage.clone()), setting.options())
}

impl Run {
    fn new(storage: SimulatedStorage, history: History, setting: Setting, seed: u64) -> Run {
        let op = history.op();
        let known = Known { acknowledged: op, submitted: op };
        let end = match try_open(&storage, setting) {
            Ok(forest) => End::Open(forest),
            Err(error) => End::Refused(error),
        };
        let random = Random::new(seed);
        Run { storage, history, known, is_refused: false, setting, random, end }
    }

    fn run(&mut self) {
        let End::Open(forest) = &self.end else { return };
        let forest = forest.clone();
        for step in 0..OPS {
            let (seed, op) = (self.random.next(), self.history.op() + 1);
            self.known.submitted = op;
            match forest.write(|tx| apply(tx, seed, op)) {
                Ok(()) => {
                    self.history.push(seed);
                    if self.setting.durability == Durability::Sync {
                        self.known.acknowledged = op;
                    }
                }
                Err(error) => {
                    let is_full = matches!(error, WriteError::Commit(CommitError::NoSpace { .. }));
                    self.is_refused |= is_full;
                    assert!(is_full || self.storage.failed() > 0, "without a reason: {error:?}");
                    if is_final(&error) {
                        // It may be in the log.
                        self.history.push(seed);
                        self.end = End::Dead(forest);
                        return;
                    }
                    self.known.submitted = op - 1;
                }
            }
            let ended = match step {
                5 => forest.checkpoint(),
                9 => forest.sync(),
                _ => continue,
            };
            match ended {
                Ok(()) => self.known.acknowledged = self.history.op(),
                Err(CommitError::NoSpace { .. }) => self.is_refused = true,
                Err(CommitError::Dead { .. } | CommitError::Read(ReadError::Io { .. })) => {
                    self.end = End::Dead(forest);
                    return;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// Reads everything, once for each read that fails on the way: what is found is right, or an error.
    fn fail_each_read_of_a_reader(&self, kind: ErrorKind) {
        let End::Open(forest) = &self.end else { panic!("no call failed") };
        let (snapshot, model) = (forest.snapshot(), self.history.at(self.history.op()));
        for after in 0.. {
            self.storage.fail(Fault { calls: &[Call::Read], after, for_good: false, kind });
            let compared = compare(&snapshot, &model);
            add(Count::CrashPoints, 1);
            let failed = self.storage.repair();
            assert_eq!(compared.is_err(), failed > 0, "read {after}: {compared:?}");
            if failed == 0 {
                break;
            }
        }
    }

    /// Repairs the device and looks at what is left.
    fn judge(self, kind: ErrorKind) {
        let Run { storage, history, mut known, setting, mut random, end, .. } = self;
        let failed = storage.failed();
        let newest = history.op();
        // While the device still fails, a read is right or an error.
        if let End::Open(forest) | End::Dead(forest) = &end {
            let snapshot = forest.snapshot();
            let shown = snapshot.parcels.op();
            assert!((known.acknowledged..=newest).contains(&shown), "{shown} is shown, {known:?}");
            // What a reader has seen is not lost any more.
            if setting.durability == Durability::Sync {
                known.acknowledged = shown;
            }
            let _ = compare(&snapshot, &history.at(shown));
        }
        storage.repair();
        storage.set_capacity(u64::MAX);
        let lost = storage.crash(random.below(12), &mut random);
        match end {
            End::Refused(error) => assert_refused(&error, kind),
            End::Dead(forest) => assert_dead(&forest, &history),
            End::Open(forest) => {
                verify(&forest, &history.at(newest));
                let seed = random.next();
                match forest.write(|tx| apply(tx, seed, newest + 1)) {
                    // The mark of the last op failed, which nobody has been told so far.
                    Err(error) if failed > 0 && is_final(&error) => assert_dead(&forest, &history),
                    written => {
                        written.unwrap_or_else(|error| panic!("on a sound device: {error:?}"));
                        let mut after = history.clone();
                        after.push(seed);
                        verify_objects(&forest, &after.at(newest + 1));
                        drop(forest);
                        verify(&open(&storage, SOUND), &after.at(newest + 1));
                        reopen(lost, known, &history);
                        return;
                    }
                }
            }
        }
        reopen(lost, known, &history);
        let forest = open(&storage, SOUND);
        let model = found(&forest, known, &history);
        verify(&forest, &model);
        drop(forest);
        // What was shown by an open is there after a power loss.
        let lost = storage.crash(random.below(12), &mut random);
        verify_objects(&open(&SimulatedStorage::from_image(lost, 0), SOUND), &model);
        add(Count::Images, 2);
    }
}

/// A dead handle reads on, and takes no writes although the device is sound again.
fn assert_dead(forest: &Forest<Post>, history: &History) {
    let snapshot = forest.snapshot();
    let shown = history.at(snapshot.parcels.op());
    compare(&snapshot, &shown).unwrap_or_else(|error| panic!("{error:?}"));
    let refused = forest.write(|tx| apply(tx, 0, history.op() + 1));
    assert!(refused.is_err_and(|error| is_final(&error)), "a dead handle wrote");
    assert!(forest.checkpoint().is_err() && forest.sync().is_err());
}

/// Opens what a power loss left, and writes.
fn reopen(image: Image, known: Known, history: &History) {
    let forest = open(&SimulatedStorage::from_image(image, 0), SOUND);
    let mut model = found(&forest, known, history);
    verify(&forest, &model);
    let op = model.op + 1;
    forest.write(|tx| apply(tx, 1, op)).unwrap_or_else(|error| panic!("{error:?}"));
    model.apply(1);
    verify_objects(&forest, &model);
    add(Count::Images, 1);
}

/// Whether the handle takes no more writes. Any other error leaves everything as it was.
fn is_final(error: &WriteError) -> bool {
    match error {
        WriteError::Commit(CommitError::Dead { .. } | CommitError::Read(ReadError::Io { .. })) => {
            true
        }
        WriteError::Insert(InsertError::Read(ReadError::Io { .. }))
        | WriteError::Update(UpdateError::Read(ReadError::Io { .. }))
        | WriteError::Read(ReadError::Io { .. })
        | WriteError::Query(groove::QueryError::Read(ReadError::Io { .. }))
        | WriteError::Commit(CommitError::NoSpace { .. }) => false,
        other => panic!("{other:?}"),
    }
}

fn assert_refused(error: &OpenError, kind: ErrorKind) {
    let is_expected = match error {
        OpenError::NoSpace { .. } => kind == ErrorKind::StorageFull,
        OpenError::Io { source, .. } => source.kind() == kind,
        OpenError::Commit { source: CommitError::Dead { source }, .. } => source.kind() == kind,
        OpenError::Commit { source: CommitError::Read(ReadError::Io { source, .. }), .. } => {
            source.kind() == kind
        }
        _ => false,
    };
    assert!(is_expected, "{error:?}");
}
