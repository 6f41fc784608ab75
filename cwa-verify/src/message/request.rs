use std::borrow::Cow;

use cwa_crypto::UnixTime;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{MAX_LAB_REQUEST_BYTES, MAX_REQUEST_BYTES, pad};
use crate::guid::{HashedGuid, TestId, TestIdError};
use crate::hash::{PayloadDigest, ReservationId};
use crate::registration::RegistrationToken;
use crate::tan::Tan;
use crate::tele_tan::{TeleTan, TeleTanError};
use crate::test_result::{LabId, LabIdError, TestResult};
use crate::uuid4::Uuid4Error;

/// What a registration token is asked for with.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "complete by the protocol: keyType is GUID or TELETAN")]
pub enum RegistrationKey {
    /// A test: the hash of its GUID, and a hash that only someone who knows the date of birth can compute.
    Test {
        /// The hashed GUID.
        guid: HashedGuid,
        /// The date-of-birth hash. The servers of the field take an unmarked hash as well.
        date_of_birth: Option<TestId>,
    },
    /// A teleTAN.
    TeleTan(TeleTan),
}

/// `POST /version/v1/registrationToken`: `{"key", "keyType": "GUID" | "TELETAN", "keyDob"?, "requestPadding"?}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationRequest {
    /// What a token is asked for with.
    pub key: RegistrationKey,
    /// The digest of the body, if it may be repeated: if it carries at least
    /// [`RegistrationRequest::RETRY_PADDING`] characters of padding.
    pub retry: Option<BodyDigest>,
}

impl RegistrationRequest {
    /// Characters of padding from which on a request may be repeated: nobody but its sender can have repeated it.
    pub const RETRY_PADDING: usize = 16;

    /// Reads a body.
    ///
    /// ```
    /// use cwa_verify::TeleTanError;
    /// use cwa_verify::message::{RegistrationKey, RegistrationRequest, RequestError};
    ///
    /// let request = RegistrationRequest::parse(br#"{"keyType":"TELETAN","key":"9A3B578UMG"}"#)?;
    /// assert!(matches!(request.key, RegistrationKey::TeleTan(_)));
    /// assert_eq!(request.retry, None);
    ///
    /// let mistyped = RegistrationRequest::parse(br#"{"keyType":"TELETAN","key":"9A3B578UMH"}"#);
    /// assert_eq!(mistyped.unwrap_err(), RequestError::TeleTan(TeleTanError::CheckCharacter));
    /// # Ok::<(), RequestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; a key or `keyDob` that is not what its type says,
    /// the check character of a teleTAN included; the same hash twice.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: RegistrationWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        // Checked for a teleTAN too, where it means nothing, as the German server does.
        let date_of_birth = wire.date_of_birth.map(|text| TestId::parse(&text)).transpose();
        let date_of_birth = date_of_birth.map_err(RequestError::DateOfBirth)?;
        let key = match wire.key_type.as_ref() {
            "GUID" => {
                let guid = HashedGuid::parse(&wire.key).map_err(RequestError::TestId)?;
                let same =
                    |id: &TestId| matches!(id, TestId::Guid(id) if id.expose_bytes() == guid.expose_bytes());
                if date_of_birth.as_ref().is_some_and(same) {
                    return Err(RequestError::SameHashTwice);
                }
                RegistrationKey::Test { guid, date_of_birth }
            }
            "TELETAN" => RegistrationKey::TeleTan(TeleTan::parse(&wire.key).map_err(RequestError::TeleTan)?),
            _ => return Err(RequestError::KeyType),
        };
        let padding = wire.padding.map_or(0, |padding| padding.chars().count());
        let retry = (padding >= Self::RETRY_PADDING).then(|| BodyDigest::of(body));
        Ok(Self { key, retry })
    }

    /// The body of a phone's request: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    ///
    /// Keep it until it has been answered: sent again, byte for byte and within ten minutes, it gets the same token.
    pub fn encode(key: &RegistrationKey, rng: &mut impl CryptoRng) -> Vec<u8> {
        let (text, key_type, date_of_birth) = match key {
            RegistrationKey::Test { guid, date_of_birth } => {
                (guid.expose_hex(), "GUID", date_of_birth.as_ref().map(TestId::expose_text))
            }
            RegistrationKey::TeleTan(code) => (code.expose_text().to_owned().into(), "TELETAN", None),
        };
        pad(
            |padding| RegistrationWire {
                key: text.as_str().into(),
                date_of_birth: date_of_birth.as_ref().map(|text| text.as_str().into()),
                key_type: key_type.into(),
                padding: Some(padding.into()),
            },
            rng,
        )
    }
}

/// SHA-256 of a body, 32 bytes. Secret as long as the body is: it is only kept as a keyed hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyDigest([u8; 32]);

impl BodyDigest {
    /// The digest of this body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// `POST /version/v1/testresult` and `POST /version/v1/tan`: `{"registrationToken", "requestPadding"?}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// Whose result or TAN is asked for.
    pub token: RegistrationToken,
}

impl TokenRequest {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; not a registration token.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: TokenWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        Ok(Self { token: RegistrationToken::parse(&wire.token).map_err(RequestError::RegistrationToken)? })
    }

    /// The body of a phone's request: [`BODY_BYTES`](super::BODY_BYTES) bytes.
    pub fn encode(token: &RegistrationToken, rng: &mut impl CryptoRng) -> Vec<u8> {
        let text = token.expose_text();
        pad(|padding| TokenWire { token: text.as_str().into(), padding: Some(padding.into()) }, rng)
    }
}

/// `POST /version/v1/tan/verify`: `{"tan"}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TanRequest {
    /// The TAN to be used up.
    pub tan: Tan,
}

impl TanRequest {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; not a TAN.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: TanWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        Ok(Self { tan: Tan::parse(&wire.tan).map_err(RequestError::Tan)? })
    }
}

/// `POST /version/v1/tan/reserve`: `{"tan", "digest"}`, the digest in 64 hexadecimal digits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReserveRequest {
    /// The TAN to be set aside.
    pub tan: Tan,
    /// The payload it is set aside for.
    pub digest: PayloadDigest,
}

impl ReserveRequest {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; not a TAN; not a digest.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: TanWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        let tan = Tan::parse(&wire.tan).map_err(RequestError::Tan)?;
        let mut digest = [0; PayloadDigest::LENGTH];
        let text = wire.digest.ok_or(RequestError::Digest)?;
        hex::decode_to_slice(text.as_ref(), &mut digest).map_err(|_| RequestError::Digest)?;
        Ok(Self { tan, digest: PayloadDigest::from_bytes(digest) })
    }
}

/// `POST /version/v1/tan/confirm` and `…/release`: `{"reservation"}`, in 72 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReservationRequest {
    /// The reservation.
    pub reservation: ReservationId,
}

impl ReservationRequest {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; not a reservation.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: ReservationWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        let mut bytes = [0; ReservationId::LENGTH];
        hex::decode_to_slice(wire.reservation.as_ref(), &mut bytes).map_err(|_| RequestError::Reservation)?;
        let reservation = ReservationId::try_from(bytes.as_slice()).map_err(|_| RequestError::Reservation)?;
        Ok(Self { reservation })
    }
}

/// `POST /api/v1/app/result`: `{"id"}`, either hash of a test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestIdRequest {
    /// The test whose result is asked for.
    pub id: TestId,
}

impl TestIdRequest {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// More than [`MAX_REQUEST_BYTES`]; no JSON of this shape; not the hash of a test.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: TestIdWire<'_> = parse(body, MAX_REQUEST_BYTES)?;
        Ok(Self { id: TestId::parse(&wire.id).map_err(RequestError::TestId)? })
    }
}

/// `POST /api/v1/lab/results`: `{"testResults": [{"id", "result": 1..3, "sc"?}, …], "labId"?}`, at least one result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LabResultsRequest {
    /// The results, in order.
    pub results: Vec<LabResult>,
    /// Who uploads them.
    pub lab_id: Option<LabId>,
}

/// One result of a laboratory's upload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LabResult {
    /// What it is filed under.
    pub id: TestId,
    /// Negative, positive or invalid.
    pub result: TestResult,
    /// When the sample was taken, if the laboratory says so.
    pub sample_collected_at: Option<UnixTime>,
}

impl LabResultsRequest {
    /// Reads a body. One wrong result refuses all of them.
    ///
    /// # Errors
    ///
    /// More than [`MAX_LAB_REQUEST_BYTES`]; no JSON of this shape; no result; or, with the number of the result, an
    /// id, a result or a time that is none.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let wire: LabResultsWire<'_> = parse(body, MAX_LAB_REQUEST_BYTES)?;
        if wire.results.is_empty() {
            return Err(RequestError::NoResults);
        }
        let lab_id = wire.lab_id.map(|text| LabId::parse(&text)).transpose().map_err(RequestError::LabId)?;
        let results = wire.results.into_iter().zip(1..).map(|(wire, number)| wire.read(number));
        Ok(Self { results: results.collect::<Result<_, _>>()?, lab_id })
    }
}

/// Why a request was refused before anything was looked up. Towards a phone all but the size are one and the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too long.
    #[error("the body has {got} bytes, more than {max}")]
    TooLarge {
        /// The number of bytes found.
        got: usize,
        /// The most bytes.
        max: usize,
    },
    /// Not JSON, or not of the right shape: a member is missing, of another type or there twice.
    #[error("not JSON of the right shape (line {line}, column {column})")]
    Json {
        /// Where reading stopped: the line, counted from 1.
        line: usize,
        /// And the column.
        column: usize,
    },
    /// `keyType` is neither `GUID` nor `TELETAN`.
    #[error("keyType is neither GUID nor TELETAN")]
    KeyType,
    /// Not the hash of a test.
    #[error("not the hash of a test")]
    TestId(#[source] TestIdError),
    /// `keyDob` is not a date-of-birth hash.
    #[error("keyDob is not the hash of a test")]
    DateOfBirth(#[source] TestIdError),
    /// `keyDob` is the hashed GUID once more.
    #[error("keyDob is the same hash as key")]
    SameHashTwice,
    /// Not a teleTAN, or mistyped.
    #[error("not a teleTAN")]
    TeleTan(#[source] TeleTanError),
    /// Not a registration token.
    #[error("not a registration token")]
    RegistrationToken(#[source] Uuid4Error),
    /// Not a TAN.
    #[error("not a TAN")]
    Tan(#[source] Uuid4Error),
    /// Not 64 hexadecimal digits.
    #[error("the digest has to have 64 hexadecimal digits")]
    Digest,
    /// Not a reservation of this server.
    #[error("a reservation has 72 hexadecimal digits")]
    Reservation,
    /// A laboratory's upload without a result.
    #[error("there are no results")]
    NoResults,
    /// The id of a result of a laboratory's upload.
    #[error("the id of result {number} is not the hash of a test")]
    LabTestId {
        /// Which result, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: TestIdError,
    },
    /// The result of a laboratory's upload is not 1, 2 or 3.
    #[error("result {number} is {got}, not 1 (negative), 2 (positive) or 3 (invalid)")]
    LabResult {
        /// Which result, counted from 1.
        number: usize,
        /// The code found.
        got: u64,
    },
    /// The time at which a sample was taken is in milliseconds, or worse.
    #[error("the sample of result {number} was taken at {got}, later than the last second of the year 9999")]
    LabSampleTime {
        /// Which result, counted from 1.
        number: usize,
        /// The time found, as seconds.
        got: u64,
    },
    /// Not the id of a laboratory.
    #[error("labId is not the id of a laboratory")]
    LabId(#[source] LabIdError),
}

/// The last second of the year 9999. What is later is most likely in milliseconds.
const LAST_SECOND: u64 = 253_402_300_799;

// Borrowed from the body wherever JSON escapes nothing, so that no copies of secrets are left behind.

#[derive(Deserialize, Serialize)]
struct RegistrationWire<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, rename = "keyDob", skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "keyType")]
    key_type: Cow<'a, str>,
    #[serde(borrow, default, rename = "requestPadding")]
    padding: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Serialize)]
struct TokenWire<'a> {
    #[serde(borrow, rename = "registrationToken")]
    token: Cow<'a, str>,
    #[serde(borrow, default, rename = "requestPadding")]
    padding: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct TanWire<'a> {
    #[serde(borrow)]
    tan: Cow<'a, str>,
    #[serde(borrow, default)]
    digest: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ReservationWire<'a> {
    #[serde(borrow)]
    reservation: Cow<'a, str>,
}

#[derive(Deserialize)]
struct TestIdWire<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LabResultsWire<'a> {
    #[serde(borrow, rename = "testResults")]
    results: Vec<LabResultWire<'a>>,
    #[serde(borrow, default, rename = "labId")]
    lab_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct LabResultWire<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    result: u64,
    #[serde(default)]
    sc: Option<u64>,
}

impl LabResultWire<'_> {
    fn read(self, number: usize) -> Result<LabResult, RequestError> {
        let id = TestId::parse(&self.id).map_err(|source| RequestError::LabTestId { number, source })?;
        let result = match self.result {
            1 => TestResult::Negative,
            2 => TestResult::Positive,
            3 => TestResult::Invalid,
            got => return Err(RequestError::LabResult { number, got }),
        };
        match self.sc {
            Some(got) if got > LAST_SECOND => Err(RequestError::LabSampleTime { number, got }),
            sc => Ok(LabResult { id, result, sample_collected_at: sc.map(UnixTime::from_secs) }),
        }
    }
}

fn parse<'a, W: Deserialize<'a>>(body: &'a [u8], max: usize) -> Result<W, RequestError> {
    if body.len() > max {
        return Err(RequestError::TooLarge { got: body.len(), max });
    }
    // The error's own text may quote the body; only its place is kept.
    serde_json::from_slice(body)
        .map_err(|error| RequestError::Json { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests {
    use subtle::ConstantTimeEq as _;

    use super::*;
    use crate::message::BODY_BYTES;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const HASH: &str = "7620a19f93374e8d5acff090d3c10d0242a32fe140c50bbd40c95edf3c0af5b7";

    fn test_key(date_of_birth: bool) -> RegistrationKey {
        RegistrationKey::Test {
            guid: HashedGuid::parse(HASH).unwrap(),
            date_of_birth: date_of_birth.then(|| TestId::parse(&HASH.replacen('7', "x", 1)).unwrap()),
        }
    }

    #[test]
    fn every_request_of_a_phone_has_the_same_size() {
        let rng = &mut StdRng::seed_from_u64(0);
        let tele_tan = RegistrationKey::TeleTan(TeleTan::generate(rng));
        for (body, padding) in [
            (RegistrationRequest::encode(&test_key(true), rng), 63),
            (RegistrationRequest::encode(&test_key(false), rng), 139),
            (RegistrationRequest::encode(&tele_tan, rng), 190),
            (TokenRequest::encode(&RegistrationToken::generate(rng), rng), 170),
        ] {
            assert_eq!(body.len(), BODY_BYTES);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["requestPadding"].as_str().unwrap().len(), padding);
        }
    }

    #[test]
    fn what_a_phone_writes_the_server_reads() {
        let rng = &mut StdRng::seed_from_u64(0);
        let body = RegistrationRequest::encode(&test_key(true), rng);
        let read = RegistrationRequest::parse(&body).unwrap();
        let RegistrationKey::Test { guid, date_of_birth } = read.key else { panic!("{read:?}") };
        assert_eq!(*guid.expose_hex(), HASH);
        assert_eq!(*date_of_birth.unwrap().expose_text(), HASH.replacen('7', "x", 1));
        assert_eq!(read.retry, Some(BodyDigest::of(&body)));

        let code = TeleTan::generate(rng);
        let body = RegistrationRequest::encode(&RegistrationKey::TeleTan(code.clone()), rng);
        let read = RegistrationRequest::parse(&body).unwrap();
        assert!(matches!(read.key, RegistrationKey::TeleTan(read) if bool::from(read.ct_eq(&code))));

        let token = RegistrationToken::generate(rng);
        let read = TokenRequest::parse(&TokenRequest::encode(&token, rng)).unwrap();
        assert!(bool::from(read.token.ct_eq(&token)));
    }

    #[test]
    fn only_a_request_with_16_characters_of_padding_may_be_repeated() {
        let body = |padding: &str| {
            format!(r#"{{"keyType":"GUID","key":"{HASH}","requestPadding":{padding}}}"#).into_bytes()
        };
        for (padding, may) in [
            ("null", false),
            (r#""""#, false),
            (r#""123456789012345""#, false),
            (r#""1234567890123456""#, true),
            // Characters, not bytes.
            (r#""ßßßßßßßßßßßßßßß""#, false),
        ] {
            let body = body(padding);
            let read = RegistrationRequest::parse(&body).unwrap();
            assert_eq!(read.retry, may.then(|| BodyDigest::of(&body)), "{padding}");
        }
    }

    #[test]
    fn wrong_registrations_are_refused_with_the_reason() {
        let marked = HASH.replacen('7', "x", 1);
        for (body, error) in [
            (String::new(), RequestError::Json { line: 1, column: 0 }),
            (r#"{"keyType":"GUID"}"#.to_owned(), RequestError::Json { line: 1, column: 18 }),
            (format!(r#"{{"keyType":"guid","key":"{HASH}"}}"#), RequestError::KeyType),
            (
                format!(r#"{{"keyType":"GUID","key":"{marked}"}}"#),
                RequestError::TestId(TestIdError::Character { position: 1 }),
            ),
            (
                format!(r#"{{"keyType":"GUID","key":"{HASH}","keyDob":"x"}}"#),
                RequestError::DateOfBirth(TestIdError::Length { got: 1 }),
            ),
            (
                r#"{"keyType":"TELETAN","key":"9A3B578UMG","keyDob":"x"}"#.to_owned(),
                RequestError::DateOfBirth(TestIdError::Length { got: 1 }),
            ),
            (
                format!(r#"{{"keyType":"GUID","key":"{HASH}","keyDob":"{}"}}"#, HASH.to_uppercase()),
                RequestError::SameHashTwice,
            ),
            (
                format!(r#"{{"keyType":"TELETAN","key":"{HASH}"}}"#),
                RequestError::TeleTan(TeleTanError::Character { position: 4, found: '0' }),
            ),
            (
                r#"{"keyType":"TELETAN","key":"9A3B578UM"}"#.to_owned(),
                RequestError::TeleTan(TeleTanError::Length { got: 9 }),
            ),
        ] {
            assert_eq!(RegistrationRequest::parse(body.as_bytes()).unwrap_err(), error, "{body}");
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_known_ones_not_given_twice() {
        let token = "1819d933-45f6-4e3c-80c7-eeffd2d44ee6";
        let extended = format!(r#"{{"new":[1,{{}}],"registrationToken":"{token}"}}"#);
        assert!(TokenRequest::parse(extended.as_bytes()).is_ok());
        let twice = format!(r#"{{"registrationToken":"{token}","registrationToken":"{token}"}}"#);
        assert!(matches!(TokenRequest::parse(twice.as_bytes()), Err(RequestError::Json { .. })));
        let escaped = format!(r#"{{"registrationToken":"\u0031{}"}}"#, &token[1..]);
        assert!(TokenRequest::parse(escaped.as_bytes()).is_ok());
    }

    #[test]
    fn an_oversized_body_is_refused_before_it_is_read() {
        let body = vec![b'{'; MAX_REQUEST_BYTES + 1];
        let error = RequestError::TooLarge { got: 10_001, max: 10_000 };
        assert_eq!(TokenRequest::parse(&body).unwrap_err(), error);
        assert_eq!(RegistrationRequest::parse(&body).unwrap_err(), error);
        assert_eq!(TanRequest::parse(&body).unwrap_err(), error);
        let nested = vec![b'['; MAX_REQUEST_BYTES];
        assert!(matches!(TokenRequest::parse(&nested), Err(RequestError::Json { .. })));
        let body = vec![b'{'; MAX_LAB_REQUEST_BYTES + 1];
        let error = RequestError::TooLarge { got: MAX_LAB_REQUEST_BYTES + 1, max: MAX_LAB_REQUEST_BYTES };
        assert_eq!(LabResultsRequest::parse(&body).unwrap_err(), error);
    }

    #[test]
    fn a_laboratory_uploads_negative_positive_and_invalid_results_of_this_age() {
        let upload = |result: &str| {
            format!(r#"{{"testResults":[{{"id":"{HASH}","result":1}},{result}],"labId":"l4b"}}"#)
        };
        let right =
            upload(&format!(r#"{{"id":"{}","result":2,"sc":1595419200}}"#, HASH.replacen('7', "x", 1)));
        let read = LabResultsRequest::parse(right.as_bytes()).unwrap();
        assert_eq!(read.lab_id.unwrap().as_str(), "l4b");
        let times: Vec<_> = read.results.iter().map(|result| result.sample_collected_at).collect();
        assert_eq!(times, [None, Some(UnixTime::from_secs(1_595_419_200))]);

        for (result, error) in [
            (format!(r#"{{"id":"{HASH}","result":0}}"#), RequestError::LabResult { number: 2, got: 0 }),
            (format!(r#"{{"id":"{HASH}","result":4}}"#), RequestError::LabResult { number: 2, got: 4 }),
            (format!(r#"{{"id":"{HASH}","result":7}}"#), RequestError::LabResult { number: 2, got: 7 }),
            (
                r#"{"id":"00","result":1}"#.to_owned(),
                RequestError::LabTestId { number: 2, source: TestIdError::Length { got: 2 } },
            ),
            (
                format!(r#"{{"id":"{HASH}","result":1,"sc":1595419200000}}"#),
                RequestError::LabSampleTime { number: 2, got: 1_595_419_200_000 },
            ),
        ] {
            assert_eq!(LabResultsRequest::parse(upload(&result).as_bytes()).unwrap_err(), error, "{result}");
        }
        let negative = upload(&format!(r#"{{"id":"{HASH}","result":-1}}"#));
        assert!(matches!(LabResultsRequest::parse(negative.as_bytes()), Err(RequestError::Json { .. })));
        let none = br#"{"testResults":[],"labId":"l4b"}"#;
        assert_eq!(LabResultsRequest::parse(none).unwrap_err(), RequestError::NoResults);
    }

    #[test]
    fn requests_between_servers_are_read() {
        let tan = "1819d933-45f6-4e3c-80c7-eeffd2d44ee6";
        assert_eq!(
            *TanRequest::parse(format!(r#"{{"tan":"{tan}"}}"#).as_bytes()).unwrap().tan.expose_text(),
            tan
        );
        let reserve = format!(r#"{{"tan":"{tan}","digest":"{HASH}"}}"#);
        assert_eq!(hex::encode(ReserveRequest::parse(reserve.as_bytes()).unwrap().digest.as_bytes()), HASH);
        for wrong in [format!(r#"{{"tan":"{tan}"}}"#), format!(r#"{{"tan":"{tan}","digest":"00"}}"#)] {
            assert_eq!(ReserveRequest::parse(wrong.as_bytes()).unwrap_err(), RequestError::Digest);
        }
        let reservation = format!(r#"{{"reservation":"00000001{HASH}"}}"#);
        let read = ReservationRequest::parse(reservation.as_bytes()).unwrap();
        assert_eq!(read.reservation.key_id().get(), 1);
        let short = format!(r#"{{"reservation":"{HASH}"}}"#);
        assert_eq!(ReservationRequest::parse(short.as_bytes()), Err(RequestError::Reservation));
        let id = format!(r#"{{"id":"{HASH}"}}"#);
        assert!(matches!(TestIdRequest::parse(id.as_bytes()).unwrap().id, TestId::Guid(_)));
    }

    #[test]
    fn errors_do_not_repeat_what_was_read() {
        let secret = "1819d933-45f6-4e3c-80c7-eeffd2d44ee6";
        for body in [
            format!(r#"{{"registrationToken":["{secret}"]}}"#),
            format!(r#"{{"registrationToken":"{secret}!"}}"#),
        ] {
            let error = TokenRequest::parse(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("1819"), "{error:?}");
        }
    }
}
