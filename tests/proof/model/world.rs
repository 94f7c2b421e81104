//! The driver: a forest on some storage beside its model, step by step.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use groove::storage::MemoryStorage;
use groove::{
    Abort, Clock, CommitError, Durability, Forest, Object, OpenError, Options, WriteError,
};
use groove_core::proof::{Call, Fault, Random, SimulatedStorage};

use super::objects::{Item, Kind, Shop, ShopSnapshot};
use super::oracle::ForestModel;
use super::scope::{Context, PlannedPanic, steps};
use super::snapshot::ask_snapshot;
use super::verify::{scan_forest, verify_forest};

/// Where the bytes are.
pub(crate) enum Backing {
    Memory(MemoryStorage),
    File(PathBuf),
    /// Loses its power now and then, and is full at times.
    Simulated(SimulatedStorage),
}

/// The sizes of a forest, and how it is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) block_size: u32,
    pub(crate) table_size: u32,
    pub(crate) wal_size: u64,
    pub(crate) growth_factor: u32,
    pub(crate) compaction_threads: usize,
    pub(crate) cache_size: u64,
    pub(crate) durability: Durability,
    pub(crate) clock: bool,
    /// Changes in a scope, at most.
    pub(crate) scope_steps: u64,
}

pub(crate) struct World {
    backing: Backing,
    sizes: Sizes,
    forest: Option<Forest<Shop>>,
    model: ForestModel,
    held: Vec<(ShopSnapshot, ForestModel)>,
    /// States since the last one that is durable for certain, on a device that may lose power.
    recent: Vec<ForestModel>,
    /// The device may refuse: so may commits.
    failing: bool,
    dead: bool,
    /// Each open is as the first.
    pub(crate) keeps_settings: bool,
    pub(crate) context: Context,
}

impl World {
    pub(crate) fn new(context: Context, backing: Backing, sizes: Sizes) -> World {
        let mut model = ForestModel::default();
        model.shared.clock = sizes.clock.then(|| Arc::new(AtomicU64::new(0)));
        let mut world = World {
            backing,
            sizes,
            forest: None,
            model,
            held: Vec::new(),
            recent: Vec::new(),
            failing: false,
            dead: false,
            keeps_settings: false,
            context,
        };
        world.forest = Some(world.open());
        world
    }

    fn open(&self) -> Forest<Shop> {
        self.try_open().expect("the forest opens")
    }

    fn try_open(&self) -> Result<Forest<Shop>, OpenError> {
        let sizes = self.sizes;
        let mut options = Options::default()
            .block_size(sizes.block_size)
            .table_size(sizes.table_size)
            .wal_size(sizes.wal_size)
            .growth_factor(sizes.growth_factor)
            .compaction_threads(sizes.compaction_threads)
            .cache_size(sizes.cache_size)
            .durability(sizes.durability);
        if let Some(clock) = self.model.shared.clock.clone() {
            options = options.clock(Clock::new(move || clock.load(Ordering::Relaxed)));
        }
        match &self.backing {
            Backing::Memory(storage) => Forest::open_storage(Arc::new(storage.clone()), options),
            Backing::File(path) => Forest::open(path, options),
            Backing::Simulated(storage) => Forest::open_storage(Arc::new(storage.clone()), options),
        }
    }

    fn forest(&self) -> Forest<Shop> {
        self.forest.clone().expect("open between steps")
    }

    /// Carries out `operations`, and compares everything at the end.
    pub(crate) fn run(&mut self, operations: u64) {
        while self.context.counts.total() < operations {
            self.step();
        }
        self.check_held(0);
        self.verify();
        self.reopen(false);
        self.verify();
    }

    fn step(&mut self) {
        if let Some(clock) = &self.model.shared.clock {
            // It stands still, goes on, and now and then goes back.
            let now = clock.load(Ordering::Relaxed);
            let next = if self.context.rng.chance(5) { now / 2 } else { now + 3 };
            clock.store(next, Ordering::Relaxed);
        }
        if let Backing::Simulated(storage) = &self.backing {
            let storage = storage.clone();
            match self.context.rng.below(400) {
                0 => return self.power_loss(&storage),
                1 => return self.full_disk(&storage),
                _ => self.remember(),
            }
        }
        match self.context.rng.below(1_000) {
            0..760 => self.write(Ending::Commit),
            760..800 => self.write(Ending::Error),
            800..830 => self.write(Ending::Panic),
            830..835 => self.write(Ending::Empty),
            835..960 => {
                let mut snapshot = self.forest().snapshot();
                ask_snapshot(&mut self.context, &mut snapshot, &self.model);
            }
            960..968 => self.hold(),
            968..984 => {
                if !self.held.is_empty() {
                    self.context.counts.add("held snapshot");
                    let at = self.context.rng.below(self.held.len() as u64) as usize;
                    let (snapshot, model) = &mut self.held[at];
                    ask_snapshot(&mut self.context, snapshot, model);
                }
            }
            984..988 => {
                self.context.counts.add("checkpoint");
                self.forest().checkpoint().expect("the device is sound");
                let statistics = self.forest().statistics();
                assert_eq!(statistics.checkpoint_op, self.model.op);
                self.read_only();
            }
            988..991 => {
                self.context.counts.add("sync");
                self.forest().sync().expect("the device is sound");
            }
            991..996 => self.statistics(),
            996 | 997 => {
                let close = self.context.rng.chance(50);
                self.reopen(close);
            }
            998 => self.second_handle(),
            _ => {
                if self.context.rng.chance(30) {
                    self.verify();
                }
            }
        }
    }

    fn write(&mut self, ending: Ending) {
        let World { context, model, forest, sizes, .. } = self;
        let forest = forest.as_ref().expect("open between steps");
        let mark = model.mark();
        let count = match ending {
            Ending::Empty => 0,
            _ if context.rng.below(1_500) == 0 => 200 + context.rng.below(3_000),
            _ => {
                let most = 1 + context.rng.below(sizes.scope_steps);
                1 + context.rng.below(most)
            }
        };
        context.doomed = matches!(ending, Ending::Error | Ending::Panic);
        context.panic_in = (ending == Ending::Panic).then(|| context.rng.below(count));
        let own_error = context.rng.chance(50);
        let result = catch_unwind(AssertUnwindSafe(|| match own_error {
            false => forest.write(|scope| {
                steps(context, scope, model, count, 0);
                if ending == Ending::Error { Err(Abort::new("given up")) } else { Ok(count) }
            }),
            true => match forest.try_write(|scope| {
                steps(context, scope, model, count, 0);
                if ending == Ending::Error { Err(Own::GivenUp) } else { Ok(count) }
            }) {
                Ok(value) => Ok(value),
                Err(Own::Commit(error)) => Err(WriteError::Commit(error)),
                Err(Own::GivenUp) => Err(WriteError::Aborted("given up".into())),
            },
        }));
        match result {
            Ok(Ok(value)) => {
                assert_eq!(value, count);
                assert!(matches!(ending, Ending::Commit | Ending::Empty), "{ending:?}");
                let before = model.op;
                model.commit();
                let empty = model.op == before;
                context.counts.add(if empty {
                    "scope: nothing to commit"
                } else {
                    "scope: commit"
                });
            }
            Ok(Err(WriteError::Aborted(reason))) => {
                assert_eq!((ending, reason.to_string().as_str()), (Ending::Error, "given up"));
                model.rollback(&mark);
                context.counts.add("scope: error");
            }
            Ok(Err(WriteError::Commit(CommitError::ScopeTooLarge { bytes, bytes_max }))) => {
                assert!(bytes > bytes_max, "{bytes} of {bytes_max}");
                model.rollback(&mark);
                context.counts.add("scope: too large");
            }
            Ok(Err(WriteError::Commit(CommitError::NoSpace { .. }))) if self.failing => {
                model.rollback(&mark);
                context.counts.add("scope: no space");
            }
            // It may be in the log.
            Ok(Err(WriteError::Commit(CommitError::Dead { .. }))) if self.failing => {
                self.dead = true;
                model.commit();
                context.counts.add("scope: device failed");
                return;
            }
            Ok(Err(error)) => panic!("unexpected: {error}"),
            Err(panic) if panic.is::<PlannedPanic>() => {
                model.rollback(&mark);
                context.counts.add("scope: panic");
            }
            Err(panic) => resume_unwind(panic),
        }
        // Journals of a scope that was taken back are empty already.
        model.commit();
        assert_eq!(forest.snapshot().orders.op(), model.op);
    }

    /// Keeps the state if the power may go before it is durable.
    fn remember(&mut self) {
        if self.sizes.durability == Durability::Sync {
            return;
        }
        if self.recent.last().is_none_or(|last| last.op < self.model.op) {
            self.recent.push(self.model.clone());
        }
        if self.recent.len() > 16 {
            self.forest().sync().expect("the device is sound");
            self.recent = vec![self.model.clone()];
        }
    }

    /// The power goes: at once, or at some call of a commit. What was acknowledged is there.
    fn power_loss(&mut self, storage: &SimulatedStorage) {
        self.context.counts.add("power loss");
        self.check_held(0);
        self.remember();
        let mut states = std::mem::take(&mut self.recent);
        states.push(self.model.clone());
        if self.context.rng.chance(70) {
            let calls = &[Call::Write, Call::Sync, Call::Allocate];
            let after = self.context.rng.below(60);
            let kind = std::io::ErrorKind::Other;
            storage.fail(Fault { calls, after, for_good: true, kind });
            self.failing = true;
            for _ in 0..40 {
                self.write(Ending::Commit);
                if self.sizes.durability == Durability::Sync && !self.dead {
                    states.clear();
                }
                states.push(self.model.clone());
                if self.dead {
                    break;
                }
            }
        }
        let mut random = Random::new(self.context.rng.next());
        let image = storage.crash(random.below(16), &mut random);
        self.forest = None;
        (self.failing, self.dead) = (false, false);
        self.backing = Backing::Simulated(SimulatedStorage::from_image(image, random.next()));
        self.change_settings();
        let forest = self.open();
        let op = forest.snapshot().orders.op();
        let ops: Vec<u64> = states.iter().map(|state| state.op).collect();
        let found = states.into_iter().rfind(|state| state.op == op);
        self.model = found.unwrap_or_else(|| panic!("op {op} was found, of {ops:?}"));
        self.forest = Some(forest);
        self.verify();
    }

    /// Some scopes on a disk that is full, and then has space again.
    fn full_disk(&mut self, storage: &SimulatedStorage) {
        self.context.counts.add("full disk");
        self.remember();
        storage.set_capacity(0);
        self.failing = true;
        for _ in 0..self.context.rng.below(30) {
            self.write(Ending::Commit);
            assert!(!self.dead, "no write is refused where the device has its place");
            self.remember_on_full_disk();
        }
        storage.set_capacity(u64::MAX);
        self.failing = false;
        self.verify();
    }

    fn remember_on_full_disk(&mut self) {
        if self.sizes.durability == Durability::Buffered {
            self.recent.push(self.model.clone());
        }
    }

    /// Keeps a snapshot, and drops one if there are many.
    fn hold(&mut self) {
        self.context.counts.add("hold a snapshot");
        self.held.push((self.forest().snapshot(), self.model.clone()));
        self.check_held(3);
    }

    /// Compares held snapshots and drops them, until `keep` are left: every block of values of each,
    /// and of one in four each key too.
    fn check_held(&mut self, keep: usize) {
        while self.held.len() > keep {
            let at = self.context.rng.below(self.held.len() as u64) as usize;
            let (mut snapshot, model) = self.held.swap_remove(at);
            self.context.counts.add("held snapshot verified");
            if self.context.rng.chance(25) {
                verify_forest(&mut self.context.rng, &mut snapshot, &model);
            } else {
                scan_forest(&mut snapshot, &model);
            }
        }
    }

    /// Makes the model wrong by one item, which it loses or gets.
    pub(crate) fn falsify(&mut self, lose: bool) {
        let ForestModel { items, shared, .. } = &mut self.model;
        if lose {
            let first = items.objects.map().first_key_value().map(|(_, item)| *item);
            items.remove(&first.expect("there are items"), shared);
        } else {
            let mut item = Item::random(&mut self.context.rng);
            item.set_timestamp(shared.highest + 1);
            items.insert(item, shared);
        }
    }

    pub(crate) fn verify(&mut self) {
        self.context.counts.add("verify");
        let mut snapshot = self.forest().snapshot();
        verify_forest(&mut self.context.rng, &mut snapshot, &self.model);
    }

    fn statistics(&mut self) {
        self.context.counts.add("statistics");
        let statistics = self.forest().statistics();
        assert_eq!(statistics.op, self.model.op);
        assert!(statistics.checkpoint_op <= statistics.op);
        assert_eq!(statistics.tables == 0, statistics.levels == 0);
        if statistics.levels >= 3 {
            self.context.counts.note("statistics: three levels");
        }
        if statistics.manifest_blocks >= 2 {
            self.context.counts.note("statistics: two manifest blocks");
        }
        self.context.counts.highest("highest level", u64::from(statistics.levels));
        self.context.counts.highest("most tables", statistics.tables);
        self.context.counts.highest("most objects", self.model.objects());
        assert_eq!(statistics.tables == 0, statistics.table_bytes == 0);
    }

    /// Looks at the file from beside, directly after a checkpoint.
    fn read_only(&mut self) {
        let Backing::File(path) = &self.backing else { return };
        if self.keeps_settings {
            return; // What is asked there would be a part of this history alone.
        }
        self.context.counts.add("open_read_only");
        let mut snapshot = Shop::open_read_only(path, Options::default()).expect("a checkpoint");
        ask_snapshot(&mut self.context, &mut snapshot, &self.model);
    }

    fn second_handle(&mut self) {
        if matches!(self.backing, Backing::File(_)) {
            // No operation: in memory there is none, and a history is so many operations (G7, seed 14).
            self.context.counts.note("open: locked");
            let refused = self.try_open();
            assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
        }
    }

    /// Closes the forest in order, or only drops it; opens it again, run in another way.
    fn reopen(&mut self, close: bool) {
        self.check_held(0);
        let forest = self.forest.take().expect("open between steps");
        if close {
            self.context.counts.add("close");
            forest.close().expect("the device is sound");
        } else {
            self.context.counts.add("drop");
            drop(forest);
        }
        self.change_settings();
        self.context.counts.add("open");
        self.forest = Some(self.open());
        if self.context.rng.chance(50) {
            self.verify();
        }
        self.statistics();
    }
}

impl World {
    /// What a file can be opened with in another way each time.
    fn change_settings(&mut self) {
        // What an open has shown is durable.
        self.recent.clear();
        if self.keeps_settings {
            return;
        }
        let rng = &mut self.context.rng;
        self.sizes.compaction_threads = rng.below(3) as usize;
        self.sizes.cache_size = [0, 1 << 16, 1 << 20, 64 << 20][rng.below(4) as usize];
        if !matches!(self.backing, Backing::File(_)) {
            self.sizes.durability = [Durability::Sync, Durability::Buffered][rng.below(2) as usize];
        }
    }

    /// Op, objects and keys of each groove.
    pub(crate) fn contents(&self) -> String {
        let ForestModel { orders, events, items, op, .. } = &self.model;
        let orders = (orders.objects.map(), orders.primaries.map());
        let (events, items) = (events.objects.map(), items.objects.map());
        format!("{op} {orders:?} {events:?} {items:?}")
    }
}

/// How a scope ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Commit,
    Error,
    Panic,
    Empty,
}

/// An error type of the caller's own.
enum Own {
    Commit(CommitError),
    GivenUp,
}

impl From<CommitError> for Own {
    fn from(error: CommitError) -> Own {
        Own::Commit(error)
    }
}
