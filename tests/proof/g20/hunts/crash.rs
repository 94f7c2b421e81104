//! As G1 and G2: images of crashes at some calls, in a script, and in the recovery and the scopes
//! after it.

use super::compare::compare;
use super::device::Device;
use super::{Rng, Script};

const SCOPES: u64 = 70;
const IMAGES: usize = 24;
/// Of a forest that was recovered.
const SCOPES_LATER: u64 = 8;
const IMAGES_LATER: usize = 2;
const CRASHES: u32 = 3;

pub(super) fn hunt(seed: u64) {
    let mut rng = Rng::new(seed);
    let buffered = rng.chance(30);
    let mut script = Script::create(Rng::new(rng.next()), buffered);
    let created = script.device.events();
    for _ in 0..SCOPES {
        script.step().unwrap();
    }
    crash(&script, created, IMAGES, CRASHES, &mut rng);
}

/// Checks images of crashes of `script` after `from` calls or more, which may crash in turn.
fn crash(script: &Script, from: usize, images: usize, crashes: u32, rng: &mut Rng) {
    let calls = (script.device.events() - from) as u64;
    let mut points: Vec<usize> = Vec::new();
    points.resize_with(images, || from + rng.below(calls + 1) as usize);
    points.sort_unstable();
    let mut fates = Rng::new(rng.next());
    script.device.crash(&points, &mut fates, |point, image| {
        let device = Device::of(image);
        let (oldest, newest) = script.ops(point);
        let mut next = Script::open(&device, &script.setting, Rng::new(rng.next()), |op| {
            assert!((oldest..=newest).contains(&op), "op {op} is not from {oldest} to {newest}");
            script.state(op)
        })
        .unwrap();
        compare(&next.forest.snapshot(), next.model(), rng, 1);
        if crashes == 1 {
            return;
        }
        for _ in 0..SCOPES_LATER {
            next.step().unwrap();
        }
        compare(&next.forest.snapshot(), next.model(), rng, 1);
        crash(&next, 0, IMAGES_LATER, crashes - 1, rng);
    });
}
