//! Rot and misdirection: sectors that read as something else than what was written to them.
//!
//! They lie over the sound bytes, which stay as they are: damage can be taken away again.

use std::collections::BTreeMap;

use super::image::{Image, SECTOR, parts};

/// Sectors as they are read instead of the sound ones.
#[derive(Default)]
pub(super) struct Damage {
    sectors: BTreeMap<usize, [u8; SECTOR]>,
}

impl Damage {
    pub(super) fn heal(&mut self) {
        self.sectors.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sectors.is_empty()
    }

    /// The sector as it is read.
    fn sector(&self, sound: &Image, sector: usize) -> [u8; SECTOR] {
        if let Some(damaged) = self.sectors.get(&sector) {
            return *damaged;
        }
        let mut bytes = [0; SECTOR];
        let begin = (sector * SECTOR) as u64;
        let length = sound.length().saturating_sub(begin).min(SECTOR as u64) as usize;
        assert!(sound.read(begin, &mut bytes[..length]));
        bytes
    }

    pub(super) fn rot(&mut self, sound: &Image, offset: u64, mask: u8) {
        let sector = (offset / SECTOR as u64) as usize;
        let mut bytes = self.sector(sound, sector);
        bytes[(offset % SECTOR as u64) as usize] ^= mask;
        self.sectors.insert(sector, bytes);
    }

    /// Sectors at `at` read as those at `from`, as they are now.
    pub(super) fn misdirect(&mut self, sound: &Image, at: u64, from: u64, length: usize) {
        let (at, from) = ((at / SECTOR as u64) as usize, (from / SECTOR as u64) as usize);
        let count = length.div_ceil(SECTOR);
        let bytes: Vec<_> = (from..from + count).map(|other| self.sector(sound, other)).collect();
        self.sectors.extend((at..).zip(bytes));
    }

    /// What is written is sound again, also the rest of its sectors.
    pub(super) fn written(&mut self, offset: u64, length: usize) {
        if !self.is_empty() {
            for (sector, _, _) in parts(offset, length) {
                self.sectors.remove(&sector);
            }
        }
    }

    /// Puts the damage over what was read.
    pub(super) fn apply(&self, offset: u64, buffer: &mut [u8]) {
        if self.is_empty() {
            return;
        }
        for (sector, from, part) in parts(offset, buffer.len()) {
            if let Some(damaged) = self.sectors.get(&sector) {
                let length = part.len();
                buffer[part].copy_from_slice(&damaged[from..from + length]);
            }
        }
    }
}
