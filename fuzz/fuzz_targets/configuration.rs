//! Application configurations, v1 and v2.
#![no_main]

use cwa_export::configuration::{Configuration, ConfigurationV1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(configuration) = Configuration::decode(data) else { return };
    assert!(!data.starts_with(b"EK Export"), "an export is not taken for a configuration");
    let parameters = configuration.lint();
    assert!(Configuration::lint_content(data).is_ok_and(|all| all.ends_with(&parameters)));
    if let Configuration::V1(read) = configuration {
        // What has hardly anything in it is recognised as no kind at all, once unknown fields are left out.
        if let Ok(again) = ConfigurationV1::decode(&read.encode()) {
            assert_eq!(again.encode(), read.encode());
        }
    }
});
