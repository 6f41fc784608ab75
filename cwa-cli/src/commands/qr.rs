//! `cwa qr`: QR codes of tests.

use cwa_verify::qr::PcrTestCode;
use serde::Serialize;

use crate::args::Answer;
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};

/// QR codes of tests.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum QrCommand {
    /// What the QR code of a test says: the GUID, and the hash that goes over the wire in its place.
    Decode(DecodeArguments),
}

/// Arguments of `cwa qr decode`.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeArguments {
    /// What a scanner gives, such as https://localhost/?123456-12345678-1234-4DA7-B166-B86D85475064; - reads it from
    /// standard input.
    #[arg(value_name = "URL")]
    url: String,
}

impl QrCommand {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Decode(arguments) => decode(arguments, output),
        }
    }
}

/// The answer of `cwa qr decode`.
#[derive(Serialize)]
struct Decoded {
    /// The kind of code: `pcr_v1`.
    kind: &'static str,
    guid: String,
    /// SHA-256 of the GUID: what is registered, and what the laboratory uploads under.
    hash: String,
}

fn decode(arguments: &DecodeArguments, output: &mut Output) -> Result<Answer, Failure> {
    let code = PcrTestCode::parse(&input::argument(&arguments.url)?).map_err(|error| {
        Failure::input("CWA-E0705", "this is not the QR code of a PCR test")
            .help("such a code is https://localhost/? and 43 characters: hexadecimal digits in groups of 6-8-4-4-4-12")
            .caused_by(error)
    })?;
    let document = Decoded {
        kind: "pcr_v1",
        guid: code.guid().expose_text().to_owned(),
        hash: code.guid().hash().expose_hex().to_string(),
    };
    output.answer("cwa.qr.decode/1", &document, |text| {
        let strong = style::STRONG;
        writeln!(text, "{strong}kind{strong:#}  PCR test, first version")?;
        writeln!(text, "{strong}guid{strong:#}  {}", document.guid)?;
        writeln!(text, "{strong}hash{strong:#}  {}", document.hash)
    })?;
    Ok(Answer::Yes)
}
