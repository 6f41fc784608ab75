//! `cwa simulate`: the models of the solution architecture, with its numbers or with others.

mod bandwidth;
mod download;
mod svg;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::Output;

/// The models of the solution architecture.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SimulateCommand {
    /// How a day's downloads spread over time, with and without a random moment for each.
    Download(download::DownloadArguments),
    /// How many bytes and requests a day's keys cost; by default as the architecture estimates.
    Bandwidth(bandwidth::BandwidthArguments),
}

impl SimulateCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Download(arguments) => arguments.run(global, output),
            Self::Bandwidth(arguments) => arguments.run(output),
        }
    }
}
