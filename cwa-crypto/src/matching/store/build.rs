//! From sightings to the image of a store.

use alloc::vec::Vec;

use super::image::{self, Sections, bucket_count};
use super::key::{KeyedHash, StoreKey};
use super::part::{BEGINNINGS, BUCKET, Identifier, SIGHTINGS_IN_A_BLOCK, bucket_of, lanes_of, write_record};
use super::{Split, filter};
use crate::matching::Sighting;
use crate::time::{ENIntervalNumber, RollingPeriod};

/// The image of a store of `sightings`, in whatever order: equal sightings give equal images.
pub(super) fn build(sightings: &[Sighting], split: Split, key: &StoreKey) -> Vec<u8> {
    let hash = KeyedHash::new(key);
    // Sorting short numbers is much quicker than sorting sightings.
    let mut order: Vec<Place> = sightings
        .iter()
        .zip(0..)
        .map(|(sighting, number)| (day_of(sighting, split), hash.of(sighting.rpi.as_bytes()), number))
        .collect();
    order.sort_unstable();
    let mut parts: Vec<_> =
        order.chunk_by(|a, b| a.0 == b.0).map(|places| arrange(sightings, places)).collect();
    for strangers in strangers(sightings.iter().copied(), split).chunk_by(|a, b| a.0 == b.0) {
        let Some(&(day, _)) = strangers.first() else { continue };
        let place = parts.binary_search_by_key(&day, |part| part.day).unwrap_or_else(|place| {
            parts.insert(place, Arranged { day, ..Arranged::default() });
            place
        });
        if let Some(part) = parts.get_mut(place) {
            part.strangers = strangers.iter().map(|stranger| stranger.1).collect();
        }
    }

    let numbers = |part: &Arranged| {
        let identifiers = part.identifiers.len();
        [identifiers, part.sightings.len(), identifiers + part.strangers.len()]
    };
    let extents: Vec<_> = parts.iter().map(|part| (part.day, numbers(part))).collect();
    let mut image = image::header(split, key, &extents);
    let length: usize = extents
        .iter()
        .filter_map(|&(_, [identifiers, sightings, filtered])| {
            Sections::of(identifiers, sightings, filtered)?.length()
        })
        .sum();
    image.reserve_exact(length);
    for part in &parts {
        part.write(&hash, &mut image);
    }
    let digest = image::digest(&image);
    if let Some(place) = image.get_mut(image::DIGEST) {
        place.copy_from_slice(&digest);
    }
    image
}

/// The day of the part that a sighting belongs to: that of its interval, so that time that no interval has is the last.
pub(super) const fn day_of(sighting: &Sighting, split: Split) -> u32 {
    match split {
        Split::Whole => 0,
        Split::ByDay => day_of_interval(ENIntervalNumber::at(sighting.seen_at).get()),
    }
}

pub(super) const fn day_of_interval(interval: u32) -> u32 {
    interval / RollingPeriod::FULL_DAY.get() as u32
}

/// The identifiers of sightings that keys can meet in intervals of another day than that of the part they belong to,
/// with that day: ascending, each once.
pub(super) fn strangers(sightings: impl Iterator<Item = Sighting>, split: Split) -> Vec<(u32, Identifier)> {
    let mut strangers = Vec::new();
    for sighting in sightings {
        let interval = ENIntervalNumber::at(sighting.seen_at).get();
        let day = day_of(&sighting, split);
        let near = [
            interval.saturating_sub(Split::TOLERANCE_INTERVALS),
            interval.saturating_add(Split::TOLERANCE_INTERVALS),
        ];
        let other_days =
            near.map(day_of_interval).into_iter().filter(|near| split == Split::ByDay && *near != day);
        strangers.extend(other_days.map(|day| (day, *sighting.rpi.as_bytes())));
    }
    strangers.sort_unstable();
    strangers.dedup();
    strangers
}

/// Sightings of one identifier are ordered by time.
pub(super) const fn order(sighting: &Sighting) -> impl Ord + use<> {
    (sighting.rpi, sighting.seen_at, sighting.aem, sighting.rssi_dbm)
}

/// The record of a bucket with these identifiers, after so many others.
pub(super) fn bucket_record(identifiers: &[Identifier], begin: usize) -> [u8; BUCKET] {
    let lanes = identifiers.iter().fold(0, |lanes, identifier| lanes | lanes_of(identifier));
    // 48 bits for the begin: an image with 2^48 identifiers is longer than 4 PiB.
    (lanes | (begin as u128) << 80).to_le_bytes()
}

/// Day, hash and number of a sighting.
type Place = (u32, u32, usize);

/// The sightings of one part in the order of the image.
#[derive(Default)]
struct Arranged {
    day: u32,
    sightings: Vec<Sighting>,
    identifiers: Vec<Identifier>,
    /// See [`strangers`].
    strangers: Vec<Identifier>,
}

/// Puts the sightings at `places`, which are ordered by hash, in order by bucket, then by identifier, then by time.
fn arrange(sightings: &[Sighting], places: &[Place]) -> Arranged {
    let day = places.first().map_or(0, |place| place.0);
    let mut arranged: Vec<Sighting> =
        places.iter().filter_map(|&(_, _, number)| sightings.get(number).copied()).collect();
    // Equal hashes first, to find out how many identifiers there are, and with that how many buckets.
    let mut rest = arranged.as_mut_slice();
    let mut count = 0;
    for same_hash in places.chunk_by(|a, b| a.1 == b.1) {
        let Some(same_hash) = rest.split_off_mut(..same_hash.len()) else { break };
        same_hash.sort_unstable_by_key(order);
        count += same_hash.chunk_by(|a, b| a.rpi == b.rpi).count();
    }
    let buckets = bucket_count(count);
    let mut rest = arranged.as_mut_slice();
    for same_bucket in places.chunk_by(|a, b| bucket_of(a.1, buckets) == bucket_of(b.1, buckets)) {
        let Some(same_bucket) = rest.split_off_mut(..same_bucket.len()) else { break };
        same_bucket.sort_unstable_by_key(order);
    }
    let mut identifiers = Vec::with_capacity(count);
    identifiers.extend(
        arranged
            .chunk_by(|a, b| a.rpi == b.rpi)
            .filter_map(|same| same.first())
            .map(|first| *first.rpi.as_bytes()),
    );
    Arranged { day, sightings: arranged, identifiers, strangers: Vec::new() }
}

impl Arranged {
    fn write(&self, hash: &KeyedHash, image: &mut Vec<u8>) {
        image.extend_from_slice(self.identifiers.as_flattened());

        let buckets = bucket_count(self.identifiers.len());
        let mut rest = self.identifiers.as_slice();
        for bucket in 0..buckets {
            let begin = self.identifiers.len() - rest.len();
            let is_here = |identifier: &&Identifier| bucket_of(hash.of(identifier), buckets) <= bucket;
            let count = rest.iter().take_while(is_here).count();
            let here = rest.split_off(..count).unwrap_or_default();
            image.extend(bucket_record(here, begin));
        }

        let mut rank = 0_u64;
        let mut before = None;
        for sightings in self.sightings.chunks(SIGHTINGS_IN_A_BLOCK) {
            let mut block = [0; BEGINNINGS];
            let (head, bits) = block.split_at_mut(8);
            head.copy_from_slice(&rank.to_le_bytes());
            for (bits, sightings) in bits.iter_mut().zip(sightings.chunks(8)) {
                for (sighting, bit) in sightings.iter().zip(0..) {
                    let begins = before.replace(sighting.rpi) != Some(sighting.rpi);
                    *bits |= u8::from(begins) << bit;
                    rank += u64::from(begins);
                }
            }
            image.extend(block);
        }

        image.extend(filter::of([&self.identifiers, &self.strangers], hash).as_flattened());
        for sighting in &self.sightings {
            image.extend(write_record(sighting));
        }
        image.resize(image.len().next_multiple_of(16), 0);
    }
}
