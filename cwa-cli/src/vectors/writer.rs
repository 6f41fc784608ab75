//! Known answers of `cwa-export` for publishers: padding, order, several files of one, signatures made elsewhere.

use core::convert::Infallible;

use cwa_crypto::UnixTime;
use cwa_export::content::ParseContentError;
use cwa_export::key::RawKey;
use cwa_export::padding::PaddingPolicy;
use cwa_export::signature::{SignatureForm, parse_der_or_raw};
use cwa_export::split::SplitLimits;
use cwa_export::{
    AttachError, Export, ExportKey, OfferedSignature, SignatureInfo, TrustedKey, UnsignedExport, cwa_hash,
};
use cwa_test_vectors::{Group, Test};
use rand::{TryCryptoRng, TryRng};
use serde_json::Value;

use super::export::{describe, key_of};
use super::{Outcome, Problem, bytes, judge, member, optional, refused, same};

pub(super) fn run(family: &str, _: &Group, test: &Test) -> Outcome {
    let (input, expected) = (&test.input, &test.expected);
    let result = match family {
        "export.split" => split(input, expected),
        "export.padding" => padding(input, expected),
        "export.order" => order(input, expected),
        "export.cwa_hash" => hash(input, expected),
        "export.attach" => attach(input, expected),
        _ => return Outcome::NoRunner,
    };
    judge(result, test).into()
}

fn split(input: &Value, expected: &Value) -> Result<(), Problem> {
    let time = |name| Ok::<_, String>(optional(input, name)?.map(UnixTime::from_secs));
    let mut export = Export::default();
    export.start_timestamp = time("start_timestamp")?;
    export.end_timestamp = time("end_timestamp")?;
    export.region = optional(input, "region")?;
    export.batch_num = optional(input, "batch_num")?;
    export.batch_size = optional(input, "batch_size")?;
    export.keys = keys(input, "keys")?;
    export.revised_keys = keys(input, "revised_keys")?;
    let infos: Vec<Value> = member(input, "signature_infos")?;
    let infos = infos.iter().map(signature_info).collect::<Result<Vec<_>, _>>()?;
    let limits = SplitLimits { max_keys: member(input, "max_keys")?, ..SplitLimits::NONE };
    let parts = export.split(&limits, &infos).map_err(refused("split"))?;

    let files: Vec<Value> = member(expected, "files")?;
    same("files", &parts.len(), &files.len())?;
    for (number, (part, file)) in (1..).zip(parts.iter().zip(&files)) {
        let end = part.end_timestamp.map(UnixTime::as_secs);
        same(&format!("end of file {number}"), &end, &optional(file, "end_timestamp")?)?;
        same(
            &format!("file {number}"),
            &hex::encode(part.encode(&infos)),
            &member::<String>(file, "export_bin")?,
        )?;
    }
    Ok(())
}

fn padding(input: &Value, expected: &Value) -> Result<(), Problem> {
    let policy: Value = member(input, "policy")?;
    let policy = match optional(&policy, "multiplier")? {
        Some(each) => PaddingPolicy::Multiplier(each),
        None => {
            PaddingPolicy::Minimum { keys: member(&policy, "minimum")?, range: member(&policy, "range")? }
        }
    };
    let mut given = GivenBytes::of(input)?;
    let padding = policy.padding(&keys(input, "keys")?, &mut given);
    given.all_taken()?;
    Ok(same("padding", &padding.iter().map(key_of).collect(), &member::<Vec<Value>>(expected, "padding")?)?)
}

fn order(input: &Value, expected: &Value) -> Result<(), Problem> {
    let mut export = Export::default();
    export.keys = keys(input, "keys")?;
    let mut given = GivenBytes::of(input)?;
    match member::<String>(input, "order")?.as_str() {
        "sorted" => export.sort(),
        "shuffled" => export.shuffle(&mut given),
        other => return Err(format!("there is no order {other:?}").into()),
    }
    given.all_taken()?;
    Ok(same("keys", &export.keys.iter().map(key_of).collect(), &member::<Vec<Value>>(expected, "keys")?)?)
}

fn hash(input: &Value, expected: &Value) -> Result<(), Problem> {
    let hash = hex::encode(cwa_hash(&bytes(input, "export_bin")?));
    Ok(same("cwa_hash", &hash, &member(expected, "cwa_hash")?)?)
}

fn attach(input: &Value, expected: &Value) -> Result<(), Problem> {
    let unsigned = UnsignedExport::parse(bytes(input, "export_bin")?).map_err(|error| {
        let layer = if matches!(error, ParseContentError::Header(_)) { "header" } else { "payload" };
        Problem::Refused { layer, message: describe(&error) }
    })?;
    let signatures: Vec<String> = member(input, "signatures")?;
    let pems: Vec<String> = member(input, "public_key_pems")?;
    same("number of public keys", &pems.len(), &signatures.len())?;
    let (mut offered, mut forms) = (Vec::new(), Vec::new());
    for (signature, pem) in signatures.iter().zip(&pems) {
        let signature = hex::decode(signature).map_err(|error| error.to_string())?;
        let (signature, form) = parse_der_or_raw(&signature).map_err(refused("signature"))?;
        let key = TrustedKey::from_pem("vectors", pem).map_err(refused("public_key"))?;
        offered.push(OfferedSignature { signature, verifying_key: key.verifying_key });
        forms.push(match form {
            SignatureForm::Der => "der",
            SignatureForm::Raw => "raw",
        });
    }
    let signed = unsigned.attach(&offered).map_err(|error| {
        let layer =
            if matches!(error, AttachError::Mismatch { .. }) { "signature" } else { "signature_list" };
        Problem::Refused { layer, message: error.to_string() }
    })?;
    if expected.is_null() {
        return Ok(());
    }
    same("export_sig", &hex::encode(&signed.export_sig), &member(expected, "export_sig")?)?;
    let expected: Vec<String> = member(expected, "forms")?;
    Ok(same("forms", &forms, &expected.iter().map(String::as_str).collect())?)
}

fn keys(input: &Value, name: &str) -> Result<Vec<ExportKey>, String> {
    let keys: Vec<Value> = member(input, name)?;
    let key = |key: &Value| {
        let data = bytes(key, "key_data")?;
        let mut raw = RawKey::default();
        raw.key_data = Some(&data);
        raw.transmission_risk_level = optional(key, "transmission_risk_level")?;
        raw.rolling_start_interval_number = optional(key, "rolling_start_interval_number")?;
        raw.rolling_period = optional(key, "rolling_period")?;
        raw.report_type = optional(key, "report_type")?;
        raw.days_since_onset_of_symptoms = optional(key, "days_since_onset_of_symptoms")?;
        raw.variant_of_concern = optional(key, "variant_of_concern")?;
        ExportKey::try_from(raw).map_err(|error| error.to_string())
    };
    keys.iter().map(key).collect()
}

fn signature_info(value: &Value) -> Result<SignatureInfo, String> {
    let mut info = SignatureInfo::default();
    info.app_bundle_id = optional(value, "app_bundle_id")?;
    info.android_package = optional(value, "android_package")?;
    info.verification_key_version = optional(value, "verification_key_version")?;
    info.verification_key_id = optional(value, "verification_key_id")?;
    info.signature_algorithm = optional(value, "signature_algorithm")?;
    Ok(info)
}

/// The random bytes of a test, in their order.
struct GivenBytes {
    bytes: Vec<u8>,
    taken: usize,
}

impl GivenBytes {
    fn of(input: &Value) -> Result<Self, String> {
        Ok(Self { bytes: bytes(input, "random")?, taken: 0 })
    }

    fn all_taken(&self) -> Result<(), String> {
        same("random bytes taken", &self.taken, &self.bytes.len())
    }

    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut next = [0; N];
        let Ok(()) = self.try_fill_bytes(&mut next);
        next
    }
}

impl TryRng for GivenBytes {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.next()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.next()))
    }

    /// Where there are no more, zeros, which [`all_taken`](Self::all_taken) tells.
    fn try_fill_bytes(&mut self, place: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.bytes.iter().skip(self.taken);
        place.fill(0);
        place.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        self.taken += place.len();
        Ok(())
    }
}

impl TryCryptoRng for GivenBytes {}
