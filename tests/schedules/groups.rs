//! Power losses while several committers wait for one sync: their log entries lie in one group, which may be
//! torn anywhere. And while several do not wait for one, and write their entries behind each other's, until one of
//! them asks for a sync.
//!
//! A script is recorded while a scheduler by the seed decides who goes on, as those of `crashes.rs` are, and
//! judged as G1 judges: each op that was acknowledged to its committer by then is found, and what is found is
//! the state after one op.

use std::sync::{Arc, Mutex};

use groove::Durability;
use groove_core::proof::{Event, Random, SimulatedStorage};
use shuttle::thread;

use crate::crashes::scheduled;
use crate::g1;
use crate::post::{Setting, apply};
use crate::tape::{History, Known, Reached, Script, Tape, open};

const SCRIPTS: f64 = 24.0;
const COMMITTERS: usize = 5;
const OPS: u64 = 24;
/// A power loss comes after one of so many calls.
const CALLS: usize = 3;
/// Per cent of the ops without waiting for the disk that are followed by a sync.
const SYNCS: u64 = 25;
const CRASHES_OF_A_RUN: usize = 50;
const ENTRY_MAGIC: &[u8] = b"grvWalE1";

pub(crate) fn run(scale: f64) {
    let scripts = ((SCRIPTS * scale) as u64).max(1);
    let mut shared = 0;
    for seed in 0..scripts {
        println!("groups: script {seed}");
        let script = Arc::new(scheduled(seed, move || record(seed)));
        // Those that wait for no sync share them in any case.
        let synced = script.tapes.iter().filter(|tape| tape.setting.durability == Durability::Sync);
        shared += synced.map(shared_sectors).sum::<usize>();
        let points: Vec<usize> = (seed as usize % CALLS..script.points()).step_by(CALLS).collect();
        for points in points.chunks(CRASHES_OF_A_RUN) {
            let (script, points) = (script.clone(), points.to_vec());
            scheduled(seed, move || {
                points.iter().for_each(|point| g1::crash(&script, *point, seed ^ *point as u64));
            });
        }
    }
    println!("groups: {shared} sectors with several entries");
    assert!(shared as u64 >= scripts / 2, "hardly anything was committed together");
}

/// What the committers know together.
struct Noted {
    history: History,
    known: Vec<(usize, Known)>,
    random: Random,
}

impl Noted {
    fn note(&mut self, calls: usize, known: impl FnOnce(Known) -> Known) {
        let newest = self.known.last().expect("from the beginning on").1;
        self.known.push((calls, known(newest)));
    }
}

fn record(seed: u64) -> Script {
    let setting = Setting {
        threads: (seed / 2 % 3) as usize,
        cache_size: 64 << 10,
        durability: [Durability::Sync, Durability::Buffered][(seed % 2) as usize],
    };
    let is_synced = setting.durability == Durability::Sync;
    let storage = SimulatedStorage::new(seed);
    drop(open(&storage, setting));
    storage.record();
    let forest = open(&storage, setting);
    let none = Known { acknowledged: 0, submitted: 0 };
    let noted = Arc::new(Mutex::new(Noted {
        history: History::new(),
        known: vec![(0, none)],
        random: Random::new(seed),
    }));
    let committers: Vec<_> = (0..COMMITTERS)
        .map(|_| {
            let (forest, storage, noted) = (forest.clone(), storage.clone(), noted.clone());
            thread::spawn(move || {
                for _ in 0..OPS {
                    let written = forest.write(|tx| {
                        // Scopes run one after the other, so this one is the next op.
                        let (seed, op) = {
                            let mut noted = noted.lock().unwrap();
                            let (seed, op) = (noted.random.next(), noted.history.op() + 1);
                            noted.history.push(seed);
                            let submitted = |known| Known { submitted: op, ..known };
                            noted.note(storage.event_count(), submitted);
                            (seed, op)
                        };
                        apply(tx, seed, op)?;
                        Ok(op)
                    });
                    let op = written.unwrap_or_else(|error| panic!("{error:?}"));
                    if !is_synced {
                        if !noted.lock().unwrap().random.chance(SYNCS) {
                            continue;
                        }
                        forest.sync().expect("the device is sound");
                    }
                    let acknowledged =
                        |known: Known| Known { acknowledged: known.acknowledged.max(op), ..known };
                    noted.lock().unwrap().note(storage.event_count(), acknowledged);
                }
            })
        })
        .collect();
    committers.into_iter().for_each(|committer| committer.join().unwrap());
    drop(forest);
    let journal = storage.take_journal();
    let noted = Arc::into_inner(noted).expect("the committers are gone").into_inner().unwrap();
    let tape = Tape::new(journal, noted.known, noted.history, setting);
    Script { tapes: vec![tape], reached: Reached::default() }
}

/// Sectors that were written with several entries in them.
fn shared_sectors(tape: &Tape) -> usize {
    let entries = |sector: &[u8]| {
        sector.chunks(512).filter(|cell| cell.get(96..104) == Some(ENTRY_MAGIC)).count()
    };
    let sectors = |event: &Event| match event {
        Event::Write { bytes, .. } => {
            bytes.chunks(4096).filter(|sector| entries(sector) > 1).count()
        }
        _ => 0,
    };
    tape.journal.events().iter().map(sectors).sum()
}
