//! The total risk score of framework v1: the product of four factors.

use alloc::vec::Vec;

use cwa_crypto::{Attenuation, TransmissionRiskLevel, UnixTime};

use super::bucket::{Bucket, Category};
use super::parameters::Parameters;
use crate::explain::Step;

/// What is looked up for one exposure: the input of [`total_risk_score`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[expect(clippy::exhaustive_structs, reason = "complete: framework v1 has four categories")]
pub struct ExposureValues {
    /// Attenuation averaged over the time of the exposure.
    #[cfg_attr(feature = "serde", serde(rename = "attenuation_db"))]
    pub attenuation: Attenuation,
    /// Duration of the exposure in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "duration_s"))]
    pub duration_seconds: u64,
    /// Whole days since the exposure, as [`days_since_exposure`] counts them.
    #[cfg_attr(feature = "serde", serde(rename = "days"))]
    pub days_since_exposure: u64,
    /// What came with the other person's key.
    #[cfg_attr(feature = "serde", serde(rename = "trl"))]
    pub transmission_risk_level: TransmissionRiskLevel,
}

/// The risk of one exposure: attenuation times days times duration times transmission risk, if it is at least the minimum.
///
/// Each value selects one of the eight level values of its category, and any level value 0 makes the score 0. The
/// transmission risk level 0 ("none") has the factor 1. A product below the minimum risk score counts as 0, one equal
/// to it is kept. The weights have no effect. (Google's `RiskScoreCalculator`; Apple, "Exposure Risk Value Calculation
/// in ExposureNotification Version 1".)
///
/// ```
/// use cwa_crypto::{Attenuation, TransmissionRiskLevel};
/// use cwa_risk::v1::{ExposureValues, MinimumRiskScore, Parameters, RiskLevelValue, total_risk_score};
///
/// // Aisha on the 16th, from the risk assessment document of the Corona-Warn-App.
/// let parameters = Parameters::new(
///     RiskLevelValue::row([0, 1, 1, 1, 1, 1, 1, 1])?,
///     RiskLevelValue::row([5; 8])?,
///     RiskLevelValue::row([0, 0, 0, 1, 1, 1, 1, 1])?,
///     RiskLevelValue::row([1, 2, 3, 4, 5, 6, 7, 8])?,
///     MinimumRiskScore::try_from(11)?,
/// );
/// let aisha = ExposureValues {
///     attenuation: Attenuation::from_db(60),
///     duration_seconds: 1200,
///     days_since_exposure: 6,
///     transmission_risk_level: TransmissionRiskLevel::try_from(5)?,
/// };
/// assert_eq!(total_risk_score(&aisha, &parameters).score(), 25);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use]
pub fn total_risk_score(values: &ExposureValues, parameters: &Parameters) -> TotalRiskScore {
    let level = values.transmission_risk_level;
    let factors = [
        Factor {
            category: Category::Attenuation,
            value: values.attenuation.db().into(),
            bucket: Some(Bucket::of_attenuation(values.attenuation)),
            row: &parameters.attenuation,
        },
        Factor {
            category: Category::Days,
            value: values.days_since_exposure,
            bucket: Some(Bucket::of_days(values.days_since_exposure)),
            row: &parameters.days,
        },
        Factor {
            category: Category::Duration,
            value: values.duration_seconds / 60,
            bucket: Some(Bucket::of_duration(values.duration_seconds)),
            row: &parameters.duration,
        },
        Factor {
            category: Category::Transmission,
            value: level.get().into(),
            bucket: Bucket::of_transmission_risk_level(level),
            row: &parameters.transmission,
        },
    ]
    .map(Factor::look_up);
    // At most 8 to the power of 4.
    let product = factors.iter().fold(1_u16, |product, (factor, _)| product.saturating_mul((*factor).into()));
    let minimum = parameters.minimum_risk_score.get();
    let score = if product < minimum { 0 } else { product };
    let mut steps: Vec<Step> = factors.map(|(_, step)| step).into();
    steps.push(Step::Product { product });
    steps.push(Step::Minimum { minimum, score });
    TotalRiskScore { score, product, steps }
}

/// Whole days of 86,400 s from the beginning of the other person's key to `now`; 0 if the key begins later.
///
/// The framework counts from the key and not from the encounter, and does not compare calendar days.
///
/// ```
/// use cwa_crypto::UnixTime;
/// use cwa_risk::v1::days_since_exposure;
/// let key_start = UnixTime::from_secs(1_595_376_000);
/// assert_eq!(days_since_exposure(key_start, key_start.plus(2 * 86_400 - 1)), 1);
/// ```
#[must_use]
pub const fn days_since_exposure(key_start: UnixTime, now: UnixTime) -> u64 {
    now.seconds_since(key_start) / 86_400
}

/// A total risk score and how it came about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TotalRiskScore {
    score: u16,
    #[cfg_attr(feature = "serde", serde(skip))]
    product: u16,
    steps: Vec<Step>,
}

impl TotalRiskScore {
    /// 0 to 4096; 0 if the product is below the minimum. Android's score, and `totalRiskScoreFullRange` of iOS.
    #[must_use]
    pub const fn score(&self) -> u16 {
        self.score
    }

    /// 0 to 255: the score as far as the one byte of iOS's older `totalRiskScore` (`ENRiskScore`) holds it.
    #[must_use]
    pub fn saturated(&self) -> u8 {
        u8::try_from(self.score).unwrap_or(u8::MAX)
    }

    /// Whether the product of the factors is below the minimum risk score.
    #[must_use]
    pub const fn is_below_minimum(&self) -> bool {
        // The minimum is at least 1, so that only a product below it becomes 0.
        self.score == 0
    }

    /// The product of the factors before it was held against the minimum.
    #[must_use]
    pub const fn product(&self) -> u16 {
        self.product
    }

    /// The factors, their product and the minimum, in the order of the calculation.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// A value on its way to its factor.
struct Factor<'a> {
    category: Category,
    value: u64,
    bucket: Option<Bucket>,
    row: &'a [super::RiskLevelValue; 8],
}

impl Factor<'_> {
    fn look_up(self) -> (u8, Step) {
        let Self { category, value, bucket, row } = self;
        // Framework v1 multiplies by 1 where a key has no transmission risk level.
        let factor = bucket.map_or(1, |bucket| bucket.of(row).get());
        (factor, Step::Factor { category, value, bucket, factor })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::{MinimumRiskScore, RiskLevelValue};
    use super::*;

    fn values(db: u8, duration_seconds: u64, days: u64, level: i64) -> ExposureValues {
        ExposureValues {
            attenuation: Attenuation::from_db(db),
            duration_seconds,
            days_since_exposure: days,
            transmission_risk_level: TransmissionRiskLevel::try_from(level).unwrap(),
        }
    }

    fn eights(minimum: i64) -> Parameters {
        let row = RiskLevelValue::row([8; 8]).unwrap();
        Parameters::new(row, row, row, row, MinimumRiskScore::try_from(minimum).unwrap())
    }

    #[test]
    fn the_highest_score_is_4096_and_255_on_old_ios() {
        let score = total_risk_score(&values(0, 3600, 0, 8), &eights(1));
        assert_eq!((score.score(), score.saturated()), (4096, 255));
    }

    #[test]
    fn a_score_equal_to_the_minimum_is_kept_and_one_below_it_is_0() {
        assert_eq!(total_risk_score(&values(0, 3600, 0, 8), &eights(4096)).score(), 4096);
        let below = total_risk_score(&values(0, 3600, 0, 0), &eights(513));
        assert_eq!((below.score(), below.product(), below.is_below_minimum()), (0, 512, true));
        assert_eq!(total_risk_score(&values(0, 3600, 0, 0), &eights(512)).score(), 512);
    }

    #[test]
    fn one_level_value_0_makes_the_score_0() {
        for row in 0..4 {
            let mut parameters = eights(1);
            let zero = RiskLevelValue::row([0; 8]).unwrap();
            match row {
                0 => parameters.attenuation = zero,
                1 => parameters.days = zero,
                2 => parameters.duration = zero,
                _ => parameters.transmission = zero,
            }
            assert_eq!(total_risk_score(&values(60, 900, 3, 4), &parameters).score(), 0, "row {row}");
        }
    }

    #[test]
    fn without_a_transmission_risk_level_the_row_is_not_asked() {
        let mut parameters = eights(1);
        parameters.transmission = RiskLevelValue::row([0; 8]).unwrap();
        assert_eq!(total_risk_score(&values(60, 900, 3, 0), &parameters).score(), 512);
    }

    #[test]
    fn days_are_counted_from_the_key_in_whole_days() {
        let start = UnixTime::from_secs(1_595_376_000);
        for (seconds, days) in [(0, 0), (86_399, 0), (86_400, 1), (14 * 86_400 - 1, 13), (14 * 86_400, 14)] {
            assert_eq!(days_since_exposure(start, start.plus(seconds)), days);
        }
        assert_eq!(days_since_exposure(start, start.minus(1)), 0);
    }

    #[test]
    fn the_steps_say_what_was_looked_up() {
        let text: Vec<_> = total_risk_score(&values(53, 959, 2, 0), &eights(1000))
            .steps()
            .iter()
            .map(alloc::string::ToString::to_string)
            .collect();
        assert_eq!(
            text,
            [
                "attenuation: 53 dB is in over 51 to 63 dB (row 3): factor 8",
                "days since exposure: 2 days is in 2 to 3 days (row 7): factor 8",
                "duration: 15 min is in over 10 to 15 min (row 4): factor 8",
                "transmission risk level: none assigned: factor 1",
                "product of the factors: 512",
                "below the minimum 1000: score 0",
            ]
        );
    }
}
