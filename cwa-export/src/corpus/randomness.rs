//! Whether the bytes of the keys look random: what a weak generator, a counter, or keys made up by hand would show.
//!
//! Four tests over all different keys of the present copy. Each gives the probability (p) that random keys differ at
//! least so much from what is expected. The tests are fixed before the keys are seen, and the threshold of each is a
//! quarter of one in a thousand, so that at most one corpus of random keys in a thousand is told.

use serde::Serialize;

/// What the tests say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Randomness {
    /// Keys that were tested.
    pub keys: usize,
    /// The tests; none below 80 keys, with which they say nothing.
    pub tests: Vec<RandomnessTest>,
    /// A test with a lower p is told.
    pub threshold: f64,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RandomnessTest {
    /// `bits`, `bit_positions`, `bytes` or `prefixes`.
    pub name: &'static str,
    /// What is counted.
    pub about: &'static str,
    /// The number that was computed.
    pub statistic: f64,
    /// What is expected of random keys.
    pub expected: f64,
    /// How probable such a number, or one farther off, is for random keys.
    pub p: f64,
}

impl Randomness {
    /// One in a thousand for all tests together.
    const FAMILY: f64 = 1e-3;
    /// Below, a value of a byte is expected less than five times.
    const MIN_KEYS: usize = 80;

    pub(super) fn is_plausible(&self) -> bool {
        self.tests.iter().all(|test| test.p >= self.threshold)
    }

    pub(super) fn sentence(&self) -> String {
        let failed = self.tests.iter().filter(|test| test.p < self.threshold);
        let failed: Vec<_> = failed
            .map(|test| {
                format!(
                    "{}: {:.1}, expected about {:.1}, p = {:.1e}",
                    test.about, test.statistic, test.expected, test.p
                )
            })
            .collect();
        format!(
            "{} of {} tests over {} keys are below p = {}; {}",
            failed.len(),
            self.tests.len(),
            self.keys,
            self.threshold,
            failed.join("; ")
        )
    }
}

/// Counts keys, which come in ascending order, each once.
#[derive(Debug)]
pub(super) struct Counter {
    keys: u64,
    /// How often each value is at each of the 16 bytes.
    bytes: Vec<u64>,
    prefix: Option<u32>,
    /// Keys so far that begin like the last one.
    same_prefix: u64,
    pairs: u64,
}

impl Default for Counter {
    fn default() -> Self {
        Self { keys: 0, bytes: vec![0; 16 * 256], prefix: None, same_prefix: 0, pairs: 0 }
    }
}

impl Counter {
    pub(super) fn count(&mut self, key_data: u128) {
        self.keys += 1;
        let bytes = key_data.to_be_bytes();
        for (values, byte) in self.bytes.chunks_exact_mut(256).zip(bytes) {
            if let Some(count) = values.get_mut(usize::from(byte)) {
                *count += 1;
            }
        }
        let prefix = Some((key_data >> 96) as u32);
        self.same_prefix = if prefix == self.prefix { self.same_prefix + 1 } else { 0 };
        self.pairs = self.pairs.saturating_add(self.same_prefix);
        self.prefix = prefix;
    }

    pub(super) fn finish(&self) -> (usize, Randomness) {
        let keys = usize::try_from(self.keys).unwrap_or(usize::MAX);
        let mut randomness = Randomness { keys, tests: Vec::new(), threshold: 0.0 };
        if keys >= Randomness::MIN_KEYS {
            randomness.tests = self.tests();
            #[expect(clippy::cast_precision_loss, reason = "four tests")]
            let tests = randomness.tests.len() as f64;
            randomness.threshold = Randomness::FAMILY / tests;
        }
        (keys, randomness)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of keys, far below 2^53")]
    fn tests(&self) -> Vec<RandomnessTest> {
        let n = self.keys as f64;
        let positions = self.bit_positions();
        let ones: u64 = positions.iter().sum();
        let bits = 128.0 * n;
        let z = (2.0 * ones as f64 - bits) / bits.sqrt();
        let deviation = |ones: &u64| (2.0 * *ones as f64 - n).powi(2) / n;
        let of_positions: f64 = positions.iter().map(deviation).sum();
        let expected = 16.0 * n / 256.0;
        let mut values = [0_u64; 256];
        for of_one in self.bytes.chunks_exact(256) {
            for (sum, count) in values.iter_mut().zip(of_one) {
                *sum += count;
            }
        }
        let of_bytes: f64 = values.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
        let pairs = n * (n - 1.0) / 2.0 / 2_f64.powi(32);
        vec![
            RandomnessTest {
                name: "bits",
                about: "ones among all bits, in standard deviations from one half",
                statistic: z,
                expected: 0.0,
                p: libm::erfc(z.abs() / core::f64::consts::SQRT_2),
            },
            RandomnessTest {
                name: "bit_positions",
                about: "chi-square of the ones at each of the 128 bits",
                statistic: of_positions,
                expected: 128.0,
                p: chi_square(of_positions, 128.0),
            },
            RandomnessTest {
                name: "bytes",
                about: "chi-square of the values of bytes",
                statistic: of_bytes,
                expected: 255.0,
                p: chi_square(of_bytes, 255.0),
            },
            RandomnessTest {
                name: "prefixes",
                about: "pairs of keys that begin with the same 32 bits",
                statistic: self.pairs as f64,
                expected: pairs,
                p: poisson(self.pairs, pairs),
            },
        ]
    }

    /// Keys with a one at each of the 128 bits.
    fn bit_positions(&self) -> Vec<u64> {
        let ones = |of_one: &[u64], bit: usize| -> u64 {
            let values = of_one.iter().enumerate().filter(|(value, _)| value >> bit & 1 == 1);
            values.map(|(_, count)| count).sum()
        };
        self.bytes.chunks_exact(256).flat_map(|of_one| (0..8).map(move |bit| ones(of_one, bit))).collect()
    }
}

/// The probability that chi-square with so many degrees of freedom is at least `x` (Wilson and Hilferty 1931: the cube
/// root of chi-square over its degrees is nearly normal; three digits from 100 degrees on).
fn chi_square(x: f64, degrees: f64) -> f64 {
    let spread = 2.0 / (9.0 * degrees);
    let z = ((x / degrees).cbrt() - (1.0 - spread)) / spread.sqrt();
    0.5 * libm::erfc(z / core::f64::consts::SQRT_2)
}

/// The probability that a Poisson variable of this mean is at least `count`.
#[expect(clippy::cast_precision_loss, reason = "counts of pairs; a part in 2^53 does not matter")]
fn poisson(count: u64, mean: f64) -> f64 {
    const MAX_TERMS: u64 = 1_000_000;
    if count == 0 {
        return 1.0;
    }
    // So far above the mean that every p is 0, or so many that the sum would be long: normal.
    if mean > 100_000.0 || count > MAX_TERMS {
        let z = (count as f64 - 0.5 - mean) / mean.max(f64::MIN_POSITIVE).sqrt();
        return 0.5 * libm::erfc(z / core::f64::consts::SQRT_2);
    }
    let term = |k: u64| (k as f64 * mean.ln() - mean - libm::lgamma(k as f64 + 1.0)).exp();
    if (count as f64) < mean {
        return 1.0 - (0..count).map(term).sum::<f64>();
    }
    // Above the mean the terms fall: what is left behind the last one does not count.
    let mut sum = 0.0;
    for k in count..count.saturating_add(MAX_TERMS) {
        let term = term(k);
        sum += term;
        if term <= sum * 1e-17 {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of chi-square: printed tables, which the series of the incomplete gamma function confirms. Of Poisson: finite sums.
    #[test]
    fn probabilities_are_those_of_the_tables() {
        for (x, degrees, p) in [(310.457, 255.0, 0.01), (330.520, 255.0, 0.001), (155.405, 128.0, 0.05)] {
            let got = chi_square(x, degrees);
            assert!((got - p).abs() < p * 0.01, "{x} {degrees}: {got}");
        }
        for (count, mean, p) in [(1, 0.5, 0.393_469_340), (3, 1.0, 0.080_301_397), (10, 2.0, 4.649_807e-5)] {
            let got = poisson(count, mean);
            assert!((got - p).abs() < p * 1e-6, "{count} {mean}: {got}");
        }
        assert!((poisson(0, 0.0) - 1.0).abs() < 1e-12);
        assert!(poisson(1, 1e-9) < 2e-9);
    }

    /// A small generator whose output is well mixed (splitmix64).
    fn mixed(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn count(keys: impl IntoIterator<Item = u128>) -> Randomness {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        let mut counter = Counter::default();
        keys.into_iter().for_each(|key| counter.count(key));
        counter.finish().1
    }

    fn random(count: usize) -> Vec<u128> {
        let mut state = 1;
        (0..count).map(|_| u128::from(mixed(&mut state)) << 64 | u128::from(mixed(&mut state))).collect()
    }

    #[test]
    fn random_keys_pass_and_each_weakness_fails_its_test() {
        let failed = |randomness: &Randomness| -> Vec<_> {
            let below = randomness.tests.iter().filter(|test| test.p < randomness.threshold);
            below.map(|test| test.name).collect()
        };
        assert!(count(random(10_000)).is_plausible(), "{:?}", count(random(10_000)));
        // A bit that is stuck.
        assert!(failed(&count(random(2_000).into_iter().map(|key| key | 1))).contains(&"bit_positions"));
        // Letters instead of bytes.
        let letters = random(200).into_iter().map(|key| key & u128::from_be_bytes([0x7f; 16]));
        assert!(failed(&count(letters)).contains(&"bits"));
        // One byte that is too frequent.
        let zeros = random(4_000)
            .into_iter()
            .enumerate()
            .map(|(n, key)| if n % 5 == 0 { key >> 8 << 8 } else { key });
        assert!(failed(&count(zeros)).contains(&"bytes"));
        // Keys from a generator that was started with 32 bits: four begin alike, and else there is nothing.
        let seeds =
            random(10_000).into_iter().enumerate().map(|(n, key)| if n < 4 { key << 32 >> 32 } else { key });
        assert_eq!(failed(&count(seeds)), ["prefixes"]);
    }

    #[test]
    fn few_keys_are_not_tested() {
        let few = count([1; 1]);
        assert!(few.tests.is_empty() && few.is_plausible());
    }
}
