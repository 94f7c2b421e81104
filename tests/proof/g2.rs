//! G2: a power loss while the forest recovers from a power loss, three deep, and just after.
//!
//! An image of a crash is opened and a few ops are made; the calls of that are crashed in their turn,
//! and so on. What an open has shown is durable: however often the power goes, no later open shows
//! less. A power loss within an open takes nothing away and adds nothing.

use groove_core::proof::{Image, Random, SimulatedStorage, crash_image};
use libtest_mimic::Trial;

use crate::g1::{BUFFERED, SYNCED};
use crate::post::{Setting, apply, verify, verify_objects};
use crate::run::{Goal, trial};
use crate::tally::{Count, add};
use crate::tape::{History, Known, Script, open};

const DEPTH: u64 = 3;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g2_power_loss_in_recovery_synced", |goal| in_recovery(goal, 3, SYNCED)),
        trial("g2_power_loss_in_recovery_buffered", |goal| in_recovery(goal, 4, BUFFERED)),
    ]
}

/// Some chains of crashes from a short script.
pub(crate) fn hunt(seed: u64) {
    let setting = if seed.is_multiple_of(2) { SYNCED } else { BUFFERED };
    let script = Script::record(seed, 1, 60, setting);
    (0..200).for_each(|seed| chain(&script, seed));
}

fn in_recovery(goal: &Goal, seed: u64, setting: Setting) {
    let script = Script::record(seed, 4, 150, setting);
    goal.seeds(5_000 / DEPTH, |seed| chain(&script, seed));
}

/// A crash of the script, and crashes in what follows.
pub(crate) fn chain(script: &Script, seed: u64) {
    let mut random = Random::new(seed);
    let (tape, point) = script.point(random.below(script.points() as u64) as usize);
    let (medium, unsynced) = tape.journal.at(point);
    let mut image = crash_image(medium, unsynced, random.below(12), &mut random);
    let mut history = tape.history.clone();
    let mut known = tape.known(point);
    let setting = Setting { cache_size: 1 << 20, ..tape.setting };
    for _ in 0..DEPTH {
        (image, known) = crash_again(&image, known, &mut history, setting, &mut random);
    }
    let forest = open(&SimulatedStorage::from_image(image, seed), setting);
    let op = forest.snapshot().parcels.op();
    assert!((known.acknowledged..=known.submitted).contains(&op), "op {op}, {known:?}");
    verify(&forest, &history.at(op));
}

/// Opens an image, goes on for a few ops, and crashes anywhere in this.
fn crash_again(
    image: &Image,
    known: Known,
    history: &mut History,
    setting: Setting,
    random: &mut Random,
) -> (Image, Known) {
    let storage = SimulatedStorage::from_image(image.clone(), random.next());
    storage.record();
    let forest = open(&storage, setting);
    let opened = storage.event_count();
    let found = forest.snapshot().parcels.op();
    assert!((known.acknowledged..=known.submitted).contains(&found), "op {found}, {known:?}");
    history.cut(found);
    verify_objects(&forest, &history.at(found));
    // Each op: the calls before it and after it, so that the crash knows what was promised.
    let mut ends = vec![opened];
    let ops = if random.chance(50) { 0 } else { 1 + random.below(12) };
    for op in found + 1..=found + ops {
        let seed = random.next();
        forest.write(|tx| apply(tx, seed, op)).unwrap_or_else(|error| panic!("{error:?}"));
        history.push(seed);
        ends.push(storage.event_count());
    }
    drop(forest);
    let journal = storage.take_journal();
    let point = random.below(journal.events().len() as u64 + 1) as usize;
    let returned = ends.partition_point(|end| *end <= point) as u64;
    let synced = setting.durability == groove::Durability::Sync;
    let known = Known {
        acknowledged: if synced { found + returned.saturating_sub(1) } else { found },
        submitted: if returned == 0 { found } else { (found + returned).min(found + ops) },
    };
    let (medium, unsynced) = journal.at(point);
    let image = crash_image(medium, unsynced, random.below(12), random);
    add(Count::Images, 1);
    add(Count::CrashPoints, 1);
    (image, known)
}
