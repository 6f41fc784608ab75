//! What `cwa export create` leaves behind: the same bytes each time, every key that was given, and all files or none.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `cwa export create` in `directory` with the keys and signers of `cmd/writer.in`.
fn create(directory: &Path, arguments: &[&str]) -> Output {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/writer.in");
    let (keys, signer) = (input.join("keys.json"), input.join("new.pem"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cwa"));
    command.current_dir(directory).args(["export", "create", "--key-id", "262", "--key-version", "v2"]);
    command.args(["--region", "DE", "--start", "1595386800", "--end", "1595390400"]);
    if !arguments.contains(&"--keys") {
        command.arg("--keys").arg(keys);
    }
    if !arguments.contains(&"--unsigned") {
        command.arg("--signing-key").arg(signer);
    }
    command.args(arguments).output().unwrap()
}

fn inspect(file: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cwa"));
    let output = command.args(["export", "inspect", "--keys", "--json"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Names and contents.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn two_runs_give_the_same_bytes() {
    for arguments in [
        &["--output", "one.zip"][..],
        &["--output", "many.zip", "--max-keys", "2"],
        &["--output", "small.zip", "--max-bytes", "480"],
        &["--output", "unsigned.zip", "--unsigned", "--max-keys", "3"],
        &[
            "--output",
            "padded.zip",
            "--pad-minimum",
            "20",
            "--pad-range",
            "9",
            "--order",
            "shuffled",
            "--seed",
            "5",
        ],
    ] {
        let (once, twice) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for directory in [&once, &twice] {
            let output = create(directory.path(), arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
        assert_eq!(files(once.path()), files(twice.path()), "{arguments:?}");
        let fits = |(name, bytes): (String, Vec<u8>)| !name.starts_with("small") || bytes.len() <= 480;
        assert!(files(once.path()).into_iter().all(fits));
    }
}

#[test]
fn padding_differs_from_run_to_run_unless_it_is_seeded() {
    let (once, twice) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&once, &twice] {
        assert!(create(directory.path(), &["--output", "a.zip", "--pad-multiplier", "2"]).status.success());
    }
    assert_ne!(files(once.path()), files(twice.path()));
}

#[test]
fn a_package_that_was_inspected_is_made_anew_byte_for_byte_whatever_its_order() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["--order", "sorted"][..],
        &["--order", "shuffled", "--seed", "3"],
        &["--order", "given"],
        &["--pad-minimum", "40", "--order", "shuffled", "--seed", "3"],
    ] {
        assert!(create(directory.path(), &[arguments, &["--output", "made.zip"]].concat()).status.success());
        let document = inspect(&directory.path().join("made.zip"));
        std::fs::write(directory.path().join("inspected.json"), &document).unwrap();
        let again = create(directory.path(), &["--keys", "inspected.json", "--output", "again.zip"]);
        assert!(again.status.success(), "{again:?}");
        let files = files(directory.path());
        assert!(files["made.zip"] == files["again.zip"], "{arguments:?}");
    }
}

#[test]
fn archives_of_one_window_hold_every_key_once_and_end_apart() {
    let directory = tempfile::tempdir().unwrap();
    assert!(create(directory.path(), &["--output", "a.zip", "--max-keys", "2"]).status.success());
    let (mut keys, mut ends) = (Vec::new(), Vec::new());
    for name in files(directory.path()).keys() {
        let document: Value = serde_json::from_slice(&inspect(&directory.path().join(name))).unwrap();
        assert_eq!((&document["batch_num"], &document["batch_size"]), (&1.into(), &1.into()));
        ends.push(document["end_timestamp"].as_u64().unwrap());
        let of_file = document["keys"].as_array().unwrap().iter();
        keys.extend(of_file.map(|key| key["key_data"].as_str().unwrap().get(..2).unwrap().to_owned()));
    }
    assert_eq!(keys, ["11", "5a", "9e", "c4", "e0"]);
    assert_eq!(ends, [1_595_390_400, 1_595_390_401, 1_595_390_402]);
}

#[test]
fn there_are_all_files_or_none() {
    let directory = tempfile::tempdir().unwrap();
    // A directory where the second archive belongs: the first is in place by then.
    std::fs::create_dir(directory.path().join("a-00002.zip")).unwrap();
    let output = create(directory.path(), &["--output", "a.zip", "--max-keys", "2"]);
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    assert_eq!(files(directory.path()), BTreeMap::new());

    std::fs::write(directory.path().join("b-00003.bin"), b"of an earlier run").unwrap();
    let unsigned = create(directory.path(), &["--output", "b.zip", "--unsigned", "--max-keys", "3"]);
    assert_eq!((unsigned.status.code(), files(directory.path()).len()), (Some(2), 1));

    std::fs::write(directory.path().join("a-00001.zip"), b"of an earlier run").unwrap();
    assert!(!create(directory.path(), &["--output", "a.zip", "--max-bytes", "300"]).status.success());
    assert_eq!(files(directory.path())["a-00001.zip"], b"of an earlier run");
}

#[test]
fn standard_output_gets_what_a_file_would() {
    let directory = tempfile::tempdir().unwrap();
    assert!(create(directory.path(), &["--output", "a.zip"]).status.success());
    let printed = create(directory.path(), &["--output", "-"]);
    assert!(printed.stdout == files(directory.path())["a.zip"], "{:?}", printed.stderr);
    let unsigned = create(directory.path(), &["--output", "-", "--unsigned"]);
    assert_eq!((unsigned.status.code(), unsigned.stdout), (Some(2), Vec::new()));
}
