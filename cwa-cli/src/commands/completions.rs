//! `cwa completions` and `cwa man`: the command line describes itself.

use std::path::PathBuf;

use crate::args::{Answer, definition};
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Arguments of `cwa completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that shall complete.
    shell: clap_complete::Shell,
}

/// Arguments of `cwa man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArguments {
    /// The directory to write to; made where it does not exist.
    directory: PathBuf,
}

/// Prints the completion script.
pub(crate) fn completions(arguments: &CompletionsArguments, output: &mut Output) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut definition(), "cwa", &mut script);
    output.raw(&script)?;
    Ok(Answer::Yes)
}

/// Writes `cwa.1`, `cwa-tek.1`, `cwa-tek-generate.1` and so on.
pub(crate) fn man(arguments: &ManArguments, output: &mut Output) -> Result<Answer, Failure> {
    let unwritable = |error| {
        Failure::new(
            Kind::System,
            "CWA-E0004",
            format!("man pages could not be written to {}", arguments.directory.display()),
        )
        .caused_by(error)
    };
    std::fs::create_dir_all(&arguments.directory).map_err(unwritable)?;
    clap_mangen::generate_to(definition(), &arguments.directory).map_err(unwritable)?;
    let document = serde_json::json!({ "directory": arguments.directory.display().to_string() });
    output.answer("cwa.man/1", &document, |text| {
        writeln!(text, "man pages in {}", arguments.directory.display())
    })?;
    Ok(Answer::Yes)
}
