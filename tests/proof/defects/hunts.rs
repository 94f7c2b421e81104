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

/// Names, and the hunts of these names.
pub(super) const HUNTS: [(&str, Hunt); 6] = [
    ("model", model::hunt),
    ("crash", crash::hunt),
    ("faults", faults::hunt),
    ("damage", damage::hunt),
    ("repetition", repetition::hunt),
    ("refusal", refusal::hunt),
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
