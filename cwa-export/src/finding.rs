//! What auditors are told: findings with stable codes, and what each code means.

mod catalogue;

use core::fmt;

use serde::Serialize;

pub use catalogue::Code;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the three weights of interface and exit codes")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// To be looked at; refuses nothing.
    Warning,
    /// Refuses what it was found in.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that was found in a file, a key or a configuration.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its stable code; [`explain`] elaborates.
    pub code: Code,
    /// How much it weighs here; a profile may weigh the same code otherwise.
    pub severity: Severity,
    /// What, where, expected and found, in one sentence.
    pub message: String,
}

impl Finding {
    /// A finding of a code's usual weight; `message` is one sentence without a full stop.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.code, self.message)
    }
}

/// What a code means: why it happens, and what to do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// What it stands for, in a few words.
    pub title: &'static str,
    /// Why that happens and why it matters.
    pub cause: &'static str,
    /// What to do next.
    pub remedy: &'static str,
}

/// The explanation of a code as it is printed, for example `CWA-E1201`; `None` if this crate does not use it.
///
/// ```
/// let explanation = cwa_export::finding::explain("CWA-E1201").unwrap();
/// assert_eq!(explanation.title, "no signature verifies");
/// assert!(cwa_export::finding::explain("CWA-E9999").is_none());
/// ```
#[must_use]
pub fn explain(code: &str) -> Option<Explanation> {
    Code::ALL.iter().find(|known| known.as_str() == code).map(|known| known.explanation())
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_explains_itself() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            let explanation = explain(code.as_str()).unwrap();
            assert_eq!(explanation.code, *code);
            assert_eq!(code.as_str().contains("-E"), code.severity() == Severity::Error, "{code}");
            assert!(!explanation.cause.is_empty() && !explanation.remedy.is_empty());
        }
    }
}
