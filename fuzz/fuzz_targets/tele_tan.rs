//! teleTANs, as stored and as typed.
#![no_main]

use cwa_verify::TeleTan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(tele_tan) = TeleTan::parse(text) {
        assert_eq!(tele_tan.expose_text(), text, "there is one strict form");
        assert!(TeleTan::parse_typed(text).is_ok(), "what is strictly right may be typed");
    }
    if let Ok(typed) = TeleTan::parse_typed(text) {
        assert!(TeleTan::parse(typed.expose_text()).is_ok(), "what was typed is right once it is read");
        assert!(TeleTan::parse_typed(&typed.expose_grouped()).is_ok(), "the form that is shown may be typed");
    }
    let _ = TeleTan::check_character_of(text);
});
