//! `export.sig`, read by this project's reader and by prost.
#![no_main]

use cwa_export::TrustStore;
use cwa_export::UnverifiedContent;
use cwa_export::reader::ReadError;
use cwa_export::verify::{ParseSignedContentError, Profile, VerifyError};
use cwa_export::{MAX_SIGNATURE_BYTES, ParseSignatureListError};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

/// The format's messages, written down anew.
#[derive(prost::Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    signatures: Vec<Signature>,
}

#[derive(prost::Message)]
struct Signature {
    #[prost(message, optional, tag = "1")]
    signature_info: Option<Info>,
    #[prost(int32, optional, tag = "2")]
    batch_num: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    batch_size: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    signature: Option<Vec<u8>>,
}

#[derive(prost::Message)]
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

/// Whether this project's reader is stricter on purpose: size, number, groups, long texts.
fn is_stricter(error: &ParseSignedContentError) -> bool {
    match error {
        ParseSignedContentError::SignatureList(
            ParseSignatureListError::TooMany | ParseSignatureListError::TooLarge { .. },
        ) => true,
        ParseSignedContentError::SignatureList(
            ParseSignatureListError::Message(reason) | ParseSignatureListError::Signature { reason, .. },
        ) => matches!(reason, ReadError::Group { .. } | ReadError::TextLength { .. }),
        _ => false,
    }
}

fuzz_target!(|export_sig: &[u8]| {
    let theirs = List::decode(export_sig);
    match UnverifiedContent::parse(b"content that nobody signed", export_sig) {
        Ok(ours) => {
            assert!(export_sig.len() <= MAX_SIGNATURE_BYTES);
            let theirs = theirs.expect("prost reads what is read here");
            let ids: Vec<_> =
                ours.claimed_signature_infos().map(|info| info.verification_key_id.clone()).collect();
            let expected: Vec<_> = theirs
                .signatures
                .iter()
                .filter_map(|signature| signature.signature_info.as_ref())
                .map(|info| info.verification_key_id.clone())
                .collect();
            // An info that stands twice in a signature is joined by prost; here the last one counts, and verifying refuses.
            if theirs.encoded_len() == export_sig.len() {
                assert_eq!(ids, expected);
            }
            let verified = ours.verify_as(&TrustStore::built_in_with_samples(), Profile::Lenient);
            assert!(
                matches!(
                    verified,
                    Err(VerifyError::NoTrustedKey
                        | VerifyError::SignatureMismatch
                        | VerifyError::Refused { .. })
                ),
                "nobody signed it"
            );
        }
        Err(error) => {
            assert!(theirs.is_err() || is_stricter(&error), "prost reads it, and here it is {error:?}")
        }
    }
});
