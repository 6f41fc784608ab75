use crate::support::{NOW, TestServer, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_alive_and_ready_and_counts() {
    let server = TestServer::start().await;
    let admin = server.running.admin_addr();
    let alive = request(admin, "GET", "/livez", &[], b"").await;
    assert_eq!((alive.status, alive.text().as_str()), (200, "alive\n"));
    let ready = request(admin, "GET", "/readyz", &[], b"").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json(), serde_json::json!({ "ready": true, "database": true, "signer": true }));

    server.running.publish(NOW).await.unwrap();
    server.clock.advance(60).unwrap();
    let ready = request(admin, "GET", "/readyz", &[], b"").await;
    assert_eq!(ready.json()["last_publish_age_seconds"], 60);
    let metrics = request(admin, "GET", "/metrics", &[], b"").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let line = format!("cwa_last_publish_timestamp_seconds {}\n", NOW.as_secs());
    assert!(metrics.text().contains(&line), "{}", metrics.text());
    server.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_knows_nothing_else() {
    let server = TestServer::start().await;
    let admin = server.running.admin_addr();
    assert_eq!(request(admin, "GET", "/", &[], b"").await.status, 404);
    assert_eq!(request(admin, "GET", "/portal", &[], b"").await.status, 404);
    assert_eq!(request(admin, "POST", "/version/v1/tan", &[], b"").await.status, 404);
    assert_eq!(request(admin, "POST", "/metrics", &[], b"").await.status, 405);
    assert_eq!(request(admin, "HEAD", "/metrics", &[], b"").await.status, 200);
    for address in
        [server.running.external_addr(), server.running.internal_addr(), server.running.portal_addr()]
    {
        assert_ne!(request(address, "GET", "/metrics", &[], b"").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_shutdown_nobody_listens_and_the_log_is_in_the_database() {
    let server = TestServer::start().await;
    server.positive_session(1).await;
    let address = server.running.external_addr();
    server.running.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let log = server.directory.path().join("cwa.sqlite3-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0);
}
