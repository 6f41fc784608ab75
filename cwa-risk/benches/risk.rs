//! What a phone does once a day, and a health authority a million times: `cargo bench -p cwa-risk`.
#![allow(missing_docs, reason = "criterion's macro makes functions without documentation")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cwa_crypto::{Attenuation, ENIntervalNumber, TransmissionRiskLevel, UnixTime};
use cwa_risk::cwa::{
    CombinedInput, CombinedParameters, Platform, RiskScoreClass, RiskScoreClasses, combined_risk_score,
};
use cwa_risk::v1::{
    BelowMinimum, EncounterRules, ExposureSummary, ExposureValues, KeyExposures, MinimumRiskScore,
    Parameters, RiskLevelValue, Sighting, total_risk_score,
};

const MIDNIGHT: UnixTime = UnixTime::from_secs(1_595_376_000);

fn parameters() -> Parameters {
    let row = |values| RiskLevelValue::row(values).unwrap();
    let mut parameters = Parameters::new(
        row([0, 2, 2, 2, 2, 2, 2, 2]),
        row([5; 8]),
        row([0, 0, 0, 1, 1, 1, 1, 1]),
        row([0, 0, 3, 4, 5, 6, 7, 8]),
        MinimumRiskScore::try_from(11).unwrap(),
    );
    parameters.attenuation_thresholds = (55, 63).try_into().unwrap();
    parameters
}

/// A working day beside somebody: a scan every five minutes for eight hours, four frames each.
fn working_day() -> Vec<Sighting> {
    let frame = |n: u64| {
        let seen_at = MIDNIGHT.plus(8 * 3600 + n / 4 * 300 + n % 4);
        let db = u8::try_from(40 + n * 7 % 30).unwrap();
        Sighting { seen_at, attenuation: Attenuation::from_db(db), interval: ENIntervalNumber::at(seen_at) }
    };
    (0..4 * 96).map(frame).collect()
}

fn risk(criterion: &mut Criterion) {
    let parameters = parameters();
    let level = TransmissionRiskLevel::try_from(6).unwrap();
    let now = MIDNIGHT.plus(2 * 86_400);
    let day = working_day();
    let evaluate =
        || KeyExposures::evaluate(&day, MIDNIGHT, level, &parameters, EncounterRules::default(), now);

    let mut group = criterion.benchmark_group("v1");
    group.throughput(Throughput::Elements(1));
    group.bench_function("total risk score of one exposure", |bencher| {
        let values = ExposureValues {
            attenuation: Attenuation::from_db(53),
            duration_seconds: 900,
            days_since_exposure: 2,
            transmission_risk_level: level,
        };
        bencher.iter(|| total_risk_score(black_box(&values), &parameters));
    });
    group.throughput(Throughput::Elements(day.len().try_into().unwrap()));
    group.bench_function("exposures of a working day, per sighting", |bencher| {
        bencher.iter(evaluate);
    });
    group.finish();

    let mut group = criterion.benchmark_group("cwa");
    let keys: Vec<_> = (0..100).map(|_| evaluate()).collect();
    let combined = CombinedParameters::new(["1", "0.5", "0"].map(|w| w.parse().unwrap()), 50_u8);
    let classes = RiskScoreClasses::new(vec![
        RiskScoreClass::new("LOW", 0_u8, 15_u8).unwrap(),
        RiskScoreClass::new("HIGH", 15_u8, 9999_u16).unwrap(),
    ])
    .unwrap();
    group.bench_function("class from the exposures to 100 keys", |bencher| {
        bencher.iter_batched_ref(
            || keys.clone(),
            |keys| {
                let summary = ExposureSummary::of(keys.iter(), BelowMinimum::ScoreIsZero);
                let risk =
                    combined_risk_score(&CombinedInput::from(&summary), &combined, Platform::Exact).unwrap();
                classes.classify(risk.score(), Platform::Exact).unwrap().class().is_some()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, risk);
criterion_main!(benches);
