//! Known answers of `cwa-crypto`: key schedule, advertisements, metadata, attenuation, matching.

use core::fmt::Display;

use cwa_crypto::matching::{
    Consequence, Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StatedKey, StoreKey,
};
use cwa_crypto::metadata::CalibrationConfidence;
use cwa_crypto::{
    Advertisement, AssociatedEncryptedMetadata, AssociatedEncryptedMetadataKey, Attenuation,
    BluetoothMetadata, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod, RollingProximityIdentifier,
    RollingProximityIdentifierKey, TemporaryExposureKey, TransmitPower, UnixTime,
};
use cwa_test_vectors::{Group, Test};
use serde_json::{Map, Value};

use super::{
    Outcome, Problem, bytes, judge, key_life_cycle, known_mistakes, member, optional, refused, same,
};
use crate::commands::match_::{FoundDrop, FoundMatch};

pub(super) fn run(family: &str, group: &Group, test: &Test) -> Outcome {
    let Some(input) = group.resolve(&test.input) else {
        return Outcome::Failed("the input refers to nothing in the group".to_owned());
    };
    let expected = &test.expected;
    let result = match family {
        "gaen.key_schedule" => key_schedule(input, expected),
        "gaen.identifiers" => identifiers(input, expected),
        "gaen.known_mistakes" => return known_mistakes::run(group, input, test).into(),
        "gaen.key_life_cycle" => key_life_cycle::run(input, expected),
        "gaen.ble_frame" => ble_frame(input, expected),
        "gaen.metadata" => metadata(input, expected),
        "gaen.matching" => matching(group, input, expected),
        "attenuation" => attenuation(input, expected),
        _ => return Outcome::NoRunner,
    };
    judge(result, test).into()
}

fn key_schedule(input: &Value, expected: &Value) -> Result<(), Problem> {
    let key = key(input)?;
    if let Some(seconds) = optional(input, "unix_time_s")? {
        let interval = ENIntervalNumber::at(UnixTime::from_secs(seconds));
        same("interval of unix_time_s", &interval, &key.rolling_start_interval_number)?;
    }
    let keys = Keys::of(&key.temporary_exposure_key());
    keys.compare(expected)?;
    let intervals: Vec<Value> = member(expected, "intervals")?;
    if intervals.is_empty() {
        return Err(Problem::Wrong("there is no interval to compare".to_owned()));
    }
    for expected in &intervals {
        let interval = ENIntervalNumber::new(member(expected, "enin")?);
        let derived = key.identifiers().find(|(derived, _)| *derived == interval);
        let (_, rpi) = derived.ok_or_else(|| format!("interval {interval} is not one of the key's"))?;
        keys.observe(interval, rpi, expected, input)?;
    }
    Ok(())
}

fn identifiers(input: &Value, expected: &Value) -> Result<(), Problem> {
    // Some published answers start from the identifier key.
    let keys = match optional::<String>(input, "tek")? {
        Some(_) => Keys::of(&tek(input)?),
        None => {
            Keys { rpik: RollingProximityIdentifierKey::from_bytes(fixed(expected, "rpik")?), aemk: None }
        }
    };
    let key = if input.get("rolling_start_interval_number").is_some() { Some(key(input)?) } else { None };
    keys.compare(expected)?;
    let mut compared = expected.get("rpik").is_some() || expected.get("aemk").is_some();
    for observation in optional::<Vec<Value>>(expected, "observations")?.unwrap_or_default() {
        let interval = ENIntervalNumber::new(member(&observation, "enin")?);
        let rpi = keys.rpik.identifier(interval);
        keys.observe(interval, rpi, &observation, input)?;
        if let Some(inside) = optional(&observation, "inside_period")? {
            let key = key.ok_or_else(|| "inside_period of a key without a start".to_owned())?;
            let is_inside = key.identifiers().any(|item| item == (interval, rpi));
            same(&format!("inside_period of interval {interval}"), &is_inside, &inside)?;
        }
        compared = true;
    }
    if compared { Ok(()) } else { Err(Problem::Wrong("there is nothing to compare".to_owned())) }
}

fn ble_frame(input: &Value, expected: &Value) -> Result<(), Problem> {
    let decoded = if input.get("adv_data").is_some() {
        Advertisement::decode(&bytes(input, "adv_data")?)
    } else {
        Advertisement::from_service_data(&bytes(input, "service_data")?)
    };
    let decoded = decoded.map_err(refused("advertisement"))?;
    same("rpi", &decoded.rpi, &parse(expected, "rpi")?)?;
    same("aem", &decoded.aem, &parse(expected, "aem")?)?;
    let flags = optional::<String>(expected, "flags")?;
    same("flags", &decoded.flags.map(|flags| format!("{flags:02x}")), &flags)?;
    if let Some(uuid) = optional::<String>(expected, "service_uuid16")? {
        same("service_uuid16", &format!("{:04x}", Advertisement::SERVICE_UUID), &uuid)?;
    }
    Ok(())
}

fn metadata(input: &Value, expected: &Value) -> Result<(), Problem> {
    let decoded = decode_metadata(input, "metadata")?;
    same("major", &decoded.version().major(), &member(expected, "major")?)?;
    same("minor", &decoded.version().minor(), &member(expected, "minor")?)?;
    let confidence = decoded.calibration_confidence().map(CalibrationConfidence::number);
    same("calibration_confidence", &confidence, &optional(expected, "calibration_confidence")?)?;
    same("tx_power_dbm", &decoded.transmit_power().dbm(), &member(expected, "tx_power_dbm")?)?;
    Ok(())
}

fn attenuation(input: &Value, expected: &Value) -> Result<(), Problem> {
    let power = TransmitPower::try_from(member::<i64>(input, "tx_power")?).map_err(refused("metadata"))?;
    let rssi = member::<i16>(input, "rssi")? + optional::<i16>(input, "rssi_correction")?.unwrap_or(0);
    let rssi = i8::try_from(rssi).map_err(|_| format!("{rssi} dBm is no received signal strength"))?;
    let computed = Value::from(Attenuation::between(power, rssi).db());
    Ok(same("attenuation", &computed, expected)?)
}

pub(super) fn matching(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let rules = group.data.get("rules").or_else(|| input.get("rules")).and_then(Value::as_str);
    let rules: Rules = rules.unwrap_or(Rules::SPEC.name()).parse().map_err(refused("rules"))?;
    let rules = match optional(input, "now")? {
        Some(now) => rules.at(UnixTime::from_secs(now)),
        None => rules,
    };
    let keys = read_keys(rules, &member::<Vec<Value>>(input, "keys")?)?;
    let revised = read_keys(rules, &optional::<Vec<Value>>(input, "revised_keys")?.unwrap_or_default())?;
    let sightings: Vec<Sighting> = member(input, "sightings")?;
    // Not secret: vectors flood nothing.
    let received = ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([0; 16]));
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(&keys);
    matcher.push_revised_keys(&revised);
    let found = matcher.finish(rules);
    same_set("match", found.matches.iter().map(FoundMatch::from), &member::<Vec<_>>(expected, "matches")?)?;
    if let Some(dropped) = optional::<Vec<_>>(expected, "dropped")? {
        same_set("drop", found.dropped.iter().map(FoundDrop::from), &dropped)?;
    }
    Ok(())
}

/// Compares what was found with what is expected, each once, in any order. Members that the vector does not speak of
/// are not compared.
fn same_set(
    what: &str,
    found: impl Iterator<Item = impl serde::Serialize>,
    expected: &[Map<String, Value>],
) -> Result<(), Problem> {
    let mut left = Vec::new();
    for found in found {
        left.push(serde_json::to_value(found).map_err(|error| error.to_string())?);
    }
    same(&format!("number of: {what}"), &left.len(), &expected.len())?;
    for expected in expected {
        let is_same = |found: &Value| expected.iter().all(|(name, value)| found.get(name) == Some(value));
        let Some(place) = left.iter().position(is_same) else {
            let (expected, left) = (Value::from(expected.clone()), Value::from(left));
            return Err(Problem::Wrong(format!("expected the {what} {expected}, computed {left}")));
        };
        left.swap_remove(place);
    }
    Ok(())
}

/// The keys that rules make of what is stated.
fn read_keys(rules: Rules, stated: &[Value]) -> Result<Vec<DiagnosisKey>, Problem> {
    let mut keys = Vec::new();
    for value in stated {
        let start = ENIntervalNumber::new(member(value, "rolling_start_interval_number")?);
        let key_data = bytes(value, "key_data")?;
        let key = DiagnosisKey::from_slice(&key_data, start, RollingPeriod::default());
        let mut stated = StatedKey::new(key.map_err(refused("key_data"))?.key_data, start);
        stated.rolling_period = optional(value, "rolling_period")?;
        if let Some(number) = optional::<i64>(value, "report_type")? {
            stated.report_type = Some(ReportType::try_from(number).map_err(refused("report_type"))?);
        }
        match rules.read(stated) {
            Ok(read) => keys.extend(read),
            Err(refusal) if refusal.consequence == Consequence::KeySkipped => {}
            Err(refusal) => return Err(refused("rolling_period")(refusal)),
        }
    }
    Ok(keys)
}

/// The keys of a day, as far as they are known.
pub(super) struct Keys {
    pub(super) rpik: RollingProximityIdentifierKey,
    aemk: Option<AssociatedEncryptedMetadataKey>,
}

impl Keys {
    pub(super) fn of(tek: &TemporaryExposureKey) -> Self {
        Self {
            rpik: tek.rolling_proximity_identifier_key(),
            aemk: Some(tek.associated_encrypted_metadata_key()),
        }
    }

    /// Compares those of `rpik` and `aemk` that are given.
    fn compare(&self, expected: &Value) -> Result<(), Problem> {
        if expected.get("rpik").is_some() {
            same("rpik", &hex::encode(self.rpik.expose_bytes()), &member(expected, "rpik")?)?;
        }
        if let Some(aemk) = optional::<String>(expected, "aemk")? {
            let computed =
                self.aemk.as_ref().ok_or_else(|| "an AEMK without a key to derive it from".to_owned())?;
            same("aemk", &hex::encode(computed.expose_bytes()), &aemk)?;
        }
        Ok(())
    }

    /// Compares what is told of one interval: its identifier, and what was encrypted beside it.
    fn observe(
        &self,
        interval: ENIntervalNumber,
        rpi: RollingProximityIdentifier,
        expected: &Value,
        input: &Value,
    ) -> Result<(), Problem> {
        let of = |what: &str| format!("{what} of interval {interval}");
        same(&of("rpi"), &rpi, &parse(expected, "rpi")?)?;
        same(&of("interval decrypted from the rpi"), &self.rpik.interval_of(rpi), &Some(interval))?;
        if let Some(padded_data) = optional::<String>(expected, "padded_data")? {
            let computed = [b"EN-RPI\0\0\0\0\0\0".as_slice(), &interval.get().to_le_bytes()].concat();
            same(&of("padded_data"), &hex::encode(computed), &padded_data)?;
        }
        let Some(aem) = optional::<String>(expected, "aem")? else { return Ok(()) };
        let aemk = self.aemk.as_ref().ok_or_else(|| "an AEM without a key to derive it from".to_owned())?;
        let given = if expected.get("metadata").is_some() { expected } else { input };
        let metadata = decode_metadata(given, "metadata")?;
        let raw = fixed(given, "metadata")?;
        let sealed = AssociatedEncryptedMetadata::from_bytes(xor(aemk.keystream(rpi), raw));
        same(&of("aem"), &sealed.to_string(), &aem)?;
        let opened = aemk.open_unauthenticated(rpi, sealed).map_err(refused("metadata"))?;
        same(&of("metadata decrypted from the aem"), &opened, &metadata)?;
        // Reserved bits are never sent: such metadata can be received only.
        if metadata.encode() == raw {
            same(&of("sealed metadata"), &aemk.seal(rpi, metadata), &sealed)?;
        }
        if let Some(rssi) = optional::<i8>(expected, "rssi")? {
            let attenuation = Attenuation::between(metadata.transmit_power(), rssi).db();
            same(&of("attenuation"), &attenuation, &member(expected, "attenuation")?)?;
        }
        Ok(())
    }
}

fn xor(a: [u8; 4], b: [u8; 4]) -> [u8; 4] {
    (u32::from_be_bytes(a) ^ u32::from_be_bytes(b)).to_be_bytes()
}

/// A key with its schedule; `tek` or `key_data`.
pub(super) fn key(value: &Value) -> Result<DiagnosisKey, Problem> {
    let start = ENIntervalNumber::new(member(value, "rolling_start_interval_number")?);
    let period = match optional::<i64>(value, "rolling_period")? {
        Some(number) => RollingPeriod::try_from(number).map_err(refused("rolling_period"))?,
        None => RollingPeriod::default(),
    };
    let key_data = bytes(value, if value.get("tek").is_some() { "tek" } else { "key_data" })?;
    let mut key = DiagnosisKey::from_slice(&key_data, start, period).map_err(refused("key_data"))?;
    if let Some(number) = optional::<i64>(value, "report_type")? {
        key.report_type = Some(ReportType::try_from(number).map_err(refused("report_type"))?);
    }
    Ok(key)
}

pub(super) fn tek(input: &Value) -> Result<TemporaryExposureKey, Problem> {
    TemporaryExposureKey::try_from(bytes(input, "tek")?.as_slice()).map_err(refused("key_data"))
}

pub(super) fn decode_metadata(value: &Value, name: &str) -> Result<BluetoothMetadata, Problem> {
    let bytes = bytes(value, name)?;
    let length = bytes.len();
    let bytes = bytes.try_into().map_err(|_| Problem::Refused {
        layer: "metadata",
        message: format!("must be {} bytes, not {length}", BluetoothMetadata::LENGTH),
    })?;
    BluetoothMetadata::decode(bytes).map_err(refused("metadata"))
}

pub(super) fn parse<T: core::str::FromStr<Err: Display>>(value: &Value, name: &str) -> Result<T, Problem> {
    let text: String = member(value, name)?;
    Ok(text.parse().map_err(|error| format!("member \"{name}\": {error}"))?)
}

pub(super) fn fixed<const N: usize>(value: &Value, name: &str) -> Result<[u8; N], Problem> {
    let bytes = bytes(value, name)?;
    let length = bytes.len();
    Ok(bytes.try_into().map_err(|_| format!("member \"{name}\" has {length} bytes, not {N}"))?)
}
