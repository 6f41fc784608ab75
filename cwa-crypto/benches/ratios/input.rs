//! What every contestant is given: keys of 14 days in no order, and identifiers that were received in those days.

use cwa_crypto::matching::Sighting;
use cwa_crypto::{
    AssociatedEncryptedMetadata, DiagnosisKey, ENIntervalNumber, RollingPeriod, RollingProximityIdentifier,
};

/// More keys than caches and branch predictors can learn by heart.
pub(crate) const KEYS: usize = 4096;

/// The most keys that are timed in one go.
pub(crate) const SEGMENT: usize = 64;

const START: u32 = 2_642_976;
const DAYS: u64 = 14;

/// xorshift64*: quick, and the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number().to_le_bytes());
        bytes[8..].copy_from_slice(&self.number().to_le_bytes());
        bytes
    }

    fn below(&mut self, bound: u64) -> u32 {
        u32::try_from(self.number() % bound).unwrap()
    }
}

pub(crate) fn keys() -> Vec<DiagnosisKey> {
    let mut random = Random::new(1);
    let key = |_| {
        let day = ENIntervalNumber::new(START + 144 * random.below(DAYS));
        DiagnosisKey::new(random.bytes(), day, RollingPeriod::FULL_DAY)
    };
    (0..KEYS).map(key).collect()
}

/// `count` sightings of different identifiers: of no key, but for one each of [`PLANTED`] keys.
pub(crate) fn sightings(count: usize, keys: &[DiagnosisKey]) -> Vec<Sighting> {
    let mut random = Random::new(2);
    received(count, keys, |_| random.bytes())
}

/// The same, with the first 16 bits of all identifiers equal, as an attacker can choose them.
pub(crate) fn flood(count: usize, keys: &[DiagnosisKey]) -> Vec<Sighting> {
    let mut random = Random::new(3);
    let prefix = keys[0].identifiers().next().unwrap().1.as_bytes()[..2].to_vec();
    received(count, keys, |_| {
        let mut bytes = random.bytes();
        bytes[..2].copy_from_slice(&prefix);
        bytes
    })
}

/// Places in [`keys`] of those that were met.
pub(crate) const PLANTED: [usize; 5] = [7, 1000, 2049, 3333, 4090];

fn received(
    count: usize,
    keys: &[DiagnosisKey],
    mut identifier: impl FnMut(usize) -> [u8; 16],
) -> Vec<Sighting> {
    let mut random = Random::new(4);
    let aem = AssociatedEncryptedMetadata::from_bytes([0; 4]);
    let mut sightings: Vec<_> = (PLANTED.len()..count)
        .map(|number| {
            let rpi = RollingProximityIdentifier::from_bytes(identifier(number));
            let interval = ENIntervalNumber::new(START + random.below(144 * DAYS));
            Sighting::new(rpi, aem, -60, interval.start())
        })
        .collect();
    for place in PLANTED {
        let (interval, rpi) = keys[place].identifiers().nth(place % 144).unwrap();
        sightings.push(Sighting::new(rpi, aem, -60, interval.start()));
    }
    sightings
}
