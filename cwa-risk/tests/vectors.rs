//! The known answers, each case a test of its own: `cargo test --test vectors gaen_v1_score::tc2001`.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::process::ExitCode;

use cwa_crypto::{
    Attenuation, DaysSinceOnsetOfSymptoms, ENIntervalNumber, ReportType, TransmissionRiskLevel, UnixTime,
};
use cwa_risk::Exact;
use cwa_risk::cwa::{
    CombinedInput, CombinedParameters, MinutesCap, Platform, RangeMinutes, combined_risk_score,
};
use cwa_risk::exact::NonNegative;
use cwa_risk::transmission::{PublishedLevel, SymptomStatus, decode, encode};
use cwa_risk::v1::{
    AttenuationThresholds, Bucket, EncounterRules, ExposureValues, KeyExposures, MinimumRiskScore,
    Parameters, RiskLevelValue, Scan, Sighting, duration_seconds, exposures, total_risk_score,
    weighted_attenuation,
};
use cwa_test_vectors::{Test, Verdict};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (_, json) in cwa_test_vectors::builtin() {
        for group in cwa_test_vectors::parse(json).unwrap().test_groups {
            let check: fn(&Test) = match group.family.as_str() {
                "gaen_v1_bucket" => bucket,
                "gaen_v1_score" => score,
                "gaen_v1_weighted_attenuation" => average,
                "gaen_v1_bucketize_duration" => duration,
                "gaen_v1_exposures" => sightings_to_exposures,
                "cwa_v1_combined" => combined,
                "cwa_trl_vector" => levels_by_symptoms,
                "cwa_trl_codec" => published_level,
                _ => continue,
            };
            for test in group.tests {
                let name = format!("{}::tc{}", group.family, test.tc_id);
                trials.push(Trial::test(name, move || {
                    check(&test);
                    Ok(())
                }));
            }
        }
    }
    // Without its data this would be a test that cannot fail.
    assert!(trials.len() > 150, "only {} vectors found", trials.len());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn bucket(test: &Test) {
    let input = &test.input;
    let bucket = match input["category"].as_str().unwrap() {
        "attenuation" => Bucket::of_attenuation(attenuation(&input["value_db"])),
        "days" => Bucket::of_days(input["value_days"].as_u64().unwrap()),
        "duration" => Bucket::of_duration(input["value_s"].as_u64().unwrap()),
        "transmission" => Bucket::of_transmission_risk_level(level(&input["value"])).unwrap(),
        other => panic!("no category {other}"),
    };
    assert_eq!(test.expected, bucket.number());
}

fn score(test: &Test) {
    match (score_or_layer(&test.input), test.result) {
        (Ok(score), Verdict::Valid) => assert_eq!(test.expected, score),
        (Err(layer), Verdict::Invalid) => assert_eq!(test.error.as_deref(), Some(layer)),
        (outcome, verdict) => panic!("{verdict:?}, but {outcome:?}"),
    }
}

/// The score, or what refuses the input.
fn score_or_layer(input: &Value) -> Result<u16, &'static str> {
    let number = |value: &Value| value.as_i64().unwrap();
    let config = &input["config"];
    let minimum = MinimumRiskScore::try_from(number(&config["min"])).map_err(|_| "minimum")?;
    let row = |name: &str| {
        let values = [0, 1, 2, 3, 4, 5, 6, 7].map(|n: usize| number(&config[name][n]));
        RiskLevelValue::row(values).map_err(|_| "level_value")
    };
    let parameters =
        Parameters::new(row("attenuation")?, row("days")?, row("duration")?, row("transmission")?, minimum);
    let level = TransmissionRiskLevel::try_from(number(&input["trl"]));
    let values = ExposureValues {
        attenuation: attenuation(&input["attenuation_db"]),
        duration_seconds: input["duration_s"].as_u64().unwrap(),
        days_since_exposure: input["days"].as_u64().unwrap(),
        transmission_risk_level: level.map_err(|_| "transmission_risk_level")?,
    };
    Ok(total_risk_score(&values, &parameters).score())
}

fn average(test: &Test) {
    let scans: Vec<_> =
        pairs(&test.input["sightings"]).map(|(at, attenuation)| Scan { at, attenuation }).collect();
    let interval = test.input["scan_interval_s"].as_u64().unwrap();
    assert_eq!(test.expected, weighted_attenuation(&scans, interval).unwrap().attenuation().db());
}

fn duration(test: &Test) {
    assert_eq!(test.expected, duration_seconds(test.input["first_to_last_s"].as_u64().unwrap()));
}

fn sightings_to_exposures(test: &Test) {
    let input = &test.input;
    let sighting =
        |(seen_at, attenuation)| Sighting { seen_at, attenuation, interval: ENIntervalNumber::new(0) };
    let sightings: Vec<_> = pairs(&input["sightings"]).map(sighting).collect();
    let mut rules = EncounterRules::default();
    rules.maximum_gap_seconds = input["max_gap_s"].as_u64().unwrap();
    rules.scan_interval_seconds = input["scan_interval_s"].as_u64().unwrap();
    let [low, high] = [0, 1].map(|n| attenuation(&input["thresholds"][n]));
    let key = KeyExposures::score(
        exposures(&sightings, AttenuationThresholds::new(low, high).unwrap(), rules),
        input["days"].as_u64().unwrap(),
        level(&input["trl"]),
        &parameters(&input["config"]),
    );
    let computed = key.exposures.iter().map(|scored| {
        json!({
            "attenuation": scored.exposure.attenuation().db(),
            "duration_s": scored.exposure.duration_seconds(),
            "attenuation_durations_s": <[u64; 3]>::from(scored.exposure.attenuation_durations()),
            "score": scored.risk.score(),
        })
    });
    assert_eq!(test.expected, computed.collect::<Value>());
}

fn combined(test: &Test) {
    let input = &test.input;
    let minutes = match input.get("durations_s") {
        Some(seconds) => RangeMinutes::from_seconds([0, 1, 2].map(|n| number(&seconds[n]))).unwrap(),
        None => RangeMinutes::from([0, 1, 2].map(|n| number(&input["durations_min"][n]))),
    };
    let weights = ["low", "mid", "high"].map(|range| number(&input["weights"][range]));
    let mut parameters = CombinedParameters::new(weights, number(&input["divisor"]));
    parameters.offset = number(&input["offset"]);
    let cap = &input["cap_min"];
    parameters.cap = if cap.is_null() { MinutesCap::None } else { MinutesCap::At(number(cap)) };
    let maximum_risk_score = input["max_risk_score"].as_u64().unwrap().try_into().unwrap();
    let input = CombinedInput { maximum_risk_score, minutes };
    // What an app's own test asserts has to hold by that app's rules too.
    let platforms: &[Platform] = match test.comment.split('_').next() {
        Some("android") => &[Platform::Exact, Platform::Android],
        Some("ios") => &[Platform::Exact, Platform::Ios],
        _ => &[Platform::Exact],
    };
    for platform in platforms {
        let computed = combined_risk_score(&input, &parameters, *platform).unwrap().score().get();
        let tolerance = Exact::from_shortest_decimal(test.tolerance.unwrap_or(0.0)).unwrap();
        let off = computed.checked_sub(number(&test.expected).get()).unwrap();
        let distance = off.max(Exact::ZERO.checked_sub(off).unwrap());
        assert!(distance <= tolerance, "{platform:?}: expected {}, computed {computed}", test.expected);
    }
}

fn levels_by_symptoms(test: &Test) {
    let status = match test.input["symptoms"].as_str().unwrap() {
        "positive" => {
            SymptomStatus::OnsetDaysAgo(test.input["onset_days_ago"].as_u64().unwrap().try_into().unwrap())
        }
        "positive_no_information" => SymptomStatus::OnsetUnknown,
        "positive_last_seven_days" => SymptomStatus::OnsetInLastSevenDays,
        "positive_one_to_two_weeks" => SymptomStatus::OnsetOneToTwoWeeksAgo,
        "positive_more_than_two_weeks" => SymptomStatus::OnsetMoreThanTwoWeeksAgo,
        "negative" => SymptomStatus::NoSymptoms,
        "no_information" => SymptomStatus::NoInformation,
        other => panic!("no status {other}"),
    };
    assert_eq!(test.expected, json!(status.levels().map(TransmissionRiskLevel::get)));
}

fn published_level(test: &Test) {
    let published = PublishedLevel {
        days_since_onset_of_symptoms: DaysSinceOnsetOfSymptoms::try_from(
            test.input["published_dsos"].as_i64().unwrap(),
        )
        .unwrap(),
        report_type: ReportType::try_from(test.input["published_report_type"].as_i64().unwrap()).unwrap(),
    };
    assert_eq!(decode(published), Some(level(&test.expected)));
    assert_eq!(encode(level(&test.expected)), Some(published));
}

fn parameters(config: &Value) -> Parameters {
    let row = |name: &str| {
        RiskLevelValue::row([0, 1, 2, 3, 4, 5, 6, 7].map(|n: usize| config[name][n].as_i64().unwrap()))
            .unwrap()
    };
    let minimum = MinimumRiskScore::try_from(config["min"].as_i64().unwrap()).unwrap();
    Parameters::new(row("attenuation"), row("days"), row("duration"), row("transmission"), minimum)
}

fn pairs(sightings: &Value) -> impl Iterator<Item = (UnixTime, Attenuation)> {
    let pair = |pair: &Value| (UnixTime::from_secs(pair[0].as_u64().unwrap()), attenuation(&pair[1]));
    sightings.as_array().unwrap().iter().map(pair)
}

fn attenuation(value: &Value) -> Attenuation {
    Attenuation::from_db(value.as_u64().unwrap().try_into().unwrap())
}

fn level(value: &Value) -> TransmissionRiskLevel {
    TransmissionRiskLevel::try_from(value.as_i64().unwrap()).unwrap()
}

fn number(value: &Value) -> NonNegative {
    NonNegative::try_from(Exact::from_shortest_decimal(value.as_f64().unwrap()).unwrap()).unwrap()
}
