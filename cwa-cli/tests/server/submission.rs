use std::collections::BTreeSet;

use cwa_crypto::{ENIntervalNumber, RollingPeriod};
use cwa_export::submission::Submission;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{NOW, Reply, TestServer, key, payload, request, rng, submit};

const PATH: &str = "/version/v1/diagnosis-keys";

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_stored_once_however_often_they_are_sent() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let keys = vec![key(1, 1, NOW), key(2, 2, NOW)];
    let first = server.submit(&tan, &payload(keys.clone())).await;
    assert_eq!((first.status, first.header("cwa-keys-truncated"), first.body.len()), (200, Some("00"), 64));
    assert_eq!(server.count("diagnosis_key"), 2);
    // Padded anew, it is the same upload.
    let again = server.submit(&tan, &payload(keys)).await;
    assert_eq!((again.status, again.shape()), (200, first.shape()));
    assert_eq!(server.count("diagnosis_key"), 2);
    assert_eq!(server.submit(&tan, &payload(vec![key(3, 1, NOW)])).await.status, 403, "other keys");
    assert_eq!(server.count("diagnosis_key"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_keys_are_counted_and_the_count_is_repeated() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let mut tomorrow = key(3, 0, NOW);
    tomorrow.rolling_start_interval_number = ENIntervalNumber::at(NOW.day().next().start());
    let keys = vec![key(1, 1, NOW), key(2, 16, NOW), tomorrow];
    for _ in 0..2 {
        let reply = server.submit(&tan, &payload(keys.clone())).await;
        assert_eq!((reply.status, reply.header("cwa-keys-truncated")), (200, Some("02")));
    }
    assert_eq!(server.count("diagnosis_key"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_payload_leaves_the_tan_its_worth() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let with = |change: fn(&mut cwa_crypto::DiagnosisKey)| {
        let mut key = key(1, 1, NOW);
        change(&mut key);
        payload(vec![key])
    };
    let mut short = payload(vec![key(1, 1, NOW)]);
    // The key's length, 16, becomes 15: what follows is no message.
    let at = short.windows(2).position(|bytes| bytes == [0x0a, 0x10]).unwrap();
    short[at + 1] = 15;
    // `rolling_period` (field 4) 144 becomes 0 and 145.
    let period = |value: u8| {
        let mut bytes = payload(vec![key(1, 1, NOW)]);
        let at = bytes.windows(3).position(|bytes| bytes == [0x20, 0x90, 0x01]).unwrap();
        bytes[at + 1] = 0x80 | (value & 0x7f);
        bytes[at + 2] = value >> 7;
        bytes
    };
    let mut contradicting = key(1, 1, NOW);
    contradicting.rolling_period = RollingPeriod::try_from(7).unwrap();
    for (what, body) in [
        ("15 keys", payload((0..15).map(|id| key(id, 1, NOW)).collect())),
        ("no keys", payload(Vec::new())),
        ("a dummy's body", Submission::fake(1024, &mut rng()).unwrap()),
        ("nothing at all", Vec::new()),
        ("truncated", payload(vec![key(1, 1, NOW)])[..500].to_vec()),
        ("a short key", short),
        ("rolling period 0", period(0)),
        ("rolling period 145", period(145)),
        (
            "not at midnight",
            with(|key| {
                key.rolling_start_interval_number = key.rolling_start_interval_number.checked_add(1).unwrap();
            }),
        ),
        ("neither level nor days", with(|key| key.transmission_risk_level = None)),
        ("only old keys", payload(vec![key(1, 16, NOW), key(2, 30, NOW)])),
        ("one key twice, saying different things", payload(vec![key(1, 1, NOW), contradicting])),
    ] {
        let reply = server.submit(&tan, &body).await;
        assert_eq!(
            (reply.status, reply.body.len(), reply.header("cwa-keys-truncated")),
            (400, 64, Some("00")),
            "{what}"
        );
    }
    assert_eq!(server.count("diagnosis_key"), 0);
    assert_eq!(server.submit(&tan, &payload(vec![key(1, 1, NOW)])).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status() {
    let server = TestServer::start().await;
    let external = server.running.external_addr();
    let body = payload(vec![key(1, 1, NOW)]);
    let unknown = "1819d933-45f6-4e3c-80c7-eeffd2d44ee6";
    let post = |headers: Vec<(&'static str, &'static str)>, body: Vec<u8>| async move {
        request(external, "POST", PATH, &headers, &body).await.status
    };
    let (protobuf, real) = (("content-type", "application/x-protobuf"), ("cwa-fake", "0"));
    let authorized = ("cwa-authorization", unknown);
    assert_eq!(post(vec![protobuf, real, authorized], body.clone()).await, 403, "unknown");
    assert_eq!(
        post(vec![protobuf, real, ("cwa-authorization", "1-1-1-1-1")], body.clone()).await,
        403,
        "no UUID"
    );
    assert_eq!(post(vec![protobuf, real, ("cwa-authorization", "")], body.clone()).await, 403, "empty");
    assert_eq!(post(vec![protobuf, real], body.clone()).await, 400, "no TAN");
    assert_eq!(post(vec![protobuf, authorized], body.clone()).await, 400, "no cwa-fake");
    assert_eq!(post(vec![protobuf, ("cwa-fake", "no"), authorized], body.clone()).await, 400);
    assert_eq!(post(vec![real, authorized], body.clone()).await, 415);
    assert_eq!(post(vec![("content-type", "application/json"), real, authorized], body.clone()).await, 415);
    assert_eq!(post(vec![protobuf, real, authorized], vec![0; 102_401]).await, 413);
    assert_eq!(post(vec![protobuf, real, authorized], vec![0; 900_000]).await, 413);
    assert_eq!(request(external, "PUT", PATH, &[protobuf, real, authorized], &body).await.status, 405);
    let late = server.fresh_tan(1).await;
    server.clock.advance(3600).unwrap();
    assert_eq!(server.submit(&late, &payload(vec![key(1, 1, NOW)])).await.status, 403, "expired");
    assert_eq!(server.count("diagnosis_key"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_cannot_tell_an_upload_from_a_refusal_from_a_dummy() {
    let server = TestServer::start().await;
    let external = server.running.external_addr();
    let tan = server.fresh_tan(1).await;
    let mut shapes = BTreeSet::new();
    let mut add = |reply: Reply| {
        let (wire, body, headers) = reply.shape();
        shapes.insert((wire, body, headers.join(" ")));
        reply.status
    };
    assert_eq!(add(server.submit(&tan, &payload(vec![key(1, 1, NOW), key(2, 16, NOW)])).await), 200);
    assert_eq!(add(server.submit(&tan, &payload(vec![key(9, 1, NOW)])).await), 403);
    assert_eq!(add(server.submit(&tan, b"").await), 400);
    let dummy = Submission::fake(Submission::PADDED_SIZE, &mut rng()).unwrap();
    let protobuf = ("content-type", "application/x-protobuf");
    let fake = |value| [protobuf, ("cwa-fake", value), ("cwa-authorization", "")];
    assert_eq!(add(request(external, "POST", PATH, &fake("1"), &dummy).await), 200);
    assert_eq!(add(request(external, "POST", PATH, &fake("2"), &dummy).await), 200);
    assert_eq!(add(request(external, "POST", PATH, &[protobuf], &dummy).await), 400);
    assert_eq!(add(request(external, "POST", PATH, &[], &dummy).await), 415);
    assert_eq!(add(request(external, "POST", PATH, &fake("0"), &vec![0; 102_401]).await), 413);
    assert_eq!(add(request(external, "PUT", PATH, &fake("0"), &dummy).await), 405);
    assert_eq!(shapes.len(), 1, "{shapes:#?}");
    assert_eq!(server.count("diagnosis_key"), 1, "of the real upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tan_permits_no_key() {
    let server = TestServer::start().await;
    let authorization = format!("Bearer {}", server.event_hotline.expose());
    let headers = [("authorization", authorization.as_str()), ("x-cwa-teletan-type", "EVENT")];
    let code =
        request(server.running.internal_addr(), "POST", "/version/v1/tan/teletan", &headers, b"").await;
    let body = crate::support::tele_tan_registration(&code.member("value"));
    let token = server.phone("/version/v1/registrationToken", false, &body).await.member("registrationToken");
    let tan = server.tan(&token).await;
    assert_eq!(server.submit(&tan, &payload(vec![key(1, 1, NOW)])).await.status, 403);
    // It has kept its worth for what it is good for.
    let body = format!(r#"{{"tan":"{tan}"}}"#);
    assert_eq!(server.internal("/version/v1/tan/verify", Some(&server.server), &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_uploads_with_one_tan_one_is_stored() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let address = server.running.external_addr();
    let racers: Vec<_> = (0..200_u8)
        .map(|id| {
            let tan = tan.clone();
            tokio::spawn(async move { submit(address, &tan, &payload(vec![key(id, 1, NOW)])).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for racer in racers {
        statuses.push(racer.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 403].contains(status)), "{statuses:?}");
    assert_eq!(server.count("diagnosis_key"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_goes_away_before_the_answer_repeats_its_upload_and_succeeds_once() {
    let mut slow = crate::support::policy();
    slow.answer_deadline = core::time::Duration::from_millis(300);
    let server = TestServer::start_with(slow, |builder| builder).await;
    let tan = server.fresh_tan(1).await;
    let body = payload(vec![key(1, 1, NOW), key(2, 2, NOW)]);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncwa-fake: 0\r\n\
         cwa-authorization: {tan}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.running.external_addr()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    drop(stream);
    // The server finishes what it has begun.
    for _ in 0..100 {
        if server.count("receipt") == 1 {
            break;
        }
        tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    }
    assert_eq!((server.count("receipt"), server.count("diagnosis_key")), (1, 2));
    let repeated = server.submit(&tan, &body).await;
    assert_eq!((repeated.status, server.count("diagnosis_key")), (200, 2));

    // One that goes away in the middle of its body has sent nothing.
    let tan = server.fresh_tan(2).await;
    let mut stream = TcpStream::connect(server.running.external_addr()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..100]).await.unwrap();
    drop(stream);
    assert_eq!(server.submit(&tan, &payload(vec![key(3, 1, NOW)])).await.status, 200);
    assert_eq!(server.count("diagnosis_key"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_stored_already_stays_as_it_is() {
    let server = TestServer::start().await;
    let (one, other) = (server.fresh_tan(1).await, server.fresh_tan(2).await);
    assert_eq!(server.submit(&one, &payload(vec![key(1, 1, NOW)])).await.status, 200);
    let mut changed = key(1, 1, NOW);
    changed.rolling_period = RollingPeriod::try_from(10).unwrap();
    assert_eq!(server.submit(&other, &payload(vec![changed, key(2, 1, NOW)])).await.status, 200);
    assert_eq!(server.count("diagnosis_key"), 2);
    assert_eq!(server.count("diagnosis_key WHERE rolling_period = 144"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_stored_by_the_hour_and_without_a_tan() {
    let server = TestServer::start().await;
    server.clock.advance(1234).unwrap();
    let tan = server.fresh_tan(1).await;
    assert_eq!(server.submit(&tan, &payload(vec![key(1, 1, NOW)])).await.status, 200);
    assert_eq!(server.count(&format!("diagnosis_key WHERE earliest_hour = {}", NOW.as_secs() / 3600)), 1);
    assert_eq!((server.count("tan"), server.count("receipt"), server.count("submission")), (0, 1, 1));
}
