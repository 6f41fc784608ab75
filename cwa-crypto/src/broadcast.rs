//! The Bluetooth Low Energy advertisement that carries an identifier through the air.

use core::fmt;
use core::iter::FusedIterator;

use crate::aem::AssociatedEncryptedMetadata;
use crate::rpi::RollingProximityIdentifier;

/// The advertisement of the Exposure Notification Service: an identifier and its encrypted metadata.
///
/// Public: everybody in reach receives it. On air it is advertising data, at most 31 bytes of "AD structures"
/// (Bluetooth Core Specification, supplement, part A), each a length, a type, and data:
///
/// | bytes | structure |
/// |---|---|
/// | `02 01 1a` | flags; depend on the platform and may be absent |
/// | `03 03 6f fd` | complete list of 16-bit service UUIDs: 0xFD6F |
/// | `17 16 6f fd` + 16 + 4 | service data of 0xFD6F: identifier, encrypted metadata |
///
/// (Bluetooth Specification v1.2, "Advertising Payload").
///
/// ```
/// use cwa_crypto::Advertisement;
///
/// // Received from a phone; the flags are not at a fixed place, so the structures are walked.
/// let frame = [
///     0x02, 0x01, 0x1a, 0x03, 0x03, 0x6f, 0xfd, 0x17, 0x16, 0x6f, 0xfd, 0xe2, 0x3f, 0x35, 0x2f, 0xa0, 0x93, 0x07,
///     0xa8, 0x5d, 0x41, 0x94, 0x91, 0x24, 0x43, 0x18, 0x0d, 0x48, 0x4d, 0xc1, 0x51,
/// ];
/// let advertisement = Advertisement::decode(&frame)?;
/// assert_eq!(advertisement.rpi.to_string(), "e23f352fa09307a85d4194912443180d");
/// assert_eq!(advertisement.aem.to_string(), "484dc151");
/// assert_eq!(advertisement.flags, Some(0x1a));
/// assert_eq!(advertisement.encode().as_ref(), frame);
/// # Ok::<(), cwa_crypto::broadcast::AdvertisementError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Advertisement {
    /// The identifier of the moment.
    pub rpi: RollingProximityIdentifier,
    /// The metadata sealed for this identifier.
    pub aem: AssociatedEncryptedMetadata,
    /// The octet of the flags structure, if there is one.
    pub flags: Option<u8>,
}

impl Advertisement {
    /// The service UUID of the Exposure Notification Service, assigned by the Bluetooth SIG.
    pub const SERVICE_UUID: u16 = 0xfd6f;

    /// Bytes of service data, without the UUID in front of it.
    pub const SERVICE_DATA_LENGTH: usize =
        RollingProximityIdentifier::LENGTH + AssociatedEncryptedMetadata::LENGTH;

    /// The flags of the specification's payload.
    pub const DEFAULT_FLAGS: u8 = 0x1a;

    /// An advertisement with the specification's flags.
    #[must_use]
    pub const fn new(rpi: RollingProximityIdentifier, aem: AssociatedEncryptedMetadata) -> Self {
        Self { rpi, aem, flags: Some(Self::DEFAULT_FLAGS) }
    }

    /// The same without flags, as platforms send it that leave them out of non-connectable advertisements.
    #[must_use]
    pub const fn without_flags(self) -> Self {
        Self { flags: None, ..self }
    }

    /// The advertising data: 31 bytes, or 28 without flags.
    #[must_use]
    pub fn encode(&self) -> AdvertisingData {
        let [uuid_low, uuid_high] = Self::SERVICE_UUID.to_le_bytes();
        let mut data = AdvertisingData { bytes: [0; AdvertisingData::MAX_LENGTH], length: 0 };
        if let Some(flags) = self.flags {
            data.extend([2, AD_TYPE_FLAGS, flags]);
        }
        data.extend([3, AD_TYPE_COMPLETE_LIST_OF_16_BIT_UUIDS, uuid_low, uuid_high]);
        data.extend([0x17, AD_TYPE_SERVICE_DATA_16_BIT_UUID, uuid_low, uuid_high]);
        data.extend(self.service_data());
        data
    }

    /// Reads advertising data as received, in whatever order its structures come.
    ///
    /// What counts is the service data. Flags and the list of services may be absent, and structures of other types
    /// and services are skipped. A structure of length 0 ends the data early; what follows it is padding.
    ///
    /// # Errors
    ///
    /// A structure longer than the data, no service data of the Exposure Notification Service, or more than one, or
    /// service data that is not exactly 20 bytes long.
    pub fn decode(advertising_data: &[u8]) -> Result<Self, AdvertisementError> {
        let mut flags = None;
        let mut found = None;
        for structure in AdStructures::new(advertising_data) {
            match structure? {
                (AD_TYPE_FLAGS, &[octet, ..]) => flags = Some(octet),
                (AD_TYPE_SERVICE_DATA_16_BIT_UUID, [uuid_low, uuid_high, service_data @ ..])
                    if u16::from_le_bytes([*uuid_low, *uuid_high]) == Self::SERVICE_UUID =>
                {
                    if found.is_some() {
                        return Err(AdvertisementError::RepeatedServiceData);
                    }
                    found = Some(Self::from_service_data(service_data)?);
                }
                _ => {}
            }
        }
        let advertisement = found.ok_or(AdvertisementError::NoServiceData)?;
        Ok(Self { flags, ..advertisement })
    }

    /// Reads the service data of 0xFD6F alone, as receivers hand it out that have walked the structures themselves.
    ///
    /// # Errors
    ///
    /// Service data that is not exactly 20 bytes long.
    pub fn from_service_data(service_data: &[u8]) -> Result<Self, AdvertisementError> {
        let error = AdvertisementError::ServiceDataLength { got: service_data.len() };
        let (rpi, aem) = service_data.split_first_chunk().ok_or(error)?;
        let aem = aem.try_into().map_err(|_| error)?;
        Ok(Self {
            rpi: RollingProximityIdentifier::from_bytes(*rpi),
            aem: AssociatedEncryptedMetadata::from_bytes(aem),
            flags: None,
        })
    }

    /// The service data: identifier, then encrypted metadata.
    #[must_use]
    pub fn service_data(&self) -> [u8; Self::SERVICE_DATA_LENGTH] {
        let mut service_data = [0; Self::SERVICE_DATA_LENGTH];
        let bytes = self.rpi.as_bytes().iter().chain(self.aem.as_bytes());
        service_data.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        service_data
    }
}

/// Encoded advertising data: at most 31 bytes, held in place.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct AdvertisingData {
    bytes: [u8; Self::MAX_LENGTH],
    length: usize,
}

impl AdvertisingData {
    /// Bytes that legacy advertising data can have.
    pub const MAX_LENGTH: usize = 31;

    fn extend<const N: usize>(&mut self, bytes: [u8; N]) {
        for byte in bytes {
            if let Some(to) = self.bytes.get_mut(self.length) {
                *to = byte;
                self.length += 1;
            }
        }
    }
}

impl AsRef<[u8]> for AdvertisingData {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Debug for AdvertisingData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdvertisingData(")?;
        self.as_ref().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Why advertising data is not an advertisement of the Exposure Notification Service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvertisementError {
    /// A structure claims more bytes than are left.
    #[error("the AD structure at byte {offset} claims {claimed} bytes, but {available} are left")]
    Truncated {
        /// Where the structure begins, in bytes from the beginning of the data.
        offset: usize,
        /// The length its first byte claims.
        claimed: usize,
        /// The bytes left after that one.
        available: usize,
    },
    /// There is no service data with UUID 0xFD6F: some other device's advertisement.
    #[error("no service data of the Exposure Notification Service (0xfd6f)")]
    NoServiceData,
    /// There are two structures of service data, and nothing says which holds.
    #[error("more than one service data of the Exposure Notification Service (0xfd6f)")]
    RepeatedServiceData,
    /// The service data is not identifier and encrypted metadata.
    #[error("the service data must be 20 bytes, not {got}")]
    ServiceDataLength {
        /// The length found, without the UUID, in bytes.
        got: usize,
    },
}

/// The walk over advertising data: type and data of each structure; ends after the first error.
struct AdStructures<'a> {
    data: &'a [u8],
    offset: usize,
}

impl<'a> AdStructures<'a> {
    const fn new(data: &'a [u8]) -> Self {
        Self { data, offset: 0 }
    }
}

impl<'a> Iterator for AdStructures<'a> {
    type Item = Result<(u8, &'a [u8]), AdvertisementError>;

    fn next(&mut self) -> Option<Self::Item> {
        // 0 length, of what follows | 1 type | 2.. data
        let (&length, rest) = self.data.split_first()?;
        if length == 0 {
            self.data = &[];
            return None;
        }
        let Some((structure, rest)) = rest.split_at_checked(length.into()) else {
            self.data = &[];
            let (offset, claimed, available) = (self.offset, length.into(), rest.len());
            return Some(Err(AdvertisementError::Truncated { offset, claimed, available }));
        };
        self.data = rest;
        self.offset += 1 + structure.len();
        structure.split_first().map(|(&ad_type, data)| Ok((ad_type, data)))
    }
}

impl FusedIterator for AdStructures<'_> {}

// Bluetooth Assigned Numbers, 2.3 "Common Data Types".
const AD_TYPE_FLAGS: u8 = 0x01;
const AD_TYPE_COMPLETE_LIST_OF_16_BIT_UUIDS: u8 = 0x03;
const AD_TYPE_SERVICE_DATA_16_BIT_UUID: u8 = 0x16;

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn advertisement() -> Advertisement {
        Advertisement::new(
            RollingProximityIdentifier::from_bytes(*b"0123456789abcdef"),
            AssociatedEncryptedMetadata::from_bytes([1, 2, 3, 4]),
        )
    }

    fn concat(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn service() -> Vec<u8> {
        advertisement().encode().as_ref()[7..].to_vec()
    }

    #[test]
    fn the_bytes_on_air() {
        insta::assert_snapshot!(
            format!("{:?}", advertisement().encode()),
            @"AdvertisingData(02011a03036ffd17166ffd3031323334353637383961626364656601020304)"
        );
        insta::assert_snapshot!(
            format!("{:?}", advertisement().without_flags().encode()),
            @"AdvertisingData(03036ffd17166ffd3031323334353637383961626364656601020304)"
        );
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for flags in [None, Some(0), Some(0x06), Some(0x1a)] {
            let advertisement = Advertisement { flags, ..advertisement() };
            assert_eq!(Advertisement::decode(advertisement.encode().as_ref()), Ok(advertisement));
            let service_data = advertisement.service_data();
            assert_eq!(Advertisement::from_service_data(&service_data), Ok(advertisement.without_flags()));
        }
    }

    #[test]
    fn structures_are_walked_in_any_order_and_unknown_ones_skipped() {
        let expected = advertisement();
        for frame in [
            concat(&[&service(), &[2, 1, 0x1a]]),
            concat(&[&[2, 1, 0x1a], &[5, 0xff, 1, 2, 3, 4], &[3, 2, 0x6f, 0xfd], &service()]),
            // Data of another service under the same type, and a structure that is only a type.
            concat(&[&[4, 0x16, 0x0f, 0x18, 0x64], &[1, 0xff], &[2, 1, 0x1a], &service()]),
            // Ended early, the rest being padding.
            concat(&[&[2, 1, 0x1a], &service(), &[0; 10]]),
            concat(&[&[2, 1, 0x1a], &service(), &[0, 0x17, 0x16]]),
        ] {
            assert_eq!(Advertisement::decode(&frame), Ok(expected), "{frame:02x?}");
        }
    }

    #[test]
    fn other_devices_are_told_apart() {
        for frame in [
            &[][..],
            &[0],
            &[2, 1, 0x1a],
            // The service is listed, but its data is not there.
            &[3, 3, 0x6f, 0xfd],
            // The UUID in the wrong byte order.
            &[4, 0x16, 0xfd, 0x6f, 1],
            // No room for a UUID.
            &[2, 0x16, 0x6f],
        ] {
            assert_eq!(Advertisement::decode(frame), Err(AdvertisementError::NoServiceData), "{frame:02x?}");
        }
        // Padding starts before the service data.
        let frame = concat(&[&[2, 1, 0x1a, 0], &service()]);
        assert_eq!(Advertisement::decode(&frame), Err(AdvertisementError::NoServiceData));
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused() {
        let frame = advertisement().encode();
        for length in 0..frame.as_ref().len() {
            let cut = &frame.as_ref()[..length];
            let expected = match length {
                0 | 3 | 7 => AdvertisementError::NoServiceData,
                1 | 2 => AdvertisementError::Truncated { offset: 0, claimed: 2, available: length - 1 },
                4..7 => AdvertisementError::Truncated { offset: 3, claimed: 3, available: length - 4 },
                _ => AdvertisementError::Truncated { offset: 7, claimed: 0x17, available: length - 8 },
            };
            assert_eq!(Advertisement::decode(cut), Err(expected));
        }
    }

    #[test]
    fn service_data_is_exactly_20_bytes() {
        for got in (0..20).chain(21..=28) {
            let expected = Err(AdvertisementError::ServiceDataLength { got });
            assert_eq!(Advertisement::from_service_data(&[7; 28][..got]), expected);
            let length = u8::try_from(got + 3).unwrap();
            let frame = concat(&[&[length, 0x16, 0x6f, 0xfd], &[7; 28][..got]]);
            assert_eq!(Advertisement::decode(&frame), expected);
        }
    }

    #[test]
    fn service_data_comes_once() {
        let frame = concat(&[&service(), &service()]);
        assert_eq!(Advertisement::decode(&frame), Err(AdvertisementError::RepeatedServiceData));
    }
}
