//! Between the configuration and its message.

use super::{
    AppFeature, AppVersion, AppVersions, AttenuationDuration, ConfigurationV1, ExposureDetectionParameters,
    KeyDownloadParameters, RevokedDayPackage, RevokedHourPackage, RiskScoreClass, RiskScoreClassification,
    RiskScoreParameters,
};
use crate::wire::configuration_v1 as wire;

impl ConfigurationV1 {
    pub(in crate::configuration) fn from_wire(wire: wire::ApplicationConfiguration) -> Self {
        Self {
            min_risk_score: wire.min_risk_score,
            risk_score_classes: RiskScoreClassification {
                risk_classes: wire
                    .risk_score_classes
                    .unwrap_or_default()
                    .risk_classes
                    .into_iter()
                    .map(|class| RiskScoreClass {
                        label: class.label,
                        min: class.min,
                        max: class.max,
                        url: class.url,
                    })
                    .collect(),
            },
            exposure_config: RiskScoreParameters::from_wire(&wire.exposure_config.unwrap_or_default()),
            attenuation_duration: AttenuationDuration::from_wire(
                &wire.attenuation_duration.unwrap_or_default(),
            ),
            app_version: wire.app_version.map(|versions| AppVersions {
                ios: AppVersion::from_wire(versions.ios.unwrap_or_default()),
                android: AppVersion::from_wire(versions.android.unwrap_or_default()),
            }),
            app_features: wire
                .app_features
                .unwrap_or_default()
                .app_features
                .into_iter()
                .map(|feature| AppFeature { label: feature.label, value: feature.value })
                .collect(),
            supported_countries: wire.supported_countries,
            ios_key_download_parameters: wire.ios_key_download_parameters.map(|parameters| {
                KeyDownloadParameters {
                    revoked_day_packages: days_from_wire(parameters.revoked_day_packages),
                    revoked_hour_packages: hours_from_wire(parameters.revoked_hour_packages),
                    ..KeyDownloadParameters::default()
                }
            }),
            android_key_download_parameters: wire.android_key_download_parameters.map(|parameters| {
                KeyDownloadParameters {
                    revoked_day_packages: days_from_wire(parameters.revoked_day_packages),
                    revoked_hour_packages: hours_from_wire(parameters.revoked_hour_packages),
                    download_timeout_in_seconds: parameters.download_timeout_in_seconds,
                    overall_timeout_in_seconds: parameters.overall_timeout_in_seconds,
                    ..KeyDownloadParameters::default()
                }
            }),
            ios_exposure_detection_parameters: wire.ios_exposure_detection_parameters.map(|parameters| {
                ExposureDetectionParameters {
                    max_exposure_detections_per_interval: parameters.max_exposure_detections_per_interval,
                    overall_timeout_in_seconds: 0,
                }
            }),
            android_exposure_detection_parameters: wire.android_exposure_detection_parameters.map(
                |parameters| ExposureDetectionParameters {
                    max_exposure_detections_per_interval: parameters.max_exposure_detections_per_interval,
                    overall_timeout_in_seconds: parameters.overall_timeout_in_seconds,
                },
            ),
        }
    }

    pub(super) fn to_wire(&self) -> wire::ApplicationConfiguration {
        let classes = self.risk_score_classes.risk_classes.iter().map(|class| wire::RiskScoreClass {
            label: class.label.clone(),
            min: class.min,
            max: class.max,
            url: class.url.clone(),
        });
        let features = self
            .app_features
            .iter()
            .map(|feature| wire::AppFeature { label: feature.label.clone(), value: feature.value });
        wire::ApplicationConfiguration {
            min_risk_score: self.min_risk_score,
            risk_score_classes: Some(wire::RiskScoreClassification { risk_classes: classes.collect() }),
            exposure_config: Some(self.exposure_config.to_wire()),
            attenuation_duration: Some(self.attenuation_duration.to_wire()),
            app_version: self.app_version.map(|versions| wire::ApplicationVersionConfiguration {
                ios: Some(versions.ios.to_wire()),
                android: Some(versions.android.to_wire()),
            }),
            app_features: (!self.app_features.is_empty())
                .then(|| wire::AppFeatures { app_features: features.collect() }),
            supported_countries: self.supported_countries.clone(),
            ios_key_download_parameters: self.ios_key_download_parameters.as_ref().map(|parameters| {
                wire::KeyDownloadParametersIos {
                    revoked_day_packages: days_to_wire(&parameters.revoked_day_packages),
                    revoked_hour_packages: hours_to_wire(&parameters.revoked_hour_packages),
                }
            }),
            android_key_download_parameters: self.android_key_download_parameters.as_ref().map(
                |parameters| wire::KeyDownloadParametersAndroid {
                    revoked_day_packages: days_to_wire(&parameters.revoked_day_packages),
                    revoked_hour_packages: hours_to_wire(&parameters.revoked_hour_packages),
                    download_timeout_in_seconds: parameters.download_timeout_in_seconds,
                    overall_timeout_in_seconds: parameters.overall_timeout_in_seconds,
                },
            ),
            ios_exposure_detection_parameters: self.ios_exposure_detection_parameters.map(|parameters| {
                wire::ExposureDetectionParametersIos {
                    max_exposure_detections_per_interval: parameters.max_exposure_detections_per_interval,
                }
            }),
            android_exposure_detection_parameters: self.android_exposure_detection_parameters.map(
                |parameters| wire::ExposureDetectionParametersAndroid {
                    max_exposure_detections_per_interval: parameters.max_exposure_detections_per_interval,
                    overall_timeout_in_seconds: parameters.overall_timeout_in_seconds,
                },
            ),
        }
    }
}

fn days_from_wire(packages: Vec<wire::DayPackageMetadata>) -> Vec<RevokedDayPackage> {
    packages.into_iter().map(|p| RevokedDayPackage { region: p.region, date: p.date, etag: p.etag }).collect()
}

fn hours_from_wire(packages: Vec<wire::HourPackageMetadata>) -> Vec<RevokedHourPackage> {
    packages
        .into_iter()
        .map(|p| RevokedHourPackage { region: p.region, date: p.date, hour: p.hour, etag: p.etag })
        .collect()
}

fn days_to_wire(packages: &[RevokedDayPackage]) -> Vec<wire::DayPackageMetadata> {
    packages
        .iter()
        .cloned()
        .map(|p| wire::DayPackageMetadata { region: p.region, date: p.date, etag: p.etag })
        .collect()
}

fn hours_to_wire(packages: &[RevokedHourPackage]) -> Vec<wire::HourPackageMetadata> {
    packages
        .iter()
        .cloned()
        .map(|p| wire::HourPackageMetadata { region: p.region, date: p.date, hour: p.hour, etag: p.etag })
        .collect()
}
