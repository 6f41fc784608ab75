//! From the messages of either platform.

use std::collections::BTreeMap;

use super::{
    AppFeature, AppVersionNumber, ConfigurationV2, DailySummaries, DiagnosisKeysDataMapping,
    ExposureConfiguration, ExposureDetectionParameters, KeyDownloadParameters, MinutesAtAttenuationFilter,
    OpaquePart, Platform, Range, RevokedDayPackage, RevokedHourPackage, RiskCalculation, RiskLevelRange,
    SemanticVersion, TransmissionRiskValue, TrlEncoding, TrlFilter, Weighted,
};
use crate::wire::configuration_v2 as wire;

impl ConfigurationV2 {
    pub(in crate::configuration) fn from_android(wire: wire::ApplicationConfigurationAndroid) -> Self {
        Self {
            platform: Platform::Android,
            min_version: AppVersionNumber::Code(wire.min_version_code),
            latest_version: AppVersionNumber::Code(wire.latest_version_code),
            app_features: features(wire.app_features),
            supported_countries: wire.supported_countries,
            key_download_parameters: wire.key_download_parameters.map(|wire| KeyDownloadParameters {
                revoked_day_packages: days(wire.revoked_day_packages),
                revoked_hour_packages: hours(wire.revoked_hour_packages),
                download_timeout_in_seconds: wire.download_timeout_in_seconds,
                overall_timeout_in_seconds: wire.overall_timeout_in_seconds,
                revoked_trace_warning_packages: warnings(wire.revoked_trace_warning_packages),
            }),
            exposure_detection_parameters: wire.exposure_detection_parameters.map(|wire| {
                ExposureDetectionParameters {
                    max_exposure_detections_per_interval: wire.max_exposure_detections_per_interval,
                    overall_timeout_in_seconds: wire.overall_timeout_in_seconds,
                }
            }),
            risk_calculation: wire.risk_calculation_parameters.map(RiskCalculation::from_wire),
            diagnosis_keys_data_mapping: wire.diagnosis_keys_data_mapping.map(|wire| {
                DiagnosisKeysDataMapping {
                    days_since_onset_to_infectiousness: wire.days_since_onset_to_infectiousness,
                    infectiousness_when_days_since_onset_missing: wire
                        .infectiousness_when_days_since_onset_missing,
                    report_type_when_missing: wire.report_type_when_missing,
                }
            }),
            daily_summaries: wire.daily_summaries_config.map(|wire| DailySummaries {
                attenuation_bucket_threshold_db: wire.attenuation_bucket_threshold_db,
                attenuation_bucket_weights: wire.attenuation_bucket_weights,
                days_since_exposure_threshold: wire.days_since_exposure_threshold,
                infectiousness_weights: wire.infectiousness_weights,
                minimum_window_score: wire.minimum_window_score,
                report_type_weights: wire.report_type_weights,
            }),
            exposure_configuration: None,
            opaque_parts: opaque([
                ("event-driven-user-survey-parameters", wire.event_driven_user_survey_parameters),
                ("privacy-preserving-analytics-parameters", wire.privacy_preserving_analytics_parameters),
                ("error-log-sharing-parameters", wire.error_log_sharing_parameters),
                ("presence-tracing-parameters", wire.presence_tracing_parameters),
                ("corona-test-parameters", wire.corona_test_parameters),
                ("dgc-parameters", wire.dgc_parameters),
                ("self-report-parameters", wire.self_report_parameters),
            ]),
        }
    }

    pub(in crate::configuration) fn from_ios(wire: wire::ApplicationConfigurationIos) -> Self {
        let version = |wire: Option<wire::SemanticVersion>| {
            let wire::SemanticVersion { major, minor, patch } = wire.unwrap_or_default();
            AppVersionNumber::Semantic(SemanticVersion { major, minor, patch })
        };
        Self {
            platform: Platform::Ios,
            min_version: version(wire.min_version),
            latest_version: version(wire.latest_version),
            app_features: features(wire.app_features),
            supported_countries: wire.supported_countries,
            key_download_parameters: wire.key_download_parameters.map(|wire| KeyDownloadParameters {
                revoked_day_packages: days(wire.revoked_day_packages),
                revoked_hour_packages: hours(wire.revoked_hour_packages),
                revoked_trace_warning_packages: warnings(wire.revoked_trace_warning_packages),
                ..KeyDownloadParameters::default()
            }),
            exposure_detection_parameters: wire.exposure_detection_parameters.map(|wire| {
                ExposureDetectionParameters {
                    max_exposure_detections_per_interval: wire.max_exposure_detections_per_interval,
                    overall_timeout_in_seconds: 0,
                }
            }),
            risk_calculation: wire.risk_calculation_parameters.map(RiskCalculation::from_wire),
            diagnosis_keys_data_mapping: None,
            daily_summaries: None,
            exposure_configuration: wire.exposure_configuration.map(ExposureConfiguration::from_wire),
            opaque_parts: opaque([
                ("event-driven-user-survey-parameters", wire.event_driven_user_survey_parameters),
                ("privacy-preserving-analytics-parameters", wire.privacy_preserving_analytics_parameters),
                ("error-log-sharing-parameters", wire.error_log_sharing_parameters),
                ("presence-tracing-parameters", wire.presence_tracing_parameters),
                ("corona-test-parameters", wire.corona_test_parameters),
                ("dgc-parameters", wire.dgc_parameters),
                ("self-report-parameters", wire.self_report_parameters),
            ]),
        }
    }
}

impl RiskCalculation {
    fn from_wire(wire: wire::RiskCalculationParameters) -> Self {
        let range = |wire: Option<wire::Range>| {
            wire.map(|wire::Range { min, min_exclusive, max, max_exclusive }| Range {
                min,
                min_exclusive,
                max,
                max_exclusive,
            })
        };
        let levels = |mappings: Vec<wire::NormalizedTimeToRiskLevelMapping>| {
            let level = |wire: wire::NormalizedTimeToRiskLevelMapping| RiskLevelRange {
                normalized_time_range: range(wire.normalized_time_range),
                risk_level: wire.risk_level,
            };
            mappings.into_iter().map(level).collect()
        };
        let filter = |wire: wire::MinutesAtAttenuationFilter| MinutesAtAttenuationFilter {
            attenuation_range: range(wire.attenuation_range),
            drop_if_minutes_in_range: range(wire.drop_if_minutes_in_range),
        };
        let weight = |wire: wire::MinutesAtAttenuationWeight| Weighted {
            attenuation_range: range(wire.attenuation_range),
            weight: wire.weight,
        };
        let value = |wire: wire::TransmissionRiskValueMapping| TransmissionRiskValue {
            transmission_risk_level: wire.transmission_risk_level,
            transmission_risk_value: wire.transmission_risk_value,
        };
        Self {
            minutes_at_attenuation_filters: wire
                .minutes_at_attenuation_filters
                .into_iter()
                .map(filter)
                .collect(),
            trl_filters: wire
                .trl_filters
                .into_iter()
                .map(|filter| TrlFilter { drop_if_trl_in_range: range(filter.drop_if_trl_in_range) })
                .collect(),
            minutes_at_attenuation_weights: wire
                .minutes_at_attenuation_weights
                .into_iter()
                .map(weight)
                .collect(),
            normalized_time_per_ew_to_risk_level: levels(wire.normalized_time_per_ew_to_risk_level_mapping),
            normalized_time_per_day_to_risk_level: levels(wire.normalized_time_per_day_to_risk_level_mapping),
            trl_encoding: wire.trl_encoding.map(|wire| TrlEncoding {
                infectiousness_offset_standard: wire.infectiousness_offset_standard,
                infectiousness_offset_high: wire.infectiousness_offset_high,
                report_type_offset_recursive: wire.report_type_offset_recursive,
                report_type_offset_self_report: wire.report_type_offset_self_report,
                report_type_offset_confirmed_clinical_diagnosis: wire
                    .report_type_offset_confirmed_clinical_diagnosis,
                report_type_offset_confirmed_test: wire.report_type_offset_confirmed_test,
            }),
            transmission_risk_level_multiplier: wire.transmission_risk_level_multiplier,
            transmission_risk_values: wire.transmission_risk_value_mapping.into_iter().map(value).collect(),
            max_encounter_age_in_days: wire.max_encounter_age_in_days,
        }
    }
}

impl ExposureConfiguration {
    fn from_wire(wire: wire::ExposureConfiguration) -> Self {
        Self {
            infectiousness_for_days_since_onset_of_symptoms: wire
                .infectiousness_for_days_since_onset_of_symptoms,
            report_type_none_map: wire.report_type_none_map,
            attenuation_duration_thresholds: wire.attenuation_duration_thresholds,
            immediate_duration_weight: wire.immediate_duration_weight,
            near_duration_weight: wire.near_duration_weight,
            medium_duration_weight: wire.medium_duration_weight,
            other_duration_weight: wire.other_duration_weight,
            days_since_last_exposure_threshold: wire.days_since_last_exposure_threshold,
            infectiousness_standard_weight: wire.infectiousness_standard_weight,
            infectiousness_high_weight: wire.infectiousness_high_weight,
            report_type_confirmed_test_weight: wire.report_type_confirmed_test_weight,
            report_type_confirmed_clinical_diagnosis_weight: wire
                .report_type_confirmed_clinical_diagnosis_weight,
            report_type_self_reported_weight: wire.report_type_self_reported_weight,
            report_type_recursive_weight: wire.report_type_recursive_weight,
        }
    }
}

fn features(wire: Option<wire::AppFeatures>) -> Vec<AppFeature> {
    let features = wire.unwrap_or_default().app_features;
    features.into_iter().map(|feature| AppFeature { label: feature.label, value: feature.value }).collect()
}

fn days(packages: Vec<wire::DayPackageMetadata>) -> Vec<RevokedDayPackage> {
    packages.into_iter().map(|p| RevokedDayPackage { region: p.region, date: p.date, etag: p.etag }).collect()
}

fn hours(packages: Vec<wire::HourPackageMetadata>) -> Vec<RevokedHourPackage> {
    packages
        .into_iter()
        .map(|p| RevokedHourPackage { region: p.region, date: p.date, hour: p.hour, etag: p.etag })
        .collect()
}

fn warnings(packages: Vec<wire::TraceWarningPackageMetadata>) -> Vec<String> {
    packages.into_iter().map(|package| package.etag).collect()
}

fn opaque<const N: usize>(parts: [(&'static str, Option<Vec<u8>>); N]) -> BTreeMap<&'static str, OpaquePart> {
    parts.into_iter().filter_map(|(name, part)| Some((name, OpaquePart(part?)))).collect()
}
