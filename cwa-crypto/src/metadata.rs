//! What the encrypted metadata says, and the attenuation that follows from it.

use core::fmt;

/// Bluetooth metadata: with what radiated power a frame was sent, and how well that power is known.
///
/// Public once decrypted. Four bytes on the wire (Bluetooth Specification v1.2, "Associated Encrypted Metadata"):
///
/// | byte | bits | what |
/// |---|---|---|
/// | 0 | 7:6 | major version, 1 |
/// | 0 | 5:4 | minor version, 0 or 1 |
/// | 0 | 3:2 | calibration confidence, since minor version 1 |
/// | 0 | 1:0 | reserved |
/// | 1 | | transmit power in dBm, two's complement, -127..=127 |
/// | 2, 3 | | reserved |
///
/// Reserved bits are ignored on receipt and zero on sending. Another major version than 1 is decoded by the same
/// layout, so that it can be shown, but [not supported](Self::is_supported).
///
/// ```
/// use cwa_crypto::{BluetoothMetadata, metadata::CalibrationConfidence};
///
/// let metadata = BluetoothMetadata::decode([0x5c, 0xf4, 0, 0]).unwrap();
/// assert_eq!((metadata.version().major(), metadata.version().minor()), (1, 1));
/// assert_eq!(metadata.calibration_confidence(), Some(CalibrationConfidence::High));
/// assert_eq!(metadata.transmit_power().dbm(), -12);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BluetoothMetadata {
    version: MetadataVersion,
    /// `Some` exactly if the version [has](MetadataVersion::has_confidence) it.
    calibration_confidence: Option<CalibrationConfidence>,
    transmit_power: TransmitPower,
}

impl BluetoothMetadata {
    /// Bytes of metadata.
    pub const LENGTH: usize = 4;

    /// Metadata of version 1.0.
    #[must_use]
    pub const fn v1_0(transmit_power: TransmitPower) -> Self {
        Self { version: MetadataVersion::V1_0, calibration_confidence: None, transmit_power }
    }

    /// Metadata of version 1.1, which adds the calibration confidence.
    #[must_use]
    pub const fn v1_1(transmit_power: TransmitPower, confidence: CalibrationConfidence) -> Self {
        Self { version: MetadataVersion::V1_1, calibration_confidence: Some(confidence), transmit_power }
    }

    /// Reads metadata of any version.
    ///
    /// # Errors
    ///
    /// A transmit power of -128 dBm: the byte can say it, the specification's range -127..=127 cannot.
    pub const fn decode(bytes: [u8; Self::LENGTH]) -> Result<Self, MetadataError> {
        let [first, power, _, _] = bytes;
        let transmit_power = match TransmitPower::from_dbm(power.cast_signed()) {
            Ok(transmit_power) => transmit_power,
            Err(error) => return Err(MetadataError::TransmitPower(error)),
        };
        let version = MetadataVersion { major: first >> 6, minor: first >> 4 & 0b11 };
        let calibration_confidence =
            if version.has_confidence() { Some(CalibrationConfidence::from_bits(first >> 2)) } else { None };
        Ok(Self { version, calibration_confidence, transmit_power })
    }

    /// The bytes on the wire, reserved bits zero.
    #[must_use]
    pub const fn encode(self) -> [u8; Self::LENGTH] {
        let confidence = match self.calibration_confidence {
            Some(confidence) => confidence.number() << 2,
            None => 0,
        };
        let first = self.version.major << 6 | self.version.minor << 4 | confidence;
        [first, self.transmit_power.0.cast_unsigned(), 0, 0]
    }

    /// The version the sender named.
    #[must_use]
    pub const fn version(self) -> MetadataVersion {
        self.version
    }

    /// Whether the layout is known to mean what it was read as: major version 1.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        self.version.major == 1
    }

    /// The radiated power the frame was sent with.
    #[must_use]
    pub const fn transmit_power(self) -> TransmitPower {
        self.transmit_power
    }

    /// How well the sender's power is calibrated; said since minor version 1.
    #[must_use]
    pub const fn calibration_confidence(self) -> Option<CalibrationConfidence> {
        self.calibration_confidence
    }
}

/// A version of the metadata layout: major and minor, 0 to 3 each.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MetadataVersion {
    major: u8,
    minor: u8,
}

impl MetadataVersion {
    /// Version 1.0, of the published Bluetooth Specification v1.2.
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    /// Version 1.1, which phones send: with calibration confidence.
    pub const V1_1: Self = Self { major: 1, minor: 1 };

    /// The major version, 0 to 3. Another than 1 is not supported.
    #[must_use]
    pub const fn major(self) -> u8 {
        self.major
    }

    /// The minor version, 0 to 3.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.minor
    }

    // Minor version 1 brought it; before major version 1 there was nothing to bring it to. Other implementations differ:
    // one reads the bits of every version, one compares the byte as a signed number and so takes versions 2 and 3 for
    // older than 1.
    const fn has_confidence(self) -> bool {
        self.major >= 1 && self.minor >= 1
    }
}

impl fmt::Display for MetadataVersion {
    /// `major.minor`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How well the transmit power of the sender's model is calibrated (metadata version 1.1, two bits).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "complete by the wire format: two bits")]
pub enum CalibrationConfidence {
    /// 0: not calibrated; a value for all phones.
    Lowest,
    /// 1: an average over the manufacturer's models.
    Low,
    /// 2: taken over from a similar model, in one orientation.
    Medium,
    /// 3: this model was measured thoroughly.
    High,
}

impl CalibrationConfidence {
    /// The number on the wire, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::Lowest,
            1 => Self::Low,
            2 => Self::Medium,
            _ => Self::High,
        }
    }
}

impl TryFrom<i64> for CalibrationConfidence {
    type Error = CalibrationConfidenceError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        Ok(match number {
            0 => Self::Lowest,
            1 => Self::Low,
            2 => Self::Medium,
            3 => Self::High,
            got => return Err(CalibrationConfidenceError { got }),
        })
    }
}

/// A calibration confidence outside 0..=3.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the calibration confidence must be 0 to 3, not {got}")]
#[non_exhaustive]
pub struct CalibrationConfidenceError {
    /// The number found.
    pub got: i64,
}

/// Radiated transmit power in dBm, -127 to 127.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct TransmitPower(i8);

impl TransmitPower {
    /// This many dBm.
    ///
    /// # Errors
    ///
    /// -128.
    pub const fn from_dbm(dbm: i8) -> Result<Self, TransmitPowerError> {
        if dbm == i8::MIN {
            return Err(TransmitPowerError { got: dbm as i64 });
        }
        Ok(Self(dbm))
    }

    /// The power in dBm, -127 to 127.
    #[must_use]
    pub const fn dbm(self) -> i8 {
        self.0
    }
}

impl TryFrom<i64> for TransmitPower {
    type Error = TransmitPowerError;

    fn try_from(dbm: i64) -> Result<Self, Self::Error> {
        i8::try_from(dbm).map_err(|_| TransmitPowerError { got: dbm }).and_then(Self::from_dbm)
    }
}

impl From<TransmitPower> for i64 {
    fn from(power: TransmitPower) -> Self {
        power.0.into()
    }
}

impl fmt::Display for TransmitPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transmit power outside -127..=127 dBm.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[error("the transmit power must be -127 to 127 dBm, not {got}")]
#[non_exhaustive]
pub struct TransmitPowerError {
    /// The number found, in dBm.
    pub got: i64,
}

/// Why four bytes are not metadata.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The byte of the transmit power says -128.
    #[error(transparent)]
    TransmitPower(TransmitPowerError),
}

/// How much weaker a frame was received than it was sent, in dB: 0 to 255.
///
/// The only measure of distance there is; below 50 dB is taken as below two metres.
///
/// ```
/// use cwa_crypto::{Attenuation, TransmitPower};
///
/// let sent = TransmitPower::from_dbm(-14).unwrap();
/// assert_eq!(Attenuation::between(sent, -57).db(), 43);
/// assert_eq!(Attenuation::between(sent, -10), Attenuation::from_db(0));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Attenuation(u8);

impl Attenuation {
    /// This many dB.
    #[must_use]
    pub const fn from_db(db: u8) -> Self {
        Self(db)
    }

    /// The attenuation of a frame sent with `transmit_power` and received at `rssi_dbm`; 0 if it came in stronger.
    #[must_use]
    pub const fn between(transmit_power: TransmitPower, rssi_dbm: i8) -> Self {
        let db = transmit_power.0 as i16 - rssi_dbm as i16;
        if db <= 0 {
            return Self(0);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0, compared just above, and at most 127 + 128 = 255"
        )]
        Self(db as u8)
    }

    /// The attenuation in dB.
    #[must_use]
    pub const fn db(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Attenuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_read_from_minor_version_1_on() {
        for (first, expected) in [
            (0x4f, None),
            (0x0f, None),
            (0x3f, None),
            (0x50, Some(CalibrationConfidence::Lowest)),
            (0x67, Some(CalibrationConfidence::Low)),
            (0x8b, None),
            (0x9b, Some(CalibrationConfidence::Medium)),
            (0xff, Some(CalibrationConfidence::High)),
        ] {
            let metadata = BluetoothMetadata::decode([first, 0, 0, 0]).unwrap();
            assert_eq!(metadata.calibration_confidence(), expected, "{first:02x}");
        }
    }

    #[test]
    fn only_major_version_1_is_supported() {
        for first in 0..=255 {
            let metadata = BluetoothMetadata::decode([first, 0, 0, 0]).unwrap();
            assert_eq!(metadata.is_supported(), first >> 6 == 1);
        }
    }

    #[test]
    fn reserved_bits_are_ignored_on_receipt_and_zero_on_sending() {
        let metadata = BluetoothMetadata::decode([0b0101_1011, 0xf4, 0xff, 0xff]).unwrap();
        let expected =
            BluetoothMetadata::v1_1(TransmitPower::from_dbm(-12).unwrap(), CalibrationConfidence::Medium);
        assert_eq!(metadata, expected);
        assert_eq!(metadata.encode(), [0b0101_1000, 0xf4, 0, 0]);
        // Before 1.1 the confidence bits are reserved, too.
        assert_eq!(BluetoothMetadata::decode([0x4f, 8, 1, 2]).unwrap().encode(), [0x40, 8, 0, 0]);
    }

    #[test]
    fn transmit_power_is_minus_127_to_127_dbm() {
        for dbm in -127..=127 {
            assert_eq!(TransmitPower::try_from(i64::from(dbm)), TransmitPower::from_dbm(dbm));
            assert_eq!(TransmitPower::from_dbm(dbm).unwrap().dbm(), dbm);
        }
        for got in [i64::MIN, -129, -128, 128, i64::MAX] {
            assert_eq!(TransmitPower::try_from(got), Err(TransmitPowerError { got }));
        }
        assert_eq!(
            BluetoothMetadata::decode([0x40, 0x80, 0, 0]),
            Err(MetadataError::TransmitPower(TransmitPowerError { got: -128 }))
        );
    }

    #[test]
    fn attenuation_is_clamped_at_zero_and_fits_a_byte() {
        let attenuation = |tx, rssi| Attenuation::between(TransmitPower::from_dbm(tx).unwrap(), rssi).db();
        assert_eq!(attenuation(127, -128), 255);
        assert_eq!(attenuation(-127, 127), 0);
        assert_eq!(attenuation(-12, -12), 0);
        assert_eq!(attenuation(-12, -13), 1);
        assert_eq!(attenuation(0, -1), 1);
    }

    #[test]
    fn calibration_confidence_is_0_to_3() {
        for number in 0..=3 {
            assert_eq!(i64::from(CalibrationConfidence::try_from(number).unwrap().number()), number);
        }
        for got in [-1, 4] {
            assert_eq!(CalibrationConfidence::try_from(got), Err(CalibrationConfidenceError { got }));
        }
    }
}
