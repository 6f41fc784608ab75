//! Names of countries, as paths, regions and uploads have them.

use core::fmt;
use core::str::FromStr;

/// A country, two capital letters (ISO 3166-1 alpha-2), or a region of three such as `EUR`, under which the German
/// server published the keys of all countries together.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Country([u8; 3]);

impl Country {
    /// Germany.
    pub const GERMANY: Self = Self(*b"DE\0");

    /// The countries that exchanged keys through the European federation gateway.
    pub const FEDERATED: [Self; 21] = [
        Self(*b"AT\0"),
        Self(*b"BE\0"),
        Self(*b"CH\0"),
        Self(*b"CY\0"),
        Self(*b"CZ\0"),
        Self(*b"DE\0"),
        Self(*b"DK\0"),
        Self(*b"EE\0"),
        Self(*b"ES\0"),
        Self(*b"FI\0"),
        Self(*b"FR\0"),
        Self(*b"HR\0"),
        Self(*b"IE\0"),
        Self(*b"IT\0"),
        Self(*b"LT\0"),
        Self(*b"LV\0"),
        Self(*b"MT\0"),
        Self(*b"NL\0"),
        Self(*b"NO\0"),
        Self(*b"PL\0"),
        Self(*b"SI\0"),
    ];
}

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_uppercase);
        match *text.as_bytes() {
            [a, b] if letters(&[a, b]) => Ok(Self([a, b, 0])),
            [a, b, c] if letters(&[a, b, c]) => Ok(Self([a, b, c])),
            _ => Err(CountryError { length: text.len() }),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.into_iter().filter(|letter| *letter != 0) {
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

/// Not two or three capital letters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a country is two or three capital letters; this text of {length} bytes is not")]
#[non_exhaustive]
pub struct CountryError {
    /// Length of the text found, in bytes.
    pub length: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_two_or_three_capital_letters() {
        for text in ["DE", "EUR"] {
            assert_eq!(text.parse::<Country>().unwrap().to_string(), text);
        }
        for text in ["", "D", "de", "D1", "EURO", "Ä", "..", "D/"] {
            assert_eq!(text.parse::<Country>(), Err(CountryError { length: text.len() }));
        }
    }
}
