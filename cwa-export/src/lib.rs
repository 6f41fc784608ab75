#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod archive;
pub mod audit;
pub mod batch;
#[cfg(feature = "cms")]
pub mod cms;
pub mod configuration;
pub mod content;
pub mod corpus;
pub mod cosigning;
pub mod country;
mod diagnose;
pub mod diff;
pub mod export;
pub mod finding;
pub mod header;
pub mod index;
pub mod key;
pub mod layout;
pub mod lint;
pub mod padding;
pub mod profile;
mod random;
pub mod reader;
pub mod set;
pub mod signature;
mod signature_list;
pub mod split;
pub mod stream;
pub mod submission;
pub mod transfer;
pub mod trust;
mod unsigned;
pub mod verify;
mod wire;

pub use archive::Archive;
pub use country::Country;
pub use export::{Export, SignedFiles, cwa_hash};
pub use key::ExportKey;
pub use p256;
pub use signature::{SignatureInfo, Signer, SoftwareSigner};
pub use signature_list::{MAX_SIGNATURE_BYTES, ParseSignatureListError};
pub use trust::{TrustStore, TrustedKey};
pub use unsigned::{AttachError, OfferedSignature, UnsignedExport};
pub use verify::{UnverifiedContent, UnverifiedExport, VerifiedContent, VerifiedExport};
