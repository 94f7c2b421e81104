//! What every engine of the comparison does, in the way that its documentation advises.

mod fjall;
mod groove;
mod keys;
mod lmdb;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;
mod store;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::Result;
use crate::workload::Transfer;

/// All caches of an engine together, in bytes.
const CACHE_SIZE: u64 = 1 << 30;

/// A change of two indexed fields of a transfer.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) id: u128,
    pub(crate) code: u16,
    pub(crate) user_data_64: u64,
}

/// An open store of transfers.
pub(crate) trait Engine: Sync {
    /// Inserts a batch as one transaction, durable on return; a duplicate id refuses all of it.
    fn insert(&self, batch: &[Transfer]) -> Result<()>;
    /// Reads, changes and writes a batch as one transaction, durable on return. The changes of one
    /// transfer apply in their order.
    fn update(&self, batch: &[Change]) -> Result<()>;
    /// Gives `work` a consistent view.
    fn read(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()>;
}

/// A consistent view of a store.
pub(crate) trait Reader {
    /// The transfer with this id.
    fn get(&self, id: u128) -> Result<Option<Transfer>>;
    /// The newest `limit` transfers of an account, newest first.
    fn latest(&self, account: u128, limit: usize, out: &mut Vec<Transfer>) -> Result<()>;
    /// All transfers of an account with a code, newest first.
    fn account_and_code(&self, account: u128, code: u16, out: &mut Vec<Transfer>) -> Result<()>;
}

/// The engines that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Groove,
    Fjall,
    Redb,
    Lmdb,
    Sqlite,
    #[cfg(feature = "rocksdb")]
    Rocksdb,
}

impl Name {
    pub(crate) fn all() -> Vec<Name> {
        vec![
            Name::Groove,
            Name::Fjall,
            Name::Redb,
            Name::Lmdb,
            Name::Sqlite,
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb,
        ]
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Name::Groove => "groove",
            Name::Fjall => "fjall",
            Name::Redb => "redb",
            Name::Lmdb => "lmdb",
            Name::Sqlite => "sqlite",
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb => "rocksdb",
        }
    }

    /// The crate through which the engine is used, and its version in this crate's lock file.
    pub(crate) fn version(self) -> String {
        let package = match self {
            Name::Groove => "groove",
            Name::Fjall => "fjall",
            Name::Redb => "redb",
            Name::Lmdb => "heed",
            Name::Sqlite => "rusqlite",
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb => "rocksdb",
        };
        let lock = include_str!("../../Cargo.lock");
        let mut lines = lock.lines();
        lines.find(|line| line.strip_prefix("name = ") == Some(&format!("\"{package}\"")));
        let version = lines.next().and_then(|line| line.strip_prefix("version = "));
        let version = version.map_or("unknown", |version| version.trim_matches('"'));
        if package == self.as_str() { version.into() } else { format!("({package} {version})") }
    }

    /// Opens the store in `directory`, which exists; creates it there if there is none.
    pub(crate) fn open(self, directory: &Path) -> Result<Box<dyn Engine>> {
        Ok(match self {
            Name::Groove => Box::new(groove::open(directory)?),
            Name::Fjall => Box::new(fjall::open(directory)?),
            Name::Redb => Box::new(redb::open(directory)?),
            Name::Lmdb => Box::new(lmdb::open(directory)?),
            Name::Sqlite => Box::new(sqlite::open(directory)?),
            #[cfg(feature = "rocksdb")]
            Name::Rocksdb => Box::new(rocksdb::open(directory)?),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Name, String> {
        let all = Name::all();
        let found = all.iter().find(|name| name.as_str() == word);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|name| name.as_str()).collect();
            format!("there is no engine {word}; the engines are {}", names.join(", "))
        })
    }
}
