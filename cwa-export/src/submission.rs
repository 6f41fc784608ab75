//! What a phone uploads: keys and padding, read by rules and written in one size.

use cwa_crypto::{Day, DiagnosisKey, ReportType, UnixTime};
use prost::Message as _;
use rand_core::CryptoRng;

use crate::country::{Country, CountryError};
use crate::key::{ExportKey, KeyError, RawKey};
use crate::{signature, wire};

/// The keys a person gives away, with what is said about them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Submission {
    /// The keys of the past days.
    pub keys: Vec<DiagnosisKey>,
    /// Countries the person was in.
    pub visited_countries: Vec<Country>,
    /// Country of the upload; absent means the server's own.
    pub origin: Option<Country>,
    /// Whether the keys may be shared with other countries.
    pub consent_to_federation: bool,
    /// What the upload rests on.
    pub submission_type: SubmissionType,
}

impl Submission {
    /// The size to which uploads are padded unless something else was agreed on: room for 15 keys with all fields,
    /// visited countries and origin.
    pub const PADDED_SIZE: usize = 1024;

    /// An upload of these keys after a PCR test.
    #[must_use]
    pub fn new(keys: Vec<DiagnosisKey>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// The body of an upload of exactly `size` bytes, whatever it says: padded with bytes from `rng`, which do not
    /// shrink when a link compresses.
    ///
    /// # Errors
    ///
    /// [`PaddingError`] if what is to be said does not fit.
    ///
    /// ```
    /// use cwa_export::submission::Submission;
    /// # let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    /// let body = Submission::default().encode_padded(Submission::PADDED_SIZE, &mut rng).unwrap();
    /// assert_eq!(body.len(), 1024);
    /// ```
    pub fn encode_padded(&self, size: usize, rng: &mut impl CryptoRng) -> Result<Vec<u8>, PaddingError> {
        let mut payload = self.to_wire();
        let needed = payload.encoded_len();
        let room = size.checked_sub(needed).ok_or(PaddingError { size, needed })?;
        if room > 0 {
            let length = padding_length(room).ok_or(PaddingError { size, needed })?;
            let mut padding = vec![0; length];
            rng.fill_bytes(&mut padding);
            payload.request_padding = Some(padding);
        }
        Ok(payload.encode_to_vec())
    }

    /// The body of an upload that says nothing, of the same size: what phones send to be like those that have
    /// something to say.
    ///
    /// # Errors
    ///
    /// [`PaddingError`] for a size of 1 byte, which no padding can have.
    pub fn fake(size: usize, rng: &mut impl CryptoRng) -> Result<Vec<u8>, PaddingError> {
        let mut payload = wire::export::SubmissionPayload::default();
        if size > 0 {
            let length = padding_length(size).ok_or(PaddingError { size, needed: 0 })?;
            let mut padding = vec![0; length];
            rng.fill_bytes(&mut padding);
            payload.request_padding = Some(padding);
        }
        Ok(payload.encode_to_vec())
    }

    /// The body as the German apps pad it: `bytes_per_key` characters for each key that is missing to `keys`.
    ///
    /// The apps count 28 bytes for a key that takes 33 on the wire, so that the size still tells how many there are.
    /// Here to measure and to talk to their server; [`encode_padded`](Self::encode_padded) is the form that tells
    /// nothing.
    pub fn encode_padded_per_key(&self, padding: PerKeyPadding, rng: &mut impl CryptoRng) -> Vec<u8> {
        padded_per_key(self.to_wire(), padding, rng)
    }

    /// The fake upload of the German apps: nothing but the padding for every key.
    pub fn fake_per_key(padding: PerKeyPadding, rng: &mut impl CryptoRng) -> Vec<u8> {
        padded_per_key(wire::export::SubmissionPayload::default(), padding, rng)
    }

    /// Reads the body of an upload by the rules of `policy` at `now`.
    ///
    /// Keys of the future and keys older than the retention are left out and counted; everything else that is wrong
    /// refuses the upload as a whole. Key for key identical entries count as one.
    ///
    /// # Errors
    ///
    /// [`SubmissionError`] with the bound and the value; nothing of the upload may be used then, and the
    /// authorization it came with keeps its worth.
    pub fn parse(body: &[u8], policy: &SubmissionPolicy, now: UnixTime) -> Result<Accepted, SubmissionError> {
        if body.len() > policy.max_bytes {
            return Err(SubmissionError::TooLarge { max: policy.max_bytes, length: body.len() });
        }
        let mut payload =
            wire::export::SubmissionPayload::decode(body).map_err(|_| SubmissionError::Malformed)?;
        let count = payload.keys.len();
        if count == 0 {
            return Err(SubmissionError::NoKeys);
        }
        if count > policy.max_keys {
            return Err(SubmissionError::TooManyKeys { max: policy.max_keys, count });
        }
        let submission_type = policy.submission_type(payload.submission_type.unwrap_or(0))?;
        let origin = policy.origin(payload.origin.as_deref())?;
        let visited_countries = policy.visited_countries(&payload.visited_countries)?;

        let mut keys: Vec<DiagnosisKey> = Vec::with_capacity(count);
        let mut folded = 0_usize;
        for (index, key) in payload.keys.iter().enumerate() {
            let key = policy.key(key).map_err(|reason| SubmissionError::Key { number: index + 1, reason })?;
            match keys.iter().find(|earlier| earlier.key_data == key.key_data) {
                Some(earlier) if *earlier == key => folded += 1,
                Some(_) => {
                    return Err(SubmissionError::Key {
                        number: index + 1,
                        reason: SubmittedKeyError::Contradiction,
                    });
                }
                None => keys.push(key),
            }
        }

        let digest = content_digest(&mut payload);
        let mut dropped = Dropped { folded, ..Dropped::default() };
        let oldest_end = now.minus(policy.retention_days.saturating_mul(Day::SECONDS));
        keys.retain(|key| {
            let future = key.rolling_start_interval_number.start() > now;
            let too_old = key.end() < oldest_end;
            dropped.future += usize::from(future);
            dropped.too_old += usize::from(too_old);
            !future && !too_old
        });
        if keys.is_empty() {
            return Err(SubmissionError::NothingRemains { dropped });
        }
        let consent_to_federation = payload.consent_to_federation.unwrap_or(false);
        let submission =
            Self { keys, visited_countries, origin: Some(origin), consent_to_federation, submission_type };
        Ok(Accepted { submission, dropped, digest })
    }

    fn to_wire(&self) -> wire::export::SubmissionPayload {
        wire::export::SubmissionPayload {
            keys: self.keys.iter().map(|key| ExportKey::from(*key).to_wire()).collect(),
            request_padding: None,
            visited_countries: self.visited_countries.iter().map(ToString::to_string).collect(),
            origin: self.origin.map(|origin| origin.to_string()),
            consent_to_federation: Some(self.consent_to_federation),
            check_ins: Vec::new(),
            submission_type: Some(self.submission_type.number()),
            check_in_protected_reports: Vec::new(),
        }
    }
}

/// An upload that the rules let pass.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Accepted {
    /// What is to be stored; at least one key, and the origin is always given.
    pub submission: Submission,
    /// What was left out.
    pub dropped: Dropped,
    /// SHA-256 over everything the upload said but its padding, its keys in one order: the same for a repetition of
    /// the same upload, before anything was dropped.
    pub digest: [u8; 32],
}

/// Keys of an upload that were left out without refusing it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dropped {
    /// Keys whose first interval is still to come.
    pub future: usize,
    /// Keys that ended before the retention.
    pub too_old: usize,
    /// Repetitions of a key of the same upload.
    pub folded: usize,
}

impl Dropped {
    /// Keys that are lost to the uploader, which a server reports: repetitions are not.
    #[must_use]
    pub const fn lost(self) -> usize {
        self.future.saturating_add(self.too_old)
    }
}

/// What a server accepts. [`SubmissionPolicy::default`] is that of the German one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SubmissionPolicy {
    /// Longest body, in bytes: 102,400.
    pub max_bytes: usize,
    /// Most keys in one upload: 14.
    pub max_keys: usize,
    /// For how many days after their end keys are accepted: 14.
    pub retention_days: u64,
    /// Whether keys must start at midnight UTC.
    pub start_at_midnight: bool,
    /// Whether a key must have a transmission risk level of 1 to 8 or days since onset of symptoms.
    pub level_or_days_required: bool,
    /// The server's own country, and the only origin it takes.
    pub country: Country,
    /// Countries that may be named as visited.
    pub supported_countries: Vec<Country>,
}

impl SubmissionPolicy {
    /// The rules of the German server.
    #[must_use]
    pub fn cwa() -> Self {
        Self {
            max_bytes: 102_400,
            max_keys: 14,
            retention_days: 14,
            start_at_midnight: true,
            level_or_days_required: true,
            country: Country::GERMANY,
            supported_countries: Country::FEDERATED.to_vec(),
        }
    }

    /// The rules of the framework alone: no midnight, no demand for a level.
    #[must_use]
    pub fn framework() -> Self {
        // A phone that retires its key early hands over that key beside those of 14 days.
        Self { max_keys: 30, start_at_midnight: false, level_or_days_required: false, ..Self::cwa() }
    }

    fn submission_type(&self, number: i32) -> Result<SubmissionType, SubmissionError> {
        match number {
            0 => Ok(SubmissionType::PcrTest),
            1 => Ok(SubmissionType::RapidTest),
            number => Err(SubmissionError::SubmissionType { number }),
        }
    }

    fn origin(&self, text: Option<&str>) -> Result<Country, SubmissionError> {
        match text {
            None | Some("") => Ok(self.country),
            Some(text) => text
                .parse()
                .ok()
                .filter(|origin| *origin == self.country)
                .ok_or(SubmissionError::Origin { expected: self.country }),
        }
    }

    fn visited_countries(&self, texts: &[String]) -> Result<Vec<Country>, SubmissionError> {
        let mut countries = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let country: Country = text
                .parse()
                .map_err(|reason| SubmissionError::VisitedCountry { number: index + 1, reason })?;
            if !self.supported_countries.contains(&country) {
                return Err(SubmissionError::UnsupportedCountry { country });
            }
            if !countries.contains(&country) {
                countries.push(country);
            }
        }
        Ok(countries)
    }

    fn key(&self, key: &wire::export::TemporaryExposureKey) -> Result<DiagnosisKey, SubmittedKeyError> {
        let key = ExportKey::try_from(RawKey::from_wire(key))?.diagnosis_key();
        let start = key.rolling_start_interval_number;
        if self.start_at_midnight && start.floor_day() != start {
            return Err(SubmittedKeyError::NotAtMidnight { rolling_start_interval_number: start.get() });
        }
        if self.level_or_days_required {
            match key.transmission_risk_level {
                Some(level) if level.get() == 0 => return Err(SubmittedKeyError::LevelZero),
                None if key.days_since_onset_of_symptoms.is_none() => {
                    return Err(SubmittedKeyError::NeitherLevelNorDays);
                }
                _ => {}
            }
        }
        if key.report_type == Some(ReportType::Revoked) {
            return Err(SubmittedKeyError::Revoked);
        }
        Ok(key)
    }
}

impl Default for SubmissionPolicy {
    fn default() -> Self {
        Self::cwa()
    }
}

/// What an upload rests on (`SubmissionPayload.SubmissionType`); those that need a TAN.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SubmissionType {
    /// 0: a PCR test.
    #[default]
    PcrTest,
    /// 1: a rapid antigen test.
    RapidTest,
}

impl SubmissionType {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::PcrTest => 0,
            Self::RapidTest => 1,
        }
    }
}

/// Padding in proportion to the keys that are missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the two numbers of the German apps' rule")]
pub struct PerKeyPadding {
    /// Up to how many keys are padded: 15 on Android, 14 on iOS.
    pub keys: usize,
    /// Padding for each missing key: 28.
    pub bytes_per_key: usize,
}

impl PerKeyPadding {
    /// The rule of the German Android app.
    pub const GERMAN_ANDROID: Self = Self { keys: 15, bytes_per_key: 28 };
    /// The rule of the German iOS app.
    pub const GERMAN_IOS: Self = Self { keys: 14, bytes_per_key: 28 };
}

/// An upload that does not fit into its size.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the upload needs {needed} bytes and cannot be padded to {size}")]
#[non_exhaustive]
pub struct PaddingError {
    /// The size asked for, in bytes.
    pub size: usize,
    /// The size without padding, in bytes.
    pub needed: usize,
}

/// Why an upload is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionError {
    /// The body is longer than the policy allows.
    #[error("the body has {length} bytes; at most {max} are accepted")]
    TooLarge {
        /// Most bytes.
        max: usize,
        /// Bytes found.
        length: usize,
    },
    /// No protobuf message of this type.
    #[error("the body is not a SubmissionPayload")]
    Malformed,
    /// An upload without keys.
    #[error("the upload has no keys")]
    NoKeys,
    /// More keys than the policy allows.
    #[error("the upload has {count} keys; at most {max} are accepted")]
    TooManyKeys {
        /// Most keys.
        max: usize,
        /// Keys found.
        count: usize,
    },
    /// A kind of upload that is not accepted with a TAN.
    #[error("submission type {number} is not accepted; only 0 (PCR test) and 1 (rapid test) are")]
    SubmissionType {
        /// The number found.
        number: i32,
    },
    /// Another origin than the server's country.
    #[error("the origin must be absent, empty or {expected}")]
    Origin {
        /// The server's country.
        expected: Country,
    },
    /// A visited country that is no country code.
    #[error("visited country {number} is not a country code")]
    VisitedCountry {
        /// Its number in the upload, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        reason: CountryError,
    },
    /// A visited country that takes no part.
    #[error("visited country {country} takes no part")]
    UnsupportedCountry {
        /// The country.
        country: Country,
    },
    /// A key that cannot be used.
    #[error("key {number} cannot be used")]
    Key {
        /// Its number in the upload, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        reason: SubmittedKeyError,
    },
    /// Every key was left out.
    #[error("none of the keys can be published: {} start in the future, {} are too old", dropped.future, dropped.too_old)]
    NothingRemains {
        /// What was left out.
        dropped: Dropped,
    },
}

/// Why one key refuses the upload it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmittedKeyError {
    /// Out of shape or out of range.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It does not start at midnight UTC.
    #[error(
        "the rolling start interval number must be a multiple of 144, not {rolling_start_interval_number}"
    )]
    NotAtMidnight {
        /// The number found.
        rolling_start_interval_number: u32,
    },
    /// Transmission risk level 0.
    #[error("the transmission risk level must be 1 to 8, not 0")]
    LevelZero,
    /// Nothing to derive a risk from.
    #[error("the key has neither a transmission risk level nor days since onset of symptoms")]
    NeitherLevelNorDays,
    /// A phone does not revoke keys.
    #[error("a key cannot be submitted as revoked")]
    Revoked,
    /// The same key data with other statements before.
    #[error("an earlier key of the upload has the same key data and says something else")]
    Contradiction,
}

/// How long `request_padding` must be for its field to take `room` bytes; `None` for 1, and for the few sizes at which
/// the length itself takes a byte more.
fn padding_length(room: usize) -> Option<usize> {
    (1..=5).find_map(|length_bytes| {
        let length = room.checked_sub(1 + length_bytes)?;
        let fits = prost::encoding::encoded_len_varint(u64::try_from(length).ok()?) == length_bytes;
        fits.then_some(length)
    })
}

fn padded_per_key(
    mut payload: wire::export::SubmissionPayload,
    padding: PerKeyPadding,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    const ALPHABET: [u8; 62] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let missing = padding.keys.saturating_sub(payload.keys.len());
    let length = missing.saturating_mul(padding.bytes_per_key);
    if length > 0 {
        let mut bytes = vec![0; length];
        rng.fill_bytes(&mut bytes);
        for byte in &mut bytes {
            // Which character stands there carries no meaning, so the small bias of the remainder does not matter.
            *byte = ALPHABET.get(usize::from(*byte) % ALPHABET.len()).copied().unwrap_or(b'A');
        }
        payload.request_padding = Some(bytes);
    }
    payload.encode_to_vec()
}

fn content_digest(payload: &mut wire::export::SubmissionPayload) -> [u8; 32] {
    payload.request_padding = None;
    payload.keys.sort_by(|a, b| a.key_data.cmp(&b.key_data));
    payload.keys.dedup();
    signature::digest(&payload.encode_to_vec())
}

#[cfg(test)]
mod tests;
