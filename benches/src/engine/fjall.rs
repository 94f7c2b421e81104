//! fjall: LSM trees in a directory.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::keys::Space;
use super::store::{Batch, Store, Transfers, View};
use super::{CACHE_SIZE, Engine};
use crate::Result;

struct Fjall {
    database: Database,
    /// In the order of [`Space::ALL`].
    keyspaces: Vec<Keyspace>,
    /// A batch checks for duplicates and then writes: one at a time.
    writer: std::sync::Mutex<()>,
}

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let database = Database::builder(directory.join("ledger.fjall"))
        .cache_size(CACHE_SIZE)
        .manual_journal_persist(true) // each batch asks for its own sync
        .open()?;
    let keyspaces: std::result::Result<Vec<_>, _> = Space::ALL
        .iter()
        .map(|space| database.keyspace(space.name(), KeyspaceCreateOptions::default))
        .collect();
    Ok(Transfers(Fjall { keyspaces: keyspaces?, database, writer: std::sync::Mutex::new(()) }))
}

impl Store for Fjall {
    fn write(&self, work: &mut dyn FnMut(&mut dyn Batch) -> Result<()>) -> Result<()> {
        let _writer = self.writer.lock().map_err(|_| "a writer panicked")?;
        let batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut write = Write { keyspaces: &self.keyspaces, batch };
        work(&mut write)?;
        Ok(write.batch.commit()?)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        work(&Read { keyspaces: &self.keyspaces, snapshot: self.database.snapshot() })
    }
}

struct Write<'a> {
    keyspaces: &'a [Keyspace],
    batch: fjall::OwnedWriteBatch,
}

impl Batch for Write<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.keyspaces[space as usize].get(key)? {
            found(&value);
        }
        Ok(())
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        self.batch.insert(&self.keyspaces[space as usize], key, value);
        Ok(())
    }

    fn remove(&mut self, space: Space, key: &[u8]) -> Result<()> {
        self.batch.remove(&self.keyspaces[space as usize], key);
        Ok(())
    }
}

struct Read<'a> {
    keyspaces: &'a [Keyspace],
    snapshot: Snapshot,
}

impl View for Read<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.snapshot.get(&self.keyspaces[space as usize], key)? {
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
        for entry in self.snapshot.prefix(&self.keyspaces[space as usize], prefix).rev() {
            if !each(&entry.key()?)? {
                break;
            }
        }
        Ok(())
    }
}
