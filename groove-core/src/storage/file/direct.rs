//! Large writes that go to the device past the system's cache.
//!
//! A table is written once, by a compaction, and read through the engine's own cache. Through the
//! system's cache it would be copied once more, push out what is read, and wait there for the next
//! sync: that of a commit, which would then write out tables before it returns. So large writes of
//! whole sectors go to the device at once, and a commit syncs little besides its own log entry.
//!
//! The system keeps both ways coherent: a direct write takes the pages that it replaces out of the
//! cache. Durable it is no sooner than other writes, with the next sync. File systems that refuse
//! direct writes are written through the cache.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};

use crate::constants::SECTOR_SIZE;

/// Shorter writes are left to the system's cache: several log entries of small scopes go to the
/// device with one sync.
const LENGTH_MIN: usize = 64 << 10;
/// Bytes that are copied and written at a time, if they are not aligned where they are.
const PIECE_SECTORS: usize = 256;

/// The unit of memory that any device takes.
#[repr(C, align(4096))]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Sector([u8; SECTOR_SIZE]);

const _: () = assert!(align_of::<Sector>() == SECTOR_SIZE);

/// A second handle of the file, for large writes.
#[derive(Debug)]
pub(super) struct DirectWriter {
    file: File,
    /// The file system turned out not to take direct writes.
    refused: AtomicBool,
    /// Memory for copies: as many pieces as there were writes of this kind at a time.
    pieces: Mutex<Vec<Vec<Sector>>>,
}

impl DirectWriter {
    /// The file at `path`, if it is `file` and its file system knows direct writes.
    pub(super) fn open(path: &Path, file: &File) -> Option<DirectWriter> {
        let direct = open_direct(path)?;
        // The path may have been given to another file since.
        is_same(file, &direct).then(|| DirectWriter {
            file: direct,
            refused: false.into(),
            pieces: Mutex::new(Vec::new()),
        })
    }

    /// Whether a write is to be tried here: large, of whole sectors.
    pub(super) fn takes(&self, offset: u64, buffer: &[u8]) -> bool {
        buffer.len() >= LENGTH_MIN
            && buffer.len().is_multiple_of(SECTOR_SIZE)
            && offset.is_multiple_of(SECTOR_SIZE as u64)
            && !self.refused.load(Ordering::Relaxed)
    }

    /// Writes what [`takes`](Self::takes) allows; `false` if the file system refuses, and whoever
    /// asks writes it through the cache.
    pub(super) fn write_all_at(&self, offset: u64, buffer: &[u8]) -> io::Result<bool> {
        let aligned = buffer.as_ptr().addr().is_multiple_of(SECTOR_SIZE);
        let written = if aligned {
            write(&self.file, offset, buffer)
        } else {
            self.write_copied(offset, buffer)
        };
        match written {
            // A device with larger sectors, or a file system that takes the flag and no more.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            written => written.map(|()| true),
        }
    }

    fn write_copied(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        let pieces = || self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = pieces().pop();
        let mut sectors = taken.unwrap_or_else(|| vec![Zeroable::zeroed(); PIECE_SECTORS]);
        let piece: &mut [u8] = bytemuck::cast_slice_mut(&mut sectors);
        let mut offset = offset;
        let mut written = Ok(());
        for part in buffer.chunks(piece.len()) {
            let copy = &mut piece[..part.len()];
            copy.copy_from_slice(part);
            written = write(&self.file, offset, copy);
            if written.is_err() {
                break;
            }
            offset += part.len() as u64;
        }
        pieces().push(sectors);
        written
    }
}

fn write(file: &File, offset: u64, buffer: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.write_all_at(buffer, offset) // goes on after EINTR and short counts
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flag = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).ok()?;
    std::fs::OpenOptions::new().write(true).custom_flags(flag).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> Option<File> {
    None
}

fn is_same(one: &File, other: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |file: &File| file.metadata().ok().map(|it| (it.dev(), it.ino()));
    let one = identity(one);
    one.is_some() && one == identity(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_writes_of_whole_sectors_are_taken_and_read_back_whatever_their_alignment() {
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = directory.path().join("a.groove");
        std::fs::write(&path, vec![7; 4 << 20]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let Some(direct) = DirectWriter::open(&path, &file) else {
            return; // this file system has none
        };
        let bytes: Vec<u8> = (0..3_u32 << 18).flat_map(u32::to_le_bytes).collect();
        for begin in [0, 1, 8] {
            // Whole sectors, longer than a piece, at odd addresses in memory.
            let part = &bytes[begin..begin + (2 << 20) + SECTOR_SIZE];
            assert!(direct.takes(SECTOR_SIZE as u64, part));
            if !direct.write_all_at(SECTOR_SIZE as u64, part).unwrap() {
                return;
            }
            let read = std::fs::read(&path).unwrap();
            assert_eq!(&read[SECTOR_SIZE..SECTOR_SIZE + part.len()], part);
            assert_eq!(read[..SECTOR_SIZE], [7; SECTOR_SIZE]);
            assert!(read[SECTOR_SIZE + part.len()..].iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn short_and_odd_writes_are_left_to_the_cache() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        std::fs::write(&path, b"something").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let Some(direct) = DirectWriter::open(&path, &file) else { return };
        let bytes = vec![0; LENGTH_MIN + 1];
        assert!(!direct.takes(0, &bytes));
        assert!(!direct.takes(0, &bytes[..LENGTH_MIN - SECTOR_SIZE]));
        assert!(!direct.takes(1, &bytes[..LENGTH_MIN]));
        assert!(direct.takes(0, &bytes[..LENGTH_MIN]));
    }

    #[test]
    fn a_path_that_names_another_file_by_now_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        std::fs::write(&path, b"one").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        std::fs::rename(&path, directory.path().join("b.groove")).unwrap();
        std::fs::write(&path, b"other").unwrap();
        assert!(DirectWriter::open(&path, &file).is_none());
    }
}
