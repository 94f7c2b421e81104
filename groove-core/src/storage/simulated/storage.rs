//! The device itself.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::crash::{PLANNED, crash_image};
use super::damage::Damage;
use super::fault::{Call, Fault, Faults};
use super::image::Image;
use super::journal::{Event, Journal};
use super::random::Random;
use crate::storage::Storage;

/// What a device was asked for, and the time that one of flash takes for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reads that succeeded, each of a batch.
    pub reads: u64,
    /// Bytes that they gave.
    pub bytes_read: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// Bytes that they took.
    pub bytes_written: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Reservations that succeeded.
    pub allocations: u64,
    /// Extents that were given back.
    pub releases: u64,
    /// 80 microseconds for a read, 20 for a write, 1 GB/s for bytes, 1 millisecond for a sync. Counted,
    /// not waited for, and as if one call came after the other.
    pub time: Duration,
}

/// Bytes in the system's cache over bytes on a medium. Clones share them.
#[derive(Clone)]
pub struct SimulatedStorage {
    state: Arc<Mutex<State>>,
}

struct State {
    /// What was written: what is read, but for the damage.
    cached: Image,
    /// What a crash leaves in any case.
    medium: Image,
    /// What was done since the last sync, in order.
    unsynced: Vec<Event>,
    journal: Option<Journal>,
    faults: Faults,
    damage: Damage,
    /// Bytes that the device has room for.
    capacity: u64,
    counters: Counters,
    random: Random,
}

impl SimulatedStorage {
    /// An empty device; `seed` decides what is random about its faults.
    pub fn new(seed: u64) -> SimulatedStorage {
        SimulatedStorage::from_image(Image::new(), seed)
    }

    /// A device that holds `image`, all of it durable.
    pub fn from_image(image: Image, seed: u64) -> SimulatedStorage {
        let state = State {
            cached: image.clone(),
            medium: image,
            unsynced: Vec::new(),
            journal: None,
            faults: Faults::default(),
            damage: Damage::default(),
            capacity: u64::MAX,
            counters: Counters::default(),
            random: Random::new(seed),
        };
        SimulatedStorage { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes from now on what is done.
    ///
    /// # Panics
    /// If something is not synced: a journal begins with a durable device.
    pub fn record(&self) {
        let mut state = self.state();
        assert!(state.unsynced.is_empty(), "a journal begins with a durable device");
        state.journal = Some(Journal::new(state.medium.clone()));
    }

    /// What was noted since [`record`](SimulatedStorage::record); nothing is noted any more.
    ///
    /// # Panics
    /// If nothing was ordered to be noted.
    pub fn take_journal(&self) -> Journal {
        self.state().journal.take().expect("a journal was ordered")
    }

    /// Calls noted so far.
    pub fn event_count(&self) -> usize {
        self.state().journal.as_ref().map_or(0, |journal| journal.events().len())
    }

    /// Fails calls from now on, instead of those that failed so far.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.set(Some(fault));
    }

    /// No call fails from now on; gives how many have.
    pub fn repair(&self) -> u64 {
        let mut state = self.state();
        let failed = state.faults.failed;
        state.faults.set(None);
        failed
    }

    /// How many calls have failed since the last order.
    pub fn failed(&self) -> u64 {
        self.state().faults.failed
    }

    /// The device has room for so many bytes: beyond, writes and reservations fail.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Bits of a byte read as their opposite from now on, until something is written there.
    pub fn rot(&self, offset: u64, mask: u8) {
        let State { damage, cached, .. } = &mut *self.state();
        damage.rot(cached, offset, mask);
    }

    /// Whole sectors at `at` read as those at `from` are now, until something is written there: a
    /// write to the wrong place, a lost one, or a read from the wrong place.
    pub fn misdirect(&self, at: u64, from: u64, length: usize) {
        let State { damage, cached, .. } = &mut *self.state();
        damage.misdirect(cached, at, from, length);
    }

    /// Takes all damage away: what is read is what was written.
    pub fn heal(&self) {
        self.state().damage.heal();
    }

    /// What was asked for so far.
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// What was written, durable or not, without damage.
    pub fn cached(&self) -> Image {
        self.state().cached.clone()
    }

    /// What is durable.
    pub fn medium(&self) -> Image {
        self.state().medium.clone()
    }

    /// The `nth` image that a power loss may leave now; see [`crash_image`].
    pub fn crash(&self, nth: u64, random: &mut Random) -> Image {
        let state = self.state();
        crash_image(&state.medium, &state.unsynced, nth, random)
    }
}

impl State {
    fn change(&mut self, event: Event) {
        event.apply(&mut self.cached);
        if let Some(journal) = &mut self.journal {
            journal.add(event.clone());
        }
        self.unsynced.push(event);
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.damage.written(offset, bytes.len());
        self.change(Event::Write { offset, bytes: bytes.into() });
    }

    fn spend(&mut self, call: u64, bytes: usize) {
        self.counters.time += Duration::from_nanos(call * 1000 + bytes as u64);
    }
}

impl Storage for SimulatedStorage {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = &mut *self.state();
        if let Err(error) = state.faults.call(Call::Read) {
            let filled = state.random.below(buffer.len() as u64 + 1) as usize;
            buffer[..filled].fill_with(|| state.random.next() as u8);
            return Err(error);
        }
        if buffer.is_empty() {
            return Ok(());
        }
        if !state.cached.read(offset, buffer) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        state.damage.apply(offset, buffer);
        state.counters.reads += 1;
        state.counters.bytes_read += buffer.len() as u64;
        state.spend(80, buffer.len());
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        let state = &mut *self.state();
        let end = offset.checked_add(buffer.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        let full = end > state.capacity && end > state.cached.length();
        let called = state.faults.call(Call::Write);
        let called = called.and(if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) });
        if called.is_err() {
            let room = (state.capacity.max(state.cached.length())).saturating_sub(offset);
            let room = room.min(buffer.len() as u64);
            let written = match state.random.below(3) {
                0 => 0,
                1 => state.random.below(room + 1),
                _ => room,
            };
            if written > 0 {
                state.write(offset, &buffer[..written as usize]);
            }
            return called;
        }
        if !buffer.is_empty() {
            state.write(offset, buffer);
        }
        state.counters.writes += 1;
        state.counters.bytes_written += buffer.len() as u64;
        state.spend(20, buffer.len());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.state();
        let called = state.faults.call(Call::Sync);
        let unsynced = std::mem::take(&mut state.unsynced);
        if called.is_err() {
            assert!(state.journal.is_none(), "a journal knows no lost pages");
            state.medium = match state.random.below(3) {
                0 => state.medium.clone(),
                _ => crash_image(&state.medium, &unsynced, PLANNED, &mut state.random),
            };
            return called;
        }
        unsynced.iter().for_each(|event| event.apply(&mut state.medium));
        if let Some(journal) = &mut state.journal {
            journal.add(Event::Sync);
        }
        state.counters.syncs += 1;
        state.spend(1000, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.state().cached.length())
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let state = &mut *self.state();
        state.faults.call(Call::Allocate)?;
        let end = offset.checked_add(length).ok_or(io::ErrorKind::FileTooLarge)?;
        if end > state.capacity && end > state.cached.length() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if end > state.cached.length() {
            state.change(Event::Allocate { end });
        }
        state.counters.allocations += 1;
        Ok(())
    }

    /// The contents are gone at once; a crash may bring them back as long as nothing is synced.
    fn release(&self, offset: u64, length: u64) {
        let state = &mut *self.state();
        let length = length.min(state.cached.length().saturating_sub(offset));
        if length > 0 {
            state.damage.written(offset, usize::try_from(length).expect("in memory"));
            state.change(Event::Release { offset, length });
            state.counters.releases += 1;
        }
    }
}
