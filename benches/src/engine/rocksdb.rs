//! RocksDB: LSM trees in a directory.

use std::path::Path;
use std::sync::Mutex;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    Direction, IteratorMode, Options, SnapshotWithThreadMode, WriteBatch, WriteOptions,
};

use super::keys::Space;
use super::store::{Batch, Store, Transfers, View};
use super::{CACHE_SIZE, Engine};
use crate::Result;

/// Bits of a Bloom filter per key.
const FILTER_BITS: f64 = 10.0;

struct Rocksdb {
    database: DB,
    /// A batch checks for duplicates and then writes: one at a time.
    writer: Mutex<()>,
}

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let cache = Cache::new_lru_cache(CACHE_SIZE as usize);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&cache);
    blocks.set_bloom_filter(FILTER_BITS, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.increase_parallelism(2);
    let families =
        Space::ALL.map(|space| ColumnFamilyDescriptor::new(space.name(), options.clone()));
    let database = DB::open_cf_descriptors(&options, directory.join("ledger.rocksdb"), families)?;
    Ok(Transfers(Rocksdb { database, writer: Mutex::new(()) }))
}

impl Rocksdb {
    fn family(&self, space: Space) -> Result<&ColumnFamily> {
        self.database.cf_handle(space.name()).ok_or_else(|| "a column family is missing".into())
    }
}

impl Store for Rocksdb {
    fn write(&self, work: &mut dyn FnMut(&mut dyn Batch) -> Result<()>) -> Result<()> {
        let _writer = self.writer.lock().map_err(|_| "a writer panicked")?;
        let mut write = Write { store: self, batch: WriteBatch::default() };
        work(&mut write)?;
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.database.write_opt(write.batch, &options)?)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        work(&Read { store: self, snapshot: self.database.snapshot() })
    }
}

struct Write<'a> {
    store: &'a Rocksdb,
    batch: WriteBatch,
}

impl Batch for Write<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.store.database.get_pinned_cf(self.store.family(space)?, key)? {
            found(&value);
        }
        Ok(())
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        self.batch.put_cf(self.store.family(space)?, key, value);
        Ok(())
    }

    fn remove(&mut self, space: Space, key: &[u8]) -> Result<()> {
        self.batch.delete_cf(self.store.family(space)?, key);
        Ok(())
    }
}

struct Read<'a> {
    store: &'a Rocksdb,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl View for Read<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.snapshot.get_pinned_cf(self.store.family(space)?, key)? {
            found(&value);
        }
        Ok(())
    }

    fn descend(
        &self,
        space: Space,
        prefix: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        let last = [prefix, &[0xff; 8]].concat();
        let from = IteratorMode::From(&last, Direction::Reverse);
        for entry in self.snapshot.iterator_cf(self.store.family(space)?, from) {
            let (key, _) = entry?;
            if !key.starts_with(prefix) || !each(&key)? {
                break;
            }
        }
        Ok(())
    }
}
