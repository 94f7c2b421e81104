//! The small versions of the goals, which look for defects: in a sound engine they find none.

use libtest_mimic::Trial;

use crate::run::{Goal, trial};
use crate::{g1, g2, g3, g6, g9};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("hunts_find_nothing", |goal: &Goal| goal.seeds(4, hunts))]
}

fn hunts(seed: u64) {
    for hunt in [g1::hunt, g2::hunt, g3::hunt, g6::hunt, g9::hunt] {
        hunt(seed);
    }
}
