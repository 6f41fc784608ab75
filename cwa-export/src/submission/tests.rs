use cwa_crypto::{DaysSinceOnsetOfSymptoms, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rstest::rstest;

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_595_376_000 + 14 * 3600);

fn key(id: u8, days_ago: u64) -> DiagnosisKey {
    let mut key = DiagnosisKey::new(
        [id; 16],
        ENIntervalNumber::at(NOW.day().minus(days_ago).start()),
        RollingPeriod::FULL_DAY,
    );
    key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
    key.days_since_onset_of_symptoms = Some(DaysSinceOnsetOfSymptoms::try_from(3986).unwrap());
    key
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn parse(keys: Vec<DiagnosisKey>) -> Result<Accepted, SubmissionError> {
    parse_as(&Submission::new(keys), &SubmissionPolicy::cwa())
}

fn parse_as(submission: &Submission, policy: &SubmissionPolicy) -> Result<Accepted, SubmissionError> {
    Submission::parse(&submission.encode_padded(2048, &mut rng()).unwrap(), policy, NOW)
}

#[test]
fn every_upload_has_one_size_whatever_it_says() {
    for count in 0..=15 {
        let keys = (0..count).map(|id| key(id, id.into())).collect();
        let body = Submission::new(keys).encode_padded(Submission::PADDED_SIZE, &mut rng()).unwrap();
        assert_eq!(body.len(), Submission::PADDED_SIZE, "{count} keys");
    }
    assert_eq!(Submission::fake(Submission::PADDED_SIZE, &mut rng()).unwrap().len(), Submission::PADDED_SIZE);
}

#[test]
fn a_size_that_does_not_fit_is_refused() {
    let error = Submission::new(vec![key(1, 1)]).encode_padded(20, &mut rng()).unwrap_err();
    assert_eq!(error, PaddingError { size: 20, needed: 37 });
    // A field of 130 bytes does not exist: 127 bytes of padding take 129, 128 take 131.
    assert_eq!([129, 130, 131].map(padding_length), [Some(127), None, Some(128)]);
}

#[test]
fn what_was_sent_arrives() {
    let sent = Submission {
        keys: vec![key(1, 1), key(2, 2)],
        visited_countries: vec!["FR".parse().unwrap()],
        origin: Some(Country::GERMANY),
        consent_to_federation: true,
        submission_type: SubmissionType::RapidTest,
    };
    let accepted = parse_as(&sent, &SubmissionPolicy::cwa()).unwrap();
    assert_eq!(accepted.submission, sent);
    assert_eq!(accepted.dropped, Dropped::default());
}

#[test]
fn keys_of_the_future_and_old_keys_are_dropped_and_counted() {
    let mut tomorrow = key(9, 0);
    tomorrow.rolling_start_interval_number = ENIntervalNumber::at(NOW.day().next().start());
    // The key of 15 days ago ended 14 days and 14 hours ago.
    let accepted = parse(vec![key(1, 1), tomorrow, key(2, 15), key(3, 14)]).unwrap();
    assert_eq!(accepted.submission.keys, [key(1, 1), key(3, 14)]);
    assert_eq!(accepted.dropped, Dropped { future: 1, too_old: 1, folded: 0 });
    assert_eq!(accepted.dropped.lost(), 2);
}

#[test]
fn an_upload_of_which_nothing_remains_is_refused() {
    let error = parse(vec![key(1, 15), key(2, 30)]).unwrap_err();
    assert_eq!(
        error,
        SubmissionError::NothingRemains { dropped: Dropped { future: 0, too_old: 2, folded: 0 } }
    );
}

#[test]
fn a_repeated_key_counts_once_and_a_contradicting_one_refuses_the_upload() {
    let accepted = parse(vec![key(1, 1), key(1, 1)]).unwrap();
    assert_eq!((accepted.submission.keys.len(), accepted.dropped.folded), (1, 1));
    let error = parse(vec![key(1, 1), key(1, 2)]).unwrap_err();
    assert_eq!(error, SubmissionError::Key { number: 2, reason: SubmittedKeyError::Contradiction });
}

#[test]
fn fourteen_keys_pass_and_fifteen_do_not() {
    assert!(parse((0..14).map(|id| key(id, id.into())).collect()).is_ok());
    let error = parse((0..15).map(|id| key(id, 0)).collect()).unwrap_err();
    assert_eq!(error, SubmissionError::TooManyKeys { max: 14, count: 15 });
    assert_eq!(parse(Vec::new()).unwrap_err(), SubmissionError::NoKeys);
}

#[test]
fn keys_start_at_midnight_in_the_german_profile_only() {
    let mut late = key(1, 1);
    late.rolling_start_interval_number = late.rolling_start_interval_number.checked_add(1).unwrap();
    let number = late.rolling_start_interval_number.get();
    assert_eq!(
        parse(vec![late]).unwrap_err(),
        SubmissionError::Key {
            number: 1,
            reason: SubmittedKeyError::NotAtMidnight { rolling_start_interval_number: number }
        }
    );
    assert!(parse_as(&Submission::new(vec![late]), &SubmissionPolicy::framework()).is_ok());
}

#[test]
fn a_key_needs_a_level_of_1_to_8_or_days() {
    let without = |level, days| {
        let mut key = key(1, 1);
        key.transmission_risk_level = level;
        key.days_since_onset_of_symptoms = days;
        key
    };
    let days = key(1, 1).days_since_onset_of_symptoms;
    let reason = |result: Result<Accepted, _>| match result {
        Err(SubmissionError::Key { number: 1, reason }) => Some(reason),
        _ => None,
    };
    assert_eq!(reason(parse(vec![without(None, None)])), Some(SubmittedKeyError::NeitherLevelNorDays));
    let zero = Some(TransmissionRiskLevel::UNUSED);
    assert_eq!(reason(parse(vec![without(zero, days)])), Some(SubmittedKeyError::LevelZero));
    assert!(parse(vec![without(None, days)]).is_ok());
}

#[rstest]
#[case(&[""], false)]
#[case(&["D"], false)]
#[case(&["FRE"], false)]
#[case(&["DE", "XX"], false)]
#[case(&["DE", "FR"], true)]
fn visited_countries_must_take_part(#[case] visited: &[&str], #[case] accepted: bool) {
    let mut payload = Submission::new(vec![key(1, 1)]).to_wire();
    payload.visited_countries = visited.iter().map(ToString::to_string).collect();
    let result = Submission::parse(&payload.encode_to_vec(), &SubmissionPolicy::cwa(), NOW);
    assert_eq!(result.is_ok(), accepted, "{result:?}");
}

#[test]
fn another_origin_is_refused_and_a_missing_one_is_filled_in() {
    let mut submission = Submission::new(vec![key(1, 1)]);
    assert_eq!(
        parse_as(&submission, &SubmissionPolicy::cwa()).unwrap().submission.origin,
        Some(Country::GERMANY)
    );
    submission.origin = Some("FR".parse().unwrap());
    assert_eq!(
        parse_as(&submission, &SubmissionPolicy::cwa()).unwrap_err(),
        SubmissionError::Origin { expected: Country::GERMANY }
    );
}

#[test]
fn the_digest_of_a_repetition_is_the_same_whatever_its_padding() {
    let policy = SubmissionPolicy::cwa();
    let digest = |keys, size, seed| {
        let body = Submission::new(keys).encode_padded(size, &mut StdRng::seed_from_u64(seed)).unwrap();
        Submission::parse(&body, &policy, NOW).unwrap().digest
    };
    let first = digest(vec![key(1, 1), key(2, 2)], 1024, 1);
    assert_eq!(first, digest(vec![key(2, 2), key(1, 1)], 2048, 2));
    assert_ne!(first, digest(vec![key(1, 1), key(3, 2)], 1024, 1));
}

#[test]
fn truncated_and_oversized_bodies_are_refused() {
    let policy = SubmissionPolicy::cwa();
    let body = Submission::new(vec![key(1, 1)]).encode_padded(1024, &mut rng()).unwrap();
    assert_eq!(Submission::parse(&body[..1000], &policy, NOW).unwrap_err(), SubmissionError::Malformed);
    let large = vec![0; policy.max_bytes + 1];
    assert_eq!(
        Submission::parse(&large, &policy, NOW).unwrap_err(),
        SubmissionError::TooLarge { max: 102_400, length: 102_401 }
    );
}

#[test]
fn the_sizes_of_the_german_apps_come_out() {
    // PaddingToolTest.kt and SubmissionPadding.swift, each key with level, start, period and days.
    let bytes = |count: u8, padding| {
        let mut submission = Submission::new((0..count).map(|id| key(id, 1)).collect());
        submission.visited_countries = vec![Country::GERMANY];
        submission.encode_padded_per_key(padding, &mut rng()).len()
    };
    assert_eq!(bytes(5, PerKeyPadding::GERMAN_ANDROID), 456);
    assert_eq!(bytes(15, PerKeyPadding::GERMAN_ANDROID), 503);
    assert_eq!(bytes(1, PerKeyPadding::GERMAN_IOS), 408);
    assert_eq!(bytes(5, PerKeyPadding::GERMAN_IOS), 428);
    assert_eq!(Submission::fake_per_key(PerKeyPadding::GERMAN_ANDROID, &mut rng()).len(), 423);
    assert_eq!(Submission::fake_per_key(PerKeyPadding::GERMAN_IOS, &mut rng()).len(), 395);
}
