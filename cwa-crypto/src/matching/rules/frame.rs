//! What rules make of a frame: its metadata, its transmit power, its strength.

use super::super::{ComputedAttenuation, DropReason};
use super::{Attenuations, MetadataVersions, Rules, TransmitPowers};
use crate::metadata::{BluetoothMetadata, CalibrationConfidence};

/// A frame as rules read it.
pub(in super::super) struct FrameReading {
    /// `None` if the transmit power is not known.
    pub(in super::super) attenuation: Option<ComputedAttenuation>,
    pub(in super::super) calibration_confidence: Option<CalibrationConfidence>,
}

/// Reads a frame by its decrypted metadata, which nobody vouches for, and the strength it was received with.
pub(in super::super) fn read_frame(
    rules: Rules,
    metadata: [u8; BluetoothMetadata::LENGTH],
    rssi_dbm: i8,
) -> Result<FrameReading, DropReason> {
    let (power, calibration_confidence) = read_metadata(rules.metadata_versions(), metadata);
    let Some(power) = power else { return Ok(FrameReading { attenuation: None, calibration_confidence }) };
    let difference = i16::from(power) - i16::from(rssi_dbm);
    let db = match rules.attenuations() {
        Attenuations::AtLeastZero => difference.max(0),
        Attenuations::AboveZero if difference <= 0 || rssi_dbm == i8::MAX => {
            return Err(DropReason::ZeroAttenuation { transmit_power_dbm: power });
        }
        Attenuations::AboveZero | Attenuations::Signed => difference,
    };
    match rules.transmit_powers() {
        TransmitPowers::Between { min_dbm, max_dbm } if !(min_dbm..=max_dbm).contains(&power) => {
            Err(DropReason::TransmitPowerOutOfBounds { got_dbm: power, min_dbm, max_dbm })
        }
        _ => Ok(FrameReading { attenuation: Some(ComputedAttenuation::from_db(db)), calibration_confidence }),
    }
}

/// The transmit power, if known, and the calibration confidence, if said.
fn read_metadata(
    versions: MetadataVersions,
    metadata: [u8; BluetoothMetadata::LENGTH],
) -> (Option<i8>, Option<CalibrationConfidence>) {
    let [version, power, _, _] = metadata;
    let power = power.cast_signed();
    let confidence = CalibrationConfidence::from_bits(version >> 2);
    match versions {
        MetadataVersions::Major1 => {
            let supported = BluetoothMetadata::decode(metadata).ok().filter(|decoded| decoded.is_supported());
            let power = supported.map(|decoded| decoded.transmit_power().dbm());
            (power, supported.and_then(BluetoothMetadata::calibration_confidence))
        }
        MetadataVersions::Unread => (Some(power), Some(confidence)),
        MetadataVersions::AsVersion1_0 => (Some(power), None),
        // As numbers with a sign, the bytes 80 to ff are below 40, too.
        MetadataVersions::SignedByte => {
            let version = version.cast_signed();
            ((version >= 0x40).then_some(power), (version >= 0x50).then_some(confidence))
        }
    }
}
