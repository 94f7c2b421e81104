//! Creates a forest.
//!
//! A new file is laid out under another name, synced, and only then given its own: whoever opens
//! the path finds a whole forest or none.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::constants::{GROOVES_MAX, SECTOR_SIZE};
use crate::error::{BlockKind, OpenError};
use crate::grid::{BLOCK_HEADER_SIZE, BlockInfo, seal_block};
use crate::schema::canonical;
use crate::storage::{FileOpenError, FileStorage, Storage, sync_parent_directory};
use crate::superblock::Superblock;
use crate::wal;

use super::grooves::Grooves;
use super::handle::Forest;
use super::open::{io_error, open_storage, tree_parameters};
use super::options::Options;

/// Creates the forest at `path`, where there is no file.
pub(super) fn create_file<S: Grooves>(
    path: &Path,
    options: &Options,
) -> Result<Forest<S>, OpenError> {
    check::<S>(path, options)?;
    let temporary = temporary_name(path);
    let storage = create_temporary(path, &temporary)?;
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let created = format::<S>(path, &*storage, options).and_then(|()| {
        name(&temporary, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenError::Locked { path: path.into() },
            _ => io_error(path, error),
        })
    });
    if created.is_err() {
        // The error says what is wrong; a file that is left behind is removed by the next attempt.
        let _ = std::fs::remove_file(&temporary);
    }
    created?;
    open_storage(path, storage, options)
}

/// Creates a forest in an empty storage.
pub(super) fn create_storage<S: Grooves>(
    path: &Path,
    storage: Arc<dyn Storage>,
    options: &Options,
) -> Result<Forest<S>, OpenError> {
    check::<S>(path, options)?;
    format::<S>(path, &*storage, options)?;
    open_storage(path, storage, options)
}

/// Refuses what a file must not be created with, before there is one.
fn check<S: Grooves>(path: &Path, options: &Options) -> Result<(), OpenError> {
    tree_parameters::<S>(path, &options.format()?).map(|_| ())
}

/// Gives the new file its own name, durably.
fn name(temporary: &Path, path: &Path) -> io::Result<()> {
    // A hard link fails if somebody else was faster, where a rename would replace their file.
    match std::fs::hard_link(temporary, path) {
        Ok(()) => std::fs::remove_file(temporary)?,
        // Not every file system has hard links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            std::fs::rename(temporary, path)?;
        }
        Err(error) => return Err(error),
    }
    sync_parent_directory(path)
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().into();
    name.push(".creating");
    path.with_file_name(name)
}

fn create_temporary(path: &Path, temporary: &Path) -> Result<FileStorage, OpenError> {
    match FileStorage::create_new(temporary) {
        Err(FileOpenError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Left behind by a crash, unless somebody is at work on it this moment.
            match FileStorage::open(temporary) {
                Err(FileOpenError::Locked) => Err(OpenError::Locked { path: path.into() }),
                Err(FileOpenError::Io(error)) => Err(io_error(path, error)),
                Ok(stale) => {
                    std::fs::remove_file(temporary).map_err(|error| io_error(path, error))?;
                    drop(stale);
                    FileStorage::create_new(temporary).map_err(|error| match error {
                        FileOpenError::Locked => OpenError::Locked { path: path.into() },
                        FileOpenError::Io(error) => io_error(path, error),
                    })
                }
            }
        }
        Err(FileOpenError::Locked) => Err(OpenError::Locked { path: path.into() }),
        Err(FileOpenError::Io(error)) => Err(io_error(path, error)),
        Ok(storage) => Ok(storage),
    }
}

/// Lays out an empty forest.
fn format<S: Grooves>(
    path: &Path,
    storage: &dyn Storage,
    options: &Options,
) -> Result<(), OpenError> {
    let format = options.format()?;
    assert!(S::GROOVES.len() <= GROOVES_MAX, "a forest has at most 128 grooves");
    let file_id = options.file_id.unwrap_or_else(random_file_id);
    let mut superblock = Superblock::new(file_id, format);
    let text = canonical(S::GROOVES);
    let length = (BLOCK_HEADER_SIZE + text.len()).next_multiple_of(SECTOR_SIZE);
    let mut block = vec![0; length];
    block[BLOCK_HEADER_SIZE..BLOCK_HEADER_SIZE + text.len()].copy_from_slice(text.as_bytes());
    let count = u32::try_from(text.len()).expect("a schema is below 4 GiB");
    let info = BlockInfo { count, ..BlockInfo::default() };
    let address = superblock.grid_offset();
    superblock.schema = Some(seal_block(&mut block, BlockKind::Schema, address, file_id, info));
    superblock.grid_end = address + length as u64;
    superblock.groove_count = u32::try_from(S::GROOVES.len()).expect("checked above");
    let write = || {
        wal::format(storage, format.wal_slots)?;
        storage.allocate(address, length as u64)?;
        storage.write_at(address, &block)?;
        storage.sync()?;
        superblock.write(storage)
    };
    write().map_err(|error| io_error(path, error))
}

/// The only randomness that reaches the disk; `Options::file_id` replaces it.
fn random_file_id() -> [u8; 16] {
    let half = || RandomState::new().build_hasher().finish().to_le_bytes();
    let mut file_id = [0; 16];
    file_id[..8].copy_from_slice(&half());
    file_id[8..].copy_from_slice(&half());
    file_id
}
