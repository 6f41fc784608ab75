//! Application configuration for framework mode v2, for either platform; parts that concern neither keys nor risk are
//! kept as named opaque bytes.
//!
//! With `serde` the parts have the names of the German server's YAML files.

mod convert;
mod lint;

use core::fmt;
use std::collections::BTreeMap;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::lint::number;
pub use super::v1::{
    AppFeature, ExposureDetectionParameters, KeyDownloadParameters, RevokedDayPackage, RevokedHourPackage,
    SemanticVersion,
};

/// A configuration of framework mode v2, for Android or iOS; [`lint`](Self::lint) says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ConfigurationV2 {
    /// Which app it is for.
    pub platform: Platform,
    /// Oldest app version allowed.
    pub min_version: AppVersionNumber,
    /// Newest app version.
    pub latest_version: AppVersionNumber,
    /// Switches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_features: Vec<AppFeature>,
    /// Countries whose packages exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_countries: Vec<String>,
    /// How packages are downloaded, and which must be thrown away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_download_parameters: Option<KeyDownloadParameters>,
    /// How often exposures are detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_detection_parameters: Option<ExposureDetectionParameters>,
    /// How exposure windows become a risk level.
    #[serde(skip_serializing_if = "Option::is_none", rename = "risk-calculation-parameters")]
    pub risk_calculation: Option<RiskCalculation>,
    /// How Android derives infectiousness; `None` on iOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis_keys_data_mapping: Option<DiagnosisKeysDataMapping>,
    /// How days are summed up on Android; `None` on iOS.
    #[serde(skip_serializing_if = "Option::is_none", rename = "daily-summaries-config")]
    pub daily_summaries: Option<DailySummaries>,
    /// How iOS weighs exposures; `None` on Android.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_configuration: Option<ExposureConfiguration>,
    /// Parts that are not looked into, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub opaque_parts: BTreeMap<&'static str, OpaquePart>,
}

impl ConfigurationV2 {
    /// The bytes of a part that is not looked into, by its name in [`opaque_parts`](Self::opaque_parts).
    #[must_use]
    pub fn opaque_part(&self, name: &str) -> Option<&[u8]> {
        self.opaque_parts.get(name).map(|part| part.0.as_slice())
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

/// The version of an app: a single number on Android, three on iOS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "one form for each of the two platforms")]
pub enum AppVersionNumber {
    /// Android's version code.
    Code(i64),
    /// Major, minor and patch.
    Semantic(SemanticVersion),
}

impl fmt::Display for AppVersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Semantic(version) => write!(f, "{version}"),
        }
    }
}

impl Serialize for AppVersionNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part that is not looked into: its bytes, of which `serde` writes number and SHA-256.
#[derive(Clone, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "bytes, whatever they mean")]
pub struct OpaquePart(
    /// The message's bytes.
    pub Vec<u8>,
);

impl fmt::Debug for OpaquePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpaquePart({} bytes)", self.0.len())
    }
}

impl Serialize for OpaquePart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("OpaquePart", 2)?;
        part.serialize_field("bytes", &self.0.len())?;
        part.serialize_field("sha256", &hex::encode(Sha256::digest(&self.0)))?;
        part.end()
    }
}

/// How exposure windows become a risk level.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RiskCalculation {
    /// Windows are dropped if their minutes in a range of attenuations lie in a range.
    pub minutes_at_attenuation_filters: Vec<MinutesAtAttenuationFilter>,
    /// Windows are dropped if their transmission risk level lies in one of these ranges.
    pub trl_filters: Vec<TrlFilter>,
    /// Weight of a minute by attenuation.
    pub minutes_at_attenuation_weights: Vec<Weighted>,
    /// Risk level of a window by its normalized time.
    #[serde(rename = "normalized-time-per-e-w-to-risk-level-mapping")]
    pub normalized_time_per_ew_to_risk_level: Vec<RiskLevelRange>,
    /// Risk level of a day by its normalized time.
    #[serde(rename = "normalized-time-per-day-to-risk-level-mapping")]
    pub normalized_time_per_day_to_risk_level: Vec<RiskLevelRange>,
    /// How infectiousness and report type give back a transmission risk level.
    #[serde(rename = "trlEncoding", skip_serializing_if = "Option::is_none")]
    pub trl_encoding: Option<TrlEncoding>,
    /// Factor of the transmission risk level; superseded by the values below.
    #[serde(deserialize_with = "number::one")]
    pub transmission_risk_level_multiplier: f64,
    /// Factor by transmission risk level.
    #[serde(rename = "transmission-risk-value-mapping")]
    pub transmission_risk_values: Vec<TransmissionRiskValue>,
    /// Encounters of more days ago are left out.
    pub max_encounter_age_in_days: i32,
}

/// A range of numbers with open or closed ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct Range {
    /// Lower end.
    #[serde(deserialize_with = "number::one")]
    pub min: f64,
    /// Whether the lower end is not part of it.
    pub min_exclusive: bool,
    /// Upper end.
    #[serde(deserialize_with = "number::one")]
    pub max: f64,
    /// Whether the upper end is not part of it.
    pub max_exclusive: bool,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.min_exclusive { '(' } else { '[' };
        let close = if self.max_exclusive { ')' } else { ']' };
        write!(f, "{open}{},{}{close}", self.min, self.max)
    }
}

/// Drops windows whose minutes at an attenuation lie in a range.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct MinutesAtAttenuationFilter {
    /// Attenuations in dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attenuation_range: Option<Range>,
    /// Minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_if_minutes_in_range: Option<Range>,
}

/// Drops windows whose transmission risk level lies in a range.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct TrlFilter {
    /// Transmission risk levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_if_trl_in_range: Option<Range>,
}

/// The weight of a minute at an attenuation.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct Weighted {
    /// Attenuations in dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attenuation_range: Option<Range>,
    /// The weight.
    #[serde(deserialize_with = "number::one")]
    pub weight: f64,
}

/// The risk level of a normalized time.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct RiskLevelRange {
    /// Minutes, weighted and multiplied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_time_range: Option<Range>,
    /// 1 low, 2 high.
    pub risk_level: i32,
}

/// How infectiousness and report type give back a transmission risk level: the sum of one offset of each.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
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

/// The factor of a transmission risk level.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct TransmissionRiskValue {
    /// The level, 1 to 8.
    pub transmission_risk_level: i32,
    /// The factor.
    #[serde(deserialize_with = "number::one")]
    pub transmission_risk_value: f64,
}

/// The factors of the transmission risk levels, which the German server keeps in a file of their own.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct TransmissionRiskValueMapping {
    /// One factor for each level.
    pub transmission_risk_value_mapping: Vec<TransmissionRiskValue>,
}

/// How the German server writes transmission risk levels into keys, in a file of its own that no app fetches;
/// [`TrlEncoding`] is the way back.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "one map by the file")]
pub struct TransmissionRiskEncodingFile {
    /// The maps.
    pub transmission_risk_encoding: TransmissionRiskEncoding,
}

/// Days since onset and report type that stand for a transmission risk level.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "two maps by the file")]
pub struct TransmissionRiskEncoding {
    /// Days since onset by level.
    #[serde(rename = "transmissionRisk-to-daysSinceSymptoms")]
    pub days_since_onset: BTreeMap<i32, i32>,
    /// Report type by level.
    #[serde(rename = "transmissionRisk-to-reportType")]
    pub report_type: BTreeMap<i32, i32>,
}

/// How Android derives infectiousness.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
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
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the format")]
pub struct DailySummaries {
    /// Three attenuations in dB that part four buckets.
    pub attenuation_bucket_threshold_db: Vec<i32>,
    /// Weights of the four buckets.
    #[serde(deserialize_with = "number::list")]
    pub attenuation_bucket_weights: Vec<f64>,
    /// Days to look back; 0 looks back over all.
    pub days_since_exposure_threshold: i32,
    /// Weight by infectiousness.
    #[serde(deserialize_with = "number::map")]
    pub infectiousness_weights: BTreeMap<i32, f64>,
    /// Windows with a lower score are left out.
    #[serde(deserialize_with = "number::one")]
    pub minimum_window_score: f64,
    /// Weight by report type.
    #[serde(deserialize_with = "number::map")]
    pub report_type_weights: BTreeMap<i32, f64>,
}

/// How iOS weighs exposures.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExposureConfiguration {
    /// Infectiousness (0 none, 1 standard, 2 high) by days since onset.
    pub infectiousness_for_days_since_onset_of_symptoms: BTreeMap<i32, i32>,
    /// Report type of keys without one.
    pub report_type_none_map: i32,
    /// Three attenuations in dB that part four buckets.
    pub attenuation_duration_thresholds: Vec<i32>,
    /// Weight of the nearest bucket.
    #[serde(deserialize_with = "number::one")]
    pub immediate_duration_weight: f64,
    /// Weight of the second bucket.
    #[serde(deserialize_with = "number::one")]
    pub near_duration_weight: f64,
    /// Weight of the third bucket.
    #[serde(deserialize_with = "number::one")]
    pub medium_duration_weight: f64,
    /// Weight of the farthest bucket.
    #[serde(deserialize_with = "number::one")]
    pub other_duration_weight: f64,
    /// Days to look back; 0 looks back over all.
    pub days_since_last_exposure_threshold: i32,
    /// Weight of standard infectiousness.
    #[serde(deserialize_with = "number::one")]
    pub infectiousness_standard_weight: f64,
    /// Weight of high infectiousness.
    #[serde(deserialize_with = "number::one")]
    pub infectiousness_high_weight: f64,
    /// Weight of report type 1.
    #[serde(deserialize_with = "number::one")]
    pub report_type_confirmed_test_weight: f64,
    /// Weight of report type 2.
    #[serde(deserialize_with = "number::one")]
    pub report_type_confirmed_clinical_diagnosis_weight: f64,
    /// Weight of report type 3.
    #[serde(deserialize_with = "number::one")]
    pub report_type_self_reported_weight: f64,
    /// Weight of report type 4.
    #[serde(deserialize_with = "number::one")]
    pub report_type_recursive_weight: f64,
}

#[cfg(test)]
mod tests;
