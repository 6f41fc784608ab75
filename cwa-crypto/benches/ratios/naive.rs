//! What one writes first: the crates of RustCrypto, one identifier after another, and a hash set.

use std::collections::HashSet;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use cwa_crypto::DiagnosisKey;
use cwa_crypto::matching::Sighting;
use hkdf::Hkdf;
use sha2::Sha256;

pub(crate) fn derive(key: &DiagnosisKey, identifiers: &mut [[u8; 16]; 144]) {
    let mut rpik = [0; 16];
    Hkdf::<Sha256>::new(None, &key.key_data).expand(b"EN-RPIK", &mut rpik).unwrap();
    let cipher = Aes128::new(&rpik.into());
    for (identifier, interval) in identifiers.iter_mut().zip(key.rolling_start_interval_number.get()..) {
        let mut block = *b"EN-RPI\0\0\0\0\0\0\0\0\0\0";
        block[12..].copy_from_slice(&interval.to_le_bytes());
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        *identifier = block.into();
    }
}

/// The standard library's hash set, with the hash function it has by default.
pub(crate) struct Received(HashSet<[u8; 16]>);

impl Received {
    pub(crate) fn new(sightings: &[Sighting]) -> Self {
        Self(sightings.iter().map(|sighting| *sighting.rpi.as_bytes()).collect())
    }

    /// Calls `found` with the place of each key of `keys` that was met.
    pub(crate) fn find(&self, keys: &[DiagnosisKey], mut found: impl FnMut(usize)) {
        let mut identifiers = [[0; 16]; 144];
        for (place, key) in keys.iter().enumerate() {
            derive(key, &mut identifiers);
            // All of them are looked up: which interval it was is part of the answer.
            for identifier in &identifiers {
                if self.0.contains(identifier) {
                    found(place);
                }
            }
        }
    }
}
