//! A store of transfers over any ordered key-value store, with the indexes kept by hand.
//!
//! The keys of a batch are written space by space and in ascending order, which suits B-trees and
//! LSM trees alike. An intersection walks the smaller index and probes the other one.

use std::collections::BTreeMap;

use super::keys::{self, IndexKey, Space};
use super::{Change, Engine, Reader};
use crate::Result;
use crate::workload::Transfer;

/// An ordered key-value store.
pub(super) trait Store: Sync {
    /// Runs `work` in a transaction; commits it, durable on return, if there is no error.
    fn write(&self, work: &mut dyn FnMut(&mut dyn Batch) -> Result<()>) -> Result<()>;
    /// Gives `work` a consistent view.
    fn view(&self, work: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()>;
}

/// An open write transaction. `get` may see the state before it.
pub(super) trait Batch {
    /// Gives `found` the value, if the key is there.
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()>;
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()>;
    fn remove(&mut self, space: Space, key: &[u8]) -> Result<()>;
}

/// A consistent view of a store.
pub(super) trait View {
    /// Gives `found` the value, if the key is there.
    fn get(&self, space: Space, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()>;
    /// Gives keys with a prefix, descending, for as long as `each` answers `true`.
    fn descend(
        &self,
        space: Space,
        prefix: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<bool>,
    ) -> Result<()>;
}

/// Transfers in a key-value store.
pub(super) struct Transfers<S>(pub(super) S);

fn put_sorted(batch: &mut dyn Batch, entries: &mut [(Space, IndexKey)], put: bool) -> Result<()> {
    entries.sort_unstable_by_key(|(space, key)| (*space as u8, *key));
    for (space, key) in entries {
        match put {
            true => batch.put(*space, key.as_bytes(), &[])?,
            false => batch.remove(*space, key.as_bytes())?,
        }
    }
    Ok(())
}

fn get_object(
    get: impl Fn(Space, &[u8], &mut dyn FnMut(&[u8])) -> Result<()>,
    id: u128,
) -> Result<Option<Transfer>> {
    let mut timestamp = None;
    get(Space::Ids, &id.to_be_bytes(), &mut |value| {
        timestamp = Some(u64::from_be_bytes(value.try_into().expect("8 bytes")));
    })?;
    let Some(timestamp) = timestamp else { return Ok(None) };
    let mut object = None;
    get(Space::Objects, &timestamp.to_be_bytes(), &mut |row| object = Some(keys::transfer(row)))?;
    object.map(Some).ok_or_else(|| "an id without its object".into())
}

impl<S: Store> Engine for Transfers<S> {
    fn insert(&self, batch: &[Transfer]) -> Result<()> {
        let mut ids: Vec<(u128, u64)> = batch.iter().map(|it| (it.id, it.timestamp)).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("an id twice in a batch".into());
        }
        let mut entries = Vec::with_capacity(9 * batch.len());
        for transfer in batch {
            keys::index_keys(transfer, |space, key| entries.push((space, key)));
        }
        self.0.write(&mut |write| {
            for (id, timestamp) in &ids {
                let mut taken = false;
                write.get(Space::Ids, &id.to_be_bytes(), &mut |_| taken = true)?;
                if taken {
                    return Err("a duplicate id".into());
                }
                write.put(Space::Ids, &id.to_be_bytes(), &timestamp.to_be_bytes())?;
            }
            for transfer in batch {
                let key = transfer.timestamp.to_be_bytes();
                write.put(Space::Objects, &key, &keys::row(transfer))?;
            }
            put_sorted(write, &mut entries, true)
        })
    }

    fn update(&self, batch: &[Change]) -> Result<()> {
        let last: BTreeMap<u128, Change> = batch.iter().map(|it| (it.id, *it)).collect();
        self.0.write(&mut |write| {
            let (mut rows, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
            for change in last.values() {
                let old = get_object(|space, key, found| write.get(space, key, found), change.id)?;
                let old = old.ok_or("a record is lost")?;
                let new = Transfer { code: change.code, user_data_64: change.user_data_64, ..old };
                let changed = |space| match space {
                    Space::Code => old.code != new.code,
                    Space::UserData64 => old.user_data_64 != new.user_data_64,
                    _ => false,
                };
                let note = |transfer, entries: &mut Vec<_>| {
                    keys::index_keys(transfer, |space, key| {
                        if changed(space) {
                            entries.push((space, key));
                        }
                    });
                };
                note(&old, &mut removed);
                note(&new, &mut added);
                rows.push(new);
            }
            rows.sort_unstable_by_key(|row| row.timestamp);
            for row in &rows {
                write.put(Space::Objects, &row.timestamp.to_be_bytes(), &keys::row(row))?;
            }
            put_sorted(write, &mut removed, false)?;
            put_sorted(write, &mut added, true)
        })
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        self.0.view(&mut |view| work(&ViewReader(view)))
    }
}

struct ViewReader<'a>(&'a dyn View);

impl ViewReader<'_> {
    fn object(&self, timestamp: u64, out: &mut Vec<Transfer>) -> Result<()> {
        let before = out.len();
        let key = timestamp.to_be_bytes();
        self.0.get(Space::Objects, &key, &mut |row| out.push(keys::transfer(row)))?;
        if out.len() > before { Ok(()) } else { Err("an index entry without its object".into()) }
    }
}

impl Reader for ViewReader<'_> {
    fn get(&self, id: u128) -> Result<Option<Transfer>> {
        get_object(|space, key, found| self.0.get(space, key, found), id)
    }

    fn latest(&self, account: u128, limit: usize, out: &mut Vec<Transfer>) -> Result<()> {
        self.0.descend(Space::DebitAccount, &account.to_be_bytes(), &mut |key| {
            self.object(keys::timestamp(key), out)?;
            Ok(out.len() < limit)
        })
    }

    fn account_and_code(&self, account: u128, code: u16, out: &mut Vec<Transfer>) -> Result<()> {
        self.0.descend(Space::DebitAccount, &account.to_be_bytes(), &mut |key| {
            let timestamp = keys::timestamp(key);
            let probe = IndexKey::new(&code.to_be_bytes(), timestamp);
            let mut both = false;
            self.0.get(Space::Code, probe.as_bytes(), &mut |_| both = true)?;
            if both {
                self.object(timestamp, out)?;
            }
            Ok(true)
        })
    }
}
