//! redb: a copy-on-write B-tree in one file.

use std::path::Path;

use redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition,
};

use super::keys::Space;
use super::store::{Batch, Store, Transfers, View};
use super::{CACHE_SIZE, Engine};
use crate::Result;

struct Redb(Database);

fn definition(space: Space) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(space.name())
}

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_SIZE as usize);
    let database = builder.create(directory.join("ledger.redb"))?;
    let write = database.begin_write()?;
    for space in Space::ALL {
        write.open_table(definition(space))?;
    }
    write.commit()?;
    Ok(Transfers(Redb(database)))
}

impl Store for Redb {
    fn write(&self, work: &mut dyn FnMut(&mut dyn Batch) -> Result<()>) -> Result<()> {
        let mut write = self.0.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        {
            let tables: std::result::Result<Vec<_>, _> =
                Space::ALL.iter().map(|space| write.open_table(definition(*space))).collect();
            work(&mut Tables(tables?))?;
        }
        Ok(write.commit()?)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        let read = self.0.begin_read()?;
        let tables: std::result::Result<Vec<_>, _> =
            Space::ALL.iter().map(|space| read.open_table(definition(*space))).collect();
        work(&ReadTables(tables?))
    }
}

/// In the order of [`Space::ALL`].
struct Tables<'a>(Vec<Table<'a, &'static [u8], &'static [u8]>>);

impl Batch for Tables<'_> {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.0[space as usize].get(key)? {
            found(value.value());
        }
        Ok(())
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        self.0[space as usize].insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, space: Space, key: &[u8]) -> Result<()> {
        self.0[space as usize].remove(key)?;
        Ok(())
    }
}

/// In the order of [`Space::ALL`].
struct ReadTables(Vec<ReadOnlyTable<&'static [u8], &'static [u8]>>);

impl View for ReadTables {
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.0[space as usize].get(key)? {
            found(value.value());
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
        for entry in self.0[space as usize].range::<&[u8]>(prefix..=&last[..])?.rev() {
            if !each(entry?.0.value())? {
                break;
            }
        }
        Ok(())
    }
}
