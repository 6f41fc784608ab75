//! The TAN: permission for one upload.

use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::uuid4::{self, Uuid4Error};

/// Permits one stored upload: a version 4 UUID, of which 122 bits are secret.
///
/// Valid for one hour unless the server is configured otherwise; its life is reserve, store the keys, confirm
/// (see [`TanStore`](crate::store::TanStore)). Secret: zeroed when dropped, redacted in `Debug`, never stored in clear.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Tan([u8; Self::LENGTH]);

impl Tan {
    /// Bytes of a TAN.
    pub const LENGTH: usize = 16;

    /// A random TAN: what a fake request gets, and what a phone sends in one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(uuid4::random(rng))
    }

    pub(crate) fn from_prf(output: &[u8; 32]) -> Self {
        Self(uuid4::from_prf(output))
    }

    /// Reads the text form, strictly.
    ///
    /// ```
    /// use cwa_verify::Tan;
    /// assert!(Tan::parse("1819d933-45f6-4e3c-80c7-eeffd2d44ee6").is_ok());
    /// assert!(Tan::parse("1ea6ce8a-9740-11ea-bb37-0242ac130002").is_err(), "version 1");
    /// ```
    ///
    /// # Errors
    ///
    /// Text that is not a version 4 UUID in lower case (the variant digit may be upper case).
    pub fn parse(text: &str) -> Result<Self, Uuid4Error> {
        uuid4::parse(text).map(Self)
    }

    /// The secret bytes.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The text form, for the body or header of a message and nothing else.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        uuid4::text(&self.0)
    }
}

impl FromStr for Tan {
    type Err = Uuid4Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for Tan {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Tan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tan").finish_non_exhaustive()
    }
}

/// Which TAN of a registration token: 0, 1, 2, …
///
/// Counts every TAN ever issued for the token, those that expired unused too: a number is never used again, so that a
/// TAN that expired never comes back to life.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TanNumber(u32);

impl TanNumber {
    /// The first TAN of a token.
    pub const FIRST: Self = Self(0);

    /// The TAN with this number, for example one that was stored.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number after it; saturates (after 490,000 years of one per hour).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_tan() {
        insta::assert_snapshot!(format!("{:?}", Tan::from_prf(&[1; 32])), @"Tan { .. }");
    }
}
