//! Fake requests, on the phone's side: whatever a phone does, it looks the same from outside.
//!
//! Every action is three requests in a row: verification, verification, submission. Those that the action does not need
//! are dummies of the same size. So someone who watches the line sees that a phone did something, and not whether it
//! asked for a result, got a TAN or uploaded keys. A phone with nothing to do does the same at random times, and the day
//! after once more, as a phone that uploads its current day's key does
//! (solution architecture, "Corona-Warn-App Server").
//!
//! Nothing here opens a connection. A [`Playbook`] says what to send next and is told what came back; the bytes of a
//! submission are the caller's, who must give a dummy the size of a real one.
//!
//! ```
//! use cwa_verify::playbook::{Action, Playbook, Received, Request};
//! let mut rng = rand::rng();
//! let mut playbook = Playbook::new(Action::Dummy);
//! let mut pattern = String::new();
//! while let Some(request) = playbook.next(&mut rng) {
//!     pattern.push(match &request {
//!         Request::Verification { body, .. } => {
//!             assert_eq!(body.expose_bytes().len(), 250);
//!             'V'
//!         }
//!         Request::Submission { .. } => 'S',
//!     });
//!     playbook.received(Received::Nothing);
//! }
//! assert_eq!(pattern, "VVS");
//! ```

use core::fmt;

use cwa_crypto::UnixTime;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::fake::Intent;
use crate::message::{
    AnswerError, RegistrationKey, RegistrationRequest, RegistrationTokenAnswer, TanAnswer, TestResultAnswer,
    TokenRequest,
};
use crate::registration::RegistrationToken;
use crate::tan::Tan;

/// What a phone wants.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete by the protocol: the three actions of a phone, and none"
)]
pub enum Action {
    /// Register a test or a teleTAN, and ask for its result at once.
    Register(RequestBody),
    /// Ask for a result.
    Poll(RegistrationToken),
    /// Get a TAN and upload keys with it.
    Submit(RegistrationToken),
    /// Upload the same payload once more with the TAN it was sent with: the answer has been lost.
    SubmitAgain(Tan),
    /// Nothing.
    Dummy,
}

/// The body of a request of a phone, 250 bytes. Secret: it contains what the request is about.
///
/// The one of a registration is to be kept until it has been answered, and sent again if it was not.
#[derive(Clone)]
pub struct RequestBody(Zeroizing<Vec<u8>>);

impl RequestBody {
    /// A new registration request for this key.
    pub fn registration(key: &RegistrationKey, rng: &mut impl CryptoRng) -> Self {
        Self(RegistrationRequest::encode(key, rng).into())
    }

    /// The body with these bytes, for example one that was kept.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// The secret bytes, for the wire, or for keeping them.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }

    fn token(token: &RegistrationToken, rng: &mut impl CryptoRng) -> Self {
        Self(TokenRequest::encode(token, rng).into())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

/// One action of a phone, as three requests.
///
/// Call [`next`](Self::next), send what it gives, call [`received`](Self::received), until there is nothing more to
/// send; then [`outcome`](Self::outcome). If a real request fails, the ones that depended on it become dummies: the
/// pattern stays.
#[derive(Clone, Debug)]
pub struct Playbook {
    action: Action,
    sent: u8,
    awaited: Option<Awaited>,
    outcome: Outcome,
}

impl Playbook {
    /// Begins an action.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { action, sent: 0, awaited: None, outcome: Outcome::default() }
    }

    /// The next request, or none after three.
    ///
    /// A request whose answer was never given counts as unanswered.
    pub fn next(&mut self, rng: &mut impl CryptoRng) -> Option<Request> {
        if self.awaited.take().is_some_and(|awaited| awaited != Awaited::Dummy) {
            self.fail(Failure::Unanswered);
        }
        self.sent = self.sent.saturating_add(1);
        let real = if self.outcome.failure.is_some() { None } else { self.real(rng) };
        let (request, awaited) = match real {
            Some(real) => real,
            None => (Self::dummy(self.sent, rng)?, Awaited::Dummy),
        };
        self.awaited = Some(awaited);
        Some(request)
    }

    /// What came back for the request that [`next`](Self::next) gave last.
    pub fn received(&mut self, received: Received<'_>) {
        let Some(awaited) = self.awaited.take() else { return };
        if awaited == Awaited::Dummy {
            return;
        }
        let (status, body) = match received {
            Received::Nothing => return self.fail(Failure::Unanswered),
            Received::Answer { status: status @ 200..=299, body } => (status, body),
            Received::Answer { status, .. } => return self.fail(Failure::Refused { status }),
        };
        let read = match awaited {
            Awaited::RegistrationToken => RegistrationTokenAnswer::parse(body)
                .map(|answer| self.outcome.registration_token = Some(answer.token)),
            Awaited::TestResult => {
                TestResultAnswer::parse(body).map(|answer| self.outcome.test_result = Some(answer))
            }
            Awaited::Tan => TanAnswer::parse(body).map(|answer| self.outcome.tan = Some(answer.tan)),
            Awaited::Submission => {
                self.outcome.submission_status = Some(status);
                Ok(())
            }
            Awaited::Dummy => Ok(()),
        };
        if let Err(error) = read {
            self.fail(Failure::Answer(error));
        }
    }

    /// What has come of the action.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let mut outcome = self.outcome;
        if outcome.failure.is_none() && self.awaited.is_some_and(|awaited| awaited != Awaited::Dummy) {
            outcome.failure = Some(Failure::Unanswered);
        }
        outcome
    }

    /// The request that the action itself makes at this place, if it makes one.
    fn real(&mut self, rng: &mut impl CryptoRng) -> Option<(Request, Awaited)> {
        let verification = |endpoint, body| Request::Verification { endpoint, intent: Intent::Real, body };
        Some(match (&self.action, self.sent) {
            (Action::Register(body), 1) => {
                (verification(Endpoint::RegistrationToken, body.clone()), Awaited::RegistrationToken)
            }
            (Action::Register(_), 2) => {
                let token = self.outcome.registration_token.as_ref()?;
                (verification(Endpoint::TestResult, RequestBody::token(token, rng)), Awaited::TestResult)
            }
            (Action::Poll(token), 1) => {
                (verification(Endpoint::TestResult, RequestBody::token(token, rng)), Awaited::TestResult)
            }
            (Action::Submit(token), 2) => {
                (verification(Endpoint::Tan, RequestBody::token(token, rng)), Awaited::Tan)
            }
            (Action::Submit(_), 3) => {
                let tan = self.outcome.tan.clone()?;
                (Request::Submission { intent: Intent::Real, tan }, Awaited::Submission)
            }
            (Action::SubmitAgain(tan), 3) => {
                self.outcome.tan = Some(tan.clone());
                (Request::Submission { intent: Intent::Real, tan: tan.clone() }, Awaited::Submission)
            }
            _ => return None,
        })
    }

    /// A request that changes nothing, for the first, second or third place.
    fn dummy(place: u8, rng: &mut impl CryptoRng) -> Option<Request> {
        let intent = Intent::Fake;
        let body = |rng: &mut _| RequestBody::token(&RegistrationToken::generate(rng), rng);
        match place {
            1 => Some(Request::Verification { endpoint: Endpoint::TestResult, intent, body: body(rng) }),
            2 => Some(Request::Verification { endpoint: Endpoint::Tan, intent, body: body(rng) }),
            3 => Some(Request::Submission { intent, tan: Tan::generate(rng) }),
            _ => None,
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.outcome.failure.get_or_insert(failure);
    }
}

/// Something to send.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "complete by the protocol: the two servers that phones send to")]
pub enum Request {
    /// To the verification server, as JSON.
    Verification {
        /// Where to.
        endpoint: Endpoint,
        /// The header `cwa-fake`.
        intent: Intent,
        /// 250 bytes.
        body: RequestBody,
    },
    /// To the submission server. The body is the caller's: with [`Intent::Real`] the keys, with [`Intent::Fake`] none,
    /// in both cases padded to the same size.
    Submission {
        /// The header `cwa-fake`.
        intent: Intent,
        /// The header `cwa-authorization`.
        tan: Tan,
    },
}

/// Where a verification request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete by the protocol: the endpoints for phones")]
pub enum Endpoint {
    /// `registrationToken`.
    RegistrationToken,
    /// `testresult`.
    TestResult,
    /// `tan`.
    Tan,
}

impl Endpoint {
    /// The path on the verification server.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::RegistrationToken => "/version/v1/registrationToken",
            Self::TestResult => "/version/v1/testresult",
            Self::Tan => "/version/v1/tan",
        }
    }

    /// Characters of the header `cwa-header-padding` that make up for the shorter path: 0, 7 or 14.
    #[must_use]
    pub const fn header_padding_length(self) -> usize {
        Self::RegistrationToken.path().len() - self.path().len()
    }
}

/// What came back for a request.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "complete: there is an answer or there is none")]
pub enum Received<'a> {
    /// An answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
    /// None: the connection failed, or it was not waited for.
    Nothing,
}

/// What has come of an action. Dummies leave nothing behind.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The registration token, to be kept.
    pub registration_token: Option<RegistrationToken>,
    /// The result.
    pub test_result: Option<TestResultAnswer>,
    /// The TAN. Keep it with the payload if the submission was not answered, for [`Action::SubmitAgain`].
    pub tan: Option<Tan>,
    /// The status with which the submission was accepted.
    pub submission_status: Option<u16>,
    /// What went wrong first.
    pub failure: Option<Failure>,
}

/// What can go wrong with a real request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No answer.
    #[error("there was no answer")]
    Unanswered,
    /// An answer other than success.
    #[error("the server answered with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// An answer that could not be used.
    #[error("the server's answer cannot be used")]
    Answer(#[source] AnswerError),
}

/// When a phone that has nothing to do makes traffic, and when it uploads a second time.
///
/// In every [period](Self::PERIOD_SECONDS) there is one dummy action, at any second of it with equal probability; and on
/// the day after a second one, at a moment drawn as [`second_upload_at`](Self::second_upload_at) draws it for real.
/// Persist it: a schedule that begins anew with every start of the app shows when the app is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackgroundSchedule {
    period_start: UnixTime,
    next: UnixTime,
    second: Option<UnixTime>,
}

impl BackgroundSchedule {
    /// One dummy action in so many seconds: a day.
    pub const PERIOD_SECONDS: u64 = 86_400;

    /// Second uploads are spread over so many seconds after midnight UTC, when the day's key has ended: six hours.
    pub const SECOND_UPLOAD_SPREAD_SECONDS: u64 = 6 * 3600;

    /// Begins a schedule.
    pub fn new(now: UnixTime, rng: &mut impl CryptoRng) -> Self {
        Self { period_start: now, next: now.plus(below(Self::PERIOD_SECONDS, rng)), second: None }
    }

    /// The schedule with these moments, as they were stored: see [`parts`](Self::parts).
    #[must_use]
    pub const fn from_parts(period_start: UnixTime, next: UnixTime, second: Option<UnixTime>) -> Self {
        Self { period_start, next, second }
    }

    /// The beginning of the period, the next dummy action and, if there is one to come, the dummy second upload.
    #[must_use]
    pub const fn parts(&self) -> (UnixTime, UnixTime, Option<UnixTime>) {
        (self.period_start, self.next, self.second)
    }

    /// When [`tick`](Self::tick) has something to do next.
    #[must_use]
    pub fn due(&self) -> UnixTime {
        self.second.map_or(self.next, |second| second.min(self.next))
    }

    /// The action that is due, if one is. Call it again until none is.
    ///
    /// Periods in which the phone was off are not made up for.
    pub fn tick(&mut self, now: UnixTime, rng: &mut impl CryptoRng) -> Option<Background> {
        if self.second.is_some_and(|second| second <= now) {
            self.second = None;
            return Some(Background::SecondUpload);
        }
        if now < self.next {
            return None;
        }
        self.second = Some(Self::second_upload_at(now, rng));
        let periods = now.seconds_since(self.period_start) / Self::PERIOD_SECONDS + 1;
        self.period_start = self.period_start.plus(periods.saturating_mul(Self::PERIOD_SECONDS));
        self.next = self.period_start.plus(below(Self::PERIOD_SECONDS, rng));
        Some(Background::Action)
    }

    /// When the current day's key follows an upload at `first`: after the following midnight UTC, when it has ended.
    ///
    /// ```
    /// use cwa_crypto::UnixTime;
    /// use cwa_verify::playbook::BackgroundSchedule;
    /// let noon = UnixTime::from_secs(1_595_419_200);
    /// let second = BackgroundSchedule::second_upload_at(noon, &mut rand::rng());
    /// assert_eq!(second.day(), noon.day().next());
    /// ```
    pub fn second_upload_at(first: UnixTime, rng: &mut impl CryptoRng) -> UnixTime {
        first.day().next().start().plus(below(Self::SECOND_UPLOAD_SPREAD_SECONDS, rng))
    }
}

/// A dummy action that is due; run a [`Playbook`] with [`Action::Dummy`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "complete: what is faked is an action or its second upload")]
pub enum Background {
    /// As if the phone registered, polled or uploaded.
    Action,
    /// As if it uploaded its current day's key, the day after.
    SecondUpload,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Awaited {
    RegistrationToken,
    TestResult,
    Tan,
    Submission,
    Dummy,
}

/// A number below `bound`. Its bias is below `bound / 2⁶⁴`.
fn below(bound: u64, rng: &mut impl CryptoRng) -> u64 {
    let wide = u128::from(rng.next_u64()) * u128::from(bound);
    u64::try_from(wide >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use subtle::ConstantTimeEq as _;

    use super::*;
    use crate::guid::HashedGuid;
    use crate::message::error_body;
    use crate::test_result::TestResult;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const NOON: UnixTime = UnixTime::from_secs(1_595_419_200);

    /// Runs a playbook against a server that answers right, but for one request that gets `wrong`.
    fn run(action: Action, wrong: Option<(usize, Received<'_>)>) -> (Vec<(String, Intent)>, Outcome) {
        let rng = &mut StdRng::seed_from_u64(7);
        let mut playbook = Playbook::new(action);
        let mut requests = Vec::new();
        while let Some(request) = playbook.next(rng) {
            let (name, intent, answer) = match request {
                Request::Verification { endpoint, intent, body } => {
                    assert_eq!(body.expose_bytes().len(), 250);
                    let answer = match endpoint {
                        Endpoint::RegistrationToken => {
                            RegistrationTokenAnswer::new(RegistrationToken::from_prf(&[1; 32])).encode(rng)
                        }
                        Endpoint::TestResult => {
                            TestResultAnswer::new(TestResult::Negative, NOON, None).encode(rng)
                        }
                        Endpoint::Tan => TanAnswer::new(Tan::from_prf(&[2; 32])).encode(rng),
                    };
                    (endpoint.path().replace("/version/v1/", ""), intent, answer)
                }
                Request::Submission { intent, tan } => {
                    let expected = tan.ct_eq(&Tan::from_prf(&[2; 32]));
                    assert_eq!(bool::from(expected), intent == Intent::Real);
                    ("diagnosis-keys".to_owned(), intent, Vec::new())
                }
            };
            requests.push((name, intent));
            match wrong {
                Some((place, received)) if place == requests.len() => playbook.received(received),
                _ => playbook.received(Received::Answer { status: 200, body: &answer }),
            }
        }
        (requests, playbook.outcome())
    }

    fn pattern(requests: &[(String, Intent)]) -> String {
        let mark = |intent: &Intent| if *intent == Intent::Real { "!" } else { "" };
        requests.iter().map(|(name, intent)| format!("{name}{} ", mark(intent))).collect()
    }

    fn token() -> RegistrationToken {
        RegistrationToken::from_prf(&[1; 32])
    }

    fn registration() -> Action {
        let key = RegistrationKey::Test { guid: HashedGuid::of_text("test"), date_of_birth: None };
        Action::Register(RequestBody::registration(&key, &mut StdRng::seed_from_u64(3)))
    }

    #[test]
    fn every_action_is_verification_verification_submission() {
        let (requests, outcome) = run(registration(), None);
        insta::assert_snapshot!(pattern(&requests), @"registrationToken! testresult! diagnosis-keys ");
        assert!(outcome.registration_token.is_some() && outcome.failure.is_none());
        assert_eq!(outcome.test_result.unwrap().result, TestResult::Negative);

        let (requests, outcome) = run(Action::Poll(token()), None);
        insta::assert_snapshot!(pattern(&requests), @"testresult! tan diagnosis-keys ");
        assert!(outcome.test_result.is_some() && outcome.tan.is_none());

        let (requests, outcome) = run(Action::Submit(token()), None);
        insta::assert_snapshot!(pattern(&requests), @"testresult tan! diagnosis-keys! ");
        assert!(outcome.tan.is_some() && outcome.test_result.is_none());
        assert_eq!((outcome.submission_status, outcome.failure), (Some(200), None));

        let (requests, outcome) = run(Action::SubmitAgain(Tan::from_prf(&[2; 32])), None);
        insta::assert_snapshot!(pattern(&requests), @"testresult tan diagnosis-keys! ");
        assert_eq!(outcome.submission_status, Some(200));

        let (requests, outcome) = run(Action::Dummy, None);
        insta::assert_snapshot!(pattern(&requests), @"testresult tan diagnosis-keys ");
        assert!(outcome.test_result.is_none() && outcome.tan.is_none() && outcome.failure.is_none());
    }

    #[test]
    fn after_a_failure_the_rest_is_dummies() {
        let error = error_body(&mut StdRng::seed_from_u64(1));
        let refused = Received::Answer { status: 400, body: &error };
        let (requests, outcome) = run(registration(), Some((1, refused)));
        insta::assert_snapshot!(pattern(&requests), @"registrationToken! tan diagnosis-keys ");
        assert_eq!(outcome.failure, Some(Failure::Refused { status: 400 }));

        let (requests, outcome) = run(Action::Submit(token()), Some((2, Received::Nothing)));
        insta::assert_snapshot!(pattern(&requests), @"testresult tan! diagnosis-keys ");
        assert_eq!(outcome.failure, Some(Failure::Unanswered));

        let nonsense = Received::Answer { status: 201, body: b"{}" };
        let (requests, outcome) = run(Action::Submit(token()), Some((2, nonsense)));
        assert_eq!(requests.len(), 3);
        assert!(matches!(outcome.failure, Some(Failure::Answer(AnswerError::Json { .. }))));

        // What has been reached before the failure stays.
        let (_, outcome) = run(Action::Submit(token()), Some((3, Received::Nothing)));
        assert!(outcome.tan.is_some());
        assert_eq!((outcome.submission_status, outcome.failure), (None, Some(Failure::Unanswered)));
        let (_, outcome) = run(registration(), Some((2, refused)));
        assert!(outcome.registration_token.is_some() && outcome.failure.is_some());
    }

    #[test]
    fn whatever_becomes_of_a_dummy_is_no_failure() {
        for place in 1..=3 {
            for received in [Received::Nothing, Received::Answer { status: 500, body: b"" }] {
                let (requests, outcome) = run(Action::Dummy, Some((place, received)));
                assert_eq!((requests.len(), outcome.failure), (3, None));
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_reported_has_not_come() {
        let rng = &mut StdRng::seed_from_u64(7);
        let mut playbook = Playbook::new(registration());
        assert_eq!(core::iter::from_fn(|| playbook.next(rng)).count(), 3);
        assert!(playbook.next(rng).is_none());
        assert_eq!(playbook.outcome().failure, Some(Failure::Unanswered));

        let mut playbook = Playbook::new(Action::Poll(token()));
        playbook.next(rng);
        assert_eq!(playbook.clone().outcome().failure, Some(Failure::Unanswered));
        playbook.received(Received::Answer { status: 200, body: br#"{"testResult":2}"# });
        playbook.received(Received::Nothing);
        assert_eq!(playbook.outcome().failure, None);
    }

    #[test]
    fn a_registration_is_sent_again_byte_for_byte() {
        let action = registration();
        let rng = &mut StdRng::seed_from_u64(9);
        let mut first = |action: &Action| match Playbook::new(action.clone()).next(rng) {
            Some(Request::Verification { body, .. }) => body.expose_bytes().to_vec(),
            other => panic!("{other:?}"),
        };
        let body = first(&action);
        assert_eq!(body, first(&action));
        assert!(RegistrationRequest::parse(&body).unwrap().retry.is_some());
    }

    #[test]
    fn header_padding_makes_up_for_shorter_paths() {
        let lengths = [Endpoint::RegistrationToken, Endpoint::TestResult, Endpoint::Tan]
            .map(Endpoint::header_padding_length);
        assert_eq!(lengths, [0, 7, 14]);
    }

    #[test]
    fn there_is_one_dummy_action_a_day_and_a_second_one_on_the_day_after() {
        let rng = &mut StdRng::seed_from_u64(1);
        let mut schedule = BackgroundSchedule::new(NOON, rng);
        let (mut actions, mut seconds) = (Vec::new(), Vec::new());
        while schedule.due() < NOON.plus(100 * BackgroundSchedule::PERIOD_SECONDS) {
            let now = schedule.due();
            assert_eq!(schedule.tick(now.minus(1), rng), None);
            match schedule.tick(now, rng) {
                Some(Background::Action) => actions.push(now),
                Some(Background::SecondUpload) => seconds.push(now),
                None => panic!("nothing was due at {now:?}"),
            }
        }
        let periods: Vec<_> = actions
            .iter()
            .map(|time| time.seconds_since(NOON) / BackgroundSchedule::PERIOD_SECONDS)
            .collect();
        assert_eq!(periods, (0..100).collect::<Vec<_>>());
        for time in &seconds {
            let after_midnight = time.seconds_since(time.day().start());
            assert!(after_midnight < BackgroundSchedule::SECOND_UPLOAD_SPREAD_SECONDS);
            assert!(actions.iter().any(|action| action.day().next() == time.day()));
        }
        assert!(seconds.len() > 50, "{}", seconds.len());
        let hours: std::collections::BTreeSet<_> =
            actions.iter().map(|time| time.as_secs() / 3600 % 24).collect();
        assert!(hours.len() > 20, "spread over the day: {hours:?}");
    }

    #[test]
    fn a_phone_that_was_off_does_not_make_up_for_it() {
        let rng = &mut StdRng::seed_from_u64(1);
        let mut schedule = BackgroundSchedule::new(NOON, rng);
        let later = NOON.plus(10 * BackgroundSchedule::PERIOD_SECONDS + 5);
        assert_eq!(schedule.tick(later, rng), Some(Background::Action));
        assert_eq!(schedule.tick(later, rng), None);
        let (period_start, next, second) = schedule.parts();
        assert_eq!(period_start, NOON.plus(11 * BackgroundSchedule::PERIOD_SECONDS));
        assert!(next >= period_start);
        assert_eq!(second.unwrap().day(), later.day().next());
        assert_eq!(BackgroundSchedule::from_parts(period_start, next, second), schedule);
    }

    #[test]
    fn debug_shows_no_secret() {
        insta::assert_snapshot!(format!("{:?}", registration()), @"Register(RequestBody { .. })");
        let request = Playbook::new(Action::Poll(token())).next(&mut StdRng::seed_from_u64(1)).unwrap();
        insta::assert_snapshot!(
            format!("{request:?}"),
            @"Verification { endpoint: TestResult, intent: Real, body: RequestBody { .. } }"
        );
        let upload = Playbook::new(Action::SubmitAgain(Tan::from_prf(&[2; 32])));
        assert!(!format!("{upload:?}").contains('['), "{upload:?}");
    }
}
