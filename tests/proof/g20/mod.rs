//! G20: defects that are put into the engine on purpose, each found by a hunt in the manner of the
//! goal named for it. The same hunts, with the same seeds, find nothing in the sound engine.
//!
//! `GROOVE_PROOF_SHOW=1` prints what of each defect was found: the panic that ended the hunt.

mod compare;
mod device;
mod hunts;
mod script;
mod store;

use std::cell::Cell;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Once;

use groove_core::proof::Defect;
use libtest_mimic::Trial;

use crate::run::{Goal, trial};
use crate::tally::{Count, add};

use hunts::{HUNTS, Hunt, hunt_of};

/// The goal of the scheduled test, `tests/schedules.rs`, which finds its defects itself.
const SCHEDULES: &str = "G16";

pub(crate) fn trials() -> Vec<Trial> {
    let sound =
        HUNTS.map(|(name, hunt, seeds)| trial(name, move |goal: &Goal| goal.seeds(seeds, hunt)));
    let defects = Defect::ALL.iter().filter(|defect| defect.goal() != SCHEDULES);
    let defects = defects.map(|&defect| trial(defect.test_name(), move |_| find(defect)));
    sound.into_iter().chain(defects).collect()
}

/// Asserts that the hunt of its goal finds a defect.
fn find(defect: Defect) {
    let name = hunt_of(defect.goal());
    let by_name = HUNTS.into_iter().find(|(other, ..)| *other == name);
    let (_, hunt, seeds) = by_name.expect("a hunt by name");
    let found = (0..seeds).find(|seed| is_found(defect, hunt, *seed));
    let goal = defect.goal();
    assert!(found.is_some(), "{defect:?}: not found by {seeds} hunts as {goal} makes them");
    add(Count::Defects, 1);
}

thread_local! {
    /// Panics on this thread are what is looked for.
    static HUNTING: Cell<bool> = const { Cell::new(false) };
}

fn is_found(defect: Defect, hunt: Hunt, seed: u64) -> bool {
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
