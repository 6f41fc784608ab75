//! Batches on the named crates alone.
//!
//! Compared with deriving key by key: the [compressions](super::hkdf) that do not depend on the key are constants, step
//! k of the rest is done for every key of a group before step k + 1, so that the processor overlaps the hashes of
//! different keys, and the blocks to encrypt are laid out once for all keys in a row that start in the same interval.

use core::slice;

use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use sha2::block_api::compress256;

use super::Days;
use super::hkdf::{self, State, second_and_last_block};
use crate::diagnosis::DiagnosisKey;
use crate::rpi::{DAY, DayBlocks, padded_data};

/// Keys whose hashes are computed side by side. More would hide no more latency, and leave the first-level cache.
const GROUP: usize = 16;

pub(super) fn run(keys: &[DiagnosisKey], days: &mut impl Days) {
    let mut padded = DayBlocks([padded_data(0); DAY]);
    let mut padded_from = None;
    let mut place = 0;
    for keys in keys.chunks(GROUP) {
        for (key, rpik) in keys.iter().zip(rolling_proximity_identifier_keys(keys)) {
            let start = key.rolling_start_interval_number.get();
            if padded_from != Some(start) {
                for (block, offset) in padded.0.iter_mut().zip(0..) {
                    if let Some(interval) = block.last_chunk_mut() {
                        *interval = start.wrapping_add(offset).to_le_bytes();
                    }
                }
                padded_from = Some(start);
            }
            encrypt(rpik, &padded, days.blocks(place));
            days.complete(place);
            place += 1;
        }
    }
}

/// Encrypts a day at once: block by block the vector units of current processors stand idle (about 30 times slower).
fn encrypt(rpik: [u8; 16], padded: &DayBlocks, day: &mut DayBlocks) {
    let (from, to) = (Array::cast_slice_from_core(&padded.0), Array::cast_slice_from_core_mut(&mut day.0));
    // The one error is that of different lengths; both have the 144 blocks of a day.
    let _ = Aes128Enc::new(&rpik.into()).encrypt_blocks_b2b(from, to);
}

/// `RPIK_i` of at most [`GROUP`] keys; what is beyond `keys` has no meaning.
fn rolling_proximity_identifier_keys(keys: &[DiagnosisKey]) -> [[u8; 16]; GROUP] {
    // PRK = HMAC(0^32, tek)
    let mut blocks = [second_and_last_block(&[0; 16]); GROUP];
    for (block, key) in blocks.iter_mut().zip(keys) {
        *block = second_and_last_block(&key.key_data);
    }
    let mut inner = [hkdf::INNER_OF_ZERO_KEY; GROUP];
    compress(&mut inner, &blocks);

    let mut blocks = [second_and_last_block(&[0; 32]); GROUP];
    set_words(&mut blocks, &inner, 0);
    let mut prks = [hkdf::OUTER_OF_ZERO_KEY; GROUP];
    compress(&mut prks, &blocks);

    // OKM = HMAC(PRK, info || 0x01), both first blocks of it before the rest
    let mut blocks = [[hkdf::OUTER_PAD; 64]; GROUP];
    set_words(&mut blocks, &prks, hkdf::OUTER_PAD);
    let mut outer = [hkdf::INITIAL; GROUP];
    compress(&mut outer, &blocks);

    let mut blocks = [[hkdf::INNER_PAD; 64]; GROUP];
    set_words(&mut blocks, &prks, hkdf::INNER_PAD);
    let mut inner = [hkdf::INITIAL; GROUP];
    compress(&mut inner, &blocks);
    compress(&mut inner, &[hkdf::INFO_BLOCK; GROUP]);

    let mut blocks = [second_and_last_block(&[0; 32]); GROUP];
    set_words(&mut blocks, &inner, 0);
    compress(&mut outer, &blocks);

    let mut rpiks = [[0; 16]; GROUP];
    for (rpik, [a, b, c, d, ..]) in rpiks.iter_mut().zip(outer) {
        for (bytes, word) in rpik.as_chunks_mut().0.iter_mut().zip([a, b, c, d]) {
            *bytes = word.to_be_bytes();
        }
    }
    rpiks
}

/// One compression of every state with its block. All blocks were written before: one that was written just now would
/// have to be waited for.
fn compress(states: &mut [State; GROUP], blocks: &[[u8; 64]; GROUP]) {
    for (state, block) in states.iter_mut().zip(blocks) {
        compress256(state, slice::from_ref(block));
    }
}

/// Lets each block begin with the bytes of a digest or key XOR `pad`.
fn set_words(blocks: &mut [[u8; 64]; GROUP], words: &[State; GROUP], pad: u8) {
    let pad = u32::from_ne_bytes([pad; 4]);
    for (block, words) in blocks.iter_mut().zip(words) {
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = (word ^ pad).to_be_bytes();
        }
    }
}
