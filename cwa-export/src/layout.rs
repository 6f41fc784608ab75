//! How distributions are laid out: the `index.txt` of Google's server, and where national ones kept what.
//!
//! The German tree is [`crate::index`]. Of the others, [`NationalLayout`] says which addresses a phone asked for.

use core::fmt;
use std::collections::HashSet;

use cwa_crypto::{Day, UnixTime};

/// The path of a file relative to a base address: segments of plain characters, joined by `/`.
///
/// No segment is empty, `.` or `..`, and nothing is percent-encoded, so that it leads nowhere else, on a server or on a
/// disk. Read from a list, it may begin with one `/`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RelativePath(String);

impl RelativePath {
    /// Longest path, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a path as a list has it.
    ///
    /// # Errors
    ///
    /// [`RelativePathError`] if it may lead elsewhere.
    ///
    /// ```
    /// use cwa_export::layout::RelativePath;
    /// assert_eq!(RelativePath::parse("/ExposureKeys/1.zip").unwrap().as_str(), "ExposureKeys/1.zip");
    /// assert!(RelativePath::parse("../1.zip").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, RelativePathError> {
        let path = text.strip_prefix('/').unwrap_or(text);
        if path.len() > Self::MAX_BYTES {
            return Err(RelativePathError::Length { bytes: path.len() });
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$()+,=@".contains(&byte);
        for segment in path.split('/') {
            if segment.is_empty() || segment.bytes().all(|byte| byte == b'.') {
                return Err(RelativePathError::Segment);
            }
            if !segment.bytes().all(allowed) {
                return Err(RelativePathError::Character);
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The path, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a path is not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelativePathError {
    /// Too long.
    #[error("the path has {bytes} bytes; at most {} are read", RelativePath::MAX_BYTES)]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// An empty segment, or one of dots only.
    #[error("a segment of the path is empty or of dots only")]
    Segment,
    /// A character that leads elsewhere: a scheme, a query, an escape, a backslash, a space.
    #[error("the path has a character that plain relative paths do not have")]
    Character,
}

/// The `index.txt` of Google's server: one path a line, oldest first, each file once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileIndex(Vec<RelativePath>);

impl FileIndex {
    /// Largest index, in bytes: 4 MiB.
    pub const MAX_BYTES: usize = 4 << 20;

    /// An index of these files, oldest first; a file that is there twice is listed where it is first.
    pub fn new(files: impl IntoIterator<Item = RelativePath>) -> Self {
        let mut seen = HashSet::new();
        Self(files.into_iter().filter(|path| seen.insert(path.clone())).collect())
    }

    /// Reads an index. `base` is the address to which its paths are relative, which need not be the directory of the
    /// index itself; an address in full is understood if it lies below.
    ///
    /// # Errors
    ///
    /// [`FileIndexError`], with the line.
    ///
    /// ```
    /// use cwa_export::layout::FileIndex;
    /// let index = FileIndex::parse(b"keys/1.zip\n/keys/2.zip\n", "http://localhost/").unwrap();
    /// assert_eq!(index.files()[1].as_str(), "keys/2.zip");
    /// assert!(FileIndex::parse(b"http://elsewhere/3.zip\n", "http://localhost/").is_err());
    /// ```
    pub fn parse(bytes: &[u8], base: &str) -> Result<Self, FileIndexError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(FileIndexError::Length { bytes: bytes.len() });
        }
        let text = core::str::from_utf8(bytes).map_err(|_| FileIndexError::Text)?;
        // Servers that were switched off answered everything with a page for people.
        if text.trim_start().starts_with('<') {
            return Err(FileIndexError::Html);
        }
        let base = base.trim_end_matches('/');
        let mut files = Vec::new();
        for (line, number) in text.lines().map(str::trim).zip(1_usize..) {
            if line.is_empty() {
                continue;
            }
            let below = line.strip_prefix(base).filter(|rest| !base.is_empty() && rest.starts_with('/'));
            if below.is_none() && (line.contains("://") || line.starts_with("//")) {
                return Err(FileIndexError::Elsewhere { line: number });
            }
            let path = RelativePath::parse(below.unwrap_or(line));
            files.push(path.map_err(|source| FileIndexError::Path { line: number, source })?);
        }
        Ok(Self::new(files))
    }

    /// The files, oldest first.
    #[must_use]
    pub fn files(&self) -> &[RelativePath] {
        &self.0
    }
}

impl fmt::Display for FileIndex {
    /// One path a line, as Google's server writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|path| writeln!(f, "{path}"))
    }
}

/// Why an `index.txt` cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileIndexError {
    /// Too long.
    #[error("the index has {bytes} bytes; at most {} are read", FileIndex::MAX_BYTES)]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// Not text.
    #[error("the index is not UTF-8 text")]
    Text,
    /// A page for people.
    #[error("the index is a page of HTML")]
    Html,
    /// An address on another host, or not below the base.
    #[error("line {line} of the index leads elsewhere")]
    Elsewhere {
        /// The line, from 1.
        line: usize,
    },
    /// Not a path.
    #[error("line {line} of the index is no path")]
    Path {
        /// The line, from 1.
        line: usize,
        /// Why.
        source: RelativePathError,
    },
}

/// The kinds of layout, after how a phone finds the packages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LayoutFamily {
    /// F1, the German tree: indexes of days and hours in JSON.
    Tree {
        /// The country, or merged region, in its paths.
        country: &'static str,
    },
    /// F2, Google's server: `index.txt`, whose paths are relative to the host.
    IndexTxt {
        /// Where the index is.
        index: &'static str,
    },
    /// F3, DP-3T: one address for each day, named by the milliseconds of its midnight; its content grows.
    DayMillis,
    /// F3, DP-3T version 2: one address, and the tag of the last answer.
    BundleTag,
    /// F4, Immuni: an index with the oldest and the newest number.
    IntegerRange,
    /// F5: lists in JSON, each of its own kind.
    JsonList {
        /// Where the list is.
        list: &'static str,
        /// Where a package is.
        package: &'static str,
        /// What a request must bear.
        header: Option<&'static str>,
    },
    /// F6, England and Wales: no index; a file for each day and one for each two hours.
    DailyAndTwoHourly,
    /// F6, Canada: no index; a day's number and an authentication code.
    Authenticated,
    /// F6, Denmark: no index; numbered files of a day until one says that it is the last.
    Numbered,
    /// F7, Netherlands: a manifest that is signed in CMS.
    SignedManifest,
}

/// Where one country's phones found their packages.
///
/// All of these servers are history, and nothing here contacts them: the addresses say what a phone would have asked
/// for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NationalLayout {
    /// The country (ISO 3166-1).
    pub country: &'static str,
    /// The host, with the directory below which everything lies; not known of every country.
    pub base: Option<&'static str>,
    /// How packages were found.
    pub family: LayoutFamily,
}

/// One address a phone would ask for, or a pattern of several.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlannedAddress {
    /// The address; in braces, what an answer or a secret gives. It begins with the path where no host is known.
    pub url: String,
    /// For what the braces stand, or a header that the request needs.
    pub note: Option<&'static str>,
}

impl NationalLayout {
    /// Every layout that is known, by country.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        LAYOUTS
    }

    /// The layout of a country, in letters of either case.
    #[must_use]
    pub fn of(country: &str) -> Option<&'static Self> {
        LAYOUTS.iter().find(|layout| layout.country.eq_ignore_ascii_case(country))
    }

    /// Whether a host is one of these, which must not be contacted.
    #[must_use]
    pub fn is_historic_host(host: &str) -> bool {
        let host = host.trim_end_matches('.');
        let historic =
            |base: &str| base.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(host));
        LAYOUTS.iter().filter_map(|layout| layout.base).any(historic)
    }

    /// What a phone that held nothing would ask for at `now`, in this order.
    #[must_use]
    pub fn addresses(&self, now: UnixTime) -> Vec<PlannedAddress> {
        let base = self.base.map_or_else(String::new, |base| format!("https://{base}"));
        let mut addresses = Vec::new();
        let mut add = |path: String, note| {
            addresses.push(PlannedAddress { url: format!("{base}/{path}"), note });
        };
        let today = now.day();
        let days = || (0..=CATCH_UP_DAYS).rev().map(|ago| today.minus(ago));
        match self.family {
            LayoutFamily::Tree { country } => {
                let dates = format!("version/v1/diagnosis-keys/country/{country}/date");
                add(dates.clone(), None);
                add(format!("{dates}/{{day}}"), Some("each day of the index"));
                add(format!("{dates}/{today}/hour"), None);
                add(format!("{dates}/{today}/hour/{{hour}}"), Some("each hour of the index"));
            }
            LayoutFamily::IndexTxt { index } => {
                add(index.to_owned(), None);
                add("{path}".to_owned(), Some("each line of the index, oldest first"));
            }
            LayoutFamily::DayMillis => {
                for day in days() {
                    let millis = day.start().as_secs().saturating_mul(1000);
                    add(
                        format!("v1/gaen/exposed/{millis}"),
                        Some("204 if there are none; its content grows"),
                    );
                }
            }
            LayoutFamily::BundleTag => {
                add("v2/gaen/exposed".to_owned(), None);
                add(
                    "v2/gaen/exposed?lastKeyBundleTag={tag}".to_owned(),
                    Some("later: the header x-key-bundle-tag of the last answer"),
                );
            }
            LayoutFamily::IntegerRange => {
                add("v1/keys/index".to_owned(), None);
                add("v1/keys/{n}".to_owned(), Some("from `oldest` to `newest` of the index"));
            }
            LayoutFamily::JsonList { list, package, header } => {
                add(list.to_owned(), header);
                add(package.to_owned(), Some("each entry of the list"));
            }
            LayoutFamily::DailyAndTwoHourly => {
                for day in days() {
                    add(format!("distribution/daily/{}00.zip", compact(day)), None);
                }
                let hours = now.as_secs() % Day::SECONDS / 3600;
                for hour in (2..=hours).step_by(2) {
                    add(format!("distribution/two-hourly/{}{hour:02}.zip", compact(today)), None);
                }
            }
            LayoutFamily::Authenticated => {
                let code = Some("HMAC-SHA-256 of country, period and hour under the app's key");
                for day in days() {
                    add(format!("retrieve/302/{}/{{hmac}}", day.get()), code);
                }
            }
            LayoutFamily::Numbered => {
                for day in days() {
                    let until = Some("from 0, until an answer has the header FinalForTheDay");
                    add(format!("API/v1/diagnostickeys/{day}:{{n}}.zip"), until);
                }
            }
            LayoutFamily::SignedManifest => {
                add("v2/manifest".to_owned(), None);
                let listed = Some("as the manifest lists them");
                for kind in ["appconfig", "riskcalculationparameters", "exposurekeyset"] {
                    add(format!("v2/{kind}/{{id}}"), listed);
                }
            }
        }
        addresses
    }
}

/// `20200722`.
fn compact(day: Day) -> String {
    let (year, month, day) = day.calendar();
    format!("{year:04}{month:02}{day:02}")
}

/// How far back a phone that held nothing went.
const CATCH_UP_DAYS: u64 = 14;

const fn layout(country: &'static str, base: Option<&'static str>, family: LayoutFamily) -> NationalLayout {
    NationalLayout { country, base, family }
}

const LAYOUTS: &[NationalLayout] = &[
    layout(
        "AT",
        None,
        LayoutFamily::JsonList {
            list: "exposures/at/index.json",
            package: "{batch_file_path}",
            header: Some("headers authorizationkey and x-appid"),
        },
    ),
    layout("BE", Some("c19distcdn-prd.ixor.be"), LayoutFamily::Tree { country: "BE" }),
    layout("CA", None, LayoutFamily::Authenticated),
    layout("CH", Some("www.pt.bfs.admin.ch"), LayoutFamily::DayMillis),
    layout(
        "CZ",
        None,
        LayoutFamily::IndexTxt { index: "exposure-notification-export-qhqcx/erouska/index.txt" },
    ),
    layout("DE", Some("svc90.main.px.t-online.de"), LayoutFamily::Tree { country: "DE" }),
    layout("DK", None, LayoutFamily::Numbered),
    layout("EE", Some("enapi.sm.ee/authorization"), LayoutFamily::DayMillis),
    layout("ES", Some("radarcovid.covid19.gob.es/dp3t"), LayoutFamily::BundleTag),
    layout(
        "FI",
        None,
        LayoutFamily::JsonList {
            list: "diagnosis/v1/list?previous={batch}",
            package: "diagnosis/v1/batch/{id}",
            header: None,
        },
    ),
    layout("GB", None, LayoutFamily::DailyAndTwoHourly),
    layout(
        "IE",
        None,
        LayoutFamily::JsonList {
            list: "api/exposures/?since={id}&limit={n}",
            package: "api/data/{path}",
            header: Some("a bearer token"),
        },
    ),
    layout("IT", Some("get.immuni.gov.it"), LayoutFamily::IntegerRange),
    layout("JP", None, LayoutFamily::JsonList { list: "c19r/440/list.json", package: "{url}", header: None }),
    layout(
        "LV",
        Some("apturicovid-files.spkc.gov.lv"),
        LayoutFamily::IndexTxt { index: "dkfs/v1/index.txt" },
    ),
    layout("NL", None, LayoutFamily::SignedManifest),
    layout("PL", Some("exp.safesafe.app"), LayoutFamily::IndexTxt { index: "index.txt" }),
    layout("PT", Some("stayaway.incm.pt"), LayoutFamily::DayMillis),
    layout("SI", Some("svc90.cwa.gov.si"), LayoutFamily::Tree { country: "SI" }),
    layout(
        "US",
        Some("encdn.prod.exposurenotification.health"),
        LayoutFamily::IndexTxt { index: "v1/index.txt" },
    ),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("/")]
    #[case("//host/1.zip")]
    #[case("a//b")]
    #[case("a/")]
    #[case("../a")]
    #[case("a/../b")]
    #[case("./a")]
    #[case("a/%2e%2e/b")]
    #[case("a\\b")]
    #[case("a?b")]
    #[case("a#b")]
    #[case("c:a")]
    #[case("a b")]
    #[case("a\0b")]
    #[case("ä")]
    fn a_path_that_may_lead_elsewhere_is_refused(#[case] text: &str) {
        assert!(RelativePath::parse(text).is_err());
    }

    #[test]
    fn a_path_has_at_most_1024_bytes() {
        assert!(RelativePath::parse(&"a".repeat(1024)).is_ok());
        assert_eq!(RelativePath::parse(&"a".repeat(1025)), Err(RelativePathError::Length { bytes: 1025 }));
    }

    #[test]
    fn an_index_is_read_with_slashes_windows_lines_and_whole_addresses_below_the_base() {
        let text = b"/v1/1.zip\r\n\n  v1/2.zip\nhttp://h/base/3.zip\nv1/1.zip\n";
        let index = FileIndex::parse(text, "http://h/base/").unwrap();
        assert_eq!(index.to_string(), "v1/1.zip\nv1/2.zip\n3.zip\n");
        assert_eq!(FileIndex::parse(b"", "").unwrap(), FileIndex::default());
    }

    #[rstest]
    #[case("1.zip\nhttp://other/2.zip", FileIndexError::Elsewhere { line: 2 })]
    #[case("http://h/basement/2.zip", FileIndexError::Elsewhere { line: 1 })]
    #[case("//other/2.zip", FileIndexError::Elsewhere { line: 1 })]
    #[case("\n../2.zip", FileIndexError::Path { line: 2, source: RelativePathError::Segment })]
    #[case("http://h/base/../2.zip", FileIndexError::Path { line: 1, source: RelativePathError::Segment })]
    #[case(" <!doctype html>", FileIndexError::Html)]
    fn an_index_that_leads_elsewhere_is_refused_with_its_line(
        #[case] text: &str,
        #[case] error: FileIndexError,
    ) {
        assert_eq!(FileIndex::parse(text.as_bytes(), "http://h/base"), Err(error));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_an_index_panic_and_what_it_reads_stays_below(bytes: Vec<u8>) {
            if let Ok(index) = FileIndex::parse(&bytes, "http://h") {
                for path in index.files() {
                    prop_assert!(!path.as_str().split('/').any(|segment| ["", ".", ".."].contains(&segment)));
                }
            }
        }

        #[test]
        fn an_index_is_read_as_it_was_written(names in prop::collection::vec("[a-z]{1,3}/[a-z0-9]{1,3}\\.zip", 0..9)) {
            let index = FileIndex::new(names.iter().map(|name| RelativePath::parse(name).unwrap()));
            prop_assert_eq!(FileIndex::parse(index.to_string().as_bytes(), "http://h").unwrap(), index);
        }
    }

    fn urls(country: &str, now: u64) -> Vec<String> {
        let layout = NationalLayout::of(country).unwrap();
        layout.addresses(UnixTime::from_secs(now)).into_iter().map(|address| address.url).collect()
    }

    #[test]
    fn addresses_are_those_of_the_countries() {
        // 2020-07-22T05:00:00Z
        let now = 1_595_376_000 + 5 * 3600;
        let swiss = urls("ch", now);
        assert_eq!(swiss.len(), 15);
        assert_eq!(swiss[14], "https://www.pt.bfs.admin.ch/v1/gaen/exposed/1595376000000");
        let english = urls("GB", now);
        assert_eq!(english[14], "/distribution/daily/2020072200.zip");
        assert_eq!(
            english[15..],
            ["02", "04"].map(|hour| format!("/distribution/two-hourly/20200722{hour}.zip"))
        );
        assert_eq!(urls("CA", now)[14], "/retrieve/302/18465/{hmac}");
        assert_eq!(urls("DK", now)[0], "/API/v1/diagnostickeys/2020-07-08:{n}.zip");
        assert_eq!(
            urls("DE", now)[2],
            "https://svc90.main.px.t-online.de/version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour"
        );
        assert_eq!(
            urls("US", now),
            ["v1/index.txt", "{path}"]
                .map(|path| format!("https://encdn.prod.exposurenotification.health/{path}"))
        );
    }

    #[test]
    fn every_country_is_there_once_in_order_and_has_addresses() {
        assert!(LAYOUTS.is_sorted_by(|a, b| a.country < b.country));
        for layout in LAYOUTS {
            assert!(!layout.addresses(UnixTime::from_secs(0)).is_empty(), "{}", layout.country);
        }
        assert!(NationalLayout::of("XX").is_none());
    }

    #[test]
    fn historic_hosts_are_known_however_they_are_spelled() {
        for host in ["get.immuni.gov.it", "GET.immuni.gov.it.", "enapi.sm.ee", "radarcovid.covid19.gob.es"] {
            assert!(NationalLayout::is_historic_host(host), "{host}");
        }
        for host in ["localhost", "immuni.gov.it", "", "authorization"] {
            assert!(!NationalLayout::is_historic_host(host), "{host}");
        }
    }
}
