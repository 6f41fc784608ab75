//! The server over PostgreSQL: what phones, laboratories, hotlines and the publisher see is the same as over SQLite.
//!
//! On a machine without PostgreSQL the tests run over SQLite once more, after saying so.

#![cfg(feature = "postgres")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::tests_outside_test_module,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "an integration test reports by panicking, and documents nothing; some tests are left to the other database"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

#[path = "support/postgres.rs"]
mod cluster;
#[path = "server/support.rs"]
mod support;

#[path = "server/internal.rs"]
mod internal;
#[path = "server/publisher.rs"]
mod publisher;
#[path = "server/submission.rs"]
mod submission;
#[path = "server/verification.rs"]
mod verification;

/// One database for each directory: a server that is started again finds its own.
fn database_of(directory: &Path) -> Option<String> {
    static DATABASES: Mutex<BTreeMap<PathBuf, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut databases = DATABASES.lock().unwrap();
    databases.entry(directory.to_owned()).or_insert_with(cluster::empty_database).clone()
}
