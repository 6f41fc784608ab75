//! [HKDF](crate::derive::hkdf) with SHA-256 (FIPS 180-4) of 16 keys, one in each lane.

#![expect(
    clippy::indexing_slicing,
    reason = "each index is a constant, or masked to the length of its array"
)]

use core::arch::x86_64::{
    _mm512_add_epi32 as add, _mm512_ror_epi32 as rotate_right, _mm512_setzero_si512,
    _mm512_srli_epi32 as shift_right, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

use super::aes::Encryption;
use super::{Line, Vector, load, swap_bytes, transpose, word};
use crate::derive::Days;
use crate::derive::hkdf::{self, INFO_BLOCK, INITIAL, INNER_OF_ZERO_KEY, OUTER_OF_ZERO_KEY};
use crate::diagnosis::DiagnosisKey;

/// The four words of `RPIK_i` of at most 16 keys; lanes without a key have no meaning.
///
/// With `ENCRYPT`, encrypts the 16 days of `encryption` meanwhile.
#[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
pub(super) fn rolling_proximity_identifier_keys<const ENCRYPT: bool, D: Days>(
    keys: &[DiagnosisKey],
    encryption: &mut Encryption<'_, D>,
) -> [Vector; 4] {
    let mut hash = |from: &State, block: &mut Block, constants: &Constants, expand: Expand| {
        compress::<ENCRYPT, D>(from, block, constants, expand, encryption)
    };
    let mut block = last_block_of_key(keys);
    let inner = hash(&state(INNER_OF_ZERO_KEY), &mut block, &ROUND_CONSTANTS, Expand::Yes);
    set_last_block_of_digest(&mut block, &inner);
    let prk = hash(&state(OUTER_OF_ZERO_KEY), &mut block, &ROUND_CONSTANTS, Expand::Yes);

    set_padded_key(&mut block, &prk, hkdf::OUTER_PAD);
    let outer = hash(&state(INITIAL), &mut block, &ROUND_CONSTANTS, Expand::Yes);
    set_padded_key(&mut block, &prk, hkdf::INNER_PAD);
    let inner = hash(&state(INITIAL), &mut block, &ROUND_CONSTANTS, Expand::Yes);
    block = [[_mm512_setzero_si512(); 8]; 2];
    let inner = hash(&inner, &mut block, &ROUND_CONSTANTS_AND_INFO, Expand::No);
    set_last_block_of_digest(&mut block, &inner);
    let [a, b, c, d, ..] = hash(&outer, &mut block, &ROUND_CONSTANTS, Expand::Yes);
    [a, b, c, d]
}

/// The eight words of a chaining value or digest.
type State = [Vector; 8];

/// The 16 words of a block in two halves; while they are used, the words of the message schedule that replace them.
type Block = [[Vector; 8]; 2];

/// What a round adds beside its word, in eights.
type Constants = [[u32; 8]; 8];

/// Whether the constants leave the message schedule to be computed, or hold it already.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Expand {
    Yes,
    No,
}

#[inline]
#[target_feature(enable = "avx512f")]
fn state(words: hkdf::State) -> State {
    let mut state = [_mm512_setzero_si512(); 8];
    for (vector, constant) in state.iter_mut().zip(words) {
        *vector = word(constant);
    }
    state
}

/// `tek | 0x80 | zeros | 640`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn last_block_of_key(keys: &[DiagnosisKey]) -> Block {
    let mut lines = [Line::ZERO; 4];
    for (number, key) in keys.iter().enumerate() {
        lines[number % 4].0[number / 4 % 4] = key.key_data;
    }
    let [l0, l1, l2, l3] = &lines;
    let words = [swap_bytes(load(l0)), swap_bytes(load(l1)), swap_bytes(load(l2)), swap_bytes(load(l3))];
    let [w0, w1, w2, w3] = transpose(words);
    let zero = _mm512_setzero_si512();
    [
        [w0, w1, w2, w3, word(0x8000_0000), zero, zero, zero],
        [zero, zero, zero, zero, zero, zero, zero, word(640)],
    ]
}

/// `digest | 0x80 | zeros | 768`.
#[inline]
#[target_feature(enable = "avx512f")]
fn set_last_block_of_digest([first, second]: &mut Block, digest: &State) {
    let zero = _mm512_setzero_si512();
    *first = *digest;
    *second = [word(0x8000_0000), zero, zero, zero, zero, zero, zero, word(768)];
}

/// `(key | zeros) ^ pad`.
#[inline]
#[target_feature(enable = "avx512f")]
fn set_padded_key([first, second]: &mut Block, key: &State, pad: u8) {
    let pad = word(u32::from_ne_bytes([pad; 4]));
    for (word, key) in first.iter_mut().zip(key) {
        *word = _mm512_xor_si512(*key, pad);
    }
    *second = [pad; 8];
}

/// Eight rounds, after which the working variables have their old names again.
macro_rules! eight_rounds {
    ($schedule:ident schedule, $third:ident, $w:ident, $newer:ident, $k:ident,
     $a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident) => {
        round!($schedule 0, $third, $w, $newer, $k, $a, $b, $c, $d, $e, $f, $g, $h);
        round!($schedule 1, $third, $w, $newer, $k, $h, $a, $b, $c, $d, $e, $f, $g);
        round!($schedule 2, $third, $w, $newer, $k, $g, $h, $a, $b, $c, $d, $e, $f);
        round!($schedule 3, $third, $w, $newer, $k, $f, $g, $h, $a, $b, $c, $d, $e);
        round!($schedule 4, $third, $w, $newer, $k, $e, $f, $g, $h, $a, $b, $c, $d);
        round!($schedule 5, $third, $w, $newer, $k, $d, $e, $f, $g, $h, $a, $b, $c);
        round!($schedule 6, $third, $w, $newer, $k, $c, $d, $e, $f, $g, $h, $a, $b);
        round!($schedule 7, $third, $w, $newer, $k, $b, $c, $d, $e, $f, $g, $h, $a);
    };
}

/// Round `i` of eight, and beside it an eighth of the encryption of a third of a day.
macro_rules! round {
    ($schedule:ident $i:literal, $third:ident, $w:ident, $newer:ident, $k:ident,
     $a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident) => {
        if let Some(third) = &mut $third {
            third.encrypt($i, 0);
        }
        round!(@schedule $schedule $i, $w, $newer);
        // The names are the standard's, but for `$h` and `$d`, which become the next round's a and e.
        let mut word_and_constant = add($w[$i], word($k[$i]));
        let mut t1 = add($h, choose($e, $f, $g));
        let sigma = big_sigma_1($e);
        if let Some(third) = &mut $third {
            third.fence(&mut word_and_constant, &mut t1);
            third.encrypt($i, 1);
        }
        let t1 = add(add(t1, word_and_constant), sigma);
        $d = add($d, t1);
        $h = add(add(t1, majority($a, $b, $c)), big_sigma_0($a));
        if let Some(third) = &mut $third {
            third.fence(&mut $d, &mut $h);
            third.do_meanwhile($i);
        }
    };
    // W_t = σ1(W_{t-2}) + W_{t-7} + σ0(W_{t-15}) + W_{t-16}, each in whichever half it is
    (@schedule with $i:literal, $w:ident, $newer:ident) => {
        let w2 = if $i < 2 { $newer[($i + 6) % 8] } else { $w[($i + 6) % 8] };
        let w7 = if $i < 7 { $newer[($i + 1) % 8] } else { $w[0] };
        let w15 = if $i < 7 { $w[($i + 1) % 8] } else { $newer[0] };
        $w[$i] = add(add($w[$i], w7), add(small_sigma_0(w15), small_sigma_1(w2)));
    };
    (@schedule without $i:literal, $w:ident, $newer:ident) => {};
}
/// The compression function (FIPS 180-4, section 6.2.2), and a third of a day after every eight rounds.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
fn compress<const ENCRYPT: bool, D: Days>(
    from: &State,
    block: &mut Block,
    constants: &Constants,
    expand: Expand,
    encryption: &mut Encryption<'_, D>,
) -> State {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *from;
    for (eight, k) in constants.iter().enumerate() {
        let [first, second] = &mut *block;
        // The words of the eight rounds: 16 rounds ago these were in `w`, eight rounds ago those in `newer`.
        let (w, newer) = if eight % 2 == 0 { (first, &*second) } else { (second, &*first) };
        let mut third = if ENCRYPT { Some(encryption.next_third()) } else { None };
        if eight >= 2 && expand == Expand::Yes {
            eight_rounds!(with schedule, third, w, newer, k, a, b, c, d, e, f, g, h);
        } else {
            eight_rounds!(without schedule, third, w, newer, k, a, b, c, d, e, f, g, h);
        }
        if let Some(third) = third {
            let finished = third.finish();
            encryption.put(finished);
        }
    }
    let mut to = *from;
    for (word, new) in to.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = add(*word, new);
    }
    to
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_0(x: Vector) -> Vector {
    xor(rotate_right::<2>(x), rotate_right::<13>(x), rotate_right::<22>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_1(x: Vector) -> Vector {
    xor(rotate_right::<6>(x), rotate_right::<11>(x), rotate_right::<25>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_0(x: Vector) -> Vector {
    xor(rotate_right::<7>(x), rotate_right::<18>(x), shift_right::<3>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_1(x: Vector) -> Vector {
    xor(rotate_right::<17>(x), rotate_right::<19>(x), shift_right::<10>(x))
}

// The last argument of the instruction is a truth table: bit 4 * x + 2 * y + z is the result for these bits.

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0b1001_0110>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn choose(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0b1100_1010>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0b1110_1000>(x, y, z)
}

/// `K_t` (FIPS 180-4, section 4.2.2).
const ROUND_CONSTANTS: Constants = [
    [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
    [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
    [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
    [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
    [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
    [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
    [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
    [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
];

/// `K_t + W_t` of the one block that is the same for all keys.
const ROUND_CONSTANTS_AND_INFO: Constants = with_message_schedule(&INFO_BLOCK);

const fn with_message_schedule(block: &[u8; 64]) -> Constants {
    let mut w = [0_u32; 64];
    let mut sums = ROUND_CONSTANTS;
    let mut t = 0;
    while t < 64 {
        w[t] = if t < 16 {
            u32::from_be_bytes([block[4 * t], block[4 * t + 1], block[4 * t + 2], block[4 * t + 3]])
        } else {
            let (w2, w15) = (w[t - 2], w[t - 15]);
            (w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10))
                .wrapping_add(w[t - 7])
                .wrapping_add(w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3))
                .wrapping_add(w[t - 16])
        };
        sums[t / 8][t % 8] = sums[t / 8][t % 8].wrapping_add(w[t]);
        t += 1;
    }
    sums
}
