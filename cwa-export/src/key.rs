//! One key of an export, with the presence of every field kept.

use cwa_crypto::diagnosis::{DaysSinceOnsetOfSymptomsError, ReportTypeError, TransmissionRiskLevelError};
use cwa_crypto::matching::StatedKey;
use cwa_crypto::tek::KeyLengthError;
use cwa_crypto::time::RollingPeriodError;
use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel,
};

use crate::wire;

/// A key as it stands in a file: public, every value in range, absent fields absent.
///
/// The format is proto2, where a field that is absent and one that holds its default are different bytes. Keeping
/// that apart is what gives the same bytes back when a file is written anew. What a device makes of absence is
/// [`ExportKey::diagnosis_key`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct ExportKey {
    /// The 16 bytes of the key.
    pub key_data: [u8; Self::LENGTH],
    /// Risk of transmission, 0 to 8.
    pub transmission_risk_level: Option<TransmissionRiskLevel>,
    /// First interval on air; absent means 0.
    pub rolling_start_interval_number: Option<ENIntervalNumber>,
    /// Intervals on air; absent means 144.
    pub rolling_period: Option<RollingPeriod>,
    /// On what grounds the key was reported.
    pub report_type: Option<ReportType>,
    /// Days from the onset of symptoms to the key's day, or an encoding.
    pub days_since_onset_of_symptoms: Option<DaysSinceOnsetOfSymptoms>,
    /// The variant that a laboratory found.
    pub variant_of_concern: Option<VariantOfConcern>,
}

impl ExportKey {
    /// Bytes of key data.
    pub const LENGTH: usize = 16;

    /// A key of which nothing but its bytes is said.
    #[must_use]
    pub const fn new(key_data: [u8; Self::LENGTH]) -> Self {
        Self {
            key_data,
            transmission_risk_level: None,
            rolling_start_interval_number: None,
            rolling_period: None,
            report_type: None,
            days_since_onset_of_symptoms: None,
            variant_of_concern: None,
        }
    }

    /// The key as a device takes it, the defaults of the format applied.
    ///
    /// `optional int32 rolling_period = 4 [default = 144]`; an absent start interval is 0, as for any absent number
    /// of proto2. Report type and days since onset stay absent: what absence means there differs between
    /// authorities, and their configuration says it.
    ///
    /// ```
    /// use cwa_export::ExportKey;
    /// assert_eq!(ExportKey::new([7; 16]).diagnosis_key().rolling_period.get(), 144);
    /// ```
    #[must_use]
    #[inline]
    pub fn diagnosis_key(&self) -> DiagnosisKey {
        let mut key = DiagnosisKey::new(
            self.key_data,
            self.rolling_start_interval_number.unwrap_or_default(),
            self.rolling_period.unwrap_or_default(),
        );
        key.transmission_risk_level = self.transmission_risk_level;
        key.report_type = self.report_type;
        key.days_since_onset_of_symptoms = self.days_since_onset_of_symptoms;
        key
    }

    /// Most bytes of a key as a field of an export: tag, length, 18 for the bytes of the key, 6 for the start, 3 for the
    /// period and for days since onset, 2 for level, report type and variant.
    pub(crate) const LONGEST_FIELD: usize = 2 + 18 + 6 + 3 + 3 + 3 * 2;

    /// Appends the key as a field with this tag: what [`to_wire`](Self::to_wire) would be encoded to.
    #[inline]
    pub(crate) fn encode_as(&self, tag: u8, bytes: &mut Vec<u8>) {
        let mut field = [0; Self::LONGEST_FIELD];
        let mut rest = field.as_mut_slice();
        let mut put = |part: &[u8]| {
            if let Some((place, behind)) = core::mem::take(&mut rest).split_at_mut_checked(part.len()) {
                place.copy_from_slice(part);
                rest = behind;
            }
        };
        put(&[tag, 0, 0x0a, 16]);
        put(&self.key_data);
        let mut number = |tag: u8, number: Option<u32>| {
            let Some(mut number) = number else { return };
            put(&[tag]);
            while number > 0x7f {
                put(&[low_byte(number) | 0x80]);
                number >>= 7;
            }
            put(&[low_byte(number)]);
        };
        number(0x10, self.transmission_risk_level.map(|level| level.get().into()));
        let start = self.rolling_start_interval_number;
        number(0x18, start.map(|start| start.get().min(i32::MAX.unsigned_abs())));
        number(0x20, self.rolling_period.map(|period| period.get().into()));
        number(0x28, self.report_type.map(|report_type| report_type.number().into()));
        let zigzag = |days: i32| (days << 1 ^ days >> 31).cast_unsigned();
        number(0x30, self.days_since_onset_of_symptoms.map(|days| zigzag(days.get().into())));
        number(0x40, self.variant_of_concern.map(|variant| variant.get().into()));
        let length = Self::LONGEST_FIELD.saturating_sub(rest.len());
        if let Some(place) = field.get_mut(1) {
            *place = u8::try_from(length.saturating_sub(2)).unwrap_or(u8::MAX);
        }
        bytes.extend_from_slice(field.get(..length).unwrap_or_default());
    }

    pub(crate) fn to_wire(self) -> wire::export::TemporaryExposureKey {
        wire::export::TemporaryExposureKey {
            key_data: Some(self.key_data.to_vec()),
            transmission_risk_level: self.transmission_risk_level.map(|level| level.get().into()),
            // As int32 on the wire the upper half of the numbers is negative; `try_from` below never let one in.
            rolling_start_interval_number: self
                .rolling_start_interval_number
                .map(|start| i32::try_from(start.get()).unwrap_or(i32::MAX)),
            rolling_period: self.rolling_period.map(|period| period.get().into()),
            report_type: self.report_type.map(|report_type| report_type.number().into()),
            days_since_onset_of_symptoms: self.days_since_onset_of_symptoms.map(|days| days.get().into()),
            variant_of_concern: self.variant_of_concern.map(|variant| variant.get().into()),
        }
    }
}

const fn low_byte(number: u32) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low
}

impl From<DiagnosisKey> for ExportKey {
    /// Everything the key says, start and period always written, as the German server does.
    fn from(key: DiagnosisKey) -> Self {
        Self {
            key_data: key.key_data,
            transmission_risk_level: key.transmission_risk_level,
            rolling_start_interval_number: Some(key.rolling_start_interval_number),
            rolling_period: Some(key.rolling_period),
            report_type: key.report_type,
            days_since_onset_of_symptoms: key.days_since_onset_of_symptoms,
            variant_of_concern: None,
        }
    }
}

/// The variant of the virus that a laboratory found, as a class of reduced vaccine effectiveness: 0 to 4.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VariantOfConcern(u8);

impl VariantOfConcern {
    /// The number, 0 to 4.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for VariantOfConcern {
    type Error = VariantOfConcernError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u8::try_from(number) {
            Ok(n @ 0..=4) => Ok(Self(n)),
            _ => Err(VariantOfConcernError { got: number }),
        }
    }
}

/// A variant outside 0..=4.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the variant of concern must be 0 to 4, not {got}")]
#[non_exhaustive]
pub struct VariantOfConcernError {
    /// The number found.
    pub got: i64,
}

/// A key as it stands on the wire: numbers unchecked, key data of any length.
///
/// What auditors look at when a key is wrong; the way to a usable key is [`ExportKey::try_from`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct RawKey<'a> {
    /// Field 1.
    pub key_data: Option<&'a [u8]>,
    /// Field 2.
    pub transmission_risk_level: Option<i32>,
    /// Field 3.
    pub rolling_start_interval_number: Option<i32>,
    /// Field 4.
    pub rolling_period: Option<i32>,
    /// Field 5.
    pub report_type: Option<i32>,
    /// Field 6.
    pub days_since_onset_of_symptoms: Option<i32>,
    /// Field 8.
    pub variant_of_concern: Option<i32>,
}

impl<'a> RawKey<'a> {
    /// The key data as a big-endian number, if it is 16 bytes.
    pub(crate) fn number(&self) -> Option<u128> {
        self.key_data?.try_into().ok().map(u128::from_be_bytes)
    }

    pub(crate) fn from_wire(key: &'a wire::export::TemporaryExposureKey) -> Self {
        Self {
            key_data: key.key_data.as_deref(),
            transmission_risk_level: key.transmission_risk_level,
            rolling_start_interval_number: key.rolling_start_interval_number,
            rolling_period: key.rolling_period,
            report_type: key.report_type,
            days_since_onset_of_symptoms: key.days_since_onset_of_symptoms,
            variant_of_concern: key.variant_of_concern,
        }
    }
}

impl TryFrom<RawKey<'_>> for ExportKey {
    type Error = KeyError;

    #[inline(always)]
    fn try_from(raw: RawKey<'_>) -> Result<Self, Self::Error> {
        let key_data = raw.key_data.ok_or(KeyError::Missing)?;
        let key_data = key_data.try_into().map_err(|_| KeyError::Length { length: key_data.len() })?;
        let rolling_period: Option<RollingPeriod> = number(raw.rolling_period)?;
        let start = raw.rolling_start_interval_number;
        if let Some(start) = start
            && start.checked_add(rolling_period.unwrap_or_default().get().into()).is_none()
        {
            return Err(KeyError::EndInterval { start });
        }
        Ok(Self {
            key_data,
            transmission_risk_level: number(raw.transmission_risk_level)?,
            rolling_start_interval_number: start
                .map(|start| {
                    u32::try_from(start)
                        .map(ENIntervalNumber::new)
                        .map_err(|_| KeyError::StartInterval { got: start })
                })
                .transpose()?,
            rolling_period,
            report_type: number(raw.report_type)?,
            days_since_onset_of_symptoms: number(raw.days_since_onset_of_symptoms)?,
            variant_of_concern: number(raw.variant_of_concern)?,
        })
    }
}

impl TryFrom<RawKey<'_>> for StatedKey {
    type Error = KeyError;

    /// The key with whatever rolling period it states: what that means is for [rules](cwa_crypto::matching::Rules::read)
    /// to say. All else has to be in range.
    fn try_from(raw: RawKey<'_>) -> Result<Self, Self::Error> {
        // A period that no key can have is left out here, so that the end is looked at with one that it can have.
        let rolling_period =
            raw.rolling_period.filter(|period| RollingPeriod::try_from(i64::from(*period)).is_ok());
        let key = ExportKey::try_from(RawKey { rolling_period, ..raw })?.diagnosis_key();
        let mut stated = Self::new(key.key_data, key.rolling_start_interval_number);
        stated.rolling_period = raw.rolling_period;
        stated.transmission_risk_level = key.transmission_risk_level;
        stated.report_type = key.report_type;
        stated.days_since_onset_of_symptoms = key.days_since_onset_of_symptoms;
        Ok(stated)
    }
}

#[inline]
fn number<T>(raw: Option<i32>) -> Result<Option<T>, KeyError>
where
    T: TryFrom<i64>,
    KeyError: From<T::Error>,
{
    Ok(raw.map(|raw| T::try_from(raw.into())).transpose()?)
}

/// Why a key of a file or a submission cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key data at all.
    #[error("the key has no key data")]
    Missing,
    /// Key data of another length.
    #[error("key data must be 16 bytes, not {length}")]
    Length {
        /// The length found, in bytes.
        length: usize,
    },
    /// A negative start interval.
    #[error("the rolling start interval number must not be negative, but is {got}")]
    StartInterval {
        /// The number found.
        got: i32,
    },
    /// An end that the start's number cannot hold: some readers compute a negative one, others one in 1970.
    #[error("a key that starts at interval {start} ends beyond interval {}", i32::MAX)]
    EndInterval {
        /// The first interval.
        start: i32,
    },
    /// A rolling period out of range.
    #[error(transparent)]
    RollingPeriod(#[from] RollingPeriodError),
    /// A transmission risk level out of range.
    #[error(transparent)]
    TransmissionRiskLevel(#[from] TransmissionRiskLevelError),
    /// A report type out of range.
    #[error(transparent)]
    ReportType(#[from] ReportTypeError),
    /// Days since onset out of range.
    #[error(transparent)]
    DaysSinceOnsetOfSymptoms(#[from] DaysSinceOnsetOfSymptomsError),
    /// A variant out of range.
    #[error(transparent)]
    VariantOfConcern(#[from] VariantOfConcernError),
}

impl From<KeyLengthError> for KeyError {
    fn from(error: KeyLengthError) -> Self {
        Self::Length { length: error.got }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn raw() -> RawKey<'static> {
        RawKey {
            key_data: Some(&[1; 16]),
            rolling_start_interval_number: Some(2_642_976),
            ..RawKey::default()
        }
    }

    #[rstest]
    #[case::no_data(RawKey { key_data: None, ..raw() }, KeyError::Missing)]
    #[case::fifteen_bytes(RawKey { key_data: Some(&[1; 15]), ..raw() }, KeyError::Length { length: 15 })]
    #[case::seventeen_bytes(RawKey { key_data: Some(&[1; 17]), ..raw() }, KeyError::Length { length: 17 })]
    #[case::negative_start(RawKey { rolling_start_interval_number: Some(-1), ..raw() }, KeyError::StartInterval { got: -1 })]
    #[case::end(RawKey { rolling_start_interval_number: Some(i32::MAX - 143), ..raw() }, KeyError::EndInterval { start: i32::MAX - 143 })]
    #[case::end_stated(RawKey { rolling_start_interval_number: Some(i32::MAX), rolling_period: Some(1), ..raw() }, KeyError::EndInterval { start: i32::MAX })]
    fn a_key_out_of_shape_is_refused(#[case] raw: RawKey<'_>, #[case] error: KeyError) {
        assert_eq!(ExportKey::try_from(raw), Err(error));
    }

    #[rstest]
    #[case(RawKey { rolling_period: Some(0), ..raw() }, "the rolling period must be 1 to 144 intervals, not 0")]
    #[case(RawKey { rolling_period: Some(145), ..raw() }, "the rolling period must be 1 to 144 intervals, not 145")]
    #[case(RawKey { transmission_risk_level: Some(9), ..raw() }, "the transmission risk level must be 0 to 8, not 9")]
    #[case(RawKey { report_type: Some(6), ..raw() }, "the report type must be 0 to 5, not 6")]
    #[case(RawKey { days_since_onset_of_symptoms: Some(-16), ..raw() }, "days since onset of symptoms must be -15 to 4000, not -16")]
    #[case(RawKey { variant_of_concern: Some(5), ..raw() }, "the variant of concern must be 0 to 4, not 5")]
    fn a_number_out_of_range_is_refused_with_the_bound(#[case] raw: RawKey<'_>, #[case] message: &str) {
        assert_eq!(ExportKey::try_from(raw).unwrap_err().to_string(), message);
    }

    #[test]
    fn absence_survives_until_defaults_are_asked_for() {
        let key = ExportKey::try_from(raw()).unwrap();
        assert_eq!(key.rolling_period, None);
        assert_eq!(key.to_wire().rolling_period, None);
        assert_eq!(key.diagnosis_key().rolling_period, RollingPeriod::FULL_DAY);
    }
}
