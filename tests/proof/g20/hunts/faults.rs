//! As G9: a call fails, once or for good, or the disk is full; then the process ends, goes on with
//! what it can read, and loses power.

use groove::{CommitError, WriteError};

use super::compare::compare;
use super::device::{Call, Device, Fault};
use super::{Rng, Script};

const SCOPES: u64 = 70;
const SCOPES_LATER: u64 = 12;
/// Where tables begin, in the smallest file: writes before it are of superblock and log.
const GRID_OFFSET: u64 = (4 + 2 + 16) * 4096;

pub(super) fn hunt(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut script = Script::create(Rng::new(rng.next()), false);
    let full = rng.chance(20);
    let call = [Call::Read, Call::Write, Call::Write, Call::Sync][rng.below(4) as usize];
    if full {
        let space = script.device.bytes().len() as u64 + rng.below(100) * 4096;
        script.device.limit(Some(space));
    } else {
        let nth = 1 + rng.below(if call == Call::Read { 60 } else { 250 });
        script.device.fail(Fault { call, nth, for_good: rng.chance(30) });
    }
    for scope in 0..SCOPES {
        let doomed = is_doomed(&script.device);
        if full && scope == SCOPES * 2 / 3 {
            script.device.repair();
        }
        match script.step() {
            Ok(()) => assert!(!doomed, "a scope was acknowledged after a failure"),
            Err(error) => failed(&script, &error, full, &mut rng),
        }
    }
    after(script, &mut rng);
}

/// Whether a sync failed, or a write that an op waits for: what is on disk is not known any more.
fn is_doomed(device: &Device) -> bool {
    device.failed().iter().any(|(call, offset)| match call {
        Call::Sync => true,
        Call::Write => *offset < GRID_OFFSET,
        Call::Read | Call::Allocate => false,
    })
}

fn failed(script: &Script, error: &WriteError, full: bool, rng: &mut Rng) {
    let failures = script.device.failed();
    assert!(!failures.is_empty(), "an error on a sound device: {error}");
    if full {
        let no_space = matches!(error, WriteError::Commit(CommitError::NoSpace { .. }));
        assert!(no_space, "on a full disk: {error}");
    }
    let unread = failures.iter().any(|(call, _)| *call == Call::Read);
    if !unread {
        let snapshot = script.forest.snapshot();
        assert_eq!(snapshot.orders.op(), script.op(), "readers see what was acknowledged");
        compare(&snapshot, script.model(), rng, 1);
    }
}

/// The process ends, is started again, and loses power.
fn after(script: Script, rng: &mut Rng) {
    let (device, setting) = (script.device.clone(), script.setting.clone());
    let (op, model, undecided) = (script.op(), script.model().clone(), script.undecided.clone());
    drop(script);
    device.repair();
    let mut next = Script::open(&device, &setting, Rng::new(rng.next()), |found| {
        if found == op {
            return model;
        }
        assert_eq!(found, op + 1, "the op after {op}, of which nobody heard");
        undecided.expect("a scope that was under way")
    })
    .unwrap();
    compare(&next.forest.snapshot(), next.model(), rng, 1);
    for _ in 0..rng.below(SCOPES_LATER) {
        next.step().unwrap();
    }
    compare(&next.forest.snapshot(), next.model(), rng, 1);
    let (op, calls) = (next.op(), device.events());
    let mut fates = Rng::new(rng.next());
    device.crash(&[calls], &mut fates, |_, image| {
        let last = Script::open(&Device::of(image), &setting, Rng::new(0), |found| {
            assert_eq!(found, op, "the newest op after a loss of power");
            next.model().clone()
        })
        .unwrap();
        compare(&last.forest.snapshot(), last.model(), rng, 1);
    });
}
