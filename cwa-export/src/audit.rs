//! A report for auditors: may a device trust this file, and if not, why.
//!
//! Where [`verify`](crate::verify) gives the keys or an error, this gives everything that was found, in one pass and
//! with stable codes.

mod content_sig;

use core::fmt;

use cwa_crypto::{Day, UnixTime};
use serde::Serialize;

use crate::archive::{self, Archive, ArchiveError, ContentArchive};
use crate::batch::PublicationPolicy;
use crate::configuration::Configuration;
use crate::content::{ExportContent, ParseContentError};
use crate::cosigning::CosigningPolicy;
use crate::diagnose::Search;
use crate::finding::{Code, Finding, Severity};
use crate::header;
use crate::profile::Profile;
use crate::signature_list::ParseSignatureListError;
use crate::trust::TrustStore;
use crate::verify::{
    Capped, Judgement, ParseExportError, ParseSignedContentError, Signer, UnverifiedContent, UnverifiedExport,
};

/// What a file is, told from its content.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Keys: the content begins with the header of an export.
    ExposureKeys,
    /// Application configuration, framework mode v1.
    #[serde(rename = "application_configuration_v1")]
    ApplicationConfigurationV1,
    /// Application configuration, framework mode v2.
    #[serde(rename = "application_configuration_v2")]
    ApplicationConfigurationV2,
    /// Something else that is signed.
    Opaque,
}

impl Kind {
    /// The kind of this content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        if header::is_export(content) {
            return Self::ExposureKeys;
        }
        match Configuration::decode(content) {
            Ok(Configuration::V1(_)) => Self::ApplicationConfigurationV1,
            Ok(Configuration::V2(_)) => Self::ApplicationConfigurationV2,
            Err(_) => Self::Opaque,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExposureKeys => "exposure keys",
            Self::ApplicationConfigurationV1 => "application configuration (framework mode v1)",
            Self::ApplicationConfigurationV2 => "application configuration (framework mode v2)",
            Self::Opaque => "signed content of another kind",
        })
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the four answers that exit codes tell apart")]
pub enum Verdict {
    /// A trusted key signed it and no rule is broken.
    Valid,
    /// The signature is wrong, or a rule is broken.
    Invalid,
    /// In order as far as can be seen, but signed by nobody who is trusted.
    Untrusted,
    /// It cannot be read.
    Unreadable,
}

impl Verdict {
    /// The worse of two answers: unreadable, then invalid, then untrusted.
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unreadable, _) | (_, Self::Unreadable) => Self::Unreadable,
            (Self::Invalid, _) | (_, Self::Invalid) => Self::Invalid,
            (Self::Untrusted, _) | (_, Self::Untrusted) => Self::Untrusted,
            (Self::Valid, Self::Valid) => Self::Valid,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Untrusted => "untrusted",
            Self::Unreadable => "unreadable",
        })
    }
}

/// What a published reader would do with a file, whether or not the file is valid.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "a reader takes a file or does not")]
pub enum Reader {
    /// It takes the file.
    Accepts,
    /// It does not.
    Refuses,
}

impl Reader {
    pub(crate) const fn refuses(refuses: bool) -> Self {
        if refuses { Self::Refuses } else { Self::Accepts }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accepts => "accepts",
            Self::Refuses => "refuses",
        })
    }
}

/// Everything that was found about one file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What it is; `None` if it could not even be opened.
    pub kind: Option<Kind>,
    /// The answer.
    pub verdict: Verdict,
    /// What the profile's reader would do; `None` under the two profiles that are no reader's, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<Reader>,
    /// Name of the key that signed it, whatever the answer.
    pub trusted_key: Option<String>,
    /// Which trusted key made which signature, in the order of the file; the first is [`trusted_key`](Self::trusted_key).
    pub signers: Vec<SignedWith>,
    /// What was found, in the order of the checks.
    pub findings: Vec<Finding>,
}

/// Which trusted key made which signature.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SignedWith {
    /// The number of the signature in `export.sig`, from 1.
    pub signature: usize,
    /// The key's name in the trust store.
    pub trusted_key: String,
}

/// How a file is judged.
///
/// ```
/// use cwa_export::audit::{Audit, Verdict};
/// use cwa_export::trust::TrustStore;
/// let report = Audit::new(&TrustStore::built_in()).archive(b"not a ZIP archive");
/// assert_eq!(report.verdict, Verdict::Unreadable);
/// assert_eq!(report.findings[0].code.as_str(), "CWA-E1001");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a> {
    trusted: &'a TrustStore,
    profile: Profile,
    now: Option<UnixTime>,
    expects_test_keys: bool,
    cosigners: Option<&'a CosigningPolicy>,
    #[cfg(feature = "cms")]
    certificate: Option<&'a crate::cms::SignerCertificate>,
}

impl<'a> Audit<'a> {
    /// Judges by the strict profile, with these keys.
    #[must_use]
    pub const fn new(trusted: &'a TrustStore) -> Self {
        Self {
            trusted,
            profile: Profile::Strict,
            now: None,
            expects_test_keys: false,
            cosigners: None,
            #[cfg(feature = "cms")]
            certificate: None,
        }
    }

    /// Judges by another profile.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Judges the age of keys against this time instead of the export's own end.
    #[must_use]
    pub const fn now(mut self, now: UnixTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Takes test keys as a matter of course instead of warning about them.
    #[must_use]
    pub const fn expect_test_keys(mut self) -> Self {
        self.expects_test_keys = true;
        self
    }

    /// Wants the keys of one of these sets to have signed, all of them.
    #[must_use]
    pub const fn cosigners(mut self, policy: &'a CosigningPolicy) -> Self {
        self.cosigners = Some(policy);
        self
    }

    /// Judges an archive.
    #[must_use]
    pub fn archive(&self, bytes: &[u8]) -> Report {
        match Archive::read(bytes) {
            Ok(archive) => self.members(&archive, bytes),
            Err(error) => {
                if let Ok(archive) = ContentArchive::read(bytes) {
                    return self.content_archive(&archive);
                }
                let mut report = self.unreadable(None, Code::ArchiveUnreadable, &error);
                if let ArchiveError::Duplicate { name } = error {
                    self.duplicates(bytes, &name, &mut report);
                }
                report
            }
        }
    }

    /// Judges two bare files; without signatures, the content alone.
    #[must_use]
    pub fn files(&self, content: &[u8], export_sig: Option<&[u8]>) -> Report {
        self.judge(content, export_sig, None, |judgement| self.no_members(judgement))
    }

    fn members(&self, archive: &Archive, bytes: &[u8]) -> Report {
        self.judge(archive.export_bin(), Some(archive.export_sig()), Some(bytes), |judgement| {
            self.further_members(judgement, archive);
        })
    }

    /// What the profile's reader makes of an archive in which a member occurs twice: for us it is not readable.
    fn duplicates(&self, bytes: &[u8], name: &str, report: &mut Report) {
        let Some(which) = self.profile.reader().and_then(|rules| rules.duplicates) else { return };
        let Ok(archive) = Archive::read_duplicates(bytes, which) else { return };
        let seen = self.members(&archive, bytes);
        let outcome = match seen.reader {
            Some(Reader::Accepts) => "accepts it",
            _ => "refuses it",
        };
        let message = format!("{} takes the {which} member {name} and {outcome}", self.profile);
        report.reader = seen.reader;
        report.findings.push(Finding::new(Code::ReaderTakesInvalid, message));
    }

    fn judge(
        &self,
        content: &[u8],
        export_sig: Option<&[u8]>,
        archive: Option<&[u8]>,
        of_archive: impl FnOnce(&mut Judgement),
    ) -> Report {
        let reader = self.profile.reader();
        let trims = reader.is_some_and(|rules| rules.trims_header) && header::strip_trimmed(content).is_ok();
        let kind = if trims { Kind::ExposureKeys } else { Kind::of(content) };
        if let (Kind::Opaque, None, Err(error)) = (kind, export_sig, header::strip(content)) {
            return self.unreadable(Some(kind), Code::NotAnExport, &error);
        }
        let sig = export_sig.unwrap_or_default();
        let judgement = if kind == Kind::ExposureKeys {
            let parsed = if trims {
                UnverifiedExport::parse_trimmed(content, sig)
            } else {
                UnverifiedExport::parse(content, sig)
            };
            parsed.map_err(|error| self.unreadable_export(&error)).map(|export| {
                let mut judgement = export.judge(self.trusted, self.profile);
                if let (true, Err(error)) = (trims, header::strip(content)) {
                    judgement.find_for_reader(Code::NotAnExport, false, error.to_string());
                }
                self.ages(&mut judgement, export.content());
                judgement
            })
        } else {
            let parsed = UnverifiedContent::parse(content, sig);
            parsed.map_err(|error| self.unreadable_content(kind, &error)).map(|content| {
                let mut judgement = content.judge(self.trusted, self.profile);
                if kind == Kind::Opaque {
                    judgement.find(Code::Opaque, "the content is neither keys nor application configuration");
                }
                if reader.is_some_and(|rules| !rules.takes_other_content) {
                    let message = format!("{} takes exports of keys, and this is {kind}", self.profile);
                    judgement.find_for_reader(Code::NotAnExport, true, message);
                }
                judgement
            })
        };
        let mut judgement = match judgement {
            Ok(judgement) => judgement,
            Err(report) => return report,
        };
        // Where no trusted key signed at all, that is said already.
        if let Some(policy) = self.cosigners
            && !judgement.signers.is_empty()
            && !policy.is_met_by(judgement.signers.iter().map(|signer| &signer.key))
        {
            judgement.find(Code::NotCosigned, format!("not all keys of one set have signed: {policy}"));
        }
        if !judgement.unexplained.is_empty() {
            let members = archive.map(archive::other_contents).unwrap_or_default();
            let search = Search::new(content, &members, self.trusted);
            for (number, signature) in core::mem::take(&mut judgement.unexplained) {
                judgement.findings.extend(search.explain(number, &signature));
            }
        }
        of_archive(&mut judgement);
        if export_sig.is_none() {
            judgement.findings.retain(|finding| finding.code != Code::Unsigned);
            judgement.find(Code::Unsigned, "no signature file was given with the bare content");
            // No reader takes a bare file, not even one that takes an empty list.
            judgement.reader_refuses = true;
        }
        if self.expects_test_keys {
            for finding in &mut judgement.findings {
                if finding.code == Code::TestKey {
                    finding.severity = Severity::Note;
                }
            }
        }
        self.report(kind, judgement)
    }

    /// How old the keys are, and whether they were published too early.
    fn ages(&self, judgement: &mut Judgement, content: &ExportContent<'_>) {
        /// What phones are promised at most.
        const MAX_KEYS: usize = 750_000;
        /// One day more than the 14 that keys are kept, because a key may have begun on the day before.
        const MAX_DAYS: u64 = 15;
        let count = content.key_count().saturating_add(content.revised_key_count());
        if count > MAX_KEYS {
            judgement.find(
                Code::TooManyKeys,
                format!("the file has {count} keys; {MAX_KEYS} are promised to work"),
            );
        }
        let (mut future, mut old, mut early) = (Capped::default(), Capped::default(), Capped::default());
        let embargo = PublicationPolicy::default().embargo_seconds;
        let reference = self.now.or_else(|| content.end_timestamp());
        for (index, key) in content.keys().enumerate() {
            let number = index.saturating_add(1);
            let start = key.rolling_start_interval_number.start();
            if let Some(now) = reference {
                if start > now {
                    future.push(judgement, Code::KeyFromFuture, || {
                        format!("key {number} starts at {}, after {}", start.as_secs(), now.as_secs())
                    });
                }
                if key.end() < now.minus(MAX_DAYS * Day::SECONDS) {
                    old.push(judgement, Code::KeyTooOld, || {
                        format!(
                            "key {number} ended at {}, more than {MAX_DAYS} days before {}",
                            key.end().as_secs(),
                            now.as_secs()
                        )
                    });
                }
            }
            if let Some(published) = content.end_timestamp()
                && start <= published
                && key.end().plus(embargo) > published
            {
                early.push(judgement, Code::KeyUnderEmbargo, || {
                    format!(
                        "key {number} ends at {}, and was published by {}",
                        key.end().as_secs(),
                        published.as_secs()
                    )
                });
            }
        }
        future.finish(judgement, Code::KeyFromFuture, "keys that start later");
        old.finish(judgement, Code::KeyTooOld, "keys that are older");
        early.finish(judgement, Code::KeyUnderEmbargo, "keys that were published too early");
    }

    fn report(&self, kind: Kind, mut judgement: Judgement) -> Report {
        let reader = self.profile.reader().map(|_| Reader::refuses(judgement.reader_refuses));
        let errors = || judgement.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let verdict = if errors().next().is_none() {
            Verdict::Valid
        } else if errors().all(|finding| finding.code == Code::NoTrustedKey) {
            Verdict::Untrusted
        } else {
            Verdict::Invalid
        };
        if verdict != Verdict::Valid && reader == Some(Reader::Accepts) {
            let message = format!("{} would take this file all the same", self.profile);
            judgement.find(Code::ReaderTakesInvalid, message);
        }
        let signed_with =
            |signer: Signer| SignedWith { signature: signer.signature, trusted_key: signer.key.id };
        let signers: Vec<SignedWith> = judgement.signers.into_iter().map(signed_with).collect();
        let trusted_key = signers.first().map(|signer| signer.trusted_key.clone());
        Report { kind: Some(kind), verdict, reader, trusted_key, signers, findings: judgement.findings }
    }

    fn unreadable(&self, kind: Option<Kind>, code: Code, error: &dyn core::error::Error) -> Report {
        let mut message = error.to_string();
        for cause in core::iter::successors(error.source(), |cause| cause.source()) {
            message = format!("{message}: {cause}");
        }
        // Another header is refused by all that look at it. What else we do not read, a reader may well.
        let reader = match self.profile.reader() {
            Some(rules) if code == Code::NotAnExport && !rules.takes_other_content => Some(Reader::Refuses),
            _ => None,
        };
        Report {
            kind,
            verdict: Verdict::Unreadable,
            reader,
            trusted_key: None,
            signers: Vec::new(),
            findings: vec![Finding::new(code, message)],
        }
    }

    fn unreadable_export(&self, error: &ParseExportError) -> Report {
        let code = match error {
            ParseExportError::Content(ParseContentError::Header(_)) => Code::NotAnExport,
            ParseExportError::Content(ParseContentError::TooManySignatureInfos) => Code::TooManySignatures,
            ParseExportError::Content(_) => Code::Malformed,
            ParseExportError::SignatureList(error) => signature_list_code(error),
        };
        self.unreadable(Some(Kind::ExposureKeys), code, error)
    }

    fn unreadable_content(&self, kind: Kind, error: &ParseSignedContentError) -> Report {
        let code = match error {
            ParseSignedContentError::IsExport => Code::NotAnExport,
            ParseSignedContentError::SignatureList(error) => signature_list_code(error),
        };
        self.unreadable(Some(kind), code, error)
    }
}

const fn signature_list_code(error: &ParseSignatureListError) -> Code {
    match error {
        ParseSignatureListError::TooMany => Code::TooManySignatures,
        _ => Code::SignatureListMalformed,
    }
}

#[cfg(test)]
mod tests {
    use cwa_crypto::{ENIntervalNumber, RollingPeriod};
    use p256::ecdsa::SigningKey;

    use super::*;
    use crate::export::{Export, SignedFiles};
    use crate::key::ExportKey;
    use crate::signature::{SignatureInfo, SoftwareSigner};
    use crate::trust::TrustedKey;

    const START: UnixTime = UnixTime::from_secs(1_595_376_000);

    fn signer(seed: u8) -> SoftwareSigner {
        SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), SignatureInfo::new("262", "v9"))
    }

    fn store() -> TrustStore {
        [TrustedKey::given("mine", *signer(7).verifying_key())].into_iter().collect()
    }

    fn key(id: u8, end: UnixTime) -> ExportKey {
        let start = ENIntervalNumber::at(end.minus(Day::SECONDS));
        cwa_crypto::DiagnosisKey::new([id; 16], start, RollingPeriod::FULL_DAY).into()
    }

    fn export(keys: Vec<ExportKey>) -> Export {
        Export::new(START, START.plus(3600), "DE", keys)
    }

    fn files() -> SignedFiles {
        export(vec![key(1, START.minus(86_400)), key(2, START.minus(86_400))]).sign(&[&signer(7)]).unwrap()
    }

    fn codes(report: &Report) -> Vec<Code> {
        report.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_signed_package_is_valid_and_the_finding_says_how_its_key_was_found() {
        let report = Audit::new(&store()).archive(&files().to_archive().unwrap());
        assert_eq!((report.verdict, report.kind), (Verdict::Valid, Some(Kind::ExposureKeys)));
        assert_eq!(report.trusted_key.as_deref(), Some("mine"));
        insta::assert_snapshot!(report.findings[0].to_string(), @"note CWA-W1213: signature 1 was made by mine, found by trying every key");
    }

    #[test]
    fn another_key_is_no_trusted_key_unless_the_caller_chose_one() {
        let SignedFiles { export_bin, export_sig } = files();
        let report = Audit::new(&TrustStore::built_in()).files(&export_bin, Some(&export_sig));
        assert_eq!((report.verdict, codes(&report)), (Verdict::Untrusted, vec![Code::NoTrustedKey]));

        let other: TrustStore =
            [TrustedKey::given("other", *signer(8).verifying_key())].into_iter().collect();
        let report = Audit::new(&other).files(&export_bin, Some(&export_sig));
        assert_eq!((report.verdict, codes(&report)), (Verdict::Invalid, vec![Code::SignatureMismatch]));
    }

    #[test]
    fn a_signature_without_the_header_is_explained() {
        use crate::signature::{Signer, sign};
        let signer = signer(7);
        let export_bin = export(vec![]).encode(&[signer.signature_info().clone()]);
        let export_sig = sign(&export_bin[16..], &[&signer]).unwrap();
        let report = Audit::new(&store()).files(&export_bin, Some(&export_sig));
        assert_eq!(report.verdict, Verdict::Invalid);
        assert_eq!(codes(&report), [Code::SignatureMismatch, Code::SignedInstead]);
        insta::assert_snapshot!(report.findings[1].message, @"signature 1 is one over the file without its 16-byte header by mine, a given key");
    }

    #[test]
    fn a_bare_export_without_a_signature_is_invalid() {
        let report = Audit::new(&store()).files(&files().export_bin, None);
        assert_eq!((report.verdict, codes(&report)), (Verdict::Invalid, vec![Code::Unsigned]));
        let report = Audit::new(&store()).files(b"anything at all", None);
        assert_eq!((report.verdict, codes(&report)), (Verdict::Unreadable, vec![Code::NotAnExport]));
        let report = Audit::new(&store()).files(&files().export_bin, Some(&[]));
        assert_eq!((report.verdict, codes(&report)), (Verdict::Invalid, vec![Code::Unsigned]));
    }

    #[test]
    fn a_key_that_cannot_be_used_refuses_the_file_but_not_in_the_lenient_profile() {
        let mut bad = files();
        // The rolling period of the second key, 144, becomes 145; then the file is signed anew.
        let last = bad.export_bin.len() - 2;
        bad.export_bin[last] = 0x91;
        let sig = crate::signature::sign(&bad.export_bin, &[&signer(7)]).unwrap();
        let report = Audit::new(&store()).files(&bad.export_bin, Some(&sig));
        assert_eq!(
            (report.verdict, codes(&report)),
            (Verdict::Invalid, vec![Code::KeyInvalid, Code::KeyLookUp])
        );
        assert_eq!(
            report.findings[0].message,
            "key 2: the rolling period must be 1 to 144 intervals, not 145"
        );
        let report = Audit::new(&store()).profile(Profile::Lenient).files(&bad.export_bin, Some(&sig));
        assert_eq!(report.verdict, Verdict::Valid);
    }

    #[test]
    fn a_signature_that_cannot_be_read_is_none_in_any_profile() {
        let SignedFiles { export_bin, .. } = files();
        // A list with one entry: nothing in it, an empty signature, bytes that are no signature.
        for export_sig in [&[0x0a, 0][..], &[0x0a, 2, 0x22, 0], &[0x0a, 3, 0x22, 1, 0x30]] {
            for profile in Profile::ALL {
                let report = Audit::new(&store()).profile(*profile).files(&export_bin, Some(export_sig));
                assert_eq!(report.verdict, Verdict::Invalid, "{profile}: {report:?}");
            }
        }
    }

    #[test]
    fn a_key_that_occurs_twice_refuses_the_file() {
        let twice = export(vec![key(1, START), key(1, START)]).sign(&[&signer(7)]).unwrap();
        let report = Audit::new(&store()).files(&twice.export_bin, Some(&twice.export_sig));
        assert_eq!(report.verdict, Verdict::Invalid);
        assert!(codes(&report).contains(&Code::DuplicateKey));
    }

    #[test]
    fn ages_are_judged_by_the_exports_own_end_unless_a_time_is_given() {
        let keys =
            vec![key(1, START.minus(20 * Day::SECONDS)), key(2, START.plus(3 * Day::SECONDS)), key(3, START)];
        let files = export(keys).sign(&[&signer(7)]).unwrap();
        let store = store();
        let report = Audit::new(&store).files(&files.export_bin, Some(&files.export_sig));
        assert_eq!(report.verdict, Verdict::Valid);
        assert_eq!(
            codes(&report),
            [Code::KeyLookUp, Code::KeyTooOld, Code::KeyFromFuture, Code::KeyUnderEmbargo]
        );
        let later = START.plus(40 * Day::SECONDS);
        let report = Audit::new(&store).now(later).files(&files.export_bin, Some(&files.export_sig));
        assert_eq!(codes(&report).iter().filter(|code| **code == Code::KeyTooOld).count(), 3);
    }

    #[test]
    fn a_million_bad_keys_do_not_give_a_million_findings() {
        let keys = (0..200).flat_map(|id| [key(id, START), key(id, START)]).collect();
        let files = export(keys).sign(&[&signer(7)]).unwrap();
        let report = Audit::new(&store()).files(&files.export_bin, Some(&files.export_sig));
        let duplicates = codes(&report).iter().filter(|code| **code == Code::DuplicateKey).count();
        assert_eq!(duplicates, 21);
    }

    #[test]
    fn configuration_is_told_from_keys_by_its_content() {
        let signed = SignedFiles::sign_content(b"something else".to_vec(), &[&signer(7)]).unwrap();
        let report = Audit::new(&store()).archive(&signed.to_archive().unwrap());
        assert_eq!((report.verdict, report.kind), (Verdict::Valid, Some(Kind::Opaque)));
        let SignedFiles { export_bin, .. } = files();
        assert_eq!(Kind::of(&export_bin), Kind::ExposureKeys);
    }
}
