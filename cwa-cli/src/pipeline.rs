//! The glue between the libraries, in one place: verified keys and sightings, matches, exposures, score, class.
//!
//! None of the libraries knows another one but `cwa-crypto`; what leads from the one to the next stands here.

use std::collections::BTreeMap;

use cwa_crypto::matching::{Matching, ReceivedIdentifiers, Rules};
use cwa_crypto::{DiagnosisKey, TransmissionRiskLevel, UnixTime};
use cwa_risk::cwa::{
    ClassifyError, CombinedInput, CombinedRiskScore, CombinedRiskScoreError, Platform, combined_risk_score,
};
use cwa_risk::v1::{BelowMinimum, EncounterRules, ExposureSummary, KeyExposures, Sighting};

use crate::risk::RiskConfiguration;

/// What one phone learns from published keys: what matched, and how risky it was.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) matching: Matching,
    /// The exposures to each key that matched.
    pub(crate) exposures: Vec<(DiagnosisKey, KeyExposures)>,
    pub(crate) combined: CombinedRiskScore,
    /// The label of the class; none in a gap between classes.
    pub(crate) class: Option<String>,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssessError {
    /// The configuration lacks one of the parts that a verdict needs.
    #[error("the configuration lacks scores, weights or classes")]
    Incomplete,
    /// The combined score cannot be computed.
    #[error("no combined risk score")]
    Combined(#[from] CombinedRiskScoreError),
    /// The score has no class under the platform's rules.
    #[error("no class for the score")]
    Classify(#[from] ClassifyError),
}

/// Matches `keys` with what was received and scores the exposures, as a phone of 2020 did, in exact arithmetic.
pub(crate) fn assess(
    keys: impl IntoIterator<Item = DiagnosisKey>,
    received: &ReceivedIdentifiers,
    configuration: &RiskConfiguration,
    now: UnixTime,
) -> Result<Assessment, AssessError> {
    let RiskConfiguration { framework: Some(parameters), combined: Some(weights), classes: Some(classes) } =
        configuration
    else {
        return Err(AssessError::Incomplete);
    };
    let matching = received.find(keys, Rules::SPEC);
    let mut sightings: BTreeMap<DiagnosisKey, Vec<Sighting>> = BTreeMap::new();
    for found in &matching.matches {
        // A sighting whose metadata cannot be read says that somebody was there, but not how near.
        if let Some(attenuation) = found.attenuation {
            let attenuation = attenuation.at_least_zero();
            let sighting =
                Sighting { seen_at: found.sighting.seen_at, attenuation, interval: found.interval };
            sightings.entry(found.key).or_default().push(sighting);
        }
    }
    let exposures: Vec<_> = sightings
        .into_iter()
        .map(|(key, sightings)| {
            let level = key.transmission_risk_level.unwrap_or(TransmissionRiskLevel::UNUSED);
            let start = key.rolling_start_interval_number.start();
            let rules = EncounterRules::default();
            (key, KeyExposures::evaluate(&sightings, start, level, parameters, rules, now))
        })
        .collect();
    let summary =
        ExposureSummary::of(exposures.iter().map(|(_, exposures)| exposures), BelowMinimum::ScoreIsZero);
    let combined = combined_risk_score(&CombinedInput::from(&summary), weights, Platform::Exact)?;
    let class = classes.classify(combined.score(), Platform::Exact)?.label().map(str::to_owned);
    Ok(Assessment { matching, exposures, combined, class })
}
