use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::tek::TemporaryExposureKey;

type KeyData = [u8; TemporaryExposureKey::LENGTH];

/// The keys that statements are about, with a filter in front: every key that is pushed is looked up here, and hardly
/// any is among them.
#[derive(Clone, Debug, Default)]
pub(super) struct HeardKeys {
    keys: BTreeSet<KeyData>,
    /// A bit for each key at least, found by the first four bytes. Keys made up to pass it cost a search in the set.
    filter: Vec<u64>,
}

impl HeardKeys {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    #[inline]
    pub(super) fn contains(&self, key_data: &KeyData) -> bool {
        let (word, bit) = self.place(key_data);
        self.filter.get(word).is_some_and(|word| word & bit != 0) && self.keys.contains(key_data)
    }

    pub(super) fn insert(&mut self, key_data: KeyData) {
        if self.keys.insert(key_data) && self.keys.len() * BITS_FOR_A_KEY > self.filter.len() * 64 {
            self.filter = alloc::vec![0; (self.filter.len() * 2).max(SMALLEST_FILTER)];
            for key_data in &self.keys {
                let (word, bit) = self.place(key_data);
                if let Some(word) = self.filter.get_mut(word) {
                    *word |= bit;
                }
            }
        } else {
            let (word, bit) = self.place(&key_data);
            if let Some(word) = self.filter.get_mut(word) {
                *word |= bit;
            }
        }
    }

    #[inline]
    fn place(&self, key_data: &KeyData) -> (usize, u64) {
        let [a, b, c, d, ..] = *key_data;
        let product = u64::from(u32::from_le_bytes([a, b, c, d])).wrapping_mul(self.filter.len() as u64);
        (usize::try_from(product >> 32).unwrap_or(usize::MAX), 1 << (product >> 26 & 63))
    }
}

/// So that one key in sixteen passes the filter by chance, at most.
const BITS_FOR_A_KEY: usize = 16;

/// Words of the first filter, 512 bytes.
const SMALLEST_FILTER: usize = 64;
