//! One part of a store: how an identifier is looked up, and where its sightings are.

use super::filter::{Filter, WORD};
use super::key::KeyedHash;
use crate::aem::AssociatedEncryptedMetadata;
use crate::matching::Sighting;
use crate::rpi::RollingProximityIdentifier;
use crate::time::{ENIntervalNumber, UnixTime};

pub(super) type Identifier = [u8; RollingProximityIdentifier::LENGTH];

/// The sections of one part, as they lie in the image.
///
/// An identifier is looked up in three steps, each of which leaves few for the next. For the identifiers of a key,
/// which nobody chose, the shares are:
///
/// 1. [`filter`](Filter), 16 to 32 bits for each stored identifier, three of which it sets: 1 in 50 to 100 passes. Small
///    enough to stay in the second-level cache, and asked without a branch.
/// 2. The record of a bucket, found by the keyed hash: three bits, found by bytes 4 and 5, in three lanes of 32, 32 and
///    16 bits that belong to nine identifiers on average. 1 in 40 of those passes.
/// 3. The identifiers of the bucket, all 128 bits, by binary search.
///
/// None of it can be crowded from outside. Which word they share in the first step and which bucket in the second depends
/// on a key that nobody outside knows. In the third step even a bucket that held all of them would cost only the
/// logarithm of their number.
///
/// Nothing here relies on what the bytes say: wrong bytes give wrong answers in the same time.
#[derive(Clone, Copy, Default)]
pub(super) struct Part<'a> {
    /// The UTC day of the sightings' intervals; 0 in a store that is not split.
    pub(super) day: u32,
    /// By bucket, then ascending.
    pub(super) identifiers: &'a [Identifier],
    /// 0..=3, 4..=7, 8..=9 the lanes, little-endian | 10..=15 how many identifiers are in the buckets before
    pub(super) buckets: &'a [[u8; BUCKET]],
    /// 0..=7 how many identifiers begin in the blocks before | 8..=63 a bit for each sighting, set if an identifier's
    /// sightings begin with it
    pub(super) beginnings: &'a [[u8; BEGINNINGS]],
    /// Knows the identifiers of the part, and in a store that is split those of its neighbours that keys of its day can
    /// meet.
    pub(super) filter: &'a [[u8; WORD]],
    /// By identifier, then by time.
    pub(super) records: &'a [[u8; RECORD]],
}

/// Bytes of a bucket's record.
pub(super) const BUCKET: usize = 16;
/// Identifiers in a bucket, on average.
pub(super) const IDENTIFIERS_IN_A_BUCKET: usize = 9;
/// Bytes of a block of beginnings.
pub(super) const BEGINNINGS: usize = 64;
/// Sightings that a block of beginnings is about.
pub(super) const SIGHTINGS_IN_A_BLOCK: usize = (BEGINNINGS - 8) * 8;
/// Bytes of a sighting without its identifier.
pub(super) const RECORD: usize = 13;

impl<'a> Part<'a> {
    /// What to ask first.
    pub(super) fn filter(&self, hash: &KeyedHash) -> Filter<'a> {
        Filter::new(self.filter, hash)
    }

    #[inline(always)]
    pub(super) fn may_have(&self, hash: &KeyedHash, identifier: &Identifier) -> bool {
        self.bucket_may_have(self.bucket_of(hash, identifier), identifier)
    }

    /// Whether an identifier is stored. If there is a `tolerance`, it has to be seen within so many intervals of its own.
    #[inline(always)]
    pub(super) fn has(
        &self,
        hash: &KeyedHash,
        identifier: &Identifier,
        interval: ENIntervalNumber,
        tolerance: Option<u32>,
    ) -> bool {
        let bucket = self.bucket_of(hash, identifier);
        self.bucket_may_have(bucket, identifier) && self.was_seen(bucket, identifier, interval, tolerance)
    }

    /// The sightings of one identifier, ordered by time.
    pub(super) fn sightings_of(
        &self,
        hash: &KeyedHash,
        rpi: RollingProximityIdentifier,
    ) -> impl Iterator<Item = Sighting> + use<'a> {
        let ordinal = self.ordinal_of(self.bucket_of(hash, rpi.as_bytes()), rpi.as_bytes());
        let records = ordinal.map(|ordinal| self.records_of(ordinal)).unwrap_or_default();
        records.iter().map(move |record| read_record(rpi, record))
    }

    /// All sightings, in the order of the image.
    pub(super) fn sightings(self) -> impl Iterator<Item = Sighting> + use<'a> {
        self.identifiers.iter().zip(0..).flat_map(move |(identifier, ordinal)| {
            let rpi = RollingProximityIdentifier::from_bytes(*identifier);
            self.records_of(ordinal).iter().map(move |record| read_record(rpi, record))
        })
    }

    #[inline(always)]
    fn bucket_of(&self, hash: &KeyedHash, identifier: &Identifier) -> usize {
        bucket_of(hash.of(identifier), self.buckets.len())
    }

    #[inline(always)]
    fn bucket_may_have(&self, bucket: usize, identifier: &Identifier) -> bool {
        let record = self.buckets.get(bucket).copied().unwrap_or_default();
        let (lanes, bits) = (u128::from_le_bytes(record), lanes_of(identifier));
        lanes & bits == bits
    }

    /// Whether the identifier is stored, and was seen near that interval.
    #[inline(never)]
    fn was_seen(
        &self,
        bucket: usize,
        identifier: &Identifier,
        interval: ENIntervalNumber,
        tolerance: Option<u32>,
    ) -> bool {
        let Some(ordinal) = self.ordinal_of(bucket, identifier) else { return false };
        let Some(tolerance) = tolerance else { return true };
        let earliest = ENIntervalNumber::new(interval.get().saturating_sub(tolerance));
        let records = self.records_of(ordinal);
        let place = records.partition_point(|record| ENIntervalNumber::at(read_time(record)) < earliest);
        records
            .get(place)
            .is_some_and(|record| interval.abs_diff(ENIntervalNumber::at(read_time(record))) <= tolerance)
    }

    /// The place of an identifier among all of the part.
    fn ordinal_of(&self, bucket: usize, identifier: &Identifier) -> Option<usize> {
        let begin = begin_of(self.buckets.get(bucket)?)?;
        let end = match self.buckets.get(bucket + 1) {
            Some(next) => begin_of(next)?,
            None => self.identifiers.len(),
        };
        Some(begin + self.identifiers.get(begin..end)?.binary_search(identifier).ok()?)
    }

    fn records_of(&self, ordinal: usize) -> &'a [[u8; RECORD]] {
        let begin = self.beginning_of(ordinal);
        let end = if ordinal + 1 < self.identifiers.len() {
            self.beginning_of(ordinal + 1)
        } else {
            Some(self.records.len())
        };
        begin.zip(end).and_then(|(begin, end)| self.records.get(begin..end)).unwrap_or_default()
    }

    /// The place of the first sighting of an identifier.
    fn beginning_of(&self, ordinal: usize) -> Option<usize> {
        let after = self.beginnings.partition_point(|block| rank_of(block) <= ordinal as u64);
        let number = after.checked_sub(1)?;
        let block = self.beginnings.get(number)?;
        let mut left = ordinal as u64 - rank_of(block);
        for (word, base) in block.as_chunks().0.iter().zip((0..).step_by(64)).skip(1) {
            let mut word = u64::from_le_bytes(*word);
            let ones = u64::from(word.count_ones());
            if left < ones {
                for _ in 0..left {
                    word &= word - 1;
                }
                let bit = usize::try_from(word.trailing_zeros()).ok()?;
                return Some(number * SIGHTINGS_IN_A_BLOCK + (base - 64) + bit);
            }
            left -= ones;
        }
        None
    }
}

/// The bucket of a hash, of so many.
#[inline(always)]
pub(super) fn bucket_of(hash: u32, buckets: usize) -> usize {
    usize::try_from(u64::from(hash).wrapping_mul(buckets as u64) >> 32).unwrap_or(usize::MAX)
}

/// The bits of an identifier in the record of its bucket, one in each lane.
#[inline(always)]
pub(super) fn lanes_of(identifier: &Identifier) -> u128 {
    let [_, _, _, _, a, b, ..] = *identifier;
    let bits = u16::from_le_bytes([a, b]);
    let low = 1_u64 << (bits & 31) | 1 << 32 << (bits >> 5 & 31);
    let high = 1_u64 << (bits >> 10 & 15);
    u128::from(low) | u128::from(high) << 64
}

/// The number of identifiers in the buckets before this one.
pub(super) fn begin_of(bucket: &[u8; BUCKET]) -> Option<usize> {
    usize::try_from(u128::from_le_bytes(*bucket) >> 80).ok()
}

/// The number of identifiers that begin before this block.
pub(super) fn rank_of(block: &[u8; BEGINNINGS]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *block;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// A sighting without its identifier.
pub(super) const fn write_record(sighting: &Sighting) -> [u8; RECORD] {
    // 0..=7 seen_at, little-endian | 8..=11 aem | 12 rssi_dbm
    let [a, b, c, d, e, f, g, h] = sighting.seen_at.as_secs().to_le_bytes();
    let [i, j, k, l] = *sighting.aem.as_bytes();
    let [m] = sighting.rssi_dbm.to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m]
}

const fn read_record(rpi: RollingProximityIdentifier, record: &[u8; RECORD]) -> Sighting {
    let [_, _, _, _, _, _, _, _, i, j, k, l, m] = *record;
    let aem = AssociatedEncryptedMetadata::from_bytes([i, j, k, l]);
    Sighting::new(rpi, aem, i8::from_le_bytes([m]), read_time(record))
}

const fn read_time(record: &[u8; RECORD]) -> UnixTime {
    let [a, b, c, d, e, f, g, h, ..] = *record;
    UnixTime::from_secs(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}
