//! A file as storage: locked while it is open, read by a few threads at a time, large writes past
//! the system's cache.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{ReadSpan, ReadTaker, Storage};
use direct::DirectWriter;
use reader_pool::ReaderPool;

mod direct;
mod reader_pool;

/// Why a file could not be opened as storage. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileOpenError {
    /// Another handle, of this process or another one, has the file open. Close it there.
    #[error("the file is locked by another handle or process")]
    Locked,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file, opened by one handle at a time.
///
/// A handle that can write holds an exclusive lock on the file from before its first read until it
/// is dropped, also when its process is killed. The lock is advisory, and network file systems may
/// not honour it. A read-only handle takes no lock, and sees what a writer does meanwhile, or a
/// shared one.
#[derive(Debug)]
pub struct FileStorage {
    file: Arc<File>,
    writable: bool,
    /// A length that the file had: writes that end at or before it do not change the length.
    length: AtomicU64,
    /// Held by whatever changes the length, so that no two of them undo each other.
    growing: Mutex<()>,
    /// The length may have changed since the last sync that succeeded.
    length_changed: AtomicBool,
    readers: ReaderPool,
    /// For large writes, where the file system knows them.
    direct: Option<DirectWriter>,
}

/// To close the file would do, were it not for child processes: one that another thread is just starting has the file
/// open, too, and with it the lock, until it runs its program.
impl Drop for FileStorage {
    fn drop(&mut self) {
        // Where there are no locks there is nothing to give back.
        let _ = self.file.unlock();
    }
}

impl FileStorage {
    /// Creates the file at `path`, which must not exist yet, and locks it.
    ///
    /// A crash may leave it half written: create it under a temporary name, then rename it.
    pub fn create_new(path: impl AsRef<Path>) -> Result<FileStorage, FileOpenError> {
        let path = path.as_ref();
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        FileStorage::locked(path, file)
    }

    /// Opens the existing file at `path` for reading and writing, and locks it.
    ///
    /// Sync it before the first read that is relied upon: what a killed process wrote may so far
    /// be in the system's memory only.
    pub fn open(path: impl AsRef<Path>) -> Result<FileStorage, FileOpenError> {
        let path = path.as_ref();
        FileStorage::locked(path, OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Opens the existing file at `path` for reading, without a lock: writes and syncs are errors.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<FileStorage, FileOpenError> {
        FileStorage::new(File::open(path)?, None)
    }

    /// Opens the existing file at `path` for reading, with a lock that keeps writers out: refused
    /// while one has the file open, as writers are while this is held.
    pub fn open_shared(path: impl AsRef<Path>) -> Result<FileStorage, FileOpenError> {
        let file = File::open(path)?;
        match file.try_lock_shared() {
            Ok(()) => FileStorage::new(file, None),
            Err(TryLockError::WouldBlock) => Err(FileOpenError::Locked),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn locked(path: &Path, file: File) -> Result<FileStorage, FileOpenError> {
        match file.try_lock() {
            Ok(()) => FileStorage::new(file, Some(path)),
            Err(TryLockError::WouldBlock) => Err(FileOpenError::Locked),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// `path` is given if the file is to be written.
    fn new(file: File, path: Option<&Path>) -> Result<FileStorage, FileOpenError> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let file = Arc::new(file);
        Ok(FileStorage {
            writable: path.is_some(),
            direct: path.and_then(|path| DirectWriter::open(path, &file)),
            length: AtomicU64::new(metadata.len()),
            growing: Mutex::new(()),
            length_changed: AtomicBool::new(true), // an earlier handle may have left it unsynced
            readers: ReaderPool::new(Arc::clone(&file)),
            file,
        })
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }

    /// Runs `change`, which makes the file at least `end` bytes long.
    fn grow(&self, end: u64, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        self.length_changed.store(true, Ordering::SeqCst); // also when it fails halfway
        change()?;
        self.length.fetch_max(end, Ordering::SeqCst);
        Ok(())
    }
}

fn end_of(offset: u64, length: u64) -> io::Result<u64> {
    // The system's offsets are signed.
    let end = offset.checked_add(length).filter(|&end| i64::try_from(end).is_ok());
    end.ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

impl Storage for FileStorage {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, offset, buffer)
    }

    fn read_batch(&self, spans: &[ReadSpan], take: Arc<ReadTaker>) {
        self.readers.read(spans, take);
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = end_of(offset, buffer.len() as u64)?;
        if end <= self.length.load(Ordering::SeqCst) {
            let direct = self.direct.as_ref().filter(|direct| direct.takes(offset, buffer));
            if let Some(direct) = direct
                && direct.write_all_at(offset, buffer)?
            {
                return Ok(());
            }
            return self.file.write_all_at(buffer, offset); // goes on after EINTR and short counts
        }
        self.grow(end, || self.file.write_all_at(buffer, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.check_writable()?;
        if self.length_changed.swap(false, Ordering::SeqCst) {
            self.file.sync_all().inspect_err(|_| self.length_changed.store(true, Ordering::SeqCst))
        } else {
            self.file.sync_data()
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.check_writable()?;
        if length == 0 {
            return Ok(());
        }
        let end = end_of(offset, length)?;
        self.grow(end, || match allocate(&self.file, offset, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => extend(&self.file, end),
            allocated => Ok(allocated?),
        })
    }

    fn release(&self, offset: u64, length: u64) {
        if !self.writable || length == 0 || end_of(offset, length).is_err() {
            return;
        }
        // Where the file system has no holes the space stays with the file.
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let _ = rustix::fs::fallocate(&self.file, flags, offset, length);
    }
}

/// Fills `buffer`, also over EINTR and short counts.
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    if buffer.is_empty() {
        return Ok(());
    }
    if end_of(offset, buffer.len() as u64).is_err() {
        return Err(io::ErrorKind::UnexpectedEof.into()); // as any other range that no file has
    }
    file.read_exact_at(buffer, offset)
}

fn allocate(file: &File, offset: u64, length: u64) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| {
        rustix::fs::fallocate(file, FallocateFlags::empty(), offset, length)
    })
}

/// Where the file system cannot reserve space, the file is at least as long as asked for.
fn extend(file: &File, end: u64) -> io::Result<()> {
    if file.metadata()?.len() < end { file.set_len(end) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{
        Errno, File, FileOpenError, FileStorage, OpenOptions, Ordering, Path, ReadSpan, Storage,
        extend,
    };
    use std::io;

    #[test]
    fn a_second_handle_is_refused_until_the_first_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let first = FileStorage::create_new(&path).unwrap();
        assert!(matches!(FileStorage::open(&path), Err(FileOpenError::Locked)));
        drop(first);
        let second = FileStorage::open(&path).unwrap();
        assert!(matches!(FileStorage::open(&path), Err(FileOpenError::Locked)));
        drop(second);
        FileStorage::open(&path).unwrap();
    }

    #[test]
    fn a_lock_ends_with_the_handle_although_its_readers_were_at_work() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let storage = FileStorage::create_new(&path).unwrap();
        storage.write_at(0, &[7; 8192]).unwrap();
        for _ in 0..20 {
            let storage = FileStorage::open(&path);
            assert!(matches!(storage, Err(FileOpenError::Locked)));
        }
        let spans = [ReadSpan { offset: 0, length: 16 }; 64];
        assert_eq!(super::super::tests::read_batch(&storage, &spans).len(), 64);
        drop(storage);
        FileStorage::open(&path).unwrap();
    }

    #[test]
    fn a_read_only_handle_reads_beside_a_writer_and_never_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let writer = FileStorage::create_new(&path).unwrap();
        writer.write_at(0, b"before").unwrap();
        let reader = FileStorage::open_read_only(&path).unwrap();
        let mut buffer = [0; 6];
        reader.read_at(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"before");
        let refused = io::ErrorKind::ReadOnlyFilesystem;
        assert_eq!(reader.write_at(0, b"after!").unwrap_err().kind(), refused);
        assert_eq!(reader.allocate(0, 4096).unwrap_err().kind(), refused);
        assert_eq!(reader.sync().unwrap_err().kind(), refused);
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
    }

    #[test]
    fn a_missing_file_an_existing_one_and_a_directory_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let kind = |result: Result<FileStorage, FileOpenError>| match result {
            Err(FileOpenError::Io(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(FileStorage::open(&path)), io::ErrorKind::NotFound);
        assert!(!path.exists(), "opening creates nothing");
        FileStorage::create_new(&path).unwrap();
        assert_eq!(kind(FileStorage::create_new(&path)), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(FileStorage::open(directory.path())), io::ErrorKind::IsADirectory);
        assert_eq!(
            kind(FileStorage::open_read_only(directory.path())),
            io::ErrorKind::IsADirectory
        );
    }

    #[test]
    fn allocated_space_is_on_the_device_and_leaves_the_contents() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let storage = FileStorage::create_new(&path).unwrap();
        storage.write_at(4096, &[7; 4096]).unwrap();
        storage.allocate(0, 1 << 20).unwrap();
        storage.sync().unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        assert!(metadata.blocks() * 512 >= 1 << 20, "{} blocks", metadata.blocks());
        assert_eq!(std::fs::read(&path).unwrap()[4096..8192], [7; 4096]);
    }

    /// Nothing else shows whether a sync is made: the file is the same before and after. A device that
    /// cannot be synced refuses it.
    #[test]
    fn a_sync_reaches_the_system_and_its_error_the_caller() {
        let path = Path::new("/dev/null");
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let storage = FileStorage::locked(path, file).unwrap();
        for length_changed in [false, true] {
            storage.length_changed.store(length_changed, Ordering::SeqCst);
            let error = storage.sync().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::INVAL.raw_os_error()));
            assert_eq!(storage.length_changed.load(Ordering::SeqCst), length_changed);
        }
    }

    #[test]
    fn released_space_goes_back_to_the_device_and_the_length_stays() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.groove");
        let storage = FileStorage::create_new(&path).unwrap();
        storage.write_at(0, &vec![7; 1 << 20]).unwrap();
        storage.sync().unwrap();
        storage.release(64 << 10, 512 << 10);
        storage.sync().unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        let bytes = std::fs::read(&path).unwrap();
        let kept = bytes.iter().filter(|byte| **byte == 7).count();
        // A file system without holes keeps everything.
        assert!(matches!(kept, 524_288 | 1_048_576), "{kept} bytes");
        assert!(metadata.blocks() * 512 <= kept as u64 + (64 << 10), "{}", metadata.blocks());
        assert!(bytes[..64 << 10].iter().chain(&bytes[576 << 10..]).all(|byte| *byte == 7));
    }

    #[test]
    fn extending_never_shortens() {
        let file = tempfile::tempfile().unwrap();
        let length = |file: &File| file.metadata().unwrap().len();
        extend(&file, 8192).unwrap();
        assert_eq!(length(&file), 8192);
        extend(&file, 4096).unwrap();
        assert_eq!(length(&file), 8192);
    }

    /// Bug: a file that had just been closed was now and then refused as in use. Mechanism: the lock belongs to what is
    /// open and not to the handle, and a child process that another thread starts has a copy of that, until it runs its
    /// program. Fix: the handle gives the lock back, and does not leave it to the system.
    #[test]
    fn a_closed_file_can_be_opened_while_a_child_process_is_being_started() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let writer = FileStorage::create_new(&path).unwrap();
        // What the child has until then.
        let _copy = writer.file.try_clone().unwrap();
        assert!(FileStorage::open(&path).is_err(), "it is open");
        drop(writer);
        let reader = FileStorage::open_shared(&path).unwrap();
        let _copy = reader.file.try_clone().unwrap();
        assert!(FileStorage::open(&path).is_err(), "it is open");
        drop(reader);
        drop(FileStorage::open(&path).unwrap());
    }
}
