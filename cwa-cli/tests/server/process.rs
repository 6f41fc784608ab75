//! The server as a process: what it prints, how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::request;

fn cwa(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwa")).args(arguments).output().unwrap()
}

/// A server process, ended when dropped.
pub struct Process {
    pub child: Child,
    pub announcement: Value,
}

impl Process {
    pub fn serve(data_dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cwa"))
            .args(["serve", "--json", "--demo", "--data-dir", data_dir.to_str().unwrap()])
            .args(["--external", "127.0.0.1:0", "--internal", "127.0.0.1:0"])
            .args(["--portal", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        while !text.ends_with("\n}\n") {
            assert_ne!(lines.read_line(&mut text).unwrap(), 0, "the server ended: {text}");
        }
        let announcement = serde_json::from_str(&text).unwrap();
        Self { child, announcement }
    }

    pub fn address(&self, listener: &str) -> core::net::SocketAddr {
        let url = self.announcement[listener].as_str().unwrap().strip_prefix("http://").unwrap();
        url.split('/').next().unwrap().parse().unwrap()
    }

    /// Asks it to end, and gives its exit code.
    fn terminate(mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the first run of the publisher.
async fn becomes_available(address: core::net::SocketAddr, path: &str) {
    for _ in 0..400 {
        if request(address, "GET", path, &[], b"").await.status == 200 {
            return;
        }
        tokio::time::sleep(core::time::Duration::from_millis(50)).await;
    }
    panic!("{path} was not published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_shows_its_credentials_once_serves_and_ends_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Process::serve(&data, &[]);
    assert_eq!(server.announcement["schema"], "cwa.serve/1");
    let token = server.announcement["demo"]["tokens"]["hotline"].as_str().unwrap().to_owned();
    let authorization = format!("Bearer {token}");
    let issue = |address| {
        let authorization = authorization.clone();
        async move {
            let headers = [("authorization", authorization.as_str())];
            request(address, "POST", "/version/v1/tan/teletan", &headers, b"").await.status
        }
    };
    assert_eq!(issue(server.address("internal")).await, 201);
    assert_eq!(request(server.address("admin"), "GET", "/readyz", &[], b"").await.status, 200);
    let configuration = "/version/v1/configuration/country/DE/app_config";
    becomes_available(server.address("external"), configuration).await;
    assert_eq!(server.terminate(), Some(0));

    let again = Process::serve(&data, &[]);
    assert!(again.announcement.get("demo").is_none());
    assert_eq!(issue(again.address("internal")).await, 201, "the credentials are still good");
    assert_eq!(again.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_a_clock_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::serve(
        directory.path(),
        &["--role", "distribution,publisher", "--now", "2020-07-22T14:00:00Z"],
    );
    let external = server.address("external");
    let tan =
        request(external, "POST", "/version/v1/tan", &[("content-type", "application/json")], b"{}").await;
    assert_eq!(tan.status, 404, "not this process's role");
    let day = "/version/v1/diagnosis-keys/country/DE/date/2020-07-21";
    becomes_available(external, day).await;
    assert_eq!(request(server.address("portal"), "GET", "/portal", &[], b"").await.status, 404);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn publish_closes_hours_in_order_and_refuses_to_go_back() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    assert_eq!(cwa(&["publish", "--data-dir", data]).status.code(), Some(3), "no signing key");
    assert_eq!(cwa(&["publish", "--data-dir", "/nowhere/at/all"]).status.code(), Some(3));
    let mut demo = Process::serve(directory.path(), &["--role", "distribution"]);
    demo.child.kill().unwrap();

    let publish = |now: &str| cwa(&["publish", "--json", "--data-dir", data, "--now", now]);
    let first = publish("2020-07-22T14:00:00Z");
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let document: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(document["schema"], "cwa.publish/1");
    let paths: Vec<_> =
        document["published"].as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert!(paths.contains(&&Value::from("version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/13")));
    let next: Value = serde_json::from_slice(&publish("2020-07-22T15:00:00Z").stdout).unwrap();
    assert_eq!(
        next["published"],
        serde_json::json!([
            { "path": "version/v1/diagnosis-keys/country/DE/date/2020-07-22/hour/14", "key_count": 0 }
        ])
    );
    let back = publish("2020-07-22T14:59:59Z");
    assert_eq!(back.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&back.stderr).contains("CWA-E0608"));
}

#[test]
fn a_configuration_is_checked_without_serving() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    drop(Process::serve(directory.path(), &["--role", "distribution"]));
    let check = |more: &[&str]| {
        let mut arguments = vec!["serve", "--check-config", "--data-dir", data];
        arguments.extend(more);
        let output = cwa(&arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&[]).0, Some(0));

    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let yaml = include_str!("../../src/server/configuration.yaml");
    let (code, text) = check(&["--configuration", &file("gap.yaml", &yaml.replace("min: 15", "min: 20"))]);
    assert_eq!(code, Some(3));
    assert!(text.contains("between 15 and 20"), "{text}");
    let (code, text) = check(&["--config", &file("wrong.toml", "[publication]\nthresold = 1\n")]);
    assert_eq!(code, Some(3));
    assert!(text.contains("thresold"), "{text}");
    for refused in [
        ["--database", "mysql://localhost/cwa"],
        ["--publish", "s3://bucket"],
        ["--seed", "1"],
        ["--role", "all"],
    ] {
        assert_eq!(check(&refused).0, Some(2), "{refused:?}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cwa"))
        .args(["serve", "--demo", "--data-dir", directory.path().to_str().unwrap(), "--external", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(74));
    assert!(text.contains("CWA-E0606") && text.contains(&address), "{text}");
    // Its credentials were never shown, so they are not kept; the next start makes and shows new ones.
    assert!(!directory.path().join("cwa.toml").exists());
    assert!(!directory.path().join("secrets/signing-key.pem").exists());
}
