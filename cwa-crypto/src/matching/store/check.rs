//! Whether an image is what building it makes.

use alloc::vec::Vec;

use super::build::{bucket_record, day_of, order, strangers};
use super::image::{self, Contents, Extent};
use super::key::KeyedHash;
use super::part::{BEGINNINGS, Identifier, Part, begin_of, bucket_of, rank_of};
use super::{Split, StoreError, filter};
use crate::matching::Sighting;

/// Checks everything that parsing does not.
pub(super) fn check(image: &[u8], contents: &Contents, hash: &KeyedHash) -> Result<(), StoreError> {
    if image::digest(image) != contents.digest {
        return Err(StoreError::Digest);
    }
    if image::table_padding(image, contents.parts.len()).iter().any(|byte| *byte != 0) {
        return Err(StoreError::Padding { part: None });
    }
    contents.parts.iter().zip(0..).try_for_each(|(extent, number)| {
        let part = extent.part(image);
        if extent.padding(image).iter().any(|byte| *byte != 0) {
            return Err(StoreError::Padding { part: Some(number) });
        }
        if !are_buckets_right(&part, hash) {
            return Err(StoreError::Identifiers { part: number });
        }
        if !are_beginnings_right(&part, extent) || !are_sightings_right(part, contents.split) {
            return Err(StoreError::Sightings { part: number });
        }
        Ok(())
    })?;
    are_filters_right(image, contents, hash)
}

/// Whether each filter has what it should have, and there is one wherever there should be. For this the sightings have
/// to be right.
fn are_filters_right(image: &[u8], contents: &Contents, hash: &KeyedHash) -> Result<(), StoreError> {
    let sightings = contents.parts.iter().flat_map(|extent| extent.part(image).sightings());
    let strangers = strangers(sightings, contents.split);
    let mut strangers = strangers.as_slice();
    for (extent, number) in contents.parts.iter().zip(0..) {
        let part = extent.part(image);
        let here = strangers.iter().take_while(|(day, _)| *day == part.day).count();
        let here = strangers.split_off(..here).unwrap_or_default();
        let here: Vec<_> = here.iter().map(|(_, identifier)| *identifier).collect();
        let is_right = extent.filtered == extent.identifiers + here.len()
            && filter::of([part.identifiers, &here], hash) == part.filter;
        if !is_right {
            return Err(StoreError::Filter { part: number });
        }
    }
    match strangers {
        [] => Ok(()),
        _ => Err(StoreError::Filter { part: contents.parts.len() }),
    }
}

/// Whether every identifier is in its bucket, each once and ascending, and the buckets' records say so.
fn are_buckets_right(part: &Part<'_>, hash: &KeyedHash) -> bool {
    let mut rest = part.identifiers;
    let is_right = part.buckets.iter().zip(0..).all(|(record, number)| {
        let begin = part.identifiers.len() - rest.len();
        let next = part.buckets.get(number + 1).map_or(Some(part.identifiers.len()), begin_of);
        let count = next.and_then(|next| next.checked_sub(begin));
        let Some(here) = count.and_then(|count| rest.split_off(..count)) else { return false };
        here.is_sorted_by(|a, b| a < b)
            && here
                .iter()
                .all(|identifier: &Identifier| bucket_of(hash.of(identifier), part.buckets.len()) == number)
            && *record == bucket_record(here, begin)
    });
    is_right && rest.is_empty()
}

/// Whether as many identifiers begin as there are, the first with the first sighting, and the blocks count them right.
fn are_beginnings_right(part: &Part<'_>, extent: &Extent) -> bool {
    let mut rank = 0;
    let mut left = extent.sightings;
    let are_counted = part.beginnings.iter().all(|block: &[u8; BEGINNINGS]| {
        let is_right = rank_of(block) == rank;
        for bits in block.iter().skip(8) {
            // Past the last sighting nothing begins.
            if left < 8 && bits >> left != 0 {
                return false;
            }
            left = left.saturating_sub(8);
            rank += u64::from(bits.count_ones());
        }
        is_right
    });
    let begins_first = extent.sightings == 0
        || part.beginnings.first().is_some_and(|[_, _, _, _, _, _, _, _, bits, ..]| bits & 1 == 1);
    are_counted && begins_first && rank == extent.identifiers as u64
}

/// Whether the sightings of each identifier are ordered, and all of them of the part's day.
fn are_sightings_right(part: Part<'_>, split: Split) -> bool {
    let mut sightings = part.sightings().peekable();
    let follows =
        |sighting: &Sighting, next: &Sighting| sighting.rpi != next.rpi || order(sighting) <= order(next);
    while let Some(sighting) = sightings.next() {
        if day_of(&sighting, split) != part.day
            || sightings.peek().is_some_and(|next| !follows(&sighting, next))
        {
            return false;
        }
    }
    true
}
