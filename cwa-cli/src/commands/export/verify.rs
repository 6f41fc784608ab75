//! `cwa export verify`: may a device trust these packages?

use std::io::{self, Write};
use std::path::PathBuf;

use cwa_export::Archive;
use cwa_export::audit::{Audit, Kind, Reader, Report, Verdict};
use cwa_export::cosigning::CosigningPolicy;
use cwa_export::finding::Finding;
use cwa_export::set::{Compared, FileSet, SetReport};
use cwa_export::verify::Profile;
use serde::Serialize;

use super::{Package, PackageArguments};
use crate::args::{Answer, Global};
use crate::commands::trust::{TrustArguments, signer_certificate, write_findings};
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa export verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    /// ZIP archives, or bare export.bin; - is standard input. Several are also judged together: complete batches, files that
    /// Android takes for one, keys that stand in two of them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The export.sig of one bare export.bin.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// By whose rules: strict; lenient, for deviations that publishers are known for; or what one published reader takes:
    /// apple, android, cwa, google, microg, nl. Several (--profile apple,android) stand side by side, and the file must be
    /// valid under all.
    #[arg(long, value_name = "NAMES", default_value = "strict", value_delimiter = ',')]
    profile: Vec<Profile>,
    /// Which keys must have signed: of one of these sets all, as in 262-v1+262-v2,262-v3. A key is named by id and version, or
    /// by its name in the trust store.
    #[arg(long, value_name = "SETS", help_heading = "Trust")]
    require: Option<CosigningPolicy>,
    /// Verify content.sig of Dutch archives too, under this certificate of its signer. The certificate is believed as it is: neither
    /// its dates nor its issuer are looked at.
    #[arg(long, value_name = "PEM", help_heading = "Trust")]
    cms_certificate: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
}

/// The answer of `cwa export verify` about one file; with several profiles, that of the strictest.
#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: Report,
    profiles: Vec<OfProfile>,
}

/// The answer about several files.
#[derive(Serialize)]
struct VerifiedTogether {
    verdict: Verdict,
    /// What was found about the files together.
    findings: Vec<Finding>,
    /// The same by profile.
    profiles: Vec<OfProfile>,
    files: Vec<VerifiedFile>,
}

#[derive(Serialize)]
struct VerifiedFile {
    file: String,
    #[serde(flatten)]
    verified: Verified,
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
    if arguments.signature.is_some() && arguments.files.len() > 1 {
        let message = "--signature names the signature of one file, and there are several";
        return Err(Failure::usage("CWA-E0304", message).help("give archives, or one bare file at a time"));
    }
    let store = arguments.trust.store()?;
    let mut audit = Audit::new(&store);
    if let Some(now) = global.now {
        audit = audit.now(now);
    }
    if arguments.trust.expects_test_keys() {
        audit = audit.expect_test_keys();
    }
    if let Some(policy) = &arguments.require {
        audit = audit.cosigners(policy);
    }
    let certificate = arguments.cms_certificate.as_deref().map(signer_certificate).transpose()?;
    if let Some(certificate) = &certificate {
        audit = audit.content_sig_certificate(certificate);
    }
    let mut set = FileSet::default();
    let mut files = Vec::new();
    for file in &arguments.files {
        let package = PackageArguments { file: file.clone(), signature: arguments.signature.clone() };
        let (name, package) = (package.name(), package.read()?);
        let verified = verify_one(&package, &audit, &arguments.profile)?;
        if arguments.files.len() > 1 && verified.report.kind == Some(Kind::ExposureKeys) {
            join(&mut set, &name, &package);
        }
        files.push(VerifiedFile { file: name, verified });
    }
    let quiet = global.quiet;
    if let ([only], 1) = (files.as_slice(), arguments.files.len()) {
        let document = &only.verified;
        output.answer("cwa.export.verify/1", document, |text| {
            write_report(text, &only.file, document, quiet)
        })?;
        return Ok(answer(document.report.verdict));
    }
    let document = together(files, &set.compare(), &arguments.profile);
    output.answer("cwa.export.verify/1", &document, |text| write_together(text, &document, quiet))?;
    Ok(answer(document.verdict))
}

fn verify_one(package: &Package, audit: &Audit<'_>, profiles: &[Profile]) -> Result<Verified, Failure> {
    let mut reports = profiles.iter().map(|profile| {
        let audit = audit.profile(*profile);
        let report = match package {
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
        if worst.verdict.worse(report.verdict) == worst.verdict { worst } else { report }
    });
    Ok(Verified { report, profiles })
}

/// Takes a package into the set; what cannot be read is said of the file itself.
fn join(set: &mut FileSet, name: &str, package: &Package) {
    match package {
        Package::Files { export_bin, .. } => set.insert(name, export_bin).unwrap_or(()),
        Package::Archive(bytes) => {
            if let Ok(archive) = Archive::read(bytes) {
                set.insert(name, archive.export_bin()).unwrap_or(());
            }
        }
    }
}

/// The files and what they are together; the worst verdict of all.
fn together(files: Vec<VerifiedFile>, set: &Compared, profiles: &[Profile]) -> VerifiedTogether {
    let sets: Vec<(Profile, SetReport)> =
        profiles.iter().map(|profile| (*profile, set.judge(*profile))).collect();
    let verdict = files.iter().map(|file| file.verified.report.verdict);
    let verdict = verdict.chain(sets.iter().map(|(_, set)| set.verdict)).fold(Verdict::Valid, Verdict::worse);
    // Of the set alone, the first of the worst.
    let findings = sets.iter().find(|(_, set)| set.verdict != Verdict::Valid).or_else(|| sets.first());
    let findings = findings.map(|(_, set)| set.findings.clone()).unwrap_or_default();
    let profiles = sets
        .into_iter()
        .map(|(profile, set)| {
            let name = profile.name();
            let of_files =
                || files.iter().flat_map(|file| &file.verified.profiles).filter(|of| of.name == name);
            let refuses = of_files().any(|of| of.reader == Some(Reader::Refuses));
            let is_known = of_files().all(|of| of.reader.is_some());
            OfProfile {
                name,
                verdict: of_files().map(|of| of.verdict).fold(set.verdict, Verdict::worse),
                reader: if refuses { Some(Reader::Refuses) } else { set.reader.filter(|_| is_known) },
                findings: set.findings,
            }
        })
        .collect();
    VerifiedTogether { verdict, findings, profiles, files }
}

const fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Valid => Answer::Yes,
        Verdict::Invalid => Answer::No,
        Verdict::Untrusted => Answer::Untrusted,
        Verdict::Unreadable => Answer::Unreadable,
    }
}

fn write_report(text: &mut dyn Write, name: &str, verified: &Verified, quiet: bool) -> io::Result<()> {
    let report = &verified.report;
    let kind = report.kind.map_or_else(String::new, |kind| format!(", {kind}"));
    let key = match &report.trusted_key {
        Some(key) => format!(", signed by {key}"),
        None => String::new(),
    };
    write_verdict(text, report.verdict, &format!("{name}{kind}{key}"))?;
    if quiet {
        return Ok(());
    }
    write_profiles(text, &verified.profiles)
}

fn write_together(text: &mut dyn Write, together: &VerifiedTogether, quiet: bool) -> io::Result<()> {
    for file in &together.files {
        write_report(text, &file.file, &file.verified, quiet)?;
    }
    write_verdict(text, together.verdict, &format!("{} files together", together.files.len()))?;
    if quiet {
        return Ok(());
    }
    write_profiles(text, &together.profiles)
}

fn write_verdict(text: &mut dyn Write, verdict: Verdict, about: &str) -> io::Result<()> {
    let style = if verdict == Verdict::Valid { style::GOOD } else { style::BAD };
    writeln!(text, "{style}{verdict}{style:#}: {about}")
}

fn write_profiles(text: &mut dyn Write, profiles: &[OfProfile]) -> io::Result<()> {
    match profiles {
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
