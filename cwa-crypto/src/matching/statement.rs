use crate::diagnosis::DiagnosisKey;
use crate::time::RollingPeriod;

/// What one published key says about identifiers that were received.
///
/// Kept for a key of whose 144 identifiers at least one was received, and for a later copy of such a key, which may
/// take back or change what was said. Nothing about rules is decided yet, so that the same statements can be judged
/// under several.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Statement {
    /// The place of the key among all that were pushed, from 0.
    pub number: u64,
    /// The key, as it was published.
    pub key: DiagnosisKey,
    /// Whether it stood among the revised keys of its export: then it replaces what was said before.
    pub is_revised: bool,
    /// Which of its identifiers were received.
    pub heard: HeardIntervals,
}

/// A set of intervals of one key, as offsets from its first: 0 to 143, whatever the key's rolling period.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "alloc::vec::Vec<u8>", into = "alloc::vec::Vec<u8>")
)]
pub struct HeardIntervals([u64; 3]);

impl HeardIntervals {
    /// No interval.
    pub const NONE: Self = Self([0; 3]);

    /// Adds the interval `offset` after the first. Offsets from 144 on are ignored.
    pub fn insert(&mut self, offset: u8) {
        if offset < RollingPeriod::FULL_DAY.get()
            && let Some(word) = self.0.get_mut(usize::from(offset / 64))
        {
            *word |= 1 << (offset % 64);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, [0, 0, 0])
    }

    /// The offsets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        let words = self.0;
        (0..RollingPeriod::FULL_DAY.get()).filter(move |offset| {
            words.get(usize::from(offset / 64)).is_some_and(|word| word >> (offset % 64) & 1 == 1)
        })
    }
}

impl From<alloc::vec::Vec<u8>> for HeardIntervals {
    /// The set of these offsets; those from 144 on are ignored.
    fn from(offsets: alloc::vec::Vec<u8>) -> Self {
        offsets.into_iter().collect()
    }
}

impl From<HeardIntervals> for alloc::vec::Vec<u8> {
    /// The offsets, ascending.
    fn from(heard: HeardIntervals) -> Self {
        heard.iter().collect()
    }
}

impl FromIterator<u8> for HeardIntervals {
    /// The set of these offsets; those from 144 on are ignored.
    fn from_iter<I: IntoIterator<Item = u8>>(offsets: I) -> Self {
        let mut heard = Self::NONE;
        offsets.into_iter().for_each(|offset| heard.insert(offset));
        heard
    }
}
