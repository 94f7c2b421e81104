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
//! | inserts | 5, number (4), length (4), timestamps and rows packed lane by lane ([`Batch`]) |
//! | updates | 6, number (4), length (4), timestamps, new rows, and in what bits the old ones differ, packed |
//! | removals | 7, number (4), length (4), timestamps and rows, packed |
//!
//! A scope collects its changes plainly, so that it can be cut back; when it is committed, [`Packer`] packs
//! what of one kind follows each other. No change gets longer by that.

use std::borrow::Cow;

use crate::constants::TIMESTAMP_MAX;
use crate::table::{Batch, PayloadLane};

const INSERT: u8 = 1;
const UPDATE: u8 = 2;
const REMOVE: u8 = 3;
const ORPHAN: u8 = 4;
const INSERTS: u8 = 5;
const UPDATES: u8 = 6;
const REMOVES: u8 = 7;

/// Changes that are packed together at most, and at least.
const PACKED_MAX: usize = 1024;
const PACKED_MIN: usize = 16;
/// Bytes of changes that are packed together at most: what unpacks them has to hold as much.
const PACKED_BYTES_MAX: usize = 16 << 20;
/// Bytes of kind, number and length.
const PACKED_PREFIX: usize = 9;

/// Equal bytes between two differences that are not worth a span of their own.
const SPAN_GAP: usize = 8;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Insert {
        timestamp: u64,
        row: Cow<'a, [u8]>,
    },
    Update {
        timestamp: u64,
        old: Vec<u8>,
        new: Cow<'a, [u8]>,
    },
    Remove {
        timestamp: u64,
        row: Cow<'a, [u8]>,
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
    count: usize,
}

/// A position in the changes, to cut back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeMark {
    length: usize,
    count: usize,
}

/// What a change counts in a bar at the least. Small rows take as long to sort, to merge and to replay as
/// larger ones.
const WEIGHT_MIN: usize = 64;

impl ChangeLog {
    fn begin(&mut self, kind: u8, timestamp: u64) {
        self.count += 1;
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
        while let Some(start) = first_difference(old, new, at) {
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
        self.count += 1;
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

    /// What the changes count in a bar: their bytes, if these are not few.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len().max(self.count * WEIGHT_MIN)
    }

    pub(super) fn mark(&self) -> ChangeMark {
        ChangeMark { length: self.bytes.len(), count: self.count }
    }

    /// Takes all changes since `mark` back.
    pub(super) fn truncate(&mut self, mark: ChangeMark) {
        assert!(mark.length <= self.bytes.len(), "scopes are closed in reverse order");
        self.bytes.truncate(mark.length);
        self.count = mark.count;
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

/// The first position from `from` on at which rows differ: most of their words are equal.
fn first_difference(old: &[u8], new: &[u8], from: usize) -> Option<usize> {
    let words = |row| <[u8]>::as_chunks::<8>(row).0.iter();
    let equal = words(&old[from..]).zip(words(&new[from..])).take_while(|(old, new)| old == new);
    let from = from + 8 * equal.count();
    (from..new.len()).find(|at| old[*at] != new[*at])
}

/// What a groove's changes consist of, to read or to pack them.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeShape<'a> {
    pub(super) row_width: usize,
    /// Bytes of the limbs of a primary key, 0 if none can be orphaned.
    pub(super) key_width: usize,
    /// The lanes of a row.
    pub(super) lanes: &'a [PayloadLane],
}

impl ChangeShape<'_> {
    /// Bytes behind the timestamp of one of the packed changes of a kind.
    fn packed_width(self, kind: u8) -> usize {
        if kind == UPDATES { 2 * self.row_width } else { self.row_width }
    }

    /// How many changes of a kind are packed together at most.
    fn packed_max(self, kind: u8) -> usize {
        (PACKED_BYTES_MAX / (8 + self.packed_width(kind))).min(PACKED_MAX)
    }
}

/// Packs the changes of a scope.
#[derive(Debug, Default)]
pub(super) struct Packer {
    batch: Batch,
    /// Timestamps, new rows, and the bits in which the old ones differ.
    updates: Vec<u8>,
}

impl Packer {
    /// Appends to `out` the changes of a log, with those of one kind that follow each other packed
    /// together.
    pub(super) fn pack(&mut self, changes: &[u8], shape: ChangeShape<'_>, out: &mut Vec<u8>) {
        let mut rest = changes;
        while !rest.is_empty() {
            let (packed, count, length) = alike(rest, shape);
            let (now, later) = rest.split_at(length);
            rest = later;
            if count < PACKED_MIN || !self.pack_alike(now, (packed, count), shape, out) {
                out.extend_from_slice(now);
            }
        }
    }

    /// Packs changes of one kind, unless that is longer.
    fn pack_alike(
        &mut self,
        changes: &[u8],
        (kind, count): (u8, usize),
        shape: ChangeShape<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        out.push(kind);
        out.extend_from_slice(&(count as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let row = 8 + shape.row_width;
        if kind == UPDATES {
            self.updates.clear();
            let mut rest = changes;
            while !rest.is_empty() {
                let (update, later) = rest.split_at(length_of(rest, shape));
                rest = later;
                self.updates.extend_from_slice(&update[1..=row]);
                differences(&update[9..], shape.row_width, &mut self.updates);
            }
            let rows = self.updates.chunks_exact(row + shape.row_width);
            self.batch.pack(&update_lanes(shape), rows, out);
        } else {
            let rows = changes.chunks_exact(1 + row).map(|change| &change[1..]);
            self.batch.pack(shape.lanes, rows, out);
        }
        if out.len() - start >= changes.len() {
            out.truncate(start);
            return false;
        }
        let length = (out.len() - start - PACKED_PREFIX) as u32;
        out[start + 5..start + PACKED_PREFIX].copy_from_slice(&length.to_le_bytes());
        true
    }
}

/// The changes of one kind that some changes, which this process wrote, begin with, as far as they may be
/// packed together: the kind that they are packed as, how many they are, and their bytes.
fn alike(changes: &[u8], shape: ChangeShape<'_>) -> (u8, usize, usize) {
    let packed = match changes[0] {
        INSERT => INSERTS,
        UPDATE => UPDATES,
        REMOVE => REMOVES,
        kind => return (kind, 0, length_of(changes, shape)),
    };
    let (mut count, mut length) = (0, 0);
    let most = shape.packed_max(packed).max(1);
    while count < most && changes.get(length) == Some(&changes[0]) {
        length += length_of(&changes[length..], shape);
        count += 1;
    }
    (packed, count, length)
}

/// The lanes of a packed update behind its timestamp: those of the new row, and once more those of the bits
/// in which the old one differs.
fn update_lanes(shape: ChangeShape<'_>) -> Vec<PayloadLane> {
    let differences = shape.lanes.iter().map(|lane| PayloadLane {
        offset: shape.row_width + lane.offset,
        width: lane.width,
        signed: false,
    });
    shape.lanes.iter().copied().chain(differences).collect()
}

/// Appends the bits in which the old row of an update that this process wrote differs from the new one;
/// `update` begins with the latter.
fn differences(update: &[u8], row_width: usize, out: &mut Vec<u8>) {
    let (new, spans) = update.split_at(row_width);
    let start = out.len();
    out.resize(start + row_width, 0);
    let mut spans = &spans[4..];
    while let Some((&[a, b, c, d, e, f, g, h], rest)) = spans.split_first_chunk::<8>() {
        let offset = u32::from_le_bytes([a, b, c, d]) as usize;
        let (old, rest) = rest.split_at(u32::from_le_bytes([e, f, g, h]) as usize);
        let bits = &mut out[start + offset..][..old.len()];
        for ((bits, old), new) in bits.iter_mut().zip(old).zip(&new[offset..]) {
            *bits = old ^ new;
        }
        spans = rest;
    }
}

/// Bytes of the first of some changes that this process wrote.
fn length_of(changes: &[u8], shape: ChangeShape<'_>) -> usize {
    let number =
        |at: usize| u32::from_le_bytes(changes[at..at + 4].try_into().expect("4 bytes")) as usize;
    let row_end = 1 + 8 + shape.row_width;
    match changes[0] {
        INSERT | REMOVE => row_end,
        UPDATE => {
            let spans = 0..number(row_end);
            spans.fold(row_end + 4, |at, _| at + 8 + number(at + 4))
        }
        ORPHAN => 1 + shape.key_width,
        kind => unreachable!("a change of kind {kind} was not written"),
    }
}

/// Reads changes back. Every change is checked; the first that cannot be ends the iteration with
/// an error.
pub(super) struct Changes<'a> {
    bytes: &'a [u8],
    shape: ChangeShape<'a>,
    batch: Batch,
    /// Changes that were packed, of which kind they are, and where the next one is: of each the timestamp
    /// and what follows it.
    unpacked: Vec<u8>,
    kind: u8,
    unpacked_at: usize,
}

impl<'a> Changes<'a> {
    pub(super) fn new(bytes: &'a [u8], shape: ChangeShape<'a>) -> Self {
        let (batch, unpacked) = (Batch::default(), Vec::new());
        Changes { bytes, shape, batch, unpacked, kind: INSERTS, unpacked_at: 0 }
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
        valid_timestamp(self.take(8)?)
    }

    /// Unpacks changes of a kind.
    fn unpack(&mut self, kind: u8) -> Result<(), &'static str> {
        let (count, length) = (self.number()?, self.number()?);
        let bytes = self.take(length)?;
        if count == 0 || count > self.shape.packed_max(kind) {
            return Err("number of packed changes");
        }
        let lanes = match kind {
            UPDATES => Cow::Owned(update_lanes(self.shape)),
            _ => Cow::Borrowed(self.shape.lanes),
        };
        (self.kind, self.unpacked_at) = (kind, 0);
        let size = (count, self.shape.packed_width(kind));
        self.batch.unpack(bytes, &lanes, size, &mut self.unpacked)
    }

    fn unpacked(&mut self) -> Option<Result<Change<'a>, &'static str>> {
        let rest = self.unpacked.get(self.unpacked_at..)?;
        let change = rest.get(..8 + self.shape.packed_width(self.kind))?;
        self.unpacked_at += change.len();
        let (timestamp, rows) = change.split_at(8);
        let (row, differences) = rows.split_at(self.shape.row_width);
        Some(valid_timestamp(timestamp).map(|timestamp| match self.kind {
            UPDATES => {
                let old = row.iter().zip(differences).map(|(new, bits)| new ^ bits).collect();
                Change::Update { timestamp, old, new: Cow::Owned(row.to_vec()) }
            }
            REMOVES => Change::Remove { timestamp, row: Cow::Owned(row.to_vec()) },
            _ => Change::Insert { timestamp, row: Cow::Owned(row.to_vec()) },
        }))
    }

    fn update(&mut self) -> Result<Change<'a>, &'static str> {
        let timestamp = self.timestamp()?;
        let new = self.take(self.shape.row_width)?;
        let mut old = new.to_vec();
        for _ in 0..self.number()? {
            let (offset, length) = (self.number()?, self.number()?);
            let bytes = self.take(length)?;
            let span = offset.checked_add(length).and_then(|end| old.get_mut(offset..end));
            span.ok_or("span of an update")?.copy_from_slice(bytes);
        }
        Ok(Change::Update { timestamp, old, new: Cow::Borrowed(new) })
    }

    fn change(&mut self) -> Result<Change<'a>, &'static str> {
        match self.take(1)?[0] {
            INSERT => {
                let timestamp = self.timestamp()?;
                let row = Cow::Borrowed(self.take(self.shape.row_width)?);
                Ok(Change::Insert { timestamp, row })
            }
            UPDATE => self.update(),
            REMOVE => {
                let timestamp = self.timestamp()?;
                let row = Cow::Borrowed(self.take(self.shape.row_width)?);
                Ok(Change::Remove { timestamp, row })
            }
            ORPHAN if self.shape.key_width > 0 => {
                Ok(Change::Orphan { key: self.take(self.shape.key_width)? })
            }
            kind @ (INSERTS | UPDATES | REMOVES) => {
                self.unpack(kind)?;
                self.unpacked().expect("at least one change was unpacked")
            }
            _ => Err("kind of a change"),
        }
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<Change<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = match self.unpacked() {
            Some(change) => change,
            None if self.bytes.is_empty() => return None,
            None => self.change(),
        };
        if change.is_err() {
            self.bytes = &[];
            self.unpacked.clear();
        }
        Some(change)
    }
}

/// Gives bytes to the reader of changes; if all are sound, they have to be the same when they are written
/// and packed anew.
#[cfg(feature = "proof")]
pub(crate) fn fuzz_changes(bytes: &[u8], row_width: usize, key_width: usize) {
    const CHANGES_MAX: usize = 20_000;
    let lanes = crate::table::plain_lanes(row_width);
    let shape = ChangeShape { row_width, key_width, lanes: &lanes };
    let read = |bytes| Changes::new(bytes, shape).take(CHANGES_MAX).collect::<Result<Vec<_>, _>>();
    let Ok(changes) = read(bytes) else { return };
    let mut log = ChangeLog::default();
    for change in &changes {
        match change {
            Change::Insert { timestamp, row } => log.insert(*timestamp, row),
            Change::Update { timestamp, old, new } => log.update(*timestamp, old, new),
            Change::Remove { timestamp, row } => log.remove(*timestamp, row),
            Change::Orphan { key } => {
                let limbs = key.as_chunks::<8>().0.iter();
                log.orphan(&limbs.map(|limb| u64::from_le_bytes(*limb)).collect::<Vec<u64>>());
            }
        }
    }
    assert_eq!(read(log.bytes()).as_ref(), Ok(&changes));
    let mut packed = Vec::new();
    Packer::default().pack(log.bytes(), shape, &mut packed);
    assert!(packed.len() <= log.bytes().len(), "packed changes are not longer");
    assert_eq!(read(&packed), Ok(changes));
}

/// Changes of rows of 12 bytes and keys of 8, of all kinds, plain and packed.
#[cfg(feature = "proof")]
pub(crate) fn seed_changes() -> [Vec<u8>; 2] {
    let lanes = crate::table::plain_lanes(12);
    let shape = ChangeShape { row_width: 12, key_width: 8, lanes: &lanes };
    let row = |i: u64| {
        let mut row = [7; 12];
        row[..8].copy_from_slice(&(i * i).to_le_bytes());
        row
    };
    let mut log = ChangeLog::default();
    (1..40).for_each(|i| log.insert(i, &row(i)));
    (1..40).for_each(|i| log.update(i, &row(i), &row(i + i % 3)));
    log.orphan(&[5]);
    (1..40).for_each(|i| log.remove(i, &row(i)));
    let mut packed = Vec::new();
    Packer::default().pack(log.bytes(), shape, &mut packed);
    [log.bytes().to_vec(), packed]
}

fn valid_timestamp(bytes: &[u8]) -> Result<u64, &'static str> {
    let timestamp = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
    if timestamp == 0 || timestamp > TIMESTAMP_MAX {
        return Err("timestamp of a change");
    }
    Ok(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::plain_lanes;

    fn changes<'a>(
        bytes: &'a [u8],
        row_width: usize,
        key_width: usize,
        lanes: &'a [PayloadLane],
    ) -> Changes<'a> {
        Changes::new(bytes, ChangeShape { row_width, key_width, lanes })
    }

    #[test]
    fn packed_changes_come_back_among_others_and_are_never_longer() {
        let lanes = plain_lanes(21);
        let shape = ChangeShape { row_width: 21, key_width: 8, lanes: &lanes };
        let mut log = ChangeLog::default();
        let row = |i: u64, scatter: u64| {
            let mut row = [0; 21];
            row[2..10].copy_from_slice(&i.wrapping_mul(scatter).to_le_bytes());
            row[20] = i as u8;
            row
        };
        // Runs that are too short, longer than a pack, of random rows, and at both ends.
        for (inserts, scatter) in [(3000, 7), (3, 7), (40, 7), (1, 1), (500, 0x9E37_79B9_7F4A_7C15)]
        {
            (1..=inserts).for_each(|i| log.insert(i, &row(i, scatter)));
            log.orphan(&[inserts]);
            // Of some nothing differs, of others all.
            (1..=inserts).for_each(|i| log.update(i, &row(i, scatter), &row(i + i % 3, scatter)));
            (1..=inserts).for_each(|i| log.remove(i, &row(i, scatter)));
        }
        (1..=16).for_each(|i| log.insert(i, &row(i, 1)));
        let mut packed = Vec::new();
        Packer::default().pack(log.bytes(), shape, &mut packed);
        assert!(packed.len() < log.bytes().len() / 2, "{} bytes", packed.len());
        let read = |bytes| Changes::new(bytes, shape).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(read(&packed), read(log.bytes()));
        // A scope of its own that does not pack stays as it is.
        let mut log = ChangeLog::default();
        (1..=15).for_each(|i| log.insert(i, &row(i, 1)));
        let mut packed = Vec::new();
        Packer::default().pack(log.bytes(), shape, &mut packed);
        assert_eq!(packed, log.bytes());
    }

    #[test]
    fn damaged_packed_changes_are_an_error_or_other_rows_and_never_a_panic() {
        let lanes = plain_lanes(21);
        let shape = ChangeShape { row_width: 21, key_width: 0, lanes: &lanes };
        let row = |i: u64| {
            let mut row = [0; 21];
            row[..8].copy_from_slice(&(i * i * 1000 + i % 7).to_le_bytes());
            row
        };
        for kind in [INSERTS, UPDATES, REMOVES] {
            let mut log = ChangeLog::default();
            (1..=150_u64).for_each(|i| match kind {
                INSERTS => log.insert(i * i, &row(i)),
                UPDATES => log.update(i * i, &row(i), &row(i + 1)),
                _ => log.remove(i * i, &row(i)),
            });
            let mut packed = Vec::new();
            Packer::default().pack(log.bytes(), shape, &mut packed);
            assert_eq!(packed[0], kind);
            for at in 0..packed.len() {
                for bit in 0..8 {
                    let mut damaged = packed.clone();
                    damaged[at] ^= 1 << bit;
                    assert!(Changes::new(&damaged, shape).count() <= PACKED_MAX + 1);
                }
                let cut = &packed[..at];
                assert!(Changes::new(cut, shape).all(|change| change.is_err()) || at == 0);
            }
        }
    }

    #[test]
    fn changes_come_back_in_order() {
        let mut log = ChangeLog::default();
        log.insert(1, &[1, 2, 3]);
        log.orphan(&[9]);
        log.update(1, &[1, 2, 3], &[4, 2, 6]);
        log.update(1, &[4, 2, 6], &[4, 2, 6]);
        log.remove(1, &[4, 2, 6]);
        let read: Vec<_> = changes(log.bytes(), 3, 8, &[]).map(Result::unwrap).collect();
        let expected = [
            Change::Insert { timestamp: 1, row: Cow::Borrowed(&[1, 2, 3]) },
            Change::Orphan { key: &[9, 0, 0, 0, 0, 0, 0, 0] },
            Change::Update { timestamp: 1, old: vec![1, 2, 3], new: Cow::Borrowed(&[4, 2, 6]) },
            Change::Update { timestamp: 1, old: vec![4, 2, 6], new: Cow::Borrowed(&[4, 2, 6]) },
            Change::Remove { timestamp: 1, row: Cow::Borrowed(&[4, 2, 6]) },
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
        let read: Vec<_> = changes(log.bytes(), 100, 0, &[]).map(Result::unwrap).collect();
        assert_eq!(read, [Change::Update { timestamp: 5, old, new: Cow::Borrowed(&new) }]);
    }

    #[test]
    fn changes_weigh_their_bytes_and_small_ones_more() {
        let mut log = ChangeLog::default();
        let start = log.mark();
        (1..=10).for_each(|i| log.insert(i, &[7]));
        log.orphan(&[9]);
        log.remove(1, &[7]);
        assert_eq!(log.weight(), 12 * WEIGHT_MIN);
        let small = log.mark();
        log.insert(11, &[0; 1000]);
        assert_eq!(log.weight(), log.bytes().len(), "one large row, and nothing on top of it");
        log.truncate(small);
        assert_eq!(log.weight(), 12 * WEIGHT_MIN);
        log.truncate(start);
        assert_eq!((log.weight(), log.bytes()), (0, &[][..]));
    }

    #[test]
    fn a_cut_or_unknown_change_is_an_error_and_the_end() {
        let mut log = ChangeLog::default();
        log.update(5, &[7, 7, 7, 7], &[7, 8, 7, 7]);
        for length in 1..log.bytes().len() {
            let mut changes = changes(&log.bytes()[..length], 4, 0, &[]);
            assert!(changes.next().unwrap().is_err());
            assert!(changes.next().is_none());
        }
        let mut beyond = log.bytes().to_vec();
        beyond[1 + 8 + 4 + 4] = 4; // the span's offset: behind the row
        assert!(changes(&beyond, 4, 0, &[]).next().unwrap().is_err());
        assert!(changes(&[77], 4, 0, &[]).next().unwrap().is_err());
        assert!(changes(&[ORPHAN, 1], 4, 0, &[]).next().unwrap().is_err());
        assert!(changes(&[REMOVE, 0, 0, 0, 0, 0, 0, 0, 0], 0, 0, &[]).next().unwrap().is_err());
    }
}
