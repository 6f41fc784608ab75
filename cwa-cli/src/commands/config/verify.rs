//! `cwa config verify`: may an app trust this configuration?

use std::io::{self, Write};

use cwa_export::audit::{Audit, Kind, Report, Verdict};
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::commands::export::{Package, PackageArguments};
use crate::commands::trust::{TrustArguments, write_findings};
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa config verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    package: PackageArguments,
    #[command(flatten)]
    trust: TrustArguments,
}

/// The answer of `cwa config verify`.
#[derive(Serialize)]
struct Verified {
    file: String,
    #[serde(flatten)]
    report: Report,
}

pub(super) fn verify(
    arguments: &VerifyArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let (file, package) = (arguments.package.name(), arguments.package.read()?);
    let store = arguments.trust.store()?;
    let mut audit = Audit::new(&store);
    if arguments.trust.expects_test_keys() {
        audit = audit.expect_test_keys();
    }
    let report = match &package {
        Package::Archive(bytes) => audit.archive(bytes),
        Package::Files { export_bin, export_sig } => audit.files(export_bin, export_sig.as_deref()),
    };
    // One key signs everything, and nothing signed says for what: a right signature makes no configuration of keys.
    match report.kind {
        Some(Kind::ExposureKeys) => {
            return Err(Failure::input("CWA-E0402", format!("{file} holds keys, not configuration"))
                .help(format!("`cwa export verify {file}` verifies them")));
        }
        Some(Kind::ApplicationConfigurationV1 | Kind::ApplicationConfigurationV2) | None => {}
        Some(_) => {
            return Err(Failure::input("CWA-E0403", format!("{file} is no application configuration"))
                .help("statistics, rules and other content come in the same archives under the same key"));
        }
    }
    let verified = Verified { file, report };
    output.answer("cwa.config.verify/1", &verified, |text| write_verified(text, &verified, global.quiet))?;
    Ok(match verified.report.verdict {
        Verdict::Valid => Answer::Yes,
        Verdict::Invalid => Answer::No,
        Verdict::Untrusted => Answer::Untrusted,
        Verdict::Unreadable => Answer::Unreadable,
    })
}

fn write_verified(text: &mut dyn Write, verified: &Verified, quiet: bool) -> io::Result<()> {
    let Verified { file, report } = verified;
    let style = if report.verdict == Verdict::Valid { style::GOOD } else { style::BAD };
    let kind = report.kind.map_or_else(String::new, |kind| format!(", {kind}"));
    let key = report.trusted_key.as_ref().map_or_else(String::new, |key| format!(", signed by {key}"));
    writeln!(text, "{style}{}{style:#}: {file}{kind}{key}", report.verdict)?;
    if quiet { Ok(()) } else { write_findings(text, &report.findings) }
}
