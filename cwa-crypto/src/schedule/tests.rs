use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;
use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::metadata::TransmitPower;

/// Every key is another one, and says which.
struct Counter(u8);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 += 1;
        Ok(self.0.into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

const HOUR: u64 = 3600;
const DAY: u64 = Day::SECONDS;

fn midnight() -> UnixTime {
    Day::from_calendar(2020, 7, 20).unwrap().start()
}

fn interval(time: UnixTime) -> u32 {
    ENIntervalNumber::at(time).get()
}

fn phone(policy: SameDayPolicy) -> (KeySchedule, Counter) {
    (KeySchedule::new(policy), Counter(0))
}

/// Asks the owner and hands over.
fn release(phone: &mut KeySchedule, now: UnixTime, rng: &mut Counter) -> Release {
    phone.give_consent(now);
    phone.release(now, rng).unwrap()
}

fn number(key: &DiagnosisKey) -> u8 {
    key.key_data[0]
}

fn numbers(keys: &[DiagnosisKey]) -> Vec<u8> {
    keys.iter().map(number).collect()
}

#[test]
fn the_day_has_one_key_from_midnight_to_midnight() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    for seconds in [14 * HOUR, 0, 1, DAY - 1] {
        let key = phone.live_key(midnight().plus(seconds), &mut rng);
        assert_eq!(key.key.expose_bytes(), &[1; 16]);
        assert_eq!(key.rolling_start_interval_number.get(), interval(midnight()));
        assert_eq!(key.rolling_period, RollingPeriod::FULL_DAY);
    }
    let key = phone.live_key(midnight().plus(DAY), &mut rng);
    assert_eq!(key.key.expose_bytes(), &[2; 16]);
    assert_eq!(key.rolling_start_interval_number.get(), interval(midnight()) + 144);
}

#[test]
fn days_on_which_the_phone_was_off_have_no_key() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    phone.live_key(midnight().plus(5 * DAY + HOUR), &mut rng);
    let starts: Vec<_> = phone.keys().iter().map(|key| key.rolling_start_interval_number.get()).collect();
    assert_eq!(starts, [interval(midnight()), interval(midnight()) + 5 * 144]);
}

#[test]
fn keys_are_kept_for_14_days_after_their_end() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    phone.live_key(midnight().plus(15 * DAY - 1), &mut rng);
    assert_eq!(phone.keys().len(), 2);
    phone.live_key(midnight().plus(15 * DAY), &mut rng);
    let starts: Vec<_> = phone.keys().iter().map(|key| key.rolling_start_interval_number.get()).collect();
    assert_eq!(starts, [14, 15].map(|days| interval(midnight()) + days * 144));
}

#[test]
fn at_every_second_14_whole_days_are_handed_over() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    for day in 0..=20 {
        phone.live_key(midnight().plus(day * DAY), &mut rng);
    }
    for seconds in [DAY - 1, DAY, DAY + 1, DAY + HOUR, 2 * DAY - 1, 2 * DAY] {
        let keys = release(&mut phone, midnight().plus(20 * DAY + seconds), &mut rng).keys;
        assert_eq!(keys.len(), 14, "{seconds}");
        assert_eq!(keys.last().unwrap().end(), midnight().plus(20 * DAY + seconds).day().start());
    }
}

#[test]
fn a_clock_set_back_takes_up_the_earlier_key_again() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    phone.live_key(midnight().plus(DAY), &mut rng);
    assert_eq!(phone.live_key(midnight().plus(DAY - 1), &mut rng).key.expose_bytes(), &[1; 16]);
    // And the other one when its time has come again.
    assert_eq!(phone.live_key(midnight().plus(DAY + 1), &mut rng).key.expose_bytes(), &[2; 16]);
    assert_eq!(phone.keys().len(), 2);
}

#[test]
fn keys_of_a_clock_that_ran_days_ahead_are_forgotten() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight().plus(2 * DAY), &mut rng);
    phone.live_key(midnight().plus(DAY), &mut rng);
    assert_eq!(phone.keys().len(), 2);
    phone.live_key(midnight(), &mut rng);
    let starts: Vec<_> = phone.keys().iter().map(|key| key.rolling_start_interval_number.get()).collect();
    assert_eq!(starts, [interval(midnight()), interval(midnight()) + 144]);
}

#[test]
fn a_key_that_was_handed_over_is_never_on_air_again() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    let release = release(&mut phone, midnight().plus(DAY + HOUR), &mut rng);
    assert_eq!(numbers(&release.keys), [1]);
    // The clock goes back into the day of the key that is public now.
    let back = midnight().plus(14 * HOUR);
    let key = phone.live_key(back, &mut rng);
    assert_eq!(key.key.expose_bytes(), &[3; 16]);
    // A key of midnight like every other, which is what servers take under this policy.
    assert_eq!(key.rolling_start_interval_number.get(), interval(midnight()));
    assert_eq!(key.rolling_period, RollingPeriod::FULL_DAY);
}

#[test]
fn secret_keys_that_start_within_a_day_are_not_overlapped() {
    // As another policy has left them: 06:00 to 08:00 and 16:00 to 24:00.
    let key = |number, hour: u32, hours: u8| ScheduledKey {
        key: TemporaryExposureKey::from_bytes([number; 16]),
        rolling_start_interval_number: ENIntervalNumber::new(interval(midnight()) + hour * 6),
        rolling_period: RollingPeriod::try_from(i64::from(hours) * 6).unwrap(),
        handed_over: false,
    };
    let keys = vec![key(0xa, 6, 2), key(0xb, 16, 8)];
    let (mut phone, mut rng) =
        (KeySchedule::restore(SameDayPolicy::AfterMidnight, keys, None, Consent::NotGiven), Counter(0));
    for (hour, start, hours) in [(10, 8, 8), (3, 0, 6), (7, 6, 2), (16, 16, 8)] {
        let key = phone.live_key(midnight().plus(hour * HOUR), &mut rng);
        assert_eq!(key.rolling_start_interval_number.get(), interval(midnight()) + start * 6, "{hour}");
        assert_eq!(key.rolling_period.get(), hours * 6, "{hour}");
    }
}

#[test]
fn what_is_on_air_follows_from_the_live_key_and_changes_with_the_interval() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap());
    let first = phone.advertisement(metadata, midnight(), &mut rng);
    assert_eq!(phone.advertisement(metadata, midnight().plus(599), &mut rng), first);
    let second = phone.advertisement(metadata, midnight().plus(600), &mut rng);
    assert_ne!(second.rpi, first.rpi);
    let key = phone.live_key(midnight(), &mut rng).key;
    let rpik = key.rolling_proximity_identifier_key();
    assert_eq!(rpik.interval_of(second.rpi).unwrap().get(), interval(midnight()) + 1);
    let aemk = key.associated_encrypted_metadata_key();
    assert_eq!(aemk.open_unauthenticated(second.rpi, second.aem), Ok(metadata));
}

#[test]
fn past_keys_go_first_and_the_days_key_after_midnight() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    for day in 0..3 {
        phone.live_key(midnight().plus(day * DAY), &mut rng);
    }
    let upload = midnight().plus(2 * DAY + 14 * HOUR);
    let release = release(&mut phone, upload, &mut rng);
    assert_eq!(numbers(&release.keys), [1, 2]);
    assert_eq!(release.day_key_at, Some(midnight().plus(3 * DAY)));
    assert_eq!(phone.live_key(upload, &mut rng).key.expose_bytes(), &[3; 16], "still on air");

    // Nobody is asked again: the grace of 24 hours.
    let too_early = phone.release_day_key(midnight().plus(3 * DAY - 1));
    assert_eq!(too_early, Err(DayKeyError::StillLive { until: midnight().plus(3 * DAY) }));
    phone.live_key(midnight().plus(3 * DAY), &mut rng);
    for minutes in [0, 20, 250] {
        let keys = phone.release_day_key(midnight().plus(3 * DAY + minutes * 60)).unwrap();
        assert_eq!(numbers(&keys), [3], "also when the upload is repeated");
        assert_eq!(keys[0].rolling_period, RollingPeriod::FULL_DAY);
    }
}

#[test]
fn the_same_keys_are_handed_over_when_an_upload_is_repeated() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    let first = release(&mut phone, midnight().plus(DAY + HOUR), &mut rng);
    assert_eq!(release(&mut phone, midnight().plus(DAY + 2 * HOUR), &mut rng), first);
    // After midnight, the first upload takes the finished day along.
    let later = release(&mut phone, midnight().plus(2 * DAY + HOUR), &mut rng);
    assert_eq!(numbers(&later.keys), [1, 2]);
    assert_eq!(later.day_key_at, Some(midnight().plus(3 * DAY)));
}

#[test]
fn keys_of_the_future_are_not_handed_over() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight().plus(DAY), &mut rng);
    assert_eq!(release(&mut phone, midnight(), &mut rng).keys, []);
}

#[test]
fn without_a_release_there_is_no_days_key_to_follow() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    phone.give_consent(midnight().plus(HOUR));
    assert_eq!(phone.release_day_key(midnight().plus(DAY)), Err(DayKeyError::NothingPending));
}

#[test]
fn the_days_key_can_be_too_late_for_its_upload() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    assert_eq!(release(&mut phone, midnight().plus(HOUR), &mut rng).keys, []);
    let again = |seconds| {
        let (mut phone, now) = (phone.clone(), midnight().plus(seconds));
        phone.give_consent(now);
        phone.release_day_key(now)
    };
    assert!(again(15 * DAY - 1).is_ok());
    let error = DayKeyError::Forgotten { day: midnight().day() };
    assert_eq!(again(15 * DAY), Err(error));
    assert_eq!(error.to_string(), "the key of 2020-07-20 was older than 14 days and is forgotten");
}

#[test]
fn nothing_is_handed_over_without_consent_and_nothing_is_retired() {
    for policy in [SameDayPolicy::AfterMidnight, SameDayPolicy::RetireEarly] {
        let (mut phone, mut rng) = phone(policy);
        phone.live_key(midnight(), &mut rng);
        let now = midnight().plus(DAY + HOUR);
        assert_eq!(phone.release(now, &mut rng), Err(ConsentError::NotGiven));
        assert_eq!(phone.release_day_key(now), Err(ConsentError::NotGiven.into()));
        assert!(phone.keys().iter().all(|key| !key.handed_over));
        assert_eq!(phone.keys().len(), 1, "and no key is made for it");
    }
}

#[test]
fn the_key_of_the_following_day_needs_another_consent() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    let asked = midnight().plus(14 * HOUR);
    phone.give_consent(asked);
    assert_eq!(phone.release(asked, &mut rng).unwrap().day_key_at, Some(midnight().plus(DAY)));
    // Within the grace, also a repeated release; but the key of its day ends after the consent does.
    let second = phone.release(asked.plus(DAY), &mut rng).unwrap();
    assert_eq!((numbers(&second.keys), second.day_key_at), (vec![1], None));
    assert_eq!(numbers(&phone.release_day_key(asked.plus(DAY)).unwrap()), [1], "the first day's, again");
    let expired = ConsentError::Expired { given_at: asked };
    assert_eq!(phone.release(midnight().plus(2 * DAY), &mut rng), Err(expired));
    assert_eq!(phone.release_day_key(midnight().plus(2 * DAY)), Err(expired.into()));
    assert_eq!(
        expired.to_string(),
        format!("the consent given at {} held for 86400 s and is over", asked.as_secs())
    );
    let third = release(&mut phone, midnight().plus(2 * DAY), &mut rng);
    assert_eq!(numbers(&third.keys), [1, 2]);
}

#[test]
fn a_consent_of_midnight_reaches_the_next_midnight() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    let first = release(&mut phone, midnight(), &mut rng);
    assert_eq!(first.day_key_at, Some(midnight().plus(DAY)));
    assert!(phone.clone().release_day_key(midnight().plus(DAY)).is_ok());
    let expired = ConsentError::Expired { given_at: midnight() };
    assert_eq!(phone.release_day_key(midnight().plus(DAY + 1)), Err(expired.into()));
}

#[test]
fn a_withdrawn_consent_holds_the_days_key_back_and_another_one_lets_it_go() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    release(&mut phone, midnight().plus(DAY + HOUR), &mut rng);
    phone.withdraw_consent();
    let after = midnight().plus(2 * DAY + HOUR);
    assert_eq!(phone.release_day_key(after), Err(ConsentError::Withdrawn.into()));
    assert_eq!(phone.release(after, &mut rng), Err(ConsentError::Withdrawn));
    phone.give_consent(after);
    assert_eq!(phone.release_day_key(after), Err(DayKeyError::NothingPending));
    assert_eq!(numbers(&phone.release(after, &mut rng).unwrap().keys), [1, 2]);
}

#[test]
fn a_consent_that_has_ended_does_not_come_back_with_the_clock() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    let asked = midnight().plus(14 * HOUR);
    phone.give_consent(asked);
    // Nobody asks for keys; the day passes on air.
    phone.live_key(asked.plus(DAY + 1), &mut rng);
    assert_eq!(phone.release(asked.plus(HOUR), &mut rng), Err(ConsentError::Expired { given_at: asked }));
    assert_eq!(phone.consent(), Consent::Expired { given_at: asked });
}

#[test]
fn a_clock_far_ahead_costs_the_old_keys_and_the_consent_and_leaves_nothing_behind() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    for day in 0..3 {
        phone.live_key(midnight().plus(day * DAY), &mut rng);
    }
    let asked = midnight().plus(2 * DAY + 9 * HOUR);
    phone.give_consent(asked);
    phone.live_key(asked.plus(365 * DAY), &mut rng);
    // Corrected, the phone begins the day anew: the key of the morning is lost, and so is never handed over.
    let key = phone.live_key(asked.plus(60), &mut rng);
    assert_eq!(key.key.expose_bytes(), &[5; 16]);
    assert_eq!(key.rolling_period, RollingPeriod::FULL_DAY);
    assert_eq!(phone.keys().len(), 1);
    assert_eq!(phone.release(asked.plus(60), &mut rng), Err(ConsentError::Expired { given_at: asked }));
}

#[test]
fn a_key_that_fills_a_gap_ends_where_the_next_one_begins() {
    let (mut phone, mut rng) = phone(SameDayPolicy::RetireEarly);
    phone.live_key(midnight(), &mut rng);
    let two_o_clock = midnight().plus(14 * HOUR);
    release(&mut phone, two_o_clock, &mut rng);
    assert_eq!(phone.live_key(two_o_clock, &mut rng).key.expose_bytes(), &[2; 16]);
    // Set back into the time of the key that is public: a third key, until the second one takes over.
    let key = phone.live_key(midnight().plus(10 * HOUR), &mut rng);
    assert_eq!(key.key.expose_bytes(), &[3; 16]);
    assert_eq!(
        (key.rolling_start_interval_number.get(), key.rolling_period.get()),
        (interval(midnight()) + 60, 24)
    );
    assert_eq!(phone.live_key(two_o_clock, &mut rng).key.expose_bytes(), &[2; 16]);
    let keys = release(&mut phone, midnight().plus(DAY), &mut rng).keys;
    let periods = keys.iter().map(|key| (number(key), key.rolling_period.get())).collect::<Vec<_>>();
    assert_eq!(periods, [(1, 84), (3, 24), (2, 60)]);
}

#[test]
fn retired_early_the_days_key_is_cut_short_and_another_takes_over() {
    let (mut phone, mut rng) = phone(SameDayPolicy::RetireEarly);
    phone.live_key(midnight(), &mut rng);
    let now = midnight().plus(DAY + 14 * HOUR + 5 * 60);
    let release = release(&mut phone, now, &mut rng);
    assert_eq!(numbers(&release.keys), [1, 2]);
    assert_eq!(release.day_key_at, None);
    let retired = release.keys[1];
    assert_eq!(retired.rolling_start_interval_number.get(), interval(midnight()) + 144);
    assert_eq!(retired.rolling_period.get(), 84);
    assert_eq!(retired.end(), midnight().plus(DAY + 14 * HOUR));
    assert_eq!(retired.embargo_end(), midnight().plus(DAY + 16 * HOUR));

    let successor = phone.live_key(now, &mut rng);
    assert_eq!(successor.key.expose_bytes(), &[3; 16]);
    assert_eq!(successor.rolling_start_interval_number.get(), interval(now));
    assert_eq!(successor.rolling_period.get(), 60);
    assert_eq!(successor.end(), midnight().plus(2 * DAY));
    assert_eq!(phone.release_day_key(midnight().plus(2 * DAY)), Err(DayKeyError::NothingPending));
}

#[test]
fn a_key_in_its_first_interval_is_not_retired() {
    let (mut phone, mut rng) = phone(SameDayPolicy::RetireEarly);
    assert_eq!(release(&mut phone, midnight().plus(599), &mut rng).keys, []);
    assert_eq!(phone.live_key(midnight().plus(599), &mut rng).rolling_period, RollingPeriod::FULL_DAY);
    // One interval later, it has been valid for one.
    let release = release(&mut phone, midnight().plus(600), &mut rng);
    assert_eq!(release.keys[0].rolling_period.get(), 1);
}

#[test]
fn a_restored_schedule_goes_on_where_it_was() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    release(&mut phone, midnight().plus(DAY + HOUR), &mut rng);
    let mut stored = phone.keys().to_vec();
    stored.reverse();
    let mut restored = KeySchedule::restore(phone.policy(), stored, phone.released_on(), phone.consent());
    assert_eq!(restored.live_key(midnight().plus(DAY + HOUR), &mut rng).key.expose_bytes(), &[2; 16]);
    assert_eq!(numbers(&restored.release_day_key(midnight().plus(2 * DAY)).unwrap()), [2]);
}

#[test]
fn debug_shows_no_secret() {
    let (mut phone, mut rng) = phone(SameDayPolicy::AfterMidnight);
    phone.live_key(midnight(), &mut rng);
    insta::assert_snapshot!(
        format!("{phone:?}"),
        @"KeySchedule { policy: AfterMidnight, keys: [ScheduledKey { key: TemporaryExposureKey { .. }, rolling_start_interval_number: ENIntervalNumber(2658672), rolling_period: RollingPeriod(144), handed_over: false }], released_on: None, consent: NotGiven }"
    );
}
