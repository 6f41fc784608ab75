//! One file, one noun. Each has its clap arguments, its JSON document, and functions from the one to the other.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod guid;
pub(crate) mod keys;
pub(crate) mod match_;
pub(crate) mod publish;
pub(crate) mod qr;
pub(crate) mod risk;
pub(crate) mod rpi;
pub(crate) mod serve;
pub(crate) mod sightings;
pub(crate) mod simulate;
pub(crate) mod tan;
pub(crate) mod tek;
pub(crate) mod tour;
pub(crate) mod trust;
pub(crate) mod vectors;
