//! The tour, as its user runs it.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says so by failing")]

use std::process::{Command, Output};

use serde_json::Value;

fn cwa(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwa")).args(arguments).output().unwrap()
}

#[test]
fn the_tour_walks_the_whole_way_and_says_so_as_data() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("tour");
    let output = cwa(&["--json", "tour", "--dir", made.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("{\n  \"schema\": \"cwa.tour/1\","), "{text}");

    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["verdict"], "passed");
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.len() >= 15);
    for step in steps {
        assert_eq!(step["ok"], true, "{step}");
        assert!(!step["detail"].as_str().unwrap().is_empty(), "{step}");
    }
    let names: std::collections::BTreeSet<_> =
        steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), steps.len(), "two steps have one name");

    // The server's data and the phones' data are apart, and both stay.
    assert!(made.join("server/cwa.sqlite3").is_file());
    assert!(made.join("phones/ben/sightings.jsonl").is_file());

    // The commands that the last lines name do work.
    for command in report["look"].as_array().unwrap() {
        let words: Vec<_> = command.as_str().unwrap().split(' ').skip(1).collect();
        let output = cwa(&words);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_directory_that_holds_something_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine"), "important").unwrap();
    let output = cwa(&["tour", "--dir", directory.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
