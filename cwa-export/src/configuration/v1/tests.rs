use rstest::rstest;

use super::*;
use crate::signature::{SignatureInfo, SoftwareSigner};

/// The configuration that the German server came with.
fn german() -> ConfigurationV1 {
    let class = |label: &str, min, max| RiskScoreClass {
        label: label.into(),
        min,
        max,
        url: "https://www.coronawarn.app".into(),
    };
    ConfigurationV1 {
        min_risk_score: 11,
        risk_score_classes: RiskScoreClassification {
            risk_classes: vec![class("LOW", 0, 15), class("HIGH", 15, 9999)],
        },
        exposure_config: RiskScoreParameters {
            transmission_weight: 50.0,
            duration_weight: 50.0,
            attenuation_weight: 50.0,
            days_weight: 20.0,
            transmission: TransmissionScores {
                app_defined_1: 0,
                app_defined_2: 0,
                app_defined_3: 3,
                app_defined_4: 4,
                app_defined_5: 5,
                app_defined_6: 6,
                app_defined_7: 7,
                app_defined_8: 8,
            },
            duration: DurationScores {
                gt_10_le_15_min: 1,
                gt_15_le_20_min: 1,
                gt_20_le_25_min: 1,
                gt_25_le_30_min: 1,
                gt_30_min: 1,
                ..DurationScores::default()
            },
            days_since_last_exposure: DaysScores {
                ge_14_days: 5,
                ge_12_lt_14_days: 5,
                ge_10_lt_12_days: 5,
                ge_8_lt_10_days: 5,
                ge_6_lt_8_days: 5,
                ge_4_lt_6_days: 5,
                ge_2_lt_4_days: 5,
                ge_0_lt_2_days: 5,
            },
            attenuation: AttenuationScores {
                gt_73_dbm: 0,
                gt_63_le_73_dbm: 2,
                gt_51_le_63_dbm: 2,
                gt_33_le_51_dbm: 2,
                gt_27_le_33_dbm: 2,
                gt_15_le_27_dbm: 2,
                gt_10_le_15_dbm: 2,
                le_10_dbm: 2,
            },
        },
        attenuation_duration: AttenuationDuration {
            thresholds: AttenuationThresholds { lower: 55, upper: 63 },
            weights: AttenuationWeights { low: 1.0, mid: 0.5, high: 0.0 },
            default_bucket_offset: 0,
            risk_score_normalization_divisor: 50,
        },
        ..ConfigurationV1::default()
    }
}

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(
        p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap(),
        SignatureInfo::new("262", "v1"),
    )
}

fn codes(configuration: &ConfigurationV1) -> Vec<Code> {
    configuration.lint().iter().map(|finding| finding.code).collect()
}

#[test]
fn the_published_configuration_is_clean_and_survives_the_way_through_its_bytes() {
    let configuration = german();
    assert_eq!(configuration.lint(), []);
    assert_eq!(ConfigurationV1::decode(&configuration.encode()), Ok(configuration.clone()));
    assert!(configuration.sign(&[&signer()]).is_ok());
}

#[test]
fn every_part_survives_the_way_through_its_bytes() {
    let version = SemanticVersion { major: 1, minor: 2, patch: 3 };
    let full = ConfigurationV1 {
        app_version: Some(AppVersions {
            ios: AppVersion { latest: version, min: version },
            android: AppVersion { latest: version, min: SemanticVersion::default() },
        }),
        app_features: vec![AppFeature { label: "isPlausibleDeniabilityActive".into(), value: 1 }],
        supported_countries: vec!["DE".into(), "FR".into()],
        ios_key_download_parameters: Some(KeyDownloadParameters {
            revoked_day_packages: vec![RevokedDayPackage {
                region: "DE".into(),
                date: "2020-07-22".into(),
                etag: "x".into(),
            }],
            ..KeyDownloadParameters::default()
        }),
        android_key_download_parameters: Some(KeyDownloadParameters {
            revoked_hour_packages: vec![RevokedHourPackage {
                region: "DE".into(),
                date: "2020-07-22".into(),
                hour: 4,
                etag: "y".into(),
            }],
            download_timeout_in_seconds: 60,
            overall_timeout_in_seconds: 480,
            ..KeyDownloadParameters::default()
        }),
        ios_exposure_detection_parameters: Some(ExposureDetectionParameters {
            max_exposure_detections_per_interval: 6,
            overall_timeout_in_seconds: 0,
        }),
        android_exposure_detection_parameters: Some(ExposureDetectionParameters {
            max_exposure_detections_per_interval: 6,
            overall_timeout_in_seconds: 900,
        }),
        ..german()
    };
    assert_eq!(ConfigurationV1::decode(&full.encode()), Ok(full));
}

#[test]
fn the_bytes_of_a_configuration_are_these() {
    insta::assert_snapshot!(hex::encode(german().encode()), @"080b124e0a230a034c4f57180f221a68747470733a2f2f7777772e636f726f6e617761726e2e6170700a270a0448494748100f188f4e221a68747470733a2f2f7777772e636f726f6e617761726e2e6170701a600a0c1803200428053006380740081100000000000049401a0a200128013001380140012100000000000049402a10080510051805200528053005380540053100000000000034403a0e1002180220022802300238024002410000000000004940221c0a040837103f121209000000000000f03f11000000000000e03f2032");
}

#[test]
fn a_gap_between_classes_is_a_warning_and_keeps_it_from_being_published() {
    let mut configuration = german();
    configuration.risk_score_classes.risk_classes[1].min = 20;
    let findings = configuration.lint();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].code, findings[0].severity), (Code::ClassesGap, Severity::Warning));
    assert_eq!(findings[0].message, "scores between 15 and 20 belong to no risk class");
    match configuration.sign(&[&signer()]) {
        Err(PublishError::NotPublishable { findings: why }) => assert_eq!(why, findings),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case(|c: &mut ConfigurationV1| c.risk_score_classes.risk_classes[1].min = 14, Code::ClassesOverlap)]
#[case(|c: &mut ConfigurationV1| c.risk_score_classes.risk_classes[1].max = 4096, Code::ClassesGap)]
#[case(|c: &mut ConfigurationV1| c.risk_score_classes.risk_classes[0].label.clear(), Code::ClassInvalid)]
#[case(|c: &mut ConfigurationV1| c.risk_score_classes.risk_classes.clear(), Code::NoClasses)]
#[case(|c: &mut ConfigurationV1| c.min_risk_score = -1, Code::RiskScoreOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.exposure_config.days_weight = 0.0, Code::CategoryWeightOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.exposure_config.days_weight = f64::NAN, Code::NotANumber)]
#[case(|c: &mut ConfigurationV1| c.exposure_config.days_weight = 100.001, Code::CategoryWeightOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.exposure_config.days_weight = 1.0005, Code::TooManyDecimals)]
#[case(|c: &mut ConfigurationV1| c.exposure_config.attenuation.le_10_dbm = 9, Code::LevelScoreOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.thresholds.lower = 64, Code::ThresholdsInvalid)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.thresholds.upper = 101, Code::ThresholdOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.weights.low = 1.5, Code::DurationWeightOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.default_bucket_offset = 2, Code::BucketOffsetOutOfRange)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.risk_score_normalization_divisor = 0, Code::DivisorZero)]
#[case(|c: &mut ConfigurationV1| c.attenuation_duration.risk_score_normalization_divisor = 1001, Code::DivisorOutOfRange)]
fn a_mistake_is_found(#[case] mistake: fn(&mut ConfigurationV1), #[case] code: Code) {
    let mut configuration = german();
    mistake(&mut configuration);
    assert_eq!(codes(&configuration), [code]);
    assert!(configuration.sign(&[&signer()]).is_err());
}

#[test]
fn smallest_and_greatest_weights_are_in_range() {
    let mut configuration = german();
    configuration.exposure_config.days_weight = 0.001;
    configuration.exposure_config.duration_weight = 100.0;
    assert_eq!(configuration.lint(), []);
}

#[test]
fn an_export_or_something_else_is_no_configuration() {
    let mut export = crate::header::HEADER.to_vec();
    export.extend(german().encode());
    assert_eq!(ConfigurationV1::decode(&export), Err(ConfigurationError::IsExport));
    for content in [&b""[..], b"{}", b"\x08\x0b", &[0xff; 40]] {
        assert_eq!(ConfigurationV1::decode(content), Err(ConfigurationError::Unrecognised));
    }
}

#[test]
fn nothing_longer_than_a_mebibyte_is_decoded() {
    let mut configuration = german();
    let length = configuration.encode().len();
    // Field 7, with a tag and a length of three bytes.
    configuration.supported_countries.push("x".repeat(Configuration::MAX_LENGTH - length - 4));
    assert_eq!(configuration.encode().len(), Configuration::MAX_LENGTH);
    assert_eq!(ConfigurationV1::decode(&configuration.encode()), Ok(configuration.clone()));
    configuration.supported_countries[0].push('x');
    let length = Configuration::MAX_LENGTH + 1;
    assert_eq!(ConfigurationV1::decode(&configuration.encode()), Err(ConfigurationError::TooLong { length }));
    configuration.supported_countries = vec!["DE".into(); Configuration::MAX_LENGTH / 4];
    assert!(matches!(configuration.sign(&[&signer()]), Err(PublishError::NotPublishable { .. })));
    let class = &mut configuration.risk_score_classes.risk_classes[0];
    (configuration.supported_countries, class.url) = (Vec::new(), "x".repeat(Configuration::MAX_LENGTH));
    assert!(matches!(configuration.sign(&[&signer()]), Err(PublishError::TooLong(_))));
}

#[test]
fn the_names_are_those_of_the_german_files() {
    let json = serde_json::to_value(german()).unwrap();
    assert_eq!(json["exposure-config"]["attenuation"]["gt_63_le_73_dbm"], 2);
    assert_eq!(json["attenuation-duration"]["risk-score-normalization-divisor"], 50);
    assert_eq!(serde_json::from_value::<ConfigurationV1>(json).unwrap(), german());
}
