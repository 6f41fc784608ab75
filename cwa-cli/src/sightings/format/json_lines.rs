//! JSON lines: one object a line with `rpi`, `aem`, `rssi_dbm` and `seen_at`. Other members are ignored.

use core::fmt;

use super::{Collector, Place, ReadError};

pub(super) fn read(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place::Line(number);
        let sighting = serde_json::from_str(line).map_err(|error| place.error(JsonLineError(error)))?;
        collector.given(sighting).map_err(|error| place.error(error))?;
    }
    Ok(())
}

/// What is wrong with a line of JSON.
#[derive(Debug)]
pub(crate) struct JsonLineError(serde_json::Error);

impl fmt::Display for JsonLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The parser counts lines too, but it has seen only this one.
        let message = self.0.to_string();
        let message = message.split(" at line 1 ").next().unwrap_or_default();
        write!(f, "{message}, at column {}", self.0.column())
    }
}

impl core::error::Error for JsonLineError {}
