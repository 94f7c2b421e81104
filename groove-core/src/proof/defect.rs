//! Defects that the proof seeds into the engine, each at the place that its name says
//! (`defect!(Name)`), and the goal that has to find it.
//!
//! A defect is seeded for one thread: with `Options::compaction_threads(0)` the engine runs on the
//! caller's.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident: $goal:literal,)*) => {
        /// A mistake that the engine makes while it is [seeded](Defect::seed).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Defect {
            $($(#[$doc])* $name,)*
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Defect] = &[$(Defect::$name,)*];

            /// The name of its test.
            pub fn test_name(self) -> &'static str {
                match self {
                    $(Defect::$name => concat!("g20_", stringify!($name)),)*
                }
            }

            /// The goal that has to find it.
            pub fn goal(self) -> &'static str {
                match self {
                    $(Defect::$name => $goal,)*
                }
            }
        }
    };
}

defects! {
    // The log.
    /// A commit returns without a sync.
    CommitNotSynced: "G1",
    /// An entry names a wrong entry before it.
    EntryParentWrong: "G1",
    /// An entry lacks the changes of the second groove.
    SectionForgotten: "G1",
    /// The mark of an op is written before the op is synced.
    MarkBeforeSync: "G1",
    /// An entry says that the one before it is on disk, which may not be so.
    SyncedOpAhead: "G1",
    /// An entry is replayed whose body is torn.
    TornBodyReplayed: "G1",
    /// Replay ends where the ring begins anew.
    ReplayEndsAtWrap: "G1",
    /// A group of entries goes on in the sector that the last one ended in, which is on disk.
    GroupContinuesSector: "G1",
    /// A damaged entry in the middle of the log ends it, whatever says that it was on disk.
    DamagedLogCut: "G4",
    /// Replay seals one entry too early.
    ReplaySealsElsewhere: "G8",

    // Superblock and checkpoint.
    /// One copy of each half is written.
    SuperblockHalfWritten: "G1",
    /// All copies are written, then there is a sync.
    SuperblockHalvesTogether: "G1",
    /// The newest copy counts, whether or not there is a second one.
    NewestSuperblockAlone: "G5",
    /// The superblock is written without a sync of what it refers to.
    SuperblockBeforeTables: "G1",
    /// A checkpoint says that it covers the newest op and not that of the seal.
    CheckpointTooNew: "G1",
    /// The checkpoint between two stages says that it covers what is sealed, which is in no table yet.
    LevelsCoverSeal: "G1",
    /// A checkpoint keeps the number of objects of the one before.
    ObjectCountForgotten: "G1",
    /// A checkpoint keeps the highest timestamp of the one before.
    TimestampMaxForgotten: "G2",
    /// Replay does not note timestamps.
    ReplayForgetsTimestamps: "G2",
    /// The log is continued before the superblock has the next epoch.
    EpochNotWritten: "G2",
    /// A file is written before its schema is compared.
    WrittenBeforeChecked: "G17",

    // Manifest log and free set.
    /// A table of each bar is not in the manifest log.
    TableEventLost: "G1",
    /// A table that was merged stays in the manifest log.
    TableRemovalForgotten: "G1",
    /// A table that was moved stays in its level, says the manifest log.
    MovedTableKeepsLevel: "G1",
    /// Tables that were merged are free before the checkpoint that says so.
    FreedBeforeCheckpoint: "G1",
    /// Tables are free while a snapshot holds them.
    FreedWhileHeld: "G6",
    /// The space of tables that a snapshot holds is given back to the device.
    TrimmedWhileHeld: "G1",
    /// The old manifest log is free before the new one is durable.
    ManifestFreedEarly: "G1",
    /// More space than was left over is given back.
    UnusedExtentTooLong: "G6",
    /// What the cache has decides where a table goes.
    ExtentsByCacheState: "G8",

    // Compaction.
    /// Tombstones are dropped above tables that they hide values of.
    TombstoneDroppedEarly: "G6",
    /// Tables that leave the target level do not count as deeper.
    LeavingTablesForgotten: "G6",
    /// Of two values of a key the older one is kept.
    OlderValueWins: "G6",
    /// Both values of a key are kept.
    EqualKeyKeptTwice: "G6",
    /// The last value of an input is lost.
    LastValueLost: "G6",
    /// An input that cannot be read looks as if it had ended.
    ReadErrorEndsMerge: "G9",
    /// A table that could not be written is installed.
    TableWriteErrorIgnored: "G9",

    // Memory tables.
    /// A discarded scope leaves its index entries.
    DiscardSkipsIndexes: "G6",
    /// Of the changes of a key within a scope the first one counts.
    FirstChangeWins: "G6",
    /// Runs are merged as if the older one were the newer.
    RunsMergedInReverse: "G6",
    /// Where a key was first in a memory table stays noted when it has a new value.
    LocatorKeepsOldest: "G6",
    /// A seal loses the newest run.
    SealLosesRun: "G6",

    // Indexes and caches.
    /// An update leaves the old entry of an index.
    UpdateLeavesEntry: "G6",
    /// The unique key of a removed object stays taken.
    RemovedKeyStays: "G6",
    /// A commit leaves the rows that it changed in the object cache.
    StaleRowCached: "G6",
    /// A block that is kept in memory is put beside its place.
    BlockKeptBeside: "G8",
    /// A block's checksum is not compared.
    ChecksumIgnored: "G4",

    // Publication and errors.
    /// Readers see an op before it is synced.
    PublishedBeforeSync: "G9",
    /// A sync that failed counts as one.
    SyncErrorIgnored: "G9",
    /// The handle writes on after a failed write or sync.
    FailureForgotten: "G9",
    /// Entries of which nothing says that they were synced are trusted at open.
    DoubtfulEntriesTrusted: "G9",
    /// Space that the disk does not have counts as reserved.
    NoSpaceIgnored: "G9",
    /// What a sync covers is looked up after it.
    SyncTargetTooLate: "G16",
    /// An op is noted as synced before it is published.
    SyncedBeforePublished: "G16",
    /// An op that was synced ahead is noted as synced before it has a version.
    SyncedBeforeVersion: "G16",
    /// An entry that is added while a sync begins goes to the sector that the sync takes, and is not written.
    EntryAddedToSynced: "G16",
    /// A version has what was added to a tree's tail after its op.
    TailTooNew: "G16",
    /// A version has nothing of the tail.
    TailForgotten: "G6",

    // Look-ups and queries.
    /// A filter denies some keys that are there.
    FilterDeniesKeys: "G6",
    /// A tombstone in a table does not end a look-up.
    TombstoneLookedThrough: "G6",
    /// A tombstone in a table does not end a look-up of many keys.
    BatchLooksThroughTombstone: "G6",
    /// A descending scan skips the last value of a block.
    DescendingScanSkips: "G6",
    /// An intersection skips a timestamp.
    IntersectionSkips: "G6",
    /// A scan skips entries that live together with those that were removed.
    LiveEntriesSkipped: "G6",
    /// A negation within a filter is always met.
    NegationIgnored: "G6",
    /// A page begins with the object that the cursor stands behind.
    CursorRepeats: "G6",
    /// A page in the order of an index begins with the object that the cursor stands behind.
    OrderedCursorRepeats: "G6",
    /// A query gives one object less than its limit.
    LimitTooSmall: "G6",
    /// A count takes removed entries away once and not twice.
    CountIgnoresTombstones: "G6",
}

thread_local! {
    static SEEDED: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// Threads with a defect: while there is none, and so in all tests but those of the defects, a look
/// at this number is all.
static THREADS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn is_seeded(defect: Defect) -> bool {
    THREADS.load(Ordering::Relaxed) > 0 && SEEDED.get() == Some(defect)
}

/// The engine has a defect on this thread until this is dropped.
#[derive(Debug)]
pub struct SeededDefect {
    /// Stays on its thread.
    thread: PhantomData<*const ()>,
}

impl Defect {
    /// Seeds the defect into the engine, on this thread.
    ///
    /// # Panics
    /// If another one is seeded on this thread.
    #[must_use]
    pub fn seed(self) -> SeededDefect {
        assert_eq!(SEEDED.replace(Some(self)), None, "one defect at a time");
        THREADS.fetch_add(1, Ordering::Relaxed);
        SeededDefect { thread: PhantomData }
    }
}

impl Drop for SeededDefect {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
        SEEDED.set(None);
    }
}
