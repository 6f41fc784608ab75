//! Bluetooth advertising data, and the service data alone.
#![no_main]

use cwa_crypto::Advertisement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = Advertisement::decode(data) {
        assert_eq!(
            Advertisement::decode(read.encode().as_ref()),
            Ok(read),
            "what was read is written and read again"
        );
    }
    if let Ok(read) = Advertisement::from_service_data(data) {
        assert_eq!(read.service_data(), data, "service data are these bytes and no others");
    }
});
