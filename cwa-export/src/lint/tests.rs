use cwa_crypto::UnixTime;
use proptest::prelude::*;

use super::*;
use crate::finding::Severity;
use crate::{Export, ExportKey};

const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn key(id: u16) -> ExportKey {
    let mut data = [0; 16];
    data[..2].copy_from_slice(&id.to_be_bytes());
    let mut key = ExportKey::new(data);
    key.rolling_start_interval_number =
        Some(cwa_crypto::ENIntervalNumber::at(START.minus(cwa_crypto::Day::SECONDS)));
    key
}

fn export(keys: Vec<ExportKey>) -> Export {
    Export::new(START.plus(7200), START.plus(10_800), "DE", keys)
}

fn codes(findings: &[LintFinding], least: Severity) -> Vec<Code> {
    findings.iter().filter(|found| found.finding.severity >= least).map(|found| found.finding.code).collect()
}

#[test]
fn a_million_bad_keys_do_not_give_a_million_findings() {
    let mut lint = Lint::new(Profile::Strict);
    let content = export((0..100).flat_map(|id| [key(id), key(id)]).collect()).encode(&[]);
    lint.files("a.bin", &content, None);
    let findings = lint.finish();
    let duplicates: Vec<_> =
        findings.iter().filter(|found| found.finding.code == Code::DuplicateKey).collect();
    assert_eq!(duplicates.len(), 21);
    assert_eq!(duplicates[20].finding.message, "and 80 more: a key occurs twice");
    assert_eq!((duplicates[20].file.as_str(), &duplicates[20].key), ("a.bin", &None));
}

#[test]
fn a_key_is_named_by_number_kind_and_bytes() {
    let mut export = export(vec![key(1)]);
    export.revised_keys = vec![key(2), key(1)];
    let mut lint = Lint::new(Profile::Strict);
    lint.files("a.bin", &export.encode(&[]), None);
    let findings = lint.finish();
    let found = findings.iter().find(|found| found.finding.code == Code::RevisedBesideNew).unwrap();
    let place = found.key.clone().unwrap();
    assert_eq!((place.number, place.revised), (2, true));
    assert_eq!(place.key_data.unwrap(), format!("0001{}", "0".repeat(28)));
}

#[test]
fn more_keys_than_phones_are_promised_are_told() {
    let mut message = Vec::new();
    for _ in 0..750_001 {
        message.extend_from_slice(&[0x3a, 0x00]);
    }
    let mut content = header::HEADER.to_vec();
    content.append(&mut message);
    let mut lint = Lint::new(Profile::Apple);
    lint.files("a.bin", &content, None);
    let findings = lint.finish();
    assert!(codes(&findings, Severity::Error).contains(&Code::TooManyKeys));
    content.truncate(content.len() - 2);
    let mut lint = Lint::new(Profile::Apple);
    lint.files("a.bin", &content, None);
    assert!(!codes(&lint.finish(), Severity::Note).contains(&Code::TooManyKeys));
}

#[test]
fn a_lenient_reader_sees_errors_only_in_files_that_cannot_be_used() {
    let content = export(vec![key(1), key(1)]).encode(&[]);
    for (profile, errors) in [(Profile::Strict, vec![Code::DuplicateKey]), (Profile::Lenient, Vec::new())] {
        let mut lint = Lint::new(profile);
        lint.files("a.bin", &content, None);
        assert_eq!(codes(&lint.finish(), Severity::Error), errors, "{profile}");
    }
}

proptest! {
    #[test]
    fn any_bytes_can_be_linted(bytes: Vec<u8>, sig: Option<Vec<u8>>) {
        let mut lint = Lint::new(Profile::Strict);
        let mut content = header::HEADER.to_vec();
        content.extend(&bytes);
        lint.archive("a", &bytes);
        lint.files("b", &content, sig.as_deref());
        lint.files("c", &bytes, None);
        let _ = lint.finish();
    }

    #[test]
    fn the_order_of_files_changes_no_code(hours in proptest::collection::vec((0_u64..6, 1_u64..3, 0_u16..4), 1..6)) {
        let lint = |hours: &[(u64, u64, u16)]| {
            let mut lint = Lint::new(Profile::Strict);
            for (at, length, id) in hours {
                let mut export = export(vec![key(*id)]);
                export.start_timestamp = Some(START.plus(at * 3600));
                export.end_timestamp = Some(START.plus((at + length) * 3600));
                lint.files("a.bin", &export.encode(&[]), None);
            }
            let mut codes = codes(&lint.finish(), Severity::Note);
            codes.sort_unstable();
            codes
        };
        let backwards: Vec<_> = hours.iter().rev().copied().collect();
        prop_assert_eq!(lint(&hours), lint(&backwards));
    }
}
