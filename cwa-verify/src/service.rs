//! The protocol: what the endpoints of the verification server do, without HTTP.
//!
//! A [`VerificationService`] is a store, a hash key and a policy. Each method is one request: it takes what was parsed,
//! `now` and where needed `rng`, makes one transition of the store, or two of which the first only reads, and gives the
//! answer or why there is none. The shell turns that into status codes; [`message`](crate::message) has the bodies.

use cwa_crypto::UnixTime;
use rand_core::CryptoRng;

use crate::fake::{self, Intent};
use crate::guid::TestId;
use crate::hash::{HashKey, PayloadDigest, ReservationId, RetryWindow, TanHash};
use crate::message::{
    LabResultsRequest, RegistrationKey, RegistrationRequest, RegistrationTokenAnswer, TanAnswer,
    TestResultAnswer,
};
use crate::registration::{RegistrationToken, TokenSalt};
use crate::seal::SealedTestIds;
use crate::store::{
    Claim, ConfirmError, Confirmed, ConsumeError, IssueLimit, IssueTanError, IssueTeleTanError, NewSession,
    NewTan, NewTeleTan, NewTestResult, Purged, RecordedResults, RegisterError, Registered, Released,
    ReserveError, Reserved, Retention, RetentionStore, Session, SessionSource, SessionStore, TanStore,
    TeleTanStore, TestResultStore,
};
use crate::tan::Tan;
use crate::tele_tan::{TeleTan, TeleTanType};
use crate::test_result::{StoredTestResult, TestResult};

/// Lifetimes and limits. The default is the one described at each field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// How long a session lives, in seconds: 21 days, as the German server keeps it.
    pub session_seconds: u64,
    /// How long the same registration request gets the same token, in seconds: 10 minutes.
    pub retry_seconds: u64,
    /// How long a TAN is valid, in seconds: 1 hour.
    // DEVIATION: the German server has 14 days, the solution architecture says short-lived.
    pub tan_seconds: u64,
    /// How many TANs of a session may be used: 2, for the past days and for the current one.
    // DEVIATION: the German server shipped 1, the solution architecture needs 2 ("As of now, two uploads are required").
    pub tans_per_session: u32,
    /// How long a TAN is held for one payload, in seconds: 60.
    pub lease_seconds: u64,
    /// How long a teleTAN for a test is valid, in seconds: 1 hour.
    pub tele_tan_test_seconds: u64,
    /// How long a teleTAN for an event is valid, in seconds: 2 days.
    pub tele_tan_event_seconds: u64,
    /// How many teleTANs may be issued, by all health officers together: 1000 per hour.
    pub issue_limit: IssueLimit,
    /// How long a test's result can be retrieved, in seconds since it is known: 21 days.
    pub result_seconds: u64,
    /// When a result is forgotten, in seconds since it is known: 60 days.
    pub result_kept_seconds: u64,
}

impl Default for Policy {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        const DAY: u64 = 24 * HOUR;
        Self {
            session_seconds: 21 * DAY,
            retry_seconds: 600,
            tan_seconds: HOUR,
            tans_per_session: 2,
            lease_seconds: 60,
            tele_tan_test_seconds: HOUR,
            tele_tan_event_seconds: 2 * DAY,
            issue_limit: IssueLimit { count: 1000, window_seconds: HOUR },
            result_seconds: 21 * DAY,
            result_kept_seconds: 60 * DAY,
        }
    }
}

impl Policy {
    /// How long a teleTAN of this type is valid, in seconds; one without a type is one for a test.
    #[must_use]
    pub const fn tele_tan_seconds(&self, kind: Option<TeleTanType>) -> u64 {
        match kind {
            None | Some(TeleTanType::Test) => self.tele_tan_test_seconds,
            Some(TeleTanType::Event) => self.tele_tan_event_seconds,
        }
    }
}

/// The verification server as a value.
///
/// Clone it freely: a store is a handle.
#[derive(Clone, Debug)]
pub struct VerificationService<S> {
    store: S,
    hash_key: HashKey,
    policy: Policy,
}

impl<S> VerificationService<S> {
    /// A service on this store.
    pub const fn new(store: S, hash_key: HashKey, policy: Policy) -> Self {
        Self { store, hash_key, policy }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What everything in the store is hashed under.
    #[must_use]
    pub const fn hash_key(&self) -> &HashKey {
        &self.hash_key
    }

    /// Lifetimes and limits.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl<S: SessionStore> VerificationService<S> {
    /// `POST /version/v1/registrationToken`: a token for a test or a teleTAN, once.
    ///
    /// The same request again, byte for byte, within [`Policy::retry_seconds`] and with enough padding, gets the same
    /// token: its answer may have been lost.
    ///
    /// # Errors
    ///
    /// Towards the phone, all but [`RegistrationError::Store`] are the same 400.
    pub async fn registration_token<R: CryptoRng>(
        &self,
        request: &RegistrationRequest,
        intent: Intent,
        now: UnixTime,
        rng: &mut R,
    ) -> Result<RegistrationTokenAnswer, RegistrationError<S::Error>> {
        if intent == Intent::Fake {
            let token = RegistrationToken::generate(rng);
            self.look_up(&token, now).await?;
            return Ok(RegistrationTokenAnswer::new(token));
        }
        let request_digest = request.retry.as_ref().map(|body| self.hash_key.request(body));
        let retry =
            request_digest.map(|request| RetryWindow { request, until: now.plus(self.policy.retry_seconds) });
        for _ in 0..ATTEMPTS {
            let salt = TokenSalt::generate(rng);
            let token = self.hash_key.derive_registration_token(&salt, request_digest.as_ref());
            let session = NewSession {
                token: self.hash_key.registration_token(&token),
                salt,
                claim: self.claim(&request.key, &token),
                retry,
                expires_at: now.plus(self.policy.session_seconds),
            };
            match self.store.register(session, now).await {
                Ok(Registered::Now) => return Ok(RegistrationTokenAnswer::new(token)),
                Ok(Registered::Before { salt }) => {
                    let token = self.hash_key.derive_registration_token(&salt, request_digest.as_ref());
                    return Ok(RegistrationTokenAnswer::new(token));
                }
                Err(RegisterError::TokenTaken) => {}
                Err(RegisterError::AlreadyRegistered) => return Err(RegistrationError::AlreadyRegistered),
                Err(RegisterError::UnknownTeleTan) => return Err(RegistrationError::UnknownTeleTan),
                Err(RegisterError::ExpiredTeleTan { .. }) => return Err(RegistrationError::ExpiredTeleTan),
                Err(RegisterError::RedeemedTeleTan) => return Err(RegistrationError::RedeemedTeleTan),
                Err(RegisterError::Store(error)) => return Err(RegistrationError::Store(error)),
            }
        }
        Err(RegistrationError::NoFreeToken)
    }

    fn claim(&self, key: &RegistrationKey, token: &RegistrationToken) -> Claim {
        match key {
            RegistrationKey::Test { guid, date_of_birth } => {
                let guid = TestId::from(guid.clone());
                Claim::Test {
                    guid: self.hash_key.test_id(&guid),
                    date_of_birth: date_of_birth.as_ref().map(|id| self.hash_key.test_id(id)),
                    sealed: SealedTestIds::seal(&guid, date_of_birth.as_ref(), token, &self.hash_key),
                }
            }
            RegistrationKey::TeleTan(code) => Claim::TeleTan(self.hash_key.tele_tan(code)),
        }
    }

    async fn look_up(&self, token: &RegistrationToken, now: UnixTime) -> Result<Option<Session>, S::Error> {
        self.store.session(self.hash_key.registration_token(token), now).await
    }
}

impl<S: SessionStore + TestResultStore> VerificationService<S> {
    /// `POST /version/v1/testresult` for phones: the result of the token's test.
    ///
    /// A test that no laboratory has reported is pending. A teleTAN is a positive result from when it was redeemed.
    /// A result older than [`Policy::result_seconds`] reads as redeemed.
    ///
    /// # Errors
    ///
    /// No such token (400); a date of birth that does not fit the test (403); the store's own.
    pub async fn test_result(
        &self,
        token: &RegistrationToken,
        intent: Intent,
        now: UnixTime,
    ) -> Result<TestResultAnswer, TestResultError<S::Error>> {
        let session = self.look_up(token, now).await?;
        if intent == Intent::Fake {
            return Ok(fake::test_result(now));
        }
        let session = session.ok_or(TestResultError::UnknownToken)?;
        match session.source {
            SessionSource::TeleTan(_) => {
                Ok(TestResultAnswer::new(TestResult::Positive, session.created_at, None))
            }
            SessionSource::Test(sealed) => {
                let (_, stored) = self.result_of(&sealed, token, now).await?;
                Ok(TestResultAnswer::new(stored.result, stored.sample_collected_at, stored.lab_id))
            }
        }
    }

    /// `POST /version/v1/testresult` for servers: the same, and which test it is.
    ///
    /// # Errors
    ///
    /// No such token (404); a token from a teleTAN, or a date of birth that does not fit the test (403); the store's
    /// own.
    pub async fn test_result_with_id(
        &self,
        token: &RegistrationToken,
        now: UnixTime,
    ) -> Result<TestResultAnswer, TestResultError<S::Error>> {
        let session = self.look_up(token, now).await?.ok_or(TestResultError::UnknownToken)?;
        let SessionSource::Test(sealed) = session.source else { return Err(TestResultError::NoTest) };
        let (id, stored) = self.result_of(&sealed, token, now).await?;
        let mut answer = TestResultAnswer::new(stored.result, stored.sample_collected_at, stored.lab_id);
        answer.test_id = Some(id);
        Ok(answer)
    }

    /// The result under the hashed GUID, and the proof that the one under the date-of-birth hash is the same.
    async fn result_of(
        &self,
        sealed: &SealedTestIds,
        token: &RegistrationToken,
        now: UnixTime,
    ) -> Result<(TestId, StoredTestResult), TestResultError<S::Error>> {
        let (guid, date_of_birth) = sealed.open(token, &self.hash_key).ok_or(TestResultError::Unreadable)?;
        let ids = [Some(&guid), date_of_birth.as_ref()].into_iter().flatten();
        let ids = ids.map(|id| self.hash_key.test_id(id)).collect();
        let mut results = self.store.results_of(ids, now).await?.into_iter();
        let mut stored = results.next().ok_or(TestResultError::Unreadable)?;
        // What is redeemed tells nothing any more, so there is nothing to prove; and the row under the date of birth may
        // have been uploaded later, and become redeemed later.
        let redeemed = stored.result == stored.result.redeemed() || self.is_too_old(&stored, now);
        // DateOfBirthKey: the laboratory uploads under both hashes, so a wrong date is pending or someone else's.
        if !redeemed && results.any(|other| other.result != stored.result) {
            return Err(TestResultError::DateOfBirthMismatch);
        }
        if redeemed {
            stored.result = stored.result.redeemed();
            stored.lab_id = None;
        }
        Ok((guid, stored))
    }
}

impl<S: SessionStore + TestResultStore + TanStore> VerificationService<S> {
    /// `POST /version/v1/tan`: a TAN, if the test is positive or the token comes from a teleTAN.
    ///
    /// Gives the TAN that is still to be used, if there is one: asking again costs nothing.
    ///
    /// # Errors
    ///
    /// Towards the phone, all but [`TanError::Store`] and [`TanError::Unreadable`] are the same 400.
    pub async fn tan<R: CryptoRng>(
        &self,
        token: &RegistrationToken,
        intent: Intent,
        now: UnixTime,
        rng: &mut R,
    ) -> Result<TanAnswer, TanError<S::Error>> {
        let session = self.look_up(token, now).await?;
        if intent == Intent::Fake {
            return Ok(TanAnswer::new(Tan::generate(rng)));
        }
        let session = session.ok_or(TanError::UnknownToken)?;
        if let SessionSource::Test(sealed) = session.source {
            let (_, stored) = self.result_of(&sealed, token, now).await.map_err(TanError::from_result)?;
            if !stored.result.permits_upload() {
                return Err(TanError::NotPositive { result: stored.result });
            }
        }
        let series = self.hash_key.tan_series(token);
        let new = NewTan {
            session: self.hash_key.registration_token(token),
            series: series.clone(),
            limit: self.policy.tans_per_session,
            valid_until: now.plus(self.policy.tan_seconds),
        };
        match self.store.issue_tan(new, now).await {
            Ok(issued) => Ok(TanAnswer::new(series.tan(issued.number))),
            Err(IssueTanError::UnknownSession) => Err(TanError::UnknownToken),
            Err(IssueTanError::Exhausted { limit }) => Err(TanError::Exhausted { limit }),
            Err(IssueTanError::Store(error)) => Err(TanError::Store(error)),
        }
    }
}

impl<S: TanStore> VerificationService<S> {
    /// Sets a TAN aside for one payload; store the keys, then [`confirm`](Self::confirm_tan) or
    /// [`release`](Self::release_tan) it.
    ///
    /// # Errors
    ///
    /// Towards the phone, all but [`ReserveError::Store`] are the same 403.
    pub async fn reserve_tan(
        &self,
        tan: &Tan,
        digest: &PayloadDigest,
        now: UnixTime,
    ) -> Result<Reservation, ReserveError<S::Error>> {
        let id = self.hash_key.reservation(tan, digest);
        let lease_end = now.plus(self.policy.lease_seconds);
        match self.store.reserve(self.hash_key.tan(tan), id, lease_end, now).await? {
            Reserved::Granted { kind } => {
                Ok(Reservation::Granted { id, lease_seconds: self.policy.lease_seconds, kind })
            }
            Reserved::Confirmed => Ok(Reservation::Confirmed { id }),
        }
    }

    /// What a store of keys and TANs both needs to redeem a TAN for one payload in a transaction of its own: the TAN's
    /// hash, and the id that it is to have a receipt under.
    #[must_use]
    pub fn redemption(&self, tan: &Tan, digest: &PayloadDigest) -> (TanHash, ReservationId) {
        (self.hash_key.tan(tan), self.hash_key.reservation(tan, digest))
    }

    /// The keys are stored: the TAN is used up. May be repeated.
    ///
    /// # Errors
    ///
    /// [`ConfirmError::Unknown`] if the reservation is not held any more: the keys must not stay.
    pub async fn confirm_tan(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<S::Error>> {
        self.store.confirm(reservation, now).await
    }

    /// Nothing was stored: the TAN keeps its worth. May be repeated.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub async fn release_tan(&self, reservation: ReservationId, now: UnixTime) -> Result<Released, S::Error> {
        self.store.release(reservation, now).await
    }

    /// `POST /version/v1/tan/verify`: uses a TAN up at once, for servers that know no reservations.
    ///
    /// Gives the type of the teleTAN behind it, for the header `X-CWA-TELETAN-TYPE`.
    ///
    /// # Errors
    ///
    /// Towards the server, all but [`ConsumeError::Store`] are the same 404.
    pub async fn consume_tan(
        &self,
        tan: &Tan,
        now: UnixTime,
    ) -> Result<Option<TeleTanType>, ConsumeError<S::Error>> {
        self.store.consume(self.hash_key.tan(tan), now).await
    }
}

impl<S: TeleTanStore> VerificationService<S> {
    /// `POST /version/v1/tan/teletan`: a teleTAN, for someone with these roles.
    ///
    /// | asked for | role that permits it |
    /// |---|---|
    /// | nothing in particular | [`Role::Hotline`] |
    /// | [`TeleTanType::Test`] | [`Role::Hotline`] or [`Role::HealthAuthority`] |
    /// | [`TeleTanType::Event`] | [`Role::EventHotline`] |
    ///
    // DEVIATION: the German server demands no particular role for an explicit TEST, so that someone who may only warn
    // an event's visitors can issue teleTANs that publish keys.
    ///
    /// # Errors
    ///
    /// No such role (401); too many teleTANs in the window (429); the store's own.
    pub async fn issue_tele_tan<R: CryptoRng>(
        &self,
        roles: &[Role],
        kind: Option<TeleTanType>,
        now: UnixTime,
        rng: &mut R,
    ) -> Result<IssuedTeleTan, TeleTanIssueError<S::Error>> {
        let permitted: &[Role] = match kind {
            None => &[Role::Hotline],
            Some(TeleTanType::Test) => &[Role::Hotline, Role::HealthAuthority],
            Some(TeleTanType::Event) => &[Role::EventHotline],
        };
        if !roles.iter().any(|role| permitted.contains(role)) {
            return Err(TeleTanIssueError::Forbidden);
        }
        let valid_until = now.plus(self.policy.tele_tan_seconds(kind));
        for _ in 0..ATTEMPTS {
            let tele_tan = TeleTan::generate(rng);
            let new = NewTeleTan { hash: self.hash_key.tele_tan(&tele_tan), kind, valid_until };
            match self.store.issue_tele_tan(new, self.policy.issue_limit, now).await {
                Ok(issued_in_window) => {
                    return Ok(IssuedTeleTan { tele_tan, valid_until, issued_in_window });
                }
                Err(IssueTeleTanError::Taken) => {}
                Err(IssueTeleTanError::LimitReached { limit }) => {
                    return Err(TeleTanIssueError::LimitReached { limit });
                }
                Err(IssueTeleTanError::Store(error)) => return Err(TeleTanIssueError::Store(error)),
            }
        }
        Err(TeleTanIssueError::NoFreeTeleTan)
    }
}

impl<S: TestResultStore> VerificationService<S> {
    /// `POST /api/v1/lab/results`: records a laboratory's results, all or none.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub async fn record_results(
        &self,
        request: &LabResultsRequest,
        now: UnixTime,
    ) -> Result<RecordedResults, S::Error> {
        let results = request.results.iter().map(|result| NewTestResult {
            id: self.hash_key.test_id(&result.id),
            result: result.result,
            sample_collected_at: result.sample_collected_at.unwrap_or(now),
            lab_id: request.lab_id.clone(),
        });
        self.store.record_results(results.collect(), self.results_redeemed_before(now), now).await
    }

    /// `POST /api/v1/app/result`: the result under one hash, pending if there is none.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub async fn result_of_test(&self, id: &TestId, now: UnixTime) -> Result<TestResultAnswer, S::Error> {
        let results = self.store.results_of(vec![self.hash_key.test_id(id)], now).await?;
        let mut answer = TestResultAnswer::new(TestResult::Pending, now, None);
        if let Some(stored) = results.into_iter().next() {
            let too_old = self.is_too_old(&stored, now);
            answer.result = if too_old { stored.result.redeemed() } else { stored.result };
            answer.sample_collected_at = Some(stored.sample_collected_at);
            answer.lab_id = stored.lab_id.filter(|_| !too_old);
        }
        Ok(answer)
    }
}

impl<S: RetentionStore> VerificationService<S> {
    /// Forgets what has to be forgotten; once an hour is often enough.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub async fn purge(&self, now: UnixTime) -> Result<Purged, S::Error> {
        let retention = Retention {
            results_redeemed_before: self.results_redeemed_before(now),
            results_deleted_before: now.minus(self.policy.result_kept_seconds),
            tele_tans_counted_from: now.minus(self.policy.issue_limit.window_seconds),
        };
        self.store.purge(retention, now).await
    }
}

impl<S> VerificationService<S> {
    fn results_redeemed_before(&self, now: UnixTime) -> UnixTime {
        now.minus(self.policy.result_seconds)
    }

    fn is_too_old(&self, stored: &StoredTestResult, now: UnixTime) -> bool {
        stored.created_at <= self.results_redeemed_before(now)
    }
}

/// What someone who asks for teleTANs is entitled to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete by the protocol, and each has its own row in the matrix"
)]
pub enum Role {
    /// `c19hotline`: the telephone hotline.
    Hotline,
    /// `c19healthauthority`: a health authority.
    HealthAuthority,
    /// `c19hotline_event`: whoever warns the visitors of events.
    EventHotline,
}

impl Role {
    /// The role's name in a token of the identity provider.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hotline => "c19hotline",
            Self::HealthAuthority => "c19healthauthority",
            Self::EventHotline => "c19hotline_event",
        }
    }
}

impl core::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Hotline, Self::HealthAuthority, Self::EventHotline]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RoleError)
    }
}

/// The name of no role; other names in a token are none of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one of the roles c19hotline, c19healthauthority, c19hotline_event")]
#[non_exhaustive]
pub struct RoleError;

/// The answer of [`VerificationService::reserve_tan`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: both answers of the transition")]
pub enum Reservation {
    /// Store the keys, then confirm.
    Granted {
        /// What to confirm or release.
        id: ReservationId,
        /// How long it is held.
        lease_seconds: u64,
        /// What the TAN permits, if it goes back to a teleTAN with a type.
        kind: Option<TeleTanType>,
    },
    /// This upload was confirmed before: give the same answer again, store nothing.
    Confirmed {
        /// The reservation it had.
        id: ReservationId,
    },
}

/// The answer of [`VerificationService::issue_tele_tan`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedTeleTan {
    /// The teleTAN, to be read out.
    pub tele_tan: TeleTan,
    /// The first moment at which it is not valid any more.
    pub valid_until: UnixTime,
    /// How many were issued within the window of [`Policy::issue_limit`], this one included. Worth a warning near the
    /// limit.
    pub issued_in_window: u32,
}

/// Why there is no registration token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError<E> {
    /// The hashed GUID or the date-of-birth hash has had its token.
    #[error("the test has already been registered")]
    AlreadyRegistered,
    /// No such teleTAN.
    #[error("no such teleTAN was issued")]
    UnknownTeleTan,
    /// Too late for this teleTAN.
    #[error("the teleTAN has expired")]
    ExpiredTeleTan,
    /// The teleTAN has had its token.
    #[error("the teleTAN has already been redeemed")]
    RedeemedTeleTan,
    /// Several tokens in a row were taken: the random generator is broken.
    #[error("{ATTEMPTS} registration tokens in a row were already taken")]
    NoFreeToken,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why there is no test result.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TestResultError<E> {
    /// No such registration token, or it has expired.
    #[error("no such registration token was given out, or it has expired")]
    UnknownToken,
    /// The date-of-birth hash has another result than the hashed GUID.
    #[error("the date of birth does not belong to the test")]
    DateOfBirthMismatch,
    /// The token comes from a teleTAN, which names no test.
    #[error("the registration token belongs to a teleTAN, not to a test")]
    NoTest,
    /// What the store has of the session was not made with this server's key.
    #[error("the session cannot be read with this hash key")]
    Unreadable,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Why there is no TAN.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TanError<E> {
    /// No such registration token, or it has expired.
    #[error("no such registration token was given out, or it has expired")]
    UnknownToken,
    /// The test is not positive.
    #[error("the test result is {}, not positive", result.code())]
    NotPositive {
        /// The result.
        result: TestResult,
    },
    /// The date-of-birth hash has another result than the hashed GUID.
    #[error("the date of birth does not belong to the test")]
    DateOfBirthMismatch,
    /// All TANs of the token are used.
    #[error("all {limit} TANs of the registration token have been used")]
    Exhausted {
        /// The most TANs of a token.
        limit: u32,
    },
    /// What the store has of the session was not made with this server's key.
    #[error("the session cannot be read with this hash key")]
    Unreadable,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] E),
}

impl<E> TanError<E> {
    fn from_result(error: TestResultError<E>) -> Self {
        match error {
            TestResultError::UnknownToken => Self::UnknownToken,
            TestResultError::DateOfBirthMismatch => Self::DateOfBirthMismatch,
            TestResultError::NoTest | TestResultError::Unreadable => Self::Unreadable,
            TestResultError::Store(error) => Self::Store(error),
        }
    }
}

/// Why no teleTAN was issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TeleTanIssueError<E> {
    /// None of the roles permits it.
    #[error("none of the roles permits a teleTAN of this type")]
    Forbidden,
    /// Too many in the window.
    #[error("{limit} teleTANs have been issued within the window")]
    LimitReached {
        /// The most that may be issued in the window.
        limit: u32,
    },
    /// Several teleTANs in a row were taken: the random generator is broken.
    #[error("{ATTEMPTS} teleTANs in a row were already taken")]
    NoFreeTeleTan,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] E),
}

/// Draws before a collision is no longer taken for chance. Of 44.6 bits, with a million teleTANs alive, the probability
/// of three in a row is below 10⁻²².
const ATTEMPTS: u32 = 3;
