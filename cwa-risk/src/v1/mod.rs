//! Framework v1 (2020): sightings become exposures, an exposure becomes a total risk score from 0 to 4096.
//!
//! The whole way for one key is [`KeyExposures::evaluate`]; its parts are [`exposures`] and [`total_risk_score`].
//! What the framework hands to an app afterwards is [`ExposureSummary`].
//!
//! Sources: Google's published matching code (`exposure-notifications-internals`, 2020) and Apple's documentation of
//! version 1. The 30-minute cap on what an app is told is documented by both and its code published by neither; it is
//! applied where something is reported ([`Exposure::reported_duration_seconds`],
//! [`ExposureSummary::reported_attenuation_durations`]) and not to what is scored.

mod bucket;
mod exposure;
mod parameters;
mod score;
mod summary;

pub use bucket::{Bucket, Category};
pub use exposure::{
    AttenuationDurations, EncounterRules, Exposure, Scan, Sighting, WeightedAttenuation, duration_seconds,
    exposures, scans, weighted_attenuation,
};
pub use parameters::{
    AttenuationThresholds, AttenuationThresholdsError, MinimumRiskScore, MinimumRiskScoreError, Parameters,
    RiskLevelValue, RiskLevelValueError, Weight, WeightError, Weights,
};
pub use score::{ExposureValues, TotalRiskScore, days_since_exposure, total_risk_score};
pub use summary::{BelowMinimum, DayExposure, ExposureSummary, KeyExposures, ScoredExposure};
