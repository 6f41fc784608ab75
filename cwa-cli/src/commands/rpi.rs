//! `cwa rpi`: rolling proximity identifiers, forwards and backwards.

use std::io::{self, Write};

use cwa_crypto::metadata::CalibrationConfidence;
use cwa_crypto::{
    AssociatedEncryptedMetadata, BluetoothMetadata, ENIntervalNumber, RollingPeriod,
    RollingProximityIdentifier, RollingProximityIdentifierKey, TemporaryExposureKey,
};
use serde::Serialize;

use crate::args::Answer;
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, rfc3339, style};

/// Rolling proximity identifiers: derive them, and find out where one comes from.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RpiCommand {
    /// The keys of a day and every identifier broadcast with them.
    Derive(DeriveArguments),
    /// The inverse: which interval an identifier was derived for, and what the metadata beside it say; exit 1 if the
    /// identifier is not one of the key's.
    Explain(ExplainArguments),
}

/// Arguments of `cwa rpi derive`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeriveArguments {
    /// The temporary exposure key, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = input::hex::<{ TemporaryExposureKey::LENGTH }>)]
    tek: [u8; TemporaryExposureKey::LENGTH],
    /// The interval the key starts with (ENIntervalNumber).
    #[arg(long, value_name = "N")]
    start: u32,
    /// For how many intervals the key is valid, 1 to 144.
    #[arg(long, value_name = "N", default_value = "144", value_parser = period)]
    period: RollingPeriod,
    /// The metadata to encrypt beside every identifier, 8 hexadecimal digits, encrypted as they are.
    #[arg(long, value_name = "HEX", value_parser = input::hex::<{ BluetoothMetadata::LENGTH }>)]
    metadata: Option<[u8; BluetoothMetadata::LENGTH]>,
}

/// Arguments of `cwa rpi explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// The temporary exposure key, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = input::hex::<{ TemporaryExposureKey::LENGTH }>)]
    tek: [u8; TemporaryExposureKey::LENGTH],
    /// The identifier, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = input::hex::<{ RollingProximityIdentifier::LENGTH }>)]
    rpi: [u8; RollingProximityIdentifier::LENGTH],
    /// The encrypted metadata received beside it, 8 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = input::hex::<{ AssociatedEncryptedMetadata::LENGTH }>)]
    aem: Option<[u8; AssociatedEncryptedMetadata::LENGTH]>,
}

impl RpiCommand {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Derive(arguments) => derive(arguments, output),
            Self::Explain(arguments) => explain(arguments, output),
        }
    }
}

fn period(text: &str) -> Result<RollingPeriod, String> {
    let number: i64 = text.parse().map_err(|_| "not a number".to_owned())?;
    RollingPeriod::try_from(number).map_err(|error| error.to_string())
}

/// The answer of `cwa rpi derive`.
#[derive(Serialize)]
struct Derived {
    rpik: String,
    aemk: String,
    identifiers: Vec<DerivedIdentifier>,
}

#[derive(Serialize)]
struct DerivedIdentifier {
    interval: u32,
    rpi: String,
    /// `null` without metadata to encrypt.
    aem: Option<String>,
}

fn derive(arguments: &DeriveArguments, output: &mut Output) -> Result<Answer, Failure> {
    let tek = TemporaryExposureKey::from_bytes(arguments.tek);
    let rpik = tek.rolling_proximity_identifier_key();
    let aemk = tek.associated_encrypted_metadata_key();
    let identifiers = rpik.identifiers(ENIntervalNumber::new(arguments.start), arguments.period);
    let identifiers = identifiers.map(|(interval, rpi)| DerivedIdentifier {
        interval: interval.get(),
        rpi: rpi.to_string(),
        // Byte by byte, not as the library seals: reserved bits and impossible values are worth reproducing, too.
        aem: arguments.metadata.map(|metadata| {
            let bytes = metadata.iter().zip(aemk.keystream(rpi)).map(|(byte, key)| byte ^ key);
            hex::encode(bytes.collect::<Vec<_>>())
        }),
    });
    let document = Derived {
        rpik: hex::encode(rpik.expose_bytes()),
        aemk: hex::encode(aemk.expose_bytes()),
        identifiers: identifiers.collect(),
    };
    output.answer("cwa.rpi.derive/1", &document, |text| write_derived(text, &document))?;
    Ok(Answer::Yes)
}

fn write_derived(text: &mut dyn Write, derived: &Derived) -> io::Result<()> {
    let strong = style::STRONG;
    writeln!(text, "{strong}RPIK{strong:#}  {}", derived.rpik)?;
    writeln!(text, "{strong}AEMK{strong:#}  {}\n", derived.aemk)?;
    let title =
        if derived.identifiers.iter().any(|identifier| identifier.aem.is_some()) { "aem" } else { "" };
    writeln!(text, "{strong}{:>10}  {:32}  {title}{strong:#}", "interval", "rpi")?;
    for identifier in &derived.identifiers {
        write!(text, "{:10}  {}", identifier.interval, identifier.rpi)?;
        match &identifier.aem {
            Some(aem) => writeln!(text, "  {aem}")?,
            None => writeln!(text)?,
        }
    }
    Ok(())
}

/// The answer of `cwa rpi explain`.
#[derive(Serialize)]
struct Explained {
    /// `null` if the identifier is not one of the key's.
    interval: Option<u32>,
    /// The interval's first second.
    interval_start: Option<u64>,
    /// Why there is no interval, or why there are no metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// `null` without encrypted metadata, without an interval, and if they cannot be meant.
    metadata: Option<ExplainedMetadata>,
}

#[derive(Serialize)]
struct ExplainedMetadata {
    major: u8,
    minor: u8,
    calibration_confidence: Option<u8>,
    tx_power_dbm: i8,
    /// Whether the version is one whose meaning is known.
    supported: bool,
    /// The four bytes as decrypted.
    bytes: String,
}

fn explain(arguments: &ExplainArguments, output: &mut Output) -> Result<Answer, Failure> {
    let tek = TemporaryExposureKey::from_bytes(arguments.tek);
    let rpi = RollingProximityIdentifier::from_bytes(arguments.rpi);
    let interval = tek.rolling_proximity_identifier_key().interval_of(rpi);
    let mut document = Explained {
        interval: interval.map(ENIntervalNumber::get),
        interval_start: interval.map(|interval| interval.start().as_secs()),
        reason: None,
        metadata: None,
    };
    match (interval, arguments.aem) {
        (None, _) => document.reason = Some(why_not(arguments).to_owned()),
        (Some(_), Some(aem)) => {
            let aemk = tek.associated_encrypted_metadata_key();
            match aemk.open_unauthenticated(rpi, AssociatedEncryptedMetadata::from_bytes(aem)) {
                Ok(metadata) => {
                    let bytes = aem.iter().zip(aemk.keystream(rpi)).map(|(byte, key)| byte ^ key);
                    document.metadata = Some(ExplainedMetadata {
                        major: metadata.version().major(),
                        minor: metadata.version().minor(),
                        calibration_confidence: metadata
                            .calibration_confidence()
                            .map(CalibrationConfidence::number),
                        tx_power_dbm: metadata.transmit_power().dbm(),
                        supported: metadata.is_supported(),
                        bytes: hex::encode(bytes.collect::<Vec<_>>()),
                    });
                }
                Err(error) => document.reason = Some(format!("the metadata cannot be meant: {error}")),
            }
        }
        (Some(_), None) => {}
    }
    output.answer("cwa.rpi.explain/1", &document, |text| write_explained(text, &document))?;
    Ok(if interval.is_some() { Answer::Yes } else { Answer::No })
}

/// What the two values would have to be for the identifier to be one of the key's: mistakes that are often made.
fn why_not(arguments: &ExplainArguments) -> &'static str {
    let reversed = |mut bytes: [u8; 16]| {
        bytes.reverse();
        bytes
    };
    let is_derived = |rpik: RollingProximityIdentifierKey, rpi: [u8; 16]| {
        rpik.interval_of(RollingProximityIdentifier::from_bytes(rpi)).is_some()
    };
    let derived = |tek: [u8; 16]| TemporaryExposureKey::from_bytes(tek).rolling_proximity_identifier_key();
    if is_derived(RollingProximityIdentifierKey::from_bytes(arguments.tek), arguments.rpi) {
        "the identifier belongs to this value as the RPIK; --tek takes the key that the RPIK is derived from"
    } else if is_derived(derived(arguments.tek), reversed(arguments.rpi)) {
        "the identifier is one of the key's with its bytes in reverse order"
    } else if is_derived(derived(reversed(arguments.tek)), arguments.rpi) {
        "the identifier is one of the key's with the key's bytes in reverse order"
    } else {
        "the identifier was not derived from this key, for no interval there is"
    }
}

fn write_explained(text: &mut dyn Write, explained: &Explained) -> io::Result<()> {
    let (good, bad, warning, faint) = (style::GOOD, style::BAD, style::WARNING, style::FAINT);
    if let (Some(interval), Some(start)) = (explained.interval, explained.interval_start) {
        writeln!(text, "{good}interval {interval}{good:#}, from {} on", rfc3339(start))?;
    }
    if let Some(reason) = &explained.reason {
        writeln!(text, "{bad}{reason}{bad:#}")?;
    }
    if let Some(metadata) = &explained.metadata {
        write!(text, "metadata {}: version {}.{}", metadata.bytes, metadata.major, metadata.minor)?;
        if !metadata.supported {
            write!(text, " {warning}(not supported){warning:#}")?;
        }
        write!(text, ", sent with {} dBm", metadata.tx_power_dbm)?;
        if let Some(confidence) = metadata.calibration_confidence {
            write!(text, ", calibration confidence {confidence} of 3")?;
        }
        writeln!(text, " {faint}(unauthenticated: anybody on the way can have changed it){faint:#}")?;
    }
    Ok(())
}
