//! The records of the workload: record `i` is a function of `i` alone.

use std::str::FromStr;

use groove::Groove;

/// A transfer of money between two accounts.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transfer {
    #[index(primary)]
    pub(crate) id: u128,
    #[index]
    pub(crate) debit_account_id: u128,
    #[index]
    pub(crate) credit_account_id: u128,
    #[index]
    pub(crate) amount: u128,
    #[index(optional)]
    pub(crate) pending_id: u128,
    #[index(optional)]
    pub(crate) user_data_128: u128,
    #[index]
    pub(crate) user_data_64: u64,
    #[index(optional)]
    pub(crate) user_data_32: u32,
    #[groove(ignore)]
    pub(crate) timeout: u32,
    #[index]
    pub(crate) ledger: u32,
    #[index]
    pub(crate) code: u16,
    #[groove(ignore)]
    pub(crate) flags: u16,
    pub(crate) timestamp: u64,
}

/// How ids follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Ascending, as ULIDs are.
    Ordered,
    /// At random, as UUIDs of version 4 are.
    Random,
}

impl FromStr for Ids {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "ordered" => Ok(Ids::Ordered),
            "random" => Ok(Ids::Random),
            _ => Err(format!("--ids is ordered or random, not {word}")),
        }
    }
}

/// SplitMix64's step.
pub(crate) fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn r(i: u64, k: u64) -> u64 {
    mix(i.wrapping_mul(16).wrapping_add(k))
}

/// The id of record `i`.
pub(crate) fn id(i: u64, ids: Ids) -> u128 {
    let low = u128::from(r(i, 0));
    match ids {
        Ids::Ordered => u128::from(i + 1) << 64 | low,
        Ids::Random => u128::from(r(i, 1)) << 64 | low | 1,
    }
}

/// Record `i`.
pub(crate) fn record(i: u64, ids: Ids) -> Transfer {
    let debit = r(i, 2) % 10_000;
    Transfer {
        id: id(i, ids),
        debit_account_id: u128::from(1 + debit),
        credit_account_id: u128::from(1 + (debit + 1 + r(i, 3) % 9_999) % 10_000),
        amount: u128::from(1 + r(i, 4) % 10_000),
        pending_id: 0,
        user_data_128: 0,
        user_data_64: 1 + r(i, 5) % 1_000_000,
        user_data_32: 0,
        timeout: 0,
        ledger: 1 + (r(i, 6) % 3) as u32,
        code: 1 + (r(i, 7) % 100) as u16,
        flags: 0,
        timestamp: i + 1,
    }
}
