//! Exact numbers that are not below 0.

use core::fmt;
use core::str::FromStr;

use super::{Exact, ParseExactError};

/// An exact number that is not below 0: a weight, a time, a score.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Exact", into = "Exact")
)]
pub struct NonNegative(Exact);

impl NonNegative {
    /// 0.
    pub const ZERO: Self = Self(Exact::ZERO);

    /// The number.
    #[must_use]
    pub const fn get(self) -> Exact {
        self.0
    }

    /// The minutes that whole seconds are.
    pub(crate) fn sixtieth(seconds: u64) -> Self {
        Self(Exact::lowest_terms(seconds.into(), 60))
    }
}

impl FromStr for NonNegative {
    type Err = ParseNonNegativeError;

    /// Reads what [`Exact`] reads, and refuses what is below 0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::try_from(text.parse::<Exact>()?)?)
    }
}

impl TryFrom<Exact> for NonNegative {
    type Error = NegativeError;

    fn try_from(number: Exact) -> Result<Self, Self::Error> {
        if number.is_negative() { Err(NegativeError { got: number }) } else { Ok(Self(number)) }
    }
}

impl From<NonNegative> for Exact {
    fn from(number: NonNegative) -> Self {
        number.0
    }
}

macro_rules! non_negative_from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for NonNegative {
            fn from(number: $integer) -> Self {
                Self(Exact::from(number))
            }
        }
    )*};
}
non_negative_from_integer!(u8, u16, u32, u64);

impl fmt::Display for NonNegative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number below 0 where none may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the number must not be below 0, got {got}")]
#[non_exhaustive]
pub struct NegativeError {
    /// The number found.
    pub got: Exact,
}

/// Why a text is not an exact number that is not below 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseNonNegativeError {
    /// It is no number.
    #[error(transparent)]
    Parse(#[from] ParseExactError),
    /// It is below 0.
    #[error(transparent)]
    Negative(#[from] NegativeError),
}
