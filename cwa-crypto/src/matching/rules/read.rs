//! Keys as a file states them, and what rules make of them.

use core::fmt;
use core::iter::FusedIterator;

use super::{RollingPeriods, Rules};
use crate::diagnosis::{DaysSinceOnsetOfSymptoms, DiagnosisKey, ReportType, TransmissionRiskLevel};
use crate::tek::TemporaryExposureKey;
use crate::time::{ENIntervalNumber, RollingPeriod};

/// A key as a file states it: any number may stand where the rolling period belongs.
///
/// What that number means differs between rules, so that the only way to [`DiagnosisKey`]s is
/// [`Rules::read`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct StatedKey {
    /// The 16 bytes of the key.
    pub key_data: [u8; TemporaryExposureKey::LENGTH],
    /// The first interval in which the key was broadcast.
    pub rolling_start_interval_number: ENIntervalNumber,
    /// For how many intervals it was broadcast, if that is stated.
    pub rolling_period: Option<i32>,
    /// The health authority's estimate of how infectious the person was on that day.
    pub transmission_risk_level: Option<TransmissionRiskLevel>,
    /// On what grounds the key was reported.
    pub report_type: Option<ReportType>,
    /// Days from the onset of symptoms to the day of the key.
    pub days_since_onset_of_symptoms: Option<DaysSinceOnsetOfSymptoms>,
}

impl StatedKey {
    /// A key of which nothing but bytes and start is stated.
    #[must_use]
    pub const fn new(
        key_data: [u8; TemporaryExposureKey::LENGTH],
        rolling_start_interval_number: ENIntervalNumber,
    ) -> Self {
        Self {
            key_data,
            rolling_start_interval_number,
            rolling_period: None,
            transmission_risk_level: None,
            report_type: None,
            days_since_onset_of_symptoms: None,
        }
    }

    /// Whether all rules read the key alike: its rolling period is 1 to 144, or absent.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        matches!(self.rolling_period, None | Some(1..=144))
    }

    /// The key, with a period that was made of what is stated.
    const fn with(&self, start: ENIntervalNumber, rolling_period: RollingPeriod) -> DiagnosisKey {
        DiagnosisKey {
            rolling_start_interval_number: start,
            rolling_period,
            transmission_risk_level: self.transmission_risk_level,
            report_type: self.report_type,
            days_since_onset_of_symptoms: self.days_since_onset_of_symptoms,
            ..DiagnosisKey::new(self.key_data, start, rolling_period)
        }
    }
}

impl Rules {
    /// Reads a key: one diagnosis key, or under `microg` as many as its rolling period spans days.
    ///
    /// A rolling period that is absent is 144. One of more than 144 is several keys of the same bytes, one behind the
    /// other: identifiers depend on the bytes and the interval alone.
    ///
    /// ```
    /// use cwa_crypto::ENIntervalNumber;
    /// use cwa_crypto::matching::{Rules, StatedKey};
    ///
    /// let mut key = StatedKey::new([7; 16], ENIntervalNumber::new(2_642_976));
    /// key.rolling_period = Some(0);
    /// assert_eq!(Rules::APPLE.read(key).unwrap().next().unwrap().rolling_period.get(), 144);
    /// let refusal = Rules::GOOGLE.read(key).unwrap_err();
    /// assert_eq!(refusal.to_string(), "the rolling period must be 1 to 144 intervals, not 0; the file is refused");
    /// ```
    ///
    /// # Errors
    ///
    /// A rolling period that the rules refuse, with the key or its whole file.
    pub const fn read(&self, stated: StatedKey) -> Result<ReadKeys, KeyRefusal> {
        let full_day = RollingPeriod::FULL_DAY.get() as u32;
        let got = match stated.rolling_period {
            None => return Ok(ReadKeys { stated, offset: 0, end: full_day }),
            Some(period @ 1..=144) => return Ok(ReadKeys { stated, offset: 0, end: period.cast_unsigned() }),
            Some(got) => got,
        };
        let reason = KeyRefusalReason::RollingPeriod { got };
        match self.rolling_periods {
            RollingPeriods::ZeroIsFullDay if got == 0 => Ok(ReadKeys { stated, offset: 0, end: full_day }),
            RollingPeriods::Trusted { max_intervals } if got > 0 => {
                let period = got.cast_unsigned();
                Ok(ReadKeys {
                    stated,
                    offset: 0,
                    end: if period < max_intervals { period } else { max_intervals },
                })
            }
            RollingPeriods::RefuseFile => Err(KeyRefusal { reason, consequence: Consequence::FileRefused }),
            RollingPeriods::ZeroIsFullDay | RollingPeriods::Trusted { .. } => {
                Err(KeyRefusal { reason, consequence: Consequence::KeySkipped })
            }
        }
    }
}

/// The diagnosis keys that rules make of a stated key; at least one, by start.
#[derive(Clone, Debug)]
pub struct ReadKeys {
    stated: StatedKey,
    /// Intervals from the stated start that were given out.
    offset: u32,
    /// And how many there are.
    end: u32,
}

impl Iterator for ReadKeys {
    type Item = DiagnosisKey;

    fn next(&mut self) -> Option<DiagnosisKey> {
        let rest = self.end.checked_sub(self.offset)?;
        let period = rest.min(RollingPeriod::FULL_DAY.get().into());
        // Intervals past the last number there is do not exist.
        let start = self.stated.rolling_start_interval_number.checked_add(self.offset)?;
        let rolling_period = RollingPeriod::try_from(i64::from(period)).ok()?;
        self.offset += period;
        Some(self.stated.with(start, rolling_period))
    }
}

impl FusedIterator for ReadKeys {}

/// A key that rules do not take.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[error("{reason}; {consequence}")]
#[non_exhaustive]
pub struct KeyRefusal {
    /// What is wrong with it.
    pub reason: KeyRefusalReason,
    /// What follows from that.
    pub consequence: Consequence,
}

/// Why rules do not take a key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusalReason {
    /// A rolling period outside 1 to 144 that the rules make nothing of.
    #[error("the rolling period must be 1 to 144 intervals, not {got}")]
    RollingPeriod {
        /// The number stated.
        got: i32,
    },
}

impl KeyRefusalReason {
    /// The stable name of the reason, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RollingPeriod { .. } => "rolling-period",
        }
    }
}

/// What follows from a key that is not taken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Consequence {
    /// Nothing of the file that it stands in is processed.
    FileRefused,
    /// The key is skipped.
    KeySkipped,
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileRefused => "the file is refused",
            Self::KeySkipped => "the key is skipped",
        })
    }
}
