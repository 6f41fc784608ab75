//! Random keys among the real ones, so that nobody can tell from a package how many people are in it.
//!
//! A padding key says of itself what a real one says; only its bytes are drawn. Whoever publishes stores padding like
//! real keys, so that a package can be made anew. Revised keys are not padded: each changes a key that was published,
//! and a random one would change none.

use core::num::NonZeroUsize;

use cwa_crypto::DiagnosisKey;
use rand_core::CryptoRng;

use crate::key::ExportKey;
use crate::random;

/// How many random keys are added to real ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PaddingPolicy {
    /// None.
    #[default]
    None,
    /// For each key so many in all: itself, and random siblings that say the same (the German server's
    /// `RANDOM_KEY_PADDING_MULTIPLIER`; 5 in its first summer, and 1 adds none).
    Multiplier(NonZeroUsize),
    /// As many as are missing from a number drawn between `keys` and `keys + range`, both included; real keys lend what
    /// they say in turn (Google's server: 1,000 and 100). Where there are no keys, none are added.
    Minimum {
        /// Fewest keys.
        keys: usize,
        /// How many more it may be. With 0 nothing is drawn, and the number of a small package is always the same.
        range: usize,
    },
}

impl PaddingPolicy {
    /// The random keys to add to `keys`. Sort or shuffle them together afterwards.
    ///
    /// Draws the number first, where there is one to draw, then 16 bytes for each key: with
    /// [`Multiplier`](Self::Multiplier) the siblings of the first key, of the second, and so on.
    ///
    /// ```
    /// use core::num::NonZeroUsize;
    /// use cwa_export::ExportKey;
    /// use cwa_export::padding::PaddingPolicy;
    /// # use rand::SeedableRng as _;
    /// # let mut rng = rand::rngs::StdRng::seed_from_u64(1);
    /// let keys = [ExportKey::new([1; 16]), ExportKey::new([2; 16])];
    /// let five = PaddingPolicy::Multiplier(const { NonZeroUsize::new(5).unwrap() });
    /// assert_eq!(five.padding(&keys, &mut rng).len(), 8);
    /// assert_eq!(PaddingPolicy::Minimum { keys: 1_000, range: 0 }.padding(&keys, &mut rng).len(), 998);
    /// ```
    #[must_use]
    pub fn padding<K: PaddedKey>(&self, keys: &[K], rng: &mut impl CryptoRng) -> Vec<K> {
        match *self {
            Self::None => Vec::new(),
            Self::Multiplier(each) => {
                let siblings = each.get().saturating_sub(1);
                keys.iter()
                    .flat_map(|key| core::iter::repeat_n(*key, siblings))
                    .map(|key| sibling(key, rng))
                    .collect()
            }
            Self::Minimum { keys: fewest, range } => {
                let most = u64::try_from(range).unwrap_or(u64::MAX).saturating_add(1);
                let drawn = if range == 0 || keys.is_empty() { 0 } else { random::below(most, rng) };
                let wanted = fewest.saturating_add(usize::try_from(drawn).unwrap_or(range));
                let missing = wanted.saturating_sub(keys.len());
                keys.iter().copied().cycle().take(missing).map(|key| sibling(key, rng)).collect()
            }
        }
    }
}

/// A key that can lend what it says to a random one: [`ExportKey`], [`DiagnosisKey`], or a server's own.
pub trait PaddedKey: Copy {
    /// The bytes of the key, to be replaced.
    fn key_data_mut(&mut self) -> &mut [u8; 16];
}

impl PaddedKey for ExportKey {
    fn key_data_mut(&mut self) -> &mut [u8; 16] {
        &mut self.key_data
    }
}

impl PaddedKey for DiagnosisKey {
    fn key_data_mut(&mut self) -> &mut [u8; 16] {
        &mut self.key_data
    }
}

fn sibling<K: PaddedKey>(mut key: K, rng: &mut impl CryptoRng) -> K {
    rng.fill_bytes(key.key_data_mut());
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cwa_crypto::TransmissionRiskLevel;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn keys(count: u8) -> Vec<ExportKey> {
        let key = |id| {
            let mut key = ExportKey::new([id; 16]);
            key.transmission_risk_level = TransmissionRiskLevel::try_from(i64::from(id % 9)).ok();
            key
        };
        (0..count).map(key).collect()
    }

    fn levels(keys: &[ExportKey]) -> Vec<u8> {
        keys.iter().map(|key| key.transmission_risk_level.unwrap().get()).collect()
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn each_key_gets_siblings_that_say_the_same() {
        let three = PaddingPolicy::Multiplier(NonZeroUsize::new(3).unwrap());
        let padding = three.padding(&keys(3), &mut rng());
        assert_eq!(levels(&padding), [0, 0, 1, 1, 2, 2]);
        let one = PaddingPolicy::Multiplier(NonZeroUsize::MIN);
        assert_eq!(one.padding(&keys(3), &mut rng()), []);
    }

    #[test]
    fn what_is_missing_is_lent_by_real_keys_in_turn() {
        let minimum = PaddingPolicy::Minimum { keys: 7, range: 0 };
        assert_eq!(levels(&minimum.padding(&keys(3), &mut rng())), [0, 1, 2, 0]);
        assert_eq!(minimum.padding(&keys(7), &mut rng()), []);
        assert_eq!(minimum.padding(&keys(9), &mut rng()), []);
    }

    #[test]
    fn the_number_of_a_small_package_is_any_within_the_range() {
        let minimum = PaddingPolicy::Minimum { keys: 10, range: 3 };
        let mut rng = rng();
        let numbers: BTreeSet<_> = (0..100).map(|_| 2 + minimum.padding(&keys(2), &mut rng).len()).collect();
        assert_eq!(numbers, BTreeSet::from([10, 11, 12, 13]));
    }

    #[test]
    fn an_empty_package_stays_empty() {
        for policy in [
            PaddingPolicy::None,
            PaddingPolicy::Multiplier(NonZeroUsize::new(5).unwrap()),
            PaddingPolicy::Minimum { keys: 140, range: 60 },
        ] {
            assert_eq!(policy.padding::<ExportKey>(&[], &mut rng()), []);
        }
    }

    #[test]
    fn no_padding_key_has_the_bytes_of_another() {
        let policy = PaddingPolicy::Minimum { keys: 500, range: 0 };
        let padding = policy.padding(&keys(2), &mut rng());
        let distinct: BTreeSet<_> = padding.iter().chain(&keys(2)).map(|key| key.key_data).collect();
        assert_eq!(distinct.len(), 500);
    }
}
