//! The key that everything on air is derived from, while it is still a secret.

use core::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
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

    /// `HKDF(tek_i, NULL, info, 16)` with SHA-256 (RFC 5869), which both keys of a day come from.
    pub(crate) fn derive(&self, info: &[u8]) -> [u8; 16] {
        let mut key = [0; 16];
        #[expect(clippy::expect_used, reason = "16 is at most 255 * 32, the limit of RFC 5869, section 2.3")]
        Hkdf::<Sha256>::new(None, &self.0).expand(info, &mut key).expect("16 <= 255 * 32");
        key
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

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", TemporaryExposureKey::from_bytes([7; 16])), "TemporaryExposureKey { .. }");
    }

    #[test]
    fn a_key_is_16_bytes() {
        for got in [0, 15, 17, 32] {
            let bytes = alloc::vec![7; got];
            let error = TemporaryExposureKey::try_from(bytes.as_slice()).unwrap_err();
            assert_eq!(error, KeyLengthError { got });
        }
        let key = TemporaryExposureKey::try_from([7; 16].as_slice()).unwrap();
        assert!(bool::from(key.ct_eq(&TemporaryExposureKey::from_bytes([7; 16]))));
        assert!(!bool::from(key.ct_eq(&TemporaryExposureKey::from_bytes([8; 16]))));
    }
}
