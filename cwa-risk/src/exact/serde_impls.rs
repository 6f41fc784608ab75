//! Exact numbers in files.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Exact;

impl Serialize for Exact {
    /// A whole number, or the nearest floating-point number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.numerator) {
            Ok(number) if self.denominator == 1 => serializer.serialize_i64(number),
            _ => serializer.serialize_f64(self.approximate()),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    /// A number, taken for its shortest decimal text, or a text as [`FromStr`](core::str::FromStr) reads it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor)
    }
}

struct ExactVisitor;

impl Visitor<'_> for ExactVisitor {
    type Value = Exact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Exact, E> {
        Ok(Exact::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Exact, E> {
        Ok(Exact::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Exact, E> {
        Exact::from_shortest_decimal(number).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
        text.parse().map_err(E::custom)
    }
}
