//! Known answers of the verification server, told in words: an endpoint and the states it can meet.
//!
//! The protocol is played against a store in memory, once for every state the words name, and its outcome turned into the status
//! that the German server has for it. What is about HTTP alone (media types, listeners) is no matter of the protocol and has no
//! runner; the server's own tests have it.

use cwa_crypto::UnixTime;
use cwa_verify::fake::Intent;
use cwa_verify::hash::{HashKey, HashKeyId};
use cwa_verify::message::{LabResultsRequest, RegistrationRequest, RequestError, TanRequest, TokenRequest};
use cwa_verify::service::TestResultError;
use cwa_verify::{HashedGuid, MemoryStore, Policy, RegistrationToken, Role, Tan, VerificationService};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Outcome, member, same};

pub(super) fn run(input: &Value, expected: &Value) -> Outcome {
    let play = || -> Result<bool, String> {
        let case = member::<String>(input, "case")?.to_lowercase();
        let expected: u16 = member(expected, "status")?;
        let Some((endpoint, states)) = read(&case) else { return Ok(false) };
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        for state in states {
            let status = runtime.block_on(World::new().play(endpoint, state))?;
            let status = status.ok_or_else(|| format!("{endpoint:?} cannot meet {state:?}"))?;
            same(&format!("status of {endpoint:?} for {state:?}"), &status, &expected)?;
        }
        Ok(true)
    };
    match play() {
        Ok(true) => Outcome::Passed,
        Ok(false) => Outcome::NoRunner,
        Err(message) => Outcome::Failed(message),
    }
}

#[derive(Clone, Copy, Debug)]
enum Endpoint {
    RegistrationToken,
    TestResult,
    InternalTestResult,
    Tan,
    VerifyTan,
    IssueTeleTan,
}

#[derive(Clone, Copy, Debug)]
enum State {
    AllInOrder,
    BadSyntax,
    DateOfBirthAsKey,
    DateOfBirthMismatch,
    Expired,
    NotPermitted,
    NotPositive,
    Redeemed,
    TooLarge,
    Unknown,
}

/// Endpoints by the words that name them; the first that fits.
const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("internal post /testresult", Endpoint::InternalTestResult),
    ("/testresult", Endpoint::TestResult),
    ("/tan/verify", Endpoint::VerifyTan),
    ("/tan/teletan", Endpoint::IssueTeleTan),
    ("/tan", Endpoint::Tan),
    ("keydob", Endpoint::RegistrationToken),
    ("teletan", Endpoint::RegistrationToken),
    ("guid", Endpoint::RegistrationToken),
    ("/registrationtoken", Endpoint::RegistrationToken),
    ("body >", Endpoint::RegistrationToken),
];

/// States by the words that name them; all that fit.
const STATES: &[(&str, State)] = &[
    (" ok", State::AllInOrder),
    ("bad syntax", State::BadSyntax),
    ("keydob used as key", State::DateOfBirthAsKey),
    ("dob mismatch", State::DateOfBirthMismatch),
    ("expired", State::Expired),
    ("role", State::NotPermitted),
    ("non-positive", State::NotPositive),
    ("redeemed", State::Redeemed),
    ("10000 bytes", State::TooLarge),
    ("unknown", State::Unknown),
    ("not found", State::Unknown),
];

/// What the words are about; `None` if they name no endpoint, or no state of the protocol.
fn read(case: &str) -> Option<(Endpoint, Vec<State>)> {
    let (_, endpoint) = ENDPOINTS.iter().find(|(word, _)| case.contains(word))?;
    let states: Vec<State> =
        STATES.iter().filter(|(word, _)| case.contains(word)).map(|(_, state)| *state).collect();
    (!states.is_empty()).then_some((*endpoint, states))
}

/// A server without HTTP, and the phones, laboratories and officers around it.
struct World {
    service: VerificationService<MemoryStore>,
    rng: StdRng,
    now: UnixTime,
}

const GUID: &str = "123456-12345678-1234-4DA7-B166-B86D85475064";
const NEGATIVE: u8 = 1;
const POSITIVE: u8 = 2;

impl World {
    fn new() -> Self {
        let hash_key = HashKey::new(HashKeyId::new(1), [1; HashKey::LENGTH]);
        Self {
            service: VerificationService::new(MemoryStore::new(), hash_key, Policy::default()),
            rng: StdRng::seed_from_u64(0),
            now: UnixTime::from_secs(1_595_426_400),
        }
    }

    /// The status of the German server for what the protocol answers; `None` if the endpoint cannot meet this state.
    async fn play(mut self, endpoint: Endpoint, state: State) -> Result<Option<u16>, String> {
        Ok(Some(match (endpoint, state) {
            (Endpoint::RegistrationToken, State::AllInOrder) => {
                self.registered_tele_tan().await?;
                201
            }
            (Endpoint::RegistrationToken, State::Unknown) => self
                .register(&json!({ "key": "9A3B578UMG", "keyType": "TELETAN" }))
                .await
                .err()
                .unwrap_or(201),
            (Endpoint::RegistrationToken, State::Expired) => {
                let body = self.issued_tele_tan().await?;
                self.now = self.now.plus(self.service.policy().tele_tan_seconds(None));
                self.register(&body).await.err().unwrap_or(201)
            }
            (Endpoint::RegistrationToken, State::Redeemed) => {
                let body = self.issued_tele_tan().await?;
                self.register(&body).await.map_err(refused)?;
                self.register(&body).await.err().unwrap_or(201)
            }
            (Endpoint::RegistrationToken, State::DateOfBirthAsKey) => {
                let key = format!("x{}", "0".repeat(63));
                self.register(&json!({ "key": key, "keyType": "GUID" })).await.err().unwrap_or(201)
            }
            (Endpoint::RegistrationToken, State::TooLarge) => {
                let padding = "x".repeat(10_000);
                let body = json!({ "key": hash(GUID), "keyType": "GUID", "requestPadding": padding });
                self.register(&body).await.err().unwrap_or(201)
            }
            (Endpoint::TestResult, State::AllInOrder) => {
                let token = self.registered_test(None).await?;
                self.test_result(&token).await
            }
            (Endpoint::TestResult, State::Unknown) => {
                let token = RegistrationToken::generate(&mut self.rng);
                self.test_result(&token).await
            }
            (Endpoint::TestResult, State::DateOfBirthMismatch) => {
                let token = self.registered_test(Some("x")).await?;
                self.upload(POSITIVE).await?;
                self.test_result(&token).await
            }
            (Endpoint::TestResult, State::BadSyntax) => {
                TokenRequest::parse(br#"{"registrationToken":"1ea6ce8a"}"#)
                    .err()
                    .map_or(200, status_of_request)
            }
            (Endpoint::InternalTestResult, State::Unknown) => {
                let token = RegistrationToken::generate(&mut self.rng);
                match self.service.test_result_with_id(&token, self.now).await {
                    Ok(_) => 200,
                    Err(TestResultError::UnknownToken) => 404,
                    Err(_) => 403,
                }
            }
            (Endpoint::Tan, State::AllInOrder) => {
                let token = self.registered_test(None).await?;
                self.upload(POSITIVE).await?;
                self.tan(&token).await.map_err(refused)?;
                let token = self.registered_tele_tan().await?;
                self.tan(&token).await.err().unwrap_or(201)
            }
            (Endpoint::Tan, State::Unknown) => {
                let token = RegistrationToken::generate(&mut self.rng);
                self.tan(&token).await.err().unwrap_or(201)
            }
            (Endpoint::Tan, State::NotPositive) => {
                let token = self.registered_test(None).await?;
                let pending = self.tan(&token).await.err().unwrap_or(201);
                self.upload(NEGATIVE).await?;
                same(
                    "status while pending and when negative",
                    &self.tan(&token).await.err().unwrap_or(201),
                    &pending,
                )?;
                pending
            }
            (Endpoint::VerifyTan, State::AllInOrder) => {
                let tan = self.issued_tan().await?;
                self.consume(&tan).await
            }
            (Endpoint::VerifyTan, State::Unknown) => {
                let tan = Tan::generate(&mut self.rng);
                self.consume(&tan).await
            }
            (Endpoint::VerifyTan, State::Expired) => {
                let tan = self.issued_tan().await?;
                self.now = self.now.plus(self.service.policy().tan_seconds);
                self.consume(&tan).await
            }
            (Endpoint::VerifyTan, State::Redeemed) => {
                let tan = self.issued_tan().await?;
                same("status of the first time", &self.consume(&tan).await, &200)?;
                self.consume(&tan).await
            }
            (Endpoint::VerifyTan, State::BadSyntax) => {
                TanRequest::parse(br#"{"tan":"1ea6ce8a"}"#).err().map_or(200, status_of_request)
            }
            (Endpoint::IssueTeleTan, State::AllInOrder) => {
                self.issued_tele_tan().await?;
                201
            }
            (Endpoint::IssueTeleTan, State::NotPermitted) => {
                let issued = self.service.issue_tele_tan(&[], None, self.now, &mut self.rng).await;
                if issued.is_ok() { 201 } else { 401 }
            }
            _ => return Ok(None),
        }))
    }

    /// A registration token for this body, or the status of the refusal.
    async fn register(&mut self, body: &Value) -> Result<RegistrationToken, u16> {
        let request = RegistrationRequest::parse(body.to_string().as_bytes()).map_err(status_of_request)?;
        let answer = self.service.registration_token(&request, Intent::Real, self.now, &mut self.rng).await;
        answer.map(|answer| answer.token).map_err(|_| 400)
    }

    /// A token for the test of [`GUID`], with a date-of-birth hash if there is something to make one of.
    async fn registered_test(&mut self, date_of_birth: Option<&str>) -> Result<RegistrationToken, String> {
        let mut body = json!({ "key": hash(GUID), "keyType": "GUID" });
        if let (Some(text), Some(members)) = (date_of_birth, body.as_object_mut()) {
            let marked: String = "x".chars().chain(hash(text).chars().skip(1)).collect();
            members.insert("keyDob".to_owned(), json!(marked));
        }
        self.register(&body).await.map_err(refused)
    }

    async fn registered_tele_tan(&mut self) -> Result<RegistrationToken, String> {
        let body = self.issued_tele_tan().await?;
        self.register(&body).await.map_err(refused)
    }

    /// The registration of a teleTAN that an officer just issued.
    async fn issued_tele_tan(&mut self) -> Result<Value, String> {
        let issued = self.service.issue_tele_tan(&[Role::Hotline], None, self.now, &mut self.rng).await;
        let issued = issued.map_err(|error| error.to_string())?;
        Ok(json!({ "key": issued.tele_tan.expose_text(), "keyType": "TELETAN" }))
    }

    /// The laboratory's result for the test of [`GUID`].
    async fn upload(&mut self, result: u8) -> Result<(), String> {
        let body =
            json!({ "testResults": [{ "id": hash(GUID), "result": result }], "labId": "laboratory" });
        let request =
            LabResultsRequest::parse(body.to_string().as_bytes()).map_err(|error| error.to_string())?;
        self.service.record_results(&request, self.now).await.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn test_result(&self, token: &RegistrationToken) -> u16 {
        match self.service.test_result(token, Intent::Real, self.now).await {
            Ok(_) => 200,
            Err(TestResultError::DateOfBirthMismatch) => 403,
            Err(_) => 400,
        }
    }

    async fn tan(&mut self, token: &RegistrationToken) -> Result<Tan, u16> {
        let answer = self.service.tan(token, Intent::Real, self.now, &mut self.rng).await;
        answer.map(|answer| answer.tan).map_err(|_| 400)
    }

    async fn issued_tan(&mut self) -> Result<Tan, String> {
        let token = self.registered_tele_tan().await?;
        self.tan(&token).await.map_err(refused)
    }

    async fn consume(&self, tan: &Tan) -> u16 {
        if self.service.consume_tan(tan, self.now).await.is_ok() { 200 } else { 404 }
    }
}

fn hash(text: &str) -> String {
    HashedGuid::of_text(text).expose_hex().to_string()
}

/// DEVIATION: the German server says 406 to a body that is too large, ours 413.
fn status_of_request(error: RequestError) -> u16 {
    if matches!(error, RequestError::TooLarge { .. }) { 406 } else { 400 }
}

fn refused(status: u16) -> String {
    format!("refused with {status} before the state was reached")
}
