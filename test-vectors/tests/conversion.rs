//! Gathered figures become tests by mechanical rules; these are the rules.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

use cwa_test_vectors::{File, ParseError, Verdict, parse};
use serde_json::{Value, json};

fn convert(document: &Value) -> File {
    parse(&document.to_string()).unwrap_or_else(|error| panic!("{error:?}"))
}

/// One group with these cases, as the figures about verification have it.
fn group(id: &str, cases: &Value) -> Value {
    json!({ "schema": "verify_vectors/1", "groups": [{ "id": id, "kind": "vector", "source": "somewhere", "cases": cases }] })
}

#[test]
fn answers_are_expected_and_the_rest_is_given() {
    let file = convert(&group(
        "teletan.check_digit",
        &json!([{ "body": "WPHSATMHD", "check": "4", "recomputed": true }]),
    ));
    let group = &file.test_groups[0];
    assert_eq!(
        (group.family.as_str(), group.data["source"].as_str()),
        ("teletan.check_digit", Some("somewhere"))
    );
    let test = &group.tests[0];
    assert_eq!(test.input, json!({ "body": "WPHSATMHD" }));
    assert_eq!(test.expected, json!({ "check": "4" }));
    assert_eq!((test.tc_id, test.result, test.comment.as_str()), (1, Verdict::Valid, "body WPHSATMHD"));
    assert_eq!(test.flags, ["Published"]);
}

#[test]
fn an_answer_of_no_makes_an_invalid_test() {
    let cases = json!([{ "input": "0", "valid": false }, { "input": "1", "valid": true }]);
    let file = convert(&group("guid_hash.syntax", &cases));
    let results: Vec<Verdict> = file.test_groups[0].tests.iter().map(|test| test.result).collect();
    assert_eq!(results, [Verdict::Invalid, Verdict::Valid]);
    let file = convert(&group(
        "cwa.verification_http",
        &json!([{ "case": "a", "status": 404 }, { "case": "b", "status": 201 }]),
    ));
    let results: Vec<Verdict> = file.test_groups[0].tests.iter().map(|test| test.result).collect();
    assert_eq!(results, [Verdict::Invalid, Verdict::Valid]);
}

#[test]
fn a_name_is_the_comment_unless_it_is_all_that_is_given() {
    let file = convert(&group(
        "hash.sha256_hex_at_rest",
        &json!([{ "name": "a TAN", "input": "x", "sha256": "00" }]),
    ));
    assert_eq!(file.test_groups[0].tests[0].comment, "a TAN");
    assert_eq!(file.test_groups[0].tests[0].input, json!({ "input": "x" }));
    let file =
        convert(&group("cwa.submission_validation", &json!([{ "name": "too many keys", "status": 400 }])));
    assert_eq!(file.test_groups[0].tests[0].input, json!({ "name": "too many keys" }));
}

#[test]
fn a_family_that_nobody_knows_is_converted_all_the_same() {
    let file = convert(&group("weather.rain", &json!([{ "mm": 3 }])));
    assert_eq!(file.test_groups[0].tests[0].input, json!({ "mm": 3 }));
    assert_eq!(file.test_groups[0].tests[0].expected, json!({}));
}

#[test]
fn risk_cases_are_grouped_by_family_and_take_the_tables_they_refer_to() {
    let case = |family: &str, id: &str, input: Value| json!({ "family": family, "id": id, "origin": "peer", "input": input, "expected": 1 });
    let file = convert(&json!({
        "schema": "risk_vectors/1",
        "cwa_v2_configs": { "android": { "a": 1 } },
        "vectors": [
            case("gaen_v1_bucket", "one", json!({})),
            case("cwa_v2", "two", json!({ "config": "#/cwa_v2_configs/android" })),
            case("gaen_v1_bucket", "three", json!({})),
        ],
    }));
    let names: Vec<(&str, usize)> =
        file.test_groups.iter().map(|group| (group.family.as_str(), group.tests.len())).collect();
    assert_eq!(names, [("gaen_v1_bucket", 2), ("cwa_v2", 1)]);
    assert!(!file.test_groups[0].data.contains_key("cwa_v2_configs"));
    let windows = &file.test_groups[1];
    assert_eq!(windows.resolve(&windows.tests[0].input["config"]), Some(&json!({ "a": 1 })));
    let numbers: Vec<u32> =
        file.test_groups.iter().flat_map(|group| &group.tests).map(|test| test.tc_id).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn lists_that_are_left_out_make_no_group() {
    let file = convert(&json!({ "schema": "cwa.crypto-vectors-extra/1", "metadata_decode": [] }));
    assert_eq!(file.test_groups.len(), 1);
    let file = convert(&json!({ "schema": "cwa.crypto-vectors/1", "cases": [] }));
    assert!(file.test_groups[0].tests.is_empty());
}

#[test]
fn a_known_mistake_is_invalid_and_keeps_what_is_wrong() {
    let file = convert(&json!({
        "schema": "cwa.crypto-vectors-extra/1",
        "negative": [{ "id": "n", "tek": "00", "wrong_rpik": "11", "expected": "differs_from_official" }],
    }));
    let test = &file.test_groups[0].tests[0];
    assert_eq!(test.result, Verdict::Invalid);
    assert_eq!((&test.input, &test.expected), (&json!({ "tek": "00" }), &json!({ "wrong_rpik": "11" })));
}

#[test]
fn public_keys_keep_where_they_are_from() {
    let file = convert(&json!({ "schema": "export-public-keys/1", "keys": [
        { "id": "k", "pem": "P", "spki_sha256": "00", "sources": ["a", "b"], "notes": ["careful"] } ] }));
    let test = &file.test_groups[0].tests[0];
    assert_eq!((test.source.as_deref(), test.note.as_deref()), (Some("a; b"), Some("careful")));
    assert_eq!(test.input, json!({ "id": "k", "pem": "P" }));
}

#[test]
fn a_case_without_what_it_must_have_is_named_with_its_place() {
    for (document, place, missing) in [
        (json!({ "schema": "risk_vectors/1" }), "the file", "vectors"),
        (
            json!({ "schema": "risk_vectors/1", "vectors": [{ "input": {}, "expected": 1 }] }),
            "vectors[0]",
            "family",
        ),
        (
            json!({ "schema": "risk_vectors/1", "vectors": [{ "family": "f", "input": {} }] }),
            "vectors[0]",
            "expected",
        ),
        (json!({ "schema": "verify_vectors/1", "groups": [{ "cases": [] }] }), "groups[0]", "id"),
        (
            json!({ "schema": "verify_vectors/1", "groups": [{ "id": "a", "cases": [1] }] }),
            "groups[0].cases[0]",
            "{}",
        ),
        (json!({ "schema": "cwa.crypto-vectors/1", "cases": {} }), "the file", "cases"),
    ] {
        match parse(&document.to_string()) {
            Err(ParseError::Member { place: found, member, .. }) => {
                assert_eq!((found.as_str(), member), (place, missing))
            }
            other => panic!("{document}: {other:?}"),
        }
    }
}
