//! `cwa config lint`: every bound and rule for parameters.

use std::io::{self, Write};
use std::path::PathBuf;

use cwa_export::audit::Kind;
use cwa_export::finding::Severity;
use serde::Serialize;

use super::FileFinding;
use super::load::Loaded;
use crate::args::{Answer, Global};
use crate::commands::trust::write_findings;
use crate::failure::Failure;
use crate::output::{Output, count, style};

/// Arguments of `cwa config lint`.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArguments {
    /// Signed archives, bare configurations, or YAML files; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// The answer of `cwa config lint`.
#[derive(Serialize)]
struct Linted {
    files: Vec<LintedFile>,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<FileFinding>,
}

#[derive(Serialize)]
struct LintedFile {
    file: String,
    kind: Kind,
    /// Which part of a configuration, where a YAML file holds only one.
    part: Option<&'static str>,
}

pub(super) fn lint(
    arguments: &LintArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let (mut files, mut findings) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let loaded = Loaded::read(path)?;
        let (kind, part, file) = (loaded.kind(), loaded.part(), loaded.file);
        findings
            .extend(loaded.findings.into_iter().map(|finding| FileFinding { file: file.clone(), finding }));
        files.push(LintedFile { file, kind, part });
    }
    let count = |severity| findings.iter().filter(|found| found.finding.severity == severity).count();
    let linted = Linted {
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        files,
        findings,
    };
    output.answer("cwa.config.lint/1", &linted, |text| write_linted(text, &linted, global.quiet))?;
    Ok(if linted.errors > 0 { Answer::No } else { Answer::Yes })
}

/// File by file, then the sums.
fn write_linted(text: &mut dyn Write, linted: &Linted, quiet: bool) -> io::Result<()> {
    let strong = style::STRONG;
    for found in linted.findings.chunk_by(|one, other| one.file == other.file).filter(|_| !quiet) {
        if let [first, ..] = found {
            writeln!(text, "{strong}{}{strong:#}", first.file)?;
        }
        write_findings(text, found.iter().map(|found| &found.finding))?;
    }
    let Linted { files, errors, warnings, notes, .. } = linted;
    let style = if *errors > 0 { style::BAD } else { style::GOOD };
    writeln!(
        text,
        "{style}{}{style:#}, {}, {} in {}",
        count(*errors, "error"),
        count(*warnings, "warning"),
        count(*notes, "note"),
        count(files.len(), "file"),
    )
}
