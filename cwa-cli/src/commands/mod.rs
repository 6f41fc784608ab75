//! One file, one noun. Each has its clap arguments, its JSON document, and functions from the one to the other.

pub(crate) mod completions;
pub(crate) mod vectors;
