//! The matcher against what it must equal: every key, every interval, every sighting, in no hurry.
#![no_main]

use std::collections::BTreeMap;

use cwa_crypto::derive::Backend;
use cwa_crypto::matching::{
    Checkpoint, Match, Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StoreKey,
};
use cwa_crypto::{
    AssociatedEncryptedMetadata, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    RollingProximityIdentifier,
};
use libfuzzer_sys::fuzz_target;

// 0 number of keys | five bytes for each key | six bytes for each frame
fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = data.split_first() else { return };
    let Some((keys, frames)) = rest.split_at_checked(usize::from(count % 24) * 5) else { return };
    let keys: Vec<_> = keys.as_chunks().0.iter().map(|bytes| pushed(*bytes)).collect();
    let sightings: Vec<_> =
        frames.as_chunks().0.iter().take(64).filter_map(|bytes| sighting(&keys, *bytes)).collect();
    for split in [Split::Whole, Split::ByDay] {
        let key = StoreKey::from_bytes([*count; 16]);
        let received = ReceivedIdentifiers::build(sightings.iter().copied(), split, &key);
        for backend in Backend::all_available() {
            compare(&received, backend, &keys, &sightings);
        }
    }
});

struct Pushed {
    key: DiagnosisKey,
    is_revised: bool,
    /// Whether a new piece begins with it.
    is_cut: bool,
}

/// Few different keys and starts, so that they come twice, overlap and disagree.
fn pushed([data, start, period, report_type, flags]: [u8; 5]) -> Pushed {
    let start = match flags >> 6 {
        3 => u32::MAX - u32::from(start),
        far => START + u32::from(start) + u32::from(far) * 300,
    };
    let period = RollingPeriod::try_from(i64::from(period % 144) + 1).expect("1 to 144");
    let mut key = DiagnosisKey::new([data % 16; 16], ENIntervalNumber::new(start), period);
    key.report_type = ReportType::try_from(i64::from(report_type % 8)).ok();
    Pushed { key, is_revised: flags & 7 == 7, is_cut: flags & 8 == 8 }
}

/// A frame of a key's interval, early or late, or of nobody's.
fn sighting(keys: &[Pushed], [which, offset, late, aem, rssi, flags]: [u8; 6]) -> Option<Sighting> {
    let key = keys.get(usize::from(which) % keys.len().max(1))?.key;
    let interval = key.rolling_start_interval_number.checked_add(u32::from(offset % 144))?;
    let rpi = key.temporary_exposure_key().rolling_proximity_identifier_key().identifier(interval);
    let rpi = if flags & 15 == 15 { RollingProximityIdentifier::from_bytes([which; 16]) } else { rpi };
    let seconds = (i64::from(late) - 128) * if flags & 16 == 0 { 75 } else { 600 } + i64::from(flags >> 5);
    let seen_at = interval.start();
    let seen_at = match u64::try_from(seconds) {
        Ok(seconds) => seen_at.plus(seconds),
        Err(_) => seen_at.minus(seconds.unsigned_abs()),
    };
    let aem = AssociatedEncryptedMetadata::from_bytes([aem, aem.rotate_left(3), aem, 0]);
    Some(Sighting::new(rpi, aem, rssi.cast_signed(), seen_at))
}

fn compare(received: &ReceivedIdentifiers, backend: Backend, keys: &[Pushed], sightings: &[Sighting]) {
    let mut matcher = Matcher::with_backend(received, backend);
    for piece in keys.chunk_by(|a, b| a.is_revised == b.is_revised && !b.is_cut) {
        let piece_of_keys: Vec<_> = piece.iter().map(|pushed| pushed.key).collect();
        match piece {
            [first, ..] if first.is_revised => matcher.push_revised_keys(&piece_of_keys),
            _ => matcher.push_keys(&piece_of_keys),
        }
        if piece.len() & 1 == 1 {
            let checkpoint: Checkpoint = matcher.checkpoint();
            matcher = Matcher::resume(received, checkpoint).expect("the same store");
        }
    }

    let is_near = |sighting: &Sighting, interval: ENIntervalNumber| {
        received.split() == Split::Whole || ENIntervalNumber::at(sighting.seen_at).abs_diff(interval) <= 12
    };
    let mut statements = matcher.statements().iter();
    let mut known = Vec::new();
    for (pushed, number) in keys.iter().zip(0..) {
        let offsets: Vec<u8> = intervals(pushed.key)
            .filter(|(_, interval, rpi)| sightings.iter().any(|s| s.rpi == *rpi && is_near(s, *interval)))
            .map(|(offset, ..)| offset)
            .collect();
        if offsets.is_empty() && !known.contains(&pushed.key.key_data) {
            continue;
        }
        known.push(pushed.key.key_data);
        let statement = statements.next().expect("a key that was heard, or a copy of one, makes a statement");
        assert_eq!((statement.number, statement.key), (number, pushed.key));
        assert_eq!(statement.is_revised, pushed.is_revised);
        assert!(statement.heard.iter().eq(offsets), "what was heard of it is in the statement");
    }
    assert!(statements.next().is_none(), "nothing else makes statements");

    let matching = matcher.finish(Rules::SPEC);
    let found: Vec<_> = matching
        .matches
        .iter()
        .map(|Match { key, interval, sighting, .. }| (*key, *interval, *sighting))
        .collect();
    let mut expected = by_the_rules(keys, sightings);
    expected.sort_by_key(|(key, interval, sighting)| (sighting.seen_at, *sighting, *interval, *key));
    assert_eq!(found, expected, "the matches are those of the rules");
}

/// Rules `spec`, as they are told: the last word on each interval holds, and a revised key takes back all before.
fn by_the_rules(keys: &[Pushed], sightings: &[Sighting]) -> Vec<(DiagnosisKey, ENIntervalNumber, Sighting)> {
    // For each identifier, who has the last word, and whether it is valid.
    let mut words: BTreeMap<(RollingProximityIdentifier, ENIntervalNumber), (DiagnosisKey, bool)> =
        BTreeMap::new();
    for pushed in keys {
        if pushed.is_revised {
            words.retain(|_, (key, _)| key.key_data != pushed.key.key_data);
        }
        for (offset, interval, rpi) in intervals(pushed.key) {
            let is_valid = offset < pushed.key.rolling_period.get();
            let word = words.entry((rpi, interval)).or_insert((pushed.key, is_valid));
            if is_valid || !word.1 {
                *word = (pushed.key, is_valid);
            }
        }
    }
    let mut found = Vec::new();
    for ((rpi, interval), (key, is_valid)) in words {
        if !is_valid || key.report_type == Some(ReportType::Revoked) {
            continue;
        }
        let near = sightings
            .iter()
            .filter(|s| s.rpi == rpi && ENIntervalNumber::at(s.seen_at).abs_diff(interval) <= 12);
        let Some(first) = near.clone().map(|s| s.seen_at).min() else { continue };
        found.extend(near.filter(|s| s.seen_at <= first.plus(1200)).map(|s| (key, interval, *s)));
    }
    found
}

/// All 144 intervals of a key that exist, whatever its period.
fn intervals(key: DiagnosisKey) -> impl Iterator<Item = (u8, ENIntervalNumber, RollingProximityIdentifier)> {
    let rpik = key.temporary_exposure_key().rolling_proximity_identifier_key();
    (0..144).filter_map(move |offset| {
        let interval = key.rolling_start_interval_number.checked_add(offset.into())?;
        Some((offset, interval, rpik.identifier(interval)))
    })
}

const START: u32 = 2_642_976;
