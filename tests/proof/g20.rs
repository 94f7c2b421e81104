//! G20: defects that are put into the engine on purpose, each found by the goal named for it: by the code
//! of that goal, at a small scale. The same hunts, with the same seeds, find nothing in the sound engine.
//!
//! `GROOVE_PROOF_SHOW=1` prints what of each defect was found: the panic that ended the hunt.

use std::cell::Cell;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Once;

use groove_core::proof::Defect;
use libtest_mimic::Trial;

use crate::run::{Goal, trial};
use crate::tally::{Count, add};
use crate::{g1, g2, g3, g4, g5, g6, g7, g8, g9, g17};

/// A goal at a small scale.
struct Hunt {
    goal: &'static str,
    /// Its test in the sound engine.
    sound: &'static str,
    hunt: fn(u64),
    /// Seeds, from 0 on: more than the last defect takes to be found.
    seeds: u64,
}

const fn hunt(goal: &'static str, sound: &'static str, hunt: fn(u64), seeds: u64) -> Hunt {
    Hunt { goal, sound, hunt, seeds }
}

/// G16, the scheduled test (`tests/schedules`), finds its defects itself. No defect is left to G3 alone.
const HUNTS: [Hunt; 10] = [
    hunt("G1", "g20_sound_g1", g1::hunt, 6),
    hunt("G2", "g20_sound_g2", g2::hunt, 3),
    hunt("G3", "g20_sound_g3", g3::hunt, 1),
    hunt("G4", "g20_sound_g4", g4::hunt, 2),
    hunt("G5", "g20_sound_g5", g5::hunt, 2),
    hunt("G6", "g20_sound_g6", g6::hunt, 24),
    hunt("G7", "g20_sound_g7", g7::hunt, 2),
    hunt("G8", "g20_sound_g8", g8::hunt, 2),
    hunt("G9", "g20_sound_g9", g9::hunt, 3),
    hunt("G17", "g20_sound_g17", g17::hunt, 1),
];

pub(crate) fn trials() -> Vec<Trial> {
    let sound = HUNTS
        .iter()
        .map(|hunt| trial(hunt.sound, move |goal: &Goal| goal.seeds(hunt.seeds, hunt.hunt)));
    let defects = Defect::ALL.iter().filter(|defect| defect.goal() != "G16");
    let defects = defects.map(|&defect| trial(defect.test_name(), move |_| find(defect)));
    sound.chain(defects).collect()
}

/// Asserts that its goal finds a defect.
fn find(defect: Defect) {
    let goal = defect.goal();
    let hunt = HUNTS.iter().find(|hunt| hunt.goal == goal).expect("a hunt per goal");
    let found = (0..hunt.seeds).find(|seed| is_found(defect, hunt.hunt, *seed));
    let Some(seed) = found else { panic!("{defect:?}: {goal} did not find it") };
    println!("{defect:?}: found by {goal} with seed {seed}");
    add(Count::Defects, 1);
}

thread_local! {
    /// Panics on this thread are what is looked for.
    static HUNTING: Cell<bool> = const { Cell::new(false) };
}

fn is_found(defect: Defect, hunt: fn(u64), seed: u64) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !HUNTING.get() || std::env::var_os("GROOVE_PROOF_SHOW").is_some() {
                print(panic);
            }
        }));
    });
    HUNTING.set(true);
    let seeded = defect.seed();
    let found = catch_unwind(|| hunt(seed)).is_err();
    drop(seeded);
    HUNTING.set(false);
    found
}
