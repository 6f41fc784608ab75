//! The server, over real sockets: every endpoint and every status.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::tests_outside_test_module,
    missing_docs,
    unreachable_pub,
    reason = "an integration test reports by panicking, and documents nothing"
)]

#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "tests of replicas use it, and the other database's tests")]
#[path = "support/postgres.rs"]
mod cluster;
#[path = "server/support.rs"]
mod support;

/// Every server has its database in its directory; `server_postgres.rs` runs many of these tests over the other kind.
fn database_of(_directory: &std::path::Path) -> Option<String> {
    None
}

#[path = "server/admin.rs"]
mod admin;
#[cfg(feature = "cli")]
#[path = "server/audit.rs"]
mod audit;
#[path = "server/distribution.rs"]
mod distribution;
#[cfg(feature = "cli")]
#[path = "server/fetch.rs"]
mod fetch;
#[path = "server/internal.rs"]
mod internal;
#[path = "server/portal.rs"]
mod portal;
#[path = "server/privacy.rs"]
mod privacy;
#[cfg(feature = "cli")]
#[path = "server/process.rs"]
mod process;
#[path = "server/publisher.rs"]
mod publisher;
#[cfg(all(feature = "cli", feature = "postgres"))]
#[path = "server/replicas.rs"]
mod replicas;
#[path = "server/submission.rs"]
mod submission;
#[path = "server/verification.rs"]
mod verification;
