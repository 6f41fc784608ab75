//! `cwa config`: application configuration, as apps fetch it and as the German server keeps it.

mod diff;
mod inspect;
mod lint;
mod load;
mod verify;

use cwa_export::finding::Finding;
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::Output;

/// Application configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// What a configuration says, and what is wrong with it: signed or bare, v1 or v2, or YAML of the German server.
    Inspect(inspect::InspectArguments),
    /// May an app trust it? The signature alone; lint says what is wrong with the parameters.
    Verify(verify::VerifyArguments),
    /// Every bound and rule for parameters; exit code 1 if one is broken.
    Lint(lint::LintArguments),
    /// Which parameters differ, whatever the form of the files; exit code 1 if one does.
    Diff(diff::DiffArguments),
}

impl ConfigCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Inspect(arguments) => inspect::inspect(arguments, output),
            Self::Verify(arguments) => verify::verify(arguments, global, output),
            Self::Lint(arguments) => lint::lint(arguments, global, output),
            Self::Diff(arguments) => diff::diff(arguments, output),
        }
    }
}

/// A finding, and the file it is about.
#[derive(Serialize)]
struct FileFinding {
    file: String,
    #[serde(flatten)]
    finding: Finding,
}
