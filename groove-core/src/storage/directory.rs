//! Makes names durable: a file that was created or renamed is in its directory only after the
//! directory itself was synced.

use std::fs::File;
use std::io;
use std::path::Path;

/// Syncs the directory that holds `path`, so that its creation or renaming survives a crash.
pub(crate) fn sync_parent_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        // A bare file name lies in the current directory.
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(io::ErrorKind::IsADirectory.into()),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::sync_parent_directory;
    use std::io;
    use std::path::Path;

    #[test]
    fn the_directory_of_a_file_is_synced_whether_or_not_the_file_exists() {
        let directory = tempfile::tempdir().unwrap();
        sync_parent_directory(&directory.path().join("a.groove")).unwrap();
        sync_parent_directory(Path::new("bare-name.groove")).unwrap();
    }

    /// Nothing else shows whether a sync is made. A directory that cannot be synced refuses it.
    #[test]
    fn the_sync_reaches_the_system_and_its_error_the_caller() {
        let error = sync_parent_directory(Path::new("/proc/self/a.groove")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = sync_parent_directory(&directory.path().join("no/a.groove")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(sync_parent_directory(Path::new("/")).is_err());
    }
}
