//! G17: what cannot be opened is refused with an error of its own, whether it is opened to write, to be
//! read or to be verified, and stays as it was, byte for byte.
//!
//! `tests/bad_input` reads the messages, and has the files of a second process.

use std::path::Path;

use groove::{Forest, Groove, Grooves, OpenError, Options};
use groove_core::proof::anatomy::{pieces, reseal};
use libtest_mimic::Trial;

use crate::g4::clean;
use crate::run::{Goal, trial};
use crate::shop::{Shop, options};
use crate::tally::{self, Count};

const SECTOR: usize = 4096;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g17_files_cut_off", cut_off),
        trial("g17_files_that_are_none", no_files),
        trial("g17_other_schemas", |_| other_schemas()),
    ]
}

/// Tries to open `path` in all three ways: each is refused for this reason, and what is there stays.
fn refused<S: Grooves>(path: &Path, what: &str, is_reason: fn(&OpenError) -> bool) {
    let state = || {
        let metadata = std::fs::metadata(path).ok();
        let names = std::fs::read_dir(path.parent().expect("in a directory")).map(Iterator::count);
        let modified = metadata.as_ref().map(|metadata| metadata.modified().expect("known"));
        (std::fs::read(path).ok(), modified, names.ok())
    };
    let before = state();
    let errors = [
        Forest::<S>::open(path, options()).err(),
        Forest::<S>::open_read_only(path, options()).err(),
        Forest::<S>::verify(path, options()).err(),
    ];
    for error in errors {
        let error = error.unwrap_or_else(|| panic!("{what} is not refused"));
        assert!(is_reason(&error), "{what}: {error}");
    }
    assert!(state() == before, "{what}: a refused open changes something");
}

/// At every end of a sector and of a block, a byte before and a byte behind.
fn cut_off(goal: &Goal) {
    let file = clean().file;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.groove");
    let ends = pieces::<Shop>(&file).into_iter().map(|piece| piece.ranges[0].end);
    let mut lengths: Vec<usize> = ends.chain((0..file.len()).step_by(SECTOR)).collect();
    lengths = lengths.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1]).collect();
    lengths.retain(|length| (1..file.len()).contains(length));
    lengths.sort_unstable();
    lengths.dedup();
    let step = (lengths.len() as u64 / goal.scaled(lengths.len() as u64)).max(1);
    goal.seeds(lengths.len() as u64, |seed| {
        let length = lengths[(seed * step) as usize % lengths.len()];
        std::fs::write(&path, &file[..length]).expect("written");
        let is_reason = |error: &OpenError| matches!(error, OpenError::Truncated { .. });
        refused::<Shop>(&path, &format!("a file of {length} bytes"), is_reason);
        tally::add(Count::Flips, 1);
    });
}

fn no_files(_: &Goal) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.groove");
    let file = clean().file;
    let with = |at: usize, value: [u8; 4]| {
        let mut file = file.clone();
        for copy in 0..4 {
            file[copy * SECTOR + at..][..4].copy_from_slice(&value);
        }
        reseal::<Shop>(&mut file);
        file
    };
    type Case = (&'static str, Vec<u8>, fn(&OpenError) -> bool);
    let cases: [Case; 6] = [
        ("an empty file", vec![], |it| matches!(it, OpenError::Empty { .. })),
        ("zeros", vec![0; file.len()], |it| matches!(it, OpenError::NotGroove { .. })),
        ("text", vec![b'a'; file.len()], |it| matches!(it, OpenError::NotGroove { .. })),
        ("a newer format", with(68, 2_u32.to_le_bytes()), |it| {
            matches!(it, OpenError::Format { found: 2, oldest: 1, newest: 1, .. })
        }),
        ("another byte order", with(72, 0x0102_0304_u32.to_be_bytes()), |it| {
            matches!(it, OpenError::Endianness { .. })
        }),
        ("another kind of checksum", with(76, 9_u32.to_le_bytes()), |it| {
            matches!(it, OpenError::Corrupt { .. })
        }),
    ];
    for (what, bytes, is_reason) in cases {
        std::fs::write(&path, bytes).expect("written");
        refused::<Shop>(&path, what, is_reason);
        tally::add(Count::Flips, 1);
    }
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a directory");
    refused::<Shop>(&path, "a directory", |it| matches!(it, OpenError::IsDirectory { .. }));
    let beneath = directory.path().join("none/shop.groove");
    refused::<Shop>(&beneath, "no directory", |it| matches!(it, OpenError::NoDirectory { .. }));
    std::fs::remove_dir(&path).expect("removed");

    std::fs::write(&path, &file).expect("written");
    let open = Forest::<Shop>::open(&path, options()).expect("it is sound");
    let before = std::fs::read(&path).expect("read");
    let is_locked = |error: &OpenError| matches!(error, OpenError::Locked { .. });
    let second = Forest::<Shop>::open(&path, options()).expect_err("it is in use");
    let verified = Forest::<Shop>::verify(&path, options()).expect_err("it is in use");
    assert!(is_locked(&second) && is_locked(&verified), "{second}, {verified}");
    assert!(std::fs::read(&path).expect("read") == before);
    drop(open);
}

macro_rules! record {
    ($module:ident: $($fields:tt)*) => {
        mod $module {
            #[derive(groove::Groove, Clone, Copy, Debug)]
            pub(super) struct Record { $($fields)* timestamp: u64 }
        }
    };
}

mod stored {
    #[derive(groove::Groove, Clone, Copy, Debug)]
    pub(super) struct Record {
        #[index(primary)]
        pub(super) a: u64,
        #[index]
        pub(super) b: u16,
        #[groove(ignore)]
        pub(super) c: u32,
        pub(super) timestamp: u64,
    }
}

record!(added_first: #[groove(ignore)] d: u8, #[index(primary)] a: u64, #[index] b: u16, #[groove(ignore)] c: u32,);
record!(added_second: #[index(primary)] a: u64, #[groove(ignore)] d: u8, #[index] b: u16, #[groove(ignore)] c: u32,);
record!(added_third: #[index(primary)] a: u64, #[index] b: u16, #[groove(ignore)] d: u8, #[groove(ignore)] c: u32,);
record!(added_last: #[index(primary)] a: u64, #[index] b: u16, #[groove(ignore)] c: u32, #[groove(ignore)] d: u8,);
record!(removed_a: #[index] b: u16, #[groove(ignore)] c: u32,);
record!(removed_b: #[index(primary)] a: u64, #[groove(ignore)] c: u32,);
record!(removed_c: #[index(primary)] a: u64, #[index] b: u16,);
record!(renamed_a: #[index(primary)] x: u64, #[index] b: u16, #[groove(ignore)] c: u32,);
record!(renamed_b: #[index(primary)] a: u64, #[index] x: u16, #[groove(ignore)] c: u32,);
record!(renamed_c: #[index(primary)] a: u64, #[index] b: u16, #[groove(ignore)] x: u32,);
record!(retyped_a: #[index(primary)] a: i64, #[index] b: u16, #[groove(ignore)] c: u32,);
record!(retyped_b: #[index(primary)] a: u64, #[index] b: [u8; 2], #[groove(ignore)] c: u32,);
record!(retyped_c: #[index(primary)] a: u64, #[index] b: u16, #[groove(ignore)] c: f32,);
record!(reordered_a_b: #[index] b: u16, #[index(primary)] a: u64, #[groove(ignore)] c: u32,);
record!(reordered_b_c: #[index(primary)] a: u64, #[groove(ignore)] c: u32, #[index] b: u16,);
record!(reordered_a_c: #[groove(ignore)] c: u32, #[index] b: u16, #[index(primary)] a: u64,);
record!(not_primary: #[index(unique)] a: u64, #[index] b: u16, #[groove(ignore)] c: u32,);
record!(optional_b: #[index(primary)] a: u64, #[index(optional)] b: u16, #[groove(ignore)] c: u32,);
record!(unique_b: #[index(primary)] a: u64, #[index(unique)] b: u16, #[groove(ignore)] c: u32,);
record!(ignored_b: #[index(primary)] a: u64, #[groove(ignore)] b: u16, #[groove(ignore)] c: u32,);
record!(indexed_c: #[index(primary)] a: u64, #[index] b: u16, #[index] c: u32,);

#[derive(Forest)]
struct Two {
    record: Groove<stored::Record>,
    other: Groove<stored::Record>,
}

/// All schemas.
pub(crate) fn hunt(_: u64) {
    other_schemas();
}

/// Each field added, removed, renamed, retyped, moved, and each index changed.
fn other_schemas() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("records.groove");
    let forest = Forest::<stored::Record>::open(&path, Options::default().wal_size(32 << 10));
    let forest = forest.expect("it is created");
    let record = stored::Record { a: 1, b: 2, c: 3, timestamp: 0 };
    forest.write(|records| Ok(records.insert(record)?)).expect("written");
    forest.close().expect("closed");
    let is_reason = |error: &OpenError| matches!(error, OpenError::Schema { difference, .. } if !difference.is_empty());
    macro_rules! refuse {
        ($($module:ident)*) => {
            $(
                refused::<$module::Record>(&path, stringify!($module), is_reason);
                tally::add(Count::Flips, 1);
            )*
        };
    }
    refuse!(added_first added_second added_third added_last removed_a removed_b removed_c);
    refuse!(renamed_a renamed_b renamed_c retyped_a retyped_b retyped_c);
    refuse!(reordered_a_b reordered_b_c reordered_a_c);
    refuse!(not_primary optional_b unique_b ignored_b indexed_c);
    refused::<Two>(&path, "another groove", is_reason);
    let verified = Forest::<stored::Record>::verify(&path, options()).expect("it is sound");
    assert_eq!(verified.objects, 1);
}
