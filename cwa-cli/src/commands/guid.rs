//! `cwa guid`: what phone and laboratory compute from a test's GUID.

use std::io::Write as _;

use cwa_verify::{DateOfBirth, DateOfBirthKey, Guid, HashedGuid};
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};

/// GUIDs of tests.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GuidCommand {
    /// The hash under which a test is registered and its result uploaded.
    Hash(HashArguments),
}

/// Arguments of `cwa guid hash`.
#[derive(Debug, clap::Args)]
pub(crate) struct HashArguments {
    /// The GUID as scanned: case counts. Any other text is hashed too, and said to be none. - reads it from standard
    /// input.
    #[arg(value_name = "GUID")]
    guid: String,
    /// The second hash instead, which proves that the date of birth is known: yyyy-mm-dd.
    #[arg(long, value_name = "DATE")]
    date_of_birth: Option<DateOfBirth>,
}

impl GuidCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Hash(arguments) => hash(arguments, global, output),
        }
    }
}

/// The answer of `cwa guid hash`.
#[derive(Serialize)]
struct Hashed {
    /// `guid` or `date_of_birth`.
    kind: &'static str,
    hash: String,
    /// Whether the text has the form of a GUID: phones scan no other.
    well_formed: bool,
}

fn hash(arguments: &HashArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let guid = input::argument(&arguments.guid)?;
    let malformed = Guid::parse(&guid).err();
    let (kind, hash) = match arguments.date_of_birth {
        None => ("guid", HashedGuid::of_text(&guid).expose_hex()),
        Some(date) => ("date_of_birth", DateOfBirthKey::of_text(&guid, date).expose_text()),
    };
    let document = Hashed { kind, hash: hash.to_string(), well_formed: malformed.is_none() };
    output.answer("cwa.guid.hash/1", &document, |text| writeln!(text, "{}", document.hash))?;
    // Beside the answer, so that a script that reads the hash reads nothing else.
    if let Some(error) = malformed.filter(|_| !global.quiet && !output.is_json()) {
        let warning = style::WARNING;
        writeln!(anstream::stderr(), "{warning}the text is no GUID{warning:#}: {error}")?;
    }
    Ok(Answer::Yes)
}
