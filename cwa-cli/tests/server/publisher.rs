use cwa_cli::clock::ProtocolClock;
use cwa_cli::server::{Publication, PublishError};
use cwa_crypto::{Day, DiagnosisKey, UnixTime};
use cwa_export::archive::Archive;
use cwa_export::index::Manifest;
use cwa_export::verify::{UnverifiedContent, UnverifiedExport};
use cwa_export::{TrustStore, TrustedKey};

use crate::support::{DAY, HOUR, NOW, TestServer, key, payload, policy};

const BASE: &str = "/version/v1/diagnosis-keys/country";

impl TestServer {
    fn trust(&self) -> TrustStore {
        let mut trust = TrustStore::default();
        trust.insert(TrustedKey::given("test", self.public_key));
        trust
    }

    /// Uploads these keys with a TAN of their own.
    async fn upload(&self, id: u64, keys: Vec<DiagnosisKey>) {
        let tan = self.fresh_tan(id).await;
        assert_eq!(self.submit(&tan, &payload(keys)).await.status, 200);
    }

    /// Lets time pass and has the publisher run; what it wrote that is not empty.
    async fn publish_at(&self, now: UnixTime) -> Vec<Publication> {
        self.clock.set(now).unwrap();
        let mut written = self.running.publish(now).await.unwrap();
        written.retain(|publication| publication.key_count > 0);
        written
    }

    /// The keys of a package that verifies, with its start and end.
    async fn package(&self, path: &str) -> (Vec<DiagnosisKey>, u64, u64) {
        let reply = self.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/zip")), "{path}");
        let archive = Archive::read(&reply.body).unwrap();
        let export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig()).unwrap();
        let export = export.verify(&self.trust()).unwrap();
        let content = export.content();
        let (start, end) =
            (content.start_timestamp().unwrap().as_secs(), content.end_timestamp().unwrap().as_secs());
        assert_eq!(content.region(), Some("DE"));
        (export.keys().collect(), start, end)
    }

    async fn index(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{path}");
        reply.text()
    }
}

fn midnight(days_later: u64) -> UnixTime {
    NOW.day().start().plus(days_later * DAY)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_published_in_its_hour_and_its_day_and_not_before() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 2, NOW)]).await;
    assert_eq!(server.publish_at(NOW.plus(HOUR - 1)).await, [], "the running hour is not closed");
    assert_eq!(server.index(&format!("{BASE}/DE/date")).await, "[]");
    assert_eq!(server.get(&format!("{BASE}/DE/date/2020-07-22/hour/14")).await.status, 404);

    let written = server.publish_at(NOW.plus(HOUR)).await;
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].path, "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/14");
    assert_eq!(written[0].key_count, 2);
    assert_eq!(server.index(BASE).await, r#"["DE"]"#);
    assert_eq!(server.index(&format!("{BASE}/DE/date")).await, "[]", "the day is not over");
    assert_eq!(server.index(&format!("{BASE}/DE/date/2020-07-22/hour")).await, "[14]");
    let (keys, start, end) = server.package(&format!("{BASE}/DE/date/2020-07-22/hour/14")).await;
    assert_eq!(
        (keys, start, end),
        (vec![key(1, 1, NOW), key(2, 2, NOW)], NOW.as_secs(), NOW.as_secs() + HOUR)
    );
    assert_eq!(server.get(&format!("{BASE}/DE/date/2020-07-22")).await.status, 404, "today");

    let written = server.publish_at(midnight(1)).await;
    assert_eq!(
        written.iter().map(|publication| publication.path.as_str()).collect::<Vec<_>>(),
        ["version/v1/diagnosis-keys/country/DE/date/2020-07-22"]
    );
    assert_eq!(server.index(&format!("{BASE}/DE/date")).await, r#"["2020-07-22"]"#);
    let (keys, start, end) = server.package(&format!("{BASE}/DE/date/2020-07-22")).await;
    assert_eq!((keys.len(), start, end), (2, midnight(0).as_secs(), midnight(1).as_secs()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_days_key_waits_for_the_end_of_its_embargo() {
    let server = TestServer::start().await;
    // Handed over after midnight, before 02:00: hour 3, visible from 04:00.
    server.clock.set(midnight(1).plus(20 * 60)).unwrap();
    server.upload(1, vec![key(1, 1, server.now())]).await;
    server.upload(2, vec![key(2, 1, server.now())]).await;
    for hour in 1..=3 {
        assert_eq!(server.publish_at(midnight(1).plus(hour * HOUR)).await, [], "at {hour}:00");
    }
    let written = server.publish_at(midnight(1).plus(4 * HOUR)).await;
    assert_eq!((written.len(), written[0].key_count), (1, 2));
    assert!(written[0].path.ends_with("2020-07-23/hour/3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn past_hours_and_days_without_keys_answer_a_signed_empty_package_and_the_future_404() {
    let server = TestServer::start().await;
    server.publish_at(NOW).await;
    for path in ["2020-07-22/hour/13", "2020-07-22/hour/0", "2020-07-21/hour/23", "2020-07-21", "2020-07-08"]
    {
        let (keys, _, _) = server.package(&format!("{BASE}/DE/date/{path}")).await;
        assert_eq!(keys, [], "{path}");
    }
    for path in [
        "2020-07-22/hour/14",
        "2020-07-22/hour/23",
        "2020-07-22",
        "2020-07-23",
        "2020-07-07",
        "2020-07-19/hour/1",
    ] {
        assert_eq!(server.get(&format!("{BASE}/DE/date/{path}")).await.status, 404, "{path}");
    }
    assert_eq!(server.index(&format!("{BASE}/DE/date/2020-07-22/hour")).await, "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_keys_move_on_and_are_filled_up_after_a_day() {
    let mut strict = policy();
    strict.publication.threshold = 5;
    let server = TestServer::start_with(strict, |builder| builder).await;
    server.upload(1, vec![key(1, 1, NOW)]).await;
    for hours in [1, 2, 24] {
        assert_eq!(server.publish_at(NOW.plus(hours * HOUR)).await, [], "after {hours} h");
    }
    let (keys, _, _) = server.package(&format!("{BASE}/DE/date/2020-07-22/hour/14")).await;
    assert_eq!(keys, [], "the hour it arrived in is signed and empty");
    let written = server.publish_at(NOW.plus(25 * HOUR)).await;
    assert_eq!((written.len(), written[0].key_count), (1, 5));
    let (keys, _, _) = server.package(&format!("/{}", written[0].path)).await;
    assert!(keys.contains(&key(1, 1, NOW)));
    assert!(
        keys.windows(2).all(|pair| pair[0].key_data < pair[1].key_data),
        "in an order that tells nothing"
    );
    assert!(server.metrics().await.contains("cwa_keys_pending 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_runs_close_their_hours_in_order_and_nothing_is_computed_anew() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 1, NOW)]).await;
    server.clock.advance(2 * HOUR).unwrap();
    server.upload(2, vec![key(3, 1, NOW), key(4, 1, NOW)]).await;
    let written = server.publish_at(NOW.plus(5 * HOUR)).await;
    let hours: Vec<_> =
        written.iter().map(|publication| publication.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(hours, ["14", "16"]);
    assert_eq!(server.index(&format!("{BASE}/DE/date/2020-07-22/hour")).await, "[14,16]");
    let before = server.get(&format!("{BASE}/DE/date/2020-07-22/hour/14")).await;
    assert_eq!(server.publish_at(NOW.plus(5 * HOUR)).await, []);
    let after = server.get(&format!("{BASE}/DE/date/2020-07-22/hour/14")).await;
    assert_eq!((before.header("etag"), &before.body), (after.header("etag"), &after.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_what_was_published_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 1, NOW)]).await;
    server.publish_at(NOW.plus(HOUR)).await;
    let manifest = server.get("/version/v1/manifest").await;
    let error = server.running.publish(NOW.plus(HOUR - 1)).await.unwrap_err();
    assert!(matches!(error, PublishError::ClockBehind(_)), "{error:?}");
    assert_eq!(server.get("/version/v1/manifest").await.body, manifest.body);
    assert_eq!(server.count("diagnosis_key WHERE package_hour IS NOT NULL"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_absurdly_far_ahead_is_refused_and_forgets_nothing() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW)]).await;
    server.publish_at(NOW.plus(HOUR)).await;
    // Milliseconds where seconds belong.
    let milliseconds = UnixTime::from_secs(NOW.as_secs() * 1000);
    let error = server.running.publish(milliseconds).await.unwrap_err();
    assert!(matches!(error, PublishError::ClockAhead { .. }), "{error}");
    assert_eq!(server.count("diagnosis_key"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_pause_longer_than_the_retention_no_old_index_stays() {
    let server = TestServer::start().await;
    server.publish_at(NOW.plus(HOUR)).await;
    let hours = format!("{BASE}/DE/date/{}/hour", NOW.day());
    assert_eq!(server.get(&hours).await.status, 200);
    server.publish_at(NOW.plus(30 * DAY)).await;
    assert_eq!(server.get(&hours).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_keys_are_deleted_and_their_packages_made_anew() {
    let server = TestServer::start().await;
    // Ends 2020-07-10T00:00, so it is kept until 2020-07-24T00:00.
    server.upload(1, vec![key(1, 13, NOW), key(2, 1, NOW)]).await;
    server.publish_at(midnight(1)).await;
    let path = format!("{BASE}/DE/date/2020-07-22");
    let before = server.get(&path).await;
    assert_eq!(server.publish_at(midnight(2)).await, [], "exactly 14 days");
    let written = server.publish_at(midnight(2).plus(HOUR)).await;
    assert_eq!(
        written.iter().map(|publication| publication.key_count).collect::<Vec<_>>(),
        [1, 1],
        "hour and day"
    );
    assert_eq!(server.count("diagnosis_key"), 1);
    let after = server.get(&path).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    let (keys, start, end) = server.package(&path).await;
    assert_eq!((keys, start, end), (vec![key(2, 1, NOW)], midnight(0).as_secs(), midnight(1).as_secs()));
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_are_served_for_two_days_and_days_for_fourteen() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 0, NOW), key(2, 0, NOW)]).await;
    server.publish_at(midnight(1).plus(4 * HOUR)).await;
    assert_eq!(server.index(&format!("{BASE}/DE/date/2020-07-23/hour")).await, "[3]");
    let (hour, day) = (format!("{BASE}/DE/date/2020-07-23/hour/3"), format!("{BASE}/DE/date/2020-07-23"));
    server.publish_at(midnight(3).plus(3 * HOUR)).await;
    assert_eq!((server.get(&hour).await.status, server.get(&day).await.status), (200, 200));
    server.publish_at(midnight(3).plus(4 * HOUR)).await;
    assert_eq!((server.get(&hour).await.status, server.get(&day).await.status), (404, 200));
    server.publish_at(midnight(4)).await;
    assert_eq!(server.get(&format!("{BASE}/DE/date/2020-07-23/hour")).await.status, 404);
    server.publish_at(midnight(15).plus(HOUR)).await;
    assert_eq!(server.package(&day).await.0, [], "its keys ended more than 14 days ago");
    assert_eq!(server.index(&format!("{BASE}/DE/date")).await, "[]");
    server.publish_at(midnight(16)).await;
    assert_eq!(server.get(&day).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_is_signed_lists_everything_and_shows_its_age() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 1, NOW)]).await;
    server.publish_at(NOW.plus(HOUR)).await;
    let read = |body: Vec<u8>| Manifest::open(&body, &server.trust()).unwrap();
    let manifest = read(server.get("/version/v1/manifest").await.body);
    assert_eq!(manifest.generated_at(), NOW.plus(HOUR));
    for (path, entry) in manifest.entries() {
        let reply = server.get(&format!("/{path}")).await;
        assert_eq!(reply.status, 200, "{path}");
        manifest.check(path.parse().unwrap(), &reply.body).unwrap();
        assert_eq!(reply.header("etag"), Some(format!("\"{}\"", entry.sha256).as_str()));
    }
    let hour = "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/14".parse().unwrap();
    assert_eq!(manifest.get(hour).unwrap().key_count, 2);
    server.publish_at(NOW.plus(2 * HOUR)).await;
    let newer = read(server.get("/version/v1/manifest").await.body);
    assert!(manifest.check_not_older_than(newer.generated_at()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_is_made_anew_byte_by_byte() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 1, NOW)]).await;
    server.publish_at(NOW.plus(HOUR)).await;
    let path = format!("{BASE}/DE/date/2020-07-22/hour/14");
    let before = server.get(&path).await.body;
    std::fs::remove_dir_all(server.path().join("www")).unwrap();
    let written = server.publish_at(NOW.plus(HOUR)).await;
    assert_eq!(written.len(), 1);
    assert_eq!(server.get(&path).await.body, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_goes_on_where_it_stopped() {
    let server = TestServer::start().await;
    server.upload(1, vec![key(1, 1, NOW), key(2, 1, NOW)]).await;
    server.publish_at(NOW.plus(HOUR)).await;
    let token = server.positive_session(2).await;
    let tan = server.tan(&token).await;
    let TestServer { directory, running, .. } = server;
    running.shutdown().await;
    let clock = ProtocolClock::manual(NOW.plus(HOUR));
    let server = TestServer::start_in(directory, clock, policy(), |builder| builder).await;
    assert_eq!(server.tan(&token).await, tan);
    assert_eq!(server.submit(&tan, &payload(vec![key(3, 1, NOW), key(4, 1, NOW)])).await.status, 200);
    let written = server.publish_at(NOW.plus(2 * HOUR)).await;
    assert_eq!((written.len(), written[0].key_count), (1, 2));
    assert_eq!(server.index(&format!("{BASE}/DE/date/2020-07-22/hour")).await, "[14,15]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_published_signed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), include_str!("../../src/server/configuration.yaml")).unwrap();
    let server = TestServer::start_with(policy(), |builder| builder.configuration_file(file.path())).await;
    let path = "/version/v1/configuration/country/DE/app_config";
    assert_eq!(server.get(path).await.status, 404, "before the first run");
    server.publish_at(NOW).await;
    let reply = server.get(path).await;
    let archive = Archive::read(&reply.body).unwrap();
    let content = UnverifiedContent::parse(archive.export_bin(), archive.export_sig()).unwrap();
    let verified = content.verify(&server.trust()).unwrap();
    let decoded = cwa_export::configuration::ConfigurationV1::decode(verified.bytes()).unwrap();
    assert_eq!(decoded.min_risk_score, 11);
    assert_eq!(server.get("/version/v1/app_config_android").await.status, 404, "none was given");
}

#[test]
fn the_day_of_the_tests_is_the_one_they_name() {
    assert_eq!(NOW.day(), Day::from_calendar(2020, 7, 22).unwrap());
}
