//! The configuration of framework v1: 4 rows of 8 levels, 4 weights, the minimum, two attenuation thresholds.

use core::fmt;

use cwa_crypto::Attenuation;

use crate::exact::Exact;

/// What a health authority sets for framework v1: `ENExposureConfiguration` on iOS, `ExposureConfiguration` on Android.
///
/// Every field is valid by its type. With the feature `serde` the rows are `attenuation`, `days`, `duration` and
/// `transmission`, the minimum is `min`; `thresholds` and `weights` may be absent and are then the framework's defaults.
/// Unknown fields are refused, because a misspelt parameter would silently be a default.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Parameters {
    /// Level values of the attenuation ranges, from "over 73 dB" to "up to 10 dB".
    pub attenuation: [RiskLevelValue; 8],
    /// Level values of the days since exposure, from "14 and more" to "0 to 1".
    pub days: [RiskLevelValue; 8],
    /// Level values of the durations, from "0 min" to "over 30 min".
    pub duration: [RiskLevelValue; 8],
    /// Level values of the transmission risk levels 1 to 8.
    pub transmission: [RiskLevelValue; 8],
    /// Scores below it count as 0.
    #[cfg_attr(feature = "serde", serde(rename = "min"))]
    pub minimum_risk_score: MinimumRiskScore,
    /// Where the time of an encounter is divided into close, middle and far.
    #[cfg_attr(feature = "serde", serde(rename = "thresholds", default))]
    pub attenuation_thresholds: AttenuationThresholds,
    /// Inert: neither framework ever multiplied by them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub weights: Weights,
}

impl Parameters {
    /// The given rows and minimum, with the framework's default thresholds and weights.
    #[must_use]
    pub fn new(
        attenuation: [RiskLevelValue; 8],
        days: [RiskLevelValue; 8],
        duration: [RiskLevelValue; 8],
        transmission: [RiskLevelValue; 8],
        minimum_risk_score: MinimumRiskScore,
    ) -> Self {
        Self {
            attenuation,
            days,
            duration,
            transmission,
            minimum_risk_score,
            attenuation_thresholds: AttenuationThresholds::default(),
            weights: Weights::default(),
        }
    }
}

impl Default for Parameters {
    /// Google's defaults: every level value 4, minimum 4, thresholds 50 and 74 dB, weights 50.
    fn default() -> Self {
        let fours = [RiskLevelValue(4); 8];
        Self::new(fours, fours, fours, fours, MinimumRiskScore(4))
    }
}

/// The factor that a configuration assigns to a range of values: 0 to 8 (Apple's `ENRiskLevelValue`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct RiskLevelValue(u8);

impl RiskLevelValue {
    /// The value, 0 to 8.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// A category's row of eight values.
    ///
    /// # Errors
    ///
    /// The first value outside 0 to 8.
    pub fn row(values: [i64; 8]) -> Result<[Self; 8], RiskLevelValueError> {
        let mut row = [Self::default(); 8];
        for (to, from) in row.iter_mut().zip(values) {
            *to = Self::try_from(from)?;
        }
        Ok(row)
    }
}

impl TryFrom<i64> for RiskLevelValue {
    type Error = RiskLevelValueError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u8::try_from(number) {
            Ok(n @ 0..=8) => Ok(Self(n)),
            _ => Err(RiskLevelValueError { got: number }),
        }
    }
}

impl From<RiskLevelValue> for i64 {
    fn from(value: RiskLevelValue) -> Self {
        value.0.into()
    }
}

impl fmt::Display for RiskLevelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A level value outside 0..=8.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a risk level value must be 0 to 8, not {got}")]
#[non_exhaustive]
pub struct RiskLevelValueError {
    /// The number found.
    pub got: i64,
}

/// The score below which an exposure counts as none: 1 to 4096.
///
/// The framework's builder takes no 0: "no minimum" is 1, as a product of 0 is no exposure anyway.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "i64", into = "i64")
)]
pub struct MinimumRiskScore(u16);

impl MinimumRiskScore {
    /// The score, 1 to 4096.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for MinimumRiskScore {
    type Error = MinimumRiskScoreError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match u16::try_from(number) {
            Ok(n @ 1..=4096) => Ok(Self(n)),
            _ => Err(MinimumRiskScoreError { got: number }),
        }
    }
}

impl From<MinimumRiskScore> for i64 {
    fn from(minimum: MinimumRiskScore) -> Self {
        minimum.0.into()
    }
}

/// A minimum risk score outside 1..=4096.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the minimum risk score must be 1 to 4096, not {got}")]
#[non_exhaustive]
pub struct MinimumRiskScoreError {
    /// The number found.
    pub got: i64,
}

/// The two attenuations that divide time into three ranges: below `low`, from `low` to below `high`, from `high` on.
///
/// Written `[low, high]`. The framework's edges: at whole dB, the architecture's "up to 50 dB" is `low` = 51.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "(i64, i64)", into = "(i64, i64)")
)]
pub struct AttenuationThresholds {
    low: Attenuation,
    high: Attenuation,
}

impl AttenuationThresholds {
    /// Thresholds that are in order.
    ///
    /// # Errors
    ///
    /// `low` is above `high`.
    pub const fn new(low: Attenuation, high: Attenuation) -> Result<Self, AttenuationThresholdsError> {
        if low.db() > high.db() {
            return Err(AttenuationThresholdsError::Disordered { low: low.db(), high: high.db() });
        }
        Ok(Self { low, high })
    }

    /// The first attenuation of the middle range.
    #[must_use]
    pub const fn low(self) -> Attenuation {
        self.low
    }

    /// The first attenuation of the far range.
    #[must_use]
    pub const fn high(self) -> Attenuation {
        self.high
    }
}

impl Default for AttenuationThresholds {
    /// 50 and 74 dB, Google's defaults.
    fn default() -> Self {
        Self { low: Attenuation::from_db(50), high: Attenuation::from_db(74) }
    }
}

impl TryFrom<(i64, i64)> for AttenuationThresholds {
    type Error = AttenuationThresholdsError;

    fn try_from((low, high): (i64, i64)) -> Result<Self, Self::Error> {
        let db = |got| {
            u8::try_from(got)
                .map(Attenuation::from_db)
                .map_err(|_| AttenuationThresholdsError::OutOfRange { got })
        };
        Self::new(db(low)?, db(high)?)
    }
}

impl From<AttenuationThresholds> for (i64, i64) {
    fn from(thresholds: AttenuationThresholds) -> Self {
        (thresholds.low.db().into(), thresholds.high.db().into())
    }
}

/// Why two numbers are not attenuation thresholds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttenuationThresholdsError {
    /// Not an attenuation.
    #[error("an attenuation threshold must be 0 to 255 dB, not {got}")]
    OutOfRange {
        /// The number found.
        got: i64,
    },
    /// The low one is above the high one.
    #[error("the low attenuation threshold {low} dB is above the high one {high} dB")]
    Disordered {
        /// The low threshold in dB.
        low: u8,
        /// The high threshold in dB.
        high: u8,
    },
}

/// The four weights of the 36 parameters; reserved by the frameworks and without any effect.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
#[non_exhaustive]
pub struct Weights {
    /// Of the attenuation.
    pub attenuation: Weight,
    /// Of the days since exposure.
    pub days: Weight,
    /// Of the duration.
    pub duration: Weight,
    /// Of the transmission risk level.
    pub transmission: Weight,
}

impl Default for Weights {
    /// 50 each, Google's default.
    fn default() -> Self {
        let fifty = Weight(Exact::from(50_u8));
        Self { attenuation: fifty, days: fifty, duration: fifty, transmission: fifty }
    }
}

/// A weight of a category: 0 to 100.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Exact", into = "Exact")
)]
pub struct Weight(Exact);

impl Weight {
    /// The weight, 0 to 100.
    #[must_use]
    pub const fn get(self) -> Exact {
        self.0
    }
}

impl TryFrom<Exact> for Weight {
    type Error = WeightError;

    fn try_from(number: Exact) -> Result<Self, Self::Error> {
        if number < Exact::ZERO || number > Exact::from(100_u8) {
            return Err(WeightError { got: number });
        }
        Ok(Self(number))
    }
}

impl From<Weight> for Exact {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// A weight outside 0..=100.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a weight must be 0 to 100, not {got}")]
#[non_exhaustive]
pub struct WeightError {
    /// The number found.
    pub got: Exact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_values_are_0_to_8() {
        assert_eq!(RiskLevelValue::try_from(0).map(RiskLevelValue::get), Ok(0));
        assert_eq!(RiskLevelValue::try_from(8).map(RiskLevelValue::get), Ok(8));
        for got in [i64::MIN, -1, 9, 256, i64::MAX] {
            assert_eq!(RiskLevelValue::try_from(got), Err(RiskLevelValueError { got }));
        }
        assert_eq!(RiskLevelValue::row([0, 1, 2, 3, 4, 5, 6, 9]), Err(RiskLevelValueError { got: 9 }));
    }

    #[test]
    fn the_minimum_is_1_to_4096() {
        assert_eq!(MinimumRiskScore::try_from(1).map(MinimumRiskScore::get), Ok(1));
        assert_eq!(MinimumRiskScore::try_from(4096).map(MinimumRiskScore::get), Ok(4096));
        for got in [-1, 0, 4097, 65_537] {
            assert_eq!(MinimumRiskScore::try_from(got), Err(MinimumRiskScoreError { got }));
        }
    }

    #[test]
    fn thresholds_are_in_order_and_may_be_equal() {
        assert!(AttenuationThresholds::try_from((55, 55)).is_ok());
        assert!(AttenuationThresholds::try_from((0, 255)).is_ok());
        assert_eq!(
            AttenuationThresholds::try_from((63, 55)),
            Err(AttenuationThresholdsError::Disordered { low: 63, high: 55 })
        );
        assert_eq!(
            AttenuationThresholds::try_from((55, 256)),
            Err(AttenuationThresholdsError::OutOfRange { got: 256 })
        );
        assert_eq!(
            AttenuationThresholds::try_from((-1, 55)),
            Err(AttenuationThresholdsError::OutOfRange { got: -1 })
        );
    }

    #[test]
    fn weights_are_0_to_100() {
        let weight = |text: &str| Weight::try_from(text.parse::<Exact>().unwrap());
        assert!(weight("0").is_ok() && weight("0.001").is_ok() && weight("100").is_ok());
        assert_eq!(weight("100.001"), Err(WeightError { got: "100.001".parse().unwrap() }));
        assert!(weight("-0.001").is_err());
    }
}
