//! Every file is what its JSON schema says, and the schemas say something.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

use cwa_test_vectors::{builtin, schemas};
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// Schemas refer to each other by file name; this is where those names are looked up.
const BASE: &str = "json-schema:///";

fn registry() -> Registry<'static> {
    let mut registry = Registry::new();
    for (name, schema) in schemas() {
        let schema: Value = serde_json::from_str(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        registry = registry.add(format!("{BASE}{name}"), schema).unwrap();
    }
    registry.prepare().unwrap()
}

fn validator(registry: &Registry<'static>, name: &str) -> Validator {
    jsonschema::options().with_registry(registry).build(&json!({ "$ref": format!("{BASE}{name}") })).unwrap()
}

fn document(file: &str) -> Value {
    let (_, json) = builtin().find(|(name, _)| *name == file).unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_file_is_what_its_schema_says() {
    let registry = registry();
    for (name, json) in builtin() {
        let document: Value = serde_json::from_str(json).unwrap();
        let schema = document["schema"].as_str().unwrap();
        assert_eq!(schema.replace("_v1.json", ".json"), name);
        let errors: Vec<String> = validator(&registry, schema)
            .iter_errors(&document)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn a_schema_refuses_what_its_files_do_not_have() {
    let registry = registry();
    let validator = validator(&registry, "bluetooth_v1.json");
    let good = document("bluetooth.json");
    assert!(validator.is_valid(&good));
    let first = |document: &Value, change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed["testGroups"][0]["tests"][0]);
        changed
    };
    for (what, bad) in [
        ("a member that is misspelt", first(&good, &|test| test["coment"] = json!("x"))),
        ("a result of another name", first(&good, &|test| test["result"] = json!("maybe"))),
        ("an input member of no such family", first(&good, &|test| test["input"]["tek"] = json!("00"))),
        ("upper case", first(&good, &|test| test["expected"]["aem"] = json!("484DC151"))),
        ("a number as text", first(&good, &|test| test["tcId"] = json!("1"))),
        ("a layer for a valid input", first(&good, &|test| test["error"] = json!("key"))),
        (
            "a layer that does not exist",
            first(&good, &|test| {
                test["result"] = json!("invalid");
                test["error"] = json!("weather");
            }),
        ),
    ] {
        assert!(!validator.is_valid(&bad), "{what}");
    }
    let mut other = good;
    other["testGroups"][0]["type"] = json!("gaen.key_schedule");
    assert!(!validator.is_valid(&other), "a family of another file");
}

#[test]
fn numbers_of_tests_are_unique_in_their_file() {
    for (name, json) in builtin() {
        let document: Value = serde_json::from_str(json).unwrap();
        let groups = document["testGroups"].as_array().unwrap();
        let tests = groups.iter().flat_map(|group| group["tests"].as_array().unwrap());
        let mut numbers: Vec<u64> = tests.map(|test| test["tcId"].as_u64().unwrap()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "{name}");
    }
}

#[test]
fn what_a_risk_engine_is_given_is_what_its_schema_says() {
    let registry = registry();
    let inputs = |family: &str| -> Vec<Value> {
        let document = document("risk_scores.json");
        let groups =
            document["testGroups"].as_array().unwrap().iter().filter(|group| group["type"] == *family);
        let tests = groups.flat_map(|group| group["tests"].as_array().unwrap());
        tests.filter(|test| test["result"] == "valid").map(|test| test["input"].clone()).collect()
    };
    let part = |engine: &str, name: &str| validator(&registry, &format!("risk-{engine}.json#/$defs/{name}"));

    let (parameters, exposures) = (part("gaen-v1", "parameters"), part("gaen-v1", "exposures"));
    for mut input in [inputs("gaen_v1_score"), inputs("gaen_v1_exposures")].concat() {
        let config = input.as_object_mut().unwrap().remove("config").unwrap();
        assert!(parameters.is_valid(&config), "{config}");
        assert!(exposures.is_valid(&input), "{input}");
        assert!(exposures.is_valid(&json!([input])));
        for (name, bad) in [
            ("min", json!(0)),
            ("days", json!([5])),
            ("attenuation", json!([9, 1, 1, 1, 1, 1, 1, 1])),
            ("minimum", json!(1)),
        ] {
            let mut changed = config.clone();
            changed[name] = bad;
            assert!(!parameters.is_valid(&changed), "{changed}");
        }
        input["duration"] = json!(1);
        assert!(!exposures.is_valid(&input), "{input}");
    }

    let (parameters, exposures) = (part("cwa-v1", "parameters"), part("cwa-v1", "exposures"));
    for mut input in inputs("cwa_v1_combined") {
        let members = input.as_object_mut().unwrap();
        let names = ["weights", "offset", "divisor", "cap_min"].map(str::to_owned);
        let own: Value = names.into_iter().filter_map(|name| members.remove_entry(&name)).collect();
        assert!(parameters.is_valid(&own), "{own}");
        assert!(exposures.is_valid(&input), "{input}");
        let mut negative = own;
        negative["divisor"] = json!(-1);
        assert!(!parameters.is_valid(&negative));
        input["durations_s"] = json!([1, 1, 1]);
        input["durations_min"] = json!([1, 1, 1]);
        assert!(!exposures.is_valid(&input), "two units");
    }
}
