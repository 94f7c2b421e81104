//! Errors: one enum per family of operations, the cause kept, and what the caller should do.
//!
//! Bad input and bad disks are errors; a broken promise of this crate's own is an assertion.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The kind of a block of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockKind {
    /// One of the copies of the file's root.
    Superblock,
    /// An entry of the write-ahead log.
    WalEntry,
    /// A mark that says how far the write-ahead log is on disk.
    WalMark,
    /// Values of a table.
    Value,
    /// The filter of a table.
    Filter,
    /// The index block of a table.
    Index,
    /// A block of the manifest log.
    Manifest,
    /// The schema of the file.
    Schema,
}

impl fmt::Display for BlockKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            BlockKind::Superblock => "superblock",
            BlockKind::WalEntry => "write-ahead log entry",
            BlockKind::WalMark => "write-ahead log mark",
            BlockKind::Value => "value block",
            BlockKind::Filter => "filter block",
            BlockKind::Index => "index block",
            BlockKind::Manifest => "manifest log block",
            BlockKind::Schema => "schema block",
        })
    }
}

/// What disagreed in a damaged block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The bytes do not have the checksum that the reference to them holds.
    Checksum {
        /// The checksum in the reference.
        expected: u128,
        /// The checksum of the bytes.
        found: u128,
    },
    /// A field of the block has a value that no writer gives it.
    Invalid {
        /// The field.
        what: &'static str,
    },
    /// The file ends before the block does.
    Truncated {
        /// The length of the file, in bytes.
        file_length: u64,
    },
    /// Less than a quorum of copies agree, or copies of one sequence number differ.
    NoQuorum {
        /// Copies whose checksum agrees.
        valid_copies: u8,
    },
    /// An entry that was on disk once is not readable any more.
    LostEntry {
        /// The op of the entry.
        op: u64,
        /// The highest op that is known to have been on disk.
        synced_op: u64,
    },
    /// A number of objects, entries or values that is not the number of those that are there.
    Count {
        /// The number that is noted.
        noted: u64,
        /// How many there are.
        found: u64,
    },
    /// An index lacks an entry.
    EntryMissing {
        /// The timestamp of the object that has this entry.
        timestamp: u64,
    },
    /// An index has an entry that no object has.
    EntryForeign {
        /// The timestamp of the object that the entry leads to.
        timestamp: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Checksum { expected, found } => {
                write!(formatter, "checksum {found:032x} where {expected:032x} was expected")
            }
            Damage::Invalid { what } => write!(formatter, "its {what} is invalid"),
            Damage::Truncated { file_length } => {
                write!(formatter, "the file ends before it, after {file_length} bytes")
            }
            Damage::NoQuorum { valid_copies } => {
                write!(
                    formatter,
                    "{valid_copies} of 4 copies are valid and no two valid copies agree"
                )
            }
            Damage::LostEntry { op, synced_op } => write!(
                formatter,
                "op {op} is unreadable although the log was on disk up to op {synced_op}"
            ),
            Damage::Count { noted, found } => {
                write!(formatter, "it counts {noted} and there are {found}")
            }
            Damage::EntryMissing { timestamp } => {
                write!(formatter, "the entry of the object with timestamp {timestamp} is missing")
            }
            Damage::EntryForeign { timestamp } => write!(
                formatter,
                "it has an entry that the object with timestamp {timestamp} does not have"
            ),
        }
    }
}

/// A block of the file is not what was written. Restore from a copy; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}{} is damaged: {damage}", TreeName(.tree))]
pub struct Corruption {
    /// Where in the file the block begins, in bytes.
    pub offset: u64,
    /// The kind of block.
    pub kind: BlockKind,
    /// The tree that the block belongs to, as `groove.tree`, where that is known.
    pub tree: Option<Arc<str>>,
    /// What disagreed.
    pub damage: Damage,
}

struct TreeName<'a>(&'a Option<Arc<str>>);

impl fmt::Display for TreeName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(tree) => write!(formatter, " of tree `{tree}`"),
            None => Ok(()),
        }
    }
}

/// Why something could not be read from the file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The device failed. The file may be well: copy it, or reopen it on a sound device.
    #[error(
        "cannot read {length} bytes at byte {offset} of the file; check the device, then try again"
    )]
    Io {
        /// Where in the file, in bytes.
        offset: u64,
        /// How many bytes.
        length: usize,
        /// The device's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The bytes are not what was written. Restore from a copy.
    #[error("{0}; restore the file from a copy")]
    Corrupt(Corruption),
}

impl From<Corruption> for ReadError {
    fn from(corruption: Corruption) -> Self {
        ReadError::Corrupt(corruption)
    }
}

/// Why an object could not be inserted. The scope is unchanged by a failed insert.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError {
    /// A unique key is taken. Look the existing object up, or use another key.
    #[error(
        "{groove}: {field} {value} is taken by the object with timestamp {timestamp}; \
         use another, or update that object"
    )]
    Duplicate {
        /// The groove.
        groove: &'static str,
        /// The name of the unique index.
        field: &'static str,
        /// The key.
        value: String,
        /// The timestamp of the object that has it.
        timestamp: u64,
    },
    /// The primary key was orphaned: it can never be used. Use another one.
    #[error("{groove}: {field} {value} is orphaned and can never be used; use another")]
    Orphaned {
        /// The groove.
        groove: &'static str,
        /// The name of the primary index.
        field: &'static str,
        /// The key.
        value: String,
    },
    /// Another object has this timestamp. Insert with timestamp 0 to have one assigned.
    #[error(
        "{groove}: timestamp {timestamp} is taken; insert with timestamp 0 to have one assigned"
    )]
    TimestampTaken {
        /// The groove.
        groove: &'static str,
        /// The timestamp.
        timestamp: u64,
    },
    /// The timestamp is over the highest possible one.
    #[error(
        "{groove}: timestamp {timestamp} is over the highest possible one, {}; use a lower one (0 \
         takes one above all so far)",
        crate::constants::TIMESTAMP_MAX
    )]
    TimestampOutOfRange {
        /// The groove.
        groove: &'static str,
        /// The timestamp.
        timestamp: u64,
    },
    /// No timestamp is left to assign: an object of the forest has the highest possible one. Give a
    /// timestamp that is free, or remove that object and reopen the forest.
    #[error(
        "{groove}: no timestamp is left to assign, because {} is in use; insert with a timestamp of \
         your own",
        crate::constants::TIMESTAMP_MAX
    )]
    TimestampsExhausted {
        /// The groove.
        groove: &'static str,
    },
    /// The check for duplicates could not read the file.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why an object could not be updated. The scope is unchanged by a failed update.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// There is no such object. Insert it instead.
    #[error("{groove}: there is no object with {field} {value}; insert it instead")]
    NotFound {
        /// The groove.
        groove: &'static str,
        /// The name of the primary index.
        field: &'static str,
        /// The key that was looked for.
        value: String,
    },
    /// A unique key never changes. Remove the object and insert a new one.
    #[error(
        "{groove}: {field} is unique and cannot change (from {old} to {new}); remove the object and \
         insert a new one"
    )]
    UniqueChanged {
        /// The groove.
        groove: &'static str,
        /// The name of the unique index.
        field: &'static str,
        /// The key before.
        old: String,
        /// The key after.
        new: String,
    },
    /// A timestamp never changes. Remove the object and insert a new one.
    #[error(
        "{groove}: the timestamp is the object's identity and cannot change (from {old} to {new}); \
         remove the object and insert a new one"
    )]
    TimestampChanged {
        /// The groove.
        groove: &'static str,
        /// The timestamp before.
        old: u64,
        /// The timestamp after.
        new: u64,
    },
    /// The old object that was given is not the one that is stored. Read it again.
    #[error(
        "{groove}: the object with timestamp {timestamp} is not what `old` says any more; read it again"
    )]
    Stale {
        /// The groove.
        groove: &'static str,
        /// The object's timestamp.
        timestamp: u64,
    },
    /// The object could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a query gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The cursor was made by another query or another groove, or in another order. Begin without a
    /// cursor.
    #[error("{groove}: the cursor belongs to another query or order; begin without a cursor")]
    ForeignCursor {
        /// The groove that is queried.
        groove: &'static str,
    },
    /// What the query collects before it can answer does not fit into its budget, and rows cannot be
    /// tested instead. Ask for a smaller range, or raise `Options::query_memory`.
    #[error(
        "{groove}: the query collects more than {budget} bytes, its budget; ask for a smaller range of \
         index `{index}`, or raise `Options::query_memory`"
    )]
    OutOfMemory {
        /// The groove that is queried.
        groove: &'static str,
        /// The index whose entries do not fit.
        index: &'static str,
        /// `Options::query_memory`.
        budget: u64,
    },
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a scope could not be made durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The scope's objects take more bytes than one log entry holds. Cut the scope in parts, or
    /// create the forest with a larger `Options::wal_size`. Nothing was changed.
    #[error(
        "the scope takes {bytes} bytes in the log, the most is {bytes_max}; cut it in parts, or create \
         the forest with a larger `Options::wal_size`"
    )]
    ScopeTooLarge {
        /// Bytes of the scope.
        bytes: u64,
        /// Bytes that fit.
        bytes_max: u64,
    },
    /// The disk is full. Nothing was changed, reads go on; free some space and write again.
    #[error("the disk is full and nothing was changed; free some space and write again")]
    NoSpace {
        /// The device's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// A write or a sync failed: whether this scope is on disk is unknown, and this handle writes
    /// no more. Reads go on. Reopen the forest: it has precisely what is on disk.
    #[error("a write to the file failed; reads go on, for writes close the forest and reopen it")]
    Dead {
        /// The first failure.
        #[source]
        source: Arc<io::Error>,
    },
    /// A panic left the scope, or the whole handle, without a sound state: one of the caller's own
    /// code within a change (then the next scope is sound again), one of the engine's, or the grooves
    /// of the scope were swapped with others. If it comes again, reopen the forest.
    #[error("a panic interrupted a commit; reads go on, for writes close the forest and reopen it")]
    Panicked,
    /// Compaction met a damaged or unreadable block. Reads of other blocks go on.
    #[error("compaction cannot read its input; other reads go on, for writes reopen the forest")]
    Read(#[from] ReadError),
}

/// Why a forest could not be opened. The file is unchanged, unless writing to it failed halfway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory that is to hold the file does not exist. Create it.
    #[error("the directory of {} does not exist; create it first", path.display())]
    NoDirectory {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// The path names a directory. Name a file in it.
    #[error("{} is a directory; name a file in it", path.display())]
    IsDirectory {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// The file is empty. Remove it, and a new forest is created.
    #[error("{} is an empty file; remove it to have a new forest created", path.display())]
    Empty {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// The file was not written by groove. Name another file.
    #[error("{} is not a groove file; name another file", path.display())]
    NotGroove {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// A machine of another byte order wrote the file. Open it on such a machine.
    #[error("{} was written by a machine of another byte order; open it on such a machine", path.display())]
    Endianness {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// There is no file to be looked at. Check the name; `open` creates a new forest.
    #[error("there is no file {}; check the name, or use `open` to create it", path.display())]
    NotFound {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// The file ends too early. Restore it from a copy.
    #[error("{} is truncated: it has {length} bytes and needs {needed}; restore it from a copy", path.display())]
    Truncated {
        /// The path that was to be opened.
        path: PathBuf,
        /// The length of the file, in bytes.
        length: u64,
        /// The least length that would do, in bytes.
        needed: u64,
    },
    /// A later release wrote the file. Open it with that release.
    #[error("{} has format {found}, this release reads formats {oldest} to {newest}; use a later release", path.display())]
    Format {
        /// The path that was to be opened.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The oldest format that this release reads.
        oldest: u32,
        /// The newest format that this release reads.
        newest: u32,
    },
    /// Another process, or another handle of this one, has the file open, or a snapshot, query or iterator of
    /// such a handle is still alive. Close it there, and drop these.
    #[error(
        "{} is in use by another process, or by a handle, snapshot, query or iterator of this one; close it there first",
        path.display()
    )]
    Locked {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// The file, or the directory that is to hold it, cannot be written to. Change the permissions,
    /// or use `open_read_only`.
    #[error("{} cannot be written to; change its permissions, or use `open_read_only`", path.display())]
    ReadOnly {
        /// The path that was to be opened.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The disk is full. Free some space.
    #[error("the disk that is to hold {} is full; free some space and open it again", path.display())]
    NoSpace {
        /// The path that was to be opened.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file holds other structs. Use the program that wrote it, or another file.
    #[error(
        "{} holds another schema; use the program that wrote it, or name another file \
         (`-` as in the file, `+` as in this program):\n{difference}",
        path.display()
    )]
    Schema {
        /// The path that was to be opened.
        path: PathBuf,
        /// What differs, a line each: `-` as stored, `+` as in this program.
        difference: String,
    },
    /// An option is out of range.
    #[error("option `{option}` is {value} and must be {allowed}")]
    Options {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A block of the file is damaged. Restore from a copy.
    #[error("{} is damaged; restore it from a copy", path.display())]
    Corrupt {
        /// The path that was to be opened.
        path: PathBuf,
        /// The damaged block.
        #[source]
        source: Corruption,
    },
    /// The system refused.
    #[error("cannot open {}", path.display())]
    Io {
        /// The path that was to be opened.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The state after recovery could not be written.
    #[error("cannot bring {} up to date", path.display())]
    Commit {
        /// The path that was to be opened.
        path: PathBuf,
        /// Why.
        #[source]
        source: CommitError,
    },
}
