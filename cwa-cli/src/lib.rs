#![doc = include_str!("../README.md")]
// Allowed in one function, which maps a file (`sightings::store`); what is embedded without the command line has none.
#![cfg_attr(feature = "cli", deny(unsafe_code))]
#![cfg_attr(not(feature = "cli"), forbid(unsafe_code))]

pub mod clock;
pub mod server;
mod yaml;

#[cfg(feature = "cli")]
mod args;
#[cfg(feature = "cli")]
mod client;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
mod configuration;
#[cfg(feature = "cli")]
mod failure;
#[cfg(feature = "cli")]
mod input;
#[cfg(feature = "cli")]
mod mirror;
#[cfg(feature = "cli")]
mod output;
#[cfg(feature = "cli")]
mod pipeline;
#[cfg(feature = "cli")]
mod risk;
#[cfg(feature = "cli")]
mod sightings;
#[cfg(feature = "cli")]
mod tour;
#[cfg(feature = "cli")]
pub mod vectors;

#[cfg(feature = "cli")]
pub use args::main;

/// The examples of the workspace's README, so that they compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeOfTheWorkspace;
