use proptest::prelude::*;

use super::*;
use crate::aem::AssociatedEncryptedMetadata;
use crate::matching::{DropReason, Dropped, Sighting, Split, StoreKey};
use crate::time::{ENIntervalNumber, RollingPeriod, UnixTime};

const START: u32 = 2_642_976;

fn key(data: u8, start: u32) -> DiagnosisKey {
    DiagnosisKey::new([data; 16], ENIntervalNumber::new(start), RollingPeriod::FULL_DAY)
}

/// A frame of the key's interval `offset`, received so many intervals later.
fn sighting(key: DiagnosisKey, offset: u32, later: i64) -> Sighting {
    let interval = key.rolling_start_interval_number.checked_add(offset).unwrap();
    let rpi = key.temporary_exposure_key().rolling_proximity_identifier_key().identifier(interval);
    let aem = AssociatedEncryptedMetadata::from_bytes([0; 4]);
    let seen_at = interval.start().as_secs().checked_add_signed(later * 600).unwrap();
    Sighting::new(rpi, aem, -60, UnixTime::from_secs(seen_at))
}

fn received(sightings: &[Sighting], split: Split) -> ReceivedIdentifiers {
    ReceivedIdentifiers::build(sightings.iter().copied(), split, &StoreKey::from_bytes([5; 16]))
}

fn statements(received: &ReceivedIdentifiers, backend: Backend, keys: &[DiagnosisKey]) -> Vec<Statement> {
    let mut matcher = Matcher::with_backend(received, backend);
    matcher.push_keys(keys);
    matcher.statements().to_vec()
}

#[test]
fn a_store_by_day_finds_what_is_twelve_intervals_off_and_nothing_farther() {
    // Wherever in its day a key starts and an interval lies: the frame may be of the day before or after.
    for start in [START, START + 1, START + 71, START + 143] {
        let key = key(1, start);
        for offset in [0, 1, 11, 12, 71, 131, 132, 143] {
            for later in [-13, -12, -1, 0, 1, 12, 13, 144, -144, 1000] {
                let sightings = [sighting(key, offset, later)];
                let found =
                    |split| !statements(&received(&sightings, split), Backend::best(), &[key]).is_empty();
                assert!(found(Split::Whole));
                assert_eq!(found(Split::ByDay), (-12..=12).contains(&later), "{start} {offset} {later}");
            }
        }
    }
}

#[test]
fn a_store_by_day_reports_no_farther_sighting_of_an_identifier_that_was_near_as_well() {
    let key = key(1, START);
    let sightings = [sighting(key, 100, 0), sighting(key, 100, 13), sighting(key, 100, 400)];
    let matching = |split| received(&sightings, split).find([key], Rules::SPEC);
    assert_eq!((matching(Split::Whole).matches.len(), matching(Split::Whole).dropped.len()), (1, 2));
    assert_eq!((matching(Split::ByDay).matches.len(), matching(Split::ByDay).dropped.len()), (1, 0));
}

#[test]
fn keys_at_the_end_of_time_have_no_intervals_after_it() {
    for split in [Split::Whole, Split::ByDay] {
        let last = key(1, u32::MAX);
        // Deriving wraps around: the next block is that of interval 0.
        let wrapped = Sighting { seen_at: UnixTime::from_secs(u64::MAX), ..sighting(key(1, 0), 0, 0) };
        let received = received(&[wrapped, sighting(last, 0, 0)], split);
        let statements = statements(&received, Backend::best(), &[last]);
        assert_eq!(statements[0].heard.iter().collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn a_later_copy_is_a_statement_even_where_nothing_can_be_heard() {
    let (heard, elsewhere) = (key(1, START), key(1, START + 100_000));
    for split in [Split::Whole, Split::ByDay] {
        let received = received(&[sighting(heard, 3, 0)], split);
        let numbers = |keys: &[DiagnosisKey]| -> Vec<u64> {
            statements(&received, Backend::best(), keys).iter().map(|statement| statement.number).collect()
        };
        assert_eq!(numbers(&[key(2, START), heard, elsewhere, key(2, START), heard]), [1, 2, 4]);
        assert_eq!(numbers(&[elsewhere, heard, elsewhere]), [1, 2]);
    }
}

#[test]
fn pushing_stops_when_it_is_told_to_and_goes_on_from_a_checkpoint() {
    // Two pieces and a bit.
    let keys: Vec<_> = (0..9000_u32)
        .map(|number| {
            let [a, b, c, d] = number.to_le_bytes();
            let mut key = key(0, START);
            key.key_data[..4].copy_from_slice(&[a, b, c, d]);
            key
        })
        .collect();
    let sightings = [sighting(keys[5], 0, 0), sighting(keys[5000], 7, 0), sighting(keys[8999], 8, 0)];
    let received = received(&sightings, Split::Whole);
    let mut all_at_once = Matcher::new(&received);
    all_at_once.push_keys(&keys);
    assert_eq!(all_at_once.statements().len(), 3);

    let mut matcher = Matcher::new(&received);
    let mut seen = Vec::new();
    let pushed = matcher.push_keys_while(&keys, |progress| {
        seen.push((progress.keys_pushed, progress.keys_heard));
        ControlFlow::Break(())
    });
    assert_eq!(seen, [(4096, 1)]);
    assert_eq!((pushed, matcher.keys_pushed()), (4096, 4096));

    let checkpoint = matcher.checkpoint();
    #[cfg(feature = "serde")]
    let checkpoint = serde_json::from_str(&serde_json::to_string(&checkpoint).unwrap()).unwrap();
    let mut matcher = Matcher::resume(&received, checkpoint).unwrap();
    let rest = &keys[usize::try_from(matcher.keys_pushed()).unwrap()..];
    let mut seen = Vec::new();
    let pushed = matcher.push_keys_while(rest, |progress| {
        seen.push((progress.keys_pushed, progress.keys_heard));
        ControlFlow::Continue(())
    });
    assert_eq!((pushed, seen), (9000 - 4096, alloc::vec![(8192, 2), (9000, 3)]));
    assert_eq!(matcher.statements(), all_at_once.statements());
    assert_eq!(matcher.checkpoint(), all_at_once.checkpoint());
}

#[test]
fn a_checkpoint_of_another_store_is_refused() {
    let store = |later| received(&[sighting(key(1, START), 0, later)], Split::Whole);
    let (one, other) = (store(0), store(1));
    let checkpoint = Matcher::new(&one).checkpoint();
    assert_eq!(Matcher::resume(&other, checkpoint.clone()).unwrap_err(), CheckpointError::OtherStore);
    assert!(Matcher::resume(&one, checkpoint).is_ok());
}

#[test]
fn a_checkpoint_that_was_made_up_counts_no_further_than_numbers_go() {
    let heard = key(1, START);
    let received = received(&[sighting(heard, 0, 0)], Split::Whole);
    for keys in [alloc::vec![key(2, START); 3], alloc::vec![heard; 3]] {
        let mut checkpoint = Matcher::new(&received).checkpoint();
        checkpoint.keys_pushed = u64::MAX - 1;
        let mut matcher = Matcher::resume(&received, checkpoint).unwrap();
        matcher.push_keys(&keys);
        assert_eq!(matcher.keys_pushed(), u64::MAX);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_checkpoint_is_plain_data() {
    let key = DiagnosisKey { report_type: Some(crate::ReportType::Revoked), ..key(1, START) };
    let received = received(&[sighting(key, 3, 0), sighting(key, 143, 0)], Split::Whole);
    let mut matcher = Matcher::new(&received);
    matcher.push_revised_keys(&[key]);
    let mut json = serde_json::to_value(matcher.checkpoint()).unwrap();
    assert_eq!(json["store_digest"].as_str().unwrap().len(), 64);
    let statement = serde_json::json!({
        "number": 0,
        "key": {
            "key_data": "01010101010101010101010101010101",
            "rolling_start_interval_number": START,
            "rolling_period": 144,
            "transmission_risk_level": null,
            "report_type": 5,
            "days_since_onset_of_symptoms": null,
        },
        "is_revised": true,
        "heard": [3, 143],
    });
    assert_eq!(json["statements"], serde_json::json!([statement]));
    json["statements"][0]["heard"] = serde_json::json!([3, 144, 255]);
    let checkpoint: Checkpoint = serde_json::from_value(json).unwrap();
    assert_eq!(checkpoint.statements[0].heard.iter().collect::<Vec<_>>(), [3]);
}

#[test]
fn stores_and_matchers_can_be_shared_between_threads() {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<ReceivedIdentifiers>();
    assert_shared::<ReceivedIdentifiers<&[u8]>>();
    assert_shared::<Matcher<'_>>();
}

#[test]
fn all_keys_may_be_heard_and_their_copies_are_still_known() {
    // So many that the filter in front of the set of heard keys grows several times.
    let keys: Vec<_> = (0..200_u8).map(|data| key(data, START)).collect();
    let sightings: Vec<_> = keys.iter().map(|key| sighting(*key, 9, 0)).collect();
    let received = received(&sightings, Split::ByDay);
    let mut matcher = Matcher::new(&received);
    matcher.push_keys(&keys);
    let elsewhere: Vec<_> = (0..=255_u8).map(|data| key(data, 0)).collect();
    matcher.push_keys(&elsewhere);
    assert_eq!(matcher.statements().len(), 400);
}

/// Keys in any order, some of them several times, and whether they are revised.
fn keys() -> impl Strategy<Value = Vec<(DiagnosisKey, bool)>> {
    let start = prop_oneof![
        4 => START - 200..START + 200,
        1 => Just(START + 10_000),
        1 => u32::MAX - 200..=u32::MAX,
    ];
    let key = (0..12_u8, start, 1..=144_i64).prop_map(|(data, start, period)| DiagnosisKey {
        rolling_period: RollingPeriod::try_from(period).unwrap(),
        ..key(data, start)
    });
    prop::collection::vec((key, prop::bool::weighted(0.1)), 0..80)
}

/// Frames of those keys: of which key, of which interval, how much later.
fn frames() -> impl Strategy<Value = Vec<(prop::sample::Index, u32, i64)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..144_u32, -20..20_i64), 0..60)
}

fn sightings(keys: &[(DiagnosisKey, bool)], frames: &[(prop::sample::Index, u32, i64)]) -> Vec<Sighting> {
    let sighting = |&(which, offset, later): &(prop::sample::Index, u32, i64)| {
        let (key, _) = keys.get(which.index(keys.len().max(1)))?;
        key.rolling_start_interval_number.checked_add(offset).map(|_| sighting(*key, offset, later))
    };
    frames.iter().filter_map(sighting).collect()
}

/// Finds statements as they are defined: every key, every interval, every sighting.
fn slowly(keys: &[(DiagnosisKey, bool)], sightings: &[Sighting], split: Split) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for (&(key, is_revised), number) in keys.iter().zip(0..) {
        let mut heard = HeardIntervals::NONE;
        let rpik = key.temporary_exposure_key().rolling_proximity_identifier_key();
        for offset in 0..144 {
            let Some(interval) = key.rolling_start_interval_number.checked_add(offset.into()) else {
                continue;
            };
            let rpi = rpik.identifier(interval);
            let is_near = |s: &&Sighting| {
                split == Split::Whole || ENIntervalNumber::at(s.seen_at).abs_diff(interval) <= 12
            };
            if sightings.iter().filter(is_near).any(|s| s.rpi == rpi) {
                heard.insert(offset);
            }
        }
        let is_known = statements.iter().any(|statement| statement.key.key_data == key.key_data);
        if !heard.is_empty() || is_known {
            statements.push(Statement { number, key, is_revised, heard });
        }
    }
    statements
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn statements_are_the_same_whatever_the_backend_the_pieces_and_the_bytes(
        keys in keys(), frames in frames(), cuts in prop::collection::vec(1..20_usize, 0..20),
    ) {
        let sightings = sightings(&keys, &frames);
        for split in [Split::Whole, Split::ByDay] {
            let expected = slowly(&keys, &sightings, split);
            let received = received(&sightings, split);
            let mapped = ReceivedIdentifiers::parse(received.as_bytes()).unwrap();
            for backend in Backend::all_available() {
                let mut matcher = Matcher::with_backend(&mapped, backend);
                let mut rest = keys.as_slice();
                let mut cuts = cuts.iter();
                while let Some((_, is_revised)) = rest.first() {
                    let count = cuts.next().map_or(rest.len(), |cut| *cut).min(rest.len());
                    let count = rest[..count].iter().take_while(|(_, revised)| revised == is_revised).count();
                    let piece: Vec<_> = rest[..count].iter().map(|(key, _)| *key).collect();
                    if *is_revised { matcher.push_revised_keys(&piece) } else { matcher.push_keys(&piece) }
                    rest = &rest[count..];
                    matcher = Matcher::resume(&received, matcher.checkpoint()).unwrap();
                }
                prop_assert_eq!(matcher.statements(), &expected);
                prop_assert_eq!(matcher.keys_pushed(), keys.len() as u64);
            }
        }
    }

    #[test]
    fn a_store_by_day_is_a_whole_one_without_what_is_far_off(keys in keys(), frames in frames()) {
        let sightings = sightings(&keys, &frames);
        let find = |split| received(&sightings, split).find(keys.iter().map(|(key, _)| *key), Rules::SPEC);
        let (whole, by_day) = (find(Split::Whole), find(Split::ByDay));
        let far = |reason| matches!(reason, DropReason::OutsideTimeWindow { .. });
        prop_assert_eq!(&by_day.matches, &whole.matches);
        prop_assert!(by_day.dropped.iter().all(|dropped| !far(dropped.reason)));
        let is_near = |d: &&Dropped| ENIntervalNumber::at(d.sighting.seen_at).abs_diff(d.interval) <= 12;
        let near: Vec<_> = whole.dropped.iter().filter(is_near).collect();
        prop_assert_eq!(by_day.dropped.iter().collect::<Vec<_>>(), near);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_find_what_one_finds() {
    // Copies of few keys in many pieces: what a statement is depends on the pieces before.
    let keys: Vec<_> = (0..30_000_u32)
        .map(|number| {
            key(u8::try_from(number.wrapping_mul(2_654_435_761) >> 24).unwrap(), START + number % 288)
        })
        .collect();
    let sightings: Vec<_> =
        (0..30).map(|i| sighting(keys[i * 997], 5 * u32::try_from(i % 20).unwrap(), 0)).collect();
    for split in [Split::Whole, Split::ByDay] {
        let received = received(&sightings, split);
        let expected = statements(&received, Backend::best(), &keys);
        assert!(expected.len() > 100);
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut matcher = Matcher::new(&received);
            let (first, rest) = keys.split_at(11_111);
            pool.install(|| {
                matcher.par_push_keys(first);
                matcher.par_push_keys(rest);
            });
            assert_eq!(matcher.statements(), expected);
            assert_eq!(matcher.keys_pushed(), 30_000);
        }
    }
}
