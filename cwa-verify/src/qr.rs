//! QR codes of PCR tests.

use core::fmt;

use zeroize::Zeroizing;

use crate::guid::{Guid, GuidError};

/// The QR code of a PCR test, first version: `https://localhost/?` and the test's [`Guid`]. Secret, as the GUID is.
///
/// The address leads nowhere on purpose: scanned outside the app, the code discloses nothing to anyone. Scheme and host
/// are read in either case (codes in capitals are smaller), the GUID keeps its case.
#[derive(Clone)]
pub struct PcrTestCode(Guid);

impl PcrTestCode {
    /// What the code begins with.
    pub const PREFIX: &str = "https://localhost/?";

    /// The code of this test.
    #[must_use]
    pub const fn new(guid: Guid) -> Self {
        Self(guid)
    }

    /// Reads what a scanner gives.
    ///
    /// ```
    /// use cwa_verify::qr::PcrTestCode;
    /// let code = PcrTestCode::parse("HTTPS://LOCALHOST/?123456-12345678-1234-4DA7-B166-B86D85475064")?;
    /// assert_eq!(code.guid().expose_text(), "123456-12345678-1234-4DA7-B166-B86D85475064");
    /// assert_eq!(
    ///     *code.guid().hash().expose_hex(),
    ///     "a7f03e2e20f1f953e15cc67162593fd97fa2a7aac6a84d9123eb626ab2cc61ed",
    /// );
    /// # Ok::<(), cwa_verify::qr::PcrTestCodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Another scheme, host or path, and whatever is not exactly a GUID after it.
    pub fn parse(url: &str) -> Result<Self, PcrTestCodeError> {
        let (prefix, guid) = url.split_at_checked(Self::PREFIX.len()).ok_or(PcrTestCodeError::Prefix)?;
        if !prefix.eq_ignore_ascii_case(Self::PREFIX) {
            return Err(PcrTestCodeError::Prefix);
        }
        Ok(Self(Guid::parse(guid)?))
    }

    /// The test's GUID.
    #[must_use]
    pub const fn guid(&self) -> &Guid {
        &self.0
    }

    /// What is printed as a QR code.
    #[must_use]
    pub fn expose_url(&self) -> Zeroizing<String> {
        Zeroizing::new([Self::PREFIX, self.0.expose_text()].concat())
    }
}

impl fmt::Debug for PcrTestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcrTestCode").finish_non_exhaustive()
    }
}

/// Why something is not the QR code of a PCR test.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PcrTestCodeError {
    /// It does not begin as such a code does.
    #[error("the code of a PCR test begins with {}", PcrTestCode::PREFIX)]
    Prefix,
    /// What follows is not a GUID.
    #[error("what follows {} is not the GUID of a test", PcrTestCode::PREFIX)]
    Guid(#[from] GuidError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "3D6D08-3567F3F2-4DCF-43A3-8737-4CD1F87D6FDA";

    #[test]
    fn a_code_is_read_as_it_is_printed() {
        let code = PcrTestCode::new(Guid::parse(GUID).unwrap());
        assert_eq!(*code.expose_url(), format!("https://localhost/?{GUID}"));
        assert_eq!(PcrTestCode::parse(&code.expose_url()).unwrap().guid().expose_text(), GUID);
    }

    #[test]
    fn other_addresses_are_refused() {
        for wrong in [
            format!("http://localhost/?{GUID}"),
            format!("https://localhost/%20?{GUID}"),
            format!("https://localhost?{GUID}"),
            format!("https://localhost.example/?{GUID}"),
            format!(" https://localhost/?{GUID}"),
            format!("ßttps://localhost/?{GUID}"),
            GUID.to_owned(),
            String::new(),
            "https://localhost/".to_owned(),
        ] {
            assert_eq!(PcrTestCode::parse(&wrong).unwrap_err(), PcrTestCodeError::Prefix, "{wrong}");
        }
    }

    #[test]
    fn what_follows_must_be_a_guid_and_nothing_else() {
        for (wrong, got) in [
            ("https://localhost/?".to_owned(), 0),
            ("https://localhost/?4CD1F87D6FDA".to_owned(), 12),
            (format!("https://localhost/?{GUID} "), 44),
            (format!("https://localhost/??{GUID}"), 44),
            (format!("https://localhost/?{}", "A".repeat(10_000)), 10_000),
        ] {
            let expected = PcrTestCodeError::Guid(GuidError::Length { got });
            assert_eq!(PcrTestCode::parse(&wrong).unwrap_err(), expected, "{wrong}");
        }
    }

    #[test]
    fn debug_does_not_show_the_guid() {
        let code = PcrTestCode::new(Guid::parse(GUID).unwrap());
        insta::assert_snapshot!(format!("{code:?}"), @"PcrTestCode { .. }");
    }
}
