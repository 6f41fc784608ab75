//! The combined risk score.

use alloc::vec::Vec;

use super::Platform;
use crate::exact::{Exact, ExactOverflow, NonNegative};
use crate::explain::{AttenuationRange, Step};
use crate::v1::{AttenuationDurations, ExposureSummary};

/// The app's one score of all exposures:
/// `maximum risk score / divisor * (w_low * t_low + w_mid * t_mid + w_high * t_high + offset)`, times in minutes.
///
/// The times are cut, capped and the product is rounded as `platform` does; a cap in the parameters takes precedence
/// over the platform's. (Corona-Warn-App, `DefaultRiskLevelCalculation.kt` and `RiskCalculation.swift` of 2020.)
///
/// # Errors
///
/// A divisor of 0, or numbers whose exact product does not fit.
///
/// ```
/// use cwa_risk::cwa::{CombinedInput, CombinedParameters, Platform, RangeMinutes, combined_risk_score};
///
/// // Weights 1, 0.5 and 0 with divisor 50; 22 minutes each in the near and the middle range.
/// let parameters = CombinedParameters::new(["1".parse()?, "0.5".parse()?, "0".parse()?], 50_u8);
/// let input = CombinedInput { maximum_risk_score: 80, minutes: RangeMinutes::from([22_u8, 22, 0]) };
/// let risk = combined_risk_score(&input, &parameters, Platform::Exact)?;
/// assert_eq!(risk.score().to_string(), "52.8");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub fn combined_risk_score(
    input: &CombinedInput,
    parameters: &CombinedParameters,
    platform: Platform,
) -> Result<CombinedRiskScore, CombinedRiskScoreError> {
    let divisor = parameters.divisor.get();
    if divisor == Exact::ZERO {
        return Err(CombinedRiskScoreError::DivisorZero);
    }
    let maximum = input.maximum_risk_score;
    let normalized = Exact::from(maximum).checked_div(divisor)?;
    let mut steps = Vec::new();
    let mut weighted_sum = parameters.offset.get();
    for (range, minutes, weight) in [
        (AttenuationRange::Low, input.minutes.low, parameters.weights.low),
        (AttenuationRange::Mid, input.minutes.mid, parameters.weights.mid),
        (AttenuationRange::High, input.minutes.high, parameters.weights.high),
    ] {
        let (minutes, weight) = (minutes.get(), weight.get());
        let counted_minutes = parameters.cap.apply(platform, platform.cut(minutes));
        let weighted_minutes = counted_minutes.checked_mul(weight)?;
        weighted_sum = weighted_sum.checked_add(weighted_minutes)?;
        steps.push(Step::WeightedTime { range, minutes, counted_minutes, weight, weighted_minutes });
    }
    steps.push(Step::WeightedTimeSum { offset: parameters.offset.get(), weighted_minutes: weighted_sum });
    steps.push(Step::NormalizedRisk { maximum_risk_score: maximum, divisor, normalized });
    let exact = normalized.checked_mul(weighted_sum)?;
    let score = match platform.rounding() {
        Some((places, rounding)) => exact.round(places, rounding)?,
        None => exact,
    };
    steps.push(Step::Combined { exact, score });
    // Of factors that are not negative, no product is.
    let score = NonNegative::try_from(score).map_err(|_| ExactOverflow)?;
    Ok(CombinedRiskScore { score, steps })
}

/// What the combined score is made of: of all exposures, the highest score and the time in each attenuation range.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "complete: the two things the app took from the framework")]
pub struct CombinedInput {
    /// The highest total risk score. The framework's range is 0 to 4096, but iOS 13.7 returned more, so more is taken.
    pub maximum_risk_score: u32,
    /// The time in each attenuation range.
    pub minutes: RangeMinutes,
}

impl From<&ExposureSummary> for CombinedInput {
    fn from(summary: &ExposureSummary) -> Self {
        Self {
            maximum_risk_score: summary.maximum_risk_score.into(),
            minutes: summary.attenuation_durations.into(),
        }
    }
}

/// Minutes, or fractions of them, in each of the three attenuation ranges.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "complete: two thresholds make three ranges")]
pub struct RangeMinutes {
    /// Below the low threshold.
    pub low: NonNegative,
    /// From the low threshold to below the high one.
    pub mid: NonNegative,
    /// From the high threshold on.
    pub high: NonNegative,
}

impl RangeMinutes {
    /// The minutes that three numbers of seconds make: a sixtieth each, without rounding.
    ///
    /// # Errors
    ///
    /// [`ExactOverflow`] if a sixtieth does not fit.
    pub fn from_seconds(seconds: [NonNegative; 3]) -> Result<Self, ExactOverflow> {
        let sixtieth = |seconds: NonNegative| {
            let minutes = seconds.get().checked_div(Exact::from(60_u8))?;
            // A sixtieth of what is not negative is not either.
            NonNegative::try_from(minutes).map_err(|_| ExactOverflow)
        };
        let [low, mid, high] = seconds;
        Ok(Self { low: sixtieth(low)?, mid: sixtieth(mid)?, high: sixtieth(high)? })
    }
}

impl<N: Into<NonNegative>> From<[N; 3]> for RangeMinutes {
    fn from([low, mid, high]: [N; 3]) -> Self {
        Self { low: low.into(), mid: mid.into(), high: high.into() }
    }
}

impl From<AttenuationDurations> for RangeMinutes {
    fn from(durations: AttenuationDurations) -> Self {
        Self {
            low: NonNegative::sixtieth(durations.low),
            mid: NonNegative::sixtieth(durations.mid),
            high: NonNegative::sixtieth(durations.high),
        }
    }
}

/// What a health authority sets for the combined score, besides the classes.
///
/// With the feature `serde`: `weights` (`low`, `mid`, `high`), `offset`, `divisor`, and optionally `cap_min`, which is a
/// number of minutes, or `null` for none. Unknown fields are refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct CombinedParameters {
    /// How much a minute in each attenuation range counts.
    pub weights: AttenuationWeights,
    /// Weighted minutes that are added in any case (`default-bucket-offset`).
    pub offset: NonNegative,
    /// What the highest risk score is divided by (`risk-score-normalization-divisor`).
    ///
    /// The German format admits 0; such parameters can be read and judged, but nothing can be scored with them.
    pub divisor: NonNegative,
    /// Up to how many minutes each range counts.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "cap_min", default, skip_serializing_if = "MinutesCap::is_of_platform")
    )]
    pub cap: MinutesCap,
}

impl CombinedParameters {
    /// The weights of the low, middle and high range and the divisor; no offset, the platform's cap.
    #[must_use]
    pub fn new(weights: [NonNegative; 3], divisor: impl Into<NonNegative>) -> Self {
        let [low, mid, high] = weights;
        Self {
            weights: AttenuationWeights { low, mid, high },
            offset: NonNegative::ZERO,
            divisor: divisor.into(),
            cap: MinutesCap::OfPlatform,
        }
    }
}

/// How much a minute in each of the three attenuation ranges counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[expect(clippy::exhaustive_structs, reason = "complete: two thresholds make three ranges")]
pub struct AttenuationWeights {
    /// Below the low threshold.
    pub low: NonNegative,
    /// From the low threshold to below the high one.
    pub mid: NonNegative,
    /// From the high threshold on.
    pub high: NonNegative,
}

/// Up to how many minutes the time in one attenuation range counts.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "Option<NonNegative>", into = "Option<NonNegative>")
)]
#[expect(clippy::exhaustive_enums, reason = "complete: the platform's, none, or another one")]
pub enum MinutesCap {
    /// As many as the platform has it.
    #[default]
    OfPlatform,
    /// All of them.
    None,
    /// This many.
    At(NonNegative),
}

impl MinutesCap {
    #[cfg(feature = "serde")]
    const fn is_of_platform(&self) -> bool {
        matches!(self, Self::OfPlatform)
    }

    fn apply(self, platform: Platform, minutes: Exact) -> Exact {
        let cap = match self {
            Self::OfPlatform => platform.cap_minutes().map(Exact::from),
            Self::None => None,
            Self::At(cap) => Some(cap.get()),
        };
        cap.map_or(minutes, |cap| minutes.min(cap))
    }
}

#[cfg(feature = "serde")]
impl From<Option<NonNegative>> for MinutesCap {
    fn from(cap: Option<NonNegative>) -> Self {
        cap.map_or(Self::None, Self::At)
    }
}

#[cfg(feature = "serde")]
impl From<MinutesCap> for Option<NonNegative> {
    fn from(cap: MinutesCap) -> Self {
        match cap {
            MinutesCap::At(cap) => Some(cap),
            MinutesCap::None | MinutesCap::OfPlatform => None,
        }
    }
}

impl Platform {
    fn cut(self, minutes: Exact) -> Exact {
        match i64::try_from(minutes.floor()) {
            Ok(whole) if self.counts_whole_minutes() => Exact::from(whole),
            _ => minutes,
        }
    }
}

/// A combined risk score and how it came about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CombinedRiskScore {
    score: NonNegative,
    steps: Vec<Step>,
}

impl CombinedRiskScore {
    /// The score, for [`RiskScoreClasses::classify`](super::RiskScoreClasses::classify).
    #[must_use]
    pub const fn score(&self) -> NonNegative {
        self.score
    }

    /// The weighted times, their sum, the normalized risk and the product, in the order of the calculation.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// Why there is no combined risk score.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CombinedRiskScoreError {
    /// The configuration divides by 0.
    #[error("the risk score normalization divisor is 0")]
    DivisorZero,
    /// The numbers are too large or too fine.
    #[error("the combined risk score cannot be computed exactly")]
    Overflow(#[from] ExactOverflow),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german(cap: MinutesCap) -> CombinedParameters {
        let weights = ["1.0", "0.5", "0"].map(|weight| weight.parse().unwrap());
        CombinedParameters { cap, ..CombinedParameters::new(weights, 25_u8) }
    }

    fn score(input: &CombinedInput, parameters: &CombinedParameters, platform: Platform) -> Exact {
        combined_risk_score(input, parameters, platform).unwrap().score().get()
    }

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    #[test]
    fn the_cap_alone_flips_a_verdict() {
        let input = CombinedInput { maximum_risk_score: 10, minutes: [20_u8, 50, 0].into() };
        assert_eq!(score(&input, &german(MinutesCap::OfPlatform), Platform::Exact), exact("14"));
        assert_eq!(score(&input, &german(MinutesCap::OfPlatform), Platform::Android), exact("14"));
        assert_eq!(score(&input, &german(MinutesCap::OfPlatform), Platform::Ios), exact("18"));
        assert_eq!(score(&input, &german(MinutesCap::None), Platform::Exact), exact("18"));
        assert_eq!(score(&input, &german(MinutesCap::At(40_u8.into())), Platform::Ios), exact("16"));
    }

    #[test]
    fn only_android_cuts_to_whole_minutes() {
        let minutes = AttenuationDurations::from([119, 0, 0]).into();
        let input = CombinedInput { maximum_risk_score: 25, minutes };
        assert_eq!(score(&input, &german(MinutesCap::OfPlatform), Platform::Android), exact("1"));
        assert_eq!(score(&input, &german(MinutesCap::OfPlatform), Platform::Ios), exact("1.98"));
        assert_eq!(
            score(&input, &german(MinutesCap::OfPlatform), Platform::Exact),
            Exact::ratio(119, 60).unwrap()
        );
    }

    #[test]
    fn a_half_cent_is_rounded_to_even_on_android_and_away_from_zero_on_ios() {
        // 1 / 8 * 1 min = 0.125
        let parameters = CombinedParameters { divisor: 8_u8.into(), ..german(MinutesCap::OfPlatform) };
        let input = CombinedInput { maximum_risk_score: 1, minutes: [1_u8, 0, 0].into() };
        assert_eq!(score(&input, &parameters, Platform::Android), exact("0.12"));
        assert_eq!(score(&input, &parameters, Platform::Ios), exact("0.13"));
        assert_eq!(score(&input, &parameters, Platform::Exact), exact("0.125"));
    }

    #[test]
    fn a_divisor_of_0_and_numbers_that_do_not_fit_are_errors() {
        let input = CombinedInput { maximum_risk_score: 1, minutes: [1_u8, 0, 0].into() };
        let zero = CombinedParameters { divisor: NonNegative::ZERO, ..german(MinutesCap::OfPlatform) };
        assert_eq!(
            combined_risk_score(&input, &zero, Platform::Exact),
            Err(CombinedRiskScoreError::DivisorZero)
        );
        let fine = CombinedParameters { divisor: "1e-38".parse().unwrap(), ..german(MinutesCap::OfPlatform) };
        assert_eq!(
            combined_risk_score(&CombinedInput { maximum_risk_score: 4096, ..input }, &fine, Platform::Exact),
            Err(CombinedRiskScoreError::Overflow(ExactOverflow))
        );
    }

    #[test]
    fn the_steps_add_up_to_the_score() {
        let input = CombinedInput { maximum_risk_score: 10, minutes: [20_u8, 50, 9].into() };
        let risk = combined_risk_score(&input, &german(MinutesCap::OfPlatform), Platform::Exact).unwrap();
        let text: Vec<_> = risk.steps().iter().map(alloc::string::ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "low attenuation: 20.00 min, counted as 20.00 min, times weight 1: 20.00 min",
                "mid attenuation: 50.00 min, counted as 30.00 min, times weight 0.5: 15.00 min",
                "high attenuation: 9.00 min, counted as 9.00 min, times weight 0: 0.00 min",
                "sum of weighted times and offset 0: 35.00 min",
                "highest risk score 10 divided by 25: 0.400",
                "normalized risk times weighted time: 14",
            ]
        );
    }
}
