//! What holds for every input and every order of calls.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{HashMap, HashSet};

use cwa_crypto::UnixTime;
use cwa_verify::fake::Intent;
use cwa_verify::message::{
    BODY_BYTES, LabResultsRequest, RegistrationKey, RegistrationRequest, RegistrationTokenAnswer,
    ReservationAnswer, ReservationRequest, ReserveRequest, TanAnswer, TanRequest, TeleTanAnswer,
    TestIdRequest, TestResultAnswer, TokenRequest, error_body,
};
use cwa_verify::playbook::BackgroundSchedule;
use cwa_verify::qr::PcrTestCode;
use cwa_verify::service::{Reservation, TanError};
use cwa_verify::store::{ConfirmError, Confirmed, Released};
use cwa_verify::{
    DateOfBirth, Guid, HashKey, HashKeyId, HashedGuid, LabId, MemoryStore, PayloadDigest, Policy,
    RegistrationToken, ReservationId, Role, Tan, TeleTan, TestId, TestResult, VerificationService,
};
use pollster::block_on;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const NOON: UnixTime = UnixTime::from_secs(1_595_419_200);

/// What happens to one session and its TANs.
#[derive(Clone, Debug)]
enum Step {
    Tan,
    Reserve { tan: usize, payload: u8 },
    Confirm { tan: usize, payload: u8 },
    Release { tan: usize, payload: u8 },
    Consume { tan: usize },
    Wait { seconds: u64 },
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    let (tan, payload) = (0..4_usize, 0..3_u8);
    prop_oneof![
        4 => Just(Step::Tan),
        6 => (tan.clone(), payload.clone()).prop_map(|(tan, payload)| Step::Reserve { tan, payload }),
        4 => (tan.clone(), payload.clone()).prop_map(|(tan, payload)| Step::Confirm { tan, payload }),
        2 => (tan.clone(), payload).prop_map(|(tan, payload)| Step::Release { tan, payload }),
        2 => tan.prop_map(|tan| Step::Consume { tan }),
        4 => prop_oneof![Just(0), Just(1), 0..70_u64, 3500..3700_u64].prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Purge),
    ]
}

/// What an observer of all answers knows: written from the promises, not from the store's rules.
#[derive(Default)]
struct Observer {
    uploads: HashMap<usize, u32>,
    /// Per TAN: the payload that holds it, and until when nobody else can.
    held: HashMap<usize, (u8, UnixTime)>,
    confirmed: HashMap<ReservationId, UnixTime>,
    issued: Vec<UnixTime>,
}

impl Observer {
    fn upload(&mut self, tan: usize) {
        *self.uploads.entry(tan).or_default() += 1;
        assert!(self.uploads[&tan] <= 1, "TAN {tan} was used twice");
        assert!(self.uploads.values().sum::<u32>() <= 2, "a third upload");
    }

    fn valid(&self, tan: usize, now: UnixTime) -> bool {
        now < self.issued[tan].plus(3600)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_a_tan_is_worth_one_upload_and_a_session_two(
        steps in proptest::collection::vec(step(), 1..120),
        seed: u64,
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let hash_key = HashKey::generate(HashKeyId::new(1), rng);
        let service = VerificationService::new(MemoryStore::new(), hash_key.clone(), Policy::default());
        let mut now = NOON;
        let code = block_on(service.issue_tele_tan(&[Role::Hotline], None, now, rng)).unwrap().tele_tan;
        let body = RegistrationRequest::encode(&RegistrationKey::TeleTan(code), rng);
        let request = RegistrationRequest::parse(&body).unwrap();
        let token = block_on(service.registration_token(&request, Intent::Real, now, rng)).unwrap().token;

        let mut tans: Vec<Tan> = Vec::new();
        let mut seen = Observer::default();
        let digest = |payload: u8| PayloadDigest::of(&[payload]);
        for step in steps {
            match step {
                Step::Wait { seconds } => now = now.plus(seconds),
                Step::Purge => { block_on(service.purge(now)).unwrap(); }
                Step::Tan => match block_on(service.tan(&token, Intent::Real, now, rng)) {
                    Ok(answer) => {
                        let bytes = answer.tan.expose_bytes();
                        let known = tans.iter().position(|tan| tan.expose_bytes() == bytes);
                        if let Some(known) = known {
                            prop_assert_eq!(known, tans.len() - 1, "an old TAN came back");
                            prop_assert!(seen.valid(known, now) && !seen.uploads.contains_key(&known));
                        } else {
                            let last_is_over = tans.len().checked_sub(1).is_none_or(|last| {
                                !seen.valid(last, now) || seen.uploads.contains_key(&last)
                            });
                            prop_assert!(last_is_over, "a new TAN beside one that can still be used");
                            tans.push(answer.tan);
                            seen.issued.push(now);
                        }
                    }
                    Err(error) => {
                        prop_assert_eq!(error, TanError::Exhausted { limit: 2 });
                        // Two uploads, or one of them about to be.
                        let leased = seen.held.values().filter(|(_, end)| now < *end).count();
                        prop_assert!(seen.uploads.len() + leased >= 2);
                    }
                },
                Step::Reserve { tan, payload } => {
                    let Some(it) = tans.get(tan) else { continue };
                    let granted = block_on(service.reserve_tan(it, &digest(payload), now));
                    let held_by_other = seen.held.get(&tan).is_some_and(|(p, end)| *p != payload && now < *end);
                    match granted {
                        Ok(Reservation::Granted { .. }) => {
                            prop_assert!(!held_by_other && !seen.uploads.contains_key(&tan));
                            seen.held.insert(tan, (payload, now.plus(60)));
                        }
                        Ok(Reservation::Confirmed { id }) => {
                            prop_assert!(seen.confirmed.get(&id).is_some_and(|until| now < *until));
                        }
                        Err(_) => {
                            let used = seen.uploads.contains_key(&tan);
                            prop_assert!(held_by_other || used || !seen.valid(tan, now));
                        }
                    }
                }
                Step::Confirm { tan, payload } => {
                    let Some(it) = tans.get(tan) else { continue };
                    let id = hash_key.reservation(it, &digest(payload));
                    let holds = seen.held.get(&tan).is_some_and(|(p, _)| *p == payload);
                    match block_on(service.confirm_tan(id, now)) {
                        Ok(Confirmed::Now) => {
                            prop_assert!(holds);
                            let (_, lease_end) = seen.held.remove(&tan).unwrap();
                            seen.upload(tan);
                            seen.confirmed.insert(id, lease_end.max(seen.issued[tan].plus(3600)));
                        }
                        Ok(Confirmed::Before) => prop_assert!(seen.confirmed.contains_key(&id)),
                        Err(ConfirmError::Unknown) => {
                            // Never granted, or lapsed and expired and forgotten.
                            let lapsed = seen.held.get(&tan).is_none_or(|(_, end)| *end <= now);
                            prop_assert!(!holds || (lapsed && !seen.valid(tan, now)));
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                Step::Release { tan, payload } => {
                    let Some(it) = tans.get(tan) else { continue };
                    let id = hash_key.reservation(it, &digest(payload));
                    if block_on(service.release_tan(id, now)) == Ok(Released::Now) {
                        prop_assert_eq!(seen.held.remove(&tan).map(|(payload, _)| payload), Some(payload));
                    }
                }
                Step::Consume { tan } => {
                    let Some(it) = tans.get(tan) else { continue };
                    let held = seen.held.get(&tan).is_some_and(|(_, end)| now < *end);
                    if block_on(service.consume_tan(it, now)).is_ok() {
                        prop_assert!(!held && seen.valid(tan, now));
                        seen.held.remove(&tan);
                        seen.upload(tan);
                    } else {
                        prop_assert!(held || !seen.valid(tan, now) || seen.uploads.contains_key(&tan));
                    }
                }
            }
        }
    }

    #[test]
    fn every_generated_teletan_is_valid_and_one_wrong_character_is_mostly_found(seed: u64, place in 0..10_usize) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let code = TeleTan::generate(rng);
        prop_assert!(TeleTan::parse(code.expose_text()).is_ok());
        prop_assert!(TeleTan::parse_typed(&code.expose_grouped().to_lowercase()).is_ok());
        let wrong = TeleTan::ALPHABET.chars().filter(|&wrong| !code.expose_text()[place..].starts_with(wrong));
        let passes = wrong.filter(|&wrong| {
            let mut text = code.expose_text().to_owned();
            text.replace_range(place..=place, &wrong.to_string());
            TeleTan::parse(&text).is_ok()
        });
        // One in 16 on average; none in the check character itself.
        let bound = if place == 9 { 0 } else { 12 };
        prop_assert!(passes.count() <= bound);
    }

    #[test]
    fn what_is_parsed_is_printed_the_same(seed: u64, guid in "[0-9A-Fa-f]{6}-[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}") {
        let rng = &mut StdRng::seed_from_u64(seed);
        let code = PcrTestCode::new(Guid::parse(&guid).unwrap());
        let read = PcrTestCode::parse(&code.expose_url()).unwrap();
        prop_assert_eq!(read.guid().expose_text(), guid.as_str());
        let tan = Tan::generate(rng);
        let read = Tan::parse(&tan.expose_text()).unwrap();
        prop_assert_eq!(read.expose_bytes(), tan.expose_bytes());
        let token = RegistrationToken::generate(rng);
        let read = RegistrationToken::parse(&token.expose_text()).unwrap();
        prop_assert_eq!(read.expose_bytes(), token.expose_bytes());
    }

    #[test]
    fn every_body_has_the_same_size(seed: u64, code in 0..10_u64, sc: u64, lab in "[^\\p{C}\"\\\\]{1,16}", with_lab: bool) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let lab_id = LabId::parse(&lab).ok().filter(|_| with_lab);
        let result = TestResult::try_from(code).unwrap();
        let sampled = UnixTime::from_secs(sc);
        let bodies = [
            error_body(rng),
            TestResultAnswer::new(result, sampled, lab_id).encode(rng),
            RegistrationTokenAnswer::new(RegistrationToken::generate(rng)).encode(rng),
            TanAnswer::new(Tan::generate(rng)).encode(rng),
            TokenRequest::encode(&RegistrationToken::generate(rng), rng),
            RegistrationRequest::encode(&RegistrationKey::TeleTan(TeleTan::generate(rng)), rng),
            RegistrationRequest::encode(
                &RegistrationKey::Test { guid: HashedGuid::of_text(&lab), date_of_birth: None },
                rng,
            ),
        ];
        let sizes: HashSet<usize> = bodies.iter().map(Vec::len).collect();
        prop_assert_eq!(sizes, HashSet::from([BODY_BYTES]));
    }

    #[test]
    fn no_bytes_and_no_text_make_a_parser_panic(bytes: Vec<u8>, text in ".{0,80}") {
        for body in [&bytes[..], text.as_bytes()] {
            let _ = RegistrationRequest::parse(body);
            let _ = TokenRequest::parse(body);
            let _ = TanRequest::parse(body);
            let _ = ReserveRequest::parse(body);
            let _ = ReservationRequest::parse(body);
            let _ = TestIdRequest::parse(body);
            let _ = LabResultsRequest::parse(body);
            let _ = RegistrationTokenAnswer::parse(body);
            let _ = TestResultAnswer::parse(body);
            let _ = TanAnswer::parse(body);
            let _ = TeleTanAnswer::parse(body);
            let _ = ReservationAnswer::parse(body);
        }
        let _ = (Guid::parse(&text), HashedGuid::parse(&text), TestId::parse(&text), TeleTan::parse(&text));
        let _ = (TeleTan::parse_typed(&text), TeleTan::check_character_of(&text), PcrTestCode::parse(&text));
        let _ = (Tan::parse(&text), text.parse::<DateOfBirth>(), LabId::parse(&text));
        let _ = PcrTestCode::parse(&format!("https://localhost/?{text}"));
    }

    #[test]
    fn a_schedule_is_never_due_in_the_past_after_its_ticks(seed: u64, waits in proptest::collection::vec(0..200_000_u64, 1..40)) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut now = NOON;
        let mut schedule = BackgroundSchedule::new(now, rng);
        for wait in waits {
            now = now.plus(wait);
            for _ in 0..2 {
                if schedule.tick(now, rng).is_none() {
                    break;
                }
            }
            prop_assert!(now < schedule.due());
        }
    }
}
