//! Project Wycheproof's signatures of the curve P-256 with SHA-256: what is valid verifies, and nothing else does.
//!
//! They ask for DER, and so does this crate. None of them is `acceptable`: those in BER, which some libraries take, are
//! `invalid`, and [`DerError`] says which rule each one breaks.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;

use cwa_export::finding::Code;
use cwa_export::p256::ecdsa::Signature;
use cwa_export::signature::{DerError, ECDSA_P256_SHA256, parse_der};
use cwa_export::verify::VerifyError;
use cwa_export::{TrustStore, TrustedKey, UnverifiedContent};
use sha2::{Digest as _, Sha256};
use wycheproof::TestResult;
use wycheproof::ecdsa::{Test, TestName, TestSet};

/// Every test of a set, with its key.
fn tests(name: TestName) -> Vec<(TrustedKey, Test)> {
    let set = TestSet::load(name).unwrap();
    let tests: Vec<_> = set
        .test_groups
        .into_iter()
        .flat_map(|group| {
            let key = TrustedKey::from_pem("wycheproof", &group.pem).unwrap();
            group.tests.into_iter().map(move |test| (key.clone(), test))
        })
        .collect();
    assert_eq!(tests.len(), set.number_of_tests);
    tests
}

fn part(field: u8, content: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    prost::encoding::encode_varint(content.len() as u64, &mut length);
    [&[field << 3 | 2], length.as_slice(), content].concat()
}

/// An `export.sig` with this signature.
fn export_sig(signature: &[u8]) -> Vec<u8> {
    let info = part(1, &part(5, ECDSA_P256_SHA256.as_bytes()));
    part(1, &[info, part(4, signature)].concat())
}

#[test]
fn signatures_in_der_are_verified_as_wycheproof_says() {
    let mut refused_by = BTreeMap::<&str, usize>::new();
    let mut verified = 0;
    for (key, test) in tests(TestName::EcdsaSecp256r1Sha256) {
        let about = format!("tc{}: {}", test.tc_id, test.comment);
        let export_sig = export_sig(&test.sig);
        let trusted = TrustStore::from_iter([key]);
        let outcome = UnverifiedContent::parse(&test.msg, &export_sig).unwrap().verify(&trusted);
        match test.result {
            TestResult::Valid => {
                assert!(outcome.is_ok(), "{about}: {outcome:?}");
                verified += 1;
            }
            TestResult::Invalid => {
                let encoding = parse_der(&test.sig);
                match (outcome.unwrap_err(), encoding) {
                    (VerifyError::SignatureMismatch, Ok(_)) => {}
                    (VerifyError::Refused { findings }, Err(_))
                        if findings.iter().all(|finding| {
                            matches!(finding.code, Code::SignatureEncoding | Code::SignatureMismatch)
                        }) => {}
                    (error, encoding) => panic!("{about}: {error:?}, {encoding:?}"),
                }
                *refused_by.entry(rule(encoding)).or_default() += 1;
            }
            TestResult::Acceptable => panic!("{about}: there was none when this was written"),
        }
    }
    assert_eq!(verified, 174);
    insta::assert_debug_snapshot!(refused_by, @r#"
    {
        "not a signature of the message": 23,
        "not minimal": 2,
        "out of range": 92,
        "structure": 181,
        "trailing bytes": 12,
    }
    "#);
}

/// The rule that refuses, or the signature itself.
const fn rule(encoding: Result<Signature, DerError>) -> &'static str {
    match encoding {
        Ok(_) => "not a signature of the message",
        Err(DerError::Raw) => "raw",
        Err(DerError::Structure) => "structure",
        Err(DerError::Trailing { .. }) => "trailing bytes",
        Err(DerError::NotMinimal) => "not minimal",
        Err(DerError::OutOfRange) => "out of range",
        Err(_) => "another rule",
    }
}

#[test]
fn raw_signatures_are_never_taken_for_der_and_verify_once_they_are_read_as_raw() {
    let mut verified = 0;
    for (key, test) in tests(TestName::EcdsaSecp256r1Sha256P1363) {
        let about = format!("tc{}: {}", test.tc_id, test.comment);
        assert!(parse_der(&test.sig).is_err(), "{about}");
        // As the lenient profile reads them.
        let raw = Signature::from_slice(&test.sig);
        let is_valid = raw.is_ok_and(|raw| key.verifies(&Sha256::digest(&test.msg).into(), &raw));
        assert_eq!(is_valid, test.result == TestResult::Valid, "{about}");
        if is_valid {
            assert_eq!(parse_der(&test.sig), Err(DerError::Raw), "{about}");
            verified += 1;
        }
    }
    assert_eq!(verified, 173);
}
