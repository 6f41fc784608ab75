//! Known answers of `cwa-verify`: teleTANs, hashes, QR codes, sizes of messages, the delay of answers to fakes.
//!
//! In these families the judgement stands in `expected`, so a refusal is an answer and not a failure.

use core::num::NonZeroU32;

use cwa_test_vectors::{Group, Test};
use cwa_verify::fake::MovingAverageDelay;
use cwa_verify::message::{
    RegistrationKey, RegistrationRequest, RegistrationTokenAnswer, TanAnswer, TestResultAnswer, TokenRequest,
};
use cwa_verify::qr::PcrTestCode;
use cwa_verify::{
    DateOfBirth, DateOfBirthKey, HashedGuid, LabId, RegistrationToken, Tan, TeleTan, TestId, TestResult,
};
use serde_json::{Map, Value, json};

use super::{Outcome, member, same, verification_http};

pub(super) fn run(family: &str, _group: &Group, test: &Test) -> Outcome {
    let (input, expected) = (&test.input, &test.expected);
    let computed = match family {
        "teletan.alphabet" => Ok(tele_tan_alphabet()),
        "teletan.check_digit" => check_character(input),
        "teletan.full.android" => tele_tan(input, expected, "valid"),
        "teletan.full.ios" => tele_tan(input, expected, "format_ok"),
        "teletan.server_syntax" => tele_tan(input, expected, "server_syntax_ok"),
        "hash.sha256_hex_at_rest" => sha256(input),
        "hash.dob_guid" => date_of_birth_key(input),
        "guid_hash.syntax" => syntax(input, |text| HashedGuid::parse(text).is_ok()),
        "key_dob.syntax" => syntax(input, |text| TestId::parse(text).is_ok()),
        "uuid4.syntax" => uuid4(input),
        "qr.pcr_v1" => pcr_test_code(input),
        "client.request_padding_250" => padded_request(input),
        "server.response_sizes" => response_size(input),
        "server.fake_delay_moving_average" => moving_average(input),
        "cwa.verification_http" => return verification_http::run(test),
        _ => return Outcome::NoRunner,
    };
    computed.and_then(|computed| compare(&computed, expected)).into()
}

/// Compares every member that is expected.
fn compare(computed: &Value, expected: &Value) -> Result<(), String> {
    let expected: Map<String, Value> =
        serde_json::from_value(expected.clone()).map_err(|_| "nothing is expected by name".to_owned())?;
    if expected.is_empty() {
        return Err("there is nothing to compare".to_owned());
    }
    for (name, expected) in &expected {
        match (computed.get(name), expected.as_f64()) {
            (None, _) => return Err(format!("nothing is computed to compare {name} with")),
            // Only entropies are fractions; they are published with four decimals.
            (Some(computed), Some(number)) if !expected.is_i64() && !expected.is_u64() => {
                let difference =
                    computed.as_f64().map_or(f64::INFINITY, |computed| (computed - number).abs());
                if difference > 1e-4 {
                    return Err(format!("{name}: expected {expected}, computed {computed}"));
                }
            }
            (Some(computed), _) => same(name, computed, expected)?,
        }
    }
    Ok(())
}

fn tele_tan_alphabet() -> Value {
    let (size, body) = (TeleTan::ALPHABET.len() as u64, TeleTan::LENGTH - 1);
    let space = (0..body).fold(1_u64, |space, _| space.saturating_mul(size));
    #[expect(clippy::cast_precision_loss, reason = "compared to four decimals")]
    let bits = (space as f64).log2();
    json!({
        "alphabet": TeleTan::ALPHABET, "size": size, "body_len": body, "check_len": TeleTan::LENGTH - body,
        "body_entropy_bits": bits, "space": space,
    })
}

fn check_character(input: &Value) -> Result<Value, String> {
    let body: String = member(input, "body")?;
    let check = TeleTan::check_character_of(&body).map_err(|error| error.to_string())?;
    Ok(json!({ "check": check.to_string() }))
}

/// `judged` is the member that says whether the text is accepted; an app accepts what is right, a server what looks right.
fn tele_tan(input: &Value, expected: &Value, judged: &str) -> Result<Value, String> {
    let text: String = member(input, "teletan")?;
    let (well_formed, right) = (TeleTan::parse_syntax(&text).is_ok(), TeleTan::parse(&text).is_ok());
    let mut computed = json!({ "checksum_ok": right });
    if let Some(members) = computed.as_object_mut() {
        members.insert(judged.to_owned(), json!(if judged == "valid" { right } else { well_formed }));
        // In the app's words, of which only that there are some can be compared.
        if let (false, Some(reason)) = (right, expected.get("reason")) {
            members.insert("reason".to_owned(), reason.clone());
        }
    }
    Ok(computed)
}

fn sha256(input: &Value) -> Result<Value, String> {
    let text: String = member(input, "input")?;
    Ok(json!({ "sha256": *HashedGuid::of_text(&text).expose_hex() }))
}

fn date_of_birth_key(input: &Value) -> Result<Value, String> {
    let guid: String = member(input, "guid")?;
    let date: DateOfBirth =
        member::<String>(input, "dob")?.parse().map_err(|_| "member \"dob\" is no date".to_owned())?;
    Ok(json!({ "key_dob": *DateOfBirthKey::of_text(&guid, date).expose_text() }))
}

fn syntax(input: &Value, is_valid: impl Fn(&str) -> bool) -> Result<Value, String> {
    Ok(json!({ "valid": is_valid(&member::<String>(input, "input")?) }))
}

fn uuid4(input: &Value) -> Result<Value, String> {
    let text: String = member(input, "input")?;
    let (token, tan) = (RegistrationToken::parse(&text).is_ok(), Tan::parse(&text).is_ok());
    same("whether a TAN and a registration token look alike", &tan, &token)?;
    Ok(json!({ "valid": tan }))
}

fn pcr_test_code(input: &Value) -> Result<Value, String> {
    Ok(match PcrTestCode::parse(&member::<String>(input, "qr")?) {
        Err(_) => json!({ "valid": false }),
        Ok(code) => json!({
            "valid": true, "guid": code.guid().expose_text(), "guid_sha256": *code.guid().hash().expose_hex(),
        }),
    })
}

fn padded_request(input: &Value) -> Result<Value, String> {
    use rand::SeedableRng as _;
    let mut rng = rand::rngs::StdRng::seed_from_u64(0);
    let request: String = member(input, "request")?;
    let words = request.to_lowercase();
    let guid = "123456-12345678-1234-4DA7-B166-B86D85475064";
    let body = if words.contains("teletan") {
        RegistrationRequest::encode(&RegistrationKey::TeleTan(TeleTan::generate(&mut rng)), &mut rng)
    } else if words.contains("guid") {
        let date = DateOfBirth::new(1970, 1, 1).map_err(|error| error.to_string())?;
        let date = TestId::DateOfBirth(DateOfBirthKey::of_text(guid, date));
        let date_of_birth = words.contains("dob").then_some(date);
        RegistrationRequest::encode(
            &RegistrationKey::Test { guid: HashedGuid::of_text(guid), date_of_birth },
            &mut rng,
        )
    } else if words.starts_with("testresult") || words.starts_with("tan") {
        TokenRequest::encode(&RegistrationToken::generate(&mut rng), &mut rng)
    } else {
        return Err(format!("no request is known by the name {request}"));
    };
    let message: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let padding = member::<String>(&message, "requestPadding")?.len();
    Ok(
        json!({ "padding": padding, "body_bytes": body.len(), "expected_body_bytes": cwa_verify::message::BODY_BYTES }),
    )
}

/// The size of an answer as the German server sent it: our members, padded by its constant number of characters.
fn response_size(input: &Value) -> Result<Value, String> {
    use rand::SeedableRng as _;
    let rng = &mut rand::rngs::StdRng::seed_from_u64(0);
    let response: String = member(input, "response")?;
    let words = response.to_lowercase();
    let says = |words_of: &[&str]| words_of.iter().any(|word| words.contains(word));
    if says(&["error"]) {
        return Ok(json!({ "json_bytes": 0 }));
    }
    let name = words.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let (body, padding) = match name {
        "registrationtoken" => {
            (RegistrationTokenAnswer::new(RegistrationToken::generate(rng)).encode(rng), 1)
        }
        "tan" => (TanAnswer::new(Tan::generate(rng)).encode(rng), 15),
        "testresult" => {
            let sampled = cwa_crypto::UnixTime::from_secs(1_595_426_400);
            // The name of a laboratory has 64 characters unless the words say another number.
            let length = words.split("labid").nth(1).and_then(|rest| {
                rest.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse().ok())
            });
            let named = says(&["labid"]) && !says(&["no sc", "no labid", "without labid"]);
            let lab_id = LabId::parse(&"l".repeat(length.unwrap_or(LabId::MAX_LENGTH)));
            let lab_id = lab_id.ok().filter(|_| named);
            let mut answer = TestResultAnswer::new(TestResult::Positive, sampled, lab_id);
            if says(&["no sc", "without sc"]) {
                answer.sample_collected_at = None;
            }
            (answer.encode(rng), 45)
        }
        _ => return Err(format!("no answer is known by the name {response}")),
    };
    let mut message: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    message.remove("responsePadding");
    // Old clients, which send no such header, get no padding to registration and TAN.
    if !(says(&["without cwa-fake", "no cwa-fake"]) && name != "testresult") {
        message.insert("responsePadding".to_owned(), json!("p".repeat(padding)));
    }
    Ok(json!({ "json_bytes": Value::Object(message).to_string().len() }))
}

fn moving_average(input: &Value) -> Result<Value, String> {
    let samples: NonZeroU32 = member(input, "samples")?;
    let mut delay = MovingAverageDelay::new(member(input, "initial")?, samples);
    delay.record(member(input, "real")?);
    Ok(json!({ "expected_ms": delay.milliseconds() }))
}
