//! The four encrypted bytes beside the identifier.

use core::fmt;

use aes::Aes128Enc;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::{Choice, ConstantTimeEq};
use zeroize::ZeroizeOnDrop;

use crate::bytes::public_bytes;
use crate::metadata::{BluetoothMetadata, MetadataError};
use crate::rpi::RollingProximityIdentifier;
use crate::tek::TemporaryExposureKey;

/// Associated Encrypted Metadata (`AEM_{i,j}`): the 4 bytes that are broadcast beside an identifier.
///
/// Public: freely copied, compared and printed, in lower-case hex. Nobody can read it before the key is published, but
/// anybody can change it: nothing authenticates it, and one flipped bit here is one flipped bit in the metadata.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AssociatedEncryptedMetadata([u8; Self::LENGTH]);

impl AssociatedEncryptedMetadata {
    /// Bytes of encrypted metadata.
    pub const LENGTH: usize = 4;
}

public_bytes!(AssociatedEncryptedMetadata);

/// The key that a day's metadata is encrypted with (`AEMK_i`), 16 bytes.
///
/// Secret: zeroed when dropped, redacted in `Debug`, compared in constant time only.
/// `AEMK_i = HKDF(tek_i, NULL, "EN-AEMK", 16)` with SHA-256 (Cryptography Specification v1.2, "Associated Encrypted
/// Metadata Key").
///
/// ```
/// use cwa_crypto::{BluetoothMetadata, ENIntervalNumber, TemporaryExposureKey, TransmitPower};
///
/// let tek = TemporaryExposureKey::from_bytes(0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes());
/// let rpi = tek.rolling_proximity_identifier_key().identifier(ENIntervalNumber::new(2_642_976));
/// let aemk = tek.associated_encrypted_metadata_key();
/// let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(8)?);
///
/// let aem = aemk.seal(rpi, metadata);
/// assert_eq!(aem.to_string(), "72033874");
/// assert_eq!(aemk.open_unauthenticated(rpi, aem), Ok(metadata));
/// # Ok::<(), cwa_crypto::metadata::TransmitPowerError>(())
/// ```
#[derive(Clone, ZeroizeOnDrop)]
pub struct AssociatedEncryptedMetadataKey([u8; Self::LENGTH]);

impl AssociatedEncryptedMetadataKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 16;

    /// A key with these bytes, for example from a known answer.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The secret bytes. The one door out: whoever holds them reads a day's metadata.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Encrypts what is broadcast beside `rpi`.
    ///
    /// `AEM_{i,j} = AES128-CTR(AEMK_i, RPI_{i,j}, Metadata)` (Cryptography Specification v1.2, "Associated Encrypted
    /// Metadata"). One identifier must not go with two different metadata: whoever knows one could read the other.
    #[must_use]
    pub fn seal(
        &self,
        rpi: RollingProximityIdentifier,
        metadata: BluetoothMetadata,
    ) -> AssociatedEncryptedMetadata {
        AssociatedEncryptedMetadata(self.apply_keystream(rpi, metadata.encode()))
    }

    /// Decrypts what was received beside `rpi`. That it decrypts proves nothing: there is no tag.
    ///
    /// # Errors
    ///
    /// A transmit power of -128 dBm, which no sender can mean.
    pub fn open_unauthenticated(
        &self,
        rpi: RollingProximityIdentifier,
        aem: AssociatedEncryptedMetadata,
    ) -> Result<BluetoothMetadata, MetadataError> {
        BluetoothMetadata::decode(self.apply_keystream(rpi, aem.0))
    }

    /// The four bytes that metadata beside `rpi` are combined with by exclusive or, to look into frames byte by byte.
    ///
    /// ```
    /// use cwa_crypto::AssociatedEncryptedMetadataKey;
    ///
    /// let aemk = AssociatedEncryptedMetadataKey::from_bytes(0xd57c46af7a1d83965b9bed8bd152936a_u128.to_be_bytes());
    /// let keystream = aemk.keystream("8be6cd371c5c891604bfbe49df845096".parse()?);
    /// // Metadata 40080000 gives 72033874 on air.
    /// assert_eq!(keystream, [0x40 ^ 0x72, 0x08 ^ 0x03, 0x38, 0x74]);
    /// # Ok::<(), cwa_crypto::bytes::ByteStringError>(())
    /// ```
    #[must_use]
    pub fn keystream(&self, rpi: RollingProximityIdentifier) -> [u8; AssociatedEncryptedMetadata::LENGTH] {
        self.apply_keystream(rpi, [0; AssociatedEncryptedMetadata::LENGTH])
    }

    // The initial counter is taken by value: the mode counts in its own copy, never in the identifier on air.
    fn apply_keystream(
        &self,
        rpi: RollingProximityIdentifier,
        mut bytes: [u8; AssociatedEncryptedMetadata::LENGTH],
    ) -> [u8; AssociatedEncryptedMetadata::LENGTH] {
        // The counter's width is of no consequence: four bytes never leave the first block.
        ctr::Ctr128BE::<Aes128Enc>::new(&self.0.into(), &(*rpi.as_bytes()).into())
            .apply_keystream(&mut bytes);
        bytes
    }
}

impl ConstantTimeEq for AssociatedEncryptedMetadataKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for AssociatedEncryptedMetadataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssociatedEncryptedMetadataKey").finish_non_exhaustive()
    }
}

impl TemporaryExposureKey {
    /// The key that this day's metadata is encrypted with (`AEMK_i`).
    #[must_use]
    pub fn associated_encrypted_metadata_key(&self) -> AssociatedEncryptedMetadataKey {
        AssociatedEncryptedMetadataKey(self.derive(b"EN-AEMK"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::metadata::{MetadataError, TransmitPower};

    fn aemk() -> AssociatedEncryptedMetadataKey {
        TemporaryExposureKey::from_bytes(*b"sixteen key byte").associated_encrypted_metadata_key()
    }

    fn metadata(dbm: i8) -> BluetoothMetadata {
        BluetoothMetadata::v1_0(TransmitPower::from_dbm(dbm).unwrap())
    }

    #[test]
    fn the_counter_at_its_end_wraps_into_nothing() {
        let rpi = RollingProximityIdentifier::from_bytes([0xff; 16]);
        let sealed = aemk().seal(rpi, metadata(-12));
        assert_eq!(aemk().open_unauthenticated(rpi, sealed), Ok(metadata(-12)));
        assert_eq!(rpi.as_bytes(), &[0xff; 16]);
    }

    #[test]
    fn a_flipped_bit_on_air_is_a_flipped_bit_in_the_metadata() {
        let rpi = RollingProximityIdentifier::from_bytes([9; 16]);
        let mut bytes = *aemk().seal(rpi, metadata(8)).as_bytes();
        bytes[1] ^= 0b100;
        let tampered = AssociatedEncryptedMetadata::from_bytes(bytes);
        assert_eq!(aemk().open_unauthenticated(rpi, tampered), Ok(metadata(12)));
        bytes[1] ^= 0b1000_1100;
        let tampered = AssociatedEncryptedMetadata::from_bytes(bytes);
        assert_eq!(
            aemk().open_unauthenticated(rpi, tampered),
            Err(MetadataError::TransmitPower(crate::metadata::TransmitPowerError { got: -128 }))
        );
    }

    #[test]
    fn debug_shows_no_secret_and_every_public_byte() {
        assert_eq!(format!("{:?}", aemk()), "AssociatedEncryptedMetadataKey { .. }");
        let aem = AssociatedEncryptedMetadata::from_bytes([0, 1, 0xfe, 0xff]);
        assert_eq!(format!("{aem:?}"), "AssociatedEncryptedMetadata(0001feff)");
    }
}
