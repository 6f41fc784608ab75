use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use rand_core::CryptoRng;

use crate::rpi::RollingProximityIdentifier;

/// What the places of identifiers in a store depend on: 16 random bytes, drawn once for each store.
///
/// Whoever broadcasts decides what is stored. Without the key nobody can make up identifiers that end up in the same
/// place. It stands in the store's image, and is worth no more than the image.
#[derive(Clone)]
pub struct StoreKey([u8; Self::LENGTH]);

impl StoreKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 16;

    /// Draws a key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The key with these bytes, which nobody who broadcasts can know.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl core::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StoreKey").finish_non_exhaustive()
    }
}

/// The hash that decides in which bucket an identifier is, 32 bits.
///
/// Multilinear-HM (Lemire and Kaser, "Strongly universal string hashing is fast", 2013) over the four words of an
/// identifier: `(k0 + (k1 + w0)(k2 + w1) + (k3 + w2)(k4 + w3)) mod 2^64`, of which the high half is strongly universal.
/// For any two identifiers, however they were chosen, all pairs of hashes are equally likely over the keys. That is
/// all that is asked of it, and two multiplications are less than any cipher needs. Its 40 bytes of key come from the
/// store's 16 through AES, and the filter's multiplier after them.
#[derive(Clone, Copy)]
pub(super) struct KeyedHash([u64; 6]);

impl KeyedHash {
    pub(super) fn new(key: &StoreKey) -> Self {
        let mut blocks = [0_u8, 1, 2].map(|number| [number; 16]);
        Aes128Enc::new(&key.0.into()).encrypt_blocks(Array::cast_slice_from_core_mut(&mut blocks));
        let mut keys = [0; 6];
        for (key, bytes) in keys.iter_mut().zip(blocks.as_flattened().as_chunks().0) {
            *key = u64::from_le_bytes(*bytes);
        }
        Self(keys)
    }

    #[inline(always)]
    pub(super) const fn of(&self, identifier: &[u8; RollingProximityIdentifier::LENGTH]) -> u32 {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = *identifier;
        let [k0, k1, k2, k3, k4, _] = self.0;
        let first = k1
            .wrapping_add(u32::from_le_bytes([a0, a1, a2, a3]) as u64)
            .wrapping_mul(k2.wrapping_add(u32::from_le_bytes([b0, b1, b2, b3]) as u64));
        let second = k3
            .wrapping_add(u32::from_le_bytes([c0, c1, c2, c3]) as u64)
            .wrapping_mul(k4.wrapping_add(u32::from_le_bytes([d0, d1, d2, d3]) as u64));
        let sum = k0.wrapping_add(first).wrapping_add(second);
        (sum >> 32) as u32
    }

    /// An odd number, as likely as any other.
    pub(super) const fn multiplier(&self) -> u64 {
        let [.., multiplier] = self.0;
        multiplier | 1
    }
}
