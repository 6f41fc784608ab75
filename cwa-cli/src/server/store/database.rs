//! The database that a server was given: one handle, whichever it is.

use std::collections::BTreeMap;

use cwa_crypto::{DiagnosisKey, UnixTime};
use cwa_export::batch::PublicationPolicy;
use cwa_verify::TeleTanType;
use cwa_verify::hash::{RegistrationTokenHash, ReservationId, TanHash, TestIdHash};
use cwa_verify::store::{
    ConfirmError, Confirmed, ConsumeError, IssueLimit, IssueTanError, IssueTeleTanError, IssuedTan,
    NewSession, NewTan, NewTeleTan, NewTestResult, Purged, RecordedResults, RegisterError, Registered,
    Released, ReserveError, Reserved, Retention, RetentionStore, Session, SessionStore, Storage, TanStore,
    TeleTanStore, TestResultStore,
};
use cwa_verify::test_result::StoredTestResult;
use rand::rngs::StdRng;

use super::job::{Job, JobLock};
#[cfg(feature = "postgres")]
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{
    CloseError, ClosedHours, Package, PackageStore, PublisherState, Span, StoreError, SubmissionStore,
    Submitted, Upload,
};

/// The database of a server. Clones share it; it is closed with the last of them.
#[derive(Clone, Debug)]
pub(in crate::server) enum Database {
    /// One file.
    Sqlite(SqliteStore),
    /// One database, any number of servers.
    #[cfg(feature = "postgres")]
    Postgres(PostgresStore),
}

/// The same call on whichever database it is.
macro_rules! on {
    ($database:expr, $store:ident => $call:expr) => {
        match $database {
            Self::Sqlite($store) => $call.await,
            #[cfg(feature = "postgres")]
            Self::Postgres($store) => $call.await,
        }
    };
}

impl Database {
    /// Takes the lock of a job, unless another process (or another task of this one) holds it.
    pub(in crate::server) async fn try_lock(&self, job: Job) -> Result<Option<JobLock>, StoreError> {
        on!(self, store => store.try_lock(job))
    }

    /// Whether the database answers, and can be written to.
    pub(in crate::server) async fn ping(&self) -> Result<(), StoreError> {
        on!(self, store => store.ping())
    }

    /// Brings what was deleted out of the files beside the database, where there are such files.
    pub(in crate::server) async fn checkpoint(&self) -> Result<(), StoreError> {
        on!(self, store => store.checkpoint())
    }
}

impl Storage for Database {
    type Error = StoreError;
}

impl SessionStore for Database {
    async fn register(
        &self,
        session: NewSession,
        now: UnixTime,
    ) -> Result<Registered, RegisterError<StoreError>> {
        on!(self, store => store.register(session, now))
    }

    async fn session(
        &self,
        token: RegistrationTokenHash,
        now: UnixTime,
    ) -> Result<Option<Session>, StoreError> {
        on!(self, store => store.session(token, now))
    }
}

impl TeleTanStore for Database {
    async fn issue_tele_tan(
        &self,
        tele_tan: NewTeleTan,
        limit: IssueLimit,
        now: UnixTime,
    ) -> Result<u32, IssueTeleTanError<StoreError>> {
        on!(self, store => store.issue_tele_tan(tele_tan, limit, now))
    }
}

impl TanStore for Database {
    async fn issue_tan(&self, tan: NewTan, now: UnixTime) -> Result<IssuedTan, IssueTanError<StoreError>> {
        on!(self, store => store.issue_tan(tan, now))
    }

    async fn reserve(
        &self,
        tan: TanHash,
        reservation: ReservationId,
        lease_end: UnixTime,
        now: UnixTime,
    ) -> Result<Reserved, ReserveError<StoreError>> {
        on!(self, store => store.reserve(tan, reservation, lease_end, now))
    }

    async fn confirm(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<StoreError>> {
        on!(self, store => store.confirm(reservation, now))
    }

    async fn release(&self, reservation: ReservationId, now: UnixTime) -> Result<Released, StoreError> {
        on!(self, store => store.release(reservation, now))
    }

    async fn consume(
        &self,
        tan: TanHash,
        now: UnixTime,
    ) -> Result<Option<TeleTanType>, ConsumeError<StoreError>> {
        on!(self, store => store.consume(tan, now))
    }
}

impl TestResultStore for Database {
    async fn record_results(
        &self,
        results: Vec<NewTestResult>,
        final_before: UnixTime,
        now: UnixTime,
    ) -> Result<RecordedResults, StoreError> {
        on!(self, store => store.record_results(results, final_before, now))
    }

    async fn results_of(
        &self,
        ids: Vec<TestIdHash>,
        now: UnixTime,
    ) -> Result<Vec<StoredTestResult>, StoreError> {
        on!(self, store => store.results_of(ids, now))
    }
}

impl RetentionStore for Database {
    async fn purge(&self, retention: Retention, now: UnixTime) -> Result<Purged, StoreError> {
        on!(self, store => store.purge(retention, now))
    }
}

impl SubmissionStore for Database {
    async fn submit(
        &self,
        tan: TanHash,
        upload: Upload,
        now: UnixTime,
    ) -> Result<Submitted, ReserveError<StoreError>> {
        on!(self, store => store.submit(tan, upload, now))
    }
}

impl PackageStore for Database {
    async fn close_hours(
        &self,
        policy: PublicationPolicy,
        rng: StdRng,
        now: UnixTime,
    ) -> Result<ClosedHours, CloseError<StoreError>> {
        on!(self, store => store.close_hours(policy, rng, now))
    }

    async fn packages(&self) -> Result<Vec<Package>, StoreError> {
        on!(self, store => store.packages())
    }

    async fn keys_of(&self, span: Span) -> Result<Vec<DiagnosisKey>, StoreError> {
        on!(self, store => store.keys_of(span))
    }

    async fn run_finished(
        &self,
        written: BTreeMap<Span, usize>,
        gone: Vec<Span>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        on!(self, store => store.run_finished(written, gone, now))
    }

    async fn publisher_state(&self) -> Result<PublisherState, StoreError> {
        on!(self, store => store.publisher_state())
    }
}
