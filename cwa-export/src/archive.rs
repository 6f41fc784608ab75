//! The ZIP archive around `export.bin` and `export.sig`: written in one way, read with every doubt refused.
//!
//! Readers of ZIP disagree about archives that contradict themselves: some follow the central directory, some the local
//! headers, and of two members with one name some take the first and some the last. An archive that a verifier reads
//! one way and a phone another is how unsigned content gets past a signature. [`Archive::read`] therefore accepts only
//! archives in which there is nothing to disagree about.

mod read;
mod write;

pub(crate) use write::{deflated_len, length, longest, longest_deflated};

pub use read::{Archive, ArchiveError, ContentArchive, HeaderField, Limits};
pub(crate) use read::{other_contents, pieces};
pub use write::{WriteArchiveError, write};

/// Name of the member that is signed.
pub const EXPORT_BIN: &str = "export.bin";

/// Name of the member that holds the signatures.
pub const EXPORT_SIG: &str = "export.sig";

/// Name of the member in which Dutch archives carry a CMS signature: a third one beside keys, the only one beside
/// [`CONTENT_BIN`].
pub const CONTENT_SIG: &str = "content.sig";

/// Name of the member that is signed in Dutch archives of anything but keys.
pub const CONTENT_BIN: &str = "content.bin";

/// Whether `bytes` begin like a ZIP archive, an empty one included.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}
