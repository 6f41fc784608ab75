//! `cwa export audit`, of what the reference server publishes and of a mirror of it, whole and broken.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cwa_export::p256::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::Value;

use crate::support::{DAY, HOUR, NOW, TestServer, key, payload};

const DATES: &str = "version/v1/diagnosis-keys/country/DE/date";

/// Runs `cwa` with `--json`; the exit code and the document.
fn cwa(arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_cwa")).arg("--json").args(arguments).output().unwrap();
    let printed = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let document =
        serde_json::from_slice(printed).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(printed)));
    (output.status.code().unwrap(), document)
}

/// The codes of what weighs more than a note.
fn codes(document: &Value) -> BTreeSet<&str> {
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}"));
    let weighty = findings.iter().filter(|finding| finding["severity"] != "note");
    weighty.map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// A server with three days of packages, its public key, and a mirror.
struct Distribution {
    server: TestServer,
    pem: String,
    mirror: String,
    now: String,
    _directory: tempfile::TempDir,
}

impl Distribution {
    async fn publish() -> Self {
        let server = TestServer::start().await;
        for (id, at) in [(1_u8, NOW), (3, NOW.plus(2 * HOUR)), (5, NOW.plus(DAY))] {
            server.clock.set(at).unwrap();
            let tan = server.fresh_tan(id.into()).await;
            assert_eq!(
                server.submit(&tan, &payload(vec![key(id, 1, at), key(id + 1, 2, at)])).await.status,
                200
            );
            server.clock.set(at.plus(HOUR)).unwrap();
            server.running.publish(at.plus(HOUR)).await.unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (pem, mirror, now) = (path("key.pem"), path("mirror"), server.now().as_secs().to_string());
        std::fs::write(&pem, server.public_key.to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
        let url = format!("http://{}", server.running.external_addr());
        let (exit, document) = cwa(&["fetch", "--server", &url, "--mirror", &mirror, "--now", &now]);
        assert_eq!(exit, 0, "{document}");
        Self { server, pem, mirror, now, _directory: directory }
    }

    fn audit(&self, directory: &str, more: &[&str]) -> (i32, Value) {
        let arguments = ["export", "audit", directory, "--public-key", &self.pem, "--now", &self.now];
        cwa(&[&arguments, more].concat())
    }

    /// Audits a mirror that `change` was made to.
    fn audit_changed(&self, change: impl FnOnce(&Path)) -> (i32, Value) {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(Path::new(&self.mirror), copy.path());
        change(copy.path());
        self.audit(copy.path().to_str().unwrap(), &["--earlier", &self.mirror])
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_tree(&path, &target);
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_publishes_and_a_mirror_of_it_are_in_order() {
    let distribution = Distribution::publish().await;
    let data = distribution.server.path().to_str().unwrap();
    for directory in [data, &format!("{data}/www"), &distribution.mirror] {
        let (exit, document) = distribution.audit(directory, &[]);
        assert_eq!((exit, codes(&document)), (0, BTreeSet::new()), "{document}");
        assert_eq!(document["schema"], "cwa.export.audit/1");
        assert_eq!(document["keys"], 6);
        assert_eq!(document["statistics"]["counted_keys"], 6);
    }
    let (exit, document) = cwa(&["export", "audit", &distribution.mirror]);
    // The signatures name the German key, which did not make them.
    assert_eq!((exit, codes(&document)), (1, BTreeSet::from(["CWA-E1201", "CWA-E1710"])), "{document}");
    assert_eq!((&document["keys"], &document["refused_packages"]), (&0.into(), &document["packages"]));
    // Two runs print the same, whichever thread was first.
    assert_eq!(distribution.audit(data, &[]), distribution.audit(data, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_was_tampered_with_says_where() {
    let distribution = Distribution::publish().await;
    let of = |name: &str| format!("{DATES}/{name}/index");

    // An old package in the place of a new one: each file is well signed.
    let (exit, document) = distribution.audit_changed(|mirror| {
        std::fs::copy(mirror.join(of("2020-07-22/hour/14")), mirror.join(of("2020-07-22/hour/16"))).unwrap();
    });
    let expected = ["CWA-E1707", "CWA-E1711", "CWA-E1720", "CWA-E1722", "CWA-E1723", "CWA-E1725"];
    assert_eq!((exit, codes(&document)), (1, BTreeSet::from(expected)), "{document}");

    // A day that is held back, and its name with it.
    let (exit, document) = distribution.audit_changed(|mirror| {
        std::fs::remove_file(mirror.join(of("2020-07-22"))).unwrap();
        std::fs::remove_file(mirror.join(of("2020-07-22/hour/14"))).unwrap();
        std::fs::write(mirror.join(format!("{DATES}/index")), "[]").unwrap();
        std::fs::write(mirror.join(of("2020-07-22/hour")), "[16]").unwrap();
    });
    let expected = ["CWA-E1707", "CWA-E1711", "CWA-E1712", "CWA-E1724"];
    assert_eq!((exit, codes(&document)), (1, BTreeSet::from(expected)), "{document}");

    // A file that cannot be opened at all.
    let (exit, document) = distribution.audit_changed(|mirror| {
        std::fs::write(mirror.join(of("2020-07-22")), "damaged").unwrap();
    });
    assert_eq!(exit, 1);
    assert!(codes(&document).contains("CWA-E1001"), "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_one_file_without_script_in_which_names_are_text() {
    let distribution = Distribution::publish().await;
    let report = format!("{}/report.html", distribution.mirror);
    std::fs::write(format!("{}/<script>alert(1)<", distribution.mirror), "x").unwrap();
    let (exit, _) = distribution.audit(&distribution.mirror, &["--report", &report]);
    assert_eq!(exit, 0);
    let page = std::fs::read_to_string(report).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;"));
    for forbidden in ["<script", "<link", "<img", "javascript:", " onload", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for part in ["<svg", "Keys by day on air", "Profile", "Hour of publication", "CWA-W1706", "</html>"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_directory_without_packages_is_no_distribution() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("readme.txt"), "hello").unwrap();
    let (exit, document) = cwa(&["export", "audit", directory.path().to_str().unwrap()]);
    assert_eq!((exit, document["code"].as_str()), (3, Some("CWA-E0331")));
    // An archive that cannot be opened is an answer, not a failure.
    std::fs::write(directory.path().join("damaged.zip"), b"PK\x03\x04damaged").unwrap();
    let (exit, document) = cwa(&["export", "audit", directory.path().to_str().unwrap()]);
    assert_eq!((exit, codes(&document)), (3, BTreeSet::from(["CWA-E1001"])));
    let (exit, document) = cwa(&["export", "audit", directory.path().join("nowhere").to_str().unwrap()]);
    assert_eq!((exit, document["code"].as_str()), (3, Some("CWA-E0330")));
}
