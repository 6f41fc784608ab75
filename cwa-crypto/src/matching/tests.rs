use alloc::string::ToString as _;
use alloc::vec;

use super::*;
use crate::diagnosis::ReportType;
use crate::metadata::TransmitPower;
use crate::time::RollingPeriod;

const START: u32 = 2_642_976;

fn key() -> DiagnosisKey {
    DiagnosisKey::new([7; 16], ENIntervalNumber::new(START), RollingPeriod::FULL_DAY)
}

fn with_period(period: i64) -> DiagnosisKey {
    DiagnosisKey { rolling_period: RollingPeriod::try_from(period).unwrap(), ..key() }
}

fn revoked() -> DiagnosisKey {
    DiagnosisKey { report_type: Some(ReportType::Revoked), ..key() }
}

/// The frame of an interval, sent with -12 dBm and received with -62 dBm so many seconds after the interval began.
fn sighting(number: u32, seconds: i64) -> Sighting {
    let interval = ENIntervalNumber::new(number);
    let tek = key().temporary_exposure_key();
    let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap());
    let aem = tek.associated_encrypted_metadata_key().seal(rpi, metadata);
    let seen_at = interval.start().as_secs().checked_add_signed(seconds).unwrap();
    Sighting::new(rpi, aem, -62, UnixTime::from_secs(seen_at))
}

fn received(sightings: impl IntoIterator<Item = Sighting>) -> ReceivedIdentifiers {
    ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([9; 16]))
}

fn outside_window(distance: u64) -> DropReason {
    DropReason::OutsideTimeWindow { distance, tolerance: Tolerance::Intervals(12) }
}

fn outside_period(offset: u8, rolling_period: i64) -> DropReason {
    DropReason::OutsideRollingPeriod {
        offset,
        rolling_period: RollingPeriod::try_from(rolling_period).unwrap(),
    }
}

fn reasons(matching: &Matching) -> Vec<DropReason> {
    matching.dropped.iter().map(|dropped| dropped.reason).collect()
}

#[test]
fn a_match_carries_its_evidence() {
    let sighting = sighting(START + 3, 100);
    let matching = find([key()], [sighting], Rules::SPEC);
    let [found] = matching.matches[..] else { panic!("{matching:?}") };
    assert_eq!((found.key, found.interval.get(), found.sighting), (key(), START + 3, sighting));
    assert_eq!(found.metadata, Ok(BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap())));
    assert_eq!(found.attenuation.map(ComputedAttenuation::db), Some(50));
    assert_eq!(found.metadata_bytes, [0x40, 0xf4, 0, 0]);
    assert_eq!(found.calibration_confidence, None);
    assert_eq!(matching.dropped, []);
}

#[test]
fn twelve_intervals_either_way_are_tolerated_and_thirteen_are_not() {
    for (seconds, matches) in [(-7200, true), (-7201, false), (7799, true), (7800, false)] {
        let matching = find([key()], [sighting(START + 20, seconds)], Rules::SPEC);
        assert_eq!(matching.matches.len(), usize::from(matches), "{seconds}");
        if !matches {
            assert_eq!(reasons(&matching), [outside_window(13)]);
        }
    }
}

#[test]
fn the_window_is_that_of_the_identifier_not_of_the_key() {
    // Within the key's day, but hours from the interval.
    let matching = find([key()], [sighting(START, 12 * 3600)], Rules::SPEC);
    assert_eq!(reasons(&matching), [outside_window(72)]);
    // Two hours past the key's end, but within the tolerance of its last interval.
    assert_eq!(find([key()], [sighting(START + 143, 7200)], Rules::SPEC).matches.len(), 1);
}

#[test]
fn an_identifier_counts_for_twenty_minutes_from_its_first_sighting() {
    let times = [0, 1200, 1201, 3000];
    let matching = find([key()], times.map(|seconds| sighting(START, seconds)), Rules::SPEC);
    assert_eq!(matching.matches.len(), 2);
    let first_seen_at = ENIntervalNumber::new(START).start();
    assert_eq!(reasons(&matching), [DropReason::Replayed { first_seen_at, at_most_seconds: 1200 }; 2]);
    // Another identifier of the same key has a first sighting of its own.
    let matching = find([key()], [sighting(START, 0), sighting(START + 6, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 2);
}

#[test]
fn a_sighting_outside_the_window_is_not_the_first() {
    let matching = find([key()], [sighting(START + 20, -8000), sighting(START + 20, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
    assert_eq!(reasons(&matching), [outside_window(14)]);
}

#[test]
fn identifiers_past_the_rolling_period_are_not_the_keys() {
    for (period, inside, outside) in [(1, 0, 1), (89, 88, 89), (143, 142, 143)] {
        let sightings = [sighting(START + inside, 0), sighting(START + outside, 0)];
        let matching = find([with_period(period)], sightings, Rules::SPEC);
        assert_eq!(matching.matches.len(), 1);
        assert_eq!(matching.matches[0].interval.get(), START + inside);
        assert_eq!(reasons(&matching), [outside_period(u8::try_from(outside).unwrap(), period)]);
        assert_eq!(matching.dropped[0].interval.get(), START + outside);
    }
}

#[test]
fn a_revised_key_replaces_all_that_was_said_of_it() {
    let received = received([sighting(START, 0), sighting(START + 100, 0)]);
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(&[key()]);
    matcher.push_revised_keys(&[with_period(1)]);
    let matching = matcher.finish(Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
    assert_eq!(reasons(&matching), [outside_period(100, 1)]);
    // Even by a statement that is about other intervals.
    let elsewhere =
        DiagnosisKey { rolling_start_interval_number: ENIntervalNumber::new(START + 4000), ..key() };
    matcher.push_revised_keys(&[elsewhere]);
    let matching = matcher.finish(Rules::SPEC);
    assert_eq!(matching.matches, []);
    assert_eq!(reasons(&matching), [DropReason::Replaced; 2]);
    assert_eq!(matcher.keys_pushed(), 3);
    assert_eq!(matcher.statements().len(), 3);
}

#[test]
fn keys_in_pieces_are_found_as_keys_at_once() {
    let received = received([sighting(START, 0), sighting(START + 100, 0)]);
    let keys = [with_period(1), key(), revoked(), key()];
    for pieces in 1..=keys.len() {
        let mut matcher = Matcher::new(&received);
        keys.chunks(pieces).for_each(|piece| matcher.push_keys(piece));
        assert_eq!(
            matcher.finish(Rules::SPEC),
            find(keys, [sighting(START, 0), sighting(START + 100, 0)], Rules::SPEC)
        );
    }
}

#[test]
fn a_key_may_start_at_any_interval() {
    let key = DiagnosisKey { rolling_start_interval_number: ENIntervalNumber::new(START + 17), ..key() };
    let matching = find([key], [sighting(START + 16, 0), sighting(START + 17, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
    let key = DiagnosisKey { rolling_start_interval_number: ENIntervalNumber::new(u32::MAX - 1), ..key };
    assert_eq!(find([key], [sighting(u32::MAX, 0)], Rules::SPEC).matches.len(), 1);
    // Two hours before the first interval there is none.
    let key = DiagnosisKey { rolling_start_interval_number: ENIntervalNumber::new(0), ..key };
    assert_eq!(find([key], [sighting(5, -3000)], Rules::SPEC).matches.len(), 1);
}

#[test]
fn a_key_given_twice_is_one_key() {
    let matching = find([key(), key(), key()], [sighting(START, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
    let matching = find([key(), with_period(104), with_period(143)], [sighting(START, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
    assert_eq!(matching.matches[0].key, with_period(143));
}

#[test]
fn a_copy_with_a_shorter_period_does_not_hide_the_key() {
    let matching = find([key(), with_period(1)], [sighting(START + 100, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
}

#[test]
fn revoked_keys_match_nothing_and_the_last_word_holds() {
    let matching = find([key(), revoked()], [sighting(START, 0), sighting(START + 100, 0)], Rules::SPEC);
    assert_eq!(matching.matches, []);
    assert_eq!(reasons(&matching), [DropReason::Revoked; 2]);
    let matching = find([revoked(), key()], [sighting(START, 0)], Rules::SPEC);
    assert_eq!(matching.matches.len(), 1);
}

#[test]
fn metadata_of_another_major_version_match_without_attenuation() {
    let mut sighting = sighting(START, 0);
    let mut aem = *sighting.aem.as_bytes();
    // Metadata 40 f4 00 00 becomes dc f4 00 00: version 3.1 with confidence 3.
    aem[0] ^= 0x40 ^ 0xdc;
    sighting.aem = AssociatedEncryptedMetadata::from_bytes(aem);
    let matching = find([key()], [sighting], Rules::SPEC);
    let found = matching.matches[0];
    assert_eq!(found.metadata.unwrap().version().to_string(), "3.1");
    assert_eq!((found.attenuation, found.calibration_confidence), (None, None));
}

#[test]
fn impossible_metadata_match_without_attenuation() {
    let mut sighting = sighting(START, 0);
    let mut aem = *sighting.aem.as_bytes();
    aem[1] ^= 0xf4 ^ 0x80;
    sighting.aem = AssociatedEncryptedMetadata::from_bytes(aem);
    let matching = find([key()], [sighting], Rules::SPEC);
    assert!(matching.matches[0].metadata.is_err());
    assert_eq!(matching.matches[0].attenuation, None);
}

#[test]
fn an_attenuation_of_zero_is_kept() {
    let near = Sighting { rssi_dbm: 20, ..sighting(START, 0) };
    let matching = find([key()], [near], Rules::SPEC);
    assert_eq!(matching.matches[0].attenuation, Some(ComputedAttenuation::from_db(0)));
}

#[test]
fn the_result_is_ordered_by_time_whatever_the_order_of_the_input() {
    let sightings =
        [sighting(START + 40, 0), sighting(START, 5000), sighting(START, 0), sighting(START + 7, 0)];
    let mut backwards = sightings;
    backwards.reverse();
    let matching = find([key()], sightings, Rules::SPEC);
    assert_eq!(find([key()], backwards, Rules::SPEC), matching);
    let intervals: Vec<_> = matching.matches.iter().map(|found| found.interval.get() - START).collect();
    assert_eq!(intervals, vec![0, 7, 40]);
}

#[cfg(feature = "serde")]
#[test]
fn a_sighting_is_one_line_of_json() {
    let sighting = sighting(START, 5);
    let line =
        r#"{"rpi":"a0cf109832ad5cd65c98810e8d065bea","aem":"ca759351","rssi_dbm":-62,"seen_at":1585785605}"#;
    assert_eq!(serde_json::to_string(&sighting).unwrap(), line);
    assert_eq!(serde_json::from_str::<Sighting>(line).unwrap(), sighting);
    let short = line.replace("\"aem\":\"", "\"aem\":\"0");
    let error = serde_json::from_str::<Sighting>(&short).unwrap_err();
    assert!(
        error.to_string().starts_with("AssociatedEncryptedMetadata: must be 8 hex digits, not 9"),
        "{error}"
    );
}
