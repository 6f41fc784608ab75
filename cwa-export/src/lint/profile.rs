//! How much each code weighs for whom.

use core::fmt;
use core::str::FromStr;

use crate::finding::{Code, Severity};

/// By whose rules files are weighed. Every profile tells the same codes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LintProfile {
    /// Each code weighs what it says itself.
    #[default]
    Strict,
    /// For iPhones, and by Apple's advice for key servers.
    Apple,
    /// For phones with Google Play Services.
    Android,
    /// By the rules of the Corona-Warn-App's server.
    Cwa,
    /// By the rules of Google's key server.
    Google,
    /// Deviations that publishers are known for are warnings; errors are only files that cannot be read or are unsigned.
    Lenient,
}

impl LintProfile {
    /// Every profile.
    pub const ALL: &'static [Self] =
        &[Self::Strict, Self::Apple, Self::Android, Self::Cwa, Self::Google, Self::Lenient];

    /// How much a code weighs.
    ///
    /// ```
    /// use cwa_export::finding::{Code, Severity};
    /// use cwa_export::lint::LintProfile;
    /// assert_eq!(LintProfile::Strict.weigh(Code::KeyUnderEmbargo), Severity::Warning);
    /// assert_eq!(LintProfile::Cwa.weigh(Code::KeyUnderEmbargo), Severity::Error);
    /// ```
    #[must_use]
    pub fn weigh(self, code: Code) -> Severity {
        let own = WEIGHTS.iter().find(|(weighed, _)| *weighed == code);
        let own = own.and_then(|(_, weights)| weights.iter().find(|(profile, _)| *profile == self));
        match (own, code.severity()) {
            (Some((_, severity)), _) => *severity,
            (None, Severity::Error) if self == Self::Lenient && !UNUSABLE.contains(&code) => {
                Severity::Warning
            }
            (None, severity) => severity,
        }
    }

    /// Fewest keys of a file among which a person is not told.
    pub(super) const fn fewest_keys(self) -> usize {
        match self {
            // Server for the United States.
            Self::Google => 1000,
            // Germany; the Netherlands have 150.
            _ => 140,
        }
    }
}

/// What is an error under every profile.
const UNUSABLE: &[Code] = &[
    Code::ArchiveUnreadable,
    Code::NotAnExport,
    Code::Malformed,
    Code::SignatureListMalformed,
    Code::Unsigned,
    Code::KeyDataLength,
];

/// Where a profile weighs a code otherwise than the code itself says.
const WEIGHTS: &[(Code, &[(LintProfile, Severity)])] = {
    use LintProfile::{Android, Apple, Cwa, Google};
    use Severity::{Error, Note, Warning};
    &[
        // Apple's interface takes the two files, not the archive.
        (Code::UnexpectedMember, &[(Apple, Warning)]),
        // iOS passes over batch numbers, further signatures and the algorithm; it needs the version.
        (Code::BatchInvalid, &[(Apple, Warning)]),
        (Code::SignatureCount, &[(Apple, Warning)]),
        (Code::SignatureBatch, &[(Apple, Warning)]),
        (Code::SignatureAlgorithm, &[(Apple, Warning)]),
        (Code::KeyNameMissing, &[(Apple, Error)]),
        (Code::BatchNotSingle, &[(Apple, Warning)]),
        (Code::PeriodZero, &[(Apple, Note)]),
        // Android passes over a second file, iOS reads it.
        (Code::SameWindow, &[(Apple, Warning)]),
        (Code::BatchIncomplete, &[(Apple, Warning)]),
        // Rules for publishers, which these publishers' servers enforce.
        (Code::KeyUnderEmbargo, &[(Apple, Error), (Cwa, Error), (Google, Error)]),
        (Code::KeyFromFuture, &[(Cwa, Error), (Google, Error)]),
        (Code::KeyTooOld, &[(Cwa, Error), (Google, Error)]),
        (Code::DaysSinceOnsetEncoded, &[(Apple, Error), (Google, Error), (Cwa, Note)]),
        (Code::StartNotAtMidnight, &[(Cwa, Error)]),
        (Code::RiskLevelMissing, &[(Cwa, Error)]),
        (Code::RegionForm, &[(Cwa, Warning)]),
        (Code::ReportTypeUnknown, &[(Android, Note)]),
        // What phones are promised.
        (Code::TooManyKeys, &[(Apple, Error)]),
    ]
};

impl fmt::Display for LintProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Strict => "strict",
            Self::Apple => "apple",
            Self::Android => "android",
            Self::Cwa => "cwa",
            Self::Google => "google",
            Self::Lenient => "lenient",
        })
    }
}

impl FromStr for LintProfile {
    type Err = LintProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|profile| profile.to_string() == text).ok_or(LintProfileError)
    }
}

/// No profile of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no such profile; there are strict, apple, android, cwa, google and lenient")]
#[non_exhaustive]
pub struct LintProfileError;
