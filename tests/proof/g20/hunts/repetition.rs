//! As G8: the same scopes give the same file whatever is cached, and the same tables, in other
//! places, whenever it is closed and opened again.

use groove::Statistics;

use super::device::Device;
use super::store::Model;
use super::{Rng, Script, Setting, setting};

const SCOPES: u64 = 70;

pub(super) fn hunt(seed: u64) {
    let base = setting(&mut Rng::new(seed), false);
    let cache = |size| Setting { options: base.options.clone().cache_size(size), ..base.clone() };
    let (plain, steps) = run(seed, &cache(0), false);
    let (cached, _) = run(seed, &cache(8 << 20), false);
    assert!(plain == cached, "another cache, another file");
    let (_, steps_reopened) = run(seed, &base, true);
    assert_eq!(steps, steps_reopened, "reopened, and other tables");
}

/// The file at the end, and what tables there were after each scope.
fn run(seed: u64, setting: &Setting, reopen: bool) -> (Vec<u8>, Vec<[u64; 5]>) {
    let device = Device::default();
    let mut rng = Rng::new(seed);
    let open = |rng, model| Script::open(&device, setting, rng, |_| model).unwrap();
    let mut script = open(Rng::new(seed), Model::default());
    let mut steps = Vec::new();
    for _ in 0..SCOPES {
        script.step().unwrap();
        steps.push(tables(&script.forest.statistics()));
        if rng.chance(8) && reopen {
            let (rng, model) = (script.rng.clone(), script.model().clone());
            script.forest.close().unwrap();
            script = open(rng, model);
        }
    }
    script.forest.checkpoint().unwrap();
    (device.bytes(), steps)
}

/// Not how much is free: replay sorts the changes of a bar once, so it reserves less for them.
fn tables(statistics: &Statistics) -> [u64; 5] {
    let Statistics { op, checkpoint_op, tables, levels, table_bytes, .. } = *statistics;
    [op, checkpoint_op, tables, u64::from(levels), table_bytes]
}
