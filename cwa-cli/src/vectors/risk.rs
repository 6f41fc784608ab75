//! Known answers of `cwa-risk`: framework v1, the combined score of the Corona-Warn-App, transmission risk levels.

use std::collections::BTreeMap;

use cwa_crypto::{
    Attenuation, DaysSinceOnsetOfSymptoms, ENIntervalNumber, ReportType, TransmissionRiskLevel, UnixTime,
};
use cwa_risk::cwa::{
    AttenuationWeights, CombinedInput, CombinedParameters, MinutesCap, Platform, RangeMinutes,
    combined_risk_score,
};
use cwa_risk::transmission::{
    PublishedLevel, SymptomStatus, days_since_onset_from_level, decode, encode, level_from_days_since_onset,
};
use cwa_risk::v1::{
    AttenuationDurations, AttenuationThresholds, Bucket, EncounterRules, ExposureValues, KeyExposures,
    MinimumRiskScore, Parameters, RiskLevelValue, Scan, Sighting, duration_seconds, exposures,
    total_risk_score, weighted_attenuation,
};
use cwa_risk::{Exact, NonNegative};
use cwa_test_vectors::{Group, Test};
use serde::Deserialize as _;
use serde_json::Value;

use super::{Outcome, Problem, judge, member, optional, refused, same};

pub(super) fn run(family: &str, group: &Group, test: &Test) -> Outcome {
    let Some(input) = group.resolve(&test.input) else {
        return Outcome::Failed("the input refers to nothing in the group".to_owned());
    };
    let expected = &test.expected;
    let result = match family {
        "gaen_v1_bucket" => bucket(input, expected),
        "gaen_v1_score" => score(input, expected),
        "gaen_v1_bucketize_duration" => duration(input, expected),
        "gaen_v1_weighted_attenuation" => average(input, expected),
        "gaen_v1_exposures" => sightings_to_exposures(input, expected),
        "cwa_v1_combined" => combined(input, expected, test.tolerance),
        "cwa_trl_vector" => levels_by_symptoms(input, expected),
        "cwa_trl_codec" => published_level(input, expected),
        "cwa.trl_dsos_maps" => derivation_maps(expected),
        _ => return Outcome::NoRunner,
    };
    judge(result, test).into()
}

fn bucket(input: &Value, expected: &Value) -> Result<(), Problem> {
    let bucket = match member::<String>(input, "category")?.as_str() {
        "attenuation" => Bucket::of_attenuation(member(input, "value_db")?),
        "days" => Bucket::of_days(member(input, "value_days")?),
        "duration" => Bucket::of_duration(member(input, "value_s")?),
        "transmission" => Bucket::of_transmission_risk_level(level(input, "value")?)
            .ok_or_else(|| "level 0 has no bucket".to_owned())?,
        other => return Err(Problem::Wrong(format!("there is no category {other}"))),
    };
    Ok(same("level", &bucket.number(), &whole(expected)?)?)
}

fn score(input: &Value, expected: &Value) -> Result<(), Problem> {
    let parameters = parameters(&member(input, "config")?)?;
    let values = ExposureValues {
        attenuation: member(input, "attenuation_db")?,
        duration_seconds: member(input, "duration_s")?,
        days_since_exposure: member(input, "days")?,
        transmission_risk_level: level(input, "trl")?,
    };
    // What has to be refused has no expected score.
    let computed = total_risk_score(&values, &parameters).score();
    if expected.is_null() { Ok(()) } else { Ok(same("score", &computed, &whole(expected)?)?) }
}

fn duration(input: &Value, expected: &Value) -> Result<(), Problem> {
    let computed = duration_seconds(member(input, "first_to_last_s")?);
    Ok(same("duration in seconds", &computed, &whole(expected)?)?)
}

fn average(input: &Value, expected: &Value) -> Result<(), Problem> {
    let scans: Vec<(u64, Attenuation)> = member(input, "sightings")?;
    let scan = |(second, attenuation)| Scan { at: UnixTime::from_secs(second), attenuation };
    let scans: Vec<_> = scans.into_iter().map(scan).collect();
    let average = weighted_attenuation(&scans, member(input, "scan_interval_s")?)
        .ok_or_else(|| "there is no sighting".to_owned())?;
    Ok(same("attenuation in dB", &average.attenuation().db(), &whole(expected)?)?)
}

fn sightings_to_exposures(input: &Value, expected: &Value) -> Result<(), Problem> {
    let parameters = parameters(&member(input, "config")?)?;
    let sightings: Vec<(u64, Attenuation)> = member(input, "sightings")?;
    // The identifiers are not told apart; a scan has one of them.
    let interval = ENIntervalNumber::new(0);
    let sighting =
        |(second, attenuation)| Sighting { seen_at: UnixTime::from_secs(second), attenuation, interval };
    let sightings: Vec<_> = sightings.into_iter().map(sighting).collect();
    let mut rules = EncounterRules::default();
    rules.maximum_gap_seconds = optional(input, "max_gap_s")?.unwrap_or(rules.maximum_gap_seconds);
    rules.scan_interval_seconds = optional(input, "scan_interval_s")?.unwrap_or(rules.scan_interval_seconds);
    let thresholds: AttenuationThresholds = member(input, "thresholds")?;
    let exposures = exposures(&sightings, thresholds, rules);
    let key = KeyExposures::score(exposures, member(input, "days")?, level(input, "trl")?, &parameters);

    let expected = Vec::<Value>::deserialize(expected).map_err(|error| format!("expected: {error}"))?;
    same("number of exposures", &key.exposures.len(), &expected.len())?;
    for (number, (scored, expected)) in (1..).zip(key.exposures.iter().zip(&expected)) {
        let (exposure, what) = (&scored.exposure, |member: &str| format!("{member} of exposure {number}"));
        same(&what("attenuation"), &exposure.attenuation().db(), &member(expected, "attenuation")?)?;
        same(&what("duration_s"), &exposure.duration_seconds(), &member(expected, "duration_s")?)?;
        let durations: AttenuationDurations = member(expected, "attenuation_durations_s")?;
        same(&what("attenuation_durations_s"), &exposure.attenuation_durations(), &durations)?;
        same(&what("score"), &scored.risk.score(), &member(expected, "score")?)?;
    }
    Ok(())
}

fn combined(input: &Value, expected: &Value, tolerance: Option<f64>) -> Result<(), Problem> {
    let AttenuationWeights { low, mid, high } = member(input, "weights")?;
    let mut parameters = CombinedParameters::new([low, mid, high], member::<NonNegative>(input, "divisor")?);
    parameters.offset = member(input, "offset")?;
    // Absent, it is the platform's; `null` is none.
    parameters.cap = match input.get("cap_min") {
        Some(Value::Null) => MinutesCap::None,
        Some(_) => MinutesCap::At(member(input, "cap_min")?),
        None => MinutesCap::OfPlatform,
    };
    let minutes = match optional::<[NonNegative; 3]>(input, "durations_s")? {
        Some(seconds) => RangeMinutes::from_seconds(seconds).map_err(|error| error.to_string())?,
        None => RangeMinutes::from(member::<[NonNegative; 3]>(input, "durations_min")?),
    };
    let platform = optional::<Platform>(input, "platform")?.unwrap_or_default();
    let input = CombinedInput { maximum_risk_score: member(input, "max_risk_score")?, minutes };
    let computed =
        combined_risk_score(&input, &parameters, platform).map_err(refused("divisor"))?.score().get();

    let expected = Exact::deserialize(expected).map_err(|error| format!("expected: {error}"))?;
    let tolerance =
        Exact::from_shortest_decimal(tolerance.unwrap_or(0.0)).map_err(|error| error.to_string())?;
    let (lower, upper) = (computed.min(expected), computed.max(expected));
    if upper.checked_sub(lower).is_ok_and(|distance| distance <= tolerance) {
        return Ok(());
    }
    Err(Problem::Wrong(format!("score: expected {expected}, computed {computed}")))
}

fn levels_by_symptoms(input: &Value, expected: &Value) -> Result<(), Problem> {
    let status = match member::<String>(input, "symptoms")?.as_str() {
        "positive" => SymptomStatus::OnsetDaysAgo(member(input, "onset_days_ago")?),
        "positive_no_information" => SymptomStatus::OnsetUnknown,
        "positive_last_seven_days" => SymptomStatus::OnsetInLastSevenDays,
        "positive_one_to_two_weeks" | "positive_one_to_two_weeks_ago" => SymptomStatus::OnsetOneToTwoWeeksAgo,
        "positive_more_than_two_weeks" | "positive_more_than_two_weeks_ago" => {
            SymptomStatus::OnsetMoreThanTwoWeeksAgo
        }
        "negative" => SymptomStatus::NoSymptoms,
        "no_information" => SymptomStatus::NoInformation,
        other => return Err(Problem::Wrong(format!("there is no symptom status {other}"))),
    };
    let expected = Vec::<u8>::deserialize(expected).map_err(|error| format!("expected: {error}"))?;
    Ok(same("levels", &status.levels().map(TransmissionRiskLevel::get).to_vec(), &expected)?)
}

fn published_level(input: &Value, expected: &Value) -> Result<(), Problem> {
    let report_type = ReportType::try_from(member::<i64>(input, "published_report_type")?);
    let published = PublishedLevel {
        days_since_onset_of_symptoms: member::<DaysSinceOnsetOfSymptoms>(input, "published_dsos")?,
        report_type: report_type.map_err(|error| error.to_string())?,
    };
    let expected =
        TransmissionRiskLevel::deserialize(expected).map_err(|error| format!("expected: {error}"))?;
    same("level", &decode(published), &Some(expected))?;
    Ok(same("encoding of the level", &encode(expected), &Some(published))?)
}

/// The maps are the answer: there is no input.
fn derivation_maps(expected: &Value) -> Result<(), Problem> {
    let days: BTreeMap<i64, i64> = member(expected, "dsos_from_trl")?;
    for (number, days) in &days {
        let level = TransmissionRiskLevel::try_from(*number).map_err(|error| error.to_string())?;
        let computed = days_since_onset_from_level(level).map(i64::from);
        same(&format!("days of level {number}"), &computed, &Some(*days))?;
    }
    let levels: BTreeMap<i64, i64> = member(expected, "trl_from_dsos")?;
    let default: i64 = member(expected, "default_trl")?;
    // All that there can be, so that a table with more entries than expected does not pass.
    for number in -15..=4000 {
        let days = DaysSinceOnsetOfSymptoms::try_from(number).map_err(|error| error.to_string())?;
        let computed = i64::from(level_from_days_since_onset(days));
        same(&format!("level of days {number}"), &computed, levels.get(&number).unwrap_or(&default))?;
    }
    if let Some(count) = optional::<usize>(expected, "trl_from_dsos_entries")? {
        same("number of entries", &levels.len(), &count)?;
    }
    Ok(())
}

fn parameters(config: &Value) -> Result<Parameters, Problem> {
    let row = |name: &str| RiskLevelValue::row(member(config, name)?).map_err(refused("level_value"));
    let (attenuation, days, duration) = (row("attenuation")?, row("days")?, row("duration")?);
    let transmission = row("transmission")?;
    let minimum = MinimumRiskScore::try_from(member::<i64>(config, "min")?).map_err(refused("minimum"))?;
    Ok(Parameters::new(attenuation, days, duration, transmission, minimum))
}

fn level(input: &Value, name: &str) -> Result<TransmissionRiskLevel, Problem> {
    TransmissionRiskLevel::try_from(member::<i64>(input, name)?).map_err(refused("transmission_risk_level"))
}

/// The expected whole number; `25.0` is one.
fn whole<T: TryFrom<i128>>(expected: &Value) -> Result<T, Problem> {
    let number = Exact::deserialize(expected).map_err(|error| format!("expected: {error}"))?;
    let fits = (number.denominator() == 1).then(|| T::try_from(number.numerator()).ok()).flatten();
    fits.ok_or_else(|| Problem::Wrong(format!("expected {number}, but only whole numbers are computed")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Something else than `expected`, of the same shape.
    fn falsified(expected: &Value) -> Value {
        match expected {
            Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
            Value::Array(elements) => {
                let mut elements = elements.clone();
                let last = elements.pop().unwrap();
                elements.push(falsified(&last));
                elements.into()
            }
            Value::Object(members) => {
                let mut members = members.clone();
                let (_, value) = members.iter_mut().next_back().unwrap();
                *value = falsified(value);
                members.into()
            }
            other => panic!("nothing to falsify in {other}"),
        }
    }

    #[test]
    fn every_known_answer_passes_and_none_passes_falsified() {
        let mut count = 0;
        for (_, json) in cwa_test_vectors::builtin() {
            for group in cwa_test_vectors::parse(json).unwrap().test_groups {
                for test in &group.tests {
                    let outcome = run(&group.family, &group, test);
                    if outcome == Outcome::NoRunner {
                        continue;
                    }
                    assert_eq!(outcome, Outcome::Passed, "{} {}", group.family, test.tc_id);
                    let mut wrong = test.clone();
                    if test.expected.is_null() {
                        wrong.result = cwa_test_vectors::Verdict::Valid;
                    } else {
                        wrong.expected = falsified(&test.expected);
                    }
                    let outcome = run(&group.family, &group, &wrong);
                    assert!(matches!(outcome, Outcome::Failed(_)), "{} {}", group.family, test.tc_id);
                    count += 1;
                }
            }
        }
        assert!(count > 150, "{count}");
    }

    #[test]
    fn every_symptom_status_is_known_by_name() {
        for (name, expected) in [
            ("positive_one_to_two_weeks", [1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 6, 6, 4]),
            ("positive_more_than_two_weeks", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5]),
            ("no_information", [5, 6, 7, 7, 7, 6, 4, 3, 2, 1, 1, 1, 1, 1, 1]),
        ] {
            assert!(levels_by_symptoms(&json!({ "symptoms": name }), &json!(expected)).is_ok(), "{name}");
        }
    }
}
