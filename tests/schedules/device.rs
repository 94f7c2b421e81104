//! Devices at whose calls another thread may go on: one in memory that knows which scopes are on disk,
//! and one that can lose its power.

use std::collections::HashSet;
use std::io;
use std::sync::Mutex;

use groove::storage::{MemoryStorage, Storage};
use groove_core::proof::SimulatedStorage;
use shuttle::thread::yield_now;

/// The upper half of a number that a scope writes into a row, and nothing else writes.
pub(crate) const MARKER: u64 = 0x5EED_FACE << 32;

#[derive(Default)]
pub(crate) struct Device {
    bytes: MemoryStorage,
    scopes: Mutex<Scopes>,
}

/// Markers that were written and are in the cache only, and those that were written before a sync
/// began that has returned.
#[derive(Default)]
struct Scopes {
    written: Vec<u64>,
    synced: HashSet<u64>,
    /// Calls of each kind that succeed before one fails.
    sound_syncs: Option<u64>,
    sound_writes: Option<u64>,
}

/// Whether a call fails of which so many more succeed.
fn fails(sound: &mut Option<u64>) -> bool {
    let failed = *sound == Some(0);
    *sound = sound.and_then(|sound| sound.checked_sub(1));
    failed
}

impl Device {
    /// After `sound` more syncs one fails. What it should have brought to the disk is lost.
    pub(crate) fn fail_sync_after(&self, sound: u64) {
        self.scopes.lock().unwrap().sound_syncs = Some(sound);
    }

    /// After `sound` more writes one fails, and writes nothing.
    pub(crate) fn fail_write_after(&self, sound: u64) {
        self.scopes.lock().unwrap().sound_writes = Some(sound);
    }

    /// No call fails any more.
    pub(crate) fn repair(&self) {
        let mut scopes = self.scopes.lock().unwrap();
        (scopes.sound_syncs, scopes.sound_writes) = (None, None);
    }

    /// The scopes that are on disk.
    pub(crate) fn synced(&self) -> HashSet<u64> {
        self.scopes.lock().unwrap().synced.clone()
    }

    pub(crate) fn is_synced(&self, marker: u64) -> bool {
        self.scopes.lock().unwrap().synced.contains(&marker)
    }
}

fn markers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let words = bytes.windows(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.filter(|word| word & (u64::MAX << 32) == MARKER)
}

impl Storage for Device {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        yield_now();
        self.bytes.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        yield_now();
        if fails(&mut self.scopes.lock().unwrap().sound_writes) {
            return Err(io::Error::other("injected"));
        }
        self.bytes.write_at(offset, buffer)?;
        self.scopes.lock().unwrap().written.extend(markers(buffer));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.scopes.lock().unwrap().written.len();
        yield_now();
        let mut scopes = self.scopes.lock().unwrap();
        let written: Vec<u64> = scopes.written.drain(..begun).collect();
        if fails(&mut scopes.sound_syncs) {
            return Err(io::Error::other("injected"));
        }
        scopes.synced.extend(written);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.bytes.allocate(offset, length)
    }
}

/// The simulated device. Another thread may go on before each call that changes something, and before
/// it returns: what is written while a sync is under way is not on disk for that.
pub(crate) struct Switching {
    device: SimulatedStorage,
    /// A place to go on from, without being put behind all others as by `yield_now`.
    turn: shuttle::sync::Mutex<()>,
}

impl Switching {
    pub(crate) fn new(device: SimulatedStorage) -> Switching {
        Switching { device, turn: shuttle::sync::Mutex::new(()) }
    }

    fn switched<T>(&self, call: impl FnOnce(&SimulatedStorage) -> T) -> T {
        drop(self.turn.lock().unwrap());
        let result = call(&self.device);
        drop(self.turn.lock().unwrap());
        result
    }
}

impl Storage for Switching {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.device.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.switched(|device| device.write_at(offset, buffer))
    }

    fn sync(&self) -> io::Result<()> {
        self.switched(SimulatedStorage::sync)
    }

    fn length(&self) -> io::Result<u64> {
        self.device.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.switched(|device| device.allocate(offset, length))
    }

    fn release(&self, offset: u64, length: u64) {
        self.switched(|device| device.release(offset, length));
    }
}
