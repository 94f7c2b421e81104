//! As G17: a file that is refused stays as it is.

use std::sync::Arc;

use groove::{Forest, Groove, OpenError};

use super::{Rng, Script};

/// Not what the file holds.
#[derive(Groove, Clone, Copy)]
struct Stranger {
    #[index(primary)]
    id: u64,
    timestamp: u64,
}

pub(super) fn hunt(seed: u64) {
    let mut script = Script::create(Rng::new(seed), false);
    for _ in 0..10 {
        script.step().unwrap();
    }
    let before = script.device.bytes();
    let storage = Arc::new(script.device.clone());
    let refused =
        Forest::<Stranger>::open_storage(storage, script.setting.options.clone()).unwrap_err();
    assert!(matches!(refused, OpenError::Schema { .. }), "{refused}");
    assert!(script.device.bytes() == before, "a file that was refused has changed");
}
