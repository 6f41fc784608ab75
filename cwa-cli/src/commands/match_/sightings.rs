//! Received identifiers as files tell them: JSON lines, or CSV.

use std::path::Path;

use cwa_crypto::matching::Sighting;

use crate::failure::Failure;
use crate::input;

/// The sightings in the file at `path`, or in standard input for `-`.
///
/// A file whose first character is `{` is JSON lines: one object a line with `rpi`, `aem`, `rssi_dbm` and `seen_at`.
/// Any other is CSV with a header that has these columns. Other members and columns are ignored.
pub(crate) fn read(path: &Path) -> Result<Vec<Sighting>, Failure> {
    let text = input::read_text(path)?;
    parse(&text).map_err(|error| {
        let Unreadable { line, message } = error;
        Failure::input("CWA-E0201", format!("{}, line {line}: {message}", path.display())).help(
            "sightings are JSON lines such as {\"rpi\": \"8be6cd371c5c891604bfbe49df845096\", \"aem\": \"72033874\", \
             \"rssi_dbm\": -50, \"seen_at\": 1585785600}, or CSV whose first line names these columns",
        )
    })
}

/// What is wrong with a file of sightings.
#[derive(Debug, Eq, PartialEq)]
struct Unreadable {
    line: u64,
    message: String,
}

fn parse(text: &str) -> Result<Vec<Sighting>, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') { json_lines(text) } else { csv(text) }
}

fn json_lines(text: &str) -> Result<Vec<Sighting>, Unreadable> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let parse = |(text, line)| {
        serde_json::from_str(text).map_err(|error| {
            // The parser counts lines too, but it has seen only this one.
            let message = error.to_string();
            let message = message.split(" at line 1 ").next().unwrap_or_default();
            Unreadable { line, message: format!("{message}, at column {}", error.column()) }
        })
    };
    lines.map(parse).collect()
}

fn csv(text: &str) -> Result<Vec<Sighting>, Unreadable> {
    const COLUMNS: [&str; 4] = ["rpi", "aem", "rssi_dbm", "seen_at"];
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    // Without this check a file of one line, whatever it holds, would be a header without sightings.
    if !text.trim().is_empty() {
        let header = reader.headers().map_err(|error| Unreadable { line: 1, message: error.to_string() })?;
        if let Some(missing) = COLUMNS.iter().find(|column| !header.iter().any(|found| found == **column)) {
            return Err(Unreadable {
                line: 1,
                message: format!("the first line names no column `{missing}`"),
            });
        }
    }
    let unreadable = |error: &csv::Error, record: Option<&csv::StringRecord>| {
        let line = error.position().map_or(1, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => {
                let column = err.field().and_then(|field| usize::try_from(field).ok());
                match column.and_then(|column| Some((column, record?.get(column)?))) {
                    // Columns are counted from 0.
                    Some((column, value)) => format!("`{value}` in column {}: {}", column + 1, err.kind()),
                    None => err.kind().to_string(),
                }
            }
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("the line has {len} columns, the header {expected_len}")
            }
            _ => error.to_string(),
        };
        Unreadable { line, message }
    };
    let header = reader.headers().map_err(|error| unreadable(&error, None))?.clone();
    let sighting = |record: csv::Result<csv::StringRecord>| {
        let record = record.map_err(|error| unreadable(&error, None))?;
        record.deserialize(Some(&header)).map_err(|error| unreadable(&error, Some(&record)))
    };
    reader.records().map(sighting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RPI: &str = "8be6cd371c5c891604bfbe49df845096";

    fn line(rssi: &str, seen_at: &str) -> String {
        format!(r#"{{"rpi":"{RPI}","aem":"72033874","rssi_dbm":{rssi},"seen_at":{seen_at}}}"#)
    }

    fn problem(text: &str) -> String {
        let Unreadable { line, message } = parse(text).unwrap_err();
        format!("{line}: {message}")
    }

    #[test]
    fn json_lines_and_csv_say_the_same() {
        let json = format!("\n{}\r\n\n{}\n", line("-50", "1585785600"), line("-61", "1585785660"));
        let csv = format!(
            "seen_at, rssi_dbm,rpi,aem,phone\r\n1585785600,-50,{RPI},72033874,\"a, b\"\n1585785660,-61,{RPI},72033874,\n"
        );
        let sightings = parse(&json).unwrap();
        assert_eq!(sightings.len(), 2);
        assert_eq!(parse(&csv).unwrap(), sightings);
        assert_eq!(parse(&format!("\u{feff}{csv}")).unwrap(), sightings);
        assert_eq!((sightings[1].rssi_dbm, sightings[1].seen_at.as_secs()), (-61, 1_585_785_660));
    }

    #[test]
    fn nothing_received_is_no_mistake() {
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse("rpi,aem,rssi_dbm,seen_at\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let good = line("-50", "0");
        insta::assert_snapshot!(problem(&format!("{good}\n{{\"rpi\"\n")), @"2: EOF while parsing an object, at column 6");
        insta::assert_snapshot!(problem(&format!("{good}\n{}\n", line("-200", "0"))), @"2: invalid value: integer `-200`, expected i8, at column 74");
        insta::assert_snapshot!(problem(&format!("{good}\n{}\n", line("-50", "-1"))), @"2: invalid value: integer `-1`, expected u64, at column 86");
        insta::assert_snapshot!(problem(&good.replace("8be6", "8be")), @"1: RollingProximityIdentifier: must be 32 hex digits, not 31, at column 40");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm\n{RPI},72033874,1\n")), @"1: the first line names no column `seen_at`");
        insta::assert_snapshot!(problem(&format!("{RPI},72033874,-60,1585786200\n")), @"1: the first line names no column `rpi`");
        insta::assert_snapshot!(problem(&format!("[{good}]")), @"1: the first line names no column `rpi`");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},72033874,-50,1\n{RPI},72033874,weak,1\n")), @"3: `weak` in column 3: invalid digit found in string");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},7203387,-50,1\n")), @"2: AssociatedEncryptedMetadata: must be 8 hex digits, not 7");
        insta::assert_snapshot!(problem(&format!("rpi,aem,rssi_dbm,seen_at\n{RPI},72033874,-50\n")), @"2: the line has 3 columns, the header 4");
    }
}
