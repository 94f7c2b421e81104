//! The changes that a scope makes to one groove.
//!
//! Everything that can be refused is checked first; then the object tree, the index trees and the
//! log are written, which cannot fail. So an error leaves the scope as it was.

use crate::constants::TIMESTAMP_MAX;
use crate::error::{InsertError, ReadError, UpdateError};
use crate::field::IndexKey;
use crate::object::Object;
use crate::query::Operand;

use super::store::{EncodedKey, Groove, decode};
use super::unique_tree::UniqueEntry;

impl<O: Object> Groove<O> {
    /// Inserts `object` into the object tree and one tree per index, and returns its timestamp.
    ///
    /// A timestamp of 0 has one assigned: one more than the highest of the forest so far, or what
    /// `Options::clock` says if that is higher. Memory only; at most one look-up per unique index
    /// reads a block.
    ///
    /// # Errors
    /// [`InsertError::Duplicate`], [`InsertError::Orphaned`], [`InsertError::TimestampTaken`],
    /// [`InsertError::TimestampOutOfRange`] or [`InsertError::TimestampsExhausted`]; nothing is
    /// changed.
    pub fn insert(&mut self, mut object: O) -> Result<u64, InsertError> {
        let assigned = object.timestamp() == 0;
        let timestamp = match object.timestamp() {
            0 if self.timestamps.highest() == TIMESTAMP_MAX => {
                return Err(InsertError::TimestampsExhausted { groove: self.name });
            }
            0 => self.timestamps.next(),
            timestamp => timestamp,
        };
        if timestamp > TIMESTAMP_MAX {
            return Err(InsertError::TimestampOutOfRange { groove: self.name, timestamp });
        }
        object.set_timestamp(timestamp);
        // Above the highest timestamp there is no object: no need to look.
        if !assigned && timestamp <= self.timestamps.highest() && self.load_row(timestamp)? {
            return Err(InsertError::TimestampTaken { groove: self.name, timestamp });
        }
        object.check_insert(&self.trees)?;
        self.timestamps.note(timestamp);
        self.write_row(&object);
        // The functions of derived indexes are the caller's: if one panics, the scope cannot be
        // committed any more.
        self.is_torn = true;
        self.object_tree.put([timestamp], &self.row);
        object.insert_entries(&mut self.trees, timestamp);
        self.log.insert(timestamp, &self.row);
        self.object_count += 1;
        self.is_torn = false;
        Ok(timestamp)
    }

    /// Replaces `old`, which must be what is stored, by `new`; only the indexes whose key differs
    /// are touched. Both must have the same timestamp and the same unique keys.
    ///
    /// # Errors
    /// [`UpdateError`]: nothing is changed.
    pub fn update(&mut self, old: &O, new: &O) -> Result<(), UpdateError> {
        let timestamp = old.timestamp();
        let groove = self.name;
        if new.timestamp() != timestamp {
            return Err(UpdateError::TimestampChanged {
                groove,
                old: timestamp,
                new: new.timestamp(),
            });
        }
        if !self.load_row(timestamp)? {
            let (field, value) = (O::SCHEMA.timestamp, timestamp.to_string());
            return Err(UpdateError::NotFound { groove, field, value });
        }
        self.old_row.clear();
        self.old_row.resize(O::ROW_WIDTH, 0);
        old.write_row(&mut self.old_row);
        if self.old_row != self.row {
            return Err(UpdateError::Stale { groove, timestamp });
        }
        self.replace(old, new)
    }

    /// Changes the object with this primary key in place; only the indexes whose key differs
    /// afterwards are touched. Returns what `change` returns.
    ///
    /// ```
    /// # // A complete example is at the crate's root; this shows the call.
    /// # struct Account { balance: i64 }
    /// # let mut account = Account { balance: 1 };
    /// let change = |account: &mut Account| account.balance += 10;
    /// # change(&mut account);
    /// ```
    ///
    /// # Errors
    /// [`UpdateError::NotFound`] if there is no such object, [`UpdateError::UniqueChanged`] or
    /// [`UpdateError::TimestampChanged`] if `change` changed what cannot change; nothing is changed.
    pub fn modify<R>(
        &mut self,
        primary: impl Operand<O::Primary>,
        change: impl FnOnce(&mut O) -> R,
    ) -> Result<R, UpdateError> {
        let timestamp = match self.primary_timestamp(&primary)? {
            Some(UniqueEntry::Object(timestamp)) if self.load_row(timestamp)? => timestamp,
            _ => return Err(self.not_found(&primary)),
        };
        let tree = &**self.object_tree.tip();
        let old: O = decode(tree, timestamp, &self.row)?;
        let mut new: O = decode(tree, timestamp, &self.row)?;
        let result = change(&mut new);
        if new.timestamp() != timestamp {
            return Err(UpdateError::TimestampChanged {
                groove: self.name,
                old: timestamp,
                new: new.timestamp(),
            });
        }
        self.replace(&old, &new)?;
        Ok(result)
    }

    /// Removes the object with this primary key from all trees and returns it; `None` if there is
    /// no such object.
    ///
    /// # Errors
    /// [`ReadError`] if the object cannot be read; nothing is changed.
    pub fn remove(&mut self, primary: impl Operand<O::Primary>) -> Result<Option<O>, ReadError> {
        let timestamp = match self.primary_timestamp(&primary)? {
            Some(UniqueEntry::Object(timestamp)) if self.load_row(timestamp)? => timestamp,
            _ => return Ok(None),
        };
        let object: O = decode(&**self.object_tree.tip(), timestamp, &self.row)?;
        self.is_torn = true;
        self.erase(&object, timestamp);
        self.log.remove(timestamp, &self.row);
        self.is_torn = false;
        Ok(Some(object))
    }

    /// Makes a primary key one that can never be used, without an object: a request that failed
    /// for good stays failed when it is sent again. Needs `#[groove(orphaned_ids)]`.
    ///
    /// # Errors
    /// [`InsertError::Duplicate`] if an object has the key, [`InsertError::Orphaned`] if it is
    /// orphaned already; nothing is changed.
    ///
    /// # Panics
    /// If the struct does not have `#[groove(orphaned_ids)]`.
    pub fn insert_orphaned_id(
        &mut self,
        primary: impl Operand<O::Primary>,
    ) -> Result<(), InsertError> {
        let name = O::SCHEMA.name;
        assert!(O::SCHEMA.orphaned_ids, "struct `{name}` needs #[groove(orphaned_ids)] for that");
        let (ordinal, index) = O::SCHEMA.primary().expect("the derive asks for a primary index");
        let key = EncodedKey::new::<O::Primary>(&primary);
        let key = key.expect("a key of the primary's own type has an encoding");
        let tree = O::unique_tree(&mut self.trees, ordinal).expect("the primary index is unique");
        let (groove, field) = (self.name, index.name);
        match tree.lookup(key.limbs())? {
            Some(UniqueEntry::Object(timestamp)) => {
                let value = shown::<O>(&primary);
                return Err(InsertError::Duplicate { groove, field, value, timestamp });
            }
            Some(UniqueEntry::Orphaned) => {
                let value = shown::<O>(&primary);
                return Err(InsertError::Orphaned { groove, field, value });
            }
            None => {}
        }
        tree.orphan(key.limbs());
        self.log.orphan(key.limbs());
        Ok(())
    }

    /// Replaces `old`, whose row is in `self.row`.
    fn replace(&mut self, old: &O, new: &O) -> Result<(), UpdateError> {
        O::check_update(old, new, &self.trees)?;
        std::mem::swap(&mut self.row, &mut self.old_row);
        self.write_row(new);
        self.is_torn = true;
        self.apply_update(old, new);
        self.log.update(new.timestamp(), &self.old_row, &self.row);
        self.is_torn = false;
        Ok(())
    }

    /// Puts `self.row`, the row of `new`, and moves the index entries that differ.
    pub(super) fn apply_update(&mut self, old: &O, new: &O) {
        let timestamp = new.timestamp();
        self.object_tree.put([timestamp], &self.row);
        O::update_entries(old, new, &mut self.trees, timestamp);
    }

    /// Removes the object and all its entries.
    pub(super) fn erase(&mut self, object: &O, timestamp: u64) {
        self.object_tree.remove([timestamp]);
        object.remove_entries(&mut self.trees, timestamp);
        self.object_count -= 1;
    }

    pub(super) fn write_row(&mut self, object: &O) {
        self.row.clear();
        self.row.resize(O::ROW_WIDTH, 0);
        object.write_row(&mut self.row);
    }

    fn not_found(&self, primary: &impl Operand<O::Primary>) -> UpdateError {
        let field = O::SCHEMA.primary().map_or(O::SCHEMA.timestamp, |(_, index)| index.name);
        UpdateError::NotFound { groove: self.name, field, value: shown::<O>(primary) }
    }
}

/// A primary key as error messages show it.
fn shown<O: Object>(primary: &impl Operand<O::Primary>) -> String {
    let mut bytes = vec![0; O::Primary::KEY_WIDTH];
    primary.write_operand(&mut bytes);
    O::SCHEMA.describe_primary(&bytes)
}
