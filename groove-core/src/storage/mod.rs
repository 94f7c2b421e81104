//! The device under the engine: positioned reads and writes, a sync, and nothing else.
//!
//! Everything above sees a flat array of bytes. [`FileStorage`] is a file, [`MemoryStorage`] bytes
//! in memory with the same meaning; tests put a device of their own that fails or tears here.

mod directory;
mod file;
mod memory;
#[cfg(test)]
pub(crate) mod recorder;
#[cfg(any(test, feature = "proof"))]
#[cfg_attr(
    not(feature = "proof"),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "`proof` exports and uses all of it"
    )
)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

pub(crate) use directory::sync_parent_directory;
pub use file::{FileOpenError, FileStorage};
pub use memory::MemoryStorage;

/// One read of a batch.
#[derive(Debug, Clone, Copy)]
pub struct ReadSpan {
    /// Where in the storage, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: usize,
}

/// Takes what each read of a batch brought, by its number: its bytes, or how it ended. It is called on any
/// thread, on several at a time, and the bytes are there until it returns.
pub type ReadTaker = dyn Fn(usize, io::Result<&[u8]>) + Send + Sync;

/// A device that holds a forest.
///
/// Reads and writes are whole or an error: a short count is retried by the implementation, a read
/// past the end is [`io::ErrorKind::UnexpectedEof`]. A write is durable only after a [`sync`] that
/// began after the write returned; until then it may be lost, torn or reordered by a crash.
///
/// [`sync`]: Storage::sync
pub trait Storage: Send + Sync + 'static {
    /// Fills `buffer` from `offset` on.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Carries out all reads, as many at a time as the device takes, and calls `take` once for each. By
    /// default they are carried out one after the other.
    fn read_batch(&self, spans: &[ReadSpan], take: Arc<ReadTaker>) {
        let mut buffer = Vec::new();
        for (number, span) in spans.iter().enumerate() {
            buffer.resize(span.length, 0);
            let result = self.read_at(span.offset, &mut buffer);
            take(number, result.map(|()| &buffer[..]));
        }
    }
    /// Writes all of `buffer` at `offset`, growing the storage if it ends earlier.
    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()>;
    /// Returns once every write that returned before is durable, the length included.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reserves space for `length` bytes at `offset`, growing the storage to at least their end:
    /// later writes there do not fail for want of space. The contents of what was there stay.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;
    /// Says that `length` bytes at `offset` are not needed until they are allocated or written again:
    /// their space may be given back, their contents are lost. By default nothing happens.
    fn release(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }
}
