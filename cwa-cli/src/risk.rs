//! Parameters and exposures as files have them, and what the risk engines make of them.
//!
//! The members' names are those of the known answers, so that the input of one is a file for the other.

use cwa_crypto::{Attenuation, ENIntervalNumber, TransmissionRiskLevel, UnixTime};
use cwa_export::configuration::ConfigurationV1;
use cwa_export::configuration::v1::RiskScoreParameters;
use cwa_risk::cwa::{
    AttenuationWeights, CombinedInput, CombinedParameters, MinutesCap, NoRiskScoreClasses, Platform,
    RangeMinutes, RiskScoreClass, RiskScoreClassError, RiskScoreClasses,
};
use cwa_risk::exact::{ExactOverflow, NegativeError, ParseExactError};
use cwa_risk::v1::{
    AttenuationDurations, AttenuationThresholds, AttenuationThresholdsError, EncounterRules, ExposureSummary,
    ExposureValues, KeyExposures, MinimumRiskScore, MinimumRiskScoreError, Parameters, RiskLevelValue,
    RiskLevelValueError, Sighting, TotalRiskScore, Weight, WeightError, Weights, exposures, total_risk_score,
};
use cwa_risk::{Exact, NonNegative, Step};
use serde::{Deserialize, Serialize};

/// Parameters of the engine `gaen-v1`, in JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GaenV1Parameters {
    attenuation: [RiskLevelValue; 8],
    days: [RiskLevelValue; 8],
    duration: [RiskLevelValue; 8],
    transmission: [RiskLevelValue; 8],
    min: MinimumRiskScore,
    #[serde(default)]
    thresholds: AttenuationThresholds,
    #[serde(default)]
    weights: Weights,
    /// Framework v1 has no classes; the apps on it had.
    #[serde(default)]
    classes: Option<RiskScoreClasses>,
}

/// Parameters of the engine `cwa-v1`, in JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CwaV1Parameters {
    weights: AttenuationWeights,
    offset: NonNegative,
    divisor: NonNegative,
    /// `null` is no cap; absent, the platform's.
    #[serde(default)]
    cap_min: MinutesCap,
    #[serde(default)]
    classes: Option<RiskScoreClasses>,
    /// What exposures are scored with, where they do not come as a summary.
    #[serde(default)]
    config: Option<Parameters>,
}

/// Everything a health authority says about risk on framework v1.
#[derive(Clone, Debug)]
pub(crate) struct RiskConfiguration {
    pub(crate) framework: Option<Parameters>,
    pub(crate) combined: Option<CombinedParameters>,
    pub(crate) classes: Option<RiskScoreClasses>,
}

impl From<GaenV1Parameters> for RiskConfiguration {
    fn from(file: GaenV1Parameters) -> Self {
        let mut framework =
            Parameters::new(file.attenuation, file.days, file.duration, file.transmission, file.min);
        framework.attenuation_thresholds = file.thresholds;
        framework.weights = file.weights;
        Self { framework: Some(framework), combined: None, classes: file.classes }
    }
}

impl From<CwaV1Parameters> for RiskConfiguration {
    fn from(file: CwaV1Parameters) -> Self {
        let AttenuationWeights { low, mid, high } = file.weights;
        let mut combined = CombinedParameters::new([low, mid, high], file.divisor);
        combined.offset = file.offset;
        combined.cap = file.cap_min;
        Self { framework: file.config, combined: Some(combined), classes: file.classes }
    }
}

impl TryFrom<&ConfigurationV1> for RiskConfiguration {
    type Error = RiskConfigurationError;

    /// The parts of a signed or YAML configuration that decide about risk.
    fn try_from(configuration: &ConfigurationV1) -> Result<Self, Self::Error> {
        let durations = &configuration.attenuation_duration;
        let thresholds = (durations.thresholds.lower.into(), durations.thresholds.upper.into());
        let mut framework = levels(&configuration.exposure_config)?;
        framework.minimum_risk_score = MinimumRiskScore::try_from(i64::from(configuration.min_risk_score))?;
        framework.attenuation_thresholds = AttenuationThresholds::try_from(thresholds)?;

        let weights = durations.weights;
        let weights = [decimal(weights.low)?, decimal(weights.mid)?, decimal(weights.high)?];
        let divisor = NonNegative::try_from(Exact::from(durations.risk_score_normalization_divisor))?;
        let mut combined = CombinedParameters::new(weights, divisor);
        combined.offset = NonNegative::try_from(Exact::from(durations.default_bucket_offset))?;

        let class = |class: &cwa_export::configuration::v1::RiskScoreClass| {
            let min = NonNegative::try_from(Exact::from(class.min))?;
            let max = NonNegative::try_from(Exact::from(class.max))?;
            Ok::<_, Self::Error>(
                RiskScoreClass::new(class.label.clone(), min, max)?.with_url(class.url.clone()),
            )
        };
        let classes = configuration.risk_score_classes.risk_classes.iter().map(class);
        let classes = RiskScoreClasses::new(classes.collect::<Result<_, _>>()?)?;
        Ok(Self { framework: Some(framework), combined: Some(combined), classes: Some(classes) })
    }
}

/// Why nothing can be scored with a configuration: the first thing that is wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RiskConfigurationError {
    #[error("category {category} of the exposure configuration")]
    Level { category: &'static str, source: RiskLevelValueError },
    #[error(transparent)]
    Weight(#[from] WeightError),
    #[error(transparent)]
    Minimum(#[from] MinimumRiskScoreError),
    #[error(transparent)]
    Thresholds(#[from] AttenuationThresholdsError),
    #[error(transparent)]
    Number(#[from] ParseExactError),
    #[error(transparent)]
    Negative(#[from] NegativeError),
    #[error(transparent)]
    Class(#[from] RiskScoreClassError),
    #[error(transparent)]
    Classes(#[from] NoRiskScoreClasses),
}

/// The 36 parameters, with the framework's minimum and thresholds.
fn levels(configuration: &RiskScoreParameters) -> Result<Parameters, RiskConfigurationError> {
    let row = |category, scores: [(&str, i32); 8]| {
        RiskLevelValue::row(scores.map(|(_, score)| score.into()))
            .map_err(|source| RiskConfigurationError::Level { category, source })
    };
    let weight = |number| Ok::<_, RiskConfigurationError>(Weight::try_from(decimal(number)?.get())?);
    let mut parameters = Parameters::default();
    parameters.attenuation = row("attenuation", configuration.attenuation.scores())?;
    parameters.days = row("days_since_last_exposure", configuration.days_since_last_exposure.scores())?;
    parameters.duration = row("duration", configuration.duration.scores())?;
    parameters.transmission = row("transmission", configuration.transmission.scores())?;
    parameters.weights.attenuation = weight(configuration.attenuation_weight)?;
    parameters.weights.days = weight(configuration.days_weight)?;
    parameters.weights.duration = weight(configuration.duration_weight)?;
    parameters.weights.transmission = weight(configuration.transmission_weight)?;
    Ok(parameters)
}

/// The decimal that was written before it became a floating-point number.
fn decimal(number: f64) -> Result<NonNegative, RiskConfigurationError> {
    Ok(Exact::from_shortest_decimal(number)?.try_into()?)
}

/// An exposure, in JSON: what was heard of a key, or the values of one exposure, or the summary of all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExposureItem {
    /// Second and attenuation in dB of each frame.
    sightings: Option<Vec<(u64, Attenuation)>>,
    /// In place of those of the parameters.
    thresholds: Option<AttenuationThresholds>,
    max_gap_s: Option<u64>,
    scan_interval_s: Option<u64>,

    attenuation_db: Option<Attenuation>,
    duration_s: Option<u64>,
    attenuation_durations_s: Option<AttenuationDurations>,

    /// Whole days from the beginning of the key to now.
    days: Option<u64>,
    trl: Option<TransmissionRiskLevel>,

    max_risk_score: Option<u32>,
    durations_s: Option<[NonNegative; 3]>,
    durations_min: Option<[NonNegative; 3]>,
}

impl ExposureItem {
    /// The exposures that the item is: sightings can be several.
    pub(crate) fn scored(&self, parameters: &Parameters) -> Result<Vec<ScoredItem>, ItemError> {
        if self.is_summary() {
            return Err(ItemError::NotHere { member: "max_risk_score", where_allowed: "engine cwa-v1" });
        }
        let days = self.days.ok_or(ItemError::Missing { member: "days" })?;
        let trl = self.trl.ok_or(ItemError::Missing { member: "trl" })?;
        match &self.sightings {
            Some(sightings) => {
                for (member, present) in [
                    ("attenuation_db", self.attenuation_db.is_some()),
                    ("duration_s", self.duration_s.is_some()),
                    ("attenuation_durations_s", self.attenuation_durations_s.is_some()),
                ] {
                    refuse(member, present, "exposures without sightings")?;
                }
                Ok(self.scored_sightings(sightings, days, trl, parameters))
            }
            None => {
                for (member, present) in [
                    ("thresholds", self.thresholds.is_some()),
                    ("max_gap_s", self.max_gap_s.is_some()),
                    ("scan_interval_s", self.scan_interval_s.is_some()),
                ] {
                    refuse(member, present, "exposures with sightings")?;
                }
                let values = ExposureValues {
                    attenuation: self
                        .attenuation_db
                        .ok_or(ItemError::Missing { member: "attenuation_db" })?,
                    duration_seconds: self.duration_s.ok_or(ItemError::Missing { member: "duration_s" })?,
                    days_since_exposure: days,
                    transmission_risk_level: trl,
                };
                let risk = total_risk_score(&values, parameters);
                let steps = risk.steps().to_vec();
                let attenuation_durations_s = self.attenuation_durations_s;
                Ok(vec![ScoredItem { values, attenuation_durations_s, score: risk.score(), steps, risk }])
            }
        }
    }

    fn scored_sightings(
        &self,
        sightings: &[(u64, Attenuation)],
        days: u64,
        trl: TransmissionRiskLevel,
        parameters: &Parameters,
    ) -> Vec<ScoredItem> {
        let mut rules = EncounterRules::default();
        rules.maximum_gap_seconds = self.max_gap_s.unwrap_or(rules.maximum_gap_seconds);
        rules.scan_interval_seconds = self.scan_interval_s.unwrap_or(rules.scan_interval_seconds);
        let sighting = |(second, attenuation): &(u64, Attenuation)| Sighting {
            seen_at: UnixTime::from_secs(*second),
            attenuation: *attenuation,
            // The file does not tell identifiers apart; a scan has one of them.
            interval: ENIntervalNumber::new(0),
        };
        let sightings: Vec<_> = sightings.iter().map(sighting).collect();
        let thresholds = self.thresholds.unwrap_or(parameters.attenuation_thresholds);
        let key = KeyExposures::score(exposures(&sightings, thresholds, rules), days, trl, parameters);
        let item = |scored: cwa_risk::v1::ScoredExposure| ScoredItem {
            values: ExposureValues {
                attenuation: scored.exposure.attenuation(),
                duration_seconds: scored.exposure.duration_seconds(),
                days_since_exposure: days,
                transmission_risk_level: trl,
            },
            attenuation_durations_s: Some(scored.exposure.attenuation_durations()),
            score: scored.risk.score(),
            steps: core::iter::once(scored.exposure.attenuation_step())
                .chain(scored.risk.steps().iter().cloned())
                .collect(),
            risk: scored.risk,
        };
        key.exposures.into_iter().map(item).collect()
    }

    /// The summary that the item is.
    pub(crate) fn summary(&self) -> Result<CombinedInput, ItemError> {
        for (member, present) in [
            ("sightings", self.sightings.is_some()),
            ("attenuation_db", self.attenuation_db.is_some()),
            ("duration_s", self.duration_s.is_some()),
            ("attenuation_durations_s", self.attenuation_durations_s.is_some()),
            ("days", self.days.is_some()),
            ("trl", self.trl.is_some()),
        ] {
            refuse(member, present, "single exposures, not the summary of all")?;
        }
        let maximum_risk_score =
            self.max_risk_score.ok_or(ItemError::Missing { member: "max_risk_score" })?;
        let minutes = match (self.durations_s, self.durations_min) {
            (Some(seconds), None) => RangeMinutes::from_seconds(seconds)?,
            (None, Some(minutes)) => RangeMinutes::from(minutes),
            (None, None) => return Err(ItemError::Missing { member: "durations_s or durations_min" }),
            (Some(_), Some(_)) => return Err(ItemError::TwoUnits),
        };
        Ok(CombinedInput { maximum_risk_score, minutes })
    }

    pub(crate) const fn is_summary(&self) -> bool {
        self.max_risk_score.is_some() || self.durations_s.is_some() || self.durations_min.is_some()
    }
}

const fn refuse(member: &'static str, present: bool, where_allowed: &'static str) -> Result<(), ItemError> {
    if present { Err(ItemError::NotHere { member, where_allowed }) } else { Ok(()) }
}

/// Why a JSON object is no exposure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("there is no member \"{member}\"")]
    Missing { member: &'static str },
    #[error("member \"{member}\" belongs to {where_allowed}")]
    NotHere { member: &'static str, where_allowed: &'static str },
    #[error("there are both durations_s and durations_min")]
    TwoUnits,
    #[error("the summary of all exposures stands alone")]
    SummaryAndOthers,
    #[error("there is no member \"config\" in the parameters to score single exposures with")]
    NoFrameworkParameters,
    #[error("durations_s")]
    Durations(#[from] ExactOverflow),
}

/// An exposure with its total risk score.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScoredItem {
    #[serde(flatten)]
    pub(crate) values: ExposureValues,
    pub(crate) attenuation_durations_s: Option<AttenuationDurations>,
    pub(crate) score: u16,
    pub(crate) steps: Vec<Step>,
    #[serde(skip)]
    pub(crate) risk: TotalRiskScore,
}

/// What `cwa-v1` starts from: the summary in the file, or that of the exposures in it.
pub(crate) fn combined_input(
    items: &[ExposureItem],
    framework: Option<&Parameters>,
    platform: Platform,
) -> Result<(CombinedInput, Vec<ScoredItem>), ItemError> {
    if let [item] = items
        && item.is_summary()
    {
        return Ok((item.summary()?, Vec::new()));
    }
    if items.iter().any(ExposureItem::is_summary) {
        return Err(ItemError::SummaryAndOthers);
    }
    let mut summary = ExposureSummary::default();
    let mut scored = Vec::new();
    for item in items {
        let framework = framework.ok_or(ItemError::NoFrameworkParameters)?;
        scored.extend(item.scored(framework)?);
    }
    for ScoredItem { values, attenuation_durations_s, risk, .. } in &scored {
        let durations =
            attenuation_durations_s.ok_or(ItemError::Missing { member: "attenuation_durations_s" })?;
        summary.include(risk, durations, values.days_since_exposure, platform.below_minimum());
    }
    Ok((CombinedInput::from(&summary), scored))
}
