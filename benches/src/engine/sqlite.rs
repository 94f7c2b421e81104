//! SQLite: a table with the timestamp as its rowid, and an index per indexed column.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::{Connection, Row, params};

use super::{CACHE_SIZE, Change, Engine, Reader};
use crate::Result;
use crate::workload::Transfer;

/// One connection that writes, and one for each reader at a time.
struct Sqlite {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    path: PathBuf,
}

// Sixteen-byte values are blobs, most significant byte first. An index of a table with a rowid
// ends with the rowid, here the timestamp.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS transfers (
        timestamp INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        debit_account_id BLOB NOT NULL,
        credit_account_id BLOB NOT NULL,
        amount BLOB NOT NULL,
        pending_id BLOB,
        user_data_128 BLOB,
        user_data_64 INTEGER NOT NULL,
        user_data_32 INTEGER NOT NULL,
        timeout INTEGER NOT NULL,
        ledger INTEGER NOT NULL,
        code INTEGER NOT NULL,
        flags INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS by_id ON transfers (id);
    CREATE INDEX IF NOT EXISTS by_debit ON transfers (debit_account_id);
    CREATE INDEX IF NOT EXISTS by_credit ON transfers (credit_account_id);
    CREATE INDEX IF NOT EXISTS by_amount ON transfers (amount);
    CREATE INDEX IF NOT EXISTS by_pending ON transfers (pending_id) WHERE pending_id NOT NULL;
    CREATE INDEX IF NOT EXISTS by_128 ON transfers (user_data_128) WHERE user_data_128 NOT NULL;
    CREATE INDEX IF NOT EXISTS by_64 ON transfers (user_data_64);
    CREATE INDEX IF NOT EXISTS by_32 ON transfers (user_data_32) WHERE user_data_32 <> 0;
    CREATE INDEX IF NOT EXISTS by_ledger ON transfers (ledger);
    CREATE INDEX IF NOT EXISTS by_code ON transfers (code);
";

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let path = directory.join("ledger.sqlite");
    let connection = connect(&path)?;
    connection.execute_batch(SCHEMA)?;
    Ok(Sqlite { writer: Mutex::new(connection), readers: Mutex::new(Vec::new()), path })
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    connection.pragma_update(None, "cache_size", -((CACHE_SIZE >> 10) as i64))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

const INSERT: &str = "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const UPDATE: &str = "UPDATE transfers SET code = ?, user_data_64 = ? WHERE id = ?";
const GET: &str = "SELECT * FROM transfers WHERE id = ?";
const LATEST: &str =
    "SELECT * FROM transfers WHERE debit_account_id = ? ORDER BY timestamp DESC LIMIT ?";
const BOTH: &str =
    "SELECT * FROM transfers WHERE debit_account_id = ? AND code = ? ORDER BY timestamp DESC";

fn wide(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

fn absent_if_zero(value: u128) -> Option<[u8; 16]> {
    (value != 0).then(|| wide(value))
}

fn transfer(row: &Row<'_>) -> rusqlite::Result<Transfer> {
    let wide = |at| row.get(at).map(u128::from_be_bytes);
    let optional =
        |at| row.get(at).map(|value: Option<[u8; 16]>| value.map_or(0, u128::from_be_bytes));
    Ok(Transfer {
        timestamp: row.get::<_, i64>(0)? as u64,
        id: wide(1)?,
        debit_account_id: wide(2)?,
        credit_account_id: wide(3)?,
        amount: wide(4)?,
        pending_id: optional(5)?,
        user_data_128: optional(6)?,
        user_data_64: row.get::<_, i64>(7)? as u64,
        user_data_32: row.get(8)?,
        timeout: row.get(9)?,
        ledger: row.get(10)?,
        code: row.get(11)?,
        flags: row.get(12)?,
    })
}

impl Engine for Sqlite {
    fn insert(&self, batch: &[Transfer]) -> Result<()> {
        let mut connection = self.writer.lock().map_err(|_| "a writer panicked")?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for it in batch {
                insert.execute(params![
                    it.timestamp as i64,
                    wide(it.id),
                    wide(it.debit_account_id),
                    wide(it.credit_account_id),
                    wide(it.amount),
                    absent_if_zero(it.pending_id),
                    absent_if_zero(it.user_data_128),
                    it.user_data_64 as i64,
                    it.user_data_32,
                    it.timeout,
                    it.ledger,
                    it.code,
                    it.flags,
                ])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn update(&self, batch: &[Change]) -> Result<()> {
        let mut connection = self.writer.lock().map_err(|_| "a writer panicked")?;
        let transaction = connection.transaction()?;
        {
            let mut update = transaction.prepare_cached(UPDATE)?;
            for it in batch {
                let updated =
                    update.execute(params![it.code, it.user_data_64 as i64, wide(it.id)])?;
                if updated != 1 {
                    return Err("a record is lost".into());
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        let idle = self.readers.lock().map_err(|_| "a reader panicked")?.pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        work(&ReadTransaction(connection.transaction()?))?;
        self.readers.lock().map_err(|_| "a reader panicked")?.push(connection);
        Ok(())
    }
}

struct ReadTransaction<'a>(rusqlite::Transaction<'a>);

impl Reader for ReadTransaction<'_> {
    fn get(&self, id: u128) -> Result<Option<Transfer>> {
        let mut get = self.0.prepare_cached(GET)?;
        let mut rows = get.query_map([wide(id)], transfer)?;
        Ok(rows.next().transpose()?)
    }

    fn latest(&self, account: u128, limit: usize, out: &mut Vec<Transfer>) -> Result<()> {
        let mut latest = self.0.prepare_cached(LATEST)?;
        for row in latest.query_map(params![wide(account), limit as i64], transfer)? {
            out.push(row?);
        }
        Ok(())
    }

    fn account_and_code(&self, account: u128, code: u16, out: &mut Vec<Transfer>) -> Result<()> {
        let mut both = self.0.prepare_cached(BOTH)?;
        for row in both.query_map(params![wide(account), code], transfer)? {
            out.push(row?);
        }
        Ok(())
    }
}
