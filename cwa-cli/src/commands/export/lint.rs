//! `cwa export lint`: every rule for published files, one file and several together.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_export::archive;
use cwa_export::finding::{Code, Severity};
use cwa_export::lint::{Lint, LintFinding};
use cwa_export::verify::Profile;
use serde::Serialize;

use super::sarif;
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, count, replace_file, style};

/// Arguments of `cwa export lint`.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArguments {
    /// Archives, or bare export.bin files, each with its .sig of the same name if there is one; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// By whose rules findings are weighed: strict; lenient; of readers apple, android, microg, nl; of publishers cwa, google.
    #[arg(long, value_name = "NAME", default_value_t)]
    profile: Profile,
    /// Write the findings as SARIF 2.1.0, too; - prints them on standard output instead of text.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

/// The answer of `cwa export lint`.
#[derive(Serialize)]
struct Linted {
    profile: String,
    files: Vec<String>,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<LintFinding>,
}

pub(super) fn lint(
    arguments: &LintArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let sarif_on_stdout = arguments.sarif.as_deref() == Some(Path::new("-"));
    if sarif_on_stdout && output.is_json() {
        return Err(Failure::usage("CWA-E0315", "standard output cannot take SARIF and the JSON document")
            .help("name a file with --sarif, or leave out --json"));
    }
    let mut lint = Lint::new(arguments.profile);
    if let Some(now) = global.now {
        lint = lint.now(now);
    }
    // A signature on the command line is its content's companion, not a file of its own.
    let given: BTreeSet<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    let is_companion = |path: &Path| {
        path.extension().is_some_and(|e| e == "sig") && given.contains(path.with_extension("bin").as_path())
    };
    let mut files = Vec::new();
    for path in arguments.files.iter().filter(|path| !is_companion(path)) {
        let name = path.display().to_string();
        let bytes = input::read(path)?;
        if archive::is_archive(&bytes) {
            lint.archive(&name, &bytes);
        } else {
            let companion = Some(path.with_extension("sig"))
                .filter(|companion| path.extension().is_some_and(|e| e == "bin") && companion.is_file());
            let signatures = companion.as_deref().map(input::read).transpose()?;
            lint.files(&name, &bytes, signatures.as_deref());
        }
        files.push(name);
    }
    let findings = lint.finish();
    let count = |severity| findings.iter().filter(|found| found.finding.severity == severity).count();
    let linted = Linted {
        profile: arguments.profile.to_string(),
        files,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        findings,
    };
    if let Some(path) = &arguments.sarif {
        let mut document =
            serde_json::to_vec_pretty(&sarif::document(&linted.findings)).map_err(io::Error::from)?;
        document.push(b'\n');
        if sarif_on_stdout {
            output.raw(&document)?;
        } else {
            replace_file(path, &document)?;
        }
    }
    if !sarif_on_stdout {
        output.answer("cwa.export.lint/1", &linted, |text| write_findings(text, &linted, global.quiet))?;
    }
    let unreadable = |found: &LintFinding| {
        matches!(found.finding.code, Code::ArchiveUnreadable | Code::NotAnExport | Code::Malformed)
    };
    Ok(if linted.findings.iter().any(unreadable) {
        Answer::Unreadable
    } else if linted.errors > 0 {
        Answer::No
    } else {
        Answer::Yes
    })
}

/// File by file, then the sums.
fn write_findings(text: &mut dyn Write, linted: &Linted, quiet: bool) -> io::Result<()> {
    let strong = style::STRONG;
    let mut last = None;
    for found in linted.findings.iter().filter(|_| !quiet) {
        if last != Some(&found.file) {
            writeln!(text, "{strong}{}{strong:#}", found.file)?;
            last = Some(&found.file);
        }
        crate::commands::trust::write_findings(text, [&found.finding])?;
    }
    let Linted { files, errors, warnings, notes, profile, .. } = linted;
    let style = if *errors > 0 { style::BAD } else { style::GOOD };
    writeln!(
        text,
        "{style}{}{style:#}, {}, {} in {} by profile {profile}",
        count(*errors, "error"),
        count(*warnings, "warning"),
        count(*notes, "note"),
        count(files.len(), "file"),
    )
}
