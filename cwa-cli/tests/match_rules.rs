//! Exports that are signed and hold keys which the rules of matching read in different ways.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::tests_outside_test_module,
    reason = "a test may panic"
)]

use std::fs;
use std::process::Command;

use cwa_crypto::matching::{Sighting, StatedKey};
use cwa_crypto::{BluetoothMetadata, TemporaryExposureKey, TransmitPower};
use cwa_export::UnverifiedExport;
use serde_json::Value;

/// Matches the keys of a known answer against one sighting of the second key's interval, under `rules`; gives the exit
/// status and the answer.
fn matched(tc_id: u64, offset: u32, rules: &str) -> (Option<i32>, Value) {
    let file = cwa_test_vectors::builtin().find(|(name, _)| *name == "export.json").unwrap().1;
    let file = cwa_test_vectors::parse(file).unwrap();
    let group = file.test_groups.iter().find(|group| group.family == "export.verify").unwrap();
    let test = group.tests.iter().find(|test| u64::from(test.tc_id) == tc_id).unwrap();
    let member = |name: &str| hex::decode(test.input[name].as_str().unwrap()).unwrap();
    let (export_bin, export_sig) = (member("export_bin"), member("export_sig"));

    let content = UnverifiedExport::parse(&export_bin, &export_sig).unwrap().danger_accept_unverified();
    // A key that cannot even be read is heard by nobody; then the first one is.
    let keys: Vec<_> = content.raw_keys().filter_map(|key| StatedKey::try_from(key).ok()).collect();
    let key = keys.last().unwrap();
    let interval = key.rolling_start_interval_number.checked_add(offset).unwrap();
    let tek = TemporaryExposureKey::from_bytes(key.key_data);
    let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap());
    let aem = tek.associated_encrypted_metadata_key().seal(rpi, metadata);
    let sighting = Sighting::new(rpi, aem, -62, interval.start());

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("export.bin"), &export_bin).unwrap();
    fs::write(path("export.sig"), &export_sig).unwrap();
    fs::write(path("signer.pem"), group.data["public_key_pem"].as_str().unwrap()).unwrap();
    fs::write(path("received.jsonl"), serde_json::to_string(&sighting).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cwa"))
        .args(["match", "--json", "--sightings", "received.jsonl", "--export", "export.bin"])
        .args(["--public-key", "signer.pem", "--rules", rules])
        .current_dir(directory.path())
        .output()
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// For each set of rules: how many sightings matched, and why which key or file was refused.
fn by_rules(document: &Value) -> Vec<(String, usize, String)> {
    let profiles = document["profiles"].as_array().unwrap().iter().map(|profile| {
        let refused = profile["refused_keys"].as_array().unwrap().iter().map(|refused| {
            let text = |name: &str| refused[name].as_str().unwrap().to_owned();
            format!("{} {} of {}", refused["number"], text("reason"), text("refused"))
        });
        let matches = profile["matches"].as_array().unwrap().len();
        let name = profile["rules"].as_str().unwrap().to_owned();
        (name, matches, refused.collect::<Vec<_>>().join(", "))
    });
    profiles.collect()
}

fn expected(answers: [(usize, &str); 4]) -> Vec<(String, usize, String)> {
    let names = ["spec", "google", "apple", "microg"];
    names
        .iter()
        .zip(answers)
        .map(|(name, (matches, refused))| ((*name).to_owned(), matches, refused.to_owned()))
        .collect()
}

const ALL: &str = "spec,google,apple,microg";

#[test]
fn a_rolling_period_of_0_is_a_whole_day_for_apple_alone() {
    let (status, document) = matched(1570, 143, ALL);
    assert_eq!(status, Some(0));
    let (file, key) = ("2 rolling-period of file", "2 rolling-period of key");
    assert_eq!(by_rules(&document), expected([(0, file), (0, file), (1, ""), (0, key)]));
    let difference = &document["differences"][0];
    assert_eq!(difference["decided_by"], serde_json::json!(["rolling-periods"]));
    assert_eq!(difference["outcomes"][0]["outcome"], "not-read");
    assert_eq!(difference["outcomes"][2]["attenuation_db"], 50);
}

#[test]
fn a_rolling_period_of_145_is_as_long_as_that_for_microg_alone() {
    let (status, document) = matched(1571, 144, ALL);
    assert_eq!(status, Some(0));
    let (file, key) = ("2 rolling-period of file", "2 rolling-period of key");
    assert_eq!(by_rules(&document), expected([(0, file), (0, file), (0, key), (1, "")]));
}

#[test]
fn a_key_of_15_bytes_is_skipped_by_apple_alone() {
    let (status, document) = matched(1566, 3, ALL);
    assert_eq!(status, Some(0));
    let (file, key) = ("2 malformed of file", "2 malformed of key");
    assert_eq!(by_rules(&document), expected([(0, file), (0, file), (1, key), (0, file)]));
    assert_eq!(document["differences"][0]["decided_by"], serde_json::json!(["malformed-keys"]));
}

#[test]
fn one_set_of_rules_that_refuses_a_file_refuses_to_answer() {
    for rules in ["spec", "google"] {
        assert_eq!(matched(1570, 143, rules), (Some(1), Value::Null), "{rules}");
    }
    let (status, document) = matched(1570, 143, "apple");
    assert_eq!((status, document["matches"].as_array().unwrap().len()), (Some(0), 1));
    // With one set of rules the answer has the members it always had.
    assert!(document.get("profiles").is_none());
}

#[test]
fn a_key_that_an_export_states_twice_is_counted_once() {
    let (status, document) = matched(1577, 3, "spec,apple");
    assert_eq!((status, &document["keys"]), (Some(0), &Value::from(1)));
}

#[test]
fn a_key_that_was_not_read_is_told_by_its_own_rule() {
    // Apple skips a key of 15 bytes in the first export, and for another reason one of 145 intervals in the second.
    let export = |key_data: &[u8], period: [u8; 2]| {
        let length = u8::try_from(key_data.len()).unwrap();
        // 1 key data | 3 rolling start, 2,642,976 | 4 rolling period
        let key = [&[0x0a, length], key_data, &[0x18, 0xa0, 0xa8, 0xa1, 0x01, 0x20], &period].concat();
        // 7 keys
        [b"EK Export v1    ", [0x3a, u8::try_from(key.len()).unwrap()].as_slice(), &key].concat()
    };
    let tek = TemporaryExposureKey::from_bytes([7; 16]);
    let interval = cwa_crypto::ENIntervalNumber::new(2_642_976);
    let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap());
    let aem = tek.associated_encrypted_metadata_key().seal(rpi, metadata);
    let sighting = Sighting::new(rpi, aem, -62, interval.start());

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("first.bin"), export(&[9; 15], [0x90, 0x01])).unwrap();
    fs::write(path("second.bin"), export(&[7; 16], [0x91, 0x01])).unwrap();
    fs::write(path("received.jsonl"), serde_json::to_string(&sighting).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cwa"))
        .args(["match", "--json", "--sightings", "received.jsonl", "--danger-accept-unverified"])
        .args(["--export", "first.bin", "--export", "second.bin", "--rules", "apple,microg"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = |rules: usize| {
        let refused = document["profiles"][rules]["refused_keys"].as_array().unwrap().iter();
        refused.map(|refused| refused["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refused(0), ["malformed", "rolling-period"]);
    assert_eq!(refused(1), ["malformed"]);
    assert_eq!(document["differences"][0]["decided_by"], serde_json::json!(["rolling-periods"]));
}
