//! What a phone waits for: `cargo bench -p cwa-verify`.
//!
//! All over the store in memory, so what is measured is the protocol: hashing, deriving, parsing, padding.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use cwa_crypto::UnixTime;
use cwa_verify::fake::Intent;
use cwa_verify::message::{LabResultsRequest, RegistrationKey, RegistrationRequest, TokenRequest};
use cwa_verify::service::Reservation;
use cwa_verify::{
    HashKey, HashKeyId, HashedGuid, MemoryStore, PayloadDigest, Policy, RegistrationToken, Role, TeleTan,
    VerificationService,
};
use pollster::block_on;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const NOON: UnixTime = UnixTime::from_secs(1_595_419_200);

fn service() -> VerificationService<MemoryStore> {
    let hash_key = HashKey::new(HashKeyId::new(1), [7; HashKey::LENGTH]);
    VerificationService::new(MemoryStore::new(), hash_key, Policy::default())
}

/// A registered phone with a teleTAN, so that it may have TANs.
fn entitled(service: &VerificationService<MemoryStore>, rng: &mut StdRng) -> RegistrationToken {
    let code = block_on(service.issue_tele_tan(&[Role::Hotline], None, NOON, rng)).unwrap().tele_tan;
    let body = RegistrationRequest::encode(&RegistrationKey::TeleTan(code), rng);
    let request = RegistrationRequest::parse(&body).unwrap();
    block_on(service.registration_token(&request, Intent::Real, NOON, rng)).unwrap().token
}

fn benches(c: &mut Criterion) {
    let rng = &mut StdRng::seed_from_u64(1);

    let body = RegistrationRequest::encode(
        &RegistrationKey::Test { guid: HashedGuid::of_text("test"), date_of_birth: None },
        rng,
    );
    c.bench_function("register a test, from body to body", |b| {
        b.iter_batched(
            service,
            |service| {
                let request = RegistrationRequest::parse(black_box(&body)).unwrap();
                let answer = block_on(service.registration_token(&request, Intent::Real, NOON, rng)).unwrap();
                answer.encode(rng)
            },
            BatchSize::SmallInput,
        );
    });

    let polled = service();
    let token = entitled(&polled, rng);
    let body = TokenRequest::encode(&token, rng);
    for (name, intent) in
        [("poll a result, from body to body", Intent::Real), ("answer a fake poll", Intent::Fake)]
    {
        c.bench_function(name, |b| {
            b.iter(|| {
                let request = TokenRequest::parse(black_box(&body)).unwrap();
                block_on(polled.test_result(&request.token, intent, NOON)).unwrap().encode(rng)
            });
        });
    }

    c.bench_function("get a TAN, reserve it for a 1 kB payload, confirm", |b| {
        b.iter_batched(
            || {
                let service = service();
                let token = entitled(&service, &mut StdRng::seed_from_u64(2));
                (service, token)
            },
            |(service, token)| {
                let tan = block_on(service.tan(&token, Intent::Real, NOON, rng)).unwrap().tan;
                let digest = PayloadDigest::of(black_box(&[0; 1024]));
                match block_on(service.reserve_tan(&tan, &digest, NOON)).unwrap() {
                    Reservation::Granted { id, .. } | Reservation::Confirmed { id } => {
                        block_on(service.confirm_tan(id, NOON)).unwrap()
                    }
                }
            },
            BatchSize::SmallInput,
        );
    });

    let results: Vec<String> = (0..1000)
        .map(|n: u32| {
            format!(r#"{{"id":"{}","result":2}}"#, *HashedGuid::of_text(&n.to_string()).expose_hex())
        })
        .collect();
    let upload = format!(r#"{{"testResults":[{}],"labId":"l4b"}}"#, results.join(","));
    c.bench_function("record a laboratory's 1000 results", |b| {
        b.iter_batched(
            service,
            |service| {
                let request = LabResultsRequest::parse(black_box(upload.as_bytes())).unwrap();
                block_on(service.record_results(&request, NOON)).unwrap()
            },
            BatchSize::SmallInput,
        );
    });

    c.bench_function("generate a teleTAN", |b| b.iter(|| TeleTan::generate(rng)));
}

criterion_group!(verify, benches);
criterion_main!(verify);
