//! How a score came about, as data.
//!
//! Every result of an engine carries its steps in the order in which they were taken, with the numbers that went in
//! and came out, so that a verdict can be shown with its reasons instead of being believed.

use alloc::string::String;
use core::fmt;

use cwa_crypto::Attenuation;

use crate::exact::Exact;
use crate::v1::{Bucket, Category};

/// One step of a calculation. Serialized with its kind in the member `rule`; displayed as one line of text.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "rule", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Step {
    /// The attenuation of an encounter, averaged over time.
    #[non_exhaustive]
    WeightedAttenuation {
        /// The sum of attenuation times seconds, divided by the seconds.
        exact: Exact,
        /// The same in whole dB, halves up.
        attenuation_db: Attenuation,
    },
    /// A value was looked up in its category's row of eight ranges.
    #[non_exhaustive]
    Factor {
        /// Which row.
        category: Category,
        /// The value: dB, days, whole minutes, or a level.
        value: u64,
        /// The range it lies in; `None` for the transmission risk level 0, which is looked up nowhere.
        bucket: Option<Bucket>,
        /// What the configuration assigns to the range; 1 where there is none.
        factor: u8,
    },
    /// The factors were multiplied.
    #[non_exhaustive]
    Product {
        /// 0 to 4096.
        product: u16,
    },
    /// The product was held against the minimum.
    #[non_exhaustive]
    Minimum {
        /// The configured minimum.
        minimum: u16,
        /// The product if it is at least the minimum, else 0.
        score: u16,
    },
    /// The time spent in one attenuation range was counted.
    #[non_exhaustive]
    WeightedTime {
        /// Which range.
        range: AttenuationRange,
        /// Minutes before anything was done to them.
        minutes: Exact,
        /// Minutes after the platform's rounding and the cap.
        counted_minutes: Exact,
        /// The range's weight.
        weight: Exact,
        /// Counted minutes times weight.
        weighted_minutes: Exact,
    },
    /// The weighted times and the offset were added up.
    #[non_exhaustive]
    WeightedTimeSum {
        /// The default bucket offset.
        offset: Exact,
        /// Weighted minutes of all ranges plus the offset.
        weighted_minutes: Exact,
    },
    /// The highest risk score was divided by the normalization divisor.
    #[non_exhaustive]
    NormalizedRisk {
        /// The highest total risk score of all exposures.
        maximum_risk_score: u32,
        /// The divisor.
        divisor: Exact,
        /// Their quotient.
        normalized: Exact,
    },
    /// Normalized risk and weighted time were multiplied.
    #[non_exhaustive]
    Combined {
        /// The exact product.
        exact: Exact,
        /// The product as the platform rounds it; the exact one where it does not.
        score: Exact,
    },
    /// The score was held against the classes.
    #[non_exhaustive]
    Class {
        /// The score.
        score: Exact,
        /// The label of the class it is in; `None` in a gap between classes.
        label: Option<String>,
        /// How much higher the score would have to be for the next higher class; `None` in the highest.
        to_next_class: Option<Exact>,
    },
}

/// One of the three ranges that the two attenuation thresholds make.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "two thresholds make three ranges")]
pub enum AttenuationRange {
    /// Below the low threshold: close.
    Low,
    /// From the low threshold to below the high one.
    Mid,
    /// The high threshold and above: far.
    High,
}

impl fmt::Display for AttenuationRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Mid => "mid",
            Self::High => "high",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WeightedAttenuation { exact, attenuation_db } => {
                write!(f, "attenuation averaged over time: {exact:.2} dB, rounded to {attenuation_db} dB")
            }
            Self::Factor { category: category @ Category::Transmission, value, bucket: Some(_), factor } => {
                write!(f, "{category}: {value}: factor {factor}")
            }
            Self::Factor { category, value, bucket: Some(bucket), factor } => {
                let value = alloc::format!("{value} {}", category.unit());
                write!(
                    f,
                    "{category}: {value} is in {} (row {bucket}): factor {factor}",
                    category.range(*bucket)
                )
            }
            Self::Factor { category, bucket: None, factor, .. } => {
                write!(f, "{category}: none assigned: factor {factor}")
            }
            Self::Product { product } => write!(f, "product of the factors: {product}"),
            Self::Minimum { minimum, score: 0 } => write!(f, "below the minimum {minimum}: score 0"),
            Self::Minimum { minimum, score } => write!(f, "at least the minimum {minimum}: score {score}"),
            Self::WeightedTime { range, minutes, counted_minutes, weight, weighted_minutes } => write!(
                f,
                "{range} attenuation: {minutes:.2} min, counted as {counted_minutes:.2} min, times weight {weight}: \
                 {weighted_minutes:.2} min"
            ),
            Self::WeightedTimeSum { offset, weighted_minutes } => {
                write!(f, "sum of weighted times and offset {offset}: {weighted_minutes:.2} min")
            }
            Self::NormalizedRisk { maximum_risk_score, divisor, normalized } => {
                write!(f, "highest risk score {maximum_risk_score} divided by {divisor}: {normalized:.3}")
            }
            Self::Combined { exact, score } if exact == score => {
                write!(f, "normalized risk times weighted time: {exact}")
            }
            Self::Combined { exact, score } => {
                write!(f, "normalized risk times weighted time: {exact}, rounded to {score}")
            }
            Self::Class { score, label, to_next_class } => {
                match label {
                    Some(label) => write!(f, "score {score} is in class {label}")?,
                    None => write!(f, "score {score} is in a gap between classes")?,
                }
                match to_next_class {
                    Some(distance) => write!(f, "; {distance:.2} below the next class"),
                    None => Ok(()),
                }
            }
        }
    }
}
