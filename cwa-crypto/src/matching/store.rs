use alloc::vec::Vec;

use super::Sighting;
use crate::rpi::RollingProximityIdentifier;

/// All that one phone received, indexed once by identifier.
///
/// A table over the first bits of the identifiers narrows a search down to about one of them: they are outputs of AES,
/// and so evenly spread. Those an attacker made up may all begin alike; within one entry of the table the search is
/// binary, so that they cost a logarithm of their number and no more. 16 bytes for each identifier, 32 for each
/// sighting, at most 512 KiB for the table.
#[derive(Clone)]
pub struct ReceivedIdentifiers {
    /// Ordered by identifier, then by time.
    sightings: Vec<Sighting>,
    /// The identifiers, big-endian, ascending, each once.
    identifiers: Vec<u128>,
    /// Where in `sightings` those of an identifier begin; one more at the end.
    begins: Vec<usize>,
    /// Where in `identifiers` those with a prefix begin; one more at the end.
    prefixes: Vec<usize>,
    /// What is right of the prefix, in bits.
    shift: u32,
}

impl ReceivedIdentifiers {
    /// Indexes `sightings`, which may come in any order.
    #[must_use]
    pub fn new(sightings: impl IntoIterator<Item = Sighting>) -> Self {
        let mut sightings: Vec<_> = sightings.into_iter().collect();
        sightings.sort_unstable_by_key(|sighting| (sighting.rpi, sighting.seen_at, *sighting));
        let mut identifiers: Vec<u128> = Vec::new();
        let mut begins = Vec::new();
        for (place, sighting) in sightings.iter().enumerate() {
            let number = number(sighting.rpi);
            if identifiers.last() != Some(&number) {
                identifiers.push(number);
                begins.push(place);
            }
        }
        begins.push(sightings.len());

        let prefix_bits = identifiers.len().checked_ilog2().unwrap_or(0).clamp(1, MAX_PREFIX_BITS);
        let shift = u128::BITS - prefix_bits;
        let mut prefixes = Vec::new();
        let mut place = 0;
        for prefix in 0..1_u128 << prefix_bits {
            prefixes.push(place);
            let rest = identifiers.get(place..).unwrap_or_default();
            place += rest.iter().take_while(|identifier| *identifier >> shift == prefix).count();
        }
        prefixes.push(place);
        Self { sightings, identifiers, begins, prefixes, shift }
    }

    /// The number of sightings.
    #[must_use]
    pub const fn sighting_count(&self) -> usize {
        self.sightings.len()
    }

    /// The number of different identifiers among them.
    #[must_use]
    pub const fn identifier_count(&self) -> usize {
        self.identifiers.len()
    }

    /// The sightings of one identifier, ordered by time.
    #[must_use]
    pub fn sightings_of(&self, rpi: RollingProximityIdentifier) -> &[Sighting] {
        self.place_of(number(rpi))
            .and_then(|place| range(&self.sightings, &self.begins, place))
            .unwrap_or_default()
    }

    fn place_of(&self, number: u128) -> Option<usize> {
        let prefix = usize::try_from(number >> self.shift).ok()?;
        let first = *self.prefixes.get(prefix)?;
        let same_prefix = range(&self.identifiers, &self.prefixes, prefix)?;
        Some(first + same_prefix.binary_search(&number).ok()?)
    }
}

impl core::fmt::Debug for ReceivedIdentifiers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReceivedIdentifiers")
            .field("sightings", &self.sighting_count())
            .field("identifiers", &self.identifier_count())
            .finish_non_exhaustive()
    }
}

/// The slice of `items` that the entry at `place` of a table of beginnings stands for.
fn range<'a, T>(items: &'a [T], begins: &[usize], place: usize) -> Option<&'a [T]> {
    items.get(*begins.get(place)?..*begins.get(place + 1)?)
}

/// As big-endian numbers, identifiers are ordered as their bytes are.
const fn number(rpi: RollingProximityIdentifier) -> u128 {
    u128::from_be_bytes(*rpi.as_bytes())
}

/// 2^16 entries are 512 KiB, which stay in the cache of a core.
const MAX_PREFIX_BITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aem::AssociatedEncryptedMetadata;
    use crate::time::UnixTime;

    fn sighting(rpi: u128, seen_at: u64) -> Sighting {
        let aem = AssociatedEncryptedMetadata::from_bytes([0; 4]);
        let rpi = RollingProximityIdentifier::from_bytes(rpi.to_be_bytes());
        Sighting::new(rpi, aem, -50, UnixTime::from_secs(seen_at))
    }

    fn times(received: &ReceivedIdentifiers, rpi: u128) -> Vec<u64> {
        let sightings = received.sightings_of(sighting(rpi, 0).rpi);
        sightings.iter().map(|sighting| sighting.seen_at.as_secs()).collect()
    }

    #[test]
    fn nothing_received_is_nothing_found() {
        let received = ReceivedIdentifiers::new([]);
        assert_eq!((received.sighting_count(), received.identifier_count()), (0, 0));
        for rpi in [0, 1, u128::MAX] {
            assert!(times(&received, rpi).is_empty());
        }
    }

    #[test]
    fn every_identifier_is_found_with_its_sightings_by_time_and_no_other_is() {
        // Spread evenly, crowded at both ends, and all with one prefix.
        let spread = |i: u128| i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let crowded = |i: u128| if i.is_multiple_of(2) { i } else { u128::MAX - i };
        let flooded = |i: u128| (0xabcd << 112) + 2 * i;
        let identifiers: [&dyn Fn(u128) -> u128; 3] = [&spread, &crowded, &flooded];
        for identifier in identifiers {
            for count in [1, 2, 3, 5, 1000] {
                let all: Vec<_> =
                    (0..count).flat_map(|i| [9, 3, 5].map(|t| sighting(identifier(i), t))).collect();
                let received = ReceivedIdentifiers::new(all);
                assert_eq!(received.identifier_count(), usize::try_from(count).unwrap());
                for i in 0..count {
                    assert_eq!(times(&received, identifier(i)), [3, 5, 9]);
                }
                assert!(times(&received, identifier(count)).is_empty());
            }
        }
    }
}
