//! What [`crate::simd`] has of the same names, for other processors.

use super::filter::WORD;

/// Words, of which the high bits of a number choose one.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    words: &'a [[u8; WORD]],
    shift: u32,
}

impl<'a> Words<'a> {
    /// Two words of zeros.
    pub(super) const ZERO: Self = Self { words: &[[0; WORD]; 2], shift: 63 };

    /// These words, if there are at least two; those above the highest power of two are never chosen.
    pub(super) fn new(words: &'a [[u8; WORD]]) -> Option<Self> {
        let bits = words.len().checked_ilog2().filter(|bits| *bits > 0)?;
        Some(Self { words, shift: 64 - bits })
    }

    #[inline(always)]
    pub(super) fn chosen_by(&self, number: u64) -> u64 {
        let word = usize::try_from(number >> (self.shift & 63)).ok().and_then(|place| self.words.get(place));
        u64::from_le_bytes(word.copied().unwrap_or_default())
    }
}

/// `mask` moved up by one bit, which is set if `number` is zero.
#[inline(always)]
pub(super) fn shift_in_whether_zero(mask: u64, number: u64) -> u64 {
    mask << 1 | u64::from(number == 0)
}
