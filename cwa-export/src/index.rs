//! The tree of a distribution: paths, index files, and the signed manifest that ties them together.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use cwa_crypto::{Day, UnixTime};
use serde::{Deserialize, Serialize};

use crate::archive::{Archive, ArchiveError};
use crate::batch::Hour;
use crate::country::Country;
use crate::export::{SignContentError, SignedFiles};
use crate::signature::{self, Signer};
use crate::trust::TrustStore;
use crate::verify::{ParseSignedContentError, UnverifiedContent, VerifyError};

/// A resource of the distribution, in the layout of the German server.
///
/// `Display` and `FromStr` are its path without a leading slash:
///
/// ```
/// use cwa_export::index::DistributionPath;
/// let path: DistributionPath = "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/4".parse().unwrap();
/// assert!(matches!(path, DistributionPath::HourPackage { .. }));
/// assert_eq!(path.file_path(), "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/4/index");
/// assert!("version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/24".parse::<DistributionPath>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum DistributionPath {
    /// Index of countries.
    Countries,
    /// What lies below one country, for clients that ask: `["date"]` in the German tree.
    Dates {
        /// The country.
        country: Country,
    },
    /// The package of one day.
    DayPackage {
        /// The country.
        country: Country,
        /// The day.
        day: Day,
    },
    /// Index of the hours of one day.
    Hours {
        /// The country.
        country: Country,
        /// The day.
        day: Day,
    },
    /// The package of one hour.
    HourPackage {
        /// The country.
        country: Country,
        /// The hour.
        hour: Hour,
    },
    /// Signed application configuration, framework mode v1.
    Configuration {
        /// The country.
        country: Country,
    },
    /// Signed application configuration for Android, framework mode v2.
    ConfigurationAndroid,
    /// Signed application configuration for iOS, framework mode v2.
    ConfigurationIos,
    /// The signed [`Manifest`].
    Manifest,
}

impl DistributionPath {
    /// Where the resource lies as a file, relative to the root of the tree: a file named `index` in a directory named
    /// like the path, because `…/date/2020-07-22` is a resource and the parent of others at once.
    #[must_use]
    pub fn file_path(&self) -> String {
        format!("{self}/index")
    }
}

impl fmt::Display for DistributionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KEYS: &str = "version/v1/diagnosis-keys/country";
        match self {
            Self::Countries => f.write_str(KEYS),
            Self::Dates { country } => write!(f, "{KEYS}/{country}/date"),
            Self::DayPackage { country, day } => write!(f, "{KEYS}/{country}/date/{day}"),
            Self::Hours { country, day } => write!(f, "{KEYS}/{country}/date/{day}/hour"),
            Self::HourPackage { country, hour } => {
                write!(f, "{KEYS}/{country}/date/{}/hour/{}", hour.day(), hour.of_day())
            }
            Self::Configuration { country } => {
                write!(f, "version/v1/configuration/country/{country}/app_config")
            }
            Self::ConfigurationAndroid => f.write_str("version/v1/app_config_android"),
            Self::ConfigurationIos => f.write_str("version/v1/app_config_ios"),
            Self::Manifest => f.write_str("version/v1/manifest"),
        }
    }
}

impl FromStr for DistributionPath {
    type Err = PathError;

    /// Reads the one spelling that `Display` writes: no leading slash, no leading zeros, nothing behind.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.strip_prefix("version/v1/").ok_or(PathError)?.split('/').collect();
        let country = |text: &str| text.parse::<Country>().map_err(|_| PathError);
        let day = |text: &str| text.parse::<Day>().map_err(|_| PathError);
        let path = match *parts.as_slice() {
            ["diagnosis-keys", "country"] => Self::Countries,
            ["diagnosis-keys", "country", c, "date"] => Self::Dates { country: country(c)? },
            ["diagnosis-keys", "country", c, "date", d] => {
                Self::DayPackage { country: country(c)?, day: day(d)? }
            }
            ["diagnosis-keys", "country", c, "date", d, "hour"] => {
                Self::Hours { country: country(c)?, day: day(d)? }
            }
            ["diagnosis-keys", "country", c, "date", d, "hour", h] => {
                let of_day = h.parse().map_err(|_| PathError)?;
                Self::HourPackage { country: country(c)?, hour: Hour::of(day(d)?, of_day).ok_or(PathError)? }
            }
            ["configuration", "country", c, "app_config"] => Self::Configuration { country: country(c)? },
            ["app_config_android"] => Self::ConfigurationAndroid,
            ["app_config_ios"] => Self::ConfigurationIos,
            ["manifest"] => Self::Manifest,
            _ => return Err(PathError),
        };
        if path.to_string() == text { Ok(path) } else { Err(PathError) }
    }
}

/// Not a path of a distribution.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a path of a distribution")]
#[non_exhaustive]
pub struct PathError;

/// The index of countries: `["DE"]`, compact and sorted.
pub fn countries_json(countries: impl IntoIterator<Item = Country>) -> String {
    json_array(sorted(countries).iter().map(|country| format!("\"{country}\"")))
}

/// The index of days: `["2020-07-22"]`, compact and sorted. It lists days that hold keys.
///
/// ```
/// use cwa_crypto::Day;
/// use cwa_export::index::days_json;
/// let day = Day::from_calendar(2020, 7, 22).unwrap();
/// assert_eq!(days_json([day.next(), day]), r#"["2020-07-22","2020-07-23"]"#);
/// ```
pub fn days_json(days: impl IntoIterator<Item = Day>) -> String {
    json_array(sorted(days).iter().map(|day| format!("\"{day}\"")))
}

/// The index of the hours of one day: `[3,11]`, compact and sorted. It lists hours that hold keys.
pub fn hours_json(hours: impl IntoIterator<Item = Hour>) -> String {
    json_array(sorted(hours).iter().map(|hour| hour.of_day().to_string()))
}

/// Reads an index of days.
///
/// # Errors
///
/// [`IndexError`] if it is no JSON array of dates, or holds a day twice or out of order.
pub fn parse_days(json: &[u8]) -> Result<Vec<Day>, IndexError> {
    let texts: Vec<&str> = serde_json::from_slice(json).map_err(|_| IndexError::Json)?;
    let days = texts
        .iter()
        .enumerate()
        .map(|(index, text)| text.parse().map_err(|_| IndexError::Entry { number: index + 1 }));
    ascending(days)
}

/// Reads an index of the hours of `day`.
///
/// # Errors
///
/// [`IndexError`] if it is no JSON array of numbers from 0 to 23, or holds one twice or out of order.
pub fn parse_hours(day: Day, json: &[u8]) -> Result<Vec<Hour>, IndexError> {
    let numbers: Vec<u8> = serde_json::from_slice(json).map_err(|_| IndexError::Json)?;
    let hours = numbers
        .iter()
        .enumerate()
        .map(|(index, number)| Hour::of(day, *number).ok_or(IndexError::Entry { number: index + 1 }));
    ascending(hours)
}

/// Reads an index of countries.
///
/// # Errors
///
/// [`IndexError`] if it is no JSON array of country codes, or holds one twice or out of order.
pub fn parse_countries(json: &[u8]) -> Result<Vec<Country>, IndexError> {
    let texts: Vec<&str> = serde_json::from_slice(json).map_err(|_| IndexError::Json)?;
    let countries = texts
        .iter()
        .enumerate()
        .map(|(index, text)| text.parse().map_err(|_| IndexError::Entry { number: index + 1 }));
    ascending(countries)
}

/// Why an index cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Not a JSON array of the right kind.
    #[error("the index is not a JSON array of the right kind")]
    Json,
    /// An entry that names nothing.
    #[error("entry {number} of the index names nothing")]
    Entry {
        /// Its number, from 1.
        number: usize,
    },
    /// An entry that is not after the one before it.
    #[error("entry {number} of the index is not after the one before it")]
    Order {
        /// Its number, from 1.
        number: usize,
    },
}

/// What a distribution held at one moment: every resource with its SHA-256 and its number of keys, signed as a whole.
///
/// The index files of the format are not signed, and a signed package says neither where it belongs nor whether it is
/// the newest. The manifest closes both gaps: a mixed tree does not match it, and an old tree comes with an old one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Always [`Manifest::SCHEMA`], so that no other signed JSON is taken for a manifest.
    schema: String,
    /// When the tree was made, in Unix seconds.
    generated_at: u64,
    /// By path.
    entries: BTreeMap<String, ManifestEntry>,
}

/// One resource in a [`Manifest`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ManifestEntry {
    /// SHA-256 of the resource as it is served, in lower-case hex.
    pub sha256: String,
    /// Keys in it; 0 for an empty package and for everything that is no package.
    pub key_count: u64,
}

impl Manifest {
    /// The schema's name.
    pub const SCHEMA: &str = "cwa.manifest/1";

    /// An empty manifest of a tree made at `generated_at`.
    #[must_use]
    pub fn new(generated_at: UnixTime) -> Self {
        Self { schema: Self::SCHEMA.into(), generated_at: generated_at.as_secs(), entries: BTreeMap::new() }
    }

    /// Enters a resource as it is served.
    pub fn insert(&mut self, path: DistributionPath, content: &[u8], key_count: usize) {
        let sha256 = hex::encode(signature::digest(content));
        let key_count = u64::try_from(key_count).unwrap_or(u64::MAX);
        self.entries.insert(path.to_string(), ManifestEntry { sha256, key_count });
    }

    /// When the tree was made.
    #[must_use]
    pub const fn generated_at(&self) -> UnixTime {
        UnixTime::from_secs(self.generated_at)
    }

    /// The resources, by path.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &ManifestEntry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// What the manifest says of one resource.
    #[must_use]
    pub fn get(&self, path: DistributionPath) -> Option<&ManifestEntry> {
        self.entries.get(&path.to_string())
    }

    /// Whether `content` is what the tree holds at `path`.
    ///
    /// # Errors
    ///
    /// [`ManifestError::NotListed`] or [`ManifestError::Content`].
    pub fn check(&self, path: DistributionPath, content: &[u8]) -> Result<&ManifestEntry, ManifestError> {
        let entry = self.get(path).ok_or_else(|| ManifestError::NotListed { path: path.to_string() })?;
        if entry.sha256 == hex::encode(signature::digest(content)) {
            Ok(entry)
        } else {
            Err(ManifestError::Content { path: path.to_string() })
        }
    }

    /// Refuses a manifest that is older than one that was seen before: somebody is serving an old tree.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Older`] with both times.
    pub const fn check_not_older_than(&self, seen: UnixTime) -> Result<(), ManifestError> {
        if self.generated_at < seen.as_secs() {
            return Err(ManifestError::Older { generated_at: self.generated_at(), seen });
        }
        Ok(())
    }

    /// Refuses a manifest that was made more than `max_seconds` before `now`: the publisher stands still, or somebody
    /// holds its work back.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Stale`] with the age and the bound.
    pub const fn check_age(&self, max_seconds: u64, now: UnixTime) -> Result<(), ManifestError> {
        let seconds = now.seconds_since(self.generated_at());
        if seconds > max_seconds {
            return Err(ManifestError::Stale { seconds, max_seconds });
        }
        Ok(())
    }

    /// The manifest as signed files, in the same scheme as packages; [`SignedFiles::to_archive`] makes what is served.
    ///
    /// # Errors
    ///
    /// [`SignContentError`] if a signer cannot sign.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<SignedFiles, SignContentError> {
        SignedFiles::sign_content(self.to_json().into_bytes(), signers)
    }

    /// The manifest as compact JSON, entries sorted by path.
    ///
    /// # Panics
    ///
    /// Never: strings and integers under string keys are valid JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "strings and integers only; a string-keyed map is valid JSON")]
        serde_json::to_string(self).expect("a manifest is valid JSON")
    }

    /// Reads a signed manifest as it is served, and verifies its signature.
    ///
    /// What comes next is [`check_not_older_than`](Self::check_not_older_than) with the newest one seen so far.
    ///
    /// # Errors
    ///
    /// [`OpenManifestError`] if the archive cannot be read, is not signed by a trusted key, or holds something else.
    pub fn open(archive: &[u8], trusted: &TrustStore) -> Result<Self, OpenManifestError> {
        let archive = Archive::read(archive)?;
        let content =
            UnverifiedContent::parse(archive.export_bin(), archive.export_sig())?.verify(trusted)?;
        Ok(Self::from_json(content.bytes())?)
    }

    /// Reads the JSON of a manifest. To be called on content whose signature was verified.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Malformed`] for anything else.
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(json).map_err(|_| ManifestError::Malformed)?;
        if manifest.schema == Self::SCHEMA { Ok(manifest) } else { Err(ManifestError::Malformed) }
    }
}

/// Why a manifest, or a resource it lists, is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not a manifest.
    #[error("the content is not a manifest")]
    Malformed,
    /// Older than one seen before.
    #[error(
        "the manifest was made at {}, but one of {} was seen before: this tree is old",
        generated_at.as_secs(),
        seen.as_secs()
    )]
    Older {
        /// When this one was made.
        generated_at: UnixTime,
        /// When the newest one seen was made.
        seen: UnixTime,
    },
    /// Too long ago.
    #[error("the manifest is {seconds} seconds old; at most {max_seconds} are accepted")]
    Stale {
        /// Its age.
        seconds: u64,
        /// The bound.
        max_seconds: u64,
    },
    /// A resource that the manifest does not know.
    #[error("the manifest does not list {path}")]
    NotListed {
        /// Its path.
        path: String,
    },
    /// A resource with other content.
    #[error("{path} is not what the manifest says it is")]
    Content {
        /// Its path.
        path: String,
    },
}

/// Why a signed manifest is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenManifestError {
    /// The archive.
    #[error("the archive of the manifest is refused")]
    Archive(#[from] ArchiveError),
    /// What is in it.
    #[error("the signed manifest cannot be read")]
    Parse(#[from] ParseSignedContentError),
    /// The signature.
    #[error("the manifest is not believed")]
    Verify(#[from] VerifyError),
    /// The content.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items
}

fn json_array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn ascending<T: Ord + Copy>(
    items: impl Iterator<Item = Result<T, IndexError>>,
) -> Result<Vec<T>, IndexError> {
    let mut ascending: Vec<T> = Vec::new();
    for item in items {
        let item = item?;
        if ascending.last().is_some_and(|last| *last >= item) {
            return Err(IndexError::Order { number: ascending.len() + 1 });
        }
        ascending.push(item);
    }
    Ok(ascending)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn day() -> Day {
        Day::from_calendar(2020, 7, 22).unwrap()
    }

    #[rstest]
    #[case(DistributionPath::Countries, "version/v1/diagnosis-keys/country")]
    #[case(DistributionPath::Dates { country: Country::GERMANY }, "version/v1/diagnosis-keys/country/DE/date")]
    #[case(
        DistributionPath::DayPackage { country: Country::GERMANY, day: day() },
        "version/v1/diagnosis-keys/country/DE/date/2020-07-22"
    )]
    #[case(
        DistributionPath::Hours { country: Country::GERMANY, day: day() },
        "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour"
    )]
    #[case(
        DistributionPath::HourPackage { country: Country::GERMANY, hour: Hour::of(day(), 0).unwrap() },
        "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/0"
    )]
    #[case(
        DistributionPath::Configuration { country: Country::GERMANY },
        "version/v1/configuration/country/DE/app_config"
    )]
    #[case(DistributionPath::ConfigurationAndroid, "version/v1/app_config_android")]
    #[case(DistributionPath::ConfigurationIos, "version/v1/app_config_ios")]
    #[case(DistributionPath::Manifest, "version/v1/manifest")]
    fn paths_are_those_of_the_german_server(#[case] path: DistributionPath, #[case] text: &str) {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
    }

    #[rstest]
    #[case("")]
    #[case("/version/v1/manifest")]
    #[case("version/v1/manifest/")]
    #[case("version/v2/manifest")]
    #[case("version/v1/diagnosis-keys/country/de/date")]
    #[case("version/v1/diagnosis-keys/country/DE/date/2020-7-22")]
    #[case("version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/04")]
    #[case("version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/+4")]
    #[case("version/v1/diagnosis-keys/country/../date")]
    fn other_spellings_are_no_paths(#[case] text: &str) {
        assert_eq!(text.parse::<DistributionPath>(), Err(PathError));
    }

    #[test]
    fn an_index_is_compact_and_sorted_and_read_back() {
        let hours = [Hour::of(day(), 11).unwrap(), Hour::of(day(), 3).unwrap()];
        assert_eq!(hours_json(hours), "[3,11]");
        assert_eq!(parse_hours(day(), b"[3,11]").unwrap(), [hours[1], hours[0]]);
        assert_eq!(parse_days(days_json([day()]).as_bytes()).unwrap(), [day()]);
        assert_eq!(countries_json([Country::GERMANY]), r#"["DE"]"#);
        assert_eq!(parse_countries(br#"["DE"]"#).unwrap(), [Country::GERMANY]);
        assert_eq!(days_json([]), "[]");
    }

    #[test]
    fn an_index_out_of_shape_is_refused() {
        assert_eq!(parse_hours(day(), b"[3,3]"), Err(IndexError::Order { number: 2 }));
        assert_eq!(parse_hours(day(), b"[24]"), Err(IndexError::Entry { number: 1 }));
        assert_eq!(parse_days(b"{}"), Err(IndexError::Json));
        assert_eq!(parse_days(br#"["2020-02-30"]"#), Err(IndexError::Entry { number: 1 }));
    }

    #[test]
    fn a_manifest_shows_mixing_and_rollback() {
        let at = UnixTime::from_secs(1_595_376_000);
        let mut manifest = Manifest::new(at);
        manifest.insert(DistributionPath::Countries, br#"["DE"]"#, 0);
        insta::assert_snapshot!(
            manifest.to_json(),
            @r#"{"schema":"cwa.manifest/1","generated_at":1595376000,"entries":{"version/v1/diagnosis-keys/country":{"sha256":"557a432d639f60bf6a7b6c4a42ca0ef09bef165272d445a284e5a7640443568e","key_count":0}}}"#
        );
        let read = Manifest::from_json(manifest.to_json().as_bytes()).unwrap();
        assert_eq!(read, manifest);
        assert!(read.check(DistributionPath::Countries, br#"["DE"]"#).is_ok());
        assert_eq!(
            read.check(DistributionPath::Countries, br#"["FR"]"#).unwrap_err().to_string(),
            "version/v1/diagnosis-keys/country is not what the manifest says it is"
        );
        assert_eq!(
            read.check(DistributionPath::Manifest, b"").unwrap_err(),
            ManifestError::NotListed { path: "version/v1/manifest".into() }
        );
        assert_eq!(read.check_not_older_than(at), Ok(()));
        assert_eq!(
            read.check_not_older_than(at.plus(1)),
            Err(ManifestError::Older { generated_at: at, seen: at.plus(1) })
        );
        assert_eq!(read.check_age(7200, at.plus(7200)), Ok(()));
        assert_eq!(
            read.check_age(7200, at.plus(7201)),
            Err(ManifestError::Stale { seconds: 7201, max_seconds: 7200 })
        );
    }

    #[test]
    fn a_signed_manifest_is_opened_under_its_key_only() {
        use crate::signature::{SignatureInfo, SoftwareSigner};
        use crate::trust::TrustedKey;
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let signer = SoftwareSigner::new(key, SignatureInfo::new("262", "v9"));
        let mut manifest = Manifest::new(UnixTime::from_secs(1));
        manifest.insert(DistributionPath::Countries, b"[]", 0);
        let archive = manifest.sign(&[&signer]).unwrap().to_archive().unwrap();
        let trusted: TrustStore = [TrustedKey::given("mine", *signer.verifying_key())].into_iter().collect();
        assert_eq!(Manifest::open(&archive, &trusted), Ok(manifest));
        assert_eq!(
            Manifest::open(&archive, &TrustStore::built_in()),
            Err(OpenManifestError::Verify(VerifyError::NoTrustedKey))
        );
        let other = SignedFiles::sign_content(b"{}".to_vec(), &[&signer]).unwrap().to_archive().unwrap();
        assert_eq!(
            Manifest::open(&other, &trusted),
            Err(OpenManifestError::Manifest(ManifestError::Malformed))
        );
    }

    #[test]
    fn other_json_is_no_manifest() {
        for json in [&b"[]"[..], b"{}", br#"{"schema":"other/1","generated_at":1,"entries":{}}"#] {
            assert_eq!(Manifest::from_json(json), Err(ManifestError::Malformed));
        }
    }
}
