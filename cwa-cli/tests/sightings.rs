//! Databases of sightings with other files beside them.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn convert(path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwa"))
        .args(["sightings", "convert", "--sightings"])
        .arg(path)
        .output()
        .unwrap()
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd")
}

#[test]
fn a_database_with_a_transaction_to_undo_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (database, journal) = (directory.path().join("a.db"), directory.path().join("a.db-journal"));
    std::fs::copy(fixtures().join("sightings.in/microg.db"), &database).unwrap();
    // A journal that is kept, but over.
    for over in [&b""[..], &[0; 512]] {
        std::fs::write(&journal, over).unwrap();
        assert!(convert(&database).status.success());
    }
    // The magic number of one that is not over.
    std::fs::write(&journal, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7").unwrap();
    let output = convert(&database);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("copied within a transaction"));
}
