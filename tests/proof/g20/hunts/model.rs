//! As G6 and G7: the forest against a model, in various sizes, over snapshots and reopens.

use super::compare::compare;
use super::store::{Model, StoreSnapshot};
use super::{Rng, Script};

const SCOPES: u64 = 200;
const SNAPSHOTS_MAX: usize = 3;

pub(super) fn hunt(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut script = Script::create(Rng::new(rng.next()), false);
    let mut held: Vec<(StoreSnapshot, Model)> = Vec::new();
    for number in 1..=SCOPES {
        script.step().unwrap();
        if rng.chance(10) {
            compare(&script.forest.snapshot(), script.model(), &mut rng, 8);
        }
        if rng.chance(5) && held.len() < SNAPSHOTS_MAX {
            held.push((script.forest.snapshot(), script.model().clone()));
        }
        if rng.chance(4) && !held.is_empty() {
            let (snapshot, model) = held.swap_remove(0);
            compare(&snapshot, &model, &mut rng, 4);
        }
        if number % 60 == 0 {
            held.clear();
            script = reopen(script, rng.chance(50));
            compare(&script.forest.snapshot(), script.model(), &mut rng, 8);
        }
    }
    for (snapshot, model) in held {
        compare(&snapshot, &model, &mut rng, 8);
    }
}

fn reopen(script: Script, close: bool) -> Script {
    let (device, setting, rng) =
        (script.device.clone(), script.setting.clone(), script.rng.clone());
    let (op, model) = (script.op(), script.model().clone());
    if close {
        script.forest.close().unwrap();
    } else {
        drop(script);
    }
    let reopened = Script::open(&device, &setting, rng, |_| model).unwrap();
    assert_eq!(reopened.op(), op, "the newest op after a reopen");
    reopened
}
