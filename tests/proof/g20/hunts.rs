//! Short searches, each in the manner of a goal. They panic if they find something.

mod crash;
mod damage;
mod faults;
mod model;
mod refusal;
mod repetition;

use super::script::{Script, Setting, setting};
use super::{compare, device, store};
use crate::model::rng::Rng;

/// A search with one seed.
pub(super) type Hunt = fn(u64);

/// The tests of the sound engine, the hunts that they make, and how many seeds each has.
pub(super) const HUNTS: [(&str, Hunt, u64); 6] = [
    ("g20_sound_model", model::hunt, 16),
    ("g20_sound_crash", crash::hunt, 16),
    ("g20_sound_faults", faults::hunt, 160),
    ("g20_sound_damage", damage::hunt, 16),
    ("g20_sound_repetition", repetition::hunt, 16),
    ("g20_sound_refusal", refusal::hunt, 4),
];

/// The hunt that is made as a goal is.
pub(super) fn hunt_of(goal: &str) -> &'static str {
    match goal {
        "G1" | "G2" => "g20_sound_crash",
        "G4" | "G5" => "g20_sound_damage",
        "G6" | "G7" => "g20_sound_model",
        "G8" => "g20_sound_repetition",
        "G9" => "g20_sound_faults",
        "G17" => "g20_sound_refusal",
        _ => panic!("no hunt is made as {goal} is"),
    }
}
