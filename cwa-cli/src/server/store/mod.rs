//! What the server asks of its database beyond [`cwa_verify::store`]: submissions, diagnosis keys and their packages.
//!
//! As there, each method is one transition and one transaction. Keys and TANs are in one database here, so that "stored"
//! and "used up" happen together or not at all.

mod database;
mod job;
mod location;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
#[cfg(test)]
mod suite;
mod worker;

use std::collections::BTreeMap;

use cwa_crypto::{DiagnosisKey, UnixTime};
use cwa_export::batch::{ClockBehind, Hour, PendingKey, PublicationPolicy};
use cwa_verify::ReservationId;
use cwa_verify::store::{Confirmed, Storage};

pub(super) use database::Database;
pub(super) use job::Job;
pub use location::{DatabaseLocation, DatabaseLocationError};
#[cfg(feature = "postgres")]
pub use postgres::{
    PasswordFileError, PostgresOpenError, PostgresSettings, PostgresTlsError, PostgresUrlError, SqlStateCode,
};
pub use sqlite::OpenError;

/// Uploads.
pub(super) trait SubmissionStore: Storage {
    /// Stores the keys of an upload and uses up its TAN, both or neither.
    ///
    /// A key that is already there stays as it is. An upload that was confirmed before changes nothing.
    ///
    /// # Errors
    ///
    /// The reservation is not held (any more): nothing was stored.
    fn store_and_confirm(
        &self,
        upload: Upload,
        now: UnixTime,
    ) -> impl Future<Output = Result<Confirmed, cwa_verify::store::ConfirmError<Self::Error>>> + Send;

    /// How many keys of a confirmed upload were dropped, for repeating its answer.
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn keys_dropped(
        &self,
        reservation: ReservationId,
    ) -> impl Future<Output = Result<Option<u32>, Self::Error>> + Send;
}

/// Keys on their way into packages.
pub(super) trait PackageStore: Storage {
    /// Deletes keys that are too old, marking the packages that held them as stale; then closes every hour that is due,
    /// in order, and stores which keys their packages hold.
    ///
    /// The first run begins with the oldest day that is served, so that every past hour has its (empty) package.
    ///
    /// # Errors
    ///
    /// The clock is behind what was already published, or absurdly far ahead of it; nothing has changed then.
    fn close_hours(
        &self,
        policy: PublicationPolicy,
        rng: rand::rngs::StdRng,
        now: UnixTime,
    ) -> impl Future<Output = Result<ClosedHours, CloseError<Self::Error>>> + Send;

    /// Every closed package, oldest first, days after hours.
    fn packages(&self) -> impl Future<Output = Result<Vec<Package>, Self::Error>> + Send;

    /// The keys of a package, in the order of their bytes.
    fn keys_of(&self, span: Span) -> impl Future<Output = Result<Vec<DiagnosisKey>, Self::Error>> + Send;

    /// A run was finished at `now`: the files of `written` hold these many keys, and the packages in `gone` are served
    /// no longer and forgotten.
    fn run_finished(
        &self,
        written: BTreeMap<Span, usize>,
        gone: Vec<Span>,
        now: UnixTime,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Where the publisher stands.
    fn publisher_state(&self) -> impl Future<Output = Result<PublisherState, Self::Error>> + Send;
}

/// An upload whose TAN is reserved.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    /// Under this id.
    pub(super) reservation: ReservationId,
    /// What is to be stored, and from when on it may be published; never empty.
    pub(super) keys: Vec<PendingKey>,
    /// How many keys of the payload are not among them.
    pub(super) keys_dropped: u32,
}

/// What a package covers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Span {
    /// One hour.
    Hour(Hour),
    /// The 24 hours from this one on.
    Day(cwa_crypto::Day),
}

/// A closed package.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Package {
    pub(super) span: Span,
    /// The number of keys it holds, or held when its file was last written.
    pub(super) key_count: usize,
    /// Whether its file does not show what the database holds.
    pub(super) stale: bool,
}

/// What closing has done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClosedHours {
    /// The first hour that is still open.
    pub(super) next_hour: Hour,
    /// How many hours were closed.
    pub(super) closed: u64,
}

/// Where the publisher stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PublisherState {
    /// When the last run was finished; none before the first.
    pub(super) last_published: Option<UnixTime>,
    /// Keys that wait for their package.
    pub(super) keys_pending: u64,
}

/// Ten years. A server that was off for a while catches up; a clock in the wrong unit must not make it close hours, and
/// forget keys, until the end of time.
const MOST_HOURS_AT_ONCE: u64 = 10 * 366 * 24;

/// Why no hour was closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseError<E> {
    /// The present lies before an hour that was already closed.
    #[error(transparent)]
    ClockBehind(ClockBehind),
    /// The present lies more than ten years after the first hour that is open.
    #[error("the present is said to be {}, more than ten years after hour {open}", now.as_secs())]
    ClockAhead {
        /// The present.
        now: UnixTime,
        /// The first hour that is open.
        open: Hour,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// A database that failed. Says nothing about what was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite failed; its message names tables and columns, never values.
    #[error("SQLite failed")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused; of what it said only the code is kept, because the rest may hold values.
    #[cfg(feature = "postgres")]
    #[error("PostgreSQL failed with SQLSTATE {code}")]
    Postgres {
        /// The code.
        code: SqlStateCode,
    },
    /// PostgreSQL was not reached, or the connection broke: whether the last transition happened is not known.
    #[cfg(feature = "postgres")]
    #[error("the connection to PostgreSQL failed")]
    PostgresConnection,
    /// A column holds what was never written there: the file was changed by something else.
    #[error("column {column} of the database holds something that was never written there")]
    Corrupt {
        /// Which.
        column: &'static str,
    },
    /// A thread or file of the database could not be made.
    #[error("a thread or file of the database could not be made")]
    Io(#[source] std::io::Error),
    /// What was done in one transaction is not durable, and undone; the log says why.
    #[error("the transaction was not committed")]
    NotCommitted,
    /// A transition broke off and was undone; the log says more.
    #[error("the transition was not finished")]
    Interrupted,
    /// The database is being shut down.
    #[error("the database is closed")]
    Closed,
}
