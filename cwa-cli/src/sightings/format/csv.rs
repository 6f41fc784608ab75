//! CSV whose first line names `rpi`, `aem`, `rssi_dbm` and `seen_at`, in any order. Other columns are ignored.

use cwa_crypto::matching::Sighting;

use super::{Collector, Place, ReadError};

pub(super) fn read(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    // Without this check a file of one line, whatever it holds, would be a header without sightings.
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| unreadable(&error, None))?.clone();
    if let Some(&column) = COLUMNS.iter().find(|column| !header.iter().any(|found| found == **column)) {
        return Err(Place::Line(1).error(CsvError::NoColumn { column }));
    }
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error, None))?;
        let sighting: Sighting =
            record.deserialize(Some(&header)).map_err(|error| unreadable(&error, Some(&record)))?;
        let line = record.position().map_or(1, csv::Position::line);
        collector.given(sighting).map_err(|error| Place::Line(line).error(error))?;
    }
    Ok(())
}

/// What is wrong with a CSV of sightings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsvError {
    #[error("the first line names no column `{column}`")]
    NoColumn { column: &'static str },
    #[error("the line has {got} columns, the header {expected}")]
    Columns { expected: u64, got: u64 },
    /// The column is counted from 1.
    #[error("`{value}` in column {column}: {kind}")]
    Value { value: String, column: usize, kind: csv::DeserializeErrorKind },
    #[error("{0}")]
    Field(csv::DeserializeErrorKind),
    #[error("not CSV")]
    Other,
}

const COLUMNS: [&str; 4] = ["rpi", "aem", "rssi_dbm", "seen_at"];

fn unreadable(error: &csv::Error, record: Option<&csv::StringRecord>) -> ReadError {
    let line = error.position().map_or(1, csv::Position::line);
    Place::Line(line).error(match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|field| usize::try_from(field).ok());
            let kind = err.kind().clone();
            match column.and_then(|column| Some((column, record?.get(column)?))) {
                Some((column, value)) => {
                    // A value can be as long as the file.
                    CsvError::Value { value: value.chars().take(64).collect(), column: column + 1, kind }
                }
                None => CsvError::Field(kind),
            }
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            CsvError::Columns { expected: *expected_len, got: *len }
        }
        _ => CsvError::Other,
    })
}
