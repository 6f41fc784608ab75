use crate::support::{NOW, TestServer, raw, request};

const DATES: &str = "/version/v1/diagnosis-keys/country/DE/date";

#[tokio::test(flavor = "multi_thread")]
async fn files_have_the_headers_that_caches_need() {
    let server = TestServer::start().await;
    server.running.publish(NOW).await.unwrap();
    let external = server.running.external_addr();
    let reply = server.get(DATES).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "[]"));
    assert_eq!(reply.header("cache-control"), Some("public,max-age=300"));
    assert_eq!(reply.header("cwa-hash").unwrap().len(), 32);
    let etag = reply.header("etag").unwrap();
    assert_eq!(etag.len(), 66);

    let known = request(external, "GET", DATES, &[("if-none-match", etag)], b"").await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(etag)));
    assert_eq!(known.header("cache-control"), Some("public,max-age=300"));
    let other = request(external, "GET", DATES, &[("if-none-match", "\"other\"")], b"").await;
    assert_eq!(other.status, 200);

    let head = request(external, "HEAD", DATES, &[], b"").await;
    assert_eq!(
        (head.status, head.header("content-length"), head.header("etag")),
        (200, Some("2"), Some(etag))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_tree() {
    let server = TestServer::start().await;
    server.running.publish(NOW).await.unwrap();
    std::fs::write(server.path().join("www/secret"), "secret").unwrap();
    for path in [
        "/",
        "/index",
        "/secret",
        "/version",
        "/version/v1/../../secret",
        "/version/v1/diagnosis-keys/country/DE/../../../../../secret",
        "/version/v1/diagnosis-keys/country/../../../../cwa.sqlite3",
        "/version/v1/diagnosis-keys/country/%2e%2e/%2e%2e/%2e%2e/%2e%2e/cwa.sqlite3",
        "/version/v1/diagnosis-keys/country/..%2f..%2f..%2f..%2fcwa.sqlite3/date",
        "/version/v1/diagnosis-keys/country/DE/date/index",
        "/version/v1/diagnosis-keys/country/DE/date/",
        "/version/v1/diagnosis-keys/country//date",
        "//version/v1/diagnosis-keys/country",
        "/version/v1/diagnosis-keys/country/de/date",
        "/version/v1/diagnosis-keys/country/FR/date",
        "/version/v1/diagnosis-keys/country/DE/date/2020-7-21",
        "/version/v1/diagnosis-keys/country/DE/date/2020-02-30",
        "/version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/01",
        "/version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/24",
        "/version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/+1",
        "/version/v1/diagnosis-keys/country/DE\0/date",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let reply = raw(server.running.external_addr(), request.as_bytes(), false).await;
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.status);
        assert!(reply.body.is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_may_be_there_soon_and_is_not_cached() {
    let server = TestServer::start().await;
    server.running.publish(NOW).await.unwrap();
    let reply = server.get(&format!("{DATES}/2020-07-22/hour/14")).await;
    assert_eq!((reply.status, reply.header("cache-control")), (404, Some("no-cache")));
    let reply = request(server.running.external_addr(), "DELETE", DATES, &[], b"").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_another_process_publishes_are_seen_after_a_second() {
    let server = TestServer::start().await;
    server.running.publish(NOW).await.unwrap();
    assert_eq!(server.get(DATES).await.text(), "[]");
    std::fs::write(server.path().join(format!("www{DATES}/index")), "[1]").unwrap();
    tokio::time::sleep(core::time::Duration::from_millis(1100)).await;
    assert_eq!(server.get(DATES).await.text(), "[1]");
}
