//! CMS signatures: `content.sig` of Dutch archives, and certificates.
#![no_main]

use std::sync::LazyLock;

use cwa_export::cms::SignerCertificate;
use libfuzzer_sys::fuzz_target;

static SIGNERS: LazyLock<[SignerCertificate; 2]> = LazyLock::new(|| {
    [
        include_str!("../../cwa-export/tests/data/content_sig/rsa.pem"),
        include_str!("../../cwa-export/tests/data/content_sig/ec.pem"),
    ]
    .map(|pem| SignerCertificate::from_pem("signer.pem", pem).expect("OpenSSL made it"))
});

fuzz_target!(|data: &[u8]| {
    for signer in &*SIGNERS {
        assert!(signer.verify(data, b"content that nobody signed").is_err());
    }
    let _ = SignerCertificate::from_der("any", data).map(|certificate| certificate.subject());
});
