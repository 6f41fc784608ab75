use alloc::string::ToString as _;
use alloc::vec;

use proptest::prelude::*;

use super::part::lanes_of;
use super::*;
use crate::aem::AssociatedEncryptedMetadata;
use crate::time::UnixTime;

const DAY: u64 = 86_400;

fn key() -> StoreKey {
    StoreKey::from_bytes(*b"nobody knows it.")
}

fn rpi(number: u128) -> RollingProximityIdentifier {
    RollingProximityIdentifier::from_bytes(number.to_be_bytes())
}

fn sighting(number: u128, seen_at: u64) -> Sighting {
    let aem = AssociatedEncryptedMetadata::from_bytes([1, 2, 3, 4]);
    Sighting::new(rpi(number), aem, -50, UnixTime::from_secs(seen_at))
}

/// Evenly spread and without a pattern, as outputs of AES are: a finaliser of hashes (SplitMix) on either half.
fn spread(number: u128) -> u128 {
    let half = |half: u128| {
        let x = u64::try_from(number * 2 + half).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(x ^ x >> 31)
    };
    half(0) << 64 | half(1)
}

/// Both ways to divide, and both ways to hold the bytes.
fn stores(sightings: &[Sighting]) -> Vec<ReceivedIdentifiers> {
    let build = |split| ReceivedIdentifiers::build(sightings.iter().copied(), split, &key());
    let built = [Split::Whole, Split::ByDay].map(build);
    let parsed = built.iter().map(|store| ReceivedIdentifiers::parse(store.as_bytes().to_vec()).unwrap());
    parsed.chain(built.clone()).collect()
}

fn times(received: &ReceivedIdentifiers, number: u128) -> Vec<u64> {
    received.sightings_of(rpi(number)).iter().map(|sighting| sighting.seen_at.as_secs()).collect()
}

#[test]
fn nothing_received_is_nothing_found() {
    for received in stores(&[]) {
        assert_eq!((received.sighting_count(), received.identifier_count()), (0, 0));
        assert_eq!(received.check(), Ok(()));
        assert_eq!(received.as_bytes().len(), 80);
        for number in [0, 1, u128::MAX] {
            assert_eq!(times(&received, number), Vec::<u64>::new());
        }
    }
}

#[test]
fn every_identifier_is_found_with_its_sightings_by_time_and_no_other_is() {
    // Spread evenly, crowded at both ends, all with one prefix, and all with one ending.
    let crowded = |i: u128| if i.is_multiple_of(2) { i } else { u128::MAX - i };
    let flooded = |i: u128| (0xabcd << 112) + 2 * i;
    let ending = |i: u128| i << 64;
    let identifiers: [&dyn Fn(u128) -> u128; 4] = [&spread, &crowded, &flooded, &ending];
    for identifier in identifiers {
        for count in [1, 2, 3, 9, 10, 448, 449, 1000] {
            let times_of =
                |i: u128| if i.is_multiple_of(3) { vec![3, 5, 9, DAY, 2 * DAY + 7] } else { vec![4] };
            let all: Vec<_> = (0..count)
                .rev()
                .flat_map(|i| times_of(i).into_iter().rev().map(move |time| sighting(identifier(i), time)))
                .collect();
            for received in stores(&all) {
                assert_eq!(received.check(), Ok(()));
                assert_eq!(received.sighting_count(), all.len());
                if received.split() == Split::Whole {
                    assert_eq!(received.identifier_count(), usize::try_from(count).unwrap());
                }
                for i in 0..count {
                    assert_eq!(times(&received, identifier(i)), times_of(i));
                }
                assert_eq!(times(&received, identifier(count)), Vec::<u64>::new());
                assert_eq!(received.sightings().count(), all.len());
            }
        }
    }
}

#[test]
fn one_identifier_may_have_thousands_of_sightings() {
    let mut all: Vec<_> = (0..5000).map(|time| sighting(7, time)).collect();
    all.extend([sighting(6, 1), sighting(8, 2)]);
    for received in stores(&all) {
        assert_eq!(times(&received, 7), (0..5000).collect::<Vec<_>>());
        assert_eq!((times(&received, 6), times(&received, 8)), (vec![1], vec![2]));
    }
}

#[test]
fn sightings_keep_every_member_up_to_the_end_of_time() {
    let aem = AssociatedEncryptedMetadata::from_bytes([0xff, 0, 0x80, 1]);
    let all = [0, 599, 600, u64::from(u32::MAX) * 600, u64::MAX]
        .map(|time| Sighting::new(rpi(5), aem, i8::MIN, UnixTime::from_secs(time)));
    for received in stores(&all) {
        assert_eq!(received.sightings_of(rpi(5)), all);
        assert_eq!(received.check(), Ok(()));
    }
}

#[test]
fn an_identifier_takes_less_than_twenty_two_bytes_beside_its_sighting() {
    for count in [10_000, 16_385, 32_769, 65_537, 100_000, 131_073, 262_145] {
        let all = (0..count).map(|i| sighting(spread(i), 0));
        let received = ReceivedIdentifiers::build(all, Split::Whole, &key());
        let count = usize::try_from(count).unwrap();
        assert_eq!(received.identifier_count(), count);
        let bytes = received.bytes.capacity() + size_of_val(received.contents.parts.as_slice());
        assert!(bytes - received.payload_size() < 22 * count, "{count}: {bytes}");
    }
    // Divided among two weeks, each part has its own rounding, and its neighbours' identifiers around midnight.
    let by_day = |time: &dyn Fn(u64) -> u64| {
        let all = (0..10_000_u64).map(|i| sighting(spread(i.into()), i % 14 * DAY + time(i)));
        let received = ReceivedIdentifiers::build(all, Split::ByDay, &key());
        let bytes = received.bytes.capacity() + size_of_val(received.contents.parts.as_slice());
        bytes - received.payload_size()
    };
    assert!(by_day(&|i| i * 7919 % DAY) < 10_000 * 22);
    assert!(by_day(&|_| 0) < 10_000 * 24);
}

/// The share of evenly spread identifiers, none of them stored, that pass the filter, and that pass the lanes too.
fn shares_that_pass(received: &ReceivedIdentifiers) -> (f64, f64) {
    let part = received.parts().next().unwrap();
    let filter = part.filter(&received.hash);
    let probes = 200_000;
    let mut passed = (0, 0);
    for number in 0..probes {
        let probe = spread(1 << 40 | number).to_be_bytes();
        if filter.ask(0, &[probe]) == 1 {
            passed.0 += 1;
            let bucket = part::bucket_of(received.hash.of(&probe), part.buckets.len());
            let bits = lanes_of(&probe);
            passed.1 += i32::from(u128::from_le_bytes(part.buckets[bucket]) & bits == bits);
        }
    }
    (f64::from(passed.0) / 200_000.0, f64::from(passed.1) / 200_000.0)
}

#[test]
fn identifiers_that_were_made_up_pass_no_more_strangers_than_random_ones() {
    let count = 20_000;
    let random: &dyn Fn(u128) -> u128 = &spread;
    // A common prefix; a common beginning; beginnings at equal distances; and, besides, lanes filled evenly.
    let prefix = |i: u128| spread(i) >> 16 | 0xabcd << 112;
    let beginning = |i: u128| spread(i) >> 48 | 0xabcd_ef01_2345 << 80;
    let even = |i: u128| {
        let place = (u32::try_from((i << 32) / count).unwrap()).swap_bytes();
        spread(i) >> 32 | u128::from(place) << 96
    };
    let lanes = |i: u128| even(i) & !(0xffff << 80) | ((i * 0x9e37) & 0xffff) << 80;
    let share = |identifier: &dyn Fn(u128) -> u128| {
        let all = (0..count).map(|i| sighting(identifier(i), 0));
        shares_that_pass(&ReceivedIdentifiers::build(all, Split::Whole, &key()))
    };
    let (filter, both) = share(random);
    // 8,192 words with 2.4 identifiers each, and three bits of 64 for each.
    assert!((0.010..0.014).contains(&filter), "{filter}");
    assert!(both < 0.003, "{both}");
    let made_up: [&dyn Fn(u128) -> u128; 4] = [&prefix, &beginning, &even, &lanes];
    for made_up in made_up {
        let (made_up_filter, made_up_both) = share(made_up);
        assert!(made_up_filter < filter * 1.1, "{made_up_filter} {filter}");
        assert!(made_up_both < both * 1.3, "{made_up_both} {both}");
    }
}

#[test]
fn buckets_are_of_one_size_whatever_is_broadcast_and_differ_from_key_to_key() {
    let largest = |key: &StoreKey, identifier: &dyn Fn(u128) -> u128| {
        let all = (0..20_000).map(|i| sighting(identifier(i), 0));
        let received = ReceivedIdentifiers::build(all, Split::Whole, key);
        let part = received.parts().next().unwrap();
        let begins: Vec<_> = part.buckets.iter().map(|record| part::begin_of(record).unwrap()).collect();
        begins.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    };
    for seed in 0..4 {
        let key = StoreKey::from_bytes([seed; 16]);
        for shift in [0, 16, 32, 64, 96, 112] {
            // Counting in one place of the identifier.
            let largest = largest(&key, &|i| i << shift | (1 << 127));
            assert!(largest < 60, "{largest} at {shift}");
        }
    }
    let all = || (0..100).map(|i| sighting(i, 0));
    let image = |key: [u8; 16]| {
        ReceivedIdentifiers::build(all(), Split::Whole, &StoreKey::from_bytes(key)).as_bytes().to_vec()
    };
    assert_ne!(image([0; 16])[80..], image([1; 16])[80..]);
}

/// In numbers that cannot overflow, and with one block encrypted after the other.
#[test]
fn the_hash_of_a_bucket_is_that_of_its_definition() {
    use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
    let cipher = aes::Aes128::new(&(*key().expose_bytes()).into());
    let mut bytes = Vec::new();
    for number in 0..3 {
        let mut block = [number; 16].into();
        cipher.encrypt_block(&mut block);
        bytes.extend(block);
    }
    let keys: Vec<u128> = bytes.chunks(8).map(|k| u64::from_le_bytes(k.try_into().unwrap()).into()).collect();
    let identifier = spread(5).to_be_bytes();
    let words: Vec<u128> =
        identifier.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap()).into()).collect();
    let modulus = 1_u128 << 64;
    let sum = keys[0]
        + (keys[1] + words[0]) % modulus * ((keys[2] + words[1]) % modulus) % modulus
        + (keys[3] + words[2]) % modulus * ((keys[4] + words[3]) % modulus) % modulus;
    assert_eq!(u128::from(KeyedHash::new(&key()).of(&identifier)), (sum % modulus) >> 32);
}

#[test]
fn the_order_of_the_sightings_is_of_no_consequence_for_the_image() {
    let mut all: Vec<_> =
        (0..500).map(|i| sighting(spread(i % 130), u64::try_from(i * 997).unwrap())).collect();
    let images = stores(&all);
    all.reverse();
    for (image, other) in images.iter().zip(stores(&all)) {
        assert_eq!(image.as_bytes(), other.as_bytes());
    }
}

#[test]
fn an_image_of_another_kind_is_refused_with_what_is_wrong() {
    let image = stores(&[sighting(1, 5)])[0].as_bytes().to_vec();
    let parse = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = image.clone();
        change(&mut image);
        ReceivedIdentifiers::parse(image).map(|_| ()).unwrap_err()
    };
    assert_eq!(ReceivedIdentifiers::parse([]).unwrap_err(), StoreError::TooShort { got: 0 });
    assert_eq!(parse(&|image| image[0] = b'{'), StoreError::NotAStore);
    assert_eq!(parse(&|image| image[8] = 2), StoreError::Version { got: 2 });
    assert_eq!(parse(&|image| image[12] = 7), StoreError::Split { got: 7 });
    assert_eq!(parse(&|image| image[39] = 1), StoreError::TooShort { got: image.len() });
    assert_eq!(parse(&|image| image[40] = 1), StoreError::Padding { part: None });
    // A day in a store that is not divided, no identifiers, fewer sightings than identifiers, more than fit anywhere,
    // another number in the filter.
    for (place, byte) in [(80, 1), (88, 0), (96, 0), (95, 0xff), (103, 0xff), (104, 0), (104, 2)] {
        assert_eq!(parse(&|image| image[place] = byte), StoreError::Part { number: 0 }, "{place}");
    }
    let (expected, got) = (image.len(), image.len() + 1);
    assert_eq!(parse(&|image| image.push(0)), StoreError::Length { expected, got });
    assert_eq!(
        StoreError::Length { expected, got }.to_string(),
        alloc::format!("the store is {got} bytes long, not {expected}")
    );
}

/// Looks things up in an image that may be wrong inside.
fn use_it<B: AsRef<[u8]>>(received: &ReceivedIdentifiers<B>, sightings: &[Sighting]) {
    for sighting in sightings {
        let _ = received.sightings_of(sighting.rpi);
    }
    let _ = received.sightings().take(10_000).count();
    let store = received.store();
    for sighting in sightings {
        // A day of one identifier, so that every step of a search is taken.
        let day = DayBlocks([*sighting.rpi.as_bytes(); 144]);
        let start = ENIntervalNumber::at(sighting.seen_at);
        let near = store.near(start);
        let _ = near.filter().ask(0, &day.0[..64]);
        let mut heard = HeardIntervals::NONE;
        for offset in 0..144 {
            if store.may_have(&near, sighting.rpi.as_bytes()) && store.has(&near, start, offset, &day) {
                heard.insert(offset);
            }
        }
        store.look_up_elsewhere(&near, start, &day, &mut heard);
        for offset in heard.iter() {
            let interval = ENIntervalNumber::new(start.get().saturating_add(offset.into()));
            let _ = store.sightings_of(sighting.rpi, interval);
        }
    }
}

#[test]
fn no_damaged_image_passes_and_none_does_harm() {
    let all: Vec<_> = (0..25).map(|i| sighting(spread(i % 11), u64::try_from(i).unwrap() * 20_000)).collect();
    for received in stores(&all).into_iter().take(2) {
        let image = received.as_bytes();
        use_it(&received, &all);
        for length in 0..image.len() {
            assert!(ReceivedIdentifiers::parse(&image[..length]).is_err(), "{length}");
        }
        for place in 0..image.len() {
            // Of each byte another bit, and every bit.
            for flipped in [1 << (place % 8), 0xff] {
                let mut image = image.to_vec();
                image[place] ^= flipped;
                if let Ok(damaged) = ReceivedIdentifiers::parse(image.clone()) {
                    assert_eq!(damaged.check(), Err(StoreError::Digest), "{place}");
                    use_it(&damaged, &all[..4]);
                }
                // Whoever makes images up can make up digests as well.
                let digest = image::digest(&image);
                image[image::DIGEST].copy_from_slice(&digest);
                if let Ok(made_up) = ReceivedIdentifiers::parse(image.clone())
                    && made_up.check().is_ok()
                {
                    // Other sightings, then, as if they had been received.
                    let sightings = made_up.sightings();
                    let again = ReceivedIdentifiers::build(sightings, made_up.split(), &made_up.contents.key);
                    assert_eq!(again.as_bytes(), image, "{place}");
                }
            }
        }
    }
}

#[test]
fn identifiers_of_intervals_that_do_not_exist_are_not_stored() {
    let all = [sighting(7, u64::from(u32::MAX) * 600)];
    let day = DayBlocks([*rpi(7).as_bytes(); 144]);
    for received in stores(&all) {
        let store = received.store();
        let start = ENIntervalNumber::new(u32::MAX - 3);
        let near = store.near(start);
        let has: Vec<_> = (0..144).filter(|offset| store.has(&near, start, *offset, &day)).collect();
        assert_eq!(has, [0, 1, 2, 3]);
    }
}

#[test]
fn a_day_without_sightings_has_a_filter_for_those_of_its_neighbours() {
    let interval = |interval: u64| interval * 600;
    // Within two hours of midnight on both sides of day 10, and one too early for day 12.
    let all = [
        sighting(spread(1), interval(10 * 144 - 12)),
        sighting(spread(2), interval(11 * 144 + 11)),
        sighting(spread(3), interval(12 * 144 - 13)),
    ];
    let received = ReceivedIdentifiers::build(all, Split::ByDay, &key());
    assert_eq!(received.check(), Ok(()));
    let days: Vec<_> = received.parts().map(|part| (part.day, part.identifiers.len())).collect();
    assert_eq!(days, [(9, 1), (10, 0), (11, 2)]);
    assert_eq!(received.identifier_count(), 3);
    let store = received.store();
    let near = |day: u32| store.is_near(ENIntervalNumber::new(day * 144));
    assert_eq!([8, 9, 10, 11, 12].map(near), [false, true, true, true, false]);
    let passes = |day: u32, number: u128| {
        store.near(ENIntervalNumber::new(day * 144)).filter().ask(0, &[spread(number).to_be_bytes()]) == 1
    };
    assert_eq!([1, 2, 3].map(|number| passes(10, number)), [true, true, false]);
}

proptest! {
    #[test]
    fn an_image_gives_back_what_went_in(
        numbers in prop::collection::vec((0..40_u128, 0..3 * DAY, any::<i8>()), 0..200), key in any::<[u8; 16]>(),
    ) {
        let all: Vec<_> = numbers
            .iter()
            .map(|&(number, time, rssi_dbm)| Sighting { rssi_dbm, ..sighting(spread(number), time) })
            .collect();
        let mut expected = all.clone();
        expected.sort();
        for split in [Split::Whole, Split::ByDay] {
            let received = ReceivedIdentifiers::build(all.iter().copied(), split, &StoreKey::from_bytes(key));
            let received = ReceivedIdentifiers::parse(received.as_bytes()).unwrap();
            prop_assert_eq!(received.check(), Ok(()));
            let mut found: Vec<_> = received.sightings().collect();
            found.sort();
            prop_assert_eq!(&found, &expected);
            for sighting in &all {
                let found = received.sightings_of(sighting.rpi);
                prop_assert!(found.contains(sighting));
                prop_assert!(found.is_sorted_by_key(|sighting| sighting.seen_at));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_filter_lets_everything_pass_that_is_stored_and_says_which_by_its_place(
        count in 1..300_u128, strangers in prop::collection::vec(any::<[u8; 16]>(), 0..64), before in 0..4_u64,
        key in any::<[u8; 16]>(),
    ) {
        let stored: Vec<_> = (0..count).map(|i| spread(i).to_be_bytes()).collect();
        let all = (0..count).map(|i| sighting(spread(i), 0));
        let received = ReceivedIdentifiers::build(all, Split::Whole, &StoreKey::from_bytes(key));
        let filter = received.parts().next().unwrap().filter(&received.hash);
        for stored in stored.chunks(60) {
            prop_assert_eq!(filter.ask(before, stored), ((before + 1) << stored.len()) - 1);
        }
        let one_by_one = strangers.iter().zip(0..).map(|(stranger, place)| filter.ask(0, &[*stranger]) << place);
        prop_assert_eq!(filter.ask(0, &strangers), one_by_one.sum::<u64>());
        prop_assert_eq!(Filter::new(&[], &received.hash).ask(0, &strangers), 0);
    }

    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    #[test]
    fn words_are_chosen_with_and_without_unsafe_code_alike(
        words in prop::collection::vec(any::<[u8; 8]>(), 0..40), number in any::<u64>(), low in any::<u8>(),
    ) {
        let chosen = crate::simd::Words::new(&words).map(|words| words.chosen_by(number));
        prop_assert_eq!(chosen, words::Words::new(&words).map(|words| words.chosen_by(number)));
        prop_assert_eq!(crate::simd::Words::ZERO.chosen_by(number), words::Words::ZERO.chosen_by(number));
        for tested in [0, 1, u64::MAX, number, u64::from(low), u64::from(low) << 56] {
            let shifted = words::shift_in_whether_zero(number, tested);
            prop_assert_eq!(crate::simd::shift_in_whether_zero(number, tested), shifted);
            prop_assert_eq!(shifted, number.wrapping_mul(2) + u64::from(tested == 0));
        }
    }
}
