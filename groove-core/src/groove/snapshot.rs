//! [`Snapshot`]: all objects of one type as they were after some op, for readers on any thread.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::error::{QueryError, ReadError};
use crate::field::IndexKey;
use crate::forest::{ForestVersion, Verified};
use crate::key::unique_limbs;
use crate::object::Object;
use crate::query::{IndexHandle, Operand, Predicate, Query, UniqueIndex};

use super::store::{EncodedKey, Groove, Lookup, decode};
use super::unique_tree::UniqueEntry;
use super::view::GrooveView;

/// All objects of one type as they were after some op.
///
/// Cheap to take and to clone, `Send` and `Sync`; later writes do not change it and do not wait for
/// it. Tables that only a snapshot refers to stay on disk until it is dropped, and so does the lock on
/// the file if the snapshot outlives its forest.
pub struct Snapshot<O> {
    view: GrooveView,
    name: Arc<str>,
    /// Keeps the whole forest's state of the op, and with it every table.
    version: Arc<ForestVersion>,
    object: PhantomData<fn() -> O>,
}

impl<O: Object> Clone for Snapshot<O> {
    fn clone(&self) -> Self {
        Snapshot {
            view: self.view.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            object: PhantomData,
        }
    }
}

impl<O: Object> fmt::Debug for Snapshot<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("groove", &self.name)
            .field("op", &self.version.op())
            .field("object_count", &self.view.object_count)
            .finish_non_exhaustive()
    }
}

impl<O: Object> Snapshot<O> {
    pub(super) fn new(view: GrooveView, name: &str, version: Arc<ForestVersion>) -> Self {
        Snapshot { view, name: name.into(), version, object: PhantomData }
    }

    /// The op after which the snapshot was taken: the number of the committed scope whose changes are the newest
    /// in it, 0 if there is none.
    pub fn op(&self) -> u64 {
        self.version.op()
    }

    /// The object with this primary key, if there is one. Reads at most two blocks per level.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn get(&self, primary: impl Operand<O::Primary>) -> Result<Option<O>, ReadError> {
        match self.primary_entry(&primary)? {
            Some(UniqueEntry::Object(timestamp)) => self.get_by_timestamp(timestamp),
            Some(UniqueEntry::Orphaned) | None => Ok(None),
        }
    }

    /// The object with this timestamp, if there is one. Reads at most one block per level.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn get_by_timestamp(&self, timestamp: u64) -> Result<Option<O>, ReadError> {
        let tree = &*self.view.object_tree;
        with_row(O::ROW_WIDTH, |row| match tree.lookup(&[timestamp], row)? {
            true => decode(tree, timestamp, row).map(Some),
            false => Ok(None),
        })
    }

    /// The object, or whether the key is orphaned. Costs as [`Snapshot::get`].
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn lookup(&self, primary: impl Operand<O::Primary>) -> Result<Lookup<O>, ReadError> {
        Ok(match self.primary_entry(&primary)? {
            Some(UniqueEntry::Object(timestamp)) => {
                self.get_by_timestamp(timestamp)?.map_or(Lookup::Absent, Lookup::Found)
            }
            Some(UniqueEntry::Orphaned) => Lookup::Orphaned,
            None => Lookup::Absent,
        })
    }

    /// The object with this key of a unique index, if there is one. Costs as [`Snapshot::get`].
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn find<F: IndexKey>(
        &self,
        index: UniqueIndex<O, F>,
        key: impl Operand<F>,
    ) -> Result<Option<O>, ReadError> {
        let Some(key) = EncodedKey::new::<F>(&key) else { return Ok(None) };
        match self.entry(index.ordinal, &key)? {
            Some(UniqueEntry::Object(timestamp)) => self.get_by_timestamp(timestamp),
            Some(UniqueEntry::Orphaned) | None => Ok(None),
        }
    }

    /// Whether there is an object with this primary key. Reads at most one block per level.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn exists(&self, primary: impl Operand<O::Primary>) -> Result<bool, ReadError> {
        match (self.primary_entry(&primary)?, O::SCHEMA.primary()) {
            (Some(UniqueEntry::Object(_)), Some(_)) => Ok(true),
            (Some(UniqueEntry::Object(timestamp)), None) => {
                with_row(O::ROW_WIDTH, |row| self.view.object_tree.lookup(&[timestamp], row))
            }
            (Some(UniqueEntry::Orphaned) | None, _) => Ok(false),
        }
    }

    /// The objects with these primary keys, in the order of the keys; the blocks that they need are
    /// read together.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read.
    pub fn get_many<K: Operand<O::Primary>>(
        &self,
        primaries: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<O>>, ReadError> {
        let keys: Vec<Option<EncodedKey>> =
            primaries.into_iter().map(|key| EncodedKey::new::<O::Primary>(&key)).collect();
        let limbs = unique_limbs(O::Primary::KEY_WIDTH);
        // A key that nothing can be equal to is asked as timestamp 0, which nothing has.
        let timestamps: Vec<u64> = match O::SCHEMA.primary() {
            Some((ordinal, _)) => {
                let zeros = [0; crate::constants::KEY_LIMBS_MAX];
                let flat: Vec<u64> = keys
                    .iter()
                    .flat_map(|key| key.as_ref().map_or(&zeros[..limbs], EncodedKey::limbs))
                    .copied()
                    .collect();
                let batch = self.view.index_trees[ordinal].lookup_batch(&flat, None)?;
                let payloads = batch.payload.as_chunks::<8>().0.iter();
                let entries = payloads.zip(batch.found).zip(&keys);
                let timestamp =
                    |((payload, found), key): ((&[u8; 8], bool), &Option<EncodedKey>)| {
                        if found && key.is_some() { u64::from_le_bytes(*payload) } else { 0 }
                    };
                entries.map(timestamp).collect()
            }
            None => keys.iter().map(|key| key.as_ref().map_or(0, |key| key.limbs()[0])).collect(),
        };
        let rows = self.view.object_tree.lookup_batch(&timestamps, None)?;
        let objects = timestamps.iter().enumerate().map(|(at, timestamp)| {
            let row = &rows.payload[at * O::ROW_WIDTH..(at + 1) * O::ROW_WIDTH];
            rows.found[at].then(|| decode(&*self.view.object_tree, *timestamp, row)).transpose()
        });
        objects.collect()
    }

    /// How many objects there are. Reads nothing.
    pub fn len(&self) -> u64 {
        self.view.object_count
    }

    /// Whether there are no objects. Reads nothing.
    pub fn is_empty(&self) -> bool {
        self.view.object_count == 0
    }

    /// A query for the objects that match. Reads nothing yet.
    pub fn query(&self, predicate: Predicate<O>) -> Query<O> {
        Query::new(self.view.clone(), predicate)
    }

    /// How many objects match. A predicate on one non-unique index is answered from that index
    /// alone: from the counts of its tables, and of the blocks at the edges of the range.
    ///
    /// # Errors
    /// [`QueryError`] if a block cannot be read.
    pub fn count(&self, predicate: Predicate<O>) -> Result<u64, QueryError> {
        self.query(predicate).count()
    }

    /// Checks everything that belongs to the objects of this type: every block of their tables is
    /// read, past the caches; each object has precisely its entries in every index, and each entry
    /// its object; the counts are right. Reads all of it twice and takes little memory.
    ///
    /// [`Forest::verify`](crate::Forest::verify) checks a whole file.
    ///
    /// # Errors
    /// [`ReadError`]: the first block that is not as it must be, by offset, kind and tree.
    ///
    /// # Panics
    /// If the function of a derived index does.
    pub fn verify(&self) -> Result<Verified, ReadError> {
        let verified = Groove::<O>::without_file().verify_view(&self.view)?;
        Ok(Verified { op: self.op(), ..verified.into() })
    }

    /// The object with the lowest key in an index, of several the oldest; `None` if no object has a key.
    ///
    /// Cost: one entry and one row.
    ///
    /// # Errors
    /// [`QueryError`] if a block cannot be read.
    pub fn min(&self, index: impl IndexHandle<O>) -> Result<Option<O>, QueryError> {
        self.query(Predicate::all()).order_by(index).first()
    }

    /// The object with the highest key in an index, of several the newest; `None` if no object has a
    /// key. Costs as [`Snapshot::min`].
    ///
    /// # Errors
    /// [`QueryError`] if a block cannot be read.
    pub fn max(&self, index: impl IndexHandle<O>) -> Result<Option<O>, QueryError> {
        self.query(Predicate::all()).order_by(index).descending().first()
    }

    fn entry(&self, ordinal: usize, key: &EncodedKey) -> Result<Option<UniqueEntry>, ReadError> {
        let mut payload = [0; 8];
        let found = self.view.index_trees[ordinal].lookup(key.limbs(), &mut payload)?;
        Ok(found.then(|| UniqueEntry::decode(&payload)))
    }

    fn primary_entry(
        &self,
        primary: &impl Operand<O::Primary>,
    ) -> Result<Option<UniqueEntry>, ReadError> {
        let Some(key) = EncodedKey::new::<O::Primary>(primary) else { return Ok(None) };
        match O::SCHEMA.primary() {
            Some((ordinal, _)) => self.entry(ordinal, &key),
            None => Ok(Some(UniqueEntry::Object(key.limbs()[0]))),
        }
    }
}

/// Rows of up to so many bytes need no allocation.
const SHORT_ROW: usize = 256;

/// Calls with room for a row.
fn with_row<R>(width: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    match width {
        ..=SHORT_ROW => work(&mut [0; SHORT_ROW][..width]),
        _ => work(&mut vec![0; width]),
    }
}
