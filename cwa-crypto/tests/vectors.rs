//! The known answers, each case a test of its own: `cargo test --test vectors gaen.metadata::tc2001`.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use core::str::FromStr;
use std::process::ExitCode;

use cwa_crypto::metadata::CalibrationConfidence;
use cwa_crypto::{
    Advertisement, AssociatedEncryptedMetadata, Attenuation, BluetoothMetadata, DiagnosisKey,
    ENIntervalNumber, RollingPeriod, RollingProximityIdentifier, TemporaryExposureKey, TransmitPower,
    UnixTime,
};
use cwa_test_vectors::{Test, Verdict};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (_, json) in cwa_test_vectors::builtin() {
        for group in cwa_test_vectors::parse(json).unwrap().test_groups {
            let check: fn(&Test) = match group.family.as_str() {
                "gaen.key_schedule" => key_schedule,
                "gaen.identifiers" => identifiers,
                "gaen.known_mistakes" => known_mistake,
                "gaen.ble_frame" => ble_frame,
                "gaen.metadata" => metadata,
                "attenuation" => attenuation,
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
    assert!(trials.len() > 20, "only {} vectors found", trials.len());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn key_schedule(test: &Test) {
    assert_eq!(test.result, Verdict::Valid);
    let (tek, key) = key(&test.input);
    let time = UnixTime::from_secs(test.input["unix_time_s"].as_u64().unwrap());
    assert_eq!(ENIntervalNumber::at(time), key.rolling_start_interval_number);
    let rpik = tek.rolling_proximity_identifier_key();
    let aemk = tek.associated_encrypted_metadata_key();
    assert_eq!(rpik.expose_bytes(), &bytes(&test.expected["rpik"]));
    assert_eq!(aemk.expose_bytes(), &bytes(&test.expected["aemk"]));

    let intervals = test.expected["intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), usize::from(key.rolling_period.get()));
    let metadata = BluetoothMetadata::decode(bytes(&test.input["metadata"])).unwrap();
    for (expected, (interval, rpi)) in intervals.iter().zip(key.identifiers()) {
        assert_eq!(expected["enin"], interval.get());
        assert_eq!(rpi, parse(&expected["rpi"]));
        assert_eq!(rpik.identifier(interval), rpi);
        assert_eq!(rpik.interval_of(rpi), Some(interval));
        let aem: AssociatedEncryptedMetadata = parse(&expected["aem"]);
        assert_eq!(aemk.seal(rpi, metadata), aem);
        assert_eq!(aemk.open_unauthenticated(rpi, aem), Ok(metadata));
    }
}

fn identifiers(test: &Test) {
    assert_eq!(test.result, Verdict::Valid);
    let (tek, key) = key(&test.input);
    let rpik = tek.rolling_proximity_identifier_key();
    assert_eq!(rpik.expose_bytes(), &bytes(&test.expected["rpik"]));
    if let Some(aemk) = test.expected.get("aemk") {
        assert_eq!(tek.associated_encrypted_metadata_key().expose_bytes(), &bytes(aemk));
    }
    for expected in test.expected["observations"].as_array().unwrap() {
        let interval = ENIntervalNumber::new(number(&expected["enin"]));
        let rpi = rpik.identifier(interval);
        assert_eq!(rpi, parse(&expected["rpi"]));
        let inside = key.identifiers().any(|item| item == (interval, rpi));
        assert_eq!(inside, expected["inside_period"].as_bool().unwrap());
    }
}

/// What a published implementation computed wrongly, ours must not.
fn known_mistake(test: &Test) {
    assert_eq!(test.result, Verdict::Invalid);
    for (member, wrong) in test.expected.as_object().unwrap() {
        match member.as_str() {
            "wrong_rpik" => {
                let rpik = key_data(&test.input).rolling_proximity_identifier_key();
                assert_ne!(rpik.expose_bytes(), &bytes(wrong));
            }
            "wrong_aemk" => {
                let aemk = key_data(&test.input).associated_encrypted_metadata_key();
                assert_ne!(aemk.expose_bytes(), &bytes(wrong));
            }
            "wrong_rpi_after_aem" => {
                let rpi: RollingProximityIdentifier = parse(&test.input["rpi"]);
                let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(8).unwrap());
                let aemk = TemporaryExposureKey::from_bytes([7; 16]).associated_encrypted_metadata_key();
                let sent = Advertisement::new(rpi, aemk.seal(rpi, metadata));
                assert_eq!(sent.rpi, parse(&test.input["rpi"]));
                assert_ne!(sent.rpi, parse(wrong));
            }
            other => panic!("nothing to compare {other} with"),
        }
    }
}

fn ble_frame(test: &Test) {
    let decoded = match test.input.get("adv_data") {
        Some(frame) => Advertisement::decode(&hex::decode(frame.as_str().unwrap()).unwrap()),
        None => {
            let service_data = hex::decode(test.input["service_data"].as_str().unwrap()).unwrap();
            Advertisement::from_service_data(&service_data)
        }
    };
    if test.result == Verdict::Invalid {
        return assert!(decoded.is_err());
    }
    let decoded = decoded.unwrap();
    assert_eq!(decoded.rpi, parse(&test.expected["rpi"]));
    assert_eq!(decoded.aem, parse(&test.expected["aem"]));
    let flags = test.expected.get("flags").map(|flags| bytes::<1>(flags)[0]);
    assert_eq!(decoded.flags, flags);
    if let Some(frame) = test.input.get("adv_data") {
        assert_eq!(hex::encode(decoded.encode()), frame.as_str().unwrap());
    }
}

fn metadata(test: &Test) {
    let decoded = BluetoothMetadata::decode(bytes(&test.input["metadata"]));
    if test.result == Verdict::Invalid {
        return assert!(decoded.is_err());
    }
    let decoded = decoded.unwrap();
    assert_eq!(test.expected["major"], decoded.version().major());
    assert_eq!(test.expected["minor"], decoded.version().minor());
    let confidence = decoded.calibration_confidence().map(CalibrationConfidence::number);
    assert_eq!(test.expected["calibration_confidence"], Value::from(confidence));
    assert_eq!(test.expected["tx_power_dbm"], decoded.transmit_power().dbm());
}

fn attenuation(test: &Test) {
    assert_eq!(test.result, Verdict::Valid);
    let member = |name| i8::try_from(test.input[name].as_i64().unwrap()).unwrap();
    let power = TransmitPower::from_dbm(member("tx_power")).unwrap();
    let rssi = member("rssi").checked_add(member("rssi_correction")).unwrap();
    assert_eq!(test.expected, Attenuation::between(power, rssi).db());
}

fn key(input: &Value) -> (TemporaryExposureKey, DiagnosisKey) {
    let tek = key_data(input);
    let start = ENIntervalNumber::new(number(&input["rolling_start_interval_number"]));
    let period = RollingPeriod::try_from(input["rolling_period"].as_i64().unwrap()).unwrap();
    let key = DiagnosisKey::new(*tek.expose_bytes(), start, period);
    (tek, key)
}

fn key_data(input: &Value) -> TemporaryExposureKey {
    TemporaryExposureKey::from_bytes(bytes(&input["tek"]))
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn parse<T: FromStr<Err: core::fmt::Debug>>(value: &Value) -> T {
    value.as_str().unwrap().parse().unwrap()
}
