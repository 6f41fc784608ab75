//! `cwa tek`: temporary exposure keys.

use std::io::{self, Write};

use cwa_crypto::{Day, ENIntervalNumber, RollingPeriod, TemporaryExposureKey};
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};

/// Temporary exposure keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TekCommand {
    /// New keys from the operating system's random generator.
    Generate(GenerateArguments),
}

/// Arguments of `cwa tek generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArguments {
    /// The day the keys are for: yyyy-mm-dd, or any time in it; without it, today (UTC).
    #[arg(long, value_name = "DAY", value_parser = input::day)]
    day: Option<Day>,
    /// How many keys, all for the same day.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

impl TekCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Generate(arguments) => generate(arguments, global, output),
        }
    }
}

/// The answer of `cwa tek generate`; `cwa export create --keys` reads it.
#[derive(Serialize)]
struct Generated {
    keys: Vec<GeneratedKey>,
}

#[derive(Serialize)]
struct GeneratedKey {
    key_data: String,
    rolling_start_interval_number: u32,
    rolling_period: u8,
}

fn generate(arguments: &GenerateArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    let day = arguments.day.unwrap_or_else(|| global.now().day());
    let start = ENIntervalNumber::at(day.start());
    // Interval numbers are 32 bits wide, and files hold them in 31.
    if start.start() != day.start() || i32::try_from(start.get()).is_err() {
        return Err(Failure::usage(
            "CWA-E0011",
            format!("no key can start on {day}: interval numbers end at {}", i32::MAX),
        ));
    }
    let mut rng = global.rng();
    let keys = (0..arguments.count).map(|_| GeneratedKey {
        key_data: hex::encode(TemporaryExposureKey::generate(&mut rng).expose_bytes()),
        rolling_start_interval_number: start.get(),
        rolling_period: RollingPeriod::FULL_DAY.get(),
    });
    let document = Generated { keys: keys.collect() };
    output.answer("cwa.tek.generate/1", &document, |text| write_keys(text, day, &document))?;
    Ok(Answer::Yes)
}

fn write_keys(text: &mut dyn Write, day: Day, generated: &Generated) -> io::Result<()> {
    let (strong, faint) = (style::STRONG, style::FAINT);
    writeln!(
        text,
        "{strong}{:32}  {:>8}  period{strong:#}  {faint}of {day} (UTC); secret until published{faint:#}",
        "key", "start"
    )?;
    for key in &generated.keys {
        writeln!(
            text,
            "{}  {:8}  {:6}",
            key.key_data, key.rolling_start_interval_number, key.rolling_period
        )?;
    }
    Ok(())
}
