//! PostgreSQL: one database, any number of servers.
//!
//! A transition whose outcome depends on one TAN is one statement: it changes the row, if the row permits it, and says
//! what it changed; only if it changed nothing is there a second look, to say why. The others are short transactions
//! that first take locks by the hashes they are about ([`lock`]), so that two that could get in each other's way run one
//! after the other, and each of their statements sees what the one before has committed. What PostgreSQL gives up
//! for a deadlock or a conflict is run again.

mod keys;
mod results;
mod retention;
mod settings;
mod tls;
mod tokens;
mod uploads;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use cwa_crypto::UnixTime;
use cwa_verify::store::{
    ConfirmError, ConsumeError, IssueTanError, IssueTeleTanError, RegisterError, ReserveError, Storage,
};
use deadpool_postgres::{
    GenericClient, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Transaction,
};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres_rustls::MakeRustlsConnect;

pub(in crate::server) use settings::is_postgres_url;
pub use settings::{PasswordFileError, PostgresSettings, PostgresUrlError};
pub use tls::PostgresTlsError;

use super::job::{Job, JobLock};
use super::{CloseError, StoreError};
use uploads::Uploads;

/// The database of a server. Clones share its connections.
#[derive(Clone)]
pub(in crate::server) struct PostgresStore(Arc<Connections>);

struct Connections {
    pool: Pool,
    uploads: Uploads,
}

/// Every migration, in order; `schema_version` says how many the database has had.
const MIGRATIONS: [&str; 1] = [include_str!("../../../../migrations/postgres/0001_initial.sql")];
/// How often a transition is run again that PostgreSQL gave up.
const ATTEMPTS: u32 = 20;
/// How long a connection is waited for, and how long until a broken one counts as such.
const POOL_TIMEOUT: Duration = Duration::from_secs(15);

impl PostgresStore {
    /// Connects, and brings the database up to date. It must be there, and may be empty.
    pub(in crate::server) async fn open(settings: PostgresSettings) -> Result<Self, PostgresOpenError> {
        let (settings, tls) = tokio::task::spawn_blocking(move || {
            let settings = settings.with_password()?;
            let tls = tls::client_config(&settings);
            Ok::<_, PostgresOpenError>((settings, tls))
        })
        .await
        .map_err(|_panicked| StoreError::Interrupted)??;
        let mut config = *settings.config.clone();
        // For every connection of the pool: no statement hangs for ever, no transaction stays open behind a stuck server.
        let milliseconds = settings.statement_timeout.as_millis();
        let mut options = config.get_options().unwrap_or_default().to_owned();
        options.push_str(&format!(
            " -c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000 -c synchronous_commit=on \
             -c default_transaction_isolation=read\\ committed -c jit=off -c enable_seqscan=off"
        ));
        // The last: a plan that was made while a table was empty must not read the whole of it when it is not.
        config.options(options.trim_start());
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // Without roots there is no TLS to prefer.
        let manager = match (config.get_ssl_mode(), tls) {
            (tokio_postgres::config::SslMode::Disable, _) => {
                Manager::from_config(config, tokio_postgres::NoTls, manager)
            }
            (_, tls) => Manager::from_config(config, MakeRustlsConnect::new(tls?), manager),
        };
        let pool = Pool::builder(manager)
            .max_size(settings.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_TIMEOUT))
            .create_timeout(Some(POOL_TIMEOUT))
            .recycle_timeout(Some(POOL_TIMEOUT))
            .build()
            .map_err(|_| StoreError::Closed)?;
        migrate(&pool).await?;
        let uploads = Uploads::start(pool.clone());
        Ok(Self(Arc::new(Connections { pool, uploads })))
    }

    async fn client(&self) -> Result<Object, StoreError> {
        client(&self.0.pool).await
    }

    /// Takes the lock of a job: on a connection of its own, so that it is free again when the process is gone.
    pub(in crate::server) async fn try_lock(&self, job: Job) -> Result<Option<JobLock>, StoreError> {
        let client = Object::take(self.client().await?);
        // The job waits for its own work, not for this connection.
        client
            .batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            .await?;
        let held = client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&job.advisory_key()])
            .await?
            .get::<_, bool>(0);
        Ok(held.then(|| JobLock::on_connection(client)))
    }

    /// Whether the database answers, and can be written to.
    pub(in crate::server) async fn ping(&self) -> Result<(), StoreError> {
        let rows = query(&self.client().await?, "SELECT pg_is_in_recovery()", &[]).await?;
        match rows.first() {
            Some(row) if !row.get::<_, bool>(0) => Ok(()),
            _ => Err(StoreError::Closed),
        }
    }

    /// Nothing to do: PostgreSQL looks after its log itself.
    #[expect(clippy::unused_async, reason = "the other database waits for its disk here")]
    pub(in crate::server) async fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Storage for PostgresStore {
    type Error = StoreError;
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

async fn client(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        deadpool_postgres::PoolError::Backend(error) => error.into(),
        _ => StoreError::PostgresConnection,
    })
}

/// One server at a time brings the schema up to date; the others find it so.
async fn migrate(pool: &Pool) -> Result<(), PostgresOpenError> {
    let mut client = client(pool).await?;
    let transaction = client.transaction().await.map_err(StoreError::from)?;
    transaction
        .batch_execute(&format!(
            "SET LOCAL statement_timeout = 0;
             SELECT pg_advisory_xact_lock({MIGRATION_LOCK});
             CREATE TABLE IF NOT EXISTS schema_version (
               id BIGINT PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL
             );
             INSERT INTO schema_version VALUES (1, 0) ON CONFLICT DO NOTHING;"
        ))
        .await
        .map_err(StoreError::from)?;
    let version: i64 = query(&transaction, "SELECT version FROM schema_version", &[])
        .await?
        .first()
        .map_or(0, |row| row.get(0));
    let found = usize::try_from(version).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(PostgresOpenError::TooNew { found, known: MIGRATIONS.len() });
    }
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.batch_execute(migration).await.map_err(StoreError::from)?;
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    execute(&transaction, "UPDATE schema_version SET version = $1", &[&known]).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(())
}

/// "cwa" and a number: locks of this program among those of others in the database.
const LOCKS: i64 = 0x63_77_61 << 32;
const MIGRATION_LOCK: i64 = LOCKS;
/// Held by those who forget, and shared by those who must not be forgotten behind their back.
const PURGE_LOCK: i64 = LOCKS + 1;
const TELE_TAN_LOCK: i64 = LOCKS + 2;

impl Job {
    const fn advisory_key(self) -> i64 {
        match self {
            Self::Publish => LOCKS + 16,
            Self::Retention => LOCKS + 17,
        }
    }
}

/// Why a PostgreSQL database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresOpenError {
    /// The password cannot be read.
    #[error(transparent)]
    Password(#[from] PasswordFileError),
    /// The connection cannot be protected.
    #[error(transparent)]
    Tls(#[from] PostgresTlsError),
    /// A newer version of this program has changed the database.
    #[error("the database has schema {found}; this program knows schemas up to {known}")]
    TooNew {
        /// Its schema's number.
        found: usize,
        /// The newest number known here.
        known: usize,
    },
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
}

/// The five characters by which PostgreSQL names an error.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SqlStateCode([u8; 5]);

impl SqlStateCode {
    fn is(self, state: &SqlState) -> bool {
        state.code().as_bytes() == self.0
    }
}

impl fmt::Display for SqlStateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.0).unwrap_or("?????"))
    }
}

impl fmt::Debug for SqlStateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<tokio_postgres::Error> for StoreError {
    /// The message goes: its details hold values.
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code().and_then(|state| state.code().as_bytes().try_into().ok()) {
            Some(code) => Self::Postgres { code: SqlStateCode(code) },
            None => Self::PostgresConnection,
        }
    }
}

impl StoreError {
    /// Whether PostgreSQL gave a transaction up that would have succeeded alone.
    fn is_conflict(&self) -> bool {
        match self {
            Self::Postgres { code } => {
                code.is(&SqlState::T_R_DEADLOCK_DETECTED) || code.is(&SqlState::T_R_SERIALIZATION_FAILURE)
            }
            _ => false,
        }
    }
}

/// The refusals of a transition, and the failure that may hide among them.
trait Refusal: From<StoreError> {
    fn failure(&self) -> Option<&StoreError>;
}

impl Refusal for StoreError {
    fn failure(&self) -> Option<&StoreError> {
        Some(self)
    }
}

macro_rules! refusals {
    ($($name:ident)+) => {$(
        impl Refusal for $name<StoreError> {
            fn failure(&self) -> Option<&StoreError> {
                match self {
                    Self::Store(error) => Some(error),
                    _ => None,
                }
            }
        }
    )+};
}

refusals!(RegisterError IssueTeleTanError IssueTanError ReserveError ConfirmError ConsumeError CloseError);

/// Whether a transition has to be run again, after a short pause that differs from that of its rival.
async fn again<T, E: Refusal>(outcome: &Result<T, E>, attempt: &mut u32) -> bool {
    let conflict = outcome.as_ref().err().and_then(Refusal::failure).is_some_and(StoreError::is_conflict);
    if !conflict || *attempt >= ATTEMPTS {
        return false;
    }
    *attempt += 1;
    let most = 2_u64 << (*attempt).min(6);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..most))).await;
    true
}

/// Runs `$body` in a transaction, again if PostgreSQL gives it up. An error rolls it back.
macro_rules! transact {
    ($store:expr, $transaction:ident => $body:expr) => {{
        let mut attempt = 0;
        loop {
            let mut client = $store.client().await?;
            let $transaction = client.transaction().await.map_err($crate::server::store::StoreError::from)?;
            let outcome = match $body {
                Ok(value) => match $transaction.commit().await {
                    Ok(()) => Ok(value),
                    Err(error) => Err($crate::server::store::StoreError::from(error).into()),
                },
                Err(error) => {
                    let _ = $transaction.rollback().await;
                    Err(error)
                }
            };
            if !$crate::server::store::postgres::again(&outcome, &mut attempt).await {
                break outcome;
            }
        }
    }};
}
use transact;

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Executes a statement; gives the number of rows it changed.
async fn execute<C: GenericClient>(
    client: &C,
    sql: &'static str,
    params: Params<'_>,
) -> Result<u64, StoreError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, params).await?)
}

/// The rows of a query.
async fn query<C: GenericClient>(
    client: &C,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Vec<Row>, StoreError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}

/// The first row of a query, if there is one.
async fn one<C: GenericClient>(
    client: &C,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Option<Row>, StoreError> {
    Ok(query(client, sql, params).await?.into_iter().next())
}

/// Locks these hashes until the end of the transaction, in an order that everybody keeps.
async fn lock(transaction: &Transaction<'_>, hashes: &[&[u8]]) -> Result<(), StoreError> {
    use sha2::{Digest as _, Sha256};
    let mut locks: Vec<i64> = hashes
        .iter()
        .map(|hash| {
            let digest: [u8; 32] = Sha256::digest(hash).into();
            let [a, b, c, d, e, f, g, h, ..] = digest;
            i64::from_be_bytes([a, b, c, d, e, f, g, h])
        })
        .collect();
    locks.sort_unstable();
    locks.dedup();
    let sql = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";
    query(transaction, sql, &[&locks]).await.map(drop)
}

/// A time as a column; the end of time saturates.
fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// A column as a time; the database never holds one before the epoch.
fn time(seconds: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(seconds).unwrap_or(0))
}
