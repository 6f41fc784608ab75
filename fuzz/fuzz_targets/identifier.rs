//! GUIDs, hashes of tests, registration tokens, TANs, in their text forms.
#![no_main]

use cwa_verify::{Guid, HashedGuid, RegistrationToken, Tan, TestId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(guid) = Guid::parse(text) {
        assert_eq!(guid.expose_text(), text, "the case of a GUID is kept");
        assert!(TestId::parse(&guid.hash().expose_hex()).is_ok());
    }
    if let Ok(hash) = HashedGuid::parse(text) {
        assert_eq!(*hash.expose_hex(), text.to_ascii_lowercase());
    }
    if let Ok(test) = TestId::parse(text) {
        let shown = test.expose_text();
        let again = TestId::parse(&shown).expect("what was read is written so that it can be read");
        assert_eq!(*again.expose_text(), *shown);
    }
    if let Ok(token) = RegistrationToken::parse(text) {
        assert_eq!(*token.expose_text(), text.to_ascii_lowercase());
    }
    if let Ok(tan) = Tan::parse(text) {
        assert_eq!(*tan.expose_text(), text.to_ascii_lowercase());
    }
});
