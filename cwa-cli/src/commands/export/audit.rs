//! `cwa export audit`: a whole distribution, from a directory: a mirror, what a server publishes, or archives.

mod directory;
mod html;
mod svg;
mod text;

use std::path::{Path, PathBuf};

use cwa_export::corpus::{Corpus, CorpusAudit, CorpusReport};
use cwa_export::finding::{Code, Severity};
use cwa_export::verify::Profile;
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::commands::trust::TrustArguments;
use crate::failure::Failure;
use crate::mirror;
use crate::output::{Output, replace_file};

/// Arguments of `cwa export audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArguments {
    /// A mirror of `cwa fetch`, the data directory of a server or what it publishes, or any directory of archives.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Write the report as one HTML file with pictures, too.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// An earlier copy of the same distribution: what was published then must still be there.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
    /// By whose rules each file is judged, as for `cwa export verify`.
    #[arg(long, value_name = "NAME", default_value = "strict")]
    profile: Profile,
    /// Count the keys of packages that are not valid, too, though anybody may have written them.
    #[arg(long, help_heading = "Trust")]
    danger_accept_unverified: bool,
    #[command(flatten)]
    trust: TrustArguments,
}

/// The answer of `cwa export audit`.
#[derive(Serialize)]
struct Audited {
    directory: String,
    files: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    #[serde(flatten)]
    report: CorpusReport,
}

pub(super) fn audit(
    arguments: &AuditArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let trusted = arguments.trust.store()?;
    let mut audit = CorpusAudit::new(&trusted).profile(arguments.profile);
    if let Some(now) = global.now {
        audit = audit.now(now);
    }
    if arguments.trust.expects_test_keys() {
        audit = audit.expect_test_keys();
    }
    if arguments.danger_accept_unverified {
        audit = audit.danger_accept_unverified();
    }
    let mut corpus = Corpus::new(&audit);
    let root = root(&arguments.directory);
    let files = directory::examine(&root, &audit, |file| corpus.add(file))?;
    for file in mirror::recorded(&root)? {
        corpus.record(&file.path, &file.sha256, file.etag.as_deref());
    }
    if let Some(earlier) = &arguments.earlier {
        directory::examine(&self::root(earlier), &audit, |file| corpus.add_earlier(file))?;
    }
    let report = corpus.finish();
    if report.packages == 0 && report.findings.iter().all(|found| found.finding.severity == Severity::Note) {
        let message = format!("{} holds no package of keys", arguments.directory.display());
        return Err(Failure::input("CWA-E0331", message)
            .help("name the directory in which `version` or `index.txt` lies"));
    }
    let count = |severity| report.findings.iter().filter(|found| found.finding.severity == severity).count();
    let audited = Audited {
        directory: arguments.directory.display().to_string(),
        files,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        report,
    };
    if let Some(path) = &arguments.report {
        replace_file(path, html::document(&audited).as_bytes())?;
    }
    output.answer("cwa.export.audit/1", &audited, |text| text::write(text, &audited, global.quiet))?;
    Ok(answer(&audited.report))
}

/// Where the distribution begins: of a server's data directory, in the part that it publishes.
fn root(directory: &Path) -> PathBuf {
    let published = directory.join("www");
    if !directory.join("version").exists() && published.join("version").is_dir() {
        published
    } else {
        directory.to_owned()
    }
}

/// A broken rule weighs more than a file that cannot be read, and that more than one that no trusted key signed.
fn answer(report: &CorpusReport) -> Answer {
    let errors = || report.findings.iter().filter(|found| found.finding.severity == Severity::Error);
    let is_unreadable = |code| {
        matches!(
            code,
            Code::ArchiveUnreadable | Code::NotAnExport | Code::Malformed | Code::SignatureListMalformed
        )
    };
    let others = |code: Code| code != Code::NoTrustedKey && !is_unreadable(code);
    if errors().any(|found| others(found.finding.code)) {
        Answer::No
    } else if errors().any(|found| is_unreadable(found.finding.code)) {
        Answer::Unreadable
    } else if errors().next().is_some() {
        Answer::Untrusted
    } else {
        Answer::Yes
    }
}

/// `10,412`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
