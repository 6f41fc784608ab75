//! Durable submissions: one TAN consumed and 14 keys stored each. `cargo bench -p cwa-cli --bench store`.
//!
//! The stores are private to the server, so their source is compiled into this program; nothing else of the server is.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    unnameable_types,
    unused_imports,
    reason = "a benchmark has no users, and uses a part of what it compiles"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::duplicate_mod,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark may panic, and reports on stdout"
)]

mod server {
    #[path = "../../../src/server/store/mod.rs"]
    pub mod store;

    #[cfg(feature = "postgres")]
    #[path = "../../../tests/support/postgres.rs"]
    pub mod cluster;
    pub mod measure;
}

fn main() {
    server::measure::main();
}
