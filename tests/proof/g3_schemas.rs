//! G3, the part with schemas: each seed chooses a forest of [`crate::schema`], sizes, and what happens
//! to its device.
//!
//! Scopes, discards, held snapshots, random questions, checkpoints; then power losses, calls that
//! fail once or from then on, bits that rot and sectors that are read from the wrong place. After a
//! power loss the state is that after an op which was acknowledged or submitted. A damaged file gives
//! right answers or errors that say so, to readers and writers, before and after a reopen; never
//! wrong or missing rows, and no panic.
//!
//! With compaction threads a seed repeats what is done and not the order of the device's calls.

use std::sync::Arc;

use groove::storage::Storage;
use groove::{Abort, CommitError, Durability, Forest, OpenError, Options, ReadError, WriteError};
use groove_core::proof::{Call, Fault, Image, Random, SimulatedStorage};

use crate::model::Sizes;
use crate::schema::{Bare, Depot, Found, Ledger, Long, Named, Scored, Signed, Small, Store, Wide};

/// Steps of a seed; most of them are scopes of some changes.
const STEPS: u64 = 160;
const SECTOR: u64 = 4096;
/// Sectors of the superblock's copies and the marks.
const ROOT: u64 = 6;

/// How often what matters was met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) ops: u64,
    pub(crate) answers: u64,
    pub(crate) losses: u64,
    pub(crate) failed_calls: u64,
    pub(crate) damaged: u64,
    /// Damaged files of which an open, a read or a write said so.
    pub(crate) detected: u64,
    pub(crate) levels: u32,
}

/// One seed.
pub(crate) fn storm(seed: u64, sizes: Sizes, met: &mut Met) {
    match seed % 9 {
        0 => Life::<Small>::run(seed, sizes, met),
        1 => Life::<Wide>::run(seed, sizes, met),
        2 => Life::<Named>::run(seed, sizes, met),
        3 => Life::<Ledger>::run(seed, sizes, met),
        4 => Life::<Scored>::run(seed, sizes, met),
        5 => Life::<Long>::run(seed, sizes, met),
        6 => Life::<Depot>::run(seed, sizes, met),
        7 => Life::<Signed>::run(seed, sizes, met),
        _ => Life::<Bare>::run(seed, sizes, met),
    }
}

struct Life<'a, S: Store> {
    device: SimulatedStorage,
    forest: Option<Forest<S>>,
    sizes: Sizes,
    /// The state after each op.
    models: Vec<Arc<S::Model>>,
    /// The newest op that a power loss must leave.
    acknowledged: u64,
    held: Vec<(S::Snapshot, Arc<S::Model>)>,
    random: Random,
    met: &'a mut Met,
}

fn options(sizes: Sizes, random: &mut Random) -> Options {
    Options::default()
        .block_size(sizes.block_size)
        .table_size(sizes.table_size)
        .wal_size(sizes.wal_size)
        .growth_factor(sizes.growth_factor)
        .compaction_threads(sizes.compaction_threads)
        .durability(sizes.durability)
        .cache_size([0, 64 << 10, sizes.cache_size][random.below(3) as usize])
        .file_id(*b"a file of storms")
}

fn open<S: Store>(
    device: &SimulatedStorage,
    sizes: Sizes,
    random: &mut Random,
) -> Result<Forest<S>, OpenError> {
    let storage: Arc<dyn Storage> = Arc::new(device.clone());
    Forest::open_storage(storage, options(sizes, random))
}

/// One scope; the model changes if it is committed.
fn write<S: Store>(
    forest: &Forest<S>,
    model: &S::Model,
    random: &mut Random,
) -> (S::Model, Result<(), WriteError>) {
    let mut next = model.clone();
    let result = forest.write(|scope| S::change(scope, &mut next, random));
    (next, result)
}

impl<S: Store> Life<'_, S> {
    fn run(seed: u64, sizes: Sizes, met: &mut Met) {
        let mut random = Random::new(seed);
        let device = SimulatedStorage::new(seed);
        let forest = open(&device, sizes, &mut random).expect("a sound device");
        let mut life = Life::<S> {
            device,
            forest: Some(forest),
            sizes,
            models: vec![Arc::default()],
            acknowledged: 0,
            held: Vec::new(),
            random,
            met,
        };
        for _ in 0..STEPS {
            life.step();
        }
        life.compare();
        life.met.ops += life.models.len() as u64;
    }

    fn forest(&self) -> &Forest<S> {
        self.forest.as_ref().expect("open between steps")
    }

    fn newest(&self) -> &Arc<S::Model> {
        self.models.last().expect("the empty one is the first")
    }

    fn op(&self) -> u64 {
        self.models.len() as u64 - 1
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..72 => self.write(),
            72..75 => self.discard(),
            75..83 => self.compare(),
            83..86 => self.hold(),
            86..88 => {
                self.forest().checkpoint().expect("a sound device");
                self.acknowledged = self.op();
            }
            88 => {
                self.forest().sync().expect("a sound device");
                self.acknowledged = self.op();
            }
            89..92 => {
                let submitted = self.op();
                self.lose_power(submitted);
            }
            92..94 => self.failing_calls(),
            94..97 => self.damage(false),
            _ => self.damage(true),
        }
        let levels = self.forest().statistics().levels;
        self.met.levels = self.met.levels.max(levels);
    }

    fn write(&mut self) {
        let forest = self.forest.as_ref().expect("open between steps");
        let newest = self.models.last().expect("the empty one is the first");
        let (next, result) = write(forest, newest, &mut self.random);
        result.expect("a sound device");
        self.committed(next);
    }

    fn committed(&mut self, next: S::Model) {
        // A scope that comes to no change is no op.
        let op = S::op(self.forest());
        if op > self.op() {
            self.models.push(Arc::new(next));
        }
        assert_eq!(op, self.op(), "one op per scope");
        if self.sizes.durability == Durability::Sync {
            self.acknowledged = op;
        }
    }

    fn discard(&mut self) {
        let mut model = S::Model::clone(self.newest());
        let forest = self.forest.as_ref().expect("open between steps");
        let random = &mut self.random;
        let discarded = forest.write(|scope| {
            S::change(scope, &mut model, random)?;
            Err::<(), _>(Abort::new("given up"))
        });
        assert!(matches!(discarded, Err(WriteError::Aborted(_))), "{discarded:?}");
    }

    fn compare(&mut self) {
        let mut found = Found::default();
        let (snapshot, model) = (self.forest().snapshot(), self.newest().clone());
        S::compare(&snapshot, &model, &mut self.random, &mut found);
        assert!(found.errors.is_empty(), "a sound device: {found:?}");
        self.met.answers += found.answers;
    }

    /// Takes a snapshot and looks at an older one.
    fn hold(&mut self) {
        let held = (self.forest().snapshot(), self.newest().clone());
        self.held.push(held);
        if self.held.len() > 3 {
            let at = self.random.below(self.held.len() as u64) as usize;
            let (snapshot, model) = self.held.swap_remove(at);
            let mut found = Found::default();
            S::compare(&snapshot, &model, &mut self.random, &mut found);
            assert!(found.errors.is_empty(), "a sound device: {found:?}");
            self.met.answers += found.answers;
        }
    }

    /// What a power loss leaves is opened; ops up to `submitted` may be in it, and the model knows them.
    fn lose_power(&mut self, submitted: u64) {
        let nth = self.random.below(16);
        let image = self.device.crash(nth, &mut self.random);
        self.held.clear();
        self.forest = None;
        self.device = SimulatedStorage::from_image(image, self.random.next());
        let forest: Forest<S> =
            open(&self.device, self.sizes, &mut self.random).expect("a crash leaves a sound file");
        let op = S::op(&forest);
        assert!((self.acknowledged..=submitted).contains(&op), "op {op} of {}", self.acknowledged);
        self.models.truncate(op as usize + 1);
        self.acknowledged = op;
        self.forest = Some(forest);
        self.met.losses += 1;
        self.compare();
    }

    /// Calls fail, once or from then on, while scopes and questions go on; then the power goes.
    fn failing_calls(&mut self) {
        let calls: &[&[Call]] =
            &[&[Call::Read], &[Call::Write], &[Call::Sync], &[Call::Allocate], Call::ALL];
        let fault = Fault {
            calls: calls[self.random.below(5) as usize],
            after: self.random.below(30),
            for_good: self.random.chance(50),
            kind: [std::io::ErrorKind::Other, std::io::ErrorKind::StorageFull]
                [self.random.below(2) as usize],
        };
        self.device.fail(fault);
        let mut doubtful = None;
        for _ in 0..12 {
            let forest = self.forest.as_ref().expect("open between steps");
            let newest = self.models.last().expect("the empty one is the first");
            let (next, result) = write(forest, newest, &mut self.random);
            match result {
                Ok(()) => {
                    assert!(doubtful.is_none(), "a handle that failed is acknowledged: {fault:?}");
                    self.committed(next);
                }
                Err(WriteError::Commit(CommitError::Dead { .. })) => {
                    doubtful.get_or_insert(next);
                }
                Err(WriteError::Commit(CommitError::NoSpace { .. } | CommitError::Read(_))) => {}
                Err(error) => assert!(is_device(&error), "{fault:?}: {error:?}"),
            }
            let mut found = Found::default();
            let (snapshot, model) = (self.forest().snapshot(), self.newest().clone());
            if self.random.chance(20) {
                S::compare(&snapshot, &model, &mut self.random, &mut found);
                let is_io = |error: &ReadError| matches!(error, ReadError::Io { .. });
                assert!(found.errors.iter().all(is_io), "{fault:?}: {found:?}");
                self.met.answers += found.answers;
            }
        }
        self.met.failed_calls += self.device.repair();
        let submitted = self.op() + u64::from(doubtful.is_some());
        self.models.extend(doubtful.map(Arc::new));
        self.lose_power(submitted);
    }

    /// A copy of the file, closed, in which some bits rot or sectors are not those that were written.
    fn damage(&mut self, misdirected: bool) {
        let sizes = self.sizes;
        let model = self.newest().clone();
        let random = &mut self.random;
        let device = SimulatedStorage::from_image(self.device.cached(), random.next());
        // An op of which nothing says that it was synced may be cut when it is damaged.
        let forest: Forest<S> = open(&device, sizes, random).expect("a sound device");
        if random.chance(30) {
            forest.checkpoint().expect("a sound device");
        }
        forest.close().expect("a sound device");
        let device = SimulatedStorage::from_image(device.cached(), random.next());
        for _ in 0..1 + random.below(3) {
            hurt(&device, misdirected, random);
        }
        self.met.damaged += 1;
        let mut detected = false;
        let mut next = S::Model::clone(&model);
        for life in 0..2 {
            let forest: Forest<S> = match open(&device, sizes, random) {
                Ok(forest) => forest,
                Err(OpenError::Corrupt { .. }) => {
                    detected = true;
                    break;
                }
                // Compaction meets the damage while the file is brought up to date.
                Err(OpenError::Commit { source, .. }) => {
                    assert!(is_corrupt(&WriteError::Commit(source)));
                    detected = true;
                    break;
                }
                Err(error) => panic!("{error:?}"),
            };
            let mut found = Found::default();
            S::compare(&forest.snapshot(), &next, random, &mut found);
            detected |= !found.errors.is_empty();
            let is_corrupt_read = |error: &ReadError| matches!(error, ReadError::Corrupt(_));
            assert!(found.errors.iter().all(is_corrupt_read), "{found:?}");
            self.met.answers += found.answers;
            for _ in 0..8 * (1 - life) {
                let (changed, result) = write(&forest, &next, random);
                match result {
                    Ok(()) => next = changed,
                    Err(error) => {
                        assert!(is_corrupt(&error), "{error:?}");
                        detected = true;
                    }
                }
            }
            let mut found = Found::default();
            S::compare(&forest.snapshot(), &next, random, &mut found);
            assert!(found.errors.iter().all(is_corrupt_read), "{found:?}");
            self.met.answers += found.answers;
            if sizes.durability == Durability::Buffered && forest.close().is_err() {
                break;
            }
        }
        self.met.detected += u64::from(detected);
    }
}

/// Damage anywhere in the file.
fn hurt(device: &SimulatedStorage, misdirected: bool, random: &mut Random) {
    let image: Image = device.cached();
    let sectors = image.length() / SECTOR;
    let offset = match random.chance(20) {
        true => random.below((ROOT + 4) * SECTOR),
        false => random.below(sectors * SECTOR),
    };
    if !misdirected {
        return device.rot(offset, 1 << random.below(8));
    }
    let from = random.below(sectors) * SECTOR;
    let most = if offset < ROOT * SECTOR { 1 } else { 4 };
    let length = (1 + random.below(most)) * SECTOR;
    let length = length.min(sectors * SECTOR - offset / SECTOR * SECTOR);
    let length = length.min(sectors * SECTOR - from);
    device.misdirect(offset / SECTOR * SECTOR, from, length as usize);
}

fn read_error(error: &WriteError) -> Option<&ReadError> {
    use groove::{InsertError, QueryError, UpdateError};
    match error {
        WriteError::Insert(InsertError::Read(error))
        | WriteError::Update(UpdateError::Read(error))
        | WriteError::Query(QueryError::Read(error))
        | WriteError::Commit(CommitError::Read(error))
        | WriteError::Read(error) => Some(error),
        _ => None,
    }
}

fn is_device(error: &WriteError) -> bool {
    matches!(read_error(error), Some(ReadError::Io { .. }))
}

fn is_corrupt(error: &WriteError) -> bool {
    matches!(read_error(error), Some(ReadError::Corrupt(_)))
}
