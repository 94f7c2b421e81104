//! How transfers are laid out in an ordered key-value store: what a user writes by hand.

use crate::workload::Transfer;

/// Key spaces of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Timestamp to row.
    Objects,
    /// Id to timestamp.
    Ids,
    /// An indexed value and a timestamp, to nothing.
    DebitAccount,
    CreditAccount,
    Amount,
    UserData64,
    Ledger,
    Code,
    PendingId,
    UserData128,
    UserData32,
}

impl Space {
    pub(super) const ALL: [Space; 11] = [
        Space::Objects,
        Space::Ids,
        Space::DebitAccount,
        Space::CreditAccount,
        Space::Amount,
        Space::UserData64,
        Space::Ledger,
        Space::Code,
        Space::PendingId,
        Space::UserData128,
        Space::UserData32,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Space::Objects => "objects",
            Space::Ids => "ids",
            Space::DebitAccount => "debit_account_id",
            Space::CreditAccount => "credit_account_id",
            Space::Amount => "amount",
            Space::UserData64 => "user_data_64",
            Space::Ledger => "ledger",
            Space::Code => "code",
            Space::PendingId => "pending_id",
            Space::UserData128 => "user_data_128",
            Space::UserData32 => "user_data_32",
        }
    }
}

pub(super) const ROW: usize = 128;

/// A row: the record's 16 words.
pub(super) fn row(transfer: &Transfer) -> [u8; ROW] {
    let mut row = [0; ROW];
    let wide = [
        transfer.id,
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount,
        transfer.pending_id,
        transfer.user_data_128,
    ];
    for (part, value) in row.chunks_exact_mut(16).zip(wide) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    row[96..104].copy_from_slice(&transfer.user_data_64.to_le_bytes());
    row[104..108].copy_from_slice(&transfer.user_data_32.to_le_bytes());
    row[108..112].copy_from_slice(&transfer.timeout.to_le_bytes());
    row[112..116].copy_from_slice(&transfer.ledger.to_le_bytes());
    row[116..118].copy_from_slice(&transfer.code.to_le_bytes());
    row[118..120].copy_from_slice(&transfer.flags.to_le_bytes());
    row[120..128].copy_from_slice(&transfer.timestamp.to_le_bytes());
    row
}

/// The transfer of a row.
pub(super) fn transfer(row: &[u8]) -> Transfer {
    fn bytes<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
        row[at..at + N].try_into().expect("a slice of its length")
    }
    let wide = |at| u128::from_le_bytes(bytes(row, at));
    Transfer {
        id: wide(0),
        debit_account_id: wide(16),
        credit_account_id: wide(32),
        amount: wide(48),
        pending_id: wide(64),
        user_data_128: wide(80),
        user_data_64: u64::from_le_bytes(bytes(row, 96)),
        user_data_32: u32::from_le_bytes(bytes(row, 104)),
        timeout: u32::from_le_bytes(bytes(row, 108)),
        ledger: u32::from_le_bytes(bytes(row, 112)),
        code: u16::from_le_bytes(bytes(row, 116)),
        flags: u16::from_le_bytes(bytes(row, 118)),
        timestamp: u64::from_le_bytes(bytes(row, 120)),
    }
}

/// A key of an index: the value, most significant byte first, then the timestamp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IndexKey {
    bytes: [u8; 24],
    length: u8,
}

impl IndexKey {
    pub(super) fn new(value: &[u8], timestamp: u64) -> IndexKey {
        let mut bytes = [0; 24];
        let length = value.len() + 8;
        bytes[..value.len()].copy_from_slice(value);
        bytes[value.len()..length].copy_from_slice(&timestamp.to_be_bytes());
        IndexKey { bytes, length: length as u8 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The timestamp at the end of an index key.
pub(super) fn timestamp(key: &[u8]) -> u64 {
    let (_, timestamp) = key.split_last_chunk::<8>().expect("a key ends with a timestamp");
    u64::from_be_bytes(*timestamp)
}

/// The index keys of a transfer: absent values have none.
pub(super) fn index_keys(transfer: &Transfer, mut each: impl FnMut(Space, IndexKey)) {
    let at = transfer.timestamp;
    let mut wide = |space, value: u128| each(space, IndexKey::new(&value.to_be_bytes(), at));
    wide(Space::DebitAccount, transfer.debit_account_id);
    wide(Space::CreditAccount, transfer.credit_account_id);
    wide(Space::Amount, transfer.amount);
    for (space, value) in
        [(Space::PendingId, transfer.pending_id), (Space::UserData128, transfer.user_data_128)]
    {
        if value != 0 {
            wide(space, value);
        }
    }
    each(Space::UserData64, IndexKey::new(&transfer.user_data_64.to_be_bytes(), at));
    each(Space::Ledger, IndexKey::new(&transfer.ledger.to_be_bytes(), at));
    each(Space::Code, IndexKey::new(&transfer.code.to_be_bytes(), at));
    if transfer.user_data_32 != 0 {
        each(Space::UserData32, IndexKey::new(&transfer.user_data_32.to_be_bytes(), at));
    }
}
