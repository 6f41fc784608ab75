//! How much each code weighs for whom.

use crate::finding::{Code, Severity};
use crate::profile::Profile;

impl Profile {
    /// How much a code weighs for [`Lint`](crate::lint::Lint). All profiles tell the same codes, but for the third member
    /// of Dutch archives.
    pub(super) fn lint_weight(self, code: Code) -> Severity {
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
            Self::Nl => 150,
            // Germany.
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
    Code::SignatureCount,
    Code::KeyDataLength,
];

/// Where a profile weighs a code otherwise than the code itself says.
const WEIGHTS: &[(Code, &[(Profile, Severity)])] = {
    use Profile::{Android, Apple, Cwa, Google, Microg};
    use Severity::{Error, Note, Warning};
    &[
        // Apple's interface takes the two files, not the archive.
        (Code::UnexpectedMember, &[(Apple, Warning)]),
        // iOS passes over batch numbers and the algorithm and needs the version; microG passes over batch numbers.
        (Code::BatchInvalid, &[(Apple, Warning), (Microg, Warning)]),
        (Code::SignatureBatch, &[(Apple, Warning), (Microg, Warning)]),
        (Code::SignatureAlgorithm, &[(Apple, Warning)]),
        (Code::KeyNameMissing, &[(Apple, Error)]),
        (Code::BatchNotSingle, &[(Apple, Warning)]),
        (Code::PeriodZero, &[(Apple, Note)]),
        // Android passes over a second file, iOS reads it.
        (Code::SameWindow, &[(Apple, Warning)]),
        (Code::BatchIncomplete, &[(Apple, Warning), (Microg, Warning)]),
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
