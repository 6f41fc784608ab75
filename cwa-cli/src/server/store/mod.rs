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
use cwa_verify::hash::TanHash;
use cwa_verify::store::{ReserveError, Storage};

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
    /// Redeems a TAN for an upload: stores its keys and uses up the TAN, both or neither, in one transition.
    ///
    /// In this order:
    /// 1. A receipt with the upload's id whose time has not come: [`Submitted::Before`]; nothing is written.
    /// 2. No such TAN, one under somebody else's lease, one that has expired: as
    ///    [`reserve`](cwa_verify::store::TanStore::reserve) says.
    /// 3. A TAN of an event: [`Submitted::NotForKeys`]; it keeps its worth.
    /// 4. The keys are stored, but for those that are already there, which stay as they are; and the TAN is used up, as
    ///    [`confirm`](cwa_verify::store::TanStore::confirm) says: [`Submitted::Now`].
    ///
    /// # Errors
    ///
    /// As above; nothing was stored, and the TAN keeps its worth.
    fn submit(
        &self,
        tan: TanHash,
        upload: Upload,
        now: UnixTime,
    ) -> impl Future<Output = Result<Submitted, ReserveError<Self::Error>>> + Send;
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

/// An upload.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    /// What stands for this upload, and no other, of its TAN.
    pub(super) reservation: ReservationId,
    /// What is to be stored, and from when on it may be published; never empty.
    pub(super) keys: Vec<PendingKey>,
    /// How many keys of the payload are not among them.
    pub(super) keys_dropped: u32,
}

/// The answer of [`SubmissionStore::submit`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Submitted {
    /// The keys are stored, and the TAN is used up.
    Now,
    /// This upload was stored before, with so many keys dropped.
    Before {
        /// How many.
        keys_dropped: u32,
    },
    /// The TAN permits no keys: it goes back to a teleTAN for an event. Nothing has changed.
    NotForKeys,
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
