//! Known answers with a mistake beside them: the right one must be computed, the mistake's must not.

use cwa_crypto::schedule::{Consent, SameDayPolicy, ScheduledKey};
use cwa_crypto::{
    Advertisement, AssociatedEncryptedMetadataKey, BluetoothMetadata, DiagnosisKey, ENIntervalNumber,
    KeySchedule, RollingProximityIdentifier, TransmitPower, UnixTime,
};
use cwa_test_vectors::{Group, Test, Verdict};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::crypto::{Keys, decode_metadata, fixed, key, matching, parse, tek};
use super::{Problem, judge, member, refused, same};

pub(super) fn run(group: &Group, input: &Value, test: &Test) -> Result<(), String> {
    let result = check(group, input, &test.expected);
    // Figures that have no right answer call the mistake's an invalid one; that ours is another makes the test pass.
    if test.result == Verdict::Invalid && test.error.is_none() {
        return result.map_err(Problem::into_message);
    }
    judge(result, test)
}

fn check(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let expected: Map<String, Value> = serde_json::from_value(expected.clone()).unwrap_or_default();
    if expected.is_empty() {
        return not_an_identifier(input);
    }
    for (name, value) in &expected {
        let Some(name) = name.strip_prefix("wrong_") else {
            compare(group, name, input, value)?;
            continue;
        };
        match compare(group, name, input, value) {
            Err(Problem::Wrong(_)) => {}
            Err(refused) => return Err(refused),
            Ok(()) => {
                return Err(Problem::Wrong(format!("{name}: {value} was computed, which is the mistake")));
            }
        }
    }
    Ok(())
}

/// An identifier that the key must not be said to have.
fn not_an_identifier(input: &Value) -> Result<(), Problem> {
    let rpi = parse::<RollingProximityIdentifier>(input, "rpi")?;
    match Keys::of(&tek(input)?).rpik.interval_of(rpi) {
        None => Ok(()),
        Some(interval) => Err(Problem::Wrong(format!("{rpi} is the identifier of interval {interval}"))),
    }
}

/// Whether this is what comes out under the name.
fn compare(group: &Group, name: &str, input: &Value, value: &Value) -> Result<(), Problem> {
    if name == "matches" {
        return matching(group, input, &json!({ "matches": value }));
    }
    let computed = match name {
        "rpik" => json!(hex::encode(Keys::of(&tek(input)?).rpik.expose_bytes())),
        "aemk" => json!(hex::encode(tek(input)?.associated_encrypted_metadata_key().expose_bytes())),
        "padded_data" => {
            let interval: u32 = member(input, "enin")?;
            json!(hex::encode([b"EN-RPI\0\0\0\0\0\0".as_slice(), &interval.to_le_bytes()].concat()))
        }
        "rpi" => json!(identifier(input)?.to_string()),
        "rpi_after_aem" => json!(rpi_after_sealing(input)?.to_string()),
        "service_data" => json!(service_data(input)?),
        "metadata" => {
            let power = TransmitPower::try_from(member::<i64>(input, "tx_power_dbm")?);
            json!(hex::encode(BluetoothMetadata::v1_0(power.map_err(refused("metadata"))?).encode()))
        }
        "older_than_1_0" => json!(decode_metadata(input, "metadata")?.version().major() < 1),
        "identifier_count" => json!(key(input)?.identifiers().count()),
        "last_rpi" => json!(key(input)?.identifiers().next_back().map(|(_, rpi)| rpi.to_string())),
        "live_key" => live_key(input)?,
        other => return Err(Problem::Wrong(format!("nothing is computed to compare {other} with"))),
    };
    Ok(same(name, &computed, value)?)
}

/// The identifier that is given, or that of the key and interval.
fn identifier(input: &Value) -> Result<RollingProximityIdentifier, Problem> {
    if input.get("rpi").is_some() {
        return parse(input, "rpi");
    }
    let interval = ENIntervalNumber::new(member(input, "enin")?);
    Ok(Keys::of(&tek(input)?).rpik.identifier(interval))
}

/// Identifier and sealed metadata as they go on air.
fn service_data(input: &Value) -> Result<String, Problem> {
    let aemk = match input.get("aemk") {
        Some(_) => AssociatedEncryptedMetadataKey::from_bytes(fixed(input, "aemk")?),
        None => tek(input)?.associated_encrypted_metadata_key(),
    };
    let rpi = identifier(input)?;
    let sent = Advertisement::new(rpi, aemk.seal(rpi, decode_metadata(input, "metadata")?));
    let received = Advertisement::decode(sent.encode().as_ref()).map_err(refused("advertisement"))?;
    Ok(format!("{}{}", received.rpi, received.aem))
}

/// What is on air once metadata have been sealed for an identifier; it must not have been counted up.
fn rpi_after_sealing(input: &Value) -> Result<RollingProximityIdentifier, Problem> {
    let rpi = parse(input, "rpi")?;
    let power = TransmitPower::from_dbm(8).map_err(refused("metadata"))?;
    let aemk = AssociatedEncryptedMetadataKey::from_bytes([0; AssociatedEncryptedMetadataKey::LENGTH]);
    let sent = Advertisement::new(rpi, aemk.seal(rpi, BluetoothMetadata::v1_0(power)));
    let received = Advertisement::decode(sent.encode().as_ref()).map_err(refused("advertisement"))?;
    Ok(received.rpi)
}

/// Which of the phone's own keys is on air: its place in the list, or null.
fn live_key(input: &Value) -> Result<Value, Problem> {
    let own: Vec<DiagnosisKey> =
        member::<Vec<Value>>(input, "keys")?.iter().map(key).collect::<Result<_, _>>()?;
    let scheduled = own.iter().map(|key| ScheduledKey {
        key: key.temporary_exposure_key(),
        rolling_start_interval_number: key.rolling_start_interval_number,
        rolling_period: key.rolling_period,
        handed_over: false,
    });
    let policy = SameDayPolicy::AfterMidnight;
    let mut phone = KeySchedule::restore(policy, scheduled.collect(), None, Consent::NotGiven);
    let now = UnixTime::from_secs(member(input, "at")?);
    let live = phone.live_key(now, &mut StdRng::seed_from_u64(0));
    Ok(json!(own.iter().position(|key| key.key_data == *live.key.expose_bytes())))
}
