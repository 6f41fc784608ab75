//! The message behind the header of an `export.bin`, read by this project's reader and by prost.
#![no_main]

use cwa_crypto::UnixTime;
use cwa_export::UnverifiedExport;
use cwa_export::content::ParseContentError;
use cwa_export::key::RawKey;
use cwa_export::reader::ReadError;
use cwa_export::signature::SignatureInfo;
use cwa_export::verify::ParseExportError;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

/// The format's messages, written down anew.
#[derive(PartialEq, prost::Message)]
struct Export {
    #[prost(fixed64, optional, tag = "1")]
    start_timestamp: Option<u64>,
    #[prost(fixed64, optional, tag = "2")]
    end_timestamp: Option<u64>,
    #[prost(string, optional, tag = "3")]
    region: Option<String>,
    #[prost(int32, optional, tag = "4")]
    batch_num: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    batch_size: Option<i32>,
    #[prost(message, repeated, tag = "6")]
    signature_infos: Vec<Info>,
    #[prost(message, repeated, tag = "7")]
    keys: Vec<Key>,
    #[prost(message, repeated, tag = "8")]
    revised_keys: Vec<Key>,
}

#[derive(PartialEq, prost::Message)]
struct Info {
    #[prost(string, optional, tag = "1")]
    app_bundle_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    android_package: Option<String>,
    #[prost(string, optional, tag = "3")]
    verification_key_version: Option<String>,
    #[prost(string, optional, tag = "4")]
    verification_key_id: Option<String>,
    #[prost(string, optional, tag = "5")]
    signature_algorithm: Option<String>,
}

#[derive(PartialEq, prost::Message)]
struct Key {
    #[prost(bytes = "vec", optional, tag = "1")]
    key_data: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "2")]
    transmission_risk_level: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    rolling_start_interval_number: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    rolling_period: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    report_type: Option<i32>,
    #[prost(sint32, optional, tag = "6")]
    days_since_onset_of_symptoms: Option<i32>,
    #[prost(int32, optional, tag = "8")]
    variant_of_concern: Option<i32>,
}

fn info(info: &SignatureInfo) -> Info {
    Info {
        app_bundle_id: info.app_bundle_id.clone(),
        android_package: info.android_package.clone(),
        verification_key_version: info.verification_key_version.clone(),
        verification_key_id: info.verification_key_id.clone(),
        signature_algorithm: info.signature_algorithm.clone(),
    }
}

fn key(raw: RawKey<'_>) -> Key {
    Key {
        key_data: raw.key_data.map(<[u8]>::to_vec),
        transmission_risk_level: raw.transmission_risk_level,
        rolling_start_interval_number: raw.rolling_start_interval_number,
        rolling_period: raw.rolling_period,
        report_type: raw.report_type,
        days_since_onset_of_symptoms: raw.days_since_onset_of_symptoms,
        variant_of_concern: raw.variant_of_concern,
    }
}

/// Whether this project's reader is stricter on purpose: groups, long texts, many infos.
fn is_stricter(error: &ParseExportError) -> bool {
    let ParseExportError::Content(error) = error else { return false };
    let of_message =
        |reason: &ReadError| matches!(reason, ReadError::Group { .. } | ReadError::TextLength { .. });
    match error {
        ParseContentError::Message(reason)
        | ParseContentError::Key { reason, .. }
        | ParseContentError::SignatureInfo { reason, .. } => of_message(reason),
        ParseContentError::TooManySignatureInfos => true,
        _ => false,
    }
}

fuzz_target!(|message: &[u8]| {
    let export_bin = [b"EK Export v1    ", message].concat();
    let theirs = Export::decode(message);
    match UnverifiedExport::parse(&export_bin, &[]) {
        Ok(ours) => {
            let ours = ours.danger_accept_unverified();
            let read = Export {
                start_timestamp: ours.start_timestamp().map(UnixTime::as_secs),
                end_timestamp: ours.end_timestamp().map(UnixTime::as_secs),
                region: ours.region().map(Into::into),
                batch_num: ours.batch_num(),
                batch_size: ours.batch_size(),
                signature_infos: ours.signature_infos().iter().map(info).collect(),
                keys: ours.raw_keys().map(key).collect(),
                revised_keys: ours.raw_revised_keys().map(key).collect(),
            };
            assert_eq!(theirs.as_ref(), Ok(&read), "prost reads the same");
            assert_eq!(read.keys.len(), ours.key_count());
            // What has nothing unusual about it is written again as it was; the order of fields may be another.
            if ours.anomalies() == Default::default() {
                assert_eq!(read.encoded_len(), message.len(), "presence is kept");
            }
        }
        Err(error) => {
            assert!(theirs.is_err() || is_stricter(&error), "prost reads it, and here it is {error:?}")
        }
    }
});
