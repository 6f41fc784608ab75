//! Application configuration for framework mode v1: 36 parameters, risk classes, attenuation durations, downloads.

mod convert;
mod lint;

use core::fmt;

use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::lint::number;
use super::{Configuration, ConfigurationError};
use crate::export::{SignContentError, SignedFiles};
use crate::finding::{Code, Finding, Severity};
use crate::signature::Signer;
use crate::wire::configuration_v1 as wire;

pub use lint::thousandths;

/// A configuration as it was written, in range or not; [`lint`](Self::lint) says what is wrong with it, and only one
/// without errors and gaps can be [signed](Self::sign).
///
/// With `serde` it has the names of the German server's YAML files, whose parts are the fields of this type.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct ConfigurationV1 {
    /// Exposures with a total risk score below this are left out.
    pub min_risk_score: i32,
    /// Names for ranges of the combined score.
    pub risk_score_classes: RiskScoreClassification,
    /// The 36 parameters of the framework.
    pub exposure_config: RiskScoreParameters,
    /// Weighting of the time near other devices.
    pub attenuation_duration: AttenuationDuration,
    /// Versions of the apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<AppVersions>,
    /// Switches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub app_features: Vec<AppFeature>,
    /// Countries whose packages exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_countries: Vec<String>,
    /// How the iOS app downloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ios_key_download_parameters: Option<KeyDownloadParameters>,
    /// How the Android app downloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub android_key_download_parameters: Option<KeyDownloadParameters>,
    /// How often the iOS app detects exposures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ios_exposure_detection_parameters: Option<ExposureDetectionParameters>,
    /// How often the Android app detects exposures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub android_exposure_detection_parameters: Option<ExposureDetectionParameters>,
}

impl ConfigurationV1 {
    /// Reads a configuration of this kind.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] if it is of another kind, or none.
    pub fn decode(content: &[u8]) -> Result<Self, ConfigurationError> {
        match Configuration::decode(content)? {
            Configuration::V1(v1) => Ok(*v1),
            Configuration::V2(_) => Err(ConfigurationError::Unrecognised),
        }
    }

    /// The configuration's bytes: fields in ascending order, defaults left out (proto3).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    /// Signs the configuration, to be published as [`SignedFiles::to_archive`].
    ///
    /// # Errors
    ///
    /// [`PublishError::NotPublishable`] with the findings that keep it from being published, that it is too long, or
    /// whatever kept a signer from signing.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<SignedFiles, PublishError> {
        let mut findings = self.lint();
        findings.retain(|finding| finding.severity == Severity::Error || finding.code == Code::ClassesGap);
        if !findings.is_empty() {
            return Err(PublishError::NotPublishable { findings });
        }
        let content = self.encode();
        let length = content.len();
        if length > Configuration::MAX_LENGTH {
            return Err(ConfigurationError::TooLong { length }.into());
        }
        Ok(SignedFiles::sign_content(content, signers)?)
    }
}

/// Greatest combined risk score that a class must cover.
pub const MAX_RISK_SCORE: i32 = 9999;

/// Names for ranges of the combined risk score.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct RiskScoreClassification {
    /// The classes, which should touch each other and cover 0 to 9999.
    pub risk_classes: Vec<RiskScoreClass>,
}

/// One range and its name; the greatest score belongs to the next class, except for the last.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RiskScoreClass {
    /// The name: `LOW`, `HIGH`.
    pub label: String,
    /// Least score.
    pub min: i32,
    /// Greatest score.
    pub max: i32,
    /// Where an app may send people for more.
    #[serde(default)]
    pub url: String,
}

macro_rules! level_scores {
    ($(#[$doc:meta])* $name:ident = $wire:ident { $($(#[$field_doc:meta])* $field:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(deny_unknown_fields)]
        #[expect(clippy::exhaustive_structs, reason = "eight levels by the framework")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: i32,)+
        }

        impl $name {
            /// The eight scores in the order of their field numbers, with their names.
            #[must_use]
            pub const fn scores(&self) -> [(&'static str, i32); 8] {
                [$((stringify!($field), self.$field),)+]
            }

            const fn from_wire(wire: &wire::$wire) -> Self {
                Self { $($field: wire.$field,)+ }
            }

            const fn to_wire(self) -> wire::$wire {
                wire::$wire { $($field: self.$field,)+ }
            }
        }
    };
}

level_scores! {
    /// Scores by transmission risk level, 0 to 8 each.
    TransmissionScores = TransmissionRiskParameters {
        /// Level 1.
        app_defined_1,
        /// Level 2.
        app_defined_2,
        /// Level 3.
        app_defined_3,
        /// Level 4.
        app_defined_4,
        /// Level 5.
        app_defined_5,
        /// Level 6.
        app_defined_6,
        /// Level 7.
        app_defined_7,
        /// Level 8.
        app_defined_8,
    }
}

level_scores! {
    /// Scores by duration, 0 to 8 each.
    DurationScores = DurationRiskParameters {
        /// 0 minutes.
        eq_0_min,
        /// Above 0 to 5 minutes.
        gt_0_le_5_min,
        /// Above 5 to 10 minutes.
        gt_5_le_10_min,
        /// Above 10 to 15 minutes.
        gt_10_le_15_min,
        /// Above 15 to 20 minutes.
        gt_15_le_20_min,
        /// Above 20 to 25 minutes.
        gt_20_le_25_min,
        /// Above 25 to 30 minutes.
        gt_25_le_30_min,
        /// Above 30 minutes.
        gt_30_min,
    }
}

level_scores! {
    /// Scores by days since the exposure, 0 to 8 each.
    DaysScores = DaysSinceLastExposureRiskParameters {
        /// 14 days and more.
        ge_14_days,
        /// 12 and 13 days.
        ge_12_lt_14_days,
        /// 10 and 11 days.
        ge_10_lt_12_days,
        /// 8 and 9 days.
        ge_8_lt_10_days,
        /// 6 and 7 days.
        ge_6_lt_8_days,
        /// 4 and 5 days.
        ge_4_lt_6_days,
        /// 2 and 3 days.
        ge_2_lt_4_days,
        /// 0 and 1 days.
        ge_0_lt_2_days,
    }
}

level_scores! {
    /// Scores by attenuation, 0 to 8 each. The German names say dBm; the unit is dB.
    AttenuationScores = AttenuationRiskParameters {
        /// Above 73 dB.
        gt_73_dbm,
        /// Above 63 to 73 dB.
        gt_63_le_73_dbm,
        /// Above 51 to 63 dB.
        gt_51_le_63_dbm,
        /// Above 33 to 51 dB.
        gt_33_le_51_dbm,
        /// Above 27 to 33 dB.
        gt_27_le_33_dbm,
        /// Above 15 to 27 dB.
        gt_15_le_27_dbm,
        /// Above 10 to 15 dB.
        gt_10_le_15_dbm,
        /// To 10 dB; early files call it `lt_10_dbm`.
        #[serde(alias = "lt_10_dbm")]
        le_10_dbm,
    }
}

/// The 36 parameters of framework mode v1: four categories with a weight and eight level scores each.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "complete by the framework: 36 parameters")]
pub struct RiskScoreParameters {
    /// Weight of transmission, 0.001 to 100; the framework's own score does not use it.
    #[serde(default, deserialize_with = "number::one")]
    pub transmission_weight: f64,
    /// Weight of duration.
    #[serde(default, deserialize_with = "number::one")]
    pub duration_weight: f64,
    /// Weight of attenuation.
    #[serde(default, deserialize_with = "number::one")]
    pub attenuation_weight: f64,
    /// Weight of days since the exposure.
    #[serde(default, deserialize_with = "number::one")]
    pub days_weight: f64,
    /// Scores by transmission risk level.
    pub transmission: TransmissionScores,
    /// Scores by duration.
    pub duration: DurationScores,
    /// Scores by days since the exposure.
    pub days_since_last_exposure: DaysScores,
    /// Scores by attenuation.
    pub attenuation: AttenuationScores,
}

impl RiskScoreParameters {
    /// The four weights with their names.
    #[must_use]
    pub const fn weights(&self) -> [(&'static str, f64); 4] {
        [
            ("transmission_weight", self.transmission_weight),
            ("duration_weight", self.duration_weight),
            ("attenuation_weight", self.attenuation_weight),
            ("days_weight", self.days_weight),
        ]
    }

    /// The four times eight level scores with their names.
    #[must_use]
    pub const fn scores(&self) -> [(&'static str, [(&'static str, i32); 8]); 4] {
        [
            ("transmission", self.transmission.scores()),
            ("duration", self.duration.scores()),
            ("days_since_last_exposure", self.days_since_last_exposure.scores()),
            ("attenuation", self.attenuation.scores()),
        ]
    }

    fn from_wire(wire: &wire::RiskScoreParameters) -> Self {
        Self {
            transmission_weight: wire.transmission_weight,
            duration_weight: wire.duration_weight,
            attenuation_weight: wire.attenuation_weight,
            days_weight: wire.days_weight,
            transmission: TransmissionScores::from_wire(&wire.transmission.unwrap_or_default()),
            duration: DurationScores::from_wire(&wire.duration.unwrap_or_default()),
            days_since_last_exposure: DaysScores::from_wire(
                &wire.days_since_last_exposure.unwrap_or_default(),
            ),
            attenuation: AttenuationScores::from_wire(&wire.attenuation.unwrap_or_default()),
        }
    }

    const fn to_wire(self) -> wire::RiskScoreParameters {
        wire::RiskScoreParameters {
            transmission: Some(self.transmission.to_wire()),
            transmission_weight: self.transmission_weight,
            duration: Some(self.duration.to_wire()),
            duration_weight: self.duration_weight,
            days_since_last_exposure: Some(self.days_since_last_exposure.to_wire()),
            days_weight: self.days_weight,
            attenuation: Some(self.attenuation.to_wire()),
            attenuation_weight: self.attenuation_weight,
        }
    }
}

/// How time at near, middle and far attenuation counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct AttenuationDuration {
    /// Where near ends and far begins.
    pub thresholds: AttenuationThresholds,
    /// How a minute of each counts.
    pub weights: AttenuationWeights,
    /// Minutes added to the weighted time, 0 or 1.
    pub default_bucket_offset: i32,
    /// By what the score is divided.
    pub risk_score_normalization_divisor: i32,
}

impl AttenuationDuration {
    fn from_wire(wire: &wire::AttenuationDuration) -> Self {
        let (thresholds, weights) = (wire.thresholds.unwrap_or_default(), wire.weights.unwrap_or_default());
        Self {
            thresholds: AttenuationThresholds { lower: thresholds.lower, upper: thresholds.upper },
            weights: AttenuationWeights { low: weights.low, mid: weights.mid, high: weights.high },
            default_bucket_offset: wire.default_bucket_offset,
            risk_score_normalization_divisor: wire.risk_score_normalization_divisor,
        }
    }

    const fn to_wire(self) -> wire::AttenuationDuration {
        let Self { thresholds, weights, .. } = self;
        wire::AttenuationDuration {
            thresholds: Some(wire::Thresholds { lower: thresholds.lower, upper: thresholds.upper }),
            weights: Some(wire::Weights { low: weights.low, mid: weights.mid, high: weights.high }),
            default_bucket_offset: self.default_bucket_offset,
            risk_score_normalization_divisor: self.risk_score_normalization_divisor,
        }
    }
}

/// Two attenuations in dB, 0 to 100, that part near, middle and far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "two thresholds by the format")]
pub struct AttenuationThresholds {
    /// Below it is near.
    pub lower: i32,
    /// From it on is far.
    pub upper: i32,
}

/// Weights of a minute near, middle and far: 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "three weights by the format")]
pub struct AttenuationWeights {
    /// Near.
    #[serde(deserialize_with = "number::one")]
    pub low: f64,
    /// Between the thresholds.
    #[serde(deserialize_with = "number::one")]
    pub mid: f64,
    /// Far.
    #[serde(deserialize_with = "number::one")]
    pub high: f64,
}

/// Versions of the two apps.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "two platforms by the format")]
pub struct AppVersions {
    /// For iOS.
    pub ios: AppVersion,
    /// For Android.
    pub android: AppVersion,
}

/// Newest version, and the oldest one still allowed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "two versions by the format")]
pub struct AppVersion {
    /// The newest.
    pub latest: SemanticVersion,
    /// The oldest allowed.
    pub min: SemanticVersion,
}

impl AppVersion {
    fn from_wire(wire: wire::ApplicationVersionInfo) -> Self {
        let version = |wire: Option<wire::SemanticVersion>| {
            let wire = wire.unwrap_or_default();
            SemanticVersion { major: wire.major, minor: wire.minor, patch: wire.patch }
        };
        Self { latest: version(wire.latest), min: version(wire.min) }
    }

    const fn to_wire(self) -> wire::ApplicationVersionInfo {
        const fn version(version: SemanticVersion) -> Option<wire::SemanticVersion> {
            let SemanticVersion { major, minor, patch } = version;
            Some(wire::SemanticVersion { major, minor, patch })
        }
        wire::ApplicationVersionInfo { latest: version(self.latest), min: version(self.min) }
    }
}

/// Three numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "semantic versioning")]
pub struct SemanticVersion {
    /// Changed when something stops working.
    pub major: u32,
    /// Changed when something is added.
    pub minor: u32,
    /// Changed when something is mended.
    pub patch: u32,
}

impl fmt::Display for SemanticVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A switch of the app.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "label and value by the format")]
pub struct AppFeature {
    /// Its name.
    pub label: String,
    /// Its position.
    pub value: i32,
}

/// How an app downloads packages. The iOS form has no timeouts; they stay 0 there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyDownloadParameters {
    /// Day packages that phones must throw away.
    pub revoked_day_packages: Vec<RevokedDayPackage>,
    /// Hour packages that phones must throw away.
    pub revoked_hour_packages: Vec<RevokedHourPackage>,
    /// Longest time for one package; 0 if not given.
    pub download_timeout_in_seconds: i32,
    /// Longest time for all packages; 0 if not given.
    pub overall_timeout_in_seconds: i32,
    /// The `ETag`s of packages of check-in warnings that phones must throw away; framework mode v2 only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked_trace_warning_packages: Vec<String>,
}

/// A day package that phones must throw away.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "three fields by the format")]
pub struct RevokedDayPackage {
    /// Its country.
    pub region: String,
    /// Its date, `yyyy-mm-dd`.
    pub date: String,
    /// The `ETag` it was served with.
    pub etag: String,
}

/// An hour package that phones must throw away.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "four fields by the format")]
pub struct RevokedHourPackage {
    /// Its country.
    pub region: String,
    /// Its date, `yyyy-mm-dd`.
    pub date: String,
    /// Its hour, 0 to 23.
    pub hour: i32,
    /// The `ETag` it was served with.
    pub etag: String,
}

/// How often an app detects exposures. The iOS form has no timeout; it stays 0 there.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExposureDetectionParameters {
    /// Most detections in 24 hours; 0 switches detection off.
    pub max_exposure_detections_per_interval: i32,
    /// Longest time for one detection; 0 if not given.
    pub overall_timeout_in_seconds: i32,
}

/// Why a configuration was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It has errors, or scores without a class.
    #[error("the configuration has {} findings that keep it from being published", findings.len())]
    NotPublishable {
        /// What keeps it.
        findings: Vec<Finding>,
    },
    /// No reader would take it.
    #[error(transparent)]
    TooLong(#[from] ConfigurationError),
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignContentError),
}

#[cfg(test)]
mod tests;
