//! `cwa match`: diagnosis keys against received identifiers.

use cwa_crypto::Attenuation;
use cwa_crypto::matching::Match;
use cwa_crypto::metadata::CalibrationConfidence;
use serde::Serialize;

/// A match as it is printed, and as vectors tell it.
#[derive(Serialize)]
pub(crate) struct FoundMatch {
    key_data: String,
    interval: u32,
    rpi: String,
    seen_at: u64,
    rssi_dbm: i8,
    /// `null` if the metadata cannot be meant.
    tx_power_dbm: Option<i8>,
    /// `null` if the transmit power is not known: impossible metadata, or of an unsupported major version.
    attenuation_db: Option<u8>,
    calibration_confidence: Option<u8>,
    /// `major.minor`; `null` if the metadata cannot be meant.
    metadata_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transmission_risk_level: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_since_onset_of_symptoms: Option<i16>,
}

impl From<&Match> for FoundMatch {
    fn from(found: &Match) -> Self {
        let metadata = found.metadata.ok();
        Self {
            key_data: hex::encode(found.key.key_data),
            interval: found.interval.get(),
            rpi: found.sighting.rpi.to_string(),
            seen_at: found.sighting.seen_at.as_secs(),
            rssi_dbm: found.sighting.rssi_dbm,
            tx_power_dbm: metadata.map(|metadata| metadata.transmit_power().dbm()),
            attenuation_db: found.attenuation.map(Attenuation::db),
            calibration_confidence: found.calibration_confidence().map(CalibrationConfidence::number),
            metadata_version: metadata.map(|metadata| metadata.version().to_string()),
            transmission_risk_level: found.key.transmission_risk_level.map(|level| level.get()),
            report_type: found.key.report_type.map(|report_type| report_type.number()),
            days_since_onset_of_symptoms: found.key.days_since_onset_of_symptoms.map(|days| days.get()),
        }
    }
}
