//! Batches on x86-64 with AVX-512 and VAES, chosen while the program runs.
//!
//! SHA-256 works on 16 keys at once, one in each 32-bit lane of a vector; AES works on four blocks at once, one in each
//! 128-bit lane. Neither fills the processor: SHA-256 mostly adds and rotates, AES mostly waits for the one or two units
//! that know its round. So while one group of 16 keys is [hashed](hkdf), the days of the group before it are
//! [encrypted](aes) in between, a third of a day with every eight rounds of SHA-256, which comes out even: six
//! compressions are 48 times eight rounds, and 16 days are 48 thirds.
//!
//! Both leave the units for integers idle. With every round of SHA-256 there is time for an eighth of
//! [something else](crate::derive::Meanwhile), such as to ask the filter of a store about the day before.
//!
//! `unsafe` is in this file alone: the call into code for AVX-512, loads and stores, one look into a table, and two
//! statements in assembler. What is computed, from public keys to public identifiers, branches on nothing but how many
//! keys there are.

#![expect(unsafe_code, reason = "intrinsics need it where they touch memory; each block has its proof")]
#![deny(unsafe_op_in_unsafe_fn)]

mod aes;
mod hkdf;

use core::arch::asm;
use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_shuffle_epi8, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use self::aes::Encryption;
use crate::derive::Days;
use crate::diagnosis::DiagnosisKey;

// Asks for the instructions (CPUID) and for whether the operating system keeps the registers they use (XCR0: opmasks
// and all of zmm0 to zmm31), once.
cpufeatures::new!(avx512, "avx512f", "avx512bw", "vaes", "bmi1", "bmi2");

/// Proof that the processor and the operating system have what was just asked for: there is no other way to one.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        avx512::get().then_some(Self(()))
    }

    /// Derives the days of all keys, in order.
    pub(crate) fn run(self, keys: &[DiagnosisKey], days: &mut impl Days) {
        // SAFETY: `run` needs the target features that it enables, and `self` proves that they are here. It is
        // safe in every other respect, for the compiler checks its body.
        unsafe { run(keys, days) }
    }
}

/// Words, of which the high bits of a number choose one. For every x86-64.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    words: &'a [[u8; 8]],
    /// 64 less a number of bits that all are needed for no more than the number of words: 1 to 63.
    shift: u32,
}

impl<'a> Words<'a> {
    /// Two words of zeros.
    pub(crate) const ZERO: Self = Self { words: &[[0; 8]; 2], shift: 63 };

    /// These words, if there are at least two; those above the highest power of two are never chosen.
    pub(crate) fn new(words: &'a [[u8; 8]]) -> Option<Self> {
        let bits = words.len().checked_ilog2().filter(|bits| *bits > 0)?;
        Some(Self { words, shift: 64 - bits })
    }

    /// Without asking whether it exists: this is done 144 times for each key, beside the encryption.
    #[inline(always)]
    pub(crate) fn chosen_by(&self, number: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of words")]
        let place = (number >> self.shift) as usize;
        // SAFETY: with `bits` from `new`, or 1 in `ZERO`, `place` is below 2^bits, and there are at least 2^bits words.
        u64::from_le_bytes(*unsafe { self.words.get_unchecked(place) })
    }
}

/// `mask` moved up by one bit, which is set if `number` is zero. For every x86-64.
///
/// In two instructions, where the compiler takes four, and where it is written: see [`fence`].
#[inline(always)]
pub(crate) fn shift_in_whether_zero(mut mask: u64, number: u64) -> u64 {
    // SAFETY: only these two registers are used, and the flags, of which nothing says that they are kept. Only zero is
    // below one, which sets the carry.
    unsafe {
        asm!("cmp {0}, 1", "adc {1}, {1}", in(reg) number, inout(reg) mask, options(pure, nomem, nostack));
    }
    mask
}

#[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
fn run(keys: &[DiagnosisKey], days: &mut impl Days) {
    let mut encryption = Encryption::new(days);
    let mut group: &[DiagnosisKey] = &[];
    for next in keys.chunks(LANES) {
        let rpiks = if group.is_empty() {
            hkdf::rolling_proximity_identifier_keys::<false, _>(next, &mut encryption)
        } else {
            hkdf::rolling_proximity_identifier_keys::<true, _>(next, &mut encryption)
        };
        encryption.start(next, rpiks);
        group = next;
    }
    encryption.finish();
}

/// Keys in a group: the 32-bit lanes of a vector.
const LANES: usize = 16;

/// 16 words of SHA-256, each of another key, or four blocks of AES.
type Vector = __m512i;

/// 64 bytes of four blocks or keys, on a cache line of their own.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([[u8; 16]; 4]);

impl Line {
    const ZERO: Self = Self([[0; 16]; 4]);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> Vector {
    // SAFETY: `line` is a reference to 64 bytes that can be read; the load needs no alignment.
    unsafe { _mm512_loadu_si512((&raw const *line).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(blocks: &mut [[u8; 16]; 4], vector: Vector) {
    // SAFETY: `blocks` is an exclusive reference to 64 bytes that can be written; the store needs no alignment.
    unsafe { _mm512_storeu_si512((&raw mut *blocks).cast(), vector) }
}

/// The same block in each 128-bit lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(block: &[u8; 16]) -> Vector {
    // SAFETY: `block` is a reference to 16 bytes that can be read; the load needs no alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128((&raw const *block).cast()) })
}

/// Ends, for the compiler, a step of both computations: what makes `a`, `b` and `blocks` comes before what uses them.
///
/// Without it the compiler parts the two: it moves all of SHA-256 to one side and all of AES to the other, so far
/// that the processor no longer sees both at once.
#[inline]
#[rustfmt::skip]
#[target_feature(enable = "avx512f")]
fn fence(a: &mut Vector, b: &mut Vector, blocks: &mut [Vector; 12], meanwhile: &mut u64) {
    let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11] = blocks;
    // SAFETY: no instruction: the text is a comment. Each register goes out as it came in; no memory, stack or flag is
    // touched, as the options say.
    unsafe {
        asm!(
            "/* {0} {1} {2} {3} {4} {5} {6} {7} {8} {9} {10} {11} {12} {13} {14} */",
            inout(zmm_reg) *a, inout(zmm_reg) *b,
            inout(zmm_reg) *x0, inout(zmm_reg) *x1, inout(zmm_reg) *x2, inout(zmm_reg) *x3,
            inout(zmm_reg) *x4, inout(zmm_reg) *x5, inout(zmm_reg) *x6, inout(zmm_reg) *x7,
            inout(zmm_reg) *x8, inout(zmm_reg) *x9, inout(zmm_reg) *x10, inout(zmm_reg) *x11,
            inout(reg) *meanwhile,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// The word in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn word(word: u32) -> Vector {
    _mm512_set1_epi32(word.cast_signed())
}

/// From four keys in each of four vectors to one word of 16 keys in each of four, or back.
///
/// A key of number `4 * i + j` is lane `i` of vector `j`, and lane `4 * i + j` of the words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
    let (ab_low, cd_low) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// The bytes of every word in reverse: SHA-256 is big-endian, x86-64 little-endian.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(vector: Vector) -> Vector {
    _mm512_shuffle_epi8(vector, broadcast(&[3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]))
}
