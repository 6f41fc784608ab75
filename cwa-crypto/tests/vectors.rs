//! The known answers, each case a test of its own: `cargo test --test vectors gaen.metadata::tc2001`.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use core::str::FromStr;
use std::process::ExitCode;

use cwa_crypto::derive::{Backend, derive_with};
use cwa_crypto::matching::{
    ComputedAttenuation, Consequence, Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StatedKey,
    StoreKey,
};
use cwa_crypto::metadata::CalibrationConfidence;
use cwa_crypto::rpi::Identifiers;
use cwa_crypto::schedule::{Consent, ConsentError, DayKeyError, SameDayPolicy, ScheduledKey};
use cwa_crypto::{
    Advertisement, AssociatedEncryptedMetadata, AssociatedEncryptedMetadataKey, Attenuation,
    BluetoothMetadata, DiagnosisKey, ENIntervalNumber, KeySchedule, ReportType, RollingPeriod,
    RollingProximityIdentifier, TemporaryExposureKey, TransmitPower, UnixTime,
};
use cwa_test_vectors::{Test, Verdict};
use libtest_mimic::{Arguments, Trial};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (_, json) in cwa_test_vectors::builtin() {
        for group in cwa_test_vectors::parse(json).unwrap().test_groups {
            let check: Check = match group.family.as_str() {
                "gaen.key_schedule" => key_schedule,
                "gaen.identifiers" => identifiers,
                "gaen.known_mistakes" => known_mistake,
                "gaen.key_life_cycle" => key_life_cycle,
                "gaen.ble_frame" => ble_frame,
                "gaen.metadata" => metadata,
                "gaen.matching" => matching,
                "attenuation" => attenuation,
                _ => continue,
            };
            for mut test in group.tests {
                // The rules of a group are those of its inputs.
                if let (Some(rules), Some(input)) = (group.data.get("rules"), test.input.as_object_mut()) {
                    input.insert("rules".to_owned(), rules.clone());
                }
                let name = format!("{}::tc{}", group.family, test.tc_id);
                trials.push(Trial::test(name, move || {
                    judge(check(&test.input, &test.expected), &test);
                    Ok(())
                }));
            }
        }
    }
    // Without its data this would be a test that cannot fail.
    assert!(trials.len() > 70, "only {} vectors found", trials.len());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Asserts what is expected of an input, or names the layer that refuses the input.
type Check = fn(&Value, &Value) -> Result<(), &'static str>;

fn judge(outcome: Result<(), &'static str>, test: &Test) {
    // A known mistake without a right answer is "invalid" as an answer; that ours is another was asserted.
    let is_mistake = test.error.is_none()
        && test.expected.as_object().is_some_and(|expected| expected.keys().all(|m| m.starts_with("wrong_")));
    match (outcome, test.result) {
        (Ok(()), Verdict::Invalid) => assert!(is_mistake, "accepted: {}", test.comment),
        (Err(layer), Verdict::Valid) => panic!("refused by {layer}: {}", test.comment),
        (Err(layer), Verdict::Invalid) => assert_eq!(Some(layer), test.error.as_deref(), "{}", test.comment),
        _ => {}
    }
}

fn key_schedule(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let (tek, key) = key(input)?;
    let metadata = decode_metadata(&input["metadata"])?;
    if let Some(time) = input["unix_time_s"].as_u64() {
        assert_eq!(ENIntervalNumber::at(UnixTime::from_secs(time)), key.rolling_start_interval_number);
    }
    let rpik = tek.rolling_proximity_identifier_key();
    let aemk = tek.associated_encrypted_metadata_key();
    assert_eq!(expected["rpik"], hex::encode(rpik.expose_bytes()));
    assert_eq!(expected["aemk"], hex::encode(aemk.expose_bytes()));
    for expected in expected["intervals"].as_array().unwrap() {
        let number = expected["enin"].as_u64().unwrap();
        let mut found = None;
        for mut day in by_every_backend(key) {
            let (interval, rpi) = day.find(|(interval, _)| u64::from(interval.get()) == number).unwrap();
            assert_eq!(rpi, parse(&expected["rpi"]));
            found = Some((interval, rpi));
        }
        let (interval, rpi) = found.unwrap();
        assert_eq!(rpik.identifier(interval), rpi);
        assert_eq!(rpik.interval_of(rpi), Some(interval));
        let aem: AssociatedEncryptedMetadata = parse(&expected["aem"]);
        assert_eq!(aemk.seal(rpi, metadata), aem);
        assert_eq!(aemk.open_unauthenticated(rpi, aem), Ok(metadata));
    }
    Ok(())
}

fn identifiers(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let (tek, key) = key(input)?;
    let rpik = tek.rolling_proximity_identifier_key();
    assert_eq!(expected["rpik"], hex::encode(rpik.expose_bytes()));
    if let Some(aemk) = expected.get("aemk") {
        assert_eq!(aemk, &hex::encode(tek.associated_encrypted_metadata_key().expose_bytes()));
    }
    for expected in expected["observations"].as_array().unwrap() {
        let interval = ENIntervalNumber::new(number(&expected["enin"]));
        let rpi = rpik.identifier(interval);
        assert_eq!(rpi, parse(&expected["rpi"]));
        for mut day in by_every_backend(key) {
            assert_eq!(expected["inside_period"], day.any(|item| item == (interval, rpi)));
        }
    }
    Ok(())
}

/// The key's identifiers by itself, and in a batch by each backend that is available.
fn by_every_backend(key: DiagnosisKey) -> Vec<Identifiers> {
    let mut days = vec![key.identifiers()];
    for backend in Backend::all_available() {
        let mut batch = vec![Identifiers::default(); 17];
        derive_with(backend, &[key; 17], &mut batch).unwrap();
        days.extend([batch.swap_remove(16), batch.swap_remove(0)]);
    }
    days
}

/// What a published implementation computed wrongly, ours must not; what is right, it must.
fn known_mistake(input: &Value, expected: &Value) -> Result<(), &'static str> {
    for (name, value) in expected.as_object().unwrap() {
        let (name, is_wrong) =
            name.strip_prefix("wrong_").map_or((name.as_str(), false), |name| (name, true));
        if name == "matches" {
            if is_wrong {
                assert_ne!(value, &expected["matches"]);
            } else {
                matching(input, expected)?;
            }
            continue;
        }
        let computed = right_answer(name, input)?;
        assert_eq!(*value != computed, is_wrong, "{name}: {computed}");
    }
    Ok(())
}

fn right_answer(name: &str, input: &Value) -> Result<Value, &'static str> {
    let aemk = || match input.get("aemk") {
        Some(aemk) => Ok(AssociatedEncryptedMetadataKey::from_bytes(bytes(aemk).try_into().unwrap())),
        None => tek(&input["tek"]).map(|tek| tek.associated_encrypted_metadata_key()),
    };
    let rpi = || match input.get("rpi") {
        Some(rpi) => Ok(parse(rpi)),
        None => tek(&input["tek"]).map(|tek| {
            tek.rolling_proximity_identifier_key().identifier(ENIntervalNumber::new(number(&input["enin"])))
        }),
    };
    Ok(match name {
        "rpik" => json!(hex::encode(tek(&input["tek"])?.rolling_proximity_identifier_key().expose_bytes())),
        "aemk" => json!(hex::encode(aemk()?.expose_bytes())),
        // The block is not to be seen from outside; the identifier beside it is made of it.
        "padded_data" => {
            json!(format!("454e2d5250490000{:08x}{:08x}", 0, number(&input["enin"]).swap_bytes()))
        }
        "rpi" => json!(rpi()?.to_string()),
        "rpi_after_aem" => {
            let rpi: RollingProximityIdentifier = parse(&input["rpi"]);
            let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(8).unwrap());
            let aemk = TemporaryExposureKey::from_bytes([7; 16]).associated_encrypted_metadata_key();
            let sent = Advertisement::new(rpi, aemk.seal(rpi, metadata)).rpi;
            assert_eq!(sent, parse(&input["rpi"]));
            json!(sent.to_string())
        }
        "service_data" => {
            let rpi = rpi()?;
            let sent = Advertisement::new(rpi, aemk()?.seal(rpi, decode_metadata(&input["metadata"])?));
            let frame = sent.encode();
            json!(hex::encode(frame.as_ref().last_chunk::<20>().unwrap()))
        }
        "metadata" => {
            let power = TransmitPower::try_from(input["tx_power_dbm"].as_i64().unwrap()).unwrap();
            json!(hex::encode(BluetoothMetadata::v1_0(power).encode()))
        }
        "older_than_1_0" => json!(decode_metadata(&input["metadata"])?.version().major() < 1),
        "identifier_count" => json!(diagnosis_key(input)?.identifiers().count()),
        "last_rpi" => json!(diagnosis_key(input)?.identifiers().next_back().map(|(_, rpi)| rpi.to_string())),
        "live_key" => live_key(input)?,
        other => panic!("nothing to compare {other} with"),
    })
}

fn live_key(input: &Value) -> Result<Value, &'static str> {
    let keys = input["keys"].as_array().unwrap().iter().map(diagnosis_key);
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    let scheduled = keys.iter().map(|key| ScheduledKey {
        key: key.temporary_exposure_key(),
        rolling_start_interval_number: key.rolling_start_interval_number,
        rolling_period: key.rolling_period,
        handed_over: false,
    });
    let policy = SameDayPolicy::AfterMidnight;
    let mut phone = KeySchedule::restore(policy, scheduled.collect(), None, Consent::NotGiven);
    let now = UnixTime::from_secs(input["at"].as_u64().unwrap());
    let live = phone.live_key(now, &mut StdRng::seed_from_u64(0));
    Ok(json!(keys.iter().position(|key| key.key_data == *live.key.expose_bytes())))
}

fn key_life_cycle(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let mut phone = KeySchedule::new(match input["policy"].as_str().unwrap() {
        "after_midnight" => SameDayPolicy::AfterMidnight,
        "retire_early" => SameDayPolicy::RetireEarly,
        other => panic!("no policy {other}"),
    });
    let mut rng = StdRng::seed_from_u64(1);
    // Keys are numbered in the order in which answers mention them.
    let mut mentioned = Vec::new();
    let mut told = |key: &DiagnosisKey| {
        if !mentioned.contains(&key.key_data) {
            mentioned.push(key.key_data);
        }
        json!({
            "key": mentioned.iter().position(|other| *other == key.key_data),
            "rolling_start_interval_number": key.rolling_start_interval_number.get(),
            "rolling_period": key.rolling_period.get(),
        })
    };
    let mut handed_over = |keys: &[DiagnosisKey]| -> Vec<Value> {
        let told = keys.iter().map(|key| (told(key), key.embargo_end().as_secs()));
        told.map(|(mut told, embargo_end)| {
            told["embargo_end"] = json!(embargo_end);
            told
        })
        .collect()
    };
    let events = input["events"].as_array().unwrap();
    let answers = expected["answers"].as_array().unwrap();
    assert_eq!(events.len(), answers.len());
    for (event, expected) in events.iter().zip(answers) {
        let now = UnixTime::from_secs(event["at"].as_u64().unwrap());
        let answer = match event["do"].as_str().unwrap() {
            "live" => {
                let key = phone.live_key(now, &mut rng);
                let (start, period) = (key.rolling_start_interval_number, key.rolling_period);
                let mut told =
                    handed_over(&[DiagnosisKey::new(*key.key.expose_bytes(), start, period)]).remove(0);
                told.as_object_mut().unwrap().remove("embargo_end");
                told
            }
            "consent" => {
                phone.give_consent(now);
                json!({ "expires_at": phone.consent().expires_at().unwrap().as_secs() })
            }
            "withdraw" => {
                phone.withdraw_consent();
                json!({})
            }
            "restart" => {
                let (keys, day, consent) = (phone.keys().to_vec(), phone.released_on(), phone.consent());
                phone = KeySchedule::restore(phone.policy(), keys, day, consent);
                json!({})
            }
            "release" => match phone.release(now, &mut rng) {
                Ok(release) => json!({
                    "keys": handed_over(&release.keys),
                    "day_key_at": release.day_key_at.map(UnixTime::as_secs),
                }),
                Err(reason) => json!({ "refused": name_of(DayKeyError::Consent(reason)) }),
            },
            "release_day_key" => match phone.release_day_key(now) {
                Ok(keys) => json!({ "keys": handed_over(&keys) }),
                Err(DayKeyError::StillLive { until }) => {
                    json!({ "refused": "still_live", "until": until.as_secs() })
                }
                Err(reason) => json!({ "refused": name_of(reason) }),
            },
            other => panic!("no event {other}"),
        };
        assert_eq!(&answer, expected, "{event}");
    }
    Ok(())
}

fn name_of(reason: DayKeyError) -> &'static str {
    match reason {
        DayKeyError::Consent(ConsentError::NotGiven) => "consent_not_given",
        DayKeyError::Consent(ConsentError::Expired { .. }) => "consent_expired",
        DayKeyError::Consent(ConsentError::Withdrawn) => "consent_withdrawn",
        DayKeyError::NothingPending => "nothing_pending",
        DayKeyError::Forgotten { .. } => "forgotten",
        other => panic!("{other}"),
    }
}

fn ble_frame(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let decoded = match input.get("adv_data") {
        Some(frame) => Advertisement::decode(&bytes(frame)),
        None => Advertisement::from_service_data(&bytes(&input["service_data"])),
    };
    let decoded = decoded.map_err(|_| "advertisement")?;
    assert_eq!(decoded.rpi, parse(&expected["rpi"]));
    assert_eq!(decoded.aem, parse(&expected["aem"]));
    assert_eq!(decoded.flags, expected.get("flags").map(|flags| bytes(flags)[0]));
    assert_eq!(Advertisement::decode(decoded.encode().as_ref()), Ok(decoded));
    Ok(())
}

fn metadata(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let decoded = decode_metadata(&input["metadata"])?;
    let computed = json!({
        "major": decoded.version().major(),
        "minor": decoded.version().minor(),
        "calibration_confidence": decoded.calibration_confidence().map(CalibrationConfidence::number),
        "tx_power_dbm": decoded.transmit_power().dbm(),
    });
    assert_eq!(expected, &computed);
    Ok(())
}

fn attenuation(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let member = |name| i8::try_from(input[name].as_i64().unwrap()).unwrap();
    let power = TransmitPower::from_dbm(member("tx_power")).unwrap();
    let rssi = member("rssi").checked_add(member("rssi_correction")).unwrap();
    assert_eq!(expected, &Attenuation::between(power, rssi).db());
    Ok(())
}

fn matching(input: &Value, expected: &Value) -> Result<(), &'static str> {
    let mut rules = input.get("rules").map_or(Rules::SPEC, parse);
    if let Some(now) = input.get("now") {
        rules = rules.at(UnixTime::from_secs(now.as_u64().unwrap()));
    }
    let sightings = input["sightings"].as_array().unwrap().iter().map(|sighting| {
        let rssi = i8::try_from(sighting["rssi_dbm"].as_i64().unwrap()).unwrap();
        let seen_at = UnixTime::from_secs(sighting["seen_at"].as_u64().unwrap());
        Sighting::new(parse(&sighting["rpi"]), parse(&sighting["aem"]), rssi, seen_at)
    });
    let received = ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([7; 16]));
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(&read_keys(rules, &input["keys"])?);
    if let Some(revised) = input.get("revised_keys") {
        matcher.push_revised_keys(&read_keys(rules, revised)?);
    }
    let found = matcher.finish(rules);
    let sighted = |key: &DiagnosisKey, interval: ENIntervalNumber, sighting: &Sighting| {
        json!({
            "key_data": hex::encode(key.key_data),
            "interval": interval.get(),
            "rpi": sighting.rpi.to_string(),
            "seen_at": sighting.seen_at.as_secs(),
        })
    };
    let matches = found.matches.iter().map(|found| {
        let mut computed = sighted(&found.key, found.interval, &found.sighting);
        computed["tx_power_dbm"] = found.metadata.ok().map(|metadata| metadata.transmit_power().dbm()).into();
        computed["attenuation_db"] = found.attenuation.map(ComputedAttenuation::db).into();
        computed["calibration_confidence"] =
            found.calibration_confidence.map(CalibrationConfidence::number).into();
        computed["report_type"] = found.key.report_type.map(ReportType::number).into();
        computed
    });
    compare_all(matches.collect(), &expected["matches"]);
    if let Some(expected) = expected.get("dropped") {
        let dropped = found.dropped.iter().map(|dropped| {
            let mut computed = sighted(&dropped.key, dropped.interval, &dropped.sighting);
            computed["reason"] = dropped.reason.name().into();
            computed
        });
        compare_all(dropped.collect(), expected);
    }
    Ok(())
}

/// Each value is expected once, in any order; members that nobody asks for are not compared.
fn compare_all(mut computed: Vec<Value>, expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(computed.len(), expected.len(), "{computed:?}");
    for expected in expected {
        let is_same = |computed: &Value| {
            expected.as_object().unwrap().iter().all(|(member, value)| &computed[member] == value)
        };
        let Some(place) = computed.iter().position(is_same) else {
            panic!("expected {expected} of {computed:?}")
        };
        computed.swap_remove(place);
    }
}

/// The keys that rules make of what is stated.
fn read_keys(rules: Rules, stated: &Value) -> Result<Vec<DiagnosisKey>, &'static str> {
    let mut keys = Vec::new();
    for value in stated.as_array().unwrap() {
        let start = ENIntervalNumber::new(number(&value["rolling_start_interval_number"]));
        let key_data = bytes(&value["key_data"]).try_into().map_err(|_| "key_data")?;
        let mut stated = StatedKey::new(key_data, start);
        stated.rolling_period =
            value.get("rolling_period").map(|period| period.as_i64().unwrap().try_into().unwrap());
        stated.report_type =
            value.get("report_type").map(|number| ReportType::try_from(number.as_i64().unwrap()).unwrap());
        match rules.read(stated) {
            Ok(read) => keys.extend(read),
            Err(refusal) if refusal.consequence == Consequence::KeySkipped => {}
            Err(_) => return Err("rolling_period"),
        }
    }
    Ok(keys)
}

fn diagnosis_key(value: &Value) -> Result<DiagnosisKey, &'static str> {
    let start = ENIntervalNumber::new(number(&value["rolling_start_interval_number"]));
    let period = match value.get("rolling_period") {
        Some(period) => RollingPeriod::try_from(period.as_i64().unwrap()).map_err(|_| "rolling_period")?,
        None => RollingPeriod::default(),
    };
    let key_data = value.get("key_data").or_else(|| value.get("tek")).unwrap();
    let mut key = DiagnosisKey::from_slice(&bytes(key_data), start, period).map_err(|_| "key_data")?;
    key.report_type =
        value.get("report_type").map(|number| ReportType::try_from(number.as_i64().unwrap()).unwrap());
    Ok(key)
}

fn key(input: &Value) -> Result<(TemporaryExposureKey, DiagnosisKey), &'static str> {
    Ok((tek(&input["tek"])?, diagnosis_key(input)?))
}

fn tek(value: &Value) -> Result<TemporaryExposureKey, &'static str> {
    TemporaryExposureKey::try_from(bytes(value).as_slice()).map_err(|_| "key_data")
}

fn decode_metadata(value: &Value) -> Result<BluetoothMetadata, &'static str> {
    let bytes = bytes(value).try_into().map_err(|_| "metadata")?;
    BluetoothMetadata::decode(bytes).map_err(|_| "metadata")
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn parse<T: FromStr<Err: core::fmt::Debug>>(value: &Value) -> T {
    value.as_str().unwrap().parse().unwrap()
}
