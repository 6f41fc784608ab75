//! What the phone hands over, and what the server takes: two libraries with one idea of 14 days.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says so by failing")]

use cwa_crypto::schedule::SameDayPolicy;
use cwa_crypto::{Day, DiagnosisKey, KeySchedule, TransmissionRiskLevel, UnixTime};
use cwa_export::submission::{Accepted, Submission, SubmissionPolicy};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const DAYS: u64 = 20;

/// A phone that was on air on every day before the returned midnight.
fn phone(policy: SameDayPolicy, rng: &mut StdRng) -> (KeySchedule, UnixTime) {
    let mut phone = KeySchedule::new(policy);
    let first = Day::from_calendar(2020, 7, 1).unwrap();
    for day in 0..DAYS {
        phone.live_key(first.start().plus(day * Day::SECONDS + 7 * 3600), rng);
    }
    (phone, first.start().plus(DAYS * Day::SECONDS))
}

fn submit(keys: &[DiagnosisKey], policy: &SubmissionPolicy, now: UnixTime, rng: &mut StdRng) -> Accepted {
    let with_level = keys.iter().map(|key| {
        let mut key = *key;
        key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
        key
    });
    let body = Submission::new(with_level.collect()).encode_padded(Submission::PADDED_SIZE, rng).unwrap();
    Submission::parse(&body, policy, now).unwrap()
}

#[test]
fn at_every_second_around_midnight_the_german_server_takes_all_that_is_handed_over() {
    let mut rng = StdRng::seed_from_u64(1);
    let (phone, midnight) = phone(SameDayPolicy::AfterMidnight, &mut rng);
    let after = midnight.plus(Day::SECONDS);
    for now in [midnight.minus(1), midnight, midnight.plus(1), midnight.plus(43_200), after.minus(1), after] {
        let mut phone = phone.clone();
        if now > midnight {
            phone.live_key(midnight, &mut rng);
        }
        phone.give_consent(now);
        let release = phone.release(now, &mut rng).unwrap();
        let accepted = submit(&release.keys, &SubmissionPolicy::cwa(), now, &mut rng);
        assert_eq!(accepted.submission.keys.len(), 14, "{now:?}");
        assert_eq!(accepted.dropped.lost(), 0, "{now:?}");
    }
}

#[test]
fn the_days_key_is_taken_from_midnight_to_the_end_of_the_grace() {
    let mut rng = StdRng::seed_from_u64(2);
    let (mut phone, midnight) = phone(SameDayPolicy::AfterMidnight, &mut rng);
    let asked = midnight.plus(14 * 3600);
    phone.give_consent(asked);
    let release = phone.release(asked, &mut rng).unwrap();
    for now in [release.day_key_at.unwrap(), asked.plus(Day::SECONDS)] {
        let keys = phone.release_day_key(now).unwrap();
        assert_eq!(submit(&keys, &SubmissionPolicy::cwa(), now, &mut rng).submission.keys.len(), 1);
    }
}

#[test]
fn a_day_that_the_clock_repeats_has_a_second_key_that_the_german_server_takes() {
    let mut rng = StdRng::seed_from_u64(4);
    let (mut phone, midnight) = phone(SameDayPolicy::AfterMidnight, &mut rng);
    phone.give_consent(midnight);
    phone.release(midnight, &mut rng).unwrap();
    // Back into yesterday afternoon, whose key is public now; and eight days later the owner uploads again.
    phone.live_key(midnight.minus(8 * 3600), &mut rng);
    let now = midnight.plus(8 * Day::SECONDS);
    phone.give_consent(now);
    let release = phone.release(now, &mut rng).unwrap();
    let accepted = submit(&release.keys, &SubmissionPolicy::cwa(), now, &mut rng);
    let yesterday = |key: &&DiagnosisKey| key.end() == midnight;
    assert_eq!(accepted.submission.keys.iter().filter(yesterday).count(), 2);
    assert_eq!(accepted.dropped.lost(), 0);
}

#[test]
fn a_key_retired_early_is_taken_at_once_beside_those_of_14_days() {
    let mut rng = StdRng::seed_from_u64(3);
    let (mut phone, midnight) = phone(SameDayPolicy::RetireEarly, &mut rng);
    let now = midnight.plus(600);
    phone.live_key(midnight, &mut rng);
    phone.give_consent(now);
    let release = phone.release(now, &mut rng).unwrap();
    let accepted = submit(&release.keys, &SubmissionPolicy::framework(), now, &mut rng);
    assert_eq!((accepted.submission.keys.len(), accepted.dropped.lost()), (15, 0));
    let retired = accepted.submission.keys.last().unwrap();
    assert_eq!((retired.rolling_period.get(), retired.embargo_end()), (1, now.plus(7200)));
}
