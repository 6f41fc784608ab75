//! `cwa export verify`: may a device trust this package?

use std::io::{self, Write};

use cwa_export::audit::{Audit, Reader, Report, Verdict};
use cwa_export::finding::Finding;
use cwa_export::verify::Profile;
use serde::Serialize;

use super::{Package, PackageArguments};
use crate::args::{Answer, Global};
use crate::commands::trust::{TrustArguments, write_findings};
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa export verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    package: PackageArguments,
    /// By whose rules: strict; lenient, for deviations that publishers are known for; or what one published reader takes:
    /// apple, android, cwa, google, microg, nl. Several (--profile apple,android) stand side by side, and the file must be
    /// valid under all.
    #[arg(long, value_name = "NAMES", default_value = "strict", value_delimiter = ',')]
    profile: Vec<Profile>,
    #[command(flatten)]
    trust: TrustArguments,
}

/// The answer of `cwa export verify`; with several profiles, that of the strictest.
#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: Report,
    profiles: Vec<OfProfile>,
}

#[derive(Serialize)]
struct OfProfile {
    name: &'static str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reader: Option<Reader>,
    findings: Vec<Finding>,
}

pub(super) fn verify(
    arguments: &VerifyArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let store = arguments.trust.store()?;
    let package = arguments.package.read()?;
    let mut audit = Audit::new(&store);
    if let Some(now) = global.now {
        audit = audit.now(now);
    }
    if arguments.trust.expects_test_keys() {
        audit = audit.expect_test_keys();
    }
    let mut reports = arguments.profile.iter().map(|profile| {
        let audit = audit.profile(*profile);
        let report = match &package {
            Package::Archive(bytes) => audit.archive(bytes),
            Package::Files { export_bin, export_sig } => audit.files(export_bin, export_sig.as_deref()),
        };
        (*profile, report)
    });
    let Some(first) = reports.next() else {
        return Err(Failure::usage("CWA-E0303", "no profile was given"));
    };
    let others: Vec<_> = reports.collect();
    let mut profiles = Vec::new();
    for (profile, report) in core::iter::once(&first).chain(&others) {
        let (verdict, reader, findings) = (report.verdict, report.reader, report.findings.clone());
        profiles.push(OfProfile { name: profile.name(), verdict, reader, findings });
    }
    // The first of the worst, so that its findings say why.
    let report = others.into_iter().map(|(_, report)| report).fold(first.1, |worst, report| {
        if badness(report.verdict) > badness(worst.verdict) { report } else { worst }
    });
    let answer = match report.verdict {
        Verdict::Valid => Answer::Yes,
        Verdict::Invalid => Answer::No,
        Verdict::Untrusted => Answer::Untrusted,
        Verdict::Unreadable => Answer::Unreadable,
    };
    let name = arguments.package.name();
    let document = Verified { report, profiles };
    let quiet = global.quiet;
    output.answer("cwa.export.verify/1", &document, |text| write_report(text, &name, &document, quiet))?;
    Ok(answer)
}

const fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Valid => 0,
        Verdict::Untrusted => 1,
        Verdict::Invalid => 2,
        Verdict::Unreadable => 3,
    }
}

fn write_report(text: &mut dyn Write, name: &str, verified: &Verified, quiet: bool) -> io::Result<()> {
    let report = &verified.report;
    let style = if report.verdict == Verdict::Valid { style::GOOD } else { style::BAD };
    let kind = report.kind.map_or_else(String::new, |kind| format!(", {kind}"));
    let key = match &report.trusted_key {
        Some(key) => format!(", signed by {key}"),
        None => String::new(),
    };
    writeln!(text, "{style}{}{style:#}: {name}{kind}{key}", report.verdict)?;
    if quiet {
        return Ok(());
    }
    match verified.profiles.as_slice() {
        [only] => {
            if let Some(reader) = only.reader {
                writeln!(text, "  {} {reader} it", only.name)?;
            }
            write_findings(text, &only.findings)
        }
        several => write_columns(text, several),
    }
}

/// A column for each profile: its verdict, what its reader would do, and the weight of each finding.
fn write_columns(text: &mut dyn Write, profiles: &[OfProfile]) -> io::Result<()> {
    const WIDTH: usize = 11;
    let row = |name: &str, cells: &dyn Fn(&OfProfile) -> String| {
        let cells: String = profiles.iter().map(|of| format!("{:WIDTH$}", cells(of))).collect();
        format!("  {name:WIDTH$}{cells}")
    };
    writeln!(text, "{}", row("profile", &|of| of.name.to_owned()).trim_end())?;
    writeln!(text, "{}", row("verdict", &|of| of.verdict.to_string()).trim_end())?;
    if profiles.iter().any(|of| of.reader.is_some()) {
        let reader = |of: &OfProfile| of.reader.map_or_else(|| "-".to_owned(), |reader| reader.to_string());
        writeln!(text, "{}", row("reader", &reader).trim_end())?;
    }
    let mut said: Vec<&Finding> = Vec::new();
    for finding in profiles.iter().flat_map(|of| &of.findings) {
        if said.iter().any(|earlier| is_same(earlier, finding)) {
            continue;
        }
        said.push(finding);
        let weights = row(finding.code.as_str(), &|of| {
            let found = of.findings.iter().find(|other| is_same(other, finding));
            found.map_or_else(|| "-".to_owned(), |found| found.severity.to_string())
        });
        writeln!(text, "{weights}{}", finding.message)?;
    }
    Ok(())
}

/// The same finding, whatever it weighs.
fn is_same(one: &Finding, other: &Finding) -> bool {
    one.code == other.code && one.message == other.message
}
