//! Options out of range: each is named, with its value and what is allowed, and no file is created.

use groove::{Forest, OpenError, Options};

use crate::assert_says;
use crate::orders::{Order, assert_holds, small};

/// A file is not created with `options`; gives the name, the value and what is allowed.
fn refused(options: Options) -> (&'static str, u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let error = Forest::<Order>::open(&path, options.clone()).unwrap_err();
    let OpenError::Options { option, value, allowed } = error else { panic!("{error}") };
    assert_says(&error, &[option, &value.to_string(), "must be", allowed]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was created");
    let storage = groove::storage::MemoryStorage::new();
    assert!(crate::orders::open(storage.clone(), options).is_err());
    assert!(storage.snapshot_bytes().is_empty());
    (option, value)
}

#[test]
fn a_block_size_out_of_range_is_refused() {
    for bytes in [0, 1, 2048, 4095, 4097, 12288, 32 << 20, 1 << 31, u32::MAX] {
        let options = Options::default().block_size(bytes);
        assert_eq!(refused(options), ("block_size", u64::from(bytes)));
    }
}

#[test]
fn a_table_size_out_of_range_is_refused() {
    for bytes in [0, 1, 4095] {
        let options = Options::default().block_size(4096).table_size(bytes);
        assert_eq!(refused(options), ("table_size", u64::from(bytes)));
    }
    let bytes = 65_537 * 4096;
    let options = Options::default().block_size(4096).table_size(bytes);
    assert_eq!(refused(options), ("table_size", u64::from(bytes)));
}

#[test]
fn a_log_size_out_of_range_is_refused() {
    for bytes in
        [0, 1, 4096, 28 << 10, (32 << 10) + 1, (16 << 30) + 4096, u64::MAX - 4095, u64::MAX]
    {
        let options = Options::default().wal_size(bytes);
        assert_eq!(refused(options), ("wal_size", bytes));
    }
}

#[test]
fn a_growth_factor_out_of_range_is_refused() {
    for factor in [0, 1, 65, u32::MAX] {
        let options = Options::default().growth_factor(factor);
        assert_eq!(refused(options), ("growth_factor", u64::from(factor)));
    }
}

#[test]
fn the_ends_of_the_ranges_are_in_range() {
    let smallest = small().table_size(4096).wal_size(32 << 10).growth_factor(2).cache_size(0);
    let largest_block = small().block_size(16 << 20).table_size(16 << 20).growth_factor(64);
    for options in [smallest, largest_block, small().cache_size(u64::MAX)] {
        let storage = groove::storage::MemoryStorage::new();
        let forest = crate::orders::open(storage.clone(), options.clone()).unwrap();
        let mut model = Default::default();
        for scope in 0..10 {
            crate::orders::insert(&forest, scope * 50..scope * 50 + 50, &mut model);
        }
        forest.checkpoint().unwrap();
        drop(forest);
        assert_holds(&crate::orders::open(storage, options).unwrap().snapshot(), &model);
    }
}

#[test]
fn what_a_file_was_created_with_counts_whatever_the_options_say_later() {
    let storage = groove::storage::MemoryStorage::new();
    let forest = crate::orders::open(storage.clone(), small()).unwrap();
    let mut model = Default::default();
    crate::orders::insert(&forest, 0..50, &mut model);
    drop(forest);
    let other = small().block_size(1).table_size(0).wal_size(1).growth_factor(0);
    assert_holds(&crate::orders::open(storage, other).unwrap().snapshot(), &model);
}
