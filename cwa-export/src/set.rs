//! Several files that are handed over together: complete batches, files that a device takes for one, keys that are
//! published twice.

use crate::audit::{Reader, Verdict};
use crate::content::ParseContentError;
use crate::finding::{Code, Finding, Severity};
use crate::lint::Lint;
use crate::profile::Profile;

/// The exports among several files, each looked at for what it has in common with the others.
///
/// Nothing here looks at signatures: that is [`Audit`](crate::audit::Audit)'s, file by file. The rules are those of
/// [`lint`](crate::lint) for several files, as far as they concern whoever receives the files and not their publisher.
/// Keeps 48 bytes for each key.
///
/// ```
/// use cwa_crypto::UnixTime;
/// use cwa_export::audit::Verdict;
/// use cwa_export::profile::Profile;
/// use cwa_export::{Export, set::FileSet};
/// let export = Export::new(UnixTime::from_secs(0), UnixTime::from_secs(3600), "DE", vec![]).encode(&[]);
/// let mut set = FileSet::default();
/// set.insert("first.bin", &export)?;
/// set.insert("second.bin", &export)?;
/// let found = set.compare();
/// assert_eq!(found.judge(Profile::Android).verdict, Verdict::Invalid, "the second is passed over");
/// assert_eq!(found.judge(Profile::Apple).verdict, Verdict::Valid);
/// # Ok::<(), cwa_export::content::ParseContentError>(())
/// ```
#[derive(Debug)]
pub struct FileSet {
    lint: Lint,
}

impl FileSet {
    /// Takes one more export under this name, which findings say. The next step is [`compare`](Self::compare).
    ///
    /// # Errors
    ///
    /// [`ParseContentError`] if it cannot be read; the set is as before.
    pub fn insert(&mut self, name: &str, export_bin: &[u8]) -> Result<(), ParseContentError> {
        self.lint.keep(name, export_bin)
    }

    /// Compares the files with one another.
    #[must_use]
    pub fn compare(self) -> Compared {
        let findings = self.lint.finish().into_iter().filter(|found| RECEIVERS.contains(&found.finding.code));
        let told =
            findings.map(|found| (found.finding.code, format!("{}: {}", found.file, found.finding.message)));
        Compared { told: told.collect() }
    }
}

impl Default for FileSet {
    fn default() -> Self {
        Self { lint: Lint::new(Profile::Strict) }
    }
}

/// What concerns those who receive the files: which of them a device passes over, and which keys it is told of twice.
const RECEIVERS: &[Code] = &[Code::SameWindow, Code::BatchIncomplete, Code::Republished, Code::Contradiction];

/// What was found about files together, not yet weighed. The next step is [`judge`](Self::judge).
#[derive(Clone, Debug)]
pub struct Compared {
    told: Vec<(Code, String)>,
}

impl Compared {
    /// Weighs what was found as this profile does.
    ///
    /// Android uses a batch only once all its files are handed over together, and takes a second file of the same
    /// window, region and number for the first (framework for Android, `ProvideDiagnosisKeys`): its answer is that it
    /// refuses such files, though it uses the others. The other readers have no rules for several files.
    #[must_use]
    pub fn judge(&self, profile: Profile) -> SetReport {
        let mut refused = false;
        let weigh = |(code, message): &(Code, String)| {
            let (finding, refuses) = profile.weigh(Finding::new(*code, message.clone()));
            refused |= refuses;
            finding
        };
        let findings: Vec<Finding> = self.told.iter().map(weigh).collect();
        let is_valid = findings.iter().all(|finding| finding.severity != Severity::Error);
        SetReport {
            verdict: if is_valid { Verdict::Valid } else { Verdict::Invalid },
            reader: profile.reader().map(|_| Reader::refuses(refused)),
            findings,
        }
    }
}

/// The answer about the files together.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SetReport {
    /// [`Verdict::Valid`] or [`Verdict::Invalid`].
    pub verdict: Verdict,
    /// Whether the profile's reader uses all of them; `None` under the two profiles that are no reader's.
    pub reader: Option<Reader>,
    /// What was found; each message begins with the name of its file.
    pub findings: Vec<Finding>,
}

#[cfg(test)]
mod tests {
    use cwa_crypto::UnixTime;

    use super::*;
    use crate::export::Export;
    use crate::key::ExportKey;

    fn file(end: u64, batch: (i32, i32), keys: &[u8]) -> Vec<u8> {
        let keys = keys.iter().map(|id| ExportKey::new([*id; 16])).collect();
        let mut export = Export::new(UnixTime::from_secs(0), UnixTime::from_secs(end), "DE", keys);
        (export.batch_num, export.batch_size) = (Some(batch.0), Some(batch.1));
        export.encode(&[])
    }

    fn compared(files: &[Vec<u8>]) -> Compared {
        let mut set = FileSet::default();
        for (file, number) in files.iter().zip(1..) {
            set.insert(&format!("file {number}"), file).unwrap();
        }
        set.compare()
    }

    #[test]
    fn files_of_one_window_are_siblings_only_if_their_numbers_or_ends_differ() {
        let same = compared(&[file(3600, (1, 1), &[1]), file(3600, (1, 1), &[2])]);
        for (profile, verdict, reader) in [
            (Profile::Android, Verdict::Invalid, Some(Reader::Refuses)),
            (Profile::Nl, Verdict::Invalid, Some(Reader::Refuses)),
            (Profile::Apple, Verdict::Valid, Some(Reader::Accepts)),
            (Profile::Strict, Verdict::Invalid, None),
            (Profile::Lenient, Verdict::Valid, None),
        ] {
            let report = same.judge(profile);
            assert_eq!((report.verdict, report.reader), (verdict, reader), "{profile}");
            assert_eq!(report.findings.len(), 1, "{profile}");
            assert!(report.findings[0].message.starts_with("file 2: file 1 has the same window"));
        }
        for siblings in [
            [file(3600, (1, 1), &[1]), file(3601, (1, 1), &[2])],
            [file(3600, (1, 2), &[1]), file(3600, (2, 2), &[2])],
        ] {
            assert_eq!(compared(&siblings).judge(Profile::Strict).findings, []);
        }
    }

    #[test]
    fn a_batch_needs_all_of_its_files() {
        let report = compared(&[file(3600, (2, 3), &[1])]).judge(Profile::Android);
        assert_eq!((report.verdict, report.reader), (Verdict::Invalid, Some(Reader::Refuses)));
        assert_eq!(report.findings[0].code, Code::BatchIncomplete);
        assert!(report.findings[0].message.contains("number 1, 3 are not here"), "{report:?}");
        let whole = [1, 2, 3].map(|num| file(3600, (num, 3), &[]));
        assert_eq!(compared(&whole).judge(Profile::Android).findings, []);
    }

    #[test]
    fn a_key_in_two_files_is_told_unless_one_window_contains_the_other() {
        let mut later = Export::new(
            UnixTime::from_secs(3600),
            UnixTime::from_secs(7200),
            "DE",
            vec![ExportKey::new([2; 16])],
        );
        let compare = |second: &Export| compared(&[file(3600, (1, 1), &[1, 2]), second.encode(&[])]);
        let report = compare(&later).judge(Profile::Strict);
        let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!((report.verdict, codes), (Verdict::Valid, vec![Code::Republished]));
        later.start_timestamp = Some(UnixTime::from_secs(0));
        assert_eq!(compare(&later).judge(Profile::Strict).findings, []);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken() {
        let mut set = FileSet::default();
        set.insert("not an export", b"anything").unwrap_err();
        assert_eq!(set.compare().judge(Profile::Strict).findings, []);
    }
}
