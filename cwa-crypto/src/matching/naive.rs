//! Matching as the rules say it: every key against every sighting, in no hurry. What the real thing must equal.
//!
//! Nothing of the judge is used, and no number of its rules: each set of rules is told anew, by its name.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::judge::judge;
use super::{
    ComputedAttenuation, DropReason, Dropped, Match, Matcher, Matching, ReceivedIdentifiers, Rules, Sighting,
    Split, Statement, StoreKey,
};
use crate::aem::AssociatedEncryptedMetadata;
use crate::diagnosis::{DiagnosisKey, ReportType};
use crate::metadata::{BluetoothMetadata, CalibrationConfidence};
use crate::rpi::RollingProximityIdentifier;
use crate::time::{ENIntervalNumber, RollingPeriod, UnixTime};

/// A key, its number, and whether it stood among the revised ones.
#[derive(Clone, Copy, Debug)]
struct Pushed {
    number: u64,
    key: DiagnosisKey,
    is_revised: bool,
}

impl Pushed {
    fn covers(&self, interval: u32) -> bool {
        intervals(&self.key, self.key.rolling_period.get().into()).contains(&interval)
    }

    fn is_of_day(&self, interval: u32) -> bool {
        intervals(&self.key, 144).contains(&interval)
    }
}

fn intervals(key: &DiagnosisKey, count: u32) -> core::ops::Range<u32> {
    let start = key.rolling_start_interval_number.get();
    start..start + count
}

fn identifier(key: &DiagnosisKey, interval: u32) -> RollingProximityIdentifier {
    key.temporary_exposure_key()
        .rolling_proximity_identifier_key()
        .identifier(ENIntervalNumber::new(interval))
}

fn is_near(rules: &str, interval: u32, seen_at: UnixTime) -> bool {
    let (begin, seen) = (i64::from(interval) * 600, i64::try_from(seen_at.as_secs()).unwrap());
    match rules {
        "microg" => (begin - 3600..=begin + 600 + 3600).contains(&seen),
        "apple" if interval < 12 => false,
        _ => (seen / 600 - i64::from(interval)).abs() <= 12,
    }
}

fn find(rules: &str, keys: &[Pushed], sightings: &[Sighting], now: UnixTime) -> Matching {
    let mut matching = Matching::default();
    let mut datas: Vec<_> = keys.iter().map(|pushed| pushed.key.key_data).collect();
    datas.sort_unstable();
    datas.dedup();
    for data in datas {
        // Nothing is known of a key before one of its identifiers was heard.
        let is_heard = |pushed: &&Pushed| {
            intervals(&pushed.key, 144)
                .any(|interval| sightings.iter().any(|s| s.rpi == identifier(&pushed.key, interval)))
        };
        let of_key: Vec<_> = keys
            .iter()
            .filter(|pushed| pushed.key.key_data == data)
            .skip_while(|pushed| !is_heard(pushed))
            .copied()
            .collect();
        let mut numbers: Vec<_> = of_key.iter().flat_map(|pushed| intervals(&pushed.key, 144)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for interval in numbers {
            let rpi = identifier(&of_key[0].key, interval);
            let mut heard: Vec<_> = sightings.iter().copied().filter(|s| s.rpi == rpi).collect();
            heard.sort_unstable_by_key(|sighting| sighting.seen_at);
            if heard.is_empty() {
                continue;
            }
            let (key, against) = speaker(rules, &of_key, interval, sightings).unwrap();
            sort(&mut matching, rules, key, against, interval, &heard, now);
        }
    }
    matching.matches.sort_by_key(|m| (m.sighting.seen_at, m.sighting, m.interval, m.key));
    matching.dropped.sort_by_key(|d| (d.sighting.seen_at, d.sighting, d.interval, d.key));
    matching
}

/// The key whose statement about an interval holds, and what it says against its sightings.
fn speaker(
    rules: &str,
    keys: &[Pushed],
    interval: u32,
    sightings: &[Sighting],
) -> Option<(DiagnosisKey, Option<DropReason>)> {
    let (held, ignored) = match rules {
        "spec" => {
            let revised_at = keys.iter().rposition(|pushed| pushed.is_revised).unwrap_or(0);
            (keys[revised_at..].to_vec(), Vec::new())
        }
        "google" => of_google(keys),
        "apple" => of_apple(keys),
        _ => of_microg(keys, sightings),
    };
    let reads_report_type = rules != "apple";
    let outside = |key: DiagnosisKey| DropReason::OutsideRollingPeriod {
        offset: u8::try_from(interval - key.rolling_start_interval_number.get()).unwrap(),
        rolling_period: key.rolling_period,
    };
    let of_report_type = |key: DiagnosisKey| {
        (reads_report_type && key.report_type == Some(ReportType::Revoked)).then_some(DropReason::Revoked)
    };
    if let Some(pushed) = held.iter().rfind(|pushed| pushed.covers(interval)) {
        return Some((pushed.key, of_report_type(pushed.key)));
    }
    if let Some((pushed, reason)) = ignored.iter().rfind(|(pushed, _)| pushed.covers(interval)) {
        return Some((pushed.key, Some(*reason)));
    }
    if let Some(pushed) = held.iter().rfind(|pushed| pushed.is_of_day(interval)) {
        return Some((pushed.key, of_report_type(pushed.key).or_else(|| Some(outside(pushed.key)))));
    }
    if let Some((pushed, reason)) = ignored.iter().rfind(|(pushed, _)| pushed.is_of_day(interval)) {
        return Some((pushed.key, Some(*reason)));
    }
    // Only what a revised key replaced is in neither.
    let pushed = keys.iter().rfind(|pushed| pushed.is_of_day(interval)).filter(|_| rules == "spec")?;
    Some((pushed.key, Some(DropReason::Replaced)))
}

type Held = (Vec<Pushed>, Vec<(Pushed, DropReason)>);

/// The first that is not recursive holds, changed by the first later one that may.
fn of_google(keys: &[Pushed]) -> Held {
    let (recursive, rest): (Vec<_>, Vec<_>) =
        keys.iter().partition(|pushed| pushed.key.report_type == Some(ReportType::Recursive));
    let mut ignored: Vec<_> = recursive.into_iter().map(|pushed| (pushed, DropReason::Recursive)).collect();
    let Some((mut first, copies)) = rest.split_first().map(|(first, copies)| (*first, copies)) else {
        return (Vec::new(), ignored);
    };
    ignored.extend(copies.iter().map(|pushed| (*pushed, DropReason::CopyIgnored)));
    ignored.sort_by_key(|(pushed, _)| pushed.number);
    let number = |key: &DiagnosisKey| key.report_type.map_or(0, ReportType::number);
    let change = copies.iter().find(|pushed| {
        // 1 test, 2 clinical, 3 self, 5 revoked.
        let transitions = [(3, 1), (3, 2), (3, 5), (2, 1), (2, 5)];
        pushed.key.rolling_period == first.key.rolling_period
            && transitions.contains(&(number(&first.key), number(&pushed.key)))
    });
    if let Some(change) = change {
        first.key.report_type = change.key.report_type;
    }
    (Vec::from([first]), ignored)
}

/// The last of each 256.
fn of_apple(keys: &[Pushed]) -> Held {
    let (mut held, mut ignored) = (Vec::new(), Vec::new());
    for (place, pushed) in keys.iter().enumerate() {
        let same_batch = |other: &Pushed| !other.is_revised && other.number / 256 == pushed.number / 256;
        if pushed.is_revised {
            ignored.push((*pushed, DropReason::RevisionIgnored));
        } else if keys[place + 1..].iter().any(same_batch) {
            ignored.push((*pushed, DropReason::CopyIgnored));
        } else {
            held.push(*pushed);
        }
    }
    (held, ignored)
}

/// Different starts and periods are different keys; revised keys change those before them, if one was met.
fn of_microg(keys: &[Pushed], sightings: &[Sighting]) -> Held {
    let (mut held, mut ignored) = (Vec::<Pushed>::new(), Vec::new());
    for pushed in keys {
        let schedule = |key: &DiagnosisKey| (key.rolling_start_interval_number, key.rolling_period);
        let was_met = |earlier: &Pushed| {
            sightings.iter().any(|sighting| {
                (0..u32::from(earlier.key.rolling_period.get())).any(|offset| {
                    let interval = earlier.key.rolling_start_interval_number.get() + offset;
                    identifier(&earlier.key, interval) == sighting.rpi
                        && is_near("microg", interval, sighting.seen_at)
                })
            })
        };
        if pushed.is_revised {
            if held.iter().any(was_met) {
                held.iter_mut().for_each(|earlier| earlier.key.report_type = pushed.key.report_type);
            }
            ignored.push((*pushed, DropReason::RevisionIgnored));
        } else if held.iter().any(|earlier| schedule(&earlier.key) == schedule(&pushed.key)) {
            ignored.push((*pushed, DropReason::CopyIgnored));
        } else {
            held.push(*pushed);
        }
    }
    (held, ignored)
}

/// Sorts what was heard of one identifier, by time, into matches and drops.
fn sort(
    matching: &mut Matching,
    rules: &str,
    key: DiagnosisKey,
    against: Option<DropReason>,
    interval: u32,
    heard: &[Sighting],
    now: UnixTime,
) {
    let mut first = None;
    for &sighting in heard {
        let seen_at = sighting.seen_at;
        let aemk = key.temporary_exposure_key().associated_encrypted_metadata_key();
        let keystream = u32::from_be_bytes(aemk.keystream(sighting.rpi));
        let metadata_bytes = (u32::from_be_bytes(*sighting.aem.as_bytes()) ^ keystream).to_be_bytes();
        let replayed = |first_seen_at: &UnixTime| {
            (seen_at > first_seen_at.plus(1200))
                .then_some(DropReason::Replayed { first_seen_at: *first_seen_at, at_most_seconds: 1200 })
        };
        let (attenuation, confidence, frame) = read(rules, metadata_bytes, sighting.rssi_dbm);
        let reason =
            against.or_else(|| out_of_time(rules, key, interval, seen_at, now)).or_else(|| match rules {
                "spec" | "google" => replayed(first.get_or_insert(seen_at)).or(frame),
                "apple" => frame.or_else(|| replayed(first.get_or_insert(seen_at))),
                _ => frame,
            });
        let interval = ENIntervalNumber::new(interval);
        match reason {
            Some(reason) => matching.dropped.push(Dropped { key, interval, sighting, reason }),
            None => matching.matches.push(Match {
                key,
                interval,
                sighting,
                metadata_bytes,
                metadata: BluetoothMetadata::decode(metadata_bytes),
                attenuation: attenuation.map(ComputedAttenuation::from_db),
                calibration_confidence: confidence,
            }),
        }
    }
}

fn out_of_time(
    rules: &str,
    key: DiagnosisKey,
    interval: u32,
    seen_at: UnixTime,
    now: UnixTime,
) -> Option<DropReason> {
    let tolerance = Rules::ALL.into_iter().find(|all| all.name() == rules).unwrap().tolerance();
    if !is_near(rules, interval, seen_at) {
        let begin = u64::from(interval) * 600;
        let distance = match rules {
            "microg" => {
                begin.saturating_sub(seen_at.as_secs()) + seen_at.as_secs().saturating_sub(begin + 600)
            }
            _ => (seen_at.as_secs() / 600).abs_diff(interval.into()),
        };
        return Some(DropReason::OutsideTimeWindow { distance, tolerance });
    }
    let (starts_on, seen_on) = (key.rolling_start_interval_number.start().day(), seen_at.day());
    if rules == "google" && starts_on.get().abs_diff(seen_on.get()) > 1 {
        return Some(DropReason::DayNotLookedUp { starts_on, seen_on });
    }
    let age_seconds = now.seconds_since(seen_at);
    if rules == "apple" && age_seconds > 1_209_600 {
        return Some(DropReason::SightingTooOld { age_seconds, at_most_seconds: 1_209_600 });
    }
    None
}

/// Attenuation and confidence, and what the frame itself speaks against it.
fn read(
    rules: &str,
    metadata: [u8; 4],
    rssi: i8,
) -> (Option<i16>, Option<CalibrationConfidence>, Option<DropReason>) {
    let (first, power) = (metadata[0], metadata[1].cast_signed());
    let confidence = CalibrationConfidence::try_from(i64::from(first / 4 % 4)).unwrap();
    let difference = i16::from(power) - i16::from(rssi);
    let out = |min_dbm, max_dbm| {
        (power < min_dbm || power > max_dbm).then_some(DropReason::TransmitPowerOutOfBounds {
            got_dbm: power,
            min_dbm,
            max_dbm,
        })
    };
    match rules {
        "spec" => match first {
            0x40..=0x4f if power > -128 => (Some(difference.max(0)), None, None),
            0x50..=0x7f if power > -128 => (Some(difference.max(0)), Some(confidence), None),
            _ => (None, None, None),
        },
        "google" => (Some(difference.max(0)), Some(confidence), out(-50, 20)),
        "apple" if difference < 1 || rssi == 127 => {
            (None, None, Some(DropReason::ZeroAttenuation { transmit_power_dbm: power }))
        }
        "apple" => (Some(difference), None, out(-60, 20)),
        _ => match first {
            0x40..=0x4f => (Some(difference), None, None),
            0x50..=0x7f => (Some(difference), Some(confidence), None),
            _ => (None, None, None),
        },
    }
}

/// The day before midnight, where a key's tolerance reaches into a third day, or the beginning of time, where 32 bits
/// wrap.
fn first_interval() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(2_642_976), 2 => Just(2_642_976 + 134), 1 => Just(4)]
}

/// Few different keys, starts and periods, so that they come twice, overlap, and disagree.
fn keys(first: u32) -> impl Strategy<Value = Vec<Pushed>> {
    let report_type = (0..9_i64).prop_map(|number| ReportType::try_from(number).ok());
    let period = prop_oneof![3 => 1..8_i64, 1 => Just(144)];
    let key = (0..3_u8, 0..6_u32, period, report_type).prop_map(move |(data, start, period, report_type)| {
        let start = ENIntervalNumber::new(first + start);
        let mut key = DiagnosisKey::new([data; 16], start, RollingPeriod::try_from(period).unwrap());
        key.report_type = report_type;
        key
    });
    let pushed = (key, prop::bool::weighted(0.2), 1..200_u64);
    prop::collection::vec(pushed, 0..8).prop_map(|keys| {
        let mut number = 0;
        let number = |(key, is_revised, skipped)| {
            number += skipped;
            Pushed { number, key, is_revised }
        };
        keys.into_iter().map(number).collect()
    })
}

/// Frames of those keys and of another, around their time and around the edges of the rules.
fn sightings(first: u32) -> impl Strategy<Value = Vec<Sighting>> {
    let late = prop_oneof![
        6 => -1800..1800_i64,
        1 => Just(1200), 1 => Just(1201), 1 => Just(-7200), 1 => Just(-7201), 1 => Just(7799), 1 => Just(7800),
        1 => Just(-3600), 1 => Just(-3601), 1 => Just(4200), 1 => Just(4201),
        2 => -9000..9000_i64,
    ];
    let version = prop_oneof![4 => Just(0x40), 2 => Just(0x5c), 1 => Just(0x8c), 1 => any::<u8>()];
    let power = prop_oneof![
        4 => -40..20_i8, 2 => prop::sample::select(&[-128, -61, -60, -51, -50, 20, 21][..]), 1 => any::<i8>(),
    ];
    let rssi = prop_oneof![4 => -100..-40_i8, 1 => Just(127), 2 => any::<i8>()];
    let offset = prop_oneof![4 => 0..13_u32, 1 => 140..150_u32];
    let sighting = (0..4_u8, offset, late, rssi, (version, power)).prop_map(
        move |(data, offset, late, rssi, (version, power))| {
            let interval = ENIntervalNumber::new(first + offset);
            let tek =
                DiagnosisKey::new([data; 16], interval, RollingPeriod::FULL_DAY).temporary_exposure_key();
            let rpi = tek.rolling_proximity_identifier_key().identifier(interval);
            let keystream = u32::from_be_bytes(tek.associated_encrypted_metadata_key().keystream(rpi));
            let metadata = u32::from_be_bytes([version, power.cast_unsigned(), 0, 0]);
            let aem = AssociatedEncryptedMetadata::from_bytes((metadata ^ keystream).to_be_bytes());
            let seen_at = interval.start().as_secs().saturating_add_signed(late);
            Sighting::new(rpi, aem, rssi, UnixTime::from_secs(seen_at))
        },
    );
    prop::collection::vec(sighting, 0..40)
}

fn scene() -> impl Strategy<Value = (Vec<Pushed>, Vec<Sighting>, UnixTime)> {
    first_interval().prop_flat_map(|first| {
        let begin = ENIntervalNumber::new(first).start();
        let now = (0..1_300_000_u64).prop_map(move |late| begin.plus(late));
        (keys(first), sightings(first), now)
    })
}

proptest! {
    #[test]
    fn what_is_found_is_what_the_rules_say((keys, sightings, now) in scene()) {
        let received = ReceivedIdentifiers::build(sightings.iter().copied(), Split::Whole, &StoreKey::from_bytes([9; 16]));
        let mut matcher = Matcher::new(&received);
        for Pushed { key, is_revised, .. } in &keys {
            if *is_revised { matcher.push_revised_keys(&[*key]) } else { matcher.push_keys(&[*key]) }
        }
        // As if other keys, which nobody heard, had come between.
        let renumber = |statement: &Statement| {
            let place = usize::try_from(statement.number).unwrap();
            Statement { number: keys[place].number, ..*statement }
        };
        let statements: Vec<_> = matcher.statements().iter().map(renumber).collect();
        for rules in Rules::ALL {
            let found = judge(&statements, &received.store(), rules.at(now));
            prop_assert_eq!(found, find(rules.name(), &keys, &sightings, now), "{}", rules.name());
        }
    }
}
