//! QR codes of tests.
#![no_main]

use cwa_verify::qr::PcrTestCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|url: &str| {
    if let Ok(code) = PcrTestCode::parse(url) {
        let again =
            PcrTestCode::parse(&code.expose_url()).expect("what was read is written so that it can be read");
        assert_eq!(*again.expose_url(), *code.expose_url());
    }
});
