//! The bytes of a device, in sectors that copies share until one of them changes.

use std::sync::Arc;

pub(super) const SECTOR: usize = 4096;

/// The bytes of a device. A copy costs a list of sectors; what changes afterwards is its own.
///
/// Bytes of the last sector behind the end are zero.
#[derive(Clone, Default)]
pub struct Image {
    /// `None` is a sector of zeros.
    sectors: Vec<Option<Arc<[u8; SECTOR]>>>,
    length: u64,
}

impl Image {
    /// An empty device.
    pub fn new() -> Image {
        Image::default()
    }

    /// A device with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Image {
        let mut image = Image::new();
        image.write(0, bytes);
        image
    }

    /// All bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.length).expect("in memory")];
        assert!(self.read(0, &mut bytes));
        bytes
    }

    /// The number of bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Cuts the end off, or puts zeros behind it.
    pub fn set_length(&mut self, length: u64) {
        let count = usize::try_from(length).expect("in memory").div_ceil(SECTOR);
        self.sectors.resize(count, None);
        let kept = (length % SECTOR as u64) as usize;
        if let Some(Some(last)) = self.sectors.last_mut()
            && length < self.length
            && kept > 0
        {
            Arc::make_mut(last)[kept..].fill(0);
        }
        self.length = length;
    }

    /// Makes it at least this long.
    pub fn grow(&mut self, length: u64) {
        if length > self.length {
            self.set_length(length);
        }
    }

    /// Fills `buffer` from `offset` on; `false`, and nothing read, if the bytes end before.
    #[must_use]
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let inside = offset.checked_add(buffer.len() as u64).is_some_and(|end| end <= self.length);
        if inside {
            for (sector, from, part) in parts(offset, buffer.len()) {
                match &self.sectors[sector] {
                    Some(bytes) => {
                        let length = part.len();
                        buffer[part].copy_from_slice(&bytes[from..from + length]);
                    }
                    None => buffer[part].fill(0),
                }
            }
        }
        inside
    }

    /// Writes `bytes` at `offset`, and makes the device longer if it ends before.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.grow(offset + bytes.len() as u64);
        for (sector, from, part) in parts(offset, bytes.len()) {
            let stored = &mut self.sectors[sector];
            match <&[u8; SECTOR]>::try_from(&bytes[part.clone()]) {
                Ok(whole) => *stored = Some(Arc::new(*whole)),
                Err(_) => {
                    let stored = stored.get_or_insert_with(|| Arc::new([0; SECTOR]));
                    let length = part.len();
                    Arc::make_mut(stored)[from..from + length].copy_from_slice(&bytes[part]);
                }
            }
        }
    }

    /// Takes the contents of `length` bytes at `offset` away: zeros are left, as far as the device goes.
    pub fn clear(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.length);
        for (sector, from, part) in parts(offset, end.saturating_sub(offset) as usize) {
            match &mut self.sectors[sector] {
                stored if part.len() == SECTOR => *stored = None,
                Some(stored) => Arc::make_mut(stored)[from..from + part.len()].fill(0),
                None => {}
            }
        }
    }

    /// The sectors in which two devices differ, by number.
    pub fn differences(&self, other: &Image) -> Vec<usize> {
        let zeros = [0; SECTOR];
        let content = |image: &Image, at: usize| image.sectors.get(at).cloned().flatten();
        (0..self.sectors.len().max(other.sectors.len()))
            .filter(|at| match (content(self, *at), content(other, *at)) {
                (Some(one), Some(other)) => !Arc::ptr_eq(&one, &other) && one != other,
                (Some(one), None) | (None, Some(one)) => *one != zeros,
                (None, None) => false,
            })
            .collect()
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        self.length == other.length && self.differences(other).is_empty()
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Image").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The sectors that `length` bytes at `offset` lie in: number, where in it, which of the bytes.
pub(super) fn parts(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let offset = usize::try_from(offset).expect("in memory");
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == length {
            return None;
        }
        let (sector, from) = ((offset + at) / SECTOR, (offset + at) % SECTOR);
        let begin = at;
        at = length.min(at + SECTOR - from);
        Some((sector, from, begin..at))
    })
}
