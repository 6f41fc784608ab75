//! Known answers of the verification server over HTTP: which status a request gets, from a server that is started for it.
//!
//! The cases are told in words. The words choose endpoint and circumstances; the circumstances are brought about by
//! requests to a fresh server on loopback ports, and the last of them is the one whose status counts. What the words
//! do not choose has no runner.

use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cwa_crypto::UnixTime;
use cwa_export::{SignatureInfo, SoftwareSigner};
use cwa_test_vectors::Test;
use cwa_verify::message::{
    MAX_REQUEST_BYTES, RegistrationKey, RegistrationRequest, RegistrationTokenAnswer, TanAnswer,
    TeleTanAnswer, TokenRequest,
};
use cwa_verify::playbook::Endpoint;
use cwa_verify::{HashedGuid, RegistrationToken, Tan, TeleTan, TestId};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::{Outcome, member, same};
use crate::client::{Answer, Client};
use crate::clock::ProtocolClock;
use crate::server::{BearerToken, Credential, Permission, Policy, RunningServer, Server};

pub(super) fn run(test: &Test) -> Outcome {
    let case: Result<String, String> = member(&test.input, "case");
    let (case, expected) = match (case, member::<u16>(&test.expected, "status")) {
        (Ok(case), Ok(expected)) => (case, expected),
        (Err(message), _) | (_, Err(message)) => return Outcome::Failed(message),
    };
    let circumstances = Circumstance::told_by(&case);
    if circumstances.is_empty() {
        return Outcome::NoRunner;
    }
    let check = || {
        for circumstance in circumstances {
            let status = status_of(circumstance)?;
            same(&format!("{circumstance:?}: status"), &as_german(status), &expected)?;
        }
        Ok(())
    };
    check().into()
}

// DEVIATION: the German server says 406 of a body that is too large, which is about what a client accepts; ours says 413.
const fn as_german(status: u16) -> u16 {
    match status {
        413 => 406,
        status => status,
    }
}

/// In what circumstances a request is made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Circumstance {
    BodyTooLarge,
    OtherMediaType,
    OtherMethod,
    PhonesEndpointForServers,
    ServersEndpointForPhones,
    Registration(Registration),
    Result(Listener, Session),
    Tan(Session),
    TanExhausted,
    Verify(Verify),
    TeleTan(Issue),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Registration {
    Test,
    TestAgain,
    MalformedTest,
    MarkedHashAsKey,
    DateOfBirth,
    DateOfBirthAgain,
    MalformedDateOfBirth,
    TeleTan,
    UnknownTeleTan,
    ExpiredTeleTan,
    RedeemedTeleTan,
    MalformedTeleTan,
    NoKey,
    NoKeyType,
    UnknownKeyType,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Listener {
    Phones,
    Servers,
}

/// Whose registration token is sent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Session {
    Positive,
    Negative,
    OfTeleTan,
    OtherDateOfBirth,
    Unknown,
    Malformed,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verify {
    Valid,
    Unknown,
    Expired,
    Redeemed,
    Malformed,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Issue {
    Entitled,
    WithoutCredentials,
    WithoutRole,
    OverTheLimit,
    UnknownType,
}

impl Circumstance {
    /// The circumstances that the words tell of; none if they tell of something else.
    fn told_by(case: &str) -> Vec<Self> {
        let case = case.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| case.contains(word));
        if says(&["> 10000", "10001", "too large", "oversized"]) {
            return vec![Self::BodyTooLarge];
        }
        if says(&["media type", "content type", "content-type"]) {
            return vec![Self::OtherMediaType];
        }
        if says(&["method", "get /"]) {
            return vec![Self::OtherMethod];
        }
        if says(&["profile"]) {
            return vec![Self::PhonesEndpointForServers, Self::ServersEndpointForPhones];
        }
        let malformed = says(&["syntax", "malformed", "invalid", "bad"]);
        let unknown = says(&["unknown", "not found", "not exist", "nonexist"]);
        let right =
            case.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "ok" | "valid"));
        if says(&["/tan/verify"]) {
            let mut told = Vec::new();
            let verify = [
                (malformed, Verify::Malformed),
                (unknown, Verify::Unknown),
                (says(&["expired"]), Verify::Expired),
                (says(&["redeemed", "twice", "used"]), Verify::Redeemed),
            ];
            told.extend(verify.iter().filter(|(said, _)| *said).map(|(_, verify)| Self::Verify(*verify)));
            // "not yet valid" is nothing a TAN can be: it is valid from its first moment.
            if told.is_empty() && right && !says(&["not yet"]) {
                told.push(Self::Verify(Verify::Valid));
            }
            return told;
        }
        let one = if says(&["/tan/teletan"]) {
            if says(&["limit", "429", "too many"]) {
                Some(Self::TeleTan(Issue::OverTheLimit))
            } else if says(&["role", "forbidden"]) {
                Some(Self::TeleTan(Issue::WithoutRole))
            } else if says(&["jwt", "unauthor", "credential", "authorization", "bearer"]) {
                Some(Self::TeleTan(Issue::WithoutCredentials))
            } else if malformed || unknown || says(&["enum"]) {
                Some(Self::TeleTan(Issue::UnknownType))
            } else {
                right.then_some(Self::TeleTan(Issue::Entitled))
            }
        } else if says(&["/testresult"]) {
            let listener = if says(&["internal"]) { Listener::Servers } else { Listener::Phones };
            Session::told_by(&says, malformed, unknown, right).map(|session| Self::Result(listener, session))
        } else if says(&["/tan"]) {
            if says(&["counter", "exhausted", "reached", "max"]) {
                Some(Self::TanExhausted)
            } else if right && says(&["teletan"]) {
                return vec![Self::Tan(Session::Positive), Self::Tan(Session::OfTeleTan)];
            } else {
                Session::told_by(&says, malformed, unknown, right).map(Self::Tan)
            }
        } else {
            Registration::told_by(&says, malformed, unknown, right).map(Self::Registration)
        };
        one.into_iter().collect()
    }
}

impl Session {
    fn told_by(says: &dyn Fn(&[&str]) -> bool, malformed: bool, unknown: bool, right: bool) -> Option<Self> {
        Some(if says(&["dob", "date of birth"]) {
            Self::OtherDateOfBirth
        } else if says(&["non-positive", "not positive", "negative", "pending"]) {
            Self::Negative
        } else if says(&["teletan"]) {
            Self::OfTeleTan
        } else if malformed {
            Self::Malformed
        } else if unknown {
            Self::Unknown
        } else if right {
            Self::Positive
        } else {
            return None;
        })
    }
}

impl Registration {
    fn told_by(says: &dyn Fn(&[&str]) -> bool, malformed: bool, unknown: bool, right: bool) -> Option<Self> {
        let again = says(&["again", "already", "twice", "second", "registered", "duplicate", "exists"]);
        let missing = says(&["missing", "no key", "without key", "null"]);
        Some(if says(&["x-prefix", "used as key"]) {
            Self::MarkedHashAsKey
        } else if says(&["keytype", "key type"]) {
            if missing { Self::NoKeyType } else { Self::UnknownKeyType }
        } else if missing {
            Self::NoKey
        } else if says(&["teletan"]) {
            if says(&["expired"]) {
                Self::ExpiredTeleTan
            } else if again || says(&["redeemed", "used"]) {
                Self::RedeemedTeleTan
            } else if unknown {
                Self::UnknownTeleTan
            } else if malformed {
                Self::MalformedTeleTan
            } else if right {
                Self::TeleTan
            } else {
                return None;
            }
        } else if says(&["dob", "date of birth"]) {
            if again {
                Self::DateOfBirthAgain
            } else if malformed {
                Self::MalformedDateOfBirth
            } else if right {
                Self::DateOfBirth
            } else {
                return None;
            }
        } else if says(&["guid", "registrationtoken"]) {
            if again {
                Self::TestAgain
            } else if malformed {
                Self::MalformedTest
            } else if right {
                Self::Test
            } else {
                return None;
            }
        } else {
            return None;
        })
    }
}

/// The status of the request that the circumstances are about; found out once.
fn status_of(circumstance: Circumstance) -> Result<u16, String> {
    static KNOWN: Mutex<BTreeMap<Circumstance, u16>> = Mutex::new(BTreeMap::new());
    // A panic while the map is locked leaves it whole.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(status) = known().get(&circumstance) {
        return Ok(*status);
    }
    let status = find_out(circumstance)?;
    known().insert(circumstance, status);
    Ok(status)
}

/// Starts a server, brings the circumstances about, and makes the request.
fn find_out(circumstance: Circumstance) -> Result<u16, String> {
    let unusable = |error: &dyn core::fmt::Display| format!("no server could be started: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unusable(&error))?;
    let directory = tempfile::tempdir().map_err(|error| unusable(&error))?;
    runtime.block_on(async {
        let world = World::start(directory.path(), circumstance).await?;
        let status = world.bring_about(circumstance).await;
        world.server.shutdown().await;
        status
    })
}

/// A server, and everybody who talks to it.
struct World {
    server: RunningServer,
    clock: ProtocolClock,
    client: Client,
    laboratory: BearerToken,
    hotline: BearerToken,
    other_server: BearerToken,
    rng: Cell<u64>,
}

const NOW: UnixTime = UnixTime::from_secs(1_595_426_400);
const UNKNOWN: &str = "5b3f6b0f-3d6b-4b5e-9e0e-7f1f1d1c2b3a";

impl World {
    async fn start(directory: &std::path::Path, circumstance: Circumstance) -> Result<Self, String> {
        let mut rng = StdRng::seed_from_u64(1);
        let mut token = || BearerToken::generate(&mut rng);
        let (laboratory, hotline, other_server) = (token(), token(), token());
        let clock = ProtocolClock::manual(NOW);
        let mut policy = Policy { answer_deadline: Duration::ZERO, ..Policy::default() };
        if circumstance == Circumstance::TeleTan(Issue::OverTheLimit) {
            policy.verification.issue_limit.count = 1;
        }
        let signing_key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).map_err(|error| error.to_string())?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::builder(directory)
            .clock(clock.clone())
            .policy(policy)
            .scheduler(false)
            .signer(Arc::new(SoftwareSigner::new(signing_key, SignatureInfo::new("262", "v1"))))
            .credential(Credential::new("laboratory", [Permission::Laboratory], &laboratory))
            .credential(Credential::new("hotline", [Permission::Hotline], &hotline))
            .credential(Credential::new("server", [Permission::Server], &other_server))
            .external(free)
            .internal(free)
            .portal(free)
            .admin(free)
            .start()
            .await
            .map_err(|error| format!("no server could be started: {error}"))?;
        let client = Client::from_address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self { server, clock, client, laboratory, hotline, other_server, rng: Cell::new(0) })
    }

    async fn bring_about(&self, circumstance: Circumstance) -> Result<u16, String> {
        let json = ("content-type", "application/json");
        let answer = match circumstance {
            Circumstance::BodyTooLarge => {
                self.phone(Endpoint::TestResult.path(), vec![b' '; MAX_REQUEST_BYTES + 1]).await?
            }
            Circumstance::OtherMediaType => {
                let headers = [("content-type", "text/plain")];
                self.post(self.server.external_addr(), Endpoint::Tan.path(), &headers, b"{}".to_vec()).await?
            }
            Circumstance::OtherMethod => self
                .client
                .get(self.server.external_addr(), Endpoint::Tan.path())
                .await
                .map_err(|error| error.to_string())?,
            Circumstance::PhonesEndpointForServers => {
                self.post(self.server.internal_addr(), Endpoint::Tan.path(), &[json], b"{}".to_vec()).await?
            }
            Circumstance::ServersEndpointForPhones => {
                self.phone("/version/v1/tan/verify", b"{}".to_vec()).await?
            }
            Circumstance::Registration(registration) => self.registration(registration).await?,
            Circumstance::Result(listener, session) => {
                let body = self.token_body(session).await?;
                match listener {
                    Listener::Phones => self.phone(Endpoint::TestResult.path(), body).await?,
                    Listener::Servers => {
                        self.internal("/version/v1/testresult", Some(&self.other_server), body).await?
                    }
                }
            }
            Circumstance::Tan(session) => {
                let body = self.token_body(session).await?;
                self.phone(Endpoint::Tan.path(), body).await?
            }
            Circumstance::TanExhausted => {
                let token = self.session(Session::Positive).await?;
                for _ in 0..Policy::default().verification.tans_per_session {
                    let tan = self.tan(&token).await?;
                    self.verify(&tan).await?;
                }
                self.phone(Endpoint::Tan.path(), TokenRequest::encode(&token, &mut self.rng())).await?
            }
            Circumstance::Verify(verify) => self.verification(verify).await?,
            Circumstance::TeleTan(issue) => self.issue(issue).await?,
        };
        Ok(answer.status.as_u16())
    }

    async fn registration(&self, registration: Registration) -> Result<Answer, String> {
        let marked = format!("x{}", "1".repeat(63));
        let hash = HashedGuid::of_text("test").expose_hex();
        let of_test = json!({ "keyType": "GUID", "key": *hash });
        let with_date = |text: &str| json!({ "keyType": "GUID", "key": *hash, "keyDob": text });
        let of_tele_tan = |code: &str| json!({ "keyType": "TELETAN", "key": code });
        let mut before = None;
        let body = match registration {
            Registration::Test => of_test,
            Registration::TestAgain => before.insert(of_test).clone(),
            Registration::MalformedTest => json!({ "keyType": "GUID", "key": "0" }),
            Registration::MarkedHashAsKey => json!({ "keyType": "GUID", "key": marked }),
            Registration::DateOfBirth => with_date(&marked),
            Registration::DateOfBirthAgain => {
                before = Some(with_date(&marked));
                let another = HashedGuid::of_text("another test");
                json!({ "keyType": "GUID", "key": *another.expose_hex(), "keyDob": marked })
            }
            Registration::MalformedDateOfBirth => with_date("x"),
            Registration::TeleTan => of_tele_tan(self.tele_tan().await?.expose_text()),
            Registration::UnknownTeleTan => of_tele_tan(TeleTan::generate(&mut self.rng()).expose_text()),
            Registration::ExpiredTeleTan => {
                let code = self.tele_tan().await?;
                self.wait(Policy::default().verification.tele_tan_test_seconds)?;
                of_tele_tan(code.expose_text())
            }
            Registration::RedeemedTeleTan => {
                before.insert(of_tele_tan(self.tele_tan().await?.expose_text())).clone()
            }
            Registration::MalformedTeleTan => of_tele_tan("29zAABCE41"),
            Registration::NoKey => json!({ "keyType": "GUID" }),
            Registration::NoKeyType => json!({ "key": *hash }),
            Registration::UnknownKeyType => json!({ "keyType": "QR", "key": *hash }),
        };
        let path = Endpoint::RegistrationToken.path();
        if let Some(before) = before {
            succeeded(self.phone(path, before.to_string().into()).await?)?;
        }
        self.phone(path, body.to_string().into()).await
    }

    async fn verification(&self, verify: Verify) -> Result<Answer, String> {
        let tan = match verify {
            Verify::Malformed => {
                let body = json!({ "tan": "1-1-1-1-1" }).to_string();
                return self.internal("/version/v1/tan/verify", Some(&self.other_server), body.into()).await;
            }
            Verify::Unknown => Tan::parse(UNKNOWN).map_err(|error| error.to_string())?,
            Verify::Valid | Verify::Expired | Verify::Redeemed => {
                let token = self.session(Session::Positive).await?;
                self.tan(&token).await?
            }
        };
        match verify {
            Verify::Expired => self.wait(Policy::default().verification.tan_seconds)?,
            Verify::Redeemed => {
                succeeded(self.verify(&tan).await?)?;
            }
            _ => {}
        }
        self.verify(&tan).await
    }

    async fn issue(&self, issue: Issue) -> Result<Answer, String> {
        let authorization = |token: &BearerToken| format!("Bearer {}", token.expose());
        let (value, kind) = match issue {
            Issue::WithoutCredentials => (None, "TEST"),
            Issue::WithoutRole => (Some(authorization(&self.hotline)), "EVENT"),
            Issue::UnknownType => (Some(authorization(&self.hotline)), "FEAST"),
            Issue::Entitled => (Some(authorization(&self.hotline)), "TEST"),
            Issue::OverTheLimit => {
                self.tele_tan().await?;
                (Some(authorization(&self.hotline)), "TEST")
            }
        };
        let mut headers = vec![("x-cwa-teletan-type", kind)];
        headers.extend(value.as_deref().map(|value| ("authorization", value)));
        self.post(self.server.internal_addr(), "/version/v1/tan/teletan", &headers, Vec::new()).await
    }

    async fn token_body(&self, session: Session) -> Result<Vec<u8>, String> {
        if session == Session::Malformed {
            return Ok(json!({ "registrationToken": "1234567890" }).to_string().into());
        }
        Ok(TokenRequest::encode(&self.session(session).await?, &mut self.rng()))
    }

    /// The registration token of such a session.
    async fn session(&self, session: Session) -> Result<RegistrationToken, String> {
        let guid = HashedGuid::of_text("test");
        let date_of_birth =
            TestId::parse(&format!("x{}", "1".repeat(63))).map_err(|error| error.to_string())?;
        let key = match session {
            Session::Unknown | Session::Malformed => {
                return RegistrationToken::parse(UNKNOWN).map_err(|error| error.to_string());
            }
            Session::OfTeleTan => RegistrationKey::TeleTan(self.tele_tan().await?),
            Session::OtherDateOfBirth => {
                RegistrationKey::Test { guid: guid.clone(), date_of_birth: Some(date_of_birth) }
            }
            Session::Positive | Session::Negative => {
                RegistrationKey::Test { guid: guid.clone(), date_of_birth: None }
            }
        };
        let body = RegistrationRequest::encode(&key, &mut self.rng());
        let answer = succeeded(self.phone(Endpoint::RegistrationToken.path(), body).await?)?;
        let result = if session == Session::Negative { 1 } else { 2 };
        let upload =
            json!({ "labId": "lab", "testResults": [{ "id": *guid.expose_hex(), "result": result }] });
        let path = "/api/v1/lab/results";
        succeeded(self.internal(path, Some(&self.laboratory), upload.to_string().into()).await?)?;
        let answer = RegistrationTokenAnswer::parse(&answer.body).map_err(|error| error.to_string())?;
        Ok(answer.token)
    }

    async fn tan(&self, token: &RegistrationToken) -> Result<Tan, String> {
        let body = TokenRequest::encode(token, &mut self.rng());
        let answer = succeeded(self.phone(Endpoint::Tan.path(), body).await?)?;
        Ok(TanAnswer::parse(&answer.body).map_err(|error| error.to_string())?.tan)
    }

    async fn tele_tan(&self) -> Result<TeleTan, String> {
        let path = "/version/v1/tan/teletan";
        let answer = succeeded(self.internal(path, Some(&self.hotline), Vec::new()).await?)?;
        Ok(TeleTanAnswer::parse(&answer.body).map_err(|error| error.to_string())?.tele_tan)
    }

    async fn verify(&self, tan: &Tan) -> Result<Answer, String> {
        let body = json!({ "tan": *tan.expose_text() }).to_string();
        self.internal("/version/v1/tan/verify", Some(&self.other_server), body.into()).await
    }

    async fn phone(&self, path: &str, body: Vec<u8>) -> Result<Answer, String> {
        let headers = [("content-type", "application/json"), ("cwa-fake", "0")];
        self.post(self.server.external_addr(), path, &headers, body).await
    }

    async fn internal(
        &self,
        path: &str,
        token: Option<&BearerToken>,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let authorization = token.map(|token| format!("Bearer {}", token.expose()));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        self.post(self.server.internal_addr(), path, &headers, body).await
    }

    async fn post(
        &self,
        to: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        self.client.post(to, path, headers, body).await.map_err(|error| error.to_string())
    }

    fn wait(&self, seconds: u64) -> Result<(), String> {
        self.clock.advance(seconds).map_err(|error| error.to_string())
    }

    /// Other random numbers with every call, the same in every run.
    fn rng(&self) -> StdRng {
        self.rng.set(self.rng.get() + 1);
        StdRng::seed_from_u64(self.rng.get())
    }
}

/// What comes before the request that counts has to succeed.
fn succeeded(answer: Answer) -> Result<Answer, String> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(format!("a request before the one that counts was answered with {}", answer.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses of reference 1.1, for what the words of a case can tell.
    #[test]
    fn every_circumstance_has_its_status() {
        for (case, expected) in [
            ("GUID ok", 201),
            ("GUID already registered", 400),
            ("GUID bad syntax", 400),
            ("keyDob used as key (x-prefix)", 400),
            ("keyDob ok", 201),
            ("keyDob already registered", 400),
            ("keyDob invalid", 400),
            ("TELETAN ok", 201),
            ("TELETAN unknown", 400),
            ("TELETAN expired", 400),
            ("TELETAN redeemed", 400),
            ("TELETAN bad syntax", 400),
            ("missing key", 400),
            ("missing keyType", 400),
            ("unknown keyType", 400),
            ("body > 10000 bytes or chunked", 406),
            ("POST /testresult ok", 200),
            ("POST /testresult unknown token", 400),
            ("POST /testresult bad syntax", 400),
            ("POST /testresult TELETAN session", 200),
            ("POST /testresult GUID session dob mismatch", 403),
            ("internal POST /testresult ok", 200),
            ("internal POST /testresult unknown token", 404),
            ("internal POST /testresult TELETAN session", 403),
            ("internal POST /testresult dob mismatch", 403),
            ("POST /tan ok (2 or 7, or TELETAN session)", 201),
            ("POST /tan non-positive result", 400),
            ("POST /tan unknown token", 400),
            ("POST /tan counter reached", 400),
            ("POST /tan/verify ok", 200),
            ("POST /tan/verify not found/expired/not yet valid/redeemed", 404),
            ("POST /tan/verify bad syntax", 400),
            ("POST /tan/teletan ok", 201),
            ("POST /tan/teletan without JWT", 401),
            ("POST /tan/teletan wrong role", 401),
            ("POST /tan/teletan rate limit", 429),
            ("POST /tan/teletan bad enum", 400),
            ("external endpoint on internal profile & vice versa", 404),
            ("unsupported media type", 415),
            ("method not allowed", 405),
        ] {
            let circumstances = Circumstance::told_by(case);
            assert!(!circumstances.is_empty(), "{case}");
            for circumstance in circumstances {
                let status = status_of(circumstance).unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(as_german(status), expected, "{case}: {circumstance:?}");
            }
        }
    }

    #[test]
    fn one_case_can_tell_of_several_circumstances_and_other_words_of_none() {
        let verify = Circumstance::told_by("POST /tan/verify not found/expired/not yet valid/redeemed");
        let expected = [Verify::Unknown, Verify::Expired, Verify::Redeemed].map(Circumstance::Verify);
        assert_eq!(verify, expected);
        for nothing in ["", "it rains", "POST /tan/verify", "chunked"] {
            assert_eq!(Circumstance::told_by(nothing), [], "{nothing:?}");
        }
    }
}
