//! The registration token: what a phone holds between its test and its uploads.

use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::uuid4::{self, Uuid4Error};

/// Couples one phone to one test or teleTAN: a version 4 UUID, of which 122 bits are secret.
///
/// Given out once per hashed GUID, date-of-birth hash or teleTAN; whoever holds it reads the test result and gets the
/// TANs (solution architecture, "Retrieval of lab results and verification process"). Secret: zeroed when dropped,
/// redacted in `Debug`, stored only as [`RegistrationTokenHash`](crate::hash::RegistrationTokenHash).
#[derive(Clone, ZeroizeOnDrop)]
pub struct RegistrationToken([u8; Self::LENGTH]);

impl RegistrationToken {
    /// Bytes of a token.
    pub const LENGTH: usize = 16;

    /// A random token: what a fake request gets, and what a phone sends in one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(uuid4::random(rng))
    }

    pub(crate) fn from_prf(output: &[u8; 32]) -> Self {
        Self(uuid4::from_prf(output))
    }

    /// Reads the text form, strictly.
    ///
    /// ```
    /// use cwa_verify::RegistrationToken;
    /// let token = RegistrationToken::parse("63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f")?;
    /// assert_eq!(*token.expose_text(), "63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f");
    /// assert!(RegistrationToken::parse("63B4D3FF-E0DE-4BD4-90C1-17C2BB683A2F").is_err());
    /// # Ok::<(), cwa_verify::Uuid4Error>(())
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

    /// The text form, for the body of a message and nothing else.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        uuid4::text(&self.0)
    }
}

impl FromStr for RegistrationToken {
    type Err = Uuid4Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl ConstantTimeEq for RegistrationToken {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for RegistrationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationToken").finish_non_exhaustive()
    }
}

/// What a session's token is derived from, together with the server's key and the request; 16 random bytes.
///
/// Stored with the session. Without the key it says nothing about the token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenSalt([u8; Self::LENGTH]);

impl TokenSalt {
    /// Bytes of a salt.
    pub const LENGTH: usize = 16;

    /// A new salt from `rng`.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The salt with these bytes, for example one that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_token() {
        insta::assert_snapshot!(
            format!("{:?}", RegistrationToken::from_prf(&[1; 32])),
            @"RegistrationToken { .. }"
        );
    }
}
