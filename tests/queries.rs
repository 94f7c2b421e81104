//! Random queries of random objects of several schemas against a plain filter over all objects, in
//! every state that storage can be in.
//!
//! Each round fills a forest of one object type and takes it through all states; in each, random
//! predicates (depth to 5) are asked in all ways that a query can end, in both directions, with limits,
//! cursors and ranges of timestamps. At the end it is asserted how often every pair of operators met
//! under `&` and under `|`. All that is random comes from one seed, which a failure prints.
//! `GROOVE_SEED` replaces it, `GROOVE_ROUNDS` the number of rounds.

#[path = "queries/ask.rs"]
mod ask;
#[path = "queries/column.rs"]
mod column;
#[path = "queries/kinds.rs"]
mod kinds;
#[path = "queries/limits.rs"]
mod limits;
#[path = "queries/predicate.rs"]
mod predicate;
#[path = "proof/model/rng.rs"]
mod rng;
#[path = "queries/states.rs"]
mod states;
#[path = "queries/tally.rs"]
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use kinds::{Account, Event, Item, Mark, Order};
use rng::Rng;
use states::round;
use tally::Tally;

/// Rounds of the test command; each takes one object type through all states.
const ROUNDS: u64 = 40;
/// Executions that they must come to.
const EXECUTIONS_MIN: u64 = 200_000;
/// How often each pair of operators must have met under the same `&`, and under the same `|`.
const PAIRS_MIN: u64 = 1_000;

#[test]
fn random_queries_give_what_a_filter_over_all_objects_gives_in_every_state_of_storage() {
    let (seed, rounds) = (number("GROOVE_SEED", 1), number("GROOVE_ROUNDS", ROUNDS));
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        for at in 0..rounds {
            match at % 5 {
                0 => round::<Order>(&mut rng, &mut tally),
                1 => round::<Event>(&mut rng, &mut tally),
                2 => round::<Item>(&mut rng, &mut tally),
                3 => round::<Account>(&mut rng, &mut tally),
                _ => round::<Mark>(&mut rng, &mut tally),
            }
        }
    }));
    tally.print();
    if let Err(panic) = result {
        eprintln!("again by: GROOVE_SEED={seed} cargo test --test queries");
        resume_unwind(panic);
    }
    if rounds >= ROUNDS {
        tally.assert(EXECUTIONS_MIN, PAIRS_MIN);
    }
}

/// The number in a variable of the environment, or `default`.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().expect("a decimal number"))
}
