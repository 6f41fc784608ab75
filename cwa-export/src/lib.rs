#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod archive;
pub mod batch;
pub mod configuration;
pub mod country;
pub mod export;
pub mod finding;
pub mod header;
pub mod index;
pub mod key;
pub mod reader;
pub mod signature;
pub mod submission;
pub mod trust;
mod wire;

pub use country::Country;
pub use export::{Export, SignedFiles};
pub use key::ExportKey;
pub use p256;
pub use signature::{SignatureInfo, Signer, SoftwareSigner};
pub use trust::{TrustStore, TrustedKey};
