//! Numbers and orders drawn from a generator that the caller brings.

use rand_core::Rng;

/// A number from 0 to `bound` − 1, each as likely as the other to within `bound` / 2⁶⁴; 0 for 0.
pub(crate) fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    // A product of two 64-bit numbers, shifted by 64, is below both.
    u64::try_from((u128::from(rng.next_u64()) * u128::from(bound)) >> 64).unwrap_or_default()
}

/// Puts `items` into an order of which each is as likely as any other (Fisher and Yates, from the last place to the
/// second).
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        let places = u64::try_from(last).map_or(u64::MAX, |last| last.saturating_add(1));
        let drawn = usize::try_from(below(places, rng)).unwrap_or(last);
        items.swap(last, drawn.min(last));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_order_of_four_is_as_likely_as_any_other() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut orders = BTreeMap::<[u8; 4], u32>::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, &mut rng);
            *orders.entry(items).or_default() += 1;
        }
        assert_eq!(orders.len(), 24);
        // 1,000 each, with a standard deviation of 31.
        assert!(orders.values().all(|count| (850..1150).contains(count)), "{orders:?}");
    }

    #[test]
    fn nothing_and_one_are_left_alone() {
        let mut rng = StdRng::seed_from_u64(1);
        shuffle::<u8>(&mut [], &mut rng);
        let mut one = [7];
        shuffle(&mut one, &mut rng);
        assert_eq!(one, [7]);
        assert_eq!(below(0, &mut rng), 0);
        assert_eq!(below(1, &mut rng), 0);
    }
}
