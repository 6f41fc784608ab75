//! The messages as prost reads and writes them: field numbers of the formats, no logic, private to this crate.
//!
//! The files in `generated/` come from `proto/`; `tests/wire_is_generated.rs` makes them anew and compares.

#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    unnameable_types,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::must_use_candidate,
    clippy::use_self,
    clippy::enum_variant_names,
    clippy::doc_markdown,
    reason = "generated code: its shape is prost's"
)]

/// Exports, signature lists and submissions (proto2: presence is kept).
#[rustfmt::skip]
#[path = "generated/cwa.export.rs"]
pub(crate) mod export;

/// Application configuration of framework mode v1 (proto3).
#[rustfmt::skip]
#[path = "generated/cwa.configuration.v1.rs"]
pub(crate) mod configuration_v1;

/// Application configuration of framework mode v2 (proto3).
#[rustfmt::skip]
#[path = "generated/cwa.configuration.v2.rs"]
pub(crate) mod configuration_v2;
