//! Keys that their owners have made public, and what is said about them.

use core::fmt;

use crate::tek::{KeyLengthError, TemporaryExposureKey};
use crate::time::{ENIntervalNumber, RollingPeriod, UnixTime};

/// A Temporary Exposure Key that was made public after a positive test, with the time it was on air.
///
/// Public: freely copied, compared and printed. The bytes are those of a
/// [`TemporaryExposureKey`]; publishing is what makes them another type.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DiagnosisKey {
    /// The 16 bytes of the key.
    #[cfg_attr(feature = "serde", serde(with = "hex::serde"))]
    pub key_data: [u8; TemporaryExposureKey::LENGTH],
    /// The first interval in which the key was broadcast.
    pub rolling_start_interval_number: ENIntervalNumber,
    /// For how many intervals it was broadcast.
    pub rolling_period: RollingPeriod,
    /// The health authority's estimate of how infectious the person was on that day.
    pub transmission_risk_level: Option<TransmissionRiskLevel>,
    /// On what grounds the key was reported.
    pub report_type: Option<ReportType>,
    /// Days from the onset of symptoms to the day of the key.
    pub days_since_onset_of_symptoms: Option<DaysSinceOnsetOfSymptoms>,
}

impl DiagnosisKey {
    /// A key without further statements.
    #[must_use]
    pub const fn new(
        key_data: [u8; TemporaryExposureKey::LENGTH],
        rolling_start_interval_number: ENIntervalNumber,
        rolling_period: RollingPeriod,
    ) -> Self {
        Self {
            key_data,
            rolling_start_interval_number,
            rolling_period,
            transmission_risk_level: None,
            report_type: None,
            days_since_onset_of_symptoms: None,
        }
    }

    /// A key without further statements, from key data of any length.
    ///
    /// # Errors
    ///
    /// Key data that is not 16 bytes long.
    pub fn from_slice(
        key_data: &[u8],
        rolling_start_interval_number: ENIntervalNumber,
        rolling_period: RollingPeriod,
    ) -> Result<Self, KeyLengthError> {
        let key_data = key_data.try_into().map_err(|_| KeyLengthError { got: key_data.len() })?;
        Ok(Self::new(key_data, rolling_start_interval_number, rolling_period))
    }

    /// The key as material to derive identifiers from.
    #[must_use]
    pub const fn temporary_exposure_key(&self) -> TemporaryExposureKey {
        TemporaryExposureKey::from_bytes(self.key_data)
    }

    /// The moment from which the key is no longer broadcast; it is in no package before this time plus the embargo.
    #[must_use]
    pub const fn end(&self) -> UnixTime {
        self.rolling_start_interval_number
            .start()
            .plus(self.rolling_period.get() as u64 * ENIntervalNumber::SECONDS)
    }

    /// The moment before which nobody may publish the key: two hours after its [end](Self::end).
    ///
    /// Receivers accept an identifier two hours before and after its time. Until that has passed, whoever reads the
    /// key could broadcast it and be taken for its owner.
    #[must_use]
    pub const fn embargo_end(&self) -> UnixTime {
        self.end().plus(Self::EMBARGO_SECONDS)
    }

    const EMBARGO_SECONDS: u64 = 120 * 60;
}

/// The risk of transmission that a health authority assigns to a key's day: 0 (unused) or 1 (lowest) to 8 (highest).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct TransmissionRiskLevel(u8);

impl TransmissionRiskLevel {
    /// Level 0: nothing said. Framework v1 gives it the factor 1.
    pub const UNUSED: Self = Self(0);

    /// The level, 0 to 8.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for TransmissionRiskLevel {
    type Error = TransmissionRiskLevelError;

    #[inline]
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u8::try_from(number) {
            Ok(n @ 0..=8) => Ok(Self(n)),
            _ => Err(TransmissionRiskLevelError { got: number }),
        }
    }
}

impl From<TransmissionRiskLevel> for i64 {
    fn from(level: TransmissionRiskLevel) -> Self {
        level.0.into()
    }
}

impl fmt::Display for TransmissionRiskLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transmission risk level outside 0..=8.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the transmission risk level must be 0 to 8, not {got}")]
#[non_exhaustive]
pub struct TransmissionRiskLevelError {
    /// The number found.
    pub got: i64,
}

/// On what grounds a key was reported (`TemporaryExposureKey.ReportType` of the export format, field 5).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
#[expect(clippy::exhaustive_enums, reason = "complete by the export format: 0 to 5")]
pub enum ReportType {
    /// 0: never returned to an app.
    Unknown,
    /// 1: a laboratory test.
    ConfirmedTest,
    /// 2: a clinician's diagnosis.
    ConfirmedClinicalDiagnosis,
    /// 3: the person's own report.
    SelfReport,
    /// 4: reserved for exposures of exposed persons.
    Recursive,
    /// 5: taken back; matches nothing.
    Revoked,
}

impl ReportType {
    /// The number on the wire, 0 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<ReportType> for i64 {
    fn from(report_type: ReportType) -> Self {
        report_type.number().into()
    }
}

impl TryFrom<i64> for ReportType {
    type Error = ReportTypeError;

    #[inline]
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        Ok(match number {
            0 => Self::Unknown,
            1 => Self::ConfirmedTest,
            2 => Self::ConfirmedClinicalDiagnosis,
            3 => Self::SelfReport,
            4 => Self::Recursive,
            5 => Self::Revoked,
            got => return Err(ReportTypeError { got }),
        })
    }
}

/// A report type outside 0..=5.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the report type must be 0 to 5, not {got}")]
#[non_exhaustive]
pub struct ReportTypeError {
    /// The number found.
    pub got: i64,
}

/// Days from the onset of symptoms to the day of the key, or one of the published encodings of what is known: -15 to 4000.
///
/// The framework itself takes -14 to 14; the federated European encodings say in higher numbers what is known when
/// the onset is not.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct DaysSinceOnsetOfSymptoms(i16);

impl DaysSinceOnsetOfSymptoms {
    /// The number, -15 to 4000.
    #[must_use]
    pub const fn get(self) -> i16 {
        self.0
    }

    /// Whether the framework takes the number as days: -14 to 14.
    #[must_use]
    pub const fn is_within_framework_range(self) -> bool {
        self.0 >= -14 && self.0 <= 14
    }
}

impl TryFrom<i64> for DaysSinceOnsetOfSymptoms {
    type Error = DaysSinceOnsetOfSymptomsError;

    #[inline]
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match i16::try_from(number) {
            Ok(n @ -15..=4000) => Ok(Self(n)),
            _ => Err(DaysSinceOnsetOfSymptomsError { got: number }),
        }
    }
}

impl From<DaysSinceOnsetOfSymptoms> for i64 {
    fn from(days: DaysSinceOnsetOfSymptoms) -> Self {
        days.0.into()
    }
}

/// Days since onset outside -15..=4000.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("days since onset of symptoms must be -15 to 4000, not {got}")]
#[non_exhaustive]
pub struct DaysSinceOnsetOfSymptomsError {
    /// The number found.
    pub got: i64,
}
