//! What both databases have to do: the suite of `cwa-verify`, and one for uploads, packages and locks.

use std::collections::BTreeSet;
use std::sync::Arc;

use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel, UnixTime};
use cwa_export::batch::{Hour, PendingKey, PublicationPolicy};
use cwa_verify::conformance::{Harness, Racer};
use cwa_verify::guid::{HashedGuid, TestId};
use cwa_verify::hash::{HashKey, HashKeyId, PayloadDigest};
use cwa_verify::registration::{RegistrationToken, TokenSalt};
use cwa_verify::seal::SealedTestIds;
use cwa_verify::store::{
    Claim, IssueLimit, NewSession, NewTan, NewTeleTan, ReserveError, SessionStore as _, TanStore as _,
    TeleTanStore as _,
};
use cwa_verify::tan::{Tan, TanNumber};
use cwa_verify::{TeleTan, TeleTanType};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::{
    CloseError, Database, DatabaseLocation, Job, PackageStore as _, Span, StoreError, SubmissionStore as _,
    Submitted, Upload,
};

/// 2020-07-22T14:00:00Z
const NOW: UnixTime = UnixTime::from_secs(1_595_376_000 + 14 * HOUR);
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[cfg(feature = "postgres")]
#[path = "../../../tests/support/postgres.rs"]
mod cluster;

/// Databases of one kind.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Kind {
    fn empty(self) -> DatabaseLocation {
        match self {
            Self::Sqlite => {
                // Kept until the process ends: locks of jobs are files beside the database.
                let directory = tempfile::tempdir().unwrap().keep();
                DatabaseLocation::Sqlite(directory.join("cwa.sqlite3"))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => cluster::empty_database().unwrap().parse().unwrap(),
        }
    }

    /// Whether there is one here; says so if not.
    fn is_here(self) -> bool {
        match self {
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => cluster::directory().is_some(),
        }
    }

    fn run(self, test: impl Future<Output = ()>) {
        if self.is_here() {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
            runtime.unwrap().block_on(test);
        }
    }
}

impl Harness for Kind {
    type Store = Database;

    async fn empty_store(&self) -> Database {
        self.empty().open().await.unwrap()
    }

    async fn race<T: Send + 'static>(&self, racers: Vec<Racer<T>>) -> Vec<T> {
        let tasks: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }
}

/// Makes a `#[test]` of each function below.
macro_rules! uploads_and_packages {
    ($kind:expr, $block_on:path) => {
        uploads_and_packages! { @each $kind, $block_on:
            an_upload_is_stored_once_and_its_repetition_is_told_the_same
            without_a_good_tan_nothing_is_stored
            an_event_tan_stores_no_key_and_keeps_its_worth
            of_a_thousand_uploads_with_one_tan_one_is_stored
            an_upload_that_comes_many_times_at_once_is_stored_once
            many_phones_at_once_lose_nothing
            a_key_that_is_there_stays_as_it_is
            what_an_hour_holds_is_decided_once
            two_publishers_at_once_close_each_hour_once
            a_clock_that_is_behind_or_absurd_changes_nothing
            old_keys_go_and_their_packages_are_written_again
            a_job_is_locked_until_its_lock_is_dropped
        }
    };
    (@each $kind:expr, $block_on:path: $($name:ident)+) => {$(
        #[test]
        fn $name() {
            $block_on(async { super::$name($kind).await });
        }
    )+};
}

mod sqlite {
    use super::*;

    fn block_on(test: impl Future<Output = ()>) {
        Kind::Sqlite.run(test);
    }

    cwa_verify::conformance_tests!(Kind::Sqlite, block_on);
    uploads_and_packages!(Kind::Sqlite, block_on);
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    fn block_on(test: impl Future<Output = ()>) {
        Kind::Postgres.run(test);
    }

    cwa_verify::conformance_tests!(Kind::Postgres, block_on);
    uploads_and_packages!(Kind::Postgres, block_on);

    #[test]
    fn replicas_that_start_at_once_bring_an_empty_database_up_to_date_once() {
        Kind::Postgres.run(async {
            let location = Kind::Postgres.empty();
            let starts: Vec<_> = (0..8).map(|_| tokio::spawn(location.clone().open())).collect();
            for start in starts {
                start.await.unwrap().unwrap();
            }
        });
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        Kind::Postgres.run(async {
            let url = cluster::empty_database().unwrap();
            let location: DatabaseLocation = url.parse().unwrap();
            drop(location.clone().open().await.unwrap());
            cluster::sql(&url, "UPDATE schema_version SET version = 99");
            let error = location.open().await.unwrap_err();
            assert_eq!(error.to_string(), "the database has schema 99; this program knows schemas up to 1");
        });
    }

    #[test]
    fn both_databases_close_the_same_hours_with_the_same_keys() {
        Kind::Postgres.run(async {
            let mut packages = Vec::new();
            for kind in [Kind::Sqlite, Kind::Postgres] {
                let store = kind.empty_store().await;
                let mut seen = Vec::new();
                for hour in 0..30_u64 {
                    let now = NOW.plus(hour * HOUR);
                    let number = u32::try_from(hour).unwrap();
                    if hour % 3 != 2 {
                        let keys = keys(hour, 1 + hour % 5, now);
                        let tan = tan(&store, number, now).await;
                        stored(&store, &tan, keys, now).await.unwrap();
                    }
                    let rng = StdRng::seed_from_u64(hour);
                    store.close_hours(policy(), rng, now.plus(HOUR)).await.unwrap();
                }
                for package in store.packages().await.unwrap() {
                    seen.push((package, store.keys_of(package.span).await.unwrap()));
                }
                packages.push(seen);
            }
            assert!(packages[0].iter().filter(|(_, keys)| !keys.is_empty()).count() > 3);
            assert_eq!(packages[0], packages[1]);
        });
    }

    #[test]
    fn an_error_of_the_database_shows_no_value() {
        Kind::Postgres.run(async {
            let url = cluster::empty_database().unwrap();
            let location: DatabaseLocation = url.parse().unwrap();
            let store = location.open().await.unwrap();
            cluster::sql(
                &url,
                "ALTER TABLE diagnosis_key ADD CHECK (key_data <> '\\x000102030405060708090a0b0c0d0e0f')",
            );
            let tan = tan(&store, 1, NOW).await;
            let mut bad = key(1, 1, NOW);
            bad.key_data = core::array::from_fn(|index| u8::try_from(index).unwrap());
            let error = stored(&store, &tan, vec![bad], NOW).await.unwrap_err();
            let ReserveError::Store(error) = error else { panic!("{error:?}") };
            assert_eq!(error.to_string(), "PostgreSQL failed with SQLSTATE 23514");
            assert_eq!(format!("{error:?}"), "Postgres { code: 23514 }");
        });
    }

    #[test]
    fn the_connection_is_protected_as_sslmode_says() {
        Kind::Postgres.run(async {
            let directory = tempfile::tempdir().unwrap();
            let url = cluster::empty_database().unwrap();
            let (by_name, root) = cluster::over_tls(&url, "localhost", directory.path());
            let (by_address, _) = cluster::over_tls(&url, "127.0.0.1", directory.path());
            let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let other_root = directory.path().join("other.pem");
            std::fs::write(&other_root, other.cert.pem()).unwrap();
            let (root, other_root) = (root.display(), other_root.display());
            for (url, parameters, is_protected) in [
                (&by_name, format!("sslmode=verify-full&sslrootcert={root}"), Some(true)),
                (&by_address, format!("sslmode=verify-full&sslrootcert={root}"), None),
                (&by_address, format!("sslmode=verify-ca&sslrootcert={root}"), Some(true)),
                (&by_name, format!("sslmode=verify-full&sslrootcert={other_root}"), None),
                (&by_name, format!("sslmode=verify-ca&sslrootcert={other_root}"), None),
                (&by_name, format!("sslmode=require&sslrootcert={other_root}"), None),
                (&by_name, "sslmode=require".to_owned(), Some(true)),
                (&by_name, "sslmode=prefer".to_owned(), Some(true)),
                (&by_name, String::new(), Some(true)),
                (&by_name, "sslmode=disable".to_owned(), Some(false)),
            ] {
                let location: DatabaseLocation = format!("{url}?{parameters}").parse().unwrap();
                let opened = location.open().await.ok();
                assert_eq!(opened.is_some(), is_protected.is_some(), "{parameters}");
                let protected = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                                 WHERE application_name = 'cwa' AND datname = current_database()";
                if let Some(is_protected) = is_protected {
                    assert_eq!(
                        cluster::sql(url, protected),
                        if is_protected { "t" } else { "f" },
                        "{parameters}"
                    );
                }
                drop(opened);
                // Its connections are gone a moment later.
                let left = "SELECT count(*) FROM pg_stat_activity
                            WHERE application_name = 'cwa' AND datname = current_database()";
                for _ in 0..200 {
                    if cluster::sql(url, left) == "0" {
                        break;
                    }
                    tokio::time::sleep(core::time::Duration::from_millis(10)).await;
                }
            }
        });
    }

    #[test]
    fn an_upload_that_cannot_be_stored_does_not_keep_its_neighbours_out() {
        Kind::Postgres.run(async {
            let url = cluster::empty_database().unwrap();
            let location: DatabaseLocation = url.parse().unwrap();
            let store = location.open().await.unwrap();
            cluster::sql(&url, "ALTER TABLE diagnosis_key ADD CHECK (get_byte(key_data, 0) <> 7)");
            let mut phones = Vec::new();
            for number in 0..40 {
                let tan = tan(&store, number, NOW).await;
                phones.push((number, tan));
            }
            let phones = phones.into_iter().map(|(number, tan)| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut key = key(number.into(), 1, NOW);
                    key.key_data[0] = u8::try_from(number % 8).unwrap();
                    (number, stored(&store, &tan, vec![key], NOW).await.is_ok())
                })
            });
            for phone in phones.collect::<Vec<_>>() {
                let (number, is_stored) = phone.await.unwrap();
                assert_eq!(is_stored, number % 8 != 7, "upload {number}");
            }
            assert_eq!(store.publisher_state().await.unwrap().keys_pending, 35);
        });
    }
}

async fn an_upload_is_stored_once_and_its_repetition_is_told_the_same(kind: Kind) {
    let store = kind.empty_store().await;
    let tan = tan(&store, 1, NOW).await;
    let mut first = upload(&tan, 1, keys(1, 3, NOW));
    first.keys_dropped = 2;
    assert_eq!(submit(&store, &tan, first.clone(), NOW).await.unwrap(), Submitted::Now);
    first.keys_dropped = 3;
    let again = submit(&store, &tan, first, NOW).await.unwrap();
    assert_eq!(again, Submitted::Before { keys_dropped: 2 }, "as it was told then");
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 3);
    // Another payload of the same TAN is refused for good.
    let refused = submit(&store, &tan, upload(&tan, 2, keys(2, 3, NOW)), NOW).await;
    assert!(matches!(refused, Err(ReserveError::Unknown)), "{refused:?}");
    // Once the TAN would have expired nothing is known of it.
    let late = submit(&store, &tan, upload(&tan, 1, keys(1, 3, NOW)), NOW.plus(HOUR)).await;
    assert!(matches!(late, Err(ReserveError::Unknown)), "{late:?}");
}

async fn without_a_good_tan_nothing_is_stored(kind: Kind) {
    let store = kind.empty_store().await;
    let tan = tan(&store, 1, NOW).await;
    let first = upload(&tan, 1, keys(1, 14, NOW));
    let unknown = RegistrationToken::parse("63b4d3ff-e0de-4bd4-90c1-17c2bb683a2f").unwrap();
    let unknown = key_of_hashes().tan_series(&unknown).tan(TanNumber::FIRST);
    let refused = submit(&store, &unknown, first.clone(), NOW).await;
    assert!(matches!(refused, Err(ReserveError::Unknown)), "{refused:?}");
    let refused = submit(&store, &tan, first.clone(), NOW.plus(HOUR)).await;
    let valid_until = NOW.plus(HOUR);
    assert!(
        matches!(refused, Err(ReserveError::Expired { valid_until: at }) if at == valid_until),
        "{refused:?}"
    );
    // Another payload holds it.
    let hashes = key_of_hashes();
    let (hash, other) = (hashes.tan(&tan), hashes.reservation(&tan, &digest(2)));
    store.reserve(hash, other, NOW.plus(60), NOW).await.unwrap();
    let refused = submit(&store, &tan, first.clone(), NOW.plus(59)).await;
    assert!(matches!(refused, Err(ReserveError::Reserved { .. })), "{refused:?}");
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 0);
    // Its lease has lapsed; and whoever holds the lease may submit, too.
    assert_eq!(submit(&store, &tan, first, NOW.plus(60)).await.unwrap(), Submitted::Now);
    let tan = super::suite::tan(&store, 2, NOW).await;
    let (hash, held) = (hashes.tan(&tan), hashes.reservation(&tan, &digest(1)));
    store.reserve(hash, held, NOW.plus(2 * HOUR), NOW).await.unwrap();
    let second = upload(&tan, 1, keys(2, 14, NOW));
    assert_eq!(submit(&store, &tan, second.clone(), NOW.plus(HOUR + 1)).await.unwrap(), Submitted::Now);
    let again = submit(&store, &tan, second, NOW.plus(2 * HOUR - 1)).await.unwrap();
    assert_eq!(
        again,
        Submitted::Before { keys_dropped: 0 },
        "the receipt is kept until the later of both ends"
    );
}

async fn an_event_tan_stores_no_key_and_keeps_its_worth(kind: Kind) {
    let store = kind.empty_store().await;
    let hashes = key_of_hashes();
    let tele_tan = TeleTan::generate(&mut StdRng::seed_from_u64(1));
    let (hash, event) = (hashes.tele_tan(&tele_tan), Some(TeleTanType::Event));
    let new = NewTeleTan { hash, kind: event, valid_until: NOW.plus(HOUR) };
    store.issue_tele_tan(new, IssueLimit { count: 10, window_seconds: HOUR }, NOW).await.unwrap();
    let tan = tan_of(&store, 1, Claim::TeleTan(hash), NOW).await;
    for _ in 0..2 {
        let answer = submit(&store, &tan, upload(&tan, 1, keys(1, 3, NOW)), NOW).await.unwrap();
        assert_eq!(answer, Submitted::NotForKeys);
    }
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 0);
    assert_eq!(store.consume(hashes.tan(&tan), NOW).await.unwrap(), event);
}

async fn of_a_thousand_uploads_with_one_tan_one_is_stored(kind: Kind) {
    let store = kind.empty_store().await;
    let tan = Arc::new(tan(&store, 1, NOW).await);
    let phones = (0..1000).map(|payload| {
        let (store, tan) = (store.clone(), Arc::clone(&tan));
        tokio::spawn(async move {
            match submit(&store, &tan, upload(&tan, payload, keys(payload.into(), 2, NOW)), NOW).await {
                Ok(Submitted::Now) => true,
                Err(ReserveError::Unknown) => false,
                answer => panic!("{answer:?}"),
            }
        })
    });
    let mut stored = 0;
    for phone in phones.collect::<Vec<_>>() {
        stored += i32::from(phone.await.unwrap());
    }
    assert_eq!(stored, 1);
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 2);
}

async fn an_upload_that_comes_many_times_at_once_is_stored_once(kind: Kind) {
    let store = kind.empty_store().await;
    let tan = Arc::new(tan(&store, 1, NOW).await);
    let phones = (0..300).map(|_| {
        let (store, tan) = (store.clone(), Arc::clone(&tan));
        tokio::spawn(
            async move { submit(&store, &tan, upload(&tan, 1, keys(1, 14, NOW)), NOW).await.unwrap() },
        )
    });
    let mut now = 0;
    for phone in phones.collect::<Vec<_>>() {
        match phone.await.unwrap() {
            Submitted::Now => now += 1,
            answer => assert_eq!(answer, Submitted::Before { keys_dropped: 0 }),
        }
    }
    assert_eq!(now, 1);
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 14);
}

async fn many_phones_at_once_lose_nothing(kind: Kind) {
    let store = kind.empty_store().await;
    let phones = (0..300_u32).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let tan = tan(&store, number, NOW).await;
            stored(&store, &tan, keys(number.into(), 14, NOW), NOW).await.unwrap()
        })
    });
    for phone in phones.collect::<Vec<_>>() {
        assert_eq!(phone.await.unwrap(), Submitted::Now);
    }
    assert_eq!(store.publisher_state().await.unwrap().keys_pending, 300 * 14);
}

async fn a_key_that_is_there_stays_as_it_is(kind: Kind) {
    let store = kind.empty_store().await;
    let first = key(1, 1, NOW);
    let mut second = first;
    second.transmission_risk_level = Some(TransmissionRiskLevel::try_from(1).unwrap());
    for (number, key) in [(1, first), (2, second)] {
        let tan = tan(&store, number, NOW).await;
        stored(&store, &tan, vec![key], NOW).await.unwrap();
    }
    store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.plus(2 * HOUR)).await.unwrap();
    let hour = Span::Hour(Hour::at(NOW));
    let published = store.keys_of(hour).await.unwrap();
    assert!(published.contains(&first) && !published.contains(&second));
}

async fn what_an_hour_holds_is_decided_once(kind: Kind) {
    let store = kind.empty_store().await;
    let fresh = keys(1, 3, NOW);
    let tan_1 = tan(&store, 1, NOW).await;
    stored(&store, &tan_1, fresh.clone(), NOW).await.unwrap();
    let closed = store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.plus(HOUR)).await.unwrap();
    assert_eq!(closed.next_hour, Hour::at(NOW).next());
    let hour = Span::Hour(Hour::at(NOW));
    let held = store.keys_of(hour).await.unwrap();
    assert!(fresh.iter().all(|key| held.contains(key)) && held.is_sorted_by_key(|key| key.key_data));
    // What comes later, and another run, do not change it.
    let tan_2 = tan(&store, 2, NOW).await;
    stored(&store, &tan_2, keys(2, 3, NOW), NOW).await.unwrap();
    let again = store.close_hours(policy(), StdRng::seed_from_u64(2), NOW.plus(HOUR)).await.unwrap();
    assert_eq!((again.closed, again.next_hour), (0, closed.next_hour));
    assert_eq!(store.keys_of(hour).await.unwrap(), held);
    // A run that was finished is remembered, and so is what it wrote.
    let written = [(hour, held.len())].into();
    store.run_finished(written, Vec::new(), NOW.plus(HOUR)).await.unwrap();
    let stale: Vec<_> =
        store.packages().await.unwrap().into_iter().filter(|package| package.span == hour).collect();
    assert!(!stale[0].stale && stale[0].key_count == held.len());
    let state = store.publisher_state().await.unwrap();
    assert_eq!((state.last_published, state.keys_pending), (Some(NOW.plus(HOUR)), 3));
    store.run_finished([].into(), vec![hour], NOW.plus(HOUR)).await.unwrap();
    assert!(store.packages().await.unwrap().iter().all(|package| package.span != hour));
}

async fn two_publishers_at_once_close_each_hour_once(kind: Kind) {
    let location = kind.empty();
    let (one, other) = (location.clone().open().await.unwrap(), location.open().await.unwrap());
    let tan = tan(&one, 1, NOW).await;
    stored(&one, &tan, keys(1, 14, NOW), NOW).await.unwrap();
    let runs = [one.clone(), other, one.clone()].into_iter().enumerate().map(|(seed, store)| {
        let rng = StdRng::seed_from_u64(seed as u64);
        tokio::spawn(async move { store.close_hours(policy(), rng, NOW.plus(HOUR)).await.unwrap().closed })
    });
    let mut closed = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        closed.push(run.await.unwrap());
    }
    closed.sort_unstable();
    assert_eq!(closed[..2], [0, 0]);
    assert!(closed[2] > 0);
    let hours = one.packages().await.unwrap();
    let distinct: BTreeSet<_> = hours.iter().map(|package| package.span).collect();
    assert_eq!(distinct.len(), hours.len());
}

async fn a_clock_that_is_behind_or_absurd_changes_nothing(kind: Kind) {
    let store = kind.empty_store().await;
    store.close_hours(policy(), StdRng::seed_from_u64(1), NOW).await.unwrap();
    let before = store.packages().await.unwrap();
    let behind = store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.minus(2 * HOUR)).await;
    assert!(matches!(behind, Err(CloseError::ClockBehind(_))), "{behind:?}");
    let ahead = store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.plus(11 * 366 * DAY)).await;
    assert!(matches!(ahead, Err(CloseError::ClockAhead { .. })), "{ahead:?}");
    assert_eq!(store.packages().await.unwrap(), before);
}

async fn old_keys_go_and_their_packages_are_written_again(kind: Kind) {
    let store = kind.empty_store().await;
    let (old, young) = (key(1, 13, NOW), key(2, 1, NOW));
    let tan = tan(&store, 1, NOW).await;
    stored(&store, &tan, vec![old, young], NOW).await.unwrap();
    store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.plus(HOUR)).await.unwrap();
    let hour = Span::Hour(Hour::at(NOW));
    let held = store.keys_of(hour).await.unwrap();
    store.run_finished([(hour, held.len())].into(), Vec::new(), NOW.plus(HOUR)).await.unwrap();
    store.close_hours(policy(), StdRng::seed_from_u64(1), NOW.plus(3 * DAY)).await.unwrap();
    let left = store.keys_of(hour).await.unwrap();
    assert!(!left.contains(&old) && left.contains(&young));
    let package = store.packages().await.unwrap().into_iter().find(|package| package.span == hour);
    assert!(package.unwrap().stale, "its file still holds the key");
}

async fn a_job_is_locked_until_its_lock_is_dropped(kind: Kind) {
    let location = kind.empty();
    let (one, other) = (location.clone().open().await.unwrap(), location.open().await.unwrap());
    let held = one.try_lock(Job::Publish).await.unwrap();
    assert!(held.is_some());
    assert!(other.try_lock(Job::Publish).await.unwrap().is_none());
    assert!(one.try_lock(Job::Publish).await.unwrap().is_none(), "nor by whoever holds it");
    assert!(other.try_lock(Job::Retention).await.unwrap().is_some(), "another job is free");
    held.unwrap().release().await;
    let held = other.try_lock(Job::Publish).await.unwrap();
    assert!(held.is_some(), "free at once");
    drop(held);
    // A session of PostgreSQL ends a moment after its connection was closed.
    for _ in 0..100 {
        if one.try_lock(Job::Publish).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    }
    panic!("the lock was not given back");
}

fn policy() -> PublicationPolicy {
    let mut policy = PublicationPolicy::default();
    policy.threshold = 1;
    policy
}

fn key_of_hashes() -> HashKey {
    HashKey::new(HashKeyId::new(1), [7; HashKey::LENGTH])
}

fn digest(payload: u32) -> PayloadDigest {
    PayloadDigest::of(&payload.to_be_bytes())
}

/// A TAN of session `number`, which is opened with a test.
async fn tan(store: &Database, number: u32, now: UnixTime) -> Tan {
    let claim = Claim::Test {
        guid: key_of_hashes().test_id(&TestId::from(HashedGuid::of_text(&number.to_string()))),
        date_of_birth: None,
        sealed: SealedTestIds::try_from(&[7; TestId::LENGTH][..]).unwrap(),
    };
    tan_of(store, number, claim, now).await
}

async fn tan_of(store: &Database, number: u32, claim: Claim, now: UnixTime) -> Tan {
    let token = RegistrationToken::parse(&format!("{number:08x}-0000-4000-8000-000000000000")).unwrap();
    let hashes = key_of_hashes();
    let session = NewSession {
        token: hashes.registration_token(&token),
        salt: TokenSalt::from_bytes([0; TokenSalt::LENGTH]),
        claim,
        retry: None,
        expires_at: now.plus(21 * DAY),
    };
    let series = hashes.tan_series(&token);
    let tan = series.tan(TanNumber::FIRST);
    let new = NewTan { session: session.token, series, limit: 2, valid_until: now.plus(HOUR) };
    store.register(session, now).await.unwrap();
    store.issue_tan(new, now).await.unwrap();
    tan
}

async fn submit(
    store: &Database,
    tan: &Tan,
    upload: Upload,
    now: UnixTime,
) -> Result<Submitted, ReserveError<StoreError>> {
    store.submit(key_of_hashes().tan(tan), upload, now).await
}

async fn stored(
    store: &Database,
    tan: &Tan,
    keys: Vec<DiagnosisKey>,
    now: UnixTime,
) -> Result<Submitted, ReserveError<StoreError>> {
    submit(store, tan, upload(tan, 1, keys), now).await
}

fn upload(tan: &Tan, payload: u32, keys: Vec<DiagnosisKey>) -> Upload {
    let reservation = key_of_hashes().reservation(tan, &digest(payload));
    Upload { reservation, keys: pending(keys), keys_dropped: 0 }
}

/// A key of the day `days_ago` days before `now`.
fn key(number: u64, days_ago: u64, now: UnixTime) -> DiagnosisKey {
    let start = ENIntervalNumber::at(now.day().minus(days_ago).start());
    let mut bytes = [0; 16];
    // Spread over the order of the bytes.
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&days_ago.to_be_bytes());
    let mut key = DiagnosisKey::new(bytes, start, RollingPeriod::FULL_DAY);
    key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
    key
}

fn keys(number: u64, count: u64, now: UnixTime) -> Vec<DiagnosisKey> {
    (1..=count)
        .map(|days_ago| key(number, days_ago.min(13), now))
        .zip(0..)
        .map(|(mut key, index)| {
            key.key_data[15] = index;
            key
        })
        .collect()
}

fn pending(keys: Vec<DiagnosisKey>) -> Vec<PendingKey> {
    keys.into_iter().map(|key| PendingKey { key, earliest_hour: Hour::at(NOW) }).collect()
}
