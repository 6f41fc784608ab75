//! What holds for every file, every upload and every order of hours.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::LazyLock;

use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel, UnixTime,
};
use cwa_export::audit::{Audit, Verdict};
use cwa_export::batch::{Hour, PendingKey, PublicationPolicy};
use cwa_export::configuration::{Configuration, ConfigurationV1};
use cwa_export::finding::Severity;
use cwa_export::index::{DistributionPath, Manifest};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::reader::Fields;
use cwa_export::signature::parse_der;
use cwa_export::submission::{Submission, SubmissionPolicy};
use cwa_export::verify::UnverifiedContent;
use cwa_export::{
    Archive, Export, ExportKey, SignatureInfo, SoftwareSigner, TrustStore, TrustedKey, UnverifiedExport,
};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v9"))
}

fn trusted() -> TrustStore {
    [TrustedKey::given("mine", *signer().verifying_key())].into_iter().collect()
}

fn key() -> impl Strategy<Value = ExportKey> {
    let level = (0..=8_i64).prop_map(|n| TransmissionRiskLevel::try_from(n).unwrap());
    let period = (1..=144_i64).prop_map(|n| RollingPeriod::try_from(n).unwrap());
    let report_type = (0..=5_i64).prop_map(|n| ReportType::try_from(n).unwrap());
    let days = (-15..=4000_i64).prop_map(|n| DaysSinceOnsetOfSymptoms::try_from(n).unwrap());
    let start = (0..=i32::MAX.unsigned_abs() - 144).prop_map(ENIntervalNumber::new);
    (
        any::<[u8; 16]>(),
        prop::option::of(level),
        prop::option::of(start),
        prop::option::of(period),
        prop::option::of(report_type),
        prop::option::of(days),
    )
        .prop_map(|(key_data, level, start, period, report_type, days)| {
            let mut key = ExportKey::new(key_data);
            key.transmission_risk_level = level;
            key.rolling_start_interval_number = start;
            key.rolling_period = period;
            key.report_type = report_type;
            key.days_since_onset_of_symptoms = days;
            key
        })
}

fn submitted() -> impl Strategy<Value = DiagnosisKey> {
    (any::<[u8; 16]>(), 0..14_u64, 1..=8_i64).prop_map(|(data, days_ago, level)| {
        let start = ENIntervalNumber::at(START.day().minus(days_ago).start());
        let mut key = DiagnosisKey::new(data, start, RollingPeriod::FULL_DAY);
        key.transmission_risk_level = TransmissionRiskLevel::try_from(level).ok();
        key
    })
}

proptest! {
    #[test]
    fn no_reader_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), more in prop::collection::vec(any::<u8>(), 0..100)) {
        let trusted = trusted();
        let _ = Archive::read(&bytes);
        let _ = Fields::new(&bytes).count();
        let _ = parse_der(&bytes);
        let _ = Configuration::decode(&bytes);
        let _ = Submission::parse(&bytes, &SubmissionPolicy::cwa(), START);
        let _ = Manifest::from_json(&bytes);
        let _ = UnverifiedContent::parse(&bytes, &more).map(|content| content.verify(&trusted));
        let headed = [b"EK Export v1    ", bytes.as_slice()].concat();
        let _ = UnverifiedExport::parse(&headed, &more).map(|export| export.verify(&trusted));
        prop_assert_ne!(Audit::new(&trusted).files(&headed, Some(&more)).verdict, Verdict::Valid);
    }

    #[test]
    fn no_reader_panics_on_a_damaged_package(
        keys in prop::collection::vec(key(), 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let files = Export::new(START, START.plus(3600), "DE", keys).sign(&[&signer()]).unwrap();
        let whole = files.to_archive().unwrap();
        let mut damaged = whole.clone();
        for (at, byte) in changes {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        let report = Audit::new(&trusted()).archive(&damaged);
        // What still verifies holds what was signed: only times, versions and permissions carry nothing.
        if report.verdict == Verdict::Valid {
            prop_assert_eq!(Archive::read(&damaged), Archive::read(&whole));
        }
    }

    #[test]
    fn what_is_written_is_read_and_written_the_same(keys in prop::collection::vec(key(), 0..20), revised in prop::collection::vec(key(), 0..3)) {
        let mut export = Export::new(START, START.plus(3600), "DE", keys);
        export.revised_keys = revised;
        let files = export.sign(&[&signer()]).unwrap();
        let archive = Archive::read(&files.to_archive().unwrap()).unwrap();
        prop_assert_eq!(archive.export_bin(), files.export_bin.as_slice());
        let verified = UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).unwrap().verify(&trusted());
        let verified = verified.unwrap();
        let again = verified.content().to_export().unwrap();
        prop_assert_eq!(&again, &export);
        prop_assert_eq!(again.encode(verified.content().signature_infos()), files.export_bin.as_slice());
    }

    #[test]
    fn an_upload_arrives_as_it_was_sent_and_every_one_has_the_same_size(
        keys in prop::collection::btree_map(any::<[u8; 16]>(), submitted(), 1..=14),
        seed in any::<u64>(),
    ) {
        let keys: Vec<_> = keys.into_iter().map(|(data, mut key)| { key.key_data = data; key }).collect();
        let sent = Submission::new(keys.clone());
        let body = sent.encode_padded(Submission::PADDED_SIZE, &mut StdRng::seed_from_u64(seed)).unwrap();
        prop_assert_eq!(body.len(), Submission::PADDED_SIZE);
        let accepted = Submission::parse(&body, &SubmissionPolicy::cwa(), START.plus(1)).unwrap();
        prop_assert_eq!(accepted.submission.keys, keys);
    }

    #[test]
    fn paths_are_read_as_they_are_written(day in 0..50_000_u64, of_day in 0..24_u8) {
        let country = "DE".parse().unwrap();
        let day = cwa_crypto::Day::new(day);
        let hour = Hour::of(day, of_day).unwrap();
        for path in [
            DistributionPath::DayPackage { country, day },
            DistributionPath::Hours { country, day },
            DistributionPath::HourPackage { country, hour },
        ] {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    /// Hour by hour: every key is published once, not before its time, not later than a day of shifting, and never in a
    /// package of fewer keys than the threshold.
    #[test]
    fn every_key_is_published_once_and_in_its_time(
        arrivals in prop::collection::vec((0..30_u64, 0..3_u64), 0..40),
        threshold in 1..20_usize,
    ) {
        let policy = { let mut policy = PublicationPolicy::default(); policy.threshold = threshold; policy };
        let first = Hour::at(START);
        let mut rng = StdRng::seed_from_u64(1);
        let (mut pending, mut published) = (Vec::new(), 0);
        for number in 0..90 {
            let hour = Hour::new(first.get() + number);
            for (index, (_, days_ago)) in arrivals.iter().enumerate().filter(|(_, (arrival, _))| *arrival == number) {
                let start = ENIntervalNumber::at(hour.day().minus(*days_ago).start());
                let data = u128::try_from(index).unwrap().to_be_bytes();
                let key = DiagnosisKey::new(data, start, RollingPeriod::FULL_DAY);
                let earliest_hour = policy.earliest_hour(key.end(), hour.start().plus(100));
                pending.push(PendingKey { key, earliest_hour });
            }
            let closed = policy.close_hour(hour, &pending, &mut rng);
            prop_assert!(closed.key_count() == 0 || closed.key_count() >= threshold);
            for index in &closed.publish {
                let PendingKey { key, earliest_hour: earliest } = pending[*index];
                prop_assert!(earliest <= hour && hour.get() - earliest.get() <= policy.max_shift_hours);
                prop_assert!(hour.end() >= key.end().plus(policy.embargo_seconds));
            }
            published += closed.publish.len();
            let mut index = 0;
            pending.retain(|_| { index += 1; !closed.publish.contains(&(index - 1)) });
        }
        prop_assert_eq!((published, pending.len()), (arrivals.len(), 0));
    }

    #[test]
    fn configurations_with_flipped_bits_are_linted_or_refused(choice: prop::sample::Index, flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4), cut: prop::sample::Index) {
        let mut content = configurations()[choice.index(configurations().len())].clone();
        for (at, bit) in flips {
            let at = at.index(content.len());
            content[at] ^= 1 << bit;
        }
        content.truncate(cut.index(content.len() * 4).max(content.len() / 2));
        match Configuration::decode(&content) {
            Ok(read) => prop_assert!(Configuration::lint_content(&content).unwrap().ends_with(&read.lint())),
            Err(error) => prop_assert_eq!(Configuration::lint_content(&content), Err(error)),
        }
    }

    #[test]
    fn a_configuration_survives_the_way_through_its_bytes(score in 0..=9999_i32, border in 1..9999_i32, weights in prop::collection::vec(1..=100_000_u32, 4)) {
        let mut configuration = ConfigurationV1::default();
        configuration.min_risk_score = score;
        let class = |label: &str, min: i32, max: i32| {
            serde_json::from_value(serde_json::json!({ "label": label, "min": min, "max": max })).unwrap()
        };
        configuration.risk_score_classes.risk_classes = vec![class("LOW", 0, border), class("HIGH", border, 9999)];
        configuration.exposure_config.transmission_weight = f64::from(weights[0]) / 1000.0;
        configuration.exposure_config.duration_weight = f64::from(weights[1]) / 1000.0;
        configuration.exposure_config.attenuation_weight = f64::from(weights[2]) / 1000.0;
        configuration.exposure_config.days_weight = f64::from(weights[3]) / 1000.0;
        configuration.attenuation_duration.risk_score_normalization_divisor = 1;
        let has_error = configuration.lint().iter().any(|finding| finding.severity == Severity::Error);
        prop_assert!(!has_error, "{:?}", configuration.lint());
        prop_assert_eq!(ConfigurationV1::decode(&configuration.encode()), Ok(configuration));
    }
}

/// Those of the known answers.
fn configurations() -> &'static [Vec<u8>] {
    static CONFIGURATIONS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let files = cwa_test_vectors::builtin().map(|(_, json)| cwa_test_vectors::parse(json).unwrap());
        let groups = files.flat_map(|file| file.test_groups).filter(|group| group.family == "config.lint");
        let content =
            |test: cwa_test_vectors::Test| hex::decode(test.input["content"].as_str().unwrap()).unwrap();
        groups.flat_map(|group| group.tests).map(content).collect()
    });
    &CONFIGURATIONS
}
