//! `HKDF(tek_i, NULL, "EN-RPIK", 16)` taken apart into the compressions of SHA-256 that depend on the key.
//!
//! RFC 5869 and RFC 2104 ask for eight compressions. The first block of each hash is a key XOR a pad; where the key is
//! the empty salt, which HMAC fills up with zeros, its compression is a constant. Six remain:
//!
//! ```text
//! extract  PRK = HMAC(0^32, tek)          inner  INNER_OF_ZERO_KEY ← tek            outer  OUTER_OF_ZERO_KEY ← inner
//! expand   OKM = HMAC(PRK, info || 0x01)  inner  INITIAL ← PRK ^ 0x36 ← info        outer  INITIAL ← PRK ^ 0x5c ← inner
//! ```
//!
//! `RPIK_i` is the first half of OKM.

/// The chaining value of SHA-256, eight words.
pub(crate) type State = [u32; 8];

/// What every hash starts from (FIPS 180-4, section 5.3.3).
pub(crate) const INITIAL: State =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The state after the first block of the inner hash of HMAC with a key of zeros: 64 bytes [`INNER_PAD`].
pub(crate) const INNER_OF_ZERO_KEY: State =
    [0xf454dead, 0x9725214f, 0x90daf2a0, 0xdf1228ea, 0x64e5750f, 0xa3924181, 0x824a932b, 0xf8e04e32];

/// The state after the first block of the outer hash of HMAC with a key of zeros: 64 bytes [`OUTER_PAD`].
pub(crate) const OUTER_OF_ZERO_KEY: State =
    [0xd385480f, 0x7abb6477, 0x37c9c538, 0x5dd82467, 0x8e043a72, 0x753434b0, 0xdeb82818, 0x361d45a6];

/// `ipad` of RFC 2104.
pub(crate) const INNER_PAD: u8 = 0x36;

/// `opad` of RFC 2104.
pub(crate) const OUTER_PAD: u8 = 0x5c;

/// The second and last block of the inner hash of the expansion: info and counter, the same for every key.
pub(crate) const INFO_BLOCK: [u8; 64] = second_and_last_block(b"EN-RPIK\x01");

/// The block of a hash whose first block was a pad, and which ends with these at most 55 bytes.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "N is at most 55, which every caller's type says, or it does not compile"
)]
pub(crate) const fn second_and_last_block<const N: usize>(message: &[u8; N]) -> [u8; 64] {
    // message | 0x80 | zeros | 56..=63 length of both blocks in bits, big-endian (FIPS 180-4, section 5.1.1)
    const { assert!(N <= 55) };
    let mut block = [0; 64];
    let mut i = 0;
    while i < N {
        block[i] = message[i];
        i += 1;
    }
    block[N] = 0x80;
    #[expect(clippy::cast_possible_truncation, reason = "(64 + 55) * 8 bits are less than 2^16")]
    let [high, low] = ((64 + N as u16) * 8).to_be_bytes();
    block[62] = high;
    block[63] = low;
    block
}

#[cfg(test)]
mod tests {
    use sha2::block_api::compress256;

    use super::*;

    #[test]
    fn the_constant_states_are_compressions_of_the_pads_alone() {
        for (pad, expected) in [(INNER_PAD, INNER_OF_ZERO_KEY), (OUTER_PAD, OUTER_OF_ZERO_KEY)] {
            let mut state = INITIAL;
            compress256(&mut state, &[[pad; 64]]);
            assert_eq!(state, expected);
        }
    }

    #[test]
    fn a_last_block_ends_with_the_length_in_bits_of_the_pad_and_itself() {
        assert_eq!(
            second_and_last_block(&[7; 16])[..18],
            [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0x80, 0]
        );
        assert_eq!(second_and_last_block(&[7; 16])[60..], 640_u32.to_be_bytes());
        assert_eq!(second_and_last_block(&[7; 55])[54..], [7, 0x80, 0, 0, 0, 0, 0, 0, 0x03, 0xb8]);
    }
}
