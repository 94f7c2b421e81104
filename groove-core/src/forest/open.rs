//! Opens a forest: checks everything that can be refused before anything is written.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{BlockKind, CommitError, Damage, OpenError, ReadError};
use crate::grid::{BLOCK_HEADER_SIZE, BlockHeader, Extent, FreeSet, Grid, corrupt};
use crate::groove::{GrooveOpener, TreeParameters};
use crate::manifest::ManifestLog;
use crate::schema::{canonical, difference};
use crate::storage::{FileOpenError, FileStorage, Storage};
use crate::superblock::{FORMAT_VERSION, FormatOptions, Superblock, SuperblockError};
use crate::table::TableRecord;

use super::create::create_file;
use super::engine::visit_grooves;
use super::grooves::Grooves;
use super::handle::{Forest, snapshot};
use super::options::{Options, TABLE_BLOCKS_MAX};
use super::recover::recover;
use super::timestamps::Timestamps;
use super::verify::{Verified, verify};
use super::version::ForestVersion;

/// Opens the file at `path`, or creates it.
pub(super) fn open_file<S: Grooves>(
    path: &Path,
    options: &Options,
) -> Result<Forest<S>, OpenError> {
    match FileStorage::open(path) {
        Ok(storage) => open_storage(path, Arc::new(storage), options),
        Err(FileOpenError::Locked) => Err(OpenError::Locked { path: path.into() }),
        Err(FileOpenError::Io(error)) => match error.kind() {
            io::ErrorKind::NotFound => match not_found(path) {
                OpenError::NotFound { .. } => create_file(path, options),
                error => Err(error),
            },
            _ => Err(io_error(path, error)),
        },
    }
}

/// What is missing where there is no file: the file alone, or its directory too.
fn not_found(path: &Path) -> OpenError {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory.is_none_or(Path::is_dir) {
        true => OpenError::NotFound { path: path.into() },
        false => OpenError::NoDirectory { path: path.into() },
    }
}

/// Opens the last checkpoint of the file at `path`.
pub(super) fn open_read_only<S: Grooves>(
    path: &Path,
    options: &Options,
) -> Result<S::Snapshot, OpenError> {
    let storage =
        FileStorage::open_read_only(path).map_err(|error| read_only_error(path, error))?;
    let checked = check::<S>(path, Arc::new(storage), options)?;
    Ok(snapshot::<S>(&Arc::new(checked.into_version())))
}

/// Verifies the file at `path`.
pub(super) fn verify_file<S: Grooves>(
    path: &Path,
    options: &Options,
) -> Result<Verified, OpenError> {
    let storage = FileStorage::open_shared(path).map_err(|error| read_only_error(path, error))?;
    verify::<S>(path, Arc::new(storage), options)
}

/// Why a file cannot be opened to be read.
fn read_only_error(path: &Path, error: FileOpenError) -> OpenError {
    match error {
        FileOpenError::Locked => OpenError::Locked { path: path.into() },
        FileOpenError::Io(source) => match source.kind() {
            io::ErrorKind::NotFound => not_found(path),
            // Not `ReadOnly`, whose way out is this very function.
            io::ErrorKind::PermissionDenied => OpenError::Io { path: path.into(), source },
            _ => io_error(path, source),
        },
    }
}

/// Opens the forest in `storage`, which is not empty.
pub(super) fn open_storage<S: Grooves>(
    path: &Path,
    storage: Arc<dyn Storage>,
    options: &Options,
) -> Result<Forest<S>, OpenError> {
    // What is read now must be what is on disk: a failed sync of a process before may have left
    // pages in the system's cache that never got there.
    storage.sync().map_err(|error| io_error(path, error))?;
    if defect!(WrittenBeforeChecked)
        && let Ok(superblock) = Superblock::read(&*storage)
    {
        let _ = superblock.successor().write(&*storage);
    }
    recover(path, check::<S>(path, storage, options)?, options)
}

/// A forest as of its last checkpoint. Nothing was written.
pub(super) struct Checked<S: Grooves> {
    pub(super) grid: Arc<Grid>,
    pub(super) superblock: Superblock,
    pub(super) manifest: ManifestLog,
    pub(super) free_set: FreeSet,
    pub(super) grooves: S::Write,
    pub(super) timestamps: Arc<Timestamps>,
}

impl<S: Grooves> Checked<S> {
    fn into_version(mut self) -> ForestVersion {
        let mut trees = Vec::new();
        let mut counts = Vec::new();
        visit_grooves::<S>(&mut self.grooves, &mut |groove| {
            groove.visit_trees(&mut |tree| trees.push(tree.version()));
            counts.push(groove.committed_count());
        });
        ForestVersion::new(self.superblock.checkpoint.op, trees, counts)
    }
}

pub(super) fn check<S: Grooves>(
    path: &Path,
    storage: Arc<dyn Storage>,
    options: &Options,
) -> Result<Checked<S>, OpenError> {
    let superblock = read_superblock(&*storage).map_err(|error| superblock_error(path, error))?;
    // A quarter of the caches' budget is for objects, the rest for blocks.
    let object_cache = options.cache_size / 4;
    let block_cache = options.cache_size - object_cache;
    let grid = Grid::new(storage, superblock.file_id, block_cache)
        .with_block_size(superblock.options.block_size as usize);
    let grid = Arc::new(grid.with_query_memory(options.query_memory));
    check_schema::<S>(path, &grid, &superblock)?;
    let parameters = tree_parameters::<S>(path, &superblock.options)?;
    let timestamps = Arc::new(Timestamps::new(superblock.timestamp_max, options.clock.clone()));
    let cache_size = object_cache / S::GROOVES.len().max(1) as u64;
    let mut opener =
        GrooveOpener::new(&grid, parameters, S::GROOVES, timestamps.clone(), cache_size);
    let mut grooves = S::open(&mut opener);
    let mut counts = superblock.object_counts.iter();
    visit_grooves::<S>(&mut grooves, &mut |groove| {
        groove.set_object_count(*counts.next().expect("at most 128 grooves"));
    });
    let (manifest, free_set) = restore_tables::<S>(&grid, &superblock, &mut grooves)
        .map_err(|error| read_error(path, error))?;
    Ok(Checked { grid, superblock, manifest, free_set, grooves, timestamps })
}

/// Reads the superblock. Beside a writer a reader may meet a write halfway: it looks again.
fn read_superblock(storage: &dyn Storage) -> Result<Superblock, SuperblockError> {
    let mut attempts = 4;
    loop {
        attempts -= 1;
        match Superblock::read(storage) {
            Err(SuperblockError::Corrupt(_)) if attempts > 0 => {}
            read => return read,
        }
    }
}

fn check_schema<S: Grooves>(
    path: &Path,
    grid: &Grid,
    superblock: &Superblock,
) -> Result<(), OpenError> {
    let damaged = |what| {
        let damage = Damage::Invalid { what };
        read_error(path, corrupt(superblock.grid_offset(), BlockKind::Schema, None, damage))
    };
    let reference = superblock.schema.ok_or_else(|| damaged("reference"))?;
    if !reference.is_plausible(superblock.grid_offset(), superblock.grid_end) {
        return Err(damaged("reference"));
    }
    let block = grid
        .read_uncached(&reference, BlockKind::Schema, None)
        .map_err(|error| read_error(path, error))?;
    let length = BlockHeader::read(&block).count as usize;
    let stored = block[BLOCK_HEADER_SIZE..].get(..length).ok_or_else(|| damaged("length"))?;
    let stored = str::from_utf8(stored).map_err(|_| damaged("text"))?;
    let current = canonical(S::GROOVES);
    if stored != current {
        let difference = difference(stored, &current);
        return Err(OpenError::Schema { path: path.into(), difference });
    }
    if superblock.groove_count as usize != S::GROOVES.len() {
        return Err(damaged("groove count"));
    }
    Ok(())
}

pub(super) fn tree_parameters<S: Grooves>(
    path: &Path,
    format: &FormatOptions,
) -> Result<TreeParameters, OpenError> {
    let table_blocks = format.parameters[0];
    if !(1..=TABLE_BLOCKS_MAX).contains(&table_blocks) {
        let damage = Damage::Invalid { what: "table size" };
        let error = corrupt(0, BlockKind::Superblock, None, damage);
        return Err(read_error(path, error));
    }
    let parameters = TreeParameters {
        block_size: format.block_size as usize,
        table_blocks: usize::try_from(table_blocks).expect("checked above"),
    };
    match S::GROOVES.iter().all(|groove| parameters.fit(groove.schema)) {
        true => Ok(parameters),
        false => Err(OpenError::Options {
            option: "block_size",
            value: u64::from(format.block_size),
            allowed: "large enough for a row of each groove",
        }),
    }
}

/// Restores the levels of all trees; the free set is what they leave.
fn restore_tables<S: Grooves>(
    grid: &Grid,
    superblock: &Superblock,
    grooves: &mut S::Write,
) -> Result<(ManifestLog, FreeSet), ReadError> {
    let (start, end) = (superblock.grid_offset(), superblock.grid_end);
    let blocks = usize::try_from(superblock.manifest_block_count).unwrap_or(usize::MAX);
    let (manifest, tables) = ManifestLog::restore(grid, superblock.manifest, blocks, start, end)?;
    let mut used: Vec<Extent> = manifest.extents().to_vec();
    let schema = superblock.schema.expect("checked with the schema");
    let sectors = crate::grid::sectors(schema.length as usize);
    used.push(Extent { address: schema.address, sectors });
    used.extend(tables.values().map(TableRecord::extent));
    let damaged = |offset, kind, what| corrupt(offset, kind, None, Damage::Invalid { what });
    let free_set = FreeSet::restore(start, end, used)
        .map_err(|extent| damaged(extent.address, BlockKind::Manifest, "extent"))?;
    let mut tables: Vec<TableRecord> = tables.into_values().collect();
    tables.sort_by_key(|record| (record.tree, record.level, record.address));
    let mut failed = None;
    let mut rest = &tables[..];
    visit_grooves::<S>(grooves, &mut |groove| {
        groove.visit_trees(&mut |tree| {
            let id = tree.meta().id;
            let count = rest.partition_point(|record| record.tree <= id);
            let (own, behind) = rest.split_at(count);
            rest = behind;
            let foreign = own.iter().find(|record| record.tree != id).copied();
            let bad = foreign.map_or_else(|| tree.restore(own), |record| Err(Box::new(record)));
            failed = failed.or(bad.err().map(|record| *record));
        });
    });
    match failed.or(rest.first().copied()) {
        Some(record) => Err(damaged(record.address, BlockKind::Manifest, "table record")),
        None => Ok((manifest, free_set)),
    }
}

fn superblock_error(path: &Path, error: SuperblockError) -> OpenError {
    let path_buf = path.to_path_buf();
    match error {
        SuperblockError::Empty => OpenError::Empty { path: path_buf },
        SuperblockError::NotGroove => OpenError::NotGroove { path: path_buf },
        SuperblockError::Endianness => OpenError::Endianness { path: path_buf },
        SuperblockError::Truncated { length, needed } => {
            OpenError::Truncated { path: path_buf, length, needed }
        }
        SuperblockError::Format { found } => OpenError::Format {
            path: path_buf,
            found,
            oldest: FORMAT_VERSION,
            newest: FORMAT_VERSION,
        },
        SuperblockError::Corrupt(source) => OpenError::Corrupt { path: path_buf, source },
        SuperblockError::Io(error) => io_error(path, error),
    }
}

/// A damaged or unreadable block, as a reason not to open.
pub(super) fn read_error(path: &Path, error: ReadError) -> OpenError {
    match error {
        ReadError::Corrupt(source) => OpenError::Corrupt { path: path.into(), source },
        ReadError::Io { source, .. } => {
            let source = io::Error::new(source.kind(), source);
            OpenError::Io { path: path.into(), source }
        }
    }
}

pub(super) fn commit_error(path: &Path, source: CommitError) -> OpenError {
    OpenError::Commit { path: path.into(), source }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> OpenError {
    let path_buf = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::IsADirectory => OpenError::IsDirectory { path: path_buf },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly { path: path_buf, source }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OpenError::NoSpace { path: path_buf, source }
        }
        io::ErrorKind::NotADirectory => OpenError::NoDirectory { path: path_buf },
        _ => OpenError::Io { path: path_buf, source },
    }
}

/// A log entry that says what no writer writes.
pub(super) fn invalid_entry(offset: u64, what: &'static str) -> ReadError {
    corrupt(offset, BlockKind::WalEntry, None, Damage::Invalid { what })
}
