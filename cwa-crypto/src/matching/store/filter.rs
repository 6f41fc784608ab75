//! The first look at a part of a store: which of a key's identifiers may be in it.

use alloc::vec::Vec;

use super::key::KeyedHash;
use super::part::Identifier;
#[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
use super::words::{Words, shift_in_whether_zero};
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use crate::simd::{Words, shift_in_whether_zero};

/// The filter of a part: a power of two of words, each 64 bits in little-endian order.
///
/// An identifier sets three bits of one word. Its first eight bytes, multiplied with a number of the store's, choose the
/// word by the high bits of the product, and the three bits by its lowest byte: no more than a processor has
/// instructions for, since this is done 144 times for each key.
///
/// The multiplier is odd, and nobody outside knows it, which makes the choice of a word universal: for two identifiers that differ in
/// their first eight bytes, however they were chosen, at most two multipliers in as many as there are words choose the
/// same (Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem", 1997). Identifiers that
/// agree in these bytes are in the same word, and crowd no other.
#[derive(Clone, Copy)]
pub(in crate::matching) struct Filter<'a> {
    words: Words<'a>,
    multiplier: u64,
    patterns: &'a [u64; 256],
}

/// Bytes of a word.
pub(super) const WORD: usize = 8;

impl<'a> Filter<'a> {
    /// The filter with these words. One that is shorter than the shortest lets nothing pass.
    pub(super) fn new(words: &'a [[u8; WORD]], hash: &KeyedHash) -> Self {
        let words = Words::new(words).unwrap_or(Words::ZERO);
        Self { words, multiplier: hash.multiplier(), patterns: &PATTERNS }
    }

    /// Moves `mask` up to make room for `identifiers`, and sets the bits of those that may be in the part; the bit of
    /// the first is the lowest.
    #[inline(always)]
    pub(in crate::matching) fn ask(&self, mask: u64, identifiers: &[Identifier]) -> u64 {
        identifiers.iter().rev().fold(mask, |mask, identifier| {
            let product = product(identifier, self.multiplier);
            let missing = !self.words.chosen_by(product) & pattern(product, self.patterns);
            shift_in_whether_zero(mask, missing)
        })
    }
}

/// The words of the filter of these identifiers, which may be in two pieces.
pub(super) fn of(identifiers: [&[Identifier]; 2], hash: &KeyedHash) -> Vec<[u8; WORD]> {
    let mut words = alloc::vec![[0; WORD]; word_count(identifiers.iter().map(|piece| piece.len()).sum())];
    for identifier in identifiers.into_iter().flatten() {
        let product = product(identifier, hash.multiplier());
        let number = product.checked_shr(64 - words.len().trailing_zeros()).unwrap_or(0);
        if let Some(word) = usize::try_from(number).ok().and_then(|number| words.get_mut(number)) {
            *word = (u64::from_le_bytes(*word) | pattern(product, &PATTERNS)).to_le_bytes();
        }
    }
    words
}

/// How many words the filter of so many identifiers has: one for four or less.
pub(super) fn word_count(identifiers: usize) -> usize {
    identifiers.div_ceil(4).checked_next_power_of_two().unwrap_or(usize::MAX / 2 + 1).max(2)
}

#[inline(always)]
fn product(identifier: &Identifier, multiplier: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *identifier;
    u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(multiplier)
}

/// The bits of a word that an identifier sets.
#[inline(always)]
fn pattern(product: u64, patterns: &[u64; 256]) -> u64 {
    let [lowest, ..] = product.to_le_bytes();
    patterns.get(usize::from(lowest)).copied().unwrap_or(0)
}

/// 256 times three of 64 bits.
static PATTERNS: [u64; 256] = patterns();

const fn patterns() -> [u64; 256] {
    let mut patterns = [0; 256];
    // Weyl's sequence through a multiplication, of which the highest bits are the most even.
    let mut state = 0_u64;
    let mut i = 0;
    while i < patterns.len() {
        let mut bits = 0_u64;
        while bits.count_ones() < 3 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
            bits |= 1 << (mixed >> 58);
        }
        #[expect(clippy::indexing_slicing, reason = "below the length, which the loop asks for")]
        let place = &mut patterns[i];
        *place = bits;
        i += 1;
    }
    patterns
}
