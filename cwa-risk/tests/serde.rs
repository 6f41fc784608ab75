//! The text forms of parameters and results: their names are those of the known answers.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cwa_risk::cwa::{CombinedParameters, MinutesCap, RiskScoreClasses};
use cwa_risk::v1::{ExposureValues, Parameters, total_risk_score};
use serde_json::{Value, json};

fn parameters() -> Value {
    json!({
        "attenuation": [0, 1, 1, 1, 1, 1, 1, 1], "days": [5, 5, 5, 5, 5, 5, 5, 5],
        "duration": [0, 0, 0, 1, 1, 1, 1, 1], "transmission": [1, 2, 3, 4, 5, 6, 7, 8], "min": 11,
    })
}

fn changed(mut value: Value, name: &str, to: Value) -> Value {
    value.as_object_mut().unwrap().insert(name.to_owned(), to);
    value
}

fn refusal<T: serde::de::DeserializeOwned>(value: Value) -> String {
    serde_json::from_value::<T>(value).err().unwrap().to_string()
}

#[test]
fn parameters_without_thresholds_and_weights_have_the_frameworks() {
    let read: Parameters = serde_json::from_value(parameters()).unwrap();
    assert_eq!(read.attenuation_thresholds, (50, 74).try_into().unwrap());
    let weights = json!({ "attenuation": 50, "days": 50, "duration": 50, "transmission": 50 });
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, changed(changed(parameters(), "thresholds", json!([50, 74])), "weights", weights));
    assert_eq!(serde_json::from_value::<Parameters>(written).unwrap(), read);
}

#[test]
fn wrong_parameters_are_refused_with_the_bound_and_the_value() {
    let refused = |name, to| refusal::<Parameters>(changed(parameters(), name, to));
    assert_eq!(refused("min", json!(0)), "the minimum risk score must be 1 to 4096, not 0");
    assert_eq!(refused("days", json!([5, 5, 5, 5, 5, 5, 5, 9])), "a risk level value must be 0 to 8, not 9");
    assert!(refused("days", json!([5, 5, 5, 5, 5, 5, 5])).contains("length 7"));
    assert_eq!(
        refused("thresholds", json!([63, 55])),
        "the low attenuation threshold 63 dB is above the high one 55 dB"
    );
    assert_eq!(refused("weights", json!({ "days": 100.5 })), "a weight must be 0 to 100, not 100.5");
    assert!(refused("minimum", json!(1)).contains("unknown field `minimum`"));
}

#[test]
fn the_cap_of_the_platform_no_cap_and_another_cap_are_three_things() {
    let base = json!({ "weights": { "low": 1.0, "mid": 0.5, "high": 0 }, "offset": 0, "divisor": 25 });
    for (cap, json) in [
        (MinutesCap::OfPlatform, base.clone()),
        (MinutesCap::None, changed(base.clone(), "cap_min", Value::Null)),
        (MinutesCap::At(40_u8.into()), changed(base.clone(), "cap_min", json!(40))),
    ] {
        let read: CombinedParameters = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(read.cap, cap);
        let again =
            serde_json::from_value::<CombinedParameters>(serde_json::to_value(read).unwrap()).unwrap();
        assert_eq!(again, read);
    }
    assert_eq!(
        refusal::<CombinedParameters>(changed(base, "offset", json!(-0.5))),
        "the number must not be below 0, got -0.5"
    );
}

#[test]
fn classes_are_a_list_of_label_min_and_max() {
    let json = json!([{ "label": "LOW", "min": 0, "max": 15 }, { "label": "HIGH", "min": 15, "max": 9999, "url": "x" }]);
    let classes: RiskScoreClasses = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&classes).unwrap(), json);
    assert_eq!(refusal::<RiskScoreClasses>(json!([])), "there must be at least one risk class");
    assert_eq!(
        refusal::<RiskScoreClasses>(json!([{ "label": "LOW", "min": 2, "max": 1 }])),
        "the class begins at 2 and ends at 1"
    );
}

#[test]
fn a_score_is_written_with_its_steps() {
    let values: ExposureValues =
        serde_json::from_value(json!({ "attenuation_db": 60, "duration_s": 1200, "days": 6, "trl": 5 }))
            .unwrap();
    let score = total_risk_score(&values, &serde_json::from_value(parameters()).unwrap());
    assert_eq!(
        serde_json::to_value(&score).unwrap(),
        json!({ "score": 25, "steps": [
            { "rule": "factor", "category": "attenuation", "value": 60, "bucket": 3, "factor": 1 },
            { "rule": "factor", "category": "days", "value": 6, "bucket": 5, "factor": 5 },
            { "rule": "factor", "category": "duration", "value": 20, "bucket": 5, "factor": 1 },
            { "rule": "factor", "category": "transmission", "value": 5, "bucket": 5, "factor": 5 },
            { "rule": "product", "product": 25 },
            { "rule": "minimum", "minimum": 11, "score": 25 },
        ] })
    );
}
