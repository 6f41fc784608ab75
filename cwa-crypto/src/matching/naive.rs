//! Matching as the rules say it: every key against every sighting, in no hurry. What the real thing must equal.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{
    DropReason, Dropped, Match, Matcher, Matching, ReceivedIdentifiers, Rules, Sighting, Split, StoreKey,
};
use crate::aem::AssociatedEncryptedMetadata;
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::metadata::Attenuation;
use crate::rpi::RollingProximityIdentifier;
use crate::time::{ENIntervalNumber, RollingPeriod, UnixTime};

/// A key, and whether it stood among the revised ones.
type Pushed = (DiagnosisKey, bool);

fn find(keys: &[Pushed], sightings: &[Sighting]) -> Matching {
    let mut matching = Matching::default();
    for (place, (key, _)) in keys.iter().enumerate() {
        let rpik = key.temporary_exposure_key().rolling_proximity_identifier_key();
        let aemk = key.temporary_exposure_key().associated_encrypted_metadata_key();
        let is_replaced =
            keys[place + 1..].iter().any(|(later, revised)| *revised && later.key_data == key.key_data);
        if is_replaced {
            continue;
        }
        for number in intervals_of_a_day(key) {
            let is_valid = intervals(key).contains(&number);
            // A later copy has the word, unless it is about less than an earlier one.
            let same = keys.iter().enumerate().filter(|(_, (other, _))| {
                other.key_data == key.key_data && intervals_of_a_day(other).contains(&number)
            });
            let revised_at =
                keys.iter().rposition(|(other, revised)| *revised && other.key_data == key.key_data);
            let speaks = same
                .filter(|(at, _)| revised_at.is_none_or(|revised_at| *at >= revised_at))
                .max_by_key(|(at, (other, _))| (intervals(other).contains(&number), *at));
            if speaks.is_some_and(|(at, _)| at != place) {
                continue;
            }
            let interval = ENIntervalNumber::new(number);
            let rpi = rpik.identifier(interval);
            let apart = |s: &Sighting| ENIntervalNumber::at(s.seen_at).abs_diff(interval);
            let same: Vec<_> = sightings.iter().filter(|s| s.rpi == rpi).collect();
            let first = same.iter().filter(|s| apart(s) <= 12).map(|s| s.seen_at).min();
            for &&sighting in &same {
                let reason = match first {
                    _ if key.report_type == Some(ReportType::Revoked) => Some(DropReason::Revoked),
                    _ if !is_valid => Some(DropReason::OutsideRollingPeriod),
                    _ if apart(&sighting) > 12 => {
                        Some(DropReason::OutsideTimeWindow { intervals_apart: apart(&sighting) })
                    }
                    Some(first_seen_at) if sighting.seen_at > first_seen_at.plus(1200) => {
                        Some(DropReason::Replayed { first_seen_at })
                    }
                    _ => None,
                };
                let key = *key;
                match reason {
                    Some(reason) => matching.dropped.push(Dropped { key, interval, sighting, reason }),
                    None => {
                        let metadata = aemk.open_unauthenticated(rpi, sighting.aem);
                        let attenuation = match metadata {
                            Ok(metadata) if metadata.version().major() == 1 => {
                                let db =
                                    i16::from(metadata.transmit_power().dbm()) - i16::from(sighting.rssi_dbm);
                                Some(Attenuation::from_db(u8::try_from(db.max(0)).unwrap()))
                            }
                            _ => None,
                        };
                        matching.matches.push(Match { key, interval, sighting, metadata, attenuation });
                    }
                }
            }
        }
    }
    matching.matches.sort_by_key(|m| (m.sighting.seen_at, m.sighting, m.interval, m.key));
    matching.dropped.sort_by_key(|d| (d.sighting.seen_at, d.sighting, d.interval, d.key));
    matching
}

fn intervals(key: &DiagnosisKey) -> core::ops::Range<u32> {
    let start = key.rolling_start_interval_number.get();
    start..start + u32::from(key.rolling_period.get())
}

fn intervals_of_a_day(key: &DiagnosisKey) -> core::ops::Range<u32> {
    let start = key.rolling_start_interval_number.get();
    start..start + 144
}

/// Few different keys, starts and periods, so that they come twice, overlap, and disagree.
fn keys() -> impl Strategy<Value = Vec<Pushed>> {
    let report_type = prop_oneof![
        3 => Just(None),
        1 => Just(Some(ReportType::ConfirmedTest)),
        1 => Just(Some(ReportType::Revoked)),
    ];
    let key = (0..4_u8, 0..6_u32, 1..8_i64, report_type).prop_map(|(data, start, period, report_type)| {
        let start = ENIntervalNumber::new(2_642_976 + start);
        let mut key = DiagnosisKey::new([data; 16], start, RollingPeriod::try_from(period).unwrap());
        key.report_type = report_type;
        key
    });
    prop::collection::vec((key, prop::bool::weighted(0.2)), 0..8)
}

/// Frames of those keys and of another, around their time and around the edges of the rules.
fn sightings() -> impl Strategy<Value = Vec<Sighting>> {
    let late = prop_oneof![
        3 => -1800..1800_i64,
        1 => Just(1200), 1 => Just(1201), 1 => Just(-7200), 1 => Just(-7201), 1 => Just(7799), 1 => Just(7800),
        1 => -9000..9000_i64,
    ];
    let sighting = (0..5_u8, 0..13_u32, late, any::<i8>(), any::<[u8; 4]>()).prop_map(
        |(data, number, late, rssi, aem)| {
            let interval = ENIntervalNumber::new(2_642_976 + number);
            let key = DiagnosisKey::new([data; 16], interval, RollingPeriod::FULL_DAY);
            let rpi: RollingProximityIdentifier =
                key.temporary_exposure_key().rolling_proximity_identifier_key().identifier(interval);
            let seen_at = interval.start().as_secs().checked_add_signed(late).unwrap();
            Sighting::new(
                rpi,
                AssociatedEncryptedMetadata::from_bytes(aem),
                rssi,
                UnixTime::from_secs(seen_at),
            )
        },
    );
    prop::collection::vec(sighting, 0..40)
}

proptest! {
    #[test]
    fn what_is_found_is_what_the_rules_say(keys in keys(), sightings in sightings()) {
        let received = ReceivedIdentifiers::build(sightings.iter().copied(), Split::Whole, &StoreKey::from_bytes([9; 16]));
        let mut matcher = Matcher::new(&received);
        for (key, is_revised) in &keys {
            if *is_revised { matcher.push_revised_keys(&[*key]) } else { matcher.push_keys(&[*key]) }
        }
        let found = matcher.finish(Rules::SPEC);
        prop_assert_eq!(found, find(&keys, &sightings));
    }
}
