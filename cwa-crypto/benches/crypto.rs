//! What a phone waits for: its own identifiers, and the match of a download against what it received.
#![allow(missing_docs, reason = "a benchmark has no documentation")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::hint::black_box;
use core::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cwa_crypto::derive::{Backend, derive_with};
use cwa_crypto::matching::{ReceivedIdentifiers, Rules, Sighting, Split, StoreKey};
use cwa_crypto::rpi::Identifiers;
use cwa_crypto::{
    AssociatedEncryptedMetadata, BluetoothMetadata, DiagnosisKey, ENIntervalNumber, RollingPeriod,
    RollingProximityIdentifier, TransmitPower, UnixTime,
};

const START: u32 = 2_642_976;
const KEYS: u64 = 10_000;
const RECEIVED: u64 = 10_000;
const BATCH: u64 = 64;
const SECOND: Duration = Duration::from_secs(1);

fn key(number: u64) -> DiagnosisKey {
    // Spread over 14 days, all different.
    let data = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let day = u32::try_from(number % 14).unwrap();
    DiagnosisKey::new(data.to_be_bytes(), ENIntervalNumber::new(START + 144 * day), RollingPeriod::FULL_DAY)
}

/// What was received over 14 days from owners of keys that are not published.
fn received() -> ReceivedIdentifiers {
    let sightings = (0..RECEIVED).map(|number| {
        let (interval, rpi) =
            key(KEYS + number).identifiers().nth(usize::try_from(number % 144).unwrap()).unwrap();
        Sighting::new(rpi, AssociatedEncryptedMetadata::from_bytes([0; 4]), -60, interval.start())
    });
    ReceivedIdentifiers::build(sightings, Split::Whole, &StoreKey::from_bytes([9; 16]))
}

fn derive(c: &mut Criterion) {
    let mut group = c.benchmark_group("derive");
    group.throughput(Throughput::Elements(144));
    group.bench_function("the identifiers of a day", |b| {
        b.iter(|| black_box(black_box(key(1)).identifiers()))
    });
    let keys: Vec<_> = (0..BATCH).map(key).collect();
    let mut days = vec![Identifiers::default(); keys.len()];
    group.throughput(Throughput::Elements(144 * BATCH));
    for backend in Backend::all_available() {
        group.bench_function(format!("the identifiers of 64 keys, {backend}"), |b| {
            b.iter(|| derive_with(backend, black_box(&keys), black_box(&mut days)))
        });
    }
    group.finish();
}

fn broadcast(c: &mut Criterion) {
    let tek = key(1).temporary_exposure_key();
    let rpi = tek.rolling_proximity_identifier_key().identifier(ENIntervalNumber::new(START));
    let metadata = BluetoothMetadata::v1_0(TransmitPower::from_dbm(-12).unwrap());
    let aemk = tek.associated_encrypted_metadata_key();
    c.bench_function("seal metadata", |b| b.iter(|| aemk.seal(black_box(rpi), black_box(metadata))));
}

fn index(c: &mut Criterion) {
    let sightings: Vec<_> = (0..RECEIVED)
        .map(|number| {
            let rpi = RollingProximityIdentifier::from_bytes(key(number).key_data);
            Sighting::new(
                rpi,
                AssociatedEncryptedMetadata::from_bytes([0; 4]),
                -60,
                UnixTime::from_secs(number),
            )
        })
        .collect();
    let mut group = c.benchmark_group("index");
    group.throughput(Throughput::Elements(RECEIVED));
    group.bench_function("10 k received", |b| {
        let key = StoreKey::from_bytes([9; 16]);
        b.iter(|| ReceivedIdentifiers::build(black_box(&sightings).iter().copied(), Split::Whole, &key))
    });
    group.finish();
}

fn find(c: &mut Criterion) {
    let received = received();
    let mut group = c.benchmark_group("match");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(20);
    group.bench_function("10 k keys x 10 k received", |b| {
        b.iter(|| {
            let matching = received.find((0..KEYS).map(key), Rules::SPEC);
            assert!(matching.matches.is_empty());
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    // Enough to see a change; `ratios` is what speed is judged by.
    config = Criterion::default().sample_size(30).warm_up_time(SECOND).measurement_time(3 * SECOND);
    targets = derive, broadcast, index, find
}
criterion_main!(benches);
