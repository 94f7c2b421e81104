//! Paths and files that cannot be opened: each refusal leaves the directory as it was, byte for byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use groove::{Forest, OpenError, Predicate, Snapshot};

use crate::orders::{Model, Order, assert_holds, insert, order, small};
use crate::{assert_says, message};

const SECTOR: usize = 4096;

type Listing = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// All names below a directory, and what the files hold.
fn listing(directory: &Path) -> Listing {
    let mut listing = Listing::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            listing.extend(self::listing(&path));
            listing.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            listing.insert(path, Some(bytes));
        }
    }
    listing
}

/// Opens `name` in `directory`, to write and to look at: both are refused, and nothing is changed.
#[track_caller]
pub(crate) fn refused(directory: &Path, name: &str) -> (OpenError, OpenError) {
    let path = directory.join(name);
    let before = listing(directory);
    let error = Forest::<Order>::open(&path, small()).expect_err("the file is refused");
    assert!(listing(directory) == before, "a refused open changes nothing");
    let read_only = Forest::<Order>::open_read_only(&path, small()).expect_err("it is refused");
    assert!(listing(directory) == before, "a refused open changes nothing");
    for error in [&error, &read_only] {
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error} names no path");
    }
    (error, read_only)
}

/// A closed file of twenty orders.
pub(crate) fn file(path: &Path) -> Model {
    let forest = Forest::<Order>::open(path, small()).unwrap();
    let mut model = Model::new();
    insert(&forest, 0..10, &mut model);
    forest.checkpoint().unwrap();
    insert(&forest, 10..20, &mut model);
    forest.close().unwrap();
    model
}

macro_rules! assert_both {
    ($refused:expr, $pattern:pat $(if $guard:expr)?) => {{
        let (error, read_only) = $refused;
        assert!(matches!(error, $pattern $(if $guard)?), "{}", message(&error));
        assert!(matches!(read_only, $pattern $(if $guard)?), "{}", message(&read_only));
        error
    }};
}

#[test]
fn a_path_in_a_directory_that_does_not_exist_is_refused_and_the_directory_is_not_created() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["no/orders.groove", "no/such/orders.groove"] {
        let error = assert_both!(refused(directory.path(), name), OpenError::NoDirectory { .. });
        assert_says(&error, &["directory of", name, "does not exist", "create it"]);
    }
    std::fs::write(directory.path().join("file"), "text").unwrap();
    let name = "file/orders.groove";
    let error = assert_both!(refused(directory.path(), name), OpenError::NoDirectory { .. });
    assert_says(&error, &[name, "create it"]);
}

#[test]
fn a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("orders.groove")).unwrap();
    let error =
        assert_both!(refused(directory.path(), "orders.groove"), OpenError::IsDirectory { .. });
    assert_says(&error, &["orders.groove", "is a directory", "name a file in it"]);
}

#[test]
fn a_file_that_is_to_be_looked_at_and_is_not_there_is_refused_and_not_created() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let error = Forest::<Order>::open_read_only(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::NotFound { .. }));
    assert_says(&error, &["no file", "orders.groove", "check the name", "`open`"]);
    assert!(listing(directory.path()).is_empty());
}

#[test]
fn an_empty_file_is_refused_and_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("orders.groove"), "").unwrap();
    let error = assert_both!(refused(directory.path(), "orders.groove"), OpenError::Empty { .. });
    assert_says(&error, &["orders.groove", "empty file", "remove it"]);
    // The way out works.
    std::fs::remove_file(directory.path().join("orders.groove")).unwrap();
    file(&directory.path().join("orders.groove"));
}

#[test]
fn a_file_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut state = 1_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    let mut sqlite = b"SQLite format 3\0".to_vec();
    sqlite.resize(8 * SECTOR, 0);
    let groove = directory.path().join("orders.groove");
    file(&groove);
    // As a transfer of text does to it.
    let bytes = std::fs::read(&groove).unwrap();
    let mut ends = bytes.clone();
    ends.retain(|byte| *byte != b'\r');
    let stripped: Vec<u8> = bytes.iter().map(|byte| byte & 0x7f).collect();
    let cases: [(&str, Vec<u8>); 9] = [
        ("one byte", b"x".to_vec()),
        ("short text", b"hello\n".to_vec()),
        ("text", b"id,ticket,customer\n".repeat(5000)),
        ("random bytes", random.take(100_000).collect()),
        ("zeros", vec![0; 100_000]),
        ("a database", sqlite.clone()),
        ("the start of a database", sqlite[..100].to_vec()),
        ("line ends changed", ends),
        ("eighth bits dropped", stripped),
    ];
    for (name, bytes) in cases {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        let error = assert_both!(refused(directory.path(), name), OpenError::NotGroove { .. });
        assert_says(&error, &[name, "not a groove file", "name another file"]);
    }
}

#[test]
fn a_truncated_file_names_both_lengths() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    file(&path);
    let bytes = std::fs::read(&path).unwrap();
    let ring = 6 * SECTOR + (64 << 10);
    for length in [1, 15, 16, 100, SECTOR, 4 * SECTOR - 1, 4 * SECTOR, 6 * SECTOR, ring, ring + 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = assert_both!(
            refused(directory.path(), "orders.groove"),
            OpenError::Truncated { length: found, needed, .. }
                if found == length as u64 && needed > found && needed <= bytes.len() as u64
        );
        assert_says(&error, &["orders.groove", "truncated", &length.to_string(), "from a copy"]);
    }
}

/// Changes a field of some copies of the superblock, and makes their checksums agree again.
fn patch(path: &Path, copies: impl IntoIterator<Item = usize>, at: usize, value: [u8; 4]) {
    let mut bytes = std::fs::read(path).unwrap();
    for copy in copies {
        let sector = &mut bytes[copy * SECTOR..(copy + 1) * SECTOR];
        sector[at..at + 4].copy_from_slice(&value);
        let mut bare = sector.to_vec();
        bare[16..32].fill(0); // the checksum itself
        bare[64..68].fill(0); // the number of the copy
        let seed = u64::from_le_bytes(*b"grv-sblk");
        let checksum = twox_hash::XxHash3_128::oneshot_with_seed(seed, &bare);
        sector[16..32].copy_from_slice(&checksum.to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

const FORMAT: usize = 68;
const BYTE_ORDER: usize = 72;

#[test]
fn a_file_of_a_newer_format_names_both_formats() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let model = file(&path);
    // The same value: the patch itself does no harm.
    patch(&path, 0..4, FORMAT, 1_u32.to_le_bytes());
    assert_holds(&Forest::<Order>::open(&path, small()).unwrap().snapshot(), &model);
    patch(&path, 0..4, FORMAT, 2_u32.to_le_bytes());
    let error = assert_both!(
        refused(directory.path(), "orders.groove"),
        OpenError::Format { found: 2, oldest: 1, newest: 1, .. }
    );
    assert_says(&error, &["orders.groove", "format 2", "1 to 1", "use a later release"]);
    // A single copy that says so is a damaged one.
    patch(&path, [0, 1, 3], FORMAT, 1_u32.to_le_bytes());
    assert_holds(&Forest::<Order>::open(&path, small()).unwrap().snapshot(), &model);
}

#[test]
fn a_file_of_another_byte_order_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    file(&path);
    patch(&path, 0..4, BYTE_ORDER, 0x0102_0304_u32.to_be_bytes());
    let error =
        assert_both!(refused(directory.path(), "orders.groove"), OpenError::Endianness { .. });
    assert_says(&error, &["orders.groove", "another byte order", "open it on such a machine"]);
}

#[test]
fn a_damaged_file_is_named_with_the_block() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    file(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[6 * SECTOR + (64 << 10) + 100] ^= 1; // the schema
    std::fs::write(&path, bytes).unwrap();
    let error = assert_both!(refused(directory.path(), "orders.groove"), OpenError::Corrupt { .. });
    assert_says(&error, &["orders.groove", "damaged", "restore it from a copy"]);
    assert!(message(&error).contains("schema block at byte 90112 is damaged: checksum"));
}

#[test]
fn a_file_that_this_process_has_open_is_refused_until_the_last_handle_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let mut model = file(&path);
    let first = Forest::<Order>::open(&path, small()).unwrap();
    let second = first.clone();
    for handle in [first, second] {
        let before = listing(directory.path());
        let error = Forest::<Order>::open(&path, small()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }));
        assert_says(&error, &["orders.groove", "in use", "close it"]);
        assert!(listing(directory.path()) == before);
        insert(&handle, model.len() as u64..model.len() as u64 + 1, &mut model);
    }
    // Looking needs no lock.
    let looking: Snapshot<Order> = Forest::<Order>::open_read_only(&path, small()).unwrap();
    assert_holds(&Forest::<Order>::open(&path, small()).unwrap().snapshot(), &model);
    assert_eq!(looking.query(Predicate::all()).count().unwrap(), 10);
}

/// Names a file to the child processes of these tests.
const CHILD_FILE: &str = "GROOVE_TEST_FILE";

#[test]
#[ignore = "a child process of the test below"]
fn child_that_holds_a_file_open_until_its_input_ends() {
    let Some(path) = std::env::var_os(CHILD_FILE) else { return };
    let _forest = Forest::<Order>::open(path, small()).unwrap();
    println!("\nopen");
    std::io::stdin().lock().lines().for_each(drop);
}

#[test]
fn a_file_that_another_process_has_open_is_refused_until_that_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let model = file(&path);
    for is_killed in [false, true] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("files::child_that_holds_a_file_open_until_its_input_ends")
            .env(CHILD_FILE, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.by_ref().map(Result::unwrap).any(|line| line == "open"),
            "the child opens the file"
        );
        let before = listing(directory.path());
        let error = Forest::<Order>::open(&path, small()).unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }));
        assert_says(&error, &["orders.groove", "in use", "process", "close it"]);
        assert!(listing(directory.path()) == before);
        if is_killed {
            child.kill().unwrap();
        }
        drop(child.stdin.take());
        lines.for_each(drop);
        child.wait().unwrap();
        assert_holds(&Forest::<Order>::open(&path, small()).unwrap().snapshot(), &model);
    }
}

#[test]
fn a_file_that_is_being_created_by_somebody_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let temporary = directory.path().join("orders.groove.creating");
    let held = groove::storage::FileStorage::create_new(&temporary).unwrap();
    let error = Forest::<Order>::open(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    drop(held);
    // Left behind by a crash: no obstacle.
    let forest = Forest::<Order>::open(&path, small()).unwrap();
    forest.write(|orders| Ok(orders.insert(order(1))?)).unwrap();
    assert!(!temporary.exists());
}
