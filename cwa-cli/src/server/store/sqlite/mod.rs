//! SQLite: one file, one writer, durable before the answer.

mod keys;
mod results;
mod retention;
mod tokens;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cwa_crypto::UnixTime;
use cwa_verify::store::Storage;
use rusqlite::{Connection, OpenFlags, Params, Row, Transaction, TransactionBehavior};

use super::StoreError;
use super::job::{Job, JobLock};
use super::worker::Worker;

/// The database of a server: a connection that writes, and some that read beside it.
///
/// Clones share one database. It is closed with the last of them, which waits for what is in the queue.
#[derive(Clone, Debug)]
pub(in crate::server) struct SqliteStore(Arc<Connections>);

#[derive(Debug)]
struct Connections {
    writer: Worker,
    readers: Vec<Worker>,
    next_reader: AtomicUsize,
    path: PathBuf,
}

/// How many connections read at the same time.
const READERS: usize = 2;
/// How much of the file a connection keeps in memory.
const CACHE_KIBIBYTES: i32 = 64 << 10;
/// How long the write-ahead log gets before it is moved into the file: a page that was written often is moved once.
const LOG_PAGES: u32 = 16 << 10;
/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// Every migration, in order; the database's `user_version` says how many it has had.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../../migrations/sqlite/0002_index_of_published_keys.sql"),
];

impl SqliteStore {
    /// Opens the database at `path`, makes it where there is none, and brings it up to date.
    ///
    /// The file is readable for its owner only. Blocks.
    pub(in crate::server) fn open(path: &Path) -> Result<Self, OpenError> {
        make_private_file(path)?;
        let mut connection = connect(path)?;
        migrate(&mut connection, path)?;
        let writer = Worker::start("cwa-store-writer", connection)?;
        let readers = (0..READERS)
            .map(|_| {
                let connection = connect(path)?;
                connection.pragma_update(None, "query_only", true).map_err(StoreError::from)?;
                Ok(Worker::start("cwa-store-reader", connection)?)
            })
            .collect::<Result<_, OpenError>>()?;
        Ok(Self(Arc::new(Connections {
            writer,
            readers,
            next_reader: AtomicUsize::new(0),
            path: path.to_owned(),
        })))
    }

    /// One transition that may write; durable when it has answered. An error undoes it.
    async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        transition: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.0.writer.commit(transition).await
    }

    /// One transaction that only reads, beside the writer.
    async fn read<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        query: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let turn = self.0.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let reader = self.0.readers.get(turn).ok_or(StoreError::Closed)?;
        reader.call(move |connection| transaction(connection, TransactionBehavior::Deferred, query)).await
    }

    /// Takes the lock of a job: a file beside the database.
    pub(in crate::server) async fn try_lock(&self, job: Job) -> Result<Option<JobLock>, StoreError> {
        JobLock::beside(&self.0.path, job)
    }

    /// Whether the database answers: a reader reads, and the writer gets to write.
    pub(in crate::server) async fn ping(&self) -> Result<(), StoreError> {
        self.read(|transaction| one(transaction, "SELECT 1", [], |row| row.get::<_, i64>(0))).await?;
        self.write(|_transaction| Ok(())).await
    }

    /// Moves the write-ahead log into the database and empties it, so that deleted rows are overwritten there too.
    pub(in crate::server) async fn checkpoint(&self) -> Result<(), StoreError> {
        self.0
            .writer
            .call(|connection| {
                let busy: bool =
                    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
                if busy {
                    tracing::debug!("the write-ahead log is in use and stays");
                }
                Ok(())
            })
            .await
    }
}

impl Storage for SqliteStore {
    type Error = StoreError;
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file could not be made or opened.
    #[error("the database {} could not be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A newer version of this program has changed the database.
    #[error("the database {} has schema {found}; this program knows schemas up to {known}", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema's number.
        found: usize,
        /// The newest number known here.
        known: usize,
    },
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A PostgreSQL database could not be opened.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] crate::server::store::PostgresOpenError),
}

fn make_private_file(path: &Path) -> Result<(), OpenError> {
    let file_error = |source| OpenError::File { path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // SQLite gives the log beside the database the same permissions.
    options.open(path).map(drop).map_err(file_error)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    // An answer that was given is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    transaction(connection, TransactionBehavior::Immediate, |transaction| {
        let version: i64 = one(transaction, "PRAGMA user_version", [], |row| row.get(0))?.unwrap_or(0);
        let found = usize::try_from(version).unwrap_or(usize::MAX);
        if found > MIGRATIONS.len() {
            return Err(OpenError::TooNew { path: path.to_owned(), found, known: MIGRATIONS.len() });
        }
        for migration in MIGRATIONS.iter().skip(found) {
            transaction.execute_batch(migration).map_err(StoreError::from)?;
        }
        transaction
            .pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))
            .map_err(StoreError::from)?;
        Ok(())
    })
}

fn transaction<T, E: From<StoreError>>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    body: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.transaction_with_behavior(behavior).map_err(StoreError::from)?;
    let value = body(&transaction)?;
    transaction.commit().map_err(StoreError::from)?;
    Ok(value)
}

/// Executes a statement; gives the number of rows it changed.
fn execute(transaction: &Transaction<'_>, sql: &'static str, params: impl Params) -> Result<u64, StoreError> {
    let changed = transaction.prepare_cached(sql)?.execute(params)?;
    Ok(changed as u64)
}

/// The first row of a query, if there is one.
fn one<T>(
    transaction: &Transaction<'_>,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    use rusqlite::OptionalExtension as _;
    Ok(transaction.prepare_cached(sql)?.query_row(params, read).optional()?)
}

/// Every row of a query.
fn all<T>(
    transaction: &Transaction<'_>,
    sql: &'static str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    transaction.prepare_cached(sql)?.query_map(params, read)?.map(|row| Ok(row?)).collect()
}

/// A time as a column; the end of time saturates.
fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// A column as a time; the database never holds one before the epoch.
fn time(seconds: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use cwa_export::batch::Hour;
    use cwa_verify::ReservationId;
    use cwa_verify::store::{Confirmed, TanStore as _};

    use super::*;
    use crate::server::store::{PackageStore as _, Span};

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cwa.sqlite3");
        drop(SqliteStore::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(
            matches!(error, OpenError::TooNew { found: 99, known, .. } if known == MIGRATIONS.len()),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_database_of_the_first_version_keeps_what_was_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cwa.sqlite3");
        let first = include_str!("../../../../tests/fixtures/sqlite-0.1.0.sql");
        Connection::open(&path).unwrap().execute_batch(first).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let now = UnixTime::from_secs(1_595_419_200);
        let hash = |number: u8| {
            let mut hash = [0; 36];
            (hash[3], hash[35]) = (1, number);
            hash
        };
        let reservation = ReservationId::try_from(&hash(5)[..]).unwrap();
        assert_eq!(store.confirm(reservation, now).await.unwrap(), Confirmed::Now);
        let before = ReservationId::try_from(&hash(6)[..]).unwrap();
        assert_eq!(store.confirm(before, now).await.unwrap(), Confirmed::Before);
        let state = store.publisher_state().await.unwrap();
        assert_eq!(
            (state.keys_pending, state.last_published.map(UnixTime::as_secs)),
            (1, Some(1_595_422_800))
        );
        let hour = Span::Hour(Hour::new(443_172));
        let keys = store.keys_of(hour).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.key_data).collect::<Vec<_>>(), [[1; 16]]);
        drop(store);
        let connection = Connection::open(&path).unwrap();
        for (table, rows) in
            [("session", 1), ("used_test_id", 1), ("tele_tan", 1), ("test_result", 1), ("tan", 0)]
        {
            let sql = format!("SELECT count(*) FROM {table}");
            let found: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, rows, "{table}");
        }
        let result: (i64, String) = connection
            .query_row("SELECT result, lab_id FROM test_result", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(result, (2, "laboratory".to_owned()));
        let problems: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(problems, "ok");
    }

    #[test]
    fn opening_twice_changes_nothing_and_every_connection_is_durable_and_forgetful() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cwa.sqlite3");
        drop(SqliteStore::open(&path).unwrap());
        drop(SqliteStore::open(&path).unwrap());
        let connection = connect(&path).unwrap();
        let pragma = |name: &str| -> String {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| format!("{value:?}"))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)");
        assert_eq!(pragma("secure_delete"), "Integer(1)");
        assert_eq!(pragma("user_version"), format!("Integer({})", MIGRATIONS.len()));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_database_and_its_log() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("cwa.sqlite3")).unwrap();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(
                entry.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{:?}",
                entry.file_name()
            );
        }
        drop(store);
    }
}
