//! Received identifiers as files tell them: bytes in, sightings out, and a count of what was left out and why.
//!
//! No file, no clock and no database here, so that fuzz targets include these modules as they are.

use core::fmt;
use std::collections::BTreeMap;

use cwa_crypto::broadcast::AdvertisementError;
use cwa_crypto::matching::Sighting;
use cwa_crypto::{Advertisement, AssociatedEncryptedMetadata, RollingProximityIdentifier, UnixTime};

mod capture;
mod csv;
mod databases;
mod json_lines;
mod scan_csv;
#[cfg(test)]
mod tests;

pub(crate) use databases::{MicrogReader, RambleReader, Value};

/// Largest number of sightings taken from one file: 400 MB of them.
pub(crate) const MAXIMUM_SIGHTINGS: usize = 10_000_000;

/// The forms that sightings come in, told apart by content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// One JSON object a line.
    JsonLines,
    /// CSV whose first line names the columns.
    Csv,
    /// The semicolon CSV of the scan tools.
    ScanCsv,
    /// A SQLite database, of RaMBLE or microG.
    Sqlite,
    /// A capture in the older format of libpcap.
    Pcap,
    /// A capture in the newer one.
    PcapNg,
    /// A log of a host's Bluetooth controller.
    Btsnoop,
}

impl Form {
    /// The form that a file with this content has. Whatever is none of the binary forms is text.
    pub(crate) fn of(content: &[u8]) -> Self {
        if content.starts_with(b"SQLite format 3\0") {
            return Self::Sqlite;
        }
        if content.starts_with(capture::BTSNOOP_MAGIC) {
            return Self::Btsnoop;
        }
        if content.starts_with(capture::PCAPNG_MAGIC) {
            return Self::PcapNg;
        }
        if capture::PCAP_MAGICS.iter().any(|magic| content.starts_with(magic)) {
            return Self::Pcap;
        }
        let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content).trim_ascii_start();
        let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        if text.starts_with(b"{") {
            Self::JsonLines
        } else if first_line.contains(&b';') {
            Self::ScanCsv
        } else {
            Self::Csv
        }
    }

    /// Its stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json-lines",
            Self::Csv => "csv",
            Self::ScanCsv => "scan-csv",
            Self::Sqlite => "sqlite",
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
            Self::Btsnoop => "btsnoop",
        }
    }

    /// Reads `content`, which has this form. `missing_rssi_dbm` stands in where a record has no signal strength; without
    /// it such records are skipped.
    ///
    /// # Errors
    ///
    /// The first place where the content breaks the rules of its form. A database is not read here.
    pub(crate) fn read(self, content: &[u8], missing_rssi_dbm: Option<i8>) -> Result<Reading, ReadError> {
        let mut collector = Collector::new(missing_rssi_dbm);
        match self {
            Self::JsonLines => json_lines::read(text(content)?, &mut collector)?,
            Self::Csv => csv::read(text(content)?, &mut collector)?,
            Self::ScanCsv => scan_csv::read(text(content)?, &mut collector)?,
            Self::Pcap => capture::read_pcap(content, &mut collector)?,
            Self::PcapNg => capture::read_pcapng(content, &mut collector)?,
            Self::Btsnoop => capture::read_btsnoop(content, &mut collector)?,
            Self::Sqlite => return Err(Place::File.error(Cause::NotHere)),
        }
        Ok(collector.finish())
    }
}

/// What was read, and what was not.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) sightings: Vec<Sighting>,
    /// How many rows, records or reports are no sightings, by reason.
    pub(crate) skipped: BTreeMap<SkipReason, u64>,
}

/// Why a row, record or report is no sighting, although the file that holds it can be read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum SkipReason {
    NoExposureNotification,
    ServiceDataLength,
    MalformedAdvertisingData,
    NoSignalStrength,
    EndsBeforeStart,
    IdentifierLength,
    MetadataLength,
    UnknownDevice,
    ValueType,
    ValueOutOfRange,
    NotAnAdvertisement,
    Fragment,
    Checksum,
    Whitened,
    MalformedRecord,
    UnsupportedRecord,
    CutShort,
    FileCutShort,
    OtherLinkType,
    NoTime,
}

impl SkipReason {
    /// Its stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoExposureNotification => "no-exposure-notification",
            Self::ServiceDataLength => "service-data-length",
            Self::MalformedAdvertisingData => "malformed-advertising-data",
            Self::NoSignalStrength => "no-signal-strength",
            Self::EndsBeforeStart => "ends-before-start",
            Self::IdentifierLength => "identifier-length",
            Self::MetadataLength => "metadata-length",
            Self::UnknownDevice => "unknown-device",
            Self::ValueType => "value-type",
            Self::ValueOutOfRange => "value-out-of-range",
            Self::NotAnAdvertisement => "not-an-advertisement",
            Self::Fragment => "fragment",
            Self::Checksum => "checksum",
            Self::Whitened => "whitened",
            Self::MalformedRecord => "malformed-record",
            Self::UnsupportedRecord => "unsupported-record",
            Self::CutShort => "cut-short",
            Self::FileCutShort => "file-cut-short",
            Self::OtherLinkType => "other-link-type",
            Self::NoTime => "no-time",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoExposureNotification => "not of the Exposure Notification Service (0xfd6f)",
            Self::ServiceDataLength => "service data that is not 20 bytes long",
            Self::MalformedAdvertisingData => {
                "advertising data whose structures do not add up, or with service data twice"
            }
            Self::NoSignalStrength => {
                "no signal strength, or 127 dBm, which means that there is none; --missing-rssi gives one"
            }
            Self::EndsBeforeStart => "ends before it starts",
            Self::IdentifierLength => "an identifier that is not 16 bytes long",
            Self::MetadataLength => "encrypted metadata that is not 4 bytes long",
            Self::UnknownDevice => "a location of a device that is not there",
            Self::ValueType => "a value of another type than its column has",
            Self::ValueOutOfRange => {
                "a time before 1970 or after 9999, or a signal strength outside -128 to 127 dBm"
            }
            Self::NotAnAdvertisement => "packets that carry no advertising data",
            Self::Fragment => "a part of longer advertising data",
            Self::Checksum => "a packet with a wrong checksum",
            Self::Whitened => "a packet whose whitening was left on",
            Self::MalformedRecord => "a record that is shorter than what it tells of",
            Self::UnsupportedRecord => "a record of a form that is not known",
            Self::CutShort => "a record of which too little was captured",
            Self::FileCutShort => "the file ends within a record",
            Self::OtherLinkType => "a record of another interface than of Bluetooth Low Energy",
            Self::NoTime => "a record without time",
        })
    }
}

/// Why a file cannot be read: where, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{place}{cause}")]
pub(crate) struct ReadError {
    pub(crate) place: Place,
    pub(crate) cause: Cause,
}

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Nowhere in particular.
    File,
    /// In a line of text, counted from 1.
    Line(u64),
    /// In a record or block, counted from 1, which begins at this byte.
    Record { number: u64, offset: usize },
    /// In a table.
    Table(&'static str),
    /// In a row of a table, counted from 1 as they are stored.
    Row { table: &'static str, number: u64 },
}

impl fmt::Display for Place {
    /// With what separates it from the cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str(": "),
            Self::Line(line) => write!(f, ", line {line}: "),
            Self::Record { number, offset } => write!(f, ", record {number} at byte {offset}: "),
            Self::Table(table) => write!(f, ", table `{table}`: "),
            Self::Row { table, number } => write!(f, ", table `{table}`, row {number}: "),
        }
    }
}

impl Place {
    fn error(self, cause: impl Into<Cause>) -> ReadError {
        ReadError { place: self, cause: cause.into() }
    }
}

/// What is wrong at some place of a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("not UTF-8 text")]
    NotText(#[from] core::str::Utf8Error),
    #[error("more than {MAXIMUM_SIGHTINGS} sightings")]
    TooMany,
    #[error("more than {} devices", databases::MAXIMUM_DEVICES)]
    TooManyDevices,
    #[error("`seen_at` must be seconds up to {MAXIMUM_TIME}, the year 9999, not {got}")]
    Time { got: u64 },
    /// No reader of this module reads it.
    #[error("a database, and none can be read here")]
    NotHere,
    #[error(
        "neither `devices` and `locations` of RaMBLE nor `advertisements` of microG; {}",
        Names("tables", found)
    )]
    Tables { found: Vec<String> },
    #[error("there is no column `{column}`; {}", Names("columns", found))]
    NoColumn { column: &'static str, found: Vec<String> },
    #[error("the schema computes columns, and nothing of a schema is run; {}", Names("columns", found))]
    Computed { found: Vec<String> },
    #[error("the database cannot be read")]
    Database(#[source] DatabaseError),
    #[error(transparent)]
    Capture(#[from] capture::CaptureError),
    #[error(transparent)]
    JsonLines(#[from] json_lines::JsonLineError),
    #[error(transparent)]
    Csv(#[from] csv::CsvError),
    #[error(transparent)]
    ScanCsv(#[from] scan_csv::ScanCsvError),
}

/// What whatever reads the database says of it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct DatabaseError(pub(crate) Box<dyn core::error::Error + Send + Sync>);

/// Takes what readers find, and counts what they leave out.
#[derive(Debug)]
struct Collector {
    missing_rssi_dbm: Option<i8>,
    reading: Reading,
}

/// One more than [`MAXIMUM_SIGHTINGS`].
#[derive(Debug)]
struct TooMany;

impl From<TooMany> for Cause {
    fn from(TooMany: TooMany) -> Self {
        Self::TooMany
    }
}

/// What a scan log says of one identifier that was heard for a while.
#[derive(Clone, Copy, Debug)]
struct Heard {
    rpi: RollingProximityIdentifier,
    aem: AssociatedEncryptedMetadata,
    /// `None` and 127 are the same: not available.
    rssi_dbm: Option<i8>,
    from: UnixTime,
    to: UnixTime,
}

impl Collector {
    fn new(missing_rssi_dbm: Option<i8>) -> Self {
        Self { missing_rssi_dbm, reading: Reading::default() }
    }

    fn finish(self) -> Reading {
        self.reading
    }

    /// Counts something that is no sighting.
    fn skip(&mut self, reason: SkipReason) {
        *self.reading.skipped.entry(reason).or_default() += 1;
    }

    /// Takes a sighting as text gives it, whose numbers were not looked at; its signal strength is taken as it is.
    fn given(&mut self, sighting: Sighting) -> Result<(), Cause> {
        let got = sighting.seen_at.as_secs();
        if got > MAXIMUM_TIME {
            return Err(Cause::Time { got });
        }
        Ok(self.push(sighting)?)
    }

    /// Takes a sighting as it is.
    fn push(&mut self, sighting: Sighting) -> Result<(), TooMany> {
        if self.reading.sightings.len() == MAXIMUM_SIGHTINGS {
            return Err(TooMany);
        }
        self.reading.sightings.push(sighting);
        Ok(())
    }

    /// Takes a row about a while: a sighting at its beginning and one at its end, since these are the moments of which
    /// the row says that the identifier was on air; one if they are the same. Both have the strength of the row.
    fn heard(&mut self, heard: Heard) -> Result<(), TooMany> {
        let Heard { rpi, aem, rssi_dbm, from, to } = heard;
        let available = rssi_dbm.filter(|&rssi_dbm| rssi_dbm != RSSI_NOT_AVAILABLE);
        let Some(rssi_dbm) = available.or(self.missing_rssi_dbm) else {
            self.skip(SkipReason::NoSignalStrength);
            return Ok(());
        };
        if to < from {
            self.skip(SkipReason::EndsBeforeStart);
            return Ok(());
        }
        self.push(Sighting::new(rpi, aem, rssi_dbm, from))?;
        if from < to {
            self.push(Sighting::new(rpi, aem, rssi_dbm, to))?;
        }
        Ok(())
    }
}

impl Collector {
    /// Takes advertising data as it was received.
    fn advertising(&mut self, data: &[u8], rssi_dbm: Option<i8>, seen_at: UnixTime) -> Result<(), TooMany> {
        match Advertisement::decode(data) {
            Ok(Advertisement { rpi, aem, .. }) => {
                return self.heard(Heard { rpi, aem, rssi_dbm, from: seen_at, to: seen_at });
            }
            Err(AdvertisementError::NoServiceData) => self.skip(SkipReason::NoExposureNotification),
            Err(AdvertisementError::ServiceDataLength { .. }) => self.skip(SkipReason::ServiceDataLength),
            Err(_) => self.skip(SkipReason::MalformedAdvertisingData),
        }
        Ok(())
    }
}

/// The names of what was found instead, as many as a message can hold.
struct Names<'a>(&'static str, &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 12;
        let Self(kind, names) = self;
        if names.is_empty() {
            return write!(f, "no {kind}");
        }
        write!(f, "{kind}")?;
        for (name, separator) in
            names.iter().take(MOST).zip(core::iter::once(" ").chain(core::iter::repeat(", ")))
        {
            // Whoever made the file chose its names.
            write!(f, "{separator}`{}`", name.chars().take(32).collect::<String>().escape_debug())?;
        }
        if names.len() > MOST { write!(f, " and {} more", names.len() - MOST) } else { Ok(()) }
    }
}

/// Seconds that a file can mean, to the year 9999; milliseconds of this century are beyond.
fn time(seconds: i64) -> Option<UnixTime> {
    let seconds = u64::try_from(seconds).ok()?;
    (seconds <= MAXIMUM_TIME).then(|| UnixTime::from_secs(seconds))
}

/// Text in UTF-8, without its byte order mark.
fn text(content: &[u8]) -> Result<&str, ReadError> {
    let text = core::str::from_utf8(content).map_err(|error| Place::File.error(error))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The last second of the year 9999.
const MAXIMUM_TIME: u64 = 253_402_300_799;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bluetooth Core Specification, volume 4, part E, 7.7.65.2: RSSI 127 means that there is none.
const RSSI_NOT_AVAILABLE: i8 = 127;
