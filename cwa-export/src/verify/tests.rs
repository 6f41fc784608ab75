use std::collections::BTreeMap;

use cwa_crypto::{ENIntervalNumber, RollingPeriod, UnixTime};
use p256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::export::{Export, SignedFiles};
use crate::finding::Code;
use crate::signature::{self, ECDSA_P256_SHA256};
use crate::signature::{Signer, SoftwareSigner};
use crate::trust::Environment;

const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn signer(seed: u8) -> SoftwareSigner {
    let info = SignatureInfo::new("262", "v9").with_app_bundle_id("org.example.en");
    SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), info)
}

fn store(seeds: &[u8]) -> TrustStore {
    seeds
        .iter()
        .map(|seed| TrustedKey::given(format!("key {seed}"), *signer(*seed).verifying_key()))
        .collect()
}

fn key(id: u8) -> DiagnosisKey {
    let start = ENIntervalNumber::at(START.minus(3 * 86_400));
    DiagnosisKey::new([id; 16], start, RollingPeriod::FULL_DAY)
}

fn files(signers: &[&dyn Signer]) -> SignedFiles {
    Export::new(START, START.plus(3600), "DE", vec![key(1).into(), key(2).into()]).sign(signers).unwrap()
}

fn verify<'a>(bin: &'a [u8], sig: &'a [u8], trusted: &TrustStore) -> Result<VerifiedExport<'a>, VerifyError> {
    UnverifiedExport::parse(bin, sig).unwrap().verify(trusted)
}

fn codes(error: VerifyError) -> Vec<Code> {
    match error {
        VerifyError::Refused { findings } => findings.iter().map(|finding| finding.code).collect(),
        VerifyError::NoTrustedKey => vec![Code::NoTrustedKey],
        VerifyError::SignatureMismatch => vec![Code::SignatureMismatch],
        VerifyError::NotCosigned => vec![Code::NotCosigned],
    }
}

#[test]
fn keys_come_out_of_an_export_that_a_trusted_key_signed() {
    let files = files(&[&signer(7)]);
    let verified = verify(&files.export_bin, &files.export_sig, &store(&[7])).unwrap();
    assert_eq!(verified.keys().collect::<Vec<_>>(), [key(1), key(2)]);
    assert_eq!(verified.signed_by().key.id, "key 7");
    assert_eq!(verified.content().region(), Some("DE"));
}

#[test]
fn no_single_flipped_bit_in_either_file_is_accepted() {
    let SignedFiles { export_bin, export_sig } = files(&[&signer(7)]);
    let store = store(&[7]);
    let accepted = |bin: &[u8], sig: &[u8]| {
        UnverifiedExport::parse(bin, sig).is_ok_and(|export| export.verify(&store).is_ok())
    };
    let flip = |bytes: &[u8], bit: usize| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    assert!(accepted(&export_bin, &export_sig));
    for bit in 0..export_bin.len() * 8 {
        assert!(!accepted(&flip(&export_bin, bit), &export_sig), "bit {bit} of export.bin");
    }
    for bit in 0..export_sig.len() * 8 {
        assert!(!accepted(&export_bin, &flip(&export_sig, bit)), "bit {bit} of export.sig");
    }
}

#[test]
fn of_two_signatures_the_one_with_a_trusted_key_counts_and_the_other_is_named() {
    let files = files(&[&signer(8), &signer(7)]);
    let verified = verify(&files.export_bin, &files.export_sig, &store(&[7, 8])).unwrap();
    assert_eq!(verified.signed_by().key.id, "key 8");

    // Whoever holds one of the two keys goes on verifying while the publisher moves from the one to the other.
    for environment in [Environment::Production, Environment::Given] {
        let mut key = TrustedKey::given("seven", *signer(7).verifying_key());
        key.environment = environment;
        let only_seven: TrustStore = [key].into_iter().collect();
        let verified = verify(&files.export_bin, &files.export_sig, &only_seven).unwrap();
        assert_eq!(verified.signed_by().key.id, "seven");
        let codes: Vec<_> = verified.signed_by().findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&Code::SignatureNotChecked));
    }
}

#[test]
fn two_signatures_under_one_name_are_refused_and_no_flipped_bit_makes_them_so() {
    let versioned = |seed, version: &str| {
        SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), SignatureInfo::new("262", version))
    };
    // "2" and "3" differ in one bit.
    let files = files(&[&versioned(7, "v2"), &versioned(8, "v3")]);
    let store = store(&[7, 8]);
    let accepted = |sig: &[u8]| {
        UnverifiedExport::parse(&files.export_bin, sig).is_ok_and(|export| export.verify(&store).is_ok())
    };
    assert!(accepted(&files.export_sig));
    for bit in 0..files.export_sig.len() * 8 {
        let mut flipped = files.export_sig.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepted(&flipped), "bit {bit} of export.sig");
    }
}

#[test]
fn a_named_key_that_did_not_sign_refuses_even_beside_a_good_signature() {
    let named = |seed, version: &str| {
        let info = SignatureInfo::new("262", version).with_app_bundle_id("org.example.en");
        SoftwareSigner::new(SigningKey::from_slice(&[seed; 32]).unwrap(), info)
    };
    let files = files(&[&named(8, "v8"), &named(7, "v7")]);
    let trusted = |seed: u8, version: &str| {
        let mut key = TrustedKey::given(version, *signer(seed).verifying_key());
        key.environment = Environment::Production;
        key.packages = vec!["org.example.en".into()];
        key.verification_key_id = Some("262".into());
        key.verification_key_version = Some(version.into());
        key
    };
    let store: TrustStore = [trusted(8, "v8"), trusted(7, "v7")].into_iter().collect();
    assert!(verify(&files.export_bin, &files.export_sig, &store).is_ok());
    let store: TrustStore = [trusted(8, "v8"), trusted(9, "v7")].into_iter().collect();
    let error = verify(&files.export_bin, &files.export_sig, &store).unwrap_err();
    assert_eq!(error, VerifyError::SignatureMismatch);
}

#[test]
fn nobody_trusted_and_a_wrong_signature_are_told_apart() {
    let files = files(&[&signer(7)]);
    let built_in = TrustStore::built_in();
    let error = verify(&files.export_bin, &files.export_sig, &built_in).unwrap_err();
    assert_eq!(error, VerifyError::NoTrustedKey);
    let error = verify(&files.export_bin, &files.export_sig, &store(&[8])).unwrap_err();
    assert_eq!(error, VerifyError::SignatureMismatch);
}

#[test]
fn the_id_and_version_of_a_trusted_key_for_another_app_name_nobody() {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let signed_as = |info| {
        let signer = SoftwareSigner::new(key.clone(), info);
        let files = files(&[&signer]);
        verify(&files.export_bin, &files.export_sig, &TrustStore::built_in()).unwrap_err()
    };
    let german = SignatureInfo::new("262", "v1");
    assert_eq!(signed_as(german.clone()), VerifyError::SignatureMismatch);
    assert_eq!(
        signed_as(german.clone().with_app_bundle_id("de.rki.coronawarnapp")),
        VerifyError::SignatureMismatch
    );
    assert_eq!(signed_as(german.with_app_bundle_id("org.example")), VerifyError::NoTrustedKey);
}

#[test]
fn a_key_that_was_found_without_its_app_is_told_with_a_warning() {
    use crate::finding::Severity;
    let of = |package: &str| {
        let info = SignatureInfo::new("262", "v1").with_app_bundle_id(package);
        let signer = SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), info.clone());
        let mut key = TrustedKey::given("known", *signer.verifying_key());
        key.environment = Environment::Production;
        key.packages = vec!["org.example.en".into()];
        (key.verification_key_id, key.verification_key_version) =
            (info.verification_key_id, info.verification_key_version);
        let files = files(&[&signer]);
        let verified = verify(&files.export_bin, &files.export_sig, &TrustStore::from_iter([key])).unwrap();
        let found = verified.signed_by().findings.iter().find(|found| found.code == Code::KeyLookUp).unwrap();
        (verified.signed_by().look_up, found.severity)
    };
    assert_eq!(of("org.example.en"), (LookUp::PackageIdVersion, Severity::Note));
    assert_eq!(of("org.example.other"), (LookUp::IdVersion, Severity::Warning));
}

#[test]
fn a_signature_with_another_name_or_batch_is_refused_strictly_and_accepted_leniently() {
    let content = files(&[&signer(7)]).export_bin;
    let other_name =
        SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("1", "v1"));
    let renamed = signature::sign(&content, &[&other_name]).unwrap();
    let other_batch = signature::sign_batch(&content, &[&signer(7)], Some(1), Some(2)).unwrap();
    let no_batch = signature::sign_batch(&content, &[&signer(7)], None, None).unwrap();
    for (sig, expected) in [
        (renamed, vec![Code::SignatureInfoMismatch]),
        (other_batch, vec![Code::SignatureBatch]),
        (no_batch, vec![Code::SignatureBatch, Code::SignatureBatch]),
    ] {
        assert_eq!(codes(verify(&content, &sig, &store(&[7])).unwrap_err()), expected);
        let lenient =
            UnverifiedExport::parse(&content, &sig).unwrap().verify_as(&store(&[7]), Profile::Lenient);
        assert!(lenient.is_ok());
    }
}

#[test]
fn raw_signatures_and_early_infos_pass_leniently_only() {
    use prost::Message as _;
    let infos = [SignatureInfo {
        app_bundle_id: Some("de.rki.coronawarnapp-dev".into()),
        android_package: Some("v1".into()),
        verification_key_version: Some("262".into()),
        verification_key_id: Some(ECDSA_P256_SHA256.into()),
        signature_algorithm: None,
    }];
    let content = Export::new(START, START.plus(3600), "DE", vec![]).encode(&infos);
    let raw = signer(7).sign_digest(&signature::digest(&content)).unwrap().to_bytes().to_vec();
    let sig = crate::wire::export::TekSignatureList {
        signatures: vec![crate::wire::export::TekSignature {
            signature_info: Some(infos[0].to_wire()),
            batch_num: Some(1),
            batch_size: Some(1),
            signature: Some(raw),
        }],
    }
    .encode_to_vec();
    let error = verify(&content, &sig, &store(&[7])).unwrap_err();
    assert_eq!(codes(error), [Code::LegacySignatureInfo, Code::SignatureEncoding]);
    let lenient = UnverifiedExport::parse(&content, &sig).unwrap().verify_as(&store(&[7]), Profile::Lenient);
    assert_eq!(lenient.unwrap().signed_by().key.id, "key 7");
}

#[test]
fn an_empty_signature_list_verifies_nothing() {
    let content = Export::new(START, START.plus(3600), "DE", vec![]).encode(&[]);
    for profile in Profile::ALL {
        let error =
            UnverifiedExport::parse(&content, b"").unwrap().verify_as(&store(&[7]), *profile).unwrap_err();
        assert_eq!(codes(error), [Code::Unsigned]);
    }
}

#[test]
fn configuration_is_never_taken_for_keys_nor_keys_for_configuration() {
    let signed = SignedFiles::sign_content(vec![8, 11], &[&signer(7)]).unwrap();
    assert!(UnverifiedExport::parse(&signed.export_bin, &signed.export_sig).is_err());
    let content = UnverifiedContent::parse(&signed.export_bin, &signed.export_sig).unwrap();
    assert_eq!(content.verify(&store(&[7])).unwrap().bytes(), [8, 11]);
    let keys = files(&[&signer(7)]);
    assert_eq!(
        UnverifiedContent::parse(&keys.export_bin, &keys.export_sig).unwrap_err(),
        ParseSignedContentError::IsExport
    );
}

proptest! {
    /// Few different halves, so that keys share the first, or the second, or both.
    #[test]
    fn exactly_the_keys_that_occur_more_than_once_are_named_in_whatever_order_they_stand(
        halves in proptest::collection::vec((0..4_u8, 0..4_u8), 0..12),
        revised in 0..4_usize,
        is_sorted in any::<bool>(),
    ) {
        let mut halves = halves;
        if is_sorted {
            halves.sort_unstable();
        }
        let mut key_data: Vec<[u8; 16]> =
            halves.iter().map(|&(first, second)| [[first; 8], [second; 8]].concat().try_into().unwrap()).collect();
        let mut times = BTreeMap::new();
        for key_data in &key_data {
            *times.entry(hex::encode(key_data)).or_insert(0) += 1;
        }
        let key = |key_data| DiagnosisKey::new(key_data, ENIntervalNumber::new(144), RollingPeriod::FULL_DAY).into();
        let revised = key_data.split_off(key_data.len().saturating_sub(revised));
        let mut export = Export::new(START, START.plus(3600), "DE", Vec::new());
        export.keys = key_data.into_iter().map(key).collect();
        export.revised_keys = revised.into_iter().map(key).collect();
        let files = export.sign(&[&signer(7)]).unwrap();

        let refused = match verify(&files.export_bin, &files.export_sig, &store(&[7])) {
            Ok(_) => Vec::new(),
            Err(VerifyError::Refused { findings }) => findings,
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert!(refused.iter().all(|finding| finding.code == Code::DuplicateKey));
        let named: Vec<_> = refused.iter().map(|finding| finding.message.clone()).collect();
        let repeated = times.iter().filter(|(_, times)| **times > 1);
        let expected: Vec<_> = repeated.map(|(key, _)| format!("key {key} occurs more than once")).collect();
        prop_assert_eq!(named, expected);
    }
}

#[test]
fn keys_come_out_of_a_cosigned_export_only_if_all_have_signed() {
    let files = files(&[&signer(7), &signer(8)]);
    let cosigned = |trusted: &[u8], policy: &str| {
        let verified = verify(&files.export_bin, &files.export_sig, &store(trusted)).unwrap();
        verified.cosigned(&policy.parse().unwrap()).map(|verified| verified.keys().count())
    };
    assert_eq!(cosigned(&[7, 8], "key 7+key 8"), Ok(2));
    assert_eq!(cosigned(&[7, 8], "key 9,key 8"), Ok(2));
    assert_eq!(cosigned(&[7, 8], "key 7+key 9"), Err(VerifyError::NotCosigned));
}
