//! Short searches, each in the manner of a goal. They panic if they find something.

mod crash;
mod damage;
mod faults;
mod model;
mod refusal;
mod repetition;

use super::rng::Rng;
use super::script::{Script, Setting, setting};
use super::{compare, device, store};

/// A search with one seed.
pub(super) type Hunt = fn(u64);

/// Names, the hunts of these names, and how many seeds each has.
pub(super) const HUNTS: [(&str, Hunt, u64); 6] = [
    ("model", model::hunt, 16),
    ("crash", crash::hunt, 16),
    ("faults", faults::hunt, 160),
    ("damage", damage::hunt, 16),
    ("repetition", repetition::hunt, 16),
    ("refusal", refusal::hunt, 4),
];

/// The hunt that is made as a goal is.
pub(super) fn hunt_of(goal: &str) -> &'static str {
    match goal {
        "G1" | "G2" => "crash",
        "G4" | "G5" => "damage",
        "G6" | "G7" => "model",
        "G8" => "repetition",
        "G9" => "faults",
        "G17" => "refusal",
        _ => panic!("no hunt is made as {goal} is"),
    }
}
