//! Files and directories that may be read and not written. Permissions do not bind the superuser:
//! then the tests run in a child process of nobody.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use groove::{Forest, OpenError};

use crate::assert_says;
use crate::files::file;
use crate::orders::{Order, assert_holds, small};

/// Says to a child that its user is no superuser.
const CHILD: &str = "GROOVE_TEST_NOBODY";
const NOBODY: u32 = 65534;

/// Runs the test `name` again as nobody if permissions do not bind this process; whether the caller
/// is done with that.
fn is_done_by_nobody(name: &str) -> bool {
    let owner = tempfile::tempfile().unwrap().metadata().unwrap().uid();
    if owner != 0 {
        return false;
    }
    assert!(std::env::var_os(CHILD).is_none(), "a child of nobody is nobody's");
    // A copy, as nobody may not reach the original.
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o755);
    let copy = directory.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    set_mode(&copy, 0o755);
    let output = Command::new(&copy)
        .args(["--exact", "--nocapture", &format!("permissions::{name}")])
        .env(CHILD, "1")
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            println!("{text}{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success() && text.contains("1 passed"));
        }
        Err(error) => println!("skipped: permissions do not bind root, and no child: {error}"),
    }
    true
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn names(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_read_only_file_is_refused_and_can_be_looked_at() {
    if is_done_by_nobody("a_read_only_file_is_refused_and_can_be_looked_at") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    let model = file(&path);
    let forest = Forest::<Order>::open(&path, small()).unwrap();
    forest.checkpoint().unwrap(); // what comes after it is not looked at
    drop(forest);
    set_mode(&path, 0o444);
    let before = std::fs::read(&path).unwrap();
    let error = Forest::<Order>::open(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    assert_says(&error, &["orders.groove", "cannot be written", "permissions", "`open_read_only`"]);
    let orders = Forest::<Order>::open_read_only(&path, small()).unwrap();
    assert_holds(&orders, &model);
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(names(directory.path()), std::slice::from_ref(&path));

    // The way out works.
    set_mode(&path, 0o644);
    assert_holds(&Forest::<Order>::open(&path, small()).unwrap().snapshot(), &model);
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    if is_done_by_nobody("a_file_that_may_not_be_read_is_refused") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.groove");
    file(&path);
    set_mode(&path, 0o000);
    let error = Forest::<Order>::open(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    let error = Forest::<Order>::open_read_only(&path, small()).unwrap_err();
    let OpenError::Io { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    assert_says(&error, &["cannot open", "orders.groove"]);
}

#[test]
fn a_forest_is_not_created_in_a_read_only_directory() {
    if is_done_by_nobody("a_forest_is_not_created_in_a_read_only_directory") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o555);
    let path = directory.path().join("orders.groove");
    let error = Forest::<Order>::open(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    assert_says(&error, &["orders.groove", "cannot be written", "permissions"]);
    assert!(names(directory.path()).is_empty());
    set_mode(directory.path(), 0o755);
}

#[test]
fn a_file_of_a_read_only_file_system_is_refused() {
    // The system's own files are on one: a file of sysfs that its owner may not write either.
    let path = Path::new("/sys/kernel/notes");
    if !path.exists() {
        return println!("skipped: there is no {}", path.display());
    }
    let error = Forest::<Order>::open(path, small()).unwrap_err();
    println!("{}", crate::message(&error));
    assert!(matches!(
        error,
        OpenError::ReadOnly { .. } | OpenError::Io { .. } | OpenError::NotGroove { .. }
    ));
}
