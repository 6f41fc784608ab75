//! What the protocol asks of a database: named transitions, each of them atomic.
//!
//! Every method is one transition of the protocol and **one transaction** of the database; a store never reads in one
//! transaction and writes in another. Then a TAN cannot be redeemed twice, nor a test registered twice, whatever the
//! database and however many servers share it. Validity is a property of the stored rows and of `now`: what has expired
//! is refused whether or not [`purge`](RetentionStore::purge) has already run. Only which refusal it is may depend on
//! that, and from when on a test that has been forgotten can be registered anew.
//!
//! # The rows
//!
//! What a store keeps, and the indexes that make it right (every hash is unique on its own):
//!
//! | table | key | other columns |
//! |---|---|---|
//! | sessions | registration token hash | salt, source (sealed test ids, or teleTAN and its type), created, expires, TANs used, next TAN number, retry request (unique) and its end |
//! | used test ids | test id hash | session's expiry; one space for hashed GUIDs and date-of-birth hashes |
//! | teleTANs | teleTAN hash | type, issued, valid until, redeemed |
//! | TANs | TAN hash | session's token hash and the TAN's number (unique together), valid until, teleTAN type, reservation id (unique) and lease end |
//! | receipts | reservation id | until |
//! | test results | test id hash | result, sample collected, laboratory, created |
//!
//! Nothing in clear is among them. Times are whole seconds; a span `a..b` holds its first second and not its last.
//!
//! # Storing keys and confirming in one transaction
//!
//! A server whose keys and TANs are in one database does both in one transaction of its own: insert the keys that are
//! not there yet, then do what [`TanStore::confirm`] says; [`ConfirmError::Unknown`] and [`Confirmed::Before`] roll
//! the keys back. Servers that are apart store the keys first and confirm then.

use core::error::Error;
use core::future::Future;

use cwa_crypto::UnixTime;

use crate::hash::{
    RegistrationTokenHash, ReservationId, RetryWindow, TanHash, TanSeries, TeleTanHash, TestIdHash,
};
use crate::registration::TokenSalt;
use crate::seal::SealedTestIds;
use crate::tan::TanNumber;
use crate::tele_tan::TeleTanType;
use crate::test_result::{LabId, StoredTestResult, TestResult};

/// A database; names its own failures.
pub trait Storage: Send + Sync {
    /// What can go wrong with the database itself. Must not contain what was stored.
    type Error: Error + Send + Sync + 'static;
}

/// Registration: from a test or a teleTAN to a session, once.
pub trait SessionStore: Storage {
    /// Opens a session, or says that this very request has already opened it.
    ///
    /// In this order:
    /// 1. If [`NewSession::retry`] is given and a session keeps the same request whose window has not ended
    ///    (`now < until`): [`Registered::Before`] with that session's salt; nothing is written.
    /// 2. [`Claim::Test`]: if either id is among the used test ids, [`RegisterError::AlreadyRegistered`]; else both
    ///    are added.
    ///    [`Claim::TeleTan`]: it must be there, not redeemed, and `issued ≤ now < valid until`; it is marked as
    ///    redeemed, and its type becomes the session's.
    /// 3. If the token's hash is already there, [`RegisterError::TokenTaken`] (and step 2 is undone); else the session
    ///    is inserted, with no TAN used and [`TanNumber::FIRST`] as the next one.
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then.
    fn register(
        &self,
        session: NewSession,
        now: UnixTime,
    ) -> impl Future<Output = Result<Registered, RegisterError<Self::Error>>> + Send;

    /// The session of a registration token; none if there is none or it has expired (`expires_at ≤ now`).
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn session(
        &self,
        token: RegistrationTokenHash,
        now: UnixTime,
    ) -> impl Future<Output = Result<Option<Session>, Self::Error>> + Send;
}

/// teleTANs, from the portal's side.
pub trait TeleTanStore: Storage {
    /// Inserts a teleTAN, valid from `now`.
    ///
    /// First the limit: if [`IssueLimit::count`] teleTANs or more were issued in the `window` seconds before `now`
    /// (`issued > now − window`), [`IssueTeleTanError::LimitReached`]. Then the insert: a hash that is already there is
    /// [`IssueTeleTanError::Taken`], whether redeemed or expired; the caller draws another one.
    ///
    /// Gives the number of teleTANs issued in the window, this one included.
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then.
    fn issue_tele_tan(
        &self,
        tele_tan: NewTeleTan,
        limit: IssueLimit,
        now: UnixTime,
    ) -> impl Future<Output = Result<u32, IssueTeleTanError<Self::Error>>> + Send;
}

/// TANs: issue, then reserve, confirm or release; or consume.
pub trait TanStore: Storage {
    /// Issues a TAN, or finds the one that is still to be used.
    ///
    /// In this order:
    /// 1. No session with this token, or an expired one: [`IssueTanError::UnknownSession`].
    /// 2. A TAN of the session that is still valid (`now < valid until`), reserved or not: that one.
    /// 3. TANs used (confirmed or consumed), plus one for every TAN of the session that is no longer valid but under a
    ///    lease (`now < lease end`), must be fewer than [`NewTan::limit`]: else [`IssueTanError::Exhausted`].
    /// 4. The session's other TANs, valid no longer and under no lease, are deleted: they have given their slot back.
    ///    A TAN with the session's next number is inserted: its hash is [`TanSeries::hash`] of the number, its teleTAN
    ///    type the session's. The next number grows by one.
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then.
    fn issue_tan(
        &self,
        tan: NewTan,
        now: UnixTime,
    ) -> impl Future<Output = Result<IssuedTan, IssueTanError<Self::Error>>> + Send;

    /// Sets a TAN aside for one payload until `lease_end`.
    ///
    /// The reservation id is `HMAC(TAN ‖ payload digest)`: the same upload has the same id. In this order:
    /// 1. A receipt with this id whose time has not come (`now < until`): [`Reserved::Confirmed`]; nothing is written.
    /// 2. No such TAN: [`ReserveError::Unknown`].
    /// 3. Under a lease (`now < lease end`): with the same id, the lease now ends at the later of both ends:
    ///    [`Reserved::Granted`]; with another id: [`ReserveError::Reserved`].
    /// 4. `valid until ≤ now`: [`ReserveError::Expired`].
    /// 5. The TAN gets this id and this lease, in place of one that has lapsed: [`Reserved::Granted`].
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then. Towards a client they are one and the same.
    fn reserve(
        &self,
        tan: TanHash,
        reservation: ReservationId,
        lease_end: UnixTime,
        now: UnixTime,
    ) -> impl Future<Output = Result<Reserved, ReserveError<Self::Error>>> + Send;

    /// The keys are stored: the TAN is used up.
    ///
    /// In this order:
    /// 1. A receipt with this id whose time has not come (`now < until`): [`Confirmed::Before`].
    /// 2. A TAN with this reservation, even if the lease or the TAN's validity has ended meanwhile (nobody else has
    ///    taken it): the TAN is deleted, its session's number of used TANs grows by one (if the session is still
    ///    there), and a receipt with this id is kept until the later of both ends: [`Confirmed::Now`].
    /// 3. Otherwise [`ConfirmError::Unknown`].
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then.
    fn confirm(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> impl Future<Output = Result<Confirmed, ConfirmError<Self::Error>>> + Send;

    /// Nothing was stored: gives the TAN back, so that the next upload may use it.
    ///
    /// A reservation that is not there (confirmed, lapsed and taken over, unknown) is [`Released::NotReserved`]: the
    /// caller has nothing to do about it.
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn release(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> impl Future<Output = Result<Released, Self::Error>> + Send;

    /// Uses a TAN up at once, as the German `/tan/verify` does: one winner.
    ///
    /// No such TAN: [`ConsumeError::Unknown`]; under a lease: [`ConsumeError::Reserved`]; no longer valid:
    /// [`ConsumeError::Expired`]. Otherwise the TAN is deleted, its session's number of used TANs grows by one, and
    /// its teleTAN type is given. No receipt is kept.
    ///
    /// # Errors
    ///
    /// As above; nothing has changed then. Towards a client they are one and the same.
    fn consume(
        &self,
        tan: TanHash,
        now: UnixTime,
    ) -> impl Future<Output = Result<Option<TeleTanType>, ConsumeError<Self::Error>>> + Send;
}

/// Test results: what laboratories write and phones read.
pub trait TestResultStore: Storage {
    /// Records a batch, in its order, all of it or nothing.
    ///
    /// An id that is not there yet is inserted, created `now`. One that is there gets the new result, time and
    /// laboratory and keeps its creation; but a final one ([`TestResult::is_final`]) stays as it is, and so does one
    /// created at `final_before` or earlier, which is as good as redeemed.
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn record_results(
        &self,
        results: Vec<NewTestResult>,
        final_before: UnixTime,
        now: UnixTime,
    ) -> impl Future<Output = Result<RecordedResults, Self::Error>> + Send;

    /// The results under these ids, in their order. An id that is not there is inserted as [`TestResult::Pending`],
    /// created and collected `now`.
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn results_of(
        &self,
        ids: Vec<TestIdHash>,
        now: UnixTime,
    ) -> impl Future<Output = Result<Vec<StoredTestResult>, Self::Error>> + Send;
}

/// Forgetting.
pub trait RetentionStore: Storage {
    /// Deletes what is no longer needed, and nothing that a rule above still depends on.
    ///
    /// In this order:
    /// * results created at [`Retention::results_redeemed_before`] or earlier become [`TestResult::redeemed`] and lose
    ///   their laboratory; those created at [`Retention::results_deleted_before`] or earlier are deleted;
    /// * sessions with `expires_at ≤ now`; and of the others, retry requests whose window has ended are cleared;
    /// * used test ids whose session has expired, unless a result that is not final is there under the same id: a test
    ///   must not be registered a second time as long as its result can be retrieved (solution architecture, "Data
    ///   retention");
    /// * teleTANs that are no longer valid and were issued at [`Retention::tele_tans_counted_from`] or earlier;
    /// * TANs that are no longer valid and not under a lease; receipts whose time has come.
    ///
    /// # Errors
    ///
    /// Only the database's own.
    fn purge(
        &self,
        retention: Retention,
        now: UnixTime,
    ) -> impl Future<Output = Result<Purged, Self::Error>> + Send;
}

/// All of them: what one server with one database has.
pub trait Store: SessionStore + TeleTanStore + TanStore + TestResultStore + RetentionStore {}

impl<S: SessionStore + TeleTanStore + TanStore + TestResultStore + RetentionStore> Store for S {}

/// A session to be opened.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store must write every field; a new one has to break it")]
pub struct NewSession {
    /// The hash of its registration token.
    pub token: RegistrationTokenHash,
    /// What the token was derived from.
    pub salt: TokenSalt,
    /// What it is opened with.
    pub claim: Claim,
    /// Which request may be repeated, and until when; none if the request does not qualify.
    pub retry: Option<RetryWindow>,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// What a session is opened with: it is worth one.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle every kind; a new one has to break it")]
pub enum Claim {
    /// A test.
    Test {
        /// The hashed GUID.
        guid: TestIdHash,
        /// The date-of-birth hash, if the phone gave one. Never the same as `guid`.
        date_of_birth: Option<TestIdHash>,
        /// Both, sealed for the holder of the registration token.
        sealed: SealedTestIds,
    },
    /// A teleTAN.
    TeleTan(TeleTanHash),
}

/// The answer of [`SessionStore::register`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: both answers of the transition")]
pub enum Registered {
    /// The session has been opened.
    Now,
    /// The same request opened it before; the token follows from its salt.
    Before {
        /// What that session's token was derived from.
        salt: TokenSalt,
    },
}

/// A session that is open.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store builds it column by column; a new field has to break it"
)]
pub struct Session {
    /// What it was opened with.
    pub source: SessionSource,
    /// When.
    pub created_at: UnixTime,
}

/// What a session was opened with.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle every kind; a new one has to break it")]
pub enum SessionSource {
    /// A test, under these ids.
    Test(SealedTestIds),
    /// A teleTAN of this type, if it was issued with one.
    TeleTan(Option<TeleTanType>),
}

/// A teleTAN to be issued.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store must write every field; a new one has to break it")]
pub struct NewTeleTan {
    /// Its hash.
    pub hash: TeleTanHash,
    /// What it permits, if it was asked for with a type.
    pub kind: Option<TeleTanType>,
    /// The first moment at which it is not valid any more.
    pub valid_until: UnixTime,
}

/// How many teleTANs may be issued in how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must heed every field; a new one has to break it")]
pub struct IssueLimit {
    /// The most teleTANs issued within the window.
    pub count: u32,
    /// The window, in seconds.
    pub window_seconds: u64,
}

/// A TAN to be issued.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store must heed every field; a new one has to break it")]
pub struct NewTan {
    /// Whose it is.
    pub session: RegistrationTokenHash,
    /// The TANs of that registration token.
    pub series: TanSeries,
    /// The most TANs that may be used per session.
    pub limit: u32,
    /// The first moment at which it would not be valid any more.
    pub valid_until: UnixTime,
}

/// The answer of [`TanStore::issue_tan`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "complete: what the transition decides")]
pub struct IssuedTan {
    /// Which TAN of the registration token it is.
    pub number: TanNumber,
    /// The first moment at which it is not valid any more.
    pub valid_until: UnixTime,
}

/// The answer of [`TanStore::reserve`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: both answers of the transition")]
pub enum Reserved {
    /// Store the keys, then confirm.
    Granted {
        /// What the TAN permits, if it goes back to a teleTAN with a type.
        kind: Option<TeleTanType>,
    },
    /// This upload was confirmed before: give the same answer again, store nothing.
    Confirmed,
}

/// The answer of [`TanStore::confirm`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: both answers of the transition")]
pub enum Confirmed {
    /// The TAN is used up now.
    Now,
    /// This upload was confirmed before.
    Before,
}

/// The answer of [`TanStore::release`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: both answers of the transition")]
pub enum Released {
    /// The TAN is free again.
    Now,
    /// There is no such reservation.
    NotReserved,
}

/// A result to be recorded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must write every field; a new one has to break it")]
pub struct NewTestResult {
    /// What it is filed under.
    pub id: TestIdHash,
    /// The result.
    pub result: TestResult,
    /// When the sample was taken.
    pub sample_collected_at: UnixTime,
    /// Who says so.
    pub lab_id: Option<LabId>,
}

/// What became of a batch of results. The numbers add up to the batch, but for `positives_withdrawn`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store builds it; a new count has to break it")]
pub struct RecordedResults {
    /// New ids.
    pub created: u32,
    /// Ids that have a new result.
    pub updated: u32,
    /// Ids that were final and stayed as they were.
    pub refused: u32,
    /// Of `updated`: those that permitted an upload and do so no more. Worth a warning to the operator.
    pub positives_withdrawn: u32,
}

/// Ages, as moments: what is older has to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must heed every field; a new one has to break it")]
pub struct Retention {
    /// Results created then or earlier can no longer be retrieved.
    pub results_redeemed_before: UnixTime,
    /// Results created then or earlier are deleted.
    pub results_deleted_before: UnixTime,
    /// teleTANs issued later still count for the issue limit.
    pub tele_tans_counted_from: UnixTime,
}

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store builds it; a new count has to break it")]
pub struct Purged {
    /// Results that became redeemed and stay as such.
    pub results_redeemed: u64,
    /// Results deleted.
    pub results_deleted: u64,
    /// Sessions deleted.
    pub sessions: u64,
    /// Used test ids deleted.
    pub test_ids: u64,
    /// teleTANs deleted.
    pub tele_tans: u64,
    /// TANs deleted.
    pub tans: u64,
    /// Receipts deleted.
    pub receipts: u64,
}

/// Why no session was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError<E> {
    /// The hashed GUID or the date-of-birth hash has had its session.
    #[error("the test has already been registered")]
    AlreadyRegistered,
    /// No such teleTAN.
    #[error("no such teleTAN was issued")]
    UnknownTeleTan,
    /// Too late for this teleTAN (or, with clocks apart, too early).
    #[error("the teleTAN is valid only until {}", valid_until.as_secs())]
    ExpiredTeleTan {
        /// The first moment at which it was not valid any more.
        valid_until: UnixTime,
    },
    /// The teleTAN has had its session.
    #[error("the teleTAN has already been redeemed")]
    RedeemedTeleTan,
    /// Another session has this registration token: draw another salt.
    #[error("the registration token is already taken")]
    TokenTaken,
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why no teleTAN was issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueTeleTanError<E> {
    /// The same code was drawn before: draw another one.
    #[error("the teleTAN is already taken")]
    Taken,
    /// Too many in the window.
    #[error("{limit} teleTANs have been issued within the window")]
    LimitReached {
        /// The most that may be issued in the window.
        limit: u32,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why no TAN was issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueTanError<E> {
    /// No such session, or it has expired.
    #[error("no such registration token was given out, or it has expired")]
    UnknownSession,
    /// All TANs of the session are used.
    #[error("all {limit} TANs of the registration token have been used")]
    Exhausted {
        /// The most TANs of a session.
        limit: u32,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why a TAN was not reserved. Clients must not learn which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError<E> {
    /// Never issued, used up with another payload, or forgotten.
    #[error("no such TAN is outstanding")]
    Unknown,
    /// Too late.
    #[error("the TAN was valid only until {}", valid_until.as_secs())]
    Expired {
        /// The first moment at which it was not valid any more.
        valid_until: UnixTime,
    },
    /// Another payload is being stored with it.
    #[error("the TAN is reserved for another payload until {}", lease_end.as_secs())]
    Reserved {
        /// The first moment at which it can be reserved for another payload.
        lease_end: UnixTime,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why an upload was not confirmed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError<E> {
    /// Never granted, released, or lapsed and taken over.
    #[error("no such reservation is held")]
    Unknown,
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why a TAN was not consumed. Clients must not learn which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError<E> {
    /// Never issued, used up, or forgotten.
    #[error("no such TAN is outstanding")]
    Unknown,
    /// Too late.
    #[error("the TAN was valid only until {}", valid_until.as_secs())]
    Expired {
        /// The first moment at which it was not valid any more.
        valid_until: UnixTime,
    },
    /// A payload is being stored with it.
    #[error("the TAN is reserved until {}", lease_end.as_secs())]
    Reserved {
        /// The first moment at which it can be consumed.
        lease_end: UnixTime,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] E),
}
