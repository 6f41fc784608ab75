//! What is measured, and how.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel, UnixTime};
use cwa_export::batch::{Hour, PendingKey};
use cwa_verify::guid::{HashedGuid, TestId};
use cwa_verify::hash::{HashKey, HashKeyId, PayloadDigest, TanHash};
use cwa_verify::registration::{RegistrationToken, TokenSalt};
use cwa_verify::seal::SealedTestIds;
use cwa_verify::store::{Claim, NewSession, NewTan, SessionStore as _, TanStore as _};
use cwa_verify::tan::TanNumber;

use super::store::{Database, DatabaseLocation, PackageStore as _, SubmissionStore as _, Submitted, Upload};

const NOW: UnixTime = UnixTime::from_secs(1_595_419_200);
const KEYS: usize = 14;

/// One row of the table.
#[derive(serde::Serialize)]
struct Measured {
    database: &'static str,
    /// How many phones wait for an answer at the same time.
    at_once: usize,
    submissions: usize,
    /// The fewest of the rounds, in microseconds for each submission.
    wall_us: f64,
    /// Of this process, and of the database's where it is another one.
    processor_us: f64,
}

pub fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let submissions =
        value("--submissions").map_or(if smoke { 100 } else { 20_000 }, |text| text.parse().unwrap());
    let rounds = value("--rounds").map_or(if smoke { 1 } else { 3 }, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut databases = vec!["SQLite"];
    #[cfg(feature = "postgres")]
    {
        super::cluster::make_durable();
        if super::cluster::directory().is_some() {
            databases.push("PostgreSQL");
        }
    }
    databases.retain(|name| value("--only").is_none_or(|only| only == *name));
    let mut table = Vec::new();
    for at_once in [1, 16, 128, 1024] {
        let submissions = if at_once == 1 { submissions / 10 } else { submissions };
        for database in &databases {
            table.push(Measured {
                database,
                at_once,
                submissions,
                wall_us: f64::MAX,
                processor_us: f64::MAX,
            });
        }
    }
    // In turns, so that what else the machine does meets them all.
    for _ in 0..rounds {
        for row in &mut table {
            let directory = tempfile::tempdir_in(value("--dir").unwrap_or_else(|| ".".to_owned())).unwrap();
            let location = match row.database {
                "SQLite" => DatabaseLocation::Sqlite(directory.path().join("cwa.sqlite3")),
                #[cfg(feature = "postgres")]
                _ => super::cluster::empty_database().unwrap().parse().unwrap(),
                #[cfg(not(feature = "postgres"))]
                _ => continue,
            };
            let (wall, processor) = runtime.block_on(async {
                let store = location.open().await.unwrap();
                measure(&store, row.submissions, row.at_once).await
            });
            let each = |time: Duration| time.as_secs_f64() * 1e6 / row.submissions as f64;
            row.wall_us = row.wall_us.min(each(wall));
            row.processor_us = row.processor_us.min(each(processor));
        }
    }
    println!(
        "| durable submissions of {KEYS} keys | at once | µs processor time | per second and core | per second here |"
    );
    println!("|---|---:|---:|---:|---:|");
    for row in &table {
        let (core, here) = (1e6 / row.processor_us, 1e6 / row.wall_us);
        println!("| {} | {} | {:.1} | {core:.0} | {here:.0} |", row.database, row.at_once, row.processor_us);
    }
    if let Some(path) = value("--json") {
        std::fs::write(path, serde_json::to_string_pretty(&table).unwrap() + "\n").unwrap();
    }
}

/// Wall and processor time of all submissions.
async fn measure(store: &Database, submissions: usize, at_once: usize) -> (Duration, Duration) {
    let uploads = Arc::new(prepare(store, submissions).await);
    let next = Arc::new(AtomicUsize::new(0));
    let processor = processor_time();
    let begun = Instant::now();
    let phones: Vec<_> = (0..at_once)
        .map(|_| {
            let (store, uploads, next) = (store.clone(), Arc::clone(&uploads), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some((tan, upload)) = uploads.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let submitted = store.submit(*tan, upload.clone(), NOW).await.unwrap();
                    assert_eq!(submitted, Submitted::Now);
                }
            })
        })
        .collect();
    for phone in phones {
        phone.await.unwrap();
    }
    let measured = (begun.elapsed(), processor_time() - processor);
    let stored = store.publisher_state().await.unwrap().keys_pending;
    assert_eq!(stored, (submissions * KEYS) as u64, "every key is there");
    measured
}

/// Phones that have their TAN.
async fn prepare(store: &Database, count: usize) -> Vec<(TanHash, Upload)> {
    let hashes = HashKey::new(HashKeyId::new(1), [7; HashKey::LENGTH]);
    let mut phones = Vec::new();
    let mut uploads = Vec::new();
    for number in 0..count {
        let token = RegistrationToken::parse(&format!("{number:08x}-0000-4000-8000-000000000000")).unwrap();
        let (store, series) = (store.clone(), hashes.tan_series(&token));
        let session = NewSession {
            token: hashes.registration_token(&token),
            salt: TokenSalt::from_bytes([0; TokenSalt::LENGTH]),
            claim: Claim::Test {
                guid: hashes.test_id(&TestId::from(HashedGuid::of_text(&number.to_string()))),
                date_of_birth: None,
                sealed: SealedTestIds::try_from(&[7; TestId::LENGTH][..]).unwrap(),
            },
            retry: None,
            expires_at: NOW.plus(86_400),
        };
        let tan = series.tan(TanNumber::FIRST);
        let keys = (0..KEYS).map(pending_key).collect();
        let reservation = hashes.reservation(&tan, &PayloadDigest::of(&number.to_be_bytes()));
        uploads.push((hashes.tan(&tan), Upload { reservation, keys, keys_dropped: 0 }));
        phones.push(tokio::spawn(async move {
            let new = NewTan { session: session.token, series, limit: 2, valid_until: NOW.plus(3600) };
            store.register(session, NOW).await.unwrap();
            store.issue_tan(new, NOW).await.unwrap();
        }));
        // As many at a time as the smallest pool of connections serves in time.
        if phones.len() == 256 {
            for phone in phones.drain(..) {
                phone.await.unwrap();
            }
        }
    }
    for phone in phones {
        phone.await.unwrap();
    }
    store.checkpoint().await.unwrap();
    uploads
}

fn pending_key(days_ago: usize) -> PendingKey {
    let start = ENIntervalNumber::at(NOW.day().minus(days_ago as u64).start());
    let mut key = DiagnosisKey::new(rand::random(), start, RollingPeriod::FULL_DAY);
    key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
    PendingKey { key, earliest_hour: Hour::at(NOW) }
}

/// User and system time of this process and of PostgreSQL's so far, from `/proc`: ten milliseconds at the finest.
fn processor_time() -> Duration {
    let of = |stat: &str| -> Option<(u32, u64)> {
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some((fields.get(1)?.parse().ok()?, ticks))
    };
    let mut ticks = of(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap().1;
    #[cfg(feature = "postgres")]
    if let Some(directory) = super::cluster::directory() {
        let postmaster = std::fs::read_to_string(format!("{directory}/data/postmaster.pid")).unwrap();
        let postmaster: u32 = postmaster.lines().next().unwrap().parse().unwrap();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
            ticks += of(&stat).filter(|(parent, _)| *parent == postmaster).map_or(0, |(_, ticks)| ticks);
        }
    }
    Duration::from_millis(ticks * 10)
}
