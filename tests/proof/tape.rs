//! Histories of a forest on a simulated device, with everything that is needed to crash them.
//!
//! A [`Tape`] is one life of a forest: it begins with an image of the device that is opened, and
//! holds each call that changed the device since, what had been promised by then, and what the
//! forest must hold after each op. A [`Script`] is several lives: each begins with a power loss in
//! the life before, so that there are cut-off entries, torn copies of the superblock and blocks of
//! nobody in the file. What an op does follows from the life that it is from, so an op that was cut
//! off and one that took its number differ.

use std::sync::Arc;

use groove::storage::Storage;
use groove::{Abort, CommitError, Durability, Forest, Statistics, WriteError};
use groove_core::proof::{Event, Image, Journal, Random, SimulatedStorage, crash_image};

use crate::post::{Model, Post, PostSnapshot, Setting, apply, compare, verify};

/// Ops between two models that are kept.
const MODEL_EVERY: u64 = 16;
/// Behind the superblock's copies and the marks: the log.
const LOG: std::ops::Range<u64> = 6 * 4096..6 * 4096 + (64 << 10);

/// What the caller of a forest knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Promised to be there after a power loss.
    pub(crate) acknowledged: u64,
    /// The newest that may be there.
    pub(crate) submitted: u64,
}

/// The states of a forest after each op.
#[derive(Clone)]
pub(crate) struct History {
    /// The seed of each op from the first on.
    seeds: Vec<u64>,
    models: Vec<Model>,
}

impl History {
    pub(crate) fn new() -> History {
        History { seeds: Vec::new(), models: vec![Model::default()] }
    }

    /// The newest op.
    pub(crate) fn op(&self) -> u64 {
        self.seeds.len() as u64
    }

    pub(crate) fn push(&mut self, seed: u64) {
        self.seeds.push(seed);
        if self.op().is_multiple_of(MODEL_EVERY) {
            let model = self.at(self.op());
            self.models.push(model);
        }
    }

    /// Forgets the ops after `op`.
    pub(crate) fn cut(&mut self, op: u64) {
        self.seeds.truncate(op as usize);
        self.models.truncate((op / MODEL_EVERY) as usize + 1);
    }

    pub(crate) fn at(&self, op: u64) -> Model {
        let kept = ((op / MODEL_EVERY) as usize).min(self.models.len() - 1);
        let mut model = self.models[kept].clone();
        let from = model.op as usize;
        self.seeds[from..op as usize].iter().for_each(|seed| model.apply(*seed));
        model
    }
}

/// How often a history met what it has to meet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) ops: u64,
    pub(crate) checkpoints: u64,
    pub(crate) levels: u32,
    pub(crate) manifest_compactions: u64,
    /// Entries of the log that begin at its end and go on at its beginning.
    pub(crate) wraps: u64,
    /// Extents that were given back to the device.
    pub(crate) releases: u64,
    /// Checkpoints while a snapshot was held, and snapshots that were compared after one.
    pub(crate) held_checkpoints: u64,
    pub(crate) held_compared: u64,
    /// Opens that found ops which nothing said to be on disk.
    pub(crate) doubtful: u64,
    /// Ops that a power loss cut off.
    pub(crate) cut: u64,
    pub(crate) opens: u64,
    pub(crate) full: u64,
    pub(crate) discarded: u64,
}

/// One life of a forest.
pub(crate) struct Tape {
    pub(crate) journal: Journal,
    /// What was known from which number of calls on.
    known: Vec<(usize, Known)>,
    pub(crate) history: History,
    pub(crate) setting: Setting,
}

impl Tape {
    /// A life that was recorded elsewhere. What was known ascends by the number of calls, from 0 on.
    #[cfg(shuttle)]
    pub(crate) fn new(
        journal: Journal,
        known: Vec<(usize, Known)>,
        history: History,
        setting: Setting,
    ) -> Tape {
        Tape { journal, known, history, setting }
    }

    /// What is known when a crash comes after so many calls.
    pub(crate) fn known(&self, events: usize) -> Known {
        self.known[self.known.partition_point(|(from, _)| *from <= events) - 1].1
    }

    /// The number of moments at which a crash can come.
    pub(crate) fn points(&self) -> usize {
        self.journal.events().len() + 1
    }
}

/// With `--cfg shuttle` another thread may go on at each call.
fn device(storage: &SimulatedStorage) -> Arc<dyn Storage> {
    #[cfg(shuttle)]
    let storage = crate::device::Switching::new(storage.clone());
    #[cfg(not(shuttle))]
    let storage = storage.clone();
    Arc::new(storage)
}

pub(crate) fn open(storage: &SimulatedStorage, setting: Setting) -> Forest<Post> {
    let opened = Forest::open_storage(device(storage), setting.options());
    opened.unwrap_or_else(|error| panic!("it does not open: {error:?}"))
}

/// Several lives of one forest, one after the other.
pub(crate) struct Script {
    pub(crate) tapes: Vec<Tape>,
    pub(crate) reached: Reached,
}

impl Script {
    /// `lives` of `ops` each.
    pub(crate) fn record(seed: u64, lives: u64, ops: u64, setting: Setting) -> Script {
        let mut random = Random::new(seed);
        let storage = SimulatedStorage::new(seed);
        drop(open(&storage, setting));
        let mut image = storage.medium();
        assert!(image == storage.cached(), "a new forest is on disk when its open returns");
        let mut history = History::new();
        let mut script = Script { tapes: Vec::new(), reached: Reached::default() };
        for _ in 0..lives {
            let newest = history.op();
            let mut life = Life::begin(image, history, setting, random.next());
            script.reached.cut += newest - life.history.op();
            life.run(ops, &mut script.reached);
            let tape = life.end();
            script.reached.wraps += wraps(&tape.journal);
            let is_release = |event: &&Event| matches!(event, Event::Release { .. });
            script.reached.releases +=
                tape.journal.events().iter().filter(is_release).count() as u64;
            // The end of this life, and the beginning of the next.
            let point = tape.points() - 1 - random.below(tape.points() as u64 / 4) as usize;
            let (medium, unsynced) = tape.journal.at(point);
            image = crash_image(medium, unsynced, random.below(16), &mut random);
            history = tape.history.clone();
            script.tapes.push(tape);
        }
        script
    }

    /// All moments of all lives.
    pub(crate) fn points(&self) -> usize {
        self.tapes.iter().map(Tape::points).sum()
    }

    /// The life and the moment in it of a number that counts all moments.
    pub(crate) fn point(&self, mut number: usize) -> (&Tape, usize) {
        for tape in &self.tapes {
            match number.checked_sub(tape.points()) {
                None => return (tape, number),
                Some(rest) => number = rest,
            }
        }
        panic!("the script has fewer moments");
    }
}

/// A forest that is being recorded.
struct Life {
    storage: SimulatedStorage,
    forest: Option<Forest<Post>>,
    setting: Setting,
    history: History,
    known: Vec<(usize, Known)>,
    held: Vec<(PostSnapshot, u64)>,
    last: Option<Statistics>,
    random: Random,
    seed: u64,
}

impl Life {
    /// Opens a device whose every byte is durable.
    fn begin(image: Image, mut history: History, setting: Setting, seed: u64) -> Life {
        let storage = SimulatedStorage::from_image(image, seed);
        storage.record();
        let forest = open(&storage, setting);
        // What is there is durable: a crash while it was opened takes nothing away.
        let op = forest.snapshot().parcels.op();
        history.cut(op);
        let known = vec![(0, Known { acknowledged: op, submitted: op })];
        Life {
            storage,
            forest: Some(forest),
            setting,
            history,
            known,
            held: Vec::new(),
            last: None,
            random: Random::new(seed),
            seed,
        }
    }

    fn end(mut self) -> Tape {
        self.held.clear();
        let count = self.storage.event_count();
        self.forest = None;
        // A compaction that is under way ends its step.
        let written = self.storage.event_count() > count;
        assert!(!written || self.setting.threads > 0, "a drop writes nothing");
        let journal = self.storage.take_journal();
        let Life { known, history, setting, .. } = self;
        Tape { journal, known, history, setting }
    }

    fn forest(&self) -> Forest<Post> {
        self.forest.clone().expect("open between steps")
    }

    fn newest(&self) -> Known {
        self.known.last().expect("from the beginning on").1
    }

    fn note(&mut self, known: Known) {
        if known != self.newest() {
            self.known.push((self.storage.event_count(), known));
        }
    }

    fn acknowledge(&mut self, op: u64) {
        let known = self.newest();
        self.note(Known { acknowledged: known.acknowledged.max(op), ..known });
    }

    fn run(&mut self, ops: u64, reached: &mut Reached) {
        let end = self.history.op() + ops;
        while self.history.op() < end {
            match self.random.below(100) {
                0..84 => self.write(reached),
                84..88 => self.discard(reached),
                88..91 => self.hold(reached),
                91 | 92 => {
                    self.forest().checkpoint().expect("the device is sound");
                    self.acknowledge(self.history.op());
                }
                93..95 => {
                    self.forest().sync().expect("the device is sound");
                    self.acknowledge(self.history.op());
                }
                95 | 96 => self.full(reached),
                97 => self.reopen(reached),
                _ => verify(&self.forest(), &self.history.at(self.history.op())),
            }
            self.look(reached);
        }
        while !self.held.is_empty() {
            self.compare_held(0, reached);
        }
        reached.ops += ops;
    }

    /// One op.
    fn write(&mut self, reached: &mut Reached) {
        let (seed, op) = (self.seed ^ self.random.next() >> 40, self.history.op() + 1);
        let known = self.newest();
        self.note(Known { submitted: op, ..known });
        match self.forest().write(|tx| apply(tx, seed, op)) {
            Ok(()) => {
                self.history.push(seed);
                if self.setting.durability == Durability::Sync {
                    self.acknowledge(op);
                }
            }
            Err(WriteError::Commit(CommitError::NoSpace { .. })) => {
                reached.full += 1;
                self.note(Known { submitted: op - 1, ..self.newest() });
            }
            Err(error) => panic!("op {op}: {error:?}"),
        }
    }

    /// A scope that comes to nothing.
    fn discard(&mut self, reached: &mut Reached) {
        let (seed, op) = (self.random.next(), self.history.op() + 1);
        let discarded = self.forest().write(|tx| {
            apply(tx, seed, op)?;
            Err::<(), _>(Abort::new("given up"))
        });
        assert!(matches!(discarded, Err(WriteError::Aborted(_))));
        reached.discarded += 1;
    }

    /// Takes a snapshot and keeps it, so that the blocks it reads are not written again.
    fn hold(&mut self, reached: &mut Reached) {
        let snapshot = self.forest().snapshot();
        let op = snapshot.parcels.op();
        self.held.push((snapshot, op));
        while self.held.len() > 3 {
            let at = self.random.below(self.held.len() as u64) as usize;
            self.compare_held(at, reached);
        }
    }

    fn compare_held(&mut self, at: usize, reached: &mut Reached) {
        let (snapshot, op) = self.held.swap_remove(at);
        compare(&snapshot, &self.history.at(op)).unwrap_or_else(|error| panic!("{error:?}"));
        reached.held_compared += 1;
    }

    /// Some ops on a disk that is full, and then has space again.
    fn full(&mut self, reached: &mut Reached) {
        self.storage.set_capacity(0);
        let bars = if self.setting.durability == Durability::Sync { 1 } else { 3 };
        for _ in 0..(4 + self.random.below(16)) * bars {
            self.write(reached);
        }
        self.storage.set_capacity(u64::MAX);
        verify(&self.forest(), &self.history.at(self.history.op()));
    }

    /// Closes the forest, or lets the process end without: the system keeps what was written.
    fn reopen(&mut self, reached: &mut Reached) {
        while !self.held.is_empty() {
            self.compare_held(0, reached);
        }
        let forest = self.forest.take().expect("open between steps");
        let before = forest.statistics().checkpoint_op;
        let op = self.history.op();
        if self.random.chance(40) {
            forest.close().expect("the device is sound");
            self.acknowledge(op);
            // A compaction beside it may go on until the handle is gone.
            let is_synced = self.storage.medium() == self.storage.cached();
            assert!(is_synced || self.setting.threads > 0, "a close leaves nothing to lose");
        } else {
            drop(forest);
        }
        let forest = open(&self.storage, self.setting);
        let after = forest.statistics().checkpoint_op;
        reached.doubtful += u64::from(after == op && before < op);
        reached.opens += 1;
        verify(&forest, &self.history.at(op));
        self.forest = Some(forest);
        self.last = None;
        self.acknowledge(op);
    }

    /// Notes what has happened since the last look.
    fn look(&mut self, reached: &mut Reached) {
        let now = self.forest().statistics();
        reached.levels = reached.levels.max(now.levels);
        if let Some(last) = self.last {
            if now.checkpoint_op > last.checkpoint_op {
                reached.checkpoints += 1;
                reached.held_checkpoints += u64::from(!self.held.is_empty());
                // A checkpoint makes durable what it covers, and what was in the log before it.
                self.acknowledge(now.checkpoint_op);
            }
            reached.manifest_compactions += u64::from(now.manifest_blocks < last.manifest_blocks);
        }
        self.last = Some(now);
    }
}

/// Entries that the journal shows to go around the end of the log.
fn wraps(journal: &Journal) -> u64 {
    let pair = |events: &[Event]| match events {
        [Event::Write { offset, bytes }, Event::Write { offset: next, .. }] => {
            LOG.contains(offset) && offset + bytes.len() as u64 == LOG.end && *next == LOG.start
        }
        _ => false,
    };
    journal.events().windows(2).filter(|events| pair(events)).count() as u64
}
