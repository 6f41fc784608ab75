//! ECDSA signatures in DER.
#![no_main]

use cwa_export::signature::parse_der;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(signature) = parse_der(data) {
        assert_eq!(signature.to_der().as_bytes(), data, "there is one form of each signature");
    }
});
