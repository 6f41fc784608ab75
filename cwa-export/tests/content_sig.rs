//! `content.sig` as OpenSSL makes it (`tests/data/content_sig/make`).
#![cfg(feature = "cms")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it must be")]

use cwa_export::cms::{CertificateError, CmsError, SignerCertificate};
use proptest::prelude::*;

const CONTENT: &[u8] = include_bytes!("data/content_sig/content.bin");

const RSA: &str = include_str!("data/content_sig/rsa.pem");
const EC: &str = include_str!("data/content_sig/ec.pem");

const BY_RSA: [&[u8]; 3] = [
    include_bytes!("data/content_sig/rsa.sig"),
    include_bytes!("data/content_sig/rsa-plain.sig"),
    include_bytes!("data/content_sig/rsa-sha512.sig"),
];
const BY_EC: [&[u8]; 3] = [
    include_bytes!("data/content_sig/ec.sig"),
    include_bytes!("data/content_sig/ec-plain.sig"),
    include_bytes!("data/content_sig/ec-sha512.sig"),
];

fn signers() -> [(SignerCertificate, SignerCertificate, [&'static [u8]; 3]); 2] {
    let certificate = |pem| SignerCertificate::from_pem("signer.pem", pem).unwrap();
    [(certificate(RSA), certificate(EC), BY_RSA), (certificate(EC), certificate(RSA), BY_EC)]
}

#[test]
fn what_openssl_signs_verifies_under_its_signers_certificate_and_no_other() {
    for (signer, other, signatures) in signers() {
        for signature in signatures {
            assert_eq!(signer.verify(signature, CONTENT), Ok(()), "{}", signer.subject());
            assert_eq!(other.verify(signature, CONTENT), Err(CmsError::OtherSigner));
        }
    }
}

#[test]
fn no_other_content_verifies() {
    for (signer, _, [attributes, plain, sha512]) in signers() {
        let other = [CONTENT, b"\n"].concat();
        assert_eq!(signer.verify(attributes, &other), Err(CmsError::OtherContent));
        assert_eq!(signer.verify(plain, &other), Err(CmsError::SignatureMismatch));
        assert_eq!(signer.verify(sha512, &[]), Err(CmsError::OtherContent));
    }
}

#[test]
fn no_signature_that_is_cut_short_or_prolonged_verifies() {
    for (signer, _, signatures) in signers() {
        for signature in signatures {
            for length in 0..signature.len() {
                assert_eq!(
                    signer.verify(&signature[..length], CONTENT),
                    Err(CmsError::Malformed),
                    "{length}"
                );
            }
            assert_eq!(signer.verify(&[signature, b"\0"].concat(), CONTENT), Err(CmsError::Malformed));
        }
        let max = SignerCertificate::MAX_SIGNATURE;
        let long = CmsError::TooLong { length: max + 1, max };
        assert_eq!(signer.verify(&vec![0x30; max + 1], CONTENT), Err(long));
    }
}

#[test]
fn certificates_have_their_names_and_texts_without_one_are_told() {
    let [(rsa, ..), (ec, ..)] = signers();
    assert_eq!((rsa.id(), ec.id()), ("signer.pem", "signer.pem"));
    assert!(rsa.subject().contains("CN=rsa") && ec.subject().contains("CN=ec"));
    // What openssl writes above a block does not matter.
    SignerCertificate::from_pem("signer.pem", &format!("subject=C = NL\n{RSA}{EC}")).unwrap();
    for (text, error) in [
        ("", CertificateError::NotPem),
        ("-----BEGIN CERTIFICATE-----\nMII", CertificateError::NotPem),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", CertificateError::Malformed),
    ] {
        assert_eq!(SignerCertificate::from_pem("signer.pem", text).unwrap_err(), error, "{text:?}");
    }
    assert_eq!(SignerCertificate::from_der("signer.der", &[]).unwrap_err(), CertificateError::Malformed);
}

proptest! {
    /// Bits that nothing signs may change; whatever changes, the signature is right for this content only.
    #[test]
    fn a_changed_signature_never_panics_and_never_verifies_other_content(
        at in any::<prop::sample::Index>(), bits in 1_u8.., which in 0_usize..6,
    ) {
        let signers = signers();
        let (signer, _, signatures) = &signers[which % 2];
        let mut signature = signatures[which / 2].to_vec();
        let at = at.index(signature.len());
        signature[at] ^= bits;
        let _ = signer.verify(&signature, CONTENT);
        prop_assert!(signer.verify(&signature, b"other content").is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let [(signer, ..), _] = signers();
        prop_assert!(signer.verify(&bytes, CONTENT).is_err());
        prop_assert!(SignerCertificate::from_der("any", &bytes).is_err());
    }
}
