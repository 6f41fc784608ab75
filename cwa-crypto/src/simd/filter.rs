//! The first look at a store of received identifiers: one bit of a filter for each identifier of a day.
//!
//! Vectors compute where the bits are, and look at them in the end. In between the bytes of the filter are loaded one by
//! one: instructions that gather are slower.

use core::arch::x86_64::{
    _mm_cvtsi128_si64, _mm512_and_si512, _mm512_cvtepi64_epi8, _mm512_mul_epu32, _mm512_permutexvar_epi64,
    _mm512_set1_epi64, _mm512_setr_epi64, _mm512_sllv_epi64, _mm512_srli_epi64, _mm512_test_epi8_mask,
    _mm512_unpacklo_epi64,
};

use super::{load_blocks, store};

/// Which identifiers of a day have their bit set in `filter`, as masks of 64, 64 and 16.
///
/// As `matching::store` has it, an identifier's first four bytes times the length of the filter are the place: what is
/// above 32 bits is the byte, and the three bits below are the bit.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn candidates(filter: &[u8], day: &[[u8; 16]; 144]) -> [u64; 3] {
    let length = _mm512_set1_epi64((filter.len() as u64).cast_signed());
    let (one, seven) = (_mm512_set1_epi64(1), _mm512_set1_epi64(7));
    // Unpacking puts the fifth identifier of eight beside the first.
    let in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let mut places = Lines([[[0; 16]; 4]; 18]);
    let mut bits = Lines([[[0; 16]; 4]; 3]);
    let bits_of_eights = bits.0.as_flattened_mut().as_flattened_mut().as_chunks_mut::<8>().0;
    for ((eight, places), bits) in day.as_chunks::<8>().0.iter().zip(&mut places.0).zip(bits_of_eights) {
        let [a, b] = eight.as_chunks().0 else { continue };
        let first_bytes = _mm512_unpacklo_epi64(load_blocks(a), load_blocks(b));
        let place = _mm512_permutexvar_epi64(in_order, _mm512_mul_epu32(first_bytes, length));
        let bit = _mm512_sllv_epi64(one, _mm512_and_si512(_mm512_srli_epi64::<29>(place), seven));
        store(places, place);
        *bits = _mm_cvtsi128_si64(_mm512_cvtepi64_epi8(bit)).to_le_bytes();
    }
    // A loop of its own: else the compiler takes each place out of its vector, which costs more than a load.
    let mut bytes = Lines([[[0; 16]; 4]; 3]);
    let places = places.0.as_flattened().as_flattened().as_chunks::<8>().0;
    for (byte, place) in bytes.0.as_flattened_mut().as_flattened_mut().iter_mut().zip(places) {
        let [_, _, _, _, a, b, c, d] = *place;
        let place = u32::from_le_bytes([a, b, c, d]);
        *byte = usize::try_from(place).ok().and_then(|place| filter.get(place)).copied().unwrap_or(0);
    }
    let ([a, b, c], [x, y, z]) = (&bytes.0, &bits.0);
    [test(a, x), test(b, y), test(c, z)]
}

/// Groups of 64 bytes, each on a cache line of its own.
#[repr(C, align(64))]
struct Lines<const N: usize>([[[u8; 16]; 4]; N]);

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn test(bytes: &[[u8; 16]; 4], bits: &[[u8; 16]; 4]) -> u64 {
    _mm512_test_epi8_mask(load_blocks(bytes), load_blocks(bits))
}
