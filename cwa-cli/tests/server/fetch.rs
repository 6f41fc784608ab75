//! `cwa fetch`, against the reference server and against a small server of files on loopback.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use cwa_crypto::UnixTime;
use cwa_export::p256::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::Value;

use crate::support::{DAY, HOUR, NOW, TestServer, key, payload};

const COUNTRY: &str = "version/v1/diagnosis-keys/country";

/// Runs `cwa fetch`; the exit code and the document.
fn fetch(server: SocketAddr, base: &str, mirror: &Path, more: &[&str]) -> (i32, Value) {
    let url = format!("http://{server}{base}");
    let output = Command::new(env!("CARGO_BIN_EXE_cwa"))
        .args(["fetch", "--json", "--server", &url, "--mirror", mirror.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap();
    let printed = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let document = serde_json::from_slice(printed)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// What became of each file that is not unchanged.
fn outcomes(document: &Value) -> Vec<(String, String)> {
    let files = document["files"].as_array().unwrap_or_else(|| panic!("{document}"));
    let text = |file: &Value, name: &str| file[name].as_str().unwrap().to_owned();
    let files = files.iter().filter(|file| file["outcome"] != "unchanged");
    files.map(|file| (text(file, "path"), text(file, "outcome"))).collect()
}

impl TestServer {
    /// Publishes two keys in the hour of `NOW`, two in a later one, and the first day. The moment after.
    async fn with_a_day_and_an_hour(&self) -> UnixTime {
        for (id, at) in [(1_u8, NOW), (3, NOW.plus(DAY))] {
            self.clock.set(at).unwrap();
            let tan = self.fresh_tan(id.into()).await;
            let keys = payload(vec![key(id, 1, at), key(id + 1, 2, at)]);
            assert_eq!(self.submit(&tan, &keys).await.status, 200);
            let hour = at.plus(HOUR);
            self.clock.set(hour).unwrap();
            self.running.publish(hour).await.unwrap();
        }
        self.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_holds_what_the_server_serves_and_a_second_run_transfers_nothing() {
    let server = TestServer::start().await;
    let now = server.with_a_day_and_an_hour().await.as_secs().to_string();
    let external = server.running.external_addr();
    let directory = tempfile::tempdir().unwrap();
    let mirror = directory.path().join("mirror");
    let pem = directory.path().join("key.pem");
    std::fs::write(&pem, server.public_key.to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
    let verify = ["--verify", "--public-key", pem.to_str().unwrap(), "--now", &now, "--seed", "1"];

    let (exit, document) = fetch(external, "", &mirror, &verify);
    assert_eq!(exit, 0, "{document}");
    assert_eq!(document["schema"], "cwa.fetch/1");
    assert_eq!(document["connections"], 1, "one connection carries all requests");
    let new = |path: &str| (path.to_owned(), "new".to_owned());
    assert_eq!(
        outcomes(&document),
        [
            new(&format!("{COUNTRY}/DE/date/2020-07-22")),
            new(&format!("{COUNTRY}/DE/date/2020-07-22/hour/14")),
            new(&format!("{COUNTRY}/DE/date/2020-07-23/hour/14")),
            new("version/v1/manifest"),
        ]
    );
    for path in [
        COUNTRY.to_owned(),
        format!("{COUNTRY}/DE/date"),
        format!("{COUNTRY}/DE/date/2020-07-22"),
        format!("{COUNTRY}/DE/date/2020-07-23/hour"),
        format!("{COUNTRY}/DE/date/2020-07-23/hour/14"),
        "version/v1/manifest".to_owned(),
    ] {
        let published = server.path().join("www").join(&path).join("index");
        let mirrored = mirror.join(&path).join("index");
        assert_eq!(std::fs::read(mirrored).unwrap(), std::fs::read(published).unwrap(), "{path}");
    }

    let (exit, document) = fetch(external, "", &mirror, &verify);
    assert_eq!(exit, 0);
    assert_eq!((&document["transferred"], &document["bytes"]), (&0.into(), &0.into()));
    assert_eq!(document["unchanged"], 4);

    // What was damaged on disk is fetched again, and nothing else.
    let damaged = mirror.join(format!("{COUNTRY}/DE/date/2020-07-22/index"));
    std::fs::write(&damaged, "damaged").unwrap();
    let (_, document) = fetch(external, "", &mirror, &verify);
    let changed = (format!("{COUNTRY}/DE/date/2020-07-22"), "changed".to_owned());
    assert_eq!(outcomes(&document), [changed]);
    let package = server.path().join(format!("www/{COUNTRY}/DE/date/2020-07-22/index"));
    assert_eq!(std::fs::read(damaged).unwrap(), std::fs::read(package).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_trusted_key_signed_is_not_put_in_place() {
    let server = TestServer::start().await;
    let now = server.with_a_day_and_an_hour().await.as_secs().to_string();
    let directory = tempfile::tempdir().unwrap();
    let (exit, document) =
        fetch(server.running.external_addr(), "", directory.path(), &["--verify", "--now", &now]);
    // It says of itself that a German key has signed it.
    assert_eq!(exit, 1, "{document}");
    assert_eq!((&document["refused"], &document["files"][0]["verdict"]), (&4.into(), &"invalid".into()));
    assert!(!directory.path().join(COUNTRY).join("DE/date/2020-07-22/index").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_would_ask_for_and_writes_nothing() {
    let server = TestServer::start().await;
    let now = server.with_a_day_and_an_hour().await.as_secs().to_string();
    let directory = tempfile::tempdir().unwrap();
    let mirror = directory.path().join("mirror");
    let (exit, document) =
        fetch(server.running.external_addr(), "", &mirror, &["--dry-run", "--now", &now, "--country", "DE"]);
    assert_eq!(exit, 0);
    assert!(outcomes(&document).contains(&(format!("{COUNTRY}/DE/date/2020-07-22"), "planned".to_owned())));
    assert!(!mirror.exists());
}

/// A server of files: what is at a path is a status and a body, which can be changed while it runs.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<Answers>>);

type Answers = BTreeMap<String, (u16, Vec<u8>)>;

impl Files {
    fn put(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let files = self.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                while let Some(request) = lines.next() {
                    while lines.next().is_some_and(|header| !header.is_empty()) {}
                    let path = request.split(' ').nth(1).unwrap();
                    let (status, body) =
                        files.0.lock().unwrap().get(path).cloned().unwrap_or((404, Vec::new()));
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
                    if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                        break;
                    }
                }
            }
        });
        address
    }
}

const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[test]
fn a_list_of_files_is_mirrored_each_file_once_from_a_base_that_is_not_where_the_list_is() {
    let files = Files::default();
    files.put("/v1/index.txt", 200, "keys/1.zip\n/keys/2\n");
    files.put("/base/keys/1.zip", 200, ZIP);
    files.put("/base/keys/2", 200, ZIP);
    let server = files.serve();
    let mirror = tempfile::tempdir().unwrap();
    let list = ["--layout", "index-txt", "--index", "/v1/index.txt"];
    let (exit, document) = fetch(server, "/base", mirror.path(), &list);
    assert_eq!((exit, &document["transferred"], &document["connections"]), (0, &2.into(), &1.into()));
    assert_eq!(std::fs::read(mirror.path().join("keys/2")).unwrap(), ZIP);

    files.put("/v1/index.txt", 200, "keys/1.zip\nkeys/2\nkeys/3.zip\n");
    files.put("/base/keys/3.zip", 200, ZIP);
    let (exit, document) = fetch(server, "/base", mirror.path(), &list);
    assert_eq!(exit, 0);
    assert_eq!(outcomes(&document), [("keys/3.zip".to_owned(), "new".to_owned())]);
    assert_eq!(document["requests"], 2, "what is held is not asked for");
}

#[test]
fn a_page_a_missing_file_and_the_mirrors_own_file_are_named_and_not_put_in_place() {
    let files = Files::default();
    files.put("/index.txt", 200, "page.zip\ngone.zip\n.cwa-mirror.json\nbroken.zip\n1.zip\n");
    files.put("/page.zip", 200, "<html>moved</html>");
    files.put("/broken.zip", 503, "");
    files.put("/.cwa-mirror.json", 200, ZIP);
    files.put("/1.zip", 200, ZIP);
    let mirror = tempfile::tempdir().unwrap();
    let (exit, document) = fetch(files.serve(), "", mirror.path(), &["--layout", "index-txt"]);
    assert_eq!(exit, 5);
    let expected = [
        ("page.zip", "refused"),
        ("gone.zip", "missing"),
        (".cwa-mirror.json", "refused"),
        ("broken.zip", "refused"),
        ("1.zip", "new"),
    ];
    assert_eq!(outcomes(&document), expected.map(|(path, outcome)| (path.to_owned(), outcome.to_owned())));
    assert_eq!(document["files"][0]["reason"], "not an archive");
    assert!(!mirror.path().join("page.zip").exists());
}

#[test]
fn an_index_that_leads_out_of_the_mirror_or_to_another_host_is_refused_as_a_whole() {
    let files = Files::default();
    let server = files.serve();
    let mirror = tempfile::tempdir().unwrap();
    for index in ["1.zip\n../2.zip\n", "1.zip\nhttp://other.example/2.zip\n", "<html></html>"] {
        files.put("/index.txt", 200, index);
        let (exit, document) = fetch(server, "", mirror.path(), &["--layout", "index-txt"]);
        assert_eq!((exit, &document["code"]), (5, &"CWA-E0903".into()), "{index}");
    }
    files.put("/index.txt", 200, vec![b'a'; (4 << 20) + 1]);
    assert_eq!(fetch(server, "", mirror.path(), &["--layout", "index-txt"]).1["code"], "CWA-E0901");
    files.put("/index.txt", 404, "");
    assert_eq!(fetch(server, "", mirror.path(), &["--layout", "index-txt"]).1["code"], "CWA-E0902");
}

#[test]
fn a_run_that_breaks_goes_on_where_it_stopped() {
    let files = Files::default();
    files.put("/index.txt", 200, "1.zip\n2.zip\n");
    files.put("/1.zip", 200, ZIP);
    // Longer than anything that is read: the connection ends in the middle of it.
    files.put("/2.zip", 200, vec![0; (32 << 20) + 1]);
    let server = files.serve();
    let mirror = tempfile::tempdir().unwrap();
    let (exit, document) = fetch(server, "", mirror.path(), &["--layout", "index-txt"]);
    assert_eq!((exit, &document["code"]), (5, &"CWA-E0901".into()));
    assert!(!mirror.path().join("2.zip").exists());
    assert!(!mirror.path().join("index.txt").exists(), "an index lists only what is there");

    files.put("/2.zip", 200, ZIP);
    let (exit, document) = fetch(server, "", mirror.path(), &["--layout", "index-txt"]);
    assert_eq!(exit, 0);
    assert_eq!(outcomes(&document), [("2.zip".to_owned(), "new".to_owned())]);
    let names = std::fs::read_dir(mirror.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 4, "three files and the state, and nothing half-written");
}

#[test]
fn historic_hosts_other_servers_mirrors_and_encryption_are_refused_before_anything_is_sent() {
    let fails = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cwa")).arg("fetch").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let mirror = tempfile::tempdir().unwrap();
    let directory = mirror.path().to_str().unwrap();
    let historic = fails(&["--server", "http://svc90.main.px.t-online.de", "--mirror", directory]);
    assert!(historic.contains("CWA-E0908"), "{historic}");
    assert!(fails(&["--server", "https://localhost", "--mirror", directory]).contains("TLS"));
    fails(&["--profile", "DE"]);
    fails(&["--profile", "DE", "--dry-run", "--server", "http://localhost"]);

    let files = Files::default();
    files.put("/index.txt", 200, "");
    assert_eq!(fetch(files.serve(), "", mirror.path(), &["--layout", "index-txt"]).0, 0);
    let other = format!("http://{}", files.serve());
    let other = fails(&["--server", &other, "--mirror", directory]);
    assert!(other.contains("CWA-E0906"), "{other}");
}
