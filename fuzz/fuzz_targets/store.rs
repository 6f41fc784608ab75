//! Images of stores: as they come, and such that were right before some bytes of them were changed.
#![no_main]

use cwa_crypto::matching::{Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StoreKey};
use cwa_crypto::{
    AssociatedEncryptedMetadata, DiagnosisKey, ENIntervalNumber, RollingPeriod, RollingProximityIdentifier,
    UnixTime,
};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

fuzz_target!(|data: &[u8]| {
    use_it(data);
    let Some((&[kind, changes], rest)) = data.split_first_chunk() else { return };
    let Some((changes, frames)) = rest.split_at_checked(usize::from(changes) * 3) else { return };
    let split = if kind & 1 == 0 { Split::Whole } else { Split::ByDay };
    let received = ReceivedIdentifiers::build(
        frames.chunks_exact(6).map(sighting),
        split,
        &StoreKey::from_bytes([kind; 16]),
    );
    received.check().expect("what was built is right");
    let mut image = received.as_bytes().to_vec();
    use_it(&image);

    for change in changes.as_chunks::<3>().0 {
        let [low, high, change] = *change;
        let length = image.len();
        image[usize::from(u16::from_le_bytes([low, high])) % length] ^= change;
    }
    if image != received.as_bytes()
        && let Ok(damaged) = ReceivedIdentifiers::parse(image.as_slice())
    {
        damaged.check().expect_err("the digest tells every change");
    }
    use_it(&image);
    // Whoever makes up an image makes up its digest too.
    let digest = Sha256::new().chain_update(&image[..48]).chain_update(&image[80..]).finalize();
    image[48..80].copy_from_slice(&digest);
    use_it(&image);
});

/// A frame of one of the few identifiers of the day that [`use_it`] asks for, or of another.
fn sighting(bytes: &[u8]) -> Sighting {
    let &[which, hours, seconds, aem, rssi, other] = bytes else { unreachable!("six bytes") };
    let key = DiagnosisKey::new([0; 16], START, RollingPeriod::FULL_DAY);
    let (interval, mut rpi) = key.identifiers().nth(usize::from(which) % 144).expect("144 identifiers");
    if other & 3 == 0 {
        rpi = RollingProximityIdentifier::from_bytes([which; 16]);
    }
    let seen_at = interval.start().plus(u64::from(hours) * 1800 + u64::from(seconds)).minus(64 * 1800);
    Sighting::new(rpi, AssociatedEncryptedMetadata::from_bytes([aem; 4]), rssi.cast_signed(), seen_at)
}

/// Does with an image what can be done with one that may be wrong.
fn use_it(image: &[u8]) {
    let Ok(received) = ReceivedIdentifiers::parse(image) else { return };
    let is_right = received.check().is_ok();
    let sightings: Vec<_> = received.sightings().take(1000).collect();
    for sighting in sightings.iter().take(20) {
        let same = received.sightings_of(sighting.rpi);
        assert!(!is_right || same.contains(sighting), "what is there is found");
    }
    let mut matcher = Matcher::new(&received);
    let key = DiagnosisKey::new([0; 16], START, RollingPeriod::FULL_DAY);
    let late = DiagnosisKey::new(
        [0; 16],
        ENIntervalNumber::at(UnixTime::from_secs(u64::MAX)),
        RollingPeriod::FULL_DAY,
    );
    matcher.push_keys(&[key, late]);
    let matching = matcher.finish(Rules::SPEC);
    if is_right && sightings.len() < 1000 {
        assert_eq!(sightings.len(), received.sighting_count(), "all are told");
        for found in &matching.matches {
            assert!(sightings.contains(&found.sighting), "only what was received is found");
        }
    }
}

const START: ENIntervalNumber = ENIntervalNumber::new(2_642_976);
