//! G1: a power loss at every call that changes the device.
//!
//! After each call of a script, images of what a crash may leave are made, opened and compared.
//! Asserted of each: it opens; the state is that after an op which is not before the last one that was
//! acknowledged, and not after the last that was submitted: every object is the model's, and the full
//! check of the open forest shows that objects and index entries prove each other both ways in every
//! block and that the free set is what is left; a second open finds the same op. Of the images of a
//! crash each third is asked more, in turn: the check of the file before it is opened; every key of every
//! index by queries; every object after the second open. One in four takes the next op.
//!
//! The engine runs in one thread here, so that each call can be named. `tests/schedules` does the same
//! with compaction threads.

use std::sync::Arc;

use groove::{Durability, Forest};
use groove_core::proof::{CrashImages, Image, Random, SimulatedStorage};
use libtest_mimic::Trial;

use crate::post::{Model, Post, Setting, apply, verify, verify_objects, verify_trees};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};
use crate::tape::{History, Known, Script, open};

/// Images of each crash that leaves anything open.
const IMAGES: usize = 9;

pub(crate) const SYNCED: Setting =
    Setting { threads: 0, cache_size: 64 << 10, durability: Durability::Sync };
pub(crate) const BUFFERED: Setting = Setting { durability: Durability::Buffered, ..SYNCED };

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g1_power_loss_synced", |goal| power_loss(goal, 1, SYNCED)),
        trial("g1_power_loss_buffered", |goal| power_loss(goal, 2, BUFFERED)),
    ]
}

/// A short script, with a power loss at each of its calls.
pub(crate) fn hunt(seed: u64) {
    let setting = if seed.is_multiple_of(2) { SYNCED } else { BUFFERED };
    let script = Script::record(seed, 2, 60, setting);
    for point in 0..script.points() {
        crash(&script, point, seed);
    }
}

fn power_loss(goal: &Goal, seed: u64, setting: Setting) {
    let lives = 8;
    // Entries that no sync comes between share slots of the log, so more of them make a bar.
    let (ops, per_checkpoint) = match setting.durability {
        Durability::Sync => (250, 12),
        Durability::Buffered => (500, 30),
    };
    let script = Script::record(seed, lives, ops, setting);
    let reached = script.reached;
    println!("{} calls, {reached:?}", script.points());
    assert!(
        reached.levels >= 3 && reached.checkpoints >= lives * ops / per_checkpoint,
        "{reached:?}"
    );
    assert!(reached.manifest_compactions >= lives && reached.wraps > 0, "{reached:?}");
    assert!(reached.held_checkpoints >= lives && reached.held_compared >= lives, "{reached:?}");
    assert!(reached.full >= lives / 2 && reached.opens >= lives / 2, "{reached:?}");
    assert!(setting.durability == Durability::Sync || reached.doubtful > 0, "{reached:?}");
    let points = script.points();
    // Neighbours are far apart, so that a part of the proof is a part of each life.
    let stride = (points * 3 / 5..).find(|stride| is_coprime(*stride, points)).expect("a prime");
    goal.seeds(points as u64, |seed| {
        crash(&script, (seed as usize % points) * stride % points, seed);
    });
}

fn is_coprime(mut one: usize, mut other: usize) -> bool {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one == 1
}

/// All images of the crash at one moment.
pub(crate) fn crash(script: &Script, point: usize, seed: u64) {
    let (tape, events) = script.point(point);
    let known = tape.known(events);
    let (medium, unsynced) = tape.journal.at(events);
    let images = CrashImages::new(medium, unsynced, Random::new(seed));
    let mut seen: Vec<Image> = Vec::new();
    for (nth, image) in images.take(if unsynced.is_empty() { 1 } else { IMAGES }).enumerate() {
        if !seen.contains(&image) {
            let next_op = (nth % 4 == 3).then_some(seed ^ nth as u64);
            let more =
                More { check: nth % 3 == 0, keys: nth % 3 == 1, reopened: nth % 3 == 2, next_op };
            judge(&image, known, &tape.history, tape.setting, more);
            seen.push(image);
        }
    }
    add(Count::Images, seen.len() as u64);
    add(Count::CrashPoints, 1);
}

/// What is asked of some images of a crash.
struct More {
    /// The check of the file before it is opened.
    check: bool,
    /// Every key of every index.
    keys: bool,
    /// Every object after a second open.
    reopened: bool,
    /// The seed of an op between the two opens.
    next_op: Option<u64>,
}

/// Opens an image twice.
fn judge(image: &Image, known: Known, history: &History, setting: Setting, more: More) {
    let storage = SimulatedStorage::from_image(image.clone(), 0);
    let setting = Setting { threads: 0, cache_size: 4 << 20, ..setting };
    let checked = more.check.then(|| {
        let checked = Forest::<Post>::verify_storage(Arc::new(storage.clone()), setting.options());
        checked.unwrap_or_else(|error| panic!("the check of the file: {error:?}")).op
    });
    let forest = open(&storage, setting);
    let mut model = found(&forest, known, history);
    if let Some(checked) = checked {
        assert_eq!(checked, model.op, "the check saw another state than the open");
    }
    match more.keys {
        true => verify(&forest, &model),
        false => verify_trees(&forest, &model),
    }
    if let Some(seed) = more.next_op {
        let op = model.op + 1;
        forest.write(|tx| apply(tx, seed, op)).unwrap_or_else(|error| panic!("{error:?}"));
        model.apply(seed);
    }
    drop(forest);
    let forest = open(&storage, setting);
    assert_eq!(forest.snapshot().parcels.op(), model.op, "the op that a second open finds");
    if more.next_op.is_some() {
        verify_trees(&forest, &model);
    } else if more.reopened {
        verify_objects(&forest, &model);
    }
}

/// The state that was found, which is one of those that may be.
pub(crate) fn found(forest: &Forest<Post>, known: Known, history: &History) -> Model {
    let op = forest.snapshot().parcels.op();
    let Known { acknowledged, submitted } = known;
    assert!((acknowledged..=submitted).contains(&op), "op {op} was found, {known:?}");
    history.at(op)
}
