//! `content.sig` of Dutch archives: beside keys, or as the only signature of other content.

use super::{Audit, Kind, Reader, Report};
use crate::archive::{Archive, CONTENT_BIN, CONTENT_SIG, ContentArchive};
use crate::finding::Code;
use crate::profile::ThirdMember;
use crate::verify::Judgement;

#[cfg(feature = "cms")]
use crate::cms::SignerCertificate;

#[cfg(feature = "cms")]
impl<'a> Audit<'a> {
    /// Verifies `content.sig` too, which must then be there, under this certificate.
    #[must_use]
    pub const fn content_sig_certificate(mut self, certificate: &'a SignerCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }
}

impl Audit<'_> {
    /// Whether `content.sig` is asked for: by the profile, or because there is a certificate for it.
    fn wants_content_sig(&self) -> bool {
        let is_dutch = |rules: &crate::profile::ReaderRules| rules.third_member == ThirdMember::ContentSig;
        self.has_certificate() || self.profile.reader().is_some_and(is_dutch)
    }

    /// What stands in an archive of keys beside the two members.
    pub(super) fn further_members(&self, judgement: &mut Judgement, archive: &Archive) {
        let reader = self.profile.reader();
        for name in archive.unexpected_members() {
            let message = format!("the archive also holds {name}");
            match reader {
                Some(rules) if rules.third_member == ThirdMember::ContentSig && name == CONTENT_SIG => {}
                Some(rules) => {
                    let refuses = rules.third_member == ThirdMember::Refused;
                    judgement.find_for_reader(Code::UnexpectedMember, refuses, message);
                }
                None => judgement.find(Code::UnexpectedMember, message),
            }
        }
        match archive.content_sig() {
            Some(content_sig) if self.wants_content_sig() => {
                self.content_sig(judgement, content_sig, archive.export_bin());
            }
            None if self.wants_content_sig() => {
                judgement.find(Code::ContentSigMissing, "the archive holds no content.sig");
            }
            _ => {}
        }
    }

    /// Bare files, which can have no `content.sig`.
    pub(super) fn no_members(&self, judgement: &mut Judgement) {
        if self.has_certificate() {
            judgement.find(Code::ContentSigMissing, "a bare file has no content.sig to verify");
        }
    }

    /// An archive of `content.bin` and `content.sig`: configuration or a manifest of the Dutch app, never keys.
    pub(super) fn content_archive(&self, archive: &ContentArchive) -> Report {
        let mut judgement = Judgement::new(self.profile);
        judgement.find(Code::Opaque, format!("{CONTENT_BIN} is no export, whatever it holds"));
        let is_right = self.content_sig(&mut judgement, archive.content_sig(), archive.content_bin());
        if is_right.is_none() {
            let message = "no certificate was given for content.sig, the only signature";
            judgement.find_for_reader(Code::NoTrustedKey, true, message);
        }
        let is_dutch = self.profile.reader().map(|rules| rules.third_member == ThirdMember::ContentSig);
        if is_dutch == Some(false) {
            let message = format!("{} needs an export.bin, and there is none", self.profile);
            judgement.find_for_reader(Code::NotAnExport, true, message);
        }
        let mut report = self.report(Kind::Opaque, judgement);
        if is_dutch == Some(true) {
            report.reader = is_right.map(|is_right| Reader::refuses(!is_right));
        }
        if is_right == Some(true) {
            report.trusted_key = self.certificate_id();
        }
        report
    }

    /// Whether `content.sig` is right for this content; `None` without a certificate.
    #[cfg(feature = "cms")]
    fn content_sig(&self, judgement: &mut Judgement, content_sig: &[u8], content: &[u8]) -> Option<bool> {
        let Some(certificate) = self.certificate else {
            judgement.find(Code::ContentSigNotVerified, "content.sig was not verified");
            return None;
        };
        match certificate.verify(content_sig, content) {
            Ok(()) => {
                let (id, subject) = (certificate.id(), certificate.subject());
                judgement
                    .find(Code::ContentSigVerified, format!("content.sig verifies under {id} ({subject})"));
                Some(true)
            }
            Err(error) => {
                judgement.find(Code::ContentSigInvalid, format!("content.sig: {error}"));
                Some(false)
            }
        }
    }

    #[cfg(not(feature = "cms"))]
    #[expect(clippy::unused_self, reason = "with the feature there is a certificate to look at")]
    fn content_sig(&self, judgement: &mut Judgement, _: &[u8], _: &[u8]) -> Option<bool> {
        judgement.find(Code::ContentSigNotVerified, "content.sig was not verified");
        None
    }

    #[cfg(feature = "cms")]
    const fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    #[cfg(not(feature = "cms"))]
    #[expect(clippy::unused_self, reason = "with the feature there can be a certificate")]
    const fn has_certificate(&self) -> bool {
        false
    }

    #[cfg(feature = "cms")]
    fn certificate_id(&self) -> Option<String> {
        self.certificate.map(|certificate| certificate.id().to_owned())
    }

    #[cfg(not(feature = "cms"))]
    #[expect(clippy::unused_self, reason = "with the feature there can be a certificate")]
    const fn certificate_id(&self) -> Option<String> {
        None
    }
}
