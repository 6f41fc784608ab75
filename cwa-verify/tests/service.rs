//! The protocol as phones, laboratories and health officers live it, over the store in memory.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use cwa_crypto::UnixTime;
use cwa_verify::fake::Intent;
use cwa_verify::message::{LabResultsRequest, RegistrationKey, RegistrationRequest};
use cwa_verify::service::{RegistrationError, Reservation, TanError, TeleTanIssueError, TestResultError};
use cwa_verify::store::{ConfirmError, Confirmed, ConsumeError, Purged, ReserveError};
use cwa_verify::{
    Guid, HashKey, HashKeyId, HashedGuid, MemoryStore, PayloadDigest, Policy, RegistrationToken, Role, Tan,
    TeleTan, TeleTanType, TestId, TestResult, VerificationService,
};
use pollster::block_on;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use subtle::ConstantTimeEq as _;

const NOON: UnixTime = UnixTime::from_secs(1_595_419_200);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A service, and the random generator of everyone involved.
struct World {
    service: VerificationService<MemoryStore>,
    rng: StdRng,
}

impl World {
    fn new() -> Self {
        let hash_key = HashKey::new(HashKeyId::new(1), [7; HashKey::LENGTH]);
        let service = VerificationService::new(MemoryStore::new(), hash_key, Policy::default());
        Self { service, rng: StdRng::seed_from_u64(1) }
    }

    fn body(&mut self, key: &RegistrationKey) -> Vec<u8> {
        RegistrationRequest::encode(key, &mut self.rng)
    }

    fn send(
        &mut self,
        body: &[u8],
        now: UnixTime,
    ) -> Result<RegistrationToken, RegistrationError<core::convert::Infallible>> {
        let request = RegistrationRequest::parse(body).unwrap();
        block_on(self.service.registration_token(&request, Intent::Real, now, &mut self.rng))
            .map(|answer| answer.token)
    }

    fn register(&mut self, key: &RegistrationKey, now: UnixTime) -> RegistrationToken {
        let body = self.body(key);
        self.send(&body, now).unwrap()
    }

    fn upload_results(&self, results: &[(&TestId, u8)], now: UnixTime) {
        let results: Vec<_> = results
            .iter()
            .map(|(id, result)| format!(r#"{{"id":"{}","result":{result}}}"#, *id.expose_text()))
            .collect();
        let body = format!(r#"{{"testResults":[{}],"labId":"l4b"}}"#, results.join(","));
        block_on(self.service.record_results(&LabResultsRequest::parse(body.as_bytes()).unwrap(), now))
            .unwrap();
    }

    fn result(&self, token: &RegistrationToken, now: UnixTime) -> TestResult {
        block_on(self.service.test_result(token, Intent::Real, now)).unwrap().result
    }

    fn tan(
        &mut self,
        token: &RegistrationToken,
        now: UnixTime,
    ) -> Result<Tan, TanError<core::convert::Infallible>> {
        block_on(self.service.tan(token, Intent::Real, now, &mut self.rng)).map(|answer| answer.tan)
    }

    fn upload(&self, tan: &Tan, payload: &[u8], now: UnixTime) -> bool {
        match block_on(self.service.reserve_tan(tan, &PayloadDigest::of(payload), now)) {
            Ok(Reservation::Granted { id, .. }) => {
                block_on(self.service.confirm_tan(id, now)) == Ok(Confirmed::Now)
            }
            _ => false,
        }
    }

    fn tele_tan(&mut self, kind: Option<TeleTanType>, now: UnixTime) -> TeleTan {
        let roles = [Role::Hotline, Role::EventHotline];
        block_on(self.service.issue_tele_tan(&roles, kind, now, &mut self.rng)).unwrap().tele_tan
    }
}

fn guid(digit: char) -> Guid {
    let digits = |count| digit.to_string().repeat(count);
    let groups = [6, 8, 4, 4, 4, 12].map(digits);
    Guid::parse(&groups.join("-")).unwrap()
}

fn test(digit: char) -> RegistrationKey {
    RegistrationKey::Test { guid: guid(digit).hash(), date_of_birth: None }
}

#[test]
fn a_positive_test_is_worth_two_uploads() {
    let world = &mut World::new();
    let token = world.register(&test('A'), NOON);
    assert_eq!(world.result(&token, NOON), TestResult::Pending);
    assert_eq!(world.tan(&token, NOON).unwrap_err(), TanError::NotPositive { result: TestResult::Pending });

    world.upload_results(&[(&guid('A').hash().into(), 2)], NOON.plus(HOUR));
    let now = NOON.plus(2 * HOUR);
    let answer = block_on(world.service.test_result(&token, Intent::Real, now)).unwrap();
    assert_eq!(answer.result, TestResult::Positive);
    assert_eq!(answer.sample_collected_at, Some(NOON.plus(HOUR)));
    assert_eq!(answer.lab_id.unwrap().as_str(), "l4b");

    let first = world.tan(&token, now).unwrap();
    assert!(bool::from(world.tan(&token, now.plus(5)).unwrap().ct_eq(&first)), "the same until it is used");
    assert!(world.upload(&first, b"past keys", now));
    let second = world.tan(&token, now.plus(12 * HOUR)).unwrap();
    assert!(!bool::from(second.ct_eq(&first)));
    assert!(world.upload(&second, b"the day's key", now.plus(12 * HOUR)));
    assert_eq!(world.tan(&token, now.plus(DAY)).unwrap_err(), TanError::Exhausted { limit: 2 });
    assert_eq!(world.result(&token, now.plus(DAY)), TestResult::Positive);
}

#[test]
fn only_positive_tests_give_a_tan() {
    let world = &mut World::new();
    for (digit, code, result) in [('A', 1, TestResult::Negative), ('B', 3, TestResult::Invalid)] {
        let token = world.register(&test(digit), NOON);
        world.upload_results(&[(&guid(digit).hash().into(), code)], NOON);
        assert_eq!(world.tan(&token, NOON).unwrap_err(), TanError::NotPositive { result });
    }
    let stranger = RegistrationToken::generate(&mut world.rng);
    assert_eq!(world.tan(&stranger, NOON).unwrap_err(), TanError::UnknownToken);
    let unknown = block_on(world.service.test_result(&stranger, Intent::Real, NOON));
    assert_eq!(unknown.unwrap_err(), TestResultError::UnknownToken);
}

#[test]
fn a_repeated_registration_gets_the_same_token_for_ten_minutes() {
    let world = &mut World::new();
    let body = world.body(&test('A'));
    let token = world.send(&body, NOON).unwrap();
    for seconds in [0, 10 * MINUTE - 1] {
        let again = world.send(&body, NOON.plus(seconds)).unwrap();
        assert!(bool::from(again.ct_eq(&token)), "after {seconds} s");
    }
    assert_eq!(world.result(&token, NOON.plus(HOUR)), TestResult::Pending);
    let late = world.send(&body, NOON.plus(10 * MINUTE));
    assert_eq!(late.unwrap_err(), RegistrationError::AlreadyRegistered);
    // Somebody else who has scanned the same code has other padding.
    let other = world.body(&test('A'));
    assert_eq!(world.send(&other, NOON).unwrap_err(), RegistrationError::AlreadyRegistered);
}

#[test]
fn a_registration_with_little_padding_cannot_be_repeated() {
    let world = &mut World::new();
    let hash = guid('A').hash();
    let body =
        format!(r#"{{"keyType":"GUID","key":"{}","requestPadding":"123456789012345"}}"#, *hash.expose_hex());
    world.send(body.as_bytes(), NOON).unwrap();
    assert_eq!(world.send(body.as_bytes(), NOON).unwrap_err(), RegistrationError::AlreadyRegistered);
}

#[test]
fn a_hash_written_in_capitals_is_no_second_test() {
    let world = &mut World::new();
    world.register(&test('A'), NOON);
    let capitals = guid('A').hash().expose_hex().to_uppercase();
    let body = format!(r#"{{"keyType":"GUID","key":"{capitals}"}}"#);
    assert_eq!(world.send(body.as_bytes(), NOON).unwrap_err(), RegistrationError::AlreadyRegistered);
}

#[test]
fn a_date_of_birth_has_to_fit_the_test() {
    let right = guid('A').date_of_birth_key("1995-06-07".parse().unwrap());
    let wrong = guid('A').date_of_birth_key("1995-06-08".parse().unwrap());
    let key =
        |date| RegistrationKey::Test { guid: guid('A').hash(), date_of_birth: Some(TestId::from(date)) };
    for (given, fits) in [(right.clone(), true), (wrong, false)] {
        let world = &mut World::new();
        let token = world.register(&key(given), NOON);
        assert_eq!(world.result(&token, NOON), TestResult::Pending, "both are pending");
        let results: [(&TestId, u8); 2] = [(&guid('A').hash().into(), 2), (&right.clone().into(), 2)];
        world.upload_results(&results, NOON);
        let result = block_on(world.service.test_result(&token, Intent::Real, NOON));
        let with_id = block_on(world.service.test_result_with_id(&token, NOON));
        let tan = world.tan(&token, NOON);
        if fits {
            assert_eq!(result.unwrap().result, TestResult::Positive);
            assert!(with_id.is_ok() && tan.is_ok());
        } else {
            assert_eq!(result.unwrap_err(), TestResultError::DateOfBirthMismatch);
            assert_eq!(with_id.unwrap_err(), TestResultError::DateOfBirthMismatch);
            assert_eq!(tan.unwrap_err(), TanError::DateOfBirthMismatch);
        }
    }
}

#[test]
fn a_date_of_birth_hash_registers_once_too() {
    let world = &mut World::new();
    let date = guid('A').date_of_birth_key("1995-06-07".parse().unwrap());
    let key = |digit: char| RegistrationKey::Test {
        guid: guid(digit).hash(),
        date_of_birth: Some(date.clone().into()),
    };
    world.register(&key('A'), NOON);
    let body = world.body(&key('B'));
    assert_eq!(world.send(&body, NOON).unwrap_err(), RegistrationError::AlreadyRegistered);
}

#[test]
fn a_teletan_is_a_positive_result_from_its_redemption_on() {
    let world = &mut World::new();
    let code = world.tele_tan(Some(TeleTanType::Test), NOON);
    let redeemed = NOON.plus(HOUR - 1);
    let token = world.register(&RegistrationKey::TeleTan(code.clone()), redeemed);
    let answer = block_on(world.service.test_result(&token, Intent::Real, redeemed.plus(DAY))).unwrap();
    assert_eq!((answer.result, answer.sample_collected_at), (TestResult::Positive, Some(redeemed)));
    assert_eq!(answer.lab_id, None);
    let with_id = block_on(world.service.test_result_with_id(&token, redeemed));
    assert_eq!(with_id.unwrap_err(), TestResultError::NoTest);
    let tan = world.tan(&token, redeemed).unwrap();
    assert_eq!(block_on(world.service.consume_tan(&tan, redeemed)), Ok(Some(TeleTanType::Test)));

    let body = world.body(&RegistrationKey::TeleTan(code));
    assert_eq!(world.send(&body, redeemed).unwrap_err(), RegistrationError::RedeemedTeleTan);
}

#[test]
fn teletans_live_an_hour_for_tests_and_two_days_for_events() {
    let world = &mut World::new();
    for (kind, seconds) in
        [(None, HOUR), (Some(TeleTanType::Test), HOUR), (Some(TeleTanType::Event), 2 * DAY)]
    {
        let code = RegistrationKey::TeleTan(world.tele_tan(kind, NOON));
        let body = world.body(&code);
        let late = world.send(&body, NOON.plus(seconds));
        assert_eq!(late.unwrap_err(), RegistrationError::ExpiredTeleTan);
        world.send(&body, NOON.plus(seconds - 1)).unwrap();
    }
    let unknown = RegistrationKey::TeleTan(TeleTan::parse("9A3B578UMG").unwrap());
    let body = world.body(&unknown);
    assert_eq!(world.send(&body, NOON).unwrap_err(), RegistrationError::UnknownTeleTan);
}

#[test]
fn each_type_of_teletan_needs_its_role() {
    use Role::{EventHotline, HealthAuthority, Hotline};
    let world = &mut World::new();
    for (roles, untyped, test, event) in [
        (&[][..], false, false, false),
        (&[Hotline], true, true, false),
        (&[HealthAuthority], false, true, false),
        (&[EventHotline], false, false, true),
        (&[HealthAuthority, EventHotline], false, true, true),
        (&[Hotline, HealthAuthority, EventHotline], true, true, true),
    ] {
        for (kind, permitted) in
            [(None, untyped), (Some(TeleTanType::Test), test), (Some(TeleTanType::Event), event)]
        {
            let issued = block_on(world.service.issue_tele_tan(roles, kind, NOON, &mut world.rng));
            match issued {
                Ok(issued) => {
                    assert!(permitted, "{roles:?} {kind:?}");
                    assert_eq!(issued.valid_until, NOON.plus(Policy::default().tele_tan_seconds(kind)));
                }
                Err(error) => {
                    assert_eq!(error, TeleTanIssueError::Forbidden, "{roles:?} {kind:?}");
                    assert!(!permitted, "{roles:?} {kind:?}");
                }
            }
        }
    }
    for role in [Hotline, HealthAuthority, EventHotline] {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    assert!("c19".parse::<Role>().is_err());
}

#[test]
fn a_thousand_teletans_an_hour_are_issued_and_no_more() {
    let world = &mut World::new();
    let issue = |world: &mut World, now| {
        block_on(world.service.issue_tele_tan(&[Role::Hotline], None, now, &mut world.rng))
            .map(|issued| issued.issued_in_window)
    };
    for count in 1..=1000 {
        assert_eq!(issue(world, NOON), Ok(count));
    }
    assert_eq!(issue(world, NOON.plus(HOUR - 1)), Err(TeleTanIssueError::LimitReached { limit: 1000 }));
    assert_eq!(issue(world, NOON.plus(HOUR)), Ok(1));
}

#[test]
fn servers_are_told_which_test_it_is() {
    let world = &mut World::new();
    let token = world.register(&test('A'), NOON);
    world.upload_results(&[(&guid('A').hash().into(), 2)], NOON);
    let answer = block_on(world.service.test_result_with_id(&token, NOON)).unwrap();
    assert_eq!(*answer.test_id.unwrap().expose_text(), *guid('A').hash().expose_hex());
    assert_eq!(answer.result, TestResult::Positive);
    let stranger = RegistrationToken::generate(&mut world.rng);
    let unknown = block_on(world.service.test_result_with_id(&stranger, NOON));
    assert_eq!(unknown.unwrap_err(), TestResultError::UnknownToken);

    let by_id = block_on(world.service.result_of_test(&guid('A').hash().into(), NOON)).unwrap();
    assert_eq!((by_id.result, by_id.lab_id.is_some()), (TestResult::Positive, true));
    let pending = block_on(world.service.result_of_test(&guid('B').hash().into(), NOON)).unwrap();
    assert_eq!((pending.result, pending.sample_collected_at), (TestResult::Pending, Some(NOON)));
}

#[test]
fn an_upload_is_answered_again_and_another_one_refused() {
    let world = &mut World::new();
    let code = RegistrationKey::TeleTan(world.tele_tan(None, NOON));
    let token = world.register(&code, NOON);
    let tan = world.tan(&token, NOON).unwrap();
    let (keys, others) = (PayloadDigest::of(b"keys"), PayloadDigest::of(b"other keys"));
    let reserve = |digest, now| block_on(world.service.reserve_tan(&tan, digest, now));

    let granted = reserve(&keys, NOON).unwrap();
    let Reservation::Granted { id, lease_seconds: 60, kind: None } = granted else { panic!("{granted:?}") };
    let lease_end = NOON.plus(60);
    assert_eq!(reserve(&others, NOON).unwrap_err(), ReserveError::Reserved { lease_end });
    assert_eq!(block_on(world.service.consume_tan(&tan, NOON)), Err(ConsumeError::Reserved { lease_end }));
    assert_eq!(block_on(world.service.confirm_tan(id, NOON)), Ok(Confirmed::Now));
    assert_eq!(reserve(&keys, NOON.plus(HOUR - 1)), Ok(Reservation::Confirmed { id }));
    assert_eq!(block_on(world.service.confirm_tan(id, NOON)), Ok(Confirmed::Before));
    assert_eq!(reserve(&others, NOON), Err(ReserveError::Unknown));
    assert_eq!(reserve(&keys, NOON.plus(HOUR)), Err(ReserveError::Unknown));
}

#[test]
fn a_released_tan_keeps_its_worth() {
    let world = &mut World::new();
    let code = RegistrationKey::TeleTan(world.tele_tan(None, NOON));
    let token = world.register(&code, NOON);
    let tan = world.tan(&token, NOON).unwrap();
    let bad = block_on(world.service.reserve_tan(&tan, &PayloadDigest::of(b"bad keys"), NOON)).unwrap();
    let Reservation::Granted { id, .. } = bad else { panic!("{bad:?}") };
    block_on(world.service.release_tan(id, NOON)).unwrap();
    assert_eq!(block_on(world.service.confirm_tan(id, NOON)), Err(ConfirmError::Unknown));
    assert!(world.upload(&tan, b"good keys", NOON));
}

#[test]
fn results_read_as_redeemed_after_21_days_with_or_without_a_purge() {
    for purge in [false, true] {
        let world = &mut World::new();
        world.upload_results(&[(&guid('A').hash().into(), 2)], NOON);
        let token = world.register(&test('A'), NOON.plus(DAY));
        let (before, after) = (NOON.plus(21 * DAY - 1), NOON.plus(21 * DAY));
        if purge {
            block_on(world.service.purge(before)).unwrap();
        }
        assert_eq!(world.result(&token, before), TestResult::Positive);
        if purge {
            assert_eq!(block_on(world.service.purge(after)).unwrap().results_redeemed, 1);
        }
        let answer = block_on(world.service.test_result(&token, Intent::Real, after)).unwrap();
        assert_eq!((answer.result, answer.lab_id), (TestResult::Redeemed, None));
        let by_id = block_on(world.service.result_of_test(&guid('A').hash().into(), after)).unwrap();
        assert_eq!((by_id.result, by_id.lab_id), (TestResult::Redeemed, None));
        assert_eq!(
            world.tan(&token, after).unwrap_err(),
            TanError::NotPositive { result: TestResult::Redeemed }
        );
        // Nor can a laboratory bring it back.
        world.upload_results(&[(&guid('A').hash().into(), 2)], after);
        assert_eq!(world.result(&token, after), TestResult::Redeemed);
        // A session lives 21 days itself.
        let end = NOON.plus(22 * DAY);
        let expired = block_on(world.service.test_result(&token, Intent::Real, end));
        assert_eq!(expired.unwrap_err(), TestResultError::UnknownToken);
    }
}

#[test]
fn fakes_get_answers_of_the_same_size_and_change_nothing() {
    let world = &mut World::new();
    let token = world.register(&test('A'), NOON);
    world.upload_results(&[(&guid('A').hash().into(), 1)], NOON);
    let code = TeleTan::generate(&mut world.rng);
    let rng = &mut world.rng;
    for key in [test('B'), RegistrationKey::TeleTan(code)] {
        let body = RegistrationRequest::encode(&key, rng);
        let request = RegistrationRequest::parse(&body).unwrap();
        let first = block_on(world.service.registration_token(&request, Intent::Fake, NOON, rng)).unwrap();
        let second = block_on(world.service.registration_token(&request, Intent::Fake, NOON, rng)).unwrap();
        assert!(!bool::from(first.token.ct_eq(&second.token)), "random, as a real one");
        assert_eq!(first.encode(rng).len(), 250);
        let unknown = block_on(world.service.test_result(&first.token, Intent::Real, NOON));
        assert_eq!(unknown.unwrap_err(), TestResultError::UnknownToken);
    }
    for token in [token, RegistrationToken::generate(rng)] {
        let result = block_on(world.service.test_result(&token, Intent::Fake, NOON)).unwrap();
        assert_eq!((result.result, result.sample_collected_at), (TestResult::Positive, Some(NOON)));
        assert_eq!(result.encode(rng).len(), 250);
        let answer = block_on(world.service.tan(&token, Intent::Fake, NOON, rng)).unwrap();
        assert_eq!(answer.encode(rng).len(), 250);
        assert_eq!(block_on(world.service.consume_tan(&answer.tan, NOON)), Err(ConsumeError::Unknown));
    }
    // What is there is one session, one used id and one result: those of the real registration.
    let purged = block_on(world.service.purge(NOON.plus(365 * DAY))).unwrap();
    assert_eq!(purged, Purged { sessions: 1, test_ids: 1, results_deleted: 1, ..Purged::default() });
}

#[test]
fn without_the_hash_key_the_store_is_worth_nothing() {
    let world = &mut World::new();
    let token = world.register(&test('A'), NOON);
    let stolen = VerificationService::new(
        world.service.store().clone(),
        HashKey::new(HashKeyId::new(1), [8; HashKey::LENGTH]),
        Policy::default(),
    );
    let result = block_on(stolen.test_result(&token, Intent::Real, NOON));
    assert_eq!(result.unwrap_err(), TestResultError::UnknownToken);
    let other = HashedGuid::parse(&guid('A').hash().expose_hex()).unwrap();
    let pending = block_on(stolen.result_of_test(&other.into(), NOON)).unwrap();
    assert_eq!(pending.result, TestResult::Pending);
}

#[test]
fn futures_can_be_moved_between_threads() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let world = &mut World::new();
    let body = world.body(&test('A'));
    let request = RegistrationRequest::parse(&body).unwrap();
    let (service, rng) = (&world.service, &mut world.rng);
    let token =
        block_on(sendable(service.registration_token(&request, Intent::Real, NOON, rng))).unwrap().token;
    block_on(sendable(service.test_result(&token, Intent::Real, NOON))).unwrap();
    let _ = block_on(sendable(service.tan(&token, Intent::Real, NOON, rng)));
    let _ = block_on(sendable(service.issue_tele_tan(&[], None, NOON, rng)));
    block_on(sendable(service.purge(NOON))).unwrap();
}
