extern crate std;

use std::println;

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::time::{ENIntervalNumber, RollingPeriod};

/// Keys that differ in everything, the same ones in each run.
fn keys(count: usize) -> Vec<DiagnosisKey> {
    let mut next = random_numbers();
    (0..count)
        .map(|_| {
            let data = u128::from(next()) << 64 | u128::from(next());
            let [a, b, c, d, period, ..] = next().to_be_bytes();
            let start = ENIntervalNumber::new(u32::from_be_bytes([a, b, c, d]));
            let period = RollingPeriod::try_from(i64::from(period % 144) + 1).unwrap();
            DiagnosisKey::new(data.to_be_bytes(), start, period)
        })
        .collect()
}

/// A generator with a fixed seed (xorshift64*).
fn random_numbers() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn every_backend_derives_a_batch_of_any_length_as_key_by_key() {
    for backend in Backend::all_available() {
        for length in 0..=100 {
            let keys = keys(length);
            let mut out = vec![Identifiers::default(); length];
            derive_with(backend, &keys, &mut out).unwrap();
            for (key, day) in keys.iter().zip(out) {
                assert!(day.eq(key.identifiers()), "{backend}, {length} keys, {key:?}");
            }
        }
    }
}

#[test]
fn a_million_random_keys_have_the_same_identifiers_by_every_backend() {
    const BATCH: usize = 1_000;
    if !Backend::Avx512.is_available() {
        println!("skipped: no AVX-512 and VAES here, the portable backend has nothing to be compared with");
        return;
    }
    let mut next = random_numbers();
    let key = DiagnosisKey::new([0; 16], ENIntervalNumber::new(0), RollingPeriod::FULL_DAY);
    let mut keys = vec![key; BATCH];
    let mut expected = vec![Identifiers::default(); BATCH];
    let mut found = vec![Identifiers::default(); BATCH];
    for batch in 0..1_000 {
        for key in &mut keys {
            key.key_data = (u128::from(next()) << 64 | u128::from(next())).to_be_bytes();
            // Far enough from the last interval for all 144 to exist.
            let [a, b, c, d, ..] = next().to_be_bytes();
            key.rolling_start_interval_number = ENIntervalNumber::new(u32::from_be_bytes([a, b, c, d]) / 2);
        }
        derive_with(Backend::Portable, &keys, &mut expected).unwrap();
        derive_with(Backend::Avx512, &keys, &mut found).unwrap();
        for (key, (expected, found)) in keys.iter().zip(expected.iter().zip(&found)) {
            assert_eq!(expected.len(), 144);
            assert!(expected.as_slice() == found.as_slice(), "batch {batch}, {key:?}");
        }
    }
}

/// Every day in the same buffer.
struct Visit<F> {
    day: DayBlocks,
    each: F,
}

impl<F: FnMut(usize, &DayBlocks)> Days for Visit<F> {
    type Meanwhile<'a>
        = ()
    where
        Self: 'a;

    fn blocks(&mut self, _place: usize) -> &mut DayBlocks {
        &mut self.day
    }

    fn meanwhile(&self, _place: usize, _third: usize) {}

    fn did_meanwhile(&mut self, _place: usize, _third: usize, _result: u64) {}

    fn complete(&mut self, place: usize) {
        (self.each)(place, &self.day);
    }
}

#[test]
fn days_come_in_the_order_of_the_keys_whole_and_wrap_around_after_the_last_interval() {
    let period = RollingPeriod::try_from(1).unwrap();
    let mut keys = keys(70);
    keys[40] = DiagnosisKey::new([7; 16], ENIntervalNumber::new(u32::MAX - 4), period);
    for backend in Backend::all_available() {
        let mut places = Vec::new();
        let each = |place: usize, day: &DayBlocks| {
            places.push(place);
            let rpik = keys[place].temporary_exposure_key().rolling_proximity_identifier_key();
            for (offset, block) in (0..).zip(day.0) {
                let interval = keys[place].rolling_start_interval_number.get().wrapping_add(offset);
                let expected = rpik.identifier(ENIntervalNumber::new(interval));
                assert_eq!(block, *expected.as_bytes(), "{backend}, key {place}, interval {interval}");
            }
        };
        run(backend, &keys, &mut Visit { day: DayBlocks::ZERO, each });
        assert!(places.into_iter().eq(0..70), "{backend}");
    }
}

#[test]
fn a_place_that_is_used_again_holds_the_new_key_from_its_first_identifier_on() {
    let keys = keys(2);
    let mut out = vec![Identifiers::default()];
    derive(&keys[..1], &mut out).unwrap();
    assert!(out[0].next().is_some());
    derive(&keys[1..], &mut out).unwrap();
    assert!(out[0].clone().eq(keys[1].identifiers()));
}

#[test]
fn a_batch_of_another_length_than_its_result_is_refused_and_derives_nothing() {
    for (keys_len, out_len) in [(0, 1), (1, 0), (33, 32)] {
        let mut out = vec![Identifiers::default(); out_len];
        let error = derive(&keys(keys_len), &mut out).unwrap_err();
        assert_eq!(error, BatchLengthError { keys: keys_len, out: out_len });
        assert_eq!(
            error.to_string(),
            format!("{keys_len} keys need as many places for identifiers, not {out_len}")
        );
        assert!(out.iter().all(|day| day.as_slice().is_empty()));
    }
}

#[test]
fn the_best_backend_is_available_and_the_portable_one_always() {
    assert!(Backend::best().is_available());
    assert!(Backend::Portable.is_available());
    assert!(Backend::all_available().any(|backend| backend == Backend::best()));
}
