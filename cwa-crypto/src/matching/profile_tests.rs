//! Each rule on which implementations differ: inside its edge, outside, and under all sets of rules.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;

use super::*;
use crate::aem::AssociatedEncryptedMetadata;
use crate::diagnosis::ReportType;
use crate::time::RollingPeriod;

/// 2020-04-02, a UTC midnight.
const START: u32 = 2_642_976;

fn key_at(start: u32) -> DiagnosisKey {
    DiagnosisKey::new([7; 16], ENIntervalNumber::new(start), RollingPeriod::FULL_DAY)
}

fn key() -> DiagnosisKey {
    key_at(START)
}

fn reported(number: i64) -> DiagnosisKey {
    DiagnosisKey { report_type: Some(ReportType::try_from(number).unwrap()), ..key() }
}

fn with_period(period: i64) -> DiagnosisKey {
    DiagnosisKey { rolling_period: RollingPeriod::try_from(period).unwrap(), ..key() }
}

/// A frame of an interval with these first two bytes of metadata, so many seconds after the interval began.
fn frame(interval: u32, seconds: i64, version: u8, power: i8, rssi: i8) -> Sighting {
    let interval = ENIntervalNumber::new(interval);
    let tek = key().temporary_exposure_key();
    let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
    let keystream = u32::from_be_bytes(tek.associated_encrypted_metadata_key().keystream(rpi));
    let metadata = u32::from_be_bytes([version, power.cast_unsigned(), 0, 0]);
    let aem = AssociatedEncryptedMetadata::from_bytes((metadata ^ keystream).to_be_bytes());
    let seen_at = interval.start().as_secs().checked_add_signed(seconds).unwrap();
    Sighting::new(rpi, aem, rssi, UnixTime::from_secs(seen_at))
}

fn sighting(interval: u32, seconds: i64) -> Sighting {
    frame(interval, seconds, 0x40, -12, -62)
}

/// In short, what each set of rules says about the sightings in their order: a match's attenuation, or a drop's reason.
fn verdicts_of(matcher: &Matcher<'_>, now: Option<UnixTime>) -> [Vec<String>; 4] {
    Rules::ALL.map(|rules| {
        let found = matcher.finish(now.map_or(rules, |now| rules.at(now)));
        let db =
            |found: &Match| found.attenuation.map_or("?".to_string(), |attenuation| attenuation.to_string());
        let matches = found.matches.iter().map(|found| (found.sighting, db(found)));
        let drops = found.dropped.iter().map(|dropped| (dropped.sighting, dropped.reason.to_string()));
        let mut all: Vec<_> = matches.chain(drops).collect();
        all.sort_by_key(|(sighting, _)| sighting.seen_at);
        all.into_iter().map(|(_, verdict)| verdict).collect()
    })
}

fn verdicts(keys: &[DiagnosisKey], sightings: &[Sighting]) -> [Vec<String>; 4] {
    let received =
        ReceivedIdentifiers::build(sightings.iter().copied(), Split::Whole, &StoreKey::from_bytes([9; 16]));
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(keys);
    verdicts_of(&matcher, None)
}

/// What spec, google, apple and microg say about one sighting.
fn of_one(keys: &[DiagnosisKey], sighting: Sighting) -> [String; 4] {
    verdicts(keys, &[sighting]).map(|verdicts| verdicts.join(" "))
}

#[test]
fn all_rules_agree_on_an_ordinary_encounter() {
    assert_eq!(of_one(&[key()], sighting(START + 3, 100)), ["50"; 4]);
    for rules in Rules::ALL {
        let matching = find([key()], [frame(START + 3, 100, 0x54, -12, -62)], rules);
        assert_eq!(matching.matches[0].metadata_bytes, [0x54, 0xf4, 0, 0], "{}", rules.name());
    }
}

#[test]
fn the_tolerance_is_12_intervals_or_an_hour() {
    let out = "outside-time-window";
    for (seconds, expected) in [
        (-7201, [out; 4]),
        (-7200, ["50", "50", "50", out]),
        (-3601, ["50", "50", "50", out]),
        (-3600, ["50"; 4]),
        (4200, ["50"; 4]),
        (4201, ["50", "50", "50", out]),
        (7799, ["50", "50", "50", out]),
        (7800, [out; 4]),
    ] {
        assert_eq!(of_one(&[key()], sighting(START + 50, seconds)), expected, "{seconds}");
    }
    let matching = find([key()], [sighting(START + 50, 4201)], Rules::MICROG);
    let reason = DropReason::OutsideTimeWindow { distance: 3601, tolerance: Tolerance::Seconds(3600) };
    assert_eq!(matching.dropped[0].reason, reason);
}

#[test]
fn apples_arithmetic_wraps_at_both_ends_of_the_numbers() {
    for (interval, expected) in [(11, "outside-time-window"), (12, "50")] {
        assert_eq!(of_one(&[key_at(0)], sighting(interval, 0)), ["50", "50", expected, "50"], "{interval}");
    }
    for (interval, expected) in [(u32::MAX - 11, "outside-time-window"), (u32::MAX - 12, "50")] {
        let verdicts = of_one(&[key_at(u32::MAX - 20)], sighting(interval, 0));
        assert_eq!(verdicts, ["50", "50", expected, "50"], "{interval}");
    }
}

#[test]
fn google_never_looks_on_the_second_day_after_the_keys_first() {
    // Starts at 23:00, so that its last identifier is that of 22:50 to 23:00 of the next day.
    let late = key_at(START + 138);
    let last = START + 138 + 143;
    let midnight = 70 * 60;
    assert_eq!(of_one(&[late], sighting(last, midnight - 1)), ["50"; 4]);
    assert_eq!(of_one(&[late], sighting(last, midnight)), ["50", "day-not-looked-up", "50", "50"]);
    let matching = find([late], [sighting(last, midnight)], Rules::GOOGLE);
    let starts_on = UnixTime::from_secs(1_585_785_600).day();
    let seen_on = UnixTime::from_secs(1_585_785_600 + 2 * 86_400).day();
    assert_eq!(matching.dropped[0].reason, DropReason::DayNotLookedUp { starts_on, seen_on });
    // The day before is looked up.
    assert_eq!(of_one(&[key()], sighting(START, -600)), ["50"; 4]);
}

#[test]
fn apple_takes_no_sighting_older_than_14_days_if_it_is_told_the_time() {
    let received =
        ReceivedIdentifiers::build([sighting(START, 0)], Split::Whole, &StoreKey::from_bytes([9; 16]));
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(&[key()]);
    let seen_at = ENIntervalNumber::new(START).start();
    let days = 14 * 86_400;
    let expected = |apple: &str| ["50", "50", apple, "50"].map(|verdict| vec![verdict.to_string()]);
    assert_eq!(verdicts_of(&matcher, Some(seen_at.plus(days))), expected("50"));
    assert_eq!(verdicts_of(&matcher, Some(seen_at.plus(days + 1))), expected("sighting-too-old"));
    assert_eq!(verdicts_of(&matcher, None), expected("50"));
    assert_eq!(Rules::APPLE.unevaluated(), Some(Rule::SightingAge));
    assert_eq!(Rules::APPLE.at(seen_at).unevaluated(), None);
    assert_eq!(Rules::SPEC.unevaluated(), None);
}

#[test]
fn microg_looks_for_no_replay() {
    let [spec, google, apple, microg] =
        verdicts(&[key()], &[sighting(START, 0), sighting(START, 1200), sighting(START, 1201)]);
    for verdicts in [spec, google, apple] {
        assert_eq!(verdicts, ["50", "50", "replayed"]);
    }
    assert_eq!(microg, ["50"; 3]);
}

#[test]
fn for_apple_the_first_sighting_is_the_first_that_counts() {
    // The first one has a transmit power of 21 dBm.
    let heard = [frame(START, 0, 0x40, 21, -29), sighting(START, 1201)];
    let [spec, google, apple, microg] = verdicts(&[key()], &heard);
    assert_eq!(spec, ["50", "replayed"]);
    assert_eq!(google, ["transmit-power-out-of-bounds", "replayed"]);
    assert_eq!(apple, ["transmit-power-out-of-bounds", "50"]);
    assert_eq!(microg, ["50", "50"]);
}

#[test]
fn transmit_powers_are_bounded_by_google_and_apple() {
    let out = "transmit-power-out-of-bounds";
    for (power, expected) in [
        (-61, ["30", out, out, "30"]),
        (-60, ["30", out, "30", "30"]),
        (-51, ["30", out, "30", "30"]),
        (-50, ["30"; 4]),
        (20, ["30"; 4]),
        (21, ["30", out, out, "30"]),
    ] {
        assert_eq!(of_one(&[key()], frame(START, 0, 0x40, power, power - 30)), expected, "{power}");
    }
    let matching = find([key()], [frame(START, 0, 0x40, 21, -29)], Rules::APPLE);
    let reason = DropReason::TransmitPowerOutOfBounds { got_dbm: 21, min_dbm: -60, max_dbm: 20 };
    assert_eq!(matching.dropped[0].reason, reason);
}

#[test]
fn a_transmit_power_of_minus_128_is_impossible_or_out_of_bounds_or_taken() {
    let verdicts = of_one(&[key()], frame(START, 0, 0x40, -128, -60));
    assert_eq!(verdicts, ["?", "transmit-power-out-of-bounds", "zero-attenuation", "-68"]);
    let matching = find([key()], [frame(START, 0, 0x40, -128, -60)], Rules::MICROG);
    assert!(matching.matches[0].metadata.is_err());
    assert_eq!(matching.matches[0].metadata_bytes, [0x40, 0x80, 0, 0]);
}

#[test]
fn an_attenuation_of_zero_counts_is_dropped_or_goes_below() {
    let zero = "zero-attenuation";
    for (rssi, expected) in [
        (-13, ["1", "1", "1", "1"]),
        (-12, ["0", "0", zero, "0"]),
        (-11, ["0", "0", zero, "-1"]),
        (127, ["0", "0", zero, "-139"]),
    ] {
        assert_eq!(of_one(&[key()], frame(START, 0, 0x40, -12, rssi)), expected, "{rssi}");
    }
    let matching = find([key()], [frame(START, 0, 0x40, -12, 127)], Rules::MICROG);
    assert_eq!(matching.matches[0].attenuation.unwrap().at_least_zero(), Attenuation::from_db(0));
}

#[test]
fn metadata_versions_are_read_in_four_ways() {
    let confidence = |version, rules| {
        let matching = find([key()], [frame(START, 0, version, -12, -62)], rules);
        matching.matches[0].calibration_confidence.map(CalibrationConfidence::number)
    };
    for (version, attenuations, confidences) in [
        (0x3c, ["?", "50", "50", "?"], [None, Some(3), None, None]),
        (0x4c, ["50", "50", "50", "50"], [None, Some(3), None, None]),
        (0x58, ["50", "50", "50", "50"], [Some(2), Some(2), None, Some(2)]),
        (0x7c, ["50", "50", "50", "50"], [Some(3), Some(3), None, Some(3)]),
        (0x98, ["?", "50", "50", "?"], [None, Some(2), None, None]),
        (0xfc, ["?", "50", "50", "?"], [None, Some(3), None, None]),
    ] {
        let verdicts = of_one(&[key()], frame(START, 0, version, -12, -62));
        assert_eq!(verdicts, attenuations, "{version:02x}");
        assert_eq!(Rules::ALL.map(|rules| confidence(version, rules)), confidences, "{version:02x}");
    }
}

#[test]
fn report_types_of_first_copies() {
    for (number, expected) in [
        (0, ["50"; 4]),
        (1, ["50"; 4]),
        (3, ["50"; 4]),
        (4, ["50", "recursive", "50", "50"]),
        (5, ["revoked", "revoked", "50", "revoked"]),
    ] {
        assert_eq!(of_one(&[reported(number)], sighting(START, 0)), expected, "{number}");
    }
}

#[test]
fn google_takes_one_transition_of_report_type() {
    let google = |numbers: &[i64]| {
        let keys: Vec<_> = numbers.iter().map(|number| reported(*number)).collect();
        let matching = find(keys, [sighting(START, 0)], Rules::GOOGLE);
        matching.matches.first().and_then(|found| found.key.report_type).map(ReportType::number)
    };
    let allowed = [(3, 1), (3, 2), (3, 5), (2, 1), (2, 5)];
    for earlier in [0, 1, 2, 3] {
        for later in 0..=5 {
            let expected = match allowed.contains(&(earlier, later)) {
                true if later == 5 => None,
                true => Some(later),
                false => Some(earlier),
            };
            let found = google(&[earlier, later]).map(i64::from);
            assert_eq!(found, expected, "{earlier} to {later}");
        }
    }
    assert_eq!(google(&[3, 2, 1]), Some(2), "one transition, not two");
    assert_eq!(google(&[3, 2, 5]), Some(2), "not even to a revocation");
    assert_eq!(google(&[5, 1]), None, "a revocation is remembered");
    assert_eq!(google(&[4, 1]), Some(1), "a recursive key is not");
}

#[test]
fn copies_with_another_period() {
    let ignored = "copy-ignored";
    // The later copy reaches farther.
    let verdicts = of_one(&[with_period(10), with_period(20)], sighting(START + 15, 0));
    assert_eq!(verdicts, ["50", ignored, "50", "50"]);
    // The earlier one does.
    let verdicts = of_one(&[with_period(20), with_period(10)], sighting(START + 15, 0));
    assert_eq!(verdicts, ["50", "50", ignored, "50"]);
    // Neither does.
    let verdicts = of_one(&[with_period(10), with_period(10)], sighting(START + 15, 0));
    assert_eq!(verdicts, ["outside-rolling-period"; 4]);
    // Another period is no transition.
    let revoked = DiagnosisKey { rolling_period: RollingPeriod::try_from(143).unwrap(), ..reported(5) };
    assert_eq!(of_one(&[reported(3), revoked], sighting(START, 0)), ["revoked", "50", "50", "revoked"]);
}

#[test]
fn a_copy_with_another_start_is_the_same_key_for_google() {
    // Nobody heard the first copy, so that the second is the first that was attempted.
    assert_eq!(of_one(&[key(), key_at(START + 200)], sighting(START + 250, 0)), ["50"; 4]);
    let heard = [sighting(START, 0), sighting(START + 250, 0)];
    let [spec, google, apple, microg] = verdicts(&[key(), key_at(START + 200)], &heard);
    assert_eq!([spec, microg], [["50", "50"]; 2].map(|all| all.map(|one| one.to_string()).to_vec()));
    assert_eq!(google, ["50", "copy-ignored"]);
    assert_eq!(apple, ["copy-ignored", "50"]);
}

#[test]
fn for_apple_the_last_copy_of_each_batch_of_256_holds() {
    let heard = [sighting(START, 0), sighting(START + 250, 0)];
    let received = ReceivedIdentifiers::build(heard, Split::Whole, &StoreKey::from_bytes([9; 16]));
    let apple = |between: usize| {
        let stranger = DiagnosisKey::new([9; 16], ENIntervalNumber::new(START), RollingPeriod::FULL_DAY);
        let mut matcher = Matcher::new(&received);
        matcher.push_keys(&[key()]);
        matcher.push_keys(&vec![stranger; between]);
        matcher.push_keys(&[key_at(START + 200)]);
        let [_, _, apple, _] = verdicts_of(&matcher, None);
        apple
    };
    // The second copy is number 255, the last of the first batch; and number 256.
    assert_eq!(apple(254), ["copy-ignored", "50"]);
    assert_eq!(apple(255), ["50", "50"]);
}

#[test]
fn revised_keys_replace_are_copies_are_not_read_or_change_what_matched() {
    let of = |keys: &[DiagnosisKey], revised: DiagnosisKey, heard: &[Sighting]| {
        let received =
            ReceivedIdentifiers::build(heard.iter().copied(), Split::Whole, &StoreKey::from_bytes([9; 16]));
        let mut matcher = Matcher::new(&received);
        matcher.push_keys(keys);
        matcher.push_revised_keys(&[revised]);
        verdicts_of(&matcher, None).map(|verdicts| verdicts.join(" "))
    };
    let heard = [sighting(START, 0)];
    // A revocation of a self report, and of a confirmed test.
    assert_eq!(of(&[reported(3)], reported(5), &heard), ["revoked", "revoked", "50", "revoked"]);
    assert_eq!(of(&[reported(1)], reported(5), &heard), ["revoked", "50", "50", "revoked"]);
    // A revised key that nobody published before.
    assert_eq!(of(&[], reported(1), &heard), ["50", "50", "revision-ignored", "revision-ignored"]);
    // Heard, but hours off: nothing has matched.
    let late = [sighting(START, 40_000)];
    assert_eq!(of(&[reported(1)], reported(5), &late)[3], "outside-time-window");
    // A shorter period: microG changes what is said of the key, not when it was on air.
    let shorter = DiagnosisKey { rolling_period: RollingPeriod::try_from(1).unwrap(), ..reported(1) };
    let verdicts = of(&[reported(1)], shorter, &[sighting(START + 9, 0)]);
    assert_eq!(verdicts, ["outside-rolling-period", "50", "50", "50"]);
    // Another start: what the key says now is not about that time.
    let moved = DiagnosisKey { report_type: reported(1).report_type, ..key_at(START + 500) };
    assert_eq!(of(&[reported(1)], moved, &heard), ["replaced", "50", "50", "50"]);
}

#[test]
fn a_key_that_is_published_and_revised_often_is_judged_in_time_that_grows_with_the_copies() {
    // Were every copy held against every other, this would take minutes.
    const COPIES: u32 = 200_000;
    let heard = [sighting(START, 0), sighting(START + 143, 0)];
    let late = [sighting(START, 100_000), sighting(START, 100_001)];
    for sightings in [heard, late] {
        let received = ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([9; 16]));
        let mut matcher = Matcher::new(&received);
        matcher.push_keys(&[key()]);
        matcher.push_keys(&(0..COPIES).map(|number| key_at(START + 1000 + number)).collect::<Vec<_>>());
        matcher.push_revised_keys(&vec![reported(2); COPIES as usize]);
        for rules in Rules::ALL {
            let found = matcher.finish(rules);
            assert_eq!(found.matches.len() + found.dropped.len(), 2, "{}", rules.name());
        }
    }
}

#[test]
fn a_sighting_that_was_received_often_is_told_once_however_many_copies_its_key_has() {
    // Were each copy to ask for all of them, this would take minutes.
    const TIMES: i64 = 1_000_000;
    let sightings = (0..TIMES).map(|seconds| sighting(START, 100_000 + seconds));
    let received = ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([9; 16]));
    let mut matcher = Matcher::new(&received);
    let copies = (0..100_000_u32).map(|number| key_at(START - number % 144));
    let of_period = |(number, key): (u32, DiagnosisKey)| DiagnosisKey {
        rolling_period: RollingPeriod::try_from(i64::from(number / 144 % 144) + 1).unwrap(),
        ..key
    };
    matcher.push_keys(&(0..).zip(copies).map(of_period).collect::<Vec<_>>());
    for rules in Rules::ALL {
        let found = matcher.finish(rules);
        assert_eq!((found.matches.len(), found.dropped.len()), (0, 1_000_000), "{}", rules.name());
    }
}

#[test]
fn rolling_periods_outside_1_to_144_are_read_in_four_ways() {
    let read = |period: Option<i32>| {
        let mut stated = StatedKey::new([7; 16], ENIntervalNumber::new(START));
        stated.rolling_period = period;
        Rules::ALL.map(|rules| match rules.read(stated) {
            Ok(keys) => keys.map(|key| u32::from(key.rolling_period.get())).sum::<u32>().to_string(),
            Err(refusal) => refusal.consequence.to_string(),
        })
    };
    let (file, key) = ("the file is refused", "the key is skipped");
    for (period, expected) in [
        (None, ["144"; 4]),
        (Some(1), ["1"; 4]),
        (Some(143), ["143"; 4]),
        (Some(144), ["144"; 4]),
        (Some(0), [file, file, "144", key]),
        (Some(145), [file, file, key, "145"]),
        (Some(2016), [file, file, key, "2016"]),
        (Some(2017), [file, file, key, "2016"]),
        (Some(i32::MAX), [file, file, key, "2016"]),
        (Some(-1), [file, file, key, key]),
        (Some(i32::MIN), [file, file, key, key]),
    ] {
        assert_eq!(read(period), expected, "{period:?}");
    }
}

#[test]
fn a_long_period_is_several_keys_one_behind_the_other() {
    let mut stated = StatedKey::new([7; 16], ENIntervalNumber::new(START));
    stated.rolling_period = Some(300);
    stated.report_type = Some(ReportType::ConfirmedTest);
    let keys: Vec<_> = Rules::MICROG.read(stated).unwrap().collect();
    let pieces = keys.iter().map(|key| (key.rolling_start_interval_number.get(), key.rolling_period.get()));
    assert_eq!(pieces.collect::<Vec<_>>(), [(START, 144), (START + 144, 144), (START + 288, 12)]);
    assert!(keys.iter().all(|key| key.key_data == [7; 16] && key.report_type == stated.report_type));
    let matching =
        find(keys.iter().copied(), [sighting(START + 299, 0), sighting(START + 300, 0)], Rules::MICROG);
    assert_eq!(matching.matches.len(), 1);
    // Where the numbers end, so does the key.
    stated.rolling_start_interval_number = ENIntervalNumber::new(u32::MAX - 10);
    assert_eq!(Rules::MICROG.read(stated).unwrap().count(), 1);
}

#[test]
fn regular_keys_are_those_that_all_rules_read_alike() {
    for period in -2..400 {
        let mut stated = StatedKey::new([7; 16], ENIntervalNumber::new(START));
        stated.rolling_period = Some(period);
        let readings = Rules::ALL.map(|rules| rules.read(stated).ok().map(Iterator::collect::<Vec<_>>));
        let are_alike = readings.iter().all(|reading| reading == &readings[0]) && readings[0].is_some();
        assert_eq!(are_alike, stated.is_regular(), "{period}");
    }
}

#[test]
fn every_rule_makes_a_difference_between_two_sets() {
    let pairs = Rules::ALL.iter().flat_map(|a| Rules::ALL.iter().map(move |b| (a, b)));
    let mut differing: Vec<_> = pairs.flat_map(|(a, b)| a.differences(b)).collect();
    differing.sort_unstable();
    differing.dedup();
    assert_eq!(differing, Rule::ALL);
    for rules in Rules::ALL {
        assert_eq!(rules.differences(&rules).count(), 0);
        // The moment of the question is not a rule.
        assert_eq!(rules.differences(&rules.at(UnixTime::from_secs(1))).count(), 0);
    }
    // What differs is told apart when it is printed, and what does not is not.
    for (a, b) in Rules::ALL.iter().flat_map(|a| Rules::ALL.iter().map(move |b| (a, b))) {
        for rule in Rule::ALL {
            let differs = a.choice(rule).to_string() != b.choice(rule).to_string();
            assert_eq!(
                differs,
                a.differences(b).any(|found| found == rule),
                "{} {} {rule}",
                a.name(),
                b.name()
            );
        }
    }
}

#[test]
fn the_readme_has_the_table_of_all_rules() {
    let readme = include_str!("../../README.md");
    for rule in Rule::ALL {
        let [spec, google, apple, microg] = Rules::ALL.map(|rules| rules.choice(rule));
        let source = if rule.is_implementation_defined() { "" } else { " ¹" };
        let row = format!("| `{rule}`{source} | {spec} | {google} | {apple} | {microg} |");
        assert!(readme.contains(&row), "missing: {row}");
    }
}

#[test]
fn rules_and_reasons_have_stable_names() {
    for rules in Rules::ALL {
        assert_eq!(rules.name().parse(), Ok(rules));
    }
    assert_eq!(Rules::ALL.map(|rules| rules.name()), ["spec", "google", "apple", "microg"]);
    assert_eq!(Rules::default().name(), "spec");
    assert_eq!("Spec".parse::<Rules>(), Err(UnknownRulesError));
    let time = UnixTime::from_secs(0);
    let reasons = [
        DropReason::OutsideTimeWindow { distance: 13, tolerance: Tolerance::Intervals(12) },
        DropReason::DayNotLookedUp { starts_on: time.day(), seen_on: time.day() },
        DropReason::SightingTooOld { age_seconds: 1, at_most_seconds: 0 },
        DropReason::Replayed { first_seen_at: time, at_most_seconds: 0 },
        DropReason::TransmitPowerOutOfBounds { got_dbm: 21, min_dbm: 0, max_dbm: 20 },
        DropReason::ZeroAttenuation { transmit_power_dbm: 0 },
        DropReason::OutsideRollingPeriod { offset: 1, rolling_period: RollingPeriod::FULL_DAY },
        DropReason::Revoked,
        DropReason::Recursive,
        DropReason::CopyIgnored,
        DropReason::Replaced,
        DropReason::RevisionIgnored,
    ];
    let named = reasons.map(|reason| format!("{reason} {}", reason.rule()));
    assert_eq!(
        named,
        [
            "outside-time-window tolerance",
            "day-not-looked-up day-lookup",
            "sighting-too-old sighting-age",
            "replayed replay",
            "transmit-power-out-of-bounds transmit-powers",
            "zero-attenuation attenuations",
            "outside-rolling-period rolling-periods",
            "revoked report-types",
            "recursive report-types",
            "copy-ignored copies",
            "replaced revisions",
            "revision-ignored revisions",
        ]
    );
}
