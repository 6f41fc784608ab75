//! Files of test vectors, in this project's format and in those that are converted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(file) = cwa_test_vectors::parse(text) else { return };
    for group in &file.test_groups {
        for test in &group.tests {
            let _ = group.resolve(&test.input);
        }
    }
});
