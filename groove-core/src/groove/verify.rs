//! Checks the objects and the index entries of one groove against each other.
//!
//! 1. Every block of every tree is read and checked ([`TreeRead::verify_tables`]).
//! 2. The object tree is scanned; each object says which entries it has, by the code that inserts
//!    them. Per index the entries are counted, and hashes of them added up.
//! 3. Each index tree is scanned, and counted and added up alike. If both agree, each object has
//!    precisely its entries and each entry its object: a sum of 128 bits is not equal by accident.
//! 4. Only if they disagree is every entry looked up, object by object and entry by entry, to name
//!    the first that is missing or foreign.
//!
//! Memory: the entries of [`BATCH`] objects.

use std::sync::Arc;

use crate::checksum::{Domain, checksum};
use crate::constants::{KEY_LIMBS_MAX, TIMESTAMP_MAX};
use crate::error::{BlockKind, Damage, ReadError};
use crate::forest::{Grooves, Timestamps};
use crate::grid::{Grid, corrupt};
use crate::object::Object;
use crate::schema::IndexKind;
use crate::storage::MemoryStorage;
use crate::superblock::BLOCK_SIZE_MAX;
use crate::tree::{AnyTree, Direction, Scan, TablesVerified, TreeRead};

use super::any::GrooveOpener;
use super::open::{TreeParameters, TreeVisitor};
use super::store::{Groove, decode};
use super::unique_tree::UniqueEntry;
use super::view::GrooveView;

/// Objects whose entries are in memory at a time.
const BATCH: u64 = 1024;

/// What of a groove was verified.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GrooveVerified {
    pub(crate) tables: TablesVerified,
    pub(crate) objects: u64,
    /// Entries of all indexes, orphaned keys included.
    pub(crate) entries: u64,
    /// The highest timestamp of an object.
    pub(crate) timestamp_max: u64,
}

/// A set of entries: equal sets have equal sums, in whatever order they were added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct EntrySum {
    count: u64,
    sum: u128,
}

impl EntrySum {
    fn add(&mut self, key: &[u64], payload: &[u8]) {
        let mut bytes = [0; (KEY_LIMBS_MAX + 1) * 8];
        for (bytes, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(key) {
            *bytes = limb.to_le_bytes();
        }
        bytes[KEY_LIMBS_MAX * 8..][..payload.len()].copy_from_slice(payload);
        self.count += 1;
        self.sum = self.sum.wrapping_add(checksum(Domain::Value, &bytes));
    }
}

/// The object that an entry leads to; `None` if the key is orphaned.
fn timestamp_of(kind: IndexKind, key: &[u64], payload: &[u8]) -> Option<u64> {
    match kind {
        IndexKind::NonUnique => key.last().copied(),
        IndexKind::Primary | IndexKind::Unique => match UniqueEntry::decode(payload) {
            UniqueEntry::Object(timestamp) => Some(timestamp),
            UniqueEntry::Orphaned => None,
        },
    }
}

fn scan(tree: &Arc<dyn TreeRead>) -> Box<dyn Scan> {
    let (min, max) = range(tree);
    tree.clone().scan(&min, &max, Direction::Ascending)
}

/// All keys.
fn range(tree: &Arc<dyn TreeRead>) -> (Vec<u64>, Vec<u64>) {
    (vec![0; tree.limbs()], vec![u64::MAX; tree.limbs()])
}

impl<O: Object> Groove<O> {
    /// A groove without a file, to ask which entries an object has.
    pub(super) fn without_file() -> Groove<O> {
        let grid = Arc::new(Grid::new(Arc::new(MemoryStorage::new()), [0; 16], 0));
        // Whatever fits into some block fits into the largest.
        let parameters = TreeParameters { block_size: BLOCK_SIZE_MAX as usize, table_blocks: 1 };
        let timestamps = Arc::new(Timestamps::new(0, None));
        GrooveOpener::new(&grid, parameters, <O as Grooves>::GROOVES, timestamps, 0).groove()
    }

    /// Checks `view`. The open scope of this groove, which says what entries objects have, is empty
    /// before and after.
    pub(super) fn verify_view(&mut self, view: &GrooveView) -> Result<GrooveVerified, ReadError> {
        let mut verified = GrooveVerified::default();
        for tree in std::iter::once(&view.object_tree).chain(view.index_trees.iter()) {
            let TablesVerified { tables, blocks, bytes } = tree.verify_tables()?;
            verified.tables.tables += tables;
            verified.tables.blocks += blocks;
            verified.tables.bytes += bytes;
        }
        let mut sums = vec![EntrySum::default(); O::SCHEMA.indexes.len()];
        let mut objects = scan(&view.object_tree);
        while let Some((timestamp, object)) = next_object::<O>(view, &mut objects)? {
            object.insert_entries(&mut self.trees, timestamp);
            verified.timestamp_max = timestamp;
            verified.objects += 1;
            if verified.objects.is_multiple_of(BATCH) {
                self.drain(|ordinal, key, payload| sums[ordinal].add(key, payload));
            }
        }
        self.drain(|ordinal, key, payload| sums[ordinal].add(key, payload));
        if verified.objects != view.object_count {
            let damage = Damage::Count { noted: view.object_count, found: verified.objects };
            let name = view.object_tree.name();
            return Err(corrupt(0, BlockKind::Superblock, Some(name), damage));
        }
        for (ordinal, sum) in sums.into_iter().enumerate() {
            verified.entries += self.verify_index(view, ordinal, sum)?;
        }
        Ok(verified)
    }

    /// `expected` are the entries of all objects; returns how many there are, orphaned keys included.
    fn verify_index(
        &mut self,
        view: &GrooveView,
        ordinal: usize,
        expected: EntrySum,
    ) -> Result<u64, ReadError> {
        let (index, tree) = (&O::SCHEMA.indexes[ordinal], &view.index_trees[ordinal]);
        let mut found = EntrySum::default();
        let mut orphans = 0;
        let mut entries = scan(tree);
        while entries.advance()? {
            let (key, payload) = entries.value();
            if timestamp_of(index.kind, key, payload).is_some() {
                found.add(key, payload);
                continue;
            }
            if index.kind != IndexKind::Primary || !O::SCHEMA.orphaned_ids {
                let damage = Damage::Invalid { what: "orphaned key" };
                return Err(tree.damaged(key, damage));
            }
            orphans += 1;
        }
        if found != expected {
            return Err(self.first_difference(view, ordinal)?);
        }
        if index.kind == IndexKind::NonUnique {
            let (min, max) = range(tree);
            let noted = tree.count(&min, &max)?;
            if noted != found.count {
                return Err(tree.damaged(&min, Damage::Count { noted, found: found.count }));
            }
        }
        Ok(found.count + orphans)
    }

    /// The first entry of an index that is missing or foreign.
    fn first_difference(
        &mut self,
        view: &GrooveView,
        ordinal: usize,
    ) -> Result<ReadError, ReadError> {
        let (kind, tree) = (O::SCHEMA.indexes[ordinal].kind, &view.index_trees[ordinal]);
        let mut objects = scan(&view.object_tree);
        while let Some((timestamp, object)) = next_object::<O>(view, &mut objects)? {
            for (key, payload) in self.entries_of(&object, timestamp, ordinal) {
                let mut found = tree.clone().scan(&key, &key, Direction::Ascending);
                if !found.advance()? || found.payload() != payload {
                    return Ok(tree.damaged(&key, Damage::EntryMissing { timestamp }));
                }
            }
        }
        let mut entries = scan(tree);
        let mut row = vec![0; O::ROW_WIDTH];
        while entries.advance()? {
            let (key, payload) = entries.value();
            let Some(timestamp) = timestamp_of(kind, key, payload) else { continue };
            let is_entry = view.object_tree.lookup(&[timestamp], &mut row)? && {
                let object: O = decode(&*view.object_tree, timestamp, &row)?;
                let own = self.entries_of(&object, timestamp, ordinal);
                own.iter().any(|own| (&*own.0, &*own.1) == (key, payload))
            };
            if !is_entry {
                return Ok(tree.damaged(key, Damage::EntryForeign { timestamp }));
            }
        }
        let what = "derived key, which differs from call to call,";
        Ok(tree.damaged(&range(tree).0, Damage::Invalid { what }))
    }

    /// The entries of an object in one index: at most one.
    fn entries_of(
        &mut self,
        object: &O,
        timestamp: u64,
        ordinal: usize,
    ) -> Vec<(Vec<u64>, Vec<u8>)> {
        let mut entries = Vec::new();
        object.insert_entries(&mut self.trees, timestamp);
        self.drain(|at, key, payload| {
            if at == ordinal {
                entries.push((key.to_vec(), payload.to_vec()));
            }
        });
        entries
    }

    /// Takes the entries that objects have put: index, key, payload.
    fn drain(&mut self, mut visit: impl FnMut(usize, &[u64], &[u8])) {
        let mut ordinal = 0;
        let mut drain = |tree: &mut dyn AnyTree| {
            tree.drain_pending(&mut |key, payload| visit(ordinal, key, payload));
            ordinal += 1;
        };
        O::visit_trees(&mut self.trees, &mut TreeVisitor::new(&mut drain));
    }
}

fn next_object<O: Object>(
    view: &GrooveView,
    objects: &mut Box<dyn Scan>,
) -> Result<Option<(u64, O)>, ReadError> {
    if !objects.advance()? {
        return Ok(None);
    }
    let timestamp = objects.key()[0];
    if timestamp == 0 || timestamp > TIMESTAMP_MAX {
        return Err(view.object_tree.damaged(&[timestamp], Damage::Invalid { what: "timestamp" }));
    }
    let object = decode(&*view.object_tree, timestamp, objects.payload())?;
    Ok(Some((timestamp, object)))
}
