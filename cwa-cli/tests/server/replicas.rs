//! Two servers on one PostgreSQL: either does for a phone, and one may die.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::cluster;
use crate::process::Process;
use crate::support::{HOUR, Reply, key, payload, read_reply, tele_tan_registration, token_request};

const PHONES: usize = 60;
const KEYS: u8 = 3;

/// A request that may find nobody, or be left without an answer.
async fn attempt(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Reply> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
    read_reply(&mut stream, false).await
}

/// The same request to one replica and then to the other, until one answers.
async fn insist(
    replicas: [SocketAddr; 2],
    first: usize,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    for turn in 0..40 {
        if let Some(reply) = attempt(replicas[(first + turn) % 2], path, headers, body).await
            && reply.status < 500
        {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{path}: no answer from either replica");
}

/// A teleTAN, a registration token, a TAN and an upload, each step at whichever replica.
async fn phone(number: usize, external: [SocketAddr; 2], tele_tan: String, keys: Vec<u8>) {
    let json = [("content-type", "application/json"), ("cwa-fake", "0")];
    let body = tele_tan_registration(&tele_tan);
    let reply = insist(external, number, "/version/v1/registrationToken", &json, body.as_bytes()).await;
    assert_eq!(reply.status, 201, "phone {number}: {}", reply.text());
    let body = token_request(&reply.member("registrationToken"));
    let reply = insist(external, number + 1, "/version/v1/tan", &json, body.as_bytes()).await;
    assert_eq!(reply.status, 201, "phone {number}: {}", reply.text());
    let tan = reply.member("tan");
    let upload =
        [("content-type", "application/x-protobuf"), ("cwa-fake", "0"), ("cwa-authorization", &*tan)];
    let reply = insist(external, number, "/version/v1/diagnosis-keys", &upload, &keys).await;
    assert_eq!(reply.status, 200, "phone {number}");
    // A phone whose answer was lost asks again, here the other one: the same answer, and nothing stored twice.
    let again = insist(external, number + 1, "/version/v1/diagnosis-keys", &upload, &keys).await;
    let told = "cwa-keys-truncated";
    assert_eq!((again.status, &again.body, again.header(told)), (200, &reply.body, reply.header(told)));
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_is_killed_and_no_upload_is_lost_or_stored_twice() {
    let Some(url) = cluster::empty_database() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (one_dir, other_dir) = (directory.path().join("one"), directory.path().join("other"));
    let published = directory.path().join("published");
    let on = ["--database", &url, "--publish", published.to_str().unwrap()];
    let mut one = Process::serve(&one_dir, &on);
    // A replica has the same secrets and configuration, and nothing else in common but the database.
    copy_tree(&one_dir, &other_dir);
    let other = Process::serve(&other_dir, &on);
    assert!(!one_dir.join("cwa.sqlite3").exists());

    let hotline = one.announcement["demo"]["tokens"]["hotline"].as_str().unwrap();
    let authorization = format!("Bearer {hotline}");
    let external = [one.address("external"), other.address("external")];
    let internal = [one.address("internal"), other.address("internal")];
    let mut tele_tans = Vec::new();
    for number in 0..PHONES {
        let headers = [("authorization", authorization.as_str())];
        let reply = insist(internal, number, "/version/v1/tan/teletan", &headers, b"").await;
        assert_eq!(reply.status, 201);
        tele_tans.push(reply.member("value"));
    }
    let now = cwa_cli::clock::ProtocolClock::system().now();
    let done = Arc::new(AtomicUsize::new(0));
    let under_way = Arc::new(Mutex::new(()));
    let mut phones = Vec::new();
    for (number, tele_tan) in tele_tans.into_iter().enumerate() {
        let keys = (0..KEYS).map(|index| {
            let mut key = key(0, u64::from(index) + 1, now);
            key.key_data[0] = u8::try_from(number).unwrap();
            key.key_data[1] = index;
            key
        });
        let (keys, done, under_way) = (payload(keys.collect()), Arc::clone(&done), Arc::clone(&under_way));
        phones.push(tokio::spawn(async move {
            if number % 8 == 7 {
                // Not all at once, so that there is something to interrupt.
                let _turn = under_way.lock().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            phone(number, external, tele_tan, keys).await;
            done.fetch_add(1, Ordering::SeqCst);
        }));
    }
    while done.load(Ordering::SeqCst) < PHONES / 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    one.child.kill().unwrap();
    let when_killed = done.load(Ordering::SeqCst);
    for phone in phones {
        phone.await.unwrap();
    }
    assert!(when_killed < PHONES, "it was killed when there was still something to do");
    let count = |table: &str| cluster::sql(&url, &format!("SELECT count(*) FROM {table}"));
    let all = PHONES * usize::from(KEYS);
    assert_eq!(count("diagnosis_key"), all.to_string());
    assert_eq!(count("tan"), "0");
    assert_eq!(count("receipt"), PHONES.to_string());
    assert_eq!(cluster::sql(&url, "SELECT sum(tans_used) FROM session"), PHONES.to_string());

    // Two publishers at once: one does the work, or what the other has left; no package is made by both.
    drop(other);
    let later = now.plus(2 * HOUR).as_secs().to_string();
    let runs: Vec<_> = [&one_dir, &other_dir]
        .into_iter()
        .map(|data| {
            Command::new(env!("CARGO_BIN_EXE_cwa"))
                .args(["publish", "--json", "--data-dir", data.to_str().unwrap(), "--now", &later])
                .args(["--database", &url])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut paths = Vec::new();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        if output.status.success() {
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let with_keys = document["published"].as_array().unwrap().iter();
            paths.extend(
                with_keys.filter(|entry| entry["key_count"] != 0).map(|entry| entry["path"].to_string()),
            );
        } else {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(text.contains("another process"), "{text}");
        }
    }
    assert!(!paths.is_empty());
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len(), "{paths:?}");
    let hours = "diagnosis_key WHERE package_hour IS NOT NULL";
    assert_eq!(count(hours), all.to_string());
}
