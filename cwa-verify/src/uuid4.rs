//! The syntax that registration tokens and TANs share: a version 4 UUID in lower case.

use core::fmt::Write as _;

use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

/// Characters of the text form, `8-4-4-4-12`.
pub(crate) const TEXT_LENGTH: usize = 36;

/// Not a version 4 UUID in the form that the German verification server takes.
///
/// `^[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89aAbB][a-f0-9]{3}-[a-f0-9]{12}$`: lower case, but for the variant digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Uuid4Error {
    /// Not 36 characters.
    #[error("a version 4 UUID has {TEXT_LENGTH} characters, not {got}")]
    Length {
        /// The number of characters found.
        got: usize,
    },
    /// A character that may not stand where it does: no hyphen, no lower-case digit, another version or variant.
    #[error("character {position} does not belong there in a lower-case version 4 UUID")]
    Character {
        /// Its position, counted from 1.
        position: usize,
    },
}

/// 16 bytes of a UUID, of which 122 bits are free.
pub(crate) fn parse(text: &str) -> Result<[u8; 16], Uuid4Error> {
    let length = text.chars().count();
    if length != TEXT_LENGTH {
        return Err(Uuid4Error::Length { got: length });
    }
    let mut bytes = [0; 16];
    let mut digits = 0_usize;
    for (index, character) in text.chars().enumerate() {
        let wrong = Uuid4Error::Character { position: index + 1 };
        let fits = match index {
            8 | 13 | 18 | 23 => {
                if character == '-' {
                    continue;
                }
                false
            }
            14 => character == '4',
            19 => matches!(character, '8' | '9' | 'a' | 'b' | 'A' | 'B'),
            _ => matches!(character, '0'..='9' | 'a'..='f'),
        };
        let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (true, Some(digit), Some(byte)) = (fits, digit, bytes.get_mut(digits / 2)) else {
            bytes.zeroize();
            return Err(wrong);
        };
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    Ok(bytes)
}

/// The text form, lower case throughout.
pub(crate) fn text(bytes: &[u8; 16]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TEXT_LENGTH));
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A UUID with 122 random bits.
pub(crate) fn random(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    stamp(bytes)
}

/// A UUID from the first half of the output of a pseudo-random function.
pub(crate) fn from_prf(output: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(output) {
        *to = *from;
    }
    stamp(bytes)
}

// RFC 9562, section 5.4: the version is the high half of byte 6, the variant the two high bits of byte 8.
const fn stamp(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_version_4_is_taken_but_for_the_variant_digit() {
        assert_eq!(
            parse("1819d933-45f6-4e3c-80c7-eeffd2d44ee6").map(|bytes| text(&bytes).to_string()),
            Ok("1819d933-45f6-4e3c-80c7-eeffd2d44ee6".to_owned())
        );
        // The phones' constant dummy tokens.
        assert!(parse("11111111-2222-4444-8888-161616161616").is_ok());
        assert!(parse("63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f").is_ok());
        for (wrong, position) in [
            ("1819D933-45f6-4e3c-80c7-eeffd2d44ee6", 5),
            ("1ea6ce8a-9740-11ea-bb37-0242ac130002", 15),
            ("1819d933-45f6-4e3c-70c7-eeffd2d44ee6", 20),
            ("1819d933045f6-4e3c-80c7-eeffd2d44ee6", 9),
            ("1819d93345f6-4e3c-80c7-eeffd2d44ee6-", 9),
            ("1819d933-45f6-4e3c-80c7-eeffd2d44ee\n", 36),
            ("1819d933-45f6-4e3c-80c7-eeffd2d44eeß", 36),
        ] {
            assert_eq!(parse(wrong), Err(Uuid4Error::Character { position }), "{wrong}");
        }
        for (wrong, got) in [("", 0), ("1234567890", 10), ("1819d933-45f6-4e3c-80c7-eeffd2d44ee6\n", 37)] {
            assert_eq!(parse(wrong), Err(Uuid4Error::Length { got }), "{wrong}");
        }
    }

    #[test]
    fn the_variant_digit_in_upper_case_is_the_same_uuid() {
        assert_eq!(
            parse("1819d933-45f6-4e3c-A0c7-eeffd2d44ee6"),
            parse("1819d933-45f6-4e3c-a0c7-eeffd2d44ee6")
        );
    }

    #[test]
    fn whatever_the_function_gives_becomes_a_version_4_uuid() {
        for byte in 0..=255 {
            let bytes = from_prf(&[byte; 32]);
            assert_eq!(parse(&text(&bytes)), Ok(bytes));
        }
    }
}
