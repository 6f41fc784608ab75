//! Every rule for published files, one file and several together: what is wrong, what is unusual, and where.
//!
//! Lint looks at files as their publisher would: rules that no device enforces are told too. Whether the signature is
//! right is [`audit`](crate::audit)'s question; lint only says what can be seen without a key.
//!
//! ```
//! use cwa_export::lint::Lint;
//! use cwa_export::verify::Profile;
//! let mut lint = Lint::new(Profile::Strict);
//! lint.archive("export.zip", b"not a ZIP archive");
//! let findings = lint.finish();
//! assert_eq!(findings[0].finding.code.as_str(), "CWA-E1001");
//! ```

mod across;
mod file;
mod keys;
mod order;
mod profile;

use std::collections::BTreeMap;

use cwa_crypto::UnixTime;
use serde::Serialize;

use crate::archive::Archive;
use crate::audit::{Audit, Report};
use crate::content::{ExportContent, ParseContentError};
use crate::finding::{Code, Finding};
use crate::header;
use crate::key::RawKey;
use crate::profile::Profile;
use crate::trust::TrustStore;

use across::{FileFacts, SeenKey};

/// Something that was found in one of the files.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LintFinding {
    /// Code, weight under the profile, and one sentence.
    #[serde(flatten)]
    pub finding: Finding,
    /// The file's name, as it was given.
    pub file: String,
    /// The key it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPlace>,
}

/// Where a key stands in its file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyPlace {
    /// Its number among its kind, from 1.
    pub number: usize,
    /// Whether it is a revised one.
    pub revised: bool,
    /// Its bytes in hexadecimal, of whatever length they are; at most the first 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_data: Option<String>,
}

/// Files that are looked at one after the other, and then together.
///
/// Keeps 48 bytes for each key until [`finish`](Self::finish), so that files can be compared; the files themselves are
/// not kept. No code is told more than 20 times about one file, and 20 times about all files together; then a count
/// follows.
#[derive(Debug)]
pub struct Lint {
    profile: Profile,
    now: Option<UnixTime>,
    findings: Vec<LintFinding>,
    files: Vec<FileFacts>,
    keys: Vec<SeenKey>,
}

impl Lint {
    /// Looks at files as this profile weighs them: `apple`, `android`, `microg` and `nl` by what these readers do, `cwa` and
    /// `google` by what the servers that publish such files keep. Under `lenient` only files that cannot be used have errors.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, now: None, findings: Vec::new(), files: Vec::new(), keys: Vec::new() }
    }

    /// Judges the age of keys against this time instead of each export's own end.
    #[must_use]
    pub const fn now(mut self, now: UnixTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Looks at an archive; `name` is what findings call it.
    pub fn archive(&mut self, name: &str, bytes: &[u8]) {
        let mut sink = self.sink(name);
        let store = TrustStore::empty();
        let audit = Audit::new(&store);
        let Ok(archive) = Archive::read(bytes) else {
            // Refused; the audit says why.
            let report = audit.archive(bytes);
            if let Some(kind) = report.kind {
                sink.file(Code::NotAnExport, format!("the file holds no keys: {kind}"));
            }
            sink.adopt(report);
            return self.content(sink, None, bytes.len());
        };
        if file::uses_descriptors(bytes) {
            sink.file(Code::DataDescriptor, "the archive was written as a stream");
        }
        let (further, dutch) = (archive.unexpected_members(), self.profile == Profile::Nl);
        if dutch && !further.iter().any(|name| name == CONTENT_SIG) {
            sink.file(Code::ContentSigMissing, format!("the archive has no {CONTENT_SIG}"));
        }
        for name in further.iter().filter(|name| !(dutch && *name == CONTENT_SIG)) {
            sink.file(Code::UnexpectedMember, format!("the archive also holds {name}"));
        }
        sink.adopt(audit.files(archive.export_bin(), Some(archive.export_sig())));
        self.content(sink, Some(archive.export_bin()), bytes.len());
    }

    /// Looks at two bare files; without signatures, at the content alone.
    pub fn files(&mut self, name: &str, export_bin: &[u8], export_sig: Option<&[u8]>) {
        let mut sink = self.sink(name);
        sink.adopt(Audit::new(&TrustStore::empty()).files(export_bin, export_sig));
        if export_sig.is_none() {
            // What was not given need not be missing.
            sink.soften(Code::Unsigned);
        }
        self.content(sink, Some(export_bin), export_bin.len());
    }

    /// Keeps what [`finish`](Self::finish) compares of an export, and tells nothing about the file itself.
    ///
    /// # Errors
    ///
    /// [`ParseContentError`] if it cannot be read; then nothing is kept.
    pub fn keep(&mut self, name: &str, export_bin: &[u8]) -> Result<(), ParseContentError> {
        let content = ExportContent::parse(export_bin)?;
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        for (revised, raw, number) in (content.raw_keys().zip(1..).map(|(raw, number)| (false, raw, number)))
            .chain(content.raw_revised_keys().zip(1..).map(|(raw, number)| (true, raw, number)))
        {
            self.keys.extend(SeenKey::of(&raw, file, (revised, number)));
        }
        self.files.push(FileFacts::of(name, &content));
        Ok(())
    }

    /// Compares the files with one another, and gives everything that was found: file by file in the order in which they
    /// were given, then what concerns several.
    #[must_use]
    pub fn finish(mut self) -> Vec<LintFinding> {
        let mut sink = Sink::new(self.profile, "");
        across::compare(&self.files, &mut self.keys, &mut sink);
        self.findings.extend(sink.finish());
        self.findings
    }

    fn sink(&self, name: &str) -> Sink {
        Sink::new(self.profile, name)
    }

    fn content(&mut self, mut sink: Sink, export_bin: Option<&[u8]>, size: usize) {
        let is_export = export_bin.is_some_and(header::is_export);
        if let Some(export_bin) = export_bin
            && !is_export
            && !sink.has(Code::NotAnExport)
        {
            let kind = crate::audit::Kind::of(export_bin);
            sink.file(Code::NotAnExport, format!("the file holds no keys: {kind}"));
        }
        if let Some(content) = export_bin.and_then(|export_bin| ExportContent::parse(export_bin).ok()) {
            file::look_at(&content, size, self.profile, self.now, &mut sink);
            let first = self.keys.len();
            let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            keys::look_at(&content, number, self.now, &mut sink, &mut self.keys);
            keys::duplicates(&content, self.keys.get_mut(first..).unwrap_or_default(), &mut sink);
            order::look_at(&content, &mut sink);
            self.files.push(FileFacts::of(&sink.name, &content));
        }
        self.findings.extend(sink.finish());
    }
}

/// What the Dutch app verifies itself.
const CONTENT_SIG: &str = "content.sig";

/// The findings of one file, or of all together.
struct Sink {
    profile: Profile,
    name: String,
    findings: Vec<LintFinding>,
    counts: BTreeMap<Code, usize>,
}

impl Sink {
    const MAX: usize = 20;

    fn new(profile: Profile, name: &str) -> Self {
        Self { profile, name: name.to_owned(), findings: Vec::new(), counts: BTreeMap::new() }
    }

    /// A finding about the file as a whole.
    fn file(&mut self, code: Code, message: impl Into<String>) {
        self.push(code, None, || (message.into(), None));
    }

    /// A finding about another file than this one, when several are compared.
    fn other(&mut self, file: &str, code: Code, message: impl FnOnce() -> String) {
        self.push(code, Some(file), || (message(), None));
    }

    /// A finding about a key.
    fn key(&mut self, code: Code, key: &RawKey<'_>, place: (bool, usize), message: impl FnOnce() -> String) {
        self.push(code, None, || {
            let kind = if place.0 { "revised key" } else { "key" };
            let data = key.key_data.map(|data| hex::encode(data.get(..64).unwrap_or(data)));
            let place = KeyPlace { number: place.1, revised: place.0, key_data: data };
            (format!("{kind} {}: {}", place.number, message()), Some(place))
        });
    }

    /// A finding about a key of one of several files.
    fn key_of(&mut self, file: &str, code: Code, key: &SeenKey, message: impl FnOnce() -> String) {
        self.push(code, Some(file), || (message(), Some(key.place())));
    }

    fn push(&mut self, code: Code, file: Option<&str>, finding: impl FnOnce() -> (String, Option<KeyPlace>)) {
        let count = self.counts.entry(code).or_default();
        *count = count.saturating_add(1);
        if *count <= Self::MAX {
            let (message, key) = finding();
            self.add(code, file.map(str::to_owned), message, key);
        }
    }

    fn add(&mut self, code: Code, file: Option<String>, message: String, key: Option<KeyPlace>) {
        let mut finding = Finding::new(code, message);
        finding.severity = self.profile.lint_weight(code);
        let file = file.unwrap_or_else(|| self.name.clone());
        self.findings.push(LintFinding { finding, file, key });
    }

    /// Takes over what is found in any file, whoever signed it.
    fn adopt(&mut self, report: Report) {
        for finding in report.findings {
            if file::can_be_seen_without_a_key(finding.code) {
                self.file(finding.code, finding.message);
            }
        }
    }

    fn has(&self, code: Code) -> bool {
        self.counts.contains_key(&code)
    }

    /// Makes an error of this code a warning.
    fn soften(&mut self, code: Code) {
        use crate::finding::Severity;
        for found in self.findings.iter_mut().filter(|found| found.finding.code == code) {
            found.finding.severity = found.finding.severity.min(Severity::Warning);
        }
    }

    fn finish(mut self) -> Vec<LintFinding> {
        for (code, count) in core::mem::take(&mut self.counts) {
            if let Some(more @ 1..) = count.checked_sub(Self::MAX) {
                let about = code.explanation().title;
                // Counted over all files: the last one told stands for them.
                let file = self.findings.iter().rev().find(|found| found.finding.code == code);
                let file = file.map(|found| found.file.clone());
                self.add(code, file, format!("and {more} more: {about}"), None);
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests;
