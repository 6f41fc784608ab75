//! From bytes that anybody may have made to content that a trusted key signed.
//!
//! ```text
//! UnverifiedExport::parse(export_bin, export_sig)?   structure, within limits; no key can be read yet
//!     .verify(&trust_store)?                         signature, and the rules that tie the two files together
//!     .keys()                                        VerifiedExport: only here
//! ```

mod judgement;
mod reader;

use std::collections::BTreeSet;

use cwa_crypto::DiagnosisKey;

use crate::content::{ExportContent, ParseContentError, Place};
use crate::cosigning::CosigningPolicy;
use crate::finding::{Finding, Severity};
use crate::header::{self, HeaderError};
use crate::key::KeyError;
use crate::signature::SignatureInfo;
use crate::signature_list::{ParseSignatureListError, SignatureList};
use crate::trust::{LookUp, TrustStore, TrustedKey};

pub use crate::profile::{Profile, ProfileError};

use judgement::Listed;
pub(crate) use judgement::{Capped, Judgement, repeated};

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

    /// The same for a reader that trims white space around the header.
    pub(crate) fn parse_trimmed(
        export_bin: &'a [u8],
        export_sig: &'a [u8],
    ) -> Result<Self, ParseExportError> {
        let content = ExportContent::parse_message(export_bin, header::strip_trimmed(export_bin)?)?;
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

    /// Goes on only if all keys that must sign together have.
    ///
    /// # Errors
    ///
    /// [`VerifyError::NotCosigned`] if no set of the policy is complete.
    pub fn cosigned(self, policy: &CosigningPolicy) -> Result<Self, VerifyError> {
        let signers = self.signed_by.signers.iter().map(|signer| &signer.key);
        if policy.is_met_by(signers) { Ok(self) } else { Err(VerifyError::NotCosigned) }
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

/// Judges an export that was read in pieces, strictly: `content` without its keys, the digest of all of it, and the first
/// key that cannot be used. `twice` is asked for key data that occurs more than once, if nothing else is wrong and the
/// order of keys does not tell.
pub(crate) fn verify_read<E: From<VerifyError>>(
    content: &ExportContent<'_>,
    digest: [u8; 32],
    signatures: &SignatureList<'_>,
    trusted: &TrustStore,
    unusable: Option<(Place, KeyError)>,
    twice: impl FnOnce() -> Result<BTreeSet<u128>, E>,
) -> Result<SignedBy, E> {
    let mut judgement = Judgement::of_read(content, unusable);
    let batch = (content.batch_num(), content.batch_size());
    let listed = Listed { infos: content.signature_infos(), batch };
    if judgement.of_list(signatures, Some(listed)) {
        judgement.of_digest(digest, signatures, Some(listed), trusted);
    }
    if judgement.findings.iter().all(|finding| finding.severity != Severity::Error) && !content.keys_ascend()
    {
        judgement.of_duplicates(twice()?);
    }
    Ok(judgement.into_result()?)
}

/// Who signed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedBy {
    /// The key.
    pub key: TrustedKey,
    /// How it was found.
    pub look_up: LookUp,
    /// Every signature that a trusted key made; the first is the one above.
    pub signers: Vec<Signer>,
    /// What else was found; no errors among it.
    pub findings: Vec<Finding>,
}

/// Which key made which signature.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Signer {
    /// The number of the signature in `export.sig`, from 1; publishers put their newest key first.
    pub signature: usize,
    /// The key.
    pub key: TrustedKey,
    /// How it was found.
    pub look_up: LookUp,
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
    /// Trusted keys signed, but not all that must.
    #[error("not all keys that must sign together have signed this file")]
    NotCosigned,
    /// A rule was broken.
    #[error("the file breaks {} rules; the first: {}", findings.len(), findings.first().map_or("", |finding| finding.message.as_str()))]
    Refused {
        /// The rules, all of severity error.
        findings: Vec<Finding>,
    },
}

#[cfg(test)]
mod tests;
