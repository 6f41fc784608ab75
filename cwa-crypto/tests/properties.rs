//! What holds for every key, every frame and every clock.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use cwa_crypto::derive::{Backend, derive_with};
use cwa_crypto::matching::{ReceivedIdentifiers, Rules, Sighting, Split, StoreKey, find};
use cwa_crypto::metadata::CalibrationConfidence;
use cwa_crypto::rpi::Identifiers;
use cwa_crypto::{
    Advertisement, AssociatedEncryptedMetadata, AssociatedEncryptedMetadataKey, BluetoothMetadata,
    DiagnosisKey, ENIntervalNumber, RollingPeriod, RollingProximityIdentifier, TemporaryExposureKey,
    TransmitPower, UnixTime,
};
use proptest::prelude::*;

fn metadata() -> impl Strategy<Value = BluetoothMetadata> {
    (-127..=127_i8, prop::option::of(0..4_i64)).prop_map(|(dbm, confidence)| {
        let power = TransmitPower::from_dbm(dbm).unwrap();
        match confidence {
            None => BluetoothMetadata::v1_0(power),
            Some(number) => BluetoothMetadata::v1_1(power, CalibrationConfidence::try_from(number).unwrap()),
        }
    })
}

fn period() -> impl Strategy<Value = RollingPeriod> {
    (1..=144_i64).prop_map(|number| RollingPeriod::try_from(number).unwrap())
}

/// Any interval, as often as not one whose day ends after the last.
fn start() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), u32::MAX - 150..=u32::MAX]
}

fn diagnosis_key() -> impl Strategy<Value = DiagnosisKey> {
    (any::<[u8; 16]>(), 2_600_000..2_700_000_u32, period())
        .prop_map(|(data, start, period)| DiagnosisKey::new(data, ENIntervalNumber::new(start), period))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_day_in_bulk_is_its_intervals_one_by_one_and_can_be_inverted(
        data in any::<[u8; 16]>(), start in any::<u32>(), period in period(),
    ) {
        let rpik = TemporaryExposureKey::from_bytes(data).rolling_proximity_identifier_key();
        let mut count = 0;
        for ((interval, rpi), number) in rpik.identifiers(ENIntervalNumber::new(start), period).zip(start..) {
            prop_assert_eq!(interval.get(), number);
            prop_assert_eq!(rpi, rpik.identifier(interval));
            prop_assert_eq!(rpik.interval_of(rpi), Some(interval));
            count += 1;
        }
        prop_assert_eq!(count, u32::from(period.get()).min((u32::MAX - start).saturating_add(1)));
    }

    #[test]
    fn a_batch_is_its_keys_one_by_one_and_can_be_inverted_by_every_backend(
        keys in prop::collection::vec((any::<[u8; 16]>(), start(), period()), 0..=100),
    ) {
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(data, start, period)| DiagnosisKey::new(data, ENIntervalNumber::new(start), period))
            .collect();
        for backend in Backend::all_available() {
            let mut batch = vec![Identifiers::default(); keys.len()];
            derive_with(backend, &keys, &mut batch).unwrap();
            for (key, day) in keys.iter().zip(batch) {
                prop_assert!(day.clone().eq(key.identifiers()));
                let rpik = key.temporary_exposure_key().rolling_proximity_identifier_key();
                for (interval, rpi) in day {
                    prop_assert_eq!(rpik.interval_of(rpi), Some(interval));
                }
            }
        }
    }

    #[test]
    fn a_planted_frame_is_matched_whatever_else_was_received(
        keys in prop::collection::vec(diagnosis_key(), 1..6),
        noise in prop::collection::vec((any::<[u8; 16]>(), any::<u32>()), 0..50),
        planted in any::<prop::sample::Index>(),
        interval in any::<prop::sample::Index>(),
        late in -7200..7800_i64,
        store_key in any::<[u8; 16]>(),
    ) {
        let key = keys[planted.index(keys.len())];
        let (interval, rpi) = key.identifiers().nth(interval.index(key.identifiers().len())).unwrap();
        let aemk = key.temporary_exposure_key().associated_encrypted_metadata_key();
        let aem = aemk.seal(rpi, BluetoothMetadata::v1_0(TransmitPower::from_dbm(-20).unwrap()));
        let seen_at = interval.start().as_secs().checked_add_signed(late).unwrap();
        let sighting = Sighting::new(rpi, aem, -50, UnixTime::from_secs(seen_at));
        let noise = noise.into_iter().map(|(rpi, seen_at)| {
            let rpi = RollingProximityIdentifier::from_bytes(rpi);
            Sighting::new(rpi, aem, -50, UnixTime::from_secs(seen_at.into()))
        });
        let sightings: Vec<_> = noise.chain([sighting]).collect();
        for split in [Split::Whole, Split::ByDay] {
            let store_key = StoreKey::from_bytes(store_key);
            let received = ReceivedIdentifiers::build(sightings.iter().copied(), split, &store_key);
            for rules in Rules::ALL {
                let matching = received.find(keys.iter().copied(), rules);
                // An hour either way is near enough for all; from there to two hours, for all but microG.
                let is_near = rules != Rules::MICROG || (-3600..=4200).contains(&late);
                if !is_near {
                    prop_assert_eq!(matching.matches.len(), 0);
                    prop_assert_eq!(matching.dropped[0].reason.name(), "outside-time-window");
                    continue;
                }
                // Google alone does not look on the third day of a key that starts late in its first.
                if let Some(dropped) = matching.dropped.first() {
                    prop_assert_eq!((rules.name(), dropped.reason.name()), ("google", "day-not-looked-up"));
                    continue;
                }
                prop_assert_eq!(matching.matches.len(), 1);
                prop_assert_eq!(matching.matches[0].sighting, sighting);
                prop_assert_eq!(matching.matches[0].interval, interval);
                let backwards = received.find(keys.iter().rev().copied(), rules);
                prop_assert_eq!(backwards, matching, "the order of different keys is of no consequence");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn neither_the_order_of_sightings_nor_a_second_copy_of_a_key_changes_anything(
        keys in prop::collection::vec(diagnosis_key(), 1..4),
        heard in prop::collection::vec((any::<prop::sample::Index>(), 0..144_usize, -8000..8000_i64, any::<i8>()), 1..20),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut sightings: Vec<_> = heard
            .iter()
            .map(|(index, interval, late, rssi)| {
                let key = keys[index.index(keys.len())];
                let (interval, rpi) = key.identifiers().nth(interval % key.identifiers().len()).unwrap();
                let seen_at = interval.start().as_secs().checked_add_signed(*late).unwrap();
                let aem = AssociatedEncryptedMetadata::from_bytes([rssi.cast_unsigned(); 4]);
                Sighting::new(rpi, aem, *rssi, UnixTime::from_secs(seen_at))
            })
            .collect();
        let twice: Vec<_> = keys.iter().chain(&keys).copied().collect();
        let first = Rules::ALL.map(|rules| find(keys.clone(), sightings.clone(), rules));
        let turn = turn.index(sightings.len());
        sightings.rotate_left(turn);
        sightings.reverse();
        for (rules, first) in Rules::ALL.into_iter().zip(first) {
            prop_assert_eq!(&find(keys.clone(), sightings.clone(), rules), &first);
            prop_assert_eq!(&find(twice.clone(), sightings.clone(), rules), &first);
        }
    }
}

proptest! {
    #[test]
    fn sealed_metadata_is_opened_again(
        aemk in any::<[u8; 16]>(), rpi in any::<[u8; 16]>(), metadata in metadata(),
    ) {
        let aemk = AssociatedEncryptedMetadataKey::from_bytes(aemk);
        let rpi = RollingProximityIdentifier::from_bytes(rpi);
        prop_assert_eq!(aemk.open_unauthenticated(rpi, aemk.seal(rpi, metadata)), Ok(metadata));
    }

    #[test]
    fn any_four_bytes_are_metadata_unless_the_power_is_impossible(bytes in any::<[u8; 4]>()) {
        match BluetoothMetadata::decode(bytes) {
            Ok(metadata) => prop_assert_eq!(BluetoothMetadata::decode(metadata.encode()), Ok(metadata)),
            Err(_) => prop_assert_eq!(bytes[1], 0x80),
        }
    }

    #[test]
    fn any_bytes_are_an_advertisement_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(advertisement) = Advertisement::decode(&bytes) {
            prop_assert_eq!(Advertisement::decode(advertisement.encode().as_ref()), Ok(advertisement));
        }
    }

    #[test]
    fn an_advertisement_is_found_among_other_structures(
        rpi in any::<[u8; 16]>(),
        aem in any::<[u8; 4]>(),
        others in prop::collection::vec((0x17..=0xff_u8, prop::collection::vec(any::<u8>(), 0..8)), 0..6),
        place in any::<prop::sample::Index>(),
    ) {
        let sent = Advertisement::new(
            RollingProximityIdentifier::from_bytes(rpi),
            AssociatedEncryptedMetadata::from_bytes(aem),
        );
        let mut structures: Vec<Vec<u8>> = others
            .into_iter()
            .map(|(ad_type, data)| [vec![u8::try_from(1 + data.len()).unwrap(), ad_type], data].concat())
            .collect();
        structures.insert(place.index(structures.len() + 1), sent.encode().as_ref().to_vec());
        prop_assert_eq!(Advertisement::decode(&structures.concat()), Ok(sent));
    }

    #[test]
    fn public_values_survive_text(rpi in any::<[u8; 16]>(), aem in any::<[u8; 4]>()) {
        let rpi = RollingProximityIdentifier::from_bytes(rpi);
        prop_assert_eq!(rpi.to_string().parse(), Ok(rpi));
        prop_assert_eq!(rpi.to_string().to_uppercase().parse(), Ok(rpi));
        let aem = AssociatedEncryptedMetadata::from_bytes(aem);
        prop_assert_eq!(aem.to_string().parse(), Ok(aem));
    }
}
