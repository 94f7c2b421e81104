//! Test double: remembers every write and sync, and makes the images that a crash may leave.

use std::io;
use std::sync::Mutex;

use super::{MemoryStorage, Storage};

/// A storage in memory that remembers what was done to it.
#[derive(Debug)]
pub(crate) struct Recorder {
    memory: MemoryStorage,
    initial: Vec<u8>,
    events: Mutex<Vec<Event>>,
}

#[derive(Debug, Clone)]
enum Event {
    Write { offset: u64, bytes: Vec<u8> },
    Allocate { offset: u64, length: u64 },
    Sync,
}

impl Recorder {
    /// A storage that holds `initial`, all of it durable.
    pub(crate) fn new(initial: Vec<u8>) -> Recorder {
        let memory = MemoryStorage::from_bytes(initial.clone());
        Recorder { memory, initial, events: Mutex::new(Vec::new()) }
    }

    /// How many writes, syncs and allocations there were.
    pub(crate) fn event_count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    /// Where something was written after the first `count` events, and how many bytes.
    pub(crate) fn writes_since(&self, count: usize) -> Vec<(u64, usize)> {
        let events = self.events.lock().unwrap();
        let writes = events[count..].iter().filter_map(|event| match event {
            Event::Write { offset, bytes } => Some((*offset, bytes.len())),
            Event::Allocate { .. } | Event::Sync => None,
        });
        writes.collect()
    }

    pub(crate) fn sync_count(&self) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Sync)).count()
    }

    /// Calls `check(events, image)` with what may be on disk after a crash that comes when the
    /// first `events` events have returned, for every such number and several images of each:
    /// of the writes since the last sync none, all, all but one, one alone, and one torn at its
    /// beginning, in its middle or with garbage in it. Returns the number of images.
    pub(crate) fn crash_images(&self, mut check: impl FnMut(usize, &[u8])) -> u64 {
        let events = self.events.lock().unwrap().clone();
        let mut images = 0;
        for count in 0..=events.len() {
            let synced = events[..count].iter().rposition(|event| matches!(event, Event::Sync));
            let synced = synced.map_or(0, |index| index + 1);
            let durable = MemoryStorage::from_bytes(self.initial.clone());
            events[..synced].iter().for_each(|event| apply(&durable, event));
            let durable = durable.snapshot_bytes();
            for fates in fates(count - synced) {
                let image = MemoryStorage::from_bytes(durable.clone());
                for (event, fate) in events[synced..count].iter().zip(fates) {
                    damage(&image, event, fate);
                }
                check(count, &image.snapshot_bytes());
                images += 1;
            }
        }
        images
    }
}

/// What a crash does to a write that was not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Kept,
    Lost,
    FirstSectorOnly,
    AllButFirstSector,
    FirstHalf,
    LastHalf,
    GarbageAtStart,
    GarbageInMiddle,
    GarbageAtEnd,
}

fn fates(count: usize) -> Vec<Vec<Fate>> {
    let mut all = vec![vec![Fate::Kept; count]];
    if count == 0 {
        return all;
    }
    all.push(vec![Fate::Lost; count]);
    for index in 0..count {
        for background in [Fate::Kept, Fate::Lost] {
            for fate in [
                Fate::Kept,
                Fate::Lost,
                Fate::FirstSectorOnly,
                Fate::AllButFirstSector,
                Fate::FirstHalf,
                Fate::LastHalf,
                Fate::GarbageAtStart,
                Fate::GarbageInMiddle,
                Fate::GarbageAtEnd,
            ] {
                if fate != background {
                    let mut fates = vec![background; count];
                    fates[index] = fate;
                    all.push(fates);
                }
            }
        }
    }
    all
}

/// The device's own sector, which is smaller than the format's.
const DEVICE_SECTOR: usize = 512;

fn damage(image: &MemoryStorage, event: &Event, fate: Fate) {
    let Event::Write { offset, bytes } = event else {
        if fate != Fate::Lost {
            apply(image, event);
        }
        return;
    };
    let sectors = bytes.len().div_ceil(DEVICE_SECTOR);
    let at = |sector: usize| (sector * DEVICE_SECTOR).min(bytes.len());
    let write = |from: usize, to: usize| {
        image.write_at(offset + from as u64, &bytes[from..to]).unwrap();
    };
    let garbage = |from: usize, to: usize| {
        write(0, bytes.len());
        let garbage: Vec<u8> =
            (from..to).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        image.write_at(offset + from as u64, &garbage).unwrap();
    };
    match fate {
        Fate::Kept => write(0, bytes.len()),
        Fate::Lost => {}
        Fate::FirstSectorOnly => write(0, at(1)),
        Fate::AllButFirstSector => write(at(1), bytes.len()),
        Fate::FirstHalf => write(0, at(sectors / 2)),
        Fate::LastHalf => write(at(sectors / 2), bytes.len()),
        Fate::GarbageAtStart => garbage(0, at(1)),
        Fate::GarbageInMiddle => garbage(at(sectors / 2), at(sectors / 2 + 1)),
        Fate::GarbageAtEnd => garbage(at(sectors - 1), bytes.len()),
    }
}

fn apply(storage: &MemoryStorage, event: &Event) {
    match event {
        Event::Write { offset, bytes } => storage.write_at(*offset, bytes).unwrap(),
        Event::Allocate { offset, length } => storage.allocate(*offset, *length).unwrap(),
        Event::Sync => {}
    }
}

impl Storage for Recorder {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.memory.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.memory.write_at(offset, buffer)?;
        self.events.lock().unwrap().push(Event::Write { offset, bytes: buffer.to_vec() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.events.lock().unwrap().push(Event::Sync);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.memory.length()
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.memory.allocate(offset, length)?;
        self.events.lock().unwrap().push(Event::Allocate { offset, length });
        Ok(())
    }
}
