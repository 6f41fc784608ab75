//! Batches on the named crates alone.
//!
//! Compared with deriving key by key: the [compressions](super::hkdf) that do not depend on the key are constants, step
//! k of the rest is done for every key of a group before step k + 1, so that the processor overlaps the hashes of
//! different keys, and the blocks to encrypt are laid out once for all keys in a row that start in the same interval.

use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use sha2::block_api::compress256;

use super::Days;
use super::hkdf::{self, State, second_and_last_block};
use crate::diagnosis::DiagnosisKey;
use crate::rpi::{DayBlocks, padded_data};

/// Keys whose hashes are computed side by side. More would hide no more latency, and leave the first-level cache.
const GROUP: usize = 16;

pub(super) fn run(keys: &[DiagnosisKey], days: &mut impl Days) {
    let mut padded = DayBlocks::ZERO;
    let mut padded_from = None;
    let mut place = 0;
    for keys in keys.chunks(GROUP) {
        for (key, rpik) in keys.iter().zip(rolling_proximity_identifier_keys(keys)) {
            let start = key.rolling_start_interval_number.get();
            if padded_from != Some(start) {
                for (block, offset) in padded.0.iter_mut().zip(0..) {
                    *block = padded_data(start.wrapping_add(offset));
                }
                padded_from = Some(start);
            }
            let blocks = days.blocks(place);
            blocks.0 = padded.0;
            // All at once: block by block the vector units of current processors stand idle (about 30 times slower).
            Aes128Enc::new(&rpik.into()).encrypt_blocks(Array::cast_slice_from_core_mut(&mut blocks.0));
            days.complete(place);
            place += 1;
        }
    }
}

/// `RPIK_i` of at most [`GROUP`] keys; what is beyond `keys` has no meaning.
fn rolling_proximity_identifier_keys(keys: &[DiagnosisKey]) -> [[u8; 16]; GROUP] {
    let mut prks = [hkdf::INNER_OF_ZERO_KEY; GROUP];
    for (state, key) in prks.iter_mut().zip(keys) {
        compress256(state, &[second_and_last_block(&key.key_data)]);
    }
    outer_hashes(&mut prks, [hkdf::OUTER_OF_ZERO_KEY; GROUP]);

    let mut okms = [hkdf::INITIAL; GROUP];
    for (state, prk) in okms.iter_mut().zip(&prks) {
        compress256(state, &[padded_key(prk, hkdf::INNER_PAD)]);
    }
    for state in &mut okms {
        compress256(state, &[hkdf::INFO_BLOCK]);
    }
    let mut outer = [hkdf::INITIAL; GROUP];
    for (state, prk) in outer.iter_mut().zip(&prks) {
        compress256(state, &[padded_key(prk, hkdf::OUTER_PAD)]);
    }
    outer_hashes(&mut okms, outer);

    okms.map(|[a, b, c, d, ..]| bytes([a, b, c, d]))
}

/// Makes digests of HMAC of the digests of its inner hashes, from the states after the first blocks of its outer ones.
fn outer_hashes(digests: &mut [State; GROUP], outer: [State; GROUP]) {
    for (digest, mut state) in digests.iter_mut().zip(outer) {
        compress256(&mut state, &[second_and_last_block(&bytes::<8, 32>(*digest))]);
        *digest = state;
    }
}

/// The first block of a hash of HMAC: the 32 bytes of the key, zeros, and all that XOR the pad.
fn padded_key(key: &State, pad: u8) -> [u8; 64] {
    let mut block = [pad; 64];
    for (byte, key) in block.iter_mut().zip(bytes::<8, 32>(*key)) {
        *byte ^= key;
    }
    block
}

/// Words as SHA-256 writes them.
fn bytes<const WORDS: usize, const BYTES: usize>(words: [u32; WORDS]) -> [u8; BYTES] {
    const { assert!(4 * WORDS == BYTES) };
    let mut bytes = [0; BYTES];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}
