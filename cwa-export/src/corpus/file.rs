//! One file of a distribution: what it is, whether it is believed, and what is kept of its keys.

use cwa_crypto::{Day, UnixTime};
use sha2::{Digest as _, Sha256};

use super::{CorpusAudit, keys::KeyEntry};
use crate::archive::{self, Archive};
use crate::audit::{Audit, Kind, Report, Verdict};
use crate::batch::{Hour, PublicationPolicy};
use crate::content::ExportContent;
use crate::country::Country;
use crate::finding::{Code, Finding, Severity};
use crate::index::{DistributionPath, Manifest, OpenManifestError};
use crate::verify::VerifyError;

/// The bytes of a file.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two forms that packages are kept in")]
pub enum FileBytes<'a> {
    /// The file as it is: an archive, an index.
    Whole(&'a [u8]),
    /// A package kept as two files.
    Pair {
        /// `export.bin`.
        export_bin: &'a [u8],
        /// `export.sig`.
        export_sig: &'a [u8],
    },
}

/// What is kept of a file once it was looked at.
#[derive(Debug)]
pub struct ExaminedFile {
    pub(super) path: String,
    pub(super) sha256: [u8; 32],
    pub(super) content: Content,
}

/// What a file holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Keys, or what should be some.
    Package(Box<Package>, Vec<KeyEntry>),
    /// An unsigned index, as it is.
    Index(Vec<u8>),
    /// The signed manifest.
    Manifest(Result<Manifest, Finding>),
    /// Configuration or other signed content: what was found.
    Signed(Vec<Finding>),
    /// Nothing that belongs here.
    Foreign,
}

/// Where a package stands in its distribution.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    Day(Country, Day),
    Hour(Country, Hour),
    /// Of no layout, or of one that gives files no place.
    Loose,
}

/// A package, without its keys.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) is_earlier: bool,
    pub(super) findings: Vec<Finding>,
    /// The name of the key that signed it.
    pub(super) signed_by: Option<String>,
    /// Begin and end, as the package itself says.
    pub(super) start: Option<UnixTime>,
    pub(super) end: Option<UnixTime>,
    pub(super) region: Option<String>,
    pub(super) key_count: usize,
    pub(super) revised_key_count: usize,
    /// Whether its keys are among those that are compared.
    pub(super) has_keys_read: bool,
    /// How many keys say the same of themselves.
    pub(super) groups: Vec<(Said, u32)>,
}

impl Package {
    /// Begin and end: those of its place, or else its own.
    pub(super) fn period(&self) -> Option<(UnixTime, UnixTime)> {
        self.place.period().or(self.start.zip(self.end))
    }
}

impl Place {
    fn of(path: DistributionPath) -> Option<Self> {
        match path {
            DistributionPath::DayPackage { country, day } => Some(Self::Day(country, day)),
            DistributionPath::HourPackage { country, hour } => Some(Self::Hour(country, hour)),
            _ => None,
        }
    }

    pub(super) fn period(self) -> Option<(UnixTime, UnixTime)> {
        match self {
            Self::Day(_, day) => Some((day.start(), day.next().start())),
            Self::Hour(_, hour) => Some((hour.start(), hour.end())),
            Self::Loose => None,
        }
    }
}

/// What a key says of itself but its bytes: start, period, level, report type, days since onset; 64 bits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Said(u64);

impl Said {
    // start 32 | period 8 | level + 1: 4 | report type + 1: 4 | days since onset + 16384: 16; 0 is absent
    fn of(key: &cwa_crypto::DiagnosisKey) -> Self {
        let start = u64::from(key.rolling_start_interval_number.get());
        let level = key.transmission_risk_level.map_or(0, |level| u64::from(level.get()).saturating_add(1));
        let report = key.report_type.map_or(0, |report| u64::from(report.number()).saturating_add(1));
        let onset = key.days_since_onset_of_symptoms.map_or(0, |days| {
            u64::try_from(i32::from(days.get()).saturating_add(1 << 14)).unwrap_or(0).min(0xffff)
        });
        Self(
            start << 32
                | u64::from(key.rolling_period.get()) << 24
                | (level & 15) << 20
                | (report & 15) << 16
                | onset,
        )
    }

    pub(super) const fn start_day(self) -> Day {
        Day::new((self.0 >> 32) / 144)
    }

    pub(super) const fn end(self) -> UnixTime {
        UnixTime::from_secs(((self.0 >> 32) + (self.0 >> 24 & 0xff)) * 600)
    }

    pub(super) fn level(self) -> Option<u8> {
        u8::try_from(self.0 >> 20 & 15).ok()?.checked_sub(1)
    }

    pub(super) fn days_since_onset(self) -> Option<i32> {
        let days = i32::try_from(self.0 & 0xffff).ok().filter(|days| *days > 0);
        days.map(|days| days.saturating_sub(1 << 14))
    }
}

pub(super) fn examine(audit: &CorpusAudit<'_>, path: &str, bytes: FileBytes<'_>) -> ExaminedFile {
    let (sha256, content) = match bytes {
        FileBytes::Whole(bytes) => (Sha256::digest(bytes).into(), whole(audit, path, bytes)),
        FileBytes::Pair { export_bin, export_sig } => {
            let report = audit.file_audit().files(export_bin, Some(export_sig));
            (Sha256::digest(export_bin).into(), signed(audit, path, Place::Loose, report, Some(export_bin)))
        }
    };
    ExaminedFile { path: path.to_owned(), sha256, content }
}

impl CorpusAudit<'_> {
    fn file_audit(&self) -> Audit<'_> {
        let audit = Audit::new(self.trusted).profile(self.profile);
        if self.expects_test_keys { audit.expect_test_keys() } else { audit }
    }
}

fn whole(audit: &CorpusAudit<'_>, path: &str, bytes: &[u8]) -> Content {
    let resource = path.strip_suffix("/index").and_then(|path| path.parse::<DistributionPath>().ok());
    let is_index_txt = path.rsplit('/').next() == Some("index.txt");
    let place = match resource {
        Some(
            DistributionPath::Countries | DistributionPath::Dates { .. } | DistributionPath::Hours { .. },
        ) => {
            return Content::Index(bytes.to_vec());
        }
        Some(DistributionPath::Manifest) => {
            return Content::Manifest(Manifest::open(bytes, audit.trusted).map_err(|error| refusal(&error)));
        }
        Some(path) => Place::of(path),
        None if is_index_txt => return Content::Index(bytes.to_vec()),
        // What lies where nothing is expected, and is no archive, is nothing of ours.
        None if !archive::is_archive(bytes) => return Content::Foreign,
        None => Some(Place::Loose),
    };
    let file_audit = audit.file_audit();
    let (report, archive) = match Archive::read(bytes) {
        Ok(archive) => {
            let report = if archive.unexpected_members().is_empty() {
                file_audit.files(archive.export_bin(), Some(archive.export_sig()))
            } else {
                file_audit.archive(bytes)
            };
            (report, Some(archive))
        }
        Err(_) => (file_audit.archive(bytes), None),
    };
    let Some(place) = place else {
        // Configuration.
        return Content::Signed(report.findings);
    };
    signed(audit, path, place, report, archive.as_ref().map(Archive::export_bin))
}

/// A package, or configuration where no package is expected.
fn signed(
    audit: &CorpusAudit<'_>,
    path: &str,
    place: Place,
    report: Report,
    export_bin: Option<&[u8]>,
) -> Content {
    let is_export = report.kind == Some(Kind::ExposureKeys);
    let mut findings = report.findings;
    if !is_export && export_bin.is_some() {
        if place == Place::Loose {
            return Content::Signed(findings);
        }
        let kind = report.kind.map_or_else(|| "something else".to_owned(), |kind| kind.to_string());
        findings.push(Finding::new(Code::NotAnExport, format!("a package is expected here, not {kind}")));
    }
    // Told below for the package as a whole, by the period of its place.
    findings.retain(|finding| finding.severity > Severity::Note && finding.code != Code::KeyUnderEmbargo);
    let mut package = Package {
        path: path.to_owned(),
        place,
        is_earlier: false,
        findings,
        signed_by: report.trusted_key,
        start: None,
        end: None,
        region: None,
        key_count: 0,
        revised_key_count: 0,
        has_keys_read: false,
        groups: Vec::new(),
    };
    let mut keys = Vec::new();
    let is_read = is_export && (report.verdict == Verdict::Valid || audit.accepts_unverified);
    if let Some(Ok(content)) = export_bin.filter(|_| is_read).map(ExportContent::parse) {
        keys = package.read(&content);
    }
    Content::Package(Box::new(package), keys)
}

impl Package {
    fn read(&mut self, content: &ExportContent<'_>) -> Vec<KeyEntry> {
        self.has_keys_read = true;
        self.start = content.start_timestamp();
        self.end = content.end_timestamp();
        self.region = content.region().map(str::to_owned);
        self.key_count = content.key_count();
        self.revised_key_count = content.revised_key_count();
        let mut keys = Vec::with_capacity(self.key_count);
        let mut said = Vec::with_capacity(self.key_count);
        let embargo = PublicationPolicy::default().embargo_seconds;
        let published = self.period().map(|(_, end)| end);
        let (mut early, mut first_early) = (0_usize, None);
        for key in content.keys() {
            keys.push(KeyEntry::of(&key));
            said.push(Said::of(&key));
            if published.is_some_and(|published| key.end().plus(embargo) > published) {
                early = early.saturating_add(1);
                first_early = first_early.or(Some(key.end()));
            }
        }
        if let Some((end, published)) = first_early.zip(published) {
            let message = format!(
                "{early} of {} keys were published less than {embargo} seconds after their end; the first ends at {}, and the package at {}",
                self.key_count,
                end.as_secs(),
                published.as_secs()
            );
            self.findings.push(Finding::new(Code::EmbargoBroken, message));
        }
        said.sort_unstable();
        self.groups = said
            .chunk_by(|one, other| one == other)
            .filter_map(|same| Some((*same.first()?, u32::try_from(same.len()).unwrap_or(u32::MAX))))
            .collect();
        keys
    }
}

fn refusal(error: &OpenManifestError) -> Finding {
    let code = match error {
        OpenManifestError::Verify(VerifyError::NoTrustedKey) => Code::NoTrustedKey,
        _ => Code::ManifestRefused,
    };
    let mut message = error.to_string();
    let causes = core::iter::successors(core::error::Error::source(error), |cause| cause.source());
    for cause in causes {
        message = format!("{message}: {cause}");
    }
    Finding::new(code, message)
}
