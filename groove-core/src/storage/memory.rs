//! Bytes in memory that behave as a file does.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Storage;

/// A storage in memory. Clones share the bytes, so a forest can be dropped and reopened on them.
///
/// Nothing is durable beyond the process; `sync` only returns.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    bytes: Arc<RwLock<Vec<u8>>>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    /// A storage that holds `bytes`, as read from a file.
    pub fn from_bytes(bytes: Vec<u8>) -> MemoryStorage {
        MemoryStorage { bytes: Arc::new(RwLock::new(bytes)) }
    }

    /// A copy of all bytes as they are now.
    pub fn snapshot_bytes(&self) -> Vec<u8> {
        self.shared().clone()
    }

    // No method below leaves the bytes half changed when it panics, so a poisoned lock is sound.
    fn shared(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Vec<u8>> {
        self.bytes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The range of indexes of `length` bytes at `offset`, where such indexes exist on this machine.
fn range(offset: u64, length: u64) -> Option<std::ops::Range<usize>> {
    let end = offset.checked_add(length)?;
    Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}

/// Grows `bytes` with zeros to at least `length`; memory that is not there is an error.
fn grow(bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
    if let Some(more) = length.checked_sub(bytes.len()) {
        bytes.try_reserve(more).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        bytes.resize(length, 0);
    }
    Ok(())
}

impl Storage for MemoryStorage {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.shared();
        let found = range(offset, buffer.len() as u64).and_then(|range| bytes.get(range));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let range = range(offset, buffer.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut bytes = self.exclusive();
        grow(&mut bytes, range.end)?;
        bytes[range].copy_from_slice(buffer);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.shared().len() as u64)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let range = range(offset, length).ok_or(io::ErrorKind::FileTooLarge)?;
        grow(&mut self.exclusive(), range.end)
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryStorage").field("length", &self.shared().len()).finish()
    }
}
