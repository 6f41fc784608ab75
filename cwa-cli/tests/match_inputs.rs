//! The inputs of `cmd/match.trycmd` are what the libraries write: an export, its signer's key, and what was received.
//!
//! After a change on purpose, `CWA_WRITE_INPUTS=1 cargo test -p cwa-cli --test match_inputs` writes them anew.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may panic")]

use core::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use cwa_crypto::matching::Sighting;
use cwa_crypto::{
    BluetoothMetadata, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod, TemporaryExposureKey,
    TransmissionRiskLevel, TransmitPower, UnixTime,
};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::{Export, SignatureInfo, SoftwareSigner};

/// The start of the official vectors' key, 2020-04-02.
const START: u32 = 2_642_976;

#[test]
fn the_inputs_are_what_the_libraries_write() {
    let signer = signer();
    let (lines, table) = sightings();
    let mut files = export().sign(&[&signer]).unwrap();
    let archive = files.to_archive().unwrap();
    // Other keys under the same signature.
    files.export_bin = export_without_revision().encode(&[signer_info()]);
    let inputs = [
        ("keys.zip", archive),
        ("changed.zip", files.to_archive().unwrap()),
        ("signer.pem", signer.public_key_pem().unwrap().into_bytes()),
        ("received.jsonl", lines.into_bytes()),
        ("received.csv", table.into_bytes()),
    ];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/match.in");
    for (name, content) in inputs {
        let path = directory.join(name);
        if std::env::var_os("CWA_WRITE_INPUTS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &content).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == content, "{name} is another");
    }
}

#[test]
fn an_index_of_sightings_gives_the_answer_that_the_sightings_give() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/match.in");
    let temporary = tempfile::tempdir().unwrap();
    let cwa = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cwa"));
        command.current_dir(&directory).args(arguments).output().unwrap()
    };
    let answer = |sightings: &str| {
        let arguments = ["--export", "keys.zip", "--public-key", "signer.pem", "--json"];
        let output = cwa(&[&["match", "--sightings", sightings], &arguments[..]].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let path = |name: &str| temporary.path().join(name).to_str().unwrap().to_owned();
    let index = |split: &str, seed: &str| {
        let output = path(&format!("{split}.{seed}"));
        let arguments = ["--output", &output, "--split", split, "--seed", seed, "--json"];
        let made = cwa(&[&["sightings", "index", "--sightings", "received.jsonl"], &arguments[..]].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let document: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        assert_eq!(document["bytes"], std::fs::metadata(&output).unwrap().len());
        assert_eq!((&document["sightings"], &document["split"]), (&8.into(), &split.into()));
        output
    };
    let whole = index("whole", "1");
    assert_eq!(answer(&whole), answer("received.jsonl"));
    // The same seed, the same bytes; another, another key.
    let (again, other) = (std::fs::read(index("whole", "1")).unwrap(), index("whole", "2"));
    assert_eq!(std::fs::read(&whole).unwrap(), again);
    assert_ne!(std::fs::read(&other).unwrap(), again);
    assert_eq!(answer(&other), answer(&whole));

    // By day, what is more than two hours off is not told; all else is.
    let member = |answer: &(Option<i32>, String), name: &str| -> Vec<serde_json::Value> {
        let document: serde_json::Value = serde_json::from_str(&answer.1).unwrap();
        document[name].as_array().unwrap().clone()
    };
    let by_day = answer(&index("by-day", "1"));
    assert_eq!(member(&by_day, "matches"), member(&answer(&whole), "matches"));
    let mut near = member(&answer(&whole), "dropped");
    near.retain(|dropped| dropped["reason"] != "outside-time-window");
    assert_eq!(member(&by_day, "dropped"), near);

    // Both ways through a pipe an index is what it is in a file.
    let piped = |arguments: &[&str], input: &[u8]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cwa"));
        command.current_dir(&directory).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    let arguments = ["--output", "-", "--split", "by-day", "--seed", "1"];
    let lines = std::fs::read(directory.join("received.jsonl")).unwrap();
    let image = piped(&[&["sightings", "index", "--sightings", "-"], &arguments[..]].concat(), &lines);
    assert_eq!(image, std::fs::read(path("by-day.1")).unwrap());
    let arguments = ["--export", "keys.zip", "--public-key", "signer.pem", "--json"];
    let told = piped(&[&["match", "--sightings", "-"], &arguments[..]].concat(), &image);
    assert_eq!(String::from_utf8(told).unwrap(), by_day.1);

    // An index can be made into lines again, and one that is damaged is refused.
    let lines = cwa(&["sightings", "convert", "--sightings", &other]).stdout;
    std::fs::write(path("lines"), &lines).unwrap();
    assert_eq!(answer(&path("lines")), answer("received.jsonl"));
    let mut damaged = again;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(path("damaged"), &damaged).unwrap();
    assert_eq!(answer(&path("damaged")).0, Some(3));
    std::fs::write(path("short"), &damaged[..100]).unwrap();
    assert_eq!(answer(&path("short")).0, Some(3));
}

/// The official key, a key of a part of the same day, and one of an earlier file that is revoked.
fn export() -> Export {
    let mut official = official();
    official.transmission_risk_level = Some(TransmissionRiskLevel::try_from(6).unwrap());
    official.report_type = Some(ReportType::ConfirmedTest);
    let mut short = key([2; 16]);
    short.rolling_period = RollingPeriod::try_from(89).unwrap();
    let mut revoked = key([3; 16]);
    revoked.report_type = Some(ReportType::Revoked);
    let end = official.embargo_end();
    let keys = [official, short].map(Into::into).to_vec();
    let mut export = Export::new(end.minus(3600), end, "DE", keys);
    export.revised_keys = vec![revoked.into()];
    export
}

fn export_without_revision() -> Export {
    let mut export = export();
    export.revised_keys.clear();
    export
}

fn sightings() -> (String, String) {
    let nobody = key([4; 16]);
    let rows = [
        // Heard twice in passing, and replayed 25 minutes later.
        heard(&official(), 60, 30, -42),
        heard(&official(), 60, 330, -50),
        heard(&official(), 60, 1530, -40),
        // Replayed in the afternoon.
        heard(&official(), 60, 5 * 3600, -40),
        // The short key within its period, and after it.
        heard(&key([2; 16]), 88, 0, -70),
        heard(&key([2; 16]), 89, 0, -70),
        heard(&key([3; 16]), 3, 0, -60),
        heard(&nobody, 3, 0, -60),
    ];
    let mut lines = String::new();
    let mut table = "seen_at,rssi_dbm,rpi,aem\n".to_owned();
    for row in rows {
        let Sighting { rpi, aem, rssi_dbm, seen_at, .. } = row;
        let seen_at = seen_at.as_secs();
        writeln!(lines, r#"{{"rpi":"{rpi}","aem":"{aem}","rssi_dbm":{rssi_dbm},"seen_at":{seen_at}}}"#)
            .unwrap();
        writeln!(table, "{seen_at},{rssi_dbm},{rpi},{aem}").unwrap();
    }
    (lines, table)
}

/// A frame of `key`, sent with 8 dBm, so many seconds into one of its intervals.
fn heard(key: &DiagnosisKey, interval: u32, seconds: u64, rssi_dbm: i8) -> Sighting {
    let interval = ENIntervalNumber::new(START + interval);
    let tek: TemporaryExposureKey = key.temporary_exposure_key();
    let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(8).unwrap());
    let aem = tek.associated_encrypted_metadata_key().seal(rpi, metadata);
    let seen_at: UnixTime = interval.start().plus(seconds);
    Sighting::new(rpi, aem, rssi_dbm, seen_at)
}

fn official() -> DiagnosisKey {
    key(0x75c7_34c6_dd1a_782d_e7a9_65da_5eb9_3125_u128.to_be_bytes())
}

fn key(key_data: [u8; 16]) -> DiagnosisKey {
    DiagnosisKey::new(key_data, ENIntervalNumber::new(START), RollingPeriod::FULL_DAY)
}

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), signer_info())
}

fn signer_info() -> SignatureInfo {
    SignatureInfo::new("example", "v1")
}
