//! The key that everything on air is derived from, while it is still a secret.

use core::fmt;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::ZeroizeOnDrop;

/// A Temporary Exposure Key (`tek_i`): 16 secret bytes from a cryptographic random generator, new every day.
///
/// Secret: zeroed when dropped, redacted in `Debug`, compared in constant time only. Once its owner has published
/// it, the same bytes are a [`DiagnosisKey`](crate::DiagnosisKey), which is public
/// (Cryptography Specification v1.2, "Temporary Exposure Key").
#[derive(Clone, ZeroizeOnDrop)]
pub struct TemporaryExposureKey([u8; Self::LENGTH]);

impl TemporaryExposureKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 16;

    /// A key with these bytes, for example one that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// A new key from `rng`.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The secret bytes. The one door out: whoever holds them can broadcast as this phone and recognise it for a day.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl TryFrom<&[u8]> for TemporaryExposureKey {
    type Error = KeyLengthError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| KeyLengthError { got: bytes.len() })
    }
}

impl ConstantTimeEq for TemporaryExposureKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for TemporaryExposureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporaryExposureKey").finish_non_exhaustive()
    }
}

/// Key data that is not 16 bytes long.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("key data must be 16 bytes, not {got}")]
#[non_exhaustive]
pub struct KeyLengthError {
    /// The length found, in bytes.
    pub got: usize,
}
