//! The full check of a file: everything that an open would read, and everything that it would not.
//!
//! 1. Superblock, schema, manifest log and table records are checked as by an open: every address is
//!    referred to once and within the grid, and the free set is what is left.
//! 2. The log after the checkpoint is replayed into memory, as by an open.
//! 3. The trees are verified, groove by groove: every block, and objects against index entries.
//!
//! Nothing is written.

use std::fmt;
use std::ops::AddAssign;
use std::path::Path;
use std::sync::Arc;

use crate::error::{BlockKind, Damage, OpenError};
use crate::grid::corrupt;
use crate::groove::GrooveVerified;
use crate::storage::Storage;
use crate::superblock::Superblock;

use super::engine::visit_grooves;
use super::grooves::Grooves;
use super::open::{check, io_error, read_error};
use super::options::Options;
use super::recover::replay;

#[cfg(feature = "proof")]
pub(super) mod open_forest;

/// What was verified and found as it must be. Printed, it is one line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The newest op.
    pub op: u64,
    /// Copies of the superblock that are whole and the newest: 4, or 2 or 3 after a crash, which the
    /// next open repairs. 0 if a snapshot was verified.
    pub superblock_copies: u32,
    /// Entries of the write-ahead log since the last checkpoint. 0 if a snapshot was verified.
    pub log_entries: u64,
    /// Tables of all trees.
    pub tables: u64,
    /// Blocks that were read: of tables, and of a file those of the manifest log and the schema.
    pub blocks: u64,
    /// Bytes of these tables on disk.
    pub table_bytes: u64,
    /// Objects of all grooves.
    pub objects: u64,
    /// Entries of all indexes, orphaned keys included.
    pub entries: u64,
}

impl fmt::Display for Verified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verified { op, tables, blocks, table_bytes, objects, entries, .. } = self;
        write!(
            formatter,
            "op {op}: {objects} objects and {entries} index entries in {tables} tables of \
             {table_bytes} bytes, {blocks} blocks read"
        )?;
        if self.superblock_copies > 0 {
            let (copies, entries) = (self.superblock_copies, self.log_entries);
            write!(formatter, ", {entries} log entries, {copies} of 4 superblock copies")?;
        }
        Ok(())
    }
}

impl From<GrooveVerified> for Verified {
    fn from(groove: GrooveVerified) -> Self {
        Verified {
            tables: groove.tables.tables,
            blocks: groove.tables.blocks,
            table_bytes: groove.tables.bytes,
            objects: groove.objects,
            entries: groove.entries,
            ..Verified::default()
        }
    }
}

/// Adds up what was verified of the grooves of one forest.
impl AddAssign for Verified {
    fn add_assign(&mut self, other: Verified) {
        self.op = self.op.max(other.op);
        self.superblock_copies += other.superblock_copies;
        self.log_entries += other.log_entries;
        self.tables += other.tables;
        self.blocks += other.blocks;
        self.table_bytes += other.table_bytes;
        self.objects += other.objects;
        self.entries += other.entries;
    }
}

/// Verifies the forest in `storage`, which is only read.
pub(super) fn verify<S: Grooves>(
    path: &Path,
    storage: Arc<dyn Storage>,
    options: &Options,
) -> Result<Verified, OpenError> {
    let checked = check::<S>(path, storage.clone(), options)?;
    let copies = Superblock::count_copies(&*storage, &checked.superblock);
    let copies = copies.map_err(|error| io_error(path, error))?;
    let (mut replayed, recovered) = replay(path, checked, options.compaction_threads)?;
    let mut verified = Verified {
        op: replayed.op,
        superblock_copies: copies,
        log_entries: recovered.entries(),
        blocks: replayed.checked.superblock.manifest_block_count + 1,
        ..Verified::default()
    };
    let timestamp_max = replayed.checked.timestamps.highest();
    let mut result = Ok(());
    visit_grooves::<S>(&mut replayed.checked.grooves, &mut |groove| {
        if result.is_err() {
            return;
        }
        let view = groove.view();
        result = groove.verify(&view).and_then(|groove| {
            verified += groove.into();
            if groove.timestamp_max > timestamp_max {
                let damage = Damage::Invalid { what: "highest timestamp" };
                return Err(corrupt(0, BlockKind::Superblock, None, damage));
            }
            Ok(())
        });
    });
    result.map_err(|error| read_error(path, error))?;
    Ok(verified)
}
