//! The ZIP archive around `export.bin` and `export.sig`.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Name of the member that is signed.
pub const EXPORT_BIN: &str = "export.bin";

/// Name of the member that holds the signatures.
pub const EXPORT_SIG: &str = "export.sig";

/// The archive of the two files, in this order, deflated, without anything that changes from run to run.
///
/// # Errors
///
/// [`WriteArchiveError`] if a file is too large for an archive without ZIP64.
pub fn write(export_bin: &[u8], export_sig: &[u8]) -> Result<Vec<u8>, WriteArchiveError> {
    // 1980-01-01 00:00 is the first time that the format can say.
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
