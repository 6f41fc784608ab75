//! The 16 bytes in front of every exposure key export.

/// `EK Export v1`, padded with four spaces to 16 bytes: what `export.bin` begins with
/// (Exposure Key Export File Format, "Header").
///
/// Archives that carry configuration instead of keys have no header, which is what keeps one from being taken for
/// the other.
pub const HEADER: [u8; 16] = *b"EK Export v1    ";

/// The protobuf message behind the header of `export_bin`.
///
/// # Errors
///
/// [`HeaderError`] if the file is shorter than the header or begins with anything else. The comparison is of all 16
/// bytes: other white space is another header.
///
/// ```
/// use cwa_export::header::{self, HeaderError};
/// assert_eq!(header::strip(b"EK Export v1    \x08\x01"), Ok(&b"\x08\x01"[..]));
/// assert_eq!(header::strip(b"EK Export v1"), Err(HeaderError::TooShort { length: 12 }));
/// ```
pub fn strip(export_bin: &[u8]) -> Result<&[u8], HeaderError> {
    let Some((header, body)) = export_bin.split_first_chunk::<16>() else {
        return Err(HeaderError::TooShort { length: export_bin.len() });
    };
    if *header == HEADER { Ok(body) } else { Err(HeaderError::Mismatch { found: *header }) }
}

/// The same for a reader that trims white space around the text in the 16 bytes.
pub(crate) fn strip_trimmed(export_bin: &[u8]) -> Result<&[u8], HeaderError> {
    match export_bin.split_first_chunk::<16>() {
        Some((header, body)) if header.trim_ascii() == HEADER.trim_ascii() => Ok(body),
        _ => strip(export_bin),
    }
}

/// Whether `content` begins like an export of any version, so that it must not be read as anything else.
#[must_use]
pub fn is_export(content: &[u8]) -> bool {
    content.starts_with(b"EK Export")
}

/// Why a file is not an exposure key export of version 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Shorter than the header.
    #[error("export.bin has {length} bytes; its header alone takes 16")]
    TooShort {
        /// The length found, in bytes.
        length: usize,
    },
    /// Another header.
    #[error("export.bin begins with {} instead of \"EK Export v1    \"", hex::encode(found))]
    Mismatch {
        /// The first 16 bytes found.
        found: [u8; 16],
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_white_space_is_another_header() {
        for wrong in [b"EK Export v1\0\0\0\0", b"EK Export v1   \t", b"EK Export v2    ", b" EK Export v1   "]
        {
            assert_eq!(strip(wrong), Err(HeaderError::Mismatch { found: *wrong }));
        }
        assert_eq!(strip(&HEADER), Ok(&[][..]));
    }

    #[test]
    fn the_message_names_the_bytes_found() {
        insta::assert_snapshot!(
            strip(b"PK\x03\x04............").unwrap_err(),
            @r#"export.bin begins with 504b03042e2e2e2e2e2e2e2e2e2e2e2e instead of "EK Export v1    ""#
        );
    }
}
