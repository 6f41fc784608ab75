//! What a publisher waits for (encode and sign), and what a phone waits for (read, verify, decode).
#![allow(missing_docs, reason = "a benchmark has no documentation")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cwa_crypto::{
    DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod, TransmissionRiskLevel, UnixTime,
};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::{Archive, Export, SignatureInfo, SoftwareSigner, TrustStore, TrustedKey, UnverifiedExport};

const KEYS: u32 = 10_000;
const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v1"))
}

/// A day package of keys that say everything keys can say.
fn export() -> Export {
    let keys = (0..KEYS).map(|number| {
        // All different, and without a pattern that would compress.
        let data = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).rotate_left(37);
        let start = ENIntervalNumber::at(START.minus(86_400 * u64::from(2 + number % 12)));
        let mut key = DiagnosisKey::new(data.to_be_bytes(), start, RollingPeriod::FULL_DAY);
        key.transmission_risk_level = TransmissionRiskLevel::try_from(i64::from(1 + number % 8)).ok();
        key.report_type = Some(ReportType::ConfirmedTest);
        key.into()
    });
    Export::new(START, START.plus(86_400), "DE", keys.collect())
}

fn write(c: &mut Criterion) {
    let (signer, export) = (signer(), export());
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(KEYS.into()));
    group.bench_function("encode and sign 10,000 keys", |b| {
        b.iter(|| black_box(&export).sign(&[&signer]).unwrap());
    });
    group.bench_function("encode, sign and pack 10,000 keys", |b| {
        b.iter(|| black_box(&export).sign(&[&signer]).unwrap().to_archive().unwrap());
    });
    group.finish();
}

fn read(c: &mut Criterion) {
    let signer = signer();
    let files = export().sign(&[&signer]).unwrap();
    let package = files.to_archive().unwrap();
    let trusted: TrustStore = [TrustedKey::given("mine", *signer.verifying_key())].into_iter().collect();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(KEYS.into()));
    group.bench_function("verify and decode 10,000 keys", |b| {
        b.iter(|| {
            let export = UnverifiedExport::parse(black_box(&files.export_bin), &files.export_sig).unwrap();
            export.verify(&trusted).unwrap().keys().count()
        });
    });
    group.bench_function("unpack, verify and decode 10,000 keys", |b| {
        b.iter(|| {
            let archive = Archive::read(black_box(&package)).unwrap();
            let export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).unwrap();
            export.verify(&trusted).unwrap().keys().count()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = write, read
}
criterion_main!(benches);
