#![doc = include_str!("../README.md")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "benchmarks may panic, and have std"
)]

pub mod bound;
#[cfg(feature = "aws-lc")]
pub mod google;
pub mod machine;
pub mod memory;
pub mod report;
pub mod runs;
