//! The image of a store: what its bytes mean.
//!
//! ```text
//! header       0..=7    magic, 89 "CWARPI" 0a      the first byte is that of no text
//!              8..=11   version, 1
//!             12..=15   split: 0 whole, 1 by day
//!             16..=31   store key
//!             32..=39   number of parts
//!             40..=47   zero
//!             48..=79   SHA-256 of all other bytes
//! part table   0..=7    day since the epoch, ascending; 0 if whole       for each part 32 bytes
//!              8..=15   number of identifiers n
//!             16..=23   number of sightings m, at least n
//!             24..=31   number of identifiers in the filter f, at least n and 1; n if whole
//! parts        identifiers  16 n
//!              buckets      16 for every 9 identifiers or less
//!              beginnings   64 for every 448 sightings or less
//!              filter        8 for every 4 of f or less, their number rounded up to a power of two, at least 2
//!              records      13 m
//!              zeros, until the length is divisible by 16
//! ```
//!
//! Numbers are little-endian. Nothing has to be aligned. [`Part`] says what the sections hold.

use alloc::vec::Vec;
use core::ops::Range;

use sha2::{Digest as _, Sha256};

use super::filter::{WORD, word_count};
use super::key::StoreKey;
use super::part::{IDENTIFIERS_IN_A_BUCKET, Part, RECORD, SIGHTINGS_IN_A_BLOCK};
use super::{Split, StoreError};

/// What an image begins with.
pub(super) const MAGIC: [u8; 8] = *b"\x89CWARPI\n";

/// The one version there is.
const VERSION: u32 = 1;

/// Bytes before the part table.
pub(super) const HEADER: usize = 80;

/// Where the digest stands.
pub(super) const DIGEST: Range<usize> = 48..80;

/// Bytes of an entry in the part table.
const ENTRY: usize = 32;

/// What the header and the part table say.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) split: Split,
    pub(super) key: StoreKey,
    pub(super) digest: [u8; 32],
    pub(super) parts: Vec<Extent>,
}

/// Where a part is, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) day: u32,
    pub(super) identifiers: usize,
    pub(super) sightings: usize,
    /// Identifiers in the filter.
    pub(super) filtered: usize,
    /// Where the part begins in the image.
    begin: usize,
}

impl Contents {
    pub(super) fn parse(image: &[u8]) -> Result<Self, StoreError> {
        let too_short = StoreError::TooShort { got: image.len() };
        let (header, rest) = image.split_first_chunk::<HEADER>().ok_or(too_short)?;
        let mut words = header.as_chunks::<8>().0.iter().copied();
        let mut word = || words.next().unwrap_or_default();
        if word() != MAGIC {
            return Err(StoreError::NotAStore);
        }
        let [v0, v1, v2, v3, s0, s1, s2, s3] = word();
        let version = u32::from_le_bytes([v0, v1, v2, v3]);
        if version != VERSION {
            return Err(StoreError::Version { got: version });
        }
        let split = match u32::from_le_bytes([s0, s1, s2, s3]) {
            0 => Split::Whole,
            1 => Split::ByDay,
            got => return Err(StoreError::Split { got }),
        };
        let mut key = [0; StoreKey::LENGTH];
        key.as_chunks_mut().0.fill_with(&mut word);
        let count = u64::from_le_bytes(word());
        if u64::from_le_bytes(word()) != 0 {
            return Err(StoreError::Padding { part: None });
        }
        let mut digest = [0; 32];
        digest.as_chunks_mut().0.fill_with(&mut word);

        let table_length = usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY));
        let (table, _) = table_length.and_then(|length| rest.split_at_checked(length)).ok_or(too_short)?;
        let mut parts: Vec<Extent> = Vec::with_capacity(table.len() / ENTRY);
        let mut begin = (HEADER + table.len()).next_multiple_of(16);
        for (entry, number) in table.as_chunks::<ENTRY>().0.iter().zip(0..) {
            let refused = StoreError::Part { number };
            let numbers: [_; 4] = entry.as_chunks().0.try_into().map_err(|_| refused)?;
            let [Ok(day), Ok(identifiers), Ok(sightings), Ok(filtered)] =
                numbers.map(|number| usize::try_from(u64::from_le_bytes(number)))
            else {
                return Err(refused);
            };
            let day = u32::try_from(day).map_err(|_| refused)?;
            let is_in_order = match (split, parts.last()) {
                (Split::Whole, before) => before.is_none() && day == 0,
                (Split::ByDay, before) => before.is_none_or(|before| before.day < day),
            };
            let is_possible = match split {
                Split::Whole => filtered == identifiers,
                Split::ByDay => filtered >= identifiers,
            };
            // A part without identifiers has no sightings, and is there for its filter.
            let is_empty = (identifiers == 0) == (sightings == 0);
            if !is_in_order || !is_possible || !is_empty || filtered == 0 || sightings < identifiers {
                return Err(refused);
            }
            let extent = Extent { day, identifiers, sightings, filtered, begin };
            let length = extent.sections().and_then(|sections| sections.length());
            parts.push(extent);
            begin = length.and_then(|length| begin.checked_add(length)).ok_or(refused)?;
        }
        if begin != image.len() {
            return Err(StoreError::Length { expected: begin, got: image.len() });
        }
        Ok(Self { split, key: StoreKey::from_bytes(key), digest, parts })
    }
}

impl Extent {
    /// The part in the image that was parsed.
    pub(super) fn part<'a>(&self, image: &'a [u8]) -> Part<'a> {
        let Some(Sections { identifiers, buckets, beginnings, filter, records }) = self.sections() else {
            return Part::default();
        };
        let mut rest = image.get(self.begin..).unwrap_or_default();
        let mut take = |length: usize| rest.split_off(..length).unwrap_or_default();
        Part {
            day: self.day,
            identifiers: take(identifiers).as_chunks().0,
            buckets: take(buckets).as_chunks().0,
            beginnings: take(beginnings).as_chunks().0,
            filter: take(filter).as_chunks().0,
            records: take(records).as_chunks().0,
        }
    }

    fn sections(&self) -> Option<Sections> {
        Sections::of(self.identifiers, self.sightings, self.filtered)
    }

    /// The zeros after the part.
    pub(super) fn padding<'a>(&self, image: &'a [u8]) -> &'a [u8] {
        let range = self.sections().and_then(|sections| {
            let filled = self.begin.checked_add(sections.filled()?)?;
            Some(filled..self.begin.checked_add(sections.length()?)?)
        });
        range.and_then(|range| image.get(range)).unwrap_or_default()
    }
}

/// The lengths of a part's sections, in bytes.
pub(super) struct Sections {
    pub(super) identifiers: usize,
    pub(super) buckets: usize,
    pub(super) beginnings: usize,
    pub(super) filter: usize,
    pub(super) records: usize,
}

impl Sections {
    /// `None` if they would be longer than anything can be.
    pub(super) fn of(identifiers: usize, sightings: usize, filtered: usize) -> Option<Self> {
        Some(Self {
            identifiers: identifiers.checked_mul(16)?,
            buckets: bucket_count(identifiers).checked_mul(super::part::BUCKET)?,
            beginnings: sightings.div_ceil(SIGHTINGS_IN_A_BLOCK).checked_mul(super::part::BEGINNINGS)?,
            filter: word_count(filtered).checked_mul(WORD)?,
            records: sightings.checked_mul(RECORD)?,
        })
    }

    /// With the zeros that follow.
    pub(super) fn length(&self) -> Option<usize> {
        self.filled()?.checked_next_multiple_of(16)
    }

    fn filled(&self) -> Option<usize> {
        let Self { identifiers, buckets, beginnings, filter, records } = *self;
        [buckets, beginnings, filter, records]
            .into_iter()
            .try_fold(identifiers, |sum, length| sum.checked_add(length))
    }
}

/// How many buckets so many identifiers are put in.
pub(super) fn bucket_count(identifiers: usize) -> usize {
    identifiers.div_ceil(IDENTIFIERS_IN_A_BUCKET).min(u32::MAX.try_into().unwrap_or(usize::MAX))
}

/// The header, without the digest, and the part table of parts with these days and numbers of identifiers, of sightings,
/// and of identifiers in the filter.
pub(super) fn header(split: Split, key: &StoreKey, parts: &[(u32, [usize; 3])]) -> Vec<u8> {
    let split: u32 = match split {
        Split::Whole => 0,
        Split::ByDay => 1,
    };
    let mut header = Vec::new();
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend(split.to_le_bytes());
    header.extend(key.expose_bytes());
    header.extend((parts.len() as u64).to_le_bytes());
    header.resize(HEADER, 0);
    for &(day, numbers) in parts {
        header.extend(u64::from(day).to_le_bytes());
        header.extend(numbers.map(|number| (number as u64).to_le_bytes()).as_flattened());
    }
    header.resize(header.len().next_multiple_of(16), 0);
    header
}

/// The zeros between the part table and the first part.
pub(super) fn table_padding(image: &[u8], parts: usize) -> &[u8] {
    let end = parts.saturating_mul(ENTRY).saturating_add(HEADER);
    image.get(end..end.next_multiple_of(16)).unwrap_or_default()
}

/// The digest that belongs into an image.
pub(super) fn digest(image: &[u8]) -> [u8; 32] {
    let before = image.get(..DIGEST.start).unwrap_or_default();
    let after = image.get(DIGEST.end..).unwrap_or_default();
    Sha256::new().chain_update(before).chain_update(after).finalize().into()
}
