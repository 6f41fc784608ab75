//! AES-128 of whole days (FIPS 197): the key schedules of 16 keys, then 144 blocks under each.

#![expect(
    clippy::indexing_slicing,
    reason = "each index is below a constant bound, by its caller or by a remainder"
)]

use core::arch::x86_64::{
    _mm512_add_epi32, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_bslli_epi128,
    _mm512_maskz_set1_epi32, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_xor_si512,
};

use super::{LANES, Line, Vector, broadcast, fence, load, store, swap_bytes, transpose, word};
use crate::derive::{Days, Meanwhile};
use crate::diagnosis::DiagnosisKey;
use crate::rpi::padded_data;

/// The days of one group of keys on their way from key to identifiers, a [`Third`] at a time.
pub(super) struct Encryption<'a, D> {
    days: &'a mut D,
    schedules: Schedules,
    /// The first interval of each key.
    starts: [u32; LANES],
    /// The group is `place..place + count` of all keys.
    place: usize,
    count: usize,
    /// What comes next: this third, 0 to 2, of the day of this key of the group.
    third: usize,
    lane: usize,
}

impl<'a, D: Days> Encryption<'a, D> {
    /// Of no keys yet.
    pub(super) fn new(days: &'a mut D) -> Self {
        Self { days, schedules: Schedules::ZERO, starts: [0; LANES], place: 0, count: 0, third: 0, lane: 0 }
    }

    /// Goes on to the next group, at most 16 keys, with the first four words of what HKDF made of each.
    ///
    /// To be called when the group before is finished.
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn start(&mut self, keys: &[DiagnosisKey], rpiks: [Vector; 4]) {
        self.schedules.expand(rpiks);
        for (start, key) in self.starts.iter_mut().zip(keys) {
            *start = key.rolling_start_interval_number.get();
        }
        self.place += self.count;
        self.count = keys.len();
        self.lane = 0;
    }

    /// Does what is left of the group without hashing beside it.
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn finish(&mut self) {
        while self.lane < self.count {
            let mut third = self.next_third();
            for eighth in 0..8 {
                third.encrypt(eighth, 0);
                third.encrypt(eighth, 1);
                third.do_meanwhile(eighth);
            }
            let finished = third.finish();
            self.put(finished);
        }
    }

    /// The next third, whitened; to be [encrypted](Third::encrypt), [finished](Third::finish), and [put](Self::put) in
    /// its place.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn next_third(&self) -> Third<'_, D::Meanwhile<'_>> {
        let lane = self.lane % LANES;
        let first = self.starts[lane].wrapping_add(THIRDS[self.third % 3]);
        Third::new(&self.schedules, lane, first, self.days.meanwhile(self.place + lane, self.third))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn put(&mut self, Finished { blocks, meanwhile }: Finished) {
        let place = self.place + self.lane;
        let (fours, _) = self.days.blocks(place).0.as_chunks_mut::<4>();
        for (out, block) in fours.as_chunks_mut::<12>().0[self.third % 3].iter_mut().zip(blocks) {
            store(out, block);
        }
        self.days.did_meanwhile(place, self.third, meanwhile);
        self.third += 1;
        if self.third == 3 {
            complete(self.days, place);
            self.third = 0;
            self.lane += 1;
        }
    }
}

/// Hands a day over, to code that may use whatever the processor has, but not the registers that are in use here.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
fn complete(days: &mut impl Days, place: usize) {
    days.complete(place);
}

/// 48 blocks of a day, in the middle of their encryption: enough to hide the four cycles that a round takes.
pub(super) struct Third<'a, M> {
    blocks: [Vector; 12],
    schedules: &'a Schedules,
    lane: usize,
    meanwhile: M,
    result: u64,
}

/// 48 blocks after their encryption, and the result of what was done meanwhile.
pub(super) struct Finished {
    blocks: [Vector; 12],
    meanwhile: u64,
}

impl<'a, M: Meanwhile> Third<'a, M> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    fn new(schedules: &'a Schedules, lane: usize, first: u32, meanwhile: M) -> Self {
        // The interval is the last word of a block (`padded_data`), and wraps around as the word does.
        let last_word = |word: u32| _mm512_maskz_set1_epi32(0b1000_1000_1000_1000, word.cast_signed());
        let mut padded = _mm512_add_epi32(load(&FROM_INTERVAL_0), last_word(first));
        let round_key = schedules.round_key(0, lane);
        let mut blocks = [padded; 12];
        for block in &mut blocks {
            *block = _mm512_xor_si512(padded, round_key);
            padded = _mm512_add_epi32(padded, last_word(4));
        }
        Self { blocks, schedules, lane, meanwhile, result: 0 }
    }

    /// One or two of the rounds 1 to 9 of one half of the blocks: all of both with `eighth` 0 to 7 and `half` 0 and 1.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn encrypt(&mut self, eighth: usize, half: usize) {
        match eighth {
            0..3 => self.round(eighth + 1, half),
            3 => {
                self.round(4, half);
                self.round(5, half);
            }
            _ => self.round(eighth + 2, half),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    fn round(&mut self, round: usize, half: usize) {
        let round_key = self.schedules.round_key(round, self.lane);
        for block in &mut self.blocks[6 * half..6 * half + 6] {
            *block = _mm512_aesenc_epi128(*block, round_key);
        }
    }

    /// An eighth of what the processor does with the rest of its units.
    #[inline(always)]
    pub(super) fn do_meanwhile(&mut self, eighth: usize) {
        self.result = self.meanwhile.step(self.result, eighth);
    }

    /// See [`fence`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn fence(&mut self, a: &mut Vector, b: &mut Vector) {
        fence(a, b, &mut self.blocks, &mut self.result);
    }

    /// The last round.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    pub(super) fn finish(mut self) -> Finished {
        let round_key = self.schedules.round_key(10, self.lane);
        for block in &mut self.blocks {
            *block = _mm512_aesenclast_epi128(*block, round_key);
        }
        Finished { blocks: self.blocks, meanwhile: self.result }
    }
}

/// The first interval of each third, counted from that of the day.
const THIRDS: [u32; 3] = [0, 48, 96];

/// The padded data of the intervals 0 to 3.
const FROM_INTERVAL_0: Line = Line([padded_data(0), padded_data(1), padded_data(2), padded_data(3)]);

/// The round keys of 16 keys: of round `r` and key `4 * i + j` at `[r][j].0[i]`.
struct Schedules([[Line; 4]; 11]);

impl Schedules {
    const ZERO: Self = Self([[Line([[0; 16]; 4]); 4]; 11]);

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn round_key(&self, round: usize, lane: usize) -> Vector {
        broadcast(&self.0[round][lane % 4].0[lane / 4 % 4])
    }

    /// Makes the schedules of 16 keys, given as their four words (FIPS 197, section 5.2), of four keys at a time.
    #[target_feature(enable = "avx512f,avx512bw,vaes,bmi1,bmi2")]
    fn expand(&mut self, words: [Vector; 4]) {
        let mut round_keys = transpose(words);
        for key in &mut round_keys {
            *key = swap_bytes(*key);
        }
        // RotWord of the last word, in every column. AES's last round with a constant for its key then is SubWord and
        // the constant, as ShiftRows finds all columns alike.
        let rotate_last_word = _mm512_set1_epi32(0x0c0f_0e0d);
        let [first, rest @ ..] = &mut self.0;
        for (line, key) in first.iter_mut().zip(round_keys) {
            store(&mut line.0, key);
        }
        for (lines, constant) in rest.iter_mut().zip(ROUND_CONSTANTS) {
            for (line, key) in lines.iter_mut().zip(&mut round_keys) {
                let last = _mm512_shuffle_epi8(*key, rotate_last_word);
                let last = _mm512_aesenclast_epi128(last, word(constant));
                // Each column XOR all columns before it.
                *key = _mm512_xor_si512(*key, _mm512_bslli_epi128::<4>(*key));
                *key = _mm512_xor_si512(*key, _mm512_bslli_epi128::<8>(*key));
                *key = _mm512_xor_si512(*key, last);
                store(&mut line.0, *key);
            }
        }
    }
}

/// `Rcon` of FIPS 197, as little-endian words.
const ROUND_CONSTANTS: [u32; 10] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];
