//! As G8: the same scopes with other caches and with reopens between them give the same tables.

use super::device::Device;
use super::store::Model;
use super::{Rng, Script, Setting, setting};

const SCOPES: u64 = 70;

pub(super) fn hunt(seed: u64) {
    let base = setting(&mut Rng::new(seed), false);
    let cache = |size| Setting { options: base.options.clone().cache_size(size), ..base.clone() };
    let plain = run(seed, &cache(0), false);
    let cached = run(seed, &cache(8 << 20), false);
    assert!(plain == cached, "another cache, another file");
    let reopened = run(seed, &base, true);
    assert!(plain == reopened, "reopened, and another file");
}

/// The grid at the end: what is before it counts the opens. Space that is reserved and was never
/// written does not count.
fn run(seed: u64, setting: &Setting, reopen: bool) -> Vec<u8> {
    let device = Device::default();
    let mut rng = Rng::new(seed);
    let open = |rng, model| Script::open(&device, setting, rng, |_| model).unwrap();
    let mut script = open(Rng::new(seed), Model::default());
    let grid_offset = device.bytes().len() - SCHEMA_SIZE;
    for _ in 0..SCOPES {
        script.step().unwrap();
        if rng.chance(8) && reopen {
            let (rng, model) = (script.rng.clone(), script.model().clone());
            script.forest.close().unwrap();
            script = open(rng, model);
        }
    }
    script.forest.checkpoint().unwrap();
    let mut grid = device.bytes().split_off(grid_offset);
    grid.truncate(grid.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    grid
}

/// What a new file has behind the log.
const SCHEMA_SIZE: usize = 4096;
