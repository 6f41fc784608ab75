//! Exact numbers as people write them.

use core::str::FromStr;

use super::{Exact, ExactOverflow, mul};

impl FromStr for Exact {
    type Err = ParseExactError;

    /// Reads `12`, `-0.25`, `1e-9` and what [`Display`](core::fmt::Display) writes, `36/7`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((numerator, denominator)) => {
                let (numerator, denominator) = (parse_decimal(numerator)?, parse_decimal(denominator)?);
                if denominator == Self::ZERO {
                    return Err(ParseExactError::DenominatorZero);
                }
                Ok(numerator.checked_div(denominator)?)
            }
            None => parse_decimal(text),
        }
    }
}

/// Why a text is not an exact number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseExactError {
    /// There is no digit where a number has to begin.
    #[error("expected a decimal number, found no digit")]
    NoDigit,
    /// A character that no decimal number has there.
    #[error("expected a decimal number, found {found:?}")]
    UnexpectedCharacter {
        /// The character.
        found: char,
    },
    /// The number after `/` is 0.
    #[error("the denominator is 0")]
    DenominatorZero,
    /// More digits than fit, or an exponent outside -38 to 38.
    #[error("the number does not fit into 127 bits")]
    Overflow(#[from] ExactOverflow),
}

fn parse_decimal(text: &str) -> Result<Exact, ParseExactError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(match mantissa.chars().next() {
            Some('.') | None => ParseExactError::NoDigit,
            Some(found) => ParseExactError::UnexpectedCharacter { found },
        });
    }
    // Trailing zeros say nothing and could overflow.
    let fraction = fraction.trim_end_matches('0');
    let mut digits = 0_i128;
    for found in whole.chars().chain(fraction.chars()) {
        let digit = found.to_digit(10).ok_or(ParseExactError::UnexpectedCharacter { found })?;
        digits = mul(digits, 10)?.checked_add(digit.into()).ok_or(ExactOverflow)?;
    }
    if digits == 0 {
        return Ok(Exact::ZERO);
    }
    let places = i32::try_from(fraction.len()).map_err(|_| ExactOverflow)?;
    let power = exponent.checked_sub(places).ok_or(ExactOverflow)?;
    let scale = 10_i128.checked_pow(power.unsigned_abs()).ok_or(ExactOverflow)?;
    let signed = if negative { -digits } else { digits };
    let number =
        if power < 0 { Exact::reduced(signed, scale) } else { Exact::reduced(mul(signed, scale)?, 1) };
    Ok(number?)
}

fn parse_exponent(text: &str) -> Result<i32, ParseExactError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() {
        return Err(ParseExactError::NoDigit);
    }
    if let Some(found) = digits.chars().find(|c| !c.is_ascii_digit()) {
        return Err(ParseExactError::UnexpectedCharacter { found });
    }
    Ok(text.parse().map_err(|_| ExactOverflow)?)
}
