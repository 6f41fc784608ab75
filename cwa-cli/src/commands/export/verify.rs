//! `cwa export verify`: may a device trust this package?

use std::io::{self, Write};

use cwa_export::audit::{Audit, Report, Verdict};
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
    /// By which rules: strict, or lenient for deviations that publishers are known for; with several, all must accept.
    #[arg(long, value_name = "NAME", default_value = "strict")]
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
    profile: String,
    verdict: Verdict,
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
        let (profile, verdict, findings) = (profile.to_string(), report.verdict, report.findings.clone());
        profiles.push(OfProfile { profile, verdict, findings });
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
    for of in &verified.profiles {
        if verified.profiles.len() > 1 {
            writeln!(text, "profile {}: {}", of.profile, of.verdict)?;
        }
        write_findings(text, &of.findings)?;
    }
    Ok(())
}
