//! A whole distribution, looked at as one: whether its files fit together, and what they tell about the people in them.
//!
//! ```text
//! CorpusAudit::examine(path, bytes)   one file: its signature, its keys, its place; any thread, any order
//!     → Corpus::add(…)                what is kept of it: 24 bytes a key, a little for each package
//!     → Corpus::finish()              CorpusReport: findings with codes, and statistics
//! ```
//!
//! Where [`audit`](crate::audit) judges one file, this judges what no file shows alone: a day that is not the union of
//! its hours, a key that was published twice or is gone, an index that names what is not there, a manifest of another
//! tree, padding that does not hide as many people as it seems to. The same files give the same report, in whatever
//! order they came.

mod file;
mod indexes;
mod keys;
mod manifest;
mod randomness;
mod series;
mod statistics;

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::UnixTime;
use serde::Serialize;

use crate::finding::{Code, Finding, Severity};
use crate::index::DistributionPath;
use crate::trust::TrustStore;
use crate::verify::Profile;

use file::{Content, Package};
pub use file::{ExaminedFile, FileBytes};
use keys::KeyTable;
pub use randomness::{Randomness, RandomnessTest};
pub use statistics::{
    KeysOfDay, MultiplierShare, Padding, ProfileAxis, ProfileCell, PublicationCell, PublicationDay,
    SigningKeyUse, Statistics, Users,
};

/// How the files of a distribution are judged.
///
/// ```
/// use cwa_export::TrustStore;
/// use cwa_export::corpus::{Corpus, CorpusAudit, FileBytes};
///
/// let trusted = TrustStore::built_in();
/// let audit = CorpusAudit::new(&trusted);
/// let mut corpus = Corpus::new(&audit);
/// corpus.add(audit.examine("index.txt", FileBytes::Whole(b"keys/1.zip\n")));
/// let report = corpus.finish();
/// assert_eq!(report.findings[0].finding.code.as_str(), "CWA-E1702");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CorpusAudit<'a> {
    trusted: &'a TrustStore,
    profile: Profile,
    now: Option<UnixTime>,
    expects_test_keys: bool,
    accepts_unverified: bool,
}

impl<'a> CorpusAudit<'a> {
    /// Judges each file by the strict profile, with these keys.
    #[must_use]
    pub const fn new(trusted: &'a TrustStore) -> Self {
        Self {
            trusted,
            profile: Profile::Strict,
            now: None,
            expects_test_keys: false,
            accepts_unverified: false,
        }
    }

    /// Judges each file by another profile.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Judges the age of the distribution against this time. Without it, the time of the manifest counts, and without
    /// one the end of the newest package.
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

    /// Reads the keys of packages that are not valid, too: rules and statistics then speak of what anybody may have
    /// written. Without it such packages are told and left out.
    #[cfg(feature = "danger-unverified")]
    #[must_use]
    pub const fn danger_accept_unverified(mut self) -> Self {
        self.accepts_unverified = true;
        self
    }

    /// Looks at one file. `path` is relative to the root of the distribution, with `/` between its parts.
    ///
    /// Of the German tree that is the path of the resource and `/index` ([`DistributionPath::file_path`]). Any other
    /// file that is an archive is taken for a package without a place, and a file called `index.txt` for the index of
    /// Google's server.
    #[must_use]
    pub fn examine(&self, path: &str, bytes: FileBytes<'_>) -> ExaminedFile {
        file::examine(self, path, bytes)
    }
}

/// Something that was found in a distribution.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CorpusFinding {
    /// Code, weight, and one sentence.
    #[serde(flatten)]
    pub finding: Finding,
    /// The file it is about; empty for the distribution as a whole.
    pub file: String,
}

/// The files of a distribution, as far as they are kept.
///
/// For each key 24 bytes are kept, for each package its findings and how many of its keys say the same of themselves.
#[derive(Debug)]
pub struct Corpus {
    now: Option<UnixTime>,
    expects_test_keys: bool,
    files: BTreeMap<String, Kept>,
    earlier: BTreeMap<String, Kept>,
    packages: Vec<Package>,
    keys: KeyTable,
    recorded: BTreeMap<String, Recorded>,
}

/// What is kept of a file that is not a package, or where its package is.
#[derive(Debug)]
struct Kept {
    sha256: [u8; 32],
    content: KeptContent,
}

#[derive(Debug)]
enum KeptContent {
    /// Its number among [`Corpus::packages`].
    Package(usize),
    Other(Content),
}

/// What a mirror noted of a file when it was fetched.
#[derive(Debug)]
struct Recorded {
    sha256: String,
    etag: Option<String>,
}

/// Everything that was found about a distribution.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CorpusReport {
    /// What was found, by file; what concerns the whole comes first.
    pub findings: Vec<CorpusFinding>,
    /// Packages, with keys or without.
    pub packages: usize,
    /// Packages whose keys were left out, because they are not valid.
    pub refused_packages: usize,
    /// Different keys, revised ones not among them.
    pub keys: usize,
    /// What the keys tell.
    pub statistics: Statistics,
}

impl CorpusReport {
    /// The greatest weight of a finding.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|found| found.finding.severity).max()
    }
}

impl Corpus {
    /// An empty distribution.
    #[must_use]
    pub const fn new(audit: &CorpusAudit<'_>) -> Self {
        Self {
            now: audit.now,
            expects_test_keys: audit.expects_test_keys,
            files: BTreeMap::new(),
            earlier: BTreeMap::new(),
            packages: Vec::new(),
            keys: KeyTable::new(),
            recorded: BTreeMap::new(),
        }
    }

    /// Takes a file of the distribution. The order of files does not matter; of two with the same path the second
    /// counts for nothing.
    pub fn add(&mut self, file: ExaminedFile) {
        if !self.files.contains_key(&file.path) {
            let (path, kept) = self.keep(file, false);
            self.files.insert(path, kept);
        }
    }

    /// Takes a file of an earlier copy of the same distribution, against which the present one is held: what was
    /// published then must still be there, and the manifest must not be older.
    pub fn add_earlier(&mut self, file: ExaminedFile) {
        if !self.earlier.contains_key(&file.path) {
            let (path, kept) = self.keep(file, true);
            self.earlier.insert(path, kept);
        }
    }

    /// Notes what a mirror knew of the file at `path` when it fetched it: SHA-256 in hexadecimal, and the entity tag
    /// with its quotes.
    pub fn record(&mut self, path: &str, sha256: &str, etag: Option<&str>) {
        let recorded = Recorded { sha256: sha256.to_owned(), etag: etag.map(str::to_owned) };
        self.recorded.insert(path.to_owned(), recorded);
    }

    /// Compares everything with everything.
    #[must_use]
    pub fn finish(mut self) -> CorpusReport {
        let mut sink = Sink::default();
        let manifest = manifest::check(&self, &mut sink);
        let generated_at = manifest.as_ref().map(|manifest| manifest.generated_at());
        let newest = self.packages.iter().filter_map(|package| package.period().map(|(_, end)| end)).max();
        // When the files were served; `now` may be long after.
        let made_at = generated_at.or(newest).unwrap_or(UnixTime::from_secs(0));
        let now = self.now.unwrap_or(made_at);
        self.files_one_by_one(&mut sink);
        indexes::check(&self, made_at, &mut sink);
        series::check(&self, &mut sink);
        if let Some(present) = self.now.or(generated_at) {
            series::check_retention(&self, present, &mut sink);
        }
        let complete = series::complete_days(&self, made_at);
        let distinct = self.keys.check(&self.packages, &complete, now, &mut sink);
        let statistics = statistics::of(&self.packages, distinct);
        if !statistics.randomness.is_plausible() {
            sink.whole(Code::KeysNotRandom, statistics.randomness.sentence());
        }
        let current = self.packages.iter().filter(|package| !package.is_earlier);
        CorpusReport {
            packages: current.clone().count(),
            refused_packages: current.filter(|package| !package.has_keys_read).count(),
            keys: statistics.keys,
            statistics,
            findings: sink.finish(),
        }
    }

    fn keep(&mut self, file: ExaminedFile, is_earlier: bool) -> (String, Kept) {
        let ExaminedFile { path, sha256, content } = file;
        let content = match content {
            Content::Package(mut package, keys) => {
                package.is_earlier = is_earlier;
                let number = self.packages.len();
                self.keys.push(keys, number);
                self.packages.push(*package);
                KeptContent::Package(number)
            }
            other => KeptContent::Other(other),
        };
        (path, Kept { sha256, content })
    }

    /// What each file says of itself, and whether it is the one that was fetched.
    fn files_one_by_one(&self, sink: &mut Sink) {
        for (path, file) in &self.files {
            let findings = match &file.content {
                KeptContent::Package(number) => {
                    self.packages.get(*number).map_or(&[][..], |package| package.findings.as_slice())
                }
                KeptContent::Other(Content::Signed(findings)) => findings.as_slice(),
                KeptContent::Other(Content::Foreign) => {
                    sink.file(path, Code::ForeignFile, "the file is no part of a distribution");
                    &[]
                }
                KeptContent::Other(_) => &[],
            };
            for finding in findings {
                let mut finding = finding.clone();
                if finding.code == Code::TestKey && self.expects_test_keys {
                    finding.severity = Severity::Note;
                }
                if finding.severity > Severity::Note {
                    sink.push(path, finding);
                }
            }
        }
        for (path, recorded) in &self.recorded {
            let Some(file) = self.files.get(path) else {
                sink.file(path, Code::NotAsFetched, "the mirror has fetched the file, and it is not there");
                continue;
            };
            let sha256 = hex::encode(file.sha256);
            if recorded.sha256 != sha256 {
                let message = format!("its SHA-256 is {sha256}, and was {} when fetched", recorded.sha256);
                sink.file(path, Code::NotAsFetched, message);
            } else if let Some(tag) = recorded.etag.as_deref().and_then(sha256_tag)
                && !tag.eq_ignore_ascii_case(&sha256)
            {
                let message = format!("its entity tag is the SHA-256 {tag}, and its bytes have {sha256}");
                sink.file(path, Code::EntityTagMismatch, message);
            }
        }
    }

    /// The package at a path of the present copy.
    fn package_at(&self, path: &str) -> Option<&Package> {
        match self.files.get(path)?.content {
            KeptContent::Package(number) => self.packages.get(number),
            KeptContent::Other(_) => None,
        }
    }

    /// An unsigned index of the present copy.
    fn index_at(&self, path: DistributionPath) -> Option<&[u8]> {
        match &self.files.get(&path.file_path())?.content {
            KeptContent::Other(Content::Index(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The packages of the present copy.
    fn present(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| !package.is_earlier)
    }
}

/// The digest in a strong or weak entity tag that is a SHA-256; other tags say nothing about bytes.
fn sha256_tag(etag: &str) -> Option<&str> {
    let tag = etag.strip_prefix("W/").unwrap_or(etag).strip_prefix('"')?.strip_suffix('"')?;
    (tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(tag)
}

/// `1 key`, `2 keys`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Findings by file, with a bound for each code.
#[derive(Debug, Default)]
struct Sink {
    findings: BTreeSet<(String, Finding)>,
}

impl Sink {
    /// Findings of one code that are told one by one.
    const MAX: usize = 25;

    fn whole(&mut self, code: Code, message: impl Into<String>) {
        self.file("", code, message);
    }

    fn file(&mut self, file: &str, code: Code, message: impl Into<String>) {
        self.push(file, Finding::new(code, message));
    }

    /// A finding that weighs less here than its code usually does.
    fn note(&mut self, file: &str, code: Code, message: impl Into<String>) {
        self.push(file, Finding { severity: Severity::Note, ..Finding::new(code, message) });
    }

    fn push(&mut self, file: &str, finding: Finding) {
        self.findings.insert((file.to_owned(), finding));
    }

    /// By file and code; what is more than the bound is counted. The order in which files came does not decide which are
    /// told.
    fn finish(self) -> Vec<CorpusFinding> {
        let mut counts: BTreeMap<(Code, Severity), usize> = BTreeMap::new();
        let mut told = BTreeSet::new();
        for (file, finding) in self.findings {
            let count = counts.entry((finding.code, finding.severity)).or_default();
            *count = count.saturating_add(1);
            if *count <= Self::MAX {
                told.insert((file, finding));
            }
        }
        for ((code, severity), count) in counts {
            if let Some(more @ 1..) = count.checked_sub(Self::MAX) {
                let message = format!("and {more} more: {}", code.explanation().title);
                told.insert((String::new(), Finding { severity, ..Finding::new(code, message) }));
            }
        }
        told.into_iter().map(|(file, finding)| CorpusFinding { finding, file }).collect()
    }
}

#[cfg(test)]
mod tests;
