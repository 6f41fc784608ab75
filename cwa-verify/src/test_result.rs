//! Test results, as laboratories upload and phones poll them.

use core::fmt;

use cwa_crypto::UnixTime;

/// What is known of a test: 0 to 4 for a PCR test, 5 to 9 the same for a rapid antigen test.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "complete by the protocol: what a phone is told is 0 to 9")]
pub enum TestResult {
    /// No result yet.
    Pending = 0,
    /// Negative.
    Negative = 1,
    /// Positive: permits TANs.
    Positive = 2,
    /// The test failed.
    Invalid = 3,
    /// Retrieved, or too old to be retrieved. Final.
    Redeemed = 4,
    /// No result yet of a rapid test.
    RapidPending = 5,
    /// A negative rapid test.
    RapidNegative = 6,
    /// A positive rapid test: permits TANs.
    RapidPositive = 7,
    /// A rapid test that failed.
    RapidInvalid = 8,
    /// A rapid test's result that was retrieved, or is too old to be retrieved. Final.
    RapidRedeemed = 9,
}

impl TestResult {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether it permits an upload (2 and 7).
    #[must_use]
    pub const fn permits_upload(self) -> bool {
        matches!(self, Self::Positive | Self::RapidPositive)
    }

    /// Whether nothing may overwrite it (4 and 9).
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Redeemed | Self::RapidRedeemed)
    }

    /// What becomes of it when it is too old to be retrieved: REDEEMED of the same kind of test.
    // DEVIATION: the German test result server makes 4 of every result; a rapid test then turns into a PCR test.
    #[must_use]
    pub const fn redeemed(self) -> Self {
        match self.code() {
            0..=4 => Self::Redeemed,
            _ => Self::RapidRedeemed,
        }
    }
}

impl TryFrom<u64> for TestResult {
    type Error = TestResultError;

    fn try_from(code: u64) -> Result<Self, Self::Error> {
        Ok(match code {
            0 => Self::Pending,
            1 => Self::Negative,
            2 => Self::Positive,
            3 => Self::Invalid,
            4 => Self::Redeemed,
            5 => Self::RapidPending,
            6 => Self::RapidNegative,
            7 => Self::RapidPositive,
            8 => Self::RapidInvalid,
            9 => Self::RapidRedeemed,
            got => return Err(TestResultError { got }),
        })
    }
}

/// A code that is no test result.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a test result is 0 to 9, not {got}")]
#[non_exhaustive]
pub struct TestResultError {
    /// The code found.
    pub got: u64,
}

/// The name under which a laboratory uploads: 1 to 64 bytes of UTF-8 without control characters, `"` and `\`; public.
///
/// The bound makes it fit, unescaped, into an answer of fixed size.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LabId(String);

impl LabId {
    /// The most bytes an id has.
    pub const MAX_LENGTH: usize = 64;

    /// Reads an id.
    ///
    /// # Errors
    ///
    /// An empty text, a longer one, and one that JSON would have to escape.
    pub fn parse(text: &str) -> Result<Self, LabIdError> {
        if text.is_empty() || text.len() > Self::MAX_LENGTH {
            return Err(LabIdError::Length { got: text.len() });
        }
        if let Some((index, _)) =
            text.chars().enumerate().find(|(_, c)| c.is_control() || matches!(c, '"' | '\\'))
        {
            return Err(LabIdError::Character { position: index + 1 });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not the id of a laboratory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LabIdError {
    /// Empty, or too long.
    #[error("the id of a laboratory has 1 to {} bytes, not {got}", LabId::MAX_LENGTH)]
    Length {
        /// The number of bytes found.
        got: usize,
    },
    /// A control character, `"` or `\`.
    #[error("character {position} may not occur in the id of a laboratory")]
    Character {
        /// Its position, counted from 1.
        position: usize,
    },
}

/// What is stored of a test: its result, when the sample was taken, who uploaded it, and since when it is known here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a store builds it column by column; a new field has to break it"
)]
pub struct StoredTestResult {
    /// The result.
    pub result: TestResult,
    /// When the sample was taken, as far as the laboratory said; else when the result was recorded.
    pub sample_collected_at: UnixTime,
    /// The laboratory; none as long as the result is pending.
    pub lab_id: Option<LabId>,
    /// When this row came to be, by the first poll or the first upload. Ages are counted from here.
    pub created_at: UnixTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_0_to_9() {
        for code in 0..=9 {
            assert_eq!(TestResult::try_from(code).map(|result| u64::from(result.code())), Ok(code));
        }
        for got in [10, 14, 256, u64::MAX] {
            assert_eq!(TestResult::try_from(got), Err(TestResultError { got }));
        }
    }

    #[test]
    fn only_positive_results_permit_an_upload_and_only_redeemed_ones_are_final() {
        let all = (0..=9).map(|code| TestResult::try_from(code).unwrap());
        let codes = |filter: fn(TestResult) -> bool| -> Vec<u8> {
            all.clone().filter(|&result| filter(result)).map(TestResult::code).collect()
        };
        assert_eq!(codes(TestResult::permits_upload), [2, 7]);
        assert_eq!(codes(TestResult::is_final), [4, 9]);
        assert_eq!(codes(|result| result.redeemed() == TestResult::Redeemed), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_id_of_a_laboratory_fits_into_an_answer_unescaped() {
        assert!(LabId::parse(&"l".repeat(64)).is_ok());
        assert!(LabId::parse("Labor Müller").is_ok());
        for (wrong, error) in [
            (String::new(), LabIdError::Length { got: 0 }),
            ("l".repeat(65), LabIdError::Length { got: 65 }),
            ("ü".repeat(33), LabIdError::Length { got: 66 }),
            ("a\"b".to_owned(), LabIdError::Character { position: 2 }),
            ("a\\".to_owned(), LabIdError::Character { position: 2 }),
            ("a\n".to_owned(), LabIdError::Character { position: 2 }),
        ] {
            assert_eq!(LabId::parse(&wrong), Err(error), "{wrong:?}");
        }
    }
}
