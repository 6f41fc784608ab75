//! Packages of any size in little memory: `export.bin` is inflated, hashed and read in pieces, and never held as a whole.
//!
//! ```text
//! ExportStream::open(archive)?             the archive and the list of signatures are in order
//!     .verify_and_fold(&trusted, …)?       one pass over the keys, then the signature; a result only if it is right
//!     .for_each_key(…)?                    another pass
//! ```
//!
//! The rules are those of [`Profile::Strict`](crate::verify::Profile). It takes 0.3 MiB beyond the archive, and eight bytes a
//! key more where keys do not stand in the order of their bytes, to see that none stands there twice.

use std::collections::BTreeSet;

use cwa_crypto::{DiagnosisKey, UnixTime};
use sha2::{Digest as _, Sha256};

use crate::archive::ArchiveError;
use crate::archive::pieces::{Piece, Pieces};
use crate::content::{Anomalies, ExportContent, ParseContentError, Place, Read, Walk};
use crate::header;
use crate::key::{ExportKey, KeyError};
use crate::reader::{Fields, ReadError};
use crate::signature::SignatureInfo;
use crate::signature_list::{ParseSignatureListError, SignatureList};
use crate::trust::TrustStore;
use crate::verify::{SignedBy, VerifyError, verify_read};

/// A package whose content nobody has looked at yet. Its keys cannot be read.
///
/// ```
/// # use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, UnixTime};
/// # use cwa_export::p256::ecdsa::SigningKey;
/// # use cwa_export::{Export, SignatureInfo, SoftwareSigner, TrustStore, TrustedKey};
/// use cwa_export::stream::ExportStream;
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let start = UnixTime::from_secs(1_595_376_000);
/// # let key = DiagnosisKey::new([7; 16], ENIntervalNumber::at(start.minus(86_400)), RollingPeriod::FULL_DAY);
/// # let signer = SoftwareSigner::new(SigningKey::from_slice(&[1; 32])?, SignatureInfo::new("262", "v1"));
/// # let archive = Export::new(start, start.plus(3600), "DE", vec![key.into()]).sign(&[&signer])?.to_archive()?;
/// # let trusted: TrustStore = [TrustedKey::given("mine", *signer.verifying_key())].into_iter().collect();
/// let stream = ExportStream::open(&archive)?;
/// let (verified, intervals) =
///     stream.verify_and_fold(&trusted, 0, |sum, key| *sum += u32::from(key.rolling_period.get()))?;
/// assert_eq!((verified.key_count(), intervals), (1, 144));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ExportStream<'a> {
    pieces: Pieces<'a>,
}

impl<'a> ExportStream<'a> {
    /// Opens an archive, within [`Limits::default`](crate::archive::Limits).
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] for anything that two readers could take differently, anything beyond the limits, and a
    /// missing member. What is wrong within `export.bin` shows when it is read.
    pub fn open(archive: &'a [u8]) -> Result<Self, ArchiveError> {
        Ok(Self { pieces: Pieces::open(archive)? })
    }

    /// Names of further members, which phones refuse: `content.sig` in Dutch archives.
    #[must_use]
    pub fn unexpected_members(&self) -> &[String] {
        self.pieces.unexpected()
    }

    /// Reads the export once and verifies its signature. The next step is [`VerifiedExportStream::for_each_key`].
    ///
    /// # Errors
    ///
    /// [`StreamError`]: the archive or the export cannot be read, or the signature or a rule is broken.
    pub fn verify(self, trusted: &TrustStore) -> Result<VerifiedExportStream<'a>, StreamError> {
        self.verify_and_fold(trusted, (), |(), _| ()).map(|(verified, ())| verified)
    }

    /// The same, and something is made of the keys on the way: statistics, a table. It comes out only if the signature
    /// is right; `each` is a function without surroundings, so that no key gets out by mistake before.
    ///
    /// # Errors
    ///
    /// [`StreamError`]: the archive or the export cannot be read, or the signature or a rule is broken.
    pub fn verify_and_fold<S>(
        self,
        trusted: &TrustStore,
        mut state: S,
        each: fn(&mut S, DiagnosisKey),
    ) -> Result<(VerifiedExportStream<'a>, S), StreamError> {
        let signatures = SignatureList::parse(self.pieces.export_sig())?;
        let (mut hash, mut reading, mut unusable) = (Sha256::new(), Reading::default(), None);
        self.pieces.export_bin(|piece| {
            hash.update(piece.new_bytes());
            reading.take(piece, |key| match key {
                Ok((key, false)) => each(&mut state, key.diagnosis_key()),
                Ok((_, true)) => {}
                Err(key) => unusable = unusable.or(Some(key)),
            })
        })?;
        let (content, region) = reading.finish();
        let count = content.key_count().saturating_add(content.revised_key_count());
        let twice = || self.pieces.twice(count);
        let signed_by = verify_read(&content, hash.finalize().into(), &signatures, trusted, unusable, twice)?;
        Ok((VerifiedExportStream { pieces: self.pieces, content, region, signed_by }, state))
    }
}

/// An export that a trusted key signed, its keys still in the archive.
#[derive(Clone, Debug)]
pub struct VerifiedExportStream<'a> {
    pieces: Pieces<'a>,
    /// All but keys and region, which are elsewhere.
    content: ExportContent<'static>,
    region: Option<String>,
    signed_by: SignedBy,
}

impl VerifiedExportStream<'_> {
    /// Gives every key as a device takes it, in the order of the file, while the archive is inflated anew.
    ///
    /// # Errors
    ///
    /// [`StreamError`], which does not happen to an archive that was read before and has not changed.
    pub fn for_each_key(&self, mut each: impl FnMut(DiagnosisKey)) -> Result<(), StreamError> {
        self.pieces.for_each(|key, revised| {
            if !revised {
                each(key.diagnosis_key())
            }
        })
    }

    /// The same for the revised keys.
    ///
    /// # Errors
    ///
    /// [`StreamError`], which does not happen to an archive that was read before and has not changed.
    pub fn for_each_revised_key(&self, mut each: impl FnMut(DiagnosisKey)) -> Result<(), StreamError> {
        self.pieces.for_each(|key, revised| {
            if revised {
                each(key.diagnosis_key())
            }
        })
    }

    /// Begin of the window in which the keys were published.
    #[must_use]
    pub const fn start_timestamp(&self) -> Option<UnixTime> {
        self.content.start_timestamp()
    }

    /// End of that window.
    #[must_use]
    pub const fn end_timestamp(&self) -> Option<UnixTime> {
        self.content.end_timestamp()
    }

    /// The region: a country code by custom.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Number of the file in its batch, from 1.
    #[must_use]
    pub const fn batch_num(&self) -> Option<i32> {
        self.content.batch_num()
    }

    /// Files in the batch.
    #[must_use]
    pub const fn batch_size(&self) -> Option<i32> {
        self.content.batch_size()
    }

    /// Who signed, as the export says.
    #[must_use]
    pub fn signature_infos(&self) -> &[SignatureInfo] {
        self.content.signature_infos()
    }

    /// Keys published for the first time.
    #[must_use]
    pub const fn key_count(&self) -> usize {
        self.content.key_count()
    }

    /// Keys published before that now say something else.
    #[must_use]
    pub const fn revised_key_count(&self) -> usize {
        self.content.revised_key_count()
    }

    /// What was unusual about the bytes.
    #[must_use]
    pub const fn anomalies(&self) -> Anomalies {
        self.content.anomalies()
    }

    /// The key that signed, how it was found, and what else is to be said.
    #[must_use]
    pub const fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }
}

/// Why a package that was read in pieces is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `export.bin`.
    #[error(transparent)]
    Content(#[from] ParseContentError),
    /// `export.sig`.
    #[error(transparent)]
    SignatureList(#[from] ParseSignatureListError),
    /// No trusted key, a wrong signature, or a broken rule.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl Pieces<'_> {
    /// Reads the export anew and gives every key that can be used, and whether it is a revised one.
    fn for_each(&self, mut each: impl FnMut(ExportKey, bool)) -> Result<(), StreamError> {
        let mut reading = Reading::default();
        self.export_bin(|piece| {
            reading.take(piece, |key| {
                if let Ok((key, revised)) = key {
                    each(key, revised);
                }
            })
        })
    }

    /// Key data that stands there twice: found by halves, of which a second look tells whether the other halves agree.
    /// All `count` keys can be used, so that there are not more than a file has room for.
    fn twice(&self, count: usize) -> Result<BTreeSet<u128>, StreamError> {
        let number = |key: &ExportKey| u128::from_be_bytes(key.key_data);
        let half = |number: u128| (number >> 64) as u64;
        let mut halves = Vec::with_capacity(count);
        self.for_each(|key, _| halves.push(half(number(&key))))?;
        let suspect = crate::verify::repeated(halves);
        if suspect.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut whole = Vec::new();
        self.for_each(|key, _| {
            whole.extend(Some(number(&key)).filter(|number| suspect.contains(&half(*number))))
        })?;
        Ok(crate::verify::repeated(whole))
    }
}

/// Longest field of the format that is held until it is whole; those that the format does not know may have any length.
const MAX_FIELD: usize = 64 << 10;

/// A key that can be used and whether it is a revised one; or which key cannot, and why.
type KeyRead = Result<(ExportKey, bool), (Place, KeyError)>;

fn read(key: Result<ExportKey, KeyError>, place: Place) -> KeyRead {
    key.map(|key| (key, place.revised)).map_err(|reason| (place, reason))
}

/// How far an export has been read.
#[derive(Debug, Default)]
struct Reading {
    walk: Walk,
    region: Option<String>,
    has_header: bool,
    /// Bytes of the message that have been read.
    offset: usize,
    /// Bytes of a field to pass over, and where that field begins.
    passing: (usize, usize),
}

impl Reading {
    /// Reads what is whole, and says how many bytes that was.
    fn take(&mut self, piece: &Piece<'_>, mut each: impl FnMut(KeyRead)) -> Result<usize, StreamError> {
        let mut bytes = piece.bytes;
        if !self.has_header {
            if bytes.len() < header::HEADER.len() && !piece.is_last {
                return Ok(0);
            }
            bytes = header::strip(bytes).map_err(ParseContentError::from)?;
            self.has_header = true;
        }
        loop {
            bytes = self.pass_over(bytes);
            let Some(rest) = self.fields(bytes, piece.is_last, &mut each)? else {
                break;
            };
            bytes = rest;
            if self.passing.0 == 0 {
                return Ok(piece.bytes.len().saturating_sub(bytes.len()));
            }
        }
        if self.passing.0 > 0 && piece.is_last {
            let offset = self.passing.1;
            return Err(ParseContentError::Message(ReadError::Truncated { offset }).into());
        }
        Ok(piece.bytes.len())
    }

    /// Reads fields until none is left (`None`) or one is not whole, or not to be held; then what is still there.
    fn fields<'b>(
        &mut self,
        bytes: &'b [u8],
        is_last: bool,
        each: &mut impl FnMut(KeyRead),
    ) -> Result<Option<&'b [u8]>, ParseContentError> {
        let base = self.offset;
        let shift = |error| match error {
            ParseContentError::Message(reason) => ParseContentError::Message(reason.shifted(base)),
            other => other,
        };
        let mut fields = Fields::new(bytes);
        loop {
            self.walk.usual_keys(&mut fields, |key| each(Ok((key, false))));
            if let Some(message) = fields.next_short(Walk::KEYS_TAG) {
                let (key, place) = self.walk.key(message, false)?;
                each(read(key, place));
                continue;
            }
            let before = fields.clone();
            match fields.next() {
                None => {
                    self.offset = base.saturating_add(bytes.len());
                    return Ok(None);
                }
                Some(Ok(field)) => match self.walk.field(&field).map_err(shift)? {
                    Read::Region(text) => self.region = Some(text.to_owned()),
                    Read::Key(key, place) => each(read(key, place)),
                    Read::Other => {}
                },
                Some(Err(ReadError::Truncated { .. })) if !is_last => {
                    let rest = before.rest();
                    self.offset = base.saturating_add(bytes.len().saturating_sub(rest.len()));
                    return Ok(Some(self.begin_passing(&before)?));
                }
                Some(Err(error)) => return Err(shift(ParseContentError::Message(error))),
            }
        }
    }

    /// Decides about a field that is not whole: it is waited for, or, if it is too long for that, passed over.
    fn begin_passing<'b>(&mut self, before: &Fields<'b>) -> Result<&'b [u8], ParseContentError> {
        let rest = before.rest();
        match before.peek_bytes() {
            Some((number, length, head, is_minimal)) if length > MAX_FIELD => {
                let offset = self.offset;
                if Walk::knows(number) {
                    return Err(ParseContentError::FieldTooLong { offset, number, max: MAX_FIELD });
                }
                self.walk.pass_over(is_minimal);
                self.passing = (length, offset);
                self.offset = offset.saturating_add(head);
                Ok(rest.get(head..).unwrap_or_default())
            }
            _ => Ok(rest),
        }
    }

    fn pass_over<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let passed = self.passing.0.min(bytes.len());
        self.passing.0 = self.passing.0.saturating_sub(passed);
        self.offset = self.offset.saturating_add(passed);
        bytes.get(passed..).unwrap_or_default()
    }

    fn finish(self) -> (ExportContent<'static>, Option<String>) {
        (ExportContent::of_walk(self.walk, &[], None), self.region)
    }
}

#[cfg(test)]
mod tests;
