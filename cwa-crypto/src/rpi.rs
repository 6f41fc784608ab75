//! What a phone is called on air: a new pseudonym every ten minutes.

use core::fmt;
use core::iter::FusedIterator;

use aes::cipher::{Array, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128Dec, Aes128Enc};
use subtle::{Choice, ConstantTimeEq};
use zeroize::ZeroizeOnDrop;

use crate::bytes::public_bytes;
use crate::diagnosis::DiagnosisKey;
use crate::tek::TemporaryExposureKey;
use crate::time::{ENIntervalNumber, RollingPeriod};

/// A Rolling Proximity Identifier (`RPI_{i,j}`): the 16 bytes that a phone broadcasts during one ten-minute interval.
///
/// Public: freely copied, compared and printed, in lower-case hex.
/// `RPI_{i,j} = AES128(RPIK_i, PaddedData_j)` (Cryptography Specification v1.2, "Rolling Proximity Identifier").
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RollingProximityIdentifier([u8; Self::LENGTH]);

impl RollingProximityIdentifier {
    /// Bytes of an identifier.
    pub const LENGTH: usize = 16;
}

public_bytes!(RollingProximityIdentifier);

/// The key that a day's identifiers are derived from (`RPIK_i`), 16 bytes.
///
/// Secret: zeroed when dropped, redacted in `Debug`, compared in constant time only.
/// `RPIK_i = HKDF(tek_i, NULL, "EN-RPIK", 16)` with SHA-256 (Cryptography Specification v1.2, "Rolling Proximity
/// Identifier Key").
///
/// ```
/// use cwa_crypto::{ENIntervalNumber, TemporaryExposureKey};
///
/// let tek = TemporaryExposureKey::from_bytes(0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes());
/// let rpik = tek.rolling_proximity_identifier_key();
/// assert_eq!(rpik.expose_bytes(), &0x185ad91db69ec7dd048960f1f3ba6175_u128.to_be_bytes());
/// let rpi = rpik.identifier(ENIntervalNumber::new(2_642_976));
/// assert_eq!(rpi.to_string(), "8be6cd371c5c891604bfbe49df845096");
/// ```
#[derive(Clone, ZeroizeOnDrop)]
pub struct RollingProximityIdentifierKey([u8; Self::LENGTH]);

impl RollingProximityIdentifierKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 16;

    /// A key with these bytes, for example from a known answer.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The secret bytes. The one door out: whoever holds them recognises this phone for a day.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The identifier of one interval, whichever: it is the caller who knows for how long the key is on air.
    #[must_use]
    pub fn identifier(&self, interval: ENIntervalNumber) -> RollingProximityIdentifier {
        let mut block = padded_data(interval.get());
        Aes128Enc::new(&self.0.into()).encrypt_block(Array::cast_from_core_mut(&mut block));
        RollingProximityIdentifier(block)
    }

    /// The identifiers of `period` intervals from `start` on, derived in bulk.
    ///
    /// Nothing is allocated. Intervals past `u32::MAX` do not exist and are left out.
    #[must_use]
    pub fn identifiers(&self, start: ENIntervalNumber, period: RollingPeriod) -> Identifiers {
        Identifiers::derive(self, start, period)
    }

    /// The interval that `rpi` was derived for, or `None` if it was derived from another key.
    ///
    /// The inverse of [`identifier`](Self::identifier): decrypting gives the padded data back, and with it the
    /// interval. Another key's identifier passes the check of the twelve constant bytes once in 2^96.
    #[must_use]
    pub fn interval_of(&self, rpi: RollingProximityIdentifier) -> Option<ENIntervalNumber> {
        let mut block = rpi.0;
        Aes128Dec::new(&self.0.into()).decrypt_block(Array::cast_from_core_mut(&mut block));
        let [prefix @ .., a, b, c, d] = block;
        (prefix == PADDED_DATA_PREFIX).then(|| ENIntervalNumber::new(u32::from_le_bytes([a, b, c, d])))
    }
}

impl ConstantTimeEq for RollingProximityIdentifierKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for RollingProximityIdentifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollingProximityIdentifierKey").finish_non_exhaustive()
    }
}

impl TemporaryExposureKey {
    /// The key that this day's identifiers are derived from (`RPIK_i`).
    #[must_use]
    pub fn rolling_proximity_identifier_key(&self) -> RollingProximityIdentifierKey {
        // Seven bytes without a terminating zero: counting one in is a known mistake of implementations in C.
        RollingProximityIdentifierKey(self.derive(b"EN-RPIK"))
    }

    /// The identifiers of `period` intervals from `start` on.
    ///
    /// ```
    /// use cwa_crypto::{ENIntervalNumber, RollingPeriod, TemporaryExposureKey};
    ///
    /// let tek = TemporaryExposureKey::from_bytes(0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes());
    /// let day = tek.identifiers(ENIntervalNumber::new(2_642_976), RollingPeriod::FULL_DAY);
    /// assert_eq!(day.len(), 144);
    /// ```
    #[must_use]
    pub fn identifiers(&self, start: ENIntervalNumber, period: RollingPeriod) -> Identifiers {
        self.rolling_proximity_identifier_key().identifiers(start, period)
    }
}

impl DiagnosisKey {
    /// Every identifier that the key's owner broadcast, with its interval, in order; nothing is allocated.
    ///
    /// ```
    /// use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod};
    ///
    /// // A key of 89 intervals that does not start at midnight.
    /// let period = RollingPeriod::try_from(89).unwrap();
    /// let key_data = 0x2b714d3ec93c14e5d345003e59027aea_u128.to_be_bytes();
    /// let key = DiagnosisKey::new(key_data, ENIntervalNumber::new(2_646_801), period);
    /// let (interval, rpi) = key.identifiers().next_back().unwrap();
    /// assert_eq!(interval.get(), 2_646_889);
    /// assert_eq!(rpi.to_string(), "b61c8e070671f0209de9b54dcd81fbab");
    /// ```
    #[must_use]
    pub fn identifiers(&self) -> Identifiers {
        self.temporary_exposure_key().identifiers(self.rolling_start_interval_number, self.rolling_period)
    }
}

/// The identifiers of one key with their intervals, in order.
///
/// Made by [`RollingProximityIdentifierKey::identifiers`], and for many keys at once by [`derive`](crate::derive).
/// The default has none left; it is a place to derive into.
#[derive(Clone)]
pub struct Identifiers {
    start: ENIntervalNumber,
    /// What is left is `next..end`, counted from `start`; `end` is at most `DAY`.
    next: u8,
    end: u8,
    blocks: DayBlocks,
}

impl Identifiers {
    /// The bytes of the identifiers that are left, in order.
    ///
    /// ```
    /// use cwa_crypto::{ENIntervalNumber, RollingPeriod, TemporaryExposureKey};
    ///
    /// let tek = TemporaryExposureKey::from_bytes(0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes());
    /// let day = tek.identifiers(ENIntervalNumber::new(2_642_976), RollingPeriod::FULL_DAY);
    /// assert_eq!(day.as_slice()[0], 0x8be6cd371c5c891604bfbe49df845096_u128.to_be_bytes());
    /// assert_eq!(day.as_slice().len(), 144);
    /// ```
    #[must_use]
    pub fn as_slice(&self) -> &[[u8; RollingProximityIdentifier::LENGTH]] {
        self.blocks.0.get(usize::from(self.next)..usize::from(self.end)).unwrap_or_default()
    }

    fn derive(rpik: &RollingProximityIdentifierKey, start: ENIntervalNumber, period: RollingPeriod) -> Self {
        let mut this = Self::default();
        this.rewind(start, period);
        let live = this.blocks.0.get_mut(..usize::from(this.end)).unwrap_or_default();
        for (block, number) in live.iter_mut().zip(start.get()..=u32::MAX) {
            *block = padded_data(number);
        }
        // All at once: block by block the vector units of current processors stand idle (about 30 times slower).
        Aes128Enc::new(&rpik.0.into()).encrypt_blocks(Array::cast_slice_from_core_mut(live));
        this
    }

    /// The place of the blocks, for those who derive; [`rewind`](Self::rewind) then says what they are.
    pub(crate) fn blocks_mut(&mut self) -> &mut DayBlocks {
        &mut self.blocks
    }

    /// All the blocks from `start` on that `period` holds are left. Intervals past `u32::MAX` do not exist.
    pub(crate) fn rewind(&mut self, start: ENIntervalNumber, period: RollingPeriod) {
        let intervals_that_exist = u8::try_from(u32::MAX - start.get()).unwrap_or(u8::MAX).saturating_add(1);
        self.start = start;
        self.next = 0;
        self.end = period.get().min(intervals_that_exist);
    }

    fn at(&self, offset: u8) -> Option<(ENIntervalNumber, RollingProximityIdentifier)> {
        let block = self.blocks.0.get(usize::from(offset))?;
        Some((self.start.checked_add(offset.into())?, RollingProximityIdentifier(*block)))
    }
}

impl Default for Identifiers {
    fn default() -> Self {
        Self { start: ENIntervalNumber::default(), next: 0, end: 0, blocks: DayBlocks::ZERO }
    }
}

impl Iterator for Identifiers {
    type Item = (ENIntervalNumber, RollingProximityIdentifier);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let item = self.at(self.next);
        self.next += 1;
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.end.saturating_sub(self.next));
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Identifiers {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        self.end -= 1;
        self.at(self.end)
    }
}

impl ExactSizeIterator for Identifiers {}
impl FusedIterator for Identifiers {}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifiers")
            .field("start", &self.start)
            .field("left", &self.len())
            .finish_non_exhaustive()
    }
}

/// `PaddedData_j`, the block whose encryption is the identifier of interval `j`.
pub(crate) const fn padded_data(interval: u32) -> [u8; RollingProximityIdentifier::LENGTH] {
    // 0..=5 "EN-RPI" | 6..=11 zero | 12..=15 ENIN_j, little-endian
    let [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11] = PADDED_DATA_PREFIX;
    let [a, b, c, d] = interval.to_le_bytes();
    [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, a, b, c, d]
}

const PADDED_DATA_PREFIX: [u8; 12] = *b"EN-RPI\0\0\0\0\0\0";

/// Identifiers of a whole day.
pub(crate) const DAY: usize = RollingPeriod::FULL_DAY.get() as usize;

/// The identifiers of a whole day, in the order of their intervals, or what is to be encrypted to them.
///
/// Whole cache lines, so that four identifiers are loaded or stored at once.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct DayBlocks(pub(crate) [[u8; RollingProximityIdentifier::LENGTH]; DAY]);

impl DayBlocks {
    pub(crate) const ZERO: Self = Self([[0; RollingProximityIdentifier::LENGTH]; DAY]);
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use super::*;
    use crate::bytes::ByteStringError;

    fn rpik() -> RollingProximityIdentifierKey {
        TemporaryExposureKey::from_bytes(*b"sixteen key byte").rolling_proximity_identifier_key()
    }

    fn period(n: i64) -> RollingPeriod {
        RollingPeriod::try_from(n).unwrap()
    }

    #[test]
    fn a_day_in_bulk_equals_its_intervals_one_by_one() {
        let start = ENIntervalNumber::new(2_642_976);
        for n in [1, 2, 63, 64, 65, 143, 144] {
            let day: Vec<_> = rpik().identifiers(start, period(n)).collect();
            assert_eq!(day.len(), usize::try_from(n).unwrap());
            for (number, (interval, rpi)) in (start.get()..).zip(day) {
                assert_eq!((interval.get(), rpi), (number, rpik().identifier(interval)));
            }
        }
    }

    #[test]
    fn identifiers_can_be_walked_from_both_ends() {
        let forwards: Vec<_> = rpik().identifiers(ENIntervalNumber::new(7), period(5)).collect();
        let mut backwards: Vec<_> = rpik().identifiers(ENIntervalNumber::new(7), period(5)).rev().collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        let mut both = rpik().identifiers(ENIntervalNumber::new(7), period(2));
        assert_eq!(both.next_back().unwrap().0.get(), 8);
        assert_eq!(both.len(), 1);
        assert_eq!(both.next().unwrap().0.get(), 7);
        assert_eq!((both.next(), both.next_back()), (None, None));
    }

    #[test]
    fn intervals_past_the_last_number_do_not_exist() {
        for (start, expected) in
            [(u32::MAX, 1), (u32::MAX - 1, 2), (u32::MAX - 142, 143), (u32::MAX - 143, 144)]
        {
            let mut day = rpik().identifiers(ENIntervalNumber::new(start), RollingPeriod::FULL_DAY);
            assert_eq!(day.len(), expected);
            assert_eq!(day.next_back().unwrap().0.get(), u32::MAX);
        }
    }

    #[test]
    fn the_whole_range_of_intervals_is_little_endian_in_the_padded_data() {
        for number in [0, 0xff, 0x100, 0xf_ffff, 0x100_0000, 0x0123_4567, u32::MAX] {
            let interval = ENIntervalNumber::new(number);
            assert_eq!(rpik().interval_of(rpik().identifier(interval)), Some(interval));
        }
        assert_eq!(padded_data(0x0123_4567)[12..], [0x67, 0x45, 0x23, 0x01]);
    }

    #[test]
    fn an_identifier_of_another_key_has_no_interval() {
        let other = RollingProximityIdentifierKey::from_bytes([7; 16]);
        assert_eq!(rpik().interval_of(other.identifier(ENIntervalNumber::new(2_642_976))), None);
        assert_eq!(rpik().interval_of(RollingProximityIdentifier::from_bytes([0; 16])), None);
    }

    #[test]
    fn debug_shows_no_secret_and_every_public_byte() {
        assert_eq!(format!("{:?}", rpik()), "RollingProximityIdentifierKey { .. }");
        let rpi = RollingProximityIdentifier::from_bytes([0xab; 16]);
        assert_eq!(format!("{rpi:?}"), "RollingProximityIdentifier(abababababababababababababababab)");
        let day = rpik().identifiers(ENIntervalNumber::new(7), period(2));
        assert_eq!(format!("{day:?}"), "Identifiers { start: ENIntervalNumber(7), left: 2, .. }");
    }

    #[test]
    fn identifiers_are_read_from_hex_and_raw_bytes_of_the_right_length_only() {
        let rpi = RollingProximityIdentifier::from_bytes(*b"0123456789abcdef");
        assert_eq!(rpi.to_string().parse(), Ok(rpi));
        assert_eq!(RollingProximityIdentifier::try_from(rpi.as_bytes().as_slice()), Ok(rpi));
        let error = ByteStringError::Length { expected: 16, got: 17 };
        assert_eq!(RollingProximityIdentifier::try_from([0; 17].as_slice()), Err(error));
        let error = ByteStringError::HexLength { expected: 32, got: 31 };
        assert_eq!(rpi.to_string()[1..].parse::<RollingProximityIdentifier>(), Err(error));
    }

    #[test]
    fn keys_are_compared_in_constant_time() {
        assert!(bool::from(rpik().ct_eq(&rpik())));
        assert!(!bool::from(rpik().ct_eq(&RollingProximityIdentifierKey::from_bytes([7; 16]))));
    }
}
