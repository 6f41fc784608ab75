//! By whose rules a file is judged: by all of the format's, by those that publishers keep, or by those of one reader.
//!
//! Two of the profiles are ours, [`Strict`](Profile::Strict) and [`Lenient`](Profile::Lenient). The others say what one
//! published device, app or server does, as its code was published; where that code does not say, nothing is refused.
//! A reader can be satisfied with less than we vouch for, so under such a profile two questions have two answers:
//!
//! - the **reader**: would it take the file ([`Report::reader`](crate::audit::Report::reader))?
//! - the **verdict**: is it valid? Only if the reader takes it, a trusted key signed it, the signatures are as many as
//!   the export lists, and nobody can read the archive in another way. No profile makes an unsigned file valid.
//!
//! | | `apple` | `android` | `cwa` | `google` | `microg` | `nl` |
//! |---|---|---|---|---|---|---|
//! | what it is | iOS framework | Play Services | the German apps' own check | import of Google's server | microG | the Dutch app, then Android |
//! | further members | not seen | refused | ignored | ignored | refused | `content.sig` needed |
//! | a member twice | not seen | refused | last one | first one | refused | refused |
//! | header | 16 bytes | 16 bytes | not looked at | 16 bytes | white space trimmed | 16 bytes |
//! | signatures | the first | any key's | any under any key | any | all, under one key | any key's |
//! | an empty list | refused | refused | refused | refused | **taken** | refused |
//! | names of keys | id and version | id and version | ignored | id and version | one key an app | id and version |
//! | needs a key version | yes | no | no | no | no | no |
//! | algorithm | ignored | SHA-256, SHA-512 | ignored | ignored | SHA-256 | SHA-256, SHA-512 |
//! | count of signatures | ignored | as listed | ignored | ignored | ignored | as listed |
//! | batch numbers | ignored | 1 to 1,000,000 | ignored | ignored | ignored | 1 to 1,000,000 |
//! | key data not of 16 bytes | key skipped | file refused | not looked at | key dropped | not said | file refused |
//! | rolling period 0 | taken as 144 | file refused | not looked at | not said | not said | file refused |
//! | rolling period over 144 | key skipped | file refused | not looked at | not said | not said | file refused |
//! | negative start interval | file refused | not said | not looked at | key dropped | not said | not said |
//! | a batch that is not whole | taken | refused | not looked at | taken | taken | refused |
//! | two files of one window | taken | second passed over | not looked at | taken | taken | second passed over |

use core::fmt;
use core::str::FromStr;

use crate::finding::{Code, Finding, Severity};
use crate::key::KeyError;
use crate::signature::{ECDSA_P256_SHA256, ECDSA_P256_SHA512};

/// By which rules a file is judged.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// Every rule holds. Then no single bit of either file can be changed without the file being refused, but for bits
    /// of a further signature whose key is not trusted: that one cannot be checked, and a warning says so.
    #[default]
    Strict,
    /// Deviations that publishers are known for are warnings: archives with a further member, raw signatures, the
    /// early form of signature infos, batch numbers that differ, keys that cannot be used. The signature must be right,
    /// and there are as many of them as the export lists.
    Lenient,
    /// The framework of iOS (Apple, `ENFile`, `ENFileSignatureVerification`, `ENAdvertisementDatabase`).
    ///
    /// It takes the two files out of their archive, wants all 16 bytes of the header, and looks at the first signature
    /// only, which must name the version of its key; neither algorithm nor batch matter. A key with a period over 144 is
    /// skipped, a period of 0 is 144; a start interval that is negative, or any number beyond 32 bits, is an error.
    Apple,
    /// Play Services (Google, `ProvideDiagnosisKeys`, `SignatureVerifier`, `TemporaryExposureKeyFileMetadataParser`,
    /// `key_file_parser.cc`).
    ///
    /// Exactly two members, each once; all 16 bytes of the header; as many signatures as the export lists, at least
    /// one, each with an algorithm that is ECDSA with SHA-256 or SHA-512 by object identifier. Keys are looked up by id and
    /// version; the id may be absent beside a single signature. One key that is known and right is enough (rotation), the
    /// signatures of others are ignored. With a `batch_size` there must be a `batch_num` from 1 to it. Reading stops at a
    /// key whose data is not 16 bytes.
    Android,
    /// What Corona-Warn-App checks itself (Android `SignatureValidation`, `ZipHelper`; iOS `SAPDownloadedPackage`).
    ///
    /// Any signature under any of its keys, whatever names and algorithm say; further members ignored, of two with one
    /// name the last (as on Android; the app for iOS takes the first). Content is not looked at: packages of keys go on to the framework, so ask for `apple` and `android`
    /// too. The app for Android checks its configuration so and leaves packages of keys to the framework altogether.
    Cwa,
    /// The import of Google's key server (`exportimport/import.go`).
    ///
    /// Any signature that is right under a key of its id and version, whatever the algorithm says; the first member of a
    /// name; keys that are wrong are dropped one by one.
    Google,
    /// microG (`ExposureNotificationServiceImpl`).
    ///
    /// Exactly two members; white space around the header does not matter; every signature must be right under the one
    /// key of the app. That is also so if there is no signature at all: such a file is taken, and is not valid. For an
    /// app whose key it does not know it verifies nothing, which is not judged here.
    Microg,
    /// The Dutch app, which verifies `content.sig` (CMS) itself and hands the other two members to Play Services: a
    /// third member of that name must be there, and all else is as under [`Android`](Self::Android). Whether the
    /// CMS signature is right is looked at if a certificate is given for it; a note says so if not.
    Nl,
}

impl Profile {
    /// Every profile.
    pub const ALL: &'static [Self] = &[
        Self::Strict,
        Self::Lenient,
        Self::Apple,
        Self::Android,
        Self::Cwa,
        Self::Google,
        Self::Microg,
        Self::Nl,
    ];

    /// Its name, as `--profile` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
            Self::Apple => "apple",
            Self::Android => "android",
            Self::Cwa => "cwa",
            Self::Google => "google",
            Self::Microg => "microg",
            Self::Nl => "nl",
        }
    }

    /// The rules of a published reader; `None` for the two profiles that are ours.
    pub(crate) const fn reader(self) -> Option<&'static ReaderRules> {
        Some(match self {
            Self::Strict | Self::Lenient => return None,
            Self::Apple => &APPLE,
            Self::Android => &ANDROID,
            Self::Cwa => &CWA,
            Self::Google => &GOOGLE,
            Self::Microg => &MICROG,
            Self::Nl => &NL,
        })
    }

    /// The finding with the weight it has here, and whether a reader refuses the file for it.
    pub(crate) fn weigh(self, mut finding: Finding) -> (Finding, bool) {
        if finding.severity != Severity::Error {
            return (finding, false);
        }
        let refuses = match self.reader() {
            Some(rules) => rules.refuses.contains(&finding.code),
            None => self == Self::Strict || !LENIENT.contains(&finding.code),
        };
        if !refuses && !NEVER_VALID.contains(&finding.code) {
            finding.severity = Severity::Warning;
        }
        (finding, refuses)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|profile| profile.name() == text).ok_or(ProfileError)
    }
}

/// No profile of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no such profile; there are strict, lenient, apple, android, cwa, google, microg and nl")]
#[non_exhaustive]
pub struct ProfileError;

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
    Code::SignatureBatch,
    Code::SignatureAlgorithm,
    Code::LegacySignatureInfo,
    Code::KeyInvalid,
    Code::DuplicateKey,
    Code::SameWindow,
    Code::BatchIncomplete,
    Code::Contradiction,
];

/// What keeps a file from being valid under every profile, whatever its reader does.
const NEVER_VALID: &[Code] = &[
    Code::Unsigned,
    Code::SignatureCount,
    Code::NotCosigned,
    Code::ContentSigMissing,
    Code::ContentSigInvalid,
];

/// What one published reader does.
#[derive(Debug)]
pub(crate) struct ReaderRules {
    /// What stands in the archive beside the two members.
    pub(crate) third_member: ThirdMember,
    /// Which of two members with one name counts; `None` if such an archive is refused, or never reaches the reader.
    pub(crate) duplicates: Option<Duplicates>,
    /// Whether white space around the header is trimmed.
    pub(crate) trims_header: bool,
    /// Whether anything but exports of keys is looked at.
    pub(crate) takes_other_content: bool,
    /// Which signatures must be right.
    pub(crate) signatures: Signatures,
    /// Under which keys.
    pub(crate) keys: Keys,
    /// The object identifiers that `signature_algorithm` may be; empty if it is ignored.
    pub(crate) algorithms: &'static [&'static str],
    /// Whether a signature must name the version of its key.
    pub(crate) needs_version: bool,
    /// Whether batch numbers are looked at.
    pub(crate) batch: bool,
    /// Whether the file is refused for a key that is wrong in this way.
    pub(crate) refuses_key: fn(&KeyError) -> bool,
    /// For what else it is refused.
    pub(crate) refuses: &'static [Code],
}

/// What a reader makes of a third member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ThirdMember {
    /// It is not seen, or passed over.
    Ignored,
    /// The archive is refused.
    Refused,
    /// `content.sig` must be there.
    ContentSig,
}

/// Which of two members with one name counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Duplicates {
    First,
    Last,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
        })
    }
}

/// Which signatures must be right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signatures {
    /// The first; the others are not looked at.
    First,
    /// One.
    Any,
    /// All, under one key.
    All,
}

/// Under which keys a signature is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    /// All.
    Every,
    /// Those of its id and version. A key that the caller gave without a name goes by every name.
    Named {
        /// Whether all are tried for a single signature without an id.
        without_id: bool,
    },
}

const APPLE: ReaderRules = ReaderRules {
    third_member: ThirdMember::Ignored,
    duplicates: None,
    trims_header: false,
    takes_other_content: false,
    signatures: Signatures::First,
    keys: Keys::Named { without_id: true },
    algorithms: &[],
    needs_version: true,
    batch: false,
    refuses_key: |error| matches!(error, KeyError::StartInterval { .. }),
    refuses: &[Code::Unsigned, Code::NumberOverflow],
};

const ANDROID: ReaderRules = ReaderRules {
    third_member: ThirdMember::Refused,
    duplicates: None,
    trims_header: false,
    takes_other_content: false,
    signatures: Signatures::Any,
    keys: Keys::Named { without_id: true },
    algorithms: &[ECDSA_P256_SHA256, ECDSA_P256_SHA512],
    needs_version: false,
    batch: true,
    refuses_key: |error| {
        matches!(error, KeyError::Missing | KeyError::Length { .. } | KeyError::RollingPeriod(_))
    },
    refuses: &[
        Code::Unsigned,
        Code::SignatureCount,
        Code::NotCosigned,
        Code::SameWindow,
        Code::BatchIncomplete,
    ],
};

const CWA: ReaderRules = ReaderRules {
    third_member: ThirdMember::Ignored,
    duplicates: Some(Duplicates::Last),
    trims_header: false,
    takes_other_content: true,
    signatures: Signatures::Any,
    keys: Keys::Every,
    algorithms: &[],
    needs_version: false,
    batch: false,
    refuses_key: |_| false,
    refuses: &[Code::Unsigned],
};

const GOOGLE: ReaderRules = ReaderRules {
    third_member: ThirdMember::Ignored,
    duplicates: Some(Duplicates::First),
    trims_header: false,
    takes_other_content: false,
    signatures: Signatures::Any,
    keys: Keys::Named { without_id: false },
    algorithms: &[],
    needs_version: false,
    batch: false,
    refuses_key: |_| false,
    refuses: &[Code::Unsigned],
};

const MICROG: ReaderRules = ReaderRules {
    third_member: ThirdMember::Refused,
    duplicates: None,
    trims_header: true,
    takes_other_content: false,
    signatures: Signatures::All,
    keys: Keys::Every,
    algorithms: &[ECDSA_P256_SHA256],
    needs_version: false,
    batch: false,
    refuses_key: |_| false,
    // An empty list is not here: the loop over its signatures finds none that is wrong.
    refuses: &[],
};

const NL: ReaderRules = ReaderRules {
    third_member: ThirdMember::ContentSig,
    refuses: &[
        Code::Unsigned,
        Code::SignatureCount,
        Code::NotCosigned,
        Code::SameWindow,
        Code::BatchIncomplete,
        Code::ContentSigMissing,
        Code::ContentSigInvalid,
    ],
    ..ANDROID
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(*profile));
            assert!(ProfileError.to_string().contains(profile.name()));
        }
        assert_eq!("loose".parse::<Profile>(), Err(ProfileError));
    }

    #[test]
    fn no_profile_makes_a_file_valid_that_is_unsigned_or_has_other_signatures_than_it_lists() {
        for profile in Profile::ALL {
            for code in NEVER_VALID {
                assert_eq!(profile.weigh(Finding::new(*code, "")).0.severity, Severity::Error, "{profile}");
            }
        }
    }
}
