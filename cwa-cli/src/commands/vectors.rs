//! `cwa vectors`: known answers, the built-in ones or anybody's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_test_vectors::File;
use serde::Serialize;

use crate::args::Answer;
use crate::failure::{Failure, Kind};
use crate::input;
use crate::output::{Output, style};
use crate::vectors::{Outcome, run as run_test};

/// Known answers: what there is, and whether this program gives them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VectorsCommand {
    /// Families and their tests.
    List(ListArguments),
    /// Run tests; exit 6 if one fails.
    Run(RunArguments),
}

/// Arguments of `cwa vectors list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    source: SourceArguments,
}

/// Arguments of `cwa vectors run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Run only tests whose name, such as gaen.metadata::tc2001, contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Which vectors.
#[derive(Debug, clap::Args)]
struct SourceArguments {
    /// Files in the format of the test-vectors directory, or gathered figures; without any, the built-in ones.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the built-in files and their JSON schemas to this directory as well.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

impl VectorsCommand {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::List(arguments) => list(arguments, output),
            Self::Run(arguments) => run(arguments, output),
        }
    }
}

/// The answer of `cwa vectors list`.
#[derive(Serialize)]
struct List {
    tests: usize,
    families: Vec<ListedFamily>,
}

#[derive(Serialize)]
struct ListedFamily {
    name: String,
    about: &'static str,
    files: Vec<String>,
    tests: usize,
    /// Whether `run` computes it.
    runner: bool,
}

/// The answer of `cwa vectors run`.
#[derive(Default, Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    skipped: Vec<Skipped>,
    failures: Vec<FailedTest>,
    #[serde(skip)]
    families: BTreeMap<String, Count>,
}

/// Tests of a family that nothing in this program computes. They have not passed.
#[derive(Serialize)]
struct Skipped {
    family: String,
    tests: usize,
    reason: &'static str,
}

#[derive(Serialize)]
struct FailedTest {
    name: String,
    file: String,
    family: String,
    tc_id: u32,
    comment: String,
    flags: Vec<String>,
    message: String,
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Answer, Failure> {
    let mut families: Vec<ListedFamily> = Vec::new();
    for (name, file) in load(&arguments.source)? {
        for group in &file.test_groups {
            let known = families.iter().position(|family| family.name == group.family);
            let index = known.unwrap_or_else(|| {
                families.push(ListedFamily {
                    name: group.family.clone(),
                    about: about(&group.family).unwrap_or(UNKNOWN_FAMILY),
                    files: Vec::new(),
                    tests: 0,
                    runner: group.tests.iter().any(|test| run_test(group, test) != Outcome::NoRunner),
                });
                families.len() - 1
            });
            if let Some(family) = families.get_mut(index) {
                family.tests += group.tests.len();
                if !family.files.contains(&name) {
                    family.files.push(name.clone());
                }
            }
        }
    }
    let document = List { tests: families.iter().map(|family| family.tests).sum(), families };
    output.answer("cwa.vectors.list/1", &document, |text| write_list(text, &document))?;
    Ok(Answer::Yes)
}

fn run(arguments: &RunArguments, output: &mut Output) -> Result<Answer, Failure> {
    let mut report = Report::default();
    for (file_name, file) in load(&arguments.source)? {
        for group in &file.test_groups {
            for test in &group.tests {
                let name = format!("{}::tc{}", group.family, test.tc_id);
                if arguments.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
                    continue;
                }
                let count = report.families.entry(group.family.clone()).or_default();
                match run_test(group, test) {
                    Outcome::Passed => count.passed += 1,
                    Outcome::NoRunner => count.skipped += 1,
                    Outcome::Failed(message) => {
                        count.failed += 1;
                        report.failures.push(FailedTest {
                            name,
                            file: file_name.clone(),
                            family: group.family.clone(),
                            tc_id: test.tc_id,
                            comment: test.comment.clone(),
                            flags: test.flags.clone(),
                            message,
                        });
                    }
                }
            }
        }
    }
    report.passed = report.families.values().map(|count| count.passed).sum();
    report.failed = report.families.values().map(|count| count.failed).sum();
    let skipped = report.families.iter().filter(|(_, count)| count.skipped > 0);
    report.skipped = skipped
        .map(|(family, count)| Skipped {
            family: family.clone(),
            tests: count.skipped,
            reason: if about(family).is_some() { NO_RUNNER } else { UNKNOWN_FAMILY },
        })
        .collect();
    output.answer("cwa.vectors.run/1", &report, |text| write_report(text, &report))?;
    Ok(match (report.passed, report.failed) {
        // A run that ran nothing has not shown anything.
        (0, 0) => Answer::No,
        (_, 0) => Answer::Yes,
        _ => Answer::CaseFailed,
    })
}

const NO_RUNNER: &str = "nothing in this program computes it yet";
const UNKNOWN_FAMILY: &str = "no family of this name is known; `cwa vectors list` names those that are";

fn about(family: &str) -> Option<&'static str> {
    cwa_test_vectors::families().iter().find(|known| known.name == family).map(|known| known.about)
}

/// The files asked for with their names, or the built-in ones.
fn load(arguments: &SourceArguments) -> Result<Vec<(String, File)>, Failure> {
    if let Some(directory) = &arguments.export {
        export(directory)?;
    }
    if arguments.files.is_empty() {
        return cwa_test_vectors::builtin()
            .map(|(name, json)| Ok((name.to_owned(), parse(name, json)?)))
            .collect();
    }
    let load = |path: &PathBuf| {
        let name = path.display().to_string();
        let file = parse(&name, &input::read_text(path)?)?;
        Ok((name, file))
    };
    arguments.files.iter().map(load).collect()
}

fn parse(name: &str, json: &str) -> Result<File, Failure> {
    cwa_test_vectors::parse(json).map_err(|error| {
        Failure::input("CWA-E0701", format!("{name} could not be read as test vectors"))
            .help("the format is described by the README and the schemas that `cwa vectors list --export DIR` writes")
            .caused_by(error)
    })
}

fn export(directory: &Path) -> Result<(), Failure> {
    let unwritable = |error| {
        Failure::new(
            Kind::System,
            "CWA-E0702",
            format!("the vectors could not be written to {}", directory.display()),
        )
        .caused_by(error)
    };
    for (folder, files) in [
        ("v1", cwa_test_vectors::builtin().collect::<Vec<_>>()),
        ("schemas", cwa_test_vectors::schemas().collect()),
    ] {
        let folder = directory.join(folder);
        fs::create_dir_all(&folder).map_err(unwritable)?;
        for (name, json) in files {
            fs::write(folder.join(name), json).map_err(unwritable)?;
        }
    }
    fs::write(directory.join("README.md"), cwa_test_vectors::README).map_err(unwritable)
}

fn write_list(text: &mut dyn Write, list: &List) -> io::Result<()> {
    let width = list.families.iter().map(|family| family.name.len()).max().unwrap_or(0);
    for family in &list.families {
        let (mark, style) = if family.runner { (' ', style::STRONG) } else { ('-', style::FAINT) };
        writeln!(text, "{mark}{:6} {style}{:width$}{style:#}  {}", family.tests, family.name, family.about)?;
    }
    writeln!(text, "{:7} tests; families marked - are not computed by this program", list.tests)
}

fn write_report(text: &mut dyn Write, report: &Report) -> io::Result<()> {
    let (good, bad, faint) = (style::GOOD, style::BAD, style::FAINT);
    let width = report.families.keys().map(String::len).max().unwrap_or(0);
    for (family, count) in &report.families {
        match count {
            Count { passed: 0, failed: 0, skipped } => {
                writeln!(text, "{faint}skipped {family:width$} {skipped:5}{faint:#}")?;
            }
            Count { passed, failed: 0, skipped: 0 } => {
                writeln!(text, "{good}ok{good:#}      {family:width$} {passed:5}")?;
            }
            Count { passed, failed: 0, skipped } => {
                writeln!(
                    text,
                    "{good}ok{good:#}      {family:width$} {passed:5}, {faint}{skipped} skipped{faint:#}"
                )?;
            }
            Count { passed, failed, .. } => {
                writeln!(text, "{bad}FAILED{bad:#}  {family:width$} {passed:5} passed, {failed} failed")?;
            }
        }
    }
    for test in &report.failures {
        writeln!(text, "\n{bad}{}{bad:#} ({}): {}", test.name, test.file, test.comment)?;
        writeln!(text, "  {}", test.message)?;
        if !test.flags.is_empty() {
            writeln!(text, "  {faint}flags: {}{faint:#}", test.flags.join(", "))?;
        }
    }
    let unknown = report.skipped.iter().filter(|skipped| skipped.reason == UNKNOWN_FAMILY);
    for skipped in unknown {
        writeln!(text, "\n{}: {}", skipped.family, skipped.reason)?;
    }
    let skipped: usize = report.skipped.iter().map(|skipped| skipped.tests).sum();
    writeln!(text, "\n{} passed, {} failed, {skipped} skipped", report.passed, report.failed)
}
