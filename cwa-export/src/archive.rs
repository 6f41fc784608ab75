//! The ZIP archive around `export.bin` and `export.sig`: written in one way, read with every doubt refused.
//!
//! Readers of ZIP disagree about archives that contradict themselves: some follow the central directory, some the local
//! headers, and of two members with one name some take the first and some the last. An archive that a verifier reads
//! one way and a phone another is how unsigned content gets past a signature. [`Archive::read`] therefore accepts only
//! archives in which there is nothing to disagree about.

mod read;

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

pub(crate) use read::other_contents;
pub use read::{Archive, ArchiveError, HeaderField, Limits};

/// Name of the member that is signed.
pub const EXPORT_BIN: &str = "export.bin";

/// Name of the member that holds the signatures.
pub const EXPORT_SIG: &str = "export.sig";

/// Whether `bytes` begin like a ZIP archive, an empty one included.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The archive of the two files, in this order, deflated, without anything that changes from run to run.
///
/// # Errors
///
/// [`WriteArchiveError`] if a file is too large for an archive without ZIP64.
pub fn write(export_bin: &[u8], export_sig: &[u8]) -> Result<Vec<u8>, WriteArchiveError> {
    // 1980-01-01 00:00 is the first time that the format can say; the permissions keep the writer from recording the
    // system it runs on.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [(EXPORT_BIN, export_bin), (EXPORT_SIG, export_sig)] {
        writer.start_file(name, options)?;
        writer.write_all(content).map_err(zip::result::ZipError::from)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// The archive could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the archive could not be written")]
#[non_exhaustive]
pub struct WriteArchiveError {
    /// What the ZIP library said.
    #[from]
    source: zip::result::ZipError,
}
