use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io::Write;

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::support::{HOUR, NOW, TestServer, hash, key, payload, registration, token_request};

/// Where everything that the server logs at the finest level goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The one test that installs a log for the process; what other tests log meanwhile is looked through as well.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_client_is_in_logs_files_or_metrics() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let server = TestServer::start().await;
    let guid = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
    let token = server
        .phone("/version/v1/registrationToken", false, &registration(guid))
        .await
        .member("registrationToken");
    server.report(guid, 2).await;
    server.phone("/version/v1/testresult", false, &token_request(&token)).await;
    let tan = server.tan(&token).await;
    let (published, waiting) = (key(0xa7, 1, NOW), key(0xb9, 0, NOW));
    assert_eq!(server.submit(&tan, &payload(vec![published, waiting])).await.status, 200);
    assert_eq!(server.submit(&tan, &payload(vec![key(0xc3, 1, NOW)])).await.status, 403);
    let code = server.tele_tan().await;
    server
        .phone("/version/v1/registrationToken", false, &format!(r#"{{"key":"{code}","keyType":"TELETAN"}}"#))
        .await;
    // Mistakes are where servers like to quote.
    server
        .phone("/version/v1/registrationToken", false, &format!(r#"{{"key":"{guid}-","keyType":"GUID"}}"#))
        .await;
    server.phone("/version/v1/tan", false, &token_request(&format!("{token}x"))).await;
    server.internal("/version/v1/tan/verify", Some(&server.server), &format!(r#"{{"tan":"{tan}"}}"#)).await;
    server.internal("/version/v1/tan/verify", Some(&server.lab), &format!(r#"{{"tan":"{tan}"}}"#)).await;

    // A client at an address of its own, with everything that names one.
    let address = Ipv4Addr::new(127, 9, 87, 65);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(address), 0)).unwrap();
    let mut stream = socket.connect(server.running.external_addr()).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    let request = "POST /version/v1/tan?client=query-canary HTTP/1.1\r\nhost: host-canary\r\nuser-agent: agent-canary\r\n\
         forwarded: for=198.51.100.77\r\nx-forwarded-for: 198.51.100.77\r\ncookie: cookie-canary=1\r\n\
         content-type: application/json\r\ncontent-length: 11\r\n\r\nbody-canary";
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = crate::support::read_reply(&mut stream, false).await.unwrap();
    assert_eq!(reply.status, 400);

    server.running.publish(NOW.plus(HOUR)).await.unwrap();
    server.running.purge(NOW.plus(HOUR)).await.unwrap();
    let metrics = server.metrics().await;
    let lab = server.lab.expose().to_owned();
    let password = server.password.expose().to_owned();
    let TestServer { directory, running, .. } = server;
    running.shutdown().await;

    let texts = [
        guid,
        token.as_str(),
        tan.as_str(),
        code.as_str(),
        lab.as_str(),
        password.as_str(),
        "127.9.87.65",
        "198.51.100.77",
        "query-canary",
        "host-canary",
        "agent-canary",
        "cookie-canary",
        "body-canary",
    ];
    let mut needles: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    for text in [guid, token.as_str(), tan.as_str(), code.as_str()] {
        use sha2::Digest as _;
        // Plain hashes, as the German server keeps them, and the bytes that hexadecimal digits and UUIDs stand for.
        let sha = sha2::Sha256::digest(text);
        needles.push(sha.to_vec());
        needles.push(hex::encode(sha).into_bytes());
        needles.extend(hex::decode(text.replace('-', "")));
        needles.push(text.to_uppercase().into_bytes());
    }
    let mut haystacks = vec![("metrics".to_owned(), metrics.into_bytes())];
    haystacks.push(("log".to_owned(), log.0.lock().unwrap().clone()));
    collect(directory.path(), &mut haystacks);
    assert!(haystacks.iter().any(|(name, content)| name.ends_with("cwa.sqlite3") && content.len() > 4096));
    assert!(haystacks.iter().any(|(name, content)| name == "log" && !content.is_empty()), "the log works");
    for (name, content) in &haystacks {
        for needle in &needles {
            assert!(!contains(content, needle), "{name} contains {:?}", String::from_utf8_lossy(needle));
        }
        let named_port = format!(":{port}");
        assert!(
            name != "log" || !contains(content, named_port.as_bytes()),
            "the client's port is in the log"
        );
    }

    // Keys are in their table, and the published one in its packages, and nowhere else.
    for (key, places) in [
        (published, ["cwa.sqlite3", "index"].as_slice()),
        (waiting, &["cwa.sqlite3"]),
        (key(0xc3, 1, NOW), &[]),
    ] {
        for (name, content) in &haystacks {
            let allowed = places.iter().any(|place| name.ends_with(place));
            assert!(allowed || !contains(content, &key.key_data), "a key is in {name}");
            assert!(
                !contains(content, hex::encode(key.key_data).as_bytes()),
                "a key is in {name}, in hexadecimal"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_tan_leaves_no_row_and_a_purged_session_no_bytes() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    server.submit(&tan, &payload(vec![key(1, 1, NOW)])).await;
    assert_eq!(server.count("tan"), 0);
    let row: Vec<u8> = rusqlite::Connection::open(server.path().join("cwa.sqlite3"))
        .unwrap()
        .query_row("SELECT token FROM session", [], |row| row.get(0))
        .unwrap();
    server.running.purge(NOW.plus(100 * 24 * HOUR)).await.unwrap();
    let TestServer { directory, running, .. } = server;
    running.shutdown().await;
    let mut files = Vec::new();
    collect(directory.path(), &mut files);
    for (name, content) in files {
        assert!(!contains(&content, &row), "{name} still holds what was deleted");
    }
    assert_eq!(hash(1).len(), 64);
}

fn collect(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
