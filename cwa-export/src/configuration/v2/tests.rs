use super::*;
use crate::configuration::Configuration;
use crate::finding::Code;
use crate::wire::configuration_v2 as wire;

fn range(min: f64, max: f64) -> wire::Range {
    wire::Range { min, min_exclusive: false, max, max_exclusive: true }
}

fn risk_calculation() -> wire::RiskCalculationParameters {
    let level = |min, max, risk_level| wire::NormalizedTimeToRiskLevelMapping {
        normalized_time_range: Some(range(min, max)),
        risk_level,
    };
    wire::RiskCalculationParameters {
        minutes_at_attenuation_weights: vec![wire::MinutesAtAttenuationWeight {
            attenuation_range: Some(range(0.0, 63.0)),
            weight: 0.8,
        }],
        normalized_time_per_ew_to_risk_level_mapping: vec![level(0.0, 9.0, 1), level(9.0, 9999.0, 2)],
        normalized_time_per_day_to_risk_level_mapping: vec![level(0.0, 9.0, 1), level(9.0, 9999.0, 2)],
        transmission_risk_level_multiplier: 0.2,
        max_encounter_age_in_days: 10,
        ..Default::default()
    }
}

fn android() -> wire::ApplicationConfigurationAndroid {
    wire::ApplicationConfigurationAndroid {
        min_version_code: 48,
        latest_version_code: 48,
        risk_calculation_parameters: Some(risk_calculation()),
        corona_test_parameters: Some(vec![8, 1]),
        key_download_parameters: Some(wire::KeyDownloadParametersAndroid {
            revoked_hour_packages: vec![wire::HourPackageMetadata {
                region: "DE".into(),
                date: "2020-07-22".into(),
                hour: 4,
                etag: "y".into(),
            }],
            download_timeout_in_seconds: 60,
            revoked_trace_warning_packages: vec![wire::TraceWarningPackageMetadata { etag: "z".into() }],
            ..Default::default()
        }),
        exposure_detection_parameters: Some(wire::ExposureDetectionParametersAndroid {
            max_exposure_detections_per_interval: 6,
            overall_timeout_in_seconds: 900,
        }),
        ..Default::default()
    }
}

fn decode(content: &impl prost::Message) -> ConfigurationV2 {
    match Configuration::decode(&content.encode_to_vec()) {
        Ok(Configuration::V2(v2)) => *v2,
        other => panic!("not recognised: {other:?}"),
    }
}

#[test]
fn android_and_ios_are_told_apart_by_their_content() {
    let android = decode(&android());
    assert_eq!((android.platform, android.min_version), (Platform::Android, AppVersionNumber::Code(48)));
    assert_eq!(android.opaque_part("corona-test-parameters"), Some(&[8, 1][..]));
    assert_eq!(
        android.risk_calculation.as_ref().unwrap().minutes_at_attenuation_weights,
        [Weighted {
            attenuation_range: Some(Range { min: 0.0, min_exclusive: false, max: 63.0, max_exclusive: true }),
            weight: 0.8
        }]
    );
    let downloads = android.key_download_parameters.as_ref().unwrap();
    assert_eq!((downloads.revoked_hour_packages[0].hour, downloads.download_timeout_in_seconds), (4, 60));
    assert_eq!(downloads.revoked_trace_warning_packages, ["z"]);
    assert_eq!(android.exposure_detection_parameters.unwrap().overall_timeout_in_seconds, 900);
    assert_eq!(android.lint(), []);

    let ios = decode(&wire::ApplicationConfigurationIos {
        min_version: Some(wire::SemanticVersion { major: 1, minor: 9, patch: 1 }),
        latest_version: Some(wire::SemanticVersion { major: 2, minor: 0, patch: 0 }),
        risk_calculation_parameters: Some(risk_calculation()),
        ..Default::default()
    });
    assert_eq!((ios.platform, ios.min_version.to_string()), (Platform::Ios, "1.9.1".to_owned()));
    assert_eq!(ios.lint(), []);
}

#[test]
fn a_part_survives_the_way_through_the_names_of_german_files() {
    let risk = decode(&android()).risk_calculation.unwrap();
    let json = serde_json::to_value(&risk).unwrap();
    assert_eq!(json["minutes-at-attenuation-weights"][0]["attenuation-range"]["max-exclusive"], true);
    assert_eq!(serde_json::from_value::<RiskCalculation>(json).unwrap(), risk);
}

#[test]
fn what_is_no_number_is_null_in_json_and_told_after_reading_it_again() {
    let mut risk = decode(&android()).risk_calculation.unwrap();
    risk.transmission_risk_level_multiplier = f64::NAN;
    let risk: RiskCalculation = serde_json::from_value(serde_json::to_value(&risk).unwrap()).unwrap();
    let codes: Vec<Code> = risk.lint().iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::NotANumber]);
}

#[test]
fn a_thousand_mistakes_of_one_kind_are_twenty_and_a_count() {
    let mut configuration = decode(&android());
    configuration.supported_countries = (0..1000).map(|number| format!("country {number}")).collect();
    let findings = configuration.lint();
    assert_eq!(findings.len(), 21);
    assert_eq!(findings[20].message, "and 980 more: a country is no country code");
}

#[test]
fn levels_must_be_told_apart_by_days_and_report_type() {
    // The encoding that the German server published.
    let mut file = TransmissionRiskEncodingFile::default();
    for level in 1..=8 {
        let encoding = &mut file.transmission_risk_encoding;
        encoding.days_since_onset.insert(level, 2 - level % 2);
        encoding.report_type.insert(level, 4 - (level - 1) / 2);
    }
    let codes = |file: &TransmissionRiskEncodingFile| -> Vec<Code> {
        file.lint().iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(&file), []);
    let changed = |change: fn(&mut TransmissionRiskEncoding)| {
        let mut file = file.clone();
        change(&mut file.transmission_risk_encoding);
        codes(&file)
    };
    let twice = changed(|encoding| *encoding.days_since_onset.get_mut(&8).unwrap() = 1);
    assert_eq!(twice, [Code::EncodingInvalid]);
    assert_eq!(
        changed(|encoding| {
            encoding.report_type.remove(&3);
        }),
        [Code::EncodingInvalid]
    );
    assert_eq!(
        changed(|encoding| {
            encoding.days_since_onset.insert(1, 15);
        }),
        [Code::DaysInvalid]
    );
    assert_eq!(
        changed(|encoding| {
            encoding.report_type.insert(8, 5);
        }),
        [Code::ReportTypeInvalid]
    );
    let ninth = changed(|encoding| {
        encoding.days_since_onset.insert(9, 3);
        encoding.report_type.insert(9, 1);
    });
    assert_eq!(ninth, [Code::TransmissionRiskLevelInvalid]);
}

proptest::proptest! {
    #[test]
    fn any_numbers_can_be_linted(ends: [f64; 6], weights: [f64; 4], levels: [i32; 4]) {
        let mut android = android();
        let mut risk = risk_calculation();
        for (mapping, index) in risk.normalized_time_per_ew_to_risk_level_mapping.iter_mut().zip(0_usize..) {
            mapping.normalized_time_range = Some(range(ends[index], ends[index + 2]));
            mapping.risk_level = levels[index];
        }
        risk.minutes_at_attenuation_weights[0].weight = weights[0];
        risk.minutes_at_attenuation_weights[0].attenuation_range = Some(range(ends[4], ends[5]));
        risk.transmission_risk_level_multiplier = weights[1];
        android.daily_summaries_config = Some(wire::DailySummariesConfig {
            attenuation_bucket_threshold_db: levels.to_vec(),
            attenuation_bucket_weights: weights.to_vec(),
            ..Default::default()
        });
        android.risk_calculation_parameters = Some(risk);
        let _ = decode(&android).lint();
    }
}
