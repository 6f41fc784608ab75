//! The semicolon CSV of the scan tools: `StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR[;LAT;LON;Altitude;Speed]`.
//!
//! Times are seconds. Addresses and coordinates are looked over and neither kept nor printed.

use core::num::{IntErrorKind, ParseIntError};

use cwa_crypto::UnixTime;
use cwa_crypto::bytes::ByteStringError;

use super::{Collector, Heard, MAXIMUM_TIME, Place, ReadError};

pub(super) fn read(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    let mut columns = Columns::default();
    let mut is_first = true;
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place::Line(number);
        // A tool that was started again writes its header again.
        let is_row = line.starts_with(|first: char| first.is_ascii_digit());
        if !is_row && line.split(';').any(|field| field.trim().eq_ignore_ascii_case(START_TIME)) {
            columns = Columns::named(line).map_err(|error| place.error(error))?;
        } else {
            let heard = columns.heard(line).map_err(|error| match error {
                // Neither a header nor a row, which begins with a time: some other file.
                _ if is_first && !is_row => place.error(ScanCsvError::Unknown),
                error => place.error(error),
            })?;
            collector.heard(heard).map_err(|error| place.error(error))?;
        }
        is_first = false;
    }
    Ok(())
}

/// What is wrong with the semicolon CSV of a scan tool.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanCsvError {
    #[error("neither the header StartTime;EndTime;RPI;AEM;MaxRSSI;BDADDR nor a row with these columns")]
    Unknown,
    #[error("the header names no column `{column}`")]
    NoColumn { column: &'static str },
    #[error("the line has {got} columns, and column {column} is `{name}`")]
    Columns { got: usize, column: usize, name: &'static str },
    #[error("`{column}` {source}")]
    Hex { column: &'static str, source: ByteStringError },
    #[error("`{column}` must be a number from {minimum} to {maximum}, not {got}")]
    Number { column: &'static str, minimum: i64, maximum: i64, got: BadNumber },
}

/// Why text is not the number that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadNumber {
    #[error("nothing")]
    Empty,
    #[error("other text")]
    NoNumber,
    #[error("{0}")]
    OutOfRange(i64),
    #[error("one that is out of all bounds")]
    TooLarge,
}

/// The number of each column, from 0.
struct Columns {
    start_time: usize,
    end_time: usize,
    rpi: usize,
    aem: usize,
    max_rssi: usize,
}

const START_TIME: &str = "StartTime";

impl Default for Columns {
    /// As they come without a header.
    fn default() -> Self {
        Self { start_time: 0, end_time: 1, rpi: 2, aem: 3, max_rssi: 4 }
    }
}

impl Columns {
    fn named(header: &str) -> Result<Self, ScanCsvError> {
        let find = |column: &'static str| {
            let mut names = header.split(';');
            names
                .position(|name| name.trim().eq_ignore_ascii_case(column))
                .ok_or(ScanCsvError::NoColumn { column })
        };
        Ok(Self {
            start_time: find(START_TIME)?,
            end_time: find("EndTime")?,
            rpi: find("RPI")?,
            aem: find("AEM")?,
            max_rssi: find("MaxRSSI")?,
        })
    }

    fn heard(&self, line: &str) -> Result<Heard, ScanCsvError> {
        let field = |index: usize, name: &'static str| {
            let field = line.split(';').nth(index).map(str::trim);
            field.ok_or_else(|| ScanCsvError::Columns {
                got: line.split(';').count(),
                column: index + 1,
                name,
            })
        };
        let time = |index, column| {
            let field = field(index, column)?;
            // Some tools write fractions; the second in which it was is what counts.
            let whole = match field.split_once('.') {
                Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
                _ => field,
            };
            let seconds = number(whole, column, 0, MAXIMUM_TIME.cast_signed())?;
            Ok(UnixTime::from_secs(seconds.cast_unsigned()))
        };
        let hex = |column| move |source| ScanCsvError::Hex { column, source };
        let rssi = match field(self.max_rssi, "MaxRSSI")? {
            "" => None,
            rssi => i8::try_from(number(rssi, "MaxRSSI", i8::MIN.into(), i8::MAX.into())?).ok(),
        };
        Ok(Heard {
            from: time(self.start_time, START_TIME)?,
            to: time(self.end_time, "EndTime")?,
            rpi: field(self.rpi, "RPI")?.parse().map_err(hex("RPI"))?,
            aem: field(self.aem, "AEM")?.parse().map_err(hex("AEM"))?,
            rssi_dbm: rssi,
        })
    }
}

fn number(text: &str, column: &'static str, minimum: i64, maximum: i64) -> Result<i64, ScanCsvError> {
    let bad = |got| ScanCsvError::Number { column, minimum, maximum, got };
    let number = text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::Empty => bad(BadNumber::Empty),
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => bad(BadNumber::TooLarge),
        _ => bad(BadNumber::NoNumber),
    })?;
    if (minimum..=maximum).contains(&number) { Ok(number) } else { Err(bad(BadNumber::OutOfRange(number))) }
}
