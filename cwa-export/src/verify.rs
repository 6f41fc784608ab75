//! From bytes that anybody may have made to content that a trusted key signed.
//!
//! ```text
//! UnverifiedExport::parse(export_bin, export_sig)?   structure, within limits; no key can be read yet
//!     .verify(&trust_store)?                         signature, and the rules that tie the two files together
//!     .keys()                                        VerifiedExport: only here
//! ```

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use cwa_crypto::DiagnosisKey;
use p256::ecdsa::Signature;

use crate::content::{Anomalies, ExportContent, ParseContentError};
use crate::finding::{Code, Finding, Severity};
use crate::header::{self, HeaderError};
use crate::key::{ExportKey, RawKey};
use crate::signature::{self, DerError, ECDSA_P256_SHA256, SignatureInfo};
use crate::signature_list::{ListedSignature, ParseSignatureListError, SignatureList};
use crate::trust::{Environment, LookUp, TrustStore, TrustedKey};

/// Which deviations refuse a file.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// Every rule holds. Then no single bit of either file can be changed without the file being refused.
    #[default]
    Strict,
    /// Deviations that publishers are known for are warnings: archives with a further member, raw signatures, the
    /// early form of signature infos, batch numbers that differ, keys that cannot be used. The signature must be right.
    Lenient,
}

impl Profile {
    /// Every profile.
    pub const ALL: &'static [Self] = &[Self::Strict, Self::Lenient];

    fn weigh(self, mut finding: Finding) -> Finding {
        if self == Self::Lenient && LENIENT.contains(&finding.code) {
            finding.severity = Severity::Warning;
        }
        finding
    }
}

/// What [`Profile::Lenient`] lets pass.
const LENIENT: &[Code] = &[
    Code::UnexpectedMember,
    Code::RepeatedField,
    Code::NumberOverflow,
    Code::BatchInvalid,
    Code::TimesInvalid,
    Code::SignatureListMalformed,
    Code::SignatureEncoding,
    Code::SignatureInfoMismatch,
    Code::SignatureCount,
    Code::SignatureBatch,
    Code::SignatureAlgorithm,
    Code::LegacySignatureInfo,
    Code::KeyInvalid,
    Code::DuplicateKey,
];

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
        })
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|profile| profile.to_string() == text).ok_or(ProfileError)
    }
}

/// No profile of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no such profile; there are strict and lenient")]
#[non_exhaustive]
pub struct ProfileError;

/// An export whose structure is in order and whose signature nobody has looked at. Its keys cannot be read.
#[derive(Clone, Debug)]
pub struct UnverifiedExport<'a> {
    export_bin: &'a [u8],
    content: ExportContent<'a>,
    signatures: SignatureList<'a>,
}

impl<'a> UnverifiedExport<'a> {
    /// Reads both files of a package.
    ///
    /// # Errors
    ///
    /// [`ParseExportError`] if one of them cannot be read, or exceeds a limit.
    pub fn parse(export_bin: &'a [u8], export_sig: &'a [u8]) -> Result<Self, ParseExportError> {
        let content = ExportContent::parse(export_bin)?;
        let signatures = SignatureList::parse(export_sig)?;
        Ok(Self { export_bin, content, signatures })
    }

    /// Verifies the signature under [`Profile::Strict`]. The next step is [`VerifiedExport::keys`].
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: no trusted key, a wrong signature, or a broken rule.
    pub fn verify(self, trusted: &TrustStore) -> Result<VerifiedExport<'a>, VerifyError> {
        self.verify_as(trusted, Profile::Strict)
    }

    /// Verifies the signature under a profile of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: no trusted key, a wrong signature, or a broken rule.
    pub fn verify_as(
        self,
        trusted: &TrustStore,
        profile: Profile,
    ) -> Result<VerifiedExport<'a>, VerifyError> {
        let judgement = self.judge(trusted, profile);
        let signed_by = judgement.into_result()?;
        Ok(VerifiedExport { content: self.content, signed_by })
    }

    /// The content without a look at any signature: it can be anybody's.
    ///
    /// For tools that show what is in a file, and that say so.
    #[cfg(feature = "danger-unverified")]
    #[must_use]
    pub fn danger_accept_unverified(self) -> ExportContent<'a> {
        self.content
    }

    pub(crate) fn judge(&self, trusted: &TrustStore, profile: Profile) -> Judgement {
        let mut judgement = Judgement::of_content(&self.content, profile);
        let batch = (self.content.batch_num(), self.content.batch_size());
        let listed = Listed { infos: self.content.signature_infos(), batch };
        judgement.of_signatures(self.export_bin, &self.signatures, Some(listed), trusted);
        judgement
    }

    pub(crate) const fn content(&self) -> &ExportContent<'a> {
        &self.content
    }
}

/// An export that a trusted key signed.
#[derive(Clone, Debug)]
pub struct VerifiedExport<'a> {
    content: ExportContent<'a>,
    signed_by: SignedBy,
}

impl<'a> VerifiedExport<'a> {
    /// The keys as a device takes them, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = DiagnosisKey> + use<'a> {
        self.content.keys()
    }

    /// Everything else that the export says.
    #[must_use]
    pub const fn content(&self) -> &ExportContent<'a> {
        &self.content
    }

    /// The key that signed, how it was found, and what else is to be said.
    #[must_use]
    pub const fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }
}

/// Signed content that is no export: configuration, a manifest, statistics. Nobody has looked at its signature yet.
#[derive(Clone, Debug)]
pub struct UnverifiedContent<'a> {
    content: &'a [u8],
    signatures: SignatureList<'a>,
}

impl<'a> UnverifiedContent<'a> {
    /// Takes the content and reads its signatures.
    ///
    /// # Errors
    ///
    /// [`ParseSignedContentError`] if the signatures cannot be read, or the content is an export: the same keys sign
    /// both, so one must never be taken for the other.
    pub fn parse(content: &'a [u8], export_sig: &'a [u8]) -> Result<Self, ParseSignedContentError> {
        if header::is_export(content) {
            return Err(ParseSignedContentError::IsExport);
        }
        Ok(Self { content, signatures: SignatureList::parse(export_sig)? })
    }

    /// Verifies the signature under [`Profile::Strict`].
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: no trusted key, a wrong signature, or a broken rule.
    pub fn verify(self, trusted: &TrustStore) -> Result<VerifiedContent<'a>, VerifyError> {
        self.verify_as(trusted, Profile::Strict)
    }

    /// Verifies the signature under a profile of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: no trusted key, a wrong signature, or a broken rule.
    pub fn verify_as(
        self,
        trusted: &TrustStore,
        profile: Profile,
    ) -> Result<VerifiedContent<'a>, VerifyError> {
        let signed_by = self.judge(trusted, profile).into_result()?;
        Ok(VerifiedContent { content: self.content, signed_by })
    }

    /// The names beside the signatures, which anybody may have written there.
    pub fn claimed_signature_infos(&self) -> impl Iterator<Item = &SignatureInfo> {
        self.signatures.signatures.iter().filter_map(|signature| signature.signature_info.as_ref())
    }

    /// The content without a look at any signature: it can be anybody's.
    #[cfg(feature = "danger-unverified")]
    #[must_use]
    pub fn danger_accept_unverified(self) -> &'a [u8] {
        self.content
    }

    pub(crate) fn judge(&self, trusted: &TrustStore, profile: Profile) -> Judgement {
        let mut judgement = Judgement::new(profile);
        judgement.of_signatures(self.content, &self.signatures, None, trusted);
        judgement
    }
}

/// Content that a trusted key signed; what kind it is, its signature does not say.
#[derive(Clone, Debug)]
pub struct VerifiedContent<'a> {
    content: &'a [u8],
    signed_by: SignedBy,
}

impl<'a> VerifiedContent<'a> {
    /// The content.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.content
    }

    /// The key that signed, how it was found, and what else is to be said.
    #[must_use]
    pub const fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }
}

/// Who signed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedBy {
    /// The key.
    pub key: TrustedKey,
    /// How it was found.
    pub look_up: LookUp,
    /// What else was found; no errors among it.
    pub findings: Vec<Finding>,
}

/// Why the two files of an export cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseExportError {
    /// `export.bin`.
    #[error(transparent)]
    Content(#[from] ParseContentError),
    /// `export.sig`.
    #[error(transparent)]
    SignatureList(#[from] ParseSignatureListError),
}

impl From<HeaderError> for ParseExportError {
    fn from(error: HeaderError) -> Self {
        Self::Content(error.into())
    }
}

/// Why signed content that is no export cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSignedContentError {
    /// It is an export.
    #[error("the content is an exposure key export")]
    IsExport,
    /// `export.sig`.
    #[error(transparent)]
    SignatureList(#[from] ParseSignatureListError),
}

/// Why content is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// None of the keys in the store made a signature, and none is named by one.
    #[error("no trusted key made a signature of this file")]
    NoTrustedKey,
    /// A key of the store is named, and did not make the signature.
    #[error("no signature of this file verifies")]
    SignatureMismatch,
    /// A rule was broken.
    #[error("the file breaks {} rules; the first: {}", findings.len(), findings.first().map_or("", |finding| finding.message.as_str()))]
    Refused {
        /// The rules, all of severity error.
        findings: Vec<Finding>,
    },
}

/// What an export says about its own signatures.
#[derive(Clone, Copy)]
struct Listed<'a> {
    infos: &'a [SignatureInfo],
    batch: (Option<i32>, Option<i32>),
}

/// Everything that was found, and who signed.
pub(crate) struct Judgement {
    profile: Profile,
    pub(crate) findings: Vec<Finding>,
    pub(crate) signed_by: Option<(TrustedKey, LookUp)>,
    /// Signatures, by number, that no trusted key made.
    pub(crate) unexplained: Vec<(usize, Signature)>,
}

impl Judgement {
    const fn new(profile: Profile) -> Self {
        Self { profile, findings: Vec::new(), signed_by: None, unexplained: Vec::new() }
    }

    pub(crate) fn find(&mut self, code: Code, message: impl Into<String>) {
        self.findings.push(self.profile.weigh(Finding::new(code, message)));
    }

    fn into_result(mut self) -> Result<SignedBy, VerifyError> {
        let refused: Vec<_> =
            self.findings.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
        match refused.as_slice() {
            [] => {}
            [only] if only.code == Code::NoTrustedKey => return Err(VerifyError::NoTrustedKey),
            [only] if only.code == Code::SignatureMismatch => return Err(VerifyError::SignatureMismatch),
            _ => return Err(VerifyError::Refused { findings: refused }),
        }
        let findings = core::mem::take(&mut self.findings);
        self.signed_by
            .map(|(key, look_up)| SignedBy { key, look_up, findings })
            .ok_or(VerifyError::NoTrustedKey)
    }

    /// The rules for `export.bin` alone.
    fn of_content(content: &ExportContent<'_>, profile: Profile) -> Self {
        let mut judgement = Self::new(profile);
        judgement.of_anomalies(content.anomalies());
        judgement.of_head(content);
        judgement.of_keys(content);
        judgement
    }

    fn of_anomalies(&mut self, anomalies: Anomalies) {
        let Anomalies { unknown_fields, repeated_fields, not_minimal, overflowing } = anomalies;
        if unknown_fields > 0 {
            self.find(
                Code::UnknownField,
                format!("export.bin has {unknown_fields} fields that the format does not know"),
            );
        }
        if repeated_fields > 0 {
            let message =
                format!("export.bin has {repeated_fields} fields that may occur once and occur again");
            self.find(Code::RepeatedField, message);
        }
        if not_minimal > 0 {
            self.find(
                Code::NotCanonical,
                format!("export.bin has {not_minimal} numbers not in their shortest form"),
            );
        }
        if overflowing > 0 {
            self.find(
                Code::NumberOverflow,
                format!("export.bin has {overflowing} numbers too large for their field"),
            );
        }
    }

    fn of_head(&mut self, content: &ExportContent<'_>) {
        /// Most files of a batch (framework for Android, key file metadata).
        const MAX_BATCH: i32 = 1_000_000;
        match (content.batch_num(), content.batch_size()) {
            (None, None) => {}
            (Some(num), Some(size)) if 1 <= num && num <= size && size <= MAX_BATCH => {}
            (Some(num), Some(size)) => {
                self.find(Code::BatchInvalid, format!("the file is number {num} of {size}"))
            }
            (Some(_), None) => self.find(Code::BatchInvalid, "the file has a batch_num and no batch_size"),
            (None, Some(_)) => self.find(Code::BatchInvalid, "the file has a batch_size and no batch_num"),
        }
        if let (Some(start), Some(end)) = (content.start_timestamp(), content.end_timestamp())
            && start >= end
        {
            let message = format!("the export starts at {} and ends at {}", start.as_secs(), end.as_secs());
            self.find(Code::TimesInvalid, message);
        }
    }

    fn of_keys(&mut self, content: &ExportContent<'_>) {
        let mut capped = Capped::default();
        for (kind, raw) in
            numbered("key", content.raw_keys()).chain(numbered("revised key", content.raw_revised_keys()))
        {
            if let Err(reason) = ExportKey::try_from(raw) {
                capped.push(self, Code::KeyInvalid, || format!("{kind}: {reason}"));
            }
        }
        capped.finish(self, Code::KeyInvalid, "keys that cannot be used");

        let mut capped = Capped::default();
        for key_data in duplicates(content) {
            capped.push(self, Code::DuplicateKey, || {
                format!("key {} occurs more than once", hex::encode(key_data))
            });
        }
        capped.finish(self, Code::DuplicateKey, "keys that occur more than once");
    }

    /// The signatures, and the rules that tie them to what they sign.
    fn of_signatures(
        &mut self,
        content: &[u8],
        list: &SignatureList<'_>,
        listed: Option<Listed<'_>>,
        trusted: &TrustStore,
    ) {
        let anomalies = list.anomalies;
        if anomalies != Anomalies::default() {
            self.find(Code::SignatureListMalformed, format!("export.sig has {anomalies}"));
        }
        if list.signatures.is_empty() {
            self.find(Code::Unsigned, "export.sig holds no signature");
            return;
        }
        if let Some(listed) = listed
            && listed.infos.len() != list.signatures.len()
        {
            let (infos, signatures) = (listed.infos.len(), list.signatures.len());
            let message = format!(
                "the export lists {infos} signature infos, and export.sig holds {signatures} signatures"
            );
            self.find(Code::SignatureCount, message);
        }

        let digest = signature::digest(content);
        let mut outcomes = Vec::new();
        for (index, signature) in list.signatures.iter().enumerate() {
            let number = index.saturating_add(1);
            if let Some(listed) = listed {
                self.of_tie(number, signature, listed);
            }
            let info = self.of_info(number, signature);
            let read = self.of_encoding(number, signature);
            outcomes.push((number, read, Outcome::of(&digest, &info, read.as_ref(), trusted)));
        }
        self.conclude(&outcomes);
    }

    /// The name and the batch beside a signature are those that the signed export gives.
    fn of_tie(&mut self, number: usize, signature: &ListedSignature<'_>, listed: Listed<'_>) {
        if !signature.signature_info.as_ref().is_some_and(|info| listed.infos.contains(info)) {
            let message =
                format!("the signature info of signature {number} is not one that the export lists");
            self.find(Code::SignatureInfoMismatch, message);
        }
        let (num, size) = listed.batch;
        for (name, beside, within) in
            [("batch_num", signature.batch_num, num), ("batch_size", signature.batch_size, size)]
        {
            if beside.is_none() || beside != within {
                let text = |number: Option<i32>| {
                    number.map_or_else(|| "absent".to_owned(), |number| number.to_string())
                };
                let message = format!(
                    "{name} of signature {number} is {}, and that of the export {}",
                    text(beside),
                    text(within)
                );
                self.find(Code::SignatureBatch, message);
            }
        }
    }

    /// The name of the key, brought into today's form.
    fn of_info(&mut self, number: usize, signature: &ListedSignature<'_>) -> SignatureInfo {
        let info = signature.signature_info.clone().unwrap_or_default();
        if let Some(modern) = modern(&info) {
            let message =
                format!("the signature info of signature {number} has the field numbers of May 2020");
            self.find(Code::LegacySignatureInfo, message);
            return modern;
        }
        match info.signature_algorithm.as_deref() {
            Some(ECDSA_P256_SHA256) => {}
            Some(text) => {
                let message =
                    format!("the algorithm of signature {number} is {text:?}, not {ECDSA_P256_SHA256}");
                self.find(Code::SignatureAlgorithm, message);
            }
            None => self.find(Code::SignatureAlgorithm, format!("signature {number} names no algorithm")),
        }
        info
    }

    fn of_encoding(&mut self, number: usize, signature: &ListedSignature<'_>) -> Option<Signature> {
        let bytes = signature.signature.unwrap_or_default();
        match signature::parse_der(bytes) {
            Ok(signature) => Some(signature),
            Err(error) => {
                self.find(Code::SignatureEncoding, format!("signature {number}: {error}"));
                // A raw signature is read all the same: a lenient profile may let it pass, and a strict one says more
                // about what was signed.
                (error == DerError::Raw).then(|| Signature::from_slice(bytes).ok()).flatten()
            }
        }
    }

    fn conclude(&mut self, outcomes: &[(usize, Option<Signature>, Outcome)]) {
        self.signed_by = outcomes.iter().find_map(|(_, _, outcome)| match outcome {
            Outcome::Verified(key, look_up) => Some((TrustedKey::clone(key), *look_up)),
            _ => None,
        });
        for (number, signature, outcome) in outcomes {
            match outcome {
                Outcome::Verified(key, look_up) => {
                    let environment = key.environment;
                    let message = format!("signature {number} was made by {}, found by {look_up}", key.id);
                    self.find(Code::KeyLookUp, message);
                    let message = format!("{} is a {environment} key", key.id);
                    match environment {
                        Environment::Test => self.find(Code::TestKey, message),
                        Environment::Sample => self.find(Code::SampleKey, message),
                        Environment::Production | Environment::Given => {}
                    }
                }
                Outcome::Mismatch(keys) => {
                    let message = format!("signature {number} does not verify under {}", keys.join(", "));
                    self.find(Code::SignatureMismatch, message);
                    self.unexplained.extend(signature.map(|signature| (*number, signature)));
                }
                Outcome::NoKey if self.signed_by.is_some() => {
                    self.find(
                        Code::SignatureNotChecked,
                        format!("no trusted key is known for signature {number}"),
                    );
                }
                Outcome::NoKey => {
                    self.find(Code::NoTrustedKey, format!("no trusted key made signature {number}"));
                    self.unexplained.extend(signature.map(|signature| (*number, signature)));
                }
                Outcome::Unreadable => {}
            }
        }
    }
}

/// What became of one signature.
enum Outcome {
    Verified(Box<TrustedKey>, LookUp),
    /// It names these keys, or the caller chose them, and none of them made it.
    Mismatch(Vec<String>),
    NoKey,
    Unreadable,
}

impl Outcome {
    fn of(
        digest: &[u8; 32],
        info: &SignatureInfo,
        signature: Option<&Signature>,
        trusted: &TrustStore,
    ) -> Self {
        let Some(signature) = signature else {
            return Self::Unreadable;
        };
        let (look_up, candidates) = trusted.candidates(info);
        if let Some(key) = candidates.iter().find(|key| key.verifies(digest, signature)) {
            return Self::Verified(Box::new((*key).clone()), look_up);
        }
        // Whose signature it was meant to be is known if the caller chose the keys, or if a key has every name that the
        // signature gives. The same id and version for another app is another key.
        let chosen = candidates.iter().any(|key| key.environment == Environment::Given);
        let names_an_app = info.app_bundle_id.is_some() || info.android_package.is_some();
        let named = match look_up {
            LookUp::PackageIdVersion => true,
            LookUp::IdVersion => !names_an_app,
            LookUp::All => false,
        };
        if !named && !chosen {
            return Self::NoKey;
        }
        Self::Mismatch(candidates.iter().map(|key| key.id.clone()).collect())
    }
}

/// The first findings of one kind, so that a file with a million bad keys does not give a million findings.
#[derive(Default)]
pub(crate) struct Capped {
    count: usize,
}

impl Capped {
    const MAX: usize = 20;

    pub(crate) fn push(&mut self, judgement: &mut Judgement, code: Code, message: impl FnOnce() -> String) {
        self.count = self.count.saturating_add(1);
        if self.count <= Self::MAX {
            judgement.find(code, message());
        }
    }

    pub(crate) fn finish(self, judgement: &mut Judgement, code: Code, what: &str) {
        if let Some(more @ 1..) = self.count.checked_sub(Self::MAX) {
            judgement.find(code, format!("and {more} more {what}"));
        }
    }
}

/// The info with today's field numbers, if it has those of May 2020: there 2 was the version, 3 the id, 4 the algorithm.
fn modern(info: &SignatureInfo) -> Option<SignatureInfo> {
    let is_oid = info.verification_key_id.as_deref() == Some(ECDSA_P256_SHA256);
    (is_oid && info.signature_algorithm.is_none()).then(|| SignatureInfo {
        app_bundle_id: info.app_bundle_id.clone(),
        android_package: None,
        verification_key_version: info.android_package.clone(),
        verification_key_id: info.verification_key_version.clone(),
        signature_algorithm: info.verification_key_id.clone(),
    })
}

fn numbered<'a>(
    kind: &'static str,
    keys: impl Iterator<Item = RawKey<'a>>,
) -> impl Iterator<Item = (String, RawKey<'a>)> {
    keys.enumerate().map(move |(index, key)| (format!("{kind} {}", index.saturating_add(1)), key))
}

/// Key data that occurs more than once, among keys and revised keys taken together.
fn duplicates(content: &ExportContent<'_>) -> BTreeSet<[u8; ExportKey::LENGTH]> {
    let data = |raw: RawKey<'_>| raw.key_data.and_then(|data| <[u8; ExportKey::LENGTH]>::try_from(data).ok());
    let mut all: Vec<_> = content.raw_keys().chain(content.raw_revised_keys()).filter_map(data).collect();
    // Most publishers sort, which this notices in one pass.
    all.sort_unstable();
    all.windows(2)
        .filter(|pair| pair.first() == pair.last())
        .filter_map(|pair| pair.first().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use cwa_crypto::{ENIntervalNumber, RollingPeriod, UnixTime};
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::export::{Export, SignedFiles};
    use crate::signature::{Signer, SoftwareSigner};

    const START: UnixTime = UnixTime::from_secs(1_595_376_000);

    fn signer(seed: u8) -> SoftwareSigner {
        let info = SignatureInfo::new("262", "v9").with_app_bundle_id("org.example.en");
        SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), info)
    }

    fn store(seeds: &[u8]) -> TrustStore {
        seeds
            .iter()
            .map(|seed| TrustedKey::given(format!("key {seed}"), *signer(*seed).verifying_key()))
            .collect()
    }

    fn key(id: u8) -> DiagnosisKey {
        let start = ENIntervalNumber::at(START.minus(3 * 86_400));
        DiagnosisKey::new([id; 16], start, RollingPeriod::FULL_DAY)
    }

    fn files(signers: &[&dyn Signer]) -> SignedFiles {
        Export::new(START, START.plus(3600), "DE", vec![key(1).into(), key(2).into()]).sign(signers).unwrap()
    }

    fn verify<'a>(
        bin: &'a [u8],
        sig: &'a [u8],
        trusted: &TrustStore,
    ) -> Result<VerifiedExport<'a>, VerifyError> {
        UnverifiedExport::parse(bin, sig).unwrap().verify(trusted)
    }

    fn codes(error: VerifyError) -> Vec<Code> {
        match error {
            VerifyError::Refused { findings } => findings.iter().map(|finding| finding.code).collect(),
            VerifyError::NoTrustedKey => vec![Code::NoTrustedKey],
            VerifyError::SignatureMismatch => vec![Code::SignatureMismatch],
        }
    }

    #[test]
    fn keys_come_out_of_an_export_that_a_trusted_key_signed() {
        let files = files(&[&signer(7)]);
        let verified = verify(&files.export_bin, &files.export_sig, &store(&[7])).unwrap();
        assert_eq!(verified.keys().collect::<Vec<_>>(), [key(1), key(2)]);
        assert_eq!(verified.signed_by().key.id, "key 7");
        assert_eq!(verified.content().region(), Some("DE"));
    }

    #[test]
    fn no_single_flipped_bit_in_either_file_is_accepted() {
        let SignedFiles { export_bin, export_sig } = files(&[&signer(7)]);
        let store = store(&[7]);
        let accepted = |bin: &[u8], sig: &[u8]| {
            UnverifiedExport::parse(bin, sig).is_ok_and(|export| export.verify(&store).is_ok())
        };
        let flip = |bytes: &[u8], bit: usize| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        assert!(accepted(&export_bin, &export_sig));
        for bit in 0..export_bin.len() * 8 {
            assert!(!accepted(&flip(&export_bin, bit), &export_sig), "bit {bit} of export.bin");
        }
        for bit in 0..export_sig.len() * 8 {
            assert!(!accepted(&export_bin, &flip(&export_sig, bit)), "bit {bit} of export.sig");
        }
    }

    #[test]
    fn of_two_signatures_the_one_with_a_trusted_key_counts_and_the_other_is_named() {
        let files = files(&[&signer(8), &signer(7)]);
        let verified = verify(&files.export_bin, &files.export_sig, &store(&[7, 8])).unwrap();
        assert_eq!(verified.signed_by().key.id, "key 8");

        let mut named = TrustedKey::given("seven", *signer(7).verifying_key());
        named.environment = Environment::Production;
        let only_seven: TrustStore = [named].into_iter().collect();
        let verified = verify(&files.export_bin, &files.export_sig, &only_seven).unwrap();
        assert_eq!(verified.signed_by().key.id, "seven");
        let codes: Vec<_> = verified.signed_by().findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&Code::SignatureNotChecked));
    }

    #[test]
    fn a_named_key_that_did_not_sign_refuses_even_beside_a_good_signature() {
        let named = |seed, version: &str| {
            let info = SignatureInfo::new("262", version).with_app_bundle_id("org.example.en");
            SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), info)
        };
        let files = files(&[&named(8, "v8"), &named(7, "v7")]);
        let trusted = |seed: u8, version: &str| {
            let mut key = TrustedKey::given(version, *signer(seed).verifying_key());
            key.environment = Environment::Production;
            key.packages = vec!["org.example.en".into()];
            key.verification_key_id = Some("262".into());
            key.verification_key_version = Some(version.into());
            key
        };
        let store: TrustStore = [trusted(8, "v8"), trusted(7, "v7")].into_iter().collect();
        assert!(verify(&files.export_bin, &files.export_sig, &store).is_ok());
        let store: TrustStore = [trusted(8, "v8"), trusted(9, "v7")].into_iter().collect();
        let error = verify(&files.export_bin, &files.export_sig, &store).unwrap_err();
        assert_eq!(error, VerifyError::SignatureMismatch);
    }

    #[test]
    fn nobody_trusted_and_a_wrong_signature_are_told_apart() {
        let files = files(&[&signer(7)]);
        let built_in = TrustStore::built_in();
        let error = verify(&files.export_bin, &files.export_sig, &built_in).unwrap_err();
        assert_eq!(error, VerifyError::NoTrustedKey);
        let error = verify(&files.export_bin, &files.export_sig, &store(&[8])).unwrap_err();
        assert_eq!(error, VerifyError::SignatureMismatch);
    }

    #[test]
    fn the_id_and_version_of_a_trusted_key_for_another_app_name_nobody() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let signed_as = |info| {
            let signer = SoftwareSigner::new(key.clone(), info);
            let files = files(&[&signer]);
            verify(&files.export_bin, &files.export_sig, &TrustStore::built_in()).unwrap_err()
        };
        let german = SignatureInfo::new("262", "v1");
        assert_eq!(signed_as(german.clone()), VerifyError::SignatureMismatch);
        assert_eq!(
            signed_as(german.clone().with_app_bundle_id("de.rki.coronawarnapp")),
            VerifyError::SignatureMismatch
        );
        assert_eq!(signed_as(german.with_app_bundle_id("org.example")), VerifyError::NoTrustedKey);
    }

    #[test]
    fn a_signature_with_another_name_or_batch_is_refused_strictly_and_accepted_leniently() {
        let content = files(&[&signer(7)]).export_bin;
        let other_name =
            SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("1", "v1"));
        let renamed = signature::sign(&content, &[&other_name]).unwrap();
        let other_batch = signature::sign_batch(&content, &[&signer(7)], Some(1), Some(2)).unwrap();
        let no_batch = signature::sign_batch(&content, &[&signer(7)], None, None).unwrap();
        for (sig, expected) in [
            (renamed, vec![Code::SignatureInfoMismatch]),
            (other_batch, vec![Code::SignatureBatch]),
            (no_batch, vec![Code::SignatureBatch, Code::SignatureBatch]),
        ] {
            assert_eq!(codes(verify(&content, &sig, &store(&[7])).unwrap_err()), expected);
            let lenient =
                UnverifiedExport::parse(&content, &sig).unwrap().verify_as(&store(&[7]), Profile::Lenient);
            assert!(lenient.is_ok());
        }
    }

    #[test]
    fn raw_signatures_and_early_infos_pass_leniently_only() {
        use prost::Message as _;
        let infos = [SignatureInfo {
            app_bundle_id: Some("de.rki.coronawarnapp-dev".into()),
            android_package: Some("v1".into()),
            verification_key_version: Some("262".into()),
            verification_key_id: Some(ECDSA_P256_SHA256.into()),
            signature_algorithm: None,
        }];
        let content = Export::new(START, START.plus(3600), "DE", vec![]).encode(&infos);
        let raw = signer(7).sign_digest(&signature::digest(&content)).unwrap().to_bytes().to_vec();
        let sig = crate::wire::export::TekSignatureList {
            signatures: vec![crate::wire::export::TekSignature {
                signature_info: Some(infos[0].to_wire()),
                batch_num: Some(1),
                batch_size: Some(1),
                signature: Some(raw),
            }],
        }
        .encode_to_vec();
        let error = verify(&content, &sig, &store(&[7])).unwrap_err();
        assert_eq!(codes(error), [Code::LegacySignatureInfo, Code::SignatureEncoding]);
        let lenient =
            UnverifiedExport::parse(&content, &sig).unwrap().verify_as(&store(&[7]), Profile::Lenient);
        assert_eq!(lenient.unwrap().signed_by().key.id, "key 7");
    }

    #[test]
    fn an_empty_signature_list_verifies_nothing() {
        let content = Export::new(START, START.plus(3600), "DE", vec![]).encode(&[]);
        for profile in Profile::ALL {
            let error = UnverifiedExport::parse(&content, b"")
                .unwrap()
                .verify_as(&store(&[7]), *profile)
                .unwrap_err();
            assert_eq!(codes(error), [Code::Unsigned]);
        }
    }

    #[test]
    fn configuration_is_never_taken_for_keys_nor_keys_for_configuration() {
        let signed = SignedFiles::sign_content(vec![8, 11], &[&signer(7)]).unwrap();
        assert!(UnverifiedExport::parse(&signed.export_bin, &signed.export_sig).is_err());
        let content = UnverifiedContent::parse(&signed.export_bin, &signed.export_sig).unwrap();
        assert_eq!(content.verify(&store(&[7])).unwrap().bytes(), [8, 11]);
        let keys = files(&[&signer(7)]);
        assert_eq!(
            UnverifiedContent::parse(&keys.export_bin, &keys.export_sig).unwrap_err(),
            ParseSignedContentError::IsExport
        );
    }

    #[test]
    fn profiles_have_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(*profile));
        }
        assert_eq!("loose".parse::<Profile>(), Err(ProfileError));
    }
}
