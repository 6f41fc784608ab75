use std::borrow::Cow;

use cwa_crypto::UnixTime;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{json, pad};
use crate::guid::TestId;
use crate::hash::ReservationId;
use crate::registration::RegistrationToken;
use crate::tan::Tan;
use crate::tele_tan::TeleTan;
use crate::test_result::{LabId, TestResult};

/// The body of every error: [`BODY_BYTES`](super::BODY_BYTES) bytes that say nothing.
///
/// What went wrong is for the log. Where success has no body (`/tan/verify`, a laboratory's upload), errors have none.
pub fn error_body(rng: &mut impl CryptoRng) -> Vec<u8> {
    pad(|padding| ErrorWire { padding }, rng)
}

/// 201 to `POST /version/v1/registrationToken`: `{"registrationToken", "responsePadding"}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationTokenAnswer {
    /// The token.
    pub token: RegistrationToken,
}

impl RegistrationTokenAnswer {
    /// The answer with this token.
    #[must_use]
    pub const fn new(token: RegistrationToken) -> Self {
        Self { token }
    }

    /// The body: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    pub fn encode(&self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let text = self.token.expose_text();
        pad(|padding| TokenWire { token: text.as_str().into(), padding: padding.into() }, rng)
    }

    /// Reads a body, padded or not.
    ///
    /// # Errors
    ///
    /// No JSON of this shape, or not a registration token.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let wire: TokenWire<'_> = parse(body)?;
        Ok(Self { token: RegistrationToken::parse(&wire.token).map_err(|_| AnswerError::RegistrationToken)? })
    }
}

/// 200 to `POST /version/v1/testresult` and `POST /api/v1/app/result`:
/// `{"testResult": 0..9, "sc": seconds, "labId"?, "testId"?, "responsePadding"}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestResultAnswer {
    /// The result.
    pub result: TestResult,
    /// When the sample was taken; absent from servers before it was introduced.
    pub sample_collected_at: Option<UnixTime>,
    /// The laboratory.
    pub lab_id: Option<LabId>,
    /// Which test it is, in an answer to a server.
    pub test_id: Option<TestId>,
}

impl TestResultAnswer {
    /// The answer to a phone.
    #[must_use]
    pub const fn new(result: TestResult, sample_collected_at: UnixTime, lab_id: Option<LabId>) -> Self {
        Self { result, sample_collected_at: Some(sample_collected_at), lab_id, test_id: None }
    }

    /// The body: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    pub fn encode(&self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let test_id = self.test_id.as_ref().map(TestId::expose_text);
        pad(
            |padding| TestResultWire {
                result: self.result.code().into(),
                sc: self.sample_collected_at.map(UnixTime::as_secs),
                lab_id: self.lab_id.as_ref().map(|id| id.as_str().into()),
                test_id: test_id.as_ref().map(|id| id.as_str().into()),
                padding: padding.into(),
            },
            rng,
        )
    }

    /// Reads a body, padded or not. A laboratory's or test's id of unknown form is ignored: nothing depends on it.
    ///
    /// # Errors
    ///
    /// No JSON of this shape, or not a result from 0 to 9.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let wire: TestResultWire<'_> = parse(body)?;
        let got = wire.result;
        Ok(Self {
            result: TestResult::try_from(got).map_err(|_| AnswerError::TestResult { got })?,
            sample_collected_at: wire.sc.map(UnixTime::from_secs),
            lab_id: wire.lab_id.and_then(|id| LabId::parse(&id).ok()),
            test_id: wire.test_id.and_then(|id| TestId::parse(&id).ok()),
        })
    }
}

/// 201 to `POST /version/v1/tan`: `{"tan", "responsePadding"}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TanAnswer {
    /// The TAN.
    pub tan: Tan,
}

impl TanAnswer {
    /// The answer with this TAN.
    #[must_use]
    pub const fn new(tan: Tan) -> Self {
        Self { tan }
    }

    /// The body: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    pub fn encode(&self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let text = self.tan.expose_text();
        pad(|padding| TanWire { tan: text.as_str().into(), padding: padding.into() }, rng)
    }

    /// Reads a body, padded or not.
    ///
    /// # Errors
    ///
    /// No JSON of this shape, or not a TAN.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let wire: TanWire<'_> = parse(body)?;
        Ok(Self { tan: Tan::parse(&wire.tan).map_err(|_| AnswerError::Tan)? })
    }
}

/// 201 to `POST /version/v1/tan/teletan`: `{"value", "responsePadding"}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TeleTanAnswer {
    /// The teleTAN.
    pub tele_tan: TeleTan,
}

impl TeleTanAnswer {
    /// The answer with this teleTAN.
    #[must_use]
    pub const fn new(tele_tan: TeleTan) -> Self {
        Self { tele_tan }
    }

    /// The body: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    pub fn encode(&self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let text = self.tele_tan.expose_text();
        pad(|padding| TeleTanWire { value: text.into(), padding: padding.into() }, rng)
    }

    /// Reads a body, padded or not.
    ///
    /// # Errors
    ///
    /// No JSON of this shape, or not a teleTAN.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let wire: TeleTanWire<'_> = parse(body)?;
        Ok(Self { tele_tan: TeleTan::parse(&wire.value).map_err(|_| AnswerError::TeleTan)? })
    }
}

/// 200 to `POST /version/v1/tan/reserve`: `{"reservation", "leaseSeconds"}`.
///
/// A lease of 0 seconds says that this upload was confirmed before: there is nothing to store, and the client gets the
/// same answer again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReservationAnswer {
    /// What to confirm or release.
    pub reservation: ReservationId,
    /// How long it is held.
    pub lease_seconds: u64,
}

impl ReservationAnswer {
    /// The answer with this reservation.
    #[must_use]
    pub const fn new(reservation: ReservationId, lease_seconds: u64) -> Self {
        Self { reservation, lease_seconds }
    }

    /// The body. It stays between servers and is not padded.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        json(&ReservationWire {
            reservation: hex::encode(self.reservation.as_bytes()).into(),
            lease_seconds: self.lease_seconds,
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// No JSON of this shape, or not a reservation.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let wire: ReservationWire<'_> = parse(body)?;
        let mut bytes = [0; ReservationId::LENGTH];
        hex::decode_to_slice(wire.reservation.as_ref(), &mut bytes).map_err(|_| AnswerError::Reservation)?;
        let reservation = ReservationId::try_from(bytes.as_slice()).map_err(|_| AnswerError::Reservation)?;
        Ok(Self { reservation, lease_seconds: wire.lease_seconds })
    }
}

/// Why an answer of a server could not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not JSON, or not of the right shape.
    #[error("not JSON of the right shape (line {line}, column {column})")]
    Json {
        /// Where reading stopped: the line, counted from 1.
        line: usize,
        /// And the column.
        column: usize,
    },
    /// Not a registration token.
    #[error("the server did not answer with a registration token")]
    RegistrationToken,
    /// Not a test result.
    #[error("a test result is 0 to 9, not {got}")]
    TestResult {
        /// The code found.
        got: u64,
    },
    /// Not a TAN.
    #[error("the server did not answer with a TAN")]
    Tan,
    /// Not a teleTAN.
    #[error("the server did not answer with a teleTAN")]
    TeleTan,
    /// Not a reservation.
    #[error("the server did not answer with a reservation")]
    Reservation,
}

#[derive(Serialize)]
struct ErrorWire {
    #[serde(rename = "responsePadding")]
    padding: String,
}

#[derive(Deserialize, Serialize)]
struct TokenWire<'a> {
    #[serde(borrow, rename = "registrationToken")]
    token: Cow<'a, str>,
    #[serde(borrow, default, rename = "responsePadding")]
    padding: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct TestResultWire<'a> {
    #[serde(rename = "testResult")]
    result: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sc: Option<u64>,
    #[serde(borrow, default, rename = "labId", skip_serializing_if = "Option::is_none")]
    lab_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "testId", skip_serializing_if = "Option::is_none")]
    test_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "responsePadding")]
    padding: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct TanWire<'a> {
    #[serde(borrow)]
    tan: Cow<'a, str>,
    #[serde(borrow, default, rename = "responsePadding")]
    padding: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct TeleTanWire<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow, default, rename = "responsePadding")]
    padding: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
struct ReservationWire<'a> {
    #[serde(borrow)]
    reservation: Cow<'a, str>,
    #[serde(rename = "leaseSeconds")]
    lease_seconds: u64,
}

fn parse<'a, W: Deserialize<'a>>(body: &'a [u8]) -> Result<W, AnswerError> {
    serde_json::from_slice(body)
        .map_err(|error| AnswerError::Json { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests {
    use subtle::ConstantTimeEq as _;

    use super::*;
    use crate::hash::{HashKey, HashKeyId, PayloadDigest};
    use crate::message::BODY_BYTES;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    fn longest() -> TestResultAnswer {
        TestResultAnswer {
            result: TestResult::Positive,
            sample_collected_at: Some(UnixTime::from_secs(u64::MAX)),
            lab_id: Some(LabId::parse(&"ü".repeat(32)).unwrap()),
            test_id: Some(TestId::parse(&"0".repeat(64)).unwrap()),
        }
    }

    #[test]
    fn success_error_and_fake_have_the_same_size() {
        let rng = &mut StdRng::seed_from_u64(0);
        let now = UnixTime::from_secs(0);
        let bodies = [
            error_body(rng),
            RegistrationTokenAnswer::new(RegistrationToken::generate(rng)).encode(rng),
            TanAnswer::new(Tan::generate(rng)).encode(rng),
            TeleTanAnswer::new(TeleTan::generate(rng)).encode(rng),
            TestResultAnswer::new(TestResult::Pending, now, None).encode(rng),
            longest().encode(rng),
        ];
        for body in bodies {
            assert_eq!(body.len(), BODY_BYTES, "{}", String::from_utf8_lossy(&body));
            assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        }
    }

    #[test]
    fn answers_are_written_as_the_german_server_does() {
        let rng = &mut StdRng::seed_from_u64(0);
        let wire = |body: &[u8]| {
            let body = String::from_utf8(body.to_vec()).unwrap();
            let (head, padding) = body.split_once("Padding\":\"").unwrap();
            assert!(padding.trim_end_matches("\"}").bytes().all(|byte| byte.is_ascii_alphanumeric()));
            format!("{head}Padding")
        };
        let token = RegistrationToken::parse("63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f").unwrap();
        insta::assert_snapshot!(
            wire(&RegistrationTokenAnswer::new(token).encode(rng)),
            @r#"{"registrationToken":"63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f","responsePadding"#
        );
        let tan = Tan::parse("1819d933-45f6-4e3c-80c7-eeffd2d44ee6").unwrap();
        insta::assert_snapshot!(
            wire(&TanAnswer::new(tan).encode(rng)),
            @r#"{"tan":"1819d933-45f6-4e3c-80c7-eeffd2d44ee6","responsePadding"#
        );
        insta::assert_snapshot!(
            wire(&TeleTanAnswer::new(TeleTan::parse("9A3B578UMG").unwrap()).encode(rng)),
            @r#"{"value":"9A3B578UMG","responsePadding"#
        );
        let lab_id = LabId::parse("l4b").ok();
        let sampled = UnixTime::from_secs(1_595_419_200);
        let mut answer = TestResultAnswer::new(TestResult::Positive, sampled, lab_id);
        insta::assert_snapshot!(
            wire(&answer.encode(rng)),
            @r#"{"testResult":2,"sc":1595419200,"labId":"l4b","responsePadding"#
        );
        answer.test_id = TestId::parse(&"0f".repeat(32)).ok();
        insta::assert_snapshot!(
            wire(&answer.encode(rng)),
            @r#"{"testResult":2,"sc":1595419200,"labId":"l4b","testId":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","responsePadding"#
        );
        insta::assert_snapshot!(wire(&error_body(rng)), @r#"{"responsePadding"#);
    }

    #[test]
    fn what_the_server_writes_the_phone_reads() {
        let rng = &mut StdRng::seed_from_u64(0);
        let token = RegistrationToken::generate(rng);
        let read = RegistrationTokenAnswer::parse(&RegistrationTokenAnswer::new(token.clone()).encode(rng));
        assert!(bool::from(read.unwrap().token.ct_eq(&token)));
        let tan = Tan::generate(rng);
        assert!(bool::from(
            TanAnswer::parse(&TanAnswer::new(tan.clone()).encode(rng)).unwrap().tan.ct_eq(&tan)
        ));
        let code = TeleTan::generate(rng);
        let read = TeleTanAnswer::parse(&TeleTanAnswer::new(code.clone()).encode(rng)).unwrap();
        assert!(bool::from(read.tele_tan.ct_eq(&code)));
        let read = TestResultAnswer::parse(&longest().encode(rng)).unwrap();
        assert_eq!(read.result, TestResult::Positive);
        assert_eq!(read.sample_collected_at, longest().sample_collected_at);
        assert_eq!(read.lab_id, longest().lab_id);
        assert!(read.test_id.is_some());
        let key = HashKey::new(HashKeyId::new(1), [1; 32]);
        let answer = ReservationAnswer::new(key.reservation(&tan, &PayloadDigest::of(b"")), 60);
        assert_eq!(ReservationAnswer::parse(&answer.encode()), Ok(answer));
    }

    #[test]
    fn answers_of_other_servers_are_read_and_nonsense_is_not() {
        let bare = TestResultAnswer::parse(br#"{"testResult":0}"#).unwrap();
        assert_eq!((bare.result, bare.sample_collected_at), (TestResult::Pending, None));
        let odd = TestResultAnswer::parse(br#"{"testResult":2,"labId":"","testId":"?"}"#).unwrap();
        assert!(odd.lab_id.is_none() && odd.test_id.is_none());
        assert_eq!(
            TestResultAnswer::parse(br#"{"testResult":10}"#).unwrap_err(),
            AnswerError::TestResult { got: 10 }
        );
        assert!(matches!(TestResultAnswer::parse(b""), Err(AnswerError::Json { .. })));
        assert!(matches!(TanAnswer::parse(br#"{"tan":"1"}"#), Err(AnswerError::Tan)));
        assert!(matches!(TeleTanAnswer::parse(br#"{"value":"1"}"#), Err(AnswerError::TeleTan)));
        let error = RegistrationTokenAnswer::parse(br#"{"registrationToken":"1"}"#).unwrap_err();
        assert_eq!(error, AnswerError::RegistrationToken);
        let error = ReservationAnswer::parse(br#"{"reservation":"1","leaseSeconds":60}"#).unwrap_err();
        assert_eq!(error, AnswerError::Reservation);
    }
}
