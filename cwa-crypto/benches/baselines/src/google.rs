//! Derivation and matching in the shape that Google published for Android (exposure-notifications-internals,
//! `matching_helper.cc`, `prefix_id_map.cc`), on the C library aws-lc.
//!
//! The algorithm is theirs, the code is not. For each key: `HKDF()`; `EVP_EncryptInit_ex` with AES-128 in ECB mode on
//! one context that is used again; 144 counters written into plaintext that is otherwise laid out already; one
//! `EVP_EncryptUpdate` of 2,304 bytes; then each identifier is looked up in a table of 65,536 prefixes of two bytes and
//! compared with all that share its prefix, up to the first that is equal. Identifiers stand inline in one array, as
//! under libc++, whose short strings hold 16 bytes. What is left out here, and takes time there: reading keys from a
//! file, and comparing strings by a call instead of two words at once. So this is not slower than theirs for the
//! shape's sake.

use core::ffi::c_int;
use core::ptr;

use aws_lc_sys as ffi;

/// Bytes of a key and of an identifier.
const LENGTH: usize = 16;

/// Intervals of a day.
const PERIOD: usize = 144;

/// Bytes of a day's identifiers.
const DAY: c_int = 2304;

const INFO: &[u8; 7] = b"EN-RPIK";

/// Derives the 144 identifiers of one key after another.
#[derive(Debug)]
pub struct Deriver {
    context: *mut ffi::EVP_CIPHER_CTX,
    plaintext: [[u8; LENGTH]; PERIOD],
    identifiers: [[u8; LENGTH]; PERIOD],
}

impl Deriver {
    /// A deriver with a context of its own.
    ///
    /// # Panics
    ///
    /// If there is no memory.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: takes no argument; null is refused below.
        let context = unsafe { ffi::EVP_CIPHER_CTX_new() };
        assert!(!context.is_null(), "no memory for a cipher context");
        let block = *b"EN-RPI\0\0\0\0\0\0\0\0\0\0";
        Self { context, plaintext: [block; PERIOD], identifiers: [[0; LENGTH]; PERIOD] }
    }

    /// The identifiers of `key` from the interval `start` on.
    ///
    /// # Panics
    ///
    /// If the C library refuses, which it does not for these lengths.
    pub fn derive(&mut self, key: &[u8; LENGTH], start: u32) -> &[[u8; LENGTH]; PERIOD] {
        let mut rpik = [0; LENGTH];
        // SAFETY: every pointer is that of an array, with its length; the salt is null with length 0, which stands for
        // none; `EVP_sha256` returns a constant.
        let derived = unsafe {
            ffi::HKDF(
                rpik.as_mut_ptr(),
                rpik.len(),
                ffi::EVP_sha256(),
                key.as_ptr(),
                key.len(),
                ptr::null(),
                0,
                INFO.as_ptr(),
                INFO.len(),
            )
        };
        // SAFETY: the context is live and ours alone; the key has the 16 bytes that AES-128 reads; ECB reads no vector.
        let keyed = unsafe {
            ffi::EVP_EncryptInit_ex(
                self.context,
                ffi::EVP_aes_128_ecb(),
                ptr::null_mut(),
                rpik.as_ptr(),
                ptr::null(),
            )
        };
        let mut interval = start;
        for block in &mut self.plaintext {
            block[12..].copy_from_slice(&interval.to_le_bytes());
            interval = interval.wrapping_add(1);
        }
        let mut written: c_int = 0;
        // SAFETY: input and output are 2,304 bytes each and do not overlap; whole blocks into a context that was just
        // keyed give exactly as many bytes as go in.
        let encrypted = unsafe {
            ffi::EVP_EncryptUpdate(
                self.context,
                self.identifiers.as_mut_ptr().cast(),
                &raw mut written,
                self.plaintext.as_ptr().cast(),
                DAY,
            )
        };
        assert!(derived == 1 && keyed == 1 && encrypted == 1 && written == DAY);
        &self.identifiers
    }
}

impl Default for Deriver {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Deriver {
    fn drop(&mut self) {
        // SAFETY: the context came from `EVP_CIPHER_CTX_new` and is freed once.
        unsafe { ffi::EVP_CIPHER_CTX_free(self.context) };
    }
}

/// Received identifiers, ordered by their first two bytes, and for each prefix where those with it end.
#[derive(Debug)]
pub struct PrefixIdMap {
    identifiers: Vec<[u8; LENGTH]>,
    ends: Vec<u32>,
}

impl PrefixIdMap {
    /// Orders and counts `identifiers`.
    ///
    /// # Panics
    ///
    /// If there are 2^32 or more.
    #[must_use]
    pub fn new(mut identifiers: Vec<[u8; LENGTH]>) -> Self {
        identifiers.sort_by_key(prefix);
        let mut ends = vec![0; 1 << 16];
        for identifier in &identifiers {
            ends[usize::from(prefix(identifier))] += 1;
        }
        let mut sum: u32 = 0;
        for end in &mut ends {
            sum = sum.checked_add(*end).expect("fewer than 2^32 identifiers");
            *end = sum;
        }
        Self { identifiers, ends }
    }

    /// Whether `identifier` was received.
    #[must_use]
    pub fn contains(&self, identifier: &[u8; LENGTH]) -> bool {
        let prefix = usize::from(prefix(identifier));
        let begin = if prefix == 0 { 0 } else { self.ends[prefix - 1] as usize };
        // An array of 16 bytes is compared by `memcmp`, which the compiler expands.
        self.identifiers[begin..self.ends[prefix] as usize].iter().any(|stored| stored == identifier)
    }

    /// Whether any of the key's identifiers was received; looking ends at the first.
    pub fn matches(&self, deriver: &mut Deriver, key: &[u8; LENGTH], start: u32) -> bool {
        deriver.derive(key, start).iter().any(|identifier| self.contains(identifier))
    }
}

fn prefix(identifier: &[u8; LENGTH]) -> u16 {
    u16::from_le_bytes([identifier[0], identifier[1]])
}
