//! What a scope does to one groove, as the write-ahead log keeps it: objects, not index entries.
//! Replay derives the entries again.
//!
//! An update and a removal carry the old row too, so that replay reads nothing but the log: the time
//! to open after a crash does not depend on the size of the file or the speed of the device. Of an
//! old row only the bytes that differ from the new one are kept.
//!
//! | change | bytes |
//! |---|---|
//! | insert | 1, timestamp (8), row |
//! | update | 2, timestamp (8), new row, count of spans (4), per span: offset (4), length (4), old bytes |
//! | remove | 3, timestamp (8), row |
//! | orphan | 4, limbs of the primary key |

use crate::constants::TIMESTAMP_MAX;

const INSERT: u8 = 1;
const UPDATE: u8 = 2;
const REMOVE: u8 = 3;
const ORPHAN: u8 = 4;

/// Equal bytes between two differences that are not worth a span of their own.
const SPAN_GAP: usize = 8;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Insert {
        timestamp: u64,
        row: &'a [u8],
    },
    Update {
        timestamp: u64,
        old: Vec<u8>,
        new: &'a [u8],
    },
    Remove {
        timestamp: u64,
        row: &'a [u8],
    },
    /// An orphaned primary key: its limbs, little-endian.
    Orphan {
        key: &'a [u8],
    },
}

/// The changes of the open scope, in the order of the calls.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
    bytes: Vec<u8>,
}

impl ChangeLog {
    fn begin(&mut self, kind: u8, timestamp: u64) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&timestamp.to_le_bytes());
    }

    pub(super) fn insert(&mut self, timestamp: u64, row: &[u8]) {
        self.begin(INSERT, timestamp);
        self.bytes.extend_from_slice(row);
    }

    pub(super) fn update(&mut self, timestamp: u64, old: &[u8], new: &[u8]) {
        assert_eq!(old.len(), new.len(), "rows of one object type");
        self.begin(UPDATE, timestamp);
        self.bytes.extend_from_slice(new);
        let count_at = self.bytes.len();
        self.number(0);
        let mut count = 0;
        let mut at = 0;
        while let Some(start) = (at..new.len()).find(|at| old[*at] != new[*at]) {
            let mut end = start + 1;
            let mut next = end;
            while next < new.len() && next - end <= SPAN_GAP {
                if old[next] != new[next] {
                    end = next + 1;
                }
                next += 1;
            }
            self.number(start);
            self.number(end - start);
            self.bytes.extend_from_slice(&old[start..end]);
            count += 1;
            at = end;
        }
        self.bytes[count_at..count_at + 4].copy_from_slice(&u32::to_le_bytes(count));
    }

    pub(super) fn remove(&mut self, timestamp: u64, row: &[u8]) {
        self.begin(REMOVE, timestamp);
        self.bytes.extend_from_slice(row);
    }

    pub(super) fn orphan(&mut self, key: &[u64]) {
        self.bytes.push(ORPHAN);
        self.bytes.extend(key.iter().flat_map(|limb| limb.to_le_bytes()));
    }

    fn number(&mut self, number: usize) {
        let number = u32::try_from(number).expect("a row is below 4 GiB");
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn truncate(&mut self, length: usize) {
        assert!(length <= self.bytes.len(), "scopes are closed in reverse order");
        self.bytes.truncate(length);
    }
}

/// Reads changes back. Every change is checked; the first that cannot be ends the iteration with
/// an error.
pub(super) struct Changes<'a> {
    bytes: &'a [u8],
    row_width: usize,
    key_width: usize,
}

impl<'a> Changes<'a> {
    /// `key_width`: bytes of the limbs of a primary key, 0 if none can be orphaned.
    pub(super) fn new(bytes: &'a [u8], row_width: usize, key_width: usize) -> Self {
        Changes { bytes, row_width, key_width }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or("length of a change")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize, &'static str> {
        let bytes = self.take(4)?.try_into().expect("4 bytes");
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    fn timestamp(&mut self) -> Result<u64, &'static str> {
        let bytes = self.take(8)?.try_into().expect("8 bytes");
        let timestamp = u64::from_le_bytes(bytes);
        if timestamp == 0 || timestamp > TIMESTAMP_MAX {
            return Err("timestamp of a change");
        }
        Ok(timestamp)
    }

    fn update(&mut self) -> Result<Change<'a>, &'static str> {
        let timestamp = self.timestamp()?;
        let new = self.take(self.row_width)?;
        let mut old = new.to_vec();
        for _ in 0..self.number()? {
            let (offset, length) = (self.number()?, self.number()?);
            let bytes = self.take(length)?;
            let span = offset.checked_add(length).and_then(|end| old.get_mut(offset..end));
            span.ok_or("span of an update")?.copy_from_slice(bytes);
        }
        Ok(Change::Update { timestamp, old, new })
    }

    fn change(&mut self) -> Result<Change<'a>, &'static str> {
        match self.take(1)?[0] {
            INSERT => {
                let timestamp = self.timestamp()?;
                Ok(Change::Insert { timestamp, row: self.take(self.row_width)? })
            }
            UPDATE => self.update(),
            REMOVE => {
                let timestamp = self.timestamp()?;
                Ok(Change::Remove { timestamp, row: self.take(self.row_width)? })
            }
            ORPHAN if self.key_width > 0 => Ok(Change::Orphan { key: self.take(self.key_width)? }),
            _ => Err("kind of a change"),
        }
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<Change<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let change = self.change();
        if change.is_err() {
            self.bytes = &[];
        }
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_in_order() {
        let mut log = ChangeLog::default();
        log.insert(1, &[1, 2, 3]);
        log.orphan(&[9]);
        log.update(1, &[1, 2, 3], &[4, 2, 6]);
        log.update(1, &[4, 2, 6], &[4, 2, 6]);
        log.remove(1, &[4, 2, 6]);
        let read: Vec<_> = Changes::new(log.bytes(), 3, 8).map(Result::unwrap).collect();
        let expected = [
            Change::Insert { timestamp: 1, row: &[1, 2, 3] },
            Change::Orphan { key: &[9, 0, 0, 0, 0, 0, 0, 0] },
            Change::Update { timestamp: 1, old: vec![1, 2, 3], new: &[4, 2, 6] },
            Change::Update { timestamp: 1, old: vec![4, 2, 6], new: &[4, 2, 6] },
            Change::Remove { timestamp: 1, row: &[4, 2, 6] },
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn an_update_keeps_of_the_old_row_what_differs() {
        let old: Vec<u8> = (0..100).collect();
        let mut new = old.clone();
        new[3] = 200;
        new[7] = 200;
        new[60] = 200;
        let mut log = ChangeLog::default();
        log.update(5, &old, &new);
        assert_eq!(log.bytes().len(), 1 + 8 + 100 + 4 + (8 + 5) + (8 + 1));
        let read: Vec<_> = Changes::new(log.bytes(), 100, 0).map(Result::unwrap).collect();
        assert_eq!(read, [Change::Update { timestamp: 5, old, new: &new }]);
    }

    #[test]
    fn a_cut_or_unknown_change_is_an_error_and_the_end() {
        let mut log = ChangeLog::default();
        log.update(5, &[7, 7, 7, 7], &[7, 8, 7, 7]);
        for length in 1..log.bytes().len() {
            let mut changes = Changes::new(&log.bytes()[..length], 4, 0);
            assert!(changes.next().unwrap().is_err());
            assert!(changes.next().is_none());
        }
        let mut beyond = log.bytes().to_vec();
        beyond[1 + 8 + 4 + 4] = 4; // the span's offset: behind the row
        assert!(Changes::new(&beyond, 4, 0).next().unwrap().is_err());
        assert!(Changes::new(&[77], 4, 0).next().unwrap().is_err());
        assert!(Changes::new(&[ORPHAN, 1], 4, 0).next().unwrap().is_err());
        assert!(Changes::new(&[REMOVE, 0, 0, 0, 0, 0, 0, 0, 0], 0, 0).next().unwrap().is_err());
    }
}
