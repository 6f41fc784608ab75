//! Application configuration: what an app fetches, signed, to know how to download, compute and show.
//!
//! It comes in the same archives as keys and is signed by the same key, without the header of an export. Which kind
//! it is shows in its content only: [`Configuration::decode`] tells the kinds apart.

mod lint;
mod recognise;
pub mod v1;
pub mod v2;
mod wire_shape;

use crate::finding::Finding;
use crate::header;
pub use v1::ConfigurationV1;
pub use v2::ConfigurationV2;

/// A configuration of one of the known kinds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Configuration {
    /// Framework mode v1.
    V1(Box<ConfigurationV1>),
    /// Framework mode v2, for either platform.
    V2(Box<ConfigurationV2>),
}

impl Configuration {
    /// Most bytes that a configuration has. Published ones have some 3,000; a message of many empty parts takes a
    /// hundred times its length in memory.
    pub const MAX_LENGTH: usize = 1 << 20;

    /// Reads the configuration that `content` is, by what is in it.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] if it is an exposure key export, longer than [`MAX_LENGTH`](Self::MAX_LENGTH), or no
    /// configuration of a known kind. Content that could be several kinds at once, because hardly anything is in it, is none.
    pub fn decode(content: &[u8]) -> Result<Self, ConfigurationError> {
        recognise::decode(content)
    }

    /// Reads the configuration that `content` is, and says what is wrong with it: with its parameters, and with the bytes
    /// beyond them, which decoding leaves out.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn lint_content(content: &[u8]) -> Result<Vec<Finding>, ConfigurationError> {
        let configuration = Self::decode(content)?;
        let shape = match &configuration {
            Self::V1(_) => wire_shape::V1,
            Self::V2(v2) => match v2.platform {
                v2::Platform::Android => wire_shape::V2_ANDROID,
                v2::Platform::Ios => wire_shape::V2_IOS,
            },
        };
        let mut findings = lint::Findings::default();
        wire_shape::look_at(content, shape, &mut findings);
        let mut findings = findings.finish();
        findings.extend(configuration.lint());
        Ok(findings)
    }

    /// What is wrong with the configuration's parameters.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        match self {
            Self::V1(v1) => v1.lint(),
            Self::V2(v2) => v2.lint(),
        }
    }
}

/// Why content is no configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// Keys, signed by the same key.
    #[error("the content is an exposure key export, not a configuration")]
    IsExport,
    /// Longer than any configuration.
    #[error("the content has {length} bytes; a configuration has {} at most", Configuration::MAX_LENGTH)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Nothing known.
    #[error("the content is no application configuration of a known kind")]
    Unrecognised,
}

/// Refuses what begins like an export, whatever else it might be read as.
fn refuse_export(content: &[u8]) -> Result<(), ConfigurationError> {
    if header::is_export(content) { Err(ConfigurationError::IsExport) } else { Ok(()) }
}
