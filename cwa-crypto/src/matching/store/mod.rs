//! What one phone received, indexed for matching. The bytes of the index are those of its file.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::Sighting;
use super::statement::HeardIntervals;
use crate::rpi::{DayBlocks, RollingProximityIdentifier};
use crate::time::{ENIntervalNumber, RollingPeriod};

mod build;
mod check;
mod filter;
mod image;
mod key;
mod part;
#[cfg(test)]
mod tests;
#[cfg(any(test, not(all(feature = "simd", target_arch = "x86_64"))))]
mod words;

use build::day_of_interval;
pub(super) use filter::Filter;
use image::Contents;
use key::KeyedHash;
pub use key::StoreKey;
use part::Part;

/// All that one phone received, indexed once by identifier.
///
/// It is an image of bytes, in memory or mapped from a file ([`as_bytes`](Self::as_bytes) and [`parse`](Self::parse)
/// are all there is to writing and reading one), and takes 16 bytes for each identifier, less than 6 for its index, and
/// 13 for each sighting.
///
/// ```
/// use cwa_crypto::matching::{ReceivedIdentifiers, Sighting, Split, StoreKey};
/// use cwa_crypto::{AssociatedEncryptedMetadata, RollingProximityIdentifier, UnixTime};
///
/// let rpi: RollingProximityIdentifier = "8be6cd371c5c891604bfbe49df845096".parse()?;
/// let sighting = Sighting::new(rpi, "72033874".parse()?, -42, UnixTime::from_secs(1_585_785_630));
/// let key = StoreKey::generate(&mut rand::rng());
/// let received = ReceivedIdentifiers::build([sighting], Split::Whole, &key);
///
/// let file: Vec<u8> = received.as_bytes().to_vec();
/// let mapped = ReceivedIdentifiers::parse(file.as_slice())?;
/// mapped.check()?;
/// assert_eq!(mapped.sightings_of(rpi), [sighting]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ReceivedIdentifiers<B = Vec<u8>> {
    bytes: B,
    contents: Contents,
    hash: KeyedHash,
}

/// How a store is divided, which decides how far from its time an identifier is found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Split {
    /// Not at all: every sighting of a key's identifier is found, however far off in time, so that rules can say why
    /// it does not count.
    Whole,
    /// By the UTC day of the sightings. A key meets the days it can hit, and keys that can hit none are not even derived.
    /// Sightings more than [12 intervals](Self::TOLERANCE_INTERVALS) from an identifier's own are as good as not received.
    ByDay,
}

impl Split {
    /// How far from its time an identifier is found in a store that is split by day: the widest tolerance of any rules.
    pub const TOLERANCE_INTERVALS: u32 = 12;

    /// The name in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::ByDay => "by-day",
        }
    }
}

impl ReceivedIdentifiers {
    /// Indexes `sightings`, which may come in any order. The same sightings and key give the same bytes.
    #[must_use]
    pub fn build(sightings: impl IntoIterator<Item = Sighting>, split: Split, key: &StoreKey) -> Self {
        let sightings: Vec<_> = sightings.into_iter().collect();
        Self::just_built(build::build(&sightings, split, key))
    }

    #[expect(clippy::expect_used, reason = "the image was laid out by the functions that parsing goes by")]
    fn just_built(image: Vec<u8>) -> Self {
        Self::parse(image).expect("an image that was just built")
    }
}

impl<B: AsRef<[u8]>> ReceivedIdentifiers<B> {
    /// Takes the image of a store, after checking its structure; this takes the same time whatever the length.
    ///
    /// An image that is wrong inside gives wrong answers, but nothing worse. For one that may have been damaged or made
    /// up, there is [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// Not an image of this version, or sections that do not fill it exactly.
    pub fn parse(bytes: B) -> Result<Self, StoreError> {
        let contents = Contents::parse(bytes.as_ref())?;
        let hash = KeyedHash::new(&contents.key);
        Ok(Self { bytes, contents, hash })
    }

    /// Checks the whole image: that its bytes are those that [`build`](ReceivedIdentifiers::build) makes of the
    /// sightings in it.
    ///
    /// # Errors
    ///
    /// They are not: the image was damaged or made up.
    pub fn check(&self) -> Result<(), StoreError> {
        check::check(self.bytes.as_ref(), &self.contents, &self.hash)
    }

    /// The same store with its image elsewhere, for instance shared or behind a type that others have too.
    ///
    /// `map` must not change the bytes; if it does, answers are those of a damaged image.
    #[must_use]
    pub fn map_bytes<C: AsRef<[u8]>>(self, map: impl FnOnce(B) -> C) -> ReceivedIdentifiers<C> {
        let Self { bytes, contents, hash } = self;
        ReceivedIdentifiers { bytes: map(bytes), contents, hash }
    }

    /// The image.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// How the store is divided.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.contents.split
    }

    /// The SHA-256 digest in the image, which stands for all of it.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.contents.digest
    }

    /// The number of sightings.
    #[must_use]
    pub fn sighting_count(&self) -> usize {
        self.contents.parts.iter().map(|part| part.sightings).sum()
    }

    /// The number of different identifiers among them. In a store that is split by day, one that was received on two
    /// days counts twice.
    #[must_use]
    pub fn identifier_count(&self) -> usize {
        self.contents.parts.iter().map(|part| part.identifiers).sum()
    }

    /// How many bytes of the image are the sightings themselves, without their identifiers: 13 for each. All others are
    /// the index.
    #[must_use]
    pub fn payload_size(&self) -> usize {
        self.sighting_count() * part::RECORD
    }

    /// The sightings of one identifier, ordered by time.
    #[must_use]
    pub fn sightings_of(&self, rpi: RollingProximityIdentifier) -> Vec<Sighting> {
        self.parts().flat_map(|part| part.sightings_of(&self.hash, rpi)).collect()
    }

    /// All sightings, in the order of the image.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting> {
        self.parts().flat_map(Part::sightings)
    }

    /// What looking up needs, once for many keys.
    pub(super) fn store(&self) -> Store<'_> {
        let Contents { split, digest, .. } = self.contents;
        Store { split, digest, hash: self.hash, parts: self.parts().collect() }
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.contents.parts.iter().map(|extent| extent.part(self.bytes.as_ref()))
    }
}

impl<B> fmt::Debug for ReceivedIdentifiers<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedIdentifiers")
            .field("split", &self.contents.split)
            .field("parts", &self.contents.parts.len())
            .finish_non_exhaustive()
    }
}

/// A store as the matcher uses it.
#[derive(Clone)]
pub(super) struct Store<'a> {
    split: Split,
    digest: [u8; 32],
    hash: KeyedHash,
    /// Ascending by day.
    parts: Vec<Part<'a>>,
}

impl<'a> Store<'a> {
    pub(super) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) const fn split(&self) -> Split {
        self.split
    }

    /// Whether keys that begin at `start` can meet anything.
    pub(super) fn is_near(&self, start: ENIntervalNumber) -> bool {
        self.split == Split::Whole || days_of(start).into_iter().any(|day| self.part_of(day).is_some())
    }

    /// Where they can meet it.
    pub(super) fn near(&self, start: ENIntervalNumber) -> Near<'_, 'a> {
        let parts = self.parts_between(start.get(), start.get().saturating_add(LAST_OFFSET));
        let filter = |part: Option<&Part<'a>>| match part {
            Some(part) => part.filter(&self.hash),
            None => Filter::new(&[], &self.hash),
        };
        if self.split == Split::Whole {
            return Near { start: None, parts, filter: filter(parts.first()), elsewhere: None };
        }
        // How many intervals are of the day of the first one.
        let [today, tomorrow] = days_of(start).map(|day| self.part_of(day));
        let of_today = INTERVALS_OF_A_DAY - start.get() % INTERVALS_OF_A_DAY;
        let (main, elsewhere) = match u8::try_from(of_today) {
            Ok(of_today @ ..72) => (tomorrow, today.map(|today| (filter(Some(today)), 0..of_today))),
            Ok(of_today @ ..144) => (today, tomorrow.map(|tomorrow| (filter(Some(tomorrow)), of_today..144))),
            _ => (today, None),
        };
        Near { start: Some(start), parts, filter: filter(main), elsewhere }
    }

    /// Whether an identifier may be where its key can meet it.
    #[inline(always)]
    pub(super) fn may_have(&self, near: &Near<'_, '_>, identifier: &[u8; 16]) -> bool {
        near.parts.iter().fold(false, |may, part| may | part.may_have(&self.hash, identifier))
    }

    /// Whether it is, and was received when it can count.
    pub(super) fn has(
        &self,
        near: &Near<'_, '_>,
        start: ENIntervalNumber,
        offset: u8,
        day: &DayBlocks,
    ) -> bool {
        let tolerance = match self.split {
            Split::Whole => None,
            Split::ByDay => Some(Split::TOLERANCE_INTERVALS),
        };
        let Some(identifier) = day.0.get(usize::from(offset)) else { return false };
        let Some(interval) = start.checked_add(offset.into()) else { return false };
        near.parts.iter().any(|part| part.has(&self.hash, identifier, interval, tolerance))
    }

    /// Adds to `heard` which identifiers of a key are stored that its [filter](Near::filter) was not asked about.
    pub(super) fn look_up_elsewhere(
        &self,
        near: &Near<'_, '_>,
        start: ENIntervalNumber,
        day: &DayBlocks,
        heard: &mut HeardIntervals,
    ) {
        let Some((filter, offsets)) = &near.elsewhere else { return };
        for offset in offsets.clone() {
            let identifier = day.0.get(usize::from(offset));
            if identifier.is_some_and(|identifier| filter.ask(0, core::slice::from_ref(identifier)) == 1)
                && self.has(near, start, offset, day)
            {
                heard.insert(offset);
            }
        }
    }

    /// The sightings of a key's identifier, ordered by time: those that a match or a drop can be about.
    pub(super) fn sightings_of(
        &self,
        rpi: RollingProximityIdentifier,
        interval: ENIntervalNumber,
    ) -> Vec<Sighting> {
        let parts = self.parts_between(interval.get(), interval.get());
        let sightings = parts.iter().flat_map(|part| part.sightings_of(&self.hash, rpi));
        let is_near = |sighting: &Sighting| {
            self.split == Split::Whole
                || interval.abs_diff(ENIntervalNumber::at(sighting.seen_at)) <= Split::TOLERANCE_INTERVALS
        };
        sightings.filter(is_near).collect()
    }

    fn part_of(&self, day: u32) -> Option<&Part<'a>> {
        self.parts.get(self.parts.binary_search_by_key(&day, |part| part.day).ok()?)
    }

    /// The parts with sightings that identifiers of these intervals can meet.
    fn parts_between(&self, first: u32, last: u32) -> &[Part<'a>] {
        if self.split == Split::Whole {
            return &self.parts;
        }
        let first = day_of_interval(first.saturating_sub(Split::TOLERANCE_INTERVALS));
        let last = day_of_interval(last.saturating_add(Split::TOLERANCE_INTERVALS));
        let begin = self.parts.partition_point(|part| part.day < first);
        let end = self.parts.partition_point(|part| part.day <= last);
        self.parts.get(begin..end).unwrap_or_default()
    }
}

/// Where some keys can meet anything.
#[derive(Clone)]
pub(in crate::matching) struct Near<'s, 'a> {
    /// The first interval of these keys; none if they are all keys.
    start: Option<ENIntervalNumber>,
    /// Where their identifiers can be.
    parts: &'s [Part<'a>],
    /// The filter that knows most of them, and one for the offsets that another knows.
    filter: Filter<'a>,
    elsewhere: Option<(Filter<'a>, Range<u8>)>,
}

impl<'a> Near<'_, 'a> {
    /// Whether keys that begin at `start` are among these keys.
    pub(super) fn is_for(&self, start: ENIntervalNumber) -> bool {
        self.start.is_none_or(|own| own == start)
    }

    /// What to ask first, about all identifiers of a key.
    pub(super) const fn filter(&self) -> Filter<'a> {
        self.filter
    }

    /// Whether that is not all.
    pub(super) const fn is_divided(&self) -> bool {
        self.elsewhere.is_some()
    }
}

impl fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("split", &self.split)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// The days of a key's first and last interval.
fn days_of(start: ENIntervalNumber) -> [u32; 2] {
    [start.get(), start.get().saturating_add(LAST_OFFSET)].map(day_of_interval)
}

const INTERVALS_OF_A_DAY: u32 = RollingPeriod::FULL_DAY.get() as u32;

const LAST_OFFSET: u32 = INTERVALS_OF_A_DAY - 1;

/// What is wrong with the image of a store. Parts are numbered from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not begin as an image does.
    #[error("not a store of received identifiers")]
    NotAStore,
    /// It ends before its header or its part table does.
    #[error("a store of {got} bytes ends within its header")]
    TooShort {
        /// The length found, in bytes.
        got: usize,
    },
    /// A version that this code does not know.
    #[error("the store has version {got}, not 1")]
    Version {
        /// The version found.
        got: u32,
    },
    /// A division that this code does not know.
    #[error("the store is divided in way {got}, not 0 (whole) or 1 (by day)")]
    Split {
        /// The number found.
        got: u32,
    },
    /// An entry of the part table with days out of order, or impossible numbers of identifiers or sightings.
    #[error("the table entry of part {number} cannot be")]
    Part {
        /// The part.
        number: usize,
    },
    /// The sections do not fill the image, or do not fit.
    #[error("the store is {got} bytes long, not {expected}")]
    Length {
        /// The length that the part table asks for, in bytes.
        expected: usize,
        /// The length found, in bytes.
        got: usize,
    },
    /// Other bytes than those that were written.
    #[error("the store's digest is wrong")]
    Digest,
    /// Something stands where zeros belong.
    #[error("there are other bytes than zeros between the sections")]
    Padding {
        /// The part after which it is; none for the header and the part table.
        part: Option<usize>,
    },
    /// Identifiers out of order, or in the wrong bucket.
    #[error("the identifiers of part {part} are not where they belong")]
    Identifiers {
        /// The part.
        part: usize,
    },
    /// A filter that is not that of the identifiers that keys of its day can meet, or none where there should be one.
    #[error("the filter of part {part} is not that of the identifiers of its day")]
    Filter {
        /// The part; their number if one is missing after all others.
        part: usize,
    },
    /// Sightings out of order, of another day, or of no identifier.
    #[error("the sightings of part {part} are not where they belong")]
    Sightings {
        /// The part.
        part: usize,
    },
}

/// The first bytes of a store's image, which no text begins with: what a file is told apart by.
pub const STORE_MAGIC: [u8; 8] = image::MAGIC;
