//! `cwa tan`: teleTANs.

use std::io::{self, Write};

use cwa_verify::{TeleTan, TeleTanError};
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};

/// teleTANs: make some, and find out what is wrong with one.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TanCommand {
    /// New teleTANs from the operating system's random generator. No server knows them.
    Generate(GenerateArguments),
    /// What is wrong with a teleTAN, as the phone says it before it asks a server; exit 1 if something is.
    Check(CheckArguments),
}

/// Arguments of `cwa tan generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArguments {
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

/// Arguments of `cwa tan check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The ten characters, or in groups as 9A3-B57-8UMG; - reads them from standard input.
    #[arg(value_name = "CODE", allow_hyphen_values = true)]
    code: String,
}

impl TanCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Generate(arguments) => generate(arguments, global, output),
            Self::Check(arguments) => check(arguments, output),
        }
    }
}

/// The answer of `cwa tan generate`.
#[derive(Serialize)]
struct Generated {
    tele_tans: Vec<GeneratedTeleTan>,
}

#[derive(Serialize)]
struct GeneratedTeleTan {
    tele_tan: String,
    grouped: String,
}

/// The answer of `cwa tan check`.
#[derive(Debug, Eq, PartialEq, Serialize)]
struct Checked {
    valid: bool,
    /// `character`, `length` or `check_character`; null if nothing is wrong.
    reason: Option<&'static str>,
    /// The same as a sentence.
    message: Option<String>,
    /// Which character is wrong, counted from 1, where that can be known.
    position: Option<usize>,
}

fn generate(arguments: &GenerateArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let mut rng = global.rng();
    let tele_tans = (0..arguments.count).map(|_| {
        let tele_tan = TeleTan::generate(&mut rng);
        GeneratedTeleTan {
            tele_tan: tele_tan.expose_text().to_owned(),
            grouped: tele_tan.expose_grouped().to_string(),
        }
    });
    let document = Generated { tele_tans: tele_tans.collect() };
    output.answer("cwa.tan.generate/1", &document, |text| {
        document.tele_tans.iter().try_for_each(|tele_tan| writeln!(text, "{}", tele_tan.grouped))
    })?;
    Ok(Answer::Yes)
}

fn check(arguments: &CheckArguments, output: &mut Output) -> Result<Answer, Failure> {
    let checked = judge(&input::argument(&arguments.code)?);
    output.answer("cwa.tan.check/1", &checked, |text| write_checked(text, &checked))?;
    Ok(if checked.valid { Answer::Yes } else { Answer::No })
}

/// Strict but for the separators of the grouped form: the phone's keyboard gives capitals only.
fn judge(code: &str) -> Checked {
    let groups: Vec<usize> = code.split('-').map(str::len).collect();
    let code = if groups == [3, 3, 4] { code.replace('-', "") } else { code.to_owned() };
    let error = TeleTan::parse(&code).err();
    let (reason, position) = match error {
        None => (None, None),
        Some(TeleTanError::Character { position, .. }) => (Some("character"), Some(position)),
        Some(TeleTanError::Length { .. }) => (Some("length"), None),
        Some(TeleTanError::CheckCharacter) => (Some("check_character"), None),
        Some(_) => (Some("unknown"), None),
    };
    Checked { valid: error.is_none(), reason, message: error.map(|error| error.to_string()), position }
}

fn write_checked(text: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    match &checked.message {
        None => writeln!(text, "{}valid{:#}", style::GOOD, style::GOOD),
        Some(message) => writeln!(text, "{}invalid{:#}: {message}", style::BAD, style::BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_nothing_else_is_forgiven() {
        for right in ["9A3B578UMG", "9A3-B57-8UMG"] {
            assert!(judge(right).valid, "{right}");
        }
        for (wrong, reason, position) in [
            ("9a3b578umg", "character", Some(2)),
            ("9A3-B578-UMG", "character", Some(4)),
            (" 9A3B578UMG", "character", Some(1)),
            ("-1234", "character", Some(1)),
            ("9A3B578UM", "length", None),
            ("9A3B578UMH", "check_character", None),
        ] {
            let checked = judge(wrong);
            assert_eq!((checked.reason, checked.position), (Some(reason), position), "{wrong}");
        }
    }
}
