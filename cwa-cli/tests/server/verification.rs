use core::time::Duration;
use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::support::{
    DAY, HOUR, NOW, TestServer, hash, policy, raw, registration, request, tele_tan_registration,
    token_request,
};

const REGISTRATION: &str = "/version/v1/registrationToken";
const RESULT: &str = "/version/v1/testresult";
const TAN: &str = "/version/v1/tan";
const UNKNOWN: &str = "11111111-2222-4444-8888-161616161616";

#[tokio::test(flavor = "multi_thread")]
async fn the_way_from_a_test_to_a_tan() {
    let server = TestServer::start().await;
    let registered = server.phone(REGISTRATION, false, &registration(&hash(1))).await;
    assert_eq!(registered.status, 201);
    let token = registered.member("registrationToken");

    let pending = server.phone(RESULT, false, &token_request(&token)).await;
    assert_eq!((pending.status, &pending.json()["testResult"]), (200, &serde_json::json!(0)));
    assert_eq!(server.phone(TAN, false, &token_request(&token)).await.status, 400, "not positive");

    server.report(&hash(1), 2).await;
    let positive = server.phone(RESULT, false, &token_request(&token)).await;
    let json = positive.json();
    assert_eq!(
        (positive.status, json["testResult"].as_u64(), json["labId"].as_str()),
        (200, Some(2), Some("lab-1"))
    );

    let first = server.phone(TAN, false, &token_request(&token)).await;
    let again = server.phone(TAN, false, &token_request(&token)).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.member("tan"), again.member("tan"), "asking again costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_from_a_tele_tan_to_a_tan() {
    let server = TestServer::start().await;
    let code = server.tele_tan().await;
    let registered = server.phone(REGISTRATION, false, &tele_tan_registration(&code)).await;
    assert_eq!(registered.status, 201);
    let token = registered.member("registrationToken");
    let result = server.phone(RESULT, false, &token_request(&token)).await;
    assert_eq!((result.status, result.json()["testResult"].as_u64()), (200, Some(2)));
    assert_eq!(server.phone(TAN, false, &token_request(&token)).await.status, 201);
    assert_eq!(server.count("tele_tan"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status() {
    let server = TestServer::start().await;
    server.positive_session(1).await;
    let code = server.tele_tan().await;
    let late = server.tele_tan().await;
    assert_eq!(server.phone(REGISTRATION, false, &tele_tan_registration(&code)).await.status, 201);
    let guid = |key: &str| format!(r#"{{"key":"{key}","keyType":"GUID"}}"#);
    for (what, path, body) in [
        ("registered before, another request", REGISTRATION, guid(&hash(1))),
        ("x-prefixed hash as key", REGISTRATION, guid(&format!("x{}", &hash(2)[1..]))),
        ("an empty key", REGISTRATION, guid("")),
        ("63 digits", REGISTRATION, guid(&hash(2)[1..])),
        ("a trailing line feed", REGISTRATION, guid(&format!("{}\\n", hash(2)))),
        ("another type of key", REGISTRATION, format!(r#"{{"key":"{}","keyType":"QR"}}"#, hash(2))),
        ("no type of key", REGISTRATION, format!(r#"{{"key":"{}"}}"#, hash(2))),
        ("no key", REGISTRATION, r#"{"keyType":"GUID"}"#.to_owned()),
        ("no JSON", REGISTRATION, "key=value".to_owned()),
        ("nothing", REGISTRATION, String::new()),
        (
            "a teleTAN that was never issued",
            REGISTRATION,
            r#"{"key":"9A3B578UMG","keyType":"TELETAN"}"#.to_owned(),
        ),
        ("a wrong check character", REGISTRATION, tele_tan_registration("9A3B578UMH")),
        ("a character of no teleTAN", REGISTRATION, tele_tan_registration("9A3B578UM0")),
        ("a redeemed teleTAN", REGISTRATION, format!(r#"{{"key":"{code}","keyType":"TELETAN"}}"#)),
        ("an unknown token", RESULT, token_request(UNKNOWN)),
        ("an upper case token", RESULT, token_request("63B4D3FF-E0DE-4BD4-90C1-17C2BB683A2F")),
        ("a version 1 token", RESULT, token_request("1ea6ce8a-9740-11ea-bb37-0242ac130002")),
        ("an unknown token", TAN, token_request(UNKNOWN)),
    ] {
        let reply = server.phone(path, false, &body).await;
        assert_eq!(reply.status, 400, "{what}: {body}");
        assert_eq!(reply.body.len(), 250, "{what}");
    }
    server.clock.advance(HOUR).unwrap();
    assert_eq!(server.phone(REGISTRATION, false, &tele_tan_registration(&late)).await.status, 400, "expired");

    let external = server.running.external_addr();
    let json = [("content-type", "application/json")];
    for path in [REGISTRATION, RESULT, TAN] {
        assert_eq!(request(external, "GET", path, &json, b"").await.status, 405);
        assert_eq!(request(external, "PUT", path, &json, b"{}").await.status, 405);
        assert_eq!(request(external, "POST", path, &[], b"{}").await.status, 415);
        assert_eq!(
            request(external, "POST", path, &[("content-type", "text/plain")], b"{}").await.status,
            415
        );
        assert_eq!(request(external, "POST", path, &json, &vec![b' '; 10_001]).await.status, 413);
        assert_eq!(request(external, "POST", path, &json, &vec![b' '; 1_000_000]).await.status, 413);
        let chunked = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
        assert_eq!(request(external, "POST", path, &chunked, b"2\r\n{}\r\n0\r\n\r\n").await.status, 413);
    }
    for path in
        ["/version/v1/tan/verify", "/version/v1/tan/teletan", "/api/v1/lab/results", "/portal", "/metrics"]
    {
        assert_eq!(
            request(external, "POST", path, &json, b"{}").await.status,
            404,
            "{path} is not for phones"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_of_birth_that_does_not_fit_is_403() {
    let server = TestServer::start().await;
    let of_birth = format!("x{}", &hash(7)[1..]);
    let body = format!(r#"{{"key":"{}","keyDob":"{of_birth}","keyType":"GUID"}}"#, hash(1));
    let token = server.phone(REGISTRATION, false, &body).await.member("registrationToken");
    server.report(&hash(1), 2).await;
    let reply = server.phone(RESULT, false, &token_request(&token)).await;
    assert_eq!((reply.status, reply.body.len()), (403, 250));
    server.report(&of_birth, 2).await;
    assert_eq!(server.phone(RESULT, false, &token_request(&token)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_gets_the_same_token_for_ten_minutes() {
    let server = TestServer::start().await;
    let body = registration(&hash(1));
    let first = server.phone(REGISTRATION, false, &body).await.member("registrationToken");
    server.clock.advance(599).unwrap();
    assert_eq!(server.phone(REGISTRATION, false, &body).await.member("registrationToken"), first);
    let other = body.replace("pppp\"", "pppq\"");
    assert_eq!(server.phone(REGISTRATION, false, &other).await.status, 400, "not byte by byte the same");
    server.clock.advance(1).unwrap();
    assert_eq!(server.phone(REGISTRATION, false, &body).await.status, 400, "too late");

    let unpadded = format!(r#"{{"key":"{}","keyType":"GUID"}}"#, hash(2));
    assert_eq!(server.phone(REGISTRATION, false, &unpadded).await.status, 201);
    assert_eq!(
        server.phone(REGISTRATION, false, &unpadded).await.status,
        400,
        "without padding there is no repetition"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tans_and_no_third() {
    let server = TestServer::start().await;
    let token = server.positive_session(1).await;
    for _ in 0..2 {
        let tan = server.tan(&token).await;
        let body = format!(r#"{{"tan":"{tan}"}}"#);
        assert_eq!(server.internal("/version/v1/tan/verify", Some(&server.server), &body).await.status, 200);
    }
    assert_eq!(server.phone(TAN, false, &token_request(&token)).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_cannot_tell_success_from_refusal_from_dummy() {
    let server = TestServer::start().await;
    let pending =
        server.phone(REGISTRATION, false, &registration(&hash(5))).await.member("registrationToken");
    let positive = server.positive_session(1).await;
    let code = server.tele_tan().await;
    let mut shapes = BTreeSet::new();
    let mut statuses = BTreeSet::new();
    let shape = |reply: crate::support::Reply| {
        let (wire, body, headers) = reply.shape();
        ((wire, body, headers.join(" ")), reply.status)
    };
    for (path, fake, body) in [
        (REGISTRATION, false, registration(&hash(9))),
        (REGISTRATION, false, registration(&hash(1))),
        (REGISTRATION, false, tele_tan_registration(&code)),
        (REGISTRATION, false, tele_tan_registration("9A3B578UMG")),
        (REGISTRATION, false, tele_tan_registration("9A3B578UMH")),
        (REGISTRATION, true, registration(&hash(10))),
        (REGISTRATION, false, "{".to_owned()),
        (REGISTRATION, false, " ".repeat(10_001)),
        (RESULT, false, token_request(&pending)),
        (RESULT, false, token_request(&positive)),
        (RESULT, false, token_request(UNKNOWN)),
        (RESULT, true, token_request(UNKNOWN)),
        (TAN, false, token_request(&pending)),
        (TAN, false, token_request(&positive)),
        (TAN, true, token_request(UNKNOWN)),
    ] {
        let (shape, status) = shape(server.phone(path, fake, &body).await);
        shapes.insert(shape);
        statuses.insert(status);
    }
    let external = server.running.external_addr();
    for (method, headers) in
        [("GET", ("content-type", "application/json")), ("POST", ("content-type", "text/plain"))]
    {
        let (shape, status) = shape(request(external, method, TAN, &[headers], b"").await);
        shapes.insert(shape);
        statuses.insert(status);
    }
    assert_eq!(shapes.len(), 1, "{shapes:#?}");
    assert_eq!(statuses, [200, 201, 400, 405, 413, 415].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dummy_request_changes_nothing() {
    let server = TestServer::start().await;
    assert_eq!(server.phone(REGISTRATION, true, &registration(&hash(1))).await.status, 201);
    assert_eq!(server.phone(RESULT, true, &token_request(UNKNOWN)).await.status, 200);
    assert_eq!(server.phone(TAN, true, &token_request(UNKNOWN)).await.status, 201);
    for table in ["session", "used_test_id", "tan", "test_result"] {
        assert_eq!(server.count(table), 0, "{table}");
    }
    assert_eq!(server.phone(REGISTRATION, false, &registration(&hash(1))).await.status, 201);
    assert!(server.metrics().await.contains("cwa_fake_requests_total 3\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_leaves_at_its_deadline_and_late_ones_are_counted() {
    let mut slow = policy();
    slow.answer_deadline = Duration::from_millis(300);
    let server = TestServer::start_with(slow, |builder| builder).await;
    for (fake, body) in
        [(false, registration(&hash(1))), (true, registration(&hash(1))), (false, "{".to_owned())]
    {
        let begin = Instant::now();
        server.phone(REGISTRATION, fake, &body).await;
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(300), "{took:?}");
    }
    assert!(server.metrics().await.contains("cwa_deadline_overflows_total "));

    let mut hurried = policy();
    hurried.answer_deadline = Duration::from_micros(1);
    let server = TestServer::start_with(hurried, |builder| builder).await;
    assert_eq!(server.phone(REGISTRATION, false, &registration(&hash(1))).await.status, 201);
    assert!(server.metrics().await.contains("cwa_deadline_overflows_total 1\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_forgotten_and_a_test_is_not_registered_twice_while_its_result_lives() {
    let server = TestServer::start().await;
    server.positive_session(1).await;
    server.tele_tan().await;
    server.clock.advance(20 * DAY).unwrap();
    // Polled on day 20 for the first time: this result lives until day 41.
    let late = server.positive_session(2).await;
    server.clock.set(NOW.plus(21 * DAY)).unwrap();
    server.running.purge(server.now()).await.unwrap();
    assert_eq!(server.count("tele_tan"), 0);
    assert_eq!(server.count("session"), 1);
    assert_eq!(server.phone(RESULT, false, &token_request(&late)).await.status, 200);
    let again = server.phone(REGISTRATION, false, &registration(&hash(2)).replace("ppp\"", "ppq\"")).await;
    assert_eq!(again.status, 400);
    server.clock.advance(100 * DAY).unwrap();
    server.running.purge(server.now()).await.unwrap();
    for table in ["session", "used_test_id", "tan", "receipt", "submission", "test_result"] {
        assert_eq!(server.count(table), 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_on_one_connection_are_answered_in_order() {
    let server = TestServer::start().await;
    let body = token_request(UNKNOWN);
    let one = format!(
        "POST {TAN} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncwa-fake: 1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(server.running.external_addr()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, one.as_bytes()).await.unwrap();
    assert_eq!(crate::support::read_reply(&mut stream, false).await.unwrap().status, 201);
    tokio::io::AsyncWriteExt::write_all(&mut stream, one.as_bytes()).await.unwrap();
    assert_eq!(crate::support::read_reply(&mut stream, false).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_gets_no_more_than_a_400() {
    let server = TestServer::start().await;
    let reply = raw(server.running.external_addr(), b"\x16\x03\x01 hello\r\n\r\n", false).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_database_is_a_500_that_looks_like_every_other_answer() {
    let server = TestServer::start().await;
    let usual = server.phone(REGISTRATION, false, &registration(&hash(1))).await;
    server.execute("DROP TABLE session");
    let broken = server.phone(REGISTRATION, false, &registration(&hash(2))).await;
    assert_eq!((broken.status, broken.shape()), (500, usual.shape()));
    assert!(server.metrics().await.contains("cwa_errors_total{kind=\"internal\"} 1\n"));
}
