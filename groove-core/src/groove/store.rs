//! [`Groove`]: the writer's side of all trees of one object type, and what it can be asked.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::error::{Damage, QueryError, ReadError};
use crate::field::IndexKey;
use crate::forest::Timestamps;
use crate::key::{limbs_from_bytes, unique_limbs};
use crate::object::Object;
use crate::query::{Operand, Predicate, Query, UniqueIndex};
use crate::tree::{Tree, TreeRead};

use super::log::{ChangeLog, Packer};
use super::object_cache::ObjectCache;
use super::prefetch::Queue;
use super::prefetched::Prefetched;
use super::unique_tree::UniqueEntry;
use super::view::GrooveView;

/// What a primary key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<O> {
    /// The object.
    Found(O),
    /// There is no object, and there can never be one: the key was orphaned.
    Orphaned,
    /// There is no object.
    Absent,
}

/// All trees of one object type, within a scope of [`Forest::write`](crate::Forest::write).
///
/// What a scope changed is seen by every call within it, and by nobody else until it is committed.
pub struct Groove<O: Object> {
    pub(super) name: &'static str,
    /// Its place among the forest's grooves.
    pub(super) ordinal: usize,
    /// A change is under way, or a panic of the caller's code interrupted one.
    pub(super) is_torn: bool,
    pub(super) object_tree: Tree<1>,
    pub(super) trees: O::IndexTrees,
    pub(super) log: ChangeLog,
    pub(super) packer: Packer,
    pub(super) object_count: u64,
    /// Without the open scope.
    pub(super) committed_count: u64,
    pub(super) timestamps: Arc<Timestamps>,
    pub(super) cache: ObjectCache,
    /// Rows that a prefetch read; `None`: there is no such object.
    pub(super) prefetched: Prefetched<1>,
    pub(super) queue: Queue,
    /// The row at hand.
    pub(super) row: Vec<u8>,
    /// The row that an update replaces.
    pub(super) old_row: Vec<u8>,
    pub(super) object: PhantomData<fn() -> O>,
}

impl<O: Object> fmt::Debug for Groove<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Groove")
            .field("name", &self.name)
            .field("object_count", &self.object_count)
            .finish_non_exhaustive()
    }
}

/// A key that is given at run time, encoded to limbs.
pub(super) struct EncodedKey {
    limbs: [u64; INDEX_KEY_WIDTH_MAX / 8],
    count: usize,
}

impl EncodedKey {
    /// `None` if no stored key can be equal to the value.
    pub(super) fn new<F: IndexKey>(value: &impl Operand<F>) -> Option<EncodedKey> {
        let mut bytes = [0; INDEX_KEY_WIDTH_MAX];
        let bytes = &mut bytes[..F::KEY_WIDTH];
        if !value.write_operand(bytes) {
            return None;
        }
        let count = unique_limbs(F::KEY_WIDTH);
        let mut limbs = [0; INDEX_KEY_WIDTH_MAX / 8];
        limbs_from_bytes(bytes, &mut limbs[..count]);
        Some(EncodedKey { limbs, count })
    }

    pub(super) fn limbs(&self) -> &[u64] {
        &self.limbs[..self.count]
    }
}

/// Decodes a row of the object tree; bytes that are no object are a damaged file.
pub(super) fn decode<O: Object>(
    tree: &dyn TreeRead,
    timestamp: u64,
    row: &[u8],
) -> Result<O, ReadError> {
    O::read_row(timestamp, row)
        .map_err(|_| tree.damaged(&[timestamp], Damage::Invalid { what: "row" }))
}

impl<O: Object> Groove<O> {
    /// The object with this primary key, if there is one.
    ///
    /// Asks the open scope, then memory, then storage: at most two blocks per level are read, none
    /// after a prefetch.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn get(&mut self, primary: impl Operand<O::Primary>) -> Result<Option<O>, ReadError> {
        match self.primary_timestamp(&primary)? {
            Some(UniqueEntry::Object(timestamp)) => self.get_by_timestamp(timestamp),
            Some(UniqueEntry::Orphaned) | None => Ok(None),
        }
    }

    /// The object with this timestamp, if there is one. Costs as [`Groove::get`], one tree less.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn get_by_timestamp(&mut self, timestamp: u64) -> Result<Option<O>, ReadError> {
        if !self.load_row(timestamp)? {
            return Ok(None);
        }
        decode(&**self.object_tree.tip(), timestamp, &self.row).map(Some)
    }

    /// The object, or whether the key is orphaned. Costs as [`Groove::get`].
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn lookup(&mut self, primary: impl Operand<O::Primary>) -> Result<Lookup<O>, ReadError> {
        Ok(match self.primary_timestamp(&primary)? {
            Some(UniqueEntry::Object(timestamp)) => {
                self.get_by_timestamp(timestamp)?.map_or(Lookup::Absent, Lookup::Found)
            }
            Some(UniqueEntry::Orphaned) => Lookup::Orphaned,
            None => Lookup::Absent,
        })
    }

    /// The object with this key of a unique index, if there is one. Costs as [`Groove::get`].
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn find<F: IndexKey>(
        &mut self,
        index: UniqueIndex<O, F>,
        key: impl Operand<F>,
    ) -> Result<Option<O>, ReadError> {
        let Some(key) = EncodedKey::new::<F>(&key) else { return Ok(None) };
        let tree = O::unique_tree(&mut self.trees, index.ordinal);
        let tree = tree.expect("the handle is of a unique index of this object");
        match tree.lookup(key.limbs())? {
            Some(UniqueEntry::Object(timestamp)) => self.get_by_timestamp(timestamp),
            Some(UniqueEntry::Orphaned) | None => Ok(None),
        }
    }

    /// Whether there is an object with this primary key. Reads no object.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn exists(&mut self, primary: impl Operand<O::Primary>) -> Result<bool, ReadError> {
        match self.primary_timestamp(&primary)? {
            Some(UniqueEntry::Object(timestamp)) => match O::SCHEMA.primary() {
                Some(_) => Ok(true),
                None => self.load_row(timestamp),
            },
            Some(UniqueEntry::Orphaned) | None => Ok(false),
        }
    }

    /// How many objects there are, those of the open scope included. Reads nothing.
    pub fn len(&self) -> u64 {
        self.object_count
    }

    /// Whether there are no objects. Reads nothing.
    pub fn is_empty(&self) -> bool {
        self.object_count == 0
    }

    /// A query that sees what the open scope changed so far.
    ///
    /// The changes of the scope are sorted first: costs O(n log n) in their number, once until the
    /// next change.
    pub fn query(&mut self, predicate: Predicate<O>) -> Query<O> {
        Query::new(self.scope_view(), predicate)
    }

    /// How many objects match, with what the open scope changed so far. A predicate on one
    /// non-unique index is answered from that index alone.
    ///
    /// # Errors
    /// [`QueryError`] if a block cannot be read.
    pub fn count(&mut self, predicate: Predicate<O>) -> Result<u64, QueryError> {
        self.query(predicate).count()
    }

    /// Drops all cached state. What is committed stays, and so does the open scope.
    pub fn reset(&mut self) {
        self.cache.clear();
        self.forget_prefetched();
    }

    pub(super) fn forget_prefetched(&mut self) {
        self.queue.clear();
        self.prefetched.clear();
        for (ordinal, _) in unique_indexes::<O>() {
            if let Some(tree) = O::unique_tree(&mut self.trees, ordinal) {
                tree.forget_remembered();
            }
        }
    }

    /// What the primary key leads to. Without a primary index the key is the timestamp itself, and
    /// whether the object exists is not known yet.
    pub(super) fn primary_timestamp(
        &mut self,
        primary: &impl Operand<O::Primary>,
    ) -> Result<Option<UniqueEntry>, ReadError> {
        let Some(key) = EncodedKey::new::<O::Primary>(primary) else { return Ok(None) };
        match O::SCHEMA.primary() {
            Some((ordinal, _)) => {
                let tree = O::unique_tree(&mut self.trees, ordinal);
                tree.expect("the primary index is unique").lookup(key.limbs())
            }
            None => Ok(Some(UniqueEntry::Object(key.limbs()[0]))),
        }
    }

    /// Reads the row of an object into `self.row`; `false` if there is no such object.
    pub(super) fn load_row(&mut self, timestamp: u64) -> Result<bool, ReadError> {
        let key = [timestamp];
        self.row.clear();
        if let Some(recent) = self.object_tree.lookup_recent(&key) {
            self.row.extend_from_slice(recent.unwrap_or_default());
            return Ok(recent.is_some());
        }
        if let Some(row) = self.prefetched.get(&key) {
            self.row.extend_from_slice(row.unwrap_or_default());
            return Ok(row.is_some());
        }
        if let Some(row) = self.cache.get(timestamp) {
            self.row.extend_from_slice(row);
            return Ok(true);
        }
        self.row.resize(O::ROW_WIDTH, 0);
        let found = self.object_tree.tip().find(&key, &mut self.row)?;
        if found {
            self.cache.insert(timestamp, &self.row);
        }
        Ok(found)
    }

    pub(super) fn scope_view(&mut self) -> GrooveView {
        let mut index_trees = Vec::with_capacity(O::SCHEMA.indexes.len());
        let mut visit = |tree: &mut dyn crate::tree::AnyTree| {
            index_trees.push(tree.scope_version());
        };
        O::visit_trees(&mut self.trees, &mut super::TreeVisitor::new(&mut visit));
        GrooveView {
            schema: O::SCHEMA,
            object_tree: self.object_tree.scope_version(),
            index_trees: index_trees.into(),
            object_count: self.object_count,
        }
    }
}

/// Ordinals and schemas of the unique indexes.
pub(super) fn unique_indexes<O: Object>()
-> impl Iterator<Item = (usize, &'static crate::schema::IndexSchema)> {
    let indexes = O::SCHEMA.indexes.iter().enumerate();
    indexes.filter(|(_, index)| index.kind != crate::schema::IndexKind::NonUnique)
}
