//! Files that hold other structs: the difference is listed, and nothing is changed.

use groove::storage::MemoryStorage;
use groove::{Forest, Groove, Grooves, OpenError};
use std::sync::Arc;

use crate::assert_says;
use crate::orders::small;

macro_rules! sale {
    ($module:ident, $($attribute:meta)?, { $($fields:tt)* } $(, $function:item)?) => {
        mod $module {
            #[derive(groove::Groove, Clone, Debug)]
            $(#[$attribute])?
            pub(super) struct Sale { $($fields)* }
            $($function)?
        }
    };
}

sale!(stored, groove(derived(value: u64 = value)), {
    #[index(primary)]
    pub(super) id: u64,
    #[index]
    pub(super) customer: u16,
    #[groove(ignore)]
    pub(super) amount: u32,
    pub(super) timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });
sale!(field_added, groove(derived(value: u64 = value)), {
    #[index(primary)]
    id: u64,
    #[index]
    customer: u16,
    #[groove(ignore)]
    discount: u8,
    #[groove(ignore)]
    amount: u32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });
sale!(index_removed, groove(derived(value: u64 = value)), {
    #[index(primary)]
    id: u64,
    #[groove(ignore)]
    customer: u16,
    #[groove(ignore)]
    amount: u32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });
sale!(type_changed, groove(derived(value: u64 = value)), {
    #[index(primary)]
    id: u64,
    #[index]
    customer: u16,
    #[groove(ignore)]
    amount: i32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(sale.amount as u64) });
sale!(renamed, groove(name = "Purchase", derived(value: u64 = value)), {
    #[index(primary)]
    id: u64,
    #[index]
    customer: u16,
    #[groove(ignore)]
    amount: u32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });
sale!(version_raised, groove(derived(value: u64 = value, version = 2)), {
    #[index(primary)]
    id: u64,
    #[index]
    customer: u16,
    #[groove(ignore)]
    amount: u32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });
sale!(ids_orphaned, groove(orphaned_ids, derived(value: u64 = value)), {
    #[index(primary)]
    id: u64,
    #[index]
    customer: u16,
    #[groove(ignore)]
    amount: u32,
    timestamp: u64,
}, fn value(sale: &Sale) -> Option<u64> { Some(u64::from(sale.amount)) });

#[derive(groove::Forest)]
struct Shop {
    sales: Groove<stored::Sale>,
    returns: Groove<field_added::Sale>,
}

/// Opens the file as `S`: it is refused with this difference.
#[track_caller]
fn refused<S: Grooves>(lines: &[&str]) {
    assert_eq!(difference::<S>(), lines);
}

/// Opens the file as `S`: it is refused, and the file is unchanged; gives the difference.
fn difference<S: Grooves>() -> Vec<String> {
    let mut lines = Vec::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sales.groove");
    let forest = Forest::<stored::Sale>::open(&path, small()).unwrap();
    let sale = stored::Sale { id: 1, customer: 2, amount: 3, timestamp: 0 };
    forest.write(|sales| Ok(sales.insert(sale)?)).unwrap();
    forest.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    for read_only in [false, true] {
        let error = match read_only {
            false => Forest::<S>::open(&path, small()).err().unwrap(),
            true => Forest::<S>::open_read_only(&path, small()).err().unwrap(),
        };
        assert!(std::fs::read(&path).unwrap() == before);
        assert_says(&error, &["sales.groove", "another schema", "the program that wrote it", "\n"]);
        let OpenError::Schema { difference, .. } = error else { panic!("{error}") };
        lines = difference.lines().map(str::to_owned).collect();
    }
    let storage = MemoryStorage::from_bytes(before.clone());
    let error = Forest::<S>::open_storage(Arc::new(storage.clone()), small()).err().unwrap();
    assert!(matches!(error, OpenError::Schema { .. }));
    assert!(storage.snapshot_bytes() == before);
    assert_eq!(Forest::<stored::Sale>::open(&path, small()).unwrap().snapshot().len(), 1);
    lines
}

#[test]
fn an_added_field_is_listed() {
    refused::<field_added::Sale>(&[
        "- groove Sale: Sale, timestamp timestamp, row of 14 bytes",
        "+ groove Sale: Sale, timestamp timestamp, row of 15 bytes",
        "+ field discount: u8, 1 byte at 10",
    ]);
}

#[test]
fn a_removed_index_is_listed() {
    refused::<index_removed::Sale>(&[
        "in groove Sale:",
        "- index customer: non-unique on customer, key of 2 bytes",
    ]);
}

#[test]
fn a_changed_type_is_listed() {
    refused::<type_changed::Sale>(&[
        "in groove Sale:",
        "- field amount: u32, 4 bytes at 10",
        "+ field amount: i32, 4 bytes at 10",
    ]);
}

#[test]
fn a_renamed_groove_is_listed() {
    let lines = difference::<renamed::Sale>();
    let head = ": Sale, timestamp timestamp, row of 14 bytes";
    assert!(lines.contains(&format!("- groove Sale{head}")));
    assert!(
        lines.contains(&"+ groove Purchase: Purchase, timestamp timestamp, row of 14 bytes".into())
    );
}

#[test]
fn a_new_version_of_a_derived_index_is_listed() {
    refused::<version_raised::Sale>(&[
        "in groove Sale:",
        "- index value: non-unique optional on derived u64, version 1, key of 8 bytes",
        "+ index value: non-unique optional on derived u64, version 2, key of 8 bytes",
    ]);
}

#[test]
fn orphaned_ids_are_listed() {
    refused::<ids_orphaned::Sale>(&[
        "- groove Sale: Sale, timestamp timestamp, row of 14 bytes",
        "+ groove Sale: Sale, timestamp timestamp, orphaned ids, row of 14 bytes",
    ]);
}

#[test]
fn another_groove_is_listed() {
    let lines = difference::<Shop>();
    for (sign, groove, bytes) in [("-", "Sale", 14), ("+", "sales", 14), ("+", "returns", 15)] {
        let line =
            format!("{sign} groove {groove}: Sale, timestamp timestamp, row of {bytes} bytes");
        assert!(lines.contains(&line), "{line}");
    }
}
