//! A device in memory that remembers every call, fails where it is told to, and gives what a crash
//! may leave.
//!
//! What was written is in the cache at once and on the medium after a sync. A sync that fails
//! forgets what it should have brought there: it can still be read, and no later sync saves it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use groove::storage::{MemoryStorage, Storage};

use crate::model::rng::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
    Sync,
    Allocate,
}

/// Fails the n-th call of a kind from now on, or all from the n-th on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) call: Call,
    pub(super) nth: u64,
    pub(super) for_good: bool,
}

#[derive(Debug, Clone)]
struct Event {
    offset: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Write(Vec<u8>),
    Grow(u64),
    Sync,
    FailedSync,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    calls: [u64; 4],
    fault: Option<Fault>,
    failed: Vec<(Call, u64)>,
    /// Bytes beyond which there is no space.
    capacity: Option<u64>,
}

/// See the module. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Device {
    cache: MemoryStorage,
    initial: Arc<Vec<u8>>,
    state: Arc<Mutex<State>>,
}

impl Device {
    /// A device on whose medium are these bytes.
    pub(super) fn of(bytes: Vec<u8>) -> Device {
        let cache = MemoryStorage::from_bytes(bytes.clone());
        Device { cache, initial: Arc::new(bytes), state: Arc::default() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.cache.snapshot_bytes()
    }

    /// How many calls that change something have returned.
    pub(super) fn events(&self) -> usize {
        self.state().events.len()
    }

    pub(super) fn fail(&self, fault: Fault) {
        let mut state = self.state();
        let nth = state.calls[fault.call as usize] + fault.nth;
        state.fault = Some(Fault { nth, ..fault });
    }

    pub(super) fn limit(&self, capacity: Option<u64>) {
        self.state().capacity = capacity;
    }

    /// The device is sound from now on.
    pub(super) fn repair(&self) {
        let mut state = self.state();
        state.fault = None;
        state.capacity = None;
        state.failed.clear();
    }

    /// The calls that failed, and where.
    pub(super) fn failed(&self) -> Vec<(Call, u64)> {
        self.state().failed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at each moment, also where the engine panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and fails it if it is its turn.
    fn enter(&self, call: Call, offset: u64, end: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls[call as usize] += 1;
        let number = state.calls[call as usize];
        let hit = state.fault.is_some_and(|fault| {
            fault.call == call && (number == fault.nth || fault.for_good && number > fault.nth)
        });
        let grows = matches!(call, Call::Write | Call::Allocate);
        let full = grows && state.capacity.is_some_and(|capacity| end > capacity);
        if !hit && !full {
            return Ok(state);
        }
        state.failed.push((call, offset));
        if call == Call::Sync {
            state.events.push(Event { offset, kind: Kind::FailedSync });
        }
        Err(if full { io::ErrorKind::StorageFull.into() } else { io::Error::other("injected") })
    }

    /// Images of crashes after `points` calls, which ascend: `fates` decides what becomes of what
    /// was not synced. Calls `check(point, image)`.
    pub(super) fn crash(
        &self,
        points: &[usize],
        rng: &mut Rng,
        mut check: impl FnMut(usize, Vec<u8>),
    ) {
        let events = self.state().events.clone();
        let medium = MemoryStorage::from_bytes(self.initial.to_vec());
        let mut pending: Vec<&Event> = Vec::new();
        let mut at = 0;
        for &point in points {
            for event in &events[at..point] {
                match event.kind {
                    Kind::Sync => pending.drain(..).for_each(|event| apply(&medium, event)),
                    Kind::FailedSync => pending.clear(),
                    _ => pending.push(event),
                }
            }
            at = point;
            let image = MemoryStorage::from_bytes(medium.snapshot_bytes());
            leave(&image, &pending, rng);
            check(point, image.snapshot_bytes());
        }
    }
}

fn apply(storage: &MemoryStorage, event: &Event) {
    match &event.kind {
        Kind::Write(bytes) => storage.write_at(event.offset, bytes).unwrap(),
        Kind::Grow(length) => storage.allocate(event.offset, *length).unwrap(),
        Kind::Sync | Kind::FailedSync => {}
    }
}

/// What a device writes as one.
const DEVICE_SECTOR: usize = 512;

/// What a crash leaves of calls that were not synced: all, nothing, all but one, one alone, or of
/// each its own part.
fn leave(image: &MemoryStorage, pending: &[&Event], rng: &mut Rng) {
    let one = rng.below(pending.len() as u64 + 1) as usize;
    let mode = rng.below(6);
    for (at, event) in pending.iter().enumerate() {
        let keep = match mode {
            0 => true,
            1 => false,
            2 => at != one,
            3 => at == one,
            _ => {
                tear(image, event, rng);
                continue;
            }
        };
        if keep {
            apply(image, event);
        }
    }
}

fn tear(image: &MemoryStorage, event: &Event, rng: &mut Rng) {
    let Kind::Write(bytes) = &event.kind else { return apply(image, event) };
    let sectors = bytes.len().div_ceil(DEVICE_SECTOR) as u64;
    let cut = bytes.len().min(rng.below(sectors + 1) as usize * DEVICE_SECTOR);
    let write = |from: usize, to: usize| {
        image.write_at(event.offset + from as u64, &bytes[from..to]).unwrap();
    };
    match rng.below(6) {
        0 => {}
        1 => write(0, bytes.len()),
        2 | 3 => write(0, cut),
        4 => write(cut, bytes.len()),
        _ => {
            write(0, bytes.len());
            let garbage: Vec<u8> = (0..DEVICE_SECTOR).map(|_| rng.next() as u8).collect();
            let at = rng.below(sectors) as usize * DEVICE_SECTOR;
            let length = DEVICE_SECTOR.min(bytes.len() - at);
            image.write_at(event.offset + at as u64, &garbage[..length]).unwrap();
        }
    }
}

impl Storage for Device {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        drop(self.enter(Call::Read, offset, 0)?);
        self.cache.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        let mut state = self.enter(Call::Write, offset, end)?;
        state.events.push(Event { offset, kind: Kind::Write(buffer.to_vec()) });
        self.cache.write_at(offset, buffer)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.enter(Call::Sync, 0, 0)?;
        state.events.push(Event { offset: 0, kind: Kind::Sync });
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.cache.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let mut state = self.enter(Call::Allocate, offset, offset + length)?;
        state.events.push(Event { offset, kind: Kind::Grow(length) });
        self.cache.allocate(offset, length)
    }
}
