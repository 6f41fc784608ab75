//! `cwa sightings`: what was received, from any form of file.

use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::Output;
use crate::sightings::{self, SightingsArguments, Skipped};

/// What was received, from any form of file.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SightingsCommand {
    /// Print sightings as JSON lines, one object a line with rpi, aem, rssi_dbm, seen_at.
    Convert(ConvertArguments),
}

/// Arguments of `cwa sightings convert`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    sightings: SightingsArguments,
}

impl SightingsCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Convert(arguments) => convert(arguments, global, output),
        }
    }
}

/// The answer of `cwa sightings convert`.
#[derive(Serialize)]
struct Converted {
    /// The form of the file.
    form: &'static str,
    sightings: Vec<cwa_crypto::matching::Sighting>,
    /// What the file holds besides, by reason.
    skipped: Vec<Skipped>,
}

fn convert(arguments: &ConvertArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let (form, reading) = arguments.sightings.read(global)?;
    let skipped = sightings::skipped(&reading);
    let document = Converted { form, sightings: reading.sightings, skipped };
    output.answer("cwa.sightings.convert/1", &document, |text| {
        for sighting in &document.sightings {
            serde_json::to_writer(&mut *text, sighting)?;
            writeln!(text)?;
        }
        Ok(())
    })?;
    Ok(Answer::Yes)
}
