//! The teleTAN: a code read out over the telephone.

use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// Ten characters that a health officer reads out: nine random ones (44.6 bits) and a check character.
///
/// The alphabet has 31 characters, without `0`, `1`, `I`, `L` and `O`. The check character is the first hexadecimal
/// digit of SHA-256 of the nine, in upper case, with `G` for 0 and `H` for 1; it finds 15 of 16 typing errors. A value
/// of this type has the right one. Secret: it is worth a registration token.
#[derive(Clone, ZeroizeOnDrop)]
pub struct TeleTan([u8; Self::LENGTH]);

impl TeleTan {
    /// Characters of a teleTAN.
    pub const LENGTH: usize = 10;

    /// The characters that occur in a teleTAN, in ascending order.
    pub const ALPHABET: &str = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";

    /// A new teleTAN from `rng`: every character of the alphabet is equally likely.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let alphabet = Self::ALPHABET.as_bytes();
        let mut text = [0; Self::LENGTH];
        for character in text.iter_mut().take(BODY_LENGTH) {
            // 31 of the 32 values of five random bits have a character; the other one is drawn again.
            *character = loop {
                if let Some(&drawn) = alphabet.get(rng.next_u32() as usize & 31) {
                    break drawn;
                }
            };
        }
        let [body @ .., check] = &mut text;
        *check = check_character(body);
        Self(text)
    }

    /// Reads the ten characters, strictly: upper case, no separators, the right check character.
    ///
    /// ```
    /// use cwa_verify::{TeleTan, TeleTanError};
    /// assert!(TeleTan::parse("9A3B578UMG").is_ok());
    /// assert_eq!(TeleTan::parse("9A3B578UMH").unwrap_err(), TeleTanError::CheckCharacter);
    /// assert_eq!(
    ///     TeleTan::parse("PTPHM15RP4").unwrap_err(),
    ///     TeleTanError::Character { position: 6, found: '1' },
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// In this order: a character outside the alphabet, another number of characters, another check character.
    pub fn parse(text: &str) -> Result<Self, TeleTanError> {
        Self::parse_syntax(text)?;
        let mut bytes: [u8; Self::LENGTH] =
            text.as_bytes().try_into().map_err(|_| TeleTanError::Length { got: text.len() })?;
        let [body @ .., check] = &bytes;
        if check_character(body) != *check {
            bytes.zeroize();
            return Err(TeleTanError::CheckCharacter);
        }
        Ok(Self(bytes))
    }

    /// Checks all but the check character: what the German server checks.
    ///
    /// # Errors
    ///
    /// In this order: a character outside the alphabet, another number of characters.
    pub fn parse_syntax(text: &str) -> Result<(), TeleTanError> {
        let foreign = text.chars().enumerate().find(|&(_, character)| !Self::ALPHABET.contains(character));
        if let Some((index, found)) = foreign {
            return Err(TeleTanError::Character { position: index + 1, found });
        }
        if text.len() != Self::LENGTH {
            return Err(TeleTanError::Length { got: text.len() });
        }
        Ok(())
    }

    /// Reads a teleTAN as a person types it: in either case, and with the hyphens or spaces of the grouped form.
    ///
    /// ```
    /// use cwa_verify::TeleTan;
    /// assert_eq!(*TeleTan::parse_typed("9a3 b57 8umg")?.expose_text(), *"9A3B578UMG");
    /// # Ok::<(), cwa_verify::TeleTanError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TeleTan::parse`]; positions count the characters without separators.
    pub fn parse_typed(text: &str) -> Result<Self, TeleTanError> {
        let typed = Zeroizing::new(
            text.chars()
                .filter(|character| !matches!(character, '-' | ' '))
                .map(|character| character.to_ascii_uppercase())
                .collect::<String>(),
        );
        Self::parse(&typed)
    }

    /// The check character that belongs to nine characters of the alphabet.
    ///
    /// ```
    /// use cwa_verify::TeleTan;
    /// assert_eq!(TeleTan::check_character_of("FE9A5MAK6")?, 'C');
    /// assert_eq!(TeleTan::check_character_of("FE9A5MAK9")?, 'H'); // the digit is 1
    /// assert_eq!(TeleTan::check_character_of("FE9A5MAKW")?, 'G'); // the digit is 0
    /// # Ok::<(), cwa_verify::TeleTanError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A character outside the alphabet, or another number of characters than nine.
    pub fn check_character_of(body: &str) -> Result<char, TeleTanError> {
        match Self::parse_syntax(body) {
            Err(TeleTanError::Length { got: BODY_LENGTH }) => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(TeleTanError::Length { got: body.len() }),
        }
        let body = body.as_bytes().try_into().map_err(|_| TeleTanError::Length { got: body.len() })?;
        Ok(char::from(check_character(body)))
    }

    /// The ten characters, for whoever is entitled to the teleTAN.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "parse and generate put only ASCII in"
    )]
    pub fn expose_text(&self) -> &str {
        core::str::from_utf8(&self.0).expect("characters of the alphabet")
    }

    /// The characters in groups of three, three and four, to be read out and typed: `9A3-B57-8UMG`.
    #[must_use]
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LENGTH + 2));
        for (index, character) in self.expose_text().chars().enumerate() {
            if matches!(index, 3 | 6) {
                text.push('-');
            }
            text.push(character);
        }
        text
    }
}

impl FromStr for TeleTan {
    type Err = TeleTanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for TeleTan {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for TeleTan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeleTan").finish_non_exhaustive()
    }
}

/// What a teleTAN permits; `X-CWA-TELETAN-TYPE` on the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete by the protocol, and each has its own role and lifetime"
)]
pub enum TeleTanType {
    /// Keys after a positive test; lives one hour.
    Test,
    /// Warnings of an event's visitors; lives two days, and permits no key.
    Event,
}

impl TeleTanType {
    /// `TEST` or `EVENT`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "TEST",
            Self::Event => "EVENT",
        }
    }
}

impl FromStr for TeleTanType {
    type Err = TeleTanTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "TEST" => Ok(Self::Test),
            "EVENT" => Ok(Self::Event),
            _ => Err(TeleTanTypeError),
        }
    }
}

/// Why something is not a teleTAN. Never says what the right character would have been.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TeleTanError {
    /// A character that no teleTAN contains; often a letter or digit that looks like another one.
    #[error("character {position}, {found:?}, does not occur in a teleTAN")]
    Character {
        /// Its position, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// Not ten characters.
    #[error("a teleTAN has {} characters, not {got}", TeleTan::LENGTH)]
    Length {
        /// The number of characters found.
        got: usize,
    },
    /// The last character does not fit the nine before it: at least one of the ten is wrong.
    #[error("the check character does not fit the others: at least one character is wrong")]
    CheckCharacter,
}

/// A teleTAN type other than `TEST` and `EVENT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the type of a teleTAN is TEST or EVENT")]
#[non_exhaustive]
pub struct TeleTanTypeError;

/// Characters before the check character.
const BODY_LENGTH: usize = TeleTan::LENGTH - 1;

fn check_character(body: &[u8; BODY_LENGTH]) -> u8 {
    let digest: [u8; 32] = Sha256::digest(body).into();
    match digest[0] >> 4 {
        0 => b'G',
        1 => b'H',
        digit @ 2..=9 => b'0' + digit,
        digit => b'A' + digit - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teletans_of_the_field_are_taken() {
        for text in ["9A3B578UMG", "DEU7TKSV3H", "PTPHM35RP4", "V923D59AT8", "H9NC5CQ34E", "234567893D"] {
            let tele_tan = TeleTan::parse(text).unwrap();
            assert_eq!(tele_tan.expose_text(), text);
            assert_eq!(TeleTan::parse_typed(&tele_tan.expose_grouped()).unwrap().expose_text(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, error) in [
            ("", TeleTanError::Length { got: 0 }),
            ("Q4XBJCB43", TeleTanError::Length { got: 9 }),
            ("29ABCZAE4EZ", TeleTanError::Length { got: 11 }),
            ("-1234", TeleTanError::Character { position: 1, found: '-' }),
            ("9A3B578UM0", TeleTanError::Character { position: 10, found: '0' }),
            ("29zABCA?ßö", TeleTanError::Character { position: 3, found: 'z' }),
            ("ßßßßßßßßßß", TeleTanError::Character { position: 1, found: 'ß' }),
            ("ZBYKEVDBNU", TeleTanError::CheckCharacter),
            ("DEU7TKSV32", TeleTanError::CheckCharacter),
        ] {
            assert_eq!(TeleTan::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_wrong_last_character_is_always_found() {
        for character in TeleTan::ALPHABET.chars().filter(|&character| character != 'G') {
            let text = format!("9A3B578UM{character}");
            assert_eq!(TeleTan::parse(&text).unwrap_err(), TeleTanError::CheckCharacter, "{text}");
        }
    }

    #[test]
    fn the_type_is_written_as_in_the_header() {
        for kind in [TeleTanType::Test, TeleTanType::Event] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("test".parse::<TeleTanType>(), Err(TeleTanTypeError));
    }

    #[test]
    fn debug_does_not_show_the_code() {
        insta::assert_snapshot!(format!("{:?}", TeleTan::parse("9A3B578UMG").unwrap()), @"TeleTan { .. }");
    }
}
