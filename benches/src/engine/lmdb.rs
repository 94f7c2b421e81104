//! LMDB through heed: a memory-mapped copy-on-write B-tree.

use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions, RoTxn, RwTxn, WithTls};

use super::Engine;
use super::keys::Space;
use super::store::{Batch, Store, Transfers, View};
use crate::Result;

/// The most that the file may grow to. The cache is the system's.
const MAP_SIZE: usize = 64 << 30;

struct Lmdb {
    env: Env,
    /// In the order of [`Space::ALL`].
    databases: Vec<Database<Bytes, Bytes>>,
}

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let path = directory.join("ledger.lmdb");
    std::fs::create_dir_all(&path)?;
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_SIZE).max_dbs(Space::ALL.len() as u32).max_readers(64);
    // SAFETY: the file is opened once, by this process alone, and changed through this handle only:
    // `rounds` gives each process a directory of its own.
    #[expect(unsafe_code, reason = "a memory map is trusted by its opener")]
    let env = unsafe { options.open(path)? };
    let mut write = env.write_txn()?;
    let databases: std::result::Result<Vec<_>, heed::Error> = Space::ALL
        .iter()
        .map(|space| env.create_database::<Bytes, Bytes>(&mut write, Some(space.name())))
        .collect();
    let databases = databases?;
    write.commit()?;
    Ok(Transfers(Lmdb { env, databases }))
}

impl Store for Lmdb {
    fn write(&self, work: &mut dyn FnMut(&mut dyn Batch) -> Result<()>) -> Result<()> {
        let mut write = Write { databases: &self.databases, transaction: self.env.write_txn()? };
        work(&mut write)?;
        Ok(write.transaction.commit()?)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        work(&Read { databases: &self.databases, transaction: self.env.read_txn()? })
    }
}

struct Write<'a> {
    databases: &'a [Database<Bytes, Bytes>],
    transaction: RwTxn<'a>,
}

impl Batch for Write<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.databases[space as usize].get(&self.transaction, key)? {
            found(value);
        }
        Ok(())
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.databases[space as usize].put(&mut self.transaction, key, value)?)
    }

    fn remove(&mut self, space: Space, key: &[u8]) -> Result<()> {
        self.databases[space as usize].delete(&mut self.transaction, key)?;
        Ok(())
    }
}

struct Read<'a> {
    databases: &'a [Database<Bytes, Bytes>],
    transaction: RoTxn<'a, WithTls>,
}

impl View for Read<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.databases[space as usize].get(&self.transaction, key)? {
            found(value);
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
        let range = (Bound::Included(prefix), Bound::Included(&last[..]));
        for entry in self.databases[space as usize].rev_range(&self.transaction, &range)? {
            if !each(entry?.0)? {
                break;
            }
        }
        Ok(())
    }
}
