//! The Corona-Warn-App's risk of 2020 (versions 1.0 to 1.8): one combined score of all exposures, and its class.
//!
//! The app multiplied the highest total risk score of framework v1, normalized by a divisor, by the weighted time in the
//! three attenuation ranges ([`combined_risk_score`]), and looked the product up in the classes of the configuration
//! ([`RiskScoreClasses::classify`]). The two apps rounded and capped differently, and differed in what they did
//! outside the classes: [`Platform`] says whose rules apply.

mod classes;
mod combined;

pub use classes::{
    Classification, ClassifyError, Gap, NoRiskScoreClasses, Overlap, RiskScoreClass, RiskScoreClassError,
    RiskScoreClasses,
};
pub use combined::{
    AttenuationWeights, CombinedInput, CombinedParameters, CombinedRiskScore, CombinedRiskScoreError,
    MinutesCap, RangeMinutes, combined_risk_score,
};

use crate::exact::Rounding;
use crate::v1::BelowMinimum;

/// By whose rules a combined risk score is calculated and classified.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Platform {
    /// Nothing is rounded; each range counts up to 30 minutes; a score from the top class's minimum on is in it, and
    /// a score in a gap is in no class.
    #[default]
    Exact,
    /// The Android app: whole minutes, each range up to 30; two decimals, halves to even; LOW is whatever is not HIGH,
    /// and a score above HIGH is an error.
    Android,
    /// The iOS app: fractions of minutes without a cap; two decimals, halves away from zero; a score in neither class is
    /// an error.
    Ios,
}

impl Platform {
    /// The minutes up to which the time in one attenuation range counts; `None` where there is no such limit.
    #[must_use]
    pub const fn cap_minutes(self) -> Option<u32> {
        match self {
            Self::Exact | Self::Android => Some(30),
            Self::Ios => None,
        }
    }

    /// Whether times are cut to whole minutes.
    #[must_use]
    pub const fn counts_whole_minutes(self) -> bool {
        matches!(self, Self::Android)
    }

    /// What becomes of exposures below the minimum risk score before the app sees their summary.
    #[must_use]
    pub const fn below_minimum(self) -> BelowMinimum {
        match self {
            Self::Exact | Self::Android => BelowMinimum::ScoreIsZero,
            Self::Ios => BelowMinimum::Dropped,
        }
    }

    /// To how many decimal places the score is rounded, and how; `None` where it is not.
    #[must_use]
    pub const fn rounding(self) -> Option<(u32, Rounding)> {
        match self {
            Self::Exact => None,
            Self::Android => Some((2, Rounding::HalfEven)),
            Self::Ios => Some((2, Rounding::HalfAwayFromZero)),
        }
    }
}
