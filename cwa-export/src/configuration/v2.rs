//! Application configuration for framework mode v2: read and summarised; parts that concern neither keys nor risk are
//! kept as named opaque bytes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::wire::configuration_v2 as wire;

/// A configuration of framework mode v2, for Android or iOS.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConfigurationV2 {
    /// Which app it is for.
    pub platform: Platform,
    /// Oldest app version allowed.
    pub min_version: String,
    /// Newest app version.
    pub latest_version: String,
    /// Countries whose packages exist.
    pub supported_countries: Vec<String>,
    /// Switches by name.
    pub app_features: BTreeMap<String, i32>,
    /// Packages that phones must throw away: days, hours, check-in warnings.
    pub revoked_packages: u64,
    /// Most detections in 24 hours.
    pub max_exposure_detections_per_interval: Option<i32>,
    /// How exposure windows become a risk level.
    pub risk_calculation: Option<RiskCalculation>,
    /// How Android derives infectiousness; `None` on iOS.
    pub diagnosis_keys_data_mapping: Option<DiagnosisKeysDataMapping>,
    /// How days are summed up on Android; `None` on iOS.
    pub daily_summaries: Option<DailySummaries>,
    /// How iOS weighs exposures; `None` on Android.
    pub exposure_configuration: Option<ExposureConfiguration>,
    /// Parts that are not looked into, by name, with their length in bytes.
    pub opaque_parts: BTreeMap<&'static str, usize>,
    #[serde(skip)]
    opaque: BTreeMap<&'static str, Vec<u8>>,
}

impl ConfigurationV2 {
    /// The bytes of a part that is not looked into, by its name in [`opaque_parts`](Self::opaque_parts).
    #[must_use]
    pub fn opaque_part(&self, name: &str) -> Option<&[u8]> {
        self.opaque.get(name).map(Vec::as_slice)
    }

    pub(super) fn from_android(wire: wire::ApplicationConfigurationAndroid) -> Self {
        let downloads = wire.key_download_parameters.unwrap_or_default();
        let opaque = opaque([
            ("event_driven_user_survey_parameters", wire.event_driven_user_survey_parameters),
            ("privacy_preserving_analytics_parameters", wire.privacy_preserving_analytics_parameters),
            ("error_log_sharing_parameters", wire.error_log_sharing_parameters),
            ("presence_tracing_parameters", wire.presence_tracing_parameters),
            ("corona_test_parameters", wire.corona_test_parameters),
            ("dgc_parameters", wire.dgc_parameters),
            ("self_report_parameters", wire.self_report_parameters),
        ]);
        Self {
            platform: Platform::Android,
            min_version: wire.min_version_code.to_string(),
            latest_version: wire.latest_version_code.to_string(),
            supported_countries: wire.supported_countries,
            app_features: features(wire.app_features),
            revoked_packages: count(downloads.revoked_day_packages.len())
                .saturating_add(count(downloads.revoked_hour_packages.len()))
                .saturating_add(count(downloads.revoked_trace_warning_packages.len())),
            max_exposure_detections_per_interval: wire
                .exposure_detection_parameters
                .map(|parameters| parameters.max_exposure_detections_per_interval),
            risk_calculation: wire.risk_calculation_parameters.map(RiskCalculation::from_wire),
            diagnosis_keys_data_mapping: wire.diagnosis_keys_data_mapping.map(|mapping| {
                DiagnosisKeysDataMapping {
                    days_since_onset_to_infectiousness: mapping.days_since_onset_to_infectiousness,
                    infectiousness_when_days_since_onset_missing: mapping
                        .infectiousness_when_days_since_onset_missing,
                    report_type_when_missing: mapping.report_type_when_missing,
                }
            }),
            daily_summaries: wire.daily_summaries_config.map(|summaries| DailySummaries {
                attenuation_bucket_threshold_db: summaries.attenuation_bucket_threshold_db,
                attenuation_bucket_weights: summaries.attenuation_bucket_weights,
                days_since_exposure_threshold: summaries.days_since_exposure_threshold,
                infectiousness_weights: summaries.infectiousness_weights,
                minimum_window_score: summaries.minimum_window_score,
                report_type_weights: summaries.report_type_weights,
            }),
            exposure_configuration: None,
            opaque_parts: lengths(&opaque),
            opaque,
        }
    }

    pub(super) fn from_ios(wire: wire::ApplicationConfigurationIos) -> Self {
        let downloads = wire.key_download_parameters.unwrap_or_default();
        let opaque = opaque([
            ("event_driven_user_survey_parameters", wire.event_driven_user_survey_parameters),
            ("privacy_preserving_analytics_parameters", wire.privacy_preserving_analytics_parameters),
            ("error_log_sharing_parameters", wire.error_log_sharing_parameters),
            ("presence_tracing_parameters", wire.presence_tracing_parameters),
            ("corona_test_parameters", wire.corona_test_parameters),
            ("dgc_parameters", wire.dgc_parameters),
            ("self_report_parameters", wire.self_report_parameters),
        ]);
        let version = |wire: Option<wire::SemanticVersion>| {
            let wire = wire.unwrap_or_default();
            format!("{}.{}.{}", wire.major, wire.minor, wire.patch)
        };
        Self {
            platform: Platform::Ios,
            min_version: version(wire.min_version),
            latest_version: version(wire.latest_version),
            supported_countries: wire.supported_countries,
            app_features: features(wire.app_features),
            revoked_packages: count(downloads.revoked_day_packages.len())
                .saturating_add(count(downloads.revoked_hour_packages.len()))
                .saturating_add(count(downloads.revoked_trace_warning_packages.len())),
            max_exposure_detections_per_interval: wire
                .exposure_detection_parameters
                .map(|parameters| parameters.max_exposure_detections_per_interval),
            risk_calculation: wire.risk_calculation_parameters.map(RiskCalculation::from_wire),
            diagnosis_keys_data_mapping: None,
            daily_summaries: None,
            exposure_configuration: wire.exposure_configuration.map(ExposureConfiguration::from_wire),
            opaque_parts: lengths(&opaque),
            opaque,
        }
    }
}

/// Which app a configuration is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "two platforms by the format")]
pub enum Platform {
    /// Android.
    Android,
    /// iOS.
    Ios,
}

/// How exposure windows become a risk level.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RiskCalculation {
    /// Windows are dropped if their minutes in a range of attenuations lie in a range.
    pub minutes_at_attenuation_filters: Vec<MinutesAtAttenuationFilter>,
    /// Windows are dropped if their transmission risk level lies in one of these ranges.
    pub trl_filters: Vec<Range>,
    /// Weight of a minute by attenuation.
    pub minutes_at_attenuation_weights: Vec<Weighted>,
    /// Risk level of a window by its normalized time.
    pub normalized_time_per_ew_to_risk_level: Vec<RiskLevelRange>,
    /// Risk level of a day by its normalized time.
    pub normalized_time_per_day_to_risk_level: Vec<RiskLevelRange>,
    /// How infectiousness and report type give back a transmission risk level.
    pub trl_encoding: Option<TrlEncoding>,
    /// Factor of the transmission risk level; superseded by the values below.
    pub transmission_risk_level_multiplier: f64,
    /// Factor by transmission risk level.
    pub transmission_risk_values: BTreeMap<i32, f64>,
    /// Encounters of more days ago are left out.
    pub max_encounter_age_in_days: i32,
}

impl RiskCalculation {
    fn from_wire(wire: wire::RiskCalculationParameters) -> Self {
        let levels = |mappings: Vec<wire::NormalizedTimeToRiskLevelMapping>| {
            mappings
                .into_iter()
                .map(|mapping| RiskLevelRange {
                    normalized_time: Range::from_wire(mapping.normalized_time_range),
                    risk_level: mapping.risk_level,
                })
                .collect()
        };
        Self {
            minutes_at_attenuation_filters: wire
                .minutes_at_attenuation_filters
                .into_iter()
                .map(|filter| MinutesAtAttenuationFilter {
                    attenuation: Range::from_wire(filter.attenuation_range),
                    drop_if_minutes: Range::from_wire(filter.drop_if_minutes_in_range),
                })
                .collect(),
            trl_filters: wire
                .trl_filters
                .into_iter()
                .map(|filter| Range::from_wire(filter.drop_if_trl_in_range))
                .collect(),
            minutes_at_attenuation_weights: wire
                .minutes_at_attenuation_weights
                .into_iter()
                .map(|weight| Weighted {
                    attenuation: Range::from_wire(weight.attenuation_range),
                    weight: weight.weight,
                })
                .collect(),
            normalized_time_per_ew_to_risk_level: levels(wire.normalized_time_per_ew_to_risk_level_mapping),
            normalized_time_per_day_to_risk_level: levels(wire.normalized_time_per_day_to_risk_level_mapping),
            trl_encoding: wire.trl_encoding.map(|encoding| TrlEncoding {
                infectiousness_offset_standard: encoding.infectiousness_offset_standard,
                infectiousness_offset_high: encoding.infectiousness_offset_high,
                report_type_offset_recursive: encoding.report_type_offset_recursive,
                report_type_offset_self_report: encoding.report_type_offset_self_report,
                report_type_offset_confirmed_clinical_diagnosis: encoding
                    .report_type_offset_confirmed_clinical_diagnosis,
                report_type_offset_confirmed_test: encoding.report_type_offset_confirmed_test,
            }),
            transmission_risk_level_multiplier: wire.transmission_risk_level_multiplier,
            transmission_risk_values: wire
                .transmission_risk_value_mapping
                .into_iter()
                .map(|mapping| (mapping.transmission_risk_level, mapping.transmission_risk_value))
                .collect(),
            max_encounter_age_in_days: wire.max_encounter_age_in_days,
        }
    }
}

/// A range of numbers with open or closed ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct Range {
    /// Lower end.
    pub min: f64,
    /// Whether the lower end is not part of it.
    pub min_exclusive: bool,
    /// Upper end.
    pub max: f64,
    /// Whether the upper end is not part of it.
    pub max_exclusive: bool,
}

impl Range {
    fn from_wire(wire: Option<wire::Range>) -> Self {
        let wire = wire.unwrap_or_default();
        Self {
            min: wire.min,
            min_exclusive: wire.min_exclusive,
            max: wire.max,
            max_exclusive: wire.max_exclusive,
        }
    }
}

/// Drops windows whose minutes at an attenuation lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct MinutesAtAttenuationFilter {
    /// Attenuations in dB.
    pub attenuation: Range,
    /// Minutes.
    pub drop_if_minutes: Range,
}

/// The weight of a minute at an attenuation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct Weighted {
    /// Attenuations in dB.
    pub attenuation: Range,
    /// The weight.
    pub weight: f64,
}

/// The risk level of a normalized time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct RiskLevelRange {
    /// Minutes, weighted and multiplied.
    pub normalized_time: Range,
    /// 1 low, 2 high.
    pub risk_level: i32,
}

/// How infectiousness and report type give back a transmission risk level: the sum of one offset of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct TrlEncoding {
    /// For standard infectiousness.
    pub infectiousness_offset_standard: i32,
    /// For high infectiousness.
    pub infectiousness_offset_high: i32,
    /// For report type 4.
    pub report_type_offset_recursive: i32,
    /// For report type 3.
    pub report_type_offset_self_report: i32,
    /// For report type 2.
    pub report_type_offset_confirmed_clinical_diagnosis: i32,
    /// For report type 1.
    pub report_type_offset_confirmed_test: i32,
}

/// How Android derives infectiousness.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct DiagnosisKeysDataMapping {
    /// Infectiousness (0 none, 1 standard, 2 high) by days since onset.
    pub days_since_onset_to_infectiousness: BTreeMap<i32, i32>,
    /// Infectiousness of keys without days since onset.
    pub infectiousness_when_days_since_onset_missing: i32,
    /// Report type of keys without one.
    pub report_type_when_missing: i32,
}

/// How Android sums days up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct DailySummaries {
    /// Three attenuations in dB that part four buckets.
    pub attenuation_bucket_threshold_db: Vec<i32>,
    /// Weights of the four buckets.
    pub attenuation_bucket_weights: Vec<f64>,
    /// Days to look back; 0 looks back over all.
    pub days_since_exposure_threshold: i32,
    /// Weight by infectiousness.
    pub infectiousness_weights: BTreeMap<i32, f64>,
    /// Windows with a lower score are left out.
    pub minimum_window_score: f64,
    /// Weight by report type.
    pub report_type_weights: BTreeMap<i32, f64>,
}

/// How iOS weighs exposures.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExposureConfiguration {
    /// Infectiousness (0 none, 1 standard, 2 high) by days since onset.
    pub infectiousness_for_days_since_onset_of_symptoms: BTreeMap<i32, i32>,
    /// Report type of keys without one.
    pub report_type_none_map: i32,
    /// Three attenuations in dB that part four buckets.
    pub attenuation_duration_thresholds: Vec<i32>,
    /// Weights of the four buckets: immediate, near, medium, other.
    pub duration_weights: [f64; 4],
    /// Days to look back; 0 looks back over all.
    pub days_since_last_exposure_threshold: i32,
    /// Weights of standard and high infectiousness.
    pub infectiousness_weights: [f64; 2],
    /// Weights of the report types 1 to 4.
    pub report_type_weights: [f64; 4],
}

impl ExposureConfiguration {
    fn from_wire(wire: wire::ExposureConfiguration) -> Self {
        Self {
            infectiousness_for_days_since_onset_of_symptoms: wire
                .infectiousness_for_days_since_onset_of_symptoms,
            report_type_none_map: wire.report_type_none_map,
            attenuation_duration_thresholds: wire.attenuation_duration_thresholds,
            duration_weights: [
                wire.immediate_duration_weight,
                wire.near_duration_weight,
                wire.medium_duration_weight,
                wire.other_duration_weight,
            ],
            days_since_last_exposure_threshold: wire.days_since_last_exposure_threshold,
            infectiousness_weights: [wire.infectiousness_standard_weight, wire.infectiousness_high_weight],
            report_type_weights: [
                wire.report_type_confirmed_test_weight,
                wire.report_type_confirmed_clinical_diagnosis_weight,
                wire.report_type_self_reported_weight,
                wire.report_type_recursive_weight,
            ],
        }
    }
}

fn features(wire: Option<wire::AppFeatures>) -> BTreeMap<String, i32> {
    wire.unwrap_or_default().app_features.into_iter().map(|feature| (feature.label, feature.value)).collect()
}

fn opaque<const N: usize>(parts: [(&'static str, Option<Vec<u8>>); N]) -> BTreeMap<&'static str, Vec<u8>> {
    parts.into_iter().filter_map(|(name, part)| Some((name, part?))).collect()
}

fn lengths(parts: &BTreeMap<&'static str, Vec<u8>>) -> BTreeMap<&'static str, usize> {
    parts.iter().map(|(name, part)| (*name, part.len())).collect()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::configuration::Configuration;

    fn risk_calculation() -> wire::RiskCalculationParameters {
        let range = wire::Range { min: 0.0, min_exclusive: false, max: 63.0, max_exclusive: true };
        wire::RiskCalculationParameters {
            minutes_at_attenuation_weights: vec![wire::MinutesAtAttenuationWeight {
                attenuation_range: Some(range),
                weight: 0.8,
            }],
            max_encounter_age_in_days: 10,
            ..Default::default()
        }
    }

    #[test]
    fn android_and_ios_are_told_apart_by_their_content() {
        let android = wire::ApplicationConfigurationAndroid {
            min_version_code: 48,
            latest_version_code: 48,
            risk_calculation_parameters: Some(risk_calculation()),
            corona_test_parameters: Some(vec![8, 1]),
            ..Default::default()
        };
        let ios = wire::ApplicationConfigurationIos {
            min_version: Some(wire::SemanticVersion { major: 1, minor: 9, patch: 1 }),
            latest_version: Some(wire::SemanticVersion { major: 2, minor: 0, patch: 0 }),
            risk_calculation_parameters: Some(risk_calculation()),
            ..Default::default()
        };
        let Ok(Configuration::V2(android)) = Configuration::decode(&android.encode_to_vec()) else {
            panic!("not recognised");
        };
        assert_eq!((android.platform, android.min_version.as_str()), (Platform::Android, "48"));
        assert_eq!(android.opaque_part("corona_test_parameters"), Some(&[8, 1][..]));
        let weights = android.risk_calculation.unwrap().minutes_at_attenuation_weights;
        let attenuation = Range { min: 0.0, min_exclusive: false, max: 63.0, max_exclusive: true };
        assert_eq!(weights, [Weighted { attenuation, weight: 0.8 }]);

        let Ok(Configuration::V2(ios)) = Configuration::decode(&ios.encode_to_vec()) else {
            panic!("not recognised");
        };
        assert_eq!((ios.platform, ios.min_version.as_str()), (Platform::Ios, "1.9.1"));
    }
}
