//! `cwa sightings`: what was received, from any form of file.

use std::path::{Path, PathBuf};

use cwa_crypto::matching::{ReceivedIdentifiers, Sighting, Split, StoreKey};
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::{Output, replace_file};
use crate::sightings::{self, SightingsArguments, Skipped};

/// What was received, from any form of file.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SightingsCommand {
    /// Print sightings as JSON lines, one object a line with rpi, aem, rssi_dbm, seen_at.
    Convert(ConvertArguments),
    /// Make an index of sightings, which `cwa match` need not make again: it is mapped, whatever its size.
    Index(IndexArguments),
}

/// Arguments of `cwa sightings convert`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    sightings: SightingsArguments,
}

/// Arguments of `cwa sightings index`.
#[derive(Debug, clap::Args)]
pub(crate) struct IndexArguments {
    #[command(flatten)]
    sightings: SightingsArguments,
    /// The file to write, - for standard output: 20 bytes for each identifier and 13 for each sighting.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// How to divide it.
    #[arg(long, value_enum, default_value = "whole")]
    split: IndexSplit,
}

/// How an index is divided.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum IndexSplit {
    /// Not at all: every sighting of a key's identifier is found, and `cwa match` tells those that do not count.
    Whole,
    /// By UTC day: quicker for keys of other weeks. Sightings more than two hours from their identifier's time are not told.
    ByDay,
}

impl SightingsCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Convert(arguments) => convert(arguments, global, output),
            Self::Index(arguments) => index(arguments, global, output),
        }
    }
}

/// The answer of `cwa sightings convert`.
#[derive(Serialize)]
struct Converted {
    /// The form of the file.
    form: &'static str,
    sightings: Vec<Sighting>,
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

/// The answer of `cwa sightings index`.
#[derive(Serialize)]
struct Indexed {
    /// The form of the file that was read.
    form: &'static str,
    split: &'static str,
    sightings: usize,
    /// Different identifiers; by day, those of different days.
    identifiers: usize,
    /// The size of the index, in bytes.
    bytes: usize,
    /// What the file that was read holds besides, by reason.
    skipped: Vec<Skipped>,
}

fn index(arguments: &IndexArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let (form, reading) = arguments.sightings.read(global)?;
    let skipped = sightings::skipped(&reading);
    let split = match arguments.split {
        IndexSplit::Whole => Split::Whole,
        IndexSplit::ByDay => Split::ByDay,
    };
    let received =
        ReceivedIdentifiers::build(reading.sightings, split, &StoreKey::generate(&mut global.rng()));
    if arguments.output == Path::new("-") {
        if output.is_json() {
            return Err(Failure::usage(
                "CWA-E0205",
                "standard output cannot take the index and the JSON document",
            )
            .help("name a file with --output, or leave out --json"));
        }
        output.raw(received.as_bytes())?;
        return Ok(Answer::Yes);
    }
    replace_file(&arguments.output, received.as_bytes())?;
    let document = Indexed {
        form,
        split: split.name(),
        sightings: received.sighting_count(),
        identifiers: received.identifier_count(),
        bytes: received.as_bytes().len(),
        skipped,
    };
    output.answer("cwa.sightings.index/1", &document, |text| {
        writeln!(
            text,
            "{} sightings of {} identifiers in {}: {} bytes, {}",
            document.sightings,
            document.identifiers,
            arguments.output.display(),
            document.bytes,
            document.split
        )
    })?;
    Ok(Answer::Yes)
}
