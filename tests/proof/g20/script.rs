//! A forest at work on a device: scopes, checkpoints and syncs, and what each op left.

use std::sync::Arc;

use groove::{Durability, Forest, OpenError, Options, WriteError};

use super::device::Device;
use super::store::{self, Model, Store};
use crate::model::rng::Rng;

/// See the module.
pub(super) struct Script {
    pub(super) forest: Forest<Store>,
    pub(super) device: Device,
    pub(super) rng: Rng,
    pub(super) setting: Setting,
    /// The op that was found when it was opened.
    first_op: u64,
    /// What each op left, from the first on.
    states: Vec<Model>,
    /// How many calls there were when the scope of each op began.
    begins: Vec<usize>,
    /// Calls that had returned when an op was acknowledged, and the op.
    acknowledged: Vec<(usize, u64)>,
    /// What the scope left whose commit failed: it may be on disk.
    pub(super) undecided: Option<Model>,
}

/// How a forest is opened.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) options: Options,
    /// Whether an op is acknowledged by a sync only, and not by its own commit.
    pub(super) buffered: bool,
}

/// The smallest sizes, so that a few hundred changes meet every part of the engine.
pub(super) fn setting(rng: &mut Rng, buffered: bool) -> Setting {
    let options = Options::default()
        .block_size(4096)
        .table_size([4096, 8192][rng.below(2) as usize])
        .wal_size([16, 32][rng.below(2) as usize] * 4096)
        .growth_factor(2)
        .cache_size([0, 64 << 10, 8 << 20][rng.below(3) as usize])
        .compaction_threads(0)
        .file_id([7; 16])
        .durability(if buffered { Durability::Buffered } else { Durability::Sync });
    Setting { options, buffered }
}

impl Script {
    /// Opens what is on the device. `state` gives what it must hold, if its op is that of a script
    /// before.
    pub(super) fn open(
        device: &Device,
        setting: &Setting,
        rng: Rng,
        state: impl FnOnce(u64) -> Model,
    ) -> Result<Script, OpenError> {
        let forest = Forest::open_storage(Arc::new(device.clone()), setting.options.clone())?;
        let first_op = forest.statistics().op;
        Ok(Script {
            forest,
            device: device.clone(),
            rng,
            setting: setting.clone(),
            first_op,
            states: vec![state(first_op)],
            begins: vec![0],
            acknowledged: vec![(0, first_op)],
            undecided: None,
        })
    }

    /// On a new device, with every scope synced or none.
    pub(super) fn create(mut rng: Rng, buffered: bool) -> Script {
        let setting = setting(&mut rng, buffered);
        let script = Script::open(&Device::default(), &setting, rng, |_| Model::default());
        script.expect("an empty device takes a forest")
    }

    pub(super) fn op(&self) -> u64 {
        self.first_op + self.states.len() as u64 - 1
    }

    pub(super) fn model(&self) -> &Model {
        self.states.last().expect("there is a state from the beginning")
    }

    /// What `op` left.
    pub(super) fn state(&self, op: u64) -> Model {
        self.states[usize::try_from(op - self.first_op).expect("an op of this script")].clone()
    }

    /// The ops that a crash after `calls` calls may leave as the newest: the first that was
    /// acknowledged, the last that was begun.
    pub(super) fn ops(&self, calls: usize) -> (u64, u64) {
        let acknowledged = self.acknowledged.iter().rfind(|(at, _)| *at <= calls);
        let begun = self.begins.iter().filter(|begin| **begin < calls.max(1)).count();
        (acknowledged.map_or(self.first_op, |(_, op)| *op), self.first_op + begun as u64 - 1)
    }

    /// One scope, and at times a checkpoint or a sync.
    pub(super) fn step(&mut self) -> Result<(), WriteError> {
        let begin = self.device.events();
        let model = self.states.last().expect("there is a state from the beginning");
        let (next, result) = store::scope(&self.forest, model, &mut self.rng);
        if let Err(error) = result {
            if matches!(error, WriteError::Commit(_)) && self.undecided.is_none() {
                self.undecided = Some(next);
            }
            return Err(error);
        }
        // A scope may have changed nothing.
        let op = self.forest.snapshot().orders.op();
        assert!(op == self.op() || op == self.op() + 1, "op {op} after {}", self.op());
        if op > self.op() {
            self.states.push(next);
            self.begins.push(begin);
        }
        match self.rng.below(30) {
            0 => self.forest.checkpoint()?,
            1..4 => self.forest.sync()?,
            _ if self.setting.buffered => return Ok(()),
            _ => {}
        }
        self.acknowledged.push((self.device.events(), self.op()));
        Ok(())
    }
}
